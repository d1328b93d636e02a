//! What several vantages hold together. Pure: the same opinions give the same verdict on every node, in whatever order they came.
//!
//! Alone, one vantage's opinion is the verdict; nothing else in the engine knows how many vantages there are.

pub mod decide;
pub mod identity;
