//! Decodes which monitors are meant: by names, groups and labels. Windows and policies say it in the same way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::decode::page;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::glob::glob_match;
use crate::config::readers;
use crate::config::reference;
use crate::config::select;
use crate::model::maintenance::Selection;
use crate::model::monitor::Monitor;

/// What a map says of it.
pub(super) struct Asked<'a> {
    pub(super) names: Option<At<'a>>,
    pub(super) groups: Option<At<'a>>,
    pub(super) matching: Option<At<'a>>,
    /// Where `match` is described.
    pub(super) match_path: &'static str,
}

impl Asked<'_> {
    /// The selection. `all_read` says that no monitor was refused, so that a pattern which matches nothing is really odd.
    pub(super) fn selection(&self, ctx: &Ctx<'_>, monitors: &[Arc<Monitor>], all_read: bool) -> Selection {
        let names = patterns(ctx, self.names.as_ref());
        let groups = patterns(ctx, self.groups.as_ref());
        let matching = self.matching.as_ref();
        let labels = matching.and_then(|at| page::match_labels(ctx, at, self.match_path)).unwrap_or_default();
        let text = |(_, text): &(At<'_>, String)| text.clone();
        let wanted = Selection { names: names.iter().map(text).collect(), groups: groups.iter().map(text).collect(), labels };
        if all_read {
            doubt_what_matches_nothing(ctx, (&names, &groups, matching), &wanted, monitors);
        }
        wanted
    }
}

fn patterns<'a>(ctx: &Ctx<'_>, at: Option<&At<'a>>) -> Vec<(At<'a>, String)> {
    let items = at.map(At::one_or_many).unwrap_or_default();
    items.into_iter().filter_map(|at| readers::full_text(ctx, &at).map(|text| (at, text))).collect()
}

type Patterns<'a> = [(At<'a>, String)];

/// What matches nothing is not refused: it may be written before its monitors are, and heartbeats may be created later.
fn doubt_what_matches_nothing(
    ctx: &Ctx<'_>,
    (names, groups, labels): (&Patterns<'_>, &Patterns<'_>, Option<&At<'_>>),
    wanted: &Selection,
    monitors: &[Arc<Monitor>],
) {
    let doubt = |at: &At<'_>, message: String, known: BTreeSet<&str>, text: &str| {
        let hint = match reference::nearest(text, known.into_iter()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "only `*` and `?` are special; brackets are literal".to_owned(),
        };
        ctx.report.doubt(at.node.pos, &at.path, message, hint);
    };
    let known: BTreeSet<&str> = monitors.iter().map(|monitor| monitor.name.as_str()).collect();
    for (at, text) in names.iter().filter(|(_, text)| !known.iter().any(|name| glob_match(text, name))) {
        doubt(at, format!("no monitor has a name like `{text}`"), known.clone(), text);
    }
    let known: BTreeSet<&str> = monitors.iter().filter_map(|monitor| monitor.group.as_deref()).collect();
    for (at, text) in groups.iter().filter(|(_, text)| !known.iter().any(|group| glob_match(text, group))) {
        doubt(at, format!("no monitor is in a group like `{text}`"), known.clone(), text);
    }
    if let Some(at) = labels.filter(|_| !wanted.labels.is_empty() && !monitors.iter().any(|monitor| select::has_labels(wanted, monitor))) {
        ctx.report.doubt(at.node.pos, &at.path, "no monitor has these labels", "labels are compared as a whole, letter case included");
    }
}
