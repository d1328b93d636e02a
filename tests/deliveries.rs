//! A channel that refuses everything, from the first refusal to the second try after the config was mended: what people, programs and
//! other channels are told of it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use common::Answer;
use common::Asked;
use common::Instance;
use common::Server;
use common::request;
use common::stderr;
use common::stdout;
use common::wait_for;
use rusqlite::Connection;
use serde_json::Value;

/// SHA-256 of `write-token`.
const TOKEN_HASH: &str = "ab893cb32670dc9e3bf2563af8d7487b88c279c5850c76f35d6eafa8fa34acf2";

const SECRET: &str = "s3cret-hook-t0ken";

/// What the broken service says: it repeats what it was sent, as many do.
const REFUSAL: &str = "<p>unknown token s3cret-hook-t0ken, Authorization: Bearer ano+her/s3cret</p>";

fn config(shop: &Server, ops_url: &str, second: &Server) -> String {
    format!(
        "defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }}, channels: [ops] }}\n\
         auth: {{ tokens: [{{ name: test, hash: {TOKEN_HASH}, scope: write }}] }}\n\
         channels: [{{ name: ops, webhook: {{ url: \"{ops_url}\", headers: {{ Authorization: \"Bearer ano+her/s3cret\" }} }} }}, \
         {{ name: second, webhook: {{ url: \"{}\" }} }}]\n\
         monitors: [{{ name: shop, http: \"{}\" }}]\n",
        second.url("/second"),
        shop.url("/")
    )
}

/// Lets the time come for what waits: the next attempt is in minutes otherwise.
fn hurry(instance: &Instance) {
    let database = Connection::open(instance.path().join("state/vigilmon.db")).unwrap();
    database.busy_timeout(common::PATIENCE).unwrap();
    database.execute("UPDATE outbox SET due_at = 0 WHERE state = 'waiting' AND n_attempts > 0 AND leased = 0", []).unwrap();
    // Nothing is to be tried again, but everybody looks.
    instance.run(&["channel", "retry", "second", "--all"]);
}

fn api(instance: &Instance, method: &str, path: &str) -> (u16, Value) {
    let (status, _, body) = request(&instance.address, method, path, &[("authorization", "Bearer write-token")], "");
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")))
}

fn page(instance: &Instance, path: &str) -> String {
    let (status, _, body) = request(&instance.address, "GET", path, &[("authorization", "Bearer write-token")], "");
    assert_eq!(status, 200, "{path}: {body}");
    body
}

fn key_of(asked: &Asked) -> String {
    asked.header("idempotency-key").unwrap().to_owned()
}

