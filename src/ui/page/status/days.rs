//! The bar of days as visitors see it. A day of an outage is red as far up as the outage was long, so that a minute does not look like
//! a day. The script tells of each day, under the pointer and by the arrow keys; without it the list of days with trouble does.

use std::fmt::Write;
use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::bar::DayBar;
use crate::ui::component::bar::Uptime;
use crate::ui::language::DayCounts;
use crate::ui::language::Phrases;

/// Width of one day with its gap, in the bar's own units.
const DAY_WIDTH: usize = 4;

/// Height of the bar.
const HEIGHT: usize = 28;

/// How high the mark of a day with some maintenance is.
const MARK_HEIGHT: usize = 6;

/// How high the red of a day with an outage is: for a few minutes, for hours, and for most of the day.
const DOWN_HEIGHTS: [usize; 3] = [10, 18, HEIGHT];

/// Up to these shares of the day an outage has the first and the second of these heights.
const DOWN_SHARES: [f64; 2] = [0.02, 0.25];

/// Days that the list names; a longer one nobody reads.
const LISTED_DAYS: usize = 7;

/// Shares below this of what is neither up nor down are not worth a word: a restart takes a few seconds.
const WORTH_SAYING: f64 = 0.001;

/// What the script has to say of days, between bars. `{}` is where a number goes.
pub(super) fn words(p: &Phrases) -> String {
    [
        p.day_fine.to_owned(),
        p.day_unknown.to_owned(),
        (p.state)(Verdict::Paused).to_owned(),
        p.day_degraded.to_owned(),
        (p.available)("{}"),
        (p.day_down)("{}"),
        (p.day_maintenance)("{}"),
    ]
    .join("|")
}

/// The bar with its ends, the figure between them, and the list of days with trouble.
pub(super) fn days(days: &[DayBar], uptime: Uptime, p: &Phrases) -> Markup {
    let width = days.len() * DAY_WIDTH;
    let drawn = Drawn::of(days);
    html! {
        svg.days viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(summary(days, p)) data-from=[days.first().map(|day| &day.date)] data-days=(told(days)) {
            @for (state, path) in &drawn.0 { @if !path.is_empty() { path.(class(*state)) d=(path) {} } }
        }
        div.days-legend { span { ((p.days_ago)(days.len())) } (figure(uptime, p)) span { (p.today) } }
        (list(days, p))
    }
}

/// The figure, which keeps the unknown and maintenance apart from the good.
fn figure(uptime: Uptime, p: &Phrases) -> Markup {
    html! {
        span.uptime {
            @match uptime.fraction {
                Some(share) => {
                    ((p.available)(&p.percent(share)))
                    @if uptime.unknown >= WORTH_SAYING { (p.comma) ((p.unknown_share)(&p.percent(uptime.unknown))) }
                    @if uptime.maintenance >= WORTH_SAYING { (p.comma) ((p.maintenance_share)(&p.percent(uptime.maintenance))) }
                }
                None if uptime.maintenance >= WORTH_SAYING => { ((p.maintenance_share)(&p.percent(uptime.maintenance))) }
                None => { (p.no_data_yet) }
            }
        }
    }
}

/// One path per state, so that a page of fifty bars stays small. Each stroke is drawn from where the one before ended, because the same
/// step many times compresses to nearly nothing.
struct Drawn([(Verdict, String); 7]);

impl Drawn {
    fn of(days: &[DayBar]) -> Drawn {
        let states = [
            Verdict::Up,
            Verdict::Unknown,
            Verdict::Paused,
            Verdict::Maintenance,
            Verdict::Degraded,
            Verdict::Down,
            // Marks of maintenance come last, above whatever the day was else.
            Verdict::Maintenance,
        ];
        let mut paths: [(Path, Verdict); 7] = states.map(|state| (Path::default(), state));
        for (i, day) in days.iter().enumerate() {
            let x = i * DAY_WIDTH + DAY_WIDTH / 2;
            let red = if day.worst == Verdict::Down { down_height(day) } else { 0 };
            if let Some((path, _)) = paths.iter_mut().find(|(_, state)| *state == day.worst) {
                path.stroke(x, if red == 0 { (0, HEIGHT) } else { (HEIGHT - red, red) });
            }
            if 0 < red && red < HEIGHT {
                paths[0].0.stroke(x, (0, HEIGHT - red - 1));
            }
            if day.maintenance_minutes > 0 && day.worst != Verdict::Maintenance {
                paths[6].0.stroke(x, (HEIGHT - MARK_HEIGHT, MARK_HEIGHT));
            }
        }
        Drawn(paths.map(|(path, state)| (state, path.text)))
    }
}

