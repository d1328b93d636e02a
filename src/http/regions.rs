//! From votes, and from what nodes told, to what pages say of regions. Pure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::engine::snapshot::Agreement;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::VoteView;
use crate::http::colleagues::AllTold;
use crate::http::colleagues::Told;
use crate::model::id::Region;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::peer::Vantage;
use crate::model::result::Outcome;
use crate::model::verdict::Confidence;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;
use crate::peer::results::Results;
use crate::ui::component::chart::Sample;
use crate::ui::component::chart::Tick;
use crate::ui::component::regions::Measured;
use crate::ui::component::regions::RegionResults;
use crate::ui::component::regions::RegionRow;
use crate::ui::component::regions::RegionsCell;
use crate::ui::component::regions::RegionsView;

/// Whether others watch it, too.
#[must_use]
pub fn is_shared(view: &MonitorView) -> bool {
    view.votes.iter().any(|vote| vote.node.is_some())
}

/// A vote as a state: what it counts as.
#[must_use]
pub fn state(vote: &VoteView) -> Verdict {
    match (vote.state, vote.ignored) {
        (OpinionState::Paused, _) => Verdict::Paused,
        (_, Some(_)) | (OpinionState::Unknown, None) => Verdict::Unknown,
        (OpinionState::Up | OpinionState::Suspect, None) => Verdict::Up,
        (OpinionState::Degraded, None) => Verdict::Degraded,
        (OpinionState::Down, None) => Verdict::Down,
    }
}

fn is_failing(vote: &VoteView) -> bool {
    matches!(state(vote), Verdict::Down | Verdict::Degraded)
}

/// The votes that make the verdict: those outside, or all when nobody looks from outside.
fn voters(view: &MonitorView) -> Vec<&VoteView> {
    let outside: Vec<&VoteView> = view.votes.iter().filter(|vote| vote.vantage == Vantage::External).collect();
    if outside.is_empty() { view.votes.iter().collect() } else { outside }
}

/// Those inside, when others make the verdict.
fn inside(view: &MonitorView) -> Vec<&VoteView> {
    let is_split = view.votes.iter().any(|vote| vote.vantage == Vantage::External);
    view.votes.iter().filter(|vote| is_split && vote.vantage == Vantage::Internal).collect()
}

/// The votes to point at: failing ones outside, else failing ones inside.
fn failing(view: &MonitorView) -> Vec<&VoteView> {
    let of = |votes: Vec<&'_ VoteView>| votes.into_iter().filter(|vote| is_failing(vote)).count();
    let list = if of(voters(view)) == 0 { inside(view) } else { voters(view) };
    list.into_iter().filter(|vote| is_failing(vote)).collect()
}

/// Regions with trouble although the verdict is up; empty when there is none. Names once each, in the order of the config.
#[must_use]
pub fn troubled(view: &MonitorView) -> Vec<String> {
    let open = view.incidents.iter().find(|incident| incident.lane == Lane::Regional);
    if view.verdict != Verdict::Up || (view.agreement != Agreement::Regional && open.is_none()) {
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::new();
    let told = open.into_iter().flat_map(|incident| &incident.regions.failing);
    let seen: Vec<&Region> = failing(view).into_iter().map(|vote| &vote.region).collect();
    // An incident outlasts its votes by a moment.
    let regions: Vec<&Region> = if seen.is_empty() { told.collect() } else { seen };
    for region in regions {
        if !names.iter().any(|name| name == region.as_str()) {
            names.push(region.to_string());
        }
    }
    names
}

/// Why a monitor is not up, in one sentence. The same on every node: what this node saw counts only as its vote.
#[must_use]
pub fn cause(view: &MonitorView) -> Option<String> {
    let own = || view.opinion.failure.as_ref().map(ToString::to_string);
    if !is_shared(view) {
        return own();
    }
    let voted = || failing(view).into_iter().find_map(|vote| vote.cause.clone());
    let recorded = || view.incidents.first().map(|incident| incident.cause.to_string());
    match view.verdict {
        Verdict::Down | Verdict::Degraded => voted().or_else(recorded).or_else(own),
        Verdict::Up if troubled(view).is_empty() => own().filter(|_| view.opinion.state == OpinionState::Suspect),
        Verdict::Up => voted().or_else(recorded),
        Verdict::Unknown => own(),
        Verdict::Maintenance => voted(),
        Verdict::Paused => None,
    }
}

/// The same as a stable word, as far as this node knows it: of others only sentences are known until an incident is recorded.
#[must_use]
pub fn cause_code(view: &MonitorView) -> Option<&'static str> {
    let own = view.opinion.failure.as_ref().map(|failure| failure.code());
    own.or_else(|| cause(view).and_then(|_| view.incidents.first()).map(|incident| incident.cause.code()))
}

