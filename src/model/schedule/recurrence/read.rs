//! Reads the text of a rule.

use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Time;
use jiff::civil::Weekday;

use crate::model::schedule::BadSchedule;
use crate::model::schedule::Zone;
use crate::model::schedule::check_length;
use crate::model::schedule::recurrence::DayOfWeek;
use crate::model::schedule::recurrence::End;
use crate::model::schedule::recurrence::Every;
use crate::model::schedule::recurrence::Recurrence;

/// Larger intervals and counts are slips of the pen, and would only make us count for long.
const INTERVAL_MAX: u16 = 1000;
const COUNT_MAX: u32 = 10_000;

const EXAMPLE: &str = "write such as `FREQ=WEEKLY;BYDAY=TU` or `FREQ=MONTHLY;BYDAY=2TU`";

/// Reads a rule; whether it ever happens is not known yet.
pub(super) fn rule(text: &str, start: DateTime, zone: Zone) -> Result<Recurrence, BadSchedule> {
    check_length(text)?;
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    let parts = upper.strip_prefix("RRULE:").unwrap_or(&upper);
    if parts.contains(char::is_whitespace) {
        return Err(BadSchedule::new(
            "a rule has no spaces or lines in it",
            "write only the part behind `RRULE:`; the start is a key of its own",
        ));
    }
    let mut read = Read { every: None, interval: None, end: None, begins: None, lists: Lists::default(), seen: Vec::new() };
    for part in parts.split(';').filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(BadSchedule::new(format!("`{part}` is not of the form `NAME=value`"), EXAMPLE));
        };
        read.part(name, value, &zone)?;
    }
    let rule = read.finish(text, start, zone)?;
    check(&rule)?;
    Ok(rule)
}

/// What was read so far.
struct Read {
    every: Option<Every>,
    interval: Option<u16>,
    end: Option<End>,
    begins: Option<Weekday>,
    lists: Lists,
    seen: Vec<String>,
}

#[derive(Default)]
struct Lists {
    weekdays: Vec<DayOfWeek>,
    month_days: Vec<i8>,
    months: u64,
    positions: Vec<i16>,
}

impl Read {
    fn part(&mut self, name: &str, value: &str, zone: &Zone) -> Result<(), BadSchedule> {
        if self.seen.iter().any(|seen| seen == name) {
            return Err(BadSchedule::new(format!("`{name}` is there twice"), "keep one of them; several values are separated by commas"));
        }
        self.seen.push(name.to_owned());
        match name {
            "FREQ" => self.every = Some(every(value)?),
            "INTERVAL" => self.interval = Some(number(name, value, 1, i32::from(INTERVAL_MAX))?),
            "COUNT" => self.end(End::After(number(name, value, 1, i32::try_from(COUNT_MAX).unwrap_or(i32::MAX))?))?,
            "UNTIL" => self.end(End::At(until(value, zone)?))?,
            "WKST" => self.begins = Some(weekday(name, value)?),
            "BYDAY" => self.lists.weekdays = value.split(',').map(day_of_week).collect::<Result<_, _>>()?,
            "BYMONTHDAY" => self.lists.month_days = signed(name, value, 31)?,
            "BYMONTH" => {
                for month in value.split(',') {
                    self.lists.months |= 1 << number::<u8>(name, month, 1, 12)?;
                }
            }
            "BYSETPOS" => self.lists.positions = signed(name, value, 366)?,
            "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                return Err(BadSchedule::new(
                    format!("`{name}` is not supported: every time is at the time of the day of `start`"),
                    "write the time into `start`, and make a window of its own for each further time",
                ));
            }
            "BYWEEKNO" | "BYYEARDAY" | "RSCALE" | "SKIP" => {
                return Err(BadSchedule::new(
                    format!("`{name}` is not supported"),
                    "use `BYDAY`, `BYMONTHDAY`, `BYMONTH` and `BYSETPOS`, which can name the same days",
                ));
            }
            "DTSTART" | "TZID" => {
                return Err(BadSchedule::new(
                    format!("`{name}` is not a part of a rule"),
                    "write it as `start:` and `timezone:` beside the rule",
                ));
            }
            other => {
                return Err(BadSchedule::new(
                    format!("`{other}` is not a part of a recurrence rule"),
                    "the parts are FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS, COUNT, UNTIL and WKST",
                ));
            }
        }
        Ok(())
    }

    fn end(&mut self, end: End) -> Result<(), BadSchedule> {
        if self.end.replace(end).is_some() {
            return Err(BadSchedule::new("`COUNT` and `UNTIL` both say when it is over", "keep one of the two"));
        }
        Ok(())
    }

    fn finish(self, text: &str, start: DateTime, zone: Zone) -> Result<Recurrence, BadSchedule> {
        let Some(every) = self.every else {
            return Err(BadSchedule::new("the rule does not say how often: `FREQ` is missing", EXAMPLE));
        };
        Ok(Recurrence {
            text: text.to_owned(),
            start,
            zone,
            every,
            interval: self.interval.unwrap_or(1),
            weekdays: self.lists.weekdays,
            month_days: self.lists.month_days,
            months: self.lists.months,
            positions: self.lists.positions,
            end: self.end.unwrap_or(End::Never),
            week_begins: self.begins.unwrap_or(Weekday::Monday),
        })
    }
}

