//! Decodes who is told when: `policies`, `remind` and `quiet_hours`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::config::decode::channel;
use crate::config::decode::selection::Asked;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::config::select::selects;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::policy::BUNDLE_MAX;
use crate::model::policy::Policy;
use crate::model::policy::QuietHours;
use crate::model::policy::REMIND_MAX;
use crate::model::policy::REMIND_MIN;
use crate::model::policy::Remind;
use crate::model::policy::STEP_AFTER_MAX;
use crate::model::policy::STEPS_MAX;
use crate::model::policy::Step;
use crate::model::schedule::Zone;
use crate::model::time::DurationText;

/// All policies. Monitors come with whether all of them could be read.
pub(super) fn policies(
    ctx: &Ctx<'_>,
    at: Option<&At<'_>>,
    (monitors, all_read): (&[Arc<Monitor>], bool),
    channels: &BTreeSet<String>,
) -> Vec<Arc<Policy>> {
    let mut policies: Vec<Arc<Policy>> = Vec::new();
    for at in at.map(|at| at.list(ctx)).unwrap_or_default() {
        let Some(policy) = policy(ctx, &at, (monitors, all_read), channels) else { continue };
        if let Some(first) = policies.iter().find(|known| known.name == policy.name) {
            let name_at = at.child("name").unwrap_or_else(|| at.clone());
            let message = format!("there is already a policy `{}` in line {}", policy.name, first.origin.line);
            ctx.bad(&name_at, message, "give one of them another `name`");
        }
        doubt_what_is_never_reached(ctx, &at, &policy, (&policies, monitors));
        policies.push(Arc::new(policy));
    }
    policies
}

/// Of several policies that name a monitor the first counts: one whose monitors all have an earlier one does nothing.
fn doubt_what_is_never_reached(ctx: &Ctx<'_>, at: &At<'_>, policy: &Policy, (before, monitors): (&[Arc<Policy>], &[Arc<Monitor>])) {
    let earlier = |monitor: &Monitor| before.iter().find(|policy| selects(&policy.wanted, monitor));
    let meant = monitors.iter().filter(|monitor| selects(&policy.wanted, monitor));
    let taken: Option<Vec<&Arc<Policy>>> = meant.map(|monitor| earlier(monitor)).collect();
    if let Some(first) = taken.as_deref().and_then(<[_]>::first) {
        let name_at = at.child("name").unwrap_or_else(|| at.clone());
        let message = format!("this policy is never reached: an earlier one, such as `{}`, is for each of its monitors", first.name);
        ctx.report.doubt(
            name_at.node.pos,
            &name_at.path,
            message,
            "the first policy that names a monitor counts; put the narrower one first",
        );
    }
}

fn policy(ctx: &Ctx<'_>, at: &At<'_>, (monitors, all_read): (&[Arc<Monitor>], bool), channels: &BTreeSet<String>) -> Option<Policy> {
    let mut fields = Fields::open(ctx, at, "policies[]")?;
    let name = fields.must("name", readers::name);
    let (names, groups, matching) = (fields.take("monitors"), fields.take("groups"), fields.take("match"));
    let steps_at = fields.require("steps");
    let remind_at = fields.take("remind");
    let bundle = fields.read("bundle", bundle);
    fields.finish();
    if names.is_none() && groups.is_none() && matching.is_none() {
        ctx.bad(at, "this policy is for no monitor", "add `monitors: [\"*\"]`, `groups: [\u{2026}]` or `match: { labels: { \u{2026} } }`");
    }
    let asked = Asked { names, groups, matching, match_path: "policies[].match" };
    let wanted = asked.selection(ctx, monitors, all_read);
    let steps = steps_at.and_then(|at| steps(ctx, &at, channels));
    let remind = remind_at.map(|at| remind(ctx, &at, "policies[].remind"));
    let origin = Origin { file: ctx.report.files.of(at.node.pos), line: at.node.pos.line };
    Some(Policy { name: name?, wanted, steps: steps?, remind: remind.flatten(), bundle: bundle.unwrap_or_default(), origin })
}

