//! Who was told of an open incident, who waits and why, who is at work on it, and the buttons to say so.

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::policy::NOTE_CHARS_MAX;
use crate::model::time::UnixMillis;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::text;

/// What stands beside a monitor's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Somebody is at work on it.
    Acknowledged {
        /// Who.
        by: String,
        /// Until when nobody is reminded; `None`: until it is over.
        until: Option<UnixMillis>,
    },
    /// Nobody is told of it until then.
    Silenced(UnixMillis),
    /// What it depends on is down, or is being asked.
    Hidden(String),
    /// It goes up and down.
    Flapping,
}

/// What messages about an incident wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// A maintenance window, until then.
    Maintenance(UnixMillis),
    /// A silence, until then.
    Silence(UnixMillis),
    /// It goes up and down.
    Flapping(UnixMillis),
    /// What it depends on is not well.
    Parent {
        /// What that is called.
        name: String,
        /// It is down; otherwise that is only feared.
        is_down: bool,
    },
    /// What it depends on is asked first.
    Asking(String),
    /// What it depends on is fine again.
    Settling(UnixMillis),
    /// Messages are gathered.
    Gathering(UnixMillis),
}

/// Somebody is at work on an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckView {
    /// Who.
    pub by: String,
    /// When it was said.
    pub at: UnixMillis,
    /// Until when nobody is reminded; `None`: until it is over.
    pub until: Option<UnixMillis>,
    /// What they said; may be empty.
    pub note: String,
    /// It still holds.
    pub holds: bool,
}

/// How far people have been told of an open incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSection {
    /// Which.
    pub incident: IncidentId,
    /// Whose.
    pub monitor: MonitorId,
    /// Who is at work on it.
    pub acknowledged: Option<AckView>,
    /// Channels that were told.
    pub told: Vec<String>,
    /// Channels that are to be told and have to wait.
    pub waiting: Vec<String>,
    /// What for.
    pub waits: Option<Waits>,
    /// When somebody is told next, as far as only time is waited for.
    pub next_at: Option<UnixMillis>,
    /// The next morning, for a snooze until then.
    pub morning: UnixMillis,
}

/// All marks of a monitor, in a line of their own.
#[must_use]
pub fn marks(marks: &[Mark], now: UnixMillis) -> Markup {
    html! { @if !marks.is_empty() { p.marks { @for mark in marks { span.mark { (words(mark, now)) } } } } }
}

fn words(mark: &Mark, now: UnixMillis) -> Markup {
    html! {
        @match mark {
            Mark::Acknowledged { by, until: None } => { "acknowledged by " (by) },
            Mark::Acknowledged { by, until: Some(until) } => { "snoozed by " (by) " until " (text::short(*until, now)) },
            Mark::Silenced(until) => { "silenced until " (text::short(*until, now)) },
            Mark::Hidden(parent) => { "hidden by " (parent) },
            Mark::Flapping => { "flapping" },
        }
    }
}

/// Who is at work on it, in a sentence.
#[must_use]
pub fn acknowledged(ack: &AckView, now: UnixMillis) -> Markup {
    html! {
        @match ack.until {
            None => { "by " b { (ack.by) } ", " (text::ago(ack.at, now)) ", until it is over" },
            Some(until) if ack.holds => { "snoozed by " b { (ack.by) } ", " (text::ago(ack.at, now)) ", until " (text::time(until)) },
            Some(until) => { "snoozed by " b { (ack.by) } ", " (text::ago(ack.at, now)) "; that ended " (text::ago(until, now)) },
        }
        @if !ack.note.is_empty() { p.as-written { "“" (ack.note) "”" } }
    }
}

fn waits(waits: &Waits) -> Markup {
    html! {
        @match waits {
            Waits::Maintenance(until) => { "waits: a maintenance window is open until " (text::time(*until)) },
            Waits::Silence(until) => { "waits for the silence until " (text::time(*until)) },
            Waits::Flapping(until) => { "it goes up and down; told when it is calm, at " (text::time(*until)) " at the earliest" },
            Waits::Parent { name, is_down: true } => { "waits: " (name) " is down, and this depends on it" },
            Waits::Parent { name, is_down: false } => { "waits: " (name) ", on which this depends, may be down" },
            Waits::Asking(name) => { "waits a moment: " (name) ", on which this depends, is checked first" },
            Waits::Settling(until) => { "waits a moment: what it depends on is fine again, and it may recover as well, until " (text::time(*until)) },
            Waits::Gathering(until) => { "waits a moment: told together with others, at " (text::time(*until)) },
        }
    }
}

