//! Subscribers that several nodes know: what one learns from another, and that nobody is told twice or forgotten.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::clock::Clock;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::subscription::SUBSCRIBERS_MAX;
use crate::model::subscription::SubscriberWay;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::store::Errand;
use crate::store::ErrandMark;
use crate::store::First;
use crate::store::GONE_KEPT_FOR;
use crate::store::Homes;
use crate::store::NEWS_GOOD_FOR;
use crate::store::NewsRow;
use crate::store::SHARED_ROWS_MAX;
use crate::store::SHARED_TOLD_MAX;
use crate::store::SignUp;
use crate::store::SignUpLimits;
use crate::store::SignedUp;
use crate::store::Store;
use crate::store::UNCONFIRMED_KEPT_FOR;
use crate::store::schema;
use crate::store::schema::MIGRATIONS;
use crate::store::work::Duty;

const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

fn after(seconds: u64) -> UnixMillis {
    NOON + Duration::from_secs(seconds)
}

fn page() -> PageSlug {
    PageSlug::parse("main").unwrap()
}

/// A node with its disk, and how far it has asked each other one.
struct Node {
    name: NodeName,
    dir: tempfile::TempDir,
    store: Store,
    asked: std::collections::BTreeMap<NodeName, i64>,
}

fn open(dir: &Path) -> Store {
    Store::open(dir, Clock::manual(Now { wall: NOON, mono: Mono(0) })).unwrap().0
}

fn node(name: &str) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    Node { name: NodeName::parse(name).unwrap(), dir, store, asked: Default::default() }
}

impl Node {
    async fn sign_up(&self, address: &str, at: UnixMillis) -> String {
        let limits = SignUpLimits { n_max: 500, n_unconfirmed_max: 500, n_asked_max: 2, ask_again_after: Duration::from_secs(600) };
        let name = format!("{}-{address}-{}", self.name, at.0);
        let new = SignUp {
            name: name.clone(),
            page: page(),
            way: SubscriberWay::Mail,
            address: address.to_owned(),
            language: Language::English,
            at,
            home: Some(self.name.clone()),
            limits,
        };
        assert_eq!(self.store.subscriber_sign_up(new).await.unwrap(), SignedUp::Taken);
        name
    }

    async fn confirmed(&self, address: &str, at: UnixMillis) -> String {
        let name = self.sign_up(address, at).await;
        assert!(self.store.subscriber_confirm(&name, at).await.unwrap());
        name
    }

    async fn say(&self, keys: &[&str], at: UnixMillis) {
        let rows = keys.iter().map(|key| NewsRow { key: (*key).to_owned(), at, body: "{}".to_owned() }).collect();
        self.store.page_news_add(&page(), rows, at).await.unwrap();
    }

    /// Asks another node for everything that is new; says how much of it was news here.
    async fn ask(&mut self, other: &Node, now: UnixMillis) -> usize {
        let mut n_news = 0;
        loop {
            let cursor = self.asked.entry(other.name.clone()).or_default();
            let part = other.store.subscribers_since(*cursor, now).await.unwrap();
            *cursor = part.to;
            n_news += self.store.subscribers_merge(part.rows, part.gone, now).await.unwrap();
            if !part.has_more {
                return n_news;
            }
        }
    }

    /// What this node tells for itself and for these others.
    async fn claim(&self, homes: &[&str], now: UnixMillis) -> Option<Errand> {
        let homes = Homes::Of(homes.iter().map(|home| (*home).to_owned()).collect());
        let is_due = self.store.subscriber_is_due(&page(), SubscriberWay::Mail, &homes, now).await.unwrap();
        let claimed = self.store.subscriber_claim((&page(), SubscriberWay::Mail), &homes, First::News, now).await.unwrap();
        assert!(is_due || claimed.is_none());
        claimed
    }

    async fn told(&self, errand: &Errand, now: UnixMillis) {
        self.store.subscriber_finish(&errand.to.name, ErrandMark::Told { next_at: now }).await.unwrap();
    }

    async fn names(&self) -> Vec<String> {
        self.store.subscribers().await.unwrap().into_iter().map(|one| one.name).collect()
    }
}

fn keys(errand: &Errand) -> Vec<&str> {
    errand.news.iter().map(|row| row.key.as_str()).collect()
}

