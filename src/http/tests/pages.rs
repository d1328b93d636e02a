//! Status pages: what visitors see, and above all what they do not.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::StatusCode;

use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::TroubleView;
use crate::http::pages::Entry;
use crate::http::pages::Part;
use crate::http::pages::Pass;
use crate::http::pages::Wishes;
use crate::http::tests::planned;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::id;
use crate::http::tests::world::incident;
use crate::http::tests::world::monitor;
use crate::http::tests::world::usual;
use crate::http::tests::world::view;
use crate::model::id::IncidentId;
use crate::model::id::PageSlug;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::monitor::Monitor;
use crate::model::page::Announcement;
use crate::model::page::AnnouncementKind;
use crate::model::page::Language;
use crate::model::page::Order;
use crate::model::page::PageGroup;
use crate::model::page::PageLanguage;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::result::Failure;
use crate::ui::links::Links;

/// Everything a stranger can read.
async fn everything_public(world: &World) -> String {
    let mut all = String::new();
    let paths = [
        "/",
        "/status/prod",
        "/status/prod.json",
        "/status/prod.atom",
        "/status/prod.ics",
        "/status/prod/widget",
        "/status/inside.atom",
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
    for shown in ["canary-target.internal", "canary-error in the body", "Status of prod", "Open incidents"] {
        assert!(html.contains(shown), "{shown}");
    }
    assert!(!html.contains("canary-hidden"));
    assert!(!html.contains("eu-west"), "where there is one place only, its name says nothing");
}

#[tokio::test]
async fn pages_of_other_sites_read_what_everybody_may_and_nothing_else() {
    let world = World::new(usual()).await;
    let json = world.get("/status/prod.json", &[("origin", "https://other.example")]).await;
    assert_eq!((json.status, json.header("access-control-allow-origin")), (StatusCode::OK, "*"));
    let cookie = world.sign_in().await;
    for path in ["/status/inside.json", "/status/partners.json", "/status/inside", "/status/prod", "/api/v1/status", "/status/none.json"] {
        let answer = world.get(path, &[("cookie", &cookie), ("origin", "https://other.example")]).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
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
        "/status/inside.atom",
        "/status/inside.ics",
        "/status/inside/widget",
        "/status/partners.atom",
        "/status/partners.ics",
        "/status/partners/widget",
        "/status/none.atom",
        "/status/none.ics",
        "/status/none/widget",
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
    let german = world.get("/status/partners", &[("accept-language", "de")]).await.body;
    assert!(german.contains("<html lang=\"de\">") && german.contains("Passwort erforderlich"), "{german}");
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
            // What begins with a number sign stays on the page.
            let address = &html[at + attribute.len()..];
            assert!(address.starts_with("/watch/") || address.starts_with('#'), "{}", &html[at..at + 40]);
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
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "same-origin"));
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

#[tokio::test]
async fn visitors_are_spoken_to_in_their_language() {
    let world = World::new(usual()).await;
    for (asked, lang, sentence) in [
        ("", "en", "1 of 1 service is down"),
        ("de-CH, fr;q=0.9", "de", "1 von 1 Dienst ist ausgefallen"),
        ("fr", "fr", "1 service sur 1 est en panne"),
        ("es", "es", "1 de 1 servicio está caído"),
        ("ja", "ja", "1件中1件のサービスが停止しています"),
        ("tlh", "en", "1 of 1 service is down"),
    ] {
        let page = world.get("/status/prod", &[("accept-language", asked)]).await;
        assert!(page.body.contains(&format!("<html lang=\"{lang}\">")) && page.body.contains(sentence), "{asked}: {}", page.body);
        let vary: Vec<_> = page.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["accept-encoding", "accept-language"], "{asked}");
        let widget = world.get("/status/prod/widget", &[("accept-language", asked)]).await.body;
        assert!(widget.contains(sentence), "{asked}: {widget}");
        let json = world.get("/status/prod.json", &[("accept-language", asked)]).await.body;
        assert!(json.contains("1 of 1 service is down"), "data is for programs: {json}");
    }
    world.show(|snapshot| edit_page(snapshot, |page| page.language = PageLanguage::Always(Language::French)));
    let page = world.get("/status/prod", &[("accept-language", "de")]).await;
    assert!(page.body.contains("<html lang=\"fr\">") && page.headers.get_all("vary").iter().count() == 1, "{}", page.body);
}

