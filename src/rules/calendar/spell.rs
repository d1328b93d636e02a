//! How cron and systemd write a schedule, for whoever has to run what a heartbeat expects.

use std::fmt::Write as _;
use std::time::Duration;

use crate::model::schedule::ALL_DAYS;
use crate::model::schedule::ALL_HOURS;
use crate::model::schedule::ALL_MONTHS;
use crate::model::schedule::ALL_SIXTY;
use crate::model::schedule::ALL_WEEKDAYS;
use crate::model::schedule::Join;
use crate::model::schedule::Pattern;
use crate::model::schedule::Schedule;
use crate::model::schedule::Years;
use crate::model::schedule::members;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Five fields of a crontab that happen exactly when the schedule does, by a clock in its zone; for an interval, fields that happen as
/// often. `None` for what cron has no words for.
#[must_use]
pub fn crontab(schedule: &Schedule) -> Option<String> {
    match schedule {
        Schedule::Interval(every) => often(*every),
        // Five words are cron's own; they may say what the pattern alone does not tell, such as `*/2` beside a weekday.
        Schedule::Timed(timed) if timed.text.split_whitespace().count() == 5 => Some(timed.text.clone()),
        Schedule::Timed(timed) => fields(&timed.pattern),
    }
}

/// Lines of the section `[Timer]` that start a job as the schedule expects it; one of them is enough for it to start.
#[must_use]
pub fn timer(schedule: &Schedule) -> Vec<String> {
    match schedule {
        Schedule::Interval(every) => {
            // Under a second, systemd's own accuracy is coarser than what is asked for.
            let seconds = every.as_secs().max(1);
            vec!["OnActiveSec=0".to_owned(), format!("OnUnitActiveSec={seconds}s")]
        }
        Schedule::Timed(timed) => {
            let zone = timed.zone.to_string();
            events(&timed.pattern).into_iter().map(|event| format!("OnCalendar={event} {zone}")).collect()
        }
    }
}

/// An interval that divides an hour, a day or is a week: the same times every time, so that the gaps are equal.
fn often(every: Duration) -> Option<String> {
    let seconds = every.as_secs();
    match seconds {
        _ if every.subsec_nanos() != 0 || !seconds.is_multiple_of(MINUTE) || seconds == 0 => None,
        HOUR => Some("0 * * * *".to_owned()),
        DAY => Some("0 2 * * *".to_owned()),
        _ if seconds == 7 * DAY => Some("0 2 * * 0".to_owned()),
        MINUTE => Some("* * * * *".to_owned()),
        _ if HOUR.is_multiple_of(seconds) => Some(format!("*/{} * * * *", seconds / MINUTE)),
        _ if DAY.is_multiple_of(seconds) && seconds.is_multiple_of(HOUR) => Some(format!("0 */{} * * *", seconds / HOUR)),
        _ => None,
    }
}

fn fields(pattern: &Pattern) -> Option<String> {
    let restricts_days = pattern.days != ALL_DAYS;
    let restricts_weekdays = pattern.weekdays != ALL_WEEKDAYS;
    // Two fields that are restricted mean "either" to cron.
    let can_join = pattern.join == Join::Or || !(restricts_days && restricts_weekdays);
    if !pattern.years.is_empty() || pattern.days_from_end != 0 || pattern.seconds != 1 || !can_join {
        return None;
    }
    let field = |set: u64, all: u64| if set == all { "*".to_owned() } else { ranges(set, "-") };
    Some(format!(
        "{} {} {} {} {}",
        field(pattern.minutes, ALL_SIXTY),
        field(pattern.hours, ALL_HOURS),
        field(pattern.days, ALL_DAYS),
        field(pattern.months, ALL_MONTHS),
        field(pattern.weekdays, ALL_WEEKDAYS),
    ))
}

/// Calendar events of systemd that together happen when the pattern does.
fn events(pattern: &Pattern) -> Vec<String> {
    let years = years(pattern);
    let months = if pattern.months == ALL_MONTHS { "*".to_owned() } else { ranges(pattern.months, "..") };
    let time = time(pattern);
    let weekdays = if pattern.weekdays == ALL_WEEKDAYS { String::new() } else { format!("{} ", weekdays(pattern.weekdays)) };
    let day = |mark: char, days: &str, weekdays: &str| format!("{weekdays}{years}-{months}{mark}{days} {time}");
    let mut days = Vec::new();
    if pattern.days == ALL_DAYS {
        days.push(('-', "*".to_owned()));
    } else if pattern.days != 0 {
        days.push(('-', ranges(pattern.days, "..")));
    }
    if pattern.days_from_end != 0 {
        days.push(('~', list(pattern.days_from_end)));
    }
    match pattern.join {
        Join::Or if pattern.days != ALL_DAYS && pattern.weekdays != ALL_WEEKDAYS => {
            let mut events: Vec<String> = days.iter().map(|(mark, days)| day(*mark, days, "")).collect();
            events.push(day('-', "*", &weekdays));
            events
        }
        // A field of cron that is not restricted restricts nothing, whatever the other says.
        Join::Or | Join::And => days.iter().map(|(mark, days)| day(*mark, days, &weekdays)).collect(),
    }
}

