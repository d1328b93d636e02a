//! Drains the outbox: takes each message that is owed to its channel, until it was accepted or there is no hope left.
//!
//! What is owed was decided and made durable by the engine; nothing is decided about monitors here. Messages are delivered at least
//! once: between an acceptance and its note in the database a crash is possible, and then the message is sent again under the same
//! key. Each channel that is owed something has a worker of its own, so a broken one delays only itself.
//!
//! A channel kind is one file that implements [`kind::Kind`]: it makes a [`request::Request`] of a message and judges the
//! [`request::Answer`]; see `CONTRIBUTING.md` for the steps to add one. What there is to say is in [`compose`]. [`backoff`] decides
//! about time, `worker` is the loop.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::Server;
use crate::consensus::delivery;
use crate::model::channel::Channel;
use crate::model::id::ChannelName;
use crate::model::peer::Roster;
use crate::model::secret::Secret;
use crate::notifier::attempt::Tried;
use crate::notifier::attempt::attempt;
use crate::notifier::former::Former;
use crate::notifier::kind::keeps_open;
use crate::notifier::outbox::Outbox;
use crate::notifier::payload::Links;
use crate::notifier::payload::test_end;
use crate::notifier::payload::test_notice;
use crate::notifier::shared::Shared;
use crate::notifier::sink::Envelope;
use crate::notifier::sink::Sink;
use crate::notifier::worker::Desk;
use crate::notifier::worker::Worker;
use crate::supervise::Jobs;
use crate::supervise::caught;

pub mod again;
pub mod alertmanager;
pub mod apprise;
pub mod attempt;
pub mod backoff;
pub mod bundle;
pub mod command;
pub mod compose;
pub mod discord;
pub mod dns;
pub mod email;
pub mod error;
pub mod escape;
pub mod former;
pub mod github;
pub mod gitlab;
pub mod googlechat;
pub mod gotify;
pub mod grafana_oncall;
pub mod health;
pub mod heard;
pub mod home_assistant;
pub mod incident_io;
mod issue;
pub mod kind;
pub mod letter;
pub mod lookout;
pub mod mask;
pub mod matrix;
pub mod mattermost;
pub mod merge;
pub mod ntfy;
pub mod opsgenie;
pub mod outbox;
pub mod pagerduty;
pub mod payload;
pub mod preview;
pub mod pushbullet;
pub mod pushover;
pub mod request;
pub mod rocketchat;
pub mod room;
pub mod sample;
pub mod shared;
pub mod shorten;
pub mod signal;
pub mod signed;
pub mod sink;
pub mod slack;
pub mod smtp;
pub mod teams;
pub mod telegram;
pub mod template;
pub mod text;
pub mod thread;
pub mod twilio;
pub mod webhook;
mod worker;
pub mod zulip;

#[cfg(test)]
mod samples;

/// Longest sleep towards a time on the wall, so that a clock that was corrected is noticed.
const NAP: Duration = Duration::from_secs(30);

/// Pause after trouble of our own, such as a database that does not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// How long attempts may take to end when the program is to end: long enough for a request and a commit, and shorter than what the program
/// itself is given.
const LAST_ATTEMPTS: Duration = Duration::from_secs(kind::SEND_TIMEOUT.as_secs() + 2);

/// Ends of workers that may be waiting to be noticed; beyond that they wait in line.
const ENDS_MAX: usize = 64;

/// Everything the notifier needs. `O` is the store and `S` an [`sink::ChannelSink`], except in tests.
#[derive(Debug)]
pub struct Notifier<O, S> {
    /// Where the messages are.
    pub outbox: O,
    /// Where they go.
    pub sink: S,
    /// For times on the wall.
    pub clock: Clock,
    /// The active config. Messages that are owed survive its changes.
    pub config: watch::Receiver<Arc<Config>>,
    /// Notified when messages were added to the outbox. One that is missed costs at most half a minute.
    pub owed: Arc<Notify>,
    /// The instance's secret: keys of links in messages are derived from it.
    pub secret: Secret,
    /// What the notifiers of a cluster share; `None` when watching alone.
    pub shared: Option<Shared>,
    /// Where alarms were opened, for everybody who tells of them.
    pub former: Former,
    /// Draws a number from 0 (inclusive) to 1, for jitter; [`system_chance`] except in tests.
    pub chance: fn() -> f64,
}

