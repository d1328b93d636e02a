//! When `self.heartbeat_url` is called: only while everything moves that an alert depends on. Whoever listens there raises the alarm
//! when the calls cease, which is the one alarm that vigilmon cannot raise itself.
//!
//! The call is left out and nothing else is sent: what the receiver makes of other addresses is its own business.

use std::fmt;
use std::time::Duration;

use crate::model::time::Mono;
use crate::model::time::spoken;

/// Calls come this often; half of the shortest period that such services commonly offer would be less, and so short nobody waits.
pub const CALL_EVERY: Duration = Duration::from_secs(60);

/// While something stands still it is looked at this often, so that the calls go on soon after it moves again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The loop of checks turns twice a second. One that stood still for so long does not recover by itself.
const LOOP_STANDS_MAX: Duration = Duration::from_secs(30);

/// A message that has waited for longer than this did not arrive, whatever the reason.
const OWED_MAX: Duration = Duration::from_secs(600);

/// How the parts move at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// How long ago the loop of checks was last seen to turn.
    pub loop_stands: Duration,
    /// What became of a small write that was to be durable.
    pub write: Result<(), String>,
    /// How long the oldest message waits that a configured channel is owed; `None`: nothing is owed.
    pub owed: Result<Option<Duration>, String>,
}

/// A part that does not move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stuck {
    /// No checks are made.
    Loop(Duration),
    /// The database takes no writes.
    Database(String),
    /// A message does not get out.
    Outbox(Duration),
    /// What is owed cannot be read.
    Unread(String),
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stuck::Loop(stands) => write!(f, "the loop of checks has not turned for {}", spoken(*stands)),
            Stuck::Database(why) => write!(f, "the database takes no writes ({why})"),
            Stuck::Outbox(waits) => write!(f, "a message has been waiting for {}", spoken(*waits)),
            Stuck::Unread(why) => write!(f, "the outbox cannot be read ({why})"),
        }
    }
}

/// Which parts do not move.
#[must_use]
pub fn stuck(parts: &Parts) -> Vec<Stuck> {
    let Parts { loop_stands, write, owed } = parts;
    let checks = (LOOP_STANDS_MAX < *loop_stands).then_some(Stuck::Loop(*loop_stands));
    let database = write.as_ref().err().map(|why| Stuck::Database(why.clone()));
    let outbox = match owed {
        Ok(waits) => waits.filter(|waits| OWED_MAX < *waits).map(Stuck::Outbox),
        Err(why) => Some(Stuck::Unread(why.clone())),
    };
    [checks, database, outbox].into_iter().flatten().collect()
}

/// When the next call is due, and whether the last ones were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignOfLife {
    next: Option<Mono>,
    is_withheld: bool,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Call.
    Call {
        /// The last calls were left out.
        goes_on: bool,
    },
    /// Do not call.
    Withhold {
        /// It is the first one that is left out; the others need not be mentioned.
        is_news: bool,
    },
}

impl SignOfLife {
    /// Whether it is time to look at the parts.
    #[must_use]
    pub fn is_due(&self, now: Mono) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// Another address is to be called: at once, and whatever is wrong is said again.
    pub fn begin_anew(&mut self) {
        *self = SignOfLife::default();
    }

    /// Decides, when it is due.
    pub fn step(&mut self, stuck: &[Stuck], now: Mono) -> Step {
        let was_withheld = self.is_withheld;
        self.is_withheld = !stuck.is_empty();
        if self.is_withheld {
            self.next = Some(now + LOOK_AGAIN);
            Step::Withhold { is_news: !was_withheld }
        } else {
            self.next = Some(now + CALL_EVERY);
            Step::Call { goes_on: was_withheld }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Parts = Parts { loop_stands: Duration::from_millis(400), write: Ok(()), owed: Ok(None) };

    fn said(parts: &Parts) -> String {
        stuck(parts).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_part_that_stands_still_is_named_and_the_limits_are_exact() {
        let seconds = Duration::from_secs;
        for (parts, expected) in [
            (FINE, ""),
            (Parts { loop_stands: seconds(30), ..FINE }, ""),
            (Parts { loop_stands: seconds(31), ..FINE }, "the loop of checks has not turned for 31 s"),
            (Parts { write: Err("the disk is full".to_owned()), ..FINE }, "the database takes no writes (the disk is full)"),
            (Parts { owed: Ok(Some(seconds(600))), ..FINE }, ""),
            (Parts { owed: Ok(Some(seconds(660))), ..FINE }, "a message has been waiting for 11 min"),
            (Parts { owed: Err("no answer".to_owned()), ..FINE }, "the outbox cannot be read (no answer)"),
            (
                Parts { loop_stands: seconds(60), write: Err("x".to_owned()), owed: Ok(Some(seconds(1200))) },
                "the loop of checks has not turned for 1 min; the database takes no writes (x); a message has been waiting for 20 min",
            ),
        ] {
            assert_eq!(said(&parts), expected);
        }
    }

    /// Looks every second at whether something stands still, and prints what is done.
    #[track_caller]
    fn assert_story(stands_still: impl Fn(u64) -> bool, seconds: u64, expected: &[&str]) {
        let (mut sign, mut told) = (SignOfLife::default(), Vec::new());
        for second in 0..=seconds {
            let now = Mono(second * 1_000_000);
            if sign.is_due(now) {
                let parts = if stands_still(second) { vec![Stuck::Database("x".to_owned())] } else { Vec::new() };
                match sign.step(&parts, now) {
                    Step::Call { goes_on } => told.push(format!("{second}: call{}", if goes_on { ", again" } else { "" })),
                    Step::Withhold { is_news: true } => told.push(format!("{second}: withheld")),
                    Step::Withhold { is_news: false } => {}
                }
            }
        }
        assert_eq!(told, expected);
    }

    #[test]
    fn it_is_called_once_a_minute_and_ceases_and_goes_on_with_the_parts() {
        assert_story(|_| false, 180, &["0: call", "60: call", "120: call", "180: call"]);
        assert_story(|second| (50..95).contains(&second), 200, &["0: call", "60: withheld", "100: call, again", "160: call"]);
        assert_story(|_| true, 600, &["0: withheld"]);
    }
}
