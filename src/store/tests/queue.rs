//! The outbox: once each, in order, until it is over.

use std::time::Duration;

use super::*;
use crate::store::DeliveryFilter;
use crate::store::DeliveryState;
use crate::store::Mark;
use crate::store::outbox;
use crate::store::work::Duty;

const LEASE: Duration = Duration::from_secs(60);

async fn claimed(store: &Store, to: &str, now: UnixMillis) -> Vec<String> {
    let rows = store.outbox_claim(&channel(to), now, LEASE, 10).await.expect("claims");
    rows.into_iter().map(|row| row.notification.key).collect()
}

async fn row_of(store: &Store, key: &str) -> i64 {
    let key = key.to_owned();
    store.read(move |conn| conn.query_row("SELECT id FROM outbox WHERE key = ?1", [key], |row| row.get(0))).await.expect("is there")
}

#[tokio::test]
async fn the_same_key_is_one_message() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let down = notification("k", "mail", "a", EventKind::Down);
    store.commit(owed(vec![down.clone(), down.clone()])).await.expect("commits");
    store.commit(owed(vec![down.clone()])).await.expect("commits");
    let rows = store.outbox_claim(&channel("mail"), T0, LEASE, 10).await.expect("claims");
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].n_attempts, &rows[0].notification), (0, &down));
    store.outbox_mark(vec![(rows[0].id, Mark::Sent { at: at(1) })], None).await.expect("commits");
    store.commit(owed(vec![down])).await.expect("commits");
    assert_eq!(claimed(&store, "mail", at(900_000)).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recovery_never_overtakes_its_outage() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let messages = vec![
        notification("a-down", "mail", "a", EventKind::Down),
        notification("b-down", "mail", "b", EventKind::Down),
        notification("a-up", "mail", "a", EventKind::Recovered),
        notification("a-down-chat", "chat", "a", EventKind::Down),
    ];
    store.commit(owed(messages)).await.expect("commits");
    assert_eq!(claimed(&store, "mail", T0).await, ["a-down", "b-down"]);
    assert_eq!(claimed(&store, "mail", T0).await, Vec::<String>::new(), "leased");
    assert_eq!(store.outbox_next_due(&channel("mail")).await, Ok(Some(T0 + LEASE)));
    let a_down = row_of(&store, "a-down").await;
    store
        .outbox_mark(vec![(a_down, Mark::Retry { next_at: at(5_000), error: "no answer".to_owned(), may_have_arrived: false })], None)
        .await
        .expect("commits");
    store.outbox_mark(vec![(row_of(&store, "b-down").await, Mark::Sent { at: at(1) })], None).await.expect("commits");
    assert_eq!(claimed(&store, "mail", at(4_999)).await, Vec::<String>::new(), "a-up waits behind a-down");
    assert_eq!(store.outbox_next_due(&channel("mail")).await, Ok(Some(at(5_000))));
    let rows = store.outbox_claim(&channel("mail"), at(5_000), LEASE, 10).await.expect("claims");
    assert_eq!(rows.iter().map(|row| (row.id, row.n_attempts)).collect::<Vec<_>>(), [(a_down, 1)]);
    store
        .outbox_mark(vec![(a_down, Mark::Dead { at: at(6_000), error: "gone".to_owned(), may_have_arrived: false })], None)
        .await
        .expect("commits");
    assert_eq!(claimed(&store, "mail", at(6_000)).await, ["a-up"]);
    store.outbox_mark(vec![(row_of(&store, "a-up").await, Mark::Sent { at: at(7_000) })], None).await.expect("commits");
    assert_eq!(store.outbox_next_due(&channel("mail")).await, Ok(None));
    assert_eq!(store.outbox_backlog().await, Ok(vec![(channel("chat"), 1, T0)]));
    let log = store.deliveries(&DeliveryFilter::Incident(IncidentId::from_derived("incident-of-a")), 10).await.expect("reads");
    let log: Vec<_> = log.into_iter().map(|found| (found.key, found.n_attempts, found.state, found.last_error)).collect();
    assert_eq!(
        log,
        [
            ("a-down-chat".to_owned(), 0, DeliveryState::Waiting(T0), None),
            ("a-up".to_owned(), 1, DeliveryState::Sent(at(7_000)), None),
            ("a-down".to_owned(), 2, DeliveryState::Dead(at(6_000)), Some("gone".to_owned())),
        ]
    );
    assert_eq!(store.deliveries(&DeliveryFilter::All, 2).await.expect("reads").len(), 2);
}

