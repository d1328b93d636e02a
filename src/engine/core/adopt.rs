//! What others recorded: incidents they opened and closed, pauses of operators, pings, nodes that are gone for good.
//!
//! Whatever is taken over becomes durable, is owed to people like one's own, and is told on: a fact must outlive its author.

use std::time::Duration;

use crate::consensus::codec;
use crate::consensus::identity;
use crate::consensus::merge;
use crate::engine::core::Core;
use crate::engine::core::alerts::acts;
use crate::engine::core::settle;
use crate::engine::core::settle::Opening;
use crate::model::change::StateChange;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::peer::Cause;
use crate::model::peer::EpochFact;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::Record;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::rules::incident;
use crate::rules::incident::Move;
use crate::rules::incident::Occasion;

/// What happened longer ago is no news: it is known, and nobody is told. The log of what was sent goes back as far.
pub(super) const NEWS_FOR: Duration = Duration::from_secs(72 * 3600);

impl Core {
    /// Tells peers that a lane has reached its present epoch, as soon as that is durable.
    pub(super) fn say_epoch(&mut self, id: &MonitorId, lane: Lane, now: Now, change: &mut StateChange) {
        let Some((fact, _)) = self.epoch_fact(id, lane, now, change) else { return };
        self.keep_epoch(fact, change);
    }

    /// The fact of a lane's present epoch, as far as this change or the open incidents know it.
    fn epoch_fact(&self, id: &MonitorId, lane: Lane, now: Now, change: &StateChange) -> Option<(EpochFact, Incident)> {
        let cluster = self.cluster.as_ref()?;
        let machine = self.machines.get(id)?;
        let epoch = machine.epochs().of(lane);
        let odd = if epoch.is_open() { epoch } else { Epoch(epoch.0.checked_sub(1)?) };
        let known = cluster.epochs.get(&(id.clone(), lane)).filter(|fact| incident_epoch(fact.epoch) == odd);
        // A change may be about several monitors.
        let is_it = |incident: &&Incident| incident.monitor == *id && incident.lane == lane && incident.epoch == odd;
        let incident = machine.incidents.iter().chain(&change.opened).rev().find(is_it);
        let incident = incident.cloned().or_else(|| known.map(|fact| incident_of(&self.cluster_name, fact)))?;
        let closed = change.closed.iter().rev().find(|(closed, _)| *closed == incident.id).map(|(_, closed)| *closed);
        let closed = if epoch.is_open() { None } else { Some(closed.or(incident.closed)?) };
        let derived = identity::incident_id(&self.cluster_name, id, lane, odd);
        let mut fact = EpochFact {
            monitor: id.clone(),
            incident: (incident.id != derived).then(|| incident.id.clone()),
            lane,
            epoch,
            monitor_name: incident.monitor_name.clone(),
            opened_at: incident.opened_at,
            confirmed_at: incident.confirmed_at,
            closed,
            cause: Cause::of(&incident.cause),
            regions: incident.regions.clone(),
            confidence: incident.confidence,
            diagnosis: incident.diagnosis,
            before: None,
            by: cluster.me().clone(),
            at: cluster.common(now.wall),
        };
        fact.before = cluster.epochs.get(&(id.clone(), lane)).and_then(|known| merge::before(&fact, known));
        Some((fact, incident))
    }

    fn keep_epoch(&mut self, fact: EpochFact, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        let record = Record::Epoch(Box::new(fact.clone()));
        cluster.epochs.insert((fact.monitor.clone(), fact.lane), fact);
        change.facts.extend(codec::stored(&record, None));
        self.after_commit.push(record);
    }

