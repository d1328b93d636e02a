//! A heartbeat as operators see it: what is expected when and what is missing, how long runs took, by what it is pinged, and the log of
//! what came.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::runs;
use crate::ui::component::runs::FinishedRun;
use crate::ui::component::runs::Limits;
use crate::ui::text;

/// What is said of a heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct BeatSection {
    /// How it stands.
    pub standing: Standing,
    /// When reports are expected, in words.
    pub schedule: String,
    /// How late they may be.
    pub grace: Duration,
    /// How late a start may be, where it is waited for.
    pub start_grace: Option<Duration>,
    /// When the next report is expected.
    pub expected: Option<UnixMillis>,
    /// When its time is over.
    pub deadline: Option<UnixMillis>,
    /// The times after now at which reports are expected; of an interval, as long as each comes in time.
    pub upcoming: Vec<UnixMillis>,
    /// The newest ping of any kind, and its kind.
    pub last_ping: Option<(UnixMillis, &'static str)>,
    /// The last success.
    pub last_success: Option<UnixMillis>,
    /// Open runs, oldest first.
    pub running: Vec<OpenRun>,
    /// What a run may take.
    pub limits: Limits,
    /// Runs that are missed just now.
    pub n_missed: usize,
    /// The first of their times.
    pub missed: Vec<UnixMillis>,
    /// Something that is probably not meant.
    pub hint: Option<String>,
    /// Finished runs whose beginning is known, oldest first.
    pub runs: Vec<FinishedRun>,
    /// The newest pings, newest first; `None` when they cannot be read.
    pub pings: Option<Vec<PingRow>>,
    /// By what it is pinged; `None` for those who may not ping it.
    pub addresses: Option<AddressesView>,
}

/// How a heartbeat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing ever came.
    NeverPinged,
    /// Something came, and no run has finished yet.
    Waiting,
    /// All is well.
    Up,
    /// The last run finished suspiciously fast.
    TooFast,
    /// A report is expected and may still come.
    Late,
    /// Its time is over, and other nodes may have heard it.
    Asking,
    /// It is down.
    Down,
    /// Nothing is expected; the next ping changes that.
    PausedUntilPing,
    /// Nothing is expected until somebody resumes it.
    PausedUntilResumed,
}

impl Standing {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Standing::NeverPinged => "Never pinged",
            Standing::Waiting => "Waiting",
            Standing::Up => "Up",
            Standing::TooFast => "Too fast",
            Standing::Late | Standing::Asking => "Late",
            Standing::Down => "Down",
            Standing::PausedUntilPing | Standing::PausedUntilResumed => "Paused",
        }
    }

    /// How it looks.
    #[must_use]
    pub fn look(self) -> Verdict {
        match self {
            Standing::NeverPinged | Standing::Waiting => Verdict::Unknown,
            Standing::Up => Verdict::Up,
            Standing::TooFast | Standing::Late | Standing::Asking => Verdict::Degraded,
            Standing::Down => Verdict::Down,
            Standing::PausedUntilPing | Standing::PausedUntilResumed => Verdict::Paused,
        }
    }
}

/// A run that is open.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// Its name.
    pub run: Option<String>,
    /// When it began.
    pub started: UnixMillis,
    /// When it last said that it goes on.
    pub lives_at: Option<UnixMillis>,
}

/// A ping in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct PingRow {
    /// Its number.
    pub number: u64,
    /// When it came.
    pub at: UnixMillis,
    /// `start`, `success`, `fail`, `log` or `ignored`.
    pub kind: &'static str,
    /// How it looks; `None`: it says nothing of how things are.
    pub look: Option<Verdict>,
    /// What else there is to say: exit status, why it is ignored, that it is a repeat.
    pub notes: Vec<String>,
    /// Its run.
    pub run: Option<String>,
    /// How long the run took.
    pub took: Option<Duration>,
    /// Address of whoever sent it, where this node received it.
    pub address: Option<String>,
    /// Method and client.
    pub client: Option<String>,
    /// The node that received it; `None`: there is only one.
    pub node: Option<String>,
    /// What came along.
    pub body: Option<BodyView>,
}

