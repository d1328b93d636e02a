//! What happened and what is to happen: announcements, incidents, maintenance.

use maud::Markup;
use maud::html;

use crate::model::page::AnnouncementKind;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::incident::state_of;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::notice::AnnouncementView;
use crate::ui::component::updates::AnnouncedView;
use crate::ui::component::updates::UpdateView;
use crate::ui::component::updates::look;
use crate::ui::language::Phrases;
use crate::ui::markdown::markdown;
use crate::ui::page::status::PastDay;
use crate::ui::page::status::PublicIncident;
use crate::ui::page::status::anchor;
use crate::ui::page::status::time;

/// Services that a window names; of more only the number is said.
const SERVICES_NAMED: usize = 8;

/// More open incidents than that take a line each, so that the services below are not pushed out of sight.
const MANY_INCIDENTS: usize = 5;

/// Messages of the operators. Plain text: line breaks stay, nothing else is interpreted.
pub(super) fn announcements(all: &[AnnouncementView], p: &Phrases) -> Markup {
    html! {
        @for (i, view) in all.iter().enumerate() {
            // Of several of one moment the first has the name.
            @let is_first = !all.iter().take(i).any(|before| before.at == view.at);
            article.announcement.(announcement_class(view.kind)) id=[is_first.then(|| anchor(&key_of(view)))] {
                h2 { ((p.announcement)(view.kind)) " " span.quiet { (time(view.at)) } }
                p.as-written { (view.text) }
            }
        }
    }
}

/// The key of a message from the config, which has no name.
pub(super) fn key_of(view: &AnnouncementView) -> String {
    view.at.0.to_string()
}

fn announcement_class(kind: AnnouncementKind) -> &'static str {
    match kind {
        AnnouncementKind::Info => "is-info",
        AnnouncementKind::Warning => "is-degraded",
        AnnouncementKind::Outage => "is-down",
        AnnouncementKind::Operational => "is-up",
    }
}

/// What people announced at run time.
pub(super) fn announced(all: &[AnnouncedView], p: &Phrases) -> Markup {
    html! {
        @for view in all {
            article.announcement.(class(look(view.state))) id=(anchor(&view.key)) {
                h2 { (view.title) }
                p.when { (time(view.from)) @if let Some(until) = view.until { (p.until) (time(until)) } }
                (updates(&view.updates, p))
            }
        }
    }
}

/// The same, of what ended lately: quiet, and below what is.
pub(super) fn past_announced(all: &[AnnouncedView], p: &Phrases) -> Markup {
    html! {
        @if !all.is_empty() {
            section {
                h2 { (p.past_announcements) }
                @for view in all {
                    article.announcement.over id=(anchor(&view.key)) {
                        h3 { (view.title) }
                        p.when { (time(view.from)) @if let Some(until) = view.until { (p.until) (time(until)) } }
                        (updates(&view.updates, p))
                    }
                }
            }
        }
    }
}

/// What people say of trouble, in the order in which it comes.
fn updates(all: &[UpdateView], p: &Phrases) -> Markup {
    html! {
        @if !all.is_empty() {
            ol.updates { @for update in all { li {
                p.said-when { (badge_saying(look(update.state), (p.update_state)(update.state))) " " span.quiet { (time(update.at)) } }
                @if !update.text.is_empty() { div.written { (markdown(&update.text)) } }
            } } }
        }
    }
}

/// Incidents that are open.
pub(super) fn open(all: &[PublicIncident], p: &Phrases, now: UnixMillis) -> Markup {
    html! {
        @if !all.is_empty() {
            section.many[MANY_INCIDENTS < all.len()] { h2 { (p.open_incidents) } @for item in all { (incident(item, p, now)) } }
        }
    }
}

/// Past ones, by the day they began on.
pub(super) fn past(days: &[PastDay], p: &Phrases, now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { (p.past_incidents) }
            @if days.is_empty() { p.quiet { (p.no_past_incidents) } }
            @for day in days { div.past-day { h3.date { time datetime=(day.date) { (day.date) } } @for item in &day.incidents { (incident(item, p, now)) } } }
        }
    }
}