fn bundle(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Duration> {
    let bundle = readers::duration(ctx, at)?;
    if BUNDLE_MAX < bundle {
        ctx.bad(at, format!("this would hold back every alert for {}", DurationText(bundle)), "make it at most `5m`");
        return None;
    }
    Some(bundle)
}

fn steps(ctx: &Ctx<'_>, at: &At<'_>, channels: &BTreeSet<String>) -> Option<Vec<Step>> {
    let items = at.list(ctx);
    if items.is_empty() {
        ctx.bad(at, "this policy tells nobody", "add a step: `steps: [{ after: 0s, channels: [\u{2026}] }]`");
        return None;
    }
    if STEPS_MAX < items.len() {
        ctx.bad(at, format!("{} steps are too many", items.len()), format!("keep at most {STEPS_MAX}"));
        return None;
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in &items {
        let step = step(ctx, item, channels)?;
        if let Some(before) = steps.last().filter(|before| step.after < before.after) {
            let after_at = item.child("after").unwrap_or_else(|| item.clone());
            let message = format!("this step comes before the one above it, which is {} after the beginning", DurationText(before.after));
            ctx.bad(&after_at, message, "`after` counts from the beginning of the incident; write the steps in the order of time");
            return None;
        }
        steps.push(step);
    }
    Some(steps)
}

fn step(ctx: &Ctx<'_>, at: &At<'_>, channels: &BTreeSet<String>) -> Option<Step> {
    let mut fields = Fields::open(ctx, at, "policies[].steps[]")?;
    let after = fields.read("after", |ctx, at| {
        let after = readers::duration(ctx, at)?;
        if STEP_AFTER_MAX < after {
            ctx.bad(at, "a step may come at most a week after the beginning", "make `after` at most `7d`");
            return None;
        }
        Some(after)
    });
    let channels_at = fields.take("channels");
    let unless = fields.read("unless", |ctx, at| readers::choice(ctx, at, &[("acknowledged", true), ("never", false)]));
    fields.finish();
    let named = channels_at.as_ref().map(|at| channel::references(ctx, &at.one_or_many(), channels));
    if let (Some(at), Some([])) = (&channels_at, named.as_deref()) {
        if at.one_or_many().is_empty() {
            ctx.bad(at, "this step tells nobody", "name a channel, or leave `channels` out: then the channels of the monitor are told");
        }
        return None;
    }
    Some(Step { after: after.unwrap_or_default(), channels: named, unless_acknowledged: unless.unwrap_or(false) })
}

/// `4h`, or how pauses grow.
pub(super) fn remind(ctx: &Ctx<'_>, at: &At<'_>, section: &'static str) -> Option<Remind> {
    let pause = |ctx: &Ctx<'_>, at: &At<'_>| readers::duration_from(ctx, at, REMIND_MIN, "5m");
    if at.node.scalar().is_some() {
        let every = pause(ctx, at)?;
        return Some(Remind { every, backoff_tenths: 10, max: REMIND_MAX.max(every) });
    }
    let mut fields = Fields::open(ctx, at, section)?;
    let every = fields.must("every", pause);
    let backoff = fields.read("backoff", backoff);
    let max_at = fields.take("max");
    fields.finish();
    let max = max_at.as_ref().and_then(|at| pause(ctx, at));
    let every = every?;
    if let (Some(at), Some(max)) = (&max_at, max)
        && max < every
    {
        ctx.bad(at, "the longest pause is shorter than the first one", "make `max` at least `every`");
        return None;
    }
    Some(Remind { every, backoff_tenths: backoff.unwrap_or(10), max: max.unwrap_or(REMIND_MAX).max(every) })
}

/// A factor from 1 to 10, with one decimal.
fn backoff(ctx: &Ctx<'_>, at: &At<'_>) -> Option<u32> {
    let text = readers::text(ctx, at)?;
    let (whole, tenth) = text.split_once('.').unwrap_or((&text, "0"));
    let tenths = match (whole.parse::<u32>(), tenth.parse::<u32>()) {
        (Ok(whole), Ok(tenth)) if tenth < 10 && !text.starts_with('+') => whole.checked_mul(10).map(|tens| tens + tenth),
        _ => None,
    };
    let found = tenths.filter(|tenths| (10..=100).contains(tenths));
    if found.is_none() {
        ctx.bad(
            at,
            format!("`{text}` is not a factor from 1 to 10"),
            "write `2` to have each pause twice as long as the one before, or `1.5`",
        );
    }
    found
}

/// When a channel keeps still.
pub(super) fn quiet_hours(ctx: &Ctx<'_>, at: &At<'_>) -> Option<QuietHours> {
    let mut fields = Fields::open(ctx, at, "channels[].quiet_hours")?;
    let from = fields.must("from", time_of_day);
    let to_at = fields.require("to");
    let zone = fields.read("timezone", zone);
    let except = fields.read("except", channel::events);
    fields.finish();
    let to_at = to_at?;
    let (from, to) = (from?, time_of_day(ctx, &to_at)?);
    if from == to {
        ctx.bad(&to_at, "these hours begin and end at the same time", "a channel that is never to be told anything is better left out");
        return None;
    }
    Some(QuietHours { from, to, zone: zone.unwrap_or_else(Zone::utc), except: except.unwrap_or_default() })
}

fn zone(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Zone> {
    let text = readers::text(ctx, at)?;
    match Zone::parse(&text) {
        Ok(zone) => Some(zone),
        Err(error) => {
            ctx.bad(at, error.message, error.hint);
            None
        }
    }
}

/// `22:00`, in minutes.
fn time_of_day(ctx: &Ctx<'_>, at: &At<'_>) -> Option<u16> {
    let text = readers::text(ctx, at)?;
    let two = |text: &str, end: u16| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|n| is_plain && *n < end)
    };
    let found = text.split_once(':').and_then(|(hour, minute)| Some(two(hour, 24)? * 60 + two(minute, 60)?));
    if found.is_none() {
        ctx.bad(at, format!("`{text}` is not a time of the day"), "write hours and minutes in quotes, such as `\"22:00\"`");
    }
    found
}
