//! What people write about trouble: updates, notes and postmortems of incidents, and announcements that no check made.

use std::collections::BTreeMap;

use crate::model::id::IncidentId;
use crate::model::maintenance::Selection;
use crate::model::time::UnixMillis;

/// Longest text of an update or note. With everything around it, it fits into one record of the gossip, also in a script of three bytes a letter.
pub const UPDATE_CHARS_MAX: usize = 1000;

/// Longest postmortem: some four printed pages. What is longer is a document, and has a place of its own to link to.
pub const POSTMORTEM_CHARS_MAX: usize = 8000;

/// Records that one postmortem is told in at most: its letters at four bytes each fit.
pub const POSTMORTEM_PARTS_MAX: u8 = 16;

/// Longest title of an announcement: one line on a phone held upright is a third of it.
pub const TITLE_CHARS_MAX: usize = 120;

/// Updates and notes of one incident or announcement at most. Nobody reads the two-hundredth.
pub const UPDATES_MAX: usize = 200;

/// Announcements that are not over at most. A page with more of them announces nothing.
pub const ANNOUNCEMENTS_MAX: usize = 20;

/// Patterns of monitors and pages of one announcement at most: what needs more is asked for by a group.
pub const ANNOUNCEMENT_PATTERNS_MAX: usize = 20;

/// Texts that are kept at once at most: every node holds all of them in memory, at up to four kilobytes each.
pub const TEXTS_MAX: usize = 10_000;

/// Texts that were taken back are remembered as long as what they were about, a line each. More of them than texts is no writing any more.
pub const TAKEN_BACK_MAX: usize = 10_000;

/// How far people have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UpdateState {
    /// They look for the cause.
    Investigating,
    /// They know the cause.
    Identified,
    /// They have done something, and watch whether it helps.
    Monitoring,
    /// It is over.
    Resolved,
}

impl UpdateState {
    /// Every state, in the usual order.
    pub const ALL: [UpdateState; 4] = [UpdateState::Investigating, UpdateState::Identified, UpdateState::Monitoring, UpdateState::Resolved];

    /// The word in the API, the config and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            UpdateState::Investigating => "investigating",
            UpdateState::Identified => "identified",
            UpdateState::Monitoring => "monitoring",
            UpdateState::Resolved => "resolved",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<UpdateState> {
        UpdateState::ALL.into_iter().find(|state| state.word() == word)
    }
}

macro_rules! short_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// An id in its written form.
            ///
            /// # Errors
            /// What is wrong, in a sentence without a full stop.
            pub fn parse(text: &str) -> Result<$name, String> {
                let is_fine = text.len() == ID_CHARS && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
                if is_fine { Ok($name(text.to_owned())) } else { Err(format!(concat!("`{}` is not the id of ", $kind), text)) }
            }

            /// As written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// Letters and digits of an id: 40 bits, short enough to be typed.
const ID_CHARS: usize = 8;

short_id! {
    /// Names an update or note: unique in the cluster.
    UpdateId, "an update or note"
}

short_id! {
    /// Names an announcement: unique in the cluster.
    AnnouncementId, "an announcement"
}

/// What a text is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// An incident of a monitor.
    Incident(IncidentId),
    /// An announcement.
    Announcement(AnnouncementId),
}

/// For whom a text is, and what it says of how far people have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateKind {
    /// For everybody who is signed in, and nobody else.
    Note,
    /// How far people have got.
    State {
        /// That far.
        state: UpdateState,
        /// Status pages that list the monitor show it.
        is_public: bool,
    },
}

/// Something that people said about an incident or an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// For whom.
    pub kind: UpdateKind,
    /// In the small Markdown; may be empty when the state says it all.
    pub text: String,
    /// Who wrote it, as far as is known. Never public.
    pub by: String,
    /// When.
    pub at: UnixMillis,
}

impl Update {
    /// How far people have got, when it says so.
    #[must_use]
    pub fn state(&self) -> Option<UpdateState> {
        match self.kind {
            UpdateKind::Note => None,
            UpdateKind::State { state, .. } => Some(state),
        }
    }

    /// Whether visitors may read it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.kind, UpdateKind::State { is_public: true, .. })
    }
}

/// What was learnt from an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postmortem {
    /// In the small Markdown.
    pub text: String,
    /// Who wrote it last. Never public.
    pub by: String,
    /// When.
    pub at: UnixMillis,
    /// Status pages that list the monitor show it.
    pub is_public: bool,
}

/// A piece of a postmortem, as long as one record can carry. Pieces of one writing have the same stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostmortemPart {
    /// Of so many.
    pub n_parts: u8,
    /// The piece, and what is said of the whole.
    pub whole: Postmortem,
}

/// Something that people announce at run time, without a check that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// In a line.
    pub title: String,
    /// Pages that list one of these monitors show it.
    pub wanted: Selection,
    /// So do pages whose slugs fit one of these patterns.
    pub pages: Vec<String>,
    /// From when.
    pub from: UnixMillis,
    /// Until when; `None`: until it is said to be resolved.
    pub until: Option<UnixMillis>,
    /// Who announced it. Never public.
    pub by: String,
    /// When.
    pub at: UnixMillis,
}

/// An update with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its name.
    pub id: UpdateId,
    /// What it says.
    pub update: Update,
}

/// What people said about one incident.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentTexts {
    /// Updates and notes, oldest first.
    pub updates: Vec<Posted>,
    /// What was learnt.
    pub postmortem: Option<Postmortem>,
}

/// An announcement with what was said about it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncementTexts {
    /// What it is.
    pub announced: Announced,
    /// Oldest first; the first came with it.
    pub updates: Vec<Posted>,
}

impl AnnouncementTexts {
    /// How far people have got, by the newest update that says so.
    #[must_use]
    pub fn state(&self) -> UpdateState {
        let newest = self.updates.iter().rev().find_map(|posted| posted.update.state());
        newest.unwrap_or(UpdateState::Investigating)
    }

    /// When it ended or will; `None`: nobody knows.
    #[must_use]
    pub fn ends(&self) -> Option<UnixMillis> {
        let newest = self.updates.iter().rev().find(|posted| posted.update.state().is_some());
        let resolved = newest.filter(|posted| posted.update.state() == Some(UpdateState::Resolved)).map(|posted| posted.update.at);
        match (resolved, self.announced.until) {
            (Some(resolved), Some(until)) => Some(resolved.min(until)),
            (resolved, until) => resolved.or(until),
        }
    }

    /// Whether it is over then.
    #[must_use]
    pub fn is_over(&self, now: UnixMillis) -> bool {
        self.ends().is_some_and(|end| end <= now)
    }
}

/// Everything that people said about trouble.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// Of incidents.
    pub incidents: BTreeMap<IncidentId, IncidentTexts>,
    /// Announcements.
    pub announcements: BTreeMap<AnnouncementId, AnnouncementTexts>,
}

/// Templates of a config at most: what is not found at a glance helps nobody in the middle of an outage.
pub const TEMPLATES_MAX: usize = 30;

/// A text that people can begin an update with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateTemplate {
    /// What it is called; unique.
    pub name: String,
    /// How far people have got.
    pub state: UpdateState,
    /// What it says.
    pub text: String,
}
