//! Random scripts against a plain reference: one that goes second by second and keeps what it holds in the obvious variables.

use std::collections::BTreeMap;

use super::*;
use crate::model::testing::Chance;

impl Chance {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, usize::try_from(self.below(i as u64 + 1)).expect("small"));
        }
    }
}

/// The reference: intervals, grace, failures, and runs with or without names.
struct Plain {
    interval: i64,
    grace: i64,
    limit: i64,
    failures: usize,
    /// What the next deadline counts from, and whether anything came at all.
    anchor: i64,
    is_seen: bool,
    has_finished: bool,
    down: Option<(i64, &'static str)>,
    open: Vec<(Option<&'static str>, i64)>,
    fails: Vec<i64>,
    said: BTreeMap<&'static str, (PingKind, i64)>,
}

impl Plain {
    fn pass(&mut self, now: i64) {
        let missed = if self.is_seen { "missed" } else { "never-seen" };
        let silence = (self.anchor + self.interval + self.grace, missed);
        let overran = self.open.iter().map(|(_, started)| (started + self.limit, "overran"));
        let over = std::iter::once(silence).chain(overran).filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at);
        self.down = self.down.or(over);
    }

    fn ping(&mut self, now: i64, kind: PingKind, run: Option<&'static str>) {
        if kind == Log {
            return;
        }
        if let Some(run) = run {
            if self.said.get(run).is_some_and(|(said, at)| *said == kind && now - at <= self.interval / 2) {
                return;
            }
            self.said.insert(run, (kind, now));
        }
        self.is_seen = true;
        match kind {
            Start => {
                self.open.retain(|(open, _)| *open != run);
                self.open.push((run, now));
            }
            Success => {
                // Runs that are overdue were held against it already.
                self.open.retain(|(open, started)| run.is_some() && *open != run && now < started + self.limit);
                (self.anchor, self.has_finished, self.down) = (now, true, None);
                self.fails.clear();
            }
            Fail => {
                self.open.clear();
                (self.anchor, self.has_finished) = (now, true);
                self.fails.push(now);
                if self.fails.len() == self.failures {
                    self.down = self.down.or(Some((self.fails[0], "failed")));
                }
            }
            Log => {}
        }
    }

    fn text(&self, now: i64) -> String {
        match self.down {
            Some((since, reason)) => format!("down {reason} since {since}"),
            None if !self.has_finished => "waiting".to_owned(),
            None if self.anchor + self.interval <= now => "late".to_owned(),
            None => "up".to_owned(),
        }
    }
}

fn text(world: &World, now: i64) -> String {
    let seen = assess(&world.beat, &world.state, world.wall(now));
    match (seen.phase, seen.down) {
        (Phase::Down, Some(down)) => format!("down {} since {}", down.reason.code(), world.second(down.since)),
        (Phase::Waiting, _) => "waiting".to_owned(),
        (Phase::Late, _) => "late".to_owned(),
        (Phase::Up, _) => "up".to_owned(),
        (Phase::Down | Phase::Paused, _) => "what cannot be".to_owned(),
    }
}

const RUNS: [Option<&str>; 5] = [None, None, Some("a"), Some("b"), Some("c")];
const SECONDS: i64 = 400;

/// Pings: the second, what it says, its run.
type Script = Vec<(i64, PingKind, Option<&'static str>)>;

/// A monitor, and pings at random seconds.
fn script(chance: &mut Chance) -> (Heartbeat, Script) {
    let beat = Heartbeat {
        schedule: Schedule::interval(secs(20 + chance.below(40))).expect("an interval"),
        grace: secs(5 + chance.below(30)),
        max_runtime: (chance.below(2) == 0).then(|| secs(5 + chance.below(50))),
        failures: 1 + u32::try_from(chance.below(3)).expect("small"),
        ..base()
    };
    let density = 4 + chance.below(30);
    let mut pings = Vec::new();
    for second in 0..SECONDS {
        if chance.below(density) == 0 {
            let kind = [Start, Start, Success, Success, Fail, Log][usize::try_from(chance.below(6)).expect("small")];
            pings.push((second, kind, RUNS[usize::try_from(chance.below(5)).expect("small")]));
        }
    }
    // What is kept singly is limited; the reference has no limits.
    pings.truncate(16);
    (beat, pings)
}

fn plain(beat: &Heartbeat) -> Plain {
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).expect("small");
    Plain {
        interval: seconds(beat.schedule.shortest_gap()),
        grace: seconds(beat.grace),
        limit: seconds(beat.max_runtime().expect("a limit")),
        failures: usize::try_from(beat.failures).expect("small"),
        anchor: 0,
        is_seen: false,
        has_finished: false,
        down: None,
        open: Vec::new(),
        fails: Vec::new(),
        said: BTreeMap::new(),
    }
}

#[test]
fn every_second_is_what_the_plain_reference_says() {
    let mut chance = Chance(0x1234_5678_9abc_def1);
    for round in 0..400 {
        let (beat, pings) = script(&mut chance);
        let mut plain = plain(&beat);
        let mut world = World::new(beat, UnixMillis(0));
        let mut told: Option<(i64, &str)> = None;
        let mut expected_effects = Vec::new();
        for second in 0..SECONDS {
            plain.pass(second);
            note(&mut expected_effects, &mut told, plain.down);
            world.go_to(second);
            for (_, kind, run) in pings.iter().filter(|(at, ..)| *at == second) {
                plain.ping(second, *kind, *run);
                note(&mut expected_effects, &mut told, plain.down);
                let ping = world.ping(second, *kind, *run);
                world.act(Input::Ping(ping));
            }
            assert_eq!(text(&world, second), plain.text(second), "round {round}, second {second}: {pings:?}, {:?}", world.beat);
        }
        let effects: Vec<&str> = world.printed.lines().filter_map(|line| line.split_once(": ")).map(|(_, text)| text).collect();
        let effects: Vec<&str> = effects.into_iter().filter(|text| text.starts_with("OPENED") || text.starts_with("CLOSED")).collect();
        let short: Vec<String> = effects.iter().map(|text| text.split(" at ").next().unwrap_or_default().to_owned()).collect();
        assert_eq!(short, expected_effects, "round {round}: {pings:?}");
    }
}

fn note<'a>(effects: &mut Vec<String>, told: &mut Option<(i64, &'a str)>, down: Option<(i64, &'a str)>) {
    if *told != down {
        if let Some((_, reason)) = *told {
            effects.push(format!("CLOSED {reason}"));
        }
        if let Some((since, reason)) = down {
            effects.push(format!("OPENED {reason} since {since}"));
        }
        *told = down;
    }
}

