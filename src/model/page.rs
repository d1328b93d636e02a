//! What visitors see, as configured.

use std::time::Duration;

use crate::model::id::MonitorId;
use crate::model::id::PageSlug;
use crate::model::monitor::Origin;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;

/// One status page, complete: which monitors it lists is already worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusPage {
    /// Last part of its address.
    pub slug: PageSlug,
    /// Heading.
    pub title: String,
    /// Host names under which it is served at `/`, lower case.
    pub domains: Vec<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// What it shows of each monitor.
    pub show: Show,
    /// How it looks.
    pub theme: Theme,
    /// In which language it speaks.
    pub language: PageLanguage,
    /// In which order it lists.
    pub order: Order,
    /// Links in its footer.
    pub links: Vec<Link>,
    /// Its groups, in order.
    pub groups: Vec<PageGroup>,
    /// Messages of the operators, newest first.
    pub announcements: Vec<Announcement>,
    /// Where it is written.
    pub origin: Origin,
}

/// Who may see a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone; it is listed on the sign-in page.
    Public,
    /// Everyone who knows the address; not listed, not indexed.
    Unlisted,
    /// Signed-in users.
    Private,
    /// Whoever knows the password with this argon2id hash.
    Password(Secret),
}

/// What a page shows of each monitor. Everything that is off never reaches the page's view at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Show {
    /// URLs and addresses; off by default.
    pub targets: bool,
    /// Texts of failures; off by default.
    pub errors: bool,
    /// Response times; on by default.
    pub response_times: bool,
    /// Names of regions; on by default.
    pub regions: bool,
    /// How far back the bars go.
    pub history: Duration,
}

/// How a page looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Theme {
    /// A picture: the content of a file below the config directory, or an https address.
    pub logo: Option<Logo>,
    /// `#rgb` or `#rrggbb`, with the `#`.
    pub accent: Option<String>,
    /// Light, dark, or what the visitor's system says.
    pub dark: DarkMode,
    /// Further style sheet, as text.
    pub css: Option<String>,
}

/// A page's picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logo {
    /// At this https address.
    Url(String),
    /// These bytes of this media type.
    File {
        /// `image/svg+xml`, `image/png`, …
        media_type: &'static str,
        /// The content.
        bytes: Vec<u8>,
    },
}

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DarkMode {
    /// What the visitor's system says.
    #[default]
    Auto,
    /// Always dark.
    Always,
    /// Never dark.
    Never,
}

/// A link with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Text.
    pub title: String,
    /// `http`, `https` or `mailto` address.
    pub url: String,
}

/// A group of monitors on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageGroup {
    /// Heading.
    pub name: String,
    /// In the order of the config.
    pub monitors: Vec<MonitorId>,
    /// Shown unfolded, or folded; `None`: as it needs to be.
    pub is_open: Option<bool>,
}

/// In which language a page speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PageLanguage {
    /// In the one that the visitor's browser asks for.
    #[default]
    Auto,
    /// In this one.
    Always(Language),
}

/// A language that visitors are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Japanese.
    Japanese,
}

impl Language {
    /// All of them; the first is spoken to those who understand none.
    pub const ALL: [Language; 5] = [Language::English, Language::German, Language::French, Language::Spanish, Language::Japanese];

    /// Its code, as in `<html lang>`, in `Accept-Language` and in the config.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
            Language::French => "fr",
            Language::Spanish => "es",
            Language::Japanese => "ja",
        }
    }
}

/// In which order a page lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As configured.
    #[default]
    Listed,
    /// What is in trouble before what is not: groups, and services in them.
    WorstFirst,
}

/// A message of the operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Since when.
    pub at: UnixMillis,
    /// What kind.
    pub kind: AnnouncementKind,
    /// Plain text.
    pub text: String,
}

/// What kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncementKind {
    /// Neutral.
    Info,
    /// Something to mind.
    Warning,
    /// Something is broken.
    Outage,
    /// Something is well again.
    Operational,
}

impl AnnouncementKind {
    /// As the config and the API write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            AnnouncementKind::Info => "info",
            AnnouncementKind::Warning => "warning",
            AnnouncementKind::Outage => "outage",
            AnnouncementKind::Operational => "operational",
        }
    }
}
