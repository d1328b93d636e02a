//! A schedule in words, for pages: `at 02:00 on Monday to Friday, Europe/Riga`.

use std::ops::RangeInclusive;

use crate::model::schedule::ALL_DAYS;
use crate::model::schedule::ALL_HOURS;
use crate::model::schedule::ALL_MONTHS;
use crate::model::schedule::ALL_SIXTY;
use crate::model::schedule::ALL_WEEKDAYS;
use crate::model::schedule::Join;
use crate::model::schedule::MONTHS;
use crate::model::schedule::Pattern;
use crate::model::schedule::Schedule;
use crate::model::schedule::Timed;
use crate::model::schedule::WEEKDAYS;
use crate::model::schedule::Years;
use crate::model::schedule::members;
use crate::model::time::spoken;

/// More times of a day than this are told as minutes of hours.
const TIMES_MAX: usize = 6;

/// The schedule in words.
#[must_use]
pub fn describe(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Interval(every) => format!("every {}", spoken(*every)),
        Schedule::Timed(timed) => timed_words(timed),
    }
}

fn timed_words(timed: &Timed) -> String {
    let mut words = times(&timed.pattern);
    for more in [days(&timed.pattern), months(&timed.pattern), years(&timed.pattern.years)] {
        if !more.is_empty() {
            words.push(' ');
            words.push_str(&more);
        }
    }
    format!("{words}, {}", timed.zone)
}

fn times(pattern: &Pattern) -> String {
    let (hours, minutes, seconds) = (list(pattern.hours), list(pattern.minutes), list(pattern.seconds));
    let is_any_hour = pattern.hours == ALL_HOURS;
    if hours.len() * minutes.len() * seconds.len() <= TIMES_MAX {
        let of_hour = |hour: &u32| minutes.iter().map(|minute| (*hour, *minute)).collect::<Vec<_>>();
        let of_minute = |(hour, minute): (u32, u32)| seconds.iter().map(move |second| clock(hour, minute, *second)).collect::<Vec<_>>();
        return format!("at {}", join(hours.iter().flat_map(of_hour).flat_map(of_minute), "and"));
    }
    let hour_words = if is_any_hour { String::new() } else { format!(" of {}", counted("hour", pattern.hours)) };
    let within = match (seconds.as_slice(), minutes.as_slice()) {
        ([0], [0]) if is_any_hour => return "every hour".to_owned(),
        ([0], [0]) if let Some(step) = step_of(&hours, 24) => return format!("every {step} hours"),
        ([0], [_]) if is_any_hour => return format!("at {} of every hour", counted("minute", pattern.minutes)),
        ([0], _) if pattern.minutes == ALL_SIXTY => "every minute".to_owned(),
        ([0], _) => match step_of(&minutes, 60) {
            Some(step) => format!("every {step} minutes"),
            None => format!("at {}", counted("minute", pattern.minutes)),
        },
        (_, _) if pattern.seconds == ALL_SIXTY && pattern.minutes == ALL_SIXTY => "every second".to_owned(),
        (_, _) if pattern.minutes == ALL_SIXTY => format!("at {} of every minute", counted("second", pattern.seconds)),
        (_, _) => format!("at {} of {}", counted("second", pattern.seconds), counted("minute", pattern.minutes)),
    };
    format!("{within}{hour_words}")
}

