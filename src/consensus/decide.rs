//! Opinions × quorum → decision.
//!
//! A vote that is missing, stale or unknown shrinks the denominator; it never counts as up or as down.

use crate::model::id::Region;
use crate::model::incident::Lane;
use crate::model::monitor::Quorum;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;

/// One configured voter and what is known of its opinion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vote {
    /// Where it is.
    pub region: Region,
    /// What it holds; `None` when nothing fresh is known.
    pub state: Option<OpinionState>,
}

/// How votes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How many down opinions make the verdict down.
    pub quorum: Quorum,
    /// How many votes must count at all.
    pub n_regions_min: usize,
}

impl Rule {
    /// The rule of a monitor; `n_regions` is how many regions its voters are in. Without a number of its own it wants two regions, or as many as
    /// there are.
    #[must_use]
    pub fn new(quorum: Quorum, n_regions_min: Option<usize>, n_regions: usize) -> Rule {
        let n_regions_min = if quorum == Quorum::Any { 1 } else { n_regions_min.unwrap_or(2).min(n_regions) };
        Rule { quorum, n_regions_min }
    }
}

impl Rule {
    /// The same for a minority that acts alone: the votes there are must do.
    #[must_use]
    pub fn solo(self) -> Rule {
        Rule { n_regions_min: 1, ..self }
    }
}

/// What the votes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This is the verdict.
    Hold(Verdict),
    /// A minority says down: no incident, but worth showing.
    Regional,
    /// As many say one thing as the other: what held goes on.
    Contested,
    /// Too few votes count: what held goes on, and nothing is known.
    Insufficient,
}

/// Counts the votes. `open` says which incidents are open: closing needs as much agreement as opening.
#[must_use]
pub fn decide(votes: &[Vote], rule: Rule, open: Option<Lane>) -> Decision {
    let counted: Vec<OpinionState> = votes.iter().filter_map(|vote| vote.state).filter(|state| counts(*state)).collect();
    let n = counted.len();
    if n == 0 || n < rule.n_regions_min {
        return Decision::Insufficient;
    }
    let n_down = counted.iter().filter(|state| **state == OpinionState::Down).count();
    let n_bad = n_down + counted.iter().filter(|state| **state == OpinionState::Degraded).count();
    let needed = needed(rule.quorum, n, votes.len());
    if needed > n {
        return Decision::Insufficient;
    }
    if n_down >= needed {
        return Decision::Hold(Verdict::Down);
    }
    let n_reachable = n - n_down;
    // With an outage open, "not down" must itself be agreed upon before anything better is held.
    let may_leave_outage = n_down == 0 || open != Some(Lane::Outage) || n_reachable >= closing(rule.quorum, n);
    if !may_leave_outage {
        return Decision::Contested;
    }
    if n_bad >= needed {
        return Decision::Hold(Verdict::Degraded);
    }
    if n_bad == 0 {
        return Decision::Hold(Verdict::Up);
    }
    match open {
        Some(_) if n - n_bad >= closing(rule.quorum, n) => Decision::Hold(Verdict::Up),
        Some(_) => Decision::Contested,
        // Of two, both must agree: one alone is trouble of its region, and whoever wants to hear of that should.
        None if n_bad * 2 == n && 2 < n => Decision::Contested,
        None => Decision::Regional,
    }
}

/// Suspicion still counts as up: one look is not an opinion. Unknown and paused are no votes.
fn counts(state: OpinionState) -> bool {
    match state {
        OpinionState::Up | OpinionState::Degraded | OpinionState::Down | OpinionState::Suspect => true,
        OpinionState::Unknown | OpinionState::Paused => false,
    }
}

fn needed(quorum: Quorum, n: usize, n_configured: usize) -> usize {
    match quorum {
        Quorum::Majority => n / 2 + 1,
        Quorum::All => n,
        Quorum::Any => 1,
        // More than there are voters would never be reached; the config says so, and a smaller cluster still works.
        Quorum::Count(wanted) => usize::try_from(wanted).unwrap_or(usize::MAX).clamp(1, n_configured.max(1)),
        Quorum::Percent(share) => (n * usize::from(share)).div_ceil(100).max(1),
    }
}

/// How many good votes close an incident: a majority; for the other quorums, that the opening condition no longer holds is enough.
fn closing(quorum: Quorum, n: usize) -> usize {
    match quorum {
        Quorum::Majority | Quorum::Percent(_) => n / 2 + 1,
        Quorum::All | Quorum::Any | Quorum::Count(_) => 0,
    }
}

