//! Stories about who is told when, in virtual time. Monitors are checked every 60 seconds, and after a bad check 10 seconds later.

use super::tests::START;
use super::tests::World;
use super::tests::config;
use super::tests::reload;
use super::tests::watched;
use super::*;
use crate::engine::snapshot::Held;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::maintenance::Selection;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::monitor::Reminders;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Policy;
use crate::model::policy::Remind;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::policy::Step;
use crate::model::result::Outcome;
use crate::model::testing;

const MINUTE: u64 = 60;

fn second(seconds: u64) -> UnixMillis {
    UnixMillis(START + i64::try_from(seconds * 1000).expect("small"))
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).expect("a name")
}

fn step(minutes: u64, name: &str, unless_acknowledged: bool) -> Step {
    Step { after: Duration::from_secs(minutes * MINUTE), channels: Some(vec![channel(name)]), unless_acknowledged }
}

fn policy(steps: Vec<Step>, remind_minutes: Option<u64>, bundle_seconds: u64) -> Policy {
    let every = |minutes| Duration::from_secs(minutes * MINUTE);
    Policy {
        name: "p".to_owned(),
        wanted: Selection { names: vec!["*".to_owned()], ..Selection::default() },
        steps,
        remind: remind_minutes.map(|minutes| Remind { every: every(minutes), backoff_tenths: 10, max: every(24 * 60) }),
        bundle: Duration::from_secs(bundle_seconds),
        origin: Origin { file: Arc::new(std::path::PathBuf::from("test.yaml")), line: 1 },
    }
}

fn with(monitors: Vec<Monitor>, policy: Option<Policy>) -> Arc<Config> {
    let mut config = (*config(monitors, &[])).clone();
    for name in ["oncall", "boss"] {
        let channel = Arc::new(testing::channel(name));
        config.channels.insert(channel.name.clone(), channel);
    }
    config.policies = policy.into_iter().map(Arc::new).collect();
    Arc::new(config)
}

fn depending(id: &str, parents: &[&str]) -> Monitor {
    Monitor { depends_on: parents.iter().map(|id| MonitorId::parse(id).expect("an id")).collect(), ..watched(id) }
}

/// Everything is up at second 130, and what was told of that is forgotten.
fn world(config: Arc<Config>) -> World {
    let mut world = World::new(config);
    world.run_until(130);
    world.story.clear();
    world
}

impl World {
    /// What went out since this was last asked, without the seconds and everything else.
    fn messages(&mut self) -> Vec<String> {
        let story = std::mem::take(&mut self.story);
        story.lines().filter_map(|line| Some(line.split_once("-> ")?.1.to_owned())).collect()
    }

    fn seconds_of_messages(&mut self) -> Vec<u64> {
        let story = std::mem::take(&mut self.story);
        story.lines().filter(|line| line.contains("-> ")).filter_map(|line| line.split_once(':')?.0.parse().ok()).collect()
    }

    fn open(&self, id: &str) -> IncidentId {
        let found = self.incidents.values().find(|incident| incident.monitor.as_str() == id && incident.closed.is_none());
        found.expect("an open incident").id.clone()
    }

    fn acknowledge(&mut self, id: &str, until: Option<UnixMillis>) {
        let ack = Acknowledgement { by: "ada".to_owned(), at: UnixMillis(0), until, note: "on it".to_owned(), by_channel: None };
        let incident = self.open(id);
        self.ask(Operation::Acknowledge(incident, ack));
    }

    fn silence(&mut self, id: &str, names: &str, until: UnixMillis) {
        let wanted = Selection { names: vec![names.to_owned()], ..Selection::default() };
        let silence = Silence { wanted, from: UnixMillis(0), until, by: "ada".to_owned(), note: String::new() };
        self.ask(Operation::Silence(SilenceId::parse(id).expect("an id"), silence));
    }

    fn held(&mut self, id: &str, at: u64) -> Option<Held> {
        let now = Now { wall: second(at), mono: Mono(1_000_000_000 + at * 1_000_000) };
        let snapshot = self.core.snapshot(now);
        snapshot.monitors[&MonitorId::parse(id).expect("an id")].alerts.iter().find_map(|alert| alert.held.clone())
    }
}

#[test]
fn who_does_not_answer_is_followed_by_the_next_one() {
    let steps = || vec![step(0, "ops", false), step(10, "oncall", true), step(30, "boss", true)];
    let mut world = world(with(vec![watched("m")], Some(policy(steps(), None, 0))));
    world.set("m", Outcome::Down);
    world.run(15 * MINUTE);
    assert_eq!(world.messages(), ["ops m down down", "oncall m down down"]);
    world.acknowledge("m", None);
    assert_eq!(world.messages(), ["oncall m acknowledged down", "ops m acknowledged down"]);
    world.run(120 * MINUTE);
    assert_eq!(world.messages(), [""; 0], "the boss sleeps");
    world.set("m", Outcome::Up);
    world.run(2 * MINUTE);
    let told = world.messages();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|line| line.contains("m recovered up")), "{told:?}");
}

