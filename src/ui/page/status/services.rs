//! Groups of services: folded away while they are well, unless the page is small.

use std::fmt::Write;
use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::language::Phrases;
use crate::ui::page::status::GroupView;
use crate::ui::page::status::ServiceView;
use crate::ui::page::status::days;
use crate::ui::page::status::severity;

/// A page that lists so many is small: nothing on it need be folded.
const SMALL_PAGE: usize = 16;

/// Height of a line of response times, in its own units: one digit each keeps it small.
const SPARK_HEIGHT: u128 = 9;

/// Checks on such a line; fewer stand at its right end, so that all lines have one scale.
const SPARK_CHECKS: usize = 40;

/// Fewer answers than that are no line.
const SPARK_CHECKS_MIN: usize = 4;

/// Where on the page they are.
pub(super) const PLACE: &str = "services";

/// All groups.
pub(super) fn groups(groups: &[GroupView], p: &Phrases) -> Markup {
    let is_small = groups.len() == 1 || groups.iter().map(|group| group.services.len()).sum::<usize>() <= SMALL_PAGE;
    html! { div #(PLACE) { @for item in groups { (group(item, is_small, p)) } } }
}

fn group(group: &GroupView, is_small: bool, p: &Phrases) -> Markup {
    let state = state_of(group);
    let needs_a_look = matches!(state, Verdict::Down | Verdict::Degraded | Verdict::Unknown);
    let is_open = group.is_open.unwrap_or(is_small || needs_a_look);
    html! {
        details.group open[is_open] {
            summary { h2 { (group.name) } span.tally.(class(state)) { (shape(state)) " " (tally(group, p)) } }
            ul.services { @for item in &group.services { li { (service(item, p)) } } }
        }
    }
}

/// The worst that is in it.
fn state_of(group: &GroupView) -> Verdict {
    group.services.iter().map(ServiceView::look).min_by_key(|look| severity(*look)).unwrap_or(Verdict::Unknown)
}

/// How many are how, the worst first; what is well is not counted beside trouble, so that the line stays short.
fn tally(group: &GroupView, p: &Phrases) -> String {
    let mut states = Verdict::ALL;
    states.sort_by_key(|state| severity(*state));
    let n = |state: Verdict| group.services.iter().filter(|service| service.look() == state).count();
    let counted: Vec<String> = states.into_iter().filter(|state| n(*state) > 0).map(|state| (p.tally)(state, n(state))).collect();
    if counted.is_empty() { p.nothing_listed.to_owned() } else { counted.join(p.comma) }
}

fn service(service: &ServiceView, p: &Phrases) -> Markup {
    let word = match service.detail {
        Some((_, detail)) => (p.detail)(detail),
        None if service.is_regional => p.partly,
        None => (p.state)(service.state),
    };
    html! {
        div.service-head {
            span.name { (service.name) }
            @if let Some(took) = service.response_time {
                (spark(&service.response_times, p))
                span.took { (p.latency(took)) @if let Some(region) = &service.response_from { " " ((p.measured_from)(region)) } }
            }
            (badge_saying(service.look(), word))
        }
        @if let Some(target) = &service.target { p.quiet.target { (target) } }
        @if let Some(error) = &service.error { p.cause { (error) } }
        @if !service.regions_failing.is_empty() { p.quiet { ((p.failing_from)(&service.regions_failing.join(p.comma))) } }
        @if !service.days.is_empty() { (days::days(&service.days, service.uptime, p)) }
    }
}

/// The last response times as a line, with a gap where there was no answer.
fn spark(times: &[Option<Duration>], p: &Phrases) -> Markup {
    let times = &times[times.len().saturating_sub(SPARK_CHECKS)..];
    let first = SPARK_CHECKS - times.len();
    let answered = || times.iter().flatten().copied();
    let (Some(lowest), Some(highest)) = (answered().min(), answered().max()) else { return html! {} };
    if answered().count() < SPARK_CHECKS_MIN {
        return html! {};
    }
    let top = highest.as_micros().max(1);
    let mut path = String::new();
    let mut pen: Option<(usize, u128)> = None;
    for (x, took) in times.iter().enumerate() {
        let Some(took) = took else {
            pen = None;
            continue;
        };
        let y = SPARK_HEIGHT - took.as_micros() * SPARK_HEIGHT / top;
        // Writing into a String cannot fail.
        let _ = match pen {
            Some((_, before)) if before <= y => write!(path, "l1 {}", y - before),
            Some((_, before)) => write!(path, "l1-{}", before - y),
            // A single check is a dot.
            None => write!(path, "M{} {y}h0", first + x),
        };
        pen = Some((x, y));
    }
    html! {
        svg.spark viewBox={ "-1 -1 " (SPARK_CHECKS + 1) " " (SPARK_HEIGHT + 2) } preserveAspectRatio="none" role="img" aria-label=((p.response_times)(&p.latency(lowest), &p.latency(highest))) {
            path d=(path) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::page::Language;
    use crate::ui::component::bar::Uptime;
    use crate::ui::language::phrases;

    fn service_in(state: Verdict) -> ServiceView {
        ServiceView {
            name: "API".to_owned(),
            state,
            is_regional: false,
            detail: None,
            uptime: Uptime::default(),
            days: Vec::new(),
            response_time: None,
            response_times: Vec::new(),
            response_from: None,
            target: None,
            error: None,
            regions_failing: Vec::new(),
            regions: Vec::new(),
        }
    }

    fn of(states: &[Verdict]) -> GroupView {
        GroupView { name: "Production".to_owned(), services: states.iter().map(|state| service_in(*state)).collect(), is_open: None }
    }

    #[test]
    fn groups_say_how_they_are_and_are_folded_while_they_are_well() {
        let p = phrases(Language::English);
        for (states, said, state) in [
            (&[Verdict::Up, Verdict::Up][..], "2 operational", Verdict::Up),
            (&[Verdict::Up, Verdict::Down, Verdict::Degraded], "1 down, 1 degraded, 1 operational", Verdict::Down),
            (&[Verdict::Paused, Verdict::Up], "1 operational, 1 paused", Verdict::Up),
            (&[Verdict::Maintenance, Verdict::Up], "1 in maintenance, 1 operational", Verdict::Maintenance),
            (&[], "Nothing is listed here yet", Verdict::Unknown),
        ] {
            assert_eq!((tally(&of(states), p).as_str(), state_of(&of(states))), (said, state));
        }
        let many = [Verdict::Up; 20];
        let is_open = |group: &GroupView, is_small| super::group(group, is_small, p).into_string().contains(" open>");
        let fixed = |is_open| GroupView { is_open: Some(is_open), ..of(&many) };
        assert!(!is_open(&of(&many), false) && is_open(&of(&many), true) && is_open(&fixed(true), false) && !is_open(&fixed(false), true));
        assert!(is_open(&of(&[Verdict::Up, Verdict::Unknown]), false), "what is not up is not hidden");
        let regional = GroupView { services: vec![ServiceView { is_regional: true, ..service_in(Verdict::Up) }], ..of(&[]) };
        assert!(is_open(&regional, false) && tally(&regional, p) == "1 degraded");
    }

    #[test]
    fn response_times_are_a_line_with_gaps() {
        let ms = |n| Some(Duration::from_millis(n));
        let text = spark(&[ms(90), ms(90), None, ms(45), ms(10)], phrases(Language::English)).into_string();
        assert!(text.contains("d=\"M35 0h0l1 0M38 5h0l1 3\"") && text.contains("last response times: 10 ms to 90 ms"), "{text}");
        assert_eq!(spark(&[None, ms(1), ms(2), ms(3)], phrases(Language::English)).into_string(), "");
    }
}
