//! Two managers, and whatever may stand between them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Peers;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::peer::Node;
use crate::model::peer::Vantage;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::peer::link::keys;
use crate::peer::link::links::AcceptHint;
use crate::peer::link::links::Identity;
use crate::peer::link::links::Links;
use crate::peer::link::wire::BoxedStream;
use crate::peer::link::wire::Wire;
use crate::peer::port::Answers;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::peer::port::Carrier;
use crate::peer::port::Dialer;
use crate::peer::port::LinkEvent;
use crate::peer::port::LinkState;
use crate::supervise::Jobs;

fn name(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

fn node(text: &str) -> Node {
    Node {
        name: name(text),
        region: Region::parse(text).expect("a region"),
        vantage: Vantage::External,
        url: Some(format!("ws://{text}.example/peer").parse().expect("a url")),
        key: None,
    }
}

fn peers(me: &str, secrets: &[&str]) -> Peers {
    Peers {
        cluster: "acme".to_owned(),
        me: name(me),
        secrets: secrets.iter().map(|secret| Secret::new(*secret)).collect(),
        private_key: None,
        nodes: ["a", "b"].map(node).to_vec(),
        solo_after: None,
    }
}

/// What happens to bytes on the way.
type Tamper = fn(&mut Vec<u8>, usize);

/// Everybody who can be dialed.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<BTreeMap<NodeName, Links>>>, Option<Tamper>);

impl Wire for Net {
    fn dial<'a>(&'a self, node: &'a Node, me: &'a NodeName) -> Pin<Box<dyn Future<Output = Result<BoxedStream, String>> + Send + 'a>> {
        Box::pin(async move {
            let links = self.0.lock().unwrap().get(&node.name).cloned().ok_or("nobody is there")?;
            let (near, far) = tokio::io::duplex(64 * 1024);
            let hint = AcceptHint { node: Some(me.to_string()), from: "192.0.2.1".to_owned() };
            let jobs = Jobs::new(CancellationToken::new());
            let Some(tamper) = self.1 else {
                jobs.start(async move { links.accept(Box::new(far), hint).await });
                return Ok(Box::new(near) as BoxedStream);
            };
            let (middle, end) = tokio::io::duplex(64 * 1024);
            jobs.start(async move { links.accept(Box::new(end), hint).await });
            jobs.start(async move { between(far, middle, tamper).await });
            Ok(Box::new(near) as BoxedStream)
        })
    }
}

/// Passes bytes on, bent on the way from the dialer.
async fn between(near: tokio::io::DuplexStream, far: tokio::io::DuplexStream, tamper: Tamper) {
    let (mut near_read, mut near_write) = tokio::io::split(near);
    let (mut far_read, mut far_write) = tokio::io::split(far);
    let back = async { tokio::io::copy(&mut far_read, &mut near_write).await.map(drop) };
    let forth = async {
        let (mut n_chunks, mut chunk) = (0, vec![0; 16 * 1024]);
        loop {
            let n = near_read.read(&mut chunk).await?;
            if n == 0 {
                return far_write.shutdown().await;
            }
            let mut bytes = chunk[..n].to_vec();
            tamper(&mut bytes, n_chunks);
            n_chunks += 1;
            far_write.write_all(&bytes).await?;
        }
    };
    let _ = tokio::join!(back, forth);
}

