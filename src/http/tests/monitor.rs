//! The page of one monitor: its ranges, its newest results, and what the database need not say for it to be shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::usual;
use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;

const HOUR_MS: i64 = 3_600_000;

/// Sums that end an hour before noon, one for each of `n` steps.
fn sums(n: i64, step_ms: i64, p50_us: u32) -> Vec<Rollup> {
    let begin = UnixMillis(NOON.0 - HOUR_MS - n * step_ms);
    let one = |i: i64| Rollup {
        start: UnixMillis(begin.0.div_euclid(step_ms) * step_ms + i * step_ms),
        n_up: 5,
        n_down: 1,
        p50_us,
        p95_us: 2 * p50_us,
        p99_us: 3 * p50_us,
        phase_mean_us: [1000, 2000, 0, p50_us / 2, 0],
        ..Rollup::default()
    };
    (0..n).map(one).collect()
}

async fn world() -> (World, String) {
    let world = World::new(usual()).await;
    let kept = [(Resolution::FiveMinutes, sums(48, 300_000, 20_000)), (Resolution::Hour, sums(24 * 40, HOUR_MS, 70_000))];
    *world.shelf.rollups.lock().unwrap() = kept.into();
    let last = Arc::clone(world.engine.snapshot().monitors.values().next().unwrap().last.as_ref().unwrap());
    let result = |i: u64| CheckResult {
        at: NOON.minus(Duration::from_secs(60 * i)),
        outcome: if i == 1 { Outcome::Down } else { Outcome::Up },
        status: Some(u16::try_from(200 + i).unwrap()),
        ..last.as_ref().clone()
    };
    *world.shelf.results.lock().unwrap() = (1..=30).map(result).collect();
    let cookie = world.sign_in().await;
    (world, cookie)
}

#[tokio::test]
async fn every_range_is_a_link_and_draws_what_is_kept_for_it() {
    let (world, cookie) = world().await;
    for (range, n_rows, shown) in [
        ("1h", 0, "No response times in this stretch."),
        ("6h", 48, "99th percentile"),
        ("24h", 16, "Each point stands for 15 min. Its median is that of the medians in it"),
        ("7d", 84, "Each point stands for 2 h."),
        ("30d", 90, "Each point stands for 8 h."),
        ("90d", 41, "Each point stands for 1 d."),
        ("1y", 11, "Each point stands for 4 d."),
        ("nonsense", 16, "Each point stands for 15 min."),
    ] {
        let html = world.get(&format!("/monitors/api?range={range}"), &[("cookie", &cookie)]).await.body;
        let table = html.split("<table class=\"list latencies\"").nth(1).unwrap_or_default();
        let rows = table.split("</table>").next().unwrap_or_default().matches("<tr data-x=").count();
        assert!(rows.abs_diff(n_rows) <= 1, "{range}: {rows} rows");
        assert!(html.contains(shown), "{range}: {shown} in {html}");
        let current = if range == "nonsense" { "24h" } else { range };
        let link = format!("<a href=\"/monitors/api?range={current}#range\" aria-current=\"true\">{current}</a>");
        assert!(html.contains(&link), "{range}: {html}");
        assert!(html.len() < 120_000, "{range}: {} bytes", html.len());
        eprintln!("{range}: {} bytes", html.len());
    }
}

#[tokio::test]
async fn the_newest_results_are_there_with_what_happened() {
    let (world, cookie) = world().await;
    let html = world.get("/monitors/api", &[("cookie", &cookie)]).await.body;
    let table = html.split("<table class=\"list results\"").nth(1).unwrap().split("</table>").next().unwrap();
    assert_eq!(table.matches("<tr data-key=\"result ").count(), 20, "each known by when it began: {table}");
    assert!(table.contains("canary-transcript") && table.contains("<td>201</td>") && table.contains("canary-error in the body"), "{table}");
    for what in ["Over the last 24h", "<dt>Available</dt><dd><b>100 %</b>", "data-watch=\"api\""] {
        assert!(html.contains(what), "{what} in {html}");
    }
}

#[tokio::test]
async fn the_present_is_shown_when_the_past_cannot_be_read() {
    let (world, cookie) = world().await;
    world.shelf.is_broken.store(true, Ordering::Relaxed);
    let html = world.get("/monitors/api?range=7d", &[("cookie", &cookie)]).await.body;
    assert!(html.contains("The history cannot be read at the moment.") && html.contains("canary-error in the body"), "{html}");
}
