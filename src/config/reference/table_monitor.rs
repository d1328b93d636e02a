//! The keys of monitors.

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::key;
use crate::config::reference::must;

const CHANNELS: Kind = Kind::OneOrMany(&Kind::Shape("the name of a channel"));
const REGIONS: Kind = Kind::Either(&Kind::Word(&["all"]), &Kind::List(&Kind::Shape("the name of a region")));
const QUORUM: Kind = Kind::Shape("`majority`, `all`, `any`, a number, or a percentage");
const RESOLVER: Kind = Kind::OneOrMany(&Kind::Shape("`address[:port]`, may begin with `udp://`, `tcp://` or `tls://`"));
const HOST_PORT: Kind = Kind::Shape("`host:port`");
const IP: Kind = Kind::Word(&["any", "v4", "v6", "both", "each"]);
const TEXTS: Kind = Kind::OneOrMany(&Kind::Text);
const STATUS: Kind = Kind::OneOrMany(&Kind::Shape("`200`, `2xx` or `200-299`"));

/// In the order of the manual.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: "defaults",
        doc: "What every monitor inherits. Its own keys win, then those of its templates, then these.",
        keys: DEFAULTS,
    },
    Section {
        path: "templates.*",
        doc: "A piece of a monitor, merged into those that say `use: [name]`. Maps are merged, everything else is replaced.",
        keys: TEMPLATE,
    },
    Section {
        path: "monitors[]",
        doc: "Something that is watched. Each monitor has exactly one kind: `http`, `tcp` or `heartbeat`.",
        keys: MONITOR,
    },
    Section { path: "monitors[].confirm", doc: "How many checks must agree before anyone is told.", keys: CONFIRM },
    Section {
        path: "monitors[].partial",
        doc: "Trouble of a minority of regions: no incident of its own, but worth a message.",
        keys: PARTIAL,
    },
    Section {
        path: "monitors[].internal",
        doc: "What nodes with `vantage: internal` look at instead. Without it they look at the same. Their votes never count with those from \
              outside; both together say where the trouble is.",
        keys: INTERNAL,
    },
    Section {
        path: "monitors[].slo",
        doc: "A service level objective, shown beside the uptime. The short form is the target alone.",
        keys: SLO,
    },
    Section { path: "monitors[].http", doc: "A request over HTTP or HTTPS. The short form is the URL alone.", keys: HTTP },
    Section {
        path: "monitors[].http.auth",
        doc: "How the request says who is asking; exactly one of these. Client certificates are in `tls`.",
        keys: HTTP_AUTH,
    },
    Section { path: "monitors[].http.auth.basic", doc: "User name and password.", keys: BASIC },
    Section {
        path: "monitors[].http.auth.oauth2_client_credentials",
        doc: "A token is fetched first and kept until shortly before it expires.",
        keys: OAUTH2,
    },
    Section { path: "monitors[].http.tls", doc: "How TLS is done.", keys: TLS },
    Section { path: "monitors[].tcp", doc: "A connection. The short form is `host:port` alone.", keys: TCP },
    Section {
        path: "monitors[].heartbeat",
        doc: "A job that reports by itself, over addresses that `vigilmon heartbeat url` prints. It is down when a report is missing, says that it \
              failed, or a run takes too long. Exactly one of `interval`, `cron` and `calendar` says when reports are expected.",
        keys: HEARTBEAT,
    },
    Section { path: "monitors[].heartbeat.body", doc: "What is kept of what pings bring along.", keys: HEARTBEAT_BODY },
    Section {
        path: "monitors[].heartbeat.keywords",
        doc: "Words in the body that say what a ping means, whatever its address says; case matters. Failure is looked for first, then success, \
              then start.",
        keys: KEYWORDS,
    },
    Section { path: "monitors[].expect", doc: "What must be seen for a check to be good. All of it must hold.", keys: EXPECT },
    Section { path: "monitors[].expect.any[]", doc: "One of several acceptable answers.", keys: EXPECT_ANY },
    Section {
        path: "monitors[].expect.json[]",
        doc: "A demand on a JSON body: every value that the path selects must satisfy all tests.",
        keys: JSON,
    },
    Section { path: "monitors[].expect.json[].length", doc: "Compares a length. The short form is the number alone.", keys: LENGTH },
    Section { path: "monitors[].expect.headers[]", doc: "A demand on a response header; at least one test.", keys: HEADER },
    Section {
        path: "monitors[].expect.response_time",
        doc: "How slow is too slow. The short form is the value of `degraded`.",
        keys: RESPONSE_TIME,
    },
    Section { path: "monitors[].expect.certificate", doc: "How long a certificate must still be valid.", keys: CERTIFICATE },
];

