//! Pings: how one that came in here is dated, kept back until it is durable and fed, and how those of others are learned.

use std::collections::BTreeSet;

use crate::consensus::codec;
use crate::consensus::merge;
use crate::engine::core::Core;
use crate::engine::core::beat::LastFail;
use crate::engine::event::Command;
use crate::engine::event::RequestId;
use crate::engine::ping::Arrived;
use crate::engine::ping::NotTaken;
use crate::model::change::StateChange;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::Resume;
use crate::model::id::MonitorId;
use crate::model::peer::PingFact;
use crate::model::peer::Record;
use crate::model::ping::Ignored;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::time::Now;
use crate::rules::heartbeat;
use crate::rules::heartbeat::Belief;
use crate::rules::heartbeat::Input;
use crate::rules::heartbeat::Method;
use crate::rules::heartbeat::Moment;
use crate::rules::heartbeat::Phase;
use crate::rules::heartbeat::Received;

/// A ping that is being written.
#[derive(Debug)]
pub(super) struct Pending {
    heartbeat: MonitorId,
    sequence: u64,
    /// `None`: it is ignored.
    ping: Option<Ping>,
    fail: LastFail,
}

impl Core {
    /// A ping came in: it is dated, and written before it counts.
    pub(in crate::engine::core) fn ping_arrived(&mut self, arrived: Arrived, request: RequestId, now: Now, commands: &mut Vec<Command>) {
        let (at, node) = (self.beat_now(now), self.own_node());
        let machine = self.machines.get_mut(&arrived.heartbeat);
        let is_enabled = machine.as_ref().is_some_and(|machine| machine.monitor.enabled);
        let (Some(beat), Some(node)) = (machine.and_then(|machine| machine.beat.as_mut()), node) else {
            return commands.push(Command::AnswerPing { request, answer: Err(NotTaken::Gone) });
        };
        let is_held = beat.seen.phase == Phase::Paused && beat.rules.resume == Resume::Manual || !is_enabled;
        let method = if arrived.arrival.method == "POST" { Method::Post } else { Method::Other };
        let meaning = heartbeat::classify(&beat.rules, Received { method, said: arrived.said, body: &arrived.body, is_held });
        self.beats.sequence += 1;
        let sequence = self.beats.sequence;
        let stamp = PingStamp { at, sequence, node };
        let exit = match arrived.said {
            heartbeat::Said::Exit(status) => Some(status),
            heartbeat::Said::Kind(_) => None,
        };
        let ping = match meaning {
            Meaning::Ping(kind) => Some(Ping { stamp: stamp.clone(), kind, run: arrived.run.clone() }),
            Meaning::Ignored(Ignored::Held | Ignored::Method | Ignored::NoKeyword) => None,
        };
        let (took, is_repeat) = ping.as_ref().map_or((None, false), |ping| heartbeat::foresee(&beat.rules, &beat.state.pings, ping));
        beat.n_pending += 1;
        let fail = LastFail::new(exit, &arrived.body);
        self.beats.on_their_way.insert(sequence);
        self.beats.pending.insert(request, Pending { heartbeat: arrived.heartbeat.clone(), sequence, ping, fail });
        let entry = PingEntry {
            heartbeat: arrived.heartbeat,
            number: 0,
            stamp,
            meaning,
            exit,
            run: arrived.run,
            took: arrived.took.or(took),
            is_repeat,
            arrival: Some(arrived.arrival),
            body: arrived.body,
            body_bytes: arrived.body_bytes,
        };
        commands.push(Command::KeepPing { request, entry: Box::new(entry) });
    }

    /// Pings were written, or could not be.
    pub(in crate::engine::core) fn pings_kept(&mut self, kept: Vec<(RequestId, bool)>, now: Now, commands: &mut Vec<Command>) {
        let mut change = StateChange::default();
        let mut told = BTreeSet::new();
        for (request, is_kept) in kept {
            let Some(Pending { heartbeat: id, sequence, ping, fail }) = self.beats.pending.remove(&request) else { continue };
            self.beats.on_their_way.remove(&sequence);
            if let Some(beat) = self.machines.get_mut(&id).and_then(|machine| machine.beat.as_mut()) {
                beat.n_pending = beat.n_pending.saturating_sub(1);
                beat.fed_until = if is_kept { beat.fed_until.max(sequence) } else { beat.fed_until };
            }
            match ping.filter(|_| is_kept) {
                Some(ping) => {
                    if let Some(beat) = self.machines.get_mut(&id).and_then(|machine| machine.beat.as_mut()) {
                        beat.note_fail(ping.kind, fail);
                    }
                    self.note_told(&id, ping.clone());
                    told.insert(id.clone());
                    self.feed(&id, Input::Ping(ping), now, &mut change);
                }
                None => self.look_at(&id, now, &mut change),
            }
            commands.push(Command::AnswerPing { request, answer: if is_kept { Ok(()) } else { Err(NotTaken::NotStored) } });
        }
        told.iter().for_each(|id| self.tell_pings(id));
        self.commit(commands, change, None);
    }

