//! Runs one world from its beginning to its end.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::oneshot;
use turmoil::Sim;
use vigilmon::engine::event::Event;
use vigilmon::engine::handle::Operation;
use vigilmon::engine::handle::Refused;
use vigilmon::engine::handle::Request;
use vigilmon::engine::ping::Arrived;
use vigilmon::engine::ping::NotTaken;
use vigilmon::engine::ping::PingRequest;
use vigilmon::engine::snapshot::NodeView;
use vigilmon::model::heartbeat::PingKind;
use vigilmon::model::id::IncidentId;
use vigilmon::model::id::MonitorId;
use vigilmon::model::maintenance::Selection;
use vigilmon::model::ping::Arrival;
use vigilmon::model::policy::Acknowledgement;
use vigilmon::model::policy::Silence;
use vigilmon::model::policy::SilenceId;
use vigilmon::model::time::UnixMillis;
use vigilmon::rules::heartbeat::Said;

use crate::disk::Disk;
use crate::invariants;
use crate::invariants::CONVERGED_AFTER;
use crate::invariants::DELIVERED_AFTER;
use crate::invariants::Hearing;
use crate::invariants::Listener;
use crate::invariants::Watcher;
use crate::node;
use crate::node::Door;
use crate::node::Place;
use crate::script;
use crate::script::END;
use crate::script::LATENCY_MS;
use crate::script::Mode;
use crate::script::Step;
use crate::world::FaultKind;
use crate::world::World;
use crate::world::monitor_name;
use crate::world::node_name;

/// How time passes: coarser is faster, and nothing here is shorter.
const TICK: Duration = Duration::from_millis(40);

/// A node that was killed by whoever kills senders is away this long.
const KILLED_FOR: Duration = Duration::from_secs(45);

/// Broken promises that are listed of one world.
const BROKEN_MAX: usize = 6;

/// What came of a world.
pub struct Outcome {
    pub trace: String,
    pub broken: Vec<String>,
}

/// A world that runs.
struct Stage<'a> {
    sim: Sim<'a>,
    world: Arc<World>,
    places: Vec<Place>,
    runs: Vec<bool>,
    /// Nodes that come back by themselves.
    returning: Vec<(Duration, usize)>,
    n_wiped: u32,
    /// When each node started, and when it was stopped.
    started: Vec<Duration>,
    stopped: Vec<Duration>,
    reports: Vec<Report>,
    asked: Vec<Asked>,
}

/// What somebody asked a node for, and has no answer to yet.
struct Asked {
    what: AskedFor,
    answer: oneshot::Receiver<Result<(), Refused>>,
}

enum AskedFor {
    Acknowledgement(IncidentId),
    /// Until when, and of which monitor.
    Silence(Duration, usize),
}

/// A report of the job on its way.
struct Report {
    began: Duration,
    /// When the node was asked that is asked now.
    asked: Duration,
    node: usize,
    /// Nodes that may be tried after this one.
    n_left: usize,
    answer: oneshot::Receiver<Result<(), NotTaken>>,
}

/// How long the job waits for an answer before it tries another node, as `curl -m` does.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// A node whose disk is lost had told others before what it knew, when they had so long to hear it.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

/// Runs it.
pub fn run(mode: Mode, seed: u64) -> Outcome {
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(seed));
    let script = script::script(mode, seed);
    let world = Arc::new(World::new(seed));
    let mut stage = Stage::new(&script.plan, &world, seed);
    let mut steps = script.steps.into_iter().peekable();
    let (mut watcher, mut listener) = (Watcher::default(), Listener::default());
    let n_nodes = script.plan.n_nodes;
    let (mut converged, last) = (false, END + DELIVERED_AFTER);
    while stage.sim.elapsed() < last {
        let now = stage.sim.elapsed();
        while let Some((_, step)) = steps.next_if(|(at, _)| *at <= now) {
            stage.take(now, step);
        }
        stage.kill_and_return(now);
        stage.follow_reports(now);
        stage.follow_asked(now);
        if !converged && END + CONVERGED_AFTER <= now {
            converged = true;
            let broken = invariants::check_converged(&world, &stage.disks(), script.plan.n_monitors);
            world.seen(|seen| seen.broken.extend(broken));
        }
        if let Err(error) = stage.sim.step() {
            world.seen(|seen| seen.broken.push(format!("a node died: {error}")));
            break;
        }
        watcher.look(&world, n_nodes);
        listener.look(now, &world, stage.hearing(now));
    }
    let disks = stage.disks();
    let seen = world.seen(|seen| seen.clone());
    let mut broken = seen.broken.clone();
    broken.extend(invariants::check_copies(mode, &script.plan, &seen));
    broken.extend(invariants::check_nothing_lost(&seen, &disks));
    broken.extend(invariants::check_in_time(mode, &script.plan, &seen));
    broken.extend(invariants::check_histories(mode, &script.plan, &disks));
    broken.extend(invariants::check_pings(&seen, &disks, stage.n_wiped));
    broken.extend(invariants::check_alerts(&seen, &disks));
    broken.extend(invariants::check_job(mode, script.silence, &seen));
    broken.dedup();
    broken.truncate(BROKEN_MAX);
    Outcome { trace: seen.trace, broken }
}

