//! The projection of the engine's state onto what visitors of a page may know.
//!
//! It is a list of what is allowed: a monitor appears only if the page lists it, and a target, an error text, a response time or a
//! region only if the page shows such things. Everything public, the JSON included, is made from the view that comes out here,
//! so what is not in it cannot get out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Recent;
use crate::engine::snapshot::Snapshot;
use crate::http::beat;
use crate::http::beat::Nuance;
use crate::http::history::MonitorPast;
use crate::http::history::PagePast;
use crate::http::history::date;
use crate::http::planned;
use crate::http::random::digest;
use crate::http::random::sha256;
use crate::http::regions;
use crate::http::timeline;
use crate::http::views;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::incident::Incident;
use crate::model::page::Language;
use crate::model::page::Logo;
use crate::model::page::Order;
use crate::model::page::Show;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::accent;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::notice::AnnouncementView;
use crate::ui::component::updates::AnnouncedView;
use crate::ui::component::updates::UpdateView;
use crate::ui::language::Detail;
use crate::ui::language::phrases;
use crate::ui::links::Links;
use crate::ui::page::status::GroupView;
use crate::ui::page::status::Headline;
use crate::ui::page::status::PastDay;
use crate::ui::page::status::PublicIncident;
use crate::ui::page::status::RegionCell;
use crate::ui::page::status::ServiceView;
use crate::ui::page::status::StatusView;
use crate::ui::page::status::severity;

/// Data older than so many intervals is called old.
const INTERVALS_UNTIL_STALE: u32 = 2;

/// At least so long, so that fast checks do not make a page flicker.
const STALE_AT_LEAST: Duration = Duration::from_secs(30);

/// When the newest check on the page began, and whether that is too long ago to say anything. Paused monitors are not waited for. With
/// others watching, what counts is that somebody's vote does: it was heard a moment ago, whoever shows the page, and a monitor that is
/// not checked from here is as fresh as any other.
#[must_use]
pub fn freshness(page: &StatusPage, snapshot: &Snapshot, now: UnixMillis) -> (Option<UnixMillis>, bool) {
    let (newest, patience) = newest_and_patience(page, snapshot);
    (newest, newest.is_some_and(|at| now.since(at) > patience))
}

/// When the newest check on the page began, and for how long that is good.
fn newest_and_patience(page: &StatusPage, snapshot: &Snapshot) -> (Option<UnixMillis>, Duration) {
    let running: Vec<&MonitorView> = listed(page, snapshot).filter(|view| view.verdict != Verdict::Paused).collect();
    let checked: Vec<&MonitorView> = running.iter().copied().filter(|view| view.heartbeat.is_none()).collect();
    // Heartbeats are judged whenever the engine looks, and so are as fresh as its picture of itself.
    if checked.is_empty() && !running.is_empty() {
        return (Some(snapshot.at), STALE_AT_LEAST);
    }
    let newest = checked.iter().filter_map(|view| newest(view, snapshot)).max();
    let patience = checked.iter().map(|view| view.monitor.interval * INTERVALS_UNTIL_STALE).min().unwrap_or(Duration::MAX);
    (newest, patience.max(STALE_AT_LEAST))
}

fn newest(view: &MonitorView, snapshot: &Snapshot) -> Option<UnixMillis> {
    let is_heard = regions::is_shared(view) && view.votes.iter().any(|vote| vote.ignored.is_none());
    if is_heard { Some(snapshot.at) } else { view.last.as_ref().map(|last| last.at) }
}