/// What came along with a ping.
#[derive(Debug, Clone, PartialEq)]
pub struct BodyView {
    /// As far as it is text, and as much of it as is shown.
    pub text: String,
    /// How long it was.
    pub n_bytes: u64,
    /// Less is kept than came.
    pub is_truncated: bool,
    /// Less is shown than is kept.
    pub is_cut: bool,
    /// Where it is as it came.
    pub raw: String,
}

/// By what a heartbeat is pinged: secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct AddressesView {
    /// Headings and addresses.
    pub forms: Vec<(String, String)>,
    /// The base that clients of healthchecks are given.
    pub healthchecks_base: String,
    /// Headings and ready lines.
    pub snippets: Vec<(String, String)>,
}

/// The section of a page.
#[must_use]
pub fn section(view: &BeatSection, now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "Heartbeat" }
            p.standing { (badge_saying(view.standing.look(), view.standing.word())) " " (sentence(view, now)) }
            (facts(view, now))
            (missed(view))
            @if let Some(hint) = &view.hint { p.diagnosis { "Hint: " (hint) } }
        }
        section { h2 { "Run times" } (runs::chart(&view.runs, view.limits)) }
        section {
            h2 { "Pings" }
            @match &view.pings {
                None => p.cause { "The pings cannot be read at the moment." },
                Some(pings) if pings.is_empty() => p.quiet { "None yet." },
                Some(pings) => (log(pings, now)),
            }
        }
        (addresses(view.addresses.as_ref()))
    }
}

/// How it stands, in words.
fn sentence(view: &BeatSection, now: UnixMillis) -> Markup {
    let by = |at: Option<UnixMillis>| html! { @if let Some(at) = at { " by " (text::time(at)) } };
    html! {
        @match view.standing {
            Standing::NeverPinged => { "No ping has ever come. " @if view.deadline.is_some() { "The first report must come" (by(view.deadline)) "." } @else { "It waits silently for the first one." } },
            Standing::Waiting => { "Something came, and no run has finished yet. " @if view.deadline.is_some() { "One must" (by(view.deadline)) "." } },
            Standing::Up => { "The next report is " @match view.expected { Some(at) => { "expected " (text::until(at, now)) "." }, None => "not expected: the calendar has no more." } },
            Standing::TooFast => { "The last run finished suspiciously fast" @if let Some(min) = view.limits.min { ": it should take at least " (spoken(min)) } ". A slower one ends this." },
            Standing::Late => { "A report was expected" @if let Some(at) = view.expected { " at " (text::time(at)) } ", and may still come" (by(view.deadline)) "." },
            Standing::Asking => "Its time is over. The other nodes are asked whether one of them heard it.",
            Standing::Down => "A report of success ends this.",
            Standing::PausedUntilPing => "Nothing is expected of it. The next ping resumes it.",
            Standing::PausedUntilResumed => "Nothing is expected of it. Pings are noted and change nothing until it is resumed.",
        }
        @if !view.running.is_empty() { " " (text::count(view.running.len(), "run")) @if view.running.len() == 1 { " is" } @else { " are" } " open." }
    }
}

fn facts(view: &BeatSection, now: UnixMillis) -> Markup {
    let moment = |at: UnixMillis| html! { (text::time(at)) " " span.quiet { "(" (text::ago(at, now)) ")" } };
    let future = |at: UnixMillis| html! { (text::time(at)) " " span.quiet { "(" (text::until(at, now)) ")" } };
    html! {
        dl.facts {
            div { dt { "Expected" } dd { (view.schedule) span.quiet { ", grace " (spoken(view.grace)) @if let Some(grace) = view.start_grace { ", start within " (spoken(grace)) } } } }
            div { dt { "Last ping" } dd { @match view.last_ping { Some((at, kind)) => { (kind) ", " (moment(at)) }, None => "none yet" } } }
            div { dt { "Last success" } dd { @match view.last_success { Some(at) => (moment(at)), None => "none yet" } } }
            @if let Some(at) = view.expected { div { dt { @if now < at { "Next report" } @else { "Was expected" } } dd { @if now < at { (future(at)) } @else { (moment(at)) } } } }
            @if let Some(at) = view.deadline { div { dt { @if now < at { "At the latest" } @else { "Its time was over" } } dd { @if now < at { (future(at)) } @else { (moment(at)) } } } }
            @for open in &view.running {
                div { dt { "Open run" } dd { @if let Some(run) = &open.run { code { (run) } " " } "running since " (moment(open.started)) @if let Some(at) = open.lives_at { ", last sign of life " (text::ago(at, now)) } } }
            }
            @if !view.upcoming.is_empty() {
                div.full { dt { "Expected after that" } dd { @for (i, at) in view.upcoming.iter().enumerate() { @if i > 0 { ", " } (text::time(*at)) } } }
            }
        }
    }
}

