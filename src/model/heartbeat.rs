//! Heartbeats: monitors that are expected to report by themselves. What is configured, what a ping says, and what is remembered.
//!
//! What is remembered of pings ([`Pings`]) is made so that it does not matter in which order they come to be known, how often the same
//! one comes, or over which node: it is a set with limits. Everything else (up, late, down, since when and why, which runs are open)
//! follows from it, the config and the time, and is worked out by `crate::rules::heartbeat` whenever it is asked for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

mod runs;

pub use runs::Runs;

use crate::model::id::NodeName;
use crate::model::id::is_deceptive;
use crate::model::schedule::Schedule;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;

/// More failures than this in a row are not a heartbeat any more; the limit bounds what must be remembered.
pub const FAILURES_MAX: u32 = 100;

/// A ping earlier than its slot by no more than this satisfies it: more than clocks differ, less than jobs are apart.
const EARLY_MAX: Duration = Duration::from_secs(60);

/// Of the shortest gap between two slots, `early` is at most a tenth by default.
const EARLY_SHARE: u32 = 10;

/// Longest slug, as in healthchecks.
pub const SLUG_BYTES_MAX: usize = 100;

/// A heartbeat as a kind of monitor: its rules, and by what it is pinged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatSpec {
    /// Its rules.
    pub beat: Arc<Heartbeat>,
    /// By what it is pinged.
    pub identity: Identity,
}

/// By what a heartbeat is pinged. What is not given is derived from the secret of the instance or of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its own token; `None`: a derived one.
    pub token: Option<Secret>,
    /// Its own UUID, canonical and in lower case; `None`: a derived one. Whoever knows it can ping, so that it is a secret.
    pub uuid: Option<Secret>,
    /// Names it below a ping key: lower-case letters, digits, `-` and `_`.
    pub slug: String,
    /// Another number gives other derived tokens, UUIDs and ping keys.
    pub generation: u32,
}

/// Whether a text can be a slug: lower-case letters, digits, `-` and `_`, as in healthchecks.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    (1..=SLUG_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// Whether a text is a UUID in its canonical form, 8-4-4-4-12 hexadecimal digits in either letter case.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    const LENGTH: usize = 36;
    let fits = |(i, byte): (usize, u8)| if matches!(i, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == LENGTH && text.bytes().enumerate().all(fits)
}

/// What is configured of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// When a finished run is expected.
    pub schedule: Schedule,
    /// How late it may be.
    pub grace: Duration,
    /// How late a start may be; `None`: starts are not waited for.
    pub start_grace: Option<Duration>,
    /// How long a run may take; `None`: as long as the grace.
    pub max_runtime: Option<Duration>,
    /// A run that takes less has finished suspiciously fast; `None`: none has.
    pub min_runtime: Option<Duration>,
    /// Failures in a row before it is down, 1 to [`FAILURES_MAX`].
    pub failures: u32,
    /// Whether the first ping is waited for with a deadline.
    pub first_ping: FirstPing,
    /// Which requests count.
    pub methods: Methods,
    /// What is kept of a ping's body.
    pub body: BodyRule,
    /// Words in the body that say what the ping means; `None`: the address says it.
    pub keywords: Option<Keywords>,
    /// How much before its slot a ping satisfies it; `None`: a minute, or a tenth of the shortest gap.
    pub early: Option<Duration>,
    /// What a ping does to a paused heartbeat.
    pub resume: Resume,
    /// Whether a log entry during a run says that it goes on.
    pub keep_alive: bool,
}

impl Heartbeat {
    /// How much before its slot a ping satisfies it.
    #[must_use]
    pub fn early(&self) -> Duration {
        self.early.unwrap_or_else(|| EARLY_MAX.min(self.schedule.shortest_gap() / EARLY_SHARE))
    }

    /// How long a run may take; `None`: runs are not watched, because there is neither a limit nor a grace.
    #[must_use]
    pub fn max_runtime(&self) -> Option<Duration> {
        Some(self.max_runtime.unwrap_or(self.grace)).filter(|limit| !limit.is_zero())
    }

