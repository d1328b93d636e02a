//! All links of a node: who dials whom, who is let in, and what pages show of it.
//!
//! One link per pair. A node without a URL dials everybody who has one; of two with URLs the one whose name is lower dials. Of two runs
//! of one node the newer one wins, so that a restart replaces what it left; a run that is older and comes back is a second instance
//! under the same name, and is told so.

mod admit;
mod dial;
mod refused;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Peers;
use crate::model::id::NodeName;
use crate::model::peer::Node;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::peer::link::frame::Hello;
use crate::peer::link::session::Desk;
use crate::peer::link::session::Session;
use crate::peer::link::wire::Wire;
use crate::peer::port::Answers;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::peer::port::Carrier;
use crate::peer::port::Dialer;
use crate::peer::port::LinkEvent;
use crate::peer::port::LinkState;
use crate::peer::port::LinkView;
use crate::peer::port::RefusedLink;
use crate::supervise::Jobs;

/// Handshakes of strangers under way at once: each costs a signature, and a flood must not take a core.
const HANDSHAKES_MAX: usize = 16;

/// A link that lasted this long was a good one: the next redial is the first again.
const GOOD_AFTER: Duration = Duration::from_secs(60);

/// What a stranger says of himself before anything is proved. Only for messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcceptHint {
    /// What it calls itself.
    pub node: Option<String>,
    /// Where it comes from.
    pub from: String,
}

/// Who this node is, besides what the config says.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Which run: grows with each start.
    pub generation: u64,
    /// The program's version.
    pub version: String,
}

/// All links. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Links {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    jobs: Jobs,
    identity: Identity,
    events: mpsc::Sender<LinkEvent>,
    answers: OnceLock<Arc<dyn Answers>>,
    peers: watch::Sender<Arc<Peers>>,
    slots: Mutex<BTreeMap<NodeName, Slot>>,
    views: watch::Sender<Arc<Vec<LinkView>>>,
    strangers: Semaphore,
    said: Mutex<BTreeMap<String, (Mono, RefusedLink)>>,
}

#[derive(Debug)]
struct Slot {
    up: Option<Up>,
    down_since: UnixMillis,
    error: Option<String>,
    /// Told when the link goes down, for whoever dials.
    free: Arc<Notify>,
}

#[derive(Debug)]
struct Up {
    session: Arc<Session>,
    generation: u64,
    is_dialed: bool,
    since: UnixMillis,
    address: String,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Links {
    /// No links yet. Events go to `events`; datagrams are dropped while that is full.
    #[must_use]
    pub fn new(peers: Peers, identity: Identity, clock: Clock, jobs: Jobs, events: mpsc::Sender<LinkEvent>) -> Links {
        let inner = Inner {
            clock,
            jobs,
            identity,
            events,
            answers: OnceLock::new(),
            peers: watch::Sender::new(Arc::new(peers)),
            slots: Mutex::default(),
            views: watch::Sender::new(Arc::new(Vec::new())),
            strangers: Semaphore::new(HANDSHAKES_MAX),
            said: Mutex::default(),
        };
        let links = Links { inner: Arc::new(inner) };
        links.fit_slots();
        links
    }

    /// Who answers what other nodes ask. Until it is said, questions are refused.
    pub fn answer_with(&self, answers: Arc<dyn Answers>) {
        let _ = self.inner.answers.set(answers);
    }

    /// Takes over addresses and keys of another config. Which nodes there are, and what they are called, changes only with a restart.
    pub fn configure(&self, mut peers: Peers) {
        let now = self.peers();
        let names = |peers: &Peers| peers.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        if names(&peers) != names(&now) {
            peers.nodes.clone_from(&now.nodes);
        }
        peers = Peers { me: now.me.clone(), cluster: now.cluster.clone(), private_key: now.private_key.clone(), ..peers };
        if *now == peers {
            return;
        }
        self.inner.peers.send_replace(Arc::new(peers));
        // Keys may have changed: everybody proves again who he is, which takes a second.
        for slot in locked(&self.inner.slots).values() {
            if let Some(up) = &slot.up {
                up.session.close("the config of its peers changed");
            }
        }
        self.fit_slots();
    }

    fn fit_slots(&self) {
        let peers = self.peers();
        let now = self.inner.clock.now().wall;
        let mut slots = locked(&self.inner.slots);
        for node in peers.nodes.iter().filter(|node| node.name != peers.me) {
            let fresh = || Slot { up: None, down_since: now, error: None, free: Arc::new(Notify::new()) };
            slots.entry(node.name.clone()).or_insert_with(fresh);
        }
        slots.retain(|name, slot| {
            let is_configured = peers.node(name).is_some();
            if let Some(up) = slot.up.as_ref().filter(|_| !is_configured) {
                up.session.close("this node is not in the config any more");
            }
            is_configured
        });
        drop(slots);
        self.show();
    }

    fn peers(&self) -> Arc<Peers> {
        Arc::clone(&self.inner.peers.borrow())
    }

    /// Which run of this node it is.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.inner.identity.generation
    }

