//! The keys of everything but monitors and status pages.

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::key;
use crate::config::reference::must;

const NETWORK: Kind = Kind::Shape("an address or network");
const SLUG: Kind = Kind::Shape("lowercase letters, digits, `-`, `_`, `.`");
const CHANNEL: Kind = Kind::Shape("the name of a channel");

/// In the order of the manual; the top level comes first.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: "",
        doc: "The top level of the file. Keys that begin with `x-` are ignored, so that YAML anchors have a place to live.",
        keys: TOP,
    },
    Section { path: "instance", doc: "About this instance.", keys: INSTANCE },
    Section { path: "server", doc: "How the dashboard, the status pages and the API are reached.", keys: SERVER },
    Section { path: "server.tls", doc: "Serves HTTPS. The files are read again when they change.", keys: SERVER_TLS },
    Section { path: "auth", doc: "Who may see the dashboard and change run-time state.", keys: AUTH },
    Section { path: "auth.users[]", doc: "A local user.", keys: USER },
    Section {
        path: "auth.proxy",
        doc: "A proxy that has already signed people in: Authelia, Authentik, oauth2-proxy, Tailscale and the like.",
        keys: AUTH_PROXY,
    },
    Section {
        path: "auth.oidc",
        doc: "A provider of identities at which people sign in by OpenID Connect: Keycloak, Authentik, Authelia, Dex, Entra, Google, Okta and the like. `<public_url>/sign-in/oidc/callback` is the redirect URI to enter there. Needs `server.public_url`.",
        keys: AUTH_OIDC,
    },
    Section {
        path: "auth.oidc.allowed",
        doc: "Who may sign in: whoever is in one of the groups, or has an address in one of the domains.",
        keys: OIDC_ALLOWED,
    },
    Section { path: "auth.tokens[]", doc: "A token for the API.", keys: TOKEN },
    Section {
        path: "peers",
        doc: "Several instances that watch together. The section is the same on every node; which of them one is, `VIGILMON_NODE` or `--node` says.",
        keys: PEERS,
    },
    Section { path: "peers.nodes[]", doc: "One instance of the cluster.", keys: NODE },
    Section {
        path: "uplink",
        doc: "Controls that are tried when checks fail: when none of them answers, our own network is gone and no target is blamed.",
        keys: UPLINK,
    },
    Section { path: "heartbeats", doc: "What concerns all heartbeats.", keys: HEARTBEATS },
    Section {
        path: "heartbeats.auto_create",
        doc: "What a ping with `?create=1` to a slug that nobody has may do. Whoever knows the ping key can then make monitors.",
        keys: AUTO_CREATE,
    },
    Section {
        path: "self",
        doc: "Trouble of vigilmon itself: a config that does not load, a channel that does not work, a disk that is nearly full, a database that takes no writes, a clock that is wrong, a peer that is not heard.",
        keys: SELF,
    },
    Section { path: "retention", doc: "What is kept how long.", keys: RETENTION },
    Section {
        path: "secret",
        doc: "Wherever a secret is expected, a text can stand, or a map with exactly one of these keys. A newline at the end is cut off.",
        keys: SECRET,
    },
];

