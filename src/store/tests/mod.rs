//! Tests of the store as a whole, on real files. Nothing sleeps: `flush` says when results have been written.

mod deliveries;
mod faults;
mod methods;
mod opening;
mod queue;
mod shared_subscribers;
mod subscribers;
mod together;

use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ffi;
use tempfile::TempDir;

use crate::clock::Clock;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::Streak;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::store::OpenError;
use crate::store::OpenOptions;
use crate::store::Opened;
use crate::store::Store;
use crate::store::StoreRetention;

/// Faults that a test plans.
#[derive(Debug)]
pub(super) struct Faults {
    /// The commit that fails: 1 is the next one, 0 and less none.
    commit: AtomicI64,
    /// Extended code of that failure.
    code: AtomicI64,
    /// Pages that the database may have; 0 is no limit.
    pages_max: AtomicU32,
    /// So many new databases cannot be begun.
    begins: AtomicI64,
}

impl Default for Faults {
    fn default() -> Faults {
        Faults {
            commit: AtomicI64::new(0),
            code: AtomicI64::new(i64::from(ffi::SQLITE_IOERR_FSYNC)),
            pages_max: AtomicU32::new(0),
            begins: AtomicI64::new(0),
        }
    }
}

impl Faults {
    /// The n-th commit from now fails with this extended code.
    pub(super) fn fail_commit(&self, n: i64, code: i32) {
        self.code.store(i64::from(code), Ordering::SeqCst);
        self.commit.store(n, Ordering::SeqCst);
    }

    /// Begins to count commits.
    pub(super) fn begin_count(&self) {
        self.commit.store(0, Ordering::SeqCst);
    }

    /// Commits since then.
    pub(super) fn n_commits(&self) -> i64 {
        -self.commit.load(Ordering::SeqCst)
    }

    /// Limits the size of the database from the next time it is opened on.
    pub(super) fn limit_pages(&self, pages: u32) {
        self.pages_max.store(pages, Ordering::SeqCst);
    }

    /// The next n new databases cannot be begun.
    pub(super) fn fail_begins(&self, n: i64) {
        self.begins.store(n, Ordering::SeqCst);
    }

    /// Called by the writer when a new database was begun.
    pub(super) fn after_begin(&self) -> rusqlite::Result<()> {
        if 0 < self.begins.fetch_sub(1, Ordering::SeqCst) {
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some("planned by a test".to_owned())));
        }
        Ok(())
    }

    /// Called by the writer before each COMMIT.
    pub(super) fn before_commit(&self) -> rusqlite::Result<()> {
        if self.commit.fetch_sub(1, Ordering::SeqCst) == 1 {
            let code = i32::try_from(self.code.load(Ordering::SeqCst)).unwrap_or(ffi::SQLITE_IOERR);
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("planned by a test".to_owned())));
        }
        Ok(())
    }

    /// Called by the writer for each connection it opens.
    pub(super) fn after_open(&self, conn: &Connection) -> rusqlite::Result<()> {
        let pages = self.pages_max.load(Ordering::SeqCst);
        if pages == 0 { Ok(()) } else { conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())) }
    }
}

/// A whole number of hours, so that stretches of time are easy to see in a test.
pub(super) const T0: UnixMillis = UnixMillis(1_800_000_000_000);

/// Keeps everything.
pub(super) const RETENTION: StoreRetention = StoreRetention {
    results: Duration::from_secs(7 * 86_400),
    rollup_5m: Duration::from_secs(90 * 86_400),
    rollup_1h: Duration::from_secs(730 * 86_400),
    db_bytes_max: 1 << 40,
    n_pings: 1000,
};

/// A directory with a store in it.
pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) clock: Clock,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Fixture { dir, clock: Clock::manual(Now { wall: T0, mono: Mono(0) }) }
    }

    pub(super) fn open(&self) -> Store {
        self.try_open().expect("opens").0
    }

    pub(super) fn try_open(&self) -> Result<(Store, Opened), OpenError> {
        // Tests may run on whatever the temporary directory is on.
        Store::open_with(self.dir.path(), self.clock.clone(), OpenOptions { allow_network_fs: true })
    }

    pub(super) fn db(&self) -> PathBuf {
        self.dir.path().join("vigilmon.db")
    }

    /// What a crash at this moment would leave: the files as they are, in another directory.
    pub(super) fn crashed(&self) -> Fixture {
        let copy = Fixture::new();
        for name in ["vigilmon.db", "vigilmon.db-wal"] {
            let from = self.dir.path().join(name);
            if from.exists() {
                std::fs::copy(&from, copy.dir.path().join(name)).expect("copies");
            }
        }
        copy
    }

    pub(super) fn names(&self) -> Vec<String> {
        names(self.dir.path())
    }
}

