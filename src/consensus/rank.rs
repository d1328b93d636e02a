//! Who goes first: rendezvous hashing (Thaler and Ravishankar, 1998). Every node orders the nodes alike for each subject, different
//! subjects begin with different nodes, and a node that leaves changes nothing for subjects that it did not lead.

use crate::model::id::NodeName;

/// The nodes in the order in which they take responsibility for `subject`.
#[must_use]
pub fn ranked(subject: &str, nodes: &[NodeName]) -> Vec<NodeName> {
    let mut weighed: Vec<(Vec<u8>, &NodeName)> = nodes.iter().map(|node| (weight(subject, node), node)).collect();
    weighed.sort_by(|a, b| b.cmp(a));
    weighed.into_iter().map(|(_, node)| node.clone()).collect()
}

/// The place of `me` among them, from 0; `None` when it is not one of them.
#[must_use]
pub fn rank_of(subject: &str, nodes: &[NodeName], me: &NodeName) -> Option<usize> {
    ranked(subject, nodes).iter().position(|node| node == me)
}

/// How strongly a node is drawn to a subject.
fn weight(subject: &str, node: &NodeName) -> Vec<u8> {
    let text = format!("{}:{node}{subject}", node.as_str().len());
    ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref().to_vec()
}
