//! The channels, how each of them is, and one of them with its delivery log.

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::delivery;
use crate::ui::component::delivery::AttemptRow;
use crate::ui::component::delivery::Columns;
use crate::ui::component::delivery::DeliveryRow;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::layout::form_token;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelsView {
    /// By name; those that are configured first.
    pub channels: Vec<ChannelRow>,
    /// No channel has taken a message for long, so nobody knows whether alerts arrive.
    pub is_unproven: bool,
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
    /// What the config says of it; `None` when it left the config.
    pub configured: Option<Configured>,
    /// How it is; `None` when that cannot be read.
    pub stand: Option<Stand>,
    /// Why the last attempt failed.
    pub reason: Option<String>,
    /// When it last took a message.
    pub accepted_at: Option<UnixMillis>,
    /// When another node last said that it took one.
    pub elsewhere_at: Option<UnixMillis>,
    /// Messages that wait.
    pub n_waiting: u64,
    /// Since when the oldest should be there.
    pub oldest: Option<UnixMillis>,
    /// When the next attempt is due.
    pub next_at: Option<UnixMillis>,
    /// Messages that were given up.
    pub n_dead: u64,
}

/// What the config says of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// `webhook`, `slack`.
    pub kind: &'static str,
    /// What it wants to hear.
    pub on: String,
    /// How many monitors use it.
    pub n_monitors: usize,
    /// `config.yaml:14`.
    pub origin: String,
}

/// How a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// No message was ever sent to it.
    NeverUsed,
    /// It took the last message.
    Fine,
    /// It has taken none since then.
    Failing(UnixMillis),
    /// It asked to be left alone until then.
    Resting(UnixMillis),
    /// It is given up on since then, and others were told.
    NotDelivering(UnixMillis),
}

/// One channel with its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelView {
    /// As in the list.
    pub row: ChannelRow,
    /// What it would send; `None` for those who may not know, and for a channel that left the config.
    pub preview: Option<PreviewView>,
    /// The test message that was sent last, since the start.
    pub test: Option<AttemptRow>,
    /// A page of the log, newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// The address of the next page.
    pub older: Option<String>,
    /// Only what was given up is shown.
    pub dead_only: bool,
    /// The database could not be read.
    pub unreadable: bool,
}

/// What a channel would send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewView {
    /// What it hears of.
    pub events: Vec<&'static str>,
    /// The event that was asked for, and every request that it takes or why there is none. Nothing in it is secret.
    pub shown: Option<(&'static str, Result<String, String>)>,
}

/// The list.
#[must_use]
pub fn page(frame: &Frame, view: &ChannelsView) -> Markup {
    let content = html! {
        h1 { "Channels" }
        @if view.channels.is_empty() { p { "No channels are configured, so nobody is told about outages. Add one under " code { "channels:" } " in the config." } }
        @else {
            @if view.is_unproven { p.diagnosis { "No channel has taken a message in the last 30 days, so nobody knows whether alerts arrive. Send a test message to each, on its page or with " code { "vigilmon channel test --all" } "." } }
            (channels(&view.channels, frame))
        }
        section {
            h2 { "Latest messages" }
            @if view.unreadable { (unreadable()) } @else { (delivery::table(&view.deliveries, Columns { channel: true, about: true }, frame)) }
        }
    };
    layout::operator(frame, Section::Channels, "Channels", &content)
}

fn unreadable() -> Markup {
    html! { p.cause { "The delivery log cannot be read at the moment." } }
}

fn channels(rows: &[ChannelRow], frame: &Frame) -> Markup {
    html! {
        div.scroll { table.list.channels {
            thead { tr { th { "Channel" } th { "State" } th { "Last success" } th.num { "Waiting" } th.num { "Given up" } th { "Hears of" } th.num { "Monitors" } } }
            tbody { @for row in rows { tr {
                td { a href=(frame.links.channel(&row.name)) { (row.name) } p.quiet { @match &row.configured { Some(configured) => (configured.kind), None => "not in the config" } } }
                td.wide { (stand(row.stand, frame.now)) @if let Some(reason) = &row.reason { p.cause { (reason) } } }
                td data-label="Last success" { (last_success(row, frame.now)) }
                td.num data-label="Waiting" { (waiting(row, frame.now)) }
                td.num data-label="Given up" { @if row.n_dead == 0 { span.quiet { "0" } } @else { a.is-down.badge href=(dead_only(frame, &row.name)) { (row.n_dead) } } }
                td.wide data-label="Hears of" { @if let Some(configured) = &row.configured { (configured.on) } }
                td.num data-label="Monitors" { @if let Some(configured) = &row.configured { (configured.n_monitors) } }
            } } }
        } }
    }
}

fn dead_only(frame: &Frame, name: &str) -> String {
    format!("{}?state=given_up", frame.links.channel(name))
}