    /// Remembers a ping that this node received for its peers.
    fn note_told(&mut self, id: &MonitorId, ping: Ping) {
        let Some(cluster) = &mut self.cluster else { return };
        let me = cluster.me().clone();
        let fact = PingFact { heartbeat: id.clone(), node: me.clone(), pings: vec![ping] };
        let known = cluster.pings.get(&(id.clone(), me.clone()));
        let merged = known.map_or_else(|| fact.clone(), |known| merge::ping(known, &fact));
        cluster.pings.insert((id.clone(), me), merged);
    }

    /// Tells peers what this node received. It is in the log, so that a restart tells it again.
    fn tell_pings(&mut self, id: &MonitorId) {
        let Some(cluster) = &self.cluster else { return };
        if let Some(fact) = cluster.pings.get(&(id.clone(), cluster.me().clone())) {
            self.at_once.push(Record::Ping(fact.clone()));
        }
        self.beats.unsaved.insert(id.clone());
    }

    /// Feeds pings of the log that no state knows: a crash came between the two.
    pub(in crate::engine::core) fn replay(&mut self, unfed: Vec<PingEntry>, now: Now, change: &mut StateChange) {
        for entry in unfed {
            let Meaning::Ping(kind) = entry.meaning else { continue };
            let ping = Ping { stamp: entry.stamp.clone(), kind, run: entry.run };
            self.note_told(&entry.heartbeat, ping.clone());
            let Some(beat) = self.machines.get_mut(&entry.heartbeat).and_then(|machine| machine.beat.as_mut()) else { continue };
            beat.note_fail(kind, LastFail::new(entry.exit, &entry.body));
            beat.fed_until = beat.fed_until.max(entry.stamp.sequence);
            // As at the time: what was due since then may have come while nobody listened.
            let moment = Moment { at: entry.stamp.at, belief: Belief::Unsure };
            let effects = beat.feed(Input::Ping(ping), moment);
            self.follow(&entry.heartbeat, effects, now, change);
        }
    }

    /// Takes over pings that came in somewhere.
    pub(in crate::engine::core) fn adopt_ping(&mut self, fact: &PingFact, now: Now, change: &mut StateChange) {
        let Some(cluster) = &mut self.cluster else { return };
        let key = (fact.heartbeat.clone(), fact.node.clone());
        let known = cluster.pings.get(&key);
        let merged = known.map_or_else(|| fact.clone(), |known| merge::ping(known, fact));
        if known == Some(&merged) {
            return;
        }
        let is_new = |ping: &&Ping| known.is_none_or(|known| !known.pings.iter().any(|other| other.stamp == ping.stamp));
        let new: Vec<Ping> = merged.pings.iter().filter(is_new).cloned().collect();
        cluster.pings.insert(key, merged.clone());
        let record = Record::Ping(merged);
        change.facts.extend(codec::stored(&record, None));
        self.after_commit.push(record);
        for ping in new {
            self.learn(&fact.heartbeat, ping, now, change);
        }
    }

    /// Learns of a ping that another node received, or this one in an earlier run.
    pub(in crate::engine::core) fn learn(&mut self, id: &MonitorId, ping: Ping, now: Now, change: &mut StateChange) {
        let is_own = self.cluster.as_ref().is_some_and(|cluster| ping.stamp.node == *cluster.me());
        let Some(machine) = self.machines.get_mut(id) else { return };
        let is_enabled = machine.monitor.enabled;
        let Some(beat) = &mut machine.beat else { return };
        let (took, is_repeat) = heartbeat::foresee(&beat.rules, &beat.state.pings, &ping);
        beat.resumed_by(&ping);
        if is_enabled {
            self.feed(id, Input::Ping(ping.clone()), now, change);
        }
        if !is_own {
            change.pings.push(PingEntry {
                heartbeat: id.clone(),
                number: 0,
                meaning: Meaning::Ping(ping.kind),
                stamp: ping.stamp,
                exit: None,
                run: ping.run,
                took,
                is_repeat,
                arrival: None,
                body: Vec::new(),
                body_bytes: 0,
            });
        }
    }
}
