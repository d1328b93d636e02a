//! Heartbeats in the shape that the management API of healthchecks has, so that dashboards made for it light up.
//!
//! Its words are used here: a check is a heartbeat, a flip is a change between up and down. Keys that have no counterpart here are
//! present with their empty value, because clients look them up without asking whether they are there.

use ring::digest;
use serde::Serialize;

use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::MonitorView;
use crate::http::heartbeat::identity::Names;
use crate::model::change::VerdictChange;
use crate::model::channel::Channel;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::Keywords;
use crate::model::heartbeat::Methods;
use crate::model::heartbeat::Otherwise;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::Resume;
use crate::model::monitor::Monitor;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::schedule::Schedule;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Phase;
use crate::rules::heartbeat::SpellEnd;

/// How a check is to be told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Version of the API: the first one has a state "started".
    pub version: u8,
    /// What addresses begin with.
    pub base: &'a str,
    /// With the addresses by which it is pinged, which are secrets.
    pub with_secrets: bool,
}

/// A check.
#[derive(Debug, Serialize)]
pub struct Check {
    name: String,
    slug: String,
    tags: String,
    desc: String,
    grace: u64,
    n_pings: u64,
    status: &'static str,
    started: bool,
    last_ping: Option<String>,
    next_ping: Option<String>,
    manual_resume: bool,
    methods: &'static str,
    subject: &'static str,
    subject_fail: &'static str,
    start_kw: String,
    success_kw: String,
    failure_kw: String,
    filter_subject: bool,
    filter_body: bool,
    filter_http_body: bool,
    filter_default_fail: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    badge_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_key: Option<String>,
    #[serde(flatten)]
    secrets: Option<Secrets>,
    #[serde(flatten)]
    when: When,
}

/// What lets one ping.
#[derive(Debug, Serialize)]
struct Secrets {
    uuid: String,
    ping_url: String,
    update_url: String,
    pause_url: String,
    resume_url: String,
    channels: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum When {
    Simple { timeout: u64 },
    Timed { schedule: String, tz: String },
}

/// All checks.
#[derive(Debug, Serialize)]
pub struct Checks {
    /// In the order of the config.
    pub checks: Vec<Check>,
}

/// The log of a check.
#[derive(Debug, Serialize)]
pub struct Pings {
    pings: Vec<Ping>,
}

#[derive(Debug, Serialize)]
struct Ping {
    #[serde(rename = "type")]
    kind: &'static str,
    date: String,
    n: u64,
    scheme: String,
    remote_addr: Option<String>,
    method: Option<String>,
    ua: Option<String>,
    rid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exitstatus: Option<u8>,
    body_url: Option<String>,
}

/// Changes between up and down.
#[derive(Debug, Serialize)]
pub struct Flips {
    flips: Vec<Flip>,
}

#[derive(Debug, Serialize)]
struct Flip {
    timestamp: String,
    up: u8,
}

/// Ways to reach people.
#[derive(Debug, Serialize)]
pub struct Channels {
    channels: Vec<ChannelBody>,
}

#[derive(Debug, Serialize)]
struct ChannelBody {
    id: String,
    name: String,
    kind: &'static str,
}

/// The forms of one badge.
#[derive(Debug, Serialize)]
pub struct BadgeUrls {
    svg: String,
    svg3: String,
    json: String,
    json3: String,
    shields: String,
    shields3: String,
}

impl BadgeUrls {
    /// Of what has its badges at `at`, such as `https://status.example.com/badge/production`.
    #[must_use]
    pub fn new(at: &str) -> BadgeUrls {
        let url = |figure: &str, format: &str| format!("{at}/{figure}.{format}");
        BadgeUrls {
            svg: url("up-down", "svg"),
            svg3: url("status", "svg"),
            json: url("up-down", "json"),
            json3: url("status", "json"),
            shields: url("up-down", "shields"),
            shields3: url("status", "shields"),
        }
    }
}

/// What stands for the UUID where that is a secret: it leads back to nothing, and stays when the UUID moves here from elsewhere.
#[must_use]
pub fn unique_key(uuid: &str) -> String {
    let half: String = uuid.chars().filter(|c| *c != '-').take(16).collect();
    data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, half.as_bytes()).as_ref())
}

/// Tags are words: the group, and each label as `name=value`.
#[must_use]
pub fn tags(monitor: &Monitor) -> Vec<String> {
    let word = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("-");
    let labels = monitor.labels.iter().map(|(name, value)| word(&format!("{name}={value}")));
    monitor.group.iter().map(|group| word(group)).chain(labels).filter(|tag| !tag.is_empty()).collect()
}

