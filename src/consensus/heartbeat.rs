//! When a missed heartbeat may be believed: only the nodes that could have received the ping know that it did not come.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::id::NodeName;
use crate::model::peer::PingFact;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;

/// A heartbeat whose ping has not been seen.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'a> {
    /// The newest ping that any visible node received, merged; `None`: none ever.
    pub newest: Option<&'a PingFact>,
    /// The ping had to come after this to count.
    pub not_before: UnixMillis,
    /// Nodes that could have received it: all that are configured and not forgotten.
    pub receivers: &'a [NodeName],
    /// Those that are seen, this one included.
    pub visible: &'a BTreeSet<NodeName>,
    /// Since when the deadline is over and the set of visible nodes has been the same.
    pub since: Mono,
    /// How long a part of the nodes waits for the others; `None`: for ever.
    pub solo_after: Option<Duration>,
}

/// What is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// It came after all.
    No,
    /// It did not come, this sure; these nodes could have received it and are not seen.
    Yes(Confidence, Vec<NodeName>),
    /// Nobody can tell yet; look again then.
    Unknown(Option<Mono>),
}

/// Decides.
#[must_use]
pub fn missed(missing: Missing<'_>, now: Mono) -> Missed {
    if missing.newest.is_some_and(|ping| missing.not_before <= ping.at) {
        return Missed::No;
    }
    let unseen: Vec<NodeName> = missing.receivers.iter().filter(|node| !missing.visible.contains(*node)).cloned().collect();
    if unseen.is_empty() {
        return Missed::Yes(Confidence::Full, unseen);
    }
    let Some(solo_after) = missing.solo_after else { return Missed::Unknown(None) };
    let at = missing.since + solo_after;
    if at <= now { Missed::Yes(Confidence::Degraded, unseen) } else { Missed::Unknown(Some(at)) }
}
