//! One node: the product's own engine, committer, links, gossip and notifier, on a simulated network, with a disk in memory, checks that
//! look at the simulated world, and a receiver in it.

use std::future::Future;
use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vigilmon::clock::Clock;
use vigilmon::config;
use vigilmon::config::Config;
use vigilmon::config::SourceText;
use vigilmon::config::Surroundings;
use vigilmon::engine::committer;
use vigilmon::engine::core::Beginning;
use vigilmon::engine::core::Core;
use vigilmon::engine::event::Event;
use vigilmon::engine::event::Observed;
use vigilmon::engine::handle::Request;
use vigilmon::engine::ping;
use vigilmon::engine::ping::PingRequest;
use vigilmon::engine::shell::Checks;
use vigilmon::engine::shell::EVENTS_MAX;
use vigilmon::engine::shell::Shell;
use vigilmon::engine::snapshot::ReloadView;
use vigilmon::engine::snapshot::Snapshot;
use vigilmon::model::id::NodeName;
use vigilmon::model::monitor::Monitor;
use vigilmon::model::net::HostPort;
use vigilmon::model::notification::Subject;
use vigilmon::model::peer::Node;
use vigilmon::model::peer::Record;
use vigilmon::model::result::CheckResult;
use vigilmon::model::result::Failure;
use vigilmon::model::result::Outcome;
use vigilmon::model::result::RecentResults;
use vigilmon::model::result::Timings;
use vigilmon::model::result::Transcript;
use vigilmon::model::secret::Secret;
use vigilmon::model::time::Mono;
use vigilmon::model::time::Now;
use vigilmon::model::time::UnixMillis;
use vigilmon::notifier::Notifier;
use vigilmon::notifier::error::SendError;
use vigilmon::notifier::former::Former;
use vigilmon::notifier::heard::Heard;
use vigilmon::notifier::shared::Shared;
use vigilmon::notifier::sink::Envelope;
use vigilmon::notifier::sink::Sink;
use vigilmon::peer::cluster::Cluster;
use vigilmon::peer::link::links::AcceptHint;
use vigilmon::peer::link::links::Identity;
use vigilmon::peer::link::links::Links;
use vigilmon::peer::link::wire::BoxedStream;
use vigilmon::peer::link::wire::Wire;
use vigilmon::rules::uplink::Round;
use vigilmon::supervise::Jobs;
use vigilmon::supervise::Supervisor;

use crate::disk::Disk;
use crate::script::JOB_GRACE;
use crate::script::JOB_INTERVAL;
use crate::world::Delivery;
use crate::world::World;
use crate::world::elapsed;
use crate::world::node_name;

/// Wall time at the beginning of the world.
pub const START_MS: i64 = 1_800_000_000_000;

/// How far a cut-off node's checks get before they give up.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What nobody has acknowledged by then is told again.
pub const AGAIN_AFTER: Duration = Duration::from_secs(40);

/// Where nodes listen.
const PORT: u16 = 7000;

/// Who is in the world.
#[derive(Debug, Clone)]
pub struct Plan {
    pub n_nodes: usize,
    pub n_monitors: usize,
    /// Nodes that can only dial.
    pub dial_only: Vec<usize>,
    /// How far each clock is ahead, in milliseconds.
    pub skew_ms: Vec<i64>,
    /// Whether what nobody acknowledges is told again.
    pub has_policy: bool,
}

impl Plan {
    /// Nodes that others can dial.
    pub fn dialed(&self) -> impl Iterator<Item = usize> {
        (0..self.n_nodes).filter(|node| !self.dial_only.contains(node))
    }
}

/// What a running node is reached by.
#[derive(Debug, Clone)]
pub struct Door {
    pub events: mpsc::Sender<Event>,
    pub requests: mpsc::Sender<Request>,
    pub pings: mpsc::Sender<PingRequest>,
    pub pictures: watch::Receiver<Arc<Snapshot>>,
    pub stop: CancellationToken,
}

