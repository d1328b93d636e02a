//! The one sentence a person reads first: what, since when, why, from where.

use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Lane;
use crate::model::notification::Again;
use crate::model::notification::AlertFacts;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::policy::Acknowledgement;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Confidence;
use crate::model::verdict::Verdict;
use crate::notifier::bundle;
use crate::rules::certificate;

/// Regions that are named in a sentence; of more only their number is said.
const REGIONS_NAMED: usize = 12;

/// The sentence for a notification, without a full stop at the end, because a link may follow.
#[must_use]
pub fn sentence(notification: &Notification) -> String {
    match &notification.subject {
        Subject::SelfNotice { title, text } => format!("vigilmon: {title}: {text}"),
        Subject::Incident(facts) => {
            let told = incident(notification.event, facts, notification.at);
            once_more(format!("{told}{}", besides(notification.event, &facts.alert)), notification)
        }
        Subject::Passed(facts) => {
            let told = format!("{} {}", facts.monitor_name, passed(facts, notification.at));
            once_more(format!("{told}{}", besides(notification.event, &facts.alert)), notification)
        }
        Subject::Bundle(parts) => once_more(format!("{}: {}", bundle::headline(parts), bundle::names(parts)), notification),
    }
}

/// Says when it may be a repeat.
#[must_use]
pub fn once_more(told: String, notification: &Notification) -> String {
    if notification.may_be_repeat { format!("{told} [may have been sent before]") } else { told }
}

/// The same in a few words, as one line of many: what it is about, and what of it.
#[must_use]
pub fn brief(notification: &Notification) -> (String, String) {
    let (facts, now) = match &notification.subject {
        Subject::SelfNotice { title, text } => return ("vigilmon".to_owned(), format!("{title}: {text}")),
        Subject::Bundle(parts) => return (bundle::headline(parts), bundle::names(parts)),
        Subject::Passed(facts) => return (facts.monitor_name.clone(), passed(facts, notification.at)),
        Subject::Incident(facts) => (facts, notification.at),
    };
    let (since, cause) = (moment(facts.started_at, now), &facts.cause);
    let what = match notification.event {
        EventKind::Down => format!("DOWN since {since}: {cause}"),
        EventKind::Degraded => format!("degraded since {since}: {cause}"),
        EventKind::Regional => format!("DOWN from {} only, since {since}: {cause}", failing(facts)),
        EventKind::Reminder if facts.lane == Lane::Regional => format!("still DOWN from {} only, since {since}: {cause}", failing(facts)),
        EventKind::Reminder => format!("still {}, for {} now: {cause}", state(facts.status), spoken(facts.duration)),
        EventKind::Recovered => recovered(facts, now),
        EventKind::Acknowledged => match &facts.alert.acknowledged {
            Some(Acknowledgement { by, .. }) => format!("has {by} at work on it: {cause}"),
            None => format!("has somebody at work on it: {cause}"),
        },
        EventKind::Certificate | EventKind::SelfNotice => cause.clone(),
    };
    (facts.monitor_name.clone(), what)
}

/// The same as it stands where the message that began it stood: what it was, and from when to when. Of what is no end it is the sentence.
#[must_use]
pub fn over(notification: &Notification) -> String {
    match &notification.subject {
        Subject::Incident(facts) | Subject::Passed(facts) if notification.event == EventKind::Recovered => {
            format!("{} {}", facts.monitor_name, passed(facts, notification.at))
        }
        Subject::Incident(_) | Subject::Passed(_) | Subject::SelfNotice { .. } | Subject::Bundle(_) => sentence(notification),
    }
}

/// What an incident was, of which neither the beginning nor the end was told before.
fn passed(facts: &IncidentFacts, now: UnixMillis) -> String {
    let ended_at = facts.started_at + facts.duration;
    let (from, to) = (moment(facts.started_at, now), moment(ended_at, now));
    // Within one minute only the seconds tell them apart.
    let (from, to) = if from == to { (second(facts.started_at, now), second(ended_at, now)) } else { (from, to) };
    let what = match facts.lane {
        Lane::Outage => "DOWN".to_owned(),
        Lane::Degradation => "degraded".to_owned(),
        Lane::Regional if facts.regions_failed.is_empty() => "DOWN from some regions".to_owned(),
        Lane::Regional => format!("DOWN from {} only", named(&facts.regions_failed)),
    };
    let cause = &facts.cause;
    if facts.closed == Some(CloseReason::RecoveredUnseen) {
        return format!("was {what} since {from}: {cause}. It recovered sometime before {}, unseen by vigilmon", moment(now, now));
    }
    // The second time says in which zone both are.
    let from = if facts.started_at.rfc3339().get(..10) == ended_at.rfc3339().get(..10) { from.trim_end_matches(" UTC") } else { &from };
    let lasted = spoken(facts.duration);
    let after = match (facts.closed, facts.status) {
        (Some(CloseReason::Removed), _) => ". It is no longer in the config",
        (Some(CloseReason::Paused), _) | (_, Verdict::Paused) => ". It is paused now",
        (_, Verdict::Degraded) => ". It is degraded now",
        (_, Verdict::Down) => ". It is DOWN now",
        (_, Verdict::Up | Verdict::Unknown | Verdict::Maintenance) => "",
    };
    format!("was {what} from {from} to {to} ({lasted}): {cause}{after}")
}

