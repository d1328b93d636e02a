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
