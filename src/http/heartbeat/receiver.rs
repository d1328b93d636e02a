//! From a request to the engine and back: whose ping it is, whether it can be one, and what it is answered.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::Method;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header;
use hyper::header::HeaderName;
use ipnet::IpNet;
use ring::hmac;

use crate::config::Config;
use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::engine::ping::Arrived;
use crate::engine::ping::NotTaken;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::heartbeat::body;
use crate::http::heartbeat::directory::Directory;
use crate::http::heartbeat::misses::Misses;
use crate::http::heartbeat::path::Form;
use crate::http::heartbeat::path::PingPath;
use crate::http::heartbeat::path::Who;
use crate::http::limits::BODY_TIMEOUT;
use crate::http::limits::PING_TIMEOUT;
use crate::http::visit::Peer;
use crate::http::visit::Visit;
use crate::http::visit::is_listed;
use crate::http::visit::parse_hop;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::RunId;
use crate::model::id::MonitorId;
use crate::model::id::is_deceptive;
use crate::model::monitor::Monitor;
use crate::model::ping::AGENT_CHARS_MAX;
use crate::model::ping::Arrival;
use crate::model::secret::Secret;
use crate::rules::heartbeat::Said;

const TEXT: &str = "text/plain; charset=utf-8";

/// The methods that a ping may be sent with.
const METHODS: &str = "GET, HEAD, POST, PUT, OPTIONS";

/// After a ping that could not be stored: long enough for a disk to breathe, short enough for a client that tries twice.
const RETRY_AFTER_SECONDS: &str = "2";

/// In which `vigilmon exec` says how many milliseconds the run took where it ran; the protocol has no place for it.
pub(crate) const RUN_TOOK: &str = "vigilmon-run-ms";

const BODY_LIMIT: HeaderName = HeaderName::from_static("ping-body-limit");

/// Takes pings.
#[derive(Debug)]
pub struct Receiver {
    engine: EngineHandle,
    secret: Secret,
    /// Random; see [`Directory`].
    key: hmac::Key,
    newest: Mutex<Option<(Arc<Config>, Arc<Directory>)>>,
    misses: Misses,
}

/// What a request asks for besides its address.
#[derive(Debug, Default)]
struct Query {
    rid: Option<String>,
    run: Option<String>,
    may_create: bool,
    status: Option<String>,
    msg: Option<String>,
    ping: Option<String>,
    success: Option<String>,
    error: Option<String>,
    duration: Option<String>,
}

impl Query {
    /// The first of each name counts, others are ignored.
    fn parse(text: &str) -> Query {
        let mut query = Query::default();
        let mut create = None;
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            let slot = match &*name {
                "rid" => &mut query.rid,
                "run" => &mut query.run,
                "create" => &mut create,
                "status" => &mut query.status,
                "msg" => &mut query.msg,
                "ping" => &mut query.ping,
                "success" => &mut query.success,
                "error" => &mut query.error,
                "duration" => &mut query.duration,
                _ => continue,
            };
            slot.get_or_insert_with(|| value.into_owned());
        }
        query.may_create = create.as_deref() == Some("1");
        query
    }
}

/// Why a request is no ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Nobody is called that.
    NotFound,
    /// It cannot be understood.
    Bad(&'static str),
    /// It could not be made durable.
    Later,
    /// It broke off.
    Broken,
}

