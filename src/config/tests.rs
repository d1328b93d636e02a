//! Tests of the whole way from text to types that need no files. The exact words of problems are in `tests/config`.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Allowed;
use crate::config::Change;
use crate::config::Config;
use crate::config::Problem;
use crate::config::Role;
use crate::config::SourceText;
use crate::config::Surroundings;
use crate::config::interpolate;
use crate::config::interpolate::Matrix;
use crate::config::probe_hash;
use crate::config::reference;
use crate::model::channel::ChannelSpec;
use crate::model::channel::Escaping;
use crate::model::channel::Slot;
use crate::model::channel::TemplatePart;
use crate::model::expect::CertificateDays;
use crate::model::maintenance::When;
use crate::model::monitor::HttpAuth;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::Quorum;
use crate::model::monitor::TlsVersion;
use crate::model::secret::Secret;

struct World(BTreeMap<&'static str, &'static str>);

impl Surroundings for World {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let found = self.0.get(path.to_str().unwrap_or_default());
        found.map(|text| text.as_bytes().to_vec()).ok_or_else(|| "there is no such file".to_owned())
    }
}

fn world() -> World {
    World(BTreeMap::from([
        ("HOST", "api.example.com"),
        ("EVIL", "x\"\n  - tcp: evil:1 # ${HOST} $$"),
        ("EMPTY", ""),
        ("LIMIT", "3"),
        ("VIGILMON_NODE", "a"),
        ("CREDENTIALS_DIRECTORY", "/credentials"),
        ("/credentials/api", "from-systemd\n"),
        ("token", "from-file\n"),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"),
        ("client.key", "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"),
        ("page.css", "body { color: black }\n"),
        ("logo.svg", "<svg/>\n"),
    ]))
}

fn try_load(text: &str) -> Result<Config, Vec<Problem>> {
    crate::config::load(&[SourceText { file: PathBuf::from("c.yaml"), text: text.to_owned() }], &world())
}

#[track_caller]
fn load(text: &str) -> Config {
    try_load(text).unwrap_or_else(|problems| panic!("{}", problems.iter().map(|p| format!("{p}\n")).collect::<String>()))
}

#[track_caller]
fn monitor(text: &str) -> Monitor {
    (*load(&format!("monitors:\n  - {text}\n")).monitors[0]).clone()
}

#[track_caller]
fn http(text: &str) -> crate::model::monitor::HttpSpec {
    match monitor(text).probe {
        ProbeSpec::Http(spec) => *spec,
        ProbeSpec::Tcp(_) | ProbeSpec::Heartbeat(_) => panic!("not an http monitor"),
    }
}

#[test]
fn the_smallest_config_has_every_default() {
    let config = load("monitors:\n  - http: https://example.com\n");
    assert_eq!(config.server.listen[0].to_string(), "0.0.0.0:8080");
    assert_eq!(config.instance.state_dir, Path::new("./data"));
    assert_eq!(config.instance.region.as_str(), "local");
    let monitor = &config.monitors[0];
    assert_eq!((monitor.name.as_str(), monitor.id.as_str()), ("https://example.com", "https-example.com"));
    assert_eq!((monitor.interval, monitor.timeout), (Duration::from_secs(60), Duration::from_secs(10)));
    assert_eq!((monitor.confirm.failures, monitor.confirm.successes, monitor.confirm.recheck.as_secs()), (2, 1, 10));
    assert_eq!((monitor.quorum, monitor.origin.line, monitor.enabled), (Quorum::Majority, 2, true));
    assert!(monitor.channels.is_empty() && monitor.expect.status.is_empty());
}

#[test]
fn an_unwritten_timeout_and_recheck_follow_a_short_interval() {
    let monitor = monitor("{ tcp: a:1, interval: 5s }");
    assert_eq!((monitor.timeout.as_secs(), monitor.confirm.recheck.as_secs()), (5, 5));
}