const INTERVAL: Key = key("interval", Kind::Duration, "1m", "Time between the beginnings of two checks; at least 1s.", "30s");
const TIMEOUT: Key = key(
    "timeout",
    Kind::Duration,
    "10s, or the interval if that is shorter",
    "How long one check may take in all; at least 100ms and at most the interval.",
    "5s",
);
const CONFIRM_KEY: Key =
    key("confirm", Kind::Map("monitors[].confirm"), "", "How many checks must agree before anyone is told.", "{ failures: 3 }");
const REGIONS_KEY: Key = key("regions", REGIONS, "all", "Which regions check it.", "[us-east, eu-west]");
const QUORUM_KEY: Key = key("quorum", QUORUM, "majority", "How many regions must hold it down before it is down.", "2");
const MIN_REGIONS_KEY: Key = key(
    "min_regions",
    Kind::Whole(1, 1000),
    "two, or as many as there are",
    "From how many regions votes must count before anything is decided.",
    "2",
);
const PARTIAL_KEY: Key = key(
    "partial",
    Kind::Map("monitors[].partial"),
    "",
    "When trouble of a minority of regions is told to channels that listen to `regional`.",
    "{ after: 10m }",
);
const INTERNAL_KEY: Key = key(
    "internal",
    Kind::Map("monitors[].internal"),
    "",
    "What vantages inside look at instead.",
    "{ http: \"http://api.prod.svc:8080/health\" }",
);
const CHANNELS_KEY: Key = key("channels", CHANNELS, "[]", "Who is told.", "[chat]");
const REMIND_KEY: Key = key(
    "remind",
    Kind::Either(&Kind::Shape("a duration, or `never`"), &Kind::Map("monitors[].remind")),
    "as the policy says",
    "When people are reminded of what still lasts and nobody has acknowledged: every so often, or with pauses that grow.",
    "4h",
);
const DEPENDS_KEY: Key = key(
    "depends_on",
    Kind::OneOrMany(&Kind::Shape("a name or id, may have `*` and `?`")),
    "[]",
    "Monitors without which this one cannot work. While one of them is down nobody is told that this one is; whoever was told is always told of the end.",
    "[edge-lb]",
);
const GROUP_KEY: Key = key("group", Kind::Text, "", "Heading it stands under in the dashboard.", "prod-us");
const LABELS_KEY: Key = key("labels", Kind::Free(&Kind::Text), "{}", "Free labels; status pages can select by them.", "{ team: platform }");
const HTTP_KEY: Key = key(
    "http",
    Kind::Either(&Kind::Url, &Kind::Map("monitors[].http")),
    "",
    "Watches by a request over HTTP or HTTPS.",
    "https://example.com/health",
);
const TCP_KEY: Key = key("tcp", Kind::Either(&HOST_PORT, &Kind::Map("monitors[].tcp")), "", "Watches by a connection.", "db.internal:5432");
const HEARTBEAT_KEY: Key = key(
    "heartbeat",
    Kind::Map("monitors[].heartbeat"),
    "",
    "Waits for reports of a job.",
    "{ cron: \"0 2 * * *\", timezone: Europe/Riga, grace: 30m }",
);
const EXPECT_KEY: Key =
    key("expect", Kind::Map("monitors[].expect"), "", "What must be seen. By default a status from 200 to 299.", "{ status: 200 }");
const RUNBOOK_KEY: Key = key("runbook", Kind::Url, "", "Link that goes into every notification.", "https://wiki.example.com/runbooks/api");
const SLO_KEY: Key = key(
    "slo",
    Kind::Either(&Kind::Percent, &Kind::Map("monitors[].slo")),
    "",
    "Objective shown beside the uptime.",
    "{ target: 99.9%, window: 30d }",
);
const ENABLED_KEY: Key = key("enabled", Kind::Bool, "true", "`false`: not checked, shown as paused.", "false");