#[tokio::test]
async fn who_signs_up_at_one_node_confirms_at_another_and_is_told_by_its_home_alone() {
    let (mut a, mut b) = (node("a"), node("b"));
    let name = a.sign_up("jo", NOON).await;
    assert_eq!(b.ask(&a, NOON).await, 1);
    assert_eq!(b.ask(&a, NOON).await, 0, "nothing is new");
    assert_eq!(b.claim(&["b"], NOON).await, None, "its home asks");
    let question = a.claim(&["a"], NOON).await.unwrap();
    assert!(question.news.is_empty());
    a.store.subscriber_finish(&name, ErrandMark::Asked { at: NOON }).await.unwrap();
    b.ask(&a, NOON).await;
    assert_eq!(b.claim(&["a", "b"], after(1)).await, None, "it has been asked");
    assert!(b.store.subscriber_confirm(&name, after(5)).await.unwrap());
    assert_eq!(a.ask(&b, after(6)).await, 1);
    assert_eq!(a.store.subscriber(&name).await.unwrap().unwrap().confirmed_at, Some(after(5)));
    for node in [&a, &b] {
        node.say(&["one"], after(7)).await;
    }
    assert_eq!(b.claim(&["b"], after(8)).await, None);
    let told = a.claim(&["a"], after(8)).await.unwrap();
    assert_eq!((keys(&told), told.to.home.clone()), (vec!["one"], Some(a.name.clone())));
    assert_eq!(b.ask(&a, after(8)).await, 0);
    assert_eq!(a.ask(&b, after(8)).await, 0, "nothing goes round and round");
}

#[tokio::test]
async fn what_the_home_has_told_nobody_repeats_and_what_was_told_instead_the_home_does_not_repeat() {
    let (mut a, mut b, mut c) = (node("a"), node("b"), node("c"));
    a.confirmed("jo", NOON).await;
    for node in [&a, &b, &c] {
        node.say(&["one"], after(1)).await;
    }
    // Numbers are each node's own.
    b.say(&["of another time"], NOON.minus(Duration::from_secs(3 * 86_400))).await;
    let told = a.claim(&["a"], after(2)).await.unwrap();
    a.told(&told, after(2)).await;
    b.ask(&a, after(3)).await;
    for node in [&a, &b, &c] {
        node.say(&["two", "three"], after(4)).await;
    }
    // `a` dies; `c` was never linked with it and hears of it from `b`.
    c.ask(&b, after(5)).await;
    let instead = c.claim(&["c", "a"], after(100)).await.unwrap();
    assert_eq!(keys(&instead), ["two", "three"], "of one it knows that it was told");
    c.told(&instead, after(100)).await;
    assert_eq!(c.claim(&["c", "a"], after(200)).await, None);
    b.ask(&c, after(201)).await;
    assert_eq!(b.claim(&["b", "a"], after(202)).await, None);
    // `a` is back, asks, and repeats nothing, whatever it notes when.
    a.say(&["four"], after(300)).await;
    a.ask(&b, after(301)).await;
    let next = a.claim(&["a"], after(302)).await.unwrap();
    assert_eq!(keys(&next), ["four"]);
    a.told(&next, after(302)).await;
    assert_eq!(a.claim(&["a"], after(400)).await, None);
}

#[tokio::test]
async fn a_message_has_the_same_keys_from_whichever_node_it_is_sent() {
    let (a, mut b) = (node("a"), node("b"));
    a.confirmed("jo", NOON).await;
    a.say(&["y", "x"], after(1)).await;
    b.say(&["before", "x"], after(1)).await;
    b.say(&["y"], after(2)).await;
    b.store.page_news_withdraw(&page(), vec!["before".to_owned()]).await.unwrap();
    b.ask(&a, after(2)).await;
    // `a` is cut off, or dies without a word.
    let (here, instead) = (a.claim(&["a"], after(3)).await.unwrap(), b.claim(&["a"], after(100)).await.unwrap());
    assert_eq!((here.keys.len(), &here.keys, &here.to.name), (2, &instead.keys, &instead.to.name));
    // What has begun stays as it was, also when a part of it was told by somebody else meanwhile.
    b.store.subscriber_finish(&instead.to.name, ErrandMark::Failed { next_at: after(101), is_refused: false }).await.unwrap();
    a.told(&here, after(4)).await;
    a.say(&["z"], after(5)).await;
    b.say(&["z"], after(5)).await;
    let mut part = a.store.subscribers_since(0, after(102)).await.unwrap();
    part.rows[0].told.retain(|(key, _)| key == "x");
    b.store.subscribers_merge(part.rows, part.gone, after(102)).await.unwrap();
    let again = b.claim(&["a"], after(102)).await.unwrap();
    assert_eq!((keys(&again), &again.keys), (vec!["y"], &instead.keys));
    b.told(&again, after(102)).await;
    assert_eq!(keys(&b.claim(&["a"], after(103)).await.unwrap()), ["z"]);
}

