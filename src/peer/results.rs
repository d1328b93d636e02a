//! What a node measured of a monitor, in the form in which it answers the question `results`. Pure.
//!
//! Results are not replicated: each node keeps its own, and pages ask for them when somebody looks. What comes back was written by
//! another machine, so that everything in it is bounded and cleaned here, before anybody sees it. Times are those of the asked node's
//! clock; the answer says what that clock showed, and they are moved by the difference.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Recent;
use crate::model::id::is_deceptive;
use crate::model::incident::Lane;
use crate::model::peer::CAUSE_CHARS_MAX;
use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::result::TRANSCRIPT_LINE_CHARS_MAX;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;

/// How far back sums go: as far as the chart of a monitor's page.
pub const SUMS_SPAN: Duration = Duration::from_secs(86_400);

/// Longest answer that is read: all of the parts below at their greatest, in letters of four bytes, come to about 60 KiB.
const ANSWER_BYTES_MAX: usize = 128 * 1024;

/// Newest results, small: as many as a sparkline shows.
const RECENT_MAX: usize = 60;

/// Sums of five minutes: those of a day, and the two that are cut by its ends.
const SUMS_MAX: usize = 290;

/// Single results that are looked through for one that failed. The last one before an end is among the newest: the end is the first
/// good check.
pub const SEARCHED_MAX: usize = 200;

/// Lines of the newest check, of those it has when it failed: one hop with all its phases and headers.
const LINES_MAX: usize = 40;

/// No check takes longer; more would be a mistake or a joke, and would flatten every chart it is drawn in.
const TOOK_MAX: Duration = Duration::from_secs(3600);

/// An incident that is over, as far as one asks what was measured in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Then {
    /// Its first bad check.
    pub from: UnixMillis,
    /// The first good one.
    pub to: UnixMillis,
    /// What kind.
    pub lane: Lane,
}

/// What a node measured of a monitor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// The newest result; `None` before the first check.
    pub newest: Option<Newest>,
    /// The newest results, small, oldest first.
    pub recent: Vec<Recent>,
    /// Response times of the last day, oldest first.
    pub sums: Vec<Sum>,
}

/// A result, as far as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// When the check began.
    pub at: UnixMillis,
    /// What it said.
    pub outcome: Outcome,
    /// Why it is not up, in one sentence.
    pub failure: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// The address that was talked to.
    pub remote: Option<IpAddr>,
    /// How long each phase took.
    pub timings: Timings,
    /// What happened; empty when it is up.
    pub transcript: Transcript,
}

/// Response times of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// When it begins.
    pub start: UnixMillis,
    /// Median; `None` when no check got an answer.
    pub p50: Option<Duration>,
    /// 95th percentile.
    pub p95: Option<Duration>,
}

impl Results {
    /// What this node measured itself.
    #[must_use]
    pub fn of(view: &MonitorView, rollups: &[Rollup]) -> Results {
        Results {
            newest: view.last.as_ref().map(|last| newest(last)),
            recent: view.recent.iter().copied().collect(),
            sums: rollups.iter().map(sum).collect(),
        }
    }

    /// The newest of these results, the newest first, that is what an incident of this lane is about: an outage may have ended in slowness.
    #[must_use]
    pub fn failed(found: &[CheckResult], lane: Lane) -> Results {
        let is_meant = |outcome| match lane {
            Lane::Outage => outcome == Outcome::Down,
            Lane::Degradation => outcome == Outcome::Degraded,
            Lane::Regional => matches!(outcome, Outcome::Down | Outcome::Degraded),
        };
        let failed = found.iter().find(|result| is_meant(result.outcome));
        Results { newest: failed.map(newest), ..Results::default() }
    }

    /// The answer, written when this node's clock showed `now`.
    #[must_use]
    pub fn encode(&self, now: UnixMillis) -> Bytes {
        let wire = Wire {
            now: now.0,
            newest: self.newest.as_ref().map(NewestWire::of),
            recent: last(&self.recent, RECENT_MAX).iter().map(|r| (r.at.0, r.outcome.word().to_owned(), micros(r.took))).collect(),
            sums: last(&self.sums, SUMS_MAX).iter().map(|sum| (sum.start.0, sum.p50.map(micros), sum.p95.map(micros))).collect(),
        };
        // Texts, numbers and lists only: this cannot fail.
        Bytes::from(serde_json::to_vec(&wire).unwrap_or_default())
    }

