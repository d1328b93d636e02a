//! The loop around the core: wait, read the clock once, apply, carry out. No decision is made here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::announce::Announce;
use crate::engine::committer::Job;
use crate::engine::core::Core;
use crate::engine::event::Command;
use crate::engine::event::Event;
use crate::engine::event::RequestId;
use crate::engine::handle::Refused;
use crate::engine::handle::Request;
use crate::engine::ping::Keep;
use crate::engine::ping::NotTaken;
use crate::engine::ping::PingRequest;
use crate::engine::runner::Runner;
use crate::engine::snapshot::Snapshot;
use crate::model::change::StateChange;
use crate::model::incident::Lane;
use crate::model::monitor::Monitor;
use crate::model::net::HostPort;
use crate::model::result::CheckResult;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::store::Store;

/// Events that may wait: one for each check that can be under way, so that a check never waits to be heard.
pub const EVENTS_MAX: usize = 8192;

/// Events applied before time is read again and pictures are made.
const BATCH_MAX: usize = 256;

/// Pictures are made at most this often; pages and the command line read them. With the way of news between nodes, what one knows is on the
/// pages of all within half a second.
const PICTURE_EVERY: Duration = Duration::from_millis(250);

/// And at least this often: its time says that the loop turns, which is what `/healthz` and "data as of" are about.
const PICTURE_AGE_MAX: Duration = Duration::from_secs(5);

/// "I was alive" is written this often; after a restart it says how long nothing was seen.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// Makes checks and rounds of controls, and sends what came of them back as events.
pub trait Checks: Send + 'static {
    /// Starts a check.
    fn check(&self, number: u64, monitor: Arc<Monitor>);

    /// Asks all controls at once.
    fn ask_controls(&self, controls: Vec<HostPort>);
}

impl Checks for Runner {
    fn check(&self, number: u64, monitor: Arc<Monitor>) {
        Runner::check(self, number, monitor);
    }

    fn ask_controls(&self, controls: Vec<HostPort>) {
        Runner::ask_controls(self, controls);
    }
}

/// Takes results and signs of life. Neither waits for a disk.
pub trait Diary: Send + 'static {
    /// Notes a result.
    fn record(&self, result: CheckResult);

    /// Notes that the program lives.
    fn alive(&self, at: UnixMillis);
}

impl Diary for Store {
    fn record(&self, result: CheckResult) {
        Store::record(self, result);
    }

    fn alive(&self, at: UnixMillis) {
        Store::alive(self, at);
    }
}

/// Everything the loop works with. `R` is a [`Runner`] and `S` the [`Store`], except in simulations.
#[derive(Debug)]
pub struct Shell<R = Runner, S = Store> {
    /// The part that decides.
    pub core: Core,
    /// The one reader of time.
    pub clock: Clock,
    /// What happened.
    pub events: mpsc::Receiver<Event>,
    /// What operators ask for.
    pub requests: mpsc::Receiver<Request>,
    /// Pings that came in.
    pub pings: mpsc::Receiver<PingRequest>,
    /// Where pings are written.
    pub keeper: mpsc::Sender<Keep>,
    /// Makes checks.
    pub runner: R,
    /// Takes results.
    pub store: S,
    /// Takes state changes.
    pub commits: mpsc::Sender<Job>,
    /// The way to the peers.
    pub announce: Arc<dyn Announce>,
    /// Where pictures are shown.
    pub pictures: watch::Sender<Arc<Snapshot>>,
    /// Counts the rounds of the loop, so that a watchdog can see that it turns.
    pub pulse: Arc<AtomicU64>,
}

/// Who waits for a ping, and whether he still does.
type WaitingPing = (oneshot::Sender<Result<(), NotTaken>>, Arc<AtomicBool>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    replies: BTreeMap<RequestId, oneshot::Sender<Result<(), Refused>>>,
    pings: BTreeMap<RequestId, WaitingPing>,
}

