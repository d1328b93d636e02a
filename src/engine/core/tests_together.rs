//! Stories about several vantages, in virtual time: one core each, news that travels in a fifth of a second, and no network. What the
//! network does to news is the simulation's business; here it is about what follows from news.

mod alerts;
mod company;
mod facts;
mod maintenance;
mod texts;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use super::*;
use crate::config::Auth;
use crate::config::Instance;
use crate::config::Peers;
use crate::config::Retention;
use crate::config::Server;
use crate::engine::event::Observed;
use crate::engine::event::RequestId;
use crate::engine::ping::Arrived;
use crate::engine::snapshot::Agreement;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::Snapshot;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::RunId;
use crate::model::id::ChannelName;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::monitor::Confirm;
use crate::model::monitor::Internal;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::Quorum;
use crate::model::net::HostPort;
use crate::model::peer::Node;
use crate::model::peer::PeerNews;
use crate::model::peer::Vantage;
use crate::model::ping::Arrival;
use crate::model::ping::BeatState;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::RecentResults;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::testing;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Said;
use crate::rules::uplink::Round;

const START: i64 = 1_782_813_600_000;

/// News needs two steps of a tenth of a second.
const STEP_MS: u64 = 100;
const DELAY_STEPS: u64 = 2;

/// A node that stops is missed after so many steps.
const MISSED_STEPS: u64 = 50;

