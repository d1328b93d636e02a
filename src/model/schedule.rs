//! When something is expected to happen: every so often, or by the calendar of a time zone.
//!
//! Reading the text of a schedule and saying what is wrong with it is here, because the config needs it; finding its moments on the
//! line of time is in `crate::rules::calendar`. Cron expressions and systemd's calendar events become the same [`Pattern`].
//!
//! Time zones come from jiff's database: the system's where there is one, the one inside the program otherwise. It is read when a
//! schedule is parsed, never later.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use crate::model::time::UnixMillis;

pub mod calendar;
pub mod cron;
pub mod recurrence;

/// Longest text of a schedule, in bytes: nobody can read a longer one, and everything it says fits.
pub const TEXT_BYTES_MAX: usize = 256;

/// Shortest interval. Shorter ones tell nothing: a ping alone may take as long on its way.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A year in which something must happen for it to happen at all: the Gregorian calendar repeats itself after 400 of them.
const CYCLE_YEARS: std::ops::Range<i16> = 2000..2400;

/// Years that a calendar event can name, as in systemd.
pub const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// Why a text is not a schedule, in one sentence, and the way out in another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadSchedule {
    /// What is wrong, with what was found.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl BadSchedule {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> BadSchedule {
        BadSchedule { message: message.into(), hint: hint.into() }
    }
}

/// When something is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// This long after the last time.
    Interval(Duration),
    /// By the calendar.
    Timed(Arc<Timed>),
}

impl Schedule {
    /// Every so often.
    ///
    /// # Errors
    /// [`BadSchedule`] when it is shorter than [`INTERVAL_MIN`].
    pub fn interval(every: Duration) -> Result<Schedule, BadSchedule> {
        if every < INTERVAL_MIN {
            let message = format!("an interval of {} is too short", crate::model::time::DurationText(every));
            return Err(BadSchedule::new(message, "make it at least `100ms`"));
        }
        Ok(Schedule::Interval(every))
    }

    /// By a cron expression. Without a zone it is UTC, which is also what the clusters of most people run their jobs by.
    ///
    /// # Errors
    /// [`BadSchedule`] when the text is not one, names a moment that never comes, or the zone is unknown.
    pub fn cron(text: &str, zone: Option<&str>, rules: CronRules) -> Result<Schedule, BadSchedule> {
        check_length(text)?;
        let zone = zone.map_or_else(|| Ok(Zone::utc()), Zone::parse)?;
        let (pattern, daylight) = cron::parse(text, rules)?;
        Timed::checked(text, pattern, zone, daylight)
    }

    /// By a systemd calendar event (`OnCalendar=`). A zone in the text is its own; the one given here is for texts without.
    ///
    /// # Errors
    /// [`BadSchedule`] when the text is not one, names a moment that never comes, or a zone is unknown or contradicts the other.
    pub fn calendar(text: &str, zone: Option<&str>) -> Result<Schedule, BadSchedule> {
        check_length(text)?;
        let outer = zone.map(Zone::parse).transpose()?;
        let (pattern, inner) = calendar::parse(text)?;
        let zone = match (inner, outer) {
            (Some(inner), Some(outer)) if inner != outer => {
                let message = format!("`{}` says {inner} and the monitor's time zone says {outer}", text.trim());
                return Err(BadSchedule::new(message, "keep one of the two"));
            }
            (Some(zone), _) | (None, Some(zone)) => zone,
            (None, None) => Zone::utc(),
        };
        Timed::checked(text, pattern, zone, Daylight { gap: Gap::Skip, fold: Fold::Once })
    }

    /// The shortest time between two moments, not counting those that daylight saving moves.
    #[must_use]
    pub fn shortest_gap(&self) -> Duration {
        match self {
            Schedule::Interval(every) => *every,
            Schedule::Timed(timed) => timed.shortest_gap,
        }
    }
}

/// As it was written, in the words of the config.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Interval(every) => write!(f, "every {}", crate::model::time::DurationText(*every)),
            Schedule::Timed(timed) => write!(f, "{} ({})", timed.text, timed.zone),
        }
    }
}

fn check_length(text: &str) -> Result<(), BadSchedule> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a schedule has at most {TEXT_BYTES_MAX} bytes, this one has {}", text.len());
        return Err(BadSchedule::new(message, "split it into several monitors"));
    }
    Ok(())
}