    /// Takes over an epoch that somebody reached.
    pub(super) fn adopt_epoch(&mut self, heard: &EpochFact, now: Now, change: &mut StateChange) {
        let key = (heard.monitor.clone(), heard.lane);
        let (Some(cluster), Some(machine)) = (&self.cluster, self.machines.get(&heard.monitor)) else { return };
        let fact = match cluster.epochs.get(&key) {
            // Of two that know the number alike, the one that knows more is better.
            Some(known) if is_bare(known) && heard.epoch == known.epoch => heard.clone(),
            Some(known) if is_bare(heard) && heard.epoch <= known.epoch => return,
            Some(known) => {
                let merged = merge::epoch(known, heard);
                if merged == *known {
                    return;
                }
                merged
            }
            None => heard.clone(),
        };
        let mine = machine.epochs().of(heard.lane);
        if fact.epoch < mine {
            return;
        }
        self.amend_the_one_before(&fact, change);
        if is_bare(&fact) {
            self.count_up(&fact, now, change);
        } else if fact.epoch == mine {
            self.amend(&fact, change);
        } else {
            self.catch_up(&fact, mine, now, change);
        }
        self.keep_epoch(fact, change);
        self.is_dirty = true;
        self.decide(&heard.monitor, now, change);
        self.keep_changed(&heard.monitor, change);
    }

    /// Takes over a number of which nothing else is known. What is open here ended meanwhile.
    fn count_up(&mut self, fact: &EpochFact, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(&fact.monitor) else { return };
        let epoch = settle::epoch_of(machine, fact.lane);
        if *epoch < fact.epoch {
            *epoch = fact.epoch;
            let closed = Closed { at: now.wall, how: CloseReason::Superseded };
            self.end_unseen((&fact.monitor, fact.lane), closed, now, change);
        }
    }

    /// Another node knows better how the incident before this one ended.
    fn amend_the_one_before(&self, fact: &EpochFact, change: &mut StateChange) {
        let epoch = incident_epoch(fact.epoch).0.checked_sub(2).map(Epoch);
        if let (Some(closed), Some(epoch)) = (fact.before, epoch) {
            let id = identity::incident_id(&self.cluster_name, &fact.monitor, fact.lane, epoch);
            // Only times are amended, and the beginning only ever becomes earlier. Of that beginning this fact says nothing: a region that went
            // on failing may have made the later incident begin before the earlier one.
            change.amended.push(Incident {
                id,
                epoch,
                opened_at: closed.at,
                closed: Some(closed),
                ..incident_of(&self.cluster_name, fact)
            });
        }
    }

    /// Another node saw the same incident begin earlier, or end later. One that people know by another id is called by that from now on.
    fn amend(&mut self, fact: &EpochFact, change: &mut StateChange) {
        let mut amended = incident_of(&self.cluster_name, fact);
        let Some(machine) = self.machines.get_mut(&fact.monitor) else { return };
        let renamed = machine.incidents.iter_mut().find(|incident| incident.lane == fact.lane && incident.id != amended.id);
        if let Some(open) = renamed {
            change.closed.push((open.id.clone(), Closed { at: open.opened_at, how: CloseReason::Superseded }));
            open.id = amended.id.clone();
            change.opened.push(open.clone());
        }
        if let Some(open) = machine.incidents.iter_mut().find(|incident| incident.id == amended.id) {
            open.opened_at = open.opened_at.min(fact.opened_at);
            amended = open.clone();
        }
        machine.view = None;
        change.amended.push(amended);
    }

