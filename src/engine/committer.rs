//! Makes changes durable, in order, and only then lets anybody know.
//!
//! It stands between the engine and the store so that a slow disk delays messages and answers, and nothing else: the engine goes
//! on checking. Changes that gather while one is being written are written together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::engine::announce::Announce;
use crate::engine::handle::Refused;
use crate::model::change::StateChange;
use crate::model::peer::Record;
use crate::store::CommitError;
use crate::store::Store;

/// Changes that may wait. The engine makes at most a few per check, so this is minutes of a dead disk with thousands of monitors;
/// beyond it the engine waits too, because forgetting a transition is the one thing it must not do.
pub const QUEUE_MAX: usize = 16_384;

/// Changes written together: enough for a storm, little enough for one transaction.
const BATCH_MAX: usize = 1024;

/// Pause after a failed commit. Short, because people wait for what is in it; long enough not to spin on a full disk.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long an operator waits for a change that the store does not take.
const ANSWER_AFTER: Duration = Duration::from_secs(10);

/// A change with those who wait for it.
#[derive(Debug)]
pub struct Job {
    /// What is to be durable.
    pub change: StateChange,
    /// Answered after the commit.
    pub replies: Vec<oneshot::Sender<Result<(), Refused>>>,
    /// Told to peers after the commit.
    pub publish: Vec<Record>,
}

/// Where durable changes come from; the store, or a test.
pub trait Durable: Send + Sync + 'static {
    /// Makes a change durable.
    fn commit(&self, change: StateChange) -> impl Future<Output = Result<(), CommitError>> + Send;
}

impl Durable for Store {
    fn commit(&self, change: StateChange) -> impl Future<Output = Result<(), CommitError>> + Send {
        Store::commit(self, change)
    }
}

/// Runs until the engine has ended and everything it wanted durable is, or the store is closed. `outbox` is notified after each
/// commit with notifications. Once `stop` is cancelled, a disk that takes nothing is not waited for.
pub async fn run(
    mut jobs: mpsc::Receiver<Job>,
    store: impl Durable,
    outbox: Arc<Notify>,
    announce: Arc<dyn Announce>,
    stop: CancellationToken,
) {
    let mut batch = Vec::new();
    while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut together = Job { change: StateChange::default(), replies: Vec::new(), publish: Vec::new() };
        for job in &mut batch {
            together.change.append(job.change.clone());
            together.replies.append(&mut job.replies);
            together.publish.extend(job.publish.iter().cloned());
        }
        let mut outcome = write(&store, &mut together, &stop).await;
        if let Outcome::Refused(_) = outcome
            && batch.len() > 1
        {
            // One of them is at fault, and the others must not be lost with it.
            outcome = Outcome::Written;
            together.publish.clear();
            for job in &mut batch {
                let one = write(&store, job, &stop).await;
                if one == Outcome::Written {
                    together.publish.append(&mut job.publish);
                } else if let Outcome::Refused(error) = &one {
                    give_up(job, error);
                } else if one == Outcome::Ended {
                    outcome = one;
                    break;
                }
            }
        }
        batch.clear();
        match outcome {
            Outcome::Ended => return,
            Outcome::Refused(error) => give_up(&mut together, &error),
            Outcome::Written if !together.publish.is_empty() => announce.announce(together.publish),
            Outcome::Written => {}
        }
        if !together.change.notifications.is_empty() {
            outbox.notify_one();
        }
        for reply in together.replies {
            let _ = reply.send(Ok(()));
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It is durable.
    Written,
    /// The database will never take it, and says why.
    Refused(String),
    /// The store is closed, or the program stops while the disk does not take anything.
    Ended,
}

/// Tries until it works or never will. Operators are not kept waiting for ever: they hear that it was not stored (yet).
async fn write(store: &impl Durable, job: &mut Job, stop: &CancellationToken) -> Outcome {
    let mut waited = Duration::ZERO;
    loop {
        let error = match store.commit(job.change.clone()).await {
            Ok(()) => return Outcome::Written,
            Err(CommitError::Closed) => {
                tracing::error!("state changes are lost: the store is closed");
                return Outcome::Ended;
            }
            Err(CommitError::Refused(error)) => return Outcome::Refused(error),
            Err(CommitError::Failed(error)) => error,
            Err(CommitError::Busy) => CommitError::Busy.to_string(),
        };
        tracing::error!(%error, "cannot store a state change, trying again: {error}");
        if waited >= ANSWER_AFTER {
            refuse(&mut job.replies, &error);
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_AFTER) => waited += RETRY_AFTER,
            () = stop.cancelled() => {
                tracing::error!("state changes are lost: the disk does not take them and vigilmon stops");
                return Outcome::Ended;
            }
        }
    }
}

/// A change that would be refused for ever is let go, loudly: everything behind it would wait.
fn give_up(job: &mut Job, error: &str) {
    let monitors = monitors(&job.change);
    tracing::error!(%error, monitors, "a state change of {monitors} is lost, the database refuses it: {error}");
    refuse(&mut job.replies, error);
}

fn refuse(replies: &mut Vec<oneshot::Sender<Result<(), Refused>>>, error: &str) {
    for reply in replies.drain(..) {
        let _ = reply.send(Err(Refused::NotStored(error.to_owned())));
    }
}

