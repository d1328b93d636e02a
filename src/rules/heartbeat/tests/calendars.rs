//! Cases by the calendar.

use super::*;
use crate::rules::calendar;

fn at(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<jiff::Timestamp>().expect(text).as_millisecond())
}

fn cron(text: &str, zone: &str, grace: u64) -> Heartbeat {
    let schedule = Schedule::cron(text, Some(zone), CronRules::Vixie).expect(text);
    Heartbeat { schedule, grace: secs(grace), ..base() }
}

/// Pings at the first moments, then looks at the others.
#[track_caller]
fn assert_phases(beat: &Heartbeat, pings: &[&str], looks: &[(&str, Phase)]) -> HeartbeatState {
    let mut world = World::new(beat.clone(), at(pings[0]));
    for ping in pings {
        world.now = (at(ping).0 - world.zero.0) / 1000;
        let ping = world.ping(world.now, Success, None);
        world.act(Input::Ping(ping));
    }
    for (moment, phase) in looks {
        assert_eq!(assess(beat, &world.state, at(moment)).phase, *phase, "{moment}");
    }
    world.state
}

#[test]
fn d11_and_d12_daily_jobs() {
    let looks = [("2000-01-01T23:59:00Z", Phase::Up), ("2000-01-02T00:00:00Z", Phase::Late), ("2000-01-02T01:00:00Z", Phase::Down)];
    assert_phases(&cron("0 10 * * *", "Australia/Brisbane", 3600), &["2000-01-01T00:00:00Z"], &looks);
    assert_phases(&cron("0 0 * * *", "UTC", 3600), &["2000-01-01T00:00:00Z"], &looks);
}

#[test]
fn d13_and_d14_when_the_clock_goes_back() {
    let beat = cron("15 * * * *", "Europe/Riga", 300);
    let state = assert_phases(&beat, &["2023-10-29T00:55:00Z"], &[("2023-10-29T01:05:00Z", Phase::Up)]);
    assert_eq!(assess(&beat, &state, at("2023-10-29T01:05:00Z")).expected, Some(at("2023-10-29T01:15:00Z")));
    let beat = cron("30 3 * * *", "Europe/Riga", 300);
    let state = assert_phases(&beat, &["2021-10-31T01:10:00Z"], &[("2021-10-31T02:00:00Z", Phase::Up)]);
    assert_eq!(assess(&beat, &state, at("2021-10-31T01:10:00Z")).expected, Some(at("2021-11-01T01:30:00Z")));
}

#[test]
fn d15_a_ping_a_little_early_satisfies_its_slot() {
    let beat = cron("51 22 * * *", "UTC", 300);
    assert_eq!(beat.early(), secs(60));
    let looks = [("2027-01-01T22:56:00Z", Phase::Up), ("2027-01-02T22:51:00Z", Phase::Late), ("2027-01-02T22:56:00Z", Phase::Down)];
    assert_phases(&beat, &["2027-01-01T22:50:58Z"], &looks);
    assert_phases(&beat, &["2027-01-01T22:49:59Z"], &[("2027-01-01T22:56:00Z", Phase::Down)]);
    let strict = Heartbeat { early: Some(Duration::ZERO), ..beat };
    assert_phases(&strict, &["2027-01-01T22:50:58Z"], &[("2027-01-01T22:56:00Z", Phase::Down)]);
    assert_eq!(cron("*/2 * * * *", "UTC", 30).early(), secs(12), "a tenth of the gap");
}

#[test]
fn a_long_run_that_ends_just_before_the_next_slot_is_not_early_for_it() {
    let beat = Heartbeat { max_runtime: Some(secs(7200)), ..cron("0 * * * *", "UTC", 7200) };
    let mut world = World::new(beat, at("2027-01-01T00:00:00Z"));
    world.run(&[(1, Of("a", Start)), (3590, Of("a", Success))]);
    assert_eq!(world.seen().expected, Some(at("2027-01-01T01:00:00Z")));
    world.run(&[(7195, Of("b", Start)), (7198, Of("b", Success))]);
    assert_eq!(world.seen().expected, Some(at("2027-01-01T03:00:00Z")));
}

