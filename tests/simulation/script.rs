//! What happens to a world, and when: drawn from the seed before it begins.

use std::time::Duration;

use crate::dice::Dice;
use crate::node::Plan;

/// What kind of trouble a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// None.
    Clean,
    /// Nodes are killed and started again.
    Crash,
    /// The same, and some come back with an empty disk.
    Wipe,
    /// Messages between nodes take up to seconds.
    Latency,
    /// The receiver is away for minutes.
    Receiver,
    /// Links are cut, so that parts of the cluster do not see each other.
    Partition,
    /// Links are cut in one direction.
    OneWay,
    /// Links are cut, and nodes lose their own line to the world.
    Uplink,
    /// A clock is ten minutes off.
    Clock,
    /// Nodes have different configs for a while.
    Config,
    /// Whoever sends is killed around the send.
    Kill,
    /// One node says that everything is down, and nothing is.
    Liar,
    /// All of it.
    All,
    /// People acknowledge and silence, and what nobody acknowledges is told again, while nodes are killed.
    Alerts,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 14] = [
        Mode::Clean,
        Mode::Crash,
        Mode::Wipe,
        Mode::Latency,
        Mode::Receiver,
        Mode::Partition,
        Mode::OneWay,
        Mode::Uplink,
        Mode::Clock,
        Mode::Config,
        Mode::Kill,
        Mode::Liar,
        Mode::All,
        Mode::Alerts,
    ];

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Clean => "clean",
            Mode::Crash => "crash",
            Mode::Wipe => "wipe",
            Mode::Latency => "latency",
            Mode::Receiver => "receiver",
            Mode::Partition => "partition",
            Mode::OneWay => "one-way",
            Mode::Uplink => "uplink",
            Mode::Clock => "clock",
            Mode::Config => "config",
            Mode::Kill => "kill",
            Mode::Liar => "liar",
            Mode::All => "all",
            Mode::Alerts => "alerts",
        }
    }

    /// Whether nodes may lose sight of each other although they run.
    pub fn parts(self) -> bool {
        matches!(self, Mode::Partition | Mode::OneWay | Mode::Uplink | Mode::All)
    }
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A monitor is down, or not, for these regions.
    Truth { monitor: usize, regions: Vec<usize>, is_down: bool },
    /// A node is killed.
    Kill(usize),
    /// A node is asked to stop.
    Stop(usize),
    /// A node starts; with an empty disk, or with what was on it.
    Start { node: usize, is_wiped: bool },
    /// Two nodes do not reach each other.
    Cut(usize, usize),
    /// The first does not reach the second.
    CutOneWay(usize, usize),
    /// All links are whole again.
    Heal,
    /// A node's line to the world is cut, or whole again.
    Uplink(usize, bool),
    /// The receiver works, or not.
    Receiver(bool),
    /// Messages between nodes take up to so many milliseconds.
    Latency(u64),
    /// A node gets this edition of the config.
    Reload(usize, u64),
    /// An operator pauses a monitor at a node, or resumes it.
    Pause { node: usize, monitor: usize, is_paused: bool },
    /// Somebody acknowledges what is open of a monitor, at a node.
    Acknowledge { node: usize, monitor: usize },
    /// Somebody silences a monitor for a while, at a node.
    Silence { node: usize, monitor: usize, lasts: Duration },
    /// A heartbeat is pinged at a node.
    Ping(usize),
    /// A job reports to a node, or to another one if that does not answer.
    Job(usize),
    /// A node lies, or nobody does.
    Lie(Option<usize>),
    /// Whoever sends is killed, or not.
    KillSenders(bool),
}

/// A whole world.
#[derive(Debug, Clone)]
pub struct Script {
    pub plan: Plan,
    /// In order.
    pub steps: Vec<(Duration, Step)>,
    /// While the job does not run.
    pub silence: (Duration, Duration),
}

/// What the job's heartbeat expects: a ping so often, and so much later at the latest.
pub const JOB_INTERVAL: Duration = Duration::from_secs(30);
pub const JOB_GRACE: Duration = Duration::from_secs(30);

/// Nothing happens before: all nodes have settled.
const BEGIN: u64 = 60;

/// Nothing new happens afterwards: what was broken is whole again.
pub const END: Duration = Duration::from_secs(420);

/// Longest time between two nodes in peace, in milliseconds.
pub const LATENCY_MS: u64 = 80;