impl<R: Checks, S: Diary> Shell<R, S> {
    /// Runs until `stop`. `first` are the commands that came with the core.
    pub async fn run(mut self, first: Vec<Command>, stop: CancellationToken) {
        let mut waiting = Waiting::default();
        let mut events = Vec::with_capacity(BATCH_MAX);
        let (mut pings, mut takes_pings) = (Vec::with_capacity(BATCH_MAX), true);
        // Nothing was received yet that could be refused.
        let _ = self.carry_out(first, &mut waiting).await;
        let (mut pictured, mut told_alive): (Option<Mono>, Option<Mono>) = (None, None);
        loop {
            let now = self.clock.now();
            self.pulse.fetch_add(1, Ordering::Relaxed);
            if told_alive.is_none_or(|told| now.mono.since(told) >= ALIVE_EVERY) {
                told_alive = Some(now.mono);
                self.store.alive(now.wall);
            }
            let age = if self.core.has_news() { PICTURE_EVERY } else { PICTURE_AGE_MAX };
            if pictured.is_none_or(|last| now.mono.since(last) >= age) {
                pictured = Some(now.mono);
                self.pictures.send_replace(Arc::new(self.core.snapshot(now)));
            }
            let until_picture = PICTURE_EVERY.saturating_sub(pictured.map_or(Duration::ZERO, |last| now.mono.since(last)));
            let wait = self.core.deadline().since(now.mono);
            let wait = if self.core.has_news() { wait.min(until_picture) } else { wait };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(request) = self.requests.recv() => {
                    let request_id = waiting.keep(request.reply);
                    self.apply(Event::Asked { operation: request.operation, request: request_id }, self.clock.now(), &mut waiting).await;
                    // Whoever asked looks at the page next.
                    pictured = None;
                }
                n = self.events.recv_many(&mut events, BATCH_MAX) => {
                    if n == 0 {
                        break;
                    }
                    let now = self.clock.now();
                    for event in events.drain(..) {
                        self.apply(event, now, &mut waiting).await;
                    }
                }
                n = self.pings.recv_many(&mut pings, BATCH_MAX), if takes_pings => {
                    takes_pings = n > 0;
                    let now = self.clock.now();
                    for PingRequest { arrived, reply, given_up } in pings.drain(..) {
                        let request = waiting.keep_ping(reply, given_up);
                        self.apply(Event::Pinged { arrived, request }, now, &mut waiting).await;
                    }
                }
                () = tokio::time::sleep(wait) => self.apply(Event::Tick, self.clock.now(), &mut waiting).await,
            }
        }
        let now = self.clock.now();
        self.apply(Event::Stopping, now, &mut waiting).await;
        self.store.alive(now.wall);
    }

    async fn apply(&mut self, event: Event, now: Now, waiting: &mut Waiting) {
        let commands = self.core.apply(event, now);
        let refused = self.carry_out(commands, waiting).await;
        if !refused.is_empty() {
            let commands = self.core.apply(Event::PingsKept(refused), now);
            // Refusals ask for nothing that could be refused.
            let _ = self.carry_out(commands, waiting).await;
        }
    }

    /// Returns the pings that could not even be handed on.
    async fn carry_out(&mut self, commands: Vec<Command>, waiting: &mut Waiting) -> Vec<(RequestId, bool)> {
        let mut refused = Vec::new();
        for command in commands {
            match command {
                Command::Check { number, monitor } => self.runner.check(number, monitor),
                Command::AskControls(controls) => self.runner.ask_controls(controls),
                Command::Record(result) => {
                    tracing::debug!(monitor = %result.monitor, outcome = result.outcome.word(), "checked `{}`: {}", result.monitor, result.outcome.word());
                    self.store.record(result);
                }
                Command::Publish(records) => self.announce.announce(records),
                Command::Replay => self.announce.replay(),
                Command::Refill(since) => self.announce.refill(since),
                Command::Share(roster) => self.announce.share(roster),
                Command::Commit { change, answers, publish } => {
                    log(&change);
                    let replies = answers.into_iter().filter_map(|request| waiting.replies.remove(&request)).collect();
                    if self.commits.send(Job { change, replies, publish }).await.is_err() {
                        tracing::error!("a state change is lost: the committer has ended");
                    }
                }
                Command::Answer { request, answer } => {
                    if let Some(reply) = waiting.replies.remove(&request) {
                        // Nobody listens any more; the operation itself stands.
                        let _ = reply.send(answer);
                    }
                }
                Command::KeepPing { request, entry } => {
                    // The queue has a place for every ping that may be on its way; without one it is refused like one that cannot be stored.
                    let given_up = waiting.pings.get(&request).map(|(_, given_up)| Arc::clone(given_up)).unwrap_or_default();
                    if self.keeper.try_send(Keep { request, entry, given_up }).is_err() {
                        refused.push((request, false));
                    }
                }
                Command::AnswerPing { request, answer } => {
                    if let Some((reply, _)) = waiting.pings.remove(&request) {
                        let _ = reply.send(answer);
                    }
                }
                Command::Note(text) => tracing::warn!("{text}"),
            }
        }
        refused
    }
}

impl Waiting {
    fn keep_ping(&mut self, reply: oneshot::Sender<Result<(), NotTaken>>, given_up: Arc<AtomicBool>) -> RequestId {
        self.next += 1;
        let id = RequestId(self.next);
        self.pings.insert(id, (reply, given_up));
        id
    }

    fn keep(&mut self, reply: oneshot::Sender<Result<(), Refused>>) -> RequestId {
        self.next += 1;
        let id = RequestId(self.next);
        self.replies.insert(id, reply);
        id
    }
}

fn log(change: &StateChange) {
    for incident in &change.opened {
        let (monitor, cause, id) = (&incident.monitor, &incident.cause, &incident.id);
        let what = match incident.lane {
            Lane::Outage => "down",
            Lane::Degradation => "degraded",
            Lane::Regional => "down for some regions",
        };
        tracing::warn!(%monitor, incident = %id, "`{}` is {what}: {cause}", incident.monitor_name);
    }
    for (incident, closed) in &change.closed {
        tracing::info!(%incident, "incident {incident} closed: {}", closed.how.word());
    }
    for notification in &change.notifications {
        tracing::info!(channel = %notification.channel, "owed to `{}`: {} ({})", notification.channel, notification.event.word(), notification.key);
    }
}
