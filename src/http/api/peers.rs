//! The nodes of the cluster, for programs. A promise like the rest of the API.

use std::time::Duration;

use serde::Serialize;

use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::Ignored;
use crate::engine::snapshot::NodeView;
use crate::engine::snapshot::Snapshot;
use crate::http::peer_views;
use crate::http::peer_views::LinkReport;
use crate::model::id::NodeName;
use crate::peer::port::LinkState;
use crate::peer::port::LinkView;

/// The cluster in short, as part of the status.
#[derive(Debug, Serialize)]
pub struct Cluster {
    name: String,
    /// This node.
    node: String,
    nodes_live: usize,
    nodes_total: usize,
    /// The nodes that this one sees are enough to decide at once.
    is_primary: bool,
}

/// All nodes.
#[derive(Debug, Serialize)]
pub struct Peers {
    at: String,
    /// `None` when watching alone; then there are no nodes either.
    cluster: Option<Cluster>,
    /// How the cluster stands, in one sentence.
    summary: Option<String>,
    /// This node takes part in decisions.
    is_ready: bool,
    /// After so many seconds a part that is not primary acts alone; `None`: it never does.
    solo_after_seconds: Option<u64>,
    nodes: Vec<Node>,
    /// Names of nodes that are gone for good.
    forgotten: Vec<String>,
    /// Links that were refused lately.
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Node {
    name: String,
    region: String,
    vantage: &'static str,
    is_self: bool,
    /// `live`, or why its votes do not count.
    state: &'static str,
    reason: Option<String>,
    /// Its votes count.
    is_counted: bool,
    /// How far its clock is ahead of this node's; for this node, of the others'.
    clock_offset_ms: Option<i64>,
    has_same_config: Option<bool>,
    config_hash: Option<String>,
    version: Option<String>,
    started_at: Option<String>,
    decides: usize,
    /// `None` for this node.
    link: Option<Link>,
}

#[derive(Debug, Serialize)]
struct Link {
    is_up: bool,
    /// Up, or down, since then.
    since: String,
    /// Whether this node made it; `None` while it is down.
    is_dialed: Option<bool>,
    address: Option<String>,
    /// Why it is not up, or what else is wrong with it.
    error: Option<String>,
    round_trip_ms: Option<u64>,
    bytes_sent: u64,
    bytes_received: u64,
}

#[derive(Debug, Serialize)]
struct Refused {
    at: String,
    node: Option<String>,
    from: String,
    why: String,
}

/// What came of asking a node whether it is there.
#[derive(Debug, Serialize)]
pub struct Pong {
    node: String,
    /// How long the answer took; `None`: there was none.
    round_trip_ms: Option<f64>,
    error: Option<String>,
}

/// The cluster in short.
#[must_use]
pub fn cluster(view: &ClusterView) -> Cluster {
    let (nodes_live, nodes_total) = view.n_live();
    Cluster { name: view.name.clone(), node: view.me.to_string(), nodes_live, nodes_total, is_primary: view.is_primary }
}

/// All nodes, in the order of the config.
#[must_use]
pub fn peers(snapshot: &Snapshot, report: &LinkReport) -> Peers {
    let view = snapshot.cluster.as_deref();
    let refused = report.refused.iter().map(|refused| Refused {
        at: refused.at.rfc3339(),
        node: refused.node.clone(),
        from: refused.from.clone(),
        why: refused.why.clone(),
    });
    Peers {
        at: snapshot.at.rfc3339(),
        cluster: view.map(cluster),
        summary: view.map(|view| peer_views::standing(view, report).text),
        is_ready: view.is_some_and(|view| view.is_ready),
        solo_after_seconds: view.and_then(|view| view.solo_after).map(|wait| wait.as_secs()),
        nodes: view.map(|view| view.nodes.iter().map(|node| node_of(node, view, report)).collect()).unwrap_or_default(),
        forgotten: view.map(|view| view.forgotten.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        refused: refused.collect(),
    }
}

/// What came of asking.
#[must_use]
pub fn pong(node: &NodeName, took: Result<Duration, String>) -> Pong {
    let (round_trip_ms, error) = match took {
        Ok(took) => (Some((took.as_secs_f64() * 1_000_000.0).round() / 1000.0), None),
        Err(why) => (None, Some(why)),
    };
    Pong { node: node.to_string(), round_trip_ms, error }
}

fn node_of(node: &NodeView, cluster: &ClusterView, report: &LinkReport) -> Node {
    let meta = node.meta.as_ref();
    Node {
        name: node.name.to_string(),
        region: node.region.to_string(),
        vantage: node.vantage.word(),
        is_self: node.is_me,
        state: node.ignored.map_or("live", Ignored::word),
        reason: peer_views::reason(node),
        is_counted: node.ignored.is_none(),
        clock_offset_ms: peer_views::clock_offset_ms(node, cluster, report),
        has_same_config: node.has_same_config,
        config_hash: meta.map(|meta| meta.config_digest.clone()),
        version: meta.map(|meta| meta.version.clone()),
        started_at: meta.map(|meta| meta.started_at.rfc3339()),
        decides: node.n_decides,
        link: report.link(&node.name).filter(|_| !node.is_me).map(|found| link(found, peer_views::link_trouble(node, report))),
    }
}

fn link(view: &LinkView, trouble: Option<String>) -> Link {
    let (is_up, since, is_dialed) = match &view.state {
        LinkState::Up { since, is_dialed } => (true, *since, Some(*is_dialed)),
        LinkState::Down { since, .. } => (false, *since, None),
    };
    Link {
        is_up,
        since: since.rfc3339(),
        is_dialed,
        address: view.address.clone(),
        error: trouble,
        round_trip_ms: view.round_trip.and_then(|took| u64::try_from(took.as_millis()).ok()),
        bytes_sent: view.n_bytes.0,
        bytes_received: view.n_bytes.1,
    }
}
