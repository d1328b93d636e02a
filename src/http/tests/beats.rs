//! The page of a heartbeat: what is said in words, what is listed, and who sees the addresses.

use std::sync::Arc;
use std::time::Duration;

use crate::config::ApiToken;
use crate::config::Scope;
use crate::engine::snapshot::MonitorView;
use crate::http::random::sha256;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::entry;
use crate::http::tests::world::heartbeat;
use crate::http::tests::world::page;
use crate::http::tests::world::rules;
use crate::http::tests::world::snapshot;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::Resume;
use crate::model::page::Visibility;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::secret::Secret;
use crate::model::verdict::Verdict;

/// A world with this heartbeat, which is called `job` and is on a public page.
async fn world(view: MonitorView) -> World {
    let mut config = config();
    config.pages = vec![Arc::new(page("prod", Visibility::Public, &["job"]))];
    World::new(snapshot(config, vec![view])).await
}

async fn shown(view: MonitorView) -> String {
    let world = world(view).await;
    let cookie = world.sign_in().await;
    world.get("/monitors/job", &[("cookie", &cookie)]).await.body
}

#[tokio::test]
async fn a_page_says_in_words_how_it_stands() {
    let silent = Heartbeat { first_ping: FirstPing::Optional, ..rules() };
    let manual = Heartbeat { resume: Resume::Manual, ..rules() };
    let hasty = Heartbeat { min_runtime: Some(Duration::from_secs(60)), ..rules() };
    let paused = |rules: Heartbeat| MonitorView {
        verdict: Verdict::Paused,
        paused_by_operator: true,
        ..heartbeat("job", rules, &[(60, PingKind::Success, None)])
    };
    let ok = |ago: u64| [(ago, PingKind::Success, None)];
    for (view, words) in [
        (heartbeat("job", silent, &[]), &["Never pinged", "It waits silently for the first one."][..]),
        (heartbeat("job", rules(), &[(30, PingKind::Start, None)]), &["Waiting", "no run has finished yet", "1 run is open."]),
        (heartbeat("job", rules(), &ok(60)), &["The next report is expected", "every 1 h", "grace 10 min", "Expected after that"]),
        (heartbeat("job", rules(), &ok(3700)), &["Late", "may still come by"]),
        (heartbeat("job", hasty, &[(90, PingKind::Start, None), (60, PingKind::Success, None)]), &["Too fast", "at least 1 min. A slower"]),
        (
            heartbeat("job", rules(), &ok(4 * 3600)),
            &["Down", "A report of success ends this.", "3 runs missed: ", "09:00:00 UTC", "11:00:00 UTC"],
        ),
        (paused(rules()), &["Paused", "The next ping resumes it."]),
        (paused(manual), &["Paused", "until it is resumed."]),
    ] {
        let html = shown(view).await;
        for word in words {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
        assert!(!html.contains("Response time") && !html.contains("Check now"), "nothing is measured of a heartbeat");
    }
}

#[tokio::test]
async fn the_list_begins_with_what_needs_somebody_and_says_when_each_is_expected() {
    let success = |ago: u64| [(ago, PingKind::Success, None)];
    let silent = Heartbeat { first_ping: FirstPing::Optional, ..rules() };
    let resting = MonitorView { verdict: Verdict::Paused, paused_by_operator: true, ..heartbeat("resting", rules(), &success(60)) };
    let views = vec![
        resting,
        heartbeat("fine", rules(), &[(400, PingKind::Start, None), (60, PingKind::Success, None), (20, PingKind::Start, None)]),
        heartbeat("silent", silent, &[]),
        heartbeat("late", rules(), &success(3700)),
        heartbeat("gone", rules(), &success(4 * 3600)),
        heartbeat("sooner", rules(), &success(3000)),
    ];
    let world = World::new(snapshot(config(), views)).await;
    let cookie = world.sign_in().await;
    let html = world.get("/heartbeats", &[("cookie", &cookie)]).await.body;
    let rows: Vec<&str> = html.split("<tr data-key=").skip(1).collect();
    for (row, words) in rows.iter().zip([
        &["\"gone\"", "Down", "3 runs missed", "was expected", "canary-no success"][..],
        &["\"late\"", "Late", "was expected", "may come"],
        &["\"silent\"", "Never pinged", "none yet"],
        &["\"sooner\"", "Up", "every 1 h", "grace 10 min", "in 10 min"],
        &["\"fine\"", "Up", "running for 20 s", "before that 5 min 40 s", "in 59 min"],
        &["\"resting\"", "Paused", "paused"],
    ]) {
        for word in words {
            assert!(row.contains(word), "{word} is missing in {row}");
        }
    }
    assert_eq!(rows.len(), 6);
    assert!(html.contains("<a href=\"/heartbeats\" aria-current=\"page\">Heartbeats</a>"), "{html}");
    let alone = World::new(snapshot(config(), Vec::new())).await;
    let cookie = alone.sign_in().await;
    assert!(!alone.get("/monitors", &[("cookie", &cookie)]).await.body.contains("/heartbeats"), "there is none to look at");
    assert!(alone.get("/heartbeats", &[("cookie", &cookie)]).await.body.contains("There is none yet."));
}

#[tokio::test]
async fn a_calendar_lists_its_next_five_times_and_missing_ones_are_cut() {
    let schedule = Schedule::cron("30 * * * *", None, CronRules::Vixie).unwrap();
    let html = shown(heartbeat("job", Heartbeat { schedule, ..rules() }, &[(20 * 3600, PingKind::Success, None)])).await;
    for word in ["at minute 30 of every hour, UTC", "20 runs missed: ", "and 10 more", "2026-06-30 12:30:00 UTC", "2026-06-30 16:30:00 UTC"]
    {
        assert!(html.contains(word), "{word} is missing in {html}");
    }
    assert!(!html.contains("2026-06-30 17:30:00 UTC"));
}

#[tokio::test]
async fn the_log_tells_what_came_and_long_bodies_are_cut() {
    let view = heartbeat("job", rules(), &[(60, PingKind::Success, None)]);
    let world = world(view).await;
    let mut cut = entry("job", 2, format!("{}the end", "line\n".repeat(1000)).as_bytes());
    cut.body_bytes = 50_000;
    *world.shelf.pings.lock().unwrap() = vec![cut, entry("job", 1, b"<b>done</b>\xff")];
    let cookie = world.sign_in().await;
    let html = world.get("/monitors/job", &[("cookie", &cookie)]).await.body;
    for word in [
        "&lt;b&gt;done&lt;/b&gt;\u{fffd}",
        "Body, 50 kB",
        "Not all of it is shown.",
        "Not all of it was kept",
        "exit status 0",
        "198.51.100.77",
        "POST curl/8.5.0",
        "4.2 s",
        "/api/v1/monitors/job/pings/2/body",
        "last 2 runs, all of them fine",
    ] {
        assert!(html.contains(word), "{word} is missing in {html}");
    }
    assert!(!html.contains("the end"), "a page is not made heavy by bodies");
    world.shelf.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let html = world.get("/monitors/job", &[("cookie", &cookie)]).await.body;
    assert!(html.contains("The pings cannot be read at the moment.") && html.contains("The next report is expected"), "{html}");
}

#[tokio::test]
async fn addresses_are_shown_to_those_who_may_change_things() {
    let view = heartbeat("job", rules(), &[(60, PingKind::Success, None)]);
    let world = world(view).await;
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        let hash = Secret::new(data_encoding::HEXLOWER.encode(&sha256(b"reader")));
        config.auth.tokens = vec![ApiToken { name: "reader".to_owned(), hash, scope: Scope::Read }];
        snapshot.config = Arc::new(config);
    });
    let reader = world.get("/monitors/job", &[("authorization", "Bearer reader")]).await.body;
    assert!(reader.contains("The addresses are secrets") && !reader.contains("/heartbeat/") && !reader.contains("/ping/"), "{reader}");
    let cookie = world.sign_in().await;
    let html = world.get("/monitors/job", &[("cookie", &cookie)]).await.body;
    for word in [
        "http://localhost:8080/heartbeat/",
        "http://localhost:8080/ping/",
        "crontab",
        "systemd",
        "CronJob",
        "PowerShell",
        "GitHub",
        "vigilmon exec",
    ] {
        assert!(html.contains(word), "{word} is missing");
    }
    let public = world.get("/status/prod", &[]).await.body + &world.get("/status/prod.json", &[]).await.body;
    assert!(!public.contains("/heartbeat/") && !public.contains("/ping/"));
}

#[tokio::test]
async fn lists_and_status_pages_have_the_word_for_it() {
    let world = world(heartbeat("job", rules(), &[(3700, PingKind::Success, None)])).await;
    let cookie = world.sign_in().await;
    let dashboard = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    assert!(dashboard.contains("<td>Late</td>") && dashboard.contains("overdue"), "{dashboard}");
    let public = world.get("/status/prod", &[]).await.body;
    assert!(public.contains("Late") && !public.contains(" ms<"), "{public}");
    let json = world.get("/status/prod.json", &[]).await.body;
    assert!(json.contains(r#""name":"job","status":"up","detail":"late""#), "{json}");
}
