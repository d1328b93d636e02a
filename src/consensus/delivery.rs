//! Who sends a message, and when: one attempt at a time in the whole cluster, the turn going round the ranks.
//!
//! Every node has the message in its outbox. The turn for attempt *k* belongs to the node at rank *k mod n*; a node at distance *d*
//! from the turn waits *d* takeovers longer. A claim of a live node holds the others back for a lease. A failure moves the turn to the
//! next node, whose way out may work. `sent` from anybody, in any run, ends it.
//!
//! The order of the nodes is that of the channel, not of the monitor: so one node has all that goes to a channel, and what comes at once
//! goes out together.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::consensus::rank::ranked;
use crate::model::id::NodeName;
use crate::model::notification::ServiceId;
use crate::model::peer::DeliveryFact;
use crate::model::peer::DeliveryStep;
use crate::model::peer::Roster;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;

/// How long each place in the order is waited for: longer than an attempt takes and its outcome travels.
pub const TAKEOVER_AFTER: Duration = Duration::from_secs(15);

/// What a claim is ahead of its attempt, and what it takes until the others have heard how that ended.
const AROUND_ATTEMPT: Duration = Duration::from_secs(5);

/// How long a claim of a live node holds the others back, from when it was heard: as long as the attempt may take. A mail server may take
/// its time, and a second copy would go out while the first is being read. A node that is dead holds nobody back, so a longer lease makes
/// no takeover later.
#[must_use]
pub fn lease(patience: Duration) -> Duration {
    patience + AROUND_ATTEMPT
}

/// Longest pause between attempts.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Keys that are kept at most; the oldest go first. A storm of thousands of messages fits several times.
pub const KEYS_MAX: usize = 50_000;

/// A node that takes no part looks again after this long; it is woken before when that changes.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What is known of all deliveries.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    keys: BTreeMap<String, Known>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    sent: Option<UnixMillis>,
    /// What the service calls it; of two who sent it, by whoever was heard first.
    called: Option<ServiceId>,
    /// The highest attempt that failed, and when that was heard.
    failed: Option<(u32, Mono)>,
    /// An attempt that failed was not answered: the message may have arrived.
    is_unanswered: bool,
    /// The newest claim of each node: attempt, and when it was heard.
    claims: BTreeMap<NodeName, (u32, Mono)>,
    touched: Mono,
}

impl Known {
    /// An attempt had no answer, or nobody has said how it ended.
    fn may_have_arrived(&self) -> bool {
        self.is_unanswered || !self.claims.is_empty()
    }
}

/// A message that is owed here.
#[derive(Debug, Clone, Copy)]
pub struct Owed<'a> {
    /// Its key.
    pub key: &'a str,
    /// What the order of the nodes is made of: the channel's name, so that one node sends all that goes there.
    pub subject: &'a str,
    /// Since when it is owed here; or since when somebody else was last seen to send to this channel, and this message waits behind that.
    pub since: Mono,
    /// How long a claim of it holds the others back.
    pub lease: Duration,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Somebody sent it then.
    Sent(UnixMillis),
    /// Ours: make this attempt now.
    Ours {
        /// Counted from 0, in the whole cluster.
        attempt: u32,
        /// Somebody, perhaps an earlier run of this node, began to send it and has not said how that ended, or had no answer: it may have
        /// arrived.
        may_be_repeat: bool,
    },
    /// Not ours yet; look again then, or when something is heard.
    Wait(Mono),
}

impl Ledger {
    /// Takes in what a node says of a delivery, this node's own words included. Returns whether it is news that the message was sent.
    pub fn heard(&mut self, from: &NodeName, fact: &DeliveryFact, now: Mono) -> bool {
        self.make_room(&fact.key);
        let known = self.keys.entry(fact.key.clone()).or_default();
        known.touched = now;
        match fact.step {
            DeliveryStep::Sent { at } => {
                let is_news = known.sent.is_none();
                known.sent = Some(known.sent.map_or(at, |before| before.min(at)));
                if known.called.is_none() {
                    known.called.clone_from(&fact.called);
                }
                return is_news;
            }
            DeliveryStep::Failed { attempt, is_unanswered } => {
                known.is_unanswered |= is_unanswered;
                if known.failed.is_none_or(|(before, _)| before < attempt) {
                    known.failed = Some((attempt, now));
                }
                if known.claims.get(from).is_some_and(|(claimed, _)| *claimed <= attempt) {
                    known.claims.remove(from);
                }
            }
            DeliveryStep::Claimed { attempt } => {
                let is_over = known.failed.is_some_and(|(failed, _)| attempt <= failed);
                let is_known = known.claims.get(from).is_some_and(|(before, _)| attempt <= *before);
                if !is_over && !is_known {
                    known.claims.insert(from.clone(), (attempt, now));
                }
            }
        }
        false
    }

