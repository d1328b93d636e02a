//! One heartbeat's live state, and the words for what is wrong with it.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::event::Notice;
use crate::engine::snapshot::HeartbeatView;
use crate::model::heartbeat::DownReason;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatState;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::Resume;
use crate::model::heartbeat::Window;
use crate::model::heartbeat::WindowKind;
use crate::model::id::NodeName;
use crate::model::id::is_deceptive;
use crate::model::ping::BeatState;
use crate::model::result::Failure;
use crate::model::result::TRANSCRIPT_LINE_CHARS_MAX;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::OpinionState;
use crate::rules::heartbeat;
use crate::rules::heartbeat::Assessment;
use crate::rules::heartbeat::Effect;
use crate::rules::heartbeat::Input;
use crate::rules::heartbeat::Moment;
use crate::rules::heartbeat::Phase;
use crate::rules::heartbeat::ZoneHint;

/// The end of a window of which the end is not known: 2200-01-01T00:00:00Z, later than any calendar looks.
const FAR: UnixMillis = UnixMillis(7_258_118_400_000);

/// Lines of the last failure's body that go with an incident: what a stack trace ends with.
const FAIL_LINES_MAX: usize = 20;

/// Names in a notice; more are counted.
const NAMES_MAX: usize = 20;

/// What the last failure said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LastFail {
    exit: Option<u8>,
    /// The last lines of its body.
    pub(super) lines: Vec<String>,
}

impl LastFail {
    pub(super) fn new(exit: Option<u8>, body: &[u8]) -> LastFail {
        let text = String::from_utf8_lossy(body);
        let clean = |line: &str| line.chars().take(TRANSCRIPT_LINE_CHARS_MAX).map(|c| if is_deceptive(c) { '·' } else { c }).collect();
        let mut lines: Vec<String> = text.lines().rev().take(FAIL_LINES_MAX).map(clean).collect();
        lines.reverse();
        LastFail { exit, lines }
    }
}

/// A heartbeat.
#[derive(Debug)]
pub(super) struct Beat {
    pub(super) rules: Arc<Heartbeat>,
    pub(super) state: HeartbeatState,
    /// What it was when it was last looked at.
    pub(super) seen: Assessment,
    /// When it is looked at next, by the common clock; mirrored in `Beats::timers`.
    pub(super) due: Option<UnixMillis>,
    /// Pings of this node up to this sequence are in the state.
    pub(super) fed_until: u64,
    /// Pings that are being written: nothing is concluded from silence meanwhile.
    pub(super) n_pending: usize,
    /// Since when its silence has not been believed.
    pub(super) overdue_since: Option<Mono>,
    /// Nodes that were not heard when its silence was believed.
    pub(super) unheard: Vec<NodeName>,
    /// What a change of the config made overdue until then is shown and not told.
    pub(super) hush_until: Option<UnixMillis>,
    /// What is open is shown and not told.
    pub(super) is_hushed: bool,
    pub(super) last_fail: LastFail,
    /// Runs that were missed in the last outage.
    pub(super) n_missed: usize,
    /// Since when it is as it is, if it is well.
    well_since: UnixMillis,
    /// Why it is not; kept as it was said first.
    failure: Option<Failure>,
}

impl Beat {
    pub(super) fn new(rules: Arc<Heartbeat>, left: Option<BeatState>, now: UnixMillis) -> Beat {
        let (state, fed_until) = left.map_or_else(|| (heartbeat::fresh(now), 0), |left| (left.state, left.fed_until));
        Beat {
            seen: heartbeat::assess(&rules, &state, state.seen_until),
            rules,
            state,
            due: None,
            fed_until,
            n_pending: 0,
            overdue_since: None,
            unheard: Vec::new(),
            hush_until: None,
            is_hushed: false,
            last_fail: LastFail::default(),
            n_missed: 0,
            well_since: now,
            failure: None,
        }
    }

    pub(super) fn feed(&mut self, input: Input, moment: Moment) -> Vec<Effect> {
        let state = self.take();
        let (state, effects) = heartbeat::feed(&self.rules, state, input, moment);
        self.state = state;
        effects
    }

    pub(super) fn pass(&mut self, moment: Moment) -> Vec<Effect> {
        let state = self.take();
        let (state, effects) = heartbeat::pass(&self.rules, state, moment);
        self.state = state;
        effects
    }

