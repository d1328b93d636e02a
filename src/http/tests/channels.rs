//! Channels: how they are, what became of messages, tests and second tries, and who may see and do what.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use crate::config::Config;
use crate::config::Scope;
use crate::http::tests::world::NOON;
use crate::http::tests::world::Read;
use crate::http::tests::world::World;
use crate::http::tests::world::api_token;
use crate::http::tests::world::config;
use crate::http::tests::world::monitor;
use crate::http::tests::world::snapshot;
use crate::http::tests::world::view;
use crate::http::visit::Peer;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::WebhookSpec;
use crate::model::id::ChannelName;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::secret::Secret;
use crate::store::Answered;
use crate::store::AnsweredBy;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::ChannelFacts;
use crate::store::Delivery;
use crate::store::DeliveryState;

const MINUTE: Duration = Duration::from_secs(60);
const NAMES: [&str; 2] = ["ops", "the night/shift"];

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

/// Two channels and two tokens.
fn with_channels() -> Config {
    let mut config = config();
    for text in NAMES {
        let spec = WebhookSpec {
            url: Secret::new("https://hooks.example/canary-url"),
            method: "POST".to_owned(),
            headers: Vec::new(),
            secret: None,
            body: None,
        };
        let origin = Origin { file: Arc::new("config.yaml".into()), line: 9 };
        let channel = Channel { name: name(text), spec: ChannelSpec::Webhook(spec), on: EventKind::ALL.into(), quiet_hours: None, origin };
        config.channels.insert(name(text), Arc::new(channel));
    }
    config.auth.tokens = vec![api_token("reader", Scope::Read), api_token("writer", Scope::Write)];
    config
}

fn facts(text: &str) -> ChannelFacts {
    ChannelFacts::new(name(text))
}

fn delivery(id: i64, state: DeliveryState) -> Delivery {
    let attempt = Attempt {
        at: NOON.minus(MINUTE),
        took: Duration::from_millis(41),
        outcome: AttemptOutcome::Refused,
        reason: Some("answered 401: it does not accept the credentials".to_owned()),
        answer: Some(Answered { by: AnsweredBy::Http, code: 401, said: "who are <b>you</b>?".to_owned() }),
        called: None,
        is_unanswered: false,
    };
    Delivery {
        id,
        key: format!("k{id}"),
        channel: name("ops"),
        event: "down".to_owned(),
        incident: None,
        about: "the shop".to_owned(),
        at: NOON.minus(MINUTE * 12),
        n_attempts: 3,
        attempts: vec![(1, attempt.clone()), (3, attempt)],
        state,
        last_error: Some("answered 401: it does not accept the credentials".to_owned()),
        behind: None,
        called: None,
    }
}

async fn world() -> World {
    let world = World::new(snapshot(with_channels(), Vec::new())).await;
    let broken = ChannelFacts {
        failing_since: Some(NOON.minus(MINUTE * 30)),
        broken_since: Some(NOON.minus(MINUTE * 30)),
        reason: Some("answered 401: it does not accept the credentials".to_owned()),
        n_waiting: 3,
        oldest: Some(NOON.minus(MINUTE * 25)),
        next_at: Some(NOON + MINUTE),
        n_dead: 1,
        dead_at: Some(NOON.minus(MINUTE)),
        ..facts("ops")
    };
    let fine = ChannelFacts { accepted_at: Some(NOON.minus(MINUTE)), ..facts("the night/shift") };
    let all = vec![broken, fine];
    world.facts.send_replace(Arc::new(all.clone()));
    *world.shelf.channels.lock().unwrap() = all;
    let (later, before) = (NOON + MINUTE, NOON.minus(MINUTE));
    let newest_first = [(3, DeliveryState::Sent(before)), (2, DeliveryState::Dead(before)), (1, DeliveryState::Waiting(later))];
    *world.shelf.deliveries.lock().unwrap() = newest_first.map(|(id, state)| delivery(id, state)).to_vec();
    world
}

fn json(answer: &Read) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body))
}

async fn as_token(world: &World, token: &str, line: &str) -> Read {
    let (method, path) = line.split_once(' ').unwrap();
    world.ask(method, path, &[("authorization", &format!("Bearer {token}"))], "").await
}

