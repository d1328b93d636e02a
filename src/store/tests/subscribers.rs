//! Subscribers of pages: signing up, being told once each, leaving, being forgotten.

use std::time::Duration;

use crate::clock::Clock;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::subscription::SubscriberWay;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::store::Errand;
use crate::store::ErrandMark;
use crate::store::First;
use crate::store::Homes;
use crate::store::NEWS_GOOD_FOR;
use crate::store::NewsRow;
use crate::store::ORPHANS_KEPT_FOR;
use crate::store::SUBSCRIBER_LEASE;
use crate::store::SignUp;
use crate::store::SignUpLimits;
use crate::store::SignedUp;
use crate::store::Store;
use crate::store::UNCONFIRMED_KEPT_FOR;

const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

fn after(seconds: u64) -> UnixMillis {
    NOON + Duration::from_secs(seconds)
}

fn page() -> PageSlug {
    PageSlug::parse("main").unwrap()
}

fn open(dir: &std::path::Path) -> Store {
    Store::open(dir, Clock::manual(Now { wall: NOON, mono: Mono(0) })).unwrap().0
}

fn sign_up(address: &str, at: UnixMillis) -> SignUp {
    let limits = SignUpLimits { n_max: 3, n_unconfirmed_max: 2, n_asked_max: 2, ask_again_after: Duration::from_secs(600) };
    let name = format!("name-of-{address}-{}", at.0);
    SignUp { name, page: page(), way: SubscriberWay::Mail, address: address.to_owned(), language: Language::German, at, home: None, limits }
}

async fn claim(store: &Store, at: UnixMillis) -> Option<Errand> {
    let is_due = store.subscriber_is_due(&page(), SubscriberWay::Mail, &Homes::All, at).await.unwrap();
    let claimed = store.subscriber_claim((&page(), SubscriberWay::Mail), &Homes::All, First::Question, at).await.unwrap();
    // Who looks first misses nothing.
    assert!(is_due || claimed.is_none());
    assert_eq!(store.subscriber_claim((&page(), SubscriberWay::Hook), &Homes::All, First::News, at).await.unwrap(), None);
    claimed
}

async fn say(store: &Store, keys: &[&str], at: UnixMillis) -> usize {
    let rows = keys.iter().map(|key| NewsRow { key: (*key).to_owned(), at, body: format!("{{\"{key}\":1}}") }).collect();
    store.page_news_add(&page(), rows, at).await.unwrap()
}

/// Signs somebody up who confirms at once; their name.
async fn confirmed(store: &Store, address: &str, at: UnixMillis) -> String {
    let new = sign_up(address, at);
    let name = new.name.clone();
    assert_eq!(store.subscriber_sign_up(new).await.unwrap(), SignedUp::Taken);
    assert!(store.subscriber_confirm(&name, at).await.unwrap());
    name
}

fn keys(errand: &Errand) -> Vec<&str> {
    errand.news.iter().map(|row| row.key.as_str()).collect()
}

#[tokio::test]
async fn who_signs_up_is_asked_and_only_who_confirms_is_told_of_what_comes_then() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(say(&store, &["before"], NOON).await, 1);
    let new = sign_up("jo", NOON);
    let name = new.name.clone();
    assert_eq!(store.subscriber_sign_up(new).await.unwrap(), SignedUp::Taken);
    let errand = claim(&store, NOON).await.unwrap();
    assert_eq!((errand.news.len(), errand.to.address.as_str(), errand.to.language), (0, "jo", Language::German));
    assert_eq!(claim(&store, NOON).await, None, "one asks at a time");
    store.subscriber_finish(&errand.to.name, ErrandMark::Asked { at: NOON }).await.unwrap();
    assert_eq!(claim(&store, after(3600)).await, None, "asked once");
    say(&store, &["meanwhile"], after(10)).await;
    assert!(store.subscriber_confirm(&name, after(20)).await.unwrap());
    assert_eq!(claim(&store, after(30)).await, None);
    assert_eq!(say(&store, &["meanwhile", "one", "two"], after(40)).await, 2, "what was said before is not said again");
    let errand = claim(&store, after(40)).await.unwrap();
    assert_eq!(keys(&errand), ["one", "two"]);
    store.subscriber_finish(&errand.to.name, ErrandMark::Told { next_at: after(100) }).await.unwrap();
    say(&store, &["three"], after(50)).await;
    assert_eq!(claim(&store, after(99)).await, None, "not so soon after the last one");
    assert_eq!(keys(&claim(&store, after(100)).await.unwrap()), ["three"]);
    store.close().await;
}

