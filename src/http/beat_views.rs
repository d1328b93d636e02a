//! From a heartbeat's picture and its log to the view structs of its page and of the page of all. Pure.

use std::time::Duration;

use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::alert_views;
use crate::http::beat;
use crate::http::beat::Nuance;
use crate::http::heartbeat::snippets::Addresses;
use crate::http::heartbeat::snippets::Plan;
use crate::http::views;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::Resume;
use crate::model::ping::Ignored;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::schedule::Schedule;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::rules::calendar;
use crate::rules::heartbeat::Phase;
use crate::rules::heartbeat::Spell;
use crate::rules::heartbeat::SpellEnd;
use crate::rules::heartbeat::missed_slots;
use crate::ui::component::heartbeat::AddressesView;
use crate::ui::component::heartbeat::BeatSection;
use crate::ui::component::heartbeat::BodyView;
use crate::ui::component::heartbeat::OpenRun;
use crate::ui::component::heartbeat::PingRow;
use crate::ui::component::heartbeat::Standing;
use crate::ui::component::runs::FinishedRun;
use crate::ui::component::runs::Limits;
use crate::ui::links::Links;
use crate::ui::page::heartbeats::HeartbeatRow;
use crate::ui::page::heartbeats::HeartbeatsView;

/// Times that are listed of what is expected.
const UPCOMING_SHOWN: usize = 5;

/// Times that are listed of what is missing.
const MISSED_SHOWN: usize = 10;

/// Characters of a body on the page, some forty lines; a hundred pings must not make it heavy. All of it is a click away.
const BODY_CHARS_SHOWN: usize = 4000;

/// What a section is made from besides the picture.
pub struct Sources<'a> {
    /// The newest pings, newest first; `None` when they cannot be read.
    pub pings: Option<&'a [PingEntry]>,
    /// By what it is pinged; `None` for those who may not know.
    pub addresses: Option<&'a Addresses>,
    /// Which node received a ping is worth saying.
    pub has_peers: bool,
    /// Addresses of pages.
    pub links: &'a Links,
    /// Now.
    pub now: UnixMillis,
}

/// What the page of a heartbeat says of it; `None` for other monitors.
#[must_use]
pub fn section(view: &MonitorView, sources: &Sources<'_>) -> Option<BeatSection> {
    let (beat, spec) = (view.heartbeat.as_deref()?, view.monitor.heartbeat()?);
    let HeartbeatView { seen, hint, state, .. } = beat;
    let rules: &Heartbeat = &spec.beat;
    let limits = Limits { min: rules.min_runtime, max: rules.max_runtime() };
    let is_off = view.verdict == Verdict::Paused;
    let n_missed = beat.n_missed(rules, sources.now);
    Some(BeatSection {
        standing: standing(view, beat, rules),
        schedule: calendar::describe(&rules.schedule),
        grace: rules.grace,
        start_grace: rules.start_grace,
        expected: seen.expected.filter(|_| !is_off),
        deadline: seen.deadline.filter(|_| !is_off),
        upcoming: if is_off { Vec::new() } else { upcoming(&rules.schedule, seen.expected, sources.now) },
        last_ping: sources.pings.and_then(|pings| pings.first()).map(|ping| (ping.stamp.at, ping.meaning.word())),
        last_success: seen.last_success,
        running: seen.running.iter().map(open_run).collect(),
        limits,
        n_missed,
        missed: if n_missed > 0 { missed_slots(rules, state, sources.now, MISSED_SHOWN) } else { Vec::new() },
        hint: hint.clone(),
        runs: sources.pings.map(|pings| finished(pings, limits)).unwrap_or_default(),
        pings: sources.pings.map(|pings| pings.iter().map(|ping| row(ping, view, sources)).collect()),
        addresses: sources.addresses.map(|addresses| addresses_of(addresses, &rules.schedule)),
    })
}

/// The page of all heartbeats.
#[must_use]
pub fn list(snapshot: &Snapshot, now: UnixMillis) -> HeartbeatsView {
    let views = snapshot.config.monitors.iter().filter_map(|monitor| snapshot.monitors.get(&monitor.id));
    let mut rows: Vec<HeartbeatRow> = views.filter_map(|view| list_row(view, snapshot, now)).collect();
    rows.sort_by_key(|row| (urgency(row), row.expected.or(row.deadline).unwrap_or(UnixMillis(i64::MAX))));
    HeartbeatsView { rows }
}

/// Lower comes first.
fn urgency(row: &HeartbeatRow) -> u8 {
    match row.standing {
        _ if row.is_maintenance => 3,
        Standing::Down => 0,
        Standing::Asking | Standing::Late | Standing::TooFast => 1,
        Standing::NeverPinged | Standing::Waiting => 2,
        Standing::Up => 3,
        Standing::PausedUntilPing | Standing::PausedUntilResumed => 4,
    }
}

fn list_row(view: &MonitorView, snapshot: &Snapshot, now: UnixMillis) -> Option<HeartbeatRow> {
    let (beat, spec) = (view.heartbeat.as_deref()?, view.monitor.heartbeat()?);
    let (rules, seen) = (&spec.beat, &beat.seen);
    let took = |spell: &Spell| match spell.ended? {
        (at, SpellEnd::Success) => Some((at.since(spell.started), true)),
        (at, SpellEnd::Fail) => Some((at.since(spell.started), false)),
        (_, SpellEnd::Superseded | SpellEnd::Closed) => None,
    };
    let is_off = view.verdict == Verdict::Paused;
    Some(HeartbeatRow {
        id: view.monitor.id.clone(),
        name: view.monitor.name.clone(),
        group: view.monitor.group.clone(),
        standing: standing(view, beat, rules),
        is_maintenance: view.verdict == Verdict::Maintenance,
        cause: views::cause(view),
        incident: view.incidents.first().map(|incident| incident.id.clone()),
        marks: alert_views::marks(view, snapshot, now),
        schedule: calendar::describe(&rules.schedule),
        grace: rules.grace,
        last_success: seen.last_success,
        running: seen.running.first().map(|oldest| (oldest.started, seen.running.len())),
        last_run: beat.spells.iter().find_map(took),
        n_missed: beat.n_missed(rules, now),
        expected: seen.expected.filter(|_| !is_off),
        deadline: seen.deadline.filter(|_| !is_off),
    })
}

