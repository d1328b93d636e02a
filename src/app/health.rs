//! Looks at what the program itself depends on: the disk, the database, the loop of checks, the outbox. Says what it sees to the engine,
//! and calls `self.heartbeat_url` while everything moves. What follows from what is seen is decided in `crate::rules`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::engine::event::Event;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::notifier::error::SendError;
use crate::notifier::sink::ChannelSink;
use crate::rules::selfcheck::Disk;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;
use crate::rules::sign_of_life;
use crate::rules::sign_of_life::Parts;
use crate::rules::sign_of_life::SignOfLife;
use crate::rules::sign_of_life::Step;
use crate::store::Store;

/// A look costs a system call and nothing else.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A small write is made so often: each is an fsync, which small computers feel.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// Longest wait for a write and for the disk to answer at all. Longer than a group commit takes on a slow card.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Longest wait for an answer of the one that is called, connecting included.
const CALL_MAX: Duration = Duration::from_secs(10);

/// The value that the small write writes.
const WRITTEN: &str = "looked at";

/// What is looked at, and what for.
#[derive(Debug)]
pub struct Health {
    /// The database.
    pub store: Store,
    /// For intervals.
    pub clock: Clock,
    /// The active config.
    pub config: watch::Receiver<Arc<Config>>,
    /// The engine's events.
    pub events: mpsc::Sender<Event>,
    /// Grows as long as the loop of checks turns.
    pub pulse: Arc<AtomicU64>,
    /// The way out.
    pub sink: ChannelSink,
    /// The directory whose disk is looked at. It changes only with a restart.
    pub state_dir: PathBuf,
}

/// What was seen last.
#[derive(Debug)]
struct Memory {
    /// The pulse, and when it was first seen at this value.
    pulse: (u64, Mono),
    /// The last write, and when the next one is due.
    write: (Result<(), String>, Mono),
    is_disk_low: bool,
    sign: SignOfLife,
    /// The address of the sign of life.
    url: Option<Secret>,
    /// The last call was not accepted; the ones after it are not mentioned.
    is_refused: bool,
}

impl Health {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let now = self.clock.now().mono;
        let mut memory = Memory {
            pulse: (self.pulse.load(Ordering::Relaxed), now),
            write: (Ok(()), now),
            is_disk_low: false,
            sign: SignOfLife::default(),
            url: None,
            is_refused: false,
        };
        // What people were told in the last run that is not so any more: whatever is so, the database says anew.
        self.say(Topic::DiskFull, None);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&mut memory) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                Ok(()) = self.config.changed() => {}
            }
        }
    }

    async fn look(&self, memory: &mut Memory) {
        let now = self.clock.now().mono;
        let turned = self.pulse.load(Ordering::Relaxed);
        if turned != memory.pulse.0 {
            memory.pulse = (turned, now);
        }
        self.look_at_disk(memory).await;
        let url = self.config.borrow().self_heartbeat.clone();
        if url != memory.url {
            memory.sign.begin_anew();
            memory.is_refused = false;
            memory.url.clone_from(&url);
        }
        let is_called = url.is_some() && memory.sign.is_due(now);
        if is_called || memory.write.1 <= now {
            self.look_at_database(memory).await;
        }
        if let Some(url) = url.filter(|_| is_called) {
            self.call(&url, memory).await;
        }
    }

    async fn look_at_disk(&self, memory: &mut Memory) {
        let dir = self.state_dir.clone();
        let looked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&dir));
        // A disk that does not say how full it is, says nothing; whether it takes writes is seen by writing.
        let Ok(Ok(Ok(found))) = tokio::time::timeout(ANSWER_MAX, looked).await else { return };
        let disk = Disk { free: found.f_bavail.saturating_mul(found.f_frsize), total: found.f_blocks.saturating_mul(found.f_frsize) };
        memory.is_disk_low = disk.is_low(memory.is_disk_low);
        let trouble = memory.is_disk_low.then(|| disk.trouble(&self.region(), &self.state_dir.display().to_string()));
        self.say(Topic::DiskLow, trouble);
    }

    async fn look_at_database(&self, memory: &mut Memory) {
        let now = self.clock.now();
        let written = tokio::time::timeout(ANSWER_MAX, self.store.value_put(WRITTEN, &now.wall.0.to_string())).await;
        let outcome = match written {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        };
        let trouble = outcome.as_ref().err().map(|why| Trouble {
            title: format!("the database takes no writes ({})", self.region()),
            text: format!(
                "{why}. Checks go on; what must be kept waits in memory, messages too, and is written as soon as it can be. Look at \
                 the disk, and at other programs that hold the database."
            ),
        });
        let pause = if trouble.is_some() { LOOK_EVERY } else { WRITE_EVERY };
        memory.write = (outcome, self.clock.now().mono + pause);
        self.say(Topic::Database, trouble);
    }

    async fn call(&self, url: &Secret, memory: &mut Memory) {
        let now = self.clock.now();
        let parts = Parts { loop_stands: now.mono.since(memory.pulse.1), write: memory.write.0.clone(), owed: self.owed(now.wall).await };
        let stuck = sign_of_life::stuck(&parts);
        match memory.sign.step(&stuck, now.mono) {
            Step::Withhold { is_news: true } => {
                let why = stuck.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                tracing::error!("`self.heartbeat_url` is not called for now: {why}");
            }
            Step::Withhold { is_news: false } => {}
            Step::Call { goes_on } => {
                if goes_on {
                    tracing::info!("everything moves: `self.heartbeat_url` is called again");
                }
                let outcome = tokio::time::timeout(CALL_MAX, self.sink.call(url)).await;
                note(outcome.unwrap_or_else(|_| Err(SendError::Transient(format!("no answer within {} s", CALL_MAX.as_secs())))), memory);
            }
        }
    }

    /// How long the oldest message has waited that a configured channel is owed. What is owed to others is nobody's any more.
    async fn owed(&self, now: UnixMillis) -> Result<Option<Duration>, String> {
        let config = Arc::clone(&self.config.borrow());
        let backlog = tokio::time::timeout(ANSWER_MAX, self.store.outbox_backlog()).await;
        let backlog = backlog.map_err(|_| format!("no answer within {} s", ANSWER_MAX.as_secs()))?.map_err(|error| error.to_string())?;
        let waiting = backlog.into_iter().filter(|(channel, ..)| config.channels.contains_key(channel));
        Ok(waiting.map(|(_, _, oldest)| now.since(oldest)).max())
    }

    fn region(&self) -> String {
        self.config.borrow().instance.region.to_string()
    }

    fn say(&self, topic: Topic, trouble: Option<Trouble>) {
        // A queue that is full belongs to an engine that stands still, and this must go on to notice it.
        let _ = self.events.try_send(Event::Seen { topic, trouble });
    }
}

/// Says once that calls are not accepted, and once that they are again.
fn note(outcome: Result<(), SendError>, memory: &mut Memory) {
    let was_refused = std::mem::replace(&mut memory.is_refused, outcome.is_err());
    match outcome {
        Ok(()) if was_refused => tracing::info!("`self.heartbeat_url` takes the calls again"),
        Err(error) if !was_refused => tracing::warn!(%error, "`self.heartbeat_url` did not take the call: {error}"),
        Ok(()) | Err(_) => {}
    }
}
