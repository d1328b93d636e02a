//! State by word, shape and colour, in this order of importance. On pages as a mark beside a name, and for other people's pages as a
//! drawing of its own: label and message side by side, which needs no style sheet and no font that everybody has.

use maud::Markup;
use maud::html;

use crate::model::result::Outcome;
use crate::model::verdict::Verdict;

/// The class that carries the colour of a state.
#[must_use]
pub fn class(state: Verdict) -> &'static str {
    match state {
        Verdict::Up => "is-up",
        Verdict::Degraded => "is-degraded",
        Verdict::Down => "is-down",
        Verdict::Unknown => "is-unknown",
        Verdict::Paused => "is-paused",
        Verdict::Maintenance => "is-maintenance",
    }
}

/// The word for a state, as pages write it.
#[must_use]
pub fn word(state: Verdict) -> &'static str {
    match state {
        Verdict::Up => "Up",
        Verdict::Degraded => "Degraded",
        Verdict::Down => "Down",
        Verdict::Unknown => "Unknown",
        Verdict::Paused => "Paused",
        Verdict::Maintenance => "Maintenance",
    }
}

/// A check's outcome in the words of verdicts.
#[must_use]
pub fn of_outcome(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Up => Verdict::Up,
        Outcome::Degraded => Verdict::Degraded,
        Outcome::Down => Verdict::Down,
        Outcome::Unknown => Verdict::Unknown,
    }
}

/// The shape of a state: disc, triangle, square, ring, two bars, diamond. Tells them apart without colour.
#[must_use]
pub fn shape(state: Verdict) -> Markup {
    html! {
        svg.shape.(class(state)) viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" {
            @match state {
                Verdict::Up => { circle cx="6" cy="6" r="5" {} },
                Verdict::Degraded => { path d="M6 .8 11.6 11H.4z" {} },
                Verdict::Down => { path d="M1 1h10v10H1z" {} },
                Verdict::Unknown => { circle.hollow cx="6" cy="6" r="4.2" stroke-dasharray="2.2 1.6" {} },
                Verdict::Paused => { path d="M2 1h3v10H2zM7 1h3v10H7z" {} },
                Verdict::Maintenance => { path d="M6 .2 11.8 6 6 11.8.2 6z" {} },
            }
        }
    }
}

/// Shape and word.
#[must_use]
pub fn badge(state: Verdict) -> Markup {
    html! { span.badge.(class(state)) { (shape(state)) " " (word(state)) } }
}

/// Shape and a word of one's own; for what a state cannot say by itself, such as "late".
#[must_use]
pub fn badge_saying(state: Verdict, word: &str) -> Markup {
    html! { span.badge.(class(state)) { (shape(state)) " " (word) } }
}

/// A badge for other people's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Left: of what.
    pub label: String,
    /// Right: how it is.
    pub message: String,
    /// Decides the colour.
    pub look: Verdict,
}

/// Characters of a label or a message; longer ones are cut, because a badge stands in a line of text.
const BADGE_CHARS_MAX: usize = 48;

/// Room beside each text, in pixels.
const BADGE_PADDING: u32 = 7;

/// Behind the label; dark enough for white letters, and light enough to be seen on a dark page.
const LABEL_GROUND: &str = "#47504d";

/// Behind the message. White letters are read on all of them (contrast above 4.5), whatever is around the badge.
fn ground(look: Verdict) -> &'static str {
    match look {
        Verdict::Up => "#1b7f4d",
        Verdict::Degraded => "#a05f00",
        Verdict::Down => "#c0332b",
        Verdict::Unknown => "#656c7a",
        Verdict::Paused => "#4f6390",
        Verdict::Maintenance => "#7a4fa3",
    }
}

/// The colour's name in the endpoint format of shields.io.
#[must_use]
pub fn shields_colour(look: Verdict) -> &'static str {
    match look {
        Verdict::Up => "success",
        Verdict::Degraded => "important",
        Verdict::Down => "critical",
        Verdict::Unknown => "inactive",
        Verdict::Paused => "informational",
        Verdict::Maintenance => "blueviolet",
    }
}

