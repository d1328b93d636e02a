//! Maintenance windows as a calendar (RFC 5545) to subscribe to.

use crate::model::time::UnixMillis;
use crate::ui::component::maintenance::WindowView;
use crate::ui::language::Phrases;
use crate::ui::page::status::events;

/// Octets of a line, its end not counted; longer ones are folded.
const LINE_OCTETS_MAX: usize = 75;

/// How often calendars fetch it again. They ask seldom anyway.
const REFRESH: &str = "PT1H";

/// The zone that all times are in. They say so themselves, but a calendar without any component is none, and there may be no window.
const ZONE: [&str; 9] = [
    "BEGIN:VTIMEZONE",
    "TZID:Etc/UTC",
    "BEGIN:STANDARD",
    "DTSTART:19700101T000000",
    "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000",
    "TZNAME:UTC",
    "END:STANDARD",
    "END:VTIMEZONE",
];

const DAY_MS: i64 = 86_400_000;

/// What a calendar holds.
#[derive(Debug, Clone, Copy)]
pub struct Calendar<'a> {
    /// What it is called.
    pub title: &'a str,
    /// Its windows.
    pub windows: &'a [WindowView],
    /// When it is made.
    pub now: UnixMillis,
}

/// The whole calendar. `id` makes an id, the same for ever, of what is told apart by its argument.
#[must_use]
pub fn calendar(of: Calendar<'_>, p: &Phrases, id: &dyn Fn(&str) -> String) -> String {
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//vigilmon//status page//EN".to_owned(),
        format!("NAME:{}", escaped(of.title)),
        format!("X-WR-CALNAME:{}", escaped(of.title)),
        format!("REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}"),
    ];
    // The day is fine enough to say when it was made, and lets the same calendar be the same bytes for a day.
    let made = UnixMillis(of.now.0.div_euclid(DAY_MS) * DAY_MS);
    for window in of.windows {
        let said = [window.message.clone(), events::affects(window, p)].into_iter().flatten().collect::<Vec<_>>().join("\n");
        lines.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}", id(&format!("window {} {}", window.from.0, window.name))),
            format!("DTSTAMP:{}", stamp(made)),
            format!("DTSTART:{}", stamp(window.from)),
            format!("DTEND:{}", stamp(window.to)),
            format!("SUMMARY:{}", escaped(&format!("{}{}{}", p.maintenance, p.colon, window.name))),
            format!("DESCRIPTION:{}", escaped(&said)),
            "TRANSP:TRANSPARENT".to_owned(),
            "END:VEVENT".to_owned(),
        ]);
    }
    if of.windows.is_empty() {
        lines.extend(ZONE.map(ToOwned::to_owned));
    }
    lines.push("END:VCALENDAR".to_owned());
    lines.iter().map(|line| folded(line)).collect()
}

/// `20260630T100000Z`.
fn stamp(at: UnixMillis) -> String {
    at.rfc3339().replace(['-', ':'], "")
}

/// A text as a value: what separates is escaped, line breaks are written out, and other control characters are left out.
fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => value.extend(['\\', c]),
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => value.push_str("\\n"),
            c if c.is_control() => {}
            c => value.push(c),
        }
    }
    value
}

/// A line with its end, folded where it is too long, never inside of a character.
fn folded(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 8);
    let mut octets = 0;
    for c in line.chars() {
        if LINE_OCTETS_MAX < octets + c.len_utf8() {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(c);
        octets += c.len_utf8();
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::page::Language;
    use crate::ui::language::phrases;

    #[test]
    fn a_calendar_is_folded_and_escaped() {
        let window = WindowView {
            name: "Patching; all, of \\it".to_owned(),
            message: Some(
                "One after the other.\r\nEND:VEVENT\nUmlauts: äöü and 保守作業のお知らせ, which are long enough to be folded\u{7}."
                    .to_owned(),
            ),
            from: UnixMillis(1_782_820_800_000),
            to: UnixMillis(1_782_828_000_000),
            is_open: false,
            services: vec!["api".to_owned()],
        };
        let of = Calendar { title: "Status", windows: &[window], now: UnixMillis(1_782_820_800_001) };
        let text = calendar(of, phrases(Language::English), &|what| format!("<{what}>"));
        for line in text.split("\r\n") {
            assert!(line.len() <= LINE_OCTETS_MAX && !line.contains(['\n', '\r']), "{line:?}");
        }
        assert_eq!(text.matches("END:VEVENT\r\n").count(), 1);
        insta::assert_snapshot!(text.replace("\r\n", "\n"));
    }

    #[test]
    fn a_calendar_without_windows_has_a_component_all_the_same() {
        let of = Calendar { title: "Status", windows: &[], now: UnixMillis(0) };
        let text = calendar(of, phrases(Language::English), &ToOwned::to_owned);
        assert!(text.ends_with(":PT1H\r\nBEGIN:VTIMEZONE\r\nTZID:Etc/UTC\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0000\r\nTZNAME:UTC\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"), "{text}");
    }

    #[test]
    fn lines_are_folded_at_75_octets_and_between_characters() {
        for (line, expected) in [
            ("x".repeat(75), format!("{}\r\n", "x".repeat(75))),
            ("x".repeat(76), format!("{}\r\n x\r\n", "x".repeat(75))),
            ("é".repeat(38), format!("{}\r\n é\r\n", "é".repeat(37))),
            ("x".repeat(150), format!("{}\r\n {}\r\n x\r\n", "x".repeat(75), "x".repeat(74))),
        ] {
            assert_eq!(folded(&line), expected);
        }
    }
}
