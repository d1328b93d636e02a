use std::time::Duration;

use super::*;
use crate::model::id::MonitorId;
use crate::notifier::compose::MARKDOWN;
use crate::notifier::compose::PLAIN;
use crate::notifier::merge;
use crate::notifier::samples;
use crate::notifier::shorten::Unit;

/// A storm: so many down, and so many up again, in three groups.
fn storm(n_down: usize, n_up: usize) -> Vec<Telling> {
    (0..n_down + n_up).map(|n| part(n, if n < n_down { EventKind::Down } else { EventKind::Recovered })).collect()
}

fn part(n: usize, event: EventKind) -> Telling {
    let mut facts = samples::facts();
    facts.monitor = MonitorId::parse(&format!("m{n}")).expect("an id");
    facts.monitor_name = format!("shop {n}");
    facts.group = Some(format!("group {}", n % 3));
    facts.cause = "refused".to_owned();
    if event == EventKind::Recovered {
        (facts.status, facts.duration) = (Verdict::Up, Duration::from_secs(120));
    }
    let notification = Notification { key: format!("key {n}"), event, ..samples::notification(facts) };
    let row = merge::Row { id: 1, n_attempts: 0, owed_since: notification.at, notification: notification.clone() };
    Telling { notification, rows: vec![row], told: 0, opening: None, remaining: Vec::new(), is_overtaken: false }
}

fn parts(bundle: &Notification) -> &[Notification] {
    let Subject::Bundle(parts) = &bundle.subject else { panic!("a bundle") };
    parts
}

#[test]
fn one_message_stays_what_it_is_and_several_have_a_key_of_their_own() {
    let one = storm(1, 0);
    assert_eq!(of(&one), one[0].notification);
    let (two, again, three) = (of(&storm(2, 0)), of(&storm(2, 0)), of(&storm(3, 0)));
    assert_eq!(two, again);
    assert!(two.key != three.key && two.key.len() == 32, "{}", two.key);
    let mut repeat = storm(2, 0);
    repeat[1].notification.may_be_repeat = true;
    assert!(of(&repeat).may_be_repeat);
}

#[test]
fn the_headline_counts_what_there_is_and_the_worst_decides_how_bad_it_is() {
    for (tellings, expected, event, tone) in [
        (storm(12, 0), "12 monitors are DOWN", EventKind::Down, Tone::Bad),
        (storm(0, 3), "3 monitors are up again", EventKind::Recovered, Tone::Good),
        (storm(480, 20), "500 monitors: 480 DOWN, 20 up again", EventKind::Down, Tone::Bad),
        (
            vec![part(0, EventKind::Regional), part(1, EventKind::Recovered)],
            "2 monitors: 1 DOWN from some regions, 1 up again",
            EventKind::Regional,
            Tone::Warning,
        ),
        (
            vec![part(0, EventKind::Certificate), part(1, EventKind::Certificate)],
            "2 monitors have a certificate to be looked at",
            EventKind::Certificate,
            Tone::Warning,
        ),
    ] {
        let bundle = of(&tellings);
        assert_eq!(headline(parts(&bundle)), expected);
        assert_eq!((bundle.event, super::tone(parts(&bundle))), (event, tone));
    }
    let mut mixed = storm(1, 0);
    mixed.push(Telling { notification: samples::self_notice(), ..part(1, EventKind::Down) });
    assert_eq!(headline(parts(&of(&mixed))), "2 messages: 1 DOWN, 1 about vigilmon itself");
}

#[test]
fn a_few_are_a_line_each_and_many_are_sorted_by_group() {
    let bundle = of(&[part(2, EventKind::Recovered), part(0, EventKind::Down)]);
    let told = lines(parts(&bundle), &MARKDOWN, Limit::chars(4000)).0;
    assert_eq!(told, ["🔴 **shop 0** DOWN since 10:23 UTC: refused", "🟢 **shop 2** is up again after 2 min"]);
    let bundle = of(&storm(12, 1));
    let told = lines(parts(&bundle), &PLAIN, Limit::chars(4000)).0;
    assert_eq!(told.len(), 16, "{told:?}");
    assert_eq!(
        told[..6],
        [
            "group 0",
            "🔴 shop 0 DOWN since 10:23 UTC: refused",
            "🔴 shop 3 DOWN since 10:23 UTC: refused",
            "🔴 shop 6 DOWN since 10:23 UTC: refused",
            "🔴 shop 9 DOWN since 10:23 UTC: refused",
            "🟢 shop 12 is up again after 2 min",
        ]
    );
}

