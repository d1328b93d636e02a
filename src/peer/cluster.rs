//! Puts links and gossip together: what the engine and the notifier are given of the cluster.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Peers;
use crate::engine::announce::Announce;
use crate::engine::event::Event;
use crate::model::id::NodeName;
use crate::model::peer::Record;
use crate::model::peer::Roster;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::peer::gossip;
use crate::peer::gossip::Gossip;
use crate::peer::gossip::OnDelivery;
use crate::peer::link::links::Identity;
use crate::peer::link::links::Links;
use crate::peer::link::wire::Wire;
use crate::peer::port::LinkEvent;
use crate::supervise::Jobs;
use crate::supervise::Supervisor;

/// Reports of links that may wait; datagrams are dropped beyond it and come again.
const LINK_EVENTS_MAX: usize = 4096;

/// The engine's way to its peers.
#[derive(Debug)]
pub struct Voice {
    gossip: Gossip,
    rosters: watch::Sender<Arc<Roster>>,
    refills: watch::Sender<Option<UnixMillis>>,
}

impl Announce for Voice {
    fn announce(&self, records: Vec<Record>) {
        self.gossip.tell(records);
    }

    fn replay(&self) {
        self.gossip.replay();
    }

    fn refill(&self, since: UnixMillis) {
        self.refills.send_modify(|wanted| *wanted = Some(wanted.map_or(since, |before| before.min(since))));
    }

    fn share(&self, roster: Arc<Roster>) {
        self.rosters.send_replace(roster);
    }
}

/// A cluster before it speaks.
#[derive(Debug)]
pub struct Cluster {
    peers: Peers,
    gossip: Gossip,
    voice: Arc<Voice>,
    links: Links,
    heard: mpsc::Receiver<LinkEvent>,
    generation: u64,
}

impl Cluster {
    /// Makes the parts. Nothing is dialed and nothing said until [`Cluster::start`]; who dials us is let in as soon as the server answers.
    #[must_use]
    pub fn new(peers: Peers, identity: Identity, clock: Clock, jobs: Jobs) -> Cluster {
        let gossip = Gossip::new(peers.me.clone());
        let nobody = Roster {
            me: peers.me.clone(),
            eligible: Vec::new(),
            eligible_since: Mono(0),
            live: [peers.me.clone()].into(),
            is_ready: false,
        };
        let voice = Voice { gossip: gossip.clone(), rosters: watch::Sender::new(Arc::new(nobody)), refills: watch::Sender::new(None) };
        let (reports, heard) = mpsc::channel(LINK_EVENTS_MAX);
        let generation = identity.generation;
        let links = Links::new(peers.clone(), identity, clock, jobs, reports);
        Cluster { peers, gossip, voice: Arc::new(voice), links, heard, generation }
    }

    /// The engine's way to its peers.
    #[must_use]
    pub fn voice(&self) -> Arc<Voice> {
        Arc::clone(&self.voice)
    }

    /// Who shares work.
    #[must_use]
    pub fn rosters(&self) -> watch::Receiver<Arc<Roster>> {
        self.voice.rosters.subscribe()
    }

    /// Since when history is missed.
    #[must_use]
    pub fn refills(&self) -> watch::Receiver<Option<UnixMillis>> {
        self.voice.refills.subscribe()
    }

    /// All links.
    #[must_use]
    pub fn links(&self) -> Links {
        self.links.clone()
    }

    /// Begins to dial and to speak, as tasks of `supervisor`.
    pub fn start(self, wire: Arc<dyn Wire>, events: mpsc::Sender<Event>, on_delivery: OnDelivery, supervisor: &mut Supervisor) {
        let nodes: Vec<NodeName> = self.peers.nodes.iter().map(|node| node.name.clone()).collect();
        let parts = gossip::Parts {
            cluster: self.peers.cluster.clone(),
            nodes,
            generation: self.generation,
            carrier: Arc::new(self.links.clone()),
            links: self.heard,
            events,
            on_delivery,
        };
        supervisor.task("gossip", self.gossip.run(parts, supervisor.stopping()));
        supervisor.task("links", self.links.run(wire, supervisor.stopping()));
    }
}
