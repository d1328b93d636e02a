//! Stories about one vantage, in virtual time: targets change at set moments, checks take no time, and what the core wanted
//! durable and said is compared with what a reader expects.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use super::*;
use crate::config::Auth;
use crate::config::Instance;
use crate::config::Retention;
use crate::config::Server;
use crate::engine::event::Observed;
use crate::engine::event::RequestId;
use crate::engine::ping::Arrived;
use crate::model::change::StoredFact;
use crate::model::id::ChannelName;
use crate::model::id::Region;
use crate::model::monitor::Monitor;
use crate::model::net::HostPort;
use crate::model::peer::Vantage;
use crate::model::ping::Arrival;
use crate::model::ping::BeatState;
use crate::model::ping::PingEntry;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::Phase;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::testing;
use crate::rules::certificate;
use crate::rules::heartbeat::Said;
use crate::rules::uplink::Round;

/// 2026-06-30T10:00:00Z
pub(super) const START: i64 = 1_782_813_600_000;

fn at(seconds: u64) -> Now {
    Now { wall: UnixMillis(START + i64::try_from(seconds * 1000).expect("small")), mono: Mono(1_000_000_000 + seconds * 1_000_000) }
}

pub(super) fn watched(id: &str) -> Monitor {
    Monitor { channels: vec![ChannelName::parse("ops").expect("a name")], ..testing::monitor(id) }
}

pub(super) fn config(monitors: Vec<Monitor>, uplink: &[&str]) -> Arc<Config> {
    let ops = Arc::new(testing::channel("ops"));
    Arc::new(Config {
        instance: Instance {
            region: Region::parse("eu").expect("a region"),
            vantage: Vantage::External,
            state_dir: PathBuf::from("data"),
            secret: None,
            allow_commands: false,
            edit: None,
        },
        server: Server { listen: Vec::new(), public_url: None, base_path: String::new(), trusted_proxies: Vec::new(), tls: None },
        auth: Auth::default(),
        monitors: monitors.into_iter().map(Arc::new).collect(),
        channels: [(ops.name.clone(), Arc::clone(&ops))].into(),
        pages: Vec::new(),
        policies: Vec::new(),
        incident_templates: Vec::new(),
        maintenance: Vec::new(),
        uplink: uplink.iter().map(|text| HostPort::parse(text).expect("an address")).collect(),
        self_channels: vec![ops.name.clone()],
        self_heartbeat: None,
        retention: Retention::default(),
        heartbeats: crate::config::Heartbeats::default(),
        doubts: Vec::new(),
        peers: None,
    })
}

pub(super) fn reload() -> Arc<ReloadView> {
    Arc::new(ReloadView {
        active_hash: String::new(),
        active_since: UnixMillis(START),
        is_last_good_copy: false,
        problems: Vec::new(),
        checked_at: UnixMillis(START),
        needs_restart: Vec::new(),
        recent: Vec::new(),
    })
}

/// Facts that are shared with peers.
pub(super) fn shared<'a>(facts: impl Iterator<Item = &'a StoredFact>) -> Vec<Record> {
    let shared = facts.filter(|fact| !fact.key.starts_with(own::KEPT_UNDER));
    shared.flat_map(|fact| crate::consensus::codec::decode(&fact.key, &fact.value).expect("our own")).collect()
}

/// What the judge makes of a good answer with a certificate.
pub(super) fn with_certificate(
    monitor: &Monitor,
    (outcome, failure): (Outcome, Option<Failure>),
    certificate: Option<UnixMillis>,
    at: UnixMillis,
) -> (Outcome, Option<Failure>) {
    let ends = certificate.filter(|end| certificate::below(&certificate::days(monitor), *end, at).is_some() && outcome == Outcome::Up);
    match ends {
        Some(end) => (Outcome::Degraded, Some(certificate::ends(end, "a.example".to_owned(), at))),
        None => (outcome, failure),
    }
}