#[tokio::test]
async fn notices_about_vigilmon_wait_only_for_what_is_about_the_same() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let notice = |what: &str, at_ms: i64| {
        // As keys of notices are made: what it is about, and what tells it apart from others of the same.
        let about = what.rsplit_once('/').map_or(what, |(about, _)| about);
        let key = format!("self:{about}:{}-{at_ms}", what.replace([':', '/'], "-"));
        let subject = Subject::SelfNotice { title: what.to_owned(), text: "said".to_owned() };
        Notification { key, event: EventKind::SelfNotice, subject, ..notification("", "mail", "a", EventKind::Down) }
    };
    let notices = ["disk/open", "config/open", "channel a:b/broken", "clock-set", "disk/over"].map(|what| notice(what, 1));
    store.commit(owed(notices.to_vec())).await.expect("commits");
    let titles = async |now| {
        let rows = store.outbox_claim(&channel("mail"), now, LEASE, 10).await.expect("claims");
        rows.into_iter()
            .map(|row| match row.notification.subject {
                Subject::SelfNotice { title, .. } => title,
                Subject::Incident(_) | Subject::Passed(_) | Subject::Bundle(_) => String::new(),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(titles(T0).await, ["disk/open", "config/open", "channel a:b/broken", "clock-set"], "at once, and the end waits");
    // One is refused and waits; nothing about anything else does.
    let refused = Mark::Retry { next_at: at(600_000), error: "answered 400".to_owned(), may_have_arrived: false };
    store.outbox_mark(vec![(row_of(&store, &notices[1].key).await, refused)], None).await.expect("commits");
    store.outbox_mark(vec![(row_of(&store, &notices[0].key).await, Mark::Sent { at: at(1) })], None).await.expect("commits");
    store.commit(owed(vec![notice("uplink/open", 2)])).await.expect("commits");
    assert_eq!(titles(at(2)).await, ["disk/over", "uplink/open"]);
}

#[tokio::test]
async fn what_some_recipients_missed_waits_for_them_and_holds_nothing_back() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(owed(vec![notification("down", "mail", "a", EventKind::Down)])).await.expect("commits");
    assert_eq!(claimed(&store, "mail", T0).await, ["down"]);
    let id = row_of(&store, "down").await;
    let remaining = vec!["grey@example.com".to_owned()];
    let partly = || Mark::Partly { at: at(10), next_at: at(300_000), error: "taken for 1 of 2".to_owned(), remaining: remaining.clone() };
    store.outbox_mark(vec![(id, partly())], None).await.expect("commits");
    let rows = store.outbox_claim(&channel("mail"), at(300_000), LEASE, 10).await.expect("claims");
    assert_eq!((rows[0].remaining.as_slice(), rows[0].is_overtaken, rows[0].n_attempts), (remaining.as_slice(), false, 1));
    store.outbox_mark(vec![(id, partly())], None).await.expect("commits");
    // What another node says of it ends nothing, and nobody takes it for late.
    store.outbox_sent_elsewhere(vec![("down".to_owned(), at(1), None)]).await.expect("commits");
    let facts = store.channels().await.expect("reads");
    assert_eq!((facts[0].n_waiting, facts[0].oldest), (1, None));
    let up = Notification { at: at(2), ..notification("up", "mail", "a", EventKind::Recovered) };
    store.commit(owed(vec![up])).await.expect("commits");
    let rows = store.outbox_claim(&channel("mail"), at(2), LEASE, 10).await.expect("claims");
    let found: Vec<_> = rows.iter().map(|row| (row.notification.key.as_str(), row.is_overtaken)).collect();
    assert_eq!(found, [("down", true)], "it is tried once more, at once");
    store.outbox_mark(vec![(id, Mark::Enough { at: at(3), error: "given up for one".to_owned() })], None).await.expect("commits");
    assert_eq!(claimed(&store, "mail", at(3)).await, ["up"]);
    let log = store.deliveries(&DeliveryFilter::All, 10).await.expect("reads");
    let log: Vec<_> = log.into_iter().map(|found| (found.key, found.state, found.last_error)).collect();
    assert_eq!(log[1], ("down".to_owned(), DeliveryState::Sent(at(3)), Some("given up for one".to_owned())));
}

#[tokio::test]
async fn who_was_put_off_hears_nothing_that_is_older_than_what_the_others_heard() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let partly =
        || Mark::Partly { at: at(10), next_at: at(300_000), error: "taken for 1 of 2".to_owned(), remaining: vec!["grey".to_owned()] };
    let state = async |key: &str| {
        let log = store.deliveries(&DeliveryFilter::All, 10).await.expect("reads");
        log.into_iter().find(|found| found.key == key).expect("it is there").state
    };
    for monitor in ["a", "b", "c"] {
        let of = |word: &str, event| notification(&format!("{monitor}-{word}"), "mail", monitor, event);
        store.commit(owed(vec![of("up", EventKind::Recovered), of("down", EventKind::Down)])).await.expect("commits");
    }
    assert_eq!(claimed(&store, "mail", T0).await, ["a-up", "b-up", "c-up"]);
    // News waits: what is missing is tried at once.
    store.outbox_mark(vec![(row_of(&store, "a-up").await, partly())], None).await.expect("commits");
    let rows = store.outbox_claim(&channel("mail"), at(10), LEASE, 10).await.expect("claims");
    assert_eq!((rows.len(), rows[0].notification.key.as_str(), rows[0].is_overtaken), (1, "a-up", true));
    // Another node told it, before or after this one was accepted.
    store.outbox_sent_elsewhere(vec![("b-down".to_owned(), at(20), None)]).await.expect("commits");
    assert_eq!(state("b-up").await, DeliveryState::Waiting(at(0) + LEASE), "it is on its way");
    store.outbox_mark(vec![(row_of(&store, "b-up").await, partly())], None).await.expect("commits");
    assert_eq!(state("b-up").await, DeliveryState::Sent(at(10)));
    store.outbox_mark(vec![(row_of(&store, "c-up").await, partly())], None).await.expect("commits");
    store.outbox_sent_elsewhere(vec![("c-down".to_owned(), at(20), None)]).await.expect("commits");
    assert_eq!(state("c-up").await, DeliveryState::Sent(at(20)));
}

