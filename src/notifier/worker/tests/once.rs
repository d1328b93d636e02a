//! What waits is said once: an outage that is over, reminders that pile up.

use super::*;

/// A channel that takes nothing for so many minutes.
fn away(minutes: u32) -> impl Fn(&Notification, UnixMillis) -> Reply + Send + Sync + 'static {
    let back = samples::TEN_TWENTY_THREE + SECOND * 60 * minutes;
    move |_, now| if now < back { down() } else { Reply::Accept }
}

/// Keys that were taken, those of one message together.
fn keys(world: &World) -> Vec<String> {
    let told = world.sink.told.lock().expect("told").clone();
    told.into_iter().filter(|told| told.is_accepted).map(|told| told.keys.join("+")).collect()
}

/// An incident that begins at once and ends after so many minutes.
async fn incident(world: &World, channel: &str, minutes: u32) {
    world.owe_event(channel, "m", EventKind::Down, "down").await;
    // The clock has moved on when this wakes.
    tokio::time::sleep(SECOND * 60 * minutes + Duration::from_millis(500)).await;
    world.owe_event(channel, "m", EventKind::Recovered, "up").await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_channel_that_spans_an_incident_is_one_message_about_both() {
    let world = World::new(&["chat"], away(60));
    tokio::join!(world.live(HOUR * 2), incident(&world, "chat", 7));
    assert_eq!(keys(&world), ["down+up"]);
    let told = said(&world);
    assert_eq!(told[0].1, "m was DOWN from 10:23 to 10:30 UTC (7 min): the connection was accepted, no answer came within 10 s");
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_every_time_is_not_told_as_if_it_went_on() {
    for error in [SendError::Transient("answered 503".to_owned()), SendError::Later(SECOND * 30, "answered 429".to_owned())] {
        let world = World::new(&["chat"], move |_, now| {
            let is_away = now < samples::TEN_TWENTY_THREE + SECOND * 45;
            if is_away { Reply::Fail(error.clone()) } else { Reply::Accept }
        });
        let story = async {
            world.owe_event("chat", "m", EventKind::Down, "down").await;
            tokio::time::sleep(Duration::from_millis(10_500)).await;
            world.owe_event("chat", "m", EventKind::Recovered, "up").await;
        };
        tokio::join!(world.live(HOUR), story);
        assert_eq!(keys(&world), ["down+up"], "{:?}", said(&world));
    }
}

#[tokio::test(start_paused = true)]
async fn what_had_no_answer_may_have_arrived_and_is_told_again_before_its_end() {
    let world = World::new(&["chat"], |_, now| {
        let is_away = now < samples::TEN_TWENTY_THREE + SECOND * 45;
        if is_away { Reply::Hang } else { Reply::Accept }
    });
    let story = async {
        world.owe_event("chat", "m", EventKind::Down, "down").await;
        tokio::time::sleep(Duration::from_millis(12_500)).await;
        world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    };
    tokio::join!(world.live(HOUR), story);
    assert_eq!(keys(&world), ["down", "up"], "{:?}", said(&world));
}

#[tokio::test(start_paused = true)]
async fn never_an_end_alone_whenever_the_channel_comes_back() {
    for minutes_away in [0, 1, 2, 4, 6, 9, 12, 20, 33] {
        for minutes in [1, 5, 9, 10, 11, 30] {
            let world = World::new(&["chat"], away(minutes_away));
            tokio::join!(world.live(HOUR * 2), incident(&world, "chat", minutes));
            let got = keys(&world);
            assert!(got == ["down", "up"] || got == ["down+up"], "{minutes_away} {minutes}: {got:?}");
            if minutes_away == 0 {
                assert_eq!(got, ["down", "up"], "it came in time");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_was_never_tried_is_told_with_its_end_at_once() {
    let world = World::new(&["chat"], away(2));
    let story = async {
        // The channel rests, because another message was not taken.
        for number in 0..4 {
            world.owe("chat", &format!("other{number}"), &format!("other {number}")).await;
        }
        tokio::time::sleep(SECOND * 90).await;
        world.owe_event("chat", "m", EventKind::Down, "down").await;
        tokio::time::sleep(SECOND * 3).await;
        world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    };
    tokio::join!(world.live(HOUR), story);
    let got = keys(&world).join("+");
    assert!(got.contains("down+up"), "{got}");
    let told: Vec<String> =
        said(&world).into_iter().map(|(_, text)| text).filter(|text| text.contains("m was") || text.contains("over: m")).collect();
    assert_eq!(told.len(), 1, "{:?}", said(&world));
}

#[tokio::test(start_paused = true)]
async fn a_pager_gets_the_beginning_and_the_end_in_order() {
    let world = World::new(&["pager"], away(60));
    tokio::join!(world.live(HOUR * 2), incident(&world, "pager", 7));
    assert_eq!(keys(&world), ["down", "up"]);
}

#[tokio::test(start_paused = true)]
async fn of_reminders_that_wait_only_the_newest_is_told() {
    for channel in ["chat", "pager"] {
        let world = World::new(&[channel], move |notification, now| {
            let is_away = samples::TEN_TWENTY_THREE + SECOND < now && now < samples::TEN_TWENTY_THREE + HOUR * 5;
            if is_away && notification.event == EventKind::Reminder { down() } else { Reply::Accept }
        });
        let story = async {
            world.owe_event(channel, "m", EventKind::Down, "down").await;
            for number in 1..=4 {
                tokio::time::sleep(HOUR).await;
                world.owe_event(channel, "m", EventKind::Reminder, &format!("reminder {number}")).await;
            }
        };
        tokio::join!(world.live(HOUR * 6), story);
        assert_eq!(keys(&world), ["down", "reminder 1+reminder 2+reminder 3+reminder 4"], "{channel}");
    }
}

/// Keys of all attempts, and which say that they may be repeats.
fn repeats(world: &World) -> Vec<String> {
    let told = world.sink.told.lock().expect("told").clone();
    let words = told.into_iter().map(|told| {
        let Notification { key, may_be_repeat, .. } = told.notification;
        if may_be_repeat { format!("{key}, perhaps again") } else { key }
    });
    words.collect()
}

/// An incident whose beginning is refused for 20 s; its end comes meanwhile.
async fn refused_and_over(world: &World) {
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    tokio::time::sleep(Duration::from_millis(12_500)).await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_told_together_without_an_answer_is_told_together_again() {
    let world = World::new(&["chat"], |notification, now| match now.since(samples::TEN_TWENTY_THREE).as_secs() {
        ..20 => down(),
        20..50 if notification.key == "up" => Reply::Hang,
        _ => Reply::Accept,
    });
    tokio::join!(world.live(HOUR), refused_and_over(&world));
    let repeats = repeats(&world);
    let mut phases = repeats.clone();
    phases.dedup();
    assert_eq!(phases, ["down", "up", "up, perhaps again"], "{repeats:?}");
    assert_eq!(keys(&world), ["down+up"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_told_together_before_a_crash_is_told_together_again_although_its_beginning_had_been_refused() {
    let world = World::new(&["chat"], |_, now| if now < samples::TEN_TWENTY_THREE + SECOND * 20 { down() } else { Reply::Accept });
    let killed = async {
        refused_and_over(&world).await;
        tokio::time::sleep(SECOND * 10).await;
        world.outbox.lock().faults.marks_hang = 1;
    };
    tokio::join!(world.live(SECOND * 120), killed);
    assert_eq!((keys(&world), world.outbox.n_waiting()), (vec!["down+up".to_owned()], 2));
    world.live(SECOND * 60).await;
    let repeats = repeats(&world);
    assert_eq!(repeats[repeats.len() - 2..], ["up", "up, perhaps again"], "{repeats:?}");
    assert_eq!((keys(&world).len(), world.outbox.n_waiting()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_merged_message_that_is_told_before_a_crash_has_the_same_key_afterwards() {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    world.outbox.lock().faults.marks_hang = 1;
    world.live(SECOND * 5).await;
    assert_eq!(world.outbox.n_waiting(), 2, "both or none");
    world.live(SECOND * 5).await;
    assert_eq!(keys(&world), ["down+up", "down+up"]);
    assert_eq!(world.accepted(), ["up", "up"], "the key of the end, both times");
    assert_eq!(repeats(&world), ["up", "up, perhaps again"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_given_up_whole() {
    let world = World::new(&["chat"], |_, _| down());
    tokio::join!(world.live(HOUR * 25), incident(&world, "chat", 7));
    for key in ["down", "up"] {
        assert!(matches!(world.outbox.state(key), State::Dead(_)), "{key}: {:?}", world.outbox.state(key));
    }
    assert_eq!(world.outbox.state("down"), State::Dead("to be told together with message `up`: answered 503".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn of_three_nodes_one_tells_both_in_one_and_all_know() {
    let nodes = Nodes::new_for("chat", away(60));
    let worlds: Vec<&World> = nodes.worlds.values().collect();
    let order = crate::consensus::rank::ranked("chat", &["a", "b", "c"].map(node));
    let story = async {
        for (event, key) in [(EventKind::Down, "down"), (EventKind::Recovered, "up")] {
            for world in &worlds {
                world.owe_event("chat", "m", event, key).await;
            }
            tokio::time::sleep(SECOND * 420).await;
        }
    };
    tokio::join!(nodes.live(&order, 4200), story);
    assert_eq!(keys(worlds[0]), ["down+up"]);
    assert_eq!(nodes.n_waiting(), 0);
}

/// What was logged, as it is written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while holding it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_says_why_and_not_that_a_message_is_told_together_with_itself() {
    let world = World::new(&["chat"], |_, _| down());
    world.owe_event("chat", "m", EventKind::Down, "down").await;
    world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    {
        let _guard = tracing::subscriber::set_default(subscriber);
        world.live(SECOND * 2).await;
    }
    let log = String::from_utf8(written.0.lock().expect("written").clone()).expect("text");
    assert!(log.contains("message `up` not accepted by channel `chat`, next attempt in 5.0 s: answered 503"), "{log}");
    assert!(!log.contains("together"), "{log}");
}
