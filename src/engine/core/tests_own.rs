//! Stories about trouble of the instance itself, and about certificates that end, of one vantage in virtual time.

use std::time::Duration;

use crate::engine::core::tests::START;
use crate::engine::core::tests::World;
use crate::engine::core::tests::config;
use crate::engine::core::tests::watched;
use crate::engine::event::Event;
use crate::engine::event::Notice;
use crate::model::expect::CertificateDays;
use crate::model::expect::Expectation;
use crate::model::monitor::Monitor;
use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;

const MINUTE: Duration = Duration::from_secs(60);

fn seen(topic: &Topic, title: Option<&str>) -> Event {
    let trouble = title.map(|title| Trouble { title: title.to_owned(), text: "Mend it.".to_owned() });
    Event::Seen { topic: topic.clone(), trouble }
}

#[test]
fn a_bad_config_is_told_once_over_restarts_and_so_is_its_end() {
    let mut world = World::new(config(vec![watched("a")], &[]));
    world.run(60);
    world.story.clear();
    world.apply(seen(&Topic::Config, Some("the config is bad")));
    world.apply(seen(&Topic::Config, Some("the config is bad in another place")));
    world.assert_told(&["60: -> ops the config is bad"]);
    world.restart(30);
    world.apply(seen(&Topic::Config, Some("the config is bad")));
    world.run(30);
    world.assert_told(&[]);
    world.apply(seen(&Topic::Config, None));
    world.apply(seen(&Topic::Config, None));
    world.assert_told(&["120: -> ops the config on disk is valid again (eu)"]);
    world.restart(10);
    world.apply(seen(&Topic::Config, None));
    world.assert_told(&[]);
}

#[test]
fn a_disk_that_is_nearly_full_is_told_and_shown_until_it_has_room() {
    let mut world = World::new(config(vec![watched("a")], &[]));
    world.run(60);
    world.story.clear();
    world.apply(seen(&Topic::DiskLow, Some("the disk is nearly full")));
    world.assert_told(&["60: note the disk is nearly full: Mend it.", "60: -> ops the disk is nearly full"]);
    let now = world.now();
    assert_eq!(
        world.core.snapshot(now).troubles.iter().map(|trouble| trouble.title.as_str()).collect::<Vec<_>>(),
        ["the disk is nearly full"]
    );
    world.run(600);
    world.apply(seen(&Topic::DiskLow, None));
    world.run(40);
    world.assert_told(&[
        "691: note the disk has room again (eu): It was nearly full for 10 min.",
        "691: -> ops the disk has room again (eu)",
    ]);
    let now = world.now();
    assert!(world.core.snapshot(now).troubles.is_empty());
    // A database that had to begin anew is given what people know, too.
    world.apply(seen(&Topic::DiskFull, Some("full")));
    world.story.clear();
    world.facts.clear();
    world.apply(Event::StoreReplaced);
    assert!(world.facts.contains_key("self/disk-full"), "{:?}", world.facts.keys());
}

#[test]
fn what_has_no_end_is_told_once_in_a_while() {
    let mut world = World::new(config(vec![watched("a")], &[]));
    world.run(60);
    world.story.clear();
    let notice = |about: &'static str| Event::Notice(Notice { about: about.into(), title: about.to_owned(), text: String::new() });
    for _ in 0..3 {
        world.apply(notice("one"));
        world.apply(notice("two"));
        world.run(290);
    }
    world.assert_told(&["60: -> ops one", "60: -> ops two"]);
    world.apply(notice("one"));
    world.assert_told(&["930: -> ops one"]);
}

fn with_limits(id: &str) -> Monitor {
    let certificate = CertificateDays { degraded: Some(MINUTE * 60), down: None, warn: vec![MINUTE * 30, MINUTE * 10] };
    Monitor { expect: Expectation { certificate: Some(certificate), ..Expectation::default() }, ..watched(id) }
}

fn ends_at(seconds: i64) -> Option<UnixMillis> {
    Some(UnixMillis(START + seconds * 1000))
}

