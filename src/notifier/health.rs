//! Whether a channel delivers, what is marked of it, and who is told. Pure: facts and time are arguments.
//!
//! What is known of a channel is in the outbox and in a row beside it that attempts keep up to date, so a restart forgets nothing and
//! repeats nothing. Each node speaks for itself: its way out may be the one that is broken.

use std::time::Duration;

use crate::config::Config;
use crate::consensus::identity;
use crate::model::id::ChannelName;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::rules::sign_of_life;
use crate::store::ChannelFacts;
use crate::store::ChannelMark;

/// How long a channel may take nothing, and a message wait, before it counts as not delivering. A restart of a chat server or a limit of
/// requests is over before that; an outage that nobody hears of for longer should be told by another way.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Others are not told more often than this that one channel does not deliver: one that takes every other message would have them told with
/// each of them.
pub const TELL_AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// When no channel took anything for so long, nobody knows whether alerts arrive.
pub const UNPROVEN_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// A message that was given up is news for a day.
pub const LOST_IS_NEWS_FOR: Duration = Duration::from_secs(86_400);

/// How a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No message was ever sent to it from here.
    NeverUsed,
    /// It took the last message.
    Fine,
    /// It has taken none since then.
    Failing(UnixMillis),
    /// It asked to be left alone until then.
    Resting(UnixMillis),
    /// It has taken none since then, and others were told.
    NotDelivering(UnixMillis),
}

impl Health {
    /// Stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Health::NeverUsed => "never_used",
            Health::Fine => "fine",
            Health::Failing(_) => "failing",
            Health::Resting(_) => "resting",
            Health::NotDelivering(_) => "not_delivering",
        }
    }
}

/// How a channel is now.
#[must_use]
pub fn health(facts: &ChannelFacts, now: UnixMillis) -> Health {
    match (facts.broken_since.filter(|_| facts.mended_at.is_none()), facts.failing_since, facts.rests_until) {
        (Some(since), _, _) => Health::NotDelivering(since),
        (None, Some(_), Some(until)) if now < until => Health::Resting(until),
        (None, Some(since), _) => Health::Failing(since),
        (None, None, _) if facts.accepted_at.is_some() => Health::Fine,
        (None, None, _) => Health::NeverUsed,
    }
}

/// What waits for the end of quiet hours is not late, and does not count as old.
pub fn leave_quiet(all: &mut [ChannelFacts], config: &Config, now: UnixMillis) {
    for facts in all {
        let quiet = config.channels.get(&facts.name).and_then(|channel| channel.quiet_hours.as_ref());
        facts.oldest = facts.oldest.filter(|_| sign_of_life::counts(quiet, now));
    }
}

/// Whether something that is owed is missing: it waits for too long, or was given up lately.
#[must_use]
pub fn is_undeliverable(facts: &ChannelFacts, now: UnixMillis) -> bool {
    is_late(facts, now) || facts.dead_at.is_some_and(|at| now.since(at) < LOST_IS_NEWS_FOR)
}

fn is_late(facts: &ChannelFacts, now: UnixMillis) -> bool {
    facts.oldest.is_some_and(|oldest| PATIENCE <= now.since(oldest))
}

/// Whether no channel has proved lately that alerts arrive. Without channels there is nothing to prove.
#[must_use]
pub fn is_unproven(config: &Config, all: &[ChannelFacts], now: UnixMillis) -> bool {
    let is_proof = |facts: &ChannelFacts| {
        let proved_at = facts.accepted_at.max(facts.elsewhere_at);
        config.channels.contains_key(&facts.name) && proved_at.is_some_and(|at| now.since(at) < UNPROVEN_AFTER)
    };
    !config.channels.is_empty() && !all.iter().any(is_proof)
}

/// What others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    NotDelivering,
    GivenUp,
    DeliversAgain { after: Duration },
}

/// What is to be done about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is marked.
    pub mark: ChannelMark,
    /// What others are told with it; may be empty.
    pub tell: Vec<Notification>,
}

/// Who speaks: the node, when there are several.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// Which channels there are, and which hear of vigilmon itself.
    pub config: &'a Config,
    /// When.
    pub now: UnixMillis,
}

/// What is to be done about a channel now, if anything.
#[must_use]
pub fn step(facts: &ChannelFacts, speaker: Speaker<'_>) -> Option<Step> {
    let (mark, news) = decide(facts, speaker.now)?;
    let tell = news.map(|news| notices(facts, &news, speaker)).unwrap_or_default();
    Some(Step { mark, tell })
}

