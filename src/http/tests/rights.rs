//! Who gets what: every route, with and without a right.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::StatusCode;

use crate::config::Config;
use crate::config::ProxyAuth;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Scope;
use crate::engine::handle::Operation;
use crate::http::route::route;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::api_token;
use crate::http::tests::world::config;
use crate::http::tests::world::id;
use crate::http::tests::world::monitor;
use crate::http::tests::world::proxy;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::user;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::http::visit::Peer;

/// Every route that needs a right, and those of the API beside those of the pages. [`no_route_is_forgotten`] compares it with the routes.
const PROTECTED: &[(&str, &str)] = &[
    ("GET", "/monitors"),
    ("HEAD", "/monitors/api"),
    ("GET", "/new-monitor"),
    ("GET", "/heartbeats"),
    ("GET", "/incidents"),
    ("GET", "/incidents/incapi"),
    ("GET", "/silences"),
    ("GET", "/maintenance"),
    ("GET", "/announcements"),
    ("GET", "/config"),
    ("GET", "/channels"),
    ("GET", "/channels/ops"),
    ("GET", "/peers"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/monitors/api"),
    ("GET", "/api/v1/monitors/api/pings"),
    ("GET", "/api/v1/monitors/api/pings/7/body"),
    ("GET", "/api/v1/silences"),
    ("GET", "/api/v1/announcements"),
    ("GET", "/api/v1/incidents"),
    ("GET", "/api/v1/incidents/incapi"),
    ("GET", "/api/v1/incidents/incapi/updates"),
    ("GET", "/api/v1/channels"),
    ("GET", "/api/v1/channels/ops/deliveries"),
    ("GET", "/api/v1/peers"),
    ("POST", "/new-monitor"),
    ("POST", "/monitors/api/pause"),
    ("POST", "/monitors/api/resume"),
    ("POST", "/monitors/api/check"),
    ("POST", "/monitors/api/silence"),
    ("POST", "/silences"),
    ("POST", "/silences/abcdefg2/end"),
    ("POST", "/incidents/incapi/acknowledge"),
    ("POST", "/incidents/incapi/withdraw"),
    ("POST", "/incidents/incapi/updates"),
    ("POST", "/incidents/incapi/notes"),
    ("POST", "/incidents/incapi/postmortem"),
    ("POST", "/incidents/incapi/updates/abcdefg2/remove"),
    ("POST", "/announcements"),
    ("POST", "/announcements/abcdefg2/updates"),
    ("POST", "/channels/ops/test"),
    ("POST", "/channels/ops/retry"),
    ("POST", "/channels/ops/deliveries/1/retry"),
    ("POST", "/api/v1/monitors/api/pause"),
    ("POST", "/api/v1/monitors/api/resume"),
    ("POST", "/api/v1/monitors/api/check"),
    ("POST", "/api/v1/silences"),
    ("DELETE", "/api/v1/silences/abcdefg2"),
    ("POST", "/api/v1/incidents/incapi/acknowledgement"),
    ("DELETE", "/api/v1/incidents/incapi/acknowledgement"),
    ("POST", "/api/v1/incidents/incapi/updates"),
    ("POST", "/api/v1/incidents/incapi/notes"),
    ("POST", "/api/v1/incidents/incapi/postmortem"),
    ("DELETE", "/api/v1/incidents/incapi/updates/abcdefg2"),
    ("POST", "/api/v1/announcements"),
    ("POST", "/api/v1/announcements/abcdefg2/updates"),
    ("POST", "/api/v1/channels/ops/test"),
    ("POST", "/api/v1/channels/ops/retry"),
    ("POST", "/api/v1/channels/ops/deliveries/1/retry"),
    ("POST", "/new-monitor/add"),
    ("POST", "/peers/b/forget"),
    ("POST", "/api/v1/peers/b/forget"),
    ("GET", "/local/status"),
    ("POST", "/local/reload"),
    ("POST", "/local/sign-in-link"),
    ("GET", "/local/peers"),
    ("POST", "/local/peers/b/ping"),
    ("POST", "/local/peers/b/forget"),
    ("GET", "/local/heartbeats/api"),
    ("POST", "/local/acknowledge"),
    ("POST", "/local/withdraw"),
    ("GET", "/local/silences"),
    ("POST", "/local/silences"),
    ("POST", "/local/silences/abcdefg2/end"),
    ("GET", "/local/incidents"),
    ("GET", "/local/incidents/incapi"),
    ("POST", "/local/incidents/incapi/updates"),
    ("GET", "/local/announcements"),
    ("GET", "/local/channels"),
    ("GET", "/local/channels/ops/deliveries"),
    ("POST", "/local/channels/ops/retry"),
    ("POST", "/local/channels/ops/deliveries/1/retry"),
    ("GET", "/local/subscribers"),
    ("POST", "/local/subscribers/remove"),
    ("POST", "/hooks/slack/ops"),
    ("POST", "/hooks/pagerduty/ops"),
];

/// The names that an enum of `route.rs` has for its routes.
fn variants(of: &str) -> BTreeSet<String> {
    let text = include_str!("../route.rs");
    let body = text.split_once(&format!("pub enum {of} {{\n")).and_then(|(_, rest)| rest.split_once("\n}")).unwrap().0;
    let name = |line: &str| -> String { line.trim_start().chars().take_while(char::is_ascii_alphanumeric).collect() };
    body.lines().map(name).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())).collect()
}

