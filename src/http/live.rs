//! What changes, told to pages that are open: a stream of server-sent events at `GET /api/v1/events`. It says what changed and never how:
//! the page then fetches itself, through the same rights as ever, so nothing can be told here that its reader may not see.
//!
//! Nothing is queued. A stream looks at the newest snapshot once a second and says in one event what became different since its last one,
//! so a reader that is slow misses steps and never holds memory; one that does not read at all is given up by `paced`. With each look it
//! also asks whether its reader may still look: a session that ended, a password that was changed, or a token that left the config end it
//! within the second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header;
use hyper::header::HeaderName;
use serde::Serialize;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::auth::Viewer;
use crate::http::error::Refusal;
use crate::http::limits::STREAM_IDS_MAX;
use crate::http::limits::STREAM_LOOK_EVERY;
use crate::http::limits::STREAM_LOOKS_MAX;
use crate::http::limits::STREAM_QUIET_LOOKS;
use crate::http::limits::STREAM_RETRY;
use crate::http::limits::STREAMS_MAX;
use crate::http::limits::STREAMS_PER_VIEWER_MAX;
use crate::http::site::Site;
use crate::http::visit::Visit;

/// Said when there is no place for one more stream.
const FULL: &str = "All places for live streams are taken. Ask for the page itself from time to time instead.";

/// The streams that are open, by who reads them.
#[derive(Debug, Default)]
pub struct Streams {
    open: Mutex<BTreeMap<String, usize>>,
    stop: CancellationToken,
}

/// A place for one stream; free again when it is dropped.
#[derive(Debug)]
struct Place {
    streams: Arc<Streams>,
    who: String,
}

impl Streams {
    /// None is open; all end when `stop` is cancelled.
    #[must_use]
    pub fn new(stop: CancellationToken) -> Streams {
        Streams { open: Mutex::default(), stop }
    }