#[test]
fn what_looks_like_a_number_is_a_text_where_a_text_is_wanted() {
    let monitor = monitor("{ name: 0123, group: 1e3, tcp: a:1, labels: { zone: 1.10, on: no } }");
    assert_eq!((monitor.name.as_str(), monitor.group.as_deref()), ("0123", Some("1e3")));
    assert_eq!(monitor.labels["zone"], "1.10");
    assert_eq!(monitor.labels["on"], "no");
    let tls = http("{ http: { url: https://example.com, tls: { min_version: 1.3 }, http_version: 1.1 } }").tls;
    assert_eq!(tls.min_version, TlsVersion::V13);
}

#[test]
fn secrets_come_from_everywhere_and_are_never_printed() {
    for (written, expected) in [
        ("plain", "plain"),
        ("{ file: token }", "from-file"),
        ("{ env: HOST }", "api.example.com"),
        ("{ credential: api }", "from-systemd"),
        ("\"${HOST}\"", "api.example.com"),
        ("1234", "1234"),
    ] {
        let spec = http(&format!("{{ http: {{ url: https://example.com, auth: {{ bearer: {written} }} }} }}"));
        let HttpAuth::Bearer(token) = &spec.auth else { panic!("no bearer token") };
        assert_eq!(token.reveal_for_use(), expected);
        assert!(!format!("{spec:?}").contains(expected), "{spec:?}");
    }
    assert_eq!(monitor("http: https://me:p@example.com/x?token=t").name, "https://example.com/x");
    let spec = http("http: https://me:p%40ss@example.com/x");
    assert_eq!(spec.url.as_str(), "https://example.com/x");
    assert!(
        matches!(spec.auth, HttpAuth::Basic { user, password } if user == "me" && password.reveal_for_use() == "p@ss"),
        "{:?}",
        spec.url
    );
}

#[test]
fn variables_never_add_keys_and_are_not_read_again() {
    let config = load("monitors:\n  - { name: a, tcp: a:1, group: 'g', labels: { v: \"${EMPTY:-d} $$x $y ${LIMIT}\" } }\n");
    assert_eq!(config.monitors[0].labels["v"], "d $x $y 3");
    let spec = http("{ http: { url: https://example.com, body: \"${EVIL}\", follow_redirects: \"${LIMIT}\" } }");
    assert_eq!(spec.body, "x\"\n  - tcp: evil:1 # ${HOST} $$");
    assert_eq!(spec.follow_redirects, 3);
}

#[test]
fn texts_survive_the_cutting_into_parts() {
    // Every text of up to five of these pieces, so that all neighbourhoods occur.
    let pieces = ["$", "{", "}", "a", ":-"];
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        texts = texts.iter().flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}"))).chain([String::new()]).collect();
        for text in &texts {
            let escaped = text.replace('$', "$$");
            assert_eq!(interpolate::fill(&escaped, &world(), Matrix::None).as_deref(), Ok(text.as_str()), "{escaped}");
            if !text.contains("$$") && !text.contains("${") {
                assert_eq!(interpolate::fill(text, &world(), Matrix::None).as_deref(), Ok(text.as_str()), "{text}");
            }
        }
    }
}

