//! A small internet: network namespaces on a bridge, with instances, a shop that they watch and a receiver of their alerts. Addresses exist
//! only inside, nothing leads out, and everything is gone when the lab is dropped.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "helpers of tests; each test file uses some of them"
)]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::thread::LinkNameSpaceType;
use rustix::thread::move_into_link_name_space;

use crate::common;
use crate::common::Answer;
use crate::common::Asked;
use crate::common::Server;
use crate::common::find_program;
use crate::common::wait_for;

/// Where the shop is, and its name server.
pub const SHOP: &str = "10.77.0.100";
/// Where alerts go.
pub const RECEIVER: &str = "10.77.0.101";

/// Each instance listens here.
pub const PORT: u16 = 8080;

/// What all instances share; good enough inside.
pub const SECRET: &str = "the secret of a cluster that lives for a minute";

static N_LABS: AtomicUsize = AtomicUsize::new(0);

/// The world of one story.
pub struct Lab {
    prefix: String,
    ip: PathBuf,
    nft: PathBuf,
    namespaces: Vec<String>,
    n_nodes: u8,
    pub shop: Server,
    pub receiver: Server,
}

impl Lab {
    /// `None`, with a notice, where the kernel does not let us.
    pub fn new() -> Option<Lab> {
        let (ip, nft) = (find_program("ip")?, find_program("nft")?);
        let prefix = format!("vt{}x{}", std::process::id(), N_LABS.fetch_add(1, Ordering::Relaxed));
        let bridge = format!("{prefix}-net");
        let made = Command::new(&ip).args(["netns", "add", &bridge]).output().unwrap();
        if !made.status.success() {
            assert!(std::env::var_os("CI").is_none(), "network namespaces are required in CI: {}", common::stderr(&made));
            eprintln!("skipped: network namespaces cannot be made here: {}", common::stderr(&made).trim());
            return None;
        }
        let mut lab = Lab {
            prefix,
            ip,
            nft,
            namespaces: vec![bridge.clone()],
            n_nodes: 0,
            // Replaced as soon as there are namespaces to listen in.
            shop: Server::start(Answer::Silence),
            receiver: Server::start(Answer::Silence),
        };
        lab.ip(&["-n", &bridge, "link", "add", "br0", "type", "bridge"]);
        lab.ip(&["-n", &bridge, "link", "set", "br0", "up"]);
        lab.add("shop", SHOP);
        lab.add("receiver", RECEIVER);
        lab.shop = lab.server("shop", 80);
        lab.receiver = lab.server("receiver", 80);
        lab.name_server();
        Some(lab)
    }

    /// The namespace of a name.
    pub fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// A namespace on the bridge.
    pub fn add(&mut self, name: &str, address: &str) {
        let (namespace, bridge) = (self.namespace(name), self.namespace("net"));
        self.ip(&["netns", "add", &namespace]);
        self.namespaces.push(namespace.clone());
        let port = format!("p{}", self.namespaces.len());
        self.ip(&["-n", &bridge, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
        self.ip(&["-n", &bridge, "link", "set", &port, "master", "br0", "up"]);
        self.ip(&["-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        self.ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        self.ip(&["-n", &namespace, "link", "set", "lo", "up"]);
    }

    #[track_caller]
    pub fn ip(&self, arguments: &[&str]) {
        let output = Command::new(&self.ip).args(arguments).output().unwrap();
        assert!(output.status.success(), "ip {}: {}", arguments.join(" "), common::stderr(&output));
    }

    /// Rules for packets in a namespace, instead of those there are.
    #[track_caller]
    pub fn rules(&self, name: &str, inward: &[&str], outward: &[&str]) {
        let chain = |hook: &str, rules: &[&str]| {
            format!("add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}\n")
                + &rules.iter().map(|rule| format!("add rule inet lab {hook} {rule}\n")).collect::<String>()
        };
        let text = format!("add table inet lab\nflush table inet lab\n{}{}", chain("input", inward), chain("output", outward));
        self.nft(name, &text);
    }

    #[track_caller]
    pub fn nft(&self, name: &str, text: &str) {
        let output = self.exec(name, &self.nft.display().to_string()).arg(text).output().unwrap();
        assert!(output.status.success(), "nft in {name}: {}\n{text}", common::stderr(&output));
    }

    /// A command in a namespace.
    pub fn exec(&self, name: &str, program: &str) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", &self.namespace(name), program]);
        command
    }

    /// Nothing in, nothing out.
    pub fn isolate(&self, node: &Node) {
        self.rules(&node.name, &["iifname != lo drop"], &["oifname != lo drop"]);
    }

    /// What `to` gets from these is lost.
    pub fn deafen(&self, to: &Node, from: &[&Node]) {
        let rules: Vec<String> = from.iter().map(|node| format!("ip saddr {} drop", node.address)).collect();
        self.rules(&to.name, &rules.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    }

    /// All is well again.
    pub fn heal(&self, node: &Node) {
        self.rules(&node.name, &[], &[]);
    }

    /// A listener in a namespace: the thread that binds it moves there, and the listener stays.
    pub fn inside<T: Send + 'static>(&self, name: &str, make: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = fs::File::open(Path::new("/run/netns").join(self.namespace(name))).unwrap();
        thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            make()
        })
        .join()
        .unwrap()
    }

    pub fn server(&self, name: &str, port: u16) -> Server {
        Server::on(self.inside(name, move || TcpListener::bind(("0.0.0.0", port)).unwrap()), Answer::Status(200, "ok"))
    }

    /// Answers every question for an address with the shop's, at the shop's.
    fn name_server(&self) {
        let socket = self.inside("shop", || UdpSocket::bind(("0.0.0.0", 53)).unwrap());
        thread::spawn(move || {
            let mut packet = [0_u8; 1500];
            while let Ok((n, from)) = socket.recv_from(&mut packet) {
                let Some(labels) = packet[12..n].iter().position(|byte| *byte == 0) else { continue };
                let end = 12 + labels + 5;
                let is_a = packet[end - 4..end - 2] == [0, 1];
                let mut answer = packet[..end].to_vec();
                answer[2] = 0x81;
                answer[3] = 0x80;
                answer[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
                if is_a {
                    // The name of the question, an address, for a second, four bytes.
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 77, 0, 100]);
                }
                let _ = socket.send_to(&answer, from);
            }
        });
    }

