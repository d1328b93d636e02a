//! The one owner of live state: what is due, what is held to be true, what must be said.

pub mod handle;
pub mod snapshot;
