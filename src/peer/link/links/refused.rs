//! Strangers who got no link: said once in the log as long as the trouble lasts, and shown on the page of the peers.

use std::time::Duration;

use crate::model::time::Mono;
use crate::peer::link::links::AcceptHint;
use crate::peer::link::links::Links;
use crate::peer::link::links::admit::NotTaken;
use crate::peer::link::links::locked;
use crate::peer::link::session::printable;
use crate::peer::port::RefusedLink;

/// The same trouble with the same stranger is said once, until it has been quiet for so long: who is refused comes again every minute.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// And shown for so long after the last time: whoever is refused comes again after a handshake and a pause, and may be late twice.
const SHOWN_FOR: Duration = Duration::from_secs(90);

/// Troubles that are remembered for that.
const SAID_MAX: usize = 256;

impl Links {
    /// Says a stranger's trouble, once as long as it lasts.
    pub(super) fn say(&self, hint: &AcceptHint, not: NotTaken) {
        let now = self.inner.clock.now();
        let (node, from) = (hint.node.as_deref().map(printable), printable(&hint.from));
        let key = format!("{node:?} {}", not.why);
        let mut said = locked(&self.inner.said);
        said.retain(|_, (at, _)| now.mono.since(*at) < SAY_AGAIN);
        if said.len() == SAID_MAX && !said.contains_key(&key) {
            return;
        }
        let refused = RefusedLink { at: now.wall, node, from, why: not.why, is_twin: not.is_twin };
        let text = format!("a link from {} was refused: {}", refused.from, refused.why);
        if said.insert(key, (now.mono, refused)).is_none() {
            tracing::warn!("{text}");
        }
    }

    /// Links that were refused lately, the newest first.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedLink> {
        let now = self.inner.clock.now().mono;
        let said = locked(&self.inner.said);
        let mut lately: Vec<&(Mono, RefusedLink)> = said.values().filter(|(at, _)| now.since(*at) < SHOWN_FOR).collect();
        lately.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        lately.into_iter().map(|(_, refused)| refused.clone()).collect()
    }
}
