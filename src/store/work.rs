//! What the writer thread can be given to do.

use tokio::sync::oneshot;

use crate::store::desk::Desk;
use crate::store::error::CommitError;

/// What a piece of work may expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    /// It is on the disk before it is answered.
    Promised,
    /// It is small, or makes room; a power cut may take it.
    Unpromised,
    /// It is large and can wait: refused while the disk is full, so that the reserve stays for what is promised.
    Bulk,
}

/// A piece of work for the writer: one savepoint.
pub(super) trait Work: Send {
    /// What it may expect.
    fn duty(&self) -> Duty;
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
    pub(super) duty: Duty,
    pub(super) run: F,
    pub(super) value: Option<T>,
    pub(super) reply: oneshot::Sender<Result<T, CommitError>>,
}

impl<F, T> Work for Task<F, T>
where
    F: FnMut(&mut Desk) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn duty(&self) -> Duty {
        self.duty
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
