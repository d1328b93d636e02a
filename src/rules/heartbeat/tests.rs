//! The cases of the contract as scripts in virtual time, and a plain reference to compare random scripts with.

use std::fmt::Write;
use std::time::Duration;

use super::*;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Methods;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::Resume;
use crate::model::id::NodeName;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::testing;

mod calendars;
mod cases;
mod random;
mod requests;

const SURE: Belief = Belief::Sure;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The base monitor of the contract.
fn base() -> Heartbeat {
    testing::heartbeat(secs(60), secs(30))
}

/// What a script does at a moment.
#[derive(Debug, Clone)]
enum Do {
    /// A ping without a name.
    Say(PingKind),
    /// A ping of a run.
    Of(&'static str, PingKind),
    /// A ping that another node received then and that is known only now.
    Late(i64, PingKind),
    Pause,
    Resume,
    /// Blind from then until now; time has not passed for it meanwhile.
    Blind(i64),
    /// From now until then.
    Maintenance(i64),
    /// The config becomes this.
    Config(Box<Heartbeat>),
}

use Do::Of;
use Do::Say;
use PingKind::Fail;
use PingKind::Log;
use PingKind::Start;
use PingKind::Success;

/// A heartbeat in virtual time: seconds after a beginning.
struct World {
    beat: Heartbeat,
    state: HeartbeatState,
    zero: UnixMillis,
    /// Up to which second time has passed.
    now: i64,
    belief: Belief,
    sequence: u64,
    shown: String,
    printed: String,
}

impl World {
    fn new(beat: Heartbeat, zero: UnixMillis) -> World {
        let mut world = World {
            beat,
            state: fresh(zero),
            zero,
            now: 0,
            belief: SURE,
            sequence: 0,
            shown: "waiting".to_owned(),
            printed: String::new(),
        };
        world.note(0, Vec::new());
        world
    }

    fn wall(&self, second: i64) -> UnixMillis {
        UnixMillis(self.zero.0 + second * 1000)
    }

    fn second(&self, wall: UnixMillis) -> f64 {
        // Virtual times are small and whole milliseconds.
        (wall.0 - self.zero.0) as f64 / 1000.0
    }

    /// Lets time pass, looking only when the machine asks for it.
    fn go_to(&mut self, second: i64) {
        let until = self.wall(second);
        let mut from = self.wall(self.now);
        while let Some(at) = deadline(&self.beat, &self.state, from).filter(|at| *at <= until) {
            assert!(from < at, "a deadline is in the future");
            from = at;
            self.act_at(at, None);
        }
        self.now = second;
    }

    fn act(&mut self, input: Input) {
        self.act_at(self.wall(self.now), Some(input));
    }

    fn act_at(&mut self, at: UnixMillis, input: Option<Input>) {
        let moment = Moment { at, belief: self.belief };
        // A restart at any point changes nothing: the state is all there is.
        let state = self.state.clone();
        let (state, effects) = match input {
            Some(input) => feed(&self.beat, state, input, moment),
            None => pass(&self.beat, state, moment),
        };
        self.state = state;
        let (again, nothing) = pass(&self.beat, self.state.clone(), moment);
        assert!(again == self.state && nothing.is_empty(), "a second look at the same moment finds nothing new");
        self.note(self.second(at) as i64, effects);
    }

    fn note(&mut self, second: i64, effects: Vec<Effect>) {
        for effect in effects {
            let text = self.effect_text(effect);
            writeln!(self.printed, "{second}: {text}").expect("a string takes text");
        }
        let shown = self.phase_text();
        if shown != self.shown {
            writeln!(self.printed, "{second}: {shown}").expect("a string takes text");
            self.shown = shown;
        }
    }

    fn seen(&self) -> Assessment {
        assess(&self.beat, &self.state, self.wall(self.now))
    }

    fn phase_text(&self) -> String {
        let seen = assess(&self.beat, &self.state, self.state.seen_until);
        let word = match seen.phase {
            Phase::Waiting => "waiting",
            Phase::Up => "up",
            Phase::Late => "late",
            Phase::Down => "down",
            Phase::Paused => "paused",
        };
        let runs: Vec<&str> = seen.running.iter().map(|run| run.run.as_ref().map_or("?", |run| run.as_str())).collect();
        if runs.is_empty() { word.to_owned() } else { format!("{word}, running {}", runs.join(" ")) }
    }

    fn effect_text(&self, effect: Effect) -> String {
        match effect {
            Effect::Opened { open, is_quiet } => {
                let quiet = if is_quiet { "quietly " } else { "" };
                format!("{quiet}OPENED {} since {}", open.reason.code(), self.second(open.since))
            }
            Effect::Closed { open, at, why, n_missed } => {
                format!("CLOSED {} at {}, {why:?}, {n_missed} missed", open.reason.code(), self.second(at))
            }
            Effect::TooFast { took, .. } => format!("too fast: {took:?}"),
            Effect::NotTooFast => "not too fast".to_owned(),
            Effect::Finished { run, took } => {
                let run = run.as_ref().map_or("?", |run| run.as_str()).to_owned();
                took.map_or(format!("finished {run}"), |took| format!("finished {run} after {took:?}"))
            }
            Effect::Repeated => "repeated".to_owned(),
            Effect::Resumed => "resumed".to_owned(),
            Effect::Moved { from, to } => {
                format!("moved from {} to {}", self.second(from), to.map_or("never".to_owned(), |to| self.second(to).to_string()))
            }
        }
    }

    fn ping(&mut self, second: i64, kind: PingKind, run: Option<&str>) -> Ping {
        self.sequence += 1;
        let node = NodeName::parse("n1").expect("a name");
        let stamp = PingStamp { at: self.wall(second), sequence: self.sequence, node };
        Ping { stamp, kind, run: run.map(|run| RunId::text(run).expect("a run")) }
    }

    fn run(&mut self, script: &[(i64, Do)]) {
        for (second, what) in script {
            if !matches!(what, Do::Blind(_)) {
                self.go_to(*second);
            }
            self.now = *second;
            let input = match what.clone() {
                Do::Say(kind) => Input::Ping(self.ping(*second, kind, None)),
                Do::Of(run, kind) => Input::Ping(self.ping(*second, kind, Some(run))),
                Do::Late(at, kind) => Input::Ping(self.ping(at, kind, None)),
                Do::Pause => Input::Pause,
                Do::Resume => Input::Resume,
                Do::Blind(from) => Input::Window(Window { from: self.wall(from), to: self.wall(*second), kind: WindowKind::Blind }),
                Do::Maintenance(to) => Input::Window(Window { from: self.wall(*second), to: self.wall(to), kind: WindowKind::Maintenance }),
                Do::Config(beat) => {
                    self.beat = *beat;
                    Input::Configured
                }
            };
            self.act(input);
        }
    }
}

/// Runs a script from second 0, when the monitor is loaded, until `until`; compares the changes of phase and the effects.
#[track_caller]
fn assert_script(beat: Heartbeat, script: &[(i64, Do)], until: i64, expected: &str) {
    let mut world = World::new(beat, UnixMillis(1_800_000_000_000));
    world.run(script);
    world.go_to(until);
    let expected: String = expected.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
    assert_eq!(world.printed, expected);
}