/// Everything about regions on a monitor's page; `None` when watching alone. `told` has what others measured, `own` what this node did.
#[must_use]
pub fn view(view: &MonitorView, told: &AllTold, own: &Results) -> Option<RegionsView> {
    is_shared(view).then(|| RegionsView {
        sentences: sentences(view),
        diagnosis: view.diagnosis.map(|diagnosis| diagnosis.sentence()),
        decider: view.decider.as_ref().map(ToString::to_string),
        rows: view.votes.iter().map(|vote| row(vote, measured(vote, told, own))).collect(),
    })
}

/// What one region says, without what was measured there.
#[must_use]
pub fn row(vote: &VoteView, measured: Measured) -> RegionRow {
    let said = match vote.state {
        OpinionState::Up | OpinionState::Suspect => Some("up"),
        OpinionState::Degraded => Some("degraded"),
        OpinionState::Down => Some("down"),
        OpinionState::Unknown | OpinionState::Paused => None,
    };
    let said = said.filter(|_| vote.ignored.is_some_and(|why| why != Ignored::OtherProbe));
    RegionRow {
        region: vote.region.to_string(),
        node: vote.node.as_ref().map(ToString::to_string).unwrap_or_default(),
        is_inside: vote.vantage == Vantage::Internal,
        is_me: vote.is_me,
        state: state(vote),
        is_suspect: vote.state == OpinionState::Suspect && vote.ignored.is_none(),
        since: vote.since.filter(|_| vote.ignored.is_none() && vote.state != OpinionState::Paused),
        cause: vote.cause.clone().filter(|_| vote.ignored.is_none()),
        ignored: vote.ignored.filter(|_| vote.state != OpinionState::Paused).map(|why| match said {
            Some(said) => format!("{}; it said {said} before", why.words()),
            None => why.words().to_owned(),
        }),
        measured,
    }
}

fn measured(vote: &VoteView, told: &AllTold, own: &Results) -> Measured {
    if vote.is_me {
        return measured_of(own);
    }
    match vote.node.as_ref().and_then(|node| told.get(node)) {
        None => Measured::NotAsked,
        Some(Told::Nothing(why)) => Measured::Nothing(why.clone()),
        Some(Told::Results(told)) => measured_of(told),
    }
}

fn measured_of(results: &Results) -> Measured {
    let Some(newest) = &results.newest else { return Measured::Nothing("no check yet".to_owned()) };
    Measured::Results(Box::new(RegionResults {
        at: newest.at,
        outcome: newest.outcome,
        status: newest.status,
        remote: newest.remote.map(|remote| remote.to_string()),
        timings: newest.timings,
        lines: newest.transcript.lines.clone(),
        n_dropped: newest.transcript.n_dropped,
        recent: results.recent.iter().map(|recent| Tick { outcome: recent.outcome, took: recent.took }).collect(),
        samples: results.sums.iter().map(|sum| Sample { at: sum.start, p50: sum.p50, p95: sum.p95 }).collect(),
    }))
}

/// What the votes say together.
#[must_use]
pub fn sentences(view: &MonitorView) -> Vec<String> {
    let from_inside = from_inside(view).map(ToOwned::to_owned);
    [together(view)].into_iter().chain(from_inside).chain(view.incidents.iter().find_map(fewer)).collect()
}

fn from_inside(view: &MonitorView) -> Option<&'static str> {
    let inside = inside(view);
    let n = |wanted: &[Verdict]| inside.iter().filter(|vote| wanted.contains(&state(vote))).count();
    Some(match (n(&[Verdict::Down, Verdict::Degraded]), n(&[Verdict::Up])) {
        _ if inside.is_empty() || view.verdict == Verdict::Paused => return None,
        (0, 0) => "From inside nothing is known.",
        (0, _) => "From inside it works.",
        (_, 0) if view.verdict == Verdict::Up => "From inside it does not work.",
        (_, 0) => "From inside it does not work either.",
        (_, _) => "Those inside do not agree.",
    })
}

fn together(view: &MonitorView) -> String {
    let voters = voters(view);
    let counted: Vec<Verdict> =
        voters.iter().map(|vote| state(vote)).filter(|s| !matches!(s, Verdict::Unknown | Verdict::Paused)).collect();
    let regions: BTreeSet<&Region> = voters.iter().map(|vote| &vote.region).collect();
    let noun = if regions.len() == voters.len() { "region" } else { "node" };
    let n_voters = voters.len();
    let of = |n: usize| format!("{n} of {}", crate::ui::text::count(n_voters, noun));
    let verb = |n: usize| if n == 1 { "says" } else { "say" };
    let n_bad = counted.iter().filter(|s| matches!(s, Verdict::Down | Verdict::Degraded)).count();
    let n_down = counted.iter().filter(|s| **s == Verdict::Down).count();
    let (n_said, word) = match (n_down, n_bad) {
        (0, 0) => (counted.len(), "up"),
        (0, bad) => (bad, "degraded"),
        (down, _) => (down, "down"),
    };
    let quorum = view.monitor.quorum;
    match view.agreement {
        _ if view.verdict == Verdict::Paused => "Nobody checks it while it is paused.".to_owned(),
        Agreement::Agreed if n_said == n_voters && n_bad == 0 && 1 < n_voters => format!("All {n_voters} {noun}s say up."),
        Agreement::Agreed => format!("{} {} {word} (quorum: {quorum}).", of(n_said), verb(n_said)),
        Agreement::Regional => {
            format!("{} {} {word}, which is short of the quorum ({quorum}): it counts as up.", of(n_said), verb(n_said))
        }
        Agreement::Contested => {
            format!("{} {} {word} and as many do not: what held before goes on.", of(n_said), verb(n_said))
        }
        Agreement::Insufficient if counted.is_empty() => {
            format!("None of {n_voters} {noun}s has a say at the moment: what held before goes on.")
        }
        Agreement::Insufficient => {
            format!(
                "Only {} {} a say at the moment, too few to decide: what held before goes on.",
                of(counted.len()),
                if counted.len() == 1 { "has" } else { "have" }
            )
        }
    }
}

