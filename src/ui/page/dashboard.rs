//! The operator's first page: what is wrong now, then everything else.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::alert;
use crate::ui::component::alert::Mark;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::badge::word;
use crate::ui::component::chart::Tick;
use crate::ui::component::chart::sparkline;
use crate::ui::component::regions;
use crate::ui::component::regions::RegionsCell;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Rows that have a chart: two screens, and those in trouble come first. A chart is twice as long as the rest of its row, and
/// a page of a thousand monitors should stay light enough to be fetched every half minute.
const CHARTS_MAX: usize = 50;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct DashboardView {
    /// What is wrong, where, since when.
    pub summary: Summary,
    /// How many monitors are in which state, worst first.
    pub counts: Vec<Count>,
    /// What can be asked for, and what was.
    pub filter: FilterView,
    /// All regions, in the order of the config; empty when this instance watches alone.
    pub regions: Vec<String>,
    /// How many monitors there are.
    pub n_all: usize,
    /// How many of them are shown.
    pub n_shown: usize,
    /// Why not all are.
    pub narrowed: Narrowed,
    /// Those that are shown, failing first, then in the order of the config.
    pub groups: Vec<GroupView>,
    /// The page as it is when nothing is asked for.
    pub clear: String,
    /// What of the address could not be understood.
    pub note: Option<String>,
}

/// The answer at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The worst that is the case.
    pub state: Verdict,
    /// In one sentence.
    pub sentence: String,
    /// Since when the first of what fails does.
    pub first: Option<UnixMillis>,
    /// Since when the newest does, when there are several.
    pub newest: Option<UnixMillis>,
    /// Groups in which something fails, those with the most first, and how many more there are.
    pub groups: (Vec<Place>, usize),
    /// Regions from which it fails, the same way.
    pub regions: (Vec<Place>, usize),
}

/// A group or region in which something fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// Monitors that fail there.
    pub n: usize,
    /// Leads to its monitors.
    pub href: Option<String>,
}

/// How many monitors are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Which.
    pub state: Verdict,
    /// How many.
    pub n: usize,
    /// Leads to them, or back to all when they are what is shown.
    pub href: String,
    /// Only they are shown.
    pub is_chosen: bool,
}

/// What the form above the table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterView {
    /// Words that are searched for.
    pub text: String,
    /// Longest search.
    pub text_chars_max: usize,
    /// Only this state.
    pub state: Option<Verdict>,
    /// All groups.
    pub groups: Vec<Choice>,
    /// All labels.
    pub labels: Vec<Choice>,
    /// By what monitors can be put into groups.
    pub ways: Vec<Choice>,
    /// Those that are fine are asked for, too.
    pub shows_all: bool,
    /// There is enough to choose from, or something was chosen.
    pub is_worth_it: bool,
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// In the address.
    pub word: String,
    /// For people.
    pub says: String,
    /// It is what is shown.
    pub is_chosen: bool,
}

/// Why not all monitors are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Narrowed {
    /// They are.
    No,
    /// There are many, and some fail: only these.
    Failing {
        /// Leads to all of them.
        all: String,
    },
    /// A part was asked for.
    Chosen,
}

/// Some of the monitors.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// What they have in common; `None` when they are in no groups.
    pub title: Option<String>,
    /// How many of them are in which state, worst first, without empty ones.
    pub counts: Vec<(Verdict, usize)>,
    /// It is open at first.
    pub is_open: bool,
    /// In order.
    pub rows: Vec<MonitorRow>,
}

/// One monitor in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorRow {
    /// Which.
    pub id: MonitorId,
    /// What it is called.
    pub name: String,
    /// Its group.
    pub group: Option<String>,
    /// How it is.
    pub state: Verdict,
    /// The same in a word that says more, such as "Late", with its look.
    pub said: Option<(Verdict, &'static str)>,
    /// Who is at work on it, and why people hear nothing of it.
    pub marks: Vec<Mark>,
    /// Since when.
    pub since: UnixMillis,
    /// The maintenance window that is open for it, and its end.
    pub upkeep: Option<(String, UnixMillis)>,
    /// It reports by itself: nothing is measured, and nothing is due from here.
    pub is_heartbeat: bool,
    /// When the next report is expected, of a heartbeat.
    pub expected_at: Option<UnixMillis>,
    /// The newest checks were bad and are not confirmed yet.
    pub suspect: bool,
    /// It is up, and fails from some regions.
    pub is_regional: bool,
    /// This node checks it.
    pub is_here: bool,
    /// Why it is not up.
    pub cause: Option<String>,
    /// The incident that is open for it, the worst of several.
    pub incident: Option<IncidentId>,
    /// When the newest check began and how long it took.
    pub last: Option<(UnixMillis, Duration)>,
    /// When the next check is due; `None` while paused.
    pub next_at: Option<UnixMillis>,
    /// What the regions say.
    pub regions: RegionsCell,
    /// Oldest first.
    pub recent: Vec<Tick>,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &DashboardView) -> Markup {
    let content = html! {
        @if view.n_all == 0 {
            h1 { "Monitors" }
            p { "No monitors are configured. Add one under " code { "monitors:" } " in the config; it is read again when the file changes." }
            (new_monitor(frame))
        } @else {
            div.with-act { (summary(&view.summary, frame.now)) (new_monitor(frame)) }
            (counts(&view.counts))
            @if view.filter.is_worth_it { (filter(frame, view)) }
            (groups(frame, view))
        }
    };
    layout::operator(frame, Section::Monitors, &title(&view.counts), &content)
}

