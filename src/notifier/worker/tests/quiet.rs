//! A channel that keeps still: from 10:00 to 12:00, and the story begins at 10:23.

use super::*;
use crate::model::policy::QuietHours;
use crate::model::schedule::Zone;

/// When the quiet hours are over.
const NOON: u64 = 97 * 60;

fn world(except: &[EventKind]) -> World {
    let world = World::new(&["chat"], |_, _| Reply::Accept);
    world.config.send_modify(|config| {
        let mut quiet = Config::clone(config);
        for channel in quiet.channels.values_mut() {
            let hours = QuietHours { from: 600, to: 720, zone: Zone::utc(), except: except.iter().copied().collect() };
            *channel = Arc::new(Channel { quiet_hours: Some(hours), ..Channel::clone(channel) });
        }
        *config = Arc::new(quiet);
    });
    world
}

#[tokio::test(start_paused = true)]
async fn what_was_over_by_the_morning_is_one_message_and_what_lasts_is_told() {
    let world = world(&[]);
    let story = async {
        world.owe_event("chat", "m", EventKind::Down, "down").await;
        world.owe("chat", "other", "other").await;
        tokio::time::sleep(SECOND * 420 + Duration::from_millis(500)).await;
        world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    };
    tokio::join!(world.live(HOUR * 3), story);
    let told = said(&world);
    assert!(!told.is_empty() && told.iter().all(|(second, _)| (NOON..NOON + 60).contains(second)), "{told:?}");
    let text: String = told.into_iter().map(|(_, text)| text).collect();
    assert!(text.contains("other") && text.contains('m'), "{text}");
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_excepted_is_told_with_its_end_and_waits_behind_nothing() {
    let world = world(&[EventKind::Down]);
    let story = async {
        world.owe_event("chat", "slow", EventKind::Degraded, "slow").await;
        world.owe_event("chat", "m", EventKind::Degraded, "m slow").await;
        tokio::time::sleep(SECOND * 300).await;
        world.owe_event("chat", "m", EventKind::Down, "down").await;
        tokio::time::sleep(SECOND * 300).await;
        world.owe_event("chat", "m", EventKind::Recovered, "up").await;
    };
    tokio::join!(world.live(HOUR * 3), story);
    let times: Vec<(u64, bool)> = said(&world).into_iter().map(|(second, text)| (second / 60, text.starts_with("slow"))).collect();
    assert!(times.iter().any(|(minute, is_slow)| (5..7).contains(minute) && !is_slow), "the outage is told in the same minute: {times:?}");
    assert!(times.iter().any(|(minute, is_slow)| (10..12).contains(minute) && !is_slow), "so is its end: {times:?}");
    assert_eq!(times.iter().filter(|(_, is_slow)| *is_slow).map(|(minute, _)| *minute).collect::<Vec<_>>(), [97], "what is slow waits");
}
