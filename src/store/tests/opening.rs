//! What a start finds, and what it makes of it.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::change::StoredFact;
use crate::store::files;
use crate::store::schema;
use crate::store::schema::MIGRATIONS;
use crate::store::schema::Migrated;
use crate::store::work::Duty;

/// The schema as released, so that later migrations are tried on it and not on what the code says by then.
const RELEASED: &[&str] = &[
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
    include_str!("schema-7.sql"),
];

#[tokio::test]
async fn files_are_private_and_the_directory_is_made() {
    let fixture = Fixture::new();
    let dir = fixture.dir.path().join("deep/state");
    let (store, opened) = Store::open_with(&dir, fixture.clock.clone(), OpenOptions { allow_network_fs: true }).expect("opens");
    assert_eq!(opened, Opened::default());
    store.commit(state_change("a", 1)).await.expect("commits");
    let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in names(&dir) {
        assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
    }
    assert!(names(&dir).contains(&"vigilmon.db".to_owned()));
}

#[test]
fn a_second_one_is_refused() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert!(matches!(fixture.try_open(), Err(OpenError::InUse(_))));
    drop(store);
    fixture.try_open().expect("the first one has let go");
}

#[test]
fn a_directory_that_cannot_be_is_named() {
    let fixture = Fixture::new();
    std::fs::write(fixture.dir.path().join("file"), "").expect("writes");
    let dir = fixture.dir.path().join("file/state");
    let error = Store::open(&dir, fixture.clock.clone()).expect_err("is below a file");
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    // A directory where the database should be: cannot be opened for writing even by root.
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.db()).expect("creates");
    assert!(matches!(fixture.try_open(), Err(OpenError::NotWritable { .. })));
}

#[tokio::test]
async fn a_newer_database_is_refused_and_the_copy_is_named() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store
        .write(Duty::Promised, |desk| desk.step("INSERT INTO migrations SELECT max(version) + 2, 0 FROM migrations"))
        .await
        .expect("commits");
    store.close().await;
    drop(store);
    let known = i64::try_from(MIGRATIONS.len()).expect("few");
    let conn = Connection::open(fixture.db()).expect("opens");
    conn.pragma_update(None, "user_version", known + 2).expect("writes");
    drop(conn);
    let copy = fixture.dir.path().join(files::copy_name(known + 1));
    std::fs::write(&copy, "").expect("writes");
    let text = fixture.try_open().expect_err("is newer").to_string();
    let restore = copy.display();
    assert_eq!(
        text,
        format!(
            "this database is at schema {}, newer than the {known} this build knows; upgrade vigilmon, or restore {restore}",
            known + 2
        )
    );
}

#[test]
fn a_version_that_a_flipped_bit_made_is_damage_and_not_the_future() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let conn = Connection::open(fixture.db()).expect("opens");
    conn.pragma_update(None, "user_version", 65).expect("writes");
    drop(conn);
    let (_store, opened) = fixture.try_open().expect("opens");
    assert!(opened.set_aside.is_some());
}

#[test]
fn the_released_schema_is_not_edited() {
    for (migration, released) in MIGRATIONS.iter().zip(RELEASED) {
        assert_eq!(migration.trim(), released.trim());
    }
}

#[tokio::test]
async fn an_upgrade_keeps_a_copy_and_works_step_by_step() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.commit(state_change("a", 1)).await.expect("commits");
    store.close().await;
    drop(store);
    let mut conn = Connection::open(fixture.db()).expect("opens");
    let n = MIGRATIONS.len();
    let known = i64::try_from(n).expect("few");
    let coming = ["CREATE TABLE extra (x INTEGER) STRICT;", "CREATE TABLE broken (x NOTYPE) STRICT;"];
    let better: Vec<&str> = MIGRATIONS.iter().copied().chain(coming).collect();
    let (dir, copy) = (fixture.dir.path(), format!("vigilmon.db.before-{}", known + 1));
    let migrated = schema::migrate(&mut conn, dir, &better[..=n], 5).expect("migrates");
    assert_eq!(migrated, Migrated::From(known, copy.clone()));
    assert_eq!(schema::version(&conn).expect("reads"), schema::Version::At(known + 1));
    assert!(schema::migrate(&mut conn, dir, &better, 6).is_err());
    assert_eq!(schema::version(&conn).expect("reads"), schema::Version::At(known + 1));
    assert_eq!(schema::migrate(&mut conn, dir, &better[..=n], 7).expect("is current"), Migrated::Current);
    // The copy is a whole database that the older build can use.
    let older = Fixture::new();
    std::fs::copy(dir.join(&copy), older.db()).expect("copies");
    assert_eq!(std::fs::metadata(dir.join(&copy)).expect("is there").permissions().mode() & 0o777, 0o600);
    let loaded = older.open().load().await.expect("loads");
    assert_eq!(loaded.states, vec![state("a", 1)]);
}

