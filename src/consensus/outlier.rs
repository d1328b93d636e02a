//! A vantage that contradicts everybody else about most of what it sees is broken, whether it knows it or not. Worked out from what
//! all nodes hear, so that all exclude the same one.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::id::NodeName;
use crate::model::verdict::OpinionState;

/// The least number of monitors about which it must be wrong.
pub const WRONG_MIN: usize = 5;

/// So many rounds in a row make it an outlier, and so many good ones make it none.
pub const ROUNDS: u32 = 3;

/// What is known of the last rounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outliers {
    rows: BTreeMap<NodeName, (bool, u32)>,
}

impl Outliers {
    /// Takes in one round: for each monitor the fresh opinions, each with its node. A node is wrong about a monitor when it says
    /// down and more than half of the others (at least one) say up. It is out of line in this round when it is wrong about at
    /// least [`WRONG_MIN`] monitors and more than half of those it has an opinion of. Returns whether anything changed.
    pub fn round<'a>(&mut self, monitors: impl Iterator<Item = Vec<(&'a NodeName, OpinionState)>>) -> bool {
        let mut tally: BTreeMap<&NodeName, (usize, usize)> = BTreeMap::new();
        for opinions in monitors {
            let n_up = opinions.iter().filter(|(_, state)| is_up(*state)).count();
            let n_known = opinions.iter().filter(|(_, state)| is_known(*state)).count();
            for (node, state) in &opinions {
                if !is_known(*state) {
                    continue;
                }
                let (n_wrong, n_held) = tally.entry(*node).or_default();
                *n_held += 1;
                let n_others = n_known - 1;
                if *state == OpinionState::Down && n_others < 2 * n_up {
                    *n_wrong += 1;
                }
            }
        }
        let before = self.out();
        for node in self.rows.keys().filter(|node| !tally.contains_key(node)).cloned().collect::<Vec<_>>() {
            // Of whom nothing is heard, nothing is known.
            self.rows.remove(&node);
        }
        for (node, (n_wrong, n_held)) in tally {
            let is_wrong = WRONG_MIN <= n_wrong && n_held < 2 * n_wrong;
            let (is_out, n_rounds) = self.rows.entry(node.clone()).or_default();
            *n_rounds = if is_wrong == *is_out { 0 } else { *n_rounds + 1 };
            if ROUNDS <= *n_rounds {
                (*is_out, *n_rounds) = (is_wrong, 0);
            }
        }
        self.out() != before
    }

    /// Those whose votes do not count.
    #[must_use]
    pub fn out(&self) -> BTreeSet<NodeName> {
        self.rows.iter().filter(|(_, (is_out, _))| *is_out).map(|(node, _)| node.clone()).collect()
    }
}

fn is_up(state: OpinionState) -> bool {
    matches!(state, OpinionState::Up | OpinionState::Suspect | OpinionState::Degraded)
}

fn is_known(state: OpinionState) -> bool {
    is_up(state) || state == OpinionState::Down
}