/// The drawing as SVG. It has no ids, no styles and no scripts, so that it may also be put into a page as it is. Each text is told how
/// wide to be: which font a reader has is not known, and letters must not leave their field.
#[must_use]
pub fn drawing(badge: &Drawing) -> Markup {
    let (label, message) = (shown(&badge.label), shown(&badge.message));
    let (label_width, message_width) = (width(&label), width(&message));
    let left = label_width + 2 * BADGE_PADDING;
    let right = message_width + 2 * BADGE_PADDING;
    let whole = left + right;
    let text = |x: u32, width: u32, text: &str| html! { text x=(x) y="14" textLength=(width) lengthAdjust="spacingAndGlyphs" { (text) } };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(whole) height="20" viewBox={ "0 0 " (whole) " 20" } role="img" aria-label={ (label) ": " (message) } {
            title { (label) ": " (message) }
            path fill=(LABEL_GROUND) d={ "M4 0H" (left) "V20H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z" } {}
            path fill=(ground(badge.look)) d={ "M" (left) " 0h" (right - 4) "a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4H" (left) "z" } {}
            rect x=".5" y=".5" width=(whole - 1) height="19" rx="3.5" fill="none" stroke="#fff" stroke-opacity=".16" {}
            g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" {
                (text(BADGE_PADDING, label_width, &label))
                (text(left + BADGE_PADDING, message_width, &message))
            }
        }
    }
}

/// A text as it fits on a badge, without what no XML may contain.
fn shown(text: &str) -> String {
    let is_allowed = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let mut chars = text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' });
    let mut cut: String = chars.by_ref().take(BADGE_CHARS_MAX).collect();
    if chars.next().is_some() {
        cut.pop();
        cut.push('…');
    }
    if cut.trim().is_empty() { "-".to_owned() } else { cut }
}

/// How wide a text is in Verdana of 11 pixels, to within a few percent; the letters are then set to exactly that.
fn width(text: &str) -> u32 {
    let tenths = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 32,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 44,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 105,
        'A'..='Z' => 78,
        c if c.is_ascii() => 68,
        // Letters of other alphabets are mostly wider; ideographs are as wide as they are high.
        '\u{1100}'..='\u{ffef}' | '\u{1f000}'..='\u{3ffff}' => 110,
        _ => 75,
    };
    text.chars().map(tenths).sum::<u32>().div_ceil(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_says_what_and_how_and_stays_in_its_fields() {
        let badge = Drawing { label: "nightly <report> & \"more\"".to_owned(), message: "99.95 %".to_owned(), look: Verdict::Up };
        let svg = drawing(&badge).into_string();
        assert!(svg.contains("nightly &lt;report&gt; &amp; &quot;more&quot;: 99.95 %"), "{svg}");
        assert!(!svg.contains("style") && !svg.contains("id=") && !svg.contains("<script"), "{svg}");
        assert!(svg.len() < 1200, "{}", svg.len());
        assert!(svg.contains(&format!("textLength=\"{}\"", width("99.95 %"))));
    }

    #[test]
    fn long_and_strange_texts_are_cut_and_cleaned() {
        assert_eq!(shown(&"x".repeat(60)).chars().count(), BADGE_CHARS_MAX);
        assert!(shown(&"x".repeat(60)).ends_with('…'));
        assert_eq!(shown(&"x".repeat(BADGE_CHARS_MAX)), "x".repeat(BADGE_CHARS_MAX));
        assert_eq!((shown("a\u{0}b\u{ffff}"), shown(" \t")), ("a\u{fffd}b\u{fffd}".to_owned(), " \u{fffd}".to_owned()));
        assert_eq!(shown("  "), "-");
        assert!(width("MMM") > width("iii") && width("心跳") == 22);
    }

    #[test]
    fn every_state_has_its_own_word_and_shape() {
        let all = Verdict::ALL;
        let mut seen: Vec<String> = all.iter().map(|s| shape(*s).into_string().replace(class(*s), "")).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all.len());
        assert!(badge(Verdict::Down).into_string().contains("Down"));
    }
}
