//! Status pages: what visitors see, and above all what they do not.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::TroubleView;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::incident;
use crate::http::tests::world::monitor;
use crate::http::tests::world::usual;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::page::StatusPage;
use crate::model::result::Failure;

/// Everything a stranger can read.
async fn everything_public(world: &World) -> String {
    let mut all = String::new();
    let paths = [
        "/",
        "/status/prod",
        "/status/prod.json",
        "/status/inside",
        "/status/partners",
        "/status/prod/theme.css",
        "/status/prod/logo",
        "/sign-in",
        "/robots.txt",
        "/healthz",
        "/monitors",
        "/monitors/api",
        "/api/v1/status",
        "/config",
        "/nothing",
    ];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            let answer = world.ask(method, path, &[("sec-fetch-site", "same-origin")], "").await;
            all.push_str(&format!("{method} {path} {:?}\n{}\n", answer.headers, answer.body));
        }
    }
    all
}

fn edit_page(snapshot: &mut Snapshot, change: impl FnOnce(&mut StatusPage)) {
    let mut config = snapshot.config.as_ref().clone();
    let mut page = config.pages[0].as_ref().clone();
    change(&mut page);
    config.pages[0] = Arc::new(page);
    snapshot.config = Arc::new(config);
}

#[tokio::test]
async fn what_a_page_does_not_show_never_leaves_the_server() {
    let world = World::new(usual()).await;
    let hidden = monitor("canary-hidden", "canary-host");
    let mut past = incident(&monitor("api", "canary-target.internal"), Failure::Body { detail: "canary-cause".to_owned() });
    past.closed = Some(Closed { at: NOON, how: CloseReason::Recovered });
    *world.shelf.incidents.lock().unwrap() = vec![past, incident(&hidden, Failure::Refused { at: "canary-host".to_owned() })];
    world.read_history().await;
    let all = everything_public(&world).await;
    assert!(all.contains("1 of 1 service is down"), "{all}");
    assert!(!all.contains("canary") && !all.contains("198.51.100.77") && !all.contains("eu-west"), "{all}");
}

#[tokio::test]
async fn what_a_page_shows_is_there() {
    let world = World::new(usual()).await;
    world.show(|snapshot| {
        edit_page(snapshot, |page| {
            (page.show.targets, page.show.errors, page.show.regions) = (true, true, true);
        });
    });
    let html = world.get("/status/prod", &[]).await.body;
    for shown in ["canary-target.internal", "canary-error in the body", "eu-west", "Status of prod", "Open incidents"] {
        assert!(html.contains(shown), "{shown}");
    }
    assert!(!html.contains("canary-hidden"));
}

