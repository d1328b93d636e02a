//! Decodes one monitor, after templates, defaults and matrix were applied.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::decode::channel;
use crate::config::decode::expect;
use crate::config::decode::heartbeat;
use crate::config::decode::http;
use crate::config::decode::policy;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Scalar;
use crate::config::readers;
use crate::config::reference;
use crate::model::heartbeat::is_slug;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::id::check_name;
use crate::model::id::slug;
use crate::model::monitor::Confirm;
use crate::model::monitor::Internal;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::Quorum;
use crate::model::monitor::Regions;
use crate::model::monitor::Reminders;
use crate::model::monitor::Slo;
use crate::model::time::DurationText;

const INTERVAL: Duration = Duration::from_secs(60);
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_MIN: Duration = Duration::from_millis(100);
const RECHECK: Duration = Duration::from_secs(10);
const PARTIAL_AFTER: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// What a monitor inherits unless it says otherwise; also the keys of `defaults`.
struct Shared {
    interval: Duration,
    timeout: Duration,
    confirm: Confirm,
    regions: Regions,
    quorum: Quorum,
    n_regions_min: Option<usize>,
    partial_after: Duration,
    channels: Vec<ChannelName>,
    remind: Reminders,
}

/// One monitor. `None` when something was wrong, which is then reported.
pub(super) fn monitor(ctx: &Ctx<'_>, at: &At<'_>, channels: &BTreeSet<String>) -> Option<Monitor> {
    let mut fields = Fields::open(ctx, at, "monitors[]")?;
    let name_at = fields.take("name");
    let id_at = fields.take("id");
    let group = fields.read("group", readers::name);
    let labels = fields.read("labels", labels);
    let kinds = [fields.take("http"), fields.take("tcp"), fields.take("heartbeat")];
    let shared = shared(ctx, &mut fields, channels);
    let expect_at = fields.take("expect");
    let runbook = fields.read("runbook", readers::web_url);
    let slo = fields.read("slo", slo);
    let enabled = fields.read("enabled", readers::boolean);
    let internal_at = fields.take("internal");
    // Both are applied before, in `crate::config::expand`.
    let _ = (fields.take("use"), fields.take("matrix"));
    // Resolved when all monitors are known, in `crate::config::decode::depends`.
    let _ = fields.take("depends_on");
    fields.finish();
    let [http, tcp, heartbeat] = &kinds;
    let is_http = tcp.is_none();
    let target_at = http.as_ref().and_then(|at| at.child("url")).or_else(|| tcp.as_ref().and_then(|at| at.child("address")));
    let written = target_at.and_then(|at| at.node.scalar().map(|scalar| scalar.text.clone()));
    if heartbeat.is_some() {
        refuse_checks(ctx, at);
    }
    let probe = probe(ctx, at, kinds);
    let expectation = expect_at.map(|at| expect::expect(ctx, &at, is_http, shared.timeout));
    let internal = internal_at.map(|at| internal(ctx, &at, shared.timeout));
    let mut probe = probe?;
    let name = match &name_at {
        Some(name) => readers::name(ctx, name)?,
        None => name_of_target(ctx, at, written.as_deref(), &probe)?,
    };
    let id = id(ctx, at, id_at.as_ref(), name_at.as_ref(), &name)?;
    let (mut interval, mut confirm) = (shared.interval, shared.confirm);
    if let ProbeSpec::Heartbeat(spec) = &mut probe {
        interval = spec.beat.schedule.shortest_gap();
        confirm = Confirm { failures: spec.beat.failures, successes: 1, recheck: interval };
        if spec.identity.slug.is_empty() {
            spec.identity.slug = slug_of(ctx, at, &id)?;
        }
    }
    Some(Monitor {
        id,
        name,
        group,
        labels: labels.unwrap_or_default(),
        probe,
        expect: expectation.unwrap_or_else(|| Some(crate::model::expect::Expectation::default()))?,
        interval,
        timeout: shared.timeout,
        confirm,
        regions: shared.regions,
        quorum: shared.quorum,
        n_regions_min: shared.n_regions_min,
        partial_after: shared.partial_after,
        internal: match internal {
            Some(internal) => Some(Arc::new(internal?)),
            None => None,
        },
        channels: shared.channels,
        remind: shared.remind,
        depends_on: Vec::new(),
        runbook: runbook.map(String::from),
        slo,
        enabled: enabled.unwrap_or(true),
        origin: Origin { file: ctx.report.files.of(at.node.pos), line: at.node.pos.line },
        // Known where the item is still as it was written, in `crate::config::expand`.
        written: Arc::default(),
    })
}

