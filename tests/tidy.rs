//! House rules that a machine can check: floors, purity, comments on modules, nothing left over.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Lowest floor first; siblings on one floor may not use each other.
const FLOORS: &[&[&str]] = &[
    &["model"],
    &["clock", "supervise"],
    &["config", "rules", "consensus", "probe", "store"],
    &["engine"],
    &["ui", "notifier", "peer"],
    &["http"],
    &["app"],
    &["cli"],
];

/// Modules, and single files by their path below `src`, that decide and therefore touch nothing.
const PURE: &[&str] = &[
    "model/",
    "config/",
    "rules/",
    "consensus/",
    "engine/core",
    "engine/event.rs",
    "engine/snapshot.rs",
    "store/subscriber/merge.rs",
    "ui/",
];

/// The one file of a pure module that may touch something.
const PURE_EXCEPT: &[&str] = &["ui/assets.rs"];

const OUTSIDE: &[&str] =
    &["tokio::", "rusqlite::", "reqwest::", "hyper::", "std::fs", "std::env", "::now(", "crate::clock", "crate::supervise"];

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|prefix| path.starts_with(prefix)) && !PURE_EXCEPT.contains(&path)
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let module = path.split(['/', '.']).next().unwrap_or_default();
    if matches!(module, "main" | "lib") {
        return Vec::new();
    }
    let Some(mine) = floor_of(module) else { return vec![format!("{path}: module `{module}` has no floor")] };
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let mut report = |what: String| found.push(format!("{path}:{}: {what}", i + 1));
        for hiding in ["crate::{", "super::super::"] {
            if line.contains(hiding) {
                report(format!("write `{hiding}` out as `crate::module::Item`"));
            }
        }
        if is_pure(path) {
            for word in OUTSIDE.iter().filter(|word| line.contains(**word)) {
                report(format!("this file is pure and must not say `{word}`"));
            }
        }
        for (at, prefix) in line.match_indices("crate::") {
            let used: String = line[at + prefix.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if used != module && floor_of(&used).is_some_and(|theirs| mine <= theirs) {
                report(format!("`{module}` must not use `{used}`"));
            }
        }
    }
    found
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let name = file.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
            (name, fs::read_to_string(&file).expect("source is text"))
        })
        .collect()
}

#[track_caller]
fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn uses_go_down_only_and_pure_files_touch_nothing() {
    assert_none(&sources().iter().flat_map(|(path, text)| violations(path, text)).collect::<Vec<_>>());
}

#[test]
fn the_check_itself_bites() {
    assert_eq!(violations("model/x.rs", "use crate::store::Store;"), ["model/x.rs:1: `model` must not use `store`"]);
    assert_eq!(violations("store/x.rs", "use crate::probe::run;"), ["store/x.rs:1: `store` must not use `probe`"]);
    assert_eq!(violations("rules/x.rs", "let t = Instant::now();"), ["rules/x.rs:1: this file is pure and must not say `::now(`"]);
    assert_eq!(violations("engine/core.rs", "tokio::time::sleep(x)").len(), 1);
    assert!(violations("engine/shell.rs", "use crate::clock::Clock;").is_empty());
    assert_eq!(violations("new/x.rs", ""), ["new/x.rs: module `new` has no floor"]);
}

#[test]
fn every_module_says_why_it_exists() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| !text.trim_start().starts_with("//!") && !path.ends_with("tests.rs"))
        .map(|(path, _)| format!("{path}: begin with `//!`: why it exists, what it does not do"))
        .collect();
    assert_none(&silent);
}

#[test]
fn nothing_is_left_over() {
    // Written in two parts so that this file does not find itself.
    let marks = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("dbg", "!("), concat!("todo", "!("), concat!("unimpl", "emented!(")];
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (i, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                found.push(format!("{path}:{}: `{mark}` is left over", i + 1));
            }
        }
    }
    assert_none(&found);
}

fn top(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file of the project")
}

#[test]
fn every_dependency_has_its_reason() {
    let (cargo, page) = (top("Cargo.toml"), top("ARCHITECTURE.md"));
    let table = page.split("## Dependencies").nth(1).expect("the section");
    let sections = ["[dependencies]", "[dev-dependencies]"];
    let names = sections.iter().flat_map(|section| {
        let rest = cargo.split(section).nth(1).expect("the section").trim_start_matches('\n');
        rest.lines().take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim())
    });
    let missing: Vec<String> = names
        .filter(|name| {
            !table.lines().any(|line| line.split('|').nth(1).is_some_and(|cell| cell.split([',', ' ']).any(|word| word == *name)))
        })
        .map(|name| format!("`{name}` is not in the table of ARCHITECTURE.md: what for, and why this one?"))
        .collect();
    assert_none(&missing);
}

const CHANNELS: [&str; 27] = [
    "webhook",
    "slack",
    "discord",
    "teams",
    "mattermost",
    "rocketchat",
    "googlechat",
    "telegram",
    "matrix",
    "zulip",
    "ntfy",
    "gotify",
    "pushover",
    "pushbullet",
    "signal",
    "twilio",
    "home_assistant",
    "pagerduty",
    "opsgenie",
    "incident_io",
    "grafana_oncall",
    "alertmanager",
    "github",
    "gitlab",
    "apprise",
    "email",
    "command",
];

#[test]
fn every_kind_is_in_the_manual_and_has_its_file() {
    let manual = top("docs/configuration.md");
    let mut missing = Vec::new();
    for (kinds, folder) in [(&["http", "tcp"][..], "probe"), (&CHANNELS[..], "notifier")] {
        for kind in kinds {
            if !manual.contains(&format!("`{kind}`")) {
                missing.push(format!("`{kind}` is not in the manual"));
            }
            let has_file =
                sources().iter().any(|(path, _)| *path == format!("{folder}/{kind}.rs") || *path == format!("{folder}/{kind}/mod.rs"));
            if !has_file {
                missing.push(format!("`{kind}` has no file of its own under `{folder}`"));
            }
        }
    }
    assert_none(&missing);
}
