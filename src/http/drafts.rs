//! Monitors that somebody fills in: shown as the YAML to copy, and tried out once before they are in the config.
//!
//! This is the one place where a target comes from a request rather than from the config, so what guards it stands here together:
//! only people who are signed in and may change things (never API tokens, never another site: the form's token and its origin are
//! looked at before), only what the config itself would take and by the very code that checks it, so that no address is reached
//! that the config would not reach, a few at a time and a few a minute, and nothing is kept. Only with `instance.edit`, and only for admins, is there a button
//! that writes what is shown into a file of the config. See `docs/new-monitor.md`.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;
use maud::Markup;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::config::Problem;
use crate::config::draft::Draft;
use crate::config::draft::DraftKind;
use crate::config::draft::PLACE;
use crate::config::draft::field_of;
use crate::http::Reloads;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::archive::Later;
use crate::http::auth::Admin;
use crate::http::auth::Operator;
use crate::http::auth::Viewer;
use crate::http::error::Refusal;
use crate::http::limits::DRAFTS_AT_ONCE;
use crate::http::limits::DRAFTS_WAITING_MAX;
use crate::http::limits::RELOAD_TIMEOUT;
use crate::http::limits::TRIES_AT_ONCE;
use crate::http::limits::TRIES_MAX;
use crate::http::limits::TRIES_WITHIN;
use crate::http::limits::TRY_TIMEOUT;
use crate::http::viewer::Desk;
use crate::http::views;
use crate::http::visit::Visit;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::time::Mono;
use crate::ui::component::notice::ProblemView;
use crate::ui::layout::Frame;
use crate::ui::page::monitor::LastCheck;
use crate::ui::page::new_monitor;
use crate::ui::page::new_monitor::Add;
use crate::ui::page::new_monitor::FieldProblem;
use crate::ui::page::new_monitor::NewMonitorView;
use crate::ui::page::new_monitor::Shown;

/// Where drafts are looked at: beside the config's files, which only `crate::app` reads.
pub trait Workbench: Debug + Send + Sync {
    /// What the item would be in the config as it lies on disk, with its defaults; or what would be wrong then.
    fn fit<'a>(&'a self, item: String, turn: Turn) -> Later<'a, Result<Arc<Monitor>, Vec<Problem>>>;

    /// Checks it once, within so long.
    fn check<'a>(&'a self, monitor: Arc<Monitor>, within: Duration) -> Later<'a, CheckResult>;

    /// The digest of what this file says now, when monitors can be added to it; why not, otherwise, in a sentence.
    fn look<'a>(&'a self, file: PathBuf, turn: Turn) -> Later<'a, Result<String, String>>;

    /// Writes the item into a file of the config, where it must make what is `meant`. The log says so, and a reload is asked for, also when
    /// nobody waits for the answer any more.
    fn add<'a>(&'a self, wanted: Addition, meant: Arc<Monitor>, turn: Turn) -> Later<'a, Result<MonitorId, NotAdded>>;
}

/// A place among those whose drafts are looked at. It travels with the work: a browser that goes away does not make room while the work
/// goes on.
#[derive(Debug)]
pub struct Turn {
    _admitted: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

/// What is to be written where, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// `instance.edit`.
    pub file: PathBuf,
    /// The digest of what it said when the button was shown.
    pub seen: String,
    /// The item of `monitors:`.
    pub item: String,
    /// Who adds it.
    pub by: String,
}

/// Why it was not; nothing is different then.
#[derive(Debug)]
pub enum NotAdded {
    /// In a sentence.
    Refused(String),
    /// The config does not load, or would not.
    Problems(Vec<Problem>),
}

/// Looks at drafts and tries them out, within limits.
#[derive(Debug)]
pub struct Drafts {
    bench: Arc<dyn Workbench>,
    reloads: Reloads,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    tries: Semaphore,
    /// When the newest were made, oldest first.
    tried: Mutex<VecDeque<Mono>>,
}

