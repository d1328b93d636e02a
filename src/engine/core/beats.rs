//! Heartbeats: pings that come in, time that passes without them, and what follows from both.
//!
//! What a heartbeat is at a moment is worked out in `crate::rules::heartbeat` from the pings that are known. Here they are dated, kept
//! back until they are durable, and fed; what comes out becomes an opinion of this vantage, and from there on a heartbeat is a monitor
//! like any other: votes, verdict, incidents, messages. All times are those of the common clock of the cluster.

mod blind;
mod pings;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::consensus::codec;
use crate::consensus::heartbeat::Missed;
use crate::engine::core::Core;
use crate::engine::core::absence;
use crate::engine::core::beat::Beat;
use crate::engine::core::beats::blind::Blind;
use crate::engine::core::beats::pings::Pending;
use crate::engine::event::Command;
use crate::engine::event::RequestId;
use crate::model::change::StateChange;
use crate::model::heartbeat::WindowKind;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::peer::OperatorAct;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::peer::Watermark;
use crate::model::ping::BeatState;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::rules::heartbeat;
use crate::rules::heartbeat::Belief;
use crate::rules::heartbeat::Effect;
use crate::rules::heartbeat::Input;
use crate::rules::heartbeat::Moment;

/// States that changed without anything having happened are written together this often; a crash in between costs nothing, because
/// the log of pings is written before.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// States that are written together when nothing hurries: pings wait behind them. Whatever is not written yet is in the log of pings.
const SAVED_AT_ONCE_MAX: usize = 500;

/// Whether silence may be believed is asked again this often, while peers are asked what they received.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What an instance that watches alone is called in the stamps of pings.
const ALONE: &str = "local";

/// All heartbeats together.
#[derive(Debug)]
pub(super) struct Beats {
    /// When to look at which; mirrors `Beat::due`.
    pub(super) timers: BTreeSet<(UnixMillis, MonitorId)>,
    /// Those whose silence is not believed yet.
    overdue: BTreeSet<MonitorId>,
    next_look: Mono,
    /// Those whose newest state is not written yet.
    unsaved: BTreeSet<MonitorId>,
    saved_at: Mono,
    /// The last of those that were written; the next in turn are those behind it.
    saved_last: Option<MonitorId>,
    /// States of heartbeats that are not in the config.
    pub(super) left: BTreeMap<MonitorId, BeatState>,
    /// Pings that are being written.
    pending: BTreeMap<RequestId, Pending>,
    /// Sequences of those.
    on_their_way: BTreeSet<u64>,
    /// Sequence of the newest ping.
    sequence: u64,
    /// A watermark that waits until everything that came before it is told, and the sequence of the newest of that.
    held_mark: Option<(Watermark, u64)>,
    /// The common clock at the last event.
    pub(super) last: Option<(UnixMillis, Mono)>,
    /// The time in which nothing could be received, while it is not known whether a peer could.
    pub(super) blind: Option<Blind>,
}

impl Beats {
    /// `last` is the highest sequence that an earlier run gave.
    pub(super) fn new(left: Vec<BeatState>, last: Option<u64>, now: Now) -> Beats {
        // A database that was lost does not know what peers still remember; the clock grows faster than pings come.
        let by_clock = u64::try_from(now.wall.0).unwrap_or(0);
        Beats {
            timers: BTreeSet::new(),
            overdue: BTreeSet::new(),
            next_look: now.mono,
            unsaved: BTreeSet::new(),
            saved_at: now.mono,
            saved_last: None,
            left: left.into_iter().map(|state| (state.heartbeat.clone(), state)).collect(),
            pending: BTreeMap::new(),
            on_their_way: BTreeSet::new(),
            sequence: last.unwrap_or(0).max(by_clock),
            held_mark: None,
            last: None,
            blind: None,
        }
    }

    /// Those whose states are written next; all have their turn, however many change meanwhile.
    fn next_unsaved(&mut self) -> Vec<MonitorId> {
        let (mut next, mut others): (Vec<&MonitorId>, Vec<&MonitorId>) =
            self.unsaved.iter().partition(|id| self.saved_last.as_ref().is_none_or(|last| last < *id));
        next.append(&mut others);
        let next: Vec<MonitorId> = next.into_iter().take(SAVED_AT_ONCE_MAX).cloned().collect();
        self.saved_last = next.last().cloned();
        next
    }

