//! From a verdict to incidents: which lane opens or closes, and which event that is for whom.

use std::collections::BTreeSet;

use crate::model::incident::CloseReason;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::result::Failure;
use crate::model::verdict::Verdict;
use crate::rules::certificate;

/// The epochs of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Epochs {
    /// Of outages.
    pub outage: Epoch,
    /// Of degradations.
    pub degradation: Epoch,
    /// Of regional troubles.
    pub regional: Epoch,
}

impl Epochs {
    /// The one of a lane.
    #[must_use]
    pub fn of(self, lane: Lane) -> Epoch {
        match lane {
            Lane::Outage => self.outage,
            Lane::Degradation => self.degradation,
            Lane::Regional => self.regional,
        }
    }
}

/// What happens to a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// An incident opens.
    Open(Lane),
    /// The open incident ends.
    Close(Lane, CloseReason),
}

/// What a verdict means for incidents that are or are not open. Unknown means nothing: missing knowledge neither opens nor closes. Nor
/// does maintenance by itself; what checks say meanwhile is asked for as usual, and [`in_maintenance`] leaves out what must wait.
#[must_use]
pub fn moves(verdict: Verdict, epochs: Epochs) -> Vec<Move> {
    let open = |lane: Lane| epochs.of(lane).is_open();
    let close = |lane: Lane, reason| open(lane).then_some(Move::Close(lane, reason));
    let begin = |lane: Lane| (!open(lane)).then_some(Move::Open(lane));
    let moves = match verdict {
        Verdict::Unknown | Verdict::Maintenance => [None, None, None],
        Verdict::Up => [close(Lane::Outage, CloseReason::Recovered), close(Lane::Degradation, CloseReason::Recovered), None],
        Verdict::Down => [close(Lane::Degradation, CloseReason::Superseded), begin(Lane::Outage), None],
        Verdict::Degraded => [close(Lane::Outage, CloseReason::Recovered), begin(Lane::Degradation), None],
        // Trouble of a few regions opens and closes beside the verdict; but nobody looks any more at what is paused.
        Verdict::Paused => Lane::ALL.map(|lane| close(lane, CloseReason::Paused)),
    };
    moves.into_iter().flatten().collect()
}

/// Which moves may be made while a maintenance window is open: incidents end, and none begins, nor does one give way to another, because
/// whoever was told of it would not hear of its end.
#[must_use]
pub fn in_maintenance(moves: Vec<Move>) -> Vec<Move> {
    let may_be_made = |what: &Move| match what {
        Move::Open(_) | Move::Close(_, CloseReason::Superseded) => false,
        Move::Close(_, CloseReason::Recovered | CloseReason::RecoveredUnseen | CloseReason::Removed | CloseReason::Paused) => true,
    };
    moves.into_iter().filter(may_be_made).collect()
}

/// The event that a move is for people; `None` when they are told by another move of the same moment.
#[must_use]
pub fn event(step: Move, cause: &Failure) -> Option<EventKind> {
    match step {
        Move::Open(Lane::Outage) => Some(EventKind::Down),
        Move::Open(Lane::Degradation) if cause.code() == certificate::CODE => Some(EventKind::Certificate),
        Move::Open(Lane::Degradation) => Some(EventKind::Degraded),
        Move::Open(Lane::Regional) => Some(EventKind::Regional),
        Move::Close(_, CloseReason::Superseded) => None,
        Move::Close(..) => Some(EventKind::Recovered),
    }
}

/// What there is to tell, as far as it decides who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occasion {
    /// The event.
    pub event: EventKind,
    /// After it the monitor is degraded, not well.
    pub is_still_bad: bool,
    /// In the same moment an outage ended.
    pub from_outage: bool,
}

/// Whether a channel that listens to `on` hears of this. Recoveries are for those who were told of something before, so that nobody
/// gets an "up" without its "down", and nobody who got a "down" is left with it. When an outage turns into a degradation, who hears of
/// the recovery ("up again, but slow") does not hear of the degradation as well.
#[must_use]
pub fn hears(on: &BTreeSet<EventKind>, occasion: Occasion, was_told: bool) -> bool {
    let hears_outages_end = was_told && on.contains(&EventKind::Recovered) && on.contains(&EventKind::Down);
    match occasion.event {
        EventKind::Recovered if occasion.is_still_bad => hears_outages_end,
        EventKind::Recovered => was_told && on.contains(&EventKind::Recovered),
        EventKind::Degraded | EventKind::Certificate if occasion.from_outage => on.contains(&occasion.event) && !hears_outages_end,
        EventKind::Down
        | EventKind::Degraded
        | EventKind::Certificate
        | EventKind::Regional
        | EventKind::Reminder
        | EventKind::Acknowledged
        | EventKind::SelfNotice => on.contains(&occasion.event),
    }
}