impl Stage<'_> {
    fn new(plan: &node::Plan, world: &Arc<World>, seed: u64) -> Stage<'static> {
        let mut sim = turmoil::Builder::new()
            .simulation_duration(END + DELIVERED_AFTER * 2)
            .tick_duration(TICK)
            .min_message_latency(Duration::from_millis(5))
            .max_message_latency(Duration::from_millis(LATENCY_MS))
            // A cut link must not fill the memory: what waits is bounded by the links themselves.
            .tcp_capacity(4096)
            .rng_seed(seed)
            .build();
        let plan = Arc::new(plan.clone());
        let places: Vec<Place> = (0..plan.n_nodes)
            .map(|node| Place {
                node,
                plan: Arc::clone(&plan),
                disk: Disk::new(node, Arc::clone(world)),
                door: Arc::new(Mutex::new(None)),
                edition: Arc::new(AtomicU64::new(0)),
            })
            .collect();
        for place in &places {
            let place = place.clone();
            sim.host(node_name(place.node), move || node::run(place.clone()));
        }
        Stage {
            sim,
            world: Arc::clone(world),
            runs: vec![true; places.len()],
            started: vec![Duration::ZERO; places.len()],
            stopped: vec![Duration::ZERO; places.len()],
            places,
            returning: Vec::new(),
            reports: Vec::new(),
            asked: Vec::new(),
            n_wiped: 0,
        }
    }

    fn disks(&self) -> Vec<Disk> {
        self.places.iter().map(|place| place.disk.clone()).collect()
    }

    fn door(&self, node: usize) -> Option<Door> {
        self.places[node].door.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| self.runs[node])
    }

    /// The nodes that run, each with whom it heard of and when.
    fn hearing(&self, now: Duration) -> Vec<Hearing<'_>> {
        self.places.iter().filter_map(|place| self.heard_by(place, now)).collect()
    }

    fn heard_by<'p>(&self, place: &'p Place, now: Duration) -> Option<Hearing<'p>> {
        let picture = Arc::clone(&self.door(place.node)?.pictures.borrow());
        let cluster = picture.cluster.clone()?;
        let skew = place.plan.skew_ms[place.node];
        let at = Duration::from_millis(u64::try_from(picture.at.0 - node::START_MS - skew).ok()?);
        let heard = |node: &NodeView| if node.is_me { Some(now) } else { at.checked_sub(node.known_ago?) };
        let heard = cluster.nodes.iter().filter_map(|node| Some((node.name.clone(), heard(node)?))).collect();
        Some((&place.disk, cluster.nodes.iter().map(|node| node.name.clone()).collect(), heard))
    }

    fn take(&mut self, now: Duration, step: Step) {
        self.world.note(now, &format!("{step:?}"));
        match step {
            Step::Truth { monitor, regions, is_down } => {
                regions.into_iter().for_each(|region| self.world.set_truth(now, monitor, region, is_down));
            }
            Step::Kill(node) => self.kill(now, node),
            Step::Stop(node) => self.stop(now, node),
            Step::Start { node, is_wiped } => self.start(now, node, is_wiped),
            Step::Cut(a, b) => {
                self.sim.partition(node_name(a), node_name(b));
                self.world.seen(|seen| seen.begin(now, FaultKind::Cut));
            }
            Step::CutOneWay(from, to) => {
                self.sim.partition_oneway(node_name(from), node_name(to));
                self.world.seen(|seen| seen.begin(now, FaultKind::CutOneWay));
            }
            Step::Heal => self.heal(now),
            Step::Uplink(node, is_lost) => {
                self.world.set_uplink_lost(node, is_lost);
                let what = FaultKind::Uplink(node);
                self.world.seen(|seen| if is_lost { seen.begin(now, what) } else { seen.end(now, &what) });
            }
            Step::Receiver(works) => self.world.set_receiver(works),
            Step::Latency(ms) => self.sim.set_max_message_latency(Duration::from_millis(ms)),
            Step::Reload(node, edition) => self.reload(node, edition),
            Step::Pause { node, monitor, is_paused } => self.pause(node, monitor, is_paused),
            Step::Acknowledge { node, monitor } => self.acknowledge(node, monitor),
            Step::Silence { node, monitor, lasts } => self.silence(now, node, (monitor, lasts)),
            Step::Ping(node) => self.ping(now, node),
            Step::Job(node) => self.report((now, now), node, self.places.len()),
            Step::Lie(liar) => self.world.set_liar(now, liar),
            Step::KillSenders(kills) => self.world.kill_senders(kills),
        }
    }

    fn kill_and_return(&mut self, now: Duration) {
        for node in self.world.killed(now) {
            if self.runs[node] {
                self.world.note(now, &format!("{} is killed around a send", node_name(node)));
                self.kill(now, node);
                self.returning.push((now + KILLED_FOR, node));
            }
        }
        let (due, later): (Vec<_>, Vec<_>) = self.returning.drain(..).partition(|(at, _)| *at <= now);
        self.returning = later;
        due.into_iter().for_each(|(_, node)| self.start(now, node, false));
    }

    fn kill(&mut self, now: Duration, node: usize) {
        if std::mem::replace(&mut self.runs[node], false) {
            self.sim.crash(node_name(node));
            self.stopped[node] = now;
            self.world.seen(|seen| seen.begin(now, FaultKind::Down(node)));
        }
    }

    fn stop(&mut self, now: Duration, node: usize) {
        if let Some(door) = self.door(node) {
            door.stop.cancel();
            self.runs[node] = false;
            self.stopped[node] = now;
            self.world.seen(|seen| seen.begin(now, FaultKind::Down(node)));
        }
    }

    fn start(&mut self, now: Duration, node: usize, is_wiped: bool) {
        if std::mem::replace(&mut self.runs[node], true) {
            return;
        }
        // What only one disk knew is gone with it, and nobody can say what it was.
        let told = |other: usize| self.runs[other] && other != node && self.started[other] + TOLD_WITHIN <= self.stopped[node];
        if is_wiped && (0..self.places.len()).any(told) {
            self.world.note(now, &format!("{} comes back with an empty disk", node_name(node)));
            self.places[node].disk.wipe();
            self.n_wiped += 1;
        }
        self.started[node] = now;
        *self.places[node].door.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.sim.bounce(node_name(node));
        self.world.seen(|seen| seen.end(now, &FaultKind::Down(node)));
    }

    fn heal(&mut self, now: Duration) {
        for a in 0..self.places.len() {
            for b in a + 1..self.places.len() {
                self.sim.repair(node_name(a), node_name(b));
            }
        }
        self.world.seen(|seen| {
            seen.end(now, &FaultKind::Cut);
            seen.end(now, &FaultKind::CutOneWay);
        });
    }

    fn reload(&mut self, node: usize, edition: u64) {
        let place = &self.places[node];
        place.edition.store(edition, Ordering::Relaxed);
        let Some(door) = self.door(node) else { return };
        let config = Arc::new(node::config(&place.plan, node, edition));
        let _ = door.events.try_send(Event::ConfigChanged { config, reload: Arc::new(node::reload_view(edition)) });
    }

    fn pause(&mut self, node: usize, monitor: usize, is_paused: bool) {
        let Some(door) = self.door(node) else { return };
        let id = MonitorId::parse(&monitor_name(monitor)).expect("an id");
        let operation = if is_paused { Operation::Pause(id) } else { Operation::Resume(id) };
        let (reply, _answer) = oneshot::channel();
        let _ = door.requests.try_send(Request { operation, reply });
    }

    fn acknowledge(&mut self, node: usize, monitor: usize) {
        let Some(door) = self.door(node) else { return };
        let id = MonitorId::parse(&monitor_name(monitor)).expect("an id");
        let picture = Arc::clone(&door.pictures.borrow());
        let Some(incident) = picture.monitors.get(&id).and_then(|view| view.incidents.first()).map(|incident| incident.id.clone()) else {
            return;
        };
        let ack = Acknowledgement { by: "ada".to_owned(), at: UnixMillis(0), until: None, note: String::new(), by_channel: None };
        self.ask(&door, Operation::Acknowledge(incident.clone(), ack), AskedFor::Acknowledgement(incident));
    }

    fn silence(&mut self, now: Duration, node: usize, (monitor, lasts): (usize, Duration)) {
        let Some(door) = self.door(node) else { return };
        let wanted = Selection { names: vec![monitor_name(monitor)], ..Selection::default() };
        let until = UnixMillis(node::START_MS) + now + lasts;
        let silence = Silence { wanted, from: UnixMillis(0), until, by: "ada".to_owned(), note: String::new() };
        let id = SilenceId::parse(&format!("{:08}", now.as_millis() % 100_000_000)).expect("an id");
        self.ask(&door, Operation::Silence(id, silence), AskedFor::Silence(now + lasts, monitor));
    }

    fn ask(&mut self, door: &Door, operation: Operation, what: AskedFor) {
        let (reply, answer) = oneshot::channel();
        if door.requests.try_send(Request { operation, reply }).is_ok() {
            self.asked.push(Asked { what, answer });
        }
    }

    fn follow_asked(&mut self, now: Duration) {
        for mut asked in std::mem::take(&mut self.asked) {
            match (asked.answer.try_recv(), &asked.what) {
                (Ok(Ok(())), AskedFor::Acknowledgement(incident)) => {
                    self.world.seen(|seen| seen.acknowledged.push((now, incident.clone())));
                }
                (Ok(Ok(())), AskedFor::Silence(until, monitor)) => self.world.seen(|seen| seen.silenced.push((now, *until, *monitor))),
                (Err(oneshot::error::TryRecvError::Empty), _) => self.asked.push(asked),
                (Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed), _) => {}
            }
        }
    }

    fn ping(&mut self, now: Duration, node: usize) {
        if self.call(node, invariants::NIGHTLY).is_some() {
            self.world.seen(|seen| seen.pings.push((now, node)));
        }
    }

    /// Pings a heartbeat at a node; `None`: it cannot be reached.
    fn call(&self, node: usize, heartbeat: &str) -> Option<oneshot::Receiver<Result<(), NotTaken>>> {
        let door = self.door(node)?;
        let arrived = Arrived {
            heartbeat: MonitorId::parse(heartbeat).expect("an id"),
            said: Said::Kind(PingKind::Success),
            run: None,
            took: None,
            arrival: Arrival { address: None, agent: None, method: "GET".to_owned() },
            body: Vec::new(),
            body_bytes: 0,
        };
        let (reply, answer) = oneshot::channel();
        let request = PingRequest { arrived: Box::new(arrived), reply, given_up: Arc::default() };
        door.pings.try_send(request).is_ok().then_some(answer)
    }

    /// The job reports to this node, or to the next one that can be reached.
    fn report(&mut self, (began, now): (Duration, Duration), first: usize, n_left: usize) {
        for tried in 0..n_left {
            let node = (first + tried) % self.places.len();
            if !self.world.has_uplink(node) {
                continue;
            }
            if let Some(answer) = self.call(node, "job") {
                let n_left = n_left - tried - 1;
                return self.reports.push(Report { began, asked: now, node, n_left, answer });
            }
        }
        self.world.note(now, "the job reaches nobody");
    }

    fn follow_reports(&mut self, now: Duration) {
        for mut report in std::mem::take(&mut self.reports) {
            match report.answer.try_recv() {
                Ok(Ok(())) => self.world.seen(|seen| seen.reports.push((report.began, report.node))),
                Err(oneshot::error::TryRecvError::Empty) if now < report.asked + REPORT_TIMEOUT => self.reports.push(report),
                Ok(Err(_)) | Err(_) => self.report((report.began, now), report.node + 1, report.n_left),
            }
        }
    }
}
