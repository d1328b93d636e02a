//! A real instance, its targets and its alert sink, all on free ports of this machine and gone when they are dropped.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "helpers of tests; each test file uses some of them"
)]

pub mod beats;
pub mod browser;
pub mod listener;
pub mod mailer;
pub mod monitor;
pub mod provider;
pub mod real;

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// Longest wait for anything that must happen; a busy machine takes its time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The command, with nothing of the environment that could change what it does.
pub fn vigilmon() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigilmon"));
    for name in
        ["VIGILMON_CONFIG", "VIGILMON_STATE_DIR", "VIGILMON_LOG", "VIGILMON_NODE", "STATE_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET"]
    {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs a command to its end in `dir`; one that does not end is killed and fails the test.
#[track_caller]
pub fn run(dir: &Path, arguments: &[&str]) -> Output {
    let child = vigilmon().current_dir(dir).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (ended, waited) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        let is_late = waited.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout);
        if is_late {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        is_late
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    assert!(!watch.join().unwrap(), "`vigilmon {}` does not end: {}", arguments.join(" "), stderr(&output));
    output
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running instance with a directory of its own.
pub struct Instance {
    pub dir: tempfile::TempDir,
    pub address: String,
    pub sign_in_link: String,
    environment: Vec<(String, String)>,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Instance {
    /// Starts with this config; `server.listen` and `state_dir` are added.
    pub fn start(config: &str) -> Instance {
        let dir = tempfile::tempdir().unwrap();
        write_config(dir.path(), config);
        Instance::start_in(dir)
    }

    /// Starts in a directory that has a config already.
    pub fn start_in(dir: tempfile::TempDir) -> Instance {
        Instance::start_with(dir, &[])
    }

    /// The same, with something in its environment.
    pub fn start_with(dir: tempfile::TempDir, environment: &[(&str, &str)]) -> Instance {
        let environment: Vec<_> = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (child, lines, log) = spawn(dir.path(), &environment);
        let mut instance = Instance { dir, address: String::new(), sign_in_link: String::new(), environment, child, log };
        instance.listen(&lines);
        instance
    }

    fn listen(&mut self, lines: &mpsc::Receiver<String>) {
        let begin = Instant::now();
        loop {
            let Ok(line) = lines.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) else {
                panic!("the instance did not start:\n{}", self.log());
            };
            if let Some(url) = line.trim().strip_prefix("open ") {
                self.address = url.trim().trim_start_matches("http://").to_owned();
            }
            if let Some(rest) = line.trim().strip_prefix("sign in ") {
                self.sign_in_link = rest.split_whitespace().next().unwrap().to_owned();
                return;
            }
        }
    }

    /// Waits until no message is on its way, nor the note that it arrived: a kill in between rightly brings it again.
    #[track_caller]
    pub fn wait_until_nothing_is_on_its_way(&self) {
        let database = rusqlite::Connection::open(self.path().join("state/vigilmon.db")).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        let count = "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting' AND (leased = 1 OR n_attempts = 0)) \
                     + (SELECT count(*) FROM subscribers WHERE telling_to IS NOT NULL)";
        wait_for("what is on its way", || (database.query_row(count, [], |row| row.get(0)) == Ok(0)).then_some(()));
    }

    /// Kills it without warning and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        let (child, lines, log) = spawn(self.dir.path(), &self.environment);
        self.child = child;
        self.log = log;
        self.listen(&lines);
    }

    /// Asks it to stop and returns the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it said on standard error since its last start.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Replaces the config.
    pub fn write_config(&self, config: &str) {
        write_config(self.dir.path(), config);
    }

    /// Runs a subcommand beside it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(self.dir.path(), arguments)
    }

    /// What `vigilmon status --json` says.
    pub fn status(&self) -> serde_json::Value {
        let output = self.run(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no status: {}", stderr(&output)))
    }

    /// The status word of a monitor.
    pub fn verdict(&self, id: &str) -> String {
        let status = self.status();
        let monitors = status["monitors"].as_array().unwrap();
        let found = monitors.iter().find(|monitor| monitor["id"] == id);
        found.map_or_else(|| "absent".to_owned(), |monitor| monitor["status"].as_str().unwrap().to_owned())
    }

    #[track_caller]
    pub fn wait_for_verdict(&self, id: &str, word: &str) {
        wait_for(&format!("`{id}` to be {word}"), || (self.verdict(id) == word).then_some(()));
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of the instance ---\n{}", self.log());
        }
    }
}

