//! The command line and everything that can be wrong at start: one clear sentence and the documented exit code.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;

use common::Answer;
use common::Instance;
use common::Server;
use common::closed_port;
use common::run;
use common::stderr;
use common::stdout;
use common::vigilmon;
use common::write_config;

#[track_caller]
fn assert_refused(config: &str, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), config).unwrap();
    for command in ["run", "validate"] {
        let output = run(dir.path(), &[command]);
        assert_eq!(output.status.code(), Some(2), "{command}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{command}: {}", stderr(&output));
        assert!(!dir.path().join("data").exists(), "nothing is created for a config that is not valid");
    }
}

#[test]
fn bad_configs_are_refused_with_file_line_and_reason() {
    assert_refused("monitors:\n  - http: [\n", "config.yaml:");
    assert_refused("monitors:\n  - htpp: https://example.com\n", "config.yaml:2:5: monitors[0]");
    assert_refused("monitors:\n  - { http: https://example.com, interval: 3 }\n", "monitors[0].interval");
    assert_refused("monitors:\n  - http: https://${NOT_SET_ANYWHERE}/\n", "NOT_SET_ANYWHERE");
    assert_refused("monitors:\n  - { name: a, http: https://a.example }\n  - { name: a, http: https://b.example }\n", "monitors[1]");
    assert_refused("monitors:\n  - { name: a, http: https://a.example, interval: 5s, timeout: 10s }\n", "longer than the interval");
    assert_refused(
        "monitors:\n  - { name: a, http: https://a.example, channels: [slak] }\nchannels:\n  - { name: slack, slack: { url: https://h.example/x } }\n",
        "slack",
    );
    assert_refused("", "config.yaml");
}

#[test]
fn what_is_not_a_config_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::File::create(dir.path().join("large.yaml")).unwrap().set_len(100 << 20).unwrap();
    for (config, expected) in [
        ("empty", "there is no `*.yaml` or `*.yml` file"),
        ("large.yaml", "larger than 8 MiB"),
        ("/dev/zero", "not a regular file"),
        ("gone.yaml", "no such file"),
    ] {
        let output = run(dir.path(), &["run", "--config", config]);
        assert_eq!(output.status.code(), Some(2), "{config}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{config}: {}", stderr(&output));
    }
}