/// What visitors of `page` may know.
#[must_use]
pub fn project(page: &StatusPage, snapshot: &Snapshot, past: Option<&PagePast>, links: &Links, now: UnixMillis) -> StatusView {
    let (as_of, patience) = newest_and_patience(page, snapshot);
    let is_stale = as_of.is_some_and(|at| now.since(at) > patience);
    let places = places(page, snapshot);
    let mut groups: Vec<GroupView> = page
        .groups
        .iter()
        .map(|group| GroupView {
            name: group.name.clone(),
            services: group
                .monitors
                .iter()
                .filter_map(|id| snapshot.monitors.get(id))
                .map(|view| service(view, (page.show, &places), past.and_then(|past| past.monitors.get(&view.monitor.id))))
                .collect(),
            is_open: group.is_open,
        })
        .collect();
    if page.order == Order::WorstFirst {
        worst_first(&mut groups);
    }
    let mut open: Vec<&Incident> = listed(page, snapshot).flat_map(|view| &view.incidents).collect();
    open.sort_by_key(|incident| (std::cmp::Reverse(incident.opened_at), incident.id.clone()));
    open.dedup_by_key(|incident| incident.id.clone());
    let (announced, past_announced) = timeline::announced(page, snapshot, now);
    StatusView {
        links: links.clone(),
        address: links.status(&page.slug),
        feed: links.status_feed(&page.slug),
        calendar: links.status_calendar(&page.slug),
        subscribe: page.subscriptions.as_ref().map(|_| links.status_subscribe(&page.slug)),
        title: page.title.clone(),
        indexed: matches!(page.visibility, Visibility::Public),
        dark: page.theme.dark,
        stylesheet: stylesheet(page, links),
        logo: logo(page, links),
        headline: if is_stale { Headline::Stale } else { headline(page, snapshot) },
        as_of,
        old_at: as_of.map(|at| at + patience),
        groups,
        troubled: troubled(page, snapshot),
        open: open.into_iter().map(|incident| public_incident(incident, page.show, snapshot)).collect(),
        past: past.map_or_else(Vec::new, |past| past_days(&past.closed, page.show, snapshot)),
        maintenance: planned::for_page(&planned::covering(page, snapshot), now),
        announced,
        past_announced,
        announcements: announcements(page),
        footer: page.links.iter().filter(|link| is_safe_link(&link.url)).cloned().collect(),
    }
}

/// What subscribers of a page may hear, as far as the page says it now or said it lately.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bulletin {
    /// Incidents that are open.
    pub open: Vec<PublicIncident>,
    /// Incidents that ended lately.
    pub closed: Vec<PublicIncident>,
    /// Announcements made at run time, those that ended lately included.
    pub announced: Vec<AnnouncedView>,
    /// Messages of the operators in the config.
    pub announcements: Vec<AnnouncementView>,
    /// Maintenance windows, open ones and those to come.
    pub maintenance: Vec<WindowView>,
}

/// What subscribers of `page` may hear: what its visitors may read and nothing else. `closed` are incidents that ended lately, of whichever
/// monitors.
#[must_use]
pub fn bulletin(page: &StatusPage, snapshot: &Snapshot, closed: &[Incident], now: UnixMillis) -> Bulletin {
    let mut open: Vec<&Incident> = listed(page, snapshot).flat_map(|view| &view.incidents).collect();
    open.sort_by_key(|incident| (incident.opened_at, incident.id.clone()));
    open.dedup_by_key(|incident| incident.id.clone());
    let is_listed = |incident: &&Incident| listed(page, snapshot).any(|view| view.monitor.id == incident.monitor);
    let is_over = |incident: &&Incident| !open.iter().any(|known| known.id == incident.id);
    let public = |incident: &Incident| public_incident(incident, page.show, snapshot);
    let (holding, ended) = timeline::announced(page, snapshot, now);
    Bulletin {
        closed: closed.iter().filter(is_listed).filter(is_over).map(public).collect(),
        open: open.iter().copied().map(public).collect(),
        announced: holding.into_iter().chain(ended).collect(),
        announcements: announcements(page),
        maintenance: planned::for_page(&planned::covering(page, snapshot), now),
    }
}

fn announcements(page: &StatusPage) -> Vec<AnnouncementView> {
    page.announcements.iter().map(|a| AnnouncementView { at: a.at, kind: a.kind, text: a.text.clone() }).collect()
}

/// Trouble before what is well; else as configured.
fn worst_first(groups: &mut [GroupView]) {
    for group in groups.iter_mut() {
        group.services.sort_by_key(|service| severity(service.look()));
    }
    groups.sort_by_key(|group| group.services.first().map_or(u8::MAX, |service| severity(service.look())));
}

/// The page's own style sheet: its accent colour and what the operators wrote.
#[must_use]
pub fn theme_css(page: &StatusPage) -> Option<String> {
    let accent = page.theme.accent.as_deref().and_then(accent::rules);
    let own = page.theme.css.as_deref();
    (accent.is_some() || own.is_some()).then(|| format!("{}{}", accent.unwrap_or_default(), own.unwrap_or_default()))
}

/// Where the page's own style sheet is, if it has one.
#[must_use]
pub fn stylesheet(page: &StatusPage, links: &Links) -> Option<String> {
    theme_css(page).map(|css| links.status_theme(&page.slug, &version(css.as_bytes())))
}