    /// Moves a lane to a later epoch, and does what this node would have done had it decided itself.
    fn catch_up(&mut self, fact: &EpochFact, mine: Epoch, now: Now, change: &mut StateChange) {
        let (id, lane) = (&fact.monitor, fact.lane);
        let is_same_incident = mine.is_open() && incident_epoch(fact.epoch) == mine;
        let is_news = self.is_news(fact.at, now);
        if mine.is_open() && !is_same_incident {
            // It ended and another began while this node was away. Those who were there tell of it.
            let is_next = incident_epoch(fact.epoch).0 == mine.0 + 2;
            let closed = fact.before.filter(|_| is_next).unwrap_or(Closed { at: fact.opened_at, how: CloseReason::Superseded });
            self.end_unseen((id, lane), closed, now, change);
        }
        if is_same_incident {
            let open = self.machines.get_mut(id).and_then(|machine| machine.incidents.iter_mut().find(|open| open.lane == lane));
            if let Some(open) = open.filter(|open| fact.opened_at < open.opened_at) {
                open.opened_at = fact.opened_at;
                change.amended.push(open.clone());
            }
        } else {
            self.open_what_others_opened(fact, is_news, now, change);
        }
        let Some(machine) = self.machines.get_mut(id) else { return };
        let (Some(closed), Some(at)) = (fact.closed, machine.incidents.iter().position(|open| open.lane == lane)) else { return };
        let mut incident = machine.incidents.remove(at);
        *settle::epoch_of(machine, lane) = fact.epoch;
        incident.closed = Some(closed);
        change.closed.push((incident.id.clone(), closed));
        self.texts.ended(&incident.id, closed.at);
        self.bury_acknowledgement(&incident.id, now, change);
        self.show_lane((id, lane), closed.at, now, change);
        let ended = incident::event(Move::Close(lane, closed.how), &incident.cause);
        let from_outage = lane == Lane::Outage && closed.how == CloseReason::Recovered;
        self.owe(&incident, Owing { event: ended, is_news, from_outage }, now, change);
    }

    fn open_what_others_opened(&mut self, fact: &EpochFact, is_news: bool, now: Now, change: &mut StateChange) {
        let (id, lane) = (&fact.monitor, fact.lane);
        let mut incident = incident_of(&self.cluster_name, fact);
        incident.closed = None;
        let Some(machine) = self.machines.get_mut(id) else { return };
        if fact.regions.failing.contains(&self.config.instance.region) {
            incident.evidence = settle::own_evidence(machine);
        }
        *settle::epoch_of(machine, lane) = incident.epoch;
        machine.incidents.push(incident.clone());
        change.opened.push(incident.clone());
        self.show_lane((id, lane), incident.opened_at, now, change);
        let opened = incident::event(Move::Open(lane), &incident.cause);
        self.owe(&incident, Owing { event: opened, is_news, from_outage: false }, now, change);
    }

    fn owe(&mut self, incident: &Incident, owing: Owing, now: Now, change: &mut StateChange) {
        let Owing { event: Some(event), is_news, from_outage } = owing else { return };
        let is_still_bad = self.machines.get(&incident.monitor).is_some_and(|machine| machine.state.degradation.is_open());
        let occasion = Occasion { event, is_still_bad, from_outage: from_outage && event == EventKind::Recovered };
        self.tell_channels(incident, (occasion, is_news), now, change);
    }

    /// The verdict that a lane's epoch means, from then on.
    fn show_lane(&mut self, (id, lane): (&MonitorId, Lane), at: UnixMillis, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get(id) else { return };
        let state = &machine.state;
        let verdict = match (state.verdict, lane) {
            (Verdict::Paused, _) | (_, Lane::Regional) => return,
            _ if state.outage.is_open() => Verdict::Down,
            _ if state.degradation.is_open() => Verdict::Degraded,
            _ => Verdict::Up,
        };
        self.hold(id, (verdict, at), now, change);
    }

    fn end_unseen(&mut self, (id, lane): (&MonitorId, Lane), closed: Closed, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        if let Some(at) = machine.incidents.iter().position(|incident| incident.lane == lane) {
            let incident = machine.incidents.remove(at);
            change.closed.push((incident.id.clone(), Closed { at: closed.at.max(incident.opened_at), how: closed.how }));
            self.texts.ended(&incident.id, closed.at);
            self.bury_acknowledgement(&incident.id, now, change);
        }
    }

    fn is_news(&self, at: UnixMillis, now: Now) -> bool {
        let common_now = self.cluster.as_ref().map_or(now.wall, |cluster| cluster.common(now.wall));
        common_now.since(at) <= NEWS_FOR
    }

