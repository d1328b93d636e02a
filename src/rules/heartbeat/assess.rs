//! What the pings mean at a moment: up, late or down, since when and why, and when that changes next.
//!
//! Only a success heals. So everything is looked at from the last success on: deadlines that were over before something finished,
//! failures in a row, runs that took too long. The one that was decided first is why it is down.

use std::time::Duration;

use crate::model::heartbeat::DownReason;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatState;
use crate::model::heartbeat::Resume;
use crate::model::heartbeat::Window;
use crate::model::heartbeat::WindowKind;
use crate::model::schedule::Schedule;
use crate::model::time::UnixMillis;
use crate::rules::heartbeat::runs::Finish;
use crate::rules::heartbeat::runs::Spell;
use crate::rules::heartbeat::runs::Story;
use crate::rules::heartbeat::runs::story;
use crate::rules::heartbeat::slots::Anchor;
use crate::rules::heartbeat::slots::Due;
use crate::rules::heartbeat::slots::due;
use crate::rules::heartbeat::slots::n_over;
use crate::rules::heartbeat::slots::over;

/// What a heartbeat is at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// In a word.
    pub phase: Phase,
    /// Why it is down; by silence it may be only overdue, as long as that is not believed.
    pub down: Option<Down>,
    /// When the next finish is expected; `None`: none is.
    pub expected: Option<UnixMillis>,
    /// When its time is over, or that of the start that is waited for.
    pub deadline: Option<UnixMillis>,
    /// When any of this changes by itself; `None`: never.
    pub next_change: Option<UnixMillis>,
    /// Runs that are open, oldest first.
    pub running: Vec<Spell>,
    /// Failures in a row that count.
    pub n_fails: u32,
    /// The last success that counts.
    pub last_success: Option<UnixMillis>,
    /// The last success took suspiciously little: when it came, and how little.
    pub too_fast: Option<(UnixMillis, Duration)>,
    /// Failing is expected just now.
    pub is_maintenance: bool,
}

/// A heartbeat in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// No run has finished yet.
    Waiting,
    /// All is well.
    Up,
    /// A finish is expected and may still come.
    Late,
    /// It is down.
    Down,
    /// Nothing is expected of it.
    Paused,
}

/// Why it is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Since when.
    pub since: UnixMillis,
    /// Why.
    pub reason: DownReason,
    /// A ping that became known now would have to be at least this new to change it.
    pub not_before: UnixMillis,
}

/// From when pings count, and from when the first one is waited for; `None`: it is paused.
struct Standing {
    floor: UnixMillis,
    origin: UnixMillis,
}

/// What is known when everything up to the last finish has been looked at.
struct Walk {
    /// What the next slot is counted from; `None`: nothing is waited for.
    anchor: Option<Anchor>,
    /// It is down for one of these.
    causes: Vec<Cause>,
    n_fails: u32,
}

/// Something that makes it down, and the moment that did; failures in a row are dated at the first and decided by the last of them.
#[derive(Clone)]
struct Cause {
    decided_at: UnixMillis,
    down: Down,
}

impl Cause {
    fn at_once(down: Down) -> Cause {
        Cause { decided_at: down.since, down }
    }

    /// What was decided first counts; at the same moment, a deadline was over before a ping came.
    fn order(&self) -> (UnixMillis, bool) {
        (self.decided_at, !self.down.reason.is_silence())
    }
}