#[tokio::test]
async fn a_database_from_before_there_were_peers_is_read_whole() {
    let fixture = Fixture::new();
    let mut conn = Connection::open(fixture.db()).expect("opens");
    schema::migrate(&mut conn, fixture.dir.path(), &RELEASED[..1], 5).expect("is new");
    conn.execute_batch(OLD_ROWS).expect("writes");
    drop(conn);
    let (store, opened) = fixture.try_open().expect("opens");
    assert_eq!(opened.migrated_from.map(|(version, _)| version), Some(1));
    let loaded = store.load().await.expect("loads");
    let incident = loaded.incidents.first().expect("an incident");
    assert_eq!((incident.monitor_name.as_str(), incident.diagnosis), ("The shop", None));
    let change = StateChange {
        facts: vec![StoredFact { key: "v/a/outage".to_owned(), value: "x".to_owned(), until: None }],
        ..state_change("a", 1)
    };
    store.commit(change).await.expect("commits");
}

#[tokio::test]
async fn what_the_released_version_owed_is_told_after_an_upgrade() {
    let fixture = Fixture::new();
    let mut conn = Connection::open(fixture.db()).expect("opens");
    schema::migrate(&mut conn, fixture.dir.path(), RELEASED, 5).expect("is new");
    let owe = "INSERT INTO outbox (key, channel, queue, event, incident, at, subject, due_at, n_attempts) VALUES (?1, 'mail', ?2, ?3, ?4, 1, ?5, 1, ?6)";
    let json = |subject: &Subject| crate::store::row::message::to_json(subject);
    let down = json(&notification("k", "mail", "a", EventKind::Down).subject);
    let notice = json(&Subject::SelfNotice { title: "Disk".to_owned(), text: "full".to_owned() });
    for (key, queue, n_attempts) in [("tried", "a", 3), ("fresh", "b", 0)] {
        conn.execute(owe, (key, queue, "down", Some("i"), &down, n_attempts)).expect("writes");
    }
    for key in ["self:disk:1", "self:clock:1"] {
        conn.execute(owe, (key, "", "self", None::<&str>, &notice, 0)).expect("writes");
    }
    drop(conn);
    let (store, opened) = fixture.try_open().expect("opens");
    assert_eq!(opened.migrated_from.map(|(version, _)| version), i64::try_from(RELEASED.len()).ok());
    let claimed = store.outbox_claim(&channel("mail"), at(10), Duration::from_secs(60), 10).await.expect("claims");
    // Of attempts from before nobody knows whether one had no answer; and notices wait for each other no more.
    let said: Vec<_> = claimed.iter().map(|row| (row.notification.key.as_str(), row.notification.may_be_repeat)).collect();
    assert_eq!(said, [("tried", true), ("fresh", false), ("self:disk:1", false), ("self:clock:1", false)]);
}

/// An open incident as the first schema kept it.
const OLD_ROWS: &str = r#"
INSERT INTO monitors VALUES (1, 'shop');
INSERT INTO incidents VALUES ('abc', 1, 'The shop', 'outage', 1, 1000, 2000, NULL, NULL,
    '{"v":1,"kind":"refused","port":443}', '{"failing":[],"fine":[],"unknown":[]}', 'full', '[]');
"#;