/// Whose states, verdicts and incidents a change is about, for the log.
fn monitors(change: &StateChange) -> String {
    let states = change.states.iter().map(|state| &state.monitor);
    let verdicts = change.verdicts.iter().map(|verdict| &verdict.monitor);
    let opened = change.opened.iter().map(|incident| &incident.monitor);
    let all: BTreeSet<String> = states.chain(verdicts).chain(opened).map(|monitor| format!("`{monitor}`")).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::engine::announce::Alone;
    use crate::model::change::VerdictChange;
    use crate::model::id::MonitorId;
    use crate::model::time::UnixMillis;
    use crate::model::verdict::Verdict;

    /// Fails as often as planned, then keeps what it gets.
    #[derive(Debug, Default, Clone)]
    struct Disk(Arc<Mutex<(u32, Vec<StateChange>)>>);

    impl Durable for Disk {
        async fn commit(&self, change: StateChange) -> Result<(), CommitError> {
            let mut held = self.0.lock().unwrap();
            if held.0 > 0 {
                held.0 -= 1;
                return Err(CommitError::Failed("disk full".to_owned()));
            }
            held.1.push(change);
            Ok(())
        }
    }

    fn change(at: i64) -> StateChange {
        let monitor = MonitorId::parse("m").unwrap();
        StateChange { verdicts: vec![VerdictChange { monitor, at: UnixMillis(at), verdict: Verdict::Up }], ..StateChange::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn failed_commits_are_tried_again_in_order_and_answers_come_after() {
        let disk = Disk::default();
        disk.0.lock().unwrap().0 = 3;
        let (queue, jobs) = mpsc::channel(8);
        let (reply, answer) = oneshot::channel();
        queue.send(Job { change: change(1), replies: vec![reply], publish: Vec::new() }).await.unwrap();
        queue.send(Job { change: change(2), replies: Vec::new(), publish: Vec::new() }).await.unwrap();
        drop(queue);
        run(jobs, disk.clone(), Arc::new(Notify::new()), Arc::new(Alone), CancellationToken::new()).await;
        assert_eq!(answer.await, Ok(Ok(())));
        let stored = disk.0.lock().unwrap().1.clone();
        let times: Vec<i64> = stored.iter().flat_map(|change| &change.verdicts).map(|verdict| verdict.at.0).collect();
        assert_eq!(times, [1, 2]);
    }

    /// Refuses the change of one time, is busy once, and takes the rest.
    #[derive(Debug, Default, Clone)]
    struct Picky(Arc<Mutex<(bool, Vec<i64>)>>);

    impl Durable for Picky {
        async fn commit(&self, change: StateChange) -> Result<(), CommitError> {
            let mut held = self.0.lock().unwrap();
            let at = change.verdicts[0].at.0;
            if at == 1 {
                return Err(CommitError::Refused("a rule".to_owned()));
            }
            if !std::mem::replace(&mut held.0, true) {
                return Err(CommitError::Busy);
            }
            held.1.push(at);
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_change_holds_nobody_back_and_a_busy_store_is_asked_again() {
        let store = Picky::default();
        let (queue, jobs) = mpsc::channel(8);
        let (reply, answer) = oneshot::channel();
        queue.send(Job { change: change(1), replies: vec![reply], publish: Vec::new() }).await.unwrap();
        let feed = async {
            assert_eq!(answer.await, Ok(Err(Refused::NotStored("a rule".to_owned()))));
            queue.send(Job { change: change(2), replies: Vec::new(), publish: Vec::new() }).await.unwrap();
            drop(queue);
        };
        tokio::join!(run(jobs, store.clone(), Arc::new(Notify::new()), Arc::new(Alone), CancellationToken::new()), feed);
        assert_eq!(store.0.lock().unwrap().1, [2]);
    }

    /// Refuses changes dated 13, alone and in company.
    #[derive(Debug, Default, Clone)]
    struct Superstitious(Disk);

    impl Durable for Superstitious {
        async fn commit(&self, change: StateChange) -> Result<(), CommitError> {
            if change.verdicts.iter().any(|verdict| verdict.at.0 == 13) {
                return Err(CommitError::Refused("unlucky".to_owned()));
            }
            self.0.commit(change).await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_is_refused_takes_no_other_with_it() {
        let disk = Superstitious::default();
        let (queue, jobs) = mpsc::channel(8);
        for at in [12, 13, 14] {
            queue.send(Job { change: change(at), replies: Vec::new(), publish: Vec::new() }).await.unwrap();
        }
        drop(queue);
        run(jobs, disk.clone(), Arc::new(Notify::new()), Arc::new(Alone), CancellationToken::new()).await;
        let stored = disk.0.0.lock().unwrap().1.clone();
        let times: Vec<i64> = stored.iter().flat_map(|change| &change.verdicts).map(|verdict| verdict.at.0).collect();
        assert_eq!(times, [12, 14]);
    }

    #[tokio::test(start_paused = true)]
    async fn operators_hear_of_a_disk_that_takes_nothing() {
        let disk = Disk::default();
        disk.0.lock().unwrap().0 = u32::MAX;
        let (queue, jobs) = mpsc::channel(8);
        let (reply, answer) = oneshot::channel();
        queue.send(Job { change: change(1), replies: vec![reply], publish: Vec::new() }).await.unwrap();
        drop(queue);
        let stop = CancellationToken::new();
        let (answer, ()) = tokio::join!(
            async {
                let answer = answer.await;
                stop.cancel();
                answer
            },
            run(jobs, disk, Arc::new(Notify::new()), Arc::new(Alone), stop.clone())
        );
        assert_eq!(answer, Ok(Err(Refused::NotStored("disk full".to_owned()))));
    }
}
