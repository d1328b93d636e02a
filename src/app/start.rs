//! The program from beginning to end: what is opened first, what runs side by side, and in which order it ends.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::bench::Bench;
use crate::app::cluster;
use crate::app::find::Found;
use crate::app::find::find_config;
use crate::app::find::state_dir_of;
use crate::app::health::Health;
use crate::app::housekeeping;
use crate::app::last_good;
use crate::app::lifecycle;
use crate::app::reload;
use crate::app::reload::Loaded;
use crate::app::reload::Reloader;
use crate::app::user_agent;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::Problem;
use crate::engine::announce::Alone;
use crate::engine::announce::Announce;
use crate::engine::committer;
use crate::engine::core::Beginning;
use crate::engine::core::Core;
use crate::engine::core::own;
use crate::engine::event::Event;
use crate::engine::handle::EngineHandle;
use crate::engine::ping;
use crate::engine::runner::Runner;
use crate::engine::shell;
use crate::engine::shell::Shell;
use crate::engine::snapshot::ReloadView;
use crate::http;
use crate::http::Reloads;
use crate::http::channels::ChannelDesk;
use crate::http::courier::Courier;
use crate::http::courier::Mail;
use crate::http::server::BindError;
use crate::http::server::Server;
use crate::model::peer::DeliveryFact;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::Notifier;
use crate::notifier::again::Again;
use crate::notifier::former::Former;
use crate::notifier::lookout::Lookout;
use crate::notifier::shared::Shared;
use crate::notifier::sink::ChannelSink;
use crate::peer::cluster::Cluster;
use crate::probe::Prober;
use crate::store::CommitError;
use crate::store::OpenError;
use crate::store::Opened;
use crate::store::ReadError;
use crate::store::Store;
use crate::supervise::Jobs;
use crate::supervise::OwnThread;
use crate::supervise::Supervisor;
use crate::supervise::TaskFailure;

/// How long tasks have to end: sends under way take up to ten seconds, systemd waits twenty.
const GRACE: Duration = Duration::from_secs(15);

/// Descriptors kept for the database, the log, listeners and people; the rest is for checks.
const DESCRIPTORS_RESERVED: u64 = 256;

/// Requests of operators that may wait; they wait in line beyond it.
const REQUESTS_MAX: usize = 64;

/// The value under which this installation's own id is kept.
const CLUSTER: &str = "cluster";

/// The value under which a generated `instance.secret` is kept.
const SECRET: &str = "secret";

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The config; `None` looks in the usual places.
    pub config: Option<PathBuf>,
    /// The state directory, instead of the config's.
    pub state_dir: Option<PathBuf>,
    /// Says a line to whoever started the program.
    pub announce: fn(&str),
}

