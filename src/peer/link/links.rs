//! All links of a node: who dials whom, who is let in, and what pages show of it.
//!
//! One link per pair. A node without a URL dials everybody who has one; of two with URLs the one whose name is lower dials. Of two runs
//! of one node the newer one wins, so that a restart replaces what it left; a run that is older and comes back is a second instance
//! under the same name, and is told so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
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
use crate::peer::link::frame;
use crate::peer::link::frame::Frame;
use crate::peer::link::frame::Hello;
use crate::peer::link::frame::WIRE_VERSION;
use crate::peer::link::keys;
use crate::peer::link::session::Desk;
use crate::peer::link::session::Session;
use crate::peer::link::session::plain;
use crate::peer::link::session::printable;
use crate::peer::link::session::read_frame;
use crate::peer::link::tls;
use crate::peer::link::wire::BoxedStream;
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

/// A handshake that takes longer will not end.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes of strangers under way at once: each costs a signature, and a flood must not take a core.
const HANDSHAKES_MAX: usize = 16;

/// How long the other side is given to hear why it gets no link, and how much it may say meanwhile.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
const FAREWELL_BYTES_MAX: u64 = 256 * 1024;

/// The first redial comes after half of this to twice this.
const REDIAL_FIRST: Duration = Duration::from_secs(1);

/// And never after more than this: while two nodes do not see each other each may tell people of the same thing, so they are not to
/// stay apart for longer than they must. An attempt costs a few packets.
const REDIAL_MAX: Duration = Duration::from_secs(15);

/// A link that lasted this long was a good one: the next redial is the first again.
const GOOD_AFTER: Duration = Duration::from_secs(60);

/// The same trouble with the same stranger is said once, until it has been quiet for so long: who is refused comes again every minute.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// And shown for so long after the last time: three of the longest pauses between redials.
const SHOWN_FOR: Duration = Duration::from_secs(180);

