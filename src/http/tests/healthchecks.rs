//! The management API of healthchecks: the shapes that its clients look for, who gets them, and that nothing is written.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use crate::config::ApiToken;
use crate::config::Scope;
use crate::engine::snapshot::MonitorView;
use crate::http::random::sha256;
use crate::http::tests::world::Read;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::entry;
use crate::http::tests::world::heartbeat;
use crate::http::tests::world::monitor;
use crate::http::tests::world::page;
use crate::http::tests::world::rules;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::view;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::PingKind;
use crate::model::monitor::Monitor;
use crate::model::page::Visibility;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::secret::Secret;

const READ: [(&str, &str); 1] = [("x-api-key", "reader")];
const WRITE: [(&str, &str); 1] = [("x-api-key", "writer")];

fn token(name: &str, scope: Scope) -> ApiToken {
    ApiToken { name: name.to_owned(), hash: Secret::new(data_encoding::HEXLOWER.encode(&sha256(name.as_bytes()))), scope }
}

fn labelled(view: MonitorView, group: &str, label: (&str, &str)) -> MonitorView {
    let labels = std::iter::once((label.0.to_owned(), label.1.to_owned())).collect();
    let monitor = Monitor { group: Some(group.to_owned()), labels, ..view.monitor.as_ref().clone() };
    MonitorView { monitor: Arc::new(monitor), ..view }
}

async fn world() -> World {
    let timed = Heartbeat { schedule: Schedule::cron("0 2 * * *", Some("Europe/Riga"), CronRules::Vixie).unwrap(), ..rules() };
    let views = vec![
        labelled(
            heartbeat("nightly", timed, &[(600, PingKind::Start, None), (300, PingKind::Success, None)]),
            "night jobs",
            ("team", "data"),
        ),
        heartbeat("hourly", rules(), &[(3700, PingKind::Success, None), (30, PingKind::Start, None)]),
        heartbeat("broken", rules(), &[(60, PingKind::Fail, None)]),
        heartbeat("fresh", rules(), &[(60, PingKind::Start, None), (30, PingKind::Success, None), (20, PingKind::Start, None)]),
        view(monitor("api", "api.internal"), None),
    ];
    let mut config = config();
    config.auth.tokens = vec![token("reader", Scope::Read), token("writer", Scope::Write)];
    config.pages =
        vec![Arc::new(page("prod", Visibility::Public, &["nightly", "api"])), Arc::new(page("inside", Visibility::Private, &["broken"]))];
    let world = World::new(snapshot(config, views)).await;
    *world.shelf.pings.lock().unwrap() = vec![entry("nightly", 7, b"done\xff"), entry("nightly", 6, b"")];
    world
}

