//! What a new config changes: for `vigilmon plan`, for the log of a reload, and for the engine, which leaves alone what is kept.
//!
//! Compares what things mean, not where they are written: moving a monitor to another file or line is no change.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;

use crate::config::Config;
use crate::config::Heartbeats;
use crate::config::Peers;
use crate::model::expect::Expectation;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatSpec;
use crate::model::heartbeat::Identity;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::maintenance::Window;
use crate::model::monitor::Confirm;
use crate::model::monitor::HttpSpec;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::Regions;
use crate::model::monitor::TcpSpec;
use crate::model::page::StatusPage;
use crate::model::policy::Policy;
use crate::model::time::DurationText;

/// Everything that differs between two configs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Monitors, by id.
    pub monitors: Group,
    /// Monitors that keep their id under a new name: id, old name, new name. They may be altered as well.
    pub renamed: Vec<Renamed>,
    /// Channels, by name.
    pub channels: Group,
    /// Status pages, by slug.
    pub pages: Group,
    /// Policies, by name.
    pub policies: Group,
    /// Maintenance windows, by name.
    pub maintenance: Group,
    /// Other settings that changed and take effect at once, such as `retention.results`.
    pub settings: Vec<String>,
    /// Settings that changed and take effect at the next start.
    pub needs_restart: Vec<String>,
}

/// What became of the things of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Only in the new config.
    pub added: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
    /// In both, but different.
    pub altered: Vec<Altered>,
    /// In both, and alike but for a name.
    pub kept: Vec<String>,
}

/// Something that is in both configs but not alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    /// Id, name or slug.
    pub key: String,
    /// What differs, such as `interval 1m → 30s`. Never a secret.
    pub what: Vec<String>,
}

/// A monitor that keeps its history under a new name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// Its id.
    pub id: MonitorId,
    /// What it was called.
    pub from: String,
    /// What it is called now.
    pub to: String,
}

impl Change {
    /// Compares two configs; without an old one everything is added, and nothing needs a restart.
    #[must_use]
    pub fn between(old: Option<&Config>, new: &Config) -> Change {
        let monitor_map = |config: &Config| -> BTreeMap<MonitorId, _> {
            config.monitors.iter().map(|monitor| (monitor.id.clone(), monitor.clone())).collect()
        };
        let page_map =
            |config: &Config| -> BTreeMap<String, _> { config.pages.iter().map(|page| (page.slug.to_string(), page.clone())).collect() };
        let window_map = |config: &Config| -> BTreeMap<String, _> {
            config.maintenance.iter().map(|window| (window.name.clone(), window.clone())).collect()
        };
        let policy_map = |config: &Config| -> BTreeMap<String, _> {
            config.policies.iter().map(|policy| (policy.name.clone(), policy.clone())).collect()
        };
        let old_monitors = old.map(monitor_map).unwrap_or_default();
        let new_monitors = monitor_map(new);
        let renamed = new_monitors.iter().filter_map(|(id, monitor)| {
            let before = old_monitors.get(id).filter(|before| before.name != monitor.name)?;
            Some(Renamed { id: id.clone(), from: before.name.clone(), to: monitor.name.clone() })
        });
        let old_channels: BTreeMap<ChannelName, _> = old.map(|config| config.channels.clone()).unwrap_or_default();
        Change {
            renamed: renamed.collect(),
            monitors: group(&old_monitors, &new_monitors, |a, b| monitor_changes(a, b)),
            channels: group(&old_channels, &new.channels, |a, b| {
                let mut what = Vec::new();
                note(&mut what, a.spec.kind() != b.spec.kind(), || format!("{} → {}", a.spec.kind(), b.spec.kind()));
                note(&mut what, a.spec.kind() == b.spec.kind() && a.spec != b.spec, || a.spec.kind().to_owned());
                note(&mut what, a.on != b.on, || "on".to_owned());
                note(&mut what, a.quiet_hours != b.quiet_hours, || "quiet_hours".to_owned());
                what
            }),
            pages: group(&old.map(page_map).unwrap_or_default(), &page_map(new), |a, b| page_changes(a, b)),
            policies: group(&old.map(policy_map).unwrap_or_default(), &policy_map(new), |a, b| policy_changes(a, b)),
            maintenance: group(&old.map(window_map).unwrap_or_default(), &window_map(new), |a, b| window_changes(a, b)),
            settings: old.map(|old| settings(old, new)).unwrap_or_default(),
            needs_restart: old.map(|old| needs_restart(old, new)).unwrap_or_default(),
        }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let same = |group: &Group| group.added.is_empty() && group.removed.is_empty() && group.altered.is_empty();
        let groups = [&self.monitors, &self.channels, &self.pages, &self.policies, &self.maintenance];
        groups.into_iter().all(same) && self.renamed.is_empty() && self.settings.is_empty() && self.needs_restart.is_empty()
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let renamed: Vec<_> = self.renamed.iter().map(|r| json!({ "id": r.id.as_str(), "from": r.from, "to": r.to })).collect();
        json!({
            "changed": !self.is_empty(),
            "monitors": group_json(&self.monitors),
            "renamed": renamed,
            "channels": group_json(&self.channels),
            "status_pages": group_json(&self.pages),
            "policies": group_json(&self.policies),
            "maintenance": group_json(&self.maintenance),
            "settings": self.settings,
            "needs_restart": self.needs_restart,
        })
    }
}

