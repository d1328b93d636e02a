use super::*;

fn rule(text: &str, start: &str) -> Recurrence {
    Recurrence::parse(text, start.parse().expect("a time"), Zone::utc()).expect("a rule")
}

/// The first `n` dates of a rule, as text.
fn first(text: &str, start: &str, n: usize) -> Vec<String> {
    rule(text, start).occurrences().take(n).map(|time| time.date().to_string()).collect()
}

#[track_caller]
fn assert_dates(text: &str, start: &str, expected: &str) {
    let expected: Vec<&str> = expected.split_ascii_whitespace().collect();
    assert_eq!(first(text, start, expected.len()), expected, "{text}");
}

/// As many times as there are, and no more.
#[track_caller]
fn assert_all(text: &str, start: &str, expected: &str) {
    assert_eq!(first(text, start, 1000).join(" "), expected.split_ascii_whitespace().collect::<Vec<_>>().join(" "), "{text}");
}

#[track_caller]
fn assert_refused(text: &str, message: &str) {
    let refused = Recurrence::parse(text, "2026-01-06T22:00:00".parse().expect("a time"), Zone::utc()).expect_err("not a rule");
    assert_eq!(refused.message, message);
    assert!(!refused.hint.is_empty(), "{text}: the way out is missing");
}

const START: &str = "1997-09-02T09:00:00";

