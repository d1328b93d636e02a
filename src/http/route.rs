//! The closed list of everything that can be asked for. Pure: a method and a path go in, a route comes out.
//!
//! The right that a route needs is its type: a route is made inside one of several enums, and `crate::http::site` obtains the proof
//! for that enum before its handler can be called. There is no way to add a route without choosing one. A path is matched as it
//! was sent: nothing is decoded, folded or collapsed, so `%2e`, `//`, a trailing slash and upper case are other paths, and those
//! do not exist.

use percent_encoding::percent_decode_str;

use crate::http::badge;
use crate::http::badge::Asked;
use crate::http::healthchecks;
use crate::http::heartbeat::path;
use crate::http::heartbeat::path::PingPath;
use crate::http::subscriptions;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::policy::SilenceId;
use crate::model::update::About;
use crate::model::update::AnnouncementId;
use crate::model::update::UpdateId;
use crate::notifier::signed::TOKEN_CHARS_MAX as ACT_CHARS_MAX;
use crate::ui::links::Act;
use crate::ui::links::path_segment;

/// What is asked for, sorted by the right it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Nothing is needed; the handlers see only what is published.
    Public(PublicRoute),
    /// A ping, by any method: whoever knows the address may send it.
    Ping(PingPath),
    /// The management API of healthchecks, by any method: needs an API token.
    Healthchecks(healthchecks::Asked),
    /// What the service of a channel reports: needs a signature by that channel's secret.
    Hook(HookRoute),
    /// Needs someone who may look.
    Viewer(ViewerRoute),
    /// Needs someone who may change run-time state.
    Operator(OperatorRoute),
    /// Needs someone who may do everything.
    Admin(AdminRoute),
    /// Exists on the control socket only.
    Local(LocalRoute),
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Everybody.
    Public,
    /// Whoever knows a token of a heartbeat.
    Token,
    /// API tokens only.
    Key,
    /// Whoever knows the secret of a channel.
    Channel,
    /// People and tokens that may look.
    Viewer,
    /// People and tokens that may change run-time state.
    Operator,
    /// People and tokens that may do everything.
    Admin,
    /// Whoever may open the control socket.
    Local,
}

/// Routes for the services of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookRoute {
    /// A button was pressed in Slack.
    Slack(ChannelName),
    /// Something became of an incident in PagerDuty.
    PagerDuty(ChannelName),
}

/// Routes for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicRoute {
    /// Depends on the host name and on who is asking.
    Home,
    /// A status page.
    Status(PageSlug),
    /// A status page's data.
    StatusJson(PageSlug),
    /// A status page's feed of incidents.
    StatusFeed(PageSlug),
    /// A status page's calendar of maintenance.
    StatusCalendar(PageSlug),
    /// A status page in one line, for frames of other sites.
    StatusWidget(PageSlug),
    /// A status page's own style sheet.
    StatusTheme(PageSlug),
    /// A status page's picture.
    StatusLogo(PageSlug),
    /// A password for a status page.
    StatusPassword(PageSlug),
    /// Something about subscribing to a status page.
    Subscribe(subscriptions::Asked),
    /// A badge of a status page, or of a monitor on it.
    Badge(Asked),
    /// The sign-in page.
    SignIn,
    /// A name and a password.
    SignInForm,
    /// The way to the provider of identities.
    ToProvider,
    /// The way back from there.
    FromProvider,
    /// The button of a one-time link.
    Link(String),
    /// Using a one-time link.
    LinkUse(String),
    /// The buttons of a link in a message.
    Act(String),
    /// Using a link in a message.
    ActUse(String),
    /// Ends one's own session.
    SignOut,
    /// An embedded file.
    Asset(String),
    /// Whether the engine lives.
    Health,
    /// A node of the cluster wants a link; it proves who it is inside.
    Peer,
    /// For search engines.
    Robots,
    /// Icon of the tab.
    Favicon,
    /// Every component in every state; debug builds only.
    #[cfg(debug_assertions)]
    Gallery,
    /// A status page with everything in every state; debug builds only.
    #[cfg(debug_assertions)]
    StatusGallery,
}

/// Routes for those who may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewerRoute {
    /// The dashboard.
    Dashboard,
    /// One monitor.
    Monitor(MonitorId),
    /// The form for a new monitor.
    NewMonitor,
    /// All heartbeats.
    Heartbeats,
    /// All incidents.
    Incidents,
    /// One incident.
    Incident(IncidentId),
    /// What nobody is told of for a while.
    Silences,
    /// The same as JSON.
    ApiSilences,
    /// Maintenance windows.
    Maintenance,
    /// What visitors are told without a check that failed.
    Announcements,
    /// The same as JSON.
    ApiAnnouncements,
    /// Incidents as JSON.
    ApiIncidents,
    /// One incident as JSON.
    ApiIncident(IncidentId),
    /// What was written about it, as JSON.
    ApiUpdates(IncidentId),
    /// The config.
    Config,
    /// Channels and how they are.
    Channels,
    /// One channel and its messages.
    Channel(ChannelName),
    /// Channels as JSON.
    ApiChannels,
    /// The messages of a channel as JSON.
    ApiDeliveries(ChannelName),
    /// All monitors as JSON.
    ApiStatus,
    /// What changes, as it changes.
    ApiEvents,
    /// One monitor as JSON.
    ApiMonitor(MonitorId),
    /// The pings of a heartbeat as JSON.
    ApiPings(MonitorId),
    /// What one of them brought along, as it was.
    ApiPingBody(MonitorId, u64),
    /// The nodes of the cluster.
    Peers,
    /// The nodes of the cluster as JSON.
    ApiPeers,
}

