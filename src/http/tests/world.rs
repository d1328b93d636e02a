//! A small world for the server: an engine that notes what it is asked, a store in memory that can be made to fail, a clock that
//! is set by hand.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::StatusCode;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::ApiToken;
use crate::config::Auth;
use crate::config::Config;
use crate::config::Instance;
use crate::config::ProxyAuth;
use crate::config::Retention;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Scope;
use crate::config::Server;
use crate::config::User;
use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::HeartbeatView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::Recent;
use crate::engine::snapshot::ReloadView;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::UplinkView;
use crate::http::ReloadAnswer;
use crate::http::Reloads;
use crate::http::archive::Archive;
use crate::http::archive::Later;
use crate::http::channels::ChannelDesk;
use crate::http::colleagues::Colleagues;
use crate::http::courier::Courier;
use crate::http::courier::Post;
use crate::http::history;
use crate::http::history::Book;
use crate::http::password::tests::cheap_hash;
use crate::http::site::Site;
use crate::http::visit::Peer;
use crate::model::change::VerdictChange;
use crate::model::channel::Channel;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatSpec;
use crate::model::heartbeat::Identity;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::RunId;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::id::Region;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::monitor::IpChoice;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::TcpSpec;
use crate::model::net::HostPort;
use crate::model::page::Order;
use crate::model::page::PageGroup;
use crate::model::page::PageLanguage;
use crate::model::page::Show;
use crate::model::page::StatusPage;
use crate::model::page::Theme;
use crate::model::page::Visibility;
use crate::model::peer::Meta;
use crate::model::peer::Readiness;
use crate::model::peer::Vantage;
use crate::model::ping::Arrival;
use crate::model::ping::Meaning;
use crate::model::ping::PingEntry;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::testing;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::notifier;
use crate::notifier::attempt::Tried;
use crate::notifier::error::SendError;
use crate::rules::heartbeat as beats;
use crate::rules::heartbeat::Belief;
use crate::rules::heartbeat::Input;
use crate::rules::heartbeat::Moment;
use crate::rules::heartbeat::Phase;
use crate::store::Answered;
use crate::store::AnsweredBy;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::ChannelFacts;
use crate::store::CommitError;
use crate::store::Delivery;
use crate::store::DeliveryFilter;
use crate::store::DeliveryState;
use crate::store::IncidentFilter;
use crate::store::ReadError;
use crate::store::Revived;
use crate::store::SessionRow;
use crate::store::SubscriberCount;
use crate::supervise::Jobs;

/// When the world begins.
pub(super) const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

/// A store in memory.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) incidents: Mutex<Vec<Incident>>,
    pub(super) sessions: Mutex<Vec<SessionRow>>,
    pub(super) deliveries: Mutex<Vec<Delivery>>,
    pub(super) channels: Mutex<Vec<ChannelFacts>>,
    /// Channels that took a test message.
    pub(super) proved: Mutex<Vec<String>>,
    /// Messages that were asked for again; 0 for all of a channel.
    pub(super) revived: Mutex<Vec<i64>>,
    /// Newest first.
    pub(super) pings: Mutex<Vec<PingEntry>>,
    /// Of any monitor.
    pub(super) rollups: Mutex<BTreeMap<Resolution, Vec<Rollup>>>,
    /// Newest first.
    pub(super) results: Mutex<Vec<CheckResult>>,
    pub(super) is_broken: std::sync::atomic::AtomicBool,
    /// Writes never end.
    pub(super) is_stalled: std::sync::atomic::AtomicBool,
}

impl Shelf {
    fn read<T: Send + 'static>(&self, value: T) -> Later<'_, Result<T, ReadError>> {
        let broken = self.is_broken.load(std::sync::atomic::Ordering::Relaxed);
        Box::pin(async move { if broken { Err(ReadError("the disk is gone".to_owned())) } else { Ok(value) } })
    }
}

impl Shelf {
    fn write(&self, change: impl FnOnce(&mut Vec<SessionRow>)) -> Later<'_, Result<(), CommitError>> {
        if self.is_stalled.load(std::sync::atomic::Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        change(&mut self.sessions.lock().unwrap());
        Box::pin(async { Ok(()) })
    }
}

