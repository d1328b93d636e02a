//! Commits that fail, disks that fill up, files that disappear, crashes.

use std::sync::mpsc;

use super::*;
use crate::store::CommitError;
use crate::store::StoreNotice;
use crate::store::work::Duty;
use crate::store::work::Message;
use crate::store::work::Task;

/// Holds the writer inside a piece of work until the returned sender is dropped, so that what follows waits together.
fn hold(store: &Store) -> mpsc::Sender<()> {
    let (let_go, held) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel::<()>();
    let (reply, _) = tokio::sync::oneshot::channel();
    let run = move |_: &mut crate::store::desk::Desk| {
        let _ = started.send(());
        let _ = held.recv();
        Ok(())
    };
    store.send(Message::Work(Box::new(Task { duty: Duty::Unpromised, run, value: None, reply }))).expect("sends");
    has_started.recv().expect("starts");
    let_go
}

async fn acknowledged_is_exactly_there(fixture: &Fixture, acknowledged: &[String]) {
    let states = fixture.open().load().await.expect("loads").states;
    let found: Vec<String> = states.iter().map(|state| state.monitor.as_str().to_owned()).collect();
    let mut expected = acknowledged.to_vec();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn changes_that_wait_together_share_one_commit() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let let_go = hold(&store);
    let faults = &store.inner.shared.faults;
    faults.begin_count();
    let names: Vec<String> = (0..50).map(|n| format!("m{n}")).collect();
    let mut waiting = Vec::new();
    for name in &names {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let change = state_change(name, 1);
        let run = move |desk: &mut crate::store::desk::Desk| crate::store::change::write(desk, &change, 1000);
        store.send(Message::Work(Box::new(Task { duty: Duty::Promised, run, value: None, reply }))).expect("sends");
        waiting.push(answer);
    }
    drop(let_go);
    for answer in waiting {
        answer.await.expect("answered").expect("commits");
    }
    // One for the work that held the writer, one for all the others.
    assert_eq!(store.inner.shared.faults.n_commits(), 2);
    acknowledged_is_exactly_there(&fixture.crashed(), &names).await;
}

#[tokio::test]
async fn a_bad_change_does_not_fail_its_neighbours() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let let_go = hold(&store);
    let bad = store.write(Duty::Promised, |desk| {
        desk.step("INSERT INTO monitors (id) VALUES ('half')")?;
        desk.step("INSERT INTO alive (one, at) VALUES (2, 0)")
    });
    let good = [store.commit(state_change("a", 1)), store.commit(state_change("b", 1))];
    let [first, last] = good;
    let release = async move { drop(let_go) };
    let (first, bad, last, ()) = tokio::join!(first, bad, last, release);
    assert_eq!((first, last), (Ok(()), Ok(())));
    assert!(matches!(bad, Err(CommitError::Refused(why)) if why.contains("CHECK")));
    let half: i64 =
        store.read(|conn| conn.query_row("SELECT count(*) FROM monitors WHERE id = 'half'", [], |row| row.get(0))).await.expect("reads");
    assert_eq!(half, 0);
}

#[tokio::test]
async fn a_failed_commit_is_never_acknowledged_and_the_store_recovers() {
    for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_BUSY] {
        for n in 1..=10 {
            let fixture = Fixture::new();
            let store = fixture.open();
            store.inner.shared.faults.fail_commit(n, code);
            let mut acknowledged = Vec::new();
            let mut n_failed = 0;
            for i in 0..12 {
                let name = format!("m{i}");
                store.record(result(&name, at(i), Outcome::Up, 5));
                match store.commit(state_change(&name, 1)).await {
                    Ok(()) => acknowledged.push(name),
                    Err(error) => {
                        assert!(matches!(error, CommitError::Failed(_)), "{error}");
                        n_failed += 1;
                    }
                }
            }
            assert_eq!(n_failed, 1, "commit {n}");
            store.flush().await.expect("flushes");
            for i in 0..12 {
                assert_eq!(
                    store.results(&id(&format!("m{i}")), T0, at(99), 9).await.expect("reads").len(),
                    1,
                    "results wait for the next one"
                );
            }
            acknowledged_is_exactly_there(&fixture.crashed(), &acknowledged).await;
        }
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_or_killed_has_what_it_acknowledged() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut names = Vec::new();
    for n in 0..20 {
        let name = format!("m{n}");
        store.commit(state_change(&name, 1)).await.expect("commits");
        names.push(name);
        acknowledged_is_exactly_there(&fixture.crashed(), &names).await;
    }
    store.record(result("m1", T0, Outcome::Up, 5));
    drop(store);
    acknowledged_is_exactly_there(&fixture, &names).await;
    assert_eq!(fixture.open().load().await.expect("loads").recent.len(), 1, "results are written when the last handle goes");
}

