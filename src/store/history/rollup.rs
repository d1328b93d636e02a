//! Summing up results. Pure: numbers in, numbers out.

use std::time::Duration;

use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::rollup::Resolution;
use crate::model::rollup::Rollup;
use crate::model::time::UnixMillis;
use crate::store::history::codec::BadBytes;
use crate::store::history::codec::Reader;
use crate::store::history::codec::put_unsigned;

/// Begin of the stretch that a time lies in.
pub(in crate::store) fn window(at: UnixMillis, resolution: Resolution) -> UnixMillis {
    let length = millis(resolution);
    UnixMillis(at.0.div_euclid(length).saturating_mul(length))
}

/// Length of a stretch in milliseconds.
pub(in crate::store) fn millis(resolution: Resolution) -> i64 {
    match resolution {
        Resolution::FiveMinutes => 300_000,
        Resolution::Hour => 3_600_000,
    }
}

/// Sums up results exactly, in any order.
pub(in crate::store) fn sum_up<'a>(start: UnixMillis, results: impl IntoIterator<Item = &'a CheckResult>) -> Rollup {
    let mut rollup = Rollup { start, ..Rollup::default() };
    let mut latencies: Vec<u32> = Vec::new();
    let mut phase_sums = [0_u64; 5];
    let mut phase_counts = [0_u64; 5];
    for result in results {
        let count = match result.outcome {
            Outcome::Up => &mut rollup.n_up,
            Outcome::Degraded => &mut rollup.n_degraded,
            Outcome::Down => &mut rollup.n_down,
            Outcome::Unknown => &mut rollup.n_unknown,
        };
        *count = count.saturating_add(1);
        if !matches!(result.outcome, Outcome::Up | Outcome::Degraded) {
            continue;
        }
        latencies.push(micros(result.timings.total));
        for (i, (_, took)) in result.timings.phases().into_iter().enumerate() {
            if let Some(took) = took {
                phase_sums[i] += u64::from(micros(took));
                phase_counts[i] += 1;
            }
        }
    }
    latencies.sort_unstable();
    if let (Some(min), Some(max)) = (latencies.first(), latencies.last()) {
        rollup.min_us = *min;
        rollup.max_us = *max;
        rollup.mean_us = mean(latencies.iter().map(|us| u64::from(*us)).sum(), latencies.len() as u64);
        rollup.p50_us = nearest_rank(&latencies, 50);
        rollup.p95_us = nearest_rank(&latencies, 95);
        rollup.p99_us = nearest_rank(&latencies, 99);
    }
    for (i, sum) in phase_sums.into_iter().enumerate() {
        rollup.phase_mean_us[i] = mean(sum, phase_counts[i]);
    }
    rollup
}

/// Joins two summaries of which the single results are gone. Counts, extremes and means are right (means up to rounding, phase
/// means as if the phase had happened in every check); percentiles are those of the summary with more checks behind it.
pub(in crate::store) fn join(a: &Rollup, b: &Rollup) -> Rollup {
    let (n_a, n_b) = (n_answered(a), n_answered(b));
    let (more, less) = if n_a < n_b { (b, a) } else { (a, b) };
    let joined = |of: fn(&Rollup) -> u32| mean(u64::from(of(a)) * n_a + u64::from(of(b)) * n_b, n_a + n_b);
    let mut phase_mean_us = [0; 5];
    for (i, phase) in phase_mean_us.iter_mut().enumerate() {
        *phase = mean(u64::from(a.phase_mean_us[i]) * n_a + u64::from(b.phase_mean_us[i]) * n_b, n_a + n_b);
    }
    Rollup {
        start: a.start,
        n_up: a.n_up.saturating_add(b.n_up),
        n_degraded: a.n_degraded.saturating_add(b.n_degraded),
        n_down: a.n_down.saturating_add(b.n_down),
        n_unknown: a.n_unknown.saturating_add(b.n_unknown),
        min_us: if n_answered(less) == 0 { more.min_us } else { a.min_us.min(b.min_us) },
        max_us: a.max_us.max(b.max_us),
        mean_us: joined(|rollup| rollup.mean_us),
        p50_us: more.p50_us,
        p95_us: more.p95_us,
        p99_us: more.p99_us,
        phase_mean_us,
    }
}

/// All checks of a summary.
pub(in crate::store) fn n_checks(rollup: &Rollup) -> u64 {
    n_answered(rollup) + u64::from(rollup.n_down) + u64::from(rollup.n_unknown)
}

fn n_answered(rollup: &Rollup) -> u64 {
    u64::from(rollup.n_up) + u64::from(rollup.n_degraded)
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn mean(sum: u64, count: u64) -> u32 {
    u32::try_from(sum.checked_div(count).unwrap_or(0)).unwrap_or(u32::MAX)
}

/// The smallest value that at least `percent` of all do not exceed.
fn nearest_rank(sorted: &[u32], percent: usize) -> u32 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// The numbers as variable-length integers: half the size of columns, and there are as many rows as stretches of time.
pub(in crate::store) fn to_bytes(rollup: &Rollup) -> Vec<u8> {
    let Rollup { start: _, n_up, n_degraded, n_down, n_unknown, min_us, max_us, mean_us, p50_us, p95_us, p99_us, phase_mean_us } = rollup;
    let mut bytes = Vec::with_capacity(40);
    for number in [n_up, n_degraded, n_down, n_unknown, min_us, max_us, mean_us, p50_us, p95_us, p99_us].into_iter().chain(phase_mean_us) {
        put_unsigned(&mut bytes, u64::from(*number));
    }
    bytes
}

/// Reads what [`to_bytes`] wrote.
pub(in crate::store) fn from_bytes(start: UnixMillis, bytes: &[u8]) -> Result<Rollup, BadBytes> {
    let mut reader = Reader(bytes);
    let mut next = || reader.unsigned().and_then(|number| u32::try_from(number).map_err(|_| BadBytes));
    Ok(Rollup {
        start,
        n_up: next()?,
        n_degraded: next()?,
        n_down: next()?,
        n_unknown: next()?,
        min_us: next()?,
        max_us: next()?,
        mean_us: next()?,
        p50_us: next()?,
        p95_us: next()?,
        p99_us: next()?,
        phase_mean_us: [next()?, next()?, next()?, next()?, next()?],
    })
}
