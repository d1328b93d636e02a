//! What is encoded fits, comes back, and nothing that comes in does harm.

use std::time::Duration;

use super::*;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::RunId;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::maintenance::Selection;
use crate::model::notification::ServiceId;
use crate::model::peer::Cause;
use crate::model::peer::DeliveryFact;
use crate::model::peer::DeliveryStep;
use crate::model::peer::EpochFact;
use crate::model::peer::Meta;
use crate::model::peer::MonitorKey;
use crate::model::peer::OperatorFact;
use crate::model::peer::PeerOpinion;
use crate::model::peer::PingFact;
use crate::model::peer::Readiness;
use crate::model::peer::Said;
use crate::model::peer::Stage;
use crate::model::peer::Stamp;
use crate::model::peer::Vantage;
use crate::model::peer::Watermark;
use crate::model::policy::Acknowledgement;
use crate::model::update::Announced;
use crate::model::update::Postmortem;
use crate::model::update::PostmortemPart;
use crate::model::update::Update;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;

fn cause(text: &str) -> Cause {
    Cause { code: "refused".to_owned(), text: text.to_owned(), stage: Stage::Connect }
}

fn region(text: &str) -> Region {
    Region::parse(text).expect("a region")
}

fn epoch(n: u64) -> EpochFact {
    EpochFact {
        monitor: MonitorId::parse("api").expect("an id"),
        incident: n.is_multiple_of(3).then(|| IncidentId::from_derived("k3v9q2m7x4t1a")),
        lane: Lane::Degradation,
        epoch: Epoch(n),
        monitor_name: "[prod] \"api\"".to_owned(),
        opened_at: UnixMillis(5),
        confirmed_at: UnixMillis(6),
        closed: (n.is_multiple_of(2)).then_some(Closed { at: UnixMillis(9), how: CloseReason::Superseded }),
        cause: cause("connection refused"),
        regions: RegionView { failing: vec![region("eu")], fine: vec![region("us")], unknown: Vec::new() },
        confidence: Confidence::Degraded,
        before: (n > 2).then_some(Closed { at: UnixMillis(90), how: CloseReason::Recovered }),
        diagnosis: Some(Diagnosis::PathTls),
        by: NodeName::parse("a").expect("a name"),
        at: UnixMillis(7),
    }
}

fn records() -> Vec<Record> {
    let id = || MonitorId::parse("api").expect("an id");
    let node = || NodeName::parse("home").expect("a name");
    let meta = |readiness| Meta {
        region: region("eu"),
        vantage: Vantage::Internal,
        version: "0.1.0".to_owned(),
        config_digest: "ab".repeat(32),
        readiness,
        is_clock_off: true,
        clock_offset_ms: Some(-600_000),
        started_at: UnixMillis(1),
    };
    let step = |step| Record::Delivery(DeliveryFact { key: "k1".to_owned(), step, called: None });
    vec![
        Record::Meta(meta(Readiness::Settling)),
        Record::Meta(meta(Readiness::Ok)),
        Record::Meta(meta(Readiness::Draining)),
        Record::Meta(meta(Readiness::Abstaining("the line is cut".to_owned()))),
        Record::Watermark(Watermark {
            overdue: Duration::from_millis(1234),
            number: 1_800_000_000_007,
            asks: true,
            seen: [(node(), 1_800_000_000_000)].into(),
        }),
        Record::Epoch(Box::new(epoch(3))),
        Record::Epoch(Box::new(epoch(4))),
        step(DeliveryStep::Claimed { attempt: 2 }),
        step(DeliveryStep::Failed { attempt: 2, is_unanswered: false }),
        step(DeliveryStep::Failed { attempt: 2, is_unanswered: true }),
        step(DeliveryStep::Sent { at: UnixMillis(8) }),
        Record::Delivery(DeliveryFact {
            key: "k2".to_owned(),
            step: DeliveryStep::Sent { at: UnixMillis(8) },
            called: ServiceId::parse("$event:matrix.example"),
        }),
        Record::Ping(PingFact {
            heartbeat: id(),
            node: node(),
            pings: vec![
                Ping { stamp: PingStamp { at: UnixMillis(3), sequence: 4, node: node() }, kind: PingKind::Start, run: None },
                Ping {
                    stamp: PingStamp { at: UnixMillis(3), sequence: 5, node: node() },
                    kind: PingKind::Fail,
                    run: Some(RunId::text("nightly 7").expect("a run")),
                },
            ],
        }),
        Record::Operator(OperatorFact {
            act: OperatorAct::Create(id()),
            stamp: Stamp { wall: UnixMillis(3), counter: 1, by: node() },
            holds: true,
            said: Said::Nothing,
        }),
        Record::Operator(OperatorFact {
            act: OperatorAct::Pause(id()),
            stamp: Stamp { wall: UnixMillis(3), counter: 1, by: node() },
            holds: false,
            said: Said::Nothing,
        }),
        Record::Operator(OperatorFact {
            act: OperatorAct::Acknowledge(IncidentId::from_derived("k3v9q2m7x4t1a")),
            stamp: Stamp { wall: UnixMillis(3), counter: 2, by: node() },
            holds: false,
            said: Said::Over,
        }),
        Record::Forgotten(node()),
    ]
    .into_iter()
    .chain(texts())
    .collect()
}

