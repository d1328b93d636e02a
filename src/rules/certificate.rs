//! When people hear of a certificate that ends: once at each limit that it comes below, and not with every check.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::expect::CertificateDays;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::result::Certificate;
use crate::model::result::Failure;
use crate::model::time::UnixMillis;

/// The word for the cause, also when another node told it.
pub const CODE: &str = "certificate_ends";

/// Names of a certificate that stand in a sentence; of more only their number is said.
const NAMES_SAID: usize = 3;

const DAY_MS: i64 = 86_400_000;

/// The limits that apply to a monitor, written or not.
#[must_use]
pub fn days(monitor: &Monitor) -> Cow<'_, CertificateDays> {
    monitor.expect.certificate.as_ref().map_or_else(|| Cow::Owned(CertificateDays::default()), Cow::Borrowed)
}

/// Whoever switched verification off does not want to hear of dates either, unless they wrote so.
#[must_use]
pub fn dates_matter(monitor: &Monitor) -> bool {
    let verifies = match &monitor.probe {
        ProbeSpec::Http(http) => http.tls.verify,
        ProbeSpec::Tcp(_) | ProbeSpec::Heartbeat(_) => false,
    };
    verifies || monitor.expect.certificate.is_some()
}

/// What is left, in milliseconds; negative when it is over.
#[must_use]
pub fn left_ms(not_after: UnixMillis, at: UnixMillis) -> i64 {
    not_after.0.saturating_sub(at.0)
}

/// Whom a certificate is for, in a few words.
#[must_use]
pub fn whose(certificate: &Certificate) -> String {
    let names = &certificate.names;
    let said = names.iter().take(NAMES_SAID).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMES_SAID) {
        _ if names.is_empty() => certificate.subject.clone(),
        None | Some(0) => said,
        Some(n_more) => format!("{said} and {n_more} more"),
    }
}

/// That it ends, as a reason.
#[must_use]
pub fn ends(not_after: UnixMillis, names: String, at: UnixMillis) -> Failure {
    Failure::CertificateEnds { days_left: left_ms(not_after, at).div_euclid(DAY_MS), not_after, names }
}

/// The lowest limit that a certificate has come below at that time; `None`: it has long enough.
#[must_use]
pub fn below(days: &CertificateDays, not_after: UnixMillis, at: UnixMillis) -> Option<Duration> {
    let left = left_ms(not_after, at);
    let limits = days.degraded.iter().chain(&days.warn);
    limits.filter(|limit| left < i64::try_from(limit.as_millis()).unwrap_or(i64::MAX)).min().copied()
}

/// Why an incident about a certificate is over. `before` is what the incident was about, `now` the end of the one that was seen last.
#[must_use]
pub fn renewed(before: &Failure, now: Option<UnixMillis>) -> String {
    let ended = if let Failure::CertificateEnds { not_after, .. } = before { Some(*not_after) } else { None };
    match (now, ended) {
        (None, _) => "its certificate does not end soon any more".to_owned(),
        (Some(end), Some(ended)) if end <= ended => format!("its certificate, until {}, is good enough now", end.rfc3339()),
        (Some(end), _) => format!("its certificate was renewed and ends on {}", end.rfc3339()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn the_lowest_limit_that_was_crossed_is_the_one_that_counts() {
        let end = UnixMillis(1_800_000_000_000);
        let days = CertificateDays::default();
        for (left, expected) in [
            (DAY * 15, None),
            (DAY * 14, None),
            (DAY * 14 - Duration::from_millis(1), Some(DAY * 14)),
            (DAY * 7, Some(DAY * 14)),
            (DAY * 6, Some(DAY * 7)),
            (DAY * 2, Some(DAY * 3)),
            (DAY / 2, Some(DAY)),
        ] {
            assert_eq!(below(&days, end, end.minus(left)), expected, "{left:?}");
        }
        assert_eq!(below(&days, end, end + DAY), Some(DAY), "when it is over");
        let off = CertificateDays { degraded: None, down: None, warn: Vec::new() };
        assert_eq!(below(&off, end, end), None);
    }

    #[test]
    fn it_says_whom_it_is_for_and_when_it_ends() {
        let certificate = |names: &[&str]| Certificate {
            subject: "The Leaf".to_owned(),
            issuer: "CA".to_owned(),
            not_before: UnixMillis(0),
            not_after: UnixMillis(0),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        for (names, expected) in [
            (&[][..], "The Leaf"),
            (&["a.example"][..], "a.example"),
            (&["a", "b", "c"][..], "a, b, c"),
            (&["a", "b", "c", "d", "e"][..], "a, b, c and 2 more"),
        ] {
            assert_eq!(whose(&certificate(names)), expected);
        }
        let end = UnixMillis(1_782_814_980_000);
        let said = |left: Duration| ends(end, "a.example".to_owned(), end.minus(left)).to_string();
        assert_eq!(said(DAY * 7 - DAY / 9), "the certificate for a.example ends in 6 days (2026-06-30T10:23:00Z)");
        assert_eq!(said(DAY / 2), "the certificate for a.example ends within a day (2026-06-30T10:23:00Z)");
        assert_eq!(ends(end, String::new(), end.minus(DAY)).to_string(), "the certificate ends in 1 day (2026-06-30T10:23:00Z)");
    }

    #[test]
    fn a_renewal_is_called_so_only_when_it_is_one() {
        let end = UnixMillis(1_782_814_980_000);
        let before = ends(end, String::new(), end);
        assert_eq!(renewed(&before, Some(end + DAY * 90)), "its certificate was renewed and ends on 2026-09-28T10:23:00Z");
        assert_eq!(renewed(&before, Some(end)), "its certificate, until 2026-06-30T10:23:00Z, is good enough now");
        assert_eq!(renewed(&before, None), "its certificate does not end soon any more");
    }
}