/// A schedule by the calendar, checked: it happens at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// As it was written.
    pub text: String,
    /// What the clock on the wall must show.
    pub pattern: Pattern,
    /// Where that clock hangs.
    pub zone: Zone,
    /// What happens when the clock is changed for summer or winter.
    pub daylight: Daylight,
    /// The shortest time between two moments.
    pub shortest_gap: Duration,
}

impl Timed {
    fn checked(text: &str, pattern: Pattern, zone: Zone, daylight: Daylight) -> Result<Schedule, BadSchedule> {
        let text = text.trim().to_owned();
        if !pattern.happens() {
            let message = format!("`{text}` never happens: no month has such a day");
            return Err(BadSchedule::new(message, "correct the day or the month"));
        }
        let shortest_gap = pattern.shortest_gap();
        Ok(Schedule::Timed(Arc::new(Timed { text, pattern, zone, daylight, shortest_gap })))
    }
}

/// Whose rules a cron expression follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CronRules {
    /// Debian's cron, after Vixie.
    Vixie,
    /// A Kubernetes CronJob, which uses robfig/cron.
    Kubernetes,
}

/// What happens at times that the clock skips in spring and repeats in autumn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daylight {
    /// Skipped ones.
    pub gap: Gap,
    /// Repeated ones.
    pub fold: Fold,
}

/// What becomes of a moment that the clock skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It happens right after the gap, once for all that were skipped.
    CatchUp,
    /// It does not happen.
    Skip,
}

/// What becomes of a moment that the clock shows twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// It happens the first time.
    Once,
    /// It happens both times.
    Both,
}

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Universal time.
    #[must_use]
    pub fn utc() -> Zone {
        Zone(jiff::tz::TimeZone::UTC)
    }

    /// Finds a zone by its name, `Europe/Riga`; letter case does not matter.
    ///
    /// # Errors
    /// [`BadSchedule`] when there is none of that name.
    pub fn parse(name: &str) -> Result<Zone, BadSchedule> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Zone::utc());
        }
        jiff::tz::TimeZone::get(name).map(Zone).map_err(|_| {
            BadSchedule::new(format!("`{name}` is not a time zone"), "use a name of the IANA database, such as `Europe/Riga` or `UTC`")
        })
    }

    /// What jiff knows of it.
    #[must_use]
    pub fn rules(&self) -> &jiff::tz::TimeZone {
        &self.0
    }

    /// What its clock shows; `None` beyond the calendar's years.
    #[must_use]
    pub fn shown(&self, at: UnixMillis) -> Option<DateTime> {
        Timestamp::from_millisecond(at.0).ok().map(|stamp| self.0.to_datetime(stamp))
    }

    /// When its clock shows this: the first time if it does so twice, and right after the gap if it is skipped. `None` beyond the
    /// calendar's years.
    #[must_use]
    pub fn moment(&self, shown: DateTime) -> Option<UnixMillis> {
        let stamp = match self.0.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(shown).ok()?,
            AmbiguousOffset::Gap { before, .. } => {
                // By the offset before the gap this is after it; the change lies before that.
                let beyond = before.to_timestamp(shown).ok()?;
                let after = Timestamp::from_millisecond(beyond.as_millisecond().checked_add(1)?).ok()?;
                self.0.preceding(after).next()?.timestamp()
            }
        };
        Some(UnixMillis(stamp.as_millisecond()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// What a clock on the wall must show, as sets of bits: bit `n` of `hours` is hour `n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Which years; empty: all.
    pub years: Vec<Years>,
    /// Bits 1 to 12.
    pub months: u64,
    /// Bits 1 to 31.
    pub days: u64,
    /// Bits 1 to 28: the last day of the month, the last but one and so on.
    pub days_from_end: u64,
    /// Bits 0 (Sunday) to 6.
    pub weekdays: u64,
    /// How days and weekdays go together.
    pub join: Join,
    /// Bits 0 to 23.
    pub hours: u64,
    /// Bits 0 to 59.
    pub minutes: u64,
    /// Bits 0 to 59.
    pub seconds: u64,
}

/// Some years: from the first to the last, every so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Years {
    /// The first.
    pub first: i16,
    /// None is later.
    pub last: i16,
    /// 1: every year.
    pub step: i16,
}

