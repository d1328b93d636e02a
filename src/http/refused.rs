//! What people see who are refused something on the operators' pages. Nothing that was typed is lost: it is shown again to be copied, with the
//! way back to its form, or first to sign in. Whoever is signed in keeps the frame of the pages around them.
//!
//! What is for everybody is refused in [`crate::http::error`], in the same bytes for all.

use hyper::Method;
use hyper::header;
use maud::Markup;

use crate::engine::snapshot::Snapshot;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::auth::Viewer;
use crate::http::error::Refusal;
use crate::http::next::page_of_form;
use crate::http::views;
use crate::http::visit::Visit;
use crate::ui::layout::Section;
use crate::ui::page::error;
use crate::ui::page::error::ErrorView;
use crate::ui::page::error::RefusedView;

/// Fields that people fill in, and what they are called there. Whatever else a form carries is nobody's words.
const TYPED: [(&str, &str); 23] = [
    ("title", "Title"),
    ("state", "State"),
    ("text", "Text"),
    ("note", "Note"),
    ("monitors", "Monitors by name"),
    ("groups", "Groups"),
    ("labels", "Labels"),
    ("pages", "Status pages"),
    ("own", "For how long"),
    ("from", "From"),
    ("until", "Until"),
    ("target", "Address"),
    ("name", "Name"),
    ("id", "Id"),
    ("group", "Group"),
    ("interval", "Interval"),
    ("status", "Status"),
    ("body_contains", "The body contains"),
    ("response_time", "Response time"),
    ("cron", "Cron"),
    ("timezone", "Time zone"),
    ("grace", "How late it may be"),
    ("public", "Shown on status pages"),
];

/// The request that was refused: its method, and its path below the base.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// How.
    pub method: &'a Method,
    /// For what.
    pub path: &'a str,
    /// Names the entry in the log.
    pub id: &'a str,
}

/// The answer to whoever was refused something on a page of operators; `viewer` is who they are, if anybody knows.
#[must_use]
pub fn page(refusal: Refusal, asked: Asked<'_>, visit: &Visit, viewer: Option<&Viewer>, snapshot: &Snapshot) -> Answer {
    let next = Some(asked.method).filter(|method| *method == Method::POST).and_then(|_| page_of_form(visit, asked.path));
    let is_unread = matches!(refusal, Refusal::SignedOut { is_unread: true });
    let draw = |what: ErrorView| -> Markup {
        let typed = typed(visit);
        match viewer {
            Some(viewer) => {
                let view = RefusedView { what, typed, back: next.map(|path| visit.links.to(&path)), sign_in: None, is_unread };
                error::within(&views::frame(visit, viewer, snapshot), section(asked.path), &view)
            }
            None => {
                let view = RefusedView { what, typed, back: None, sign_in: Some(visit.links.sign_in_for(next.as_deref())), is_unread };
                error::outside(&visit.links, &view)
            }
        }
    };
    let answer = refusal.page(&visit.links, asked.id, draw);
    // What follows on this connection cannot be told from the rest of the body.
    if is_unread { answer::with(answer, header::CONNECTION, "close") } else { answer }
}

fn typed(visit: &Visit) -> Vec<(&'static str, String)> {
    let value = |name: &str| visit.field(name).filter(|value| !value.trim().is_empty()).map(ToOwned::to_owned);
    TYPED.into_iter().filter_map(|(name, label)| Some((label, value(name)?))).collect()
}

/// Where in the operators' pages a path belongs.
fn section(path: &str) -> Section {
    match path.split('/').nth(1).unwrap_or_default() {
        "heartbeats" => Section::Heartbeats,
        "incidents" | "announcements" => Section::Incidents,
        "silences" => Section::Silences,
        "maintenance" => Section::Maintenance,
        "channels" => Section::Channels,
        "config" => Section::Config,
        "peers" => Section::Peers,
        _ => Section::Monitors,
    }
}
