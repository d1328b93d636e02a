//! Dialing: this node keeps trying whoever it is to dial, and leaves off while a link is up, whoever made it.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsConnector;

use crate::model::id::NodeName;
use crate::model::peer::Node;
use crate::peer::link::keys;
use crate::peer::link::links::GOOD_AFTER;
use crate::peer::link::links::Links;
use crate::peer::link::links::admit::HANDSHAKE_TIMEOUT;
use crate::peer::link::links::admit::NotTaken;
use crate::peer::link::links::admit::is_wrong_key;
use crate::peer::link::links::admit::refuse;
use crate::peer::link::links::admit::say_no;
use crate::peer::link::links::locked;
use crate::peer::link::tls;
use crate::peer::link::wire::BoxedStream;
use crate::peer::link::wire::Wire;

/// The first redial comes after half of this to twice this.
const REDIAL_FIRST: Duration = Duration::from_secs(1);

/// And never after more than this: while two nodes do not see each other each may tell people of the same thing, so they are not to
/// stay apart for longer than they must. An attempt costs a few packets.
const REDIAL_MAX: Duration = Duration::from_secs(15);

impl Links {
    pub(super) async fn keep_dialing(&self, wire: &dyn Wire, node: &Node) {
        let mut pause = REDIAL_FIRST;
        loop {
            self.until_free(&node.name).await;
            let began = self.inner.clock.now().mono;
            let me = self.peers().me.clone();
            let dialed = match tokio::time::timeout(HANDSHAKE_TIMEOUT, wire.dial(node, &me)).await {
                Ok(dialed) => dialed,
                Err(_) => Err("it does not answer".to_owned()),
            };
            let why = match dialed {
                Ok(stream) => self.dialed(stream, node).await,
                Err(why) => why,
            };
            self.note_down(&node.name, why);
            let lasted = self.inner.clock.now().mono.since(began);
            pause = if GOOD_AFTER <= lasted { REDIAL_FIRST } else { pause };
            tokio::time::sleep(pause.mul_f64(0.5 + 1.5 * chance()).min(REDIAL_MAX)).await;
            pause = (pause * 2).min(REDIAL_MAX);
        }
    }

    /// A link that a node made to us meanwhile is as good as one of ours.
    pub(super) async fn until_free(&self, node: &NodeName) {
        loop {
            let Some(free) = locked(&self.inner.slots).get(node).map(|slot| Arc::clone(&slot.free)) else { return };
            // Listened to before looking, so that an end in between is heard.
            let freed = free.notified();
            if locked(&self.inner.slots).get(node).is_none_or(|slot| slot.up.is_none()) {
                return;
            }
            freed.await;
        }
    }

    pub(super) async fn dialed(&self, stream: BoxedStream, node: &Node) -> String {
        let peers = self.peers();
        let refused = |error: &dyn std::fmt::Display| format!("the handshake failed: {error}");
        let Some(seed) = keys::own_seed(&peers) else { return "this node has no key".to_owned() };
        let config = match tls::client(&seed, &keys::accepted(&peers, node)) {
            Ok(config) => config,
            Err(error) => return refused(&error),
        };
        let Some(name) = tls::name() else { return "this node has no key".to_owned() };
        let connector = TlsConnector::from(config);
        let mut stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, connector.connect(name, stream).into_fallible()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, stream))) => {
                let is_wrong = is_wrong_key(&error);
                say_no(stream).await;
                let node = &node.name;
                return if is_wrong {
                    format!("`{node}` presented another key: `peers.secret` differs between the two, or its `key` is wrong")
                } else {
                    refused(&error)
                };
            }
            Err(_) => return refused(&"it took too long"),
        };
        let hello = match self.greet(&mut stream, &peers).await {
            Ok(hello) => hello,
            Err(why) => return why,
        };
        let address = node.url.as_ref().map(ToString::to_string).unwrap_or_default();
        match self.check(&hello, &peers, &node.name) {
            Err(NotTaken { why, .. }) => refuse(&mut stream, why).await,
            Ok(()) => self.hold(stream, &node.name, &hello, (true, address)).await,
        }
    }

    /// Dials over a stream that a test made.
    #[cfg(test)]
    pub(in crate::peer::link) async fn dial_for_test(&self, stream: BoxedStream, node: &Node) -> String {
        self.dialed(stream, node).await
    }
}

/// A number from 0 (inclusive) to 1; a half when the system has no randomness to give.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(1 << 31)) / (f64::from(u32::MAX) + 1.0)
}