/// What people write.
fn texts() -> Vec<Record> {
    let stamp = || Stamp { wall: UnixMillis(3), counter: 1, by: NodeName::parse("home").expect("a name") };
    let told = |act, said| Record::Operator(OperatorFact { act, stamp: stamp(), holds: true, said });
    let incident = || IncidentId::from_derived("k3v9q2m7x4t1a");
    let announcement = || AnnouncementId::parse("aaaaaaa1").expect("an id");
    let id = || UpdateId::parse("bbbbbbb2").expect("an id");
    let update = |kind| Update { kind, text: "*one*\ntwo \"three\"".to_owned(), by: "ada".to_owned(), at: UnixMillis(8) };
    let public = UpdateKind::State { state: UpdateState::Monitoring, is_public: true };
    let whole = Postmortem { text: "a\nb".to_owned(), by: "ada".to_owned(), at: UnixMillis(8), is_public: true };
    let ack = |by_channel| Acknowledgement { by: "ada".to_owned(), at: UnixMillis(8), until: None, note: String::new(), by_channel };
    vec![
        told(OperatorAct::Acknowledge(incident()), Said::Acknowledgement(ack(None))),
        told(OperatorAct::Acknowledge(incident()), Said::Acknowledgement(ack(ChannelName::parse("On call").ok()))),
        told(OperatorAct::Update(About::Incident(incident()), id()), Said::Update(update(public))),
        told(OperatorAct::Update(About::Announcement(announcement()), id()), Said::Update(update(UpdateKind::Note))),
        told(OperatorAct::Postmortem(incident(), 1), Said::Postmortem(PostmortemPart { n_parts: 2, whole })),
        told(
            OperatorAct::Announce(announcement()),
            Said::Announcement(Announced {
                title: "Slow logins".to_owned(),
                wanted: Selection { groups: vec!["Shop *".to_owned()], ..Selection::default() },
                pages: vec!["prod".to_owned()],
                from: UnixMillis(4),
                until: Some(UnixMillis(9)),
                by: "ada".to_owned(),
                at: UnixMillis(4),
            }),
        ),
        Record::Operator(OperatorFact {
            act: OperatorAct::Update(About::Incident(incident()), id()),
            stamp: stamp(),
            holds: false,
            said: Said::Nothing,
        }),
    ]
}

#[test]
fn records_come_back_as_they_were() {
    for record in records() {
        let (key, value) = encode(&record).expect("not an opinion");
        assert_eq!(decode(&key, &value), Ok(vec![record.clone()]), "{key} {value}");
        let is_observation = matches!(record, Record::Meta(_) | Record::Watermark(_));
        assert_eq!(stored(&record, None).is_none(), is_observation, "{key}");
    }
}

#[test]
fn the_longest_record_fits() {
    let long = |n: usize| "\u{1F600}".repeat(n);
    let regions = |prefix: &str| (0..200).map(|i| region(&format!("{prefix}{i}{}", "x".repeat(190)))).collect::<Vec<_>>();
    let id = MonitorId::parse(&"m".repeat(200)).expect("an id");
    let fact = EpochFact {
        monitor: id,
        monitor_name: long(200),
        cause: cause(&long(240)),
        regions: RegionView { failing: regions("a"), fine: regions("b"), unknown: regions("c") },
        ..epoch(3)
    };
    let (key, value) = encode(&Record::Epoch(Box::new(fact))).expect("a fact");
    assert!(value.len() <= VALUE_BYTES_MAX, "{}", value.len());
    assert!(decode(&key, &value).is_ok());
}

#[test]
fn the_longest_pings_fit_and_the_newest_of_them_stay() {
    let run = RunId::text(&"\"".repeat(100)).expect("a run");
    let (id, node) = (MonitorId::parse("nightly").expect("an id"), NodeName::parse("eu-west").expect("a name"));
    let ping = |n: u64| Ping {
        stamp: PingStamp { at: UnixMillis(1_800_000_000_000), sequence: n, node: node.clone() },
        kind: PingKind::Success,
        run: Some(run.clone()),
    };
    let fact = PingFact { heartbeat: id.clone(), node: node.clone(), pings: (0..100).map(ping).collect() };
    let fact = crate::consensus::merge::ping(&fact, &fact);
    assert_eq!(fact.pings.len(), crate::model::peer::PINGS_TOLD_MAX);
    let (key, value) = encode(&Record::Ping(fact)).expect("a fact");
    assert!(value.len() <= VALUE_BYTES_MAX, "{}", value.len());
    let [Record::Ping(told)] = &decode(&key, &value).expect("it is read")[..] else { panic!("one record") };
    assert_eq!(told.pings.last().map(|ping| ping.stamp.sequence), Some(99));
    assert!(10 < told.pings.len());
}