#[test]
fn a_calendar_that_is_over_expects_nothing() {
    let schedule = Schedule::calendar("2027-01-01 10:00 UTC", None).expect("a date");
    let beat = Heartbeat { schedule, ..base() };
    let looks = [("2027-01-01T10:00:01Z", Phase::Up), ("2099-01-01T00:00:00Z", Phase::Up)];
    let state = assert_phases(&beat, &["2027-01-01T10:00:00Z"], &looks);
    assert_eq!(deadline(&beat, &state, at("2027-01-01T10:00:01Z")), None);
    // Never pinged, and loaded when all is over: it waits.
    assert_eq!(assess(&beat, &fresh(at("2028-01-01T00:00:00Z")), at("2099-01-01T00:00:00Z")).phase, Phase::Waiting);
}

#[test]
fn a_restart_matters_where_the_ping_is_usually_due() {
    // Reports each night twenty minutes after two.
    let blind = |from: &str, to: &str| {
        let mut world = World::new(cron("0 2 * * *", "UTC", 1800), at("2027-01-01T02:20:00Z"));
        world.run(&[(0, Say(Success))]);
        let window = Window { from: at(from), to: at(to), kind: WindowKind::Blind };
        world.now = (at(to).0 - world.zero.0) / 1000;
        world.act(Input::Window(window));
        world.seen().deadline
    };
    assert_eq!(blind("2027-01-02T01:55:00Z", "2027-01-02T02:05:00Z"), Some(at("2027-01-02T02:30:00Z")), "heard when it comes");
    assert_eq!(blind("2027-01-02T02:15:00Z", "2027-01-02T02:25:00Z"), Some(at("2027-01-03T02:30:00Z")), "probably came unheard");
    assert_eq!(blind("2027-01-02T02:25:00Z", "2027-01-02T02:40:00Z"), Some(at("2027-01-02T03:10:00Z")), "late before, and may still come");
}

#[test]
fn starts_are_waited_for_by_the_calendar() {
    let beat = Heartbeat { start_grace: Some(secs(600)), ..cron("0 2 * * *", "UTC", 1800) };
    let mut world = World::new(beat, at("2027-01-01T02:00:00Z"));
    world.run(&[(0, Say(Success)), (86_370, Say(Start))]);
    world.go_to(87_100);
    assert!(!world.printed.contains("OPENED"), "{}", world.printed);
    world.run(&[(87_200, Say(Success))]);
    world.go_to(3 * 86_400);
    assert!(world.printed.contains("OPENED never-started since 173400"), "{}", world.printed);
}

#[test]
fn the_wrong_zone_shows_in_the_offset() {
    let beat = cron("0 2 * * *", "Europe/Riga", 1800);
    let hint = |pings: &[&str]| zone_hint(&beat, &assert_phases(&beat, pings, &[]));
    // Two o'clock in Riga is midnight in UTC, but the job runs at two in UTC.
    let utc = ["2027-01-01T02:00:10Z", "2027-01-02T02:01:00Z", "2027-01-03T02:00:40Z"];
    assert_eq!(hint(&utc), Some(ZoneHint { hours: 2, is_utc: true }));
    let before = ["2026-12-31T23:00:10Z", "2027-01-01T23:00:10Z", "2027-01-02T23:00:10Z"];
    assert_eq!(hint(&before), Some(ZoneHint { hours: -1, is_utc: false }));
    assert_eq!(hint(&utc[..2]), None, "two may be chance");
    assert_eq!(hint(&["2027-01-01T00:10:00Z", "2027-01-02T00:20:00Z", "2027-01-03T00:00:00Z"]), None, "as it should be");
    assert_eq!(hint(&["2027-01-01T02:00:10Z", "2027-01-01T02:01:00Z", "2027-01-03T02:00:40Z"]), None, "two of them are one run");
    assert_eq!(hint(&["2027-01-01T02:00:10Z", "2027-01-02T02:31:00Z", "2027-01-03T02:00:40Z"]), None, "not constant");
}

#[test]
fn doubts_and_problems_are_told() {
    let beat = Heartbeat { max_runtime: Some(secs(7200)), start_grace: Some(secs(3600)), ..cron("0 2 * * *", "UTC", 1800) };
    assert_eq!(beat.doubts().iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["max_runtime", "start_grace"]);
    assert!(base().doubts().is_empty() && base().problems().is_empty());
    let bad = Heartbeat { failures: 0, early: Some(secs(60)), min_runtime: Some(secs(30)), ..base() };
    assert_eq!(bad.problems().iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["failures", "early", "min_runtime"]);
    assert_eq!(calendar::describe(&beat.schedule), "at 02:00, UTC");
}
