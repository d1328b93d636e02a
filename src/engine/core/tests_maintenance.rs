//! Stories about maintenance windows, in virtual time. Monitors are checked every 60 seconds, and after a bad check 10 seconds later.

use std::collections::BTreeSet;

use super::tests::START;
use super::tests::World;
use super::tests::config;
use super::tests::reload;
use super::tests::watched;
use super::*;
use crate::model::heartbeat::PingKind;
use crate::model::maintenance::Selection;
use crate::model::maintenance::Span;
use crate::model::maintenance::When;
use crate::model::maintenance::Window;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::result::Outcome;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::schedule::Zone;
use crate::model::testing;
use crate::rules::heartbeat::Said;

fn second(seconds: u64) -> UnixMillis {
    UnixMillis(START + i64::try_from(seconds * 1000).expect("small"))
}

fn window(name: &str, id: &str, when: When) -> Arc<Window> {
    let monitors = BTreeSet::from([MonitorId::parse(id).expect("an id")]);
    let origin = Origin { file: Arc::new(std::path::PathBuf::from("test.yaml")), line: 1 };
    Arc::new(Window { name: name.to_owned(), wanted: Selection::default(), monitors, when, message: None, origin })
}

fn once(name: &str, from: u64, to: u64) -> Arc<Window> {
    window(name, "m", When::Once(Span { from: second(from), to: second(to) }, Zone::utc()))
}

fn with(windows: Vec<Arc<Window>>) -> Arc<Config> {
    let mut config = (*config(vec![watched("m")], &[])).clone();
    config.maintenance = windows;
    Arc::new(config)
}

/// Watches `m`, which is up until second 130, and forgets what was told of that.
fn world(windows: Vec<Arc<Window>>) -> World {
    let mut world = World::new(with(windows));
    world.run_until(130);
    world.assert_told(&["4: m up since 4"]);
    world
}

impl World {
    fn load(&mut self, windows: Vec<Arc<Window>>) {
        self.apply(Event::ConfigChanged { config: with(windows), reload: reload() });
    }

    fn opened_at(&self) -> Vec<i64> {
        self.incidents.values().map(|incident| (incident.opened_at.0 - START) / 1000).collect()
    }
}

/// The first check of `m` at or after that second, in a world in which nothing is wrong.
fn check_after(second: u64) -> u64 {
    let mut quiet = world(Vec::new());
    quiet.run_until(second + 120);
    quiet.checks_of("m").into_iter().find(|check| second <= *check).expect("checked every minute")
}

#[test]
fn what_goes_down_and_comes_back_in_a_window_is_told_to_nobody() {
    let mut world = world(vec![once("w", 200, 800)]);
    world.run_until(250);
    world.set("m", Outcome::Down);
    world.run_until(600);
    world.set("m", Outcome::Up);
    world.run_until(1200);
    world.assert_told(&["200: m maintenance since 200", "800: m up since 800"]);
    assert!(world.incidents.is_empty());
    assert!(world.checks_of("m").iter().filter(|check| (200..800).contains(*check)).count() >= 10, "checks go on");
}

#[test]
fn what_is_still_down_when_a_window_closes_opens_then_with_its_own_beginning() {
    let mut world = world(vec![once("w", 200, 800)]);
    world.run_until(250);
    let first_bad = check_after(250);
    world.set("m", Outcome::Down);
    world.run_until(799);
    world.assert_told(&["200: m maintenance since 200"]);
    world.run_until(2000);
    world.assert_told(&["800: m down since 800", "800: -> ops m down down"]);
    assert_eq!(world.opened_at(), [i64::try_from(first_bad).expect("small")]);
    world.set("m", Outcome::Up);
    world.run_until(2100);
    let up = check_after(2000);
    let told = format!("{up}: -> ops m recovered up recovered after {}s", up - first_bad);
    world.assert_told(&[&format!("{up}: m up since {up}"), &told]);
}

