//! Cron expressions: five fields, read by the rules of Debian's cron or of Kubernetes.
//!
//! The two differ in more than daylight saving: in `?`, in weekday 7, in `5/15`, and in what a star with a step means for a day field.
//! Texts that either of them would read as something else than it says are refused rather than guessed at.

use crate::model::schedule::ALL_DAYS;
use crate::model::schedule::ALL_HOURS;
use crate::model::schedule::ALL_MONTHS;
use crate::model::schedule::ALL_WEEKDAYS;
use crate::model::schedule::BadSchedule;
use crate::model::schedule::CronRules;
use crate::model::schedule::Daylight;
use crate::model::schedule::Fold;
use crate::model::schedule::Gap;
use crate::model::schedule::Join;
use crate::model::schedule::MONTHS;
use crate::model::schedule::Pattern;
use crate::model::schedule::WEEKDAYS;
use crate::model::schedule::steps;
use crate::model::schedule::with_article;

/// One of the five.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Full names, of which the first three letters count; the first stands for `low`.
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", low: 0, high: 59, names: &[] };
const HOUR: Field = Field { name: "hour", low: 0, high: 23, names: &[] };
const DAY: Field = Field { name: "day of the month", low: 1, high: 31, names: &[] };
const MONTH: Field = Field { name: "month", low: 1, high: 12, names: &MONTHS };
const WEEKDAY: Field = Field { name: "weekday", low: 0, high: 7, names: &WEEKDAYS };

/// What a field says.
struct Value {
    set: u64,
    /// It begins with a star, which is what Debian's cron goes by.
    begins_with_star: bool,
    /// It is a star without a step, which is what Kubernetes goes by.
    is_unrestricted: bool,
}

/// Reads an expression.
pub(crate) fn parse(text: &str, rules: CronRules) -> Result<(Pattern, Daylight), BadSchedule> {
    let text = text.trim();
    if let Some(word) = text.strip_prefix('@') {
        return parse(expand(word)?, rules);
    }
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        return Err(BadSchedule::new(
            format!("`{text}` names its time zone itself"),
            "write the zone as `timezone:` beside the expression",
        ));
    }
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else {
        return Err(wrong_count(text, fields.len()));
    };
    let minute = field(minute, &MINUTE, rules)?;
    let hour = field(hour, &HOUR, rules)?;
    let day = field(day, &DAY, rules)?;
    let month = field(month, &MONTH, rules)?;
    let weekday = field(weekday, &WEEKDAY, rules)?;
    let (is_and, is_fixed) = match rules {
        CronRules::Vixie => (day.begins_with_star || weekday.begins_with_star, !minute.begins_with_star && !hour.begins_with_star),
        CronRules::Kubernetes => (day.is_unrestricted || weekday.is_unrestricted, false),
    };
    let pattern = Pattern {
        years: Vec::new(),
        months: month.set & ALL_MONTHS,
        days: day.set & ALL_DAYS,
        days_from_end: 0,
        // Sunday is both 0 and 7.
        weekdays: (weekday.set | weekday.set >> 7 & 1) & ALL_WEEKDAYS,
        join: if is_and { Join::And } else { Join::Or },
        hours: hour.set & ALL_HOURS,
        minutes: minute.set,
        seconds: 1,
    };
    let daylight = if is_fixed { Daylight { gap: Gap::CatchUp, fold: Fold::Once } } else { Daylight { gap: Gap::Skip, fold: Fold::Both } };
    Ok((pattern, daylight))
}

fn expand(word: &str) -> Result<&'static str, BadSchedule> {
    match word.split_ascii_whitespace().next().unwrap_or_default() {
        "yearly" | "annually" => Ok("0 0 1 1 *"),
        "monthly" => Ok("0 0 1 * *"),
        "weekly" => Ok("0 0 * * 0"),
        "daily" | "midnight" => Ok("0 0 * * *"),
        "hourly" => Ok("0 * * * *"),
        "every" => Err(BadSchedule::new(
            format!("`@{word}` counts from a moment that only the scheduler knows"),
            "write `interval:` instead of `cron:`",
        )),
        "reboot" => {
            Err(BadSchedule::new("nobody can tell when `@reboot` is due", "write the longest time between two pings as `interval:`"))
        }
        _ => Err(BadSchedule::new(
            format!("`@{word}` is not a shorthand of cron"),
            "use `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` or five fields",
        )),
    }
}

fn wrong_count(text: &str, n: usize) -> BadSchedule {
    let message = format!("`{text}` has {n} field{}, a cron expression has five", if n == 1 { "" } else { "s" });
    let hint = match n {
        6 => "leave out the seconds, or the command if this is a line of a crontab",
        7.. => "copy only the first five fields of a crontab's line",
        _ => "write minute, hour, day of the month, month and weekday, such as `0 2 * * *`",
    };
    BadSchedule::new(message, hint)
}

fn field(text: &str, field: &Field, rules: CronRules) -> Result<Value, BadSchedule> {
    let mut value = Value { set: 0, begins_with_star: text.starts_with('*'), is_unrestricted: false };
    for part in text.split(',') {
        let (set, is_unrestricted) = item(part, field, rules)?;
        value.set |= set;
        value.is_unrestricted |= is_unrestricted;
    }
    Ok(value)
}