#[test]
fn a_service_that_said_so_itself_is_not_told_so() {
    let steps = vec![step(0, "ops", false), step(1, "oncall", false)];
    let mut world = world(with(vec![watched("m")], Some(policy(steps, None, 0))));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops m down down", "oncall m down down"]);
    let by_channel = ChannelName::parse("oncall").ok();
    let ack = Acknowledgement { by: "ada in PagerDuty".to_owned(), at: UnixMillis(0), until: None, note: String::new(), by_channel };
    let incident = world.open("m");
    world.ask(Operation::Acknowledge(incident, ack));
    assert_eq!(world.messages(), ["ops m acknowledged down"]);
    let incident = world.open("m");
    world.ask(Operation::Withdraw(incident));
    assert_eq!(world.messages(), ["ops m reminder down"], "nor that it was taken back");
    world.acknowledge("m", None);
    assert_eq!(world.messages(), ["oncall m acknowledged down", "ops m acknowledged down"], "somebody else may be news there");
}

#[test]
fn reminders_keep_their_times_over_a_restart() {
    let monitor = Monitor { remind: Reminders::ByPolicy, ..watched("m") };
    let mut world = world(with(vec![monitor], Some(policy(vec![step(0, "ops", false)], Some(60), 0))));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops m down down"]);
    let down = (world.incidents[world.open("m").as_str()].confirmed_at.0 - START) / 1000;
    world.run(40 * MINUTE);
    world.restart(5 * MINUTE);
    world.run(30 * MINUTE);
    let times: Vec<i64> = world.seconds_of_messages().into_iter().map(|at| i64::try_from(at).expect("small") - down).collect();
    assert!(matches!(times.as_slice(), [3600..=3601]), "{times:?}");
    // While it does not run two reminders are missed; one comes.
    world.restart(150 * MINUTE);
    world.run(2 * MINUTE);
    assert_eq!(world.messages(), ["ops m reminder down"]);
}

#[test]
fn an_acknowledgement_outlives_a_restart_and_a_snooze_ends() {
    let mut world = world(with(vec![watched("m")], Some(policy(vec![step(0, "ops", false)], Some(60), 0))));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    world.messages();
    let until = second(130 + 125 * MINUTE);
    world.acknowledge("m", Some(until));
    assert_eq!(world.messages(), ["ops m acknowledged down"]);
    world.restart(10);
    world.run(110 * MINUTE);
    assert_eq!(world.messages(), [""; 0]);
    world.run(12 * MINUTE);
    assert_eq!(world.messages(), ["ops m reminder down"], "the snooze is over");
    world.acknowledge("m", None);
    world.restart(10);
    world.run(300 * MINUTE);
    assert_eq!(world.messages(), ["ops m acknowledged down"]);
    let incident = world.open("m");
    world.ask(Operation::Withdraw(incident));
    world.run(61 * MINUTE);
    assert_eq!(world.messages()[..1], ["ops m reminder down"]);
}

#[test]
fn what_is_silenced_is_told_at_the_end_of_it_if_it_is_still_wrong() {
    let mut world = world(with(vec![watched("a"), watched("b"), watched("c")], None));
    world.silence("aaaaaaa1", "[abx]", second(600));
    world.silence("aaaaaaa2", "a", second(1200));
    world.silence("aaaaaaa3", "b", second(1200));
    world.set("a", Outcome::Down);
    world.set("b", Outcome::Down);
    world.set("c", Outcome::Down);
    world.run_until(700);
    assert_eq!(world.messages(), ["ops c down down"]);
    assert!(matches!(world.held("a", 700), Some(Held::Silence(..))));
    world.restart(1);
    world.set("b", Outcome::Up);
    world.run_until(1100);
    assert_eq!(world.messages(), [""; 0], "nobody is told of the end of what was not told");
    world.run_until(1300);
    assert_eq!(world.messages(), ["ops a down down"]);
    let start = world.incidents[world.open("a").as_str()].opened_at;
    assert!(start < second(260), "dated at its own beginning");
}

