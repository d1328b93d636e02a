//! Who is told when: policies, and what operators say about incidents and monitors while something is wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::maintenance::Selection;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::peer::Cause;
use crate::model::schedule::Zone;
use crate::model::time::UnixMillis;

/// Steps of a policy at most: who has not answered by the sixteenth will not.
pub const STEPS_MAX: usize = 16;

/// A step later than this would be news of the week before last.
pub const STEP_AFTER_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Reminders in quicker succession teach people to look away.
pub const REMIND_MIN: Duration = Duration::from_secs(5 * 60);

/// The pause between reminders grows no further, unless the config says otherwise: who comes back from a free day is told on the next.
pub const REMIND_MAX: Duration = Duration::from_secs(86_400);

/// Longest time that openings are gathered: later than this nobody would call it an alert.
pub const BUNDLE_MAX: Duration = Duration::from_secs(5 * 60);

/// Longest silence and snooze. What is not to be told of for longer is switched off where it is configured.
pub const QUIET_MAX: Duration = Duration::from_secs(31 * 86_400);

/// Longest note of a person.
pub const NOTE_CHARS_MAX: usize = 500;

/// Longest name of a person.
pub const BY_CHARS_MAX: usize = 80;

/// Silences that are kept at once at most.
pub const SILENCES_MAX: usize = 500;

/// Patterns and labels of one silence at most: what needs more is asked for by a label.
pub const SILENCE_PATTERNS_MAX: usize = 20;

/// Who is told when.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Unique.
    pub name: String,
    /// Of which monitors. Of several policies that select a monitor the first counts.
    pub wanted: Selection,
    /// In the order of their delays; at least one.
    pub steps: Vec<Step>,
    /// When people are reminded; `None`: they are not.
    pub remind: Option<Remind>,
    /// Openings are gathered for so long, from the first of them.
    pub bundle: Duration,
    /// Where it is written.
    pub origin: Origin,
}

/// A step of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// So long after the incident was opened.
    pub after: Duration,
    /// To whom; `None`: to the channels of the monitor.
    pub channels: Option<Vec<ChannelName>>,
    /// Not when somebody has acknowledged the incident by then.
    pub unless_acknowledged: bool,
}

/// When people are reminded of what still lasts and nobody has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remind {
    /// The first time, after the incident was opened.
    pub every: Duration,
    /// By how much each pause is longer than the one before, in tenths: 10 is as long, 20 is twice as long.
    pub backoff_tenths: u32,
    /// No pause is longer.
    pub max: Duration,
}

/// Hours in which a channel keeps still.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietHours {
    /// Minute of the day at which they begin, by the clock in `zone`.
    pub from: u16,
    /// Minute of the day at which they end; before `from` when they last over midnight.
    pub to: u16,
    /// Whose clock.
    pub zone: Zone,
    /// What is told all the same; its end is, too.
    pub except: BTreeSet<EventKind>,
}

/// Somebody is at work on an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who, as far as is known: a name, or by which way it came.
    pub by: String,
    /// When.
    pub at: UnixMillis,
    /// Until when nobody is reminded; `None`: until the end of the incident. With a time it is a snooze.
    pub until: Option<UnixMillis>,
    /// What people say about it; may be empty.
    pub note: String,
    /// The channel whose own service said so, and therefore knows; it is not told again. `None`: it came by another way.
    pub by_channel: Option<ChannelName>,
}

impl Acknowledgement {
    /// Whether it holds then.
    #[must_use]
    pub fn holds(&self, now: UnixMillis) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Names a silence: unique in the cluster, and short enough to be typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SilenceId(String);

impl SilenceId {
    /// Letters and digits of an id: 40 bits, enough for as many silences as may be kept, and more.
    const CHARS: usize = 8;

    /// An id in its written form.
    ///
    /// # Errors
    /// What is wrong, in a sentence without a full stop.
    pub fn parse(text: &str) -> Result<SilenceId, String> {
        let is_fine = text.len() == SilenceId::CHARS && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if is_fine { Ok(SilenceId(text.to_owned())) } else { Err(format!("`{text}` is not the id of a silence")) }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SilenceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Nobody is told of new trouble of some monitors for a while. What is still wrong at its end is told then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Of which monitors.
    pub wanted: Selection,
    /// From when.
    pub from: UnixMillis,
    /// Until when.
    pub until: UnixMillis,
    /// Who asked for it.
    pub by: String,
    /// Why; may be empty.
    pub note: String,
}

impl Silence {
    /// Whether it holds then.
    #[must_use]
    pub fn holds(&self, now: UnixMillis) -> bool {
        self.from <= now && now < self.until
    }
}

/// How far people have been told of an open incident. What is told, and with which key, follows from the config, the incident and the time;
/// this says what was done already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Of which lane.
    pub lane: Lane,
    /// Of which incident.
    pub epoch: Epoch,
    /// When it was opened, by the common clock: delays count from then.
    pub base: UnixMillis,
    /// What its opening is for people.
    pub event: EventKind,
    /// An outage ended in the same moment.
    pub from_outage: bool,
    /// Steps of the policy that were taken, by their places.
    pub taken: BTreeSet<u8>,
    /// Channels that are to be told and have to wait.
    pub waiting: BTreeSet<ChannelName>,
    /// Channels that were told of this incident.
    pub told: BTreeSet<ChannelName>,
    /// Reminders whose time has come, told or not.
    pub n_reminders: u32,
    /// The end of the last snooze that was told to be over.
    pub snoozed_until: Option<UnixMillis>,
}

/// The end of something that people were told of, and are told of later: the monitor goes up and down, and they hear of it when it has
/// calmed down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedEnd {
    /// Of which incident.
    pub incident: IncidentId,
    /// Of which lane.
    pub lane: Lane,
    /// The incident's.
    pub epoch: Epoch,
    /// When it began.
    pub opened_at: UnixMillis,
    /// How it ended.
    pub closed: Closed,
    /// Why it was.
    pub cause: Cause,
}

impl Progress {
    /// Of an incident that has just opened.
    #[must_use]
    pub fn new(lane: Lane, epoch: Epoch, base: UnixMillis, event: EventKind) -> Progress {
        Progress {
            lane,
            epoch,
            base,
            event,
            from_outage: false,
            taken: BTreeSet::new(),
            waiting: BTreeSet::new(),
            told: BTreeSet::new(),
            n_reminders: 0,
            snoozed_until: None,
        }
    }
}
