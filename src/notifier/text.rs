//! The one sentence a person reads first: what, since when, why, from where.

use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Confidence;
use crate::model::verdict::Verdict;

/// Regions that are named in a sentence; of more only their number is said.
const REGIONS_NAMED: usize = 12;

/// The sentence for a notification, without a full stop at the end, because a link may follow.
#[must_use]
pub fn sentence(notification: &Notification) -> String {
    match &notification.subject {
        Subject::SelfNotice { title, text } => format!("vigilmon: {title}: {text}"),
        Subject::Incident(facts) => incident(notification.event, facts, notification.at),
    }
}

fn incident(event: EventKind, facts: &IncidentFacts, now: UnixMillis) -> String {
    let name = &facts.monitor_name;
    let since = moment(facts.started_at, now);
    let cause = &facts.cause;
    let regions = regions(facts);
    match event {
        EventKind::Down => format!("{name} is DOWN since {since}: {cause}{regions}"),
        EventKind::Degraded => format!("{name} is degraded since {since}: {cause}{regions}"),
        EventKind::Recovered => recovered(facts, now),
        EventKind::Regional => format!("{name} fails from some regions since {since}: {cause}{regions}"),
        EventKind::Reminder => {
            format!("{name} is still {}, for {} now, since {since}: {cause}{regions}", state(facts.status), spoken(facts.duration))
        }
        EventKind::Certificate => format!("{name}: {cause}"),
        // The subject says it is about an incident, so this cannot be; saying the facts is better than saying nothing.
        EventKind::SelfNotice => format!("{name}: {cause}"),
    }
}

fn recovered(facts: &IncidentFacts, now: UnixMillis) -> String {
    let name = &facts.monitor_name;
    let lasted = spoken(facts.duration);
    let state = state(facts.status);
    match facts.closed {
        Some(CloseReason::RecoveredUnseen) => {
            let (from, to) = (moment(facts.started_at, now), moment(now, now));
            format!("{name} is {state} again; it recovered sometime between {from} and {to}, unseen by vigilmon")
        }
        // Nobody has seen it recover, and the message must not claim so.
        Some(CloseReason::Removed) => format!("{name} is no longer in the config; its incident is closed after {lasted}"),
        Some(CloseReason::Paused) => format!("{name} is paused; its incident is closed after {lasted}"),
        None | Some(CloseReason::Recovered | CloseReason::Superseded) => match facts.status {
            Verdict::Up if facts.lane == Lane::Degradation => format!("{name} is fine again; it was degraded for {lasted}"),
            Verdict::Up => format!("{name} is up again after {lasted}"),
            Verdict::Degraded => format!("{name} is no longer down, but degraded, after {lasted}"),
            Verdict::Down => format!("{name} is no longer degraded, but DOWN, after {lasted}"),
            Verdict::Unknown | Verdict::Paused => format!("{name} is no longer watched; its incident is closed after {lasted}"),
        },
    }
}

/// The state as it stands in a sentence; only the worst one shouts.
fn state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Down => "DOWN",
        Verdict::Up | Verdict::Degraded | Verdict::Unknown | Verdict::Paused => verdict.word(),
    }
}

/// Who sees it; nothing when there is only one vantage, because then it says nothing.
fn regions(facts: &IncidentFacts) -> String {
    if facts.regions_failing.len() + facts.regions_fine.len() + facts.regions_unknown.len() < 2 {
        return String::new();
    }
    let mut parts = Vec::new();
    for (what, list) in
        [("failing from", &facts.regions_failing), ("fine from", &facts.regions_fine), ("no word from", &facts.regions_unknown)]
    {
        if !list.is_empty() {
            parts.push(format!("{what} {}", named(list)));
        }
    }
    if facts.confidence == Confidence::Degraded {
        parts.push("decided with fewer regions than wanted".to_owned());
    }
    format!(" ({})", parts.join("; "))
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
    let (stamp, today) = (at.rfc3339(), now.rfc3339());
    // Years beyond 9999 or before 0 have another shape; then the whole stamp is right and merely ugly.
    let Some((day, time)) = stamp.split_once('T') else { return stamp };
    let time = time.get(..5).unwrap_or(time);
    if today.starts_with(day) { format!("{time} UTC") } else { format!("{day} {time} UTC") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notifier::samples;

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
            "[prod-us] api /health is DOWN since 10:23 UTC: the connection was accepted, no answer came within 10 s (failing from us-east, eu-west)",
        );
        assert_says(
            EventKind::Reminder,
            |facts| facts.duration = Duration::from_secs(14_400),
            "[prod-us] api /health is still DOWN, for 4 h now, since 10:23 UTC: the connection was accepted, no answer came within 10 s (failing from us-east, eu-west)",
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
            EventKind::Regional,
            |facts| {
                facts.regions_fine = vec![facts.regions_failing.remove(1)];
                facts.regions_unknown = vec![Region::parse("ap").expect("region")];
                facts.confidence = Confidence::Degraded;
                facts.cause = "refused".to_owned();
            },
            "[prod-us] api /health fails from some regions since 10:23 UTC: refused (failing from us-east; fine from eu-west; no word from ap; decided with fewer regions than wanted)",
        );
        let many: Vec<Region> = (0..14).map(|n| Region::parse(&format!("r{n}")).expect("region")).collect();
        assert!(named(&many).ends_with("r11, 2 more"), "{}", named(&many));
        assert!(named(&many[..12]).ends_with("r11"));
    }

    #[test]
    fn an_end_says_only_what_was_seen() {
        let name = "[prod-us] api /health";
        for (status, closed, expected) in [
            (Verdict::Up, CloseReason::Recovered, "is up again after 3 min"),
            (
                Verdict::Up,
                CloseReason::RecoveredUnseen,
                "is up again; it recovered sometime between 10:23 UTC and 10:26 UTC, unseen by vigilmon",
            ),
            (Verdict::Degraded, CloseReason::Superseded, "is no longer down, but degraded, after 3 min"),
            (Verdict::Down, CloseReason::Superseded, "is no longer degraded, but DOWN, after 3 min"),
            (Verdict::Paused, CloseReason::Paused, "is paused; its incident is closed after 3 min"),
            (Verdict::Down, CloseReason::Removed, "is no longer in the config; its incident is closed after 3 min"),
        ] {
            let duration = Duration::from_secs(180);
            let facts = IncidentFacts { status, closed: Some(closed), duration, ..samples::facts() };
            let at = facts.started_at + duration;
            let notification = Notification { event: EventKind::Recovered, at, ..samples::notification(facts) };
            assert_eq!(sentence(&notification), format!("{name} {expected}"));
        }
    }
}
