//! What a clock on the wall shows next, or showed last, that fits a pattern. No zones, no jumps.

use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Time;

use crate::model::schedule::Pattern;

/// The calendar repeats itself after this many years: what did not come by then never comes.
const CYCLE_YEARS: i16 = 400;

/// The first fitting date and time at `from` or later.
pub(super) fn next(pattern: &Pattern, from: DateTime) -> Option<DateTime> {
    let mut date = next_date(pattern, from.date(), from.year())?;
    if date == from.date() {
        if let Some(time) = next_time(pattern, from.time()) {
            return Some(date.to_datetime(time));
        }
        date = next_date(pattern, date.tomorrow().ok()?, from.year())?;
    }
    next_time(pattern, Time::midnight()).map(|time| date.to_datetime(time))
}

/// The last fitting date and time at `until` or earlier.
pub(super) fn previous(pattern: &Pattern, until: DateTime) -> Option<DateTime> {
    let mut date = previous_date(pattern, until.date(), until.year())?;
    if date == until.date() {
        if let Some(time) = previous_time(pattern, until.time()) {
            return Some(date.to_datetime(time));
        }
        date = previous_date(pattern, date.yesterday().ok()?, until.year())?;
    }
    previous_time(pattern, Time::constant(23, 59, 59, 0)).map(|time| date.to_datetime(time))
}

fn next_date(pattern: &Pattern, mut date: Date, year: i16) -> Option<Date> {
    while date.year() - year <= CYCLE_YEARS {
        if !pattern.has_year(date.year()) {
            date = Date::new(date.year() + 1, 1, 1).ok()?;
        } else if !pattern.has_month(date.month()) {
            date = date.last_of_month().tomorrow().ok()?;
        } else if !pattern.has_date(date) {
            date = date.tomorrow().ok()?;
        } else {
            return Some(date);
        }
    }
    None
}

fn previous_date(pattern: &Pattern, mut date: Date, year: i16) -> Option<Date> {
    while year - date.year() <= CYCLE_YEARS {
        if !pattern.has_year(date.year()) {
            date = Date::new(date.year() - 1, 12, 31).ok()?;
        } else if !pattern.has_month(date.month()) {
            date = date.first_of_month().yesterday().ok()?;
        } else if !pattern.has_date(date) {
            date = date.yesterday().ok()?;
        } else {
            return Some(date);
        }
    }
    None
}

/// The first fitting time of a day at `from` or later.
fn next_time(pattern: &Pattern, from: Time) -> Option<Time> {
    let in_hour = |hour: i8| {
        let is_same = hour == from.hour();
        let first = lowest(pattern.minutes, if is_same { from.minute() } else { 0 })?;
        if !is_same || from.minute() < first {
            return Some((first, lowest(pattern.seconds, 0)?));
        }
        if let Some(second) = lowest(pattern.seconds, from.second()) {
            return Some((first, second));
        }
        Some((lowest(pattern.minutes, first + 1)?, lowest(pattern.seconds, 0)?))
    };
    let first = lowest(pattern.hours, from.hour())?;
    let (hour, (minute, second)) = match in_hour(first) {
        Some(found) => (first, found),
        None => {
            let later = lowest(pattern.hours, first + 1)?;
            (later, in_hour(later)?)
        }
    };
    Time::new(hour, minute, second, 0).ok()
}

/// The last fitting time of a day at `until` or earlier.
fn previous_time(pattern: &Pattern, until: Time) -> Option<Time> {
    let in_hour = |hour: i8| {
        let is_same = hour == until.hour();
        let last = highest(pattern.minutes, if is_same { until.minute() } else { 59 })?;
        if !is_same || last < until.minute() {
            return Some((last, highest(pattern.seconds, 59)?));
        }
        if let Some(second) = highest(pattern.seconds, until.second()) {
            return Some((last, second));
        }
        Some((highest(pattern.minutes, last - 1)?, highest(pattern.seconds, 59)?))
    };
    let last = highest(pattern.hours, until.hour())?;
    let (hour, (minute, second)) = match in_hour(last) {
        Some(found) => (last, found),
        None => {
            let earlier = highest(pattern.hours, last - 1)?;
            (earlier, in_hour(earlier)?)
        }
    };
    Time::new(hour, minute, second, 0).ok()
}

/// The lowest member that is `from` or more.
fn lowest(set: u64, from: i8) -> Option<i8> {
    let rest = set & (u64::MAX << from);
    i8::try_from(rest.trailing_zeros()).ok().filter(|_| rest != 0)
}

/// The highest member that is `until` or less.
fn highest(set: u64, until: i8) -> Option<i8> {
    if until < 0 {
        return None;
    }
    let rest = set & (u64::MAX >> (63 - until));
    i8::try_from(63 - rest.leading_zeros().min(63)).ok().filter(|_| rest != 0)
}
