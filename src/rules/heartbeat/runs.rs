//! Pings as a set of runs, and what the set says: which runs there were, how they ended, which finishes count.
//!
//! Within a run that has a name, a ping that soon says the same as the one before it is a client that did not hear the answer. Pings
//! without a name belong to one nameless run, of which the latest start counts. A success closes its own run, one without a name
//! closes all; a failure closes all, as in healthchecks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::Pings;
use crate::model::heartbeat::Run;
use crate::model::heartbeat::RunEvent;
use crate::model::heartbeat::RunId;
use crate::model::time::UnixMillis;

/// Pings that are kept singly per run, besides as many starts and failures as make it down. Enough for the retries of a job that
/// uses one name for all of them, and for telling at which hour pings come.
const EVENTS_MIN: usize = 16;

/// Finished runs that are kept, besides as many as make it down: a client repeats itself soon or never.
const DONE_MIN: usize = 8;

/// Open runs that are watched. A job with more has a problem that one of these will show.
const RUNS_MAX: usize = 64;

/// A ping that says the same again within this time is a client that tries again: ten times with doubling pauses take no longer.
const RETRY_MAX: Duration = Duration::from_secs(20 * 60);

/// And never longer than this part of the shortest gap: there are jobs that use one name for all runs.
const RETRY_SHARE: u32 = 2;

/// What came of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It counts.
    New,
    /// It was known, or repeats what was.
    Known,
}

/// One run from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spell {
    /// Its name; `None`: it has none.
    pub run: Option<RunId>,
    /// When it began.
    pub started: UnixMillis,
    /// When and how it ended; `None`: it is open.
    pub ended: Option<(UnixMillis, SpellEnd)>,
    /// When it last said that it goes on, if later than its start.
    pub lives_at: Option<UnixMillis>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpellEnd {
    /// It worked.
    Success,
    /// It failed.
    Fail,
    /// Another start of the same name, or of none, took its place.
    Superseded,
    /// The finish of something else ended it.
    Closed,
}

/// A finish that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finish<'a> {
    pub(super) stamp: &'a PingStamp,
    pub(super) is_success: bool,
    pub(super) run: Option<&'a RunId>,
    /// When its run began, as far as known.
    pub(super) began: Option<UnixMillis>,
}

impl Finish<'_> {
    /// Whether it closes runs of other names.
    fn closes_others(&self) -> bool {
        self.run.is_none() || !self.is_success
    }
}

/// What the pings since a moment say.
#[derive(Debug, Clone, Default)]
pub(super) struct Story<'a> {
    /// In order.
    pub(super) finishes: Vec<Finish<'a>>,
    /// In no order.
    pub(super) spells: Vec<Spell>,
    /// The first ping that counts.
    pub(super) first: Option<UnixMillis>,
}

/// Takes a ping into the set.
pub(super) fn insert(beat: &Heartbeat, pings: &mut Pings, ping: &Ping) -> Inserted {
    if ping.kind == PingKind::Log {
        return note(beat, pings, ping);
    }
    let run = pings.runs.of(&ping.run);
    let place = match run.events.binary_search_by(|event| event.stamp.cmp(&ping.stamp)) {
        Ok(_) => return Inserted::Known,
        Err(place) => place,
    };
    run.events.insert(place, RunEvent { stamp: ping.stamp.clone(), kind: ping.kind });
    let is_repeated = !counted(beat, &ping.run, &run.events).any(|event| event.stamp == ping.stamp);
    forget(beat, pings, &ping.run);
    if is_repeated { Inserted::Known } else { Inserted::New }
}

/// The pings of a run without those that repeat the one before.
fn counted<'a>(beat: &Heartbeat, id: &Option<RunId>, events: &'a [RunEvent]) -> impl Iterator<Item = &'a RunEvent> {
    let is_named = id.is_some();
    let mut before: Option<&RunEvent> = None;
    events.iter().filter(move |event| {
        let is_same = |before: &RunEvent| repeats(beat, before, event.kind, event.stamp.at);
        let counts = !(is_named && before.is_some_and(is_same));
        if counts {
            before = Some(event);
        }
        counts
    })
}

