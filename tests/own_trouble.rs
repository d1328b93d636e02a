//! What a real instance says about itself: to the dead man's switch, to `self.channels`, and to whoever looks at the dashboard.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use common::Answer;
use common::Instance;
use common::Server;
use common::find_program;
use common::stderr;
use common::stdout;
use common::wait_for;
use common::write_config;

/// Long enough for everything that would come at once, and for two looks at what stands still.
const QUIET: Duration = Duration::from_secs(12);

fn config(target: &Server, sink: &Server, own: &str) -> String {
    format!(
        "monitors: [{{ name: m, http: \"{}\", interval: 1s, timeout: 1s }}]
channels: [{{ name: ops, webhook: {{ url: \"{}\" }} }}]
self: {{ channels: [ops]{own} }}
",
        target.url("/"),
        sink.url("/hook")
    )
}

fn titles(sink: &Server) -> Vec<String> {
    let own = sink.asked().into_iter().map(|asked| asked.json()).filter(|body| body["event"] == "self");
    own.map(|body| body["cause"].as_str().unwrap().to_owned()).collect()
}

fn fine() -> Server {
    Server::start(Answer::Status(200, "ok"))
}

#[test]
fn the_dead_mans_switch_is_called_while_everything_moves_and_not_while_the_database_stands_still() {
    let (target, sink, switch) = (fine(), fine(), fine());
    let with = |path: &str| config(&target, &sink, &format!(", heartbeat_url: \"{}\"", switch.url(path)));
    let instance = Instance::start(&with("/canary-one"));
    let call = switch.wait_for(1)[0].clone();
    assert!(call.head.starts_with("GET /canary-one HTTP/1.1\r\n"), "{}", call.head);
    assert!(call.header("user-agent").is_some_and(|agent| agent.starts_with("vigilmon/")), "{}", call.head);

    // Another program holds the database, as a backup that hangs does.
    let database = fs::read_dir(instance.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let database = database.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).unwrap();
    let other = rusqlite::Connection::open(database).unwrap();
    wait_for("the lock", || other.execute_batch("BEGIN IMMEDIATE").ok());
    // A change of the address takes effect at once, and so does the look at whether anything stands still.
    instance.write_config(&with("/canary-two"));
    wait_for("the call to be left out", || {
        instance.log().contains("`self.heartbeat_url` is not called for now: the database takes no writes").then_some(())
    });
    thread::sleep(QUIET);
    assert_eq!(switch.asked().len(), 1, "nothing is called while the database stands still");
    assert_eq!(instance.log().matches("is not called for now").count(), 1, "{}", instance.log());

    other.execute_batch("ROLLBACK").unwrap();
    let asked = switch.wait_for(2);
    assert_eq!(asked[1].path, "/canary-two");
    assert!(instance.log().contains("everything moves"), "{}", instance.log());

    // An answer that is no acceptance is said once; the address never is.
    switch.set(Answer::Status(503, "no"));
    instance.write_config(&with("/canary-three"));
    wait_for("the refusal", || instance.log().contains("did not take the call: it answered 503").then_some(()));
    let plan = instance.run(&["plan"]);
    instance.write_config(&with("/canary four ftp://"));
    let validated = instance.run(&["validate"]);
    let said = [instance.log(), stdout(&plan), stderr(&plan), stdout(&validated), stderr(&validated)].concat();
    assert!(!said.contains("canary"), "{said}");
    assert!(!instance.status().to_string().contains("canary"));
}

#[test]
fn without_an_address_nothing_is_called_and_a_reload_changes_that() {
    let (target, sink, switch) = (fine(), fine(), fine());
    let mut instance = Instance::start(&config(&target, &sink, ""));
    instance.wait_for_verdict("m", "up");
    instance.write_config(&config(&target, &sink, &format!(", heartbeat_url: \"{}\"", switch.url("/one"))));
    switch.wait_for(1);
    wait_for("the change in words", || instance.log().contains("settings: self.heartbeat_url").then_some(()));
    instance.write_config(&config(&target, &sink, ""));
    wait_for("the change back", || (instance.log().matches("settings: self.heartbeat_url").count() == 2).then_some(()));
    assert_eq!(switch.asked().len(), 1);
    assert_eq!(instance.stop(), Some(0));
}

#[test]
fn a_bad_config_is_told_once_and_so_is_its_end_also_when_the_program_was_restarted_in_between() {
    let (target, sink) = (fine(), fine());
    let good = config(&target, &sink, "");
    let mut instance = Instance::start(&good);
    instance.wait_for_verdict("m", "up");
    instance.write_config(&format!("{good}monitor: []\n"));
    sink.wait_for(1);
    wait_for("the note that it was sent", || instance.log().contains("accepted by channel `ops`").then_some(()));
    instance.write_config(&format!("{good}monitor: [1]\nmore: 2\n"));
    wait_for("the other mistake", || instance.log().contains("there is no key `more`").then_some(()));
    instance.kill_and_restart();
    wait_for("the banner of the log", || instance.log().contains("THE CONFIG IS NOT VALID").then_some(()));
    instance.wait_for_verdict("m", "up");
    instance.write_config(&good);
    wait_for("the end", || (titles(&sink).len() == 2).then_some(()));
    assert_eq!(titles(&sink), ["the config on disk is not valid", "the config on disk is valid again (local)"]);
    let last = sink.asked().pop().unwrap().json();
    assert!(last["evidence"].as_str().unwrap().starts_with("It was not for "), "{last}");
    // What was sent and not noted yet when the program is killed comes again, under the same key; that is another story.
    wait_for("the note that it was sent", || instance.log().contains("accepted by channel `ops`").then_some(()));
    instance.kill_and_restart();
    instance.wait_for_verdict("m", "up");
    assert_eq!(titles(&sink).len(), 2);
}

/// A disk of 64 MiB of its own, below the state directory of one instance.
fn start_on_a_small_disk(dir: &Path, sink: &Server, target: &Server) -> Option<Child> {
    let unshare = find_program("unshare")?;
    write_config(dir, &config(target, sink, ""));
    fs::create_dir(dir.join("state")).unwrap();
    let script = "mount -t tmpfs -o size=64m,mode=700 tmpfs state && exec \"$0\" run";
    let mut command = Command::new(unshare);
    command.current_dir(dir).args(["--user", "--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_vigilmon")]);
    let mut child = command.env("VIGILMON_LOG", "info").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines.by_ref().map_while(Result::ok).any(|line| line.contains("is watching"));
    // What it says later goes nowhere, and must not stop it.
    thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    if !begun {
        assert!(std::env::var_os("CI").is_none(), "user namespaces are required in CI");
        eprintln!("skipped: no mount in a namespace of one's own here");
        child.wait().unwrap();
        return None;
    }
    Some(child)
}

#[test]
fn a_disk_that_fills_up_is_told_before_it_is_full_and_when_it_has_room_again() {
    let (target, sink, dir) = (fine(), fine(), tempfile::tempdir().unwrap());
    let Some(mut child) = start_on_a_small_disk(dir.path(), &sink, &target) else { return };
    // The instance sees a disk that nobody else does; the way to it leads through the instance.
    let filler =
        Path::new("/proc").join(child.id().to_string()).join("root").join(dir.path().strip_prefix("/").unwrap()).join("state/filler");
    let free = rustix::fs::statvfs(filler.parent().unwrap()).unwrap();
    let bytes = usize::try_from((free.f_bavail * free.f_frsize).saturating_sub(8 << 20)).unwrap();
    assert!((16 << 20..64 << 20).contains(&bytes), "{bytes}");
    fs::write(&filler, vec![1; bytes]).unwrap();
    sink.wait_for(1);
    fs::remove_file(&filler).unwrap();
    sink.wait_for(2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(titles(&sink), ["the disk is nearly full (local)", "the disk has room again (local)"]);
    let first = sink.asked()[0].json();
    let said = first["evidence"].as_str().unwrap();
    assert!(said.contains(" MiB of 64 MiB are free, ") && said.contains("on the disk with the state directory "), "{said}");
}
