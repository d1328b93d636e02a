//! `vigilmon exec` as a job sees it: a real command, a monitor that records what it is told, and a terminal that is none.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::PATIENCE;
use common::closed_port;
use common::find_program;
use common::monitor::Monitor;
use common::monitor::OK;
use common::monitor::TOKEN;
use common::stderr;
use common::stdout;
use common::vigilmon;
use common::wait_for;
use rustix::process::Pid;
use rustix::process::Signal;

/// `vigilmon exec` with these options and a command line for the shell.
fn exec(url: &str, options: &[&str], script: &str) -> Command {
    let mut command = bare();
    command.env("VIGILMON_PING_URL", url).args(options).args(["--", "sh", "-c", script]);
    command
}

fn bare() -> Command {
    let mut command = vigilmon();
    for name in ["VIGILMON_PING_URL", "VIGILMON_RUN_ID", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command.arg("exec").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end, and sees to it that the secret was not printed.
#[track_caller]
fn run(mut command: Command) -> Output {
    let begin = Instant::now();
    let output = command.output().unwrap();
    assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
    for text in [stdout(&output), stderr(&output)] {
        assert!(!text.contains(TOKEN), "the secret was printed: {text}");
    }
    output
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn a_run_that_works_is_reported_with_its_output_and_one_run_id() {
    let monitor = Monitor::start(&[OK]);
    let output =
        run(exec(&monitor.url(), &[], "read line; echo \"got $line\"; echo aside >&2; env | grep -e ^VIGILMON_PING -e ^VIGILMON_RUN"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let pings = monitor.pings();
    assert_eq!(monitor.words(), ["start", "0"]);
    let rid = pings[0].rid().unwrap();
    assert_eq!(pings[1].rid(), Some(rid), "one id for all pings of a run");
    assert_eq!((rid.len(), rid.as_bytes()[14]), (36, b'4'), "{rid}");
    assert_eq!(stdout(&output), format!("got \nVIGILMON_RUN_ID={rid}\n"), "the command is told its run, and not the address");
    assert_eq!(stderr(&output), "aside\n", "nothing of our own when all is well");
    assert_eq!(pings[0].body, b"");
    let body = String::from_utf8(pings[1].body.clone()).unwrap();
    assert!(body.contains("got \n") && body.contains("aside\n"), "{body}");
    for ping in &pings {
        assert_eq!((ping.method.as_str(), ping.header("content-type")), ("POST", Some("text/plain")));
        assert!(ping.target.starts_with(&format!("/heartbeat/{TOKEN}/")), "{}", ping.target);
        assert!(ping.header("user-agent").unwrap().starts_with("vigilmon/"));
    }
}

#[test]
fn the_time_a_run_took_is_measured_where_it_ran() {
    let monitor = Monitor::start(&[OK]);
    run(exec(&monitor.url(), &[], "sleep 0.4"));
    let pings = monitor.pings();
    assert_eq!(pings[0].header("vigilmon-run-ms"), None);
    let took: u64 = pings[1].header("vigilmon-run-ms").unwrap().parse().unwrap();
    assert!((400..30_000).contains(&took), "{took}");
}

#[test]
fn the_exit_code_goes_to_the_monitor_and_to_the_caller() {
    for code in ["1", "7", "255"] {
        let monitor = Monitor::start(&[OK]);
        let output = run(exec(&monitor.url(), &[], &format!("echo no; exit {code}")));
        assert_eq!(output.status.code().unwrap().to_string(), code);
        assert_eq!(monitor.words(), ["start", code]);
        assert_eq!(monitor.pings()[1].body, b"no\n");
    }
}

#[test]
fn a_command_that_is_killed_ends_as_in_a_shell() {
    let monitor = Monitor::start(&[OK]);
    let output = run(exec(&monitor.url(), &[], "echo so far; kill -9 $$"));
    assert_eq!(output.status.code(), Some(137));
    assert_eq!(monitor.words(), ["start", "137"]);
    assert_eq!(monitor.pings()[1].body, b"so far\n\nkilled by signal 9 (SIGKILL)\n");
}

#[test]
fn a_command_that_is_not_there_or_cannot_be_executed_fails_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    for (program, code, why) in [
        ("/nowhere/at-all", 127, "no such file or directory"),
        ("surely-no-such-program", 127, "no such file or directory"),
        (plain.to_str().unwrap(), 126, "permission denied"),
        (dir.path().to_str().unwrap(), 126, "permission denied"),
    ] {
        let monitor = Monitor::start(&[OK]);
        let mut command = bare();
        command.args(["--ping", &monitor.url(), program, "--its-own", "option"]);
        let output = run(command);
        assert_eq!(output.status.code(), Some(code), "{program}: {}", stderr(&output));
        assert_eq!(stderr(&output), format!("vigilmon exec: cannot run {program}: {why}\n"));
        assert_eq!(monitor.words(), ["start", "fail"]);
        let pings = monitor.pings();
        assert_eq!(String::from_utf8_lossy(&pings[1].body), format!("cannot run {program}: {why}\n"));
        assert!(pings[0].rid().is_some() && pings[0].rid() == pings[1].rid());
    }
}

/// Starts it and waits until the command says that it listens.
fn started(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, out)
}

/// A script that says when it is ready and then runs until it is told otherwise, in steps so short that a shell hears signals soon.
fn patient(traps: &str) -> String {
    format!("{traps}; echo ready; i=0; while [ $i -lt 1200 ]; do sleep 0.05; i=$((i+1)); done; exit 99")
}

#[track_caller]
fn end_of(mut child: Child) -> Option<i32> {
    wait_for("the end", || child.try_wait().unwrap()).code()
}

#[test]
fn signals_reach_the_command_and_its_answer_counts() {
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ] {
        let monitor = Monitor::start(&[OK]);
        let (child, mut out) = started(exec(&monitor.url(), &[], &patient(&format!("trap 'echo heard {name}; exit 33' {name}"))));
        rustix::process::kill_process(Pid::from_child(&child), signal).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, format!("heard {name}\n"));
        assert_eq!(end_of(child), Some(33));
        assert_eq!(monitor.words(), ["start", "33"], "the end is reported although the signal could have meant us");
    }
}

#[test]
fn a_command_that_dies_of_the_signal_is_reported_as_that() {
    let monitor = Monitor::start(&[OK]);
    let (child, _out) = started(exec(&monitor.url(), &[], &patient(":")));
    rustix::process::kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(end_of(child), Some(143));
    assert_eq!(monitor.words(), ["start", "143"]);
}

#[test]
fn what_was_ignored_before_stays_ignored() {
    let monitor = Monitor::start(&[OK]);
    let inner = exec(&monitor.url(), &[], &patient("trap 'exit 33' TERM"));
    // What nohup does: the shell ignores the signal, and then becomes the program.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.env("VIGILMON_PING_URL", monitor.url()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (child, _out) = started(command);
    let pid = Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    thread::sleep(Duration::from_millis(300));
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(end_of(child), Some(33));
    assert_eq!(monitor.words(), ["start", "33"]);
}

#[test]
fn a_parent_that_ignores_its_children_does_not_hide_the_exit_code() {
    let monitor = Monitor::start(&[OK]);
    let inner = exec(&monitor.url(), &[], "exit 7");
    let mut command = Command::new("env");
    command.arg("--ignore-signal=CHLD").arg(inner.get_program()).args(inner.get_args());
    command.env("VIGILMON_PING_URL", monitor.url()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_eq!(run(command).status.code(), Some(7));
    assert_eq!(monitor.words(), ["start", "7"]);
}

#[test]
fn the_keyboard_interrupts_the_command_once() {
    // Gives the command a terminal and types into it what comes from our pipe.
    let Some(terminal) = find_program("script") else { return };
    let monitor = Monitor::start(&[OK]);
    let script = "trap 'n=$((n+1))' INT; n=0; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.05; i=$((i+1)); done; echo heard $n; exit 9";
    let line = format!("exec {} exec -- sh -c '{}'", env!("CARGO_BIN_EXE_vigilmon"), script.replace('\'', "'\\''"));
    let mut command = Command::new(terminal);
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("VIGILMON_PING_URL", monitor.url()).env("SHELL", "/bin/sh");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("ready") {
        assert_ne!(out.read_line(&mut said).unwrap(), 0, "{said}");
    }
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    out.read_to_string(&mut said).unwrap();
    assert!(said.contains("heard 1"), "{said}");
    assert_eq!(end_of(child), Some(9), "{said}");
    assert_eq!(monitor.words(), ["start", "9"]);
}

#[test]
fn a_monitor_that_is_overloaded_is_asked_again_when_it_says_so() {
    let busy = "HTTP/1.1 503 Busy\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n";
    let monitor = Monitor::start(&[OK, busy, busy, OK]);
    let output = run(exec(&monitor.url(), &[], "true"));
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let pings = monitor.pings();
    assert_eq!(monitor.words(), ["start", "0", "0", "0"]);
    for (before, after) in [(1, 2), (2, 3)] {
        let waited = pings[after].at - pings[before].at;
        assert!(Duration::from_millis(1900) <= waited && waited < Duration::from_secs(20), "{waited:?}");
    }
    assert!(pings.iter().all(|ping| ping.rid() == pings[0].rid()), "tries again are pings of the same run");
}

#[test]
fn only_what_can_get_better_is_tried_again() {
    for (code, n_tries) in [(408, 2), (429, 2), (500, 2), (502, 2), (503, 2), (504, 2), (400, 1), (404, 1), (409, 1), (301, 1)] {
        let no = format!("HTTP/1.1 {code} No\r\nlocation: http://elsewhere.example/{TOKEN}\r\ncontent-length: 0\r\n\r\n");
        let monitor = Monitor::start(&[OK, &no]);
        let output = run(exec(&monitor.url(), &["--retries", "1"], "exit 5"));
        assert_eq!(output.status.code(), Some(5), "{code}");
        assert_eq!(monitor.pings().len(), 1 + n_tries, "{code}");
        let said = stderr(&output);
        let expected = format!("vigilmon exec: not reported to http://{}/…: the end: the answer is {code}", monitor.address);
        assert!(said.starts_with(&expected) && lines(&said).len() == 1, "{said}");
        assert_eq!(said.contains("use an address that begins with http://elsewhere.example/…"), code == 301, "{said}");
    }
}

#[test]
fn a_monitor_that_is_away_or_silent_changes_nothing_but_one_line() {
    let nobody = format!("http://127.0.0.1:{}/heartbeat/{TOKEN}", closed_port());
    let silent = Monitor::start(&[""]);
    for (url, why) in
        [(nobody, "no connection: connection refused (tried 2 times)"), (silent.url(), "no answer within 300 ms (tried 2 times)")]
    {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("ran");
        let output = run(exec(&url, &["--retries", "1", "--timeout", "300ms"], &format!("touch {}; sleep 3; exit 3", mark.display())));
        assert!(mark.exists());
        assert_eq!(output.status.code(), Some(3));
        let said = stderr(&output);
        assert_eq!(lines(&said).len(), 1, "{said}");
        assert!(said.ends_with(&format!("/…: the start: {why}; the end: {why}\n")), "{said}");
    }
}

#[test]
fn the_command_does_not_wait_for_its_monitor_to_hear_of_the_start() {
    let monitor = Monitor::start(&[""]);
    let begin = Instant::now();
    let (child, _out) = started(exec(&monitor.url(), &["--timeout", "50s"], &patient(":")));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let pid = Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    // The first meant the command; whoever says it again later means us, and is not kept waiting for an answer that does not come.
    thread::sleep(Duration::from_millis(1500));
    let mut child = child;
    let ended = wait_for("the end", || {
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        child.try_wait().unwrap()
    });
    assert_eq!(ended.code(), Some(143));
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
}

#[test]
fn a_start_that_could_not_be_reported_is_not_reported_after_the_end() {
    let busy = "HTTP/1.1 503 Busy\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n";
    let monitor = Monitor::start(&[busy, OK]);
    let begin = Instant::now();
    let output = run(exec(&monitor.url(), &[], "sleep 0.5"));
    assert_eq!(monitor.words(), ["start", "0"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "the end of the command ends the wait");
    assert!(stderr(&output).ends_with("/…: the start: the answer is 503\n"), "{}", stderr(&output));
}

#[test]
fn an_address_that_is_none_is_said_and_the_command_runs() {
    for (address, why) in [
        ("", "the ping address is not a URL"),
        (TOKEN, "`--ping` names no heartbeat in"),
        (&format!("ftp://127.0.0.1/{TOKEN}"), "neither http nor https"),
        ("http://127.0.0.1:1/", "has no path"),
    ] {
        let output = run(exec(address, &[], "echo ran; exit 4"));
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(4), "ran\n"));
        let said = stderr(&output);
        assert!(said.starts_with("vigilmon exec: nothing was reported: ") && said.contains(why) && lines(&said).len() == 1, "{said}");
    }
}

#[test]
fn of_a_large_output_the_end_is_sent_and_all_of_it_passed_on_in_little_memory() {
    let monitor = Monitor::start(&[OK]);
    let mut command = exec(
        &monitor.url(),
        &["--tail", "20KiB"],
        "i=0; while [ $i -lt 64 ]; do head -c 1048576 /dev/zero | tr '\\0' x; i=$((i+1)); done; echo the end; sed -n s/VmHWM://p /proc/$PPID/status >&2",
    );
    let output = run(std::mem::replace(&mut command, bare()));
    assert_eq!(output.stdout.len(), (64 << 20) + 8);
    let body = monitor.pings()[1].body.clone();
    assert!(body.len() <= 20 << 10, "{}", body.len());
    // The two outputs are two pipes: the line of the second may come between two pieces of the first.
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("xxx") && text.contains("the end\n"), "{}", &text[text.len().saturating_sub(200)..]);
    let peak: u64 = stderr(&output).split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak < 64 << 10, "{peak} KiB for an output of 64 MiB");
}

