//! From the engine's snapshot and the store's rows to the view structs of the operators' pages. Pure.

use crate::config::Problem;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Reloaded;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::UplinkView;
use crate::http::alert_views;
use crate::http::auth::Viewer;
use crate::http::channel_views::delivery_row;
use crate::http::colleagues::AllTold;
use crate::http::limits::FRESH_FOR;
use crate::http::live;
use crate::http::regions;
use crate::http::timeline;
use crate::http::visit::Visit;
use crate::model::incident::Incident;
use crate::model::monitor::Origin;
use crate::model::result::CheckResult;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::store::Delivery;
use crate::store::SubscriberCount;
use crate::ui::component::chart::Tick;
use crate::ui::component::delivery::DeliveryRow;
use crate::ui::component::incident::IncidentRow;
use crate::ui::component::notice::Banner;
use crate::ui::component::notice::ProblemView;
use crate::ui::layout::Frame;
use crate::ui::links::Links;
use crate::ui::page::config::ConfigView;
use crate::ui::page::config::ReloadRow;
use crate::ui::page::config::SubscribersRow;
use crate::ui::page::incidents::IncidentNow;
use crate::ui::page::incidents::IncidentView;
use crate::ui::page::monitor::LastCheck;
use crate::ui::page::monitor::PauseState;
use crate::ui::text;

/// Digits of the config's hash that are shown; enough to compare by eye.
pub const HASH_DIGITS: usize = 12;

/// What every page of the operators has around it.
#[must_use]
pub fn frame(visit: &Visit, viewer: &Viewer, snapshot: &Snapshot) -> Frame {
    Frame {
        links: visit.links.clone(),
        now: visit.now.wall,
        user: viewer.name().to_owned(),
        may_operate: viewer.may_operate(),
        may_administer: viewer.may_administer(),
        form_token: viewer.form_token().to_owned(),
        revision: live::revision(snapshot),
        has_peers: snapshot.cluster.is_some(),
        has_heartbeats: snapshot.config.monitors.iter().any(|monitor| monitor.heartbeat().is_some()),
        banners: banners(snapshot, &visit.links, visit.now.wall),
    }
}

fn banners(snapshot: &Snapshot, links: &Links, now: UnixMillis) -> Vec<Banner> {
    let mut banners = Vec::new();
    let mut say = |state, text: String, link: Option<(String, &str)>| {
        banners.push(Banner { state, text, link: link.map(|(href, words)| (href, words.to_owned())) });
    };
    if now.since(snapshot.at) >= FRESH_FOR {
        say(
            Verdict::Down,
            format!("vigilmon has not looked at anything since {}. What is shown here is old.", text::utc(snapshot.at)),
            None,
        );
    }
    if let UplinkView::Lost(since) = snapshot.uplink {
        let text = format!("The uplink of this vantage is lost since {}. Failures of targets beyond it are not judged.", text::utc(since));
        say(Verdict::Degraded, text, None);
    }
    let reload = &snapshot.reload;
    if reload.is_last_good_copy {
        let text = "The config files were not valid at start: the last good copy is running.".to_owned();
        say(Verdict::Down, text, Some((links.config(), "See what is wrong")));
    } else if !reload.problems.is_empty() {
        let text = format!("The config files have {}; the config from before is running.", text::count(reload.problems.len(), "problem"));
        say(Verdict::Degraded, text, Some((links.config(), "See what is wrong")));
    }
    for trouble in &snapshot.troubles {
        say(Verdict::Degraded, format!("Since {}: {}. {}", text::utc(trouble.since), trouble.title, trouble.text), None);
    }
    if !reload.needs_restart.is_empty() {
        let text = format!("{} of the config wait for a restart.", text::count(reload.needs_restart.len(), "change"));
        say(Verdict::Unknown, text, Some((links.config(), "Which")));
    }
    banners
}

/// Open incidents of all monitors, newest first.
#[must_use]
pub fn open_incidents(snapshot: &Snapshot) -> Vec<Incident> {
    let mut open: Vec<Incident> = snapshot.monitors.values().flat_map(|view| view.incidents.iter().cloned()).collect();
    open.sort_by_key(|incident| (std::cmp::Reverse(incident.opened_at), incident.id.clone()));
    open
}

/// Why a monitor is not up, in one sentence.
#[must_use]
pub fn cause(view: &MonitorView) -> Option<String> {
    let cause = regions::cause(view).filter(|_| view.verdict != Verdict::Paused)?;
    let troubled = regions::troubled(view);
    Some(if troubled.is_empty() { cause } else { format!("from {}: {cause}", troubled.join(", ")) })
}

/// The newest results, small.
#[must_use]
pub fn ticks(view: &MonitorView) -> Vec<Tick> {
    view.recent.iter().map(|recent| Tick { outcome: recent.outcome, took: recent.took }).collect()
}

/// The newest check in full.
#[must_use]
pub fn last_check(last: &CheckResult) -> LastCheck {
    LastCheck {
        at: last.at,
        outcome: last.outcome,
        failure: last.failure.as_ref().map(ToString::to_string),
        status: last.status,
        remote: last.remote.map(|remote| remote.to_string()),
        certificate_not_after: last.certificate_not_after,
        timings: last.timings,
        transcript: last.transcript.lines.clone(),
        n_dropped: last.transcript.n_dropped,
    }
}

/// What is said of pausing.
#[must_use]
pub fn pause_state(view: &MonitorView) -> PauseState {
    match (view.monitor.enabled, view.paused_by_operator) {
        (false, _) => PauseState::ByConfig,
        (true, true) => PauseState::ByOperator,
        (true, false) => PauseState::Running,
    }
}