#[tokio::test]
async fn who_confirms_by_a_letter_that_counted_as_failed_is_told_at_once_and_confirming_again_hurries_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.subscriber_sign_up(sign_up("jo", NOON)).await.unwrap();
    let question = claim(&store, NOON).await.unwrap();
    store.subscriber_finish(&question.to.name, ErrandMark::Failed { next_at: after(3600), is_refused: false }).await.unwrap();
    assert!(store.subscriber_confirm(&question.to.name, after(10)).await.unwrap());
    say(&store, &["one"], after(11)).await;
    let told = claim(&store, after(11)).await.unwrap();
    assert_eq!((keys(&told), told.n_failed), (vec!["one"], 0));
    store.subscriber_finish(&told.to.name, ErrandMark::Told { next_at: after(71) }).await.unwrap();
    say(&store, &["two"], after(12)).await;
    assert!(store.subscriber_confirm(&told.to.name, after(13)).await.unwrap());
    assert_eq!(claim(&store, after(70)).await, None);
    assert_eq!(keys(&claim(&store, after(71)).await.unwrap()), ["two"]);
    store.close().await;
}

#[tokio::test]
async fn what_an_attempt_tells_is_the_same_after_a_crash_and_a_failure_whatever_was_said_since() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "jo", NOON).await;
    say(&store, &["one"], after(1)).await;
    let first = claim(&store, after(1)).await.unwrap();
    store.close().await;
    drop(store);
    let store = open(dir.path());
    say(&store, &["two"], after(2)).await;
    assert_eq!(claim(&store, after(3)).await, None, "perhaps it is still under way");
    let again = claim(&store, after(1) + SUBSCRIBER_LEASE).await.unwrap();
    assert_eq!((keys(&again), &again.keys), (vec!["one"], &first.keys));
    let failed = ErrandMark::Failed { next_at: after(200), is_refused: true };
    store.subscriber_finish(&again.to.name, failed).await.unwrap();
    let third = claim(&store, after(200)).await.unwrap();
    assert_eq!((keys(&third), third.n_failed, third.n_refused), (vec!["one"], 1, 1));
    store.subscriber_finish(&third.to.name, ErrandMark::Told { next_at: after(200) }).await.unwrap();
    let next = claim(&store, after(200)).await.unwrap();
    assert_eq!((keys(&next), next.n_failed), (vec!["two"], 0));
    store.close().await;
}

#[tokio::test]
async fn old_news_are_left_out_and_the_line_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "jo", NOON).await;
    say(&store, &["old"], after(1)).await;
    let later = after(1) + NEWS_GOOD_FOR + Duration::from_secs(60);
    assert_eq!(claim(&store, later).await, None);
    say(&store, &["new"], later).await;
    assert_eq!(keys(&claim(&store, later).await.unwrap()), ["new"]);
    store.close().await;
}

#[tokio::test]
async fn what_is_withdrawn_in_time_is_told_to_nobody_and_the_line_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "jo", NOON).await;
    say(&store, &["slip", "fine"], after(1)).await;
    let failed = claim(&store, after(1)).await.unwrap();
    assert_eq!(keys(&failed), ["slip", "fine"]);
    store.subscriber_finish(&failed.to.name, ErrandMark::Failed { next_at: after(60), is_refused: false }).await.unwrap();
    store.page_news_withdraw(&page(), vec!["slip".to_owned(), "unheard of".to_owned()]).await.unwrap();
    let again = claim(&store, after(60)).await.unwrap();
    assert_eq!(keys(&again), ["fine"]);
    store.subscriber_finish(&again.to.name, ErrandMark::Told { next_at: after(60) }).await.unwrap();
    say(&store, &["gone"], after(61)).await;
    store.page_news_withdraw(&page(), vec!["gone".to_owned()]).await.unwrap();
    assert_eq!(claim(&store, after(62)).await, None, "nothing is left to say");
    let standing = async |at| store.page_news_standing(&page(), at).await.unwrap();
    assert_eq!(standing(after(62)).await, ["fine"]);
    assert_eq!((standing(NOON).await.len(), standing(after(62) + NEWS_GOOD_FOR).await.len()), (0, 0), "to come, and too old");
    assert_eq!(say(&store, &["slip", "gone", "next"], after(63)).await, 1);
    assert_eq!(keys(&claim(&store, after(63)).await.unwrap()), ["next"]);
    store.close().await;
}

