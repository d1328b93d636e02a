//! From a verdict to incidents: which lane opens or closes, and which event that is for whom.

use crate::model::incident::CloseReason;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::result::Failure;
use crate::model::verdict::Verdict;

/// The epochs of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Epochs {
    /// Of outages.
    pub outage: Epoch,
    /// Of degradations.
    pub degradation: Epoch,
}

impl Epochs {
    /// The one of a lane.
    #[must_use]
    pub fn of(self, lane: Lane) -> Epoch {
        match lane {
            Lane::Outage => self.outage,
            Lane::Degradation => self.degradation,
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

/// What a verdict means for incidents that are or are not open. Unknown means nothing: missing knowledge neither opens nor closes.
#[must_use]
pub fn moves(verdict: Verdict, epochs: Epochs) -> Vec<Move> {
    let open = |lane: Lane| epochs.of(lane).is_open();
    let close = |lane: Lane, reason| open(lane).then_some(Move::Close(lane, reason));
    let begin = |lane: Lane| (!open(lane)).then_some(Move::Open(lane));
    let pair = match verdict {
        Verdict::Unknown => [None, None],
        Verdict::Up => [close(Lane::Outage, CloseReason::Recovered), close(Lane::Degradation, CloseReason::Recovered)],
        Verdict::Down => [close(Lane::Degradation, CloseReason::Superseded), begin(Lane::Outage)],
        Verdict::Degraded => [close(Lane::Outage, CloseReason::Recovered), begin(Lane::Degradation)],
        Verdict::Paused => [close(Lane::Outage, CloseReason::Paused), close(Lane::Degradation, CloseReason::Paused)],
    };
    pair.into_iter().flatten().collect()
}

/// The event that a move is for people; `None` when they are told by another move of the same moment.
#[must_use]
pub fn event(step: Move, cause: &Failure) -> Option<EventKind> {
    match step {
        Move::Open(Lane::Outage) => Some(EventKind::Down),
        Move::Open(Lane::Degradation) if matches!(cause, Failure::CertificateEnds { .. }) => Some(EventKind::Certificate),
        Move::Open(Lane::Degradation) => Some(EventKind::Degraded),
        Move::Close(_, CloseReason::Superseded) => None,
        Move::Close(..) => Some(EventKind::Recovered),
    }
}

/// Whether a channel that listens to `on` is told of `event` in `lane`. A recovery is told only to those who hear of openings of
/// that lane, so that nobody gets an "up" without its "down"; and when an outage turns into a degradation, who was told
/// of the recovery ("up again, but slow") is not told of the degradation as well.
#[must_use]
pub fn is_told(on: &std::collections::BTreeSet<EventKind>, event: EventKind, lane: Lane, came_from_outage: bool) -> bool {
    let hears_openings = match lane {
        Lane::Outage => on.contains(&EventKind::Down),
        Lane::Degradation => on.contains(&EventKind::Degraded) || on.contains(&EventKind::Certificate),
    };
    match event {
        EventKind::Recovered => on.contains(&EventKind::Recovered) && hears_openings,
        EventKind::Degraded | EventKind::Certificate if came_from_outage => {
            on.contains(&event) && !(on.contains(&EventKind::Recovered) && on.contains(&EventKind::Down))
        }
        EventKind::Down
        | EventKind::Degraded
        | EventKind::Certificate
        | EventKind::Regional
        | EventKind::Reminder
        | EventKind::SelfNotice => on.contains(&event),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn nobody_gets_an_up_without_its_down() {
        let on = |kinds: &[EventKind]| kinds.iter().copied().collect::<BTreeSet<_>>();
        let all = on(&EventKind::ALL);
        assert!(is_told(&all, EventKind::Recovered, Lane::Outage, false));
        assert!(!is_told(&on(&[EventKind::Recovered, EventKind::Degraded]), EventKind::Recovered, Lane::Outage, false));
        assert!(!is_told(&all, EventKind::Degraded, Lane::Degradation, true));
        assert!(is_told(&on(&[EventKind::Degraded, EventKind::Recovered]), EventKind::Degraded, Lane::Degradation, true));
    }
}