    /// When something is to be looked at, as a time from `now` on.
    fn wait(&self, now: UnixMillis, mono: Mono) -> Option<Mono> {
        let timer = self.timers.first().map(|(due, _)| mono + due.since(now));
        let look = (!self.overdue.is_empty()).then_some(self.next_look);
        let save = (!self.unsaved.is_empty()).then(|| self.saved_at + SAVE_EVERY);
        [timer, look, save].into_iter().flatten().min()
    }
}

impl Core {
    /// The time by which heartbeats are judged.
    pub(super) fn beat_now(&self, now: Now) -> UnixMillis {
        self.cluster.as_ref().map_or(now.wall, |cluster| cluster.common(now.wall))
    }

    /// A time of the common clock by this node's own.
    fn by_own_clock(&self, at: UnixMillis, now: Now) -> UnixMillis {
        UnixMillis(at.0.saturating_sub(self.beat_now(now).0.saturating_sub(now.wall.0)))
    }

    fn own_node(&self) -> Option<NodeName> {
        match &self.cluster {
            Some(cluster) => Some(cluster.me().clone()),
            None => NodeName::parse(ALONE).ok(),
        }
    }

    /// Whether time may pass for heartbeats: not while the clock is plainly wrong, and alone not while nothing can be received.
    pub(super) fn beats_run(&self, now: Now) -> bool {
        let is_cut_off = self.cluster.is_none() && self.guard.uplink.lost_since().is_some();
        !absence::is_implausible(now.wall) && !is_cut_off
    }

    /// When heartbeats want to be looked at.
    pub(super) fn beats_deadline(&self) -> Option<Mono> {
        let now = self.last;
        if !self.beats_run(now) {
            return None;
        }
        self.beats.wait(self.beat_now(now), now.mono)
    }

    /// Whether silence of this heartbeat may be believed. With peers it has to be asked for.
    fn belief(&self, id: &MonitorId) -> Belief {
        let has_pending = self.machines.get(id).and_then(|machine| machine.beat.as_ref()).is_some_and(|beat| beat.n_pending > 0);
        if self.cluster.is_some() || has_pending { Belief::Unsure } else { Belief::Sure }
    }

    /// Feeds something that happened to a heartbeat.
    pub(super) fn feed(&mut self, id: &MonitorId, input: Input, now: Now, change: &mut StateChange) {
        let moment = Moment { at: self.beat_now(now), belief: self.belief(id) };
        let Some(beat) = self.machines.get_mut(id).and_then(|machine| machine.beat.as_mut()) else { return };
        let effects = beat.feed(input, moment);
        self.follow(id, effects, now, change);
    }

    /// Lets time pass for a heartbeat.
    pub(super) fn look_at(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let moment = Moment { at: self.beat_now(now), belief: self.belief(id) };
        self.look_with(id, moment, now, change);
    }

    fn look_with(&mut self, id: &MonitorId, moment: Moment, now: Now, change: &mut StateChange) {
        let Some(beat) = self.machines.get_mut(id).and_then(|machine| machine.beat.as_mut()) else { return };
        let effects = beat.pass(moment);
        self.follow(id, effects, now, change);
    }

    /// Looks at all heartbeats whose time has come.
    pub(super) fn pass_beats(&mut self, now: Now, commands: &mut Vec<Command>) {
        if !self.beats_run(now) {
            return;
        }
        let at = self.beat_now(now);
        let mut change = StateChange::default();
        while let Some((due, _)) = self.beats.timers.first()
            && *due <= at
        {
            let Some((_, id)) = self.beats.timers.pop_first() else { break };
            if let Some(beat) = self.machines.get_mut(&id).and_then(|machine| machine.beat.as_mut()) {
                beat.due = None;
            }
            self.look_at(&id, now, &mut change);
        }
        self.look_at_overdue(now, &mut change);
        if SAVE_EVERY <= now.mono.since(self.beats.saved_at) {
            self.beats.saved_at = now.mono;
            for id in self.beats.next_unsaved() {
                self.save_beat(&id, &mut change);
            }
        }
        self.commit(commands, change, None);
    }

    /// Asks about those whose silence is not believed yet.
    fn look_at_overdue(&mut self, now: Now, change: &mut StateChange) {
        if self.beats.overdue.is_empty() || now.mono < self.beats.next_look {
            return;
        }
        self.beats.next_look = now.mono + LOOK_EVERY;
        for id in self.beats.overdue.clone() {
            let beat = self.machines.get(&id).and_then(|machine| machine.beat.as_ref());
            let Some(since) = beat.filter(|beat| beat.n_pending == 0).and_then(|beat| beat.overdue_since) else { continue };
            if let Missed::Yes(_, unheard) = self.missed(since, now) {
                if let Some(beat) = self.machines.get_mut(&id).and_then(|machine| machine.beat.as_mut()) {
                    beat.unheard = unheard;
                }
                let moment = Moment { at: self.beat_now(now), belief: Belief::Sure };
                self.look_with(&id, moment, now, change);
            }
        }
    }

