//! Heartbeats of an instance that watches alone, as stories in virtual time: what is told, when, and what a restart finds.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::engine::core::tests::World;
use crate::engine::core::tests::config;
use crate::engine::event::Event;
use crate::engine::handle::Operation;
use crate::engine::snapshot::ReloadView;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::Resume;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::schedule::Schedule;
use crate::model::testing;
use crate::rules::heartbeat::Said;

const SUCCESS: Said = Said::Kind(PingKind::Success);

/// Expected every minute, with half a minute of grace.
fn rules() -> Heartbeat {
    testing::heartbeat(Duration::from_secs(60), Duration::from_secs(30))
}

fn monitor(rules: Heartbeat) -> Monitor {
    Monitor { channels: vec![testing::channel("ops").name], ..testing::reporting("job", rules) }
}

fn config_with(rules: Heartbeat) -> Arc<Config> {
    config(vec![monitor(rules)], &[])
}

fn world() -> World {
    World::new(config_with(rules()))
}

#[test]
fn d01_to_d03_a_missed_ping_is_told_once_and_dated_at_its_deadline() {
    let mut world = world();
    world.ping("job", SUCCESS);
    world.assert_story("0: job up since 0\n");
    world.run(89);
    world.assert_story("");
    world.run(1);
    world.assert_story("90: job down since 90\n90: -> ops job down down\n");
    world.run(30);
    world.ping("job", Said::Kind(PingKind::Fail));
    world.ping("job", SUCCESS);
    world.assert_story("120: job up since 120\n120: -> ops job recovered up recovered after 30s\n");
}

#[test]
fn d04_d05_whoever_never_reports_is_noticed_unless_that_is_allowed() {
    let mut waiting = world();
    waiting.run(90);
    waiting.assert_story("90: job down since 90\n90: -> ops job down down\n");
    let mut patient = World::new(config_with(Heartbeat { first_ping: FirstPing::Optional, ..rules() }));
    patient.run(600);
    patient.assert_story("");
}

#[test]
fn x01_x03_a_restart_changes_nothing_and_tells_nothing_twice() {
    let mut world = world();
    world.ping("job", SUCCESS);
    world.run(10);
    world.restart(10);
    world.run(69);
    world.assert_story("0: job up since 0\n");
    world.run(1);
    world.assert_story("90: job down since 90\n90: -> ops job down down\n");
    world.restart(20);
    world.run(100);
    world.assert_story("");
    world.ping("job", SUCCESS);
    world.assert_story("210: job up since 210\n210: -> ops job recovered up recovered after 120s\n");
}

#[test]
fn x02_our_own_downtime_is_held_against_nobody_and_told_in_one_message() {
    let mut world = world();
    world.ping("job", SUCCESS);
    world.run(10);
    world.story.clear();
    world.restart(590);
    let story = std::mem::take(&mut world.story);
    assert!(story.contains("600: -> ops pings could not be received for a while\n"), "{story}");
    world.run(10);
    world.ping("job", SUCCESS);
    world.run(60);
    world.assert_story("");
    world.run(30);
    world.assert_story("700: job down since 700\n700: -> ops job down down\n");
}

#[test]
fn x05_a_ping_of_the_log_counts_after_a_crash_before_anything_followed_from_it() {
    let mut world = world();
    world.ping("job", SUCCESS);
    world.run(95);
    world.story.clear();
    let (beats, states) = (world.beats.clone(), world.states.clone());
    world.ping("job", SUCCESS);
    // The log is on the disk, and nothing else of it.
    (world.beats, world.states) = (beats, states);
    for incident in world.incidents.values_mut() {
        incident.closed = None;
    }
    world.story.clear();
    world.restart(2);
    let story = std::mem::take(&mut world.story);
    assert!(story.contains("-> ops job recovered up recovered after 5s"), "{story}");
    world.run(50);
    world.assert_story("");
}

#[test]
fn w25_a_ping_that_cannot_be_written_never_happened() {
    let mut world = world();
    world.ping("job", SUCCESS);
    world.run(80);
    world.story.clear();
    world.takes_pings = false;
    world.ping("job", SUCCESS);
    world.assert_story("80: refused: the ping could not be stored\n");
    world.run(10);
    world.assert_story("90: job down since 90\n90: -> ops job down down\n");
    world.takes_pings = true;
    world.ping("job", SUCCESS);
    assert_eq!(world.log.len(), 2);
    world.assert_story("90: job up since 90\n90: -> ops job recovered up recovered after 0s\n");
}

