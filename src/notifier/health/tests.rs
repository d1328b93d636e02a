//! Weeks of good and bad channels in virtual time.

use super::*;
use crate::model::policy::QuietHours;
use crate::model::schedule::Zone;
use crate::notifier::samples;
use crate::notifier::samples::channel_name;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const T0: UnixMillis = samples::TEN_TWENTY_THREE;

/// What a channel does.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A message is owed.
    Owed,
    /// An attempt failed.
    Failed,
    /// One was given up.
    GivenUp,
    /// One was accepted.
    Accepted,
}

/// Plays a script of events at seconds, looking every ten seconds; returns the second, the mark and the title of what was told.
fn play(script: &[(u64, Event)], until: Duration) -> Vec<(u64, &'static str, Option<String>)> {
    let config = samples::config(&["a", "ops"]);
    let mut facts = ChannelFacts::new(channel_name("a"));
    let mut waiting: Vec<UnixMillis> = Vec::new();
    let mut told = Vec::new();
    for second in 0..until.as_secs() {
        let now = T0 + SECOND * u32::try_from(second).expect("short");
        for (_, event) in script.iter().filter(|(at, _)| *at == second) {
            match event {
                Event::Owed => waiting.push(now),
                Event::Failed => facts.failing_since = facts.failing_since.or(Some(now)),
                Event::GivenUp => {
                    waiting.remove(0);
                    (facts.failing_since, facts.given_up_at) = (facts.failing_since.or(Some(now)), Some(now));
                    facts.n_lost += u64::from(facts.failing_since.is_some());
                }
                Event::Accepted => {
                    let at = waiting.remove(0);
                    (facts.failing_since, facts.accepted_at) = (None, Some(now));
                    facts.mended_at = facts.broken_since.and(facts.mended_at.or(Some(now)));
                    facts.n_late += u64::from(facts.mended_at.is_some_and(|mended| at < mended));
                }
            }
        }
        (facts.n_waiting, facts.oldest) = (u64::try_from(waiting.len()).expect("few"), waiting.first().copied());
        if second % 10 != 0 {
            continue;
        }
        let Some(Step { mark, tell }) = step(&facts, Speaker { config: &config, now }) else { continue };
        let word = match mark {
            ChannelMark::Broken { since, told_at } => {
                (facts.broken_since, facts.mended_at) = (Some(since), None);
                facts.told_at = told_at.or(facts.told_at);
                "broken"
            }
            ChannelMark::Told(at) => {
                facts.told_at = Some(at);
                "told"
            }
            ChannelMark::Mended(_) => {
                if facts.broken_since <= facts.told_at {
                    facts.told_at = facts.told_at.max(facts.given_up_at);
                }
                (facts.broken_since, facts.mended_at, facts.n_late, facts.n_lost) = (None, None, 0, 0);
                "mended"
            }
        };
        assert!(tell.iter().all(|notice| notice.channel == channel_name("ops")), "never by the broken one: {tell:?}");
        let title = tell.first().map(|notice| match &notice.subject {
            Subject::SelfNotice { title, text } => format!("{title}: {text}"),
            Subject::Incident(_) | Subject::Passed(_) | Subject::Bundle(_) => panic!("a notice is not about an incident"),
        });
        told.push((second, word, title));
    }
    told
}

