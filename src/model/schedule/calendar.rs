//! Calendar events of systemd (`OnCalendar=`), as systemd.time(7) describes them and `systemd-analyze calendar` reads them.
//!
//! Read: weekdays, dates with `~` for days from the end of the month, times, lists, ranges `..`, repetitions `/`, shorthands, a time
//! zone at the end, and `@` with seconds since 1970. Not read: fractions of seconds; no job is that punctual.

use jiff::Timestamp;

use crate::model::schedule::ALL_DAYS;
use crate::model::schedule::ALL_HOURS;
use crate::model::schedule::ALL_MONTHS;
use crate::model::schedule::ALL_SIXTY;
use crate::model::schedule::ALL_WEEKDAYS;
use crate::model::schedule::BadSchedule;
use crate::model::schedule::Join;
use crate::model::schedule::Pattern;
use crate::model::schedule::WEEKDAYS;
use crate::model::schedule::YEARS;
use crate::model::schedule::Years;
use crate::model::schedule::Zone;
use crate::model::schedule::steps;
use crate::model::schedule::with_article;

/// What the shorthands stand for.
const SHORTHANDS: [(&str, &str); 12] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("semi-annually", "*-01,07-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
    ("bi-annually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
];

/// Days from the end of a month that every month has.
const FROM_END_MAX: u32 = 28;

const SHAPE: &str = "write weekdays, a date and a time, such as `Mon..Fri *-*-* 02:00`";

/// Reads an event; a zone only when the text names one.
pub(crate) fn parse(text: &str) -> Result<(Pattern, Option<Zone>), BadSchedule> {
    let text = text.trim();
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    let Some(first) = words.first().copied() else {
        return Err(BadSchedule::new("a calendar event must not be empty", SHAPE));
    };
    if let Some(seconds) = first.strip_prefix('@').filter(|_| words.len() == 1) {
        return moment(seconds);
    }
    let is_name = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic());
    let zone = if words.len() > 1 { words.pop_if(|word| is_name(word)).map(Zone::parse).transpose()? } else { None };
    if let [word] = words.as_slice()
        && let Some((_, event)) = SHORTHANDS.iter().find(|(short, _)| short.eq_ignore_ascii_case(word))
    {
        return parse(event).map(|(pattern, _)| (pattern, zone));
    }
    let mut pattern = Pattern {
        years: Vec::new(),
        months: ALL_MONTHS,
        days: ALL_DAYS,
        days_from_end: 0,
        weekdays: ALL_WEEKDAYS,
        join: Join::And,
        hours: 1,
        minutes: 1,
        seconds: 1,
    };
    let mut rest = words.as_slice();
    if let [head, tail @ ..] = rest
        && is_name(head)
    {
        pattern.weekdays = weekdays(head)?;
        rest = tail;
    }
    // Newer releases write date and time with a `T` between them, as ISO 8601 does.
    let joined = match rest {
        [both] => both.split_once('T'),
        _ => None,
    };
    let joined = joined.map(|(date, time)| [date, time]);
    match joined.as_ref().map_or(rest, |both| both.as_slice()) {
        [date, time] => {
            read_date(date, &mut pattern)?;
            read_time(time, &mut pattern)?;
        }
        [time] if time.contains(':') => read_time(time, &mut pattern)?,
        [date] => read_date(date, &mut pattern)?,
        [] => {}
        [..] => return Err(BadSchedule::new(format!("`{text}` has too many parts"), SHAPE)),
    }
    Ok((pattern, zone))
}

/// A single moment, given in seconds since 1970.
fn moment(seconds: &str) -> Result<(Pattern, Option<Zone>), BadSchedule> {
    let stamp = seconds.parse::<i64>().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = stamp.map(|stamp| jiff::tz::Offset::UTC.to_datetime(stamp)).filter(|at| YEARS.contains(&at.year()));
    let Some(at) = at else {
        return Err(BadSchedule::new(format!("`@{seconds}` is not a moment between 1970 and 2199"), "write `@` and seconds since 1970"));
    };
    let pattern = Pattern {
        years: vec![Years { first: at.year(), last: at.year(), step: 1 }],
        months: 1 << at.month(),
        days: 1 << at.day(),
        days_from_end: 0,
        weekdays: ALL_WEEKDAYS,
        join: Join::And,
        hours: 1 << at.hour(),
        minutes: 1 << at.minute(),
        seconds: 1 << at.second(),
    };
    Ok((pattern, Some(Zone::utc())))
}

