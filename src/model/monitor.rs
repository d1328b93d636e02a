//! What is watched, and how.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::expect::Expectation;
use crate::model::heartbeat::HeartbeatSpec;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::net::HostPort;
use crate::model::net::NameServer;
use crate::model::peer::Vantage;
use crate::model::policy::Remind;
use crate::model::secret::Secret;

/// One monitor, complete: defaults, templates and matrix are already applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// Key of its history.
    pub id: MonitorId,
    /// What people call it.
    pub name: String,
    /// Heading it stands under on pages; `None` means none.
    pub group: Option<String>,
    /// Free labels for matching.
    pub labels: BTreeMap<String, String>,
    /// What is done to observe it.
    pub probe: ProbeSpec,
    /// What must be seen for it to be up.
    pub expect: Expectation,
    /// Time between the beginnings of two checks.
    pub interval: Duration,
    /// How long one check may take in all.
    pub timeout: Duration,
    /// How many checks must agree before the opinion changes.
    pub confirm: Confirm,
    /// Which regions check it.
    pub regions: Regions,
    /// How many opinions make a verdict.
    pub quorum: Quorum,
    /// From how many regions votes must count; `None`: two, or as many as there are.
    pub n_regions_min: Option<usize>,
    /// How long a minority of regions must disagree before it is told to channels that listen to `regional`.
    pub partial_after: Duration,
    /// What vantages inside observe instead, and what they expect of it; `None`: the same as those outside.
    pub internal: Option<Arc<Internal>>,
    /// Who is told.
    pub channels: Vec<ChannelName>,
    /// Whether people are reminded of what lasts.
    pub remind: Reminders,
    /// Monitors without which this one cannot work: while one of them is down, nobody is told that this one is.
    pub depends_on: Vec<MonitorId>,
    /// Link that goes into every notification.
    pub runbook: Option<String>,
    /// Objective shown beside the uptime.
    pub slo: Option<Slo>,
    /// `false`: configured but not checked; shown as paused.
    pub enabled: bool,
    /// Where it is written.
    pub origin: Origin,
    /// As it stands there, as YAML: without what it inherits, and without secrets. Empty for one that stands in no file.
    pub written: Arc<str>,
}

/// What vantages inside observe, when it differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Internal {
    /// What is done to observe it.
    pub probe: ProbeSpec,
    /// What must be seen for it to be up.
    pub expect: Expectation,
}

/// Whether people are reminded of what lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reminders {
    /// As the policy says.
    #[default]
    ByPolicy,
    /// Never.
    Never,
    /// In this way, whatever the policy says.
    These(Remind),
}

impl Monitor {
    /// The monitor as a vantage of this kind observes it.
    #[must_use]
    pub fn seen_from(self: &Arc<Monitor>, vantage: Vantage) -> Arc<Monitor> {
        match (vantage, &self.internal) {
            (Vantage::External, _) | (Vantage::Internal, None) => Arc::clone(self),
            (Vantage::Internal, Some(internal)) => {
                let (probe, expect) = (internal.probe.clone(), internal.expect.clone());
                Arc::new(Monitor { probe, expect, ..(**self).clone() })
            }
        }
    }

    /// The target as text that may be shown to operators and sent to channels: a URL without user info, `host:port`, or when a heartbeat
    /// is expected.
    #[must_use]
    pub fn target(&self) -> String {
        match &self.probe {
            ProbeSpec::Http(http) => shown_url(&http.url),
            ProbeSpec::Tcp(tcp) => format!("tcp://{}", tcp.address),
            ProbeSpec::Heartbeat(spec) => spec.beat.schedule.to_string(),
        }
    }

    /// The heartbeat, if it is one.
    #[must_use]
    pub fn heartbeat(&self) -> Option<&HeartbeatSpec> {
        match &self.probe {
            ProbeSpec::Heartbeat(spec) => Some(spec),
            ProbeSpec::Http(_) | ProbeSpec::Tcp(_) => None,
        }
    }
}

