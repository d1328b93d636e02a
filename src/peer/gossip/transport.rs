//! Chitchat's messages over links. Nodes have virtual addresses, because chitchat knows nodes by address and links know them by name.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use chitchat::ChitchatMessage;
use chitchat::Deserializable;
use chitchat::Serializable;
use chitchat::transport::Socket;
use chitchat::transport::Transport;
use tokio::sync::mpsc;

use crate::model::id::NodeName;
use crate::peer::port::Carrier;
use crate::peer::port::FRAME_BYTES_MAX;

/// Messages that may wait for chitchat; gossip that is lost comes again.
const WAITING_MAX: usize = 1024;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = anyhow::Result<T>> + Send + 'a>>;

/// The address under which chitchat knows a node: in `fd00::/8`, where no packet of ours ever goes.
pub(super) fn address_of(node: &NodeName) -> SocketAddr {
    let digest = ring::digest::digest(&ring::digest::SHA256, node.as_str().as_bytes());
    let mut octets = [0_u8; 16];
    octets.copy_from_slice(&digest.as_ref()[..16]);
    octets[0] = 0xfd;
    SocketAddr::from((Ipv6Addr::from(octets), 1))
}

/// Makes the one socket of a run.
pub(super) struct LinkTransport {
    names: BTreeMap<SocketAddr, NodeName>,
    carrier: Arc<dyn Carrier>,
    deliver: mpsc::Sender<(SocketAddr, Bytes)>,
    arriving: Mutex<Option<mpsc::Receiver<(SocketAddr, Bytes)>>>,
}

impl LinkTransport {
    pub(super) fn new(nodes: &[NodeName], carrier: Arc<dyn Carrier>) -> LinkTransport {
        let (deliver, arriving) = mpsc::channel(WAITING_MAX);
        let names = nodes.iter().map(|node| (address_of(node), node.clone())).collect();
        LinkTransport { names, carrier, deliver, arriving: Mutex::new(Some(arriving)) }
    }

    /// A datagram came from this node; dropped when too many wait.
    pub(super) fn deliver(&self, from: NodeName, bytes: Bytes) {
        let _ = self.deliver.try_send((address_of(&from), bytes));
    }
}

impl Transport for LinkTransport {
    fn open<'a, 'b>(&'a self, _address: SocketAddr) -> Boxed<'b, Box<dyn Socket>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner).take();
            let arriving = arriving.ok_or_else(|| anyhow::anyhow!("it is open already"))?;
            let socket = LinkSocket { names: self.names.clone(), carrier: Arc::clone(&self.carrier), arriving };
            Ok(Box::new(socket) as Box<dyn Socket>)
        })
    }
}

struct LinkSocket {
    names: BTreeMap<SocketAddr, NodeName>,
    carrier: Arc<dyn Carrier>,
    arriving: mpsc::Receiver<(SocketAddr, Bytes)>,
}

impl Socket for LinkSocket {
    fn send<'a, 'b>(&'a mut self, to: SocketAddr, message: ChitchatMessage) -> Boxed<'b, ()>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let bytes = message.serialize_to_vec();
            if let Some(node) = self.names.get(&to)
                && bytes.len() < FRAME_BYTES_MAX - 64
            {
                self.carrier.send(node, Bytes::from(bytes));
            }
            Ok(())
        })
    }

    fn recv<'a, 'b>(&'a mut self) -> Boxed<'b, (SocketAddr, ChitchatMessage)>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            loop {
                let (from, bytes) = self.arriving.recv().await.ok_or_else(|| anyhow::anyhow!("nobody delivers any more"))?;
                let mut rest: &[u8] = &bytes;
                match ChitchatMessage::deserialize(&mut rest) {
                    Ok(message) => return Ok((from, message)),
                    Err(error) => tracing::debug!(%error, "a gossip message that cannot be read was dropped: {error}"),
                }
            }
        })
    }
}
