//! `vigilmon demo`, as people start it: the whole story, and nothing left behind however it ends.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::stdout;
use common::vigilmon;
use common::wait_for;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;

/// The story takes a minute; its own waits end it long before this.
const STORY_WITHIN: Duration = Duration::from_secs(300);

#[test]
fn the_story_is_told_as_it_should_be() {
    let dir = tempfile::tempdir().unwrap();
    let child =
        vigilmon().args(["demo", "--once"]).env("TMPDIR", dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let begin = Instant::now();
    let ended = thread::spawn(move || child.wait_with_output().unwrap());
    while !ended.is_finished() {
        if STORY_WITHIN < begin.elapsed() {
            kill_process(pid, Signal::KILL).unwrap();
        }
        thread::sleep(Duration::from_millis(100));
    }
    let output = ended.join().unwrap();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", common::stderr(&output));
    assert_eq!(text.matches(": down\n").count(), 1, "exactly one alert\n{text}");
    assert_eq!(text.matches(": recovered\n").count(), 1, "exactly one recovery\n{text}");
    assert_eq!(text.matches(": regional\n").count(), 1, "{text}");
    for expected in ["eu-west: up, regional", "started ", "/status/shop", "/sign-in/link/", "As it should be."] {
        assert!(text.contains(expected), "`{expected}` is missing\n{text}");
    }
    let widest = text.lines().filter(|line| !line.contains("http")).map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}\n{text}");
    assert!(!text.contains('\u{1b}'), "NO_COLOR is set");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the temporary directory is gone");
}

/// Three ports in a row on which nothing listens now.
fn ports() -> u16 {
    wait_for("three free ports in a row", || {
        let base = common::closed_port();
        let held: Vec<_> = (0..3).filter_map(|i| TcpListener::bind(("127.0.0.1", base.checked_add(i)?)).ok()).collect();
        (held.len() == 3).then_some(base)
    })
}

fn are_open(base: u16) -> usize {
    (0..3).filter(|i| TcpStream::connect(("127.0.0.1", base + i)).is_ok()).count()
}

/// A demo whose three instances answer.
fn begun(dir: &Path) -> (Child, u16) {
    let base = ports();
    let mut command = vigilmon();
    command.args(["demo", "--port", &base.to_string()]).env("TMPDIR", dir).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    wait_for("three instances", || (are_open(base) == 3).then_some(()));
    (child, base)
}

#[test]
fn told_to_stop_it_ends_everything_and_cleans_up() {
    for signal in [Signal::TERM, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let (mut child, base) = begun(dir.path());
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal:?}");
        assert_eq!(are_open(base), 0, "{signal:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the temporary directory is gone");
    }
}

#[test]
fn killed_without_warning_it_takes_its_instances_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, base) = begun(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the instances to end", || (are_open(base) == 0).then_some(()));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().min(65533).to_string();
    let output = common::run(dir.path(), &["demo", "--once", "--port", &port]);
    assert_eq!(output.status.code(), Some(3));
    assert!(common::stderr(&output).contains(&format!("cannot listen on 127.0.0.1:{port}")), "{}", common::stderr(&output));
}
