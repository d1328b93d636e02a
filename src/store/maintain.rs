//! The work of every minute: packing, summing up, forgetting, keeping the size. Everything that computes reads on a reading
//! connection; the writer gets portions of some ten milliseconds, between which commits have their turn.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::rollup::Resolution;
use crate::model::time::UnixMillis;
use crate::store::CommitError;
use crate::store::ReadError;
use crate::store::Store;
use crate::store::StoreRetention;
use crate::store::attempt;
use crate::store::connection;
use crate::store::desk::Desk;
use crate::store::fact;
use crate::store::history::pack;
use crate::store::history::pack::Closed;
use crate::store::history::prune;
use crate::store::history::prune::Kind;
use crate::store::outbox;
use crate::store::rescue;
use crate::store::retired;
use crate::store::work::Duty;
use crate::store::work::Message;

/// A part of packing may read this long; there is nobody waiting for it.
const READ_MAX: Duration = Duration::from_secs(120);

/// A whole check of a large file reads all of it, on slow disks for minutes.
const CHECK_MAX: Duration = Duration::from_secs(3600);

/// Age and size are looked at this often; once a minute would be 60 looks for one row to delete.
const PRUNE_EVERY: Duration = Duration::from_secs(300);

/// Pages given back to the disk in one transaction, 1 MiB.
const GIVE_BACK_PAGES: u32 = 256;

/// Free pages that stay: the hot table grows and shrinks by as much every few minutes.
const FREE_BYTES_KEPT: u64 = 8 * 1024 * 1024;

/// Transactions that give pages back in one round; what is left waits for the next.
const GIVE_BACK_ROUNDS: u32 = 64;

/// Rounds of deleting for the size cap in one go; each takes at least a sixteenth of the time that is kept.
const CAP_ROUNDS: u32 = 64;

/// Monitors whose verdicts one transaction brings back.
const REBASED_AT_ONCE: usize = 100;

/// So long the clock must have gone on without a jump before anything is called "in the future": a machine without a clock of its
/// own starts in the past, and the history would be taken for the future until the time comes over the network.
const STEADY_FOR: Duration = Duration::from_secs(1800);

/// Two rounds that are further apart than this are a jump of the clock, or a sleep of the machine.
const JUMP_MIN: Duration = Duration::from_secs(900);

/// What maintenance remembers; its lock keeps two of them from running at once.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pruned_at: Option<UnixMillis>,
    is_checked: bool,
    /// First and newest round since the clock last jumped.
    steady: Option<(UnixMillis, UnixMillis)>,
}

impl Progress {
    /// Whether the clock has gone on evenly for long enough to be believed.
    fn is_steady(&mut self, now: UnixMillis) -> bool {
        let first = self.steady.filter(|(_, last)| *last <= now && now.since(*last) <= JUMP_MIN).map_or(now, |(first, _)| first);
        self.steady = Some((first, now));
        STEADY_FOR <= now.since(first)
    }
}

impl From<ReadError> for CommitError {
    fn from(error: ReadError) -> CommitError {
        CommitError::Failed(error.0)
    }
}

impl Store {
    pub(super) async fn run_maintenance(&self, now: UnixMillis, retention: StoreRetention) -> Result<(), CommitError> {
        let mut progress = self.inner.progress.lock().await;
        self.set_n_pings(retention.n_pings);
        self.inspect().await?;
        // A disk that is too full for packing must not keep the deleting from making room.
        let packed = self.pack(now).await;
        if progress.is_steady(now) {
            self.rebase_verdicts(now).await?;
        }
        let is_due = progress.pruned_at.is_none_or(|at| now < at || at + PRUNE_EVERY <= now);
        if is_due {
            self.write(Duty::Unpromised, move |desk| outbox::correct_due(desk, now).map(|_| ())).await?;
            self.prune(now, retention).await?;
            self.keep_cap(retention.db_bytes_max).await?;
            self.give_back().await?;
            progress.pruned_at = Some(now);
        }
        if !progress.is_checked {
            self.check_all().await?;
            progress.is_checked = true;
        }
        packed
    }

    /// Lets the writer look whether its files are still there.
    async fn inspect(&self) -> Result<(), CommitError> {
        let (reply, seen) = oneshot::channel();
        self.send(Message::Inspect(reply))?;
        seen.await.map_err(|_| CommitError::Closed)
    }

    async fn pack(&self, now: UnixMillis) -> Result<(), CommitError> {
        let fives = Closed::at(now, Resolution::FiveMinutes);
        let n_parts = self.inner.pool.read(READ_MAX, move |conn| pack::n_parts(conn, fives)).await?;
        for part in 0..n_parts {
            let slices = self.inner.pool.read(READ_MAX, move |conn| pack::plan(conn, fives, (part, n_parts))).await?;
            for slice in slices {
                self.write(Duty::Bulk, move |desk| pack::write(desk, &slice)).await?;
            }
        }
        let hours = Closed::at(now, Resolution::Hour);
        loop {
            let sums = self.inner.pool.read(READ_MAX, move |conn| pack::plan_hours(conn, hours)).await?;
            if sums.is_empty() {
                return Ok(());
            }
            self.write(Duty::Bulk, move |desk| pack::write_hours(desk, &sums)).await?;
        }
    }

