//! Who is to be told what of an open incident by now, and when to look again. Pure: everything follows from the policy, what is known of
//! the incident, and the time.
//!
//! Two kinds of message come of it. *Openings* go to a channel once for an incident, as soon as a step that names the channel is reached and
//! nothing holds them back. *Repeats* go to those that were told: reminders, steps that name a channel again, and the end of a snooze. Repeats
//! are numbered by the plan, not by what was sent, so that every node of a cluster gives the same message the same key, and a restart repeats
//! none.

use std::time::Duration;

use crate::model::id::ChannelName;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Progress;
use crate::model::policy::Remind;
use crate::model::policy::Step;
use crate::model::time::UnixMillis;

/// Reminders of one incident at most: at the shortest pause more than a month of them.
const REMINDERS_MAX: u32 = 10_000;

/// The plan for an incident.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// In the order of their delays.
    pub steps: &'a [Step],
    /// The channels of the monitor, for steps that name none.
    pub channels: &'a [ChannelName],
    /// When people are reminded.
    pub remind: Option<Remind>,
}

impl<'a> Plan<'a> {
    /// Channels that are told only because those of the first step have not put an end to it.
    pub fn late_channels(&self) -> impl Iterator<Item = &'a ChannelName> {
        let named = |step: &'a Step, own: &'a [ChannelName]| step.channels.as_deref().unwrap_or(own);
        let (first, own) = (self.steps.first(), self.channels);
        let is_told_first = move |channel: &&ChannelName| first.is_some_and(|first| named(first, own).contains(*channel));
        self.steps.iter().flat_map(move |step| named(step, own)).filter(move |channel| !is_told_first(channel))
    }
}

/// What is known of the incident.
#[derive(Debug, Clone, Copy, Default)]
pub struct Case<'a> {
    /// Somebody is at work on it.
    pub acknowledged: Option<&'a Acknowledgement>,
    /// Nobody is told of it for the first time now.
    pub holds_openings: bool,
    /// Nobody is told again.
    pub holds_repeats: bool,
}

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Tell this channel that it began.
    Opening(ChannelName),
    /// Tell these again, for this reason.
    Repeat(Vec<ChannelName>, Repeat),
}

/// Why something is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A later step names the channel again; its place.
    Step(u8),
    /// The reminder of this number, counted from 1.
    Reminder(u32),
    /// The snooze that lasted until then is over.
    SnoozeOver(UnixMillis),
}

/// Part of the message's key.
impl std::fmt::Display for Repeat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Repeat::Step(n) => write!(f, "step {n}"),
            Repeat::Reminder(n) => write!(f, "reminder {n}"),
            Repeat::SnoozeOver(until) => write!(f, "snooze {}", until.0),
        }
    }
}

/// Takes in that time has passed: what is due comes back, and `progress` says that it is done. A hold delays openings and lets repeats go.
pub fn advance(plan: &Plan<'_>, case: Case<'_>, progress: &mut Progress, now: UnixMillis) -> Vec<Due> {
    let is_quiet = case.acknowledged.is_some_and(|acknowledged| acknowledged.holds(now));
    let mut again: Vec<(ChannelName, u8)> = Vec::new();
    for (place, step) in (0u8..).zip(plan.steps) {
        if now < progress.base + step.after {
            break;
        }
        // A step that is not taken because of an acknowledgement is taken when that is withdrawn, or its time is over.
        if progress.taken.contains(&place) || (is_quiet && step.unless_acknowledged) {
            continue;
        }
        progress.taken.insert(place);
        for channel in step.channels.as_deref().unwrap_or(plan.channels) {
            if progress.told.contains(channel) {
                again.push((channel.clone(), place));
            } else {
                progress.waiting.insert(channel.clone());
            }
        }
    }
    let mut due = Vec::new();
    if !case.holds_repeats {
        for (channel, place) in again {
            due.push(Due::Repeat(vec![channel], Repeat::Step(place)));
        }
    }
    let reminder = repeat(plan, case, progress, now);
    if !case.holds_openings {
        for channel in std::mem::take(&mut progress.waiting) {
            progress.told.insert(channel.clone());
            due.push(Due::Opening(channel));
        }
    }
    due.extend(reminder);
    due
}