fn weekdays(text: &str) -> Result<u64, BadSchedule> {
    let mut set = 0;
    // A comma at the end is allowed: `Mon..Fri, 02:00`.
    for part in text.strip_suffix(',').unwrap_or(text).split(',') {
        let (first, last) = part.split_once("..").or_else(|| part.split_once('-')).unwrap_or((part, part));
        let (from, to) = (weekday(first)?, weekday(last)?);
        if to < from {
            let message = format!("the weekdays `{part}` end before they begin");
            return Err(BadSchedule::new(message, format!("the week begins with Monday here: write `{first}..Sun,Mon..{last}`")));
        }
        // Counted from Monday; Sunday is bit 0.
        set |= steps(from, to, 1) << 1;
    }
    Ok((set | set >> 7) & ALL_WEEKDAYS)
}

/// The weekday, counted from Monday.
fn weekday(text: &str) -> Result<u32, BadSchedule> {
    let is_it = |name: &&str| name.eq_ignore_ascii_case(text) || name[..3].eq_ignore_ascii_case(text);
    let found = (0..).zip(&WEEKDAYS).find(|(_, name)| is_it(name));
    found.map(|(n, _): (u32, _)| (n + 6) % 7).ok_or_else(|| {
        BadSchedule::new(
            format!("`{text}` is neither a weekday nor a shorthand of systemd"),
            "use `Mon` to `Sun`, or a word such as `daily`",
        )
    })
}

/// A part of a date or time.
#[derive(Clone, Copy)]
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
}

/// One element of a list: from the first, to the last if it is a range, every so many if it repeats.
#[derive(Clone, Copy)]
struct Part {
    first: u32,
    last: Option<u32>,
    step: Option<u32>,
}

/// Reads a list; `None` is `*`.
fn parts(text: &str, field: Field) -> Result<Option<Vec<Part>>, BadSchedule> {
    if text == "*" {
        return Ok(None);
    }
    if let Some(rest) = text.strip_prefix('*') {
        let message = format!("`{text}` in the {} repeats a star", field.name);
        return Err(BadSchedule::new(message, format!("write `{}{rest}`: systemd repeats from a first value", field.low)));
    }
    text.split(',').map(|part| part_of(part, field)).collect::<Result<Vec<Part>, BadSchedule>>().map(Some)
}

fn part_of(text: &str, field: Field) -> Result<Part, BadSchedule> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(number(step, Field { low: 1, high: field.high - field.low, name: "repetition" })?)),
        None => (text, None),
    };
    let (first, last) = match range.split_once("..") {
        Some((first, last)) => (number(first, field)?, Some(number(last, field)?)),
        None => (number(range, field)?, None),
    };
    if last.is_some_and(|last| last < first) {
        let message = format!("the {} range `{range}` ends before it begins", field.name);
        return Err(BadSchedule::new(message, "write the smaller value first, or two ranges with a comma"));
    }
    Ok(Part { first, last, step })
}

fn number(text: &str, field: Field) -> Result<u32, BadSchedule> {
    let n = text.parse::<u32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let n = n.map(|n| if field.name == YEAR.name { long_year(n) } else { n });
    let hint = || format!("use {} to {}", field.low, field.high);
    match n {
        Some(n) if (field.low..=field.high).contains(&n) => Ok(n),
        Some(n) => Err(BadSchedule::new(format!("{n} is not {}", with_article(field.name)), hint())),
        None if text.contains('.') => {
            Err(BadSchedule::new(format!("`{text}` has a fraction"), "write whole seconds: no job is that punctual"))
        }
        None => Err(BadSchedule::new(format!("`{text}` is not {}", with_article(field.name)), hint())),
    }
}