fn years(pattern: &Pattern) -> String {
    let one = |years: &Years| match (years.first == years.last, years.step) {
        (true, _) => years.first.to_string(),
        (false, 1) => format!("{}..{}", years.first, years.last),
        (false, step) => format!("{}..{}/{step}", years.first, years.last),
    };
    if pattern.years.is_empty() { "*".to_owned() } else { pattern.years.iter().map(one).collect::<Vec<_>>().join(",") }
}

fn time(pattern: &Pattern) -> String {
    let field = |set: u64, all: u64| if set == all { "*".to_owned() } else { padded(set) };
    format!("{}:{}:{}", field(pattern.hours, ALL_HOURS), field(pattern.minutes, ALL_SIXTY), field(pattern.seconds, ALL_SIXTY))
}

fn weekdays(set: u64) -> String {
    // Their week begins on Monday.
    let set = if set & 1 == 1 { set & !1 | 1 << 7 } else { set };
    let name = |n: u32| WEEKDAYS.get(n as usize % WEEKDAYS.len()).copied().unwrap_or_default().to_owned();
    ranges_of(set, "..", name)
}

fn list(set: u64) -> String {
    members(set).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
}

fn padded(set: u64) -> String {
    members(set).map(|n| format!("{n:02}")).collect::<Vec<_>>().join(",")
}

/// The members of a set; three and more in a row as their first and last.
fn ranges(set: u64, to: &str) -> String {
    ranges_of(set, to, |n| n.to_string())
}

fn ranges_of(set: u64, to: &str, name: impl Fn(u32) -> String) -> String {
    let mut out = String::new();
    let mut rest = members(set).peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| *next == last + 1) {
            last = next;
        }
        let comma = if out.is_empty() { "" } else { "," };
        // Writing to a text cannot fail.
        let _ = match last - first {
            0 => write!(out, "{comma}{}", name(first)),
            1 => write!(out, "{comma}{},{}", name(first), name(last)),
            _ => write!(out, "{comma}{}{to}{}", name(first), name(last)),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::CronRules;
    use crate::model::time::UnixMillis;
    use crate::rules::calendar::next;

    fn cron(text: &str) -> Schedule {
        Schedule::cron(text, Some("Europe/Riga"), CronRules::Vixie).expect("a cron expression")
    }

    fn calendar(text: &str) -> Schedule {
        Schedule::calendar(text, Some("Europe/Riga")).expect("a calendar event")
    }

    #[test]
    fn intervals_that_cron_can_say_are_said_and_no_others() {
        let of = |seconds| crontab(&Schedule::interval(Duration::from_secs(seconds)).expect("an interval"));
        let said = [(60, "* * * * *"), (300, "*/5 * * * *"), (3600, "0 * * * *"), (6 * 3600, "0 */6 * * *"), (86_400, "0 2 * * *")];
        for (seconds, text) in said {
            assert_eq!(of(seconds).as_deref(), Some(text));
        }
        assert_eq!(of(7 * 86_400).as_deref(), Some("0 2 * * 0"));
        for seconds in [30, 90, 7 * 60, 5400, 5 * 3600, 2 * 86_400] {
            assert_eq!(of(seconds), None, "{seconds}");
        }
    }

    #[test]
    fn what_is_spelled_happens_when_the_schedule_does() {
        let schedules = [
            cron("@weekly"),
            cron("0 2 * * *"),
            cron("0 0 */2 * 1"),
            cron("*/15 8-17 * * 1-5"),
            cron("30 4 1,15 * 5"),
            cron("0 0 29 2 *"),
            cron("5,6 * 10-12 1-3 *"),
            calendar("Mon..Fri 02:00"),
            calendar("*-*~01 03:30:15"),
            calendar("2027..2199/2-01,07-01 *:0/20"),
            calendar("Sat *-*-1..7 12:00"),
            calendar("Sun,Mon,Wed *:30"),
        ];
        let mut n_in_cron = 0;
        for schedule in schedules {
            let mut others: Vec<Vec<Schedule>> = Vec::new();
            if let Some(text) = crontab(&schedule) {
                others.push(vec![cron(&text)]);
                n_in_cron += 1;
            }
            let parse = |line: String| Schedule::calendar(line.strip_prefix("OnCalendar=").expect("an event"), None).expect(&line);
            others.push(timer(&schedule).into_iter().map(parse).collect());
            for other in others {
                // Far from changes of the clock, at which cron and systemd differ.
                let mut at = UnixMillis(1_800_000_000_000);
                for _ in 0..40 {
                    let expected = next_of(&schedule, at);
                    let spelled = other.iter().map(|schedule| next_of(schedule, at)).min().expect("one at least");
                    assert_eq!(expected, spelled, "{schedule} as {other:?}");
                    at = expected;
                }
            }
        }
        assert_eq!(n_in_cron, 9);
    }

    fn next_of(schedule: &Schedule, at: UnixMillis) -> UnixMillis {
        match schedule {
            Schedule::Timed(timed) => next(timed, at).expect("it happens again"),
            Schedule::Interval(every) => at + *every,
        }
    }

    #[test]
    fn an_interval_is_counted_by_a_timer() {
        let every = Schedule::interval(Duration::from_secs(5400)).expect("an interval");
        assert_eq!(timer(&every), ["OnActiveSec=0", "OnUnitActiveSec=5400s"]);
    }
}