const DEFAULTS: &[Key] = &[INTERVAL, TIMEOUT, CONFIRM_KEY, CHANNELS_KEY, REMIND_KEY, REGIONS_KEY, QUORUM_KEY, MIN_REGIONS_KEY, PARTIAL_KEY];

const TEMPLATE: &[Key] = &[
    GROUP_KEY,
    LABELS_KEY,
    HTTP_KEY,
    TCP_KEY,
    HEARTBEAT_KEY,
    EXPECT_KEY,
    INTERVAL,
    TIMEOUT,
    CONFIRM_KEY,
    REGIONS_KEY,
    QUORUM_KEY,
    MIN_REGIONS_KEY,
    PARTIAL_KEY,
    INTERNAL_KEY,
    CHANNELS_KEY,
    REMIND_KEY,
    DEPENDS_KEY,
    RUNBOOK_KEY,
    SLO_KEY,
    ENABLED_KEY,
];

const MONITOR: &[Key] = &[
    key("name", Kind::Text, "the target", "What people call it; unique.", "\"[prod-us] api /health\""),
    key(
        "id",
        Kind::Shape("lowercase letters, digits, `-`, `_`, `.`"),
        "made of the name",
        "Key of its history; unique. Set it to rename a monitor without losing history.",
        "prod-us-api",
    ),
    GROUP_KEY,
    LABELS_KEY,
    HTTP_KEY,
    TCP_KEY,
    HEARTBEAT_KEY,
    EXPECT_KEY,
    key(
        "use",
        Kind::OneOrMany(&Kind::Shape("the name of a template")),
        "[]",
        "Templates to merge in; later ones win over earlier ones.",
        "[api]",
    ),
    key(
        "matrix",
        Kind::Free(&Kind::OneOrMany(&Kind::Text)),
        "",
        "Makes one monitor of every combination; `${matrix.key}` stands for the value.",
        "{ cluster: [us, eu] }",
    ),
    INTERVAL,
    TIMEOUT,
    CONFIRM_KEY,
    REGIONS_KEY,
    QUORUM_KEY,
    MIN_REGIONS_KEY,
    PARTIAL_KEY,
    INTERNAL_KEY,
    CHANNELS_KEY,
    REMIND_KEY,
    DEPENDS_KEY,
    RUNBOOK_KEY,
    SLO_KEY,
    ENABLED_KEY,
];

const HEARTBEAT: &[Key] = &[
    key("interval", Kind::Duration, "", "So long after the last report the next one is expected; at least 100ms.", "1d"),
    key("cron", Kind::Shape("a cron expression of five fields, or `@daily` and the like"), "", "Expected by cron.", "\"0 2 * * *\""),
    key("calendar", Kind::Shape("a systemd calendar event"), "", "Expected as by `OnCalendar=`.", "\"Mon..Fri 02:00\""),
    key("timezone", Kind::Shape("a name of the IANA database"), "UTC", "Where `cron` and `calendar` are read.", "Europe/Riga"),
    key(
        "rules",
        Kind::Word(&["vixie", "kubernetes"]),
        "vixie",
        "Whose rules `cron` follows where the clock is changed for summer and winter, and where both days are given.",
        "kubernetes",
    ),
    key(
        "grace",
        Kind::Duration,
        "5m, or half of the shortest time between two reports",
        "How late the report of a finished run may be.",
        "30m",
    ),
    key("start_grace", Kind::Duration, "", "A `/start` must come within this time after it is due.", "10m"),
    key("max_runtime", Kind::Duration, "the grace", "How long a run may take from its `/start`.", "2h"),
    key("min_runtime", Kind::Duration, "", "A run that takes less makes it degraded: it finished suspiciously fast.", "30s"),
    key("failures", Kind::Whole(1, 100), "1", "Failures in a row before it is down.", "3"),
    key(
        "first_ping",
        Kind::Word(&["required", "optional"]),
        "required",
        "`required`: the first report must come in time, too, counted from when the monitor was first loaded. `optional`: it waits silently.",
        "optional",
    ),
    key(
        "methods",
        Kind::Word(&["any", "post"]),
        "any",
        "`post`: other requests are noted and ignored, such as those of link previews.",
        "post",
    ),
    key("token", Kind::Secret, "derived from the secret", "The token in `/heartbeat/<token>`.", "{ env: NIGHTLY_TOKEN }"),
    key(
        "uuid",
        Kind::Secret,
        "derived from the secret",
        "The UUID in `/ping/<uuid>`: one that clients already have.",
        "{ env: NIGHTLY_UUID }",
    ),
    key("slug", Kind::Shape("lowercase letters, digits, `-`, `_`"), "made of the id", "The name in `/ping/<key>/<slug>`.", "nightly"),
    key("body", Kind::Map("monitors[].heartbeat.body"), "", "What is kept of bodies.", "{ limit: 100KiB, keep: tail }"),
    key(
        "keywords",
        Kind::Map("monitors[].heartbeat.keywords"),
        "",
        "Words that say what a ping means.",
        "{ success: [OK], failure: [ERR] }",
    ),
    key(
        "early",
        Kind::Duration,
        "1m, or a tenth of the shortest time between two reports",
        "A report so much before it is due counts for it.",
        "60s",
    ),
    key("resume", Kind::Word(&["auto", "manual"]), "auto", "`auto`: a ping ends a pause. `manual`: it is noted and ignored.", "manual"),
    key("keep_alive", Kind::Bool, "false", "A `/log` during a run gives it `max_runtime` once more.", "true"),
    key("generation", Kind::Whole(1, 1_000_000), "1", "Raise it to get another derived token, UUID and ping key.", "2"),
];