#[tokio::test]
async fn a_full_disk_fails_changes_until_there_is_room() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let reserve = fixture.dir.path().join("vigilmon.reserve");
    assert!(reserve.exists(), "these tests need 48 MiB of room");
    store.commit(state_change("first", 1)).await.expect("commits");
    store.inner.shared.faults.limit_pages(60);
    store.inner.shared.faults.fail_commit(1, ffi::SQLITE_IOERR_WRITE);
    assert!(store.commit(state_change("provoked", 1)).await.is_err(), "opens the database again, with the limit");
    let mut acknowledged = vec!["first".to_owned()];
    let mut n_failed = 0;
    for n in 0..200 {
        let name = format!("{:0>150}", format!("m{n}"));
        match store.commit(state_change(&name, 1)).await {
            Ok(()) => acknowledged.push(name),
            Err(_) => n_failed += 1,
        }
    }
    assert!(0 < n_failed && 10 < acknowledged.len(), "{n_failed} failed");
    for n in 0..30_000 {
        store.record(result("first", at(n), Outcome::Up, 5));
    }
    assert!(10_000 <= store.n_results_dropped(), "results wait in bounded memory");
    assert!(store.take_notices().contains(&StoreNotice::DiskFull));
    store.inner.shared.faults.limit_pages(0);
    store.commit(state_change("last", 1)).await.expect("there is room again");
    acknowledged.push("last".to_owned());
    store.flush().await.expect("flushes");
    assert!(reserve.exists());
    assert!(store.take_notices().contains(&StoreNotice::RoomAgain));
    assert_eq!(store.results(&id("first"), T0, at(99_999), 1000).await.expect("reads").len(), 1000);
    acknowledged_is_exactly_there(&fixture.crashed(), &acknowledged).await;
}

#[tokio::test]
async fn removed_files_are_written_anew() {
    for remove in [&["vigilmon.db"][..], &["vigilmon.db-wal"], &["vigilmon.db", "vigilmon.db-wal", "vigilmon.db-shm"]] {
        let fixture = Fixture::new();
        let store = fixture.open();
        store.commit(state_change("a", 1)).await.expect("commits");
        store.load().await.expect("a reader has it open");
        store.maintain(T0, RETENTION).await.expect("maintains");
        assert_eq!(store.take_notices(), Vec::new());
        for name in remove {
            std::fs::remove_file(fixture.dir.path().join(name)).expect("removes");
        }
        store.maintain(at(60_000), RETENTION).await.expect("maintains");
        assert_eq!(store.take_notices(), vec![StoreNotice::Recreated], "{remove:?}");
        store.commit(state_change("b", 1)).await.expect("commits");
        assert_eq!(store.load().await.expect("loads").states.len(), 2);
        store.maintain(at(120_000), RETENTION).await.expect("maintains");
        assert_eq!(store.take_notices(), Vec::new());
        acknowledged_is_exactly_there(&fixture.crashed(), &["a".to_owned(), "b".to_owned()]).await;
    }
}