    /// Whose turn it is. A node that is not ready, or not eligible, waits.
    #[must_use]
    pub fn turn(&self, owed: Owed<'_>, roster: &Roster, now: Mono) -> Turn {
        let nothing = Known::default();
        let known = self.keys.get(owed.key).unwrap_or(&nothing);
        if let Some(at) = known.sent {
            return Turn::Sent(at);
        }
        let (attempt, base) = match known.failed {
            None => (0, owed.since),
            Some((failed, heard)) => (failed.saturating_add(1), heard),
        };
        if !roster.is_ready {
            return Turn::Wait(now + LOOK_AGAIN);
        }
        let order = ranked(owed.subject, &roster.eligible);
        let takeover = TAKEOVER_AFTER * distance(&order, attempt, &roster.me);
        let mut at = base + backoff(attempt) + takeover;
        if !takeover.is_zero() {
            // In another order it was somebody else's turn: it is waited for anew, or two would find at once that their time has come.
            at = at.max(roster.eligible_since + takeover);
        }
        for (node, (claimed, heard)) in &known.claims {
            if *node != roster.me && attempt <= *claimed && roster.live.contains(node) {
                at = at.max(*heard + owed.lease);
            }
        }
        if at <= now { Turn::Ours { attempt, may_be_repeat: known.may_have_arrived() } } else { Turn::Wait(at) }
    }

    /// Whether another node that lives is about to make the same attempt and goes first: nodes that do not see the same others for a
    /// moment may both have found that it is their turn. Of two the one whose name is first goes on, so that one always does.
    #[must_use]
    pub fn gives_way(&self, key: &str, attempt: u32, roster: &Roster) -> bool {
        let claims = self.keys.get(key).map(|known| &known.claims);
        claims.into_iter().flatten().any(|(node, (claimed, _))| attempt <= *claimed && *node < roster.me && roster.live.contains(node))
    }

    /// Lets the key go that was not heard of for the longest time, when there are too many; those that were sent first.
    fn make_room(&mut self, wanted: &str) {
        if self.keys.len() < KEYS_MAX || self.keys.contains_key(wanted) {
            return;
        }
        let oldest = self.keys.iter().min_by_key(|(_, known)| (known.sent.is_none(), known.touched)).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.keys.remove(&key);
        }
    }

    /// How many attempts have failed, as far as is known; the number of the next one.
    #[must_use]
    pub fn attempt(&self, key: &str) -> u32 {
        self.keys.get(key).and_then(|known| known.failed).map_or(0, |(failed, _)| failed.saturating_add(1))
    }

    /// Whether somebody made an attempt that had no answer, or has not said how it ended.
    #[must_use]
    pub fn may_have_arrived(&self, key: &str) -> bool {
        self.keys.get(key).is_some_and(Known::may_have_arrived)
    }

    /// When somebody sent it.
    #[must_use]
    pub fn sent(&self, key: &str) -> Option<UnixMillis> {
        self.keys.get(key)?.sent
    }

    /// Notes what the service calls a message that this node has just sent.
    pub fn note_called(&mut self, key: &str, called: ServiceId) {
        self.make_room(key);
        self.keys.entry(key.to_owned()).or_default().called.get_or_insert(called);
    }

    /// What the service calls it, whoever sent it.
    #[must_use]
    pub fn called(&self, key: &str) -> Option<&ServiceId> {
        self.keys.get(key)?.called.as_ref()
    }
}

/// How far `me` is from the turn: 0 is next. Whoever is not in the order comes after all of them, so that a message never waits for nobody.
fn distance(order: &[NodeName], attempt: u32, me: &NodeName) -> u32 {
    let n = u32::try_from(order.len()).unwrap_or(u32::MAX);
    let place = order.iter().position(|node| node == me).and_then(|place| u32::try_from(place).ok());
    match place {
        Some(place) => (place + n - attempt % n) % n,
        None => n,
    }
}