fn stand(stand: Option<Stand>, now: UnixMillis) -> Markup {
    let Some(stand) = stand else { return html! { span.quiet { "not known" } } };
    let (look, words, when) = match stand {
        Stand::NeverUsed => (Verdict::Unknown, "Never used", None),
        Stand::Fine => (Verdict::Up, "Fine", None),
        Stand::Failing(since) => (Verdict::Degraded, "Failing", Some(html! { " since " (text::short(since, now)) })),
        Stand::Resting(until) => (Verdict::Degraded, "Asked for a rest", Some(html! { ", ends " (text::until(until, now)) })),
        Stand::NotDelivering(since) => (Verdict::Down, "Not delivering", Some(html! { " since " (text::short(since, now)) })),
    };
    html! { span.badge.(class(look)) { (shape(look)) " " (words) } @if let Some(when) = when { span.quiet { (when) } } }
}

fn last_success(row: &ChannelRow, now: UnixMillis) -> Markup {
    let elsewhere = row.elsewhere_at.filter(|at| row.accepted_at < Some(*at));
    html! {
        @match row.accepted_at { Some(at) => (text::ago(at, now)), None => span.quiet { "never" @if elsewhere.is_some() { " from here" } } }
        @if let Some(at) = elsewhere { p.quiet { "by another node " (text::ago(at, now)) } }
    }
}

fn waiting(row: &ChannelRow, now: UnixMillis) -> Markup {
    html! {
        @if row.n_waiting == 0 { span.quiet { "0" } } @else {
            (row.n_waiting)
            @if let Some(oldest) = row.oldest.filter(|oldest| *oldest < now) { p.quiet { "oldest " (text::ago(oldest, now)) } }
        }
    }
}

/// One channel.
#[must_use]
pub fn one(frame: &Frame, view: &ChannelView) -> Markup {
    let row = &view.row;
    let content = html! {
        div.title-row { h1 { (row.name) } @if frame.may_operate { (buttons(frame, row)) } }
        p { (stand(row.stand, frame.now)) }
        @if let Some(reason) = &row.reason { p.cause { (reason) } }
        dl.facts {
            @match &row.configured {
                Some(configured) => {
                    div { dt { "Kind" } dd { (configured.kind) } }
                    div { dt { "Hears of" } dd { (configured.on) } }
                    div { dt { "Monitors" } dd { (configured.n_monitors) } }
                    div { dt { "Written in" } dd { code { (configured.origin) } } }
                },
                None => div.full { dt { "Config" } dd { "It is not in the config any more. What it is owed waits a day for it." } },
            }
            div { dt { "Last success" } dd { (last_success(row, frame.now)) } }
            div { dt { "Waiting" } dd { (waiting(row, frame.now)) } }
            @if let Some(at) = row.next_at.filter(|_| row.n_waiting > 0) { div { dt { "Next attempt" } dd { (text::until(at, frame.now)) } } }
            div { dt { "Given up" } dd { (row.n_dead) } }
        }
        @if let Some(test) = &view.test { section { h2 { "Last test message" } ul.attempts { (delivery::attempt(test)) } } }
        @if let Some(preview) = &view.preview { (previews(frame, &row.name, preview)) }
        section {
            div.title-row { h2 { @if view.dead_only { "Given up" } @else { "Messages" } } (filters(frame, view)) }
            @if view.unreadable { (unreadable()) } @else { (delivery::table(&view.deliveries, Columns { channel: false, about: true }, frame)) }
            @if let Some(older) = &view.older { p { a rel="next" href=(older) { "Older messages" } } }
        }
    };
    layout::operator(frame, Section::Channels, &row.name, &content)
}

/// What it would send of an incident that is made up. Asked for by an address, so that it can be sent to somebody and works without a script.
fn previews(frame: &Frame, name: &str, view: &PreviewView) -> Markup {
    let here = frame.links.channel(name);
    let shown = view.shown.as_ref().map(|(event, _)| *event);
    html! {
        section #preview {
            h2 { "What it would send" }
            p.quiet { "Made up for one of its monitors, and not sent. Secrets are hidden." }
            ul.counts.pills { @for event in &view.events {
                li { a href={ (here) "?preview=" (event) "#preview" } aria-current=[(shown == Some(event)).then_some("true")] { (event) } }
            } }
            @match &view.shown {
                Some((_, Ok(text))) => pre.transcript tabindex="0" aria-label="What would be sent" { (text) },
                Some((_, Err(why))) => p.cause { "Nothing is sent: " (why) "." },
                None => {},
            }
        }
    }
}

fn buttons(frame: &Frame, row: &ChannelRow) -> Markup {
    html! {
        div.buttons {
            @if row.configured.is_some() { form method="post" action=(frame.links.test_channel(&row.name)) { (form_token(frame)) button type="submit" { "Send a test message" } } }
            @if row.n_dead > 0 { form method="post" action=(frame.links.retry_channel(&row.name)) { (form_token(frame)) button type="submit" { "Try all again" } } }
        }
    }
}

fn filters(frame: &Frame, view: &ChannelView) -> Markup {
    html! {
        p.filters {
            @if view.dead_only { a href=(frame.links.channel(&view.row.name)) { "Show all" } }
            @else if view.row.n_dead > 0 { a href=(dead_only(frame, &view.row.name)) { "Show only what was given up" } }
        }
    }
}
