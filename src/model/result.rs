//! What a check saw, and what was made of it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::id::MonitorId;
use crate::model::peer::Stage;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;

/// What a probe saw, before judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// How long each phase took.
    pub timings: Timings,
    /// The address that was talked to, or tried last.
    pub remote: Option<IpAddr>,
    /// The answer, or what kept it from coming.
    pub seen: Result<Seen, Failure>,
    /// The certificate that was shown, even when it was then refused.
    pub certificate: Option<Certificate>,
    /// Addresses that failed while another worked; only for `ip: both` and `ip: each`.
    pub failed_addresses: Vec<(IpAddr, Failure)>,
    /// What happened, line by line.
    pub transcript: Transcript,
}

impl Observation {
    /// Of a check that could not be made.
    #[must_use]
    pub fn not_made(trouble: OwnTrouble) -> Observation {
        Observation {
            timings: Timings::default(),
            remote: None,
            seen: Err(Failure::Own(trouble)),
            certificate: None,
            failed_addresses: Vec::new(),
            transcript: Transcript::default(),
        }
    }
}

/// The answer of a target.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Of an HTTP request.
    Http(HttpSeen),
    /// Of a TCP connection: what came back, at most 64 KiB.
    Tcp(Vec<u8>),
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSeen {
    /// Status code of the last response.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
    /// Names in lower case, values as bytes, in the order of arrival.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What was read of the body.
    pub body: Vec<u8>,
    /// There was more than was read.
    pub body_truncated: bool,
    /// Redirects that were followed.
    pub n_redirects: u8,
}

/// How long each phase took; `None` means it did not happen. After redirects the phases are those of the last hop and `total` is
/// of all. A phase that failed carries the time until it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Looking up the name.
    pub dns: Option<Duration>,
    /// TCP, proxy hand-shake included.
    pub connect: Option<Duration>,
    /// TLS handshake.
    pub tls: Option<Duration>,
    /// From the request being written to the first byte of the response head.
    pub first_byte: Option<Duration>,
    /// From there to the end of what was read.
    pub transfer: Option<Duration>,
    /// From the beginning to the end.
    pub total: Duration,
}

impl Timings {
    /// The phases in order with their names.
    #[must_use]
    pub fn phases(&self) -> [(Phase, Option<Duration>); 5] {
        [
            (Phase::Dns, self.dns),
            (Phase::Connect, self.connect),
            (Phase::Tls, self.tls),
            (Phase::FirstByte, self.first_byte),
            (Phase::Transfer, self.transfer),
        ]
    }
}

/// A step of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Looking up the name.
    Dns,
    /// TCP.
    Connect,
    /// TLS.
    Tls,
    /// Waiting for the response.
    FirstByte,
    /// Reading the response.
    Transfer,
}

impl Phase {
    /// Short word for tables and codes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Phase::Dns => "dns",
            Phase::Connect => "connect",
            Phase::Tls => "tls",
            Phase::FirstByte => "first byte",
            Phase::Transfer => "transfer",
        }
    }
}

/// A certificate that a target showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Common name or first alternative name.
    pub subject: String,
    /// Common name or organisation of its issuer.
    pub issuer: String,
    /// Valid from.
    pub not_before: UnixMillis,
    /// Valid until; of the leaf, or of an intermediate that ends sooner.
    pub not_after: UnixMillis,
    /// Names it is good for, at most 32.
    pub names: Vec<String>,
}