/// How long an attempt waits after the one before it failed.
fn backoff(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        n => Duration::from_secs(1).saturating_mul(1 << (n - 1).min(6)).min(BACKOFF_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeName {
        NodeName::parse(name).expect("a name")
    }

    fn at(seconds: u64) -> Mono {
        Mono(0) + Duration::from_secs(seconds)
    }

    /// Looks at second 100, when it is everybody's turn who is not held back.
    fn turn(steps: &[(&str, DeliveryStep)]) -> Turn {
        let mut ledger = Ledger::default();
        for (from, step) in steps {
            ledger.heard(&node(from), &DeliveryFact { key: "k".to_owned(), step: *step, called: None }, at(10));
        }
        let live = [node("a"), node("b")];
        let roster = Roster { me: node("a"), eligible: live.to_vec(), eligible_since: at(0), live: live.into(), is_ready: true };
        ledger.turn(Owed { key: "k", subject: "ops", since: at(0), lease: lease(Duration::from_secs(10)) }, &roster, at(100))
    }

    #[test]
    fn of_two_that_claim_at_once_one_goes_on() {
        let mut ledger = Ledger::default();
        for name in ["a", "b"] {
            let fact = DeliveryFact { key: "k".to_owned(), step: DeliveryStep::Claimed { attempt: 1 }, called: None };
            ledger.heard(&node(name), &fact, at(10));
        }
        let live = [node("a"), node("b")];
        let roster = |me: &str, live: &[NodeName]| Roster {
            me: node(me),
            eligible: live.to_vec(),
            eligible_since: at(0),
            live: live.iter().cloned().collect(),
            is_ready: true,
        };
        assert!(!ledger.gives_way("k", 1, &roster("a", &live)));
        assert!(ledger.gives_way("k", 1, &roster("b", &live)));
        assert!(!ledger.gives_way("k", 1, &roster("b", &live[1..])), "the other one is gone");
        assert!(!ledger.gives_way("k", 2, &roster("b", &live)), "that attempt is over");
    }

    #[test]
    fn a_claim_holds_for_as_long_as_an_attempt_may_take_and_only_while_its_node_lives() {
        let both = [node("a"), node("b")];
        let [first, me] = ranked("ops", &both).try_into().expect("two");
        let mut ledger = Ledger::default();
        ledger.heard(&first, &DeliveryFact { key: "k".to_owned(), step: DeliveryStep::Claimed { attempt: 0 }, called: None }, at(10));
        for (patience, is_alive, expected) in [(10, true, 25), (25, true, 40), (25, false, 15)] {
            let live = both.iter().filter(|node| is_alive || **node == me).cloned().collect();
            let roster = Roster { me: me.clone(), eligible: both.to_vec(), eligible_since: at(0), live, is_ready: true };
            let owed = Owed { key: "k", subject: "ops", since: at(0), lease: lease(Duration::from_secs(patience)) };
            assert_eq!(ledger.turn(owed, &roster, at(11)), Turn::Wait(at(expected)), "{patience} {is_alive}");
        }
    }

    #[test]
    fn a_claim_of_which_the_outcome_is_not_known_makes_the_next_attempt_a_possible_repeat() {
        let claimed = |attempt| DeliveryStep::Claimed { attempt };
        assert_eq!(turn(&[]), Turn::Ours { attempt: 0, may_be_repeat: false });
        assert_eq!(turn(&[("b", claimed(0))]), Turn::Ours { attempt: 0, may_be_repeat: true });
        assert_eq!(turn(&[("a", claimed(0))]), Turn::Ours { attempt: 0, may_be_repeat: true }, "an earlier run of this node");
        let failed = DeliveryStep::Failed { attempt: 0, is_unanswered: false };
        let unanswered = DeliveryStep::Failed { attempt: 0, is_unanswered: true };
        assert_eq!(turn(&[("b", claimed(0)), ("b", failed)]), Turn::Ours { attempt: 1, may_be_repeat: false });
        assert_eq!(turn(&[("b", claimed(0)), ("b", unanswered)]), Turn::Ours { attempt: 1, may_be_repeat: true });
        assert_eq!(turn(&[("b", claimed(0)), ("b", DeliveryStep::Sent { at: UnixMillis(7) })]), Turn::Sent(UnixMillis(7)));
    }

    #[test]
    fn what_a_service_calls_it_is_known_by_whoever_said_it_first() {
        let mut ledger = Ledger::default();
        let id = |text: &str| ServiceId::parse(text);
        let fact = |called| DeliveryFact { key: "k".to_owned(), step: DeliveryStep::Sent { at: UnixMillis(7) }, called };
        ledger.heard(&node("a"), &fact(None), at(10));
        assert_eq!(ledger.called("k"), None);
        ledger.heard(&node("b"), &fact(id("42")), at(11));
        ledger.heard(&node("c"), &fact(id("43")), at(12));
        ledger.heard(&node("b"), &fact(None), at(13));
        assert_eq!(ledger.called("k"), id("42").as_ref());
        assert_eq!(ledger.called("another"), None);
    }
}