const HEARTBEAT_BODY: &[Key] = &[
    key("limit", Kind::Size, "10KB", "So much of it, from 0B to 1MiB.", "100KiB"),
    key("keep", Kind::Word(&["head", "tail"]), "head", "Which end of a longer one.", "tail"),
];

const KEYWORDS: &[Key] = &[
    key("failure", TEXTS, "[]", "Any of these: the run failed.", "[ERROR]"),
    key("success", TEXTS, "[]", "Any of these: it worked.", "[DONE]"),
    key("start", TEXTS, "[]", "Any of these: it began.", "[BEGIN]"),
    key("otherwise", Kind::Word(&["ignore", "fail"]), "ignore", "What a ping without any of them means.", "fail"),
];

const CONFIRM: &[Key] = &[
    key("failures", Kind::Whole(1, 100), "2", "Bad checks in a row before it counts as bad.", "3"),
    key("successes", Kind::Whole(1, 100), "1", "Good checks in a row before it counts as good again.", "2"),
    key("recheck", Kind::Duration, "10s", "Time between checks while that is open; at least 1s, and never longer than the interval.", "5s"),
];

const PARTIAL: &[Key] = &[must("after", Kind::Duration, "How long a minority must hold it down.", "10m")];

const INTERNAL: &[Key] = &[HTTP_KEY, TCP_KEY, EXPECT_KEY];

const SLO: &[Key] = &[
    must("target", Kind::Percent, "Wanted uptime.", "99.9%"),
    key("window", Kind::Duration, "30d", "Over how long, at least a day.", "90d"),
];

const HTTP: &[Key] = &[
    must("url", Kind::Url, "What is requested.", "https://example.com/health"),
    key("method", Kind::Shape("a method"), "GET", "How.", "HEAD"),
    key("headers", Kind::Free(&Kind::Secret), "{}", "Sent besides the usual ones.", "{ Accept: application/json }"),
    key("auth", Kind::Map("monitors[].http.auth"), "", "Says who is asking.", "{ bearer: { env: API_TOKEN } }"),
    key("body", Kind::Text, "", "Sent as it is.", "'{\"ping\":1}'"),
    key("follow_redirects", Kind::Whole(0, 20), "5", "How many redirects are followed; 0 judges the redirect itself.", "0"),
    key("ip", IP, "any", "Which addresses are tried: the first that answers, one family, one of each, or every address.", "both"),
    key(
        "resolver",
        RESOLVER,
        "the system's",
        "Name servers to ask. `tls://9.9.9.9#dns.quad9.net` names the certificate.",
        "[1.1.1.1, tls://9.9.9.9]",
    ),
    key("connect_to", HOST_PORT, "", "Connects here instead, keeping the name for TLS and `Host`.", "203.0.113.7:443"),
    key(
        "proxy",
        Kind::Secret,
        "",
        "Goes through `http://host:port` or `socks5://host:port`, with `user:password@` if it wants them.",
        "http://proxy.internal:3128",
    ),
    key("tls", Kind::Map("monitors[].http.tls"), "", "How TLS is done.", "{ ca: /etc/ssl/internal-ca.pem }"),
    key("http_version", Kind::Word(&["auto", "1.1", "2"]), "auto", "HTTP/2 where TLS negotiates it, or exactly one version.", "\"1.1\""),
    key("max_body", Kind::Size, "1MiB", "How much of the answer is read, at most 64MiB.", "64KiB"),
    key("allow_metadata", Kind::Bool, "false", "May connect to the metadata services of clouds, which hand out credentials.", "true"),
    key("allow_private", Kind::Bool, "false", "A public name may lead or redirect into a private network.", "true"),
];

