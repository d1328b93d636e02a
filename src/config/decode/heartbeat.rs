//! Decodes what concerns heartbeats: `heartbeat` of a monitor, and `heartbeats` of the document.

use std::sync::Arc;
use std::time::Duration;

use crate::config::AutoCreate;
use crate::config::Heartbeats;
use crate::config::decode::monitor;
use crate::config::expand::Whole;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::model::heartbeat::BodyRule;
use crate::model::heartbeat::FAILURES_MAX;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatSpec;
use crate::model::heartbeat::Identity;
use crate::model::heartbeat::Keep;
use crate::model::heartbeat::Keywords;
use crate::model::heartbeat::Methods;
use crate::model::heartbeat::Otherwise;
use crate::model::heartbeat::Resume;
use crate::model::heartbeat::SLUG_BYTES_MAX;
use crate::model::heartbeat::is_slug;
use crate::model::heartbeat::is_uuid;
use crate::model::schedule::BadSchedule;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::secret::Secret;
use std::collections::BTreeSet;

const GRACE: Duration = Duration::from_secs(300);

/// Of the shortest time between two reports, the grace is at most this part by default: more would hide every second one.
const GRACE_SHARE: u32 = 2;

/// What healthchecks keeps by default; clients cut what they send to what the server says.
const BODY_BYTES: usize = 10_000;

/// Most that can be kept of a body. It lies in memory until it is written, for each request under way.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// A shorter token could be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// Longest token that an address may have.
const TOKEN_CHARS_MAX: usize = 128;

/// A shorter ping key could be guessed; those of healthchecks have 22 characters.
const PING_KEY_CHARS_MIN: usize = 16;

const N_CREATED: usize = 100;

/// `heartbeat:` of a monitor. The slug is empty when it is to be made of the id.
pub(super) fn heartbeat(ctx: &Ctx<'_>, at: &At<'_>) -> Option<HeartbeatSpec> {
    let mut fields = Fields::open(ctx, at, "monitors[].heartbeat")?;
    let times = [fields.take("interval"), fields.take("cron"), fields.take("calendar")];
    let (zone, rules) = (fields.take("timezone"), fields.take("rules"));
    let grace = fields.read("grace", readers::duration);
    let start_grace = fields.read("start_grace", readers::duration);
    let max_runtime = fields.read("max_runtime", readers::duration);
    let min_runtime = fields.read("min_runtime", readers::duration);
    let failures = fields.read("failures", |ctx, at| readers::whole_u32(ctx, at, 1, FAILURES_MAX));
    let first_ping = fields
        .read("first_ping", |ctx, at| readers::choice(ctx, at, &[("required", FirstPing::Required), ("optional", FirstPing::Optional)]));
    let methods = fields.read("methods", |ctx, at| readers::choice(ctx, at, &[("any", Methods::Any), ("post", Methods::Post)]));
    let body = fields.read("body", body);
    let keywords = fields.read("keywords", keywords);
    let early = fields.read("early", readers::duration);
    let resume = fields.read("resume", |ctx, at| readers::choice(ctx, at, &[("auto", Resume::Auto), ("manual", Resume::Manual)]));
    let keep_alive = fields.read("keep_alive", readers::boolean);
    let identity = identity(&mut fields);
    fields.finish();
    let schedule = schedule(ctx, at, times, (zone, rules))?;
    let beat = Heartbeat {
        grace: grace.unwrap_or_else(|| GRACE.min(schedule.shortest_gap() / GRACE_SHARE)),
        schedule,
        start_grace,
        max_runtime,
        min_runtime,
        failures: failures.unwrap_or(1),
        first_ping: first_ping.unwrap_or(FirstPing::Required),
        methods: methods.unwrap_or(Methods::Any),
        body: body.unwrap_or(BodyRule { bytes_max: BODY_BYTES, keep: Keep::Head }),
        keywords,
        early,
        resume: resume.unwrap_or(Resume::Auto),
        keep_alive: keep_alive.unwrap_or(false),
    };
    let place = |key: &str| at.child(key).unwrap_or_else(|| at.clone());
    for (key, message) in beat.problems() {
        let (message, hint) = parts(&message);
        ctx.bad(&place(key), message, hint);
    }
    for (key, message) in beat.doubts() {
        let (message, hint) = parts(&message);
        let place = place(key);
        ctx.report.doubt(place.node.pos, &place.path, message, hint);
    }
    Some(HeartbeatSpec { beat: Arc::new(beat), identity })
}