impl Drafts {
    /// With this bench; what was added is taken up by a reload.
    #[must_use]
    pub fn new(bench: Arc<dyn Workbench>, reloads: Reloads) -> Drafts {
        let (admitted, running) = (Semaphore::new(DRAFTS_AT_ONCE + DRAFTS_WAITING_MAX), Semaphore::new(DRAFTS_AT_ONCE));
        let (admitted, running) = (Arc::new(admitted), Arc::new(running));
        Drafts { bench, reloads, admitted, running, tries: Semaphore::new(TRIES_AT_ONCE), tried: Mutex::default() }
    }

    async fn turn(&self) -> Result<Turn, Refusal> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Refusal::Busy)?;
        Ok(Turn { _admitted: admitted, _running: running })
    }

    async fn fit(&self, draft: &Draft) -> Result<Result<Arc<Monitor>, Vec<Problem>>, Refusal> {
        let turn = self.turn().await?;
        Ok(self.bench.fit(draft.yaml(), turn).await)
    }

    async fn check(&self, monitor: &Arc<Monitor>, now: Mono) -> Result<CheckResult, Refusal> {
        let busy = |_| Refusal::Conflict("Other monitors are being tried at the moment. Try again in a few seconds.".to_owned());
        let _permit = self.tries.try_acquire().map_err(busy)?;
        self.count(now)?;
        Ok(self.bench.check(Arc::clone(monitor), monitor.timeout.min(TRY_TIMEOUT)).await)
    }

    /// One more within the last minute.
    fn count(&self, now: Mono) -> Result<(), Refusal> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        while tried.front().is_some_and(|at| TRIES_WITHIN <= now.since(*at)) {
            tried.pop_front();
        }
        if let Some(first) = tried.front().filter(|_| TRIES_MAX <= tried.len()) {
            return Err(Refusal::TooMany(TRIES_WITHIN.saturating_sub(now.since(*first))));
        }
        tried.push_back(now);
        Ok(())
    }
}

/// The form, with nothing in it yet.
///
/// # Errors
/// [`Refusal::Forbidden`] for those who may not change anything.
pub fn blank(frame: &Frame, config: &Config, query: &str) -> Result<Markup, Refusal> {
    require(!frame.form_token.is_empty())?;
    if !frame.may_operate {
        let why = "Your role is viewer: you may look here, and add nothing. Who may do what is said below `auth` in the config.";
        return Err(Refusal::Forbidden(why));
    }
    let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "kind").map(|(_, value)| value.into_owned());
    let draft = Draft { kind: kind(asked.as_deref()), ..Draft::default() };
    Ok(new_monitor::page(frame, &NewMonitorView { draft, channels: channels(config), shown: Shown::Nothing }))
}

/// What was filled in, as YAML or with what is wrong with it; and tried out, when that was asked for.
///
/// # Errors
/// [`Refusal`] for who may not, and at the limits.
pub async fn answer(desk: &Desk, visit: &Visit, operator: &Operator) -> Result<Answer, Refusal> {
    let viewer = operator.viewer();
    let drafts = of_person(desk, viewer)?;
    let draft = of_form(visit);
    let shown = match drafts.fit(&draft).await? {
        Err(problems) => wrong(&problems),
        Ok(monitor) => {
            let is_to_be_tried = visit.field("do") == Some("try") && draft.kind != DraftKind::Heartbeat;
            let tried = if is_to_be_tried {
                let result = drafts.check(&monitor, visit.now.mono).await?;
                let (who, place) = (viewer.name(), place(&monitor));
                tracing::info!(user = who, "`{who}` tried out a monitor of {place}, which is not in the config");
                Some(Box::new(told(&result, viewer)))
            } else {
                None
            };
            let add = drafts.offer(&desk.engine.snapshot().config, viewer).await?;
            Shown::Item { yaml: draft.yaml(), name: monitor.name.clone(), tried, add }
        }
    };
    Ok(answer::page(StatusCode::OK, page(desk, visit, viewer, (draft, shown))))
}

