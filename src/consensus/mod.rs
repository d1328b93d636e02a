//! What several vantages hold together. Pure: the same opinions give the same verdict on every node, in whatever order they came.
//!
//! Alone, one vantage's opinion is the verdict; nothing else in the engine knows how many vantages there are.

pub mod codec;
pub mod component;
pub mod decide;
pub mod delivery;
pub mod diagnosis;
pub mod heartbeat;
pub mod identity;
pub mod merge;
pub mod outlier;
pub mod rank;
pub mod stamp;
pub mod takeover;
pub mod turn;
