//! What people are told of heartbeats while channels are slow, hang or fail, and while the program is killed (X04, X06, X07).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::Answer;
use common::Asked;
use common::Instance;
use common::Server;
use common::beats::API;
use common::beats::n_kills;
use common::beats::urls;
use common::request;
use common::try_request;
use common::wait_for;

/// The path of an address.
fn path(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    rest[rest.find('/').unwrap()..].to_owned()
}

/// The keys of the messages about this event, without those that came again.
fn keys(asked: &[Asked], event: &str) -> BTreeSet<String> {
    asked.iter().map(Asked::json).filter(|told| told["event"] == event).map(|told| told["key"].to_string()).collect()
}

/// Pings until it is acknowledged, as every client with retries does, while the program may be away.
fn insist(address: &str, path: &str, gives_up: &AtomicBool) {
    while !gives_up.load(Ordering::Relaxed) {
        if try_request(address, "POST", path, &[], "").is_ok_and(|(status, ..)| status == 200) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn x04_every_transition_is_told_whenever_the_program_is_killed_and_what_comes_again_has_the_same_key() {
    let hook = Server::start(Answer::After(Duration::from_millis(60), 200));
    let port = common::closed_port();
    let config = format!(
        "{API}channels: [{{ name: ops, webhook: {{ url: \"{}\" }} }}]\n\
         monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }}, channels: [ops] }}\n",
        hook.url("/")
    );
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    // The same port after every start, because the job keeps calling it.
    let text = format!("server: {{ listen: 127.0.0.1:{port} }}\ninstance: {{ state_dir: {} }}\n{config}", state.display());
    std::fs::write(dir.path().join("config.yaml"), text).unwrap();
    let mut instance = Instance::start_in(dir);
    let token = path(&urls(&instance, "job")["token"]);
    let mut chance = 29_u64;
    for round in 0..n_kills() {
        let (suffix, event) = if round % 2 == 0 { ("/fail", "down") } else { ("", "recovered") };
        let before = keys(&hook.asked(), event).len();
        let gives_up = Arc::new(AtomicBool::new(false));
        let job = {
            let (address, path, gives_up) = (instance.address.clone(), format!("{token}{suffix}"), Arc::clone(&gives_up));
            thread::spawn(move || insist(&address, &path, &gives_up))
        };
        // Around the ping, its commit, the message, and the note that it was sent.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_micros((chance >> 33) % 120_000));
        instance.kill_and_restart();
        job.join().unwrap();
        wait_for(&format!("message {round}, `{event}`"), || (keys(&hook.asked(), event).len() > before).then_some(()));
        assert_eq!(keys(&hook.asked(), event).len(), before + 1, "one transition has one key");
    }
    let asked = hook.asked();
    assert!(asked.len() <= 2 * n_kills(), "{} messages for {} transitions: a kill repeats one at most", asked.len(), n_kills());
}

#[test]
fn x06_a_channel_that_hangs_keeps_no_other_waiting() {
    const N: usize = 50;
    let (dead, fine) = (Server::start(Answer::Silence), Server::start(Answer::Status(200, "ok")));
    let mut config = format!(
        "{API}channels:\n  - {{ name: dead, webhook: {{ url: \"{}\" }} }}\n  - {{ name: fine, webhook: {{ url: \"{}\" }} }}\n\
         defaults: {{ channels: [dead, fine] }}\nmonitors:\n",
        dead.url("/"),
        fine.url("/")
    );
    for n in 0..N {
        config.push_str(&format!("  - {{ name: job-{n}, heartbeat: {{ interval: 1h }} }}\n"));
    }
    let instance = Instance::start(&config);
    let jobs: Vec<String> = (0..N).map(|n| path(&urls(&instance, &format!("job-{n}"))["token"])).collect();
    for job in &jobs {
        assert_eq!(request(&instance.address, "POST", &format!("{job}/fail"), &[], "").0, 200);
    }
    let fell = Instant::now();
    let told = |server: &Server| -> BTreeSet<String> {
        // Messages may name several.
        let asked = server.asked();
        (0..N).map(|n| format!("job-{n}")).filter(|name| asked.iter().any(|asked| asked.body.contains(&format!("{name}\"")))).collect()
    };
    wait_for("everybody to be told of", || (told(&fine).len() == N).then_some(()));
    let after = fell.elapsed();
    // The first one at once, the others together ten seconds later.
    assert!(after < Duration::from_secs(15), "told after {after:?}");
    assert!(fine.asked().len() < N, "in a few messages");
    assert!(!dead.asked().is_empty(), "the other was tried");
}

#[test]
fn x07_what_a_channel_refused_is_told_once_it_takes_it_with_the_time_at_which_it_happened() {
    let hook = Server::start(Answer::Status(500, "not now"));
    let instance = Instance::start(&format!(
        "{API}channels: [{{ name: ops, webhook: {{ url: \"{}\" }} }}]\n\
         monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }}, channels: [ops] }}\n",
        hook.url("/")
    ));
    let token = path(&urls(&instance, "job")["token"]);
    assert_eq!(request(&instance.address, "POST", &format!("{token}/fail"), &[], "").0, 200);
    let refused = hook.wait_for(2);
    hook.set(Answer::Status(200, "ok"));
    let told = hook.wait_for(3);
    let (first, last) = (refused[0].json(), told.last().unwrap().json());
    assert_eq!(first["event"], "down");
    for same in ["key", "started_at", "incident_id", "event"] {
        assert_eq!(first[same], last[same], "{same}");
    }
}
