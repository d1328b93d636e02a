//! The one thread that writes. It takes everything that waits, does it in one transaction, and answers when the commit returned:
//! a hundred changes that arrive together cost one fsync.
//!
//! A connection that saw the system fail is never used again: after a failed fsync the kernel may have forgotten what it could
//! not write, while SQLite believes it is there.

use std::any::Any;
use std::collections::VecDeque;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::result::CheckResult;
use crate::model::time::UnixMillis;
use crate::store::connection;
use crate::store::desk::Desk;
use crate::store::error::CommitError;
use crate::store::error::Trouble;
use crate::store::error::trouble;
use crate::store::files;
use crate::store::rescue;
use crate::store::shared::Shared;
use crate::store::shared::StoreNotice;

/// How long results wait for company.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Most pieces of work in one transaction: keeps the wait of the first one short when thousands arrive at once.
const BATCH_MAX: usize = 256;

/// Attempts to get a lock that somebody else holds; each waits for SQLite's busy timeout of 5 s. Checks go on meanwhile.
const BUSY_ATTEMPTS: u32 = 3;

/// The log is moved into the database when it is longer than this.
const CHECKPOINT_BYTES: u64 = 4 * 1024 * 1024;

/// A piece of work for the writer: one savepoint.
pub(super) trait Work: Send {
    /// It must be on the disk before it is answered.
    fn is_promised(&self) -> bool;
    /// Does it, inside the transaction. May be called again after a transaction that failed as a whole.
    fn run(&mut self, desk: &mut Desk) -> rusqlite::Result<()>;
    /// Answers. Called once, after the commit.
    fn answer(self: Box<Self>, outcome: Result<(), CommitError>);
}

/// What the writer can be told.
pub(super) enum Message {
    /// Do this in the next transaction.
    Work(Box<dyn Work>),
    /// Look whether the files are still the ones that are open, and whether a reader found damage.
    Inspect(oneshot::Sender<()>),
    /// Finish and end.
    Close(oneshot::Sender<()>),
}

/// A closure as a piece of work.
pub(super) struct Task<F, T> {
    pub(super) is_promised: bool,
    pub(super) run: F,
    pub(super) value: Option<T>,
    pub(super) reply: oneshot::Sender<Result<T, CommitError>>,
}

impl<F, T> Work for Task<F, T>
where
    F: FnMut(&mut Desk) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn is_promised(&self) -> bool {
        self.is_promised
    }

    fn run(&mut self, desk: &mut Desk) -> rusqlite::Result<()> {
        self.value = Some((self.run)(desk)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), CommitError>) {
        let answer = match (outcome, self.value) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(CommitError::Closed),
            (Err(error), _) => Err(error),
        };
        // Whoever asked may have gone; the work is done all the same.
        let _ = self.reply.send(answer);
    }
}

/// Everything that goes into one transaction besides the work.
struct Extras {
    results: VecDeque<CheckResult>,
    tick: Option<UnixMillis>,
}

/// The thread's own state.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// `None` after trouble, until it is opened again.
    desk: Option<Desk>,
    /// The log may hold parts that are not on the disk although SQLite was told so once; it must be begun anew before anything is promised.
    must_restart_log: bool,
    /// The reserve is in use: only what is promised is written.
    is_disk_full: bool,
    identities: Identities,
    /// Held until the end.
    _lock: File,
}

