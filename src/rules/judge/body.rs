//! Texts and patterns in a body. The search is over bytes as they came: UTF-8 texts find themselves whatever the declared charset.

use memchr::memmem;

use crate::model::expect::Expectation;
use crate::model::id::is_deceptive;
use crate::model::result::Failure;
use crate::model::result::HttpSeen;

/// Judges `body_contains`, `body_excludes` and `body_matches`.
pub(super) fn judge(expect: &Expectation, seen: &HttpSeen) -> Result<(), Failure> {
    let fail = |what: String| Err(Failure::Body { detail: format!("{what}; {}", beginning(seen)) });
    for text in &expect.body_contains {
        if memmem::find(&seen.body, text.as_bytes()).is_none() {
            return fail(format!("the body does not contain `{text}`"));
        }
    }
    for text in &expect.body_excludes {
        if memmem::find(&seen.body, text.as_bytes()).is_some() {
            return Err(Failure::Body { detail: format!("the body contains `{text}`, which it should not") });
        }
    }
    for pattern in &expect.body_matches {
        if !pattern.0.is_match(&seen.body) {
            return fail(format!("the body does not match `{}`", pattern.0));
        }
    }
    Ok(())
}

/// How a body begins, for a sentence; says when only a part was read, because what is missing may be in the rest.
fn beginning(seen: &HttpSeen) -> String {
    let n = seen.body.len();
    match (n, seen.body_truncated) {
        (0, _) => "the body is empty".to_owned(),
        (_, false) => format!("it begins with `{}`", excerpt(&seen.body)),
        (_, true) => format!("only its first {n} bytes were read (`max_body`), which begin with `{}`", excerpt(&seen.body)),
    }
}

/// Longest excerpt in a sentence, in characters: enough to recognise an error page, little enough for an alert.
const EXCERPT_CHARS_MAX: usize = 80;

/// The beginning of some bytes on one line; what cannot be shown becomes `·`.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(EXCERPT_CHARS_MAX * 4)];
    let text = String::from_utf8_lossy(head);
    let flat: Vec<&str> = text.split_whitespace().collect();
    let flat = flat.join(" ");
    let mut out: String = flat.chars().take(EXCERPT_CHARS_MAX).map(|c| if is_deceptive(c) { '·' } else { c }).collect();
    if flat.chars().nth(EXCERPT_CHARS_MAX).is_some() || head.len() < bytes.len() {
        out.push('…');
    }
    out
}
