//! What is shown when something cannot be shown.

use maud::Markup;
use maud::html;

use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::links::Links;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorView {
    /// Heading.
    pub title: String,
    /// What happened and what can be done.
    pub text: String,
    /// Names the entry in the log; `None` where pages must not differ between requests.
    pub request_id: Option<String>,
}

/// What was refused to somebody in front of the operators' pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedView {
    /// Why.
    pub what: ErrorView,
    /// What they typed, with the names of the fields.
    pub typed: Vec<(&'static str, String)>,
    /// The page on which the form was.
    pub back: Option<String>,
    /// Where one signs in; only of those who are not.
    pub sign_in: Option<String>,
    /// What they typed was too long to be read.
    pub is_unread: bool,
}

/// The whole page.
#[must_use]
pub fn page(links: &Links, view: &ErrorView) -> Markup {
    let content = html! {
        (said(view))
        p { a href=(links.home()) { "To the start" } }
    };
    layout::plain(links, &view.title, &content)
}

/// A page for those who are signed in.
#[must_use]
pub fn within(frame: &Frame, section: Section, view: &RefusedView) -> Markup {
    layout::form(frame, section, &view.what.title, &refused(view))
}

/// The same for those who are not, or not any more.
#[must_use]
pub fn outside(links: &Links, view: &RefusedView) -> Markup {
    layout::plain(links, &view.what.title, &html! { (refused(view)) p { a href=(links.home()) { "To the start" } } })
}

fn said(view: &ErrorView) -> Markup {
    html! {
        h1 { (view.title) }
        p { (view.text) }
        @if let Some(id) = &view.request_id { p.quiet { "The log says more under request " code { (id) } "." } }
    }
}

fn refused(view: &RefusedView) -> Markup {
    html! {
        (said(&view.what))
        @if view.is_unread { p { "What you typed was too long to be shown here again. Go back in the browser to copy it." } }
        // In a tab of its own, so that what was typed stays on this one.
        @if let Some(href) = &view.sign_in { p { a href=(href) target="_blank" { "Sign in" } @if !view.typed.is_empty() { span.quiet { " in another tab, and copy what you typed from here." } } } }
        @if let Some(href) = &view.back { p { a href=(href) { "Back to the form" } } }
        @if !view.typed.is_empty() {
            section {
                h2 { "What you typed" }
                @for (label, value) in &view.typed { p { label { (label) textarea readonly rows=(rows(value)) { "\n" (value) } } } }
            }
        }
    }
}

/// Lines of a field that shows a text: as many as it has, within a screen.
fn rows(text: &str) -> usize {
    text.lines().count().clamp(1, 12)
}
