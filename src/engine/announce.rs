//! What the engine asks of whoever speaks to its peers. The other end is `crate::peer`; alone there is none.

use std::fmt::Debug;
use std::sync::Arc;

use crate::model::peer::Record;
use crate::model::peer::Roster;
use crate::model::time::UnixMillis;

/// The way to the peers. Nothing here waits: what is told replaces what was told before under the same key, so that a slow
/// network costs memory for one value of each and nothing more.
pub trait Announce: Debug + Send + Sync + 'static {
    /// Tells peers these records, as soon as they can be reached.
    fn announce(&self, records: Vec<Record>);

    /// Tells the engine again what all peers say.
    fn replay(&self);

    /// Fetches history since a time from a peer, when one can be reached.
    fn refill(&self, since: UnixMillis);

    /// These nodes share the work from now on.
    fn share(&self, roster: Arc<Roster>);
}

/// Nobody is there.
#[derive(Debug, Clone, Copy)]
pub struct Alone;

impl Announce for Alone {
    fn announce(&self, _records: Vec<Record>) {}

    fn replay(&self) {}

    fn refill(&self, _since: UnixMillis) {}

    fn share(&self, _roster: Arc<Roster>) {}
}