const TOP: &[Key] = &[
    key(
        "include",
        Kind::OneOrMany(&Kind::Shape("a path, may have `*` and `?`")),
        "",
        "More files, relative to this one. Lists are joined, maps merged, a scalar may be set only once.",
        "[conf.d/*.yaml]",
    ),
    key("instance", Kind::Map("instance"), "", "About this instance.", "{ region: eu-west }"),
    key("server", Kind::Map("server"), "", "How it is reached.", "{ listen: 127.0.0.1:8080 }"),
    key("auth", Kind::Map("auth"), "", "Who may see the dashboard.", "{ users: [] }"),
    key("defaults", Kind::Map("defaults"), "", "What every monitor inherits.", "{ interval: 30s }"),
    key(
        "templates",
        Kind::Free(&Kind::Map("templates.*")),
        "",
        "Pieces of monitors by name, for `use`.",
        "{ api: { expect: { status: 200 } } }",
    ),
    key(
        "monitors",
        Kind::List(&Kind::Map("monitors[]")),
        "",
        "What is watched. At least one, over all files.",
        "[{ http: https://example.com }]",
    ),
    key(
        "channels",
        Kind::List(&Kind::Map("channels[]")),
        "",
        "How people are reached.",
        "[{ name: chat, slack: https://hooks.slack.com/services/T000/B000/XXXX }]",
    ),
    key(
        "status_pages",
        Kind::List(&Kind::Map("status_pages[]")),
        "",
        "What visitors see.",
        "[{ slug: main, groups: [{ name: All, monitors: \"*\" }] }]",
    ),
    key(
        "incident_templates",
        Kind::List(&Kind::Map("incident_templates[]")),
        "[]",
        "Texts that people can begin an update of an incident or an announcement with.",
        "[{ name: Looking into it, state: investigating, text: We are looking into it. }]",
    ),
    key(
        "policies",
        Kind::List(&Kind::Map("policies[]")),
        "",
        "Who is told when. What no policy selects is told to the channels of the monitor, at once.",
        "[{ name: Night shift, monitors: \"*\", steps: [{ channels: [chat] }, { after: 10m, channels: [oncall], unless: acknowledged }] }]",
    ),
    key(
        "maintenance",
        Kind::List(&Kind::Map("maintenance[]")),
        "",
        "Planned times in which failing is expected.",
        "[{ name: Patching, monitors: \"*\", schedule: { cron: \"0 22 * * TUE\", duration: 2h } }]",
    ),
    key(
        "peers",
        Kind::Map("peers"),
        "",
        "Several instances that watch together.",
        "{ cluster: acme, secret: { env: VIGILMON_CLUSTER_SECRET }, nodes: [{ name: a, region: eu, url: \"wss://a.example.net/peer\" }, { name: b, region: us }] }",
    ),
    key("uplink", Kind::Map("uplink"), "", "Tells a lost uplink from a lost target.", "{ probes: [tcp://1.1.1.1:443] }"),
    key("heartbeats", Kind::Map("heartbeats"), "", "What concerns all heartbeats.", "{ auto_create: { limit: 50 } }"),
    key("self", Kind::Map("self"), "", "Who is told about trouble of vigilmon itself.", "{ channels: [chat] }"),
    key("retention", Kind::Map("retention"), "", "What is kept how long.", "{ results: 7d }"),
];

const INSTANCE: &[Key] = &[
    key(
        "region",
        Kind::Shape("lowercase letters, digits, `-`, `_`, `.`"),
        "local",
        "Label of the place this instance looks from.",
        "eu-west",
    ),
    key(
        "vantage",
        Kind::Word(&["external", "internal"]),
        "external",
        "Whether it looks from outside, as users do, or from inside the network that is watched.",
        "internal",
    ),
    key(
        "state_dir",
        Kind::File,
        "$STATE_DIRECTORY, else ./data",
        "Directory for the database, keys and the last good config.",
        "/var/lib/vigilmon",
    ),
    key("secret", Kind::Secret, "generated and kept in the state directory", "Derives tokens and keys.", "{ file: /run/secrets/vigilmon }"),
    key(
        "allow_commands",
        Kind::Bool,
        "false",
        "Whether channels may run programs, with the rights of vigilmon itself. Whoever may change the config can then run anything.",
        "true",
    ),
    key(
        "edit",
        Kind::File,
        "",
        "A file below the directory of the config to which admins may add monitors from the page `/new-monitor`. Only its list `monitors:` grows; comments and everything else stay as they are.",
        "web.yaml",
    ),
];

const SERVER: &[Key] = &[
    key(
        "listen",
        Kind::OneOrMany(&Kind::Shape("an address with a port")),
        "0.0.0.0:8080",
        "Where to listen, one address or several.",
        "127.0.0.1:8080",
    ),
    key("public_url", Kind::Url, "", "How people reach it; used for links in notifications.", "https://status.example.com"),
    key(
        "base_path",
        Kind::Shape("a path that begins with `/`"),
        "/",
        "Path below which everything is served, for hosting below a sub-path.",
        "/vigilmon",
    ),
    key("trusted_proxies", Kind::OneOrMany(&NETWORK), "[]", "Proxies whose `X-Forwarded-*` headers are believed.", "[127.0.0.1/32]"),
    key(
        "tls",
        Kind::Map("server.tls"),
        "",
        "Serves HTTPS instead of HTTP.",
        "{ cert: /etc/vigilmon/cert.pem, key: /etc/vigilmon/key.pem }",
    ),
];

const SERVER_TLS: &[Key] = &[
    must("cert", Kind::File, "Certificate chain, PEM, leaf first.", "/etc/vigilmon/fullchain.pem"),
    must("key", Kind::File, "Private key, PEM.", "/etc/vigilmon/privkey.pem"),
];