/// A core, what its targets do, and everything that was made durable.
pub(super) struct World {
    pub(super) core: Core,
    seconds: u64,
    /// Outcome of each monitor from now on; up when absent.
    outcomes: BTreeMap<String, Outcome>,
    pub(super) controls_ok: usize,
    remote: Option<IpAddr>,
    /// When the certificate ends that all targets show.
    pub(super) certificate: Option<UnixMillis>,
    /// What the store would hold.
    pub(super) states: BTreeMap<MonitorId, MonitorState>,
    pub(super) incidents: BTreeMap<String, Incident>,
    /// One line per thing people would see.
    pub(super) story: String,
    checks: Vec<(u64, String)>,
    /// `Some`: checks stay under way here until they are answered.
    under_way: Option<Vec<(u64, Arc<Monitor>, Mono)>>,
    /// Controls stay unanswered.
    controls_hang: bool,
    pub(super) beats: BTreeMap<MonitorId, BeatState>,
    pub(super) log: Vec<PingEntry>,
    pub(super) facts: BTreeMap<String, StoredFact>,
    /// Causes and keys of messages about incidents, in order.
    pub(super) told: Vec<String>,
    pub(super) keys: Vec<String>,
    /// Whether the disk takes pings.
    pub(super) takes_pings: bool,
    n_pings: u64,
}

impl World {
    pub(super) fn new(config: Arc<Config>) -> World {
        let beginning = Beginning {
            cluster: "test".to_owned(),
            config,
            reload: reload(),
            states: Vec::new(),
            incidents: Vec::new(),
            recent: RecentResults::new(),
            last_alive: None,
            facts: Vec::new(),
            beats: Vec::new(),
            unfed: Vec::new(),
            last_ping: None,
            version: "test".to_owned(),
            own: Vec::new(),
        };
        let (core, commands) = Core::new(beginning, at(0));
        let mut world = World {
            core,
            seconds: 0,
            outcomes: BTreeMap::new(),
            controls_ok: 2,
            remote: Some("93.184.216.34".parse().expect("an address")),
            certificate: None,
            states: BTreeMap::new(),
            incidents: BTreeMap::new(),
            story: String::new(),
            checks: Vec::new(),
            under_way: None,
            controls_hang: false,
            beats: BTreeMap::new(),
            log: Vec::new(),
            facts: BTreeMap::new(),
            told: Vec::new(),
            keys: Vec::new(),
            takes_pings: true,
            n_pings: 0,
        };
        world.carry_out(commands);
        world
    }

    /// Checks begin and do not end until [`World::answer`].
    fn hold(&mut self) {
        self.under_way = Some(Vec::new());
    }

    /// Ends all checks under way, with the outcomes of now.
    fn answer(&mut self) {
        for (number, monitor, began) in self.under_way.take().unwrap_or_default() {
            let result = self.result(&monitor);
            self.apply(Event::Observed(Observed { number, began, result }));
        }
    }

    /// Ends the program and starts it again `later` seconds later.
    pub(super) fn restart(&mut self, later: u64) {
        let last_alive = at(self.seconds).wall;
        self.seconds += later;
        let beginning = Beginning {
            cluster: "test".to_owned(),
            config: Arc::clone(&self.core.config),
            reload: reload(),
            states: self.states.values().cloned().collect(),
            incidents: self.incidents.values().filter(|incident| incident.closed.is_none()).cloned().collect(),
            recent: RecentResults::new(),
            last_alive: Some(last_alive),
            facts: shared(self.facts.values()),
            beats: self.beats.values().cloned().collect(),
            unfed: self.unfed(),
            last_ping: self.log.last().map(|entry| (entry.stamp.sequence, entry.stamp.at)),
            version: "test".to_owned(),
            own: own::kept(&self.facts.values().cloned().collect::<Vec<_>>(), at(self.seconds).wall),
        };
        let (core, commands) = Core::new(beginning, at(self.seconds));
        self.core = core;
        self.carry_out(commands);
    }

    /// Pings of the log that no kept state knows.
    fn unfed(&self) -> Vec<PingEntry> {
        let fed = |entry: &&PingEntry| self.beats.get(&entry.heartbeat).is_none_or(|beat| beat.fed_until < entry.stamp.sequence);
        self.log.iter().filter(fed).cloned().collect()
    }

    pub(super) fn now(&self) -> Now {
        at(self.seconds)
    }

    /// Lets so many seconds pass.
    pub(super) fn run(&mut self, seconds: u64) {
        self.run_until(self.seconds + seconds);
    }

    /// Asks for something as an operator.
    pub(super) fn ask(&mut self, operation: Operation) {
        self.apply(Event::Asked { operation, request: RequestId(1) });
    }

    #[track_caller]
    pub(super) fn assert_story(&mut self, expected: &str) {
        assert_eq!(std::mem::take(&mut self.story), expected);
    }

