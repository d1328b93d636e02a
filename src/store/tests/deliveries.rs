//! The log of attempts, what is known of channels by it, and messages that are tried again.

use std::time::Duration;

use super::*;
use crate::store::Answered;
use crate::store::AnsweredBy;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::ChannelFacts;
use crate::store::ChannelMark;
use crate::store::CommitError;
use crate::store::DeliveryFilter;
use crate::store::DeliveryState;
use crate::store::Mark;
use crate::store::Revived;
use crate::store::attempt;
use crate::store::work::Duty;

const LEASE: Duration = Duration::from_secs(60);

fn refused(n: i64) -> Attempt {
    Attempt {
        at: at(n),
        took: Duration::from_millis(40),
        outcome: AttemptOutcome::Refused,
        reason: Some(format!("answered 401 the {n}. time")),
        answer: Some(Answered { by: AnsweredBy::Http, code: 401, said: "who are you?".to_owned() }),
        called: None,
        is_unanswered: false,
    }
}

fn accepted(n: i64) -> Attempt {
    Attempt {
        at: at(n),
        took: Duration::ZERO,
        outcome: AttemptOutcome::Accepted,
        reason: None,
        answer: None,
        called: None,
        is_unanswered: false,
    }
}

async fn mark(store: &Store, id: i64, mark: Mark, attempt: Option<&Attempt>) -> Result<(), CommitError> {
    store.outbox_mark(vec![(id, mark)], attempt).await
}

async fn row_of(store: &Store, key: &str) -> i64 {
    let key = key.to_owned();
    store.read(move |conn| conn.query_row("SELECT id FROM outbox WHERE key = ?1", [key], |row| row.get(0))).await.expect("is there")
}

async fn facts(store: &Store, name: &str) -> ChannelFacts {
    let all = store.channels().await.expect("reads");
    all.into_iter().find(|facts| facts.name == channel(name)).unwrap_or_else(|| ChannelFacts::new(channel(name)))
}

async fn log_of(store: &Store, name: &str) -> Vec<(String, DeliveryState)> {
    let filter = DeliveryFilter::Channel { name: channel(name), before: None, dead: false };
    store.deliveries(&filter, 100).await.expect("reads").into_iter().map(|found| (found.key, found.state)).collect()
}

#[tokio::test]
async fn the_first_and_the_last_attempts_of_a_message_are_kept() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(owed(vec![notification("k", "mail", "a", EventKind::Down)])).await.expect("commits");
    let id = row_of(&store, "k").await;
    for n in 1..=40 {
        let attempt = refused(n);
        mark(&store, id, Mark::Retry { next_at: at(n), error: "answered 401".to_owned(), may_have_arrived: false }, Some(&attempt))
            .await
            .expect("commits");
    }
    let asked_for_time = Attempt { outcome: AttemptOutcome::Later(at(900)), reason: Some("busy".to_owned()), answer: None, ..refused(41) };
    mark(&store, id, Mark::Retry { next_at: at(900), error: "busy".to_owned(), may_have_arrived: false }, Some(&asked_for_time))
        .await
        .expect("commits");
    mark(&store, id, Mark::Sent { at: at(42) }, Some(&accepted(42))).await.expect("commits");
    let found = store.deliveries(&DeliveryFilter::All, 10).await.expect("reads").remove(0);
    assert_eq!((found.n_attempts, found.about.as_str()), (42, "a"));
    let numbers: Vec<u32> = found.attempts.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, [1, 2, 3, 36, 37, 38, 39, 40, 41, 42]);
    assert_eq!(found.attempts[0].1, refused(1));
    assert_eq!(found.attempts[8].1, asked_for_time);
    assert_eq!(found.attempts[9].1, accepted(42));
    // What is settled already is settled: nothing is added to it.
    mark(&store, id, Mark::Sent { at: at(43) }, Some(&accepted(43))).await.expect("commits");
    assert_eq!(store.deliveries(&DeliveryFilter::All, 10).await.expect("reads")[0].attempts.len(), 10);
}