#[test]
fn what_is_told_before_a_window_is_told_to_its_end() {
    let mut world = world(vec![once("w", 400, 800)]);
    world.set("m", Outcome::Down);
    world.run_until(390);
    let down = check_after(131);
    world.assert_told(&[&format!("{}: m down since {down}", down + 10), &format!("{}: -> ops m down down", down + 10)]);
    world.run_until(500);
    world.set("m", Outcome::Up);
    world.run_until(600);
    let up = check_after(501);
    world.assert_told(&["400: m maintenance since 400", &format!("{up}: -> ops m recovered up recovered after {}s", up - down)]);
    // Down a second time in the same window: nothing is told before its end.
    world.set("m", Outcome::Down);
    world.run_until(799);
    world.assert_told(&[]);
    world.run_until(801);
    world.assert_told(&["800: m down since 800", "800: -> ops m down down"]);
}

#[test]
fn an_incident_that_outlasts_a_window_is_not_told_again() {
    let mut world = world(vec![once("w", 400, 800)]);
    world.set("m", Outcome::Down);
    world.run_until(390);
    world.story.clear();
    world.run_until(2000);
    world.assert_told(&["400: m maintenance since 400", "800: m down since 800"]);
    assert_eq!(world.incidents.len(), 1);
}

#[test]
fn who_was_told_that_it_is_slow_is_told_the_end_of_that() {
    let mut world = world(vec![once("w", 400, 800)]);
    world.set("m", Outcome::Degraded);
    world.run_until(390);
    world.story.clear();
    world.run_until(450);
    world.set("m", Outcome::Down);
    world.run_until(799);
    world.assert_told(&["400: m maintenance since 400"]);
    world.run_until(801);
    world.assert_told(&["800: m down since 800", "800: -> ops m down down"]);
    world.set("m", Outcome::Up);
    world.run_until(1000);
    let told = world.story.lines().filter(|line| line.contains("-> ops m recovered up")).count();
    assert_eq!(told, 1, "{}", world.story);
}

#[test]
fn an_outage_that_turns_into_slowness_in_a_window_ends_and_slowness_is_told_after_it() {
    let mut world = world(vec![once("w", 400, 800)]);
    world.set("m", Outcome::Down);
    world.run_until(390);
    world.story.clear();
    world.set("m", Outcome::Degraded);
    world.run_until(1000);
    let lines: Vec<String> = world.story.lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "400: m maintenance since 400");
    assert!(lines[1].contains("-> ops m recovered degraded recovered after"), "{lines:?}");
    assert_eq!(lines[2..], ["800: m degraded since 800", "800: -> ops m degraded degraded"]);
}

#[test]
fn a_pause_in_a_window_is_a_pause() {
    let mut world = world(vec![once("w", 200, 800)]);
    let id = MonitorId::parse("m").expect("an id");
    world.run_until(250);
    world.set("m", Outcome::Down);
    world.run_until(400);
    world.ask(Operation::Pause(id.clone()));
    world.run_until(900);
    world.set("m", Outcome::Up);
    world.ask(Operation::Resume(id.clone()));
    world.run_until(1000);
    let told: Vec<&str> = world.story.lines().filter(|line| !line.contains("answer")).collect();
    assert!(world.incidents.is_empty(), "{told:?}");
    assert_eq!(told[..2], ["200: m maintenance since 200", "400: m paused since 400"]);
    assert!(!world.story.contains("-> ops"), "{}", world.story);
    // Resumed within a window, it is in maintenance again.
    world.load(vec![once("w", 1000, 2000)]);
    world.ask(Operation::Pause(id.clone()));
    world.run_until(1100);
    world.story.clear();
    world.ask(Operation::Resume(id));
    world.run_until(1200);
    assert_eq!(world.story.lines().next(), Some("1100: m maintenance since 1100"), "{}", world.story);
}

