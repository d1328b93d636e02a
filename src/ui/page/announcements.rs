//! Announcements: what visitors of status pages are told without a check that failed.

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::update::AnnouncementId;
use crate::model::update::Posted;
use crate::model::update::TITLE_CHARS_MAX;
use crate::model::update::UpdateState;
use crate::ui::component::updates;
use crate::ui::component::updates::Draft;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::markdown::markdown;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncementsView {
    /// Those that hold or will, the newest first.
    pub open: Vec<AnnouncementCard>,
    /// Those that are over, the newest first.
    pub over: Vec<AnnouncementCard>,
    /// Slugs of all status pages.
    pub slugs: Vec<String>,
    /// What the form of the next one begins with.
    pub draft: Draft,
}

/// One announcement, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncementCard {
    /// Which.
    pub id: AnnouncementId,
    /// In a line.
    pub title: String,
    /// How far people have got.
    pub state: UpdateState,
    /// From when.
    pub from: UnixMillis,
    /// Until when; `None`: nobody knows.
    pub until: Option<UnixMillis>,
    /// What it is for: the kind of pattern, and the pattern.
    pub wanted: Vec<(&'static str, String)>,
    /// Slugs of the pages that show it.
    pub pages: Vec<String>,
    /// Newest first.
    pub updates: Vec<Posted>,
    /// Somebody chose a template for what is said next.
    pub is_being_written: bool,
    /// What the form for that begins with.
    pub draft: Draft,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &AnnouncementsView) -> Markup {
    let content = html! {
        h1 { "Announcements" }
        p { "What visitors of status pages should know although no check fails. The announcement stands on every page that it names, and on every page that lists a monitor it is for, until it is resolved." }
        @if view.open.is_empty() { p.quiet { "Nothing is announced." } }
        @for card in &view.open { (shown(frame, card, true)) }
        @if frame.may_operate { (new(frame, view)) }
        @if !view.over.is_empty() { section { h2 { "Over" } @for card in &view.over { (shown(frame, card, false)) } } }
    };
    layout::operator(frame, Section::Incidents, "Announcements", &content)
}

fn shown(frame: &Frame, card: &AnnouncementCard, is_open: bool) -> Markup {
    html! {
        article.card.announced data-key=(card.id) {
            h2 { (card.title) " " (updates::state_badge(card.state)) }
            p.quiet {
                @if frame.now < card.from { "begins " (text::until(card.from, frame.now)) } @else { "since " (text::short(card.from, frame.now)) }
                @if let Some(until) = card.until { ", until " (text::short(until, frame.now)) }
                "; for " @for (i, (kind, pattern)) in card.wanted.iter().enumerate() { @if i > 0 { ", " } (kind) " " code { (pattern) } }
                "; " @if card.pages.is_empty() { "no status page shows it" } @else { "on " (text::joined(&card.pages)) }
            }
            ol.updates { @for posted in &card.updates { li {
                p.said-when { @if let Some(state) = posted.update.state() { (updates::state_badge(state)) } " " span.quiet { (text::short(posted.update.at, frame.now)) ", by " b { (posted.update.by) } } }
                @if !posted.update.text.is_empty() { div.written { (markdown(&posted.update.text)) } }
                @if frame.may_operate {
                    form.again method="post" action=(frame.links.remove_announcement_update(&card.id, &posted.id)) {
                        (layout::form_token(frame)) button.plain type="submit" { "Take back" }
                    }
                }
            } } }
            @if frame.may_operate && is_open {
                details id={ "say-" (card.id) } open[card.is_being_written] { summary { "Say more, or end it" }
                    (updates::templates(&card.draft, &|name| frame.links.announcement_update_template(&card.id, name)))
                    form.stacked method="post" action=(frame.links.announcement_updates(&card.id)) {
                        (layout::form_token(frame)) (updates::state_and_text(&card.draft))
                        button type="submit" { "Post" }
                    }
                }
            }
        }
    }
}

fn new(frame: &Frame, view: &AnnouncementsView) -> Markup {
    html! {
        section #announce {
            h2 { "Announce something" }
            (updates::templates(&view.draft, &|name| frame.links.announcement_template(name)))
            form.stacked method="post" action=(frame.links.announcements()) {
                (layout::form_token(frame))
                label { "Title" input name="title" maxlength=(TITLE_CHARS_MAX) required placeholder="Logins are slow"; }
                (updates::state_and_text(&view.draft))
                p.quiet #markdown-help { "*emphasis*, **strong**, `code`, lists and [links](https://example.com) are understood." }
                div.columns {
                    label { "Monitors by name, one in each line" textarea name="monitors" rows="3" placeholder="[prod] *" {} }
                    label { "Groups, one in each line" textarea name="groups" rows="3" placeholder="Shop" {} }
                    label { "Status pages, one in each line" textarea name="pages" rows="3" placeholder=(view.slugs.first().map_or("production", String::as_str)) {} }
                }
                div.columns {
                    label { "From, UTC; empty: now" input type="datetime-local" name="from"; }
                    label { "Until, UTC; empty: until it is resolved" input type="datetime-local" name="until"; }
                }
                button.main type="submit" { "Announce" }
            }
        }
    }
}