#[test]
fn a_certificate_is_told_once_at_each_limit_over_restarts_and_once_when_it_is_renewed() {
    let mut world = World::new(config(vec![with_limits("a")], &[]));
    world.certificate = ends_at(7200);
    world.run(3500);
    world.story.clear();
    world.run(1000);
    let story = std::mem::take(&mut world.story);
    assert_eq!(story.matches("-> ops").count(), 1, "{story}");
    assert!(story.contains("-> ops a certificate degraded"), "{story}");
    world.run(800);
    world.restart(5);
    world.run(90);
    let story = std::mem::take(&mut world.story);
    assert_eq!(story, "", "half an hour is not reached yet");
    world.run(100);
    let story = std::mem::take(&mut world.story);
    assert!(story.ends_with("-> ops a certificate degraded\n") && story.lines().count() == 1, "{story}");
    let told = world.told.last().expect("told").clone();
    assert!(told.contains("a.example ends within a day") && told.ends_with("; this is the warning at 30 min"), "{told}");
    world.restart(5);
    world.run(1000);
    assert_eq!(std::mem::take(&mut world.story), "");
    world.run(200);
    assert_eq!(world.story.lines().count(), 1, "{}", world.story);
    assert!(world.told.last().expect("told").ends_with("; this is the warning at 10 min"), "{:?}", world.told.last());
    world.story.clear();
    world.certificate = ends_at(86_400);
    world.run(120);
    assert!(world.story.contains("-> ops a recovered up recovered"), "{}", world.story);
    let told = world.told.last().expect("told");
    assert!(told.starts_with("its certificate was renewed and ends on 2026-07-01T10:00:00Z"), "{told}");
    let keys: std::collections::BTreeSet<&String> = world.keys.iter().collect();
    assert_eq!(keys.len(), world.keys.len(), "every message has a key of its own");
}

#[test]
fn one_that_is_near_its_end_when_it_is_first_seen_is_told_once() {
    let mut world = World::new(config(vec![with_limits("a")], &[]));
    world.certificate = ends_at(1500);
    world.run(300);
    assert_eq!(world.story.matches("-> ops").count(), 1, "{}", world.story);
}

#[test]
fn a_monitor_that_is_slow_says_of_its_certificate_as_well() {
    let mut world = World::new(config(vec![with_limits("a")], &[]));
    world.certificate = ends_at(86_400);
    world.set("a", Outcome::Degraded);
    world.run(300);
    assert!(world.story.contains("-> ops a degraded degraded"), "{}", world.story);
    world.story.clear();
    world.certificate = ends_at(300 + 1500);
    world.run(120);
    assert_eq!(world.story.matches("-> ops a certificate degraded").count(), 1, "{}", world.story);
}

#[test]
fn a_lost_uplink_is_told_once_and_so_is_its_return_when_the_program_was_restarted_in_between() {
    let mut world = World::new(config(vec![watched("a")], &["1.1.1.1:443", "9.9.9.9:443"]));
    world.run(60);
    world.controls_ok = 0;
    world.set("a", Outcome::Down);
    world.run(120);
    assert_eq!(world.story.matches("-> ops").count(), 1, "{}", world.story);
    world.restart(30);
    world.run(120);
    assert_eq!(world.story.matches("-> ops the vantage eu lost its uplink").count(), 1, "{}", world.story);
    world.controls_ok = 2;
    world.set("a", Outcome::Up);
    world.run(60);
    assert_eq!(world.story.matches("-> ops the vantage eu has its uplink again").count(), 1, "{}", world.story);
    assert_eq!(world.story.matches("-> ops").count(), 2, "{}", world.story);
    // One that came back while nobody looked is told as well.
    world.run(600);
    world.controls_ok = 0;
    world.set("a", Outcome::Down);
    world.run(120);
    world.controls_ok = 2;
    world.set("a", Outcome::Up);
    world.restart(30);
    world.story.clear();
    world.run(120);
    assert_eq!(world.story.matches("-> ops the vantage eu has its uplink again").count(), 1, "{}", world.story);
}
