//! What people write about trouble: by pages, by the API, at the control socket, and what visitors see of it.

use std::future::Future as _;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::StatusCode;

use crate::config::Scope;
use crate::engine::handle::Operation;
use crate::engine::snapshot::Snapshot;
use crate::http::tests::world;
use crate::http::tests::world::NOON;
use crate::http::tests::world::World;
use crate::http::tests::world::api_token;
use crate::http::tests::world::usual;
use crate::http::visit::Peer;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Incident;
use crate::model::maintenance::Selection;
use crate::model::result::Failure;
use crate::model::result::Phase;
use crate::model::update::About;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::AnnouncementTexts;
use crate::model::update::IncidentTexts;
use crate::model::update::POSTMORTEM_CHARS_MAX;
use crate::model::update::Posted;
use crate::model::update::Postmortem;
use crate::model::update::Texts;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;
use crate::model::update::UpdateTemplate;

fn incident() -> IncidentId {
    IncidentId::from_derived("incapi")
}

fn announcement() -> AnnouncementId {
    AnnouncementId::parse("slowlogi").unwrap()
}

fn posted(id: &str, kind: UpdateKind, text: &str) -> Posted {
    let update = Update { kind, text: text.to_owned(), by: "ada-the-author".to_owned(), at: NOON };
    Posted { id: UpdateId::parse(id).unwrap(), update }
}

fn state(state: UpdateState, is_public: bool) -> UpdateKind {
    UpdateKind::State { state, is_public }
}

/// The usual world, in which people have written all that can be written.
fn written(is_public: bool) -> Snapshot {
    let mut snapshot = usual();
    let mut config = snapshot.config.as_ref().clone();
    config.auth.tokens = vec![api_token("reader", Scope::Read), api_token("writer", Scope::Write)];
    config.incident_templates = vec![UpdateTemplate {
        name: "Found & <fixed>".to_owned(),
        state: UpdateState::Monitoring,
        text: "We *wait* </textarea>".to_owned(),
    }];
    snapshot.config = Arc::new(config);
    let updates = vec![
        posted("uuuuuuu1", state(UpdateState::Investigating, is_public), "for *all*"),
        posted("uuuuuuu2", state(UpdateState::Identified, false), "for-us"),
        posted("uuuuuuu3", UpdateKind::Note, "a-note <b>"),
    ];
    let postmortem = Postmortem { text: "it was **it**".to_owned(), by: "ada-the-author".to_owned(), at: NOON, is_public };
    let mut texts = Texts::default();
    texts.incidents.insert(incident(), IncidentTexts { updates, postmortem: Some(postmortem) });
    let announced = Announced {
        title: "Slow logins".to_owned(),
        wanted: Selection { names: vec!["api".to_owned()], ..Selection::default() },
        pages: Vec::new(),
        from: NOON,
        until: None,
        by: "ada-the-author".to_owned(),
        at: NOON,
    };
    let updates = vec![posted("uuuuuuu4", state(UpdateState::Monitoring, true), "they are faster")];
    texts.announcements.insert(announcement(), AnnouncementTexts { announced, updates });
    snapshot.texts = Arc::new(texts);
    snapshot
}

fn asked(world: &World) -> Vec<Operation> {
    std::mem::take(&mut world.asked.lock().unwrap())
}