/// The world of a seed.
pub fn script(mode: Mode, seed: u64) -> Script {
    let mut dice = Dice::new(seed.wrapping_mul(31).wrapping_add(mode as u64));
    let plan = plan(mode, &mut dice);
    let mut steps = truths(mode, &plan, &mut dice);
    steps.extend(operators(&plan, &mut dice));
    if mode == Mode::Alerts {
        steps.extend(people(&plan, &mut Dice::new(seed ^ 0xACC)));
    }
    for _ in 0..4 {
        let at = Duration::from_secs(BEGIN) + dice.millis(0, 280_000);
        let lasts = dice.millis(5_000, 75_000);
        trouble(mode, &plan, (at, (at + lasts).min(END)), &mut dice, &mut steps);
    }
    steps.extend(peace(&plan, &mut dice));
    // Drawn from dice of their own: the rest of the world is the same with and without the job.
    let (job, silence) = job(&plan, &mut Dice::new(seed ^ 0x10B));
    steps.extend(job);
    steps.sort_by_key(|(at, _)| *at);
    Script { plan, steps, silence }
}

/// A job that reports in time until the end of everything, but for a while in the middle of the trouble.
fn job(plan: &Plan, dice: &mut Dice) -> (Vec<(Duration, Step)>, (Duration, Duration)) {
    let from = Duration::from_secs(BEGIN) + dice.millis(60_000, 200_000);
    let silence = (from, from + dice.millis(90_000, 130_000));
    let mut steps = Vec::new();
    let mut at = Duration::from_secs(5);
    while at < END * 2 {
        if at < silence.0 || silence.1 <= at {
            steps.push((at, Step::Job(dice.below(plan.n_nodes))));
        }
        at += dice.millis(18_000, 26_000);
    }
    (steps, silence)
}

fn plan(mode: Mode, dice: &mut Dice) -> Plan {
    let n_nodes = match mode {
        Mode::Liar => *dice.pick(&[3, 5]),
        Mode::Partition => *dice.pick(&[2, 3, 4, 5]),
        Mode::All => 5,
        Mode::Clean
        | Mode::Crash
        | Mode::Wipe
        | Mode::Latency
        | Mode::Receiver
        | Mode::OneWay
        | Mode::Uplink
        | Mode::Clock
        | Mode::Config
        | Mode::Kill
        | Mode::Alerts => *dice.pick(&[2, 3, 3, 5]),
    };
    // At least one can be dialed; every third world has nodes that cannot.
    let n_dial_only = if dice.percent(33) { dice.below(n_nodes) } else { 0 };
    let mut skew_ms = vec![0; n_nodes];
    if matches!(mode, Mode::Clock | Mode::All) && n_nodes > 2 {
        skew_ms[dice.below(n_nodes)] = *dice.pick(&[-600_000, 600_000, 86_400_000]);
    }
    let n_monitors = if mode == Mode::Liar { 7 } else { 3 };
    Plan { n_nodes, n_monitors, dial_only: (n_nodes - n_dial_only..n_nodes).collect(), skew_ms, has_policy: mode == Mode::Alerts }
}

fn truths(mode: Mode, plan: &Plan, dice: &mut Dice) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    let mut is_down = vec![false; plan.n_monitors];
    let mut at = Duration::from_secs(BEGIN) + dice.millis(0, 10_000);
    while at < END - Duration::from_secs(20) {
        let monitor = dice.below(plan.n_monitors);
        let all: Vec<usize> = (0..plan.n_nodes).collect();
        match dice.below(10) {
            // For everybody.
            0..6 => {
                is_down[monitor] = !is_down[monitor];
                steps.push((at, Step::Truth { monitor, regions: all, is_down: is_down[monitor] }));
            }
            // For some, for a while.
            6..8 => {
                let n = 1 + dice.below(plan.n_nodes.div_ceil(2));
                let regions: Vec<usize> = (0..n).map(|_| dice.below(plan.n_nodes)).collect();
                let now = is_down[monitor];
                steps.push((at, Step::Truth { monitor, regions: regions.clone(), is_down: !now }));
                let until = (at + dice.millis(15_000, 60_000)).min(END - Duration::from_secs(1));
                steps.push((until, Step::Truth { monitor, regions, is_down: now }));
            }
            // For a moment that no second check confirms.
            _ => {
                let now = is_down[monitor];
                steps.push((at, Step::Truth { monitor, regions: all.clone(), is_down: !now }));
                steps.push((at + dice.millis(300, 1_500), Step::Truth { monitor, regions: all, is_down: now }));
            }
        }
        at += if mode == Mode::Kill { dice.millis(8_000, 25_000) } else { dice.millis(10_000, 45_000) };
    }
    steps
}

fn operators(plan: &Plan, dice: &mut Dice) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    for _ in 0..8 {
        let at = Duration::from_secs(BEGIN) + dice.millis(0, 350_000);
        steps.push((at, Step::Ping(dice.below(plan.n_nodes))));
    }
    if dice.percent(50) {
        let at = Duration::from_secs(BEGIN) + dice.millis(0, 250_000);
        let monitor = dice.below(plan.n_monitors);
        steps.push((at, Step::Pause { node: dice.below(plan.n_nodes), monitor, is_paused: true }));
        steps.push((at + dice.millis(10_000, 60_000), Step::Pause { node: dice.below(plan.n_nodes), monitor, is_paused: false }));
    }
    steps
}

