//! What it costs to make a ping durable before it is answered, and how fast silence is noticed: `cargo bench --bench heartbeats`.
//!
//! The instance is a process of its own, on loopback, and shares the processors with the client here. Beside its figures stand what the
//! disk allows (small appends, each followed by a sync, in the same directory) and what the client and the server allow without any disk
//! (`/healthz` by the same connections): quote ratios. Every ping that was acknowledged is looked for afterwards by the API. Prints;
//! asserts no figure, because machines differ. `VIGILMON_BENCH_HEARTBEATS` (10000) and `VIGILMON_BENCH_SECONDS` (3, of each row) make it
//! smaller. It ends within four minutes, one way or another.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "a benchmark")]

mod instance;

use std::collections::HashMap;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use instance::Node;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;

/// Longest the whole may take.
const WHOLE: Duration = Duration::from_secs(240);
/// Longest wait for one answer; clients have no more patience than that.
const ANSWER: Duration = Duration::from_secs(10);
const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// The one whose latencies are compared with other programs'.
const CONNECTIONS_COMPARED: usize = 32;
const BURST: usize = 10_000;
const BURST_OVER: Duration = Duration::from_secs(1);
/// Rounds of eight pings at once to a heartbeat that never had one.
const NEW_ROUNDS: usize = 20;
const NEW_AT_ONCE: usize = 8;
/// Heartbeats that fall silent, one after the other.
const SILENT: usize = 200;
const SILENT_APART: Duration = Duration::from_millis(10);
const INTERVAL: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_secs(1);
const SYNCED_FOR: Duration = Duration::from_secs(1);
/// A page of the database, which is about what a short ping writes.
const SYNCED_BYTES: usize = 4096;

/// In which the kernel tells the time of processes, on every machine that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

const TOKEN: &str = "a token for this benchmark alone, on loopback";
const KEY: &str = "key-for-this-benchmark";