#[tokio::test]
async fn who_leaves_at_any_node_is_gone_on_all_also_where_it_comes_back_from() {
    let (mut a, mut b, mut c) = (node("a"), node("b"), node("c"));
    let (jo, eve) = (a.confirmed("jo", NOON).await, a.confirmed("eve", NOON).await);
    for node in [&mut b, &mut c] {
        assert_eq!(node.ask(&a, after(1)).await, 2);
    }
    assert!(b.store.subscriber_remove(&jo, after(2)).await.unwrap());
    assert_eq!(c.store.subscriber_forget("eve", None, after(2)).await.unwrap(), 1);
    assert!(!b.store.subscriber_remove("a name that nobody has", after(2)).await.unwrap());
    // In whatever order: `b` hears of jo again from `a`, which does not know yet.
    b.asked.clear();
    assert_eq!(b.ask(&a, after(3)).await, 0);
    assert_eq!(b.ask(&c, after(3)).await, 1);
    assert_eq!((b.names().await, c.names().await), (vec![], vec![jo.clone()]));
    a.ask(&b, after(4)).await;
    c.ask(&a, after(4)).await;
    for node in [&a, &b, &c] {
        assert_eq!(node.names().await, Vec::<String>::new(), "{}", node.name);
    }
    // Who signs up again is somebody new.
    let again = b.confirmed("jo", after(10)).await;
    a.ask(&b, after(11)).await;
    assert_eq!(a.names().await, std::slice::from_ref(&again));
    // What is too old to be kept comes from nobody back, and is let go everywhere.
    let late = after(2) + GONE_KEPT_FOR + Duration::from_secs(1);
    assert_eq!(node("d").store.subscribers_merge(Vec::new(), vec![(eve, after(2))], late).await.unwrap(), 0);
    let offering = vec![(page(), SubscriberWay::Mail)];
    a.store.subscribers_tidy(offering, late).await.unwrap();
    assert_eq!(a.store.subscribers_since(0, late).await.unwrap().gone, Vec::new());
}

#[tokio::test]
async fn a_program_that_refuses_for_good_is_gone_on_all_nodes() {
    let (a, mut b) = (node("a"), node("b"));
    let name = a.confirmed("jo", NOON).await;
    b.ask(&a, NOON).await;
    a.store.subscriber_finish(&name, ErrandMark::Gone { at: after(1) }).await.unwrap();
    b.ask(&a, after(2)).await;
    assert_eq!(b.names().await, Vec::<String>::new());
}

#[tokio::test]
async fn of_two_who_signed_up_with_one_address_all_nodes_keep_the_same_and_repeat_nothing() {
    let (mut a, mut b) = (node("a"), node("b"));
    let (at_a, _at_b) = (a.confirmed("jo", NOON).await, b.confirmed("jo", after(5)).await);
    for node in [&a, &b] {
        node.say(&["one"], after(10)).await;
    }
    let told = b.claim(&["b"], after(11)).await.unwrap();
    b.told(&told, after(11)).await;
    a.ask(&b, after(12)).await;
    b.ask(&a, after(12)).await;
    assert_eq!((a.names().await, b.names().await), (vec![at_a.clone()], vec![at_a]));
    assert_eq!(a.claim(&["a"], after(13)).await, None, "this address has been told");
    assert_eq!(b.claim(&["a", "b"], after(13)).await, None);
}