impl Archive for Shelf {
    fn deliveries<'a>(&'a self, filter: &'a DeliveryFilter, limit: usize) -> Later<'a, Result<Vec<Delivery>, ReadError>> {
        let is_wanted = |found: &&Delivery| match filter {
            DeliveryFilter::All => true,
            DeliveryFilter::Incident(id) => found.incident.as_ref() == Some(id),
            DeliveryFilter::Channel { name, before, dead } => {
                let is_dead = matches!(found.state, DeliveryState::Dead(_));
                found.channel == *name && before.is_none_or(|before| found.id < before) && (is_dead || !dead)
            }
        };
        self.read(self.deliveries.lock().unwrap().iter().filter(is_wanted).take(limit).cloned().collect())
    }

    fn channels(&self) -> Later<'_, Result<Vec<ChannelFacts>, ReadError>> {
        self.read(self.channels.lock().unwrap().clone())
    }

    fn channel_accepted<'a>(&'a self, name: &'a ChannelName, _: UnixMillis) -> Later<'a, Result<(), CommitError>> {
        self.proved.lock().unwrap().push(name.to_string());
        Box::pin(async { Ok(()) })
    }

    fn revive<'a>(&'a self, channel: &'a ChannelName, id: i64, _: UnixMillis) -> Later<'a, Result<Revived, CommitError>> {
        let found = self.deliveries.lock().unwrap().iter().find(|found| found.channel == *channel && found.id == id).cloned();
        let revived = match found.map(|found| found.state) {
            Some(DeliveryState::Dead(_)) => Revived::Waiting(1),
            Some(DeliveryState::Sent(_)) => Revived::Outdated,
            Some(DeliveryState::Waiting(_)) | None => Revived::NotDead,
        };
        self.revived.lock().unwrap().push(id);
        Box::pin(async move { Ok(revived) })
    }

    fn revive_all<'a>(&'a self, _: &'a ChannelName, _: UnixMillis) -> Later<'a, Result<usize, CommitError>> {
        self.revived.lock().unwrap().push(0);
        Box::pin(async { Ok(2) })
    }

    fn rollups<'a>(
        &'a self,
        _: &'a MonitorId,
        resolution: Resolution,
        (from, to): (UnixMillis, UnixMillis),
    ) -> Later<'a, Result<Vec<Rollup>, ReadError>> {
        let is_within = |rollup: &&Rollup| from <= rollup.start && rollup.start < to;
        let all = self.rollups.lock().unwrap();
        self.read(all.get(&resolution).into_iter().flatten().filter(is_within).copied().collect())
    }

    fn results<'a>(
        &'a self,
        id: &'a MonitorId,
        (from, to): (UnixMillis, UnixMillis),
        limit: usize,
    ) -> Later<'a, Result<Vec<CheckResult>, ReadError>> {
        let is_wanted = |result: &&CheckResult| result.monitor == *id && from <= result.at && result.at < to;
        self.read(self.results.lock().unwrap().iter().filter(is_wanted).take(limit).cloned().collect())
    }

    fn verdicts<'a>(&'a self, ids: &'a [MonitorId], from: UnixMillis, _: UnixMillis) -> Later<'a, Result<Vec<VerdictChange>, ReadError>> {
        self.read(ids.iter().map(|id| VerdictChange { monitor: id.clone(), at: from, verdict: Verdict::Up }).collect())
    }

    fn incidents<'a>(&'a self, filter: &'a IncidentFilter) -> Later<'a, Result<Vec<Incident>, ReadError>> {
        let wanted = |i: &&Incident| {
            let is_before = filter.before.as_ref().is_none_or(|(at, id)| (i.opened_at, i.id.as_str()) < (*at, id.as_str()));
            filter.monitors.as_ref().is_none_or(|ids| ids.contains(&i.monitor)) && is_before && (i.closed.is_some() || !filter.is_over)
        };
        let mut found: Vec<Incident> = self.incidents.lock().unwrap().iter().filter(wanted).cloned().collect();
        found.sort_by(|a, b| (b.opened_at, b.id.as_str()).cmp(&(a.opened_at, a.id.as_str())));
        found.truncate(if filter.limit == 0 { 100 } else { filter.limit });
        self.read(found)
    }

    fn incident<'a>(&'a self, id: &'a IncidentId) -> Later<'a, Result<Option<Incident>, ReadError>> {
        self.read(self.incidents.lock().unwrap().iter().find(|i| i.id == *id).cloned())
    }

    fn pings<'a>(&'a self, _: &'a MonitorId, limit: usize) -> Later<'a, Result<Vec<PingEntry>, ReadError>> {
        self.read(self.pings.lock().unwrap().iter().take(limit).cloned().collect())
    }

    fn ping<'a>(&'a self, _: &'a MonitorId, number: u64) -> Later<'a, Result<Option<PingEntry>, ReadError>> {
        self.read(self.pings.lock().unwrap().iter().find(|ping| ping.number == number).cloned())
    }

    fn ping_numbers(&self) -> Later<'_, Result<BTreeMap<MonitorId, u64>, ReadError>> {
        let mut numbers = BTreeMap::new();
        for entry in self.pings.lock().unwrap().iter() {
            let newest: &mut u64 = numbers.entry(entry.heartbeat.clone()).or_default();
            *newest = entry.number.max(*newest);
        }
        self.read(numbers)
    }

    fn subscriber_counts(&self) -> Later<'_, Result<Vec<SubscriberCount>, ReadError>> {
        self.read(vec![SubscriberCount { page: "main".to_owned(), n_confirmed: 3, n_unconfirmed: 1 }])
    }

    fn sessions(&self) -> Later<'_, Result<Vec<SessionRow>, ReadError>> {
        self.read(self.sessions.lock().unwrap().clone())
    }

    fn session_put(&self, row: SessionRow) -> Later<'_, Result<(), CommitError>> {
        self.write(|rows| {
            rows.retain(|r| r.token_hash != row.token_hash);
            rows.push(row);
        })
    }

    fn sessions_delete(&self, keys: Vec<[u8; 32]>) -> Later<'_, Result<(), CommitError>> {
        self.write(|rows| rows.retain(|r| !keys.contains(&r.token_hash)))
    }
}

