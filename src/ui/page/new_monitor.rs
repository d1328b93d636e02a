//! The form for a new monitor: what is to be watched, the YAML that says so, and what a check of it does.

use maud::Markup;
use maud::html;

use crate::config::draft::Draft;
use crate::config::draft::DraftKind;
use crate::model::result::Outcome;
use crate::ui::component::badge::badge;
use crate::ui::component::badge::of_outcome;
use crate::ui::component::notice;
use crate::ui::component::notice::ProblemView;
use crate::ui::component::waterfall::waterfall;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::page::monitor::LastCheck;

/// Longest text of a field; what YAML of a monitor needs is far shorter, and all fields fit into one form.
const FIELD_CHARS_MAX: usize = 1000;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMonitorView {
    /// What was filled in.
    pub draft: Draft,
    /// The names of all channels.
    pub channels: Vec<String>,
    /// What came of it.
    pub shown: Shown,
}

/// What came of what was filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Nothing was sent yet.
    Nothing,
    /// The config would refuse it.
    Problems {
        /// What is wrong with what stands in a field.
        of_fields: Vec<FieldProblem>,
        /// The rest.
        others: Vec<ProblemView>,
    },
    /// The config would take it.
    Item {
        /// What to copy.
        yaml: String,
        /// What it would be called.
        name: String,
        /// What a check of it did.
        tried: Option<Box<LastCheck>>,
        /// Whether it can be added from here.
        add: Add,
    },
}

/// Something wrong with what stands in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The name of the field.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// Whether a button writes the item into the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Add {
    /// No file is named for that, or the reader may not.
    No,
    /// A file is named, and nothing can be added to it. Why, in a sentence.
    Impossible(String),
    /// There is one.
    Offered {
        /// The file.
        file: String,
        /// The digest of what it says now.
        seen: String,
        /// Why it was not added just now.
        complaint: Option<String>,
    },
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &NewMonitorView) -> Markup {
    let content = html! {
        h1 { "New monitor" }
        (kinds(frame, view.draft.kind))
        div.new-monitor-parts {
            (form(frame, view))
            (preview(frame, &view.draft, &view.shown))
        }
        script type="module" src=(frame.links.asset("new-monitor.js")) {}
    };
    layout::form(frame, Section::Monitors, "New monitor", &content)
}

fn kinds(frame: &Frame, chosen: DraftKind) -> Markup {
    html! {
        nav.kinds aria-label="What is to be watched" {
            @for kind in DraftKind::ALL { a href={ (frame.links.new_monitor()) "?kind=" (kind.word()) } aria-current=[(kind == chosen).then_some("page")] { (title(kind)) } }
        }
    }
}

fn title(kind: DraftKind) -> &'static str {
    match kind {
        DraftKind::Http => "Website or API",
        DraftKind::Tcp => "Port",
        DraftKind::Heartbeat => "Job that reports",
    }
}

fn form(frame: &Frame, view: &NewMonitorView) -> Markup {
    let draft = &view.draft;
    html! {
        // On a phone what came of it is below the form; the fragment leads there.
        form.stacked.new-monitor method="post" action={ (frame.links.new_monitor()) "#preview" } {
            (layout::form_token(frame))
            input type="hidden" name="kind" value=(draft.kind.word());
            @match draft.kind {
                DraftKind::Http => (http(view)),
                DraftKind::Tcp => (tcp(view)),
                DraftKind::Heartbeat => (heartbeat(view)),
            }
            div.columns {
                (field(view, "group", "Group", &view.draft.group, "none"))
                (field(view, "id", "Id", &view.draft.id, "made of the name"))
            }
            (channels(view))
            div.buttons {
                button.main type="submit" name="do" value="preview" { "Show the YAML" }
                @if draft.kind != DraftKind::Heartbeat { button type="submit" name="do" value="try" { "Try it now" } }
            }
        }
    }
}

fn http(view: &NewMonitorView) -> Markup {
    html! {
        (field(view, "target", "Address", &view.draft.target, "https://shop.example.com/health"))
        (field(view, "name", "Name", &view.draft.name, "the address"))
        (field(view, "interval", "Check every", &view.draft.interval, "what the config says, or 1m"))
        fieldset {
            legend { "It is up when" }
            div.columns {
                (field(view, "status", "the status is", &view.draft.status, "2xx"))
                (field(view, "body_contains", "the body contains", &view.draft.body_contains, "anything"))
            }
            (field(view, "response_time", "and it is degraded when it takes longer than", &view.draft.response_time, "2s"))
        }
    }
}

fn tcp(view: &NewMonitorView) -> Markup {
    html! {
        (field(view, "target", "Host and port", &view.draft.target, "db.example.com:5432"))
        (field(view, "name", "Name", &view.draft.name, "host and port"))
        (field(view, "interval", "Check every", &view.draft.interval, "what the config says, or 1m"))
        (field(view, "response_time", "It is degraded when connecting takes longer than", &view.draft.response_time, "1s"))
    }
}

fn heartbeat(view: &NewMonitorView) -> Markup {
    html! {
        (field(view, "name", "Name", &view.draft.name, "Nightly backup"))
        fieldset {
            legend { "When it reports" }
            (field(view, "interval", "every", &view.draft.interval, "1d"))
            div.columns {
                (field(view, "cron", "or as cron says", &view.draft.cron, "0 2 * * *"))
                (field(view, "timezone", "in the time zone", &view.draft.timezone, "UTC"))
            }
            (field(view, "grace", "How late it may be", &view.draft.grace, "5m, or half of the interval"))
        }
    }
}

