//! The management API of healthchecks, as far as it is read: dashboards and scripts that were made for it show the heartbeats of this
//! instance when they are given its address and an API token.
//!
//! A token that may only read sees what a read-only key of healthchecks sees: no address by which a heartbeat could be pinged. Nothing is
//! written: heartbeats come from the config, and every attempt is told so.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use hyper::StatusCode;
use hyper::header;
use serde::Serialize;

use crate::config::Config;
use crate::engine::snapshot::Snapshot;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api::healthchecks as wire;
use crate::http::api::healthchecks::BadgeUrls;
use crate::http::api::healthchecks::Check;
use crate::http::api::healthchecks::Checks;
use crate::http::api::healthchecks::Told;
use crate::http::archive::Archive;
use crate::http::archive::within;
use crate::http::auth::Viewer;
use crate::http::badge;
use crate::http::heartbeat::identity::Root;
use crate::http::heartbeat::identity::roots;
use crate::http::local::public_base;
use crate::http::visit::Visit;
use crate::model::heartbeat::is_uuid;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::page::Visibility;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::store::ReadError;

/// Pings of one answer; as many as may be kept by default.
const PINGS_MAX: usize = 1000;

/// How far back changes are told: a year, which is also the most that can be asked for upstream.
const FLIPS_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Digits of a unique key.
const UNIQUE_KEY_CHARS: usize = 40;

/// Why nothing is written here.
const READ_ONLY: &str = "checks cannot be changed here: they are heartbeats in vigilmon's config, which is YAML in git; change it there, \
                         and it is read again when the file changes";

/// What pausing is called here.
const PAUSE_ELSEWHERE: &str =
    "this part of the API only reads; pause and resume with POST /api/v1/monitors/<id>/pause or /resume, or with `enabled` in the config";

/// What is asked of this API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// 1, 2 or 3.
    version: u8,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Checks,
    Check(Key),
    Pings(Key),
    PingBody(Key, u64),
    Flips(Key),
    /// Pausing and resuming.
    Pause,
    Channels,
    Badges,
    Status,
}

/// By what a check is called.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// Its UUID, in lower case.
    Uuid(String),
    /// What stands for it in front of those who may only read.
    Unique(String),
}

/// Reads an address, cut at its slashes; `None`: it is not of this API. A slash at the end may be there or not, except where an address of
/// ours would be meant without it.
#[must_use]
pub fn parse(segments: &[&str]) -> Option<Asked> {
    let (version, rest) = match segments {
        ["api", "v1", rest @ ..] => (1, rest),
        ["api", "v2", rest @ ..] => (2, rest),
        ["api", "v3", rest @ ..] => (3, rest),
        _ => return None,
    };
    if version == 1 && matches!(rest, ["status"] | ["channels"]) {
        return None;
    }
    let rest = match rest {
        [before @ .., ""] => before,
        all => all,
    };
    let what = match rest {
        ["checks"] => What::Checks,
        ["checks", key] => What::Check(read_key(key)?),
        ["checks", key, "pings"] => What::Pings(read_key(key)?),
        ["checks", key, "pings", n, "body"] => What::PingBody(read_key(key)?, n.parse().ok()?),
        ["checks", key, "flips"] => What::Flips(read_key(key)?),
        ["checks", key, "pause" | "resume"] => read_key(key).map(|_| What::Pause)?,
        ["channels"] => What::Channels,
        ["badges"] => What::Badges,
        ["status"] => What::Status,
        _ => return None,
    };
    Some(Asked { version, what })
}

fn read_key(text: &str) -> Option<Key> {
    let is_unique = text.len() == UNIQUE_KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (is_uuid(text), is_unique) {
        (true, _) => Some(Key::Uuid(text.to_ascii_lowercase())),
        (false, true) => Some(Key::Unique(text.to_ascii_lowercase())),
        (false, false) => None,
    }
}

/// What answers are made of.
pub struct Office<'a> {
    /// The present.
    pub snapshot: &'a Snapshot,
    /// The past.
    pub archive: &'a dyn Archive,
    /// From which names of heartbeats are derived.
    pub secret: &'a Secret,
    /// An address of this instance, for when no public one is configured.
    pub own_url: &'a str,
    /// The engine has shown itself lately.
    pub is_fresh: bool,
}