/// The newest reminder whose time has come. Those before it were missed, or nobody was to be reminded: they are not made up for.
fn repeat(plan: &Plan<'_>, case: Case<'_>, progress: &mut Progress, now: UnixMillis) -> Option<Due> {
    let is_quiet = case.acknowledged.is_some_and(|acknowledged| acknowledged.holds(now));
    let n_due = plan.remind.map_or(0, |remind| n_reminders(remind, now.since(progress.base)));
    let is_new = progress.n_reminders < n_due;
    progress.n_reminders = progress.n_reminders.max(n_due);
    let snooze_end = case.acknowledged.and_then(|acknowledged| acknowledged.until).filter(|until| *until <= now);
    let is_awake = snooze_end.is_some() && progress.snoozed_until < snooze_end;
    progress.snoozed_until = progress.snoozed_until.max(snooze_end);
    if is_quiet || case.holds_repeats || progress.told.is_empty() {
        return None;
    }
    let told: Vec<ChannelName> = progress.told.iter().cloned().collect();
    match snooze_end.filter(|_| is_awake) {
        Some(until) => Some(Due::Repeat(told, Repeat::SnoozeOver(until))),
        None if is_new => Some(Due::Repeat(told, Repeat::Reminder(n_due))),
        None => None,
    }
}

/// When to look again, as far as only time is waited for.
#[must_use]
pub fn next_look(plan: &Plan<'_>, case: Case<'_>, progress: &Progress, now: UnixMillis) -> Option<UnixMillis> {
    let quiet_until = case.acknowledged.filter(|acknowledged| acknowledged.holds(now)).map(|acknowledged| acknowledged.until);
    let is_quiet = quiet_until.is_some();
    let untaken = (0u8..).zip(plan.steps).filter(|(place, _)| !progress.taken.contains(place));
    let step = untaken.filter(|(_, step)| !(is_quiet && step.unless_acknowledged)).map(|(_, step)| progress.base + step.after).min();
    // While nobody may be reminded, the end of that is looked at for its own sake.
    let is_reminded = !is_quiet && !case.holds_repeats;
    let reminder = plan.remind.filter(|_| is_reminded).and_then(|remind| {
        let at = progress.base + reminder_after(remind, progress.n_reminders.saturating_add(1))?;
        (!progress.told.is_empty()).then_some(at)
    });
    [step, reminder, quiet_until.flatten()].into_iter().flatten().min()
}

/// How long after the opening the reminder of this number comes.
fn reminder_after(remind: Remind, number: u32) -> Option<Duration> {
    if REMINDERS_MAX < number {
        return None;
    }
    Pauses::of(remind).take(usize::try_from(number).ok()?).try_fold(Duration::ZERO, Duration::checked_add)
}

/// How many reminders come within so long.
fn n_reminders(remind: Remind, passed: Duration) -> u32 {
    let mut sum = Duration::ZERO;
    let mut n = 0;
    for pause in Pauses::of(remind) {
        sum = sum.saturating_add(pause);
        if passed < sum || n == REMINDERS_MAX {
            break;
        }
        n += 1;
    }
    n
}

/// The pauses before the reminders, without end.
struct Pauses {
    remind: Remind,
    next: Duration,
}

impl Pauses {
    fn of(remind: Remind) -> Pauses {
        Pauses { remind, next: remind.every }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.next;
        let longer = pause.saturating_mul(self.remind.backoff_tenths) / 10;
        self.next = longer.min(self.remind.max).max(pause);
        Some(pause)
    }
}

#[cfg(test)]
mod tests;
