//! Subscribing to a status page, and leaving: pages of their own, because the status page renews itself while somebody types.
//!
//! They say the same whether an address is known or not. What a letter leads to shows a button and does nothing by itself: programs that
//! look through mail open every link in it.

use maud::Markup;
use maud::html;

use crate::model::page::DarkMode;
use crate::model::page::Language;
use crate::model::subscription::ADDRESS_CHARS_MAX;
use crate::ui::language::subscribing::Subscribing;
use crate::ui::language::subscribing::subscribing;
use crate::ui::layout;
use crate::ui::links::Links;
use crate::ui::page::status::theme;

/// What the pages have in common.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Addresses.
    pub links: &'a Links,
    /// The language of the page.
    pub language: Language,
    /// The title of the status page.
    pub title: &'a str,
    /// The address of the status page.
    pub page: &'a str,
    /// How the status page looks.
    pub look: Look<'a>,
}

/// What a status page has of its own, as far as these pages have it, too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look<'a> {
    /// Light, dark, or what the visitor's system says.
    pub dark: DarkMode,
    /// Address of its own style sheet.
    pub stylesheet: Option<&'a str>,
    /// Address of its picture.
    pub logo: Option<&'a str>,
}

/// The forms to sign up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUpView {
    /// Where they are sent to.
    pub action: String,
    /// Mail is offered.
    pub mail: bool,
    /// Requests to programs are offered.
    pub hook: bool,
    /// What was wrong with what was sent before.
    pub complaint: Option<&'static str>,
    /// What was typed into the form for mail before.
    pub typed: String,
}

impl Around<'_> {
    fn words(&self) -> &'static Subscribing {
        subscribing(self.language)
    }

    fn made(&self, heading: &str, content: &Markup) -> Markup {
        let content = html! {
            @if let Some(src) = self.look.logo { p { img.logo src=(src) alt=""; } }
            h1 { (heading) }
            (content)
            p.back { a href=(self.page) { (self.words().to_page) } }
        };
        let sheet = html! { @if let Some(href) = self.look.stylesheet { link rel="stylesheet" href=(href); } };
        layout::plain_like(self.language, self.links, &format!("{} – {}", heading, self.title), (theme(self.look.dark), &sheet), &content)
    }

    /// The forms to sign up.
    #[must_use]
    pub fn sign_up(&self, view: &SignUpView) -> Markup {
        let s = self.words();
        let content = html! {
            @if let Some(complaint) = view.complaint { p.cause role="alert" { (complaint) } }
            p.quiet { ((s.what_it_means)(self.title)) }
            @if view.mail { (form(view, s, s.by_mail, ("email", "email", &view.typed), None)) }
            @if view.hook { (form(view, s, s.by_hook, ("webhook", "url", ""), Some(s.hook_must_echo))) }
        };
        self.made(s.subscribe, &content)
    }

    /// Something was done, or cannot be.
    #[must_use]
    pub fn said(&self, heading: &str, text: &str) -> Markup {
        self.made(heading, &html! { p role="status" { (text) } })
    }

    /// A question with one button. `value` is what the button says to us.
    #[must_use]
    pub fn question(&self, question: &str, action: &str, (button, value): (&str, &str)) -> Markup {
        let content = html! {
            form.stacked method="post" action=(action) { button type="submit" name="do" value=(value) { (button) } }
        };
        self.made(question, &content)
    }
}

fn form(
    view: &SignUpView,
    s: &Subscribing,
    (heading, label): (&str, &str),
    (name, kind, typed): (&str, &str, &str),
    note: Option<&str>,
) -> Markup {
    html! {
        section {
            h2 { (heading) }
            form.stacked method="post" action=(view.action) {
                label { (label) input type=(kind) name=(name) autocomplete=(kind) value=(typed) maxlength=(ADDRESS_CHARS_MAX) required; }
                @if let Some(note) = note { p.quiet { (note) } }
                button type="submit" { (s.submit) }
            }
        }
    }
}

/// A link that leads to no subscription. Nothing is known of the page it was for, so it says so in the reader's own language.
#[must_use]
pub fn gone(links: &Links, language: Language) -> Markup {
    let (heading, text) = subscribing(language).gone;
    layout::plain_in(language, links, heading, &html! { h1 { (heading) } p { (text) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_title_and_address_are_only_text() {
        let links = Links::default();
        let around = Around {
            links: &links,
            language: Language::French,
            title: "<script>alert(1)</script>",
            page: "/status/a",
            look: Look::default(),
        };
        let view = SignUpView {
            action: "/status/a/subscribe".to_owned(),
            mail: true,
            hook: true,
            complaint: None,
            typed: "\"><img src=x onerror=alert(1)>".to_owned(),
        };
        let page = around.sign_up(&view).into_string();
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
        assert!(page.contains("<html lang=\"fr\">") && page.contains("name=\"email\"") && page.contains("name=\"webhook\""), "{page}");
        assert!(!page.contains("data-theme") && !page.contains("class=\"logo\""), "{page}");
        let look = Look { dark: DarkMode::Always, stylesheet: Some("/status/a/theme.css?v=1"), logo: Some("/status/a/logo?v=2") };
        let page = Around { look, ..around }.sign_up(&view).into_string();
        assert!(
            page.contains("<html lang=\"fr\" data-theme=\"dark\">") && page.contains("<img class=\"logo\" src=\"/status/a/logo?v=2\""),
            "{page}"
        );
        let sheets: Vec<&str> = page.split("rel=\"stylesheet\" href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!((sheets.len(), sheets.last()), (2, Some(&"/status/a/theme.css?v=1")), "its own one wins");
        let page = around.sign_up(&SignUpView { hook: false, ..view }).into_string();
        assert!(!page.contains("name=\"webhook\""), "{page}");
    }
}