fn incident(event: EventKind, facts: &IncidentFacts, now: UnixMillis) -> String {
    let name = &facts.monitor_name;
    let since = moment(facts.started_at, now);
    let cause = &facts.cause;
    let regions = format!("{}{}", regions(facts), whereabouts(facts));
    match event {
        EventKind::Down => format!("{name} is DOWN since {since}: {cause}{regions}"),
        EventKind::Degraded => format!("{name} is degraded since {since}: {cause}{regions}"),
        EventKind::Recovered => format!("{name} {}{}", recovered(facts, now), from_what(facts, now)),
        EventKind::Regional => format!("{name} is DOWN from {} only, since {since}: {cause}{regions}", failing(facts)),
        EventKind::Reminder if facts.lane == Lane::Regional => {
            let lasted = spoken(facts.duration);
            format!("{name} is still DOWN from {} only, for {lasted} now, since {since}: {cause}{regions}", failing(facts))
        }
        EventKind::Reminder => {
            format!("{name} is still {}, for {} now, since {since}: {cause}{regions}", state(facts.status), spoken(facts.duration))
        }
        EventKind::Acknowledged => acknowledged(facts, now),
        EventKind::Certificate => format!("{name}: {cause}{regions}"),
        // The subject says it is about an incident, so this cannot be; saying the facts is better than saying nothing.
        EventKind::SelfNotice => format!("{name}: {cause}"),
    }
}

fn acknowledged(facts: &IncidentFacts, now: UnixMillis) -> String {
    let name = &facts.monitor_name;
    let state = match facts.lane {
        Lane::Outage => "DOWN",
        Lane::Degradation => "degraded",
        Lane::Regional => "DOWN from some regions",
    };
    let (since, cause) = (moment(facts.started_at, now), &facts.cause);
    let Some(Acknowledgement { by, until, note, .. }) = &facts.alert.acknowledged else {
        return format!("{name} is {state} since {since}: {cause}");
    };
    let said = if note.is_empty() { String::new() } else { format!(" \u{2013} {note}") };
    match until {
        None => format!("{by} is at work on {name}, which is {state} since {since}: {cause}{said}"),
        Some(until) => {
            let until = moment(*until, now);
            format!("{by} wants to be reminded of {name} at {until}; it is {state} since {since}: {cause}{said}")
        }
    }
}

/// What is said after the sentence: why it is told again, what it hides, and whether it will be told every time.
fn besides(event: EventKind, alert: &AlertFacts) -> String {
    let mut said = String::new();
    match alert.again {
        Some(Again::Escalation) if alert.acknowledged.is_none() => said.push_str("; nobody has acknowledged it yet"),
        Some(Again::SnoozeOver) => said.push_str("; the time of the snooze is over"),
        Some(Again::Withdrawn) => said.push_str("; nobody is at work on it any more"),
        Some(Again::Escalation | Again::Reminder(_)) | None => {}
    }
    // Of the acknowledgement itself, and at the end, it is said elsewhere or is no news.
    let is_open = !matches!(event, EventKind::Acknowledged | EventKind::Recovered);
    if let Some(Acknowledgement { by, until: None, .. }) = alert.acknowledged.as_ref().filter(|_| is_open) {
        said.push_str(&format!("; {by} is at work on it"));
    }
    match alert.n_dependents {
        0 => {}
        1 => said.push_str("; another monitor depends on it and is not told of meanwhile"),
        n => said.push_str(&format!("; {n} other monitors depend on it and are not told of meanwhile")),
    }
    if let Some(n) = alert.n_flaps {
        said.push_str(&format!("; it goes up and down, {n} changes lately: you are told again when it has calmed down"));
    }
    said
}