    async fn prune(&self, now: UnixMillis, retention: StoreRetention) -> Result<(), CommitError> {
        let StoreRetention { results, rollup_5m, rollup_1h, db_bytes_max: _, n_pings: _ } = retention;
        for (kind, kept) in
            [(Kind::Blocks, results), (Kind::Transcripts, results), (Kind::FiveMinutes, rollup_5m), (Kind::Hours, rollup_1h)]
        {
            self.cut(kind, now.minus(kept)).await?;
        }
        self.repeat(move |desk| prune::delete_closed(desk, now.minus(rollup_1h))).await?;
        self.repeat(move |desk| outbox::delete_ended(desk, now.minus(rollup_1h.min(outbox::LOG_MAX)))).await?;
        self.repeat(|desk| outbox::drop_excess(desk, outbox::ROWS_MAX)).await?;
        self.repeat(|desk| attempt::drop_excess(desk, attempt::ROWS_MAX)).await?;
        self.repeat(move |desk| fact::delete_ended(desk, now)).await?;
        self.forget_retired(now.minus(rollup_1h)).await
    }

    /// Last, because it looks at what the rest has left.
    async fn forget_retired(&self, before: UnixMillis) -> Result<(), CommitError> {
        let all = self.inner.pool.read(READ_MAX, move |conn| retired::plan(conn, before)).await?;
        for some in all.chunks(retired::SLICE) {
            let some = some.to_vec();
            self.write(Duty::Unpromised, move |desk| retired::delete(desk, &some)).await?;
        }
        Ok(())
    }

    /// Brings back verdicts that a wrong clock dated into the future: they would be the newest until that time comes.
    async fn rebase_verdicts(&self, now: UnixMillis) -> Result<(), CommitError> {
        let monitors = self.inner.pool.read(READ_MAX, move |conn| prune::ahead(conn, now)).await?;
        for some in monitors.chunks(REBASED_AT_ONCE) {
            tracing::warn!(
                n_monitors = some.len(),
                "verdicts of {} monitors are dated in the future and are taken to be of now",
                some.len()
            );
            let some = some.to_vec();
            self.write(Duty::Unpromised, move |desk| some.iter().try_for_each(|monitor| prune::rebase(desk, *monitor, now))).await?;
        }
        Ok(())
    }

    async fn cut(&self, kind: Kind, before: UnixMillis) -> Result<usize, CommitError> {
        let cuts = self.inner.pool.read(READ_MAX, move |conn| prune::plan(conn, kind, before)).await?;
        let mut n = 0;
        // A few dozen cuts of few rows in one transaction; a large one alone.
        for some in cuts.chunks(4) {
            let some = some.to_vec();
            n += self.write(Duty::Unpromised, move |desk| some.iter().try_fold(0, |n, cut| Ok(n + prune::delete(desk, *cut)?))).await?;
        }
        Ok(n)
    }

    /// Does something in slices until nothing is left to do.
    async fn repeat(&self, slice: impl Fn(&Desk) -> rusqlite::Result<usize> + Clone + Send + 'static) -> Result<(), CommitError> {
        loop {
            let slice = slice.clone();
            if self.write(Duty::Unpromised, move |desk| slice(desk)).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Deletes the oldest history while the database is beyond its cap: single results, transcripts and pings first, then five-minute
    /// sums, then hours. Incidents, states and messages are never deleted for size.
    async fn keep_cap(&self, bytes_max: u64) -> Result<(), CommitError> {
        for kinds in [&[Kind::Blocks, Kind::Transcripts, Kind::Pings][..], &[Kind::FiveMinutes], &[Kind::Hours]] {
            for _ in 0..CAP_ROUNDS {
                let size = self.inner.pool.read(READ_MAX, prune::size).await?;
                if size.used <= bytes_max {
                    return Ok(());
                }
                let mut n = 0;
                for kind in kinds {
                    n += self.cut_oldest(*kind).await?;
                }
                if n == 0 {
                    break;
                }
                tracing::warn!(n_rows = n, "the database is beyond its size cap; {n} rows of the oldest history were deleted");
            }
        }
        Ok(())
    }

    /// Deletes the oldest sixteenth of the time that a table covers.
    async fn cut_oldest(&self, kind: Kind) -> Result<usize, CommitError> {
        let Some((oldest, newest)) = self.inner.pool.read(READ_MAX, move |conn| prune::span(conn, kind)).await? else { return Ok(0) };
        let step = (newest.since(oldest) / 16).max(Duration::from_secs(300));
        self.cut(kind, oldest + step).await
    }

    async fn give_back(&self) -> Result<(), CommitError> {
        for _ in 0..GIVE_BACK_ROUNDS {
            let size = self.inner.pool.read(READ_MAX, prune::size).await?;
            if size.free <= FREE_BYTES_KEPT.max(size.used / 20) {
                break;
            }
            self.write(Duty::Unpromised, |desk| prune::give_back(desk, GIVE_BACK_PAGES)).await?;
        }
        Ok(())
    }

    /// Checks a file that was too large to be checked as a whole while opening; once.
    async fn check_all(&self) -> Result<(), CommitError> {
        let is_large = std::fs::metadata(&self.inner.shared.path).is_ok_and(|found| rescue::CHECK_AT_OPEN_BYTES <= found.len());
        if is_large && !self.inner.pool.read(CHECK_MAX, |conn| connection::is_sound(conn, None)).await? {
            tracing::error!("a check of the whole database found damage");
            self.inner.shared.suspect.store(true, Ordering::Relaxed);
            self.flush().await?;
        }
        Ok(())
    }
}