impl Receiver {
    /// Takes pings for the engine. `secret` is the instance's.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(engine: EngineHandle, secret: Secret) -> Result<Receiver, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Ok(Receiver { engine, secret, key, newest: Mutex::new(None), misses: Misses::default() })
    }

    /// The instance's secret, from which names are derived.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    fn directory(&self) -> (Arc<Config>, Arc<Directory>) {
        let config = Arc::clone(&self.engine.snapshot().config);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, directory)) = &*newest
            && Arc::ptr_eq(known, &config)
        {
            return (config, Arc::clone(directory));
        }
        let directory = Arc::new(Directory::new(&config, &self.secret, self.key.clone()));
        *newest = Some((Arc::clone(&config), Arc::clone(&directory)));
        (config, directory)
    }

    /// Answers a request to an address of the receiver's.
    pub async fn answer<B>(&self, path: &PingPath, method: &Method, visit: &Visit, body: B) -> Answer
    where
        B: Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if method == Method::OPTIONS {
            return preflight();
        }
        let is_taken = match path.form {
            Form::Gatus => method == Method::POST,
            Form::Plain | Form::Kuma => [Method::GET, Method::HEAD, Method::POST, Method::PUT].contains(method),
        };
        if !is_taken {
            let allow = if path.form == Form::Gatus { "POST, OPTIONS" } else { METHODS };
            let refused = answer::bytes(StatusCode::METHOD_NOT_ALLOWED, TEXT, "method not allowed");
            return answer::with(refused, header::ALLOW, allow);
        }
        match self.take(path, method, visit, body).await {
            Ok(taken) => taken,
            Err(Refusal::NotFound) => self.not_found(path.form, visit),
            Err(Refusal::Bad(why)) => answer::bytes(StatusCode::BAD_REQUEST, TEXT, why),
            Err(Refusal::Broken) => closing(answer::bytes(StatusCode::BAD_REQUEST, TEXT, "the body ended early")),
            Err(Refusal::Later) => {
                let refused = answer::bytes(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the ping could not be stored; send it again");
                answer::with(refused, header::RETRY_AFTER, RETRY_AFTER_SECONDS)
            }
        }
    }

    /// The same for everything that nobody is called, byte for byte.
    fn not_found(&self, form: Form, visit: &Visit) -> Answer {
        let refused = match form {
            Form::Plain => answer::bytes(StatusCode::NOT_FOUND, TEXT, "not found"),
            Form::Kuma => {
                answer::bytes(StatusCode::NOT_FOUND, "application/json", r#"{"ok":false,"msg":"Monitor not found or not active."}"#)
            }
            Form::Gatus => answer::bytes(StatusCode::UNAUTHORIZED, TEXT, "invalid token"),
        };
        if self.misses.count(visit.client, visit.now.mono) { closing(refused) } else { refused }
    }

    async fn take<B>(&self, path: &PingPath, method: &Method, visit: &Visit, body: B) -> Result<Answer, Refusal>
    where
        B: Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if path.who == Who::Malformed {
            return Err(Refusal::Bad("invalid url format"));
        }
        let query = Query::parse(&visit.query);
        let (config, directory) = self.directory();
        let found = directory.find(&path.who, visit.bearer()).cloned();
        let vacant = || directory.vacant(&path.who).filter(|_| query.may_create);
        let (monitor, creates) = match found {
            Some(monitor) => (monitor, None),
            None => {
                let id = vacant().ok_or(Refusal::NotFound)?;
                let allowed = config.heartbeats.auto_create.as_ref().ok_or(Refusal::NotFound)?;
                (Arc::clone(&allowed.prototype), Some(id))
            }
        };
        // Nothing is created for a ping that is refused afterwards.
        let said = said(path, &query)?;
        let run = run(&query)?;
        let spec = monitor.heartbeat().ok_or(Refusal::NotFound)?;
        let mut read = body::read(body, spec.beat.body, BODY_TIMEOUT).await.ok_or(Refusal::Broken)?;
        if let Some(text) = told(path.form, &query).filter(|_| read.n_bytes == 0) {
            read.n_bytes = u64::try_from(text.len()).unwrap_or(0);
            read.kept = text.as_bytes()[..text.len().min(spec.beat.body.bytes_max)].to_vec();
        }
        let is_created = match &creates {
            Some(id) => self.create(id).await?,
            None => false,
        };
        let arrived = Arrived {
            heartbeat: creates.unwrap_or_else(|| monitor.id.clone()),
            said,
            run,
            took: took(path.form, &query, visit),
            arrival: arrival(method, visit, &config.server.trusted_proxies),
            body: read.kept,
            body_bytes: read.n_bytes,
        };
        match self.engine.ping(arrived, PING_TIMEOUT).await {
            Ok(()) => {}
            Err(NotTaken::Gone) => return Err(Refusal::NotFound),
            Err(NotTaken::NotStored | NotTaken::Busy | NotTaken::Stopping) => return Err(Refusal::Later),
        }
        let done = accepted(path.form, is_created, &monitor);
        Ok(if read.is_cut { closing(done) } else { done })
    }

    /// Creates a heartbeat; says whether it was this ping that did.
    async fn create(&self, id: &MonitorId) -> Result<bool, Refusal> {
        let asked = tokio::time::timeout(PING_TIMEOUT, self.engine.ask(Operation::Create(id.clone()))).await;
        match asked.unwrap_or(Err(Refused::Stopping)) {
            Ok(()) => Ok(true),
            // Somebody was faster, or no more are allowed: whether it is there now shows when it is pinged.
            Err(Refused::NotNow(_)) => Ok(false),
            Err(Refused::NoSuchMonitor(_)) => Err(Refusal::NotFound),
            Err(Refused::NotStored(_) | Refused::Stopping) => Err(Refusal::Later),
        }
    }
}

