//! Many messages at once: a few are sent, all are told.

use super::*;

/// How often each key was taken.
fn n_taken(told: &[Told]) -> BTreeMap<String, usize> {
    let mut n: BTreeMap<String, usize> = BTreeMap::new();
    for key in told.iter().filter(|told| told.is_accepted).flat_map(|told| &told.keys) {
        *n.entry(key.clone()).or_default() += 1;
    }
    n
}

fn taken(world: &World) -> Vec<Told> {
    world.sink.told.lock().expect("told").iter().filter(|told| told.is_accepted).cloned().collect()
}

/// So many monitors in so many milliseconds, on every one of these nodes.
async fn blow(worlds: &[&World], event: EventKind, n: u64, within: Duration) {
    for number in 0..n {
        for world in worlds {
            world.owe_event("chat", &format!("m{number}"), event, &format!("{} {number}", event.word())).await;
        }
        tokio::time::sleep(within / u32::try_from(n).expect("small")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_openings_within_ten_seconds_are_three_messages_and_all_are_named() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    let worlds = [&world];
    tokio::join!(world.live(SECOND * 60), blow(&worlds, EventKind::Down, 500, SECOND * 9));
    let told = taken(&world);
    assert_eq!(told.iter().map(|told| (told.second, told.keys.len())).collect::<Vec<_>>(), [(0, 1), (10, 250), (20, 249)]);
    let n = n_taken(&told);
    assert!(n.len() == 500 && n.values().all(|n| *n == 1), "{n:?}");
    let names: BTreeSet<String> = said(&world).iter().flat_map(|(_, text)| names_in(text)).collect();
    assert_eq!(names.len(), 500, "each name stands in a message");
    assert_eq!(world.outbox.n_waiting(), 0);
}

/// A storm on a channel whose service has little room: of each message when it was taken, and how many it told and named.
async fn storm_with_little_room(n: u64, within: Duration) -> (World, Vec<(u64, usize, usize)>) {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    let channel = samples::channel("chat", ChannelSpec::Ntfy(samples::ntfy()));
    world.config.send_modify(|config| {
        let mut changed = Config::clone(config);
        changed.channels.insert(channel_name("chat"), Arc::new(channel.clone()));
        *config = Arc::new(changed);
    });
    let blow = async {
        for number in 0..n {
            let name = format!("m{number}-with-a-long-name");
            world.owe_event("chat", &name, EventKind::Down, &format!("{number}")).await;
            tokio::time::sleep(within / u32::try_from(n).expect("small")).await;
        }
    };
    tokio::join!(world.live(SECOND * 60), blow);
    let links = samples::links();
    let messages = taken(&world).into_iter().map(|told| {
        let envelope = Envelope { channel: &channel, notification: &told.notification, told: &[], links: &links, first: None, only: &[] };
        let message = envelope.message(told.notification.at);
        let text = message.text(&crate::notifier::compose::PLAIN, crate::notifier::shorten::Limit::bytes(3900));
        (told.second, told.keys.len(), text.matches("-with-a-long-name").count())
    });
    let messages = messages.collect();
    (world, messages)
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_is_named_in_another_message_and_three_are_enough() {
    for within in [Duration::ZERO, SECOND] {
        let (world, messages) = storm_with_little_room(190, within).await;
        assert!((2..=3).contains(&messages.len()), "{within:?} {messages:?}");
        assert!(messages.iter().all(|(_, n, n_named)| n == n_named || *n == 1), "{within:?} {messages:?}");
        assert!(messages.iter().all(|(second, ..)| *second <= 10), "at once after the gathering: {messages:?}");
        let n = n_taken(&taken(&world));
        assert!(n.len() == 190 && n.values().all(|n| *n == 1), "{n:?}");
        assert_eq!(world.outbox.n_waiting(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_more_than_one_message_tells_has_no_more_messages_for_its_names() {
    let (world, messages) = storm_with_little_room(500, SECOND * 9).await;
    let told: Vec<(u64, usize)> = messages.iter().map(|(second, n, _)| (*second, *n)).collect();
    assert_eq!(told, [(0, 1), (10, 250), (20, 249)]);
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn every_message_of_a_storm_has_a_key_of_its_own_that_stays() {
    let (world, messages) = storm_with_little_room(190, Duration::ZERO).await;
    let keys: BTreeSet<String> = taken(&world).iter().map(|told| told.notification.key.clone()).collect();
    assert_eq!(keys.len(), messages.len());
    let (again, _) = storm_with_little_room(190, Duration::ZERO).await;
    assert_eq!(taken(&again).iter().map(|told| told.notification.key.clone()).collect::<BTreeSet<_>>(), keys);
}

/// The names of monitors in a text.
fn names_in(text: &str) -> Vec<String> {
    text.split([' ', ',', ';']).filter(|word| word.starts_with('m') && word[1..].parse::<u64>().is_ok()).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn recoveries_are_bundled_as_well_and_come_after_what_they_end() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    let story = async {
        blow(&[&world], EventKind::Down, 40, SECOND * 4).await;
        tokio::time::sleep(SECOND * 60).await;
        blow(&[&world], EventKind::Recovered, 40, SECOND * 4).await;
    };
    tokio::join!(world.live(SECOND * 120), story);
    let first_words: Vec<String> = said(&world).iter().map(|(_, text)| text.split(": ").next().unwrap_or_default().to_owned()).collect();
    assert_eq!(first_words[1], "39 monitors are DOWN");
    assert_eq!(first_words[3], "39 monitors are up again");
    assert_eq!(first_words.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_long_storm_is_one_message_in_ten_seconds() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    let worlds = [&world];
    tokio::join!(world.live(SECOND * 300), blow(&worlds, EventKind::Down, 1000, SECOND * 200));
    let told = taken(&world);
    assert!(told.windows(2).all(|two| 10 <= two[1].second - two[0].second), "{:?}", told.iter().map(|t| t.second).collect::<Vec<_>>());
    assert_eq!(n_taken(&told).len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn in_quiet_times_nobody_waits() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    let story = async {
        for (pause, number) in [(0, 1), (11, 2), (11, 3), (3, 4)] {
            tokio::time::sleep(SECOND * pause).await;
            world.owe("chat", &format!("m{number}"), &format!("{number}")).await;
        }
    };
    tokio::join!(world.live(SECOND * 60), story);
    assert_eq!(world.seconds(), [0, 11, 22, 32], "only the last one came within the time in which another was sent");
}

#[tokio::test(start_paused = true)]
async fn who_opens_and_ends_something_gets_every_message_by_itself_and_at_once() {
    let world = World::new(&["pager", "chat"], |_, _| Reply::Accept);
    for number in 0..300 {
        world.owe("pager", &format!("m{number}"), &format!("{number}")).await;
    }
    world.live(SECOND * 5).await;
    assert_eq!(taken(&world).len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_for_thirty_seconds_delays_no_other() {
    let world = World::new(&["chat-slow", "slow", "chat", "pager"], |notification, _| {
        if notification.channel.as_str().ends_with("slow") { Reply::Hang } else { Reply::Accept }
    });
    let story = async {
        for number in 0..60_u64 {
            for channel in ["chat-slow", "slow", "chat", "pager"] {
                world.owe(channel, &format!("m{number}"), &format!("{channel} {number}")).await;
            }
            tokio::time::sleep(SECOND * 30).await;
        }
    };
    tokio::join!(world.live(SECOND * 1800), story);
    for told in taken(&world) {
        let number: u64 = told.keys[0].rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number");
        assert_eq!((told.second, told.keys.len()), (number * 30, 1), "at once");
    }
    assert_eq!(taken(&world).len(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_a_bundle_repeats_it_with_the_same_key_and_loses_nothing() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    for number in 0..30 {
        world.owe("chat", &format!("m{number}"), &format!("{number}")).await;
    }
    world.outbox.lock().faults.marks_hang = 1;
    world.live(SECOND * 5).await;
    assert_eq!(world.outbox.n_waiting(), 30);
    world.live(SECOND * 5).await;
    let told = taken(&world);
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0].notification.key, told[0].keys.len()), (&told[1].notification.key, 30));
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_takes_no_other_with_it() {
    let world = World::new(&["chat"], |notification, _| {
        let is_bad = crate::notifier::text::sentence(notification).contains("m77");
        if is_bad { Reply::Fail(SendError::Permanent("answered 400".to_owned())) } else { Reply::Accept }
    });
    for number in 0..200 {
        world.owe("chat", &format!("m{number}"), &format!("{number}")).await;
    }
    world.live(HOUR).await;
    let n = n_taken(&taken(&world));
    assert!(n.len() == 199 && n.values().all(|n| *n == 1), "{}", n.len());
    assert_eq!(world.outbox.state("77"), State::Dead("answered 400".to_owned()));
    let n_refused = world.log().iter().filter(|(.., accepted)| !accepted).count();
    assert_eq!(n_refused, 3, "all, a few, and it alone");
}

#[tokio::test(start_paused = true)]
async fn a_storm_that_three_nodes_see_is_three_messages() {
    let nodes = Nodes::new_for("chat", |_, _| Reply::Accept);
    let worlds: Vec<&World> = nodes.worlds.values().collect();
    let order = crate::consensus::rank::ranked("chat", &["a", "b", "c"].map(node));
    tokio::join!(nodes.live(&order, 90), blow(&worlds, EventKind::Down, 500, SECOND * 9));
    let told = taken(worlds[0]);
    let when: Vec<(u64, usize)> = told.iter().map(|told| (told.second, told.keys.len())).collect();
    assert_eq!(told.len(), 3, "{when:?}");
    let n = n_taken(&told);
    assert!(n.len() == 500 && n.values().all(|n| *n == 1), "{when:?}");
    assert_eq!(nodes.n_waiting(), 0, "all nodes know");
    let n_facts: Vec<usize> = worlds.iter().map(|world| world.outbox.lock().n_facts).collect();
    assert_eq!(n_facts.iter().max(), Some(&500), "every key is kept: {n_facts:?}");
}

#[tokio::test(start_paused = true)]
async fn when_the_sender_dies_in_a_storm_the_next_node_tells_the_rest() {
    let nodes = Nodes::new_for("chat", |_, _| Reply::Accept);
    let worlds: Vec<&World> = nodes.worlds.values().collect();
    let order = crate::consensus::rank::ranked("chat", &["a", "b", "c"].map(node));
    tokio::join!(nodes.live(&order, 5), blow(&worlds, EventKind::Down, 500, SECOND * 4));
    nodes.live(&order[1..], 120).await;
    let n = n_taken(&taken(worlds[0]));
    assert!(n.len() == 500 && n.values().all(|n| *n == 1), "{}", n.len());
    assert!(taken(worlds[0]).len() <= 4, "{}", taken(worlds[0]).len());
}