/// Why a check is not up. A closed list: each variant can be told apart in an incident, an alert and a filter by its [`Failure::code`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The name could not be looked up.
    Dns {
        /// Which name.
        name: String,
        /// What went wrong.
        kind: DnsFailure,
    },
    /// The port is closed.
    Refused {
        /// Where.
        at: String,
    },
    /// No route, or a router said no.
    Unreachable {
        /// Where.
        at: String,
    },
    /// The other side hung up.
    Closed {
        /// During which phase.
        phase: Phase,
        /// By a reset rather than by an orderly end.
        reset: bool,
    },
    /// Nothing happened for too long.
    TimedOut {
        /// During which phase.
        phase: Phase,
        /// The whole time that was allowed.
        after: Duration,
    },
    /// The TLS handshake failed.
    Tls(TlsDefect),
    /// The proxy on the way said no.
    Proxy {
        /// What it said, or what happened.
        detail: String,
    },
    /// What came was not the protocol.
    Protocol {
        /// What was wrong with it.
        detail: String,
    },
    /// A redirect could not be followed.
    Redirect {
        /// Why.
        detail: String,
    },
    /// The target policy forbids the address.
    Forbidden {
        /// Which address and why.
        detail: String,
    },
    /// The status is not what was expected.
    Status {
        /// What came.
        got: u16,
        /// What was expected, as written.
        expected: String,
    },
    /// The body is not what was expected.
    Body {
        /// What is wrong with it.
        detail: String,
    },
    /// A header is not what was expected.
    Header {
        /// What is wrong with it.
        detail: String,
    },
    /// A JSON value is not what was expected.
    Json {
        /// What is wrong with it.
        detail: String,
    },
    /// The banner of a TCP service is not what was expected.
    Banner {
        /// What came instead.
        detail: String,
    },
    /// The answer was right and slow.
    Slow {
        /// How long it took.
        took: Duration,
        /// How long it may take.
        limit: Duration,
    },
    /// The certificate ends soon.
    CertificateEnds {
        /// Full days left; 0 means today.
        days_left: i64,
        /// When exactly.
        not_after: UnixMillis,
        /// Whom it is for, as far as it says so.
        names: String,
    },
    /// Some addresses work and some do not.
    Partly {
        /// Which ones fail, and how.
        detail: String,
    },
    /// A heartbeat is not as it should be.
    Heartbeat {
        /// Stable word, one of [`CODES`].
        code: &'static str,
        /// One sentence.
        text: String,
    },
    /// Our own trouble; says nothing about the target. Always *unknown*, never *down*.
    Own(OwnTrouble),
    /// Another vantage saw it and told the reason in words.
    Reported {
        /// Stable word, one of [`CODES`].
        code: &'static str,
        /// One sentence.
        text: String,
        /// How far the check got.
        stage: Stage,
    },
}

/// Every word that [`Failure::code`] can give. The last one stands for words of a newer build.
pub const CODES: [&str; 43] = [
    "dns_no_such_name",
    "dns_no_address",
    "dns_server_failed",
    "dns_timeout",
    "refused",
    "unreachable",
    "closed",
    "timeout_dns",
    "timeout_connect",
    "timeout_tls",
    "timeout_first_byte",
    "timeout_transfer",
    "tls_expired",
    "tls_not_yet_valid",
    "tls_wrong_name",
    "tls_self_signed",
    "tls_unknown_issuer",
    "tls_revoked",
    "tls_bad_signature",
    "tls_bad_certificate",
    "tls_nothing_in_common",
    "tls_alert",
    "tls_not_tls",
    "tls_other",
    "proxy",
    "protocol",
    "redirect",
    "forbidden_address",
    "status",
    "body",
    "header",
    "json",
    "banner",
    "slow",
    "certificate_ends",
    "partly",
    "missed",
    "never-seen",
    "never-started",
    "failed",
    "overran",
    "too-fast",
    "reported",
];

/// The code of this word.
#[must_use]
pub fn code_of(word: &str) -> &'static str {
    CODES.into_iter().find(|code| *code == word).unwrap_or("reported")
}

/// What went wrong while looking up a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsFailure {
    /// NXDOMAIN: there is no such name.
    NoSuchName,
    /// The name exists and has no address (of the wanted family).
    NoAddress,
    /// SERVFAIL or another refusal.
    ServerFailed,
    /// No name server answered in time.
    TimedOut,
}