    /// Pings a heartbeat.
    pub(super) fn ping(&mut self, id: &str, said: Said) {
        self.n_pings += 1;
        let arrived = Arrived {
            heartbeat: MonitorId::parse(id).expect("an id"),
            said,
            run: None,
            took: None,
            arrival: Arrival { address: None, agent: None, method: "GET".to_owned() },
            body: Vec::new(),
            body_bytes: 0,
        };
        self.apply(Event::Pinged { arrived: Box::new(arrived), request: RequestId(1_000_000 + self.n_pings) });
    }

    pub(super) fn set(&mut self, id: &str, outcome: Outcome) {
        self.outcomes.insert(id.to_owned(), outcome);
    }

    pub(super) fn apply(&mut self, event: Event) {
        let commands = self.core.apply(event, at(self.seconds));
        self.carry_out(commands);
        self.core.assert_consistent();
    }

    /// Lets time pass in steps of half a second, as the shell does when nothing happens.
    pub(super) fn run_until(&mut self, seconds: u64) {
        while self.seconds < seconds {
            self.seconds += 1;
            let half = Now { wall: at(self.seconds).wall.minus(Duration::from_millis(500)), mono: Mono(at(self.seconds).mono.0 - 500_000) };
            let commands = self.core.apply(Event::Tick, half);
            self.carry_out(commands);
            self.apply(Event::Tick);
        }
    }

    fn result(&self, monitor: &Monitor) -> CheckResult {
        let outcome = self.outcomes.get(monitor.id.as_str()).copied().unwrap_or(Outcome::Up);
        let failure = match outcome {
            Outcome::Up => None,
            Outcome::Degraded => Some(Failure::Slow { took: Duration::from_secs(3), limit: Duration::from_secs(2) }),
            Outcome::Down => Some(Failure::TimedOut { phase: Phase::FirstByte, after: Duration::from_secs(10) }),
            Outcome::Unknown => Some(Failure::Own(crate::model::result::OwnTrouble::NoDescriptors)),
        };
        let (outcome, failure) = with_certificate(monitor, (outcome, failure), self.certificate, at(self.seconds).wall);
        CheckResult {
            monitor: monitor.id.clone(),
            at: at(self.seconds).wall,
            outcome,
            failure,
            timings: Timings::default(),
            status: None,
            remote: self.remote,
            certificate_not_after: self.certificate,
            transcript: Transcript::default(),
        }
    }

