//! The past of what status pages list, read every half minute by one task and then served from memory, so that visitors never
//! cause a database query. Also the one place that turns verdicts into days and figures.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::handle::EngineHandle;
use crate::http::archive::Archive;
use crate::http::limits::HISTORY_EVERY;
use crate::http::limits::PUBLIC_INCIDENTS_MAX;
use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::id::PageSlug;
use crate::model::incident::Incident;
use crate::model::page::StatusPage;
use crate::model::time::UnixMillis;
use crate::rules::uptime::Totals;
use crate::rules::uptime::span_totals;
use crate::store::IncidentFilter;
use crate::store::ReadError;
use crate::ui::component::bar::DayBar;
use crate::ui::component::bar::Uptime;

const DAY_MS: i64 = 86_400_000;

/// Most days of one bar, whatever the config says: a year still has a pixel per day.
const DAYS_MAX: usize = 366;

/// The past of all status pages.
#[derive(Debug, Clone, Default)]
pub struct Book {
    /// Grows with every reading; part of the key of rendered pages.
    pub generation: u64,
    /// By page.
    pub pages: BTreeMap<PageSlug, PagePast>,
}

/// The past of one status page.
#[derive(Debug, Clone, Default)]
pub struct PagePast {
    /// By monitor.
    pub monitors: BTreeMap<MonitorId, MonitorPast>,
    /// Of all its monitors together: each counts by the time in which something is known of it.
    pub stretches: BTreeMap<Stretch, Uptime>,
    /// Those that ended, newest first.
    pub closed: Vec<Incident>,
}

/// The past of one monitor.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MonitorPast {
    /// Oldest first; the last is today.
    pub days: Vec<DayBar>,
    /// Over these days.
    pub uptime: Uptime,
    /// Over the stretches that badges tell, as far as the page goes back.
    pub stretches: BTreeMap<Stretch, Uptime>,
}

/// A stretch of time up to now whose availability a badge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stretch {
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
}

impl Stretch {
    /// All of them, the shortest first.
    pub const ALL: [Stretch; 5] = [Stretch::Hour, Stretch::Day, Stretch::Week, Stretch::Month, Stretch::Quarter];

    /// As it is written in addresses and on badges.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Stretch::Hour => "1h",
            Stretch::Day => "24h",
            Stretch::Week => "7d",
            Stretch::Month => "30d",
            Stretch::Quarter => "90d",
        }
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> Duration {
        let hours = match self {
            Stretch::Hour => 1,
            Stretch::Day => 24,
            Stretch::Week => 7 * 24,
            Stretch::Month => 30 * 24,
            Stretch::Quarter => 90 * 24,
        };
        Duration::from_secs(hours * 3600)
    }
}

/// How many days a page shows.
#[must_use]
pub fn n_days(history: Duration) -> usize {
    usize::try_from(history.as_secs().div_ceil(86_400)).unwrap_or(DAYS_MAX).clamp(1, DAYS_MAX)
}

/// Midnight, UTC, at the beginning of the first of `n` days that end with the one of `now`.
#[must_use]
pub fn first_midnight(now: UnixMillis, n: usize) -> UnixMillis {
    let today = now.0.div_euclid(DAY_MS);
    UnixMillis((today - i64::try_from(n.saturating_sub(1)).unwrap_or(0)) * DAY_MS)
}

/// Availability from `from` to `now`. Time before the first verdict is left out: a monitor that was added yesterday is not
/// "unknown" for the 89 days before.
#[must_use]
pub fn uptime(changes: &[VerdictChange], from: UnixMillis, now: UnixMillis) -> Uptime {
    figure(&totals(changes, from, now))
}

/// How long each verdict held from `from` to `now`, without the time before the first one.
#[must_use]
pub fn totals(changes: &[VerdictChange], from: UnixMillis, now: UnixMillis) -> Totals {
    changes.first().map_or_else(Totals::default, |first| span_totals(changes, from.max(first.at), now))
}

fn figure(totals: &Totals) -> Uptime {
    Uptime { fraction: totals.available(), unknown: totals.unknown_share(), maintenance: totals.maintenance_share() }
}

/// `n` days of one monitor, the last one being that of `now`.
#[must_use]
pub fn days(changes: &[VerdictChange], n: usize, now: UnixMillis) -> Vec<DayBar> {
    let first = first_midnight(now, n);
    (0..i64::try_from(n).unwrap_or(0))
        .map(|i| {
            let from = UnixMillis(first.0 + i * DAY_MS);
            let to = UnixMillis(from.0 + DAY_MS).min(now);
            // Only what can hold within the day is looked at; with all of it, a flapping monitor would cost days times changes.
            let begin = changes.partition_point(|c| c.at <= from).saturating_sub(1);
            let end = changes.partition_point(|c| c.at < to).max(begin);
            let totals = span_totals(&changes[begin..end], from, to);
            DayBar {
                date: date(from),
                up_fraction: totals.available(),
                worst: totals.worst(),
                down_minutes: totals.down.as_secs().div_ceil(60),
                maintenance_minutes: totals.maintenance.as_secs().div_ceil(60),
            }
        })
        .collect()
}