    /// Writes the newest states of all that changed.
    pub(super) fn save_beats(&mut self, change: &mut StateChange) {
        for id in std::mem::take(&mut self.beats.unsaved) {
            self.save_beat(&id, change);
        }
    }

    fn save_beat(&mut self, id: &MonitorId, change: &mut StateChange) {
        self.beats.unsaved.remove(id);
        let Some(beat) = self.machines.get(id).and_then(|machine| machine.beat.as_ref()) else { return };
        change.beats.push(BeatState { heartbeat: id.clone(), state: beat.state.clone(), fed_until: beat.fed_until });
        let Some(cluster) = &self.cluster else { return };
        if let Some(fact) = cluster.pings.get(&(id.clone(), cluster.me().clone())) {
            change.facts.extend(codec::stored(&Record::Ping(fact.clone()), None));
        }
    }

    /// Does what follows from what happened to a heartbeat.
    pub(super) fn follow(&mut self, id: &MonitorId, effects: Vec<Effect>, now: Now, change: &mut StateChange) {
        let at = self.beat_now(now);
        let Some(beat) = self.machines.get_mut(id).and_then(|machine| machine.beat.as_mut()) else { return };
        let is_told = beat.note(&effects, at);
        let before = (beat.seen.phase, beat.seen.expected);
        beat.look(at);
        let has_moved = before != (beat.seen.phase, beat.seen.expected) || !effects.is_empty();
        let is_overdue = heartbeat::is_overdue(&beat.state, &beat.seen);
        let overdue_since = is_overdue.then(|| beat.overdue_since.unwrap_or(now.mono));
        beat.overdue_since = overdue_since;
        let (old, due) = (beat.due, heartbeat::deadline(&beat.rules, &beat.state, at));
        beat.due = due;
        self.beats.timers.extend(due.map(|due| (due, id.clone())));
        if let Some(old) = old.filter(|_| old != due) {
            self.beats.timers.remove(&(old, id.clone()));
        }
        if is_overdue && self.cluster.is_some() {
            self.beats.overdue.insert(id.clone());
        } else {
            self.beats.overdue.remove(id);
        }
        if let Some(machine) = self.machines.get_mut(id) {
            machine.view = None;
        }
        self.is_dirty |= has_moved;
        self.beats.unsaved.insert(id.clone());
        if effects.contains(&Effect::Resumed) {
            self.resumed_by_ping(id, now, change);
        }
        let has_turned = self.hold_opinion(id, now);
        if has_turned {
            self.say_opinion(id);
            let mut turned = StateChange::default();
            self.decide(id, now, &mut turned);
            self.keep_changed_opinion(id, &mut turned);
            change.append(turned);
        }
        if is_told || has_turned {
            self.save_beat(id, change);
        }
    }

    fn keep_changed_opinion(&self, id: &MonitorId, change: &mut StateChange) {
        if let Some(machine) = self.machines.get(id) {
            change.states.retain(|kept| kept.monitor != *id);
            change.states.push(machine.state.clone());
        }
    }

    /// What this vantage holds of a heartbeat; says whether that is something else than before.
    fn hold_opinion(&mut self, id: &MonitorId, now: Now) -> bool {
        let Some(machine) = self.machines.get(id) else { return false };
        let Some(beat) = &machine.beat else { return false };
        if !machine.monitor.enabled || machine.state.paused_at.is_some() || !machine.is_here {
            return false;
        }
        let (state, since, failure) = beat.holds();
        let before = &machine.state.opinion;
        let is_same = match state {
            OpinionState::Up | OpinionState::Unknown => before.state == state,
            OpinionState::Down | OpinionState::Degraded | OpinionState::Suspect | OpinionState::Paused => {
                before.state == state && before.since == self.by_own_clock(since, now)
            }
        };
        // What is overdue and not believed yet changes nothing.
        let waits = heartbeat::is_overdue(&beat.state, &beat.seen);
        if is_same || waits {
            return false;
        }
        let opinion = Opinion { state, since: self.by_own_clock(since, now), failure };
        if let Some(machine) = self.machines.get_mut(id) {
            machine.state.opinion = opinion;
        }
        true
    }

    /// A ping has ended a pause, here and for all.
    fn resumed_by_ping(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.state.paused_at.take().is_none() {
            return;
        }
        if self.cluster.is_some() {
            let done = self.act_for_all(OperatorAct::Pause(id.clone()), Said::Nothing, false, now);
            change.append(done);
        }
        self.is_dirty = true;
    }