/// Parts of the name of a query parameter whose value is probably a secret.
const SECRET_PARTS: [&str; 10] = ["token", "key", "secret", "pass", "pwd", "auth", "sig", "credential", "session", "jwt"];

/// Short words that stand in many harmless names, and say the same when they stand alone: `signup_code`, but not `postcode`.
const SECRET_WORDS: [&str; 4] = ["code", "sid", "otp", "pin"];

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    SECRET_PARTS.iter().any(|part| name.contains(part)) || words.any(|word| SECRET_WORDS.contains(&word))
}

/// A URL that may be shown: without user info, and without the values of query parameters that sound secret.
#[must_use]
pub fn shown_url(url: &url::Url) -> String {
    let mut url = url.clone();
    // Both setters fail only for URLs that cannot have user info, which then have nothing to hide.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if let Some(query) = url.query().map(shown_query) {
        url.set_query(Some(&query));
    }
    url.to_string()
}

/// A query without the values of parameters that sound secret.
#[must_use]
pub fn shown_query(query: &str) -> String {
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if sounds_secret(name) => format!("{name}=***"),
        Some(_) | None => pair.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

/// Where something stands in the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named or found.
    pub file: Arc<PathBuf>,
    /// Line of its beginning, from 1.
    pub line: u32,
}

/// What a probe does; one variant per kind, one file per kind under `crate::probe`.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeSpec {
    /// A request over HTTP or HTTPS.
    Http(Box<HttpSpec>),
    /// A connection, optionally with something said and something expected back.
    Tcp(TcpSpec),
    /// Nothing: the target reports by itself.
    Heartbeat(Box<HeartbeatSpec>),
}

impl ProbeSpec {
    /// The word for the kind, as in the YAML.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            ProbeSpec::Http(_) => "http",
            ProbeSpec::Tcp(_) => "tcp",
            ProbeSpec::Heartbeat(_) => "heartbeat",
        }
    }
}

/// How an HTTP request is made.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSpec {
    /// `http` or `https`, with a host.
    pub url: url::Url,
    /// Upper-case token, `GET` by default.
    pub method: String,
    /// Sent in this order; values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// How the request says who is asking.
    pub auth: HttpAuth,
    /// Sent as it is; empty means no body.
    pub body: String,
    /// How many redirects are followed; 0 means none, and a 3xx is then judged as it is.
    pub follow_redirects: u8,
    /// Which addresses of the name are tried.
    pub ip: IpChoice,
    /// Name servers to ask; empty means the system's.
    pub resolver: Vec<NameServer>,
    /// Connect here instead, keeping SNI and Host, like `curl --connect-to`.
    pub connect_to: Option<HostPort>,
    /// Go through this proxy.
    pub proxy: Option<ProxySpec>,
    /// How TLS is done.
    pub tls: TlsSpec,
    /// Which version is spoken.
    pub http_version: HttpVersion,
    /// How much of the body is read, in bytes; the rest is left unread.
    pub body_bytes_max: usize,
    /// May connect to cloud metadata addresses.
    pub allow_metadata: bool,
    /// A public target may redirect or resolve into private space.
    pub allow_private: bool,
}

/// How a request says who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpAuth {
    /// It does not.
    None,
    /// RFC 7617.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
    /// RFC 6750.
    Bearer(Secret),
    /// RFC 6749 section 4.4: a token is fetched first and kept until shortly before it expires.
    OAuth2ClientCredentials {
        /// Where tokens are given out.
        token_url: url::Url,
        /// Who asks.
        client_id: String,
        /// What proves it.
        client_secret: Secret,
        /// What for; empty means the server's default.
        scopes: Vec<String>,
    },
}

/// Which of a name's addresses are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpChoice {
    /// The first that answers, happy-eyeballs fashion.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// One of each family; a family that fails while the other works makes the result degraded.
    Both,
    /// Every address; one that fails while others work makes the result degraded.
    Each,
}