/// The notices about channels that came.
fn notices(second: &Server) -> Vec<String> {
    let is_notice = |asked: &Asked| asked.json()["event"] == "self";
    second.asked().iter().filter(|asked| is_notice(asked)).map(|asked| asked.json()["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_channel_that_refuses_everything_says_so_everywhere_and_gets_a_second_chance() {
    let shop = Server::start(Answer::Status(200, "ok"));
    let (broken, second, mended) =
        (Server::start(Answer::Status(401, REFUSAL)), Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(200, "ok")));
    let instance = Instance::start(&config(&shop, &broken.url(&format!("/hooks/{SECRET}")), &second));
    instance.wait_for_verdict("shop", "up");
    shop.set(Answer::Status(503, "busy"));
    broken.wait_for(1);
    for n in 2..=3 {
        wait_for("the note of the refusal", || {
            let (_, all) = api(&instance, "GET", "/api/v1/channels/ops/deliveries");
            (all["deliveries"][0]["attempts_made"] == n - 1).then_some(())
        });
        hurry(&instance);
        broken.wait_for(usize::try_from(n).unwrap());
    }
    let dead = wait_for("the message to be given up", || {
        let (_, log) = api(&instance, "GET", "/api/v1/channels/ops/deliveries");
        Some(log["deliveries"][0].clone()).filter(|found| found["state"] == "given_up")
    });
    assert_eq!((&dead["attempts_made"], &dead["about"], &dead["event"]), (&3.into(), &"shop".into(), &"down".into()));
    let answer = &dead["attempts"][0]["answer"];
    assert_eq!((&answer["by"], &answer["code"]), (&"http".into(), &401.into()));
    assert_eq!(answer["text"], "<p>unknown token ***, Authorization: ***</p>");

    // The other channel hears of it, once.
    let told = wait_for("a notice", || notices(&second).into_iter().next());
    assert!(
        told.contains("the channel `ops` does not deliver") && told.contains("answered 401: it does not accept the credentials"),
        "{told}"
    );
    hurry(&instance);
    let asked = broken.asked();
    assert_eq!((asked.len(), asked.iter().filter(|each| key_of(each) == key_of(&asked[0])).count()), (3, 3), "three tries of one message");

    // Pages, API and command line say the same, and none of them the secret.
    let (_, all) = api(&instance, "GET", "/api/v1/channels");
    assert_eq!((&all["channels"][0]["state"], &all["channels"][0]["given_up"]), (&"not_delivering".into(), &1.into()), "{all}");
    let (list, log) = (instance.run(&["channel", "list"]), instance.run(&["channel", "log", "ops"]));
    assert_eq!(list.status.code(), Some(1));
    assert!(stdout(&list).contains("NOT DELIVERING for ") && stdout(&list).contains("answered 401"), "{}", stdout(&list));
    assert!(stdout(&log).contains("GIVEN UP") && stdout(&log).contains("3. ") && stdout(&log).contains("HTTP 401"), "{}", stdout(&log));
    let (channels, channel, dashboard) = (page(&instance, "/channels"), page(&instance, "/channels/ops"), page(&instance, "/monitors"));
    assert!(channels.contains("Not delivering") && channel.contains("unknown token ***") && channel.contains("Try again"));
    assert!(dashboard.contains("Messages to ops did not arrive: 1 was given up."), "{dashboard}");
    let everything = [stdout(&list), stdout(&log), channels, channel, dashboard, all.to_string(), dead.to_string(), instance.log(), told];
    for text in everything {
        assert!(!text.contains(SECRET) && !text.contains("ano+her"), "{text}");
    }

    // A test message shows that it is still so, and is no message: the log stays as it is.
    let (status, tested) = api(&instance, "POST", "/api/v1/channels/ops/test");
    assert_eq!((status, &tested["accepted"], &tested["attempt"]["answer"]["code"]), (200, &false.into(), &401.into()));
    assert_eq!(broken.asked().last().unwrap().json()["event"], "self");
    assert_eq!(api(&instance, "GET", "/api/v1/channels/ops/deliveries").1["deliveries"].as_array().unwrap().len(), 1);

    // Mended: the same message arrives under the same key, and the other channel hears the end of it.
    instance.write_config(&config(&shop, &mended.url("/hooks/good"), &second));
    let reload = instance.run(&["reload"]);
    assert!(reload.status.success(), "{}", stderr(&reload));
    let retry = instance.run(&["channel", "retry", "ops", &dead["id"].to_string()]);
    assert!(retry.status.success(), "{}", stderr(&retry));
    let arrived = mended.wait_for(1).remove(0);
    assert_eq!((key_of(&arrived), &arrived.json()["status"]), (key_of(&asked[0]), &"down".into()));
    let told = wait_for("the end of it", || notices(&second).into_iter().nth(1));
    assert!(told.contains("the channel `ops` delivers again") && told.contains("1 message was late"), "{told}");
    let again = instance.run(&["channel", "retry", "ops", &dead["id"].to_string()]);
    assert!(again.status.code() == Some(1) && stderr(&again).contains("was not given up"), "{}", stderr(&again));
    wait_for("all to be well", || instance.run(&["channel", "list"]).status.success().then_some(()));
    let (_, log) = api(&instance, "GET", "/api/v1/channels/ops/deliveries");
    assert_eq!((&log["deliveries"][0]["state"], &log["deliveries"][0]["attempts_made"]), (&"sent".into(), &4.into()));
    assert_eq!(notices(&second).len(), 2, "{:?}", notices(&second));
}

#[test]
fn a_restart_neither_forgets_nor_repeats_that_a_channel_does_not_deliver() {
    let shop = Server::start(Answer::Status(200, "ok"));
    let (broken, second) = (Server::start(Answer::Status(503, "down")), Server::start(Answer::Status(200, "ok")));
    let mut instance = Instance::start(&config(&shop, &broken.url("/hook"), &second));
    instance.wait_for_verdict("shop", "up");
    shop.set(Answer::Status(503, "busy"));
    broken.wait_for(1);
    let state = |instance: &Instance| api(instance, "GET", "/api/v1/channels").1["channels"][0].clone();
    wait_for("a failure", || Some(state(&instance)).filter(|ops| ops["state"] == "failing"));
    // As if that had been an hour ago.
    let database = Connection::open(instance.path().join("state/vigilmon.db")).unwrap();
    database.busy_timeout(common::PATIENCE).unwrap();
    database.execute("UPDATE channels SET failing_since = failing_since - 3600000", []).unwrap();
    database.execute("UPDATE outbox SET at = at - 3600000 WHERE state = 'waiting'", []).unwrap();
    drop(database);
    let told = wait_for("a notice", || notices(&second).into_iter().next());
    assert!(told.contains("the channel `ops` does not deliver"), "{told}");
    instance.wait_until_nothing_is_on_its_way();
    instance.kill_and_restart();
    broken.set(Answer::Status(200, "ok"));
    let told = wait_for("the end of it", || notices(&second).into_iter().nth(1));
    assert!(told.contains("the channel `ops` delivers again") && told.contains("after 1 h"), "{told}");
    assert_eq!(notices(&second).len(), 2, "{:?}", notices(&second));
    assert_eq!(state(&instance)["state"], "fine");
}
