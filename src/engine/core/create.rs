//! Heartbeats that pings create: `?create=1`, when the config allows it.
//!
//! What was created is a fact like a pause: kept, told to peers, and put beside the config whenever that is loaded. A monitor of the same
//! id in the files takes its place.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::Config;
use crate::config::selects;
use crate::consensus::codec;
use crate::engine::core::Core;
use crate::engine::handle::Refused;
use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::peer::Stamp;
use crate::model::time::Now;
use crate::model::time::UnixMillis;

/// Who creates, as far as facts of an instance that watches alone must name somebody.
const ALONE: &str = "local";

/// The stamp of what is done where nobody else does anything.
pub(super) fn stamp_alone(wall: UnixMillis) -> Option<Stamp> {
    Some(Stamp { wall, counter: 0, by: NodeName::parse(ALONE).ok()? })
}

/// What was created in earlier runs.
pub(super) fn created(facts: &[Record]) -> BTreeSet<MonitorId> {
    let created = facts.iter().filter_map(|record| match record {
        Record::Operator(OperatorFact { act: OperatorAct::Create(id), holds: true, .. }) => Some(id.clone()),
        Record::Operator(_)
        | Record::Meta(_)
        | Record::Watermark(_)
        | Record::Opinion(_)
        | Record::Epoch(_)
        | Record::Delivery(_)
        | Record::Ping(_)
        | Record::Forgotten(_) => None,
    });
    created.collect()
}

impl Core {
    /// The config with what was created besides, as far as it allows that.
    pub(super) fn with_created(&self, config: Arc<Config>) -> Arc<Config> {
        let Some(allowed) = config.heartbeats.auto_create.as_ref().filter(|_| !self.created.is_empty()) else { return config };
        let mut whole = (*config).clone();
        let slugs: BTreeSet<&str> =
            config.monitors.iter().filter_map(|monitor| Some(monitor.heartbeat()?.identity.slug.as_str())).collect();
        for id in self.created.iter().filter(|id| config.monitor(id).is_none() && !slugs.contains(id.as_str())).take(allowed.n_max) {
            let mut monitor = Monitor { id: id.clone(), name: id.to_string(), ..(*allowed.prototype).clone() };
            if let ProbeSpec::Heartbeat(spec) = &mut monitor.probe {
                spec.identity.slug = id.to_string();
            }
            for window in whole.maintenance.iter_mut().filter(|window| selects(&window.wanted, &monitor)) {
                Arc::make_mut(window).monitors.insert(id.clone());
            }
            whole.monitors.push(Arc::new(monitor));
        }
        Arc::new(whole)
    }

    /// Creates a heartbeat on a ping's word, here and on all nodes.
    pub(super) fn create_for_all(&mut self, id: &MonitorId, now: Now) -> Result<StateChange, Refused> {
        if self.machines.contains_key(id) || self.created.contains(id) {
            return Err(Refused::NotNow(format!("there is already a monitor `{id}`")));
        }
        let n_max = self.config.heartbeats.auto_create.as_ref().map_or(0, |allowed| allowed.n_max);
        if n_max <= self.created.len() {
            return Err(Refused::NotNow(format!("no more than {n_max} heartbeats may be created; raise `heartbeats.auto_create.limit`")));
        }
        self.notes.push(format!("a ping has created the heartbeat `{id}`"));
        let act = OperatorAct::Create(id.clone());
        if self.cluster.is_some() {
            return Ok(self.act_for_all(act, Said::Nothing, true, now));
        }
        let mut change = StateChange::default();
        self.create(id, now, &mut change);
        change.facts = self.created_facts();
        Ok(change)
    }

    /// Takes over that a heartbeat was created.
    pub(super) fn create(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        if !self.created.insert(id.clone()) {
            return;
        }
        let written = Arc::clone(&self.written);
        self.adopt(written, now, change);
        let config = Arc::clone(&self.config);
        if let Some(cluster) = &mut self.cluster {
            cluster.configure(&config);
            // Its pings may have been heard before.
            let known: Vec<_> = cluster.pings.values().filter(|fact| fact.heartbeat == *id).flat_map(|fact| fact.pings.clone()).collect();
            for ping in known {
                self.learn(id, ping, now, change);
            }
        }
        self.say_opinion(id);
        self.is_dirty = true;
    }

    /// What was created, in the form in which it is kept.
    pub(super) fn created_facts(&self) -> Vec<StoredFact> {
        let Some(stamp) = stamp_alone(UnixMillis(0)) else { return Vec::new() };
        let fact =
            |id: &MonitorId| OperatorFact { act: OperatorAct::Create(id.clone()), stamp: stamp.clone(), holds: true, said: Said::Nothing };
        self.created.iter().filter_map(|id| codec::stored(&Record::Operator(fact(id)), None)).collect()
    }
}
