//! Nodes that ask each other who subscribed, and who tells whom when one of them dies: exchange, store and herald together, in virtual time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::watch;

use super::exchange::Company;
use super::exchange::Exchange;
use super::exchange::Heard;
use super::exchange::Progress;
use super::herald::Herald;
use super::messages;
use crate::clock::Clock;
use crate::consensus::takeover::Lives;
use crate::consensus::takeover::TELL_TAKEOVER;
use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::Snapshot;
use crate::http::archive::Later;
use crate::http::colleagues::Colleagues;
use crate::http::tests::world;
use crate::model::id::ChannelName;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::page::Visibility;
use crate::model::peer::Roster;
use crate::model::secret::Secret;
use crate::model::subscription::SharedRow;
use crate::model::subscription::SharedSubscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::subscription::Subscriptions;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::notifier::sink::ChannelSink;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::peer::subscribers;
use crate::store::ErrandMark;
use crate::store::First;
use crate::store::Homes;
use crate::store::NewsRow;
use crate::store::SharedPart;
use crate::store::SignUp;
use crate::store::SignUpLimits;
use crate::store::Store;

const NOON: UnixMillis = UnixMillis(1_782_820_800_000);
const NAMES: [&str; 3] = ["a", "b", "c"];

fn name(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

fn page() -> PageSlug {
    PageSlug::parse("main").expect("a slug")
}

/// What a node answers.
#[derive(Debug, Clone)]
enum Voice {
    /// What its store knows, in this run.
    Speaks(Store, u32),
    /// It is of a version that does not know the question, or in trouble.
    Refuses,
    /// What somebody made up.
    Says(Bytes),
}

/// The links of all nodes: who is not in it has none.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<BTreeMap<NodeName, Voice>>>, Arc<Mutex<Vec<(NodeName, i64)>>>);

impl Net {
    fn set(&self, node: &str, voice: Option<Voice>) {
        let mut net = self.0.lock().expect("no panic");
        match voice {
            Some(voice) => drop(net.insert(name(node), voice)),
            None => drop(net.remove(&name(node))),
        }
    }

    /// From where which node was asked on, since this was last looked at.
    fn asked(&self) -> Vec<(String, i64)> {
        std::mem::take(&mut *self.1.lock().expect("no panic")).into_iter().map(|(node, after)| (node.to_string(), after)).collect()
    }
}

impl Colleagues for Net {
    fn ask<'a>(&'a self, node: &'a NodeName, ask: Ask) -> Later<'a, Result<Bytes, AskError>> {
        Box::pin(async move {
            let after = subscribers::after(&ask).expect("a question");
            self.1.lock().expect("no panic").push((node.clone(), after));
            let voice = self.0.lock().expect("no panic").get(node).cloned();
            match voice {
                None => Err(AskError::NotLinked(node.clone())),
                Some(Voice::Refuses) => Err(AskError::Refused { node: node.clone(), why: "unknown".to_owned() }),
                Some(Voice::Says(bytes)) => Ok(bytes),
                Some(Voice::Speaks(store, run)) => {
                    let part = store.subscribers_since(after, NOON).await.expect("an answer");
                    Ok(subscribers::encode(&format!("{run}.0"), &part).expect("JSON"))
                }
            }
        })
    }
}

/// A node without its engine and its server.
struct Node {
    name: &'static str,
    clock: Clock,
    store: Store,
    _dir: Arc<tempfile::TempDir>,
    exchange: Exchange,
    herald: Herald,
    progress: Progress,
    lives: Lives,
    snapshot: watch::Sender<Arc<Snapshot>>,
    roster: watch::Sender<Arc<Roster>>,
}

fn view(node: &str, me: &str) -> NodeView {
    NodeView { is_me: node == me, ..world::node(node, None) }
}

fn offering(offer: Option<Subscriptions>, me: &str) -> Snapshot {
    let mut snapshot = world::usual();
    let mut page = world::page("main", Visibility::Public, &[]);
    page.subscriptions = offer;
    let mut config = (*snapshot.config).clone();
    config.pages = vec![Arc::new(page)];
    snapshot.config = Arc::new(config);
    let mut cluster = world::cluster(NAMES.iter().map(|node| view(node, me)).collect());
    cluster.me = name(me);
    snapshot.cluster = Some(Arc::new(cluster));
    snapshot
}

fn mail() -> Subscriptions {
    Subscriptions { email: Some(ChannelName::parse("mail").expect("a name")), webhook: false, allow_private: false, n_max: 10 }
}

fn roster(me: &str, live: &[&str]) -> Roster {
    let live: BTreeSet<NodeName> = live.iter().map(|node| name(node)).collect();
    Roster { me: name(me), eligible: live.iter().cloned().collect(), eligible_since: Mono(0), live, is_ready: true }
}

impl Node {
    /// As after a start, on this disk.
    fn start(me: &'static str, net: &Net, clock: &Clock, dir: Arc<tempfile::TempDir>) -> Node {
        let store = Store::open(dir.path(), clock.clone()).expect("a store").0;
        let (snapshot, snapshots) = watch::channel(Arc::new(offering(Some(mail()), me)));
        let (roster, rosters) = watch::channel(Arc::new(roster(me, &NAMES)));
        let (heard, told) = watch::channel(Heard::default());
        let engine = EngineHandle { snapshots, requests: mpsc::channel(1).0, pings: mpsc::channel(1).0 };
        let exchange = Exchange {
            engine: engine.clone(),
            store: store.clone(),
            clock: clock.clone(),
            colleagues: Arc::new(net.clone()),
            roster: rosters.clone(),
            heard,
        };
        let herald = Herald {
            engine,
            store: store.clone(),
            clock: clock.clone(),
            sink: ChannelSink::new(clock.clone()).expect("a sink"),
            secret: Secret::new("secret"),
            company: Some(Company { roster: rosters, heard: told }),
        };
        let lives = Lives::new(clock.now().mono);
        let (clock, progress) = (clock.clone(), Progress::default());
        Node { name: me, clock, store, _dir: dir, exchange, herald, progress, lives, snapshot, roster }
    }

    fn sees(&self, live: &[&str]) {
        self.roster.send_replace(Arc::new(roster(self.name, live)));
    }

    /// One round of questions, and one look of the herald at whom it acts for.
    async fn step(&mut self) -> Homes {
        let snapshot = Arc::clone(&self.snapshot.borrow());
        let cluster = snapshot.cluster.clone().expect("a cluster");
        self.exchange.round(&snapshot, &cluster, &mut self.progress).await;
        self.homes(None).await
    }

    /// For whom the herald acts, when the newest piece of news came then.
    async fn homes(&mut self, news_at: Option<Mono>) -> Homes {
        let snapshot = Arc::clone(&self.snapshot.borrow());
        self.herald.homes(&snapshot, &mut self.lives, (news_at, self.clock.now().mono)).await.expect("homes")
    }

    async fn confirmed(&self, address: &str) -> String {
        let limits = SignUpLimits { n_max: 9, n_unconfirmed_max: 9, n_asked_max: 9, ask_again_after: Duration::ZERO };
        let (name, at) = (format!("{}-{}", self.name, address.replace(['@', '.'], "-")), self.clock.now().wall);
        let new = SignUp {
            name: name.clone(),
            page: page(),
            way: SubscriberWay::Mail,
            address: address.to_owned(),
            language: Language::English,
            at,
            home: Some(crate::model::id::NodeName::parse(self.name).expect("a name")),
            limits,
        };
        self.store.subscriber_sign_up(new).await.expect("a place");
        assert!(self.store.subscriber_confirm(&name, at).await.expect("an answer"));
        name
    }

    async fn say(&self, key: &str) {
        let at = self.clock.now().wall;
        let rows = vec![NewsRow { key: key.to_owned(), at, body: "{}".to_owned() }];
        self.store.page_news_add(&page(), rows, at).await.expect("room");
    }

    /// Tells everything that it tells now: to whom, what, and under which key.
    async fn tell(&mut self) -> Vec<(String, String, String)> {
        let homes = self.step().await;
        let now = self.clock.now().wall;
        let mut told = Vec::new();
        while let Some(errand) =
            self.store.subscriber_claim((&page(), SubscriberWay::Mail), &homes, First::News, now).await.expect("an answer")
        {
            let keys: Vec<&str> = errand.news.iter().map(|row| row.key.as_str()).collect();
            told.push((errand.to.address.clone(), keys.join(" "), messages::key(&errand)));
            self.store.subscriber_finish(&errand.to.name, ErrandMark::Told { next_at: now }).await.expect("room");
        }
        told
    }

    async fn addresses(&self) -> Vec<String> {
        self.store.subscribers().await.expect("an answer").into_iter().map(|one| one.address).collect()
    }
}

fn nodes() -> (Net, Clock, Vec<Node>) {
    let (net, clock) = (Net::default(), Clock::manual(Now { wall: NOON, mono: Mono(1_000_000_000) }));
    let nodes: Vec<Node> =
        NAMES.iter().map(|me| Node::start(me, &net, &clock, Arc::new(tempfile::tempdir().expect("a directory")))).collect();
    nodes.iter().for_each(|node| net.set(node.name, Some(Voice::Speaks(node.store.clone(), 1))));
    (net, clock, nodes)
}

fn of(told: &[(String, String, String)]) -> Vec<(&str, &str)> {
    told.iter().map(|(address, keys, _)| (address.as_str(), keys.as_str())).collect()
}

#[tokio::test]
async fn when_a_node_dies_one_other_tells_and_when_it_is_back_it_repeats_nothing() {
    let (net, clock, mut nodes) = nodes();
    for node in &mut nodes {
        node.step().await;
    }
    nodes[0].confirmed("jo@example.org").await;
    nodes[1].confirmed("eve@example.org").await;
    for node in &mut nodes {
        node.say("one").await;
        node.step().await;
    }
    assert_eq!(of(&nodes[0].tell().await), [("jo@example.org", "one")]);
    assert_eq!(of(&nodes[1].tell().await), [("eve@example.org", "one")]);
    assert!(nodes[2].tell().await.is_empty());

    // It dies; what happens then is told by one of the others a minute later.
    let disk = Arc::clone(&nodes[0]._dir);
    net.set("a", None);
    let dead = nodes.remove(0);
    dead.store.close().await;
    drop(dead);
    clock.advance(Duration::from_secs(1));
    for node in &mut nodes {
        node.sees(&["b", "c"]);
        node.say("two").await;
    }
    assert_eq!(of(&nodes[0].tell().await), [("eve@example.org", "two")]);
    let mut instead = Vec::new();
    for n in 0..70 {
        clock.advance(Duration::from_secs(1));
        for node in &mut nodes {
            instead.extend(node.tell().await.into_iter().map(|told| (n + 1, told)));
        }
    }
    assert!(
        matches!(&instead[..], [(n, (to, keys, _))] if to == "jo@example.org" && keys == "two" && *n >= TELL_TAKEOVER.as_secs() - 1),
        "{instead:?}"
    );

    // It is back and notes what it missed, and knows what was told before it tells anything.
    let mut back = Node::start("a", &net, &clock, disk);
    net.set("a", Some(Voice::Speaks(back.store.clone(), 2)));
    for node in &mut nodes {
        node.sees(&NAMES);
    }
    back.say("two").await;
    back.say("three").await;
    assert_eq!(of(&back.tell().await), [("jo@example.org", "three")]);
    for node in &mut nodes {
        node.say("three").await;
        assert!(!of(&node.tell().await).contains(&("jo@example.org", "three")), "its home is back");
    }
}

#[tokio::test]
async fn a_node_that_was_cut_off_asks_what_the_others_told_before_it_tells_what_it_hears_now() {
    let (net, clock, mut nodes) = nodes();
    nodes[0].confirmed("jo@example.org").await;
    for node in &mut nodes {
        node.step().await;
    }
    // The home is cut off, and somebody stands in for it.
    for node in NAMES {
        net.set(node, None);
    }
    nodes[0].sees(&["a"]);
    for node in &mut nodes[1..] {
        node.sees(&["b", "c"]);
        node.say("one").await;
    }
    let mut instead = Vec::new();
    for _ in 0..70 {
        clock.advance(Duration::from_secs(1));
        assert!(nodes[0].tell().await.is_empty());
        for node in &mut nodes[1..] {
            instead.extend(node.tell().await);
        }
    }
    assert_eq!(of(&instead), [("jo@example.org", "one")]);

    // They meet. With the first word comes the news, before anybody was asked.
    nodes.iter().for_each(|node| net.set(node.name, Some(Voice::Speaks(node.store.clone(), 1))));
    let news_at = Some(clock.now().mono);
    assert_eq!(nodes[0].homes(None).await, Homes::Of(vec!["a".to_owned()]));
    nodes[0].say("one").await;
    assert_eq!(nodes[0].homes(news_at).await, Homes::Of(Vec::new()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(nodes[0].homes(news_at).await, Homes::Of(Vec::new()), "nobody was asked yet");
    assert!(nodes[0].tell().await.is_empty(), "it was told");
    assert_eq!(nodes[0].homes(news_at).await, Homes::Of(vec!["a".to_owned()]));
    // Where asking comes to no end, it is not waited for.
    let news_at = Some(clock.now().mono);
    clock.advance(Duration::from_secs(29));
    assert_eq!(nodes[0].homes(news_at).await, Homes::Of(Vec::new()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(nodes[0].homes(news_at).await, Homes::Of(vec!["a".to_owned()]));
}

#[tokio::test]
async fn two_nodes_that_do_not_see_each_other_tell_the_same_under_the_same_key() {
    let (net, clock, mut nodes) = nodes();
    nodes[0].confirmed("jo@example.org").await;
    for node in &mut nodes {
        node.step().await;
    }
    for node in NAMES {
        net.set(node, None);
    }
    let mut keys = BTreeSet::new();
    for node in &mut nodes {
        node.sees(&[node.name]);
        node.say("one").await;
        node.step().await;
    }
    clock.advance(TELL_TAKEOVER);
    for node in &mut nodes {
        let told = node.tell().await;
        assert_eq!(of(&told), [("jo@example.org", "one")], "{}", node.name);
        keys.insert(told[0].2.clone());
    }
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_node_that_starts_tells_nothing_before_the_others_were_asked_or_the_time_is_over() {
    let (net, clock, mut nodes) = nodes();
    let mut a = nodes.remove(0);
    a.confirmed("jo@example.org").await;
    a.say("one").await;
    net.set("b", Some(Voice::Refuses));
    assert_eq!(a.step().await, Homes::Of(Vec::new()));
    clock.advance(Duration::from_secs(29));
    assert_eq!(a.step().await, Homes::Of(Vec::new()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(a.step().await, Homes::Of(vec!["a".to_owned()]), "it does not wait for ever");

    // Of those that live, a node that has settled knows which are linked.
    let mut c = nodes.remove(1);
    c.confirmed("eve@example.org").await;
    net.set("b", None);
    net.set("a", Some(Voice::Speaks(a.store.clone(), 1)));
    c.roster.send_replace(Arc::new(Roster { is_ready: false, ..roster("c", &["c"]) }));
    assert_eq!(c.step().await, Homes::Of(Vec::new()), "it has just started and may see nobody yet");
    c.sees(&["a", "c"]);
    assert_eq!(c.step().await, Homes::Of(vec!["c".to_owned()]));
}

#[tokio::test]
async fn who_is_known_already_is_not_asked_for_again_but_after_a_restart_of_the_other_or_another_offer() {
    let (net, _clock, mut nodes) = nodes();
    nodes[1].confirmed("jo@example.org").await;
    net.set("c", None);
    let mut a = nodes.remove(0);
    let asked = |net: &Net| net.asked().into_iter().filter(|(node, _)| node == "b").map(|(_, after)| after).collect::<Vec<_>>();
    a.step().await;
    assert_eq!((asked(&net), a.addresses().await.len()), (vec![0], 1));
    a.step().await;
    let cursor = asked(&net);
    assert!(matches!(&cursor[..], [after] if 0 < *after), "{cursor:?}");
    // Another run counts anew, and is asked from the beginning at once.
    net.set("b", Some(Voice::Speaks(nodes[0].store.clone(), 2)));
    a.step().await;
    assert_eq!(asked(&net), [cursor[0], 0]);
    a.snapshot.send_replace(Arc::new(offering(Some(Subscriptions { webhook: true, ..mail() }), "a")));
    a.step().await;
    assert_eq!(asked(&net), [0]);
    a.snapshot.send_replace(Arc::new(offering(None, "a")));
    a.step().await;
    assert_eq!(asked(&net), Vec::<i64>::new(), "nobody could subscribe here");
}

#[tokio::test]
async fn only_those_are_taken_in_who_could_have_signed_up_here() {
    let (net, _clock, mut nodes) = nodes();
    let row = |way, address: &str, slug: &str, asked_at| SharedRow {
        subscriber: SharedSubscriber {
            name: format!("n{}", data_encoding::HEXLOWER.encode(format!("{address}{slug}{asked_at:?}").as_bytes()).split_at(20).0),
            home: name("b"),
            page: PageSlug::parse(slug).expect("a slug"),
            way,
            address: address.to_owned(),
            language: Language::English,
            asked_at,
            is_asked: true,
            n_asked: 1,
            confirmed_at: Some(NOON),
        },
        told: Vec::new(),
    };
    let (mail_, hook) = (SubscriberWay::Mail, SubscriberWay::Hook);
    let rows = vec![
        row(mail_, "no mailbox", "main", NOON),
        row(mail_, "jo@Example.ORG", "main", NOON),
        row(mail_, "jo@example.org, eve@example.org", "main", NOON),
        row(hook, "http://127.0.0.1:25/", "main", NOON),
        row(hook, "https://hooks.example.com/", "main", NOON),
        row(mail_, "else@example.org", "other", NOON),
        row(mail_, "late@example.org", "main", NOON + Duration::from_secs(10 * 86_400)),
        row(mail_, "early@example.org", "main", UnixMillis(-1)),
        row(mail_, "fine@example.org", "main", NOON),
    ];
    let part = SharedPart { to: 9, has_more: false, rows, gone: Vec::new() };
    let answer = subscribers::encode("1.0", &part).expect("JSON");
    net.set("b", Some(Voice::Says(answer)));
    let mut a = nodes.remove(0);
    a.step().await;
    assert_eq!(a.addresses().await, ["fine@example.org"]);
    a.snapshot.send_replace(Arc::new(offering(Some(Subscriptions { webhook: true, ..mail() }), "a")));
    a.step().await;
    assert_eq!(a.addresses().await, ["fine@example.org", "https://hooks.example.com/"], "the page offers more now");

    // An answer that never ends is asked for once in a round.
    let endless = SharedPart { to: 0, has_more: true, rows: Vec::new(), gone: Vec::new() };
    net.set("b", Some(Voice::Says(subscribers::encode("2.0", &endless).expect("JSON"))));
    net.asked();
    a.step().await;
    assert!(net.asked().len() <= 4, "it is not asked on and on");
}