fn words(told: &[(u64, &'static str, Option<String>)]) -> Vec<(u64, &'static str, bool)> {
    told.iter().map(|(second, word, title)| (*second, *word, title.is_some())).collect()
}

#[test]
fn a_channel_that_is_down_is_told_of_once_and_once_more_when_it_is_back() {
    let mut script = vec![(5, Event::Owed), (6, Event::Failed), (8000, Event::Owed), (8001, Event::Failed)];
    script.extend((0..100).map(|n| (60 + 60 * n, Event::Failed)));
    script.extend([(10_806, Event::Accepted), (10_807, Event::Accepted)]);
    let told = play(&script, HOUR * 4);
    assert_eq!(words(&told), [(610, "broken", true), (10_810, "mended", true)]);
    let text = |n: usize| told[n].2.clone().unwrap_or_default();
    assert!(
        text(0).starts_with("the channel `a` does not deliver: It has taken nothing since 2026-06-30 10:23 UTC; 1 message waits."),
        "{}",
        text(0)
    );
    assert!(text(0).ends_with("What waits is sent as soon as it is mended."), "nothing was given up: {}", text(0));
    assert_eq!(text(1), "the channel `a` delivers again: It delivers again after 3 h; 2 messages were late, none was given up.");
}

#[test]
fn short_trouble_is_nobodys_business() {
    let script = [(5, Event::Owed), (6, Event::Failed), (590, Event::Failed), (600, Event::Accepted)];
    assert_eq!(words(&play(&script, HOUR)), []);
    // A limit of requests: much waits and something is taken all the time.
    let mut busy: Vec<(u64, Event)> = (0..200).map(|_| (1, Event::Owed)).collect();
    busy.extend((0..190).flat_map(|n| [(30 + n * 20, Event::Failed), (40 + n * 20, Event::Accepted)]));
    assert_eq!(words(&play(&busy, HOUR)), []);
}

#[test]
fn a_message_that_is_given_up_is_told_at_once() {
    let script =
        [(5, Event::Owed), (6, Event::Failed), (66, Event::Failed), (300, Event::GivenUp), (400, Event::Owed), (401, Event::Accepted)];
    let told = play(&script, HOUR * 3);
    assert_eq!(words(&told), [(300, "broken", true), (410, "mended", true)]);
    let began = told[0].2.as_ref().expect("told");
    assert!(began.contains("At least one was given up.") && began.ends_with("`vigilmon channel retry`."), "{began}");
    assert!(told[1].2.as_ref().is_some_and(|text| text.ends_with("1 message was late, 1 given up.")), "{told:?}");
}

#[test]
fn one_that_takes_every_other_message_is_told_of_once_an_hour() {
    let mut script = Vec::new();
    for n in 0..60 {
        let at = 10 + n * 120;
        script.extend([
            (at, Event::Owed),
            (at + 1, Event::Failed),
            (at + 20, Event::GivenUp),
            (at + 21, Event::Owed),
            (at + 25, Event::Accepted),
        ]);
    }
    let told = play(&script, HOUR * 2);
    let n_told = told.iter().filter(|(_, word, title)| title.is_some() && *word != "mended").count();
    assert_eq!(n_told, 2, "{:?}", words(&told));
}

#[test]
fn a_loss_between_two_successes_is_told_too() {
    let script = [(5, Event::Owed), (6, Event::Failed), (13, Event::GivenUp), (14, Event::Owed), (15, Event::Accepted)];
    let told = play(&script, HOUR * 3);
    assert_eq!(words(&told), [(20, "told", true)]);
    assert!(told[0].2.as_ref().is_some_and(|text| text.starts_with("the channel `a` did not take a message: At least one")), "{told:?}");
}

#[test]
fn what_is_held_back_on_purpose_is_not_late() {
    let held = ChannelFacts { n_waiting: 3, oldest: Some(T0 + HOUR), ..ChannelFacts::new(channel_name("a")) };
    assert!(!is_undeliverable(&held, T0));
    assert!(is_undeliverable(&held, T0 + HOUR + PATIENCE));
    let config = samples::config(&["a", "ops"]);
    assert_eq!(step(&held, Speaker { config: &config, now: T0 }), None);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_silent() {
    let config = samples::config(&["a", "ops"]);
    let facts = ChannelFacts {
        failing_since: Some(T0),
        given_up_at: Some(T0 + MINUTE),
        told_at: Some(T0 + HOUR * 24 * 365),
        ..ChannelFacts::new(channel_name("a"))
    };
    // The loss counts as told, the break does not.
    assert_eq!(step(&facts, Speaker { config: &config, now: T0 + MINUTE }), None);
    let late = ChannelFacts { n_waiting: 1, oldest: Some(T0), ..facts };
    let found = step(&late, Speaker { config: &config, now: T0 + PATIENCE }).expect("a step");
    assert_eq!((found.mark, found.tell.len()), (ChannelMark::Broken { since: T0, told_at: Some(T0 + PATIENCE) }, 1));
}

#[test]
fn what_waits_for_the_end_of_quiet_hours_is_not_late() {
    let (hour, midnight) = (3_600_000, UnixMillis(T0.0 - T0.0.rem_euclid(86_400_000)));
    let mut config = (*samples::config(&["a", "ops"])).clone();
    let of_a = config.channels.get_mut(&channel_name("a")).expect("is there");
    let hours = QuietHours { from: 60, to: 6 * 60, zone: Zone::utc(), except: [EventKind::Down].into() };
    std::sync::Arc::make_mut(of_a).quiet_hours = Some(hours);
    let after = |ms: i64, name: &str| {
        let now = UnixMillis(midnight.0 + ms);
        // The last message before failed, and what came then waits since two o'clock.
        let mut all = [ChannelFacts {
            failing_since: Some(midnight),
            n_waiting: 1,
            oldest: Some(UnixMillis(midnight.0 + 2 * hour)),
            ..ChannelFacts::new(channel_name(name))
        }];
        leave_quiet(&mut all, &config, now);
        (is_undeliverable(&all[0], now), step(&all[0], Speaker { config: &config, now }).is_some())
    };
    assert_eq!(after(5 * hour, "a"), (false, false));
    assert_eq!(after(6 * hour + hour / 12, "a"), (false, false), "it has the time that every message has");
    assert_eq!(after(6 * hour + hour / 4, "a"), (true, true), "and no more");
    assert_eq!(after(5 * hour, "ops"), (true, true), "others have no quiet hours");
}

#[test]
fn who_hears_of_it() {
    let named = |self_channels: &[&str], quiet: &[&str]| {
        let mut config = (*samples::config(&["a", "b", "c"])).clone();
        config.self_channels = self_channels.iter().map(|name| channel_name(name)).collect();
        for name in quiet {
            let channel = config.channels.get_mut(&channel_name(name)).expect("is there");
            std::sync::Arc::make_mut(channel).on.remove(&EventKind::SelfNotice);
        }
        listeners(&config, &channel_name("a")).into_iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(named(&[], &[]), ["b", "c"]);
    assert_eq!(named(&["c"], &[]), ["c"]);
    assert_eq!(named(&["a"], &[]), ["b", "c"], "it cannot tell of itself");
    assert_eq!(named(&[], &["b"]), ["c"]);
    assert_eq!(named(&["b"], &["b", "c"]), Vec::<String>::new());
}

#[test]
fn the_state_is_said_in_one_word() {
    let blank = ChannelFacts::new(channel_name("a"));
    let (past, later) = (Some(T0), Some(T0 + HOUR));
    for (facts, expected) in [
        (blank.clone(), Health::NeverUsed),
        (ChannelFacts { accepted_at: past, ..blank.clone() }, Health::Fine),
        (ChannelFacts { accepted_at: past, failing_since: past, ..blank.clone() }, Health::Failing(T0)),
        (ChannelFacts { failing_since: past, rests_until: later, ..blank.clone() }, Health::Resting(T0 + HOUR)),
        (ChannelFacts { failing_since: past, rests_until: past, ..blank.clone() }, Health::Failing(T0)),
        (ChannelFacts { failing_since: past, broken_since: past, rests_until: later, ..blank.clone() }, Health::NotDelivering(T0)),
        (ChannelFacts { accepted_at: later, broken_since: past, mended_at: later, ..blank.clone() }, Health::Fine),
    ] {
        assert_eq!(health(&facts, T0 + MINUTE), expected, "{facts:?}");
    }
}

#[test]
fn thirty_days_without_a_success_prove_nothing() {
    let config = samples::config(&["a"]);
    let of = |name: &str, at| ChannelFacts { accepted_at: at, ..ChannelFacts::new(channel_name(name)) };
    assert!(is_unproven(&config, &[], T0));
    assert!(is_unproven(&config, &[of("a", None), of("gone", Some(T0))], T0));
    assert!(!is_unproven(&config, &[of("a", Some(T0))], T0 + (UNPROVEN_AFTER - SECOND)));
    assert!(is_unproven(&config, &[of("a", Some(T0))], T0 + UNPROVEN_AFTER));
    assert!(!is_unproven(&config, &[ChannelFacts { elsewhere_at: Some(T0), ..of("a", None) }], T0), "another node got through");
    assert!(!is_unproven(&samples::config(&[]), &[], T0));
}