/// That an incident was decided by fewer than were to.
#[must_use]
pub fn fewer(incident: &Incident) -> Option<String> {
    if incident.confidence == Confidence::Full {
        return None;
    }
    let seen = incident.regions.failing.len() + incident.regions.fine.len();
    let all = seen + incident.regions.unknown.len();
    let kind = match incident.lane {
        Lane::Outage => "The outage",
        Lane::Degradation => "The degradation",
        Lane::Regional => "The regional trouble",
    };
    Some(if seen < all {
        format!("{kind} was decided by {seen} of {}, because the others were not seen.", crate::ui::text::count(all, "region"))
    } else {
        format!("{kind} was decided with fewer nodes in sight than wanted, after waiting for the others.")
    })
}

/// The regions of a monitor in a table of many.
#[must_use]
pub fn cell(view: &MonitorView, (own_region, n_all): (&str, usize)) -> RegionsCell {
    if !is_shared(view) {
        let names: Vec<String> = view.regions.failing.iter().map(ToString::to_string).collect();
        return RegionsCell::Alone(if names.is_empty() { own_region.to_owned() } else { names.join(", ") });
    }
    let mut names: BTreeMap<Verdict, Vec<String>> = BTreeMap::new();
    let states: Vec<Verdict> = view.votes.iter().map(state).collect();
    for (vote, state) in view.votes.iter().zip(&states) {
        names.entry(*state).or_default().push(vote.region.to_string());
    }
    RegionsCell::Votes { states, names: names.into_iter().collect(), n_all }
}

/// What is said of a region on a status page: `None` when nobody there checks it. Of several nodes in a region the worst counts, as for
/// regions in messages.
#[must_use]
pub fn of_region(view: &MonitorView, region: &Region) -> Option<Verdict> {
    let there: Vec<Verdict> = view.votes.iter().filter(|vote| vote.region == *region).map(state).collect();
    let first = there.first()?;
    Some(if matches!(view.verdict, Verdict::Paused | Verdict::Maintenance) {
        view.verdict
    } else {
        [Verdict::Down, Verdict::Degraded, Verdict::Up, Verdict::Unknown].into_iter().find(|s| there.contains(s)).unwrap_or(*first)
    })
}

/// What the newest check of this node has to do with it: nothing, when it is watched from elsewhere.
#[must_use]
pub fn is_checked_here(view: &MonitorView) -> bool {
    !is_shared(view) || view.votes.iter().any(|vote| vote.is_me)
}

/// The own results, as others would be told them.
#[must_use]
pub fn own(view: &MonitorView, samples: &[Sample]) -> Results {
    let sums = samples.iter().map(|s| crate::peer::results::Sum { start: s.at, p50: s.p50, p95: s.p95 }).collect();
    Results { sums, ..Results::of(view, &[]) }
}

/// What each region saw in a time that is over: those in which a check was bad, and those that do not say.
#[must_use]
pub fn then_rows(view: &MonitorView, told: &AllTold, own: &Results) -> Vec<RegionRow> {
    view.votes.iter().filter_map(|vote| then_row(vote, told, own)).collect()
}

fn then_row(vote: &VoteView, told: &AllTold, own: &Results) -> Option<RegionRow> {
    let row = |state, cause, measured| RegionRow { state, cause, is_suspect: false, since: None, ignored: None, ..row(vote, measured) };
    let results = match told.get(vote.node.as_ref()?) {
        _ if vote.is_me => own,
        Some(Told::Results(results)) => results,
        Some(Told::Nothing(why)) => return Some(row(Verdict::Unknown, None, Measured::Nothing(why.clone()))),
        None => return None,
    };
    let newest = results.newest.as_ref()?;
    let state = match newest.outcome {
        Outcome::Down => Verdict::Down,
        Outcome::Degraded => Verdict::Degraded,
        Outcome::Up | Outcome::Unknown => Verdict::Unknown,
    };
    Some(row(state, newest.failure.clone(), measured_of(results)))
}

/// Regions that fail by the votes of now, as rows with what was measured there.
#[must_use]
pub fn failing_rows(view: &MonitorView, told: &AllTold) -> Vec<RegionRow> {
    let own = own(view, &[]);
    failing(view).into_iter().map(|vote| row(vote, measured(vote, told, &own))).collect()
}
