//! What the store costs: `cargo bench --bench store`. Prints one line per figure; nothing is judged.
#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use vigilmon::clock::Clock;
use vigilmon::model::change::MonitorState;
use vigilmon::model::change::StateChange;
use vigilmon::model::change::Streak;
use vigilmon::model::id::MonitorId;
use vigilmon::model::incident::Epoch;
use vigilmon::model::result::CheckResult;
use vigilmon::model::result::Outcome;
use vigilmon::model::result::Timings;
use vigilmon::model::result::Transcript;
use vigilmon::model::rollup::Resolution;
use vigilmon::model::time::UnixMillis;
use vigilmon::model::verdict::Opinion;
use vigilmon::model::verdict::OpinionState;
use vigilmon::model::verdict::Verdict;
use vigilmon::store::OpenOptions;
use vigilmon::store::Store;
use vigilmon::store::StoreRetention;

const T0: i64 = 1_800_000_000_000;
const MONITORS: usize = 1000;

const RETENTION: StoreRetention = StoreRetention {
    results: Duration::from_secs(7 * 86_400),
    rollup_5m: Duration::from_secs(90 * 86_400),
    rollup_1h: Duration::from_secs(730 * 86_400),
    db_bytes_max: 1 << 40,
    n_pings: 1000,
};

fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Wall and processor time of something.
async fn measured<T>(what: impl Future<Output = T>) -> (Duration, Duration, T) {
    let clock = Clock::system();
    let (wall, before) = (clock.now().mono, cpu());
    let value = what.await;
    (clock.now().mono.since(wall), cpu() - before, value)
}

fn monitors() -> Vec<MonitorId> {
    (0..MONITORS).map(|n| MonitorId::parse(&format!("monitor-number-{n}")).expect("an id")).collect()
}

fn result(monitor: &MonitorId, at: i64, n: u64) -> CheckResult {
    // Spread like real latencies, without a random generator.
    let mut dice = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut us = |mean: u64| {
        dice ^= dice >> 29;
        dice = dice.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Some(Duration::from_micros(mean / 2 + (dice >> 40) % mean))
    };
    let (dns, connect, tls, first_byte, transfer) = (us(1500), us(12_000), us(25_000), us(40_000), us(900));
    let total: Duration = [dns, connect, tls, first_byte, transfer].into_iter().flatten().sum();
    CheckResult {
        monitor: monitor.clone(),
        at: UnixMillis(at + i64::try_from(n % 7).unwrap_or(0)),
        outcome: Outcome::Up,
        failure: None,
        timings: Timings { dns, connect, tls, first_byte, transfer, total: total + Duration::from_micros(90) },
        status: Some(200),
        remote: Some("192.0.2.7".parse().expect("an address")),
        certificate_not_after: Some(UnixMillis(T0 + 86_400_000 * 60)),
        transcript: Transcript::default(),
    }
}

fn state(monitor: &MonitorId, n: u64) -> StateChange {
    let since = UnixMillis(T0);
    let state = MonitorState {
        monitor: monitor.clone(),
        probe_hash: 1,
        opinion: Opinion { state: OpinionState::Up, since, failure: None },
        streak: Streak::default(),
        verdict: Verdict::Up,
        verdict_since: since,
        outage: Epoch(n),
        degradation: Epoch(0),
        regional: Epoch(0),
        paused_at: None,
        told: std::collections::BTreeSet::new(),
        alerts: Vec::new(),
        owed_end: None,
        remote: None,
        warned: None,
    };
    StateChange { states: vec![state], ..StateChange::default() }
}

fn open(dir: &Path) -> Store {
    Store::open_with(dir, Clock::system(), OpenOptions { allow_network_fs: true }).expect("opens").0
}