/// Routes that change run-time state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRoute {
    /// What is to be done.
    pub deed: Deed,
    /// How the answer is wanted.
    pub wire: Wire,
}

/// What an operator can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Something to a monitor.
    Monitor(Act, MonitorId),
    /// What was filled in for a new monitor is shown as YAML, or tried out.
    Draft,
    /// Somebody is at work on an incident, or wants to hear of it later.
    Acknowledge(IncidentId),
    /// Nobody is, after all.
    Withdraw(IncidentId),
    /// A silence of one monitor.
    SilenceMonitor(MonitorId),
    /// A silence.
    Silence,
    /// It is over.
    EndSilence(SilenceId),
    /// Something is written about trouble.
    Write(Writing),
    /// A test message.
    TestChannel(ChannelName),
    /// A message that was given up is to be tried again.
    RetryMessage(ChannelName, i64),
    /// All of a channel's.
    RetryChannel(ChannelName),
}

/// Routes for admins: what cannot be taken back, and what changes the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminRoute {
    /// What is to be done.
    pub deed: AdminDeed,
    /// How the answer is wanted.
    pub wire: Wire,
}

/// What only an admin can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminDeed {
    /// A node is gone for good.
    ForgetNode(NodeName),
    /// What was filled in for a new monitor is written into the config.
    AddMonitor,
}

/// What people write about trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writing {
    /// An update of an incident.
    Update(IncidentId),
    /// A note on it, for those who are signed in.
    Note(IncidentId),
    /// Something that was said of an incident or announcement was not meant.
    TakeBack(About, UpdateId),
    /// What was learnt from it.
    Postmortem(IncidentId),
    /// An announcement.
    Announcement,
    /// An update of it.
    AnnouncementUpdate(AnnouncementId),
}

/// Routes of the control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalRoute {
    /// For `vigilmon status`.
    Status,
    /// Read the config again.
    Reload,
    /// Make a one-time link.
    SignInLink,
    /// For `vigilmon peer status`.
    Peers,
    /// Ask a node whether it is there.
    PingPeer(NodeName),
    /// A node is gone for good.
    ForgetPeer(NodeName),
    /// By what a heartbeat is pinged.
    Heartbeat(MonitorId),
    /// Somebody is at work on an incident, or on all of a monitor.
    Acknowledge,
    /// Nobody is, after all.
    Withdraw,
    /// All silences.
    Silences,
    /// A silence.
    Silence,
    /// It is over.
    EndSilence(SilenceId),
    /// Incidents, with what was written about them.
    Incidents,
    /// One of them.
    Incident(IncidentId),
    /// What visitors are told without a check that failed.
    Announcements,
    /// Something is written about trouble.
    Write(Writing),
    /// How the channels are.
    Channels,
    /// The messages of a channel.
    Deliveries(ChannelName),
    /// A message that was given up is to be tried again.
    RetryMessage(ChannelName, i64),
    /// All of a channel's.
    RetryChannel(ChannelName),
    /// Who subscribed to status pages.
    Subscribers,
    /// An address is to be forgotten.
    ForgetSubscriber,
}

/// How answers, errors above all, are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// For people.
    Page,
    /// For programs.
    Json,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// No such path.
    NotFound,
    /// The path exists for these methods.
    MethodNotAllowed(&'static str),
}

/// Longest token in a path that is looked at; ours have 43 characters.
const TOKEN_CHARS_MAX: usize = 64;

/// Longest incident id that is looked at; ours have 13 characters.
const INCIDENT_CHARS_MAX: usize = 32;

impl Route {
    /// The right it needs.
    #[must_use]
    pub fn right(&self) -> Right {
        match self {
            Route::Public(_) => Right::Public,
            Route::Ping(_) => Right::Token,
            Route::Healthchecks(_) => Right::Key,
            Route::Hook(_) => Right::Channel,
            Route::Viewer(_) => Right::Viewer,
            Route::Operator(_) => Right::Operator,
            Route::Admin(_) => Right::Admin,
            Route::Local(_) => Right::Local,
        }
    }
}