    fn take(&mut self) -> HeartbeatState {
        std::mem::replace(&mut self.state, heartbeat::fresh(UnixMillis(0)))
    }

    /// Works out what it is now.
    pub(super) fn look(&mut self, now: UnixMillis) {
        self.seen = heartbeat::assess(&self.rules, &self.state, now);
    }

    /// Keeps what was said of a failure for the incident.
    pub(super) fn note_fail(&mut self, kind: PingKind, fail: LastFail) {
        if kind == PingKind::Fail {
            self.last_fail = fail;
        }
    }

    /// Somebody ended a pause because of a ping that is known here only now: pings count from that one on.
    pub(super) fn resumed_by(&mut self, ping: &Ping) {
        if let Some(pause) = &mut self.state.pause
            && pause.resume == Resume::Auto
            && pause.at <= ping.stamp.at
            && let Some(resumed_at) = &mut pause.resumed_at
        {
            *resumed_at = (*resumed_at).min(ping.stamp.at);
        }
    }

    /// Takes in what came out; says whether it must be durable with what follows from it.
    pub(super) fn note(&mut self, effects: &[Effect], now: UnixMillis) -> bool {
        let mut is_told = false;
        for effect in effects {
            match effect {
                Effect::Opened { open, is_quiet } => {
                    is_told = true;
                    let seen = heartbeat::assess(&self.rules, &self.state, now);
                    self.is_hushed = *is_quiet || self.hush_until.is_some_and(|until| open.since <= until);
                    self.failure = Some(self.words(&open.reason, &seen, now));
                }
                Effect::Closed { at, n_missed, .. } => {
                    is_told = true;
                    (self.well_since, self.n_missed, self.failure) = (*at, *n_missed, None);
                    self.unheard.clear();
                }
                Effect::TooFast { took, .. } => {
                    is_told = true;
                    let least = self.rules.min_runtime.unwrap_or_default();
                    let text = format!("a run finished after {}, faster than {}", spoken(*took), spoken(least));
                    self.failure = Some(Failure::Heartbeat { code: "too-fast", text });
                }
                Effect::NotTooFast => {
                    is_told = true;
                    self.well_since = now;
                    self.failure = if self.state.open.is_some() { self.failure.take() } else { None };
                }
                Effect::Resumed => is_told = true,
                Effect::Finished { .. } | Effect::Repeated | Effect::Moved { .. } => {}
            }
        }
        is_told
    }

    /// What is held of it: what, since when, and why.
    pub(super) fn holds(&self) -> (OpinionState, UnixMillis, Option<Failure>) {
        if let Some(open) = &self.state.open {
            let failure = self.failure.clone().unwrap_or_else(|| self.words(&open.reason, &self.seen, open.since));
            return (OpinionState::Down, open.since, Some(failure));
        }
        if let Some(at) = self.state.too_fast {
            return (OpinionState::Degraded, at, self.failure.clone());
        }
        match self.seen.phase {
            Phase::Waiting | Phase::Paused => (OpinionState::Unknown, self.state.loaded_at, None),
            Phase::Up | Phase::Late | Phase::Down => {
                // The first success makes it well; later ones change nothing.
                (OpinionState::Up, self.seen.last_success.map_or(self.well_since, |success| success.max(self.well_since)), None)
            }
        }
    }

    /// A picture of it.
    pub(super) fn view(&self) -> HeartbeatView {
        HeartbeatView {
            spells: heartbeat::spells(&self.rules, &self.state.pings),
            is_overdue: heartbeat::is_overdue(&self.state, &self.seen),
            hint: heartbeat::zone_hint(&self.rules, &self.state).map(zone_words),
            seen: self.seen.clone(),
            state: self.state.clone(),
        }
    }

    /// What else there is to say of an incident, in one line.
    pub(super) fn evidence(&self, is_closed: bool) -> String {
        match (is_closed, self.n_missed) {
            (false, _) => self.last_fail.lines.last().filter(|_| self.seen.n_fails > 0).cloned().unwrap_or_default(),
            (true, 0) => String::new(),
            (true, 1) => "one run was missed".to_owned(),
            (true, n) => format!("{n} runs were missed"),
        }
    }

    /// Its state as it leaves the config.
    pub(super) fn retire(mut self: Box<Self>, now: UnixMillis) -> HeartbeatState {
        let mut state = self.take();
        state.open = None;
        state.seen_until = state.seen_until.max(now);
        state.windows.push(Window { from: now + Duration::from_millis(1), to: FAR, kind: WindowKind::Blind });
        state
    }