#[test]
fn a_reload_that_adds_a_window_opens_it_at_once_and_one_that_removes_it_tells_what_is_down() {
    let mut world = world(Vec::new());
    world.load(vec![once("w", 100, 900)]);
    world.set("m", Outcome::Down);
    world.run_until(500);
    // What was before anybody knew of it is not rewritten.
    world.assert_told(&["130: m maintenance since 130"]);
    let down = check_after(131);
    world.load(vec![once("other", 5000, 6000)]);
    world.run_until(501);
    world.assert_told(&["500: m down since 500", "500: -> ops m down down"]);
    assert_eq!(world.opened_at(), [i64::try_from(down).expect("small")]);
}

#[test]
fn a_reload_that_moves_the_end_is_followed() {
    let mut world = world(vec![once("w", 200, 800)]);
    world.set("m", Outcome::Down);
    world.run_until(500);
    world.load(vec![once("w", 200, 1500)]);
    world.run_until(1000);
    let told: Vec<&str> = world.story.lines().filter(|line| line.contains("-> ops")).collect();
    assert_eq!(told.len(), 1, "down before the window, told once: {told:?}");
    world.story.clear();
    world.load(vec![once("w", 200, 1100)]);
    world.run_until(1099);
    world.assert_told(&[]);
    world.run_until(1101);
    world.assert_told(&["1100: m down since 1100"]);
}

#[test]
fn windows_that_overlap_are_one() {
    let mut world = world(vec![once("a", 200, 500), once("b", 400, 800), once("c", 800, 900)]);
    world.run_until(250);
    world.set("m", Outcome::Down);
    world.run_until(899);
    world.assert_told(&["200: m maintenance since 200"]);
    world.run_until(901);
    world.assert_told(&["900: m down since 900", "900: -> ops m down down"]);
}

#[test]
fn a_restart_in_a_window_tells_nothing_and_forgets_nothing() {
    let mut world = world(vec![once("w", 200, 800)]);
    world.run_until(250);
    world.set("m", Outcome::Down);
    world.run_until(500);
    let down = check_after(251);
    world.assert_told(&["200: m maintenance since 200"]);
    for _ in 0..10 {
        world.restart(3);
        world.run(7);
    }
    world.run_until(799);
    world.assert_told(&[]);
    world.run_until(801);
    world.assert_told(&["800: m down since 800", "800: -> ops m down down"]);
    assert_eq!(world.opened_at(), [i64::try_from(down).expect("small")]);
}

#[test]
fn a_window_that_closes_while_nobody_looks_ends_when_it_was_to() {
    let mut world = world(vec![once("w", 200, 800)]);
    world.run_until(300);
    world.story.clear();
    // Away from 300 to 1500: only what came after the window is unknown.
    world.restart(1200);
    world.run_until(1600);
    let up = world.checks_of("m").into_iter().find(|check| 1500 <= *check).expect("checked");
    world.assert_told(&["1500: m unknown since 800", &format!("{up}: m up since {up}")]);
}

#[test]
fn a_short_absence_over_the_end_of_a_window_bridges_it() {
    let mut world = world(vec![once("w", 200, 800)]);
    world.run_until(250);
    world.set("m", Outcome::Down);
    world.run_until(790);
    let down = check_after(251);
    world.story.clear();
    world.restart(20);
    world.assert_told(&["810: m down since 800", "810: -> ops m down down"]);
    assert_eq!(world.opened_at(), [i64::try_from(down).expect("small")]);
}

#[test]
fn a_window_that_opens_while_nobody_looks_is_open_afterwards() {
    let mut world = world(vec![once("w", 400, 3000)]);
    world.restart(1000);
    world.run_until(1200);
    world.assert_told(&["1130: m unknown since 130", "1130: m maintenance since 400"]);
}

#[test]
fn an_absence_within_a_window_is_maintenance() {
    let mut world = world(vec![once("w", 200, 3000)]);
    world.run_until(300);
    world.story.clear();
    world.restart(1000);
    world.set("m", Outcome::Down);
    world.run_until(2900);
    world.assert_told(&[]);
}

