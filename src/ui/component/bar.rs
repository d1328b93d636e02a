//! Availability: the bar of days, and the figure beside it that keeps the unknown apart from the good.

use maud::Markup;
use maud::html;

use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::text;

/// Width of one day with its gap, in the bar's own units.
const DAY_WIDTH: usize = 4;

/// Height of the bar.
const HEIGHT: usize = 28;

/// One day of a monitor.
#[derive(Debug, Clone, PartialEq)]
pub struct DayBar {
    /// `2026-06-30`, in UTC.
    pub date: String,
    /// Share of the known time in which it was up or degraded; `None` when nothing is known of the day.
    pub up_fraction: Option<f64>,
    /// The worst that was held during the day.
    pub worst: Verdict,
    /// Minutes of down, begun ones counted.
    pub down_minutes: u64,
    /// Minutes in maintenance, begun ones counted.
    pub maintenance_minutes: u64,
}

/// Availability over a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Uptime {
    /// Share of the known time in which it was up or degraded; `None` when nothing is known.
    pub fraction: Option<f64>,
    /// Share of the stretch about which nothing is known.
    pub unknown: f64,
    /// Share of the stretch in which it was in maintenance.
    pub maintenance: f64,
}

/// Days that a tooltip names; a longer one would not fit beside the bar.
const TOOLTIP_DAYS: usize = 5;

/// Shares below this of what is neither up nor down are not worth a word: a restart takes a few seconds.
const WORTH_SAYING: f64 = 0.001;

/// How high the mark of a day with some maintenance is.
const MARK_HEIGHT: usize = 7;

/// The figure.
#[must_use]
pub fn uptime(uptime: Uptime) -> Markup {
    html! {
        span.uptime {
            @match uptime.fraction {
                Some(share) => {
                    (text::percent(share)) " up"
                    @if uptime.unknown >= WORTH_SAYING { span.quiet { ", " (text::percent(uptime.unknown)) " of the time unknown" } }
                    @if uptime.maintenance >= WORTH_SAYING { span.quiet { ", " (text::percent(uptime.maintenance)) " in maintenance" } }
                }
                None if uptime.maintenance >= WORTH_SAYING => { span.quiet { "in maintenance" } }
                None => { span.quiet { "no data yet" } }
            }
        }
    }
}

/// One stroke per day, oldest left. Days of the same state share one path, which keeps a page of fifty monitors small; the paths of
/// days with trouble or maintenance have a tooltip that names the newest of them. A day that was in maintenance for a while has a mark at its foot,
/// in whatever state it was else.
#[must_use]
pub fn days(days: &[DayBar]) -> Markup {
    let width = days.len() * DAY_WIDTH;
    html! {
        svg.days viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(summary(days)) {
            @for state in [Verdict::Up, Verdict::Unknown, Verdict::Paused, Verdict::Maintenance, Verdict::Degraded, Verdict::Down] {
                @let strokes = strokes(days, state);
                @if !strokes.is_empty() {
                    path.(class(state)) d=(strokes) {
                        @if matches!(state, Verdict::Degraded | Verdict::Down) { title { (tooltip(days, |day| day.worst == state, trouble_line)) } }
                        @if state == Verdict::Maintenance { title { (tooltip(days, |day| day.worst == state, maintenance_line)) } }
                    }
                }
            }
            @let marks = marks(days);
            @if !marks.is_empty() {
                path.mark.(class(Verdict::Maintenance)) d=(marks) { title { (tooltip(days, is_marked, maintenance_line)) } }
            }
        }
    }
}

fn strokes(days: &[DayBar], state: Verdict) -> String {
    days.iter().enumerate().filter(|(_, day)| day.worst == state).map(|(i, _)| stroke(i)).collect()
}

fn stroke(day: usize) -> String {
    format!("M{} 0v{HEIGHT}", day * DAY_WIDTH + DAY_WIDTH / 2)
}

/// Whether the day has a mark for the maintenance in it.
fn is_marked(day: &DayBar) -> bool {
    day.maintenance_minutes > 0 && day.worst != Verdict::Maintenance
}