/// Writes what was filled in into the file of `instance.edit`, and leads to the new monitor as soon as it is watched.
///
/// # Errors
/// [`Refusal`] for who may not, and when nothing names a file.
pub async fn add(desk: &Desk, visit: &Visit, admin: &Admin) -> Result<Answer, Refusal> {
    let viewer = admin.viewer();
    let drafts = of_person(desk, viewer)?;
    let config = Arc::clone(&desk.engine.snapshot().config);
    let no_file = || Refusal::Conflict("`instance.edit` names no file to which monitors may be added.".to_owned());
    let file = config.instance.edit.clone().ok_or_else(no_file)?;
    let draft = of_form(visit);
    let (item, seen) = (draft.yaml(), visit.field("seen").unwrap_or_default().to_owned());
    let added = match drafts.fit(&draft).await? {
        Ok(meant) => {
            let wanted = Addition { file, seen, item: item.clone(), by: viewer.name().to_owned() };
            let turn = drafts.turn().await?;
            drafts.bench.add(wanted, Arc::clone(&meant), turn).await.map_err(|not| (not, Some(meant)))
        }
        Err(problems) => Err((NotAdded::Problems(problems), None)),
    };
    let shown = match added {
        Ok(id) => return Ok(answer::see_other(&drafts.lead_to(desk, visit, &id).await)),
        Err((NotAdded::Problems(problems), _)) => wrong(&problems),
        Err((NotAdded::Refused(why), meant)) => {
            let add = match drafts.offer(&config, viewer).await? {
                Add::Offered { file, seen, complaint: _ } => Add::Offered { file, seen, complaint: Some(why) },
                Add::No | Add::Impossible(_) => Add::Impossible(why),
            };
            Shown::Item { yaml: item, name: meant.map(|monitor| monitor.name.clone()).unwrap_or_default(), tried: None, add }
        }
    };
    Ok(answer::page(StatusCode::CONFLICT, page(desk, visit, viewer, (draft, shown))))
}

impl Drafts {
    /// Whether the page has a button that adds what is shown.
    async fn offer(&self, config: &Config, viewer: &Viewer) -> Result<Add, Refusal> {
        let Some(file) = config.instance.edit.as_ref().filter(|_| may_add(viewer)) else { return Ok(Add::No) };
        let turn = self.turn().await?;
        Ok(match self.bench.look(file.clone(), turn).await {
            Ok(seen) => Add::Offered { file: file.display().to_string(), seen, complaint: None },
            Err(why) => Add::Impossible(why),
        })
    }

    /// The page of a monitor that was just written; the config's, which says what is wrong, when it is not taken up.
    async fn lead_to(&self, desk: &Desk, visit: &Visit, id: &MonitorId) -> String {
        let mut snapshots = desk.engine.snapshots.clone();
        let taken = async {
            self.reloads.ask().await;
            snapshots.wait_for(|snapshot| snapshot.monitors.contains_key(id)).await.is_ok()
        };
        if tokio::time::timeout(RELOAD_TIMEOUT, taken).await == Ok(true) { visit.links.monitor(id) } else { visit.links.config() }
    }
}

/// Who may write into the config from a page. The one place to change, beside the right of the route.
fn may_add(viewer: &Viewer) -> bool {
    viewer.may_administer()
}

/// What somebody is told of a check. An admin could write the monitor into the config and read its page; whoever may not learns whether a
/// target answers as expected, and nothing of what it answers: otherwise this would read what only the inside of the network should.
fn told(result: &CheckResult, viewer: &Viewer) -> LastCheck {
    let check = views::last_check(result);
    if may_add(viewer) {
        return check;
    }
    LastCheck { failure: result.failure.as_ref().map(without_answer), transcript: Vec::new(), n_dropped: 0, ..check }
}

