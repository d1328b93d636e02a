//! A new config: what did not change is not touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Config;
use crate::consensus::identity;
use crate::engine::core::Core;
use crate::engine::core::machine;
use crate::engine::core::machine::Machine;
use crate::engine::core::settle;
use crate::engine::core::settle::Step;
use crate::engine::snapshot::Recent;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::Streak;
use crate::model::change::VerdictChange;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::monitor::Monitor;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::result::RecentResults;
use crate::model::time::Now;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Input;
use crate::rules::incident::Move;
use crate::rules::opinion;

impl Core {
    /// Makes `config` the active one. Called with the first config too.
    pub(super) fn adopt(&mut self, config: Arc<Config>, now: Now, change: &mut StateChange) {
        self.written = Arc::clone(&config);
        let config = self.with_created(config);
        let wanted: BTreeSet<MonitorId> = config.monitors.iter().map(|monitor| monitor.id.clone()).collect();
        let gone: Vec<MonitorId> = self.machines.keys().filter(|id| !wanted.contains(*id)).cloned().collect();
        for id in gone {
            // Still with the old config: its channels are the ones to be told.
            self.remove(&id, now, change);
        }
        self.config = Arc::clone(&config);
        for monitor in &config.monitors {
            let is_here = monitor.regions.include(&config.instance.region);
            if self.machines.contains_key(&monitor.id) {
                self.alter(monitor, is_here, now, change);
            } else {
                self.add(monitor, is_here, now, change);
            }
        }
        self.relate();
    }

    fn add(&mut self, monitor: &Arc<Monitor>, is_here: bool, now: Now, change: &mut StateChange) {
        let id = monitor.id.clone();
        let hash = crate::config::probe_hash(&monitor.seen_from(self.config.instance.vantage));
        let mut state = match self.retired.remove(&id) {
            Some(known) if known.verdict != Verdict::Unknown || known.opinion.state != OpinionState::Unknown => known,
            Some(known) => MonitorState {
                outage: known.outage,
                degradation: known.degradation,
                regional: known.regional,
                paused_at: known.paused_at,
                told: known.told,
                ..machine::fresh(id.clone(), hash, now.wall)
            },
            None => machine::fresh(id.clone(), hash, now.wall),
        };
        if state.probe_hash != hash {
            state.probe_hash = hash;
            state.streak = Streak::default();
        }
        let mut machine = Machine::new(Arc::clone(monitor), self.config.instance.vantage, state, is_here);
        let left = self.left.remove(&id).unwrap_or_default();
        reconcile(&mut machine, left, now, change);
        self.machines.insert(id.clone(), machine);
        self.fit_beat(&id, now, change);
        self.fit(&id, now, change);
    }

    fn alter(&mut self, monitor: &Arc<Monitor>, is_here: bool, now: Now, change: &mut StateChange) {
        let id = &monitor.id;
        let vantage = self.config.instance.vantage;
        let hash = crate::config::probe_hash(&monitor.seen_from(vantage));
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.monitor == *monitor && machine.is_here == is_here {
            return;
        }
        let is_same_interval = machine.monitor.interval == monitor.interval;
        let was_active = machine.is_active();
        machine.monitor = Arc::clone(monitor);
        machine.probed = monitor.seen_from(vantage);
        machine.hashes = machine::hashes(monitor);
        machine.is_here = is_here;
        machine.view = None;
        let is_same_probe = machine.state.probe_hash == hash;
        if !is_same_probe {
            machine.state.probe_hash = hash;
            machine.state.streak = Streak::default();
            // What is under way looks at the old target.
            machine.await_nothing();
            change.states.push(machine.state.clone());
        }
        self.fit_beat(id, now, change);
        let Some(machine) = self.machines.get_mut(id) else { return };
        if was_active && machine.is_active() && !(is_same_probe && is_same_interval) {
            machine.grid = None;
            let due = Core::first_check(id, monitor.interval, now);
            self.reschedule(id, Some(due));
        }
        self.fit(id, now, change);
    }

    /// Brings the machine in line with whether it is to be active.
    fn fit(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get(id) else { return };
        let is_switched_off = !machine.monitor.enabled || machine.state.paused_at.is_some();
        if is_switched_off {
            if machine.state.opinion.state != OpinionState::Paused {
                change.append(self.pause(id, now));
            }
        } else if machine.state.opinion.state == OpinionState::Paused {
            change.append(self.unpause(id, now));
        } else if !machine.is_here {
            self.reschedule(id, None);
            // Nobody is left who could say that it is over.
            self.close_all(id, CloseReason::Removed, now, change);
            self.decide(id, now, change);
        } else if machine.due.is_none() && machine.beat.is_none() {
            let due = Core::first_check(id, machine.monitor.interval, now);
            self.reschedule(id, Some(due));
        }
    }

    /// Stops checking; open incidents end.
    pub(super) fn pause(&mut self, id: &MonitorId, now: Now) -> StateChange {
        let mut change = StateChange::default();
        self.reschedule(id, None);
        self.feed(id, Input::Pause, now, &mut change);
        if let Some(machine) = self.machines.get_mut(id) {
            machine.await_nothing();
            machine.grid = None;
            machine.state.opinion = Opinion { state: OpinionState::Paused, since: now.wall, failure: None };
            machine.state.streak = Streak::default();
        }
        self.decide(id, now, &mut change);
        change
    }