impl ViewerRoute {
    /// Its path below the base, if it is a page one can be sent back to after signing in.
    #[must_use]
    pub fn page_path(&self) -> Option<String> {
        match self {
            ViewerRoute::Dashboard => Some("/monitors".to_owned()),
            ViewerRoute::Monitor(id) => Some(format!("/monitors/{id}")),
            ViewerRoute::NewMonitor => Some("/new-monitor".to_owned()),
            ViewerRoute::Heartbeats => Some("/heartbeats".to_owned()),
            ViewerRoute::Incidents => Some("/incidents".to_owned()),
            ViewerRoute::Incident(id) => Some(format!("/incidents/{id}")),
            ViewerRoute::Silences => Some("/silences".to_owned()),
            ViewerRoute::Maintenance => Some("/maintenance".to_owned()),
            ViewerRoute::Announcements => Some("/announcements".to_owned()),
            ViewerRoute::Config => Some("/config".to_owned()),
            ViewerRoute::Channels => Some("/channels".to_owned()),
            ViewerRoute::Channel(name) => Some(format!("/channels/{}", path_segment(name.as_str()))),
            ViewerRoute::Peers => Some("/peers".to_owned()),
            ViewerRoute::ApiStatus
            | ViewerRoute::ApiEvents
            | ViewerRoute::ApiMonitor(_)
            | ViewerRoute::ApiPings(_)
            | ViewerRoute::ApiPingBody(..)
            | ViewerRoute::ApiSilences
            | ViewerRoute::ApiAnnouncements
            | ViewerRoute::ApiIncidents
            | ViewerRoute::ApiIncident(_)
            | ViewerRoute::ApiUpdates(_)
            | ViewerRoute::ApiChannels
            | ViewerRoute::ApiDeliveries(_)
            | ViewerRoute::ApiPeers => None,
        }
    }
}

/// How the answers below this path are written.
#[must_use]
pub fn wire_of(path: &str) -> Wire {
    let is_json = path.starts_with("/api/")
        || path.starts_with("/local/")
        || path.starts_with("/hooks/")
        || path == "/healthz"
        || path.ends_with(".json")
        || path.ends_with(".shields");
    if is_json { Wire::Json } else { Wire::Page }
}

/// Whether this path is the control socket's; it then exists nowhere else.
#[must_use]
pub fn is_local(path: &str) -> bool {
    path == "/local" || path.starts_with("/local/")
}

/// Finds the route. `path` is without query and without the base path. `HEAD` goes where `GET` goes.
///
/// # Errors
/// [`NoRoute`].
pub fn route(method: &str, path: &str) -> Result<Route, NoRoute> {
    let path = path.strip_prefix('/').ok_or(NoRoute::NotFound)?;
    let segments: Vec<&str> = path.split('/').collect();
    if let Some(ping) = path::parse(&segments) {
        return Ok(Route::Ping(ping));
    }
    if let Some(asked) = healthchecks::parse(&segments) {
        return Ok(Route::Healthchecks(asked));
    }
    let get = || public(&segments).map(Route::Public).or_else(|| viewer(&segments).map(Route::Viewer)).or_else(|| local_get(&segments));
    let acts = || operator(&segments).map(Route::Operator).or_else(|| admin(&segments).map(Route::Admin));
    let reports = || hook(&segments).map(Route::Hook);
    let post = || public_post(&segments).map(Route::Public).or_else(reports).or_else(acts).or_else(|| local_post(&segments));
    let delete = || operator_delete(&segments).map(Route::Operator);
    let found = match method {
        "GET" | "HEAD" => get(),
        "POST" => post(),
        "DELETE" => delete(),
        _ => None,
    };
    found.ok_or_else(|| match (get().is_some(), post().is_some(), delete().is_some()) {
        (true, true, _) => NoRoute::MethodNotAllowed("GET, HEAD, POST"),
        (true, false, _) => NoRoute::MethodNotAllowed("GET, HEAD"),
        (false, true, true) => NoRoute::MethodNotAllowed("POST, DELETE"),
        (false, true, false) => NoRoute::MethodNotAllowed("POST"),
        (false, false, true) => NoRoute::MethodNotAllowed("DELETE"),
        (false, false, false) => NoRoute::NotFound,
    })
}

fn public(segments: &[&str]) -> Option<PublicRoute> {
    match segments {
        [""] => Some(PublicRoute::Home),
        ["status", file] if file.ends_with(".json") => slug(file.strip_suffix(".json")?).map(PublicRoute::StatusJson),
        ["status", file] if file.ends_with(".atom") => slug(file.strip_suffix(".atom")?).map(PublicRoute::StatusFeed),
        ["status", file] if file.ends_with(".ics") => slug(file.strip_suffix(".ics")?).map(PublicRoute::StatusCalendar),
        ["status", page] => slug(page).map(PublicRoute::Status),
        ["status", page, "widget"] => slug(page).map(PublicRoute::StatusWidget),
        ["status", page, "theme.css"] => slug(page).map(PublicRoute::StatusTheme),
        ["status", page, "logo"] => slug(page).map(PublicRoute::StatusLogo),
        ["status", page, "subscribe"] => slug(page).map(|page| PublicRoute::Subscribe(subscriptions::Asked::Forms(page))),
        ["subscription", text] => token(text).map(|token| PublicRoute::Subscribe(subscriptions::Asked::Open(token))),
        ["sign-in"] => Some(PublicRoute::SignIn),
        ["sign-in", "oidc"] => Some(PublicRoute::ToProvider),
        ["sign-in", "oidc", "callback"] => Some(PublicRoute::FromProvider),
        ["sign-in", "link", text] => token(text).map(PublicRoute::Link),
        ["act", text] => act_token(text).map(PublicRoute::Act),
        ["assets", name] if !name.is_empty() => Some(PublicRoute::Asset((*name).to_owned())),
        ["healthz"] => Some(PublicRoute::Health),
        ["peer"] => Some(PublicRoute::Peer),
        ["robots.txt"] => Some(PublicRoute::Robots),
        ["favicon.svg" | "favicon.ico"] => Some(PublicRoute::Favicon),
        #[cfg(debug_assertions)]
        ["gallery"] => Some(PublicRoute::Gallery),
        #[cfg(debug_assertions)]
        ["gallery", "status"] => Some(PublicRoute::StatusGallery),
        all => badge::parse(all).map(PublicRoute::Badge),
    }
}

