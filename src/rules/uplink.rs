//! Is it them or us? A failure beyond the uplink counts only when something else beyond it was reachable at the time.
//!
//! Evidence comes from the controls (`uplink.probes`), asked regularly and whenever a failure waits for them, and from every
//! check that got an answer from a public address. The uplink is lost when a failure waits, more than half of the controls fail,
//! and nothing public answered meanwhile. Controls that fail while public targets answer are refuted: they are merely blocked, and are
//! not believed again until they have answered once, so that they cannot hide a real outage.

use crate::model::time::Mono;
use crate::model::time::UnixMillis;

/// Rounds in a row that must be good before a lost uplink is trusted again; one could be luck on a flapping line.
const GOOD_ROUNDS: u32 = 2;

/// What is held of the uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uplink {
    lost_since: Option<UnixMillis>,
    n_good: u32,
    /// When the newest finished round of controls began.
    round_began: Option<Mono>,
    /// When the newest check began that a public address answered.
    answered: Option<Mono>,
    /// When the newest round began, if it failed.
    failed_round: Option<Mono>,
    /// Something public answered after a failed round: the controls are wrong.
    is_refuted: bool,
    /// When the first evidence was gathered that ended the last loss: a check that began before may have met the dead line.
    good_since: Option<Mono>,
}

/// One round of controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// When it began.
    pub began: Mono,
    /// The same, for people.
    pub began_wall: UnixMillis,
    /// How many answered.
    pub n_ok: usize,
    /// How many were asked.
    pub n_asked: usize,
}

/// Whether failures wait for a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// A check beyond the uplink has failed and waits to be judged.
    Waiting,
    /// Nothing has failed.
    Nothing,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is lost.
    Lost,
    /// It is back; it was lost since then.
    Back(UnixMillis),
}

impl Uplink {
    /// Since when it is lost; `None` while it is fine.
    #[must_use]
    pub fn lost_since(&self) -> Option<UnixMillis> {
        self.lost_since
    }

    /// Whether a failure of a check that began then can be judged: something was learned about the uplink after it began.
    #[must_use]
    pub fn has_evidence_since(&self, check_began: Mono) -> bool {
        self.round_began.is_some_and(|began| began >= check_began) || self.answered.is_some_and(|began| began >= check_began)
    }

    /// Whether a check that began then may have failed because the uplink was lost, although it may be back by now.
    #[must_use]
    pub fn was_lost(&self, check_began: Mono) -> bool {
        self.lost_since.is_some() || self.good_since.is_some_and(|since| check_began < since)
    }

    /// Takes in a finished round of controls.
    pub fn round(&mut self, round: Round, suspicion: Suspicion) -> Option<Turn> {
        self.round_began = self.round_began.max(Some(round.began));
        let most_fail = round.n_ok * 2 < round.n_asked;
        if !most_fail {
            self.failed_round = None;
            self.is_refuted = false;
            return self.good(round.began);
        }
        self.failed_round = Some(round.began);
        if self.lost_since.is_some() {
            self.good_since = None;
        }
        self.n_good = 0;
        self.is_refuted |= self.answered.is_some_and(|began| began >= round.began);
        if self.lost_since.is_some() || self.is_refuted || suspicion == Suspicion::Nothing {
            return None;
        }
        self.lost_since = Some(round.began_wall);
        self.good_since = None;
        Some(Turn::Lost)
    }

    /// Takes in that a check that began then was answered by a public address.
    pub fn answered(&mut self, check_began: Mono) -> Option<Turn> {
        self.answered = self.answered.max(Some(check_began));
        let is_after_failure = self.failed_round.is_some_and(|failed| check_began >= failed);
        if self.lost_since.is_none() {
            self.is_refuted |= is_after_failure;
            return None;
        }
        // While lost, answers count like good rounds.
        let turn = self.good(check_began);
        self.is_refuted |= turn.is_some() && is_after_failure;
        turn
    }

    /// `began` is when whatever answered was asked.
    fn good(&mut self, began: Mono) -> Option<Turn> {
        let since = self.lost_since?;
        self.good_since = Some(self.good_since.map_or(began, |before| before.min(began)));
        self.n_good += 1;
        if self.n_good < GOOD_ROUNDS {
            return None;
        }
        self.lost_since = None;
        self.n_good = 0;
        Some(Turn::Back(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(at: u64, n_ok: usize, n_asked: usize) -> Round {
        Round { began: Mono(at), began_wall: UnixMillis(i64::try_from(at).expect("small")), n_ok, n_asked }
    }

    use Suspicion::Nothing;
    use Suspicion::Waiting;

    #[test]
    fn one_dead_control_of_two_or_three_means_nothing() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.round(round(1, 1, 2), Waiting), None);
        assert_eq!(uplink.round(round(2, 2, 3), Waiting), None);
        assert_eq!(uplink.lost_since(), None);
    }

    #[test]
    fn most_controls_dead_means_lost_and_two_good_rounds_bring_it_back() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.round(round(1, 0, 2), Waiting), Some(Turn::Lost));
        assert_eq!(uplink.round(round(2, 0, 2), Nothing), None);
        assert_eq!(uplink.round(round(3, 2, 2), Nothing), None);
        assert_eq!(uplink.round(round(4, 0, 2), Nothing), None);
        assert_eq!(uplink.round(round(5, 2, 2), Nothing), None);
        assert_eq!(uplink.round(round(6, 1, 2), Nothing), Some(Turn::Back(UnixMillis(1))));
    }

    #[test]
    fn dead_controls_alone_are_not_a_lost_uplink() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.round(round(1, 0, 2), Nothing), None);
        assert_eq!(uplink.lost_since(), None);
    }

    #[test]
    fn controls_that_fail_while_public_targets_answer_are_not_believed_until_they_answer() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.round(round(1, 0, 3), Nothing), None);
        assert_eq!(uplink.answered(Mono(5)), None);
        assert_eq!(uplink.round(round(6, 0, 3), Waiting), None);
        assert_eq!(uplink.round(round(7, 3, 3), Nothing), None);
        assert_eq!(uplink.round(round(8, 0, 3), Waiting), Some(Turn::Lost));
        assert_eq!(uplink.answered(Mono(9)), None);
        assert_eq!(uplink.answered(Mono(10)), Some(Turn::Back(UnixMillis(8))));
        assert_eq!(uplink.round(round(11, 0, 3), Waiting), None);
    }

    #[test]
    fn a_check_that_began_on_the_dead_line_is_excused_after_it_is_back() {
        let mut uplink = Uplink::default();
        assert_eq!(uplink.round(round(1, 0, 2), Waiting), Some(Turn::Lost));
        assert_eq!(uplink.round(round(6, 2, 2), Nothing), None);
        assert_eq!(uplink.answered(Mono(8)), Some(Turn::Back(UnixMillis(1))));
        assert!(uplink.was_lost(Mono(5)), "it may have met the dead line");
        assert!(!uplink.was_lost(Mono(6)), "something answered that was asked at the same moment");
        assert_eq!(uplink.round(round(20, 0, 2), Nothing), None);
        assert!(!uplink.was_lost(Mono(7)), "dead controls alone change nothing");
    }

    #[test]
    fn evidence_must_be_newer_than_the_check() {
        let mut uplink = Uplink::default();
        assert!(!uplink.has_evidence_since(Mono(1)));
        uplink.round(round(5, 2, 2), Nothing);
        assert!(uplink.has_evidence_since(Mono(5)));
        assert!(!uplink.has_evidence_since(Mono(6)));
    }
}