/// A post that takes everything, or refuses it with an answer that holds a secret.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) sent: Mutex<Vec<String>>,
    /// Requests that were no messages.
    pub(super) handed: Mutex<Vec<notifier::request::Request>>,
    pub(super) refuses: std::sync::atomic::AtomicBool,
}

impl Post for Mailbox {
    fn hand(&self, request: notifier::request::Request) -> Later<'_, Result<notifier::request::Answer, SendError>> {
        self.handed.lock().unwrap().push(request);
        Box::pin(async { Ok(notifier::request::Answer { status: 200, retry_after: None, body: br#"{"ok":true}"#.to_vec() }) })
    }

    fn test<'a>(&'a self, channel: &'a Channel, _: &'a Server) -> Later<'a, Tried> {
        self.sent.lock().unwrap().push(channel.name.to_string());
        let outcome = if self.refuses.load(std::sync::atomic::Ordering::Relaxed) {
            Err(SendError::Permanent("answered 401: it does not accept the credentials".to_owned()))
        } else {
            Ok(())
        };
        let (end, code) = if outcome.is_ok() { (AttemptOutcome::Accepted, 200) } else { (AttemptOutcome::Refused, 401) };
        let answer = Some(Answered { by: AnsweredBy::Http, code, said: "go away".to_owned() });
        let reason = outcome.as_ref().err().map(ToString::to_string);
        let record =
            Attempt { at: NOON, took: Duration::from_millis(120), outcome: end, reason, answer, called: None, is_unanswered: false };
        Box::pin(async move { Tried { outcome, record, remaining: Vec::new() } })
    }
}

/// A server with everything around it.
pub(in crate::http) struct World {
    pub(in crate::http) site: Arc<Site>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) clock: Clock,
    pub(super) asked: Arc<Mutex<Vec<Operation>>>,
    pub(super) engine: EngineHandle,
    pub(super) book: watch::Sender<Arc<Book>>,
    /// How the channels are, as pages see it that do not wait for the database.
    pub(super) facts: watch::Sender<Arc<Vec<ChannelFacts>>>,
    pub(super) post: Arc<Mailbox>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    _jobs: Jobs,
}

