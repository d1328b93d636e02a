//! When to try again, and when to stop trying. Pure: time and chance are arguments.

use std::time::Duration;
use std::time::UNIX_EPOCH;

use crate::model::time::UnixMillis;
use crate::notifier::error::SendError;

/// Bound of the first wait.
pub const WAIT_FIRST: Duration = Duration::from_secs(5);

/// Bound that waits grow to: a channel that comes back after a long time is noticed within a quarter of an hour.
pub const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// No wait is shorter, whatever chance or the other side says: anything less is a hot loop.
pub const WAIT_MIN: Duration = Duration::from_secs(1);

/// Longest wait that is granted to a channel that asks for one. A longer one would be a way to switch alerts off.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// How long a message is kept trying: long enough for a night and a working day of somebody else's outage.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// Waits between the tries of a message that is refused for good. A refusal can be a slip of the other side (a deployment, a
/// rotated credential), so one is not enough; more than three are a nuisance.
pub const WAITS_WHEN_REFUSED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

/// Longest rest of a whole channel after failures. Short, because it delays messages that were never tried.
pub const REST_MAX: Duration = Duration::from_secs(60);

/// What is known about a message when an attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// When the message was decided.
    pub owed_since: UnixMillis,
    /// Attempts that were made, the one that just failed included; at least 1.
    pub n_attempts: u32,
    /// How many of them were refused for good.
    pub n_refused: usize,
}

/// What to do with a message whose attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    RetryAt(UnixMillis),
    /// Give it up.
    GiveUp,
}

/// Decides what becomes of a message after `error`. `chance` is from 0 (inclusive) to 1.
#[must_use]
pub fn after_failure(error: &SendError, history: History, now: UnixMillis, chance: f64) -> Next {
    let wait = match error {
        SendError::Permanent(_) => match WAITS_WHEN_REFUSED.get(history.n_refused.saturating_sub(1)) {
            Some(wait) => return Next::RetryAt(now + *wait),
            None => return Next::GiveUp,
        },
        SendError::Transient(_) => jittered(history.n_attempts, WAIT_MAX, chance),
        SendError::Later(wait, _) => (*wait).clamp(WAIT_MIN, RETRY_AFTER_MAX),
    };
    if now.since(history.owed_since) >= KEPT_FOR { Next::GiveUp } else { Next::RetryAt(now + wait) }
}

/// Exponential back-off with full jitter: anything from [`WAIT_MIN`] to a bound that doubles with each failure. Without jitter all
/// messages of a broken channel, and all instances that use it, would come back in the same second.
#[must_use]
pub fn jittered(n_failures: u32, max: Duration, chance: f64) -> Duration {
    let doublings = n_failures.saturating_sub(1).min(16);
    let bound = WAIT_FIRST.saturating_mul(1 << doublings).min(max);
    WAIT_MIN + (bound - WAIT_MIN).mul_f64(chance.clamp(0.0, 1.0))
}

/// Reads a `Retry-After` header: seconds (also with a fraction or a sign, as some send them) or an HTTP date. The result lies
/// between [`WAIT_MIN`] and [`RETRY_AFTER_MAX`]; `None` when it is neither.
#[must_use]
pub fn retry_after(header: &str, now: UnixMillis) -> Option<Duration> {
    let text = header.trim();
    let seconds = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_nan() => return None,
        Ok(seconds) => seconds,
        Err(_) => {
            let then = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
            let then = UnixMillis(i64::try_from(then.as_millis()).ok()?);
            then.since(now).as_secs_f64()
        }
    };
    Some(Duration::from_secs_f64(seconds.clamp(WAIT_MIN.as_secs_f64(), RETRY_AFTER_MAX.as_secs_f64())))
}

/// Rest of a whole channel. When it is down, trying each of five hundred messages in turn would take an hour of timeouts and help
/// nobody; so after a failure the channel rests, longer each time, and one accepted message ends the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rest {
    n_failures: u32,
    until: Option<UnixMillis>,
}

