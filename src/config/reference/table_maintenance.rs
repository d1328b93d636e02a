//! The keys of maintenance windows.

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::key;
use crate::config::reference::must;

/// In the order of the manual.
pub(super) const SECTIONS: &[Section] = &[
    Section {
        path: "maintenance[]",
        doc: "A planned time in which failing is expected: checks go on, but no incident begins, nobody is told, and the time is not counted in availability. What is still down when it is over is told then. It covers the monitors that any of `monitors`, `groups` and `match` names; `vigilmon maintenance list` prints them, and when they are next.",
        keys: WINDOW,
    },
    Section { path: "maintenance[].match", doc: "Selects monitors by their labels.", keys: MATCH },
    Section {
        path: "maintenance[].schedule",
        doc: "When it is: `cron` with `duration`, `rrule` with `start` and `duration`, or `from` with `to`. A beginning that the clock skips in spring is right after the gap, one that it shows twice in autumn is the first, and `duration` is time that passes, whatever the clock does meanwhile.",
        keys: SCHEDULE,
    },
];

const PATTERNS: Kind = Kind::OneOrMany(&Kind::Shape("a name, may have `*` and `?`"));

const WINDOW: &[Key] = &[
    must("name", Kind::Text, "Unique; status pages show it.", "Monthly patching"),
    key("monitors", PATTERNS, "[]", "Names of monitors. Only `*` and `?` are special; brackets are literal.", "[\"[prod-*\"]"),
    key("groups", PATTERNS, "[]", "Groups of monitors, in the same way.", "[staging]"),
    key("match", Kind::Map("maintenance[].match"), "", "Selects monitors by their labels.", "{ labels: { team: platform } }"),
    must("schedule", Kind::Map("maintenance[].schedule"), "When it is.", "{ cron: \"0 22 * * TUE\", duration: 2h }"),
    key("message", Kind::Text, "", "What visitors of status pages read, as plain text.", "Servers restart one after the other."),
];

const MATCH: &[Key] =
    &[must("labels", Kind::Free(&Kind::Text), "All of these labels must be there with these values.", "{ team: platform }")];

const SCHEDULE: &[Key] = &[
    key("cron", Kind::Shape("a cron expression"), "", "Each one begins then.", "\"0 22 * * TUE\""),
    key(
        "rrule",
        Kind::Shape("a recurrence rule"),
        "",
        "Each one begins on these days, at the time of the day of `start`; as in RFC 5545, with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, INTERVAL, BYDAY, BYMONTHDAY, BYMONTH, BYSETPOS, COUNT, UNTIL and WKST.",
        "FREQ=MONTHLY;BYDAY=2TU",
    ),
    key(
        "start",
        Kind::Shape("a time such as `2026-01-06T22:00`"),
        "",
        "When the first one of `rrule` begins at the earliest, by the clock in `timezone`.",
        "\"2026-01-06T22:00\"",
    ),
    key("duration", Kind::Duration, "", "How long each one lasts, from a minute to 31 days. Goes with `cron` and `rrule`.", "2h"),
    key(
        "from",
        Kind::Shape("a time such as `2026-06-30T22:00`"),
        "",
        "The beginning of one that comes once: by the clock in `timezone`, or with its offset.",
        "2026-06-30T22:00:00Z",
    ),
    key("to", Kind::Shape("a time such as `2026-06-30T22:00`"), "", "Its end.", "2026-07-01T02:00:00Z"),
    key("timezone", Kind::Shape("a name such as `Europe/Riga`"), "UTC", "Where the clock hangs that the times are of.", "Europe/Riga"),
];
