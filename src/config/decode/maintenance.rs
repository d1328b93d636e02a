//! Decodes `maintenance`: which monitors a window covers, and when it is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::config::decode::selection::Asked;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::config::select;
use crate::model::maintenance::LASTS_MAX;
use crate::model::maintenance::LASTS_MIN;
use crate::model::maintenance::ONCE_MAX;
use crate::model::maintenance::Span;
use crate::model::maintenance::When;
use crate::model::maintenance::Window;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::schedule::BadSchedule;
use crate::model::schedule::CronRules;
use crate::model::schedule::Schedule;
use crate::model::schedule::Zone;
use crate::model::schedule::recurrence::Recurrence;
use crate::model::time::DurationText;
use crate::model::time::UnixMillis;

/// All windows. `all_read` says that no monitor was refused, so that a pattern which matches nothing is really odd.
pub(super) fn windows(ctx: &Ctx<'_>, at: Option<&At<'_>>, monitors: &[Arc<Monitor>], all_read: bool) -> Vec<Arc<Window>> {
    let mut windows: Vec<Arc<Window>> = Vec::new();
    for at in at.map(|at| at.list(ctx)).unwrap_or_default() {
        let Some(window) = window(ctx, &at, monitors, all_read) else { continue };
        if let Some(first) = windows.iter().find(|known| known.name == window.name) {
            let name_at = at.child("name").unwrap_or_else(|| at.clone());
            let message = format!("there is already a window `{}` in line {}", window.name, first.origin.line);
            ctx.bad(&name_at, message, "give one of them another `name`");
        }
        windows.push(Arc::new(window));
    }
    windows
}

fn window(ctx: &Ctx<'_>, at: &At<'_>, monitors: &[Arc<Monitor>], all_read: bool) -> Option<Window> {
    let mut fields = Fields::open(ctx, at, "maintenance[]")?;
    let name = fields.must("name", readers::name);
    let (names, groups, matching) = (fields.take("monitors"), fields.take("groups"), fields.take("match"));
    let when = fields.must("schedule", when);
    let message = fields.read("message", readers::full_text);
    fields.finish();
    if names.is_none() && groups.is_none() && matching.is_none() {
        ctx.bad(at, "this window covers nothing", "add `monitors: [\"*\"]`, `groups: [\u{2026}]` or `match: { labels: { \u{2026} } }`");
    }
    let asked = Asked { names, groups, matching, match_path: "maintenance[].match" };
    let wanted = asked.selection(ctx, monitors, all_read);
    let covered: BTreeSet<_> =
        monitors.iter().filter(|monitor| select::selects(&wanted, monitor)).map(|monitor| monitor.id.clone()).collect();
    let origin = Origin { file: ctx.report.files.of(at.node.pos), line: at.node.pos.line };
    Some(Window { name: name?, wanted, monitors: covered, when: when?, message, origin })
}

/// Everything that a schedule can say.
struct Keys<'a> {
    cron: Option<At<'a>>,
    rule: Option<At<'a>>,
    from: Option<At<'a>>,
    to: Option<At<'a>>,
    start: Option<At<'a>>,
    lasts: Option<At<'a>>,
    zone: Option<At<'a>>,
}

fn when(ctx: &Ctx<'_>, at: &At<'_>) -> Option<When> {
    let mut fields = Fields::open(ctx, at, "maintenance[].schedule")?;
    let keys = Keys {
        cron: fields.take("cron"),
        rule: fields.take("rrule"),
        from: fields.take("from"),
        to: fields.take("to"),
        start: fields.take("start"),
        lasts: fields.take("duration"),
        zone: fields.take("timezone"),
    };
    fields.finish();
    let zone = match &keys.zone {
        Some(at) => schedule_of(ctx, at, Zone::parse),
        None => Some(Zone::utc()),
    };
    let once = keys.from.as_ref().or(keys.to.as_ref());
    let mut given = [keys.cron.as_ref(), keys.rule.as_ref(), once].into_iter().flatten();
    let (first, second) = (given.next(), given.next());
    if let Some(second) = second {
        ctx.bad(second, "this window says in more than one way when it is", "keep one of `cron`, `rrule`, and `from` with `to`");
        return None;
    }
    if first.is_none() {
        let hint = "add `cron:` and `duration:`, `rrule:`, `start:` and `duration:`, or `from:` and `to:`";
        ctx.bad(at, "this window does not say when it is", hint);
        return None;
    }
    match (&keys.cron, &keys.rule) {
        (Some(cron), _) => by_cron(ctx, at, (cron, &keys), zone),
        (None, Some(rule)) => by_rule(ctx, at, (rule, &keys), zone),
        (None, None) => once_only(ctx, at, &keys, zone),
    }
}

fn by_cron(ctx: &Ctx<'_>, at: &At<'_>, (cron, keys): (&At<'_>, &Keys<'_>), zone: Option<Zone>) -> Option<When> {
    unwanted(ctx, keys.start.as_ref(), "`start` goes with `rrule`");
    let lasts = lasts(ctx, at, keys);
    let zone = zone?;
    let parsed = schedule_of(ctx, cron, |text| Schedule::cron(text, Some(&zone.to_string()), CronRules::Vixie))?;
    let gap = parsed.shortest_gap();
    let Schedule::Timed(timed) = parsed else { return None };
    let lasts = fitting(ctx, keys, lasts?, Some(gap))?;
    Some(When::Cron(timed, lasts))
}