#[tokio::test]
async fn a_database_that_somebody_put_there_is_taken() {
    let other = Fixture::new();
    let store = other.open();
    store.commit(state_change("other", 1)).await.expect("commits");
    store.close().await;
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(state_change("mine", 1)).await.expect("commits");
    store.maintain(T0, RETENTION).await.expect("maintains");
    for name in ["vigilmon.db-wal", "vigilmon.db-shm"] {
        std::fs::remove_file(fixture.dir.path().join(name)).expect("removes");
    }
    std::fs::copy(other.db(), fixture.dir.path().join("new")).expect("copies");
    std::fs::rename(fixture.dir.path().join("new"), fixture.db()).expect("renames");
    store.maintain(at(60_000), RETENTION).await.expect("maintains");
    assert_eq!(store.take_notices(), vec![StoreNotice::Replaced]);
    assert_eq!(store.load().await.expect("loads").states, vec![state("other", 1)]);
}

#[tokio::test]
async fn damage_while_running_is_set_aside_and_monitoring_goes_on() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(state_change("a", 1)).await.expect("commits");
    store.inner.shared.faults.fail_commit(1, ffi::SQLITE_CORRUPT);
    store.commit(state_change("b", 1)).await.expect("commits into the new one");
    assert!(matches!(store.take_notices()[..], [StoreNotice::SetAside(_)]));
    assert!(fixture.names().iter().any(|name| name.starts_with("vigilmon.db.damaged-")));
    acknowledged_is_exactly_there(&fixture.crashed(), &["a".to_owned(), "b".to_owned()]).await;
}

#[tokio::test]
async fn a_successor_that_could_not_be_begun_is_begun_later_with_what_was_rescued() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(state_change("a", 1)).await.expect("commits");
    store.inner.shared.faults.fail_commit(1, ffi::SQLITE_CORRUPT);
    store.inner.shared.faults.fail_begins(2);
    for _ in 0..2 {
        assert!(matches!(store.commit(state_change("b", 1)).await, Err(CommitError::Failed(_))));
        assert!(!fixture.db().exists(), "an empty one would look like a good one");
    }
    store.commit(state_change("c", 1)).await.expect("commits into the new one");
    acknowledged_is_exactly_there(&fixture.crashed(), &["a".to_owned(), "c".to_owned()]).await;
}

#[tokio::test]
async fn a_damaged_database_without_a_successor_is_put_back_at_the_end() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(state_change("a", 1)).await.expect("commits");
    store.inner.shared.faults.fail_commit(1, ffi::SQLITE_CORRUPT);
    store.inner.shared.faults.fail_begins(i64::MAX);
    store.commit(state_change("b", 1)).await.expect_err("cannot be kept");
    store.close().await;
    drop(store);
    assert!(!fixture.names().iter().any(|name| name.contains("damaged")));
    acknowledged_is_exactly_there(&fixture, &["a".to_owned()]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_busy_and_does_not_keep_the_store_from_closing() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let let_go = hold(&store);
    let mut n = 0;
    while store.send(Message::Inspect(tokio::sync::oneshot::channel().0)) != Err(CommitError::Busy) {
        n += 1;
    }
    assert_eq!(n, crate::store::QUEUE_MAX);
    assert_eq!(store.commit(state_change("a", 1)).await, Err(CommitError::Busy));
    store.close().await;
    assert_eq!(store.commit(state_change("a", 1)).await, Err(CommitError::Closed));
    let thread = store.inner.thread.lock().expect("nobody panicked").take();
    drop(let_go);
    drop(store);
    thread.expect("is there").join().expect("ends when there is no handle any more");
}

#[test]
fn a_read_that_gets_no_thread_comes_back_all_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let fixture = Fixture::new();
        let store = fixture.open();
        let (let_go, held) = mpsc::channel::<()>();
        let hog = tokio::task::spawn_blocking(move || held.recv());
        for _ in 0..5 {
            let read = store.inner.pool.read(Duration::from_millis(5), |_| Ok(())).await;
            assert!(read.is_err());
        }
        drop(let_go);
        let _ = hog.await;
        assert!(store.load().await.is_ok(), "no reader is lost");
    });
}