fn incident(incident: &PublicIncident, p: &Phrases, now: UnixMillis) -> Markup {
    let is_over = incident.closed_at.is_some();
    let state = state_of(incident.lane);
    let span = p.span(incident.closed_at.unwrap_or(now).since(incident.opened_at));
    html! {
        article.incident.over[is_over].(class(state)) id=(anchor(&incident.key)) {
            h3 { (shape(state)) " " (incident.service) " " span.kind { ((p.lane)(incident.lane)) } }
            p.when { (time(incident.opened_at)) (p.comma) @if is_over { ((p.lasted)(&span)) } @else { ((p.lasting)(&span)) } }
            @if !incident.regions.is_empty() { p { ((p.failing_from)(&incident.regions.join(p.comma))) } }
            @if let Some(cause) = &incident.cause { p.cause { (cause) } }
            @if let Some(diagnosis) = incident.diagnosis { p.quiet { (p.diagnosed) ((p.diagnosis)(diagnosis)) "." } }
            (updates(&incident.updates, p))
            @if let Some(learnt) = &incident.postmortem { details.postmortem { summary { (p.postmortem) } div.written { (markdown(&learnt.text)) } } }
        }
    }
}

/// Windows that are open, before the services they explain.
pub(super) fn under_way(windows: &[WindowView], p: &Phrases, now: UnixMillis) -> Markup {
    html! { @for item in windows.iter().filter(|item| item.is_open) { (window(&[item], &html! { h2 { (window_head(item, p)) } }, p, now)) } }
}

/// Windows that are to come.
pub(super) fn planned(windows: &[WindowView], p: &Phrases, now: UnixMillis) -> Markup {
    let mut cards: Vec<Vec<&WindowView>> = Vec::new();
    for item in windows.iter().filter(|item| !item.is_open) {
        match cards.iter_mut().find(|card| card.first().is_some_and(|first| is_same(first, item))) {
            Some(card) => card.push(item),
            None => cards.push(vec![item]),
        }
    }
    html! {
        @if !cards.is_empty() {
            section { h2 { (p.planned_maintenance) } @for card in cards { @if let Some(first) = card.first() {
                (window(&card, &html! { h3 { (window_head(first, p)) } }, p, now))
            } } }
        }
    }
}

/// Whether two stretches are of the same maintenance, which comes again.
fn is_same(one: &WindowView, other: &WindowView) -> bool {
    (&one.name, &one.message, &one.services) == (&other.name, &other.message, &other.services)
}

fn window_head(window: &WindowView, p: &Phrases) -> Markup {
    let word = if window.is_open { p.under_way } else { p.planned };
    html! { (window.name) " " (badge_saying(Verdict::Maintenance, word)) }
}

/// A card of one maintenance, with all of its stretches.
fn window(stretches: &[&WindowView], head: &Markup, p: &Phrases, now: UnixMillis) -> Markup {
    let first = stretches.first();
    html! {
        article.announcement.(class(Verdict::Maintenance)) {
            (head)
            @for window in stretches { p.when { (time(window.from)) (p.until) (time(window.to)) (p.comma) (when(window, p, now)) } }
            @if let Some(message) = first.and_then(|window| window.message.as_ref()) { p.as-written { (message) } }
            @if let Some(names) = first.and_then(|window| affects(window, p)) { p.quiet { (names) } }
        }
    }
}

/// Which services a window affects; `None` when it names none.
pub(super) fn affects(window: &WindowView, p: &Phrases) -> Option<String> {
    let n_more = window.services.len().saturating_sub(SERVICES_NAMED);
    let named = window.services.iter().take(SERVICES_NAMED).cloned().collect::<Vec<_>>().join(p.comma);
    (!named.is_empty()).then(|| (p.affects)(&named, n_more))
}

fn when(window: &WindowView, p: &Phrases, now: UnixMillis) -> String {
    if window.is_open {
        (p.ends)(&p.distance(window.to, now))
    } else {
        (p.begins)(&p.distance(window.from, now), &p.span(window.to.since(window.from)))
    }
}