/// Times as that API writes them.
fn iso(at: UnixMillis) -> String {
    at.rfc3339().replace('Z', "+00:00")
}

/// With its fraction.
fn iso_exact(at: UnixMillis) -> String {
    let micros = at.0.rem_euclid(1000) * 1000;
    at.rfc3339().replace('Z', &format!(".{micros:06}+00:00"))
}

fn status(view: &MonitorView, beat: &HeartbeatView, version: u8) -> &'static str {
    let is_off = !view.monitor.enabled || view.paused_by_operator || beat.seen.phase == Phase::Paused;
    if is_off {
        return "paused";
    }
    let is_down = view.verdict == Verdict::Down;
    if version == 1 && !beat.seen.running.is_empty() && !is_down {
        return "started";
    }
    match beat.seen.phase {
        _ if is_down => "down",
        _ if beat.is_overdue => "grace",
        Phase::Waiting => "new",
        Phase::Late => "grace",
        // By silence that is not believed yet; until it is, what was before holds.
        Phase::Up | Phase::Down | Phase::Paused => "up",
    }
}

/// When something last finished.
fn last_ping(beat: &HeartbeatView) -> Option<UnixMillis> {
    let pings = &beat.state.pings;
    let events = pings.runs.values().flat_map(|run| &run.events).filter(|event| event.kind != PingKind::Start);
    let old = [&pings.old_success, &pings.old_closing].into_iter().flatten().map(|stamp| stamp.at);
    events.map(|event| event.stamp.at).chain(old).max()
}

/// How long the newest finished run took.
fn last_duration(beat: &HeartbeatView) -> Option<u64> {
    beat.spells.iter().find_map(|spell| match spell.ended? {
        (at, SpellEnd::Success | SpellEnd::Fail) => Some(at.since(spell.started).as_secs()),
        (_, SpellEnd::Superseded | SpellEnd::Closed) => None,
    })
}

/// A check; `None`: the monitor is no heartbeat. `badge_at` is where its badges are, if a page that is open to everybody lists it.
#[must_use]
pub fn check(view: &MonitorView, names: &Names, (n_pings, badge_at): (u64, Option<String>), told: Told<'_>) -> Option<Check> {
    let (beat, spec) = (view.heartbeat.as_deref()?, view.monitor.heartbeat()?);
    let rules: &Heartbeat = &spec.beat;
    let words = rules.keywords.as_ref();
    let listed = |which: fn(&Keywords) -> &Vec<String>| words.map(|words| which(words).join(",")).unwrap_or_default();
    let uuid = names.uuid.reveal_for_use();
    Some(Check {
        name: view.monitor.name.clone(),
        slug: spec.identity.slug.clone(),
        tags: tags(&view.monitor).join(" "),
        desc: view.monitor.runbook.clone().unwrap_or_default(),
        grace: rules.grace.as_secs(),
        n_pings,
        status: status(view, beat, told.version),
        started: !beat.seen.running.is_empty(),
        last_ping: last_ping(beat).map(iso),
        next_ping: beat.seen.expected.map(iso),
        manual_resume: rules.resume == Resume::Manual,
        methods: if rules.methods == Methods::Post { "POST" } else { "" },
        subject: "",
        subject_fail: "",
        start_kw: listed(|words| &words.start),
        success_kw: listed(|words| &words.success),
        failure_kw: listed(|words| &words.failure),
        filter_subject: false,
        filter_body: false,
        filter_http_body: words.is_some(),
        filter_default_fail: words.is_some_and(|words| words.otherwise == Otherwise::Fail),
        badge_url: badge_at.map(|at| format!("{at}/up-down.svg")),
        last_duration: last_duration(beat),
        unique_key: (!told.with_secrets).then(|| unique_key(uuid)),
        secrets: told.with_secrets.then(|| secrets(view, uuid, told)),
        when: match &rules.schedule {
            Schedule::Interval(every) => When::Simple { timeout: every.as_secs() },
            Schedule::Timed(timed) => When::Timed { schedule: timed.text.clone(), tz: timed.zone.to_string() },
        },
    })
}

