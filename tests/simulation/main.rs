//! The product's own consensus, gossip, links, outbox and engine, on a simulated network, in virtual time, with chance and time under the
//! seed's control: whole clusters live through minutes of trouble in a second, and the same seed is the same story again.
//!
//! Each world is a process of its own, because chance is one for each process. Run without arguments, this program runs every mode with
//! many seeds, as many processes at once as there are cores:
//!
//! | variable | meaning |
//! |---|---|
//! | `VIGILMON_SIM_SEED` | `mode:seed`, one world, with its whole trace |
//! | `VIGILMON_SIM_SEEDS` | how many seeds of each mode; `.ci/run` asks for 200, with a little optimisation; 1 by default |
//! | `VIGILMON_SIM_STOP` | stop a mode with its first failure |
//!
//! Arguments that are words select modes, as with other tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    missing_docs,
    reason = "a test"
)]

mod dice;
mod disk;
mod invariants;
mod node;
mod run;
mod script;
mod world;

use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;

use crate::script::Mode;

const SEED: &str = "VIGILMON_SIM_SEED";
const SEEDS: &str = "VIGILMON_SIM_SEEDS";
const STOP: &str = "VIGILMON_SIM_STOP";

/// Seeds of each mode: without optimisation each takes seconds.
const N_SEEDS: u64 = 1;

/// Of each mode the first seeds run twice: the same seed must be the same story.
const N_TWICE: u64 = 3;

/// Failures that are shown in full.
const SHOWN_MAX: usize = 3;

fn main() -> ExitCode {
    if let Ok(world) = std::env::var(SEED) {
        return one_world(&world);
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if std::env::args().any(|word| word == "--list") {
        Mode::ALL.iter().for_each(|mode| println!("{}: test", mode.word()));
        return ExitCode::SUCCESS;
    }
    let modes: Vec<Mode> =
        Mode::ALL.into_iter().filter(|mode| words.is_empty() || words.iter().any(|word| mode.word().contains(word))).collect();
    all_worlds(&modes)
}

fn one_world(world: &str) -> ExitCode {
    let parsed = world.split_once(':').and_then(|(mode, seed)| {
        let mode = Mode::ALL.into_iter().find(|known| known.word() == mode)?;
        Some((mode, seed.parse::<u64>().ok()?))
    });
    let Some((mode, seed)) = parsed else {
        eprintln!("{SEED} is `mode:seed`, such as `crash:17`; the modes are {}", Mode::ALL.map(Mode::word).join(", "));
        return ExitCode::from(2);
    };
    let outcome = run::run(mode, seed);
    print!("{}", outcome.trace);
    outcome.broken.iter().for_each(|broken| println!("BROKEN {broken}"));
    if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How one process ended.
struct Ended {
    is_fine: bool,
    said: String,
}

fn child(mode: Mode, seed: u64) -> Ended {
    let exe = std::env::current_exe().expect("this program has a path");
    let output = Command::new(exe).env(SEED, format!("{}:{seed}", mode.word())).output().expect("this program can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ended { is_fine: output.status.success(), said }
}

fn all_worlds(modes: &[Mode]) -> ExitCode {
    let n_seeds: u64 = std::env::var(SEEDS).ok().and_then(|text| text.parse().ok()).unwrap_or(N_SEEDS);
    let stops = std::env::var_os(STOP).is_some();
    let n_threads = thread::available_parallelism().map_or(2, usize::from);
    println!("\nrunning {} tests of {n_seeds} worlds each", modes.len());
    let mut n_failed = 0;
    for mode in modes {
        let next = Arc::new(AtomicU64::new(0));
        let failed: Arc<Mutex<Vec<(u64, String)>>> = Arc::default();
        let workers: Vec<_> = (0..n_threads)
            .map(|_| {
                let (next, failed, mode) = (Arc::clone(&next), Arc::clone(&failed), *mode);
                thread::spawn(move || {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        let is_over = stops && !failed.lock().unwrap().is_empty();
                        if n_seeds <= seed || is_over {
                            return;
                        }
                        if let Some(why) = try_world(mode, seed) {
                            failed.lock().unwrap().push((seed, why));
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().expect("workers do not panic"));
        let mut failed = std::mem::take(&mut *failed.lock().unwrap());
        failed.sort();
        println!(
            "test {} ... {}",
            mode.word(),
            if failed.is_empty() { "ok".to_owned() } else { format!("FAILED ({} of {n_seeds})", failed.len()) }
        );
        for (seed, why) in failed.iter().take(SHOWN_MAX) {
            println!("--- {}:{seed}\n{why}\nagain: {SEED}={}:{seed} cargo test --test simulation\n", mode.word(), mode.word());
        }
        n_failed += usize::from(!failed.is_empty());
    }
    let verdict = if n_failed == 0 { "ok" } else { "FAILED" };
    let n_passed = modes.len() - n_failed;
    println!("\ntest result: {verdict}. {n_passed} passed; {n_failed} failed; 0 ignored; 0 measured; 0 filtered out");
    if n_failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is wrong with a world, if anything.
fn try_world(mode: Mode, seed: u64) -> Option<String> {
    let ended = child(mode, seed);
    if !ended.is_fine {
        let broken: Vec<&str> = ended.said.lines().filter(|line| line.starts_with("BROKEN")).collect();
        let tail: Vec<&str> = ended.said.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Some(if broken.is_empty() { tail.join("\n") } else { broken.join("\n") });
    }
    if seed < N_TWICE && child(mode, seed).said != ended.said {
        return Some("the same seed was another story the second time".to_owned());
    }
    None
}