/// An incident in a table.
#[must_use]
pub fn incident_row(incident: &Incident, snapshot: &Snapshot, now: UnixMillis) -> IncidentRow {
    IncidentRow {
        id: incident.id.clone(),
        monitor: snapshot.monitors.contains_key(&incident.monitor).then(|| incident.monitor.clone()),
        monitor_name: incident.monitor_name.clone(),
        lane: incident.lane,
        opened_at: incident.opened_at,
        closed: incident.closed.map(|closed| (closed.at, closed.how.word())),
        duration: incident.closed.map_or(now, |closed| closed.at).since(incident.opened_at),
        cause: incident.cause.to_string(),
        regions: regions_of(incident),
    }
}

/// From where it failed; nothing when there was only one place to look from.
#[must_use]
pub fn regions_of(incident: &Incident) -> Vec<String> {
    let regions = &incident.regions;
    let is_shared = 1 < regions.failing.len() + regions.fine.len() + regions.unknown.len();
    regions.failing.iter().filter(|_| is_shared).map(ToString::to_string).collect()
}

/// An incident in full.
#[must_use]
pub fn incident(
    incident: &Incident,
    (deliveries, may_operate): (&[Delivery], bool),
    snapshot: &Snapshot,
    (now, told): (UnixMillis, &AllTold),
) -> IncidentView {
    let shared = snapshot.monitors.get(&incident.monitor).filter(|view| regions::is_shared(view) && incident.closed.is_none());
    let names = |regions: &[crate::model::id::Region]| regions.iter().map(ToString::to_string).collect();
    let alert = alert_views::section(&incident.id, snapshot, now).filter(|_| incident.closed.is_none());
    let deliveries: Vec<DeliveryRow> = deliveries.iter().map(|delivery| delivery_row(delivery, may_operate)).collect();
    let ack = alert.as_ref().and_then(|alert| alert.acknowledged.as_ref());
    IncidentView {
        row: incident_row(incident, snapshot, now),
        moments: timeline::moments(incident, &deliveries, ack, snapshot),
        state: timeline::state(&incident.id, snapshot),
        draft: timeline::draft(&incident.id, None, snapshot),
        learnt: timeline::learnt(&incident.id, snapshot),
        alert,
        confirmed_at: incident.confirmed_at,
        confirmed_after: incident.confirmed_at.since(incident.opened_at),
        cause_code: incident.cause.code(),
        regions_failing: names(&incident.regions.failing),
        regions_fine: names(&incident.regions.fine),
        regions_unknown: names(&incident.regions.unknown),
        fewer: regions::fewer(incident),
        diagnosis: incident.diagnosis.map(|diagnosis| diagnosis.sentence()),
        now: shared.map(|view| IncidentNow {
            sentences: regions::sentences(view),
            decider: view.decider.as_ref().map(ToString::to_string),
            failing: regions::failing_rows(view, told),
        }),
        then: Vec::new(),
        evidence: incident.evidence.clone(),
        deliveries,
    }
}

/// The config page.
#[must_use]
pub fn config(snapshot: &Snapshot, subscribers: &[SubscriberCount]) -> ConfigView {
    let reload = &snapshot.reload;
    ConfigView {
        hash: reload.active_hash.chars().take(HASH_DIGITS).collect(),
        active_since: reload.active_since,
        checked_at: reload.checked_at,
        is_last_good_copy: reload.is_last_good_copy,
        problems: reload.problems.iter().map(problem).collect(),
        needs_restart: reload.needs_restart.clone(),
        recent: reload.recent.iter().map(reload_row).collect(),
        counts: [
            ("Monitors", snapshot.config.monitors.len()),
            ("Channels", snapshot.config.channels.len()),
            ("Status pages", snapshot.config.pages.len()),
        ],
        subscribers: subscribers_of(snapshot, subscribers),
        started_at: snapshot.started_at,
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// Of every page that offers subscriptions or has subscribers, in the order of the config.
fn subscribers_of(snapshot: &Snapshot, counts: &[SubscriberCount]) -> Vec<SubscribersRow> {
    let count = |slug: &str| counts.iter().find(|count| count.page == slug);
    let row = |page: &str, n_max: Option<u32>| SubscribersRow {
        page: page.to_owned(),
        n_confirmed: count(page).map_or(0, |count| count.n_confirmed),
        n_unconfirmed: count(page).map_or(0, |count| count.n_unconfirmed),
        n_max,
    };
    let offering = snapshot.config.pages.iter().filter_map(|page| Some((page.slug.as_str(), page.subscriptions.as_ref()?.n_max)));
    let offering: Vec<(&str, u32)> = offering.collect();
    let left = counts.iter().filter(|count| !offering.iter().any(|(slug, _)| *slug == count.page));
    offering.iter().map(|(slug, n_max)| row(slug, Some(*n_max))).chain(left.map(|count| row(&count.page, None))).collect()
}

fn reload_row(reload: &Reloaded) -> ReloadRow {
    ReloadRow {
        at: reload.at,
        hash: reload.hash.as_ref().map(|hash| hash.chars().take(HASH_DIGITS).collect()),
        summary: reload.summary.clone(),
        lines: reload.lines.clone(),
        n_more: reload.n_more,
    }
}

/// A problem of the config.
#[must_use]
pub fn problem(problem: &Problem) -> ProblemView {
    let mut place = problem.file.display().to_string();
    for number in [problem.line, problem.column].into_iter().take_while(|n| *n > 0) {
        place.push_str(&format!(":{number}"));
    }
    ProblemView { place, path: problem.path.clone(), message: problem.message.clone(), hint: problem.hint.clone() }
}

/// `config.yaml:14`.
#[must_use]
pub fn origin(origin: &Origin) -> String {
    format!("{}:{}", origin.file.display(), origin.line)
}
