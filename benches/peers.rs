//! What watching together costs, and how fast it is, beside one node that watches alone: `cargo bench --bench peers`.
//!
//! Every node is a process of its own, all on loopback and with one config. Memory is by the kernel's accounting, traffic by the nodes' own
//! counters of their links, delays by this process: it is the target, the receiver of the alerts and the operator. Prints; asserts no
//! figure, because machines differ. `VIGILMON_BENCH_MONITORS` (10000) and `VIGILMON_BENCH_NODES` (3,7) make it smaller. It ends within six
//! minutes, one way or another.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, missing_docs, reason = "a benchmark")]

use std::collections::HashMap;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

/// Longest the whole may take.
const WHOLE: Duration = Duration::from_secs(360);
/// Over which traffic is counted.
const TRAFFIC_WINDOW: Duration = Duration::from_secs(40);
/// Traffic is steady when two windows of this length in a row differ by less than a quarter, or when this many have passed.
const STEADY_WINDOW: Duration = Duration::from_secs(5);
const STEADY_WINDOWS_MAX: usize = 10;
/// What one that watches alone is left to rest after its first checks, as those in a cluster are until their traffic is steady.
const REST: Duration = Duration::from_secs(15);
const CHANGES: usize = 20;
const POLL_EVERY: Duration = Duration::from_millis(10);
/// As many clusters at once, each with two ordinary outages and one during which the node that decides dies.
const OUTAGE_CLUSTERS: usize = 3;
const OUTAGE_NODES: usize = 3;
const OUTAGES_ORDINARY: usize = 2;
/// Each monitor's targets are on several ports: the checks of all nodes together are more connections than one port has numbers for.
const TARGET_PORTS: usize = 8;
const TARGET_BACKLOG: u32 = 4096;
/// Longest answer, target or receiver, to a connection that says nothing.
const SILENCE: Duration = Duration::from_secs(10);

const TOKEN: &str = "a token for this benchmark alone, on loopback";
const SECRET: &str = "a secret for this benchmark alone, on loopback";

static BEGUN: OnceLock<Instant> = OnceLock::new();

fn main() {
    BEGUN.get_or_init(Instant::now);
    let n_monitors: usize = std::env::var("VIGILMON_BENCH_MONITORS").map_or(10_000, |text| text.parse().expect("a number"));
    let sizes = std::env::var("VIGILMON_BENCH_NODES").unwrap_or_else(|_| "3,7".to_owned());
    let sizes: Vec<usize> = sizes.split(',').map(|text| text.trim().parse().expect("numbers, such as 3,7")).collect();
    let largest = sizes.iter().copied().max().unwrap();

    let target = Target::start();
    let alone = watch(&target, 1, n_monitors, false);
    let together: Vec<Seen> = sizes.iter().map(|n| watch(&target, *n, n_monitors, *n == largest)).collect();
    print_sizes(n_monitors, &alone, &together);
    for seen in &together {
        print_changes(seen);
    }
    print_outages(&outages());
    println!("\nall of it took {:.0} s", begun().elapsed().as_secs_f64());
}

fn begun() -> Instant {
    *BEGUN.get().unwrap()
}

/// Waits until `look` finds something; gives up with the whole.
fn until<T>(what: &str, pause: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun().elapsed() < WHOLE, "after {} s in all it still waits for {what}: try fewer monitors or nodes", WHOLE.as_secs());
        thread::sleep(pause);
    }
}

// What is printed.

fn row(name: &str, cells: &[String]) {
    println!("{name:<28}{}", cells.iter().map(|cell| format!("{cell:>14}")).collect::<String>());
}

