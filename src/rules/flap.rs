//! Damping of what goes up and down: after too many changes people are told so once, and hear of it again when it has calmed down.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::time::UnixMillis;

/// More changes than this within [`WITHIN`] are too many: three outages in half an hour are still three pieces of news.
pub const CHANGES_MAX: usize = 6;

/// The time in which changes are counted.
pub const WITHIN: Duration = Duration::from_secs(30 * 60);

/// What has not changed for so long has calmed down.
pub const CALM_AFTER: Duration = Duration::from_secs(15 * 60);

/// The newest changes of a monitor. Not kept over a restart: then it has to flap again to be damped, which errs on the side of telling.
#[derive(Debug, Clone, Default)]
pub struct Flaps {
    changes: VecDeque<UnixMillis>,
    is_on: bool,
}

impl Flaps {
    /// Takes in a change; returns how many there were lately when with this one it begins to be damped.
    pub fn note(&mut self, at: UnixMillis) -> Option<u32> {
        self.changes.push_back(at);
        // One more than is allowed is enough to see that they are too many, and the newest says when it calms down.
        while CHANGES_MAX + 1 < self.changes.len() || self.changes.front().is_some_and(|first| WITHIN < at.since(*first)) {
            self.changes.pop_front();
        }
        if self.is_on || self.changes.len() <= CHANGES_MAX {
            return None;
        }
        self.is_on = true;
        u32::try_from(self.changes.len()).ok()
    }

    /// When it has calmed down if nothing happens until then; `None` when it is not damped. A clock that was set back must not make that
    /// a day.
    #[must_use]
    pub fn calm_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        let last = self.changes.back().copied().unwrap_or(now).min(now);
        self.is_on.then(|| last + CALM_AFTER)
    }

    /// Lets time pass; returns whether it has calmed down just now.
    pub fn calm_down(&mut self, now: UnixMillis) -> bool {
        let is_over = self.calm_at(now).is_some_and(|calm| calm <= now);
        if is_over {
            *self = Flaps::default();
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seventh_change_in_half_an_hour_is_one_too_many() {
        let at = |minute: u64| UnixMillis(0) + Duration::from_secs(60 * minute);
        let mut flaps = Flaps::default();
        assert!((0..6).all(|i| flaps.note(at(i * 4)).is_none()) && flaps.calm_at(at(20)).is_none());
        assert_eq!(flaps.note(at(24)), Some(7));
        assert_eq!(flaps.note(at(26)), None, "it is said once");
        assert_eq!(flaps.calm_at(at(30)), Some(at(41)));
        assert!(!flaps.calm_down(at(40)) && flaps.calm_down(at(41)) && !flaps.calm_down(at(42)));
        assert!(flaps.note(at(43)).is_none());
    }

    #[test]
    fn changes_far_apart_are_news_each() {
        let mut flaps = Flaps::default();
        assert!((0..100).all(|i| flaps.note(UnixMillis(0) + Duration::from_secs(301 * i)).is_none()));
    }
}
