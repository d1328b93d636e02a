//! "Wrong time zone?": pings that come the same number of whole hours away from every slot.

use std::time::Duration;

use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatState;
use crate::model::schedule::Schedule;
use crate::model::schedule::Timed;
use crate::model::time::UnixMillis;
use crate::rules::calendar::next;
use crate::rules::calendar::previous;
use crate::rules::heartbeat::runs::story;

/// This many of the last successes must agree; two may be chance.
const N_SAME: usize = 3;

/// How far from a whole hour they may be: more than jobs take to begin.
const SLACK_MILLIS: i64 = 5 * 60 * 1000;

const HOUR_MILLIS: i64 = 3_600_000;

/// Slots closer than this cannot tell: something is always a whole number of hours away.
const GAP_MIN: Duration = Duration::from_secs(4 * 3600);

/// What it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneHint {
    /// Runs begin so many hours after each slot; before it when negative. Never 0.
    pub hours: i64,
    /// That is just what they would do if the schedule were in UTC.
    pub is_utc: bool,
}

/// Looks at the last successes; `None`: nothing is strange.
#[must_use]
pub fn zone_hint(beat: &Heartbeat, state: &HeartbeatState) -> Option<ZoneHint> {
    let Schedule::Timed(timed) = &beat.schedule else { return None };
    let story = story(beat, &state.pings, UnixMillis(i64::MIN));
    let begun = story.finishes.iter().filter(|finish| finish.is_success).map(|finish| finish.began.unwrap_or(finish.stamp.at));
    let mut last: Vec<UnixMillis> = begun.collect();
    last.drain(..last.len().checked_sub(N_SAME)?);
    let offsets = last.iter().map(|at| hours_off(timed, *at)).collect::<Option<Vec<(UnixMillis, i64)>>>()?;
    let (_, hours) = *offsets.first()?;
    // Each from a slot of its own: three pings of one run say no more than one.
    let is_same = offsets.iter().all(|(_, other)| *other == hours) && offsets.windows(2).all(|pair| pair[0].0 != pair[1].0);
    if hours == 0 || !is_same {
        return None;
    }
    let is_utc = last.last().is_some_and(|at| utc_offset_hours(timed, *at) == Some(hours));
    Some(ZoneHint { hours, is_utc })
}

/// The slot that a moment is nearest to, and how many whole hours after it, when it is whole hours.
fn hours_off(timed: &Timed, at: UnixMillis) -> Option<(UnixMillis, i64)> {
    let (before, after) = (previous(timed, at)?, next(timed, at)?);
    if after.since(before) < GAP_MIN {
        return None;
    }
    let slot = if after.0 - at.0 < at.0 - before.0 { after } else { before };
    let off = at.0 - slot.0;
    let hours = (off + HOUR_MILLIS / 2).div_euclid(HOUR_MILLIS);
    ((off - hours * HOUR_MILLIS).abs() <= SLACK_MILLIS).then_some((slot, hours))
}

fn utc_offset_hours(timed: &Timed, at: UnixMillis) -> Option<i64> {
    let stamp = jiff::Timestamp::from_millisecond(at.0).ok()?;
    let seconds = i64::from(timed.zone.rules().to_offset(stamp).seconds());
    (seconds % 3600 == 0).then_some(seconds / 3600)
}