/// What is wrong with a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsDefect {
    /// The certificate is over.
    Expired {
        /// Since when.
        not_after: UnixMillis,
    },
    /// It is not valid yet.
    NotYetValid {
        /// From when.
        not_before: UnixMillis,
    },
    /// It is for other names.
    WrongName {
        /// Which name was asked for.
        wanted: String,
        /// Which names it has.
        names: Vec<String>,
    },
    /// It signed itself.
    SelfSigned,
    /// Its issuer is not trusted, or the chain is incomplete.
    UnknownIssuer {
        /// Who issued it.
        issuer: String,
    },
    /// It was revoked.
    Revoked,
    /// The signature does not fit.
    BadSignature,
    /// It cannot be read or breaks a rule of its kind.
    BadCertificate {
        /// Which.
        detail: String,
    },
    /// No version or cipher in common.
    NothingInCommon,
    /// The server sent an alert.
    Alert {
        /// Its name.
        name: String,
    },
    /// What came was not TLS.
    NotTls,
    /// Anything else.
    Other {
        /// As the library says it.
        detail: String,
    },
}

/// Trouble of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnTrouble {
    /// No file descriptor left.
    NoDescriptors,
    /// No local port left.
    NoPorts,
    /// The program did not get to run for this long during the check.
    Stalled(Duration),
    /// The uplink is lost.
    Uplink,
    /// The clock is obviously wrong, so validity of certificates cannot be judged.
    Clock,
    /// No IPv6 (or IPv4) here.
    NoFamily,
    /// A key, file or token that is ours could not be had.
    Setup(String),
    /// The probe panicked; that is a bug.
    Panic,
    /// The check was cut short by a shutdown or a reload.
    Interrupted,
}

impl Failure {
    /// Stable word for filters, metrics and the API.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Dns { kind, .. } => match kind {
                DnsFailure::NoSuchName => "dns_no_such_name",
                DnsFailure::NoAddress => "dns_no_address",
                DnsFailure::ServerFailed => "dns_server_failed",
                DnsFailure::TimedOut => "dns_timeout",
            },
            Failure::Refused { .. } => "refused",
            Failure::Unreachable { .. } => "unreachable",
            Failure::Closed { .. } => "closed",
            Failure::TimedOut { phase, .. } => match phase {
                Phase::Dns => "timeout_dns",
                Phase::Connect => "timeout_connect",
                Phase::Tls => "timeout_tls",
                Phase::FirstByte => "timeout_first_byte",
                Phase::Transfer => "timeout_transfer",
            },
            Failure::Tls(defect) => defect.code(),
            Failure::Proxy { .. } => "proxy",
            Failure::Protocol { .. } => "protocol",
            Failure::Redirect { .. } => "redirect",
            Failure::Forbidden { .. } => "forbidden_address",
            Failure::Status { .. } => "status",
            Failure::Body { .. } => "body",
            Failure::Header { .. } => "header",
            Failure::Json { .. } => "json",
            Failure::Banner { .. } => "banner",
            Failure::Slow { .. } => "slow",
            Failure::CertificateEnds { .. } => "certificate_ends",
            Failure::Partly { .. } => "partly",
            Failure::Own(_) => "own_trouble",
            Failure::Heartbeat { code, .. } | Failure::Reported { code, .. } => code,
        }
    }
}

impl TlsDefect {
    fn code(&self) -> &'static str {
        match self {
            TlsDefect::Expired { .. } => "tls_expired",
            TlsDefect::NotYetValid { .. } => "tls_not_yet_valid",
            TlsDefect::WrongName { .. } => "tls_wrong_name",
            TlsDefect::SelfSigned => "tls_self_signed",
            TlsDefect::UnknownIssuer { .. } => "tls_unknown_issuer",
            TlsDefect::Revoked => "tls_revoked",
            TlsDefect::BadSignature => "tls_bad_signature",
            TlsDefect::BadCertificate { .. } => "tls_bad_certificate",
            TlsDefect::NothingInCommon => "tls_nothing_in_common",
            TlsDefect::Alert { .. } => "tls_alert",
            TlsDefect::NotTls => "tls_not_tls",
            TlsDefect::Other { .. } => "tls_other",
        }
    }
}

