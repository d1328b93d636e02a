//! The keys of status pages.

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::key;
use crate::config::reference::must;

/// In the order of the manual.
pub(super) const SECTIONS: &[Section] = &[
    Section { path: "status_pages[]", doc: "A page for visitors, at `/status/<slug>` and under its own domains.", keys: PAGE },
    Section { path: "status_pages[].visibility", doc: "A page behind a password of its own.", keys: VISIBILITY },
    Section {
        path: "status_pages[].show",
        doc: "What the page shows of each monitor. What is off is not sent to the browser at all.",
        keys: SHOW,
    },
    Section { path: "status_pages[].theme", doc: "How the page looks.", keys: THEME },
    Section { path: "status_pages[].links[]", doc: "A link in the footer.", keys: LINK },
    Section {
        path: "status_pages[].groups[]",
        doc: "Monitors under a heading: those that `monitors` names, and those that `match` selects.",
        keys: GROUP,
    },
    Section { path: "status_pages[].groups[].match", doc: "Selects monitors by their labels.", keys: MATCH },
    Section { path: "status_pages[].announcements[]", doc: "A message of the operators on the page.", keys: ANNOUNCEMENT },
    Section {
        path: "status_pages[].subscriptions",
        doc: "Lets visitors ask to be told what the page says: they confirm first, and each message can end it. Needs `server.public_url`.",
        keys: SUBSCRIPTIONS,
    },
    Section {
        path: "incident_templates[]",
        doc: "A text that people can begin an update of an incident or an announcement with.",
        keys: TEMPLATE,
    },
];

const PAGE: &[Key] = &[
    must("slug", Kind::Shape("lowercase letters, digits, `-`, `_`, `.`"), "Last part of its address; unique.", "production"),
    key("title", Kind::Text, "the slug", "Heading.", "Production Infrastructure"),
    key("domains", Kind::OneOrMany(&Kind::Shape("a host name")), "[]", "Served at `/` for these hosts.", "[status.example.com]"),
    key(
        "visibility",
        Kind::Either(&Kind::Word(&["public", "unlisted", "private"]), &Kind::Map("status_pages[].visibility")),
        "public",
        "For everyone, for whoever knows the address, for signed-in users, or behind a password.",
        "unlisted",
    ),
    key("show", Kind::Map("status_pages[].show"), "", "What it shows of each monitor.", "{ errors: true }"),
    key("theme", Kind::Map("status_pages[].theme"), "", "How it looks.", "{ accent: \"#0a7\" }"),
    key(
        "language",
        Kind::Word(&["auto", "en", "de", "fr", "es", "ja"]),
        "auto",
        "In which language it speaks; `auto` is the one that the visitor's browser asks for. Names and texts of yours stay as written.",
        "de",
    ),
    key(
        "order",
        Kind::Word(&["listed", "worst_first"]),
        "listed",
        "In which order it lists; `worst_first` puts groups and services with trouble before the others.",
        "worst_first",
    ),
    key(
        "links",
        Kind::List(&Kind::Map("status_pages[].links[]")),
        "[]",
        "Links in the footer.",
        "[{ title: Support, url: https://example.com/support }]",
    ),
    must(
        "groups",
        Kind::List(&Kind::Map("status_pages[].groups[]")),
        "What it lists, in order.",
        "[{ name: Everything, monitors: \"*\" }]",
    ),
    key(
        "announcements",
        Kind::List(&Kind::Map("status_pages[].announcements[]")),
        "[]",
        "Messages of the operators.",
        "[{ at: 2026-06-30T10:00:00Z, text: We are moving. }]",
    ),
    key(
        "subscriptions",
        Kind::Map("status_pages[].subscriptions"),
        "",
        "Who may ask to be told; without it nobody. Only for `public` and `unlisted` pages.",
        "{ email: mail, webhook: true }",
    ),
];

const VISIBILITY: &[Key] =
    &[must("password_hash", Kind::Secret, "argon2id hash, as `vigilmon hash-password` prints it.", "{ file: /run/secrets/page }")];

const SHOW: &[Key] = &[
    key("targets", Kind::Bool, "false", "URLs and addresses.", "true"),
    key("errors", Kind::Bool, "false", "Texts of failures.", "true"),
    key("response_times", Kind::Bool, "true", "Response times.", "false"),
    key("regions", Kind::Bool, "true", "Names of regions.", "false"),
    key("history", Kind::Duration, "90d", "How far back the bars go, at least a day.", "30d"),
];

const THEME: &[Key] = &[
    key("logo", Kind::Shape("a path, or an https URL"), "", "A picture: SVG, PNG, JPEG, WebP or GIF.", "/etc/vigilmon/logo.svg"),
    key(
        "accent",
        Kind::Shape("`#rgb` or `#rrggbb`, in quotes"),
        "",
        "Colour of links, made darker or lighter as far as it takes to be read.",
        "\"#0a7\"",
    ),
    key("dark", Kind::Word(&["auto", "always", "never"]), "auto", "Dark, light, or what the visitor's system says.", "always"),
    key("css", Kind::File, "", "A further style sheet.", "/etc/vigilmon/page.css"),
];

const LINK: &[Key] = &[
    must("title", Kind::Text, "Text of the link.", "Support"),
    must("url", Kind::Shape("an http, https or mailto URL"), "Where it leads.", "https://example.com/support"),
];

const GROUP: &[Key] = &[
    must("name", Kind::Text, "Heading.", "API"),
    key(
        "monitors",
        Kind::OneOrMany(&Kind::Shape("a name, may have `*` and `?`")),
        "[]",
        "Names of monitors. Only `*` and `?` are special; brackets are literal.",
        "[\"[prod-us] *\"]",
    ),
    key("match", Kind::Map("status_pages[].groups[].match"), "", "Selects monitors by their labels.", "{ labels: { team: platform } }"),
    key("open", Kind::Bool, "", "Unfolded or folded; without it unfolded on small pages, and while something in it is not up.", "true"),
];

const MATCH: &[Key] =
    &[must("labels", Kind::Free(&Kind::Text), "All of these labels must be there with these values.", "{ team: platform }")];

const ANNOUNCEMENT: &[Key] = &[
    must("at", Kind::Shape("a time such as `2026-06-30T10:00:00Z`"), "Since when it holds.", "2026-06-30T10:00:00Z"),
    key("kind", Kind::Word(&["info", "warning", "outage", "operational"]), "info", "How it is shown.", "warning"),
    must("text", Kind::Text, "What it says, as plain text.", "We are moving to the new data centre."),
];

const SUBSCRIPTIONS: &[Key] = &[
    key(
        "email",
        Kind::Shape("name of an `email` channel"),
        "",
        "Mailboxes may subscribe; mail goes by the server of this channel and in the name of its sender.",
        "mail",
    ),
    key("webhook", Kind::Bool, "false", "Web addresses may subscribe, after they have sent back what they were asked.", "true"),
    key(
        "allow_private",
        Kind::Bool,
        "false",
        "Those web addresses may lead into private networks and to this machine, too. Strangers choose them: only for pages that strangers \
         cannot reach.",
        "true",
    ),
    key("max", Kind::Whole(1, 20_000), "1000", "Subscribers of the page at most, those counted who have not confirmed yet.", "200"),
];

const TEMPLATE: &[Key] = &[
    must("name", Kind::Text, "What it is called; unique.", "Looking into it"),
    must("state", Kind::Word(&["investigating", "identified", "monitoring", "resolved"]), "How far people have got.", "investigating"),
    must("text", Kind::Text, "What it says, in a small Markdown, at most 1000 characters.", "We are looking into it."),
];