#[tokio::test]
async fn after_a_crash_that_is_doubted_whose_key_was_used() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let of = |monitor: &str, word: &str, event| notification(&format!("{monitor}-{word}"), "mail", monitor, event);
    let both = |monitor: &str| vec![of(monitor, "down", EventKind::Down), of(monitor, "up", EventKind::Recovered)];
    store.commit(owed([both("a"), both("b")].concat())).await.expect("commits");
    assert_eq!(claimed(&store, "mail", T0).await, ["a-down", "b-down"]);
    store.outbox_tells(vec![(row_of(&store, "a-down").await, row_of(&store, "a-up").await)]).await.expect("commits");
    let doubts = async |now| {
        let rows = store.outbox_claim(&channel("mail"), now, LEASE, 10).await.expect("claims");
        let all = rows.iter().flat_map(|row| std::iter::once(row).chain(&row.behind));
        let doubted = all.filter(|row| row.notification.may_be_repeat).map(|row| row.notification.key.clone());
        doubted.collect::<Vec<_>>()
    };
    store.outbox_reset_leases().await.expect("commits");
    assert_eq!(doubts(at(1)).await, ["a-up", "b-down"]);
    // A lease that is over says the same.
    store.outbox_tells(vec![(row_of(&store, "b-down").await, row_of(&store, "b-up").await)]).await.expect("commits");
    assert_eq!(doubts(at(1) + LEASE).await, ["a-down", "a-up", "b-down", "b-up"]);
    store.outbox_hold_leases(at(100_000)).await.expect("commits");
    assert!(doubts(at(99_999)).await.is_empty());
}

