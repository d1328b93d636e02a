//! Maintenance: which windows the config has, what they cover, and when they are next.

use maud::Markup;
use maud::html;

use crate::model::id::MonitorId;
use crate::model::maintenance::Span;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceView {
    /// Those that are under way, then those that come, the next one first, then those that are over.
    pub windows: Vec<WindowCard>,
}

/// One window of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowCard {
    /// What it is called.
    pub name: String,
    /// What visitors of status pages read of it.
    pub message: Option<String>,
    /// When it is, in the words of the config.
    pub rhythm: String,
    /// The zone in which it is written.
    pub zone: String,
    /// The stretch that is under way or comes next, and some after it; empty: it is over.
    pub stretches: Vec<Stretch>,
    /// What it covers, in the order of the config.
    pub monitors: Vec<(MonitorId, String)>,
    /// How many more that are.
    pub n_more: usize,
    /// The file and line in which it is written.
    pub origin: String,
}

/// One time at which a window is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// From when until when.
    pub span: Span,
    /// The same by the clock on the wall in the window's zone.
    pub shown: String,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &MaintenanceView) -> Markup {
    let content = html! {
        h1 { "Maintenance" }
        p { "In a window failing is expected: checks go on, but no incident begins, nobody is told, and the time is not counted in availability. Windows are written in the config, below " code { "maintenance" } "." }
        @if view.windows.is_empty() { p.quiet { "No window is configured." } }
        @for card in &view.windows { (window(frame, card)) }
    };
    layout::operator(frame, Section::Maintenance, "Maintenance", &content)
}

fn window(frame: &Frame, card: &WindowCard) -> Markup {
    html! {
        article.card.upkeep data-key=(card.name) {
            h2 { (card.name) " " (state(frame, card)) }
            @if let Some(message) = &card.message { p.as-written { (message) } }
            dl.facts {
                div { dt { "When" } dd { code { (card.rhythm) } } }
                div { dt { "Time zone" } dd { (card.zone) } }
                div { dt { "Written in" } dd { code { (card.origin) } } }
            }
            p { "Covers "
                @if card.monitors.is_empty() { "no monitor: nothing has such a name, group or labels" }
                @for (i, (id, name)) in card.monitors.iter().enumerate() { @if i > 0 { ", " } a href=(frame.links.monitor(id)) { (name) } }
                @if card.n_more > 0 { " and " (card.n_more) " more" }
            }
            @if card.stretches.is_empty() { p.quiet { "It does not come again." } } @else {
                ol.stretches aria-label="Next times" { @for stretch in &card.stretches { li { (time(frame, stretch)) } } }
            }
        }
    }
}

fn state(frame: &Frame, card: &WindowCard) -> Markup {
    match card.stretches.first() {
        Some(stretch) if stretch.span.holds(frame.now) => {
            let look = Verdict::Maintenance;
            html! { span.badge.(class(look)) { (shape(look)) " Under way" } }
        }
        Some(_) => html! { span.badge.is-info { "Planned" } },
        None => html! { span.badge.is-unknown { "Over" } },
    }
}

/// By the clock of the window's zone, which is what was planned; how far it is from now is the same everywhere.
fn time(frame: &Frame, stretch: &Stretch) -> Markup {
    let Span { from, to } = stretch.span;
    html! {
        span.when title={ (text::utc(from)) " – " (text::utc(to)) } { (stretch.shown) } " "
        span.quiet { @if from <= frame.now { "ends " (text::until(to, frame.now)) } @else { (text::until(from, frame.now)) } ", lasts " (text::coarse(to.since(from))) }
    }
}
