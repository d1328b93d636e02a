//! What is told in one: found together, and noted together or not at all.

use std::time::Duration;

use super::*;
use crate::model::notification::ServiceId;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::DeliveryFilter;
use crate::store::DeliveryState;
use crate::store::Mark;
use crate::store::OutboxRow;

const LEASE: Duration = Duration::from_secs(60);

/// A message of the monitor `a`: incident, event, and the kind of incident.
fn about(key: &str, incident: &str, event: EventKind, lane: Lane) -> Notification {
    let mut notification = notification(key, "mail", "a", event);
    if let Subject::Incident(facts) = &mut notification.subject {
        (facts.incident, facts.lane) = (IncidentId::from_derived(incident), lane);
    }
    notification
}

async fn claimed(store: &Store) -> Vec<OutboxRow> {
    store.outbox_claim(&channel("mail"), T0, LEASE, 10).await.expect("claims")
}

fn keys(rows: &[OutboxRow]) -> Vec<&str> {
    rows.iter().map(|row| row.notification.key.as_str()).collect()
}

#[tokio::test]
async fn with_a_row_comes_what_waits_behind_it_about_the_same() {
    use EventKind::Degraded;
    use EventKind::Down;
    use EventKind::Recovered;
    use EventKind::Reminder;
    let outage = |key, event| about(key, "o", event, Lane::Outage);
    let degradation = |key, event| about(key, "d", event, Lane::Degradation);
    let another = |key, event| about(key, "p", event, Lane::Outage);
    for (line, expected) in [
        (vec![outage("1", Down), outage("2", Reminder), outage("3", Recovered), another("4", Down)], "2 3"),
        (vec![outage("1", Recovered), another("2", Down)], ""),
        (vec![degradation("1", Degraded), outage("2", Down), outage("3", Recovered)], "2 3"),
        (vec![degradation("1", Degraded), outage("2", Down), another("3", Down)], "2"),
        (vec![degradation("1", Degraded), outage("2", Recovered)], ""),
    ] {
        let fixture = Fixture::new();
        let store = fixture.open();
        store.commit(owed(line)).await.expect("commits");
        let rows = claimed(&store).await;
        assert_eq!(keys(&rows), ["1"]);
        assert_eq!(keys(&rows[0].behind).join(" "), expected);
        assert!(rows[0].behind.iter().all(|behind| behind.behind.is_empty()));
    }
}

#[tokio::test]
async fn rows_that_were_told_in_one_are_noted_by_one_commit() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let line = vec![about("down", "o", EventKind::Down, Lane::Outage), about("up", "o", EventKind::Recovered, Lane::Outage)];
    store.commit(owed(line)).await.expect("commits");
    let rows = claimed(&store).await;
    let marks = vec![(rows[0].id, Mark::Together { at: at(5), with: "up".to_owned() }), (rows[0].behind[0].id, Mark::Sent { at: at(5) })];
    store.outbox_mark(marks, None).await.expect("commits");
    let log = store.deliveries(&DeliveryFilter::All, 10).await.expect("reads");
    let log: Vec<_> = log.into_iter().map(|found| (found.key, found.n_attempts, found.state, found.last_error)).collect();
    let told = "told together with others, in message `up`".to_owned();
    assert_eq!(
        log,
        [("up".to_owned(), 1, DeliveryState::Sent(at(5)), None), ("down".to_owned(), 1, DeliveryState::Sent(at(5)), Some(told)),]
    );
}

#[tokio::test]
async fn an_end_knows_when_its_beginning_was_given_up() {
    for (mark, expected) in [
        (Mark::Sent { at: at(1) }, false),
        (Mark::Elsewhere { at: at(1) }, false),
        (Mark::Dead { at: at(1), error: "gone".to_owned(), may_have_arrived: false }, true),
    ] {
        let fixture = Fixture::new();
        let store = fixture.open();
        store.commit(owed(vec![about("down", "o", EventKind::Down, Lane::Outage)])).await.expect("commits");
        let row = claimed(&store).await[0].id;
        store.outbox_mark(vec![(row, mark.clone())], None).await.expect("commits");
        store.commit(owed(vec![about("up", "o", EventKind::Recovered, Lane::Outage)])).await.expect("commits");
        let rows = claimed(&store).await;
        assert_eq!((keys(&rows), rows[0].is_opening_lost), (vec!["up"], expected), "{mark:?}");
    }
}

#[tokio::test]
async fn what_a_service_calls_the_first_message_is_noted_with_it_and_found_by_what_follows() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let called = |id: Option<&str>| Attempt {
        at: T0,
        took: Duration::ZERO,
        outcome: AttemptOutcome::Accepted,
        reason: None,
        answer: None,
        called: id.and_then(ServiceId::parse),
        is_unanswered: false,
    };
    let openings = |rows: &[OutboxRow]| -> Vec<Option<(String, Option<String>)>> {
        let one = |row: &OutboxRow| {
            let opening = row.opening.as_ref()?;
            Some((opening.key.clone(), opening.called.as_ref().map(|id| id.as_str().to_owned())))
        };
        rows.iter().map(one).collect()
    };
    store.commit(owed(vec![about("down", "o", EventKind::Down, Lane::Outage)])).await.expect("commits");
    let rows = claimed(&store).await;
    assert_eq!(openings(&rows), [None], "a beginning follows nothing");
    store.outbox_mark(vec![(rows[0].id, Mark::Sent { at: at(1) })], Some(&called(Some("-1:42")))).await.expect("commits");
    store.close().await;
    drop(store);
    let store = fixture.open();
    store.commit(owed(vec![about("again", "o", EventKind::Reminder, Lane::Outage)])).await.expect("commits");
    let rows = claimed(&store).await;
    assert_eq!(openings(&rows), [Some(("down".to_owned(), Some("-1:42".to_owned())))], "also after a restart");
    store.outbox_mark(vec![(rows[0].id, Mark::Sent { at: at(2) })], Some(&called(None))).await.expect("commits");
    store.commit(owed(vec![about("other", "p", EventKind::Recovered, Lane::Outage)])).await.expect("commits");
    let rows = claimed(&store).await;
    assert_eq!(openings(&rows), [None], "of another incident");
    store.outbox_mark(vec![(rows[0].id, Mark::Elsewhere { at: at(3) })], None).await.expect("commits");
    let found = store.deliveries(&DeliveryFilter::Incident(IncidentId::from_derived("o")), 10).await.expect("reads");
    let named: Vec<Option<&str>> = found.iter().map(|delivery| delivery.called.as_ref().map(ServiceId::as_str)).collect();
    assert_eq!(named, [None, Some("-1:42")], "the newest first");
}