/// Works it out.
#[must_use]
pub fn assess(beat: &Heartbeat, state: &HeartbeatState, now: UnixMillis) -> Assessment {
    let Some(standing) = standing(beat, state) else { return paused(state, now) };
    let story = story(beat, &state.pings, standing.floor);
    let look = Look { beat, windows: &state.windows, story: &story };
    let success = last_success(state, &story, standing.floor);
    let mut walk = look.walk(success, standing.origin);
    let pending = walk.anchor.and_then(|anchor| due(beat, anchor, &state.windows).map(|due| (anchor, due)));
    let limit = pending.map(|(anchor, due)| look.limit(anchor, due));
    let overruns = look.overruns(success.map(|success| success.at()));
    walk.causes.extend(limit.iter().chain(&overruns).cloned().map(Cause::at_once));
    let decided = walk.causes.into_iter().filter(|cause| cause.decided_at <= now);
    let down = decided.min_by_key(Cause::order).map(|cause| cause.down);
    let expected = pending.map(|(_, due)| due.expected);
    let phase = match (&down, walk.anchor) {
        (Some(_), _) => Phase::Down,
        (None, None | Some(Anchor::Origin(_))) => Phase::Waiting,
        (None, Some(Anchor::Finish { .. })) if expected.is_some_and(|expected| expected <= now) => Phase::Late,
        (None, Some(Anchor::Finish { .. })) => Phase::Up,
    };
    let changes = expected.into_iter().chain(limit.iter().chain(&overruns).map(|down| down.since));
    Assessment {
        phase,
        // Only a ping heals, so that nothing is waited for while it is down.
        next_change: if down.is_some() { None } else { changes.filter(|at| now < *at).min() },
        too_fast: if down.is_some() { None } else { look.too_fast() },
        down,
        expected,
        deadline: limit.map(|limit| limit.since),
        running: look.running(),
        n_fails: walk.n_fails,
        last_success: success.map(|success| success.at()),
        is_maintenance: is_maintenance(&state.windows, now),
    }
}

fn paused(state: &HeartbeatState, now: UnixMillis) -> Assessment {
    Assessment {
        phase: Phase::Paused,
        down: None,
        expected: None,
        deadline: None,
        next_change: None,
        running: Vec::new(),
        n_fails: 0,
        last_success: None,
        too_fast: None,
        is_maintenance: is_maintenance(&state.windows, now),
    }
}

/// How many runs were missed at `now`, up to [`crate::rules::calendar::COUNT_MAX`].
#[must_use]
pub fn missed_runs(beat: &Heartbeat, state: &HeartbeatState, now: UnixMillis) -> usize {
    first_due(beat, state).map_or(0, |due| n_over(beat, due, now))
}

/// The first `n` slots whose runs were missed at `now`, oldest first.
#[must_use]
pub fn missed_slots(beat: &Heartbeat, state: &HeartbeatState, now: UnixMillis, n: usize) -> Vec<UnixMillis> {
    first_due(beat, state).map_or_else(Vec::new, |due| over(beat, due, now, n))
}

/// The slot after the last finish.
fn first_due(beat: &Heartbeat, state: &HeartbeatState) -> Option<Due> {
    let standing = standing(beat, state)?;
    let story = story(beat, &state.pings, standing.floor);
    let look = Look { beat, windows: &state.windows, story: &story };
    let walk = look.walk(last_success(state, &story, standing.floor), standing.origin);
    due(beat, walk.anchor?, &state.windows)
}

fn standing(beat: &Heartbeat, state: &HeartbeatState) -> Option<Standing> {
    let Some(pause) = &state.pause else { return Some(Standing { floor: UnixMillis(i64::MIN), origin: state.loaded_at }) };
    let floor = pause.resumed_at.unwrap_or(pause.at);
    match (pause.resumed_at, pause.resume) {
        (Some(resumed_at), _) => Some(Standing { floor, origin: resumed_at.max(state.loaded_at) }),
        // The ping that ended the pause is also what the first deadline counts from.
        (None, Resume::Auto) => story(beat, &state.pings, floor).first.map(|origin| Standing { floor, origin }),
        (None, Resume::Manual) => None,
    }
}

fn last_success(state: &HeartbeatState, story: &Story<'_>, floor: UnixMillis) -> Option<Anchor> {
    let known = story.finishes.iter().rfind(|finish| finish.is_success);
    let known = known.map(|finish| Anchor::Finish { at: finish.stamp.at, began: finish.began });
    let old = state.pings.old_success.as_ref().map(|stamp| Anchor::Finish { at: stamp.at, began: None });
    let old = old.filter(|old| floor <= old.at());
    match (known, old) {
        (Some(known), Some(old)) => Some(if known.at() < old.at() { old } else { known }),
        (known, old) => known.or(old),
    }
}

fn is_maintenance(windows: &[Window], at: UnixMillis) -> bool {
    windows.iter().any(|window| window.kind == WindowKind::Maintenance && window.from <= at && at < window.to)
}

/// Everything that is looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    beat: &'a Heartbeat,
    windows: &'a [Window],
    story: &'a Story<'a>,
}