fn public_post(segments: &[&str]) -> Option<PublicRoute> {
    match segments {
        ["status", page] if ![".json", ".atom", ".ics"].iter().any(|end| page.ends_with(end)) => {
            slug(page).map(PublicRoute::StatusPassword)
        }
        ["status", page, "subscribe"] => slug(page).map(|page| PublicRoute::Subscribe(subscriptions::Asked::SignUp(page))),
        ["subscription", text] => token(text).map(|token| PublicRoute::Subscribe(subscriptions::Asked::Use(token))),
        ["sign-in"] => Some(PublicRoute::SignInForm),
        ["sign-in", "link", text] => token(text).map(PublicRoute::LinkUse),
        ["act", text] => act_token(text).map(PublicRoute::ActUse),
        ["sign-out"] => Some(PublicRoute::SignOut),
        _ => None,
    }
}

fn hook(segments: &[&str]) -> Option<HookRoute> {
    match segments {
        ["hooks", "slack", name] => channel(name).map(HookRoute::Slack),
        ["hooks", "pagerduty", name] => channel(name).map(HookRoute::PagerDuty),
        _ => None,
    }
}

fn viewer(segments: &[&str]) -> Option<ViewerRoute> {
    match segments {
        ["monitors"] => Some(ViewerRoute::Dashboard),
        ["monitors", id] => monitor(id).map(ViewerRoute::Monitor),
        // Not below `monitors`, where somebody's monitor may be called `new`.
        ["new-monitor"] => Some(ViewerRoute::NewMonitor),
        ["heartbeats"] => Some(ViewerRoute::Heartbeats),
        ["incidents"] => Some(ViewerRoute::Incidents),
        ["incidents", id] => incident(id).map(ViewerRoute::Incident),
        ["silences"] => Some(ViewerRoute::Silences),
        ["maintenance"] => Some(ViewerRoute::Maintenance),
        ["api", "v1", "silences"] => Some(ViewerRoute::ApiSilences),
        ["announcements"] => Some(ViewerRoute::Announcements),
        ["api", "v1", "announcements"] => Some(ViewerRoute::ApiAnnouncements),
        ["api", "v1", "incidents"] => Some(ViewerRoute::ApiIncidents),
        ["api", "v1", "incidents", id] => incident(id).map(ViewerRoute::ApiIncident),
        ["api", "v1", "incidents", id, "updates"] => incident(id).map(ViewerRoute::ApiUpdates),
        ["config"] => Some(ViewerRoute::Config),
        ["channels"] => Some(ViewerRoute::Channels),
        ["channels", name] => channel(name).map(ViewerRoute::Channel),
        ["api", "v1", "channels"] => Some(ViewerRoute::ApiChannels),
        ["api", "v1", "channels", name, "deliveries"] => channel(name).map(ViewerRoute::ApiDeliveries),
        ["api", "v1", "status"] => Some(ViewerRoute::ApiStatus),
        ["api", "v1", "events"] => Some(ViewerRoute::ApiEvents),
        ["api", "v1", "monitors", id] => monitor(id).map(ViewerRoute::ApiMonitor),
        ["api", "v1", "monitors", id, "pings"] => monitor(id).map(ViewerRoute::ApiPings),
        ["api", "v1", "monitors", id, "pings", n, "body"] => Some(ViewerRoute::ApiPingBody(monitor(id)?, number(n)?)),
        ["peers"] => Some(ViewerRoute::Peers),
        ["api", "v1", "peers"] => Some(ViewerRoute::ApiPeers),
        _ => None,
    }
}

/// How whoever does something wants to hear of it, and the path without that.
fn wire_and_rest<'a, 'b>(segments: &'a [&'b str]) -> (Wire, &'a [&'b str]) {
    match segments {
        ["api", "v1", rest @ ..] => (Wire::Json, rest),
        all => (Wire::Page, all),
    }
}

fn operator(segments: &[&str]) -> Option<OperatorRoute> {
    let (wire, segments) = wire_and_rest(segments);
    let deed = match segments {
        ["incidents", id, word] if *word == acknowledge_word(wire) => Deed::Acknowledge(incident(id)?),
        ["incidents", id, "withdraw"] if wire == Wire::Page => Deed::Withdraw(incident(id)?),
        ["monitors", id, "silence"] if wire == Wire::Page => Deed::SilenceMonitor(monitor(id)?),
        ["silences"] => Deed::Silence,
        ["silences", id, "end"] if wire == Wire::Page => Deed::EndSilence(silence(id)?),
        ["monitors", id, word] => {
            let act = [Act::Pause, Act::Resume, Act::Check].into_iter().find(|act| act.word() == *word)?;
            Deed::Monitor(act, monitor(id)?)
        }
        ["new-monitor"] if wire == Wire::Page => Deed::Draft,
        ["channels", name, "test"] => Deed::TestChannel(channel(name)?),
        [kind, id, "updates", update, "remove"] if wire == Wire::Page => Deed::Write(take_back(kind, (id, update))?),
        ["channels", name, "retry"] => Deed::RetryChannel(channel(name)?),
        ["channels", name, "deliveries", id, "retry"] => Deed::RetryMessage(channel(name)?, row(id)?),
        all => Deed::Write(writing(all)?),
    };
    Some(OperatorRoute { deed, wire })
}