fn secrets(view: &MonitorView, uuid: &str, told: Told<'_>) -> Secrets {
    let Told { version, base, .. } = told;
    let update_url = format!("{base}/api/v{version}/checks/{uuid}");
    let channels = view.monitor.channels.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Secrets {
        uuid: uuid.to_owned(),
        ping_url: format!("{base}/ping/{uuid}"),
        pause_url: format!("{update_url}/pause"),
        resume_url: format!("{update_url}/resume"),
        update_url,
        channels,
    }
}

/// The log, newest first. Bodies are below `at`, the address of the check.
#[must_use]
pub fn pings(entries: &[PingEntry], at: &str) -> Pings {
    let scheme = at.split_once("://").map_or("http", |(scheme, _)| scheme);
    Pings { pings: entries.iter().map(|entry| ping(entry, at, scheme)).collect() }
}

fn ping(entry: &PingEntry, at: &str, scheme: &str) -> Ping {
    let arrival = entry.arrival.as_ref();
    Ping {
        kind: match entry.meaning {
            Meaning::Ping(kind) => kind.word(),
            Meaning::Ignored(_) => "ign",
        },
        date: iso_exact(entry.stamp.at),
        n: entry.number,
        scheme: scheme.to_owned(),
        remote_addr: arrival.and_then(|arrival| arrival.address).map(|address| address.to_string()),
        method: arrival.map(|arrival| arrival.method.clone()),
        ua: arrival.map(|arrival| arrival.agent.clone().unwrap_or_default()),
        rid: entry.run.as_ref().map(ToString::to_string),
        duration: entry.took.map(|took| took.as_secs_f64()),
        exitstatus: entry.exit,
        body_url: (!entry.body.is_empty()).then(|| format!("{at}/pings/{}/body", entry.number)),
    }
}

/// Changes between up and down from `from` up to, but not at, `to`; newest first. Times of which nothing is known are no change.
#[must_use]
pub fn flips(changes: &[VerdictChange], from: UnixMillis, to: UnixMillis) -> Flips {
    let mut was_up = None;
    let mut flips = Vec::new();
    for change in changes {
        let is_up = match change.verdict {
            Verdict::Up | Verdict::Degraded => true,
            Verdict::Down => false,
            Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => continue,
        };
        if was_up != Some(is_up) && from <= change.at && change.at < to {
            flips.push(Flip { timestamp: iso(change.at), up: u8::from(is_up) });
        }
        was_up = Some(is_up);
    }
    flips.reverse();
    Flips { flips }
}

/// The channels.
#[must_use]
pub fn channels<'a>(all: impl Iterator<Item = &'a Channel>) -> Channels {
    let body = |channel: &Channel| ChannelBody { id: channel.name.to_string(), name: channel.name.to_string(), kind: channel.spec.kind() };
    Channels { channels: all.map(body).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::MonitorId;

    #[test]
    fn unique_keys_are_those_that_healthchecks_gives() {
        // printf 6f0c1e9a00004000 | sha1sum
        assert_eq!(unique_key("6f0c1e9a-0000-4000-8000-00000000000a"), "006cbfc27c196a4fb3c04c74235d82546c6c2244");
    }

    #[test]
    fn flips_are_changes_and_nothing_else() {
        let monitor = MonitorId::parse("nightly").expect("an id");
        let change = |at: i64, verdict| VerdictChange { monitor: monitor.clone(), at: UnixMillis(at * 1000), verdict };
        let changes = [
            change(0, Verdict::Up),
            change(10, Verdict::Unknown),
            change(20, Verdict::Degraded),
            change(30, Verdict::Down),
            change(40, Verdict::Paused),
            change(50, Verdict::Down),
            change(60, Verdict::Up),
        ];
        let told = |from: i64, to: i64| {
            let flips = flips(&changes, UnixMillis(from * 1000), UnixMillis(to * 1000)).flips;
            flips.iter().map(|flip| (flip.timestamp.clone(), flip.up)).collect::<Vec<_>>()
        };
        let at = |second: u8| format!("1970-01-01T00:00:{second:02}+00:00");
        assert_eq!(told(1, 61), [("1970-01-01T00:01:00+00:00".to_owned(), 1), (at(30), 0)]);
        assert_eq!(told(0, 60), [(at(30), 0), (at(0), 1)]);
    }

    #[test]
    fn times_have_their_offset() {
        assert_eq!(iso_exact(UnixMillis(1_782_814_980_123)), "2026-06-30T10:23:00.123000+00:00");
        assert_eq!(iso(UnixMillis(1_782_814_980_123)), "2026-06-30T10:23:00+00:00");
    }
}
