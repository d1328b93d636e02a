//! vigilmon: uptime monitoring from outside, in one binary.
//!
//! Modules by floor; a floor uses the ones above it in this list, and siblings do not use each other (`tests/tidy.rs` checks):
//!
//! | floor | modules | what they are |
//! |---|---|---|
//! | 0 | [`model`] | nouns; no I/O, no clock |
//! | 1 | [`clock`], [`supervise`] | the one reader of time, the one place that spawns |
//! | 2 | [`config`], [`rules`], [`consensus`] (pure); [`probe`], [`store`] | decisions, and the adapters to network and disk |
//! | 3 | [`engine`] | one owner of the live state |
//! | 4 | [`ui`], [`notifier`], [`peer`] | towards people and peers |
//! | 5 | [`http`] | the server |
//! | 6 | [`app`] | wiring, reload, lifecycle |
//! | 7 | [`cli`] | one file per subcommand |

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod consensus;
pub mod engine;
pub mod http;
pub mod model;
pub mod notifier;
pub mod peer;
pub mod probe;
pub mod rules;
pub mod store;
pub mod supervise;
pub mod ui;