fn print_sizes(n_monitors: usize, alone: &Seen, together: &[Seen]) {
    let cells = |first: String, of: &dyn Fn(&Seen) -> String, aim: &str| {
        let mut cells = vec![first];
        cells.extend(together.iter().map(of));
        cells.push(aim.to_owned());
        cells
    };
    let dash = || "–".to_owned();
    let alone_mib = median(&alone.rss_mib);
    println!("{n_monitors} monitors (tcp, every 10 minutes), one config\n");
    row("", &cells("alone".to_owned(), &|seen| format!("{} nodes", seen.n_nodes), "aim"));
    row("memory (RSS), MiB: median", &cells(format!("{alone_mib:.1}"), &|seen| format!("{:.1}", median(&seen.rss_mib)), ""));
    row("  most", &cells(format!("{alone_mib:.1}"), &|seen| format!("{:.1}", most(&seen.rss_mib)), ""));
    row("  median, more than alone", &cells(dash(), &|seen| format!("{:+.1}", median(&seen.rss_mib) - alone_mib), "+50"));
    row("sent per node, B/s: median", &cells(dash(), &|seen| format!("{:.0}", median(&seen.sent)), "1000, 7: 3000"));
    row("  most", &cells(dash(), &|seen| format!("{:.0}", most(&seen.sent)), ""));
    row("  steady after, s", &cells(dash(), &|seen| seen.steady_after.map_or("never".to_owned(), |took| secs(took, 0)), ""));
    row("all checked and live, s", &cells(secs(alone.ready_after, 1), &|seen| secs(seen.ready_after, 1), ""));
    println!(
        "traffic: over {} s, the frames of the links as the nodes count them (gossip, pings, questions), before WebSocket, TLS and TCP \
         add their heads",
        TRAFFIC_WINDOW.as_secs()
    );
    for seen in together.iter().filter(|seen| 0 < seen.n_renewed) {
        println!("traffic: {} links of the {} nodes were renewed meanwhile, and are counted from then on", seen.n_renewed, seen.n_nodes);
    }
}

fn print_changes(seen: &Seen) {
    if seen.changes.is_empty() {
        return;
    }
    println!("\nA monitor is paused at one of {} nodes: until all others show it, seen by asking every 10 ms\n", seen.n_nodes);
    row("", &["changes", "median, s", "max, s", "aim"].map(ToOwned::to_owned));
    row(
        "",
        &[seen.changes.len().to_string(), format!("{:.3}", median(&seen.changes)), format!("{:.3}", most(&seen.changes)), "0.5".to_owned()],
    );
}

fn print_outages(outages: &[Outage]) {
    let delays = |is_killed: bool| -> Vec<f64> {
        outages.iter().filter(|outage| outage.is_killed == is_killed).map(|outage| outage.delay.as_secs_f64()).collect()
    };
    let copies = |is_killed: bool| {
        let counts = outages.iter().filter(|outage| outage.is_killed == is_killed).map(|outage| outage.n_alerts);
        counts.max().unwrap_or(0).to_string()
    };
    let (ordinary, killed) = (delays(false), delays(true));
    println!("\nAn outage, {OUTAGE_NODES} nodes, every 5 s, two failures confirm: from the first failing check at any node to the alert\n");
    row("", &["outages", "median, s", "max, s", "extra, s", "aim", "most copies"].map(ToOwned::to_owned));
    let cells = |delays: &[f64], extra: String, aim: &str, copies: String| {
        [delays.len().to_string(), format!("{:.2}", median(delays)), format!("{:.2}", most(delays)), extra, aim.to_owned(), copies]
    };
    row("all nodes live", &cells(&ordinary, "–".to_owned(), "", copies(false)));
    let extra = format!("{:+.2}", median(&killed) - median(&ordinary));
    row("who decides is killed then", &cells(&killed, extra, "+20", copies(true)));
}

fn secs(took: Duration, digits: usize) -> String {
    format!("{:.digits$}", took.as_secs_f64())
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[middle - 1], sorted[middle]) } else { sorted[middle] }
}

fn most(of: &[f64]) -> f64 {
    of.iter().copied().fold(f64::MIN, f64::max)
}

// Memory, traffic, and changes.

struct Seen {
    n_nodes: usize,
    ready_after: Duration,
    /// `None`: it never was.
    steady_after: Option<Duration>,
    rss_mib: Vec<f64>,
    /// Bytes per second, by node.
    sent: Vec<f64>,
    n_renewed: usize,
    /// Seconds.
    changes: Vec<f64>,
}

