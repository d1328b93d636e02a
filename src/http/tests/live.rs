//! The stream of events, asked for in memory: what is news, when it is said, and when it ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::StatusCode;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::answer::Answer;
use crate::http::limits::STREAM_IDS_MAX;
use crate::http::limits::STREAM_QUIET_LOOKS;
use crate::http::limits::STREAMS_MAX;
use crate::http::limits::STREAMS_PER_VIEWER_MAX;
use crate::http::live::news;
use crate::http::tests::world::NOON;
use crate::http::tests::world::STRANGER;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::id;
use crate::http::tests::world::monitor;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::user;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::model::verdict::Verdict;

async fn open(world: &World, cookie: &str) -> Answer {
    open_from(world, cookie, ("sec-fetch-site", "same-origin")).await
}

async fn open_from(world: &World, cookie: &str, from: (&str, &str)) -> Answer {
    let request = Request::builder().uri("/api/v1/events").header("host", "localhost");
    let request = request.header("cookie", cookie).header(from.0, from.1);
    world.site.answer(request.body(Full::new(Bytes::new())).unwrap(), STRANGER).await
}

/// The next words; `None` when it ended.
async fn next(stream: &mut Answer) -> Option<String> {
    let frame = stream.body_mut().frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

/// Changes one monitor, as the engine would: the others stay the same objects.
fn alter(snapshot: &mut Snapshot, name: &str, change: impl FnOnce(&mut MonitorView)) {
    let mut view = snapshot.monitors[&id(name)].as_ref().clone();
    change(&mut view);
    snapshot.monitors.insert(id(name), Arc::new(view));
}

fn check_again(view: &mut MonitorView) {
    let mut last = view.last.as_deref().unwrap().clone();
    last.at = last.at + Duration::from_secs(30);
    view.last = Some(Arc::new(last));
}

/// What becomes news when a snapshot of three monitors changes so.
#[track_caller]
fn assert_news(change: impl FnOnce(&mut Snapshot), expected: &str) {
    let before = snapshot(config(), ["a", "b", "c"].map(|name| view(monitor(name, name), None)).into());
    let mut after = Snapshot { revision: before.revision + 1, ..before.clone() };
    change(&mut after);
    let said = news(&before, &after).map(|news| {
        assert_eq!(news.revision, format!("{}.2", before.started_at.0));
        let all = [("everything", news.everything), ("checked many", news.checked_many)].into_iter().filter(|(_, holds)| *holds);
        let all: Vec<&str> = all.map(|(word, _)| word).collect();
        format!("{} changed[{}] checked[{}]", all.join(" "), news.changed.join(" "), news.checked.join(" ")).trim().to_owned()
    });
    assert_eq!(said.as_deref().unwrap_or("nothing"), expected);
}

#[test]
fn news_says_what_is_different_and_keeps_mere_checks_apart() {
    assert_news(|_| {}, "nothing");
    assert_news(|after| alter(after, "b", |view| view.next_check_at = None), "nothing");
    assert_news(|after| alter(after, "b", check_again), "changed[] checked[b]");
    assert_news(|after| alter(after, "b", |view| view.verdict = Verdict::Down), "changed[b] checked[]");
    assert_news(|after| alter(after, "c", |view| view.paused_by_operator = true), "changed[c] checked[]");
    assert_news(
        |after| {
            alter(after, "a", check_again);
            alter(after, "c", |view| view.opinion.state = crate::model::verdict::OpinionState::Suspect);
        },
        "changed[c] checked[a]",
    );
    assert_news(|after| after.config = Arc::new(config()), "everything changed[] checked[]");
    let trouble = crate::engine::snapshot::TroubleView { title: "disk".to_owned(), text: "full".to_owned(), since: NOON };
    assert_news(|after| after.troubles.push(trouble), "everything changed[] checked[]");
}

#[test]
fn very_many_are_not_named() {
    let views = || (0..STREAM_IDS_MAX + 1).map(|i| view(monitor(&format!("m{i}"), "db"), None)).collect::<Vec<_>>();
    let before = snapshot(config(), views());
    let altered = |change: fn(&mut MonitorView)| {
        let mut after = Snapshot { revision: 2, ..before.clone() };
        for i in 0..=STREAM_IDS_MAX {
            alter(&mut after, &format!("m{i}"), change);
        }
        news(&before, &after).unwrap()
    };
    let down = altered(|view| view.verdict = Verdict::Down);
    assert!(down.everything && down.changed.is_empty());
    let checked = altered(check_again);
    assert!(checked.checked_many && checked.checked.is_empty() && !checked.everything);
}

#[tokio::test(start_paused = true)]
async fn a_stream_says_where_things_stand_then_what_changes_and_that_it_lives() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let mut stream = open(&world, &cookie).await;
    assert_eq!(stream.status(), StatusCode::OK);
    let hello = next(&mut stream).await.unwrap();
    assert!(hello.starts_with("retry: 5000\nevent: news\nid: ") && hello.ends_with("\n\n"), "{hello}");
    world.show(|snapshot| alter(snapshot, "api", check_again));
    world.show(|snapshot| alter(snapshot, "api", |view| view.verdict = Verdict::Up));
    let told = next(&mut stream).await.unwrap();
    assert!(told.contains("\"changed\":[\"api\"],\"checked\":[]"), "two changes within a second are one event: {told}");
    let begin = tokio::time::Instant::now();
    assert_eq!(next(&mut stream).await.unwrap(), ": still here\n\n");
    assert_eq!(begin.elapsed(), Duration::from_secs(u64::from(STREAM_QUIET_LOOKS)));
}