/// Why the program did not start, or died.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The config is not valid, and there is no good copy.
    #[error("the config is not valid")]
    Config(Vec<Problem>),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The database was opened and cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database was opened and cannot be written.
    #[error(transparent)]
    Write(#[from] CommitError),
    /// Something that cannot fail on a healthy system did.
    #[error("cannot start: {0}")]
    System(String),
    /// A part ended although nobody asked it to, or did not end when asked.
    #[error(transparent)]
    Task(#[from] TaskFailure),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// [`StartError`].
#[expect(clippy::too_many_lines, reason = "the order in which everything starts is one thing, and is read in one place")]
pub async fn run(options: Options) -> Result<(), StartError> {
    let clock = Clock::system();
    let found = find_config(options.config.as_deref());
    let (mut loaded, problems) = first_config(&found, options.state_dir.as_deref(), &clock).await?;
    pin(&mut loaded, options.state_dir.as_deref());
    reload::say_doubts(&loaded.config);
    let config = Arc::clone(&loaded.config);
    let state_dir = config.instance.state_dir.clone();
    let (store, opened) = open(&state_dir, &clock).await?;
    store.set_n_pings(config.retention.n_pings);
    let bound = Server::bind(&config, clock.clone()).await?;
    let own_url = bound.own_url();
    if problems.is_empty() {
        keep_copy(&state_dir, &loaded).await;
    }
    let bad_config = problems.clone();
    let view = first_view(&loaded, problems, clock.now().wall);

    let mut supervisor = Supervisor::new();
    let checks = OwnThread::start("checks").map_err(|error| StartError::System(error.to_string()))?;
    let owed = Arc::new(Notify::new());
    let (configs, active) = watch::channel(Arc::clone(&config));
    let (events, heard) = mpsc::channel(shell::EVENTS_MAX);
    let (reload_asked, reloads) = mpsc::channel(REQUESTS_MAX);
    let prober = Prober::new(user_agent(config.instance.region.as_str()), clock.clone());
    let pulse = Arc::<AtomicU64>::default();
    let (cluster, voice) = cluster(&config, &store, &clock, &supervisor).await?;
    let (beginning, sent) = beginning((&store, &clock), &config, &view).await?;
    let shared = cluster.as_ref().map(|cluster| cluster::shared(cluster, sent, &config, &clock));
    let parts = EngineParts {
        clock: &clock,
        store: &store,
        prober: &prober,
        events: events.clone(),
        heard,
        pulse: &pulse,
        owed: &owed,
        announce: voice,
    };
    let engine = start_engine(beginning, parts, checks.handle(), &mut supervisor);
    let secret = secret(&loaded.config, &store).await?;
    let notifier = notifier((&store, &clock), active.clone(), Arc::clone(&owed), (secret.clone(), shared.clone()))?;
    let channels = channels(&notifier, &mut supervisor);
    let sink = notifier.sink.clone();
    let health = Health {
        store: store.clone(),
        clock: clock.clone(),
        config: active.clone(),
        events: events.clone(),
        pulse: Arc::clone(&pulse),
        sink: notifier.sink.clone(),
        state_dir: state_dir.clone(),
    };
    supervisor.task("notifier", notifier.run(supervisor.stopping()));
    let reload_asked = Reloads(reload_asked);
    let bench = Bench {
        found: found.clone(),
        prober: prober.clone(),
        clock: clock.clone(),
        writing: Arc::default(),
        reloads: reload_asked.clone(),
    };
    let bench = Arc::new(bench);
    let reloader = Reloader {
        path: path_of(&found),
        pinned_state_dir: options.state_dir.clone(),
        state_dir,
        prober,
        clock: clock.clone(),
        started_with: config,
        events: events.clone(),
        configs,
        view,
        asked: reloads,
        hold: None,
        referred: loaded.referred,
    };
    supervisor.task("reload", reloader.run(supervisor.stopping()));
    tell_first(&opened, &bad_config, &events).await;
    supervisor.task("health", health.run(supervisor.stopping()));
    let peers = cluster.zip(shared).map(|(cluster, shared)| {
        let (events, configs) = (events.clone(), active.clone());
        let around = cluster::Around { engine: engine.clone(), store: store.clone(), events, configs };
        cluster::start(cluster, shared, around, &mut supervisor)
    });
    keep_house((&store, &clock), active, events, pulse, &mut supervisor);
    let parts = http::Parts { engine, store: store.clone(), clock, reloads: reload_asked, channels, secret, peers, bench, sink };
    let sign_in_link = http::start(bound, parts, &mut supervisor).await.map_err(|error| StartError::System(error.to_string()))?;

    announce(&options, &found, &own_url, &sign_in_link);
    let ended = supervisor.run(lifecycle::asked_to_stop(), GRACE).await;
    store.close().await;
    Ok(ended?)
}

/// Starts what looks after the program itself.
fn keep_house(
    (store, clock): (&Store, &Clock),
    active: watch::Receiver<Arc<Config>>,
    events: mpsc::Sender<Event>,
    pulse: Arc<AtomicU64>,
    supervisor: &mut Supervisor,
) {
    supervisor.task("housekeeping", housekeeping::run(store.clone(), clock.clone(), active, events, supervisor.stopping()));
    supervisor.task("store", writer(store.clone(), supervisor.stopping()));
    supervisor.task("watchdog", lifecycle::watchdog(pulse, store.clone(), supervisor.stopping()));
}

async fn open(state_dir: &Path, clock: &Clock) -> Result<(Store, Opened), StartError> {
    let (state_dir, clock) = (state_dir.to_owned(), clock.clone());
    Ok(blocking(move || Store::open(&state_dir, clock)).await??)
}

/// The cluster, if there is one, and the engine's way to it.
async fn cluster(
    config: &Config,
    store: &Store,
    clock: &Clock,
    supervisor: &Supervisor,
) -> Result<(Option<Cluster>, Arc<dyn Announce>), StartError> {
    let Some(peers) = &config.peers else { return Ok((None, Arc::new(Alone))) };
    let cluster = cluster::begin(peers, store, clock, supervisor).await?;
    let voice = cluster.voice();
    Ok((Some(cluster), voice))
}

fn notifier(
    (store, clock): (&Store, &Clock),
    config: watch::Receiver<Arc<Config>>,
    owed: Arc<Notify>,
    (secret, shared): (Secret, Option<Shared>),
) -> Result<Notifier<Store, ChannelSink>, StartError> {
    let sink = ChannelSink::new(clock.clone()).map_err(|error| StartError::System(error.to_string()))?;
    let (outbox, clock, former) = (store.clone(), clock.clone(), Former::default());
    Ok(Notifier { outbox, sink, clock, config, owed, secret, shared, former, chance: crate::notifier::system_chance })
}

/// Looks after the channels, and lets people see and test them.
fn channels(notifier: &Notifier<Store, ChannelSink>, supervisor: &mut Supervisor) -> ChannelDesk {
    let Notifier { outbox, sink, clock, config, owed, secret, shared, former, chance: _ } = notifier;
    let (show, shown) = watch::channel(Arc::default());
    let lookout = Lookout { store: outbox.clone(), clock: clock.clone(), config: config.clone(), owed: Arc::clone(owed), shown: show };
    supervisor.task("channels", lookout.run(supervisor.stopping()));
    let again = Again {
        store: outbox.clone(),
        sink: sink.clone(),
        clock: clock.clone(),
        config: config.clone(),
        secret: secret.clone(),
        shared: shared.clone(),
        former: former.clone(),
    };
    supervisor.task("again", again.run(supervisor.stopping()));
    let mail = Mail { sink: sink.clone(), clock: clock.clone() };
    ChannelDesk { shown, courier: Courier::new(Arc::new(mail), Arc::clone(owed)) }
}

fn first_view(loaded: &Loaded, problems: Vec<Problem>, now: UnixMillis) -> ReloadView {
    ReloadView {
        active_hash: loaded.hash.clone(),
        active_since: now,
        is_last_good_copy: !problems.is_empty(),
        problems,
        checked_at: now,
        needs_restart: Vec::new(),
        recent: Vec::new(),
    }
}

/// What people should hear of the start itself. The queue is empty yet, so nothing waits.
async fn tell_first(opened: &Opened, bad_config: &[Problem], events: &mpsc::Sender<Event>) {
    housekeeping::tell_opened(opened, events).await;
    // Also that nothing is wrong: people may have been told in the last run that something is.
    let _ = events.send(reload::bad_config(bad_config)).await;
}

/// Ends early, and the program with it, if the database's writer does: nothing could be promised any more.
async fn writer(store: Store, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = store.writer_ended() => tracing::error!("the database's writer has ended"),
    }
}

/// The config to start with and, if it is the last good copy, what is wrong with the files.
async fn first_config(found: &Found, state_dir: Option<&Path>, clock: &Clock) -> Result<(Loaded, Vec<Problem>), StartError> {
    let (found, clock, state_dir) = (found.clone(), clock.clone(), state_dir.map(Path::to_owned));
    blocking(move || {
        let prober = Prober::new(user_agent("start"), clock);
        let problems = match found.load(&prober) {
            Ok(loaded) => return Ok((loaded, Vec::new())),
            Err(problems) => problems,
        };
        let state_dir = state_dir.unwrap_or_else(|| state_dir_of(&found));
        let copy = last_good::find(&state_dir).and_then(|sources| reload::validate(sources, &found.path_or_default(), &prober).ok());
        let Some(loaded) = copy else { return Err(StartError::Config(problems)) };
        for problem in &problems {
            tracing::error!("{problem}");
        }
        tracing::error!(
            "THE CONFIG IS NOT VALID. The last good copy in {} runs instead; mend the file and it is taken at once",
            state_dir.display()
        );
        Ok((loaded, problems))
    })
    .await?
}

/// A state directory from the command line wins over the config's, after reloads too.
pub(crate) fn pin(loaded: &mut Loaded, state_dir: Option<&Path>) {
    if let Some(state_dir) = state_dir {
        Arc::make_mut(&mut loaded.config).instance.state_dir = state_dir.to_owned();
    }
}

async fn keep_copy(state_dir: &Path, loaded: &Loaded) {
    let (state_dir, sources) = (state_dir.to_owned(), loaded.sources.clone());
    if let Ok(Err(error)) = blocking(move || last_good::keep(&state_dir, &sources)).await {
        tracing::warn!(%error, "cannot keep a copy of the config: {error}");
    }
}

/// What the engine begins with, and what earlier runs of the cluster sent.
async fn beginning(
    (store, clock): (&Store, &Clock),
    config: &Arc<Config>,
    view: &ReloadView,
) -> Result<(Beginning, Vec<DeliveryFact>), StartError> {
    let left = store.load().await?;
    let (facts, mut sent) = cluster::facts(&left.facts);
    if config.peers.is_some() {
        sent.extend(cluster::told(store, &left.incidents).await?);
    }
    let cluster = match &config.peers {
        Some(peers) => peers.cluster.clone(),
        None => made_once(store, CLUSTER).await?,
    };
    let beginning = Beginning {
        cluster,
        config: Arc::clone(config),
        reload: Arc::new(view.clone()),
        states: left.states,
        incidents: left.incidents,
        recent: left.recent,
        last_alive: left.last_alive,
        facts,
        beats: left.beats,
        unfed: left.unfed,
        last_ping: left.last_ping,
        version: crate::app::version_text(),
        own: own::kept(&left.facts, clock.now().wall),
    };
    Ok((beginning, sent))
}

/// The config's secret, or the generated one.
async fn secret(config: &Config, store: &Store) -> Result<Secret, StartError> {
    match &config.instance.secret {
        Some(secret) => Ok(secret.clone()),
        None => Ok(Secret::new(made_once(store, SECRET).await?)),
    }
}

/// A random text that is made at the first start and kept: the installation's id, which keeps the incidents of two installations
/// with equal monitors apart, and its secret, when the config has none.
async fn made_once(store: &Store, name: &str) -> Result<String, StartError> {
    if let Some(known) = store.value(name).await? {
        return Ok(known);
    }
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System(format!("the system has no randomness to give: {error}")))?;
    let made = data_encoding::HEXLOWER.encode(&bytes);
    store.value_put(name, &made).await?;
    Ok(made)
}