const AUTH: &[Key] = &[
    key(
        "users",
        Kind::List(&Kind::Map("auth.users[]")),
        "[]",
        "People who sign in with a password.",
        "[{ name: ops, password_hash: { file: /run/secrets/ops } }]",
    ),
    key(
        "proxy",
        Kind::Map("auth.proxy"),
        "",
        "Believes a proxy that has signed people in.",
        "{ header: Remote-User, from: [127.0.0.1/32] }",
    ),
    key(
        "oidc",
        Kind::Map("auth.oidc"),
        "",
        "Offers to sign in at a provider of identities.",
        "{ issuer: https://login.example.com, client_id: vigilmon, allowed: { groups: [staff] } }",
    ),
    key(
        "tokens",
        Kind::List(&Kind::Map("auth.tokens[]")),
        "[]",
        "For programs that use the API.",
        "[{ name: ci, hash: { env: CI_TOKEN_HASH }, scope: read }]",
    ),
];

const USER: &[Key] = &[
    must("name", Kind::Text, "Name to sign in with; unique.", "ops"),
    must(
        "password_hash",
        Kind::Secret,
        "argon2id hash, as `vigilmon hash-password` prints it.",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$…",
    ),
    key("role", ROLE, "admin", "What they may do: docs/sign-in.md has the table.", "operator"),
];

const AUTH_PROXY: &[Key] = &[
    must("header", Kind::Shape("the name of a header"), "Header with the name of the user.", "Remote-User"),
    must(
        "from",
        Kind::OneOrMany(&NETWORK),
        "Addresses of the proxy. The header is ignored when it comes from elsewhere.",
        "[127.0.0.1/32]",
    ),
    key(
        "groups_header",
        Kind::Shape("the name of a header"),
        "",
        "Header with the groups of the user, separated by `,` or `|`. The proxy must replace what visitors send under this name.",
        "Remote-Groups",
    ),
    ROLES,
    key(
        "role",
        Kind::Word(&["viewer", "operator", "admin", "none"]),
        "`operator`; `viewer` when there are `roles`",
        "What those may do to whom no group gives a role. `none`: they are not let in.",
        "viewer",
    ),
];

/// What somebody may do.
const ROLE: Kind = Kind::Word(&["viewer", "operator", "admin"]);

const ROLES: Key = key(
    "roles",
    Kind::Free(&ROLE),
    "",
    "Which group may do what. Of several groups the highest role counts.",
    "{ sre: admin, dev: operator }",
);

const AUTH_OIDC: &[Key] = &[
    must(
        "issuer",
        Kind::Url,
        "The provider, exactly as it writes itself in `/.well-known/openid-configuration`, to the last `/`. Over `https`, unless it is on this machine.",
        "https://login.example.com/realms/acme",
    ),
    key("name", Kind::Text, "the host of the issuer", "What people call it: the page offers to \"Sign in with\" this.", "Acme"),
    must("client_id", Kind::Text, "What the provider calls vigilmon.", "vigilmon"),
    key(
        "client_secret",
        Kind::Secret,
        "",
        "By which the provider knows vigilmon; without one it is a public client.",
        "{ env: OIDC_CLIENT_SECRET }",
    ),
    key(
        "scopes",
        Kind::OneOrMany(&Kind::Text),
        "[openid, profile, email]",
        "What is asked for; `openid` always. Some providers tell groups only to whom asks for `groups`.",
        "[openid, profile, email, groups]",
    ),
    key("groups_claim", Kind::Text, "groups", "Where the groups are in what the provider says; with dots, a path.", "realm_access.roles"),
    must(
        "allowed",
        Kind::Either(&Kind::Word(&["everyone"]), &Kind::Map("auth.oidc.allowed")),
        "Who may sign in. `everyone`: whomever the provider knows, which for a public one is the whole world.",
        "{ groups: [staff], domains: [example.com] }",
    ),
    ROLES,
    key(
        "role",
        Kind::Word(&["viewer", "operator", "admin", "none"]),
        "viewer",
        "What those may do to whom no group gives a role. `none`: they are not let in.",
        "operator",
    ),
];

const OIDC_ALLOWED: &[Key] = &[
    key("groups", Kind::OneOrMany(&Kind::Text), "[]", "Groups, as the provider writes them.", "[staff]"),
    key(
        "domains",
        Kind::OneOrMany(&Kind::Shape("a domain")),
        "[]",
        "Domains of e-mail addresses; an address counts when the provider says that it has verified it.",
        "[example.com]",
    ),
];

const TOKEN: &[Key] = &[
    must("name", Kind::Text, "What it is for; unique.", "ci"),
    must("hash", Kind::Secret, "SHA-256 of the token, 64 hexadecimal digits.", "{ env: CI_TOKEN_HASH }"),
    key(
        "scope",
        Kind::Word(&["read", "write", "admin"]),
        "read",
        "What it may do: `read` what a viewer may, `write` what an operator may, `admin` everything.",
        "write",
    ),
];

