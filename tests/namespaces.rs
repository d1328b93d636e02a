//! Stories of several instances as they really run: processes that are killed, cables that are cut, wrong secrets, restarts. Each has a
//! small internet of its own, made of network namespaces; where the kernel forbids those a notice is printed instead.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod common;
mod lab;

use std::path::Path;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;

use common::Answer;
use common::find_program;
use common::wait_for;
use lab::Lab;
use lab::Node;
use lab::all_show;
use lab::peers;
use lab::watching;

const THREE: [&str; 3] = ["us-east", "eu-west", "home"];

/// Longer than a lease and than the wait for whoever goes first: a repeat would have come.
const REPEATS_COME_WITHIN: Duration = Duration::from_secs(18);

/// Whether an end is repeated is looked at once, in the first story; elsewhere a moment shows that there are not two at once.
const A_MOMENT: Duration = Duration::from_secs(3);

const FINE: Answer = Answer::Status(200, "ok");
const BROKEN: Answer = Answer::Status(503, "no");

/// Three nodes that agree that all is well, the third one dial-only.
fn three(lab: &mut Lab, more: &str) -> Vec<Node> {
    let nodes = lab.cluster(&THREE, &format!("{}{}{more}", peers(&THREE, ""), watching()));
    all_show(&nodes, "up");
    nodes
}

#[test]
fn an_outage_is_one_message_from_three_nodes() {
    let Some(mut lab) = Lab::new() else { return };
    let nodes = three(&mut lab, "");
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, REPEATS_COME_WITHIN).remove(0);
    assert_eq!((down.event.as_str(), down.possible_repeat, down.confidence.as_str()), ("down", false, "full"));
    assert_eq!(down.regions_failing, ["eu-west", "home", "us-east"]);
    assert_eq!(all_show(&nodes, "down"), Some(down.incident.clone()), "the same incident on all nodes");
    lab.shop.set(FINE);
    let up = lab.told_exactly(2, REPEATS_COME_WITHIN).remove(1);
    assert_eq!((up.event.as_str(), &up.incident), ("recovered", &down.incident));
    all_show(&nodes, "up");
}

#[test]
fn a_sender_killed_before_the_answer_is_repeated_by_another_under_the_same_key_and_says_so() {
    let Some(mut lab) = Lab::new() else { return };
    let mut nodes = three(&mut lab, "");
    lab.receiver.set(Answer::Silence);
    lab.shop.set(BROKEN);
    lab.receiver.wait_for(1);
    let first = lab.told().remove(0);
    let sender = nodes.iter_mut().find(|node| node.name == first.from).unwrap();
    sender.kill();
    lab.receiver.set(FINE);
    lab.receiver.wait_for(2);
    let second = lab.told().remove(1);
    assert_eq!((&second.key, &second.incident), (&first.key, &first.incident));
    assert_ne!(second.from, first.from);
    assert_eq!((first.possible_repeat, second.possible_repeat), (false, true));
    assert!(second.text.ends_with("[may have been sent before]"), "{}", second.text);
    // Whoever comes back has learned that it was sent.
    nodes.iter_mut().find(|node| node.name == first.from).unwrap().start();
    all_show(&nodes, "down");
    lab.told_exactly(2, REPEATS_COME_WITHIN);
    lab.shop.set(FINE);
    let up = lab.told_exactly(3, A_MOMENT).remove(2);
    assert_eq!((up.event.as_str(), up.possible_repeat), ("recovered", false));
}

