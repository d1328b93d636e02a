//! Maintenance windows on pages: visitors read of what their page lists, and of nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::OpenWindow;
use crate::engine::snapshot::Snapshot;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::id;
use crate::http::tests::world::usual;
use crate::model::maintenance::Selection;
use crate::model::maintenance::Span;
use crate::model::maintenance::When;
use crate::model::maintenance::Window;
use crate::model::monitor::Origin;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::schedule::Zone;
use crate::model::verdict::Verdict;

const HOUR: Duration = Duration::from_secs(3600);

fn window(name: &str, monitors: &[&str], when: When) -> Arc<Window> {
    Arc::new(Window {
        name: name.to_owned(),
        wanted: Selection::default(),
        monitors: monitors.iter().map(|monitor| id(monitor)).collect::<BTreeSet<_>>(),
        when,
        message: Some(format!("message of {name}")),
        origin: Origin { file: Arc::new("config.yaml".into()), line: 1 },
    })
}

pub(super) fn once(name: &str, monitors: &[&str], from_hours: u32, to_hours: u32) -> Arc<Window> {
    let span = Span { from: NOON.minus(HOUR) + HOUR * from_hours, to: NOON.minus(HOUR) + HOUR * to_hours };
    window(name, monitors, When::Once(span, Zone::utc()))
}

fn hourly(name: &str, monitors: &[&str]) -> Arc<Window> {
    match Schedule::cron("30 * * * *", None, CronRules::Vixie).expect("a schedule") {
        Schedule::Timed(timed) => window(name, monitors, When::Cron(timed, Duration::from_secs(60))),
        Schedule::Interval(_) => panic!("a cron expression is no interval"),
    }
}

/// The usual world, in which `api` is in maintenance and more is planned.
fn planned() -> Snapshot {
    let mut snapshot = usual();
    let mut config = snapshot.config.as_ref().clone();
    config.maintenance = vec![
        once("later", &["api"], 5, 6),
        once("now", &["api", "canary-hidden"], 0, 2),
        once("canary-elsewhere", &["canary-hidden"], 0, 2),
        once("canary-past", &["api"], 0, 1),
        once("canary-in-a-month", &["api"], 24 * 30, 24 * 31),
        hourly("hourly", &["api"]),
    ];
    let open = OpenWindow { window: Arc::clone(&config.maintenance[1]), span: Span { from: NOON.minus(HOUR), to: NOON + HOUR } };
    let view = snapshot.monitors[&id("api")].as_ref().clone();
    let view = MonitorView { verdict: Verdict::Maintenance, upkeep: Some(open), ..view };
    snapshot.monitors.insert(id("api"), Arc::new(view));
    snapshot.config = Arc::new(config);
    snapshot
}

#[tokio::test]
async fn visitors_read_of_windows_of_what_their_page_lists() {
    let world = World::new(planned()).await;
    let page = world.ask("GET", "/status/prod", &[], "").await.body;
    for said in ["1 service is in maintenance", "Under way", "message of now", "Planned", "message of later", "Affects api"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("canary"), "{page}");
    // What comes again is one card with all of its next times.
    assert_eq!(page.matches("message of hourly").count(), 1, "{page}");
    let card = page.split("<article").find(|card| card.contains("message of hourly")).expect("a card");
    assert_eq!(card.matches("class=\"when\"").count(), 3, "{card}");
    let json: serde_json::Value = serde_json::from_str(&world.ask("GET", "/status/prod.json", &[], "").await.body).expect("JSON");
    let names: Vec<&str> = json["maintenance"].as_array().expect("a list").iter().filter_map(|window| window["name"].as_str()).collect();
    assert_eq!(names, ["now", "hourly", "hourly", "hourly", "later"], "open ones first, and of one that comes often the next few");
    assert_eq!(json["maintenance"][0]["open"], true);
    assert_eq!(json["maintenance"][0]["services"], serde_json::json!(["api"]));
    assert_eq!((json["status"].as_str(), json["groups"][0]["services"][0]["status"].as_str()), (Some("maintenance"), Some("maintenance")));
    let badge = world.ask("GET", "/badge/prod/api/status.json", &[], "").await.body;
    assert!(badge.contains("\"maintenance\""), "{badge}");
}

#[tokio::test]
async fn whoever_is_signed_in_sees_all_windows_and_their_next_times_in_their_zones() {
    let mut snapshot = planned();
    let mut config = snapshot.config.as_ref().clone();
    let rule = Schedule::cron("0 22 * * TUE", Some("Europe/Riga"), CronRules::Vixie).expect("a schedule");
    let Schedule::Timed(timed) = rule else { panic!("a cron expression is no interval") };
    config.maintenance.push(window("patching", &["api"], When::Cron(timed, HOUR * 4)));
    config.maintenance.push(window("for-nobody", &[], config.maintenance[0].when.clone()));
    snapshot.config = Arc::new(config);
    let world = World::new(snapshot).await;
    assert_eq!(world.get("/maintenance", &[]).await.status, hyper::StatusCode::SEE_OTHER, "not for strangers");
    let cookie = world.sign_in().await;
    let page = world.get("/maintenance", &[("cookie", &cookie)]).await.body;
    let card = |name: &str| {
        let key = format!("data-key=\"{name}\"");
        page.split("<article").find(|card| card.contains(&key)).unwrap_or_else(|| panic!("{name}: {page}"))
    };
    for (name, state, n_times) in
        [("now", "Under way", 1), ("later", "Planned", 1), ("canary-past", "Over", 0), ("hourly", "Planned", 5), ("patching", "Planned", 5)]
    {
        let card = card(name);
        let others = ["Under way", "Planned", "Over"].iter().filter(|word| **word != state).any(|word| card.contains(word));
        assert!(card.contains(state) && !others && card.contains("config.yaml:1<"), "{name}: {card}");
        assert_eq!(card.matches("<li>").count(), n_times, "{name}: {card}");
    }
    assert!(card("canary-past").contains("does not come again") && card("canary-past").contains("once, Tue 2026-06-30 11:00 – 12:00"));
    let patching = card("patching");
    // By the wall in Riga, over midnight; the tooltip has UTC.
    for said in [
        "Tue 2026-06-30 22:00 – Wed 2026-07-01 02:00",
        "2026-06-30 19:00:00 UTC",
        "Europe/Riga",
        "cron 0 22 * * TUE for 4h",
        "href=\"/monitors/api\"",
    ] {
        assert!(patching.contains(said), "{said}: {patching}");
    }
    assert!(card("for-nobody").contains("no monitor"), "{}", card("for-nobody"));
    let places: Vec<usize> =
        ["now", "hourly", "later", "canary-past"].iter().map(|name| page.find(&format!("data-key=\"{name}\"")).unwrap()).collect();
    assert!(places.is_sorted(), "under way, then by their next times, then what is over: {page}");
}