/// The examples of RFC 5545, 3.8.5.3, that name days.
#[test]
fn the_examples_of_the_rfc_come_out() {
    assert_all(
        "FREQ=DAILY;COUNT=10",
        START,
        "1997-09-02 1997-09-03 1997-09-04 1997-09-05 1997-09-06 1997-09-07 1997-09-08 1997-09-09 1997-09-10 1997-09-11",
    );
    let until = first("FREQ=DAILY;UNTIL=19971224T000000Z", START, 1000);
    assert_eq!((until.len(), until.last().map(String::as_str)), (113, Some("1997-12-23")));
    assert_dates("FREQ=DAILY;INTERVAL=2", START, "1997-09-02 1997-09-04 1997-09-06 1997-09-08");
    assert_all("FREQ=DAILY;INTERVAL=10;COUNT=5", START, "1997-09-02 1997-09-12 1997-09-22 1997-10-02 1997-10-12");
    let january = first("FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "1998-01-01T09:00:00", 1000);
    assert_eq!(january, first("FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "1998-01-01T09:00:00", 1000));
    assert_eq!((january.len(), january.last().map(String::as_str)), (93, Some("2000-01-31")));
    assert_all(
        "FREQ=WEEKLY;COUNT=10",
        START,
        "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 1997-10-07 1997-10-14 1997-10-21 1997-10-28 1997-11-04",
    );
    assert_dates("FREQ=WEEKLY;INTERVAL=2;WKST=SU", START, "1997-09-02 1997-09-16 1997-09-30 1997-10-14 1997-10-28 1997-11-11");
    let five_weeks = "1997-09-02 1997-09-04 1997-09-09 1997-09-11 1997-09-16 1997-09-18 1997-09-23 1997-09-25 1997-09-30 1997-10-02";
    assert_all("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", START, five_weeks);
    assert_all("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", START, five_weeks);
    assert_dates(
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09-01T09:00:00",
        "1997-09-01 1997-09-03 1997-09-05 1997-09-15 1997-09-17 1997-09-19 1997-09-29 1997-10-01 1997-10-03 1997-10-13",
    );
    assert_all(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        START,
        "1997-09-02 1997-09-04 1997-09-16 1997-09-18 1997-09-30 1997-10-02 1997-10-14 1997-10-16",
    );
}

#[test]
fn the_monthly_examples_of_the_rfc_come_out() {
    assert_all(
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09-05T09:00:00",
        "1997-09-05 1997-10-03 1997-11-07 1997-12-05 1998-01-02 1998-02-06 1998-03-06 1998-04-03 1998-05-01 1998-06-05",
    );
    assert_all("FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "1997-09-05T09:00:00", "1997-09-05 1997-10-03 1997-11-07 1997-12-05");
    assert_all(
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09-07T09:00:00",
        "1997-09-07 1997-09-28 1997-11-02 1997-11-30 1998-01-04 1998-01-25 1998-03-01 1998-03-29 1998-05-03 1998-05-31",
    );
    assert_all(
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "1997-09-22T09:00:00",
        "1997-09-22 1997-10-20 1997-11-17 1997-12-22 1998-01-19 1998-02-16",
    );
    assert_dates("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28T09:00:00", "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29 1998-02-26");
    assert_all(
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        START,
        "1997-09-02 1997-09-15 1997-10-02 1997-10-15 1997-11-02 1997-11-15 1997-12-02 1997-12-15 1998-01-02 1998-01-15",
    );
    assert_all(
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "1997-09-30T09:00:00",
        "1997-09-30 1997-10-01 1997-10-31 1997-11-01 1997-11-30 1997-12-01 1997-12-31 1998-01-01 1998-01-31 1998-02-01",
    );
    assert_all(
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09-10T09:00:00",
        "1997-09-10 1997-09-11 1997-09-12 1997-09-13 1997-09-14 1997-09-15 1999-03-10 1999-03-11 1999-03-12 1999-03-13",
    );
    assert_dates("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", START, "1997-09-02 1997-09-09 1997-09-16 1997-09-23 1997-09-30 1997-11-04 1997-11-11");
    // The RFC leaves the first day out with EXDATE; it does not fit the rule anyhow.
    assert_dates("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", START, "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13");
    assert_dates(
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
        "1997-09-13T09:00:00",
        "1997-09-13 1997-10-11 1997-11-08 1997-12-13 1998-01-10 1998-02-07",
    );
    assert_all("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "1997-09-04T09:00:00", "1997-09-04 1997-10-07 1997-11-06");
    assert_dates("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29T09:00:00", "1997-09-29 1997-10-30 1997-11-27 1997-12-30");
    assert_all("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "2007-01-15T09:00:00", "2007-01-15 2007-01-30 2007-02-15 2007-03-15 2007-03-30");
}

#[test]
fn the_yearly_examples_of_the_rfc_come_out() {
    assert_all(
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "1997-06-10T09:00:00",
        "1997-06-10 1997-07-10 1998-06-10 1998-07-10 1999-06-10 1999-07-10 2000-06-10 2000-07-10 2001-06-10 2001-07-10",
    );
    assert_all(
        "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
        "1997-03-10T09:00:00",
        "1997-03-10 1999-01-10 1999-02-10 1999-03-10 2001-01-10 2001-02-10 2001-03-10 2003-01-10 2003-02-10 2003-03-10",
    );
    assert_dates("FREQ=YEARLY;BYDAY=20MO", "1997-05-19T09:00:00", "1997-05-19 1998-05-18 1999-05-17");
    assert_dates(
        "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
        "1997-03-13T09:00:00",
        "1997-03-13 1997-03-20 1997-03-27 1998-03-05 1998-03-12 1998-03-19 1998-03-26 1999-03-04",
    );
    assert_dates("FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "1997-06-05T09:00:00", "1997-06-05 1997-06-12 1997-06-19 1997-06-26 1997-07-03");
    assert_dates(
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11-05T09:00:00",
        "1996-11-05 2000-11-07 2004-11-02",
    );
    assert_dates("FREQ=YEARLY", "2024-02-29T09:00:00", "2024-02-29 2028-02-29 2032-02-29");
}

#[test]
fn with_which_day_weeks_begin_matters() {
    assert_all("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "1997-08-05T09:00:00", "1997-08-05 1997-08-10 1997-08-19 1997-08-24");
    assert_all("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "1997-08-05T09:00:00", "1997-08-05 1997-08-17 1997-08-19 1997-08-31");
}

#[test]
fn the_end_is_a_day_or_a_time_by_either_clock() {
    assert_all("freq=daily;until=20260108", "2026-01-06T22:00:00", "2026-01-06 2026-01-07 2026-01-08");
    assert_all("FREQ=DAILY;UNTIL=20260108T215959", "2026-01-06T22:00:00", "2026-01-06 2026-01-07");
    let riga = Zone::parse("Europe/Riga").expect("a zone");
    let start = "2026-01-06T22:00:00".parse().expect("a time");
    let rule = |until: &str| Recurrence::parse(&format!("RRULE:FREQ=DAILY;UNTIL={until}"), start, riga.clone()).expect("a rule");
    assert_eq!(rule("20260108T200000Z").occurrences().count(), 3, "22:00 in Riga is 20:00 in UTC");
    assert_eq!(rule("20260108T195959Z").occurrences().count(), 2);
}

#[test]
fn searching_from_a_time_finds_what_counting_from_the_start_finds() {
    let rules = [
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=5;BYDAY=SU,MO",
        "FREQ=MONTHLY;INTERVAL=7;BYDAY=-1FR",
        "FREQ=YEARLY;INTERVAL=3;BYDAY=-1SU;BYMONTH=2",
        "FREQ=MONTHLY;COUNT=40",
    ];
    for text in rules {
        let rule = rule(text, "2020-01-31T22:00:00");
        let mut from: DateTime = "2019-12-01T00:00:00".parse().expect("a time");
        for _ in 0..300 {
            let slow: Vec<DateTime> = rule.occurrences().skip_while(|time| *time < from).take(3).collect();
            let fast: Vec<DateTime> = rule.occurrences_near(from).skip_while(|time| *time < from).take(3).collect();
            assert_eq!(slow, fast, "{text} from {from}");
            from = from.checked_add(jiff::Span::new().hours(173)).expect("in range");
        }
    }
}

#[test]
fn the_shortest_gap_is_found() {
    let gap = |text: &str| rule(text, "2026-01-06T22:00:00").shortest_gap().map(|gap| gap.as_secs() / 3600);
    assert_eq!(gap("FREQ=WEEKLY;BYDAY=TU"), Some(7 * 24));
    assert_eq!(gap("FREQ=WEEKLY;BYDAY=MO,TU"), Some(24));
    assert_eq!(gap("FREQ=MONTHLY;BYMONTHDAY=1,-1"), Some(24));
    assert_eq!(gap("FREQ=DAILY;COUNT=1"), None);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for name in ["BYHOUR=1", "BYMINUTE=1", "BYSECOND=1"] {
        let part = name.split('=').next().expect("a name");
        let message = format!("`{part}` is not supported: every time is at the time of the day of `start`");
        assert_refused(&format!("FREQ=DAILY;{name}"), &message);
    }
    assert_refused("FREQ=YEARLY;BYWEEKNO=20", "`BYWEEKNO` is not supported");
    assert_refused("FREQ=YEARLY;BYYEARDAY=-1", "`BYYEARDAY` is not supported");
    assert_refused("FREQ=HOURLY", "`FREQ=HOURLY` is not supported");
    assert_refused("FREQ=DAILY;DTSTART=20260101", "`DTSTART` is not a part of a rule");
    assert_refused("FREQ=DAILY;BYMOON=1", "`BYMOON` is not a part of a recurrence rule");
}

#[test]
fn what_is_wrong_is_said() {
    assert_refused("", "the rule does not say how often: `FREQ` is missing");
    assert_refused("BYDAY=TU", "the rule does not say how often: `FREQ` is missing");
    assert_refused("FREQ=FORTNIGHTLY", "`FORTNIGHTLY` is not a frequency");
    assert_refused("FREQ=DAILY;FREQ=DAILY", "`FREQ` is there twice");
    assert_refused("FREQ=DAILY;weekly", "`WEEKLY` is not of the form `NAME=value`");
    assert_refused("FREQ=DAILY; COUNT=3", "a rule has no spaces or lines in it");
    assert_refused("FREQ=DAILY;COUNT=3;UNTIL=20260101", "`COUNT` and `UNTIL` both say when it is over");
    assert_refused("FREQ=DAILY;COUNT=0", "`COUNT=0` is not a whole number from 1 to 10000");
    assert_refused("FREQ=DAILY;INTERVAL=+2", "`INTERVAL=+2` is not a whole number from 1 to 1000");
    assert_refused("FREQ=WEEKLY;BYDAY=TUE", "`TUE` in `BYDAY` is not a weekday");
    assert_refused("FREQ=WEEKLY;BYDAY=2TU", "a numbered weekday such as `2TU` counts within a month or a year");
    assert_refused("FREQ=WEEKLY;BYMONTHDAY=2", "`BYMONTHDAY` does not go with `FREQ=WEEKLY`");
    assert_refused("FREQ=MONTHLY;BYDAY=6TU", "no weekday comes more than five times in a month");
    assert_refused("FREQ=MONTHLY;BYDAY=0TU", "`0` in `BYDAY` is not from 1 to 53 or from -1 to -53");
    assert_refused(
        "FREQ=YEARLY;BYMONTH=1;BYDAY=20MO",
        "with `BYMONTH`, weekdays are counted within the month, where none comes more than five times",
    );
    assert_refused("FREQ=MONTHLY;BYMONTHDAY=32", "`32` in `BYMONTHDAY` is not from 1 to 31 or from -1 to -31");
    assert_refused("FREQ=YEARLY;BYMONTH=13", "`BYMONTH=13` is not a whole number from 1 to 12");
    assert_refused("FREQ=DAILY;BYSETPOS=1", "`BYSETPOS` picks among the days that other parts name, and there are none");
    assert_refused("FREQ=DAILY;UNTIL=tomorrow", "`UNTIL=TOMORROW` is not a time");
    assert_refused("FREQ=DAILY;UNTIL=20260230", "`UNTIL=20260230` is not a time");
    assert_refused(
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "`FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30` never happens at or after 2026-01-06T22:00:00",
    );
    assert_refused("FREQ=DAILY;UNTIL=20260105", "`FREQ=DAILY;UNTIL=20260105` never happens at or after 2026-01-06T22:00:00");
}

#[test]
fn a_time_that_the_clock_skips_is_right_after_and_one_that_it_shows_twice_is_the_first() {
    let zone = Zone::parse("Europe/Riga").expect("a zone");
    let moment = |text: &str| zone.moment(text.parse().expect("a time")).expect("in range").rfc3339();
    assert_eq!(moment("2026-03-29T02:59:59"), "2026-03-29T00:59:59Z");
    assert_eq!(moment("2026-03-29T03:00:00"), "2026-03-29T01:00:00Z");
    assert_eq!(moment("2026-03-29T03:45:00"), "2026-03-29T01:00:00Z");
    assert_eq!(moment("2026-03-29T04:00:00"), "2026-03-29T01:00:00Z");
    assert_eq!(moment("2026-10-25T03:30:00"), "2026-10-25T00:30:00Z");
    assert_eq!(moment("2026-10-25T04:00:00"), "2026-10-25T02:00:00Z");
}