    fn carry_out(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Check { number, monitor } => {
                    self.checks.push((self.seconds, monitor.id.to_string()));
                    if let Some(under_way) = &mut self.under_way {
                        under_way.push((number, monitor, at(self.seconds).mono));
                        continue;
                    }
                    let result = self.result(&monitor);
                    let observed = Observed { number, began: at(self.seconds).mono, result };
                    let next = self.core.apply(Event::Observed(observed), at(self.seconds));
                    self.carry_out(next);
                }
                Command::AskControls(_) if self.controls_hang => {}
                Command::AskControls(controls) => {
                    let now = at(self.seconds);
                    let round = Round { began: now.mono, began_wall: now.wall, n_ok: self.controls_ok, n_asked: controls.len() };
                    let next = self.core.apply(Event::ControlsDone(round), now);
                    self.carry_out(next);
                }
                Command::Commit { change, .. } => self.store(change),
                Command::Answer { answer, .. } => self.tell(format!("answer {answer:?}")),
                Command::Note(text) => self.tell(format!("note {text}")),
                Command::KeepPing { request, entry } => {
                    if self.takes_pings {
                        self.log.push(*entry);
                    }
                    let kept = Event::PingsKept(vec![(request, self.takes_pings)]);
                    let next = self.core.apply(kept, at(self.seconds));
                    self.carry_out(next);
                }
                Command::AnswerPing { answer, .. } => answer.unwrap_or_else(|why| self.tell(format!("refused: {why}"))),
                Command::Record(_) | Command::Publish(_) | Command::Replay | Command::Refill(_) | Command::Share(_) => {}
            }
        }
    }

    fn tell(&mut self, line: String) {
        writeln!(self.story, "{}: {line}", self.seconds).expect("a string takes text");
    }

    fn store(&mut self, change: StateChange) {
        for verdict in &change.verdicts {
            let since = (verdict.at.0 - START) / 1000;
            self.tell(format!("{} {} since {since}", verdict.monitor, verdict.verdict.word()));
        }
        for incident in change.opened {
            self.incidents.insert(incident.id.to_string(), incident);
        }
        for (id, closed) in change.closed {
            let incident = self.incidents.get_mut(id.as_str()).expect("only open incidents close");
            assert!(incident.closed.is_none(), "closed twice");
            incident.closed = Some(closed);
        }
        for notification in change.notifications {
            self.keys.push(notification.key.clone());
            if let Subject::Incident(facts) = &notification.subject {
                self.told.push(facts.cause.clone());
            }
            let what = match &notification.subject {
                Subject::Incident(facts) => {
                    let how = facts.closed.map_or(String::new(), |how| format!(" {} after {}s", how.word(), facts.duration.as_secs()));
                    format!("{} {} {}{how}", facts.monitor, notification.event.word(), facts.status.word())
                }
                Subject::SelfNotice { title, .. } => title.clone(),
                Subject::Passed(_) | Subject::Bundle(_) => panic!("made by the notifier only"),
            };
            self.tell(format!("-> {} {what}", notification.channel));
        }
        self.beats.extend(change.beats.into_iter().map(|beat| (beat.heartbeat.clone(), beat)));
        self.facts.extend(change.facts.into_iter().map(|fact| (fact.key.clone(), fact)));
        for state in change.states {
            self.states.insert(state.monitor.clone(), state);
        }
    }

    /// Compares what was told since the last time.
    #[track_caller]
    pub(super) fn assert_told(&mut self, expected: &[&str]) {
        let story = std::mem::take(&mut self.story);
        let told: Vec<&str> = story.lines().collect();
        assert_eq!(told, expected, "\n{story}");
    }

    pub(super) fn checks_of(&self, id: &str) -> Vec<u64> {
        self.checks.iter().filter(|(_, checked)| checked == id).map(|(second, _)| *second).collect()
    }
}

impl Core {
    /// What must hold after every event.
    fn assert_consistent(&self) {
        for (id, machine) in &self.machines {
            let n_open = usize::from(machine.state.outage.is_open()) + usize::from(machine.state.degradation.is_open());
            assert_eq!(machine.incidents.len(), n_open, "{id}: an incident is open exactly while its epoch is odd");
            assert_eq!(machine.due.is_some(), machine.is_active(), "{id}: due exactly while active");
            if let Some(due) = machine.due {
                assert!(self.due.contains(&(due, id.clone())), "{id}: due is mirrored");
            }
        }
        let n_due = self.machines.values().filter(|machine| machine.due.is_some()).count();
        assert_eq!(self.due.len(), n_due, "nothing else is due");
    }
}

/// The first two checks of monitor `m` in this world: seconds after the start.
fn up_world() -> (World, Vec<u64>) {
    let mut world = World::new(config(vec![watched("m")], &[]));
    world.run_until(130);
    world.assert_told(&["4: m up since 4"]);
    let checks = world.checks_of("m");
    (world, checks)
}

#[test]
fn an_outage_is_confirmed_told_once_and_closed_once() {
    let (mut world, checks) = up_world();
    let next = checks[checks.len() - 1] + 60;
    world.set("m", Outcome::Down);
    world.run_until(next + 300);
    let confirmed = next + 10;
    let down = format!("{confirmed}: m down since {next}");
    let told = format!("{confirmed}: -> ops m down down");
    world.assert_told(&[&down, &told]);
    world.set("m", Outcome::Up);
    world.run_until(next + 400);
    let back = world.checks_of("m").into_iter().rfind(|second| *second > next + 300).expect("checked again");
    let first_good = world.checks_of("m").into_iter().find(|second| *second > next + 300).expect("checked again");
    assert!(back >= first_good);
    let up = format!("{first_good}: m up since {first_good}");
    let told = format!("{first_good}: -> ops m recovered up recovered after {}s", first_good - next);
    world.assert_told(&[&up, &told]);
}

#[test]
fn one_bad_check_tells_nobody_and_is_looked_at_again_soon() {
    let (mut world, checks) = up_world();
    let next = checks[checks.len() - 1] + 60;
    world.set("m", Outcome::Down);
    world.run_until(next);
    world.set("m", Outcome::Up);
    world.run_until(next + 200);
    world.assert_told(&[]);
    let after: Vec<u64> = world.checks_of("m").into_iter().filter(|second| *second >= next).map(|second| second - next).collect();
    assert_eq!(after, [0, 10, 60, 120, 180]);
}

