//! From outcomes to the opinion of one vantage: how many checks must agree before it changes its mind.
//!
//! Bad states are dated at the first bad check and good ones at the first good check of the row that confirmed them. An unknown
//! outcome neither counts nor heals; only a row of them makes the opinion unknown.

use crate::model::change::Streak;
use crate::model::monitor::Confirm;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;

/// The opinion about a monitor of which nothing is known yet.
#[must_use]
pub fn unknown(since: UnixMillis) -> Opinion {
    Opinion { state: OpinionState::Unknown, since, failure: None }
}

/// One judged check, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What the check said.
    pub outcome: Outcome,
    /// Why it was not up.
    pub failure: Option<&'a Failure>,
    /// When it began.
    pub at: UnixMillis,
}

/// Feeds one outcome; returns the next opinion and how far the next change has come.
#[must_use]
pub fn observe(opinion: &Opinion, streak: &Streak, seen: Evidence<'_>, confirm: Confirm) -> (Opinion, Streak) {
    let streak = count(opinion.state, streak, seen);
    let next = |state, since: Option<UnixMillis>| Opinion { state, since: since.unwrap_or(seen.at), failure: seen.failure.cloned() };
    let settled = |opinion: Opinion| (opinion, Streak::default());
    match opinion.state {
        // Nothing is held about a paused monitor; a result that was under way when it was paused changes nothing.
        OpinionState::Paused => (opinion.clone(), Streak::default()),
        _ if streak.n_unknown >= confirm.failures && opinion.state != OpinionState::Unknown => {
            settled(next(OpinionState::Unknown, streak.unknown_since))
        }
        _ if seen.outcome == Outcome::Unknown => (opinion.clone(), streak),
        OpinionState::Up | OpinionState::Suspect | OpinionState::Unknown => {
            if streak.n_down >= confirm.failures {
                settled(next(OpinionState::Down, streak.down_since))
            } else if streak.n_bad >= confirm.failures {
                // Down checks at the end of the row go on counting towards down.
                let rest = Streak { n_down: streak.n_down, down_since: streak.down_since, ..Streak::default() };
                (next(OpinionState::Degraded, streak.bad_since), rest)
            } else if seen.outcome == Outcome::Up {
                heal(opinion, streak, seen, confirm)
            } else if opinion.state == OpinionState::Unknown {
                // Without a good check before it, a bad one makes nobody suspect: there is nothing to fall from.
                (Opinion { failure: seen.failure.cloned(), ..opinion.clone() }, streak)
            } else {
                (next(OpinionState::Suspect, streak.bad_since), streak)
            }
        }
        OpinionState::Degraded if streak.n_down >= confirm.failures => settled(next(OpinionState::Down, streak.down_since)),
        OpinionState::Degraded | OpinionState::Down => heal(opinion, streak, seen, confirm),
    }
}

/// A step towards something better, or none.
fn heal(opinion: &Opinion, streak: Streak, seen: Evidence<'_>, confirm: Confirm) -> (Opinion, Streak) {
    // One good check is enough to drop a mere suspicion: nobody was told of it.
    let enough = opinion.state == OpinionState::Suspect || streak.n_better >= confirm.successes;
    if streak.n_better == 0 || !enough {
        let failure = seen.failure.cloned().or_else(|| opinion.failure.clone());
        let same = Opinion { failure, ..opinion.clone() };
        return (if opinion.state == OpinionState::Up { opinion.clone() } else { same }, streak);
    }
    if opinion.state == OpinionState::Up {
        return (opinion.clone(), Streak::default());
    }
    let state = if seen.outcome == Outcome::Up { OpinionState::Up } else { OpinionState::Degraded };
    (Opinion { state, since: streak.better_since.unwrap_or(seen.at), failure: seen.failure.cloned() }, Streak::default())
}

fn count(state: OpinionState, streak: &Streak, seen: Evidence<'_>) -> Streak {
    if seen.outcome == Outcome::Unknown {
        return Streak { n_unknown: streak.n_unknown.saturating_add(1), unknown_since: streak.unknown_since.or(Some(seen.at)), ..*streak };
    }
    let is_down = seen.outcome == Outcome::Down;
    let is_bad = is_down || seen.outcome == Outcome::Degraded;
    let is_better = match state {
        OpinionState::Down => !is_down,
        OpinionState::Degraded | OpinionState::Up | OpinionState::Suspect | OpinionState::Unknown => !is_bad,
        OpinionState::Paused => false,
    };
    let (n_down, down_since) = row(is_down, streak.n_down, streak.down_since, seen.at);
    let (n_bad, bad_since) = row(is_bad, streak.n_bad, streak.bad_since, seen.at);
    let (n_better, better_since) = row(is_better, streak.n_better, streak.better_since, seen.at);
    Streak { n_down, down_since, n_bad, bad_since, n_better, better_since, n_unknown: 0, unknown_since: None }
}

