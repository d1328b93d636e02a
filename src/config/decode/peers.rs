//! Decodes `peers`: the cluster, the same on every node but for which of them this one is.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64_NOPAD;

use crate::config::Instance;
use crate::config::Peers;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::config::reference;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::peer::Node;
use crate::model::peer::PublicKey;
use crate::model::peer::Vantage;
use crate::model::secret::Secret;

/// The variable that says which node this is; the command line's `--node` stands in for it.
pub(super) const NODE: &str = "VIGILMON_NODE";

/// A shorter secret could be guessed from one recorded handshake.
const SECRET_CHARS_MIN: usize = 16;

/// Every node has a link with every other one.
const NODES_MAX: usize = 50;

const SOLO_AFTER: Duration = Duration::from_secs(60);
const SOLO_AFTER_MIN: Duration = Duration::from_secs(5);

/// `peers:`
pub(super) fn peers(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Peers> {
    let mut fields = Fields::open(ctx, at, "peers")?;
    let cluster = fields.must("cluster", |ctx, at| readers::parsed(ctx, at, Region::parse));
    let secrets = fields.take("secret").map(|at| at.one_or_many()).unwrap_or_default();
    let private_key = fields.take("private_key");
    let nodes_at = fields.require("nodes");
    let solo_after = fields.read("solo_after", solo_after);
    fields.finish();
    let secrets: Vec<Secret> = secrets.iter().filter_map(|at| secret(ctx, at)).collect();
    let private_key_at = private_key;
    let private_key = private_key_at.as_ref().and_then(|at| readers::secret(ctx, at));
    let nodes_at = nodes_at?;
    let nodes = nodes(ctx, &nodes_at)?;
    if secrets.is_empty() && nodes.iter().any(|node| node.key.is_none()) {
        ctx.bad(
            at,
            "there is no `secret` that keys could be derived from",
            "add `secret: { env: VIGILMON_CLUSTER_SECRET }`, the same on all nodes",
        );
    }
    let me = own_name(ctx, at, &nodes)?;
    let own = nodes.iter().find(|node| node.name == me)?;
    match (own.key, &private_key, &private_key_at) {
        (Some(_), None, _) => ctx.bad(
            at,
            format!("the node `{me}` has a `key`, and there is no `private_key`"),
            "add the one that `vigilmon peer id --new` printed with it",
        ),
        (Some(_), Some(secret), Some(at)) if decoded(secret.reveal_for_use()).is_none() => {
            ctx.bad(at, "this is not a private key", "it is 44 characters of base64, as `vigilmon peer id --new` prints it");
        }
        (None, Some(_), Some(at)) => {
            ctx.bad(at, format!("the node `{me}` has no `key` that this could belong to"), "remove it, or add `key` to the node")
        }
        _ => {}
    }
    Some(Peers { cluster: cluster?.to_string(), me, secrets, private_key, nodes, solo_after: solo_after.unwrap_or(Some(SOLO_AFTER)) })
}

fn secret(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let secret = readers::secret(ctx, at)?;
    if secret.reveal_for_use().chars().count() < SECRET_CHARS_MIN {
        ctx.bad(at, format!("the secret is shorter than {SECRET_CHARS_MIN} characters"), "make one with `openssl rand -hex 32`");
        return None;
    }
    Some(secret)
}

/// `Some(None)` is `never`.
#[expect(clippy::option_option, reason = "absent, never, and a time are three things")]
fn solo_after(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Option<Duration>> {
    if at.node.scalar().is_some_and(|scalar| scalar.text == "never") {
        return Some(None);
    }
    readers::duration_from(ctx, at, SOLO_AFTER_MIN, "5s").map(Some)
}

fn nodes(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<Node>> {
    let mut seen: BTreeMap<NodeName, u32> = BTreeMap::new();
    let mut nodes = Vec::new();
    let items = at.list(ctx);
    let n_items = items.len();
    for item in items {
        let Some(node) = node(ctx, &item) else { continue };
        if let Some(line) = seen.insert(node.name.clone(), item.node.pos.line) {
            ctx.bad(&item, format!("there is already a node `{}` in line {line}", node.name), "give one of them another name");
        }
        nodes.push(node);
    }
    if n_items < 2 {
        ctx.bad(at, "a cluster has at least two nodes", "list all of them, this one included, or remove `peers`");
    } else if NODES_MAX < n_items {
        ctx.bad(at, format!("a cluster has at most {NODES_MAX} nodes, this one has {n_items}"), "make two clusters of it");
    } else if nodes.len() == n_items && nodes.iter().all(|node| node.url.is_none()) {
        ctx.bad(at, "no node has a `url`, so none can be reached by the others", "add `url: wss://host/peer` to at least one");
    }
    (nodes.len() == n_items).then_some(nodes)
}

fn node(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Node> {
    let mut fields = Fields::open(ctx, at, "peers.nodes[]")?;
    let name = fields.must("name", |ctx, at| readers::parsed(ctx, at, NodeName::parse));
    let region = fields.must("region", |ctx, at| readers::parsed(ctx, at, Region::parse));
    let vantages = [("external", Vantage::External), ("internal", Vantage::Internal)];
    let vantage = fields.read("vantage", |ctx, at| readers::choice(ctx, at, &vantages));
    let url_at = fields.take("url");
    let key_at = fields.take("key");
    fields.finish();
    let url = url_at.as_ref().map(|at| url(ctx, at));
    let key = key_at.as_ref().map(|at| key(ctx, at));
    Some(Node {
        name: name?,
        region: region?,
        vantage: vantage.unwrap_or(Vantage::External),
        url: match url {
            Some(url) => Some(url?),
            None => None,
        },
        key: match key {
            Some(key) => Some(key?),
            None => None,
        },
    })
}

fn url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<url::Url> {
    let text = readers::text(ctx, at)?;
    let hint = "write `wss://host/peer`; below a `base_path` it is `wss://host/base/peer`";
    if text.contains('@') {
        // What stands before it may be a password, and is not shown.
        ctx.bad(at, "there is a user name in this URL", "remove what is before the `@`: nodes prove who they are by their keys");
        return None;
    }
    let Ok(url) = url::Url::parse(&text) else {
        ctx.bad(at, format!("`{text}` is not a URL"), hint);
        return None;
    };
    if !matches!(url.scheme(), "ws" | "wss") {
        ctx.bad(at, format!("`{text}` begins with `{}`", url.scheme()), hint);
        return None;
    }
    if !url.path().ends_with("/peer") || url.query().is_some() || url.host_str().is_none_or(str::is_empty) {
        ctx.bad(at, format!("`{text}` does not lead to `/peer`"), hint);
        return None;
    }
    Some(url)
}

fn decoded(text: &str) -> Option<[u8; 32]> {
    BASE64_NOPAD.decode(text.trim().trim_end_matches('=').as_bytes()).ok()?.try_into().ok()
}

fn key(ctx: &Ctx<'_>, at: &At<'_>) -> Option<PublicKey> {
    let text = readers::text(ctx, at)?;
    let found = text.strip_prefix("ed25519:").and_then(decoded).map(PublicKey);
    if found.is_none() {
        // Perhaps it is the private one, by mistake.
        ctx.bad(at, "this is not a public key", "it is `ed25519:` and 44 characters of base64, as `vigilmon peer id` prints it");
    }
    found
}

fn own_name(ctx: &Ctx<'_>, at: &At<'_>, nodes: &[Node]) -> Option<NodeName> {
    let names = nodes.iter().map(|node| format!("`{}`", node.name)).collect::<Vec<_>>().join(", ");
    let Some(given) = ctx.around.env(NODE).filter(|name| !name.is_empty()) else {
        if ctx.around.any_node_will_do() {
            // One that can show the most: the files of a node's own key are on that node only.
            return nodes.iter().min_by_key(|node| node.key.is_some()).map(|node| node.name.clone());
        }
        let hint = format!("set `{NODE}`, or start with `--node NAME`; the nodes are {names}");
        ctx.bad(at, "nothing says which of the nodes this one is", hint);
        return None;
    };
    let found = nodes.iter().find(|node| node.name.as_str() == given);
    if found.is_none() {
        let nearest = reference::nearest(&given, nodes.iter().map(|node| node.name.as_str()));
        let hint = nearest.map_or_else(|| format!("the nodes are {names}"), |near| format!("is it `{near}`? the nodes are {names}"));
        ctx.bad(at, format!("this node is called `{given}`, which is not in `nodes`"), hint);
    }
    found.map(|node| node.name.clone())
}

/// What the cluster says of this node goes for the instance; what the instance says besides must not contradict it.
pub(super) fn place(ctx: &Ctx<'_>, at: Option<&At<'_>>, instance: &mut Instance, peers: &Peers) {
    let Some(own) = peers.node(&peers.me) else { return };
    let written = |key: &str| at.and_then(|at| at.child(key));
    let hint = format!("remove it: with `peers` it comes from the node `{}`", own.name);
    if let Some(at) = written("region").filter(|_| instance.region != own.region) {
        ctx.bad(&at, format!("the region is `{}` here and `{}` in `peers.nodes`", instance.region, own.region), hint.clone());
    }
    if let Some(at) = written("vantage").filter(|_| instance.vantage != own.vantage) {
        let (here, there) = (instance.vantage.word(), own.vantage.word());
        ctx.bad(&at, format!("the vantage is `{here}` here and `{there}` in `peers.nodes`"), hint);
    }
    instance.region = own.region.clone();
    instance.vantage = own.vantage;
}