impl Look<'_> {
    /// Goes from the last success through the failures since.
    fn walk(self, success: Option<Anchor>, origin: UnixMillis) -> Walk {
        let first = match self.beat.first_ping {
            FirstPing::Required => Some(Anchor::Origin(origin)),
            FirstPing::Optional => None,
        };
        let mut walk = Walk { anchor: success.or(first), causes: Vec::new(), n_fails: 0 };
        let mut first_fail = None;
        let since = success.map_or(UnixMillis(i64::MIN), Anchor::at);
        for fail in self.story.finishes.iter().filter(|finish| !finish.is_success && since <= finish.stamp.at) {
            if self.is_before_success(fail) {
                continue;
            }
            let over = walk.anchor.and_then(|anchor| due(self.beat, anchor, self.windows).map(|due| self.limit(anchor, due)));
            walk.causes.extend(over.filter(|limit| limit.since <= fail.stamp.at).map(Cause::at_once));
            walk.anchor = Some(Anchor::Finish { at: fail.stamp.at, began: fail.began });
            if is_maintenance(self.windows, fail.stamp.at) {
                continue;
            }
            walk.n_fails += 1;
            let first = *first_fail.get_or_insert(fail.stamp.at);
            if walk.n_fails == self.beat.failures {
                let down = Down { since: first, reason: DownReason::Failed, not_before: fail.stamp.at };
                walk.causes.push(Cause { decided_at: fail.stamp.at, down });
            }
        }
        walk
    }

    /// Among pings of the same millisecond the stamps tell the order.
    fn is_before_success(self, fail: &Finish<'_>) -> bool {
        self.story.finishes.iter().rfind(|finish| finish.is_success).is_some_and(|success| fail.stamp < success.stamp)
    }

    /// When silence after `anchor` makes it down.
    fn limit(self, anchor: Anchor, due: Due) -> Down {
        let is_origin = matches!(anchor, Anchor::Origin(_));
        let not_before = match self.beat.schedule {
            Schedule::Interval(_) => anchor.at() + Duration::from_millis(1),
            Schedule::Timed(_) => due.expected.minus(self.beat.early()),
        };
        if let Some(since) = self.start_limit(not_before, due).filter(|at| *at < due.deadline) {
            return Down { since, reason: DownReason::NotStarted, not_before };
        }
        let is_silent = self.story.first.is_none_or(|first| due.deadline <= first);
        let reason = if is_origin && is_silent { DownReason::NeverSeen } else { DownReason::Missed };
        Down { since: due.deadline, reason, not_before }
    }

    /// When the start that is waited for is overdue; `None`: it came, may have come unheard, or is not waited for.
    fn start_limit(self, not_before: UnixMillis, due: Due) -> Option<UnixMillis> {
        let at = due.expected + self.beat.start_grace?;
        let is_heard = !self.windows.iter().any(|window| window.from <= at && not_before <= window.to);
        let has_come = self.story.spells.iter().any(|spell| not_before <= spell.started && spell.started < at);
        (is_heard && !has_come).then_some(at)
    }

    /// When runs take longer than they may, as far as no success came since.
    fn overruns(self, success: Option<UnixMillis>) -> Vec<Down> {
        let Some(limit) = self.beat.max_runtime() else { return Vec::new() };
        let over = self.story.spells.iter().filter_map(|spell| {
            let lives_at = spell.lives_at.filter(|_| self.beat.keep_alive).unwrap_or(spell.started);
            let since = lives_at + limit;
            let is_over = spell.ended.is_none_or(|(ended, _)| since <= ended) && success.is_none_or(|success| success < since);
            // Its end may have come unheard; what it should have reported is still waited for.
            let is_heard = !self.windows.iter().any(|window| window.from <= since && since <= window.to);
            let reason = DownReason::Overran { run: spell.run.clone(), started: spell.started };
            (is_over && is_heard).then_some(Down { since, reason, not_before: spell.started + Duration::from_millis(1) })
        });
        over.collect()
    }

    fn running(self) -> Vec<Spell> {
        let mut open: Vec<Spell> = self.story.spells.iter().filter(|spell| spell.ended.is_none()).cloned().collect();
        open.sort_by_key(|spell| spell.started);
        open
    }

    fn too_fast(self) -> Option<(UnixMillis, Duration)> {
        let last = self.story.finishes.last().filter(|finish| finish.is_success)?;
        let took = last.stamp.at.since(last.began?);
        (took < self.beat.min_runtime?).then_some((last.stamp.at, took))
    }
}