#[tokio::test]
async fn what_waits_behind_another_says_so_and_when_something_happens() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let messages = vec![
        notification("down", "mail", "a", EventKind::Down),
        notification("up", "mail", "a", EventKind::Recovered),
        notification("other", "mail", "b", EventKind::Down),
    ];
    store.commit(owed(messages)).await.expect("commits");
    let first = row_of(&store, "down").await;
    store
        .outbox_mark(vec![(first, Mark::Retry { next_at: at(60_000), error: "no answer".to_owned(), may_have_arrived: false })], None)
        .await
        .expect("commits");
    let log = store.deliveries(&DeliveryFilter::All, 10).await.expect("reads");
    let log: Vec<_> = log.iter().map(|found| (found.key.as_str(), found.behind, found.state)).collect();
    let expected = [
        ("other", None, DeliveryState::Waiting(T0)),
        ("up", Some(first), DeliveryState::Waiting(at(60_000))),
        ("down", None, DeliveryState::Waiting(at(60_000))),
    ];
    assert_eq!(log, expected);
}

#[tokio::test]
async fn leases_end_with_the_process_and_with_time() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(owed(vec![notification("k", "mail", "a", EventKind::Down)])).await.expect("commits");
    assert_eq!(claimed(&store, "mail", T0).await, ["k"]);
    assert_eq!(claimed(&store, "mail", T0 + LEASE).await, ["k"], "the lease is over");
    store.close().await;
    drop(store);
    let store = fixture.open();
    assert_eq!(claimed(&store, "mail", T0 + LEASE).await, Vec::<String>::new());
    store.outbox_reset_leases().await.expect("commits");
    assert_eq!(claimed(&store, "mail", T0 + LEASE).await, ["k"]);
}

#[tokio::test]
async fn a_message_that_a_wrong_clock_put_far_away_becomes_due() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(owed(vec![notification("k", "mail", "a", EventKind::Down)])).await.expect("commits");
    store
        .outbox_mark(
            vec![(
                row_of(&store, "k").await,
                Mark::Retry { next_at: at(365 * 86_400_000), error: "no answer".to_owned(), may_have_arrived: false },
            )],
            None,
        )
        .await
        .expect("commits");
    store.maintain(at(1), RETENTION).await.expect("maintains");
    assert_eq!(claimed(&store, "mail", at(1)).await, ["k"]);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_hold_back_others() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let messages = vec![notification("bad", "mail", "a", EventKind::Down), notification("good", "mail", "a", EventKind::Recovered)];
    store.commit(owed(messages)).await.expect("commits");
    store.write(Duty::Promised, |desk| desk.step("UPDATE outbox SET subject = '{}' WHERE key = 'bad'")).await.expect("commits");
    assert_eq!(claimed(&store, "mail", T0).await, Vec::<String>::new());
    assert_eq!(claimed(&store, "mail", T0).await, ["good"]);
}