#[tokio::test]
async fn pages_and_files_are_sent_compressed_to_those_who_can_read_it() {
    let world = World::new(usual()).await;
    let html = world.get("/status/prod", &[]).await;
    let style = html.body.split('"').find(|part| part.starts_with("/assets/status.") && part.ends_with(".css")).expect("a style sheet");
    for path in ["/status/prod", style] {
        let plain = world.get(path, &[]).await;
        let packed = world.get(path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), ("", "gzip"), "{path}");
        assert!(packed.n_bytes < plain.n_bytes && packed.header("etag") != plain.header("etag"), "{path}");
        let tag = packed.header("etag");
        for (encoding, status) in [("gzip", StatusCode::NOT_MODIFIED), ("identity", StatusCode::OK)] {
            let again = world.get(path, &[("accept-encoding", encoding), ("if-none-match", tag)]).await;
            assert_eq!((again.status, again.header("content-encoding")), (status, ""), "{path} {encoding}");
        }
    }
}

#[tokio::test]
async fn another_check_does_not_make_a_page_anew_within_the_second() {
    let world = World::new(usual()).await;
    let name = |world: &World, name: &str| {
        let name = name.to_owned();
        world.show(|snapshot| {
            let view = Arc::make_mut(snapshot.monitors.values_mut().next().expect("a monitor"));
            view.monitor = Arc::new(Monitor { name, ..view.monitor.as_ref().clone() });
        });
    };
    world.get("/status/prod", &[]).await;
    name(&world, "renamed");
    assert!(!world.get("/status/prod", &[]).await.body.contains("renamed"));
    world.clock.advance(Duration::from_secs(1));
    assert!(world.get("/status/prod", &[]).await.body.contains("renamed"));
}

#[tokio::test]
async fn other_sites_may_frame_the_widget_and_nothing_else() {
    let world = World::new(usual()).await;
    let widget = world.get("/status/prod/widget", &[]).await;
    assert!(widget.header("content-security-policy").ends_with("form-action 'none'; frame-ancestors *"), "{:?}", widget.headers);
    assert_eq!((widget.header("x-frame-options"), widget.header("cache-control")), ("", "public, max-age=10"));
    assert!(widget.body.contains("href=\"/status/prod\"") && !widget.body.contains("<form"), "{}", widget.body);
    for path in ["/status/prod", "/status/prod.atom", "/status/prod.json", "/status/none/widget"] {
        let answer = world.get(path, &[]).await;
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert!(answer.header("content-security-policy").ends_with("frame-ancestors 'none'"), "{path}");
    }
    world.show(|snapshot| edit_page(snapshot, |page| page.visibility = Visibility::Unlisted));
    assert_eq!(world.get("/status/prod/widget", &[]).await.status, StatusCode::OK);
    let cookie = world.sign_in().await;
    let signed_in = world.get("/status/inside/widget", &[("cookie", &cookie)]).await;
    assert_eq!(signed_in.status, StatusCode::NOT_FOUND, "what not everybody may see is never framed");
}

