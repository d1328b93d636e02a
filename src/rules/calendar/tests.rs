//! The vectors of the contract, and both directions of the search against each other.

use jiff::Timestamp;

use super::*;
use crate::model::schedule::CronRules;
use crate::model::testing::Chance;

mod systemd;
mod vectors;

use vectors::Kubernetes;
use vectors::Vector;

fn at(text: &str) -> UnixMillis {
    let full = if text.len() == "2027-03-27T12:00Z".len() { text.replace('Z', ":00Z") } else { text.to_owned() };
    UnixMillis(full.parse::<Timestamp>().expect(text).as_millisecond())
}

fn timed(schedule: &Schedule) -> &Timed {
    match schedule {
        Schedule::Timed(timed) => timed,
        Schedule::Interval(_) => panic!("a schedule by the calendar"),
    }
}

/// What a list of moments reads like in the vectors.
fn listed(schedule: &Schedule, after: &str, n: usize) -> Vec<String> {
    upcoming(schedule, at(after), n).into_iter().map(|moment| moment.rfc3339().replace(":00Z", "Z")).collect()
}

#[test]
fn the_vectors_of_the_contract_hold() {
    for Vector { id, cron, zone, after, vixie, kubernetes } in vectors::VECTORS {
        let schedule = Schedule::cron(cron, Some(zone), CronRules::Vixie).expect(id);
        assert_eq!(listed(&schedule, after, 3), vixie, "{id}, vixie");
        let schedule = Schedule::cron(cron, Some(zone), CronRules::Kubernetes);
        match kubernetes {
            Kubernetes::Same => assert_eq!(listed(&schedule.expect(id), after, 3), vixie, "{id}, kubernetes"),
            Kubernetes::Other(expected) => assert_eq!(listed(&schedule.expect(id), after, 3), expected, "{id}, kubernetes"),
            Kubernetes::Rejected => assert!(schedule.is_err(), "{id}, kubernetes"),
        }
    }
}

#[test]
fn calendar_events_happen_when_systemd_says() {
    for (event, after, expected) in systemd::SYSTEMD {
        let schedule = Schedule::calendar(event, None).expect(event);
        assert_eq!(listed(&schedule, after, expected.len()), *expected, "{event}");
    }
}

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Kathmandu",
    "UTC",
    "Pacific/Apia",
    "Africa/Casablanca",
];

impl Chance {
    fn field(&mut self, low: u64, high: u64) -> String {
        let mut value = || low + self.below(high - low + 1);
        let (a, b) = (value(), value());
        match self.below(6) {
            0 => format!("{a}"),
            1 => format!("{},{}", a.min(b), a.max(b)),
            2 => format!("{}-{}", a.min(b), a.max(b)),
            3 => format!("*/{}", 1 + self.below(high)),
            4 => format!("{}-{}/{}", a.min(b), a.max(b), 1 + self.below(7)),
            _ => "*".to_owned(),
        }
    }
}

/// The obvious way to do it: every minute of a few days, asking what the clock shows, and what it showed a minute ago.
fn obvious(timed: &Timed, from: i64, until: i64) -> Vec<i64> {
    use crate::model::schedule::Fold;
    use crate::model::schedule::Gap;
    use crate::model::schedule::has;
    let zone = timed.zone.rules();
    let pattern = &timed.pattern;
    let shown = |at: i64| zone.to_datetime(Timestamp::from_second(at).expect("a time"));
    let fits = |shown: jiff::civil::DateTime| {
        pattern.has_date(shown.date())
            && has(pattern.hours, shown.hour())
            && has(pattern.minutes, shown.minute())
            && has(pattern.seconds, shown.second())
    };
    let mut moments = Vec::new();
    let mut latest_shown = shown(from - 86_400);
    for at in (from - 86_400..until).step_by(60) {
        let now = shown(at);
        let mut skipped = shown(at - 60);
        let mut is_due = fits(now) && (timed.daylight.fold == Fold::Both || latest_shown < now);
        while timed.daylight.gap == Gap::CatchUp && skipped < now && !is_due && now.duration_since(skipped).as_hours() < 20 {
            skipped = skipped.checked_add(jiff::SignedDuration::from_mins(1)).expect("a time");
            is_due = skipped < now && fits(skipped);
        }
        latest_shown = latest_shown.max(now);
        if is_due && from <= at {
            moments.push(at);
        }
    }
    moments
}