const HTTP_AUTH: &[Key] = &[
    key(
        "basic",
        Kind::Map("monitors[].http.auth.basic"),
        "",
        "User name and password.",
        "{ user: probe, password: { env: PROBE_PASSWORD } }",
    ),
    key("bearer", Kind::Secret, "", "A token.", "{ env: API_TOKEN }"),
    key(
        "oauth2_client_credentials",
        Kind::Map("monitors[].http.auth.oauth2_client_credentials"),
        "",
        "A token that is fetched first.",
        "{ token_url: https://login.example.com/token, client_id: probe, client_secret: { env: OAUTH_SECRET } }",
    ),
];

const BASIC: &[Key] =
    &[must("user", Kind::Text, "User name.", "probe"), must("password", Kind::Secret, "Password.", "{ env: PROBE_PASSWORD }")];

const OAUTH2: &[Key] = &[
    must("token_url", Kind::Url, "Where tokens are given out.", "https://login.example.com/token"),
    must("client_id", Kind::Text, "Who asks.", "probe"),
    must("client_secret", Kind::Secret, "What proves it.", "{ env: OAUTH_SECRET }"),
    key("scopes", TEXTS, "the server's", "What for.", "[health.read]"),
];

const TLS: &[Key] = &[
    key("verify", Kind::Bool, "true", "`false`: any certificate will do.", "false"),
    key("ca", Kind::File, "the system's", "Trusted roots, PEM, instead of the system's.", "/etc/ssl/internal-ca.pem"),
    key("server_name", Kind::Shape("a host name"), "the URL's host", "Name to ask for and to verify.", "api.internal"),
    key("min_version", Kind::Word(&["1.2", "1.3"]), "1.2", "Lowest version that is accepted.", "\"1.3\""),
    key("client_cert", Kind::File, "", "Client certificate chain, PEM; needs `client_key`.", "/etc/vigilmon/client.pem"),
    key("client_key", Kind::Either(&Kind::File, &Kind::Map("secret")), "", "Its private key, PEM.", "/etc/vigilmon/client.key"),
];

const TCP: &[Key] = &[
    must("address", HOST_PORT, "Where to.", "redis.internal:6379"),
    key("send", Kind::Text, "", "Said after connecting. In double quotes, `\\r\\n` ends a line.", "\"PING\\r\\n\""),
    key("expect", Kind::Text, "", "Must occur in what comes back.", "\"+PONG\""),
    key("ip", IP, "any", "Which addresses are tried.", "v4"),
    key("resolver", RESOLVER, "the system's", "Name servers to ask.", "1.1.1.1"),
];

const STATUS_KEY: Key = key("status", STATUS, "2xx", "Acceptable status codes, one or several.", "[200, 204]");
const CONTAINS_KEY: Key = key("body_contains", TEXTS, "[]", "Texts the body must contain.", "'\"status\":\"ok\"'");
const EXCLUDES_KEY: Key = key("body_excludes", TEXTS, "[]", "Texts the body must not contain.", "[error, maintenance]");
const MATCHES_KEY: Key = key("body_matches", TEXTS, "[]", "Regular expressions the body must match.", "'version: \\d+'");
const JSON_KEY: Key =
    key("json", Kind::List(&Kind::Map("monitors[].expect.json[]")), "[]", "Demands on a JSON body.", "[{ path: $.status, equals: ok }]");