/// Lets nodes watch `n_monitors` monitors and looks at them.
fn watch(target: &Target, n_nodes: usize, n_monitors: usize, has_changes: bool) -> Seen {
    let mut monitors = String::from("defaults: { interval: 10m, timeout: 5s }\nmonitors:\n");
    for i in 0..n_monitors {
        monitors.push_str(&format!("  - {{ name: m{i}, tcp: \"{}\" }}\n", target.ports[i % TARGET_PORTS]));
    }
    let (begin, before) = (Instant::now(), target.n_accepted.load(Ordering::Relaxed));
    let cluster = Cluster::start(n_nodes, &monitors);
    until("every monitor to be checked once by every node", Duration::from_millis(50), || {
        (before + n_nodes * n_monitors <= target.n_accepted.load(Ordering::Relaxed)).then_some(())
    });
    cluster.wait_until_live();
    let ready_after = begin.elapsed();
    let mut seen =
        Seen { n_nodes, ready_after, steady_after: None, rss_mib: Vec::new(), sent: Vec::new(), n_renewed: 0, changes: Vec::new() };
    if n_nodes == 1 {
        thread::sleep(REST);
    } else {
        seen.steady_after = cluster.wait_until_steady().then(|| begin.elapsed());
        let window = cluster.traffic(TRAFFIC_WINDOW);
        (seen.sent, seen.n_renewed) = (window.sent, window.n_renewed);
    }
    seen.rss_mib = cluster.nodes.iter().map(Node::rss_mib).collect();
    if has_changes {
        seen.changes = (0..CHANGES.min(n_monitors)).map(|i| cluster.change(&format!("m{i}")).as_secs_f64()).collect();
    }
    seen
}

struct Window {
    /// Bytes per second, by node.
    sent: Vec<f64>,
    n_renewed: usize,
}

impl Cluster {
    /// By link, from a node to another: since when it is up, and the bytes sent over it.
    fn links(&self) -> Vec<HashMap<String, (String, u64)>> {
        let of = |node: &Node| {
            let peers = node.get("/api/v1/peers");
            let others = peers["nodes"].as_array().unwrap().iter().filter(|other| !other["link"].is_null());
            let entry = |other: &Value| {
                let link = &other["link"];
                (text(&other["name"]), (text(&link["since"]), link["bytes_sent"].as_u64().unwrap()))
            };
            others.map(entry).collect()
        };
        self.nodes.iter().map(of).collect()
    }

    fn traffic(&self, over: Duration) -> Window {
        let (before, begin) = (self.links(), Instant::now());
        thread::sleep(over);
        let (after, took) = (self.links(), begin.elapsed().as_secs_f64());
        let mut window = Window { sent: Vec::new(), n_renewed: 0 };
        for (before, after) in before.iter().zip(&after) {
            let mut n_bytes = 0;
            for (name, (since, sent)) in after {
                let known = before.get(name).filter(|(was_since, was)| was_since == since && was <= sent).map(|(_, was)| *was);
                window.n_renewed += usize::from(known.is_none());
                n_bytes += sent - known.unwrap_or(0);
            }
            window.sent.push(n_bytes as f64 / took);
        }
        window
    }

    /// False when it was not, for long.
    fn wait_until_steady(&self) -> bool {
        let mut last = f64::INFINITY;
        for _ in 0..STEADY_WINDOWS_MAX {
            let now: f64 = self.traffic(STEADY_WINDOW).sent.iter().sum();
            if (now - last).abs() < last.min(now) / 4.0 {
                return true;
            }
            last = now;
        }
        false
    }

    /// Pauses a monitor at the first node; how long until all others show it.
    fn change(&self, monitor: &str) -> Duration {
        let path = format!("/api/v1/monitors/{monitor}");
        // So that no beat of the nodes and of this are the same.
        thread::sleep(Duration::from_millis(300 + begun().elapsed().subsec_millis() as u64 % 700));
        let begin = Instant::now();
        let shown = |node: &Node| {
            until("a pause to be seen", POLL_EVERY, || (node.get(&path)["paused_by_operator"] == true).then(|| begin.elapsed()))
        };
        thread::scope(|scope| {
            let pollers: Vec<_> = self.nodes[1..].iter().map(|node| scope.spawn(|| shown(node))).collect();
            self.nodes[0].ask("POST", &format!("{path}/pause"));
            pollers.into_iter().map(|poller| poller.join().unwrap()).max().unwrap()
        })
    }
}

// Outages.

struct Outage {
    /// The node that decides was killed when it began.
    is_killed: bool,
    delay: Duration,
    /// All that came until the end.
    n_alerts: usize,
}