#[tokio::test]
async fn a_long_list_with_nothing_left_to_say_is_passed_over_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let limits = SignUpLimits { n_max: 200, ..sign_up("", NOON).limits };
    for n in 0..120 {
        let new = SignUp { limits, ..sign_up(&n.to_string(), NOON) };
        let name = new.name.clone();
        assert_eq!(store.subscriber_sign_up(new).await.unwrap(), SignedUp::Taken);
        assert!(store.subscriber_confirm(&name, NOON).await.unwrap());
    }
    say(&store, &["slip"], after(1)).await;
    store.page_news_withdraw(&page(), vec!["slip".to_owned()]).await.unwrap();
    let mut n_looks = 0;
    while store.subscriber_is_due(&page(), SubscriberWay::Mail, &Homes::All, after(2)).await.unwrap() {
        assert_eq!(claim(&store, after(2)).await, None);
        n_looks += 1;
        assert!(n_looks <= 120, "it ends");
    }
    assert_eq!(n_looks, 3, "fifty at once");
    say(&store, &["fine"], after(3)).await;
    assert_eq!(keys(&claim(&store, after(3)).await.unwrap()), ["fine"]);
    store.close().await;
}

#[tokio::test]
async fn neither_questions_nor_news_hold_up_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "jo", NOON).await;
    store.subscriber_sign_up(sign_up("new", NOON)).await.unwrap();
    say(&store, &["one"], NOON).await;
    for (first, at, expected) in [(First::Question, 0, ["new", "jo"]), (First::News, 100, ["jo", "new"])] {
        let mut claimed = Vec::new();
        while let Some(errand) = store.subscriber_claim((&page(), SubscriberWay::Mail), &Homes::All, first, after(at)).await.unwrap() {
            claimed.push(errand.to.address);
        }
        assert_eq!(claimed, expected, "{first:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn who_was_not_reached_waits_for_those_who_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "dead", NOON).await;
    say(&store, &["one"], NOON).await;
    let dead = claim(&store, NOON).await.unwrap();
    store.subscriber_finish(&dead.to.name, ErrandMark::Failed { next_at: after(1), is_refused: true }).await.unwrap();
    // Further on than the other, and so it would be later.
    confirmed(&store, "fine", after(2)).await;
    say(&store, &["two"], after(3)).await;
    let mut claimed = Vec::new();
    while let Some(errand) = claim(&store, after(4)).await {
        claimed.push((errand.to.address, errand.n_failed));
    }
    assert_eq!(claimed, [("fine".to_owned(), 0), ("dead".to_owned(), 1)]);
    store.close().await;
}

#[tokio::test]
async fn a_message_tells_so_much_and_the_next_one_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "jo", NOON).await;
    let all: Vec<String> = (0..50).map(|n| format!("n{n:02}")).collect();
    say(&store, &all.iter().map(String::as_str).collect::<Vec<_>>(), NOON).await;
    let mut told = Vec::new();
    while let Some(errand) = claim(&store, NOON).await {
        assert!(errand.news.len() <= 20);
        told.extend(errand.news.iter().map(|row| row.key.clone()));
        store.subscriber_finish(&errand.to.name, ErrandMark::Told { next_at: NOON }).await.unwrap();
    }
    assert_eq!(told, all);
    store.close().await;
}

#[tokio::test]
async fn limits_hold_and_who_is_known_is_asked_again_a_few_times_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (address, at, expected) in [
        ("a", NOON, SignedUp::Taken),
        ("a", after(1), SignedUp::Taken),
        ("b", after(2), SignedUp::Taken),
        ("c", after(3), SignedUp::Full),
        ("a", after(4), SignedUp::Full),
    ] {
        assert_eq!(store.subscriber_sign_up(sign_up(address, at)).await.unwrap(), expected, "{address} {at:?}");
    }
    let mut all = store.subscribers().await.unwrap();
    assert_eq!(all.iter().map(|one| one.address.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(store.subscriber_remove(&all.remove(1).name, NOON).await.unwrap());
    let mut n_asked = 0;
    for minute in 0..100 {
        let at = after(minute * 60);
        store.subscriber_sign_up(sign_up("a", at)).await.unwrap();
        while let Some(errand) = claim(&store, at).await {
            n_asked += 1;
            store.subscriber_finish(&errand.to.name, ErrandMark::Asked { at }).await.unwrap();
        }
    }
    assert_eq!(n_asked, 2);
    let known = store.subscribers().await.unwrap().remove(0);
    assert!(store.subscriber_confirm(&known.name, after(9000)).await.unwrap());
    store.subscriber_sign_up(sign_up("a", after(99_000))).await.unwrap();
    assert_eq!((claim(&store, after(99_000)).await, store.subscribers().await.unwrap().len()), (None, 1));
    store.close().await;
}

#[tokio::test]
async fn who_is_not_to_be_asked_is_taken_down_as_others_are_and_may_be_asked_another_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let unasked = |at| SignUp { limits: SignUpLimits { n_asked_max: 0, ..sign_up("a", at).limits }, ..sign_up("a", at) };
    for at in [NOON, after(1)] {
        assert_eq!(store.subscriber_sign_up(unasked(at)).await.unwrap(), SignedUp::Taken);
        assert_eq!((claim(&store, at).await, store.subscribers().await.unwrap().len()), (None, 1));
    }
    store.subscriber_sign_up(sign_up("a", after(600))).await.unwrap();
    let errand = claim(&store, after(600)).await.expect("a question");
    store.subscriber_finish(&errand.to.name, ErrandMark::Asked { at: after(600) }).await.unwrap();
    store.subscriber_sign_up(unasked(after(9000))).await.unwrap();
    assert_eq!(claim(&store, after(9000)).await, None);
    store.close().await;
}

