//! The nodes of the cluster: who is there, who counts, and why somebody is not or does not.

use std::time::Duration;

use maud::Markup;
use maud::html;

use crate::model::id::NodeName;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::layout;
use crate::ui::layout::Frame;
use crate::ui::layout::Section;
use crate::ui::layout::form_token;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeersView {
    /// Name of the cluster.
    pub cluster: String,
    /// How bad it is.
    pub look: Verdict,
    /// How the cluster stands, in one sentence.
    pub standing: String,
    /// When a minority acts alone, in words.
    pub solo_after: String,
    /// In the order of the config.
    pub nodes: Vec<NodeCard>,
    /// Links of strangers that were refused lately, newest first.
    pub refused: Vec<RefusedRow>,
    /// Names that never come back.
    pub forgotten: Vec<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCard {
    /// What it is called.
    pub name: NodeName,
    /// Where it is.
    pub region: String,
    /// `external`, `internal`.
    pub vantage: &'static str,
    /// It is the one that shows the page.
    pub is_me: bool,
    /// How bad its state is.
    pub look: Verdict,
    /// Its state in one word.
    pub word: &'static str,
    /// What else is to be known and done, each a sentence: why it does not count, why there is no link, what is wrong with its clock.
    pub notes: Vec<String>,
    /// Its link; `None` for this node.
    pub link: Option<LinkCard>,
    /// Newest round trip.
    pub round_trip: Option<Duration>,
    /// Its clock beside this node's, in words; for this node, beside the others'.
    pub clock: Option<String>,
    /// Whether it has this node's config; `None` when that is not known.
    pub has_same_config: Option<bool>,
    /// First digits of the digest of its config.
    pub config: Option<String>,
    /// How many monitors it decides about.
    pub n_decides: usize,
    /// Bytes sent to it and received from it since the link is up.
    pub traffic: Option<(u64, u64)>,
    /// Which release it runs, and which build of it.
    pub version: Option<(String, String)>,
    /// When it started.
    pub started_at: Option<UnixMillis>,
    /// It is silent, so it can be forgotten.
    pub may_be_forgotten: bool,
}

/// The link to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkCard {
    /// How it is, in one or two words.
    pub words: &'static str,
    /// Up, or down, since then.
    pub since: UnixMillis,
    /// How bad that is.
    pub look: Verdict,
    /// Who made it, or should: `dialed from here`.
    pub dialer: &'static str,
    /// The other end's address.
    pub address: Option<String>,
}

/// A link that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// When last.
    pub at: UnixMillis,
    /// Where it came from.
    pub from: String,
    /// What it calls itself.
    pub node: Option<String>,
    /// Why it was refused.
    pub why: String,
}

/// The whole page.
#[must_use]
pub fn page(frame: &Frame, view: &PeersView) -> Markup {
    let content = html! {
        h1 { "Peers" }
        div.headline.(class(view.look)) { (shape(view.look)) p.verdict { (view.standing) } }
        dl.facts {
            div { dt { "Cluster" } dd { (view.cluster) } }
            div { dt { "When too few nodes are seen" } dd { (view.solo_after) } }
            @if !view.forgotten.is_empty() { div { dt { "Forgotten; these names never come back" } dd { (view.forgotten.join(", ")) } } }
        }
        div.peers { @for node in &view.nodes { (card(frame, node)) } }
        @if !view.refused.is_empty() { section { h2 { "Refused links" } (refused(frame, &view.refused)) } }
    };
    layout::operator(frame, Section::Peers, "Peers", &content)
}

