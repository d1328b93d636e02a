//! The keys of channels, one section for each kind.

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::key;
use crate::config::reference::must;

/// In the order of the manual.
pub(super) const SECTIONS: &[Section] = &[
    Section { path: "channels[]", doc: "A way to reach people. Each channel has exactly one kind.", keys: CHANNEL },
    Section {
        path: "channels[].webhook",
        doc: "Calls a URL of yours with a JSON body, which [notifications.md](notifications.md#what-a-webhook-gets) describes. The short form is the URL alone.",
        keys: WEBHOOK,
    },
    Section {
        path: "channels[].slack",
        doc: "Posts to Slack, or to anything that takes Slack's format. The short form is the URL of a webhook alone. A bot has `token` and `channel` instead; it answers in the thread of the message that began an incident, and marks that one when it is over. It needs the scope `chat:write`, and `channels:history` (or `groups:history`) to find the thread.",
        keys: SLACK,
    },
    Section {
        path: "channels[].discord",
        doc: "Posts to Discord by a webhook. The short form is the URL alone. When an incident is over, the message that began it says so; what follows it stands by itself, because webhooks of Discord cannot answer a message.",
        keys: DISCORD,
    },
    Section {
        path: "channels[].teams",
        doc: "Posts a card to Microsoft Teams, by a workflow that waits for webhooks (*Send webhook alerts to a channel*). The short form is the URL alone.",
        keys: TEAMS,
    },
    Section {
        path: "channels[].mattermost",
        doc: "Posts to Mattermost by an incoming webhook. The short form is the URL alone.",
        keys: MATTERMOST,
    },
    Section {
        path: "channels[].rocketchat",
        doc: "Posts to Rocket.Chat by an incoming integration. The short form is the URL alone.",
        keys: ROCKETCHAT,
    },
    Section {
        path: "channels[].googlechat",
        doc: "Posts to a space of Google Chat by a webhook; all messages about an incident stand in one thread. The short form is the URL alone.",
        keys: GOOGLECHAT,
    },
    Section {
        path: "channels[].telegram",
        doc: "Writes to Telegram as a bot. What follows the beginning of an incident answers it, and when the incident is over that message says so.",
        keys: TELEGRAM,
    },
    Section {
        path: "channels[].matrix",
        doc: "Writes to a room of Matrix. Encrypted rooms are not supported. What follows the beginning of an incident stands in its thread, and when the incident is over the first message says so.",
        keys: MATRIX,
    },
    Section { path: "channels[].zulip", doc: "Writes to Zulip as a bot, about each monitor in its own topic.", keys: ZULIP },
    Section { path: "channels[].ntfy", doc: "Publishes to a topic of ntfy.", keys: NTFY },
    Section { path: "channels[].gotify", doc: "Sends to Gotify.", keys: GOTIFY },
    Section { path: "channels[].pushover", doc: "Sends to Pushover.", keys: PUSHOVER },
    Section { path: "channels[].pushbullet", doc: "Sends to Pushbullet.", keys: PUSHBULLET },
    Section {
        path: "channels[].signal",
        doc: "Sends by Signal, through a bridge (signal-cli-rest-api) that is registered with a number of its own.",
        keys: SIGNAL,
    },
    Section {
        path: "channels[].twilio",
        doc: "Sends a text message by Twilio, to one number; for several numbers make several channels.",
        keys: TWILIO,
    },
    Section { path: "channels[].home_assistant", doc: "Calls a service of Home Assistant.", keys: HOME_ASSISTANT },
    Section { path: "channels[].pagerduty", doc: "Triggers and resolves incidents of PagerDuty, one for each monitor.", keys: PAGERDUTY },
    Section {
        path: "channels[].opsgenie",
        doc: "Opens, acknowledges and closes alerts of Opsgenie, one for each monitor.",
        keys: OPSGENIE,
    },
    Section { path: "channels[].incident_io", doc: "Sends alert events to incident.io.", keys: INCIDENT_IO },
    Section {
        path: "channels[].grafana_oncall",
        doc: "Sends alerts to Grafana OnCall or Grafana IRM. The short form is the URL alone.",
        keys: GRAFANA_ONCALL,
    },
    Section {
        path: "channels[].alertmanager",
        doc: "Pushes alerts to Alertmanager: `VigilmonDown`, `VigilmonDegraded`, `VigilmonRegional` and `VigilmonNotice`. What goes on is pushed again every minute, because Alertmanager forgets alerts when it restarts. The short form is the URL alone. Of several that gossip each needs a channel of its own: what they tell each other are silences and what was notified, not alerts; who of them notifies they agree about.",
        keys: ALERTMANAGER,
    },
    Section {
        path: "channels[].github",
        doc: "Keeps an issue on GitHub for each monitor that is not well: comments as it goes on, closed when it is over. The token's owner needs write access to the repository, because GitHub drops labels otherwise, and the issue is found by its label.",
        keys: GITHUB,
    },
    Section {
        path: "channels[].gitlab",
        doc: "Keeps an issue on GitLab for each monitor that is not well: comments as it goes on, closed when it is over.",
        keys: GITLAB,
    },
    Section {
        path: "channels[].apprise",
        doc: "Passes messages on through an Apprise API server, to any of the services it knows.",
        keys: APPRISE,
    },
    Section {
        path: "channels[].email",
        doc: "Sends mail by SMTP. Messages about one incident stand in one thread. A recipient whom the server refuses does not keep the mail from the others; who must never depend on that gets a channel of their own.",
        keys: EMAIL,
    },
    Section {
        path: "channels[].command",
        doc: "Runs a program, without a shell, when `instance.allow_commands` is on. It gets the message as JSON on its standard input, in the same form as a webhook, and in environment variables such as `VIGILMON_EVENT`, `VIGILMON_TEXT` and `VIGILMON_MONITOR_NAME`; of vigilmon's own environment only `PATH`, `HOME`, `LANG` and `TZ`. The exit code 0 means that people were told. With 64, 65, 77, 78, 126 or 127 (it is called or set up wrongly) it is tried a few times more, with any other for a day. The end of its output is kept with the failed attempt.",
        keys: COMMAND,
    },
];