/// Years of two digits, as systemd takes them.
fn long_year(n: u32) -> u32 {
    match n {
        0..70 => n + 2000,
        70..100 => n + 1900,
        _ => n,
    }
}

/// The set of a list.
fn set(parts: &[Part], field: Field) -> Result<u64, BadSchedule> {
    let mut set = 0;
    for part in parts {
        let last = part.last.unwrap_or(if part.step.is_some() { field.high } else { part.first });
        if part.last.is_none() && part.step.is_some_and(|step| field.high < part.first + step) {
            return Err(no_repetition(*part, field));
        }
        set |= steps(part.first, last, part.step.unwrap_or(1));
    }
    Ok(set)
}

fn no_repetition(part: Part, field: Field) -> BadSchedule {
    let message = format!("`{}/{}` in the {} does not repeat before it ends", part.first, part.step.unwrap_or(0), field.name);
    BadSchedule::new(message, format!("write `{}` alone, or a smaller repetition", part.first))
}

/// Days counted from the end: a range is stepped from its nearer day, and what only repeats goes towards the end, so that 7 with 3 are
/// the last day but six, the last but three and the last.
fn set_from_end(parts: &[Part]) -> Result<u64, BadSchedule> {
    let mut set = 0;
    for part in parts {
        set |= match (part.last, part.step) {
            (Some(last), step) => steps(part.first, last, step.unwrap_or(1)),
            (None, Some(step)) if part.first <= step => return Err(no_repetition(*part, FROM_END)),
            (None, Some(step)) => steps(part.first % step, part.first, step) & !1,
            (None, None) => 1 << part.first,
        };
    }
    Ok(set)
}

const YEAR: Field = Field { name: "year", low: YEARS.start().unsigned_abs() as u32, high: YEARS.end().unsigned_abs() as u32 };
const MONTH: Field = Field { name: "month", low: 1, high: 12 };
const DAY: Field = Field { name: "day of the month", low: 1, high: 31 };
const FROM_END: Field = Field { name: "day from the month's end", low: 1, high: FROM_END_MAX };
const HOUR: Field = Field { name: "hour", low: 0, high: 23 };
const MINUTE: Field = Field { name: "minute", low: 0, high: 59 };
const SECOND: Field = Field { name: "second", low: 0, high: 59 };

/// `year-month-day`, `month-day`, or either with `~` before the day.
fn read_date(text: &str, pattern: &mut Pattern) -> Result<(), BadSchedule> {
    let (front, day, is_from_end) = match (text.split_once('~'), text.rsplit_once('-')) {
        (Some((front, day)), _) => (front, day, true),
        (None, Some((front, day))) => (front, day, false),
        (None, None) => return Err(BadSchedule::new(format!("`{text}` is neither a date nor a time"), SHAPE)),
    };
    let (year, month) = front.split_once('-').unwrap_or(("*", front));
    if let Some(years) = parts(year, YEAR)? {
        pattern.years = years.iter().map(|part| years_of(*part)).collect();
    }
    if let Some(months) = parts(month, MONTH)? {
        pattern.months = set(&months, MONTH)?;
    }
    match parts(day, if is_from_end { FROM_END } else { DAY })? {
        Some(days) if is_from_end => (pattern.days, pattern.days_from_end) = (0, set_from_end(&days)?),
        Some(days) => pattern.days = set(&days, DAY)?,
        None => {}
    }
    Ok(())
}

fn years_of(part: Part) -> Years {
    // Both are within `YEARS`, far below what an i16 holds.
    let short = |n: u32| i16::try_from(n).unwrap_or(i16::MAX);
    let last = part.last.unwrap_or(if part.step.is_some() { YEAR.high } else { part.first });
    Years { first: short(part.first), last: short(last), step: short(part.step.unwrap_or(1)) }
}

