//! Results summed up over a stretch of time.

use std::time::Duration;

use crate::model::time::UnixMillis;

/// How long a roll-up covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// Five minutes.
    FiveMinutes,
    /// One hour.
    Hour,
}

impl Resolution {
    /// Its length.
    #[must_use]
    pub fn length(self) -> Duration {
        match self {
            Resolution::FiveMinutes => Duration::from_secs(300),
            Resolution::Hour => Duration::from_secs(3600),
        }
    }
}

/// Results of one monitor over one stretch. Latencies are of checks that got an answer (up or degraded), in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rollup {
    /// When the stretch begins; a multiple of its length.
    pub start: UnixMillis,
    /// Checks that were up.
    pub n_up: u32,
    /// Checks that were degraded.
    pub n_degraded: u32,
    /// Checks that were down.
    pub n_down: u32,
    /// Checks that were unknown.
    pub n_unknown: u32,
    /// Shortest latency.
    pub min_us: u32,
    /// Longest latency.
    pub max_us: u32,
    /// Arithmetic mean.
    pub mean_us: u32,
    /// Median, by nearest rank.
    pub p50_us: u32,
    /// 95th percentile, by nearest rank.
    pub p95_us: u32,
    /// 99th percentile, by nearest rank.
    pub p99_us: u32,
    /// Means of the phases dns, connect, tls, first byte, transfer; 0 where a phase did not happen.
    pub phase_mean_us: [u32; 5],
}
