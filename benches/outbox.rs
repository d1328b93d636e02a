//! What a storm costs: `cargo bench --bench outbox`. Prints figures beside what is aimed at; asserts none, because machines differ.
//!
//! The store is a real one in a temporary directory; channels are stood in for by a list, since what they take is theirs to answer for.
//! `VIGILMON_BENCH_ROWS` (100000) is how many messages wait, `VIGILMON_BENCH_STORM` (5000) how many come at once.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vigilmon::clock::Clock;
use vigilmon::config;
use vigilmon::config::Config;
use vigilmon::config::SourceText;
use vigilmon::config::Surroundings;
use vigilmon::model::change::StateChange;
use vigilmon::model::id::ChannelName;
use vigilmon::model::id::IncidentId;
use vigilmon::model::id::MonitorId;
use vigilmon::model::incident::Lane;
use vigilmon::model::notification::AlertFacts;
use vigilmon::model::notification::EventKind;
use vigilmon::model::notification::IncidentFacts;
use vigilmon::model::notification::Notification;
use vigilmon::model::notification::Subject;
use vigilmon::model::time::UnixMillis;
use vigilmon::model::verdict::Confidence;
use vigilmon::model::verdict::Verdict;
use vigilmon::notifier::Notifier;
use vigilmon::notifier::bundle::PARTS_MAX;
use vigilmon::notifier::error::SendError;
use vigilmon::notifier::former::Former;
use vigilmon::notifier::heard::Heard;
use vigilmon::notifier::outbox::LEASE;
use vigilmon::notifier::sink::Envelope;
use vigilmon::notifier::sink::Sink;
use vigilmon::store::Mark;
use vigilmon::store::OpenOptions;
use vigilmon::store::Store;

/// Channels of the storm: three for people, one for a system that takes every message by itself.
const CHANNELS: [&str; 4] = ["chat", "mail", "hook", "pager"];

/// Monitors whose messages wait, as in a large installation.
const MONITORS: usize = 1000;

/// How long a storm's first messages are waited for.
const STORM_MAX: Duration = Duration::from_secs(60);

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Nothing;

impl Surroundings for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Err("there are no files".to_owned())
    }
}

fn config() -> Arc<Config> {
    let text = "channels:\n\
        \x20 - { name: chat, discord: { url: \"https://discord.com/api/webhooks/1/x\" } }\n\
        \x20 - { name: mail, ntfy: { topic: x } }\n\
        \x20 - { name: hook, webhook: { url: \"https://ops.example.com\" } }\n\
        \x20 - { name: pager, alertmanager: { url: \"http://192.0.2.1:9093\" } }\n\
        monitors: [{ name: a, tcp: \"192.0.2.1:1\" }]\n";
    let source = SourceText { file: PathBuf::from("config.yaml"), text: text.to_owned() };
    Arc::new(config::load(&[source], &Nothing).unwrap_or_else(|problems| panic!("{}", problems[0])))
}

fn message(n: usize, monitor: usize, channel: &str, at: UnixMillis) -> Notification {
    let facts = IncidentFacts {
        incident: IncidentId::from_derived(&format!("incident{n}")),
        monitor: MonitorId::parse(&format!("monitor-{monitor}")).unwrap(),
        monitor_name: format!("[prod-us] service {monitor}"),
        group: Some("prod-us".to_owned()),
        target: format!("https://service-{monitor}.us.example.com/health"),
        status: Verdict::Down,
        started_at: at,
        duration: Duration::ZERO,
        cause: "the connection was accepted, no answer came within 10 s".to_owned(),
        cause_code: "timeout_first_byte".to_owned(),
        lane: Lane::Outage,
        closed: None,
        regions_failing: Vec::new(),
        regions_failed: Vec::new(),
        regions_fine: Vec::new(),
        regions_unknown: Vec::new(),
        confidence: Confidence::Full,
        n_voters: (1, 1),
        diagnosis: None,
        evidence: "connected to 203.0.113.7:443 in 12 ms".to_owned(),
        runbook: Some("https://wiki.example.com/runbooks/api".to_owned()),
        alert: AlertFacts::default(),
    };
    Notification {
        key: format!("{n:016x}{channel:0>16}"),
        channel: ChannelName::parse(channel).unwrap(),
        event: EventKind::Down,
        at,
        subject: Subject::Incident(Box::new(facts)),
        may_be_repeat: false,
    }
}

fn open(dir: &Path) -> Store {
    Store::open_with(dir, Clock::system(), OpenOptions { allow_network_fs: true }).unwrap().0
}

