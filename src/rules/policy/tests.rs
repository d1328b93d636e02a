use std::collections::BTreeMap;

use super::*;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;

const T0: UnixMillis = UnixMillis(1_782_814_980_000);
const MINUTE: Duration = Duration::from_secs(60);

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).expect("a name")
}

fn step(minutes: u32, channels: &[&str], unless_acknowledged: bool) -> Step {
    let channels = (!channels.is_empty()).then(|| channels.iter().map(|name| channel(name)).collect());
    Step { after: MINUTE * minutes, channels, unless_acknowledged }
}

fn every(minutes: u32, backoff_tenths: u32) -> Remind {
    Remind { every: MINUTE * minutes, backoff_tenths, max: MINUTE * 24 * 60 }
}

/// What happens to an incident at some minute.
#[derive(Clone, Copy)]
enum What {
    Acknowledge,
    Snooze(u32),
    Withdraw,
    Hold,
    Release,
}

/// Walks through the first minutes of an incident as the engine does, looking when it was asked to and when something happens, and prints
/// what is told at which minute.
fn walk(steps: &[Step], remind: Option<Remind>, script: &[(u32, What)], minutes: u32) -> Vec<String> {
    let script: BTreeMap<u32, What> = script.iter().copied().collect();
    let own = [channel("own")];
    let plan = Plan { steps, channels: &own, remind };
    let mut progress = Progress::new(Lane::Outage, Epoch(1), T0, EventKind::Down);
    let mut acknowledged: Option<Acknowledgement> = None;
    let mut is_held = false;
    let mut look = Some(T0);
    let mut told = Vec::new();
    for minute in 0..=minutes {
        let now = T0 + MINUTE * minute;
        let happens = script.get(&minute);
        match happens {
            Some(What::Acknowledge) => {
                acknowledged = Some(Acknowledgement { by: "ada".to_owned(), at: now, until: None, note: String::new(), by_channel: None })
            }
            Some(What::Snooze(minutes)) => {
                let until = Some(now + MINUTE * *minutes);
                acknowledged = Some(Acknowledgement { by: "ada".to_owned(), at: now, until, note: String::new(), by_channel: None });
            }
            Some(What::Withdraw) => acknowledged = None,
            Some(What::Hold) => is_held = true,
            Some(What::Release) => is_held = false,
            None => {}
        }
        if happens.is_none() && look.is_none_or(|look| now < look) {
            continue;
        }
        let case = Case { acknowledged: acknowledged.as_ref(), holds_openings: is_held, holds_repeats: is_held };
        for due in advance(&plan, case, &mut progress, now) {
            told.push(match due {
                Due::Opening(channel) => format!("{minute} {channel}"),
                Due::Repeat(channels, why) => {
                    let names: Vec<String> = channels.iter().map(ToString::to_string).collect();
                    format!("{minute} {} {why}", names.join("+"))
                }
            });
        }
        assert_eq!(advance(&plan, case, &mut progress, now), [], "nothing is told twice");
        look = next_look(&plan, case, &progress, now);
        assert!(look.is_none_or(|look| now < look), "minute {minute} would be looked at for ever");
    }
    told
}

#[test]
fn without_a_policy_the_channels_of_the_monitor_are_told_at_once_and_once() {
    assert_eq!(walk(&[step(0, &[], false)], None, &[], 3000), ["0 own"]);
}

#[test]
fn steps_are_taken_in_their_time_and_not_when_somebody_is_at_work() {
    let steps = [step(0, &["chat"], false), step(10, &["oncall"], true), step(30, &["boss", "chat"], false)];
    assert_eq!(walk(&steps, None, &[], 60), ["0 chat", "10 oncall", "30 chat step 2", "30 boss"]);
    assert_eq!(walk(&steps, None, &[(5, What::Acknowledge)], 60), ["0 chat", "30 chat step 2", "30 boss"]);
    let snoozed = format!("15 chat snooze {}", (T0 + MINUTE * 15).0);
    assert_eq!(walk(&steps, None, &[(5, What::Snooze(10))], 25), ["0 chat", "15 oncall", snoozed.as_str()]);
    assert_eq!(walk(&steps, None, &[(5, What::Acknowledge), (12, What::Withdraw)], 20), ["0 chat", "12 oncall"]);
}

#[test]
fn reminders_come_until_somebody_is_at_work() {
    let now = [step(0, &[], false)];
    let reminders = |minutes: &[u32]| {
        let all = minutes.iter().enumerate().map(|(i, minute)| format!("{minute} own reminder {}", i + 1));
        std::iter::once("0 own".to_owned()).chain(all).collect::<Vec<_>>()
    };
    assert_eq!(walk(&now, Some(every(60, 10)), &[], 310), reminders(&[60, 120, 180, 240, 300]));
    assert_eq!(walk(&now, Some(every(60, 20)), &[], 1000), reminders(&[60, 180, 420, 900]), "each pause twice as long");
    assert_eq!(walk(&now, Some(every(60, 10)), &[(130, What::Acknowledge)], 1000), reminders(&[60, 120]));
    let later = walk(&now, Some(every(60, 10)), &[(70, What::Acknowledge), (200, What::Withdraw)], 250);
    assert_eq!(
        later,
        ["0 own", "60 own reminder 1", "200 own reminder 3", "240 own reminder 4"],
        "what was not to be told is not made up for one by one"
    );
}

#[test]
fn who_snoozes_is_reminded_at_the_end_of_it() {
    let told = walk(&[step(0, &[], false)], Some(every(60, 10)), &[(10, What::Snooze(90))], 130);
    assert_eq!(told, ["0 own", format!("100 own snooze {}", (T0 + MINUTE * 100).0).as_str(), "120 own reminder 2"]);
    let alone = walk(&[step(0, &[], false)], None, &[(10, What::Snooze(90))], 1000);
    assert_eq!(alone.len(), 2, "also without reminders");
}

#[test]
fn what_is_held_back_is_told_when_that_is_over_and_repeats_are_not_made_up_for() {
    let steps = [step(0, &["chat"], false), step(10, &["oncall"], false), step(20, &["chat"], false)];
    let told = walk(&steps, Some(every(30, 10)), &[(0, What::Hold), (45, What::Release)], 70);
    assert_eq!(told, ["45 chat", "45 oncall", "60 chat+oncall reminder 2"]);
    let later = walk(&steps, None, &[(5, What::Hold), (45, What::Release)], 70);
    assert_eq!(later, ["0 chat", "45 oncall"], "nobody is told for the second time of what was hidden meanwhile");
}

#[test]
fn after_a_day_of_not_running_one_reminder_comes_and_not_twenty() {
    let own = [channel("own")];
    let steps = [step(0, &[], false)];
    let plan = Plan { steps: &steps, channels: &own, remind: Some(every(60, 10)) };
    let mut progress = Progress::new(Lane::Outage, Epoch(1), T0, EventKind::Down);
    let case = Case::default();
    assert_eq!(advance(&plan, case, &mut progress, T0), [Due::Opening(channel("own"))]);
    let due = advance(&plan, case, &mut progress, T0 + MINUTE * 60 * 24);
    assert_eq!(due, [Due::Repeat(own.to_vec(), Repeat::Reminder(24))]);
}