#[tokio::test]
async fn the_feed_tells_of_beginnings_and_ends_and_announcements() {
    let world = World::new(usual()).await;
    let mut past = incident(&monitor("api", "canary-target.internal"), Failure::Refused { at: "canary-host".to_owned() });
    past.opened_at = NOON.minus(Duration::from_secs(7200));
    past.id = IncidentId::from_derived("past");
    past.closed = Some(Closed { at: NOON.minus(Duration::from_secs(3600)), how: CloseReason::Recovered });
    *world.shelf.incidents.lock().unwrap() = vec![past];
    world.read_history().await;
    world.show(|snapshot| {
        edit_page(snapshot, |page| {
            let told =
                |text: &str| Announcement { at: NOON.minus(Duration::from_secs(60)), kind: AnnouncementKind::Info, text: text.to_owned() };
            page.announcements = vec![told("We are <moving>\u{1}.")];
        });
    });
    let feed = world.get("/status/prod.atom", &[]).await;
    assert_eq!(feed.header("content-type"), "application/atom+xml; charset=utf-8");
    let titles: Vec<&str> = feed.body.split("<title>").skip(2).map(|rest| rest.split("</title>").next().unwrap_or_default()).collect();
    assert_eq!(titles, ["Information", "Outage: api", "Outage: api – over", "Outage: api"], "{}", feed.body);
    for said in [
        "<updated>2026-06-30T11:59:00Z</updated>",
        "We are &lt;moving&gt;\u{fffd}.",
        "Began at 2026-06-30 10:00 UTC\nlasted 1 h",
        "<link rel=\"self\" href=\"/status/prod.atom\"></link>",
    ] {
        assert!(feed.body.contains(said), "{said}: {}", feed.body);
    }
    assert!(!feed.body.contains("canary") && !feed.body.contains("connect"), "{}", feed.body);
    let mut ids: Vec<&str> = feed.body.split("<id>urn:uuid:").skip(1).map(|rest| &rest[..36]).collect();
    let n = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((n, ids.len()), (5, 5));
    let german = world.get("/status/prod.atom", &[("accept-language", "de")]).await.body;
    assert!(
        german.contains("Ausfall: api – beendet") && ids.iter().all(|id| german.contains(id)),
        "the same entries in other words: {german}"
    );
    // Where the public address is known, links mean something outside of the page, too, and lead to what they are about.
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        config.server.public_url = Some("https://up.example/".to_owned());
        config.pages[0] = Arc::new(config.pages[0].as_ref().clone());
        snapshot.config = Arc::new(config);
    });
    let own = [("host", "up.example")];
    let feed = world.get("/status/prod.atom", &own).await.body;
    let page = world.get("/status/prod", &own).await.body;
    assert!(feed.contains("<link rel=\"self\" href=\"https://up.example/status/prod.atom\"></link>"), "{feed}");
    let links: Vec<&str> = feed.split("href=\"https://up.example/status/prod#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), 4, "{feed}");
    for place in links {
        assert_eq!(page.matches(&format!(" id=\"{place}\"")).count(), 1, "{place}: {page}");
    }
    // A page with a name of its own does not lead its readers to the one of the operators.
    world.show(|snapshot| edit_page(snapshot, |page| page.domains = vec!["status.example".to_owned(), "other.example".to_owned()]));
    let feed = world.get("/status/prod.atom", &[("host", "status.example")]).await.body;
    assert!(feed.contains("href=\"https://status.example/status/prod#") && !feed.contains("up.example"), "{feed}");
}

#[tokio::test]
async fn trouble_comes_first_where_that_is_wanted() {
    let mut snapshot = usual();
    let up = view(monitor("fine", "db"), None);
    snapshot.monitors.insert(up.monitor.id.clone(), Arc::new(up));
    edit_page(&mut snapshot, |page| {
        let group = |name: &str, monitors: &[&str]| PageGroup {
            name: name.to_owned(),
            monitors: monitors.iter().map(|m| id(m)).collect(),
            is_open: None,
        };
        page.groups = vec![group("first", &["fine"]), group("second", &["fine", "api"])];
    });
    let world = World::new(snapshot).await;
    let order = |body: &str| -> Vec<usize> {
        ["<h2>first</h2>", "<h2>second</h2>", "<span class=\"name\">api</span>"]
            .iter()
            .map(|what| body.find(what).unwrap_or_default())
            .collect()
    };
    let listed = order(&world.get("/status/prod", &[]).await.body);
    assert!(listed[0] < listed[1] && listed[1] < listed[2], "{listed:?}");
    world.show(|snapshot| edit_page(snapshot, |page| page.order = Order::WorstFirst));
    let body = world.get("/status/prod", &[]).await.body;
    let sorted = order(&body);
    assert!(sorted[1] < sorted[2] && sorted[2] < sorted[0], "{sorted:?}");
    assert!(body[sorted[1]..].find("name\">api<") < body[sorted[1]..].find("name\">fine<"));
}

