//! What follows the beginning of an incident refers to it: after crashes, and from another node.

use super::*;

/// What was taken: the key, and what it was said to follow.
fn taken(world: &World) -> Vec<(String, Option<String>)> {
    let told = world.sink.told.lock().expect("told").clone();
    told.into_iter().filter(|told| told.is_accepted).map(|told| (told.notification.key, told.first)).collect()
}

fn alone(key: &str) -> (String, Option<String>) {
    (key.to_owned(), None)
}

fn after(key: &str, first: &str) -> (String, Option<String>) {
    (key.to_owned(), Some(first.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn what_follows_refers_to_the_first_message_also_after_a_restart() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.live(SECOND * 30).await;
    world.owe_event("chat", "m", EventKind::Reminder, "again").await;
    world.live(SECOND * 30).await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    world.live(SECOND * 30).await;
    assert_eq!(taken(&world), [alone("down"), after("again", "1-down"), after("up", "1-down")]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_sent_and_noted_repeats_the_first_message_and_the_repeat_is_what_is_followed() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.outbox.lock().faults.marks_hang = 1;
    world.live(SECOND * 5).await;
    world.live(SECOND * 30).await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    world.live(SECOND * 30).await;
    assert_eq!(taken(&world), [alone("down"), alone("down"), after("up", "2-down")]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_end_is_noted_repeats_the_end_in_the_same_thread() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.live(SECOND * 30).await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    world.outbox.lock().faults.marks_hang = 1;
    world.live(SECOND * 5).await;
    world.live(SECOND * 30).await;
    assert_eq!(taken(&world), [alone("down"), after("up", "1-down"), after("up", "1-down")]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_arrival_and_never_ends_is_no_reason_to_say_it_twice() {
    let world = World::new(
        &["chat"],
        |notification, _| {
            if notification.event == EventKind::Recovered { Reply::AcceptAndHang } else { Reply::Accept }
        },
    );
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.live(SECOND * 30).await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    world.live(SECOND * 300).await;
    assert_eq!(taken(&world), [alone("down"), after("up", "1-down")]);
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_told_of_many_is_followed_by_nothing() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    for monitor in ["m1", "m2"] {
        world.owe_event("chat", monitor, EventKind::Down, &format!("{monitor}-down")).await;
    }
    world.live(SECOND * 30).await;
    world.owe_event("chat", "m1", EventKind::Recovered, "m1-up").await;
    world.live(SECOND * 30).await;
    assert_eq!(taken(&world).last(), Some(&alone("m1-up")));
}

#[tokio::test(start_paused = true)]
async fn another_node_goes_on_in_the_thread_of_the_first() {
    let nodes = Nodes::new_for("chat", |_, _| Reply::Accept);
    let worlds: Vec<&World> = nodes.worlds.values().collect();
    let order = crate::consensus::rank::ranked("chat", &["a", "b", "c"].map(node));
    for world in &worlds {
        world.owe_event("chat", "m", EventKind::Down, "down").await;
    }
    nodes.live(&order, 30).await;
    for world in &worlds {
        world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    }
    nodes.live(&order[1..], 120).await;
    assert_eq!(taken(worlds[0]), [alone("down"), after("up", "1-down")]);
}
