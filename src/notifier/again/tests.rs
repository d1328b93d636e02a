//! A store with incidents in it, and an Alertmanager of a few lines.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use serde_json::Value;
use tokio::sync::Notify;

use super::*;
use crate::engine::announce::Announce;
use crate::model::change::StateChange;
use crate::model::id::NodeName;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::peer::Record;
use crate::model::peer::Roster;
use crate::model::result::Failure;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::RegionView;
use crate::notifier::former;
use crate::notifier::samples;
use crate::notifier::samples::channel_name;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::Mark;
use crate::store::OpenOptions;

const T0: UnixMillis = samples::TEN_TWENTY_THREE;

type Heard = Arc<Mutex<Vec<Value>>>;

/// Holds the first answer back.
struct Gate {
    /// The request has arrived.
    arrived: Arc<Notify>,
    /// It may be answered.
    go: mpsc::Receiver<()>,
}

/// Says yes to everything, and keeps what it was told.
fn alertmanager(gate: Option<Gate>) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let heard = Heard::default();
    let log = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            let body = loop {
                let Ok(n @ 1..) = stream.read(&mut buffer) else { break None };
                text.extend_from_slice(&buffer[..n]);
                let said = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = said.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if length.unwrap_or(0) <= body.len() {
                    break serde_json::from_str(body).ok();
                }
            };
            log.lock().expect("log").extend(body);
            if let Some(gate) = &gate {
                gate.arrived.notify_one();
                // Once the test lets go of it, nothing is held back any more.
                let _ = gate.go.recv();
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]");
        }
    });
    (format!("http://{address}"), heard)
}

struct World {
    again: Again,
    active: watch::Sender<Arc<Config>>,
    heard: Heard,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World::with(None)
    }

    fn with(gate: Option<Gate>) -> World {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(Now { wall: T0, mono: Mono(0) });
        let store = Store::open_with(dir.path(), clock.clone(), OpenOptions { allow_network_fs: true }).expect("opens").0;
        let (url, heard) = alertmanager(gate);
        let mut config = Config::clone(&samples::config(&["chat"]));
        let spec = ChannelSpec::Alertmanager(AlertmanagerSpec { url, credentials: None, labels: Vec::new() });
        config.channels.insert(channel_name("am"), Arc::new(samples::channel("am", spec)));
        let (former, active) = (Former::default(), watch::Sender::new(Arc::new(config)));
        former.note(&active.borrow());
        let again = Again {
            store,
            sink: ChannelSink::new(clock.clone()).expect("set up"),
            clock,
            config: active.subscribe(),
            secret: Secret::new("secret"),
            shared: None,
            former,
        };
        World { again, active, heard, _dir: dir }
    }

    async fn commit(&self, change: StateChange) {
        self.again.store.commit(change).await.expect("commits");
    }

    /// An incident that is open, and the message that tells of it.
    async fn open(&self, monitor: &str, lane: Lane, event: EventKind) {
        let notifications = vec![told(monitor, lane, event)];
        self.commit(StateChange { opened: vec![incident(monitor, lane)], notifications, ..StateChange::default() }).await;
    }

    async fn close(&self, monitor: &str, lane: Lane) {
        let closed = Closed { at: T0 + Duration::from_secs(60), how: CloseReason::Recovered };
        self.commit(StateChange { closed: vec![(incident(monitor, lane).id, closed)], ..StateChange::default() }).await;
    }

    /// The channel gets this label on all alerts.
    fn label(&self, team: &str) {
        let mut config = Config::clone(&self.active.borrow());
        let channel = config.channels.get_mut(&channel_name("am")).expect("it is there");
        let ChannelSpec::Alertmanager(spec) = &mut Arc::make_mut(channel).spec else { panic!("it is one") };
        spec.labels = vec![("team".to_owned(), team.to_owned())];
        self.again.former.note(&config);
        self.active.send_replace(Arc::new(config));
    }

    /// All that waits arrives, where the channel goes now.
    async fn deliver(&self) {
        let config = Arc::clone(&self.active.borrow());
        let place = former::place(&config.channels[&channel_name("am")].spec).expect("a place");
        let called = PlaceKeys::new(&config, &self.again.secret).mark(&place);
        let (took, outcome) = (Duration::ZERO, AttemptOutcome::Accepted);
        let attempt = Attempt { at: T0, took, outcome, reason: None, answer: None, called, is_unanswered: false };
        loop {
            let rows = self.again.store.outbox_claim(&channel_name("am"), T0, Duration::from_secs(30), 100).await.expect("claims");
            if rows.is_empty() {
                return;
            }
            let marks = rows.iter().map(|row| (row.id, Mark::Sent { at: T0 })).collect();
            self.again.store.outbox_mark(marks, Some(&attempt)).await.expect("commits");
        }
    }

    /// Names and monitors of the alerts of each request of a round.
    async fn round(&self) -> Vec<Vec<String>> {
        self.heard.lock().expect("log").clear();
        self.again.round().await;
        let word = |alert: &Value| {
            let labels = &alert["labels"];
            format!("{} {}", labels["alertname"].as_str().unwrap_or_default(), labels["monitor"].as_str().unwrap_or_default())
        };
        let heard = self.heard.lock().expect("log");
        heard.iter().map(|alerts| alerts.as_array().expect("a list").iter().map(word).collect()).collect()
    }
}

