//! All incidents, and one of them.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::update::UpdateState;
use crate::ui::component::alert;
use crate::ui::component::alert::AlertSection;
use crate::ui::component::delivery;
use crate::ui::component::delivery::Columns;
use crate::ui::component::delivery::DeliveryRow;
use crate::ui::component::incident;
use crate::ui::component::incident::IncidentRow;
use crate::ui::component::regions;
use crate::ui::component::regions::RegionRow;
use crate::ui::component::timeline;
use crate::ui::component::timeline::Moment;
use crate::ui::component::updates;
use crate::ui::component::updates::Draft;
use crate::ui::component::updates::LearntView;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// The list.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentsView {
    /// Those that are open, newest first; none on pages of older ones.
    pub open: Vec<IncidentRow>,
    /// Those that are over, newest first.
    pub past: Vec<IncidentRow>,
    /// Where those are that began before these.
    pub older: Option<String>,
    /// This is the first page.
    pub is_newest: bool,
    /// The database could not be read: only open incidents are shown.
    pub unreadable: bool,
}

/// One incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentView {
    /// As in the list.
    pub row: IncidentRow,
    /// Who was told of it, and who is at work on it; `None` once it is over.
    pub alert: Option<AlertSection>,
    /// What happened, oldest first.
    pub moments: Vec<Moment>,
    /// How far people have got, by the newest update that says so.
    pub state: Option<UpdateState>,
    /// What the forms begin with.
    pub draft: Draft,
    /// What was learnt.
    pub learnt: Option<LearntView>,
    /// When it was confirmed.
    pub confirmed_at: UnixMillis,
    /// From the first bad check to the confirmation.
    pub confirmed_after: Duration,
    /// Stable word for the cause.
    pub cause_code: &'static str,
    /// Regions that held it bad when it opened.
    pub regions_failing: Vec<String>,
    /// Regions that held it up.
    pub regions_fine: Vec<String>,
    /// Regions that said nothing that counts.
    pub regions_unknown: Vec<String>,
    /// That it was decided with fewer vantages than wanted.
    pub fewer: Option<String>,
    /// Where the trouble is.
    pub diagnosis: Option<&'static str>,
    /// How it is now, when others watch it, too, and it is open.
    pub now: Option<IncidentNow>,
    /// What each region saw last of an incident that is over, as far as it is known any more.
    pub then: Vec<RegionRow>,
    /// What the confirming check did.
    pub evidence: Vec<String>,
    /// Who was told.
    pub deliveries: Vec<DeliveryRow>,
}

/// How an open incident stands, by the votes of now.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentNow {
    /// What the votes say together.
    pub sentences: Vec<String>,
    /// The node that decides and tells people.
    pub decider: Option<String>,
    /// The regions that fail, with what they measured.
    pub failing: Vec<RegionRow>,
}

/// The list.
#[must_use]
pub fn list(frame: &Frame, view: &IncidentsView) -> Markup {
    let content = html! {
        h1 { "Incidents" }
        p { a href=(frame.links.announcements()) { "Announcements" } " tell visitors what no check says." }
        @if view.is_newest {
            section { h2 { "Open" } @if view.open.is_empty() { p.quiet { "No incident is open." } } @else { (incident::table(&view.open, &frame.links, frame.now)) } }
        } @else {
            p { a href=(frame.links.incidents()) { "Open and newest incidents" } }
        }
        section { h2 { "Past" } (past(frame, view)) }
    };
    layout::operator(frame, Section::Incidents, "Incidents", &content)
}

fn past(frame: &Frame, view: &IncidentsView) -> Markup {
    html! {
        @if view.unreadable {
            p.cause { "Past incidents cannot be read at the moment." }
        } @else {
            (incident::table(&view.past, &frame.links, frame.now))
        }
        @if let Some(href) = &view.older { p { a rel="next" href=(href) { "Older incidents" } } }
    }
}

/// One incident.
#[must_use]
pub fn page(frame: &Frame, view: &IncidentView) -> Markup {
    let row = &view.row;
    let title = format!("{}: {}", row.monitor_name, row.lane.word());
    let content = html! {
        h1 { @match &row.monitor { Some(id) => a href=(frame.links.monitor(id)) { (row.monitor_name) }, None => { (row.monitor_name) } } }
        p.cause { (row.cause) }
        dl.facts {
            div { dt { "State" } dd { @match row.closed { None => (incident::open_badge(row.lane)), Some((_, how)) => { (how.replace('_', " ")) } } } }
            @if let Some(state) = view.state { div { dt { "Said last" } dd { (updates::state_badge(state)) } } }
            div { dt { "Kind" } dd { (row.lane.word()) ", " code { (view.cause_code) } } }
            div { dt { "First bad check" } dd { (text::time(row.opened_at)) } }
            div { dt { "Confirmed" } dd { (text::time(view.confirmed_at)) ", " (text::coarse(view.confirmed_after)) " later" } }
            @if let Some((at, _)) = row.closed { div { dt { "Ended" } dd { (text::time(at)) } } }
            div { dt { "Lasted" } dd { (text::coarse(row.duration)) } }
            (names("Failing from", &view.regions_failing))
            (names("Fine from", &view.regions_fine))
            (names("Nothing heard from", &view.regions_unknown))
        }
        @if let Some(alert) = &view.alert { (alert::section(frame, alert)) }
        @if let Some(learnt) = &view.learnt { (updates::learnt(learnt, frame.now)) }
        section { h2 { "Timeline" } (timeline::timeline(frame, &row.id, &view.moments)) }
        @if frame.may_operate { (updates::forms(frame, &row.id, &view.draft, view.learnt.as_ref())) }
        @if let Some(diagnosis) = view.diagnosis { p.diagnosis { b { "Diagnosis: " } (diagnosis) "." } }
        @if let Some(sentence) = &view.fewer { p { (sentence) } }
        @if let Some(now) = &view.now { (regions_now(now, frame.now)) }
        @if !view.then.is_empty() { section { h2 { "What the regions saw last" } (regions::evidence(&view.then, "Last bad check", frame.now)) } }
        @if view.now.is_none() || !view.evidence.is_empty() { (evidence(view)) }
        section { h2 { "Who was told" } (delivery::table(&view.deliveries, Columns { channel: true, about: false }, frame)) }
    };
    layout::operator(frame, Section::Incidents, &title, &content)
}

/// What this node kept when it opened; what others see stands beside each other above.
fn evidence(view: &IncidentView) -> Markup {
    html! {
        section {
            h2 { @if view.now.is_some() || !view.then.is_empty() { "Evidence of this node" } @else { "Evidence" } }
            @if view.evidence.is_empty() { p.quiet { "None was kept." } } @else { pre.transcript { @for line in &view.evidence { (line) "\n" } } }
        }
    }
}

fn regions_now(now: &IncidentNow, at: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "Regions now" }
            p { @for sentence in &now.sentences { (sentence) " " } @if let Some(decider) = &now.decider { span.quiet { (decider) " decides and tells." } } }
            (regions::evidence(&now.failing, "Newest check", at))
        }
    }
}

fn names(label: &str, names: &[String]) -> Markup {
    html! { @if !names.is_empty() { div { dt { (label) } dd { (names.join(", ")) } } } }
}
