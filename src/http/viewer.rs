//! Pages for those who may look. Every handler takes the proof. The present comes from the snapshot in memory; what needs the
//! database is waited for a few seconds and left out when it does not come, so that the pages work while the disk does not.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;

use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::alert_views;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::api_regions;
use crate::http::archive::Archive;
use crate::http::archive::within;
use crate::http::auth::Viewer;
use crate::http::badge;
use crate::http::beat;
use crate::http::beat::Nuance;
use crate::http::beat_views;
use crate::http::beat_views::Sources;
use crate::http::channel_views;
use crate::http::channels::ChannelDesk;
use crate::http::channels::Office;
use crate::http::colleagues;
use crate::http::colleagues::AllTold;
use crate::http::colleagues::Colleagues;
use crate::http::drafts;
use crate::http::drafts::Drafts;
use crate::http::error::Refusal;
use crate::http::history;
use crate::http::local::addresses_of;
use crate::http::local::public_base;
use crate::http::overview;
use crate::http::overview::Wanted;
use crate::http::packed;
use crate::http::peer_views;
use crate::http::peer_views::LinkReport;
use crate::http::planned;
use crate::http::ranges;
use crate::http::ranges::Range;
use crate::http::regions;
use crate::http::repeats::Repeats;
use crate::http::route::ViewerRoute;
use crate::http::timeline;
use crate::http::views;
use crate::http::visit::Visit;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::page::StatusPage;
use crate::model::ping::PingEntry;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::peer::results::Results;
use crate::peer::results::SEARCHED_MAX;
use crate::peer::results::Then;
use crate::store::DeliveryFilter;
use crate::store::IncidentFilter;
use crate::store::ReadError;
use crate::ui::component::bar::Uptime;
use crate::ui::component::chart::Sample;
use crate::ui::component::heartbeat::BeatSection;
use crate::ui::component::regions::RegionRow;
use crate::ui::layout::Frame;
use crate::ui::links::Links;
use crate::ui::page::announcements;
use crate::ui::page::config;
use crate::ui::page::dashboard;
use crate::ui::page::heartbeats;
use crate::ui::page::incidents;
use crate::ui::page::incidents::IncidentsView;
use crate::ui::page::maintenance;
use crate::ui::page::monitor;
use crate::ui::page::monitor::BadgeLine;
use crate::ui::page::monitor::History;
use crate::ui::page::monitor::MonitorPage;
use crate::ui::page::monitor::Past;
use crate::ui::page::monitor::SloView;
use crate::ui::page::peers;
use crate::ui::page::silences;

/// Pings on a monitor's page.
const PINGS_SHOWN: usize = 100;

/// Pings of one answer; the newest of as many as may be kept.
const PINGS_READ: usize = 1000;

const DAY: Duration = Duration::from_secs(86_400);

/// Days of a monitor's own bar, and the longest of its figures.
const DAYS_SHOWN: usize = 90;

/// Incidents on one monitor's page.
const MONITOR_INCIDENTS: usize = 20;

/// Results on one monitor's page.
const RESULTS_SHOWN: usize = 20;

/// Incidents and deliveries on their own pages.
const ROWS_SHOWN: usize = 200;

/// What the operators' pages are made of.
pub struct Desk {
    /// The present.
    pub engine: EngineHandle,
    /// The past.
    pub archive: Arc<dyn Archive>,
    /// How channels are, and the way to test them.
    pub channels: ChannelDesk,
    /// The other nodes; `None` when watching alone.
    pub colleagues: Option<Arc<dyn Colleagues>>,
    /// What people try before they write it into the config; `None` until there is a config that it would belong to.
    pub drafts: Option<Drafts>,
    /// What people just wrote.
    pub repeats: Repeats,
    /// From which names of heartbeats are derived.
    pub secret: Secret,
    /// An address of this instance, for when no public one is configured.
    pub own_url: String,
}

