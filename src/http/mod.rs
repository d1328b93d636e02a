//! The server: routes, rights, pages, API, and the control socket of the command line.
//!
//! Renders what the engine shows and the store keeps, and passes on what operators ask for; decides nothing about monitors. Start
//! reading at [`route`], which lists all there is, and [`site`], where a route, its proof and its handler meet. Public handlers
//! live in [`visitor`] and see [`pages`] only; what may be published is listed in [`public`].

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;

use ring::hmac;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Problem;
use crate::engine::handle::EngineHandle;
use crate::http::act_link::ActLinks;
use crate::http::archive::Archive;
use crate::http::auth::Auth;
use crate::http::auth::credential_of;
use crate::http::channels::ChannelDesk;
use crate::http::colleagues::Colleagues;
use crate::http::drafts::Drafts;
use crate::http::drafts::Workbench;
use crate::http::heartbeat::receiver::Receiver;
use crate::http::history::Book;
use crate::http::hooks::Hooks;
use crate::http::limits::HISTORY_EVERY;
use crate::http::live::Streams;
use crate::http::oidc::Oidc;
use crate::http::pages::Pages;
use crate::http::repeats::Repeats;
use crate::http::server::Bound;
use crate::http::sessions::Sessions;
use crate::http::sessions::Who;
use crate::http::sign_in::SignIn;
use crate::http::site::Site;
use crate::http::subscriptions::Subscribing;
use crate::http::subscriptions::exchange::Company;
use crate::http::subscriptions::exchange::Exchange;
use crate::http::subscriptions::exchange::Heard;
use crate::http::subscriptions::herald::Herald;
use crate::http::viewer::Desk;
use crate::model::peer::Roster;
use crate::model::secret::Secret;
use crate::notifier::sink::ChannelSink;
use crate::peer::link::links::Links;
use crate::store::Store;
use crate::supervise::Jobs;
use crate::supervise::Supervisor;

pub mod act_link;
pub mod acts;
pub mod admin;
pub mod alert_views;
pub mod answer;
pub mod api;
pub mod api_regions;
pub mod archive;
pub mod auth;
pub mod badge;
pub mod beat;
pub mod beat_views;
pub mod channel_views;
pub mod channels;
pub mod colleagues;
pub mod courier;
pub mod drafts;
pub mod error;
pub mod healthchecks;
pub mod heartbeat;
pub mod history;
pub mod hooks;
pub mod limits;
pub mod live;
pub mod local;
pub mod next;
pub mod oidc;
pub mod one_time;
pub mod operator;
pub mod overview;
pub mod paced;
pub mod packed;
pub mod pages;
pub mod password;
pub mod peer_views;
pub mod peers;
pub mod places;
pub mod planned;
pub mod public;
pub mod random;
pub mod ranges;
pub mod refused;
pub mod regions;
pub mod repeats;
pub mod route;
pub mod server;
pub mod sessions;
pub mod sign_in;
pub mod site;
pub mod subscriptions;
pub mod throttle;
pub mod timeline;
pub mod tls;
pub mod viewer;
pub mod views;
pub mod visit;
pub mod visitor;
pub mod writings;

#[cfg(test)]
mod tests;

/// What the server works with.
#[derive(Debug)]
pub struct Parts {
    /// The present, and the way to change it.
    pub engine: EngineHandle,
    /// The past, and the sessions.
    pub store: Store,
    /// When things happen.
    pub clock: Clock,
    /// Where reloads are asked for.
    pub reloads: Reloads,
    /// How channels are, and the way to test them.
    pub channels: ChannelDesk,
    /// The instance's secret; keys of the server are derived from it.
    pub secret: Secret,
    /// Where nodes of the cluster are let in; `None` when watching alone.
    pub peers: Option<PeerParts>,
    /// Where drafts of monitors are looked at.
    pub bench: Arc<dyn Workbench>,
    /// Takes news to subscribers.
    pub sink: ChannelSink,
}

/// Where nodes of the cluster are let in.
#[derive(Debug, Clone)]
pub struct PeerParts {
    /// Who proves that they are who they say.
    pub links: Links,
    /// What carries links that others made.
    pub jobs: Jobs,
    /// Who lives and takes part.
    pub rosters: watch::Receiver<Arc<Roster>>,
}

/// What a site knows of its own instance.
struct Own {
    /// A URL that works on this machine.
    url: String,
    /// Signs the cookies that remember the passwords of pages.
    pass_key: hmac::Tag,
    /// The instance's secret.
    secret: Secret,
}

impl Own {
    fn new(url: String, secret: Secret) -> Own {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal_for_use().as_bytes());
        Own { url, pass_key: hmac::sign(&root, PASS_KEY), secret }
    }
}

/// What the key for the passwords of pages is derived for; another purpose gets another text, and so another key.
const PASS_KEY: &[u8] = b"vigilmon page passwords";

/// The way to ask for a reload of the config; the other end is held by `crate::app`.
#[derive(Debug, Clone)]
pub struct Reloads(pub mpsc::Sender<oneshot::Sender<ReloadAnswer>>);

/// What a reload brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReloadAnswer {
    /// What changed, in one sentence.
    pub changed: String,
    /// Why the files were not taken; empty when they were.
    pub problems: Vec<Problem>,
}