#[test]
fn a_silence_that_is_ended_early_or_comes_too_late() {
    let mut world = world(with(vec![watched("m")], None));
    world.silence("aaaaaaa1", "*", second(5000));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), [""; 0]);
    world.ask(Operation::EndSilence(SilenceId::parse("aaaaaaa1").expect("an id")));
    assert_eq!(world.messages(), ["ops m down down"]);
    world.silence("aaaaaaa2", "*", second(50_000));
    world.set("m", Outcome::Up);
    world.run(2 * MINUTE);
    assert_eq!(world.messages().len(), 1, "whoever was told of trouble is told of its end");
}

#[test]
fn a_parent_that_is_down_says_it_for_its_children() {
    let mut monitors = vec![watched("lb")];
    monitors.extend((0..200).map(|i| depending(&format!("app{i}"), &["lb"])));
    let mut world = world(with(monitors, None));
    world.set("lb", Outcome::Down);
    (0..200).for_each(|i| world.set(&format!("app{i}"), Outcome::Down));
    world.run(10 * MINUTE);
    assert_eq!(world.messages(), ["ops lb down down"]);
    assert_eq!(world.incidents.len(), 201, "they are checked and shown as ever");
    world.set("lb", Outcome::Up);
    (0..199).for_each(|i| world.set(&format!("app{i}"), Outcome::Up));
    world.run(10 * MINUTE);
    let told = world.messages();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("ops lb recovered up"));
    assert_eq!(told[1], "ops app199 down down", "still down after its own confirmation");
    world.set("app199", Outcome::Up);
    world.run(2 * MINUTE);
    assert_eq!(world.messages().len(), 1);
}

#[test]
fn a_child_whose_parent_is_well_is_told_as_soon_as_the_parent_was_asked() {
    let slow = Monitor { interval: Duration::from_secs(3600), ..watched("lb") };
    let mut world = world(with(vec![slow, depending("app", &["lb"])], None));
    world.run_until(4000);
    world.story.clear();
    world.set("app", Outcome::Down);
    let before = world.checks_of("lb").len();
    world.run(2 * MINUTE);
    assert_eq!(world.messages(), ["ops app down down"]);
    assert_eq!(world.checks_of("lb").len(), before + 1, "it is asked out of turn");
}

#[test]
fn a_slow_parent_is_found_before_its_child_is_told() {
    let slow = Monitor { interval: Duration::from_secs(3600), ..watched("lb") };
    let mut world = world(with(vec![slow, depending("app", &["mid"]), depending("mid", &["lb"])], None));
    world.run_until(4000);
    world.story.clear();
    ["lb", "mid", "app"].into_iter().for_each(|id| world.set(id, Outcome::Down));
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops lb down down"], "also over two generations");
}

#[test]
fn what_was_told_is_told_to_its_end_whatever_parents_do() {
    let mut world = world(with(vec![watched("lb"), Monitor { remind: hourly(), ..depending("app", &["lb"]) }], None));
    world.set("app", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops app down down"]);
    world.set("lb", Outcome::Down);
    world.run(60 * MINUTE);
    assert_eq!(world.messages(), ["ops lb down down", "ops app reminder down"]);
    world.set("app", Outcome::Up);
    world.run(2 * MINUTE);
    assert_eq!(world.messages().len(), 1);
}

fn hourly() -> Reminders {
    Reminders::These(Remind { every: Duration::from_secs(3600), backoff_tenths: 10, max: Duration::from_secs(86_400) })
}

#[test]
fn a_parent_of_which_nothing_is_known_hides_its_children_for_a_while_only() {
    let mut world = world(with(vec![watched("lb"), depending("app", &["lb"])], None));
    world.set("lb", Outcome::Unknown);
    world.run(20 * MINUTE);
    world.story.clear();
    world.set("app", Outcome::Down);
    world.run(20 * MINUTE);
    assert_eq!(world.messages(), ["ops app down down"]);
}

#[test]
fn what_goes_up_and_down_is_told_a_few_times_and_its_final_state_always() {
    for last in [Outcome::Up, Outcome::Down] {
        let mut world = world(with(vec![watched("m")], None));
        for _ in 0..30 {
            world.set("m", Outcome::Down);
            world.run(MINUTE + 20);
            world.set("m", Outcome::Up);
            world.run(MINUTE);
        }
        world.set("m", last);
        world.run(2 * MINUTE);
        world.restart(5);
        let told = world.messages();
        assert!((6..=8).contains(&told.len()), "{told:?}");
        world.run(20 * MINUTE);
        let told = world.messages();
        match last {
            Outcome::Up => assert!(told.iter().all(|line| line.contains("recovered up")) && told.len() <= 1, "{told:?}"),
            Outcome::Down | Outcome::Degraded | Outcome::Unknown => assert_eq!(told, ["ops m down down"]),
        }
        let told = &world.states[&MonitorId::parse("m").expect("an id")].told;
        assert_eq!(told.is_empty(), last == Outcome::Up, "nobody is left with the wrong news");
    }
}

#[test]
fn openings_are_gathered_from_the_first_one_on() {
    let monitors = (0..20).map(|i| watched(&format!("m{i}"))).collect();
    let mut world = world(with(monitors, Some(policy(vec![step(0, "ops", false)], None, 90))));
    (0..20).for_each(|i| world.set(&format!("m{i}"), Outcome::Down));
    world.run(10 * MINUTE);
    let times = world.seconds_of_messages();
    assert_eq!(times.len(), 20);
    assert!(times.iter().collect::<std::collections::BTreeSet<_>>().len() <= 2, "{times:?}");
}

#[test]
fn what_begins_and_ends_while_openings_are_gathered_is_told() {
    let mut world = world(with(vec![watched("m")], Some(policy(vec![step(0, "ops", false), step(20, "boss", true)], None, 600))));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), [""; 0], "it is gathered");
    world.set("m", Outcome::Up);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops m down down", "ops m recovered up recovered after 300s"]);
    world.run(60 * MINUTE);
    assert_eq!(world.messages(), [""; 0], "and once");
}

