//! Whether a channel keeps still at some moment, and until when.

use jiff::ToSpan;

use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::policy::QuietHours;
use crate::model::time::UnixMillis;

/// Until when a message of this kind waits; `None`: it need not. The end of something goes where its beginning may go, so that whoever was
/// woken by an outage is told in the same night that it is over.
#[must_use]
pub fn until(quiet: &QuietHours, event: EventKind, lane: Option<Lane>, now: UnixMillis) -> Option<UnixMillis> {
    let began_as = match (event, lane) {
        (EventKind::Recovered | EventKind::Acknowledged | EventKind::Reminder, Some(Lane::Outage)) => Some(EventKind::Down),
        (EventKind::Recovered | EventKind::Acknowledged | EventKind::Reminder, Some(Lane::Degradation)) => Some(EventKind::Degraded),
        (EventKind::Recovered | EventKind::Acknowledged | EventKind::Reminder, Some(Lane::Regional)) => Some(EventKind::Regional),
        (
            EventKind::Down
            | EventKind::Degraded
            | EventKind::Recovered
            | EventKind::Regional
            | EventKind::Reminder
            | EventKind::Acknowledged
            | EventKind::Certificate
            | EventKind::SelfNotice,
            _,
        ) => None,
    };
    let is_excepted =
        quiet.except.contains(&event) || (event != EventKind::Reminder && began_as.is_some_and(|kind| quiet.except.contains(&kind)));
    if is_excepted { None } else { end(quiet, now) }
}

/// The end of the quiet hours that are on.
fn end(quiet: &QuietHours, now: UnixMillis) -> Option<UnixMillis> {
    let shown = quiet.zone.shown(now)?;
    let minute = u16::try_from(i32::from(shown.hour()) * 60 + i32::from(shown.minute())).ok()?;
    let (from, to) = (quiet.from, quiet.to);
    let is_on = if from < to { (from..to).contains(&minute) } else { from <= minute || minute < to };
    if !is_on {
        return None;
    }
    // Over midnight they end on the next day, unless it is past midnight already.
    let day = if from < to || minute < to { shown.date() } else { shown.date().checked_add(1.day()).ok()? };
    let hour = i8::try_from(to / 60).ok()?;
    let end = quiet.zone.moment(day.at(hour, i8::try_from(to % 60).ok()?, 0, 0))?;
    // Where the clock is set back, the minutes before the end come twice; the first end is over then.
    Some(end).filter(|end| now < *end)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::schedule::Zone;

    fn night(zone: &str, except: &[EventKind]) -> QuietHours {
        QuietHours {
            from: 22 * 60,
            to: 7 * 60,
            zone: Zone::parse(zone).expect("a zone"),
            except: except.iter().copied().collect::<BTreeSet<_>>(),
        }
    }

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
    }

    #[test]
    fn over_midnight_by_the_clock_of_the_zone() {
        let quiet = night("Europe/Riga", &[]);
        let until = |text: &str| until(&quiet, EventKind::Down, Some(Lane::Outage), at(text));
        assert_eq!(until("2026-06-30T18:59:59Z"), None, "21:59");
        assert_eq!(until("2026-06-30T19:00:00Z"), Some(at("2026-07-01T04:00:00Z")));
        assert_eq!(until("2026-06-30T23:30:00Z"), Some(at("2026-07-01T04:00:00Z")));
        assert_eq!(until("2026-07-01T04:00:00Z"), None);
    }

    #[test]
    fn within_a_day_and_where_the_clock_is_set() {
        let noon = QuietHours { from: 12 * 60, to: 13 * 60 + 30, ..night("UTC", &[]) };
        assert_eq!(end(&noon, at("2026-06-30T12:00:00Z")), Some(at("2026-06-30T13:30:00Z")));
        assert_eq!(end(&noon, at("2026-06-30T13:30:00Z")), None);
        // In Riga the clock goes from 03:00 to 04:00 on this day, and from 04:00 back to 03:00 on the other.
        let spring = QuietHours { from: 22 * 60, to: 3 * 60 + 30, ..night("Europe/Riga", &[]) };
        assert_eq!(end(&spring, at("2026-03-29T00:30:00Z")), Some(at("2026-03-29T01:00:00Z")), "the end is skipped: right after the gap");
        assert_eq!(end(&spring, at("2026-10-25T00:10:00Z")), Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(end(&spring, at("2026-10-25T01:10:00Z")), None, "the same clock time for the second time");
    }

    #[test]
    fn an_end_goes_where_its_beginning_may_go() {
        let quiet = night("UTC", &[EventKind::Down]);
        let now = at("2026-06-30T23:00:00Z");
        let is_told = |event, lane| until(&quiet, event, lane, now).is_none();
        assert!(is_told(EventKind::Down, Some(Lane::Outage)) && is_told(EventKind::Recovered, Some(Lane::Outage)));
        assert!(!is_told(EventKind::Degraded, Some(Lane::Degradation)) && !is_told(EventKind::Recovered, Some(Lane::Degradation)));
        assert!(!is_told(EventKind::Reminder, Some(Lane::Outage)), "who was woken needs no reminder before the morning");
        assert!(!is_told(EventKind::SelfNotice, None));
    }
}
