//! One channel's worker: claim, send, note what became of it, wait.
//!
//! It sends one message at a time. That keeps the order, and chat services want no more than about one message a second anyway.
//!
//! The first message of a quiet channel goes out at once, with all that waits beside it. What comes within [`GATHER`] of it waits for the
//! end of that time and goes out together, and so on as long as more comes: so nobody is kept waiting in quiet times, and a storm is a few
//! messages. Where the names of a bundle have no room in one, they are told in several, as long as the storm has no more than
//! [`STORM_MESSAGES`]. What is told in one is claimed together and noted in one transaction: after a crash in between it is told again, all of it.
//! Channels that open and end something at a service get everything by itself and at once, see [`Manner`].

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
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::ServiceId;
use crate::model::notification::Subject;
use crate::model::peer::DeliveryStep;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::notifier::NAP;
use crate::notifier::PAUSE;
use crate::notifier::attempt::Tried;
use crate::notifier::attempt::attempt;
use crate::notifier::backoff::History;
use crate::notifier::backoff::KEPT_FOR;
use crate::notifier::backoff::Next;
use crate::notifier::backoff::Rest;
use crate::notifier::backoff::after_failure;
use crate::notifier::bundle;
use crate::notifier::bundle::PARTS_MAX;
use crate::notifier::changed;
use crate::notifier::error::SendError;
use crate::notifier::former;
use crate::notifier::former::Former;
use crate::notifier::former::Goes;
use crate::notifier::kind::GATHER;
use crate::notifier::kind::Manner;
use crate::notifier::kind::manner;
use crate::notifier::kind::patience_of_all;
use crate::notifier::merge::Telling;
use crate::notifier::merge::telling;
use crate::notifier::outbox::Mark;
use crate::notifier::outbox::Outbox;
use crate::notifier::payload::Links;
use crate::notifier::room::fitting;
use crate::notifier::shared::Shared;
use crate::notifier::shared::Verdict;
use crate::notifier::signed::LinkKeys;
use crate::notifier::signed::PlaceKeys;
use crate::notifier::sink::Envelope;
use crate::notifier::sink::Sink;
use crate::notifier::worker::due::Due;
use crate::notifier::worker::due::accepted;
use crate::notifier::worker::due::partly;
use crate::notifier::worker::due::portion;
use crate::notifier::worker::due::rest_given_up;
use crate::notifier::worker::due::steps;
use crate::notifier::worker::due::under_another_key;
use crate::notifier::worker::due::with_another;
use crate::rules::quiet;
use crate::store::Attempt;
use crate::store::CommitError;
use crate::store::OutboxRow;
use crate::supervise::caught;

mod due;

/// Wait for a row that is due and yet cannot be claimed, because an older one of the same monitor goes first. When that one is settled
/// the worker looks again at once; this is for its being due itself.
const DUE_BUT_BLOCKED: Duration = Duration::from_secs(5);

/// How long a claim is ahead of its message: it reaches the other nodes before the receiver is spoken to. Were this node killed in between,
/// they would take the message for one that nobody has begun to send, and not say that it may be a repeat.
const CLAIM_FIRST: Duration = Duration::from_millis(200);

/// And how long when the order of the nodes has just changed: they may not agree yet about whose turn it is, and a claim takes three ways
/// between two nodes.
const CLAIM_FIRST_ANEW: Duration = Duration::from_secs(1);

/// Rows that are looked at in one go where each is told by itself. With peers most are somebody else's turn; and finding them costs as much
/// for many as for one.
const LOOKED_AT_ONCE: usize = 64;

/// A row that waits for its turn is not looked at again sooner than this, unless something is heard.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// And not later, because a failure elsewhere may make it this node's turn at any time.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// While a channel keeps still about more than fits into one look, each of it is passed over for so long.
const QUIET_PASSES: Duration = Duration::from_secs(60);

/// Attempts that a former place may leave without an acceptance: some minutes. It may be gone for ever.
const FORMER_TRIES: u32 = 4;

/// What the delivery log says of a message that was accepted elsewhere than the channel goes now, or should have been.
const FORMER_KEY: &str = "sent with the settings by which its beginning was sent, because the channel's were changed since";
const FORMER_KEY_REFUSED: &str = "sent with the channel's new settings, because those by which its beginning was sent do not work any more: what is open there has to be closed by hand";
const FORMER_KEY_LOST: &str = "sent with the channel's new settings; its beginning was sent with others that are not known any more, and what is open there has to be closed by hand";