/// In several clusters at once, since nearly all of the time is spent waiting.
fn outages() -> Vec<Outage> {
    let world = World::start();
    thread::scope(|scope| {
        let each: Vec<_> = (0..OUTAGE_CLUSTERS)
            .map(|i| {
                scope.spawn({
                    let world = &world;
                    move || world.outages(i)
                })
            })
            .collect();
        each.into_iter().flat_map(|one| one.join().unwrap()).collect()
    })
}

/// The target and the receiver.
struct World {
    address: SocketAddr,
    events: Arc<Mutex<Events>>,
}

#[derive(Default)]
struct Events {
    /// By path: `None` until a check of it failed.
    down: HashMap<String, Option<Instant>>,
    /// By monitor, when it was said to be down.
    alerts: HashMap<String, Vec<Instant>>,
}

impl World {
    fn start() -> World {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let world = World { address: listener.local_addr().unwrap(), events: Arc::default() };
        let events = Arc::clone(&world.events);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let events = Arc::clone(&events);
                thread::spawn(move || answer(stream, &events));
            }
        });
        world
    }

    fn outages(&self, i: usize) -> Vec<Outage> {
        let names: Vec<String> = (0..=OUTAGES_ORDINARY).map(|k| format!("c{i}-{k}")).collect();
        let mut config = format!(
            "defaults: {{ interval: 5s, timeout: 2s, channels: [sink] }}\nchannels: [{{ name: sink, webhook: {{ url: \"http://{0}/hook\" }}, \
             on: down }}]\nmonitors:\n",
            self.address
        );
        for name in &names {
            config.push_str(&format!("  - {{ name: {name}, http: \"http://{}/{name}\" }}\n", self.address));
        }
        let mut cluster = Cluster::start(OUTAGE_NODES, &config);
        cluster.wait_until_live();
        let mut outages = Vec::new();
        for (k, name) in names.iter().enumerate() {
            let is_killed = k == OUTAGES_ORDINARY;
            let decider = cluster.wait_for_decider(name);
            if is_killed {
                // The alert before this one came from somebody who may be the same node: it is to have said so.
                thread::sleep(Duration::from_secs(2));
                cluster.nodes[decider].kill();
            }
            let _ = self.events.lock().unwrap().down.insert(format!("/{name}"), None);
            let alerted = until("an alert", POLL_EVERY, || self.events.lock().unwrap().alerts.get(name).map(|all| all[0]));
            let failed = self.events.lock().unwrap().down[&format!("/{name}")].expect("an alert comes after a failing check");
            outages.push(Outage { is_killed, delay: alerted - failed, n_alerts: 0 });
        }
        // Long enough for a copy by another node: its turn comes 15 s after the first one's.
        thread::sleep(Duration::from_secs(16));
        let events = self.events.lock().unwrap();
        for (outage, name) in outages.iter_mut().zip(&names) {
            outage.n_alerts = events.alerts[name].len();
        }
        outages
    }
}

impl Cluster {
    /// The node that decides about a monitor, once that is up on all nodes and all name the same one.
    fn wait_for_decider(&self, monitor: &str) -> usize {
        until("a decider", Duration::from_millis(100), || {
            let views: Vec<Value> = self.nodes.iter().map(|node| node.get(&format!("/api/v1/monitors/{monitor}"))).collect();
            let is_agreed = views.iter().all(|view| view["status"] == "up" && view["decided_by"] == views[0]["decided_by"]);
            self.nodes.iter().position(|node| is_agreed && views[0]["decided_by"] == node.name.as_str())
        })
    }
}

/// Answers a check, or takes an alert.
fn answer(stream: TcpStream, events: &Mutex<Events>) {
    let _ = stream.set_read_timeout(Some(SILENCE));
    let mut reader = BufReader::new(&stream);
    let (mut head, mut n_bytes) = (String::new(), 0);
    loop {
        let begin = head.len();
        match reader.read_line(&mut head) {
            Ok(n) if 2 < n => {}
            _ => break,
        }
        if let Some((name, value)) = head[begin..].split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            n_bytes = value.trim().parse().unwrap_or_else(|_| panic!("{name} is no number"));
        }
    }
    let mut body = vec![0; n_bytes];
    let Some(path) = head.split_whitespace().nth(1).filter(|_| reader.read_exact(&mut body).is_ok()) else { return };
    let now = Instant::now();
    let status = {
        let mut events = events.lock().unwrap();
        if path == "/hook" {
            let alert: Value = serde_json::from_slice(&body).unwrap();
            if alert["event"] == "down" {
                events.alerts.entry(text(&alert["monitor_id"])).or_default().push(now);
            }
            "200 OK"
        } else if let Some(first) = events.down.get_mut(path) {
            first.get_or_insert(now);
            "503 Service Unavailable"
        } else {
            "200 OK"
        }
    };
    let _ = write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}