/// Who acknowledges and silences.
fn people(plan: &Plan, dice: &mut Dice) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    for _ in 0..6 {
        let at = Duration::from_secs(BEGIN) + dice.millis(0, 300_000);
        steps.push((at, Step::Acknowledge { node: dice.below(plan.n_nodes), monitor: dice.below(plan.n_monitors) }));
    }
    for _ in 0..2 {
        let at = Duration::from_secs(BEGIN) + dice.millis(0, 200_000);
        let (node, monitor) = (dice.below(plan.n_nodes), dice.below(plan.n_monitors));
        steps.push((at, Step::Silence { node, monitor, lasts: dice.millis(61_000, 120_000) }));
    }
    steps
}

fn trouble(mode: Mode, plan: &Plan, (from, until): (Duration, Duration), dice: &mut Dice, steps: &mut Vec<(Duration, Step)>) {
    let kind = if mode == Mode::All {
        *dice.pick(&[
            Mode::Crash,
            Mode::Wipe,
            Mode::Latency,
            Mode::Receiver,
            Mode::Partition,
            Mode::OneWay,
            Mode::Uplink,
            Mode::Config,
            Mode::Kill,
        ])
    } else {
        mode
    };
    let node = dice.below(plan.n_nodes);
    match kind {
        Mode::Clean | Mode::Clock | Mode::All => {}
        Mode::Crash | Mode::Wipe | Mode::Alerts => {
            steps.push((from, if dice.percent(70) { Step::Kill(node) } else { Step::Stop(node) }));
            steps.push((until, Step::Start { node, is_wiped: kind == Mode::Wipe && dice.percent(60) }));
        }
        Mode::Latency => {
            steps.push((from, Step::Latency(*dice.pick(&[500, 1_500, 3_500]))));
            steps.push((until, Step::Latency(LATENCY_MS)));
        }
        Mode::Receiver => {
            steps.push((from, Step::Receiver(false)));
            steps.push((until, Step::Receiver(true)));
        }
        Mode::Partition => {
            cut(plan, from, dice, steps);
            steps.push((until, Step::Heal));
        }
        Mode::OneWay => {
            for other in (0..plan.n_nodes).filter(|other| *other != node) {
                steps.push((from, Step::CutOneWay(node, other)));
            }
            steps.push((until, Step::Heal));
        }
        Mode::Uplink => {
            if dice.percent(40) {
                cut(plan, from, dice, steps);
            } else {
                steps.push((from, Step::Uplink(node, true)));
                if dice.percent(50) {
                    (0..plan.n_nodes).filter(|other| *other != node).for_each(|other| steps.push((from, Step::Cut(node, other))));
                }
            }
            steps.push((until, Step::Uplink(node, false)));
            steps.push((until, Step::Heal));
        }
        Mode::Config => {
            let edition = 1 + dice.below(2) as u64;
            for node in 0..plan.n_nodes {
                steps.push((from + dice.millis(0, 40_000), Step::Reload(node, edition)));
                steps.push((until, Step::Reload(node, 0)));
            }
        }
        Mode::Kill => {
            steps.push((from, Step::KillSenders(true)));
            steps.push((until, Step::KillSenders(false)));
        }
        Mode::Liar => {
            // Always the same one: two that lie are a majority of three.
            steps.push((from, Step::Lie(Some(plan.n_nodes - 1))));
            steps.push((until, Step::Lie(None)));
        }
    }
}

/// Two parts that do not see each other.
fn cut(plan: &Plan, at: Duration, dice: &mut Dice, steps: &mut Vec<(Duration, Step)>) {
    let sides: Vec<bool> = (0..plan.n_nodes).map(|_| dice.percent(50)).collect();
    for a in 0..plan.n_nodes {
        for b in a + 1..plan.n_nodes {
            if sides[a] != sides[b] {
                steps.push((at, Step::Cut(a, b)));
            }
        }
    }
}

/// All is well again, and each monitor is the same for everybody.
fn peace(plan: &Plan, dice: &mut Dice) -> Vec<(Duration, Step)> {
    let mut steps = vec![Step::Heal, Step::Receiver(true), Step::Latency(LATENCY_MS), Step::Lie(None), Step::KillSenders(false)];
    steps.extend((0..plan.n_nodes).map(|node| Step::Uplink(node, false)));
    steps.extend((0..plan.n_nodes).map(|node| Step::Reload(node, 0)));
    steps.extend((0..plan.n_nodes).map(|node| Step::Start { node, is_wiped: false }));
    for monitor in 0..plan.n_monitors {
        steps.push(Step::Truth { monitor, regions: (0..plan.n_nodes).collect(), is_down: dice.percent(50) });
    }
    steps.into_iter().map(|step| (END, step)).collect()
}