#[derive(Default)]
struct Path {
    text: String,
    /// Where the pen is.
    at: Option<(usize, usize)>,
}

impl Path {
    fn stroke(&mut self, x: usize, (top, height): (usize, usize)) {
        // Writing into a String cannot fail.
        let _ = match self.at {
            None => write!(self.text, "M{x} {top}v{height}"),
            Some((before, bottom)) if bottom == top => write!(self.text, "m{} 0v{height}", x - before),
            Some((before, bottom)) if bottom < top => write!(self.text, "m{} {}v{height}", x - before, top - bottom),
            Some((before, bottom)) => write!(self.text, "m{}-{}v{height}", x - before, bottom - top),
        };
        self.at = Some((x, top + height));
    }
}

fn down_height(day: &DayBar) -> usize {
    let share = 1.0 - day.up_fraction.unwrap_or(0.0);
    let step = DOWN_SHARES.iter().position(|most| share <= *most).unwrap_or(DOWN_SHARES.len());
    DOWN_HEIGHTS[step]
}

/// For the script: what was not simply well, as `day`, letter of the state, hundredths of a percent, minutes down, minutes of
/// maintenance. Days in a row that say the same are one.
fn told(days: &[DayBar]) -> String {
    let mut text = String::new();
    let mut rest = days.iter().enumerate().peekable();
    while let Some((i, day)) = rest.next() {
        let Some(said) = said(day) else { continue };
        let mut last = i;
        while rest.peek().is_some_and(|(_, next)| self::said(next).as_ref() == Some(&said)) {
            last = rest.next().map_or(last, |(k, _)| k);
        }
        let to = if last == i { String::new() } else { format!("-{last}") };
        let space = if text.is_empty() { "" } else { " " };
        // Writing into a String cannot fail.
        let _ = write!(text, "{space}{i}{to}{said}");
    }
    text
}

fn said(day: &DayBar) -> Option<String> {
    let letter = match day.worst {
        Verdict::Up => 'o',
        Verdict::Degraded => 'g',
        Verdict::Down => 'd',
        Verdict::Unknown => 'u',
        Verdict::Paused => 'p',
        Verdict::Maintenance => 'm',
    };
    // Cut, never rounded up: nothing that failed is called 100 %.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of ten thousand")]
    let hundredths = day.up_fraction.map(|share| (share.clamp(0.0, 1.0) * 10_000.0 + 1e-6) as u32);
    let is_plain = day.worst == Verdict::Up && day.maintenance_minutes == 0 && day.up_fraction.is_some_and(|share| share >= 1.0);
    let numbers = [hundredths.map(|n| n.to_string()), number(day.down_minutes), number(day.maintenance_minutes)];
    let numbers = numbers.map(Option::unwrap_or_default).join(".");
    (!is_plain).then(|| format!("{letter}{}", numbers.trim_end_matches('.')))
}

fn number(n: u64) -> Option<String> {
    (n > 0).then(|| n.to_string())
}

/// The newest days with an outage or a degradation, one line each; folded, and nothing when there are none.
fn list(days: &[DayBar], p: &Phrases) -> Markup {
    let bad: Vec<&DayBar> = days.iter().rev().filter(|day| matches!(day.worst, Verdict::Down | Verdict::Degraded)).collect();
    let n_more = bad.len().saturating_sub(LISTED_DAYS);
    html! {
        @if !bad.is_empty() {
            details.trouble {
                summary { ((p.days_with_trouble)(bad.len())) }
                ul {
                    @for day in bad.iter().take(LISTED_DAYS) { li { time datetime=(day.date) { (day.date) } (p.colon) (line(day, p)) } }
                    @if n_more > 0 { li { ((p.more_days)(n_more)) } }
                }
            }
        }
    }
}

