//! The nouns of vigilmon: what is configured, what was seen, what is held to be true, who is told.
//!
//! Floor 0: no I/O, no clock, no serde, no tokio. Everything above speaks in these types at its borders. One word per thing:
//!
//! | word | means |
//! |---|---|
//! | monitor | something configured to be watched |
//! | probe | the code that observes by one protocol |
//! | check | one run of a probe for one monitor from one vantage |
//! | observation | what the probe saw, before judgement |
//! | result | a judged check: outcome, reason, timings |
//! | outcome | up, degraded, down or unknown for one check |
//! | vantage | the instance from which a check was made |
//! | region | label of where a vantage is |
//! | opinion | what one vantage currently holds of a monitor |
//! | peer | another instance that watches the same and exchanges opinions |
//! | node | an instance of a cluster, by the name the config gives it |
//! | verdict | what the peers together hold; alone, one's own opinion |
//! | epoch | counter per monitor and lane: odd while an incident is open |
//! | incident | a span of time in which the verdict is down (or, in its own lane, degraded) |
//! | heartbeat | a monitor that is expected to report by itself |
//! | ping | one report to a heartbeat |
//! | run | what a job does between a start and its end |
//! | channel | a configured way to reach people |
//! | notification | one message about one incident to one channel |
//! | outbox | notifications owed but not yet sent |
//! | update | what people say of an incident or announcement: how far they have got |
//! | note | the same, for everybody who is signed in |
//! | subscriber | a mailbox or web address that asked to be told what a status page says |
//! | news | one thing that a status page says for the first time, for its subscribers |
//! | announcement | something people tell visitors without a check that failed |

pub mod change;
pub mod channel;
pub mod expect;
pub mod heartbeat;
pub mod id;
pub mod incident;
pub mod maintenance;
pub mod monitor;
pub mod net;
pub mod notification;
pub mod page;
pub mod peer;
pub mod ping;
pub mod policy;
pub mod result;
pub mod rollup;
pub mod schedule;
pub mod secret;
pub mod subscription;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod update;
pub mod verdict;