    /// Tells a watermark, once everything that came in before it was made is told.
    pub(super) fn tell_watermark(&mut self, made: Option<Watermark>) {
        if let Some(mark) = made {
            self.beats.held_mark = Some((mark, self.beats.sequence));
        }
        let Some((mark, until)) = self.beats.held_mark.take() else { return };
        if self.beats.on_their_way.first().is_some_and(|first| *first <= until) {
            self.beats.held_mark = Some((mark, until));
        } else {
            self.at_once.push(Record::Watermark(mark));
        }
    }

    /// Whether a watermark is held back; no other is made meanwhile.
    pub(super) fn holds_watermark(&self) -> bool {
        self.beats.held_mark.is_some()
    }

    /// A heartbeat joins, or its rules or its kind changed.
    pub(super) fn fit_beat(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let at = self.beat_now(now);
        let left = self.beats.left.remove(id);
        let Some(machine) = self.machines.get_mut(id) else { return };
        let Some(rules) = machine.monitor.heartbeat().map(|spec| Arc::clone(&spec.beat)) else {
            let due = machine.beat.take().and_then(|beat| beat.due);
            self.forget_timers(id, due);
            return;
        };
        match &mut machine.beat {
            Some(beat) if beat.rules == rules => {}
            Some(beat) => {
                beat.rules = rules;
                beat.hush_until = Some(at);
                self.feed(id, Input::Configured, now, change);
            }
            None => {
                let gone_since = left.as_ref().and_then(|left| crate::engine::core::beat::gone_since(&left.state));
                machine.beat = Some(Box::new(Beat::new(rules, left, at)));
                if let Some(from) = gone_since {
                    let window = crate::model::heartbeat::Window { from, to: at, kind: WindowKind::Blind };
                    self.feed(id, Input::Window(window), now, change);
                }
            }
        }
    }

    /// A heartbeat leaves the config; should it return, nothing is held against it for the time in between.
    pub(super) fn retire_beat(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let at = self.beat_now(now);
        let Some(beat) = self.machines.get_mut(id).and_then(|machine| machine.beat.take()) else { return };
        self.forget_timers(id, beat.due);
        let left = BeatState { heartbeat: id.clone(), fed_until: beat.fed_until, state: beat.retire(at) };
        change.beats.push(left.clone());
        self.beats.left.insert(id.clone(), left);
    }

    fn forget_timers(&mut self, id: &MonitorId, due: Option<UnixMillis>) {
        if let Some(due) = due {
            self.beats.timers.remove(&(due, id.clone()));
        }
        self.beats.overdue.remove(id);
        self.beats.unsaved.remove(id);
    }

    /// All states, for a database that had to begin anew.
    pub(super) fn beat_states(&self) -> Vec<BeatState> {
        let live = self.machines.iter().filter_map(|(id, machine)| {
            let beat = machine.beat.as_ref()?;
            Some(BeatState { heartbeat: id.clone(), state: beat.state.clone(), fed_until: beat.fed_until })
        });
        live.chain(self.beats.left.values().cloned()).collect()
    }

    /// Works out all heartbeats at the start, after everything that is known was fed.
    pub(super) fn wake_beats(&mut self, now: Now, change: &mut StateChange) {
        let ids: Vec<MonitorId> = self.machines.iter().filter(|(_, machine)| machine.beat.is_some()).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if self.beats_run(now) {
                self.look_at(&id, now, change);
            } else {
                self.follow(&id, Vec::new(), now, change);
            }
        }
        self.beats.last = Some((self.beat_now(now), now.mono));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_states_have_their_turn_however_many_change() {
        let now = Now { wall: UnixMillis(0), mono: Mono(0) };
        let mut beats = Beats::new(Vec::new(), None, now);
        let all: BTreeSet<MonitorId> = (0..1200).filter_map(|n| MonitorId::parse(&format!("h{n}")).ok()).collect();
        let mut written = BTreeSet::new();
        for _ in 0..3 {
            // All of them change all the time.
            beats.unsaved.clone_from(&all);
            let next = beats.next_unsaved();
            assert_eq!(next.len(), SAVED_AT_ONCE_MAX);
            written.extend(next);
        }
        assert_eq!(written, all);
        beats.unsaved = all.into_iter().take(3).collect();
        assert_eq!(beats.next_unsaved().len(), 3);
        beats.unsaved.clear();
        assert!(beats.next_unsaved().is_empty());
    }
}