// The nodes.

struct Cluster {
    nodes: Vec<Node>,
    _dir: tempfile::TempDir,
}

struct Node {
    name: String,
    address: String,
    child: Child,
}

impl Cluster {
    /// Starts all nodes at once; one is no cluster.
    fn start(n_nodes: usize, rest: &str) -> Cluster {
        let dir = tempfile::tempdir().unwrap();
        // All are held until all are known, so that no two are the same.
        let held: Vec<TcpListener> = (0..n_nodes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<String> = held.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
        drop(held);
        let hash = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, TOKEN.as_bytes()).as_ref());
        let mut config = format!(
            "server: {{ listen: \"${{LISTEN}}\" }}\ninstance: {{ state_dir: \"${{STATE}}\" }}\n\
             auth: {{ tokens: [{{ name: bench, hash: \"{hash}\", scope: write }}] }}\n"
        );
        if 1 < n_nodes {
            config.push_str("peers:\n  cluster: bench\n  secret: { env: CLUSTER_SECRET }\n  nodes:\n");
            for (i, address) in addresses.iter().enumerate() {
                config.push_str(&format!("    - {{ name: n{i}, region: r{i}, url: \"ws://{address}/peer\" }}\n"));
            }
        }
        config.push_str(rest);
        fs::write(dir.path().join("config.yaml"), config).unwrap();
        let nodes = addresses.into_iter().enumerate().map(|(i, address)| Node::start(dir.path(), format!("n{i}"), address)).collect();
        Cluster { nodes, _dir: dir }
    }

    /// Waits until every node counts every node; alone, until it answers.
    fn wait_until_live(&self) {
        for node in &self.nodes {
            until("all nodes to be live", Duration::from_millis(200), || {
                let peers = node.try_ask("GET", "/api/v1/peers")?;
                let nodes = peers["nodes"].as_array()?;
                let n_expected = if self.nodes.len() == 1 { 0 } else { self.nodes.len() };
                (nodes.len() == n_expected && nodes.iter().all(|other| other["is_counted"] == true)).then_some(())
            });
        }
    }
}

impl Node {
    fn start(dir: &Path, name: String, address: String) -> Node {
        let log = fs::File::create(dir.join(format!("{name}.log"))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigilmon"));
        for name in ["VIGILMON_CONFIG", "VIGILMON_STATE_DIR", "VIGILMON_LOG", "STATE_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET"] {
            command.env_remove(name);
        }
        command.args(["run", "--log", "error", "--config"]).arg(dir.join("config.yaml"));
        command.env("VIGILMON_NODE", &name).env("LISTEN", &address).env("STATE", dir.join(&name)).env("CLUSTER_SECRET", SECRET);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Node { name, address, child }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn rss_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path)
    }

    fn ask(&self, method: &str, path: &str) -> Value {
        self.try_ask(method, path).unwrap_or_else(|| panic!("{} does not answer {method} {path}", self.name))
    }

    fn try_ask(&self, method: &str, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n", self.address);
        write!(stream, "{head}content-length: 0\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        Some(serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

// What the many monitors look at.

struct Target {
    ports: Vec<SocketAddr>,
    n_accepted: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl Target {
    /// Listens with a long queue, which the standard library's listeners do not have: the first checks come all at once.
    fn start() -> Target {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let n_accepted = Arc::new(AtomicUsize::new(0));
        let mut ports = Vec::new();
        for _ in 0..TARGET_PORTS {
            let _inside = runtime.enter();
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = socket.listen(TARGET_BACKLOG).unwrap();
            ports.push(listener.local_addr().unwrap());
            let n_accepted = Arc::clone(&n_accepted);
            runtime.spawn(async move {
                while listener.accept().await.is_ok() {
                    n_accepted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Target { ports, n_accepted, _runtime: runtime }
    }
}
