//! Wiring: which parts there are, who talks to whom, in which order they start and stop.

pub mod bench;
mod cluster;
pub mod demo;
mod edit;
pub mod files;
pub mod find;
pub mod health;
pub mod housekeeping;
pub mod last_good;
pub mod lifecycle;
pub mod reload;
pub mod start;
pub mod surroundings;
pub mod watch;

pub use crate::app::find::find_config;
pub use crate::app::find::state_dir_of;
pub use crate::app::start::Options;
pub use crate::app::start::StartError;
pub use crate::app::start::run;

/// What HTTP targets read in their logs: who asks, and from where.
#[must_use]
pub fn user_agent(region: &str) -> String {
    format!("vigilmon/{} ({region})", env!("CARGO_PKG_VERSION"))
}

/// Version, commit and target.
#[must_use]
pub fn version_text() -> String {
    format!("{} ({}, {})", env!("CARGO_PKG_VERSION"), env!("VIGILMON_COMMIT"), env!("VIGILMON_TARGET"))
}
