//! `vigilmon service install|uninstall|status`: the systemd service of this machine.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::app::surroundings::plain;
use crate::cli::Exit;
use crate::cli::args::ServiceAction;
use crate::cli::args::ServiceOptions;
use crate::cli::output;

/// The shipped unit; packages install the same file.
const UNIT: &str = include_str!("../../packaging/vigilmon.service");

const UNIT_PATH: &str = "etc/systemd/system/vigilmon.service";
const BINARY_PATH: &str = "usr/bin/vigilmon";
const CONFIG_PATH: &str = "etc/vigilmon/config.yaml";

pub(super) fn run(options: &ServiceOptions) -> Exit {
    let outcome = match &options.action {
        ServiceAction::Install { root } => install(&Place::at(root.clone())),
        ServiceAction::Uninstall { root } => uninstall(&Place::at(root.clone())),
        ServiceAction::Status { root } => return status(&Place::at(root.clone())),
    };
    match outcome {
        Ok(()) => Exit::Fine,
        Err(error) => {
            output::say(&error);
            Exit::Failed
        }
    }
}

/// Where to install; with another root nothing is started.
struct Place {
    root: PathBuf,
    is_live: bool,
}

impl Place {
    fn at(root: Option<PathBuf>) -> Place {
        let is_live = root.is_none();
        Place { root: root.unwrap_or_else(|| PathBuf::from("/")), is_live }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }
}

fn install(place: &Place) -> Result<(), String> {
    let here = std::env::current_exe().map_err(|error| format!("cannot find this program: {}", plain(&error)))?;
    let binary = place.path(BINARY_PATH);
    if fs::canonicalize(&binary).ok() != fs::canonicalize(&here).ok() {
        let bytes = fs::read(&here).map_err(|error| cannot("read", &here, &error))?;
        put(&binary, &bytes, 0o755)?;
    }
    put(&place.path(UNIT_PATH), UNIT.as_bytes(), 0o644)?;
    let config = place.path(CONFIG_PATH);
    if config.exists() {
        output::say(&format!("{} is kept as it is", config.display()));
    } else {
        put(&config, crate::config::starter_config().as_bytes(), 0o644)?;
    }
    if place.is_live {
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", "--now", "vigilmon.service"])?;
        output::say(
            "vigilmon is running; `vigilmon sign-in-link --state-dir /var/lib/vigilmon` opens the dashboard, `journalctl -u vigilmon` shows the log",
        );
    }
    Ok(())
}

fn uninstall(place: &Place) -> Result<(), String> {
    let unit = place.path(UNIT_PATH);
    if !unit.exists() {
        return Err(format!("{} does not exist: the service is not installed", unit.display()));
    }
    if place.is_live {
        systemctl(&["disable", "--now", "vigilmon.service"])?;
    }
    fs::remove_file(&unit).map_err(|error| cannot("remove", &unit, &error))?;
    output::data(&format!("removed {}\n", unit.display()));
    if place.is_live {
        systemctl(&["daemon-reload"])?;
    }
    output::say("kept: /etc/vigilmon, /var/lib/vigilmon and /usr/bin/vigilmon");
    Ok(())
}

fn status(place: &Place) -> Exit {
    let unit = place.path(UNIT_PATH);
    let Ok(installed) = fs::read_to_string(&unit) else {
        output::data("not installed\n");
        return Exit::No;
    };
    let age = if installed == UNIT { "" } else { " (another version of the unit than this program ships)" };
    output::data(&format!("installed: {}{age}\n", unit.display()));
    if !place.is_live {
        return Exit::Fine;
    }
    let asked = Command::new("systemctl").args(["is-active", "vigilmon.service"]).output();
    let word = asked
        .map_or_else(|error| format!("unknown ({})", plain(&error)), |answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
    output::data(&format!("state: {word}\n"));
    if word == "active" { Exit::Fine } else { Exit::No }
}

/// Writes a file whole or not at all: a running binary cannot be overwritten, but it can be replaced.
fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    let draft = path.with_extension("draft");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| cannot("write", path, &error))?;
    output::data(&format!("wrote {}\n", path.display()));
    Ok(())
}

fn cannot(act: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {act} {}: {}; run this as root", path.display(), plain(error))
}

fn systemctl(arguments: &[&str]) -> Result<(), String> {
    let line = format!("systemctl {}", arguments.join(" "));
    let status = Command::new("systemctl").args(arguments).status().map_err(|error| format!("cannot run `{line}`: {}", plain(&error)))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}
