//! The keys of policies, reminders and quiet hours.

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::key;
use crate::config::reference::must;

/// In the order of the manual.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: "policies[]",
        doc: "Who is told when of the monitors that any of `monitors`, `groups` and `match` names; of several policies that name a monitor the first counts. Acknowledging an incident stops its reminders and every step that says `unless: acknowledged`.",
        keys: POLICY,
    },
    Section { path: "policies[].match", doc: "Selects monitors by their labels.", keys: MATCH },
    Section {
        path: "policies[].steps[]",
        doc: "Who is told at some time of the incident. A channel that was told before is told again.",
        keys: STEP,
    },
    Section { path: "policies[].remind", doc: "When people are reminded.", keys: REMIND },
    Section { path: "monitors[].remind", doc: "When people are reminded, whatever the policy says.", keys: REMIND },
    Section {
        path: "channels[].quiet_hours",
        doc: "From and until a time of the day, also over midnight. The end of something is told whenever its beginning may be.",
        keys: QUIET,
    },
];

const PATTERNS: Kind = Kind::OneOrMany(&Kind::Shape("a name, may have `*` and `?`"));
const TIME: Kind = Kind::Shape("a time such as `22:00`, in quotes");

const POLICY: &[Key] = &[
    must("name", Kind::Text, "Unique.", "page-late"),
    key("monitors", PATTERNS, "[]", "Names of monitors. Only `*` and `?` are special; brackets are literal.", "[\"[prod-*\"]"),
    key("groups", PATTERNS, "[]", "Groups of monitors, in the same way.", "[prod]"),
    key("match", Kind::Map("policies[].match"), "", "Selects monitors by their labels.", "{ labels: { team: platform } }"),
    must(
        "steps",
        Kind::List(&Kind::Map("policies[].steps[]")),
        "Who is told, in the order of time.",
        "[{ channels: [chat] }, { after: 10m, channels: [oncall], unless: acknowledged }]",
    ),
    key(
        "remind",
        Kind::Either(&Kind::Duration, &Kind::Map("policies[].remind")),
        "",
        "When those who were told are reminded of what still lasts and nobody has acknowledged: every so often, or with pauses that grow.",
        "4h",
    ),
    key(
        "bundle",
        Kind::Duration,
        "0s",
        "Wait this long, from the first opening on, to tell of several in one message; what is over by then is told when it ends.",
        "30s",
    ),
];

const MATCH: &[Key] =
    &[must("labels", Kind::Free(&Kind::Text), "All of these labels must be there with these values.", "{ team: platform }")];

const STEP: &[Key] = &[
    key("after", Kind::Duration, "0s", "So long after the incident was opened.", "10m"),
    key("channels", Kind::OneOrMany(&Kind::Shape("the name of a channel")), "the channels of the monitor", "Who is told.", "[oncall]"),
    key(
        "unless",
        Kind::Word(&["acknowledged", "never"]),
        "never",
        "With `acknowledged` nobody is told when somebody is at work on it by then.",
        "acknowledged",
    ),
];

const REMIND: &[Key] = &[
    must("every", Kind::Duration, "How long after the beginning the first reminder comes; at least `5m`.", "1h"),
    key("backoff", Kind::Shape("a factor from 1 to 10"), "1", "By how much each pause is longer than the one before.", "2"),
    key("max", Kind::Duration, "1d", "No pause is longer.", "12h"),
];

const QUIET: &[Key] = &[
    must("from", TIME, "When they begin.", "\"22:00\""),
    must("to", TIME, "When they end.", "\"07:00\""),
    key("timezone", Kind::Shape("a time zone"), "UTC", "Whose clock.", "Europe/Riga"),
    key(
        "except",
        Kind::OneOrMany(&Kind::Word(&["down", "degraded", "recovered", "regional", "reminder", "acknowledged", "certificate", "self"])),
        "[]",
        "What is told all the same, and its end.",
        "[down]",
    ),
];
