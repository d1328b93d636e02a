//! Heartbeats of a real instance over HTTP: every case of `tests/data/heartbeats.yaml` by every address a heartbeat has, what is asked of
//! the receiver besides, and that nothing that was acknowledged is lost, whenever the program is killed.
//!
//! What depends on time is told in virtual time beside the code: `src/rules/heartbeat/tests`, `src/engine/core/tests_beats.rs`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test file")]

mod common;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::Answer;
use common::Instance;
use common::PATIENCE;
use common::Server;
use common::beats::n_kills;
use common::wait_for;
use serde::Deserialize;
use serde_json::Value;

/// The API token `test`.
const API: &str = "auth: { tokens: [{ name: t, hash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, scope: write }] }\n";

const FORMS: [&str; 3] = ["token", "uuid", "slug"];

#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    #[serde(default)]
    beat: String,
    steps: Vec<Step>,
    log: Vec<String>,
    state: Option<String>,
    open: Option<Vec<String>>,
    incidents: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(rename = "do")]
    what: (String, String, u16),
    #[serde(default)]
    body: String,
    bytes: Option<String>,
    chunks: Option<Vec<String>>,
    repeat: Option<usize>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    says: Option<String>,
    #[serde(default)]
    has: Vec<String>,
}

/// Status, head and body.
type Answered = (u16, String, Vec<u8>);

/// A request with a body of bytes.
#[track_caller]
fn send(address: &str, method: &str, path: &str, content: (&[(String, String)], &[u8])) -> Answered {
    try_send(address, method, path, content).unwrap()
}

/// The same, of a program that may be killed meanwhile.
fn try_send(address: &str, method: &str, path: &str, (headers, body): (&[(String, String)], &[u8])) -> std::io::Result<Answered> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    let is_chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
    if !is_chunked {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let Some(at) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "an answer has a head"));
    };
    let head = String::from_utf8_lossy(&answer[..at]).to_lowercase();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Ok((status, head, answer[at + 4..].to_vec()))
}

fn get(instance: &Instance, path: &str) -> (u16, Vec<u8>) {
    let bearer = [("authorization".to_owned(), "Bearer test".to_owned())];
    let (status, _, body) = send(&instance.address, "GET", path, (&bearer, b""));
    (status, body)
}

fn json(instance: &Instance, path: &str) -> Value {
    let (status, body) = get(instance, path);
    assert_eq!(status, 200, "{path}");
    serde_json::from_slice(&body).unwrap()
}

