//! The part that decides: `apply(event, now) -> commands`, synchronous, without I/O and without a clock.
//!
//! Invariants: an incident is open exactly while its lane's epoch is odd; epochs never decrease, also when a monitor leaves the
//! config and returns; whatever people are to be told is in the same [`StateChange`] as the state that made it true.

mod absence;
mod adopt;
mod alerts;
mod beat;
mod beats;
mod certificates;
mod cluster;
mod create;
mod guard;
mod machine;
mod maintenance;
mod news;
pub mod own;
mod reload;
mod settle;
mod texts;
mod together;
mod view;
mod votes;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::engine::core::absence::Stalls;
use crate::engine::core::alerts::Alerts;
use crate::engine::core::beats::Beats;
use crate::engine::core::cluster::Cluster;
use crate::engine::core::guard::Guard;
use crate::engine::core::machine::Machine;
use crate::engine::core::maintenance::Because;
use crate::engine::core::maintenance::Upkeep;
use crate::engine::core::own::Own;
use crate::engine::core::texts::Texts;
use crate::engine::event::Command;
use crate::engine::event::Event;
use crate::engine::event::Notice;
use crate::engine::event::RequestId;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::engine::snapshot::ReloadView;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::peer::OperatorAct;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::ping::BeatState;
use crate::model::ping::PingEntry;
use crate::model::result::RecentResults;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::rules::schedule;
use crate::rules::selfcheck::Kept;
use crate::rules::selfcheck::Topic;

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
    /// What was shared with peers in earlier runs, decoded.
    pub facts: Vec<Record>,
    /// States of heartbeats.
    pub beats: Vec<BeatState>,
    /// Pings of the log that are not in those states.
    pub unfed: Vec<PingEntry>,
    /// The highest sequence of a ping that this node received, and when it last received one.
    pub last_ping: Option<(u64, UnixMillis)>,
    /// Version of the program, for peers.
    pub version: String,
    /// What people know of trouble of this instance itself.
    pub own: Vec<(Topic, Kept)>,
}

