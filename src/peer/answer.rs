//! What nodes ask each other besides gossip: the history of a time in which one of them was away, what they measured, and who subscribed.
//!
//! | question | body | answer |
//! |---|---|---|
//! | `ping` | `{}` | `{}`: whoever answers is there, and not only its machine |
//! | `history` | `{"since": ms}` | `{"incidents": [[key, value], …], "verdicts": [[monitor, at, verdict], …]}` |
//! | `results` | `{"monitor": id}` | its newest result, the newest ones in small, and the response times of a day: `crate::peer::results` |
//! | `subscribers` | `{"after": n}` | `{"run": id, "to": n, "more": bool, "rows": […], "gone": […]}`: `crate::peer::subscribers` |
//! | `failed` | `{"monitor": id, "from": ms, "to": ms, "lane": word}` | in the same form the last bad result of an incident, while it is kept |
//!
//! Incidents travel in the form of epochs (`crate::consensus::codec`). What a node measured stays with it, and is asked for when
//! somebody looks at it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::consensus::codec;
use crate::consensus::identity;
use crate::engine::event::Event;
use crate::engine::handle::EngineHandle;
use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::peer::Cause;
use crate::model::peer::EpochFact;
use crate::model::peer::PeerNews;
use crate::model::peer::Record;
use crate::model::rollup::Resolution;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::peer::link::links::Links;
use crate::peer::port::Answers;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::peer::port::Carrier;
use crate::peer::results::Results;
use crate::peer::results::SEARCHED_MAX;
use crate::peer::results::SUMS_SPAN;
use crate::peer::results::Then;
use crate::peer::subscribers;
use crate::store::History;
use crate::store::IncidentFilter;
use crate::store::Store;

/// History goes back as far as pages show.
const SINCE_MAX: Duration = Duration::from_secs(90 * 86_400);

/// Incidents and verdicts of one answer; the newest count. A page of 90 days shows fewer.
const INCIDENTS_MAX: usize = 2000;
const VERDICTS_MAX: usize = 50_000;

/// Pause before the others are asked again when none could answer.
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// Before what a node knew last, a little is asked for again: clocks differ.
const OVERLAP: Duration = Duration::from_secs(300);

/// Answers, and asks.
#[derive(Debug, Clone)]
pub struct Desk {
    engine: EngineHandle,
    store: Store,
    links: Links,
    events: mpsc::Sender<Event>,
}

#[derive(Serialize, Deserialize)]
struct Since {
    since: i64,
}

#[derive(Serialize, Deserialize)]
struct Which {
    monitor: String,
}

/// The question for what a node measured of this monitor.
#[must_use]
pub fn ask_results(monitor: &MonitorId) -> Ask {
    // A text in an object: this cannot fail.
    let body = serde_json::to_vec(&Which { monitor: monitor.to_string() }).unwrap_or_default();
    Ask { about: "results".to_owned(), body: Bytes::from(body) }
}

#[derive(Serialize, Deserialize)]
struct WhichThen {
    monitor: String,
    from: i64,
    to: i64,
    lane: String,
}

/// The question for the last bad check of this monitor in an incident.
#[must_use]
pub fn ask_failed(monitor: &MonitorId, then: Then) -> Ask {
    let which = WhichThen { monitor: monitor.to_string(), from: then.from.0, to: then.to.0, lane: then.lane.word().to_owned() };
    // Texts and numbers in an object: this cannot fail.
    let body = serde_json::to_vec(&which).unwrap_or_default();
    Ask { about: "failed".to_owned(), body: Bytes::from(body) }
}

#[derive(Serialize, Deserialize)]
struct Page {
    incidents: Vec<(String, String)>,
    verdicts: Vec<(String, i64, String)>,
}