fn field(view: &NewMonitorView, name: &'static str, label: &str, value: &str, placeholder: &str) -> Markup {
    let wrong = view.shown.wrong(name);
    let id = format!("wrong-{name}");
    html! {
        label {
            (label)
            input name=(name) value=(value) placeholder=(placeholder) maxlength=(FIELD_CHARS_MAX) autocomplete="off" spellcheck="false" aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| &id)];
            @if let Some(wrong) = wrong { span.cause id=(id) { (wrong.message) @if !wrong.hint.is_empty() { "; " (wrong.hint) } } }
        }
    }
}

impl Shown {
    fn wrong(&self, field: &str) -> Option<&FieldProblem> {
        match self {
            Shown::Problems { of_fields, .. } => of_fields.iter().find(|wrong| wrong.field == field),
            Shown::Nothing | Shown::Item { .. } => None,
        }
    }
}

/// What a field is called where it is spoken of.
fn spoken(field: &str) -> &'static str {
    match field {
        "target" => "Address",
        "name" => "Name",
        "id" => "Id",
        "group" => "Group",
        "interval" => "Interval",
        "status" => "Status",
        "body_contains" => "Body",
        "response_time" => "Response time",
        "cron" => "Cron",
        "timezone" => "Time zone",
        "grace" => "How late it may be",
        _ => "Form",
    }
}

/// What is wrong with fields; what to do stands at each of them.
fn of_fields(problems: &[FieldProblem]) -> Markup {
    html! { @if !problems.is_empty() { ul.problems { @for wrong in problems { li { p { b { (spoken(wrong.field)) } ": " (wrong.message) } @if !wrong.hint.is_empty() { p.quiet { "Hint: " (wrong.hint) } } } } } } }
}

fn channels(view: &NewMonitorView) -> Markup {
    html! {
        @if !view.channels.is_empty() {
            fieldset {
                legend { "Who is told" }
                div.choices { @for name in &view.channels { label.choice { input type="checkbox" name="channel" value=(name) checked[view.draft.channels.contains(name)]; (name) } } }
                p.quiet { "Without a choice, the channels that the config gives every monitor." }
            }
        }
    }
}

/// What came of it: the YAML, or what is wrong.
#[must_use]
pub fn preview(frame: &Frame, draft: &Draft, shown: &Shown) -> Markup {
    html! {
        div.preview #preview aria-live="polite" {
            @match shown {
                Shown::Nothing => { h2 { "The YAML" } p.quiet { "What you fill in is shown here as it would stand in the config. Nothing is saved." } },
                Shown::Problems { of_fields: wrong, others } => { h2 { "Not complete yet" } (of_fields(wrong)) @if !others.is_empty() { (notice::problems(others)) } },
                Shown::Item { yaml, name, tried, add } => {
                    h2 { "The YAML of " (name) }
                    pre.snippet data-copy tabindex="0" { (yaml) }
                    (adding(frame, draft, add))
                    p.quiet { @if matches!(add, Add::Offered { .. }) { "Or put" } @else { "Put" } " it at the end of the list " code { "monitors:" } " in the config. It is taken up by itself within seconds; what is wrong then stands on the page " a href=(frame.links.config()) { "Config" } "." }
                    @if let Some(check) = tried { (result(check)) }
                },
            }
        }
    }
}

/// The button that writes it into the config. It carries everything that was filled in, so that what is added is what is shown.
fn adding(frame: &Frame, draft: &Draft, add: &Add) -> Markup {
    let Draft { kind, target, name, id, group, interval, status, body_contains, response_time, cron, timezone, grace, channels } = draft;
    let filled = [
        ("target", target),
        ("name", name),
        ("id", id),
        ("group", group),
        ("interval", interval),
        ("status", status),
        ("body_contains", body_contains),
        ("response_time", response_time),
        ("cron", cron),
        ("timezone", timezone),
        ("grace", grace),
    ];
    html! {
        @match add {
            Add::No => {},
            Add::Impossible(why) => p.cause { (why) },
            Add::Offered { file, seen, complaint } => {
                @if let Some(why) = complaint { p.cause role="alert" { (why) } }
                form method="post" action=(frame.links.add_monitor()) {
                    (layout::form_token(frame))
                    input type="hidden" name="seen" value=(seen);
                    input type="hidden" name="kind" value=(kind.word());
                    @for (name, value) in filled.into_iter().filter(|(_, value)| !value.is_empty()) { input type="hidden" name=(name) value=(value); }
                    @for name in channels { input type="hidden" name="channel" value=(name); }
                    button.main type="submit" { "Add it to " (file) }
                }
            },
        }
    }
}

/// What a check did, in words, phase by phase.
fn result(check: &LastCheck) -> Markup {
    html! {
        h2 { "Tried now, from here" }
        p { (badge(of_outcome(check.outcome))) " " (sentence(check.outcome)) @if let Some(status) = check.status { " The status was " (status) "." } @if let Some(remote) = &check.remote { " The answer came from " code { (remote) } "." } }
        @if let Some(failure) = &check.failure { p.cause { (failure) } }
        (waterfall(&check.timings))
        @if !check.transcript.is_empty() { pre.transcript tabindex="0" { @for line in &check.transcript { (line) "\n" } @if check.n_dropped > 0 { (check.n_dropped) " more lines were not kept\n" } } }
        p.quiet { "Nothing of it was kept, and nobody was told." }
    }
}

fn sentence(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Up => "It answers as it should.",
        Outcome::Degraded => "It answers, and not as well as it should.",
        Outcome::Down => "It does not answer as it should.",
        Outcome::Unknown => "It could not be checked; that says nothing about it.",
    }
}
