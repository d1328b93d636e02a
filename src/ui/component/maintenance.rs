//! Maintenance windows, open and planned.

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::class;
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

/// Services that are named; of more only the number is said.
const SERVICES_NAMED: usize = 8;

/// What visitors read of windows that are open or to come. Plain text: line breaks stay, nothing else is interpreted.
#[must_use]
pub fn list(windows: &[WindowView], now: UnixMillis) -> Markup {
    html! {
        @if !windows.is_empty() {
            section {
                h2 { "Maintenance" }
                @for window in windows { (article(window, now)) }
            }
        }
    }
}

fn article(window: &WindowView, now: UnixMillis) -> Markup {
    let word = if window.is_open { "Under way" } else { "Planned" };
    let n_more = window.services.len().saturating_sub(SERVICES_NAMED);
    let named = window.services.iter().take(SERVICES_NAMED).cloned().collect::<Vec<_>>().join(", ");
    html! {
        article.announcement.(class(Verdict::Maintenance)) {
            h3 { (window.name) " " (badge_saying(Verdict::Maintenance, word)) }
            p { (text::time(window.from)) " to " (text::time(window.to)) ", " (when(window, now)) }
            @if let Some(message) = &window.message { p.as-written { (message) } }
            @if !named.is_empty() { p.quiet { "Affects " (named) @if n_more > 0 { " and " (n_more) " more" } } }
        }
    }
}

fn when(window: &WindowView, now: UnixMillis) -> Markup {
    html! {
        @if window.is_open { "ends " (text::until(window.to, now)) } @else { "begins " (text::until(window.from, now)) ", lasts " (text::coarse(window.to.since(window.from))) }
    }
}

/// The one that concerns a monitor most, in a line: the open one, else the next.
#[must_use]
pub fn line(window: &WindowView, now: UnixMillis) -> Markup {
    html! {
        (window.name) ", "
        @if window.is_open { "until " (text::time(window.to)) } @else { (text::time(window.from)) " (" (text::until(window.from, now)) "), lasts " (text::coarse(window.to.since(window.from))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_say_when_what_and_whom() {
        let noon = UnixMillis(1_782_820_800_000);
        let hour = std::time::Duration::from_secs(3600);
        let open = WindowView {
            name: "Patching <b>".to_owned(),
            message: Some("One <after> the other.".to_owned()),
            from: noon.minus(hour),
            to: noon + hour,
            is_open: true,
            services: (0..10).map(|n| format!("service {n}")).collect(),
        };
        let planned =
            WindowView { is_open: false, from: noon + hour, to: noon + hour * 3, message: None, services: Vec::new(), ..open.clone() };
        let text = list(&[open, planned], noon).into_string();
        for said in ["Patching &lt;b&gt;", "Under way", "One &lt;after&gt; the other.", "service 7 and 2 more", "Planned", "lasts 2 h"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("service 8,") && text.matches("Affects").count() == 1);
        assert_eq!(list(&[], noon).into_string(), "");
    }
}