/// A proxy on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySpec {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Where it is.
    pub address: HostPort,
    /// User name and password, if it wants them.
    pub credentials: Option<(String, Secret)>,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// HTTP: `CONNECT` for https, absolute form for http.
    Http,
    /// SOCKS 5, RFC 1928; names are resolved by the proxy.
    Socks5,
}

/// How TLS is done. Certificates and keys are PEM texts: files were read when the config was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSpec {
    /// `false`: any certificate will do; defects are noted, not judged.
    pub verify: bool,
    /// Trusted roots instead of the system's.
    pub ca_pem: Option<String>,
    /// Name to ask for and to verify instead of the URL's host.
    pub server_name: Option<String>,
    /// Lowest version that is accepted.
    pub min_version: TlsVersion,
    /// Client certificate chain and key.
    pub client: Option<ClientCertificate>,
}

/// A client certificate chain with its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Leaf first.
    pub chain_pem: String,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key_pem: Secret,
}

/// A TLS version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2, RFC 5246.
    V12,
    /// 1.3, RFC 8446.
    V13,
}

/// Which HTTP version is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/2 if TLS negotiates it, else 1.1.
    Auto,
    /// 1.1 only.
    V11,
    /// 2 only; without TLS by prior knowledge.
    V2,
}

/// How a TCP connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSpec {
    /// Where to.
    pub address: HostPort,
    /// Said after connecting; empty means nothing.
    pub send: Vec<u8>,
    /// Must occur in what comes back; empty means connecting is enough.
    pub expect: Vec<u8>,
    /// Which addresses of the name are tried.
    pub ip: IpChoice,
    /// Name servers to ask; empty means the system's.
    pub resolver: Vec<NameServer>,
}

/// How many checks must agree before an opinion changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirm {
    /// Consecutive bad checks before an opinion turns bad, at least 1.
    pub failures: u32,
    /// Consecutive good checks before it turns good again, at least 1.
    pub successes: u32,
    /// Time between checks while suspect.
    pub recheck: Duration,
}

/// Which regions check a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Regions {
    /// Every one.
    All,
    /// These.
    Only(BTreeSet<Region>),
}

impl Regions {
    /// Whether a vantage in `region` checks it.
    #[must_use]
    pub fn include(&self, region: &Region) -> bool {
        match self {
            Regions::All => true,
            Regions::Only(some) => some.contains(region),
        }
    }
}

/// How many down opinions make the verdict down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// More than half of those that count.
    Majority,
    /// All of those that count.
    All,
    /// One is enough.
    Any,
    /// This many.
    Count(u32),
    /// This share of those that count, 1 to 100.
    Percent(u8),
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quorum::Majority => f.write_str("majority"),
            Quorum::All => f.write_str("all"),
            Quorum::Any => f.write_str("any"),
            Quorum::Count(n) => write!(f, "{n}"),
            Quorum::Percent(p) => write!(f, "{p}%"),
        }
    }
}

/// A service level objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slo {
    /// Wanted uptime in thousandths of a percent: 99 900 is 99.9 %.
    pub target_milli_percent: u32,
    /// Over how long.
    pub window: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_urls_keep_what_tells_and_hide_what_opens() {
        for (url, shown) in [
            ("https://u:p@a.example/x?page=2", "https://a.example/x?page=2"),
            (
                "https://a.example/x?page=2&api_key=abc&access_Token=d=e&flag",
                "https://a.example/x?page=2&api_key=***&access_Token=***&flag",
            ),
            (
                "https://a.example/?code=1&jwt=2&PHPSESSION=3&sid=4&x-otp=5&user_pin=6&sig=7&X-Signature=8&postcode=9&ping=0",
                "https://a.example/?code=***&jwt=***&PHPSESSION=***&sid=***&x-otp=***&user_pin=***&sig=***&X-Signature=***&postcode=9&ping=0",
            ),
            ("http://a.example/", "http://a.example/"),
        ] {
            assert_eq!(shown_url(&url::Url::parse(url).expect(url)), shown);
        }
    }
}
