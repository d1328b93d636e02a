//! What all nodes hold of one monitor, and which of it counts.

use std::collections::BTreeSet;

use crate::consensus::decide::Decision;
use crate::consensus::decide::Rule;
use crate::consensus::decide::Vote;
use crate::consensus::decide::decide;
use crate::consensus::diagnosis::Side;
use crate::engine::core::cluster::Cluster;
use crate::engine::core::machine::Machine;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::VoteView;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::incident::Lane;
use crate::model::monitor::Quorum;
use crate::model::peer::Cause;
use crate::model::peer::MonitorKey;
use crate::model::peer::Node;
use crate::model::peer::PeerOpinion;
use crate::model::peer::Stage;
use crate::model::peer::Vantage;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::model::verdict::OpinionState;

/// What one node holds of a monitor.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) node: NodeName,
    pub(super) region: Region,
    pub(super) vantage: Vantage,
    pub(super) is_me: bool,
    pub(super) state: OpinionState,
    pub(super) since: Option<UnixMillis>,
    pub(super) cause: Option<Cause>,
    pub(super) ignored: Option<Ignored>,
}

impl Voice {
    pub(super) fn counts(&self) -> bool {
        self.ignored.is_none()
    }

    pub(super) fn is_bad(&self) -> bool {
        matches!(self.state, OpinionState::Down | OpinionState::Degraded)
    }

    fn vote(&self) -> Vote {
        Vote { region: self.region.clone(), state: self.counts().then_some(self.state) }
    }

    pub(super) fn view(&self) -> VoteView {
        VoteView {
            node: Some(self.node.clone()),
            region: self.region.clone(),
            vantage: self.vantage,
            is_me: self.is_me,
            state: self.state,
            since: self.since,
            cause: self.cause.as_ref().map(|cause| cause.text.clone()),
            ignored: self.ignored,
        }
    }
}

/// What all voters of a monitor hold: those whose votes make the verdict, and those inside.
#[derive(Debug, Clone, Default)]
pub(super) struct Ballot {
    pub(super) external: Vec<Voice>,
    pub(super) internal: Vec<Voice>,
}

/// What a ballot says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// By the full rule.
    pub(super) decision: Decision,
    /// By the votes there are, when they are too few for the full rule.
    pub(super) solo: Decision,
    pub(super) internal: Side,
    /// Votes that count, and voters.
    pub(super) n_voters: (usize, usize),
}

impl Ballot {
    pub(super) fn votes(&self) -> Vec<Vote> {
        self.external.iter().map(Voice::vote).collect()
    }

    /// Counts. `open` as in [`decide`].
    pub(super) fn count(&self, quorum: Quorum, n_regions_min: Option<usize>, open: Option<Lane>) -> Count {
        let votes = self.votes();
        let regions: BTreeSet<&Region> = votes.iter().map(|vote| &vote.region).collect();
        let rule = Rule::new(quorum, n_regions_min, regions.len());
        let inside: Vec<Vote> = self.internal.iter().map(Voice::vote).collect();
        let rule_inside = Rule::new(Quorum::Majority, Some(1), 1);
        Count {
            decision: decide(&votes, rule, open),
            solo: decide(&votes, rule.solo(), open),
            internal: side(decide(&inside, rule_inside, None)),
            n_voters: (self.external.iter().filter(|voice| voice.counts()).count(), votes.len()),
        }
    }

    /// The voters that make `lane` bad.
    pub(super) fn failing(&self, lane: Lane) -> impl Iterator<Item = &Voice> {
        let fails = move |voice: &&Voice| match lane {
            Lane::Outage | Lane::Regional => voice.state == OpinionState::Down,
            Lane::Degradation => voice.is_bad(),
        };
        let bad_outside = self.external.iter().any(|voice| voice.counts() && fails(&voice));
        let voices = if lane == Lane::Regional && !bad_outside { &self.internal } else { &self.external };
        voices.iter().filter(|voice| voice.counts()).filter(fails)
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        self.failing(Lane::Outage).filter_map(|voice| voice.cause.as_ref().map(|cause| cause.stage)).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Voice> {
        self.external.iter().chain(&self.internal)
    }
}

/// What a decision says of one side of the wall.
pub(super) fn side(decision: Decision) -> Side {
    use crate::model::verdict::Verdict;
    match decision {
        Decision::Hold(Verdict::Down) => Side::Down,
        Decision::Hold(Verdict::Up | Verdict::Degraded) => Side::Up,
        Decision::Regional => Side::Regional,
        Decision::Hold(Verdict::Unknown | Verdict::Paused | Verdict::Maintenance) | Decision::Contested | Decision::Insufficient => {
            Side::Unknown
        }
    }
}

impl Cluster {
    /// What everybody holds of this monitor.
    pub(super) fn ballot(&self, machine: &Machine, now: Mono) -> Ballot {
        let key = MonitorKey::of(&machine.monitor.id);
        let mut ballot = Ballot::default();
        for node in self.nodes().filter(|node| machine.monitor.regions.include(&node.region)) {
            let voice = self.voice(node, machine, key, now);
            match node.vantage {
                Vantage::External => ballot.external.push(voice),
                Vantage::Internal => ballot.internal.push(voice),
            }
        }
        // Where nobody looks from outside, those inside are all there is.
        if ballot.external.is_empty() {
            std::mem::swap(&mut ballot.external, &mut ballot.internal);
        }
        ballot
    }

    fn voice(&self, node: &Node, machine: &Machine, key: MonitorKey, now: Mono) -> Voice {
        let is_me = node.name == *self.me();
        let own = is_me.then(|| self.own_opinion(machine, key));
        let opinion = own.as_ref().or_else(|| self.members.get(&node.name)?.opinions.get(&key));
        let hash = match node.vantage {
            Vantage::External => machine.hashes.0,
            Vantage::Internal => machine.hashes.1,
        };
        let ignored = self.ignored(&node.name, now).or(match opinion {
            None => Some(Ignored::NoOpinion),
            Some(opinion) if opinion.probe_hash != hash => Some(Ignored::OtherProbe),
            Some(opinion) if matches!(opinion.state, OpinionState::Unknown | OpinionState::Paused) => Some(Ignored::NoOpinion),
            Some(_) => None,
        });
        Voice {
            node: node.name.clone(),
            region: node.region.clone(),
            vantage: node.vantage,
            is_me,
            state: opinion.map_or(OpinionState::Unknown, |opinion| opinion.state),
            since: opinion.map(|opinion| opinion.since),
            cause: opinion.and_then(|opinion| opinion.cause.clone()),
            ignored,
        }
    }

    /// What this node holds, in the form in which it is told.
    pub(super) fn own_opinion(&self, machine: &Machine, key: MonitorKey) -> PeerOpinion {
        let opinion = &machine.state.opinion;
        let is_bad = matches!(opinion.state, OpinionState::Down | OpinionState::Degraded | OpinionState::Suspect);
        PeerOpinion {
            monitor: key,
            state: opinion.state,
            since: self.common(opinion.since),
            probe_hash: machine.state.probe_hash,
            cause: opinion.failure.as_ref().filter(|_| is_bad).map(Cause::of),
        }
    }
}
