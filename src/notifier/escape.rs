//! How each service must be told that a character is only a character: no formatting, no mention, no link.
//!
//! Names and causes come from configs and from strangers. Where a service has no way to escape, a character without width stands
//! between the sign and what would give it a meaning: it looks the same and is no mention any more.

/// Seen by nobody, and ends a mention or a reference.
const GAP: char = '\u{200b}';

/// Nothing has a meaning.
pub fn plain(c: char, out: &mut String) {
    out.push(c);
}

/// HTML, in texts and in quoted attributes.
pub fn html(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// HTML for Telegram, which makes mentions of names by `@` wherever they stand outside of code.
pub fn telegram(c: char, out: &mut String) {
    match c {
        '@' => out.extend([c, GAP]),
        c => html(c, out),
    }
}

/// Slack's three special characters; with them `<!channel>` and `<@U…>` are plain text. Servers that speak its language call people
/// by `@` alone.
pub fn slack(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '@' => out.extend([c, GAP]),
        c => out.push(c),
    }
}

/// Markdown in all its dialects, with mentions by `@` and references by `#`.
pub fn markdown(c: char, out: &mut String) {
    match c {
        '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '(' | ')' | '<' | '>' | '|' | '!' | '$' => out.extend(['\\', c]),
        '@' => out.extend([c, GAP]),
        '#' => out.extend(['\\', c, GAP]),
        c => out.push(c),
    }
}

/// The inside of a code span of Markdown, where only the back quote has a meaning. Some services look for mentions there as well.
pub fn code(c: char, out: &mut String) {
    match c {
        '`' => out.push('\''),
        '@' => out.extend([c, GAP]),
        c => out.push(c),
    }
}

/// The inside of a code span of Slack's.
pub fn slack_code(c: char, out: &mut String) {
    match c {
        '`' => out.push('\''),
        c => slack(c, out),
    }
}

/// Google Chat's text, which has no escapes at all.
pub fn google_chat(c: char, out: &mut String) {
    match c {
        '<' => out.push('‹'),
        '>' => out.push('›'),
        '*' | '_' | '~' | '`' => out.extend([GAP, c, GAP]),
        c => out.push(c),
    }
}

/// Dialects of Markdown that know no escapes.
pub fn gapped(c: char, out: &mut String) {
    match c {
        '@' | '#' | '*' | '_' | '~' | '`' | '[' | ']' | '$' | '<' => out.extend([c, GAP]),
        c => out.push(c),
    }
}

/// Home Assistant, which reads Markdown and may read templates.
pub fn home_assistant(c: char, out: &mut String) {
    match c {
        '{' => out.extend([c, GAP]),
        c => gapped(c, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::shorten::Escape;

    #[track_caller]
    fn assert_escaped(escape: Escape, text: &str, expected: &str) {
        let mut out = String::new();
        text.chars().for_each(|c| escape(c, &mut out));
        assert_eq!(out, expected);
    }

    #[test]
    fn nobody_is_called_and_nothing_is_formatted() {
        assert_escaped(plain, "<@a>*b*", "<@a>*b*");
        assert_escaped(html, "<a href=\"x\" o='y'>&", "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;");
        assert_escaped(telegram, "@all <b>", "@\u{200b}all &lt;b&gt;");
        assert_escaped(slack, "<!channel> & x", "&lt;!channel&gt; &amp; x");
        assert_escaped(slack, "@all <@U1>", "@\u{200b}all &lt;@\u{200b}U1&gt;");
        assert_escaped(
            markdown,
            "@all #1 [a](b) **c** <d> `e` _f_",
            "@\u{200b}all \\#\u{200b}1 \\[a\\]\\(b\\) \\*\\*c\\*\\* \\<d\\> \\`e\\` \\_f\\_",
        );
        assert_escaped(code, "`@here`", "'@\u{200b}here'");
        assert_escaped(slack_code, "`<!here>`", "'&lt;!here&gt;'");
        assert_escaped(gapped, "@all **b**", "@\u{200b}all *\u{200b}*\u{200b}b*\u{200b}*\u{200b}");
        assert_escaped(home_assistant, "{{ x }}", "{\u{200b}{\u{200b} x }}");
        assert_escaped(google_chat, "<users/all> *b*", "‹users/all› \u{200b}*\u{200b}b\u{200b}*\u{200b}");
    }
}