/// One sentence without a full stop, for people.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Dns { name, kind } => match kind {
                DnsFailure::NoSuchName => write!(f, "the name `{name}` does not exist (NXDOMAIN)"),
                DnsFailure::NoAddress => write!(f, "the name `{name}` has no address"),
                DnsFailure::ServerFailed => write!(f, "the name server failed to look up `{name}` (SERVFAIL)"),
                DnsFailure::TimedOut => write!(f, "no name server answered for `{name}`"),
            },
            Failure::Refused { at } => write!(f, "connection refused by {at}: nothing listens on this port"),
            Failure::Unreachable { at } => write!(f, "{at} is unreachable: no route to it"),
            Failure::Closed { phase, reset } => {
                let how = if *reset { "reset the connection" } else { "closed the connection" };
                match phase {
                    Phase::Dns | Phase::Connect => write!(f, "the other side {how} while connecting"),
                    Phase::Tls => write!(f, "the other side {how} during the TLS handshake"),
                    Phase::FirstByte => write!(f, "the other side {how} before answering"),
                    Phase::Transfer => write!(f, "the other side {how} in the middle of the answer"),
                }
            }
            Failure::TimedOut { phase, after } => {
                let after = spoken(*after);
                match phase {
                    Phase::Dns => write!(f, "looking up the name took longer than {after}"),
                    Phase::Connect => write!(f, "no connection within {after}"),
                    Phase::Tls => write!(f, "the connection was accepted, the TLS handshake not finished within {after}"),
                    Phase::FirstByte => write!(f, "the connection was accepted, no answer came within {after}"),
                    Phase::Transfer => write!(f, "the answer began and was not complete within {after}"),
                }
            }
            Failure::Tls(defect) => write!(f, "{defect}"),
            Failure::Proxy { detail } => write!(f, "the proxy refused: {detail}"),
            Failure::Protocol { detail } => write!(f, "the answer is not valid: {detail}"),
            Failure::Redirect { detail } => write!(f, "redirect not followed: {detail}"),
            Failure::Forbidden { detail } => write!(f, "address not allowed: {detail}"),
            Failure::Status { got, expected } => write!(f, "status {got} instead of {expected}"),
            Failure::Body { detail }
            | Failure::Header { detail }
            | Failure::Json { detail }
            | Failure::Banner { detail }
            | Failure::Partly { detail } => f.write_str(detail),
            Failure::Slow { took, limit } => write!(f, "answered after {}, slower than {}", spoken(*took), spoken(*limit)),
            Failure::CertificateEnds { days_left, not_after, names } => {
                let whose = if names.is_empty() { String::new() } else { format!(" for {names}") };
                let end = not_after.rfc3339();
                match days_left {
                    0 => write!(f, "the certificate{whose} ends within a day ({end})"),
                    1 => write!(f, "the certificate{whose} ends in 1 day ({end})"),
                    days => write!(f, "the certificate{whose} ends in {days} days ({end})"),
                }
            }
            Failure::Own(trouble) => write!(f, "{trouble}"),
            Failure::Heartbeat { text, .. } | Failure::Reported { text, .. } => f.write_str(text),
        }
    }
}

