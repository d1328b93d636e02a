//! The three instances: processes of this same program, started, killed and asked the way an operator would.

use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use crate::app::demo::DemoError;
use crate::app::demo::Directory;
use crate::app::demo::cast;
use crate::app::demo::cast::Ports;
use crate::app::lifecycle;

/// How long an instance may take to answer: a slow disk, a busy machine.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long the instances have to end when told to; then they are killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Processes and answers are looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Lines of a log that are shown when something went wrong.
const LOG_LINES: usize = 12;

/// What would make an instance behave as if systemd had started it, or hear of another config than its own.
const NOT_PASSED_ON: [&str; 10] = [
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "STATE_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "VIGILMON_CONFIG",
    "VIGILMON_STATE_DIR",
    "VIGILMON_LOG",
    "VIGILMON_LOG_FORMAT",
];

/// What an instance shows of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// `up`, `down` …
    pub(super) status: String,
    /// Kinds and ids of open incidents.
    pub(super) open: Vec<(String, String)>,
}

/// All three.
#[derive(Debug)]
pub(super) struct Nodes {
    /// Last in, last out: processes end before their directory goes.
    running: Vec<Running>,
    pub(super) ports: Ports,
    place: Arc<Place>,
}

#[derive(Debug)]
struct Place {
    program: PathBuf,
    dir: Directory,
}

/// A process; it holds the writing end of the instance's standard input, which closes with this program however that ends.
#[derive(Debug)]
struct Running {
    name: &'static str,
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nodes {
    /// Makes the directory and the config.
    pub(super) fn prepare(ports: Ports) -> Result<Nodes, DemoError> {
        let failed = |what: &'static str| move |error: std::io::Error| DemoError::System(what, error);
        let chance = |bytes: &mut [u8]| {
            getrandom::fill(bytes)
                .map_err(|error| DemoError::System("get randomness from the system", std::io::Error::other(error.to_string())))
        };
        let (mut tag, mut secret) = ([0; 8], [0; 32]);
        chance(&mut tag)?;
        chance(&mut secret)?;
        let path = std::env::temp_dir().join(format!("vigilmon-demo-{}", data_encoding::HEXLOWER.encode(&tag)));
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(failed("make a temporary directory"))?;
        let dir = Directory(path);
        let text = ports.config(&data_encoding::HEXLOWER.encode(&secret));
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(dir.0.join("config.yaml"))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(failed("write the config"))?;
        let program = std::env::current_exe().map_err(failed("find this program"))?;
        Ok(Nodes { running: Vec::new(), ports, place: Arc::new(Place { program, dir }) })
    }

    /// Starts all three and waits until they answer.
    pub(super) async fn start_all(&mut self) -> Result<(), DemoError> {
        for name in cast::NAMES {
            self.spawn(name)?;
        }
        for name in cast::NAMES {
            self.until_it_answers(name).await?;
        }
        Ok(())
    }

    /// Starts one again and waits until it answers.
    pub(super) async fn start(&mut self, name: &'static str) -> Result<(), DemoError> {
        self.spawn(name)?;
        self.until_it_answers(name).await
    }

    fn spawn(&mut self, name: &'static str) -> Result<(), DemoError> {
        let failed = |error| DemoError::System("start an instance", error);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.place.log(name)).map_err(failed)?;
        let mut command = self.place.command(&self.ports, name);
        command.args(["run", "--log", "info"]).env(lifecycle::END_WITH_STDIN, "1");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().map_err(failed)?;
        self.running.retain(|running| running.name != name);
        self.running.push(Running { name, child });
        Ok(())
    }

    async fn until_it_answers(&mut self, name: &'static str) -> Result<(), DemoError> {
        let ended = tokio::time::timeout(ANSWERS_WITHIN, async {
            while self.seen(name).await.is_none() {
                if !self.is_running(name) {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        match ended.await {
            Ok(()) if self.is_running(name) => Ok(()),
            Ok(()) | Err(_) => Err(DemoError::Instance(name, self.log(name))),
        }
    }

    /// Whether its process is there.
    pub(super) fn is_running(&mut self, name: &str) -> bool {
        let found = self.running.iter_mut().find(|running| running.name == name);
        found.is_some_and(|running| matches!(running.child.try_wait(), Ok(None)))
    }

    /// `kill -9`: no warning, no goodbye.
    pub(super) fn kill(&mut self, name: &str) {
        // Dropping does it.
        self.running.retain(|running| running.name != name);
    }

    /// What an instance shows; `None` when it does not answer.
    pub(super) async fn seen(&self, name: &'static str) -> Option<Seen> {
        let answer = self.ask(name, &["status", "--json"]).await?;
        let status: serde_json::Value = serde_json::from_slice(&answer).ok()?;
        let monitor = status["monitors"].as_array()?.iter().find(|monitor| monitor["id"] == cast::MONITOR)?.clone();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let open = monitor["open_incidents"].as_array()?.iter().map(|incident| (text(&incident["kind"]), text(&incident["id"]))).collect();
        Some(Seen { status: text(&monitor["status"]), open })
    }

    /// A way into an instance's dashboard.
    pub(super) async fn sign_in_link(&self, name: &'static str) -> Option<String> {
        let link = String::from_utf8(self.ask(name, &["sign-in-link"]).await?).ok()?;
        Some(link.trim().to_owned()).filter(|link| !link.is_empty())
    }

    /// What a subcommand says on standard output; `None` when it says nothing.
    async fn ask(&self, name: &'static str, arguments: &'static [&'static str]) -> Option<Vec<u8>> {
        let (place, ports) = (Arc::clone(&self.place), self.ports.clone());
        let asked = tokio::task::spawn_blocking(move || {
            place.command(&ports, name).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output()
        });
        asked.await.ok()?.ok().map(|output| output.stdout).filter(|answer| !answer.is_empty())
    }

    /// The end of an instance's log.
    pub(super) fn log(&self, name: &str) -> String {
        let text = fs::read(self.place.log(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Ends all of them, in order if they do it soon.
    pub(super) async fn end(&mut self) {
        for running in &mut self.running {
            drop(running.child.stdin.take());
        }
        let all_ended = async {
            while self.running.iter_mut().any(|running| matches!(running.child.try_wait(), Ok(None))) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(ENDS_WITHIN, all_ended).await;
        self.running.clear();
    }
}

impl Place {
    /// This program, as a node.
    fn command(&self, ports: &Ports, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        for variable in NOT_PASSED_ON {
            command.env_remove(variable);
        }
        command.env("VIGILMON_NODE", name).env("DEMO_PORT", ports.port(name).to_string()).env("NO_COLOR", "1");
        command.arg("--config").arg(self.dir.0.join("config.yaml"));
        command.arg("--state-dir").arg(self.dir.0.join(name));
        command
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.0.join(format!("{name}.log"))
    }
}
