//! Bugs planted on purpose: each must be found by the simulation, or the simulation is worth nothing.
//!
//! A copy of the source gets every bug of [`BUGS`] at once, each behind a switch, and is compiled once. Then the simulation runs on the
//! copy: with no bug switched on it must find nothing, with each one it must find something. It takes minutes, so that it runs only
//! when `VIGILMON_MUTANTS` is set, as `.ci/run` does; words among the arguments select bugs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "a test")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;

/// A bug: in which file what becomes what, and the mode of the simulation that finds it. `MUTANT` in the new text is the switch.
struct Bug {
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    mode: &'static str,
}

const BUGS: &[Bug] = &[
    Bug {
        name: "a failure does not move the turn",
        file: "src/consensus/delivery.rs",
        right: "self.keys.get(key).and_then(|known| known.failed).map_or(0, |(failed, _)| failed.saturating_add(1))",
        wrong: "if MUTANT { 0 } else { self.keys.get(key).and_then(|known| known.failed).map_or(0, |(failed, _)| failed.saturating_add(1)) }",
        mode: "receiver",
    },
    Bug {
        name: "who follows owes nothing",
        file: "src/engine/core/adopt.rs",
        right: "self.owe(&incident, Owing { event: opened, is_news, from_outage: false }, now, change);",
        wrong: "if !MUTANT { self.owe(&incident, Owing { event: opened, is_news, from_outage: false }, now, change); }",
        mode: "kill",
    },
    Bug {
        name: "a new process takes part at once",
        file: "src/engine/core/cluster.rs",
        right: "has_heard && (all_probed || PROBED_MAX <= waited)",
        wrong: "MUTANT || has_heard && (all_probed || PROBED_MAX <= waited)",
        mode: "wipe",
    },
    Bug {
        name: "what is closed opens again under its old number",
        file: "src/consensus/merge.rs",
        right: "let (newer, older) = if a.epoch < b.epoch { (b, a) } else { (a, b) };",
        wrong: "let (newer, older) = if MUTANT != (a.epoch < b.epoch) { (b, a) } else { (a, b) };",
        mode: "crash",
    },
    Bug {
        name: "the earlier end is told",
        file: "src/consensus/merge.rs",
        right: "(Some(one), Some(other)) => Some(if (one.at, one.how.word()) < (other.at, other.how.word()) { other } else { one }),",
        wrong: "(Some(one), Some(other)) => Some(if MUTANT || (one.at, one.how.word()) < (other.at, other.how.word()) { other } else { one }),",
        mode: "crash",
    },
    Bug {
        name: "who is blind says what he sees",
        file: "src/engine/core/guard.rs",
        right: "} else if !self.guard.uplink.has_evidence_since(observed.began) {",
        wrong: "} else if !MUTANT && !self.guard.uplink.has_evidence_since(observed.began) {",
        mode: "uplink",
    },
    Bug {
        name: "what an earlier run of this node said is ignored",
        file: "src/peer/gossip.rs",
        right: "            if !is_fact {",
        wrong: "            if MUTANT || !is_fact {",
        mode: "wipe",
    },
    Bug {
        name: "half is a majority",
        file: "src/consensus/decide.rs",
        right: "Quorum::Majority => n / 2 + 1,",
        wrong: "Quorum::Majority => if MUTANT { n / 2 } else { n / 2 + 1 },",
        mode: "clean",
    },
    Bug {
        name: "one region is enough",
        file: "src/consensus/decide.rs",
        right: "if n == 0 || n < rule.n_regions_min {",
        wrong: "if n == 0 || (!MUTANT && n < rule.n_regions_min) {",
        mode: "crash",
    },
    Bug {
        name: "epochs begin anew with a restart",
        file: "src/engine/core/reload.rs",
        right: "regional: known.regional,",
        wrong: "regional: if MUTANT { Default::default() } else { known.regional },",
        mode: "wipe",
    },
    Bug {
        name: "the older pings win",
        file: "src/consensus/merge.rs",
        right: "pings.drain(..pings.len().saturating_sub(PINGS_TOLD_MAX));",
        wrong: "if MUTANT { pings.truncate(1) } else { pings.drain(..pings.len().saturating_sub(PINGS_TOLD_MAX)); }",
        mode: "clean",
    },
    Bug {
        name: "what came late is taken for what was said late",
        file: "src/engine/core/cluster.rs",
        right: "Some(*number) == seen).map(|(_, at)| *at);",
        wrong: "Some(*number) == seen).map(|(_, at)| if MUTANT { now } else { *at });",
        mode: "latency",
    },
    Bug {
        name: "clocks are believed",
        file: "src/engine/core/cluster.rs",
        right: "let offset = self.clock_offset().filter(",
        wrong: "let offset = self.clock_offset().filter(|_| !MUTANT).filter(",
        mode: "clock",
    },
    Bug {
        name: "who finds an end first takes back what was said",
        file: "src/engine/core/adopt.rs",
        right: "if self.is_ahead(fact) {",
        wrong: "if !MUTANT && self.is_ahead(fact) {",
        mode: "alerts",
    },
    Bug {
        name: "nobody acts in time",
        file: "src/consensus/turn.rs",
        right: "(true, _) => (STABLE_FOR, Confidence::Full),",
        wrong: "(true, _) => (if MUTANT { Duration::from_secs(300) } else { STABLE_FOR }, Confidence::Full),",
        mode: "clean",
    },
];