#[test]
fn pings_in_any_order_and_number_give_the_same_state() {
    let mut chance = Chance(77);
    for round in 0..300 {
        let (beat, pings) = script(&mut chance);
        let beat = Heartbeat { keep_alive: chance.below(2) == 0, ..beat };
        let mut world = World::new(beat.clone(), UnixMillis(0));
        let mut pings: Vec<Ping> = pings.into_iter().map(|(second, kind, run)| world.ping(second, kind, run)).collect();
        let end = Moment { at: UnixMillis(SECONDS * 1000), belief: SURE };
        let merged = |pings: &[Ping]| {
            let feed_one = |state, ping: &Ping| feed(&beat, state, Input::Ping(ping.clone()), end).0;
            pings.iter().fold(fresh(UnixMillis(0)), feed_one)
        };
        let expected = merged(&pings);
        let twice = pings.clone();
        pings.extend(twice.into_iter().filter(|_| chance.below(2) == 0));
        chance.shuffle(&mut pings);
        let state = merged(&pings);
        assert_eq!(state.pings, expected.pings, "round {round}");
        assert_eq!(assess(&beat, &state, end.at), assess(&beat, &expected, end.at), "round {round}");
    }
}

#[test]
fn it_does_not_matter_when_or_how_often_somebody_looks() {
    let mut chance = Chance(4711);
    for round in 0..300 {
        let (beat, pings) = script(&mut chance);
        let mut asked = World::new(beat.clone(), UnixMillis(0));
        let mut lazy = World::new(beat, UnixMillis(0));
        let mut opened = [Vec::new(), Vec::new()];
        for (second, kind, run) in pings {
            asked.go_to(second);
            lazy.now = second;
            if chance.below(3) == 0 {
                lazy.act_at(lazy.wall(second), None);
            }
            for world in [&mut asked, &mut lazy] {
                let ping = world.ping(second, kind, run);
                world.act(Input::Ping(ping));
            }
        }
        asked.go_to(SECONDS);
        lazy.act_at(lazy.wall(SECONDS), None);
        for (world, opened) in [&asked, &lazy].into_iter().zip(&mut opened) {
            let told = world.printed.lines().filter_map(|line| line.split_once(": ")).map(|(_, text)| text.to_owned());
            opened.extend(told.filter(|text| text.starts_with("OPENED") || text.starts_with("CLOSED")));
        }
        let [asked, lazy] = opened;
        assert_eq!(asked, lazy, "round {round}");
    }
}

#[test]
fn what_is_remembered_has_limits_and_keeps_what_matters() {
    let mut world = World::new(Heartbeat { keep_alive: true, ..base() }, UnixMillis(0));
    let first = world.ping(0, Success, None);
    world.act(Input::Ping(first));
    for n in 0..500_i64 {
        let name = format!("run-{n}");
        for (kind, run) in [(Start, Some(name.as_str())), (Log, Some(name.as_str())), (Start, None)] {
            let ping = world.ping(1 + n / 50, kind, run);
            world.act(Input::Ping(ping));
        }
    }
    assert!(world.state.pings.runs.len() <= 65, "{}", world.state.pings.runs.len());
    assert!(world.state.pings.runs.values().all(|run| run.events.len() <= 18));
    assert_eq!(world.seen().last_success, Some(UnixMillis(0)), "the only success is not forgotten");
    for n in 0..500_i64 {
        let name = format!("done-{n}");
        for kind in [Start, Success] {
            let ping = world.ping(20 + n / 50, kind, Some(&name));
            world.act(Input::Ping(ping));
        }
    }
    let n_done = world.state.pings.runs.ids().flatten().filter(|run| run.as_str().starts_with("done")).count();
    assert_eq!(n_done, 9, "as many as may be repeated or counted");
}
