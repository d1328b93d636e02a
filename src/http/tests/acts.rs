//! Acknowledging, snoozing and silencing: by pages, by the API, by links in messages, at the control socket.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::config::Scope;
use crate::engine::handle::Operation;
use crate::engine::snapshot::AlertView;
use crate::engine::snapshot::Held;
use crate::engine::snapshot::Snapshot;
use crate::http::tests::world::NOON;
use crate::http::tests::world::STRANGER;
use crate::http::tests::world::World;
use crate::http::tests::world::api_token;
use crate::http::tests::world::config;
use crate::http::tests::world::id;
use crate::http::tests::world::usual;
use crate::http::visit::Peer;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::maintenance::Selection;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::signed::LinkKeys;

const HOUR: Duration = Duration::from_secs(3600);

fn incident() -> IncidentId {
    IncidentId::from_derived("incapi")
}

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn ack(by: &str, until: Option<UnixMillis>, note: &str) -> Acknowledgement {
    Acknowledgement { by: by.to_owned(), at: NOON, until, note: note.to_owned(), by_channel: None }
}

/// The usual world, in which somebody is at work on what is down, another channel waits for its parent, and something is silenced.
fn busy() -> Snapshot {
    let mut snapshot = usual();
    let mut view = snapshot.monitors[&id("api")].as_ref().clone();
    view.alerts = vec![AlertView {
        incident: incident(),
        acknowledged: Some(ack("ada", None, "on it <b>")),
        told: vec![channel("chat")],
        waiting: vec![channel("pager")],
        held: Some(Held::Parent(id("canary-hidden"))),
        next_at: Some(NOON + HOUR),
    }];
    snapshot.monitors.insert(id("api"), Arc::new(view));
    let wanted = Selection { names: vec!["canary-h*".to_owned()], ..Selection::default() };
    let silence = Silence { wanted, from: NOON, until: NOON + HOUR * 2, by: "bob".to_owned(), note: "moving it".to_owned() };
    snapshot.silences = vec![(SilenceId::parse("abcdefg2").unwrap(), silence)];
    snapshot
}

fn asked(world: &World) -> Vec<Operation> {
    std::mem::take(&mut world.asked.lock().unwrap())
}

fn link(incident: &IncidentId) -> String {
    let token = LinkKeys::new(&config(), &Secret::new("secret")).token(incident, &channel("chat")).unwrap();
    format!("/act/{token}")
}

#[tokio::test]
async fn pages_say_who_is_at_work_on_it_who_waits_and_what_is_silenced() {
    let world = World::new(busy()).await;
    let cookie = world.sign_in().await;
    let page = |path: &'static str| {
        let (world, cookie) = (&world, &cookie);
        async move { world.get(path, &[("cookie", cookie)]).await.body }
    };
    let shown = page("/incidents/incapi").await;
    for said in [
        "by <b>ada</b>",
        "on it &lt;b&gt;",
        "chat",
        "pager",
        "canary-hidden, on which this depends, may be down",
        "Withdraw",
        "until 9:00 UTC tomorrow",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let dashboard = page("/monitors").await;
    for said in ["acknowledged by ada", "hidden by canary-hidden", "silenced until"] {
        assert!(dashboard.contains(said), "{said}: {dashboard}");
    }
    assert!(page("/monitors/api").await.contains("acknowledged by ada"));
    let silences = page("/silences").await;
    for said in ["canary-h*", "<b>1</b>", "bob", "moving it", "/silences/abcdefg2/end"] {
        assert!(silences.contains(said), "{said}: {silences}");
    }
    for path in ["/status/prod", "/status/prod.json"] {
        let public = world.get(path, &[]).await.body;
        for hidden in ["ada", "pager", "silence", "acknowledged", "bob"] {
            assert!(!public.contains(hidden), "{path} {hidden}");
        }
    }
    world.show(|snapshot| {
        let mut view = snapshot.monitors[&id("api")].as_ref().clone();
        view.incidents.clear();
        view.alerts.clear();
        snapshot.monitors.insert(id("api"), Arc::new(view));
    });
    let closed = usual().monitors[&id("api")].incidents[0].clone();
    world.shelf.incidents.lock().unwrap().push(closed);
    assert!(!page("/incidents/incapi").await.contains("/acknowledge"), "there is nothing to acknowledge any more");
}