    /// Checks again, as if it were new.
    pub(super) fn unpause(&mut self, id: &MonitorId, now: Now) -> StateChange {
        let mut change = StateChange::default();
        let Some(machine) = self.machines.get_mut(id) else { return change };
        machine.state.opinion = opinion::unknown(now.wall);
        machine.state.streak = Streak::default();
        machine.grid = None;
        let due = machine.is_active().then(|| Core::first_check(id, machine.monitor.interval, now));
        self.reschedule(id, due);
        self.feed(id, Input::Resume, now, &mut change);
        self.decide(id, now, &mut change);
        change
    }

    fn remove(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        self.reschedule(id, None);
        self.forget_alerts(id, now, change);
        self.close_all(id, CloseReason::Removed, now, change);
        self.retire_beat(id, now, change);
        let Some(machine) = self.machines.remove(id) else { return };
        let mut state = machine.state;
        state.opinion = opinion::unknown(now.wall);
        state.streak = Streak::default();
        state.paused_at = None;
        if state.verdict != Verdict::Unknown {
            state.verdict = Verdict::Unknown;
            state.verdict_since = now.wall.max(state.verdict_since);
            change.verdicts.push(VerdictChange { monitor: id.clone(), at: state.verdict_since, verdict: Verdict::Unknown });
        }
        change.states.retain(|kept| kept.monitor != *id);
        change.states.push(state.clone());
        self.retired.insert(id.clone(), state);
    }

    fn close_all(&mut self, id: &MonitorId, reason: CloseReason, now: Now, change: &mut StateChange) {
        for lane in Lane::ALL {
            if self.machines.get(id).is_some_and(|machine| machine.epochs().of(lane).is_open()) {
                let what = Move::Close(lane, reason);
                let step = Step { what, from_outage: false, detail: self.detail(id, what, now), is_told: true };
                self.carry_out(id, step, now, change);
            }
        }
    }

    /// Ends the incidents of monitors that left the config while nobody was looking.
    pub(super) fn bury_what_is_left(&mut self, now: Now, change: &mut StateChange) {
        for (id, incidents) in std::mem::take(&mut self.left) {
            self.bury(&id, incidents, now, change);
        }
    }

    /// Takes over the newest results of the last run.
    pub(super) fn remember(&mut self, recent: RecentResults) {
        for (id, results) in recent {
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            for result in &results {
                machine.remember(Recent { at: result.at, outcome: result.outcome, took: result.timings.total });
            }
            machine.last = results.into_iter().next_back().map(Arc::new);
        }
    }

    fn bury(&mut self, id: &MonitorId, incidents: Vec<Incident>, now: Now, change: &mut StateChange) {
        let told = self.retired.get_mut(id).map(|state| std::mem::take(&mut state.told)).unwrap_or_default();
        for mut incident in incidents {
            let closed = Closed { at: now.wall.max(incident.opened_at), how: CloseReason::Removed };
            incident.closed = Some(closed);
            change.closed.push((incident.id.clone(), closed));
            let hears =
                |name: &&ChannelName| self.config.channels.get(*name).is_none_or(|channel| channel.on.contains(&EventKind::Recovered));
            for name in told.iter().filter(hears) {
                change.notifications.push(Notification {
                    key: identity::notification_key(&incident.id, EventKind::Recovered, incident.epoch.next(), name),
                    channel: name.clone(),
                    event: EventKind::Recovered,
                    at: now.wall,
                    subject: Subject::Incident(Box::new(settle::facts_of_removed(&incident))),
                    may_be_repeat: false,
                });
            }
        }
        if let Some(state) = self.retired.get_mut(id) {
            for epoch in [&mut state.outage, &mut state.degradation, &mut state.regional] {
                if epoch.is_open() {
                    *epoch = epoch.next();
                }
            }
            state.opinion = opinion::unknown(now.wall);
            state.verdict = Verdict::Unknown;
            state.verdict_since = now.wall.max(state.verdict_since);
            change.verdicts.push(VerdictChange { monitor: id.clone(), at: state.verdict_since, verdict: Verdict::Unknown });
            change.states.push(state.clone());
        }
    }
}

/// Gives a machine the open incidents of the last run. Epochs decide: an incident of another epoch is over, whatever its row says,
/// and an open epoch without an incident (its row was lost) is taken as closed, so that the next outage opens anew and is told.
fn reconcile(machine: &mut Machine, left: Vec<Incident>, now: Now, change: &mut StateChange) {
    for incident in left {
        if machine.epochs().of(incident.lane) == incident.epoch {
            machine.incidents.push(incident);
        } else {
            let closed = Closed { at: now.wall.max(incident.opened_at), how: CloseReason::Superseded };
            change.closed.push((incident.id.clone(), closed));
        }
    }
    for lane in Lane::ALL {
        if machine.epochs().of(lane).is_open() && !machine.incidents.iter().any(|incident| incident.lane == lane) {
            settle::advance(machine, lane);
        }
    }
}
