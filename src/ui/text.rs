//! Small texts: times, ages, percentages, plurals.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::time::spoken;

/// `2026-06-30 10:23:00 UTC`: whole seconds with the zone, because a time without one is a riddle at three in the morning.
#[must_use]
pub fn utc(at: UnixMillis) -> String {
    at.rfc3339().replace('T', " ").replace('Z', " UTC")
}

/// A point in time; the script shows it in the reader's zone and keeps UTC in the tooltip.
#[must_use]
pub fn time(at: UnixMillis) -> Markup {
    html! { time datetime=(at.rfc3339()) { (utc(at)) } }
}

/// How long ago something was, kept current by the script.
#[must_use]
pub fn ago(at: UnixMillis, now: UnixMillis) -> Markup {
    let text = if now < at { format!("in {}", coarse(at.since(now))) } else { format!("{} ago", coarse(now.since(at))) };
    html! { time data-ago datetime=(at.rfc3339()) title=(utc(at)) { (text) } }
}

/// A point in time for tables: without the year when it is this one and without seconds; all of it is in the tooltip.
#[must_use]
pub fn short(at: UnixMillis, now: UnixMillis) -> Markup {
    let (full, this) = (utc(at), utc(now));
    let rest = this.split_once('-').and_then(|(year, _)| full.strip_prefix(year)?.strip_prefix('-'));
    let to_minute = rest.unwrap_or(&full).rsplit_once(':').map_or(full.as_str(), |(to_minute, _)| to_minute);
    html! { time data-short datetime=(at.rfc3339()) title=(full) { (to_minute) " UTC" } }
}

/// Like [`ago`], without the tooltip, which the script adds: for tables with thousands of rows.
#[must_use]
pub fn ago_bare(at: UnixMillis, now: UnixMillis) -> Markup {
    html! { time data-ago datetime=(at.rfc3339()) { (coarse(now.since(at))) " ago" } }
}

/// When something comes; what should have come already is due, and not "ago".
#[must_use]
pub fn until(at: UnixMillis, now: UnixMillis) -> Markup {
    html! { time data-until datetime=(at.rfc3339()) { (until_words(at, now)) } }
}

/// Like [`until`] as bare words, which the script does not keep current: for tables that are fetched again soon enough.
#[must_use]
pub fn until_words(at: UnixMillis, now: UnixMillis) -> String {
    if now < at { format!("in {}", coarse(at.since(now))) } else { "due".to_owned() }
}

/// A duration for a glance: seconds below a minute are whole, so that a page does not pretend to a precision it lacks.
#[must_use]
pub fn coarse(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=59 => format!("{seconds} s"),
        seconds @ 60..=3599 => format!("{} min", seconds / 60),
        _ => spoken(duration),
    }
}

/// A response time: `340 ms`, `2.4 s`.
#[must_use]
pub fn latency(took: Duration) -> String {
    spoken(took)
}

/// A number of bytes: `812 B`, `12 kB`, `3.4 MB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut amount = n as f64;
    let mut unit = "B";
    for larger in UNITS {
        if amount < 1000.0 {
            break;
        }
        (amount, unit) = (amount / 1000.0, larger);
    }
    if unit == "B" || 10.0 <= amount { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") }
}

/// A share as a percentage, cut and never rounded up: `100 %` is said of nothing that failed.
#[must_use]
pub fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100 %".to_owned();
    }
    let hundredths = (share.max(0.0) * 10_000.0 + 1e-6).floor() / 100.0;
    format!("{:.2} %", hundredths.min(99.99))
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn joined(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// `1 service`, `3 services`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_never_flatter() {
        for (share, text) in [(1.0, "100 %"), (0.999_999, "99.99 %"), (0.999, "99.90 %"), (0.5, "50.00 %"), (0.0, "0.00 %")] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn bytes_are_short() {
        for (n, text) in
            [(0, "0 B"), (812, "812 B"), (1_000, "1.0 kB"), (12_345, "12 kB"), (3_400_000, "3.4 MB"), (u64::MAX, "18446744 TB")]
        {
            assert_eq!(bytes(n), text);
        }
    }

    #[test]
    fn times_carry_their_zone() {
        assert_eq!(utc(UnixMillis(1_782_814_980_999)), "2026-06-30 10:23:00 UTC");
        assert!(ago(UnixMillis(0), UnixMillis(200_000)).into_string().contains("3 min ago"));
        let at = UnixMillis(1_782_814_980_999);
        assert!(short(at, at).into_string().ends_with("title=\"2026-06-30 10:23:00 UTC\">06-30 10:23 UTC</time>"));
        assert!(short(at, UnixMillis(0)).into_string().ends_with(">2026-06-30 10:23 UTC</time>"));
        assert!(until(UnixMillis(30_000), UnixMillis(0)).into_string().contains(">in 30 s<"));
        assert!(until(UnixMillis(0), UnixMillis(60_000)).into_string().contains(">due<"));
        assert!(ago(UnixMillis(30_000), UnixMillis(0)).into_string().contains("in 30 s"));
    }
}