/// One element of a list: the set it stands for, and whether it is a star without a step.
fn item(text: &str, field: &Field, rules: CronRules) -> Result<(u64, bool), BadSchedule> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(step_of(step, field)?)),
        None => (text, None),
    };
    // Kubernetes counts weekdays to 6, so that a stepped star and `5/2` end there too.
    let high = if rules == CronRules::Kubernetes && field.name == WEEKDAY.name { 6 } else { field.high };
    if range == "*" || range == "?" {
        if range == "?" && rules == CronRules::Vixie {
            return Err(BadSchedule::new("Debian's cron does not know `?`", "write `*`, or `rules: kubernetes` if a CronJob says so"));
        }
        return Ok((steps(field.low, high, step.unwrap_or(1)), step.unwrap_or(1) == 1));
    }
    let (first, last) = match range.split_once('-') {
        Some((from, to)) => {
            let (first, last) = (number(from, field, rules)?, number(to, field, rules)?);
            if last < first {
                let message = format!("the {} range `{range}` ends before it begins", field.name);
                return Err(BadSchedule::new(message, out_of_order(from, to, field)));
            }
            (first, last)
        }
        None => {
            let first = number(range, field, rules)?;
            if step.is_some() && rules == CronRules::Vixie {
                let message = format!("Debian's cron reads `{text}` as `{range}`");
                return Err(BadSchedule::new(message, format!("write `{range}-{}/{}`", field.high, step.unwrap_or(1))));
            }
            (first, if step.is_some() { high } else { first })
        }
    };
    Ok((steps(first, last, step.unwrap_or(1)), false))
}

fn out_of_order(first: &str, last: &str, field: &Field) -> String {
    // Only names: counted in numbers, the week ends with 7.
    if field.name == WEEKDAY.name && last.eq_ignore_ascii_case("sun") {
        return "the week begins with Sunday here: count in numbers, where Sunday is also 7".to_owned();
    }
    let high = if field.name == WEEKDAY.name { 6 } else { field.high };
    format!("write `{first}-{high},{}-{last}` if it goes over the end, or swap the two", field.low)
}

fn step_of(text: &str, field: &Field) -> Result<u32, BadSchedule> {
    match text.parse::<u32>() {
        Ok(0) => Err(BadSchedule::new(format!("a step of 0 in the {} field would never move on", field.name), "use 1 or more")),
        Ok(step) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(step.min(u32::from(u8::MAX))),
        Ok(_) | Err(_) => {
            Err(BadSchedule::new(format!("the step `{text}` in the {} field is not a number", field.name), "write a step such as `*/15`"))
        }
    }
}

fn number(text: &str, field: &Field, rules: CronRules) -> Result<u32, BadSchedule> {
    let named = (field.low..).zip(field.names).find(|(_, name)| name[..3].eq_ignore_ascii_case(text));
    if let Some((n, _)) = named {
        return Ok(n);
    }
    if text.is_empty() {
        return Err(BadSchedule::new(
            format!("the {} field has an empty part", field.name),
            "leave out the comma or dash that stands alone",
        ));
    }
    let Some(n) = text.parse::<u32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())) else {
        return Err(not_a_number(text, field));
    };
    if rules == CronRules::Kubernetes && field.name == WEEKDAY.name && n == 7 {
        return Err(BadSchedule::new("Kubernetes has no weekday 7", "write `0` for Sunday"));
    }
    if (field.low..=field.high).contains(&n) {
        return Ok(n);
    }
    let message = format!("{n} is not {}", with_article(field.name));
    Err(BadSchedule::new(message, format!("use {} to {}", field.low, field.high)))
}