    /// What pages show.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<Vec<LinkView>>> {
        self.inner.views.subscribe()
    }

    /// Keeps dialing whoever is to be dialed, until `stop`.
    pub async fn run(self, wire: Arc<dyn Wire>, stop: CancellationToken) {
        let mut peers = self.inner.peers.subscribe();
        while !stop.is_cancelled() {
            peers.mark_unchanged();
            let now = self.peers();
            let round = stop.child_token();
            for node in now.nodes.iter().filter(|node| dials(&now, node)) {
                let (links, wire, node, round) = (self.clone(), Arc::clone(&wire), node.clone(), round.clone());
                self.inner.jobs.start(async move {
                    tokio::select! {
                        () = round.cancelled() => {}
                        () = links.keep_dialing(&*wire, &node) => {}
                    }
                });
            }
            tokio::select! {
                () = stop.cancelled() => {}
                _ = peers.changed() => {}
            }
            round.cancel();
        }
        for slot in locked(&self.inner.slots).values() {
            if let Some(up) = &slot.up {
                up.session.close("it is stopping");
            }
        }
    }

    /// Puts the link in its place and carries it until it ends.
    async fn hold<S>(&self, stream: S, node: &NodeName, hello: &Hello, (is_dialed, address): (bool, String)) -> String
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (session, outgoing) = Session::new(node.clone());
        let since = self.inner.clock.now().wall;
        {
            let mut slots = locked(&self.inner.slots);
            let Some(slot) = slots.get_mut(node) else { return "this node is not in the config any more".to_owned() };
            if let Some(old) = slot.up.take() {
                let is_another = old.generation != hello.generation;
                old.session.close(if is_another { "another instance of this node took its place" } else { "a newer link took its place" });
            }
            locked(&self.inner.said).retain(|_, (_, said)| said.is_twin || said.node.as_deref() != Some(node.as_str()));
            slot.up = Some(Up { session: Arc::clone(&session), generation: hello.generation, is_dialed, since, address });
        }
        let _ = self.inner.events.send(LinkEvent::Up(node.clone())).await;
        self.show();
        // Whatever ends this, being dropped included, the place is free afterwards.
        let held = Held { links: self, session: &session };
        let is_answered = Arc::new(AtomicBool::new(false));
        let desk = self.desk(node, Arc::clone(&is_answered));
        let why = Arc::clone(&session).run(stream, outgoing, desk).await;
        drop(held);
        if is_answered.load(Ordering::Relaxed) {
            tracing::info!(peer = %node, "the link to `{node}` is gone: {why}");
        }
        why
    }

    /// `is_answered` becomes true with the first answer: before it, the other side may have said no.
    fn desk(&self, node: &NodeName, is_answered: Arc<AtomicBool>) -> Desk {
        let (events, name, links) = (self.inner.events.clone(), node.clone(), self.clone());
        let linked = node.clone();
        Desk {
            clock: self.inner.clock.clone(),
            jobs: self.inner.jobs.clone(),
            answers: self.inner.answers.get().cloned(),
            datagram: Box::new(move |bytes: Bytes| {
                // Gossip that is not taken in time comes again.
                let _ = events.try_send(LinkEvent::Datagram(name.clone(), bytes));
            }),
            measured: Box::new(move || {
                if !is_answered.swap(true, Ordering::Relaxed) {
                    tracing::info!(peer = %linked, "linked with `{linked}`");
                }
                links.measured();
            }),
        }
    }

    fn measured(&self) {
        let offsets: BTreeMap<NodeName, i64> = locked(&self.inner.slots)
            .iter()
            .filter_map(|(name, slot)| Some((name.clone(), slot.up.as_ref()?.session.clock_offset()?)))
            .collect();
        let _ = self.inner.events.try_send(LinkEvent::ClockOffsets(offsets));
        self.show();
    }

    fn let_go(&self, session: &Arc<Session>) {
        let node = &session.node;
        let mut slots = locked(&self.inner.slots);
        let Some(slot) = slots.get_mut(node).filter(|slot| slot.up.as_ref().is_some_and(|up| Arc::ptr_eq(&up.session, session))) else {
            return;
        };
        let now = self.inner.clock.now().wall;
        // After a good link the same trouble is news again; the same one at once, as when the other side always says no, is not.
        if slot.up.take().is_some_and(|up| GOOD_AFTER <= now.since(up.since)) {
            slot.error = None;
        }
        slot.down_since = now;
        slot.free.notify_waiters();
        drop(slots);
        // Gossip finds out by itself who is silent; this only makes it sooner.
        let _ = self.inner.events.try_send(LinkEvent::Down(node.clone()));
        self.show();
    }

    /// Keeps why a link is not up; returns false when it is.
    fn note_down(&self, node: &NodeName, why: String) -> bool {
        let is_news = match locked(&self.inner.slots).get_mut(node).filter(|slot| slot.up.is_none()) {
            Some(slot) if slot.error.as_ref() != Some(&why) => {
                slot.error = Some(why.clone());
                true
            }
            Some(_) => false,
            None => return false,
        };
        if is_news {
            tracing::warn!(peer = %node, "no link to `{node}`: {why}");
        }
        self.show();
        true
    }

    fn show(&self) {
        let peers = self.peers();
        let view = |(name, slot): (&NodeName, &Slot)| match &slot.up {
            Some(up) => LinkView {
                node: name.clone(),
                state: LinkState::Up { since: up.since, is_dialed: up.is_dialed },
                address: Some(up.address.clone()).filter(|address| !address.is_empty()),
                round_trip: up.session.round_trip(),
                clock_offset_ms: up.session.clock_offset(),
                dialer: dialer(&peers, name),
                n_bytes: (up.session.n_written.load(Ordering::Relaxed), up.session.n_read.load(Ordering::Relaxed)),
            },
            None => LinkView {
                node: name.clone(),
                state: LinkState::Down { since: slot.down_since, error: slot.error.clone() },
                address: None,
                round_trip: None,
                clock_offset_ms: None,
                dialer: dialer(&peers, name),
                n_bytes: (0, 0),
            },
        };
        let views: Vec<LinkView> = locked(&self.inner.slots).iter().map(view).collect();
        self.inner.views.send_replace(Arc::new(views));
    }

    /// Asks a node.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, node: &NodeName, ask: Ask) -> Result<Bytes, AskError> {
        match self.session(node) {
            Some(session) => session.ask(ask).await,
            None => Err(AskError::NotLinked(node.clone())),
        }
    }

    fn session(&self, node: &NodeName) -> Option<Arc<Session>> {
        locked(&self.inner.slots).get(node)?.up.as_ref().map(|up| Arc::clone(&up.session))
    }
}

