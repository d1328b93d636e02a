//! Nodes that gossip over carriers in memory, in virtual time.

use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;

use super::*;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::id::MonitorId;
use crate::model::maintenance::Selection;
use crate::model::peer::DeliveryStep;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::PingFact;
use crate::model::peer::Said;
use crate::model::peer::Stamp;
use crate::model::peer::Watermark;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::time::UnixMillis;
use crate::model::update::AnnouncementId;
use crate::supervise::Jobs;

/// One way between two nodes.
const DELAY: Duration = Duration::from_millis(60);

fn name(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

type Doors = Arc<Mutex<BTreeMap<NodeName, mpsc::Sender<LinkEvent>>>>;

#[derive(Debug)]
struct Air {
    me: NodeName,
    /// Whom it may reach.
    linked: Vec<NodeName>,
    doors: Doors,
}

impl Carrier for Air {
    fn send(&self, to: &NodeName, datagram: Bytes) {
        let Some(door) = self.doors.lock().unwrap().get(to).cloned().filter(|_| self.linked.contains(to)) else { return };
        let event = LinkEvent::Datagram(self.me.clone(), datagram);
        Jobs::new(CancellationToken::new()).start(async move {
            tokio::time::sleep(DELAY).await;
            let _ = door.send(event).await;
        });
    }

    fn linked(&self) -> Vec<NodeName> {
        self.linked.clone()
    }
}

struct Host {
    gossip: Gossip,
    events: mpsc::Receiver<Event>,
    deliveries: Arc<Mutex<Vec<(NodeName, DeliveryFact)>>>,
    stop: CancellationToken,
}

fn host(doors: &Doors, me: &str, linked: &[&str], nodes: &[&str], generation: u64) -> Host {
    let (door, links) = mpsc::channel(1024);
    doors.lock().unwrap().insert(name(me), door);
    let (events, heard) = mpsc::channel(100_000);
    let deliveries: Arc<Mutex<Vec<(NodeName, DeliveryFact)>>> = Arc::default();
    let noted = Arc::clone(&deliveries);
    let gossip = Gossip::new(name(me));
    let air = Air { me: name(me), linked: linked.iter().map(|node| name(node)).collect(), doors: Arc::clone(doors) };
    let parts = Parts {
        cluster: "acme".to_owned(),
        nodes: nodes.iter().map(|node| name(node)).collect(),
        generation,
        carrier: Arc::new(air),
        links,
        events,
        on_delivery: Arc::new(move |node, fact| noted.lock().unwrap().push((node.clone(), fact.clone()))),
    };
    let stop = CancellationToken::new();
    let (running, until) = (gossip.clone(), stop.clone());
    Jobs::new(CancellationToken::new()).start(async move { running.run(parts, until).await });
    Host { gossip, events: heard, deliveries, stop }
}

impl Host {
    fn news(&mut self) -> Vec<PeerNews> {
        let mut all = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let Event::Peers(news) = event {
                all.push(news);
            }
        }
        all
    }

    /// The records that this node was told of `node`.
    fn told(&mut self, node: &str) -> Vec<Record> {
        let of = |news: PeerNews| match news {
            PeerNews::Told { node: who, records } if who == name(node) => records,
            PeerNews::Began(_) | PeerNews::Told { .. } | PeerNews::Live(_) | PeerNews::ClockOffsets(_) | PeerNews::Refilled => Vec::new(),
        };
        self.news().into_iter().flat_map(of).collect()
    }

    fn live(&mut self) -> Option<Vec<String>> {
        let of = |news| match news {
            PeerNews::Live(live) => Some(live.iter().map(ToString::to_string).collect()),
            PeerNews::Began(_) | PeerNews::Told { .. } | PeerNews::ClockOffsets(_) | PeerNews::Refilled => None,
        };
        self.news().into_iter().filter_map(of).next_back()
    }
}

fn ping(n: u64) -> Record {
    let heartbeat = MonitorId::parse("nightly").expect("an id");
    let node = NodeName::parse("a").expect("a name");
    let stamp = PingStamp { at: UnixMillis(5), sequence: n, node: node.clone() };
    Record::Ping(PingFact { heartbeat, node, pings: vec![Ping { stamp, kind: PingKind::Success, run: None }] })
}

