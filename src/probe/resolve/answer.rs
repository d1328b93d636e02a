//! What to make of the answers of name servers for two families. Asks nobody.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::net::DnsError;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Record;

use crate::model::result::DnsFailure;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::probe::own::own_trouble;

/// Most addresses of one name that are used; a name with more is not better watched by trying them all.
const ADDRESSES_MAX: usize = 32;

/// How long the answer for one family is waited for once the other is there; RFC 8305 section 3 recommends this value.
const OTHER_FAMILY_GRACE: Duration = Duration::from_millis(50);

/// Addresses of one or both families, or why there are none.
pub(super) type Found = Result<Vec<IpAddr>, Failure>;

/// The addresses among some records.
pub(super) fn addresses(records: &[Record]) -> Vec<IpAddr> {
    records.iter().filter_map(|record| record.data.ip_addr()).take(ADDRESSES_MAX).collect()
}

/// Waits for both families, but not long for the slower one when the faster one has an address.
pub(super) async fn either(v4: impl Future<Output = Found>, v6: impl Future<Output = Found>) -> Found {
    let (mut v4, mut v6) = (std::pin::pin!(v4), std::pin::pin!(v6));
    let first = tokio::select! {
        found = &mut v4 => (Some(found), None),
        found = &mut v6 => (None, Some(found)),
    };
    let grace = |found: &Found| found.as_ref().is_ok_and(|found| !found.is_empty()).then_some(OTHER_FAMILY_GRACE);
    match first {
        (Some(four), _) => {
            let six = within(grace(&four), v6).await;
            combine(four, six)
        }
        (_, Some(six)) => {
            let four = within(grace(&six), v4).await;
            combine(four, six)
        }
        (None, None) => Ok(Vec::new()),
    }
}

async fn within(grace: Option<Duration>, found: impl Future<Output = Found>) -> Found {
    match grace {
        Some(grace) => tokio::time::timeout(grace, found).await.unwrap_or(Ok(Vec::new())),
        None => found.await,
    }
}

/// Addresses win over failures; of two failures the one that says more wins: a name that does not exist has neither family, but a
/// family that could not be asked for is not known to be missing.
pub(super) fn combine(v4: Found, v6: Found) -> Found {
    let rank = |failure: &Failure| {
        let Failure::Dns { kind, .. } = failure else { return 0 };
        match kind {
            DnsFailure::NoSuchName => 1,
            DnsFailure::ServerFailed => 2,
            DnsFailure::TimedOut => 3,
            DnsFailure::NoAddress => 4,
        }
    };
    match (v4, v6) {
        (Ok(mut four), Ok(six)) => {
            four.extend(six);
            Ok(four)
        }
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
        (Ok(_), Err(failure)) | (Err(failure), Ok(_)) => Err(failure),
        (Err(a), Err(b)) => Err(if rank(&a) <= rank(&b) { a } else { b }),
    }
}

/// Sorts the answer to one question.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's list is open")]
pub(super) fn read(host: &str, answer: Result<Vec<IpAddr>, NetError>) -> Found {
    let failed = |kind| Failure::Dns { name: host.to_owned(), kind };
    answer.map_err(|error| match &error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => failed(DnsFailure::NoSuchName),
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError => failed(DnsFailure::NoAddress),
        NetError::Dns(_) | NetError::Proto(_) => failed(DnsFailure::ServerFailed),
        NetError::Io(io) => own_trouble(io).map_or_else(|| failed(DnsFailure::TimedOut), Failure::Own),
        NetError::Busy => Failure::Own(OwnTrouble::Setup("too many names are looked up at once".to_owned())),
        // Whatever else: there was no answer.
        _ => failed(DnsFailure::TimedOut),
    })
}

/// IPv6 and IPv4 by turns, IPv6 first, as RFC 8305 section 4 wants it.
pub(super) fn alternate(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let (six, four): (Vec<IpAddr>, Vec<IpAddr>) = found.partition(IpAddr::is_ipv6);
    let mut ordered = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        match (six.next(), four.next()) {
            (None, None) => break,
            (a, b) => ordered.extend(a.into_iter().chain(b)),
        }
    }
    ordered.truncate(ADDRESSES_MAX);
    ordered
}