/// Checks `defaults` where it stands, also when no monitor inherits from it.
pub(super) fn defaults(ctx: &Ctx<'_>, at: &At<'_>, channels: &BTreeSet<String>) {
    if let Some(mut fields) = Fields::open(ctx, at, "defaults") {
        let _ = shared(ctx, &mut fields, channels);
        fields.finish();
    }
}

fn shared(ctx: &Ctx<'_>, fields: &mut Fields<'_>, known: &BTreeSet<String>) -> Shared {
    let interval_at = fields.take("interval");
    let interval = interval_at.as_ref().and_then(|at| readers::duration_from(ctx, at, INTERVAL_MIN, "1s")).unwrap_or(INTERVAL);
    let timeout_at = fields.take("timeout");
    let timeout = timeout_at.as_ref().and_then(|at| readers::duration_from(ctx, at, TIMEOUT_MIN, "100ms"));
    let confirm = fields.read("confirm", |ctx, at| confirm(ctx, at, interval));
    let regions = fields.read("regions", regions);
    let quorum = fields.read("quorum", quorum);
    let min_regions_at = fields.take("min_regions");
    let n_regions_min = min_regions_at.as_ref().and_then(|at| readers::whole_u32(ctx, at, 1, 1000)).and_then(|n| usize::try_from(n).ok());
    let partial_after = fields.read("partial", partial);
    if let (Some(at), Some(2..), Some(Quorum::Any)) = (&min_regions_at, n_regions_min, quorum) {
        ctx.bad(at, "with `quorum: any` one region is enough", "remove `min_regions`, or write `quorum: 1`");
    }
    let channels = fields.take("channels");
    let remind = fields.read("remind", reminders);
    if let (Some(written), Some(at)) = (timeout, &timeout_at)
        && written > interval
    {
        too_long(ctx, at, interval_at.as_ref(), written, interval);
    }
    let default_confirm = Confirm { failures: 2, successes: 1, recheck: RECHECK.min(interval) };
    Shared {
        interval,
        timeout: timeout.unwrap_or_else(|| TIMEOUT.min(interval)),
        confirm: confirm.unwrap_or(default_confirm),
        regions: regions.unwrap_or(Regions::All),
        quorum: quorum.unwrap_or(Quorum::Majority),
        n_regions_min,
        partial_after: partial_after.unwrap_or(PARTIAL_AFTER),
        channels: channels.map(|at| channel::references(ctx, &at.one_or_many(), known)).unwrap_or_default(),
        remind: remind.unwrap_or_default(),
    }
}