    /// Why it is down, in one sentence.
    fn words(&self, reason: &DownReason, seen: &Assessment, now: UnixMillis) -> Failure {
        let grace = spoken(self.rules.grace);
        let expected = seen.expected.map(UnixMillis::rfc3339).unwrap_or_default();
        let last = seen.last_success.map_or_else(|| "none ever came".to_owned(), |at| format!("the last one came at {}", at.rfc3339()));
        let mut text = match reason {
            DownReason::Missed => format!("no success within {grace} of {expected}; {last}"),
            DownReason::NeverSeen => format!("no ping ever came; the first was expected at {expected}, and {grace} of grace are over"),
            DownReason::NotStarted => {
                format!("no start within {} of {expected}; {last}", spoken(self.rules.start_grace.unwrap_or_default()))
            }
            DownReason::Failed => self.failed_words(),
            DownReason::Overran { run, started } => {
                let limit = spoken(self.rules.max_runtime().unwrap_or_default());
                let which = run.as_ref().map_or_else(|| "the run".to_owned(), |run| format!("the run `{run}`"));
                format!("{which} that began at {} takes longer than {limit}", started.rfc3339())
            }
        };
        let n_missed = heartbeat::missed_runs(&self.rules, &self.state, now);
        if n_missed > 1 && matches!(reason, DownReason::Missed | DownReason::NeverSeen) {
            text.push_str(&format!("; {n_missed} runs were missed"));
        }
        if let Some(run) = heartbeat::blocking_run(seen) {
            let which = run.run.as_ref().map_or_else(|| "a run".to_owned(), |run| format!("run `{run}`"));
            text.push_str(&format!("; {which} is still open since {}", run.started.rfc3339()));
        }
        if let Some(hint) = heartbeat::zone_hint(&self.rules, &self.state) {
            text.push_str(&format!("; {}", zone_words(hint)));
        }
        if self.is_doubtful(reason) {
            let names = self.unheard.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("; {names} could have received it and was not heard"));
        }
        Failure::Heartbeat { code: crate::model::result::code_of(reason.code()), text }
    }

    /// Whether a node that was not heard may have received what is missing.
    fn is_doubtful(&self, reason: &DownReason) -> bool {
        !self.unheard.is_empty() && reason.is_silence()
    }

    /// Whether it is called down although nobody can be sure of it.
    pub(super) fn is_perhaps_well(&self) -> bool {
        self.state.open.as_ref().is_some_and(|open| self.is_doubtful(&open.reason))
    }

    fn failed_words(&self) -> String {
        let status = self.last_fail.exit.filter(|status| *status != 0).map(|status| format!(" with exit status {status}"));
        let status = status.unwrap_or_default();
        match self.rules.failures {
            0 | 1 => format!("the job says that it failed{status}"),
            n => format!("the job says that it failed, {n} times in a row{status}"),
        }
    }
}

/// "Wrong time zone?", in words.
pub(crate) fn zone_words(hint: ZoneHint) -> String {
    let n = hint.hours.unsigned_abs();
    let (hours, side) = (if n == 1 { "hour" } else { "hours" }, if hint.hours < 0 { "before" } else { "after" });
    let utc = if hint.is_utc { ", as if the schedule were in UTC" } else { "" };
    format!("runs begin {n} {hours} {side} each expected time{utc}: is `timezone` right?")
}

/// Since when a heartbeat that returns to the config was away.
pub(super) fn gone_since(state: &HeartbeatState) -> Option<UnixMillis> {
    state.windows.iter().find(|window| window.to == FAR).map(|window| window.from)
}

/// The one message about a time in which pings could not come in.
pub(super) fn blind_notice((from, to): (UnixMillis, UnixMillis), names: Vec<&str>) -> Notice {
    let n = names.len();
    let mut listed = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if n > NAMES_MAX {
        listed.push_str(&format!(" and {} more", n - NAMES_MAX));
    }
    Notice {
        about: "blind-window".into(),
        title: "pings could not be received for a while".to_owned(),
        text: format!(
            "From {} to {} no pings could be received here. Nothing is concluded from their absence in that time; the next ones are \
             waited for of {listed}.",
            from.rfc3339(),
            to.rfc3339()
        ),
    }
}