#[test]
fn library_versions_with_known_bugs_are_refused() {
    for (number, is_good) in [(3_051_002, false), (3_051_003, true), (3_052_000, false), (3_052_001, true), (3_054_001, true)] {
        assert_eq!(crate::store::check_version(number).is_ok(), is_good, "{number}");
    }
    assert!(crate::store::check_version(3_052_000).expect_err("bad").to_string().contains("3.52.0"));
}

/// A database with something of everything.
async fn filled() -> Fixture {
    let fixture = Fixture::new();
    let store = fixture.open();
    for n in 0..40_i64 {
        let monitor = format!("m{}", n % 7);
        let change = StateChange {
            states: vec![state(&monitor, u32::try_from(n).expect("small"))],
            opened: vec![incident(&format!("i{n}"), &monitor, at(n))],
            notifications: vec![notification(&format!("k{n}"), "mail", &monitor, EventKind::Down)],
            ..StateChange::default()
        };
        store.commit(change).await.expect("commits");
        for i in 0..20 {
            store.record(result(&monitor, at(n * 60_000 + i), Outcome::Down, 1000));
        }
    }
    store.value_put("secret", "x").await.expect("commits");
    store.maintain(at(20 * 60_000), RETENTION).await.expect("maintains");
    store.close().await;
    fixture
}

#[tokio::test]
async fn monitoring_goes_on_whatever_is_damaged() {
    let whole = filled().await;
    let bytes = std::fs::read(whole.db()).expect("reads");
    let mut n_set_aside = 0;
    for seed in 1..=50_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut damaged = bytes.clone();
        let length = u64::try_from(damaged.len()).expect("fits");
        // The first page matters most, so a third of the damage goes there.
        let place = if seed % 3 == 0 { dice.below(200) } else { dice.below(length) };
        for i in 0..=dice.below(64) {
            let byte = usize::try_from(place + i).expect("fits");
            if let Some(byte) = damaged.get_mut(byte) {
                *byte ^= u8::try_from(dice.below(255)).expect("a byte") + 1;
            }
        }
        if seed % 10 == 0 {
            damaged.truncate(usize::try_from(place).expect("fits"));
        }
        let fixture = Fixture::new();
        std::fs::write(fixture.db(), &damaged).expect("writes");
        let (store, opened) = fixture.try_open().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        store.load().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        store.commit(state_change("new", 1)).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        store.record(result("new", at(1), Outcome::Up, 5));
        store.flush().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for monitor in ["m1", "new"] {
            if store.results(&id(monitor), at(0), at(99_999_999), 1000).await.is_err() {
                store.flush().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                store.results(&id(monitor), at(0), at(99_999_999), 1000).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            }
        }
        let loaded = store.load().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(loaded.states.contains(&state("new", 1)), "seed {seed}");
        n_set_aside += usize::from(opened.set_aside.is_some());
        if let Some(name) = opened.set_aside {
            assert!(Path::new(&name).exists(), "seed {seed}");
        }
    }
    assert!(15 < n_set_aside, "only {n_set_aside} of 50 damages were noticed while opening");
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_database_is_carried_over() {
    let fixture = filled().await;
    let conn = Connection::open(fixture.db()).expect("opens");
    conn.pragma_update(None, "user_version", 99).expect("writes");
    drop(conn);
    let (store, opened) = fixture.try_open().expect("opens");
    assert!(opened.set_aside.is_some_and(|name| name.contains("damaged-2027-01-15T080000Z")));
    let loaded = store.load().await.expect("loads");
    assert_eq!((loaded.states.len(), loaded.incidents.len()), (7, 40));
    assert_eq!(store.value("secret").await, Ok(Some("x".to_owned())));
    assert_eq!(store.outbox_backlog().await, Ok(vec![(channel("mail"), 40, T0)]));
}

#[tokio::test]
async fn the_reserve_is_made_as_soon_as_there_is_room() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let reserve = fixture.dir.path().join("vigilmon.reserve");
    std::fs::remove_file(&reserve).expect("was made at the start");
    store.maintain(T0, RETENTION).await.expect("maintains");
    assert_eq!(std::fs::metadata(&reserve).expect("is there").len(), 16 * 1024 * 1024);
}
