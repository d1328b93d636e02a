//! To be built.
pub mod uptime;
