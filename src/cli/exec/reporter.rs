//! Sends pings: one request each, tried again when that can help. Never decides about the command.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::header::CONTENT_TYPE;
use http::header::LOCATION;
use http::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::cli::exec::address;
use crate::cli::exec::address::Address;
use crate::clock::Clock;
use crate::http::heartbeat::receiver::RUN_TOOK;
use crate::model::time::spoken;
use crate::notifier::backoff;
use crate::notifier::dns::Lookup;
use crate::notifier::dns::LookupError;
use crate::notifier::sink::tls;
use crate::notifier::system_chance;

/// Bound of the first wait between two tries; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// Longest wait between two tries, whoever asks for it: a job that has ended stands still meanwhile, and so does what comes after it.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Says how much of a body the receiver keeps.
const BODY_LIMIT: &str = "ping-body-limit";

/// Whom pings are sent to, and how hard that is tried.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    pub(super) client: reqwest::Client,
    pub(super) address: Address,
    /// What tells this run from others.
    pub(super) run: Option<String>,
    /// How often a ping is tried again.
    pub(super) n_retries: u32,
}

/// One ping.
#[derive(Debug)]
pub(super) struct Report {
    /// What it says: `start`, `fail` or an exit code.
    pub(super) word: String,
    pub(super) body: Vec<u8>,
    /// How long the run took, at its end.
    pub(super) took: Option<Duration>,
}

/// A try that did not work.
struct Failure {
    why: String,
    then: Then,
}

/// What can be done about it.
enum Then {
    /// The answer would be the same again.
    GiveUp,
    /// Again at once, without the body, which is what is refused.
    WithoutBody,
    /// Again, when the other side said so or in a while.
    Again(Option<Duration>),
}

/// A client whose requests take at most `timeout`. Blocks for some milliseconds.
///
/// # Errors
/// One sentence; a broken installation.
pub(super) fn client(timeout: Duration) -> Result<reqwest::Client, String> {
    let settings = tls().map_err(|error| error.to_string())?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(settings)
        // A redirect would lose the body, and perhaps take the secret to another host.
        .redirect(Policy::none())
        .dns_resolver(Lookup)
        .referer(false)
        // Between two pings lies a job of hours; a connection that was kept would only be found dead.
        .pool_max_idle_per_host(0)
        .timeout(timeout)
        .user_agent(crate::app::user_agent("exec"))
        .build()
        .map_err(|error| why(error, timeout))
}

impl Reporter {
    /// Sends a ping; returns how much of a body the receiver says that it keeps. Once `hurry` is cancelled a try that is under way is
    /// finished, and no other made.
    ///
    /// # Errors
    /// Why it did not arrive, in a few words without the address.
    pub(super) async fn send(&self, mut report: Report, timeout: Duration, hurry: &CancellationToken) -> Result<Option<usize>, String> {
        let url = self.address.saying(&report.word, self.run.as_deref());
        let mut n_failed = 0;
        loop {
            let failure = match self.attempt(&url, &report, timeout).await {
                Ok(limit) => return Ok(limit),
                Err(failure) => failure,
            };
            let asked_for = match failure.then {
                Then::GiveUp => return Err(failure.why),
                Then::WithoutBody => {
                    report.body.clear();
                    continue;
                }
                Then::Again(asked_for) => asked_for,
            };
            n_failed += 1;
            if self.n_retries < n_failed {
                return Err(tried(&failure.why, n_failed));
            }
            tokio::select! {
                () = tokio::time::sleep(wait(n_failed, asked_for, system_chance())) => {}
                () = hurry.cancelled() => return Err(tried(&failure.why, n_failed)),
            }
        }
    }

    async fn attempt(&self, url: &Url, report: &Report, timeout: Duration) -> Result<Option<usize>, Failure> {
        // Said also when it is 0, which some servers insist on.
        let length = report.body.len().to_string();
        let request = self.client.post(url.clone()).header(CONTENT_TYPE, "text/plain").header(CONTENT_LENGTH, length);
        let mut request = request.body(report.body.clone());
        if let Some(took) = report.took {
            request = request.header(RUN_TOOK, took.as_millis().to_string());
        }
        let response = request.send().await.map_err(|error| Failure { why: why(error, timeout), then: Then::Again(None) })?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        if response.status().is_success() {
            return Ok(header(BODY_LIMIT).and_then(|limit| limit.trim().parse().ok()));
        }
        let asked_for = header(RETRY_AFTER.as_str()).and_then(|text| backoff::retry_after(text, Clock::system().now().wall));
        let then = match response.status().as_u16() {
            408 | 429 | 500 | 502 | 503 | 504 => Then::Again(asked_for),
            413 if !report.body.is_empty() => Then::WithoutBody,
            _ => Then::GiveUp,
        };
        let location = header(LOCATION.as_str()).and_then(|place| url.join(place).ok());
        Err(Failure { why: refusal(response.status(), location.as_ref()), then })
    }
}

/// What an answer that is not a yes means for whoever set this up.
fn refusal(status: StatusCode, location: Option<&Url>) -> String {
    let code = status.as_u16();
    match (code, location) {
        (404, _) => "the answer is 404: there is no such monitor; is the address the whole and the right one?".to_owned(),
        (409, _) => "the answer is 409: the name stands for several monitors; use the address of one".to_owned(),
        (300..400, Some(place)) => {
            format!("the answer is {code}: it is elsewhere; use an address that begins with {}", address::shown(place))
        }
        _ => format!("the answer is {code}"),
    }
}

fn tried(why: &str, n_tries: u32) -> String {
    if n_tries == 1 { why.to_owned() } else { format!("{why} (tried {n_tries} times)") }
}

/// How long to wait before the next try. Half of it is chance, so that all jobs of the full hour do not come back in the same second.
fn wait(n_failed: u32, asked_for: Option<Duration>, chance: f64) -> Duration {
    let doublings = n_failed.saturating_sub(1).min(16);
    let bound = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_MAX);
    let own = bound / 2 + (bound / 2).mul_f64(chance.clamp(0.0, 1.0));
    asked_for.map_or(own, |wait| wait.min(WAIT_MAX))
}

/// Why no answer came: the innermost cause is what helps, and the address is a secret.
fn why(error: reqwest::Error, timeout: Duration) -> String {
    let error = error.without_url();
    if error.is_timeout() {
        return format!("no answer within {}", spoken(timeout));
    }
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let cause = match (innermost.downcast_ref::<std::io::Error>(), innermost.downcast_ref::<LookupError>()) {
        (Some(error), _) => crate::app::surroundings::plain(error),
        (None, Some(LookupError::Forbidden)) => "the host name leads to an address that no monitor can have".to_owned(),
        (None, _) => innermost.to_string(),
    };
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    format!("{what}: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_what_is_asked_for_has_a_limit() {
        let bounds: Vec<u64> = (1..=7).map(|n| wait(n, None, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(wait(u32::MAX, None, 0.0), WAIT_MAX / 2);
        assert_eq!(wait(1, None, 0.0), Duration::from_millis(500));
        assert_eq!(wait(1, Some(Duration::from_secs(7)), 0.0), Duration::from_secs(7));
        assert_eq!(wait(1, Some(Duration::from_secs(3600)), 0.0), WAIT_MAX);
    }
}