/// What follows this mark in the route as it is written for debugging.
fn named(route: &str, mark: &str) -> Option<String> {
    let name: String = route.split_once(mark)?.1.chars().take_while(char::is_ascii_alphanumeric).collect();
    Some(name)
}

#[test]
fn no_route_is_forgotten() {
    let routes: Vec<String> = PROTECTED.iter().map(|(method, path)| format!("{:?}", route(method, path).expect(path))).collect();
    let is = |prefix: &'static str| routes.iter().filter(move |route| route.starts_with(prefix));
    let listed = |prefix: &'static str, mark: &str| -> BTreeSet<String> { is(prefix).filter_map(|route| named(route, mark)).collect() };
    assert_eq!(listed("Viewer(", "Viewer("), variants("ViewerRoute"));
    assert_eq!(listed("Operator(", "deed: "), variants("Deed"));
    assert_eq!(listed("Operator(", "Write("), variants("Writing"));
    assert_eq!(listed("Admin(", "deed: "), variants("AdminDeed"));
    assert_eq!(listed("Local(", "Local("), variants("LocalRoute"));
    assert_eq!(listed("Hook(", "Hook("), variants("HookRoute"));
}

#[tokio::test]
async fn strangers_get_only_what_is_public() {
    let world = World::new(usual()).await;
    for &(method, path) in PROTECTED {
        for headers in [&[][..], &[("cookie", "vigilmon=wrong")], &[("authorization", "Bearer wrong")], &[("remote-user", "root")]] {
            let headers: Vec<_> = headers.iter().copied().chain([("sec-fetch-site", "same-origin")]).collect();
            let answer = world.ask(method, path, &headers, "").await;
            assert!(!answer.status.is_success(), "{method} {path} {headers:?}: {}", answer.status);
            assert!(!answer.body.contains("canary"), "{method} {path}");
        }
    }
    for path in ["/", "/status/prod", "/status/prod.json", "/sign-in", "/healthz", "/robots.txt", "/favicon.svg"] {
        assert_eq!(world.get(path, &[]).await.status, StatusCode::OK, "{path}");
    }
    assert!(world.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn strangers_are_sent_to_the_sign_in_page_and_back() {
    let world = World::new(usual()).await;
    assert_eq!(world.get("/incidents/incapi", &[]).await.header("location"), "/sign-in?next=/incidents/incapi");
    // A name with a space in it comes back as it was.
    let sent = world.get("/channels/on%20call", &[]).await.header("location").to_owned();
    assert_eq!(sent, "/sign-in?next=/channels/on%2520call");
    assert_eq!(world.get("/api/v1/status", &[]).await.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn viewers_see_every_page_and_what_is_wrong_with_it() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    for path in [
        "/monitors",
        "/monitors/api",
        "/heartbeats",
        "/incidents",
        "/incidents/incapi",
        "/config",
        "/channels",
        "/peers",
        "/api/v1/status",
        "/api/v1/monitors/api",
        "/api/v1/peers",
    ] {
        assert_eq!(world.get(path, &[("cookie", &cookie)]).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/monitors/none", "/incidents/none", "/api/v1/monitors/none"] {
        assert_eq!(world.get(path, &[("cookie", &cookie)]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let page = world.get("/monitors/api", &[("cookie", &cookie)]).await.body;
    for shown in ["canary-error in the body", "tcp://canary-target.internal:5432", "canary-transcript", "config.yaml:14", "Check now"] {
        assert!(page.contains(shown), "{shown}");
    }
}

#[tokio::test]
async fn pages_work_while_the_database_does_not() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    world.shelf.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    for path in ["/monitors", "/monitors/api", "/incidents", "/incidents/incapi", "/config", "/channels", "/peers"] {
        assert_eq!(world.get(path, &[("cookie", &cookie)]).await.status, StatusCode::OK, "{path}");
    }
    assert!(world.get("/monitors/api", &[("cookie", &cookie)]).await.body.contains("cannot be read"));
}

#[tokio::test]
async fn changes_need_our_own_page_and_its_token() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let token = world.form_token(&cookie).await;
    let form = format!("form={token}");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let cookie_header = ("cookie", cookie.as_str());
    for (headers, body) in [
        (vec![cookie_header, kind], form.as_str()),
        (vec![cookie_header, kind, ("origin", "https://evil.example")], &form),
        (vec![cookie_header, kind, ("origin", "null")], &form),
        (vec![cookie_header, kind, ("sec-fetch-site", "cross-site"), ("origin", "http://localhost")], &form),
        (vec![cookie_header, kind, ("sec-fetch-site", "same-site")], &form),
        (vec![cookie_header, kind, ("sec-fetch-site", "same-origin")], ""),
        (vec![cookie_header, kind, ("sec-fetch-site", "same-origin")], "form=wrong"),
    ] {
        let answer = world.ask("POST", "/monitors/api/pause", &headers, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?} {body}");
    }
    assert!(world.asked.lock().unwrap().is_empty(), "nothing was changed");
    let answer = world.post("/monitors/api/pause", &cookie, &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/monitors/api"));
    let answer = world.ask("POST", "/monitors/api/check", &[cookie_header, kind, ("origin", "http://localhost")], &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(*world.asked.lock().unwrap(), [Operation::Pause(id("api")), Operation::CheckNow(id("api"))]);
    assert_eq!(world.get("/monitors/api/pause", &[cookie_header]).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn tokens_do_what_their_scope_says() {
    let mut config = config();
    config.auth.tokens = vec![api_token("reader", Scope::Read), api_token("writer", Scope::Write)];
    let world = World::new(snapshot(config, vec![view(monitor("api", "db"), None)])).await;
    for (name, look, change) in [("reader", 200, 403), ("writer", 200, 200), ("neither", 401, 401)] {
        let bearer = format!("Bearer {name}");
        let status = world.get("/api/v1/status", &[("authorization", &bearer)]).await.status.as_u16();
        let changed = world.ask("POST", "/api/v1/monitors/api/pause", &[("authorization", &bearer)], "").await.status.as_u16();
        assert_eq!((status, changed), (look, change), "{name}");
    }
    assert_eq!(world.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_proxy_is_believed_by_its_address_only() {
    let mut config = config();
    config.auth.proxy = Some(proxy("127.0.0.1/32", Role::Operator));
    let world = World::new(snapshot(config, Vec::new())).await;
    let header = [("remote-user", "anna"), ("x-forwarded-for", "127.0.0.1")];
    let proxy = Peer::Tcp("127.0.0.1".parse().unwrap());
    let page = world.ask_from(proxy, "GET /monitors", &header, "").await;
    assert!(page.status == StatusCode::OK && page.body.contains("anna"));
    assert_eq!(world.get("/monitors", &header).await.status, StatusCode::SEE_OTHER);
    let twice = [("remote-user", "anna"), ("remote-user", "root")];
    assert_eq!(world.ask_from(proxy, "GET /monitors", &twice, "").await.status, StatusCode::SEE_OTHER);
}

/// The answers that this role gets: to looking, to pausing, to forgetting a node.
async fn answers(world: &World, cookie: &str) -> [u16; 3] {
    let look = world.get("/monitors/api", &[("cookie", cookie)]).await.status.as_u16();
    let form = format!("form={}", world.form_token(cookie).await);
    let pause = world.post("/monitors/api/pause", cookie, &form).await.status.as_u16();
    let forget = world.post("/peers/b/forget", cookie, &form).await.status.as_u16();
    [look, pause, forget]
}

fn with_role(config: &Config, role: Role) -> Arc<Config> {
    let mut config = config.clone();
    config.auth.users[0].role = role;
    Arc::new(config)
}

#[tokio::test]
async fn roles_say_what_people_may_do_and_change_for_whoever_is_signed_in() {
    let mut config = config();
    config.auth.users = vec![user("ops", "correct horse")];
    let world = World::new(snapshot(config, vec![view(monitor("api", "db"), None)])).await;
    let cookie = world.post("/sign-in", "", "name=ops&password=correct+horse").await.cookie();
    for (role, expected) in [
        (Role::Viewer, [200, 403, 403]),
        (Role::Operator, [200, 303, 403]),
        (Role::Admin, [200, 303, 303]),
        (Role::Viewer, [200, 403, 403]),
    ] {
        world.show(|snapshot| snapshot.config = with_role(&snapshot.config, role));
        assert_eq!(answers(&world, &cookie).await, expected, "{role:?}");
        let page = world.get("/monitors/api", &[("cookie", &cookie)]).await.body;
        assert_eq!(page.contains("Check now"), role >= Role::Operator, "{role:?}");
    }
    assert_eq!(world.asked.lock().unwrap().len(), 3, "what was refused was not done");
}

#[tokio::test]
async fn groups_of_a_proxy_say_who_may_do_what() {
    let mut config = config();
    let of_groups = BTreeMap::from([("sre".to_owned(), Role::Admin), ("dev team".to_owned(), Role::Operator)]);
    let usual_proxy = proxy("127.0.0.1/32", Role::Viewer);
    config.auth.proxy =
        Some(ProxyAuth { groups_header: Some("remote-groups".to_owned()), roles: Roles { of_groups, of_others: None }, ..usual_proxy });
    let world = World::new(snapshot(config, vec![view(monitor("api", "db"), None)])).await;
    let at_proxy = Peer::Tcp("127.0.0.1".parse().unwrap());
    for (groups, look, operates, administers) in [
        (&["staff,sre"][..], 200, true, true),
        (&["sre|staff"], 200, true, true),
        (&["staff, dev team"], 200, true, false),
        (&["staff"], 303, false, false),
        (&[""], 303, false, false),
        (&[], 303, false, false),
        (&["staff", "sre"], 303, false, false),
    ] {
        let headers: Vec<_> = [("remote-user", "anna")].into_iter().chain(groups.iter().map(|value| ("remote-groups", *value))).collect();
        let page = world.ask_from(at_proxy, "GET /monitors/api", &headers, "").await;
        assert_eq!((page.status.as_u16(), page.body.contains("Check now")), (look, operates), "{groups:?}");
        let Some(token) = page.body.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
        let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let headers: Vec<_> = headers.iter().copied().chain(form).collect();
        let forgotten = world.ask_from(at_proxy, "POST /peers/b/forget", &headers, &format!("form={token}")).await;
        assert_eq!(forgotten.status == StatusCode::SEE_OTHER, administers, "{groups:?}");
        assert_eq!(world.get("/monitors/api", &headers).await.status, StatusCode::SEE_OTHER, "others cannot write these headers");
    }
}

#[tokio::test]
async fn the_control_socket_has_its_own_routes() {
    let world = World::new(usual()).await;
    let status = world.ask_from(Peer::Control, "GET /local/status", &[], "").await;
    assert!(status.status == StatusCode::OK && status.body.contains("\"id\":\"api\""));
    let reload = world.ask_from(Peer::Control, "POST /local/reload", &[], "").await;
    assert_eq!(reload.body, r#"{"active":true,"changed":"one monitor added","problems":[]}"#);
    let link = world.ask_from(Peer::Control, "POST /local/sign-in-link", &[], "").await;
    assert!(link.body.contains("http://localhost:8080/sign-in/link/"), "{}", link.body);
    assert_eq!(world.ask_from(Peer::Control, "GET /monitors", &[], "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.get("/local/status", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn foreign_names_get_nothing_once_our_own_is_known() {
    let mut usual = usual();
    let mut config = usual.config.as_ref().clone();
    config.server.public_url = Some("https://status.example.com".to_owned());
    usual.config = Arc::new(config);
    let world = World::new(usual).await;
    for (host, status) in [("status.example.com", 200), ("127.0.0.1:8080", 200), ("[::1]:8080", 200), ("evil.example", 421), ("", 421)] {
        assert_eq!(world.get("/sign-in", &[("host", host)]).await.status.as_u16(), status, "{host}");
    }
    assert_eq!(world.get("/healthz", &[("host", "vigilmon")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn health_follows_the_engine() {
    let world = World::new(usual()).await;
    let healthy = world.get("/healthz", &[]).await;
    assert!(healthy.status == StatusCode::OK && healthy.body.contains("\"status\":\"ok\""));
    world.show(|snapshot| snapshot.at = NOON.minus(std::time::Duration::from_secs(30)));
    let stalled = world.get("/healthz", &[]).await;
    assert_eq!((stalled.status.as_u16(), stalled.body.as_str()), (503, r#"{"status":"stalled"}"#));
}

#[tokio::test]
async fn what_forms_prove_is_never_written_twice_in_the_same_letters() {
    let world = World::new(usual()).await;
    let (cookie, other) = (world.sign_in().await, world.sign_in().await);
    let (first, second) = (world.form_token(&cookie).await, world.form_token(&cookie).await);
    assert!(first.as_bytes()[..43] != second.as_bytes()[..43] && first.as_bytes()[43..] != second.as_bytes()[43..], "{first} {second}");
    for token in [&first, &second] {
        assert_eq!(world.post("/monitors/api/check", &cookie, &format!("form={token}")).await.status, StatusCode::SEE_OTHER);
        assert_eq!(world.post("/monitors/api/check", &other, &format!("form={token}")).await.status, StatusCode::FORBIDDEN);
    }
    let mixed = format!("{}{}", &first[..43], &second[43..]);
    for wrong in ["", "A", &first[..85], &format!("{first}A"), &"A".repeat(86), &mixed] {
        assert_eq!(world.post("/monitors/api/check", &cookie, &format!("form={wrong}")).await.status, StatusCode::FORBIDDEN, "{wrong}");
    }
}
