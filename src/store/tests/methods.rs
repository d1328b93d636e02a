//! Every method once, and what it leaves after a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::model::change::VerdictChange;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::id::NodeName;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::rollup::Resolution;
use crate::store::IncidentFilter;
use crate::store::SessionRow;

#[tokio::test]
async fn what_a_start_needs_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(store.load().await.expect("loads"), crate::store::Loaded::default());
    let change = StateChange {
        states: vec![state("b", 1), state("a", 2)],
        opened: vec![incident("one", "a", at(0)), incident("two", "b", at(5))],
        ..StateChange::default()
    };
    store.commit(change).await.expect("commits");
    let end = Closed { at: at(9), how: CloseReason::Recovered };
    let change =
        StateChange { states: vec![state("a", 4)], closed: vec![(IncidentId::from_derived("one"), end)], ..StateChange::default() };
    store.commit(change).await.expect("commits");
    for n in 0..70 {
        store.record(result("a", at(n * 1000), Outcome::Up, 1000));
    }
    store.record(result("b", at(500), Outcome::Down, 1000));
    store.alive(at(1));
    store.alive(at(2));
    store.close().await;
    assert_eq!(store.commit(state_change("a", 9)).await, Err(crate::store::CommitError::Closed));
    assert!(store.load().await.is_err());
    drop(store);
    let loaded = fixture.open().load().await.expect("loads");
    assert_eq!(loaded.states, vec![state("a", 4), state("b", 1)]);
    assert_eq!(loaded.incidents, vec![incident("two", "b", at(5))]);
    assert_eq!(loaded.last_alive, Some(at(2)));
    let recent: Vec<_> = loaded.recent[&id("a")].iter().map(|result| result.at).collect();
    assert_eq!(recent, (10..70).map(|n| at(n * 1000)).collect::<Vec<_>>());
    let mut last = result("b", at(500), Outcome::Down, 1000);
    last.transcript = Transcript::default();
    assert_eq!(loaded.recent[&id("b")], vec![last]);
}

#[tokio::test]
async fn incidents_are_found_by_monitor_time_and_id() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let opened = vec![incident("one", "a", at(0)), incident("two", "b", at(5)), incident("three", "a", at(10))];
    let end = Closed { at: at(8), how: CloseReason::RecoveredUnseen };
    let change = StateChange { opened, closed: vec![(IncidentId::from_derived("one"), end)], ..StateChange::default() };
    store.commit(change.clone()).await.expect("commits");
    store.commit(change).await.expect("the same again is the same");
    let ids = async |filter: IncidentFilter| {
        let found = store.incidents(&filter).await.expect("reads");
        found.into_iter().map(|incident| incident.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(IncidentFilter::default()).await, ["three", "two", "one"]);
    assert_eq!(ids(IncidentFilter { limit: 1, ..IncidentFilter::default() }).await, ["three"]);
    assert_eq!(ids(IncidentFilter { monitors: Some(vec![id("a"), id("x")]), ..IncidentFilter::default() }).await, ["three", "one"]);
    assert_eq!(ids(IncidentFilter { since: Some(at(8)), ..IncidentFilter::default() }).await, ["three", "two"]);
    assert_eq!(ids(IncidentFilter { since: Some(at(7)), ..IncidentFilter::default() }).await, ["three", "two", "one"]);
    let before = |ms, id: &str| Some((at(ms), IncidentId::from_derived(id)));
    assert_eq!(ids(IncidentFilter { is_over: true, ..IncidentFilter::default() }).await, ["one"], "the others are open");
    assert_eq!(ids(IncidentFilter { before: before(10, "three"), ..IncidentFilter::default() }).await, ["two", "one"]);
    assert_eq!(
        ids(IncidentFilter { before: before(5, "two-more"), ..IncidentFilter::default() }).await,
        ["two", "one"],
        "by id within a moment"
    );
    let all = IncidentFilter { monitors: Some(vec![id("a")]), before: before(10, "three"), is_over: true, ..IncidentFilter::default() };
    assert_eq!(ids(all).await, ["one"]);
    let one = store.incident(&IncidentId::from_derived("one")).await.expect("reads").expect("is there");
    assert_eq!(one, Incident { closed: Some(end), ..incident("one", "a", at(0)) });
    assert_eq!(store.incident(&IncidentId::from_derived("none")).await, Ok(None));
}

