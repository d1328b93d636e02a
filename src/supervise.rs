//! The one place that spawns. Long tasks have a name and end the program when they end early; short jobs are counted, bounded
//! by their owner, and a panic in one is its result and nothing more.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::Id;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub mod command;
pub mod program;
pub mod tail;

/// Why the program ends although nobody asked it to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TaskFailure {
    /// A task panicked; that is a bug.
    #[error("task `{0}` panicked")]
    Panicked(&'static str),
    /// A task ended before it was told to.
    #[error("task `{0}` ended early")]
    EndedEarly(&'static str),
    /// Tasks did not end within the grace.
    #[error("still running after the grace: {0}")]
    StillRunning(String),
}

/// The long tasks of the program.
#[derive(Debug, Default)]
pub struct Supervisor {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    stop: CancellationToken,
}

impl Supervisor {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Supervisor {
        Supervisor::default()
    }

    /// Cancelled when tasks are to end.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a long task. It must end soon after [`Supervisor::stopping`] is cancelled, and not before.
    #[expect(clippy::disallowed_methods, reason = "this is where tasks are spawned")]
    pub fn task(&mut self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(future);
        self.names.insert(handle.id(), name);
    }

    /// Like [`Supervisor::task`], on another runtime.
    pub fn task_on(&mut self, runtime: &Handle, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn_on(future, runtime);
        self.names.insert(handle.id(), name);
    }

    /// Waits for `signal` or for a task to end, then stops the others and waits for them, at most `grace`.
    ///
    /// # Errors
    /// [`TaskFailure`] when a task ended by itself, panicked, or did not end within the grace.
    pub async fn run(mut self, signal: impl Future<Output = ()>, grace: Duration) -> Result<(), TaskFailure> {
        let first = tokio::select! {
            () = signal => None,
            Some(ended) = self.tasks.join_next_with_id() => Some(self.judge(ended)),
        };
        self.stop.cancel();
        let drained = tokio::time::timeout(grace, async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                if let TaskFailure::Panicked(name) = self.judge(ended) {
                    tracing::error!(task = name, "task `{name}` panicked while stopping");
                }
            }
        })
        .await;
        if let Some(failure) = first {
            return Err(failure);
        }
        drained.map_err(|_| {
            let mut names: Vec<&str> = self.names.values().copied().collect();
            names.sort_unstable();
            TaskFailure::StillRunning(names.join(", "))
        })
    }

    fn judge(&mut self, ended: Result<(Id, ()), JoinError>) -> TaskFailure {
        match ended {
            Ok((id, ())) => TaskFailure::EndedEarly(self.names.remove(&id).unwrap_or("unnamed")),
            Err(error) => TaskFailure::Panicked(self.names.remove(&error.id()).unwrap_or("unnamed")),
        }
    }
}

/// A thread with a runtime of its own. What runs on it shares neither queue nor timer with anybody else: a flood of visitors does
/// not make it late, and its own wake-ups never cross threads.
#[derive(Debug)]
pub struct OwnThread {
    handle: Handle,
    end: CancellationToken,
}

impl OwnThread {
    /// Starts it. It ends, with whatever still runs on it, when this is dropped.
    ///
    /// # Errors
    /// The system gives no thread or no descriptors for it.
    pub fn start(name: &str) -> std::io::Result<OwnThread> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (handle, end) = (runtime.handle().clone(), CancellationToken::new());
        let ended = end.clone();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(ended.cancelled());
            runtime.shutdown_background();
        })?;
        Ok(OwnThread { handle, end })
    }

    /// Where to spawn.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// A group of short jobs (checks, connections, sends). How many run at once is the owner's business: it holds the permits.
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Where they run; `None` means where they are started.
    runtime: Option<Handle>,
}

impl Jobs {
    /// An empty group whose jobs are dropped when `stop` is cancelled.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Jobs {
        Jobs { tracker: TaskTracker::new(), stop, runtime: None }
    }

    /// The same, with jobs that run on `runtime`.
    #[must_use]
    pub fn on(runtime: &Handle, stop: CancellationToken) -> Jobs {
        Jobs { runtime: Some(runtime.clone()), ..Jobs::new(stop) }
    }

    /// Starts a job. It is dropped at its next await when the group stops, so it must be written to be dropped anywhere.
    #[expect(clippy::disallowed_methods, reason = "this is where jobs are spawned")]
    pub fn start(&self, job: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        // Boxed here and not inside, where the task would have room for the job besides the box.
        let job = Caught(Box::pin(job));
        let job = self.tracker.track_future(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = job => {
                    if let Err(panic) = ended {
                        tracing::error!(error = %panic, "a job panicked: {panic}");
                    }
                }
            }
        });
        match &self.runtime {
            Some(runtime) => runtime.spawn(job),
            None => tokio::spawn(job),
        };
    }

    /// How many jobs are running.
    #[must_use]
    pub fn n_running(&self) -> usize {
        self.tracker.len()
    }

    /// Waits until every job has ended. No job may be started afterwards.
    pub async fn drained(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Runs a future and turns a panic inside it into its message. It is boxed here and not in an async function, which would keep room
/// for a second copy of it: with thousands of checks under way that is most of their memory.
///
/// # Errors
/// The panic's message.
pub fn caught<'a, T>(future: impl Future<Output = T> + Send + 'a) -> Caught<'a, T> {
    Caught(Box::pin(future))
}

/// A future whose panic is a result.
pub struct Caught<'a, T>(Pin<Box<dyn Future<Output = T> + Send + 'a>>);

impl<T> Future for Caught<'_, T> {
    type Output = Result<T, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // A future that panicked is never polled again, so nobody sees what it left half done.
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(message(panic.as_ref()))),
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_signal_stops_all_tasks() {
        let mut supervisor = Supervisor::new();
        let stop = supervisor.stopping();
        supervisor.task("patient", async move { stop.cancelled().await });
        assert_eq!(supervisor.run(async {}, GRACE).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_the_program_with_the_name_of_the_task() {
        let mut supervisor = Supervisor::new();
        supervisor.task("shaky", async { panic!("no") });
        assert_eq!(supervisor.run(std::future::pending(), GRACE).await, Err(TaskFailure::Panicked("shaky")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_early_ends_the_program() {
        let mut supervisor = Supervisor::new();
        supervisor.task("brief", async {});
        assert_eq!(supervisor.run(std::future::pending(), GRACE).await, Err(TaskFailure::EndedEarly("brief")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_task_is_named_after_the_grace() {
        let mut supervisor = Supervisor::new();
        supervisor.task("stuck", std::future::pending());
        assert_eq!(supervisor.run(async {}, GRACE).await, Err(TaskFailure::StillRunning("stuck".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_a_job_is_its_result() {
        assert_eq!(caught(async { panic!("boom {}", 1) }).await.map(|(): ()| ()), Err("boom 1".to_owned()));
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