fn not_a_number(text: &str, field: &Field) -> BadSchedule {
    let message = format!("`{text}` is not {}", with_article(field.name));
    let hint = if text.contains(['L', 'W', '#']) {
        "cron has no last day, nearest workday or n-th weekday: use `calendar:`, such as `*-*~01` for the last day of each month".to_owned()
    } else if text.contains('~') {
        "random times cannot be watched by a schedule: use `interval:`".to_owned()
    } else if field.names.is_empty() {
        format!("use {} to {}, lists, ranges, or `*`", field.low, field.high)
    } else {
        let short = |name: &&str| name[..3].to_ascii_lowercase();
        let (first, last) = (field.names.first().map(short), field.names.last().map(short));
        format!("use {} to {}, or names such as `{}` and `{}`", field.low, field.high, first.unwrap_or_default(), last.unwrap_or_default())
    };
    BadSchedule::new(message, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schedule::Schedule;

    use CronRules::Kubernetes;
    use CronRules::Vixie;

    /// Text, rules, what is said, the way out.
    const REFUSED: &[(&str, CronRules, &str, &str)] = &[
        ("0 0 30 2 *", Vixie, "`0 0 30 2 *` never happens: no month has such a day", "correct the day or the month"),
        ("0 0 31 4,6,9,11 *", Kubernetes, "`0 0 31 4,6,9,11 *` never happens: no month has such a day", "correct the day or the month"),
        ("0 0 * * 7", Kubernetes, "Kubernetes has no weekday 7", "write `0` for Sunday"),
        ("0 0 * * 8", Vixie, "8 is not a weekday", "use 0 to 7"),
        ("60 * * * *", Vixie, "60 is not a minute", "use 0 to 59"),
        ("0 24 * * *", Vixie, "24 is not an hour", "use 0 to 23"),
        ("0 0 0 * *", Vixie, "0 is not a day of the month", "use 1 to 31"),
        ("0 0 * FOO *", Vixie, "`FOO` is not a month", "use 1 to 12, or names such as `jan` and `dec`"),
        (
            "0 0 * * fri-mon",
            Vixie,
            "the weekday range `fri-mon` ends before it begins",
            "write `fri-6,0-mon` if it goes over the end, or swap the two",
        ),
        (
            "0 0 * * sat-sun",
            Vixie,
            "the weekday range `sat-sun` ends before it begins",
            "the week begins with Sunday here: count in numbers, where Sunday is also 7",
        ),
        (
            "30-10 * * * *",
            Vixie,
            "the minute range `30-10` ends before it begins",
            "write `30-59,0-10` if it goes over the end, or swap the two",
        ),
        ("*/0 * * * *", Vixie, "a step of 0 in the minute field would never move on", "use 1 or more"),
        ("*/x * * * *", Vixie, "the step `x` in the minute field is not a number", "write a step such as `*/15`"),
        ("5/15 * * * *", Vixie, "Debian's cron reads `5/15` as `5`", "write `5-59/15`"),
        ("1,,2 * * * *", Vixie, "the minute field has an empty part", "leave out the comma or dash that stands alone"),
        ("+1 * * * *", Vixie, "`+1` is not a minute", "use 0 to 59, lists, ranges, or `*`"),
        ("? * * * *", Vixie, "Debian's cron does not know `?`", "write `*`, or `rules: kubernetes` if a CronJob says so"),
        (
            "0 0 L * *",
            Vixie,
            "`L` is not a day of the month",
            "cron has no last day, nearest workday or n-th weekday: use `calendar:`, such as `*-*~01` for the last day of each month",
        ),
        (
            "0 2 * *",
            Vixie,
            "`0 2 * *` has 4 fields, a cron expression has five",
            "write minute, hour, day of the month, month and weekday, such as `0 2 * * *`",
        ),
        (
            "0 0 2 * * *",
            Vixie,
            "`0 0 2 * * *` has 6 fields, a cron expression has five",
            "leave out the seconds, or the command if this is a line of a crontab",
        ),
        (
            "CRON_TZ=UTC 0 2 * * *",
            Kubernetes,
            "`CRON_TZ=UTC 0 2 * * *` names its time zone itself",
            "write the zone as `timezone:` beside the expression",
        ),
        ("@every 1h", Kubernetes, "`@every 1h` counts from a moment that only the scheduler knows", "write `interval:` instead of `cron:`"),
        ("@reboot", Vixie, "nobody can tell when `@reboot` is due", "write the longest time between two pings as `interval:`"),
        (
            "@often",
            Vixie,
            "`@often` is not a shorthand of cron",
            "use `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` or five fields",
        ),
    ];

    #[test]
    fn what_is_wrong_is_said_in_a_sentence_with_the_way_out() {
        for (text, rules, message, hint) in REFUSED {
            let bad = Schedule::cron(text, None, *rules).expect_err(text);
            assert_eq!((bad.message.as_str(), bad.hint.as_str()), (*message, *hint), "{text}");
        }
        let bad = Schedule::cron("0 2 * * *", Some("Europe/Rigga"), Vixie).expect_err("no such zone");
        assert_eq!(bad.to_string(), "`Europe/Rigga` is not a time zone");
    }

    #[test]
    fn both_spellings_of_sunday_and_names_in_any_case_are_read() {
        let weekdays = |text, rules| parse(text, rules).expect(text).0.weekdays;
        assert_eq!(weekdays("0 0 * * 5-7", CronRules::Vixie), 0b110_0001);
        assert_eq!(weekdays("0 0 * * Mon-FRI", CronRules::Kubernetes), 0b011_1110);
        assert_eq!(weekdays("0 0 ? * 5/1", CronRules::Kubernetes), 0b110_0000);
        assert_eq!(weekdays("0 0 * * *", CronRules::Vixie), ALL_WEEKDAYS);
        assert_eq!(parse("0 0 1 jan,DEC *", CronRules::Vixie).expect("names").0.months, 1 << 1 | 1 << 12);
    }

    #[test]
    fn the_shortest_gap_looks_over_midnight() {
        let gap = |text| Schedule::cron(text, None, CronRules::Vixie).expect(text).shortest_gap().as_secs();
        assert_eq!(gap("*/15 * * * *"), 900);
        assert_eq!(gap("0 2 * * *"), 86_400);
        assert_eq!(gap("0,58 0,23 * * *"), 120);
        assert_eq!(gap("0,58 0,23 * * 1"), 3480, "never two days in a row");
        assert_eq!(gap("7,45 * * * *"), 1320);
    }
}