/// The whole section.
#[must_use]
pub fn section(frame: &Frame, view: &AlertSection) -> Markup {
    html! {
        section {
            h2 { "Who knows, who is at work on it" }
            dl.facts {
                div.full { dt { "Acknowledged" } dd { @match &view.acknowledged { Some(ack) => (acknowledged(ack, frame.now)), None => span.quiet { "by nobody yet" } } } }
                div { dt { "Told so far" } dd { @if view.told.is_empty() { span.quiet { "nobody" } } @else { (view.told.join(", ")) } } }
                @if !view.waiting.is_empty() { div { dt { "To be told" } dd { (view.waiting.join(", ")) } } }
                @if let Some(at) = view.next_at.filter(|_| view.waits.is_none()) { div { dt { "Told next" } dd { (text::until(at, frame.now)) } } }
                @if let Some(why) = &view.waits { div.full { dt { "Held back" } dd { (waits(why)) } } }
            }
            @if frame.may_operate { (forms(frame, view)) }
        }
    }
}

fn forms(frame: &Frame, view: &AlertSection) -> Markup {
    html! {
        div.acts {
            form.act method="post" action=(frame.links.acknowledge(&view.incident)) {
                (layout::form_token(frame))
                label { "Note for the others" input name="note" maxlength=(NOTE_CHARS_MAX) placeholder="what you know, what you do"; }
                div.choices {
                    button.main type="submit" { @if view.acknowledged.is_some() { "Acknowledge again" } @else { "Acknowledge" } }
                    span.quiet { "or snooze" }
                    (choices(&SNOOZES))
                    button type="submit" name="for" value="tomorrow" title=(text::utc(view.morning)) { "until 9:00 UTC tomorrow" }
                }
                details { summary { "Another time" } div.choices { input.short name="own" placeholder="45m" aria-label="For how long, such as 45m or 2d"; button type="submit" name="for" value="own" { "Snooze" } } }
            }
            div.choices {
                @if view.acknowledged.is_some() {
                    form method="post" action=(frame.links.withdraw(&view.incident)) { (layout::form_token(frame)) button type="submit" { "Withdraw" } }
                }
                (silence_form(frame, &view.monitor))
            }
        }
    }
}

const SNOOZES: [(&str, &str); 2] = [("1h", "1 h"), ("4h", "4 h")];

const SILENCES: [(&str, &str); 3] = [("1h", "1 h"), ("4h", "4 h"), ("1d", "1 d")];

fn choices(all: &[(&str, &str)]) -> Markup {
    html! { @for (value, words) in all { button type="submit" name="for" value=(value) { (words) } } }
}

/// Buttons that silence a monitor.
#[must_use]
pub fn silence_form(frame: &Frame, monitor: &MonitorId) -> Markup {
    html! {
        form.choices method="post" action=(frame.links.silence_monitor(monitor)) {
            (layout::form_token(frame)) span.quiet { "Silence this monitor" } (choices(&SILENCES))
        }
    }
}

/// Snooze buttons for a form without an account.
#[must_use]
pub fn snooze_choices() -> Markup {
    choices(&SNOOZES)
}

/// Silence buttons for a form without an account.
#[must_use]
pub fn silence_choices() -> Markup {
    choices(&SILENCES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_holds_messages_back_is_said_in_plain_words() {
        let at = UnixMillis(1_782_820_800_000);
        for (held, said) in [
            (Waits::Maintenance(at), "a maintenance window is open until"),
            (Waits::Silence(at), "waits for the silence until"),
            (Waits::Flapping(at), "it goes up and down; told when it is calm"),
            (Waits::Parent { name: "lb <b>".to_owned(), is_down: true }, "waits: lb &lt;b&gt; is down"),
            (Waits::Parent { name: "lb".to_owned(), is_down: false }, "may be down"),
            (Waits::Asking("lb".to_owned()), "is checked first"),
            (Waits::Settling(at), "fine again"),
            (Waits::Gathering(at), "together with others"),
        ] {
            let text = waits(&held).into_string();
            assert!(text.contains(said), "{text}");
        }
        let all = [
            Mark::Acknowledged { by: "ada".to_owned(), until: None },
            Mark::Acknowledged { by: "ada".to_owned(), until: Some(at) },
            Mark::Silenced(at),
            Mark::Hidden("lb".to_owned()),
            Mark::Flapping,
        ];
        let text = marks(&all, at).into_string();
        for said in ["acknowledged by ada", "snoozed by ada until", "silenced until", "hidden by lb", "flapping"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert_eq!(marks(&[], at).into_string(), "", "thousands of rows have none");
    }
}