#[tokio::test]
async fn attempts_go_with_their_message_and_beyond_their_number() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for n in 0..4 {
        let key = format!("k{n}");
        store.commit(owed(vec![notification(&key, "mail", &format!("m{n}"), EventKind::Down)])).await.expect("commits");
        let id = row_of(&store, &key).await;
        mark(&store, id, Mark::Retry { next_at: T0, error: "no".to_owned(), may_have_arrived: false }, Some(&refused(n)))
            .await
            .expect("commits");
        mark(&store, id, Mark::Dead { at: at(n * 1000), error: "no".to_owned(), may_have_arrived: false }, Some(&refused(n)))
            .await
            .expect("commits");
    }
    let count = || store.read(|conn| conn.query_row("SELECT count(*) FROM attempts", [], |row| row.get::<_, i64>(0)));
    assert_eq!(count().await, Ok(8));
    let n = store.write(Duty::Unpromised, |desk| attempt::drop_excess(desk, 5)).await;
    assert_eq!((n, count().await), (Ok(3), Ok(5)));
    assert_eq!(store.write(Duty::Unpromised, |desk| attempt::drop_excess(desk, 5)).await, Ok(0));
    let left = store.deliveries(&DeliveryFilter::All, 10).await.expect("reads");
    assert_eq!(left.iter().map(|found| found.attempts.len()).collect::<Vec<_>>(), [2, 2, 1, 0], "the oldest lose theirs first");
    store.write(Duty::Unpromised, |desk| crate::store::outbox::delete_ended(desk, at(2_500))).await.expect("deletes");
    assert_eq!(count().await, Ok(2));
}

#[tokio::test]
async fn what_is_known_of_a_channel_follows_its_attempts() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!(store.channels().await, Ok(Vec::new()));
    let messages = ["k1", "k2", "k3", "k4"].map(|key| notification(key, "mail", key, EventKind::Down)).to_vec();
    store.commit(owed(messages)).await.expect("commits");
    let (k1, k2, k3) = (row_of(&store, "k1").await, row_of(&store, "k2").await, row_of(&store, "k3").await);
    let blank = ChannelFacts::new(channel("mail"));
    assert_eq!(facts(&store, "mail").await, ChannelFacts { n_waiting: 4, oldest: Some(T0), next_at: Some(T0), ..blank.clone() });
    mark(&store, k1, Mark::Sent { at: at(5) }, Some(&accepted(5))).await.expect("commits");
    mark(&store, k2, Mark::Retry { next_at: at(90), error: "no".to_owned(), may_have_arrived: false }, Some(&refused(10)))
        .await
        .expect("commits");
    let later = Attempt { outcome: AttemptOutcome::Later(at(700)), ..refused(20) };
    mark(&store, k3, Mark::Retry { next_at: at(700), error: "later".to_owned(), may_have_arrived: false }, Some(&later))
        .await
        .expect("commits");
    let found = facts(&store, "mail").await;
    assert_eq!(
        (found.accepted_at, found.failing_since, found.rests_until),
        (Some(at(5)), Some(at(10) + Duration::from_millis(40)), Some(at(700)))
    );
    let since = found.failing_since.expect("it fails");
    // What was decided on facts that are over is not done.
    let broken = |since| ChannelMark::Broken { since, told_at: Some(at(600)) };
    let notice = notification("told", "chat", "x", EventKind::Down);
    assert_eq!(store.channel_mark(&channel("mail"), broken(at(1)), vec![notice.clone()]).await, Ok(false));
    assert_eq!(log_of(&store, "chat").await, []);
    assert_eq!(store.channel_mark(&channel("mail"), broken(since), vec![notice]).await, Ok(true));
    assert_eq!(log_of(&store, "chat").await.len(), 1);
    mark(&store, k2, Mark::Dead { at: at(800), error: "no".to_owned(), may_have_arrived: false }, Some(&refused(800)))
        .await
        .expect("commits");
    let found = facts(&store, "mail").await;
    assert_eq!((found.broken_since, found.told_at, found.n_lost, found.n_dead), (Some(since), Some(at(600)), 1, 1));
    assert_eq!(
        (found.given_up_at, found.dead_at, found.reason.as_deref()),
        (Some(at(800)), Some(at(800)), Some("answered 401 the 800. time"))
    );
    mark(&store, k3, Mark::Sent { at: at(900) }, Some(&accepted(900))).await.expect("commits");
    let found = facts(&store, "mail").await;
    assert_eq!((found.mended_at, found.n_late, found.n_waiting), (Some(at(900)), 2, 1), "one came late, one still waits");
    assert_eq!((found.failing_since, found.reason, found.rests_until), (None, None, None));
    assert_eq!(store.channel_mark(&channel("mail"), ChannelMark::Mended(since), Vec::new()).await, Ok(true));
    assert_eq!(store.channel_mark(&channel("mail"), ChannelMark::Mended(since), Vec::new()).await, Ok(false));
    let found = facts(&store, "mail").await;
    assert_eq!((found.broken_since, found.mended_at, found.told_at), (None, None, Some(at(800))), "the loss was told with it");
}

#[tokio::test]
async fn a_restart_forgets_nothing_of_a_channel() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(owed(vec![notification("k", "mail", "a", EventKind::Down)])).await.expect("commits");
    mark(
        &store,
        row_of(&store, "k").await,
        Mark::Retry { next_at: at(90), error: "no".to_owned(), may_have_arrived: false },
        Some(&refused(10)),
    )
    .await
    .expect("commits");
    let since = facts(&store, "mail").await.failing_since.expect("it fails");
    let mark = ChannelMark::Broken { since, told_at: Some(at(600)) };
    assert_eq!(store.channel_mark(&channel("mail"), mark, Vec::new()).await, Ok(true));
    let before = facts(&store, "mail").await;
    store.close().await;
    drop(store);
    assert_eq!(facts(&fixture.open(), "mail").await, before);
}