/// `hour:minute` or `hour:minute:second`.
fn read_time(text: &str, pattern: &mut Pattern) -> Result<(), BadSchedule> {
    let fields: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match fields.as_slice() {
        [hour, minute] => (*hour, *minute, "0"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return Err(BadSchedule::new(format!("`{text}` is not a time"), "write hour, minute and perhaps second, such as `02:00`")),
    };
    let set_of = |text, field, all| parts(text, field)?.map_or(Ok(all), |parts| set(&parts, field));
    pattern.hours = set_of(hour, HOUR, ALL_HOURS)?;
    pattern.minutes = set_of(minute, MINUTE, ALL_SIXTY)?;
    pattern.seconds = set_of(second, SECOND, ALL_SIXTY)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::Schedule;
    use crate::model::schedule::members;

    fn list(set: u64) -> Vec<u32> {
        members(set).collect()
    }

    #[test]
    fn parts_become_sets() {
        let read = |text: &str| parse(text).expect(text).0;
        assert_eq!(list(read("Mon,Wed..Fri, 02:00").weekdays), [1, 3, 4, 5]);
        assert_eq!(list(read("Fri..Sun 02:00").weekdays), [0, 5, 6]);
        assert_eq!(list(read("*:0/15").minutes), [0, 15, 30, 45]);
        assert_eq!(list(read("8..18/4:00").hours), [8, 12, 16]);
        assert_eq!(list(read("*-*~07/3").days_from_end), [1, 4, 7]);
        assert_eq!(list(read("*-*~3..7").days_from_end), [3, 4, 5, 6, 7]);
        assert_eq!(list(read("*-*~3..7/2").days_from_end), [3, 5, 7]);
        assert_eq!(list(read("*-*~5..15/3").days_from_end), [5, 8, 11, 14]);
        assert_eq!(list(read("*-*~9/3").days_from_end), [3, 6, 9]);
        assert_eq!(list(read("2~1").months), [2]);
        assert_eq!(read("27-1-1").years, [Years { first: 2027, last: 2027, step: 1 }]);
        assert_eq!(read("2027-06-30T10:23"), read("2027-06-30 10:23:00"));
        assert_eq!(read("@1800000000"), read("2027-01-15 08:00:00"));
        assert_eq!(read("DAILY"), read("*-*-* 0:0"));
        assert_eq!(parse("daily Europe/Riga").expect("zone").1, Some(Zone::parse("Europe/Riga").expect("zone")));
    }

    #[test]
    fn what_systemd_refuses_is_refused_with_the_way_out() {
        for (text, message) in [
            ("", "a calendar event must not be empty"),
            ("Sun..Mon", "the weekdays `Sun..Mon` end before they begin"),
            ("Mon Tue", "`Tue` is not a time zone"),
            ("midnight", "`midnight` is neither a weekday nor a shorthand of systemd"),
            ("*/2 00:00", "`*/2` is neither a date nor a time"),
            ("*-*-*/2", "`*/2` in the day of the month repeats a star"),
            ("*-*-0/2", "0 is not a day of the month"),
            ("*-02~29", "29 is not a day from the month's end"),
            ("*-*~07..03", "the day from the month's end range `07..03` ends before it begins"),
            ("Mon..Tue,Thu 9", "`9` is neither a date nor a time"),
            ("2027-13-01", "13 is not a month"),
            ("24:00", "24 is not an hour"),
            ("5:60", "60 is not a minute"),
            ("*:59/30", "`59/30` in the minute does not repeat before it ends"),
            ("5/90:00", "90 is not a repetition"),
            ("0:0:0/0", "0 is not a repetition"),
            ("02:30:15.5", "`15.5` has a fraction"),
            ("1960-1-1", "1960 is not a year"),
            ("*-*-* 10..5:00", "the hour range `10..5` ends before it begins"),
            ("00:00,", "`` is not a minute"),
            ("10 10:00 UTC UTC", "`10 10:00 UTC UTC` has too many parts"),
            ("*-2-30", "`*-2-30` never happens: no month has such a day"),
        ] {
            let bad = Schedule::calendar(text, None).expect_err(text);
            assert_eq!(bad.message, message, "{text}");
            assert!(!bad.hint.is_empty());
        }
        let bad = Schedule::calendar("daily UTC", Some("Europe/Riga")).expect_err("two zones");
        assert_eq!(bad.message, "`daily UTC` says UTC and the monitor's time zone says Europe/Riga");
    }
}