/// Where the page's picture is, if it has one.
#[must_use]
pub fn logo(page: &StatusPage, links: &Links) -> Option<String> {
    page.theme.logo.as_ref().map(|logo| match logo {
        Logo::Url(url) => url.clone(),
        Logo::File { bytes, .. } => links.status_logo(&page.slug, &version(bytes)),
    })
}

/// Where the page's picture comes from when that is elsewhere, for the content security policy of this page alone.
#[must_use]
pub fn logo_origin(page: &StatusPage) -> Option<String> {
    let Some(Logo::Url(url)) = &page.theme.logo else { return None };
    let url = url::Url::parse(url).ok().filter(|url| url.scheme() == "https")?;
    Some(url.origin().ascii_serialization())
}

fn listed<'a>(page: &'a StatusPage, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a MonitorView> {
    page.groups.iter().flat_map(|group| &group.monitors).filter_map(|id| snapshot.monitors.get(id)).map(AsRef::as_ref)
}

fn headline(page: &StatusPage, snapshot: &Snapshot) -> Headline {
    let mut states: Vec<(&MonitorId, Verdict)> = listed(page, snapshot).map(|view| (&view.monitor.id, view.verdict)).collect();
    // A monitor in two groups is still one service.
    states.sort_by_key(|(id, _)| *id);
    states.dedup_by_key(|(id, _)| *id);
    if states.is_empty() {
        return Headline::Empty;
    }
    let n = |wanted: Verdict| states.iter().filter(|(_, state)| *state == wanted).count();
    let regional: BTreeSet<&MonitorId> =
        listed(page, snapshot).filter(|view| !regions::troubled(view).is_empty()).map(|view| &view.monitor.id).collect();
    Headline::Counted {
        n_regional: regional.len(),
        n_down: n(Verdict::Down),
        n_degraded: n(Verdict::Degraded),
        n_unknown: n(Verdict::Unknown),
        n_maintenance: n(Verdict::Maintenance),
        n: states.len() - n(Verdict::Paused),
    }
}

/// The regions of the cluster; none when there is only one, or when the page does not show them.
fn places(page: &StatusPage, snapshot: &Snapshot) -> Vec<Region> {
    let mut places: Vec<Region> = Vec::new();
    for node in snapshot.cluster.iter().flat_map(|cluster| &cluster.nodes).filter(|node| node.is_configured && page.show.regions) {
        if !places.contains(&node.region) {
            places.push(node.region.clone());
        }
    }
    if places.len() < 2 { Vec::new() } else { places }
}

/// Regions with trouble of their own, once each.
fn troubled(page: &StatusPage, snapshot: &Snapshot) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in listed(page, snapshot).filter(|_| page.show.regions).flat_map(regions::troubled) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn service(view: &MonitorView, (show, places): (Show, &[Region]), past: Option<&MonitorPast>) -> ServiceView {
    let is_answered = |last: &&Arc<CheckResult>| show.response_times && matches!(last.outcome, Outcome::Up | Outcome::Degraded);
    // Each node measures from where it is; with several of them a time without its place would be a riddle.
    let answered = view.last.as_ref().filter(is_answered).filter(|_| view.heartbeat.is_none());
    let here = view.votes.iter().find(|vote| vote.is_me && !places.is_empty()).map(|vote| &vote.region);
    let troubled = regions::troubled(view);
    let is_bad = matches!(view.verdict, Verdict::Down | Verdict::Degraded) || !troubled.is_empty();
    let is_regional = !troubled.is_empty();
    let tick = |recent: &Recent| matches!(recent.outcome, Outcome::Up | Outcome::Degraded).then_some(recent.took);
    let failing = if troubled.is_empty() { view.regions.failing.iter().map(ToString::to_string).collect() } else { troubled };
    ServiceView {
        name: view.monitor.name.clone(),
        state: view.verdict,
        is_regional,
        detail: beat::nuance(view).map(|nuance| (nuance.look(), detail(nuance))),
        uptime: past.map(|past| past.uptime).unwrap_or_default(),
        days: past.map_or_else(Vec::new, |past| past.days.clone()),
        response_time: answered.map(|last| last.timings.total),
        response_times: answered.map_or_else(Vec::new, |_| view.recent.iter().map(tick).collect()),
        response_from: answered.and(here).map(ToString::to_string),
        target: show.targets.then(|| view.monitor.target()),
        error: if show.errors && is_bad { regions::cause(view) } else { None },
        // Where all that is known is known from one place, its name says nothing.
        regions_failing: if is_bad && !places.is_empty() { failing } else { Vec::new() },
        regions: places.iter().map(|region| RegionCell { region: region.to_string(), state: regions::of_region(view, region) }).collect(),
    }
}

