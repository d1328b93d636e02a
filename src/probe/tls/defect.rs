//! Names for what is wrong with a handshake. Pure: a table from the library's errors to ours.

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::Error;
use rustls::InvalidMessage;

use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::TlsDefect;
use crate::model::time::UnixMillis;
use crate::probe::tls::certificate::Shown;

/// 2026-01-01T00:00:00Z. This program is younger, so a clock that shows less is wrong.
const CLOCK_FLOOR: UnixMillis = UnixMillis(1_767_225_600_000);

/// What is known beside the error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// The name that was asked for.
    pub(crate) wanted: &'a str,
    /// What was shown, if it could be read.
    pub(crate) shown: Option<&'a Shown>,
    /// The wall clock.
    pub(crate) now: UnixMillis,
}

/// Sorts an error of the TLS library.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open")]
pub(crate) fn failure(error: &Error, about: Circumstances<'_>) -> Failure {
    let defect = match error {
        Error::InvalidCertificate(certificate) => return certificate_failure(certificate, error, about),
        Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity) | Error::PeerIncompatible(_) => {
            TlsDefect::NothingInCommon
        }
        Error::AlertReceived(alert) => TlsDefect::Alert { name: alert_name(*alert) },
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion | InvalidMessage::InvalidEmptyPayload,
        ) => TlsDefect::NotTls,
        Error::NoCertificatesPresented => TlsDefect::BadCertificate { detail: "the server showed none".to_owned() },
        other => TlsDefect::Other { detail: other.to_string() },
    };
    Failure::Tls(defect)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open")]
fn certificate_failure(certificate: &CertificateError, error: &Error, about: Circumstances<'_>) -> Failure {
    let defect = match certificate {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. }
            if about.now < CLOCK_FLOOR =>
        {
            return Failure::Own(OwnTrouble::Clock);
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsDefect::Expired { not_after: about.shown.map_or(UnixMillis(0), |shown| shown.certificate.not_after) }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsDefect::NotYetValid { not_before: about.shown.map_or(UnixMillis(0), |shown| shown.not_before) }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = about.shown.map(|shown| shown.certificate.names.clone()).unwrap_or_default();
            let names = if names.is_empty() { vec!["no name at all".to_owned()] } else { names };
            TlsDefect::WrongName { wanted: about.wanted.to_owned(), names }
        }
        CertificateError::Revoked => TlsDefect::Revoked,
        CertificateError::UnknownIssuer | CertificateError::Other(_) if about.shown.is_some_and(|shown| shown.is_self_signed) => {
            TlsDefect::SelfSigned
        }
        CertificateError::UnknownIssuer => {
            let issuer = about.shown.map(|shown| shown.certificate.issuer.clone());
            TlsDefect::UnknownIssuer { issuer: issuer.unwrap_or_else(|| "unknown".to_owned()) }
        }
        CertificateError::BadSignature => TlsDefect::BadSignature,
        CertificateError::BadEncoding => TlsDefect::BadCertificate { detail: "it cannot be read".to_owned() },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            TlsDefect::BadCertificate { detail: "it is not meant for servers".to_owned() }
        }
        CertificateError::UnhandledCriticalExtension => {
            TlsDefect::BadCertificate { detail: "it has a critical extension that is not understood".to_owned() }
        }
        CertificateError::Other(other) => TlsDefect::BadCertificate { detail: other.to_string() },
        _ => TlsDefect::BadCertificate { detail: error.to_string() },
    };
    Failure::Tls(defect)
}

/// The name of an alert as RFC 8446 writes it: `certificate_required`.
fn alert_name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for (n, c) in format!("{alert:?}").chars().enumerate() {
        if n > 0 && c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_named_as_in_the_standard() {
        assert_eq!(alert_name(AlertDescription::CertificateRequired), "certificate_required");
        assert_eq!(alert_name(AlertDescription::NoApplicationProtocol), "no_application_protocol");
    }
}
