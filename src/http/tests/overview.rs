//! The overview of all monitors: what it says first, what it shows, and how it is narrowed by its address.

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::overview;
use crate::http::overview::Wanted;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::monitor;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::model::result::Failure;
use crate::model::verdict::Verdict;
use crate::ui::links::Links;
use crate::ui::page::dashboard::DashboardView;
use crate::ui::page::dashboard::Narrowed;

/// Name, group, team, state; those that are down since a minute each.
fn one((name, group, team, state): (&str, &str, &str, Verdict)) -> MonitorView {
    let mut monitor = monitor(name, &format!("{name}.internal"));
    monitor.group = (!group.is_empty()).then(|| group.to_owned());
    if !team.is_empty() {
        monitor.labels.insert("team".to_owned(), team.to_owned());
    }
    let failure = (state == Verdict::Down).then(|| Failure::Refused { at: "198.51.100.7:5432".to_owned() });
    MonitorView { verdict: state, ..view(monitor, failure) }
}

const FEW: [(&str, &str, &str, Verdict); 5] = [
    ("Web", "Shop", "web", Verdict::Up),
    ("Cart", "Shop", "web", Verdict::Down),
    ("Mail", "Office", "", Verdict::Up),
    ("Wiki", "", "docs", Verdict::Paused),
    ("Search", "Shop", "data", Verdict::Degraded),
];

fn few() -> Snapshot {
    snapshot(config(), FEW.into_iter().map(one).collect())
}

/// Thirty more, all of them up.
fn many() -> Snapshot {
    let names: Vec<(String, String)> = (0..30).map(|i| (format!("node-{i:02}"), format!("Rack {}", i / 10))).collect();
    let more = names.iter().map(|(name, group)| one((name, group, "", Verdict::Up)));
    snapshot(config(), FEW.into_iter().map(one).chain(more).collect())
}

fn seen(snapshot: &Snapshot, query: &str) -> DashboardView {
    overview::view(snapshot, &Wanted::read(query), &Links::new(""), NOON)
}

/// `title: names | …`
fn shown(view: &DashboardView) -> String {
    let group = |group: &crate::ui::page::dashboard::GroupView| {
        let names: Vec<&str> = group.rows.iter().map(|row| row.name.as_str()).collect();
        let title = group.title.as_ref().map(|title| format!("{title}: ")).unwrap_or_default();
        format!("{title}{}", names.join(" "))
    };
    view.groups.iter().map(group).collect::<Vec<_>>().join(" | ")
}

#[test]
fn the_address_says_what_is_shown() {
    for (query, expected) in [
        ("", "Cart Search Web Mail Wiki"),
        ("state=up", "Web Mail"),
        ("state=down&group=Shop", "Cart"),
        ("group=Shop", "Cart Search Web"),
        ("label=team%3Dweb", "Cart Web"),
        ("q=TEAM%3Ddata", "Search"),
        ("q=shop+web", "Cart Web"),
        ("q=cart.internal", "Cart"),
        ("q=refused", "Cart"),
        ("q=nothing+like+it", ""),
        ("q=&state=&group=&label=&by=", "Cart Search Web Mail Wiki"),
        ("by=group", "Shop: Cart Search Web | Office: Mail | Others: Wiki"),
        ("by=state", "Down: Cart | Degraded: Search | Paused: Wiki | Up: Web Mail"),
        ("by=label:team", "web: Cart Web | data: Search | docs: Wiki | Others: Mail"),
        ("by=label:team&q=internal&group=Shop", "web: Cart Web | data: Search"),
        ("unknown=1&by=nonsense&state=gone", "Cart Search Web Mail Wiki"),
    ] {
        assert_eq!(shown(&seen(&few(), query)), expected, "{query}");
    }
}

#[test]
fn what_is_not_understood_is_said() {
    let note = |query: &str| seen(&few(), query).note;
    assert_eq!(note("state=gone").as_deref(), Some("There is no state \"gone\"; monitors in all states are shown."));
    assert_eq!(note("by=moon").as_deref(), Some("Monitors cannot be grouped by \"moon\"."));
    assert_eq!(note("state=down&other=1"), None);
}

#[test]
fn of_many_those_that_fail_are_shown_alone_until_all_are_asked_for() {
    let view = seen(&many(), "");
    assert_eq!(shown(&view), "Cart Search");
    assert_eq!(view.narrowed, Narrowed::Failing { all: "/monitors?show=all".to_owned() });
    let all = seen(&many(), "show=all");
    assert_eq!((all.n_shown, &all.narrowed), (35, &Narrowed::No));
    assert!(shown(&all).starts_with("Shop: Cart Search Web | Office: Mail | Rack 0: node-00"), "{}", shown(&all));
    let filtered = seen(&many(), "q=node-0");
    assert_eq!((filtered.n_shown, filtered.narrowed), (10, Narrowed::Chosen));
    let calm = snapshot(config(), (0..40).map(|i| one((&format!("n{i}"), "", "", Verdict::Up))).collect());
    assert_eq!(seen(&calm, "").n_shown, 40, "all are fine, so all are shown");
}