const CHANNEL: &[Key] = &[
    must("name", Kind::Text, "Unique; monitors refer to it.", "chat"),
    key(
        "on",
        Kind::OneOrMany(&Kind::Word(&["down", "degraded", "recovered", "regional", "reminder", "acknowledged", "certificate", "self"])),
        "all but `regional`",
        "What it wants to hear about.",
        "[down, recovered]",
    ),
    key(
        "quiet_hours",
        Kind::Map("channels[].quiet_hours"),
        "",
        "Hours in which it keeps still. What is to be told in them waits until they are over.",
        "{ from: \"22:00\", to: \"07:00\", timezone: Europe/Riga, except: [down] }",
    ),
    key(
        "webhook",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].webhook")),
        "",
        "Calls a URL of yours.",
        "{ url: https://ops.example.com/hook }",
    ),
    key("slack", Kind::Either(&Kind::Secret, &Kind::Map("channels[].slack")), "", "Posts to Slack.", "{ url: { env: SLACK_WEBHOOK_URL } }"),
    key(
        "discord",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].discord")),
        "",
        "Posts to Discord by a webhook.",
        "{ url: { env: DISCORD_WEBHOOK_URL } }",
    ),
    key(
        "teams",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].teams")),
        "",
        "Posts a card to Microsoft Teams, by a workflow that waits for webhooks (*Send webhook alerts to a channel*).",
        "{ url: { env: TEAMS_WORKFLOW_URL } }",
    ),
    key(
        "mattermost",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].mattermost")),
        "",
        "Posts to Mattermost by an incoming webhook.",
        "{ url: { env: MATTERMOST_WEBHOOK_URL } }",
    ),
    key(
        "rocketchat",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].rocketchat")),
        "",
        "Posts to Rocket.Chat by an incoming integration.",
        "{ url: { env: ROCKETCHAT_URL } }",
    ),
    key(
        "googlechat",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].googlechat")),
        "",
        "Posts to a space of Google Chat by a webhook; all messages about an incident stand in one thread.",
        "{ url: { env: GOOGLE_CHAT_URL } }",
    ),
    key(
        "telegram",
        Kind::Map("channels[].telegram"),
        "",
        "Writes to Telegram as a bot.",
        "{ token: { env: TELEGRAM_TOKEN }, chat: \"-1001234567890\" }",
    ),
    key(
        "matrix",
        Kind::Map("channels[].matrix"),
        "",
        "Writes to a room of Matrix.",
        "{ url: https://matrix.example.com, token: { env: MATRIX_TOKEN }, room: \"!abc:example.com\" }",
    ),
    key(
        "zulip",
        Kind::Map("channels[].zulip"),
        "",
        "Writes to Zulip as a bot, about each monitor in its own topic.",
        "{ url: https://acme.zulipchat.com, email: bot@acme.zulipchat.com, api_key: { env: ZULIP_API_KEY }, channel: operations }",
    ),
    key("ntfy", Kind::Map("channels[].ntfy"), "", "Publishes to a topic of ntfy.", "{ topic: { env: NTFY_TOPIC } }"),
    key(
        "gotify",
        Kind::Map("channels[].gotify"),
        "",
        "Sends to Gotify.",
        "{ url: https://gotify.example.com, token: { env: GOTIFY_TOKEN } }",
    ),
    key(
        "pushover",
        Kind::Map("channels[].pushover"),
        "",
        "Sends to Pushover.",
        "{ token: { env: PUSHOVER_TOKEN }, user: { env: PUSHOVER_USER } }",
    ),
    key("pushbullet", Kind::Map("channels[].pushbullet"), "", "Sends to Pushbullet.", "{ token: { env: PUSHBULLET_TOKEN } }"),
    key(
        "signal",
        Kind::Map("channels[].signal"),
        "",
        "Sends by Signal, through a bridge (signal-cli-rest-api) that is registered with a number of its own.",
        "{ url: http://127.0.0.1:8080, number: \"+37120000000\", recipients: \"+37120000001\" }",
    ),
    key(
        "twilio",
        Kind::Map("channels[].twilio"),
        "",
        "Sends a text message by Twilio, to one number; for several numbers make several channels.",
        "{ account_sid: AC00000000000000000000000000000000, auth_token: { env: TWILIO_TOKEN }, from: \"+15005550006\", to: \"+37120000001\" }",
    ),
    key(
        "home_assistant",
        Kind::Map("channels[].home_assistant"),
        "",
        "Calls a service of Home Assistant.",
        "{ url: http://homeassistant.local:8123, token: { env: HOME_ASSISTANT_TOKEN } }",
    ),
    key(
        "pagerduty",
        Kind::Map("channels[].pagerduty"),
        "",
        "Triggers and resolves incidents of PagerDuty, one for each monitor.",
        "{ routing_key: { env: PAGERDUTY_KEY } }",
    ),
    key(
        "opsgenie",
        Kind::Map("channels[].opsgenie"),
        "",
        "Opens, acknowledges and closes alerts of Opsgenie, one for each monitor.",
        "{ api_key: { env: OPSGENIE_KEY } }",
    ),
    key(
        "incident_io",
        Kind::Map("channels[].incident_io"),
        "",
        "Sends alert events to incident.io.",
        "{ url: https://api.incident.io/v2/alert_events/http/01ABC, token: { env: INCIDENT_IO_TOKEN } }",
    ),
    key(
        "grafana_oncall",
        Kind::Either(&Kind::Secret, &Kind::Map("channels[].grafana_oncall")),
        "",
        "Sends alerts to Grafana OnCall or Grafana IRM.",
        "{ url: { env: ONCALL_URL } }",
    ),
    key(
        "alertmanager",
        Kind::Either(&Kind::Url, &Kind::Map("channels[].alertmanager")),
        "",
        "Pushes alerts to Alertmanager.",
        "http://alertmanager.example.com:9093",
    ),
    key(
        "github",
        Kind::Map("channels[].github"),
        "",
        "Keeps an issue on GitHub for each monitor that is not well: comments as it goes on, closed when it is over.",
        "{ repository: acme/status, token: { env: GITHUB_TOKEN } }",
    ),
    key(
        "gitlab",
        Kind::Map("channels[].gitlab"),
        "",
        "Keeps an issue on GitLab for each monitor that is not well: comments as it goes on, closed when it is over.",
        "{ project: acme/status, token: { env: GITLAB_TOKEN } }",
    ),
    key(
        "apprise",
        Kind::Map("channels[].apprise"),
        "",
        "Passes messages on through an Apprise API server, to any of the services it knows.",
        "{ url: http://apprise.example.com:8000, key: vigilmon }",
    ),
    key(
        "email",
        Kind::Map("channels[].email"),
        "",
        "Sends mail by SMTP.",
        "{ server: smtp.example.com, user: alerts, password: { env: SMTP_PASSWORD }, from: alerts@example.com, to: ops@example.com }",
    ),
    key(
        "command",
        Kind::Map("channels[].command"),
        "",
        "Runs a program; only with `instance.allow_commands`.",
        "{ run: [/usr/local/bin/page, --team, ops] }",
    ),
];