    /// Takes over what an operator did somewhere; returns whether it was news.
    pub(super) fn adopt_act(&mut self, fact: &OperatorFact, now: Now, change: &mut StateChange) -> bool {
        if self.is_ahead(fact) {
            return false;
        }
        if self.is_forgotten_text(fact, now) {
            return false;
        }
        let Some(cluster) = &mut self.cluster else { return false };
        cluster.hybrid.saw(&fact.stamp, now.wall);
        let merged = match cluster.acts.get(&fact.act) {
            Some(known) => merge::operator(known, fact),
            None => fact.clone(),
        };
        if cluster.acts.get(&fact.act) == Some(&merged) {
            // Whoever says what does not hold any more has missed what was said since, and may have been away for longer than news lasts.
            if fact.stamp < merged.stamp {
                self.after_commit.push(Record::Operator(merged));
            }
            return false;
        }
        cluster.acts.insert(merged.act.clone(), merged.clone());
        let record = Record::Operator(merged.clone());
        change.facts.extend(acts::kept(&merged, now));
        self.after_commit.push(record);
        self.obey(&merged, now, change);
        true
    }

    /// Does what an act says, here.
    pub(super) fn obey(&mut self, fact: &OperatorFact, now: Now, change: &mut StateChange) {
        let id = match &fact.act {
            OperatorAct::Pause(id) => id,
            OperatorAct::Create(id) => return self.create(id, now, change),
            OperatorAct::Acknowledge(id) => return self.obey_acknowledgement(id, fact, now, change),
            OperatorAct::Silence(id) => return self.obey_silence(id, fact, now, change),
            OperatorAct::Update(..) | OperatorAct::Postmortem(..) | OperatorAct::Announce(_) => return self.obey_text(fact),
        };
        let Some(machine) = self.machines.get_mut(id) else { return };
        let is_paused = machine.state.paused_at.is_some();
        if fact.holds == is_paused {
            return;
        }
        machine.state.paused_at = fact.holds.then_some(fact.stamp.wall.min(now.wall));
        if machine.monitor.enabled {
            let done = if fact.holds { self.pause(id, now) } else { self.unpause(id, now) };
            change.append(done);
        }
        // Everybody does it by himself, and tells the epoch it led to.
        for lane in Lane::ALL {
            self.say_if_moved(id, lane, now, change);
        }
        self.say_opinion(id);
        self.keep_changed(id, change);
        self.is_dirty = true;
    }

    fn say_if_moved(&mut self, id: &MonitorId, lane: Lane, now: Now, change: &mut StateChange) {
        let said = self.cluster.as_ref().and_then(|cluster| cluster.epochs.get(&(id.clone(), lane))).map(|fact| fact.epoch);
        let reached = self.machines.get(id).map(|machine| machine.epochs().of(lane)).filter(|epoch| epoch.0 > 0);
        if reached > said {
            self.say_epoch(id, lane, now, change);
        }
    }

    /// What earlier runs of this node left: it is known again, and told again.
    pub(super) fn remember_facts(&mut self, facts: Vec<Record>, now: Now, change: &mut StateChange) {
        for record in facts {
            match &record {
                Record::Epoch(fact) => {
                    if let Some(cluster) = &mut self.cluster {
                        cluster.epochs.insert((fact.monitor.clone(), fact.lane), (**fact).clone());
                    }
                }
                Record::Ping(fact) => {
                    if let Some(cluster) = &mut self.cluster {
                        cluster.pings.insert((fact.heartbeat.clone(), fact.node.clone()), fact.clone());
                    }
                    for ping in &fact.pings {
                        self.learn(&fact.heartbeat, ping.clone(), now, change);
                    }
                }
                Record::Operator(fact) => {
                    if let Some(cluster) = &mut self.cluster {
                        cluster.hybrid.saw(&fact.stamp, now.wall);
                        cluster.acts.insert(fact.act.clone(), fact.clone());
                    }
                }
                Record::Forgotten(node) => {
                    if let Some(cluster) = &mut self.cluster {
                        cluster.forgotten.insert(node.clone());
                    }
                }
                // Deliveries are the notifier's; observations are not kept.
                Record::Delivery(_) | Record::Meta(_) | Record::Watermark(_) | Record::Opinion(_) => {}
            }
            self.at_once.push(record);
        }
        self.tell_what_was_alone(now, change);
        let acts: Vec<OperatorFact> = self.cluster.iter().flat_map(|cluster| cluster.acts.values().cloned()).collect();
        for act in acts {
            self.obey(&act, now, change);
        }
    }