fn line(day: &DayBar, p: &Phrases) -> String {
    let minutes = |n: u64| p.span(Duration::from_secs(n * 60));
    let mut parts: Vec<String> = day.up_fraction.map(|share| (p.available)(&p.percent(share))).into_iter().collect();
    if day.worst == Verdict::Degraded {
        parts.push(p.day_degraded.to_owned());
    }
    if day.down_minutes > 0 {
        parts.push((p.day_down)(&minutes(day.down_minutes)));
    }
    if day.maintenance_minutes > 0 {
        parts.push((p.day_maintenance)(&minutes(day.maintenance_minutes)));
    }
    parts.join(p.comma)
}

fn summary(days: &[DayBar], p: &Phrases) -> String {
    let n = |state: Verdict| days.iter().filter(|day| day.worst == state).count();
    (p.days_summary)(DayCounts {
        n_down: n(Verdict::Down),
        n_degraded: n(Verdict::Degraded),
        n_unknown: n(Verdict::Unknown),
        n_maintenance: days.iter().filter(|day| day.maintenance_minutes > 0).count(),
        n: days.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::page::Language;
    use crate::ui::language::phrases;

    fn day(worst: Verdict, up: Option<f64>, down: u64, maintenance: u64) -> DayBar {
        DayBar { date: "2026-06-30".to_owned(), up_fraction: up, worst, down_minutes: down, maintenance_minutes: maintenance }
    }

    #[test]
    fn the_script_is_told_what_was_not_simply_well() {
        let fine = || day(Verdict::Up, Some(1.0), 0, 0);
        let unknown = || day(Verdict::Unknown, None, 0, 0);
        for (days, expected) in [
            (vec![fine(), fine()], ""),
            (vec![unknown(), unknown(), unknown(), fine(), day(Verdict::Down, Some(0.972), 43, 0)], "0-2u 4d9720.43"),
            (vec![fine(), day(Verdict::Up, Some(1.0), 0, 120), day(Verdict::Maintenance, None, 0, 1440)], "1o10000..120 2m..1440"),
            (vec![day(Verdict::Degraded, Some(1.0), 0, 0), day(Verdict::Paused, None, 0, 0)], "0g10000 1p"),
            (vec![day(Verdict::Down, Some(0.999_999), 1, 5)], "0d9999.1.5"),
        ] {
            assert_eq!(told(&days), expected);
        }
    }

    #[test]
    fn an_outage_is_as_high_as_it_was_long() {
        for (up, strokes) in [
            (0.99, [(Verdict::Up, "M2 0v17"), (Verdict::Down, "M2 18v10")].as_slice()),
            (0.9, &[(Verdict::Up, "M2 0v9"), (Verdict::Down, "M2 10v18")]),
            (0.2, &[(Verdict::Down, "M2 0v28")]),
        ] {
            let Drawn(paths) = Drawn::of(&[day(Verdict::Down, Some(up), 10, 0)]);
            let drawn: Vec<(Verdict, &str)> = paths.iter().filter(|(_, d)| !d.is_empty()).map(|(state, d)| (*state, d.as_str())).collect();
            assert_eq!(drawn, strokes, "{up}");
        }
        let Drawn(paths) =
            Drawn::of(&[day(Verdict::Up, Some(1.0), 0, 5), day(Verdict::Up, Some(1.0), 0, 0), day(Verdict::Up, Some(1.0), 0, 9)]);
        assert_eq!((paths[0].1.as_str(), paths[6].1.as_str()), ("M2 0v28m4-28v28m4-28v28", "M2 22v6m8-6v6"));
    }

    #[test]
    fn without_a_script_days_with_trouble_are_listed() {
        let p = phrases(Language::English);
        let bad: Vec<DayBar> = (0..9).map(|i| day(if i == 8 { Verdict::Degraded } else { Verdict::Down }, Some(0.97), i, 5)).collect();
        let text = days(&bad, Uptime::default(), p).into_string();
        assert!(text.contains("9 days with trouble") && text.contains("and 2 days more"), "{text}");
        assert!(text.contains("97.00 % up, degraded, down for 8 min, in maintenance for 5 min"), "{text}");
        assert!(
            text.contains("no data yet") && text.contains("last 9 days: 8 with an outage, 1 degraded, 0 without data, 9 with maintenance")
        );
        let fine =
            days(&[day(Verdict::Up, Some(1.0), 0, 0)], Uptime { fraction: Some(1.0), unknown: 0.2, maintenance: 0.25 }, p).into_string();
        assert!(!fine.contains("<details") && fine.contains("100 % up, 20.00 % of the time unknown, 25.00 % in maintenance"), "{fine}");
    }
}