#[test]
fn windows_that_come_again_open_every_time() {
    let Ok(Schedule::Timed(timed)) = Schedule::cron("5-59/10 * * * *", None, CronRules::Vixie) else { panic!("a schedule") };
    // The world begins at a full hour.
    let mut world = world(vec![window("w", "m", When::Cron(timed, Duration::from_secs(120)))]);
    world.run_until(1100);
    world.assert_told(&["300: m maintenance since 300", "420: m up since 420", "900: m maintenance since 900", "1020: m up since 1020"]);
}

#[test]
fn the_end_of_summer_time_does_not_open_a_window_again() {
    // 2026-10-25, when Riga has 03:30 twice: the window is the first of them, from 00:30 to 01:30 in UTC.
    let Ok(Schedule::Timed(timed)) = Schedule::cron("30 3 * * *", Some("Europe/Riga"), CronRules::Vixie) else { panic!("a schedule") };
    let mut config = (*with(vec![window("w", "m", When::Cron(timed, Duration::from_secs(3600)))])).clone();
    config.monitors = vec![Arc::new(Monitor { interval: Duration::from_secs(600), ..watched("m") })];
    let days = 117;
    let midnight = days * 86_400 - 10 * 3600;
    let mut world = World::new(Arc::new(config));
    world.restart(midnight);
    world.story.clear();
    world.run_until(midnight + 3 * 3600);
    let lines: Vec<&str> = world.story.lines().filter(|line| line.contains("maintenance")).collect();
    let from = midnight + 1800;
    assert_eq!(second(from).rfc3339(), "2026-10-25T00:30:00Z");
    assert_eq!(lines, [format!("{from}: m maintenance since {from}")]);
    assert!(world.story.contains(&format!("{}: m up since {}", from + 3600, from + 3600)), "{}", world.story);
}

#[test]
fn the_next_tick_is_not_after_the_end_of_a_window() {
    let mut world = world(vec![once("w", 200, 800)]);
    for edge in [200_u64, 800] {
        world.run_until(edge - 1);
        let half = Now { wall: second(edge).minus(Duration::from_millis(100)), mono: Mono(1_000_000_000 + edge * 1_000_000 - 100_000) };
        let _ = world.core.apply(Event::Tick, half);
        assert!(world.core.deadline() <= Mono(1_000_000_000 + edge * 1_000_000), "{edge}");
        world.run_until(edge);
    }
}

#[test]
fn heartbeats_are_not_missed_in_a_window() {
    let rules = testing::heartbeat(Duration::from_secs(60), Duration::from_secs(30));
    let beat = Monitor { channels: watched("m").channels, ..testing::reporting("m", rules) };
    let mut config = (*config(vec![beat], &[])).clone();
    config.maintenance = vec![once("w", 100, 800)];
    let mut world = World::new(Arc::new(config.clone()));
    world.run_until(10);
    world.ping("m", Said::Kind(PingKind::Success));
    world.run_until(50);
    world.ping("m", Said::Kind(PingKind::Success));
    world.story.clear();
    world.run_until(300);
    world.ping("m", Said::Kind(PingKind::Fail));
    world.run_until(809);
    world.assert_told(&["100: m maintenance since 100", "800: m up since 800"]);
    // After the window it has its grace, and then silence counts again.
    world.run_until(1000);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
    world.story.clear();
    // One that is taken back gives no time away.
    world.ping("m", Said::Kind(PingKind::Success));
    config.maintenance = vec![once("w", 1000, 90_000)];
    world.apply(Event::ConfigChanged { config: Arc::new(config.clone()), reload: reload() });
    world.run_until(1200);
    config.maintenance = Vec::new();
    world.apply(Event::ConfigChanged { config: Arc::new(config), reload: reload() });
    world.story.clear();
    world.run_until(1400);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
}
