//! How the rest of the program speaks to the engine: look at the newest snapshot, or ask for something.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::engine::ping::Arrived;
use crate::engine::ping::NotTaken;
use crate::engine::ping::PingRequest;
use crate::engine::snapshot::Snapshot;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::update::About;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::Postmortem;
use crate::model::update::Update;
use crate::model::update::UpdateId;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    /// The newest snapshot.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Requests of operators.
    pub requests: mpsc::Sender<Request>,
    /// Pings.
    pub pings: mpsc::Sender<PingRequest>,
}

/// Something an operator asks for, with a slot for the answer, which comes after the change is durable.
#[derive(Debug)]
pub struct Request {
    /// What.
    pub operation: Operation,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<(), Refused>>,
}

/// What operators can do at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Stop checking a monitor until it is resumed.
    Pause(MonitorId),
    /// Check it again.
    Resume(MonitorId),
    /// Check it now, besides its schedule.
    CheckNow(MonitorId),
    /// A node of the cluster is gone for good: nobody waits for it or counts what it says. Its name never comes back.
    Forget(NodeName),
    /// A heartbeat that a ping asked for, named like its slug.
    Create(MonitorId),
    /// Somebody is at work on an open incident, or wants to hear of it later; its time is filled in.
    Acknowledge(IncidentId, Acknowledgement),
    /// Nobody is at work on it after all.
    Withdraw(IncidentId),
    /// Nobody is told of new trouble of some monitors for a while.
    Silence(SilenceId, Silence),
    /// A silence is over now.
    EndSilence(SilenceId),
    /// Somebody wrote an update or note; its time is filled in. Whether there is such an incident, whoever asks has looked.
    Post(About, UpdateId, Update),
    /// It was not meant, and is gone everywhere.
    Unpost(About, UpdateId),
    /// Somebody wrote a postmortem, in place of the one before; an empty one takes it back.
    WritePostmortem(IncidentId, Postmortem),
    /// Somebody announced something, with a first update.
    Announce(AnnouncementId, Box<Announced>, UpdateId, Update),
}

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such monitor in the active config.
    #[error("there is no monitor `{0}`")]
    NoSuchMonitor(MonitorId),
    /// It is in that state already, or the config says otherwise.
    #[error("{0}")]
    NotNow(String),
    /// The change could not be made durable.
    #[error("the change could not be stored: {0}")]
    NotStored(String),
    /// The engine is stopping.
    #[error("vigilmon is stopping")]
    Stopping,
}

impl EngineHandle {
    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Hands a ping to the engine and waits until it is durable, but not longer than `within`. A ping whose sender hangs up meanwhile counts
    /// all the same: it was sent.
    ///
    /// # Errors
    /// [`NotTaken`]; it does not count then.
    pub async fn ping(&self, arrived: Arrived, within: Duration) -> Result<(), NotTaken> {
        let (reply, answer) = oneshot::channel();
        let given_up = Arc::<AtomicBool>::default();
        let request = PingRequest { arrived: Box::new(arrived), reply, given_up: Arc::clone(&given_up) };
        self.pings.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::Busy,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Stopping,
        })?;
        let Ok(answered) = tokio::time::timeout(within, answer).await else {
            // Its sender sends it again; the two must not both be written.
            given_up.store(true, Ordering::Relaxed);
            return Err(NotTaken::NotStored);
        };
        answered.unwrap_or(Err(NotTaken::Stopping))
    }

    /// Asks the engine and waits for its answer.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn ask(&self, operation: Operation) -> Result<(), Refused> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request { operation, reply }).await.map_err(|_| Refused::Stopping)?;
        answer.await.unwrap_or(Err(Refused::Stopping))
    }
}