fn group_json(group: &Group) -> serde_json::Value {
    let altered: Vec<_> = group.altered.iter().map(|a| json!({ "key": a.key, "what": a.what })).collect();
    json!({ "added": group.added, "removed": group.removed, "altered": altered, "kept": group.kept })
}

impl Change {
    /// One line for each thing that is different. Never a secret.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let groups = [
            ("monitor", &self.monitors),
            ("channel", &self.channels),
            ("status page", &self.pages),
            ("policy", &self.policies),
            ("maintenance window", &self.maintenance),
        ];
        for (kind, group) in groups {
            lines.extend(group.added.iter().map(|key| format!("+ {kind} {key}")));
            lines.extend(group.altered.iter().map(|Altered { key, what }| format!("~ {kind} {key}: {}", what.join(", "))));
            lines.extend(group.removed.iter().map(|key| format!("- {kind} {key}")));
        }
        let renamed = |Renamed { id, from, to }: &Renamed| format!("~ monitor {id}: renamed from `{from}` to `{to}`, history stays");
        lines.extend(self.renamed.iter().map(renamed));
        lines.extend(self.settings.iter().map(|what| format!("~ {what}")));
        lines.extend(self.needs_restart.iter().map(|what| format!("~ {what} (needs a restart)")));
        lines
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "No changes. {} stay as they are.", counted(self.monitors.kept.len(), "monitor"));
        }
        self.lines().iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let n_altered = self.monitors.altered.len();
        let (n_added, n_removed, n_kept) = (self.monitors.added.len(), self.monitors.removed.len(), self.monitors.kept.len());
        write!(f, "\nMonitors: {n_added} to add, {n_altered} to change, {n_removed} to remove, {n_kept} kept.")
    }
}

fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn group<K: Ord + fmt::Display, V>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>, differ: impl Fn(&V, &V) -> Vec<String>) -> Group {
    let mut group = Group::default();
    for (key, after) in new {
        let Some(before) = old.get(key) else {
            group.added.push(key.to_string());
            continue;
        };
        let what = differ(before, after);
        if what.is_empty() { group.kept.push(key.to_string()) } else { group.altered.push(Altered { key: key.to_string(), what }) }
    }
    group.removed = old.keys().filter(|key| !new.contains_key(key)).map(ToString::to_string).collect();
    group
}

fn note(what: &mut Vec<String>, differs: bool, words: impl FnOnce() -> String) {
    if differs {
        what.push(words());
    }
}