impl<O: Outbox, S: Sink> Notifier<O, S> {
    /// Runs until `stop` is cancelled; then finishes the attempts that are under way and notes their outcomes, which takes at most
    /// [`LAST_ATTEMPTS`]. What takes longer is given up as in a crash, and its message is sent again after the next start. When the future is dropped instead, all work stops where it is, as in a crash.
    pub async fn run(self, stop: CancellationToken) {
        let dropped = CancellationToken::new();
        let jobs = Jobs::new(dropped.clone());
        let _stops_jobs_when_dropped = dropped.drop_guard();
        let released = match &self.shared {
            None => self.outbox.reset_leases().await,
            Some(_) => self.outbox.hold_leases(self.clock.now().wall + delivery::TAKEOVER_AFTER).await,
        };
        if let Err(error) = released {
            tracing::warn!(%error, "leases of the run before are still held and end by themselves: {error}");
        }
        let (ended, mut ends) = mpsc::channel(ENDS_MAX);
        let mut round = Round { jobs: jobs.clone(), ended, running: BTreeSet::new(), missing: BTreeSet::new() };
        let owed = self.owed;
        // One notice of the engine's wakes one waiter; this tells all workers.
        let everybody = watch::Sender::new(());
        let mut desk = Desk {
            outbox: Arc::new(self.outbox),
            sink: Arc::new(self.sink),
            clock: self.clock,
            config: self.config,
            owed: everybody.subscribe(),
            secret: self.secret,
            shared: self.shared,
            chance: self.chance,
            stop: stop.clone(),
            former: self.former,
        };
        let mut rosters = desk.shared.as_ref().map(Shared::rosters);
        while !stop.is_cancelled() {
            desk.config.mark_unchanged();
            desk.former.note(&desk.config.borrow());
            desk.note_what_others_sent().await;
            let nap = round.start_workers(&desk).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(nap) => {}
                () = owed.notified() => everybody.send_modify(|()| {}),
                () = noticed(desk.shared.as_ref()) => {
                    desk.note_what_others_sent().await;
                    everybody.send_modify(|()| {});
                }
                () = shifted(rosters.as_mut()) => everybody.send_modify(|()| {}),
                () = changed(&mut desk.config) => {}
                Some(channel) = ends.recv() => { round.running.remove(&channel); }
            }
        }
        // Workers must not wait in line to be noticed by somebody who no longer looks.
        drop(ends);
        if tokio::time::timeout(LAST_ATTEMPTS, jobs.drained()).await.is_err() {
            tracing::warn!("messages were still being sent at the end; they will be sent again");
        }
    }
}

/// The workers and what is known about them.
struct Round {
    jobs: Jobs,
    ended: mpsc::Sender<ChannelName>,
    running: BTreeSet<ChannelName>,
    /// Channels that are owed something and are not in the config; said once.
    missing: BTreeSet<ChannelName>,
}

impl Round {
    /// Sees to it that every channel that is owed something has a worker; returns how long that holds at most.
    async fn start_workers<O: Outbox, S: Sink>(&mut self, desk: &Desk<O, S>) -> Duration {
        let backlog = match desk.outbox.backlog().await {
            Ok(backlog) => backlog,
            Err(error) => {
                tracing::warn!(%error, "cannot see what is owed: {error}");
                return PAUSE;
            }
        };
        let config = Arc::clone(&desk.config.borrow());
        let now = desk.clock.now().wall;
        self.missing.retain(|channel| !config.channels.contains_key(channel));
        for (channel, n_owed, oldest) in backlog {
            let configured = config.channels.contains_key(&channel);
            if !configured && self.missing.insert(channel.clone()) {
                tracing::warn!(%channel, n_owed, "{n_owed} messages are owed to the channel `{channel}`, which is not in the config; they wait a day for it");
            }
            // Without a channel there is nothing to do but to give up what is too old.
            if (configured || now.since(oldest) >= backoff::KEPT_FOR) && self.running.insert(channel.clone()) {
                self.start(Worker::new(channel, desk.clone()));
            }
        }
        NAP
    }

    fn start<O: Outbox, S: Sink>(&self, worker: Worker<O, S>) {
        let ended = self.ended.clone();
        let channel = worker.channel.clone();
        self.jobs.start(async move {
            if let Err(panic) = caught(worker.run()).await {
                tracing::error!(%channel, error = %panic, "the worker of channel `{channel}` panicked: {panic}");
                tokio::time::sleep(PAUSE).await;
            }
            // Fails only when the notifier is stopping.
            let _ = ended.send(channel).await;
        });
    }
}

/// Waits until something was heard of deliveries of others; for ever when there are none.
async fn noticed(shared: Option<&Shared>) {
    match shared {
        Some(shared) => shared.noticed().await,
        None => std::future::pending().await,
    }
}

/// Waits until nodes came or went; for ever when there are none.
async fn shifted(rosters: Option<&mut watch::Receiver<Arc<Roster>>>) {
    match rosters {
        Some(rosters) => changed(rosters).await,
        None => std::future::pending().await,
    }
}

