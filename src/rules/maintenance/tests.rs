use std::sync::Arc;

use super::*;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::schedule::Zone;

const HOUR: Duration = Duration::from_secs(3600);

fn cron(text: &str, zone: &str, lasts: Duration) -> When {
    match Schedule::cron(text, Some(zone), CronRules::Vixie).expect("a schedule") {
        Schedule::Timed(timed) => When::Cron(timed, lasts),
        Schedule::Interval(_) => panic!("a cron expression is no interval"),
    }
}

fn rule(text: &str, start: &str, zone: &str, lasts: Duration) -> When {
    let zone = Zone::parse(zone).expect("a zone");
    When::Rule(Arc::new(Recurrence::parse(text, start.parse().expect("a time"), zone).expect("a rule")), lasts)
}

fn at(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
}

#[track_caller]
fn assert_spans(when: &When, from: &str, expected: &[(&str, &str)]) {
    let found = spans(when, at(from), UnixMillis(i64::MAX), expected.len());
    let found: Vec<(String, String)> = found.iter().map(|span| (span.from.rfc3339(), span.to.rfc3339())).collect();
    let expected: Vec<(String, String)> = expected.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_window_holds_its_beginning_and_not_its_end() {
    let tuesdays = cron("0 22 * * TUE", "UTC", 2 * HOUR);
    let expected = ("2026-06-30T22:00:00Z", "2026-07-01T00:00:00Z");
    let next = ("2026-07-07T22:00:00Z", "2026-07-08T00:00:00Z");
    for inside in ["2026-06-30T12:00:00Z", "2026-06-30T22:00:00Z", "2026-06-30T23:59:59.999Z"] {
        assert_spans(&tuesdays, inside, &[expected, next]);
    }
    assert_spans(&tuesdays, "2026-07-01T00:00:00Z", &[next]);
    let span = span(&tuesdays, at("2026-06-30T22:30:00Z")).expect("a window");
    assert!(span.holds(span.from) && !span.holds(span.to));
}

#[test]
fn a_rule_and_a_cron_expression_for_the_same_times_agree() {
    let by_cron = cron("30 22 * * 2", "Europe/Riga", 90 * HOUR / 60);
    let by_rule = rule("FREQ=WEEKLY;BYDAY=TU", "2026-01-06T22:30:00", "Europe/Riga", 90 * HOUR / 60);
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
    let found = spans(&by_cron, from, until, 1000);
    assert_eq!(found, spans(&by_rule, from, until, 1000));
    assert_eq!(found.len(), 104);
}

#[test]
fn a_beginning_that_the_clock_skips_is_right_after_the_gap() {
    for when in [cron("30 3 29 3 *", "Europe/Riga", HOUR), rule("FREQ=YEARLY", "2026-03-29T03:30:00", "Europe/Riga", HOUR)] {
        assert_spans(&when, "2026-03-01T00:00:00Z", &[("2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z")]);
    }
}

#[test]
fn a_beginning_that_the_clock_shows_twice_is_the_first_and_only_that() {
    for when in [cron("30 3 * * *", "Europe/Riga", HOUR), rule("FREQ=DAILY", "2026-01-01T03:30:00", "Europe/Riga", HOUR)] {
        let expected = [
            ("2026-10-24T00:30:00Z", "2026-10-24T01:30:00Z"),
            ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("2026-10-26T01:30:00Z", "2026-10-26T02:30:00Z"),
        ];
        assert_spans(&when, "2026-10-24T00:00:00Z", &expected);
    }
}

#[test]
fn a_window_lasts_as_long_as_it_says_whatever_the_clock_does() {
    // From 22:00 to 6:00 by the clock on the wall that is seven hours in spring and nine in autumn.
    let nights = cron("0 22 * * SAT", "Europe/Riga", 8 * HOUR);
    assert_spans(&nights, "2026-03-28T12:00:00Z", &[("2026-03-28T20:00:00Z", "2026-03-29T04:00:00Z")]);
    assert_spans(&nights, "2026-10-24T12:00:00Z", &[("2026-10-24T19:00:00Z", "2026-10-25T03:00:00Z")]);
}

#[test]
fn windows_that_came_once_or_so_often_are_over() {
    let once = When::Once(Span { from: UnixMillis(1000), to: UnixMillis(2000) }, Zone::utc());
    assert_eq!(span(&once, UnixMillis(0)), span(&once, UnixMillis(1999)));
    assert_eq!(span(&once, UnixMillis(2000)), None);
    let twice = rule("FREQ=DAILY;COUNT=2", "2026-01-01T10:00:00", "UTC", HOUR);
    let all = spans(&twice, UnixMillis(0), UnixMillis(i64::MAX), 10);
    assert_eq!(all.iter().map(|span| span.from.rfc3339()).collect::<Vec<_>>(), ["2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"]);
    assert_eq!(span(&twice, at("2026-01-02T11:00:00Z")), None);
    assert_eq!(spans(&twice, UnixMillis(0), at("2026-01-02T10:00:00Z"), 10).len(), 1, "what begins at the end is left out");
}
