//! Pictures of the live state. Only what changed since the last picture is drawn again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::consensus::decide;
use crate::consensus::decide::Vote;
use crate::consensus::rank;
use crate::engine::core::Core;
use crate::engine::core::cluster::Cluster;
use crate::engine::core::machine::Machine;
use crate::engine::core::votes::Voice;
use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::OpenWindow;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::UplinkView;
use crate::engine::snapshot::VoteView;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::peer::Node;
use crate::model::peer::Readiness;
use crate::model::peer::Vantage;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::RegionView;

impl Core {
    /// Whether a new picture would differ from the last one.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.is_dirty
    }

    /// A picture of everything.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        self.revision += u64::from(std::mem::take(&mut self.is_dirty));
        let region = &self.config.instance.region;
        let alone = region.clone();
        let cluster = self.cluster.as_ref();
        let monitors = self.machines.iter_mut().map(|(id, machine)| {
            let view = machine.view.take().unwrap_or_else(|| {
                let votes = match cluster {
                    None => Votes::of_one(machine, &alone),
                    Some(cluster) => Votes::of_all(machine, cluster, now),
                };
                Arc::new(draw(machine, votes, now))
            });
            machine.view = Some(Arc::clone(&view));
            (id.clone(), view)
        });
        let monitors: BTreeMap<MonitorId, Arc<MonitorView>> = monitors.collect();
        let cluster = cluster.map(|cluster| Arc::new(cluster_view(cluster, &monitors, now)));
        let uplink = match (self.config.uplink.is_empty(), self.guard.uplink.lost_since()) {
            (true, _) => UplinkView::NotGuarded,
            (false, None) => UplinkView::Fine,
            (false, Some(since)) => UplinkView::Lost(since),
        };
        Snapshot {
            at: now.wall,
            started_at: self.started_at,
            revision: self.revision,
            config: Arc::clone(&self.config),
            monitors,
            uplink,
            silences: self.silences(),
            texts: self.texts.shown(),
            cluster,
            reload: Arc::clone(&self.reload),
            troubles: self.own.troubles(),
        }
    }
}

/// What a picture says of votes.
struct Votes {
    votes: Vec<VoteView>,
    regions: RegionView,
    decider: Option<NodeName>,
}

impl Votes {
    fn of_one(machine: &Machine, region: &Region) -> Votes {
        let opinion = &machine.state.opinion;
        let own = VoteView {
            node: None,
            region: region.clone(),
            vantage: Vantage::External,
            is_me: true,
            state: opinion.state,
            since: Some(opinion.since),
            cause: opinion.failure.as_ref().map(ToString::to_string),
            ignored: None,
        };
        let vote = Vote { region: region.clone(), state: machine.is_here.then_some(opinion.state) };
        Votes { votes: vec![own], regions: decide::regions(&[vote]), decider: None }
    }

    fn of_all(machine: &Machine, cluster: &Cluster, now: Now) -> Votes {
        let ballot = cluster.ballot(machine, now.mono);
        let decider = rank::ranked(machine.monitor.id.as_str(), &cluster.roster.eligible).into_iter().next();
        Votes { regions: decide::regions(&ballot.votes()), votes: ballot.all().map(Voice::view).collect(), decider }
    }
}

fn cluster_view(cluster: &Cluster, monitors: &BTreeMap<MonitorId, Arc<MonitorView>>, now: Now) -> ClusterView {
    let me = cluster.me();
    let n_decides = |name: &NodeName| monitors.values().filter(|view| view.decider.as_ref() == Some(name)).count();
    let node = |node: &Node| {
        let member = cluster.members.get(&node.name);
        let is_me = node.name == *me;
        let meta = if is_me { cluster.said_meta.clone() } else { member.and_then(|member| member.meta.clone()) };
        let readiness = meta.as_ref().map(|meta| &meta.readiness);
        NodeView {
            name: node.name.clone(),
            region: node.region.clone(),
            vantage: node.vantage,
            is_me,
            is_configured: true,
            is_live: is_me || member.is_some_and(|member| member.is_live),
            known_ago: member.and_then(|member| member.known_ago(now.mono)),
            ignored: cluster.ignored(&node.name, now.mono),
            abstains: match readiness {
                Some(Readiness::Abstaining(why)) => Some(why.clone()),
                Some(Readiness::Settling | Readiness::Ok | Readiness::Draining) | None => None,
            },
            has_same_config: meta.as_ref().map(|meta| meta.config_digest == cluster.config_digest),
            meta,
            n_decides: n_decides(&node.name),
        }
    };
    // Who was forgotten and still speaks has to be seen, or nobody would stop it.
    let speaks = |name: &NodeName| cluster.members.get(name).is_some_and(|member| member.is_live);
    let is_shown = |node: &Node| node.name == *me || !cluster.forgotten.contains(&node.name) || speaks(&node.name);
    ClusterView {
        name: cluster.peers.cluster.clone(),
        me: me.clone(),
        nodes: cluster.peers.nodes.iter().filter(|node| is_shown(node)).map(node).collect(),
        forgotten: cluster.forgotten.iter().cloned().collect(),
        is_ready: cluster.is_ready(),
        is_primary: cluster.is_primary(),
        solo_after: cluster.peers.solo_after,
        clock_offset_ms: cluster.clock_offset(),
    }
}

fn draw(machine: &Machine, votes: Votes, now: Now) -> MonitorView {
    let due_in = machine.due.map(|due| if due > now.mono { due.since(now.mono) } else { Duration::ZERO });
    let mut incidents = machine.incidents.clone();
    incidents.sort_by_key(|incident| incident.lane);
    MonitorView {
        monitor: Arc::clone(&machine.monitor),
        verdict: machine.state.verdict,
        since: machine.state.verdict_since,
        opinion: machine.state.opinion.clone(),
        regions: votes.regions,
        votes: votes.votes,
        agreement: machine.joint.agreement,
        decider: votes.decider,
        diagnosis: machine.joint.diagnosis,
        last: machine.last.clone(),
        recent: machine.recent.iter().copied().collect(),
        incidents,
        next_check_at: due_in.map(|wait| UnixMillis(now.wall.0) + wait),
        paused_by_operator: machine.state.paused_at.is_some(),
        upkeep: machine.upkeep.as_ref().map(|open| OpenWindow { window: Arc::clone(&open.window), span: open.span }),
        alerts: machine.telling.shown.clone(),
        heartbeat: machine.beat.as_ref().map(|beat| Arc::new(beat.view())),
    }
}