const HEADERS_KEY: Key = key(
    "headers",
    Kind::List(&Kind::Map("monitors[].expect.headers[]")),
    "[]",
    "Demands on response headers.",
    "[{ name: content-type, contains: json }]",
);

const EXPECT: &[Key] = &[
    STATUS_KEY,
    CONTAINS_KEY,
    EXCLUDES_KEY,
    MATCHES_KEY,
    JSON_KEY,
    HEADERS_KEY,
    key(
        "response_time",
        Kind::Either(&Kind::Duration, &Kind::Map("monitors[].expect.response_time")),
        "",
        "Slower than this is degraded.",
        "2s",
    ),
    key(
        "certificate",
        Kind::Map("monitors[].expect.certificate"),
        "{ degraded: 14d }",
        "How long a certificate must still be valid.",
        "{ degraded: 21d, down: 3d }",
    ),
    key(
        "any",
        Kind::List(&Kind::Map("monitors[].expect.any[]")),
        "[]",
        "At least one of these must hold, besides everything else.",
        "[{ status: 204 }, { body_contains: maintenance }]",
    ),
];

const EXPECT_ANY: &[Key] = &[STATUS_KEY, CONTAINS_KEY, EXCLUDES_KEY, MATCHES_KEY, JSON_KEY, HEADERS_KEY];

const NUMBER: Kind = Kind::Shape("a number");

const JSON: &[Key] = &[
    must("path", Kind::Shape("an RFC 9535 path"), "What is looked at.", "$.status"),
    key("equals", Kind::Json, "", "Equal to this; numbers by value.", "ok"),
    key("not_equals", Kind::Json, "", "Different from this.", "error"),
    key("contains", Kind::Text, "", "A text contains this, or a list has this element.", "ready"),
    key("matches", Kind::Text, "", "A text matches this regular expression.", "'^v[0-9]+'"),
    key("exists", Kind::Bool, "", "Something is selected, or nothing is.", "true"),
    key("gt", NUMBER, "", "Greater.", "0"),
    key("ge", NUMBER, "", "Greater or equal.", "1"),
    key("lt", NUMBER, "", "Less.", "100"),
    key("le", NUMBER, "", "Less or equal.", "0.5"),
    key(
        "length",
        Kind::Either(&Kind::Whole(0, u32::MAX as u64), &Kind::Map("monitors[].expect.json[].length")),
        "",
        "Length of a text, list or map; of several selected values, their count.",
        "3",
    ),
];

const LENGTH: &[Key] = &[
    key("equals", Kind::Whole(0, u32::MAX as u64), "", "Exactly this.", "3"),
    key("gt", Kind::Whole(0, u32::MAX as u64), "", "Greater.", "0"),
    key("ge", Kind::Whole(0, u32::MAX as u64), "", "Greater or equal.", "1"),
    key("lt", Kind::Whole(0, u32::MAX as u64), "", "Less.", "100"),
    key("le", Kind::Whole(0, u32::MAX as u64), "", "Less or equal.", "99"),
];

const HEADER: &[Key] = &[
    must("name", Kind::Shape("the name of a header"), "Which header; letter case does not matter.", "content-type"),
    key("equals", Kind::Text, "", "Exactly this.", "application/json"),
    key("contains", Kind::Text, "", "This occurs in it; letter case does not matter.", "json"),
    key("matches", Kind::Text, "", "It matches this regular expression.", "'^text/'"),
    key("exists", Kind::Bool, "", "It is there, or it is not.", "true"),
];

const RESPONSE_TIME: &[Key] = &[
    key("degraded", Kind::Duration, "", "Slower than this is degraded.", "2s"),
    key("down", Kind::Duration, "", "Slower than this is down.", "8s"),
];

const CERTIFICATE: &[Key] = &[
    key("degraded", Kind::Duration, "14d, or the longest of `warn`", "Less time left than this is degraded; `0s` switches it off.", "21d"),
    key("down", Kind::Duration, "when it no longer validates", "Less time left than this is down.", "3d"),
    key(
        "warn",
        Kind::OneOrMany(&Kind::Duration),
        "[7d, 3d, 1d], as far as it is degraded and not down then",
        "While it is degraded, one more message is sent when less than each of these is left; `[]` sends none. One that is longer than the default of `degraded` takes its place.",
        "[30d, 14d, 7d, 1d]",
    ),
];
