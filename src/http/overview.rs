//! What the operator's first page shows of all monitors: which are wanted, in which order and groups, and what is said of them in one
//! sentence. Pure. Everything that is wanted stands in the address, so that a view can be kept, sent to others, and needs no script.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::alert_views;
use crate::http::beat;
use crate::http::beat::Nuance;
use crate::http::regions;
use crate::http::views;
use crate::model::id::Region;
use crate::model::time::UnixMillis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::ui::links::Links;
use crate::ui::page::dashboard::Choice;
use crate::ui::page::dashboard::Count;
use crate::ui::page::dashboard::DashboardView;
use crate::ui::page::dashboard::FilterView;
use crate::ui::page::dashboard::GroupView;
use crate::ui::page::dashboard::MonitorRow;
use crate::ui::page::dashboard::Narrowed;
use crate::ui::page::dashboard::Place;
use crate::ui::page::dashboard::Summary;

/// States in the order in which people want to hear of them.
const WORST_FIRST: [Verdict; 6] = [Verdict::Down, Verdict::Degraded, Verdict::Unknown, Verdict::Maintenance, Verdict::Paused, Verdict::Up];

/// With more monitors than this, those that fail are shown alone, and the others in groups: it is what fits on a screen.
const MANY: usize = 25;

/// Up to so many monitors are all seen anyway; a form to choose from them would be longer than they are.
const FEW: usize = 6;

/// Groups are open in a view of up to so many monitors: a few screens can be looked through.
const OPEN_MAX: usize = 100;

/// Places named in the first sentences; more of them are a number.
const PLACES_MAX: usize = 4;

/// Groups and labels in a menu; nobody looks through more, and the search finds the others.
const CHOICES_MAX: usize = 200;

/// Characters of a search that are looked at; names are not longer.
const TEXT_CHARS_MAX: usize = 100;

/// Said of monitors that have no group, or not the label by which they are grouped.
const REST: &str = "Others";

/// By what monitors are put into groups.
#[derive(Debug, Clone, PartialEq, Eq)]
enum By {
    Group,
    State,
    Label(String),
    Nothing,
}

impl By {
    fn read(word: &str) -> Option<By> {
        match word {
            "group" => Some(By::Group),
            "state" => Some(By::State),
            "none" => Some(By::Nothing),
            other => other.strip_prefix("label:").filter(|key| !key.is_empty()).map(|key| By::Label(key.to_owned())),
        }
    }

    fn word(&self) -> String {
        match self {
            By::Group => "group".to_owned(),
            By::State => "state".to_owned(),
            By::Label(key) => format!("label:{key}"),
            By::Nothing => "none".to_owned(),
        }
    }
}

/// What is asked for in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Words that must all be found.
    text: String,
    state: Option<Verdict>,
    group: Option<String>,
    /// `team=web`.
    label: Option<String>,
    by: Option<By>,
    /// Also those that are fine.
    all: bool,
    /// What could not be understood, in a sentence.
    note: Option<String>,
}