/// A failure without what came from the other side.
fn without_answer(failure: &Failure) -> String {
    match failure {
        Failure::Proxy { .. } => "the proxy refused".to_owned(),
        Failure::Protocol { .. } => "the answer is not valid".to_owned(),
        Failure::Redirect { .. } => "a redirect could not be followed".to_owned(),
        Failure::Body { .. } => "the body is not what was expected".to_owned(),
        Failure::Header { .. } => "a header is not what was expected".to_owned(),
        Failure::Json { .. } => "a value in the JSON is not what was expected".to_owned(),
        Failure::Banner { .. } => "the service said something else than was expected".to_owned(),
        Failure::Partly { .. } => "some of its addresses work, and some do not".to_owned(),
        Failure::Heartbeat { .. } | Failure::Reported { .. } => "it did not report as expected".to_owned(),
        Failure::Dns { .. }
        | Failure::Refused { .. }
        | Failure::Unreachable { .. }
        | Failure::Closed { .. }
        | Failure::TimedOut { .. }
        | Failure::Tls(_)
        | Failure::Forbidden { .. }
        | Failure::Status { .. }
        | Failure::Slow { .. }
        | Failure::CertificateEnds { .. }
        | Failure::Own(_) => failure.to_string(),
    }
}

/// Programs have the config; this is for people in front of a page.
fn of_person<'a>(desk: &'a Desk, viewer: &Viewer) -> Result<&'a Drafts, Refusal> {
    require(!viewer.form_token().is_empty())?;
    desk.drafts.as_ref().ok_or(Refusal::Busy)
}

fn wrong(problems: &[Problem]) -> Shown {
    let (mut of_fields, mut others) = (Vec::new(), Vec::new());
    for problem in problems {
        let ProblemView { place, path, message, hint } = views::problem(problem);
        let is_of_draft = problem.file.as_os_str() == PLACE;
        match field_of(&path).filter(|_| is_of_draft) {
            Some(field) => of_fields.push(FieldProblem { field, message, hint }),
            // Nobody has seen the text in which that place is.
            None if is_of_draft => others.push(ProblemView { place: String::new(), path: String::new(), message, hint }),
            None => others.push(ProblemView { place, path, message, hint }),
        }
    }
    Shown::Problems { of_fields, others }
}

fn page(desk: &Desk, visit: &Visit, viewer: &Viewer, (draft, shown): (Draft, Shown)) -> Markup {
    let snapshot = desk.engine.snapshot();
    new_monitor::page(&views::frame(visit, viewer, &snapshot), &NewMonitorView { draft, channels: channels(&snapshot.config), shown })
}

fn require(may: bool) -> Result<(), Refusal> {
    if may { Ok(()) } else { Err(Refusal::Forbidden("This form is for people in front of a page; programs write into the config.")) }
}

/// Host and port; what else an address has may be secret, and is not for the log.
fn place(monitor: &Monitor) -> String {
    match &monitor.probe {
        ProbeSpec::Http(spec) => spec.url.host_str().unwrap_or_default().to_owned(),
        ProbeSpec::Tcp(spec) => spec.address.to_string(),
        ProbeSpec::Heartbeat(_) => "nothing".to_owned(),
    }
}

fn kind(word: Option<&str>) -> DraftKind {
    DraftKind::ALL.into_iter().find(|kind| Some(kind.word()) == word).unwrap_or_default()
}

fn of_form(visit: &Visit) -> Draft {
    let text = |name: &str| visit.field(name).unwrap_or_default().to_owned();
    Draft {
        kind: kind(visit.field("kind")),
        target: text("target"),
        name: text("name"),
        id: text("id"),
        group: text("group"),
        interval: text("interval"),
        status: text("status"),
        body_contains: text("body_contains"),
        response_time: text("response_time"),
        cron: text("cron"),
        timezone: text("timezone"),
        grace: text("grace"),
        channels: visit.form.iter().filter(|(name, _)| name == "channel").map(|(_, value)| value.clone()).collect(),
    }
}

fn channels(config: &Config) -> Vec<String> {
    config.channels.keys().map(|name| name.as_str().to_owned()).collect()
}
