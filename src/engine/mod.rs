//! The one owner of live state: what is due, what is held to be true, what must be said.
//!
//! [`core`] decides and is pure; [`shell`] waits, reads the clock once per event, applies, and carries out; [`runner`] makes
//! checks; [`committer`] makes changes durable in order and wakes the notifier afterwards.

pub mod announce;
pub mod committer;
pub mod core;
pub mod event;
pub mod handle;
pub mod ping;
pub mod runner;
pub mod shell;
pub mod snapshot;
