//! One channel's worker: claim, send, note what became of it, wait.
//!
//! It sends one message at a time. That keeps the order, and chat services want no more than about one message a second anyway.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::id::ChannelName;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::peer::DeliveryStep;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::notifier::NAP;
use crate::notifier::PAUSE;
use crate::notifier::backoff::History;
use crate::notifier::backoff::KEPT_FOR;
use crate::notifier::backoff::Next;
use crate::notifier::backoff::Rest;
use crate::notifier::backoff::after_failure;
use crate::notifier::changed;
use crate::notifier::error::SendError;
use crate::notifier::kind::patience;
use crate::notifier::outbox::Mark;
use crate::notifier::outbox::Outbox;
use crate::notifier::payload::Links;
use crate::notifier::shared::Shared;
use crate::notifier::shared::Verdict;
use crate::notifier::signed::LinkKeys;
use crate::notifier::sink::Envelope;
use crate::notifier::sink::Sink;
use crate::store::CommitError;
use crate::store::OutboxRow;
use crate::supervise::caught;

/// Wait for a row that is due and yet cannot be claimed, because an older one of the same monitor goes first. When that one is settled
/// the worker looks again at once; this is for its being due itself.
const DUE_BUT_BLOCKED: Duration = Duration::from_secs(5);

/// How long a claim is ahead of its message: it reaches the other nodes before the receiver is spoken to. Were this node killed in between,
/// they would take the message for one that nobody has begun to send, and not say that it may be a repeat.
const CLAIM_FIRST: Duration = Duration::from_millis(200);

/// And how long when the order of the nodes has just changed: they may not agree yet about whose turn it is, and a claim takes three ways
/// between two nodes.
const CLAIM_FIRST_ANEW: Duration = Duration::from_secs(1);

/// With peers, rows that are looked at in one go: most are somebody else's turn.
const LOOKED_AT_ONCE: usize = 64;

/// A row that waits for its turn is not looked at again sooner than this, unless something is heard.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// And not later, because a failure elsewhere may make it this node's turn at any time.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// Messages of a channel that left the config that are looked at in one go.
const BURIED_AT_ONCE: usize = 20;

/// What all workers share.
pub(super) struct Desk<O, S> {
    pub(super) outbox: Arc<O>,
    pub(super) sink: Arc<S>,
    pub(super) clock: Clock,
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) owed: watch::Receiver<()>,
    pub(super) secret: Secret,
    pub(super) shared: Option<Shared>,
    pub(super) chance: fn() -> f64,
    pub(super) stop: CancellationToken,
}

// Written by hand because a derived one would want `O` and `S` to be `Clone`.
impl<O, S> Clone for Desk<O, S> {
    fn clone(&self) -> Desk<O, S> {
        Desk {
            outbox: Arc::clone(&self.outbox),
            sink: Arc::clone(&self.sink),
            clock: self.clock.clone(),
            config: self.config.clone(),
            owed: self.owed.clone(),
            secret: self.secret.clone(),
            shared: self.shared.clone(),
            chance: self.chance,
            stop: self.stop.clone(),
        }
    }
}

impl<O: Outbox, S> Desk<O, S> {
    /// Keeps what other nodes sent, so that it is known after a restart, and settles the rows here.
    pub(super) async fn note_what_others_sent(&self) {
        let Some(shared) = &self.shared else { return };
        let sent = shared.take_sent();
        if sent.is_empty() {
            return;
        }
        if let Err(error) = self.outbox.sent_elsewhere(sent).await {
            // It is known in memory, and others know it too; what is lost is a line that a restart would have read.
            tracing::warn!(%error, "cannot note what other nodes sent: {error}");
        }
    }
}

/// Sends what is owed to one channel; ends when nothing is.
pub(super) struct Worker<O, S> {
    pub(super) channel: ChannelName,
    desk: Desk<O, S>,
    rest: Rest,
    /// How often each row was refused for good. Forgotten at a restart: then it is tried three times more, which errs on the right side.
    n_refused: HashMap<i64, usize>,
    /// How the channel was last spoken to; when that changes, its past says nothing any more.
    spec: Option<ChannelSpec>,
}