/// Writes `config.yaml` the way careful programs do: whole, by renaming.
pub fn write_config(dir: &Path, config: &str) {
    let text = format!("server: {{ listen: 127.0.0.1:0 }}\ninstance: {{ state_dir: {} }}\n{config}", dir.join("state").display());
    fs::write(dir.join("config.draft"), text).unwrap();
    fs::rename(dir.join("config.draft"), dir.join("config.yaml")).unwrap();
}

fn spawn(dir: &Path, environment: &[(String, String)]) -> (Child, mpsc::Receiver<String>, Arc<Mutex<String>>) {
    let mut command = vigilmon();
    command.current_dir(dir).args(["run", "--log", "info"]).envs(environment.iter().map(|(name, value)| (name, value)));
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let log = Arc::new(Mutex::new(String::new()));
    let (sender, lines) = mpsc::channel();
    let (kept, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            kept.lock().unwrap().push_str(&format!("{line}\n"));
            let _ = sender.send(line);
        }
    });
    (child, lines, log)
}

/// A request as a server in these tests sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub at: Instant,
    pub path: String,
    pub head: String,
    pub body: String,
}

impl Asked {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// Each of the messages that a request of a webhook tells in one; itself, when it is one.
    pub fn told(&self) -> Vec<serde_json::Value> {
        let body = self.json();
        match body["incidents"].as_array() {
            Some(many) if !many.is_empty() => many.clone(),
            Some(_) | None => vec![body],
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What a server does with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Status(u16, &'static str),
    After(Duration, u16),
    Silence,
}

/// A small HTTP server whose answers can be changed; it keeps what it was asked.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub fn start(answer: Answer) -> Server {
        Server::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub fn on(listener: TcpListener, answer: Answer) -> Server {
        let server = Server {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
            asked: Arc::new(Mutex::new(Vec::new())),
        };
        let shared = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || shared.serve(stream));
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked `n` times.
    #[track_caller]
    pub fn wait_for(&self, n: usize) -> Vec<Asked> {
        wait_for(&format!("request {n}"), || Some(self.asked()).filter(|asked| asked.len() >= n))
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|value| value.trim().parse().unwrap()))
            .unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&body).into_owned();
        self.asked.lock().unwrap().push(Asked { at: Instant::now(), path, head, body });
        let answer = self.answer.lock().unwrap().clone();
        let mut stream = reader.into_inner();
        let (status, text) = match answer {
            Answer::Status(status, text) => (status, text),
            Answer::After(wait, status) => {
                thread::sleep(wait);
                (status, "late")
            }
            Answer::Silence => {
                thread::sleep(PATIENCE);
                return;
            }
        };
        let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    }
}

/// Status, head, body.
pub type Answered = (u16, String, String);

/// One request to an instance, raw.
#[track_caller]
pub fn request(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
    try_request(address, method, path, headers, body).unwrap()
}

/// The same, of one that may be killed meanwhile.
pub fn try_request(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Answered> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    write!(stream, "{text}\r\n{body}")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "an answer has a head"));
    };
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Ok((status, head.to_owned(), body.to_owned()))
}

/// A port on which nothing listens.
pub fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that must be there in CI and may be missing elsewhere; says why a test is skipped.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let places = std::env::var("PATH").unwrap_or_default();
    let found = places.split(':').chain(["/usr/sbin", "/sbin"]).map(|dir| Path::new(dir).join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "`{name}` is required in CI");
        eprintln!("skipped: `{name}` is not installed");
    }
    found
}