/// Why there is no answer.
#[derive(Debug)]
enum Refusal {
    NotFound,
    Forbidden(&'static str),
    Bad(&'static str),
    MethodNotAllowed,
    Unreadable(ReadError),
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Refusal {
        Refusal::Unreadable(error)
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

fn error(status: StatusCode, text: &str) -> Answer {
    answer::json(status, &ErrorBody { error: text })
}

/// Answers, errors included, with what lets pages of others read it. `viewer` is whoever holds the token that was sent.
pub async fn answer(office: &Office<'_>, asked: &Asked, (method, visit): (&Method, &Visit), viewer: Option<&Viewer>) -> Answer {
    let answered = if method == Method::OPTIONS {
        answer::bytes(StatusCode::NO_CONTENT, "text/plain; charset=utf-8", "")
    } else if asked.what == What::Status {
        health(office, method)
    } else if let Some(viewer) = viewer {
        match office.answer(asked, method, visit, viewer).await {
            Ok(found) => found,
            Err(refusal) => refuse(&refusal),
        }
    } else {
        let was_sent = visit.header("x-api-key").is_some() || visit.bearer().is_some();
        error(StatusCode::UNAUTHORIZED, if was_sent { "wrong api key" } else { "missing api key" })
    };
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "X-Api-Key"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, OPTIONS"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    headers.into_iter().fold(answered, |answered, (name, value)| answer::with(answered, name, value))
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn health(office: &Office<'_>, method: &Method) -> Answer {
    const TEXT: &str = "text/plain; charset=utf-8";
    match (is_read(method), office.is_fresh) {
        (false, _) => refuse(&Refusal::MethodNotAllowed),
        (true, true) => answer::bytes(StatusCode::OK, TEXT, "OK"),
        (true, false) => answer::bytes(StatusCode::SERVICE_UNAVAILABLE, TEXT, "stalled"),
    }
}

fn refuse(refusal: &Refusal) -> Answer {
    match refusal {
        Refusal::NotFound => error(StatusCode::NOT_FOUND, "not found"),
        Refusal::Forbidden(why) => error(StatusCode::FORBIDDEN, why),
        Refusal::Bad(why) => error(StatusCode::BAD_REQUEST, why),
        Refusal::MethodNotAllowed => {
            answer::with(error(StatusCode::METHOD_NOT_ALLOWED, "this address is only read"), header::ALLOW, "GET, HEAD, OPTIONS")
        }
        Refusal::Unreadable(why) => {
            tracing::warn!(error = %why, "the history cannot be read for the management API: {why}");
            let refused = error(StatusCode::SERVICE_UNAVAILABLE, "the history cannot be read at the moment; try again");
            answer::with(refused, header::RETRY_AFTER, "2")
        }
    }
}

impl Office<'_> {
    async fn answer(&self, asked: &Asked, method: &Method, visit: &Visit, viewer: &Viewer) -> Result<Answer, Refusal> {
        if !is_read(method) {
            let is_write = |with: &[Method]| with.contains(method);
            return Err(match &asked.what {
                What::Pause if is_write(&[Method::POST]) => Refusal::Forbidden(PAUSE_ELSEWHERE),
                What::Checks if is_write(&[Method::POST]) => Refusal::Forbidden(READ_ONLY),
                What::Check(_) if is_write(&[Method::POST, Method::PUT, Method::PATCH, Method::DELETE]) => Refusal::Forbidden(READ_ONLY),
                What::Checks
                | What::Check(_)
                | What::Pings(_)
                | What::PingBody(..)
                | What::Flips(_)
                | What::Pause
                | What::Channels
                | What::Badges
                | What::Status => Refusal::MethodNotAllowed,
            });
        }
        let base = self.base();
        let told = Told { version: asked.version, base: &base, with_secrets: viewer.may_operate() };
        let config = &self.snapshot.config;
        Ok(match &asked.what {
            What::Checks => json(&Checks { checks: self.checks(told, &visit.query).await? }),
            What::Check(key) => json(&self.check(self.find(key)?, told).await?),
            What::Pings(key) => {
                let limit = usize::try_from(config.retention.n_pings).unwrap_or(PINGS_MAX).min(PINGS_MAX);
                let entries = within(self.archive.pings(&self.find(key)?.id, limit)).await?;
                let at = format!("{base}/api/v{}/checks/{}", asked.version, key.text());
                json(&wire::pings(&entries, &at))
            }
            What::PingBody(key, number) => {
                let entry = within(self.archive.ping(&self.find(key)?.id, *number)).await?;
                let entry = entry.filter(|entry| !entry.body.is_empty()).ok_or(Refusal::NotFound)?;
                answer::bytes(StatusCode::OK, "text/plain; charset=utf-8", entry.body)
            }
            What::Flips(key) => {
                let (from, to) = flips_span(&visit.query, visit.now.wall)?;
                let id = self.find(key)?.id.clone();
                // From a little earlier, so that what held before is known.
                let changes = within(self.archive.verdicts(std::slice::from_ref(&id), from.minus(FLIPS_MAX), to)).await?;
                json(&wire::flips(&changes, from, to))
            }
            What::Channels => json(&wire::channels(config.channels.values().map(AsRef::as_ref))),
            What::Badges => json(&self.badges(&base)),
            What::Pause | What::Status => return Err(Refusal::MethodNotAllowed),
        })
    }

    fn base(&self) -> String {
        public_base(&self.snapshot.config.server, Some(self.own_url)).unwrap_or_else(|| self.own_url.to_owned())
    }

    fn root(&self) -> Option<Root> {
        roots(&self.snapshot.config, self.secret).into_iter().next()
    }

    fn heartbeats(&self) -> impl Iterator<Item = &Monitor> {
        self.snapshot.config.monitors.iter().map(AsRef::as_ref).filter(|monitor| monitor.heartbeat().is_some())
    }

    /// The heartbeat that is meant, by any of the roots that count.
    fn find(&self, key: &Key) -> Result<&Monitor, Refusal> {
        let config: &Config = &self.snapshot.config;
        let roots = roots(config, self.secret);
        let is_it = |monitor: &&Monitor| {
            let Some(spec) = monitor.heartbeat() else { return false };
            roots.iter().any(|root| {
                let uuid = root.names(&monitor.id, spec, config.heartbeats.ping_key.as_ref()).uuid;
                match key {
                    Key::Uuid(wanted) => uuid.reveal_for_use() == wanted,
                    Key::Unique(wanted) => wire::unique_key(uuid.reveal_for_use()) == *wanted,
                }
            })
        };
        self.heartbeats().find(is_it).ok_or(Refusal::NotFound)
    }

    async fn checks(&self, told: Told<'_>, query: &str) -> Result<Vec<Check>, Refusal> {
        let filter = Filter::parse(query);
        let numbers = within(self.archive.ping_numbers()).await?;
        let Some(root) = self.root() else { return Ok(Vec::new()) };
        let badges = self.badge_places(told.base);
        let wanted = self.heartbeats().filter(|monitor| filter.lets_in(monitor));
        Ok(wanted.filter_map(|monitor| self.one(monitor, &root, (&numbers, &badges), told)).collect())
    }

    async fn check(&self, monitor: &Monitor, told: Told<'_>) -> Result<Check, Refusal> {
        let newest = within(self.archive.pings(&monitor.id, 1)).await?;
        let numbers = newest.iter().map(|entry| (monitor.id.clone(), entry.number)).collect();
        let root = self.root().ok_or(Refusal::NotFound)?;
        self.one(monitor, &root, (&numbers, &self.badge_places(told.base)), told).ok_or(Refusal::NotFound)
    }

    fn one(
        &self,
        monitor: &Monitor,
        root: &Root,
        (numbers, badges): (&BTreeMap<MonitorId, u64>, &BTreeMap<&MonitorId, String>),
        told: Told<'_>,
    ) -> Option<Check> {
        let config = &self.snapshot.config;
        let names = root.names(&monitor.id, monitor.heartbeat()?, config.heartbeats.ping_key.as_ref());
        let n_pings = numbers.get(&monitor.id).copied().unwrap_or(0);
        wire::check(self.snapshot.monitors.get(&monitor.id)?, &names, (n_pings, badges.get(&monitor.id).cloned()), told)
    }

    /// Where monitors have their badges: on the first page that lists them and is open to everybody.
    fn badge_places(&self, base: &str) -> BTreeMap<&MonitorId, String> {
        let mut places = BTreeMap::new();
        for page in self.snapshot.config.pages.iter().filter(|page| badge::is_open(page)) {
            for id in page.groups.iter().flat_map(|group| &group.monitors) {
                places.entry(id).or_insert_with(|| format!("{base}/badge/{}/{id}", page.slug));
            }
        }
        places
    }

    /// Badges by tag; the tags are the public pages, which are what has a badge for several monitors here.
    fn badges(&self, base: &str) -> Badges {
        let public = self.snapshot.config.pages.iter().filter(|page| page.visibility == Visibility::Public);
        let badges = public.map(|page| (page.slug.to_string(), BadgeUrls::new(&format!("{base}/badge/{}", page.slug)))).collect();
        Badges { badges }
    }
}

#[derive(Serialize)]
struct Badges {
    badges: BTreeMap<String, BadgeUrls>,
}

impl Key {
    fn text(&self) -> &str {
        match self {
            Key::Uuid(text) | Key::Unique(text) => text,
        }
    }
}

fn json(value: &impl Serialize) -> Answer {
    answer::json(StatusCode::OK, value)
}

/// Which checks are wanted: those with all of these tags and this slug.
#[derive(Debug, Default)]
struct Filter {
    tags: Vec<String>,
    slug: Option<String>,
}

impl Filter {
    fn parse(query: &str) -> Filter {
        let mut filter = Filter::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*name {
                "tag" => filter.tags.push(value.into_owned()),
                "slug" => filter.slug = Some(value.into_owned()),
                _ => {}
            }
        }
        filter
    }

    fn lets_in(&self, monitor: &Monitor) -> bool {
        let slug = monitor.heartbeat().map(|spec| &spec.identity.slug);
        let tags = wire::tags(monitor);
        self.slug.as_ref().is_none_or(|wanted| Some(wanted) == slug) && self.tags.iter().all(|wanted| tags.contains(wanted))
    }
}

/// From when, and up to when, changes are wanted: `seconds` back from now, or from `start` to `end`, as Unix times.
fn flips_span(query: &str, now: UnixMillis) -> Result<(UnixMillis, UnixMillis), Refusal> {
    const UNREADABLE: Refusal = Refusal::Bad("`seconds`, `start` and `end` are whole numbers of seconds, `seconds` at most 31536000");
    let (mut from, mut to) = (now.minus(FLIPS_MAX), UnixMillis(now.0.saturating_add(1)));
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if !matches!(&*name, "seconds" | "start" | "end") {
            continue;
        }
        let n: u32 = value.parse().map_err(|_| UNREADABLE)?;
        let at = UnixMillis(i64::from(n) * 1000);
        match &*name {
            "start" => from = from.max(at),
            "end" => to = to.min(at),
            _ if FLIPS_MAX < Duration::from_secs(n.into()) => return Err(UNREADABLE),
            _ => from = from.max(now.minus(Duration::from_secs(n.into()))),
        }
    }
    Ok((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6f0c1e9a-0000-4000-8000-00000000000A";

    #[test]
    fn addresses_are_those_of_healthchecks_and_take_nothing_from_ours() {
        for (path, is_one) in [
            ("api/v1/checks/".to_owned(), true),
            ("api/v3/checks".to_owned(), true),
            ("api/v4/checks/".to_owned(), false),
            (format!("api/v2/checks/{UUID}"), true),
            (format!("api/v2/checks/{UUID}/pings/"), true),
            (format!("api/v2/checks/{UUID}/pings/17/body"), true),
            (format!("api/v2/checks/{UUID}/pings/x/body"), false),
            (format!("api/v3/checks/{}/flips/", "0a".repeat(20)), true),
            (format!("api/v3/checks/{}/flips/", "0a".repeat(19)), false),
            (format!("api/v3/checks/{UUID}/pause"), true),
            ("api/v3/checks/not-a-uuid".to_owned(), false),
            ("api/v3/checks//".to_owned(), false),
            ("api/v3/channels/".to_owned(), true),
            ("api/v3/badges/".to_owned(), true),
            ("api/v3/status/".to_owned(), true),
            ("api/v1/status/".to_owned(), true),
            ("api/v1/status".to_owned(), false),
            ("api/v1/monitors/api".to_owned(), false),
            ("api/v1/peers".to_owned(), false),
        ] {
            let segments: Vec<&str> = path.split('/').collect();
            assert_eq!(parse(&segments).is_some(), is_one, "{path}");
        }
    }

    #[test]
    fn spans_are_cut_to_what_was_asked() {
        let now = UnixMillis(2_000_000_000_000);
        let span = |query: &str| flips_span(query, now).map(|(from, to)| (from.0 / 1000, to.0 / 1000)).ok();
        assert_eq!(span(""), Some((2_000_000_000 - 31_536_000, 2_000_000_000)));
        assert_eq!(span("seconds=60"), Some((1_999_999_940, 2_000_000_000)));
        assert_eq!(span("start=1999999900&end=1999999950"), Some((1_999_999_900, 1_999_999_950)));
        for bad in ["seconds=31536001", "seconds=-1", "start=x", "end="] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }
}