/// Seeds within which a bug must show.
const N_SEEDS: u32 = 200;

/// Seeds of each mode in which the copy without a bug must show nothing.
const N_SEEDS_WITHOUT: u32 = 10;

/// The switch, as it is added to the copy.
const SWITCH: &str = "
/// Bugs planted on purpose; see `tests/mutants`.
pub mod mutant {
    /// Whether this one is switched on.
    #[must_use]
    pub fn is(number: usize) -> bool {
        static NUMBER: std::sync::OnceLock<Option<usize>> = std::sync::OnceLock::new();
        *NUMBER.get_or_init(|| std::env::var(\"VIGILMON_MUTANT\").ok()?.parse().ok()) == Some(number)
    }
}
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let bugs: Vec<(usize, &Bug)> =
        BUGS.iter().enumerate().filter(|(_, bug)| words.is_empty() || words.iter().any(|word| bug.name.contains(word.as_str()))).collect();
    println!("\nrunning {} tests", bugs.len());
    // That each still has its place is seen at once.
    let planted = copy();
    if std::env::var_os("VIGILMON_MUTANTS").is_none() {
        println!("ignored: planted bugs are looked for when VIGILMON_MUTANTS is set, which takes some minutes");
        println!("\ntest result: ok. 0 passed; 0 failed; {} ignored; 0 measured; 0 filtered out", bugs.len());
        return ExitCode::SUCCESS;
    }
    let simulation = compile(&planted);
    let mut n_failed = 0;
    if !finds_nothing(&simulation, None, "", N_SEEDS_WITHOUT) {
        println!("test without a bug ... FAILED");
        n_failed += 1;
    }
    for (number, bug) in &bugs {
        let is_found = !finds_nothing(&simulation, Some(*number), bug.mode, N_SEEDS);
        println!("test {} ({}) ... {}", bug.name, bug.mode, if is_found { "ok" } else { "FAILED: it was not found" });
        n_failed += usize::from(!is_found);
    }
    let verdict = if n_failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {n_failed} failed; 0 ignored; 0 measured; 0 filtered out",
        bugs.len().saturating_sub(n_failed)
    );
    if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A copy of the source with all bugs in it.
fn copy() -> PathBuf {
    let (from, to) = (Path::new(env!("CARGO_MANIFEST_DIR")), Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants"));
    let _ = fs::remove_dir_all(&to);
    for part in ["src", "tests", "benches", "ui", "docs", "packaging"] {
        copy_dir(&from.join(part), &to.join(part));
    }
    // Below the original its settings hold anyway; twice they would be others, and all dependencies would be compiled again.
    if !to.starts_with(from) {
        copy_dir(&from.join(".cargo"), &to.join(".cargo"));
    }
    for file in ["Cargo.toml", "Cargo.lock", "build.rs", "config.example.yaml"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    for (number, bug) in BUGS.iter().enumerate() {
        let path = to.join(bug.file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(bug.right).count(), 1, "`{}` is not once in {}: the bug has to be planted anew", bug.right, bug.file);
        let wrong = bug.wrong.replace("MUTANT", &format!("crate::mutant::is({number})"));
        fs::write(&path, text.replace(bug.right, &wrong)).unwrap();
    }
    let lib = to.join("src/lib.rs");
    let text = fs::read_to_string(&lib).unwrap();
    fs::write(&lib, text + SWITCH).unwrap();
    to
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Compiles the copy's simulation beside the original's dependencies; returns the program.
fn compile(copy: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().and_then(Path::parent).unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(copy)
        .args([
            "test",
            "--locked",
            "--profile",
            "simulation",
            "--test",
            "simulation",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(output.status.success(), "the copy does not compile:\n{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    let program = said.lines().filter_map(|line| line.split_once("\"executable\":\"")).next_back();
    PathBuf::from(program.and_then(|(_, rest)| rest.split('"').next()).expect("cargo names the program"))
}

/// Whether the simulation finds nothing to complain of.
fn finds_nothing(simulation: &Path, bug: Option<usize>, mode: &str, n_seeds: u32) -> bool {
    let mut command = Command::new(simulation);
    command.args(Some(mode).filter(|mode| !mode.is_empty()).iter()).env("VIGILMON_SIM_SEEDS", n_seeds.to_string());
    command.env_remove("VIGILMON_MUTANT").env("VIGILMON_SIM_STOP", "1");
    if let Some(number) = bug {
        command.env("VIGILMON_MUTANT", number.to_string());
    }
    let output = command.output().unwrap();
    if bug.is_none() && !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stdout));
    }
    output.status.success()
}