fn detail(nuance: Nuance) -> Detail {
    match nuance {
        Nuance::Late => Detail::Late,
        Nuance::NeverPinged => Detail::NeverPinged,
        Nuance::Waiting => Detail::Waiting,
    }
}

fn public_incident(incident: &Incident, show: Show, snapshot: &Snapshot) -> PublicIncident {
    let now_called = snapshot.monitors.get(&incident.monitor).map(|view| view.monitor.name.clone());
    let (updates, postmortem) = timeline::public_of(&incident.id, snapshot);
    PublicIncident {
        key: key("public incident", incident.id.as_str()),
        service: now_called.unwrap_or_else(|| incident.monitor_name.clone()),
        lane: incident.lane,
        opened_at: incident.opened_at,
        closed_at: incident.closed.map(|closed| closed.at),
        cause: show.errors.then(|| incident.cause.to_string()),
        diagnosis: incident.diagnosis.filter(|_| show.errors),
        regions: if show.regions { views::regions_of(incident) } else { Vec::new() },
        updates,
        postmortem,
    }
}

fn past_days(closed: &[Incident], show: Show, snapshot: &Snapshot) -> Vec<PastDay> {
    let mut days: Vec<PastDay> = Vec::new();
    // The page may have lost a monitor since the history was read.
    for incident in closed.iter().filter(|incident| snapshot.monitors.contains_key(&incident.monitor)) {
        let date = date(incident.opened_at);
        let shown = public_incident(incident, show, snapshot);
        match days.last_mut().filter(|day| day.date == date) {
            Some(day) => day.incidents.push(shown),
            None => days.push(PastDay { date, incidents: vec![shown] }),
        }
    }
    days
}

fn is_safe_link(url: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme))
}

/// What tells a thing apart on public pages, and says nothing else of it.
pub(crate) fn key(kind: &str, id: &str) -> String {
    version(&digest(&[kind.as_bytes(), id.as_bytes()]))
}

fn version(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&sha256(bytes)[..6])
}

/// A status page as data, in English. Wire type: a promise to those who read it.
#[derive(Debug, Serialize)]
pub struct StatusJson<'a> {
    title: &'a str,
    status: &'static str,
    summary: String,
    stale: bool,
    as_of: Option<String>,
    groups: Vec<GroupJson<'a>>,
    open_incidents: Vec<IncidentJson<'a>>,
    past_incidents: Vec<IncidentJson<'a>>,
    /// Open and planned windows.
    maintenance: Vec<WindowJson<'a>>,
    /// What was announced at run time and holds, and then what the config announces.
    announcements: Vec<AnnouncedJson<'a>>,
    /// What ended lately.
    past_announcements: Vec<AnnouncedJson<'a>>,
}

#[derive(Debug, Serialize)]
struct AnnouncedJson<'a> {
    title: &'a str,
    /// `null`: it was not announced at run time, and says how things are by its `kind`.
    state: Option<&'static str>,
    /// Only of those of the config.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// Only of those of the config; plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    from: String,
    until: Option<String>,
    /// Newest first.
    updates: Vec<UpdateJson<'a>>,
}

#[derive(Debug, Serialize)]
struct UpdateJson<'a> {
    state: &'static str,
    /// In the small Markdown.
    text: &'a str,
    at: String,
}

#[derive(Debug, Serialize)]
struct WindowJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    from: String,
    to: String,
    open: bool,
    services: &'a [String],
}

#[derive(Debug, Serialize)]
struct GroupJson<'a> {
    name: &'a str,
    services: Vec<ServiceJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ServiceJson<'a> {
    name: &'a str,
    status: &'static str,
    /// What the status does not say, of a heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    uptime: Option<f64>,
    unknown: f64,
    maintenance: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    regions_failing: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<RegionJson<'a>>,
}

#[derive(Debug, Serialize)]
struct RegionJson<'a> {
    region: &'a str,
    /// `null`: it is not checked from there.
    status: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct IncidentJson<'a> {
    service: &'a str,
    kind: &'static str,
    began_at: String,
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnosis: Option<&'static str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    regions_failing: &'a [String],
    /// What people say of it, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    updates: Vec<UpdateJson<'a>>,
    /// What was learnt from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    postmortem: Option<&'a str>,
}