/// The live state.
#[derive(Debug)]
pub struct Core {
    /// Part of every incident id.
    cluster_name: String,
    /// The other nodes; `None` when watching alone.
    cluster: Option<Cluster>,
    /// Told to peers once the change under way is durable.
    after_commit: Vec<Record>,
    /// Told to peers as soon as the event is applied.
    at_once: Vec<Record>,
    /// The active config, with what was created besides.
    config: Arc<Config>,
    /// As it is written.
    written: Arc<Config>,
    /// Heartbeats that pings created.
    created: BTreeSet<MonitorId>,
    beats: Beats,
    upkeep: Upkeep,
    alerts: Alerts,
    texts: Texts,
    /// For the log.
    notes: Vec<String>,
    reload: Arc<ReloadView>,
    started_at: UnixMillis,
    machines: BTreeMap<MonitorId, Machine>,
    /// Open incidents of the last run, until their monitors are added; empty afterwards.
    left: BTreeMap<MonitorId, Vec<Incident>>,
    /// States of monitors that left the config: their epochs must go on where they stopped, should they return.
    retired: BTreeMap<MonitorId, MonitorState>,
    due: BTreeSet<(Mono, MonitorId)>,
    guard: Guard,
    own: Own,
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
        let peers = beginning.config.peers.clone();
        let cluster = peers.map(|peers| Cluster::new(peers, &beginning.config, beginning.version, now));
        let mut core = Core {
            cluster_name: beginning.cluster,
            cluster,
            after_commit: Vec::new(),
            at_once: Vec::new(),
            config: Arc::clone(&beginning.config),
            written: Arc::clone(&beginning.config),
            created: create::created(&beginning.facts),
            beats: Beats::new(beginning.beats, beginning.last_ping.map(|(sequence, _)| sequence), now),
            upkeep: Upkeep::default(),
            alerts: Alerts::default(),
            texts: Texts::default(),
            notes: Vec::new(),
            reload: beginning.reload,
            started_at: now.wall,
            machines: BTreeMap::new(),
            left: by_monitor(beginning.incidents),
            retired: beginning.states.into_iter().map(|state| (state.monitor.clone(), state)).collect(),
            due: BTreeSet::new(),
            guard: Guard::default(),
            own: Own::new(beginning.own, now),
            stalls: Stalls::default(),
            last: now,
            n_checks: 0,
            revision: 0,
            is_dirty: true,
        };
        let mut change = StateChange::default();
        core.remember_acts(&beginning.facts);
        core.texts.remember(&beginning.facts);
        core.adopt(beginning.config, now, &mut change);
        core.look_at_windows(now, Because::OfTime);
        core.bury_what_is_left(now, &mut change);
        core.remember(beginning.recent);
        core.replay(beginning.unfed, now, &mut change);
        if let Some(last_alive) = beginning.last_alive {
            core.absent_since(last_alive, now, &mut change);
            // A ping says as well that it lived.
            let from = beginning.last_ping.map_or(last_alive, |(_, at)| last_alive.max(at).min(now.wall.max(last_alive)));
            core.blinded(from, now, &mut change);
        }
        core.join(beginning.facts, beginning.last_alive, now, &mut change);
        core.wake_beats(now, &mut change);
        core.follow_windows(now, &mut change);
        core.remember_alerts(now, &mut change);
        core.look_at_all_alerts(now, &mut change);
        let mut commands = Vec::new();
        core.commit(&mut commands, change, None);
        core.publish(&mut commands);
        (core, commands)
    }

    /// Begins to take part in the cluster, if there is one.
    fn join(&mut self, facts: Vec<Record>, last_alive: Option<UnixMillis>, now: Now, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        // Whatever happened since this node last lived, or ever, others may know.
        cluster.refill_since = Some(last_alive.unwrap_or(UnixMillis(0)));
        cluster.lonely_since = Some(now.wall);
        self.remember_facts(facts, now, change);
        let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
        ids.iter().for_each(|id| self.say_opinion(id));
        self.say_meta();
    }

    /// Applies one event. Nothing can interleave.
    pub fn apply(&mut self, event: Event, now: Now) -> Vec<Command> {
        let mut commands = Vec::new();
        self.pass_time(now, &mut commands);
        self.notice_jumps(now, &mut commands);
        self.pass_beats(now, &mut commands);
        self.pass_windows(now, &mut commands);
        self.pass_alerts(now, &mut commands);
        self.pass_texts(now, &mut commands);
        match event {
            Event::Observed(observed) => self.observed(observed, now, &mut commands),
            Event::ControlsDone(round) => self.controls_done(round, now, &mut commands),
            Event::ConfigChanged { config, reload } => {
                let mut change = StateChange::default();
                self.reload = reload;
                self.adopt(config, now, &mut change);
                self.look_at_windows(now, Because::OfConfig);
                self.follow_windows(now, &mut change);
                self.rejoin(now, &mut change, &mut commands);
                self.look_at_all_alerts(now, &mut change);
                self.commit(&mut commands, change, None);
                self.release_held(now, &mut commands);
                self.is_dirty = true;
            }
            Event::ReloadJudged(reload) => {
                self.reload = reload;
                self.is_dirty = true;
            }
            Event::Asked { operation, request } => self.asked(&operation, request, now, &mut commands),
            Event::Notice(notice) => self.tell_news(&notice, now, &mut commands),
            Event::Seen { topic, trouble } => self.seen(topic, trouble, now, &mut commands),
            Event::StoreReplaced => {
                let everything = self.everything();
                self.commit(&mut commands, everything, None);
            }
            Event::Peers(news) => {
                let mut change = StateChange::default();
                self.heard(news, now, &mut change);
                self.commit(&mut commands, change, None);
            }
            Event::Pinged { arrived, request } => self.ping_arrived(*arrived, request, now, &mut commands),
            Event::PingsKept(kept) => self.pings_kept(kept, now, &mut commands),
            Event::Stopping => {
                self.say_goodbye();
                let mut change = StateChange::default();
                self.save_beats(&mut change);
                self.commit(&mut commands, change, None);
            }
            Event::Tick => {}
        }
        self.keep_company(now, &mut commands);
        self.look_after_itself(now, &mut commands);
        self.start_due_checks(now, &mut commands);
        self.ask_controls_if_due(now, &mut commands);
        self.publish(&mut commands);
        commands
    }

    /// When the next tick is due at the latest.
    #[must_use]
    pub fn deadline(&self) -> Mono {
        let latest = self.last.mono + TICK_MAX;
        // While the clock is wrong nothing is started, however long it has been due.
        let due = self.due.first().filter(|_| !absence::is_implausible(self.last.wall));
        let check = due.map_or(latest, |(due, _)| *due);
        let company = self.cluster.as_ref().map_or(latest, Cluster::deadline);
        let beat = self.beats_deadline().unwrap_or(latest);
        let window = self.windows_deadline().unwrap_or(latest);
        let alert = self.alerts_deadline().unwrap_or(latest);
        latest.min(check).min(self.guard.next_round().unwrap_or(latest)).min(company).min(beat).min(window).min(alert)
    }

    /// The cluster after another config.
    fn rejoin(&mut self, now: Now, change: &mut StateChange, commands: &mut Vec<Command>) {
        let Some(cluster) = &mut self.cluster else { return };
        let known: BTreeSet<MonitorId> = cluster.by_key.values().cloned().collect();
        cluster.configure(&self.config);
        let acts: Vec<_> = cluster.acts.values().cloned().collect();
        let gone: Vec<MonitorId> = known.iter().filter(|id| !self.machines.contains_key(*id)).cloned().collect();
        let has_new = self.machines.keys().any(|id| !known.contains(id));
        gone.iter().for_each(|id| self.unsay_opinion(id));
        for act in acts {
            self.obey(&act, now, change);
        }
        let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
        ids.iter().for_each(|id| self.say_opinion(id));
        self.say_meta();
        self.decide_everything(now, change);
        if has_new {
            commands.push(Command::Replay);
        }
    }

    /// Has a change made durable, and peers told of it afterwards.
    fn commit(&mut self, commands: &mut Vec<Command>, change: StateChange, request: Option<RequestId>) {
        let publish = std::mem::take(&mut self.after_commit);
        if self.texts.take_replay() {
            commands.push(Command::Replay);
        }
        if !change.is_empty() || !publish.is_empty() {
            commands.push(Command::Commit { change, answers: request.into_iter().collect(), publish });
        }
    }

    fn publish(&mut self, commands: &mut Vec<Command>) {
        commands.extend(self.notes.drain(..).map(Command::Note));
        if !self.at_once.is_empty() {
            commands.push(Command::Publish(std::mem::take(&mut self.at_once)));
        }
    }

    fn start_due_checks(&mut self, now: Now, commands: &mut Vec<Command>) {
        if absence::is_implausible(now.wall) {
            return;
        }
        while let Some((due, _)) = self.due.first()
            && *due <= now.mono
        {
            let slot = self.due.first().map(|(_, id)| self.slot(id)).unwrap_or_default();
            let Some((due, id)) = self.due.pop_first() else { return };
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            if let Some(number) = machine.begin(due, now, self.n_checks + 1, slot) {
                self.n_checks = number;
                commands.push(Command::Check { number, monitor: Arc::clone(&machine.probed) });
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
        let answer = match operation {
            Operation::Pause(id) => self.ask_to_pause(id, now),
            Operation::Resume(id) => self.ask_to_resume(id, now),
            Operation::CheckNow(id) => self.check_now(id, now),
            Operation::Forget(node) => self.forget_for_all(node, now),
            Operation::Create(id) => self.create_for_all(id, now),
            Operation::Acknowledge(incident, acknowledgement) => self.acknowledge(incident, acknowledgement, now),
            Operation::Withdraw(incident) => self.withdraw(incident, now),
            Operation::Silence(id, silence) => self.silence(id, silence, now),
            Operation::EndSilence(id) => self.end_silence(id, now),
            Operation::Post(about, id, update) => self.post(about, id, update, now),
            Operation::Unpost(about, id) => self.unpost(about, id, now),
            Operation::WritePostmortem(incident, postmortem) => self.write_postmortem(incident, postmortem, now),
            Operation::Announce(id, announced, first, update) => self.announce(id, announced, (first, update), now),
        };
        self.is_dirty = true;
        match answer {
            Ok(change) if change.is_empty() => commands.push(Command::Answer { request, answer: Ok(()) }),
            Ok(change) => self.commit(commands, change, Some(request)),
            Err(refused) => commands.push(Command::Answer { request, answer: Err(refused) }),
        }
    }

    /// The monitor that an operator means, and whether it is paused.
    fn operated(&mut self, id: &MonitorId) -> Result<(&mut Machine, bool), Refused> {
        let machine = self.machines.get_mut(id).ok_or_else(|| Refused::NoSuchMonitor(id.clone()))?;
        if !machine.monitor.enabled {
            return Err(Refused::NotNow(format!("`{id}` is switched off by `enabled: false` in the config")));
        }
        let is_paused = machine.state.paused_at.is_some();
        Ok((machine, is_paused))
    }

    fn ask_to_pause(&mut self, id: &MonitorId, now: Now) -> Result<StateChange, Refused> {
        let is_together = self.cluster.is_some();
        match self.operated(id)? {
            (_, true) => Err(Refused::NotNow(format!("`{id}` is paused already"))),
            _ if is_together => Ok(self.act_for_all(OperatorAct::Pause(id.clone()), Said::Nothing, true, now)),
            (machine, false) => {
                machine.state.paused_at = Some(now.wall);
                Ok(self.pause(id, now))
            }
        }
    }

    fn ask_to_resume(&mut self, id: &MonitorId, now: Now) -> Result<StateChange, Refused> {
        let is_together = self.cluster.is_some();
        match self.operated(id)? {
            (_, false) => Err(Refused::NotNow(format!("`{id}` is not paused"))),
            _ if is_together => Ok(self.act_for_all(OperatorAct::Pause(id.clone()), Said::Nothing, false, now)),
            (machine, true) => {
                machine.state.paused_at = None;
                Ok(self.unpause(id, now))
            }
        }
    }

    fn check_now(&mut self, id: &MonitorId, now: Now) -> Result<StateChange, Refused> {
        match self.operated(id)? {
            (_, true) => Err(Refused::NotNow(format!("`{id}` is paused; resume it first"))),
            (machine, _) if machine.beat.is_some() => {
                Err(Refused::NotNow(format!("`{id}` is a heartbeat: it is not checked, it reports by itself")))
            }
            (machine, _) if machine.due.is_none() => Err(Refused::NotNow(format!("`{id}` is not checked from this region"))),
            _ => {
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
            facts: self.facts_kept().into_iter().chain(self.own.facts()).collect(),
            beats: self.beat_states(),
            ..StateChange::default()
        }
    }

    fn facts_kept(&self) -> Vec<StoredFact> {
        let Some(cluster) = &self.cluster else { return [self.created_facts(), self.acts_kept(), self.texts.kept()].concat() };
        let epochs = cluster.epochs.values().map(|fact| Record::Epoch(Box::new(fact.clone())));
        let pings = cluster.pings.values().map(|fact| Record::Ping(fact.clone()));
        let acts = cluster.acts.values().map(|fact| Record::Operator(fact.clone()));
        let gone = cluster.forgotten.iter().map(|node| Record::Forgotten(node.clone()));
        epochs.chain(pings).chain(acts).chain(gone).filter_map(|record| crate::consensus::codec::stored(&record, None)).collect()
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
                key: crate::consensus::identity::self_notice_key(&self.notice_scope(), &notice.about, now.wall.0, channel),
                channel: channel.clone(),
                event: EventKind::SelfNotice,
                at: now.wall,
                subject: Subject::SelfNotice { title: notice.title.clone(), text: notice.text.clone() },
                may_be_repeat: false,
            })
            .collect()
    }

    /// Notices are each node's own: two that say the same at the same time are two.
    fn notice_scope(&self) -> String {
        match &self.cluster {
            None => self.cluster_name.clone(),
            Some(cluster) => format!("{}/{}", self.cluster_name, cluster.me()),
        }
    }

    fn first_check(id: &MonitorId, interval: Duration, now: Now) -> Mono {
        schedule::first(id, interval, now.mono)
    }

    /// This node's place among those that check a monitor, so that their looks are spread over the interval.
    fn slot(&self, id: &MonitorId) -> Option<(usize, usize)> {
        let cluster = self.cluster.as_ref()?;
        let regions = &self.machines.get(id)?.monitor.regions;
        let voters: Vec<_> = cluster.nodes().filter(|node| regions.include(&node.region)).map(|node| &node.name).collect();
        Some((voters.iter().position(|name| *name == cluster.me())?, voters.len()))
    }
}

fn by_monitor(incidents: Vec<Incident>) -> BTreeMap<MonitorId, Vec<Incident>> {
    let mut sorted: BTreeMap<MonitorId, Vec<Incident>> = BTreeMap::new();
    for incident in incidents {
        sorted.entry(incident.monitor.clone()).or_default().push(incident);
    }
    sorted
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_alerts;
#[cfg(test)]
mod tests_beats;
#[cfg(test)]
mod tests_maintenance;
#[cfg(test)]
mod tests_own;
#[cfg(test)]
mod tests_together;
