//! Admission: both sides prove with their keys who they are and say it, and whoever gets no link is told why.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Peers;
use crate::model::id::NodeName;
use crate::peer::link::frame;
use crate::peer::link::frame::Frame;
use crate::peer::link::frame::Hello;
use crate::peer::link::frame::WIRE_VERSION;
use crate::peer::link::keys;
use crate::peer::link::links::AcceptHint;
use crate::peer::link::links::Links;
use crate::peer::link::links::locked;
use crate::peer::link::session::plain;
use crate::peer::link::session::printable;
use crate::peer::link::session::read_frame;
use crate::peer::link::tls;
use crate::peer::link::wire::BoxedStream;

/// A handshake that takes longer will not end.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the other side is given to hear why it gets no link, and how much it may say meanwhile.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
const FAREWELL_BYTES_MAX: u64 = 256 * 1024;

impl Links {
    /// Takes a stream that somebody else made, proves who it is, and carries the link until it ends.
    pub async fn accept(&self, stream: BoxedStream, hint: AcceptHint) {
        let Ok(_place) = self.inner.strangers.try_acquire() else {
            return self.say(&hint, "too many handshakes at once".into());
        };
        let peers = self.peers();
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, self.admit(stream, &peers)).await {
            Err(_) => self.say(&hint, "the handshake took too long".into()),
            Ok(Err(NotAdmitted::Key)) => self.say(&hint, stranger(&hint, &peers).into()),
            Ok(Err(NotAdmitted::Other(why))) => self.say(&hint, why.into()),
            Ok(Ok((mut stream, name, hello))) => {
                drop(_place);
                match self.check(&hello, &peers, &name) {
                    Err(not) => {
                        let why = not.why.clone();
                        if !self.note_down(&name, why.clone()) {
                            self.say(&hint, not);
                        }
                        refuse(&mut stream, why).await;
                    }
                    Ok(()) => {
                        let why = self.hold(stream, &name, &hello, (false, hint.from)).await;
                        self.note_down(&name, why);
                    }
                }
            }
        }
    }

    async fn admit(&self, stream: BoxedStream, peers: &Peers) -> Result<(TlsStream<BoxedStream>, NodeName, Hello), NotAdmitted> {
        let other = |error: &dyn std::fmt::Display| NotAdmitted::Other(format!("the handshake failed: {error}"));
        let seed = keys::own_seed(peers).ok_or_else(|| other(&"this node has no key"))?;
        let known: BTreeMap<Vec<u8>, NodeName> = peers
            .nodes
            .iter()
            .filter(|node| node.name != peers.me)
            .flat_map(|node| keys::accepted(peers, node).into_iter().map(|key| (keys::spki(key), node.name.clone())))
            .collect();
        let accepted: Vec<_> =
            peers.nodes.iter().filter(|node| node.name != peers.me).flat_map(|node| keys::accepted(peers, node)).collect();
        let config = tls::server(&seed, &accepted).map_err(|error| other(&error))?;
        let acceptor = TlsAcceptor::from(config);
        let mut stream = match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => stream,
            Err((error, stream)) => {
                say_no(stream).await;
                return Err(if is_wrong_key(&error) { NotAdmitted::Key } else { other(&error) });
            }
        };
        let presented = stream.get_ref().1.peer_certificates().and_then(<[CertificateDer<'_>]>::first);
        let name = presented.and_then(|key| known.get(key.as_ref())).cloned().ok_or(NotAdmitted::Key)?;
        let hello = self.greet(&mut stream, peers).await.map_err(NotAdmitted::Other)?;
        Ok((stream, name, hello))
    }

    /// Both sides say who they are.
    pub(super) async fn greet(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), peers: &Peers) -> Result<Hello, String> {
        let own = Hello {
            wire: WIRE_VERSION,
            cluster: peers.cluster.clone(),
            node: peers.me.to_string(),
            generation: self.inner.identity.generation,
            version: self.inner.identity.version.clone(),
        };
        let broken = |error: std::io::Error| {
            // The other side says no to a key by ending the handshake, which shows here only.
            let error = plain(&error);
            format!("the other side ended the handshake ({error}): `peers.secret` differs between the two, or it does not know this node")
        };
        stream.write_all(&frame::encode(&Frame::Hello(own))).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, read_frame(stream)).await {
            Ok(Ok((Some(Frame::Hello(hello)), _))) => Ok(hello),
            Ok(Ok((Some(Frame::Close(why)), _))) => Err(printable(&why)),
            Ok(Ok(_)) => Err("it did not say who it is".to_owned()),
            Ok(Err(why)) => Err(format!("{why}: `peers.secret` differs between the two, or it does not know this node")),
            Err(_) => Err("it did not say who it is in time".to_owned()),
        }
    }

    pub(super) fn check(&self, hello: &Hello, peers: &Peers, proved: &NodeName) -> Result<(), NotTaken> {
        let name = printable(&hello.node);
        if hello.wire != WIRE_VERSION {
            let (theirs, ours) = (hello.wire, WIRE_VERSION);
            return Err(format!("`{name}` speaks version {theirs} of the link, this node {ours}: run the same release on both").into());
        }
        if hello.cluster != peers.cluster {
            let cluster = printable(&hello.cluster);
            return Err(format!("`{name}` belongs to the cluster `{cluster}`, this node to `{}`", peers.cluster).into());
        }
        if hello.node != proved.as_str() {
            return Err(format!("`{name}` presented the key of `{proved}`").into());
        }
        let slots = locked(&self.inner.slots);
        let up = slots.get(proved).and_then(|slot| slot.up.as_ref());
        if up.is_some_and(|up| hello.generation < up.generation) {
            return Err(NotTaken { why: format!("two instances call themselves `{proved}`: stop one of them"), is_twin: true });
        }
        Ok(())
    }
}

