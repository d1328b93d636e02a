//! What is shown when something cannot be shown.

use maud::Markup;
use maud::html;

use crate::ui::layout;
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

/// The whole page.
#[must_use]
pub fn page(links: &Links, view: &ErrorView) -> Markup {
    let content = html! {
        h1 { (view.title) }
        p { (view.text) }
        @if let Some(id) = &view.request_id { p.quiet { "The log says more under request " code { (id) } "." } }
        p { a href=(links.home()) { "To the start" } }
    };
    layout::plain(links, &view.title, &content)
}