#[test]
fn the_first_sentence_says_what_is_wrong() {
    let said = |states: &[Verdict]| {
        let all = states.iter().enumerate().map(|(i, state)| one((&format!("m{i}"), "", "", *state))).collect();
        let summary = seen(&snapshot(config(), all), "").summary;
        (summary.state, summary.sentence)
    };
    use Verdict::*;
    for (states, state, sentence) in [
        (&[Up, Up][..], Up, "All 2 monitors are up"),
        (&[Up], Up, "The one monitor is up"),
        (&[Down], Down, "The one monitor is down"),
        (&[Up, Down], Down, "1 of 2 monitors is down"),
        (&[Down, Down], Down, "All 2 monitors are down"),
        (&[Up, Down, Down, Degraded, Unknown], Down, "2 of 5 monitors are down, 1 degraded, 1 unknown"),
        (&[Up, Degraded, Paused], Degraded, "1 of 3 monitors is degraded"),
        (&[Up, Paused, Maintenance], Up, "1 of 3 monitors is up, 1 in maintenance, 1 paused"),
        (&[Unknown, Unknown], Unknown, "Nothing is known to be down, 2 unknown"),
        (&[Up, Unknown], Unknown, "1 of 2 monitors is up, 1 unknown"),
    ] {
        assert_eq!(said(states), (state, sentence.to_owned()), "{states:?}");
    }
}

#[test]
fn it_also_says_where_and_since_when() {
    let summary = seen(&many(), "").summary;
    let places: Vec<_> = summary.groups.0.iter().map(|place| (place.name.as_str(), place.n, place.href.as_deref())).collect();
    assert_eq!(places, [("Shop", 2, Some("/monitors?group=Shop"))]);
    let began = NOON.minus(std::time::Duration::from_secs(300));
    assert_eq!((summary.first, summary.newest), (Some(began), Some(began)));
    assert!(summary.regions.0.is_empty(), "alone there is one place to look from");
}

#[test]
fn counts_lead_to_what_they_count_and_back() {
    let href = |query: &str, state: Verdict| {
        let counts = seen(&few(), query).counts;
        counts.into_iter().find(|count| count.state == state).map(|count| (count.n, count.href))
    };
    assert_eq!(href("", Verdict::Down), Some((1, "/monitors?state=down".to_owned())));
    assert_eq!(href("state=down", Verdict::Down), Some((1, "/monitors".to_owned())));
    assert_eq!(href("q=a+b&state=down&by=label%3Ateam", Verdict::Up), Some((2, "/monitors?q=a+b&state=up&by=label%3Ateam".to_owned())));
}

#[tokio::test]
async fn the_page_works_without_a_script() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let html = world.get("/monitors?q=%22%3E%3Cb%3E&state=down", &[("cookie", &cookie)]).await.body;
    assert!(html.contains("<form class=\"filter\" id=\"filter\" method=\"get\" action=\"/monitors\""), "{html}");
    assert!(html.contains("value=\"&quot;&gt;&lt;b&gt;\"") && !html.contains("<b>\""), "{html}");
    assert!(html.contains("<option value=\"down\" selected>Down</option>"), "{html}");
    assert!(html.contains("No monitor fits what was asked for."));
    let html = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    assert!(html.contains("<title>1 down · Monitors</title>") && html.contains("<h1>1 of 2 monitors is down</h1>"), "{html}");
    assert!(html.contains("<a href=\"/incidents/incapi\">"), "the cause leads to the incident: {html}");
}

#[tokio::test]
async fn a_page_that_repeats_what_was_asked_for_is_not_compressed() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    for (path, encoding) in [
        ("/monitors", "gzip"),
        ("/monitors?q=&state=down&group=&label=&by=", "gzip"),
        ("/monitors/api?range=7d", "gzip"),
        ("/incidents/incapi", "gzip"),
        ("/monitors?q=guess", ""),
        ("/monitors?state=guess", ""),
        ("/monitors?group=guess", ""),
        ("/api/v1/status", ""),
        ("/monitors/nope", ""),
    ] {
        let answer = world.get(path, &[("cookie", &cookie), ("accept-encoding", "gzip")]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{path}");
        let plain = world.get(path, &[("cookie", &cookie)]).await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
    }
}