impl fmt::Display for TlsDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsDefect::Expired { not_after } => write!(f, "the certificate expired on {}", not_after.rfc3339()),
            TlsDefect::NotYetValid { not_before } => write!(f, "the certificate is not valid before {}", not_before.rfc3339()),
            TlsDefect::WrongName { wanted, names } => write!(f, "the certificate is not for `{wanted}` but for {}", names.join(", ")),
            TlsDefect::SelfSigned => f.write_str("the certificate is self-signed and not trusted"),
            TlsDefect::UnknownIssuer { issuer } => {
                write!(f, "the certificate's issuer `{issuer}` is not trusted, or an intermediate certificate is missing")
            }
            TlsDefect::Revoked => f.write_str("the certificate was revoked"),
            TlsDefect::BadSignature => f.write_str("the certificate's signature is not valid"),
            TlsDefect::BadCertificate { detail } => write!(f, "the certificate is not valid: {detail}"),
            TlsDefect::NothingInCommon => f.write_str("no TLS version or cipher in common"),
            TlsDefect::Alert { name } => write!(f, "the TLS handshake was refused with the alert `{name}`"),
            TlsDefect::NotTls => f.write_str("the answer is not TLS; is this a plain-text port?"),
            TlsDefect::Other { detail } => write!(f, "the TLS handshake failed: {detail}"),
        }
    }
}

impl fmt::Display for OwnTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnTrouble::NoDescriptors => f.write_str("not checked: vigilmon has no file descriptor left (raise LimitNOFILE)"),
            OwnTrouble::NoPorts => f.write_str("not checked: this machine has no local port left"),
            OwnTrouble::Stalled(by) => write!(f, "not judged: vigilmon itself did not get to run for {}", spoken(*by)),
            OwnTrouble::Uplink => f.write_str("not judged: the uplink of this vantage is lost"),
            OwnTrouble::Clock => f.write_str("not judged: the clock of this vantage is wrong"),
            OwnTrouble::NoFamily => f.write_str("not checked: this vantage has no network of this address family"),
            OwnTrouble::Setup(detail) => write!(f, "not checked: {detail}"),
            OwnTrouble::Panic => f.write_str("not judged: the probe crashed, which is a bug in vigilmon"),
            OwnTrouble::Interrupted => f.write_str("not judged: the check was interrupted"),
        }
    }
}

/// What happened, line by line, with the time since the beginning. Bounded: what comes too late is counted, not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript {
    /// Lines without line ends.
    pub lines: Vec<String>,
    /// Lines that found no room.
    pub n_dropped: u32,
}

/// Most lines of a transcript: five redirects with all their phases fit twice.
pub const TRANSCRIPT_LINES_MAX: usize = 120;

/// Longest line of a transcript, in characters.
pub const TRANSCRIPT_LINE_CHARS_MAX: usize = 300;

impl Transcript {
    /// Adds a line, cut to its greatest length; control characters become `·`.
    pub fn say(&mut self, line: &str) {
        if self.lines.len() >= TRANSCRIPT_LINES_MAX {
            self.n_dropped = self.n_dropped.saturating_add(1);
            return;
        }
        self.lines
            .push(line.chars().take(TRANSCRIPT_LINE_CHARS_MAX).map(|c| if crate::model::id::is_deceptive(c) { '·' } else { c }).collect());
    }
}

/// What one check says of its monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Everything as expected.
    Up,
    /// Works, but not as well as expected.
    Degraded,
    /// Does not work.
    Down,
    /// Nothing can be said, because of trouble of our own.
    Unknown,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Up => "up",
            Outcome::Degraded => "degraded",
            Outcome::Down => "down",
            Outcome::Unknown => "unknown",
        }
    }
}

/// A judged check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// Whose.
    pub monitor: MonitorId,
    /// When it began.
    pub at: UnixMillis,
    /// What it says.
    pub outcome: Outcome,
    /// Why it is not up; `None` exactly when it is.
    pub failure: Option<Failure>,
    /// How long each phase took.
    pub timings: Timings,
    /// HTTP status, if there was one.
    pub status: Option<u16>,
    /// The address that was talked to, or tried last.
    pub remote: Option<IpAddr>,
    /// When the certificate ends, if one was shown.
    pub certificate_not_after: Option<UnixMillis>,
    /// What happened. Kept with the result when it is not up.
    pub transcript: Transcript,
}

/// The newest results by monitor, newest last; what the store gives back at start.
pub type RecentResults = BTreeMap<MonitorId, Vec<CheckResult>>;