/// A million results at an interval, packed every simulated minute.
async fn million(interval_s: i64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let monitors = monitors();
    let rounds = 1_000_000 / MONITORS;
    let (mut recording, mut packing, mut wall, mut slowest) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut making = Duration::ZERO;
    let mut n = 0_u64;
    for round in 0..rounds {
        let at = T0 + i64::try_from(round).unwrap_or(0) * interval_s * 1000;
        let before = cpu();
        let results: Vec<CheckResult> = monitors
            .iter()
            .map(|monitor| {
                n += 1;
                result(monitor, at, n)
            })
            .collect();
        making += cpu() - before;
        let (took, spent, ()) = measured(async {
            for result in results {
                store.record(result);
            }
            store.flush().await.expect("flushes");
        })
        .await;
        recording += spent;
        wall += took;
        if interval_s * i64::try_from(round).unwrap_or(0) % 60 < interval_s {
            let (took, spent, ()) = measured(async { store.maintain(UnixMillis(at), RETENTION).await.expect("maintains") }).await;
            packing += spent;
            slowest = slowest.max(took);
        }
    }
    let end = UnixMillis(T0 + (i64::try_from(rounds).unwrap_or(0) * interval_s + 7200) * 1000);
    let slowest_commit = commits_during_maintenance(&store, &monitors, end).await;
    println!("  slowest durable change during the last maintenance: {} ms", slowest_commit.as_millis());
    store.close().await;
    drop(store);
    let bytes = std::fs::metadata(dir.path().join("vigilmon.db")).expect("is there").len();
    println!("{MONITORS} monitors every {interval_s} s, a million results:");
    println!("  recorded: {:.0}/s, {:.2} µs CPU each", 1e6 / wall.as_secs_f64(), recording.as_secs_f64());
    println!("  packed and summed up: {:.2} µs CPU each; longest maintenance {} ms", packing.as_secs_f64(), slowest.as_millis());
    println!("  database after packing: {:.1} MB", bytes as f64 / 1e6);
    println!("  (making the results, not counted: {:.2} µs)", making.as_secs_f64());
    let store = open(dir.path());
    let (took, _, loaded) = measured(store.load()).await;
    println!("  load: {} ms, {} monitors", took.as_millis(), loaded.expect("loads").recent.len());
    let day = (UnixMillis(T0), end);
    let (took, _, found) = measured(store.results(&monitors[500], day.0, day.1, 1000)).await;
    println!("  newest {} results of one monitor: {} µs", found.expect("reads").len(), took.as_micros());
    let (took, _, found) = measured(store.rollups(&monitors[500], Resolution::FiveMinutes, day.0, day.1)).await;
    println!("  {} five-minute sums of one monitor: {} µs", found.expect("reads").len(), took.as_micros());
    store.close().await;
}

/// The slowest of the changes that are made while a large maintenance runs.
async fn commits_during_maintenance(store: &Store, monitors: &[MonitorId], end: UnixMillis) -> Duration {
    let is_done = Cell::new(false);
    {
        let committing = async {
            let mut slowest = Duration::ZERO;
            let mut n = 0;
            while !is_done.get() || n < MONITORS as u64 {
                let monitor = &monitors[usize::try_from(n).unwrap_or(0) % MONITORS];
                let (took, _, done) = measured(store.commit(state(monitor, n))).await;
                done.expect("commits");
                slowest = slowest.max(took);
                n += 1;
            }
            slowest
        };
        let maintaining = async {
            store.maintain(end, RETENTION).await.expect("maintains");
            is_done.set(true);
        };
        tokio::join!(committing, maintaining).0
    }
}

async fn commits(n_at_once: usize, n_each: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let monitors = monitors();
    let (took, spent, ()) = measured(async {
        for n in 0..n_each {
            // Changes are sent before the first is awaited, as tasks would.
            let mut waiting: Vec<_> = monitors[..n_at_once].iter().map(|monitor| Box::pin(store.commit(state(monitor, n)))).collect();
            let all = std::future::poll_fn(|cx| {
                waiting.retain_mut(|commit| match commit.as_mut().poll(cx) {
                    std::task::Poll::Ready(done) => {
                        done.expect("commits");
                        false
                    }
                    std::task::Poll::Pending => true,
                });
                if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            });
            all.await;
        }
    })
    .await;
    let n = n_each * n_at_once as u64;
    println!(
        "{n_at_once} committing at once: {:.0} durable changes/s, {:.1} µs CPU each",
        n as f64 / took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / n as f64
    );
    store.close().await;
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    for interval_s in [1, 30, 60] {
        million(interval_s).await;
    }
    commits(1, 3000).await;
    commits(32, 1000).await;
    commits(256, 200).await;
    let dir = tempfile::tempdir().expect("a directory");
    let (took, _, store) = measured(async { open(dir.path()) }).await;
    println!("first start with an empty directory: {} ms", took.as_millis());
    store.close().await;
    drop(store);
    let (took, _, store) = measured(async { open(dir.path()) }).await;
    println!("next start: {} ms", took.as_millis());
    store.close().await;
}