const WEBHOOK: &[Key] = &[
    must("url", Kind::Secret, "Where to; `http` or `https`.", "https://ops.example.com/hook"),
    key("method", Kind::Word(&["POST", "PUT", "PATCH", "GET"]), "POST", "How.", "PUT"),
    key("headers", Kind::Free(&Kind::Secret), "{}", "Sent besides our own.", "{ X-Team: platform }"),
    key("secret", Kind::Secret, "", "Signs the body: `X-Vigilmon-Signature: sha256=…` carries its HMAC.", "{ env: HOOK_SECRET }"),
    key(
        "body",
        Kind::Text,
        "vigilmon's own JSON",
        "Own body with slots such as `${monitor.name}`. Values are escaped for the `Content-Type` in `headers`: JSON, `application/x-www-form-urlencoded`, XML and HTML, `text/plain`; no other can have slots. Without that header a body that begins with `{` or `[` is JSON, one that begins with `<` is XML, and any other is plain text.",
        "'{ \"text\": \"${text}\" }'",
    ),
];

const SLACK: &[Key] = &[
    key("url", Kind::Secret, "", "The incoming webhook's URL.", "{ env: SLACK_WEBHOOK_URL }"),
    key("token", Kind::Secret, "", "The token of a bot.", "{ env: SLACK_BOT_TOKEN }"),
    key("channel", Kind::Shape("the id of a Slack channel"), "", "Where the bot posts; it must be a member.", "C0123456789"),
    key(
        "api_url",
        Kind::Url,
        "https://slack.com/api",
        "Where the API is, for another region or a server of one's own.",
        "https://slack-gov.com/api",
    ),
    key(
        "signing_secret",
        Kind::Secret,
        "",
        "The signing secret of the bot's app: messages get buttons, and [what is pressed](alerts.md#buttons-in-slack) is believed. Without it there are none.",
        "{ env: SLACK_SIGNING_SECRET }",
    ),
];