fn decide(facts: &ChannelFacts, now: UnixMillis) -> Option<(ChannelMark, Option<News>)> {
    // A clock that was set back must not keep anybody silent.
    let may_speak = facts.told_at.is_none_or(|told| now < told || TELL_AGAIN_AFTER <= now.since(told));
    let untold_loss = facts.given_up_at.filter(|at| facts.told_at.is_none_or(|told| told < *at));
    if let Some(since) = facts.broken_since {
        let is_told = facts.told_at.is_some_and(|told| since <= told);
        return match facts.mended_at {
            Some(at) => Some((ChannelMark::Mended(since), is_told.then(|| News::DeliversAgain { after: at.since(since) }))),
            None if !is_told && may_speak => Some((ChannelMark::Broken { since, told_at: Some(now) }, Some(News::NotDelivering))),
            None => None,
        };
    }
    if let Some(since) = facts.failing_since {
        let lost_one = untold_loss.is_some_and(|at| since <= at);
        if lost_one || (PATIENCE <= now.since(since) && is_late(facts, now)) {
            let told_at = may_speak.then_some(now);
            return Some((ChannelMark::Broken { since, told_at }, may_speak.then_some(News::NotDelivering)));
        }
    }
    (untold_loss.is_some() && may_speak).then_some((ChannelMark::Told(now), Some(News::GivenUp)))
}

/// Who hears of it: those of `self.channels`, or where none of them is left, all that listen to news of vigilmon itself.
fn listeners<'a>(config: &'a Config, about: &'a ChannelName) -> Vec<&'a ChannelName> {
    let hears = |name: &&ChannelName| {
        *name != about && config.channels.get(*name).is_some_and(|channel| channel.on.contains(&EventKind::SelfNotice))
    };
    let chosen: Vec<&ChannelName> = config.self_channels.iter().filter(hears).collect();
    if chosen.is_empty() { config.channels.keys().filter(hears).collect() } else { chosen }
}

fn notices(facts: &ChannelFacts, news: &News, Speaker { config, now }: Speaker<'_>) -> Vec<Notification> {
    let node = config.peers.as_ref().map(|peers| peers.me.to_string());
    let (title, text) = said(facts, news, node.as_deref());
    // Of one break each thing is said once, whatever happens in between.
    let (word, since) = match news {
        News::NotDelivering => ("broken", facts.broken_since.or(facts.failing_since)),
        News::GivenUp => ("lost", facts.given_up_at),
        News::DeliversAgain { .. } => ("mended", facts.broken_since),
    };
    let (name, since) = (&facts.name, since.unwrap_or(now).0);
    let (place, what) = (node.unwrap_or_default(), format!("channel {name}/{word}"));
    let notice = |to: &ChannelName| Notification {
        key: identity::self_notice_key(&place, &what, since, to),
        channel: to.clone(),
        event: EventKind::SelfNotice,
        at: now,
        subject: Subject::SelfNotice { title: title.clone(), text: text.clone() },
        may_be_repeat: false,
    };
    listeners(config, name).into_iter().map(notice).collect()
}

/// Title and text.
fn said(facts: &ChannelFacts, news: &News, node: Option<&str>) -> (String, String) {
    let name = &facts.name;
    let from = node.map(|node| format!(" from node `{node}`")).unwrap_or_default();
    let why = facts.reason.as_ref().map(|reason| format!(" Its last answer: {reason}.")).unwrap_or_default();
    let try_again = "try again what was given up, on the page of the channel or with `vigilmon channel retry`.";
    match news {
        News::NotDelivering => {
            let since = facts.broken_since.or(facts.failing_since).map(clock_face).unwrap_or_default();
            let has_lost = facts.given_up_at.is_some_and(|at| facts.failing_since.is_some_and(|since| since <= at));
            let (lost, advice) = if has_lost {
                (" At least one was given up.", format!("Mend it, and {try_again}"))
            } else {
                ("", "What waits is sent as soon as it is mended.".to_owned())
            };
            let waiting = messages(facts.n_waiting, "waits", "wait");
            (
                format!("the channel `{name}` does not deliver{from}"),
                format!("It has taken nothing since {since}; {waiting}.{lost}{why} {advice}"),
            )
        }
        News::GivenUp => (
            format!("the channel `{name}` did not take a message{from}"),
            format!("At least one message to it was given up, others are taken.{why} Mend it, and {try_again}"),
        ),
        News::DeliversAgain { after } => {
            let late = messages(facts.n_late, "was late", "were late");
            let lost = if facts.n_lost == 0 { "none was given up".to_owned() } else { format!("{} given up", facts.n_lost) };
            (format!("the channel `{name}` delivers again{from}"), format!("It delivers again after {}; {late}, {lost}.", spoken(*after)))
        }
    }
}

fn messages(n: u64, one: &str, many: &str) -> String {
    if n == 1 { format!("1 message {one}") } else { format!("{n} messages {many}") }
}

/// `10:23 UTC`, with the day, because a channel may have failed for long.
fn clock_face(at: UnixMillis) -> String {
    let text = at.rfc3339().replace('T', " ");
    format!("{} UTC", text.get(..16).unwrap_or(&text))
}

#[cfg(test)]
mod tests;
