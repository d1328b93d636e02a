//! Which config is active, and what is wrong with a newer one.

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::notice;
use crate::ui::component::notice::ProblemView;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigView {
    /// First digits of the hash of the active config's texts.
    pub hash: String,
    /// Since when it is active.
    pub active_since: UnixMillis,
    /// When the files were last looked at.
    pub checked_at: UnixMillis,
    /// The files were not valid at start.
    pub is_last_good_copy: bool,
    /// What is wrong with the files.
    pub problems: Vec<ProblemView>,
    /// Changes that only a restart brings.
    pub needs_restart: Vec<String>,
    /// What became of the last changes of the files, newest first.
    pub recent: Vec<ReloadRow>,
    /// Monitors, channels and status pages of the active config.
    pub counts: [(&'static str, usize); 3],
    /// Who subscribed to status pages, as far as this node knows.
    pub subscribers: Vec<SubscribersRow>,
    /// When the program started.
    pub started_at: UnixMillis,
    /// Which build this is.
    pub version: &'static str,
}

/// How many subscribed to a status page, as far as this node knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribersRow {
    /// Its slug.
    pub page: String,
    /// Those who are told.
    pub n_confirmed: u64,
    /// Those who have not confirmed yet.
    pub n_unconfirmed: u64,
    /// The most that the page takes; `None`: it takes none any more.
    pub n_max: Option<u32>,
}

/// What became of a change of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadRow {
    /// When it was judged.
    pub at: UnixMillis,
    /// First digits of the hash of the texts; `None`: they were not valid.
    pub hash: Option<String>,
    /// In one line.
    pub summary: String,
    /// One line for each thing that is different.
    pub lines: Vec<String>,
    /// Lines that were too many.
    pub n_more: usize,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &ConfigView) -> Markup {
    let content = html! {
        h1 { "Config" }
        @if !view.problems.is_empty() {
            section {
                h2 { "The files on disk are not valid" }
                p { "What runs is the config from before. It stays until the files are valid again." }
                (notice::problems(&view.problems))
            }
        }
        @if view.is_last_good_copy { p.cause { "The files were not valid when vigilmon started: this is the last good copy from the state directory." } }
        @if !view.needs_restart.is_empty() {
            section { h2 { "Waiting for a restart" } ul { @for change in &view.needs_restart { li { code { (change) } } } } }
        }
        dl.facts {
            div { dt { "Active version" } dd { code { (view.hash) } } }
            div { dt { "Active since" } dd { (text::time(view.active_since)) } }
            div { dt { "Files last read" } dd { (text::ago(view.checked_at, frame.now)) } }
            @for (word, n) in view.counts { div { dt { (word) } dd { (n) } } }
            div { dt { "Started" } dd { (text::time(view.started_at)) } }
            div { dt { "Version" } dd { (view.version) } }
        }
        (subscribers(&view.subscribers))
        (recent(&view.recent, frame.now))
    };
    layout::operator(frame, Section::Config, "Config", &content)
}

fn subscribers(rows: &[SubscribersRow]) -> Markup {
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Subscribers of status pages" }
                p.quiet { "Those who are known at this node. " code { "vigilmon subscribers list" } " names them." }
                div.scroll { table.list {
                    thead { tr { th { "Page" } th { "Subscribers" } th { "Not confirmed yet" } th { "At most" } } }
                    tbody { @for row in rows { tr {
                        td { (row.page) }
                        td { (row.n_confirmed) }
                        td { (row.n_unconfirmed) }
                        td { @match row.n_max { Some(n) => (n), None => span.quiet { "offers none any more" } } }
                    } } }
                } }
            }
        }
    }
}

fn recent(rows: &[ReloadRow], now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "What the last changes did" }
            @if rows.is_empty() { p.quiet { "The files have not changed since vigilmon started. " code { "vigilmon plan" } " says what a change would do before it is made." } } @else {
                div.scroll { table.list.reloads {
                    thead { tr { th { "When" } th { "Version" } th { "What changed" } } }
                    tbody { @for row in rows { tr data-key={ "reload " (row.at.0) } {
                        td { (text::ago(row.at, now)) }
                        td { @match &row.hash { Some(hash) => code { (hash) }, None => (badge_saying(Verdict::Down, "not taken")) } }
                        td.wide { (row.summary) (lines(row)) }
                    } } }
                } }
            }
        }
    }
}

fn lines(row: &ReloadRow) -> Markup {
    html! {
        @if !row.lines.is_empty() {
            details data-key={ "change " (row.at.0) } {
                summary { "Line by line" }
                pre.transcript { @for line in &row.lines { (line) "\n" } @if 0 < row.n_more { "and " (row.n_more) " more\n" } }
            }
        }
    }
}