#[test]
fn whoever_is_cut_off_abstains_and_tells_nobody() {
    let Some(mut lab) = Lab::new() else { return };
    let nodes = three(&mut lab, &format!("uplink: {{ probes: [\"tcp://{}:80\", \"tcp://{}:80\"] }}\n", lab::SHOP, lab::RECEIVER));
    // One, two, and then all of them: at no time is there a reason to tell anybody.
    for node in &nodes {
        lab.isolate(node);
        wait_for(&format!("{} to see that it is cut off", node.name), || (node.status()?["uplink"] == "lost").then_some(()));
        lab.quiet(Duration::from_secs(8));
        assert_eq!(lab.told().len(), 0, "{:#?}", lab.told());
    }
    nodes.iter().for_each(|node| lab.heal(node));
    all_show(&nodes, "up");
    lab.quiet(Duration::from_secs(5));
    assert_eq!(lab.told().len(), 0, "{:#?}", lab.told());
    // One that is cut off does not keep the others from telling of a real outage, and is told of it when it comes back.
    lab.isolate(&nodes[0]);
    wait_for("us-east to be cut off again", || (nodes[0].status()?["uplink"] == "lost").then_some(()));
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, Duration::ZERO).remove(0);
    assert_eq!((down.event.as_str(), down.confidence.as_str()), ("down", "full"));
    assert_eq!(down.regions_failing, ["eu-west", "home"]);
    lab.heal(&nodes[0]);
    assert_eq!(all_show(&nodes, "down"), Some(down.incident));
    lab.told_exactly(1, REPEATS_COME_WITHIN);
}

#[test]
fn a_node_that_nobody_can_dial_takes_part() {
    let Some(mut lab) = Lab::new() else { return };
    let mut nodes: Vec<Node> = THREE.iter().map(|name| lab.node(name, &format!("{}{}", peers(&THREE, ""), watching()))).collect();
    lab.rules("home", &["tcp flags & (syn | ack) == syn drop"], &[]);
    nodes.iter_mut().for_each(Node::start);
    for other in ["us-east", "eu-west"] {
        nodes[2].wait_for_link(other);
    }
    all_show(&nodes, "up");
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, Duration::ZERO).remove(0);
    assert_eq!(down.regions_failing, ["eu-west", "home", "us-east"]);
}

#[test]
fn a_wrong_secret_is_refused_with_one_line_on_both_sides_and_disturbs_nobody() {
    let Some(mut lab) = Lab::new() else { return };
    let names = ["us-east", "eu-west", "home", "home-2"];
    let config = format!("{}{}", peers(&names, ""), watching());
    let mut nodes: Vec<Node> = names.iter().map(|name| lab.node(name, &config)).collect();
    nodes[3].environment.push(("CLUSTER_SECRET".to_owned(), "not what the others have".to_owned()));
    nodes.iter_mut().for_each(Node::start);
    all_show(&nodes[..3], "up");
    let why = "presented another key: `peers.secret` differs between the two, or its `key` is wrong";
    for node in &nodes[..2] {
        wait_for("a line about the stranger", || (0 < node.n_said(why)).then_some(()));
        assert!(node.log().contains(&format!("`home-2` {why}")), "{}", node.log());
    }
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, REPEATS_COME_WITHIN).remove(0);
    assert_eq!(down.regions_failing, ["eu-west", "home", "us-east"]);
    for node in &nodes[..2] {
        assert_eq!(node.n_said(why), 1, "once a minute at most\n{}", node.log());
    }
    for other in ["us-east", "eu-west"] {
        assert_eq!(nodes[3].n_said(&format!("no link to `{other}`")), 1, "{}", nodes[3].log());
        assert!(nodes[3].log().contains(&format!("no link to `{other}`: `{other}` {why}")), "{}", nodes[3].log());
    }
}

#[test]
fn a_rolling_restart_during_an_outage_tells_nothing_twice() {
    let Some(mut lab) = Lab::new() else { return };
    let mut nodes = three(&mut lab, "");
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, Duration::ZERO).remove(0);
    for i in 0..nodes.len() {
        nodes[i].stop();
        nodes[i].start();
        assert_eq!(all_show(&nodes, "down"), Some(down.incident.clone()));
    }
    lab.told_exactly(1, REPEATS_COME_WITHIN);
    lab.shop.set(FINE);
    let up = lab.told_exactly(2, A_MOMENT).remove(1);
    assert_eq!((up.event.as_str(), &up.incident), ("recovered", &down.incident));
}

