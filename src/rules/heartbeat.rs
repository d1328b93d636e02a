//! The state machine of a heartbeat: feed an input, let time pass, tell the next deadline.
//!
//! Pings are remembered as a set ([`runs`]), and what they mean at a moment is worked out anew each time ([`assess`]). So nothing can
//! disagree after a restart, a reload, a clock that was set, or pings of other nodes that come late, twice or out of order. What is
//! kept besides is what people were told ([`HeartbeatState::open`]): an effect is the difference between that and what is so now.
//!
//! Deadlines end at their moment: a ping that comes exactly then comes too late, as in healthchecks. What happened is dated at the
//! moment when it happened, not when it was noticed.

use std::time::Duration;

use crate::model::heartbeat::DownReason;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatState;
use crate::model::heartbeat::Open;
use crate::model::heartbeat::Pause;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::Pings;
use crate::model::heartbeat::RunId;
use crate::model::heartbeat::Window;
use crate::model::heartbeat::WindowKind;
use crate::model::time::UnixMillis;

mod assess;
mod classify;
mod clock;
mod hint;
mod runs;
mod slots;
#[cfg(test)]
mod tests;

pub use assess::Assessment;
pub use assess::Down;
pub use assess::Phase;
pub use assess::assess;
pub use assess::missed_runs;
pub use assess::missed_slots;
pub use classify::Method;
pub use classify::Received;
pub use classify::Said;
pub use classify::classify;
pub use hint::ZoneHint;
pub use hint::zone_hint;
pub use runs::Spell;
pub use runs::SpellEnd;
pub use runs::foresee;
pub use runs::spells;

/// Windows that are kept; older ones are before the last ping of any job that still matters.
const WINDOWS_MAX: usize = 8;

/// What happens to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A ping, received here or on another node.
    Ping(Ping),
    /// Someone pauses it.
    Pause,
    /// Someone ends the pause.
    Resume,
    /// Silence in this time says, or will say, nothing. A window of the same kind and beginning is replaced.
    Window(Window),
    /// The clock was set back by so much; set forward, it leaves a blind window instead.
    SetBack(Duration),
    /// The config has changed: what is overdue by it is marked, and nobody is woken.
    Configured,
}

/// When something happens, and whether silence may be believed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub at: UnixMillis,
    /// Whether all who could have received a ping were asked; see `crate::consensus::heartbeat`. Alone: always.
    pub belief: Belief,
}

/// Whether silence may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// Nobody has received what is missing.
    Sure,
    /// Somebody may have. Nothing is concluded from silence; failures count.
    Unsure,
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It is down.
    Opened {
        /// What, and since when.
        open: Open,
        /// Found by a change of the config: shown, not told.
        is_quiet: bool,
    },
    /// It is not down any more.
    Closed {
        /// What was open.
        open: Open,
        /// When it ended.
        at: UnixMillis,
        /// How.
        why: Closing,
        /// Runs that were missed meanwhile, up to [`crate::rules::calendar::COUNT_MAX`].
        n_missed: usize,
    },
    /// A run finished suspiciously fast.
    TooFast {
        /// When it finished.
        at: UnixMillis,
        /// How long it took.
        took: Duration,
    },
    /// A later run did not, or something worse is the matter.
    NotTooFast,
    /// A run finished with this ping.
    Finished {
        /// Which; `None`: one without a name.
        run: Option<RunId>,
        /// How long it took; `None`: its start is not known.
        took: Option<Duration>,
    },
    /// The ping was received before, or repeats the one before it in its run: a client that did not hear the answer.
    Repeated,
    /// The ping has ended the pause.
    Resumed,
    /// A window has moved the deadline.
    Moved {
        /// From here.
        from: UnixMillis,
        /// To here; `None`: nothing more is expected.
        to: Option<UnixMillis>,
    },
}

/// How a time of being down ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// A run worked.
    Recovered,
    /// It was paused.
    Paused,
    /// It was never so: a ping that came in time became known later, or the run said that it goes on.
    Refuted,
    /// By the changed config it is not down.
    Reconfigured,
}

/// A heartbeat of which nothing is known yet.
#[must_use]
pub fn fresh(loaded_at: UnixMillis) -> HeartbeatState {
    HeartbeatState {
        loaded_at,
        pings: Pings::default(),
        pause: None,
        windows: Vec::new(),
        open: None,
        too_fast: None,
        seen_until: loaded_at,
    }
}

/// Feeds an input; returns the next state and what follows.
#[must_use]
pub fn feed(beat: &Heartbeat, state: HeartbeatState, input: Input, moment: Moment) -> (HeartbeatState, Vec<Effect>) {
    match input {
        Input::Ping(ping) => receive(beat, state, ping, moment),
        Input::Pause => pause(beat, state, moment),
        Input::Resume => resume(beat, state, moment),
        Input::Window(window) => open_window(beat, state, window, moment),
        Input::SetBack(by) => pass(beat, clock::set_back(state, by, moment.at), moment),
        Input::Configured => settle(beat, state, moment, Closing::Reconfigured),
    }
}

/// Lets time pass up to a moment.
#[must_use]
pub fn pass(beat: &Heartbeat, state: HeartbeatState, moment: Moment) -> (HeartbeatState, Vec<Effect>) {
    settle(beat, state, moment, Closing::Refuted)
}

/// The next moment at which [`pass`] may find something new; `None` means never.
#[must_use]
pub fn deadline(beat: &Heartbeat, state: &HeartbeatState, now: UnixMillis) -> Option<UnixMillis> {
    assess(beat, state, now).next_change
}

