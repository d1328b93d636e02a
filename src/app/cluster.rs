//! The cluster's part in starting: which run this is, what earlier runs left, and what is wired to what.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::watch;

use crate::app::start::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::Peers;
use crate::consensus::codec;
use crate::engine::core::own::KEPT_UNDER;
use crate::engine::event::Event;
use crate::engine::handle::EngineHandle;
use crate::http::PeerParts;
use crate::model::change::StoredFact;
use crate::model::incident::Incident;
use crate::model::peer::DeliveryFact;
use crate::model::peer::DeliveryStep;
use crate::model::peer::Record;
use crate::notifier::shared::Shared;
use crate::peer::answer::Desk;
use crate::peer::cluster::Cluster;
use crate::peer::link::links::Identity;
use crate::peer::link::links::Links;
use crate::peer::link::websocket::WebSocketWire;
use crate::store::DeliveryFilter;
use crate::store::DeliveryState;
use crate::store::ReadError;
use crate::store::Store;
use crate::supervise::Jobs;
use crate::supervise::Supervisor;
use tokio_util::sync::CancellationToken;

/// The value under which the number of the newest run is kept.
const GENERATION: &str = "generation";

/// Messages about one incident that are looked through: an opening and an end for more channels than anybody has.
const DELIVERIES_MAX: usize = 200;

/// What is wired to a cluster.
pub(super) struct Around {
    pub(super) engine: EngineHandle,
    pub(super) store: Store,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) configs: watch::Receiver<Arc<Config>>,
}

/// The parts of the cluster. The number of this run is on the disk before anybody hears it: a run that is not newer than the one
/// before would not be believed.
pub(super) async fn begin(peers: &Peers, store: &Store, clock: &Clock, supervisor: &Supervisor) -> Result<Cluster, StartError> {
    let before: u64 = store.value(GENERATION).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let by_clock = u64::try_from(clock.now().wall.0).unwrap_or(0);
    let generation = (before + 1).max(by_clock);
    store.value_put(GENERATION, &generation.to_string()).await?;
    let identity = Identity { generation, version: crate::app::version_text() };
    Ok(Cluster::new(peers.clone(), identity, clock.clone(), Jobs::new(supervisor.stopping())))
}

/// What earlier runs left, sorted: what the engine remembers, and what was sent. What cannot be read is left out, loudly.
pub(super) fn facts(stored: &[StoredFact]) -> (Vec<Record>, Vec<DeliveryFact>) {
    let (mut facts, mut sent) = (Vec::new(), Vec::new());
    for fact in stored.iter().filter(|fact| !fact.key.starts_with(KEPT_UNDER)) {
        match codec::decode(&fact.key, &fact.value) {
            Ok(records) => {
                for record in records {
                    match record {
                        Record::Delivery(delivery) => sent.push(delivery),
                        fact @ (Record::Meta(_)
                        | Record::Watermark(_)
                        | Record::Opinion(_)
                        | Record::Epoch(_)
                        | Record::Ping(_)
                        | Record::Operator(_)
                        | Record::Forgotten(_)) => facts.push(fact),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "a fact of the cluster cannot be read and is left out: {error}"),
        }
    }
    (facts, sent)
}

/// What people were told of the incidents that are open. Others are to know, also when it was told before there were peers: then nobody
/// wrote a fact of it.
pub(super) async fn told(store: &Store, open: &[Incident]) -> Result<Vec<DeliveryFact>, ReadError> {
    let mut told = Vec::new();
    for incident in open {
        for delivery in store.deliveries(&DeliveryFilter::Incident(incident.id.clone()), DELIVERIES_MAX).await? {
            if let DeliveryState::Sent(at) = delivery.state {
                told.push(DeliveryFact { key: delivery.key, step: DeliveryStep::Sent { at }, called: delivery.called });
            }
        }
    }
    Ok(told)
}

/// What the notifiers share.
pub(super) fn shared(cluster: &Cluster, sent: Vec<DeliveryFact>, config: &Config, clock: &Clock) -> Shared {
    let me = config.peers.as_ref().map(|peers| peers.me.clone());
    let me = me.unwrap_or_else(|| cluster.rosters().borrow().me.clone());
    let shared = Shared::new(me, clock.clone(), cluster.voice(), cluster.rosters());
    shared.remember(sent);
    shared
}

/// Begins to dial and to speak; gives the server what it needs to let others in.
pub(super) fn start(cluster: Cluster, shared: Shared, around: Around, supervisor: &mut Supervisor) -> PeerParts {
    let (links, rosters) = (cluster.links(), cluster.rosters());
    let desk = Desk::new(around.engine, around.store, links.clone(), around.events.clone());
    links.answer_with(Arc::new(desk.clone()));
    supervisor.task("history of peers", desk.refill(cluster.refills(), supervisor.stopping()));
    let heard = shared.clone();
    cluster.start(Arc::new(WebSocketWire), around.events, Arc::new(move |node, fact| heard.heard(node, fact)), supervisor);
    supervisor.task("config of peers", follow(links.clone(), around.configs, supervisor.stopping()));
    PeerParts { links, jobs: Jobs::new(supervisor.stopping()), rosters }
}

/// Tells the links of secrets and addresses that changed.
async fn follow(links: Links, mut configs: watch::Receiver<Arc<Config>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = configs.changed() => {
                if changed.is_err() {
                    return stop.cancelled().await;
                }
            }
        }
        let peers = configs.borrow_and_update().peers.clone();
        if let Some(peers) = peers {
            links.configure(peers);
        }
    }
}
