//! Time in which this program did not run: a restart, a suspended machine, a frozen process. Nothing is blamed for it on targets.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::event::Command;
use crate::model::change::StateChange;
use crate::model::change::Streak;
use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Input;
use crate::rules::opinion;

/// A silence this long is a stall: ticks come twice a second.
const STALL_MIN: Duration = Duration::from_secs(1);

/// After a stall this long everything is overdue at once, so checks are spread again as after a start.
const ABSENCE_MIN: Duration = Duration::from_secs(10);

/// History says "unknown" for an absence that is longer than this and than two intervals; a quick restart leaves no gap.
const GAP_MIN: Duration = Duration::from_secs(60);

/// A wall clock that moved this much more or less than the monotonic one was set.
const STEP_MIN: Duration = Duration::from_secs(2);

/// 2026-01-01T00:00:00Z: before this was written no clock was right. A small computer without a battery starts in 1970.
const PLAUSIBLE: UnixMillis = UnixMillis(1_767_225_600_000);

/// Whether the wall clock cannot be right.
pub(super) fn is_implausible(wall: UnixMillis) -> bool {
    wall < PLAUSIBLE
}

/// When the program did not get to run, for the last minutes.
#[derive(Debug, Default)]
pub(super) struct Stalls(VecDeque<(Mono, Mono)>);

/// Stalls that are kept: the longest check may take minutes, and a starved machine stalls once a second.
const STALLS_MAX: usize = 256;

impl Stalls {
    fn note(&mut self, from: Mono, to: Mono) {
        if self.0.len() == STALLS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((from, to));
    }

    /// How long the program did not run since `began`.
    pub(super) fn since(&self, began: Mono) -> Duration {
        self.0.iter().map(|(from, to)| to.since((*from).max(began))).sum()
    }
}

impl Core {
    /// Tells heartbeats of a clock that was set, and of time in which nothing could be received.
    pub(super) fn notice_jumps(&mut self, now: Now, commands: &mut Vec<Command>) {
        let at = self.beat_now(now);
        if is_implausible(now.wall) {
            self.beats.last.get_or_insert((at, now.mono));
            return;
        }
        let Some((before, mono)) = self.beats.last.replace((at, now.mono)) else { return };
        let passed = now.mono.since(mono);
        let moved_ms = at.0.saturating_sub(before.0);
        let step_ms = moved_ms.saturating_sub(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX));
        let least = i64::try_from(STEP_MIN.as_millis()).unwrap_or(i64::MAX);
        let mut change = StateChange::default();
        if step_ms < -least {
            let by = Duration::from_millis(step_ms.unsigned_abs());
            let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
            for id in ids {
                self.feed(&id, Input::SetBack(by), now, &mut change);
            }
        } else if least < step_ms || STEP_MIN < passed {
            self.blinded(before, now, &mut change);
        }
        self.commit(commands, change, None);
    }

    /// Compares how far the clocks have moved since the last event with how far they should have.
    pub(super) fn pass_time(&mut self, now: Now, commands: &mut Vec<Command>) {
        let before = std::mem::replace(&mut self.last, now);
        let passed = now.mono.since(before.mono);
        let wall_ms = now.wall.0.saturating_sub(before.wall.0);
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let step_ms = wall_ms.saturating_sub(passed_ms);
        if step_ms.unsigned_abs() > STEP_MIN.as_millis() as u64 {
            let by = spoken(Duration::from_millis(step_ms.unsigned_abs()));
            let direction = if step_ms > 0 { "forward" } else { "back" };
            commands.push(Command::Note(format!("the clock of this machine was set {direction} by {by}; intervals are not affected")));
            self.tell_clock_set(step_ms, (before, now), commands);
        }
        if is_implausible(now.wall) != is_implausible(before.wall) || (is_implausible(now.wall) && now.wall == self.started_at) {
            let text =
                if is_implausible(now.wall) { "says a year that cannot be right; no checks until it is set" } else { "is right now" };
            commands.push(Command::Note(format!("the clock of this machine {text}")));
        }
        if passed < STALL_MIN {
            return;
        }
        self.stalls.note(before.mono, now.mono);
        if passed < ABSENCE_MIN {
            return;
        }
        commands.push(Command::Note(format!("this program did not run for {}; checks are spread again", spoken(passed))));
        let mut change = StateChange::default();
        self.absent_since(now.wall.minus(passed), now, &mut change);
        self.commit(commands, change, None);
        let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
        for id in ids {
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            if machine.due.is_some() {
                machine.grid = None;
                let due = Core::first_check(&id, machine.monitor.interval, now);
                self.reschedule(&id, Some(due));
            }
        }
    }

    /// Notes that nothing was seen since `since`. Where that is too long to be bridged, nothing is held any more: the verdict is
    /// unknown from then on, incidents stay open, and the next checks decide anew.
    pub(super) fn absent_since(&mut self, since: UnixMillis, now: Now, change: &mut StateChange) {
        let absent = now.wall.since(since);
        for (id, machine) in &mut self.machines {
            if !machine.is_active() || absent <= GAP_MIN.max(machine.monitor.interval * 2) {
                continue;
            }
            machine.view = None;
            machine.unseen_since = Some(now.wall);
            let state = &mut machine.state;
            let has_opinion = !matches!(state.opinion.state, OpinionState::Unknown | OpinionState::Paused);
            if has_opinion {
                state.opinion = opinion::unknown(since);
            }
            state.streak = Streak::default();
            // In maintenance nothing is expected of it; only what came after that is unknown.
            let in_maintenance = state.verdict == Verdict::Maintenance;
            let closed = machine.upkeep.as_ref().map(|open| open.span.to).or(machine.upkept_until).filter(|_| in_maintenance);
            let is_open = machine.upkeep.as_ref().is_some_and(|open| in_maintenance && now.wall < open.span.to);
            if !matches!(state.verdict, Verdict::Unknown | Verdict::Paused) && !is_open {
                let at = since.max(state.verdict_since).max(closed.unwrap_or(since)).min(now.wall.max(state.verdict_since));
                state.verdict = Verdict::Unknown;
                state.verdict_since = at;
                change.verdicts.push(VerdictChange { monitor: id.clone(), at, verdict: Verdict::Unknown });
            }
            if has_opinion {
                change.states.push(state.clone());
            }
        }
        self.is_dirty = true;
    }
}
