//! Replicates keys and values between nodes and finds out who lives. The only user of chitchat.
//!
//! Each node writes its own keys; chitchat spreads them, also over nodes that are not linked with each other. Gossip alone takes a second
//! or two; so a change is also pushed to every linked node at once. Chitchat's task may end: it has assertions about what it
//! receives. Then it is begun again, with everything that was said, as a newer run of this node.

mod inbox;
mod transport;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use chitchat::ChitchatConfig;
use chitchat::ChitchatHandle;
use chitchat::ChitchatId;
use chitchat::FailureDetectorConfig;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::consensus::codec;
use crate::consensus::codec::Shards;
use crate::engine::event::Event;
use crate::model::id::NodeName;
use crate::model::peer::DeliveryFact;
use crate::model::peer::OperatorFact;
use crate::model::peer::PeerNews;
use crate::model::peer::Record;
use crate::model::peer::Said as OperatorSaid;
use crate::peer::gossip::inbox::Inbox;
use crate::peer::gossip::inbox::News;
use crate::peer::gossip::transport::LinkTransport;
use crate::peer::gossip::transport::address_of;
use crate::peer::port::Carrier;
use crate::peer::port::LinkEvent;

/// Suspicion at which a node counts as dead (Hayashibara et al., 2004); the library's default, measured in simulations.
const PHI: f64 = 8.0;

/// How long what a dead node said is kept; it is passed on for half of it, which is as long as messages are remembered.
const DEAD_KEPT: Duration = Duration::from_secs(144 * 3600);

/// How long deleted keys and facts about deliveries are kept.
const DELETED_KEPT: Duration = Duration::from_secs(72 * 3600);

/// Changes of so long are pushed together.
const PUSH_AFTER: Duration = Duration::from_millis(20);

/// Who lives is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Pause before a task that ended is begun again.
const BEGIN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Records of one piece of news at most.
const NEWS_MAX: usize = 512;

/// Hears of deliveries; the notifier.
pub type OnDelivery = Arc<dyn Fn(&NodeName, &DeliveryFact) + Send + Sync>;

/// Tells and hears. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gossip {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    me: NodeName,
    said: Mutex<Said>,
    wake: Notify,
    inbox: Arc<Inbox>,
}

/// Everything this node says, and what of it chitchat has not been told yet.
#[derive(Debug, Default)]
struct Said {
    shards: Shards,
    all: BTreeMap<String, String>,
    pending: BTreeMap<String, String>,
    wants_replay: bool,
}

