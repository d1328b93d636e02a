//! Observation × expectation → outcome. The only place that says what a check means.
//!
//! Order: trouble that kept an answer from coming, then what is wrong with the answer, then what is merely not as good as
//! wanted. The first failure found is the reason that people are told.

mod body;
mod json;

use std::time::Duration;

use crate::model::expect::Expectation;
use crate::model::expect::HeaderExpect;
use crate::model::expect::HeaderTest;
use crate::model::expect::StatusRange;
use crate::model::monitor::Monitor;
use crate::model::result::Certificate;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::HttpSeen;
use crate::model::result::Observation;
use crate::model::result::Outcome;
use crate::model::result::OwnTrouble;
use crate::model::result::Seen;
use crate::model::time::UnixMillis;
use crate::rules::certificate;

/// Judges what a check that began at `at` saw.
#[must_use]
pub fn judge(monitor: &Monitor, observation: Observation, at: UnixMillis) -> CheckResult {
    let (outcome, failure) = verdict_of(monitor, &observation, at);
    let status = match &observation.seen {
        Ok(Seen::Http(seen)) => Some(seen.status),
        Ok(Seen::Tcp(_)) | Err(_) => None,
    };
    let mut transcript = observation.transcript;
    if let Some(failure) = &failure {
        transcript.say(&format!("= {}: {failure}", outcome.word()));
    }
    CheckResult {
        monitor: monitor.id.clone(),
        at,
        outcome,
        failure,
        timings: observation.timings,
        status,
        remote: observation.remote,
        certificate_not_after: observation.certificate.map(|certificate| certificate.not_after),
        transcript,
    }
}

fn verdict_of(monitor: &Monitor, seen: &Observation, at: UnixMillis) -> (Outcome, Option<Failure>) {
    let answer = match &seen.seen {
        Err(own @ Failure::Own(_)) => return (Outcome::Unknown, Some(own.clone())),
        Err(failure) => return (Outcome::Down, Some(failure.clone())),
        Ok(answer) => answer,
    };
    if let Seen::Http(http) = answer
        && let Err(failure) = content(&monitor.expect, http)
    {
        return (Outcome::Down, Some(failure));
    }
    let days = certificate::days(monitor);
    let certificate = seen.certificate.as_ref().filter(|_| certificate::dates_matter(monitor));
    let took = seen.timings.total;
    let down = too_slow(took, monitor.expect.response_time.down).or_else(|| ends_within(certificate, days.down, at));
    if down.is_some() {
        return (Outcome::Down, down);
    }
    let degraded = too_slow(took, monitor.expect.response_time.degraded)
        .or_else(|| ends_within(certificate, days.degraded, at))
        .or_else(|| partly(seen));
    match degraded {
        Some(failure) => (Outcome::Degraded, Some(failure)),
        None => (Outcome::Up, None),
    }
}

fn too_slow(took: Duration, limit: Option<Duration>) -> Option<Failure> {
    limit.filter(|limit| took > *limit).map(|limit| Failure::Slow { took, limit })
}

fn ends_within(certificate: Option<&Certificate>, limit: Option<Duration>, at: UnixMillis) -> Option<Failure> {
    let certificate = certificate?;
    let left_ms = certificate::left_ms(certificate.not_after, at);
    let limit_ms = i64::try_from(limit?.as_millis()).unwrap_or(i64::MAX);
    (left_ms < limit_ms).then(|| certificate::ends(certificate.not_after, certificate::whose(certificate), at))
}

fn partly(seen: &Observation) -> Option<Failure> {
    let (_, first) = seen.failed_addresses.first()?;
    if let Failure::Own(OwnTrouble::NoFamily) = first {
        return None;
    }
    let each: Vec<String> = seen.failed_addresses.iter().take(4).map(|(address, failure)| format!("{address}: {failure}")).collect();
    Some(Failure::Partly { detail: format!("some addresses fail: {}", each.join("; ")) })
}

/// Status, headers, body and JSON, in the order in which a reader of a response meets them.
fn content(expect: &Expectation, seen: &HttpSeen) -> Result<(), Failure> {
    // Alternatives that speak of the status take the place of the default.
    let is_in_any = expect.status.is_empty() && expect.any.iter().any(|one| !one.status.is_empty());
    if !is_in_any {
        status(&expect.status, seen.status)?;
    }
    for header in &expect.headers {
        self::header(header, seen)?;
    }
    body::judge(expect, seen)?;
    json::judge(&expect.json, seen)?;
    if expect.any.is_empty() {
        return Ok(());
    }
    let mut reasons = Vec::new();
    for one in &expect.any {
        match alternative(one, seen) {
            Ok(()) => return Ok(()),
            Err(failure) => reasons.push(failure.to_string()),
        }
    }
    Err(Failure::Body { detail: format!("none of the alternatives holds: {}", reasons.join("; ")) })
}

/// Inside `any`, a missing status expects nothing: the outer one has already been judged.
fn alternative(expect: &Expectation, seen: &HttpSeen) -> Result<(), Failure> {
    if expect.status.is_empty() {
        let outer = Expectation { status: vec![StatusRange(100..=599)], ..expect.clone() };
        return content(&outer, seen);
    }
    content(expect, seen)
}

fn status(expected: &[StatusRange], got: u16) -> Result<(), Failure> {
    let fits = if expected.is_empty() { (200..300).contains(&got) } else { expected.iter().any(|range| range.0.contains(&got)) };
    if fits {
        return Ok(());
    }
    let expected =
        if expected.is_empty() { "2xx".to_owned() } else { expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ") };
    Err(Failure::Status { got, expected })
}

fn header(expect: &HeaderExpect, seen: &HttpSeen) -> Result<(), Failure> {
    let values: Vec<&[u8]> = seen.headers.iter().filter(|(name, _)| *name == expect.name).map(|(_, value)| value.as_slice()).collect();
    let name = &expect.name;
    let fits = match &expect.is {
        HeaderTest::Exists(wanted) => values.is_empty() != *wanted,
        HeaderTest::Equals(text) => values.contains(&text.as_bytes()),
        HeaderTest::Contains(text) => {
            let text = text.to_ascii_lowercase();
            values.iter().any(|value| String::from_utf8_lossy(value).to_ascii_lowercase().contains(&text))
        }
        HeaderTest::Matches(pattern) => values.iter().any(|value| pattern.0.is_match(value)),
    };
    if fits {
        return Ok(());
    }
    let wanted = match &expect.is {
        HeaderTest::Exists(true) => return Err(Failure::Header { detail: format!("the header `{name}` is missing") }),
        HeaderTest::Exists(false) => return Err(Failure::Header { detail: format!("the header `{name}` is there and should not be") }),
        HeaderTest::Equals(text) => format!("equal `{text}`"),
        HeaderTest::Contains(text) => format!("contain `{text}`"),
        HeaderTest::Matches(pattern) => format!("match `{}`", pattern.0),
    };
    let detail = match values.first() {
        None => format!("the header `{name}` is missing; it should {wanted}"),
        Some(value) => format!("the header `{name}` is `{}` and should {wanted}", body::excerpt(value)),
    };
    Err(Failure::Header { detail })
}

#[cfg(test)]
mod tests;