fn marks(days: &[DayBar]) -> String {
    // Each from where the one before ends, which is shorter: windows of every night make many.
    let mut at = (0, 0);
    let marked = days.iter().enumerate().filter(|(_, day)| is_marked(day)).map(|(i, _)| i * DAY_WIDTH + DAY_WIDTH / 2);
    let mut path = String::new();
    for x in marked {
        let top = HEIGHT - MARK_HEIGHT;
        match at {
            (_, 0) => path.push_str(&format!("M{x} {top}v{MARK_HEIGHT}")),
            (before, _) => path.push_str(&format!("m{}-{MARK_HEIGHT}v{MARK_HEIGHT}", x - before)),
        }
        at = (x, HEIGHT);
    }
    path
}

/// The newest of these days, one line each.
fn tooltip(days: &[DayBar], which: impl Fn(&DayBar) -> bool, line: fn(&DayBar) -> String) -> String {
    let mut newest = days.iter().rev().filter(|day| which(day));
    let mut lines: Vec<String> = newest.by_ref().take(TOOLTIP_DAYS).map(line).collect();
    let n_more = newest.count();
    if n_more > 0 {
        lines.push(format!("and {} more", text::count(n_more, "day")));
    }
    lines.join("\n")
}

fn maintenance_line(day: &DayBar) -> String {
    format!("{}: in maintenance for {} min", day.date, day.maintenance_minutes)
}

fn trouble_line(day: &DayBar) -> String {
    let share = day.up_fraction.map_or_else(|| "no data".to_owned(), |share| format!("{} up", text::percent(share)));
    if day.down_minutes > 0 {
        format!("{}: {share}, down for {} min", day.date, day.down_minutes)
    } else {
        format!("{}: {share}, degraded", day.date)
    }
}

fn summary(days: &[DayBar]) -> String {
    let n = |state: Verdict| days.iter().filter(|day| day.worst == state).count();
    let n_planned = days.iter().filter(|day| day.maintenance_minutes > 0).count();
    let planned = if n_planned == 0 { String::new() } else { format!(", {n_planned} with maintenance") };
    format!(
        "last {}: {} with an outage, {} degraded, {} without data{planned}",
        text::count(days.len(), "day"),
        n(Verdict::Down),
        n(Verdict::Degraded),
        n(Verdict::Unknown)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(worst: Verdict, down_minutes: u64) -> DayBar {
        DayBar { date: "2026-06-30".to_owned(), up_fraction: Some(0.99), worst, down_minutes, maintenance_minutes: 0 }
    }

    #[test]
    fn bars_have_a_text_alternative_and_tooltips_where_there_was_trouble() {
        let text = days(&[day(Verdict::Up, 0), day(Verdict::Down, 14), day(Verdict::Unknown, 0)]).into_string();
        assert!(text.contains("last 3 days: 1 with an outage, 0 degraded, 1 without data"), "{text}");
        assert_eq!(text.matches("<title>").count(), 1);
        assert!(text.contains("down for 14 min"));
        let troubled: Vec<DayBar> = (0..90).map(|i| day(if i % 2 == 0 { Verdict::Down } else { Verdict::Degraded }, i % 2)).collect();
        let text = super::days(&troubled).into_string();
        assert_eq!(text.matches("<path").count(), 2, "one per colour");
        assert!(text.contains("45 with an outage, 45 degraded") && text.contains("and 40 days more"), "{text}");
    }

    #[test]
    fn maintenance_is_neither_up_nor_an_outage() {
        let planned = |worst, minutes| DayBar { maintenance_minutes: minutes, ..day(worst, 0) };
        let text = days(&[planned(Verdict::Up, 120), planned(Verdict::Maintenance, 1440), day(Verdict::Up, 0)]).into_string();
        assert!(text.contains("0 with an outage, 0 degraded, 0 without data, 2 with maintenance"), "{text}");
        assert_eq!(text.matches("is-maintenance").count(), 2, "a whole day and a mark: {text}");
        assert!(text.contains("in maintenance for 120 min") && text.contains("in maintenance for 1440 min"));
        let figure = uptime(Uptime { fraction: Some(1.0), unknown: 0.0, maintenance: 0.25 }).into_string();
        assert!(figure.contains("25.00 % in maintenance"), "{figure}");
        let only = uptime(Uptime { fraction: None, unknown: 0.0, maintenance: 1.0 }).into_string();
        assert!(only.contains("in maintenance") && !only.contains("no data"), "{only}");
    }

    #[test]
    fn the_unknown_is_not_called_up() {
        assert!(
            uptime(Uptime { fraction: Some(1.0), unknown: 0.2, maintenance: 0.0 }).into_string().contains("20.00 % of the time unknown")
        );
        assert!(uptime(Uptime::default()).into_string().contains("no data yet"));
    }
}