#[test]
fn making_a_page_holds_up_nobody_else() {
    let one_in_background = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    one_in_background.block_on(async {
        let world = World::new(usual()).await;
        // While the only thread in the background has other work, a page that is there at once was made on the thread that answers.
        let (busy, hold) = std::sync::mpsc::channel::<()>();
        let other_work = tokio::task::spawn_blocking(move || hold.recv());
        let (mut first, mut second) = (pin!(world.get("/status/prod", &[])), pin!(world.get("/status/prod", &[])));
        poll_fn(|cx| {
            assert!(first.as_mut().poll(cx).is_pending() && second.as_mut().poll(cx).is_pending(), "it holds up the others");
            Poll::Ready(())
        })
        .await;
        drop(busy);
        let (first, second) = (first.await, second.await);
        assert!(other_work.await.is_ok());
        assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
        assert_eq!(first.header("etag"), second.header("etag"));
    });
}

#[tokio::test]
async fn the_first_visitor_after_a_start_waits_for_nothing_and_sees_the_first_result() {
    let world = World::new(usual()).await;
    let (links, slug) = (Links::new(""), PageSlug::parse("prod").unwrap());
    let (pass, wishes) = (Pass { is_viewer: false, cookie: None }, Wishes { links: &links, languages: "" });
    world.read_history().await;
    // Not in the first second of a minute, in which every page is made anew.
    world.clock.advance(Duration::from_secs(10));
    let now = world.clock.now().wall;
    world.site.pages.make_first(&world.clock).await;
    let visit = || pin!(world.site.pages.open(&slug, pass, &wishes, now)).as_mut().now_or_never();
    assert!(matches!(visit(), Some(Ok(Entry::Shown(made))) if made.has(Part::Page)), "it was made before");
    world.show(|_| {});
    assert!(visit().is_none(), "it is made anew, however young it is");
}

#[tokio::test]
async fn the_calendar_is_made_when_somebody_asks_for_it_and_kept_until_a_window_changes() {
    let world = World::new(usual()).await;
    let links = Links::new("");
    let has_calendar = async |seconds| {
        let (pass, wishes) = (Pass { is_viewer: false, cookie: None }, Wishes { links: &links, languages: "" });
        match world.site.pages.open(&PageSlug::parse("prod").unwrap(), pass, &wishes, NOON + Duration::from_secs(seconds)).await {
            Ok(Entry::Shown(made)) => made.has(Part::Calendar),
            other => panic!("{other:?}"),
        }
    };
    assert!(!has_calendar(0).await, "nobody has asked");
    assert_eq!(world.get("/status/prod.ics", &[]).await.status, StatusCode::OK);
    assert!(has_calendar(0).await);
    world.show(|_| {});
    assert!(has_calendar(2).await, "a check changes no window");
    world.show(|snapshot| {
        let mut config = snapshot.config.as_ref().clone();
        config.maintenance = vec![planned::once("later", &["api"], 5, 6)];
        snapshot.config = Arc::new(config);
        edit_page(snapshot, |_| {});
    });
    assert!(!has_calendar(4).await);
    assert!(world.get("/status/prod.ics", &[]).await.body.contains("SUMMARY:Maintenance: later"));
}

#[tokio::test]
async fn announcements_of_the_config_are_data_too() {
    let world = World::new(usual()).await;
    world.show(|snapshot| {
        edit_page(snapshot, |page| {
            page.announcements = vec![Announcement { at: NOON, kind: AnnouncementKind::Warning, text: "We are moving.".to_owned() }];
        });
    });
    let json: serde_json::Value = serde_json::from_str(&world.get("/status/prod.json", &[]).await.body).expect("JSON");
    let told = &json["announcements"][0];
    assert_eq!(
        (&told["kind"], &told["text"], &told["from"]),
        (&"warning".into(), &"We are moving.".into(), &"2026-06-30T12:00:00Z".into())
    );
    assert!(told["state"].is_null(), "{told}");
}
