//! Tells the program which commit and target it was built from. Without git it is built from a release, whose version says enough.

use std::path::Path;
use std::process::Command;

fn main() {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "release".to_owned());
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=VIGILMON_COMMIT={commit}");
    println!("cargo::rustc-env=VIGILMON_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
    for watched in [".git/HEAD", ".git/refs/heads"] {
        // A path that does not exist would make cargo build everything again each time.
        if Path::new(watched).exists() {
            println!("cargo::rerun-if-changed={watched}");
        }
    }
}