/// What the RFC forbids to be together.
fn check(rule: &Recurrence) -> Result<(), BadSchedule> {
    let bad = |message: &str, hint: &str| Err(BadSchedule::new(message, hint));
    let has_nth = rule.weekdays.iter().any(|day| day.nth.is_some());
    let nth_max = rule.weekdays.iter().filter_map(|day| day.nth).map(i16::abs).max().unwrap_or(0);
    match rule.every {
        Every::Day | Every::Week if has_nth => bad(
            "a numbered weekday such as `2TU` counts within a month or a year",
            "use `FREQ=MONTHLY` or `FREQ=YEARLY`, or leave the number out",
        ),
        Every::Week if !rule.month_days.is_empty() => {
            bad("`BYMONTHDAY` does not go with `FREQ=WEEKLY`", "use `FREQ=DAILY` with `BYMONTHDAY` and `BYDAY`")
        }
        Every::Month if nth_max > 5 => bad("no weekday comes more than five times in a month", "use 1 to 5, or -1 to -5 from the end"),
        Every::Year if nth_max > 5 && rule.months != 0 => bad(
            "with `BYMONTH`, weekdays are counted within the month, where none comes more than five times",
            "use 1 to 5, or -1 to -5 from the end",
        ),
        Every::Day | Every::Week | Every::Month | Every::Year
            if !rule.positions.is_empty() && rule.weekdays.is_empty() && rule.month_days.is_empty() && rule.months == 0 =>
        {
            bad("`BYSETPOS` picks among the days that other parts name, and there are none", "add `BYDAY`, `BYMONTHDAY` or `BYMONTH`")
        }
        Every::Day | Every::Week | Every::Month | Every::Year => Ok(()),
    }
}

fn every(value: &str) -> Result<Every, BadSchedule> {
    match value {
        "DAILY" => Ok(Every::Day),
        "WEEKLY" => Ok(Every::Week),
        "MONTHLY" => Ok(Every::Month),
        "YEARLY" => Ok(Every::Year),
        "HOURLY" | "MINUTELY" | "SECONDLY" => {
            Err(BadSchedule::new(format!("`FREQ={value}` is not supported"), "use `cron:` for what happens several times a day"))
        }
        other => Err(BadSchedule::new(format!("`{other}` is not a frequency"), "use DAILY, WEEKLY, MONTHLY or YEARLY")),
    }
}

fn number<T: TryFrom<i32>>(name: &str, value: &str, min: i32, max: i32) -> Result<T, BadSchedule> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
    let found = value.parse::<i32>().ok().filter(|n| is_plain && (min..=max).contains(n));
    found.and_then(|n| T::try_from(n).ok()).ok_or_else(|| {
        BadSchedule::new(format!("`{name}={value}` is not a whole number from {min} to {max}"), format!("write such as `{name}={min}`"))
    })
}

/// Numbers from 1 to `max`, or from -1 to `-max`, between commas.
fn signed<T: TryFrom<i32>>(name: &str, value: &str, max: i32) -> Result<Vec<T>, BadSchedule> {
    let one = |text: &str| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let n: i32 = number::<i32>(name, digits, 1, max).map_err(|_| {
            BadSchedule::new(format!("`{text}` in `{name}` is not from 1 to {max} or from -1 to -{max}"), "count from the end with a minus")
        })?;
        let n = if text.starts_with('-') { -n } else { n };
        T::try_from(n).map_err(|_| BadSchedule::new(format!("`{text}` in `{name}` is out of range"), ""))
    };
    value.split(',').map(one).collect()
}

fn weekday(name: &str, value: &str) -> Result<Weekday, BadSchedule> {
    Ok(match value {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        other => {
            return Err(BadSchedule::new(format!("`{other}` in `{name}` is not a weekday"), "use MO, TU, WE, TH, FR, SA or SU"));
        }
    })
}

fn day_of_week(text: &str) -> Result<DayOfWeek, BadSchedule> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (nth, name) = text.split_at(at);
    let nth = if nth.is_empty() { None } else { signed::<i16>("BYDAY", nth, 53)?.first().copied() };
    Ok(DayOfWeek { nth, weekday: weekday("BYDAY", name)? })
}

/// A day (to its end), a time by the clock on the wall, or a time in UTC.
fn until(value: &str, zone: &Zone) -> Result<DateTime, BadSchedule> {
    let wrong =
        || BadSchedule::new(format!("`UNTIL={value}` is not a time"), "write `20261231`, `20261231T220000` or, in UTC, `20261231T220000Z`");
    let (text, is_utc) = value.strip_suffix('Z').map_or((value, false), |text| (text, true));
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(day, 8) || time.is_some_and(|time| !digits(time, 6)) || (time.is_none() && is_utc) {
        return Err(wrong());
    }
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<i16>().ok());
    let small = |text: &str, range| part(text, range).and_then(|n| i8::try_from(n).ok());
    let date = (|| Date::new(part(day, 0..4)?, small(day, 4..6)?, small(day, 6..8)?).ok())().ok_or_else(wrong)?;
    let Some(time) = time else { return Ok(date.to_datetime(Time::constant(23, 59, 59, 0))) };
    let time = (|| Time::new(small(time, 0..2)?, small(time, 2..4)?, small(time, 4..6)?, 0).ok())().ok_or_else(wrong)?;
    let found = date.to_datetime(time);
    if !is_utc {
        return Ok(found);
    }
    let stamp = found.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| wrong())?.timestamp();
    Ok(zone.rules().to_datetime(stamp))
}
