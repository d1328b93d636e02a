//! What the handle, the writer thread and the readers have in common. The locks here are held for a few instructions each.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::result::CheckResult;
use crate::model::time::UnixMillis;

/// Results that wait for the disk: 20 seconds of a thousand checks a second, about 6 MB. Beyond it the oldest is dropped and
/// counted, because the newest say more about now.
pub(super) const BUFFER_MAX: usize = 20_000;

/// Pings of each heartbeat that are kept until somebody says otherwise.
const N_PINGS: u32 = 1000;

/// Notices that nobody has fetched; beyond it the oldest is dropped.
const NOTICES_MAX: usize = 64;

/// "Nothing new to say" for [`Shared::alive`].
const NO_TICK: i64 = i64::MIN;

/// Something about the store itself that an operator should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreNotice {
    /// The database was found damaged while running, was set aside under this name, and a new one was begun.
    SetAside(String),
    /// The database's files were removed by somebody else; it was written anew from what was still open.
    Recreated,
    /// Somebody put another database in its place, perhaps a backup; that one is used now.
    Replaced,
    /// The database's file was gone when it was to be opened again after trouble; a new one was begun.
    Begun,
    /// The disk is full: state changes and messages still fit into the reserve, results wait in memory.
    DiskFull,
    /// There is room again.
    RoomAgain,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) path: PathBuf,
    pub(super) clock: Clock,
    buffer: Mutex<VecDeque<CheckResult>>,
    n_dropped: AtomicU64,
    alive: AtomicI64,
    /// Raised when the file behind `path` became another one; readers open theirs again.
    pub(super) generation: AtomicU64,
    /// A reader found damage; the writer sees to it.
    pub(super) suspect: AtomicBool,
    /// Moving the log into the database failed in the system's hands.
    pub(super) log_failed: AtomicBool,
    pub(super) closed: AtomicBool,
    /// Cancelled when the writer thread has ended.
    pub(super) ended: CancellationToken,
    notices: Mutex<VecDeque<StoreNotice>>,
    n_pings: AtomicU32,
    #[cfg(test)]
    pub(super) faults: super::tests::Faults,
}

impl Shared {
    pub(super) fn new(dir: PathBuf, path: PathBuf, clock: Clock) -> Shared {
        Shared {
            dir,
            path,
            clock,
            buffer: Mutex::new(VecDeque::new()),
            n_dropped: AtomicU64::new(0),
            alive: AtomicI64::new(NO_TICK),
            generation: AtomicU64::new(0),
            suspect: AtomicBool::new(false),
            log_failed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            ended: CancellationToken::new(),
            notices: Mutex::new(VecDeque::new()),
            n_pings: AtomicU32::new(N_PINGS),
            #[cfg(test)]
            faults: super::tests::Faults::default(),
        }
    }

    /// So many pings of each heartbeat are kept.
    pub(super) fn n_pings(&self) -> u32 {
        self.n_pings.load(Ordering::Relaxed)
    }

    pub(super) fn set_n_pings(&self, n_pings: u32) {
        self.n_pings.store(n_pings, Ordering::Relaxed);
    }

    /// Adds a result to those that wait. Never waits for the disk.
    pub(super) fn record(&self, result: CheckResult) {
        let mut buffer = locked(&self.buffer);
        let dropped = if buffer.len() < BUFFER_MAX { None } else { buffer.pop_front() };
        buffer.push_back(result);
        drop(buffer);
        if dropped.is_some() {
            self.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes all results that wait.
    pub(super) fn take_results(&self) -> VecDeque<CheckResult> {
        std::mem::take(&mut *locked(&self.buffer))
    }

    /// Puts results that could not be written back before newer ones.
    pub(super) fn put_back(&self, mut results: VecDeque<CheckResult>) {
        let mut buffer = locked(&self.buffer);
        results.append(&mut buffer);
        let excess = results.len().saturating_sub(BUFFER_MAX);
        results.drain(..excess);
        *buffer = results;
        drop(buffer);
        self.n_dropped.fetch_add(excess as u64, Ordering::Relaxed);
    }

    /// How many results were dropped unwritten since the start.
    pub(super) fn n_dropped(&self) -> u64 {
        self.n_dropped.load(Ordering::Relaxed)
    }

    pub(super) fn tick(&self, at: UnixMillis) {
        self.alive.store(at.0, Ordering::Relaxed);
    }

    /// The newest tick that was not taken yet.
    pub(super) fn take_tick(&self) -> Option<UnixMillis> {
        let at = self.alive.swap(NO_TICK, Ordering::Relaxed);
        (at != NO_TICK).then_some(UnixMillis(at))
    }

    pub(super) fn notice(&self, notice: StoreNotice) {
        let mut notices = locked(&self.notices);
        if NOTICES_MAX <= notices.len() {
            notices.pop_front();
        }
        notices.push_back(notice);
    }

    pub(super) fn take_notices(&self) -> Vec<StoreNotice> {
        locked(&self.notices).drain(..).collect()
    }
}

/// A panic while one of these locks is held leaves a list that is whole, so poison means nothing here.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