fn admin(segments: &[&str]) -> Option<AdminRoute> {
    let (wire, segments) = wire_and_rest(segments);
    let deed = match segments {
        ["new-monitor", "add"] if wire == Wire::Page => AdminDeed::AddMonitor,
        ["peers", name, "forget"] => AdminDeed::ForgetNode(node(name)?),
        _ => return None,
    };
    Some(AdminRoute { deed, wire })
}

/// What is written by POST, at the same places for people, programs and the command line.
fn writing(segments: &[&str]) -> Option<Writing> {
    Some(match segments {
        ["incidents", id, "updates"] => Writing::Update(incident(id)?),
        ["incidents", id, "notes"] => Writing::Note(incident(id)?),
        ["incidents", id, "postmortem"] => Writing::Postmortem(incident(id)?),
        ["announcements"] => Writing::Announcement,
        ["announcements", id, "updates"] => Writing::AnnouncementUpdate(AnnouncementId::parse(id).ok()?),
        _ => return None,
    })
}

/// An update of an incident or an announcement is taken back.
fn take_back(kind: &str, (id, update): (&str, &str)) -> Option<Writing> {
    let about = match kind {
        "incidents" => About::Incident(incident(id)?),
        "announcements" => About::Announcement(AnnouncementId::parse(id).ok()?),
        _ => return None,
    };
    Some(Writing::TakeBack(about, UpdateId::parse(update).ok()?))
}

/// Programs make and delete the acknowledgement of an incident; people press a button that says what it does.
fn acknowledge_word(wire: Wire) -> &'static str {
    match wire {
        Wire::Page => "acknowledge",
        Wire::Json => "acknowledgement",
    }
}

fn operator_delete(segments: &[&str]) -> Option<OperatorRoute> {
    let deed = match segments {
        ["api", "v1", "incidents", id, "acknowledgement"] => Deed::Withdraw(incident(id)?),
        ["api", "v1", "silences", id] => Deed::EndSilence(silence(id)?),
        ["api", "v1", kind, id, "updates", update] => Deed::Write(take_back(kind, (id, update))?),
        _ => return None,
    };
    Some(OperatorRoute { deed, wire: Wire::Json })
}

fn local_get(segments: &[&str]) -> Option<Route> {
    match segments {
        ["local", "status"] => Some(Route::Local(LocalRoute::Status)),
        ["local", "peers"] => Some(Route::Local(LocalRoute::Peers)),
        ["local", "silences"] => Some(Route::Local(LocalRoute::Silences)),
        ["local", "incidents"] => Some(Route::Local(LocalRoute::Incidents)),
        ["local", "incidents", id] => incident(id).map(|id| Route::Local(LocalRoute::Incident(id))),
        ["local", "announcements"] => Some(Route::Local(LocalRoute::Announcements)),
        ["local", "channels"] => Some(Route::Local(LocalRoute::Channels)),
        ["local", "subscribers"] => Some(Route::Local(LocalRoute::Subscribers)),
        ["local", "channels", name, "deliveries"] => channel(name).map(|name| Route::Local(LocalRoute::Deliveries(name))),
        ["local", "heartbeats", id] => monitor(id).map(|id| Route::Local(LocalRoute::Heartbeat(id))),
        _ => None,
    }
}

fn local_post(segments: &[&str]) -> Option<Route> {
    match segments {
        ["local", "reload"] => Some(Route::Local(LocalRoute::Reload)),
        ["local", "subscribers", "remove"] => Some(Route::Local(LocalRoute::ForgetSubscriber)),
        ["local", "acknowledge"] => Some(Route::Local(LocalRoute::Acknowledge)),
        ["local", "withdraw"] => Some(Route::Local(LocalRoute::Withdraw)),
        ["local", "silences"] => Some(Route::Local(LocalRoute::Silence)),
        ["local", "silences", id, "end"] => silence(id).map(|id| Route::Local(LocalRoute::EndSilence(id))),
        ["local", "sign-in-link"] => Some(Route::Local(LocalRoute::SignInLink)),
        ["local", "channels", name, "retry"] => channel(name).map(|name| Route::Local(LocalRoute::RetryChannel(name))),
        ["local", "channels", name, "deliveries", id, "retry"] => Some(Route::Local(LocalRoute::RetryMessage(channel(name)?, row(id)?))),
        ["local", "peers", name, "ping"] => node(name).map(|node| Route::Local(LocalRoute::PingPeer(node))),
        ["local", "peers", name, "forget"] => node(name).map(|node| Route::Local(LocalRoute::ForgetPeer(node))),
        ["local", kind, id, "updates", update, "remove"] => {
            take_back(kind, (id, update)).map(|taken| Route::Local(LocalRoute::Write(taken)))
        }
        ["local", rest @ ..] => writing(rest).map(|writing| Route::Local(LocalRoute::Write(writing))),
        _ => None,
    }
}

