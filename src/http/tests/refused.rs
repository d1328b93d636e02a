//! Refusals on the operators' pages: nothing that was typed is lost, and there is a way on.

use hyper::StatusCode;

use crate::config::Role;
use crate::config::User;
use crate::http::tests::world::*;

/// A form sent by the page at this address.
async fn post_from(world: &World, referer: &str, (path, cookie): (&str, &str), body: &str) -> Read {
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let headers = [("sec-fetch-site", "same-origin"), kind, ("cookie", cookie), ("referer", referer)];
    world.ask("POST", path, &headers, body).await
}

#[tokio::test]
async fn what_was_typed_outlives_the_session() {
    let world = World::new(usual()).await;
    let typed = "form=old&state=identified&text=two%0Alines+%3Cb%3E&public=yes";
    for (referer, next) in [
        ("http://localhost/incidents/incapi?template=db+is+slow", "/incidents/incapi%3Ftemplate%3Ddb%2Bis%2Bslow"),
        ("http://localhost/sign-out", "/incidents/incapi"),
        ("https://evil.example//evil.example", "/incidents/incapi"),
        ("nonsense", "/incidents/incapi"),
    ] {
        let refused = post_from(&world, referer, ("/incidents/incapi/updates", ""), typed).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        for part in ["two\nlines &lt;b&gt;</textarea>", "readonly", "identified", &format!("href=\"/sign-in?next={next}\"")] {
            assert!(refused.body.contains(part), "{referer}: {part}: {}", refused.body);
        }
        assert!(!refused.body.contains("evil") && !refused.body.contains("old"), "{}", refused.body);
    }
    let long = format!("text={}", "x".repeat(20_000));
    let refused = post_from(&world, "http://localhost/announcements", ("/announcements", ""), &long).await;
    assert_eq!((refused.status, refused.header("connection")), (StatusCode::FORBIDDEN, "close"));
    assert!(refused.body.contains("/sign-in?next=/announcements") && refused.body.contains("too long"), "{}", refused.body);
    let silences = post_from(&world, "http://localhost/silences", ("/silences", ""), &long).await;
    assert_eq!(silences.status, StatusCode::PAYLOAD_TOO_LARGE, "nobody could send so much there");
    assert!(world.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_form_that_is_refused_says_so_within_the_pages_and_leads_back_to_it() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let token = world.form_token(&cookie).await;
    for (path, back, body) in [
        ("/silences", "/silences", "labels=web&own=1h&note=keep+me+%3Cb%3E"),
        ("/incidents/incapi/acknowledge", "/incidents/incapi", "for=own&own=&note=keep+me+%3Cb%3E"),
        ("/announcements", "/announcements", "title=keep+me+%3Cb%3E&from=never"),
        ("/incidents/incapi/notes", "/incidents/incapi", "text=keep+me+%3Cb%3E&title=x"),
    ] {
        let refused = post_from(&world, "", (path, &cookie), &format!("form={token}&{body}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {}", refused.body);
        for part in ["keep me &lt;b&gt;</textarea>", "aria-label=\"Sections\"", &format!("href=\"{back}\">Back to the form")] {
            assert!(refused.body.contains(part), "{path}: {part}: {}", refused.body);
        }
        assert!(!refused.body.contains("data-refresh"), "such a page must not fetch itself again");
    }
    let from_monitor = post_from(&world, "http://localhost/monitors/api?range=7d", ("/silences", &cookie), &format!("form={token}")).await;
    assert!(from_monitor.body.contains("href=\"/monitors/api?range=7d\">Back"), "{}", from_monitor.body);
    let other_page = post_from(&world, "http://localhost/silences", ("/silences", &cookie), "form=stale&note=keep+me").await;
    assert!(other_page.status == 403 && other_page.body.contains("keep me</textarea>"), "{}", other_page.body);
}

#[tokio::test]
async fn other_sites_get_nothing_repeated() {
    let world = World::new(usual()).await;
    let cookie = world.sign_in().await;
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let foreign = [("cookie", cookie.as_str()), kind, ("sec-fetch-site", "cross-site")];
    let refused = world.ask("POST", "/silences", &foreign, "note=canary").await;
    assert!(refused.status == 403 && !refused.body.contains("canary"), "{}", refused.body);
}

#[tokio::test]
async fn whoever_is_signed_in_stays_within_the_pages() {
    let mut config = config();
    config.auth.users = vec![User { role: Role::Viewer, ..user("ops", "correct horse") }];
    let world = World::new(snapshot(config, vec![view(monitor("api", "db"), None)])).await;
    let cookie = world.post("/sign-in", "", "name=ops&password=correct+horse").await.cookie();
    for (path, status, said) in [
        ("/monitors/nope", 404, "nothing at this address"),
        ("/channels/nope", 404, "nothing at this address"),
        ("/incidents/nope", 404, "nothing at this address"),
        ("/new-monitor", 403, "Your role is viewer"),
    ] {
        let refused = world.get(path, &[("cookie", &cookie)]).await;
        assert_eq!(refused.status.as_u16(), status, "{path}");
        assert!(refused.body.contains("aria-label=\"Sections\"") && refused.body.contains(said), "{path}: {}", refused.body);
        let stranger = world.get(path, &[]).await;
        assert_eq!(stranger.status, StatusCode::SEE_OTHER, "{path} of a stranger leads to sign in");
    }
    assert_eq!(world.get("/status/nope", &[("cookie", &cookie)]).await, world.get("/status/nope", &[]).await);
    assert_eq!(world.get("/nope", &[("cookie", &cookie)]).await, world.get("/nope", &[]).await);
}

#[tokio::test]
async fn after_signing_in_the_page_is_as_narrow_as_it_was_asked_for() {
    let mut config = config();
    config.auth.users = vec![user("ops", "correct horse")];
    let world = World::new(snapshot(config, Vec::new())).await;
    let there = world.get("/monitors?state=down&next=//evil.example", &[]).await;
    assert_eq!(there.header("location"), "/sign-in?next=/monitors%3Fstate%3Ddown");
    let form = world.get(there.header("location"), &[]).await.body;
    assert!(form.contains("name=\"next\" value=\"/monitors?state=down\""), "{form}");
    let back = world.post("/sign-in", "", "name=ops&password=correct+horse&next=/monitors%3Fstate%3Ddown").await;
    assert_eq!(back.header("location"), "/monitors?state=down");
}