/// How days of the month and weekdays go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Both must fit.
    And,
    /// One of them is enough.
    Or,
}

/// All values of each field.
pub(crate) const ALL_MONTHS: u64 = 0b1_1111_1111_1110;
pub(crate) const ALL_DAYS: u64 = 0xffff_fffe;
pub(crate) const ALL_WEEKDAYS: u64 = 0x7f;
pub(crate) const ALL_HOURS: u64 = 0xff_ffff;
pub(crate) const ALL_SIXTY: u64 = 0x0fff_ffff_ffff_ffff;

/// The set of `first`, `first + step` … up to `last`. Steps of 0 are the caller's to refuse.
pub(crate) fn steps(first: u32, last: u32, step: u32) -> u64 {
    (first..=last).step_by(step.max(1) as usize).fold(0, |set, n| set | 1 << n)
}

/// Whether the set has `n`.
pub(crate) fn has(set: u64, n: i8) -> bool {
    set >> n & 1 == 1
}

/// The members of a set, in order.
pub(crate) fn members(set: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |n| set >> n & 1 == 1)
}

impl Pattern {
    /// Whether the year fits.
    #[must_use]
    pub fn has_year(&self, year: i16) -> bool {
        let fits = |years: &Years| (years.first..=years.last).contains(&year) && (year - years.first) % years.step == 0;
        self.years.is_empty() || self.years.iter().any(fits)
    }

    /// Whether the month fits.
    #[must_use]
    pub fn has_month(&self, month: i8) -> bool {
        has(self.months, month)
    }

    /// Whether the whole date fits.
    #[must_use]
    pub fn has_date(&self, date: Date) -> bool {
        let from_end = date.days_in_month() - date.day() + 1;
        let day = has(self.days, date.day()) || has(self.days_from_end, from_end);
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let fits = match self.join {
            Join::And => day && weekday,
            Join::Or => day || weekday,
        };
        fits && self.has_month(date.month()) && self.has_year(date.year())
    }

    /// The years that must be looked through to know all that the pattern can do.
    fn all_years(&self) -> impl Iterator<Item = i16> {
        let (first, last) = if self.years.is_empty() { (CYCLE_YEARS.start, CYCLE_YEARS.end - 1) } else { (*YEARS.start(), *YEARS.end()) };
        (first..=last).filter(|year| self.has_year(*year))
    }

    fn dates(&self) -> impl Iterator<Item = Date> {
        let months = self.all_years().flat_map(|year| (1..=12).filter(|month| self.has_month(*month)).map(move |month| (year, month)));
        let days = months.flat_map(|(year, month)| (1..=31).filter_map(move |day| Date::new(year, month, day).ok()));
        days.filter(|date| self.has_date(*date))
    }

    /// Whether there is any date that fits.
    fn happens(&self) -> bool {
        self.dates().next().is_some()
    }

    /// Seconds of a day that fit, in order.
    fn times(&self) -> impl Iterator<Item = u64> {
        let minutes = members(self.hours).flat_map(|hour| members(self.minutes).map(move |minute| hour * 60 + minute));
        minutes.flat_map(|minute| members(self.seconds).map(move |second| u64::from(minute * 60 + second)))
    }

    fn shortest_gap(&self) -> Duration {
        const DAY: u64 = 86_400;
        let (mut first, mut last, mut gap) = (None, None, DAY);
        for time in self.times() {
            gap = gap.min(last.map_or(DAY, |last| time - last));
            first = first.or(Some(time));
            last = Some(time);
            if gap == 1 {
                break;
            }
        }
        let overnight = DAY + first.unwrap_or(0) - last.unwrap_or(0);
        // Only looked for where it matters: over midnight the pattern must fit two days in a row.
        if overnight < gap && self.dates().any(|date| date.tomorrow().is_ok_and(|next| self.has_date(next))) {
            gap = overnight;
        }
        Duration::from_secs(gap)
    }
}

/// Names of weekdays, Sunday first, as bits of [`Pattern::weekdays`].
pub(crate) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Names of months; the first is bit 1 of [`Pattern::months`].
pub(crate) const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// A noun for a sentence: `an hour`, `a day`.
pub(crate) fn with_article(noun: &str) -> String {
    if noun == "hour" { format!("an {noun}") } else { format!("a {noun}") }
}
