//! Writing results as they come.

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::time::UnixMillis;
use crate::store::desk::Desk;
use crate::store::error::Trouble;
use crate::store::error::trouble;
use crate::store::history::codec::Encoder;

/// Transcripts that are kept of one monitor on one day without looking closer.
const TRANSCRIPTS_FREE: u32 = 100;

/// Transcripts that are kept of one monitor on one day at most: with 120 lines of 300 characters each that would be 36 MB, with
/// usual ones 1 MB. The count begins again when vigilmon starts.
const TRANSCRIPTS_MAX: u32 = 1000;

/// Of a long row of equal failures every tenth is enough to see whether they still fail in the same way.
const TRANSCRIPT_EVERY: u32 = 10;

const DAY_MS: i64 = 86_400_000;

/// What is remembered from result to result.
#[derive(Debug)]
pub(in crate::store) struct Recorder {
    encoder: Encoder,
    budgets: HashMap<i64, Budget>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder { encoder: Encoder::new(UnixMillis(0)), budgets: HashMap::new() }
    }
}

/// Of one monitor on one day.
#[derive(Debug, Default)]
struct Budget {
    day: i64,
    n_bad: u32,
    n_kept: u32,
    last: Option<(Outcome, Option<&'static str>)>,
}

impl Budget {
    /// Whether the transcript of a result that is not up is kept: the first hundred of a day, then the first of each row of equal
    /// failures and every tenth within it, up to a thousand. A monitor that is down for a day at one check per second would
    /// otherwise fill the disk with 86 400 copies of the same story.
    fn keeps(&mut self, result: &CheckResult) -> bool {
        let day = result.at.0.div_euclid(DAY_MS);
        if self.day != day {
            *self = Budget { day, last: self.last, ..Budget::default() };
        }
        let this = (result.outcome, result.failure.as_ref().map(crate::model::result::Failure::code));
        let is_first = self.last != Some(this);
        self.last = Some(this);
        if result.outcome == Outcome::Up {
            return false;
        }
        self.n_bad = self.n_bad.saturating_add(1);
        let is_kept =
            self.n_kept < TRANSCRIPTS_FREE || (self.n_kept < TRANSCRIPTS_MAX && (is_first || self.n_bad.is_multiple_of(TRANSCRIPT_EVERY)));
        let is_empty = result.transcript.lines.is_empty() && result.transcript.n_dropped == 0;
        if is_kept && !is_empty {
            self.n_kept += 1;
        }
        is_kept && !is_empty
    }
}

/// Appends results. One that the tables do not take is dropped; a failure of the system ends the batch.
pub(in crate::store) fn write_all(desk: &mut Desk, results: &VecDeque<CheckResult>) -> rusqlite::Result<()> {
    for result in results {
        match write(desk, result) {
            Err(error) if trouble(&error) == Trouble::Statement => {
                tracing::error!(monitor = %result.monitor, %error, "a result of `{}` was not stored: {error}", result.monitor);
            }
            other => other?,
        }
    }
    Ok(())
}

fn write(desk: &mut Desk, result: &CheckResult) -> rusqlite::Result<()> {
    let key = desk.key(&result.monitor)?;
    let budget = desk.recorder.budgets.entry(key).or_default();
    let has_transcript = budget.keeps(result);
    let encoder = &mut desk.recorder.encoder;
    encoder.reset(result.at);
    encoder.push(result, has_transcript);
    desk.conn.prepare_cached("INSERT INTO results_hot (monitor, at, data) VALUES (?1, ?2, ?3)")?.execute((
        key,
        result.at.0,
        encoder.bytes(),
    ))?;
    if has_transcript {
        desk.conn
            .prepare_cached("INSERT OR REPLACE INTO transcripts (monitor, at, n_dropped, lines) VALUES (?1, ?2, ?3, ?4)")?
            .execute((key, result.at.0, result.transcript.n_dropped, result.transcript.lines.join("\n")))?;
    }
    Ok(())
}