#[test]
fn f07_f08_a_ping_ends_a_pause_unless_only_people_may() {
    let job = MonitorId::parse("job").expect("an id");
    let mut world = world();
    world.ping("job", SUCCESS);
    world.ask(Operation::Pause(job.clone()));
    world.run(300);
    world.ping("job", SUCCESS);
    let story = std::mem::take(&mut world.story);
    assert!(story.ends_with("job up since 300\n") && !story.contains("ops"), "{story}");
    world.run(60);
    world.assert_story("");

    let mut held = World::new(config_with(Heartbeat { resume: Resume::Manual, ..rules() }));
    held.ping("job", SUCCESS);
    held.ask(Operation::Pause(job.clone()));
    held.story.clear();
    held.ping("job", SUCCESS);
    held.run(300);
    held.assert_story("");
    held.ask(Operation::Resume(job));
    held.run(89);
    let story = std::mem::take(&mut held.story);
    assert!(!story.contains("ops"), "{story}");
    held.run(1);
    held.assert_story("390: job down since 390\n390: -> ops job down down\n");
}

#[test]
fn r01_a_run_that_takes_too_long_is_down_and_a_failure_at_once() {
    let mut world = world();
    world.ping("job", Said::Kind(PingKind::Start));
    world.run(30);
    world.assert_story("30: job down since 30\n30: -> ops job down down\n");
    world.ping("job", SUCCESS);
    world.story.clear();
    world.run(5);
    world.ping("job", Said::Exit(3));
    world.assert_story("35: job down since 35\n35: -> ops job down down\n");
    let opened: Vec<String> = world.incidents.values().map(|incident| incident.cause.to_string()).collect();
    assert!(opened.iter().any(|cause| cause == "the job says that it failed with exit status 3"), "{opened:?}");
    assert!(opened.iter().any(|cause| cause.ends_with("takes longer than 30 s")), "{opened:?}");
}

#[test]
fn what_a_changed_config_makes_overdue_is_shown_and_not_told() {
    let mut world = world();
    world.ping("job", SUCCESS);
    world.run(50);
    world.story.clear();
    let shorter =
        Heartbeat { schedule: Schedule::interval(Duration::from_secs(10)).expect("an interval"), grace: Duration::from_secs(5), ..rules() };
    let reload: Arc<ReloadView> = Arc::clone(&world.core.reload);
    world.apply(Event::ConfigChanged { config: config_with(shorter), reload });
    world.assert_story("50: job down since 15\n");
    world.ping("job", SUCCESS);
    world.assert_story("50: job up since 50\n");
    world.run(15);
    world.assert_story("65: job down since 65\n65: -> ops job down down\n");
}

#[test]
fn a_heartbeat_that_returns_to_the_config_is_not_blamed_for_its_absence() {
    let mut world = world();
    world.ping("job", SUCCESS);
    let reload: Arc<ReloadView> = Arc::clone(&world.core.reload);
    world.apply(Event::ConfigChanged { config: config(vec![testing::monitor("other")], &[]), reload: Arc::clone(&reload) });
    world.run(3000);
    world.apply(Event::ConfigChanged { config: config_with(rules()), reload });
    world.story.clear();
    // As after our own downtime: the slot of the return is waited for.
    world.run(29);
    assert!(!world.story.contains("ops"), "{}", world.story);
    world.run(1);
    assert!(world.story.contains("-> ops job down down"), "{}", world.story);
}

/// Rules, what is pinged at which second, how long is waited, and the reason in the last message.
type Story = (Heartbeat, &'static [(u64, Said)], u64, &'static str);

#[test]
fn every_message_says_which_kind_of_miss_it_is() {
    let seconds = |n| Some(Duration::from_secs(n));
    const START: Said = Said::Kind(PingKind::Start);
    let stories: [Story; 6] = [
        (rules(), &[(0, SUCCESS)], 100, "no success within 30 s of 2026-06-30T10:01:00Z; the last one came at 2026-06-30T10:00:00Z"),
        (rules(), &[], 100, "no ping ever came; the first was expected at 2026-06-30T10:01:00Z, and 30 s of grace are over"),
        (
            Heartbeat { start_grace: seconds(10), ..rules() },
            &[(0, START), (1, SUCCESS)],
            80,
            "no start within 10 s of 2026-06-30T10:01:01Z; the last one came at 2026-06-30T10:00:01Z",
        ),
        (rules(), &[(0, SUCCESS), (10, START), (15, Said::Exit(137))], 20, "the job says that it failed with exit status 137"),
        (
            Heartbeat { max_runtime: seconds(20), ..rules() },
            &[(0, SUCCESS), (30, START)],
            60,
            "the run that began at 2026-06-30T10:00:30Z takes longer than 20 s",
        ),
        (
            Heartbeat { min_runtime: seconds(10), ..rules() },
            &[(0, START), (20, SUCCESS), (30, START), (32, SUCCESS)],
            40,
            "a run finished after 2.0 s, faster than 10 s",
        ),
    ];
    for (rules, pings, until, expected) in stories {
        let mut world = World::new(config_with(rules));
        for (at, said) in pings {
            world.run_until(*at);
            world.ping("job", *said);
        }
        world.run_until(until);
        assert_eq!(world.told.last().map(String::as_str), Some(expected), "{}", world.story);
    }
}