/// The way to a form for one more, beside the sentence: below a long table nobody would find it.
fn new_monitor(frame: &Frame) -> Markup {
    html! { @if frame.may_operate { p { a href=(frame.links.new_monitor()) { "New monitor" } } } }
}

/// What the tab of the browser says: seen while one looks at something else.
fn title(counts: &[Count]) -> String {
    let bad = counts.iter().filter(|count| matches!(count.state, Verdict::Down | Verdict::Degraded) && 0 < count.n);
    let bad: Vec<String> = bad.map(|count| format!("{} {}", count.n, count.state.word())).collect();
    if bad.is_empty() { "Monitors".to_owned() } else { format!("{} · Monitors", bad.join(", ")) }
}

/// Is anything wrong, where, since when.
#[must_use]
pub fn summary(view: &Summary, now: UnixMillis) -> Markup {
    html! {
        div.overview.(class(view.state)) {
            (shape(view.state))
            div {
                h1 { (view.sentence) }
                p.quiet {
                    @match (view.first, view.newest) {
                        (Some(first), Some(newest)) => { "The first began " (text::ago(first, now)) ", the newest " (text::ago(newest, now)) ". " },
                        (Some(first), None) => { "Began " (text::ago(first, now)) ". " },
                        (None, _) => {},
                    }
                    (places("In", &view.groups))
                    (places("Seen from", &view.regions))
                }
            }
        }
    }
}

fn places(word: &str, (places, n_more): &(Vec<Place>, usize)) -> Markup {
    html! {
        @if !places.is_empty() {
            (word) " "
            @for (i, place) in places.iter().enumerate() {
                @if 0 < i { ", " }
                @match &place.href { Some(href) => a href=(href) { (place.name) }, None => (place.name) }
                " (" (place.n) ")"
            }
            @if 0 < *n_more { " and " (n_more) " more" }
            ". "
        }
    }
}

/// How many are in which state, each a way to them.
#[must_use]
pub fn counts(counts: &[Count]) -> Markup {
    html! {
        ul.counts.pills { @for count in counts {
            li.(class(count.state)).none[count.n == 0] {
                @let inside = html! { (shape(count.state)) " " b { (count.n) } " " (word(count.state)) };
                @if 0 < count.n || count.is_chosen { a href=(count.href) aria-current=[count.is_chosen.then_some("true")] { (inside) } } @else { span { (inside) } }
            }
        } }
    }
}

/// A form that is complete without a script: what it asks for becomes the address.
fn filter(frame: &Frame, view: &DashboardView) -> Markup {
    let filter = &view.filter;
    let menu = |name: &str, says: &str, all: &str, choices: &[Choice]| {
        html! {
            @if !choices.is_empty() {
                label { span { (says) } select name=(name) {
                    option value="" { (all) }
                    @for choice in choices { option value=(choice.word) selected[choice.is_chosen] { (choice.says) } }
                } }
            }
        }
    };
    html! {
        form.filter #filter method="get" action=(frame.links.dashboard()) role="search" {
            label.search { span { "Search" } input type="search" name="q" value=(filter.text) maxlength=(filter.text_chars_max) placeholder="Name, group, label, target or cause" autocomplete="off" spellcheck="false"; }
            label { span { "State" } select name="state" {
                option value="" { "any" }
                @for state in Verdict::ALL { option value=(state.word()) selected[filter.state == Some(state)] { (word(state)) } }
            } }
            (menu("group", "Group", "any", &filter.groups))
            (menu("label", "Label", "any", &filter.labels))
            label { span { "Group by" } select name="by" { @for choice in &filter.ways { option value=(choice.word) selected[choice.is_chosen] { (choice.says) } } } }
            @if filter.shows_all { input type="hidden" name="show" value="all"; }
            button type="submit" { "Show" }
        }
    }
}

