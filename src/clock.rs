//! The one reader of system time. Everything else takes `Now` as an argument.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;

use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;

/// Where time comes from: the system, or a test that sets it by hand.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<Mutex<Now>>),
    /// Follows tokio's clock from these moments on, so that simulated time passes by itself.
    Tokio {
        began: tokio::time::Instant,
        at: Now,
    },
}

impl Clock {
    /// The system's clocks. The monotonic one is `CLOCK_BOOTTIME`: it goes on during suspend, so that a sleep is seen as a gap
    /// and not mistaken for no time at all.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands at `now` until [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(now: Now) -> Clock {
        Clock(Source::Manual(Arc::new(Mutex::new(now))))
    }

    /// A clock that says `at` now and then goes as tokio's does, which a simulation can let pass faster than it would.
    #[must_use]
    pub fn simulated(at: Now) -> Clock {
        Clock(Source::Tokio { began: tokio::time::Instant::now(), at })
    }

    /// Reads both clocks. Does not block.
    #[must_use]
    pub fn now(&self) -> Now {
        match &self.0 {
            Source::System => {
                let wall = clock_gettime(ClockId::Realtime);
                let boot = clock_gettime(ClockId::Boottime);
                Now {
                    wall: UnixMillis(wall.tv_sec.saturating_mul(1000).saturating_add(wall.tv_nsec / 1_000_000)),
                    mono: Mono(u64::try_from(boot.tv_sec.saturating_mul(1_000_000).saturating_add(boot.tv_nsec / 1000)).unwrap_or(0)),
                }
            }
            Source::Tokio { began, at } => {
                let passed = began.elapsed();
                Now { wall: at.wall + passed, mono: at.mono + passed }
            }
            Source::Manual(now) => *now.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    /// Moves a manual clock; does nothing to the system's.
    pub fn set(&self, now: Now) {
        if let Source::Manual(held) = &self.0 {
            *held.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
        }
    }

    /// Moves both hands of a manual clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(held) = &self.0 {
            let mut now = held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *now = Now { wall: now.wall + by, mono: now.mono + by };
        }
    }
}
