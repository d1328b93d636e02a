//! Where streams of bytes come from: sockets, or a simulation.

use std::future::Future;
use std::pin::Pin;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::model::id::NodeName;
use crate::model::peer::Node;

/// A stream of bytes to another node, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream of any kind.
pub type BoxedStream = Box<dyn Stream>;

/// Dials other nodes.
pub trait Wire: Send + Sync + 'static {
    /// A stream to `node`, which has a URL; or, in one sentence, why there is none.
    fn dial<'a>(&'a self, node: &'a Node, me: &'a NodeName) -> Pin<Box<dyn Future<Output = Result<BoxedStream, String>> + Send + 'a>>;
}