impl Answers for Desk {
    fn answer<'a>(&'a self, _from: &'a NodeName, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send + 'a>> {
        Box::pin(async move {
            match ask.about.as_str() {
                "history" => {
                    let Since { since } = serde_json::from_slice(&ask.body).map_err(|error| format!("that is no question: {error}"))?;
                    self.history(UnixMillis(since)).await
                }
                "ping" => Ok(Bytes::from_static(b"{}")),
                "results" => {
                    let Which { monitor } = serde_json::from_slice(&ask.body).map_err(|error| format!("that is no question: {error}"))?;
                    self.results(&MonitorId::parse(&monitor).map_err(|error| error.to_string())?).await
                }
                "failed" => {
                    let WhichThen { monitor, from, to, lane } =
                        serde_json::from_slice(&ask.body).map_err(|error| format!("that is no question: {error}"))?;
                    let monitor = MonitorId::parse(&monitor).map_err(|error| error.to_string())?;
                    let lane = Lane::ALL.into_iter().find(|known| known.word() == lane).ok_or("there is no such lane")?;
                    self.failed(&monitor, Then { from: UnixMillis(from), to: UnixMillis(to), lane }).await
                }
                subscribers::ABOUT => self.subscribers(subscribers::after(&ask)?).await,
                other => Err(format!("this version does not know the question `{}`", other.escape_default())),
            }
        })
    }
}

impl Desk {
    /// Answers from this engine and this store, asks over these links, and tells `events` when history came.
    #[must_use]
    pub fn new(engine: EngineHandle, store: Store, links: Links, events: mpsc::Sender<Event>) -> Desk {
        Desk { engine, store, links, events }
    }

    async fn history(&self, since: UnixMillis) -> Result<Bytes, String> {
        let snapshot = self.engine.snapshot();
        let now = snapshot.at;
        let since = since.max(now.minus(SINCE_MAX));
        let me = snapshot.cluster.as_ref().map(|cluster| cluster.me.clone()).ok_or("there is no cluster")?;
        let filter = IncidentFilter { since: Some(since), limit: INCIDENTS_MAX, ..IncidentFilter::default() };
        let incidents = self.store.incidents(&filter).await.map_err(|error| error.to_string())?;
        let ids: Vec<MonitorId> = snapshot.config.monitors.iter().map(|monitor| monitor.id.clone()).collect();
        let mut verdicts = self.store.verdicts(&ids, since, now).await.map_err(|error| error.to_string())?;
        let n_over = verdicts.len().saturating_sub(VERDICTS_MAX);
        verdicts.drain(..n_over);
        let page = Page {
            incidents: incidents.iter().filter_map(|incident| codec::encode(&fact(incident, &me)?)).collect(),
            verdicts: verdicts.into_iter().map(|v| (v.monitor.to_string(), v.at.0, v.verdict.word().to_owned())).collect(),
        };
        serde_json::to_vec(&page).map(Bytes::from).map_err(|error| error.to_string())
    }

    async fn results(&self, monitor: &MonitorId) -> Result<Bytes, String> {
        let snapshot = self.engine.snapshot();
        let view = snapshot.monitors.get(monitor).ok_or("this monitor is not configured here")?;
        let now = snapshot.at;
        // Without a database there is still the present to tell.
        let rollups = self.store.rollups(monitor, Resolution::FiveMinutes, now.minus(SUMS_SPAN), now).await.unwrap_or_default();
        Ok(Results::of(view, &rollups).encode(now))
    }

    async fn failed(&self, monitor: &MonitorId, then: Then) -> Result<Bytes, String> {
        let now = self.engine.snapshot().at;
        let found = self.store.results(monitor, then.from, then.to, SEARCHED_MAX).await.map_err(|error| error.to_string())?;
        Ok(Results::failed(&found, then.lane).encode(now))
    }

    async fn subscribers(&self, after: i64) -> Result<Bytes, String> {
        let part = self.store.subscribers_since(after, self.engine.snapshot().at).await.map_err(|error| error.to_string())?;
        // With another run, or another database in the middle of one, changes are counted anew.
        subscribers::encode(&format!("{}.{}", self.links.generation(), self.store.generation()), &part)
    }

    /// Fetches history whenever it is missed, until `stop`.
    pub async fn refill(self, mut wanted: watch::Receiver<Option<UnixMillis>>, stop: CancellationToken) {
        loop {
            let since = *wanted.borrow_and_update();
            if let Some(since) = since {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.fetch(since) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = wanted.changed() => {
                    if changed.is_err() {
                        return stop.cancelled().await;
                    }
                }
            }
        }
    }

