//! What becomes of a heartbeat when the wall clock is set back: what was received by the wrong clock is dated anew.
//!
//! Without this, a ping of a clock that ran an hour ahead would keep the heartbeat up for an hour too long. A clock that is set
//! forward leaves a blind window instead, because what was due in the time that did not pass could not come.

use std::time::Duration;

use crate::model::heartbeat::HeartbeatState;
use crate::model::heartbeat::PingStamp;
use crate::model::time::UnixMillis;

/// Moves what is in the future of `now` back by `by`, and never beyond `now`.
pub(super) fn set_back(mut state: HeartbeatState, by: Duration, now: UnixMillis) -> HeartbeatState {
    let moved = |at: UnixMillis| if now < at { at.minus(by).min(now) } else { at };
    let restamp = |stamp: &mut PingStamp| stamp.at = moved(stamp.at);
    for run in state.pings.runs.values_mut() {
        run.events.iter_mut().for_each(|event| restamp(&mut event.stamp));
        run.events.sort_by(|a, b| a.stamp.cmp(&b.stamp));
        run.lives_at.iter_mut().for_each(restamp);
    }
    state.pings.old_success.iter_mut().for_each(restamp);
    state.pings.old_closing.iter_mut().for_each(restamp);
    state.loaded_at = moved(state.loaded_at);
    state.seen_until = moved(state.seen_until);
    state.too_fast = state.too_fast.map(moved);
    if let Some(open) = &mut state.open {
        open.since = moved(open.since);
    }
    if let Some(pause) = &mut state.pause {
        pause.at = moved(pause.at);
        pause.resumed_at = pause.resumed_at.map(moved);
    }
    // Windows are not moved: those of the past stay where they were recorded, and those ahead were planned by the calendar.
    state
}
