//! The channels, and what became of every message.

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelsView {
    /// As configured, by name.
    pub channels: Vec<ChannelRow>,
    /// Newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// The database could not be read.
    pub unreadable: bool,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name.
    pub name: String,
    /// `webhook`, `slack`.
    pub kind: &'static str,
    /// What it wants to hear.
    pub on: String,
    /// How many monitors use it.
    pub n_monitors: usize,
    /// `config.yaml:14`.
    pub origin: String,
}

/// One message to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// When it was decided.
    pub at: UnixMillis,
    /// To whom.
    pub channel: String,
    /// The word of its event.
    pub event: String,
    /// Which incident.
    pub incident: Option<IncidentId>,
    /// How many attempts were made.
    pub n_attempts: u32,
    /// Where it stands.
    pub state: Sending,
    /// What the channel answered last, when it did not accept.
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

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &ChannelsView) -> Markup {
    let content = html! {
        h1 { "Channels" }
        @if view.channels.is_empty() { p { "No channels are configured, so nobody is told about outages. Add one under " code { "channels:" } " in the config." } }
        @else { (channels(&view.channels)) }
        section {
            h2 { "Deliveries" }
            @if view.unreadable { p.cause { "The delivery log cannot be read at the moment." } } @else { (deliveries(&view.deliveries, frame)) }
        }
    };
    layout::operator(frame, Section::Channels, "Channels", &content)
}

fn channels(rows: &[ChannelRow]) -> Markup {
    html! {
        div.scroll { table.list {
            thead { tr { th { "Channel" } th { "Kind" } th { "Hears of" } th.num { "Monitors" } th { "Written in" } } }
            tbody { @for row in rows { tr {
                td { (row.name) } td { (row.kind) } td.wide { (row.on) } td.num { (row.n_monitors) } td { code { (row.origin) } }
            } } }
        } }
    }
}

/// The delivery log.
#[must_use]
pub fn deliveries(rows: &[DeliveryRow], frame: &Frame) -> Markup {
    if rows.is_empty() {
        return html! { p.quiet { "No messages." } };
    }
    html! {
        div.scroll { table.list {
            thead { tr { th { "State" } th { "Channel" } th { "Event" } th { "Decided" } th.num { "Attempts" } th { "Answer" } } }
            tbody { @for row in rows { tr {
                td { (sending(row.state, frame.now)) }
                td { (row.channel) }
                td { @match &row.incident { Some(id) => a href=(frame.links.incident(id)) { (row.event) }, None => { (row.event) } } }
                td { (text::short(row.at, frame.now)) }
                td.num { (row.n_attempts) }
                td.wide { @if let Some(error) = &row.last_error { span.cause[!matches!(row.state, Sending::Sent(_))] { (error) } } @else { span.quiet { "none" } } }
            } } }
        } }
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
}