const PEERS: &[Key] = &[
    must("cluster", SLUG, "Name of the cluster; part of every incident's id.", "acme"),
    key(
        "secret",
        Kind::OneOrMany(&Kind::Secret),
        "",
        "Keys of all nodes are derived from it. Of a list the first is used and all are accepted: so a secret is changed node by node.",
        "{ env: VIGILMON_CLUSTER_SECRET }",
    ),
    key("private_key", Kind::Secret, "", "Of this node, when it has a `key` of its own.", "{ file: /etc/vigilmon/peer.key }"),
    must(
        "nodes",
        Kind::List(&Kind::Map("peers.nodes[]")),
        "All of them, this one included. Of two equal halves of a cluster the one with the first node decides.",
        "[{ name: a, region: eu, url: \"wss://a.example.net/peer\" }, { name: b, region: us }]",
    ),
    key(
        "solo_after",
        Kind::Either(&Kind::Word(&["never"]), &Kind::Duration),
        "60s",
        "After this a minority that sees no others acts alone, and says so in its messages.",
        "never",
    ),
];

const NODE: &[Key] = &[
    must("name", SLUG, "Unique in the cluster.", "us-east"),
    must("region", SLUG, "Where it looks from.", "us-east"),
    key(
        "vantage",
        Kind::Word(&["external", "internal"]),
        "external",
        "`internal`: inside the cluster or network that is watched; it votes apart.",
        "internal",
    ),
    key(
        "url",
        Kind::Shape("`ws://` or `wss://`, ending in `/peer`"),
        "",
        "Where others reach it. Without one it dials them.",
        "wss://us.example.net/peer",
    ),
    key(
        "key",
        Kind::Shape("`ed25519:` and base64"),
        "derived from the secret",
        "Its public key, as `vigilmon peer id` prints it.",
        "ed25519:1Ihs/1XbuRZXeYZq0aHLhhIIQ9o8WUjDyrPcwrCN2Sg=",
    ),
];

const UPLINK: &[Key] = &[key(
    "probes",
    Kind::OneOrMany(&Kind::Shape("`tcp://host:port`")),
    "[]",
    "Addresses that practically always answer. Empty: no guard.",
    "[tcp://1.1.1.1:443, tcp://9.9.9.9:443]",
)];

const SELF: &[Key] = &[
    key(
        "channels",
        Kind::OneOrMany(&CHANNEL),
        "[]",
        "Who is told: once when something begins and once when it is over. By default nobody, except that all others hear of a channel that does not deliver; the log and the dashboard say it all the same.",
        "[chat]",
    ),
    key(
        "heartbeat_url",
        Kind::Secret,
        "",
        "Called once a minute, as long as checks are made, the database takes writes, and no message has waited for longer than 10 minutes: for a dead man's switch somewhere else. With peers, `${VIGILMON_NODE}` in it gives each node one of its own.",
        "{ env: DEAD_MANS_SWITCH_URL }",
    ),
];

const HEARTBEATS: &[Key] = &[
    key(
        "auto_create",
        Kind::Either(&Kind::Bool, &Kind::Map("heartbeats.auto_create")),
        "false",
        "Whether `/ping/<key>/<slug>?create=1` makes the heartbeat when there is none: expected once a day, unless a template says otherwise.",
        "{ template: job, limit: 50 }",
    ),
    key(
        "ping_key",
        Kind::Secret,
        "derived from the secret",
        "The key in `/ping/<key>/<slug>`: one that clients already have.",
        "{ env: PING_KEY }",
    ),
];

const AUTO_CREATE: &[Key] = &[
    key("template", Kind::Shape("the name of a template"), "", "What is made; without one it is what `defaults` say.", "job"),
    key("limit", Kind::Whole(1, 10_000), "100", "So many are made at most, in all.", "50"),
];

const RETENTION: &[Key] = &[
    key("results", Kind::Duration, "7d", "Single results.", "14d"),
    key("rollup_5m", Kind::Duration, "90d", "Sums over five minutes.", "30d"),
    key("rollup_1h", Kind::Duration, "2y", "Sums over an hour, incidents and verdicts.", "5y"),
    key("pings", Kind::Whole(10, 100_000), "1000", "The newest pings of each heartbeat.", "100"),
    key("max_db_size", Kind::Size, "2GiB", "Cap of the database. Beyond it the oldest single results go first.", "10GiB"),
];

const SECRET: &[Key] = &[
    key("file", Kind::File, "", "Reads a file.", "/run/secrets/token"),
    key("env", Kind::Shape("the name of a variable"), "", "Reads an environment variable.", "API_TOKEN"),
    key("credential", Kind::Shape("the name of a credential"), "", "Reads systemd's credentials directory.", "api-token"),
];
