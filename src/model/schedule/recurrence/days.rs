//! The days of a rule: repetition by repetition, each as the set of its days.

use std::collections::VecDeque;

use jiff::Span;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Weekday;

use crate::model::schedule::YEARS;
use crate::model::schedule::has;
use crate::model::schedule::recurrence::DayOfWeek;
use crate::model::schedule::recurrence::End;
use crate::model::schedule::recurrence::Every;
use crate::model::schedule::recurrence::Recurrence;

/// Times of a rule, in order; those after the last year of the calendar are left out.
#[derive(Debug, Clone)]
pub struct Occurrences<'a> {
    rule: &'a Recurrence,
    /// The repetition that is looked at next.
    repetition: i64,
    /// Days of those that were looked at.
    found: VecDeque<Date>,
    n_left: Option<u32>,
    is_over: bool,
}

/// Within what the n-th day of a week is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Month,
    Year,
}

impl<'a> Occurrences<'a> {
    pub(super) fn new(rule: &'a Recurrence) -> Occurrences<'a> {
        let n_left = match rule.end {
            End::After(n) => Some(n),
            End::Never | End::At(_) => None,
        };
        Occurrences { rule, repetition: 0, found: VecDeque::new(), n_left, is_over: false }
    }

    pub(super) fn near(rule: &'a Recurrence, from: DateTime) -> Occurrences<'a> {
        let mut times = Occurrences::new(rule);
        // A rule that counts has to be counted through.
        if times.n_left.is_none() {
            times.repetition = (repetitions_between(rule, from.date()) - 1).max(0);
        }
        times
    }
}

impl Iterator for Occurrences<'_> {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        while !self.is_over && self.n_left != Some(0) {
            if let Some(date) = self.found.pop_front() {
                let time = date.to_datetime(self.rule.start.time());
                if matches!(self.rule.end, End::At(end) if end < time) {
                    self.is_over = true;
                    return None;
                }
                self.n_left = self.n_left.map(|n| n - 1);
                return Some(time);
            }
            match days(self.rule, self.repetition) {
                None => self.is_over = true,
                Some(days) => self.found.extend(days.into_iter().filter(|day| self.rule.start.date() <= *day)),
            }
            self.repetition += 1;
        }
        None
    }
}

/// How many repetitions lie between the first and the one with this day; negative before the first.
fn repetitions_between(rule: &Recurrence, date: Date) -> i64 {
    let start = rule.start.date();
    let n_days = |from: Date| from.duration_until(date).as_hours() / 24;
    let n = match rule.every {
        Every::Day => n_days(start),
        Every::Week => n_days(week_of(rule, start).unwrap_or(start)) / 7,
        Every::Month => month_number(date) - month_number(start),
        Every::Year => i64::from(date.year()) - i64::from(start.year()),
    };
    n / i64::from(rule.interval)
}

/// The days of one repetition, in order; `None` after the end of the calendar.
fn days(rule: &Recurrence, repetition: i64) -> Option<Vec<Date>> {
    let start = rule.start.date();
    let n = repetition.checked_mul(i64::from(rule.interval))?;
    let days: Vec<Date> = match rule.every {
        Every::Day => {
            let date = later(start, n)?;
            let fits = has_month(rule, date) && fits_month_day(rule, date) && fits_weekday(rule, date, Within::Month);
            if fits { vec![date] } else { Vec::new() }
        }
        Every::Week => {
            let week = later(week_of(rule, start)?, n.checked_mul(7)?)?;
            let fits = |date: &Date| {
                let weekday =
                    if rule.weekdays.is_empty() { date.weekday() == start.weekday() } else { fits_weekday(rule, *date, Within::Month) };
                weekday && has_month(rule, *date)
            };
            (0..7).filter_map(|n| later(week, n)).filter(fits).collect()
        }
        Every::Month => {
            let number = month_number(start) + n;
            days_of_month(rule, i16::try_from(number.div_euclid(12)).ok()?, i8::try_from(number.rem_euclid(12)).ok()? + 1, Within::Month)?
        }
        Every::Year => days_of_year(rule, i16::try_from(i64::from(start.year()) + n).ok()?)?,
    };
    Some(if rule.positions.is_empty() { days } else { positions(&rule.positions, &days) })
}

fn days_of_year(rule: &Recurrence, year: i16) -> Option<Vec<Date>> {
    let names_days = !rule.month_days.is_empty() || !rule.weekdays.is_empty();
    let within = if rule.months == 0 { Within::Year } else { Within::Month };
    let mut days = Vec::new();
    for month in 1..=12 {
        if names_days || rule.months != 0 || month == rule.start.month() {
            days.append(&mut days_of_month(rule, year, month, within)?);
        }
    }
    Some(days)
}

fn days_of_month(rule: &Recurrence, year: i16, month: i8, within: Within) -> Option<Vec<Date>> {
    if !YEARS.contains(&year) {
        return None;
    }
    let first = Date::new(year, month, 1).ok()?;
    if !has_month(rule, first) {
        return Some(Vec::new());
    }
    let names_days = !rule.month_days.is_empty() || !rule.weekdays.is_empty();
    let fits = |date: &Date| {
        if names_days { fits_month_day(rule, *date) && fits_weekday(rule, *date, within) } else { date.day() == rule.start.day() }
    };
    Some((1..=first.days_in_month()).filter_map(|day| Date::new(year, month, day).ok()).filter(fits).collect())
}

fn has_month(rule: &Recurrence, date: Date) -> bool {
    rule.months == 0 || has(rule.months, date.month())
}

fn fits_month_day(rule: &Recurrence, date: Date) -> bool {
    let from_end = date.day() - date.days_in_month() - 1;
    rule.month_days.is_empty() || rule.month_days.iter().any(|day| *day == date.day() || *day == from_end)
}

fn fits_weekday(rule: &Recurrence, date: Date, within: Within) -> bool {
    let (day, n_days) = match within {
        Within::Month => (i16::from(date.day()), i16::from(date.days_in_month())),
        Within::Year => (date.day_of_year(), date.days_in_year()),
    };
    let (nth, nth_last) = ((day - 1) / 7 + 1, -((n_days - day) / 7 + 1));
    let fits = |wanted: &DayOfWeek| wanted.weekday == date.weekday() && wanted.nth.is_none_or(|n| n == nth || n == nth_last);
    rule.weekdays.is_empty() || rule.weekdays.iter().any(fits)
}

/// Of these days the n-th ones, in order and each once.
fn positions(wanted: &[i16], days: &[Date]) -> Vec<Date> {
    let at = |n: &i16| {
        let n = isize::from(*n);
        let n = if n < 0 { isize::try_from(days.len()).ok()?.checked_add(n)? } else { n - 1 };
        days.get(usize::try_from(n).ok()?).copied()
    };
    let mut found: Vec<Date> = wanted.iter().filter_map(at).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The first day of the week that a day is in.
fn week_of(rule: &Recurrence, date: Date) -> Option<Date> {
    let into: i8 = weekdays_since(rule.week_begins, date.weekday());
    later(date, -i64::from(into))
}

fn weekdays_since(from: Weekday, to: Weekday) -> i8 {
    (to.to_monday_zero_offset() - from.to_monday_zero_offset()).rem_euclid(7)
}

fn month_number(date: Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

/// So many days later; `None` after the end of the calendar. A week may begin shortly before it.
fn later(date: Date, n_days: i64) -> Option<Date> {
    let span = Span::new().try_days(n_days).ok()?;
    date.checked_add(span).ok().filter(|date| date.year() <= *YEARS.end())
}
