//! Name patterns, in which only `*` and `?` are special.
//!
//! Brackets are literal on purpose: names like `[prod-us] api /health` are the custom, and everything else that shells know
//! would make such names unreachable.

/// Whether `name` as a whole fits `pattern`: `*` stands for any text, `?` for one character.
///
/// Takes at most the product of both lengths in steps, whatever the pattern.
#[must_use]
pub fn glob_match(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where the last `*` was, and how far the name had been used up by then.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            Some(_) | None => {
                let Some((at, used)) = star else { return false };
                star = Some((at, used + 1));
                p = at + 1;
                n = used + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether a text has anything special in it.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_star_and_question_mark_are_special() {
        for (pattern, name, expected) in [
            ("[prod-us] *", "[prod-us] api /health", true),
            ("[prod-us] *", "p api", false),
            ("*", "", true),
            ("?", "ä", true),
            ("?", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("*a*a*a*a*a*b", &"a".repeat(200), false),
            ("db", "DB", false),
            ("d\\*", "d\\x", true),
        ] {
            assert_eq!(glob_match(pattern, name), expected, "{pattern} {name}");
        }
    }
}