fn name(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

fn watched(id: &str) -> Monitor {
    Monitor {
        channels: vec![ChannelName::parse("ops").expect("a name")],
        interval: Duration::from_secs(20),
        confirm: Confirm { failures: 2, successes: 2, recheck: Duration::from_secs(5) },
        ..testing::monitor(id)
    }
}

/// A node: what survives it, and its core while it runs.
struct Host {
    config: Arc<Config>,
    core: Option<Core>,
    states: BTreeMap<MonitorId, MonitorState>,
    incidents: BTreeMap<String, Incident>,
    facts: BTreeMap<String, StoredFact>,
    /// Keys of messages owed, in order.
    owed: Vec<(u64, Notification)>,
    /// Its own line is cut: checks fail, controls do not answer.
    is_cut: bool,
    /// Its clock is ahead by so much.
    skew_ms: i64,
    alive_at: Option<UnixMillis>,
    /// All that it said in this run, the newest of each kind.
    said: Vec<Record>,
    beats: BTreeMap<MonitorId, BeatState>,
    last_ping: Option<(u64, UnixMillis)>,
}

struct World {
    step: u64,
    hosts: BTreeMap<NodeName, Host>,
    /// Outcomes by monitor and region; up when absent.
    truth: BTreeMap<(String, String), Outcome>,
    /// Records under way: when, from, to.
    under_way: Vec<(u64, NodeName, NodeName, PeerNews)>,
    /// Pairs that do not hear each other, both ways listed.
    cuts: BTreeSet<(NodeName, NodeName)>,
    silent_for: BTreeMap<(NodeName, NodeName), u64>,
    live: BTreeMap<NodeName, BTreeSet<NodeName>>,
    story: String,
    /// When the certificate ends that all targets show.
    certificate: Option<UnixMillis>,
}

struct Setup {
    nodes: Vec<(&'static str, Vantage)>,
    monitors: Vec<Monitor>,
    uplink: bool,
    solo_after: Option<Duration>,
}

fn three(monitors: Vec<Monitor>) -> Setup {
    let nodes = ["a", "b", "c"].map(|node| (node, Vantage::External)).to_vec();
    Setup { nodes, monitors, uplink: true, solo_after: Some(Duration::from_secs(60)) }
}

fn config(setup: &Setup, me: &str) -> Arc<Config> {
    let ops = Arc::new(testing::channel("ops"));
    let node = |(node, vantage): &(&str, Vantage)| Node {
        name: name(node),
        region: Region::parse(&format!("region-{node}")).expect("a region"),
        vantage: *vantage,
        url: None,
        key: None,
    };
    let nodes: Vec<Node> = setup.nodes.iter().map(node).collect();
    let own = nodes.iter().find(|node| node.name.as_str() == me).expect("configured");
    Arc::new(Config {
        instance: Instance {
            region: own.region.clone(),
            vantage: own.vantage,
            state_dir: PathBuf::from("data"),
            secret: None,
            allow_commands: false,
            edit: None,
        },
        server: Server { listen: Vec::new(), public_url: None, base_path: String::new(), trusted_proxies: Vec::new(), tls: None },
        auth: Auth::default(),
        monitors: setup.monitors.iter().cloned().map(Arc::new).collect(),
        channels: [(ops.name.clone(), Arc::clone(&ops))].into(),
        pages: Vec::new(),
        policies: Vec::new(),
        incident_templates: Vec::new(),
        maintenance: Vec::new(),
        uplink: if setup.uplink { vec![HostPort::parse("1.1.1.1:443").expect("an address")] } else { Vec::new() },
        self_channels: Vec::new(),
        self_heartbeat: None,
        retention: Retention::default(),
        heartbeats: crate::config::Heartbeats::default(),
        doubts: Vec::new(),
        peers: Some(Peers {
            cluster: "test".to_owned(),
            me: name(me),
            secrets: Vec::new(),
            private_key: None,
            nodes,
            solo_after: setup.solo_after,
        }),
    })
}

fn reload(digest: &str) -> Arc<ReloadView> {
    Arc::new(ReloadView {
        active_hash: digest.to_owned(),
        active_since: UnixMillis(START),
        is_last_good_copy: false,
        problems: Vec::new(),
        checked_at: UnixMillis(START),
        needs_restart: Vec::new(),
        recent: Vec::new(),
    })
}

impl World {
    fn new(setup: &Setup) -> World {
        let host = |node: &str| Host {
            config: config(setup, node),
            core: None,
            states: BTreeMap::new(),
            incidents: BTreeMap::new(),
            facts: BTreeMap::new(),
            owed: Vec::new(),
            is_cut: false,
            skew_ms: 0,
            alive_at: None,
            said: Vec::new(),
            beats: BTreeMap::new(),
            last_ping: None,
        };
        let mut world = World {
            step: 0,
            hosts: setup.nodes.iter().map(|(node, _)| (name(node), host(node))).collect(),
            truth: BTreeMap::new(),
            under_way: Vec::new(),
            cuts: BTreeSet::new(),
            silent_for: BTreeMap::new(),
            live: BTreeMap::new(),
            story: String::new(),
            certificate: None,
        };
        for (node, _) in &setup.nodes {
            world.start(node);
        }
        world
    }

    fn seconds(&self) -> u64 {
        self.step * STEP_MS / 1000
    }

    fn now(&self, node: &NodeName) -> Now {
        let ms = self.step * STEP_MS;
        let skew = self.hosts[node].skew_ms;
        Now { wall: UnixMillis(START + i64::try_from(ms).expect("small") + skew), mono: Mono(1_000_000_000 + ms * 1000) }
    }

    fn start(&mut self, node: &str) {
        let node = name(node);
        let now = self.now(&node);
        let host = self.hosts.get_mut(&node).expect("a host");
        host.said.clear();
        host.facts.retain(|_, fact| fact.until.is_none_or(|until| now.wall <= until));
        let beginning = Beginning {
            cluster: "test".to_owned(),
            config: Arc::clone(&host.config),
            reload: reload("same"),
            states: host.states.values().cloned().collect(),
            incidents: host.incidents.values().filter(|incident| incident.closed.is_none()).cloned().collect(),
            recent: RecentResults::new(),
            last_alive: host.alive_at,
            facts: tests::shared(host.facts.values()),
            beats: host.beats.values().cloned().collect(),
            unfed: Vec::new(),
            last_ping: host.last_ping,
            version: "test".to_owned(),
            own: own::kept(&host.facts.values().cloned().collect::<Vec<_>>(), now.wall),
        };
        let (core, commands) = Core::new(beginning, now);
        host.core = Some(core);
        let others: Vec<NodeName> = self.hosts.keys().filter(|other| **other != node).cloned().collect();
        for other in others {
            self.send(&node, &other, PeerNews::Began(node.clone()));
            // What it missed, it hears again.
            let said = self.hosts[&other].said.clone();
            self.send(&other, &node, PeerNews::Told { node: other.clone(), records: said });
        }
        self.live.insert(node.clone(), BTreeSet::new());
        self.carry_out(&node, commands);
    }

    fn stop(&mut self, node: &str) {
        let at = self.now(&name(node)).wall;
        let host = self.hosts.get_mut(&name(node)).expect("a host");
        host.core = None;
        host.alive_at = Some(at);
    }

    fn wipe(&mut self, node: &str) {
        let host = self.hosts.get_mut(&name(node)).expect("a host");
        (host.states, host.incidents, host.facts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        host.alive_at = None;
    }

    fn hears(&self, from: &NodeName, to: &NodeName) -> bool {
        let runs = |node: &NodeName| self.hosts[node].core.is_some();
        runs(from) && runs(to) && !self.cuts.contains(&(from.clone(), to.clone()))
    }

    fn send(&mut self, from: &NodeName, to: &NodeName, news: PeerNews) {
        self.under_way.push((self.step + DELAY_STEPS, from.clone(), to.clone(), news));
    }

    fn cut(&mut self, a: &str, b: &str) {
        self.cuts.extend([(name(a), name(b)), (name(b), name(a))]);
    }

    fn heal(&mut self) {
        self.cuts.clear();
        let nodes: Vec<NodeName> = self.hosts.keys().cloned().collect();
        for from in &nodes {
            for to in nodes.iter().filter(|to| *to != from) {
                let said = self.hosts[from].said.clone();
                self.send(from, to, PeerNews::Told { node: from.clone(), records: said });
            }
        }
    }

    fn set(&mut self, monitor: &str, regions: &[&str], outcome: Outcome) {
        for region in regions {
            self.truth.insert((monitor.to_owned(), format!("region-{region}")), outcome);
        }
    }

    fn run(&mut self, seconds: u64) {
        let until = self.step + seconds * 1000 / STEP_MS;
        while self.step < until {
            self.step += 1;
            self.deliver();
            self.find_out_who_lives();
            let nodes: Vec<NodeName> = self.hosts.keys().cloned().collect();
            for node in nodes {
                self.apply(&node, Event::Tick);
            }
        }
    }

    fn deliver(&mut self) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, ..)| *at <= self.step);
        self.under_way = later;
        for (_, from, to, news) in due {
            if self.hears(&from, &to) {
                self.apply(&to, Event::Peers(news));
            }
        }
    }

    fn find_out_who_lives(&mut self) {
        let nodes: Vec<NodeName> = self.hosts.keys().cloned().collect();
        for me in &nodes {
            let mut live = BTreeSet::new();
            for other in nodes.iter().filter(|other| *other != me) {
                let silent = self.silent_for.get(&(me.clone(), other.clone())).copied().unwrap_or(MISSED_STEPS);
                let silent = if self.hears(other, me) { 0 } else { silent + 1 };
                self.silent_for.insert((me.clone(), other.clone()), silent);
                if silent < MISSED_STEPS {
                    live.insert(other.clone());
                }
            }
            if self.hosts[me].core.is_some() && self.live.get(me) != Some(&live) {
                self.live.insert(me.clone(), live.clone());
                self.apply(me, Event::Peers(PeerNews::Live(live)));
            }
        }
    }

    fn apply(&mut self, node: &NodeName, event: Event) {
        let now = self.now(node);
        let Some(core) = &mut self.hosts.get_mut(node).expect("a host").core else { return };
        let commands = core.apply(event, now);
        self.carry_out(node, commands);
    }

    fn carry_out(&mut self, node: &NodeName, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Check { number, monitor } => {
                    let result = self.result(node, &monitor);
                    let began = self.now(node).mono;
                    self.apply(node, Event::Observed(Observed { number, began, result }));
                }
                Command::AskControls(controls) => {
                    let now = self.now(node);
                    let n_ok = if self.hosts[node].is_cut { 0 } else { controls.len() };
                    let round = Round { began: now.mono, began_wall: now.wall, n_ok, n_asked: controls.len() };
                    self.apply(node, Event::ControlsDone(round));
                }
                Command::Commit { change, publish, .. } => {
                    self.store(node, change);
                    self.publish(node, publish);
                }
                Command::Publish(records) => self.publish(node, records),
                Command::Replay => {
                    let others: Vec<NodeName> = self.hosts.keys().filter(|other| *other != node).cloned().collect();
                    for other in others {
                        let said = self.hosts[&other].said.clone();
                        self.send(&other, node, PeerNews::Told { node: other.clone(), records: said });
                    }
                }
                Command::Answer { answer, .. } => writeln!(self.story, "{}: {node}: {answer:?}", self.seconds()).expect("a string"),
                Command::KeepPing { request, entry } => {
                    self.hosts.get_mut(node).expect("a host").last_ping = Some((entry.stamp.sequence, entry.stamp.at));
                    self.apply(node, Event::PingsKept(vec![(request, true)]));
                }
                Command::AnswerPing { answer, .. } => assert_eq!(answer, Ok(())),
                Command::Note(_) | Command::Record(_) | Command::Refill(_) | Command::Share(_) => {}
            }
        }
    }

    fn publish(&mut self, node: &NodeName, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        self.hosts.get_mut(node).expect("a host").said.extend(records.iter().cloned());
        let others: Vec<NodeName> = self.hosts.keys().filter(|other| *other != node).cloned().collect();
        for other in others {
            self.send(node, &other, PeerNews::Told { node: node.clone(), records: records.clone() });
        }
    }

    fn result(&self, node: &NodeName, monitor: &Monitor) -> CheckResult {
        let host = &self.hosts[node];
        let region = host.config.instance.region.as_str().to_owned();
        let truth = self.truth.get(&(monitor.id.as_str().to_owned(), region)).copied().unwrap_or(Outcome::Up);
        let outcome = if host.is_cut { Outcome::Down } else { truth };
        let failure = (outcome == Outcome::Down).then(|| Failure::Refused { at: "93.184.216.34:443".to_owned() });
        let (outcome, failure) = tests::with_certificate(monitor, (outcome, failure), self.certificate, self.now(node).wall);
        CheckResult {
            monitor: monitor.id.clone(),
            at: self.now(node).wall,
            outcome,
            failure,
            timings: Timings::default(),
            status: None,
            remote: Some("93.184.216.34".parse().expect("an address")),
            certificate_not_after: self.certificate,
            transcript: Transcript::default(),
        }
    }

    fn store(&mut self, node: &NodeName, change: StateChange) {
        let seconds = self.seconds();
        let host = self.hosts.get_mut(node).expect("a host");
        host.beats.extend(change.beats.iter().map(|beat| (beat.heartbeat.clone(), beat.clone())));
        for incident in change.opened {
            writeln!(self.story, "{seconds}: {node} opens {} {}", incident.monitor, incident.lane.word()).expect("a string");
            host.incidents.insert(incident.id.to_string(), incident);
        }
        for (id, closed) in change.closed {
            let incident = host.incidents.get_mut(id.as_str()).expect("only known incidents close");
            incident.closed = Some(closed);
            writeln!(self.story, "{seconds}: {node} closes {} {}", incident.monitor, incident.lane.word()).expect("a string");
        }
        for incident in change.amended {
            if let Some(known) = host.incidents.get_mut(incident.id.as_str()) {
                known.opened_at = known.opened_at.min(incident.opened_at);
                if let (Some(closed), Some(later)) = (&mut known.closed, incident.closed) {
                    closed.at = closed.at.max(later.at);
                }
            }
        }
        for notification in change.notifications {
            assert!(!host.owed.iter().any(|(_, known)| known.key == notification.key), "{node} owes the same twice");
            host.owed.push((seconds, notification));
        }
        for state in change.states {
            host.states.insert(state.monitor.clone(), state);
        }
        for fact in change.facts {
            host.facts.insert(fact.key.clone(), fact);
        }
    }

    fn picture(&mut self, node: &str) -> Snapshot {
        let now = self.now(&name(node));
        self.hosts.get_mut(&name(node)).expect("a host").core.as_mut().expect("it runs").snapshot(now)
    }

    fn verdict(&mut self, node: &str, monitor: &str) -> Verdict {
        self.picture(node).monitors[&MonitorId::parse(monitor).expect("an id")].verdict
    }

    /// What each node has come to owe, without times: `a: down api, recovered api`.
    fn owed(&self) -> String {
        let one = |notification: &Notification| {
            let about = match &notification.subject {
                Subject::Incident(facts) => facts.monitor.to_string(),
                Subject::SelfNotice { title, .. } => title.clone(),
                Subject::Passed(_) | Subject::Bundle(_) => panic!("made by the notifier only"),
            };
            format!("{} {about}", notification.event.word())
        };
        let of = |(node, host): (&NodeName, &Host)| {
            format!("{node}: {}", host.owed.iter().map(|(_, notification)| one(notification)).collect::<Vec<_>>().join(", "))
        };
        self.hosts.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    #[track_caller]
    fn assert_owed(&self, expected: &str) {
        assert_eq!(self.owed(), expected, "\n{}", self.story);
    }

    /// Keys, epochs and incidents are the same on all nodes that run.
    #[track_caller]
    fn assert_agreed(&self) {
        let of = |host: &Host| {
            let core = host.core.as_ref()?;
            let epochs = core.machines.iter().map(|(id, machine)| (id.clone(), machine.epochs())).collect::<Vec<_>>();
            let times =
                host.incidents.values().map(|incident| (incident.id.clone(), incident.opened_at, incident.closed)).collect::<Vec<_>>();
            Some((epochs, times))
        };
        let all: Vec<_> = self.hosts.values().filter_map(of).collect();
        for one in &all {
            assert_eq!(*one, all[0], "\n{}", self.story);
        }
    }
}