    /// An instance-to-be: a namespace and a directory with this config.
    pub fn node(&mut self, name: &str, config: &str) -> Node {
        self.n_nodes += 1;
        let address = format!("10.77.0.{}", self.n_nodes);
        self.add(name, &address);
        self.machine(name, address, config)
    }

    /// One behind a router of its own, which translates what goes out and lets nothing in.
    pub fn behind_nat(&mut self, name: &str, address: &str, config: &str) -> Node {
        self.n_nodes += 1;
        let (router, outside) = (format!("{name}-nat"), format!("10.77.0.{}", self.n_nodes));
        self.add(&router, &outside);
        let (namespace, routing) = (self.namespace(name), self.namespace(&router));
        self.ip(&["netns", "add", &namespace]);
        self.namespaces.push(namespace.clone());
        self.ip(&["-n", &routing, "link", "add", "inside", "type", "veth", "peer", "name", "eth0", "netns", &namespace]);
        self.ip(&["-n", &routing, "addr", "add", "10.0.0.1/24", "dev", "inside"]);
        self.ip(&["-n", &routing, "link", "set", "inside", "up"]);
        self.ip(&["-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        self.ip(&["-n", &namespace, "link", "set", "eth0", "up"]);
        self.ip(&["-n", &namespace, "link", "set", "lo", "up"]);
        self.ip(&["-n", &namespace, "route", "add", "default", "via", "10.0.0.1"]);
        let on = self.exec(&router, "sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]).output().unwrap();
        assert!(on.status.success(), "{}", common::stderr(&on));
        self.nft(
            &router,
            "add table ip nat\nadd chain ip nat out { type nat hook postrouting priority 100; }\nadd rule ip nat out oifname eth0 masquerade\n\
             add chain ip nat forward { type filter hook forward priority 0; }\n\
             add rule ip nat forward iifname eth0 ct state new drop\n",
        );
        self.machine(name, address.to_owned(), config)
    }

    /// What names mean in a namespace; `ip netns exec` puts it in the place of `/etc/hosts`.
    pub fn hosts(&self, name: &str, text: &str) {
        let dir = Path::new("/etc/netns").join(self.namespace(name));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("hosts"), text).unwrap();
    }

    fn machine(&self, name: &str, address: String, config: &str) -> Node {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.yaml"), config).unwrap();
        let (namespace, ip) = (self.namespace(name), self.ip.clone());
        Node { name: name.to_owned(), address, namespace, ip, dir, environment: Vec::new(), child: None, log: Arc::default() }
    }

    /// Nodes by these names, the same config on all, started.
    pub fn cluster(&mut self, names: &[&str], config: &str) -> Vec<Node> {
        let mut nodes: Vec<Node> = names.iter().map(|name| self.node(name, config)).collect();
        nodes.iter_mut().for_each(Node::start);
        nodes
    }

    /// Messages so far.
    pub fn told(&self) -> Vec<Told> {
        self.receiver.asked().into_iter().map(Told::of).collect()
    }

    /// Waits for so many messages, and then for as long again as a repeat would take: nobody sends more.
    #[track_caller]
    pub fn told_exactly(&self, n: usize, quiet: Duration) -> Vec<Told> {
        self.receiver.wait_for(n);
        self.quiet(quiet);
        let told = self.told();
        assert_eq!(told.len(), n, "{told:#?}");
        told
    }

    /// Lets time pass.
    pub fn quiet(&self, time: Duration) {
        thread::sleep(time);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            let _ = Command::new(&self.ip).args(["netns", "del", namespace]).output();
            let _ = fs::remove_dir_all(Path::new("/etc/netns").join(namespace));
        }
    }
}

/// A message as the receiver got it.
#[derive(Debug, Clone)]
pub struct Told {
    pub at: Instant,
    pub from: String,
    pub event: String,
    pub key: String,
    pub incident: String,
    pub regions_failing: Vec<String>,
    pub possible_repeat: bool,
    pub confidence: String,
    pub text: String,
}

impl Told {
    fn of(asked: Asked) -> Told {
        let body = asked.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(asked.header("idempotency-key"), Some(text("key").as_str()), "the header and the field are one key");
        Told {
            at: asked.at,
            from: asked.header("x-node").unwrap_or_default().to_owned(),
            event: text("event"),
            key: text("key"),
            incident: text("incident_id"),
            regions_failing: body["regions_failing"].as_array().unwrap().iter().map(|r| r.as_str().unwrap().to_owned()).collect(),
            possible_repeat: body["possible_repeat"].as_bool().unwrap(),
            confidence: text("confidence"),
            text: text("text"),
        }
    }
}

/// The `peers:` of these nodes, the first ones reachable, those that begin with `home` not.
pub fn peers(names: &[&str], more: &str) -> String {
    let mut out = format!("peers:\n  cluster: lab\n  secret: {{ env: CLUSTER_SECRET }}\n{more}  nodes:\n");
    for (i, name) in names.iter().enumerate() {
        let url = if name.starts_with("home") { String::new() } else { format!(", url: \"ws://10.77.0.{}:{PORT}/peer\"", i + 1) };
        out.push_str(&format!("    - {{ name: {name}, region: {name}{url} }}\n"));
    }
    out
}

/// The rest of a config: looks each second, confirms quickly, tells the receiver.
pub fn watching() -> String {
    format!(
        "server: {{ listen: \"0.0.0.0:{PORT}\" }}
defaults: {{ interval: 1s, timeout: 1s, confirm: {{ failures: 2, successes: 2, recheck: 1s }}, channels: [ops] }}
monitors:
  - {{ name: shop, http: {{ url: \"http://shop.example.com/\", resolver: [{SHOP}] }} }}
channels:
  - {{ name: ops, webhook: {{ url: \"http://{RECEIVER}/hook\", headers: {{ X-Node: \"${{VIGILMON_NODE:-alone}}\" }} }}, on: [down, recovered] }}
"
    )
}

/// An instance in a namespace.
pub struct Node {
    pub name: String,
    pub address: String,
    namespace: String,
    ip: PathBuf,
    pub dir: tempfile::TempDir,
    /// Besides the name and the secret.
    pub environment: Vec<(String, String)>,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Node {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", &self.namespace, env!("CARGO_BIN_EXE_vigilmon")]).args(arguments);
        for name in ["VIGILMON_CONFIG", "VIGILMON_STATE_DIR", "VIGILMON_LOG", "STATE_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET"] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").env("VIGILMON_NODE", &self.name).env("CLUSTER_SECRET", SECRET);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("--config").arg(self.dir.path().join("config.yaml")).arg("--state-dir").arg(self.dir.path().join("state"));
        command
    }

    /// Starts it and waits until it answers.
    #[track_caller]
    pub fn start(&mut self) {
        // Whatever becomes of the test, the system closes the pipe and the instance ends.
        let mut command = self.command(&["run"]);
        command.env("VIGILMON_END_WITH_STDIN", "1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (log, stderr) = (Arc::clone(&self.log), child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        self.child = Some(child);
        wait_for(&format!("{} to answer", self.name), || self.status());
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    #[track_caller]
    pub fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{}", self.log());
    }

    /// Everything it said since it was first started.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How often a text stands in its log.
    pub fn n_said(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// What `vigilmon status --json` says; `None` while nobody answers.
    pub fn status(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).ok()
    }

    /// The monitor's word and the ids of its open incidents.
    pub fn shows(&self) -> (String, Vec<String>) {
        let Some(status) = self.status() else { return ("gone".to_owned(), Vec::new()) };
        let monitor = &status["monitors"][0];
        let open = monitor["open_incidents"].as_array().unwrap().iter().map(|incident| incident["id"].as_str().unwrap().to_owned());
        (monitor["status"].as_str().unwrap().to_owned(), open.collect())
    }

    #[track_caller]
    pub fn wait_for(&self, word: &str) {
        wait_for(&format!("{} to show `{word}`", self.name), || (self.shows().0 == word).then_some(()));
    }

    /// Waits until it has a link to another node.
    #[track_caller]
    pub fn wait_for_link(&self, other: &str) {
        wait_for(&format!("{} to link with {other}", self.name), || {
            let log = self.log();
            let (up, down) = (log.rfind(&format!("linked with `{other}`")), log.rfind(&format!("the link to `{other}` is gone")));
            (down < up).then_some(())
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.name, self.log());
        }
    }
}

/// Waits until all show the same, and nothing but at most one incident, which all call the same.
#[track_caller]
pub fn all_show(nodes: &[Node], word: &str) -> Option<String> {
    wait_for(&format!("all to show `{word}`"), || {
        let shown: Vec<(String, Vec<String>)> = nodes.iter().map(Node::shows).collect();
        let is_one = shown.iter().all(|one| one.0 == word && one.1 == shown[0].1 && one.1.len() <= 1);
        is_one.then(|| shown[0].1.first().cloned())
    })
}