#[tokio::test]
async fn what_was_given_up_is_tried_again_under_its_key_and_in_order() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let messages = vec![
        notification("a-down", "mail", "a", EventKind::Down),
        notification("b-down", "mail", "b", EventKind::Down),
        notification("a-up", "mail", "a", EventKind::Recovered),
        notification("b-up", "mail", "b", EventKind::Recovered),
        notification("c-down", "mail", "c", EventKind::Down),
        notification("chat", "chat", "a", EventKind::Down),
    ];
    store.commit(owed(messages)).await.expect("commits");
    let ids = async |key: &'static str| row_of(&store, key).await;
    for key in ["a-down", "a-up", "b-down", "c-down"] {
        mark(&store, ids(key).await, Mark::Dead { at: at(50), error: "gone".to_owned(), may_have_arrived: false }, Some(&refused(50)))
            .await
            .expect("commits");
    }
    mark(&store, ids("b-up").await, Mark::Sent { at: at(60) }, Some(&accepted(60))).await.expect("commits");
    let mail = channel("mail");
    // To say that b is down after it was said that it is up would be a lie.
    assert_eq!(store.outbox_revive(&mail, ids("b-down").await, at(99)).await, Ok(Revived::Outdated));
    assert_eq!(store.outbox_revive(&mail, ids("b-up").await, at(99)).await, Ok(Revived::NotDead));
    assert_eq!(store.outbox_revive(&channel("chat"), ids("a-down").await, at(99)).await, Ok(Revived::NotDead), "another channel's");
    assert_eq!(store.outbox_revive(&mail, 9999, at(99)).await, Ok(Revived::NotDead));
    assert_eq!(store.outbox_revive(&mail, ids("a-down").await, at(99)).await, Ok(Revived::Waiting(2)), "and its end with it");
    let rows = store.outbox_claim(&mail, at(99), LEASE, 10).await.expect("claims");
    let claimed: Vec<_> = rows.iter().map(|row| (row.notification.key.as_str(), row.n_attempts, row.owed_since)).collect();
    assert_eq!(claimed, [("a-down", 1, at(99))], "its day begins anew");
    assert_eq!(store.outbox_revive_all(&mail, at(100)).await, Ok(1));
    let state = |key: &str, log: &[(String, DeliveryState)]| log.iter().find(|(found, _)| found == key).expect("is there").1;
    let log = log_of(&store, "mail").await;
    assert_eq!(state("b-down", &log), DeliveryState::Dead(at(50)));
    assert_eq!(state("c-down", &log), DeliveryState::Waiting(at(100)));
    assert_eq!(store.outbox_revive_all(&mail, at(101)).await, Ok(0));
}

#[tokio::test]
async fn a_log_is_read_in_pages() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let messages: Vec<_> = (0..7).map(|n| notification(&format!("k{n}"), "mail", &format!("m{n}"), EventKind::Down)).collect();
    store.commit(owed(messages)).await.expect("commits");
    mark(&store, row_of(&store, "k2").await, Mark::Dead { at: at(1), error: "gone".to_owned(), may_have_arrived: false }, None)
        .await
        .expect("commits");
    let page = async |before, dead| {
        let filter = DeliveryFilter::Channel { name: channel("mail"), before, dead };
        store.deliveries(&filter, 3).await.expect("reads").into_iter().map(|found| (found.id, found.key)).collect::<Vec<_>>()
    };
    let first = page(None, false).await;
    assert_eq!(first.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>(), ["k6", "k5", "k4"]);
    let second = page(Some(first[2].0), false).await;
    assert_eq!(second.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>(), ["k3", "k2", "k1"]);
    assert_eq!(page(None, true).await.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>(), ["k2"]);
}

#[tokio::test]
async fn what_another_node_sent_proves_the_channel_too() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let messages = ["k1", "k2"].map(|key| notification(key, "mail", key, EventKind::Down)).to_vec();
    store.commit(owed(messages)).await.expect("commits");
    mark(&store, row_of(&store, "k1").await, Mark::Elsewhere { at: at(70) }, None).await.expect("commits");
    store.outbox_sent_elsewhere(vec![("k2".to_owned(), at(60), None), ("unknown".to_owned(), at(99), None)]).await.expect("commits");
    let found = facts(&store, "mail").await;
    assert_eq!((found.accepted_at, found.elsewhere_at, found.n_waiting), (None, Some(at(70)), 0));
}