#[tokio::test]
async fn who_signs_up_again_elsewhere_is_asked_again_by_its_home_and_no_oftener() {
    let (mut a, mut b) = (node("a"), node("b"));
    let name = a.sign_up("jo", NOON).await;
    let mut n_asked = 0;
    for hour in 0..10 {
        let now = after(hour * 3600);
        while let Some(errand) = a.claim(&["a"], now).await {
            assert!(errand.news.is_empty());
            n_asked += 1;
            a.store.subscriber_finish(&errand.to.name, ErrandMark::Asked { at: now }).await.unwrap();
        }
        b.ask(&a, now).await;
        b.sign_up("jo", now + Duration::from_secs(1800)).await;
        a.ask(&b, now + Duration::from_secs(1800)).await;
    }
    assert_eq!((n_asked, a.names().await, b.names().await), (2, vec![name.clone()], vec![name]));
    // Its home dies before it asked: who stands in for it asks.
    let late = a.sign_up("eve", after(40_000)).await;
    b.ask(&a, after(40_001)).await;
    assert_eq!(b.claim(&["a", "b"], after(40_002)).await.map(|errand| errand.to.name), Some(late));
}

#[tokio::test]
async fn who_did_not_confirm_is_not_brought_back() {
    let (a, mut b) = (node("a"), node("b"));
    a.sign_up("jo", NOON).await;
    let late = NOON + UNCONFIRMED_KEPT_FOR + Duration::from_secs(1);
    assert_eq!((b.ask(&a, late).await, b.names().await.len()), (0, 0));
}

#[tokio::test]
async fn only_what_was_said_after_somebody_confirmed_is_told_by_whoever_tells() {
    let (a, mut b) = (node("a"), node("b"));
    for node in [&a, &b] {
        node.say(&["before"], NOON).await;
    }
    a.confirmed("jo", after(1)).await;
    b.ask(&a, after(2)).await;
    assert_eq!(b.claim(&["a"], after(3)).await, None);
    // A node that has just begun notes all of a day at once.
    let mut c = node("c");
    c.say(&["before", "new"], after(100)).await;
    c.ask(&a, after(101)).await;
    assert_eq!(keys(&c.claim(&["a"], after(102)).await.unwrap()), ["new"]);
    // What `b` noted before and did not tell it does not claim to have told.
    let told = b.store.subscribers_since(0, after(102)).await.unwrap().rows.remove(0).told;
    assert_eq!(told.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["before"], "as it heard from `a`");
}

#[tokio::test]
async fn what_others_told_is_forgotten_when_it_is_no_news_any_more() {
    let (a, mut b) = (node("a"), node("b"));
    a.confirmed("jo", NOON).await;
    a.say(&["one"], after(1)).await;
    let told = a.claim(&["a"], after(2)).await.unwrap();
    a.told(&told, after(2)).await;
    b.ask(&a, after(3)).await;
    let kept = async |now| b.store.subscribers_since(0, now).await.unwrap().rows[0].told.len();
    assert_eq!(kept(after(4)).await, 1);
    let late = after(1) + NEWS_GOOD_FOR + Duration::from_secs(3601);
    assert_eq!(kept(late).await, 0);
    b.store.subscribers_tidy(vec![(page(), SubscriberWay::Mail)], late).await.unwrap();
    let n: i64 = b
        .store
        .write(Duty::Promised, |desk| desk.conn.query_row("SELECT count(*) FROM subscribers_told", [], |row| row.get(0)))
        .await
        .unwrap();
    assert_eq!(n, 0);
    // So is what comes from a node that says it all its life.
    let mut part = a.store.subscribers_since(0, after(4)).await.unwrap();
    part.rows[0].told = (0..1000).map(|n| (format!("k{n}"), after(5))).collect();
    b.store.subscribers_merge(part.rows, part.gone, after(6)).await.unwrap();
    assert_eq!(kept(after(7)).await, SHARED_TOLD_MAX);
}

#[tokio::test]
async fn a_long_list_comes_in_parts_and_nobody_is_missed() {
    let (a, mut b) = (node("a"), node("b"));
    let n = SHARED_ROWS_MAX * 2 + 7;
    let mut names = Vec::new();
    for i in 0..n {
        names.push(a.confirmed(&format!("jo{i:03}"), NOON).await);
    }
    assert!(a.store.subscriber_remove(&names.remove(3), NOON).await.unwrap());
    let first = a.store.subscribers_since(0, NOON).await.unwrap();
    assert_eq!((first.rows.len(), first.has_more), (SHARED_ROWS_MAX, true));
    assert_eq!(b.ask(&a, NOON).await, n, "one of them is gone");
    assert_eq!(b.names().await, names);
    // A node that lost its disk gets them back.
    let mut new = node("a");
    new.ask(&b, after(1)).await;
    assert_eq!(new.names().await, names);
}

