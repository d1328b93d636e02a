//! One authenticated, persistent connection per pair of nodes.
//!
//! A WebSocket on the normal port carries bytes through proxies, tunnels and NAT; inside it runs TLS 1.3 with pinned raw public keys,
//! so that whoever stands between sees and changes nothing. `keys` and `tls` say who may speak, `frame` what, `session` is one link's
//! life, `links` keeps them all up, `wire` and `websocket` make streams of bytes. Nothing else in this program speaks to peers.

pub mod frame;
pub mod keys;
pub mod links;
mod session;
mod tls;
pub mod websocket;
pub mod wire;

#[cfg(test)]
mod tests;