struct Host {
    links: Links,
    events: mpsc::Receiver<LinkEvent>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Echo;

impl Answers for Echo {
    fn answer<'a>(&'a self, from: &'a NodeName, ask: Ask) -> Pin<Box<dyn Future<Output = Result<Bytes, String>> + Send + 'a>> {
        Box::pin(async move {
            match ask.about.as_str() {
                "big" => Ok(Bytes::from(vec![7; 3_000_000])),
                "huge" => Ok(Bytes::from(vec![7; 9_000_000])),
                "who" => Ok(Bytes::from(from.to_string())),
                other => Err(format!("`{other}` is not known")),
            }
        })
    }
}

fn host(net: &Net, peers: Peers, generation: u64) -> Host {
    let (events, heard) = mpsc::channel(1024);
    let stop = CancellationToken::new();
    let jobs = Jobs::new(stop.clone());
    let clock = Clock::simulated(Now { wall: UnixMillis(1_800_000_000_000), mono: Mono(0) });
    let identity = Identity { generation, version: "test".to_owned() };
    let links = Links::new(peers.clone(), identity, clock, jobs.clone(), events);
    links.answer_with(Arc::new(Echo));
    net.0.lock().unwrap().insert(peers.me, links.clone());
    let (running, wire, until) = (links.clone(), Arc::new(net.clone()), stop.clone());
    Jobs::new(CancellationToken::new()).start(async move { running.run(wire, until).await });
    Host { links, events: heard, stop }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn error(host: &Host) -> String {
    let views = host.links.views();
    let state = views.borrow()[0].state.clone();
    match state {
        LinkState::Up { .. } => "up".to_owned(),
        LinkState::Down { error, .. } => error.unwrap_or_default(),
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_link_carry_datagrams_and_answer_questions() {
    let net = Net::default();
    let (mut a, b) = (host(&net, peers("a", &["one"]), 1), host(&net, peers("b", &["one"]), 1));
    pass(5).await;
    assert_eq!((error(&a).as_str(), error(&b).as_str()), ("up", "up"));
    assert_eq!(a.events.recv().await, Some(LinkEvent::Up(name("b"))));
    b.links.send(&name("a"), Bytes::from_static(b"news"));
    pass(1).await;
    let mut got = Vec::new();
    while let Ok(event) = a.events.try_recv() {
        got.push(event);
    }
    assert!(got.contains(&LinkEvent::Datagram(name("b"), Bytes::from_static(b"news"))), "{got:?}");
    let ask = |about: &str| Ask { about: about.to_owned(), body: Bytes::new() };
    assert_eq!(a.links.ask(&name("b"), ask("who")).await, Ok(Bytes::from_static(b"a")));
    assert_eq!(b.links.ask(&name("a"), ask("big")).await.map(|bytes| bytes.len()), Ok(3_000_000));
    let refused = |why: &str| Err(AskError::Refused { node: name("b"), why: why.to_owned() });
    assert_eq!(a.links.ask(&name("b"), ask("huge")).await, refused("the answer is too long"));
    assert_eq!(a.links.ask(&name("b"), ask("what")).await, refused("`what` is not known"));
    assert_eq!(a.links.ask(&name("x"), ask("who")).await, Err(AskError::NotLinked(name("x"))));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_another_cluster_and_a_stranger_are_refused_with_a_reason() {
    let other_cluster = Peers { cluster: "other".to_owned(), ..peers("b", &["one"]) };
    let stranger = Peers { nodes: ["a", "x"].map(node).to_vec(), ..peers("x", &["one"]) };
    for (one, other, expected) in [
        (peers("a", &["one"]), peers("b", &["two"]), "`b` presented another key: `peers.secret` differs"),
        (peers("a", &["one"]), other_cluster, "belongs to the cluster `"),
    ] {
        let net = Net::default();
        let (a, b) = (host(&net, one, 1), host(&net, other, 1));
        pass(5).await;
        assert!(error(&a).contains(expected) && error(&b) != "up", "{} / {}", error(&a), error(&b));
    }
    // Who is dialed says whom it could not let in, as one trouble however often it happens, and no longer than it does.
    let net = Net::default();
    let (a, b) = (host(&net, peers("a", &["one"]), 1), host(&net, peers("b", &["two"]), 1));
    pass(300).await;
    let refused = b.links.refused();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].node.as_deref(), refused[0].from.as_str(), refused[0].is_twin), (Some("a"), "192.0.2.1", false));
    assert!(refused[0].why.contains("`a` presented another key: `peers.secret` differs"), "{refused:?}");
    assert_eq!((a.links.views().borrow()[0].dialer, b.links.views().borrow()[0].dialer), (Dialer::Here, Dialer::There));
    b.links.configure(peers("b", &["one"]));
    pass(120).await;
    assert_eq!((error(&b).as_str(), b.links.refused().len()), ("up", 0));
    // x knows a and dials nobody; a does not know x at all.
    let net = Net::default();
    let (a, x) = (host(&net, peers("a", &["one"]), 1), host(&net, stranger, 1));
    let (near, far) = tokio::io::duplex(64 * 1024);
    drop(near);
    x.links.accept(Box::new(far), AcceptHint::default()).await;
    pass(5).await;
    assert_ne!((error(&a).as_str(), error(&x).as_str()), ("up", "up"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_answers_for_another_is_not_believed() {
    // Whoever dials b reaches c, which knows the secret and has c's key.
    let three = |me: &str| Peers { nodes: ["a", "b", "c"].map(node).to_vec(), ..peers(me, &["one"]) };
    let net = Net::default();
    let c = host(&net, three("c"), 1);
    net.0.lock().unwrap().insert(name("b"), c.links.clone());
    let a = host(&net, three("a"), 1);
    pass(5).await;
    assert!(error(&a).contains("`b` presented another key"), "{}", error(&a));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_changed_or_repeated_on_the_way_end_the_link() {
    let flip: Tamper = |bytes, n_chunks| {
        if n_chunks == 4 {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
    };
    let repeat: Tamper = |bytes, n_chunks| {
        if n_chunks == 4 {
            let again = bytes.clone();
            bytes.extend(again);
        }
    };
    for tamper in [flip, repeat] {
        let net = Net(Arc::default(), Some(tamper));
        let (mut a, b) = (host(&net, peers("a", &["one"]), 1), host(&net, peers("b", &["one"]), 1));
        pass(60).await;
        let mut downs = 0;
        while let Ok(event) = a.events.try_recv() {
            downs += usize::from(event == LinkEvent::Down(name("b")));
        }
        assert!(downs > 0, "{} {}", error(&a), error(&b));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_takes_its_place_and_a_second_instance_is_told_so() {
    let net = Net::default();
    let a = host(&net, peers("a", &["one"]), 1);
    let first = host(&net, peers("b", &["one"]), 5);
    pass(5).await;
    assert_eq!(error(&a), "up");
    // Another process with the same name and a later start; a's next dial reaches whoever answers.
    let second = host(&net, peers("b", &["one"]), 9);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepting = a.links.clone();
    Jobs::new(CancellationToken::new()).start(async move { accepting.accept(Box::new(far), AcceptHint::default()).await });
    drop(near);
    first.stop.cancel();
    pass(40).await;
    assert_eq!((error(&a).as_str(), error(&second).as_str()), ("up", "up"));
    // The older one comes back while the newer one is linked.
    let older = host(&Net::default(), peers("b", &["one"]), 5);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepting = older.links.clone();
    Jobs::new(CancellationToken::new()).start(async move { accepting.accept(Box::new(far), AcceptHint::default()).await });
    let dialed = Peers { nodes: ["a", "b"].map(node).to_vec(), ..peers("a", &["one"]) };
    let why = a.links.dial_for_test(Box::new(near), &dialed.nodes[1]).await;
    assert!(why.contains("two instances call themselves `b`"), "{why}");
    // Dialing itself, it is told the same, and the node in between shows it although its link is up.
    let (near, far) = tokio::io::duplex(64 * 1024);
    let accepting = a.links.clone();
    let hint = AcceptHint { node: Some("b".to_owned()), from: "192.0.2.7".to_owned() };
    Jobs::new(CancellationToken::new()).start(async move { accepting.accept(Box::new(far), hint).await });
    let why = older.links.dial_for_test(Box::new(near), &dialed.nodes[0]).await;
    assert!(why.contains("two instances call themselves `b`"), "{why}");
    let refused = a.links.refused();
    assert!(error(&a) == "up" && refused[0].is_twin && refused[0].from == "192.0.2.7", "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_can_be_changed_one_node_at_a_time() {
    let net = Net::default();
    let (a, b) = (host(&net, peers("a", &["old", "new"]), 1), host(&net, peers("b", &["old"]), 1));
    pass(5).await;
    assert_eq!(error(&a), "up");
    b.links.configure(peers("b", &["new", "old"]));
    a.links.configure(peers("a", &["new"]));
    pass(120).await;
    assert_eq!((error(&a).as_str(), error(&b).as_str()), ("up", "up"));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_goes_silent_is_given_up_and_made_again() {
    let swallow: Tamper = |bytes, n_chunks| {
        if n_chunks > 5 {
            bytes.clear();
        }
    };
    let net = Net(Arc::default(), Some(swallow));
    let (mut a, _b) = (host(&net, peers("a", &["one"]), 1), host(&net, peers("b", &["one"]), 1));
    pass(120).await;
    let mut story = String::new();
    while let Ok(event) = a.events.try_recv() {
        match event {
            LinkEvent::Up(_) => story.push('u'),
            LinkEvent::Down(_) => story.push('d'),
            LinkEvent::Datagram(..) | LinkEvent::ClockOffsets(_) => {}
        }
    }
    assert!(story.starts_with("udu"), "{story}");
}

#[test]
fn keys_are_the_same_everywhere_and_no_two_are_alike() {
    let of = |me: &str, secret: &str, of: &str| {
        let peers = peers(me, &[secret]);
        keys::key_text(keys::public_key(&peers, &node(of)).expect("a key"))
    };
    assert_eq!(of("a", "one", "b"), of("b", "one", "b"));
    assert_ne!(of("a", "one", "a"), of("a", "one", "b"));
    assert_ne!(of("a", "one", "b"), of("a", "two", "b"));
    let text = of("a", "one", "b");
    assert_eq!(keys::parse_key(&text).map(keys::key_text), Ok(text));
    assert!(keys::parse_key("ed25519:short").is_err() && keys::parse_key("rsa:x").is_err());
}