#[test]
fn names_stand_in_their_order_whatever_came_first() {
    let mut tellings = storm(5, 0);
    for (in_order, name) in [("a", "B"), ("a 9", "A 10"), ("x2y", "x10a"), ("7", "a")] {
        assert!(super::in_order(in_order) < super::in_order(name), "{in_order} {name}");
    }
    tellings.reverse();
    let bundle = of(&tellings);
    let told = lines(parts(&bundle), &PLAIN, Limit::chars(4000)).0.join("\n");
    let at = |n: usize| told.find(&format!("shop {n}")).expect("named");
    assert!([0, 3, 1, 4, 2].map(at).is_sorted(), "by group and name: {told}");
    assert_eq!(names(parts(&bundle)), "shop 0, shop 3, shop 1, shop 4, shop 2");
    assert_eq!(bundle.key, of(&storm(5, 0)).key, "the same messages have the same key");
}

#[test]
fn where_there_is_less_room_there_are_the_names_and_where_there_is_none_their_number() {
    let bundle = of(&storm(30, 3));
    let told = lines(parts(&bundle), &PLAIN, Limit::chars(500)).0.join("\n");
    assert!(told.starts_with("🔴 DOWN, group 0: shop 0, shop 3, "), "{told}");
    assert!((0..33).all(|n| told.contains(&format!("shop {n}"))), "{told}");
    let told = lines(parts(&bundle), &PLAIN, Limit::chars(120)).0.join("\n");
    assert!(told.chars().count() <= 120, "{told}");
    let n_named = told.matches("shop").count();
    assert!(5 < n_named && told.ends_with(&format!("and {} more", 33 - n_named)), "{told}");
    assert_eq!(lines(parts(&bundle), &PLAIN, Limit::chars(30)).0.len(), 1, "at least how many there are");
}

#[test]
fn no_limit_is_passed_by_any_number_of_parts_and_every_name_is_there_or_counted() {
    for (n_down, n_up) in [(2, 0), (100, 0), (130, 120), (250, 0)] {
        let bundle = of(&storm(n_down, n_up));
        for unit in [Unit::Chars, Unit::Utf16, Unit::Bytes] {
            for max in [60, 200, 1024, 2000, 4096, 40_000] {
                for markup in [PLAIN, MARKDOWN] {
                    let told = lines(parts(&bundle), &markup, Limit { max, unit }).0;
                    let text = told.join(markup.line_break);
                    assert!(unit.of(&text) <= max, "{n_down} {unit:?} {max}: {text}");
                    let n_more = told.last().and_then(|line| line.strip_prefix("and ")?.strip_suffix(" more")?.parse().ok()).unwrap_or(0);
                    let n_named = text.matches("shop").count();
                    assert!(n_named + n_more == n_down + n_up || text.ends_with(" in all"), "{n_named} {n_more}: {text}");
                }
            }
        }
    }
}

#[test]
fn a_full_bundle_is_named_in_whole_where_four_thousand_characters_fit() {
    let bundle = of(&storm(PARTS_MAX, 0));
    let told = lines(parts(&bundle), &PLAIN, Limit::utf16(4000)).0.join("\n");
    assert_eq!(told.matches("shop").count(), PARTS_MAX, "{told}");
}

#[test]
fn all_of_a_full_bundle_are_in_the_body_of_a_webhook() {
    let bundle = of(&storm(PARTS_MAX - 1, 1));
    let links = crate::notifier::payload::Links::new(&samples::server());
    let body = crate::notifier::payload::json(&bundle, &links);
    assert!(body.len() <= crate::notifier::payload::BUNDLE_BYTES_MAX, "{}", body.len());
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["incidents"].as_array().map(Vec::len), Some(PARTS_MAX));
    assert_eq!((&body["incidents_omitted"], &body["monitor_name"]), (&0.into(), &"250 monitors".into()));
    assert_eq!(body["incidents"][0]["key"], "key 0");
    // Names as long as nobody has them: what has no room is counted.
    let mut long = storm(PARTS_MAX, 0);
    for telling in &mut long {
        if let Subject::Incident(facts) = &mut telling.notification.subject {
            facts.monitor = MonitorId::parse(&"m".repeat(100)).expect("an id");
            telling.notification.key = "k".repeat(300);
        }
    }
    let body = crate::notifier::payload::json(&of(&long), &links);
    assert!(body.len() <= crate::notifier::payload::BUNDLE_BYTES_MAX, "{}", body.len());
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let n_listed = body["incidents"].as_array().map_or(0, Vec::len);
    assert_eq!(body["incidents_omitted"], PARTS_MAX - n_listed);
    assert!(50 < n_listed && n_listed < PARTS_MAX, "{n_listed}");
}
