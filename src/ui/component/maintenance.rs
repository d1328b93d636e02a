//! Maintenance windows, open and planned. What visitors read of them is in `ui::page::status`.

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::ui::text;

/// One stretch of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowView {
    /// What it is called.
    pub name: String,
    /// What the operators say of it.
    pub message: Option<String>,
    /// Its beginning.
    pub from: UnixMillis,
    /// Its end.
    pub to: UnixMillis,
    /// It has begun.
    pub is_open: bool,
    /// The services that it covers, as far as the reader may know of them.
    pub services: Vec<String>,
}

/// The one that concerns a monitor most, in a line: the open one, else the next.
#[must_use]
pub fn line(window: &WindowView, now: UnixMillis) -> Markup {
    html! {
        (window.name) ", "
        @if window.is_open { "until " (text::time(window.to)) } @else { (text::time(window.from)) " (" (text::until(window.from, now)) "), lasts " (text::coarse(window.to.since(window.from))) }
    }
}