#[tokio::test]
async fn visitors_read_what_is_public_and_operators_all_of_it_in_order() {
    let world = World::new(written(true)).await;
    let cookie = world.sign_in().await;
    for (path, shown) in [
        ("/status/prod", ["Slow logins", "they are faster", "all", "it was"].as_slice()),
        ("/status/prod.json", &["Slow logins", "they are faster", "all", "it was"]),
        ("/status/prod.atom", &["Slow logins", "they are faster", "all"]),
        ("/status/prod.ics", &["VCALENDAR"]),
        ("/status/prod/widget", &["Status of prod"]),
    ] {
        let public = world.get(path, &[]).await.body;
        for shown in shown {
            assert!(public.contains(shown), "{path} {shown}: {public}");
        }
        for hidden in ["ada-the-author", "for-us", "a-note"] {
            assert!(!public.contains(hidden), "{path} {hidden}");
        }
    }
    let page = world.get("/incidents/incapi", &[("cookie", &cookie)]).await.body;
    let places: Vec<usize> =
        ["First bad check", "Confirmed", "for <em>all</em>", "for-us", "a-note &lt;b&gt;", "written by <b>ada-the-author"]
            .iter()
            .map(|said| page.find(said).unwrap_or_else(|| panic!("{said}: {page}")))
            .collect();
    assert!(places.is_sorted(), "{places:?}");
    let with = world.get("/incidents/incapi?template=Found%20%26%20%3Cfixed%3E", &[("cookie", &cookie)]).await.body;
    assert!(!page.contains("We *wait*") && with.contains("We *wait* &lt;/textarea&gt;</textarea>"), "{with}");
    assert!(page.contains("?template=Found%20%26%20%3Cfixed%3E#write\">Found &amp; &lt;fixed&gt;"), "{page}");
    assert!(with.contains("value=\"monitoring\" checked") && page.contains("value=\"identified\" checked"), "{with}");
    assert!(world.get("/announcements", &[("cookie", &cookie)]).await.body.contains("they are faster"));

    // The same when nothing of the incident is public.
    let world = World::new(written(false)).await;
    let public = world.get("/status/prod", &[]).await.body;
    assert!(!public.contains("<em>all</em>") && !public.contains("it was"), "{public}");
}

#[tokio::test]
async fn the_last_word_of_an_announcement_is_to_be_read_for_days() {
    let ended = |ago: u64| {
        let mut snapshot = written(true);
        let mut texts = snapshot.texts.as_ref().clone();
        let known = texts.announcements.get_mut(&announcement()).unwrap();
        known.announced.from = NOON.minus(Duration::from_secs(ago + 3600));
        let mut last = posted("uuuuuuu5", state(UpdateState::Resolved, true), "the last word");
        last.update.at = NOON.minus(Duration::from_secs(ago));
        known.updates.push(last);
        snapshot.texts = Arc::new(texts);
        snapshot
    };
    let world = World::new(ended(2 * 86_400)).await;
    for path in ["/status/prod", "/status/prod.json", "/status/prod.atom"] {
        let public = world.get(path, &[]).await.body;
        assert!(public.contains("Slow logins") && public.contains("the last word"), "{path}: {public}");
        assert!(!public.contains("ada-the-author"), "{path}");
    }
    let data: serde_json::Value = serde_json::from_str(&world.get("/status/prod.json", &[]).await.body).unwrap();
    assert_eq!((data["announcements"].as_array().map(Vec::len), &data["past_announcements"][0]["state"]), (Some(0), &"resolved".into()));
    let page = world.get("/status/prod", &[]).await.body;
    let (services, past) = (page.find("class=\"group").unwrap(), page.find("Past announcements").unwrap());
    assert!(services < past && past < page.find("the last word").unwrap(), "{page}");

    let world = World::new(ended(4 * 86_400)).await;
    for path in ["/status/prod", "/status/prod.json", "/status/prod.atom"] {
        assert!(!world.get(path, &[]).await.body.contains("the last word"), "{path}");
    }
    assert!(!world.get("/status/prod", &[]).await.body.contains("Past announcements"));
}