    async fn fetch(&self, since: UnixMillis) {
        loop {
            for node in self.links.linked() {
                match self.fetch_from(&node, since).await {
                    Ok(n_incidents) => {
                        tracing::info!(peer = %node, n_incidents, "`{node}` told what happened since {}", since.rfc3339());
                        let _ = self.events.send(Event::Peers(PeerNews::Refilled)).await;
                        return;
                    }
                    Err(why) => tracing::debug!(peer = %node, "`{node}` could not tell what happened: {why}"),
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn fetch_from(&self, node: &NodeName, since: UnixMillis) -> Result<usize, String> {
        let now = self.engine.snapshot().at;
        let from = since.minus(OVERLAP).max(now.minus(SINCE_MAX));
        let body = serde_json::to_vec(&Since { since: from.0 }).map_err(|error| error.to_string())?;
        let ask = Ask { about: "history".to_owned(), body: Bytes::from(body) };
        let answer = self.links.ask(node, ask).await.map_err(|error| error.to_string())?;
        let page: Page = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let cluster = self.engine.snapshot().cluster.as_ref().map(|cluster| cluster.name.clone()).unwrap_or_default();
        let incidents: Vec<Incident> = page.incidents.iter().filter_map(|(key, value)| incident(&cluster, key, value)).collect();
        let n_incidents = incidents.len();
        let verdicts = page.verdicts.iter().filter_map(verdict).collect();
        self.store.merge_history(History { from, to: now, incidents, verdicts }).await.map_err(|error| error.to_string())?;
        Ok(n_incidents)
    }
}

/// Asks a node whether it is there; the caller measures how long that takes.
///
/// # Errors
/// [`AskError`].
pub async fn ping(links: &Links, node: &NodeName) -> Result<(), AskError> {
    let ask = Ask { about: "ping".to_owned(), body: Bytes::from_static(b"{}") };
    links.ask(node, ask).await.map(drop)
}

/// An incident that is over, in the form that travels.
fn fact(incident: &Incident, me: &NodeName) -> Option<Record> {
    let closed = incident.closed?;
    Some(Record::Epoch(Box::new(EpochFact {
        monitor: incident.monitor.clone(),
        incident: Some(incident.id.clone()),
        lane: incident.lane,
        epoch: incident.epoch.next(),
        monitor_name: incident.monitor_name.clone(),
        opened_at: incident.opened_at,
        confirmed_at: incident.confirmed_at,
        closed: Some(closed),
        before: None,
        cause: Cause::of(&incident.cause),
        regions: incident.regions.clone(),
        confidence: incident.confidence,
        diagnosis: incident.diagnosis,
        by: me.clone(),
        at: closed.at,
    })))
}

fn incident(cluster: &str, key: &str, value: &str) -> Option<Incident> {
    let records = codec::decode(key, value).ok()?;
    let Record::Epoch(fact) = records.into_iter().next()? else { return None };
    let epoch = crate::model::incident::Epoch(fact.epoch.0.checked_sub(1)?);
    epoch.is_open().then(|| Incident {
        id: fact.incident.clone().unwrap_or_else(|| identity::incident_id(cluster, &fact.monitor, fact.lane, epoch)),
        monitor: fact.monitor.clone(),
        monitor_name: fact.monitor_name.clone(),
        lane: fact.lane,
        epoch,
        opened_at: fact.opened_at,
        confirmed_at: fact.confirmed_at,
        closed: fact.closed,
        cause: fact.cause.clone().into_failure(),
        regions: fact.regions.clone(),
        confidence: fact.confidence,
        diagnosis: fact.diagnosis,
        evidence: Vec::new(),
    })
}

fn verdict((monitor, at, word): &(String, i64, String)) -> Option<VerdictChange> {
    let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.word() == word)?;
    Some(VerdictChange { monitor: MonitorId::parse(monitor).ok()?, at: UnixMillis(*at), verdict })
}