/// Why the server cannot begin to answer.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing secret can be made.
    #[error("the system has no randomness to give: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

impl Reloads {
    /// Asks and waits; `None` when nobody is there to answer (any more).
    pub async fn ask(&self) -> Option<ReloadAnswer> {
        let (reply, answer) = oneshot::channel();
        self.0.send(reply).await.ok()?;
        answer.await.ok()
    }

    /// Asks without waiting for what comes of it. When there is no room to ask, a reload that has not begun stands there already.
    pub fn request(&self) {
        let (reply, _) = oneshot::channel();
        let _ = self.0.try_send(reply);
    }
}

/// Begins to answer on everything that was bound, as tasks of `supervisor`. Sessions that cannot be read are lost, and people
/// sign in again; that is no reason not to start. Returns a one-time sign-in link.
///
/// # Errors
/// [`StartError`].
pub async fn start(bound: Bound, parts: Parts, supervisor: &mut Supervisor) -> Result<String, StartError> {
    let company = parts.peers.as_ref().map(|peers| exchange((&parts.engine, &parts.store, &parts.clock), peers, supervisor));
    let herald = Herald {
        engine: parts.engine.clone(),
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        sink: parts.sink,
        secret: parts.secret.clone(),
        company,
    };
    supervisor.task("subscriptions", herald.run(supervisor.stopping()));
    let subscribing = Some(Subscribing::new(parts.store.clone(), parts.secret.clone()));
    let archive: Arc<dyn Archive> = Arc::new(parts.store);
    let own = Own::new(bound.own_url(), parts.secret);
    let (site, book) = site((&parts.engine, Arc::clone(&archive)), parts.clock, parts.reloads, parts.channels, own).await?;
    let colleagues = parts.peers.as_ref().map(|peers| Arc::new(peers.links.clone()) as Arc<dyn Colleagues>);
    let drafts = Some(Drafts::new(parts.bench, site.reloads.clone()));
    let desk = Desk { colleagues, drafts, ..site.desk };
    let site = Arc::new(Site { peers: parts.peers, desk, subscribing, live: Arc::new(Streams::new(supervisor.stopping())), ..site });
    let stop = supervisor.stopping();
    supervisor.task("page history", history::keep(parts.engine, archive, book, stop));
    let (swept, stop) = (Arc::clone(&site), supervisor.stopping());
    supervisor.task("sessions", async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(HISTORY_EVERY) => sweep(&swept).await,
            }
        }
    });
    let (first, stop) = (Arc::clone(&site), supervisor.stopping());
    supervisor.task("first pages", async move {
        stop.run_until_cancelled(first.pages.make_first(&first.clock)).await;
        stop.cancelled().await;
    });
    drop(tokio::task::spawn_blocking(packed::pack_assets));
    let server = &site.desk.engine.snapshot().config.server;
    let link = local::sign_in_url(&site.sign_in.links, server, &site.own_url, site.clock.now().mono)?;
    bound.start(site, supervisor);
    Ok(link)
}

/// Begins to ask the other nodes who subscribed.
fn exchange((engine, store, clock): (&EngineHandle, &Store, &Clock), peers: &PeerParts, supervisor: &mut Supervisor) -> Company {
    let (heard, told) = watch::channel(Heard::default());
    let exchange = Exchange {
        engine: engine.clone(),
        store: store.clone(),
        clock: clock.clone(),
        colleagues: Arc::new(peers.links.clone()),
        roster: peers.rosters.clone(),
        heard,
    };
    supervisor.task("subscribers of peers", exchange.run(supervisor.stopping()));
    Company { roster: peers.rosters.clone(), heard: told }
}

async fn site(
    (engine, archive): (&EngineHandle, Arc<dyn Archive>),
    clock: Clock,
    reloads: Reloads,
    channels: ChannelDesk,
    own: Own,
) -> Result<(Site, watch::Sender<Arc<Book>>), StartError> {
    let rows = archive.sessions().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "sessions are lost, everybody has to sign in again: {error}");
        Vec::new()
    });
    let (book, shown) = watch::channel(Arc::new(Book::default()));
    let site = Site {
        pages: Pages::new(engine.clone(), shown, own.pass_key.as_ref()),
        sign_in: SignIn::new(Auth::new(Sessions::load(rows))?, Oidc::new(clock.clone())?),
        desk: Desk {
            engine: engine.clone(),
            archive,
            channels,
            colleagues: None,
            drafts: None,
            repeats: Repeats::default(),
            secret: own.secret.clone(),
            own_url: own.url.clone(),
        },
        act_links: ActLinks::default(),
        hooks: Hooks::default(),
        subscribing: None,
        receiver: Receiver::new(engine.clone(), own.secret)?,
        reloads,
        own_url: own.url,
        peers: None,
        clock,
        live: Arc::default(),
        n_requests: AtomicU64::new(0),
        warned_of_proxy: AtomicBool::new(false),
    };
    Ok((site, book))
}

/// Ends sessions that are over and those of users that left the config.
async fn sweep(site: &Site) {
    let config = Arc::clone(&site.desk.engine.snapshot().config);
    let may_come = |who: &Who| credential_of(who, &config.auth).is_some();
    let ended = site.sign_in.auth.sessions.sweep(may_come, site.clock.now().wall);
    site.sign_in.forget(site.desk.archive.as_ref(), ended).await;
}