/// Resident memory of this process, in MiB.
fn rss() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

/// Takes everything, and notes when.
#[derive(Clone, Default)]
struct Taker(Arc<Mutex<Vec<(Instant, String, usize)>>>);

impl Sink for Taker {
    async fn send(&self, envelope: Envelope<'_>, _: &Heard) -> Result<(), SendError> {
        let channel = envelope.channel.name.to_string();
        self.0.lock().unwrap().push((Instant::now(), channel, envelope.told.len()));
        Ok(())
    }
}

/// Every monitor changes at once, each in a transaction of its own, as the engine commits them.
async fn storm(n: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let clock = Clock::system();
    let (_config, configs) = watch::channel(config());
    let (owed, taker, stop) = (Arc::new(Notify::new()), Taker::default(), CancellationToken::new());
    let notifier = Notifier {
        outbox: store.clone(),
        sink: taker.clone(),
        clock: clock.clone(),
        config: configs,
        owed: Arc::clone(&owed),
        secret: vigilmon::model::secret::Secret::new("secret"),
        shared: None,
        former: Former::default(),
        chance: || 0.5,
    };
    let running = tokio::spawn(notifier.run(stop.clone()));
    let at = clock.now().wall;
    let began = Instant::now();
    let commits = (0..n).map(|number| {
        let notifications = CHANNELS.map(|channel| message(number, number, channel, at)).to_vec();
        let (store, owed) = (store.clone(), Arc::clone(&owed));
        async move {
            store.commit(StateChange { notifications, ..StateChange::default() }).await.unwrap();
            owed.notify_one();
        }
    });
    futures_util::future::join_all(commits).await;
    let committed = Instant::now();
    println!(
        "{n} transitions for {} channels at once: in the outbox after {:.2} s; aim 1 s",
        CHANNELS.len(),
        (committed - began).as_secs_f64()
    );
    while committed.elapsed() < STORM_MAX {
        let told: BTreeSet<String> = taker.0.lock().unwrap().iter().map(|(_, channel, _)| channel.clone()).collect();
        if told.len() == CHANNELS.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Long enough for the first bundles.
    tokio::time::sleep(Duration::from_secs(13)).await;
    let mut told: BTreeMap<String, Vec<(Instant, usize)>> = BTreeMap::new();
    for (when, channel, n_told) in taker.0.lock().unwrap().clone() {
        told.entry(channel).or_default().push((when, n_told));
    }
    for (channel, messages) in told {
        let first = messages[0].0.duration_since(began).as_secs_f64();
        let n_told: usize = messages.iter().map(|(_, n)| n).sum();
        println!("  {channel}: first message after {first:.2} s (aim 5 s); {} messages told {n_told} of them by now", messages.len());
    }
    stop.cancel();
    running.await.unwrap();
    store.close().await;
}

/// What it costs that so many messages wait for a channel that does not take them.
async fn waiting(n_rows: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let at = Clock::system().now().wall;
    let before = rss();
    for chunk in (0..n_rows).collect::<Vec<usize>>().chunks(1000) {
        let notifications = chunk.iter().map(|n| message(*n, n % MONITORS, "chat", at)).collect();
        store.commit(StateChange { notifications, ..StateChange::default() }).await.unwrap();
    }
    let channel = ChannelName::parse("chat").unwrap();
    println!("{n_rows} messages of {MONITORS} monitors wait for one channel: {:.1} MiB more memory (aim under 100)", rss() - before);
    for (what, limit) in [("one", 1), ("a bundle", PARTS_MAX)] {
        let mut times = Vec::new();
        for _ in 0..20 {
            let began = Instant::now();
            let rows = store.outbox_claim(&channel, at, LEASE, limit).await.unwrap();
            times.push(began.elapsed());
            store.outbox_mark(rows.iter().map(|row| (row.id, Mark::Waits { next_at: at })).collect(), None).await.unwrap();
        }
        times.sort();
        println!("  claim of {what}: median {:.1} ms, slowest {:.1} ms", millis(times[10]), millis(times[19]));
    }
    let began = Instant::now();
    store.outbox_next_due(&channel).await.unwrap();
    let due = began.elapsed();
    store.outbox_backlog().await.unwrap();
    println!("  when the next is due: {:.1} ms; what is owed to whom: {:.1} ms", millis(due), millis(began.elapsed() - due));
    println!("  memory after that: {:.1} MiB more than before", rss() - before);
    store.close().await;
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    waiting(number("VIGILMON_BENCH_ROWS", 100_000)).await;
    storm(number("VIGILMON_BENCH_STORM", 5000)).await;
}