const DISCORD: &[Key] = &[
    must("url", Kind::Secret, "The webhook's URL.", "{ env: DISCORD_WEBHOOK_URL }"),
    key("thread", Kind::Shape("the id of a thread"), "", "Posts into this thread instead of the channel.", "\"1100000000000000000\""),
];

const TEAMS: &[Key] = &[must("url", Kind::Secret, "The workflow's URL.", "{ env: TEAMS_WORKFLOW_URL }")];

const MATTERMOST: &[Key] = &[
    must("url", Kind::Secret, "The webhook's URL.", "{ env: MATTERMOST_WEBHOOK_URL }"),
    key("channel", Kind::Text, "the webhook's own", "Another channel, by the name in its address, or a person as `@name`.", "town-square"),
];

const ROCKETCHAT: &[Key] = &[
    must("url", Kind::Secret, "The integration's URL.", "{ env: ROCKETCHAT_URL }"),
    key("channel", Kind::Text, "the integration's own", "Another channel, as `#name` or `@name`.", "\"#ops\""),
];

const GOOGLECHAT: &[Key] = &[must("url", Kind::Secret, "The webhook's URL, with `key` and `token`.", "{ env: GOOGLE_CHAT_URL }")];

const TELEGRAM: &[Key] = &[
    must("token", Kind::Secret, "The bot's token, from BotFather.", "{ env: TELEGRAM_TOKEN }"),
    must(
        "chat",
        Kind::Shape("the number of a chat, or `@name`"),
        "Where to write. The bot must be a member, or have been written to.",
        "\"-1001234567890\"",
    ),
    key("topic", Kind::Whole(1, 4_294_967_295), "", "The topic of a forum, by the number in its link.", "7"),
    key(
        "api_url",
        Kind::Url,
        "https://api.telegram.org",
        "Where the API is, for another region or a server of one's own.",
        "http://127.0.0.1:8081",
    ),
];