/// An answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) status: StatusCode,
    pub(super) headers: hyper::HeaderMap,
    pub(super) body: String,
    /// Of the body as it was sent.
    pub(super) n_bytes: usize,
}

impl Read {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Name and value of the cookie that was set.
    pub(super) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }
}

/// Where requests come from when it does not matter.
pub(super) const STRANGER: Peer = Peer::Tcp(IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)));

impl World {
    pub(in crate::http) async fn new(snapshot: Snapshot) -> World {
        let shelf = Arc::new(Shelf::default());
        World::with_shelf(snapshot, shelf).await
    }

    pub(super) async fn with_shelf(snapshot: Snapshot, shelf: Arc<Shelf>) -> World {
        let clock = Clock::manual(Now { wall: NOON, mono: Mono(1_000_000_000) });
        let (snapshots, shown) = watch::channel(Arc::new(snapshot));
        let (requests, mut inbox) = mpsc::channel::<crate::engine::handle::Request>(4);
        let (pings, _) = mpsc::channel(1);
        let engine = EngineHandle { snapshots: shown, requests, pings };
        let (reloads, mut reload_inbox) = mpsc::channel::<tokio::sync::oneshot::Sender<ReloadAnswer>>(1);
        let asked: Arc<Mutex<Vec<Operation>>> = Arc::default();
        let jobs = Jobs::new(CancellationToken::new());
        let noted = Arc::clone(&asked);
        jobs.start(async move {
            while let Some(request) = inbox.recv().await {
                noted.lock().unwrap().push(request.operation);
                let _ = request.reply.send(Ok(()));
            }
        });
        jobs.start(async move {
            while let Some(reply) = reload_inbox.recv().await {
                let _ = reply.send(ReloadAnswer { changed: "one monitor added".to_owned(), problems: Vec::new() });
            }
        });
        let archive: Arc<dyn Archive> = shelf.clone();
        let (facts, shown) = watch::channel(Arc::default());
        let post = Arc::new(Mailbox::default());
        let channels = ChannelDesk { shown, courier: Courier::new(post.clone(), Arc::default()) };
        let own_url = "http://localhost:8080".to_owned();
        let own = crate::http::Own::new(own_url, crate::model::secret::Secret::new("secret"));
        let (site, book) = crate::http::site((&engine, archive), clock.clone(), Reloads(reloads), channels, own).await.unwrap();
        World { site: Arc::new(site), shelf, clock, asked, engine, book, facts, post, snapshots, _jobs: jobs }
    }

    /// Before it answers anything.
    pub(super) fn has_colleagues(&mut self, colleagues: Arc<dyn Colleagues>) {
        Arc::get_mut(&mut self.site).expect("nobody else has it yet").desk.colleagues = Some(colleagues);
    }