/// The paths of a heartbeat: token, UUID, slug.
fn paths(instance: &Instance, id: &str) -> BTreeMap<&'static str, String> {
    let output = instance.run(&["heartbeat", "url", id, "--json", "--base", "http://x"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{id}: {}", common::stderr(&output)));
    let path = |key: &'static str| (key, said[key].as_str().unwrap().trim_start_matches("http://x").to_owned());
    FORMS.into_iter().map(path).collect()
}

fn pings(instance: &Instance, id: &str) -> Vec<Value> {
    json(instance, &format!("/api/v1/monitors/{id}/pings"))["pings"].as_array().unwrap().clone()
}

/// An entry of the log in the words of the cases.
fn words(entry: &Value) -> String {
    let mut words = entry["kind"].as_str().unwrap().to_owned();
    if let Some(why) = entry["ignored"].as_str() {
        words.push_str(&format!(" {why}"));
    }
    if let Some(status) = entry["exit_status"].as_u64() {
        words.push_str(&format!(" exit={status}"));
    }
    if let Some(body) = entry["body"].as_str() {
        words.push_str(&format!(" body={body}"));
    }
    if entry["body_truncated"] == true {
        words.push_str(&format!(" cut {}", entry["body_bytes"]));
    }
    if entry["took_ms"].is_number() && entry["repeat"] == false {
        words.push_str(" took");
    }
    if entry["repeat"] == true {
        words.push_str(" repeat");
    }
    words
}

fn play(instance: &Instance, case: &Case, id: &str, path: &str) {
    for step in &case.steps {
        let (method, rest, expected) = &step.what;
        let mut headers: Vec<(String, String)> = step.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let body = match (&step.bytes, step.repeat, &step.chunks) {
            (Some(hex), ..) => data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap(),
            (_, Some(n), _) => vec![b'x'; n],
            (.., Some(chunks)) => {
                headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
                let chunks: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
                format!("{chunks}0\r\n\r\n").into_bytes()
            }
            (None, None, None) => step.body.as_bytes().to_vec(),
        };
        let (status, head, answer) = send(&instance.address, method, &format!("{path}{rest}"), (&headers, &body));
        assert_eq!(status, *expected, "{id}: {method} {rest}: {}", String::from_utf8_lossy(&answer));
        if let Some(says) = &step.says {
            assert_eq!(String::from_utf8_lossy(&answer), says.as_str(), "{id}: {method} {rest}");
        }
        for line in &step.has {
            assert!(head.contains(&line.to_lowercase()), "{id}: no `{line}` in\n{head}");
        }
        if *expected == 200 && method != "HEAD" {
            let text = String::from_utf8_lossy(&answer);
            assert!(!text.contains("not found") && !text.contains("rate limited"), "{id}: {text}");
        }
    }
    let mut logged: Vec<String> = pings(instance, id).iter().map(words).collect();
    logged.reverse();
    assert_eq!(logged, case.log, "{id}");
    let look = || json(instance, &format!("/api/v1/monitors/{id}"));
    if let Some(state) = &case.state {
        wait_for(&format!("{id} to be {state}"), || (look()["heartbeat"]["state"] == state.as_str()).then_some(()));
    }
    if let Some(open) = &case.open {
        let is_open = |run: &&Value| run["end"] == "open";
        wait_for(&format!("{id} to have the open runs {open:?}"), || {
            let seen = look();
            let runs = seen["heartbeat"]["runs"].as_array().unwrap();
            let found: Vec<&str> = runs.iter().filter(is_open).filter_map(|run| run["run"].as_str()).collect();
            (found == open.iter().map(String::as_str).collect::<Vec<_>>()).then_some(())
        });
    }
    if let Some(n) = case.incidents {
        assert_eq!(look()["open_incidents"].as_array().unwrap().len(), n, "{id}");
    }
}

#[test]
fn every_case_holds_by_every_address() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/heartbeats.yaml")).unwrap();
    let cases: Vec<Case> = serde_saphyr::from_str(&text).unwrap();
    let mut config = format!("{API}monitors:\n");
    let id = |case: &Case, form: &str| format!("{}-{form}", case.id.to_lowercase());
    for case in &cases {
        let more = if case.beat.is_empty() { String::new() } else { format!(", {}", case.beat) };
        for form in FORMS {
            config.push_str(&format!("  - {{ name: {}, heartbeat: {{ interval: 1h, grace: 30m{more} }} }}\n", id(case, form)));
        }
    }
    let instance = Instance::start(&config);
    let failed: Mutex<Vec<String>> = Mutex::default();
    for case in &cases {
        for form in FORMS {
            let id = id(case, form);
            let path = paths(&instance, &id)[form].clone();
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&instance, case, &id, &path)));
            if let Err(panic) = outcome {
                failed.lock().unwrap().push(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| id.clone()));
            }
        }
    }
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), cases.len() * FORMS.len(), failed.join("\n"));
}

