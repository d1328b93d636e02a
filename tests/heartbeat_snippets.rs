//! What `vigilmon heartbeat url` prints for copying, run as it is printed: on a machine of its own, which has the job and nothing else in
//! `/usr/local/bin`, against a real instance.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use common::Instance;
use common::beats::API;
use common::beats::words;
use common::find_program;
use common::stderr;
use common::stdout;
use serde_json::Value;

/// The job: says something, and fails when it is told to.
const JOB: &str = "#!/bin/sh\necho the job itself\nexit ${JOB_STATUS:-0}\n";

/// An instance, what it prints for its heartbeat, and a machine where a job runs.
struct Copied {
    instance: Instance,
    printed: String,
    bin: tempfile::TempDir,
}

impl Copied {
    fn new(beat: &str) -> Copied {
        let instance = Instance::start(&format!("{API}monitors:\n  - {{ name: job, heartbeat: {{ {beat} }} }}\n"));
        let printed = stdout(&instance.run(&["heartbeat", "url", "job"]));
        let bin = tempfile::tempdir().unwrap();
        let job = bin.path().join("job");
        fs::write(&job, JOB).unwrap();
        fs::set_permissions(&job, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(env!("CARGO_BIN_EXE_vigilmon"), bin.path().join("vigilmon")).unwrap();
        Copied { instance, printed, bin }
    }

    /// The lines under a heading, as they are printed.
    #[track_caller]
    fn snippet(&self, heading: &str) -> String {
        let begin = format!("\n# {heading}\n");
        let (_, rest) = self.printed.split_once(&begin).unwrap_or_else(|| panic!("no `{heading}` in\n{}", self.printed));
        // The next heading comes after an empty line.
        let end = rest.match_indices("\n\n# ").find(|(at, _)| !rest[at + 4..].starts_with('/')).map_or(rest.len(), |(at, _)| at + 1);
        rest[..end].to_owned()
    }

    /// Runs a script where `/usr/local/bin` has the job and vigilmon. One that does not end is killed.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let machine = "mount -t tmpfs none /usr/local/bin && cp -a \"$0\"/* /usr/local/bin/ && exec sh -c \"$1\"";
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60", "unshare", "--map-root-user", "--mount", "sh", "-c", machine]);
        command.arg(self.bin.path()).arg(script).envs(variables.iter().copied()).env("no_proxy", "*");
        command.stdin(Stdio::null()).output().unwrap()
    }

    #[track_caller]
    fn assert_runs(&self, script: &str, variables: &[(&str, &str)], status: i32) {
        let output = self.run(script, variables);
        assert_eq!(output.status.code(), Some(status), "{script}\n{}", stderr(&output));
    }

    #[track_caller]
    fn assert_heard(&self, expected: &[&str]) {
        assert_eq!(words(&self.instance, "job"), expected, "{}", self.printed);
    }
}

/// A machine with the programs that a snippet calls; `None` where one is missing.
fn copied(beat: &str, programs: &[&str]) -> Option<Copied> {
    let are_there = programs.iter().chain(&["unshare"]).all(|program| find_program(program).is_some());
    are_there.then(|| Copied::new(beat))
}

#[test]
fn a_line_of_curl() {
    let Some(copied) = copied("interval: 1h", &["curl"]) else { return };
    copied.assert_runs(&copied.snippet("curl"), &[], 0);
    copied.assert_heard(&["GET success"]);
}

#[test]
fn a_command_with_its_output_and_exit_status() {
    let Some(copied) = copied("interval: 1h", &[]) else { return };
    let line = copied.snippet("A command with its start, its output and its exit status");
    copied.assert_runs(&line, &[], 0);
    copied.assert_runs(&line, &[("JOB_STATUS", "3")], 3);
    copied.assert_heard(&["POST start", "POST success 0: the job itself", "POST start", "POST fail 3: the job itself"]);
}

#[test]
fn a_line_of_a_crontab() {
    let Some(copied) = copied("cron: \"*/15 8-17 * * 1-5\", timezone: Europe/Riga", &["curl"]) else { return };
    let snippet = copied.snippet("crontab");
    assert!(snippet.starts_with("# ") && snippet.contains("Europe/Riga"), "{snippet}");
    // cron takes five fields off, and gives the rest to a shell.
    let line = snippet.lines().find(|line| !line.starts_with('#')).unwrap();
    let command = line.strip_prefix("*/15 8-17 * * 1-5 ").unwrap_or_else(|| panic!("{line}"));
    assert!(!command.contains('%'), "cron takes it for the end of a line: {command}");
    copied.assert_runs(command, &[], 0);
    copied.assert_runs(command, &[("JOB_STATUS", "7")], 0);
    copied.assert_heard(&["GET success 0", "GET fail 7"]);
}

