//! One file per page, each with its view struct.

pub mod act;
pub mod announcements;
pub mod channels;
pub mod config;
pub mod dashboard;
pub mod error;
#[cfg(debug_assertions)]
pub mod gallery;
pub mod heartbeats;
pub mod incidents;
pub mod maintenance;
pub mod monitor;
pub mod new_monitor;
pub mod peers;
pub mod sign_in;
pub mod silences;
pub mod status;
pub mod subscribe;