    pub(in crate::http) fn show(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.engine.snapshot());
        snapshot.revision += 1;
        change(&mut snapshot);
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    pub(super) async fn read_history(&self) {
        let snapshot = self.engine.snapshot();
        let book = history::read(self.shelf.as_ref(), &snapshot.config.pages, 1, NOON).await.unwrap();
        self.book.send_replace(Arc::new(book));
    }

    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Read {
        self.ask_from(STRANGER, &format!("{method} {path}"), headers, body).await
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Read {
        self.ask("GET", path, headers, "").await
    }

    /// A form sent by one of our own pages.
    pub(super) async fn post(&self, path: &str, cookie: &str, body: &str) -> Read {
        let own = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
        self.ask("POST", path, &own, body).await
    }

    /// `line` is method and path.
    pub(super) async fn ask_from(&self, peer: Peer, line: &str, headers: &[(&str, &str)], body: &str) -> Read {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let (parts, body) = self.site.answer(request, peer).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Read { status: parts.status, headers: parts.headers, n_bytes: body.len(), body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// Signs in by a one-time link; gives back the cookie.
    pub(super) async fn sign_in(&self) -> String {
        let token = self.site.sign_in.links.make(self.clock.now().mono).unwrap();
        self.post(&format!("/sign-in/link/{token}"), "", "").await.cookie()
    }

    /// The form token that pages carry for this cookie.
    pub(super) async fn form_token(&self, cookie: &str) -> String {
        let page = self.get("/monitors", &[("cookie", cookie)]).await.body;
        let (_, after) = page.split_once("name=\"form\" value=\"").unwrap();
        after.split('"').next().unwrap().to_owned()
    }
}

pub(super) fn id(text: &str) -> MonitorId {
    MonitorId::parse(text).unwrap()
}

pub(super) fn slug(text: &str) -> PageSlug {
    PageSlug::parse(text).unwrap()
}

fn origin() -> Origin {
    Origin { file: Arc::new(PathBuf::from("config.yaml")), line: 14 }
}

pub(super) fn monitor(name: &str, host: &str) -> Monitor {
    Monitor {
        name: name.to_owned(),
        probe: ProbeSpec::Tcp(TcpSpec {
            address: HostPort { host: host.to_owned(), port: 5432 },
            send: Vec::new(),
            expect: Vec::new(),
            ip: IpChoice::Any,
            resolver: Vec::new(),
        }),
        origin: origin(),
        ..testing::monitor(&crate::model::id::slug(name))
    }
}

/// What heartbeats of this world expect: a report each hour, ten minutes late at most.
pub(super) fn rules() -> Heartbeat {
    testing::heartbeat(Duration::from_secs(3600), Duration::from_secs(600))
}

/// A heartbeat that was loaded a day ago, and so many seconds before noon got pings of these kinds.
pub(super) fn heartbeat(name: &str, rules: Heartbeat, pings: &[(u64, PingKind, Option<&str>)]) -> MonitorView {
    let sure = |at: UnixMillis| Moment { at, belief: Belief::Sure };
    let day = Duration::from_secs(86_400);
    let loaded_at = pings.iter().map(|(ago, ..)| NOON.minus(Duration::from_secs(ago + 60))).min().unwrap_or(NOON.minus(day));
    let mut state = beats::fresh(loaded_at);
    for (i, (ago, kind, run)) in pings.iter().enumerate() {
        let at = NOON.minus(Duration::from_secs(*ago));
        let stamp = PingStamp { at, sequence: u64::try_from(i).unwrap(), node: NodeName::parse("a").unwrap() };
        let ping = Ping { stamp, kind: *kind, run: run.map(|run| RunId::text(run).unwrap()) };
        state = beats::feed(&rules, state, Input::Ping(ping), sure(at)).0;
    }
    let state = beats::pass(&rules, state, sure(NOON)).0;
    let seen = beats::assess(&rules, &state, NOON);
    let verdict = match seen.phase {
        Phase::Waiting => Verdict::Unknown,
        Phase::Up | Phase::Late => Verdict::Up,
        Phase::Down => Verdict::Down,
        Phase::Paused => Verdict::Paused,
    };
    let beat = HeartbeatView { spells: beats::spells(&rules, &state.pings), is_overdue: false, hint: None, seen, state };
    let identity = Identity { token: None, uuid: None, slug: crate::model::id::slug(name), generation: 1 };
    let probe = ProbeSpec::Heartbeat(Box::new(HeartbeatSpec { beat: Arc::new(rules), identity }));
    let monitor = Monitor { probe, ..monitor(name, "unused") };
    let failure = (verdict == Verdict::Down).then(|| Failure::Body { detail: "canary-no success".to_owned() });
    MonitorView {
        verdict,
        last: None,
        recent: Arc::new([]),
        next_check_at: None,
        heartbeat: Some(Arc::new(beat)),
        ..view(monitor, failure)
    }
}

/// An entry of the log of a heartbeat, received a minute before noon.
pub(super) fn entry(heartbeat: &str, number: u64, body: &[u8]) -> PingEntry {
    PingEntry {
        heartbeat: id(heartbeat),
        number,
        stamp: PingStamp { at: NOON.minus(Duration::from_secs(60)), sequence: number, node: NodeName::parse("a").unwrap() },
        meaning: Meaning::Ping(PingKind::Success),
        exit: Some(0),
        run: None,
        took: Some(Duration::from_millis(4200)),
        is_repeat: false,
        arrival: Some(Arrival {
            address: Some(IpAddr::from([198, 51, 100, 77])),
            agent: Some("curl/8.5.0".to_owned()),
            method: "POST".to_owned(),
        }),
        body: body.to_vec(),
        body_bytes: u64::try_from(body.len()).unwrap(),
    }
}

/// A monitor that is up, or down because of `failure`.
pub(super) fn view(monitor: Monitor, failure: Option<Failure>) -> MonitorView {
    let is_down = failure.is_some();
    let regions = if is_down {
        RegionView { failing: vec![Region::parse("eu-west").unwrap()], ..RegionView::default() }
    } else {
        RegionView::default()
    };
    let incidents: Vec<Incident> = failure.iter().map(|cause| incident(&monitor, cause.clone())).collect();
    MonitorView {
        verdict: if is_down { Verdict::Down } else { Verdict::Up },
        since: NOON.minus(Duration::from_secs(300)),
        opinion: Opinion { state: if is_down { OpinionState::Down } else { OpinionState::Up }, since: NOON, failure: failure.clone() },
        regions,
        votes: Vec::new(),
        upkeep: None,
        agreement: crate::engine::snapshot::Agreement::Agreed,
        decider: None,
        diagnosis: None,
        last: Some(Arc::new(CheckResult {
            monitor: monitor.id.clone(),
            at: NOON.minus(Duration::from_secs(5)),
            outcome: if is_down { Outcome::Down } else { Outcome::Up },
            failure,
            timings: Timings { total: Duration::from_millis(42), ..Timings::default() },
            status: None,
            remote: Some(IpAddr::from([198, 51, 100, 77])),
            certificate_not_after: None,
            transcript: Transcript { lines: vec!["canary-transcript".to_owned()], n_dropped: 0 },
        })),
        recent: Arc::new([Recent { at: NOON, outcome: Outcome::Up, took: Duration::from_millis(42) }]),
        incidents,
        next_check_at: Some(NOON + Duration::from_secs(55)),
        paused_by_operator: false,
        heartbeat: None,
        alerts: Vec::new(),
        monitor: Arc::new(monitor),
    }
}

pub(super) fn incident(monitor: &Monitor, cause: Failure) -> Incident {
    Incident {
        id: IncidentId::from_derived(&format!("inc{}", monitor.id.as_str().replace('-', ""))),
        monitor: monitor.id.clone(),
        monitor_name: monitor.name.clone(),
        lane: Lane::Outage,
        epoch: Epoch(1),
        opened_at: NOON.minus(Duration::from_secs(300)),
        confirmed_at: NOON.minus(Duration::from_secs(290)),
        closed: None,
        cause,
        regions: RegionView::default(),
        confidence: Confidence::Full,
        diagnosis: None,
        evidence: vec!["canary-evidence".to_owned()],
    }
}

pub(in crate::http) fn page(name: &str, visibility: Visibility, monitors: &[&str]) -> StatusPage {
    StatusPage {
        slug: slug(name),
        title: format!("Status of {name}"),
        domains: Vec::new(),
        visibility,
        show: Show { targets: false, errors: false, response_times: true, regions: false, history: Duration::from_secs(90 * 86_400) },
        theme: Theme::default(),
        language: PageLanguage::Auto,
        order: Order::Listed,
        links: Vec::new(),
        groups: vec![PageGroup { name: "All".to_owned(), monitors: monitors.iter().map(|m| id(m)).collect(), is_open: None }],
        announcements: Vec::new(),
        subscriptions: None,
        origin: origin(),
    }
}

pub(super) fn config() -> Config {
    Config {
        instance: Instance {
            region: Region::parse("local").unwrap(),
            vantage: Vantage::External,
            state_dir: PathBuf::from("/nowhere"),
            secret: None,
            allow_commands: false,
            edit: None,
        },
        server: Server {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            public_url: None,
            base_path: String::new(),
            trusted_proxies: Vec::new(),
            tls: None,
        },
        auth: Auth::default(),
        monitors: Vec::new(),
        channels: BTreeMap::new(),
        pages: Vec::new(),
        policies: Vec::new(),
        incident_templates: Vec::new(),
        maintenance: Vec::new(),
        uplink: Vec::new(),
        self_channels: Vec::new(),
        self_heartbeat: None,
        retention: Retention::default(),
        heartbeats: crate::config::Heartbeats::default(),
        doubts: Vec::new(),
        peers: None,
    }
}

/// A proxy at this address that signs people in; whoever comes may do this.
pub(super) fn proxy(from: &str, role: Role) -> ProxyAuth {
    let roles = Roles { of_groups: BTreeMap::new(), of_others: Some(role) };
    ProxyAuth { header: "remote-user".to_owned(), groups_header: None, roles, from: vec![from.parse().unwrap()] }
}

pub(super) fn user(name: &str, password: &str) -> User {
    User { name: name.to_owned(), password_hash: cheap_hash(password), role: Role::Admin }
}

pub(super) fn snapshot(mut config: Config, views: Vec<MonitorView>) -> Snapshot {
    config.monitors = views.iter().map(|view| Arc::clone(&view.monitor)).collect();
    Snapshot {
        at: NOON,
        started_at: NOON.minus(Duration::from_secs(3600)),
        revision: 1,
        config: Arc::new(config),
        monitors: views.into_iter().map(|view| (view.monitor.id.clone(), Arc::new(view))).collect(),
        uplink: UplinkView::NotGuarded,
        silences: Vec::new(),
        texts: Arc::default(),
        cluster: None,
        reload: Arc::new(ReloadView {
            active_hash: "0123456789abcdef".to_owned(),
            active_since: NOON,
            is_last_good_copy: false,
            problems: Vec::new(),
            checked_at: NOON,
            needs_restart: Vec::new(),
            recent: Vec::new(),
        }),
        troubles: Vec::new(),
    }
}

/// Two monitors, one of them down and on the public page; a private page; a page with a password.
pub(in crate::http) fn usual() -> Snapshot {
    let mut config = config();
    config.pages = vec![
        Arc::new(page("prod", Visibility::Public, &["api"])),
        Arc::new(page("inside", Visibility::Private, &["api"])),
        Arc::new(page("partners", Visibility::Password(cheap_hash("sesame")), &["api"])),
    ];
    let failure = Failure::Body { detail: "canary-error in the body".to_owned() };
    snapshot(
        config,
        vec![view(monitor("api", "canary-target.internal"), Some(failure)), view(monitor("canary-hidden", "canary-host"), None)],
    )
}

/// A node of a cluster whose first one this is.
pub(in crate::http) fn node(name: &str, ignored: Option<Ignored>) -> NodeView {
    let region = Region::parse(name).unwrap();
    NodeView {
        name: NodeName::parse(name).unwrap(),
        region: region.clone(),
        vantage: Vantage::External,
        is_me: name == "a",
        is_configured: true,
        is_live: ignored != Some(Ignored::Silent),
        ignored,
        abstains: None,
        meta: Some(Meta {
            region,
            vantage: Vantage::External,
            version: "0.1.0 (canary-build)".to_owned(),
            config_digest: "0123456789abcdef".to_owned(),
            readiness: Readiness::Ok,
            is_clock_off: false,
            clock_offset_ms: None,
            started_at: NOON.minus(Duration::from_secs(3600)),
        }),
        has_same_config: Some(true),
        known_ago: None,
        n_decides: 1,
    }
}

/// What the first of these nodes sees.
pub(in crate::http) fn cluster(nodes: Vec<NodeView>) -> ClusterView {
    let n_live = nodes.iter().filter(|node| node.is_live).count();
    ClusterView {
        name: "acme".to_owned(),
        me: nodes[0].name.clone(),
        is_primary: nodes.len() < 2 * n_live,
        nodes,
        forgotten: Vec::new(),
        is_ready: true,
        solo_after: Some(Duration::from_secs(60)),
        clock_offset_ms: Some(-3),
    }
}

/// A token of the API that is its own name.
pub(super) fn api_token(name: &str, scope: Scope) -> ApiToken {
    let hash = data_encoding::HEXLOWER.encode(&crate::http::random::sha256(name.as_bytes()));
    ApiToken { name: name.to_owned(), hash: crate::model::secret::Secret::new(hash), scope }
}