fn recovered(facts: &IncidentFacts, now: UnixMillis) -> String {
    let lasted = spoken(facts.duration);
    let state = state(facts.status);
    match facts.closed {
        Some(CloseReason::RecoveredUnseen) => {
            let (from, to) = (moment(facts.started_at, now), moment(now, now));
            format!("is {state} again; it recovered sometime between {from} and {to}, unseen by vigilmon")
        }
        // Nobody has seen it recover, and the message must not claim so.
        Some(CloseReason::Removed) => format!("is no longer in the config; its incident is closed after {lasted}"),
        Some(CloseReason::Paused) => format!("is paused; its incident is closed after {lasted}"),
        None | Some(CloseReason::Recovered | CloseReason::Superseded) => match facts.status {
            Verdict::Up if facts.cause_code == certificate::CODE => format!("is fine again after {lasted}: {}", facts.cause),
            Verdict::Up if facts.lane == Lane::Degradation => format!("is fine again; it was degraded for {lasted}"),
            Verdict::Up if facts.lane == Lane::Regional && !facts.regions_failed.is_empty() => {
                format!("is fine from {} again; it was down from there for {lasted}", named(&facts.regions_failed))
            }
            Verdict::Up => format!("is up again after {lasted}"),
            Verdict::Degraded => format!("is no longer down, but degraded, after {lasted}"),
            Verdict::Down => format!("is no longer degraded, but DOWN, after {lasted}"),
            Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => {
                format!("is no longer watched; its incident is closed after {lasted}")
            }
        },
    }
}

/// What an end was the end of: since when, and why. Who reads of an end first has not read of the beginning, and where a service replaces
/// the beginning by the end it stands nowhere else. In a list of many there is no room for it.
fn from_what(facts: &IncidentFacts, now: UnixMillis) -> String {
    let (since, cause) = (moment(facts.started_at, now), &facts.cause);
    let was = match facts.lane {
        Lane::Outage => "down",
        Lane::Degradation => "degraded",
        Lane::Regional => "down from some regions",
    };
    // The sentence has said it.
    let is_said = facts.status == Verdict::Up && (facts.lane == Lane::Degradation || !facts.regions_failed.is_empty());
    match facts.closed {
        // What is said of a certificate that was renewed is the cause.
        _ if facts.cause_code == certificate::CODE => String::new(),
        Some(CloseReason::RecoveredUnseen) => format!(" (it was {was}: {cause})"),
        None | Some(CloseReason::Recovered | CloseReason::Superseded) if facts.lane != Lane::Outage && is_said => {
            format!(" (since {since}: {cause})")
        }
        None | Some(CloseReason::Recovered | CloseReason::Superseded | CloseReason::Removed | CloseReason::Paused) => {
            format!(" ({was} since {since}: {cause})")
        }
    }
}

/// The state as it stands in a sentence; only the worst one shouts.
fn state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Down => "DOWN",
        Verdict::Up | Verdict::Degraded | Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => verdict.word(),
    }
}

/// From where it fails, as it stands in a sentence that is about this.
fn failing(facts: &IncidentFacts) -> String {
    if facts.regions_failing.is_empty() { "some regions".to_owned() } else { named(&facts.regions_failing) }
}