fn up_world(setup: &Setup) -> World {
    let mut world = World::new(setup);
    world.run(60);
    world
}

#[test]
fn what_all_see_opens_one_incident_with_the_same_keys_everywhere() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: down api; b: down api; c: down api");
    world.assert_agreed();
    let keys: BTreeSet<&str> = world.hosts.values().map(|host| host.owed[0].1.key.as_str()).collect();
    assert_eq!(keys.len(), 1);
    world.set("api", &["a", "b", "c"], Outcome::Up);
    world.run(60);
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
    world.assert_agreed();
}

#[test]
fn others_look_at_once_when_one_suspects() {
    let slow = Monitor { interval: Duration::from_secs(600), ..watched("api") };
    let mut world = World::new(&three(vec![slow]));
    world.run(700);
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(620);
    let (down_at, down) = world.hosts.values().flat_map(|host| &host.owed).min_by_key(|(at, _)| *at).expect("it is told");
    let Subject::Incident(facts) = &down.subject else { panic!("an incident") };
    let began = u64::try_from((facts.started_at.0 - START) / 1000).expect("later");
    assert!(down_at - began <= 12, "told {down_at}, began {began}: within seconds although checks are ten minutes apart");
}

#[test]
fn what_one_region_sees_is_shown_and_told_only_after_a_while_to_those_who_listen() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &["b"], Outcome::Down);
    world.run(120);
    world.assert_owed("a: ; b: ; c: ");
    for node in ["a", "b", "c"] {
        let view = world.picture(node).monitors.values().next().cloned().expect("one");
        assert_eq!((view.verdict, view.agreement), (Verdict::Up, Agreement::Regional), "{node}");
        assert_eq!(view.regions.failing, [Region::parse("region-b").expect("a region")]);
    }
    world.run(300);
    world.assert_owed("a: regional api; b: regional api; c: regional api");
    world.set("api", &["a"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: regional api, down api; b: regional api, down api; c: regional api, down api");
    world.set("api", &["a", "b"], Outcome::Up);
    world.run(60);
    world.assert_agreed();
    assert!(world.owed().starts_with("a: regional api, down api, recovered api;"), "{}", world.owed());
}

#[test]
fn who_heard_of_regional_trouble_hears_that_it_is_over_and_from_where() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &["b"], Outcome::Down);
    world.run(420);
    world.set("api", &["b"], Outcome::Up);
    world.run(60);
    world.assert_owed("a: regional api, recovered api; b: regional api, recovered api; c: regional api, recovered api");
    let region = [Region::parse("region-b").expect("a region")];
    for (node, host) in &world.hosts {
        let facts = |i: usize| match &host.owed[i].1.subject {
            Subject::Incident(facts) => (**facts).clone(),
            Subject::SelfNotice { .. } | Subject::Passed(_) | Subject::Bundle(_) => panic!("an incident"),
        };
        let (begins, ends) = (facts(0), facts(1));
        assert_eq!(
            (&begins.regions_failing[..], &begins.regions_failed[..], begins.n_voters),
            (&region[..], &region[..], (3, 3)),
            "{node}"
        );
        assert_eq!(begins.evidence.is_empty(), node.as_str() != "b", "only who sees it has evidence: {}", begins.evidence);
        assert_eq!((&ends.regions_failing[..], &ends.regions_failed[..], ends.status), (&[][..], &region[..], Verdict::Up), "{node}");
    }
}