fn slug(text: &str) -> Option<PageSlug> {
    PageSlug::parse(text).ok()
}

fn monitor(text: &str) -> Option<MonitorId> {
    MonitorId::parse(text).ok()
}

fn node(text: &str) -> Option<NodeName> {
    NodeName::parse(text).ok()
}

fn incident(text: &str) -> Option<IncidentId> {
    let fits = (1..=INCIDENT_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    fits.then(|| IncidentId::from_derived(text))
}

fn silence(text: &str) -> Option<SilenceId> {
    SilenceId::parse(text).ok()
}

/// A channel's name, which may be anything, as we write it: one way only.
fn channel(text: &str) -> Option<ChannelName> {
    let name = percent_decode_str(text).decode_utf8().ok()?;
    ChannelName::parse(&name).ok().filter(|_| path_segment(&name) == text)
}

/// The row of a message.
fn row(text: &str) -> Option<i64> {
    number(text).and_then(|n| i64::try_from(n).ok())
}

/// A number as we write it: one way only.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|n: &u64| n.to_string() == text)
}

fn token(text: &str) -> Option<String> {
    token_within(text, TOKEN_CHARS_MAX)
}

/// The token of a link in a message has a name in it and may be long.
fn act_token(text: &str) -> Option<String> {
    token_within(text, ACT_CHARS_MAX)
}

