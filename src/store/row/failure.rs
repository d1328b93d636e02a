//! Durable form of [`Failure`]: JSON with a `code` that names the variant.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::peer::Stage;
use crate::model::result::DnsFailure;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::Phase;
use crate::model::result::TlsDefect;
use crate::model::result::code_of;
use crate::model::time::UnixMillis;

#[derive(Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
enum FailureRow {
    Dns {
        name: String,
        kind: DnsRow,
    },
    Refused {
        at: String,
    },
    Unreachable {
        at: String,
    },
    Closed {
        phase: PhaseRow,
        reset: bool,
    },
    TimedOut {
        phase: PhaseRow,
        after_ns: u64,
    },
    Tls {
        defect: TlsRow,
    },
    Proxy {
        detail: String,
    },
    Protocol {
        detail: String,
    },
    Redirect {
        detail: String,
    },
    Forbidden {
        detail: String,
    },
    Status {
        got: u16,
        expected: String,
    },
    Body {
        detail: String,
    },
    Header {
        detail: String,
    },
    Json {
        detail: String,
    },
    Banner {
        detail: String,
    },
    Slow {
        took_ns: u64,
        limit_ns: u64,
    },
    CertificateEnds {
        days_left: i64,
        not_after: i64,
        #[serde(default)]
        names: String,
    },
    Partly {
        detail: String,
    },
    Heartbeat {
        word: String,
        text: String,
    },
    Own {
        trouble: OwnRow,
    },
    Reported {
        word: String,
        text: String,
        stage: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DnsRow {
    NoSuchName,
    NoAddress,
    ServerFailed,
    TimedOut,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PhaseRow {
    Dns,
    Connect,
    Tls,
    FirstByte,
    Transfer,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TlsRow {
    Expired { not_after: i64 },
    NotYetValid { not_before: i64 },
    WrongName { wanted: String, names: Vec<String> },
    SelfSigned,
    UnknownIssuer { issuer: String },
    Revoked,
    BadSignature,
    BadCertificate { detail: String },
    NothingInCommon,
    Alert { name: String },
    NotTls,
    Other { detail: String },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OwnRow {
    NoDescriptors,
    NoPorts,
    Stalled { by_ns: u64 },
    Uplink,
    Clock,
    NoFamily,
    Setup { detail: String },
    Panic,
    Interrupted,
}

/// JSON text of a failure.
pub(in crate::store) fn to_json(failure: &Failure) -> String {
    super::json(&row(failure.clone()))
}

/// The failure of a JSON text. A text that cannot be read (written by a newer build, or damaged) becomes trouble of our own that
/// says so: the result it belongs to is still worth showing.
pub(in crate::store) fn from_json(text: &str) -> Failure {
    match super::parsed::<FailureRow>(text) {
        Ok(row) => failure(row),
        Err(error) => Failure::Own(OwnTrouble::Setup(format!("the stored reason cannot be read ({error})"))),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn row(failure: Failure) -> FailureRow {
    match failure {
        Failure::Dns { name, kind } => FailureRow::Dns {
            name,
            kind: match kind {
                DnsFailure::NoSuchName => DnsRow::NoSuchName,
                DnsFailure::NoAddress => DnsRow::NoAddress,
                DnsFailure::ServerFailed => DnsRow::ServerFailed,
                DnsFailure::TimedOut => DnsRow::TimedOut,
            },
        },
        Failure::Refused { at } => FailureRow::Refused { at },
        Failure::Unreachable { at } => FailureRow::Unreachable { at },
        Failure::Closed { phase, reset } => FailureRow::Closed { phase: phase_row(phase), reset },
        Failure::TimedOut { phase, after } => FailureRow::TimedOut { phase: phase_row(phase), after_ns: nanos(after) },
        Failure::Tls(defect) => FailureRow::Tls { defect: tls_row(defect) },
        Failure::Proxy { detail } => FailureRow::Proxy { detail },
        Failure::Protocol { detail } => FailureRow::Protocol { detail },
        Failure::Redirect { detail } => FailureRow::Redirect { detail },
        Failure::Forbidden { detail } => FailureRow::Forbidden { detail },
        Failure::Status { got, expected } => FailureRow::Status { got, expected },
        Failure::Body { detail } => FailureRow::Body { detail },
        Failure::Header { detail } => FailureRow::Header { detail },
        Failure::Json { detail } => FailureRow::Json { detail },
        Failure::Banner { detail } => FailureRow::Banner { detail },
        Failure::Slow { took, limit } => FailureRow::Slow { took_ns: nanos(took), limit_ns: nanos(limit) },
        Failure::CertificateEnds { days_left, not_after, names } => {
            FailureRow::CertificateEnds { days_left, not_after: not_after.0, names }
        }
        Failure::Partly { detail } => FailureRow::Partly { detail },
        Failure::Heartbeat { code, text } => FailureRow::Heartbeat { word: code.to_owned(), text },
        Failure::Own(trouble) => FailureRow::Own { trouble: own_row(trouble) },
        Failure::Reported { code, text, stage } => FailureRow::Reported { word: code.to_owned(), text, stage: stage.word().to_owned() },
    }
}

fn failure(row: FailureRow) -> Failure {
    match row {
        FailureRow::Dns { name, kind } => Failure::Dns {
            name,
            kind: match kind {
                DnsRow::NoSuchName => DnsFailure::NoSuchName,
                DnsRow::NoAddress => DnsFailure::NoAddress,
                DnsRow::ServerFailed => DnsFailure::ServerFailed,
                DnsRow::TimedOut => DnsFailure::TimedOut,
            },
        },
        FailureRow::Refused { at } => Failure::Refused { at },
        FailureRow::Unreachable { at } => Failure::Unreachable { at },
        FailureRow::Closed { phase, reset } => Failure::Closed { phase: phase_of(&phase), reset },
        FailureRow::TimedOut { phase, after_ns } => Failure::TimedOut { phase: phase_of(&phase), after: Duration::from_nanos(after_ns) },
        FailureRow::Tls { defect } => Failure::Tls(tls(defect)),
        FailureRow::Proxy { detail } => Failure::Proxy { detail },
        FailureRow::Protocol { detail } => Failure::Protocol { detail },
        FailureRow::Redirect { detail } => Failure::Redirect { detail },
        FailureRow::Forbidden { detail } => Failure::Forbidden { detail },
        FailureRow::Status { got, expected } => Failure::Status { got, expected },
        FailureRow::Body { detail } => Failure::Body { detail },
        FailureRow::Header { detail } => Failure::Header { detail },
        FailureRow::Json { detail } => Failure::Json { detail },
        FailureRow::Banner { detail } => Failure::Banner { detail },
        FailureRow::Slow { took_ns, limit_ns } => {
            Failure::Slow { took: Duration::from_nanos(took_ns), limit: Duration::from_nanos(limit_ns) }
        }
        FailureRow::CertificateEnds { days_left, not_after, names } => {
            Failure::CertificateEnds { days_left, not_after: UnixMillis(not_after), names }
        }
        FailureRow::Partly { detail } => Failure::Partly { detail },
        FailureRow::Heartbeat { word, text } => Failure::Heartbeat { code: code_of(&word), text },
        FailureRow::Own { trouble } => Failure::Own(own(trouble)),
        FailureRow::Reported { word, text, stage } => {
            let stage = Stage::ALL.into_iter().find(|known| known.word() == stage).unwrap_or(Stage::Other);
            Failure::Reported { code: code_of(&word), text, stage }
        }
    }
}

fn phase_row(phase: Phase) -> PhaseRow {
    match phase {
        Phase::Dns => PhaseRow::Dns,
        Phase::Connect => PhaseRow::Connect,
        Phase::Tls => PhaseRow::Tls,
        Phase::FirstByte => PhaseRow::FirstByte,
        Phase::Transfer => PhaseRow::Transfer,
    }
}

fn phase_of(row: &PhaseRow) -> Phase {
    match row {
        PhaseRow::Dns => Phase::Dns,
        PhaseRow::Connect => Phase::Connect,
        PhaseRow::Tls => Phase::Tls,
        PhaseRow::FirstByte => Phase::FirstByte,
        PhaseRow::Transfer => Phase::Transfer,
    }
}

fn tls_row(defect: TlsDefect) -> TlsRow {
    match defect {
        TlsDefect::Expired { not_after } => TlsRow::Expired { not_after: not_after.0 },
        TlsDefect::NotYetValid { not_before } => TlsRow::NotYetValid { not_before: not_before.0 },
        TlsDefect::WrongName { wanted, names } => TlsRow::WrongName { wanted, names },
        TlsDefect::SelfSigned => TlsRow::SelfSigned,
        TlsDefect::UnknownIssuer { issuer } => TlsRow::UnknownIssuer { issuer },
        TlsDefect::Revoked => TlsRow::Revoked,
        TlsDefect::BadSignature => TlsRow::BadSignature,
        TlsDefect::BadCertificate { detail } => TlsRow::BadCertificate { detail },
        TlsDefect::NothingInCommon => TlsRow::NothingInCommon,
        TlsDefect::Alert { name } => TlsRow::Alert { name },
        TlsDefect::NotTls => TlsRow::NotTls,
        TlsDefect::Other { detail } => TlsRow::Other { detail },
    }
}

fn tls(row: TlsRow) -> TlsDefect {
    match row {
        TlsRow::Expired { not_after } => TlsDefect::Expired { not_after: UnixMillis(not_after) },
        TlsRow::NotYetValid { not_before } => TlsDefect::NotYetValid { not_before: UnixMillis(not_before) },
        TlsRow::WrongName { wanted, names } => TlsDefect::WrongName { wanted, names },
        TlsRow::SelfSigned => TlsDefect::SelfSigned,
        TlsRow::UnknownIssuer { issuer } => TlsDefect::UnknownIssuer { issuer },
        TlsRow::Revoked => TlsDefect::Revoked,
        TlsRow::BadSignature => TlsDefect::BadSignature,
        TlsRow::BadCertificate { detail } => TlsDefect::BadCertificate { detail },
        TlsRow::NothingInCommon => TlsDefect::NothingInCommon,
        TlsRow::Alert { name } => TlsDefect::Alert { name },
        TlsRow::NotTls => TlsDefect::NotTls,
        TlsRow::Other { detail } => TlsDefect::Other { detail },
    }
}

fn own_row(trouble: OwnTrouble) -> OwnRow {
    match trouble {
        OwnTrouble::NoDescriptors => OwnRow::NoDescriptors,
        OwnTrouble::NoPorts => OwnRow::NoPorts,
        OwnTrouble::Stalled(by) => OwnRow::Stalled { by_ns: nanos(by) },
        OwnTrouble::Uplink => OwnRow::Uplink,
        OwnTrouble::Clock => OwnRow::Clock,
        OwnTrouble::NoFamily => OwnRow::NoFamily,
        OwnTrouble::Setup(detail) => OwnRow::Setup { detail },
        OwnTrouble::Panic => OwnRow::Panic,
        OwnTrouble::Interrupted => OwnRow::Interrupted,
    }
}

fn own(row: OwnRow) -> OwnTrouble {
    match row {
        OwnRow::NoDescriptors => OwnTrouble::NoDescriptors,
        OwnRow::NoPorts => OwnTrouble::NoPorts,
        OwnRow::Stalled { by_ns } => OwnTrouble::Stalled(Duration::from_nanos(by_ns)),
        OwnRow::Uplink => OwnTrouble::Uplink,
        OwnRow::Clock => OwnTrouble::Clock,
        OwnRow::NoFamily => OwnTrouble::NoFamily,
        OwnRow::Setup { detail } => OwnTrouble::Setup(detail),
        OwnRow::Panic => OwnTrouble::Panic,
        OwnRow::Interrupted => OwnTrouble::Interrupted,
    }
}
