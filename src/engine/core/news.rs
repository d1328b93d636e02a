//! What is heard of peers, and what they are told: the comings and goings that no check causes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::consensus::codec;
use crate::consensus::heartbeat;
use crate::consensus::heartbeat::Missed;
use crate::consensus::heartbeat::Missing;
use crate::engine::core::Core;
use crate::engine::core::machine::Machine;
use crate::engine::event::Command;
use crate::engine::handle::Refused;
use crate::engine::snapshot::Ignored;
use crate::model::change::StateChange;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::peer::Meta;
use crate::model::peer::MonitorKey;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::PeerNews;
use crate::model::peer::PeerOpinion;
use crate::model::peer::Readiness;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::OpinionState;
use crate::rules::opinion;

/// A monitor is not looked at out of turn more often than this.
const LOOK_AGAIN_MIN: Duration = Duration::from_secs(5);

impl Core {
    /// Takes in news of peers.
    pub(super) fn heard(&mut self, news: PeerNews, now: Now, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        self.is_dirty = true;
        match news {
            PeerNews::Began(node) => {
                if let Some(member) = cluster.members.get_mut(&node) {
                    member.begin_anew();
                    self.decide_everything(now, change);
                }
            }
            PeerNews::Live(live) => {
                if cluster.note_live(&live, now) {
                    self.decide_everything(now, change);
                }
            }
            PeerNews::ClockOffsets(offsets) => cluster.note_offsets(offsets),
            PeerNews::Refilled => {}
            PeerNews::Told { node, records } => {
                let mut changed = BTreeSet::new();
                for record in records {
                    changed.extend(self.told(&node, record, now, change));
                }
                for id in changed {
                    self.decide(&id, now, change);
                }
            }
        }
    }

    /// Takes in one record; returns the monitor of which something else is held now.
    fn told(&mut self, node: &NodeName, record: Record, now: Now, change: &mut StateChange) -> Option<MonitorId> {
        match record {
            Record::Epoch(fact) => self.adopt_epoch(&fact, now, change),
            Record::Operator(fact) => {
                self.adopt_act(&fact, now, change);
            }
            Record::Ping(fact) => self.adopt_ping(&fact, now, change),
            Record::Forgotten(gone) => self.forget(gone, now, change),
            // The notifier hears of deliveries by itself.
            Record::Delivery(_) => {}
            Record::Opinion(opinion) => return self.told_opinion(node, opinion, now),
            Record::Meta(_) | Record::Watermark(_) => self.told_of_itself(node, record, now, change),
        }
        None
    }

    fn told_opinion(&mut self, node: &NodeName, opinion: PeerOpinion, now: Now) -> Option<MonitorId> {
        let cluster = self.cluster.as_mut()?;
        let member = cluster.members.get_mut(node)?;
        let (key, state) = (opinion.monitor, opinion.state);
        if member.opinions.get(&key) == Some(&opinion) {
            return None;
        }
        member.note_opinion(opinion);
        let id = cluster.by_key.get(&key).cloned()?;
        self.look_too(&id, state, now);
        Some(id)
    }

    fn told_of_itself(&mut self, node: &NodeName, record: Record, now: Now, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        let before = cluster.ignored(node, now.mono);
        match (record, cluster.members.get_mut(node)) {
            (Record::Meta(meta), Some(member)) => member.meta = Some(meta),
            (Record::Watermark(watermark), Some(_)) => cluster.note_watermark(node, watermark, now.mono),
            (_, None) => return,
            (
                Record::Opinion(_) | Record::Epoch(_) | Record::Operator(_) | Record::Ping(_) | Record::Forgotten(_) | Record::Delivery(_),
                Some(_),
            ) => {}
        }
        if cluster.ignored(node, now.mono) != before {
            self.decide_everything(now, change);
        }
    }