/// How many runs are missing, and which.
fn missed(view: &BeatSection) -> Markup {
    let n_more = view.n_missed.saturating_sub(view.missed.len());
    html! {
        @if view.n_missed > 0 {
            p.cause {
                (text::count(view.n_missed, "run")) " missed: "
                @for (i, at) in view.missed.iter().enumerate() { @if i > 0 { ", " } (text::time(*at)) }
                @if n_more > 0 { " and " (n_more) " more" }
            }
        }
    }
}

fn log(pings: &[PingRow], now: UnixMillis) -> Markup {
    html! {
        div.scroll tabindex="0" { table.list.pings {
            thead { tr { th.num { "#" } th { "When" } th { "What" } th.num { "Took" } th { "Run" } th { "From" } } }
            tbody { @for ping in pings { (row(ping, now)) } }
        } }
    }
}

fn row(ping: &PingRow, now: UnixMillis) -> Markup {
    html! {
        tr data-key={ "ping " (ping.number) } {
            td.num { (ping.number) }
            td { (text::short(ping.at, now)) p.quiet { (text::ago_bare(ping.at, now)) } }
            td.wide {
                @match ping.look { Some(look) => (badge_saying(look, ping.kind)), None => strong { (ping.kind) } }
                @for note in &ping.notes { ", " (note) }
                @if let Some(body) = &ping.body { (body_of(body)) }
            }
            td.num { @if let Some(took) = ping.took { (spoken(took)) } }
            td.run { @if let Some(run) = &ping.run { code { (run) } } }
            td.from {
                @if let Some(address) = &ping.address { (address) }
                @if let Some(client) = &ping.client { p.quiet { (client) } }
                @if let Some(node) = &ping.node { p.quiet { "received by " (node) } }
            }
        }
    }
}

fn body_of(body: &BodyView) -> Markup {
    html! {
        details {
            summary { "Body, " (text::bytes(body.n_bytes)) }
            pre.transcript { (body.text) }
            p.quiet {
                @if body.is_cut { "Not all of it is shown. " }
                @if body.is_truncated { "Not all of it was kept; " code { "body.limit" } " and " code { "body.keep" } " say how much. " }
                a href=(body.raw) download { "As it came" }
            }
        }
    }
}

fn addresses(view: Option<&AddressesView>) -> Markup {
    html! {
        section.addresses {
            h2 { "How to ping it" }
            @match view {
                None => p.quiet { "The addresses are secrets, and are shown to those who may change things here." },
                Some(view) => {
                    p.quiet { "Whoever knows one of these addresses can report for this job: keep them as you keep passwords. Raise " code { "generation" } " in the config to get new ones." }
                    details {
                        summary { "Addresses" }
                        div.scroll tabindex="0" { table.list { tbody { @for (heading, address) in &view.forms { tr { th scope="row" { (heading) } td.wide { code data-copy { (address) } } } } } } }
                        p { "Add " code { "/start" } ", " code { "/fail" } ", " code { "/log" } " or an exit status; " code { "?rid=" } " (a UUID) or " code { "?run=" } " (any text) tells runs apart. Clients of healthchecks take the base " code data-copy { (view.healthchecks_base) } "." }
                    }
                    @for (heading, snippet) in &view.snippets { details { summary { (heading) } pre.transcript data-copy { (snippet) } } }
                }
            }
        }
    }
}