    /// What does not go together, as pairs of a key and what to say about it; empty: all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let gap = self.schedule.shortest_gap();
        if self.failures == 0 || FAILURES_MAX < self.failures {
            found.push(("failures", format!("{} is not a number of failures; use 1 to {FAILURES_MAX}", self.failures)));
        }
        if self.early.is_some_and(|early| gap <= early) {
            found.push(("early", "a ping would satisfy several slots at once; make it shorter than the time between two slots".to_owned()));
        }
        if let (Some(least), Some(most)) = (self.min_runtime, self.max_runtime())
            && most <= least
        {
            found.push(("min_runtime", "no run could be right; make it shorter than `max_runtime`".to_owned()));
        }
        if self.keywords.as_ref().is_some_and(|words| !words.is_complete()) {
            found.push((
                "keywords",
                "there are none, or an empty one, which every body has; name at least one for success or failure".to_owned(),
            ));
        }
        found
    }

    /// What goes together but perhaps is not meant, as pairs of a key and what to say about it.
    #[must_use]
    pub fn doubts(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        // A start buys no time, so that by a calendar a run must be over by slot and grace, however long it may take by itself.
        if let (Schedule::Timed(_), Some(limit)) = (&self.schedule, self.max_runtime)
            && self.grace < limit
        {
            let text =
                "a run that starts on time is missed after `grace`, before `max_runtime` is over; raise `grace` to at least `max_runtime`";
            found.push(("max_runtime", text.to_owned()));
        }
        if self.start_grace.is_some_and(|start| self.grace < start) {
            found.push((
                "start_grace",
                "the grace of the finish ends before that of the start; make `start_grace` the shorter one".to_owned(),
            ));
        }
        found
    }
}

/// Whether the first ping is waited for with a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstPing {
    /// The first slot after the monitor was loaded must be kept.
    Required,
    /// It waits silently.
    Optional,
}

/// Which requests count as pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// All that the server takes.
    Any,
    /// POST only: programs that preview links do not send it.
    Post,
}

/// What is kept of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyRule {
    /// So many bytes.
    pub bytes_max: usize,
    /// From which end.
    pub keep: Keep,
}

/// Which end of a long body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The beginning.
    Head,
    /// The end, where logs say what happened.
    Tail,
}

/// Words in a body that say what the ping means; case matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keywords {
    /// Any of these: it failed. Looked for first.
    pub failure: Vec<String>,
    /// Any of these: it worked.
    pub success: Vec<String>,
    /// Any of these: it began.
    pub start: Vec<String>,
    /// What it means when there is none.
    pub otherwise: Otherwise,
}

impl Keywords {
    fn is_complete(&self) -> bool {
        let mut all = self.failure.iter().chain(&self.success).chain(&self.start).peekable();
        all.peek().is_some() && all.all(|word| !word.is_empty())
    }
}

/// What a body without any keyword means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing.
    Ignore,
    /// A failure.
    Fail,
}

/// What a ping does to a paused heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// It goes on.
    Auto,
    /// It is noted and ignored.
    Manual,
}

/// What a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PingKind {
    /// The job began.
    Start,
    /// The job worked.
    Success,
    /// The job failed.
    Fail,
    /// A note; it changes nothing, unless it says that a run goes on.
    Log,
}

impl PingKind {
    /// The word in addresses, rows and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            PingKind::Start => "start",
            PingKind::Success => "success",
            PingKind::Fail => "fail",
            PingKind::Log => "log",
        }
    }
}

/// Which ping it is: when it came, and what tells it from others of the same moment. The same ping has the same stamp on every node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingStamp {
    /// When it was received, by the common clock.
    pub at: UnixMillis,
    /// Grows with each ping that a node receives.
    pub sequence: u64,
    /// The node that received it.
    pub node: NodeName,
}

/// One report to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Which one.
    pub stamp: PingStamp,
    /// What it says.
    pub kind: PingKind,
    /// Of which run; `None`: the job does not tell its runs apart.
    pub run: Option<RunId>,
}

/// What tells the runs of a job apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Arc<str>);

/// Longest free text of a run, in bytes.
pub const RUN_BYTES_MAX: usize = 100;

/// Why a text does not name a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRunId {
    /// The strict form asks for 8-4-4-4-12 hexadecimal digits.
    #[error("invalid uuid format")]
    NotUuid,
    /// The free form has limits, too.
    #[error("a run is named by 1 to {RUN_BYTES_MAX} bytes without control characters")]
    NotText,
}

impl RunId {
    /// Reads `rid=`: a UUID in its canonical form, in either letter case.
    ///
    /// # Errors
    /// [`BadRunId::NotUuid`] for everything else, the empty text and braces included.
    pub fn uuid(text: &str) -> Result<RunId, BadRunId> {
        if is_uuid(text) { Ok(RunId(text.to_ascii_lowercase().into())) } else { Err(BadRunId::NotUuid) }
    }