#[test]
fn the_schedule_does_not_drift() {
    let mut world = World::new(config(vec![Monitor { interval: Duration::from_secs(10), ..watched("m") }], &[]));
    world.run_until(3600);
    let n = world.checks_of("m").len();
    assert!((359..=361).contains(&n), "{n}");
}

#[test]
fn a_restart_in_the_middle_of_an_incident_tells_nothing_twice() {
    let (mut world, checks) = up_world();
    let next = checks[checks.len() - 1] + 60;
    world.set("m", Outcome::Down);
    world.run_until(next + 30);
    world.story.clear();
    for _ in 0..50 {
        world.restart(3);
        let until = world.seconds + 15;
        world.run_until(until);
    }
    world.assert_told(&[]);
    world.set("m", Outcome::Up);
    let until = world.seconds + 70;
    world.run_until(until);
    let story = world.story.clone();
    assert!(story.contains("-> ops m recovered up recovered after"), "{story}");
    assert_eq!(story.matches("->").count(), 1, "{story}");
}

#[test]
fn counters_survive_a_restart_between_two_failures() {
    let (mut world, checks) = up_world();
    let next = checks[checks.len() - 1] + 60;
    world.set("m", Outcome::Down);
    world.run_until(next + 2);
    world.restart(2);
    let until = world.seconds + 10;
    world.run_until(until);
    let story = std::mem::take(&mut world.story);
    assert!(story.contains(&format!("m down since {next}")), "{story}");
}

#[test]
fn a_recovery_while_away_is_told_honestly() {
    let (mut world, checks) = up_world();
    let next = checks[checks.len() - 1] + 60;
    world.set("m", Outcome::Down);
    world.run_until(next + 30);
    world.story.clear();
    let stopped = world.seconds;
    world.set("m", Outcome::Up);
    world.restart(3600);
    let until = world.seconds + 20;
    world.run_until(until);
    let story = std::mem::take(&mut world.story);
    assert!(story.contains(&format!("m unknown since {stopped}")), "{story}");
    assert!(story.contains("-> ops m recovered up recovered_unseen"), "{story}");
}

#[test]
fn an_outage_that_came_and_went_while_away_is_unknown_and_nothing_else() {
    let (mut world, _) = up_world();
    let stopped = world.seconds;
    world.restart(3600);
    let until = world.seconds + 20;
    world.run_until(until);
    let story = std::mem::take(&mut world.story);
    assert_eq!(story.lines().count(), 2, "{story}");
    assert!(story.contains(&format!("m unknown since {stopped}")) && !story.contains("->"), "{story}");
}

#[test]
fn still_down_after_a_long_absence_tells_nothing_twice() {
    let (mut world, checks) = up_world();
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 90);
    world.story.clear();
    world.restart(3600);
    let until = world.seconds + 100;
    world.run_until(until);
    assert!(!world.story.contains("->"), "{}", world.story);
    world.set("m", Outcome::Up);
    let until = world.seconds + 100;
    world.run_until(until);
    assert!(world.story.contains("-> ops m recovered up recovered after"), "{}", world.story);
}

#[test]
fn slow_is_degraded_then_down_then_degraded_then_up() {
    let (mut world, _) = up_world();
    for outcome in [Outcome::Degraded, Outcome::Down, Outcome::Degraded, Outcome::Up] {
        world.set("m", outcome);
        let until = world.seconds + 100;
        world.run_until(until);
    }
    let story = std::mem::take(&mut world.story);
    let told: Vec<&str> =
        story.lines().filter_map(|line| line.split("-> ops ").nth(1)).map(|line| line.split(" after").next().unwrap_or(line)).collect();
    assert_eq!(told, ["m degraded degraded", "m down down", "m recovered degraded recovered", "m recovered up recovered"], "{story}");
}