#[tokio::test]
async fn the_pages_say_how_each_channel_is_and_what_it_answered() {
    let world = world().await;
    let cookie = world.sign_in().await;
    let list = world.get("/channels", &[("cookie", &cookie)]).await.body;
    for shown in ["Not delivering", "Fine", "oldest ", "25 min ago", "href=\"/channels/the%20night%2Fshift\"", "answered 401", "never"] {
        assert!(list.contains(shown), "{shown}\n{list}");
    }
    assert!(!list.contains("in the last 30 days"));
    let page = world.get("/channels/ops", &[("cookie", &cookie)]).await.body;
    for shown in [
        "action=\"/channels/ops/test\"",
        "action=\"/channels/ops/retry\"",
        "action=\"/channels/ops/deliveries/2/retry\"",
        "3 attempts, HTTP 401",
        "1 attempt in between",
        "who are &lt;b&gt;you&lt;/b&gt;?",
        "the shop",
        "config.yaml:9",
        "name=\"form\"",
    ] {
        assert!(page.contains(shown), "{shown}\n{page}");
    }
    assert!(!page.contains("/deliveries/1/retry") && !page.contains("/deliveries/3/retry"), "only what was given up is tried again");
    let given_up = world.get("/channels/ops?state=given_up", &[("cookie", &cookie)]).await.body;
    assert!(given_up.contains("id=\"d2\"") && !given_up.contains("id=\"d1\""));
    assert_eq!(world.get("/channels/the%20night%2Fshift", &[("cookie", &cookie)]).await.status, StatusCode::OK);
    for path in ["/channels/none", "/channels/the%20night%2fshift", "/channels/%6fps", "/channels/"] {
        assert_eq!(world.get(path, &[("cookie", &cookie)]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for body in [list, page] {
        assert!(!body.contains("canary"), "{body}");
    }
}

#[tokio::test]
async fn the_page_of_a_channel_shows_what_it_would_send_to_those_who_may_send() {
    let world = World::new(snapshot(with_channels(), vec![view(monitor("api", "shop.example"), None)])).await;
    let cookie = world.sign_in().await;
    let page = async |query: &str| world.get(&format!("/channels/ops{query}"), &[("cookie", &cookie)]).await.body;
    let unasked = page("").await;
    assert!(unasked.contains("href=\"/channels/ops?preview=recovered#preview\"") && !unasked.contains("POST https://"), "{unasked}");
    for (event, shown) in [("down", "&quot;event&quot;: &quot;down&quot;"), ("recovered", "&quot;event&quot;: &quot;recovered&quot;")] {
        let body = page(&format!("?preview={event}")).await;
        assert!(body.contains("POST https://hooks.example/***") && body.contains(shown), "{body}");
        assert!(body.contains(&format!("?preview={event}#preview\" aria-current=\"true\"")) && !body.contains("canary-url"), "{body}");
    }
    for strange in ["?preview=", "?preview=nothing", "?preview=%3Cb%3E"] {
        assert!(!page(strange).await.contains("POST https://"), "{strange}");
    }
    let asked = "/channels/ops?preview=down";
    let read = world.ask("GET", asked, &[("authorization", "Bearer reader")], "").await.body;
    assert!(!read.contains("POST https://") && !read.contains("What it would send"), "{read}");
}

#[tokio::test]
async fn what_did_not_arrive_is_said_on_every_other_page() {
    let world = world().await;
    let cookie = world.sign_in().await;
    let page = world.get("/monitors", &[("cookie", &cookie)]).await.body;
    assert!(page.contains("Messages to ops did not arrive: 3 wait, the oldest for 25 min and 1 was given up."), "{page}");
    assert!(page.contains("<a href=\"/channels/ops\">See what it answers</a>"), "{page}");
    assert!(!world.get("/channels", &[("cookie", &cookie)]).await.body.contains("did not arrive"));
    world.facts.send_replace(Arc::new(vec![ChannelFacts { dead_at: Some(NOON.minus(MINUTE * 60 * 25)), n_dead: 1, ..facts("ops") }]));
    assert!(!world.get("/monitors", &[("cookie", &cookie)]).await.body.contains("did not arrive"), "that was told for a day");
}

#[tokio::test]
async fn channels_that_never_proved_themselves_are_pointed_out() {
    let world = world().await;
    let cookie = world.sign_in().await;
    for (accepted_at, is_said) in [(None, true), (Some(NOON.minus(MINUTE * 60 * 24 * 31)), true), (Some(NOON), false)] {
        *world.shelf.channels.lock().unwrap() = vec![ChannelFacts { accepted_at, ..facts("ops") }];
        let page = world.get("/channels", &[("cookie", &cookie)]).await.body;
        assert_eq!(page.contains("No channel has taken a message in the last 30 days"), is_said, "{accepted_at:?}");
    }
}

#[tokio::test]
async fn a_test_is_sent_once_and_its_answer_is_shown() {
    let world = world().await;
    let cookie = world.sign_in().await;
    let form = format!("form={}", world.form_token(&cookie).await);
    let sent = || world.post.sent.lock().unwrap().clone();
    for (form, status) in [("", 403), ("form=wrong", 403)] {
        assert_eq!(world.post("/channels/ops/test", &cookie, form).await.status.as_u16(), status);
    }
    assert_eq!(sent(), Vec::<String>::new());
    let answer = world.post("/channels/ops/test", &cookie, &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/channels/ops"));
    let page = world.get("/channels/ops", &[("cookie", &cookie)]).await.body;
    assert!(page.contains("Last test message") && page.contains("accepted") && page.contains("HTTP 200"), "{page}");
    assert_eq!((sent(), world.shelf.proved.lock().unwrap().clone()), (vec!["ops".to_owned()], vec!["ops".to_owned()]));
    world.post.refuses.store(true, Ordering::Relaxed);
    let answer = as_token(&world, "writer", "POST /api/v1/channels/ops/test").await;
    let told = json(&answer);
    assert_eq!((answer.status, &told["accepted"], &told["attempt"]["outcome"]), (StatusCode::OK, &false.into(), &"refused".into()));
    assert_eq!((&told["attempt"]["answer"]["code"], &told["attempt"]["answer"]["text"]), (&401.into(), &"go away".into()));
    assert_eq!(told["attempt"]["error"], "answered 401: it does not accept the credentials");
    assert_eq!(world.shelf.proved.lock().unwrap().len(), 1, "a refusal proves nothing");
    assert_eq!(world.post("/channels/none/test", &cookie, &form).await.status, StatusCode::NOT_FOUND);
    assert!(world.asked.lock().unwrap().is_empty(), "nothing of it reaches the engine");
}

#[tokio::test]
async fn what_was_given_up_is_tried_again_on_request() {
    let world = world().await;
    let cookie = world.sign_in().await;
    let form = format!("form={}", world.form_token(&cookie).await);
    let answer = world.post("/channels/ops/deliveries/2/retry", &cookie, &form).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/channels/ops"));
    let outdated = world.post("/channels/ops/deliveries/3/retry", &cookie, &form).await;
    assert!(outdated.status == StatusCode::CONFLICT && outdated.body.contains("to say this now would be wrong"), "{}", outdated.body);
    assert_eq!(world.post("/channels/ops/deliveries/9/retry", &cookie, &form).await.status, StatusCode::CONFLICT);
    assert_eq!(world.post("/channels/ops/retry", &cookie, &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(json(&as_token(&world, "writer", "POST /api/v1/channels/ops/deliveries/2/retry").await)["waiting"], 1);
    assert_eq!(json(&as_token(&world, "writer", "POST /api/v1/channels/ops/retry").await)["waiting"], 2);
    assert_eq!(*world.shelf.revived.lock().unwrap(), [2, 3, 9, 0, 2, 0]);
}

#[tokio::test]
async fn readers_see_states_and_neither_answers_nor_buttons() {
    let world = world().await;
    for line in ["POST /api/v1/channels/ops/test", "POST /api/v1/channels/ops/retry", "POST /api/v1/channels/ops/deliveries/2/retry"] {
        assert_eq!(as_token(&world, "reader", line).await.status, StatusCode::FORBIDDEN, "{line}");
        assert_eq!(as_token(&world, "neither", line).await.status, StatusCode::UNAUTHORIZED, "{line}");
    }
    let page = as_token(&world, "reader", "GET /channels/ops").await.body;
    assert!(
        page.contains("3 attempts, HTTP 401") && !page.contains("who are") && !page.contains("/retry") && !page.contains("/test"),
        "{page}"
    );
    let log = json(&as_token(&world, "reader", "GET /api/v1/channels/ops/deliveries").await);
    assert_eq!(
        (&log["deliveries"][0]["attempts"][0]["answer"]["code"], &log["deliveries"][0]["attempts"][0]["answer"]["text"]),
        (&401.into(), &Value::Null)
    );
    assert!(world.post.sent.lock().unwrap().is_empty() && world.shelf.revived.lock().unwrap().is_empty());
}

#[tokio::test]
async fn programs_get_the_same() {
    let world = world().await;
    let all = json(&as_token(&world, "writer", "GET /api/v1/channels").await);
    let (ops, night) = (&all["channels"][0], &all["channels"][1]);
    assert_eq!(
        (&ops["state"], &ops["waiting"], &ops["given_up"], &ops["undeliverable"]),
        (&"not_delivering".into(), &3.into(), &1.into(), &true.into())
    );
    assert_eq!((&ops["kind"], &ops["not_delivering_since"]), (&"webhook".into(), &NOON.minus(MINUTE * 30).rfc3339().into()));
    assert_eq!((&night["name"], &night["state"], &night["undeliverable"]), (&"the night/shift".into(), &"fine".into(), &false.into()));
    let log = json(&as_token(&world, "writer", "GET /api/v1/channels/ops/deliveries").await);
    let states: Vec<&str> = log["deliveries"].as_array().unwrap().iter().map(|found| found["state"].as_str().unwrap()).collect();
    assert_eq!((states, &log["next_before"]), (vec!["sent", "given_up", "waiting"], &Value::Null));
    let dead = &log["deliveries"][1];
    assert_eq!((&dead["id"], &dead["attempts_made"], &dead["attempts"][1]["number"]), (&2.into(), &3.into(), &3.into()));
    assert_eq!(dead["attempts"][1]["answer"], serde_json::json!({ "by": "http", "code": 401, "text": "who are <b>you</b>?" }));
    let filtered = json(&as_token(&world, "writer", "GET /api/v1/channels/ops/deliveries?state=given_up&before=9").await);
    assert_eq!(filtered["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(as_token(&world, "writer", "GET /api/v1/channels/none/deliveries").await.status, StatusCode::NOT_FOUND);
    let local = world.ask_from(Peer::Control, "GET /local/channels", &[], "").await;
    assert_eq!(json(&local)["channels"], all["channels"]);
    let local = world.ask_from(Peer::Control, "POST /local/channels/ops/retry", &[], "").await;
    assert_eq!(json(&local)["waiting"], 2);
}

#[tokio::test]
async fn long_logs_come_in_pages() {
    let world = world().await;
    *world.shelf.deliveries.lock().unwrap() = (1..=120).rev().map(|id| delivery(id, DeliveryState::Sent(NOON))).collect();
    let cookie = world.sign_in().await;
    let page = world.get("/channels/ops", &[("cookie", &cookie)]).await.body;
    assert!(page.contains("id=\"d120\"") && page.contains("id=\"d71\"") && !page.contains("id=\"d70\""));
    assert!(page.contains("href=\"/channels/ops?before=71\""));
    let last = world.get("/channels/ops?before=21", &[("cookie", &cookie)]).await.body;
    assert!(last.contains("id=\"d20\"") && last.contains("id=\"d1\"") && !last.contains("Older messages"));
}

#[tokio::test]
async fn the_pages_are_there_while_the_database_is_not() {
    let world = world().await;
    let cookie = world.sign_in().await;
    world.shelf.is_broken.store(true, Ordering::Relaxed);
    for path in ["/channels", "/channels/ops"] {
        let page = world.get(path, &[("cookie", &cookie)]).await;
        assert!(
            page.status == StatusCode::OK && page.body.contains("cannot be read at the moment") && page.body.contains("not known"),
            "{path}"
        );
    }
    assert_eq!(as_token(&world, "writer", "GET /api/v1/channels").await.status, StatusCode::INTERNAL_SERVER_ERROR);
}
