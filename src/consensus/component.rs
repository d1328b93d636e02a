//! Whether the nodes that see each other are enough to decide at once.

use std::collections::BTreeSet;

use crate::model::id::NodeName;

/// Whether `live`, this node included, is the primary component: more than half of the `configured` nodes, or exactly half with the
/// first configured one. Of two parts of a cluster at most one is.
#[must_use]
pub fn is_primary(configured: &[NodeName], live: &BTreeSet<NodeName>) -> bool {
    let n_live = configured.iter().filter(|node| live.contains(*node)).count();
    let has_first = configured.first().is_some_and(|first| live.contains(first));
    configured.len() < 2 * n_live || (configured.len() == 2 * n_live && has_first)
}