#[test]
fn a_lost_uplink_blames_no_target_and_is_told_once() {
    let monitors: Vec<Monitor> = (0..200).map(|i| watched(&format!("m{i}"))).collect();
    let ids: Vec<String> = monitors.iter().map(|monitor| monitor.id.to_string()).collect();
    let mut world = World::new(config(monitors, &["1.1.1.1:443", "9.9.9.9:443"]));
    world.run_until(100);
    world.story.clear();
    world.controls_ok = 0;
    for id in &ids {
        world.set(id, Outcome::Down);
    }
    world.run_until(400);
    world.controls_ok = 2;
    for id in &ids {
        world.set(id, Outcome::Up);
    }
    world.run_until(700);
    let story = std::mem::take(&mut world.story);
    let told: Vec<&str> = story.lines().filter_map(|line| line.split("-> ops ").nth(1)).collect();
    assert_eq!(told, ["the vantage eu lost its uplink", "the vantage eu has its uplink again"]);
    assert!(!story.contains(" down since"), "{story}");
    assert!(world.incidents.is_empty());
}

#[test]
fn with_a_lost_uplink_a_dead_neighbour_is_still_told() {
    let mut world = World::new(config(vec![watched("m")], &["1.1.1.1:443", "9.9.9.9:443"]));
    world.remote = Some("192.168.1.5".parse().expect("an address"));
    world.run_until(100);
    world.controls_ok = 0;
    world.set("m", Outcome::Down);
    world.run_until(300);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
}

#[test]
fn one_dead_control_delays_no_alert() {
    let mut world = World::new(config(vec![watched("m")], &["1.1.1.1:443", "9.9.9.9:443"]));
    world.run_until(100);
    world.controls_ok = 1;
    world.set("m", Outcome::Down);
    world.run_until(300);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
}

#[test]
fn blocked_controls_cannot_hide_an_outage_while_others_answer() {
    let mut world = World::new(config(vec![watched("m"), watched("n"), watched("o")], &["1.1.1.1:443", "9.9.9.9:443"]));
    world.controls_ok = 0;
    world.run_until(100);
    world.set("m", Outcome::Down);
    world.run_until(600);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
}

#[test]
fn a_frozen_program_blames_nobody_and_spreads_its_checks() {
    let monitors: Vec<Monitor> = (0..100).map(|i| watched(&format!("m{i}"))).collect();
    let mut world = World::new(config(monitors, &[]));
    world.run_until(200);
    world.story.clear();
    world.seconds += 600;
    world.apply(Event::Tick);
    let thawed = world.seconds;
    world.run_until(thawed + 12);
    let story = std::mem::take(&mut world.story);
    assert!(!story.contains("->") && !story.contains(" down "), "{story}");
    let in_first_second = world.checks.iter().filter(|(second, _)| *second == thawed).count();
    assert!(in_first_second < 20, "{in_first_second}");
    let ids: std::collections::BTreeSet<&String> = world.checks.iter().filter(|(second, _)| *second >= thawed).map(|(_, id)| id).collect();
    assert_eq!(ids.len(), 100);
}

#[test]
fn a_timeout_during_a_stall_is_our_own() {
    let (mut world, _) = up_world();
    let due = world.checks_of("m").last().copied().expect("checked") + 60;
    world.run_until(due - 1);
    let now = at(due);
    let commands = world.core.apply(Event::Tick, now);
    let Some(Command::Check { number, monitor }) = commands.into_iter().find(|command| matches!(command, Command::Check { .. })) else {
        panic!("due")
    };
    world.seconds = due + 8;
    world.set("m", Outcome::Down);
    let result = world.result(&monitor);
    let commands = world.core.apply(Event::Observed(Observed { number, began: now.mono, result }), at(due + 8));
    let recorded = commands.iter().find_map(|command| if let Command::Record(result) = command { Some(result.outcome) } else { None });
    assert_eq!(recorded, Some(Outcome::Unknown));
}

#[test]
fn a_clock_that_is_set_changes_no_schedule_and_no_order() {
    for step_ms in [3_600_000_i64, -3_600_000] {
        let (mut world, checks) = up_world();
        let shifted = |seconds: u64| Now { wall: UnixMillis(at(seconds).wall.0 + step_ms), mono: at(seconds).mono };
        let mut due = Vec::new();
        for second in 131..400 {
            for command in world.core.apply(Event::Tick, shifted(second)) {
                if let Command::Check { number, monitor } = command {
                    due.push(second);
                    let result = CheckResult { at: shifted(second).wall, outcome: Outcome::Down, ..world.result(&monitor) };
                    let began = shifted(second).mono;
                    for command in world.core.apply(Event::Observed(Observed { number, began, result }), shifted(second)) {
                        if let Command::Commit { change, .. } = command {
                            for verdict in &change.verdicts {
                                assert!(verdict.at >= at(0).wall, "a verdict older than the one before it");
                            }
                        }
                    }
                }
            }
        }
        let next = checks[checks.len() - 1] + 60;
        assert_eq!(due[..2], [next, next + 10], "step {step_ms}");
    }
}

