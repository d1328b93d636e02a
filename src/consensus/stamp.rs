//! A hybrid logical clock: order for what operators do on different nodes whose clocks differ.

use std::time::Duration;

use crate::model::id::NodeName;
use crate::model::peer::Stamp;
use crate::model::time::UnixMillis;

/// A stamp this far ahead of our own clock does not pull our clock along: one node whose clock is years ahead must not make every
/// later act of everybody look older than its own for ever. It still wins against what it was made after.
pub const AHEAD_MAX: Duration = Duration::from_secs(86_400);

/// The clock of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hybrid {
    me: NodeName,
    wall: UnixMillis,
    counter: u32,
}

impl Hybrid {
    /// A clock that has seen nothing yet.
    #[must_use]
    pub fn new(me: NodeName) -> Hybrid {
        Hybrid { me, wall: UnixMillis(i64::MIN), counter: 0 }
    }

    /// The stamp of an act of ours; greater than every stamp given or seen before, except for those too far ahead.
    pub fn next(&mut self, now: UnixMillis) -> Stamp {
        if self.wall < now {
            (self.wall, self.counter) = (now, 0);
        } else {
            self.counter = self.counter.saturating_add(1);
        }
        Stamp { wall: self.wall, counter: self.counter, by: self.me.clone() }
    }

    /// Takes note of a stamp of somebody else's.
    pub fn saw(&mut self, stamp: &Stamp, now: UnixMillis) {
        if stamp.wall <= now + AHEAD_MAX && (self.wall, self.counter) < (stamp.wall, stamp.counter) {
            (self.wall, self.counter) = (stamp.wall, stamp.counter);
        }
    }
}