/// What is not for visitors, and who wrote anything, is at none of the addresses that they can reach.
#[tokio::test]
async fn what_is_not_public_is_at_no_public_address() {
    let mut snapshot = written(true);
    let mut texts = snapshot.texts.as_ref().clone();
    // Of what is over as well: its words stay for a while.
    let known = texts.announcements[&announcement()].clone();
    let mut over = AnnouncementTexts { announced: Announced { until: Some(NOON), ..known.announced }, updates: known.updates };
    over.updates.push(posted("uuuuuuu6", UpdateKind::Note, "a-note in a past one"));
    texts.announcements.insert(AnnouncementId::parse("pastlogi").unwrap(), over);
    let texts_of = texts.incidents[&incident()].clone();
    let private = Postmortem { text: "for-us, what we learnt".to_owned(), is_public: false, ..texts_of.postmortem.clone().unwrap() };
    texts.incidents.insert(IncidentId::from_derived("longago"), IncidentTexts { postmortem: Some(private), ..texts_of });
    snapshot.texts = Arc::new(texts);
    let world = World::new(snapshot).await;
    let monitor = world.engine.snapshot().monitors[&MonitorId::parse("api").unwrap()].monitor.clone();
    let cause = Failure::TimedOut { phase: Phase::Connect, after: Duration::from_secs(5) };
    let closed = Some(Closed { at: NOON, how: CloseReason::Recovered });
    world.shelf.incidents.lock().unwrap().push(Incident {
        id: IncidentId::from_derived("longago"),
        closed,
        ..world::incident(&monitor, cause)
    });
    let mut read = String::new();
    for path in ["", ".json", ".atom", ".ics", "/widget", "/theme.css", "?lang=de"].map(|end| format!("/status/prod{end}")) {
        let answer = world.get(&path, &[]).await;
        assert!(answer.status == StatusCode::OK || path.ends_with(".css"), "{path}: {}", answer.status);
        read.push_str(&answer.body);
    }
    for of in ["", "/api"] {
        for file in ["status.svg", "status.json", "status.shields", "up-down.svg", "uptime-24h.svg", "response-time.svg"] {
            read.push_str(&world.get(&format!("/badge/prod{of}/{file}"), &[]).await.body);
        }
    }
    for path in ["/", "/sign-in", "/healthz", "/robots.txt", "/incidents/incapi", "/announcements", "/api/v1/incidents/incapi/updates"] {
        read.push_str(&world.get(path, &[]).await.body);
    }
    assert!(["they are faster", "<em>all</em>", "it was"].iter().all(|shown| read.contains(shown)), "what is public is there");
    for hidden in ["ada-the-author", "for-us", "a-note", "uuuuuuu2", "uuuuuuu3", "uuuuuuu6"] {
        let place = read.find(hidden).map(|at| read[at.saturating_sub(200)..].chars().take(400).collect::<String>());
        assert_eq!(place, None, "{hidden}");
    }
}