/// Who sees it, and how sure that is; nothing when there is only one vantage, because then it says nothing.
fn regions(facts: &IncidentFacts) -> String {
    if facts.regions_failing.len() + facts.regions_fine.len() + facts.regions_unknown.len() < 2 {
        return String::new();
    }
    let is_regional = facts.lane == Lane::Regional;
    let mut parts = Vec::new();
    for (what, list) in
        [("failing from", &facts.regions_failing), ("fine from", &facts.regions_fine), ("no word from", &facts.regions_unknown)]
    {
        // Of regional trouble the sentence itself says from where.
        if !(list.is_empty() || is_regional && what == "failing from") {
            parts.push(format!("{what} {}", named(list)));
        }
    }
    parts.extend(how_sure(facts));
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

/// `2 of 3 regions agree`, or that too few were seen; `None` when the lists of regions say it all.
fn how_sure(facts: &IncidentFacts) -> Option<String> {
    let (n_counted, n_voters) = facts.n_voters;
    let n_failing = facts.regions_failing.len();
    match facts.confidence {
        Confidence::Degraded if n_counted < n_voters => {
            Some(format!("only {n_counted} of {n_voters} regions {} visible", if n_counted == 1 { "is" } else { "are" }))
        }
        Confidence::Degraded => Some("decided with fewer regions than wanted".to_owned()),
        Confidence::Full if n_voters < 2 || n_voters < n_failing || n_failing == 0 || facts.lane == Lane::Regional => None,
        Confidence::Full => Some(format!("{n_failing} of {n_voters} regions agree")),
    }
}

/// Where to look, as a sentence of its own.
fn whereabouts(facts: &IncidentFacts) -> String {
    facts.diagnosis.map(|diagnosis| format!(". {}", capitalised(diagnosis.sentence()))).unwrap_or_default()
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Names of regions separated by commas, the end of a long list as a number.
#[must_use]
pub fn named(regions: &[Region]) -> String {
    let mut names: Vec<String> = regions.iter().take(REGIONS_NAMED).map(|region| region.as_str().to_owned()).collect();
    if let Some(n_more) = regions.len().checked_sub(REGIONS_NAMED + 1) {
        names.push(format!("{} more", n_more + 1));
    }
    names.join(", ")
}

/// `10:23 UTC`, with the date when it is not the day of `now`.
fn moment(at: UnixMillis, now: UnixMillis) -> String {
    clock(at, now, "10:23".len())
}

/// `10:23:05 UTC`, likewise.
fn second(at: UnixMillis, now: UnixMillis) -> String {
    clock(at, now, "10:23:05".len())
}

/// As many characters of the time.
fn clock(at: UnixMillis, now: UnixMillis, length: usize) -> String {
    let (stamp, today) = (at.rfc3339(), now.rfc3339());
    // Years beyond 9999 or before 0 have another shape; then the whole stamp is right and merely ugly.
    let Some((day, time)) = stamp.split_once('T') else { return stamp };
    let time = time.get(..length).unwrap_or(time);
    if today.starts_with(day) { format!("{time} UTC") } else { format!("{day} {time} UTC") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::verdict::Diagnosis;
    use crate::notifier::samples;

    fn region(name: &str) -> Region {
        Region::parse(name).expect("region")
    }

    #[track_caller]
    fn assert_says(event: EventKind, change: impl FnOnce(&mut IncidentFacts), expected: &str) {
        let mut facts = samples::facts();
        change(&mut facts);
        let notification = Notification { event, ..samples::notification(facts) };
        assert_eq!(sentence(&notification), expected);
    }

    #[test]
    fn an_outage_says_what_since_when_why_and_from_where() {
        assert_says(
            EventKind::Down,
            |_| {},
            "[prod-us] api /health is DOWN since 10:23 UTC: the connection was accepted, no answer came within 10 s (failing from us-east, eu-west; 2 of 2 regions agree)",
        );
        assert_says(
            EventKind::Reminder,
            |facts| facts.duration = Duration::from_secs(14_400),
            "[prod-us] api /health is still DOWN, for 4 h now, since 10:23 UTC: the connection was accepted, no answer came within 10 s (failing from us-east, eu-west; 2 of 2 regions agree)",
        );
    }

    #[test]
    fn a_single_vantage_is_not_mentioned_and_another_day_is() {
        assert_says(
            EventKind::Degraded,
            |facts| {
                facts.regions_failing.truncate(1);
                facts.cause = "slow".to_owned();
                facts.started_at = facts.started_at.minus(Duration::from_secs(86_400));
            },
            "[prod-us] api /health is degraded since 2026-06-29 10:23 UTC: slow",
        );
    }

    #[test]
    fn regions_that_disagree_are_told_apart() {
        assert_says(
            EventKind::Down,
            |facts| {
                facts.regions_fine = vec![region("home")];
                facts.n_voters = (3, 3);
                facts.cause = "refused".to_owned();
            },
            "[prod-us] api /health is DOWN since 10:23 UTC: refused (failing from us-east, eu-west; fine from home; 2 of 3 regions agree)",
        );
        assert_says(
            EventKind::Down,
            |facts| {
                facts.regions_unknown = vec![facts.regions_failing.remove(1), region("ap")];
                (facts.confidence, facts.n_voters) = (Confidence::Degraded, (1, 3));
                facts.cause = "refused".to_owned();
            },
            "[prod-us] api /health is DOWN since 10:23 UTC: refused (failing from us-east; no word from eu-west, ap; only 1 of 3 regions is visible)",
        );
        let many: Vec<Region> = (0..14).map(|n| region(&format!("r{n}"))).collect();
        assert!(named(&many).ends_with("r11, 2 more"), "{}", named(&many));
        assert!(named(&many[..12]).ends_with("r11"));
    }

    #[test]
    fn trouble_of_a_few_regions_has_words_of_its_own() {
        let regional = |facts: &mut IncidentFacts| {
            facts.regions_fine = vec![facts.regions_failing.remove(1), region("home")];
            facts.regions_failed.truncate(1);
            (facts.lane, facts.status, facts.n_voters) = (Lane::Regional, Verdict::Up, (3, 3));
            facts.cause = "refused".to_owned();
        };
        assert_says(
            EventKind::Regional,
            regional,
            "[prod-us] api /health is DOWN from us-east only, since 10:23 UTC: refused (fine from eu-west, home)",
        );
        assert_says(
            EventKind::Regional,
            |facts| {
                regional(facts);
                facts.regions_unknown = vec![facts.regions_fine.remove(1)];
                (facts.confidence, facts.n_voters) = (Confidence::Degraded, (2, 3));
            },
            "[prod-us] api /health is DOWN from us-east only, since 10:23 UTC: refused (fine from eu-west; no word from home; only 2 of 3 regions are visible)",
        );
        assert_says(
            EventKind::Reminder,
            |facts| {
                regional(facts);
                facts.duration = Duration::from_secs(14_400);
            },
            "[prod-us] api /health is still DOWN from us-east only, for 4 h now, since 10:23 UTC: refused (fine from eu-west, home)",
        );
        assert_says(
            EventKind::Recovered,
            |facts| {
                regional(facts);
                (facts.closed, facts.duration) = (Some(CloseReason::Recovered), Duration::from_secs(180));
            },
            "[prod-us] api /health is fine from us-east again; it was down from there for 3 min (since 10:23 UTC: refused)",
        );
    }

    #[test]
    fn where_the_trouble_is_stands_at_the_end() {
        assert_says(
            EventKind::Down,
            |facts| {
                facts.cause = "refused".to_owned();
                facts.diagnosis = Some(Diagnosis::PathConnect);
            },
            "[prod-us] api /health is DOWN since 10:23 UTC: refused (failing from us-east, eu-west; 2 of 2 regions agree). It works from inside and cannot be connected to from outside: look at the load balancer, the firewall and the line",
        );
        for diagnosis in Diagnosis::ALL {
            let facts = IncidentFacts { diagnosis: Some(diagnosis), ..samples::facts() };
            let said = sentence(&samples::notification(facts));
            assert!(said.contains(". It ") && !said.ends_with('.'), "{said}");
        }
    }

    #[test]
    fn alone_nothing_is_said_of_regions_and_quorums() {
        assert_says(
            EventKind::Down,
            |facts| {
                facts.regions_failing.truncate(1);
                facts.n_voters = (1, 1);
            },
            "[prod-us] api /health is DOWN since 10:23 UTC: the connection was accepted, no answer came within 10 s",
        );
    }

    #[test]
    fn a_certificate_says_whose_it_is_how_long_it_has_and_how_it_ended() {
        let about = |facts: &mut IncidentFacts| {
            facts.regions_failing.truncate(1);
            (facts.lane, facts.status, facts.n_voters) = (Lane::Degradation, Verdict::Degraded, (1, 1));
            facts.cause_code = certificate::CODE.to_owned();
            let ends = "the certificate for api.example.com ends in 6 days (2026-07-06T12:00:00Z)";
            facts.cause = format!("{ends}; this is the warning at 7 d");
        };
        assert_says(
            EventKind::Certificate,
            about,
            "[prod-us] api /health: the certificate for api.example.com ends in 6 days (2026-07-06T12:00:00Z); this is the warning at 7 d",
        );
        assert_says(
            EventKind::Recovered,
            |facts| {
                about(facts);
                (facts.closed, facts.status) = (Some(CloseReason::Recovered), Verdict::Up);
                facts.duration = Duration::from_secs(5 * 86_400);
                facts.cause = "its certificate was renewed and ends on 2026-10-01T00:00:00Z".to_owned();
            },
            "[prod-us] api /health is fine again after 5 d: its certificate was renewed and ends on 2026-10-01T00:00:00Z",
        );
    }

    #[test]
    fn each_message_says_why_it_comes_and_who_is_at_work() {
        let ada = || Acknowledgement { by: "ada".to_owned(), at: UnixMillis(0), until: None, note: String::new(), by_channel: None };
        for (event, again, acknowledged, expected) in [
            (EventKind::Down, None, None, ""),
            (EventKind::Down, Some(Again::Escalation), None, "; nobody has acknowledged it yet"),
            (EventKind::Down, Some(Again::Escalation), Some(ada()), "; ada is at work on it"),
            (EventKind::Reminder, Some(Again::Escalation), Some(ada()), "; ada is at work on it"),
            (EventKind::Reminder, Some(Again::Reminder(2)), Some(ada()), "; ada is at work on it"),
            (EventKind::Reminder, Some(Again::Withdrawn), None, "; nobody is at work on it any more"),
            (EventKind::Reminder, Some(Again::SnoozeOver), None, "; the time of the snooze is over"),
            (EventKind::Acknowledged, None, Some(ada()), ""),
            (EventKind::Recovered, None, Some(ada()), ""),
        ] {
            let plain = Notification { event, ..samples::notification(samples::facts()) };
            let alert = AlertFacts { again, acknowledged: acknowledged.clone(), ..AlertFacts::default() };
            let told = Notification { event, ..samples::notification(IncidentFacts { alert, ..samples::facts() }) };
            let without = if event == EventKind::Acknowledged { sentence(&told) } else { sentence(&plain) };
            assert_eq!(sentence(&told), format!("{without}{expected}"), "{event:?} {again:?}");
        }
    }

    #[test]
    fn what_may_be_a_repeat_says_so() {
        let told = samples::notification(samples::facts());
        let again = Notification { may_be_repeat: true, ..told.clone() };
        assert_eq!(sentence(&again), format!("{} [may have been sent before]", sentence(&told)));
    }

    #[test]
    fn an_end_says_only_what_was_seen() {
        let name = "[prod-us] api /health";
        for (status, closed, expected) in [
            (Verdict::Up, CloseReason::Recovered, "is up again after 3 min (down since 10:23 UTC: refused)"),
            (
                Verdict::Up,
                CloseReason::RecoveredUnseen,
                "is up again; it recovered sometime between 10:23 UTC and 10:26 UTC, unseen by vigilmon (it was down: refused)",
            ),
            (Verdict::Degraded, CloseReason::Superseded, "is no longer down, but degraded, after 3 min (down since 10:23 UTC: refused)"),
            (Verdict::Paused, CloseReason::Paused, "is paused; its incident is closed after 3 min (down since 10:23 UTC: refused)"),
            (
                Verdict::Down,
                CloseReason::Removed,
                "is no longer in the config; its incident is closed after 3 min (down since 10:23 UTC: refused)",
            ),
        ] {
            let duration = Duration::from_secs(180);
            let cause = "refused".to_owned();
            let facts = IncidentFacts { status, closed: Some(closed), duration, cause, ..samples::facts() };
            let at = facts.started_at + duration;
            let notification = Notification { event: EventKind::Recovered, at, ..samples::notification(facts) };
            assert_eq!(sentence(&notification), format!("{name} {expected}"));
        }
    }

    #[test]
    fn the_end_of_a_degradation_says_what_it_was() {
        let degraded = |status: Verdict| {
            move |facts: &mut IncidentFacts| {
                (facts.lane, facts.status, facts.closed) = (Lane::Degradation, status, Some(CloseReason::Recovered));
                (facts.duration, facts.cause) = (Duration::from_secs(180), "slow".to_owned());
            }
        };
        assert_says(
            EventKind::Recovered,
            degraded(Verdict::Up),
            "[prod-us] api /health is fine again; it was degraded for 3 min (since 10:23 UTC: slow)",
        );
        assert_says(
            EventKind::Recovered,
            degraded(Verdict::Down),
            "[prod-us] api /health is no longer degraded, but DOWN, after 3 min (degraded since 10:23 UTC: slow)",
        );
    }

    #[test]
    fn what_has_passed_says_from_when_to_when_and_within_a_minute_to_the_second() {
        for (lasted, expected) in [
            (49, "[prod-us] api /health was DOWN from 10:23:05 to 10:23:54 UTC (49 s): refused"),
            (120, "[prod-us] api /health was DOWN from 10:23 to 10:25 UTC (2 min): refused"),
        ] {
            let duration = Duration::from_secs(lasted);
            let started_at = samples::TEN_TWENTY_THREE + Duration::from_secs(5);
            let (closed, status, cause) = (Some(CloseReason::Recovered), Verdict::Up, "refused".to_owned());
            let facts = IncidentFacts { closed, status, cause, duration, started_at, ..samples::facts() };
            let end = Notification { event: EventKind::Recovered, at: started_at + duration, ..samples::notification(facts) };
            assert_eq!(over(&end), expected);
        }
    }
}