#[tokio::test]
async fn buttons_of_our_pages_ask_the_engine_and_forms_of_others_do_not() {
    let world = World::new(busy()).await;
    let cookie = world.sign_in().await;
    let token = world.form_token(&cookie).await;
    let paths =
        ["/incidents/incapi/acknowledge", "/incidents/incapi/withdraw", "/monitors/api/silence", "/silences", "/silences/abcdefg2/end"];
    for path in paths {
        let body = format!("form={token}&for=1h&monitors=x");
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let foreign = [("cookie", cookie.as_str()), kind, ("sec-fetch-site", "cross-site")];
        assert_eq!(world.ask("POST", path, &foreign, &body).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(world.post(path, &cookie, "for=1h&monitors=x").await.status, StatusCode::FORBIDDEN, "{path} without its token");
        assert!(!world.post(path, "", &body).await.status.is_success(), "{path} by a stranger");
    }
    assert_eq!(asked(&world), []);
    for (path, fields, back) in [
        (paths[0], "note=+on+it+", "/incidents/incapi"),
        (paths[0], "note=&for=4h", "/incidents/incapi"),
        (paths[0], "own=30m", "/incidents/incapi"),
        (paths[0], "for=tomorrow", "/incidents/incapi"),
        (paths[1], "", "/incidents/incapi"),
        (paths[2], "for=1d", "/monitors/api"),
        (paths[3], "monitors=a*%0D%0Ab&groups=&labels=team%3Dweb&own=&until=2026-06-30T18%3A00&note=x", "/silences"),
        (paths[4], "", "/silences"),
    ] {
        let answer = world.post(path, &cookie, &format!("form={token}&{fields}")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, back), "{path} {fields}: {}", answer.body);
    }
    let mut asked = asked(&world);
    let made: Vec<Silence> = asked
        .iter()
        .filter_map(|operation| if let Operation::Silence(_, silence) = operation { Some(silence.clone()) } else { None })
        .collect();
    asked.retain(|operation| !matches!(operation, Operation::Silence(..)));
    let acks = [None, Some(NOON + HOUR * 4), Some(NOON + Duration::from_secs(1800)), Some(NOON + HOUR * 21)];
    let mut expected: Vec<Operation> = acks.iter().map(|until| Operation::Acknowledge(incident(), ack("owner", *until, ""))).collect();
    expected[0] = Operation::Acknowledge(incident(), ack("owner", None, "on it"));
    expected.push(Operation::Withdraw(incident()));
    expected.push(Operation::EndSilence(SilenceId::parse("abcdefg2").unwrap()));
    assert_eq!(asked, expected);
    assert_eq!((made[0].wanted.names.as_slice(), made[0].until), (&["api".to_owned()][..], NOON + HOUR * 24));
    let wanted = Selection {
        names: vec!["a*".to_owned(), "b".to_owned()],
        groups: Vec::new(),
        labels: [("team".to_owned(), "web".to_owned())].into(),
    };
    assert_eq!((&made[1].wanted, made[1].until, made[1].note.as_str()), (&wanted, NOON + HOUR * 6, "x"));
    for wrong in ["own=soon", "for=own&own=", "for=own", "for=own&own=+", "own=1h&until=2026-07-01T09:00:00Z", "labels=web&own=1h"] {
        assert_eq!(
            world.post("/silences", &cookie, &format!("form={token}&monitors=x&{wrong}")).await.status,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_api_acknowledges_and_silences_for_those_who_may_write() {
    let mut snapshot = busy();
    let mut config = snapshot.config.as_ref().clone();
    config.auth.tokens = vec![api_token("reader", Scope::Read), api_token("writer", Scope::Write)];
    snapshot.config = Arc::new(config);
    let world = World::new(snapshot).await;
    let (reader, writer) = ([("authorization", "Bearer reader")], [("authorization", "Bearer writer")]);
    let status: serde_json::Value = serde_json::from_str(&world.get("/api/v1/monitors/api", &reader).await.body).unwrap();
    let open = &status["open_incidents"][0];
    assert_eq!((&open["acknowledged"]["by"], &open["told"][0], &open["waiting"][0]), (&"ada".into(), &"chat".into(), &"pager".into()));
    assert_eq!(open["held"], serde_json::json!({"reason": "parent", "until": null, "monitor": "canary-hidden", "silence": null}));
    assert_eq!(open["next_at"], "2026-06-30T13:00:00Z");
    let listed: serde_json::Value = serde_json::from_str(&world.get("/api/v1/silences", &reader).await.body).unwrap();
    assert_eq!((&listed["silences"][0]["id"], &listed["silences"][0]["selects"][0]), (&"abcdefg2".into(), &"canary-hidden".into()));
    let acknowledgement = "/api/v1/incidents/incapi/acknowledgement";
    for (method, path) in
        [("POST", acknowledgement), ("DELETE", acknowledgement), ("POST", "/api/v1/silences"), ("DELETE", "/api/v1/silences/abcdefg2")]
    {
        assert_eq!(
            world.ask(method, path, &reader, r#"{"monitors":["x"],"for":"1h"}"#).await.status,
            StatusCode::FORBIDDEN,
            "{method} {path}"
        );
        assert_eq!(world.ask(method, path, &[], "").await.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(asked(&world), []);
    assert_eq!(world.ask("POST", acknowledgement, &writer, "").await.body, r#"{"done":true}"#);
    assert_eq!(world.ask("POST", acknowledgement, &writer, r#"{"note":"n","until":"2026-06-30T14:00:00Z"}"#).await.status, StatusCode::OK);
    assert_eq!(world.ask("DELETE", acknowledgement, &writer, "").await.status, StatusCode::OK);
    let made: serde_json::Value =
        serde_json::from_str(&world.ask("POST", "/api/v1/silences", &writer, r#"{"monitors":["canary*"],"for":"1h"}"#).await.body).unwrap();
    assert_eq!((&made["selects"][0], &made["until"]), (&"canary-hidden".into(), &"2026-06-30T13:00:00Z".into()));
    assert!(SilenceId::parse(made["id"].as_str().unwrap()).is_ok());
    assert_eq!(world.ask("DELETE", "/api/v1/silences/abcdefg2", &writer, "").await.status, StatusCode::OK);
    let asked = asked(&world);
    assert_eq!(
        asked[..2],
        [
            Operation::Acknowledge(incident(), ack("writer", None, "")),
            Operation::Acknowledge(incident(), ack("writer", Some(NOON + HOUR * 2), "n"))
        ]
    );
    assert_eq!(asked.len(), 5);
    for wrong in ["[]", r#"{"fro":"1h"}"#, r#"{"for":"1 hour"}"#, r#"{"for":1}"#, "nonsense"] {
        let answer = world.ask("POST", acknowledgement, &writer, wrong).await;
        assert!(answer.status == StatusCode::BAD_REQUEST && answer.body.contains("\"code\":\"bad_request\""), "{wrong}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_link_in_a_message_shows_buttons_when_it_is_opened_and_acts_when_one_is_pressed() {
    let world = World::new(busy()).await;
    let link = link(&incident());
    for _ in 0..3 {
        let page = world.get(&link, &[]).await;
        assert_eq!(page.status, StatusCode::OK);
        for (name, value) in [("referrer-policy", "same-origin"), ("x-frame-options", "DENY"), ("cache-control", "no-store")] {
            assert_eq!(page.header(name), value);
        }
        for said in ["<h1>api</h1>", "noindex", "Acknowledge", "4 h", "1 d"] {
            assert!(page.body.contains(said), "{said}: {}", page.body);
        }
        assert!(!page.body.contains("canary"), "it says no more than the message did");
        assert_eq!(world.ask("HEAD", &link, &[], "").await.status, StatusCode::OK);
    }
    assert_eq!(asked(&world), [], "previews open links");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for fields in ["", "do=acknowledge&note=on+my+way", "for=4h", "do=silence&for=1d"] {
        let answer = world.ask("POST", &link, &form, fields).await;
        assert!(answer.status == StatusCode::OK && answer.body.contains("role=\"status\""), "{fields}: {}", answer.body);
    }
    let by = "somebody by a link in chat";
    let asked = asked(&world);
    let expected = [ack(by, None, ""), ack(by, None, "on my way"), ack(by, Some(NOON + HOUR * 4), "")];
    assert_eq!(asked[..3], expected.map(|ack| Operation::Acknowledge(incident(), ack)));
    let Operation::Silence(_, silence) = &asked[3] else { panic!("a silence") };
    assert_eq!((silence.wanted.names.as_slice(), silence.until, silence.by.as_str()), (&["api".to_owned()][..], NOON + HOUR * 24, by));
}

#[tokio::test]
async fn links_that_are_forged_or_over_do_nothing_and_say_so() {
    let world = World::new(busy()).await;
    let over = link(&IncidentId::from_derived("incgone"));
    for method in ["GET", "POST"] {
        let answer = world.ask(method, &over, &[], "").await;
        assert!(answer.status == StatusCode::GONE && answer.body.contains("This is over"), "{}", answer.body);
    }
    let other = LinkKeys::new(&config(), &Secret::new("another")).token(&incident(), &channel("chat")).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..61 {
        statuses.push(world.ask("POST", &format!("/act/{other}"), &[], "").await.status);
    }
    assert_eq!((statuses[0], statuses[60]), (StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(world.get(&link(&incident()), &[]).await.status, StatusCode::OK, "who has a good link is let in all the same");
    let mut n_used = 0;
    while world.ask("POST", &link(&incident()), &[], "").await.status == StatusCode::OK {
        n_used += 1;
    }
    assert_eq!(n_used, 10, "each use tells everybody");
    assert_eq!(asked(&world).len(), 10);
}

#[tokio::test]
async fn the_control_socket_takes_incidents_and_monitors_by_any_of_their_names() {
    let world = World::new(busy()).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for what in ["incapi", "api"] {
        let answer = world.ask_from(Peer::Control, "POST /local/acknowledge", &form, &format!("what={what}&for=2h&by=ada")).await;
        assert_eq!(answer.body, r#"{"incidents":[{"id":"incapi","monitor":"api"}]}"#);
    }
    assert_eq!(asked(&world), vec![Operation::Acknowledge(incident(), ack("ada", Some(NOON + HOUR * 2), "")); 2]);
    for (what, why) in [("canary-hidden", "has no open incident"), ("nobody", "no monitor `nobody`")] {
        let answer = world.ask_from(Peer::Control, "POST /local/withdraw", &form, &format!("what={what}")).await;
        assert!(answer.status == StatusCode::CONFLICT && answer.body.contains(why), "{}", answer.body);
    }
    let answer = world.ask_from(Peer::Control, "POST /local/silences", &form, "monitors=canary*&monitors=a&for=1h").await;
    assert!(answer.body.contains("\"selects\":[\"canary-hidden\"]"), "{}", answer.body);
    assert!(world.ask_from(Peer::Control, "GET /local/silences", &[], "").await.body.contains("abcdefg2"));
    assert_eq!(world.ask_from(Peer::Control, "POST /local/silences/abcdefg2/end", &[], "").await.status, StatusCode::OK);
    assert_eq!(world.ask_from(STRANGER, "POST /local/acknowledge", &form, "what=api").await.status, StatusCode::NOT_FOUND);
    assert_eq!(asked(&world).len(), 2);
}
