//! The small Markdown that people may write in updates, notes and postmortems: paragraphs, emphasis, code, lists, and links to web pages.
//!
//! The parser's events are answered from a list of what is allowed; everything else is shown as the text that it is. HTML is text, pictures
//! are their description, headings are bold lines, and a link that leads anywhere but to a web page is only its words.

use maud::Markup;
use maud::PreEscaped;
use maud::Render;
use pulldown_cmark::CodeBlockKind;
use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;
use pulldown_cmark::TagEnd;

/// Lists within lists beyond this depth are flat: browsers give up on trees of thousands of levels.
const DEPTH_MAX: usize = 6;

/// What is open while a text is written.
#[derive(Debug, Default)]
struct Page {
    html: String,
    /// How each open tag of the parser is closed; empty for those that are not allowed.
    open: Vec<&'static str>,
    n_lists: usize,
}

/// A text as markup.
#[must_use]
pub fn markdown(text: &str) -> Markup {
    let mut page = Page::default();
    for event in Parser::new_ext(text, Options::empty()) {
        page.take(event);
    }
    PreEscaped(page.html)
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.begin(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => self.text(&text),
            Event::Code(text) => {
                self.html.push_str("<code>");
                self.text(&text);
                self.html.push_str("</code>");
            }
            // People press Enter to begin a line, also within a paragraph.
            Event::SoftBreak | Event::HardBreak => self.html.push_str("<br>"),
            Event::Rule | Event::TaskListMarker(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        text.render_to(&mut self.html);
    }

    fn begin(&mut self, tag: &Tag<'_>) {
        let close = match tag {
            Tag::Paragraph => self.tag("<p>", "</p>"),
            Tag::Heading { .. } => self.tag("<p><strong>", "</strong></p>"),
            Tag::Emphasis => self.tag("<em>", "</em>"),
            Tag::Strong => self.tag("<strong>", "</strong>"),
            Tag::CodeBlock(CodeBlockKind::Indented | CodeBlockKind::Fenced(_)) => self.tag("<pre><code>", "</code></pre>"),
            Tag::List(start) => {
                self.n_lists += 1;
                match (self.n_lists <= DEPTH_MAX, start) {
                    (false, _) => "",
                    (true, None) => self.tag("<ul>", "</ul>"),
                    (true, Some(_)) => self.tag("<ol>", "</ol>"),
                }
            }
            Tag::Item if self.n_lists <= DEPTH_MAX => self.tag("<li>", "</li>"),
            Tag::Link { dest_url, .. } => match web_address(dest_url) {
                Some(url) => {
                    self.html.push_str("<a rel=\"nofollow noopener noreferrer\" href=\"");
                    self.text(&url);
                    self.tag("\">", "</a>")
                }
                None => "",
            },
            Tag::Item
            | Tag::BlockQuote(_)
            | Tag::HtmlBlock
            | Tag::FootnoteDefinition(_)
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Table(_)
            | Tag::TableHead
            | Tag::TableRow
            | Tag::TableCell
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::Image { .. }
            | Tag::MetadataBlock(_) => "",
        };
        self.open.push(close);
    }

    fn tag(&mut self, open: &str, close: &'static str) -> &'static str {
        self.html.push_str(open);
        close
    }

    fn end(&mut self, tag: TagEnd) {
        if matches!(tag, TagEnd::List(_)) {
            self.n_lists = self.n_lists.saturating_sub(1);
        }
        self.html.push_str(self.open.pop().unwrap_or_default());
    }
}

/// The address of a web page, as the standard writes it; `None` for everything else.
fn web_address(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_looks_as_it_should() {
        for (text, html) in [
            ("one\n\ntwo", "<p>one</p><p>two</p>"),
            ("one\ntwo", "<p>one<br>two</p>"),
            ("*a* **b** `c<d`", "<p><em>a</em> <strong>b</strong> <code>c&lt;d</code></p>"),
            ("- a\n- b\n  1. c", "<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>"),
            ("```\n<x>\n```", "<pre><code>&lt;x&gt;\n</code></pre>"),
            ("# Cause\n\ntext", "<p><strong>Cause</strong></p><p>text</p>"),
            ("> said", "<p>said</p>"),
            ("", ""),
            (
                "[see](https://example.com/a?b=1&c=\"2\")",
                "<p><a rel=\"nofollow noopener noreferrer\" href=\"https://example.com/a?b=1&amp;c=%222%22\">see</a></p>",
            ),
            (
                "<https://example.com/>",
                "<p><a rel=\"nofollow noopener noreferrer\" href=\"https://example.com/\">https://example.com/</a></p>",
            ),
            ("![a picture](https://example.com/x.png)", "<p>a picture</p>"),
        ] {
            assert_eq!(markdown(text).into_string(), html, "{text}");
        }
    }

    /// What an allow-list must not let through, in the ways that people have found.
    const HOSTILE: &[&str] = &[
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onmouseover=\"alert(1)\">b</b>",
        "<div>\n\n*x*\n\n</div>",
        "<!-- --!><script>1</script> -->",
        "<?php ?><![CDATA[<script>]]>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](\u{1}javascript:alert(1))",
        "[x](data:text/html,<script>1</script>)",
        "[x](vbscript:1)",
        "[x](file:///etc/passwd)",
        "[x](//evil.example/)",
        "[x](https:evil\"onclick=\"alert(1))",
        "[x](https://e.example/\"onclick=\"alert(1))",
        "[x](https://e.example 'a\" onclick=\"alert(1)')",
        "[x]: javascript:alert(1)\n\n[x]",
        "[x]: <https://e.example/\"><script>> \"t\"\n\n[x]",
        "<javascript:alert(1)>",
        "<https://e.example/\"onclick=alert(1)>",
        "![x](javascript:alert(1))",
        "![x\" onerror=\"alert(1)](https://e.example/x)",
        "`<script>`",
        "```html\" onclick=\"x\n<script>\n```",
        "    <script>alert(1)</script>",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "\\<script\\>",
        "<a href='javascript:1'>x</a>",
        "<svg/onload=alert(1)>",
        "<iframe src=\"https://e.example\"></iframe>",
        "<style>*{display:none}</style>",
        "| a | b |\n|---|---|\n| <script> | x |",
        "[^1]\n\n[^1]: <script>",
        "\u{202e}<script>",
        "*[x](javascript:1)*<script",
    ];

    #[test]
    fn nothing_hostile_gets_through() {
        let tags = regex::Regex::new("<[^>]*>").expect("a pattern");
        let fine = regex::Regex::new(
            "^(</?(p|em|strong|code|pre|ul|ol|li)>|<br>|</a>|<a rel=\"nofollow noopener noreferrer\" href=\"https?://[^\"<>]*\">)$",
        )
        .expect("a pattern");
        let nested_lists: String = (0..100).map(|depth| format!("{}- <b>\n", "  ".repeat(depth))).collect();
        let deep = [nested_lists, "- ".repeat(400), "> ".repeat(400), "*".repeat(900), "[".repeat(900), "`".repeat(900), "<".repeat(900)];
        let nested: Vec<String> =
            HOSTILE.iter().flat_map(|text| [format!("- {text}"), format!("*{text}*"), format!("[{text}](https://a.example)")]).collect();
        for text in HOSTILE.iter().map(|text| (*text).to_owned()).chain(nested).chain(deep) {
            let html = markdown(&text).into_string();
            for tag in tags.find_iter(&html) {
                assert!(fine.is_match(tag.as_str()), "{text}: {} in {html}", tag.as_str());
            }
            // What is left is text, and each `<` of it is escaped.
            assert!(!tags.replace_all(&html, "").contains('<'), "{text}: {html}");
            for tag in ["p", "em", "strong", "code", "pre", "ul", "ol", "li", "a"] {
                let n_open = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
                assert_eq!(n_open, html.matches(&format!("</{tag}>")).count(), "{text}: {html}");
            }
        }
    }

    #[test]
    fn lists_are_not_nested_without_end() {
        let text: String = (0..60).map(|depth| format!("{}- a\n", "  ".repeat(depth))).collect();
        let html = markdown(&text).into_string();
        assert_eq!(html.matches("<ul>").count(), DEPTH_MAX, "{html}");
    }
}
