//! Many messages in one: how a storm is told. Pure.
//!
//! Every message of a bundle is named. How much is said of each depends on the room that the service has: first name, state, time and cause,
//! a line for each; where that is too long, names in a row by state and group; and only where not even the names fit, as many as do, and
//! the number of the others. How many should be in one so that all are named is found in [`crate::notifier::room`].

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ring::digest;

use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::verdict::Verdict;
use crate::notifier::compose::Markup;
use crate::notifier::compose::Tone;
use crate::notifier::merge::Telling;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;
use crate::notifier::text::brief;

/// Most messages in one: as many as a webhook's body has room for, with all that is said of each. 500 monitors that go down within ten
/// seconds are three messages: the first one, at once, and two bundles.
pub const PARTS_MAX: usize = 250;

/// From how many on they are sorted by group.
const GROUPED_FROM: usize = 12;

/// Room for what is said of one message, in whatever the service counts.
const LINE_MAX: usize = 300;

/// Room for one name.
const NAME_MAX: usize = 80;

/// Room for a line of names. Services that have several places for text take less than this in each.
const NAMES_MAX: usize = 900;

/// Room for the number of those that are not named.
const REST_MAX: usize = 24;

/// Bytes of a digest that make a key.
const KEY_BYTES: usize = 16;

/// One message that tells all of these; the message itself when there is only one. There is at least one.
///
/// The key is made of the keys of its parts: a bundle that is sent again, because nobody knows whether it arrived, has the same key as
/// long as it has the same parts.
#[must_use]
pub fn of(tellings: &[Telling]) -> Notification {
    let first = &tellings[0].notification;
    if tellings.len() == 1 {
        return first.clone();
    }
    let mut parts: Vec<Notification> = tellings.iter().map(|telling| telling.notification.clone()).collect();
    parts.sort_by_cached_key(place);
    let mut sum = digest::Context::new(&digest::SHA256);
    for part in &parts {
        sum.update(part.key.as_bytes());
        sum.update(b"\n");
    }
    Notification {
        key: HEXLOWER.encode(&sum.finish().as_ref()[..KEY_BYTES]),
        channel: first.channel.clone(),
        event: parts.iter().min_by_key(|part| News::of(part)).map_or(first.event, |part| part.event),
        at: parts.iter().map(|part| part.at).max().unwrap_or(first.at),
        may_be_repeat: parts.iter().any(|part| part.may_be_repeat),
        subject: Subject::Bundle(parts),
    }
}

/// Digits of a number in a name that count for its place.
const DIGITS_MAX: usize = 20;

/// Where a message has its place among others: by group, then by name, so that people find what they look for.
#[must_use]
pub fn place(part: &Notification) -> (Option<String>, String) {
    (group_of(part).map(in_order), in_order(&brief(part).0))
}

/// A text that sorts as people do: `shop 9` before `Shop 10`.
fn in_order(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + DIGITS_MAX);
    let mut digits = String::new();
    for c in name.chars().flat_map(char::to_lowercase).chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            out.push_str(&format!("{digits:0>DIGITS_MAX$}"));
            digits.clear();
        }
        out.push(c);
    }
    out
}

/// What a part says, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Down,
    Regional,
    Degraded,
    Certificate,
    Notice,
    Acknowledged,
    Passed,
    Closed,
    Up,
}

impl News {
    fn of(part: &Notification) -> News {
        match &part.subject {
            Subject::SelfNotice { .. } | Subject::Bundle(_) => News::Notice,
            Subject::Passed(_) => News::Passed,
            Subject::Incident(facts) => News::of_incident(part.event, facts),
        }
    }