impl Carrier for Links {
    fn send(&self, to: &NodeName, datagram: Bytes) {
        if let Some(session) = self.session(to) {
            session.send(datagram);
        }
    }

    fn linked(&self) -> Vec<NodeName> {
        locked(&self.inner.slots).iter().filter(|(_, slot)| slot.up.is_some()).map(|(name, _)| name.clone()).collect()
    }
}

/// A link in its place.
struct Held<'a> {
    links: &'a Links,
    session: &'a Arc<Session>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.session.end.cancel();
        self.links.let_go(self.session);
    }
}

/// Who makes the link to that node.
fn dialer(peers: &Peers, name: &NodeName) -> Dialer {
    let has_url = |name: &NodeName| peers.node(name).is_some_and(|node| node.url.is_some());
    match peers.node(name) {
        Some(node) if dials(peers, node) => Dialer::Here,
        Some(_) | None if has_url(&peers.me) => Dialer::There,
        Some(_) | None => Dialer::Nobody,
    }
}

/// Whether this node dials that one.
fn dials(peers: &Peers, node: &Node) -> bool {
    let am_reachable = peers.node(&peers.me).is_some_and(|me| me.url.is_some());
    node.name != peers.me && node.url.is_some() && (!am_reachable || peers.me < node.name)
}