fn standing(view: &MonitorView, beat: &HeartbeatView, rules: &Heartbeat) -> Standing {
    if view.verdict == Verdict::Paused {
        return if rules.resume == Resume::Auto && view.monitor.enabled { Standing::PausedUntilPing } else { Standing::PausedUntilResumed };
    }
    match beat::nuance(view) {
        _ if view.verdict == Verdict::Down => Standing::Down,
        _ if beat.is_overdue => Standing::Asking,
        Some(Nuance::Late) => Standing::Late,
        Some(Nuance::NeverPinged) => Standing::NeverPinged,
        Some(Nuance::Waiting) => Standing::Waiting,
        None if beat.seen.phase == Phase::Late => Standing::Late,
        None if beat.seen.too_fast.is_some() => Standing::TooFast,
        None => Standing::Up,
    }
}

/// When reports are expected after the next one. An interval counts from the report, so that there is nothing to say while one is late.
fn upcoming(schedule: &Schedule, expected: Option<UnixMillis>, now: UnixMillis) -> Vec<UnixMillis> {
    match (schedule, expected) {
        (Schedule::Interval(_), Some(next)) if now < next => calendar::upcoming(schedule, next, UPCOMING_SHOWN),
        (Schedule::Interval(_), Some(_) | None) => Vec::new(),
        (Schedule::Timed(_), next) => calendar::upcoming(schedule, next.map_or(now, |next| next.max(now)), UPCOMING_SHOWN),
    }
}

fn open_run(run: &Spell) -> OpenRun {
    OpenRun { run: run.run.as_ref().map(ToString::to_string), started: run.started, lives_at: run.lives_at }
}

/// Runs that are over, oldest first.
fn finished(pings: &[PingEntry], limits: Limits) -> Vec<FinishedRun> {
    let run = |ping: &PingEntry| {
        let took = ping.took.filter(|_| !ping.is_repeat)?;
        let (look, word) = match ping.meaning {
            Meaning::Ping(PingKind::Success) if limits.min.is_some_and(|min| took < min) => (Verdict::Degraded, "suspiciously fast"),
            Meaning::Ping(PingKind::Success) => (Verdict::Up, "success"),
            Meaning::Ping(PingKind::Fail) => (Verdict::Down, "fail"),
            Meaning::Ping(PingKind::Start | PingKind::Log) | Meaning::Ignored(_) => return None,
        };
        Some(FinishedRun { at: ping.stamp.at, took, look, word, run: ping.run.as_ref().map(ToString::to_string) })
    };
    pings.iter().rev().filter_map(run).collect()
}

fn row(entry: &PingEntry, view: &MonitorView, sources: &Sources<'_>) -> PingRow {
    let mut notes: Vec<String> = entry.exit.map(|status| format!("exit status {status}")).into_iter().collect();
    if let Meaning::Ignored(why) = entry.meaning {
        notes.push(
            match why {
                Ignored::Held => "paused, and only people resume it",
                Ignored::Method => "only POST counts",
                Ignored::NoKeyword => "no keyword in the body",
            }
            .to_owned(),
        );
    }
    if entry.is_repeat {
        notes.push("sent again".to_owned());
    }
    let arrival = entry.arrival.as_ref();
    PingRow {
        number: entry.number,
        at: entry.stamp.at,
        kind: entry.meaning.word(),
        look: match entry.meaning {
            Meaning::Ping(PingKind::Success) => Some(Verdict::Up),
            Meaning::Ping(PingKind::Fail) => Some(Verdict::Down),
            Meaning::Ping(PingKind::Start | PingKind::Log) | Meaning::Ignored(_) => None,
        },
        notes,
        run: entry.run.as_ref().map(ToString::to_string),
        took: entry.took.filter(|took| *took > Duration::ZERO),
        address: arrival.and_then(|arrival| arrival.address).map(|address| address.to_string()),
        client: arrival.map(|arrival| format!("{} {}", arrival.method, arrival.agent.as_deref().unwrap_or_default())),
        node: (sources.has_peers || arrival.is_none()).then(|| entry.stamp.node.to_string()),
        body: (entry.body_bytes > 0).then(|| body(entry, sources.links.ping_body(&view.monitor.id, entry.number))),
    }
}

fn body(entry: &PingEntry, raw: String) -> BodyView {
    let whole = String::from_utf8_lossy(&entry.body);
    let end = whole.char_indices().nth(BODY_CHARS_SHOWN).map(|(end, _)| end);
    BodyView {
        text: whole[..end.unwrap_or(whole.len())].to_owned(),
        n_bytes: entry.body_bytes,
        is_truncated: entry.is_truncated(),
        is_cut: end.is_some(),
        raw,
    }
}

fn addresses_of(addresses: &Addresses, schedule: &Schedule) -> AddressesView {
    let owned = |(heading, text): (&str, &str)| (heading.to_owned(), text.to_owned());
    AddressesView {
        forms: addresses.forms().into_iter().map(owned).collect(),
        healthchecks_base: addresses.healthchecks_base.clone(),
        snippets: addresses.snippets(&Plan::of(schedule)).into_iter().map(|(heading, text)| (heading.to_owned(), text)).collect(),
    }
}