#[test]
fn an_instance_that_gets_peers_during_an_outage_keeps_its_incident() {
    let Some(mut lab) = Lab::new() else { return };
    let config = format!("{}{}", peers(&THREE, ""), watching());
    let mut nodes: Vec<Node> = THREE.iter().map(|name| lab.node(name, &config)).collect();
    let path = nodes[0].dir.path().join("config.yaml");
    std::fs::write(&path, watching()).unwrap();
    nodes[0].start();
    nodes[0].wait_for("up");
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, Duration::ZERO).remove(0);
    nodes[0].wait_for("down");
    nodes[0].stop();
    std::fs::write(&path, &config).unwrap();
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.wait_for("down"));
    lab.told_exactly(1, REPEATS_COME_WITHIN);
    lab.shop.set(FINE);
    let up = lab.told_exactly(2, A_MOMENT).remove(1);
    assert_eq!((up.event.as_str(), &up.incident), ("recovered", &down.incident));
    all_show(&nodes, "up");
}

#[test]
fn one_way_cuts_lose_nothing() {
    let Some(mut lab) = Lab::new() else { return };
    let nodes = three(&mut lab, "");
    // What us-east says does not reach eu-west; the other way it does. Both reach home.
    lab.deafen(&nodes[1], &[&nodes[0]]);
    wait_for("the link to be given up", || (0 < nodes[1].n_said("the link to `us-east` is gone")).then_some(()));
    lab.shop.set(BROKEN);
    let down = lab.told_exactly(1, REPEATS_COME_WITHIN).remove(0);
    assert_eq!(all_show(&nodes, "down"), Some(down.incident.clone()));
    lab.heal(&nodes[1]);
    lab.shop.set(FINE);
    let up = lab.told_exactly(2, A_MOMENT).remove(1);
    assert_eq!((up.event.as_str(), &up.incident), ("recovered", &down.incident));
}

#[test]
fn halves_of_a_split_cluster_come_to_the_same_incident() {
    let Some(mut lab) = Lab::new() else { return };
    let names = ["a", "b", "c", "d"];
    let nodes = lab.cluster(&names, &format!("{}{}", peers(&names, "  solo_after: 5s\n"), watching()));
    all_show(&nodes, "up");
    let (left, right) = nodes.split_at(2);
    for node in left {
        lab.deafen(node, &right.iter().collect::<Vec<_>>());
    }
    for node in right {
        lab.deafen(node, &left.iter().collect::<Vec<_>>());
    }
    wait_for("the halves to miss each other", || (0 < right[0].n_said("the link to `a` is gone")).then_some(()));
    lab.shop.set(BROKEN);
    let incident = all_show(&nodes, "down");
    nodes.iter().for_each(|node| lab.heal(node));
    for node in right {
        node.wait_for_link("a");
    }
    lab.quiet(REPEATS_COME_WITHIN);
    assert_eq!(all_show(&nodes, "down"), incident);
    let down = lab.told();
    assert!(down.len() <= 2, "one of each half at most: {down:#?}");
    assert!(
        down.iter().all(|told| told.event == "down" && told.key == down[0].key && Some(&told.incident) == incident.as_ref()),
        "{down:#?}"
    );
    lab.shop.set(FINE);
    all_show(&nodes, "up");
    let told = lab.told_exactly(down.len() + 1, A_MOMENT);
    assert_eq!(told[down.len()].event, "recovered");
}

/// The first block of the README after a mark, without its fences.
fn recipe(mark: &str) -> String {
    let readme = include_str!("../README.md");
    let rest = readme.split(&format!("<!-- recipe: {mark} -->\n```")).nth(1).unwrap_or_else(|| panic!("the recipe has no `{mark}`"));
    rest.split_once('\n').unwrap().1.split("\n```").next().unwrap().to_owned()
}

