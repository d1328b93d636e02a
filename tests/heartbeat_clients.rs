//! The programs that people have already, as they are, against a real instance: curl, wget, borgmatic with borg, Alertmanager;
//! and runitor's requests byte by byte.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::Instance;
use common::beats::API;
use common::beats::json;
use common::beats::pings;
use common::beats::urls;
use common::beats::words;
use common::closed_port;
use common::find_program;
use common::real::alertmanager;
use common::request;
use common::wait_for;

/// How long the receiver refuses in these tests: its first answer, after 4 s, is 503.
const REFUSES_FOR: Duration = Duration::from_millis(4500);

fn instance(beat: &str) -> Instance {
    Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ {beat} }} }}\n"))
}

/// Runs a line as a crontab or a script has it, `$URL` being an address of the heartbeat. One that does not end is killed.
#[track_caller]
fn shell(url: &str, line: &str) -> Output {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60", "sh", "-c", line]).env("URL", url).env("no_proxy", "*");
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn works(url: &str, line: &str) {
    let output = shell(url, line);
    assert!(output.status.success(), "{line}: {:?}\n{}", output.status, common::stderr(&output));
}

/// Makes the receiver refuse for a while as it does when its disk is held up: another program has the database.
fn refuse_for_a_while(instance: &Instance) -> thread::JoinHandle<()> {
    let held = rusqlite::Connection::open(instance.path().join("state/vigilmon.db")).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::spawn(move || {
        thread::sleep(REFUSES_FOR);
        held.execute_batch("ROLLBACK").unwrap();
    })
}

#[test]
fn curl_in_every_form_that_people_write() {
    if find_program("curl").is_none() {
        return;
    }
    let instance = instance("interval: 1h");
    let urls = urls(&instance, "job");
    let output = instance.path().join("output");
    fs::write(&output, "from a file\n").unwrap();
    for form in ["token", "uuid", "slug"] {
        let url = &urls[form];
        let before = pings(&instance, "job").len();
        for line in [
            "curl -fsS -m 10 --retry 5 -o /dev/null $URL",
            "curl -fsS -m 10 --retry 5 --data-raw 'some text' -o /dev/null $URL",
            "curl -fsS -m 10 -I -o /dev/null $URL",
            "false; curl -fsS -m 10 --retry 5 -o /dev/null $URL/$?",
            "true; curl -fsS -m 10 --retry 5 -o /dev/null $URL/$?",
            "curl -fsS -X POST -o /dev/null $URL/start",
            "echo 'as it comes' | curl -fsS -T - -o /dev/null $URL/log",
            &format!("curl -fsS --data-binary @{} -o /dev/null $URL/fail", output.display()),
            "curl -fsS -H 'Expect: 100-continue' --data-raw 'asked before' -o /dev/null $URL/",
            "curl -fsS -o /dev/null \"$URL/start?rid=123e4567-e89b-42d3-a456-426614174000\" && \
             curl -fsS -o /dev/null \"$URL?rid=123e4567-e89b-42d3-a456-426614174000\"",
        ] {
            works(url, line);
        }
        let expected = [
            "GET success",
            "POST success: some text",
            "HEAD success",
            "GET fail 1",
            "GET success 0",
            "POST start",
            "PUT log: as it comes",
            "POST fail: from a file",
            "POST success: asked before",
            "GET start",
            "GET success",
        ];
        assert_eq!(words(&instance, "job")[before..], expected, "{form}");
    }
    // What is no ping makes curl fail, so that a mistake is seen.
    assert_eq!(shell(&urls["uuid"], "curl -fsS $URL/256").status.code(), Some(22));
    assert_eq!(shell(&format!("http://{}/ping/nobody", instance.address), "curl -fsS $URL").status.code(), Some(22));
}

#[test]
fn curl_that_is_refused_tries_again_when_it_is_told_to_and_is_counted_once() {
    if find_program("curl").is_none() {
        return;
    }
    let instance = instance("interval: 1h");
    let url = urls(&instance, "job")["token"].clone();
    let held = refuse_for_a_while(&instance);
    let began = Instant::now();
    works(&url, "curl -fsS -m 10 --retry 5 --data-raw tired -o /dev/null $URL");
    // It had to wait, and waited as long as it was told to rather than the second of its own first pause.
    assert!(REFUSES_FOR < began.elapsed());
    held.join().unwrap();
    assert_eq!(words(&instance, "job"), ["POST success: tired"]);
}

#[test]
fn other_monitors_addresses_by_curl() {
    if find_program("curl").is_none() {
        return;
    }
    let instance = instance("interval: 1h");
    let urls = urls(&instance, "job");
    let token = urls["token"].rsplit('/').next().unwrap();
    works(&urls["kuma"], "test \"$(curl -fsS \"$URL\")\" = '{\"ok\":true}'");
    let push = urls["kuma"].split('?').next().unwrap();
    works(push, "curl -fsS -o /dev/null \"$URL?status=down&msg=no%20space%20left&ping=\"");
    works(&urls["gatus"], &format!("curl -fsS -X POST -H 'Authorization: Bearer {token}' -o /dev/null \"$URL\""));
    let external = urls["gatus"].split('?').next().unwrap();
    let failed = "success=false&error=connection%20refused&duration=10s";
    works(external, &format!("curl -fsS -X POST -H 'Authorization: Bearer {token}' -o /dev/null \"$URL?{failed}\""));
    works(&urls["better_stack"], "curl -fsS -o /dev/null $URL");
    works(&urls["better_stack"], "curl -fsS -d 'exit 1' -o /dev/null $URL/fail");
    let expected =
        ["GET success: OK", "GET fail: no space left", "POST success", "POST fail: connection refused", "GET success", "POST fail: exit 1"];
    assert_eq!(words(&instance, "job"), expected);
    assert_eq!(shell(&urls["gatus"], "curl -fsS -X POST -H 'Authorization: Bearer wrong' \"$URL\"").status.code(), Some(22));
}

#[test]
fn busybox_wget_which_is_all_that_many_images_have() {
    if find_program("busybox").is_none() {
        return;
    }
    let instance = instance("interval: 1h");
    let url = urls(&instance, "job")["uuid"].clone();
    for line in [
        "timeout 10 busybox wget -q -O /dev/null $URL/start",
        "false; timeout 10 busybox wget -q -O /dev/null $URL/$?",
        "timeout 10 busybox wget -q -O /dev/null --post-data 'all done' $URL",
        "timeout 10 busybox wget -q --spider $URL",
    ] {
        works(&url, line);
    }
    assert_eq!(words(&instance, "job"), ["GET start", "GET fail 1", "POST success: all done", "GET success"]);
    assert!(!shell(&url, "timeout 10 busybox wget -q -O /dev/null $URL/256").status.success());
}

#[test]
fn gnu_wget_also_when_it_is_refused_first() {
    if find_program("wget").is_none() {
        return;
    }
    let instance = instance("interval: 1h");
    let url = urls(&instance, "job")["slug"].clone();
    let held = refuse_for_a_while(&instance);
    works(&url, "wget -q -T 10 --tries=5 --waitretry=1 --retry-on-http-error=503 -O /dev/null $URL/start");
    held.join().unwrap();
    for line in [
        "wget -q -T 10 --tries=5 -O /dev/null --post-data='all done' $URL",
        "wget -q --spider $URL",
        "wget -q --method=PUT --body-data=put -O /dev/null $URL/log",
    ] {
        works(&url, line);
    }
    assert_eq!(words(&instance, "job"), ["GET start", "POST success: all done", "HEAD success", "PUT log: put"]);
}

/// One request as runitor sends it: always POST with a length, text/plain. It accepts 200 and 201 only. Gives the body limit.
#[track_caller]
fn runitor(instance: &Instance, target: &str, body: &str) -> (u16, Option<usize>) {
    let headers =
        [("content-type", "text/plain"), ("user-agent", "runitor/v1.4.1 (+https://bdd.fi/x/runitor)"), ("accept-encoding", "gzip")];
    let (status, head, said) = request(&instance.address, "POST", target, &headers, body);
    assert!(!said.contains("not found") && !said.contains("rate limited"), "{said}");
    let limit = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("ping-body-limit: ")?.trim().parse().ok());
    (status, limit)
}

