//! What is said about alerts on one node holds on all of them, and who is told of what does not depend on who is alive.

use super::*;
use crate::engine::snapshot::Held;
use crate::model::maintenance::Selection;
use crate::model::monitor::Origin;
use crate::model::monitor::Reminders;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Policy;
use crate::model::policy::Remind;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::policy::Step;

const ALL: [&str; 3] = ["a", "b", "c"];
const MINUTE: u64 = 60;

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * MINUTE)
}

fn with_reminders(id: &str) -> Monitor {
    let remind = Reminders::These(Remind { every: minutes(10), backoff_tenths: 10, max: minutes(1440) });
    Monitor { remind, ..watched(id) }
}

impl World {
    fn ask(&mut self, node: &str, operation: Operation) {
        self.apply(&name(node), Event::Asked { operation, request: RequestId(1) });
    }

    fn acknowledge(&mut self, node: &str) {
        self.acknowledge_by(node, None);
    }

    fn acknowledge_by(&mut self, node: &str, by_channel: Option<ChannelName>) {
        let ack = Acknowledgement { by: "ada".to_owned(), at: UnixMillis(0), until: None, note: String::new(), by_channel };
        let incident = self.hosts[&name(node)].incidents.values().find(|incident| incident.closed.is_none()).expect("open").id.clone();
        self.ask(node, Operation::Acknowledge(incident, ack));
    }

    fn silence(&mut self, node: &str, seconds: i64) {
        let wanted = Selection { names: vec!["*".to_owned()], ..Selection::default() };
        let silence =
            Silence { wanted, from: UnixMillis(0), until: UnixMillis(START + seconds * 1000), by: "ada".to_owned(), note: String::new() };
        self.ask(node, Operation::Silence(SilenceId::parse("aaaaaaa1").expect("an id"), silence));
    }

    /// What a node keeps of what people said of alerts: the act, and whether it holds.
    fn kept_acts(&self, node: &str) -> Vec<(String, bool)> {
        let acts = tests::shared(self.hosts[&name(node)].facts.values());
        let of = |record: Record| {
            let Record::Operator(fact) = record else { return None };
            Some((format!("{:?}", fact.act), fact.holds))
        };
        acts.into_iter().filter_map(of).collect()
    }

    /// What is owed has the same keys wherever it is owed.
    fn assert_same_keys(&self) {
        let keys: BTreeSet<Vec<&str>> =
            self.hosts.values().map(|host| host.owed.iter().map(|(_, notification)| notification.key.as_str()).collect()).collect();
        assert_eq!(keys.len(), 1, "{}", self.owed());
    }

    fn give(&mut self, policies: &[Policy]) {
        for node in ALL {
            let host = self.hosts.get_mut(&name(node)).expect("a host");
            let mut config = (*host.config).clone();
            config.policies = policies.iter().cloned().map(Arc::new).collect();
            let boss = Arc::new(testing::channel("boss"));
            config.channels.insert(boss.name.clone(), boss);
            host.config = Arc::new(config);
            let event = Event::ConfigChanged { config: Arc::clone(&host.config), reload: reload("same") };
            self.apply(&name(node), event);
        }
    }
}

#[test]
fn who_acknowledges_anywhere_is_known_everywhere_and_after_a_restart() {
    let mut world = up_world(&three(vec![with_reminders("api")]));
    world.set("api", &ALL, Outcome::Down);
    world.run(12 * MINUTE);
    world.assert_owed("a: down api, reminder api; b: down api, reminder api; c: down api, reminder api");
    world.assert_same_keys();
    world.acknowledge("b");
    world.run(5);
    for node in ALL {
        world.stop(node);
        world.start(node);
        world.run(20);
    }
    world.run(60 * MINUTE);
    let one = "down api, reminder api, acknowledged api";
    world.assert_owed(&format!("a: {one}; b: {one}; c: {one}"));
    world.assert_same_keys();
    for node in ALL {
        let picture = world.picture(node);
        let alert = &picture.monitors[&MonitorId::parse("api").expect("an id")].alerts[0];
        assert_eq!(alert.acknowledged.as_ref().map(|ack| ack.by.as_str()), Some("ada"), "{node}");
    }
}

#[test]
fn a_service_that_said_so_to_one_node_is_told_so_by_none() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &ALL, Outcome::Down);
    world.run(5 * MINUTE);
    world.acknowledge_by("b", ChannelName::parse("ops").ok());
    world.run(MINUTE);
    world.assert_owed("a: down api; b: down api; c: down api");
    for node in ALL {
        let picture = world.picture(node);
        let alert = &picture.monitors[&MonitorId::parse("api").expect("an id")].alerts[0];
        assert!(alert.acknowledged.as_ref().is_some_and(|ack| ack.by_channel == ChannelName::parse("ops").ok()), "{node}");
    }
}

