//! Buttons in Slack and acknowledgements in PagerDuty with the real binary: both services are scripted, and sign what they report as they do.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::thread;
use std::time::Duration;
use std::time::SystemTime;

use common::Answer;
use common::Answered;
use common::Asked;
use common::Instance;
use common::Server;
use common::request;
use common::wait_for;
use ring::hmac;
use serde_json::Value;
use serde_json::json;

const SIGNING_SECRET: &str = "0123456789abcdef0123456789abcdef";
const PAGER_SECRETS: [&str; 2] = ["the-new-secret-of-two", "the-old-secret-of-two"];

/// As long as it takes to be sure that nothing more comes.
const QUIET: Duration = Duration::from_secs(3);

fn sign(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    data_encoding::HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

/// Seconds since 1970, so long from now.
fn stamp(off: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    (i64::try_from(now).unwrap() + off).to_string()
}

fn config((names, channels): (&str, &str), shop: &Server) -> String {
    format!(
        "defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }}, channels: [{names}] }}
channels:
{channels}
monitors: [{{ name: shop, http: \"{}\" }}]
",
        shop.url("/")
    )
}

fn acknowledged_by(instance: &Instance) -> Option<String> {
    instance.status()["monitors"][0]["open_incidents"][0]["acknowledged"]["by"].as_str().map(str::to_owned)
}

/// What the bot said in its channel, by the end of the address it was sent to.
fn said(slack: &Server, method: &str) -> Vec<Value> {
    slack.asked().iter().filter(|asked| asked.path == format!("/api/{method}")).map(Asked::json).collect()
}

/// The button of this kind in a message.
fn button(message: &Value, action: &str) -> Option<Value> {
    let blocks = message["attachments"][0]["blocks"].as_array()?;
    let buttons = blocks.iter().filter(|block| block["type"] == "actions").filter_map(|block| block["elements"].as_array());
    buttons.flatten().find(|button| button["action_id"] == action).cloned()
}

/// What Slack sends when somebody presses a button.
fn pressed(button: &Value, at: &str) -> String {
    let payload = json!({
        "type": "block_actions",
        "user": {"id": "U1", "username": "ada", "name": "ada"},
        "container": {"type": "message_attachment", "message_ts": "1.0", "channel_id": "C1"},
        "actions": [{"type": "button", "action_id": button["action_id"], "value": button["value"], "action_ts": at}],
    });
    let encoded: String = url::form_urlencoded::byte_serialize(payload.to_string().as_bytes()).collect();
    format!("payload={encoded}")
}

/// Sends it as Slack does, signed with this secret at this time.
fn report(address: &str, (secret, at): (&str, &str), body: &str) -> u16 {
    send(address, at, &sign(secret, &format!("v0:{at}:{body}")), body)
}

fn send(address: &str, at: &str, signature: &str, body: &str) -> u16 {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", at),
        ("x-slack-signature", &format!("v0={signature}")),
    ];
    request(address, "POST", "/hooks/slack/chat%20room", &headers, body).0
}

#[test]
fn a_button_in_slack_acknowledges_once_and_only_when_slack_proves_it() {
    let (shop, slack) =
        (Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(200, r#"{"ok":true,"ts":"1.0","messages":[]}"#)));
    let channel = format!(
        "  - {{ name: chat room, slack: {{ token: xoxb-1, channel: C1, api_url: \"{}\", signing_secret: {SIGNING_SECRET} }} }}",
        slack.url("/api")
    );
    let mut instance = Instance::start(&config(("chat room", &channel), &shop));
    instance.wait_for_verdict("shop", "up");
    shop.set(Answer::Status(503, "busy"));
    let message = wait_for("the message", || said(&slack, "chat.postMessage").into_iter().next());
    let acknowledge = button(&message, "vigilmon_acknowledge").expect("a button");

    // What is not proved does nothing, and all of it looks the same.
    let (now, at) = (stamp(0), format!("{}.5", stamp(0)));
    let body = pressed(&acknowledge, &at);
    let signature = sign(SIGNING_SECRET, &format!("v0:{now}:{body}"));
    assert_eq!(report(&instance.address, ("fedcba9876543210fedcba9876543210", &now), &body), 404, "another secret");
    assert_eq!(send(&instance.address, &now, &signature, &body.replace("ada", "eve")), 404, "another body");
    assert_eq!(send(&instance.address, &stamp(1), &signature, &body), 404, "another time");
    assert_eq!(report(&instance.address, (SIGNING_SECRET, &stamp(-301)), &body), 404, "an old report");
    assert_eq!(request(&instance.address, "POST", "/hooks/slack/nobody", &[], &body).0, 404);
    thread::sleep(QUIET);
    assert_eq!(acknowledged_by(&instance), None);

    // What is proved is done once, whatever comes twice and whoever restarts.
    let acknowledgements =
        || said(&slack, "chat.postMessage").iter().filter(|said| said.to_string().contains("ada in Slack is at work")).count();
    assert_eq!(send(&instance.address, &now, &signature, &body), 200);
    wait_for("the acknowledgement", || (acknowledged_by(&instance)? == "ada in Slack").then_some(()));
    wait_for("the message of it", || (acknowledgements() == 1).then_some(()));
    let whispered = said(&slack, "chat.postEphemeral");
    assert!(whispered.len() == 1 && whispered[0]["user"] == "U1" && whispered[0]["channel"] == "C1", "{whispered:?}");
    assert_eq!(send(&instance.address, &now, &signature, &body), 200);
    instance.wait_until_nothing_is_on_its_way();
    instance.kill_and_restart();
    wait_for("what was said", || (acknowledged_by(&instance)? == "ada in Slack").then_some(()));
    assert_eq!(send(&instance.address, &now, &signature, &body), 200);
    thread::sleep(QUIET);
    assert_eq!(acknowledgements(), 1);

    // The buttons of the run before are good.
    let silence = button(&message, "vigilmon_silence").expect("a button");
    let now = stamp(0);
    assert_eq!(report(&instance.address, (SIGNING_SECRET, &now), &pressed(&silence, &now)), 200);
    let listed = wait_for("the silence", || {
        Some(common::stdout(&instance.run(&["silence", "list"]))).filter(|listed| listed.contains("ada in Slack"))
    });
    assert!(listed.contains("shop"), "{listed}");

    // What is over needs nobody, and says so.
    shop.set(Answer::Status(200, "ok"));
    instance.wait_for_verdict("shop", "up");
    let is_over = |said: &Value| said["text"].as_str().is_some_and(|text| text.contains("This is over"));
    let mut n = 0;
    wait_for("the end", || {
        n += 1;
        let now = stamp(0);
        assert_eq!(report(&instance.address, (SIGNING_SECRET, &now), &pressed(&acknowledge, &format!("{now}.{n}"))), 200);
        said(&slack, "chat.postEphemeral").iter().any(is_over).then_some(())
    });
    for secret in [SIGNING_SECRET, acknowledge["value"].as_str().unwrap()] {
        assert!(!instance.log().contains(secret), "the log has a secret in it");
    }
}

/// An event of PagerDuty's that happens now.
fn event(kind: &str, id: &str) -> String {
    json!({"event": {
        "id": id,
        "event_type": kind,
        "occurred_at": jiff::Timestamp::now().to_string(),
        "agent": {"id": "P1", "type": "user_reference", "summary": "Ada"},
        "data": {"id": "Q1", "type": "incident", "incident_key": "vigilmon:shop"},
    }})
    .to_string()
}

fn webhook(address: &str, secret: &str, body: &str) -> Answered {
    let signature = format!("v1={},v1={}", sign("somebody else's", body), sign(secret, body));
    request(address, "POST", "/hooks/pagerduty/pager", &[("content-type", "application/json"), ("x-pagerduty-signature", &signature)], body)
}

#[test]
fn who_acknowledges_in_pagerduty_is_known_here_and_not_told_back() {
    let (shop, pager, ops) =
        (Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(202, "{}")), Server::start(Answer::Status(200, "ok")));
    let channels = format!(
        "  - {{ name: pager, pagerduty: {{ routing_key: 01234567890123456789012345678901, api_url: \"{}\", webhook_secret: [\"{}\", \"{}\"] }} }}
  - {{ name: ops, webhook: \"{}\" }}",
        pager.url(""),
        PAGER_SECRETS[0],
        PAGER_SECRETS[1],
        ops.url("/hook")
    );
    let mut instance = Instance::start(&config(("pager, ops", &channels), &shop));
    instance.wait_for_verdict("shop", "up");
    shop.set(Answer::Status(503, "busy"));
    let triggered = pager.wait_for(1)[0].json();
    assert_eq!((&triggered["event_action"], &triggered["dedup_key"]), (&"trigger".into(), &"vigilmon:shop".into()));
    wait_for("the channels that were told", || {
        let told = instance.status()["monitors"][0]["open_incidents"][0]["told"].clone();
        (told == json!(["ops", "pager"])).then_some(())
    });

    // Not proved.
    let acknowledged = event("incident.acknowledged", "one");
    assert_eq!(webhook(&instance.address, "the-secret-of-nobody", &acknowledged).0, 404);
    let signature = format!("v1={}", sign(PAGER_SECRETS[0], &acknowledged));
    let tampered = acknowledged.replace("Ada", "Eve");
    assert_eq!(request(&instance.address, "POST", "/hooks/pagerduty/pager", &[("x-pagerduty-signature", &signature)], &tampered).0, 404);
    assert_eq!(request(&instance.address, "POST", "/hooks/pagerduty/ops", &[("x-pagerduty-signature", &signature)], &acknowledged).0, 404);
    assert_eq!(webhook(&instance.address, PAGER_SECRETS[0], &event("pagey.ping", "zero")).0, 200);
    assert_eq!(acknowledged_by(&instance), None);

    // Proved, by the secret that is being exchanged; and again, as PagerDuty does when it is not sure.
    // By their keys: what was not noted yet when the program is killed is sent again under the same one.
    let heard = || {
        let told = ops.asked().into_iter().map(|asked| asked.json()).filter(|told| told["event"] == "acknowledged");
        told.map(|told| told["key"].to_string()).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(webhook(&instance.address, PAGER_SECRETS[1], &acknowledged).0, 200);
    wait_for("the acknowledgement", || (acknowledged_by(&instance)? == "Ada in PagerDuty").then_some(()));
    wait_for("the message of it", || (heard() == 1).then_some(()));
    instance.kill_and_restart();
    wait_for("what was said", || (acknowledged_by(&instance)? == "Ada in PagerDuty").then_some(()));
    assert_eq!(webhook(&instance.address, PAGER_SECRETS[0], &acknowledged).0, 200);
    thread::sleep(QUIET);
    assert_eq!(heard(), 1);
    let actions = || pager.asked().iter().map(|asked| asked.json()["event_action"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(actions(), ["trigger"], "PagerDuty knows, because it said so");

    // Its end, and what others say meanwhile.
    assert_eq!(webhook(&instance.address, PAGER_SECRETS[0], &event("incident.unacknowledged", "two")).0, 200);
    wait_for("the withdrawal", || acknowledged_by(&instance).is_none().then_some(()));
    assert_eq!(instance.run(&["ack", "shop", "--by", "bob"]).status.code(), Some(0));
    wait_for("bob", || (acknowledged_by(&instance)? == "bob").then_some(()));
    wait_for("PagerDuty to hear of bob", || (actions() == ["trigger", "acknowledge"]).then_some(()));
    assert_eq!(webhook(&instance.address, PAGER_SECRETS[0], &event("incident.acknowledged", "three")).0, 200);
    assert_eq!(webhook(&instance.address, PAGER_SECRETS[0], &event("incident.unacknowledged", "four")).0, 200);
    thread::sleep(QUIET);
    assert_eq!(acknowledged_by(&instance).as_deref(), Some("bob"));
    assert_eq!(actions(), ["trigger", "acknowledge"]);
    shop.set(Answer::Status(200, "ok"));
    wait_for("the end", || (actions() == ["trigger", "acknowledge", "resolve"]).then_some(()));
    for secret in PAGER_SECRETS {
        assert!(!instance.log().contains(secret), "the log has a secret in it");
    }
}