fn token_within(text: &str, chars_max: usize) -> Option<String> {
    let fits = (1..=chars_max).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_subscriptions_have_their_rights() {
        for (method, path, right) in [
            ("GET", "/status/prod/subscribe", Right::Public),
            ("POST", "/status/prod/subscribe", Right::Public),
            ("GET", "/subscription/abc_-9", Right::Public),
            ("POST", "/subscription/abc_-9", Right::Public),
            ("GET", "/local/subscribers", Right::Local),
            ("POST", "/local/subscribers/remove", Right::Local),
        ] {
            assert_eq!(route(method, path).map(|found| found.right()), Ok(right), "{method} {path}");
        }
        for path in ["/status/prod/subscribe/", "/status/%2e/subscribe", "/subscription/", "/subscription/a.b", "/subscription/a/b"] {
            assert_eq!(route("GET", path), Err(NoRoute::NotFound), "{path}");
        }
        assert_eq!(route("GET", &format!("/subscription/{}", "a".repeat(65))), Err(NoRoute::NotFound));
    }

    #[test]
    fn routes_of_channels_have_their_rights() {
        for (method, path, right) in [
            ("GET", "/new-monitor", Right::Viewer),
            ("POST", "/new-monitor", Right::Operator),
            ("POST", "/new-monitor/add", Right::Admin),
            ("GET", "/channels/ops", Right::Viewer),
            ("GET", "/channels/the%20ops%2Fteam", Right::Viewer),
            ("GET", "/api/v1/channels", Right::Viewer),
            ("GET", "/api/v1/channels/", Right::Key),
            ("GET", "/api/v1/channels/ops/deliveries", Right::Viewer),
            ("POST", "/channels/ops/test", Right::Operator),
            ("POST", "/channels/ops/retry", Right::Operator),
            ("POST", "/channels/ops/deliveries/7/retry", Right::Operator),
            ("POST", "/api/v1/channels/ops/test", Right::Operator),
            ("POST", "/api/v1/channels/ops/deliveries/7/retry", Right::Operator),
            ("GET", "/local/channels", Right::Local),
            ("GET", "/local/channels/ops/deliveries", Right::Local),
            ("POST", "/local/channels/ops/retry", Right::Local),
            ("POST", "/local/channels/ops/deliveries/7/retry", Right::Local),
        ] {
            assert_eq!(route(method, path).map(|found| found.right()), Ok(right), "{method} {path}");
        }
        for path in
            ["/channels/", "/channels/%6fps", "/channels/the ops", "/channels/a%2fb", "/channels/%ff", "/channels/ops/deliveries/07/retry"]
        {
            assert_eq!(route("GET", path), Err(NoRoute::NotFound), "{path}");
        }
    }

    #[test]
    fn every_route_has_its_right() {
        for (method, path, right) in [
            ("GET", "/", Right::Public),
            ("HEAD", "/", Right::Public),
            ("GET", "/status/prod", Right::Public),
            ("GET", "/status/prod.json", Right::Public),
            ("GET", "/status/prod/theme.css", Right::Public),
            ("GET", "/status/prod/logo", Right::Public),
            ("GET", "/badge/prod/status.svg", Right::Public),
            ("HEAD", "/badge/prod/api/uptime-7d.shields", Right::Public),
            ("GET", "/api/v1/endpoints/core_api/health/badge.svg", Right::Public),
            ("GET", "/api/v3/checks/", Right::Key),
            ("DELETE", "/api/v1/checks/6f0c1e9a-0000-4000-8000-00000000000a", Right::Key),
            ("OPTIONS", "/api/v2/channels/", Right::Key),
            ("GET", "/api/v3/status/", Right::Key),
            ("POST", "/status/prod", Right::Public),
            ("GET", "/status/prod.atom", Right::Public),
            ("GET", "/status/prod.ics", Right::Public),
            ("GET", "/status/prod/widget", Right::Public),
            ("GET", "/sign-in", Right::Public),
            ("POST", "/sign-in", Right::Public),
            ("GET", "/sign-in/link/abc_-9", Right::Public),
            ("POST", "/sign-in/link/abc", Right::Public),
            ("POST", "/sign-out", Right::Public),
            ("GET", "/sign-in/oidc", Right::Public),
            ("GET", "/sign-in/oidc/callback", Right::Public),
            ("GET", "/assets/style.0a.css", Right::Public),
            ("GET", "/healthz", Right::Public),
            ("GET", "/robots.txt", Right::Public),
            ("GET", "/favicon.svg", Right::Public),
            ("GET", "/favicon.ico", Right::Public),
            ("HEAD", "/healthz", Right::Public),
            ("GET", "/monitors", Right::Viewer),
            ("HEAD", "/monitors/api", Right::Viewer),
            ("GET", "/incidents", Right::Viewer),
            ("GET", "/incidents/abc234", Right::Viewer),
            ("GET", "/config", Right::Viewer),
            ("GET", "/channels", Right::Viewer),
            ("GET", "/api/v1/status", Right::Viewer),
            ("GET", "/api/v1/monitors/api", Right::Viewer),
            ("POST", "/monitors/api/pause", Right::Operator),
            ("POST", "/monitors/api/resume", Right::Operator),
            ("POST", "/monitors/api/check", Right::Operator),
            ("POST", "/api/v1/monitors/api/check", Right::Operator),
            ("GET", "/peers", Right::Viewer),
            ("GET", "/api/v1/peers", Right::Viewer),
            ("POST", "/peers/eu-west/forget", Right::Admin),
            ("POST", "/api/v1/peers/eu-west/forget", Right::Admin),
            ("GET", "/peer", Right::Public),
            ("GET", "/api/v1/monitors/api/pings", Right::Viewer),
            ("GET", "/api/v1/events", Right::Viewer),
            ("GET", "/api/v1/monitors/api/pings/7/body", Right::Viewer),
            ("GET", "/heartbeat/abc", Right::Token),
            ("DELETE", "/heartbeat/abc/start", Right::Token),
            ("POST", "/ping/key/slug", Right::Token),
            ("OPTIONS", "/api/push/abc", Right::Token),
            ("GET", "/local/heartbeats/nightly", Right::Local),
            ("GET", "/local/peers", Right::Local),
            ("POST", "/local/peers/eu-west/ping", Right::Local),
            ("POST", "/local/peers/eu-west/forget", Right::Local),
            ("GET", "/local/status", Right::Local),
            ("POST", "/local/reload", Right::Local),
            ("POST", "/local/sign-in-link", Right::Local),
        ] {
            assert_eq!(route(method, path).map(|route| route.right()), Ok(right), "{method} {path}");
        }
    }

    #[test]
    fn so_has_every_act_about_alerts() {
        for (method, path, right) in [
            ("GET", "/silences", Right::Viewer),
            ("GET", "/maintenance", Right::Viewer),
            ("GET", "/api/v1/silences", Right::Viewer),
            ("POST", "/incidents/abc234/acknowledge", Right::Operator),
            ("POST", "/incidents/abc234/withdraw", Right::Operator),
            ("POST", "/monitors/api/silence", Right::Operator),
            ("POST", "/silences", Right::Operator),
            ("POST", "/silences/abcdefg2/end", Right::Operator),
            ("POST", "/api/v1/incidents/abc234/acknowledgement", Right::Operator),
            ("DELETE", "/api/v1/incidents/abc234/acknowledgement", Right::Operator),
            ("POST", "/api/v1/silences", Right::Operator),
            ("DELETE", "/api/v1/silences/abcdefg2", Right::Operator),
            ("GET", "/act/abc_-9", Right::Public),
            ("POST", "/act/abc_-9", Right::Public),
            ("POST", "/local/acknowledge", Right::Local),
            ("POST", "/local/withdraw", Right::Local),
            ("GET", "/local/silences", Right::Local),
            ("POST", "/local/silences", Right::Local),
            ("POST", "/local/silences/abcdefg2/end", Right::Local),
            ("POST", "/hooks/slack/the%20ops", Right::Channel),
            ("POST", "/hooks/pagerduty/oncall", Right::Channel),
        ] {
            assert_eq!(route(method, path).map(|route| route.right()), Ok(right), "{method} {path}");
        }
    }

    #[test]
    fn so_has_everything_that_is_written() {
        for (method, path, right) in [
            ("GET", "/announcements", Right::Viewer),
            ("GET", "/api/v1/announcements", Right::Viewer),
            ("GET", "/api/v1/incidents", Right::Viewer),
            ("GET", "/api/v1/incidents/abc234", Right::Viewer),
            ("GET", "/api/v1/incidents/abc234/updates", Right::Viewer),
            ("POST", "/incidents/abc234/updates", Right::Operator),
            ("POST", "/incidents/abc234/notes", Right::Operator),
            ("POST", "/incidents/abc234/postmortem", Right::Operator),
            ("POST", "/incidents/abc234/updates/abcdefg2/remove", Right::Operator),
            ("POST", "/announcements", Right::Operator),
            ("POST", "/announcements/abcdefg2/updates", Right::Operator),
            ("POST", "/announcements/abcdefg2/updates/abcdefg2/remove", Right::Operator),
            ("DELETE", "/api/v1/announcements/abcdefg2/updates/abcdefg2", Right::Operator),
            ("POST", "/api/v1/incidents/abc234/updates", Right::Operator),
            ("POST", "/api/v1/incidents/abc234/notes", Right::Operator),
            ("POST", "/api/v1/incidents/abc234/postmortem", Right::Operator),
            ("DELETE", "/api/v1/incidents/abc234/updates/abcdefg2", Right::Operator),
            ("POST", "/api/v1/announcements", Right::Operator),
            ("POST", "/api/v1/announcements/abcdefg2/updates", Right::Operator),
            ("GET", "/local/incidents", Right::Local),
            ("GET", "/local/incidents/abc234", Right::Local),
            ("GET", "/local/announcements", Right::Local),
            ("POST", "/local/incidents/abc234/updates", Right::Local),
            ("POST", "/local/incidents/abc234/notes", Right::Local),
            ("POST", "/local/incidents/abc234/postmortem", Right::Local),
            ("POST", "/local/announcements", Right::Local),
            ("POST", "/local/announcements/abcdefg2/updates", Right::Local),
            ("POST", "/local/announcements/abcdefg2/updates/abcdefg2/remove", Right::Local),
            ("POST", "/local/incidents/abc234/updates/abcdefg2/remove", Right::Local),
        ] {
            assert_eq!(route(method, path).map(|found| found.right()), Ok(right), "{method} {path}");
        }
        for path in ["/incidents/abc234/updates/ABC/remove", "/announcements/x", "/local/incidents/abc234/other", "/announcements/"] {
            assert_eq!(route("POST", path), Err(NoRoute::NotFound), "{path}");
        }
    }

    #[test]
    fn other_spellings_do_not_exist() {
        for path in [
            "",
            "//",
            "/monitors/",
            "//monitors",
            "/monitors//api",
            "/Monitors",
            "/monitors/API",
            "/monitors/%61pi",
            "/./monitors",
            "/%2e/monitors",
            "/status/",
            "/status/prod/",
            "/status/.json",
            "/status/.atom",
            "/status/.ics",
            "/status/prod/widget/",
            "/badge/prod",
            "/badge/prod/api/status.svg/",
            "/badge/prod/api/status.png",
            "/badge/prod/API/status.svg",
            "/assets/",
            "/assets/a/b",
            "/api/v1",
            "/api/v4/status",
            "/monitors/api/delete",
            "/incidents/ABC",
            "/sign-in/link/",
            "/sign-in/link/a%2fb",
            "/local",
            "/healthz/",
            "/..",
            "/status/../config",
            "/peers/",
            "/act",
            "/act/",
            "/act/a.b",
            "/silences/",
            "/silences/abcdefg2",
            "/hooks/slack",
            "/hooks/slack/%6fps",
            "/hooks/teams/ops",
            "/peers/eu-west",
            "/peers/EU/forget",
            "/local/peers/eu-west",
            "/heartbeat",
            "/Heartbeat/abc",
            "/ping",
            "/api/v1/monitors/api/pings/07/body",
        ] {
            assert_eq!(route("GET", path), Err(NoRoute::NotFound), "{path}");
        }
    }

    #[test]
    fn other_methods_name_the_right_ones() {
        for (method, path, allow) in [
            ("POST", "/monitors", "GET, HEAD"),
            ("GET", "/monitors/api/pause", "POST"),
            ("DELETE", "/sign-in", "GET, HEAD, POST"),
            ("get", "/", "GET, HEAD"),
            ("GET", "/local/reload", "POST"),
            ("GET", "/peers/eu-west/forget", "POST"),
            ("POST", "/peers", "GET, HEAD"),
            ("GET", "/hooks/slack/ops", "POST"),
            ("DELETE", "/silences", "GET, HEAD, POST"),
            ("GET", "/api/v1/silences/abcdefg2", "DELETE"),
            ("GET", "/api/v1/incidents/abc/acknowledgement", "POST, DELETE"),
        ] {
            assert_eq!(route(method, path), Err(NoRoute::MethodNotAllowed(allow)), "{method} {path}");
        }
    }

    #[test]
    fn pages_one_is_sent_back_to_are_routes_again() {
        for path in [
            "/monitors",
            "/monitors/api",
            "/heartbeats",
            "/incidents",
            "/incidents/abc",
            "/silences",
            "/maintenance",
            "/announcements",
            "/config",
            "/channels",
            "/peers",
        ] {
            let Ok(Route::Viewer(found)) = route("GET", path) else { panic!("{path} is for viewers") };
            assert_eq!(found.page_path().as_deref(), Some(path));
        }
    }
}