fn said(path: &PingPath, query: &Query) -> Result<Said, Refusal> {
    let by = |worked: bool| Said::Kind(if worked { PingKind::Success } else { PingKind::Fail });
    match path.form {
        Form::Plain => path.said.ok_or(Refusal::Bad("invalid url format")),
        Form::Kuma => Ok(by(query.status.as_deref().is_none_or(|status| status == "up"))),
        Form::Gatus => match query.success.as_deref() {
            Some("true") => Ok(by(true)),
            Some("false") => Ok(by(false)),
            Some(_) | None => Err(Refusal::Bad("missing or invalid success query parameter")),
        },
    }
}

fn run(query: &Query) -> Result<Option<RunId>, Refusal> {
    match (&query.rid, &query.run) {
        (Some(rid), _) => RunId::uuid(rid).map(Some).map_err(|_| Refusal::Bad("invalid uuid format")),
        (None, Some(run)) => RunId::text(run).map(Some).map_err(|_| Refusal::Bad("invalid run")),
        (None, None) => Ok(None),
    }
}

/// What stands in the address instead of a body.
fn told(form: Form, query: &Query) -> Option<&str> {
    match form {
        Form::Plain => None,
        Form::Kuma => query.msg.as_deref(),
        Form::Gatus => query.error.as_deref(),
    }
}

/// How long a run took, as far as the request says so.
fn took(form: Form, query: &Query, visit: &Visit) -> Option<Duration> {
    match form {
        Form::Plain => visit.header(RUN_TOOK)?.trim().parse().ok().map(Duration::from_millis),
        Form::Kuma => seconds(query.ping.as_deref()?.parse::<f64>().ok()? / 1000.0),
        Form::Gatus => {
            let text = query.duration.as_deref()?;
            let plain = crate::model::time::parse_duration(text).ok();
            plain.or_else(|| seconds(text.strip_suffix('s')?.parse().ok()?))
        }
    }
}

fn seconds(n: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(n).ok()
}

fn arrival(method: &Method, visit: &Visit, trusted: &[IpNet]) -> Arrival {
    let clean = |text: &str| text.chars().filter(|c| !is_deceptive(*c)).take(AGENT_CHARS_MAX).collect::<String>();
    Arrival { address: address(visit, trusted), agent: visit.header("user-agent").map(clean), method: method.to_string() }
}

/// The address that is noted: the first that trusted proxies name, as in healthchecks. Nothing is decided by it, so that it may be one that
/// somebody made up on the far side of them; limits go by the last.
fn address(visit: &Visit, trusted: &[IpNet]) -> Option<IpAddr> {
    let Peer::Tcp(peer) = visit.peer else { return None };
    let peer = peer.to_canonical();
    let named = visit.header("x-forwarded-for").filter(|_| is_listed(peer, trusted));
    let first = named.and_then(|named| parse_hop(named.split(',').next().unwrap_or_default().trim()));
    Some(first.unwrap_or(peer))
}

fn accepted(form: Form, is_created: bool, monitor: &Monitor) -> Answer {
    let done = match form {
        Form::Plain if is_created => answer::bytes(StatusCode::CREATED, TEXT, "Created"),
        Form::Plain => answer::bytes(StatusCode::OK, TEXT, "OK"),
        Form::Kuma => answer::bytes(StatusCode::OK, "application/json", r#"{"ok":true}"#),
        Form::Gatus => answer::bytes(StatusCode::OK, TEXT, ""),
    };
    let limit = monitor.heartbeat().map_or(0, |spec| spec.beat.body.bytes_max);
    let done = answer::with(done, BODY_LIMIT, &limit.to_string());
    answer::with(done, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
}

/// A browser asks whether it may send a ping. That is none.
fn preflight() -> Answer {
    let mut may = answer::bytes(StatusCode::NO_CONTENT, TEXT, "");
    may.headers_mut().remove(header::CONTENT_TYPE);
    let may = answer::with(may, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    let may = answer::with(may, header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    let may = answer::with(may, header::ACCESS_CONTROL_ALLOW_HEADERS, "*");
    answer::with(may, header::ACCESS_CONTROL_MAX_AGE, "86400")
}

fn closing(answer: Answer) -> Answer {
    answer::with(answer, header::CONNECTION, "close")
}
