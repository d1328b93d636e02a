//! Carries what nodes tell each other. Decides nothing about monitors: `crate::consensus` and `crate::engine` do.
//!
//! `port` has what the parts say to each other. `link` keeps one authenticated connection per pair of nodes and carries datagrams and
//! questions over it; it is the only part that touches sockets. `gossip` is the only user of chitchat: it replicates keys and values
//! and finds out who lives. `answer` answers what other nodes ask, and asks them for history; `results` is the form of what they
//! measured, `subscribers` that of who subscribed to status pages.

pub mod answer;
pub mod cluster;
pub mod gossip;
pub mod link;
pub mod port;
pub mod results;
pub mod subscribers;
