//! A few real instances as peers on this machine: what an operator sees of them, and can do.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use common::Answer;
use common::Server;
use common::closed_port;
use common::listener::Listener;
use common::mailer::Mailer;
use common::mailer::field;
use common::mailer::link;
use common::request;
use common::stderr;
use common::stdout;
use common::vigilmon;
use common::wait_for;

const NODES: [&str; 3] = ["eu", "us", "ap"];
const SECRET: &str = "correct-horse-battery-staple";

/// The same file for all nodes, and where each of them listens.
struct Cluster {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
    target: Server,
}

impl Cluster {
    /// Of two nodes.
    fn new() -> Cluster {
        Cluster::of(2)
    }

    fn of(n_nodes: usize) -> Cluster {
        let (dir, target) = (tempfile::tempdir().unwrap(), Server::start(Answer::Status(200, "ok")));
        let ports: Vec<u16> = (0..n_nodes).map(|_| closed_port()).collect();
        let node = |(name, port): (&&str, &u16)| format!("    - {{ name: {name}, region: {name}, url: \"ws://127.0.0.1:{port}/peer\" }}\n");
        let nodes: String = NODES.iter().zip(&ports).map(node).collect();
        let config = format!(
            "server: {{ listen: \"${{LISTEN}}\" }}
instance: {{ state_dir: \"${{STATE}}\" }}
peers:
  cluster: acme
  secret: {{ env: CLUSTER_SECRET }}
  nodes:
{nodes}monitors: [{{ name: m, http: \"{}\", interval: 1s, timeout: 1s, confirm: {{ failures: 2, recheck: 1s }} }}]
",
            target.url("/")
        );
        fs::write(dir.path().join("config.yaml"), config).unwrap();
        Cluster { dir, ports, target }
    }

    fn node(&self, i: usize, secret: &str) -> Node {
        let state = self.dir.path().join(NODES[i]);
        let node = Node {
            dir: self.dir.path().to_owned(),
            name: NODES[i],
            address: format!("127.0.0.1:{}", self.ports[i]),
            state,
            secret: secret.to_owned(),
            child: None,
            log: Arc::default(),
        };
        node.start()
    }
}

/// One instance.
struct Node {
    dir: PathBuf,
    name: &'static str,
    address: String,
    state: PathBuf,
    secret: String,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Node {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = vigilmon();
        let place: &Path = &self.dir;
        command.current_dir(place).args(arguments).env("VIGILMON_NODE", self.name).env("LISTEN", &self.address);
        command.env("STATE", &self.state).env("CLUSTER_SECRET", &self.secret);
        command
    }

    fn start(mut self) -> Node {
        let mut child = self.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, lines) = (Arc::clone(&self.log), BufReader::new(child.stderr.take().unwrap()).lines());
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| log.lock().unwrap().push_str(&format!("{line}\n"))));
        self.child = Some(child);
        wait_for("the instance to answer", || std::net::TcpStream::connect(&self.address).ok());
        self
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn peers(&self) -> (Option<i32>, serde_json::Value) {
        let output = self.run(&["peer", "status", "--json"]);
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no status: {}", stderr(&output)));
        (output.status.code(), json)
    }

    /// The state of both nodes, as this one sees them.
    fn states(&self) -> Vec<String> {
        let (_, peers) = self.peers();
        peers["nodes"].as_array().unwrap().iter().map(|node| node["state"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn wait_for_states(&self, wanted: &[&str]) {
        let mut seen = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < common::PATIENCE {
            seen = self.states();
            if seen == wanted {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("`{}` sees {seen:?}, not {wanted:?}:\n{}", self.name, self.log.lock().unwrap());
    }

    fn warnings(&self) -> Vec<String> {
        self.log.lock().unwrap().lines().filter(|line| line.contains(" WARN ")).map(ToOwned::to_owned).collect()
    }

    /// Signs in by a one-time link.
    fn cookie(&self) -> String {
        let link = stdout(&self.run(&["sign-in-link"]));
        let path = format!("/sign-in/{}", link.trim().split_once("/sign-in/").unwrap().1);
        let (status, head, body) = request(&self.address, "POST", &path, &[("sec-fetch-site", "same-origin")], "");
        assert_eq!(status, 303, "{body}");
        let line = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        line.split(';').next().unwrap().to_owned()
    }

    fn page(&self, path: &str, cookie: &str) -> String {
        let (status, _, body) = request(&self.address, "GET", path, &[("cookie", cookie)], "");
        assert_eq!(status, 200, "{body}");
        body
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn two_nodes_are_looked_at_asked_lost_and_forgotten() {
    let cluster = Cluster::new();
    let (eu, mut us) = (cluster.node(0, SECRET), cluster.node(1, SECRET));
    eu.wait_for_states(&["live", "live"]);
    us.wait_for_states(&["live", "live"]);
    let (code, peers) = eu.peers();
    assert_eq!((code, &peers["cluster"]["is_primary"]), (Some(0), &true.into()), "{peers}");
    assert_eq!(peers["summary"], "2 of 2 nodes agree on the config and see each other.");
    assert_eq!(peers["nodes"][1]["link"]["is_up"], true, "{peers}");
    let table = stdout(&eu.run(&["peer", "status"]));
    assert!(table.contains("eu (this node)") && table.contains("cluster acme, primary part: 2 of 2 nodes"), "{table}");
    let ping = us.run(&["peer", "ping", "-n", "2"]);
    assert_eq!(ping.status.code(), Some(0), "{}", stdout(&ping));
    assert!(stdout(&ping).contains("eu    2 of 2    "), "{}", stdout(&ping));
    let refused = eu.run(&["peer", "forget", "us"]);
    assert!(refused.status.code() == Some(1) && stderr(&refused) == "`us` is alive; stop it first\n", "{}", stderr(&refused));

    us.kill();
    eu.wait_for_states(&["live", "silent"]);
    assert_eq!(eu.peers().0, Some(1));
    let ping = eu.run(&["peer", "ping", "us", "-n", "1"]);
    assert!(ping.status.code() == Some(1) && stdout(&ping).contains("there is no link to `us`"), "{}", stdout(&ping));
    let status = stdout(&eu.run(&["status"]));
    assert!(status.contains("cluster acme, node eu: 1 of 2 nodes"), "{status}");
    let cookie = eu.cookie();
    let page = eu.page("/peers", &cookie);
    assert!(page.contains("This node sees 1 of 2 nodes") && page.contains("action=\"/peers/us/forget\""), "{page}");
    let forgotten = eu.run(&["peer", "forget", "us"]);
    assert_eq!(forgotten.status.code(), Some(0), "{}", stderr(&forgotten));
    wait_for("one node to be left", || (eu.states() == ["live"]).then_some(()));
    let (code, peers) = eu.peers();
    assert_eq!((code, &peers["forgotten"]), (Some(0), &serde_json::json!(["us"])), "{peers}");

    // What was forgotten comes back, is told so, and takes no part.
    let us = us.start();
    us.wait_for_states(&["live", "forgotten"]);
    eu.wait_for_states(&["live", "forgotten"]);
    let (code, peers) = us.peers();
    assert_eq!((code, &peers["is_ready"]), (Some(1), &false.into()), "{peers}");
    let page = us.page("/monitors", &us.cookie());
    assert!(page.contains("This node was forgotten"), "{page}");
    let page = eu.page("/peers", &cookie);
    assert!(page.contains("It was forgotten and still runs, without a vote"), "{page}");
}

#[test]
fn a_wrong_secret_is_one_clear_line_in_the_log_and_on_the_page() {
    let cluster = Cluster::new();
    let (eu, us) = (cluster.node(0, SECRET), cluster.node(1, "another-horse-battery-staple"));
    let on_page = |node: &Node, expected: &str| {
        let cookie = node.cookie();
        wait_for(expected, || node.page("/peers", &cookie).contains(expected).then_some(()));
    };
    on_page(&eu, "`us` presented another key: `peers.secret` differs between the two");
    on_page(&us, "`eu` presented another key: `peers.secret` differs between the two");
    // Some redials later it is still said once. Until the other one listened, there was nobody to be dialed.
    thread::sleep(Duration::from_secs(8));
    for (node, expected) in [(&eu, "`us` presented another key"), (&us, "`eu` presented another key")] {
        let warnings = node.warnings();
        let about_keys = warnings.iter().filter(|line| line.contains(expected)).count();
        let others: Vec<&String> = warnings.iter().filter(|line| !line.contains(expected) && !line.contains("cannot connect")).collect();
        assert!(about_keys == 1 && others.is_empty(), "{warnings:?}");
        assert!(!warnings.iter().any(|line| line.contains("horse")));
    }
}

#[test]
fn a_ping_to_one_node_counts_on_the_other_and_a_missed_one_is_missed_on_both() {
    let cluster = Cluster::new();
    let path = cluster.dir.path().join("config.yaml");
    let beat = "monitors: [{ name: job, heartbeat: { interval: 4s, grace: 2s, first_ping: optional } }, {";
    let text = fs::read_to_string(&path).unwrap().replace("monitors: [{", beat);
    fs::write(&path, text).unwrap();
    let (eu, us) = (cluster.node(0, SECRET), cluster.node(1, SECRET));
    wait_for("the nodes to see each other", || (eu.peers().0 == Some(0) && us.peers().0 == Some(0)).then_some(()));
    let url = |node: &Node| {
        let said = node.run(&["heartbeat", "url", "job", "--json", "--base", "http://x"]);
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{}", stderr(&said)));
        said["token"].as_str().unwrap().trim_start_matches("http://x").to_owned()
    };
    let address = url(&eu);
    assert_eq!(address, url(&us), "all nodes derive the same");
    let status = |node: &Node| {
        let said: serde_json::Value = serde_json::from_slice(&node.run(&["status", "--json"]).stdout).unwrap();
        let found = said["monitors"].as_array().unwrap().iter().find(|monitor| monitor["id"] == "job").unwrap().clone();
        found["status"].as_str().unwrap().to_owned()
    };
    for _ in 0..5 {
        assert_eq!(request(&us.address, "GET", &address, &[], "").0, 200);
        thread::sleep(Duration::from_secs(3));
        assert_ne!(status(&eu), "down");
    }
    wait_for("both to hold it up", || (status(&eu) == "up" && status(&us) == "up").then_some(()));
    wait_for("both to miss it", || (status(&eu) == "down" && status(&us) == "down").then_some(()));
    assert_eq!(request(&eu.address, "GET", &address, &[], "").0, 200);
    wait_for("both to hear that it is back", || (status(&eu) == "up" && status(&us) == "up").then_some(()));
}

/// What `vigilmon status` says of who is at work on the only monitor, and whether PagerDuty was told of it.
fn alert_of(node: &Node) -> (serde_json::Value, bool) {
    let said: serde_json::Value = serde_json::from_slice(&node.run(&["status", "--json"]).stdout).unwrap();
    let incident = &said["monitors"][0]["open_incidents"][0];
    (incident["acknowledged"]["by"].clone(), incident["told"] == serde_json::json!(["pager"]))
}

#[test]
fn what_pagerduty_reports_to_either_node_is_known_on_both_and_told_back_by_neither() {
    let (cluster, pager) = (Cluster::new(), Server::start(Answer::Status(202, "{}")));
    let path = cluster.dir.path().join("config.yaml");
    let secret = "the-secret-of-the-webhook";
    let more = format!(
        "defaults: {{ channels: [pager] }}
channels: [{{ name: pager, pagerduty: {{ routing_key: 01234567890123456789012345678901, api_url: \"{}\", webhook_secret: {secret} }} }}]
monitors: ",
        pager.url("")
    );
    let text = fs::read_to_string(&path).unwrap().replace("monitors: ", &more);
    fs::write(&path, text).unwrap();
    let (eu, us) = (cluster.node(0, SECRET), cluster.node(1, SECRET));
    wait_for("the nodes to see each other", || (eu.peers().0 == Some(0) && us.peers().0 == Some(0)).then_some(()));
    cluster.target.set(Answer::Status(503, "busy"));
    assert_eq!(pager.wait_for(1)[0].json()["dedup_key"], "vigilmon:m");
    wait_for("both to know who was told", || (alert_of(&eu).1 && alert_of(&us).1).then_some(()));
    let report = |node: &Node, kind: &str, id: &str| {
        let body = serde_json::json!({"event": {
            "id": id,
            "event_type": kind,
            "occurred_at": jiff::Timestamp::now().to_string(),
            "agent": {"type": "user_reference", "summary": "Ada"},
            "data": {"incident_key": "vigilmon:m"},
        }})
        .to_string();
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
        let signature = format!("v1={}", data_encoding::HEXLOWER.encode(tag.as_ref()));
        assert_eq!(request(&node.address, "POST", "/hooks/pagerduty/pager", &[("x-pagerduty-signature", &signature)], &body).0, 200);
    };
    report(&us, "incident.acknowledged", "one");
    wait_for("both to know of Ada", || {
        let known = |node: &Node| alert_of(node).0 == "Ada in PagerDuty";
        (known(&eu) && known(&us)).then_some(())
    });
    // The end comes to the other node.
    report(&eu, "incident.unacknowledged", "two");
    wait_for("both to know that nobody is", || (alert_of(&eu).0.is_null() && alert_of(&us).0.is_null()).then_some(()));
    thread::sleep(Duration::from_secs(3));
    let actions: Vec<_> = pager.asked().iter().map(|asked| asked.json()["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger"], "what PagerDuty said itself it is not told");
}

#[test]
fn what_the_other_region_saw_is_shown_after_the_end_too() {
    let cluster = Cluster::new();
    let (eu, us) = (cluster.node(0, SECRET), cluster.node(1, SECRET));
    wait_for("the nodes to see each other", || (eu.peers().0 == Some(0) && us.peers().0 == Some(0)).then_some(()));
    cluster.target.set(Answer::Status(503, "busy"));
    let open = |node: &Node| -> serde_json::Value {
        let said: serde_json::Value = serde_json::from_slice(&node.run(&["status", "--json"]).stdout).unwrap();
        said["monitors"][0]["open_incidents"][0]["id"].clone()
    };
    let id = wait_for("an incident", || open(&us).as_str().map(ToOwned::to_owned));
    cluster.target.set(Answer::Status(200, "ok"));
    wait_for("its end", || (open(&us).is_null() && open(&eu).is_null()).then_some(()));
    for node in [&eu, &us] {
        let page = node.page(&format!("/incidents/{id}"), &node.cookie());
        let seen = page.split_once("What the regions saw last").unwrap_or_else(|| panic!("{page}")).1;
        let seen = seen.split_once("</section>").unwrap().0;
        assert_eq!(seen.matches("Last bad check").count(), 2, "{seen}");
        assert!(
            ["(eu)", "(us)"].iter().all(|agent| seen.contains(&format!("user-agent: vigilmon/{} {agent}", env!("CARGO_PKG_VERSION")))),
            "{seen}"
        );
    }
}

/// Whom a node knows, in the order of their addresses: the address, where it signed up, and whether it has confirmed.
fn subscribers(node: &Node) -> Vec<(String, String, bool)> {
    let said: serde_json::Value = serde_json::from_slice(&node.run(&["subscribers", "list", "--json"]).stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let one = |one: &serde_json::Value| (text(&one["address"]), text(&one["home"]), one["confirmed_at"].is_string());
    said["subscribers"].as_array().unwrap().iter().map(one).collect()
}

#[track_caller]
fn wait_for_subscribers(nodes: &[&Node], expected: &[(&str, &str, bool)]) {
    let expected: Vec<_> = expected.iter().map(|(address, home, is)| ((*address).to_owned(), (*home).to_owned(), *is)).collect();
    wait_for("all nodes to know the same subscribers", || nodes.iter().all(|node| subscribers(node) == expected).then_some(()));
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[track_caller]
fn sign_up(node: &Node, body: &str) {
    let origin = format!("http://{}", node.address);
    let (status, _, page) = request(&node.address, "POST", "/status/main/subscribe", &[FORM, ("origin", &origin)], body);
    assert_eq!(status, 200, "{page}");
}

#[test]
fn subscribers_are_known_on_all_nodes_and_told_once_whichever_node_dies() {
    let (cluster, mailer, program) = (Cluster::of(3), Mailer::polite(), Listener::start());
    let path = cluster.dir.path().join("config.yaml");
    let more = format!(
        "channels: [{{ name: mail, email: {{ server: \"127.0.0.1:{}\", from: Acme <status@example.com>, to: ops@example.com }} }}]
status_pages:
  - slug: main
    title: Acme
    groups: [{{ name: All, monitors: \"*\" }}]
    subscriptions: {{ email: mail, webhook: true, allow_private: true }}
monitors: ",
        mailer.port
    );
    let text = fs::read_to_string(&path).unwrap().replace("monitors: ", &more);
    let text = text.replace("listen: \"${LISTEN}\"", "listen: \"${LISTEN}\", public_url: \"https://status.test\"");
    fs::write(&path, text).unwrap();
    let (mut eu, us, ap) = (cluster.node(0, SECRET), cluster.node(1, SECRET), cluster.node(2, SECRET));
    let all_well = |nodes: &[&Node]| {
        wait_for("the nodes to see each other", || nodes.iter().all(|node| node.peers().0 == Some(0)).then_some(()));
    };
    all_well(&[&eu, &us, &ap]);

    // Signed up at one node, confirmed at another, known on all.
    sign_up(&eu, "email=jo%40example.org");
    let path = link(&mailer.wait_for(1)[0]);
    wait_for_subscribers(&[&eu, &us, &ap], &[("jo@example.org", "eu", false)]);
    assert_eq!(request(&us.address, "POST", &path, &[FORM], "do=confirm").0, 200);
    sign_up(&us, &format!("webhook={}", program.url));
    let both = [("jo@example.org", "eu", true), (program.url.as_str(), "us", true)];
    wait_for_subscribers(&[&eu, &us, &ap], &both);
    assert!(stdout(&ap.run(&["subscribers", "list"])).contains("AT NODE"));

    // Its home dies: one of the others tells, and not at once.
    eu.kill();
    cluster.target.set(Answer::Status(503, "busy"));
    program.wait_for("incident_began");
    assert_eq!(mailer.mails().len(), 1, "it has a minute to come back");
    let begin = Instant::now();
    while mailer.mails().len() < 2 {
        assert!(begin.elapsed() < Duration::from_secs(60) + common::PATIENCE, "nobody tells instead of the node that died");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(field(&mailer.mails()[1], "Subject"), Some("[Acme] Outage: m"));

    // It is back, repeats nothing, and tells what comes next.
    let eu = eu.start();
    all_well(&[&eu, &us, &ap]);
    let update = ap.run(&["incident", "update", "m", "--state", "identified", "--text", "A *cable*.", "--public"]);
    assert!(update.status.success(), "{}", stderr(&update));
    let mails = mailer.wait_for(3);
    assert_eq!(field(&mails[2], "Subject"), Some("[Acme] Identified: m"));
    program.wait_for("update");

    // Left at the third, and told by nobody any more.
    let one_click = |node: &Node| request(&node.address, "POST", &path, &[FORM], "List-Unsubscribe=One-Click").0;
    assert_eq!(one_click(&ap), 200);
    wait_for_subscribers(&[&eu, &us, &ap], &both[1..]);
    assert_eq!((one_click(&eu), one_click(&us)), (410, 410));
    cluster.target.set(Answer::Status(200, "ok"));
    program.wait_for("incident_ended");
    let events: Vec<_> = program.news().into_iter().map(|news| news["event"].clone()).collect();
    assert_eq!(events, ["incident_began", "update", "incident_ended"], "each once");
    assert_eq!(mailer.mails().len(), 3, "each once, and none after leaving");
    for node in [&eu, &us, &ap] {
        assert!(!node.log.lock().unwrap().contains("jo@example.org"), "addresses are in no log");
    }
}