#[test]
fn a_dead_owner_delays_the_decision_by_seconds() {
    let mut world = up_world(&three(vec![watched("api")]));
    let decider = world.picture("a").monitors.values().next().and_then(|view| view.decider.clone()).expect("somebody decides");
    world.stop(decider.as_str());
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    let times: Vec<u64> = world.hosts.values().flat_map(|host| &host.owed).map(|(at, _)| *at).collect();
    assert_eq!(times.len(), 2, "{}", world.story);
    // The first check within 20 s, its confirmation 5 s later, the takeover 10 s, and a little.
    assert!(times.iter().all(|at| *at <= 60 + 20 + 5 + 10 + 3), "{times:?}");
    world.start(decider.as_str());
    world.run(30);
    world.assert_agreed();
}

#[test]
fn of_two_the_survivor_waits_and_then_says_that_it_is_alone() {
    let nodes = ["a", "b"].map(|node| (node, Vantage::External)).to_vec();
    let setup = Setup { nodes, ..three(vec![watched("api")]) };
    let mut world = up_world(&setup);
    world.stop("a");
    world.set("api", &["b"], Outcome::Down);
    world.run(70);
    world.assert_owed("a: ; b: ");
    world.run(30);
    world.assert_owed("a: ; b: down api");
    let Subject::Incident(facts) = &world.hosts[&name("b")].owed[0].1.subject else { panic!("an incident") };
    assert_eq!((facts.confidence, facts.n_voters), (Confidence::Degraded, (1, 2)));
    // Back, it finds the target down as well, and follows.
    world.start("a");
    world.set("api", &["a"], Outcome::Down);
    world.run(60);
    world.assert_agreed();
    world.assert_owed("a: down api; b: down api");
}