fn main() {
    let number = |name: &str, usual: usize| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let n_heartbeats = number("VIGILMON_BENCH_HEARTBEATS", 10_000).max(1);
    let seconds = Duration::from_secs(number("VIGILMON_BENCH_SECONDS", 3) as u64);
    allow_descriptors();
    thread::spawn(|| {
        thread::sleep(WHOLE);
        println!("not done within {} s: try fewer heartbeats or seconds", WHOLE.as_secs());
        std::process::exit(1);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Below the build's directory rather than the system's, which may be no disk.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let syncs = syncs(dir.path());

    let mut config =
        format!("heartbeats: {{ ping_key: {KEY}, auto_create: {{ limit: {NEW_ROUNDS} }} }}\nretention: {{ pings: 10 }}\nmonitors:\n");
    for i in 0..n_heartbeats {
        config.push_str(&format!("  - {{ name: h{i}, heartbeat: {{ interval: 1d }} }}\n"));
    }
    let node = start(dir.path(), "load", &config);
    let mut bench = Bench { address: node.address, n_heartbeats, acknowledged: vec![0; n_heartbeats], next: 0 };
    println!("{n_heartbeats} heartbeats; each keeps its newest 10 pings, so that there are as many deletions as additions\n");
    let memory_before = rss_mib(&node);
    let first = runtime.block_on(bench.ping_all());
    let memory_pinged = rss_mib(&node);
    let new = runtime.block_on(bench.all_new());

    row("", &["connections", "pings/s", "per sync/s", "p50, ms", "p99, ms", "max, ms", "not 200", "CPU, ms"].map(ToOwned::to_owned));
    for is_kept in [true, false] {
        for n_connections in CONNECTIONS {
            let cpu = cpu_seconds(&node);
            let seen = runtime.block_on(bench.load(n_connections, is_kept, Target::Pings, seconds));
            let cpu = cpu_seconds(&node) - cpu;
            seen.print(if is_kept { "kept alive" } else { "one each" }, n_connections, (syncs, cpu));
        }
    }
    for is_kept in [true, false] {
        let cpu = cpu_seconds(&node);
        let seen = runtime.block_on(bench.load(CONNECTIONS_COMPARED, is_kept, Target::Health, seconds));
        let cpu = cpu_seconds(&node) - cpu;
        seen.print(if is_kept { "no disk, kept alive" } else { "no disk, one each" }, CONNECTIONS_COMPARED, (syncs, cpu));
    }
    println!("\naim: 20000 pings/s at p99 10 ms with {CONNECTIONS_COMPARED} connections on a quiet disk, 4000 on one that takes long");
    println!("the disk: {syncs:.0} appends of {SYNCED_BYTES} bytes per second, each synced before the next");

    let burst = runtime.block_on(bench.burst());
    burst.print_burst();
    println!("eight at once to each of {NEW_ROUNDS} that are new: {new} of {} accepted", NEW_ROUNDS * NEW_AT_ONCE);
    let (n_rows, n_lost) = runtime.block_on(bench.lost());
    let n_acknowledged: u64 = bench.acknowledged.iter().sum();
    println!("by the API: {n_rows} pings, {n_acknowledged} acknowledged, {n_lost} of these lost");
    println!(
        "memory with {n_heartbeats}, MiB: {memory_before:.1} when started, {memory_pinged:.1} when each had a ping (in {:.1} s), {:.1} in the \
         end; aim 100",
        first.as_secs_f64(),
        rss_mib(&node)
    );
    drop(node);
    silence(&runtime, dir.path());
}

/// Ten thousand connections in a second are as many descriptors, at worst.
fn allow_descriptors() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

/// Appends that are synced one by one, per second.
fn syncs(dir: &Path) -> f64 {
    let mut file = File::create(dir.join("synced")).unwrap();
    let (begin, mut n) = (Instant::now(), 0.0);
    while begin.elapsed() < SYNCED_FOR {
        file.write_all(&[0; SYNCED_BYTES]).unwrap();
        file.sync_data().unwrap();
        n += 1.0;
    }
    n / begin.elapsed().as_secs_f64()
}

// What is printed.

fn row(name: &str, cells: &[String]) {
    println!("{name:<22}{}", cells.iter().map(|cell| format!("{cell:>12}")).collect::<String>());
}

fn ms(of: Duration) -> String {
    format!("{:.2}", of.as_secs_f64() * 1000.0)
}

/// What came of many requests.
#[derive(Debug, Default)]
struct Seen {
    /// Sorted when all are there.
    took: Vec<Duration>,
    whole: Duration,
    /// By status; 0: no answer.
    refused: HashMap<u16, usize>,
}

impl Seen {
    fn note(&mut self, status: u16, took: Duration) {
        if (200..300).contains(&status) {
            self.took.push(took);
        } else {
            *self.refused.entry(status).or_default() += 1;
        }
    }

    fn add(&mut self, other: Seen) {
        self.took.extend(other.took);
        for (status, n) in other.refused {
            *self.refused.entry(status).or_default() += n;
        }
    }

    fn done(mut self, whole: Duration) -> Seen {
        self.took.sort_unstable();
        self.whole = whole;
        self
    }

    fn part(&self, part: f64) -> Duration {
        let last = self.took.len().saturating_sub(1);
        self.took.get((last as f64 * part) as usize).copied().unwrap_or_default()
    }

    fn refused(&self) -> String {
        let mut refused: Vec<String> = self.refused.iter().map(|(status, n)| format!("{n}x{status}")).collect();
        refused.sort();
        if refused.is_empty() { "0".to_owned() } else { refused.join(" ") }
    }

    /// `cpu`: seconds that the instance worked meanwhile.
    fn print(&self, name: &str, n_connections: usize, (syncs, cpu): (f64, f64)) {
        let rate = self.took.len() as f64 / self.whole.as_secs_f64();
        let cells = [n_connections.to_string(), format!("{rate:.0}"), format!("{:.1}", rate / syncs)];
        let times = [0.5, 0.99, 1.0].map(|part| ms(self.part(part)));
        let cpu = format!("{:.3}", cpu * 1000.0 / self.took.len().max(1) as f64);
        row(name, &[cells.as_slice(), &times, &[self.refused(), cpu]].concat());
    }

    fn print_burst(&self) {
        println!(
            "\na burst of {BURST} pings over {} s, a connection for each: {} answered 200 (others: {}), the last {:.2} s after the first was \
             sent; p50 {} ms, p99 {} ms, max {} ms; aim 2 s",
            BURST_OVER.as_secs(),
            self.took.len(),
            self.refused(),
            self.whole.as_secs_f64(),
            ms(self.part(0.5)),
            ms(self.part(0.99)),
            ms(self.part(1.0))
        );
    }
}

// The client.

#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Pings,
    Health,
}

struct Bench {
    address: SocketAddr,
    n_heartbeats: usize,
    /// By heartbeat.
    acknowledged: Vec<u64>,
    next: usize,
}

/// From another address of this machine each, so that ports do not run out.
async fn connect(to: SocketAddr, i: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let low = |n: usize| u8::try_from(n % 250 + 1).unwrap_or(1);
    socket.bind((Ipv4Addr::new(127, 0, low(i / 250), low(i)), 0).into())?;
    let stream = tokio::time::timeout(ANSWER, socket.connect(to)).await.map_err(std::io::Error::other)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: curl/8.5.0\r\naccept: */*\r\n\r\n")
}

/// Sends a request and reads its whole answer: status and body. `None`: there was none.
async fn ask(stream: &mut TcpStream, request: &str) -> Option<(u16, Vec<u8>)> {
    let exchange = async {
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::with_capacity(512);
        loop {
            if stream.read_buf(&mut answer).await.ok()? == 0 {
                return None;
            }
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&answer[..end]).ok()?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            let whole = end + 4 + length.parse::<usize>().ok()?;
            if whole <= answer.len() {
                let status = head.split_whitespace().nth(1)?.parse().ok()?;
                return Some((status, answer.split_off(end + 4)));
            }
        }
    };
    tokio::time::timeout(ANSWER, exchange).await.ok().flatten()
}

fn path(heartbeat: usize) -> String {
    format!("/ping/{KEY}/h{heartbeat}")
}

/// Pings one heartbeat after the other, from `first` on in steps, until the time is over.
async fn pinger(to: SocketAddr, (i, step, n): (usize, usize, usize), is_kept: bool, target: Target, until: Instant) -> (Seen, Vec<usize>) {
    let (mut seen, mut acknowledged, mut heartbeat, mut held) = (Seen::default(), Vec::new(), i % n, None);
    while Instant::now() < until {
        let request = get(&if target == Target::Pings { path(heartbeat) } else { "/healthz".to_owned() });
        let begin = Instant::now();
        let mut stream = match held.take() {
            Some(stream) => stream,
            None => match connect(to, i).await {
                Ok(stream) => stream,
                Err(_) => {
                    seen.note(0, Duration::ZERO);
                    continue;
                }
            },
        };
        let status = ask(&mut stream, &request).await.map_or(0, |(status, _)| status);
        seen.note(status, begin.elapsed());
        if status == 200 {
            acknowledged.push(heartbeat);
        }
        held = Some(stream).filter(|_| is_kept && status != 0);
        heartbeat = (heartbeat + step) % n;
    }
    (seen, acknowledged)
}

impl Bench {
    async fn load(&mut self, n_connections: usize, is_kept: bool, target: Target, over: Duration) -> Seen {
        let begin = Instant::now();
        let first = self.next;
        self.next += n_connections;
        let tasks: Vec<_> = (0..n_connections)
            .map(|i| tokio::spawn(pinger(self.address, (first + i, n_connections, self.n_heartbeats), is_kept, target, begin + over)))
            .collect();
        let mut seen = Seen::default();
        for task in tasks {
            let (one, acknowledged) = task.await.unwrap();
            seen.add(one);
            acknowledged.into_iter().filter(|_| target == Target::Pings).for_each(|heartbeat| self.acknowledged[heartbeat] += 1);
        }
        seen.done(begin.elapsed())
    }

    /// One ping to every heartbeat.
    async fn ping_all(&mut self) -> Duration {
        let begin = Instant::now();
        let (address, n) = (self.address, self.n_heartbeats);
        let tasks: Vec<_> = (0..CONNECTIONS_COMPARED)
            .map(|i| {
                tokio::spawn(async move {
                    let mut stream = connect(address, i).await.unwrap();
                    for heartbeat in (i..n).step_by(CONNECTIONS_COMPARED) {
                        let (status, _) = ask(&mut stream, &get(&path(heartbeat))).await.expect("an answer");
                        assert_eq!(status, 200);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        self.acknowledged.iter_mut().for_each(|n| *n += 1);
        begin.elapsed()
    }

    /// Eight pings at once to heartbeats that are created by them; how many were accepted.
    async fn all_new(&self) -> usize {
        let mut n_accepted = 0;
        for round in 0..NEW_ROUNDS {
            let mut streams = Vec::new();
            for i in 0..NEW_AT_ONCE {
                streams.push(connect(self.address, i).await.unwrap());
            }
            let tasks: Vec<_> = streams
                .into_iter()
                .map(|mut stream| tokio::spawn(async move { ask(&mut stream, &get(&format!("/ping/{KEY}/new{round}?create=1"))).await }))
                .collect();
            for task in tasks {
                n_accepted += usize::from(matches!(task.await.unwrap(), Some((200 | 201, _))));
            }
        }
        n_accepted
    }

    /// Many jobs that are done in the same second, each with a connection of its own.
    async fn burst(&mut self) -> Seen {
        let begin = Instant::now();
        let address = self.address;
        let tasks: Vec<_> = (0..BURST)
            .map(|i| {
                let heartbeat = i % self.n_heartbeats;
                tokio::spawn(async move {
                    let at = begin + BURST_OVER.mul_f64(i as f64 / BURST as f64);
                    tokio::time::sleep_until(at.into()).await;
                    let sent = Instant::now();
                    let Ok(mut stream) = connect(address, i).await else { return (heartbeat, 0, sent.elapsed()) };
                    let status = ask(&mut stream, &get(&path(heartbeat))).await.map_or(0, |(status, _)| status);
                    (heartbeat, status, sent.elapsed())
                })
            })
            .collect();
        let mut seen = Seen::default();
        for task in tasks {
            let (heartbeat, status, took) = task.await.unwrap();
            seen.note(status, took);
            self.acknowledged[heartbeat] += u64::from(status == 200);
        }
        seen.done(begin.elapsed())
    }

    /// Asks the API for the number of the newest ping of every heartbeat: how many there were, and how many are missing.
    async fn lost(&self) -> (u64, u64) {
        let (mut n_rows, mut n_lost) = (0, 0);
        let mut stream = connect(self.address, 0).await.unwrap();
        for (i, acknowledged) in self.acknowledged.iter().enumerate() {
            let path = format!("/api/v1/monitors/h{i}/pings");
            let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
            let (status, body) = ask(&mut stream, &request).await.expect("an answer");
            assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
            let answer: Value = serde_json::from_slice(&body).unwrap();
            let newest = answer["pings"][0]["number"].as_u64().unwrap_or(0);
            n_rows += newest;
            n_lost += acknowledged.saturating_sub(newest);
        }
        (n_rows, n_lost)
    }
}

// Silence.

/// Lets heartbeats fall silent and waits for the alerts: how long after its deadline each comes.
fn silence(runtime: &tokio::runtime::Runtime, dir: &Path) {
    let alerts = Alerts::start();
    let mut config = format!(
        "heartbeats: {{ ping_key: {KEY} }}\nchannels: [{{ name: sink, webhook: {{ url: \"http://{}/\" }}, on: down }}]\n\
         defaults: {{ channels: [sink] }}\nmonitors:\n",
        alerts.address
    );
    let (interval, grace) = (INTERVAL.as_secs(), GRACE.as_secs());
    for i in 0..SILENT {
        config.push_str(&format!("  - {{ name: h{i}, heartbeat: {{ interval: {interval}s, grace: {grace}s, first_ping: optional }} }}\n"));
    }
    let node = start(dir, "silence", &config);
    let deadlines: Vec<Instant> = runtime.block_on(async {
        let mut stream = connect(node.address, 0).await.unwrap();
        let mut deadlines = Vec::new();
        for i in 0..SILENT {
            // Dated between the two, and so told at most too late.
            let sent = Instant::now();
            let (status, _) = ask(&mut stream, &get(&path(i))).await.expect("an answer");
            assert_eq!(status, 200);
            deadlines.push(sent + INTERVAL + GRACE);
            tokio::time::sleep(SILENT_APART).await;
        }
        deadlines
    });
    let mut delays: Vec<Duration> = Vec::new();
    for (i, deadline) in deadlines.into_iter().enumerate() {
        let Some(told) = alerts.wait_for(&format!("h{i}"), deadline + ANSWER) else { continue };
        delays.push(told.saturating_duration_since(deadline));
    }
    delays.sort_unstable();
    println!(
        "\n{SILENT} heartbeats fall silent ({interval} s, {grace} s grace): {} alerts; after the deadline until the receiver has it: median {} \
         ms, max {} ms; aim 1000",
        delays.len(),
        ms(delays.get(delays.len() / 2).copied().unwrap_or_default()),
        ms(delays.last().copied().unwrap_or_default())
    );
}

/// Takes alerts and notes when each monitor was said to be down first.
struct Alerts {
    address: SocketAddr,
    down: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Alerts {
    fn start() -> Alerts {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let alerts = Alerts { address: listener.local_addr().unwrap(), down: Arc::default() };
        let down = Arc::clone(&alerts.down);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let down = Arc::clone(&down);
                thread::spawn(move || take_alerts(&stream, &down));
            }
        });
        alerts
    }

    fn wait_for(&self, monitor: &str, until: Instant) -> Option<Instant> {
        loop {
            let found = self.down.lock().unwrap().get(monitor).copied();
            if found.is_some() || until < Instant::now() {
                return found;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn take_alerts(stream: &std::net::TcpStream, down: &Mutex<HashMap<String, Instant>>) {
    let _ = stream.set_read_timeout(Some(ANSWER));
    let mut reader = BufReader::new(stream);
    loop {
        let mut n_bytes = 0;
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(n) if n <= 2 => break,
                Ok(_) => {}
            }
            if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
                n_bytes = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; n_bytes];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let now = Instant::now();
        let alert: Value = serde_json::from_slice(&body).unwrap();
        if let Some(monitor) = alert["monitor_id"].as_str() {
            down.lock().unwrap().entry(monitor.to_owned()).or_insert(now);
        }
        // Where several monitors share a message, all of them are in it.
        for monitor in alert["group"].as_array().into_iter().flatten().filter_map(|one| one["monitor_id"].as_str()) {
            down.lock().unwrap().entry(monitor.to_owned()).or_insert(now);
        }
        let mut writer = stream;
        if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

// The instance.

fn start(dir: &Path, name: &str, rest: &str) -> Node {
    let dir = dir.join(name);
    fs::create_dir(&dir).unwrap();
    let hash = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, TOKEN.as_bytes()).as_ref());
    let head = format!(
        "server: {{ listen: 127.0.0.1:0 }}\ninstance: {{ state_dir: {} }}\nauth: {{ tokens: [{{ name: bench, hash: \"{hash}\", scope: \
         read }}] }}\n",
        dir.join("state").display()
    );
    fs::write(dir.join("config.yaml"), head + rest).unwrap();
    Node::start(&dir)
}

fn rss_mib(node: &Node) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Seconds that it worked so far.
fn cpu_seconds(node: &Node) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.child.id())).unwrap();
    // The name of the program, which stands in brackets, may have spaces.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split_whitespace().collect();
    let ticks = fields[12].parse::<f64>().unwrap() + fields[13].parse::<f64>().unwrap();
    ticks / TICKS_PER_SECOND
}