#[tokio::test]
async fn announcements_begin_with_templates_as_well() {
    let world = World::new(written(true)).await;
    let cookie = world.sign_in().await;
    let headers = [("cookie", cookie.as_str())];
    let found = "We *wait* &lt;/textarea&gt;</textarea>";
    let plain = world.get("/announcements", &headers).await.body;
    assert!(!plain.contains(found), "{plain}");
    let (next, more) =
        ("/announcements?template=Found%20%26%20%3Cfixed%3E", "/announcements?about=slowlogi&template=Found%20%26%20%3Cfixed%3E");
    assert!(plain.contains(&format!("{next}#announce\"")) && plain.contains("#say-slowlogi\">Found &amp; &lt;fixed&gt;"), "{plain}");
    for (path, form, is_open) in [(next, "id=\"announce\"", false), (more, "id=\"say-slowlogi\" open", true)] {
        let page = world.get(path, &headers).await.body;
        let (_, rest) = page.split_once(form).unwrap_or_else(|| panic!("{path}: {page}"));
        assert!(rest.split("</form>").next().unwrap().contains(found) && page.matches(found).count() == 1, "{path}: {page}");
        assert_eq!(page.contains("id=\"say-slowlogi\" open"), is_open, "{path}");
    }

    let writer = [("authorization", "Bearer writer")];
    let name = "Found & <fixed>";
    let post = async |path: &str, body: serde_json::Value| world.ask("POST", path, &writer, &body.to_string()).await;
    let (incident, updates) = ("/api/v1/incidents/incapi/updates", "/api/v1/announcements/slowlogi/updates");
    for path in [incident, updates] {
        let answer = post(path, serde_json::json!({"template": name})).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    }
    let announced = serde_json::json!({"template": name, "text": "my own", "title": "t", "pages": ["prod"]});
    assert_eq!(post("/api/v1/announcements", announced).await.status, StatusCode::OK);
    let said = |update: &Update| (update.state(), update.text.clone());
    let all: Vec<_> = asked(&world)
        .iter()
        .map(|operation| {
            let (Operation::Post(_, _, update) | Operation::Announce(_, _, _, update)) = operation else { panic!("{operation:?}") };
            said(update)
        })
        .collect();
    let template = (Some(UpdateState::Monitoring), "We *wait* </textarea>".to_owned());
    assert_eq!(all, [template.clone(), template, (Some(UpdateState::Monitoring), "my own".to_owned())]);
    let wrong = post(updates, serde_json::json!({"template": "nothing"})).await;
    assert!(
        wrong.status == StatusCode::BAD_REQUEST && wrong.body.contains("There is no template `nothing`; there are `Found"),
        "{}",
        wrong.body
    );
    assert_eq!(post("/api/v1/incidents/incapi/notes", serde_json::json!({"template": name})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(asked(&world), []);
}

#[tokio::test]
async fn what_is_written_of_an_incident_that_is_over_is_on_its_pages() {
    let world = World::new(written(true)).await;
    let monitor = world.engine.snapshot().monitors[&MonitorId::parse("api").unwrap()].monitor.clone();
    let cause = Failure::TimedOut { phase: Phase::Connect, after: Duration::from_secs(5) };
    let closed = Some(Closed { at: NOON, how: CloseReason::Recovered });
    let over = Incident { id: IncidentId::from_derived("longago"), closed, ..world::incident(&monitor, cause) };
    world.shelf.incidents.lock().unwrap().push(over);
    let writer = [("authorization", "Bearer writer")];
    for (place, body, is_shown) in [
        ("postmortem", r#"{"text":"x","public":true}"#, true),
        ("postmortem", r#"{"text":"x"}"#, false),
        ("updates", r#"{"state":"resolved","public":true}"#, true),
        ("updates", r#"{"state":"resolved"}"#, false),
        ("notes", r#"{"text":"x"}"#, false),
    ] {
        let answer = world.ask("POST", &format!("/api/v1/incidents/longago/{place}"), &writer, body).await.body;
        let made: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(made["pages"].as_array().unwrap().contains(&"prod".into()), is_shown, "{place} {body}: {made}");
    }
}

#[tokio::test]
async fn forms_of_our_pages_write_and_those_of_others_do_not() {
    let world = World::new(written(true)).await;
    let cookie = world.sign_in().await;
    let token = world.form_token(&cookie).await;
    let long = "%C3%A9".repeat(POSTMORTEM_CHARS_MAX);
    let (postmortem, strange) = (format!("text={long}"), "state=resolved&text=x");
    for (path, fields, back) in [
        ("/incidents/incapi/updates", "state=identified&text=+a%0D%0Ab+&public=yes", "/incidents/incapi"),
        ("/incidents/incapi/notes", "text=n", "/incidents/incapi"),
        ("/incidents/incapi/postmortem", postmortem.as_str(), "/incidents/incapi"),
        ("/incidents/incapi/updates/uuuuuuu2/remove", "", "/incidents/incapi"),
        ("/announcements", "state=investigating&title=t&pages=prod&from=&until=2026-06-30T18%3A00", "/announcements"),
        ("/announcements/slowlogi/updates", "state=resolved&text=", "/announcements"),
        ("/announcements/slowlogi/updates/uuuuuuu4/remove", "", "/announcements"),
    ] {
        let foreign =
            [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
        assert_eq!(world.ask("POST", path, &foreign, &format!("form={token}&{strange}")).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(world.post(path, &cookie, strange).await.status, StatusCode::FORBIDDEN, "{path} without its token");
        assert!(!world.post(path, "", &format!("form={token}&{strange}")).await.status.is_success(), "{path} by a stranger");
        let answer = world.post(path, &cookie, &format!("form={token}&{fields}")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, back), "{path}: {}", answer.body);
    }
    let asked = asked(&world);
    assert_eq!(asked.len(), 7);
    assert_eq!(asked[6], Operation::Unpost(About::Announcement(announcement()), UpdateId::parse("uuuuuuu4").unwrap()));
    let page = world.get("/announcements", &[("cookie", &cookie)]).await.body;
    assert!(page.contains("action=\"/announcements/slowlogi/updates/uuuuuuu4/remove\""), "{page}");
    let update = |kind, text: &str| Update { kind, text: text.to_owned(), by: "owner".to_owned(), at: NOON };
    let Operation::Post(About::Incident(_), _, first) = &asked[0] else { panic!("{:?}", asked[0]) };
    assert_eq!(*first, update(state(UpdateState::Identified, true), " a\nb"));
    let Operation::WritePostmortem(_, postmortem) = &asked[2] else { panic!("{:?}", asked[2]) };
    assert_eq!((postmortem.text.chars().count(), postmortem.is_public), (POSTMORTEM_CHARS_MAX, false));
    assert_eq!(asked[3], Operation::Unpost(About::Incident(incident()), UpdateId::parse("uuuuuuu2").unwrap()));
    // A stranger's long body is cut off before anybody reads it.
    let body = format!("form=x&text={long}");
    let refused = world.post("/incidents/incapi/postmortem", "", &body).await;
    assert_eq!((refused.status, refused.header("connection")), (StatusCode::FORBIDDEN, "close"));
    assert!(refused.body.len() < 4000, "nothing of it is repeated: {}", refused.body);
}

#[tokio::test]
async fn programs_write_when_they_may_and_what_is_wrong_is_said() {
    let world = World::new(written(true)).await;
    let (reader, writer) = ([("authorization", "Bearer reader")], [("authorization", "Bearer writer")]);
    let all: serde_json::Value = serde_json::from_str(&world.get("/api/v1/incidents/incapi/updates", &reader).await.body).unwrap();
    let kinds: Vec<_> = all["updates"].as_array().unwrap().iter().map(|one| (one["kind"].clone(), one["public"].clone())).collect();
    assert_eq!(kinds, [("update".into(), true.into()), ("update".into(), false.into()), ("note".into(), false.into())]);
    let listed: serde_json::Value = serde_json::from_str(&world.get("/api/v1/announcements", &reader).await.body).unwrap();
    assert_eq!((&listed["announcements"][0]["state"], &listed["announcements"][0]["open"]), (&"monitoring".into(), &true.into()));
    let (updates, announcements) = ("/api/v1/incidents/incapi/updates", "/api/v1/announcements");
    for (method, path) in [
        ("POST", updates),
        ("POST", "/api/v1/incidents/incapi/notes"),
        ("POST", "/api/v1/incidents/incapi/postmortem"),
        ("DELETE", "/api/v1/incidents/incapi/updates/uuuuuuu1"),
        ("POST", announcements),
        ("POST", "/api/v1/announcements/slowlogi/updates"),
        ("DELETE", "/api/v1/announcements/slowlogi/updates/uuuuuuu4"),
    ] {
        let body = r#"{"state":"resolved","text":"x"}"#;
        assert_eq!(world.ask(method, path, &reader, body).await.status, StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(world.ask(method, path, &[], body).await.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(asked(&world), []);
    let made: serde_json::Value =
        serde_json::from_str(&world.ask("POST", updates, &writer, r#"{"state":"monitoring","text":"x","public":true}"#).await.body)
            .unwrap();
    assert!(made["pages"].as_array().unwrap().contains(&"prod".into()), "{made}");
    assert_eq!(asked(&world).len(), 1);
    for (path, body, why) in [
        (updates, "[]", "JSON object"),
        (updates, "", "JSON object"),
        (updates, r#"{"state":"fine"}"#, "`investigating`, `identified`"),
        (updates, r#"{"state":"resolved","monitors":["x"]}"#, "belong to an announcement"),
        (updates, r#"{"txt":"x"}"#, "unknown field"),
        (announcements, r#"{"title":"x","pages":["nowhere"]}"#, "There is no status page `nowhere`"),
        (announcements, r#"{"title":"x","pages":["prod"],"until":"soon"}"#, "no point in time"),
        (announcements, r#"{"title":"x","pages":["prod"],"until":"2026-07-01T09:00:00Z","for":"1h"}"#, "not both"),
    ] {
        let answer = world.ask("POST", path, &writer, body).await;
        assert!(answer.status == StatusCode::BAD_REQUEST && answer.body.contains(why), "{path} {body}: {}", answer.body);
    }
    assert_eq!(world.ask("DELETE", "/api/v1/announcements/slowlogi/updates/uuuuuuu4", &writer, "").await.status, StatusCode::OK);
    assert_eq!(asked(&world), [Operation::Unpost(About::Announcement(announcement()), UpdateId::parse("uuuuuuu4").unwrap())]);
    let nobody = world.ask("POST", "/api/v1/incidents/nosuchone/updates", &writer, r#"{"state":"resolved"}"#).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    assert_eq!(asked(&world), []);
}

#[tokio::test]
async fn the_control_socket_lists_and_writes() {
    let world = World::new(written(true)).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let shown = world.ask_from(Peer::Control, "GET /local/incidents/incapi", &[], "").await.body;
    assert!(shown.contains("a-note") && shown.contains("ada-the-author"), "{shown}");
    assert!(world.ask_from(Peer::Control, "GET /local/announcements", &[], "").await.body.contains("Slow logins"));
    let answer = world.ask_from(Peer::Control, "POST /local/incidents/incapi/notes", &form, "text=n&by=ada").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let asked = asked(&world);
    let [Operation::Post(About::Incident(about), _, update)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((about, update.by.as_str(), update.kind), (&incident(), "ada", UpdateKind::Note));
    let answer = world.ask_from(Peer::Control, "POST /local/announcements/slowlogi/updates/uuuuuuu4/remove", &form, "by=ada").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test]
async fn what_is_sent_twice_is_written_once_unless_it_is_meant() {
    let world = World::new(written(false)).await;
    let cookie = world.sign_in().await;
    let form = format!("form={}&state=monitoring&text=", world.form_token(&cookie).await);
    let post = async |path: &str, text: &str| {
        let answer = world.post(path, &cookie, &format!("{form}{text}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path} {text}: {}", answer.body);
        asked(&world).len()
    };
    let (incident, announcement) = ("/incidents/incapi/updates", "/announcements/slowlogi/updates");
    assert_eq!((post(incident, "same").await, post(incident, "same").await), (1, 0));
    assert_eq!(post(announcement, "same").await, 1, "on another thing");
    assert_eq!((post(incident, "other").await, post(incident, "same").await), (1, 1), "something else was said in between");
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(post(incident, "same").await, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(post(incident, "same").await, 1, "a minute later it is meant");
    assert_eq!(post("/incidents/incapi/updates/uuuuuuu1/remove", "").await, 1);
    assert_eq!(post(incident, "same").await, 1, "what was taken back can be said again");

    // A second press cancels the first one, which is on its way to the disk.
    {
        let text = format!("{form}cancelled");
        let mut first = pin!(world.post(announcement, &cookie, &text));
        poll_fn(|cx| {
            if !world.asked.lock().unwrap().is_empty() {
                return Poll::Ready(());
            }
            assert!(first.as_mut().poll(cx).is_pending(), "it is answered when it is on disk");
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
    assert_eq!(post(announcement, "cancelled").await, 1, "and the second one says that it is there");

    // An announcement that something was said on is over with; the same words are another one.
    let announce = async || {
        let announced = format!("{form}the+same&title=Deploying&pages=*");
        let answer = world.post("/announcements", &cookie, &announced).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        asked(&world).into_iter().find_map(|asked| if let Operation::Announce(id, ..) = asked { Some(id) } else { None })
    };
    let id = announce().await.expect("it is announced");
    assert_eq!(announce().await, None, "a second press");
    assert_eq!(post(&format!("/announcements/{id}/updates"), "it+is+done").await, 1);
    assert!(announce().await.is_some_and(|another| another != id));

    // Two presses at once, and the same by a program.
    let (first, second) = tokio::join!(post(announcement, "at+once"), post(announcement, "at+once"));
    assert_eq!(first + second, 1);
    let headers = [("authorization", "Bearer writer")];
    let json = r#"{"state":"monitoring","text":"by a program"}"#;
    let first = world.ask("POST", "/api/v1/incidents/incapi/updates", &headers, json).await;
    let again = world.ask("POST", "/api/v1/incidents/incapi/updates", &headers, json).await;
    assert_eq!((first.status, &first.body), (StatusCode::OK, &again.body), "with the same id");
    assert_eq!(asked(&world).len(), 1);
}