#[tokio::test]
async fn the_verdict_that_held_at_the_beginning_is_included() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let verdict = |monitor: &str, ms, verdict| VerdictChange { monitor: id(monitor), at: at(ms), verdict };
    let verdicts = vec![
        verdict("a", 0, Verdict::Up),
        verdict("a", 10, Verdict::Down),
        verdict("a", 20, Verdict::Up),
        verdict("b", 15, Verdict::Degraded),
    ];
    store.commit(StateChange { verdicts: verdicts.clone(), ..StateChange::default() }).await.expect("commits");
    let both = [id("a"), id("b"), id("c")];
    let found = store.verdicts(&both, at(12), at(20)).await.expect("reads");
    assert_eq!(found, vec![verdicts[1].clone(), verdicts[3].clone()]);
    let found = store.verdicts(&both[..1], at(10), at(21)).await.expect("reads");
    assert_eq!(found, verdicts[1..3]);
    assert_eq!(store.verdicts(&both[1..], at(0), at(15)).await, Ok(Vec::new()));
}

#[tokio::test]
async fn sessions_and_values_are_kept_replaced_and_forgotten() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let session = |n: u8, seen| {
        let said = (n == 2).then(|| "{}".to_owned());
        SessionRow { token_hash: [n; 32], user: "me".to_owned(), said, created_at: at(0), seen_at: at(seen) }
    };
    store.session_put(session(1, 1)).await.expect("commits");
    store.session_put(session(2, 1)).await.expect("commits");
    store.session_put(session(1, 5)).await.expect("commits");
    assert_eq!(store.sessions().await, Ok(vec![session(1, 5), session(2, 1)]));
    store.sessions_delete(vec![[1; 32], [9; 32]]).await.expect("commits");
    assert_eq!(store.sessions().await, Ok(vec![session(2, 1)]));
    assert_eq!(store.value("secret").await, Ok(None));
    store.value_put("secret", "x").await.expect("commits");
    store.value_put("secret", "y").await.expect("commits");
    assert_eq!(store.value("secret").await, Ok(Some("y".to_owned())));
}

#[tokio::test]
async fn age_and_size_are_limited() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let hour = 3_600_000_i64;
    for n in 0..48 * 12 {
        for monitor in ["a", "b"] {
            store.record(result(monitor, at(n * 300_000), Outcome::Down, u64::try_from(n).expect("positive") * 977 + 3));
        }
    }
    let end = Closed { at: at(hour), how: CloseReason::Recovered };
    let old = Incident { closed: Some(end), ..incident("old", "a", at(0)) };
    let verdicts = [0, 1, 30, 40].map(|h| VerdictChange { monitor: id("a"), at: at(h * hour), verdict: Verdict::Up }).to_vec();
    let change = StateChange { opened: vec![old, incident("open", "a", at(0))], verdicts, ..StateChange::default() };
    store.commit(change).await.expect("commits");
    let day = Duration::from_secs(86_400);
    let retention = StoreRetention { results: day / 2, rollup_5m: day, rollup_1h: day * 3 / 2, db_bytes_max: 1 << 40, n_pings: 1000 };
    let now = at(48 * hour);
    store.maintain(now, retention).await.expect("maintains");
    let all = (at(0), at(100 * hour));
    assert_eq!(store.results(&id("a"), all.0, all.1, 1000).await.expect("reads").len(), 144);
    assert_eq!(store.rollups(&id("a"), Resolution::FiveMinutes, all.0, all.1).await.expect("reads").len(), 288);
    assert_eq!(store.rollups(&id("a"), Resolution::Hour, all.0, all.1).await.expect("reads").len(), 36);
    let kept = store.incidents(&IncidentFilter::default()).await.expect("reads");
    assert_eq!(kept, vec![incident("open", "a", at(0))]);
    let kept = store.verdicts(&[id("a")], at(0), all.1).await.expect("reads");
    assert_eq!(kept.iter().map(|verdict| verdict.at).collect::<Vec<_>>(), [at(hour), at(30 * hour), at(40 * hour)]);
    // The cap takes single results before sums, and never states or incidents.
    let used = store.read(crate::store::history::prune::size).await.expect("reads").used;
    let later = now + Duration::from_secs(600);
    store.maintain(later, StoreRetention { db_bytes_max: used - 20_000, ..retention }).await.expect("maintains");
    let left = store.results(&id("a"), all.0, all.1, 1000).await.expect("reads").len();
    assert!(0 < left && left < 140, "{left}");
    assert!(store.read(crate::store::history::prune::size).await.expect("reads").used <= used - 20_000);
    store.maintain(later + day / 24, StoreRetention { db_bytes_max: 1, ..retention }).await.expect("maintains");
    assert_eq!(store.results(&id("a"), all.0, all.1, 1000).await, Ok(Vec::new()));
    assert_eq!(store.incidents(&IncidentFilter::default()).await, Ok(vec![incident("open", "a", at(0))]));
}