    fn of_incident(event: EventKind, facts: &IncidentFacts) -> News {
        match event {
            EventKind::Down => News::Down,
            EventKind::Degraded => News::Degraded,
            EventKind::Regional => News::Regional,
            EventKind::Certificate => News::Certificate,
            EventKind::SelfNotice => News::Notice,
            EventKind::Acknowledged => News::Acknowledged,
            EventKind::Reminder if facts.lane == Lane::Regional => News::Regional,
            EventKind::Reminder if facts.status == Verdict::Degraded => News::Degraded,
            EventKind::Reminder => News::Down,
            EventKind::Recovered => match facts.status {
                Verdict::Up => News::Up,
                Verdict::Degraded => News::Degraded,
                Verdict::Down => News::Down,
                Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => News::Closed,
            },
        }
    }

    /// When all are that.
    fn all(self, n: usize) -> String {
        let what = match self {
            News::Down => "are DOWN",
            News::Regional => "are DOWN from some regions",
            News::Degraded => "are degraded",
            News::Certificate => "have a certificate to be looked at",
            News::Notice => return format!("{n} messages about vigilmon itself"),
            News::Acknowledged => "have somebody at work on them",
            News::Passed => "had trouble that is over",
            News::Closed => "are no longer watched",
            News::Up => "are up again",
        };
        format!("{n} monitors {what}")
    }

    /// When some are.
    fn some(self) -> &'static str {
        match self {
            News::Down => "DOWN",
            News::Regional => "DOWN from some regions",
            News::Degraded => "degraded",
            News::Certificate => "with a certificate to be looked at",
            News::Notice => "about vigilmon itself",
            News::Acknowledged => "with somebody at work on it",
            News::Passed => "with trouble that is over",
            News::Closed => "no longer watched",
            News::Up => "up again",
        }
    }

    fn tone(self) -> Tone {
        match self {
            News::Down => Tone::Bad,
            News::Regional | News::Degraded | News::Certificate | News::Notice => Tone::Warning,
            News::Acknowledged | News::Closed => Tone::Neutral,
            News::Passed | News::Up => Tone::Good,
        }
    }
}

/// How bad the worst of them is.
#[must_use]
pub fn tone(parts: &[Notification]) -> Tone {
    parts.iter().map(News::of).min().map_or(Tone::Neutral, News::tone)
}

/// `12 monitors are DOWN`, or `500 monitors: 480 DOWN, 20 up again`.
#[must_use]
pub fn headline(parts: &[Notification]) -> String {
    let mut counts: BTreeMap<News, usize> = BTreeMap::new();
    for part in parts {
        *counts.entry(News::of(part)).or_default() += 1;
    }
    if let (1, Some((news, n))) = (counts.len(), counts.first_key_value()) {
        return news.all(*n);
    }
    let listed: Vec<String> = counts.iter().map(|(news, n)| format!("{n} {}", news.some())).collect();
    format!("{}: {}", number(parts), listed.join(", "))
}

/// `12 monitors`, or messages where some are about something else.
#[must_use]
pub fn number(parts: &[Notification]) -> String {
    let what = if parts.iter().any(|part| News::of(part) == News::Notice) { "messages" } else { "monitors" };
    format!("{} {what}", parts.len())
}

/// All names in a row, by state where that differs.
#[must_use]
pub fn names(parts: &[Notification]) -> String {
    let mut by_news: BTreeMap<News, Vec<String>> = BTreeMap::new();
    for part in parts {
        by_news.entry(News::of(part)).or_default().push(brief(part).0);
    }
    let is_mixed = 1 < by_news.len();
    let told = by_news.into_iter().map(|(news, names)| {
        let names = names.join(", ");
        if is_mixed { format!("{}: {names}", news.some()) } else { names }
    });
    told.collect::<Vec<String>>().join("; ")
}

/// The group that all of them belong to.
#[must_use]
pub fn group(parts: &[Notification]) -> Option<&str> {
    let first = group_of(parts.first()?)?;
    parts.iter().all(|part| group_of(part) == Some(first)).then_some(first)
}

fn group_of(part: &Notification) -> Option<&str> {
    match &part.subject {
        Subject::Incident(facts) | Subject::Passed(facts) => facts.group.as_deref(),
        Subject::SelfNotice { .. } | Subject::Bundle(_) => None,
    }
}