#[tokio::test]
async fn a_counter_that_a_damaged_database_took_along_is_not_begun_anew() {
    let (mut a, mut b) = (node("a"), node("b"));
    let jo = a.confirmed("jo", NOON).await;
    // A rescued database is a new one, with the old rows in it.
    a.store.write(Duty::Promised, |desk| desk.step("UPDATE subscribers_clock SET changed = 0")).await.unwrap();
    assert_eq!(b.ask(&a, after(1)).await, 1);
    let eve = a.confirmed("eve", after(2)).await;
    assert_eq!(b.ask(&a, after(3)).await, 1);
    assert_eq!(b.names().await, [eve, jo]);
    a.store.write(Duty::Promised, |desk| desk.step("DELETE FROM subscribers_clock")).await.unwrap();
    a.confirmed("late", after(4)).await;
    assert_eq!((b.ask(&a, after(5)).await, a.ask(&b, after(5)).await), (1, 0));
}

#[tokio::test]
async fn more_than_any_page_may_have_are_not_taken_in() {
    let (a, mut b) = (node("a"), node("b"));
    a.confirmed("one", NOON).await;
    b.store
        .write(Duty::Promised, |desk| {
            desk.conn.execute(
                "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
                 INSERT INTO subscribers (name, page, way, address, language, asked_at, tried_at, confirmed_at, owes_question, next_at, told_to)
                 SELECT 'n' || n, 'main', 'email', 'x' || n, 'en', 0, 0, 0, 0, 0, 0 FROM n",
                [SUBSCRIBERS_MAX],
            )
        })
        .await
        .unwrap();
    assert_eq!(b.ask(&a, after(1)).await, 0);
}

#[tokio::test]
async fn who_was_there_before_the_peers_belongs_to_the_node_at_which_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut conn = Connection::open(dir.path().join("vigilmon.db")).unwrap();
    schema::migrate(&mut conn, dir.path(), &MIGRATIONS[..7], 5).unwrap();
    // As version 7 kept them: one is being told, the other has to be asked.
    conn.execute_batch(&format!(
        "INSERT INTO page_news VALUES (4, 'main', 'one', {0}, '{{}}', {0}, 0), (5, 'main', 'two', {0}, '{{}}', {0}, 0);
         INSERT INTO subscribers (id, name, page, way, address, language, asked_at, tried_at, confirmed_at, owes_question, next_at, told_to, telling_to)
             VALUES (3, 'jo', 'main', 'email', 'jo@example.org', 'de', 1, 1, 2, 0, 0, 3, 4),
                    (8, 'eve', 'main', 'email', 'eve@example.org', 'en', {0}, {0}, NULL, 1, 0, 0, NULL);",
        NOON.0
    ))
    .unwrap();
    drop(conn);
    let a = Node { name: NodeName::parse("a").unwrap(), store: open(dir.path()), dir, asked: Default::default() };
    assert_eq!(a.store.subscribers().await.unwrap().iter().map(|one| one.home.clone()).collect::<Vec<_>>(), [None, None]);
    assert_eq!(a.store.subscribers_since(0, NOON).await.unwrap().rows, Vec::new(), "nobody can tell yet where they belong");
    assert_eq!(a.store.subscribers_adopt(&a.name).await.unwrap(), 2);
    assert_eq!((a.store.subscribers_adopt(&a.name).await.unwrap(), a.store.subscriber_homes().await.unwrap()), (0, vec!["a".to_owned()]));
    let mut b = node("b");
    assert_eq!(b.ask(&a, NOON).await, 2);
    let told = a.claim(&["a"], NOON).await.unwrap();
    assert_eq!((told.to.name.as_str(), keys(&told)), ("jo", vec!["one"]), "what had begun is not changed");
    assert!(a.claim(&["a"], NOON).await.is_some_and(|errand| errand.to.name == "eve" && errand.news.is_empty()));
    // All of it is still there after another start.
    a.store.close().await;
    let Node { dir, store, .. } = a;
    drop(store);
    assert_eq!(open(dir.path()).subscribers().await.unwrap().len(), 2);
}