#[test]
fn pausing_closes_resuming_starts_anew() {
    let (mut world, checks) = up_world();
    let id = MonitorId::parse("m").expect("an id");
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 80);
    world.story.clear();
    world.apply(Event::Asked { operation: Operation::Pause(id.clone()), request: RequestId(1) });
    assert!(world.story.contains("m paused since") && world.story.contains("-> ops m recovered paused paused"), "{}", world.story);
    let n_checks = world.checks.len();
    let until = world.seconds + 300;
    world.run_until(until);
    assert_eq!(world.checks.len(), n_checks);
    world.restart(5);
    let until = world.seconds + 300;
    world.run_until(until);
    assert_eq!(world.checks.len(), n_checks, "still paused after a restart");
    world.story.clear();
    world.apply(Event::Asked { operation: Operation::Pause(id.clone()), request: RequestId(2) });
    assert!(world.story.contains("paused already"), "{}", world.story);
    world.apply(Event::Asked { operation: Operation::Resume(id), request: RequestId(3) });
    let until = world.seconds + 30;
    world.run_until(until);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
    assert_eq!(world.incidents.len(), 2);
}

fn changed(world: &mut World, monitors: Vec<Monitor>) {
    world.apply(Event::ConfigChanged { config: config(monitors, &[]), reload: reload() });
}

#[test]
fn a_reload_disturbs_nothing_that_did_not_change() {
    let mut world = World::new(config(vec![watched("m"), watched("n")], &[]));
    world.run_until(100);
    for second in 100..400 {
        world.run_until(second);
        let mut other = watched("n");
        other.name = format!("n {second}");
        changed(&mut world, vec![watched("m"), other]);
    }
    let checks = world.checks_of("m");
    let gaps: Vec<u64> = checks.windows(2).skip(1).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap == 60), "{gaps:?}");
    assert_eq!(world.checks_of("n").windows(2).skip(1).filter(|pair| pair[1] - pair[0] != 60).count(), 0, "a name is no reason either");
}

#[test]
fn a_removed_monitor_closes_its_incident_and_comes_back_with_new_epochs() {
    let (mut world, checks) = up_world();
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 80);
    world.story.clear();
    changed(&mut world, vec![]);
    assert!(world.story.contains("-> ops m recovered unknown removed"), "{}", world.story);
    world.restart(10);
    changed(&mut world, vec![watched("m")]);
    let until = world.seconds + 60;
    world.run_until(until);
    let epochs: Vec<u64> = {
        let mut epochs: Vec<u64> = world.incidents.values().map(|incident| incident.epoch.0).collect();
        epochs.sort_unstable();
        epochs
    };
    assert_eq!(epochs, [1, 3]);
    assert_eq!(world.incidents.len(), 2, "another epoch is another incident");
}

#[test]
fn a_changed_target_is_confirmed_anew_and_checked_soon() {
    let (mut world, checks) = up_world();
    let next = checks[checks.len() - 1] + 60;
    world.set("m", Outcome::Down);
    world.run_until(next + 2);
    let mut moved = watched("m");
    moved.expect.body_contains = vec!["x".to_owned()];
    changed(&mut world, vec![moved]);
    world.story.clear();
    let reloaded = world.seconds;
    world.run_until(reloaded + 11);
    assert!(!world.story.contains("->"), "one failure of the new target is not two: {}", world.story);
    assert!(world.checks_of("m").iter().any(|second| *second > reloaded && *second <= reloaded + 10));
    world.run_until(reloaded + 40);
    assert!(world.story.contains("-> ops m down down"), "{}", world.story);
}