fn row(goes_on: bool, n: u32, since: Option<UnixMillis>, at: UnixMillis) -> (u32, Option<UnixMillis>) {
    if goes_on { (n.saturating_add(1), since.or(Some(at))) } else { (0, None) }
}

/// Whether the next check should come after `confirm.recheck` already: something was seen that is not confirmed yet.
#[must_use]
pub fn is_unsettled(opinion: &Opinion, streak: &Streak) -> bool {
    match opinion.state {
        OpinionState::Suspect => true,
        OpinionState::Unknown | OpinionState::Up => streak.n_bad > 0,
        OpinionState::Degraded => streak.n_down > 0 || streak.n_better > 0,
        OpinionState::Down => streak.n_better > 0,
        OpinionState::Paused => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::time::Duration;

    use super::*;
    use Outcome::Degraded;
    use Outcome::Down;
    use Outcome::Unknown;
    use Outcome::Up;

    /// Feeds outcomes at their times and compares the changes of opinion, one per line: `time: State since`.
    #[track_caller]
    fn assert_script((failures, successes): (u32, u32), script: &[(i64, Outcome)], expected: &str) {
        let confirm = Confirm { failures, successes, recheck: Duration::from_secs(1) };
        let (mut opinion, mut streak) = (unknown(UnixMillis(0)), Streak::default());
        let mut printed = String::new();
        for (at, outcome) in script {
            let before = opinion.state;
            (opinion, streak) = observe(&opinion, &streak, Evidence { outcome: *outcome, failure: None, at: UnixMillis(*at) }, confirm);
            if opinion.state != before {
                writeln!(printed, "{at}: {:?} {}", opinion.state, opinion.since.0).expect("a string takes text");
            }
        }
        assert_eq!(printed, expected);
    }

    #[test]
    fn the_first_good_check_makes_it_up() {
        assert_script((2, 1), &[(1, Up), (2, Up)], "1: Up 1\n");
    }

    #[test]
    fn one_failure_makes_suspect_and_a_good_check_forgets_it() {
        assert_script(
            (2, 1),
            &[(1, Up), (2, Down), (3, Up), (4, Down), (5, Up)],
            "1: Up 1\n2: Suspect 2\n3: Up 3\n4: Suspect 4\n5: Up 5\n",
        );
    }

    #[test]
    fn down_is_dated_at_the_first_failure() {
        assert_script((3, 1), &[(1, Up), (2, Down), (3, Down), (4, Down), (5, Down)], "1: Up 1\n2: Suspect 2\n4: Down 2\n");
    }

    #[test]
    fn recovery_is_dated_at_the_first_success() {
        assert_script((1, 2), &[(1, Down), (2, Up), (3, Down), (4, Up), (5, Up)], "1: Down 1\n5: Up 4\n");
    }

    #[test]
    fn slow_then_down_is_degraded_first() {
        assert_script((2, 1), &[(1, Up), (2, Degraded), (3, Down), (4, Down)], "1: Up 1\n2: Suspect 2\n3: Degraded 2\n4: Down 3\n");
        assert_script(
            (2, 1),
            &[(1, Up), (2, Degraded), (3, Degraded), (4, Down), (5, Down)],
            "1: Up 1\n2: Suspect 2\n3: Degraded 2\n5: Down 4\n",
        );
    }

    #[test]
    fn down_heals_to_degraded_when_the_answer_is_slow() {
        assert_script((1, 1), &[(1, Down), (2, Degraded), (3, Up)], "1: Down 1\n2: Degraded 2\n3: Up 3\n");
    }

    #[test]
    fn unknown_neither_counts_nor_heals() {
        assert_script((2, 1), &[(1, Up), (2, Down), (3, Unknown), (4, Down)], "1: Up 1\n2: Suspect 2\n4: Down 2\n");
    }

    #[test]
    fn a_row_of_unknown_makes_unknown_and_what_follows_must_be_confirmed() {
        assert_script((2, 1), &[(1, Up), (2, Unknown), (3, Unknown), (4, Down), (5, Down)], "1: Up 1\n3: Unknown 2\n5: Down 4\n");
        assert_script((2, 1), &[(1, Up), (2, Unknown), (3, Unknown), (4, Up)], "1: Up 1\n3: Unknown 2\n4: Up 4\n");
    }

    #[test]
    fn a_monitor_that_was_never_up_goes_down_after_confirmation() {
        assert_script((2, 1), &[(1, Down), (2, Down)], "2: Down 1\n");
    }
}
