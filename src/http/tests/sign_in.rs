//! Signing in: what lets people in, what keeps guessers out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::StatusCode;

use crate::config::ApiToken;
use crate::config::Auth;
use crate::config::OidcAuth;
use crate::config::Role;
use crate::config::Scope;
use crate::config::User;
use crate::http::limits::SESSION_IDLE;
use crate::http::limits::SESSION_SEEN_EVERY;
use crate::http::limits::SESSION_WRITE_TIMEOUT;
use crate::http::limits::SIGN_IN_WRITE_TIMEOUT;
use crate::http::oidc::tests::oidc;
use crate::http::password::tests::hash_of;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::proxy;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::user;
use crate::http::tests::world::usual;
use crate::http::visit::Peer;
use crate::model::secret::Secret;

async fn with_user() -> World {
    let mut config = config();
    config.auth.users = vec![user("ops", "correct horse")];
    World::new(snapshot(config, Vec::new())).await
}

#[tokio::test]
async fn a_password_signs_in_with_a_strict_cookie() {
    let world = with_user().await;
    let answer = world.post("/sign-in", "", "name=ops&password=correct+horse&next=/config").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/config"));
    // The page takes it from its own address, and the form from the page; both ways it is the same page afterwards.
    let page = world.get("/sign-in?next=/channels/on%2520call", &[]).await.body;
    assert!(page.contains("name=\"next\" value=\"/channels/on%20call\""), "{page}");
    let back = world.post("/sign-in", "", "name=ops&password=correct+horse&next=/channels/on%2520call").await;
    assert_eq!(back.header("location"), "/channels/on%20call");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("vigilmon=") && cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age="), "{cookie}");
    assert_eq!(world.get("/monitors", &[("cookie", &answer.cookie())]).await.status, StatusCode::OK);
    let token = answer.cookie().split_once('=').map(|(_, token)| token.to_owned()).unwrap();
    assert!(!format!("{:?}", world.shelf.sessions.lock().unwrap()).contains(&token), "the token itself is not stored");
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_this_host() {
    let world = with_user().await;
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        config.server.public_url = Some("https://localhost".to_owned());
        snapshot.config = Arc::new(config);
    });
    let answer = world.post("/sign-in", "", "name=ops&password=correct+horse").await;
    assert!(answer.header("set-cookie").starts_with("__Host-vigilmon="));
    assert!(answer.header("set-cookie").contains("; Path=/; HttpOnly; SameSite=Lax; Secure;"));
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let world = with_user().await;
    let wrong = world.post("/sign-in", "", "name=ops&password=x").await;
    let unknown = world.post("/sign-in", "", "name=nobody&password=correct+horse").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_sessions_go_on() {
    let world = with_user().await;
    let cookie = world.post("/sign-in", "", "name=ops&password=correct+horse").await.cookie();
    let mut n_checked = 0;
    for _ in 0..200 {
        match world.post("/sign-in", "", "name=ops&password=x").await.status {
            StatusCode::UNAUTHORIZED => n_checked += 1,
            status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        }
    }
    assert_eq!(n_checked, 5);
    let refused = world.post("/sign-in", "", "name=ops&password=correct+horse").await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "1"));
    assert!(refused.body.contains("Try again in 1 s.") && refused.body.contains("name=\"password\""), "one can: {}", refused.body);
    assert_eq!(world.get("/monitors", &[("cookie", &cookie)]).await.status, StatusCode::OK);
    assert!(world.sign_in().await.starts_with("vigilmon="), "a one-time link is not held up");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.post("/sign-in", "", "name=ops&password=correct+horse").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn many_who_come_at_once_are_sent_away_before_their_passwords_are_looked_at() {
    let mut config = config();
    config.auth.users = vec![User { password_hash: hash_of("correct horse", 4096), ..user("ops", "") }];
    let world = World::new(snapshot(config, Vec::new())).await;
    let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let bodies: Vec<(Peer, String)> =
        (0..60).map(|n| (Peer::Tcp(IpAddr::from([192, 0, 2, n])), format!("name=user{n}&password=x"))).collect();
    let attempts = bodies.iter().map(|(peer, body)| world.ask_from(*peer, "POST /sign-in", &form, body));
    let answers = futures_util::future::join_all(attempts).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    let n_checked = answers.iter().filter(|answer| answer.status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(busy.len() + n_checked, 60);
    // As many as run and wait; a few more when one has ended meanwhile.
    assert!((18..=40).contains(&n_checked), "{n_checked}");
    assert!(busy.iter().all(|answer| answer.header("retry-after") == "2"));
    let calm = world.post("/sign-in", "", "name=ops&password=correct+horse").await;
    assert_eq!(calm.status, StatusCode::SEE_OTHER, "afterwards it works as before");
}

#[tokio::test]
async fn sessions_end_by_time_sign_out_and_config() {
    let world = with_user().await;
    let sign_in = || world.post("/sign-in", "", "name=ops&password=correct+horse");
    let idle = sign_in().await.cookie();
    world.clock.advance(SESSION_IDLE);
    assert_eq!(world.get("/monitors", &[("cookie", &idle)]).await.status, StatusCode::SEE_OTHER);
    assert!(world.shelf.sessions.lock().unwrap().is_empty(), "it is gone from the store too");
    let left = sign_in().await.cookie();
    assert_eq!(world.post("/sign-out", &left, "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.get("/monitors", &[("cookie", &left)]).await.status, StatusCode::SEE_OTHER);
    let changed = sign_in().await.cookie();
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        config.auth.users = vec![user("ops", "another password")];
        snapshot.config = Arc::new(config);
    });
    assert_eq!(world.get("/monitors", &[("cookie", &changed)]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_database_holds_up_nobody_who_is_signed_in() {
    let world = with_user().await;
    let cookie = world.sign_in().await;
    world.shelf.is_stalled.store(true, Ordering::Relaxed);
    world.clock.advance(SESSION_SEEN_EVERY);
    let begin = tokio::time::Instant::now();
    assert_eq!(world.get("/monitors", &[("cookie", &cookie)]).await.status, StatusCode::OK);
    assert!(begin.elapsed() <= SESSION_WRITE_TIMEOUT, "{:?}", begin.elapsed());
    let begin = tokio::time::Instant::now();
    let fresh = world.post("/sign-in", "", "name=ops&password=correct+horse").await;
    assert_eq!(fresh.status, StatusCode::SEE_OTHER);
    assert!(begin.elapsed() <= SIGN_IN_WRITE_TIMEOUT, "{:?}", begin.elapsed());
    assert_eq!(world.get("/monitors", &[("cookie", &fresh.cookie())]).await.status, StatusCode::OK, "it works from memory");
    let begin = tokio::time::Instant::now();
    assert_eq!(world.post("/sign-out", &cookie, "").await.status, StatusCode::SEE_OTHER);
    assert!(begin.elapsed() <= SESSION_WRITE_TIMEOUT, "{:?}", begin.elapsed());
    assert_eq!(world.get("/monitors", &[("cookie", &cookie)]).await.status, StatusCode::SEE_OTHER);
    // The ended session must not come back with a restart.
    world.shelf.is_stalled.store(false, Ordering::Relaxed);
    assert_eq!(world.shelf.sessions.lock().unwrap().len(), 1);
    crate::http::sweep(&world.site).await;
    assert!(world.shelf.sessions.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_session_from_a_one_time_link_ends_when_who_may_come_in_changes() {
    let configure = |world: &World, change: &dyn Fn(&mut Auth)| {
        world.show(|snapshot| {
            let mut config = snapshot.config.as_ref().clone();
            change(&mut config.auth);
            snapshot.config = Arc::new(config);
        });
    };
    let changes: [&dyn Fn(&mut Auth); 4] = [
        &|auth| auth.oidc = Some(oidc()),
        &|auth| auth.users = vec![user("ops", "correct horse")],
        &|auth| auth.proxy = Some(proxy("192.0.2.1/32", Role::Operator)),
        &|auth| {
            auth.tokens = vec![ApiToken { name: "ci".to_owned(), hash: Secret::new("00".repeat(32)), scope: Scope::Read }];
        },
    ];
    for change in changes {
        let world = World::new(usual()).await;
        let cookie = world.sign_in().await;
        configure(&world, &|_| {});
        assert_eq!(world.get("/monitors", &[("cookie", &cookie)]).await.status, StatusCode::OK, "nothing changed");
        configure(&world, change);
        assert_eq!(world.get("/monitors", &[("cookie", &cookie)]).await.status, StatusCode::SEE_OTHER);
        let again = world.sign_in().await;
        assert_eq!(world.get("/monitors", &[("cookie", &again)]).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let world = with_user().await;
    let cookie = world.post("/sign-in", "", "name=ops&password=correct+horse").await.cookie();
    let snapshot = crate::engine::snapshot::Snapshot::clone(&world.engine.snapshot());
    let restarted = World::with_shelf(snapshot, Arc::clone(&world.shelf)).await;
    assert_eq!(restarted.get("/monitors", &[("cookie", &cookie)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_new_sign_in_ends_the_session_before() {
    let world = with_user().await;
    let first = world.post("/sign-in", "", "name=ops&password=correct+horse").await.cookie();
    let second = world.post("/sign-in", &first, "name=ops&password=correct+horse").await.cookie();
    assert_ne!(first, second);
    assert_eq!(world.get("/monitors", &[("cookie", &first)]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.get("/monitors", &[("cookie", &second)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_link_preview_does_not_use_a_sign_in_link_up() {
    let world = World::new(usual()).await;
    let token = world.site.sign_in.links.make(world.clock.now().mono).unwrap();
    let path = format!("/sign-in/link/{token}");
    for _ in 0..3 {
        assert_eq!(world.get(&path, &[]).await.status, StatusCode::OK);
    }
    let foreign = world.ask("POST", &path, &[("sec-fetch-site", "cross-site")], "").await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    assert_eq!(world.post(&path, "", "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.post(&path, "", "").await.status, StatusCode::GONE);
    assert_eq!(world.get(&path, &[]).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn the_way_to_the_provider_begins_at_the_public_address() {
    let mut config = config();
    config.server.public_url = Some("https://status.example.com".to_owned());
    config.auth.oidc = Some(OidcAuth { issuer: "http://127.0.0.1:1".to_owned(), ..oidc() });
    let world = World::new(snapshot(config, Vec::new())).await;
    for (next, expected) in [
        ("?next=/incidents", "https://status.example.com/sign-in/oidc?moved=1&next=/incidents"),
        ("?next=/channels/on%2520call", "https://status.example.com/sign-in/oidc?moved=1&next=/channels/on%2520call"),
        ("?next=//evil.example", "https://status.example.com/sign-in/oidc?moved=1"),
        ("", "https://status.example.com/sign-in/oidc?moved=1"),
    ] {
        let answer = world.get(&format!("/sign-in/oidc{next}"), &[]).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, expected), "{next}");
    }
    // A proxy may hand every request on under another name: nobody is sent round in a circle.
    let there = world.get("/sign-in/oidc?moved=1", &[]).await;
    assert!(there.status == StatusCode::BAD_GATEWAY && there.body.contains("Acme does not answer right now"), "{}", there.body);
    let page = world.get("/sign-in", &[]).await.body;
    assert!(page.contains("Sign in with Acme") && !page.contains("name=\"password\""), "{page}");
    assert_eq!(world.get("/sign-in/oidc/callback?code=x&state=y", &[]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_one() {
    let world = with_user().await;
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?code=x&state=y"] {
        assert_eq!(world.get(path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn without_users_nobody_gets_in_by_a_password() {
    let world = World::new(usual()).await;
    assert!(world.get("/", &[]).await.body.contains("vigilmon sign-in-link"));
    for body in ["name=owner&password=", "name=&password=", "name=admin&password=admin"] {
        assert_eq!(world.post("/sign-in", "", body).await.status, StatusCode::UNAUTHORIZED, "{body}");
    }
}