impl<'a> From<&'a AnnouncedView> for AnnouncedJson<'a> {
    fn from(view: &'a AnnouncedView) -> AnnouncedJson<'a> {
        AnnouncedJson {
            title: &view.title,
            state: Some(view.state.word()),
            kind: None,
            text: None,
            from: view.from.rfc3339(),
            until: view.until.map(UnixMillis::rfc3339),
            updates: view.updates.iter().map(UpdateJson::from).collect(),
        }
    }
}

impl<'a> From<&'a AnnouncementView> for AnnouncedJson<'a> {
    fn from(view: &'a AnnouncementView) -> AnnouncedJson<'a> {
        AnnouncedJson {
            title: (phrases(Language::English).announcement)(view.kind),
            state: None,
            kind: Some(view.kind.word()),
            text: Some(&view.text),
            from: view.at.rfc3339(),
            until: None,
            updates: Vec::new(),
        }
    }
}

impl<'a> From<&'a UpdateView> for UpdateJson<'a> {
    fn from(view: &'a UpdateView) -> UpdateJson<'a> {
        UpdateJson { state: view.state.word(), text: &view.text, at: view.at.rfc3339() }
    }
}

impl<'a> From<&'a StatusView> for StatusJson<'a> {
    fn from(view: &'a StatusView) -> StatusJson<'a> {
        StatusJson {
            title: &view.title,
            status: view.headline.state().word(),
            summary: view.summary(phrases(Language::English)),
            stale: view.headline == Headline::Stale,
            as_of: view.as_of.map(UnixMillis::rfc3339),
            groups: view
                .groups
                .iter()
                .map(|group| GroupJson { name: &group.name, services: group.services.iter().map(ServiceJson::from).collect() })
                .collect(),
            open_incidents: view.open.iter().map(IncidentJson::from).collect(),
            past_incidents: view.past.iter().flat_map(|day| &day.incidents).map(IncidentJson::from).collect(),
            maintenance: view.maintenance.iter().map(WindowJson::from).collect(),
            announcements: view
                .announced
                .iter()
                .map(AnnouncedJson::from)
                .chain(view.announcements.iter().map(AnnouncedJson::from))
                .collect(),
            past_announcements: view.past_announced.iter().map(AnnouncedJson::from).collect(),
        }
    }
}

impl<'a> From<&'a WindowView> for WindowJson<'a> {
    fn from(window: &'a WindowView) -> WindowJson<'a> {
        WindowJson {
            name: &window.name,
            message: window.message.as_deref(),
            from: window.from.rfc3339(),
            to: window.to.rfc3339(),
            open: window.is_open,
            services: &window.services,
        }
    }
}

impl<'a> From<&'a ServiceView> for ServiceJson<'a> {
    fn from(service: &'a ServiceView) -> ServiceJson<'a> {
        ServiceJson {
            name: &service.name,
            status: service.state.word(),
            detail: service.detail.map(|(_, detail)| (phrases(Language::English).detail)(detail).to_lowercase()),
            uptime: service.uptime.fraction,
            unknown: service.uptime.unknown,
            maintenance: service.uptime.maintenance,
            response_ms: service.response_time.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            response_from: service.response_from.as_deref(),
            target: service.target.as_deref(),
            error: service.error.as_deref(),
            regions_failing: &service.regions_failing,
            regions: service
                .regions
                .iter()
                .map(|cell| RegionJson { region: &cell.region, status: cell.state.map(Verdict::word) })
                .collect(),
        }
    }
}

impl<'a> From<&'a PublicIncident> for IncidentJson<'a> {
    fn from(incident: &'a PublicIncident) -> IncidentJson<'a> {
        IncidentJson {
            service: &incident.service,
            kind: incident.lane.word(),
            began_at: incident.opened_at.rfc3339(),
            ended_at: incident.closed_at.map(UnixMillis::rfc3339),
            cause: incident.cause.as_deref(),
            diagnosis: incident.diagnosis.map(|diagnosis| diagnosis.sentence()),
            regions_failing: &incident.regions,
            updates: incident.updates.iter().map(UpdateJson::from).collect(),
            postmortem: incident.postmortem.as_ref().map(|learnt| learnt.text.as_str()),
        }
    }
}