const MATRIX: &[Key] = &[
    must("url", Kind::Url, "The homeserver.", "https://matrix.example.com"),
    must("token", Kind::Secret, "Access token of the account that writes.", "{ env: MATRIX_TOKEN }"),
    must("room", Kind::Shape("the id of a room"), "Where to write; the account must be in it.", "\"!abc:example.com\""),
];

const ZULIP: &[Key] = &[
    must("url", Kind::Url, "The organisation's address.", "https://acme.zulipchat.com"),
    must("email", Kind::Text, "The bot's email address.", "vigilmon-bot@acme.zulipchat.com"),
    must("api_key", Kind::Secret, "The bot's API key.", "{ env: ZULIP_API_KEY }"),
    must("channel", Kind::Text, "The Zulip channel.", "operations"),
    key("topic", Kind::Text, "the monitor's name", "One topic for everything.", "monitoring"),
];

const NTFY: &[Key] = &[
    key("url", Kind::Url, "https://ntfy.sh", "The server.", "https://ntfy.example.com"),
    must("topic", Kind::Secret, "The topic. Whoever knows it can read along, when it is not protected.", "{ env: NTFY_TOPIC }"),
    key("token", Kind::Secret, "", "An access token.", "{ env: NTFY_TOKEN }"),
    key("user", Kind::Text, "", "An account, with `password`.", "ops"),
    key("password", Kind::Secret, "", "Its password.", "{ env: NTFY_PASSWORD }"),
    key("priority", Kind::Whole(1, 5), "4", "Of outages; everything else has 3.", "5"),
];

const GOTIFY: &[Key] = &[
    must("url", Kind::Url, "The server.", "https://gotify.example.com"),
    must("token", Kind::Secret, "Token of an application.", "{ env: GOTIFY_TOKEN }"),
    key("priority", Kind::Whole(0, 10), "8", "Of outages.", "10"),
];

const PUSHOVER: &[Key] = &[
    must("token", Kind::Secret, "Token of an application.", "{ env: PUSHOVER_TOKEN }"),
    must("user", Kind::Secret, "Key of a user or group.", "{ env: PUSHOVER_USER }"),
    key("device", Kind::Text, "all of them", "Only this device.", "phone"),
    key("sound", Kind::Text, "the user's choice", "Another sound.", "siren"),
    key(
        "emergency",
        Kind::Bool,
        "false",
        "Outages ring every minute for up to 3 hours, until somebody acknowledges them, in the app or elsewhere, or they are over.",
        "true",
    ),
    key(
        "api_url",
        Kind::Url,
        "https://api.pushover.net",
        "Where the API is, for another region or a server of one's own.",
        "https://api.pushover.net",
    ),
];

