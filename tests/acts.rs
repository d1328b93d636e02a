//! Acknowledging, snoozing and silencing with the real binary: by a link in a message, by the API, by the command line.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::Answer;
use common::Answered;
use common::Instance;
use common::Server;
use common::closed_port;
use common::request;
use common::wait_for;
use ring::digest;
use serde_json::Value;

const TOKEN: &str = "a token for this test and no other";

/// Two monitors that are checked each second, a sink, and a token that may write.
fn config(dir: &Path, listen: u16, (shop, mail, sink): (&Server, &Server, &Server)) -> String {
    let hash = data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, TOKEN.as_bytes()).as_ref());
    format!(
        "server: {{ listen: 127.0.0.1:{listen}, public_url: \"http://127.0.0.1:{listen}\" }}
instance: {{ state_dir: {} }}
auth: {{ tokens: [{{ name: ci, hash: {hash}, scope: write }}] }}
defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }}, channels: [ops] }}
channels: [{{ name: ops, webhook: {{ url: \"{}\" }} }}]
monitors:
  - {{ name: shop, http: \"{}\" }}
  - {{ name: mail, http: \"{}\", labels: {{ team: mail }} }}
",
        dir.join("state").display(),
        sink.url("/hook"),
        shop.url("/"),
        mail.url("/"),
    )
}

fn api(address: &str, method: &str, path: &str, body: &str) -> Answered {
    request(address, method, path, &[("authorization", &format!("Bearer {TOKEN}"))], body)
}

/// The messages so far, as `event monitor`, each with the body that it came in.
fn messages(sink: &Server) -> Vec<(String, Value)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |body: &Value| format!("{} {}", word(&body["event"]), word(&body["monitor_name"]));
    sink.asked().iter().flat_map(|asked| asked.told().into_iter().map(move |told| (of(&told), asked.json()))).collect()
}

fn events(sink: &Server) -> Vec<String> {
    messages(sink).into_iter().map(|(event, _)| event).collect()
}

#[track_caller]
fn wait_for_event(sink: &Server, event: &str) -> Value {
    wait_for(event, || events(sink).iter().any(|known| known == event).then_some(()));
    messages(sink).into_iter().rev().find(|(known, _)| known == event).unwrap().1
}

#[test]
fn an_outage_is_acknowledged_by_link_api_and_command_line_and_a_silence_tells_at_its_end() {
    let (shop, mail, sink) =
        (Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(200, "ok")));
    let listen = closed_port();
    let address = format!("127.0.0.1:{listen}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), config(dir.path(), listen, (&shop, &mail, &sink))).unwrap();
    let instance = Instance::start_in(dir);
    instance.wait_for_verdict("shop", "up");
    instance.wait_for_verdict("mail", "up");
    shop.set(Answer::Status(503, "busy"));
    let down = wait_for_event(&sink, "down shop");

    // By the link in the message: opening it changes nothing, as those know who preview links.
    let link = down["links"]["acknowledge"].as_str().unwrap().to_owned();
    assert_eq!(down["links"]["silence"], format!("{link}#silence"));
    let path = link.strip_prefix(&format!("http://{address}")).unwrap().to_owned();
    let page = request(&address, "GET", &path, &[], "");
    assert!(page.0 == 200 && page.2.contains("<h1>shop</h1>"), "{page:?}");
    assert_eq!(events(&sink), ["down shop"]);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let done = request(&address, "POST", &path, &form, "do=acknowledge&note=on+my+way");
    assert_eq!(done.0, 200, "{done:?}");
    let told = wait_for_event(&sink, "acknowledged shop");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("somebody by a link in ops") && text.contains("on my way"), "{text}");
    assert_eq!(request(&address, "POST", &format!("{path}A"), &form, "").0, 404);

    // By the API.
    let incident = down["incident_id"].as_str().unwrap();
    let acknowledgement = format!("/api/v1/incidents/{incident}/acknowledgement");
    let shown = || instance.status()["monitors"][0]["open_incidents"][0].clone();
    wait_for("the picture", || (shown()["acknowledged"]["note"] == "on my way").then_some(()));
    assert_eq!(shown()["told"], serde_json::json!(["ops"]));
    assert_eq!(api(&address, "DELETE", &acknowledgement, "").0, 200);
    wait_for("the withdrawal", || shown()["acknowledged"].is_null().then_some(()));
    assert_eq!(api(&address, "POST", &acknowledgement, r#"{"for":"2h","note":"later"}"#).0, 200);
    wait_for("the snooze", || (shown()["acknowledged"]["by"] == "ci").then_some(()));

    // By the command line.
    let said = instance.run(&["ack", "shop", "--by", "ada", "--note", "looking"]);
    assert_eq!(common::stdout(&said), format!("{incident} of shop is acknowledged\n"), "{}", common::stderr(&said));
    wait_for("ada", || (shown()["acknowledged"]["by"] == "ada").then_some(()));
    assert_eq!(instance.run(&["unack", incident]).status.code(), Some(0));
    let refused = instance.run(&["ack", "mail"]);
    assert!(refused.status.code() == Some(1) && common::stderr(&refused).contains("no open incident"), "{}", common::stderr(&refused));

    // A silence keeps the second monitor quiet, and its end tells.
    let said = instance.run(&["silence", "add", "--labels", "team=mail", "--for", "1h", "--note", "moving"]);
    let line = common::stdout(&said);
    assert!(line.contains(": mail until "), "{line}{}", common::stderr(&said));
    let id = line.split(':').next().unwrap().to_owned();
    mail.set(Answer::Status(503, "busy"));
    instance.wait_for_verdict("mail", "down");
    let held = || instance.status()["monitors"][1]["open_incidents"][0].clone();
    wait_for("the silence", || (held()["held"]["silence"] == id.as_str()).then_some(()));
    assert_eq!(held()["waiting"], serde_json::json!(["ops"]));
    thread::sleep(Duration::from_secs(2));
    assert!(!events(&sink).iter().any(|event| event.ends_with("mail")), "{:?}", events(&sink));
    let listed = common::stdout(&instance.run(&["silence", "list"]));
    assert!(listed.contains(&id) && listed.contains("team=mail") && listed.contains("moving"), "{listed}");
    assert_eq!(instance.run(&["silence", "end", &id]).status.code(), Some(0));
    wait_for_event(&sink, "down mail");
    assert_eq!(common::stdout(&instance.run(&["silence", "list"])), "nothing is silenced\n");

    // What is over needs nobody.
    shop.set(Answer::Status(200, "ok"));
    let over = wait_for_event(&sink, "recovered shop");
    assert_eq!(over["links"]["acknowledge"], Value::Null);
    wait_for("the picture", || (request(&address, "POST", &path, &form, "").0 == 410).then_some(()));
    let token = path.strip_prefix("/act/").unwrap();
    assert!(!instance.log().contains(token), "the log has a token in it");
}