fn opened(name: &str, monitor: &str, lane: Lane, epoch: u64) -> Incident {
    Incident { lane, epoch: Epoch(epoch), ..incident(name, monitor, at(i64::try_from(epoch).expect("small"))) }
}

#[tokio::test]
async fn epochs_are_never_behind_the_incidents_that_are_kept() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let end = Closed { at: at(9), how: CloseReason::Recovered };
    let orphan = opened("a1", "a", Lane::Outage, 1);
    let degraded = opened("a5", "a", Lane::Degradation, 5);
    let change = StateChange {
        states: vec![state("a", 4), state("b", 2), state("c", 7)],
        opened: vec![
            orphan.clone(),
            Incident { closed: Some(end), ..opened("a3", "a", Lane::Outage, 3) },
            degraded.clone(),
            Incident { closed: Some(end), ..opened("b1", "b", Lane::Outage, 1) },
            Incident { closed: Some(end), ..opened("c1", "c", Lane::Outage, 1) },
        ],
        ..StateChange::default()
    };
    store.commit(change).await.expect("commits");
    store.alive(at(60_000));
    store
        .write(crate::store::work::Duty::Promised, |desk| {
            desk.step("DELETE FROM monitor_states WHERE monitor = (SELECT key FROM monitors WHERE id = 'a')")?;
            desk.step("UPDATE monitor_states SET state = '{' WHERE monitor = (SELECT key FROM monitors WHERE id = 'b')")
        })
        .await
        .expect("commits");
    let loaded = store.load().await.expect("loads");
    let epochs: Vec<_> = loaded.states.iter().map(|state| (state.monitor.as_str(), state.outage.0, state.degradation.0)).collect();
    assert_eq!(epochs, [("a", 4, 5), ("b", 2, 0), ("c", 7, 0)]);
    let made = &loaded.states[0];
    assert_eq!((made.verdict, made.opinion.state, made.probe_hash), (Verdict::Unknown, OpinionState::Unknown, 0));
    assert_eq!((made.verdict_since, made.opinion.since), (at(60_000), at(60_000)));
    assert_eq!(loaded.incidents, [orphan, degraded]);
}

#[tokio::test]
async fn an_id_that_comes_twice_keeps_the_first_incident() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for offset in [0, 60_000] {
        let change = StateChange { opened: vec![incident("one", "a", at(offset))], ..StateChange::default() };
        store.commit(change).await.expect("is logged");
    }
    assert_eq!(store.incidents(&IncidentFilter::default()).await, Ok(vec![incident("one", "a", at(0))]));
}