/// The lines of `/etc/vigilmon/env` in the recipe, for a node.
fn environment(node: &str, receiver: &str) -> Vec<(String, String)> {
    let block = recipe("env");
    let lines = block.split("<<'END'\n").nth(1).unwrap().split("\nEND").next().unwrap().to_owned();
    lines
        .lines()
        .map(|line| {
            let (name, written) = line.split_once('=').unwrap();
            assert!(!written.is_empty(), "{line}");
            let value = match name {
                "VIGILMON_NODE" => node,
                "VIGILMON_CLUSTER_SECRET" => lab::SECRET,
                "SLACK_WEBHOOK_URL" => receiver,
                other => panic!("the recipe sets `{other}`, and this test does not know to what"),
            };
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// A certificate authority for the lab, which checks trust, and what it signed.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Authority { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// nginx with a certificate for a name, in the namespace of that name.
    fn nginx(&self, lab: &Lab, program: &Path, (namespace, host): (&str, &str), location: &str) -> Nginx {
        let dir = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::write(dir.path().join("cert.pem"), certificate.pem()).unwrap();
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
             http {{ access_log off; server {{ listen 443 ssl; server_name {host}; ssl_certificate cert.pem; ssl_certificate_key key.pem;
             {location} }} }}"
        );
        std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let prefix = format!("{}/", dir.path().display());
        let mut command = lab.exec(namespace, &program.display().to_string());
        let child = command.args(["-p", &prefix, "-c", "nginx.conf"]).stderr(Stdio::null()).spawn().unwrap();
        Nginx { child, _dir: dir }
    }
}

struct Nginx {
    child: Child,
    _dir: tempfile::TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The four machines of the README's recipe, as it says: three with nginx and certificates in front, one behind a router that lets
/// nothing in.
#[test]
fn the_recipe_of_the_readme_works_as_it_is_written() {
    let (Some(nginx), Some(mut lab)) = (find_program("nginx"), Lab::new()) else { return };
    let (config, location) = (recipe("config"), recipe("nginx"));
    let authority = Authority::new();
    let names = ["us-east", "eu-west", "ap-south"];
    let mut nodes: Vec<Node> = names.iter().map(|name| lab.node(name, &config)).collect();
    nodes.push(lab.behind_nat("home", "10.0.0.2", &config));
    lab.ip(&["-n", &lab.namespace("home"), "addr", "add", "10.0.0.10/24", "dev", "eth0"]);
    let inside = lab.server("home", 80);
    let mut hosts = format!("127.0.0.1 localhost\n{} cloud.example.net\n", lab::SHOP);
    for node in &nodes[..3] {
        hosts.push_str(&format!("{} {}.example.net\n", node.address, node.name));
    }
    let mut proxies = vec![authority.nginx(&lab, &nginx, ("shop", "cloud.example.net"), "location / { proxy_pass http://127.0.0.1:80; }")];
    for name in names {
        proxies.push(authority.nginx(&lab, &nginx, (name, &format!("{name}.example.net")), &location));
    }
    let trust = nodes[0].dir.path().join("trust.pem");
    std::fs::write(&trust, authority.certificate.pem()).unwrap();
    for node in &mut nodes {
        lab.hosts(&node.name, &hosts);
        node.environment = environment(&node.name, &format!("http://{}/services", lab::RECEIVER));
        node.environment.push(("SSL_CERT_FILE".to_owned(), trust.display().to_string()));
        node.start();
    }
    for (i, node) in nodes.iter().enumerate() {
        for other in nodes.iter().enumerate().filter(|(j, _)| i != *j).map(|(_, other)| other) {
            node.wait_for_link(&other.name);
        }
    }
    all_show(&nodes, "up");
    // The way is broken: everybody outside sees it, and home knows that the service is not.
    lab.shop.set(BROKEN);
    let told = lab.receiver.wait_for(1).remove(0).json().to_string();
    assert!(told.contains("cloud is DOWN") && told.contains("failing from ap-south, eu-west, us-east"), "{told}");
    all_show(&nodes, "down");
    assert!(!inside.asked().is_empty(), "home looks from inside");
    lab.shop.set(FINE);
    let told = lab.receiver.wait_for(2).remove(1).json().to_string();
    assert!(told.contains("cloud is up again"), "{told}");
    lab.quiet(REPEATS_COME_WITHIN);
    assert_eq!(lab.receiver.asked().len(), 2, "{:#?}", lab.receiver.asked());
}
