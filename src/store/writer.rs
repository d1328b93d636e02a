//! The one thread that writes. It takes everything that waits, does it in one transaction, and answers when the commit returned:
//! a hundred changes that arrive together cost one fsync.
//! What it does in trouble is in `recover`.

use std::any::Any;
use std::collections::VecDeque;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::result::CheckResult;
use crate::model::time::UnixMillis;
use crate::store::checkpoint::Checkpointer;
use crate::store::checkpoint::Mode;
use crate::store::checkpoint::checkpoint;
use crate::store::desk::Desk;
use crate::store::error::CommitError;
use crate::store::error::Trouble;
use crate::store::error::alone;
use crate::store::error::trouble;
use crate::store::files;
use crate::store::history::record;
use crate::store::shared::Shared;
use crate::store::work::Duty;
use crate::store::work::Message;
use crate::store::work::Work;

/// How long results wait for company.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Most pieces of work in one transaction: keeps the wait of the first one short when thousands arrive at once.
const BATCH_MAX: usize = 256;

/// Attempts to get a lock that somebody else holds; each waits for SQLite's busy timeout of 5 s. Checks go on meanwhile.
const BUSY_ATTEMPTS: u32 = 3;

/// The log is moved into the database when it is longer than this.
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// Beyond this the writer does it itself and lets commits wait: beside steady writing the log is never moved as a whole, so that
/// it could grow for ever.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Everything that goes into one transaction besides the work.
struct Extras {
    results: VecDeque<CheckResult>,
    tick: Option<UnixMillis>,
}

/// The thread's own state.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    /// `None` after trouble, until it is opened again.
    pub(super) desk: Option<Desk>,
    /// The log may hold parts that are not on the disk although SQLite was told so once; it must be begun anew before anything is promised.
    pub(super) must_restart_log: bool,
    /// The reserve is in use: only what is promised is written.
    pub(super) is_disk_full: bool,
    pub(super) identities: Identities,
    /// A damaged database that was set aside and has no successor yet.
    pub(super) rescued: Option<PathBuf>,
    checkpointer: Option<Checkpointer>,
    /// Held until the end.
    _lock: File,
}

