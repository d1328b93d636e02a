//! What happened during an incident, in the order in which it did: seen, told, said, over.

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::time::UnixMillis;
use crate::model::update::Posted;
use crate::model::verdict::Verdict;
use crate::ui::component::alert;
use crate::ui::component::alert::AckView;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::delivery::Sending;
use crate::ui::component::updates;
use crate::ui::layout::Frame;
use crate::ui::layout::form_token;
use crate::ui::markdown::markdown;
use crate::ui::text;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: UnixMillis,
    /// What.
    pub what: Happened,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// The first bad check.
    FirstBad {
        /// How bad.
        look: Verdict,
        /// Why.
        cause: String,
    },
    /// It was decided that it is one.
    Confirmed {
        /// Regions that held it bad; empty when there was only one place to look from.
        failing: Vec<String>,
        /// Regions that held it up.
        fine: Vec<String>,
        /// Regions that said nothing that counts.
        unknown: Vec<String>,
    },
    /// A message was owed to a channel, and this became of it.
    Told {
        /// To which.
        channel: String,
        /// The word of its event.
        event: String,
        /// What became of it.
        state: Sending,
    },
    /// Somebody is at work on it.
    Acknowledged(AckView),
    /// Somebody wrote something.
    Posted(Posted),
    /// Somebody wrote the postmortem.
    Learnt {
        /// Who.
        by: String,
    },
    /// It was over.
    Over {
        /// How it ended, in a word.
        how: String,
    },
}

/// All of it, oldest first.
#[must_use]
pub fn timeline(frame: &Frame, incident: &IncidentId, moments: &[Moment]) -> Markup {
    html! {
        ol.timeline { @for moment in moments { li.(class(look(&moment.what))) {
            p.when { (text::short(moment.at, frame.now)) }
            div.what { (words(frame, incident, &moment.what)) }
        } } }
    }
}

fn look(what: &Happened) -> Verdict {
    match what {
        Happened::FirstBad { look, .. } => *look,
        Happened::Confirmed { .. } => Verdict::Down,
        Happened::Told { state: Sending::Sent(_), .. } | Happened::Learnt { .. } => Verdict::Unknown,
        Happened::Told { state: Sending::Waiting(_), .. } => Verdict::Degraded,
        Happened::Told { state: Sending::Dead(_), .. } => Verdict::Down,
        Happened::Acknowledged(_) => Verdict::Maintenance,
        Happened::Posted(posted) => posted.update.state().map_or(Verdict::Paused, updates::look),
        Happened::Over { .. } => Verdict::Up,
    }
}

fn words(frame: &Frame, incident: &IncidentId, what: &Happened) -> Markup {
    html! {
        @match what {
            Happened::FirstBad { cause, .. } => { p { b { "First bad check" } } p.cause { (cause) } },
            Happened::Confirmed { failing, fine, unknown } => {
                p { b { "Confirmed" } @if !failing.is_empty() { ": failing from " (text::joined(failing)) } @if !fine.is_empty() { ", fine from " (text::joined(fine)) } @if !unknown.is_empty() { ", nothing heard from " (text::joined(unknown)) } }
            },
            Happened::Told { channel, event, state } => {
                p {
                    a href=(frame.links.channel(channel)) { (channel) } " "
                    @match state {
                        Sending::Sent(at) => { "was told: " (event) span.quiet { ", accepted " (text::short(*at, frame.now)) } },
                        Sending::Waiting(at) => { "is to be told: " (event) span.quiet { ", next attempt " (text::until(*at, frame.now)) } },
                        Sending::Dead(at) => { "was not told: " (event) span.quiet { ", given up " (text::short(*at, frame.now)) } },
                    }
                }
            },
            Happened::Acknowledged(ack) => { p { b { "Acknowledged" } } div { (alert::acknowledged(ack, frame.now)) } },
            Happened::Posted(posted) => (said(frame, incident, posted)),
            Happened::Learnt { by } => { p { b { "Postmortem" } " written by " b { (by) } } },
            Happened::Over { how } => { p { b { "Over" } ", " (how) } },
        }
    }
}

fn said(frame: &Frame, incident: &IncidentId, posted: &Posted) -> Markup {
    let update = &posted.update;
    html! {
        p {
            @match update.state() { Some(state) => (updates::state_badge(state)), None => { span.badge.(class(Verdict::Paused)) { (shape(Verdict::Paused)) " Note" } } }
            " " span.quiet { "by " b { (update.by) } ", " @if update.is_public() { "public" } @else { "for everybody who is signed in" } }
        }
        @if !update.text.is_empty() { div.written { (markdown(&update.text)) } }
        @if frame.may_operate {
            form.again method="post" action=(frame.links.remove_update(incident, &posted.id)) { (form_token(frame)) button.plain type="submit" { "Take back" } }
        }
    }
}
