//! What services of channels report: who is believed, what is done, and that nothing is done twice.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use hyper::StatusCode;
use ring::hmac;
use serde_json::Value;
use serde_json::json;

use crate::engine::handle::Operation;
use crate::engine::snapshot::AlertView;
use crate::engine::snapshot::Snapshot;
use crate::http::tests::world::NOON;
use crate::http::tests::world::Read;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::id;
use crate::http::tests::world::usual;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::PagerDutySpec;
use crate::model::channel::spec::SlackSpec;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::signed::LinkKeys;

const SLACK_SECRET: &str = "0123456789abcdef0123456789abcdef";
const PAGER_SECRETS: [&str; 2] = ["the new one of two", "the old one of two"];
const HOUR: Duration = Duration::from_secs(3600);

fn incident() -> IncidentId {
    IncidentId::from_derived("incapi")
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

fn channel(text: &str, spec: ChannelSpec) -> (ChannelName, Arc<Channel>) {
    let origin = Origin { file: Arc::new(PathBuf::from("config.yaml")), line: 1 };
    (name(text), Arc::new(Channel { name: name(text), spec, on: BTreeSet::from(EventKind::ALL), quiet_hours: None, origin }))
}

/// The usual world with a bot, one that is not to be believed, and PagerDuty; all were told of what is down.
fn told() -> Snapshot {
    let mut snapshot = usual();
    let mut config = snapshot.config.as_ref().clone();
    let bot = |signing_secret| {
        let (token, api_url) = (Secret::new("xoxb-canary"), "https://slack.example/api".to_owned());
        ChannelSpec::Slack(SlackSpec::Bot { token, channel: "C1".to_owned(), api_url, signing_secret })
    };
    let pager = |secrets: &[&str]| {
        let webhook_secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        ChannelSpec::PagerDuty(PagerDutySpec {
            routing_key: Secret::new("canary"),
            api_url: "https://pd.example".to_owned(),
            webhook_secrets,
        })
    };
    config.channels = [
        channel("the ops", bot(Some(Secret::new(SLACK_SECRET)))),
        channel("mute", bot(None)),
        channel("pager", pager(&PAGER_SECRETS)),
        channel("deaf", pager(&[])),
    ]
    .into();
    snapshot.config = Arc::new(config);
    alert(&mut snapshot, None);
    snapshot
}

/// What is known of the incident: whom it was told to, and who is at work on it.
fn alert(snapshot: &mut Snapshot, acknowledged: Option<Acknowledgement>) {
    let mut view = snapshot.monitors[&id("api")].as_ref().clone();
    let told = vec![name("the ops"), name("pager")];
    view.alerts = vec![AlertView { incident: incident(), acknowledged, told, waiting: Vec::new(), held: None, next_at: None }];
    snapshot.monitors.insert(id("api"), Arc::new(view));
}

fn ack(by: &str, until: Option<UnixMillis>, by_channel: Option<&str>) -> Acknowledgement {
    Acknowledgement { by: by.to_owned(), at: NOON, until, note: String::new(), by_channel: by_channel.map(name) }
}

fn asked(world: &World) -> Vec<Operation> {
    std::mem::take(&mut world.asked.lock().unwrap())
}

fn sign(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

fn token() -> String {
    LinkKeys::new(&config(), &Secret::new("secret")).token(&incident(), &name("the ops")).unwrap()
}

/// What Slack sends when a button is pressed.
fn pressed(action: &str, value: &str, stamp: &str, user: &Value) -> String {
    let payload = json!({
        "type": "block_actions",
        "user": user,
        "container": {"type": "message_attachment", "message_ts": "1782820700.0001", "channel_id": "C1", "thread_ts": "1782820700.0001"},
        "response_url": "https://evil.example/never-called",
        "actions": [{"type": "button", "action_id": action, "block_id": "b", "value": value, "action_ts": stamp}],
    });
    url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

fn ada() -> Value {
    json!({"id": "U1", "username": "ada", "name": "ada", "team_id": "T1"})
}

/// Seconds since 1970, so long after noon.
fn stamp(seconds: i64) -> String {
    (NOON.0 / 1000 + seconds).to_string()
}

/// Sends it as Slack does, signed with this secret.
async fn slack(world: &World, path: &str, (secret, at): (&str, &str), body: &str) -> Read {
    let signature = format!("v0={}", sign(secret, &format!("v0:{at}:{body}")));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", at),
        ("x-slack-signature", signature.as_str()),
    ];
    world.ask("POST", path, &headers, body).await
}

async fn press(world: &World, action: &str, stamp_of: &str) -> Read {
    slack(world, "/hooks/slack/the%20ops", (SLACK_SECRET, &stamp(0)), &pressed(action, &token(), stamp_of, &ada())).await
}

/// What was said to whoever pressed the button, last.
fn whispered(world: &World) -> Value {
    let handed = world.post.handed.lock().unwrap();
    let last = handed.last().expect("something was said");
    assert_eq!(last.url.reveal_for_use(), "https://slack.example/api/chat.postEphemeral", "only the configured address is called");
    serde_json::from_str(&last.body).unwrap()
}

#[tokio::test]
async fn buttons_in_slack_acknowledge_snooze_and_silence() {
    let world = World::new(told()).await;
    let pressed_at = UnixMillis(NOON.0 - 7000);
    let at = format!("{}.1234", stamp(-7));
    for (action, said) in
        [("vigilmon_acknowledge", "at work on it"), ("vigilmon_snooze", "Snoozed"), ("vigilmon_silence", "Silenced until")]
    {
        let answer = press(&world, action, &at).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""), "{action}");
        let whispered = whispered(&world);
        assert_eq!(
            (&whispered["user"], &whispered["channel"], &whispered["thread_ts"]),
            (&"U1".into(), &"C1".into(), &"1782820700.0001".into())
        );
        assert!(whispered["text"].as_str().is_some_and(|text| text.contains(said)), "{whispered}");
    }
    let asked = asked(&world);
    let by = "ada in Slack";
    let expected = [None, Some(pressed_at + HOUR)].map(|until| Acknowledgement { at: pressed_at, ..ack(by, until, None) });
    assert_eq!(asked[..2], expected.map(|ack| Operation::Acknowledge(incident(), ack)));
    let Operation::Silence(_, Silence { wanted, until, by: who, .. }) = &asked[2] else { panic!("a silence") };
    assert_eq!((wanted.names.as_slice(), *until, who.as_str()), (&["api".to_owned()][..], pressed_at + HOUR, by));
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_report_that_comes_twice_does_nothing_twice_not_even_on_another_node() {
    let (world, other) = (World::new(told()).await, World::new(told()).await);
    for action in ["vigilmon_acknowledge", "vigilmon_snooze", "vigilmon_silence"] {
        for _ in 0..3 {
            assert_eq!(press(&world, action, &stamp(-1)).await.status, StatusCode::OK);
        }
        let asked = asked(&world);
        assert_eq!(asked.len(), 1, "{action}");
        other.show(|snapshot| {
            if let Operation::Acknowledge(_, ack) = &asked[0] {
                alert(snapshot, Some(ack.clone()));
            } else if let Operation::Silence(id, silence) = &asked[0] {
                snapshot.silences = vec![(id.clone(), silence.clone())];
            }
        });
        assert_eq!(press(&other, action, &stamp(-1)).await.status, StatusCode::OK);
    }
    assert_eq!(asked(&other), [], "it knows of it already");
    assert_eq!(world.post.handed.lock().unwrap().len(), 3, "and it is said once");
}

#[tokio::test]
async fn what_is_not_proved_is_the_same_as_what_does_not_exist() {
    let world = World::new(told()).await;
    let body = pressed("vigilmon_acknowledge", &token(), &stamp(0), &ada());
    let ops = "/hooks/slack/the%20ops";
    let nowhere = slack(&world, "/hooks/slack/nobody", (SLACK_SECRET, &stamp(0)), &body).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    for (path, secret, at) in [
        ("/hooks/slack/mute", SLACK_SECRET, stamp(0)),
        ("/hooks/slack/mute", "", stamp(0)),
        ("/hooks/slack/pager", PAGER_SECRETS[0], stamp(0)),
        (ops, "another secret", stamp(0)),
        (ops, SLACK_SECRET, stamp(-301)),
        (ops, SLACK_SECRET, stamp(301)),
        (ops, SLACK_SECRET, format!("{}.5", stamp(-301))),
        (ops, SLACK_SECRET, String::new()),
    ] {
        assert_eq!(slack(&world, path, (secret, &at), &body).await, nowhere, "{path} {at}");
    }
    // A good signature, and another body, another time, or none of both.
    let signature = format!("v0={}", sign(SLACK_SECRET, &format!("v0:{}:{body}", stamp(0))));
    for (at, body) in [(stamp(0), body.replace("acknowledge", "silence")), (stamp(1), body.clone()), (stamp(0), String::new())] {
        let headers = [("x-slack-request-timestamp", at.as_str()), ("x-slack-signature", &signature)];
        assert_eq!(world.ask("POST", ops, &headers, &body).await, nowhere, "{at} {body}");
    }
    assert_eq!(world.ask("POST", ops, &[], &body).await, nowhere);
    for (path, secret) in [("/hooks/pagerduty/deaf", ""), ("/hooks/pagerduty/the%20ops", SLACK_SECRET), ("/hooks/pagerduty/pager", "wrong")]
    {
        assert_eq!(pager(&world, path, secret, &event("incident.acknowledged", "1", 1)).await, nowhere, "{path}");
    }
    assert!(asked(&world).is_empty() && world.post.handed.lock().unwrap().is_empty());
    // Who goes on is told to wait; who can prove it is not kept out by others behind the same address.
    for _ in 0..60 {
        slack(&world, ops, ("another secret", &stamp(0)), &body).await;
    }
    assert_eq!(slack(&world, ops, ("another secret", &stamp(0)), &body).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(slack(&world, ops, (SLACK_SECRET, &stamp(0)), &body).await.status, StatusCode::OK);
    assert_eq!(world.ask("GET", ops, &[], "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.ask("POST", ops, &[], &"x".repeat(129 * 1024)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_report_needs_no_session_and_no_session_helps_it() {
    let mut snapshot = told();
    let mut config = snapshot.config.as_ref().clone();
    config.server.public_url = Some("https://status.example.com".to_owned());
    snapshot.config = Arc::new(config);
    let world = World::new(snapshot).await;
    let cookie = world.sign_in().await;
    let body = pressed("vigilmon_acknowledge", &token(), &stamp(0), &ada());
    let signature = format!("v0={}", sign(SLACK_SECRET, &format!("v0:{}:{body}", stamp(0))));
    let at = stamp(0);
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://slack.com"), ("host", "any.example")];
    let with_cookie = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(world.ask("POST", "/hooks/slack/the%20ops", &with_cookie, &body).await.status, StatusCode::NOT_FOUND);
    let signed = [("x-slack-request-timestamp", at.as_str()), ("x-slack-signature", &signature)];
    let headers: Vec<_> = foreign.into_iter().chain(signed).collect();
    assert_eq!(world.ask("POST", "/hooks/slack/the%20ops", &headers, &body).await.status, StatusCode::OK);
    assert_eq!(asked(&world).len(), 1);
}

#[tokio::test]
async fn a_button_names_only_what_was_sent_to_that_channel() {
    let world = World::new(told()).await;
    let keys = |secret: &str| LinkKeys::new(&config(), &Secret::new(secret));
    let other_channel = keys("secret").token(&incident(), &name("mute")).unwrap();
    let forged = keys("another").token(&incident(), &name("the ops")).unwrap();
    let over = keys("secret").token(&IncidentId::from_derived("incgone"), &name("the ops")).unwrap();
    for (value, said) in
        [(other_channel.as_str(), "good no more"), (&forged, "good no more"), ("incapi", "good no more"), (&over, "This is over")]
    {
        let body = pressed("vigilmon_acknowledge", value, &stamp(0), &ada());
        assert_eq!(slack(&world, "/hooks/slack/the%20ops", (SLACK_SECRET, &stamp(0)), &body).await.status, StatusCode::OK, "{value}");
        assert!(whispered(&world)["text"].as_str().is_some_and(|text| text.contains(said)), "{value}");
    }
    // What is no button of ours is confirmed, and that is all.
    let n_said = world.post.handed.lock().unwrap().len();
    for body in [
        pressed("approve_request", &token(), &stamp(0), &ada()),
        "payload=%7B%7D".to_owned(),
        "payload=no+json".to_owned(),
        "ssl_check=1".to_owned(),
        String::new(),
        pressed("vigilmon_acknowledge", &token(), &stamp(0), &ada()).replace("block_actions", "view_submission"),
    ] {
        assert_eq!(slack(&world, "/hooks/slack/the%20ops", (SLACK_SECRET, &stamp(0)), &body).await.status, StatusCode::OK, "{body}");
    }
    assert_eq!((asked(&world).len(), world.post.handed.lock().unwrap().len()), (0, n_said));
    // So often, and no more for a while: each tells everybody.
    for n in 0..12 {
        press(&world, "vigilmon_acknowledge", &format!("{}.{n}", stamp(0))).await;
    }
    assert_eq!(asked(&world).len(), 10);
    assert!(whispered(&world)["text"].as_str().is_some_and(|text| text.contains("too much was pressed")));
}

#[tokio::test]
async fn names_in_slack_are_whatever_people_call_themselves() {
    let world = World::new(told()).await;
    let long = "x".repeat(500);
    let mut seen = Vec::new();
    for (n, user) in [
        json!({"id": "U1", "username": "<!channel>\n\u{202e}*root*"}),
        json!({"id": "U1> <!here", "name": long}),
        json!({"id": "U1"}),
        json!({"username": ["a"], "name": "bob"}),
        json!(null),
    ]
    .into_iter()
    .enumerate()
    {
        let body = pressed("vigilmon_acknowledge", &token(), &format!("{}.{n}", stamp(0)), &user);
        assert_eq!(slack(&world, "/hooks/slack/the%20ops", (SLACK_SECRET, &stamp(0)), &body).await.status, StatusCode::OK, "{user}");
    }
    for operation in asked(&world) {
        let Operation::Acknowledge(_, ack) = operation else { panic!("an acknowledgement") };
        assert!(ack.by.chars().count() <= 80 && ack.by.ends_with(" in Slack"), "{}", ack.by);
        seen.push(ack.by);
    }
    assert_eq!(
        (seen[0].as_str(), seen[2].as_str(), seen[3].as_str()),
        ("<!channel>  *root* in Slack", "somebody in Slack", "bob in Slack")
    );
    assert_eq!(world.post.handed.lock().unwrap().len(), 2, "nothing is said to who has no id of Slack's");
}

/// An event of PagerDuty's, so many seconds after noon.
fn event(kind: &str, event_id: &str, seconds: i64) -> String {
    let at = (NOON + Duration::from_secs(seconds.unsigned_abs())).rfc3339();
    json!({"event": {
        "id": event_id,
        "event_type": kind,
        "occurred_at": at,
        "agent": {"id": "P1", "type": "user_reference", "summary": "Ada <b>"},
        "data": {"id": "Q1", "type": "incident", "incident_key": "vigilmon:api", "status": "acknowledged"},
    }})
    .to_string()
}

async fn pager(world: &World, path: &str, secret: &str, body: &str) -> Read {
    let signature = format!("v1={}, v1={}", "0".repeat(64), sign(secret, body));
    world.ask("POST", path, &[("content-type", "application/json"), ("x-pagerduty-signature", &signature)], body).await
}

#[tokio::test]
async fn who_acknowledges_in_pagerduty_does_so_here_by_either_secret() {
    let hook = "/hooks/pagerduty/pager";
    for secret in PAGER_SECRETS {
        let world = World::new(told()).await;
        for _ in 0..2 {
            assert_eq!(pager(&world, hook, secret, &event("incident.acknowledged", "1", 1)).await.status, StatusCode::OK);
        }
        let expected = ack("Ada <b> in PagerDuty", None, Some("pager"));
        assert_eq!(asked(&world), [Operation::Acknowledge(incident(), expected)]);
        for kind in ["pagey.ping", "incident.resolved", "incident.triggered"] {
            assert_eq!(pager(&world, hook, secret, &event(kind, kind, 2)).await.status, StatusCode::OK, "{kind}");
        }
        let tampered = event("incident.acknowledged", "2", 3);
        let signature = format!("v1={}", sign(secret, &tampered));
        let answer = world.ask("POST", hook, &[("x-pagerduty-signature", &signature)], &tampered.replace("Ada", "Eve")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(asked(&world), []);
    }
}

#[tokio::test]
async fn pagerduty_takes_back_what_it_said_and_nothing_else() {
    let hook = "/hooks/pagerduty/pager";
    for (known, kind, done) in [
        (Some(ack("Ada in PagerDuty", None, Some("pager"))), "incident.unacknowledged", Some(Operation::Withdraw(incident()))),
        (Some(ack("Ada in PagerDuty", None, Some("other"))), "incident.unacknowledged", None),
        (Some(ack("bob", None, None)), "incident.unacknowledged", None),
        (None, "incident.unacknowledged", None),
        // Ours were told to PagerDuty, which confirms them.
        (Some(ack("bob", None, None)), "incident.acknowledged", None),
        (Some(ack("bob", Some(NOON + HOUR), None)), "incident.acknowledged", None),
        (
            Some(ack("bob", Some(NOON.minus(HOUR)), None)),
            "incident.acknowledged",
            Some(Operation::Acknowledge(incident(), ack("Ada <b> in PagerDuty", None, Some("pager")))),
        ),
    ] {
        let world = World::new(told()).await;
        world.show(|snapshot| alert(snapshot, known.clone()));
        assert_eq!(pager(&world, hook, PAGER_SECRETS[0], &event(kind, "1", 5)).await.status, StatusCode::OK);
        assert_eq!(asked(&world), Vec::from_iter(done), "{kind} {known:?}");
    }
}

#[tokio::test]
async fn an_event_counts_for_nothing_that_is_newer_than_it() {
    let hook = "/hooks/pagerduty/pager";
    let world = World::new(told()).await;
    // The incident began five minutes before noon.
    let old = event("incident.acknowledged", "0", 0).replace("2026-06-30T12:00:00Z", "2026-06-30T11:54:59Z");
    assert!(old.contains("11:54:59"), "{old}");
    assert_eq!(pager(&world, hook, PAGER_SECRETS[0], &old).await.status, StatusCode::OK);
    assert_eq!(asked(&world), [], "it was said of an earlier incident");
    // The end comes first, and the beginning late.
    world.show(|snapshot| alert(snapshot, Some(ack("Ada in PagerDuty", None, Some("pager")))));
    pager(&world, hook, PAGER_SECRETS[0], &event("incident.unacknowledged", "2", 60)).await;
    world.show(|snapshot| alert(snapshot, None));
    pager(&world, hook, PAGER_SECRETS[0], &event("incident.acknowledged", "1", 30)).await;
    assert_eq!(asked(&world), [Operation::Withdraw(incident())]);
    pager(&world, hook, PAGER_SECRETS[0], &event("incident.acknowledged", "3", 90)).await;
    assert_eq!(asked(&world).len(), 1, "what is newer counts");
}

#[tokio::test]
async fn only_incidents_that_the_channel_was_told_of_are_acknowledged_there() {
    let world = World::new(told()).await;
    world.show(|snapshot| {
        let mut view = snapshot.monitors[&id("api")].as_ref().clone();
        view.alerts[0].told = vec![name("the ops")];
        snapshot.monitors.insert(id("api"), Arc::new(view));
    });
    assert_eq!(
        pager(&world, "/hooks/pagerduty/pager", PAGER_SECRETS[0], &event("incident.acknowledged", "1", 1)).await.status,
        StatusCode::OK
    );
    assert_eq!(asked(&world), []);
}