#[test]
fn what_keeps_it_from_starting_is_one_sentence_and_exit_code_3() {
    let target = Server::start(Answer::Status(200, "ok"));
    let monitors = format!("monitors: [{{ name: m, http: \"{}\" }}]\n", target.url("/"));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = format!("server: {{ listen: \"{}\" }}\n{monitors}", taken.local_addr().unwrap());
    fs::write(dir.path().join("config.yaml"), text).unwrap();
    let output = run(dir.path(), &["run"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("already in use"), "{}", stderr(&output));

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state"), "a file").unwrap();
    write_config(dir.path(), &monitors);
    let output = run(dir.path(), &["run"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("state"), "{}", stderr(&output));

    let mut instance = Instance::start(&monitors);
    let output = instance.run(&["run"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("already running on the state directory"), "{}", stderr(&output));
    assert_eq!(instance.stop(), Some(0));

    let db = rusqlite::Connection::open(instance.path().join("state/vigilmon.db")).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    db.execute("INSERT INTO migrations (version, at) VALUES (999, 0)", []).unwrap();
    drop(db);
    let output = instance.run(&["run"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("newer than the"), "{}", stderr(&output));
}

#[test]
fn validate_and_schema_speak_to_programs_too() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), "monitors:\n  - { htpp: x }\n  - { http: https://b.example, timeout: 1x }\n").unwrap();
    let output = run(dir.path(), &["validate", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["valid"], false);
    assert!(json["problems"].as_array().unwrap().len() >= 2, "all at once: {json}");
    assert_eq!(json["problems"][0]["line"], 2);
    // What is valid and perhaps not meant is told beside what is not valid.
    let text = "channels: [{ name: ops, slack: https://hooks.slack.com/services/T/B/x }]\nmonitors: [{ name: a, tcp: \"a:1\", channels: ops }]\n\
                policies: [{ name: p, monitors: zzz*, steps: [{ after: 0s }] }]\nretention: { nothing: 1d }\n";
    fs::write(dir.path().join("config.yaml"), text).unwrap();
    let output = run(dir.path(), &["validate", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((json["problems"].as_array().map(Vec::len), json["doubts"].as_array().map(Vec::len)), (Some(1), Some(1)), "{json}");
    let said = stderr(&run(dir.path(), &["validate"]));
    assert!(said.contains("no monitor has a name like `zzz*`") && said.ends_with("1 problem\n"), "{said}");
    let output = run(dir.path(), &["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["monitors"].is_object());
}

#[test]
fn init_writes_a_config_that_is_valid_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(dir.path(), &["init"]).status.code(), Some(0));
    assert_eq!(run(dir.path(), &["validate"]).status.code(), Some(0));
    let output = run(dir.path(), &["init"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("exists already"), "{}", stderr(&output));
}

#[test]
fn without_any_file_the_built_in_example_is_valid() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["validate"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("built-in example"), "{}", stdout(&output));
}

#[test]
fn probe_shows_the_phases_and_answers_with_its_exit_code() {
    let target = Server::start(Answer::Status(200, "hello"));
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["probe", &target.url("/x?a=$HOME")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for word in ["connect", "first byte", "total", "UP"] {
        assert!(stdout(&output).contains(word), "{}", stdout(&output));
    }
    assert_eq!(target.asked()[0].path, "/x?a=$HOME");
    let output = run(dir.path(), &["probe", &format!("tcp://127.0.0.1:{}", closed_port()), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["cause_code"], "refused");
    let output = run(dir.path(), &["probe", "no-such-monitor"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_hashed_password_lets_its_user_in() {
    let mut hashing = vigilmon().arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    hashing.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
    let hash = stdout(&hashing.wait_with_output().unwrap()).trim().to_owned();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let target = Server::start(Answer::Status(200, "ok"));
    let instance = Instance::start(&format!(
        "monitors: [{{ name: m, http: \"{}\" }}]\nauth: {{ users: [{{ name: ops, password_hash: '{hash}' }}] }}\n",
        target.url("/")
    ));
    let origin = format!("http://{}", instance.address);
    let form = [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let (status, _, _) = common::request(&instance.address, "POST", "/sign-in", &form, "name=ops&password=wrong");
    assert_ne!(status, 303);
    let (status, head, body) = common::request(&instance.address, "POST", "/sign-in", &form, "name=ops&password=correct+horse+battery");
    assert_eq!(status, 303, "{head}\n{body}");
}

#[test]
fn hash_token_makes_what_the_config_takes() {
    let dir = tempfile::tempdir().unwrap();
    let made = run(dir.path(), &["hash-token", "--new"]);
    let lines = stdout(&made);
    let [token, hash] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    assert!(made.status.success() && token.len() == 43 && hash.len() == 64, "{lines}");
    assert_ne!(stdout(&run(dir.path(), &["hash-token", "--new"])), lines);
    let hashed = |text: &str| {
        let mut hashing = vigilmon().arg("hash-token").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        hashing.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        hashing.wait_with_output().unwrap()
    };
    assert_eq!(stdout(&hashed(&format!("{token}\n"))).trim(), hash);
    for bad in ["", "short", "a token with spaces in it, which no header has"] {
        let refused = hashed(bad);
        assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(2), ""), "{bad}");
    }
    let target = Server::start(Answer::Status(200, "ok"));
    let auth = format!("auth: {{ tokens: [{{ name: ci, hash: {hash} }}] }}");
    let instance = Instance::start(&format!("monitors: [{{ name: m, http: \"{}\" }}]\n{auth}\n", target.url("/")));
    let bearer = format!("Bearer {token}");
    let (status, _, _) = common::request(&instance.address, "GET", "/api/v1/status", &[("authorization", &bearer)], "");
    assert_eq!(status, 200);
}

#[test]
fn the_service_is_installed_below_another_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root").display().to_string();
    let status = |expected: i32| {
        let output = run(dir.path(), &["service", "status", "--root", &root]);
        assert_eq!(output.status.code(), Some(expected), "{}", stdout(&output));
    };
    status(1);
    let output = run(dir.path(), &["service", "install", "--root", &root]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for file in ["usr/bin/vigilmon", "etc/systemd/system/vigilmon.service", "etc/vigilmon/config.yaml"] {
        assert!(dir.path().join("root").join(file).is_file(), "{file}");
    }
    let config = dir.path().join("root/etc/vigilmon").display().to_string();
    assert_eq!(run(dir.path(), &["validate", "--config", &config]).status.code(), Some(0));
    status(0);
    assert_eq!(run(dir.path(), &["service", "uninstall", "--root", &root]).status.code(), Some(0));
    status(1);
}

#[test]
fn help_version_and_completions_are_there() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["version"], &["completions", "bash"], &["completions", "zsh"], &["completions", "fish"]] {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(run(dir.path(), &["--no-such-flag"]).status.code(), Some(2));
    let output = run(dir.path(), &["status"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("is it running"), "{}", stderr(&output));
}

const PEERS: &str = "monitors: [{ name: m, tcp: \"127.0.0.1:9\" }]
peers:
  cluster: acme
  secret: correct-horse-battery
  nodes:
    - { name: eu, region: eu-west, url: \"wss://eu.example.net/peer\" }
    - { name: home, region: home, vantage: internal }
";

#[test]
fn a_node_says_who_it_is_and_never_its_secret() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), PEERS).unwrap();
    let id = |arguments: &[&str]| run(dir.path(), &[&["peer", "id"], arguments].concat());
    let own = id(&["--node", "eu"]);
    assert_eq!(own.status.code(), Some(0), "{}", stderr(&own));
    // Derived keys have to be the same in every release, or nodes of two releases would refuse each other.
    let expected = "name: eu\nregion: eu-west\nvantage: external\nurl: wss://eu.example.net/peer\nkey: ed25519:goKE0uUAvAs8OgC6CgmR3xnjfK5dJtvFXg0HCppz08M=\n";
    assert_eq!(stdout(&own), expected);
    assert_eq!(stdout(&id(&["eu"])), stdout(&own), "named or being it");
    let other = stdout(&id(&["home", "--node", "eu"]));
    assert!(other.starts_with("name: home\nregion: home\nvantage: internal\nkey: ed25519:") && !other.contains("goKE0uUA"), "{other}");
    for output in [&own, &id(&["home"])] {
        assert!(!stdout(output).contains("battery") && !stderr(output).contains("battery"));
    }
    let nobody = id(&[]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(stderr(&nobody).contains("nothing says which node is meant") && stderr(&nobody).contains("eu, home"), "{}", stderr(&nobody));
    let stranger = id(&["us"]);
    assert!(stranger.status.code() == Some(2) && stderr(&stranger).contains("there is no node `us`"), "{}", stderr(&stranger));
    fs::write(dir.path().join("config.yaml"), "monitors: [{ name: m, tcp: \"127.0.0.1:9\" }]\n").unwrap();
    let alone = id(&["eu"]);
    assert!(alone.status.code() == Some(2) && stderr(&alone).contains("watches alone"), "{}", stderr(&alone));
}

#[test]
fn new_keys_work_in_the_config_and_a_wrong_pair_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let pair = || {
        let made = run(dir.path(), &["peer", "id", "--new"]);
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
        let lines: Vec<String> = stdout(&made).lines().map(ToOwned::to_owned).collect();
        let [private, public] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(private.starts_with("private_key: ") && public.starts_with("key: ed25519:"), "{lines:?}");
        (private.clone(), public.clone())
    };
    let ((private, public), (_, another)) = (pair(), pair());
    assert_ne!(public, another);
    let config = |key: &str| {
        let text =
            PEERS.replace("region: eu-west,", &format!("region: eu-west, {key},")).replace("  cluster", &format!("  {private}\n  cluster"));
        fs::write(dir.path().join("config.yaml"), text).unwrap();
        run(dir.path(), &["peer", "id", "--node", "eu"])
    };
    let right = config(&public);
    assert_eq!(right.status.code(), Some(0), "{}", stderr(&right));
    assert!(stdout(&right).ends_with(&format!("{public}\n")), "{}", stdout(&right));
    let wrong = config(&another);
    let told = stderr(&wrong);
    assert!(wrong.status.code() == Some(2) && told.contains("belongs to another key") && told.contains(&public["key: ".len()..]), "{told}");
    assert!(!told.contains(&private["private_key: ".len()..]));
}

#[test]
fn peers_without_a_running_instance_are_one_clear_sentence() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), PEERS).unwrap();
    for arguments in [&["peer", "status"][..], &["peer", "status", "--json"], &["peer", "ping"], &["peer", "forget", "home"]] {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(stderr(&output).contains("is it running") && stderr(&output).lines().count() == 1, "{}", stderr(&output));
    }
    for arguments in [&["peer", "ping", "-n", "0"][..], &["peer", "ping", "-n", "101"], &["peer", "forget"], &["peer", "forget", "A/b"]] {
        assert_eq!(run(dir.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    let target = Server::start(Answer::Status(200, "ok"));
    let instance = Instance::start(&format!("monitors: [{{ name: m, http: \"{}\" }}]\n", target.url("/")));
    for (arguments, code, expected) in [
        (&["peer", "status"][..], 0, "watches alone"),
        (&["peer", "ping"], 0, "watches alone"),
        (&["peer", "forget", "home"], 1, "watches alone"),
    ] {
        let output = instance.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

const CHANNELS: &str = "monitors:
  - { name: shop, http: https://shop.example, channels: [chat] }
channels:
  - { name: chat, discord: https://discord.example/api/webhooks/1/very-secret }
  - { name: push, ntfy: { url: NTFY, topic: very-secret, token: very-secret } }
";

#[test]
fn a_preview_shows_what_would_be_sent_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.yaml"), CHANNELS.replace("NTFY", "https://ntfy.example")).unwrap();
    for (name, event, expected) in [
        ("chat", "down", "POST https://discord.example/***?wait=true\n"),
        ("chat", "down", "\"title\": \"🔴 DOWN: shop\""),
        ("chat", "recovered", "\"title\": \"🟢 Up: shop\""),
        ("push", "degraded", "authorization: Bearer ***\n"),
        ("push", "self", "\"topic\": \"***\""),
    ] {
        let output = run(dir.path(), &["channel", "preview", name, "--event", event]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(text.contains(expected) && !text.contains("very-secret"), "{name} {event}\n{expected}\n{text}");
    }
    for (arguments, expected) in [
        (&["channel", "preview", "chta"][..], "there is no channel `chta`; the channels are `chat`, `push`"),
        (&["channel", "preview", "chat", "--event", "donw"][..], "it can be down, degraded, recovered"),
        (&["channel", "test"][..], "required"),
    ] {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_test_message_is_sent_once_and_what_became_of_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    for (answer, code, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 0, "push: accepted\n"),
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            1,
            "push: not accepted: answered 401: it does not accept the credentials\n",
        ),
        ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 1, "push: not accepted now: answered 503\n"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            while !text.ends_with(b"}") {
                let n = std::io::Read::read(&mut stream, &mut buffer).unwrap();
                assert!(n > 0, "the request broke off");
                text.extend_from_slice(&buffer[..n]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(text).unwrap()
        });
        fs::write(dir.path().join("config.yaml"), CHANNELS.replace("NTFY", &format!("\"http://{address}\""))).unwrap();
        let output = run(dir.path(), &["channel", "test", "push"]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(code), expected), "{}", stderr(&output));
        let request = server.join().unwrap();
        assert!(request.starts_with("POST / HTTP/1.1\r\n") && request.contains("\"title\":\"vigilmon: test message\""), "{request}");
    }
}

#[test]
fn heartbeat_url_prints_every_address_and_lines_to_copy_without_a_running_instance() {
    let dir = tempfile::tempdir().unwrap();
    let config = |generation: u32| {
        format!(
            "instance: {{ secret: 0123456789abcdef }}\nserver: {{ public_url: \"https://status.example.com\", base_path: /watch }}\n\
             monitors:\n  - {{ name: Nightly job, heartbeat: {{ cron: \"15 3 * * *\", timezone: Europe/Riga, generation: {generation} }} }}\n"
        )
    };
    let url = |generation: u32, arguments: &[&str]| {
        fs::write(dir.path().join("config.yaml"), config(generation)).unwrap();
        let output = run(dir.path(), &[&["heartbeat", "url"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let page = url(1, &["nightly-job"]);
    for word in [
        "https://status.example.com/watch/heartbeat/",
        "https://status.example.com/watch/ping/",
        "/nightly-job\n",
        "15 3 * * * /usr/local/bin/nightly-job; curl",
        "timeZone: Europe/Riga",
        "kind: CronJob",
        "Type=oneshot",
        "Invoke-RestMethod",
        "vigilmon exec --ping https://",
        "secrets.PING_URL",
    ] {
        assert!(page.contains(word), "`{word}` in {page}");
    }
    assert_eq!(page, url(1, &["Nightly job"]), "by name, and the same again");
    let token = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["token"].as_str().unwrap().to_owned();
    assert_ne!(token(&url(1, &["nightly-job", "--json"])), token(&url(2, &["nightly-job", "--json"])));
    let unknown = run(dir.path(), &["heartbeat", "url", "No such"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
}

#[test]
fn maintenance_list_says_what_is_covered_and_when() {
    let dir = tempfile::tempdir().unwrap();
    let text = "monitors:\n  - { name: api, group: prod, tcp: \"127.0.0.1:1\" }\n  - { name: db, tcp: \"127.0.0.1:2\" }\nmaintenance:\n\
                \x20 - { name: Open, monitors: \"*\", schedule: { from: 2020-01-01T00:00:00Z, to: 2020-06-01T00:00:00Z } }\n\
                \x20 - { name: Patching, groups: prod, schedule: { rrule: FREQ=DAILY, start: \"2190-06-01T22:00\", duration: 2h, timezone: Europe/Riga } }\n\
                \x20 - { name: Now, monitors: db, schedule: { cron: \"0 0 * * *\", duration: 1d } }\n";
    fs::write(dir.path().join("config.yaml"), text).unwrap();
    let output = run(dir.path(), &["maintenance", "list"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines: Vec<Vec<String>> = stdout(&output)
        .lines()
        .map(|line| line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines[0], ["NAME", "STATE", "FROM", "TO", "TIMEZONE", "MONITORS"]);
    assert_eq!(lines[1], ["Open", "over", "–", "–", "UTC", "api, db"]);
    assert_eq!(lines[2], ["Patching", "planned", "2190-06-01 22:00", "2190-06-02 00:00", "Europe/Riga", "api"]);
    assert_eq!((lines[3][1].as_str(), lines[3].last().map(String::as_str)), ("open", Some("db")));
    let json: serde_json::Value = serde_json::from_str(&stdout(&run(dir.path(), &["maintenance", "list", "--json"]))).unwrap();
    assert_eq!((json[1]["state"].as_str(), json[1]["from"].as_str()), (Some("planned"), Some("2190-06-01T19:00:00Z")));
    assert_eq!((json[0]["from"].is_null(), json[2]["monitors"][0].as_str()), (true, Some("db")));
    fs::write(dir.path().join("config.yaml"), "monitors: [{ tcp: \"127.0.0.1:1\" }]\n").unwrap();
    assert_eq!(stdout(&run(dir.path(), &["maintenance", "list"])), "no maintenance windows are configured\n");
    fs::write(dir.path().join("config.yaml"), "monitors: [{ tcp: \"127.0.0.1:1\" }]\nmaintenance: [{ name: x }]\n").unwrap();
    assert_eq!(run(dir.path(), &["maintenance", "list"]).status.code(), Some(2));
}