/// Who says what, for alerts and pages; each list in name order.
#[must_use]
pub fn regions(votes: &[Vote]) -> RegionView {
    let mut view = RegionView::default();
    let mut sorted: Vec<&Vote> = votes.iter().collect();
    sorted.sort();
    for vote in sorted {
        let list = match vote.state {
            Some(OpinionState::Down | OpinionState::Degraded) => &mut view.failing,
            Some(OpinionState::Up | OpinionState::Suspect) => &mut view.fine,
            Some(OpinionState::Unknown | OpinionState::Paused) | None => &mut view.unknown,
        };
        list.push(vote.region.clone());
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters: `u`p, `d`own, `g` degraded, `s`uspect, `?` unknown, `-` nothing fresh.
    fn votes(letters: &str) -> Vec<Vote> {
        letters
            .chars()
            .enumerate()
            .map(|(i, letter)| Vote {
                region: Region::parse(&format!("r{i}")).expect("a region"),
                state: match letter {
                    'u' => Some(OpinionState::Up),
                    'd' => Some(OpinionState::Down),
                    'g' => Some(OpinionState::Degraded),
                    's' => Some(OpinionState::Suspect),
                    '?' => Some(OpinionState::Unknown),
                    _ => None,
                },
            })
            .collect()
    }

    #[track_caller]
    fn assert_decided(letters: &str, quorum: Quorum, open: Option<Lane>, expected: Decision) {
        let votes = votes(letters);
        let rule = Rule::new(quorum, None, votes.len());
        assert_eq!(decide(&votes, rule, open), expected, "{letters} {quorum}");
        let mut reversed = votes;
        reversed.reverse();
        assert_eq!(decide(&reversed, rule, open), expected, "{letters} {quorum}, reversed");
    }

    #[test]
    fn alone_ones_own_opinion_is_the_verdict() {
        for (letter, expected) in [
            ("u", Decision::Hold(Verdict::Up)),
            ("s", Decision::Hold(Verdict::Up)),
            ("d", Decision::Hold(Verdict::Down)),
            ("g", Decision::Hold(Verdict::Degraded)),
            ("?", Decision::Insufficient),
        ] {
            for quorum in [Quorum::Majority, Quorum::All, Quorum::Any, Quorum::Count(3), Quorum::Percent(60)] {
                assert_decided(letter, quorum, None, expected);
                assert_decided(letter, quorum, Some(Lane::Outage), expected);
            }
        }
    }

    #[test]
    fn majorities_open_and_close() {
        let down = Decision::Hold(Verdict::Down);
        let up = Decision::Hold(Verdict::Up);
        assert_decided("ddu", Quorum::Majority, None, down);
        assert_decided("duu", Quorum::Majority, None, Decision::Regional);
        assert_decided("duu", Quorum::Majority, Some(Lane::Outage), up);
        assert_decided("du", Quorum::Majority, None, Decision::Regional);
        assert_decided("du-", Quorum::Majority, None, Decision::Regional);
        assert_decided("du", Quorum::Majority, Some(Lane::Outage), Decision::Contested);
        assert_decided("dduu", Quorum::Majority, None, Decision::Contested);
        assert_decided("dduu", Quorum::Majority, Some(Lane::Outage), Decision::Contested);
        assert_decided("d--", Quorum::Majority, None, Decision::Insufficient);
        assert_decided("dd-", Quorum::Majority, None, down);
        assert_decided("d??", Quorum::Majority, None, Decision::Insufficient);
        assert_decided("dgg", Quorum::Majority, None, Decision::Hold(Verdict::Degraded));
    }

    #[test]
    fn other_quorums() {
        assert_decided("duu", Quorum::Any, None, Decision::Hold(Verdict::Down));
        assert_decided("ddu", Quorum::All, None, Decision::Regional);
        assert_decided("ddd", Quorum::All, None, Decision::Hold(Verdict::Down));
        assert_decided("duu", Quorum::Count(2), None, Decision::Regional);
        assert_decided("ddu", Quorum::Count(2), None, Decision::Hold(Verdict::Down));
        assert_decided("dd---", Quorum::Count(3), None, Decision::Insufficient);
        assert_decided("dddu-", Quorum::Percent(60), None, Decision::Hold(Verdict::Down));
        assert_decided("dduuu", Quorum::Percent(60), None, Decision::Regional);
    }

    #[test]
    fn regions_are_listed_in_name_order() {
        let view = regions(&votes("dus?-"));
        let names = |list: &[Region]| list.iter().map(|r| r.as_str().to_owned()).collect::<Vec<_>>().join(" ");
        assert_eq!((names(&view.failing), names(&view.fine), names(&view.unknown)), ("r0".into(), "r1 r2".into(), "r3 r4".into()));
    }
}