struct EngineParts<'a> {
    clock: &'a Clock,
    store: &'a Store,
    prober: &'a Prober,
    events: mpsc::Sender<Event>,
    heard: mpsc::Receiver<Event>,
    pulse: &'a Arc<AtomicU64>,
    owed: &'a Arc<Notify>,
    announce: Arc<dyn Announce>,
}

/// The engine and its checks have a thread of their own, so that nothing else in the program makes them late.
fn start_engine(beginning: Beginning, parts: EngineParts<'_>, thread: &Handle, supervisor: &mut Supervisor) -> EngineHandle {
    let now = parts.clock.now();
    let (mut core, first) = Core::new(beginning, now);
    let (pictures, snapshots) = watch::channel(Arc::new(core.snapshot(now)));
    let (requests, asked) = mpsc::channel(REQUESTS_MAX);
    let (commits, jobs) = mpsc::channel(committer::QUEUE_MAX);
    let (pings, pinged) = mpsc::channel(ping::PINGS_MAX);
    let (keeper, kept) = mpsc::channel(ping::PINGS_MAX);
    supervisor.task("pings", ping::run(kept, parts.store.clone(), parts.events.clone()));
    let runner =
        Runner::new(parts.prober.clone(), parts.clock.clone(), Jobs::on(thread, supervisor.stopping()), parts.events, n_checks_max());
    let shell = Shell {
        core,
        clock: parts.clock.clone(),
        events: parts.heard,
        requests: asked,
        pings: pinged,
        keeper,
        runner,
        store: parts.store.clone(),
        commits,
        announce: Arc::clone(&parts.announce),
        pictures,
        pulse: Arc::clone(parts.pulse),
    };
    supervisor.task_on(thread, "engine", shell.run(first, supervisor.stopping()));
    supervisor.task("committer", committer::run(jobs, parts.store.clone(), Arc::clone(parts.owed), parts.announce, supervisor.stopping()));
    EngineHandle { snapshots, requests, pings }
}

/// Takes as many descriptors as the system gives and leaves some for everything but checks.
fn n_checks_max() -> usize {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match rustix::process::setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let free = current.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_RESERVED);
    usize::try_from(free).unwrap_or(usize::MAX)
}

fn path_of(found: &Found) -> Option<PathBuf> {
    match found {
        Found::Path(path) => Some(path.clone()),
        Found::Example => None,
    }
}

fn announce(options: &Options, found: &Found, own_url: &str, sign_in_link: &str) {
    lifecycle::ready(&format!("watching; {own_url}"));
    (options.announce)(&format!("vigilmon {} is watching ({})", crate::app::version_text(), found.shown()));
    (options.announce)(&format!("  open     {own_url}"));
    // A journal is read by more people than may sign in, and kept.
    if std::env::var_os("JOURNAL_STREAM").is_none() {
        (options.announce)(&format!("  sign in  {sign_in_link}   (once, within 30 minutes; `vigilmon sign-in-link` makes another)"));
    } else {
        (options.announce)("  sign in  with a link from `vigilmon sign-in-link`");
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StartError::System(error.to_string()))
}
