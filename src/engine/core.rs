//! The part that decides: `apply(event, now) -> commands`, synchronous, without I/O and without a clock.
//!
//! Invariants: an incident is open exactly while its lane's epoch is odd; epochs never decrease, also when a monitor leaves the
//! config and returns; whatever people are to be told is in the same [`StateChange`] as the state that made it true.

mod absence;
mod guard;
mod machine;
mod reload;
mod settle;
mod view;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::engine::core::absence::Stalls;
use crate::engine::core::guard::Guard;
use crate::engine::core::machine::Machine;
use crate::engine::event::Command;
use crate::engine::event::Event;
use crate::engine::event::Notice;
use crate::engine::event::RequestId;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::engine::snapshot::ReloadView;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::result::RecentResults;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::rules::schedule;

/// The shell sends a tick at least this often, so that a longer silence means that the program did not run.
pub const TICK_MAX: Duration = Duration::from_millis(500);

/// What the core begins with.
#[derive(Debug)]
pub struct Beginning {
    /// Part of every incident id; keeps installations apart.
    pub cluster: String,
    /// The active config.
    pub config: Arc<Config>,
    /// How it came to be.
    pub reload: Arc<ReloadView>,
    /// What the last run left.
    pub states: Vec<MonitorState>,
    /// Its open incidents.
    pub incidents: Vec<Incident>,
    /// Its newest results.
    pub recent: RecentResults,
    /// When it last lived.
    pub last_alive: Option<UnixMillis>,
}

/// The live state.
#[derive(Debug)]
pub struct Core {
    cluster: String,
    config: Arc<Config>,
    reload: Arc<ReloadView>,
    started_at: UnixMillis,
    machines: BTreeMap<MonitorId, Machine>,
    /// Open incidents of the last run, until their monitors are added; empty afterwards.
    left: BTreeMap<MonitorId, Vec<Incident>>,
    /// States of monitors that left the config: their epochs must go on where they stopped, should they return.
    retired: BTreeMap<MonitorId, MonitorState>,
    due: BTreeSet<(Mono, MonitorId)>,
    guard: Guard,
    stalls: Stalls,
    last: Now,
    n_checks: u64,
    revision: u64,
    is_dirty: bool,
}

impl Core {
    /// The core at the start of the program, and what is to be done first.
    #[must_use]
    pub fn new(beginning: Beginning, now: Now) -> (Core, Vec<Command>) {
        let mut core = Core {
            cluster: beginning.cluster,
            config: Arc::clone(&beginning.config),
            reload: beginning.reload,
            started_at: now.wall,
            machines: BTreeMap::new(),
            left: by_monitor(beginning.incidents),
            retired: beginning.states.into_iter().map(|state| (state.monitor.clone(), state)).collect(),
            due: BTreeSet::new(),
            guard: Guard::default(),
            stalls: Stalls::default(),
            last: now,
            n_checks: 0,
            revision: 0,
            is_dirty: true,
        };
        let mut change = StateChange::default();
        core.adopt(beginning.config, now, &mut change);
        core.bury_what_is_left(now, &mut change);
        core.remember(beginning.recent);
        if let Some(last_alive) = beginning.last_alive {
            core.absent_since(last_alive, now, &mut change);
        }
        let mut commands = Vec::new();
        push_commit(&mut commands, change, None);
        (core, commands)
    }

    /// Applies one event. Nothing can interleave.
    pub fn apply(&mut self, event: Event, now: Now) -> Vec<Command> {
        let mut commands = Vec::new();
        self.pass_time(now, &mut commands);
        match event {
            Event::Observed(observed) => self.observed(observed, now, &mut commands),
            Event::ControlsDone(round) => self.controls_done(round, now, &mut commands),
            Event::ConfigChanged { config, reload } => {
                let mut change = StateChange::default();
                self.reload = reload;
                self.adopt(config, now, &mut change);
                push_commit(&mut commands, change, None);
                self.release_held(now, &mut commands);
                self.is_dirty = true;
            }
            Event::ReloadJudged(reload) => {
                self.reload = reload;
                self.is_dirty = true;
            }
            Event::Asked { operation, request } => self.asked(&operation, request, now, &mut commands),
            Event::Notice(notice) => {
                let change = StateChange { notifications: self.notifications_of(&notice, now), ..StateChange::default() };
                push_commit(&mut commands, change, None);
            }
            Event::StoreReplaced => push_commit(&mut commands, self.everything(), None),
            Event::Tick => {}
        }
        self.start_due_checks(now, &mut commands);
        self.ask_controls_if_due(now, &mut commands);
        commands
    }

    /// When the next tick is due at the latest.
    #[must_use]
    pub fn deadline(&self) -> Mono {
        let latest = self.last.mono + TICK_MAX;
        // While the clock is wrong nothing is started, however long it has been due.
        let due = self.due.first().filter(|_| !absence::is_implausible(self.last.wall));
        let check = due.map_or(latest, |(due, _)| *due);
        latest.min(check).min(self.guard.next_round().unwrap_or(latest))
    }