/// One node's place in the world: what outlives its process.
#[derive(Debug, Clone)]
pub struct Place {
    pub node: usize,
    pub plan: Arc<Plan>,
    pub disk: Disk,
    pub door: Arc<Mutex<Option<Door>>>,
    /// Which config it has.
    pub edition: Arc<AtomicU64>,
}

struct Around(String);

impl Surroundings for Around {
    fn env(&self, name: &str) -> Option<String> {
        (name == "VIGILMON_NODE").then(|| self.0.clone())
    }

    fn file(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Err("there are no files".to_owned())
    }
}

/// The config of this edition: in the second one, the first monitor looks at something else.
pub fn config(plan: &Plan, node: usize, edition: u64) -> Config {
    let mut text = "peers:\n  cluster: sim\n  secret: 0123456789abcdef0123456789abcdef\n  solo_after: 60s\n  nodes:\n".to_owned();
    for other in 0..plan.n_nodes {
        let name = node_name(other);
        let url = if plan.dial_only.contains(&other) { String::new() } else { format!(", url: \"ws://{name}:{PORT}/peer\"") };
        text.push_str(&format!("    - {{ name: {name}, region: {name}{url} }}\n"));
    }
    text.push_str("uplink: { probes: [tcp://1.1.1.1:443, tcp://9.9.9.9:443] }\n");
    let on = if plan.has_policy { ", reminder, acknowledged" } else { "" };
    text.push_str(&format!(
        "channels: [{{ name: ops, webhook: \"https://ops.example.com\", on: [down, degraded, recovered, regional{on}] }}]\n"
    ));
    if plan.has_policy {
        let again = AGAIN_AFTER.as_secs();
        text.push_str("policies: [{ name: p, monitors: \"m?\", steps: [{ channels: ops }, ");
        text.push_str(&format!("{{ after: {again}s, channels: ops, unless: acknowledged }}] }}]\n"));
    }
    text.push_str("defaults: { interval: 10s, timeout: 2s, channels: [ops], partial: { after: 20s }, ");
    text.push_str("confirm: { failures: 2, successes: 2, recheck: 2s } }\nmonitors:\n");
    for monitor in 0..plan.n_monitors {
        let port = if monitor == 0 { 1 + edition } else { 1 };
        text.push_str(&format!("  - {{ name: m{monitor}, tcp: \"m{monitor}.example.com:{port}\" }}\n"));
    }
    // Pinged now and then, and never so seldom that it would be missed, whatever becomes of nodes and lines.
    text.push_str("  - { name: nightly, heartbeat: { interval: 1h, grace: 10m, first_ping: optional } }\n");
    let (interval, grace) = (JOB_INTERVAL.as_secs(), JOB_GRACE.as_secs());
    text.push_str(&format!("  - {{ name: job, heartbeat: {{ interval: {interval}s, grace: {grace}s, first_ping: optional }} }}\n"));
    let source = SourceText { file: PathBuf::from("config.yaml"), text };
    config::load(&[source], &Around(node_name(node))).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

/// How a config came to be.
pub fn reload_view(edition: u64) -> ReloadView {
    ReloadView {
        active_hash: format!("edition {edition}"),
        active_since: UnixMillis(START_MS),
        is_last_good_copy: false,
        problems: Vec::new(),
        checked_at: UnixMillis(START_MS),
        needs_restart: Vec::new(),
        recent: Vec::new(),
    }
}

/// Looks at the simulated world.
#[derive(Clone)]
struct Looker {
    world: Arc<World>,
    node: usize,
    clock: Clock,
    events: mpsc::Sender<Event>,
    jobs: Jobs,
}

impl Checks for Looker {
    fn check(&self, number: u64, monitor: Arc<Monitor>) {
        let looker = self.clone();
        self.jobs.start(async move {
            let began = looker.clock.now();
            let took = looker.world.dice(|dice| dice.millis(20, 200));
            tokio::time::sleep(took).await;
            let which: usize = monitor.id.as_str()[1..].parse().expect("monitors are numbered");
            let is_down = looker.world.looks_down(which, looker.node);
            if !looker.world.has_uplink(looker.node) {
                tokio::time::sleep(CHECK_TIMEOUT.saturating_sub(took)).await;
            }
            let result = CheckResult {
                monitor: monitor.id.clone(),
                at: began.wall,
                outcome: if is_down { Outcome::Down } else { Outcome::Up },
                failure: is_down.then(|| Failure::Refused { at: "93.184.216.34:1".to_owned() }),
                timings: Timings::default(),
                status: None,
                remote: Some("93.184.216.34".parse().expect("an address")),
                certificate_not_after: None,
                transcript: Transcript::default(),
            };
            let _ = looker.events.send(Event::Observed(Observed { number, began: began.mono, result })).await;
        });
    }

    fn ask_controls(&self, controls: Vec<HostPort>) {
        let looker = self.clone();
        self.jobs.start(async move {
            let began = looker.clock.now();
            let took = looker.world.dice(|dice| dice.millis(10, 60));
            tokio::time::sleep(took).await;
            let works = looker.world.has_uplink(looker.node);
            if !works {
                tokio::time::sleep(CHECK_TIMEOUT).await;
            }
            let n_ok = if works { controls.len() } else { 0 };
            let round = Round { began: began.mono, began_wall: began.wall, n_ok, n_asked: controls.len() };
            let _ = looker.events.send(Event::ControlsDone(round)).await;
        });
    }
}

/// Calls the simulated receiver.
struct Caller {
    world: Arc<World>,
    node: usize,
}

impl Sink for Caller {
    async fn send(&self, envelope: Envelope<'_>, _: &Heard) -> Result<(), SendError> {
        self.world.is_sending(self.node);
        let (there, back) = self.world.dice(|dice| (dice.millis(10, 150), dice.millis(10, 150)));
        tokio::time::sleep(there).await;
        if !self.world.has_uplink(self.node) {
            return Err(SendError::Transient("unreachable".to_owned()));
        }
        // What is told in one counts as all that it tells, in order.
        let told = envelope.told.iter().filter_map(|told| {
            let Subject::Incident(facts) = &told.subject else { return None };
            Some(Delivery { at: elapsed(), node: self.node, key: told.key.clone(), event: told.event, incident: facts.incident.clone() })
        });
        let taken: Vec<bool> = told.map(|delivery| self.world.receive(delivery)).collect();
        let is_taken = !taken.contains(&false);
        tokio::time::sleep(back).await;
        if is_taken { Ok(()) } else { Err(SendError::Transient("answered 503".to_owned())) }
    }
}

/// Streams of the simulated network.
struct Streams;

impl Wire for Streams {
    fn dial<'a>(&'a self, node: &'a Node, _me: &'a NodeName) -> Pin<Box<dyn Future<Output = Result<BoxedStream, String>> + Send + 'a>> {
        Box::pin(async move {
            let stream = turmoil::net::TcpStream::connect((node.name.as_str(), PORT)).await.map_err(|error| error.to_string())?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}

async fn let_in(listener: turmoil::net::TcpListener, links: Links, stop: CancellationToken) {
    let jobs = Jobs::new(stop.clone());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else { continue };
        let links = links.clone();
        let hint = AcceptHint { node: None, from: from.to_string() };
        jobs.start(async move { links.accept(Box::new(stream), hint).await });
    }
}

fn clock_of(place: &Place) -> Clock {
    let passed = elapsed();
    Clock::simulated(Now { wall: UnixMillis(START_MS + place.plan.skew_ms[place.node]) + passed, mono: Mono(1_000_000_000) + passed })
}

/// What earlier runs left on the disk.
fn beginning(disk: &Disk, config: &Arc<Config>, facts: Vec<Record>, edition: u64) -> Beginning {
    disk.with(|kept| Beginning {
        cluster: "sim".to_owned(),
        config: Arc::clone(config),
        reload: Arc::new(reload_view(edition)),
        states: kept.states.values().cloned().collect(),
        incidents: kept.incidents.values().filter(|incident| incident.closed.is_none()).cloned().collect(),
        recent: RecentResults::new(),
        last_alive: kept.last_alive,
        facts,
        beats: kept.beats.values().cloned().collect(),
        unfed: kept.unfed(),
        last_ping: kept.pings.last().map(|entry| (entry.stamp.sequence, entry.stamp.at)),
        version: "simulated".to_owned(),
        own: Vec::new(),
    })
}

/// Runs a node until it is asked to stop, or killed.
pub async fn run(place: Place) -> turmoil::Result {
    let clock = clock_of(&place);
    let edition = place.edition.load(std::sync::atomic::Ordering::Relaxed);
    let config = Arc::new(config(&place.plan, place.node, edition));
    let peers = config.peers.clone().expect("there is a cluster");
    let mut supervisor = Supervisor::new();
    let stop = CancellationToken::new();
    let disk = place.disk.clone();
    let generation = disk.with(|kept| {
        kept.generation = (kept.generation + 1).max(u64::try_from(clock.now().wall.0).unwrap_or(0));
        kept.generation
    });
    let (events, heard) = mpsc::channel(EVENTS_MAX);
    let (requests, asked) = mpsc::channel(16);
    let owed = Arc::new(Notify::new());
    let identity = Identity { generation, version: "simulated".to_owned() };
    let cluster = Cluster::new(peers, identity, clock.clone(), Jobs::new(supervisor.stopping()));

    let (facts, sent): (Vec<Record>, Vec<Record>) = disk.records().into_iter().partition(|record| !matches!(record, Record::Delivery(_)));
    let sent = sent.into_iter().filter_map(|record| if let Record::Delivery(fact) = record { Some(fact) } else { None }).collect();
    let shared = Shared::new(cluster.rosters().borrow().me.clone(), clock.clone(), cluster.voice(), cluster.rosters());
    shared.remember(sent);
    let now = clock.now();
    let beginning = beginning(&disk, &config, facts, edition);
    let (mut core, first) = Core::new(beginning, now);
    let (pictures, shown) = watch::channel(Arc::new(core.snapshot(now)));
    let (commits, jobs) = mpsc::channel(committer::QUEUE_MAX);
    let (pings, pinged) = mpsc::channel(16);
    let (keeper, to_keep) = mpsc::channel(16);
    supervisor.task("pings", ping::run(to_keep, disk.clone(), events.clone()));
    let (_configs, active) = watch::channel(Arc::clone(&config));
    let looker = Looker {
        world: Arc::clone(&disk.world),
        node: place.node,
        clock: clock.clone(),
        events: events.clone(),
        jobs: Jobs::new(supervisor.stopping()),
    };
    let shell = Shell {
        core,
        clock: clock.clone(),
        events: heard,
        requests: asked,
        pings: pinged,
        keeper,
        runner: looker,
        store: disk.clone(),
        commits,
        announce: cluster.voice(),
        pictures,
        pulse: Arc::new(AtomicU64::new(0)),
    };
    supervisor.task("engine", shell.run(first, supervisor.stopping()));
    supervisor.task("committer", committer::run(jobs, disk.clone(), Arc::clone(&owed), cluster.voice(), supervisor.stopping()));
    let sink = Caller { world: Arc::clone(&disk.world), node: place.node };
    let (secret, shared_too) = (Secret::new("simulated"), Some(shared.clone()));
    let (outbox, former, chance) = (disk.clone(), Former::default(), || 0.5);
    let notifier = Notifier { outbox, sink, clock, config: active, owed, secret, shared: shared_too, former, chance };
    supervisor.task("notifier", notifier.run(supervisor.stopping()));
    let listener = turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?;
    supervisor.task("listener", let_in(listener, cluster.links(), supervisor.stopping()));
    cluster.start(Arc::new(Streams), events.clone(), Arc::new(move |node, fact| shared.heard(node, fact)), &mut supervisor);
    let door = Door { events, requests, pings, pictures: shown, stop: stop.clone() };
    *place.door.lock().unwrap_or_else(PoisonError::into_inner) = Some(door);
    let ended = supervisor.run(async move { stop.cancelled().await }, Duration::from_secs(15)).await;
    *place.door.lock().unwrap_or_else(PoisonError::into_inner) = None;
    ended.map_err(Into::into)
}