#[test]
fn no_more_is_sent_than_the_monitor_keeps() {
    let limited = "HTTP/1.1 200 OK\r\nPing-Body-Limit: 10000\r\ncontent-length: 2\r\n\r\nOK";
    let script = "i=0; while [ $i -lt 2000 ]; do echo line $i of it; i=$((i+1)); done";
    for (options, n_bytes) in [(&[][..], 10_000), (&["--tail", "1MiB"], 10_000), (&["--tail", "100B"], 100), (&["--tail", "0"], 0)] {
        let monitor = Monitor::start(&[limited]);
        let output = run(exec(&monitor.url(), options, script));
        let pings = monitor.pings();
        assert_eq!(pings[1].body.len(), n_bytes, "{options:?}");
        assert!(output.stdout.ends_with(&pings[1].body), "{options:?}");
        assert_eq!(lines(&stdout(&output)).len(), 2000);
    }
    let monitor = Monitor::start(&["HTTP/1.1 200 OK\r\nPing-Body-Limit: many\r\ncontent-length: 2\r\n\r\nOK"]);
    run(exec(&monitor.url(), &[], script));
    assert_eq!(monitor.pings()[1].body.len(), 10_240, "a limit that is no number is none");
}

#[test]
fn a_body_that_is_refused_does_not_cost_the_ping() {
    let monitor = Monitor::start(&[OK, "HTTP/1.1 413 Too large\r\ncontent-length: 0\r\n\r\n", OK]);
    let output = run(exec(&monitor.url(), &["--retries", "0"], "echo hello"));
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert_eq!(monitor.words(), ["start", "0", "0"]);
    assert_eq!(monitor.pings()[2].body, b"");
}