/// Messages that a storm may be told in so that all names have room, the first one included. Beyond that nobody reads names.
const STORM_MESSAGES: usize = 3;

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
    pub(super) former: Former,
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
            former: self.former.clone(),
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
    /// Until when messages are gathered.
    gathers_until: Option<UnixMillis>,
    /// Messages that were taken one after the other, without a time in between in which nothing came.
    n_in_storm: usize,
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
        Worker { channel, desk, rest: Rest::default(), n_refused: HashMap::new(), gathers_until: None, n_in_storm: 0, spec: None }
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
            self.desk.former.note(&config);
            self.rest = Rest::default();
            self.n_refused.clear();
        }
        let manner = manner(&channel.spec);
        let gathers_until = self.gathers_until.filter(|until| manner == Manner::Together && now < *until && until.since(now) <= GATHER);
        if let Some(until) = self.rest.until(now).max(gathers_until) {
            return Step::WaitUntil(until);
        }
        let limit = match manner {
            Manner::Together => PARTS_MAX,
            Manner::Apart => LOOKED_AT_ONCE,
        };
        let Some(rows) = self.claim(now, limit).await else { return Step::WaitUntil(now + PAUSE) };
        if rows.is_empty() {
            return self.next_due(now).await;
        }
        if self.gathers_until.is_none_or(|until| GATHER <= now.since(until)) {
            self.n_in_storm = 0;
        }
        let is_full = rows.len() == limit;
        let (rows, quiet) = self.leave_quiet(channel, (rows, is_full), now).await;
        if rows.is_empty() {
            // What comes meanwhile ends the wait, and may have to be told.
            return if is_full { Step::Again } else { Step::WaitUntil(quiet.unwrap_or(now + PAUSE)) };
        }
        let links = Links::new(&config.server).signed(LinkKeys::new(&config, &self.desk.secret));
        let to = To { channel, links: &links, manner, places: PlaceKeys::new(&config, &self.desk.secret) };
        match manner {
            Manner::Together => self.attend(rows, &to).await,
            Manner::Apart => self.attend_each(rows, &to).await,
        }
        Step::Again
    }

    /// Leaves alone what the channel keeps still about, and says until when. Such rows stay due, because what comes behind them may have to be
    /// told at once; but where there are more than fit into one look they make room for the rest.
    async fn leave_quiet(
        &mut self,
        channel: &Channel,
        (rows, is_full): (Vec<OutboxRow>, bool),
        now: UnixMillis,
    ) -> (Vec<OutboxRow>, Option<UnixMillis>) {
        let mut until = None;
        let mut marks = Vec::new();
        let mut loud = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(end) = quiet_until(channel, &row, now) else {
                loud.push(row);
                continue;
            };
            until = Some(until.map_or(end, |until: UnixMillis| until.min(end)));
            marks.push((row.id, Mark::Waits { next_at: if is_full { now + QUIET_PASSES } else { now } }));
        }
        if !marks.is_empty() {
            self.settle(marks, None).await;
        }
        (loud, until)
    }

    /// One row after the other, until there is a reason to look again.
    async fn attend_each(&mut self, rows: Vec<OutboxRow>, to: &To<'_>) {
        let mut rows = rows.into_iter();
        while let Some(row) = rows.next() {
            self.attend(vec![row], to).await;
            let now = self.now();
            let is_other = self.desk.config.has_changed().unwrap_or(false);
            if self.rest.until(now).is_some() || self.desk.stop.is_cancelled() || is_other {
                self.settle(rows.map(|row| (row.id, Mark::Waits { next_at: now })).collect(), None).await;
                return;
            }
        }
    }

    /// Looks whose turn these rows are, and tells those that are ours, in one message.
    async fn attend(&mut self, rows: Vec<OutboxRow>, to: &To<'_>) {
        let is_full = PARTS_MAX <= rows.len();
        let (mut due, mut marks) = self.whose_turn(rows, to);
        due.sort_by_cached_key(|due| bundle::place(&due.telling.notification));
        let (mut due, mut later) = portion(due, &self.n_refused);
        // Where more wait than one message tells, the rest of them is a message already.
        let rest = if is_full { Vec::new() } else { due.split_off(self.n_with_room(&due, to).await) };
        let goes_on = !rest.is_empty();
        later.extend(rest);
        let next_at = self.now();
        marks.extend(later.iter().map(|due| (due.telling.rows[0].id, Mark::Waits { next_at })));
        self.settle(marks, None).await;
        if !self.note_keys(&due).await {
            return;
        }
        let n_before = self.n_in_storm;
        if due.iter().any(|due| due.attempts.is_some()) {
            self.attempt_for_all(due, to).await;
        } else if !due.is_empty() {
            self.attempt(&due, to).await;
        }
        if goes_on && self.n_in_storm != n_before {
            // What had no room is no news to be gathered.
            self.gathers_until = Some(self.now());
        }
    }

    /// Notes under which keys these are told, where that is not the key of what was claimed, so that after a crash the right ones are doubted.
    /// Says whether that worked; nothing is sent otherwise.
    async fn note_keys(&mut self, due: &[Due]) -> bool {
        let pairs = under_another_key(due);
        if pairs.is_empty() {
            return true;
        }
        let Err(error) = self.desk.outbox.tells(pairs).await else { return true };
        tracing::error!(channel = %self.channel, %error, "cannot note what is to be sent: {error}");
        let next_at = self.now() + PAUSE;
        self.settle(due.iter().map(|due| (due.telling.rows[0].id, Mark::Waits { next_at })).collect(), None).await;
        false
    }

    /// How many of these, the first ones, are told in the next message: those whose names have room in it, as long as a storm has messages
    /// left.
    async fn n_with_room(&self, due: &[Due], to: &To<'_>) -> usize {
        if due.len() < 2 || STORM_MESSAGES <= self.n_in_storm + 1 {
            return due.len();
        }
        let tellings: Vec<Telling> = due.iter().map(|due| due.telling.clone()).collect();
        let now = self.now();
        // What panics here panics when it is sent, and is told of then.
        caught(async { fitting(&tellings, to.channel, to.links, now) }).await.unwrap_or(due.len())
    }

    /// Sorts rows into those to be told now and those that are somebody else's, with what is to be noted of these.
    fn whose_turn(&self, rows: Vec<OutboxRow>, to: &To<'_>) -> (Vec<Due>, Vec<(i64, Mark)>) {
        let now = self.now();
        let (mut due, mut marks) = (Vec::new(), Vec::new());
        for mut row in rows {
            // To the other nodes it is sent; whom it has not reached is this one's business.
            let Some(shared) = self.desk.shared.as_ref().filter(|_| row.remaining.is_empty()) else {
                due.push(Due { telling: telling(row, to.manner, now), attempts: None });
                continue;
            };
            match shared.verdict(&row.notification, patience_of_all(&to.channel.spec)) {
                Verdict::Own => due.push(Due { telling: telling(row, to.manner, now), attempts: None }),
                Verdict::Ours { may_be_repeat, .. } => {
                    row.behind.retain(|behind| shared.past(&behind.notification.key).1.is_none());
                    // What another node tried may have arrived as well.
                    row.n_attempts = row.n_attempts.max(shared.past(&row.notification.key).0);
                    row.notification.may_be_repeat |= may_be_repeat;
                    for behind in &mut row.behind {
                        behind.n_attempts = behind.n_attempts.max(shared.past(&behind.notification.key).0);
                        behind.notification.may_be_repeat |= shared.may_have_arrived(&behind.notification.key);
                    }
                    let mut telling = telling(row, to.manner, now);
                    telling.notification.may_be_repeat |= may_be_repeat;
                    let attempts = telling.rows.iter().map(|row| shared.past(&row.notification.key).0).collect();
                    due.push(Due { telling, attempts: Some(attempts) });
                }
                Verdict::Sent(at) => marks.push((row.id, Mark::Elsewhere { at })),
                Verdict::Wait(wait) => marks.push((row.id, Mark::Waits { next_at: now + wait.clamp(WAIT_MIN, WAIT_MAX) })),
            }
        }
        (due, marks)
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

    async fn attempt(&mut self, due: &[Due], to: &To<'_>) {
        let (key, Tried { outcome, record, remaining }) = self.send(due, to).await;
        let now = self.now();
        let before = due[0].telling.remaining.as_slice();
        // The others have it, so the channel is well.
        if before.is_empty() {
            self.rest.note(outcome.as_ref().copied(), now, (self.desk.chance)());
        }
        let marks = match &outcome {
            Ok(()) => self.arrived(due, (&key, &remaining), &record, now),
            Err(error) if before.is_empty() => self.not_accepted(due, (error, record.is_unanswered), now),
            Err(error @ SendError::Permanent(_)) => rest_given_up(due, error, now),
            Err(error) => partly(due, &error.to_string(), before, (now, (self.desk.chance)())),
        };
        self.conclude(due, &key, marks, &record).await;
    }

    /// An attempt that stands for the whole cluster: the others are told before and after. How long the cluster waits between attempts is
    /// decided by all of them together; here only a channel's own "slow down" is kept to.
    async fn attempt_for_all(&mut self, due: Vec<Due>, to: &To<'_>) {
        let Some(shared) = self.desk.shared.clone() else { return };
        shared.say(steps(&due, |attempt| DeliveryStep::Claimed { attempt }));
        let due = if shared.has_company() { self.give_way(&shared, due).await } else { due };
        if due.is_empty() {
            return;
        }
        let (key, Tried { outcome, record, remaining }) = self.send(&due, to).await;
        let now = self.now();
        match outcome {
            Ok(()) => {
                self.rest.note(Ok(()), now, (self.desk.chance)());
                self.conclude(&due, &key, self.arrived(&due, (&key, &remaining), &record, now), &record).await;
                if let Some(called) = &record.called {
                    shared.note_called(&key, called.clone());
                }
                let sent = steps(&due, |_| DeliveryStep::Sent { at: now });
                let facts = sent.iter().filter_map(|(key, _)| shared.fact(key, now)).collect();
                if let Err(error) = self.desk.outbox.keep(facts).await {
                    tracing::warn!(%error, "cannot keep that message `{key}` was sent: {error}");
                }
                shared.say(sent);
            }
            Err(error) => {
                let mut marks = self.not_accepted(&due, (&error, record.is_unanswered), now);
                if matches!(error, SendError::Later(..)) {
                    self.rest.note(Err(&error), now, (self.desk.chance)());
                } else {
                    for (_, mark) in &mut marks {
                        if let Mark::Retry { next_at, .. } = mark {
                            *next_at = now;
                        }
                    }
                }
                self.conclude(&due, &key, marks, &record).await;
                let is_unanswered = record.is_unanswered;
                shared.say(steps(&due, |attempt| DeliveryStep::Failed { attempt, is_unanswered }));
            }
        }
    }

    /// What becomes of rows that arrived, at all recipients or at some.
    fn arrived(&self, due: &[Due], (key, remaining): (&str, &[String]), record: &Attempt, now: UnixMillis) -> Vec<(i64, Mark)> {
        if remaining.is_empty() {
            return accepted(due, key, now);
        }
        partly(due, record.reason.as_deref().unwrap_or_default(), remaining, (now, (self.desk.chance)()))
    }

    /// Waits until the others have heard of our claims, and leaves to them what they claimed as well.
    async fn give_way(&mut self, shared: &Shared, due: Vec<Due>) -> Vec<Due> {
        let ahead = if shared.has_new_order() { CLAIM_FIRST_ANEW } else { CLAIM_FIRST };
        tokio::time::sleep(ahead).await;
        let is_theirs = |due: &Due| due.keys().any(|(key, attempt)| shared.gives_way(key, attempt));
        let (theirs, ours): (Vec<Due>, Vec<Due>) = due.into_iter().partition(is_theirs);
        let next_at = self.now() + WAIT_MIN;
        self.settle(theirs.iter().map(|due| (due.telling.rows[0].id, Mark::Waits { next_at })).collect(), None).await;
        ours
    }

    /// One attempt to tell all of these; says also which key the message has.
    async fn send(&mut self, due: &[Due], to: &To<'_>) -> (String, Tried) {
        let tellings: Vec<Telling> = due.iter().map(|due| due.telling.clone()).collect();
        let notification = bundle::of(&tellings);
        let told: Vec<&Notification> = tellings.iter().flat_map(|telling| &telling.rows).map(|row| &row.notification).collect();
        let first = self.first(&tellings);
        let only = &due[0].telling.remaining;
        let envelope =
            Envelope { channel: to.channel, notification: &notification, told: &told, links: to.links, first: first.as_ref(), only };
        let mut tried = self.attempt_where_it_began(envelope, due[0].telling.rows[0].n_attempts, to).await;
        if tried.outcome.is_ok()
            && notification.event.opens()
            && let Some(place) = former::place(&to.channel.spec)
        {
            tried.record.called = to.places.mark(&place);
        }
        // Without an answer there is a rest instead, which is longer each time.
        if only.is_empty() && matches!(tried.outcome, Ok(()) | Err(SendError::Permanent(_))) {
            self.gathers_until = Some(self.now() + GATHER);
            self.n_in_storm += usize::from(tried.outcome.is_ok());
        }
        (notification.key, tried)
    }

    /// An attempt at the place where the incident was opened. When the key of that place is not taken any more, or nobody answers there, at the
    /// present one: what is new about the monitor waits behind this message.
    async fn attempt_where_it_began(&self, envelope: Envelope<'_>, n_attempts: u32, to: &To<'_>) -> Tried {
        let (sink, clock) = (&*self.desk.sink, &self.desk.clock);
        let (mut tried, said) = match self.desk.former.goes(to.channel, envelope.first, &to.places) {
            Goes::Here => return attempt(sink, clock, envelope).await,
            Goes::There(before) => {
                let tried = attempt(sink, clock, Envelope { channel: &before, ..envelope }).await;
                match &tried.outcome {
                    Ok(()) => (tried, FORMER_KEY.to_owned()),
                    Err(SendError::Transient(_) | SendError::Later(..)) if n_attempts < FORMER_TRIES => return tried,
                    Err(SendError::Permanent(why) | SendError::Transient(why) | SendError::Later(_, why)) => {
                        let said = format!("{FORMER_KEY_REFUSED}: {why}");
                        (attempt(sink, clock, envelope).await, said)
                    }
                }
            }
            Goes::Lost => (attempt(sink, clock, envelope).await, FORMER_KEY_LOST.to_owned()),
        };
        if tried.outcome.is_ok() {
            tracing::info!(channel = %self.channel, "message `{}`: {said}", envelope.notification.key);
            tried.record.reason = Some(said);
        }
        tried
    }

    /// What the service calls the message that this one follows, by what is noted here or by what another node said. What is told of
    /// several incidents at once follows nothing.
    fn first(&self, tellings: &[Telling]) -> Option<ServiceId> {
        let [Telling { opening: Some(opening), .. }] = tellings else { return None };
        opening.called.clone().or_else(|| self.desk.shared.as_ref().and_then(|shared| shared.called(&opening.key)))
    }

    /// What becomes of rows whose attempt failed.
    fn not_accepted(&mut self, due: &[Due], (error, is_unanswered): (&SendError, bool), now: UnixMillis) -> Vec<(i64, Mark)> {
        // What failed together is tried again together.
        let chance = (self.desk.chance)();
        let mut marks = Vec::new();
        for Due { telling, .. } in due {
            let first = &telling.rows[0];
            let n_refused = self.n_refused.entry(first.id).or_default();
            if matches!(error, SendError::Permanent(_)) {
                *n_refused += 1;
            }
            let n_attempts = first.n_attempts.saturating_add(1);
            let history = History { owed_since: first.owed_since, n_attempts, n_refused: *n_refused };
            let next = after_failure(error, history, now, chance);
            for (place, row) in telling.rows.iter().enumerate() {
                let is_told = place == telling.told;
                let error = if is_told { error.to_string() } else { with_another(&telling.notification.key, error) };
                let may_have_arrived = is_told && is_unanswered;
                let mark = match next {
                    Next::RetryAt(next_at) => Mark::Retry { next_at, error, may_have_arrived },
                    Next::GiveUp => Mark::Dead { at: now, error, may_have_arrived },
                };
                marks.push((row.id, mark));
            }
        }
        marks
    }

    /// Notes how an attempt ended.
    async fn conclude(&mut self, due: &[Due], key: &str, marks: Vec<(i64, Mark)>, record: &Attempt) {
        for (id, mark) in &marks {
            if !matches!(mark, Mark::Retry { .. }) {
                self.n_refused.remove(id);
            }
        }
        // What is said in the log holds over a crash.
        self.settle(marks.clone(), Some(record)).await;
        self.log(due, key, (&marks, record));
    }

    /// The channel is not in the config: gives up what has waited a day for it, and leaves the rest alone.
    async fn bury(&mut self, now: UnixMillis) -> Step {
        let Some(rows) = self.claim(now, BURIED_AT_ONCE).await else { return Step::WaitUntil(now + PAUSE) };
        let error = format!("the channel `{}` is not in the config", self.channel);
        let is_over = |row: &OutboxRow| now.since(row.owed_since) >= KEPT_FOR;
        let n_buried = rows.iter().filter(|row| is_over(row)).count();
        let mark = |row: &OutboxRow| {
            let error = error.clone();
            let may_have_arrived = false;
            if is_over(row) {
                Mark::Dead { at: now, error, may_have_arrived }
            } else {
                Mark::Retry { next_at: now, error, may_have_arrived }
            }
        };
        for row in rows.iter().filter(|row| is_over(row)) {
            let key = &row.notification.key;
            tracing::error!(channel = %self.channel, key, error, "message `{key}` given up: {error}");
        }
        self.settle(rows.iter().map(|row| (row.id, mark(row))).collect(), None).await;
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

    /// Makes it durable what became of rows, of all of them at once, with the record of the attempt if there was one. Until it has worked
    /// nothing else is sent: a message that was accepted and not noted would be sent again, and with a full disk again and again.
    async fn settle(&mut self, marks: Vec<(i64, Mark)>, record: Option<&Attempt>) {
        if marks.is_empty() {
            return;
        }
        while let Err(error) = self.desk.outbox.mark(marks.clone(), record).await {
            tracing::error!(channel = %self.channel, %error, n_messages = marks.len(), "cannot note what became of messages: {error}");
            if error == CommitError::Closed || self.desk.stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One line for each message, however much it tells. Why it was not accepted is what the attempt says: a row that was told in another
    /// one's message names that message, which is this one.
    fn log(&self, due: &[Due], key: &str, (marks, record): (&[(i64, Mark)], &Attempt)) {
        let error = record.reason.as_deref().unwrap_or_default();
        let channel = &self.channel;
        let (n_messages, n_attempts) = (marks.len(), due[0].telling.rows[0].n_attempts.saturating_add(1));
        if let Some((_, Mark::Retry { next_at, .. })) = marks.iter().find(|(_, mark)| matches!(mark, Mark::Retry { .. })) {
            // With peers the turn goes round at once.
            let next = match spoken(next_at.since(self.now())) {
                _ if *next_at <= self.now() => "the next node tries".to_owned(),
                wait => format!("next attempt in {wait}"),
            };
            tracing::warn!(%channel, key, n_messages, n_attempts, error, "message `{key}` not accepted by channel `{channel}`, {next}: {error}");
        }
        if marks.iter().any(|(_, mark)| matches!(mark, Mark::Dead { .. })) {
            tracing::error!(%channel, key, n_messages, n_attempts, error, "message `{key}` given up, channel `{channel}` did not accept it: {error}");
        }
        if marks.iter().any(|(_, mark)| matches!(mark, Mark::Partly { .. } | Mark::Enough { .. })) {
            tracing::warn!(%channel, key, n_messages, n_attempts, error, "message `{key}` did not reach all recipients of channel `{channel}`: {error}");
        }
        if marks.iter().any(|(_, mark)| matches!(mark, Mark::Sent { .. } | Mark::Together { .. })) {
            tracing::info!(%channel, key, n_messages, n_attempts, "message `{key}` accepted by channel `{channel}`");
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

/// Where to.
struct To<'a> {
    channel: &'a Channel,
    links: &'a Links,
    manner: Manner,
    places: PlaceKeys,
}

/// Until when a channel keeps still about this and all that waits behind it; `None` when one of them is told all the same: nothing of one
/// monitor overtakes anything.
fn quiet_until(channel: &Channel, row: &OutboxRow, now: UnixMillis) -> Option<UnixMillis> {
    let hours = channel.quiet_hours.as_ref()?;
    let mut latest = now;
    for waiting in std::iter::once(row).chain(&row.behind) {
        let lane = match &waiting.notification.subject {
            Subject::Incident(facts) => Some(facts.lane),
            Subject::SelfNotice { .. } | Subject::Passed(..) | Subject::Bundle(..) => None,
        };
        // What may follow it goes at once, and would have to wait behind it.
        if lane == Some(Lane::Regional) && hours.except.contains(&EventKind::Down) {
            return None;
        }
        latest = latest.max(quiet::until(hours, waiting.notification.event, lane, now)?);
    }
    Some(latest)
}

#[cfg(test)]
mod tests;
