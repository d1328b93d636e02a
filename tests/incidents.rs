//! What people write about an outage and announce, with the real binary: by the API, by the command line, on the status page, over a restart.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;

use common::Answer;
use common::Answered;
use common::Instance;
use common::Server;
use common::closed_port;
use common::request;
use common::stderr;
use common::stdout;
use common::wait_for;
use ring::digest;
use serde_json::Value;

const TOKEN: &str = "a token for this test and no other";

fn api(address: &str, method: &str, path: &str, body: &str) -> Answered {
    request(address, method, path, &[("authorization", &format!("Bearer {TOKEN}"))], body)
}

#[track_caller]
fn json(answer: &Answered) -> Value {
    assert_eq!(answer.0, 200, "{answer:?}");
    serde_json::from_str(&answer.2).unwrap()
}

/// A shop that is watched, another monitor that is not, a page for each, and a token that may write.
fn config(dir: &Path, listen: u16, shop: &Server) -> String {
    let hash = data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, TOKEN.as_bytes()).as_ref());
    format!(
        "server: {{ listen: 127.0.0.1:{listen} }}
instance: {{ state_dir: {} }}
auth: {{ tokens: [{{ name: ci, hash: {hash}, scope: write }}] }}
defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }} }}
monitors: [{{ name: shop, http: \"{}\" }}, {{ name: spare, http: \"http://127.0.0.1:1/\", enabled: false }}]
status_pages:
  - {{ slug: main, groups: [{{ name: All, monitors: shop }}] }}
  - {{ slug: other, groups: [{{ name: All, monitors: spare }}] }}
incident_templates: [{{ name: Looking, state: identified, text: We found the pool }}]
",
        dir.join("state").display(),
        shop.url("/"),
    )
}

#[test]
fn an_outage_is_told_in_words_to_operators_and_visitors_and_the_words_outlive_the_program() {
    let shop = Server::start(Answer::Status(200, "ok"));
    let listen = closed_port();
    let address = format!("127.0.0.1:{listen}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), config(dir.path(), listen, &shop)).unwrap();
    let mut instance = Instance::start_in(dir);
    instance.wait_for_verdict("shop", "up");
    shop.set(Answer::Status(503, "busy"));
    instance.wait_for_verdict("shop", "down");

    // By the API: an update for visitors, one for operators, a note.
    let incidents = json(&api(&address, "GET", "/api/v1/incidents", ""));
    let incident = incidents["incidents"][0]["id"].as_str().unwrap().to_owned();
    let updates = format!("/api/v1/incidents/{incident}/updates");
    let made = json(&api(&address, "POST", &updates, r#"{"state":"investigating","text":"We *look* <b>into</b> it","public":true}"#));
    assert_eq!(made["pages"], serde_json::json!(["main"]));
    let inside = json(&api(&address, "POST", &updates, r#"{"state":"identified","text":"only-for-us"}"#));
    assert_eq!(inside["pages"], serde_json::json!([]));
    assert_eq!(api(&address, "POST", &format!("/api/v1/incidents/{incident}/notes"), r#"{"text":"a-note-for-us"}"#).0, 200);
    assert_eq!(api(&address, "POST", &updates, r#"{"state":"fine"}"#).0, 400);
    assert_eq!(api(&address, "POST", "/api/v1/incidents/nosuchone/updates", r#"{"state":"resolved"}"#).0, 404);
    assert_eq!(request(&address, "POST", &updates, &[], r#"{"state":"resolved"}"#).0, 403);

    // By the command line: a postmortem, and an announcement.
    let said = instance.run(&["incident", "postmortem", "shop", "--text", "It was the **disk**", "--public", "--by", "ada-the-author"]);
    assert!(stdout(&said).contains(&format!("of `{incident}`: on main")), "{}{}", stdout(&said), stderr(&said));
    let announcement = announce(&instance);

    // Visitors read what is public, and never who wrote it.
    let page = || request(&address, "GET", "/status/main", &[], "").2;
    wait_for("the page", || (page().contains("Slow logins") && page().contains("We found the pool")).then_some(()));
    let seen = page();
    for shown in ["<em>look</em> &lt;b&gt;into&lt;/b&gt; it", "Investigating", "<strong>disk</strong>", "We look"] {
        assert!(seen.contains(shown), "{shown}: {seen}");
    }
    let data = request(&address, "GET", "/status/main.json", &[], "").2;
    for hidden in ["only-for-us", "a-note-for-us", "ada-the-author", "command line"] {
        assert!(!seen.contains(hidden) && !data.contains(hidden), "{hidden}");
    }
    let data: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["open_incidents"][0]["updates"][0]["state"], "investigating");
    assert_eq!(data["announcements"][0]["title"], "Slow logins");
    assert!(!request(&address, "GET", "/status/other", &[], "").2.contains("Slow logins"));

    // All of it survives a kill, because it was durable before the answer.
    instance.kill_and_restart();
    let shown = stdout(&instance.run(&["incident", "show", "shop"]));
    for words in [
        "We *look* <b>into</b> it",
        "only-for-us",
        "note by ci",
        "a-note-for-us",
        "postmortem by ada-the-author, public",
        "It was the **disk**",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }

    // What was not meant is taken back; what is over is ended.
    let id = inside["id"].as_str().unwrap();
    assert_eq!(api(&address, "DELETE", &format!("{updates}/{id}"), "").0, 200);
    assert_eq!(api(&address, "DELETE", &format!("{updates}/{id}"), "").0, 409);
    end_and_go_on(&instance, &announcement);
    shop.set(Answer::Status(200, "ok"));
    instance.wait_for_verdict("shop", "up");
    write_of_what_is_over(&instance, &incident);
}

/// By the command line, in words of its own and in those of a template.
fn announce(instance: &Instance) -> String {
    let said =
        instance.run(&["announce", "add", "--title", "Slow logins", "--text", "We look", "--monitors", "shop", "--by", "ada-the-author"]);
    let line = stdout(&said);
    assert!(line.ends_with(": on main\n"), "{line}{}", stderr(&said));
    let announcement = line.split(':').next().unwrap().to_owned();
    let said = instance.run(&["announce", "update", &announcement, "--template", "Looking", "--by", "ada-the-author"]);
    assert!(stdout(&said).ends_with(&format!("of `{announcement}`: on main\n")), "{}{}", stdout(&said), stderr(&said));
    let refused = instance.run(&["announce", "update", &announcement, "--template", "Lookin"]);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("there are `Looking`"), "{}", stderr(&refused));
    assert_eq!(instance.run(&["announce", "update", &announcement]).status.code(), Some(2), "neither a state nor a template");
    let refused = instance.run(&["announce", "add", "--title", "x", "--pages", "nowhere"]);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("there are `main`, `other`"), "{}", stderr(&refused));
    announcement
}

fn end_and_go_on(instance: &Instance, announcement: &str) {
    let page = || request(&instance.address, "GET", "/status/main", &[], "").2;
    let said = instance.run(&["announce", "end", announcement, "--text", "Fast again"]);
    assert_eq!(said.status.code(), Some(0), "{}", stderr(&said));
    // Its last word stays to be read for a while, in quiet.
    let data = || serde_json::from_str::<Value>(&request(&instance.address, "GET", "/status/main.json", &[], "").2).unwrap();
    wait_for("the end", || (data()["announcements"] == serde_json::json!([])).then_some(()));
    assert_eq!(data()["past_announcements"][0]["updates"][0]["text"], "Fast again");
    assert!(page().contains("Past announcements") && page().contains("Fast again"), "{}", page());
    let listed = stdout(&instance.run(&["announce", "list"]));
    assert!(listed.contains(announcement) && listed.contains("resolved"), "{listed}");
    // It was not the end, after all.
    let line = stdout(&said);
    let last = line.split_whitespace().nth(1).unwrap();
    let said = instance.run(&["announce", "remove", announcement, last]);
    assert_eq!(stdout(&said), format!("{last} of `{announcement}` is taken back\n"), "{}", stderr(&said));
    wait_for("its going on", || (data()["announcements"][0]["title"] == "Slow logins").then_some(()));
    assert_eq!(instance.run(&["announce", "remove", announcement, last]).status.code(), Some(1));
}

fn write_of_what_is_over(instance: &Instance, incident: &str) {
    let said = instance.run(&["incident", "update", "shop", "--state", "resolved", "--text", "Over", "--public"]);
    assert!(stdout(&said).ends_with(&format!("of `{incident}`: on main\n")), "{}{}", stdout(&said), stderr(&said));
    let said = instance.run(&["incident", "note", "no such", "--text", "x"]);
    let why = "there is no incident `no such`, and none of a monitor of this name";
    assert!(said.status.code() == Some(1) && stderr(&said).contains(why), "{}", stderr(&said));
    let said = stdout(&instance.run(&["incident", "note", incident, "--text", "said in haste"]));
    let note = said.split_whitespace().nth(1).unwrap();
    assert_eq!(instance.run(&["incident", "remove", incident, note]).status.code(), Some(0));
    assert!(!stdout(&instance.run(&["incident", "show", incident])).contains("said in haste"));
    let listed = stdout(&instance.run(&["incident", "list"]));
    assert!(listed.contains("resolved") && !listed.contains("only-for-us"), "{listed}");
    assert_eq!(stdout(&instance.run(&["incident", "list", "--open"])), "there is no incident\n");
}