#[test]
fn output_that_is_no_text_passes_unchanged() {
    let monitor = Monitor::start(&[OK]);
    let output = run(exec(&monitor.url(), &[], r"printf '\377\000\200caf\351\n'"));
    assert_eq!(output.stdout, b"\xff\0\x80caf\xe9\n");
    assert_eq!(monitor.pings()[1].body, output.stdout);
}

#[test]
fn both_outputs_keep_their_order_where_they_lead_to_the_same_place() {
    let monitor = Monitor::start(&[OK]);
    let dir = tempfile::tempdir().unwrap();
    let log = fs::File::create(dir.path().join("log")).unwrap();
    let script = "i=0; while [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
    let mut command = exec(&monitor.url(), &[], script);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    assert!(command.status().unwrap().success());
    let expected: String = (0..200).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), expected);
    assert_eq!(monitor.pings()[1].body, expected.as_bytes());
}

#[test]
fn a_reader_that_goes_away_is_noticed_by_the_command() {
    let monitor = Monitor::start(&[OK]);
    let (child, out) = started(exec(&monitor.url(), &[], "echo ready; while echo more; do :; done"));
    drop(out);
    assert_eq!(end_of(child), Some(141), "it ends of SIGPIPE, as it would without us");
    assert_eq!(monitor.words(), ["start", "141"]);
}