#[test]
fn runitors_requests_with_its_trimmed_output_and_its_run_ids() {
    let config = format!(
        "{API}heartbeats: {{ auto_create: {{ limit: 3 }} }}\nmonitors:\n  - {{ name: job, heartbeat: {{ interval: 1h, body: {{ limit: 2KiB, \
         keep: tail }} }} }}\n"
    );
    let instance = Instance::start(&config);
    let urls = urls(&instance, "job");
    let path = |form: &str| urls[form].split_once(&instance.address).unwrap().1.to_owned();
    let output: String = (0..2000).map(|n| format!("line {n}\n")).collect();
    let (first, second) = ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7");
    // Two runs at once, of which one fails: each end belongs to its own beginning.
    for rid in [first, second] {
        let (status, limit) = runitor(&instance, &format!("{}/start?rid={rid}", path("uuid")), "");
        assert_eq!((status, limit), (200, Some(2048)), "the limit is in the answer to the start");
    }
    let tail = &output[output.len() - 2048..];
    assert_eq!(runitor(&instance, &format!("{}/3?rid={first}", path("uuid")), tail).0, 200);
    assert_eq!(runitor(&instance, &format!("{}?rid={second}", path("uuid")), "fine").0, 200);
    // The program that it should run is not there; and what `-no-start-ping` and `log` send.
    assert_eq!(runitor(&instance, &format!("{}/fail", path("slug")), "exec: no such file").0, 200);
    assert_eq!(runitor(&instance, &format!("{}/log", path("slug")), "for the log").0, 200);
    let logged = pings(&instance, "job");
    let ends: Vec<_> =
        logged.iter().map(|ping| (ping["kind"].as_str().unwrap(), ping["run"].as_str(), ping["took_ms"].is_number())).collect();
    let expected = [
        ("start", Some(first), false),
        ("start", Some(second), false),
        ("fail", Some(first), true),
        ("success", Some(second), true),
        ("fail", None, false),
        ("log", None, false),
    ];
    assert_eq!(ends, expected);
    assert_eq!(
        (logged[2]["body"].as_str(), &logged[2]["body_truncated"]),
        (Some(tail), &false.into()),
        "what was trimmed to the limit is kept whole"
    );
    assert_eq!(logged[2]["exit_status"], 3);
    let agent = logged[0]["user_agent"].as_str().or(logged[0]["agent"].as_str());
    assert!(agent.is_some_and(|agent| agent.starts_with("runitor/")), "{}", logged[0]);
    // `-create`: 201 once, which runitor takes as well.
    let slug = path("slug");
    let key = slug.split('/').nth(2).unwrap();
    for expected in [201, 200] {
        assert_eq!(runitor(&instance, &format!("/ping/{key}/made-by-runitor?create=1&rid={first}"), "").0, expected);
    }
}