fn by_rule(ctx: &Ctx<'_>, at: &At<'_>, (rule, keys): (&At<'_>, &Keys<'_>), zone: Option<Zone>) -> Option<When> {
    let lasts = lasts(ctx, at, keys);
    let start = match &keys.start {
        Some(at) => start(ctx, at),
        None => {
            ctx.bad(at, "`start` is missing", "write when the first one begins: `start: \"2026-01-06T22:00\"`");
            None
        }
    };
    let (zone, start) = (zone?, start?);
    let rule = schedule_of(ctx, rule, |text| Recurrence::parse(text, start, zone))?;
    let lasts = fitting(ctx, keys, lasts?, rule.shortest_gap())?;
    Some(When::Rule(Arc::new(rule), lasts))
}

fn once_only(ctx: &Ctx<'_>, at: &At<'_>, keys: &Keys<'_>, zone: Option<Zone>) -> Option<When> {
    unwanted(ctx, keys.start.as_ref(), "`start` goes with `rrule`");
    unwanted(ctx, keys.lasts.as_ref(), "`to` says already how long it lasts");
    let zone = zone?;
    let moment = |key: &str, found: &Option<At<'_>>| match found {
        Some(at) => moment(ctx, at, &zone),
        None => {
            ctx.bad(at, format!("`{key}` is missing"), "a window that comes once has both `from` and `to`");
            None
        }
    };
    let (from, to) = (moment("from", &keys.from), moment("to", &keys.to));
    let span = Span { from: from?, to: to? };
    let to_at = keys.to.as_ref()?;
    if span.to <= span.from {
        ctx.bad(to_at, "this window ends before it begins", "make `to` later than `from`");
        return None;
    }
    if ONCE_MAX < span.to.since(span.from) {
        ctx.bad(to_at, "this window lasts longer than a year", "switch off what is not to be watched for so long: `enabled: false`");
        return None;
    }
    Some(When::Once(span, zone))
}

fn unwanted(ctx: &Ctx<'_>, at: Option<&At<'_>>, why: &str) {
    if let Some(at) = at {
        ctx.bad(at, why, "remove it");
    }
}

fn lasts(ctx: &Ctx<'_>, at: &At<'_>, keys: &Keys<'_>) -> Option<Duration> {
    let Some(lasts) = &keys.lasts else {
        ctx.bad(at, "`duration` is missing", "write how long each one lasts: `duration: 2h`");
        return None;
    };
    readers::duration_from(ctx, lasts, LASTS_MIN, "1m")
}

/// A duration that leaves time between two windows.
fn fitting(ctx: &Ctx<'_>, keys: &Keys<'_>, lasts: Duration, gap: Option<Duration>) -> Option<Duration> {
    let at = keys.lasts.as_ref()?;
    if LASTS_MAX < lasts {
        ctx.bad(
            at,
            "this window lasts longer than 31 days each time",
            "switch off what is not to be watched for so long: `enabled: false`",
        );
        return None;
    }
    let Some(gap) = gap else { return Some(lasts) };
    if gap < lasts {
        let message = format!("the next one begins before this one is over: {} after it has begun", DurationText(gap));
        ctx.bad(at, message, format!("make `duration` at most `{}`, or the schedule rarer", DurationText(gap)));
        return None;
    }
    if gap == lasts {
        let message = "one window follows the other without any time between";
        ctx.report.doubt(at.node.pos, &at.path, message, "while windows are open nobody is told of anything; make `duration` shorter");
    }
    Some(lasts)
}

fn schedule_of<T>(ctx: &Ctx<'_>, at: &At<'_>, parse: impl FnOnce(&str) -> Result<T, BadSchedule>) -> Option<T> {
    let text = readers::text(ctx, at)?;
    match parse(&text) {
        Ok(found) => Some(found),
        Err(error) => {
            ctx.bad(at, error.message, error.hint);
            None
        }
    }
}

/// A time with its offset, or one by the clock in `zone`.
fn moment(ctx: &Ctx<'_>, at: &At<'_>, zone: &Zone) -> Option<UnixMillis> {
    let text = readers::text(ctx, at)?;
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(UnixMillis(stamp.as_millisecond()));
    }
    let found = local(&text).and_then(|shown| zone.moment(shown));
    if found.is_none() {
        let hint = "write `2026-06-30T22:00` by the clock in `timezone`, or `2026-06-30T22:00:00+03:00`";
        ctx.bad(at, format!("`{text}` is not a time"), hint);
    }
    found
}

fn start(ctx: &Ctx<'_>, at: &At<'_>) -> Option<DateTime> {
    let text = readers::text(ctx, at)?;
    let found = local(&text);
    if text.parse::<Timestamp>().is_ok() {
        ctx.bad(at, format!("`{text}` has an offset of its own"), "write what the clock in `timezone` shows, such as `2026-01-06T22:00`");
        return None;
    }
    if found.is_none() {
        ctx.bad(at, format!("`{text}` is not a time"), "write what the clock in `timezone` shows, such as `2026-01-06T22:00`");
    }
    found
}

/// Day and time by some clock on the wall, in whole seconds.
fn local(text: &str) -> Option<DateTime> {
    let has_time = text.contains(['T', 't', ' ']) && !text.ends_with(['Z', 'z']);
    text.parse::<DateTime>().ok().filter(|found| has_time && found.subsec_nanosecond() == 0)
}