#[test]
fn somebody_left_in_the_background_does_not_keep_the_end_from_being_reported() {
    let monitor = Monitor::start(&[OK]);
    let begin = Instant::now();
    let output = run(exec(&monitor.url(), &[], "sleep 61 & echo $!; echo done"));
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    assert_eq!(monitor.words(), ["start", "0"]);
    let text = stdout(&output);
    assert!(text.ends_with("done\n"), "{text}");
    let pid = Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn run_ids_can_be_given_and_left_out() {
    let given = "6F0C2B1E-0d3c-4a4e-9a53-5b1f1f1d2c3b";
    let (rid, in_url) = (format!("--rid={given}"), format!("rid={given}"));
    for (options, query, expected) in [
        (&["--rid"][..], "", None),
        (&[rid.as_str()], "", Some(given.to_lowercase())),
        (&[], &in_url, Some(given.to_owned())),
        (&["--no-rid"], "", Some(String::new())),
    ] {
        let monitor = Monitor::start(&[OK]);
        let output = run(exec(&format!("{}?{query}", monitor.url()), options, "echo ${VIGILMON_RUN_ID-none}"));
        let rids: Vec<_> = monitor.pings().iter().map(|ping| ping.rid().unwrap_or_default().to_owned()).collect();
        assert_eq!(rids[0], rids[1]);
        assert_eq!(rids[0].is_empty(), options == ["--no-rid"], "{options:?}");
        assert_eq!(stdout(&output).trim(), if rids[0].is_empty() { "none" } else { &rids[0] });
        if let Some(expected) = expected {
            assert_eq!(rids[0], expected);
        }
    }
}

#[test]
fn a_heartbeat_of_the_config_is_pinged_by_its_id_or_name() {
    let monitor = Monitor::start(&[OK]);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.yaml");
    let secret = "instance: { secret: 0123456789abcdef0123456789abcdef }";
    let text = format!(
        "{secret}\nserver: {{ public_url: \"http://{}\" }}\nmonitors: [{{ name: Nightly dump, id: dump, heartbeat: {{ interval: 1d, token: {TOKEN}-{TOKEN} }} }}]\n",
        monitor.address
    );
    std::fs::write(&config, text).unwrap();
    for name in ["dump", "Nightly dump"] {
        let mut command = bare();
        command.args(["--ping", name, "--config"]).arg(&config).args(["--", "true"]);
        let output = run(command);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    }
    let targets: Vec<String> = monitor.pings().into_iter().map(|ping| ping.target).collect();
    assert_eq!(targets.len(), 4);
    assert!(targets.iter().all(|target| target.starts_with(&format!("/heartbeat/{TOKEN}-{TOKEN}/"))), "{targets:?}");
    std::fs::write(&config, "monitors: [{ name: x, oops: 1 }]\n").unwrap();
    let mut command = bare();
    command.args(["--ping", "dump", "--config"]).arg(&config).args(["--", "sh", "-c", "exit 3"]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(3), "the job runs whatever becomes of its monitor");
    assert!(stderr(&output).contains("not valid"), "{}", stderr(&output));
}

#[test]
fn every_form_of_address_is_kept_whole() {
    for (path, start) in [
        ("/ping/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278", "/ping/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278/start"),
        ("/ping/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278/", "/ping/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278/start"),
        ("/below/ping/fqOOd6-F4MMNuCEnzTU01w/db-backups?create=1", "/below/ping/fqOOd6-F4MMNuCEnzTU01w/db-backups/start?create=1"),
    ] {
        let monitor = Monitor::start(&["HTTP/1.1 201 Created\r\ncontent-length: 7\r\n\r\nCreated", OK]);
        let mut command = bare();
        command.args(["--ping", &format!("http://{}{path}", monitor.address), "--no-rid", "true"]);
        assert_eq!(run(command).status.code(), Some(0));
        assert_eq!(monitor.pings()[0].target, start);
        assert_eq!(monitor.pings()[1].target, start.replace("/start", "/0"));
    }
}

#[test]
fn wrong_usage_is_said_before_anything_runs() {
    let url = format!("http://127.0.0.1:{}/heartbeat/{TOKEN}", closed_port());
    for (options, expected) in [
        (&["--", "true"][..], "--ping"),
        (&["--ping", &url], "COMMAND"),
        (&["--ping", &url, "--rid=x", "true"], "8-4-4-4-12"),
        (&["--ping", &url, "--rid", "--no-rid", "true"], "--no-rid"),
        (&["--ping", &url, "--tail", "10", "true"], "10KiB"),
        (&["--ping", &url, "--tail", "11MiB", "true"], "more than 10MiB"),
        (&["--ping", &url, "--timeout", "10", "true"], "10s"),
        (&["--ping", &url, "--retries", "99", "true"], "0..=20"),
    ] {
        let mut command = bare();
        command.args(options);
        let output = run(command);
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(stderr(&output).contains(expected), "{options:?}: {}", stderr(&output));
    }
    let mut command = bare();
    command.env("VIGILMON_PING_URL", &url).arg("--help");
    assert!(stdout(&run(command)).contains("VIGILMON_PING_URL"));
}

#[test]
fn it_copies_itself_into_images_that_have_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("vigilmon");
    // Twice: the second time it is there, and may be running.
    for _ in 0..2 {
        let mut command = bare();
        command.args(["--copy-to", copy.to_str().unwrap()]);
        let output = run(command);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    assert_ne!(fs::metadata(&copy).unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    let monitor = Monitor::start(&[OK]);
    let status = Command::new(&copy).args(["exec", "--ping", &monitor.url(), "true"]).stdin(Stdio::null()).status().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
    assert_eq!(monitor.words(), ["start", "0"]);

    let mut command = bare();
    command.args(["--copy-to", "/proc/nowhere/vigilmon"]);
    let output = run(command);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).starts_with("cannot copy this program to /proc/nowhere/vigilmon: "), "{}", stderr(&output));
}

#[test]
fn as_the_first_process_of_a_container_it_buries_orphans() {
    let Some(unshare) = find_program("unshare") else { return };
    let inside = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(&unshare);
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program).args(arguments);
        command.stdin(Stdio::null()).env_remove("VIGILMON_PING_URL");
        command
    };
    if !inside(Path::new("true"), &[]).stderr(Stdio::null()).status().unwrap().success() {
        eprintln!("skipped: no namespaces of processes without root");
        return;
    }
    let monitor = Monitor::start(&[OK]);
    // Each subshell leaves a child to process 1, which has to take note of its end.
    let script = "i=0; while [ $i -lt 50 ]; do (sleep 0.05 &); i=$((i+1)); done; sleep 1; echo first $PPID; grep -h '^State:.*Z' /proc/[0-9]*/status; exit 6";
    let program = vigilmon();
    let arguments = ["exec", "--ping", &monitor.url(), "--", "sh", "-c", script];
    let output = inside(Path::new(program.get_program()), &arguments).output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(6), "first 1\n"), "{}", stderr(&output));
    assert_eq!(monitor.words(), ["start", "6"]);
}