/// What there is to say of each, in some markup: lines that fit together; and how many are not named in them.
#[must_use]
pub fn lines(parts: &[Notification], markup: &Markup, limit: Limit) -> (Vec<String>, usize) {
    let full = full(parts, markup, limit);
    if length(&full, markup, limit) <= limit.max {
        return (full, 0);
    }
    let (all, n_left) = in_a_row(parts, markup, limit);
    if n_left == 0 {
        return (all, 0);
    }
    let (mut some, n_left) = in_a_row(parts, markup, limit.at_most(limit.max.saturating_sub(REST_MAX)));
    some.push(if some.is_empty() { format!("{n_left} in all") } else { format!("and {n_left} more") });
    (some, n_left)
}

fn length(lines: &[String], markup: &Markup, limit: Limit) -> usize {
    let between = limit.unit.of(markup.line_break);
    lines.iter().map(|line| limit.unit.of(line) + between).sum()
}

/// A line for each.
fn full(parts: &[Notification], markup: &Markup, limit: Limit) -> Vec<String> {
    let is_grouped = GROUPED_FROM <= parts.len() && parts.iter().any(|part| group_of(part).is_some());
    let mut sorted: Vec<(Option<&str>, News, &Notification)> =
        parts.iter().map(|part| (group_of(part).filter(|_| is_grouped), News::of(part), part)).collect();
    sorted.sort_by_key(|(group, news, _)| (*group, *news));
    let (open, close) = markup.bold;
    let mut lines = Vec::new();
    let mut before = None;
    for (group, news, part) in sorted {
        if let Some(name) = group.filter(|_| before != group) {
            lines.push(format!("{open}{}{close}", within(name, limit.at_most(NAME_MAX), markup.escape)));
        }
        before = group;
        let (name, what) = brief(part);
        let name = within(&name, limit.at_most(NAME_MAX), markup.escape);
        let what = within(&what, limit.at_most(LINE_MAX), markup.escape);
        lines.push(format!("{} {open}{name}{close} {what}", news.tone().sign()));
    }
    lines
}

/// Only the names, those of one state and group in a row. Says how many had no room.
fn in_a_row(parts: &[Notification], markup: &Markup, limit: Limit) -> (Vec<String>, usize) {
    let mut rows: BTreeMap<(News, Option<&str>), Vec<String>> = BTreeMap::new();
    for part in parts {
        let name = within(&brief(part).0, limit.at_most(NAME_MAX), markup.escape);
        rows.entry((News::of(part), group_of(part))).or_default().push(name);
    }
    let (open, close) = markup.bold;
    let (mut lines, mut n_named, mut used) = (Vec::new(), 0, 0);
    for ((news, group), names) in rows {
        let group = group.map(|group| format!(", {}", within(group, limit.at_most(NAME_MAX), markup.escape))).unwrap_or_default();
        let mut line = format!("{} {open}{}{group}:{close} ", news.tone().sign(), news.some());
        let mut n_in_line = 0;
        for name in names {
            let separator = if n_in_line == 0 { "" } else { ", " };
            let more = limit.unit.of(separator) + limit.unit.of(&name);
            let so_far = limit.unit.of(&line) + limit.unit.of(markup.line_break);
            if limit.max < used + so_far + more {
                break;
            }
            if NAMES_MAX < so_far + more {
                used += so_far;
                lines.push(std::mem::replace(&mut line, format!("{} {name}", news.tone().sign())));
            } else {
                line.push_str(separator);
                line.push_str(&name);
            }
            (n_named, n_in_line) = (n_named + 1, n_in_line + 1);
        }
        if 0 < n_in_line {
            used += limit.unit.of(&line) + limit.unit.of(markup.line_break);
            lines.push(line);
        }
    }
    (lines, parts.len() - n_named)
}

#[cfg(test)]
mod tests;