    fn start_due_checks(&mut self, now: Now, commands: &mut Vec<Command>) {
        if absence::is_implausible(now.wall) {
            return;
        }
        while let Some((due, _)) = self.due.first()
            && *due <= now.mono
        {
            let Some((due, id)) = self.due.pop_first() else { return };
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            if let Some(number) = machine.begin(due, now, self.n_checks + 1) {
                self.n_checks = number;
                commands.push(Command::Check { number, monitor: Arc::clone(&machine.monitor) });
            }
            self.due.extend(machine.due.map(|next| (next, id)));
        }
    }

    fn reschedule(&mut self, id: &MonitorId, due: Option<Mono>) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.due != due {
            if let Some(old) = machine.due {
                self.due.remove(&(old, id.clone()));
            }
            machine.due = due;
            self.due.extend(due.map(|due| (due, id.clone())));
        }
    }

    fn asked(&mut self, operation: &Operation, request: RequestId, now: Now, commands: &mut Vec<Command>) {
        let (Operation::Pause(id) | Operation::Resume(id) | Operation::CheckNow(id)) = operation;
        let answer = self.operate(operation, id, now);
        self.is_dirty = true;
        match answer {
            Ok(change) if change.is_empty() => commands.push(Command::Answer { request, answer: Ok(()) }),
            Ok(change) => push_commit(commands, change, Some(request)),
            Err(refused) => commands.push(Command::Answer { request, answer: Err(refused) }),
        }
    }

    fn operate(&mut self, operation: &Operation, id: &MonitorId, now: Now) -> Result<StateChange, Refused> {
        let machine = self.machines.get_mut(id).ok_or_else(|| Refused::NoSuchMonitor(id.clone()))?;
        let is_paused = machine.state.paused_at.is_some();
        if !machine.monitor.enabled {
            return Err(Refused::NotNow(format!("`{id}` is switched off by `enabled: false` in the config")));
        }
        match operation {
            Operation::Pause(_) if is_paused => Err(Refused::NotNow(format!("`{id}` is paused already"))),
            Operation::Pause(_) => {
                machine.state.paused_at = Some(now.wall);
                Ok(self.pause(id, now))
            }
            Operation::Resume(_) if !is_paused => Err(Refused::NotNow(format!("`{id}` is not paused"))),
            Operation::Resume(_) => {
                machine.state.paused_at = None;
                Ok(self.unpause(id, now))
            }
            Operation::CheckNow(_) if is_paused => Err(Refused::NotNow(format!("`{id}` is paused; resume it first"))),
            Operation::CheckNow(_) if machine.due.is_none() => Err(Refused::NotNow(format!("`{id}` is not checked from this region"))),
            Operation::CheckNow(_) => {
                self.reschedule(id, Some(now.mono));
                Ok(StateChange::default())
            }
        }
    }

    /// All that a restart must find, for a database that had to begin anew.
    fn everything(&self) -> StateChange {
        StateChange {
            states: self.machines.values().map(|machine| machine.state.clone()).chain(self.retired.values().cloned()).collect(),
            opened: self.machines.values().flat_map(|machine| machine.incidents.iter().cloned()).collect(),
            verdicts: self
                .machines
                .values()
                .map(|machine| VerdictChange {
                    monitor: machine.state.monitor.clone(),
                    at: machine.state.verdict_since,
                    verdict: machine.state.verdict,
                })
                .collect(),
            ..StateChange::default()
        }
    }

    fn notifications_of(&self, notice: &Notice, now: Now) -> Vec<Notification> {
        let hears = |name: &&crate::model::id::ChannelName| {
            self.config.channels.get(*name).is_some_and(|channel| channel.on.contains(&EventKind::SelfNotice))
        };
        self.config
            .self_channels
            .iter()
            .filter(hears)
            .map(|channel| Notification {
                key: crate::consensus::identity::self_notice_key(&self.cluster, notice.about, now.wall.0, channel),
                channel: channel.clone(),
                event: EventKind::SelfNotice,
                at: now.wall,
                subject: Subject::SelfNotice { title: notice.title.clone(), text: notice.text.clone() },
            })
            .collect()
    }

    fn first_check(id: &MonitorId, interval: Duration, now: Now) -> Mono {
        schedule::first(id, interval, now.mono)
    }
}

fn by_monitor(incidents: Vec<Incident>) -> BTreeMap<MonitorId, Vec<Incident>> {
    let mut sorted: BTreeMap<MonitorId, Vec<Incident>> = BTreeMap::new();
    for incident in incidents {
        sorted.entry(incident.monitor.clone()).or_default().push(incident);
    }
    sorted
}

fn push_commit(commands: &mut Vec<Command>, change: StateChange, request: Option<RequestId>) {
    if !change.is_empty() {
        commands.push(Command::Commit { change, answers: request.into_iter().collect() });
    }
}

#[cfg(test)]
mod tests;
