//! Resolves `depends_on` when all monitors are known, and refuses circles.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::glob::glob_match;
use crate::config::readers;
use crate::config::reference;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;

/// Parents of one monitor at most: whoever depends on more than so many things depends on a group, and a pattern says so.
const PARENTS_MAX: usize = 100;

/// Writes the parents into the monitors. `places` has, for each of them, where it stands. `all_read` says that no monitor was refused, so that
/// a name which is not there is really missing.
pub(super) fn resolve(ctx: &Ctx<'_>, places: &[Option<At<'_>>], monitors: &mut [Arc<Monitor>], all_read: bool) {
    let known: Vec<(MonitorId, String)> = monitors.iter().map(|monitor| (monitor.id.clone(), monitor.name.clone())).collect();
    for (place, monitor) in places.iter().zip(monitors.iter_mut()) {
        let Some(at) = place else { continue };
        let parents = parents(ctx, at, monitor, &known, all_read);
        Arc::make_mut(monitor).depends_on = parents;
    }
    refuse_circles(ctx, places, monitors);
}

fn parents(ctx: &Ctx<'_>, at: &At<'_>, monitor: &Monitor, known: &[(MonitorId, String)], all_read: bool) -> Vec<MonitorId> {
    let mut found: Vec<MonitorId> = Vec::new();
    for item in at.one_or_many() {
        let Some(text) = readers::full_text(ctx, &item) else { continue };
        let is_pattern = text.contains(['*', '?']);
        let matching = known.iter().filter(|(id, name)| glob_match(&text, name) || id.as_str() == text);
        // A pattern may well match the monitor itself; that is not what is meant.
        let matching: Vec<&MonitorId> = matching.map(|(id, _)| id).filter(|id| !(is_pattern && **id == monitor.id)).collect();
        if matching.is_empty() && all_read {
            let hint = match reference::nearest(&text, known.iter().map(|(_, name)| name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name another monitor, by its name or its id; `*` and `?` are special".to_owned(),
            };
            ctx.bad(&item, format!("there is no monitor `{text}`"), hint);
        }
        for id in matching {
            if !found.contains(id) {
                found.push(id.clone());
            }
        }
    }
    if PARENTS_MAX < found.len() {
        ctx.bad(at, format!("this monitor would depend on {} others", found.len()), format!("name at most {PARENTS_MAX}"));
        found.truncate(PARENTS_MAX);
    }
    found
}

/// Every circle is told once, at one of its members.
fn refuse_circles(ctx: &Ctx<'_>, places: &[Option<At<'_>>], monitors: &[Arc<Monitor>]) {
    let index: HashMap<&MonitorId, usize> = monitors.iter().enumerate().map(|(i, monitor)| (&monitor.id, i)).collect();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    for start in 0..monitors.len() {
        // The way from `start`, each with the parents that are still to be followed.
        let mut way: Vec<(usize, std::slice::Iter<'_, MonitorId>)> = Vec::new();
        if done.insert(start) {
            way.extend(monitors.get(start).map(|monitor| (start, monitor.depends_on.iter())));
        }
        while let Some((_, rest)) = way.last_mut() {
            let Some(parent) = rest.next().and_then(|id| index.get(id)).copied() else {
                way.pop();
                continue;
            };
            if let Some(at) = way.iter().position(|(i, _)| *i == parent) {
                tell(ctx, places, monitors, &way[at..].iter().map(|(i, _)| *i).collect::<Vec<_>>());
            } else if done.insert(parent) {
                way.extend(monitors.get(parent).map(|monitor| (parent, monitor.depends_on.iter())));
            }
        }
    }
}

fn tell(ctx: &Ctx<'_>, places: &[Option<At<'_>>], monitors: &[Arc<Monitor>], circle: &[usize]) {
    let Some(at) = circle.first().and_then(|i| places.get(*i)).and_then(Option::as_ref) else { return };
    let names = circle.iter().chain(circle.first()).filter_map(|i| monitors.get(*i)).map(|monitor| format!("`{}`", monitor.name));
    let message = match circle {
        [_] => "this monitor depends on itself".to_owned(),
        _ => format!("these monitors depend on each other in a circle: {}", names.collect::<Vec<_>>().join(" on ")),
    };
    ctx.bad(at, message, "remove one of the dependencies: nobody would ever be told of any of them");
}