    /// Somebody sees something else than this node does: look now, and not when it is this node's turn.
    fn look_too(&mut self, id: &MonitorId, theirs: OpinionState, now: Now) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        let mine = machine.state.opinion.state;
        let is_same = (theirs == OpinionState::Up) == (mine == OpinionState::Up);
        let says_nothing = matches!(theirs, OpinionState::Unknown | OpinionState::Paused);
        let is_too_soon = machine.joint.looked_again.is_some_and(|at| now.mono.since(at) < LOOK_AGAIN_MIN);
        if is_same || says_nothing || is_too_soon || !machine.is_active() {
            return;
        }
        let is_granted = self.cluster.as_mut().is_some_and(|cluster| cluster.may_look(now.mono));
        if is_granted {
            machine.joint.looked_again = Some(now.mono);
            self.reschedule(id, Some(now.mono));
        }
    }

    pub(super) fn decide_everything(&mut self, now: Now, change: &mut StateChange) {
        let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
        for id in ids {
            self.decide(&id, now, change);
        }
    }

    /// What is due by itself: settling, watermarks, outliers, the order of the nodes, looks at disagreements.
    pub(super) fn keep_company(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.cluster.is_none() {
            return;
        }
        let mut change = StateChange::default();
        self.look_for_outliers(now, &mut change);
        self.settle_down(now, &mut change);
        self.say_meta();
        self.say_watermark(now);
        self.share_anew(now, commands);
        self.ask_for_history(commands);
        while let Some(cluster) = &mut self.cluster
            && let Some((look, id)) = cluster.looks.first().cloned()
            && look <= now.mono
        {
            self.set_look(&id, None);
            self.decide(&id, now, &mut change);
        }
        self.commit(commands, change, None);
    }

    fn settle_down(&mut self, now: Now, change: &mut StateChange) {
        let all_probed = || self.machines.values().all(|machine| !machine.is_active() || machine.is_probed);
        let uplink_lost = self.guard.uplink.lost_since();
        let region = self.config.instance.region.clone();
        let Some(cluster) = &self.cluster else { return };
        let wants_to_know = cluster.readiness == Readiness::Settling;
        let all_probed = wants_to_know && all_probed();
        let Some(cluster) = &mut self.cluster else { return };
        let has_settled = !wants_to_know || cluster.has_settled(all_probed, now.mono);
        let readiness = if cluster.am_forgotten() {
            Readiness::Abstaining("it was forgotten; start it again under another name".to_owned())
        } else if uplink_lost.is_some() {
            Readiness::Abstaining(format!("`{region}` reaches none of its controls"))
        } else if cluster.out.contains(cluster.me()) {
            Readiness::Abstaining(format!("`{region}` contradicts all others about most monitors"))
        } else if has_settled {
            Readiness::Ok
        } else {
            Readiness::Settling
        };
        if readiness != cluster.readiness {
            let was_abstaining = matches!(cluster.readiness, Readiness::Abstaining(_));
            let is_abstaining = matches!(readiness, Readiness::Abstaining(_));
            let readiness_is_ok = readiness == Readiness::Ok;
            cluster.readiness = readiness;
            self.is_dirty = true;
            if was_abstaining && !is_abstaining {
                self.think_again(now, change);
            }
            if readiness_is_ok {
                self.lift_blindness(now, change);
            }
            self.decide_everything(now, change);
        }
    }

    /// What was seen while this node could not trust its own line is thrown away: fresh checks have to say it again.
    fn think_again(&mut self, now: Now, change: &mut StateChange) {
        let ids: Vec<MonitorId> = self.machines.iter().filter(|(_, machine)| machine.is_active()).map(|(id, _)| id.clone()).collect();
        for id in ids {
            let Some(machine) = self.machines.get_mut(&id) else { continue };
            machine.state.opinion = opinion::unknown(now.wall);
            machine.state.streak = crate::model::change::Streak::default();
            machine.await_nothing();
            change.states.retain(|kept| kept.monitor != id);
            change.states.push(machine.state.clone());
            self.say_opinion(&id);
            let due = self.machines.get(&id).map(|machine| Core::first_check(&id, machine.monitor.interval, now));
            self.reschedule(&id, due);
        }
    }

    fn look_for_outliers(&mut self, now: Now, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        if !cluster.round_is_due(now.mono) {
            return;
        }
        let mut outliers = std::mem::take(&mut cluster.outliers);
        let Some(cluster) = &self.cluster else { return };
        let may_speak = |ignored: Option<Ignored>| matches!(ignored, None | Some(Ignored::Outlier));
        let speakers: Vec<&NodeName> =
            cluster.nodes().map(|node| &node.name).filter(|name| may_speak(cluster.ignored(name, now.mono))).collect();
        let changed = outliers.round(self.machines.values().map(|machine| opinions(cluster, machine, &speakers)));
        let Some(cluster) = &mut self.cluster else { return };
        cluster.out = outliers.out();
        cluster.outliers = outliers;
        if changed {
            self.is_dirty = true;
            self.decide_everything(now, change);
        }
    }

    /// Tells peers what this node holds of a monitor, if that is news.
    pub(super) fn say_opinion(&mut self, id: &MonitorId) {
        let (Some(cluster), Some(machine)) = (&mut self.cluster, self.machines.get(id)) else { return };
        let key = MonitorKey::of(id);
        let opinion = if machine.is_here {
            cluster.own_opinion(machine, key)
        } else {
            PeerOpinion { state: OpinionState::Unknown, cause: None, ..cluster.own_opinion(machine, key) }
        };
        if cluster.said.get(&key).is_some_and(|said| is_same_news(said, &opinion)) {
            return;
        }
        cluster.said.insert(key, opinion.clone());
        self.at_once.push(Record::Opinion(opinion));
    }

    /// Peers are to know that this node holds nothing of a monitor any more.
    pub(super) fn unsay_opinion(&mut self, id: &MonitorId) {
        let Some(cluster) = &mut self.cluster else { return };
        if let Some(said) = cluster.said.remove(&MonitorKey::of(id)) {
            self.at_once.push(Record::Opinion(PeerOpinion { state: OpinionState::Unknown, cause: None, ..said }));
        }
    }

    pub(super) fn say_meta(&mut self) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.config_digest.clone_from(&self.reload.active_hash);
        let readiness = if cluster.is_draining { Readiness::Draining } else { cluster.readiness.clone() };
        let meta = Meta {
            region: self.config.instance.region.clone(),
            vantage: self.config.instance.vantage,
            version: cluster.version.clone(),
            config_digest: cluster.config_digest.clone(),
            readiness,
            is_clock_off: cluster.is_clock_off(),
            clock_offset_ms: cluster.known_clock_offset(),
            started_at: cluster.began.wall,
        };
        if cluster.said_meta.as_ref() != Some(&meta) {
            cluster.said_meta = Some(meta.clone());
            self.at_once.push(Record::Meta(meta));
            self.is_dirty = true;
        }
    }

    fn say_watermark(&mut self, now: Now) {
        let overdue = self.due.first().map_or(Duration::ZERO, |(due, _)| now.mono.since(*due));
        let is_held = self.holds_watermark();
        let Some(cluster) = &mut self.cluster else { return };
        let made = if is_held { None } else { cluster.watermark_if_due(overdue, now.mono) };
        self.tell_watermark(made);
    }

    fn share_anew(&mut self, now: Now, commands: &mut Vec<Command>) {
        let Some(cluster) = &mut self.cluster else { return };
        let roster = cluster.work_out_roster(now.mono);
        if roster == *cluster.roster {
            return;
        }
        let roster = Arc::new(roster);
        cluster.roster = Arc::clone(&roster);
        commands.push(Command::Share(roster));
        self.machines.values_mut().for_each(|machine| machine.view = None);
        self.is_dirty = true;
    }

    fn ask_for_history(&mut self, commands: &mut Vec<Command>) {
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.lonely_since.is_none()
            && let Some(since) = cluster.refill_since.take()
        {
            commands.push(Command::Refill(since));
        }
    }

    /// Does what an operator asks for, in the whole cluster.
    pub(super) fn act_for_all(&mut self, act: OperatorAct, said: Said, holds: bool, now: Now) -> StateChange {
        let mut change = StateChange::default();
        let Some(cluster) = &mut self.cluster else { return change };
        let stamp = cluster.hybrid.next(cluster.common(now.wall));
        self.adopt_act(&OperatorFact { act, stamp, holds, said }, now, &mut change);
        change
    }

    /// Forgets a node on an operator's word.
    pub(super) fn forget_for_all(&mut self, node: &NodeName, now: Now) -> Result<StateChange, Refused> {
        let Some(cluster) = &self.cluster else {
            return Err(Refused::NotNow("this instance watches alone; there is nobody to forget".to_owned()));
        };
        if node == cluster.me() {
            return Err(Refused::NotNow("a node cannot forget itself; stop it, then ask another one".to_owned()));
        }
        if cluster.peers.node(node).is_none() {
            let nodes = cluster.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(Refused::NotNow(format!("there is no node `{node}`; the nodes are {nodes}")));
        }
        if cluster.forgotten.contains(node) {
            return Err(Refused::NotNow(format!("`{node}` is forgotten already; a machine that shall come back takes another name")));
        }
        if cluster.members.get(node).is_some_and(|member| member.is_live) {
            return Err(Refused::NotNow(format!("`{node}` is alive; stop it first")));
        }
        let mut change = StateChange::default();
        self.forget(node.clone(), now, &mut change);
        Ok(change)
    }

    /// Keeps that a node is gone for good. It may be this one: then somebody was wrong about it, or it came back from somewhere, and it
    /// abstains, because the others count and decide without it.
    fn forget(&mut self, node: NodeName, now: Now, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        if !cluster.forgotten.insert(node.clone()) {
            return;
        }
        let record = Record::Forgotten(node);
        change.facts.extend(codec::stored(&record, None));
        self.after_commit.push(record);
        self.is_dirty = true;
        self.decide_everything(now, change);
    }

    /// Says goodbye, so that the others need not find out.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(cluster) = &mut self.cluster {
            cluster.is_draining = true;
        }
        self.say_meta();
    }

    /// Whether a heartbeat is missed whose deadline has been over since `since`, as far as the other nodes are heard: all of their pings that
    /// are known here are in its state already. Peers are asked, so that everybody knows within a moment.
    #[must_use]
    pub fn missed(&mut self, since: Mono, now: Now) -> Missed {
        let Some(cluster) = &mut self.cluster else { return Missed::Unknown(None) };
        cluster.ask_around(since, now.mono);
        let (receivers, heard) = (cluster.names(), cluster.known_until(since));
        let solo_after = cluster.peers.solo_after;
        let missing = Missing { newest: None, not_before: UnixMillis(0), receivers: &receivers, heard: &heard, since, solo_after };
        heartbeat::missed(missing, now.mono)
    }
}

/// Whether telling it again would say nothing that matters: the words of a cause change with every check.
fn is_same_news(said: &PeerOpinion, now: &PeerOpinion) -> bool {
    let code = |opinion: &PeerOpinion| opinion.cause.as_ref().map(|cause| cause.code.clone());
    (said.state, said.since, said.probe_hash) == (now.state, now.since, now.probe_hash) && code(said) == code(now)
}

/// What those who may speak hold of a monitor, as far as they look at the same thing.
fn opinions<'a>(
    cluster: &'a crate::engine::core::cluster::Cluster,
    machine: &Machine,
    speakers: &[&'a NodeName],
) -> Vec<(&'a NodeName, OpinionState)> {
    let key = MonitorKey::of(&machine.monitor.id);
    let state = |name: &'a NodeName| {
        let (state, hash) = if name == cluster.me() {
            (machine.state.opinion.state, machine.state.probe_hash)
        } else {
            let opinion = cluster.members.get(name)?.opinions.get(&key)?;
            (opinion.state, opinion.probe_hash)
        };
        // Vantages inside may look at something else, and then disagree for good reason.
        (hash == machine.hashes.0).then_some((name, state))
    };
    speakers.iter().filter_map(|name| state(name)).collect()
}
