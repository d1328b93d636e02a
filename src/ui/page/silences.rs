//! Silences: for a while nobody is told of new trouble of some monitors.

use maud::Markup;
use maud::html;

use crate::model::policy::NOTE_CHARS_MAX;
use crate::model::policy::SilenceId;
use crate::model::time::UnixMillis;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilencesView {
    /// The one that ends first is the first.
    pub rows: Vec<SilenceRow>,
}

/// One silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRow {
    /// Which.
    pub id: SilenceId,
    /// What it asks for: the kind of pattern, and the pattern.
    pub wanted: Vec<(&'static str, String)>,
    /// How many monitors that means now.
    pub n_selected: usize,
    /// Some of their names.
    pub named: Vec<String>,
    /// From when.
    pub from: UnixMillis,
    /// Until when.
    pub until: UnixMillis,
    /// Who asked for it.
    pub by: String,
    /// Why; may be empty.
    pub note: String,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &SilencesView) -> Markup {
    let content = html! {
        h1 { "Silences" }
        p { "While a silence holds, nobody is told of new trouble of what it selects. Checks go on, the pages show it, and what is still wrong at its end is told then. Who was told that something is down is told that it is over." }
        @if view.rows.is_empty() { p.quiet { "Nothing is silenced." } } @else { (table(frame, view)) }
        @if frame.may_operate { (new(frame)) }
    };
    layout::operator(frame, Section::Silences, "Silences", &content)
}

fn table(frame: &Frame, view: &SilencesView) -> Markup {
    html! {
        div.scroll tabindex="0" { table.list.silences {
            thead { tr { th { "Silenced" } th { "Monitors now" } th { "Ends" } th { "By" } th { "Note" } @if frame.may_operate { th {} } } }
            tbody { @for row in &view.rows { (silence(frame, row)) } }
        } }
    }
}

fn silence(frame: &Frame, row: &SilenceRow) -> Markup {
    let n_more = row.n_selected.saturating_sub(row.named.len());
    html! {
        tr data-key=(row.id) {
            td.wide { @for (kind, pattern) in &row.wanted { div { span.quiet { (kind) " " } code { (pattern) } } } }
            td { b { (row.n_selected) } @if !row.named.is_empty() { p.quiet { (row.named.join(", ")) @if n_more > 0 { " and " (n_more) " more" } } } }
            td { (text::until(row.until, frame.now)) p.quiet { (text::short(row.until, frame.now)) } @if frame.now < row.from { p { "begins " (text::until(row.from, frame.now)) } } }
            td { (row.by) }
            td.as-written { (row.note) }
            @if frame.may_operate { td { form method="post" action=(frame.links.end_silence(&row.id)) { (layout::form_token(frame)) button type="submit" { "End" } } } }
        }
    }
}

fn new(frame: &Frame) -> Markup {
    html! {
        section {
            h2 { "Silence something" }
            form.stacked.silence method="post" action=(frame.links.silences()) {
                (layout::form_token(frame))
                p.quiet { "Selected is what any of the first two names, or what has all of the labels. " code { "*" } " stands for any text, " code { "?" } " for one character." }
                div.columns {
                    label { "Names, one in each line" textarea name="monitors" rows="3" placeholder="[prod] *" {} }
                    label { "Groups, one in each line" textarea name="groups" rows="3" placeholder="staging" {} }
                    label { "Labels, one in each line" textarea name="labels" rows="3" placeholder="team=web" {} }
                }
                div.columns {
                    label { "For how long" input name="own" placeholder="2h" list="durations"; }
                    label { "or until when, UTC" input type="datetime-local" name="until"; }
                    label { "Note" input name="note" maxlength=(NOTE_CHARS_MAX) placeholder="why"; }
                }
                datalist id="durations" { @for text in ["30m", "1h", "2h", "4h", "8h", "1d", "7d"] { option value=(text) {} } }
                button type="submit" { "Silence" }
            }
        }
    }
}