/// The page of an instance that watches alone: how to change that. `snippet` is what goes into the config.
#[must_use]
pub fn alone(frame: &Frame, snippet: &str) -> Markup {
    let content = html! {
        h1 { "Peers" }
        p { "This instance watches alone. With others it forms a cluster: they agree before somebody is told, they tell it once, and any of them can be lost." }
        p { "The same section goes into the config of every node; the environment variable " code { "VIGILMON_NODE" } " or " code { "--node" } " says which of them an instance is. It takes a restart." }
        pre.transcript { (snippet) }
        p { "One node with a " code { "url" } " is enough: those without one dial it. Keys are derived from the secret and the name, so there is nothing else to hand out. " code { "vigilmon peer status" } " shows how it goes, and so does this page." }
    };
    layout::operator(frame, Section::Peers, "Peers", &content)
}

/// One node.
#[must_use]
pub fn card(frame: &Frame, node: &NodeCard) -> Markup {
    let unknown = html! { span.quiet { "not known" } };
    html! {
        article.peer.(class(node.look)) data-key=(node.name) {
            header {
                h2 { (node.name) @if node.is_me { " " span.quiet { "this node" } } }
                span.badge { (shape(node.look)) " " (node.word) }
                p.quiet { (node.region) ", " (node.vantage) }
            }
            @for note in &node.notes { p.note { (note) } }
            dl.facts {
                @if let Some(link) = &node.link { div.full { dt { "Link" } dd { (link_words(frame, link)) } } }
                @if let Some(took) = node.round_trip { div { dt { "Round trip" } dd { (round_trip(took)) } } }
                @if let Some(words) = &node.clock { div { dt { "Clock" } dd { (words) } } }
                div { dt { "Config" } dd { (config(node)) } }
                div { dt { "Decides" } dd { (text::count(node.n_decides, "monitor")) } }
                div { dt { "Version" } dd { @match &node.version { Some((release, build)) => { span title=(build) { (release) } }, None => (unknown) } } }
                div { dt { "Started" } dd { @match node.started_at { Some(at) => (text::ago(at, frame.now)), None => (unknown) } } }
                @if let Some((sent, received)) = node.traffic { div.full { dt { "Traffic of this link" } dd { (text::bytes(sent)) " sent, " (text::bytes(received)) " received" } } }
            }
            @if node.may_be_forgotten && frame.may_administer { (forget(frame, &node.name)) }
        }
    }
}

fn link_words(frame: &Frame, link: &LinkCard) -> Markup {
    html! {
        span.badge.(class(link.look)) { (shape(link.look)) " " (link.words) } " since " (text::short(link.since, frame.now)) ", " (link.dialer)
        @if let Some(address) = &link.address { " " code { (address) } }
    }
}

fn round_trip(took: Duration) -> String {
    if took < Duration::from_millis(1) { "under 1 ms".to_owned() } else { text::latency(took) }
}

fn config(node: &NodeCard) -> Markup {
    html! {
        @match node.has_same_config {
            Some(true) if node.is_me => {},
            Some(true) => { "same" },
            Some(false) => { span.badge.(class(Verdict::Degraded)) { (shape(Verdict::Degraded)) " differs" } },
            None => { span.quiet { "not known" } },
        }
        @if let Some(digits) = &node.config { " " code { (digits) } }
    }
}

fn forget(frame: &Frame, node: &NodeName) -> Markup {
    html! {
        details.forget {
            summary { "Gone for good?" }
            p { "Forgotten, it is not waited for and not counted any more, on all nodes. Its name never comes back: a machine that returns takes another one." }
            form method="post" action=(frame.links.forget_node(node)) { (form_token(frame)) button type="submit" { "Forget " (node) } }
        }
    }
}

/// Links that were refused.
#[must_use]
pub fn refused(frame: &Frame, rows: &[RefusedRow]) -> Markup {
    html! {
        div.scroll tabindex="0" { table.list {
            thead { tr { th { "Last" } th { "From" } th { "Calls itself" } th { "Why" } } }
            tbody { @for row in rows { tr {
                td { (text::ago(row.at, frame.now)) }
                td { code { (row.from) } }
                td { @match &row.node { Some(node) => (node), None => span.quiet { "nothing" } } }
                td.wide { span.cause { (row.why) } }
            } } }
        } }
    }
}