fn clock(hour: u32, minute: u32, second: u32) -> String {
    if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

/// The step of a set that begins with 0, has more than two members and goes evenly round.
fn step_of(set: &[u32], whole: u32) -> Option<u32> {
    let [0, step, _, ..] = set else { return None };
    let is_even = whole.is_multiple_of(*step) && (0..whole).step_by(*step as usize).eq(set.iter().copied());
    is_even.then_some(*step)
}

fn days(pattern: &Pattern) -> String {
    let weekdays = if pattern.weekdays == ALL_WEEKDAYS { None } else { Some(weekday_words(pattern.weekdays)) };
    let from_end = (pattern.days_from_end != 0).then(|| from_end(pattern.days_from_end));
    let days = if pattern.days == ALL_DAYS { None } else { from_end.or_else(|| Some(counted("day", pattern.days))) };
    match (days, weekdays) {
        (None, None) => String::new(),
        // Either is enough, and one of them is every day.
        (None, Some(_)) | (Some(_), None) if pattern.join == Join::Or => String::new(),
        (None, Some(weekdays)) => format!("on {weekdays}"),
        (Some(days), None) => format!("on {days} of the month"),
        (Some(days), Some(weekdays)) => match pattern.join {
            Join::And => format!("on {weekdays} if it is {days} of the month"),
            Join::Or => format!("on {days} of the month or on {weekdays}"),
        },
    }
}

fn from_end(set: u64) -> String {
    let one = |n: u32| match n {
        1 => "the last day".to_owned(),
        2 => "the last day but one".to_owned(),
        n => format!("the last day but {}", n - 1),
    };
    match runs(set).as_slice() {
        [run] if *run.start() == 1 && 1 < *run.end() => format!("one of the last {} days", run.end()),
        _ => join(list(set).into_iter().map(one), "or"),
    }
}

fn weekday_words(set: u64) -> String {
    // The week of people begins with Monday: Sunday is moved to the end.
    let from_monday = (set >> 1 | set << 6) & ALL_WEEKDAYS;
    let name = |n: u32| WEEKDAYS[(n as usize + 1) % 7].to_owned();
    ranges(from_monday, name)
}

fn months(pattern: &Pattern) -> String {
    if pattern.months == ALL_MONTHS {
        return String::new();
    }
    format!("in {}", ranges(pattern.months, |n| MONTHS[(n as usize + 11) % 12].to_owned()))
}

fn years(years: &[Years]) -> String {
    let one = |years: &Years| match (years.first == years.last, years.step) {
        (true, _) => years.first.to_string(),
        (false, 1) => format!("{} to {}", years.first, years.last),
        (false, step) => format!("every {step} years from {}", years.first),
    };
    if years.is_empty() { String::new() } else { format!("in {}", join(years.iter().map(one), "and")) }
}

/// `hour 2`, `hours 2 and 3`, `minutes 0 to 10`.
fn counted(noun: &str, set: u64) -> String {
    let plural = if set.count_ones() == 1 { "" } else { "s" };
    format!("{noun}{plural} {}", ranges(set, |n| n.to_string()))
}

/// Members of a set by their names, three or more in a row as a range.
fn ranges(set: u64, name: impl Fn(u32) -> String) -> String {
    let words = runs(set).into_iter().flat_map(|run| match run.end() - run.start() {
        0 => vec![name(*run.start())],
        1 => vec![name(*run.start()), name(*run.end())],
        _ => vec![format!("{} to {}", name(*run.start()), name(*run.end()))],
    });
    join(words, "and")
}

fn runs(set: u64) -> Vec<RangeInclusive<u32>> {
    let mut runs: Vec<RangeInclusive<u32>> = Vec::new();
    for n in members(set) {
        match runs.last_mut() {
            Some(run) if *run.end() + 1 == n => *run = *run.start()..=n,
            Some(_) | None => runs.push(n..=n),
        }
    }
    runs
}

fn list(set: u64) -> Vec<u32> {
    members(set).collect()
}

fn join(words: impl IntoIterator<Item = String>, last: &str) -> String {
    let mut words: Vec<String> = words.into_iter().collect();
    match (words.pop(), words.is_empty()) {
        (None, _) => String::new(),
        (Some(word), true) => word,
        (Some(word), false) => format!("{} {last} {word}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::schedule::CronRules;

    #[test]
    fn schedules_read_like_sentences() {
        for (text, words) in [
            ("0 2 * * 1-5", "at 02:00 on Monday to Friday, Europe/Riga"),
            ("*/15 * * * *", "every 15 minutes, Europe/Riga"),
            ("* * * * *", "every minute, Europe/Riga"),
            ("0 * * * *", "every hour, Europe/Riga"),
            ("15 * * * *", "at minute 15 of every hour, Europe/Riga"),
            ("0 */2 * * *", "every 2 hours, Europe/Riga"),
            ("15,45 2 * * *", "at 02:15 and 02:45, Europe/Riga"),
            ("*/5 2-4 * * *", "every 5 minutes of hours 2 to 4, Europe/Riga"),
            ("0 0 13 * 5", "at 00:00 on day 13 of the month or on Friday, Europe/Riga"),
            ("0 0 */10 * 1", "at 00:00 on Monday if it is days 1, 11, 21 and 31 of the month, Europe/Riga"),
            ("0 22 * * TUE", "at 22:00 on Tuesday, Europe/Riga"),
            ("0 0 1 1,7 *", "at 00:00 on day 1 of the month in January and July, Europe/Riga"),
            ("30 6 * * 0,6", "at 06:30 on Saturday and Sunday, Europe/Riga"),
        ] {
            let schedule = Schedule::cron(text, Some("Europe/Riga"), CronRules::Vixie).expect(text);
            assert_eq!(describe(&schedule), words, "{text}");
        }
        for (text, words) in [
            ("Mon..Fri 02:00", "at 02:00 on Monday to Friday, UTC"),
            ("*-*~01 Europe/Riga", "at 00:00 on the last day of the month, Europe/Riga"),
            ("Mon *-05~07/1 10:00", "at 10:00 on Monday if it is one of the last 7 days of the month in May, UTC"),
            ("2027..2030-01-01", "at 00:00 on day 1 of the month in January in 2027 to 2030, UTC"),
            ("*:*:0/20", "at seconds 0, 20 and 40 of every minute, UTC"),
        ] {
            assert_eq!(describe(&Schedule::calendar(text, None).expect(text)), words, "{text}");
        }
        assert_eq!(describe(&Schedule::Interval(Duration::from_secs(86_400))), "every 1 d");
    }
}