fn watermark(number: u64) -> Record {
    Record::Watermark(Watermark { overdue: Duration::ZERO, number, asks: false, seen: BTreeMap::new() })
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

const ALL: [&str; 3] = ["a", "b", "c"];

#[tokio::test(start_paused = true)]
async fn a_change_is_everywhere_in_less_than_half_a_second() {
    let doors = Doors::default();
    let mut a = host(&doors, "a", &["b", "c"], &ALL, 1);
    let mut b = host(&doors, "b", &["a", "c"], &ALL, 1);
    let mut c = host(&doors, "c", &["a", "b"], &ALL, 1);
    pass(10).await;
    assert_eq!(a.live(), Some(vec!["b".to_owned(), "c".to_owned()]));
    let _ = (b.news(), c.news());
    a.gossip.tell(vec![ping(1), watermark(7)]);
    tokio::time::sleep(Duration::from_millis(450)).await;
    for host in [&mut b, &mut c] {
        assert_eq!(host.told("a"), [ping(1), watermark(7)]);
    }
    // Said once, heard once; asked for again, told again.
    pass(30).await;
    assert_eq!(b.told("a"), []);
    b.gossip.replay();
    pass(1).await;
    assert_eq!(b.told("a"), [ping(1), watermark(7)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_is_missed_within_seconds() {
    let doors = Doors::default();
    let mut a = host(&doors, "a", &["b", "c"], &ALL, 1);
    let _b = host(&doors, "b", &["a", "c"], &ALL, 1);
    let c = host(&doors, "c", &["a", "b"], &ALL, 1);
    pass(20).await;
    assert_eq!(a.live(), Some(vec!["b".to_owned(), "c".to_owned()]));
    doors.lock().unwrap().remove(&name("c"));
    c.stop.cancel();
    pass(8).await;
    assert_eq!(a.live(), Some(vec!["b".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn nodes_that_only_dial_learn_of_each_other_through_the_middle() {
    let doors = Doors::default();
    let _a = host(&doors, "a", &["b", "c"], &ALL, 1);
    let b = host(&doors, "b", &["a"], &ALL, 1);
    let mut c = host(&doors, "c", &["a"], &ALL, 1);
    b.gossip.tell(vec![ping(3)]);
    pass(15).await;
    let news = c.news();
    let live = news.iter().rev().find_map(|news| if let PeerNews::Live(live) = news { Some(live.len()) } else { None });
    assert_eq!(live, Some(2), "{news:?}");
    assert!(news.iter().any(|news| matches!(news, PeerNews::Told { node, records } if *node == name("b") && records.contains(&ping(3)))));
}

#[tokio::test(start_paused = true)]
async fn of_earlier_runs_facts_stay_and_observations_do_not() {
    let doors = Doors::default();
    let mut a = host(&doors, "a", &["b", "c"], &ALL, 1);
    let b = host(&doors, "b", &["a"], &ALL, 1);
    b.gossip.tell(vec![ping(1), watermark(1)]);
    let sent = DeliveryFact { key: "k".to_owned(), step: DeliveryStep::Sent { at: UnixMillis(9) }, called: None };
    b.gossip.tell(vec![Record::Delivery(sent.clone())]);
    pass(5).await;
    assert_eq!(a.told("b"), [ping(1), watermark(1)]);
    assert_eq!(*a.deliveries.lock().unwrap(), [(name("b"), sent.clone())]);
    b.stop.cancel();
    // Its disk is gone: it knows nothing of its first run, and hears of it from a.
    let mut again = host(&doors, "b", &["a"], &ALL, 2);
    again.gossip.tell(vec![watermark(2)]);
    pass(5).await;
    let news = a.news();
    assert!(news.contains(&PeerNews::Began(name("b"))), "{news:?}");
    assert_eq!(again.told("b"), [ping(1)], "facts of one's own earlier run");
    assert_eq!(*again.deliveries.lock().unwrap(), [(name("b"), sent)]);
    // Whoever comes now hears the facts of both runs and the observations of the newer.
    let mut c = host(&doors, "c", &["a"], &ALL, 1);
    pass(10).await;
    let news = c.news();
    let began = news.iter().rposition(|news| *news == PeerNews::Began(name("b"))).expect("it began");
    let records = |news: &[PeerNews]| {
        let of = |news: &PeerNews| if let PeerNews::Told { records, .. } = news { records.clone() } else { Vec::new() };
        news.iter().flat_map(of).collect::<Vec<_>>()
    };
    assert_eq!(records(&news[began..]), [watermark(2)], "{news:?}");
    assert!(records(&news).contains(&ping(1)));
}

#[tokio::test(start_paused = true)]
async fn thousands_of_opinions_arrive_and_nonsense_harms_nobody() {
    let doors = Doors::default();
    let _a = host(&doors, "a", &["b", "c"], &ALL, 1);
    let mut b = host(&doors, "b", &["a"], &ALL, 1);
    let opinion = |i: u64| {
        let id = MonitorId::parse(&format!("m{i}")).expect("an id");
        Record::Opinion(crate::model::peer::PeerOpinion {
            monitor: crate::model::peer::MonitorKey::of(&id),
            state: crate::model::verdict::OpinionState::Up,
            since: UnixMillis(1_800_000_000_000),
            probe_hash: 1,
            cause: None,
        })
    };
    _a.gossip.tell((0..10_000).map(opinion).collect());
    for _ in 0..20 {
        let door = doors.lock().unwrap()[&name("b")].clone();
        let _ = door.send(LinkEvent::Datagram(name("a"), Bytes::from_static(&[0, 1, 2, 255, 7]))).await;
    }
    pass(30).await;
    let told: BTreeSet<_> =
        b.told("a").into_iter().filter_map(|record| if let Record::Opinion(o) = record { Some(o.monitor) } else { None }).collect();
    assert_eq!(told.len(), 10_000);
}

#[test]
fn what_is_over_goes_by_itself() {
    let act = |holds: bool| {
        let said = if holds { said_of_a_silence() } else { Said::Nothing };
        let stamp = Stamp { wall: UnixMillis(5), counter: 1, by: name("a") };
        let silence = OperatorAct::Silence(SilenceId::parse("aaaaaaa1").expect("an id"));
        codec::encode(&Record::Operator(OperatorFact { act: silence, stamp, holds, said })).expect("said to others")
    };
    assert!(is_passing("n/x", "whatever was sent"));
    let (held, over) = (act(true), act(false));
    assert_eq!(held.0, over.0);
    assert!(!is_passing(&held.0, &held.1), "a silence that holds must reach whoever comes");
    assert!(is_passing(&over.0, &over.1));
    let (key, value) = codec::encode(&watermark(1)).expect("said to others");
    assert!(!is_passing(&key, &value));
    let text = OperatorAct::Announce(AnnouncementId::parse("aaaaaaa1").expect("an id"));
    let stamp = Stamp { wall: UnixMillis(5), counter: 1, by: name("a") };
    let gone = OperatorFact { act: text, stamp, holds: false, said: Said::Over };
    let (key, value) = codec::encode(&Record::Operator(gone.clone())).expect("said to others");
    assert!(is_passing(&key, &value), "so does what people wrote of incidents that nobody remembers");
    let taken_back = OperatorFact { said: Said::Nothing, ..gone };
    let (key, value) = codec::encode(&Record::Operator(taken_back)).expect("said to others");
    assert!(!is_passing(&key, &value), "who was away must hear that a text was taken back, whenever that is");
    // Pauses stay: a monitor may be paused for years.
    let stamp = Stamp { wall: UnixMillis(5), counter: 1, by: name("a") };
    let resumed = OperatorFact { act: OperatorAct::Pause(MonitorId::parse("m").expect("an id")), stamp, holds: false, said: Said::Nothing };
    let (key, value) = codec::encode(&Record::Operator(resumed)).expect("said to others");
    assert!(!is_passing(&key, &value));
}

#[test]
fn what_went_by_itself_can_be_said_again_and_what_stays_is_said_once() {
    let stamp = Stamp { wall: UnixMillis(5), counter: 1, by: name("a") };
    let silence = OperatorAct::Silence(SilenceId::parse("aaaaaaa1").expect("an id"));
    let held = OperatorFact { act: silence, stamp, holds: true, said: said_of_a_silence() };
    for (fact, n_again) in [(held.clone(), 0), (OperatorFact { holds: false, said: Said::Over, ..held }, 1)] {
        let (key, value) = codec::encode(&Record::Operator(fact)).expect("said to others");
        let mut said = super::Said::default();
        said.put(key.clone(), value.clone());
        assert_eq!(std::mem::take(&mut said.pending).len(), 1);
        said.put(key, value);
        assert_eq!(said.pending.len(), n_again);
    }
    let mut said = super::Said::default();
    for _ in 0..2 {
        said.pending.clear();
        said.put("n/x".to_owned(), "sent".to_owned());
    }
    assert_eq!(said.pending.len(), 0, "of deliveries each is one line, and the notifier says none twice");
}

fn said_of_a_silence() -> Said {
    Said::Silence(Silence {
        wanted: Selection { names: vec!["*".to_owned()], ..Selection::default() },
        from: UnixMillis(1),
        until: UnixMillis(9),
        by: "ada".to_owned(),
        note: String::new(),
    })
}

#[test]
fn addresses_are_private_and_no_two_are_alike() {
    let all: BTreeSet<SocketAddr> = (0..1000).map(|i| address_of(&name(&format!("n{i}")))).collect();
    assert_eq!(all.len(), 1000);
    assert!(all.into_iter().all(is_virtual));
}