#[tokio::test]
async fn beyond_the_limit_the_log_goes_first_then_reminders_and_changes_never() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut messages = Vec::new();
    for n in 0..4 {
        messages.push(notification(&format!("sent-{n}"), "mail", "s", EventKind::Down));
        messages.push(notification(&format!("reminder-{n}"), "mail", "r", EventKind::Reminder));
        messages.push(notification(&format!("change-{n}"), "mail", "c", EventKind::Down));
    }
    store.commit(owed(messages)).await.expect("commits");
    for n in 0..4 {
        store.outbox_mark(vec![(row_of(&store, &format!("sent-{n}")).await, Mark::Sent { at: at(n) })], None).await.expect("commits");
    }
    let keys = async || {
        let found = store.deliveries(&DeliveryFilter::All, 100).await.expect("reads");
        let mut keys: Vec<String> = found.into_iter().map(|found| found.key).collect();
        keys.sort();
        keys.join(" ")
    };
    for (limit, expected) in [
        (10, "change-0 change-1 change-2 change-3 reminder-0 reminder-1 reminder-2 reminder-3 sent-2 sent-3"),
        (6, "change-0 change-1 change-2 change-3 reminder-2 reminder-3"),
        (0, "change-0 change-1 change-2 change-3"),
    ] {
        while store.write(Duty::Unpromised, move |desk| outbox::drop_excess(desk, limit)).await.expect("commits") != 0 {}
        assert_eq!(keys().await, expected);
    }
}

#[tokio::test]
async fn the_log_of_sent_messages_ends_after_a_month() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(owed(vec![notification("k", "mail", "a", EventKind::Down)])).await.expect("commits");
    store.outbox_mark(vec![(row_of(&store, "k").await, Mark::Sent { at: T0 })], None).await.expect("commits");
    store.maintain(T0 + outbox::LOG_MAX, RETENTION).await.expect("maintains");
    assert_eq!(store.deliveries(&DeliveryFilter::All, 10).await.expect("reads").len(), 1);
    store.maintain(T0 + outbox::LOG_MAX + Duration::from_secs(300), RETENTION).await.expect("maintains");
    assert_eq!(store.deliveries(&DeliveryFilter::All, 10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_message_with_the_key_of_an_older_incident_is_sent_all_the_same() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let old = notification("k", "mail", "a", EventKind::Down);
    let mut new = old.clone();
    if let Subject::Incident(facts) = &mut new.subject {
        facts.started_at = at(900_000);
    }
    store.commit(owed(vec![old])).await.expect("commits");
    store.outbox_mark(vec![(row_of(&store, "k").await, Mark::Sent { at: at(1) })], None).await.expect("commits");
    store.commit(owed(vec![new.clone()])).await.expect("commits");
    store.commit(owed(vec![new])).await.expect("the same again is the same");
    assert_eq!(claimed(&store, "mail", at(900_000)).await, [format!("k-{}", at(900_000).0)]);
    assert_eq!(store.deliveries(&DeliveryFilter::All, 10).await.expect("reads").len(), 2);
}

#[tokio::test]
async fn what_was_being_sent_when_the_program_ended_may_be_a_repeat_and_nothing_else_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let both = vec![notification("a", "mail", "a", EventKind::Down), notification("b", "mail", "b", EventKind::Down)];
    store.commit(owed(both)).await.expect("commits");
    let claim = async |now| {
        let rows = store.outbox_claim(&channel("mail"), now, LEASE, 10).await.expect("claims");
        rows.into_iter().map(|row| (row.id, row.notification.key.clone(), row.notification.may_be_repeat)).collect::<Vec<_>>()
    };
    let rows = claim(T0).await;
    let [(_, first, false), (b, second, false)] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("a", "b"));
    // One attempt has an end, the other never had.
    store
        .outbox_mark(vec![(*b, Mark::Retry { next_at: at(1), error: "answered 503".to_owned(), may_have_arrived: false })], None)
        .await
        .expect("commits");
    store.outbox_reset_leases().await.expect("commits");
    let said = |rows: Vec<(i64, String, bool)>| rows.into_iter().map(|(_, key, may_be_repeat)| (key, may_be_repeat)).collect::<Vec<_>>();
    assert_eq!(said(claim(at(1)).await), [("a".to_owned(), true), ("b".to_owned(), false)]);
    // Nor is anything known of an attempt that outlived its lease.
    assert_eq!(said(claim(at(1) + LEASE).await), [("a".to_owned(), true), ("b".to_owned(), true)]);
}