const PUSHBULLET: &[Key] = &[
    must("token", Kind::Secret, "Access token of the account.", "{ env: PUSHBULLET_TOKEN }"),
    key("device", Kind::Text, "all of them", "Only this device, by its `iden`.", "ujpah72o0sjAoRtnM0jc"),
    key("channel", Kind::Text, "", "The subscribers of this channel instead, by its tag.", "acme-status"),
    key(
        "api_url",
        Kind::Url,
        "https://api.pushbullet.com",
        "Where the API is, for another region or a server of one's own.",
        "https://api.pushbullet.com",
    ),
];

const SIGNAL: &[Key] = &[
    must("url", Kind::Url, "The bridge.", "http://127.0.0.1:8080"),
    must("number", Kind::Shape("a telephone number"), "The number that sends.", "\"+37120000000\""),
    must("recipients", Kind::OneOrMany(&Kind::Text), "Numbers, user names or ids of groups.", "[\"+37120000001\"]"),
];

const TWILIO: &[Key] = &[
    must("account_sid", Kind::Shape("`AC` and 32 hexadecimal digits"), "The account.", "AC00000000000000000000000000000000"),
    must("auth_token", Kind::Secret, "Its token.", "{ env: TWILIO_TOKEN }"),
    must(
        "from",
        Kind::Shape("a telephone number, or `MG` and 32 hexadecimal digits"),
        "The number or messaging service that sends.",
        "\"+15005550006\"",
    ),
    must("to", Kind::Shape("a telephone number"), "The number that receives.", "\"+37120000001\""),
    key(
        "api_url",
        Kind::Url,
        "https://api.twilio.com",
        "Where the API is, for another region or a server of one's own.",
        "https://api.dublin.ie1.twilio.com",
    ),
];

const HOME_ASSISTANT: &[Key] = &[
    must("url", Kind::Url, "Its address.", "http://homeassistant.local:8123"),
    must("token", Kind::Secret, "A long-lived access token.", "{ env: HOME_ASSISTANT_TOKEN }"),
    key(
        "service",
        Kind::Shape("`notify.…` or `persistent_notification.create`"),
        "persistent_notification.create",
        "What is called.",
        "notify.mobile_app_phone",
    ),
];

const PAGERDUTY: &[Key] = &[
    must("routing_key", Kind::Secret, "Key of an integration of a service, Events API v2.", "{ env: PAGERDUTY_KEY }"),
    key(
        "api_url",
        Kind::Url,
        "https://events.pagerduty.com",
        "Where the API is, for another region or a server of one's own.",
        "https://events.eu.pagerduty.com",
    ),
    key(
        "webhook_secret",
        Kind::OneOrMany(&Kind::Secret),
        "",
        "The secret of a webhook of PagerDuty's: [who acknowledges there](alerts.md#acknowledging-in-pagerduty) does so here as well. Several while one is exchanged. Without it nothing that comes from there is believed.",
        "{ env: PAGERDUTY_WEBHOOK_SECRET }",
    ),
];

const OPSGENIE: &[Key] = &[
    must("api_key", Kind::Secret, "Key of an API integration.", "{ env: OPSGENIE_KEY }"),
    key("priority", Kind::Word(&["P1", "P2", "P3", "P4", "P5"]), "P1", "Of outages; degradations have P3.", "P2"),
    key("tags", Kind::OneOrMany(&Kind::Text), "[]", "On every alert.", "[production]"),
    key(
        "api_url",
        Kind::Url,
        "https://api.opsgenie.com",
        "Where the API is, for another region or a server of one's own.",
        "https://api.eu.opsgenie.com",
    ),
];

const INCIDENT_IO: &[Key] = &[
    must("url", Kind::Url, "The URL of an HTTP alert source.", "https://api.incident.io/v2/alert_events/http/01ABC"),
    must("token", Kind::Secret, "The alert source's token.", "{ env: INCIDENT_IO_TOKEN }"),
];