/// Which files are open: database and log.
pub(super) type Identities = [Option<(u64, u64)>; 2];

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, desk: Desk, lock: File) -> Writer {
        let mut writer = Writer {
            checkpointer: Checkpointer::start(shared.clone()),
            shared,
            desk: Some(desk),
            must_restart_log: false,
            is_disk_full: false,
            identities: [None; 2],
            rescued: None,
            _lock: lock,
        };
        writer.identities = writer.look();
        writer
    }

    /// Works until it is told to close or every handle is gone.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        let shared = self.shared.clone();
        let closing = std::panic::catch_unwind(AssertUnwindSafe(|| self.work(queue)));
        shared.closed.store(true, Ordering::Relaxed);
        let reply = closing.unwrap_or_else(|panic| {
            tracing::error!(error = panic_text(panic.as_ref()), "the thread that writes the database panicked");
            None
        });
        if let Some(checkpointer) = self.checkpointer.take() {
            checkpointer.end();
        }
        if let Some(desk) = &self.desk {
            let _ = desk.conn.execute_batch("PRAGMA optimize");
            let _ = checkpoint(&desk.conn, Mode::Truncate);
        }
        self.put_back();
        drop(self);
        shared.ended.cancel();
        if let Some(reply) = reply {
            let _ = reply.send(());
        }
    }

    fn work(&mut self, queue: &Receiver<Message>) -> Option<oneshot::Sender<()>> {
        loop {
            let mut batch: Vec<Box<dyn Work>> = Vec::new();
            let mut closing = None;
            let mut inspections = Vec::new();
            let mut next = match queue.recv_timeout(FLUSH_EVERY) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.write(batch);
                    return None;
                }
            };
            while let Some(message) = next {
                match message {
                    Message::Work(work) => batch.push(work),
                    Message::Inspect(reply) => inspections.push(reply),
                    Message::Close(reply) => closing = Some(reply),
                }
                let has_room = batch.len() < BATCH_MAX && closing.is_none();
                next = if has_room { queue.try_recv().ok() } else { None };
            }
            if self.shared.suspect.swap(false, Ordering::Relaxed) {
                self.mend();
            }
            if self.shared.log_failed.swap(false, Ordering::Relaxed) {
                self.desk = None;
                self.must_restart_log = true;
            }
            self.write(batch);
            for reply in inspections {
                self.inspect();
                let _ = reply.send(());
            }
            if closing.is_some() {
                return closing;
            }
            self.tidy_log();
        }
    }

    /// Writes a batch and answers all of it.
    fn write(&mut self, mut batch: Vec<Box<dyn Work>>) {
        self.look_for_room();
        if self.is_disk_full {
            let bulk = batch.extract_if(.., |work| work.duty() == Duty::Bulk);
            bulk.for_each(|work| work.answer(Err(CommitError::Failed("the disk is full".to_owned()))));
        }
        let mut extras = self.extras();
        if batch.is_empty() && extras.results.is_empty() && extras.tick.is_none() {
            return;
        }
        let mut outcome = self.attempt(&mut batch, &extras);
        if let Err(error) = &outcome
            && self.recover(error)
        {
            if self.is_disk_full {
                self.shared.put_back(std::mem::take(&mut extras.results));
            }
            outcome = self.attempt(&mut batch, &extras);
            if let Err(error) = &outcome {
                self.recover(error);
            }
        }
        match outcome {
            Ok(outcomes) => {
                for (work, outcome) in batch.into_iter().zip(outcomes) {
                    work.answer(outcome);
                }
            }
            Err(error) => {
                tracing::error!(%error, n_changes = batch.len(), "the database did not take a batch of changes: {error}");
                self.shared.put_back(extras.results);
                if let Some(tick) = extras.tick {
                    self.shared.tick(tick);
                }
                for work in batch {
                    work.answer(Err(CommitError::Failed(error.to_string())));
                }
            }
        }
    }

    fn extras(&self) -> Extras {
        let results = if self.is_disk_full { VecDeque::new() } else { self.shared.take_results() };
        Extras { results, tick: self.shared.take_tick() }
    }

    /// One transaction. An error means that nothing of it happened; otherwise each piece has its own outcome.
    fn attempt(&mut self, batch: &mut [Box<dyn Work>], extras: &Extras) -> rusqlite::Result<Vec<Result<(), CommitError>>> {
        self.open_again()?;
        let Some(desk) = &mut self.desk else { return Err(rusqlite::Error::InvalidQuery) };
        begin(desk, batch.iter().any(|work| work.duty() == Duty::Promised))?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for work in batch {
            outcomes.push(run_one(desk, work.as_mut())?);
        }
        record::write_all(desk, &extras.results)?;
        if let Some(at) = extras.tick {
            desk.conn
                .prepare_cached("INSERT INTO alive (one, at) VALUES (1, ?1) ON CONFLICT DO UPDATE SET at = excluded.at")?
                .execute([at.0])?;
        }
        #[cfg(test)]
        self.shared.faults.before_commit()?;
        desk.step("COMMIT")?;
        Ok(outcomes)
    }

    /// Has the log moved into the database when it has grown, after everybody has been answered.
    fn tidy_log(&mut self) {
        let length = std::fs::metadata(files::beside(&self.shared.path, "-wal")).map_or(0, |found| found.len());
        if length < CHECKPOINT_BYTES {
            return;
        }
        if let Some(checkpointer) = self.checkpointer.as_ref().filter(|_| length < LOG_BYTES_MAX) {
            checkpointer.wake();
            return;
        }
        let Some(desk) = &self.desk else { return };
        if let Err(error) = checkpoint(&desk.conn, Mode::Passive) {
            tracing::error!(%error, "cannot move the log into the database: {error}");
            self.recover(&error);
        }
    }
}

fn begin(desk: &mut Desk, promised: bool) -> rusqlite::Result<()> {
    let mut attempt = 1;
    loop {
        match desk.begin(promised) {
            Err(error) if trouble(&error) == Trouble::Busy && attempt < BUSY_ATTEMPTS => {
                tracing::warn!("another program holds the database; waiting for it");
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// One piece of work under its own savepoint: what it does wrong is undone and does not touch the others.
fn run_one(desk: &mut Desk, work: &mut dyn Work) -> rusqlite::Result<Result<(), CommitError>> {
    desk.step("SAVEPOINT one")?;
    let outcome = match work.run(desk) {
        Ok(()) => Ok(()),
        Err(error) if trouble(&error) == Trouble::Statement => {
            desk.step("ROLLBACK TO one")?;
            desk.forget();
            Err(alone(&error))
        }
        Err(error) => return Err(error),
    };
    desk.step("RELEASE one")?;
    Ok(outcome)
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
