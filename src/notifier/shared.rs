//! One message, several nodes that owe it: who sends it is worked out by `crate::consensus::delivery`; here is what that needs and does.
//!
//! Messages about incidents are shared; notices about vigilmon itself are each node's own. A node whose channel is resting after a
//! "slow down" lets its turn pass: the next in line takes it when the takeover has come, and its way out may be better.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::consensus::codec;
use crate::consensus::delivery;
use crate::consensus::delivery::Ledger;
use crate::consensus::delivery::Owed;
use crate::consensus::delivery::Turn;
use crate::consensus::rank::ranked;
use crate::engine::announce::Announce;
use crate::model::change::StoredFact;
use crate::model::id::ChannelName;
use crate::model::id::NodeName;
use crate::model::notification::Notification;
use crate::model::notification::ServiceId;
use crate::model::notification::Subject;
use crate::model::peer::DeliveryFact;
use crate::model::peer::DeliveryStep;
use crate::model::peer::Record;
use crate::model::peer::Roster;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;

/// How long it is remembered that a message was sent: as long as its incident is news for a node that was away.
const SENT_KEPT: Duration = Duration::from_secs(72 * 3600);

/// A node that takes no part looks again after this long; it is woken before when that changes.
const SETTLING: Duration = Duration::from_secs(5);

/// An order of nodes is new for this long: until all have heard of whoever came or went.
const NEW_FOR: Duration = Duration::from_secs(15);

/// How long a message waits at most because another node is busy with others for the same channel.
const STORM_MAX: Duration = Duration::from_secs(60);

/// Keys whose age is remembered; what is beyond is taken for new, and waits a little longer.
const SEEN_MAX: usize = 50_000;

/// What a row has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent by each node for itself.
    Own,
    /// It is this node's turn.
    Ours {
        /// Which attempt, counted in the whole cluster.
        attempt: u32,
        /// Somebody began to send it and has not said how that ended.
        may_be_repeat: bool,
    },
    /// Another node sent it then.
    Sent(UnixMillis),
    /// Not yet.
    Wait(Duration),
}