#[test]
fn who_wants_silence_gets_it() {
    let nodes = ["a", "b"].map(|node| (node, Vantage::External)).to_vec();
    let setup = Setup { nodes, solo_after: None, ..three(vec![watched("api")]) };
    let mut world = up_world(&setup);
    world.stop("a");
    world.set("api", &["b"], Outcome::Down);
    world.run(600);
    world.assert_owed("a: ; b: ");
    assert_eq!(world.verdict("b", "api"), Verdict::Unknown);
}

#[test]
fn a_node_with_a_broken_line_abstains_and_votes_again_only_after_fresh_checks() {
    let mut world = up_world(&three(vec![watched("api"), watched("web")]));
    world.hosts.get_mut(&name("b")).expect("a host").is_cut = true;
    world.run(120);
    world.assert_owed("a: ; b: ; c: ");
    // With one region truly failing, what b saw while it was cut must not make a majority.
    world.set("api", &["c"], Outcome::Down);
    world.run(60);
    world.hosts.get_mut(&name("b")).expect("a host").is_cut = false;
    world.run(120);
    world.assert_owed("a: ; b: ; c: ");
}

#[test]
fn a_node_that_contradicts_everybody_is_left_out() {
    let ids = ["m1", "m2", "m3", "m4", "m5", "m6"];
    let setup = Setup { uplink: false, ..three(ids.map(watched).to_vec()) };
    let mut world = up_world(&setup);
    for id in ids {
        world.set(id, &["b"], Outcome::Down);
    }
    world.run(60);
    let cluster = world.picture("a").cluster.expect("there is one");
    assert_eq!(cluster.nodes[1].ignored, Some(crate::engine::snapshot::Ignored::Outlier));
    // With b left out, one more failing region of the two that are left is a tie, not a majority.
    world.set("m1", &["a"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: ; b: ; c: ");
    // What all see is no disagreement.
    for id in ids {
        world.set(id, &["a", "c"], Outcome::Down);
    }
    world.run(60);
    assert_eq!(world.hosts[&name("a")].owed.len(), 6, "{}", world.owed());
}

#[test]
fn parts_of_a_split_cluster_come_to_the_same_incident() {
    let nodes = ["a", "b", "c", "d"].map(|node| (node, Vantage::External)).to_vec();
    let setup = Setup { nodes, ..three(vec![watched("api")]) };
    let mut world = up_world(&setup);
    for (left, right) in [("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")] {
        world.cut(left, right);
    }
    world.run(30);
    world.set("api", &["a", "b", "c", "d"], Outcome::Down);
    world.run(50);
    // The half with the first configured node acts at once, the other waits.
    world.assert_owed("a: down api; b: down api; c: ; d: ");
    world.run(60);
    world.assert_owed("a: down api; b: down api; c: down api; d: down api");
    world.heal();
    world.run(30);
    world.assert_agreed();
    let keys: BTreeSet<&str> = world.hosts.values().map(|host| host.owed[0].1.key.as_str()).collect();
    assert_eq!(keys.len(), 1);
}

#[test]
fn a_wiped_node_learns_everything_again_and_owes_what_the_others_owe() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    world.stop("c");
    world.wipe("c");
    let owed = std::mem::take(&mut world.hosts.get_mut(&name("c")).expect("a host").owed);
    world.run(20);
    world.start("c");
    world.run(60);
    world.assert_agreed();
    let again = &world.hosts[&name("c")].owed;
    assert_eq!(again.iter().map(|(_, n)| &n.key).collect::<Vec<_>>(), owed.iter().map(|(_, n)| &n.key).collect::<Vec<_>>());
    assert_eq!(world.verdict("c", "api"), Verdict::Down);
}

#[test]
fn a_pause_is_everywhere_and_so_is_its_end() {
    let mut world = up_world(&three(vec![watched("api")]));
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    let id = MonitorId::parse("api").expect("an id");
    world.apply(&name("b"), Event::Asked { operation: Operation::Pause(id.clone()), request: RequestId(1) });
    world.run(5);
    for node in ["a", "b", "c"] {
        assert_eq!(world.verdict(node, "api"), Verdict::Paused, "{node}");
    }
    world.assert_agreed();
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
    // A node that was away hears of it too.
    world.stop("c");
    world.apply(&name("a"), Event::Asked { operation: Operation::Resume(id), request: RequestId(2) });
    world.run(10);
    world.start("c");
    world.run(60);
    world.assert_agreed();
    for node in ["a", "b", "c"] {
        assert_eq!(world.verdict(node, "api"), Verdict::Down, "{node}");
    }
}

#[test]
fn inside_and_outside_together_say_where_the_trouble_is() {
    let mut nodes: Vec<_> = ["a", "b", "c"].map(|node| (node, Vantage::External)).to_vec();
    nodes.push(("home", Vantage::Internal));
    let setup = Setup { nodes, ..three(vec![watched("api")]) };
    let mut world = up_world(&setup);
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    let diagnosis = |world: &World| match &world.hosts[&name("a")].owed.last().expect("owed").1.subject {
        Subject::Incident(facts) => facts.diagnosis,
        Subject::SelfNotice { .. } | Subject::Passed(_) | Subject::Bundle(_) => None,
    };
    assert_eq!(diagnosis(&world), Some(Diagnosis::PathConnect));
    world.set("api", &["a", "b", "c"], Outcome::Up);
    world.run(60);
    world.set("api", &["a", "b", "c", "home"], Outcome::Down);
    world.run(60);
    assert_eq!(diagnosis(&world), Some(Diagnosis::Service));
    world.set("api", &["a", "b", "c"], Outcome::Up);
    world.run(60);
    // Only inside: no outage, but worth telling after a while.
    world.run(320);
    assert_eq!(diagnosis(&world), Some(Diagnosis::Inside));
    assert_eq!(world.verdict("a", "api"), Verdict::Up);
}

#[test]
fn votes_about_something_else_do_not_count() {
    let internal = Internal {
        probe: match &watched("x").probe {
            ProbeSpec::Tcp(tcp) => ProbeSpec::Tcp(crate::model::monitor::TcpSpec { send: b"other".to_vec(), ..tcp.clone() }),
            ProbeSpec::Http(_) | ProbeSpec::Heartbeat(_) => panic!("the plainest monitor is tcp"),
        },
        expect: watched("x").expect,
    };
    let mut world = up_world(&three(vec![watched("api")]));
    // c gets a config in which the monitor looks at something else.
    let changed = Monitor { probe: internal.probe, ..watched("api") };
    let config = config(&three(vec![changed]), "c");
    world.apply(&name("c"), Event::ConfigChanged { config, reload: reload("other") });
    world.run(60);
    let view = world.picture("a").monitors.values().next().cloned().expect("one");
    assert_eq!(view.votes[2].ignored, Some(crate::engine::snapshot::Ignored::OtherProbe));
    world.set("api", &["a", "b"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: down api; b: down api; c: down api");
}

#[test]
fn a_config_that_comes_to_one_node_first_makes_nobody_flap() {
    let mut world = up_world(&three(vec![watched("api"), watched("web")]));
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    for node in ["a", "b", "c"] {
        let config = config(&three(vec![watched("web"), Monitor { enabled: false, ..watched("api") }]), node);
        world.apply(&name(node), Event::ConfigChanged { config, reload: reload("newer") });
        world.run(30);
    }
    world.assert_owed("a: down api, recovered api; b: down api, recovered api; c: down api, recovered api");
}

#[test]
fn a_wrong_clock_dates_nothing() {
    let mut world = World::new(&three(vec![watched("api")]));
    world.hosts.get_mut(&name("b")).expect("a host").skew_ms = 600_000;
    let offsets = |ms: i64, others: [&str; 2]| PeerNews::ClockOffsets(others.map(|other| (name(other), ms)).into());
    world.apply(&name("b"), Event::Peers(offsets(-600_000, ["a", "c"])));
    world.apply(&name("a"), Event::Peers(PeerNews::ClockOffsets([(name("b"), 600_000), (name("c"), 0)].into())));
    world.run(60);
    world.set("api", &["a", "b", "c"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: down api; b: down api; c: down api");
    let end = START + 130_000;
    for (node, host) in &world.hosts {
        let Subject::Incident(facts) = &host.owed[0].1.subject else { panic!("an incident") };
        assert!(facts.started_at.0 < end, "{node} dates it at {}", facts.started_at.rfc3339());
    }
    assert!(world.picture("b").cluster.expect("one").nodes[1].meta.as_ref().expect("said").is_clock_off);
}

#[test]
fn monitors_with_any_quorum_need_one_region_and_all_needs_all() {
    let any = Monitor { quorum: Quorum::Any, ..watched("any") };
    let all = Monitor { quorum: Quorum::All, ..watched("all") };
    let mut world = up_world(&three(vec![any, all]));
    world.set("any", &["b"], Outcome::Down);
    world.set("all", &["a", "b"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: down any; b: down any; c: down any");
    world.set("all", &["c"], Outcome::Down);
    world.run(60);
    world.assert_owed("a: down any, down all; b: down any, down all; c: down any, down all");
}

/// A heartbeat that is expected every minute, with half a minute of grace.
fn job() -> Monitor {
    let beat = testing::heartbeat(Duration::from_secs(60), Duration::from_secs(30));
    Monitor { probe: testing::reporting("nightly", beat).probe, ..watched("nightly") }
}

impl World {
    fn ping(&mut self, node: &str, kind: PingKind, run: Option<&str>) {
        let arrived = Arrived {
            heartbeat: MonitorId::parse("nightly").expect("an id"),
            said: Said::Kind(kind),
            run: run.map(|run| RunId::text(run).expect("a run")),
            took: None,
            arrival: Arrival { address: None, agent: None, method: "GET".to_owned() },
            body: Vec::new(),
            body_bytes: 0,
        };
        let request = RequestId(1_000_000 + self.step);
        self.apply(&name(node), Event::Pinged { arrived: Box::new(arrived), request });
    }

    /// What all nodes hold of the heartbeat.
    fn held(&self) -> String {
        let id = MonitorId::parse("nightly").expect("an id");
        let held = self.hosts.iter().filter_map(|(node, host)| {
            let state = &host.core.as_ref()?.machines[&id].state;
            Some(format!("{node} {}", state.verdict.word()))
        });
        held.collect::<Vec<_>>().join(", ")
    }
}

#[test]
fn a_ping_anywhere_counts_everywhere_and_a_missed_one_is_told_once() {
    let mut world = up_world(&three(vec![job()]));
    for node in ["a", "b", "c", "a", "c"] {
        world.ping(node, PingKind::Success, None);
        world.run(55);
    }
    assert_eq!(world.held(), "a up, b up, c up");
    world.assert_owed("a: ; b: ; c: ");
    // The last ping is 55 seconds old; half a minute of grace follows.
    world.run(30);
    world.assert_owed("a: ; b: ; c: ");
    world.run(15);
    world.assert_owed("a: down nightly; b: down nightly; c: down nightly");
    assert_eq!(world.held(), "a down, b down, c down");
    world.ping("b", PingKind::Success, None);
    world.run(10);
    world.assert_owed("a: down nightly, recovered nightly; b: down nightly, recovered nightly; c: down nightly, recovered nightly");
}

#[test]
fn two_starts_within_one_round_of_news_stay_two_on_every_node() {
    let mut world = up_world(&three(vec![job()]));
    world.ping("a", PingKind::Start, Some("one"));
    world.step += 1;
    world.ping("a", PingKind::Start, Some("two"));
    world.run(3);
    world.ping("c", PingKind::Success, Some("two"));
    world.run(2);
    let id = MonitorId::parse("nightly").expect("an id");
    for host in world.hosts.values() {
        let beat = host.core.as_ref().expect("it runs").machines[&id].beat.as_ref().expect("a heartbeat");
        let open: Vec<&str> = beat.seen.running.iter().filter_map(|spell| spell.run.as_ref()).map(RunId::as_str).collect();
        assert_eq!(open, ["one"]);
    }
    // Nobody ends the first run.
    world.run(40);
    world.assert_owed("a: down nightly; b: down nightly; c: down nightly");
}

#[test]
fn a_node_that_was_away_raises_no_alarm_when_others_were_pinged() {
    let mut world = up_world(&three(vec![job()]));
    world.ping("c", PingKind::Success, None);
    world.run(20);
    world.stop("c");
    for n in 0..20 {
        world.ping(if n % 2 == 0 { "a" } else { "b" }, PingKind::Success, None);
        world.run(55);
    }
    world.start("c");
    world.run(5);
    world.ping("a", PingKind::Success, None);
    world.run(50);
    assert_eq!(world.held(), "a up, b up, c up");
    world.assert_owed("a: ; b: ; c: ");
}

#[test]
fn without_one_that_may_have_received_it_nobody_is_sure_for_a_minute() {
    let mut world = up_world(&three(vec![job()]));
    world.ping("a", PingKind::Success, None);
    world.run(60);
    world.stop("c");
    world.run(60);
    world.assert_owed("a: ; b: ; c: ");
    world.run(60);
    world.assert_owed("a: down nightly; b: down nightly; c: ");
    for node in ["a", "b"] {
        let Subject::Incident(facts) = &world.hosts[&name(node)].owed[0].1.subject else { panic!("an incident") };
        assert_eq!(facts.confidence, Confidence::Degraded, "`c` may have received it");
        assert!(facts.cause.contains("`c` could have received it"), "{:?}", facts.cause);
    }
}

#[test]
fn a_forgotten_node_is_not_waited_for_and_abstains_should_it_come_back() {
    let nodes = ["a", "b"].map(|node| (node, Vantage::External)).to_vec();
    let setup = Setup { nodes, ..three(vec![watched("api")]) };
    let mut world = up_world(&setup);
    let forget = |world: &mut World, node: &str| {
        let asked = Event::Asked { operation: Operation::Forget(name(node)), request: RequestId(1) };
        world.apply(&name("a"), asked);
        std::mem::take(&mut world.story)
    };
    assert!(forget(&mut world, "b").contains("`b` is alive; stop it first"));
    assert!(forget(&mut world, "a").contains("cannot forget itself"));
    assert!(forget(&mut world, "c").contains("there is no node `c`; the nodes are `a`, `b`"));
    world.stop("b");
    world.run(30);
    assert_eq!(forget(&mut world, "b"), "", "it is answered when it is on disk");
    assert!(world.hosts[&name("a")].facts.contains_key("x/b"));
    assert!(forget(&mut world, "b").contains("forgotten already"));
    world.run(5);
    let cluster = world.picture("a").cluster.expect("a cluster");
    assert_eq!((cluster.n_live(), cluster.is_primary, cluster.nodes.len()), ((1, 1), true, 1));
    world.set("api", &["a", "b"], Outcome::Down);
    world.run(30);
    let Subject::Incident(facts) = &world.hosts[&name("a")].owed[0].1.subject else { panic!("an incident") };
    assert_eq!((facts.confidence, facts.n_voters), (Confidence::Full, (1, 1)));
    // Back, it hears what was said of it, keeps it over a restart, and stays out of everything.
    for _ in 0..2 {
        world.start("b");
        world.run(60);
        let own = world.picture("b").cluster.expect("a cluster");
        assert_eq!((own.is_ready, own.own().and_then(|own| own.ignored)), (false, Some(Ignored::Forgotten)));
        assert!(own.own().and_then(|own| own.abstains.clone()).is_some_and(|why| why.contains("another name")));
        world.stop("b");
        world.run(30);
    }
    assert!(world.hosts[&name("b")].facts.contains_key("x/b"));
    world.start("b");
    world.run(30);
    let seen = world.picture("a").cluster.expect("a cluster");
    assert_eq!(
        seen.nodes.iter().map(|node| (node.name.as_str(), node.ignored)).collect::<Vec<_>>(),
        [("a", None), ("b", Some(Ignored::Forgotten))]
    );
    assert_eq!((seen.n_live(), seen.forgotten.as_slice()), ((1, 1), &[name("b")][..]));
}