fn reminders(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Reminders> {
    if at.node.scalar().is_some_and(|scalar| scalar.text == "never") {
        return Some(Reminders::Never);
    }
    policy::remind(ctx, at, "monitors[].remind").map(Reminders::These)
}

/// The two may come from different places, one of them inherited; the mistake is shown where the later of them is written.
fn too_long(ctx: &Ctx<'_>, timeout: &At<'_>, interval: Option<&At<'_>>, written: Duration, limit: Duration) {
    let shown = timeout.node.scalar().map(Scalar::shown).unwrap_or_default();
    let of = interval.and_then(|at| at.node.scalar()).map_or_else(|| DurationText(limit).to_string(), Scalar::shown);
    let message = format!("`{shown}` is longer than the interval `{of}`");
    let pos = interval.map_or(timeout.node.pos, |at| at.node.pos.max(timeout.node.pos));
    debug_assert!(written > limit);
    ctx.report.add(pos, &timeout.path, message, "make `timeout` at most `interval`");
}

fn confirm(ctx: &Ctx<'_>, at: &At<'_>, interval: Duration) -> Option<Confirm> {
    let mut fields = Fields::open(ctx, at, "monitors[].confirm")?;
    let failures = fields.read("failures", |ctx, at| readers::whole_u32(ctx, at, 1, 100));
    let successes = fields.read("successes", |ctx, at| readers::whole_u32(ctx, at, 1, 100));
    let recheck = fields.read("recheck", |ctx, at| readers::duration_from(ctx, at, INTERVAL_MIN, "1s"));
    fields.finish();
    let recheck = recheck.unwrap_or(RECHECK).min(interval);
    Some(Confirm { failures: failures.unwrap_or(2), successes: successes.unwrap_or(1), recheck })
}

fn regions(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Regions> {
    if at.node.scalar().is_some_and(|scalar| scalar.text == "all") {
        return Some(Regions::All);
    }
    let items = at.one_or_many();
    if items.is_empty() {
        ctx.bad(at, "no region would check this monitor", "list regions, or write `regions: all`");
        return None;
    }
    Some(Regions::Only(items.iter().filter_map(|item| readers::parsed(ctx, item, Region::parse)).collect()))
}

fn quorum(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Quorum> {
    let text = readers::text(ctx, at)?;
    let percent = |text: &str| text.strip_suffix('%').and_then(|n| n.parse::<u8>().ok()).filter(|n| (1..=100).contains(n));
    let found = match text.as_str() {
        "majority" => Some(Quorum::Majority),
        "all" => Some(Quorum::All),
        "any" => Some(Quorum::Any),
        other => {
            percent(other).map(Quorum::Percent).or_else(|| other.parse::<u32>().ok().filter(|n| (1..=1000).contains(n)).map(Quorum::Count))
        }
    };
    if found.is_none() {
        let hint = "write `majority`, `all`, `any`, a number such as `2`, or a share such as `50%`";
        ctx.bad(at, format!("`{text}` is not a quorum"), hint);
    }
    found
}

fn partial(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Duration> {
    let mut fields = Fields::open(ctx, at, "monitors[].partial")?;
    let after = fields.must("after", readers::duration);
    fields.finish();
    after
}

/// What vantages inside look at instead.
fn internal(ctx: &Ctx<'_>, at: &At<'_>, timeout: Duration) -> Option<Internal> {
    let mut fields = Fields::open(ctx, at, "monitors[].internal")?;
    let (http, tcp, expect_at) = (fields.take("http"), fields.take("tcp"), fields.take("expect"));
    fields.finish();
    let is_http = tcp.is_none();
    let probe = probe(ctx, at, [http, tcp, None]);
    let expect =
        expect_at.map_or_else(|| Some(crate::model::expect::Expectation::default()), |at| expect::expect(ctx, &at, is_http, timeout));
    Some(Internal { probe: probe?, expect: expect? })
}

/// Labels, of a monitor or of a `match`.
pub(super) fn labels(ctx: &Ctx<'_>, at: &At<'_>) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (entry, value) in at.free_map(ctx) {
        if let Err(error) = check_name(&entry.key) {
            ctx.report.add(entry.pos, &value.path, error.to_string(), "");
            continue;
        }
        if let Some(text) = readers::name(ctx, &value) {
            found.insert(entry.key.clone(), text);
        }
    }
    Some(found)
}

fn slo(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Slo> {
    let window_default = DAY * 30;
    if at.node.scalar().is_some() {
        return Some(Slo { target_milli_percent: readers::milli_percent(ctx, at)?, window: window_default });
    }
    let mut fields = Fields::open(ctx, at, "monitors[].slo")?;
    let target = fields.must("target", readers::milli_percent);
    let window = fields.read("window", |ctx, at| readers::duration_from(ctx, at, DAY, "1d"));
    fields.finish();
    Some(Slo { target_milli_percent: target?, window: window.unwrap_or(window_default) })
}

/// What is not said of a heartbeat, because nothing is looked at. Only what the monitor and its templates say is here: `defaults` for
/// checks do not reach heartbeats.
fn refuse_checks(ctx: &Ctx<'_>, at: &At<'_>) {
    for (key, hint) in [
        ("interval", "write `interval` below `heartbeat`"),
        ("timeout", "how long a run may take is `heartbeat.max_runtime`"),
        ("confirm", "how many failures in a row make it down is `heartbeat.failures`"),
        ("expect", "what a body must say is `heartbeat.keywords`"),
        ("internal", "pings count wherever they come in"),
    ] {
        if let Some(place) = at.child(key) {
            ctx.bad(&place, format!("a heartbeat is not checked, so that `{key}` means nothing"), hint);
        }
    }
}

fn probe(ctx: &Ctx<'_>, at: &At<'_>, kinds: [Option<At<'_>>; 3]) -> Option<ProbeSpec> {
    match kinds {
        [Some(at), None, None] => http::http(ctx, &at).map(|spec| ProbeSpec::Http(Box::new(spec))),
        [None, Some(at), None] => http::tcp(ctx, &at).map(ProbeSpec::Tcp),
        [None, None, Some(at)] => heartbeat::heartbeat(ctx, &at).map(|spec| ProbeSpec::Heartbeat(Box::new(spec))),
        [None, None, None] => {
            // A kind that a later version has, or that is misspelt, was already refused by name.
            let refused = |key: &str| reference::is_later("monitors[]", key) || reference::nearest(key, KINDS.into_iter()).is_some();
            if !at.node.entries().unwrap_or_default().iter().any(|entry| refused(&entry.key)) {
                ctx.bad(at, "this monitor does not say what to watch", "add `http: https://example.com` or `tcp: host:port`");
            }
            None
        }
        several => {
            let mut given = several.into_iter().zip(KINDS).filter_map(|(at, kind)| Some((at?, kind)));
            if let (Some((_, first)), Some((second, _))) = (given.next(), given.next()) {
                ctx.bad(&second, format!("a monitor has exactly one kind, this one also has `{first}`"), "make two monitors of it");
            }
            None
        }
    }
}

/// Kinds of monitors, in the order in which they are read.
const KINDS: [&str; 3] = ["http", "tcp", "heartbeat"];

/// The slug of a heartbeat that names none: its id, as far as slugs have such letters.
fn slug_of(ctx: &Ctx<'_>, at: &At<'_>, id: &MonitorId) -> Option<String> {
    let made = id.as_str().replace('.', "-");
    if !is_slug(&made) {
        ctx.bad(at, format!("no slug can be made of the id `{id}`, because it is too long"), "add `slug` below `heartbeat`");
        return None;
    }
    Some(made)
}

/// The name of a monitor that has none: its URL or address as it is written, without user, password and query, because a name
/// is shown to visitors.
fn name_of_target(ctx: &Ctx<'_>, at: &At<'_>, written: Option<&str>, probe: &ProbeSpec) -> Option<String> {
    let clean = match probe {
        ProbeSpec::Http(spec) => spec.url.to_string(),
        ProbeSpec::Tcp(spec) => spec.address.to_string(),
        ProbeSpec::Heartbeat(_) => {
            ctx.bad(at, "a heartbeat has no target that could be its name", "add a `name`");
            return None;
        }
    };
    // As written, `https://example.com` has no slash at its end, which looks better and is what people search for.
    let text = written.map(str::trim).filter(|text| !text.contains('@')).unwrap_or(&clean);
    let name = text.split(['?', '#']).next().unwrap_or_default().to_owned();
    if let Err(error) = check_name(&name) {
        ctx.bad(at, format!("this monitor's target cannot be its name: {error}"), "add a `name`");
        return None;
    }
    Some(name)
}

fn id(ctx: &Ctx<'_>, at: &At<'_>, id_at: Option<&At<'_>>, name_at: Option<&At<'_>>, name: &str) -> Option<MonitorId> {
    if let Some(id_at) = id_at {
        return readers::parsed(ctx, id_at, MonitorId::parse);
    }
    match MonitorId::parse(&slug(name)) {
        Ok(id) => Some(id),
        Err(_) => {
            let message = format!("no id can be made of the name `{name}`, because it has no letters from a to z and no digits");
            ctx.bad(name_at.unwrap_or(at), message, "add an `id`, such as `id: shop`");
            None
        }
    }
}