/// `2026-06-30`, in UTC.
#[must_use]
pub fn date(at: UnixMillis) -> String {
    let mut text = at.rfc3339();
    text.truncate(10);
    text
}

/// Reads the past of every page.
///
/// # Errors
/// [`ReadError`]; the book from before is still good.
pub async fn read(archive: &dyn Archive, pages: &[Arc<StatusPage>], generation: u64, now: UnixMillis) -> Result<Book, ReadError> {
    let mut book = Book { generation, pages: BTreeMap::new() };
    for page in pages {
        let n = n_days(page.show.history);
        let from = first_midnight(now, n);
        let ids: Vec<MonitorId> = page.groups.iter().flat_map(|g| &g.monitors).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if ids.is_empty() {
            continue;
        }
        // What a page does not show, its badges do not tell either.
        let stretches = || Stretch::ALL.into_iter().filter(|stretch| stretch.length() <= page.show.history);
        let longest = stretches().next_back().map_or(Duration::ZERO, Stretch::length);
        let mut changes: BTreeMap<MonitorId, Vec<VerdictChange>> = BTreeMap::new();
        for change in archive.verdicts(&ids, from.min(now.minus(longest)), now).await? {
            changes.entry(change.monitor.clone()).or_default().push(change);
        }
        let filter =
            IncidentFilter { monitors: Some(ids.clone()), since: Some(from), limit: PUBLIC_INCIDENTS_MAX, ..IncidentFilter::default() };
        let closed = archive.incidents(&filter).await?.into_iter().filter(|incident| incident.closed.is_some()).collect();
        let mut together: BTreeMap<Stretch, Totals> = BTreeMap::new();
        let mut monitors = BTreeMap::new();
        for id in ids {
            let changes = changes.get(&id).map_or(&[][..], Vec::as_slice);
            let mut figures = BTreeMap::new();
            for stretch in stretches() {
                let totals = totals(changes, now.minus(stretch.length()), now);
                let sum = together.entry(stretch).or_default();
                *sum = sum.plus(&totals);
                figures.insert(stretch, figure(&totals));
            }
            let past = MonitorPast { days: days(changes, n, now), uptime: uptime(changes, from, now), stretches: figures };
            monitors.insert(id, past);
        }
        let stretches = together.iter().map(|(stretch, totals)| (*stretch, figure(totals))).collect();
        book.pages.insert(page.slug.clone(), PagePast { monitors, stretches, closed });
    }
    Ok(book)
}

/// Keeps the book current until told to stop. A reading that fails leaves the book as it is: the present of a page does not
/// depend on it.
pub async fn keep(engine: EngineHandle, archive: Arc<dyn Archive>, book: watch::Sender<Arc<Book>>, stop: CancellationToken) {
    let mut generation = 0;
    let mut was_unreadable = false;
    loop {
        generation += 1;
        let snapshot = engine.snapshot();
        match read(archive.as_ref(), &snapshot.config.pages, generation, snapshot.at).await {
            Ok(fresh) => {
                book.send_replace(Arc::new(fresh));
                was_unreadable = false;
            }
            Err(error) if !was_unreadable => {
                tracing::warn!(%error, "status pages show their history as of before: {error}");
                was_unreadable = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HISTORY_EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::Verdict;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn changes(list: &[(UnixMillis, Verdict)]) -> Vec<VerdictChange> {
        let monitor = MonitorId::parse("api").unwrap();
        list.iter().map(|(at, verdict)| VerdictChange { monitor: monitor.clone(), at: *at, verdict: *verdict }).collect()
    }

    #[test]
    fn days_end_with_today_and_hold_what_held() {
        let list = changes(&[(NOON.minus(HOUR * 36), Verdict::Up), (NOON.minus(HOUR * 2), Verdict::Down), (NOON.minus(HOUR), Verdict::Up)]);
        let bars = days(&list, 4, NOON);
        let shown: Vec<_> = bars.iter().map(|day| (day.date.as_str(), day.worst, day.down_minutes)).collect();
        assert_eq!(
            shown,
            [
                ("2026-06-27", Verdict::Unknown, 0),
                ("2026-06-28", Verdict::Unknown, 0),
                ("2026-06-29", Verdict::Up, 0),
                ("2026-06-30", Verdict::Down, 60)
            ]
        );
        assert_eq!(bars[3].up_fraction, Some(11.0 / 12.0));
    }

    #[test]
    fn time_before_the_first_verdict_is_not_unknown_time() {
        let list = changes(&[(NOON.minus(HOUR * 10), Verdict::Up), (NOON.minus(HOUR * 5), Verdict::Unknown)]);
        assert_eq!(uptime(&list, NOON.minus(HOUR * 1000), NOON), Uptime { fraction: Some(1.0), unknown: 0.5, maintenance: 0.0 });
        assert_eq!(uptime(&[], NOON.minus(HOUR), NOON), Uptime::default());
    }
}