#[tokio::test]
async fn who_leaves_is_gone_also_while_being_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let name = confirmed(&store, "jo", NOON).await;
    say(&store, &["one"], NOON).await;
    let errand = claim(&store, NOON).await.unwrap();
    assert_eq!((store.subscriber_remove(&name, NOON).await.unwrap(), store.subscriber_remove(&name, NOON).await.unwrap()), (true, false));
    store.subscriber_finish(&errand.to.name, ErrandMark::Told { next_at: NOON }).await.unwrap();
    assert_eq!((store.subscribers().await.unwrap(), store.subscriber(&name).await.unwrap()), (Vec::new(), None));
    assert!(!store.subscriber_confirm(&name, NOON).await.unwrap());
    // A mark that comes late must not concern whoever signs up next.
    let next = confirmed(&store, "next", after(1)).await;
    say(&store, &["two"], after(2)).await;
    store.subscriber_finish(&errand.to.name, ErrandMark::Gone { at: after(2) }).await.unwrap();
    assert_eq!(claim(&store, after(2)).await.map(|errand| errand.to.name), Some(next));
    store.close().await;
}

#[tokio::test]
async fn those_are_forgotten_who_do_not_confirm_and_those_of_pages_that_stay_away() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "stays", NOON).await;
    store.subscriber_sign_up(sign_up("silent", NOON)).await.unwrap();
    let offering = || vec![(page(), SubscriberWay::Mail)];
    assert_eq!(store.subscribers_tidy(offering(), NOON + UNCONFIRMED_KEPT_FOR).await.unwrap(), 0);
    let later = NOON + UNCONFIRMED_KEPT_FOR + Duration::from_secs(1);
    assert_eq!(store.subscribers_tidy(offering(), later).await.unwrap(), 1);
    // A page that was away for a while by mistake has lost nobody.
    assert_eq!(store.subscribers_tidy(Vec::new(), later).await.unwrap(), 0);
    assert_eq!(store.subscribers_tidy(offering(), later + ORPHANS_KEPT_FOR / 2).await.unwrap(), 0);
    let away = later + ORPHANS_KEPT_FOR;
    assert_eq!(store.subscribers_tidy(Vec::new(), away).await.unwrap(), 0);
    assert_eq!(store.subscribers_tidy(Vec::new(), away + ORPHANS_KEPT_FOR + Duration::from_secs(1)).await.unwrap(), 1);
    assert_eq!(store.subscriber_counts().await.unwrap(), Vec::new());
    store.close().await;
}

#[tokio::test]
async fn those_are_forgotten_who_are_told_in_a_way_that_their_page_does_not_offer_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    confirmed(&store, "jo", NOON).await;
    let program = SignUp { way: SubscriberWay::Hook, ..sign_up("https://hooks.example.com/", NOON) };
    let name = program.name.clone();
    store.subscriber_sign_up(program).await.unwrap();
    assert!(store.subscriber_confirm(&name, NOON).await.unwrap());
    let offering = || vec![(page(), SubscriberWay::Hook)];
    assert_eq!(store.subscribers_tidy(offering(), NOON).await.unwrap(), 0);
    assert_eq!(store.subscribers_tidy(offering(), NOON + ORPHANS_KEPT_FOR + Duration::from_secs(1)).await.unwrap(), 1);
    let left: Vec<String> = store.subscribers().await.unwrap().into_iter().map(|one| one.address).collect();
    assert_eq!(left, ["https://hooks.example.com/"]);
    store.close().await;
}

#[tokio::test]
async fn an_address_is_forgotten_at_one_page_or_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let other = PageSlug::parse("other").unwrap();
    for page in [page(), other.clone()] {
        store.subscriber_sign_up(SignUp { name: format!("t-{page}"), page, ..sign_up("jo", NOON) }).await.unwrap();
    }
    let counts = store.subscriber_counts().await.unwrap();
    assert_eq!(counts.iter().map(|count| (count.n_confirmed, count.n_unconfirmed)).collect::<Vec<_>>(), [(0, 1), (0, 1)]);
    assert_eq!(store.subscriber_forget("jo", Some(&other), NOON).await.unwrap(), 1);
    assert_eq!(store.subscriber_forget("jo", None, NOON).await.unwrap(), 1);
    assert_eq!(store.subscriber_forget("jo", None, NOON).await.unwrap(), 0);
    store.close().await;
}
