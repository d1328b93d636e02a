//! Pieces that several pages show. Each is a function of what it shows; the gallery shows every one in every state.

pub mod alert;
pub mod badge;
pub mod bar;
pub mod chart;
pub mod delivery;
pub mod heartbeat;
pub mod incident;
pub mod latency;
pub mod maintenance;
pub mod notice;
pub mod regions;
pub mod runs;
pub mod timeline;
pub mod updates;
pub mod waterfall;