#[test]
fn reminders_and_steps_go_on_when_nodes_die() {
    let mut world = up_world(&three(vec![with_reminders("api")]));
    let step = |after, channels: Option<&str>| Step {
        after: minutes(after),
        channels: channels.map(|channel| vec![ChannelName::parse(channel).expect("a name")]),
        unless_acknowledged: true,
    };
    world.give(&[Policy {
        name: "p".to_owned(),
        wanted: Selection { names: vec!["*".to_owned()], ..Selection::default() },
        steps: vec![step(0, None), step(5, Some("boss"))],
        remind: None,
        bundle: Duration::ZERO,
        origin: Origin { file: Arc::new(PathBuf::from("test.yaml")), line: 1 },
    }]);
    world.set("api", &ALL, Outcome::Down);
    world.run(2 * MINUTE);
    world.stop("a");
    world.run(10 * MINUTE);
    world.assert_owed("a: down api; b: down api, down api, reminder api, reminder api; c: down api, down api, reminder api, reminder api");
    // It comes back, and owes nothing but what the others owed: messages that are known to be sent.
    world.start("a");
    world.run(2 * MINUTE);
    let keys = |world: &World, node: &str| -> BTreeSet<String> {
        world.hosts[&name(node)].owed.iter().map(|(_, notification)| notification.key.clone()).collect()
    };
    assert!(keys(&world, "a").is_subset(&keys(&world, "b")) && 1 < keys(&world, "a").len());
}

#[test]
fn a_silence_holds_on_all_nodes_and_what_is_down_at_its_end_is_told_once() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.silence("c", 1000);
    world.run(2);
    world.set("api", &ALL, Outcome::Down);
    world.run(5 * MINUTE);
    world.assert_owed("a: ; b: ; c: ");
    for node in ALL {
        let picture = world.picture(node);
        assert_eq!(picture.silences.len(), 1, "{node}");
        let held = picture.monitors[&MonitorId::parse("api").expect("an id")].alerts[0].held.clone();
        assert!(matches!(held, Some(Held::Silence(..))), "{node}: {held:?}");
    }
    world.stop("b");
    world.run(1100 - world.seconds());
    world.assert_owed("a: down api; b: ; c: down api");
    world.start("b");
    world.run(MINUTE);
    world.assert_owed("a: down api; b: down api; c: down api");
    world.assert_same_keys();
}

#[test]
fn what_was_said_of_alerts_goes_everywhere_with_what_it_was_about() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &ALL, Outcome::Down);
    world.run(2 * MINUTE);
    world.acknowledge("b");
    world.silence("c", i64::try_from(world.seconds() + 300).expect("small"));
    world.run(5);
    // One that is away for the end of both finds it by itself, or hears of it.
    world.stop("c");
    world.set("api", &ALL, Outcome::Up);
    world.run(10 * MINUTE);
    world.start("c");
    world.run(MINUTE);
    let all_over = |world: &mut World| {
        for node in ALL {
            let kept = world.kept_acts(node);
            assert_eq!(kept.iter().map(|(_, holds)| *holds).collect::<Vec<_>>(), [false, false], "{node}: {kept:?}");
            assert!(world.picture(node).silences.is_empty(), "{node}");
        }
    };
    all_over(&mut world);
    // Whoever starts says again what it knows; nothing of it is alive.
    for node in ALL {
        world.stop(node);
        world.start(node);
        world.run(20);
    }
    all_over(&mut world);
    // What is over is kept for a week and no longer, also in what goes from node to node.
    world.set("api", &ALL, Outcome::Down);
    world.run(2 * MINUTE);
    world.acknowledge("a");
    world.run(5);
    assert_eq!(world.kept_acts("b").len(), 3);
    assert!(world.picture("b").monitors[&MonitorId::parse("api").expect("an id")].alerts[0].acknowledged.is_some());
}

#[test]
fn the_end_of_what_somebody_was_at_work_on_reminds_nobody() {
    let mut world = up_world(&three(vec![with_reminders("api")]));
    world.set("api", &ALL, Outcome::Down);
    world.run(2 * MINUTE);
    world.acknowledge("b");
    // A reminder would be due by now.
    world.run(12 * MINUTE);
    world.set("api", &ALL, Outcome::Up);
    world.run(2 * MINUTE);
    let one = "down api, acknowledged api, recovered api";
    world.assert_owed(&format!("a: {one}; b: {one}; c: {one}"));
    world.assert_same_keys();
}

#[test]
fn a_parent_that_goes_down_a_little_later_hides_its_children_on_all_nodes() {
    let child = Monitor { depends_on: vec![MonitorId::parse("lb").expect("an id")], ..watched("app") };
    let mut world = up_world(&three(vec![watched("lb"), child]));
    world.set("app", &ALL, Outcome::Down);
    // One region sees the parent as it was.
    world.set("lb", &["a", "b"], Outcome::Down);
    world.run(5 * MINUTE);
    world.assert_owed("a: down lb; b: down lb; c: down lb");
    world.set("lb", &ALL, Outcome::Up);
    world.set("app", &ALL, Outcome::Up);
    world.run(5 * MINUTE);
    world.assert_owed("a: down lb, recovered lb; b: down lb, recovered lb; c: down lb, recovered lb");
    world.assert_agreed();
}