    fn take(self: &Arc<Self>, who: &str) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let n_own = open.get(who).copied().unwrap_or(0);
        if STREAMS_MAX <= open.values().sum() || STREAMS_PER_VIEWER_MAX <= n_own {
            return None;
        }
        open.insert(who.to_owned(), n_own + 1);
        Some(Place { streams: Arc::clone(self), who: who.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = open.get_mut(&self.who) {
            *n -= 1;
            if *n == 0 {
                open.remove(&self.who);
            }
        }
    }
}

/// What a snapshot is called in events and on pages: unlike the bare revision it never comes back after a restart.
#[must_use]
pub fn revision(snapshot: &Snapshot) -> String {
    format!("{}.{}", snapshot.started_at.0, snapshot.revision)
}

/// Opens a stream.
///
/// # Errors
/// [`Refusal::Forbidden`] for a page of somebody else, [`Refusal::Full`] when there is no place.
pub fn open(site: &Arc<Site>, visit: &Visit, viewer: &Viewer) -> Result<Answer, Refusal> {
    let snapshot = site.desk.engine.snapshot();
    // Another site can make a browser open a stream with its cookie; it could not read it, but it could take all places.
    if visit.bearer().is_none() {
        visit.require_own_page(snapshot.config.server.public_url.as_deref())?;
    }
    let place = site.live.take(viewer.subject()).ok_or(Refusal::Full(FULL, STREAM_RETRY))?;
    let mut looks = tokio::time::interval(STREAM_LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader { site: Arc::clone(site), visit: visit.clone(), said: None, n_quiet: 0, n_looks: 0, looks, _place: place };
    let flow = stream::unfold(reader, Reader::next);
    let open = answer::stream(StatusCode::OK, "text/event-stream; charset=utf-8", Box::pin(flow));
    let open = answer::with(open, header::CACHE_CONTROL, "no-store, no-transform");
    // nginx would collect events until a buffer is full.
    Ok(answer::with(open, HeaderName::from_static("x-accel-buffering"), "no"))
}

/// Who reads a stream, and what they were told.
struct Reader {
    site: Arc<Site>,
    /// The request that opened it: by it is judged whether its sender may still look.
    visit: Visit,
    /// The snapshot up to which everything was said; `None` before the first word.
    said: Option<Arc<Snapshot>>,
    /// Looks since something was said.
    n_quiet: u32,
    n_looks: u32,
    looks: Interval,
    _place: Place,
}

impl Reader {
    /// The next words; `None` ends the stream.
    async fn next(mut self) -> Option<(Bytes, Reader)> {
        loop {
            tokio::select! {
                () = self.site.live.stop.cancelled() => return None,
                _ = self.looks.tick() => {}
            }
            let snapshot = self.site.desk.engine.snapshot();
            self.visit.now = self.site.clock.now();
            self.n_looks += 1;
            if STREAM_LOOKS_MAX < self.n_looks || !self.site.sign_in.auth.may_still_look(&self.visit, &snapshot.config) {
                return None;
            }
            let words = self.words(&snapshot);
            self.said = Some(snapshot);
            if let Some(words) = words {
                self.n_quiet = 0;
                return Some((words, self));
            }
            self.n_quiet += 1;
            if STREAM_QUIET_LOOKS <= self.n_quiet {
                self.n_quiet = 0;
                return Some((Bytes::from_static(b": still here\n\n"), self));
            }
        }
    }

    fn words(&self, snapshot: &Arc<Snapshot>) -> Option<Bytes> {
        let Some(said) = &self.said else {
            let hello = event(&News { revision: revision(snapshot), ..News::default() });
            return Some(Bytes::from(format!("retry: {}\n{hello}", STREAM_RETRY.as_millis())));
        };
        let news = news(said, snapshot)?;
        Some(Bytes::from(event(&news)))
    }
}

/// What became different.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct News {
    /// Of the newest snapshot; a page that was made of it knows all this.
    pub revision: String,
    /// Something that concerns every page: the config, the cluster, silences, what people wrote of incidents, trouble of this instance, or
    /// very many monitors.
    pub everything: bool,
    /// Monitors of which something is said differently now.
    pub changed: Vec<String>,
    /// Monitors that were merely checked again.
    pub checked: Vec<String>,
    /// There are too many of these to be named.
    pub checked_many: bool,
}

fn event(news: &News) -> String {
    // Text keys, text and flags: this cannot fail.
    format!("event: news\nid: {}\ndata: {}\n\n", news.revision, serde_json::to_string(news).unwrap_or_default())
}

/// What became different from one snapshot to a later one; `None`: nothing.
#[must_use]
pub fn news(before: &Snapshot, after: &Snapshot) -> Option<News> {
    if (before.started_at, before.revision) == (after.started_at, after.revision) {
        return None;
    }
    let mut news = News { revision: revision(after), everything: is_all_different(before, after), ..News::default() };
    for (id, view) in &after.monitors {
        match before.monitors.get(id) {
            Some(was) if Arc::ptr_eq(was, view) => {}
            Some(was) if says_the_same(was, view) => {
                if was.last.as_ref().map(|last| last.at) != view.last.as_ref().map(|last| last.at) {
                    news.checked.push(id.to_string());
                }
            }
            Some(_) | None => news.changed.push(id.to_string()),
        }
    }
    if STREAM_IDS_MAX < news.changed.len() {
        news.changed.clear();
        news.everything = true;
    }
    if STREAM_IDS_MAX < news.checked.len() {
        news.checked.clear();
        news.checked_many = true;
    }
    let is_news = news.everything || news.checked_many || !news.changed.is_empty() || !news.checked.is_empty();
    is_news.then_some(news)
}

fn is_all_different(before: &Snapshot, after: &Snapshot) -> bool {
    !Arc::ptr_eq(&before.config, &after.config)
        || before.reload != after.reload
        || before.silences != after.silences
        || before.texts != after.texts
        || before.troubles != after.troubles
        || before.uplink != after.uplink
        || before.cluster.as_ref().map(|cluster| standing(cluster)) != after.cluster.as_ref().map(|cluster| standing(cluster))
}

/// What of a cluster changes rarely: ages of news do at every look.
fn standing(cluster: &ClusterView) -> Vec<(&str, bool, Option<Ignored>)> {
    cluster.nodes.iter().map(|node| (node.name.as_str(), node.is_live, node.ignored)).collect()
}

fn says_the_same(a: &MonitorView, b: &MonitorView) -> bool {
    let beat = |view: &MonitorView| view.heartbeat.as_ref().map(|beat| (beat.seen.clone(), beat.spells.len(), beat.is_overdue));
    (a.verdict, a.since, a.paused_by_operator, a.opinion.state) == (b.verdict, b.since, b.paused_by_operator, b.opinion.state)
        && (&a.votes, &a.incidents, &a.alerts, &a.upkeep) == (&b.votes, &b.incidents, &b.alerts, &b.upkeep)
        && beat(a) == beat(b)
}