/// Troubles that are remembered for that.
const SAID_MAX: usize = 256;

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

    async fn keep_dialing(&self, wire: &dyn Wire, node: &Node) {
        let mut pause = REDIAL_FIRST;
        loop {
            self.until_free(&node.name).await;
            let began = self.inner.clock.now().mono;
            let me = self.peers().me.clone();
            let dialed = match tokio::time::timeout(HANDSHAKE_TIMEOUT, wire.dial(node, &me)).await {
                Ok(dialed) => dialed,
                Err(_) => Err("it does not answer".to_owned()),
            };
            let why = match dialed {
                Ok(stream) => self.dialed(stream, node).await,
                Err(why) => why,
            };
            self.note_down(&node.name, why);
            let lasted = self.inner.clock.now().mono.since(began);
            pause = if GOOD_AFTER <= lasted { REDIAL_FIRST } else { pause };
            tokio::time::sleep(pause.mul_f64(0.5 + 1.5 * chance()).min(REDIAL_MAX)).await;
            pause = (pause * 2).min(REDIAL_MAX);
        }
    }

    /// A link that a node made to us meanwhile is as good as one of ours.
    async fn until_free(&self, node: &NodeName) {
        loop {
            let Some(free) = locked(&self.inner.slots).get(node).map(|slot| Arc::clone(&slot.free)) else { return };
            // Listened to before looking, so that an end in between is heard.
            let freed = free.notified();
            if locked(&self.inner.slots).get(node).is_none_or(|slot| slot.up.is_none()) {
                return;
            }
            freed.await;
        }
    }

    async fn dialed(&self, stream: BoxedStream, node: &Node) -> String {
        let peers = self.peers();
        let refused = |error: &dyn std::fmt::Display| format!("the handshake failed: {error}");
        let Some(seed) = keys::own_seed(&peers) else { return "this node has no key".to_owned() };
        let config = match tls::client(&seed, &keys::accepted(&peers, node)) {
            Ok(config) => config,
            Err(error) => return refused(&error),
        };
        let Some(name) = tls::name() else { return "this node has no key".to_owned() };
        let connector = tokio_rustls::TlsConnector::from(config);
        let mut stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, connector.connect(name, stream).into_fallible()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, stream))) => {
                let is_wrong = is_wrong_key(&error);
                say_no(stream).await;
                let node = &node.name;
                return if is_wrong {
                    format!("`{node}` presented another key: `peers.secret` differs between the two, or its `key` is wrong")
                } else {
                    refused(&error)
                };
            }
            Err(_) => return refused(&"it took too long"),
        };
        let hello = match self.greet(&mut stream, &peers).await {
            Ok(hello) => hello,
            Err(why) => return why,
        };
        let address = node.url.as_ref().map(ToString::to_string).unwrap_or_default();
        match self.check(&hello, &peers, &node.name) {
            Err(NotTaken { why, .. }) => refuse(&mut stream, why).await,
            Ok(()) => self.hold(stream, &node.name, &hello, (true, address)).await,
        }
    }

    /// Dials over a stream that a test made.
    #[cfg(test)]
    pub(super) async fn dial_for_test(&self, stream: BoxedStream, node: &Node) -> String {
        self.dialed(stream, node).await
    }

    /// Takes a stream that somebody else made, proves who it is, and carries the link until it ends.
    pub async fn accept(&self, stream: BoxedStream, hint: AcceptHint) {
        let Ok(_place) = self.inner.strangers.try_acquire() else {
            return self.say(&hint, "too many handshakes at once".into());
        };
        let peers = self.peers();
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.admit(stream, &peers)).await {
            Err(_) => self.say(&hint, "the handshake took too long".into()),
            Ok(Err(NotAdmitted::Key)) => self.say(&hint, stranger(&hint, &peers).into()),
            Ok(Err(NotAdmitted::Other(why))) => self.say(&hint, why.into()),
            Ok(Ok((mut stream, name, hello))) => {
                drop(_place);
                match self.check(&hello, &peers, &name) {
                    Err(not) => {
                        let why = not.why.clone();
                        if !self.note_down(&name, why.clone()) {
                            self.say(&hint, not);
                        }
                        refuse(&mut stream, why).await;
                    }
                    Ok(()) => {
                        let why = self.hold(stream, &name, &hello, (false, hint.from)).await;
                        self.note_down(&name, why);
                    }
                }
            }
        }
    }

    async fn admit(
        &self,
        stream: BoxedStream,
        peers: &Peers,
    ) -> Result<(tokio_rustls::server::TlsStream<BoxedStream>, NodeName, Hello), NotAdmitted> {
        let other = |error: &dyn std::fmt::Display| NotAdmitted::Other(format!("the handshake failed: {error}"));
        let seed = keys::own_seed(peers).ok_or_else(|| other(&"this node has no key"))?;
        let known: BTreeMap<Vec<u8>, NodeName> = peers
            .nodes
            .iter()
            .filter(|node| node.name != peers.me)
            .flat_map(|node| keys::accepted(peers, node).into_iter().map(|key| (keys::spki(key), node.name.clone())))
            .collect();
        let accepted: Vec<_> =
            peers.nodes.iter().filter(|node| node.name != peers.me).flat_map(|node| keys::accepted(peers, node)).collect();
        let config = tls::server(&seed, &accepted).map_err(|error| other(&error))?;
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let mut stream = match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => stream,
            Err((error, stream)) => {
                say_no(stream).await;
                return Err(if is_wrong_key(&error) { NotAdmitted::Key } else { other(&error) });
            }
        };
        let presented = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
        let name = presented.and_then(|key| known.get(key.as_ref())).cloned().ok_or(NotAdmitted::Key)?;
        let hello = self.greet(&mut stream, peers).await.map_err(NotAdmitted::Other)?;
        Ok((stream, name, hello))
    }

    /// Both sides say who they are.
    async fn greet(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), peers: &Peers) -> Result<Hello, String> {
        let own = Hello {
            wire: WIRE_VERSION,
            cluster: peers.cluster.clone(),
            node: peers.me.to_string(),
            generation: self.inner.identity.generation,
            version: self.inner.identity.version.clone(),
        };
        let broken = |error: std::io::Error| {
            // The other side says no to a key by ending the handshake, which shows here only.
            let error = plain(&error);
            format!("the other side ended the handshake ({error}): `peers.secret` differs between the two, or it does not know this node")
        };
        stream.write_all(&frame::encode(&Frame::Hello(own))).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, read_frame(stream)).await {
            Ok(Ok((Some(Frame::Hello(hello)), _))) => Ok(hello),
            Ok(Ok((Some(Frame::Close(why)), _))) => Err(printable(&why)),
            Ok(Ok(_)) => Err("it did not say who it is".to_owned()),
            Ok(Err(why)) => Err(format!("{why}: `peers.secret` differs between the two, or it does not know this node")),
            Err(_) => Err("it did not say who it is in time".to_owned()),
        }
    }

    fn check(&self, hello: &Hello, peers: &Peers, proved: &NodeName) -> Result<(), NotTaken> {
        let name = printable(&hello.node);
        if hello.wire != WIRE_VERSION {
            let (theirs, ours) = (hello.wire, WIRE_VERSION);
            return Err(format!("`{name}` speaks version {theirs} of the link, this node {ours}: run the same release on both").into());
        }
        if hello.cluster != peers.cluster {
            let cluster = printable(&hello.cluster);
            return Err(format!("`{name}` belongs to the cluster `{cluster}`, this node to `{}`", peers.cluster).into());
        }
        if hello.node != proved.as_str() {
            return Err(format!("`{name}` presented the key of `{proved}`").into());
        }
        let slots = locked(&self.inner.slots);
        let up = slots.get(proved).and_then(|slot| slot.up.as_ref());
        if up.is_some_and(|up| hello.generation < up.generation) {
            return Err(NotTaken { why: format!("two instances call themselves `{proved}`: stop one of them"), is_twin: true });
        }
        Ok(())
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

    /// Says a stranger's trouble, once as long as it lasts.
    fn say(&self, hint: &AcceptHint, not: NotTaken) {
        let now = self.inner.clock.now();
        let (node, from) = (hint.node.as_deref().map(printable), printable(&hint.from));
        let key = format!("{node:?} {}", not.why);
        let mut said = locked(&self.inner.said);
        said.retain(|_, (at, _)| now.mono.since(*at) < SAY_AGAIN);
        if said.len() == SAID_MAX && !said.contains_key(&key) {
            return;
        }
        let refused = RefusedLink { at: now.wall, node, from, why: not.why, is_twin: not.is_twin };
        let text = format!("a link from {} was refused: {}", refused.from, refused.why);
        if said.insert(key, (now.mono, refused)).is_none() {
            tracing::warn!("{text}");
        }
    }

    /// Links that were refused lately, the newest first.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedLink> {
        let now = self.inner.clock.now().mono;
        let said = locked(&self.inner.said);
        let mut lately: Vec<&(Mono, RefusedLink)> = said.values().filter(|(at, _)| now.since(*at) < SHOWN_FOR).collect();
        lately.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        lately.into_iter().map(|(_, refused)| refused.clone()).collect()
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

/// Why a stranger was not let in.
enum NotAdmitted {
    /// Its key is nobody's, or ours is not the one it knows.
    Key,
    Other(String),
}

/// Why somebody who proved to be a node gets no link.
struct NotTaken {
    why: String,
    is_twin: bool,
}

impl From<String> for NotTaken {
    fn from(why: String) -> NotTaken {
        NotTaken { why, is_twin: false }
    }
}

impl From<&str> for NotTaken {
    fn from(why: &str) -> NotTaken {
        why.to_owned().into()
    }
}

fn stranger(hint: &AcceptHint, peers: &Peers) -> String {
    match hint.node.as_deref().map(printable) {
        Some(name) if peers.nodes.iter().any(|node| node.name.as_str() == name) => {
            format!("`{name}` presented another key: `peers.secret` differs between the two, or its `key` is wrong")
        }
        Some(name) => format!("it calls itself `{name}`, which is not in `peers.nodes`"),
        None => "its key belongs to no node of `peers.nodes`".to_owned(),
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

/// Whether the other side's key is not the one that is pinned, or ours is not the one that is pinned there.
fn is_wrong_key(error: &std::io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    use rustls::Error;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(
        inner,
        Some(
            Error::InvalidCertificate(_)
                | Error::NoCertificatesPresented
                // What rustls sends when its verifier says no.
                | Error::AlertReceived(Alert::AccessDenied | Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnknownCA)
        )
    )
}

/// Tells the other side why, and lets it go.
async fn refuse(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), why: String) -> String {
    let told = async {
        stream.write_all(&frame::encode(&Frame::Close(why.clone()))).await?;
        let_go(stream).await
    };
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, told).await;
    why
}

/// Lets go of a stream on which a handshake failed. What TLS has to say about it may still lie in the layers below, and the other side
/// is to know that it is about keys.
async fn say_no(mut stream: BoxedStream) {
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, let_go(&mut stream)).await;
}

/// Sends what is left and waits until the other side has closed too: a connection that is dropped with something unread is reset, and
/// then what was said last may never be read.
async fn let_go(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(FAREWELL_BYTES_MAX), &mut tokio::io::sink()).await.map(drop)
}

/// A number from 0 (inclusive) to 1; a half when the system has no randomness to give.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(1 << 31)) / (f64::from(u32::MAX) + 1.0)
}
