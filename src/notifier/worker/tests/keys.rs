//! A key that is changed while something is open: its end goes where it was opened.

use super::*;
use crate::model::channel::spec::PagerDutySpec;
use crate::model::secret::Secret;

/// The channel with that key from now on.
fn set_key(world: &World, key: &str) {
    let api_url = "https://events.pagerduty.example".to_owned();
    let spec = ChannelSpec::PagerDuty(PagerDutySpec { routing_key: Secret::new(key), api_url, webhook_secrets: Vec::new() });
    let mut config = Config::clone(&world.config.borrow());
    config.channels.insert(channel_name("ops"), Arc::new(samples::channel("ops", spec)));
    world.config.send_replace(Arc::new(config));
}

/// Keys of messages, each with the key of the channel by which it went out, and whether it was taken.
fn sent(world: &World) -> Vec<(String, String, bool)> {
    let told = world.sink.told.lock().expect("told").clone();
    let key = |spec: &ChannelSpec| {
        let ChannelSpec::PagerDuty(spec) = spec else { panic!("{spec:?}") };
        spec.routing_key.reveal_for_use().to_owned()
    };
    told.iter().map(|told| (told.notification.key.clone(), key(&told.spec), told.is_accepted)).collect()
}

fn row(message: &str, key: &str, is_accepted: bool) -> (String, String, bool) {
    (message.to_owned(), key.to_owned(), is_accepted)
}

/// From now on the first `n` attempts fail so, and all later ones are accepted.
fn fail_first(world: &World, n: u32, error: &SendError) {
    let (n_asked, error) = (std::sync::atomic::AtomicU32::new(0), error.clone());
    world.replay(move |_, _| {
        let n_before = n_asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if n_before < n { Reply::Fail(error.clone()) } else { Reply::Accept }
    });
}

#[tokio::test(start_paused = true)]
async fn the_end_goes_out_with_the_key_of_the_beginning_and_what_is_new_with_the_new_one() {
    let world = World::new(&[], |_, _| Reply::Accept);
    set_key(&world, "old");
    world.owe_event("ops", "m", EventKind::Down, "down").await;
    let story = async {
        tokio::time::sleep(SECOND * 10).await;
        set_key(&world, "new");
        world.owe_event("ops", "other", EventKind::Down, "other-down").await;
        world.owe_event("ops", "m", EventKind::Recovered, "up").await;
        tokio::time::sleep(SECOND * 10).await;
        world.owe_event("ops", "other", EventKind::Recovered, "other-up").await;
        tokio::time::sleep(SECOND * 10).await;
    };
    tokio::join!(world.live(SECOND * 31), story);
    let expected = [row("down", "old", true), row("other-down", "new", true), row("up", "old", true), row("other-up", "new", true)];
    assert_eq!(sent(&world), expected);
    let row = &world.outbox.lock().rows[0];
    assert!(row.called.as_ref().is_some_and(|called| !called.as_str().contains("old")), "the key itself is nowhere");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_withdrawn_keeps_no_end_from_being_told() {
    let world = World::new(&[], |_, _| Reply::Accept);
    set_key(&world, "old");
    world.owe_event("ops", "m", EventKind::Down, "down").await;
    let story = async {
        tokio::time::sleep(SECOND * 10).await;
        set_key(&world, "new");
        fail_first(&world, 1, &SendError::Permanent("no such key".to_owned()));
        world.owe_event("ops", "m", EventKind::Recovered, "up").await;
        tokio::time::sleep(SECOND * 10).await;
    };
    tokio::join!(world.live(SECOND * 21), story);
    assert_eq!(sent(&world), [row("down", "old", true), row("up", "old", false), row("up", "new", true)]);
    assert_eq!(world.outbox.state("up"), State::Sent);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_gone_holds_nothing_back_for_long() {
    let world = World::new(&[], |_, _| Reply::Accept);
    set_key(&world, "old");
    world.owe_event("ops", "m", EventKind::Down, "down").await;
    let story = async {
        tokio::time::sleep(SECOND * 10).await;
        set_key(&world, "new");
        fail_first(&world, 5, &SendError::Transient("no connection".to_owned()));
        world.owe_event("ops", "m", EventKind::Recovered, "up").await;
        world.owe_event("ops", "m", EventKind::Down, "again").await;
        tokio::time::sleep(HOUR).await;
    };
    tokio::join!(world.live(HOUR), story);
    let sent = sent(&world);
    assert_eq!(sent[1..6], std::array::from_fn::<_, 5, _>(|_| row("up", "old", false)));
    assert_eq!(sent[6..], [row("up", "new", true), row("again", "new", true)]);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_former_key_is_not_known_and_the_log_says_so() {
    let world = World::new(&[], |_, _| Reply::Accept);
    set_key(&world, "old");
    world.owe_event("ops", "m", EventKind::Down, "down").await;
    world.live(SECOND * 10).await;
    set_key(&world, "new");
    world.owe_event("ops", "m", EventKind::Recovered, "up").await;
    world.live(SECOND * 10).await;
    assert_eq!(sent(&world), [row("down", "old", true), row("up", "new", true)]);
    let said = world.outbox.lock().said.clone();
    assert!(said.len() == 1 && said[0].contains("closed by hand"), "{said:?}");
}