/// Whether a ping says what the one before it in its run said, soon enough to be a client that tries again.
fn repeats(beat: &Heartbeat, before: &RunEvent, kind: PingKind, at: UnixMillis) -> bool {
    let within = RETRY_MAX.min(beat.schedule.shortest_gap() / RETRY_SHARE);
    before.kind == kind && at <= before.stamp.at + within
}

/// A log entry counts only where it says that a run goes on.
fn note(beat: &Heartbeat, pings: &mut Pings, ping: &Ping) -> Inserted {
    if !beat.keep_alive {
        return Inserted::New;
    }
    let run = pings.runs.of(&ping.run);
    if run.lives_at.as_ref() == Some(&ping.stamp) {
        return Inserted::Known;
    }
    run.lives_at = run.lives_at.take().max(Some(ping.stamp.clone()));
    forget(beat, pings, &ping.run);
    Inserted::New
}

/// Lets go of what cannot matter any more, keeping the newest success and the newest that closed runs.
fn forget(beat: &Heartbeat, pings: &mut Pings, changed: &Option<RunId>) {
    let failures = usize::try_from(beat.failures).unwrap_or(usize::MAX);
    let Pings { runs, old_success, old_closing } = pings;
    let run = runs.of(changed);
    while EVENTS_MIN + 2 * failures < run.events.len() {
        let event = run.events.remove(0);
        keep_newest(changed.as_ref(), &event, old_success, old_closing);
    }
    let n_named = pings.runs.ids().filter(|run| run.is_some()).count();
    if n_named <= DONE_MIN + failures {
        return;
    }
    let story = story(beat, pings, UnixMillis(i64::MIN));
    let is_open = |id: &Option<RunId>| story.spells.iter().any(|spell| spell.run == *id && spell.ended.is_none());
    let named = pings.runs.iter().filter(|(id, _)| id.is_some());
    let mut order: Vec<(bool, Option<&PingStamp>, &Option<RunId>)> = named.map(|(id, run)| (is_open(id), last_stamp(run), id)).collect();
    // Done before open, older before newer.
    order.sort();
    let n_done = order.partition_point(|(is_open, ..)| !is_open);
    let n_done_gone = n_done.saturating_sub(DONE_MIN + failures);
    let n_open_gone = (order.len() - n_done).saturating_sub(RUNS_MAX);
    let gone = order[..n_done_gone].iter().chain(&order[n_done..n_done + n_open_gone]);
    let gone: Vec<Option<RunId>> = gone.map(|(.., id)| (*id).clone()).collect();
    for id in gone {
        for event in pings.runs.remove(&id).unwrap_or_default().events {
            keep_newest(id.as_ref(), &event, &mut pings.old_success, &mut pings.old_closing);
        }
    }
}

fn keep_newest(run: Option<&RunId>, event: &RunEvent, success: &mut Option<PingStamp>, closing: &mut Option<PingStamp>) {
    let newer = |old: &mut Option<PingStamp>| *old = old.take().max(Some(event.stamp.clone()));
    match event.kind {
        PingKind::Success => {
            newer(success);
            if run.is_none() {
                newer(closing);
            }
        }
        PingKind::Fail => newer(closing),
        PingKind::Start | PingKind::Log => {}
    }
}

fn last_stamp(run: &Run) -> Option<&PingStamp> {
    run.events.last().map(|event| &event.stamp).max(run.lives_at.as_ref())
}

/// The newest ping of the set.
pub(super) fn newest(pings: &Pings) -> Option<&PingStamp> {
    pings.runs.values().filter_map(last_stamp).max()
}