#[test]
fn units_of_systemd() {
    let Some(copied) = copied("calendar: \"Mon..Fri 02:00\", timezone: Europe/Riga", &["systemd-analyze", "curl"]) else { return };
    let (service, timer) = (copied.snippet("systemd unit"), copied.snippet("systemd timer"));
    assert!(timer.contains("OnCalendar=Mon..Fri *-*-* 02:00:00 Europe/Riga\n"), "{timer}");
    let dir = copied.instance.path();
    for (name, text) in [("job.service", &service), ("job.timer", &timer)] {
        let file = dir.join(name);
        fs::write(&file, text).unwrap();
        let output = copied.run(&format!("systemd-analyze verify --man=no --recursive-errors=no {} 2>&1", file.display()), &[]);
        let said = stdout(&output);
        assert!(output.status.success() && !said.contains(name), "{name}: {said}\n{text}");
    }
    // What systemd would run, with what it would set; it halves dollars.
    let one = |key: &str| service.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key}: {service}"));
    let url = one("Environment=PING_URL=");
    let (before, job, after) = (one("ExecStartPre=-"), one("ExecStart="), one("ExecStopPost=-").replace("$$", "$"));
    for (status, result) in [("0", "success"), ("1", "exit-code"), ("0", "timeout")] {
        copied.assert_runs(before, &[("PING_URL", url)], 0);
        copied.assert_runs(job, &[("JOB_STATUS", status)], status.parse().unwrap());
        copied.assert_runs(&after, &[("PING_URL", url), ("SERVICE_RESULT", result)], 0);
    }
    copied.assert_heard(&["GET start", "GET success 0", "GET start", "GET fail", "GET start", "GET fail"]);
}

#[test]
fn a_timer_for_an_interval() {
    let Some(copied) = copied("interval: 90m", &["systemd-analyze"]) else { return };
    let timer = copied.snippet("systemd timer");
    assert!(timer.contains("OnUnitActiveSec=5400s\n") && !timer.contains("Persistent"), "{timer}");
    assert!(copied.snippet("crontab").starts_with("# cron has no words for every 1h30m"), "{}", copied.printed);
    let dir = copied.instance.path();
    fs::write(dir.join("job.service"), copied.snippet("systemd unit")).unwrap();
    fs::write(dir.join("job.timer"), &timer).unwrap();
    let output = copied.run(&format!("systemd-analyze verify --man=no {}/job.timer 2>&1", dir.display()), &[]);
    assert!(output.status.success() && !stdout(&output).contains("job.timer"), "{}", stdout(&output));
}

/// A directory with what the image of the manifest has: busybox by the names of its commands.
fn busybox_image(busybox: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for command in ["sh", "timeout", "wget", "echo"] {
        symlink(busybox, image.path().join(command)).unwrap();
    }
    image
}

#[test]
fn a_manifest_for_kubernetes() {
    let Some(busybox) = find_program("busybox") else { return };
    let Some(copied) = copied("cron: \"0 2 * * *\", timezone: Europe/Riga, rules: kubernetes", &[]) else { return };
    let manifest = copied.snippet("Kubernetes CronJob with a Secret");
    let objects: Vec<Value> = manifest.split("---\n").map(|part| serde_saphyr::from_str(part).unwrap()).collect();
    let [secret, cron_job] = &objects[..] else { panic!("{manifest}") };
    assert_eq!((&cron_job["spec"]["schedule"], &cron_job["spec"]["timeZone"]), (&"0 2 * * *".into(), &"Europe/Riga".into()));
    let container = &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let from = &container["env"][0]["valueFrom"]["secretKeyRef"];
    assert_eq!(from["name"], secret["metadata"]["name"]);
    let url = secret["stringData"][from["key"].as_str().unwrap()].as_str().unwrap();
    let command: Vec<&str> = container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let image = busybox_image(&busybox);
    // The second is the same with a job that fails.
    for script in [command[2].to_owned(), command[2].replace("echo the job itself", "(exit 4)")] {
        let mut run = Command::new(image.path().join(command[0]));
        run.args([command[1], &script]).env_clear().env("PATH", image.path()).env("PING_URL", url);
        let output = run.stdin(Stdio::null()).output().unwrap();
        let expected = if script.contains("exit 4)") { 4 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{script}\n{}", stderr(&output));
    }
    copied.assert_heard(&["GET start", "GET success 0", "GET start", "GET fail 4"]);
}

#[test]
fn a_step_of_github_actions() {
    let Some(copied) = copied("interval: 1d", &["bash", "curl"]) else { return };
    let step: Value = serde_saphyr::from_str(&copied.snippet("GitHub Actions")).unwrap();
    let step = &step[0];
    assert_eq!(step["if"], "always()");
    assert_eq!(step["env"]["PING_URL"], "${{ secrets.PING_URL }}");
    let url = copied.snippet("curl").split_whitespace().last().unwrap().to_owned();
    let script = step["run"].as_str().unwrap();
    // What GitHub puts in for the expression, by how the job went.
    for value in ["0", "1"] {
        let (before, rest) = script.split_once("${{ ").unwrap();
        let (expression, after) = rest.split_once(" }}").unwrap();
        assert_eq!(expression, "job.status == 'success' && '0' || '1'");
        let file = copied.instance.path().join("step.sh");
        fs::write(&file, format!("{before}{value}{after}")).unwrap();
        copied.assert_runs(&format!("bash --noprofile --norc -e -o pipefail {}", file.display()), &[("PING_URL", &url)], 0);
    }
    copied.assert_heard(&["GET success 0", "GET fail 1"]);
}

#[test]
fn a_line_of_powershell() {
    // Distributions do not have it, so it may be missing in CI too.
    let places = std::env::var("PATH").unwrap_or_default();
    let Some(pwsh) = places.split(':').map(|dir| PathBuf::from(dir).join("pwsh")).find(|path| path.is_file()) else {
        eprintln!("skipped: `pwsh` is not installed");
        return;
    };
    let copied = Copied::new("interval: 1h");
    let output = Command::new(pwsh).args(["-NoProfile", "-Command", &copied.snippet("PowerShell")]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    copied.assert_heard(&["GET success"]);
}
