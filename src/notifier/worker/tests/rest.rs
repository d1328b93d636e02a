//! A message that some of its recipients did not get.

use super::*;

/// What was tried: at which second, for whom (`all`), which keys.
fn tried(world: &World) -> Vec<String> {
    let told = world.sink.told.lock().expect("told").clone();
    let words = told.into_iter().map(|told| {
        let to = if told.only.is_empty() { "all".to_owned() } else { told.only.join("+") };
        format!("{} {to}: {}", told.second, told.keys.join("+"))
    });
    words.collect()
}

/// A server that puts `grey` off until then, and takes everything for the others.
fn greylisting(until: Duration) -> impl Fn(&Notification, UnixMillis) -> Reply + Send + Sync + 'static {
    move |_, now| if now < samples::TEN_TWENTY_THREE + until { Reply::AcceptBut(&["grey"]) } else { Reply::Accept }
}

#[tokio::test(start_paused = true)]
async fn who_was_put_off_is_told_later_and_nobody_else_again() {
    let world = World::new(&["chat"], greylisting(SECOND * 60));
    world.owe("chat", "m1", "down").await;
    world.live(HOUR).await;
    assert_eq!(tried(&world), ["0 all: down", "10 grey: down", "20 grey: down", "40 grey: down", "80 grey: down"]);
    let keys: BTreeSet<String> = world.log().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!((keys.len(), world.outbox.state("down")), (1, State::Sent), "the same message, with the same key");
}

#[tokio::test(start_paused = true)]
async fn what_is_still_owed_to_one_keeps_no_news_from_the_others() {
    let world = World::new(&["chat"], greylisting(SECOND * 300));
    let story = async {
        world.owe("chat", "m1", "down").await;
        tokio::time::sleep(Duration::from_millis(40_500)).await;
        world.owe_event("chat", "m1", EventKind::Recovered, "up").await;
        world.owe("chat", "m2", "another").await;
    };
    tokio::join!(world.live(HOUR), story);
    let tried = tried(&world);
    assert_eq!(tried[..4], ["0 all: down", "10 grey: down", "20 grey: down", "40 grey: down"]);
    assert_eq!(tried[4], "40 grey: down", "once more, at once and in order");
    assert_eq!(tried[5], "40 all: up+another");
    let up = 5;
    assert_eq!(world.outbox.n_waiting(), 0);
    assert!(tried[up + 1..].iter().all(|line| !line.contains("down")), "nobody hears of the beginning after the end: {tried:?}");
}

#[tokio::test(start_paused = true)]
async fn news_that_waits_already_is_not_held_back_by_one_recipient_either() {
    let world = World::new(&["chat"], |_, now| match now.since(samples::TEN_TWENTY_THREE).as_secs() {
        0 => Reply::Accept,
        1..300 => down(),
        _ => Reply::AcceptBut(&["grey"]),
    });
    let story = async {
        world.owe("chat", "m1", "down").await;
        tokio::time::sleep(Duration::from_millis(5500)).await;
        world.owe_event("chat", "m1", EventKind::Recovered, "up").await;
        tokio::time::sleep(SECOND * 100).await;
        world.owe_event("chat", "m1", EventKind::Down, "again").await;
    };
    tokio::join!(world.live(HOUR), story);
    let tried = tried(&world);
    let first = tried.iter().position(|line| line.ends_with("all: again")).expect("it is told");
    let second = |line: &String| line.split(' ').next().and_then(|word| word.parse::<u64>().ok()).expect("a second");
    assert!(tried[first - 1].ends_with("grey: up") && tried[first - 2].ends_with("all: up"), "{tried:?}");
    assert!(second(&tried[first]) - second(&tried[first - 2]) <= 15, "{tried:?}");
    assert!(tried[first + 1..].iter().all(|line| line.ends_with("grey: again")), "{tried:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_told_together_is_not_told_apart_to_who_was_put_off() {
    let world = World::new(&["chat"], greylisting(SECOND * 60));
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    world.live(HOUR).await;
    let tried = tried(&world);
    assert_eq!(tried[0], "0 all: down+up");
    assert!(tried.len() > 1 && tried[1..].iter().all(|line| line.ends_with("grey: up")), "{tried:?}");
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_never_told_is_given_up_and_the_message_counts_as_sent() {
    let world = World::new(&["chat"], greylisting(HOUR * 1000));
    world.owe("chat", "m1", "down").await;
    world.live(HOUR * 25).await;
    assert_eq!(world.outbox.state("down"), State::Sent);
    let world = World::new(&["chat"], |_, now| {
        if now == samples::TEN_TWENTY_THREE {
            Reply::AcceptBut(&["grey"])
        } else {
            Reply::Fail(SendError::Permanent("answered 550".to_owned()))
        }
    });
    world.owe("chat", "m1", "down").await;
    world.live(HOUR).await;
    assert_eq!((tried(&world).len(), world.outbox.state("down")), (2, State::Sent));
}

#[tokio::test(start_paused = true)]
async fn with_peers_the_node_that_sent_it_tells_the_rest() {
    let nodes = Nodes::new_for("chat", greylisting(SECOND * 30));
    let worlds: Vec<&World> = nodes.worlds.values().collect();
    let order = crate::consensus::rank::ranked("chat", &["a", "b", "c"].map(node));
    let story = async {
        for world in &worlds {
            world.owe("chat", "m1", "down").await;
        }
    };
    tokio::join!(nodes.live(&order, 600), story);
    let tried = tried(worlds[0]);
    assert!(tried.len() >= 2 && tried[0].ends_with("all: down") && tried[1..].iter().all(|line| line.ends_with("grey: down")), "{tried:?}");
    assert_eq!(nodes.n_waiting(), 0);
}
