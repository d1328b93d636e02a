//! What a crowd costs: `cargo bench --bench pages`.
//!
//! A status page with 50 monitors and 90 days, served by an instance that is a process of its own, on loopback, and shares the processors
//! with the client here. Printed: what the page weighs, how long until its first byte, and how many a second there are for several
//! connections. Beside it stands a server of this benchmark that does nothing but send the same bytes, a thread for each connection: quote
//! ratios. While the crowd is there, the instance goes on checking: how late its checks come is measured where they arrive. Prints; asserts
//! no figure, because machines differ. `VIGILMON_BENCH_SECONDS` (3, of each row) makes it shorter. It ends within four minutes, one way or
//! another.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "a benchmark")]

mod instance;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use instance::Node;

/// Longest the whole may take.
const WHOLE: Duration = Duration::from_secs(240);
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(10);
const MONITORS: usize = 50;
const DAYS: i64 = 90;
const DAY_MS: i64 = 86_400_000;
const INTERVAL: Duration = Duration::from_secs(5);
const CONNECTIONS: [usize; 3] = [1, 8, 64];
const PAGE: &str = "/status/prod";

fn main() {
    let seconds = std::env::var("VIGILMON_BENCH_SECONDS").map_or(3, |text| text.parse().expect("a number"));
    let seconds = Duration::from_secs(seconds);
    thread::spawn(|| {
        thread::sleep(WHOLE);
        println!("not done within {} s: try fewer seconds", WHOLE.as_secs());
        std::process::exit(1);
    });
    // Below the build's directory rather than the system's, which may be no disk.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let targets: Vec<Target> = (0..MONITORS).map(|_| Target::start()).collect();
    write_config(dir.path(), &targets);
    // Once to have its database, in which a past is then written.
    let node = Node::start(dir.path());
    wait_for_checks(&targets);
    drop(node);
    write_past(dir.path());
    let node = Node::start(dir.path());
    wait_for_checks(&targets);

    let page = weigh(node.address);
    let fixed = Fixed::start(page.clone());
    println!("\n{:<26}{:>14}{:>14}{:>14}{:>14}", "", "connections", "requests/s", "p50, ms", "p99, ms");
    targets.iter().for_each(Target::forget);
    for n in CONNECTIONS {
        crowd(node.address, n, "", seconds).print("page", n);
    }
    let tag = format!("If-None-Match: {}\r\n", page.tag);
    crowd(node.address, CONNECTIONS[1], &tag, seconds).print("page, known already", CONNECTIONS[1]);
    let late = lateness(&targets);
    for n in CONNECTIONS {
        crowd(fixed, n, "", seconds).print("the same bytes, fixed", n);
    }
    println!("\naim: first byte under 5 ms, 20000 requests/s on two cores that do nothing else");
    match late.last() {
        Some(_) => println!(
            "checks while the crowd was there, ms late: p50 {}, p99 {}, of {}; aim: p99 250",
            ms(part(&late, 50)),
            ms(part(&late, 99)),
            late.len()
        ),
        None => println!("no check came twice while the crowd was there: take more seconds to see how late they come"),
    }
}

// The page.

#[derive(Clone)]
struct Page {
    /// The answer as it came, head and body.
    whole: Vec<u8>,
    tag: String,
}

/// Says what a visit costs in bytes.
fn weigh(address: SocketAddr) -> Page {
    let mut client = Client::new(address, PAGE, "");
    // The first to come waits for the rendering.
    let begin = Instant::now();
    client.ask().unwrap();
    println!("first visit after a change: {} ms to the first byte", ms(begin.elapsed()));
    let plain = plain(address);
    let mut parts = vec![PAGE.to_owned()];
    parts.extend(plain.split('"').filter(|part| part.starts_with("/assets/") || *part == "/favicon.svg").map(ToOwned::to_owned));
    let mut sum = 0;
    for path in &parts {
        let mut client = Client::new(address, path, "");
        client.ask().unwrap();
        println!("{:>8} bytes  {path}", client.n_body);
        sum += client.n_body;
    }
    println!("{sum:>8} bytes in {} requests, compressed; aim: 25000 in 4. The page is {} bytes without", parts.len(), plain.len());
    let mut client = Client::new(address, PAGE, "");
    client.ask().unwrap();
    let head = String::from_utf8_lossy(&client.answer).to_lowercase();
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().trim().to_owned();
    Page { whole: client.answer, tag }
}

fn plain(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(ANSWER)).unwrap();
    stream.write_all(format!("GET {PAGE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

// The crowd.

struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    n_body: usize,
}

impl Client {
    fn new(address: SocketAddr, path: &str, more: &str) -> Client {
        let stream = TcpStream::connect_timeout(&address, ANSWER).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nAccept-Language: en\r\n{more}\r\n");
        Client { stream, request: request.into_bytes(), answer: Vec::new(), n_body: 0 }
    }

    /// Asks once; how long until the first bytes came.
    fn ask(&mut self) -> std::io::Result<Duration> {
        let begin = Instant::now();
        self.stream.write_all(&self.request)?;
        self.answer.clear();
        let (mut chunk, mut first, mut whole) = ([0; 65_536], None, usize::MAX);
        while self.answer.len() < whole {
            let n = self.stream.read(&mut chunk)?;
            if n == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            first.get_or_insert_with(|| begin.elapsed());
            self.answer.extend_from_slice(&chunk[..n]);
            if whole == usize::MAX
                && let Some(end) = self.answer.windows(4).position(|four| four == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&self.answer[..end]).to_lowercase();
                self.n_body = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
                whole = end + 4 + self.n_body;
            }
        }
        Ok(first.unwrap_or_default())
    }
}

