//! A page's own colour, made so that it can be read: one colour cannot stand out from both white and black paper, so that each of the two
//! looks gets its own shade of it. What can be read as it is stays as it is.

use std::fmt::Write;

/// What text is to have before its ground (WCAG 2.2, 1.4.3, level AA).
const CONTRAST_MIN: f64 = 4.5;

/// What links stand on in the light look: `--surface` and `--ground` of the sheets.
const LIGHT_GROUNDS: [Colour; 2] = [Colour([0xff, 0xff, 0xff]), Colour([0xf7, 0xf7, 0xf5])];

/// The same in the dark look.
const DARK_GROUNDS: [Colour; 2] = [Colour([0x1a, 0x20, 0x1e]), Colour([0x12, 0x16, 0x15])];

/// Steps between a colour and black or white. Finer ones nobody sees.
const STEPS: u16 = 100;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Colour([u8; 3]);

/// The rules that give a page this accent, `#rgb` or `#rrggbb`; `None` when it is no such colour.
#[must_use]
pub fn rules(accent: &str) -> Option<String> {
    let accent = Colour::parse(accent)?;
    let light = accent.readable(Colour([0; 3]), &LIGHT_GROUNDS).text();
    let dark = accent.readable(Colour([0xff; 3]), &DARK_GROUNDS).text();
    Some(format!(
        ":root{{--accent:{light}!important}}\n\
         @media (prefers-color-scheme:dark){{:root:not([data-theme=\"light\"]){{--accent:{dark}!important}}}}\n\
         :root[data-theme=\"dark\"]{{--accent:{dark}!important}}\n"
    ))
}

impl Colour {
    fn parse(text: &str) -> Option<Colour> {
        let hex = text.strip_prefix('#').filter(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()))?;
        let part = |range| hex.get(range).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex.len() {
            3 => Some(Colour([part(0..1)? * 17, part(1..2)? * 17, part(2..3)? * 17])),
            6 => Some(Colour([part(0..2)?, part(2..4)?, part(4..6)?])),
            _ => None,
        }
    }

    fn text(self) -> String {
        self.0.iter().fold("#".to_owned(), |mut text, part| {
            // Writing into a String cannot fail.
            let _ = write!(text, "{part:02x}");
            text
        })
    }

    /// The nearest on the way to `end` that can be read on all of these; `end` can.
    fn readable(self, end: Colour, grounds: &[Colour]) -> Colour {
        let is_readable = |colour: &Colour| grounds.iter().all(|ground| CONTRAST_MIN <= colour.contrast(*ground));
        (0..=STEPS).map(|step| self.towards(end, step)).find(is_readable).unwrap_or(end)
    }

    fn towards(self, end: Colour, step: u16) -> Colour {
        let mut parts = self.0;
        for (part, end) in parts.iter_mut().zip(end.0) {
            let mixed = (u16::from(*part) * (STEPS - step) + u16::from(end) * step) / STEPS;
            *part = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
        Colour(parts)
    }

    /// Between 1 and 21.
    fn contrast(self, other: Colour) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Relative luminance, as WCAG defines it.
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|part| {
            let share = f64::from(part) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::assets::by_hashed_name;
    use crate::ui::assets::hashed_name;

    fn both(accent: &str) -> (Colour, Colour) {
        let accent = Colour::parse(accent).expect("a colour");
        (accent.readable(Colour([0; 3]), &LIGHT_GROUNDS), accent.readable(Colour([0xff; 3]), &DARK_GROUNDS))
    }

    #[test]
    fn contrast_is_what_wcag_says() {
        for (one, two, expected) in [("#000", "#fff", 21.0), ("#777777", "#fff", 4.48), ("#00aa77", "#f7f7f5", 2.79), ("#abc", "#abc", 1.0)]
        {
            let [one, two] = [one, two].map(|text| Colour::parse(text).expect("a colour"));
            assert!((one.contrast(two) - expected).abs() < 0.01, "{one:?} on {two:?}: {}", one.contrast(two));
            assert!((two.contrast(one) - expected).abs() < 0.01);
        }
    }

    #[test]
    fn every_accent_can_be_read_in_both_looks() {
        let shades = || (0..=255_u8).step_by(51);
        for colour in shades().flat_map(|r| shades().flat_map(move |g| shades().map(move |b| Colour([r, g, b])))) {
            let (light, dark) = both(&colour.text());
            for (shade, grounds) in [(light, LIGHT_GROUNDS), (dark, DARK_GROUNDS)] {
                for ground in grounds {
                    assert!(4.5 <= shade.contrast(ground), "{colour:?} as {shade:?} on {ground:?}: {}", shade.contrast(ground));
                }
            }
        }
    }

    #[test]
    fn what_can_be_read_is_left_alone_and_the_rest_keeps_its_hue() {
        let text = |accent| {
            let (light, dark) = both(accent);
            [light.text(), dark.text()]
        };
        assert_eq!(text("#14594a")[0], "#14594a");
        assert_eq!(text("#7cd")[1], "#77ccdd");
        let [light, dark] = text("#0a7");
        assert_eq!((light.as_str(), dark.as_str()), ("#00825b", "#00aa77"));
        assert_eq!(text("#00f")[1].get(5..), Some("ff"), "it is still blue");
    }

    #[test]
    fn the_rules_are_for_all_looks_and_nothing_else_gets_in() {
        let rules = super::rules("#0a7").expect("a colour");
        assert!(rules.starts_with(":root{--accent:#00825b!important}\n") && rules.matches("#00aa77!important").count() == 2, "{rules}");
        for other in ["", "#", "#12", "#1234", "#12345g", "red", "#12é", "#+1+2+3", "#000}body{"] {
            assert_eq!(super::rules(other), None, "{other}");
        }
    }

    #[test]
    fn the_grounds_are_those_of_the_sheets() {
        let sheet = by_hashed_name(hashed_name("status.css")).expect("the sheet");
        let sheet = String::from_utf8_lossy(&sheet.bytes);
        let mut lines = sheet.lines().filter_map(|line| line.trim().strip_prefix("--ground: "));
        for grounds in [LIGHT_GROUNDS, DARK_GROUNDS, DARK_GROUNDS] {
            let line = lines.next().expect("a line of colours");
            let mut parts = line.split(&[':', ';'][..]).map(str::trim);
            let found = (parts.next(), parts.nth(1));
            let [surface, ground] = grounds;
            let parsed = |text: Option<&str>| text.and_then(Colour::parse);
            assert_eq!((parsed(found.1), parsed(found.0)), (Some(surface), Some(ground)), "{line}");
        }
    }
}
