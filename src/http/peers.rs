//! The way in for nodes of the cluster: a WebSocket on the normal port (RFC 6455). Who they are is proved inside; nothing of a request is
//! believed here, and what it says of itself only goes into messages.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::http::PeerParts;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::visit::Visit;
use crate::peer::link::links::AcceptHint;
use crate::peer::link::websocket;

/// Links and handshakes that others made, at once: several times the largest cluster. Each has a place of its own beyond those of
/// visitors, because it stays for days.
const LINKS_MAX: usize = 256;

/// Answers an upgrade and carries the link.
///
/// # Errors
/// [`Refusal::NotFound`] without a cluster or for a request that is no upgrade.
pub fn let_in(peers: Option<&PeerParts>, visit: &Visit, upgrade: OnUpgrade) -> Result<Answer, Refusal> {
    let peers = peers.ok_or(Refusal::NotFound)?;
    let has = |name: &str, word: &str| {
        visit.header(name).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    let key = visit.header("sec-websocket-key").filter(|key| !key.is_empty());
    let (Some(key), true) = (key, has("upgrade", "websocket") && has("connection", "upgrade") && has("sec-websocket-version", "13")) else {
        return Err(Refusal::Bad("This is where nodes of the cluster link, by WebSocket. A proxy in front may not pass `Upgrade` on."));
    };
    if LINKS_MAX <= peers.jobs.n_running() {
        return Err(Refusal::Busy);
    }
    let from = visit.client.map_or_else(|| "this machine".to_owned(), |address| address.to_string());
    let hint = AcceptHint { node: visit.header(websocket::NODE_HEADER).map(ToOwned::to_owned), from };
    let accept = websocket::accept_key(key.as_bytes());
    let links = peers.links.clone();
    peers.jobs.start(async move {
        match upgrade.await {
            Ok(stream) => links.accept(websocket::served(TokioIo::new(stream)).await, hint).await,
            Err(error) => tracing::debug!(%error, "a link was not upgraded: {error}"),
        }
    });
    Ok(answer::switching(&accept))
}
