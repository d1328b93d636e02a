//! Stories of a real instance: the binary as users run it, real targets, a real sink.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::Answer;
use common::Instance;
use common::Server;
use common::closed_port;
use common::find_program;
use common::request;
use common::wait_for;

/// Checks every second and confirms with the second failure.
const FAST: &str = "defaults: { interval: 1s, timeout: 1s, confirm: { failures: 2, recheck: 1s }, channels: [ops] }\n";

fn channel(sink: &Server) -> String {
    format!("channels: [{{ name: ops, webhook: {{ url: \"{}\" }} }}]\n", sink.url("/hook"))
}

/// nginx with a directory of its own.
struct Nginx {
    program: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Nginx {
    fn new(program: PathBuf) -> Nginx {
        let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
             http {{ access_log access.log; server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{{\"status\":\"ok\"}}'; }} }} }}"
        );
        fs::write(dir.path().join("nginx.conf"), config).unwrap();
        Nginx { program, dir, port, child: None }
    }

    fn start(&mut self) {
        let child = Command::new(&self.program)
            .args(["-p", &format!("{}/", self.dir.path().display()), "-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait_for("nginx", || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn an_outage_of_nginx_is_one_incident_one_alert_and_one_recovery() {
    let Some(program) = find_program("nginx") else { return };
    let mut nginx = Nginx::new(program);
    nginx.start();
    let sink = Server::start(Answer::Status(200, "ok"));
    let url = format!("http://127.0.0.1:{}/health", nginx.port);
    let monitor = format!(
        "monitors: [{{ name: \"[prod-us] api /health\", http: \"{url}\", expect: {{ status: 200, body_contains: '\"status\":\"ok\"' }}, runbook: https://wiki.example.com/api }}]\n"
    );
    let mut instance = Instance::start(&format!("{FAST}{}{monitor}", channel(&sink)));
    instance.wait_for_verdict("prod-us-api-health", "up");
    nginx.stop();
    let down = sink.wait_for(1)[0].clone();
    let fields: Vec<String> =
        down.body.match_indices("\":").filter_map(|(at, _)| down.body[..at].rsplit('"').next().map(str::to_owned)).take(6).collect();
    assert_eq!(fields, ["monitor_name", "status", "url", "started_at", "duration_seconds", "regions_failing"]);
    let body = down.json();
    assert_eq!(body["monitor_name"], "[prod-us] api /health");
    assert_eq!(body["status"], "down");
    assert_eq!(body["url"], url.as_str());
    assert_eq!(body["duration_seconds"], 0);
    assert_eq!(body["regions_failing"], serde_json::json!(["local"]));
    assert_eq!(body["cause_code"], "refused");
    assert_eq!(body["runbook"], "https://wiki.example.com/api");
    assert!(body["text"].as_str().unwrap().contains("[prod-us] api /health is DOWN since"), "{}", body["text"]);
    instance.wait_for_verdict("prod-us-api-health", "down");
    // A restart in the middle tells nothing twice.
    instance.wait_until_nothing_is_on_its_way();
    instance.kill_and_restart();
    instance.wait_for_verdict("prod-us-api-health", "down");
    assert_eq!(instance.run(&["status"]).status.code(), Some(1));
    nginx.start();
    let up = sink.wait_for(2)[1].json();
    assert_eq!(up["status"], "up");
    assert_eq!(up["incident_id"], body["incident_id"]);
    assert!(up["duration_seconds"].as_u64().unwrap() >= 1, "{up}");
    instance.wait_for_verdict("prod-us-api-health", "up");
    assert_eq!(sink.asked().len(), 2, "one alert and one recovery");
    assert_eq!(instance.stop(), Some(0));
}

/// A name server on loopback that answers every question with "no such name".
fn nxdomain() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut packet = [0_u8; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut packet) {
            // The question comes back with the bits "answer" and "NXDOMAIN", and without additional records.
            let end = 12 + packet[12..n].iter().position(|byte| *byte == 0).unwrap() + 5;
            let mut answer = packet[..end].to_vec();
            answer[2] = 0x81;
            answer[3] = 0x83;
            answer[6..12].fill(0);
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

/// A TLS server whose certificate ended in 2020.
fn expired() -> u16 {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let chain = vec![certificate.der().clone()];
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                let mut session = rustls::ServerConnection::new(config).unwrap();
                let _ = session.complete_io(&mut stream);
            });
        }
    });
    port
}

#[test]
fn every_way_to_fail_is_told_apart() {
    let sink = Server::start(Answer::Status(200, "ok"));
    let fine = Server::start(Answer::Status(200, "ok"));
    let broken = Server::start(Answer::Status(500, "oops"));
    let missing = Server::start(Answer::Status(404, "not here"));
    let silent = Server::start(Answer::Silence);
    let slow = Server::start(Answer::After(Duration::from_millis(300), 200));
    let (dns, tls, closed) = (nxdomain(), expired(), closed_port());
    let cases = [
        ("name", format!("http: {{ url: \"http://gone.example.com/\", resolver: [127.0.0.1:{dns}] }}"), "dns_no_such_name"),
        ("broken", format!("http: \"{}\"", broken.url("/")), "status"),
        ("path", format!("http: \"{}\"", missing.url("/health")), "status"),
        ("port", format!("tcp: 127.0.0.1:{closed}"), "refused"),
        ("silent", format!("http: \"{}\"", silent.url("/")), "timeout_first_byte"),
        ("certificate", format!("http: \"https://localhost:{tls}/\""), "tls_expired"),
        ("slow", format!("http: \"{}\", expect: {{ response_time: 100ms }}", slow.url("/")), "slow"),
    ];
    let mut monitors = format!("monitors:\n  - {{ name: fine, http: \"{}\" }}\n", fine.url("/"));
    for (name, what, _) in &cases {
        monitors.push_str(&format!("  - {{ name: {name}, {what} }}\n"));
    }
    let instance = Instance::start(&format!("{FAST}{}{monitors}", channel(&sink)));
    let told = wait_for("everything to be told", || {
        let told: Vec<serde_json::Value> = sink.asked().iter().flat_map(common::Asked::told).collect();
        (cases.len() <= told.len()).then_some(told)
    });
    for (name, _, code) in &cases {
        let body = told.iter().find(|body| body["monitor_name"] == *name).unwrap_or_else(|| panic!("{name} was not told"));
        assert_eq!(body["cause_code"], *code, "{body}");
        assert_eq!(body["status"], if *name == "slow" { "degraded" } else { "down" }, "{body}");
    }
    let causes: std::collections::BTreeSet<String> = told.iter().map(|body| body["cause"].as_str().unwrap().to_owned()).collect();
    assert_eq!(causes.len(), cases.len(), "each has a sentence of its own: {causes:#?}");
    assert_eq!(instance.verdict("fine"), "up");
    let agent = fine.asked()[0].header("user-agent").map(str::to_owned);
    assert_eq!(agent.as_deref(), Some(concat!("vigilmon/", env!("CARGO_PKG_VERSION"), " (local)")));
}

#[test]
fn kills_lose_nothing_and_repeat_only_with_the_same_key() {
    let target = Server::start(Answer::Status(200, "ok"));
    let sink = Server::start(Answer::Status(200, "ok"));
    let monitor = format!("monitors: [{{ name: m, http: \"{}\" }}]\n", target.url("/"));
    let mut instance = Instance::start(&format!("{FAST}{}{monitor}", channel(&sink)));
    instance.wait_for_verdict("m", "up");
    let mut n_kills = 0;
    for round in 0..4_u64 {
        for (answer, word) in [(Answer::Status(500, "oops"), "down"), (Answer::Status(200, "ok"), "up")] {
            target.set(answer);
            // Moments spread over the time in which detection, commit and sending fall.
            for step in 0..3_u64 {
                thread::sleep(Duration::from_millis((round * 271 + step * 463) % 900));
                instance.kill_and_restart();
                n_kills += 1;
            }
            instance.wait_for_verdict("m", word);
        }
    }
    let events = wait_for("the last recovery", || {
        let events: Vec<(String, String)> = sink
            .asked()
            .iter()
            .map(|asked| (asked.json()["status"].as_str().unwrap().to_owned(), asked.header("idempotency-key").unwrap().to_owned()))
            .collect();
        let keys: std::collections::BTreeSet<&String> = events.iter().map(|(_, key)| key).collect();
        (keys.len() >= 8).then_some(events)
    });
    let keys: std::collections::BTreeSet<&String> = events.iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 8, "four outages and four recoveries, none lost, none invented: {events:?}");
    assert!(events.len() <= keys.len() + n_kills, "at most one repeat per kill: {events:?}");
    let mut distinct = Vec::new();
    for (status, key) in &events {
        if !distinct.iter().any(|(_, known)| known == key) {
            distinct.push((status.clone(), key.clone()));
        }
    }
    let order: Vec<&str> = distinct.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(order, ["down", "up", "down", "up", "down", "up", "down", "up"]);
}

#[test]
fn a_channel_that_is_down_gets_everything_when_it_is_back() {
    let target = Server::start(Answer::Status(200, "ok"));
    let sink = Server::start(Answer::Status(503, "later"));
    let monitor = format!("monitors: [{{ name: m, http: \"{}\" }}]\n", target.url("/"));
    let mut instance = Instance::start(&format!("{FAST}{}{monitor}", channel(&sink)));
    instance.wait_for_verdict("m", "up");
    target.set(Answer::Status(500, "oops"));
    sink.wait_for(1);
    instance.kill_and_restart();
    sink.set(Answer::Status(200, "ok"));
    let told = wait_for("the alert", || {
        let asked = sink.asked();
        (asked.len() >= 2).then_some(asked)
    });
    assert_eq!(told[0].json()["key"], told[1].json()["key"]);
    assert_eq!(told[1].json()["status"], "down");
}

#[test]
fn an_edit_takes_effect_and_disturbs_nobody_else() {
    let (steady, other) = (Server::start(Answer::Status(200, "ok")), Server::start(Answer::Status(200, "ok")));
    let config = |rest: &str| {
        format!(
            "{FAST}channels: [{{ name: ops, webhook: {{ url: http://127.0.0.1:1/ }} }}]\nmonitors:\n  - {{ name: steady, http: \"{}\" }}\n{rest}",
            steady.url("/")
        )
    };
    let instance = Instance::start(&config(""));
    instance.wait_for_verdict("steady", "up");
    let plan = instance.run(&["plan"]);
    assert_eq!(plan.status.code(), Some(0), "{}", common::stdout(&plan));
    fs::copy(instance.path().join("config.yaml"), instance.path().join("old.yaml")).unwrap();
    instance.write_config(&config(&format!("  - {{ name: other, http: \"{}\" }}\n", other.url("/"))));
    let edited = Instant::now();
    other.wait_for(2);
    assert!(edited.elapsed() < Duration::from_secs(20), "taken after {:?}", edited.elapsed());
    let before = steady.asked().len();
    steady.wait_for(before + 4);
    let gaps: Vec<u128> = steady.asked().windows(2).skip(1).map(|pair| (pair[1].at - pair[0].at).as_millis()).collect();
    // Loaded machines are late; a timer that starts over would be off by up to a whole interval in either direction.
    let n_off = gaps.iter().filter(|gap| **gap < 700 || **gap > 1300).count();
    assert!(n_off * 4 <= gaps.len(), "the schedule was disturbed: {gaps:?}");

    // A file that is not valid changes nothing, says why, and the last good copy survives a restart.
    instance.write_config(&config("  - { name: x, htpp: \"http://127.0.0.1:1/\" }\n"));
    let status = wait_for("the problem to be seen", || {
        let status = instance.status();
        (!status["config"]["problems"].as_array().unwrap().is_empty()).then_some(status)
    });
    assert!(status["config"]["problems"][0]["hint"].as_str().unwrap().contains("http"), "{status}");
    assert_eq!(status["monitors"].as_array().unwrap().len(), 2);
    let reload = instance.run(&["reload"]);
    assert_eq!(reload.status.code(), Some(2), "{}", common::stderr(&reload));
    let mut instance = instance;
    instance.kill_and_restart();
    assert!(instance.log().contains("THE CONFIG IS NOT VALID"), "{}", instance.log());
    assert_eq!(instance.status()["config"]["is_last_good_copy"], true);
    instance.wait_for_verdict("other", "up");

    // Removing a monitor by an explicit reload happens at once.
    fs::rename(instance.path().join("old.yaml"), instance.path().join("config.yaml")).unwrap();
    let plan = instance.run(&["plan"]);
    assert_eq!(plan.status.code(), Some(2));
    assert!(common::stdout(&plan).contains("other"), "{}", common::stdout(&plan));
    let reload = instance.run(&["reload"]);
    assert_eq!(reload.status.code(), Some(0), "{}", common::stderr(&reload));
    assert_eq!(instance.verdict("other"), "absent");
}

#[test]
fn a_rotated_secret_is_taken_although_no_text_changed() {
    let target = Server::start(Answer::Status(200, "ok"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "first\n").unwrap();
    let monitor = format!(
        "monitors: [{{ name: m, http: {{ url: \"{}\", auth: {{ bearer: {{ file: token }} }} }}, interval: 1s, timeout: 1s }}]\n",
        target.url("/")
    );
    common::write_config(dir.path(), &monitor);
    let instance = Instance::start_in(dir);
    let last = || target.asked().last().and_then(|asked| asked.header("authorization").map(str::to_owned));
    wait_for("the first token", || (last().as_deref() == Some("Bearer first")).then_some(()));
    fs::write(instance.path().join("token"), "second\n").unwrap();
    wait_for("the second token", || (last().as_deref() == Some("Bearer second")).then_some(()));
}

#[test]
fn the_sign_in_link_opens_the_dashboard_once() {
    let target = Server::start(Answer::Status(200, "ok"));
    let instance = Instance::start(&format!(
        "monitors: [{{ name: private-canary, http: \"{}\" }}, {{ name: shown, http: \"{}\" }}]\nstatus_pages: [{{ slug: main, title: Main, groups: [{{ name: all, monitors: [shown] }}] }}]\n",
        target.url("/secret-path"),
        target.url("/")
    ));
    instance.wait_for_verdict("shown", "up");
    let (status, _, page) = request(&instance.address, "GET", "/", &[], "");
    assert!(status == 200 || status == 303, "{status}");
    assert!(!page.contains("private-canary"), "nothing is shown without signing in");
    let (status, _, page) = request(&instance.address, "GET", "/status/main", &[], "");
    assert_eq!(status, 200);
    assert!(page.contains("shown") && !page.contains("private-canary") && !page.contains("secret-path"), "{page}");
    for path in ["/monitors/shown", "/incidents", "/config", "/channels", "/api/v1/status", "/local/status", "/gallery"] {
        let (status, _, body) = request(&instance.address, "GET", path, &[], "");
        assert!(status == 303 || status == 401 || status == 404 || path == "/gallery", "{path}: {status}");
        assert!(!body.contains("canary"), "{path}");
    }
    let path = instance.sign_in_link.split(&instance.address).nth(1).unwrap().to_owned();
    let (status, _, _) = request(&instance.address, "GET", &path, &[], "");
    assert_eq!(status, 200, "looking does not use it up");
    let origin = format!("http://{}", instance.address);
    let form = [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let (status, head, _) = request(&instance.address, "POST", &path, &form, "");
    assert_eq!(status, 303, "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().split(';').next().unwrap().to_owned();
    let (status, _, page) = request(&instance.address, "GET", "/monitors", &[("cookie", &cookie)], "");
    assert_eq!(status, 200);
    assert!(page.contains("private-canary"));
    let (status, _, _) = request(&instance.address, "POST", &path, &form, "");
    assert_eq!(status, 410, "a second time it does not work");
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
    let (status, _, _) = request(&instance.address, "POST", "/monitors/shown/pause", &foreign, "");
    assert_eq!(status, 403);
    assert_eq!(instance.verdict("shown"), "up", "a foreign origin changes nothing");
}

#[test]
fn a_dribbled_file_is_taken_only_when_it_is_whole() {
    let target = Server::start(Answer::Status(200, "ok"));
    let instance = Instance::start(&format!("monitors:\n  - {{ name: m0, http: \"{}\" }}\n", target.url("/")));
    instance.wait_for_verdict("m0", "up");
    let path: &Path = &instance.path().join("config.yaml");
    let head = fs::read_to_string(path).unwrap();
    let lines: Vec<String> = (1..20).map(|i| format!("  - {{ name: m{i}, http: \"{}\" }}\n", target.url("/"))).collect();
    let mut file = fs::File::create(path).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    for line in &lines {
        let (first, rest) = line.split_at(line.len() / 2);
        for piece in [first, rest] {
            file.write_all(piece.as_bytes()).unwrap();
            file.flush().unwrap();
            thread::sleep(Duration::from_millis(60));
            let n = instance.status()["monitors"].as_array().unwrap().len();
            assert!(n == 1, "an incomplete file was taken: {n} monitors");
        }
    }
    drop(file);
    wait_for("all monitors", || (instance.status()["monitors"].as_array().unwrap().len() == 20).then_some(()));
}