enum Step {
    Again,
    WaitUntil(UnixMillis),
    Done,
}

impl<O: Outbox, S: Sink> Worker<O, S> {
    pub(super) fn new(channel: ChannelName, desk: Desk<O, S>) -> Worker<O, S> {
        Worker { channel, desk, rest: Rest::default(), n_refused: HashMap::new(), spec: None }
    }

    pub(super) async fn run(mut self) {
        while !self.desk.stop.is_cancelled() {
            // Before looking, so that what arrives during the look ends the wait at once.
            self.desk.owed.mark_unchanged();
            self.desk.config.mark_unchanged();
            match self.step().await {
                Step::Again => {}
                Step::WaitUntil(at) => self.wait(at).await,
                Step::Done => return,
            }
        }
    }

    async fn step(&mut self) -> Step {
        let now = self.now();
        let config = Arc::clone(&self.desk.config.borrow());
        let Some(channel) = config.channels.get(&self.channel) else { return self.bury(now).await };
        if self.spec.as_ref() != Some(&channel.spec) {
            self.spec = Some(channel.spec.clone());
            self.rest = Rest::default();
            self.n_refused.clear();
        }
        if let Some(until) = self.rest.until(now) {
            return Step::WaitUntil(until);
        }
        let limit = if self.desk.shared.is_some() { LOOKED_AT_ONCE } else { 1 };
        let Some(mut rows) = self.claim(now, limit).await else { return Step::WaitUntil(now + PAUSE) };
        let links = Links::new(&config.server).signed(LinkKeys::new(&config, &self.desk.secret));
        for row in &mut rows {
            let verdict = self.desk.shared.as_ref().map_or(Verdict::Own, |shared| shared.verdict(&row.notification));
            match verdict {
                Verdict::Own => self.attempt(row, channel, &links).await,
                Verdict::Ours { attempt, may_be_repeat } => {
                    row.notification.may_be_repeat = may_be_repeat;
                    self.attempt_for_all(row, attempt, channel, &links).await;
                }
                Verdict::Sent(at) => self.settle(row, Mark::Elsewhere { at }).await,
                Verdict::Wait(wait) => self.settle(row, Mark::Waits { next_at: self.now() + wait.clamp(WAIT_MIN, WAIT_MAX) }).await,
            }
        }
        if rows.is_empty() { self.next_due(now).await } else { Step::Again }
    }

    async fn next_due(&self, now: UnixMillis) -> Step {
        match self.desk.outbox.next_due(&self.channel).await {
            Ok(None) => Step::Done,
            Ok(Some(at)) if now < at => Step::WaitUntil(at),
            Ok(Some(_)) => Step::WaitUntil(now + DUE_BUT_BLOCKED),
            Err(error) => {
                tracing::warn!(channel = %self.channel, %error, "cannot see when the next message is due: {error}");
                Step::WaitUntil(now + PAUSE)
            }
        }
    }

    async fn claim(&self, now: UnixMillis, limit: usize) -> Option<Vec<OutboxRow>> {
        match self.desk.outbox.claim(&self.channel, now, limit).await {
            Ok(rows) => Some(rows),
            Err(error) => {
                tracing::warn!(channel = %self.channel, %error, "cannot claim a message: {error}");
                None
            }
        }
    }

    async fn attempt(&mut self, row: &OutboxRow, channel: &Channel, links: &Links) {
        let outcome = deliver(&*self.desk.sink, Envelope { channel, notification: &row.notification, links }).await;
        let now = self.now();
        self.rest.note(outcome.as_ref().copied(), now, (self.desk.chance)());
        match outcome {
            Ok(()) => self.settle(row, Mark::Sent { at: now }).await,
            Err(error) => {
                let mark = self.after(row, &error, now);
                self.settle(row, mark).await;
            }
        }
    }