struct Seen {
    per_second: f64,
    /// In order.
    first_bytes: Vec<Duration>,
}

impl Seen {
    fn print(&self, name: &str, n: usize) {
        let [p50, p99] = [50, 99].map(|percent| ms(part(&self.first_bytes, percent)));
        println!("{name:<26}{n:>14}{:>14.0}{p50:>14}{p99:>14}", self.per_second);
    }
}

/// `n` connections that each ask again as soon as they are answered.
fn crowd(address: SocketAddr, n: usize, more: &str, seconds: Duration) -> Seen {
    let begin = Instant::now();
    let one = || {
        let mut client = Client::new(address, PAGE, more);
        let mut first_bytes = Vec::new();
        while begin.elapsed() < seconds {
            first_bytes.push(client.ask().unwrap());
        }
        first_bytes
    };
    let mut first_bytes: Vec<Duration> = thread::scope(|scope| {
        let clients: Vec<_> = (0..n).map(|_| scope.spawn(one)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let per_second = first_bytes.len() as f64 / begin.elapsed().as_secs_f64();
    first_bytes.sort_unstable();
    Seen { per_second, first_bytes }
}

/// A server that sends the same bytes whatever it is asked.
struct Fixed;

impl Fixed {
    fn start(page: Page) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let page = Arc::new(page.whole);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let page = Arc::clone(&page);
                thread::spawn(move || serve(stream, &page));
            }
        });
        address
    }
}

fn serve(mut stream: TcpStream, page: &[u8]) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut asked, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        asked.extend_from_slice(&chunk[..n]);
        if asked.ends_with(b"\r\n\r\n") {
            asked.clear();
            stream.write_all(page).ok()?;
        }
    }
}

// What is watched.

/// A port that is checked, and when it was.
struct Target {
    address: SocketAddr,
    at: Arc<Mutex<Vec<Instant>>>,
}

impl Target {
    fn start() -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let at: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let noted = Arc::clone(&at);
        thread::spawn(move || {
            for stream in listener.incoming() {
                noted.lock().unwrap().push(Instant::now());
                drop(stream);
            }
        });
        Target { address, at }
    }

    fn forget(&self) {
        self.at.lock().unwrap().clear();
    }
}

/// Until each was checked, so that the page has something to show.
fn wait_for_checks(targets: &[Target]) {
    targets.iter().for_each(Target::forget);
    while targets.iter().any(|target| target.at.lock().unwrap().is_empty()) {
        thread::sleep(Duration::from_millis(50));
    }
    // The results are shown a moment later.
    thread::sleep(Duration::from_secs(1));
}

/// How far the time between two checks was from the interval, in order.
fn lateness(targets: &[Target]) -> Vec<Duration> {
    let of = |target: &Target| -> Vec<Duration> {
        target.at.lock().unwrap().windows(2).map(|two| (two[1] - two[0]).abs_diff(INTERVAL)).collect()
    };
    let mut all: Vec<Duration> = targets.iter().flat_map(of).collect();
    all.sort_unstable();
    all
}

fn write_config(dir: &Path, targets: &[Target]) {
    let mut config = format!("server: {{ listen: 127.0.0.1:0 }}\ninstance: {{ state_dir: {} }}\nmonitors:\n", dir.join("state").display());
    for (i, target) in targets.iter().enumerate() {
        let interval = INTERVAL.as_secs();
        config.push_str(&format!(
            "  - {{ name: service-{i:02}.example.com, tcp: \"{}\", interval: {interval}s, timeout: 2s }}\n",
            target.address
        ));
    }
    config.push_str("status_pages: [{ slug: prod, groups: [{ name: Production, monitors: \"*\" }] }]\n");
    fs::write(dir.join("config.yaml"), config).unwrap();
}

/// Ninety days in which now and then something was down, degraded or unknown.
fn write_past(dir: &Path) {
    let db = rusqlite::Connection::open(dir.join("state/vigilmon.db")).unwrap();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let keys: Vec<i64> = {
        let mut found = db.prepare("SELECT key FROM monitors").unwrap();
        found.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(keys.len(), MONITORS, "each monitor has its row once it was checked");
    for key in keys {
        let add = |at: i64, verdict: &str| {
            db.execute("INSERT OR IGNORE INTO verdicts VALUES (?1, ?2, ?3)", (key, at, verdict)).unwrap();
        };
        add(now - DAYS * DAY_MS, "up");
        for k in 1..=8 {
            let at = now - DAYS * DAY_MS + (key * 7 + k * 11) % (DAYS - 1) * DAY_MS;
            add(at, ["down", "degraded", "unknown", "down"][usize::try_from(k).unwrap() % 4]);
            add(at + k * 20 * 60_000, "up");
        }
    }
}

fn part(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).or(sorted.last()).copied().unwrap_or_default()
}

fn ms(of: Duration) -> String {
    format!("{:.2}", of.as_secs_f64() * 1000.0)
}
