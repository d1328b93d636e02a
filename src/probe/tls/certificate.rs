//! Reading certificates for people: who, by whom, from when until when, for which names. Judges nothing; works on certificates
//! that were refused as well.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::model::result::Certificate;
use crate::model::time::UnixMillis;

/// Most names of one certificate that are kept.
const NAMES_MAX: usize = 32;

/// Most certificates of a chain that are read; honest chains have up to four.
const CHAIN_MAX: usize = 10;

/// What a chain says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// For people.
    pub(crate) certificate: Certificate,
    /// The latest beginning of a certificate in the chain.
    pub(crate) not_before: UnixMillis,
    /// The leaf names itself as its issuer.
    pub(crate) is_self_signed: bool,
}

/// Reads a chain, leaf first. `None` when the leaf cannot be read.
pub(crate) fn read(chain: &[CertificateDer<'_>]) -> Option<Shown> {
    let (leaf_der, above) = chain.split_first()?;
    let (_, leaf) = X509Certificate::from_der(leaf_der).ok()?;
    let (not_before, leaf_end) = validity(&leaf);
    let mut shown = Shown {
        is_self_signed: leaf.subject().as_raw() == leaf.issuer().as_raw(),
        certificate: Certificate {
            subject: String::new(),
            issuer: title(leaf.issuer()).unwrap_or_else(|| leaf.issuer().to_string()),
            not_before,
            not_after: leaf_end,
            names: names(&leaf),
        },
        not_before,
    };
    let subject = title(leaf.subject()).or_else(|| shown.certificate.names.first().cloned());
    shown.certificate.subject = subject.unwrap_or_else(|| leaf.subject().to_string());
    for der in above.iter().take(CHAIN_MAX - 1) {
        let Ok((_, issuer)) = X509Certificate::from_der(der) else { continue };
        // Roots that are sent along do not matter: they are trusted by key, not by date.
        if issuer.subject().as_raw() == issuer.issuer().as_raw() {
            continue;
        }
        let (begin, end) = validity(&issuer);
        shown.not_before = shown.not_before.max(begin);
        shown.certificate.not_after = shown.certificate.not_after.min(end);
    }
    Some(shown)
}

fn validity(certificate: &X509Certificate<'_>) -> (UnixMillis, UnixMillis) {
    let validity = certificate.validity();
    let millis = |seconds: i64| UnixMillis(seconds.saturating_mul(1000));
    (millis(validity.not_before.timestamp()), millis(validity.not_after.timestamp()))
}

/// The common name, else the organisation.
fn title(name: &X509Name<'_>) -> Option<String> {
    let text = name.iter_common_name().chain(name.iter_organization()).find_map(|part| part.as_str().ok())?;
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(name).take(NAMES_MAX).collect()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds of names are not for TLS servers")]
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) => Some((*text).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|octets| std::net::IpAddr::from(octets).to_string());
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(|octets| std::net::IpAddr::from(octets).to_string())).ok()
        }
        _ => None,
    }
}