fn groups(frame: &Frame, view: &DashboardView) -> Markup {
    let mut left = CHARTS_MAX;
    let n_charts = view.groups.iter().map(|group| {
        let n = left.min(group.rows.len());
        left -= n;
        n
    });
    let groups: Vec<(&GroupView, usize)> = view.groups.iter().zip(n_charts.collect::<Vec<_>>()).collect();
    html! {
        section #list aria-label="Monitors" {
            @if let Some(note) = &view.note { p.cause { (note) } }
            p.shown {
                @match &view.narrowed {
                    Narrowed::No => { (text::count(view.n_all, "monitor")) ". " },
                    Narrowed::Failing { all } => { "Only the " (view.n_shown) " that " @if view.n_shown == 1 { "fails" } @else { "fail" } ". " a href=(all) { "Show all " (view.n_all) } },
                    Narrowed::Chosen => { (view.n_shown) " of " (text::count(view.n_all, "monitor")) ". " a href=(view.clear) { "Clear the filter" } },
                }
                span.keys data-keys { " " kbd { "/" } " search " kbd { "j" } " " kbd { "k" } " move " kbd { "Enter" } " open" }
            }
            @if view.n_shown == 0 { p.quiet.empty { "No monitor fits what was asked for." } }
            @for (group, with_charts) in groups {
                @match &group.title {
                    Some(title) => details.group data-key=(title) open[group.is_open] {
                        summary { h2 { (title) } (group_counts(&group.counts)) }
                        (table(frame, &group.rows, &view.regions, with_charts))
                    },
                    None => (table(frame, &group.rows, &view.regions, with_charts)),
                }
            }
            @if CHARTS_MAX < view.n_shown { p.quiet { "Charts are drawn for the first " (CHARTS_MAX) "; the others have theirs on their own page." } }
        }
    }
}

/// What a closed group says of its monitors.
fn group_counts(counts: &[(Verdict, usize)]) -> Markup {
    html! { span.group-counts { @for (state, n) in counts { span.(class(*state)) { (shape(*state)) " " (n) " " (state.word()) } " " } } }
}

fn table(frame: &Frame, rows: &[MonitorRow], regions: &[String], n_charts: usize) -> Markup {
    let title = (!regions.is_empty()).then(|| regions.join(", "));
    html! {
        div.scroll { table.list.monitors {
            thead { tr { th { "State" } th { "Monitor" } th.num { "Since" } th { "Last checks" } th.num { "Response" } th.num { "Next" } th title=[title] { @if regions.is_empty() { "Region" } @else { "Regions" } } } }
            tbody { @for (i, item) in rows.iter().enumerate() { (row(frame, item, i < n_charts)) } }
        } }
    }
}

/// One row. There may be thousands, so it says everything once: the state's colour and shape come from the class of the row, and
/// the columns are aligned by the style sheet.
fn row(frame: &Frame, row: &MonitorRow, with_chart: bool) -> Markup {
    let (look, said) = row.said.unwrap_or((row.state, word(row.state)));
    html! {
        tr.(class(look)) {
            td { (said) @if row.suspect { span.quiet { " checking again" } } }
            td {
                a href=(frame.links.monitor(&row.id)) { (row.name) }
                @if let Some(group) = &row.group { span.quiet { " " (group) } }
                @if let Some((window, until)) = &row.upkeep { p.quiet { (window) ", ends " (text::until_words(*until, frame.now)) } }
                @if let Some(cause) = &row.cause { p.cause { @match &row.incident { Some(incident) => a href=(frame.links.incident(incident)) { (cause) }, None => (cause) } } }
                (alert::marks(&row.marks, frame.now))
            }
            td { (text::ago_bare(row.since, frame.now)) }
            td { @if with_chart { (sparkline(&row.recent)) } }
            td { @if row.is_heartbeat { span.quiet { "–" } } @else { (response(row)) } }
            td { @if row.is_heartbeat { (next_report(row, frame.now)) } @else { (next_check(row, frame.now)) } }
            (regions::cell(&row.regions))
        }
    }
}

fn response(row: &MonitorRow) -> Markup {
    html! { @match row.last { Some((_, took)) => (text::latency(took)), None => span.quiet { @if row.is_here { "none yet" } @else { "–" } } } }
}

fn next_check(row: &MonitorRow, now: UnixMillis) -> Markup {
    html! { @match row.next_at { Some(at) => (text::until_words(at, now)), None => span.quiet { @if row.is_here || row.state == Verdict::Paused { "paused" } @else { "elsewhere" } } } }
}

/// When a heartbeat should say something next.
fn next_report(row: &MonitorRow, now: UnixMillis) -> Markup {
    html! {
        @match row.expected_at {
            Some(at) if now < at => (text::until_words(at, now)),
            Some(_) => "overdue",
            None => span.quiet { @if row.state == Verdict::Paused { "paused" } @else { "–" } },
        }
    }
}