#[test]
fn w13_w14_s02_whoever_does_not_exist_is_answered_alike() {
    let instance = Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n"));
    let slug = paths(&instance, "job")["slug"].clone();
    let key = slug.split('/').nth(2).unwrap();
    let mut answers = BTreeSet::new();
    for path in [
        "/ping/00000000-0000-4000-8000-000000000000",
        "/ping/not-a-uuid",
        "/ping/00000000000040008000000000000000",
        "/heartbeat/nothing-of-that-kind",
        "/heartbeat/nothing/start",
        &format!("/ping/{key}/nobody"),
        "/ping/aaaaaaaaaaaaaaaaaaaaaa/job",
        &format!("/ping/{key}/nobody?create=1"),
        &format!("/ping/{key}/nobody?create=true"),
    ] {
        let (status, head, body) = send(&instance.address, "GET", path, (&[], b""));
        let head: Vec<&str> = head.lines().filter(|line| !line.starts_with("date:")).collect();
        answers.insert((status, head.join("\n"), body));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let (status, head, body) = answers.first().unwrap();
    assert!(*status == 404 && body == b"not found" && !head.contains("access-control") && !head.contains("ping-body-limit"));
    let (status, ..) = send(&instance.address, "GET", &format!("/ping/{key}/JOB"), (&[], b""));
    assert_eq!(status, 400, "S03");
    assert!(pings(&instance, "job").is_empty());
    assert_eq!(instance.verdict("nobody"), "absent", "S06");
}

#[test]
fn s04_a_ping_may_create_a_heartbeat_when_that_is_allowed_and_it_stays() {
    let config = format!(
        "{API}defaults: {{ channels: [ops] }}\nchannels: [{{ name: ops, webhook: {{ url: http://127.0.0.1:9/ }} }}]\n\
         heartbeats: {{ auto_create: {{ limit: 2 }} }}\nmonitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n"
    );
    let mut instance = Instance::start(&config);
    let slug = paths(&instance, "job")["slug"].clone();
    let key = slug.split('/').nth(2).unwrap().to_owned();
    let ping = |instance: &Instance, path: &str| {
        let (status, _, body) = send(&instance.address, "GET", path, (&[], b""));
        (status, String::from_utf8(body).unwrap())
    };
    let foo = format!("/ping/{key}/foo?create=1");
    assert_eq!(ping(&instance, &format!("/ping/{key}/foo?create=1&rid=x")).0, 400);
    assert_eq!(instance.verdict("foo"), "absent", "a bad ping creates nothing");
    assert_eq!(ping(&instance, &foo), (201, "Created".to_owned()));
    assert_eq!(ping(&instance, &foo), (200, "OK".to_owned()));
    instance.wait_for_verdict("foo", "up");
    // Eight at once to one that is new: one creates it, all count.
    let together: Vec<_> = (0..8)
        .map(|_| {
            let (address, path) = (instance.address.clone(), format!("/ping/{key}/bar?create=1"));
            thread::spawn(move || send(&address, "GET", &path, (&[], b"")).0)
        })
        .collect();
    let mut statuses: Vec<u16> = together.into_iter().map(|thread| thread.join().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    assert_eq!(ping(&instance, &format!("/ping/{key}/baz?create=1")).0, 404, "two are allowed");
    instance.kill_and_restart();
    assert_eq!((pings(&instance, "foo").len(), pings(&instance, "bar").len()), (2, 8));
    assert_eq!(ping(&instance, &format!("/ping/{key}/foo/start")).0, 200);
}

#[test]
fn w22_addresses_come_from_trusted_proxies_only() {
    let beat = "monitors:\n  - { name: job, heartbeat: { interval: 1h } }\n";
    let remote = |instance: &Instance, forwarded: &str| {
        let path = paths(instance, "job")["token"].clone();
        let headers = [("x-forwarded-for".to_owned(), forwarded.to_owned())];
        assert_eq!(send(&instance.address, "GET", &path, (&headers, b"")).0, 200);
        pings(instance, "job")[0]["remote"].as_str().unwrap().to_owned()
    };
    let strangers = Instance::start(&format!("{API}{beat}"));
    assert_eq!(remote(&strangers, "1.1.1.1"), "127.0.0.1");
    drop(strangers);
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state").display().to_string();
    let text =
        format!("server: {{ listen: 127.0.0.1:0, trusted_proxies: [127.0.0.1/32] }}\ninstance: {{ state_dir: {state} }}\n{API}{beat}");
    std::fs::write(dir.path().join("config.yaml"), text).unwrap();
    let trusting = Instance::start_in(dir);
    for (forwarded, expected) in
        [("1.1.1.1, 2.2.2.2", "1.1.1.1"), ("1.1.1.1:1234", "1.1.1.1"), ("2001::1", "2001::1"), ("garbage", "127.0.0.1")]
    {
        assert_eq!(remote(&trusting, forwarded), expected, "{forwarded}");
    }
}

#[test]
fn other_monitors_ways_of_pinging_work_as_they_do_there() {
    let instance = Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n"));
    let path = paths(&instance, "job")["token"].clone();
    let token = path.rsplit('/').next().unwrap();
    let bearer = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    let none = Vec::new();
    for (method, path, headers, expected, says) in [
        ("GET", format!("/api/push/{token}?status=up&msg=all%20fine&ping=12.5"), &none, 200, r#"{"ok":true}"#),
        ("GET", format!("/api/push/{token}?status=down&msg=broken"), &none, 200, r#"{"ok":true}"#),
        ("GET", format!("/api/push/{token}"), &none, 200, r#"{"ok":true}"#),
        ("GET", "/api/push/nobody".to_owned(), &none, 404, r#"{"ok":false,"msg":"Monitor not found or not active."}"#),
        ("POST", "/api/v1/endpoints/core_job/external?success=true&duration=1.5s".to_owned(), &bearer, 200, ""),
        ("POST", "/api/v1/endpoints/core_job/external?success=false&error=no%20luck".to_owned(), &bearer, 200, ""),
        ("POST", "/api/v1/endpoints/core_job/external".to_owned(), &bearer, 400, "missing or invalid success query parameter"),
        ("POST", "/api/v1/endpoints/core_job/external?success=true".to_owned(), &none, 401, "invalid token"),
        ("GET", "/api/v1/endpoints/core_job/external?success=true".to_owned(), &bearer, 405, "method not allowed"),
        ("GET", format!("/api/v1/heartbeat/{token}"), &none, 200, "OK"),
        ("POST", format!("/api/v1/heartbeat/{token}/fail"), &none, 200, "OK"),
        ("GET", format!("/api/v1/heartbeat/{token}/3"), &none, 200, "OK"),
    ] {
        let (status, _, body) = send(&instance.address, method, &path, (headers, b""));
        assert_eq!((status, String::from_utf8_lossy(&body).as_ref()), (expected, says), "{method} {path}");
    }
    let mut logged: Vec<String> = pings(&instance, "job").iter().map(words).collect();
    logged.reverse();
    let expected = [
        "success body=all fine took",
        "fail body=broken",
        "success",
        "success took",
        "fail body=no luck",
        "success",
        "fail",
        "fail exit=3",
    ];
    assert_eq!(logged, expected);
}

#[test]
fn how_long_a_run_took_is_what_the_job_says_it_measured() {
    let instance = Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n"));
    let path = paths(&instance, "job")["token"].clone();
    for said in ["90061000", "soon", "-1"] {
        let header = [("vigilmon-run-ms".to_owned(), said.to_owned())];
        assert_eq!(send(&instance.address, "POST", &format!("{path}/0"), (&header, b"")).0, 200);
    }
    let output = instance.run(&["exec", "--ping", &format!("http://{}{path}", instance.address), "--", "true"]);
    assert_eq!(output.status.code(), Some(0), "{}", common::stderr(&output));
    let logged: Vec<(String, Option<f64>)> =
        pings(&instance, "job").iter().map(|entry| (entry["kind"].as_str().unwrap().to_owned(), entry["took_ms"].as_f64())).collect();
    let kinds: Vec<&str> = logged.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["success", "start", "success", "success", "success"], "newest first");
    assert!(logged[0].1.is_some_and(|took| took < 60_000.0), "{logged:?}");
    assert_eq!((logged[2].1, logged[3].1, logged[4].1), (None, None, Some(90_061_000.0)));
}

#[test]
fn l01_the_newest_pings_are_kept_and_bodies_come_back_as_they_were() {
    let config = format!("{API}retention: {{ pings: 100 }}\nmonitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n");
    let instance = Instance::start(&config);
    let path = paths(&instance, "job")["token"].clone();
    for n in 1..=250_u32 {
        let body = [n.to_string().as_bytes(), b"\xff\x00"].concat();
        assert_eq!(send(&instance.address, "POST", &path, (&[], &body)).0, 200);
    }
    let numbers: Vec<u64> = pings(&instance, "job").iter().map(|ping| ping["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (151..=250).rev().collect::<Vec<u64>>());
    assert_eq!(get(&instance, "/api/v1/monitors/job/pings/1/body").0, 404);
    assert_eq!(get(&instance, "/api/v1/monitors/job/pings/200/body"), (200, b"200\xff\x00".to_vec()));
    let (status, page) = get(&instance, "/monitors/job");
    let page = String::from_utf8(page).unwrap();
    assert!(status == 200 && page.contains("Next report") && page.contains("/api/v1/monitors/job/pings/250/body"), "{page}");
}

#[test]
fn d01_d03_a_missed_ping_is_told_once_at_its_time_and_so_is_the_recovery() {
    let hook = Server::start(Answer::Status(200, "ok"));
    let config = format!(
        "{API}channels: [{{ name: ops, webhook: {{ url: \"{}\" }} }}]\n\
         monitors:\n  - {{ name: job, heartbeat: {{ interval: 2s, grace: 1s }}, channels: [ops] }}\n",
        hook.url("/")
    );
    let mut instance = Instance::start(&config);
    let path = paths(&instance, "job")["token"].clone();
    assert_eq!(send(&instance.address, "GET", &path, (&[], b"")).0, 200);
    let pinged = Instant::now();
    hook.wait_for(1);
    let after = pinged.elapsed();
    assert!(Duration::from_millis(2900) < after && after < Duration::from_millis(4000), "told after {after:?}");
    let told = hook.asked()[0].json();
    assert!(told.to_string().contains("\"missed\""), "{told}");
    // X03, X04: a restart tells nothing new. What was sent and not noted yet when the program was killed comes again, under the same key.
    instance.kill_and_restart();
    thread::sleep(Duration::from_secs(1));
    let keys: BTreeSet<String> = hook.asked().iter().map(|asked| asked.json()["key"].to_string()).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(send(&instance.address, "GET", &path, (&[], b"")).0, 200);
    let recovered = wait_for("the recovery", || hook.asked().into_iter().find(|asked| asked.json()["event"] == "recovered"));
    assert!(recovered.body.contains("\"missed\""), "{}", recovered.body);
}

#[test]
fn floods_of_guesses_write_nothing_and_keep_nobody_out() {
    let instance = Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n"));
    let path = paths(&instance, "job")["token"].clone();
    let size = || std::fs::metadata(instance.path().join("state/vigilmon.db-wal")).map_or(0, |found| found.len());
    let before = size();
    let guess = |n: u32| {
        let (status, _, body) = send(&instance.address, "GET", &format!("/heartbeat/{n:032x}"), (&[], b""));
        assert_eq!((status, body.as_slice()), (404, &b"not found"[..]));
    };
    (0..2000).for_each(guess);
    let began = Instant::now();
    assert_eq!(send(&instance.address, "GET", &path, (&[], b"")).0, 200);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(pings(&instance, "job").len(), 1);
    // Signs of life and the one ping; not a page for every guess.
    assert!(size() - before < 1_000_000, "{} bytes were written", size() - before);
}

#[test]
fn w25_what_cannot_be_stored_is_refused_and_sent_again_is_there_once() {
    let instance = Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n"));
    let path = paths(&instance, "job")["token"].clone();
    let other = rusqlite::Connection::open(instance.path().join("state/vigilmon.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let (status, head, _) = send(&instance.address, "GET", &path, (&[], b""));
    assert!(status == 503 && head.contains("retry-after: "), "{head}");
    assert!(began.elapsed() < Duration::from_secs(5), "clients have five seconds of patience");
    other.execute_batch("ROLLBACK").unwrap();
    wait_for("the store to take pings again", || (send(&instance.address, "GET", &path, (&[], b"")).0 == 200).then_some(()));
    assert_eq!(pings(&instance, "job").len(), 1);
    instance.wait_for_verdict("job", "up");
}

/// The newest pings of each heartbeat that are kept in the kill test: as many as the config allows.
const PINGS_KEPT: usize = 100_000;

#[test]
fn x05_nothing_that_was_acknowledged_is_lost_whenever_the_program_is_killed() {
    // One for each sender: more pings of one than are kept would look like lost ones.
    const JOBS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut config = format!("{API}retention: {{ pings: {PINGS_KEPT} }}\nmonitors:\n");
    for id in JOBS {
        config.push_str(&format!("  - {{ name: {id}, heartbeat: {{ interval: 1h }} }}\n"));
    }
    let mut instance = Instance::start(&config);
    let addresses = JOBS.map(|id| (id, paths(&instance, id)["token"].clone()));
    let mut acknowledged: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut wait = 17_u64;
    for round in 0..n_kills() {
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..JOBS.len())
            .map(|sender| {
                let (id, path) = addresses[sender].clone();
                let (address, stop) = (instance.address.clone(), Arc::clone(&stop));
                thread::spawn(move || {
                    let mut heard = Vec::new();
                    let mut n = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let body = format!("{round}-{sender}-{n}");
                        n += 1;
                        // A connection that breaks acknowledges nothing.
                        match try_send(&address, "POST", &path, (&[], body.as_bytes())) {
                            Ok((200, ..)) => heard.push(body),
                            Ok((503, ..)) => {}
                            Ok((other, ..)) => panic!("{other}"),
                            Err(_) => break,
                        }
                    }
                    (id, heard)
                })
            })
            .collect();
        // Another instant each time, spread by the numbers' own disorder.
        wait = wait.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(Duration::from_millis(50 + (wait >> 33) % 400));
        instance.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            let (id, heard) = sender.join().unwrap();
            acknowledged.entry(id).or_default().extend(heard);
        }
        instance.restart();
    }
    let n_acknowledged: usize = acknowledged.values().map(BTreeSet::len).sum();
    assert!(40 < n_acknowledged, "{n_acknowledged} pings are too few to say anything");
    for (id, expected) in acknowledged {
        // The API gives the newest thousand; the file has them all.
        let db = rusqlite::Connection::open(instance.path().join("state/vigilmon.db")).unwrap();
        let mut select = db.prepare("SELECT body FROM pings p JOIN monitors m ON m.key = p.monitor WHERE m.id = ?1").unwrap();
        let kept: BTreeSet<String> =
            select.query_map([id], |row| row.get::<_, Vec<u8>>(0)).unwrap().map(|body| String::from_utf8(body.unwrap()).unwrap()).collect();
        assert!(expected.len() < PINGS_KEPT, "{id}: {} pings are more than are kept", expected.len());
        let lost: Vec<&String> = expected.difference(&kept).collect();
        assert!(lost.is_empty(), "{id}: {} of {} acknowledged pings are lost: {lost:?}", lost.len(), expected.len());
        assert_eq!(instance.verdict(id), "up");
    }
}