/// Our own sentences are written "what is wrong; what to do".
fn parts(said: &str) -> (&str, &str) {
    said.split_once("; ").unwrap_or((said, ""))
}

fn identity(fields: &mut Fields<'_>) -> Identity {
    let token = fields.read("token", token);
    let uuid = fields.read("uuid", uuid);
    let slug = fields.read("slug", slug);
    let generation = fields.read("generation", |ctx, at| readers::whole_u32(ctx, at, 1, 1_000_000));
    Identity { token, uuid, slug: slug.unwrap_or_default(), generation: generation.unwrap_or(1) }
}

/// Says when a report is expected, by exactly one of the three.
fn schedule(
    ctx: &Ctx<'_>,
    at: &At<'_>,
    [interval, cron, calendar]: [Option<At<'_>>; 3],
    (zone, rules): (Option<At<'_>>, Option<At<'_>>),
) -> Option<Schedule> {
    let known_rules = [("vixie", CronRules::Vixie), ("kubernetes", CronRules::Kubernetes)];
    let chosen = rules.as_ref().and_then(|at| readers::choice(ctx, at, &known_rules));
    let zone_text = zone.as_ref().and_then(|at| readers::text(ctx, at));
    if let (Some(rules), None) = (&rules, &cron) {
        ctx.bad(rules, "`rules` says whose rules `cron` follows, and there is no `cron`", "remove it");
    }
    if let (Some(zone), Some(_)) = (&zone, &interval) {
        ctx.bad(zone, "an interval is the same in all time zones", "remove `timezone`");
    }
    let mut given = [&interval, &cron, &calendar].into_iter().flatten();
    let (first, second) = (given.next(), given.next());
    let Some(place) = first else {
        ctx.bad(
            at,
            "this heartbeat does not say when it is expected",
            "add `interval: 1d`, `cron: \"0 2 * * *\"` or `calendar: \"Mon..Fri 02:00\"`",
        );
        return None;
    };
    if let Some(second) = second {
        ctx.bad(second, "a heartbeat is expected in one way only", "keep one of `interval`, `cron` and `calendar`");
        return None;
    }
    let made = if let Some(at) = &interval {
        Schedule::interval(readers::duration(ctx, at)?)
    } else if let Some(at) = &cron {
        Schedule::cron(&readers::full_text(ctx, at)?, zone_text.as_deref(), chosen.unwrap_or(CronRules::Vixie))
    } else {
        Schedule::calendar(&readers::full_text(ctx, place)?, zone_text.as_deref())
    };
    made.map_err(|BadSchedule { message, hint }| {
        let is_about_zone = zone_text.as_deref().is_some_and(|zone| message.starts_with(&format!("`{zone}`")));
        ctx.bad(zone.as_ref().filter(|_| is_about_zone).unwrap_or(place), message, hint);
    })
    .ok()
}

fn body(ctx: &Ctx<'_>, at: &At<'_>) -> Option<BodyRule> {
    let mut fields = Fields::open(ctx, at, "monitors[].heartbeat.body")?;
    let limit = fields.read("limit", |ctx, at| readers::size(ctx, at, 0, BODY_BYTES_MAX));
    let keep = fields.read("keep", |ctx, at| readers::choice(ctx, at, &[("head", Keep::Head), ("tail", Keep::Tail)]));
    fields.finish();
    let bytes_max = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(BODY_BYTES);
    Some(BodyRule { bytes_max, keep: keep.unwrap_or(Keep::Head) })
}

fn keywords(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Keywords> {
    let mut fields = Fields::open(ctx, at, "monitors[].heartbeat.keywords")?;
    let failure = fields.read("failure", readers::names);
    let success = fields.read("success", readers::names);
    let start = fields.read("start", readers::names);
    let otherwise =
        fields.read("otherwise", |ctx, at| readers::choice(ctx, at, &[("ignore", Otherwise::Ignore), ("fail", Otherwise::Fail)]));
    fields.finish();
    Some(Keywords {
        failure: failure.unwrap_or_default(),
        success: success.unwrap_or_default(),
        start: start.unwrap_or_default(),
        otherwise: otherwise.unwrap_or(Otherwise::Ignore),
    })
}

fn token(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    opener(ctx, at, (TOKEN_CHARS_MIN, "token"))
}

/// A text that stands in an address and opens something.
fn opener(ctx: &Ctx<'_>, at: &At<'_>, (least, what): (usize, &str)) -> Option<Secret> {
    let secret = readers::secret(ctx, at)?;
    let text = secret.reveal_for_use();
    let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !fits || !(least..=TOKEN_CHARS_MAX).contains(&text.len()) {
        let hint = format!("use {least} to {TOKEN_CHARS_MAX} letters, digits, `-` and `_`, at random, or leave it out and one is derived");
        ctx.report.add(at.node.pos, &at.path, format!("this cannot be a {what}"), hint);
        return None;
    }
    Some(secret)
}

fn uuid(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let secret = readers::secret(ctx, at)?;
    if !is_uuid(secret.reveal_for_use()) {
        let hint = "write it as 8-4-4-4-12 hexadecimal digits, or leave it out and one is derived";
        ctx.report.add(at.node.pos, &at.path, "this is not a UUID", hint);
        return None;
    }
    Some(Secret::new(secret.reveal_for_use().to_ascii_lowercase()))
}

fn slug(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::full_text(ctx, at)?;
    if !is_slug(&text) {
        let hint = format!("use lowercase letters, digits, `-` and `_`, at most {SLUG_BYTES_MAX} of them");
        ctx.bad(at, format!("`{text}` is not a slug"), hint);
        return None;
    }
    Some(text)
}

/// `heartbeats:`; `created` is what `?create=1` makes.
pub(super) fn heartbeats(ctx: &Ctx<'_>, at: &At<'_>, (created, channels): (Option<&Whole>, &BTreeSet<String>)) -> Option<Heartbeats> {
    let mut fields = Fields::open(ctx, at, "heartbeats")?;
    let auto_create_at = fields.take("auto_create");
    let ping_key = fields.read("ping_key", |ctx, at| opener(ctx, at, (PING_KEY_CHARS_MIN, "ping key")));
    fields.finish();
    let n_max = auto_create_at.as_ref().and_then(|at| auto_create(ctx, at));
    let prototype = created.and_then(|whole| monitor::monitor(ctx, &At { node: &whole.node, path: whole.path.clone() }, channels));
    let auto_create = match (n_max, prototype) {
        (Some(n_max), Some(prototype)) if prototype.heartbeat().is_some() => Some(AutoCreate { prototype: Arc::new(prototype), n_max }),
        (Some(_), Some(_)) => {
            ctx.bad(auto_create_at.as_ref().unwrap_or(at), "what would be made is not a heartbeat", "name a template with `heartbeat`");
            None
        }
        (Some(_) | None, _) => None,
    };
    Some(Heartbeats { ping_key, auto_create })
}

/// How many may be made; `None`: none.
fn auto_create(ctx: &Ctx<'_>, at: &At<'_>) -> Option<usize> {
    if at.node.scalar().is_some() {
        return readers::boolean(ctx, at)?.then_some(N_CREATED);
    }
    let mut fields = Fields::open(ctx, at, "heartbeats.auto_create")?;
    // Looked up before, in `crate::config::expand`.
    let _ = fields.take("template");
    let limit = fields.read("limit", |ctx, at| readers::whole_u32(ctx, at, 1, 10_000));
    fields.finish();
    Some(limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(N_CREATED))
}
