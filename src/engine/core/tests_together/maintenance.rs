//! Maintenance windows of several vantages: each goes by its own config and clock, and they come to the same.

use super::*;
use crate::model::maintenance::Selection;
use crate::model::maintenance::Span;
use crate::model::maintenance::When;
use crate::model::maintenance::Window;
use crate::model::monitor::Origin;
use crate::model::schedule::Zone;

const ALL: [&str; 3] = ["a", "b", "c"];

impl World {
    /// Gives these nodes a config with a window of `api` between those seconds.
    fn plan(&mut self, nodes: &[&str], (from, to): (i64, i64)) {
        let at = |seconds: i64| UnixMillis(START + seconds * 1000);
        let window = Arc::new(Window {
            name: "w".to_owned(),
            wanted: Selection::default(),
            monitors: BTreeSet::from([MonitorId::parse("api").expect("an id")]),
            when: When::Once(Span { from: at(from), to: at(to) }, Zone::utc()),
            message: None,
            origin: Origin { file: Arc::new(PathBuf::from("test.yaml")), line: 1 },
        });
        for node in nodes {
            let host = self.hosts.get_mut(&name(node)).expect("a host");
            let mut config = (*host.config).clone();
            config.maintenance = vec![Arc::clone(&window)];
            host.config = Arc::new(config);
            let event = Event::ConfigChanged { config: Arc::clone(&host.config), reload: reload("same") };
            self.apply(&name(node), event);
        }
    }

    fn run_until(&mut self, second: u64) {
        self.run(second - self.seconds());
    }

    /// What everybody's clock is ahead by, and what they know of each other's.
    fn skew(&mut self, by_ms: [(&str, i64); 3]) {
        for (node, ms) in by_ms {
            self.hosts.get_mut(&name(node)).expect("a host").skew_ms = ms;
            let others = by_ms.iter().filter(|(other, _)| *other != node).map(|(other, theirs)| (name(other), theirs - ms));
            self.apply(&name(node), Event::Peers(PeerNews::ClockOffsets(others.collect())));
        }
    }
}

#[test]
fn what_is_down_in_a_window_is_told_once_when_it_closes() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.plan(&ALL, (100, 300));
    world.run_until(120);
    world.set("api", &ALL, Outcome::Down);
    world.run_until(299);
    world.assert_owed("a: ; b: ; c: ");
    for node in ALL {
        assert_eq!(world.verdict(node, "api"), Verdict::Maintenance, "{node}");
    }
    world.run_until(303);
    world.assert_owed("a: down api; b: down api; c: down api");
    world.assert_agreed();
    for (node, host) in &world.hosts {
        let Subject::Incident(facts) = &host.owed[0].1.subject else { panic!("an incident") };
        assert!((START + 120_000..START + 145_000).contains(&facts.started_at.0), "{node} dates it at {}", facts.started_at.rfc3339());
    }
    world.set("api", &ALL, Outcome::Up);
    world.run_until(400);
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
    world.assert_agreed();
}

#[test]
fn what_was_told_before_a_window_ends_in_it_and_what_comes_and_goes_in_it_is_told_to_nobody() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.plan(&ALL, (100, 300));
    world.set("api", &ALL, Outcome::Down);
    world.run_until(110);
    world.assert_owed("a: down api; b: down api; c: down api");
    world.set("api", &ALL, Outcome::Up);
    world.run_until(170);
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
    world.set("api", &ALL, Outcome::Down);
    world.run_until(230);
    world.set("api", &["a"], Outcome::Up);
    world.run_until(250);
    world.set("api", &ALL, Outcome::Up);
    world.run_until(400);
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
    world.assert_agreed();
}

#[test]
fn regional_trouble_waits_too() {
    let regional = Monitor { partial_after: Duration::from_secs(10), ..watched("api") };
    let mut setup = three(vec![regional]);
    setup.uplink = false;
    let mut world = up_world(&setup);
    world.plan(&ALL, (100, 300));
    world.run_until(110);
    world.set("api", &["c"], Outcome::Down);
    world.run_until(299);
    let n_open = |world: &World| world.hosts.values().map(|host| host.incidents.len()).sum::<usize>();
    assert_eq!(n_open(&world), 0, "{}", world.story);
    world.run_until(303);
    assert_eq!(n_open(&world), 3, "{}", world.story);
}

#[test]
fn nobody_opens_before_the_window_is_over_by_all_clocks() {
    for skews in [[("a", 0), ("b", 8000), ("c", 8000)], [("a", 8000), ("b", 0), ("c", -8000)], [("a", 8000), ("b", 8000), ("c", -8000)]] {
        let slowest = skews.iter().map(|(_, ms)| *ms).min().expect("three");
        let mut world = up_world(&three(vec![watched("api")]));
        world.skew(skews);
        world.plan(&ALL, (150, 300));
        world.run_until(180);
        world.set("api", &ALL, Outcome::Down);
        let end = u64::try_from(300 - slowest / 1000).expect("later");
        world.run_until(end);
        world.assert_owed("a: ; b: ; c: ");
        world.run_until(end + 3);
        world.assert_owed("a: down api; b: down api; c: down api");
        world.assert_agreed();
    }
}

#[test]
fn a_clock_that_is_plainly_wrong_keeps_no_window_open() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.skew([("a", 0), ("b", 0), ("c", -3_600_000)]);
    world.plan(&ALL, (150, 300));
    world.run_until(180);
    world.set("api", &ALL, Outcome::Down);
    world.run_until(299);
    world.assert_owed("a: ; b: ; c: ");
    world.run_until(330);
    world.assert_owed("a: down api; b: down api; c: down api");
}

#[test]
fn what_a_node_without_the_window_opens_is_adopted() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.plan(&["a", "b"], (100, 600));
    world.run_until(110);
    world.set("api", &ALL, Outcome::Down);
    world.run_until(200);
    world.assert_owed("a: down api; b: down api; c: down api");
    world.assert_agreed();
    assert_eq!(world.verdict("a", "api"), Verdict::Maintenance);
    assert_eq!(world.verdict("c", "api"), Verdict::Down);
    world.set("api", &ALL, Outcome::Up);
    world.run_until(300);
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
    world.assert_agreed();
    world.run_until(700);
    assert_eq!(world.verdict("a", "api"), Verdict::Up);
}

#[test]
fn a_node_that_starts_in_a_window_opens_nothing() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.plan(&ALL, (100, 600));
    world.run_until(110);
    world.set("api", &ALL, Outcome::Down);
    world.run_until(150);
    for node in ALL {
        world.stop(node);
    }
    world.run_until(155);
    for node in ALL {
        world.start(node);
    }
    world.run_until(590);
    world.assert_owed("a: ; b: ; c: ");
    world.run_until(604);
    world.assert_owed("a: down api; b: down api; c: down api");
    world.assert_agreed();
}