    /// An attempt that stands for the whole cluster: the others are told before and after. How long the cluster waits between attempts is
    /// decided by all of them together; here only a channel's own "slow down" is kept to.
    async fn attempt_for_all(&mut self, row: &OutboxRow, attempt: u32, channel: &Channel, links: &Links) {
        let Some(shared) = self.desk.shared.clone() else { return };
        let key = row.notification.key.as_str();
        shared.say(key, DeliveryStep::Claimed { attempt });
        if shared.has_company() {
            let ahead = if shared.has_new_order() { CLAIM_FIRST_ANEW } else { CLAIM_FIRST };
            tokio::time::sleep(ahead).await;
            if shared.gives_way(key, attempt) {
                return self.settle(row, Mark::Waits { next_at: self.now() + WAIT_MIN }).await;
            }
        }
        let outcome = deliver(&*self.desk.sink, Envelope { channel, notification: &row.notification, links }).await;
        let now = self.now();
        match outcome {
            Ok(()) => {
                self.rest.note(Ok(()), now, (self.desk.chance)());
                self.settle(row, Mark::Sent { at: now }).await;
                if let Err(error) = self.desk.outbox.keep(shared.fact(key, now).into_iter().collect()).await {
                    tracing::warn!(%error, "cannot keep that message `{key}` was sent: {error}");
                }
                shared.say(key, DeliveryStep::Sent { at: now });
            }
            Err(error) => {
                let mark = match (self.after(row, &error, now), &error) {
                    (Mark::Retry { next_at, error: text }, SendError::Later { .. }) => {
                        self.rest.note(Err(&error), now, (self.desk.chance)());
                        Mark::Retry { next_at, error: text }
                    }
                    (Mark::Retry { error: text, .. }, _) => Mark::Retry { next_at: now, error: text },
                    (mark, _) => mark,
                };
                self.settle(row, mark).await;
                shared.say(key, DeliveryStep::Failed { attempt });
            }
        }
    }

    /// What becomes of a row whose attempt failed.
    fn after(&mut self, row: &OutboxRow, error: &SendError, now: UnixMillis) -> Mark {
        let n_refused = self.n_refused.entry(row.id).or_default();
        if matches!(error, SendError::Permanent(_)) {
            *n_refused += 1;
        }
        let n_attempts = row.n_attempts.saturating_add(1);
        let history = History { owed_since: row.notification.at, n_attempts, n_refused: *n_refused };
        match after_failure(error, history, now, (self.desk.chance)()) {
            Next::RetryAt(next_at) => Mark::Retry { next_at, error: error.to_string() },
            Next::GiveUp => Mark::Dead { at: now, error: error.to_string() },
        }
    }

    /// The channel is not in the config: gives up what has waited a day for it, and leaves the rest alone.
    async fn bury(&mut self, now: UnixMillis) -> Step {
        let Some(rows) = self.claim(now, BURIED_AT_ONCE).await else { return Step::WaitUntil(now + PAUSE) };
        let mut n_buried = 0;
        for row in &rows {
            let error = format!("the channel `{}` is not in the config", self.channel);
            if now.since(row.notification.at) >= KEPT_FOR {
                n_buried += 1;
                self.settle(row, Mark::Dead { at: now, error }).await;
            } else {
                self.settle(row, Mark::Retry { next_at: now, error }).await;
            }
        }
        if n_buried > 0 {
            return Step::Again;
        }
        // What is old enough may be behind something younger, when the clock was set back in between. Ending at once would have this
        // worker started again at once.
        self.nap().await;
        Step::Done
    }

    /// A wait that new messages do not shorten.
    async fn nap(&mut self) {
        tokio::select! {
            () = self.desk.stop.cancelled() => {}
            () = tokio::time::sleep(NAP) => {}
            () = changed(&mut self.desk.config) => {}
        }
    }