#[test]
fn templates_merge_deeply_and_the_monitor_wins() {
    let config = load(
        "
defaults: { interval: 20s, confirm: { failures: 5 } }
templates:
  api: { labels: { team: platform, tier: '1' }, http: { method: HEAD, headers: { A: b } }, expect: { status: 200 } }
  slow: { interval: 2m, expect: { status: [204] } }
monitors:
  - { name: a, http: https://example.com, use: [api, slow], labels: { tier: '2' } }
",
    );
    let monitor = &config.monitors[0];
    assert_eq!(monitor.interval.as_secs(), 120);
    assert_eq!((monitor.confirm.failures, monitor.confirm.successes), (5, 1));
    assert_eq!((monitor.labels["team"].as_str(), monitor.labels["tier"].as_str()), ("platform", "2"));
    assert_eq!(monitor.expect.status.iter().map(ToString::to_string).collect::<Vec<_>>(), ["204"]);
    let ProbeSpec::Http(spec) = &monitor.probe else { panic!("not http") };
    assert_eq!((spec.method.as_str(), spec.headers.len(), spec.url.as_str()), ("HEAD", 1, "https://example.com/"));
}

#[test]
fn a_matrix_makes_every_combination_also_of_templates() {
    let config = load(
        "
templates: { t: { labels: { c: \"${matrix.c}\" } } }
monitors:
  - { name: \"${matrix.c} ${matrix.n}\", matrix: { c: [us, eu], n: [1, 2] }, use: t, tcp: \"${matrix.c}.example.com:1\" }
",
    );
    let names: Vec<&str> = config.monitors.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["us 1", "us 2", "eu 1", "eu 2"]);
    assert_eq!(config.monitors[2].labels["c"], "eu");
}

#[test]
fn anchors_merge_keys_and_tcp_escapes_work() {
    let config = load(
        "
x-base: &base { interval: 30s, group: g }
monitors:
  - { <<: *base, name: a, group: own, tcp: { address: 'redis:6379', send: \"PING\\r\\n\", expect: \"+PONG\" } }
",
    );
    let monitor = &config.monitors[0];
    assert_eq!((monitor.interval.as_secs(), monitor.group.as_deref()), (30, Some("own")));
    let ProbeSpec::Tcp(tcp) = &monitor.probe else { panic!("not tcp") };
    assert_eq!(tcp.send, b"PING\r\n");
}

#[test]
fn a_webhook_body_keeps_its_slots_and_fills_in_variables() {
    let text = "
monitors: [{ tcp: a:1 }]
channels:
  - name: hook
    webhook: { url: https://example.com, body: '{ \"host\": \"${HOST}\", \"m\": \"${monitor.name}\", \"d\": ${incident.duration_seconds}, \"x\": \"$$\" }' }
";
    let config = load(text);
    let channel = config.channels.values().next().expect("a channel");
    let ChannelSpec::Webhook(spec) = &channel.spec else { panic!("not a webhook") };
    let template = spec.body.as_ref().expect("a body");
    assert_eq!(template.escaping, Escaping::Json);
    let text = |text: &str| TemplatePart::Text(text.to_owned());
    let expected = [
        text("{ \"host\": \""),
        TemplatePart::Filled(Secret::new("api.example.com")),
        text("\", \"m\": \""),
        TemplatePart::Slot(Slot::MonitorName),
        text("\", \"d\": "),
        TemplatePart::Slot(Slot::DurationSeconds),
        text(", \"x\": \"$\" }"),
    ];
    assert_eq!(template.parts, expected);
}

#[test]
fn a_certificate_that_is_half_written_keeps_the_other_default() {
    let half = |text: &str| monitor(&format!("{{ http: https://example.com, expect: {{ certificate: {text} }} }}")).expect.certificate;
    let day = Duration::from_secs(86_400);
    let days = |degraded: Option<u32>, down: Option<u32>, warn: &[u32]| {
        let all = |n: Option<u32>| n.map(|n| day * n);
        Some(CertificateDays { degraded: all(degraded), down: all(down), warn: warn.iter().map(|n| day * *n).collect() })
    };
    assert_eq!(half("{ down: 3d }"), days(Some(14), Some(3), &[7]));
    assert_eq!(half("{ degraded: 0s }"), days(None, None, &[]));
    assert_eq!(half("{ degraded: 2d }"), days(Some(2), None, &[1]));
    assert_eq!(half("{ warn: [] }"), days(Some(14), None, &[]));
    assert_eq!(half("{ warn: 2d }"), days(Some(14), None, &[2]));
    assert_eq!(half("{ warn: [1d, 30d, 14d, 1d, 7d] }"), days(Some(30), None, &[14, 7, 1]));
    assert_eq!(half("{ degraded: 21d, down: 1d, warn: [2d, 10d] }"), days(Some(21), Some(1), &[10, 2]));
}

#[test]
fn who_is_given_no_role_has_the_one_that_the_manual_says() {
    let auth = |written: &str| load(&format!("auth: {{ {written} }}\nmonitors: [{{ tcp: a:1 }}]\n")).auth;
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZg";
    let role = |more: &str| auth(&format!("users: [{{ name: ops, password_hash: \"{hash}\"{more} }}]")).users[0].role;
    assert_eq!((role(""), role(", role: viewer")), (Role::Admin, Role::Viewer));
    let others = |more: &str| auth(&format!("proxy: {{ header: X, from: 127.0.0.1/32{more} }}")).proxy.unwrap().roles.of_others;
    assert_eq!(others(""), Some(Role::Operator));
    assert_eq!(others(", role: none"), None);
    assert_eq!(others(", groups_header: Y, roles: { a: admin }"), Some(Role::Viewer));
    assert_eq!(others(", groups_header: Y, roles: { a: admin }, role: operator"), Some(Role::Operator));
}

#[test]
fn a_provider_of_identities_is_read_with_its_defaults() {
    let read = |more: &str| {
        let oidc = format!("auth: {{ oidc: {{ issuer: https://login.example.com, client_id: vigilmon, {more} }} }}");
        load(&format!("server: {{ public_url: https://status.example.com }}\n{oidc}\nmonitors: [{{ tcp: a:1 }}]\n")).auth.oidc.unwrap()
    };
    let usual = read("allowed: everyone");
    assert_eq!((usual.name.as_str(), usual.groups_claim.as_str(), &usual.allowed), ("login.example.com", "groups", &Allowed::Everyone));
    assert_eq!((usual.scopes.join(" ").as_str(), usual.roles.of_others), ("openid profile email", Some(Role::Viewer)));
    let more = read("allowed: { domains: Example.com }, scopes: groups, role: none");
    assert_eq!(more.allowed, Allowed::Listed { groups: Vec::new(), domains: vec!["example.com".to_owned()] });
    assert_eq!((more.scopes.join(" ").as_str(), more.roles.of_others), ("openid groups", None));
}

/// Uses every section, so that each of them is compared with the reference when it is closed.
const EVERYTHING: &str = r##"
include: []
instance: { region: eu-west, vantage: internal, allow_commands: true, edit: more/web.yaml, state_dir: /var/lib/vigilmon, secret: { file: token } }
server: { listen: ["127.0.0.1:1", "[::1]:1"], public_url: https://status.example.com/, base_path: /v, trusted_proxies: 10.0.0.1, tls: { cert: ca.pem, key: client.key } }
auth:
  users: [{ name: ops, password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZg", role: operator }]
  proxy: { header: Remote-User, from: 127.0.0.1/32, groups_header: Remote-Groups, roles: { sre: admin }, role: none }
  oidc:
    issuer: https://login.example.com/realms/acme/
    name: Acme
    client_id: vigilmon
    client_secret: x
    scopes: [profile, groups]
    groups_claim: realm_access.roles
    allowed: { groups: [staff], domains: [Example.com] }
    roles: { sre: admin }
    role: none
  tokens: [{ name: ci, hash: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef, scope: write }]
defaults: { interval: 30s, timeout: 5s, confirm: { failures: 3, successes: 2, recheck: 5s }, channels: chat, regions: [eu-west], quorum: 50% }
templates: { unused: { tcp: { ip: v4 } }, unused-job: { heartbeat: { cron: "@daily" } } }
monitors:
  - name: all
    id: all-of-it
    slo: { target: 99.95%, window: 7d }
    runbook: https://wiki.example.com
    http:
      url: https://example.com
      auth: { oauth2_client_credentials: { token_url: https://login.example.com, client_id: a, client_secret: b, scopes: [c] } }
      tls: { ca: ca.pem, client_cert: ca.pem, client_key: client.key }
      resolver: [1.1.1.1, "tls://9.9.9.9#dns.quad9.net", "tcp://[2620:fe::fe]:53"]
      proxy: socks5://u:p@proxy.example.com
    expect:
      json: [{ path: $.a, equals: null }, { path: $.b, length: { ge: 1 } }, { path: $.c, gt: 1.5, equals: "1" }]
      headers: [{ name: Server, exists: false }]
      response_time: { degraded: 1s, down: 2s }
      certificate: { degraded: 21d }
      any: [{ status: 204 }]
  - { name: basic, http: { url: https://example.com, auth: { basic: { user: a, password: b } } } }
  - { name: redis, tcp: redis:6379, slo: 99%, partial: { after: 1m }, internal: { tcp: redis.internal:6379 }, depends_on: [jo?], remind: { every: 1h, backoff: 1.5, max: 12h } }
  - { name: job, heartbeat: { interval: 1d, grace: 30m, body: { limit: 100KiB, keep: tail }, keywords: { failure: [ERR] } } }
heartbeats: { auto_create: { template: unused-job, limit: 5 }, ping_key: 0123456789abcdef-key }
peers: { cluster: acme, secret: 0123456789abcdef, solo_after: never, nodes: [{ name: a, region: eu-west, vantage: internal }, { name: b, region: us, url: "wss://b.example.com/peer" }] }
channels:
  - { name: chat, slack: https://hooks.example.com/x, quiet_hours: { from: "22:00", to: "07:00", timezone: Europe/Riga, except: down } }
  - { name: chat2, slack: { url: https://hooks.example.com/x }, on: down }
  - { name: hook, webhook: { url: https://hooks.example.com/x } }
  - { name: bot, slack: { token: xoxb-1, channel: C1, signing_secret: 0123456789abcdef0123456789abcdef } }
  - { name: discord, discord: { url: https://discord.com/api/webhooks/1/x, thread: "1" } }
  - { name: teams, teams: { url: https://teams.example.com/x } }
  - { name: mattermost, mattermost: { url: https://mattermost.example.com/hooks/x, channel: ops } }
  - { name: rocketchat, rocketchat: { url: https://rocket.example.com/hooks/x } }
  - { name: googlechat, googlechat: { url: https://chat.googleapis.com/v1/spaces/A/messages?key=x } }
  - { name: telegram, telegram: { token: "1:x", chat: -1001, topic: 3 } }
  - { name: matrix, matrix: { url: https://matrix.example.com/, token: x, room: "!a:b" } }
  - { name: zulip, zulip: { url: https://zulip.example.com, email: a@b.example, api_key: x, channel: ops } }
  - { name: ntfy, ntfy: { topic: alerts, user: a, password: b } }
  - { name: gotify, gotify: { url: https://gotify.example.com/sub/, token: x } }
  - { name: pushover, pushover: { token: 012345678901234567890123456789, user: 012345678901234567890123456789, emergency: true } }
  - { name: pushbullet, pushbullet: { token: x } }
  - { name: signal, signal: { url: "http://127.0.0.1:8080", number: "+37120000000", recipients: "+37120000001" } }
  - { name: twilio, twilio: { account_sid: AC00000000000000000000000000000000, auth_token: x, from: "+15005550006", to: "+37120000001" } }
  - { name: home_assistant, home_assistant: { url: "http://ha.example.com:8123", token: x } }
  - { name: pagerduty, pagerduty: { routing_key: 01234567890123456789012345678901, webhook_secret: [0123456789abcdef, fedcba9876543210] } }
  - { name: opsgenie, opsgenie: { api_key: x, priority: P2, tags: a } }
  - { name: incident_io, incident_io: { url: https://api.incident.io/v2/alert_events/http/1, token: x } }
  - { name: grafana_oncall, grafana_oncall: { url: https://oncall.example.com/x } }
  - { name: alertmanager, alertmanager: { url: "http://am.example.com:9093", user: a, password: b, labels: { team: x } } }
  - { name: github, github: { repository: a/b, token: x, labels: incident } }
  - { name: gitlab, gitlab: { project: a/b, token: x } }
  - { name: apprise, apprise: { url: "http://apprise.example.com:8000", urls: ["tgram://x/y"] } }
  - { name: mail, email: { server: smtp.example.com, tls: always, user: a, password: b, from: a@example.com, to: "Ops <b@example.com>" } }
  - { name: page, command: { run: [/usr/bin/page, x], env: { A: b }, timeout: 5s } }
incident_templates: [{ name: x, state: identified, text: y }]
status_pages:
  - slug: a
    visibility: { password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZg" }
    show: { errors: true }
    theme: { logo: logo.svg, css: page.css, accent: "#0a7", dark: never }
    links: [{ title: x, url: "mailto:a@example.com" }]
    groups: [{ name: A, monitors: "*", match: { labels: {} } }]
    announcements: [{ at: 2026-06-30T10:00:00Z, text: x }]
  - slug: b
    groups: [{ name: A, monitors: redis }]
    subscriptions: { email: mail, webhook: true, max: 7 }
policies:
  - name: p
    groups: no-such-group
    match: { labels: { no: such } }
    steps: [{ channels: chat }, { after: 10m, channels: [hook], unless: acknowledged }, { after: 1h }]
    remind: { every: 4h }
    bundle: 30s
maintenance:
  - name: x
    monitors: "*"
    match: { labels: { no: such } }
    schedule: { cron: "0 22 * * TUE", duration: 2h }
uplink: { probes: tcp://1.1.1.1:443 }
self: { channels: [hook], heartbeat_url: "https://hc.example.com/ping/x" }
retention: { results: 1d, max_db_size: 1GiB }
"##;

fn everything() -> String {
    EVERYTHING
        .replace("match: { labels: {} }", "match: { labels: { no: such } }")
        .replace("    id: all-of-it", "    id: all-of-it\n    labels: { no: such }")
}

#[test]
#[cfg(debug_assertions)]
fn the_decoder_asks_for_exactly_the_keys_of_the_reference() {
    let config = load(&everything());
    assert_eq!(config.monitors.len(), 4);
    let opened = reference::coverage::opened();
    // The keys of templates are those of monitors, but for the four that make no sense there.
    let never: Vec<&str> = reference::sections().map(|s| s.path).filter(|p| !opened.contains(p) && *p != "templates.*").collect();
    assert!(never.is_empty(), "no decoder opens {never:?}");
    let names = |path: &str| reference::section(path).keys.iter().map(|key| key.name).collect::<Vec<_>>();
    let of_monitor: Vec<&str> = names("monitors[]").into_iter().filter(|name| !["name", "id", "use", "matrix"].contains(name)).collect();
    assert_eq!(names("templates.*"), of_monitor);
}

#[test]
fn every_example_of_the_reference_is_yaml() {
    for key in reference::sections().flat_map(|section| section.keys) {
        let text = format!("{}: {}\n", key.name, key.example);
        let report = crate::config::report::Report::new(crate::config::node::Files::default());
        assert!(crate::config::yaml::parse(0, &text, &report).is_some(), "{text}{:?}", report.into_problems());
    }
}

#[test]
fn the_probe_hash_is_stable_and_changes_only_with_what_decides() {
    let base = monitor("{ name: a, http: https://example.com, interval: 1m }");
    // Stored in databases: when this number changes, every confirmation begins anew after an upgrade.
    assert_eq!(probe_hash(&base), PROBE_HASH);
    let same = monitor("{ name: b, http: https://example.com, interval: 2m, group: g, runbook: https://w.example.com }");
    assert_eq!(probe_hash(&same), probe_hash(&base));
    for other in [
        "{ name: a, http: https://example.com/x }",
        "{ name: a, http: { url: https://example.com, method: HEAD } }",
        "{ name: a, http: { url: https://example.com, headers: { A: b } } }",
        "{ name: a, http: https://example.com, expect: { status: 200 } }",
        "{ name: a, http: https://example.com, timeout: 9s }",
        "{ name: a, tcp: example.com:443 }",
    ] {
        assert_ne!(probe_hash(&monitor(other)), probe_hash(&base), "{other}");
    }
    assert!(probe_hash(&base) < 1 << 24);
}

const PROBE_HASH: u32 = 12_104_454;

#[test]
fn a_change_says_what_is_added_altered_renamed_and_kept() {
    let old = load(&everything());
    let unmoved = load(&everything().replace("\ninstance:", "\n\n# moved\ninstance:"));
    assert!(Change::between(Some(&old), &unmoved).is_empty());
    let text = everything()
        .replace("127.0.0.1:1", "127.0.0.1:2")
        .replace("name: all\n", "name: everything\n")
        .replace("{ name: redis, tcp: redis:6379, slo: 99%, partial: { after: 1m }, ", "{ name: redis, tcp: redis:6380, interval: 1m, ")
        .replace("{ name: basic, http: {", "{ name: other, http: {")
        .replace("on: down", "on: [recovered]")
        .replace("results: 1d", "results: 2d");
    let change = Change::between(Some(&old), &load(&text));
    let expected = "  + monitor other
  ~ monitor redis: target tcp://redis:6379 → tcp://redis:6380, interval 30s → 1m, partial.after, slo
  - monitor basic
  ~ channel chat2: on
  ~ status page a: groups
  ~ monitor all-of-it: renamed from `all` to `everything`, history stays
  ~ retention
  ~ server.listen (needs a restart)

Monitors: 1 to add, 1 to change, 1 to remove, 2 kept.";
    assert_eq!(change.to_string(), expected);
    assert_eq!(change.to_json()["monitors"]["removed"][0], "basic");
    let first = Change::between(None, &old);
    assert_eq!((first.monitors.added.len(), first.needs_restart.len()), (4, 0));
}

#[test]
fn unused_and_used_templates_are_both_checked() {
    let problems =
        try_load("templates: { a: { intervall: 1s }, b: { timeout: x } }\nmonitors: [{ tcp: a:1, use: b }]\n").expect_err("two mistakes");
    let said: Vec<String> = problems.iter().map(|p| format!("{} {}", p.path, p.message)).collect();
    assert_eq!(said, ["templates.a.intervall there is no key `intervall` in `templates.*`", "monitors[0].timeout `x` is not a duration"]);
}

#[test]
fn what_a_matrix_takes_from_the_environment_is_not_shown() {
    let text = "monitors: [{ name: \"x ${matrix.h}\", matrix: { h: \"${HOST}\" }, tcp: \"${matrix.h}\" }]\n";
    let problems = try_load(text).expect_err("no port");
    assert!(problems.iter().all(|p| !p.to_string().contains("api.example.com")), "{problems:?}");
}

#[test]
fn heartbeats_take_what_concerns_them_of_defaults_and_know_their_slugs() {
    let text = "defaults: { interval: 30s, timeout: 5s, channels: chat }\nchannels: [{ name: chat, slack: https://hooks.example.com/x }]\n\
                monitors: [{ name: 'Nightly job 2.0', heartbeat: { cron: '0 2 * * *', timezone: Europe/Riga } }]\n\
                heartbeats: { auto_create: true }\n";
    let config = load(text);
    let monitor = &config.monitors[0];
    let spec = monitor.heartbeat().expect("a heartbeat");
    assert_eq!((monitor.channels.len(), spec.identity.slug.as_str(), spec.beat.grace), (1, "nightly-job-2-0", Duration::from_secs(300)));
    assert_eq!(monitor.target(), "0 2 * * * (Europe/Riga)");
    let made = config.heartbeats.auto_create.expect("allowed");
    let beat = &made.prototype.heartbeat().expect("a heartbeat").beat;
    assert_eq!((beat.schedule.to_string().as_str(), beat.grace, made.n_max), ("every 1d", Duration::from_secs(3600), 100));
    assert_eq!(made.prototype.channels.len(), 1);
}

#[test]
fn what_is_valid_and_perhaps_not_meant_is_said() {
    let config = load("monitors: [{ name: job, heartbeat: { cron: '0 2 * * *', grace: 30m, max_runtime: 2h } }]\n");
    let said: Vec<String> = config.doubts.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("monitors[0].heartbeat.max_runtime: a run that starts on time is missed"), "{said:?}");
    assert!(said[0].contains("hint: raise `grace`"), "{said:?}");
}

#[test]
fn what_tells_nobody_and_what_is_never_reached_is_doubted() {
    let text = "channels: [{ name: ops, slack: https://hooks.slack.com/services/T/B/x }]\n\
                monitors:\n  - { name: a, tcp: \"a:1\", channels: ops }\n  - { name: b, tcp: \"b:1\" }\n  - { name: c, tcp: \"c:1\", channels: [] }\n\
                \x20 - { name: d, tcp: \"d:1\" }\n  - { name: e, tcp: \"e:1\" }\n\
                policies:\n  - { name: most, monitors: [a, e], steps: [{ channels: ops }] }\n\
                \x20 - { name: own, monitors: e, steps: [{ channels: ops }] }\n\
                \x20 - { name: some, monitors: [e, b], steps: [{ after: 0s }] }\n";
    let said: Vec<String> = load(text).doubts.iter().map(|doubt| format!("{}: {}", doubt.path, doubt.message)).collect();
    assert_eq!(
        said,
        [
            "monitors[1]: no channel hears of this monitor, nor of another one",
            "policies[1].name: this policy is never reached: an earlier one, such as `most`, is for each of its monitors",
        ]
    );
    assert!(load("monitors: [{ tcp: \"a:1\" }]\n").doubts.is_empty(), "there is no channel at all");
}

#[test]
fn a_window_covers_what_any_part_of_it_names_and_what_matches_nothing_is_doubted() {
    let text = "monitors:\n  - { name: \"[prod] api\", group: prod, tcp: \"a:1\" }\n  - { name: shop, labels: { team: web }, tcp: \"b:1\" }\n\
                \x20 - { name: db, tcp: \"c:1\" }\n\
                maintenance:\n  - name: all parts\n    monitors: [\"[prod]*\", \"[stage]*\"]\n    groups: prodd\n    match: { labels: { team: web } }\n\
                \x20   schedule: { cron: \"0 22 * * TUE\", duration: 2h, timezone: Europe/Riga }\n\
                \x20 - { name: always, monitors: db, match: { labels: { team: no } }, schedule: { cron: \"0 0 * * *\", duration: 1d } }\n";
    let config = load(text);
    let ids = |n: usize| config.maintenance[n].monitors.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1)), (vec!["prod-api".to_owned(), "shop".to_owned()], vec!["db".to_owned()]));
    assert_eq!(config.maintenance[0].when.to_string(), "cron 0 22 * * TUE for 2h (Europe/Riga)");
    let said: Vec<String> = config.doubts.iter().map(|doubt| format!("{}: {}", doubt.path, doubt.message)).collect();
    assert_eq!(
        said,
        [
            "maintenance[0].monitors[1]: no monitor has a name like `[stage]*`",
            "maintenance[0].groups: no monitor is in a group like `prodd`",
            "maintenance[1].match: no monitor has these labels",
            "maintenance[1].schedule.duration: one window follows the other without any time between",
        ]
    );
}

#[test]
fn times_of_a_window_are_by_the_clock_of_its_zone_or_have_their_offset() {
    let window = |schedule: &str| {
        let config = load(&format!(
            "monitors: [{{ name: x, tcp: \"a:1\" }}]\nmaintenance: [{{ name: w, monitors: x, schedule: {{ {schedule} }} }}]\n"
        ));
        config.maintenance[0].when.clone()
    };
    let span = |schedule: &str| match window(schedule) {
        When::Once(span, zone) => (span.from.rfc3339(), span.to.rfc3339(), zone.to_string()),
        other @ (When::Cron(..) | When::Rule(..)) => panic!("{other}"),
    };
    let riga = ("2026-06-30T19:00:00Z".to_owned(), "2026-06-30T21:30:00Z".to_owned(), "Europe/Riga".to_owned());
    assert_eq!(span("from: \"2026-06-30T22:00\", to: \"2026-07-01 00:30:00\", timezone: Europe/Riga"), riga);
    assert_eq!(span("from: 2026-06-30T19:00:00Z, to: 2026-06-30T23:30:00+02:00, timezone: Europe/Riga"), riga);
    assert_eq!(span("from: \"2026-06-30T22:00\", to: \"2026-06-30T23:00\"").2, "UTC");
    let rule = window("rrule: \"FREQ=MONTHLY;BYDAY=2TU\", start: \"2026-01-06T22:00\", duration: 90m");
    assert_eq!(rule.to_string(), "FREQ=MONTHLY;BYDAY=2TU for 1h30m (UTC)");
}

#[test]
fn what_becomes_of_windows_is_a_change() {
    let with = |windows: &str| load(&format!("monitors: [{{ name: x, tcp: \"a:1\" }}]\n{windows}"));
    let window = |name: &str, hour: u32, line: &str| {
        format!("maintenance:\n{line}  - {{ name: {name}, monitors: x, schedule: {{ cron: \"0 {hour} * * *\", duration: 1h }} }}\n")
    };
    let (none, one) = (with(""), with(&window("w", 1, "")));
    let said = |old: &Config, new: &Config| Change::between(Some(old), new).to_string();
    assert!(said(&none, &one).contains("  + maintenance window w\n"));
    assert!(said(&one, &none).contains("  - maintenance window w\n"));
    assert!(said(&one, &with(&window("w", 2, ""))).contains("  ~ maintenance window w: schedule\n"));
    assert!(Change::between(Some(&one), &with(&window("w", 1, "  # a comment\n"))).is_empty(), "another line is no change");
}