    /// Reads `run=`: any short text.
    ///
    /// # Errors
    /// [`BadRunId::NotText`] when it is empty, long or has invisible characters.
    pub fn text(text: &str) -> Result<RunId, BadRunId> {
        if text.is_empty() || RUN_BYTES_MAX < text.len() || text.chars().any(is_deceptive) {
            return Err(BadRunId::NotText);
        }
        Ok(RunId::uuid(text).unwrap_or_else(|_| RunId(text.into())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All that is kept about a heartbeat between two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatState {
    /// When the monitor was first loaded: the first deadline counts from here.
    pub loaded_at: UnixMillis,
    /// The pings, as far as they still matter.
    pub pings: Pings,
    /// The last pause; it also says from when pings count again.
    pub pause: Option<Pause>,
    /// Times whose silence says nothing, in order.
    pub windows: Vec<Window>,
    /// What was said to be wrong and is not over.
    pub open: Option<Open>,
    /// The finish that was said to be suspiciously fast, when no other came since.
    pub too_fast: Option<UnixMillis>,
    /// Until when time has passed for it.
    pub seen_until: UnixMillis,
}

/// Pings as they are remembered: singly as long as they may matter, older ones only by the newest of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pings {
    /// By run; `None`: those that name none.
    pub runs: Runs,
    /// The newest success that is not kept singly any more.
    pub old_success: Option<PingStamp>,
    /// The newest ping that closed runs of others and is not kept singly any more.
    pub old_closing: Option<PingStamp>,
}

/// The pings of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// Starts, successes and failures in the order of their stamps.
    pub events: Vec<RunEvent>,
    /// The newest log entry, when these say that the run goes on.
    pub lives_at: Option<PingStamp>,
}

/// A ping within its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvent {
    /// Which one.
    pub stamp: PingStamp,
    /// Start, success or failure.
    pub kind: PingKind,
}

/// A pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: UnixMillis,
    /// Whether a ping ends it.
    pub resume: Resume,
    /// When someone ended it; `None`: nobody has.
    pub resumed_at: Option<UnixMillis>,
}

/// A time whose silence says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub from: UnixMillis,
    /// Its end.
    pub to: UnixMillis,
    /// Why.
    pub kind: WindowKind,
}

/// Why silence says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Pings could not be received.
    Blind,
    /// Failing is expected; failures do not count either.
    Maintenance,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Since when.
    pub since: UnixMillis,
    /// What.
    pub reason: DownReason,
    /// The last success that was known when it opened; a newer one ends it.
    pub after: Option<UnixMillis>,
}

/// Why a heartbeat is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownReason {
    /// No finish came by slot and grace.
    Missed,
    /// None ever came.
    NeverSeen,
    /// No start came by slot and start grace.
    NotStarted,
    /// As many failures in a row as make it down.
    Failed,
    /// A run takes longer than it may.
    Overran {
        /// Which; `None`: one without a name.
        run: Option<RunId>,
        /// When it began.
        started: UnixMillis,
    },
}

impl DownReason {
    /// Whether it is concluded from silence, so that only those who could have received a ping may conclude it.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            DownReason::Missed | DownReason::NeverSeen | DownReason::NotStarted | DownReason::Overran { .. } => true,
            DownReason::Failed => false,
        }
    }

    /// The word of it, for wires and rows.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            DownReason::Missed => "missed",
            DownReason::NeverSeen => "never-seen",
            DownReason::NotStarted => "never-started",
            DownReason::Failed => "failed",
            DownReason::Overran { .. } => "overran",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_strict_where_clients_expect_it() {
        let upper = "6F0C1E9A-0000-4000-8000-00000000000A";
        assert_eq!(RunId::uuid(upper), RunId::uuid(&upper.to_lowercase()));
        for bad in [
            "",
            "12345",
            "6f0c1e9a-0000-4000-8000-00000000000a1",
            "{6f0c1e9a-0000-4000-8000-00000000000a}",
            "6f0c1e9a+0000-4000-8000-00000000000a",
        ] {
            assert_eq!(RunId::uuid(bad), Err(BadRunId::NotUuid), "{bad}");
        }
        assert_eq!(RunId::text(upper), RunId::uuid(upper), "the same run, however it is named");
        assert_eq!(RunId::text("nightly 7").expect("text").as_str(), "nightly 7");
        for bad in ["", "a\nb", &"x".repeat(101)] {
            assert_eq!(RunId::text(bad), Err(BadRunId::NotText), "{bad}");
        }
    }
}