    /// Reads an answer that came when this node's clock showed `now`.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn decode(answer: &[u8], now: UnixMillis) -> Result<Results, String> {
        if ANSWER_BYTES_MAX < answer.len() {
            return Err("its answer is too long".to_owned());
        }
        let wire: Wire = serde_json::from_slice(answer).map_err(|_| "its answer cannot be read".to_owned())?;
        let ahead = now.0.saturating_sub(wire.now);
        // Nothing was measured later than now.
        let moved = |at: i64| UnixMillis(at.saturating_add(ahead)).min(now);
        let mut sums: Vec<Sum> = last(&wire.sums, SUMS_MAX)
            .iter()
            .map(|(start, p50, p95)| Sum { start: moved(*start), p50: p50.map(took), p95: p95.map(took) })
            .collect();
        sums.sort_by_key(|sum| sum.start);
        Ok(Results {
            newest: wire.newest.map(|newest| newest.read(moved)),
            recent: last(&wire.recent, RECENT_MAX)
                .iter()
                .map(|(at, word, us)| Recent { at: moved(*at), outcome: outcome(word), took: took(*us) })
                .collect(),
            sums,
        })
    }
}

fn newest(last: &CheckResult) -> Newest {
    let is_good = last.outcome == Outcome::Up;
    Newest {
        at: last.at,
        outcome: last.outcome,
        failure: last.failure.as_ref().map(ToString::to_string),
        status: last.status,
        remote: last.remote,
        timings: last.timings,
        transcript: if is_good { Transcript::default() } else { last.transcript.clone() },
    }
}

fn sum(rollup: &Rollup) -> Sum {
    let answered = 0 < rollup.n_up + rollup.n_degraded;
    let time = |us: u32| answered.then(|| Duration::from_micros(u64::from(us)));
    Sum { start: rollup.start, p50: time(rollup.p50_us), p95: time(rollup.p95_us) }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    now: i64,
    newest: Option<NewestWire>,
    recent: Vec<(i64, String, u64)>,
    sums: Vec<(i64, Option<u64>, Option<u64>)>,
}

#[derive(Serialize, Deserialize)]
struct NewestWire {
    at: i64,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    total: u64,
    /// In the order of [`Timings::phases`].
    phases: [Option<u64>; 5],
    #[serde(default)]
    lines: Vec<String>,
    #[serde(default)]
    n_dropped: u32,
}

impl NewestWire {
    fn of(newest: &Newest) -> NewestWire {
        let lines = &newest.transcript.lines;
        let n_over = u32::try_from(lines.len().saturating_sub(LINES_MAX)).unwrap_or(u32::MAX);
        NewestWire {
            at: newest.at.0,
            outcome: newest.outcome.word().to_owned(),
            failure: newest.failure.as_deref().map(|text| cut(text, CAUSE_CHARS_MAX)),
            status: newest.status,
            remote: newest.remote.map(|remote| remote.to_string()),
            total: micros(newest.timings.total),
            phases: newest.timings.phases().map(|(_, took)| took.map(micros)),
            lines: lines.iter().take(LINES_MAX).cloned().collect(),
            n_dropped: newest.transcript.n_dropped.saturating_add(n_over),
        }
    }

    fn read(self, moved: impl Fn(i64) -> UnixMillis) -> Newest {
        let [dns, connect, tls, first_byte, transfer] = self.phases.map(|us| us.map(took));
        Newest {
            at: moved(self.at),
            outcome: outcome(&self.outcome),
            failure: self.failure.map(|text| cut(&text, CAUSE_CHARS_MAX)).filter(|text| !text.is_empty()),
            status: self.status,
            remote: self.remote.and_then(|text| text.parse().ok()),
            timings: Timings { dns, connect, tls, first_byte, transfer, total: took(self.total) },
            transcript: Transcript {
                lines: self.lines.iter().take(LINES_MAX).map(|line| cut(line, TRANSCRIPT_LINE_CHARS_MAX)).collect(),
                n_dropped: self.n_dropped,
            },
        }
    }
}