fn monitor_changes(a: &Monitor, b: &Monitor) -> Vec<String> {
    // No `..`: a new field must be thought of here. The name is reported apart, where and how it is written not at all.
    let Monitor {
        id: _,
        name: _,
        group,
        labels,
        probe,
        expect,
        interval,
        timeout,
        confirm,
        regions,
        quorum,
        n_regions_min,
        partial_after,
        internal,
        channels,
        remind,
        depends_on,
        runbook,
        slo,
        enabled,
        origin: _,
        written: _,
    } = a;
    let mut what = Vec::new();
    note(&mut what, *group != b.group, || "group".to_owned());
    note(&mut what, *labels != b.labels, || "labels".to_owned());
    probe_changes(&mut what, probe, &b.probe, (a, b));
    expect_changes(&mut what, expect, &b.expect);
    note(&mut what, *interval != b.interval, || format!("interval {} → {}", DurationText(*interval), DurationText(b.interval)));
    note(&mut what, *timeout != b.timeout, || format!("timeout {} → {}", DurationText(*timeout), DurationText(b.timeout)));
    note(&mut what, *confirm != b.confirm, || format!("confirm {} → {}", confirm_text(*confirm), confirm_text(b.confirm)));
    note(&mut what, *regions != b.regions, || format!("regions {} → {}", regions_text(regions), regions_text(&b.regions)));
    note(&mut what, *quorum != b.quorum, || format!("quorum {quorum} → {}", b.quorum));
    note(&mut what, *n_regions_min != b.n_regions_min, || "min_regions".to_owned());
    note(&mut what, *partial_after != b.partial_after, || "partial.after".to_owned());
    note(&mut what, *internal != b.internal, || "internal".to_owned());
    note(&mut what, *channels != b.channels, || "channels".to_owned());
    note(&mut what, *remind != b.remind, || "remind".to_owned());
    note(&mut what, *depends_on != b.depends_on, || "depends_on".to_owned());
    note(&mut what, *runbook != b.runbook, || "runbook".to_owned());
    note(&mut what, *slo != b.slo, || "slo".to_owned());
    note(&mut what, *enabled != b.enabled, || if b.enabled { "resumed".to_owned() } else { "paused".to_owned() });
    what
}

fn confirm_text(confirm: Confirm) -> String {
    format!("{}/{} every {}", confirm.failures, confirm.successes, DurationText(confirm.recheck))
}

