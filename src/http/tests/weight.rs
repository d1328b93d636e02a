//! How heavy the largest pages are. Bytes, not time: they do not depend on the machine.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Recent;
use crate::engine::snapshot::Snapshot;
use crate::http::tests::regions::cluster;
use crate::http::tests::regions::vote;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::monitor;
use crate::http::tests::world::page;
use crate::http::tests::world::slug;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::view;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::subscription::Subscriptions;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::ui::component::bar::DayBar;

/// `n` monitors with full charts; every fiftieth is down.
fn many(n: usize) -> Vec<MonitorView> {
    let one = |i: usize| {
        let mut monitor = monitor(&format!("service-{i:04}.example.com"), "service.internal");
        monitor.group = Some("Production".to_owned());
        let failure = Failure::Refused { at: format!("198.51.100.{}:443", i % 250) };
        let mut view = view(monitor, i.is_multiple_of(50).then_some(failure));
        let took = |k: usize| Duration::from_micros(40_000 + (k * 7_919 + i * 104_729) as u64 % 90_000);
        let outcome = |k: usize| if k.is_multiple_of(17) { Outcome::Degraded } else { Outcome::Up };
        view.recent = (0..60).map(|k| Recent { at: NOON, outcome: outcome(k), took: took(k) }).collect();
        view
    };
    (0..n).map(one).collect()
}

#[tokio::test]
async fn a_thousand_monitors_fit_into_400_kilobytes() {
    let world = World::new(snapshot(config(), many(1000))).await;
    let cookie = world.sign_in().await;
    let html = world.get("/monitors?show=all", &[("cookie", &cookie)]).await.body;
    eprintln!("all of a thousand monitors: {} bytes", html.len());
    assert_eq!(html.matches("<tr class=\"is-").count(), 1000);
    assert!(html.len() < 400_000, "{} bytes", html.len());
    let wire = world.get("/monitors?show=all", &[("cookie", &cookie), ("accept-encoding", "gzip")]).await;
    eprintln!("on the wire: {} bytes", wire.n_bytes);
    assert_eq!((wire.header("content-encoding"), wire.header("vary")), ("gzip", "accept-encoding"));
    assert!(wire.n_bytes < 40_000, "{} bytes on the wire", wire.n_bytes);
    let html = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    // Live pages fetch themselves again and again. What may stand in an address is not compressed with what others must not know.
    let weight = async |path: &str| world.get(path, &[("cookie", &cookie), ("accept-encoding", "gzip")]).await;
    let packed = weight("/monitors?show=all").await;
    assert_eq!((packed.header("content-encoding"), packed.header("vary")), ("gzip", "accept-encoding"));
    assert!(packed.n_bytes < 25_000, "{} bytes", packed.n_bytes);
    for path in [
        "/monitors?show=all&q=service",
        "/monitors?group=x",
        "/monitors?label=x",
        "/monitors?state=x",
        "/monitors?by=x",
        "/config",
        "/incidents?template=x",
    ] {
        let plain = weight(path).await;
        assert!(plain.status == StatusCode::OK && plain.headers.get("content-encoding").is_none(), "{path}");
    }
    eprintln!("those of them that fail: {} bytes", html.len());
    assert_eq!(html.matches("<tr class=\"is-").count(), 20, "at first only those that fail");
    assert!(html.len() < 40_000, "{} bytes", html.len());
}

#[tokio::test]
async fn so_they_do_with_five_regions() {
    let regions = ["eu", "us", "ap", "sa", "home"];
    let mut views = many(1000);
    for (i, view) in views.iter_mut().enumerate() {
        // Every tenth is not seen well from everywhere.
        let bad = |k: usize| i.is_multiple_of(10) && k == i / 10 % regions.len();
        let state = |k| if bad(k) { OpinionState::Down } else { OpinionState::Up };
        view.votes =
            regions.iter().enumerate().map(|(k, name)| vote(name, state(k), None, bad(k).then_some("connection refused"))).collect();
    }
    let world = World::new(Snapshot { cluster: Some(cluster(&regions)), ..snapshot(config(), views) }).await;
    let cookie = world.sign_in().await;
    let html = world.get("/monitors?show=all", &[("cookie", &cookie)]).await.body;
    eprintln!("a thousand monitors with five regions: {} bytes", html.len());
    assert_eq!(html.matches("/5").count(), 1000, "each row says how many of five");
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[tokio::test]
async fn a_status_page_of_fifty_monitors_and_ninety_days_weighs_25_kilobytes_in_four_requests() {
    let views = many(50);
    let ids: Vec<String> = views.iter().map(|view| view.monitor.id.to_string()).collect();
    let mut config = config();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let subscriptions = Some(Subscriptions { email: None, webhook: true, allow_private: false, n_max: 10 });
    config.pages = vec![Arc::new(StatusPage { subscriptions, ..page("prod", Visibility::Public, &ids) })];
    let world = World::new(snapshot(config, views)).await;
    world.read_history().await;
    let mut book = world.book.borrow().as_ref().clone();
    let states = [Verdict::Up, Verdict::Down, Verdict::Up, Verdict::Degraded, Verdict::Up, Verdict::Unknown, Verdict::Paused];
    for past in book.pages.get_mut(&slug("prod")).expect("the page was read").monitors.values_mut() {
        assert_eq!(past.days.len(), 90);
        for (i, day) in past.days.iter_mut().enumerate() {
            *day = DayBar {
                worst: states[i % states.len()],
                up_fraction: Some(0.98),
                down_minutes: 20,
                maintenance_minutes: if i % 7 == 2 { 120 } else { 0 },
                date: day.date.clone(),
            };
        }
    }
    book.generation += 1;
    world.book.send_replace(Arc::new(book));
    let html = world.get("/status/prod", &[]).await.body;
    let packed = async |path: &str| world.get(path, &[("accept-encoding", "gzip")]).await.n_bytes;
    let mut weights = vec![packed("/status/prod").await];
    for attribute in html.split('"').filter(|value| value.starts_with("/assets/") || *value == "/favicon.svg") {
        weights.push(packed(attribute).await);
    }
    // The page, its style sheet, its script and its icon.
    assert!(weights.len() <= 4 && weights.iter().sum::<usize>() <= 25_000, "{weights:?}");
    assert!(html.len() < 200_000, "{} bytes", html.len());
    assert_eq!(html.matches("<svg class=\"days\"").count(), 50);
    for bar in html.split("<svg class=\"days\"").skip(1) {
        let bar = bar.split("</svg>").next().expect("it ends");
        assert_eq!(bar.matches("<path").count(), 6, "one per colour, and one of marks: {bar}");
        assert!(bar.contains("last 90 days: 13 with an outage, 13 degraded, 13 without data, 13 with maintenance"), "{bar}");
    }
}