/// Reads the pings since `floor`.
pub(super) fn story<'a>(beat: &Heartbeat, pings: &'a Pings, floor: UnixMillis) -> Story<'a> {
    let mut story = Story::default();
    let mut starts = Vec::new();
    let mut superseded = BTreeMap::new();
    for (id, run) in pings.runs.iter() {
        let mut before: Option<&RunEvent> = None;
        let from = run.events.partition_point(|event| event.stamp.at < floor);
        for event in counted(beat, id, &run.events[from..]) {
            story.first = Some(story.first.map_or(event.stamp.at, |first| first.min(event.stamp.at)));
            if event.kind == PingKind::Start {
                starts.push((id, run, &event.stamp));
                if let Some(before) = before.filter(|before| before.kind == PingKind::Start) {
                    superseded.insert(&before.stamp, &event.stamp);
                }
            } else {
                let began = before.filter(|before| before.kind == PingKind::Start).map(|before| before.stamp.at);
                let is_success = event.kind == PingKind::Success;
                story.finishes.push(Finish { stamp: &event.stamp, is_success, run: id.as_ref(), began });
            }
            before = Some(event);
        }
    }
    story.finishes.sort_by_key(|finish| finish.stamp);
    let old = pings.old_closing.as_ref().filter(|stamp| floor <= stamp.at);
    let spells = starts.iter().map(|(id, run, start)| {
        let next = superseded.get(start).copied();
        spell(id, run, start, [old, next], &story.finishes)
    });
    story.spells = spells.collect();
    story
}

fn spell(id: &Option<RunId>, run: &Run, start: &PingStamp, [old, next]: [Option<&PingStamp>; 2], finishes: &[Finish<'_>]) -> Spell {
    let own = finishes.iter().find(|finish| start < finish.stamp && finish.run == id.as_ref());
    let own = own.map(|finish| (finish.stamp, if finish.is_success { SpellEnd::Success } else { SpellEnd::Fail }));
    let other = finishes.iter().find(|finish| start < finish.stamp && finish.run != id.as_ref() && finish.closes_others());
    let other = other.map(|finish| finish.stamp).into_iter().chain(old.filter(|stamp| start < *stamp)).min();
    let ends = [own, other.map(|stamp| (stamp, SpellEnd::Closed)), next.map(|stamp| (stamp, SpellEnd::Superseded))];
    Spell {
        run: id.clone(),
        started: start.at,
        ended: ends.into_iter().flatten().min().map(|(stamp, end)| (stamp.at, end)),
        lives_at: run.lives_at.as_ref().filter(|stamp| start < *stamp).map(|stamp| stamp.at),
    }
}

/// How long the run took that this finish ended; `None`: its start is not known.
pub(super) fn took(beat: &Heartbeat, pings: &Pings, ping: &Ping) -> Option<Duration> {
    let before = before(beat, pings, ping)?;
    (before.kind == PingKind::Start).then(|| ping.stamp.at.since(before.stamp.at))
}

/// The ping that counts before this one in its run.
fn before<'a>(beat: &Heartbeat, pings: &'a Pings, ping: &Ping) -> Option<&'a RunEvent> {
    let events = &pings.runs.get(&ping.run)?.events;
    counted(beat, &ping.run, events).take_while(|event| event.stamp < ping.stamp).last()
}

/// What will be said of a ping once it is fed: how long its run took, if it ends one, and whether it repeats the one before it.
#[must_use]
pub fn foresee(beat: &Heartbeat, pings: &Pings, ping: &Ping) -> (Option<Duration>, bool) {
    let is_finish = matches!(ping.kind, PingKind::Success | PingKind::Fail);
    let is_repeat = ping.run.is_some() && before(beat, pings, ping).is_some_and(|before| repeats(beat, before, ping.kind, ping.stamp.at));
    (took(beat, pings, ping).filter(|_| is_finish), is_repeat)
}

/// The runs that are remembered, newest first, for pages.
#[must_use]
pub fn spells(beat: &Heartbeat, pings: &Pings) -> Vec<Spell> {
    let mut spells = story(beat, pings, UnixMillis(i64::MIN)).spells;
    spells.sort_by(|a, b| (b.started, &b.run).cmp(&(a.started, &a.run)));
    spells
}