    /// Makes the outcome of an attempt durable and says it. Until that has worked nothing else is sent: a message that was accepted
    /// and not noted would be sent again, and with a full disk again and again.
    async fn settle(&mut self, row: &OutboxRow, mark: Mark) {
        self.log(row, &mark);
        if !matches!(mark, Mark::Retry { .. } | Mark::Waits { .. }) {
            self.n_refused.remove(&row.id);
        }
        while let Err(error) = self.desk.outbox.mark(row.id, &mark).await {
            let key = &row.notification.key;
            tracing::error!(channel = %self.channel, key, %error, "cannot note what became of message `{key}`: {error}");
            if error == CommitError::Closed || self.desk.stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        if matches!(mark, Mark::Dead { .. }) {
            self.tell_undeliverable(&row.notification).await;
        }
    }

    fn log(&self, row: &OutboxRow, mark: &Mark) {
        let (channel, key) = (&self.channel, &row.notification.key);
        let n_attempts = row.n_attempts.saturating_add(1);
        match mark {
            Mark::Sent { .. } => tracing::info!(%channel, key, n_attempts, "message `{key}` accepted by channel `{channel}`"),
            Mark::Waits { .. } => {}
            Mark::Elsewhere { .. } => tracing::debug!(%channel, key, "message `{key}` was sent by another node"),
            Mark::Retry { next_at, error } => {
                let wait = spoken(next_at.since(self.now()));
                tracing::warn!(%channel, key, n_attempts, error, "message `{key}` not accepted by channel `{channel}`, next attempt in {wait}: {error}");
            }
            Mark::Dead { error, .. } => {
                tracing::error!(%channel, key, n_attempts, error, "message `{key}` given up, channel `{channel}` did not accept it: {error}");
            }
        }
    }

    /// Tells the channels that want to know about vigilmon itself, at most once a day for each broken channel. The reason is not
    /// part of the message: it differs between attempts, and it is on the dashboard. What is lost about vigilmon itself is not told
    /// of again, or two broken channels would complain about each other for ever.
    async fn tell_undeliverable(&self, lost: &Notification) {
        if matches!(lost.subject, Subject::SelfNotice { .. }) {
            return;
        }
        let config = Arc::clone(&self.desk.config.borrow());
        let at = self.now();
        let day = at.0.div_euclid(86_400_000);
        let hears = |to: &&ChannelName| config.channels.get(*to).is_some_and(|channel| channel.on.contains(&EventKind::SelfNotice));
        let notices = config.self_channels.iter().filter(|to| **to != self.channel).filter(hears).map(|to| Notification {
            key: format!("self:undeliverable:{}:{day}:{to}", self.channel),
            channel: to.clone(),
            event: EventKind::SelfNotice,
            at,
            subject: Subject::SelfNotice {
                title: format!("the channel `{}` does not accept messages", self.channel),
                text: "at least one alert was given up; the dashboard shows which, and why".to_owned(),
            },
            may_be_repeat: false,
        });
        let notices: Vec<Notification> = notices.collect();
        if notices.is_empty() {
            return;
        }
        if let Err(error) = self.desk.outbox.owe(notices).await {
            tracing::error!(channel = %self.channel, %error, "cannot tell anybody that channel `{}` is broken: {error}", self.channel);
        }
    }

    async fn wait(&mut self, at: UnixMillis) {
        let pause = at.since(self.now()).min(NAP);
        tokio::select! {
            () = self.desk.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            () = changed(&mut self.desk.owed) => {}
            () = changed(&mut self.desk.config) => {}
        }
    }

    fn now(&self) -> UnixMillis {
        self.desk.clock.now().wall
    }
}

/// One attempt within [`patience`]. A panic while a message is written is a bug that would come back with the same message, so it
/// counts as a refusal of that message and stops no other.
pub(super) async fn deliver(sink: &impl Sink, envelope: Envelope<'_>) -> Result<(), SendError> {
    let patience = patience(&envelope.channel.spec);
    match tokio::time::timeout(patience, caught(sink.send(envelope))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            tracing::error!(channel = %envelope.channel.name, error = %panic, "writing a message panicked: {panic}");
            Err(SendError::Permanent("writing the message failed, which is a bug of vigilmon".to_owned()))
        }
        Err(_) => Err(SendError::Transient(format!("no answer within {}", spoken(patience)))),
    }
}

#[cfg(test)]
mod tests;
