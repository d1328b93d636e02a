//! The state of a heartbeat where pages would only have the word for any monitor: late, never pinged, waiting.

use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::MonitorView;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Phase;

/// What the verdict about a heartbeat does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nuance {
    /// Its time has come and its grace is not over, or its silence is not believed yet.
    Late,
    /// Nothing ever came.
    NeverPinged,
    /// Something came, and no run has finished yet.
    Waiting,
}

impl Nuance {
    /// The word of it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Nuance::Late => "late",
            Nuance::NeverPinged => "never pinged",
            Nuance::Waiting => "waiting",
        }
    }

    /// Its look, and the word as it begins a line.
    #[must_use]
    pub fn said(self) -> (Verdict, &'static str) {
        let word = match self {
            Nuance::Late => "Late",
            Nuance::NeverPinged => "Never pinged",
            Nuance::Waiting => "Waiting",
        };
        (self.look(), word)
    }

    /// How it looks: lateness is a reason to look, the rest is not known yet.
    #[must_use]
    pub fn look(self) -> Verdict {
        match self {
            Nuance::Late => Verdict::Degraded,
            Nuance::NeverPinged | Nuance::Waiting => Verdict::Unknown,
        }
    }
}

/// What there is to say besides the verdict; `None` for monitors of other kinds, and when the verdict says it all.
#[must_use]
pub fn nuance(view: &MonitorView) -> Option<Nuance> {
    let HeartbeatView { seen, is_overdue, .. } = view.heartbeat.as_deref()?;
    match (view.verdict, seen.phase) {
        (Verdict::Down | Verdict::Paused | Verdict::Degraded | Verdict::Maintenance, _) => None,
        (Verdict::Up, Phase::Late) => Some(Nuance::Late),
        (Verdict::Up | Verdict::Unknown, _) if *is_overdue => Some(Nuance::Late),
        (Verdict::Unknown, Phase::Waiting) => Some(if was_pinged(view) { Nuance::Waiting } else { Nuance::NeverPinged }),
        (Verdict::Up | Verdict::Unknown, Phase::Waiting | Phase::Up | Phase::Late | Phase::Down | Phase::Paused) => None,
    }
}

fn was_pinged(view: &MonitorView) -> bool {
    view.heartbeat.as_ref().is_some_and(|beat| {
        let pings = &beat.state.pings;
        !pings.runs.is_empty() || pings.old_success.is_some() || pings.old_closing.is_some()
    })
}