#[tokio::test(start_paused = true)]
async fn only_our_own_pages_open_one() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    for (name, value, is_ours) in [
        ("sec-fetch-site", "same-origin", true),
        ("sec-fetch-site", "cross-site", false),
        ("origin", "http://localhost", true),
        ("origin", "http://evil.example", false),
        // All that is said without TLS.
        ("referer", "http://localhost/monitors?state=down", true),
        ("referer", "http://localhost.evil.example/monitors", false),
        ("referer", "http://evil.example/?http://localhost/", false),
        ("accept", "text/event-stream", false),
    ] {
        let status = open_from(&world, &cookie, (name, value)).await.status();
        assert_eq!(status == StatusCode::OK, is_ours, "{name}: {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_its_reader_may_no_longer_look() {
    let ends_within_two = async |stream: &mut Answer| {
        let end = async { while next(stream).await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(2), end).await.is_ok()
    };
    // Signed out.
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let mut stream = open(&world, &cookie).await;
    next(&mut stream).await.unwrap();
    assert!(!ends_within_two(&mut stream).await, "it goes on while the session lives");
    world.post("/sign-out", &cookie, "").await;
    assert!(ends_within_two(&mut stream).await);
    assert_eq!(open(&world, &cookie).await.status(), StatusCode::UNAUTHORIZED);
    // The password was changed; here: the owner's sessions end with any change of who may come in.
    let cookie = world.sign_in().await;
    let mut stream = open(&world, &cookie).await;
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        config.auth.users = vec![user("ops", "new password")];
        snapshot.config = Arc::new(config);
    });
    assert!(ends_within_two(&mut stream).await);
}

#[tokio::test(start_paused = true)]
async fn waiting_is_no_use_of_a_session() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let mut stream = open(&world, &cookie).await;
    next(&mut stream).await.unwrap();
    world.clock.advance(crate::http::limits::SESSION_IDLE);
    assert_eq!(next(&mut stream).await, None, "nobody looked for a day");
}

#[tokio::test(start_paused = true)]
async fn places_are_counted_by_name_and_in_all() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let mut open_now = Vec::new();
    for _ in 0..STREAMS_PER_VIEWER_MAX {
        open_now.push(open(&world, &cookie).await);
    }
    assert!(open_now.iter().all(|stream| stream.status() == StatusCode::OK));
    let refused = open(&world, &cookie).await;
    let wait = refused.headers().get("retry-after").and_then(|wait| wait.to_str().ok()).map(ToOwned::to_owned);
    assert_eq!((refused.status(), wait.as_deref()), (StatusCode::SERVICE_UNAVAILABLE, Some("5")));
    drop(refused);
    open_now.pop();
    open_now.push(open(&world, &cookie).await);
    assert_eq!(open_now.last().unwrap().status(), StatusCode::OK);
    const { assert!(STREAMS_PER_VIEWER_MAX < STREAMS_MAX && STREAMS_MAX < crate::http::limits::CONNECTIONS_MAX / 2) };
}
