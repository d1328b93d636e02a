//! Who tells subscribers of status pages: the node at which they signed up, their home; and while it does not live, the first of the others.
//!
//! Unlike messages to channels, these are not claimed before the whole cluster: they are many, and a minute more or less is nothing to whoever
//! reads them. So one node has them, the others wait until it has been silent for long, and what a node that was only cut off says at the same
//! time goes out under the same key.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::consensus::rank::ranked;
use crate::model::id::NodeName;
use crate::model::peer::Roster;
use crate::model::time::Mono;

/// A home that was not heard for so long is stood in for: longer than a restart and than most trouble between two nodes lasts, so that nothing
/// is told by two of them for that; and an outage that is told a minute later is told in time.
pub const TELL_TAKEOVER: Duration = Duration::from_secs(60);

/// When each node was last heard.
#[derive(Debug)]
pub struct Lives {
    began: Mono,
    heard: BTreeMap<NodeName, Mono>,
}

impl Lives {
    /// Nobody has been heard yet, and everybody has time from now on.
    #[must_use]
    pub fn new(now: Mono) -> Lives {
        Lives { began: now, heard: BTreeMap::new() }
    }

    /// Takes in who lives now.
    pub fn note(&mut self, roster: &Roster, now: Mono) {
        self.heard.extend(roster.live.iter().map(|node| (node.clone(), now)));
    }

    /// Whether this node tells those who signed up at `home`. `members` are the nodes of the cluster that are not forgotten.
    #[must_use]
    pub fn acts_for(&self, home: &NodeName, members: &[NodeName], roster: &Roster, now: Mono) -> bool {
        // Who is forgotten takes no part, and the others have taken over what was its.
        if !members.contains(&roster.me) {
            return false;
        }
        if *home == roster.me {
            return true;
        }
        let heard = self.heard.get(home).copied().unwrap_or(self.began);
        let is_away = !roster.live.contains(home) && TELL_TAKEOVER <= now.since(heard);
        if !is_away && members.contains(home) {
            return false;
        }
        // Who settles, abstains or has another config than most does not stand in for anybody.
        let ready: Vec<NodeName> = roster.eligible.iter().filter(|node| roster.live.contains(*node) && *node != home).cloned().collect();
        ranked(home.as_str(), &ready).first() == Some(&roster.me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeName {
        NodeName::parse(name).expect("a name")
    }

    fn nodes(names: &str) -> Vec<NodeName> {
        names.split_whitespace().map(node).collect()
    }

    fn at(seconds: u64) -> Mono {
        Mono(0) + Duration::from_secs(seconds)
    }

    fn roster(me: &str, live: &str, eligible: &str) -> Roster {
        Roster {
            me: node(me),
            eligible: nodes(eligible),
            eligible_since: at(0),
            live: nodes(live).into_iter().collect(),
            is_ready: eligible.contains(me),
        }
    }

    /// Who of `a`, `b` and `c` acts for `home`, when each has begun at second 0, `live` have lived until second 100 and, of these, those in
    /// `now` live at second `when`.
    fn acting(home: &str, members: &str, (live, now): (&str, &str), when: u64) -> Vec<&'static str> {
        ["a", "b", "c"]
            .into_iter()
            .filter(|me| now.contains(me))
            .filter(|me| {
                let mut lives = Lives::new(at(0));
                lives.note(&roster(me, live, live), at(100));
                let roster = roster(me, now, now);
                lives.note(&roster, at(when));
                lives.acts_for(&node(home), &nodes(members), &roster, at(when))
            })
            .collect()
    }

    #[test]
    fn the_home_tells_and_one_other_when_it_has_been_away() {
        let all = ("a b c", "a b c");
        for home in ["a", "b", "c"] {
            assert_eq!(acting(home, "a b c", all, 1000), [home]);
        }
        assert_eq!(acting("a", "a b c", ("a b c", "b c"), 159), Vec::<&str>::new(), "it has a minute to come back");
        let instead = acting("a", "a b c", ("a b c", "b c"), 160);
        assert_eq!(instead.len(), 1);
        assert_eq!(acting("a", "a b c", all, 161), ["a"], "it is back");
        let rest = if instead == ["b"] { "c" } else { "b" };
        assert_eq!(acting("a", "a b c", ("a b c", rest), 160), [rest], "the other one is away, too");
        assert_eq!(acting(instead[0], "a b c", ("a b c", rest), 160), [rest]);
        assert_eq!(acting("b", "a b c", ("a c", "a c"), 59), Vec::<&str>::new(), "never heard, counted from the start");
        assert_eq!(acting("b", "a b c", ("a c", "a c"), 60).len(), 1);
    }

    #[test]
    fn a_home_that_is_no_node_any_more_is_taken_over_at_once_and_a_forgotten_node_tells_nobody() {
        assert_eq!(acting("gone", "a b c", ("a b c", "a b c"), 1).len(), 1);
        let forgotten = acting("a", "b c", ("a b c", "a b c"), 1);
        assert!(forgotten == ["b"] || forgotten == ["c"], "{forgotten:?}");
        assert_eq!(acting("b", "b c", ("a b c", "a b c"), 1), ["b"]);
    }

    #[test]
    fn who_does_not_take_part_stands_in_for_nobody_and_tells_its_own() {
        let mut lives = Lives::new(at(0));
        let members = nodes("a b c");
        for me in ["b", "c"] {
            let roster = roster(me, "b c", "c");
            lives.note(&roster, at(100));
            let acts = |home: &str| lives.acts_for(&node(home), &members, &roster, at(100));
            assert_eq!((acts("a"), acts(me)), (me == "c", true), "{me}");
        }
    }
}