#[test]
fn the_search_finds_what_a_look_at_every_minute_finds() {
    // Around changes of the clock, where it matters.
    let days =
        ["2027-03-27T18:00Z", "2027-10-30T18:00Z", "2027-03-13T20:00Z", "2027-11-06T20:00Z", "2027-10-02T08:00Z", "2027-04-03T08:00Z"];
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for round in 0..400 {
        let cron = format!("{} {} * * {}", chance.field(0, 59), chance.field(0, 23), chance.field(0, 6));
        let zone = ZONES[usize::try_from(chance.below(8)).expect("small")];
        let rules = if round % 2 == 0 { CronRules::Vixie } else { CronRules::Kubernetes };
        let schedule = Schedule::cron(&cron, Some(zone), rules).expect(&cron);
        let from = at(days[usize::try_from(chance.below(6)).expect("small")]).0 / 1000;
        let until = from + 20 * 3600;
        let found = std::iter::successors(next(timed(&schedule), UnixMillis(from * 1000 - 1)), |at| next(timed(&schedule), *at));
        let found: Vec<i64> = found.map(|at| at.0 / 1000).take_while(|at| *at < until).collect();
        assert_eq!(found, obvious(timed(&schedule), from, until), "`{cron}` {zone} {rules:?} from {from}");
    }
}

#[test]
fn what_comes_next_came_before() {
    let mut chance = Chance(20_261_125);
    for _ in 0..300 {
        let cron = format!(
            "{} {} {} {} {}",
            chance.field(0, 59),
            chance.field(0, 23),
            chance.field(1, 28),
            chance.field(1, 12),
            chance.field(0, 6)
        );
        let zone = ZONES[usize::try_from(chance.below(8)).expect("small")];
        let rules = if chance.below(2) == 0 { CronRules::Vixie } else { CronRules::Kubernetes };
        let Ok(schedule) = Schedule::cron(&cron, Some(zone), rules) else { continue };
        let timed = timed(&schedule);
        let from = UnixMillis(1_790_000_000_000 + i64::try_from(chance.below(40_000_000_000)).expect("small"));
        let first = next(timed, from).expect("cron never ends");
        let second = next(timed, first).expect("cron never ends");
        assert!(from < first && first < second, "`{cron}` {zone}");
        assert_eq!(previous(timed, first), Some(first), "`{cron}` {zone} {from:?}");
        assert_eq!(previous(timed, UnixMillis(second.0 - 1)), Some(first), "`{cron}` {zone} {from:?}");
        assert_eq!(gap(timed, first), Some(second.since(first)));
        assert!(previous(timed, from).is_some_and(|before| before <= from));
    }
}

#[test]
fn a_calendar_may_begin_and_end() {
    let schedule = Schedule::calendar("2027-01-01 10:00", Some("Europe/Riga")).expect("a date");
    let timed = timed(&schedule);
    assert_eq!(next(timed, at("2026-01-01T00:00Z")), Some(at("2027-01-01T08:00Z")));
    assert_eq!(next(timed, at("2027-01-01T08:00Z")), None);
    assert_eq!(previous(timed, at("2027-01-01T07:59Z")), None);
    assert_eq!(previous(timed, at("2030-01-01T00:00Z")), Some(at("2027-01-01T08:00Z")));
    assert_eq!(gap(timed, at("2027-01-01T08:00Z")), None);
    assert!(upcoming(&schedule, UnixMillis(i64::MAX), 3).is_empty() && previous(timed, UnixMillis(i64::MIN)).is_none());
}

#[test]
fn a_day_that_comes_every_forty_years_is_found() {
    // The 29th of February on a Monday, over the year 2100, which is not a leap year.
    let schedule = Schedule::calendar("Mon *-02-29", Some("Europe/Berlin")).expect("a date");
    assert_eq!(
        listed(&schedule, "2090-01-01T00:00Z", 2),
        ["2096-02-28T23:00Z".replace("2096-02-28", "2112-02-28"), "2140-02-28T23:00Z".to_owned()]
    );
}