fn incident(monitor: &str, lane: Lane) -> Incident {
    Incident {
        id: IncidentId::from_derived(&format!("{monitor}-{}", lane.word())),
        monitor: samples_id(monitor),
        monitor_name: monitor.to_owned(),
        lane,
        epoch: Epoch(1),
        opened_at: T0,
        confirmed_at: T0,
        closed: None,
        cause: Failure::Refused { at: "192.0.2.7:443".to_owned() },
        regions: RegionView::default(),
        confidence: Confidence::Full,
        diagnosis: None,
        evidence: Vec::new(),
    }
}

fn samples_id(monitor: &str) -> crate::model::id::MonitorId {
    crate::model::id::MonitorId::parse(monitor).expect("an id")
}

fn told(monitor: &str, lane: Lane, event: EventKind) -> Notification {
    let incident = incident(monitor, lane).id;
    let key = format!("{incident}-{}", event.word());
    let facts = IncidentFacts { incident, monitor: samples_id(monitor), lane, ..samples::facts() };
    Notification { key, channel: channel_name("am"), event, ..samples::notification(facts) }
}

#[tokio::test]
async fn what_lasts_is_told_again_and_again_and_what_is_over_or_was_never_told_is_not() {
    let world = World::new();
    assert_eq!(world.round().await, Vec::<Vec<String>>::new());
    world.open("shop", Lane::Outage, EventKind::Down).await;
    world.open("mail", Lane::Degradation, EventKind::Degraded).await;
    world.deliver().await;
    world.open("wiki", Lane::Outage, EventKind::Down).await;
    for _ in 0..2 {
        let mut told = world.round().await.concat();
        told.sort();
        assert_eq!(told, ["VigilmonDegraded mail", "VigilmonDown shop"], "wiki waits in the outbox");
    }
    world.close("shop", Lane::Outage).await;
    assert_eq!(world.round().await, [["VigilmonDegraded mail"]]);
    world.close("mail", Lane::Degradation).await;
    assert_eq!(world.round().await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn an_outage_that_became_a_degradation_is_told_as_that() {
    let world = World::new();
    world.open("shop", Lane::Outage, EventKind::Down).await;
    world.close("shop", Lane::Outage).await;
    let mut end = told("shop", Lane::Outage, EventKind::Recovered);
    if let crate::model::notification::Subject::Incident(facts) = &mut end.subject {
        facts.status = crate::model::verdict::Verdict::Degraded;
    }
    let opened = vec![incident("shop", Lane::Degradation)];
    world.commit(StateChange { opened, notifications: vec![end], ..StateChange::default() }).await;
    world.deliver().await;
    assert_eq!(world.round().await, [["VigilmonDegraded shop"]]);
    world.close("shop", Lane::Degradation).await;
    assert_eq!(world.round().await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn what_ends_while_it_is_told_again_is_taken_back() {
    let (arrived, (open, go)) = (Arc::new(Notify::new()), mpsc::channel());
    let world = World::with(Some(Gate { arrived: Arc::clone(&arrived), go }));
    world.open("shop", Lane::Outage, EventKind::Down).await;
    world.deliver().await;
    let ends = async {
        arrived.notified().await;
        world.close("shop", Lane::Outage).await;
        drop(open);
    };
    let (told, ()) = tokio::join!(world.round(), ends);
    assert_eq!(told, [["VigilmonDown shop"], ["VigilmonDown shop"]]);
    let heard = world.heard.lock().expect("log").clone();
    let (said, taken_back) = (&heard[0][0], &heard[1][0]);
    assert_eq!((&said["endsAt"], &taken_back["endsAt"]), (&"2026-06-30T11:23:00Z".into(), &"2026-06-30T10:23:00Z".into()));
    assert_eq!(taken_back["annotations"]["summary"], "[prod-us] api /health is no longer DOWN");
}

#[tokio::test]
async fn it_is_told_again_where_it_will_be_ended() {
    let world = World::new();
    world.label("a");
    world.open("shop", Lane::Outage, EventKind::Down).await;
    world.deliver().await;
    world.label("b");
    world.open("mail", Lane::Outage, EventKind::Down).await;
    world.deliver().await;
    world.round().await;
    let heard = world.heard.lock().expect("log").clone();
    let mut labels: Vec<(&str, &str)> = heard
        .iter()
        .flat_map(|alerts| alerts.as_array().expect("a list"))
        .map(|alert| (alert["labels"]["monitor"].as_str().expect("a name"), alert["labels"]["team"].as_str().expect("a team")))
        .collect();
    labels.sort_unstable();
    assert_eq!(labels, [("mail", "b"), ("shop", "a")]);
    // Of a place that is not known any more nobody could say that it is over.
    let world = World { again: Again { former: Former::default(), ..world.again }, ..world };
    assert_eq!(world.round().await, [["VigilmonDown mail"]]);
}

#[tokio::test]
async fn a_storm_is_told_in_portions() {
    let world = World::new();
    for n in 0..=ALERTS_AT_ONCE {
        world.open(&format!("m{n}"), Lane::Outage, EventKind::Down).await;
    }
    world.deliver().await;
    let sizes: Vec<usize> = world.round().await.iter().map(Vec::len).collect();
    assert_eq!(sizes, [ALERTS_AT_ONCE, 1]);
}

/// Says nothing to anybody.
#[derive(Debug)]
struct Mute;

impl Announce for Mute {
    fn announce(&self, _: Vec<Record>) {}

    fn replay(&self) {}

    fn refill(&self, _: UnixMillis) {}

    fn share(&self, _: Arc<Roster>) {}
}

#[tokio::test]
async fn of_several_nodes_one_tells_it() {
    let names = ["a", "b", "c"].map(|name| NodeName::parse(name).expect("a name"));
    let mut n_told = 0;
    for me in &names {
        let mut world = World::new();
        let roster = Roster {
            me: me.clone(),
            eligible: names.to_vec(),
            eligible_since: Mono(0),
            live: names.iter().cloned().collect(),
            is_ready: true,
        };
        let clock = world.again.clock.clone();
        world.again.shared = Some(Shared::new(me.clone(), clock, Arc::new(Mute), watch::Sender::new(Arc::new(roster)).subscribe()));
        world.open("shop", Lane::Outage, EventKind::Down).await;
        world.deliver().await;
        n_told += world.round().await.len();
    }
    assert_eq!(n_told, 1);
}
