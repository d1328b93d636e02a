//! Maintenance windows: planned times in which failing is expected, not told, and not counted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::id::MonitorId;
use crate::model::monitor::Origin;
use crate::model::schedule::Timed;
use crate::model::schedule::Zone;
use crate::model::schedule::recurrence::Recurrence;
use crate::model::time::DurationText;
use crate::model::time::UnixMillis;

/// Shortest window: the next check after a shorter one would as well see what it was about.
pub const LASTS_MIN: Duration = Duration::from_secs(60);

/// Longest window of those that come again: what is not watched for longer had better be switched off.
pub const LASTS_MAX: Duration = Duration::from_secs(31 * 86_400);

/// Longest window that comes once.
pub const ONCE_MAX: Duration = Duration::from_secs(366 * 86_400);

/// A window, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Unique.
    pub name: String,
    /// What it asks for.
    pub wanted: Selection,
    /// The monitors that it covers.
    pub monitors: BTreeSet<MonitorId>,
    /// When it is.
    pub when: When,
    /// What visitors of status pages read.
    pub message: Option<String>,
    /// Where it is written.
    pub origin: Origin,
}

/// Which monitors are meant: those that any part of it names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Names, with `*` and `?`.
    pub names: Vec<String>,
    /// Groups, with `*` and `?`.
    pub groups: Vec<String>,
    /// All of these labels; empty: none are asked for.
    pub labels: BTreeMap<String, String>,
}

/// When a window is.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Once; the zone is for showing it.
    Once(Span, Zone),
    /// This long after each moment of a cron expression.
    Cron(Arc<Timed>, Duration),
    /// This long after each time of a recurrence rule.
    Rule(Arc<Recurrence>, Duration),
}

impl When {
    /// The zone in which it was written.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        match self {
            When::Once(_, zone) => zone,
            When::Cron(timed, _) => &timed.zone,
            When::Rule(rule, _) => &rule.zone,
        }
    }
}

/// In the words of the config.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Once(..) => f.write_str("once"),
            When::Cron(timed, lasts) => write!(f, "cron {} for {} ({})", timed.text, DurationText(*lasts), timed.zone),
            When::Rule(rule, lasts) => write!(f, "{} for {} ({})", rule.text, DurationText(*lasts), rule.zone),
        }
    }
}

/// A stretch of time: from a moment until just before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first moment in it.
    pub from: UnixMillis,
    /// The first moment after it.
    pub to: UnixMillis,
}

impl Span {
    /// Whether a moment is in it.
    #[must_use]
    pub fn holds(&self, at: UnixMillis) -> bool {
        self.from <= at && at < self.to
    }
}
