//! The receiver: what jobs call to say that they began, worked or failed.
//!
//! It speaks the protocol of healthchecks, so that every client of that works, and what Uptime Kuma, Gatus and Better Stack are called
//! with, so that moving here is a change of host name. [`path`] reads addresses, [`identity`] derives them, [`directory`] finds whose
//! they are, [`body`] reads what comes along. What a ping means and whether it is late is decided by the engine; the answer is sent
//! when the ping is on the disk.

pub mod body;
pub mod directory;
pub mod identity;
pub mod misses;
pub mod path;
pub mod receiver;
pub mod snippets;