#[test]
fn a_check_that_spans_a_stall_a_reload_or_a_pause_stays_in_the_schedule() {
    type Disturbance = fn(&mut World);
    let disturbances: [Disturbance; 3] = [
        |world| {
            world.seconds += 600;
            world.apply(Event::Tick);
        },
        |world| changed(world, vec![Monitor { interval: Duration::from_secs(30), ..watched("m") }]),
        |world| {
            let id = MonitorId::parse("m").expect("an id");
            world.apply(Event::Asked { operation: Operation::Pause(id.clone()), request: RequestId(1) });
            world.apply(Event::Asked { operation: Operation::Resume(id), request: RequestId(2) });
        },
    ];
    for disturb in disturbances {
        let (mut world, checks) = up_world();
        world.hold();
        world.run_until(checks[checks.len() - 1] + 61);
        disturb(&mut world);
        world.answer();
        let n = world.checks.len();
        let until = world.seconds + 130;
        world.run_until(until);
        assert!(world.checks.len() >= n + 2, "it is checked on");
    }
}

#[test]
fn a_check_that_is_never_heard_of_again_is_given_up() {
    let (mut world, _) = up_world();
    world.hold();
    let until = world.seconds + 70;
    world.run_until(until);
    world.under_way = None;
    let n = world.checks.len();
    let until = world.seconds + 130;
    world.run_until(until);
    assert!(world.checks.len() > n);
}

#[test]
fn a_failure_of_the_old_target_does_not_count_against_the_new_one() {
    let once = |monitor: Monitor| Monitor { confirm: crate::model::monitor::Confirm { failures: 1, ..monitor.confirm }, ..monitor };
    let mut world = World::new(config(vec![once(watched("m"))], &["1.1.1.1:443", "9.9.9.9:443"]));
    world.run_until(70);
    world.controls_hang = true;
    world.set("m", Outcome::Down);
    let until = world.seconds + 60;
    world.run_until(until);
    let mut moved = once(watched("m"));
    moved.expect.body_contains = vec!["x".to_owned()];
    world.apply(Event::ConfigChanged { config: config(vec![moved], &[]), reload: reload() });
    assert!(!world.story.contains("->"), "{}", world.story);
}

#[test]
fn a_monitor_switched_off_while_stopped_closes_its_incident_and_tells() {
    let (mut world, checks) = up_world();
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 80);
    world.story.clear();
    world.core.config = config(vec![Monitor { enabled: false, ..watched("m") }], &[]);
    world.restart(5);
    assert!(world.story.contains("-> ops m recovered paused paused"), "{}", world.story);
    assert!(world.incidents.values().all(|incident| incident.closed.is_some()));
}

#[test]
fn a_monitor_removed_while_stopped_closes_its_incident_and_tells() {
    let (mut world, checks) = up_world();
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 80);
    world.story.clear();
    world.core.config = config(vec![watched("n")], &[]);
    world.restart(5);
    assert!(world.story.contains("-> ops m recovered unknown removed"), "{}", world.story);
    assert!(world.incidents.values().all(|incident| incident.closed.is_some()));
}

#[test]
fn who_was_told_of_trouble_is_told_of_its_end_wherever_the_monitor_tells_now() {
    let (mut world, checks) = up_world();
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 80);
    world.story.clear();
    changed(&mut world, vec![testing::monitor("m")]);
    world.restart(5);
    world.set("m", Outcome::Up);
    let until = world.seconds + 70;
    world.run_until(until);
    assert_eq!(world.story.matches("-> ops m recovered up").count(), 1, "{}", world.story);
}

#[test]
fn a_monitor_that_no_region_checks_any_more_leaves_no_incident_open() {
    let (mut world, checks) = up_world();
    world.set("m", Outcome::Down);
    world.run_until(checks[checks.len() - 1] + 80);
    let elsewhere = crate::model::monitor::Regions::Only([Region::parse("us").expect("a region")].into());
    changed(&mut world, vec![Monitor { regions: elsewhere, ..watched("m") }]);
    assert!(world.incidents.values().all(|incident| incident.closed.is_some()));
}

#[test]
fn checks_wait_for_a_clock_that_can_be_right() {
    let mut world = World::new(config(vec![watched("m")], &[]));
    let mono = |second: u64| Mono(1_000_000_000 + second * 1_000_000);
    for second in 1..100 {
        let now = Now { wall: UnixMillis(i64::try_from(second * 1000).expect("small")), mono: mono(second) };
        let commands = world.core.apply(Event::Tick, now);
        assert!(!commands.iter().any(|command| matches!(command, Command::Check { .. })));
        assert!(world.core.deadline() > now.mono, "and does not turn in circles meanwhile");
    }
}