fn opinion(key: u64, text: Option<&str>) -> PeerOpinion {
    PeerOpinion {
        monitor: MonitorKey(key),
        state: if text.is_some() { OpinionState::Down } else { OpinionState::Up },
        since: UnixMillis(1_800_000_000_000),
        probe_hash: 0xff_ffff,
        cause: text.map(cause),
    }
}

#[test]
fn opinions_are_packed_split_when_they_grow_and_come_back() {
    let mut shards = Shards::default();
    // All in one shard, with long reasons: they cannot fit into one value.
    let many: Vec<PeerOpinion> = (0..100).map(|i| opinion(i * 320, Some(&"é\"\\".repeat(80)))).collect();
    let pairs = shards.put(many.clone());
    assert!(1 < pairs.len() && pairs.iter().all(|(_, value)| value.len() <= VALUE_BYTES_MAX));
    let mut back: Vec<Record> = pairs.iter().flat_map(|(key, value)| decode(key, value).expect("our own")).collect();
    back.sort_by_key(|record| matches!(record, Record::Opinion(opinion) if opinion.monitor.0 == 0));
    assert_eq!(back.len(), 100);
    assert!(back.iter().all(|record| matches!(record, Record::Opinion(held) if many.contains(held))));
    assert_eq!(shards.put(many), [], "nothing changed");
    // All recover: one part is enough, and the others say nothing.
    let pairs = shards.put((0..100).map(|i| opinion(i * 320, None)).collect());
    let n: usize = pairs.iter().map(|(key, value)| decode(key, value).expect("our own").len()).sum();
    assert_eq!(n, 100);
    assert_eq!(pairs.last().map(|(_, value)| value.as_str()), Some("[]"));
}

#[test]
fn what_cannot_be_read_is_an_error_and_what_is_new_is_left_out() {
    let deep = "[".repeat(2000);
    let long = "\"".to_owned() + &"x".repeat(5000) + "\"";
    for (key, value) in [
        ("meta", "{}"),
        ("meta", "nonsense"),
        ("wm", "-1"),
        ("o/1.0", "[[\"zz\",\"u\",1,2]]"),
        ("o/1.0", deep.as_str()),
        ("v/api", "{\"epoch\":18446744073709551615}"),
        ("v/Not An Id", "{}"),
        ("n/k", "{\"step\":\"burnt\"}"),
        ("h/api/eu-west", "[[1e400,0,\"fail\",null]]"),
        ("h/api/Not A Node", "[]"),
        ("s/pause/api", "[]"),
        ("u/i/k3v9/short", "{}"),
        ("u/a/aaaaaaa1/bbbbbbb2", "{\"wall\":1,\"n\":0,\"by\":\"a\",\"holds\":true}"),
        ("m/k3v9/16", "{}"),
        ("m/k3v9/01", "{}"),
        ("s/announce/x", "{}"),
        ("x/../etc", "true"),
        ("meta", long.as_str()),
    ] {
        assert!(decode(key, value).is_err(), "{key} {value}");
    }
    let mut open_and_closed = serde_json::to_value(row::epoch_json(&epoch(4))).expect("json");
    open_and_closed["epoch"] = 3.into();
    assert!(decode("v/api", &open_and_closed.to_string()).is_err());
    for key in ["z/1", "future", "s/dance/api", "h/api", "u/z/k3v9/bbbbbbb2", "m/k3v9"] {
        assert_eq!(decode(key, "{\"anything\":1}"), Ok(Vec::new()), "{key}");
    }
}

#[test]
fn what_a_service_calls_a_message_is_left_out_when_it_is_nothing_that_a_service_would_say() {
    for (value, expected) in [
        (r#"{"step":"sent","at":8}"#, None),
        (r#"{"step":"sent","at":8,"called":"42"}"#, Some("42")),
        (r#"{"step":"sent","at":8,"called":"4 2"}"#, None),
        (r#"{"step":"sent","at":8,"called":""}"#, None),
        (r#"{"step":"claim","attempt":1,"called":"42"}"#, None),
    ] {
        let records = decode("n/k1", value).expect("a delivery");
        let [Record::Delivery(fact)] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(fact.called.as_ref().map(ServiceId::as_str), expected, "{value}");
    }
}
