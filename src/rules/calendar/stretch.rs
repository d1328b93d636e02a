//! A stretch of time in which a zone keeps its distance from universal time. All times here are seconds since 1970.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::tz::TimeZone;

use crate::model::schedule::Fold;
use crate::model::schedule::Gap;
use crate::model::schedule::Timed;
use crate::rules::calendar::wall;

/// Larger jumps are not daylight saving but a country that moves to another day; cron sets its clock anew then and forgets.
const JUMP_SECONDS_MAX: i32 = 3 * 3600;

/// How far a jump to a moment that the wall shows may be off, both ways: more than any zone ever moved.
const MARGIN_SECONDS: i64 = 36 * 3600;

/// One stretch.
pub(super) struct Stretch {
    /// Where it begins; `None`: always was.
    pub(super) start: Option<i64>,
    /// Where the next one begins; `None`: never.
    pub(super) end: Option<i64>,
    offset: Offset,
    /// Of the stretch before it.
    before: Offset,
}

/// What a search in a stretch came to.
pub(super) enum Found {
    /// There it is.
    At(i64),
    /// Not in this stretch, and nowhere between it and this time.
    Outside(i64),
    /// The calendar is over.
    Never,
}

impl Stretch {
    /// The stretch that `at` is in; `None` outside of the years 1 to 9999 or so.
    pub(super) fn holding(zone: &TimeZone, at: i64) -> Option<Stretch> {
        let stamp = Timestamp::from_second(at).ok()?;
        let offset = zone.to_offset(stamp);
        let end = zone.following(stamp).next().map(|change| change.timestamp().as_second());
        // The changes before something do not include one at it.
        let after = Timestamp::from_second(at.checked_add(1)?).ok()?;
        let start = zone.preceding(after).next().map(|change| change.timestamp().as_second());
        let before = start.and_then(|start| Timestamp::from_second(start - 1).ok()).map_or(offset, |stamp| zone.to_offset(stamp));
        Some(Stretch { start, end, offset, before })
    }

    /// The first moment at `from` or later.
    pub(super) fn first(&self, timed: &Timed, from: i64) -> Found {
        if self.start == Some(from) && self.catches_up(timed) {
            return Found::At(from);
        }
        let Some(shown) = shown(self.offset, from) else { return Found::Never };
        let shown = self.repeated_until(timed).map_or(shown, |until| shown.max(until));
        let Some(at) = wall::next(&timed.pattern, shown).and_then(|shown| instant(self.offset, shown)) else { return Found::Never };
        if self.end.is_none_or(|end| at < end) { Found::At(at) } else { Found::Outside(at - MARGIN_SECONDS) }
    }

    /// The last moment at `until` or earlier.
    pub(super) fn last(&self, timed: &Timed, until: i64) -> Found {
        let Some(shown) = shown(self.offset, until) else { return Found::Never };
        let found = wall::previous(&timed.pattern, shown);
        let is_repeated = |shown: &DateTime| self.repeated_until(timed).is_some_and(|until| *shown < until);
        let inside = found.filter(|shown| !is_repeated(shown)).and_then(|shown| instant(self.offset, shown));
        if let Some(at) = inside.filter(|at| self.start.is_none_or(|start| start <= *at)) {
            return Found::At(at);
        }
        match (self.start, found.and_then(|shown| instant(self.offset, shown))) {
            (Some(start), _) if self.catches_up(timed) => Found::At(start),
            (_, Some(at)) => Found::Outside(at + MARGIN_SECONDS),
            (_, None) => Found::Never,
        }
    }

    /// Whether something was due in the time that was skipped just before the stretch, and is made up for.
    fn catches_up(&self, timed: &Timed) -> bool {
        let jump = self.offset.seconds() - self.before.seconds();
        let Some(start) = self.start.filter(|_| timed.daylight.gap == Gap::CatchUp && 0 < jump && jump <= JUMP_SECONDS_MAX) else {
            return false;
        };
        let (Some(skipped), Some(resumed)) = (shown(self.before, start), shown(self.offset, start)) else { return false };
        wall::next(&timed.pattern, skipped).is_some_and(|due| due < resumed)
    }

    /// Until when the clock shows what it has shown before, if that does not count again.
    fn repeated_until(&self, timed: &Timed) -> Option<DateTime> {
        let jump = self.before.seconds() - self.offset.seconds();
        let start = self.start.filter(|_| timed.daylight.fold == Fold::Once && 0 < jump && jump <= JUMP_SECONDS_MAX)?;
        shown(self.before, start)
    }
}

/// What the clock shows; `None` beyond the calendar's years.
fn shown(offset: Offset, at: i64) -> Option<DateTime> {
    Timestamp::from_second(at).ok().map(|stamp| offset.to_datetime(stamp))
}

fn instant(offset: Offset, shown: DateTime) -> Option<i64> {
    offset.to_timestamp(shown).ok().map(Timestamp::as_second)
}
