//! Badges: what they say, in which forms, and above all of what there are none.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::heartbeat;
use crate::http::tests::world::monitor;
use crate::http::tests::world::page;
use crate::http::tests::world::rules;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::PingKind;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::verdict::Verdict;

/// A page that lists these.
fn listing(views: Vec<MonitorView>) -> Snapshot {
    let ids: Vec<String> = views.iter().map(|view| view.monitor.id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut config = config();
    config.pages = vec![Arc::new(page("prod", Visibility::Public, &ids))];
    snapshot(config, views)
}

fn change_page(snapshot: &mut Snapshot, change: impl FnOnce(&mut StatusPage)) {
    let mut config = snapshot.config.as_ref().clone();
    let mut page = config.pages[0].as_ref().clone();
    change(&mut page);
    config.pages[0] = Arc::new(page);
    snapshot.config = Arc::new(config);
}

fn up_late_down_waiting_paused() -> Vec<MonitorView> {
    let mut paused = heartbeat("paused", rules(), &[(60, PingKind::Success, None)]);
    (paused.verdict, paused.paused_by_operator) = (Verdict::Paused, true);
    vec![
        heartbeat("up", rules(), &[(60, PingKind::Success, None)]),
        heartbeat("late", rules(), &[(3700, PingKind::Success, None)]),
        heartbeat("down", rules(), &[(120, PingKind::Success, None), (60, PingKind::Fail, None)]),
        heartbeat("waiting", rules(), &[(60, PingKind::Start, None)]),
        paused,
    ]
}

#[tokio::test]
async fn two_states_are_those_of_healthchecks_and_words_say_more() {
    let world = World::new(listing(up_late_down_waiting_paused())).await;
    for (id, two, word) in
        [("up", "up", "up"), ("late", "up", "late"), ("down", "down", "down"), ("waiting", "up", "waiting"), ("paused", "up", "paused")]
    {
        let get = async |file: &str| world.get(&format!("/badge/prod/{id}/{file}"), &[]).await.body;
        assert!(get("up-down.json").await.contains(&format!("\"status\":\"{two}\"")), "{id}");
        assert!(get("up-down.shields").await.contains(&format!("\"message\":\"{two}\"")), "{id}");
        assert!(get("up-down.svg").await.contains(&format!("<title>{id}: {two}</title>")), "{id}");
        assert!(get("status.svg").await.contains(&format!("<title>{id}: {word}</title>")), "{id}");
        assert!(get("status.shields").await.contains(&format!("\"message\":\"{word}\"")), "{id}");
    }
    let whole = world.get("/badge/prod/status.json", &[]).await.body;
    assert_eq!(whole, r#"{"label":"Status of prod","status":"down","total":5,"grace":1,"down":1}"#);
    let shields = world.get("/badge/prod/late/status.shields", &[]).await.body;
    assert_eq!(shields, r#"{"schemaVersion":1,"label":"late","message":"late","color":"important"}"#);
}

#[tokio::test]
async fn a_page_tells_the_worst_of_what_it_lists() {
    let mut views = up_late_down_waiting_paused();
    views.retain(|view| view.verdict != Verdict::Down);
    let world = World::new(listing(views)).await;
    let get = async |path: &str| world.get(path, &[]).await.body;
    assert!(get("/badge/prod/status.svg").await.contains("Status of prod: late"));
    assert!(get("/badge/prod/up-down.svg").await.contains("Status of prod: up"));
    let patient = Heartbeat { first_ping: FirstPing::Optional, ..rules() };
    world.show(|snapshot| *snapshot = listing(vec![heartbeat("new", patient, &[])]));
    assert!(get("/badge/prod/status.svg").await.contains("Status of prod: never pinged"));
}

#[tokio::test]
async fn figures_come_from_the_history_and_go_back_as_far_as_the_page() {
    let world = World::new(listing(vec![view(monitor("api", "api.internal"), None)])).await;
    let missing = world.get("/badge/prod/api/uptime-7d.svg", &[]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND, "nothing was read yet");
    world.read_history().await;
    let svg = world.get("/badge/prod/api/uptime-7d.svg", &[]).await;
    assert!(svg.body.contains("<title>api 7d: 100 %</title>"), "{}", svg.body);
    let json = world.get("/badge/prod/uptime-90d.json", &[]).await.body;
    assert_eq!(json, r#"{"label":"Status of prod 90d","stretch":"90d","uptime":1.0,"unknown":0.0,"maintenance":0.0}"#);
    world.show(|snapshot| change_page(snapshot, |page| page.show.history = Duration::from_secs(30 * 86_400)));
    world.read_history().await;
    assert_eq!(world.get("/badge/prod/api/uptime-30d.svg", &[]).await.status, StatusCode::OK);
    assert_eq!(world.get("/badge/prod/api/uptime-90d.svg", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn response_times_are_told_where_the_page_shows_them() {
    let views = vec![view(monitor("api", "api.internal"), None), heartbeat("nightly", rules(), &[(60, PingKind::Success, None)])];
    let world = World::new(listing(views)).await;
    let get = async |path: &str| world.get(path, &[]).await;
    assert!(get("/badge/prod/api/response-time.svg").await.body.contains("api: 42 ms"));
    assert!(get("/badge/prod/api/response-time.json").await.body.contains("\"response_ms\":42"));
    let none = get("/badge/prod/none/status.svg").await;
    assert_eq!(get("/badge/prod/nightly/response-time.svg").await, none, "a heartbeat has none");
    world.show(|snapshot| change_page(snapshot, |page| page.show.response_times = false));
    assert_eq!(get("/badge/prod/api/response-time.svg").await, none);
}

#[tokio::test]
async fn what_is_not_on_an_open_page_has_the_404_of_what_does_not_exist() {
    let world = World::new(usual()).await;
    world.read_history().await;
    let unknown = world.get("/badge/none/status.svg", &[]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let unknown_key = world.get("/api/v1/endpoints/_none/health/badge.svg", &[]).await;
    let cookie = world.sign_in().await;
    for path in [
        "/badge/prod/canary-hidden/status.svg",
        "/badge/prod/canary-hidden/uptime-7d.svg",
        "/badge/prod/none/status.svg",
        "/badge/inside/status.svg",
        "/badge/inside/api/status.svg",
        "/badge/partners/api/status.svg",
        "/api/v1/endpoints/_canary-hidden/health/badge.svg",
    ] {
        for headers in [&[][..], &[("cookie", cookie.as_str())]] {
            let answer = world.get(path, headers).await;
            assert_eq!(answer, if path.starts_with("/api/") { unknown_key.clone() } else { unknown.clone() }, "{path}");
        }
    }
    assert!(world.get("/badge/prod/api/status.svg", &[]).await.body.contains("<title>api: down</title>"));
    assert!(world.get("/api/v1/endpoints/_api/health/badge.svg", &[]).await.body.contains("<title>api: down</title>"));
    assert!(world.get("/api/v1/endpoints/_api/uptimes/24h/badge.svg", &[]).await.body.contains("api 24h: 100 %"));
    world.show(|snapshot| change_page(snapshot, |page| page.visibility = Visibility::Unlisted));
    assert_eq!(world.get("/badge/prod/api/status.svg", &[]).await.status, StatusCode::OK, "whoever knows the page may know its badges");
    assert_eq!(world.get("/api/v1/endpoints/_api/health/badge.svg", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn badges_are_kept_shortly_and_then_confirmed_and_may_be_read_from_anywhere() {
    let world = World::new(usual()).await;
    let first = world.get("/badge/prod/api/status.svg", &[]).await;
    assert_eq!(first.header("content-type"), "image/svg+xml");
    assert_eq!(first.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(first.header("access-control-allow-origin"), "*");
    assert_eq!(first.header("cache-control"), "public, max-age=60, stale-while-revalidate=60");
    let tag = first.header("etag").to_owned();
    let again = world.get("/badge/prod/api/status.svg", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(world.get("/badge/prod/api/status.shields", &[]).await.header("content-type"), "application/json");
    world.clock.advance(Duration::from_secs(3600));
    let old = world.get("/badge/prod/api/status.svg", &[("if-none-match", &tag)]).await;
    assert!(old.status == StatusCode::OK && old.body.contains("no current data"), "{}", old.body);
}

#[tokio::test]
async fn the_page_of_a_monitor_shows_its_badge_if_it_has_one() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let html = world.get("/monitors/api", &[("cookie", &cookie)]).await.body;
    let line = "[![status](http://localhost:8080/badge/prod/api/status.svg)](http://localhost:8080/status/prod)";
    assert!(html.contains(line) && html.contains("src=\"/badge/prod/api/status.svg\""), "{html}");
    let html = world.get("/monitors/canary-hidden", &[("cookie", &cookie)]).await.body;
    assert!(!html.contains("/badge/"), "{html}");
}