fn receive(beat: &Heartbeat, state: HeartbeatState, ping: Ping, moment: Moment) -> (HeartbeatState, Vec<Effect>) {
    // What was over before the ping came is over, whether or not somebody looked in between. Pings of the past change the past.
    let before = Moment { at: ping.stamp.at.min(moment.at), ..moment };
    let (mut state, mut effects) = if state.seen_until <= before.at { pass(beat, state, before) } else { (state, Vec::new()) };
    let was_paused = assess(beat, &state, moment.at).phase == Phase::Paused;
    let n_missed = if state.open.is_some() { missed_runs(beat, &state, before.at) } else { 0 };
    match runs::insert(beat, &mut state.pings, &ping) {
        runs::Inserted::Known => effects.push(Effect::Repeated),
        runs::Inserted::New if matches!(ping.kind, PingKind::Success | PingKind::Fail) => {
            let took = runs::took(beat, &state.pings, &ping);
            effects.push(Effect::Finished { run: ping.run, took });
        }
        runs::Inserted::New => {}
    }
    if was_paused && assess(beat, &state, moment.at).phase != Phase::Paused {
        effects.push(Effect::Resumed);
    }
    let (state, mut more) = pass(beat, state, moment);
    for effect in &mut more {
        if let Effect::Closed { n_missed: n, .. } = effect {
            *n = n_missed;
        }
    }
    effects.append(&mut more);
    (state, effects)
}

fn pause(beat: &Heartbeat, state: HeartbeatState, moment: Moment) -> (HeartbeatState, Vec<Effect>) {
    let (mut state, mut effects) = pass(beat, state, moment);
    if assess(beat, &state, moment.at).phase != Phase::Paused {
        // A ping of the same millisecond came before it and does not end it.
        let after = runs::newest(&state.pings).map_or(moment.at, |stamp| moment.at.max(stamp.at + Duration::from_millis(1)));
        state.pause = Some(Pause { at: after, resume: beat.resume, resumed_at: None });
    }
    let (state, mut more) = pass(beat, state, moment);
    effects.append(&mut more);
    (state, effects)
}

fn resume(beat: &Heartbeat, mut state: HeartbeatState, moment: Moment) -> (HeartbeatState, Vec<Effect>) {
    if assess(beat, &state, moment.at).phase == Phase::Paused
        && let Some(pause) = &mut state.pause
    {
        pause.resumed_at = Some(moment.at.max(pause.at));
    }
    pass(beat, state, moment)
}

fn open_window(beat: &Heartbeat, mut state: HeartbeatState, window: Window, moment: Moment) -> (HeartbeatState, Vec<Effect>) {
    // Nobody was blind as long as somebody looked: what was found then stays found, however old the last sign of life is.
    let from = match window.kind {
        WindowKind::Blind => window.from.max(state.seen_until + Duration::from_millis(1)),
        WindowKind::Maintenance => window.from,
    };
    let window = Window { from, ..window };
    if window.to <= window.from {
        return pass(beat, state, moment);
    }
    let before = assess(beat, &state, moment.at).deadline;
    state.windows.retain(|known| (known.from, known.kind) != (window.from, window.kind));
    state.windows.push(window);
    state.windows.sort_by_key(|window| (window.from, window.to));
    let n_old = state.windows.len().saturating_sub(WINDOWS_MAX);
    state.windows.drain(..n_old);
    let after = assess(beat, &state, moment.at).deadline;
    let (state, mut effects) = pass(beat, state, moment);
    if let Some(from) = before.filter(|_| before != after) {
        effects.push(Effect::Moved { from, to: after });
    }
    (state, effects)
}

/// Compares what was told with what is so. `otherwise` is how an end that no success explains is called.
fn settle(beat: &Heartbeat, mut state: HeartbeatState, moment: Moment, otherwise: Closing) -> (HeartbeatState, Vec<Effect>) {
    let seen = assess(beat, &state, moment.at);
    let mut effects = Vec::new();
    let is_over = |open: &Open| seen.down.is_none() || open.after < seen.last_success;
    if let Some(open) = state.open.take_if(|open| is_over(open)) {
        let (at, why) = match seen.last_success.filter(|success| open.since <= *success) {
            Some(success) => (success, Closing::Recovered),
            None if seen.phase == Phase::Paused => (moment.at, Closing::Paused),
            None => (moment.at, otherwise),
        };
        effects.push(Effect::Closed { open, at, why, n_missed: 0 });
    }
    if let (None, Some(down)) = (&state.open, &seen.down)
        && (moment.belief == Belief::Sure || !down.reason.is_silence())
    {
        let open = Open { since: down.since, reason: down.reason.clone(), after: seen.last_success };
        state.open = Some(open.clone());
        effects.push(Effect::Opened { open, is_quiet: otherwise == Closing::Reconfigured });
    }
    let fast = seen.too_fast.map(|(at, _)| at);
    if fast != state.too_fast {
        effects.push(seen.too_fast.map_or(Effect::NotTooFast, |(at, took)| Effect::TooFast { at, took }));
        state.too_fast = fast;
    }
    state.seen_until = state.seen_until.max(moment.at);
    (state, effects)
}

/// The word for what is open on a page, when silence was not believed yet: overdue, not down.
#[must_use]
pub fn is_overdue(state: &HeartbeatState, seen: &Assessment) -> bool {
    state.open.is_none() && seen.down.as_ref().is_some_and(|down| down.reason.is_silence())
}

/// Whether a run that is still open may be why later ones are missing: a job that must not overlap waits for it.
#[must_use]
pub fn blocking_run(seen: &Assessment) -> Option<&Spell> {
    let is_missing = seen.down.as_ref().is_some_and(|down| matches!(down.reason, DownReason::Missed | DownReason::NotStarted));
    seen.running.iter().min_by_key(|run| run.started).filter(|_| is_missing)
}
