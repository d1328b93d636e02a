//! Recurrence rules of RFC 5545, as calendars export them: `FREQ=MONTHLY;BYDAY=2TU`.
//!
//! Of the RFC is here what names days; the time of the day is that of the start. What would name weeks of the year, days of the year or
//! times of the day is refused by its name, because a rule that is read in part means something else. Finding the days needs no time zone
//! and no clock, so it is here as well: the config has to know whether a rule ever happens. Moments on the line of time are found in
//! `crate::rules::maintenance`.
//!
//! Why not a library: those that there are bring a second library for dates and zones along, which is larger than all of this.

mod days;
mod read;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::civil::Weekday;

use crate::model::schedule::BadSchedule;
use crate::model::schedule::YEARS;
use crate::model::schedule::Zone;

pub use days::Occurrences;

/// Days that are looked at to find the shortest time between two: more than every month of two years, leap days included.
const GAPS_LOOKED_AT: usize = 1000;

/// A rule, checked: it happens at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// As it was written.
    pub text: String,
    /// What the clock on the wall shows the first time at the earliest; every time is at this time of the day.
    pub start: DateTime,
    /// Where that clock hangs.
    pub zone: Zone,
    /// What it repeats by.
    pub(crate) every: Every,
    /// Every so many of those.
    pub(crate) interval: u16,
    /// Only these days of the week; empty: any.
    pub(crate) weekdays: Vec<DayOfWeek>,
    /// Only these days of the month, from its end when negative; empty: any.
    pub(crate) month_days: Vec<i8>,
    /// Only these months, bits 1 to 12; 0: any.
    pub(crate) months: u64,
    /// Of all days of one repetition only these, from the last when negative; empty: all.
    pub(crate) positions: Vec<i16>,
    /// When it is over.
    pub(crate) end: End,
    /// With which day weeks begin.
    pub(crate) week_begins: Weekday,
}

/// What a rule repeats by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// A day of the week, or the n-th of a month or year, from its end when negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayOfWeek {
    pub(crate) nth: Option<i16>,
    pub(crate) weekday: Weekday,
}

/// When a rule is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    /// After so many times.
    After(u32),
    /// After this, by the clock on the wall.
    At(DateTime),
}

impl Recurrence {
    /// Reads a rule. `start` is what the clock on the wall in `zone` shows the first time; unlike in calendars it happens only if the rule
    /// says so.
    ///
    /// # Errors
    /// [`BadSchedule`] when the text is not a rule, says something that is not supported, or names days that never come.
    pub fn parse(text: &str, start: DateTime, zone: Zone) -> Result<Recurrence, BadSchedule> {
        if !YEARS.contains(&start.year()) {
            let message = format!("the year {} is out of the calendar", start.year());
            return Err(BadSchedule::new(message, format!("use a year from {} to {}", YEARS.start(), YEARS.end())));
        }
        let rule = read::rule(text, start, zone)?;
        if rule.occurrences().next().is_none() {
            let message = format!("`{}` never happens at or after {start}", rule.text);
            return Err(BadSchedule::new(message, "correct the days, the end or the start"));
        }
        Ok(rule)
    }

    /// What the clock on the wall shows each time, in order.
    #[must_use]
    pub fn occurrences(&self) -> Occurrences<'_> {
        Occurrences::new(self)
    }

    /// The same, beginning at this time or somewhat earlier, without going through all that was before where that can be helped.
    #[must_use]
    pub fn occurrences_near(&self, from: DateTime) -> Occurrences<'_> {
        Occurrences::near(self, from)
    }

    /// The shortest time between two of its times, not counting those that daylight saving moves; `None`: it happens once.
    #[must_use]
    pub fn shortest_gap(&self) -> Option<Duration> {
        let mut times = self.occurrences().take(GAPS_LOOKED_AT);
        let mut before = times.next()?;
        let mut shortest: Option<Duration> = None;
        for time in times {
            let gap = Duration::try_from(before.duration_until(time)).unwrap_or_default();
            shortest = Some(shortest.map_or(gap, |shortest| shortest.min(gap)));
            before = time;
        }
        shortest
    }
}