/// What the notifiers of a cluster share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    me: NodeName,
    clock: Clock,
    announce: Arc<dyn Announce>,
    roster: watch::Receiver<Arc<Roster>>,
    ledger: Mutex<Ledger>,
    /// Since when each message is owed here, and to which channel.
    seen: Mutex<BTreeMap<String, (Mono, ChannelName)>>,
    /// When others were last heard to have sent something to each channel.
    busy: Mutex<BTreeMap<ChannelName, Mono>>,
    /// Messages that others sent and the outbox does not know of yet.
    sent: Mutex<BTreeMap<String, UnixMillis>>,
    heard: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Nothing is known of any message yet.
    #[must_use]
    pub fn new(me: NodeName, clock: Clock, announce: Arc<dyn Announce>, roster: watch::Receiver<Arc<Roster>>) -> Shared {
        let inner = Inner {
            me,
            clock,
            announce,
            roster,
            ledger: Mutex::default(),
            seen: Mutex::default(),
            busy: Mutex::default(),
            sent: Mutex::default(),
            heard: Notify::new(),
        };
        Shared { inner: Arc::new(inner) }
    }

    /// Takes in what a node says of a delivery, in whatever run, this node's own earlier ones included. Does not wait.
    pub fn heard(&self, from: &NodeName, fact: &DeliveryFact) {
        let now = self.inner.clock.now().mono;
        let is_news = locked(&self.inner.ledger).heard(from, fact, now);
        if is_news && let DeliveryStep::Sent { at } = fact.step {
            locked(&self.inner.sent).insert(fact.key.clone(), at);
            if let Some((_, channel)) = locked(&self.inner.seen).remove(&fact.key) {
                locked(&self.inner.busy).insert(channel, now);
            }
        }
        self.inner.heard.notify_one();
    }

    /// What earlier runs of this node sent: it is known, and told again.
    pub fn remember(&self, facts: Vec<DeliveryFact>) {
        let now = self.inner.clock.now().mono;
        let mut ledger = locked(&self.inner.ledger);
        for fact in &facts {
            ledger.heard(&self.inner.me, fact, now);
        }
        drop(ledger);
        self.inner.announce.announce(facts.into_iter().map(Record::Delivery).collect());
    }

    /// Waits until something was heard.
    pub(super) async fn noticed(&self) {
        self.inner.heard.notified().await;
    }

    /// Messages that others sent since this was last asked, with the facts to keep.
    pub(super) fn take_sent(&self) -> Vec<(String, UnixMillis, Option<StoredFact>)> {
        let sent = std::mem::take(&mut *locked(&self.inner.sent));
        sent.into_iter().map(|(key, at)| (key.clone(), at, self.fact(&key, at))).collect()
    }

    /// The fact that a message was sent, as it is kept.
    pub(super) fn fact(&self, key: &str, at: UnixMillis) -> Option<StoredFact> {
        let fact = DeliveryFact { key: key.to_owned(), step: DeliveryStep::Sent { at }, called: self.called(key) };
        codec::stored(&Record::Delivery(fact), Some(self.inner.clock.now().wall + SENT_KEPT))
    }

    /// Notified when nodes come and go.
    pub(super) fn rosters(&self) -> watch::Receiver<Arc<Roster>> {
        self.inner.roster.clone()
    }

    /// Whose turn a message is; an attempt to send it takes at most `patience`.
    pub(super) fn verdict(&self, notification: &Notification, patience: Duration) -> Verdict {
        let Subject::Incident(_) = &notification.subject else { return Verdict::Own };
        let channel = &notification.channel;
        let now = self.inner.clock.now().mono;
        let roster = Arc::clone(&self.inner.roster.borrow());
        if !roster.is_ready {
            // The wait for those who go first begins when this node takes part; otherwise all nodes that start together would find
            // that everybody else has had time enough.
            locked(&self.inner.seen).remove(&notification.key);
            let sent = locked(&self.inner.ledger).sent(&notification.key);
            return sent.map_or(Verdict::Wait(SETTLING), Verdict::Sent);
        }
        let since = {
            let mut seen = locked(&self.inner.seen);
            if SEEN_MAX <= seen.len() && !seen.contains_key(&notification.key) {
                seen.clear();
            }
            let (since, _) = seen.entry(notification.key.clone()).or_insert_with(|| (now, channel.clone()));
            let since = *since;
            // In a storm whoever sends does so in portions, a while apart; what is still to come is not there to be taken over.
            let busy = locked(&self.inner.busy).get(channel).copied().unwrap_or(since);
            since.max(busy.min(since + STORM_MAX))
        };
        let owed = Owed { key: &notification.key, subject: channel.as_str(), since, lease: delivery::lease(patience) };
        match locked(&self.inner.ledger).turn(owed, &roster, now) {
            Turn::Sent(at) => Verdict::Sent(at),
            Turn::Ours { attempt, may_be_repeat } => Verdict::Ours { attempt, may_be_repeat },
            Turn::Wait(until) => Verdict::Wait(until.since(now)),
        }
    }

    /// Whether this node is the first of those that live to speak to a channel.
    pub(super) fn goes_first(&self, channel: &ChannelName) -> bool {
        let roster = self.inner.roster.borrow();
        let order = ranked(channel.as_str(), &roster.eligible);
        roster.is_ready && order.iter().find(|node| roster.live.contains(*node)) == Some(&roster.me)
    }

    /// Whether anybody is there to hear what this node says.
    pub(super) fn has_company(&self) -> bool {
        1 < self.inner.roster.borrow().live.len()
    }

    /// Whether the nodes that share the work are others than a moment ago.
    pub(super) fn has_new_order(&self) -> bool {
        let since = self.inner.roster.borrow().eligible_since;
        self.inner.clock.now().mono.since(since) < NEW_FOR
    }

    /// Whether another node is about to make the same attempt and goes first, or has sent it meanwhile.
    pub(super) fn gives_way(&self, key: &str, attempt: u32) -> bool {
        let roster = Arc::clone(&self.inner.roster.borrow());
        let ledger = locked(&self.inner.ledger);
        ledger.sent(key).is_some() || ledger.gives_way(key, attempt, &roster)
    }

    /// How many attempts have failed, in the whole cluster; and that it was sent, if so.
    pub(super) fn past(&self, key: &str) -> (u32, Option<UnixMillis>) {
        let ledger = locked(&self.inner.ledger);
        (ledger.attempt(key), ledger.sent(key))
    }

    /// Whether a message may have arrived although nobody says so, by what was said of its attempts.
    pub(super) fn may_have_arrived(&self, key: &str) -> bool {
        locked(&self.inner.ledger).may_have_arrived(key)
    }

    /// What the service calls a message, whichever node sent it.
    pub(super) fn called(&self, key: &str) -> Option<ServiceId> {
        locked(&self.inner.ledger).called(key).cloned()
    }

    /// Notes what the service calls a message that this node sent; it is told and kept with the news that it was sent.
    pub(super) fn note_called(&self, key: &str, called: ServiceId) {
        locked(&self.inner.ledger).note_called(key, called);
    }

    /// Says how far deliveries of this node's got.
    pub(super) fn say(&self, steps: Vec<(String, DeliveryStep)>) {
        let now = self.inner.clock.now().mono;
        let mut records = Vec::with_capacity(steps.len());
        for (key, step) in steps {
            let mut called = None;
            if matches!(step, DeliveryStep::Sent { .. }) {
                locked(&self.inner.seen).remove(&key);
                called = self.called(&key);
            }
            let fact = DeliveryFact { key, step, called };
            locked(&self.inner.ledger).heard(&self.inner.me, &fact, now);
            records.push(Record::Delivery(fact));
        }
        self.inner.announce.announce(records);
    }
}