fn json(read: &Read) -> Value {
    assert_eq!(read.header("content-type"), "application/json", "{}", read.body);
    serde_json::from_str(&read.body).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn checks_have_the_shape_that_clients_know() {
    let world = world().await;
    let list = json(&world.get("/api/v3/checks/", &WRITE).await);
    assert_eq!(names(&list), ["nightly", "hourly", "broken", "fresh"], "heartbeats, in the order of the config");
    let check = &list["checks"][0];
    let uuid = check["uuid"].as_str().unwrap();
    let at = format!("http://localhost:8080/api/v3/checks/{uuid}");
    let expected = serde_json::json!({
        "name": "nightly", "slug": "nightly", "tags": "night-jobs team=data", "desc": "", "grace": 600, "n_pings": 7, "status": "up",
        "started": false, "last_ping": "2026-06-30T11:55:00+00:00", "next_ping": "2026-06-30T23:00:00+00:00", "manual_resume": false,
        "methods": "", "subject": "", "subject_fail": "", "start_kw": "", "success_kw": "", "failure_kw": "", "filter_subject": false,
        "filter_body": false, "filter_http_body": false, "filter_default_fail": false,
        "badge_url": "http://localhost:8080/badge/prod/nightly/up-down.svg", "last_duration": 300, "uuid": uuid,
        "ping_url": format!("http://localhost:8080/ping/{uuid}"), "update_url": at, "pause_url": format!("{at}/pause"),
        "resume_url": format!("{at}/resume"), "channels": "", "schedule": "0 2 * * *", "tz": "Europe/Riga",
    });
    assert_eq!(check, &expected);
    assert_eq!(list["checks"][1]["timeout"], 3600);
    let states = |list: &Value| list["checks"].as_array().unwrap().iter().map(|check| check["status"].clone()).collect::<Vec<_>>();
    assert_eq!(states(&list), ["up", "grace", "down", "up"]);
    let first = json(&world.get("/api/v1/checks/", &WRITE).await);
    assert_eq!(states(&first), ["up", "started", "down", "started"], "the first version calls a run a state");
    assert_eq!(json(&world.get(&format!("/api/v3/checks/{}", uuid.to_uppercase()), &WRITE).await), expected);
}

#[tokio::test]
async fn readers_learn_no_address_to_ping() {
    let world = world().await;
    let full = json(&world.get("/api/v2/checks/", &WRITE).await);
    let read = world.get("/api/v2/checks/", &READ).await;
    let list = json(&read);
    let uuid = full["checks"][0]["uuid"].as_str().unwrap();
    assert!(!read.body.contains(uuid) && !read.body.contains("/ping/") && !read.body.contains("update_url"));
    let key = list["checks"][0]["unique_key"].as_str().unwrap();
    let one = json(&world.get(&format!("/api/v2/checks/{key}"), &READ).await);
    assert_eq!(one, list["checks"][0]);
    assert_eq!(world.get(&format!("/api/v2/checks/{}", "0".repeat(40)), &READ).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tags_and_slug_choose() {
    let world = world().await;
    for (query, expected) in [
        ("?tag=team%3Ddata", &["nightly"][..]),
        ("?tag=team%3Ddata&tag=night-jobs", &["nightly"]),
        ("?tag=team%3Ddata&tag=other", &[]),
        ("?slug=hourly", &["hourly"]),
        ("?slug=", &["nightly", "hourly", "broken", "fresh"]),
    ] {
        let list = json(&world.get(&format!("/api/v3/checks/{query}"), &READ).await);
        assert_eq!(names(&list), expected, "{query}");
    }
}

#[tokio::test]
async fn pings_flips_channels_and_badges_are_told() {
    let world = world().await;
    let list = json(&world.get("/api/v3/checks/?slug=nightly", &READ).await);
    let at = format!("/api/v3/checks/{}", list["checks"][0]["unique_key"].as_str().unwrap());
    let pings = json(&world.get(&format!("{at}/pings/"), &READ).await);
    let body_url = format!("http://localhost:8080{at}/pings/7/body");
    let expected = serde_json::json!({
        "type": "success", "date": "2026-06-30T11:59:00.000000+00:00", "n": 7, "scheme": "http", "remote_addr": "198.51.100.77",
        "method": "POST", "ua": "curl/8.5.0", "rid": null, "duration": 4.2, "exitstatus": 0, "body_url": body_url,
    });
    assert_eq!(pings["pings"][0], expected);
    assert_eq!(pings["pings"][1]["body_url"], Value::Null);
    let body = world.get(&format!("{at}/pings/7/body"), &READ).await;
    assert_eq!(
        (body.status, body.header("content-type"), body.body.as_str()),
        (StatusCode::OK, "text/plain; charset=utf-8", "done\u{fffd}")
    );
    assert_eq!(world.get(&format!("{at}/pings/6/body"), &READ).await.status, StatusCode::NOT_FOUND);
    let flips = json(&world.get(&format!("{at}/flips/?seconds=3600"), &READ).await);
    assert_eq!(flips, serde_json::json!({ "flips": [] }));
    let bad = world.get(&format!("{at}/flips/?seconds=soon"), &READ).await;
    assert!(bad.status == StatusCode::BAD_REQUEST && json(&bad)["error"].as_str().unwrap().contains("whole numbers"));
    assert_eq!(json(&world.get("/api/v3/channels/", &READ).await), serde_json::json!({ "channels": [] }));
    let badges = json(&world.get("/api/v3/badges/", &READ).await);
    assert_eq!(badges["badges"]["prod"]["svg3"], "http://localhost:8080/badge/prod/status.svg");
    assert_eq!(badges["badges"].as_object().unwrap().len(), 1, "no page that is not public");
}

#[tokio::test]
async fn keys_are_asked_for_and_errors_are_json() {
    let world = world().await;
    let cookie = world.sign_in().await;
    for (headers, error) in [
        (&[][..], "missing api key"),
        (&[("cookie", cookie.as_str())], "missing api key"),
        (&[("x-api-key", "wrong")], "wrong api key"),
        (&[("authorization", "Bearer wrong")], "wrong api key"),
    ] {
        let answer = world.get("/api/v3/checks/", headers).await;
        assert_eq!((answer.status, json(&answer)), (StatusCode::UNAUTHORIZED, serde_json::json!({ "error": error })));
    }
    assert_eq!(world.get("/api/v3/checks/", &[("authorization", "Bearer reader")]).await.status, StatusCode::OK);
    assert_eq!(world.get("/api/v3/status/", &[]).await.body, "OK");
    world.shelf.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let answer = world.get("/api/v3/checks/", &READ).await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.get("/api/v3/status/", &[]).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn nothing_is_written_and_other_sites_may_read() {
    let world = world().await;
    let list = json(&world.get("/api/v1/checks/", &WRITE).await);
    let at = format!("/api/v1/checks/{}", list["checks"][0]["uuid"].as_str().unwrap());
    for (method, path, status, says) in [
        ("POST", "/api/v1/checks/".to_owned(), StatusCode::FORBIDDEN, "YAML in git"),
        ("POST", at.clone(), StatusCode::FORBIDDEN, "YAML in git"),
        ("DELETE", at.clone(), StatusCode::FORBIDDEN, "YAML in git"),
        ("POST", format!("{at}/pause"), StatusCode::FORBIDDEN, "/api/v1/monitors/<id>/pause"),
        ("GET", format!("{at}/resume"), StatusCode::METHOD_NOT_ALLOWED, "only read"),
        ("POST", format!("{at}/pings/"), StatusCode::METHOD_NOT_ALLOWED, "only read"),
        ("PUT", "/api/v1/channels/".to_owned(), StatusCode::METHOD_NOT_ALLOWED, "only read"),
        ("POST", "/api/v1/status/".to_owned(), StatusCode::METHOD_NOT_ALLOWED, "only read"),
    ] {
        let answer = world.ask(method, &path, &WRITE, "{\"name\": \"x\"}").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(json(&answer)["error"].as_str().unwrap().contains(says), "{method} {path}: {}", answer.body);
        assert!(!world.ask(method, &path, &[], "").await.status.is_success());
    }
    assert!(world.asked.lock().unwrap().is_empty());
    let preflight = world.ask("OPTIONS", "/api/v3/checks/", &[("origin", "https://dash.example")], "").await;
    assert_eq!((preflight.status, preflight.body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(preflight.header("access-control-allow-headers"), "X-Api-Key");
    assert_eq!(world.get("/api/v3/checks/", &[]).await.header("access-control-allow-origin"), "*");
}