pub(super) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(super) fn id(text: &str) -> MonitorId {
    MonitorId::parse(text).expect("an id")
}

pub(super) fn channel(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("a name")
}

pub(super) fn at(offset_ms: i64) -> UnixMillis {
    UnixMillis(T0.0 + offset_ms)
}

pub(super) fn result(monitor: &str, when: UnixMillis, outcome: Outcome, total_us: u64) -> CheckResult {
    let failure = (outcome != Outcome::Up).then(|| Failure::Status { got: 503, expected: "2xx".to_owned() });
    let part = |n: u64| Some(Duration::from_micros(total_us * n / 10));
    CheckResult {
        monitor: id(monitor),
        at: when,
        outcome,
        transcript: Transcript { lines: failure.iter().map(|f| f.to_string()).collect(), n_dropped: 0 },
        failure,
        timings: Timings {
            dns: part(1),
            connect: part(2),
            tls: part(3),
            first_byte: part(3),
            transfer: None,
            total: Duration::from_micros(total_us),
        },
        status: Some(if outcome == Outcome::Up { 200 } else { 503 }),
        remote: Some("192.0.2.7".parse().expect("an address")),
        certificate_not_after: Some(at(86_400_000)),
    }
}

pub(super) fn state(monitor: &str, n: u32) -> MonitorState {
    MonitorState {
        monitor: id(monitor),
        probe_hash: n,
        opinion: Opinion { state: OpinionState::Up, since: T0, failure: None },
        streak: Streak::default(),
        verdict: Verdict::Up,
        verdict_since: T0,
        outage: Epoch(u64::from(n)),
        degradation: Epoch(0),
        regional: Epoch(0),
        paused_at: None,
        told: std::collections::BTreeSet::new(),
        alerts: Vec::new(),
        owed_end: None,
        remote: None,
        warned: None,
    }
}

pub(super) fn state_change(monitor: &str, n: u32) -> StateChange {
    StateChange { states: vec![state(monitor, n)], ..StateChange::default() }
}

pub(super) fn incident(name: &str, monitor: &str, opened_at: UnixMillis) -> Incident {
    Incident {
        id: IncidentId::from_derived(name),
        monitor: id(monitor),
        monitor_name: format!("Name of {monitor}"),
        lane: Lane::Outage,
        epoch: Epoch(1),
        opened_at,
        confirmed_at: opened_at + Duration::from_secs(30),
        closed: None,
        cause: Failure::Refused { at: "192.0.2.7:443".to_owned() },
        regions: RegionView::default(),
        confidence: Confidence::Full,
        diagnosis: None,
        evidence: vec!["first".to_owned(), "second".to_owned()],
    }
}

pub(super) fn notification(key: &str, to: &str, monitor: &str, event: EventKind) -> Notification {
    let facts = IncidentFacts {
        incident: IncidentId::from_derived(&format!("incident-of-{monitor}")),
        monitor: id(monitor),
        monitor_name: monitor.to_owned(),
        group: None,
        target: "https://a.example".to_owned(),
        status: Verdict::Down,
        started_at: T0,
        duration: Duration::from_secs(60),
        cause: "connection refused".to_owned(),
        cause_code: "refused".to_owned(),
        lane: Lane::Outage,
        closed: None,
        regions_failing: Vec::new(),
        regions_failed: Vec::new(),
        regions_fine: Vec::new(),
        regions_unknown: Vec::new(),
        confidence: Confidence::Full,
        n_voters: (1, 1),
        diagnosis: None,
        evidence: String::new(),
        runbook: None,
        alert: crate::model::notification::AlertFacts::default(),
    };
    Notification {
        key: key.to_owned(),
        channel: channel(to),
        event,
        at: T0,
        subject: Subject::Incident(Box::new(facts)),
        may_be_repeat: false,
    }
}

pub(super) fn owed(notifications: Vec<Notification>) -> StateChange {
    StateChange { notifications, ..StateChange::default() }
}

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}