impl Desk {
    /// Answers a viewer. `report` says how the links to the other nodes are.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn answer(&self, route: &ViewerRoute, visit: &Visit, viewer: &Viewer, report: &LinkReport) -> Result<Answer, Refusal> {
        let snapshot = self.engine.snapshot();
        let now = visit.now.wall;
        let mut frame = views::frame(visit, viewer, &snapshot);
        // The page itself says it better.
        if *route != ViewerRoute::Peers {
            frame.banners.extend(peer_views::banners(&snapshot, report, &visit.links));
        }
        if !matches!(route, ViewerRoute::Channels | ViewerRoute::Channel(_)) {
            frame.banners.extend(channel_views::banner(&self.channels.shown.borrow(), &visit.links, now));
        }
        let office = self.office(&snapshot, now);
        let page = match route {
            ViewerRoute::Dashboard => dashboard::page(&frame, &overview::view(&snapshot, &Wanted::read(&visit.query), &visit.links, now)),
            ViewerRoute::Monitor(id) => monitor::page(&frame, &self.monitor(&snapshot, id, &frame, Range::read(&visit.query)).await?),
            ViewerRoute::NewMonitor => drafts::blank(&frame, &snapshot.config, &visit.query)?,
            ViewerRoute::Heartbeats => heartbeats::page(&frame, &beat_views::list(&snapshot, now)),
            ViewerRoute::Incidents => incidents::list(&frame, &self.incidents(&snapshot, visit).await),
            ViewerRoute::Incident(id) => self.incident(&frame, &snapshot, (id, &visit.query)).await?,
            ViewerRoute::Silences => silences::page(&frame, &alert_views::silences(&snapshot)),
            ViewerRoute::Maintenance => maintenance::page(&frame, &planned::of_operators(&snapshot.config, now)),
            ViewerRoute::Announcements => {
                let asked = (asked(&visit.query, "template"), asked(&visit.query, "about"));
                announcements::page(&frame, &timeline::announcements(&snapshot, (asked.0.as_deref(), asked.1.as_deref()), now))
            }
            ViewerRoute::ApiAnnouncements => return Ok(answer::json(StatusCode::OK, &api::writings::announcements(&snapshot, now))),
            ViewerRoute::ApiIncidents => {
                let all = self.newest_incidents(&snapshot).await;
                return Ok(answer::json(StatusCode::OK, &api::writings::incidents(&all, &snapshot)));
            }
            ViewerRoute::ApiIncident(id) => {
                let incident = self.known_incident(&snapshot, id.clone()).await?;
                return Ok(answer::json(StatusCode::OK, &api::writings::incident(&incident, &snapshot)));
            }
            ViewerRoute::ApiUpdates(id) => {
                self.known_incident(&snapshot, id.clone()).await?;
                return Ok(answer::json(StatusCode::OK, &api::writings::updates(snapshot.texts.incidents.get(id))));
            }
            ViewerRoute::ApiSilences => return Ok(answer::json(StatusCode::OK, &api::acts::silences(&snapshot))),
            ViewerRoute::Config => {
                // Without it the page is as good as before.
                let subscribers = within(self.archive.subscriber_counts()).await.unwrap_or_default();
                config::page(&frame, &views::config(&snapshot, &subscribers))
            }
            ViewerRoute::Channels => office.list(&frame).await,
            ViewerRoute::Channel(name) => office.one(&frame, name, &visit.query).await?,
            ViewerRoute::ApiChannels => return office.list_json().await,
            ViewerRoute::ApiDeliveries(name) => return office.log_json(name, &visit.query, frame.may_operate).await,
            ViewerRoute::Peers => match peer_views::page(&snapshot, report) {
                Some(view) => peers::page(&frame, &view),
                None => peers::alone(&frame, &peer_views::snippet(&snapshot.config)),
            },
            ViewerRoute::ApiPeers => return Ok(answer::json(StatusCode::OK, &api::peers::peers(&snapshot, report))),
            // It outlives the request, so it is opened where everything is at hand that may be asked for later.
            ViewerRoute::ApiEvents => return Err(Refusal::NotFound),
            ViewerRoute::ApiStatus => return Ok(answer::json(StatusCode::OK, &api::status(&snapshot))),
            ViewerRoute::ApiPings(id) => {
                let (config, pings) = (&snapshot.config, self.pings(&snapshot, id).await?);
                return Ok(answer::json(StatusCode::OK, &api::heartbeats::pings(&pings, config.retention.n_pings)));
            }
            ViewerRoute::ApiPingBody(id, number) => return self.ping_body(&snapshot, id, *number).await,
            ViewerRoute::ApiMonitor(id) => {
                let view = snapshot.monitors.get(id).ok_or(Refusal::NotFound)?;
                let wants_results = visit.query.split('&').any(|pair| pair == "results=1");
                let told = if wants_results { self.told(view, now).await } else { AllTold::new() };
                return Ok(answer::json(StatusCode::OK, &api_regions::monitor(view, wants_results.then_some(&told), snapshot.at)));
            }
        };
        Ok(packed::page_once(visit, page, may_be_packed(route, &snapshot, &visit.query)).await)
    }

    /// Everything at hand for a question about channels.
    #[must_use]
    pub fn office<'a>(&'a self, snapshot: &'a Snapshot, now: UnixMillis) -> Office<'a> {
        Office { config: &snapshot.config, archive: self.archive.as_ref(), desk: &self.channels, now }
    }

    /// The pings of a heartbeat, newest first.
    async fn pings(&self, snapshot: &Snapshot, id: &MonitorId) -> Result<Vec<PingEntry>, Refusal> {
        let view = snapshot.monitors.get(id).filter(|view| view.heartbeat.is_some());
        view.ok_or(Refusal::NotFound)?;
        let limit = usize::try_from(snapshot.config.retention.n_pings).unwrap_or(usize::MAX);
        let read = within(self.archive.pings(id, limit.min(PINGS_READ))).await;
        read.map_err(|error| Refusal::Internal(format!("cannot read the pings of {id}: {error}")))
    }

    /// What a ping brought along, byte for byte. It comes from strangers: no browser shows it as a page.
    async fn ping_body(&self, snapshot: &Snapshot, id: &MonitorId, number: u64) -> Result<Answer, Refusal> {
        snapshot.monitors.get(id).ok_or(Refusal::NotFound)?;
        let read = within(self.archive.ping(id, number)).await;
        let found = read.map_err(|error| Refusal::Internal(format!("cannot read a ping of {id}: {error}")))?;
        let entry = found.ok_or(Refusal::NotFound)?;
        let raw = answer::bytes(StatusCode::OK, "application/octet-stream", entry.body);
        let name = format!("attachment; filename=\"{id}-{number}.txt\"");
        Ok(answer::with(raw, hyper::header::CONTENT_DISPOSITION, &name))
    }

    async fn monitor(&self, snapshot: &Snapshot, id: &MonitorId, frame: &Frame, range: Range) -> Result<MonitorPage, Refusal> {
        let now = frame.now;
        let view = snapshot.monitors.get(id).ok_or(Refusal::NotFound)?;
        let (past, told, beat) =
            tokio::join!(self.past(view, snapshot, now, range), self.told(view, now), self.beat(view, snapshot, frame));
        let samples = past.as_ref().map(|past| past.samples.clone()).unwrap_or_default();
        let history = match past {
            Ok(past) => History::Read(Box::new(past)),
            Err(error) => {
                unreadable(&error);
                History::Unreadable
            }
        };
        Ok(MonitorPage {
            id: id.clone(),
            name: view.monitor.name.clone(),
            kind: view.monitor.probe.kind(),
            target: view.monitor.target(),
            group: view.monitor.group.clone(),
            state: view.verdict,
            said: beat::nuance(view).map(Nuance::said),
            since: view.since,
            marks: alert_views::marks(view, snapshot, now),
            cause: views::cause(view),
            pause: views::pause_state(view),
            interval: view.monitor.interval,
            next_at: view.next_check_at,
            is_here: regions::is_checked_here(view),
            maintenance: planned::of_monitor(view, snapshot, frame.now),
            origin: views::origin(&view.monitor.origin),
            written: view.monitor.written.to_string(),
            runbook: view.monitor.runbook.clone(),
            beat,
            regions: regions::view(view, &told, &regions::own(view, &samples)),
            last: view.last.as_ref().map(|last| views::last_check(last)),
            recent: views::ticks(view),
            history,
            badge: self.badge(snapshot, id, &frame.links),
        })
    }

    /// What there is to say of a heartbeat; `None` for other monitors. By what it is pinged is said to those only who may change things.
    async fn beat(&self, view: &MonitorView, snapshot: &Snapshot, frame: &Frame) -> Option<BeatSection> {
        view.heartbeat.as_ref()?;
        let pings = within(self.archive.pings(&view.monitor.id, PINGS_SHOWN)).await.inspect_err(unreadable).ok();
        let addresses = addresses_of(&snapshot.config, (&self.secret, &self.own_url), &view.monitor.id).filter(|_| frame.may_operate);
        let sources = Sources {
            pings: pings.as_deref(),
            addresses: addresses.as_ref(),
            has_peers: snapshot.cluster.is_some(),
            links: &frame.links,
            now: frame.now,
        };
        beat_views::section(view, &sources)
    }

    /// The badge of a monitor, on the first page that lists it and is open to everybody.
    fn badge(&self, snapshot: &Snapshot, id: &MonitorId, links: &Links) -> Option<BadgeLine> {
        let is_listed = |page: &&Arc<StatusPage>| badge::is_open(page) && page.groups.iter().any(|group| group.monitors.contains(id));
        let slug = &snapshot.config.pages.iter().find(is_listed)?.slug;
        let base = public_base(&snapshot.config.server, Some(&self.own_url))?;
        let markdown = format!("[![status]({base}/badge/{slug}/{id}/status.svg)]({base}/status/{slug})");
        Some(BadgeLine { path: links.to(&format!("/badge/{slug}/{id}/status.svg")), markdown })
    }

    /// What the other voters of a monitor measured.
    async fn told(&self, view: &MonitorView, now: UnixMillis) -> AllTold {
        match &self.colleagues {
            Some(colleagues) => colleagues::ask_all(colleagues.as_ref(), view, now).await,
            None => AllTold::new(),
        }
    }

    async fn past(&self, view: &MonitorView, snapshot: &Snapshot, now: UnixMillis, range: Range) -> Result<Past, ReadError> {
        let id = &view.monitor.id;
        let slo_window = view.monitor.slo.map_or(Duration::ZERO, |slo| slo.window);
        let longest = (DAY * u32::try_from(DAYS_SHOWN).unwrap_or(90)).max(slo_window).max(range.length());
        let from = now.minus(longest).min(history::first_midnight(now, DAYS_SHOWN));
        let changes = within(self.archive.verdicts(std::slice::from_ref(id), from, now)).await?;
        let chart_from = now.minus(DAY);
        // What the regions measured is compared over the last day, whatever the range: the others are asked for no more.
        let day = if regions::is_shared(view) {
            within(self.archive.rollups(id, Resolution::FiveMinutes, (chart_from, now))).await?
        } else {
            Vec::new()
        };
        let rollups = within(self.archive.rollups(id, range.resolution(), (now.minus(range.length()), now))).await?;
        let results = within(self.archive.results(id, (UnixMillis(0), now + Duration::from_millis(1)), RESULTS_SHOWN)).await?;
        let filter =
            IncidentFilter { monitors: Some(vec![id.clone()]), is_over: true, limit: MONITOR_INCIDENTS, ..IncidentFilter::default() };
        let over = within(self.archive.incidents(&filter)).await?;
        let open = view.incidents.iter().filter(|open| over.iter().all(|over| over.id != open.id));
        let incidents = open.chain(&over).map(|incident| views::incident_row(incident, snapshot, now)).collect();
        let over = |stretch: Duration| -> Uptime { history::uptime(&changes, now.minus(stretch), now) };
        Ok(Past {
            uptimes: [("24 h", 1), ("7 d", 7), ("30 d", 30), ("90 d", 90)].into_iter().map(|(label, n)| (label, over(DAY * n))).collect(),
            days: history::days(&changes, DAYS_SHOWN, now),
            slo: view.monitor.slo.map(|slo| SloView {
                target: f64::from(slo.target_milli_percent) / 100_000.0,
                window: slo.window,
                reached: over(slo.window),
            }),
            samples: day.iter().map(sample).collect(),
            range: range.word(),
            totals: history::totals(&changes, now.minus(range.length()), now),
            latency: ranges::latencies(range, &rollups, now),
            results: results.iter().map(views::last_check).collect(),
            chart_span: (chart_from, now),
            incidents,
        })
    }

    /// What is open is known to the engine, however much happened since it began; what is over is read from the store, a page at a time.
    async fn incidents(&self, snapshot: &Snapshot, visit: &Visit) -> IncidentsView {
        let before = asked(&visit.query, "before").and_then(|text| mark_of(&text));
        let (is_newest, now) = (before.is_none(), visit.now.wall);
        let filter = IncidentFilter { is_over: true, before, limit: ROWS_SHOWN + 1, ..IncidentFilter::default() };
        let read = within(self.archive.incidents(&filter)).await.inspect_err(unreadable);
        let row = |incident: &Incident| views::incident_row(incident, snapshot, now);
        let unreadable = read.is_err();
        let mut past = read.unwrap_or_default();
        let has_more = ROWS_SHOWN < past.len();
        past.truncate(ROWS_SHOWN);
        let last = past.last().filter(|_| has_more);
        IncidentsView {
            open: if is_newest { open_beside(&past, snapshot).iter().map(row).collect() } else { Vec::new() },
            older: last.map(|last| visit.links.incidents_before(last.opened_at, &last.id)),
            past: past.iter().map(row).collect(),
            is_newest,
            unreadable,
        }
    }

    /// An incident that is open or was kept.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or [`Refusal::Internal`] when nobody can tell.
    pub async fn known_incident(&self, snapshot: &Snapshot, id: IncidentId) -> Result<Incident, Refusal> {
        let open = || views::open_incidents(snapshot).into_iter().find(|incident| incident.id == id);
        match within(self.archive.incident(&id)).await {
            Ok(found) => found.or_else(open).ok_or(Refusal::NotFound),
            Err(error) => open().ok_or_else(|| Refusal::Internal(format!("cannot read incident {id}: {error}"))),
        }
    }

    /// All that are open and the newest that are over, newest first; while the database cannot be read, the open ones.
    pub async fn newest_incidents(&self, snapshot: &Snapshot) -> Vec<Incident> {
        let filter = IncidentFilter { is_over: true, limit: ROWS_SHOWN, ..IncidentFilter::default() };
        let mut all = within(self.archive.incidents(&filter)).await.inspect_err(unreadable).unwrap_or_default();
        all.extend(open_beside(&all, snapshot));
        all.sort_by(|a, b| (b.opened_at, &b.id).cmp(&(a.opened_at, &a.id)));
        all
    }

    async fn incident(&self, frame: &Frame, snapshot: &Snapshot, (id, query): (&IncidentId, &str)) -> Result<maud::Markup, Refusal> {
        let incident = self.known_incident(snapshot, id.clone()).await?;
        let deliveries = within(self.archive.deliveries(&DeliveryFilter::Incident(id.clone()), ROWS_SHOWN)).await.unwrap_or_else(|error| {
            unreadable(&error);
            Vec::new()
        });
        let monitor = snapshot.monitors.get(&incident.monitor);
        let told = match monitor.filter(|_| incident.closed.is_none()) {
            Some(view) => self.told(view, frame.now).await,
            None => AllTold::new(),
        };
        let mut view = views::incident(&incident, (&deliveries, frame.may_operate), snapshot, (frame.now, &told));
        if let (Some(monitor), Some(closed)) = (monitor.filter(|view| regions::is_shared(view)), incident.closed) {
            let then = Then { from: incident.opened_at, to: closed.at, lane: incident.lane };
            view.then = self.seen_then(monitor, then, frame.now).await;
        }
        view.draft = timeline::draft(id, asked(query, "template").as_deref(), snapshot);
        Ok(incidents::page(frame, &view))
    }

    /// How the last bad check of each voter looked in an incident that is over, while results of it are kept.
    async fn seen_then(&self, view: &MonitorView, then: Then, now: UnixMillis) -> Vec<RegionRow> {
        let told = async {
            match &self.colleagues {
                Some(colleagues) => colleagues::ask_failed(colleagues.as_ref(), view, then, now).await,
                None => AllTold::new(),
            }
        };
        let (told, own) = tokio::join!(told, within(self.archive.results(&view.monitor.id, (then.from, then.to), SEARCHED_MAX)));
        let own = own.inspect_err(unreadable).unwrap_or_default();
        regions::then_rows(view, &told, &Results::failed(&own, then.lane))
    }
}