#[test]
fn who_relied_on_somebody_is_told_that_nobody_is_at_work_any_more() {
    let mut world = world(with(vec![watched("m")], Some(policy(vec![step(0, "ops", false), step(10, "boss", true)], None, 0))));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    world.acknowledge("m", None);
    world.run(30 * MINUTE);
    world.messages();
    let incident = world.open("m");
    world.ask(Operation::Withdraw(incident));
    assert_eq!(world.messages(), ["ops m reminder down", "boss m down down"]);
    world.acknowledge("m", None);
    world.silence("aaaaaaa1", "m", second(3 * 60 * MINUTE));
    world.messages();
    let incident = world.open("m");
    world.ask(Operation::Withdraw(incident));
    assert_eq!(world.messages(), [""; 0], "but not while it is silenced");
}

#[test]
fn a_channel_that_is_not_in_the_config_is_owed_the_end_of_what_it_was_told() {
    let steps = || vec![step(0, "ops", false), step(1, "boss", false)];
    let both = with(vec![watched("m")], Some(policy(steps(), None, 0)));
    let mut world = world(Arc::clone(&both));
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops m down down", "boss m down down"]);
    let mut renamed = Config::clone(&with(vec![watched("m")], Some(policy(vec![step(0, "ops", false)], None, 0))));
    renamed.channels.remove(&channel("boss"));
    world.apply(Event::ConfigChanged { config: Arc::new(renamed), reload: reload() });
    world.set("m", Outcome::Up);
    world.run(2 * MINUTE);
    assert_eq!(world.messages(), ["boss m recovered up recovered after 300s", "ops m recovered up recovered after 300s"]);
    world.apply(Event::ConfigChanged { config: both, reload: reload() });
    world.set("m", Outcome::Down);
    world.run(5 * MINUTE);
    assert_eq!(world.messages(), ["ops m down down", "boss m down down"], "and is back");
}

#[test]
fn another_policy_takes_over_what_is_open() {
    let mut world = world(with(vec![watched("m")], Some(policy(vec![step(0, "ops", false)], None, 0))));
    world.set("m", Outcome::Down);
    world.run(30 * MINUTE);
    world.messages();
    let other = policy(vec![step(0, "ops", false), step(10, "boss", false)], None, 0);
    world.apply(Event::ConfigChanged { config: with(vec![watched("m")], Some(other)), reload: reload() });
    assert_eq!(world.messages(), ["boss m down down"], "its step is long due");
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut world = world(with(vec![watched("m")], None));
    let ack = |by: &str| Acknowledgement { by: by.to_owned(), at: UnixMillis(0), until: None, note: String::new(), by_channel: None };
    world.ask(Operation::Acknowledge(IncidentId::from_derived("nothing"), ack("ada")));
    world.ask(Operation::EndSilence(SilenceId::parse("aaaaaaa1").expect("an id")));
    world.silence("aaaaaaa1", "*", second(131));
    world.silence("aaaaaaa1", "*", second(90 * 86_400));
    assert_eq!(
        std::mem::take(&mut world.story).lines().collect::<Vec<_>>(),
        [
            "130: answer Err(NotNow(\"there is no open incident `nothing`\"))",
            "130: answer Err(NotNow(\"there is no silence `aaaaaaa1`\"))",
            "130: answer Err(NotNow(\"the end must be at least 1 min ahead\"))",
            "130: answer Err(NotNow(\"31 d is the longest; switch off what is not to be watched for longer\"))",
        ]
    );
}