impl Wanted {
    /// Reads a query. What is empty is not asked for; what nobody knows is ignored, as in any address.
    #[must_use]
    pub fn read(query: &str) -> Wanted {
        let mut wanted = Wanted::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match name.as_ref() {
                "q" => wanted.text = value.chars().take(TEXT_CHARS_MAX).collect(),
                "state" => match Verdict::ALL.into_iter().find(|state| state.word() == value) {
                    Some(state) => wanted.state = Some(state),
                    None => wanted.note = Some(format!("There is no state \"{value}\"; monitors in all states are shown.")),
                },
                "group" => wanted.group = Some(value.to_owned()),
                "label" => wanted.label = Some(value.to_owned()),
                "by" => match By::read(value) {
                    Some(by) => wanted.by = Some(by),
                    None => wanted.note = Some(format!("Monitors cannot be grouped by \"{value}\".")),
                },
                "show" => wanted.all = value == "all",
                _ => {}
            }
        }
        wanted
    }

    fn is_filter(&self) -> bool {
        !self.text.is_empty() || self.state.is_some() || self.group.is_some() || self.label.is_some()
    }

    /// The same as an address.
    fn href(&self, links: &Links) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let by = self.by.as_ref().map(By::word);
        let parts = [
            ("q", Some(self.text.as_str()).filter(|text| !text.is_empty())),
            ("state", self.state.map(Verdict::word)),
            ("group", self.group.as_deref()),
            ("label", self.label.as_deref()),
            ("by", by.as_deref()),
            ("show", self.all.then_some("all")),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { links.dashboard() } else { format!("{}?{query}", links.dashboard()) }
    }

    fn fits(&self, view: &MonitorView) -> bool {
        let monitor = &view.monitor;
        self.state.is_none_or(|state| state == view.verdict)
            && self.group.as_ref().is_none_or(|group| monitor.group.as_ref() == Some(group))
            && self.label.as_ref().is_none_or(|label| monitor.labels.iter().any(|pair| written(pair) == *label))
            && (self.text.is_empty() || self.is_found_in(view))
    }

    /// Every word must be somewhere in what is known of the monitor.
    fn is_found_in(&self, view: &MonitorView) -> bool {
        let monitor = &view.monitor;
        let labels: Vec<String> = monitor.labels.iter().map(written).collect();
        let mut text = [monitor.name.as_str(), monitor.id.as_str(), monitor.probe.kind(), monitor.group.as_deref().unwrap_or_default()]
            .into_iter()
            .chain(labels.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("\n");
        for more in [Some(monitor.target()), views::cause(view)].into_iter().flatten() {
            text.push('\n');
            text.push_str(&more);
        }
        let text = text.to_lowercase();
        self.text.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// A label as it is written in addresses and menus.
fn written((key, value): (&String, &String)) -> String {
    format!("{key}={value}")
}

/// Something is wrong with it: not only that nothing is known.
fn is_failing(row: &MonitorRow) -> bool {
    matches!(row.state, Verdict::Down | Verdict::Degraded) || row.is_regional
}

fn rank(state: Verdict) -> usize {
    WORST_FIRST.iter().position(|known| *known == state).unwrap_or(0)
}

/// The whole view.
#[must_use]
pub fn view(snapshot: &Snapshot, wanted: &Wanted, links: &Links, now: UnixMillis) -> DashboardView {
    let all: Vec<&Arc<MonitorView>> = snapshot.config.monitors.iter().filter_map(|m| snapshot.monitors.get(&m.id)).collect();
    let voters = snapshot.cluster.iter().flat_map(|cluster| &cluster.nodes).filter(|node| node.is_configured);
    let regions: Vec<String> = voters.map(|node| node.region.to_string()).collect();
    let own_region = snapshot.config.instance.region.to_string();
    let row = |view: &Arc<MonitorView>| row(view, (&own_region, regions.len()), (snapshot, now));
    let failing: Vec<&Arc<MonitorView>> = all.iter().copied().filter(|view| is_failing_view(view)).collect();
    let narrowed = match (wanted.is_filter(), wanted.all) {
        (true, _) => Narrowed::Chosen,
        (false, false) if MANY < all.len() && !failing.is_empty() => {
            Narrowed::Failing { all: Wanted { all: true, ..wanted.clone() }.href(links) }
        }
        (false, _) => Narrowed::No,
    };
    let shown: Vec<&Arc<MonitorView>> = match &narrowed {
        Narrowed::Failing { .. } => failing.clone(),
        Narrowed::Chosen => all.iter().copied().filter(|view| wanted.fits(view)).collect(),
        Narrowed::No => all.clone(),
    };
    let by = wanted.by.clone().unwrap_or_else(|| {
        let n_groups = shown.iter().map(|view| &view.monitor.group).collect::<BTreeSet<_>>().len();
        let is_worth_it = MANY < shown.len() && 1 < n_groups && !matches!(narrowed, Narrowed::Failing { .. });
        if is_worth_it { By::Group } else { By::Nothing }
    });
    let mut rows: Vec<(String, MonitorRow)> = shown.iter().map(|view| (title_of(view, &by), row(view))).collect();
    // Failing first, those that fail from some regions before those that do not; within a state the order of the config, which people
    // chose. Paused ones stand among the fine ones.
    rows.sort_by_key(|(_, row)| {
        let state = if row.state == Verdict::Paused { Verdict::Up } else { row.state };
        (rank(state), !row.is_regional)
    });
    DashboardView {
        summary: summary(&all, &failing, (wanted, links), !regions.is_empty()),
        counts: counts(&all, wanted, links),
        filter: filter(&all, wanted, &by),
        regions,
        n_all: all.len(),
        n_shown: rows.len(),
        groups: grouped(rows, &by, &narrowed),
        clear: links.dashboard(),
        note: wanted.note.clone(),
        narrowed,
    }
}

fn is_failing_view(view: &MonitorView) -> bool {
    matches!(view.verdict, Verdict::Down | Verdict::Degraded) || !regions::troubled(view).is_empty()
}

/// The group that a monitor belongs to.
fn title_of(view: &MonitorView, by: &By) -> String {
    match by {
        By::Group => view.monitor.group.clone().unwrap_or_else(|| REST.to_owned()),
        By::State => crate::ui::component::badge::word(view.verdict).to_owned(),
        By::Label(key) => view.monitor.labels.get(key).cloned().unwrap_or_else(|| REST.to_owned()),
        By::Nothing => String::new(),
    }
}

/// Those with trouble first, then by name; what belongs nowhere comes last.
fn grouped(rows: Vec<(String, MonitorRow)>, by: &By, narrowed: &Narrowed) -> Vec<GroupView> {
    let is_small = rows.len() <= OPEN_MAX || *narrowed == Narrowed::Chosen;
    let mut found: BTreeMap<String, Vec<MonitorRow>> = BTreeMap::new();
    for (title, mut row) in rows {
        if *by == By::Group {
            row.group = None;
        }
        found.entry(title).or_default().push(row);
    }
    let mut groups: Vec<GroupView> = found
        .into_iter()
        .map(|(title, rows)| {
            let counts: Vec<(Verdict, usize)> = WORST_FIRST
                .into_iter()
                .map(|state| (state, rows.iter().filter(|row| row.state == state).count()))
                .filter(|(_, n)| 0 < *n)
                .collect();
            let n_failing = rows.iter().filter(|row| is_failing(row)).count();
            GroupView { is_open: is_small || 0 < n_failing, title: (*by != By::Nothing).then_some(title), counts, rows }
        })
        .collect();
    groups.sort_by_key(|group| {
        let worst = group.counts.first().map_or(usize::MAX, |(state, _)| rank(*state));
        let is_calm = !group.rows.iter().any(is_failing);
        let is_rest = group.title.as_deref() == Some(REST);
        (is_calm, if is_calm && *by != By::State { 0 } else { worst }, is_rest)
    });
    groups
}

/// One for each state; each leads to those in it, and back.
fn counts(all: &[&Arc<MonitorView>], wanted: &Wanted, links: &Links) -> Vec<Count> {
    WORST_FIRST
        .into_iter()
        .map(|state| {
            let is_chosen = wanted.state == Some(state);
            let target = Wanted { state: (!is_chosen).then_some(state), note: None, ..wanted.clone() };
            Count { state, n: all.iter().filter(|view| view.verdict == state).count(), href: target.href(links), is_chosen }
        })
        .collect()
}

fn filter(all: &[&Arc<MonitorView>], wanted: &Wanted, by: &By) -> FilterView {
    let choices = |found: BTreeSet<String>, chosen: Option<&String>| {
        let mut list: Vec<Choice> =
            found.into_iter().take(CHOICES_MAX).map(|word| Choice { is_chosen: Some(&word) == chosen, says: word.clone(), word }).collect();
        if let Some(chosen) = chosen.filter(|_| !list.iter().any(|choice| choice.is_chosen)) {
            list.push(Choice { word: chosen.clone(), says: chosen.clone(), is_chosen: true });
        }
        list
    };
    let keys: BTreeSet<&String> = all.iter().flat_map(|view| view.monitor.labels.keys()).collect();
    let ways = [(By::Nothing, "nothing".to_owned()), (By::Group, "group".to_owned()), (By::State, "state".to_owned())];
    let ways = ways.into_iter().chain(keys.into_iter().take(CHOICES_MAX).map(|key| (By::Label(key.clone()), format!("label {key}"))));
    FilterView {
        text: wanted.text.clone(),
        text_chars_max: TEXT_CHARS_MAX,
        state: wanted.state,
        groups: choices(all.iter().filter_map(|view| view.monitor.group.clone()).collect(), wanted.group.as_ref()),
        labels: choices(all.iter().flat_map(|view| view.monitor.labels.iter().map(written)).collect(), wanted.label.as_ref()),
        ways: ways.map(|(way, says)| Choice { is_chosen: way == *by, word: way.word(), says }).collect(),
        shows_all: wanted.all,
        is_worth_it: FEW < all.len() || wanted.is_filter() || wanted.by.is_some(),
    }
}

/// What is wrong, where, and since when.
fn summary(all: &[&Arc<MonitorView>], failing: &[&Arc<MonitorView>], (wanted, links): (&Wanted, &Links), has_regions: bool) -> Summary {
    let (state, sentence) = sentence(all);
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    let mut places: BTreeMap<&Region, usize> = BTreeMap::new();
    for view in failing {
        *groups.entry(view.monitor.group.as_deref().unwrap_or_default()).or_default() += 1;
        for region in view.regions.failing.iter().filter(|_| has_regions) {
            *places.entry(region).or_default() += 1;
        }
    }
    let name_group = |(name, n): (&str, usize)| {
        let group = Wanted { group: Some(name.to_owned()), by: wanted.by.clone(), ..Wanted::default() };
        let href = (!name.is_empty()).then(|| group.href(links));
        Place { name: if name.is_empty() { "no group".to_owned() } else { name.to_owned() }, n, href }
    };
    // Where nobody uses groups, "in no group" says nothing.
    let has_groups = groups.keys().any(|name| !name.is_empty());
    let groups = most(groups.into_iter().filter(|_| has_groups).map(name_group).collect());
    let regions = most(places.into_iter().map(|(region, n)| Place { name: region.to_string(), n, href: None }).collect());
    Summary {
        state,
        sentence,
        first: failing.iter().map(|view| view.since).min(),
        newest: failing.iter().map(|view| view.since).max().filter(|_| 1 < failing.len()),
        groups,
        regions,
    }
}

/// Those with the most, and what is left as a number.
fn most(mut places: Vec<Place>) -> (Vec<Place>, usize) {
    places.sort_by_key(|place| std::cmp::Reverse(place.n));
    let n_more = places.len().saturating_sub(PLACES_MAX);
    places.truncate(PLACES_MAX);
    (places, n_more)
}

fn sentence(all: &[&Arc<MonitorView>]) -> (Verdict, String) {
    let n = |state: Verdict| all.iter().filter(|view| view.verdict == state).count();
    let n_regional = all.iter().filter(|view| view.verdict == Verdict::Up && !regions::troubled(view).is_empty()).count();
    let of = |n: usize, one: &str, many: &str| match (n, all.len()) {
        (1, 1) => format!("The one monitor {one}"),
        (n, total) if n == total => format!("All {total} monitors {many}"),
        (1, total) => format!("1 of {total} monitors {one}"),
        (n, total) => format!("{n} of {total} monitors {many}"),
    };
    let (down, degraded, unknown) = (n(Verdict::Down), n(Verdict::Degraded), n(Verdict::Unknown));
    let mut parts = Vec::new();
    let mut say = |n: usize, (one, many): (&str, &str), later: String| {
        if 0 < n {
            parts.push(if parts.is_empty() { of(n, one, many) } else { later });
        }
    };
    say(down, ("is down", "are down"), format!("{down} down"));
    say(degraded, ("is degraded", "are degraded"), format!("{degraded} degraded"));
    let (one, many) = ("fails from some regions", "fail from some regions");
    say(n_regional, (one, many), format!("{n_regional} {}", if n_regional == 1 { one } else { many }));
    let is_failing = !parts.is_empty();
    let mut say = |n: usize, words: &str| {
        if 0 < n {
            parts.push(format!("{n} {words}"));
        }
    };
    let state = match (down, degraded + n_regional, unknown) {
        (1.., _, _) => Verdict::Down,
        (0, 1.., _) => Verdict::Degraded,
        (0, 0, 1..) => Verdict::Unknown,
        (0, 0, 0) => Verdict::Up,
    };
    say(unknown, "unknown");
    if is_failing {
        return (state, parts.join(", "));
    }
    say(n(Verdict::Maintenance), "in maintenance");
    say(n(Verdict::Paused), "paused");
    let fine = if 0 < n(Verdict::Up) { of(n(Verdict::Up), "is up", "are up") } else { "Nothing is known to be down".to_owned() };
    parts.insert(0, fine);
    (state, parts.join(", "))
}

fn row(view: &MonitorView, regions: (&str, usize), (snapshot, now): (&Snapshot, UnixMillis)) -> MonitorRow {
    MonitorRow {
        id: view.monitor.id.clone(),
        name: view.monitor.name.clone(),
        group: view.monitor.group.clone(),
        state: view.verdict,
        // Up for most, and a reason to look.
        said: beat::nuance(view).map(Nuance::said).or((!regions::troubled(view).is_empty()).then_some((Verdict::Degraded, "Regional"))),
        marks: alert_views::marks(view, snapshot, now),
        since: view.since,
        is_heartbeat: view.heartbeat.is_some(),
        expected_at: view.heartbeat.as_ref().and_then(|beat| beat.seen.expected).filter(|_| view.verdict != Verdict::Paused),
        suspect: view.opinion.state == OpinionState::Suspect,
        is_regional: !regions::troubled(view).is_empty(),
        is_here: regions::is_checked_here(view),
        upkeep: view.upkeep.as_ref().map(|open| (open.window.name.clone(), open.span.to)),
        cause: views::cause(view),
        incident: view.incidents.first().map(|incident| incident.id.clone()),
        last: view.last.as_ref().map(|last| (last.at, last.timings.total)),
        next_at: view.next_check_at,
        regions: regions::cell(view, regions),
        recent: views::ticks(view),
    }
}