/// Whether a page may be compressed. How long it gets tells something of what stands on it (BREACH), so that it must neither carry a secret,
/// as a heartbeat's does, nor repeat a text of its address, as searches and templates do; what is chosen from a list is no text. The token of
/// its forms is another one each time.
fn may_be_packed(route: &ViewerRoute, snapshot: &Snapshot, query: &str) -> bool {
    let is_checked = |id: &MonitorId| snapshot.monitors.get(id).is_some_and(|view| view.heartbeat.is_none());
    let has_no_secret = matches!(route, ViewerRoute::Dashboard | ViewerRoute::Incidents | ViewerRoute::Incident(_))
        || matches!(route, ViewerRoute::Monitor(id) if is_checked(id));
    let is_choice = |name: &str, value: &str| match name {
        "show" => value == "all",
        "range" => Range::ALL.into_iter().any(|range| range.word() == value),
        "state" => Verdict::ALL.iter().any(|state| state.word() == value),
        "by" => ["group", "state", "none"].contains(&value),
        _ => false,
    };
    // A form sends along what was left empty.
    has_no_secret && url::form_urlencoded::parse(query.as_bytes()).all(|(name, value)| value.is_empty() || is_choice(&name, &value))
}

fn asked(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Those that are open. What ended between the two looks is told of as it ended.
fn open_beside(past: &[Incident], snapshot: &Snapshot) -> Vec<Incident> {
    views::open_incidents(snapshot).into_iter().filter(|open| past.iter().all(|past| past.id != open.id)).collect()
}

/// Where a page of incidents begins, as [`Links::incidents_before`] writes it.
fn mark_of(text: &str) -> Option<(UnixMillis, IncidentId)> {
    let (at, id) = text.split_once('-')?;
    Some((UnixMillis(at.parse().ok()?), IncidentId::from_derived(id)))
}

fn unreadable(error: &ReadError) {
    tracing::warn!(%error, "a page is shown without its history: {error}");
}

fn sample(rollup: &Rollup) -> Sample {
    let answered = 0 < rollup.n_up + rollup.n_degraded;
    let time = |us: u32| answered.then(|| Duration::from_micros(u64::from(us)));
    Sample { at: rollup.start, p50: time(rollup.p50_us), p95: time(rollup.p95_us) }
}