/// Whether a channel that was told of trouble must still hear of its end after this recovery: only while the monitor is degraded
/// and the channel cares.
#[must_use]
pub fn stays_told(on: &BTreeSet<EventKind>, occasion: Occasion) -> bool {
    occasion.is_still_bad && (on.contains(&EventKind::Degraded) || on.contains(&EventKind::Certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks through verdicts, applying the moves, and prints them.
    #[track_caller]
    fn assert_walk(verdicts: &[Verdict], expected: &[&[Move]]) {
        let mut epochs = Epochs::default();
        for (verdict, expected) in verdicts.iter().zip(expected) {
            let steps = moves(*verdict, epochs);
            assert_eq!(steps, *expected, "at {verdict:?}");
            for step in steps {
                let (Move::Open(lane) | Move::Close(lane, _)) = step;
                match lane {
                    Lane::Outage => epochs.outage = epochs.outage.next(),
                    Lane::Degradation => epochs.degradation = epochs.degradation.next(),
                    Lane::Regional => epochs.regional = epochs.regional.next(),
                }
            }
        }
        assert_eq!(verdicts.len(), expected.len());
    }

    #[test]
    fn lanes_open_and_close_with_the_verdict() {
        use CloseReason::Paused;
        use CloseReason::Recovered;
        use CloseReason::Superseded;
        use Lane::Degradation;
        use Lane::Outage;
        use Move::Close;
        use Move::Open;
        assert_walk(
            &[Verdict::Up, Verdict::Down, Verdict::Down, Verdict::Unknown, Verdict::Down, Verdict::Up],
            &[&[], &[Open(Outage)], &[], &[], &[], &[Close(Outage, Recovered)]],
        );
        assert_walk(
            &[Verdict::Degraded, Verdict::Down, Verdict::Degraded, Verdict::Up],
            &[
                &[Open(Degradation)],
                &[Close(Degradation, Superseded), Open(Outage)],
                &[Close(Outage, Recovered), Open(Degradation)],
                &[Close(Degradation, Recovered)],
            ],
        );
        assert_walk(&[Verdict::Down, Verdict::Paused, Verdict::Up], &[&[Open(Outage)], &[Close(Outage, Paused)], &[]]);
    }

    #[test]
    fn in_maintenance_incidents_end_and_none_begins() {
        let epochs = |outage, degradation| Epochs { outage: Epoch(outage), degradation: Epoch(degradation), regional: Epoch(0) };
        let allowed = |verdict, epochs| in_maintenance(moves(verdict, epochs));
        assert_eq!(allowed(Verdict::Down, epochs(0, 0)), []);
        assert_eq!(allowed(Verdict::Down, epochs(0, 1)), [], "who heard that it is slow will hear the end of that");
        assert_eq!(allowed(Verdict::Degraded, epochs(1, 0)), [Move::Close(Lane::Outage, CloseReason::Recovered)]);
        assert_eq!(allowed(Verdict::Up, epochs(1, 0)), [Move::Close(Lane::Outage, CloseReason::Recovered)]);
        assert_eq!(allowed(Verdict::Paused, epochs(0, 1)), [Move::Close(Lane::Degradation, CloseReason::Paused)]);
    }

    #[test]
    fn regional_trouble_is_for_those_who_ask_for_it_and_so_is_its_end() {
        let on = |kinds: &[EventKind]| kinds.iter().copied().collect::<BTreeSet<_>>();
        let usual = on(&[EventKind::Down, EventKind::Degraded, EventKind::Recovered, EventKind::Certificate, EventKind::SelfNotice]);
        let begins = Occasion { event: EventKind::Regional, is_still_bad: false, from_outage: false };
        let ends = Occasion { event: EventKind::Recovered, ..begins };
        assert!(!hears(&usual, begins, false) && !hears(&usual, begins, true));
        assert!(!hears(&usual, ends, false), "who did not hear of it does not hear that it is over");
        let regional = on(&[EventKind::Regional, EventKind::Recovered]);
        assert!(hears(&regional, begins, false) && hears(&regional, ends, true) && !stays_told(&regional, ends));
        assert!(!hears(&on(&[EventKind::Regional]), ends, true), "`recovered` is asked for like anything else");
        let why = Failure::Refused { at: "x".to_owned() };
        assert_eq!(event(Move::Open(Lane::Regional), &why), Some(EventKind::Regional));
        assert_eq!(event(Move::Close(Lane::Regional, CloseReason::Recovered), &why), Some(EventKind::Recovered));
        assert_eq!(event(Move::Close(Lane::Regional, CloseReason::Superseded), &why), None, "the outage is told instead");
    }

    #[test]
    fn nobody_gets_an_up_without_its_down() {
        let on = |kinds: &[EventKind]| kinds.iter().copied().collect::<BTreeSet<_>>();
        let all = on(&EventKind::ALL);
        let occasion = |event, is_still_bad, from_outage| Occasion { event, is_still_bad, from_outage };
        let well = occasion(EventKind::Recovered, false, true);
        assert!(hears(&all, well, true) && !hears(&all, well, false));
        assert!(!stays_told(&all, well));
        let slow = occasion(EventKind::Recovered, true, true);
        assert!(hears(&all, slow, true) && stays_told(&all, slow));
        assert!(!hears(&all, occasion(EventKind::Degraded, true, true), true), "was told that it is up and slow");
        let only_degraded = on(&[EventKind::Degraded, EventKind::Recovered]);
        assert!(!hears(&only_degraded, slow, true) && hears(&only_degraded, occasion(EventKind::Degraded, true, true), true));
        assert!(hears(&only_degraded, well, true), "what was opened is closed, whatever it turned into meanwhile");
    }
}