fn regions_text(regions: &Regions) -> String {
    match regions {
        Regions::All => "all".to_owned(),
        Regions::Only(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join("+"),
    }
}

fn probe_changes(what: &mut Vec<String>, a: &ProbeSpec, b: &ProbeSpec, whole: (&Monitor, &Monitor)) {
    let targets = || format!("target {} → {}", without_query(&whole.0.target()), without_query(&whole.1.target()));
    match (a, b) {
        (ProbeSpec::Http(a), ProbeSpec::Http(b)) => http_changes(what, a, b, targets),
        (ProbeSpec::Tcp(a), ProbeSpec::Tcp(b)) => {
            let TcpSpec { address, send, expect, ip, resolver } = a;
            note(what, *address != b.address, targets);
            note(what, *send != b.send, || "tcp.send".to_owned());
            note(what, *expect != b.expect, || "tcp.expect".to_owned());
            note(what, *ip != b.ip, || "tcp.ip".to_owned());
            note(what, *resolver != b.resolver, || "tcp.resolver".to_owned());
        }
        (ProbeSpec::Heartbeat(a), ProbeSpec::Heartbeat(b)) => heartbeat_changes(what, a, b),
        (ProbeSpec::Http(_) | ProbeSpec::Tcp(_) | ProbeSpec::Heartbeat(_), _) => what.push(targets()),
    }
}

fn heartbeat_changes(what: &mut Vec<String>, a: &HeartbeatSpec, b: &HeartbeatSpec) {
    let Heartbeat {
        schedule,
        grace,
        start_grace,
        max_runtime,
        min_runtime,
        failures,
        first_ping,
        methods,
        body,
        keywords,
        early,
        resume,
        keep_alive,
    } = &*a.beat;
    let Identity { token, uuid, slug, generation } = &a.identity;
    let (other, known) = (&b.beat, &b.identity);
    note(what, *schedule != other.schedule, || format!("expected {schedule} → {}", other.schedule));
    note(what, *grace != other.grace, || format!("grace {} → {}", DurationText(*grace), DurationText(other.grace)));
    for (key, differs) in [
        ("start_grace", *start_grace != other.start_grace),
        ("max_runtime", *max_runtime != other.max_runtime),
        ("min_runtime", *min_runtime != other.min_runtime),
        ("failures", *failures != other.failures),
        ("first_ping", *first_ping != other.first_ping),
        ("methods", *methods != other.methods),
        ("body", *body != other.body),
        ("keywords", *keywords != other.keywords),
        ("early", *early != other.early),
        ("resume", *resume != other.resume),
        ("keep_alive", *keep_alive != other.keep_alive),
        ("token", *token != known.token),
        ("uuid", *uuid != known.uuid),
        ("slug", *slug != known.slug),
        ("generation", *generation != known.generation),
    ] {
        note(what, differs, || format!("heartbeat.{key}"));
    }
}

/// What follows a `?` may be a token.
fn without_query(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

fn http_changes(what: &mut Vec<String>, a: &HttpSpec, b: &HttpSpec, targets: impl FnOnce() -> String) {
    let HttpSpec {
        url,
        method,
        headers,
        auth,
        body,
        follow_redirects,
        ip,
        resolver,
        connect_to,
        proxy,
        tls,
        http_version,
        body_bytes_max,
        allow_metadata,
        allow_private,
    } = a;
    note(what, *url != b.url, targets);
    for (key, differs) in [
        ("method", *method != b.method),
        ("headers", *headers != b.headers),
        ("auth", *auth != b.auth),
        ("body", *body != b.body),
        ("follow_redirects", *follow_redirects != b.follow_redirects),
        ("ip", *ip != b.ip),
        ("resolver", *resolver != b.resolver),
        ("connect_to", *connect_to != b.connect_to),
        ("proxy", *proxy != b.proxy),
        ("tls", *tls != b.tls),
        ("http_version", *http_version != b.http_version),
        ("max_body", *body_bytes_max != b.body_bytes_max),
        ("allow_metadata", *allow_metadata != b.allow_metadata),
        ("allow_private", *allow_private != b.allow_private),
    ] {
        note(what, differs, || format!("http.{key}"));
    }
}

fn expect_changes(what: &mut Vec<String>, a: &Expectation, b: &Expectation) {
    let Expectation { status, body_contains, body_excludes, body_matches, json, headers, response_time, certificate, any } = a;
    for (key, differs) in [
        ("status", *status != b.status),
        ("body_contains", *body_contains != b.body_contains),
        ("body_excludes", *body_excludes != b.body_excludes),
        ("body_matches", *body_matches != b.body_matches),
        ("json", *json != b.json),
        ("headers", *headers != b.headers),
        ("response_time", *response_time != b.response_time),
        ("certificate", *certificate != b.certificate),
        ("any", *any != b.any),
    ] {
        note(what, differs, || format!("expect.{key}"));
    }
}

fn page_changes(a: &StatusPage, b: &StatusPage) -> Vec<String> {
    let StatusPage {
        slug: _,
        title,
        domains,
        visibility,
        show,
        theme,
        language,
        order,
        links,
        groups,
        announcements,
        subscriptions,
        origin: _,
    } = a;
    let differing = [
        ("title", *title != b.title),
        ("domains", *domains != b.domains),
        ("visibility", *visibility != b.visibility),
        ("show", *show != b.show),
        ("theme", *theme != b.theme),
        ("language", *language != b.language),
        ("order", *order != b.order),
        ("links", *links != b.links),
        ("groups", *groups != b.groups),
        ("announcements", *announcements != b.announcements),
        ("subscriptions", *subscriptions != b.subscriptions),
    ];
    differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

/// Which monitors a window covers follows from what it asks for and from the monitors, which are compared by themselves.
fn window_changes(a: &Window, b: &Window) -> Vec<String> {
    let Window { name: _, wanted, monitors: _, when, message, origin: _ } = a;
    let differing = [("monitors", *wanted != b.wanted), ("schedule", *when != b.when), ("message", *message != b.message)];
    differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

fn policy_changes(a: &Policy, b: &Policy) -> Vec<String> {
    let Policy { name: _, wanted, steps, remind, bundle, origin: _ } = a;
    let differing =
        [("monitors", *wanted != b.wanted), ("steps", *steps != b.steps), ("remind", *remind != b.remind), ("bundle", *bundle != b.bundle)];
    differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

fn of<'a, T>(config: &'a Config, part: impl FnOnce(&'a Peers) -> &'a T) -> Option<&'a T> {
    config.peers.as_ref().map(part)
}

/// Where the template of what is created is written does not matter.
fn are_alike(a: &Heartbeats, b: &Heartbeats) -> bool {
    let Heartbeats { ping_key, auto_create } = a;
    let is_same = match (auto_create, &b.auto_create) {
        (Some(a), Some(b)) => a.n_max == b.n_max && monitor_changes(&a.prototype, &b.prototype).is_empty(),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    is_same && *ping_key == b.ping_key
}

fn settings(old: &Config, new: &Config) -> Vec<String> {
    let both = old.peers.is_some() && new.peers.is_some();
    let differing = [
        ("instance.allow_commands", old.instance.allow_commands != new.instance.allow_commands),
        ("instance.edit", old.instance.edit != new.instance.edit),
        ("server.public_url", old.server.public_url != new.server.public_url),
        ("server.trusted_proxies", old.server.trusted_proxies != new.server.trusted_proxies),
        ("auth", old.auth != new.auth),
        ("uplink", old.uplink != new.uplink),
        ("self.channels", old.self_channels != new.self_channels),
        ("self.heartbeat_url", old.self_heartbeat != new.self_heartbeat),
        ("retention", old.retention != new.retention),
        ("incident_templates", old.incident_templates != new.incident_templates),
        ("heartbeats", !are_alike(&old.heartbeats, &new.heartbeats)),
        ("peers.secret", of(old, |peers| &peers.secrets) != of(new, |peers| &peers.secrets) && both),
        ("peers.solo_after", of(old, |peers| &peers.solo_after) != of(new, |peers| &peers.solo_after) && both),
    ];
    differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}

fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let both = old.peers.is_some() && new.peers.is_some();
    let differing = [
        ("instance.region", old.instance.region != new.instance.region),
        ("instance.vantage", old.instance.vantage != new.instance.vantage),
        ("instance.state_dir", old.instance.state_dir != new.instance.state_dir),
        ("instance.secret", old.instance.secret != new.instance.secret),
        ("server.listen", old.server.listen != new.server.listen),
        ("server.base_path", old.server.base_path != new.server.base_path),
        ("server.tls", old.server.tls != new.server.tls),
        ("peers", old.peers.is_some() != new.peers.is_some()),
        ("peers.nodes", of(old, |peers| &peers.nodes) != of(new, |peers| &peers.nodes) && both),
        ("peers.cluster", of(old, |peers| &peers.cluster) != of(new, |peers| &peers.cluster) && both),
        ("this node's name", of(old, |peers| &peers.me) != of(new, |peers| &peers.me) && both),
        ("peers.private_key", of(old, |peers| &peers.private_key) != of(new, |peers| &peers.private_key) && both),
    ];
    differing.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()).collect()
}