/// Why a stranger was not let in.
enum NotAdmitted {
    /// Its key is nobody's, or ours is not the one it knows.
    Key,
    Other(String),
}

/// Why somebody who proved to be a node gets no link.
pub(super) struct NotTaken {
    pub(super) why: String,
    pub(super) is_twin: bool,
}

impl From<String> for NotTaken {
    fn from(why: String) -> NotTaken {
        NotTaken { why, is_twin: false }
    }
}

impl From<&str> for NotTaken {
    fn from(why: &str) -> NotTaken {
        why.to_owned().into()
    }
}

fn stranger(hint: &AcceptHint, peers: &Peers) -> String {
    match hint.node.as_deref().map(printable) {
        Some(name) if peers.nodes.iter().any(|node| node.name.as_str() == name) => {
            format!("`{name}` presented another key: `peers.secret` differs between the two, or its `key` is wrong")
        }
        Some(name) => format!("it calls itself `{name}`, which is not in `peers.nodes`"),
        None => "its key belongs to no node of `peers.nodes`".to_owned(),
    }
}

/// Whether the other side's key is not the one that is pinned, or ours is not the one that is pinned there.
pub(super) fn is_wrong_key(error: &std::io::Error) -> bool {
    use rustls::AlertDescription as Alert;
    use rustls::Error;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(
        inner,
        Some(
            Error::InvalidCertificate(_)
                | Error::NoCertificatesPresented
                // What rustls sends when its verifier says no.
                | Error::AlertReceived(Alert::AccessDenied | Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnknownCA)
        )
    )
}

/// Tells the other side why, and lets it go.
pub(super) async fn refuse(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), why: String) -> String {
    let told = async {
        stream.write_all(&frame::encode(&Frame::Close(why.clone()))).await?;
        let_go(stream).await
    };
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, told).await;
    why
}

/// Lets go of a stream on which a handshake failed. What TLS has to say about it may still lie in the layers below, and the other side
/// is to know that it is about keys.
pub(super) async fn say_no(mut stream: BoxedStream) {
    let _ = tokio::time::timeout(FAREWELL_TIMEOUT, let_go(&mut stream)).await;
}

/// Sends what is left and waits until the other side has closed too: a connection that is dropped with something unread is reset, and
/// then what was said last may never be read.
async fn let_go(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(FAREWELL_BYTES_MAX), &mut tokio::io::sink()).await.map(drop)
}
