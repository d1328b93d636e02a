//! Which slot a heartbeat is judged by next, and when its time is over.
//!
//! Windows in which silence says nothing move that. When the ping was probably due in one, nobody can tell whether it came: the next
//! slot that can be heard is judged instead. When only the deadline lies in one, it starts anew with the full grace. How late a ping
//! probably comes is taken from the last one: a job that reports twenty minutes after its slot is not affected by our restart at the
//! slot, but by one twenty minutes later.

use std::time::Duration;

use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::Window;
use crate::model::schedule::Schedule;
use crate::model::time::UnixMillis;
use crate::rules::calendar::COUNT_MAX;
use crate::rules::calendar::next;
use crate::rules::calendar::previous;

/// A ping this shortly before we can be reached again is not lost: clients try again after one and two seconds. And one that was due
/// this shortly before we could not be reached any more may have been on its way.
const RETRIED: Duration = Duration::from_secs(2);

/// For short intervals it is at most this part of them.
const RETRIED_SHARE: u32 = 10;

/// What the next slot is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// Nothing came yet; the first slot is strictly later than this.
    Origin(UnixMillis),
    /// A finish.
    Finish {
        /// When.
        at: UnixMillis,
        /// When its run began, if known.
        began: Option<UnixMillis>,
    },
}

impl Anchor {
    pub(super) fn at(self) -> UnixMillis {
        match self {
            Anchor::Origin(at) | Anchor::Finish { at, .. } => at,
        }
    }
}

/// The slot that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Its moment.
    pub(super) expected: UnixMillis,
    /// When it is over.
    pub(super) deadline: UnixMillis,
}

/// The slot that is judged after `anchor`; `None`: the calendar has no more.
pub(super) fn due(beat: &Heartbeat, anchor: Anchor, windows: &[Window]) -> Option<Due> {
    let (mut expected, late_by) = expected(beat, anchor)?;
    let mut deadline = expected + beat.grace;
    let retried = RETRIED.min(beat.schedule.shortest_gap() / RETRIED_SHARE);
    for window in windows.iter().filter(|window| anchor.at() < window.to) {
        let heard_from = window.to.minus(retried);
        let likely = expected + late_by;
        if window.from <= likely + retried && likely < heard_from {
            expected = first_from(beat, expected, heard_from.minus(late_by))?;
            deadline = expected.max(window.to) + beat.grace;
        } else if window.from <= deadline && deadline <= window.to {
            deadline = window.to + beat.grace;
        }
    }
    Some(Due { expected, deadline })
}

/// The next slot, and how long after its slot the ping probably comes.
fn expected(beat: &Heartbeat, anchor: Anchor) -> Option<(UnixMillis, Duration)> {
    let timed = match &beat.schedule {
        Schedule::Interval(every) => return Some((anchor.at() + *every, Duration::ZERO)),
        Schedule::Timed(timed) => timed,
    };
    let slot = next(timed, anchor.at())?;
    let Anchor::Finish { at, began } = anchor else { return Some((slot, Duration::ZERO)) };
    // Early is what begins early: a long run of the slot before that ends just now does not satisfy the next one.
    let is_early = |moment: UnixMillis| slot <= moment + beat.early();
    if is_early(at) && began.is_none_or(is_early) {
        return Some((next(timed, slot)?, Duration::ZERO));
    }
    let late_by = previous(timed, at).map_or(Duration::ZERO, |slot| at.since(slot));
    Some((slot, late_by.min(beat.grace)))
}

/// The first slot after `slot` that is at `from` or later.
fn first_from(beat: &Heartbeat, slot: UnixMillis, from: UnixMillis) -> Option<UnixMillis> {
    match &beat.schedule {
        Schedule::Interval(every) => {
            let length = every.as_millis().max(1);
            let n = from.since(slot).as_millis().div_ceil(length).max(1);
            Some(slot + Duration::from_millis(u64::try_from(n * length).unwrap_or(u64::MAX)))
        }
        Schedule::Timed(timed) => next(timed, slot.max(UnixMillis(from.0.saturating_sub(1)))),
    }
}

/// How many slots from `due` on are over at `now`, up to [`COUNT_MAX`].
pub(super) fn n_over(beat: &Heartbeat, due: Due, now: UnixMillis) -> usize {
    if now < due.deadline {
        return 0;
    }
    let latest = now.minus(beat.grace);
    let later = match &beat.schedule {
        Schedule::Interval(every) => {
            usize::try_from(latest.since(due.expected).as_millis() / every.as_millis().max(1)).unwrap_or(COUNT_MAX)
        }
        Schedule::Timed(timed) => std::iter::successors(next(timed, due.expected), |slot| next(timed, *slot))
            .take_while(|slot| *slot <= latest)
            .take(COUNT_MAX)
            .count(),
    };
    (1 + later).min(COUNT_MAX)
}

/// The first `n` of the slots from `due` on that are over at `now`.
pub(super) fn over(beat: &Heartbeat, due: Due, now: UnixMillis, n: usize) -> Vec<UnixMillis> {
    let step = |slot: &UnixMillis| match &beat.schedule {
        Schedule::Interval(every) => Some(*slot + *every),
        Schedule::Timed(timed) => next(timed, *slot),
    };
    std::iter::successors(Some(due.expected), step).take(n_over(beat, due, now).min(n)).collect()
}