impl Rest {
    /// Takes note of an attempt.
    pub fn note(&mut self, outcome: Result<(), &SendError>, now: UnixMillis, chance: f64) {
        match outcome {
            Ok(()) => *self = Rest::default(),
            // A refusal is about the message as often as about the channel, and it is an answer: no reason to rest.
            Err(SendError::Permanent(_)) => {}
            Err(SendError::Transient(_)) => {
                self.n_failures = self.n_failures.saturating_add(1);
                self.until = Some(now + jittered(self.n_failures, REST_MAX, chance));
            }
            Err(SendError::Later(wait, _)) => self.until = Some(now + (*wait).clamp(WAIT_MIN, RETRY_AFTER_MAX)),
        }
    }

    /// Until when nothing is to be sent; `None` when the channel is not resting.
    #[must_use]
    pub fn until(&self, now: UnixMillis) -> Option<UnixMillis> {
        // A wall clock that was set back must not turn a minute into a day.
        self.until.filter(|until| now < *until && until.since(now) <= RETRY_AFTER_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_782_814_980_000);

    fn transient() -> SendError {
        SendError::Transient("answered 503".to_owned())
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let bounds: Vec<u64> = (1..=10).map(|n| jittered(n, WAIT_MAX, 1.0).as_secs()).collect();
        assert_eq!(bounds, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(jittered(u32::MAX, WAIT_MAX, 1.0), WAIT_MAX);
        assert_eq!(jittered(7, WAIT_MAX, 0.0), WAIT_MIN);
        assert_eq!(jittered(1, WAIT_MAX, 0.5), Duration::from_secs(3));
    }

    #[test]
    fn retry_after_is_read_in_every_form_and_clamped() {
        for (header, expected) in [
            ("7", Some(7_000)),
            ("0", Some(1_000)),
            ("-1", Some(1_000)),
            (" 30 ", Some(30_000)),
            ("1.5", Some(1_500)),
            ("315360000", Some(3_600_000)),
            ("inf", Some(3_600_000)),
            ("Tue, 30 Jun 2026 10:24:00 GMT", Some(60_000)),
            ("Tue, 30 Jun 2026 10:22:00 GMT", Some(1_000)),
            ("Mon, 30 Jun 2036 10:23:00 GMT", Some(3_600_000)),
            ("", None),
            ("soon", None),
            ("nan", None),
        ] {
            assert_eq!(retry_after(header, NOW), expected.map(Duration::from_millis), "{header}");
        }
    }

    #[test]
    fn refusals_are_tried_three_times_however_often_it_failed_before() {
        let refused = SendError::Permanent("answered 401".to_owned());
        let after = |n_refused| after_failure(&refused, History { owed_since: NOW, n_attempts: 50, n_refused }, NOW, 0.5);
        assert_eq!(after(1), Next::RetryAt(NOW + Duration::from_secs(60)));
        assert_eq!(after(2), Next::RetryAt(NOW + Duration::from_secs(600)));
        assert_eq!(after(3), Next::GiveUp);
    }

    #[test]
    fn transient_failures_are_given_up_after_a_day_and_not_before() {
        let after = |age| after_failure(&transient(), History { owed_since: NOW, n_attempts: 1, n_refused: 0 }, NOW + age, 1.0);
        let almost = KEPT_FOR - Duration::from_millis(1);
        assert_eq!(after(almost), Next::RetryAt(NOW + almost + WAIT_FIRST));
        assert_eq!(after(KEPT_FOR), Next::GiveUp);
    }

    #[test]
    fn a_channel_rests_after_failures_and_an_accepted_message_ends_it() {
        let mut rest = Rest::default();
        assert_eq!(rest.until(NOW), None);
        for expected in [5, 10, 20, 40, 60, 60] {
            rest.note(Err(&transient()), NOW, 1.0);
            assert_eq!(rest.until(NOW), Some(NOW + Duration::from_secs(expected)));
        }
        rest.note(Err(&SendError::Later(Duration::from_secs(90), String::new())), NOW, 1.0);
        assert_eq!(rest.until(NOW), Some(NOW + Duration::from_secs(90)));
        assert_eq!(rest.until(NOW + Duration::from_secs(90)), None);
        assert_eq!(rest.until(NOW.minus(Duration::from_secs(86_400))), None, "the clock was set back");
        rest.note(Ok(()), NOW, 1.0);
        assert_eq!(rest.until(NOW), None);
    }
}