#[test]
fn runitor_that_is_refused_succeeds_with_its_first_repetition() {
    let instance = instance("interval: 1h");
    let path = urls(&instance, "job")["uuid"].split_once(&instance.address).unwrap().1.to_owned();
    let held = refuse_for_a_while(&instance);
    let began = Instant::now();
    assert_eq!(runitor(&instance, &path, "").0, 503);
    assert!(began.elapsed() < Duration::from_secs(5), "it waits for five seconds and hears nothing otherwise");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(runitor(&instance, &path, "").0, 200);
    held.join().unwrap();
    assert_eq!(words(&instance, "job"), ["POST success"]);
}

/// Runs borgmatic with the config in `dir`, and borg below it.
fn borgmatic(program: &Path, dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60"]).arg(program).arg("--config").arg(dir.join("borgmatic.yaml")).args(arguments);
    command.env("HOME", dir).env("XDG_RUNTIME_DIR", dir).env("BORG_BASE_DIR", dir).env("no_proxy", "*");
    command.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes").current_dir(dir).stdin(Stdio::null()).output().unwrap()
}

fn write_borgmatic(dir: &Path, url: &str, more: &str) {
    let text = format!(
        "source_directories: [{0}/data]\nrepositories: [{{ path: {0}/repo, label: local }}]\n\
         healthchecks: {{ ping_url: \"{url}\", send_logs: true, ping_body_limit: 9000, states: [start, finish, fail, log] }}\n{more}",
        dir.display()
    );
    fs::write(dir.join("borgmatic.yaml"), text).unwrap();
}