const GRAFANA_ONCALL: &[Key] = &[must("url", Kind::Secret, "The URL of a *formatted webhook* integration.", "{ env: ONCALL_URL }")];

const ALERTMANAGER: &[Key] = &[
    must("url", Kind::Url, "Its address.", "http://alertmanager.example.com:9093"),
    key("user", Kind::Text, "", "For basic auth, with `password`.", "ops"),
    key("password", Kind::Secret, "", "For basic auth.", "{ env: ALERTMANAGER_PASSWORD }"),
    key("labels", Kind::Free(&Kind::Text), "{}", "On every alert.", "{ team: platform }"),
];

const GITHUB: &[Key] = &[
    must("repository", Kind::Shape("`owner/name`"), "Where.", "acme/status"),
    must("token", Kind::Secret, "May write issues.", "{ env: GITHUB_TOKEN }"),
    key("labels", Kind::OneOrMany(&Kind::Text), "[]", "On every issue, besides its own.", "[incident]"),
    key(
        "api_url",
        Kind::Url,
        "https://api.github.com",
        "Where the API is, for another region or a server of one's own.",
        "https://github.example.com/api/v3",
    ),
];

const GITLAB: &[Key] = &[
    key("url", Kind::Url, "https://gitlab.com", "Its address.", "https://gitlab.example.com"),
    must("project", Kind::Shape("`group/name`, or a number"), "Where.", "acme/status"),
    must("token", Kind::Secret, "With the scope `api`.", "{ env: GITLAB_TOKEN }"),
    key("labels", Kind::OneOrMany(&Kind::Text), "[]", "On every issue, besides its own.", "[incident]"),
];

const APPRISE: &[Key] = &[
    must("url", Kind::Url, "The server.", "http://apprise.example.com:8000"),
    key("key", Kind::Secret, "", "Of a configuration that is stored on the server.", "vigilmon"),
    key("tag", Kind::Text, "all of them", "Only what has these tags there.", "ops"),
    key("urls", Kind::OneOrMany(&Kind::Secret), "", "Apprise URLs, instead of a `key`.", "[{ env: APPRISE_URL }]"),
];

const EMAIL: &[Key] = &[
    must(
        "server",
        Kind::Shape("host, or host:port"),
        "The server that takes the mail. Without a port it is 587, with `tls: always` 465, with `tls: none` 25.",
        "smtp.example.com:587",
    ),
    key(
        "tls",
        Kind::Word(&["starttls", "always", "none"]),
        "starttls; for a server on the same machine none",
        "`starttls` asks for TLS and sends nothing without it, `always` begins with it, `none` sends in the clear.",
        "always",
    ),
    key("ca", Kind::File, "", "A certificate authority in PEM, trusted besides the system's.", "/etc/ssl/our-ca.pem"),
    key("user", Kind::Text, "", "Signs in; needs `password`.", "alerts"),
    key("password", Kind::Secret, "", "Of that user.", "{ env: SMTP_PASSWORD }"),
    must("from", Kind::Shape("an email address, or a name and an address in `<…>`"), "Who writes.", "vigilmon <alerts@example.com>"),
    must(
        "to",
        Kind::OneOrMany(&Kind::Shape("an email address, or a name and an address in `<…>`")),
        "Who is written to.",
        "[ops@example.com]",
    ),
];

const COMMAND: &[Key] = &[
    must(
        "run",
        Kind::OneOrMany(&Kind::Text),
        "The program and its arguments, each an item of the list. A program without `/` is looked for in `PATH`.",
        "[/usr/local/bin/page, --team, ops]",
    ),
    key("env", Kind::Free(&Kind::Secret), "{}", "More environment variables for it.", "{ PAGER_TOKEN: { env: PAGER_TOKEN } }"),
    key("timeout", Kind::Duration, "10s", "How long it may run, at most 25 s; then it and all it started are killed.", "20s"),
];