fn last<T>(all: &[T], n: usize) -> &[T] {
    &all[all.len().saturating_sub(n)..]
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn took(us: u64) -> Duration {
    Duration::from_micros(us).min(TOOK_MAX)
}

/// A word of a newer version says nothing that we could show as good or bad.
fn outcome(word: &str) -> Outcome {
    [Outcome::Up, Outcome::Degraded, Outcome::Down].into_iter().find(|known| known.word() == word).unwrap_or(Outcome::Unknown)
}

/// At most so many characters, none of them invisible.
fn cut(text: &str, n_chars: usize) -> String {
    text.chars().filter(|c| !is_deceptive(*c)).take(n_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

    fn results() -> Results {
        let ms = |n| Some(Duration::from_millis(n));
        Results {
            newest: Some(Newest {
                at: NOON.minus(Duration::from_secs(5)),
                outcome: Outcome::Down,
                failure: Some("status 500 instead of 2xx".to_owned()),
                status: Some(500),
                remote: "198.51.100.7".parse().ok(),
                timings: Timings {
                    dns: ms(2),
                    connect: ms(10),
                    first_byte: ms(30),
                    total: Duration::from_millis(42),
                    ..Timings::default()
                },
                transcript: Transcript { lines: vec!["connected".to_owned()], n_dropped: 3 },
            }),
            recent: vec![Recent { at: NOON.minus(Duration::from_secs(5)), outcome: Outcome::Degraded, took: Duration::from_millis(42) }],
            sums: vec![
                Sum { start: NOON.minus(Duration::from_secs(600)), p50: ms(40), p95: ms(90) },
                Sum { start: NOON.minus(Duration::from_secs(300)), p50: None, p95: None },
            ],
        }
    }

    #[test]
    fn what_is_told_comes_back_as_it_was() {
        assert_eq!(Results::decode(&results().encode(NOON), NOON), Ok(results()));
        assert_eq!(Results::decode(&Results::default().encode(NOON), NOON), Ok(Results::default()));
    }

    #[test]
    fn times_of_a_clock_that_is_off_are_put_right() {
        // Its clock is ten minutes ahead.
        let ahead = Duration::from_secs(600);
        let told = results().encode(NOON);
        let read = Results::decode(&told, NOON.minus(ahead)).expect("an answer");
        assert_eq!(read.newest.map(|newest| newest.at), Some(NOON.minus(ahead).minus(Duration::from_secs(5))));
    }

    #[test]
    fn what_a_node_says_is_bounded_and_cannot_deceive() {
        let line = "x\u{1b}[31m\u{202e}".repeat(100);
        let hostile = serde_json::json!({
            "now": i64::MIN,
            "newest": {
                "at": i64::MAX, "outcome": "splendid", "failure": line, "status": 200, "remote": "<b>",
                "total": u64::MAX, "phases": [u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX], "lines": vec![&line; 50], "n_dropped": u32::MAX,
            },
            "recent": vec![(i64::MAX, "up", u64::MAX); 200],
            "sums": vec![(i64::MIN, Some(u64::MAX), None::<u64>); 400],
        });
        let read = Results::decode(hostile.to_string().as_bytes(), NOON).expect("an answer");
        assert_eq!((read.recent.len(), read.sums.len()), (RECENT_MAX, SUMS_MAX));
        assert!(read.recent.iter().all(|recent| recent.at <= NOON && recent.took <= TOOK_MAX));
        let newest = read.newest.expect("it has one");
        assert_eq!((newest.outcome, newest.remote, newest.at), (Outcome::Unknown, None, NOON));
        let texts: Vec<&String> = newest.failure.iter().chain(&newest.transcript.lines).collect();
        assert!(texts.iter().all(|text| text.chars().count() <= TRANSCRIPT_LINE_CHARS_MAX && !text.chars().any(is_deceptive)));
        for broken in ["", "null", "[]", "{}", "{\"now\":1e99}", "{\"now\":0,\"newest\":null,\"recent\":[[1,2,3]],\"sums\":[]}"] {
            assert_eq!(Results::decode(broken.as_bytes(), NOON), Err("its answer cannot be read".to_owned()), "{broken}");
        }
        assert_eq!(Results::decode(&vec![b' '; ANSWER_BYTES_MAX + 1], NOON), Err("its answer is too long".to_owned()));
    }

    #[test]
    fn the_longest_answer_of_ours_is_one_that_we_read() {
        let mut longest = results();
        let newest = longest.newest.as_mut().expect("it has one");
        newest.failure = Some("\u{10000}".repeat(5000));
        newest.transcript.lines = vec!["\u{10000}".repeat(TRANSCRIPT_LINE_CHARS_MAX); 120];
        longest.recent = vec![longest.recent[0]; 60];
        longest.sums = vec![Sum { start: NOON, p50: Some(TOOK_MAX), p95: Some(TOOK_MAX) }; 300];
        let read = Results::decode(&longest.encode(NOON), NOON).expect("it fits");
        assert_eq!(read.newest.map(|newest| (newest.transcript.lines.len(), newest.transcript.n_dropped)), Some((LINES_MAX, 83)));
    }
}
