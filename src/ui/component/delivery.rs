//! The delivery log: what became of each message, with its attempts and what was answered.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::layout::Frame;
use crate::ui::layout::form_token;
use crate::ui::text;

/// One message to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its row, by which it is asked for again.
    pub id: i64,
    /// When it was decided.
    pub at: UnixMillis,
    /// To whom.
    pub channel: String,
    /// The word of its event.
    pub event: String,
    /// The monitor's name, or the title of a notice.
    pub about: String,
    /// Which incident.
    pub incident: Option<IncidentId>,
    /// How many attempts were made.
    pub n_attempts: u32,
    /// Those that are kept, oldest first.
    pub attempts: Vec<AttemptRow>,
    /// Where it stands.
    pub state: Sending,
    /// Why the channel did not accept it, last.
    pub last_error: Option<String>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Next attempt then.
    Waiting(UnixMillis),
    /// Accepted then.
    Sent(UnixMillis),
    /// Given up then.
    Dead(UnixMillis),
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub at: UnixMillis,
    /// How long it took.
    pub took: Duration,
    /// Whether it was accepted.
    pub is_accepted: bool,
    /// Why it was not.
    pub reason: Option<String>,
    /// `HTTP 401`.
    pub answer: Option<String>,
    /// What came with it; `None` also for readers who may not see it.
    pub said: Option<String>,
}

/// What a table shows besides the messages themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// To which channel.
    pub channel: bool,
    /// What it is about.
    pub about: bool,
}

/// The log; one sentence when there is nothing in it.
#[must_use]
pub fn table(rows: &[DeliveryRow], columns: Columns, frame: &Frame) -> Markup {
    if rows.is_empty() {
        return html! { p.quiet { "No messages." } };
    }
    html! {
        div.scroll tabindex="0" { table.list.deliveries {
            thead { tr { th { "State" } @if columns.channel { th { "Channel" } } th { "Event" } th { "Decided" } th { "Attempts and answers" } } }
            tbody { @for row in rows { (line(row, columns, frame)) } }
        } }
    }
}

fn line(row: &DeliveryRow, columns: Columns, frame: &Frame) -> Markup {
    html! {
        tr id=(format!("d{}", row.id)) {
            td { (sending(row.state, frame.now)) @if matches!(row.state, Sending::Dead(_)) && frame.may_operate { (try_again(row, frame)) } }
            @if columns.channel { td { a href=(frame.links.channel(&row.channel)) { (row.channel) } } }
            td.wide {
                @match &row.incident { Some(id) if columns.about => a href=(frame.links.incident(id)) { (row.event) }, Some(_) | None => { (row.event) } }
                @if columns.about { p { (row.about) } }
            }
            td { (text::short(row.at, frame.now)) }
            td.wide { (attempts(row)) }
        }
    }
}

fn try_again(row: &DeliveryRow, frame: &Frame) -> Markup {
    html! {
        form.again method="post" action=(frame.links.retry_message(&row.channel, row.id)) { (form_token(frame)) button type="submit" { "Try again" } }
    }
}

fn attempts(row: &DeliveryRow) -> Markup {
    let made = match row.n_attempts {
        // Another node made them.
        0 if matches!(row.state, Sending::Sent(_)) => String::new(),
        0 => "none yet".to_owned(),
        n => text::count(usize::try_from(n).unwrap_or(usize::MAX), "attempt"),
    };
    let answer = row.attempts.last().and_then(|last| last.answer.clone()).map(|answer| format!(", {answer}")).unwrap_or_default();
    html! {
        @if let Some(error) = &row.last_error { p.cause[!matches!(row.state, Sending::Sent(_))].quiet[matches!(row.state, Sending::Sent(_))] { (error) } }
        @if row.attempts.is_empty() { span.quiet { (made) } } @else {
            details data-key={ "attempts " (row.id) } {
                summary { (made) (answer) }
                ol.attempts {
                    @for (i, each) in row.attempts.iter().enumerate() {
                        @let n_before = if i == 0 { 0 } else { row.attempts[i - 1].number };
                        @if each.number > n_before + 1 { li.quiet.gap { (text::count(usize::try_from(each.number - n_before - 1).unwrap_or(0), "attempt")) " in between" } }
                        (attempt(each))
                    }
                }
            }
        }
    }
}

/// One attempt of a list.
#[must_use]
pub fn attempt(row: &AttemptRow) -> Markup {
    let look = if row.is_accepted { Verdict::Up } else { Verdict::Down };
    html! {
        li.(class(look)) {
            span.badge { (shape(look)) " " @if row.is_accepted { "accepted" } @else { "not accepted" } }
            " " (text::time(row.at)) span.quiet { ", took " (text::latency(row.took)) @if let Some(answer) = &row.answer { ", " (answer) } }
            @if let Some(reason) = &row.reason { p { (reason) } }
            @if let Some(said) = row.said.as_ref().filter(|said| !said.is_empty()) { pre.said { (said) } }
        }
    }
}

fn sending(state: Sending, now: UnixMillis) -> Markup {
    let (look, words, when) = match state {
        // Messages to a channel leave in order, so one may wait behind an older one although its time has come.
        Sending::Waiting(at) if at <= now => (Verdict::Degraded, "waiting,", text::until(at, now)),
        Sending::Waiting(at) => (Verdict::Degraded, "waiting, next attempt", text::until(at, now)),
        Sending::Sent(at) => (Verdict::Up, "sent", text::ago(at, now)),
        Sending::Dead(at) => (Verdict::Down, "given up", text::ago(at, now)),
    };
    html! { span.badge.(class(look)) { (shape(look)) " " (words) } " " span.quiet { (when) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_should_have_been_sent_already_is_due() {
        let now = UnixMillis(120_000);
        let due = sending(Sending::Waiting(UnixMillis(60_000)), now).into_string();
        assert!(due.contains("waiting,</span> <span class=\"quiet\">") && due.contains(">due</time>") && !due.contains("ago<"), "{due}");
        let later = sending(Sending::Waiting(UnixMillis(150_000)), now).into_string();
        assert!(later.contains("next attempt") && later.contains(">in 30 s<"), "{later}");
    }

    #[test]
    fn attempts_that_are_not_kept_leave_a_gap() {
        let attempt = |number| AttemptRow {
            number,
            at: UnixMillis(0),
            took: Duration::ZERO,
            is_accepted: false,
            reason: None,
            answer: Some("HTTP 503".to_owned()),
            said: None,
        };
        let row = DeliveryRow {
            id: 1,
            at: UnixMillis(0),
            channel: "a".to_owned(),
            event: "down".to_owned(),
            about: "shop".to_owned(),
            incident: None,
            n_attempts: 9,
            attempts: vec![attempt(1), attempt(2), attempt(8), attempt(9)],
            state: Sending::Sent(UnixMillis(0)),
            last_error: None,
        };
        let html = attempts(&row).into_string();
        assert!(
            html.contains("9 attempts, HTTP 503</summary>")
                && html.matches("in between").count() == 1
                && html.contains("5 attempts in between"),
            "{html}"
        );
    }
}
