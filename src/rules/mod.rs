//! Decisions about one monitor, each a pure function or a small state machine. Time and chance are arguments.
//!
//! What several vantages decide together is in `crate::consensus`; what happens when is put together in `crate::engine`.

pub mod calendar;
pub mod certificate;
pub mod flap;
pub mod heartbeat;
pub mod incident;
pub mod judge;
pub mod maintenance;
pub mod opinion;
pub mod policy;
pub mod quiet;
pub mod schedule;
pub mod selfcheck;
pub mod sign_of_life;
pub mod uplink;
pub mod uptime;