/// Waits for a change; for ever once there can be none, because a closed watch would otherwise turn every wait into a hot loop.
async fn changed<T>(watched: &mut watch::Receiver<T>) {
    if watched.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A number from 0 (inclusive) to 1 from the system's source of randomness; a half when that has none to give.
#[must_use]
pub fn system_chance() -> f64 {
    let bits = getrandom::u64().unwrap_or(1 << 63);
    // The upper 32 bits fit a float exactly.
    f64::from(u32::try_from(bits >> 32).unwrap_or(1 << 31)) / (f64::from(u32::MAX) + 1.0)
}

/// Sends a test message, once; nothing is stored. What it opens at a service is closed again, and the record says whether that worked.
pub async fn send_test(sink: &impl Sink, channel: &Channel, server: &Server, clock: &Clock) -> Tried {
    let notification = test_notice(channel.name.clone(), clock.now().wall);
    let links = Links::new(server);
    let envelope = Envelope { channel, notification: &notification, told: &[&notification], links: &links, first: None, only: &[] };
    let mut tried = attempt(sink, clock, envelope).await;
    if tried.outcome.is_ok() && keeps_open(&channel.spec) {
        let end = test_end(&notification);
        let envelope = Envelope { notification: &end, told: &[&end], ..envelope };
        tried.record.reason = Some(match attempt(sink, clock, envelope).await.outcome {
            Ok(()) => "what it opened was closed again".to_owned(),
            Err(error) => format!("what it opened could not be closed, which has to be done by hand: {error}"),
        });
    }
    tried
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::sink::ChannelSink;
    use crate::store::Store;
    use crate::supervise::Supervisor;

    /// Never called: that it compiles is the test.
    #[expect(dead_code, reason = "compiling is the test")]
    fn the_supervisor_can_run_it(supervisor: &mut Supervisor, notifier: Notifier<Store, ChannelSink>) {
        let stop = supervisor.stopping();
        supervisor.task("notifier", notifier.run(stop));
    }

    /// Keeps the phase of what it is given, and refuses ends when it is told to.
    struct Phases {
        refuses_ends: bool,
        heard: std::sync::Mutex<Vec<(compose::Phase, String)>>,
    }

    impl Sink for Phases {
        async fn send(&self, envelope: Envelope<'_>, _: &heard::Heard) -> Result<(), error::SendError> {
            let message = envelope.message(envelope.notification.at);
            self.heard.lock().expect("log").push((message.phase(), message.alarm()));
            match message.phase() {
                compose::Phase::Over if self.refuses_ends => Err(error::SendError::Transient("no answer".to_owned())),
                compose::Phase::Over | compose::Phase::Firing | compose::Phase::Notice => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn a_test_closes_what_it_opened_and_says_when_it_could_not() {
        use crate::model::channel::ChannelSpec;
        use crate::model::channel::spec::GrafanaOncallSpec;
        let now = crate::model::time::Now { wall: samples::TEN_TWENTY_THREE, mono: crate::model::time::Mono(0) };
        let clock = Clock::manual(now);
        let oncall = ChannelSpec::GrafanaOncall(GrafanaOncallSpec { url: Secret::new("https://oncall.example/x") });
        let hook = ChannelSpec::Webhook(samples::webhook("https://hook.example"));
        for (spec, refuses_ends, phases, said) in [
            (&oncall, false, &[compose::Phase::Notice, compose::Phase::Over][..], Some("closed again")),
            (&oncall, true, &[compose::Phase::Notice, compose::Phase::Over][..], Some("by hand: no answer")),
            (&hook, false, &[compose::Phase::Notice][..], None),
        ] {
            let sink = Phases { refuses_ends, heard: std::sync::Mutex::default() };
            let tried = send_test(&sink, &samples::channel("ops", spec.clone()), &samples::server(), &clock).await;
            assert_eq!(tried.outcome, Ok(()));
            let heard = sink.heard.lock().expect("log").clone();
            assert_eq!(heard.iter().map(|(phase, _)| *phase).collect::<Vec<_>>(), phases);
            assert!(heard.iter().all(|(_, alarm)| *alarm == heard[0].1), "one alarm: {heard:?}");
            assert_eq!(tried.record.reason.is_some(), said.is_some());
            assert!(tried.record.reason.unwrap_or_default().contains(said.unwrap_or_default()));
        }
    }

    #[test]
    fn chance_is_from_zero_to_one_and_moves() {
        let drawn: Vec<f64> = (0..1000).map(|_| system_chance()).collect();
        assert!(drawn.iter().all(|chance| (0.0..1.0).contains(chance)));
        assert!(drawn.iter().any(|chance| *chance < 0.1) && drawn.iter().any(|chance| *chance > 0.9));
    }
}
