//! From what is known of channels to the pages about them. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
use crate::http::views::origin;
use crate::model::channel::Channel;
use crate::model::id::ChannelName;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Verdict;
use crate::notifier::health;
use crate::notifier::health::Health;
use crate::store::Answered;
use crate::store::AnsweredBy;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::ChannelFacts;
use crate::store::Delivery;
use crate::store::DeliveryState;
use crate::ui::component::delivery::AttemptRow;
use crate::ui::component::delivery::DeliveryRow;
use crate::ui::component::delivery::Sending;
use crate::ui::component::notice::Banner;
use crate::ui::links::Links;
use crate::ui::page::channels::ChannelRow;
use crate::ui::page::channels::Configured;
use crate::ui::page::channels::Stand;
use crate::ui::text;

/// A channel that is configured, or has a past, or both.
#[derive(Debug, Clone)]
pub struct Known {
    /// What is known of it.
    pub facts: ChannelFacts,
    /// What the config says; `None` when it left the config.
    pub channel: Option<Arc<Channel>>,
}

/// All channels: those of the config by name, then those that left it and still have messages.
#[must_use]
pub fn known(config: &Config, all: Vec<ChannelFacts>) -> Vec<Known> {
    let mut by_name: BTreeMap<ChannelName, ChannelFacts> = all.into_iter().map(|facts| (facts.name.clone(), facts)).collect();
    let configured = config.channels.iter().map(|(name, channel)| {
        let facts = by_name.remove(name).unwrap_or_else(|| ChannelFacts::new(name.clone()));
        Known { facts, channel: Some(Arc::clone(channel)) }
    });
    let mut known: Vec<Known> = configured.collect();
    let left = by_name.into_values().filter(|facts| 0 < facts.n_waiting + facts.n_dead);
    known.extend(left.map(|facts| Known { facts, channel: None }));
    known
}

/// A channel in the list; without facts when they cannot be read.
#[must_use]
pub fn row(known: &Known, config: &Config, now: Option<UnixMillis>) -> ChannelRow {
    let facts = &known.facts;
    let configured = known.channel.as_ref().map(|channel| Configured {
        kind: channel.spec.kind(),
        on: channel.on.iter().map(|event| event.word()).collect::<Vec<_>>().join(", "),
        n_monitors: config.monitors.iter().filter(|monitor| monitor.channels.contains(&channel.name)).count(),
        origin: origin(&channel.origin),
    });
    ChannelRow {
        name: facts.name.to_string(),
        configured,
        stand: now.map(|now| match health::health(facts, now) {
            Health::NeverUsed => Stand::NeverUsed,
            Health::Fine => Stand::Fine,
            Health::Failing(since) => Stand::Failing(since),
            Health::Resting(until) => Stand::Resting(until),
            Health::NotDelivering(since) => Stand::NotDelivering(since),
        }),
        reason: facts.reason.clone(),
        accepted_at: facts.accepted_at,
        elsewhere_at: facts.elsewhere_at,
        n_waiting: facts.n_waiting,
        oldest: facts.oldest,
        next_at: facts.next_at,
        n_dead: facts.n_dead,
    }
}

/// Said on every page while messages are missing.
#[must_use]
pub fn banner(all: &[ChannelFacts], links: &Links, now: UnixMillis) -> Option<Banner> {
    let missing: Vec<&ChannelFacts> = all.iter().filter(|facts| health::is_undeliverable(facts, now)).collect();
    let names: Vec<String> = missing.iter().map(|facts| facts.name.to_string()).collect();
    let (first, n) = (names.first()?, names.len());
    let n_waiting: u64 = missing.iter().map(|facts| facts.n_waiting).sum();
    let oldest = missing.iter().filter_map(|facts| facts.oldest).min().filter(|oldest| *oldest < now);
    let n_dead: u64 = missing.iter().filter(|facts| facts.dead_at.is_some()).map(|facts| facts.n_dead).sum();
    let mut what = Vec::new();
    if let Some(oldest) = oldest.filter(|_| n_waiting > 0) {
        let verb = if n_waiting == 1 { "waits" } else { "wait" };
        what.push(format!("{n_waiting} {verb}, the oldest for {}", spoken(now.since(oldest))));
    }
    if n_dead > 0 {
        what.push(if n_dead == 1 { "1 was given up".to_owned() } else { format!("{n_dead} were given up") });
    }
    let href = if n == 1 { links.channel(first) } else { links.channels() };
    let state = if missing.iter().any(|facts| matches!(health::health(facts, now), Health::NotDelivering(_) | Health::Failing(_))) {
        Verdict::Down
    } else {
        Verdict::Degraded
    };
    let text = format!("Messages to {} did not arrive: {}.", text::joined(&names), text::joined(&what));
    Some(Banner { state, text, link: Some((href, "See what it answers".to_owned())) })
}

/// A message in the delivery log. What was answered is shown to those only who may change things: it is of strangers, and about the inside.
#[must_use]
pub fn delivery_row(delivery: &Delivery, may_operate: bool) -> DeliveryRow {
    DeliveryRow {
        id: delivery.id,
        at: delivery.at,
        channel: delivery.channel.to_string(),
        event: delivery.event.clone(),
        about: delivery.about.clone(),
        incident: delivery.incident.clone(),
        n_attempts: delivery.n_attempts,
        attempts: delivery.attempts.iter().map(|(number, attempt)| attempt_row(*number, attempt, may_operate)).collect(),
        state: match delivery.state {
            DeliveryState::Waiting(at) => Sending::Waiting(at),
            DeliveryState::Sent(at) => Sending::Sent(at),
            DeliveryState::Dead(at) => Sending::Dead(at),
        },
        last_error: delivery.last_error.clone(),
    }
}

/// One attempt.
#[must_use]
pub fn attempt_row(number: u32, attempt: &Attempt, may_operate: bool) -> AttemptRow {
    AttemptRow {
        number,
        at: attempt.at,
        took: attempt.took,
        is_accepted: attempt.outcome == AttemptOutcome::Accepted,
        reason: attempt.reason.clone(),
        answer: attempt.answer.as_ref().map(answer),
        said: attempt.answer.as_ref().filter(|_| may_operate).map(|answered| answered.said.clone()),
    }
}

fn answer(answered: &Answered) -> String {
    match answered.by {
        AnsweredBy::Http => format!("HTTP {}", answered.code),
        AnsweredBy::Smtp => format!("SMTP {}", answered.code),
        AnsweredBy::Program => format!("exit code {}", answered.code),
    }
}