#[tokio::test]
async fn hidden_and_unknown_pages_are_the_same_404() {
    let world = World::new(usual()).await;
    let unknown = world.get("/status/none", &[]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for path in [
        "/status/inside",
        "/nothing",
        "/status/prod/",
        "/status/inside/theme.css",
        "/status/partners/logo",
        "/assets/none.css",
        "/local/status",
        "/local/none",
    ] {
        assert_eq!(world.get(path, &[]).await, unknown, "{path}");
    }
    let unknown = world.get("/status/none.json", &[]).await;
    assert_eq!(world.get("/status/inside.json", &[]).await, unknown);
    assert_eq!(world.get("/status/partners.json", &[]).await, unknown);
    let unknown = world.post("/status/none", "", "password=x").await;
    assert_eq!(world.post("/status/inside", "", "password=x").await, unknown);
    let cookie = world.sign_in().await;
    assert_eq!(world.get("/status/inside", &[("cookie", &cookie)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_with_a_password_opens_with_it() {
    let world = World::new(usual()).await;
    let asked = world.get("/status/partners", &[]).await;
    assert!(asked.status == StatusCode::UNAUTHORIZED && asked.body.contains("Password needed") && !asked.body.contains("Status of"));
    assert_eq!(world.post("/status/partners", "", "password=wrong").await.status, StatusCode::UNAUTHORIZED);
    let cookie = world.post("/status/partners", "", "password=sesame").await.cookie();
    let shown = world.get("/status/partners", &[("cookie", &cookie)]).await;
    assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "private, max-age=10"));
    let forged = cookie.replace("partners=1", "partners=2");
    assert_eq!(world.get("/status/partners", &[("cookie", &forged)]).await.status, StatusCode::UNAUTHORIZED);
    world.clock.advance(Duration::from_secs(7 * 86_400));
    assert_eq!(world.get("/status/partners", &[("cookie", &cookie)]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_are_made_once_and_then_only_confirmed() {
    let world = World::new(usual()).await;
    let first = world.get("/status/prod", &[]).await;
    let tag = first.header("etag").to_owned();
    let again = world.get("/status/prod", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (StatusCode::NOT_MODIFIED, "", tag.as_str()));
    assert_eq!(first.header("cache-control"), "public, max-age=10");
    world.show(|snapshot| edit_page(snapshot, |page| page.title = "Another title".to_owned()));
    let changed = world.get("/status/prod", &[("if-none-match", &tag)]).await;
    assert!(changed.status == StatusCode::OK && changed.body.contains("Another title"));
}

#[tokio::test]
async fn old_data_is_called_old() {
    let world = World::new(usual()).await;
    world.clock.advance(Duration::from_secs(115));
    assert!(!world.get("/status/prod", &[]).await.body.contains("No current data"));
    world.clock.advance(Duration::from_secs(6));
    let html = world.get("/status/prod", &[]).await.body;
    assert!(html.contains("No current data") && html.contains("<body class=\"public stale\">"), "{html}");
    assert!(world.get("/status/prod.json", &[]).await.body.contains("\"stale\":true"));
}

#[tokio::test]
async fn a_page_is_served_at_the_root_of_its_domain() {
    let world = World::new(usual()).await;
    world.show(|snapshot| edit_page(snapshot, |page| page.domains = vec!["status.example.com".to_owned()]));
    assert!(world.get("/", &[("host", "Status.example.com:443")]).await.body.contains("Status of prod"));
    assert!(world.get("/", &[("host", "other.example")]).await.body.contains("Sign in"));
    assert!(world.get("/", &[]).await.body.contains("href=\"/status/prod\""), "the sign-in page lists public pages");
    assert!(!world.get("/", &[]).await.body.contains("inside"));
}

#[tokio::test]
async fn everything_lies_below_the_base_path() {
    let mut snapshot = usual();
    let mut config = snapshot.config.as_ref().clone();
    config.server.base_path = "/watch".to_owned();
    snapshot.config = Arc::new(config);
    let world = World::new(snapshot).await;
    let html = world.get("/watch/status/prod", &[]).await.body;
    for attribute in ["href=\"", "src=\"", "action=\""] {
        for (at, _) in html.match_indices(attribute) {
            assert!(html[at + attribute.len()..].starts_with("/watch/"), "{}", &html[at..at + 40]);
        }
    }
    for path in ["/watch", "/watch/", "/watch/healthz"] {
        assert_eq!(world.get(path, &[]).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/", "/status/prod", "/watchstatus/prod", "/watch/watch/status/prod"] {
        assert_eq!(world.get(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.get("/watch/config", &[]).await.header("location"), "/watch/sign-in?next=/config");
    let token = world.site.sign_in.links.make(world.clock.now().mono).unwrap();
    let answer = world.post(&format!("/watch/sign-in/link/{token}"), "", "").await;
    assert!(answer.header("set-cookie").contains("; Path=/watch;"));
    assert_eq!(answer.header("location"), "/watch/monitors");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::new(usual()).await;
    for path in ["/", "/status/prod", "/status/none", "/monitors", "/api/v1/status", "/healthz"] {
        let answer = world.get(path, &[]).await;
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "{path}"
        );
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "no-referrer"));
        assert!(!answer.header("cache-control").is_empty());
        assert!(!answer.body.contains("style=\""), "{path} has inline style");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_instance_itself_is_said_on_every_page_of_operators_and_on_no_other() {
    let mut snapshot = usual();
    snapshot.troubles = vec![TroubleView {
        title: "the disk is nearly full (eu)".to_owned(),
        text: "12 MiB of 1000 MiB are free. <b>Free some room.</b>".to_owned(),
        since: NOON,
    }];
    let world = World::new(snapshot).await;
    let cookie = world.sign_in().await;
    for path in ["/monitors", "/incidents", "/channels", "/config"] {
        let page = world.get(path, &[("cookie", &cookie)]).await.body;
        let said = "the disk is nearly full (eu). 12 MiB of 1000 MiB are free. &lt;b&gt;Free some room.&lt;/b&gt;";
        assert!(page.contains(said), "{path}: {page}");
    }
    let public = world.get("/status/prod", &[]).await;
    assert!(public.status == StatusCode::OK && !public.body.contains("nearly full"), "{}", public.body);
}
