//! Monitors that somebody fills in: shown as the YAML to copy, and tried out once before they are in the config.
//!
//! This is the one place where a target comes from a request rather than from the config, so what guards it stands here together:
//! only people who are signed in and may change things (never API tokens, never another site: the form's token and its origin are
//! looked at before), only what the config itself would take and by the very code that checks it, so that no address is reached
//! that the config would not reach, a few at a time and a few a minute, and nothing is kept. See `docs/new-monitor.md`.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;
use maud::Markup;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::config::Problem;
use crate::config::draft::Draft;
use crate::config::draft::DraftKind;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::archive::Later;
use crate::http::auth::Operator;
use crate::http::error::Refusal;
use crate::http::limits::DRAFTS_AT_ONCE;
use crate::http::limits::TRIES_AT_ONCE;
use crate::http::limits::TRIES_MAX;
use crate::http::limits::TRIES_WITHIN;
use crate::http::limits::TRY_TIMEOUT;
use crate::http::viewer::Desk;
use crate::http::views;
use crate::http::visit::Visit;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::result::CheckResult;
use crate::model::time::Mono;
use crate::ui::layout::Frame;
use crate::ui::page::new_monitor;
use crate::ui::page::new_monitor::NewMonitorView;
use crate::ui::page::new_monitor::Shown;

/// Where drafts are looked at: beside the config's files, which only `crate::app` reads.
pub trait Workbench: Debug + Send + Sync {
    /// What the item would be in the config as it lies on disk, with its defaults; or what would be wrong then.
    fn fit<'a>(&'a self, item: String) -> Later<'a, Result<Arc<Monitor>, Vec<Problem>>>;

    /// Checks it once, within so long.
    fn check<'a>(&'a self, monitor: Arc<Monitor>, within: Duration) -> Later<'a, CheckResult>;
}

/// Looks at drafts and tries them out, within limits.
#[derive(Debug)]
pub struct Drafts {
    bench: Arc<dyn Workbench>,
    looks: Semaphore,
    tries: Semaphore,
    /// When the newest were made, oldest first.
    tried: Mutex<VecDeque<Mono>>,
}

impl Drafts {
    /// With this bench.
    #[must_use]
    pub fn new(bench: Arc<dyn Workbench>) -> Drafts {
        Drafts { bench, looks: Semaphore::new(DRAFTS_AT_ONCE), tries: Semaphore::new(TRIES_AT_ONCE), tried: Mutex::default() }
    }

    async fn fit(&self, draft: &Draft) -> Result<Result<Arc<Monitor>, Vec<Problem>>, Refusal> {
        let _permit = self.looks.acquire().await.map_err(|_| Refusal::Busy)?;
        Ok(self.bench.fit(draft.yaml()).await)
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
    require(frame.may_operate && !frame.form_token.is_empty())?;
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
    // Programs have the config; this is for people in front of a page.
    require(!viewer.form_token().is_empty())?;
    let drafts = desk.drafts.as_ref().ok_or(Refusal::Busy)?;
    let snapshot = desk.engine.snapshot();
    let draft = of_form(visit);
    let shown = match drafts.fit(&draft).await? {
        Err(problems) => Shown::Problems(problems.iter().map(views::problem).collect()),
        Ok(monitor) => {
            let is_to_be_tried = visit.field("do") == Some("try") && draft.kind != DraftKind::Heartbeat;
            let tried = if is_to_be_tried {
                let result = drafts.check(&monitor, visit.now.mono).await?;
                let (who, place) = (viewer.name(), place(&monitor));
                tracing::info!(user = who, "`{who}` tried out a monitor of {place}, which is not in the config");
                Some(Box::new(views::last_check(&result)))
            } else {
                None
            };
            Shown::Item { yaml: draft.yaml(), name: monitor.name.clone(), tried }
        }
    };
    let view = NewMonitorView { draft, channels: channels(&snapshot.config), shown };
    Ok(answer::page(StatusCode::OK, new_monitor::page(&views::frame(visit, viewer, &snapshot), &view)))
}

fn require(may: bool) -> Result<(), Refusal> {
    if may { Ok(()) } else { Err(Refusal::Forbidden("New monitors are for people who are signed in and may change things.")) }
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
