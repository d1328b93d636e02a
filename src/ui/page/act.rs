//! What a link in a message shows: what it is about, and buttons. For whoever has the link; it says no more than the message did.

use maud::Markup;
use maud::html;

use crate::model::incident::Lane;
use crate::model::policy::NOTE_CHARS_MAX;
use crate::model::time::UnixMillis;
use crate::ui::component::alert;
use crate::ui::component::alert::AckView;
use crate::ui::component::incident;
use crate::ui::layout;
use crate::ui::links::Links;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActView {
    /// The page's own address.
    pub action: String,
    /// What the monitor is called.
    pub monitor: String,
    /// What kind of incident.
    pub lane: Lane,
    /// When it began.
    pub since: UnixMillis,
    /// Who is at work on it.
    pub acknowledged: Option<AckView>,
    /// Until when the monitor is silenced.
    pub silenced_until: Option<UnixMillis>,
    /// What was just done.
    pub done: Option<String>,
    /// When the page was made.
    pub now: UnixMillis,
}

/// The page of an incident that is open.
#[must_use]
pub fn page(links: &Links, view: &ActView) -> Markup {
    let content = html! {
        h1 { (view.monitor) }
        p { (incident::open_badge(view.lane)) " since " (text::time(view.since)) ", " (text::ago(view.since, view.now)) }
        @match &view.done {
            Some(done) => { p.done role="status" { (done) } p { a href=(view.action) { "Do something else" } } },
            None => { (standing(view)) (forms(view)) },
        }
    };
    layout::plain(links, &view.monitor, &content)
}

fn standing(view: &ActView) -> Markup {
    html! {
        @if let Some(ack) = &view.acknowledged { p { "Acknowledged " (alert::acknowledged(ack, view.now)) } }
        @if let Some(until) = view.silenced_until { p { "Silenced until " (text::time(until)) } }
    }
}

fn forms(view: &ActView) -> Markup {
    html! {
        section {
            h2 { "You are at work on it" }
            form.act method="post" action=(view.action) {
                label { "Note for the others" input name="note" maxlength=(NOTE_CHARS_MAX) placeholder="who you are, what you know" autocomplete="off"; }
                div.choices { button.main type="submit" name="do" value="acknowledge" { "Acknowledge" } }
                p.quiet { "Everybody who was told is told so, and nobody is reminded any more. Or be reminded later:" }
                div.choices { span.quiet { "Snooze" } (alert::snooze_choices()) }
            }
        }
        section id="silence" {
            h2 { "It is expected" }
            form.act method="post" action=(view.action) {
                input type="hidden" name="do" value="silence";
                p.quiet { "Nobody is told of new trouble of this monitor for a while. What is still wrong at the end is told then." }
                div.choices { span.quiet { "Silence" } (alert::silence_choices()) }
            }
        }
    }
}

/// The page of an incident that is over.
#[must_use]
pub fn over(links: &Links) -> Markup {
    let content = html! {
        h1 { "This is over" }
        p { "The incident that this link is about has ended, so there is nothing left to acknowledge. Whoever was told of it is told of its end, too." }
        p { a href=(links.home()) { "To the start" } }
    };
    layout::plain(links, "This is over", &content)
}
