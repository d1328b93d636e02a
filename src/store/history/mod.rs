//! What was seen: single results, first as they come, then packed by five minutes; and their sums.
//!
//! [`record`] appends to `results_hot`. When five minutes are over and enough has come together, [`pack`] reads them on a reading connection, packs them by
//! monitor ([`codec`]) and sums them up ([`rollup`]); the writer only puts the finished rows in place, in short transactions.
//! A result that comes after its five minutes were packed is merged into them by the same code. [`read`] joins all of it.

pub(super) mod codec;
pub(super) mod pack;
pub(super) mod prune;
pub(super) mod read;
pub(super) mod record;
pub(super) mod rollup;

#[cfg(test)]
mod tests;