#[test]
fn borgmatic_tells_how_its_backups_went() {
    let (Some(program), Some(_)) = (find_program("borgmatic"), find_program("borg")) else { return };
    let config =
        format!("{API}heartbeats: {{ auto_create: {{ limit: 3 }} }}\nmonitors:\n  - {{ name: job, heartbeat: {{ interval: 1h }} }}\n");
    let instance = Instance::start(&config);
    let urls = urls(&instance, "job");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("data/file"), "worth keeping").unwrap();
    write_borgmatic(dir.path(), &urls["uuid"], "");
    let made = borgmatic(&program, dir.path(), &["repo-create", "--encryption", "none"]);
    assert!(made.status.success(), "{}", common::stderr(&made));
    let made = pings(&instance, "job").len();

    let done = borgmatic(&program, dir.path(), &["--monitoring-verbosity", "2", "create"]);
    assert!(done.status.success(), "{}", common::stderr(&done));
    let logged = pings(&instance, "job").split_off(made);
    let kinds: Vec<_> = logged.iter().map(|ping| ping["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"start"), Some(&"success")), "{kinds:?}");
    let finish = logged.last().unwrap();
    assert!(finish["body"].as_str().is_some_and(|body| body.contains("terminating with success status")), "the log comes along: {finish}");
    assert!(finish["took_ms"].is_number() && finish["method"] == "POST");
    instance.wait_for_verdict("job", "up");

    let before = pings(&instance, "job").len();
    write_borgmatic(dir.path(), &urls["uuid"], "commands: [{ before: action, when: [create], run: [\"echo disk is gone; exit 1\"] }]\n");
    let failed = borgmatic(&program, dir.path(), &["create"]);
    assert!(!failed.status.success(), "{}", common::stdout(&failed));
    let logged = pings(&instance, "job").split_off(before);
    let fail = logged.iter().find(|ping| ping["kind"] == "fail").expect("it tells of the failure");
    assert!(fail["body"].as_str().is_some_and(|body| body.contains("disk is gone")), "{fail}");
    instance.wait_for_verdict("job", "down");

    // With a slug that is not there yet, which borgmatic asks to be created.
    let key = urls["slug"].rsplit('/').nth(1).unwrap();
    let slug = format!("http://{}/ping/{key}/backup-of-web", instance.address);
    write_borgmatic(dir.path(), &slug, "");
    let text = fs::read_to_string(dir.path().join("borgmatic.yaml")).unwrap().replace("states:", "create_slug: true, states:");
    fs::write(dir.path().join("borgmatic.yaml"), text).unwrap();
    let done = borgmatic(&program, dir.path(), &["create"]);
    assert!(done.status.success() && !common::stderr(&done).contains("Healthchecks error"), "{}", common::stderr(&done));
    instance.wait_for_verdict("backup-of-web", "up");
}

/// The alert that always fires, as Prometheus would send it again and again.
fn fire(port: u16) {
    let alert = r#"[{"labels":{"alertname":"Watchdog","severity":"none"},"annotations":{"summary":"always firing"}}]"#;
    let (status, ..) = request(&format!("127.0.0.1:{port}"), "POST", "/api/v2/alerts", &[("content-type", "application/json")], alert);
    assert_eq!(status, 200);
}

#[test]
fn alertmanagers_watchdog_and_what_happens_when_it_stops() {
    let Some(program) = find_program("prometheus-alertmanager") else { return };
    let instance = instance("interval: 6s, grace: 2s, first_ping: optional");
    let url = urls(&instance, "job")["token"].clone();
    let (dir, port) = (tempfile::tempdir().unwrap(), closed_port());
    let config = format!(
        "route: {{ receiver: vigilmon, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1s }}\n\
         receivers: [{{ name: vigilmon, webhook_configs: [{{ url: \"{url}\", send_resolved: false }}] }}]\n"
    );
    fs::write(dir.path().join("alertmanager.yml"), config).unwrap();
    let watchdog = alertmanager(&program, dir.path(), port);
    fire(port);
    let logged = wait_for("three reports", || Some(pings(&instance, "job")).filter(|logged| 3 <= logged.len()));
    assert!(logged.iter().all(|ping| ping["kind"] == "success" && ping["body"].as_str().is_some_and(|body| body.contains("Watchdog"))));
    instance.wait_for_verdict("job", "up");
    drop(watchdog);
    instance.wait_for_verdict("job", "down");
    let incident = json(&instance, "/api/v1/monitors/job")["open_incidents"].clone();
    assert_eq!(incident.as_array().unwrap().len(), 1, "{incident}");
    let _watchdog = alertmanager(&program, dir.path(), port);
    fire(port);
    instance.wait_for_verdict("job", "up");
}