/// Which files are open: database and log.
type Identities = [Option<(u64, u64)>; 2];

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, desk: Desk, lock: File) -> Writer {
        let mut writer =
            Writer { shared, desk: Some(desk), must_restart_log: false, is_disk_full: false, identities: [None; 2], _lock: lock };
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
        if let Some(desk) = &self.desk {
            let _ = desk.conn.execute_batch("PRAGMA optimize");
            let _ = checkpoint(desk, "TRUNCATE");
        }
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
        begin(desk, batch.iter().any(|work| work.is_promised()))?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for work in batch {
            outcomes.push(run_one(desk, work.as_mut())?);
        }
        crate::store::history::record::write_all(desk, &extras.results)?;
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

    /// Opens the database again if trouble closed it.
    fn open_again(&mut self) -> rusqlite::Result<()> {
        if self.desk.is_some() {
            return Ok(());
        }
        if !self.shared.path.exists() {
            // Removed while it was closed: nothing is left to copy from.
            self.start_new().map_err(|why| rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(14), Some(why)))?;
            return Ok(());
        }
        let desk = Desk::new(connection::writer(&self.shared.path)?);
        #[cfg(test)]
        self.shared.faults.after_open(&desk.conn)?;
        if self.must_restart_log {
            if !checkpoint(&desk, "TRUNCATE")? {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    Some("the log cannot be begun anew while somebody reads it".to_owned()),
                ));
            }
            self.must_restart_log = false;
        }
        self.desk = Some(desk);
        self.identities = self.look();
        Ok(())
    }

    /// Deals with what made a batch fail; says whether a second attempt makes sense.
    fn recover(&mut self, error: &rusqlite::Error) -> bool {
        if let Some(desk) = &mut self.desk {
            desk.roll_back();
        }
        match trouble(error) {
            Trouble::Statement | Trouble::Busy => false,
            Trouble::Full => {
                self.desk = None;
                let freed = files::free_reserve(&self.shared.dir);
                if freed {
                    tracing::error!("the disk is full; the reserve was given up so that state changes can still be written");
                    self.shared.notice(StoreNotice::DiskFull);
                }
                self.is_disk_full = true;
                freed
            }
            Trouble::Io => {
                self.desk = None;
                self.must_restart_log = true;
                false
            }
            Trouble::Damaged => self.mend(),
        }
    }

    /// While the disk is full: sets the reserve aside again as soon as there is room.
    fn look_for_room(&mut self) {
        if self.is_disk_full && files::make_reserve(&self.shared.dir) {
            self.is_disk_full = false;
            tracing::info!("there is room on the disk again");
            self.shared.notice(StoreNotice::RoomAgain);
        }
    }

    /// Sets a damaged database aside and goes on with a new one that has what could be read of states, incidents and messages.
    fn mend(&mut self) -> bool {
        self.desk = None;
        let set_aside = match files::set_aside(&self.shared.path, self.shared.clock.now().wall) {
            Ok(path) => path,
            Err(error) => {
                tracing::error!(%error, "the database is damaged and cannot be set aside: {error}");
                return false;
            }
        };
        let name = set_aside.display().to_string();
        tracing::error!(file = name, "the database is damaged; it was set aside as {name} and a new one was begun");
        self.shared.notice(StoreNotice::SetAside(name));
        if let Err(why) = self.start_new() {
            tracing::error!(error = why, "cannot begin a new database: {why}");
            return false;
        }
        if let Some(desk) = &mut self.desk {
            rescue::salvage(&set_aside, &mut desk.conn);
        }
        true
    }

    fn start_new(&mut self) -> Result<(), String> {
        let conn = rescue::begin_new(&self.shared.path, &self.shared.dir, self.shared.clock.now().wall)?;
        self.adopt(conn);
        Ok(())
    }

    fn adopt(&mut self, conn: rusqlite::Connection) {
        self.desk = Some(Desk::new(conn));
        self.must_restart_log = false;
        self.identities = self.look();
        self.shared.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn look(&self) -> Identities {
        [files::identity(&self.shared.path), files::identity(&files::beside(&self.shared.path, "-wal"))]
    }

    /// Notices when somebody removed or replaced the files under us: SQLite would go on writing into files that nobody finds again.
    fn inspect(&mut self) {
        let Some(desk) = &self.desk else { return };
        let now = self.look();
        if now == self.identities {
            return;
        }
        tracing::error!("the database file was removed or replaced by another program");
        let outcome = if now[0].is_some() && now[0] != self.identities[0] {
            // Somebody put another database there, perhaps a backup: that is the one to go on with.
            self.desk = None;
            self.generation_after_replacement()
        } else {
            rescue::write_anew(&desk.conn, &self.shared.path).map(|conn| self.adopt(conn))
        };
        match outcome {
            Ok(()) => self.shared.notice(StoreNotice::Recreated),
            Err(why) => tracing::error!(error = why, "cannot write the database anew: {why}"),
        }
    }

    fn generation_after_replacement(&mut self) -> Result<(), String> {
        let (conn, opened) = rescue::open_or_set_aside(&self.shared.dir, &self.shared.clock).map_err(|error| error.to_string())?;
        if let Some(name) = opened.set_aside {
            self.shared.notice(StoreNotice::SetAside(name));
        }
        self.adopt(conn);
        Ok(())
    }

    /// Moves the log into the database when it has grown, after everybody has been answered.
    fn tidy_log(&mut self) {
        let is_long = std::fs::metadata(files::beside(&self.shared.path, "-wal")).is_ok_and(|found| CHECKPOINT_BYTES < found.len());
        if !is_long {
            return;
        }
        let Some(desk) = &self.desk else { return };
        if let Err(error) = checkpoint(desk, "PASSIVE") {
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
            Err(CommitError::Failed(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    desk.step("RELEASE one")?;
    Ok(outcome)
}

/// Moves the log into the database; says whether all of it could be.
fn checkpoint(desk: &Desk, mode: &str) -> rusqlite::Result<bool> {
    desk.conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(0)).map(|busy| busy == 0)
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
