//! A heartbeat as operators see it: what is expected when, and the log of what came.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::time::UnixMillis;
use crate::ui::text;

/// What is said of a heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct BeatSection {
    /// In a word: `waiting`, `up`, `late`, `down`, `paused`.
    pub state: &'static str,
    /// When reports are expected, in words.
    pub schedule: String,
    /// How late they may be.
    pub grace: Duration,
    /// When the next is expected.
    pub expected: Option<UnixMillis>,
    /// When its time is over.
    pub deadline: Option<UnixMillis>,
    /// The last success.
    pub last_success: Option<UnixMillis>,
    /// Open runs: their names, as far as they have one, and when they began.
    pub running: Vec<(Option<String>, UnixMillis)>,
    /// Runs that are missed just now.
    pub n_missed: usize,
    /// Something that is probably not meant.
    pub hint: Option<String>,
    /// The newest pings, newest first; `None` when they cannot be read.
    pub pings: Option<Vec<PingRow>>,
}

/// A ping in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct PingRow {
    /// Its number.
    pub number: u64,
    /// When it came.
    pub at: UnixMillis,
    /// `start`, `success`, `fail`, `log` or `ignored`.
    pub kind: &'static str,
    /// What else there is to say: exit status, why it is ignored, that it is a repeat.
    pub notes: Vec<String>,
    /// Its run.
    pub run: Option<String>,
    /// How long the run took.
    pub took: Option<Duration>,
    /// From where: address, method and client, or the node that received it.
    pub from: String,
    /// What came along, as far as it is text.
    pub body: String,
    /// How long that was, when less is kept.
    pub cut_from: Option<u64>,
    /// Where it is as it came.
    pub raw: String,
}

/// The section of a page.
#[must_use]
pub fn section(view: &BeatSection, now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "Heartbeat" }
            dl.facts {
                div { dt { "State" } dd { (view.state) @if !view.running.is_empty() { ", running" } } }
                div { dt { "Expected" } dd { (view.schedule) span.quiet { ", grace " (text::coarse(view.grace)) } } }
                div { dt { "Next report" } dd { @match view.expected { Some(at) => { (text::time(at)) " (" (text::until(at, now)) ")" }, None => "none is expected" } } }
                @if let Some(deadline) = view.deadline { div { dt { "Down from" } dd { (text::time(deadline)) } } }
                div { dt { "Last success" } dd { @match view.last_success { Some(at) => (text::ago(at, now)), None => "none yet" } } }
                @if view.n_missed > 0 { div { dt { "Missed" } dd { (text::count(view.n_missed, "run")) } } }
                @for (run, began) in &view.running { div { dt { "Open run" } dd { @if let Some(run) = run { code { (run) } " " } "since " (text::time(*began)) } } }
            }
            @if let Some(hint) = &view.hint { p.cause { (hint) } }
        }
        section {
            h2 { "Pings" }
            @match &view.pings {
                None => p.cause { "The pings cannot be read at the moment." },
                Some(pings) if pings.is_empty() => p.quiet { "None yet." },
                Some(pings) => (log(pings, now)),
            }
        }
    }
}

fn log(pings: &[PingRow], now: UnixMillis) -> Markup {
    html! {
        table.list {
            thead { tr { th { "#" } th { "When" } th { "What" } th { "Run" } th { "Took" } th { "From" } } }
            tbody {
                @for ping in pings {
                    tr {
                        td.num { (ping.number) }
                        td { (text::time(ping.at)) p.quiet { (text::ago_bare(ping.at, now)) } }
                        td.wide {
                            strong { (ping.kind) }
                            @for note in &ping.notes { ", " (note) }
                            @if !ping.body.is_empty() || ping.cut_from.is_some() { (body(ping)) }
                        }
                        td { @if let Some(run) = &ping.run { code { (run) } } }
                        td { @if let Some(took) = ping.took { (text::latency(took)) } }
                        td.wide { (ping.from) }
                    }
                }
            }
        }
    }
}

fn body(ping: &PingRow) -> Markup {
    html! {
        details {
            summary { "Body" @if let Some(n) = ping.cut_from { ", cut from " (text::bytes(n)) } }
            pre.transcript { (ping.body) }
            p { a href=(ping.raw) { "as it came" } }
        }
    }
}