    /// Epochs of the time before there were peers: they must not be reached a second time by somebody who does not know of them.
    fn tell_what_was_alone(&mut self, now: Now, change: &mut StateChange) {
        let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
        for id in ids {
            for lane in Lane::ALL {
                let said = self.cluster.as_ref().and_then(|cluster| cluster.epochs.get(&(id.clone(), lane))).map(|fact| fact.epoch);
                let Some(machine) = self.machines.get(&id) else { continue };
                let epoch = machine.epochs().of(lane);
                // A lane that somebody told of goes on by itself; a config that switched a monitor off here tells nobody.
                if epoch.0 == 0 || said.is_some() {
                    continue;
                }
                if let Some((fact, _)) = self.epoch_fact(&id, lane, now, change) {
                    self.keep_epoch(fact, change);
                } else if let Some(fact) = self.bare_fact(&id, lane, epoch).filter(|_| !epoch.is_open()) {
                    self.keep_epoch(fact, change);
                }
            }
        }
    }

    /// The fact of a closed lane of which only the number is known here. It is no news for anybody.
    fn bare_fact(&self, id: &MonitorId, lane: Lane, epoch: Epoch) -> Option<EpochFact> {
        let machine = self.machines.get(id)?;
        let at = UnixMillis(0);
        Some(EpochFact {
            monitor: id.clone(),
            incident: None,
            lane,
            epoch,
            monitor_name: machine.monitor.name.clone(),
            opened_at: at,
            confirmed_at: at,
            closed: Some(Closed { at, how: CloseReason::RecoveredUnseen }),
            before: None,
            cause: Cause { code: "reported".to_owned(), text: "not kept".to_owned(), stage: crate::model::peer::Stage::Other },
            regions: crate::model::verdict::RegionView::default(),
            confidence: crate::model::verdict::Confidence::Full,
            diagnosis: None,
            by: self.cluster.as_ref()?.me().clone(),
            at,
        })
    }
}

/// What people may have to be told of something that was taken over.
#[derive(Debug, Clone, Copy)]
struct Owing {
    /// `None`: they are told by something else.
    event: Option<EventKind>,
    /// It happened lately enough to be told.
    is_news: bool,
    /// An outage ended.
    from_outage: bool,
}

/// Whether only the number is known.
fn is_bare(fact: &EpochFact) -> bool {
    fact.at == UnixMillis(0)
}

/// The odd epoch of the incident that an epoch is about.
fn incident_epoch(epoch: Epoch) -> Epoch {
    if epoch.is_open() { epoch } else { Epoch(epoch.0.saturating_sub(1)) }
}

/// The incident that a fact tells of.
fn incident_of(cluster: &str, fact: &EpochFact) -> Incident {
    let epoch = incident_epoch(fact.epoch);
    let opening = Opening {
        monitor_name: fact.monitor_name.clone(),
        opened_at: fact.opened_at,
        confirmed_at: fact.confirmed_at,
        cause: fact.cause.clone().into_failure(),
        regions: fact.regions.clone(),
        confidence: fact.confidence,
        diagnosis: fact.diagnosis,
        evidence: Vec::new(),
    };
    let incident = settle::incident_of(cluster, (&fact.monitor, fact.lane, epoch), opening);
    let id = fact.incident.clone().unwrap_or(incident.id);
    Incident { id, closed: fact.closed, ..incident }
}