#[tokio::test]
async fn monitors_that_are_gone_are_forgotten_after_their_incidents() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let day = Duration::from_secs(86_400);
    let retention = StoreRetention { results: day, rollup_5m: day, rollup_1h: day * 3, db_bytes_max: 1 << 40, n_pings: 1000 };
    let unknown = |monitor: &str| {
        let opinion = Opinion { state: OpinionState::Unknown, since: T0, failure: None };
        MonitorState { verdict: Verdict::Unknown, opinion, ..state(monitor, 2) }
    };
    let end = Closed { at: T0 + day, how: CloseReason::Removed };
    let verdicts = [("gone", Verdict::Up), ("gone", Verdict::Unknown), ("kept", Verdict::Up)];
    let verdicts = (0..).zip(verdicts).map(|(n, (monitor, verdict))| VerdictChange { monitor: id(monitor), at: at(n), verdict }).collect();
    let change = StateChange {
        states: vec![unknown("gone"), state("kept", 1), MonitorState { paused_at: Some(T0), ..unknown("paused") }],
        opened: vec![Incident { closed: Some(end), ..incident("one", "gone", T0) }],
        verdicts,
        notifications: vec![notification("k", "mail", "gone", EventKind::Down)],
        ..StateChange::default()
    };
    store.commit(change).await.expect("commits");
    store.record(result("gone", at(5), Outcome::Down, 5));
    let monitors = async || store.load().await.expect("loads").states.into_iter().map(|state| state.monitor).collect::<Vec<_>>();
    let count = async |sql: &'static str| store.read(move |conn| conn.query_row(sql, [], |row| row.get::<_, i64>(0))).await.expect("reads");
    let all = [id("gone"), id("kept"), id("paused")];
    store.maintain(T0 + day * 3, retention).await.expect("maintains");
    assert_eq!(monitors().await, all, "its incident ended later");
    store.maintain(T0 + day * 5, retention).await.expect("maintains");
    assert_eq!(monitors().await, all, "a message about it waits");
    store.outbox_claim(&channel("mail"), T0 + day * 5, day, 1).await.expect("claims");
    store.outbox_mark(vec![(1, crate::store::Mark::Sent { at: T0 + day * 5 })], None).await.expect("commits");
    store.maintain(T0 + day * 9, retention).await.expect("maintains");
    assert_eq!(monitors().await, all[1..]);
    assert_eq!(count("SELECT count(*) FROM monitors").await, 2);
    assert_eq!(count("SELECT count(*) FROM verdicts").await, 1, "the newest of a monitor that is there");
    assert_eq!(count("SELECT count(*) FROM transcripts").await, 0);
    store.commit(state_change("new", 1)).await.expect("commits");
    store.commit(state_change("gone", 1)).await.expect("it is back");
    assert_eq!(monitors().await, [id("gone"), id("kept"), id("new"), id("paused")]);
}

#[tokio::test]
async fn verdicts_of_the_future_are_brought_back_by_a_clock_that_can_be_believed() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let year = 365 * 86_400_000_i64;
    let verdict = |ms, verdict| VerdictChange { monitor: id("a"), at: at(ms), verdict };
    let verdicts = vec![verdict(0, Verdict::Up), verdict(year, Verdict::Down), verdict(year + 1, Verdict::Degraded)];
    store.commit(StateChange { verdicts: verdicts.clone(), ..StateChange::default() }).await.expect("commits");
    let found = async || store.verdicts(&[id("a")], at(0), at(2 * year)).await.expect("reads");
    let minute = 60_000;
    // A clock that is wrong itself and then set right.
    for round in [-2 * year, -2 * year + minute, 0, minute, 2 * minute] {
        store.maintain(at(round), RETENTION).await.expect("maintains");
        assert_eq!(found().await, verdicts);
    }
    for round in 3..=30 {
        store.maintain(at(round * minute), RETENTION).await.expect("maintains");
    }
    assert_eq!(found().await, [verdict(0, Verdict::Up), verdict(30 * minute, Verdict::Degraded)]);
}

#[tokio::test]
async fn pings_are_numbered_by_heartbeat_and_their_numbers_are_told_at_once() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(store.ping_numbers().await.expect("reads"), BTreeMap::new());
    let entry = |heartbeat: &str, sequence: u64| PingEntry {
        heartbeat: id(heartbeat),
        number: 0,
        stamp: PingStamp { at: at(1), sequence, node: NodeName::parse("a").expect("a name") },
        meaning: Meaning::Ping(PingKind::Success),
        exit: None,
        run: None,
        took: None,
        is_repeat: false,
        arrival: None,
        body: b"body".to_vec(),
        body_bytes: 4,
    };
    let pings: Vec<PingEntry> = (1..=5).map(|n| entry("a", n)).chain([entry("b", 6)]).collect();
    store.commit(StateChange { pings, states: vec![state("c", 1)], ..StateChange::default() }).await.expect("commits");
    assert_eq!(store.ping_numbers().await.expect("reads"), BTreeMap::from([(id("a"), 5), (id("b"), 1)]));
    let newest = store.pings(&id("a"), 2).await.expect("reads");
    assert_eq!(newest.iter().map(|entry| entry.number).collect::<Vec<_>>(), [5, 4]);
    // What another node received may be told again, beside something new; it is there once.
    let again = vec![entry("a", 5), entry("a", 6), entry("a", 6)];
    store.commit(StateChange { pings: again, ..StateChange::default() }).await.expect("commits");
    let newest = store.pings(&id("a"), 2).await.expect("reads");
    assert_eq!(newest.iter().map(|entry| (entry.number, entry.stamp.sequence)).collect::<Vec<_>>(), [(6, 6), (5, 5)]);
}
