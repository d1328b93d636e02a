//! Texts made fit to be sent: nothing invisible in them, and not longer than there is room.

use crate::model::id::is_deceptive;

/// Says that something was cut off.
pub const MARKER: &str = " … [shortened]";

/// `text` without control and bidirectional characters, at most `bytes_max` long. What a target answered can end up in a message,
/// and must not be able to forge a line of it or turn it around.
#[must_use]
pub fn fit(text: &str, bytes_max: usize) -> String {
    let cut = if text.len() <= bytes_max { text } else { &text[..text.floor_char_boundary(bytes_max.saturating_sub(MARKER.len()))] };
    let mut out: String = cut.chars().map(|c| if is_deceptive(c) { ' ' } else { c }).collect();
    if cut.len() < text.len() {
        out.push_str(MARKER);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_on_a_character_and_marked() {
        assert_eq!(fit("short", 5), "short");
        let cut = fit(&"é".repeat(100), 51);
        assert!(cut.len() <= 51, "{}", cut.len());
        assert!(cut.starts_with("ééé") && cut.ends_with(MARKER));
    }

    #[test]
    fn nothing_invisible_stays() {
        assert_eq!(fit("a\r\nBcc: x\u{1b}[31m\u{202e}b", 100), "a  Bcc: x [31m b");
    }
}