/// What the task works with.
pub struct Parts {
    /// The cluster's name; nodes of another one are not spoken to.
    pub cluster: String,
    /// All nodes of the config, this one included.
    pub nodes: Vec<NodeName>,
    /// Which run of this node.
    pub generation: u64,
    /// Carries datagrams.
    pub carrier: Arc<dyn Carrier>,
    /// What links report.
    pub links: mpsc::Receiver<LinkEvent>,
    /// Where news goes.
    pub events: mpsc::Sender<Event>,
    /// Where deliveries go.
    pub on_delivery: OnDelivery,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gossip {
    /// Nothing is said yet.
    #[must_use]
    pub fn new(me: NodeName) -> Gossip {
        let shared = Shared { me, said: Mutex::default(), wake: Notify::new(), inbox: Arc::default() };
        Gossip { shared: Arc::new(shared) }
    }

    /// Says these records, as soon as somebody can hear them. Does not wait.
    pub fn tell(&self, records: Vec<Record>) {
        let mut said = locked(&self.shared.said);
        let mut opinions = Vec::new();
        for record in records {
            match record {
                Record::Opinion(opinion) => opinions.push(opinion),
                record @ (Record::Meta(_)
                | Record::Watermark(_)
                | Record::Epoch(_)
                | Record::Delivery(_)
                | Record::Ping(_)
                | Record::Operator(_)
                | Record::Forgotten(_)) => {
                    if let Some((key, value)) = codec::encode(&record) {
                        said.put(key, value);
                    }
                }
            }
        }
        for (key, value) in said.shards.put(opinions) {
            said.put(key, value);
        }
        drop(said);
        self.shared.wake.notify_one();
    }

    /// Tells everything again that all nodes say.
    pub fn replay(&self) {
        locked(&self.shared.said).wants_replay = true;
        self.shared.wake.notify_one();
    }

    /// Runs until `stop`.
    pub async fn run(self, mut parts: Parts, stop: CancellationToken) {
        let mut generation = parts.generation;
        let mut known = Known::default();
        while !stop.is_cancelled() {
            let transport = LinkTransport::new(&parts.nodes, Arc::clone(&parts.carrier));
            let initial: Vec<(String, String)> = {
                let mut said = locked(&self.shared.said);
                said.pending.clear();
                said.all.clone().into_iter().collect()
            };
            let config = self.config(&parts, generation);
            match chitchat::spawn_chitchat(config, initial, &transport).await {
                Err(error) => tracing::error!(%error, "gossip cannot begin: {error}"),
                Ok(handle) => {
                    let ended = tokio::select! {
                        () = stop.cancelled() => None,
                        ended = self.attend(&handle, &transport, &mut parts, &mut known) => Some(ended),
                    };
                    handle.abort();
                    if let Some(why) = ended {
                        tracing::error!(error = why, "gossip ended and begins again: {why}");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(BEGIN_AGAIN_AFTER) => {}
            }
            // A run that begins anew must be newer than the one before.
            generation += 1;
        }
    }

    fn config(&self, parts: &Parts, generation: u64) -> ChitchatConfig {
        let n = u32::try_from(parts.nodes.len()).unwrap_or(u32::MAX);
        let interval = Duration::from_secs(1).max(Duration::from_millis(100) * n);
        let address = address_of(&self.shared.me);
        ChitchatConfig {
            chitchat_id: ChitchatId::new(self.shared.me.as_str(), generation, address),
            cluster_id: parts.cluster.clone(),
            gossip_interval: interval,
            listen_addr: address,
            seed_nodes: parts.nodes.iter().filter(|node| **node != self.shared.me).map(|node| address_of(node).to_string()).collect(),
            failure_detector_config: FailureDetectorConfig {
                phi_threshold: PHI,
                initial_interval: interval,
                dead_node_grace_period: DEAD_KEPT,
                ..FailureDetectorConfig::default()
            },
            marked_for_deletion_grace_period: DELETED_KEPT,
            catchup_callback: None,
            extra_liveness_predicate: None,
        }
    }

    /// Serves one run of chitchat until it ends; says why it did.
    async fn attend(&self, handle: &ChitchatHandle, transport: &LinkTransport, parts: &mut Parts, known: &mut Known) -> String {
        let inbox = Arc::clone(&self.shared.inbox);
        let listener = {
            let inbox = Arc::clone(&inbox);
            let chitchat = handle.chitchat();
            let chitchat = chitchat.lock().await;
            chitchat.subscribe_event("", move |change| inbox.put(&change.node.node_id, change.node.generation_id, change.key, change.value))
        };
        let mut ended = std::pin::pin!(handle.termination_watcher());
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let why = loop {
            tokio::select! {
                ended = &mut ended => break ended.err().map_or_else(|| "it was stopped".to_owned(), |error| error.to_string()),
                Some(event) = parts.links.recv() => match event {
                    LinkEvent::Datagram(from, bytes) => transport.deliver(from, bytes),
                    LinkEvent::Up(node) => drop(handle.gossip(address_of(&node))),
                    LinkEvent::Down(_) => {}
                    LinkEvent::ClockOffsets(offsets) => known.pass_on(PeerNews::ClockOffsets(offsets), parts).await,
                },
                () = self.shared.wake.notified() => self.say(handle, parts).await,
                () = inbox.filled() => {}
                _ = look.tick() => self.look(handle, parts, known).await,
            }
            for news in inbox.drain() {
                known.hear(&self.shared.me, news, parts).await;
            }
            known.flush(parts).await;
        };
        drop(listener);
        why
    }

    /// Hands chitchat what is new and pushes it to everybody who is linked.
    async fn say(&self, handle: &ChitchatHandle, parts: &Parts) {
        tokio::time::sleep(PUSH_AFTER).await;
        let (pending, wants_replay) = {
            let mut said = locked(&self.shared.said);
            (std::mem::take(&mut said.pending), std::mem::take(&mut said.wants_replay))
        };
        let is_news = !pending.is_empty();
        handle
            .with_chitchat(|chitchat| {
                let state = chitchat.self_node_state();
                for (key, value) in &pending {
                    if is_passing(key, value) { state.set_with_ttl(key, value) } else { state.set(key, value) }
                }
                if wants_replay {
                    self.repeat(chitchat);
                }
            })
            .await;
        if is_news {
            for node in parts.carrier.linked() {
                // Fails only when the task has ended, which is noticed elsewhere.
                let _ = handle.gossip(address_of(&node));
            }
        }
    }

    fn repeat(&self, chitchat: &chitchat::Chitchat) {
        for (id, state) in chitchat.node_states() {
            for (key, value) in state.key_values() {
                self.shared.inbox.put(&id.node_id, id.generation_id, key, value);
            }
        }
    }

    async fn look(&self, handle: &ChitchatHandle, parts: &Parts, known: &mut Known) {
        let ids: Vec<(String, u64)> =
            handle.with_chitchat(|chitchat| chitchat.live_nodes().map(|id| (id.node_id.to_string(), id.generation_id)).collect()).await;
        let mut live = BTreeSet::new();
        for (name, generation) in ids {
            let name = parts.nodes.iter().find(|node| node.as_str() == name && **node != self.shared.me);
            if let Some(name) = name.filter(|name| known.newest.get(*name).is_none_or(|newest| *newest <= generation)) {
                live.insert(name.clone());
            }
        }
        if known.live.as_ref() != Some(&live) {
            known.live = Some(live.clone());
            known.pass_on(PeerNews::Live(live), parts).await;
        }
    }
}

impl Said {
    fn put(&mut self, key: String, value: String) {
        // What goes by itself may be gone, and whoever says it again knows of somebody who has not heard of it.
        if self.all.get(&key) != Some(&value) || (!key.starts_with("n/") && is_passing(&key, &value)) {
            self.pending.insert(key.clone(), value.clone());
            self.all.insert(key, value);
            self.forget_old_deliveries();
        }
    }

    /// Deliveries of long ago would be said again after each restart of the task; the newest are enough.
    fn forget_old_deliveries(&mut self) {
        const DELIVERIES_MAX: usize = 20_000;
        if self.all.len() <= DELIVERIES_MAX {
            return;
        }
        let n_deliveries = self.all.range("n/".to_owned().."n0".to_owned()).count();
        if DELIVERIES_MAX < n_deliveries
            && let Some(key) = self.all.range("n/".to_owned().."n0".to_owned()).next().map(|(key, _)| key.clone())
        {
            self.all.remove(&key);
        }
    }
}

/// Whether it is known for as long as it may be asked for, and then goes by itself: what was sent, and what operators said of alerts and
/// incidents that is over. A text that somebody took back is not over: it stands on the disk of a node that is away, and may be public there.
fn is_passing(key: &str, value: &str) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    let is_fact = |is_wanted: fn(&OperatorFact) -> bool| {
        let is_wanted = |record: &Record| matches!(record, Record::Operator(fact) if is_wanted(fact));
        codec::decode(key, value).is_ok_and(|records| records.iter().any(is_wanted))
    };
    if starts(&["a/", "s/silence/"]) {
        return is_fact(|fact| !fact.holds);
    }
    if starts(&["u/", "m/", "s/announce/"]) {
        return is_fact(|fact| !fact.holds && fact.said == OperatorSaid::Over);
    }
    key.starts_with("n/")
}

/// What the engine was told already.
#[derive(Debug, Default)]
struct Known {
    newest: BTreeMap<NodeName, u64>,
    live: Option<BTreeSet<NodeName>>,
    told: BTreeMap<NodeName, Vec<Record>>,
}

impl Known {
    async fn hear(&mut self, me: &NodeName, news: News, parts: &Parts) {
        let Some(node) = parts.nodes.iter().find(|node| node.as_str() == news.node).cloned() else { return };
        let is_fact = codec::is_fact(&news.key);
        if node == *me {
            // What earlier runs of this node said to others, and its disk may have forgotten.
            if !is_fact {
                return;
            }
        } else {
            let newest = self.newest.get(&node).copied();
            if newest.is_none_or(|newest| newest < news.generation) {
                self.newest.insert(node.clone(), news.generation);
                self.flush(parts).await;
                self.pass_on(PeerNews::Began(node.clone()), parts).await;
            } else if newest.is_some_and(|newest| news.generation < newest) && !is_fact {
                return;
            }
        }
        let records = match codec::decode(&news.key, &news.value) {
            Ok(records) => records,
            Err(error) => {
                tracing::debug!(peer = %node, %error, "`{node}` said something that cannot be read: {error}");
                return;
            }
        };
        for record in records {
            if let Record::Delivery(fact) = &record {
                (parts.on_delivery)(&node, fact);
                continue;
            }
            self.told.entry(node.clone()).or_default().push(record);
        }
        if self.told.get(&node).is_some_and(|told| NEWS_MAX <= told.len()) {
            self.flush(parts).await;
        }
    }

    async fn flush(&mut self, parts: &Parts) {
        for (node, records) in std::mem::take(&mut self.told) {
            self.pass_on(PeerNews::Told { node, records }, parts).await;
        }
    }

    async fn pass_on(&mut self, news: PeerNews, parts: &Parts) {
        // The engine is gone only when the program ends.
        let _ = parts.events.send(Event::Peers(news)).await;
    }
}

/// Reads an address back; for messages.
#[must_use]
pub fn is_virtual(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V6(address) if address.ip().octets()[0] == 0xfd)
}

#[cfg(test)]
mod tests;
