//! Bytes over a WebSocket (RFC 6455): passes proxies and tunnels that pass web pages.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Sink;
use futures_util::Stream;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::model::id::NodeName;
use crate::model::peer::Node;
use crate::peer::link::session::plain;
use crate::peer::link::tls;
use crate::peer::link::wire::BoxedStream;
use crate::peer::link::wire::Wire;

/// Longest message: what rustls writes at once is 16 KiB and a little.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// How long one address may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long one name server may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// The header in which a node says what it calls itself. Nothing is proved by it.
pub const NODE_HEADER: &str = "x-vigilmon-node";

/// What a server answers to a WebSocket key.
#[must_use]
pub fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// The bytes of a stream that was upgraded by our server.
pub async fn served<S>(stream: S) -> BoxedStream
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Box::new(Binary::new(WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits())).await))
}

/// Dials `ws://` and `wss://`.
#[derive(Debug, Clone, Copy)]
pub struct WebSocketWire;

impl Wire for WebSocketWire {
    fn dial<'a>(
        &'a self,
        node: &'a Node,
        me: &'a NodeName,
    ) -> Pin<Box<dyn std::future::Future<Output = Result<BoxedStream, String>> + Send + 'a>> {
        Box::pin(dial(node, me))
    }
}

async fn dial(node: &Node, me: &NodeName) -> Result<BoxedStream, String> {
    let url = node.url.as_ref().ok_or("it has no url")?;
    let host = url.host_str().ok_or("its url has no host")?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or("its url has no port")?;
    let tcp = connect(host, port).await?;
    let _ = tcp.set_nodelay(true);
    let mut request = url.as_str().into_client_request().map_err(|error| format!("its url cannot be asked for: {error}"))?;
    if let Ok(name) = HeaderValue::from_str(me.as_str()) {
        request.headers_mut().insert(NODE_HEADER, name);
    }
    if url.scheme() == "ws" {
        return upgrade(request, tcp, url).await;
    }
    // What the certificate of a proxy says does not matter: the keys inside do, and a certificate that has expired must not part a
    // cluster.
    let connector = tokio_rustls::TlsConnector::from(tls::outer().map_err(|error| error.to_string())?);
    let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is not a host name"))?;
    let tls = connector.connect(name, tcp).await.map_err(|error| format!("TLS with {host}:{port} failed: {}", plain(&error)))?;
    upgrade(request, tls, url).await
}

async fn upgrade<S>(
    request: tokio_tungstenite::tungstenite::handshake::client::Request,
    stream: S,
    url: &url::Url,
) -> Result<BoxedStream, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    use tokio_tungstenite::tungstenite::Error;
    match tokio_tungstenite::client_async_with_config(request, stream, Some(limits())).await {
        Ok((socket, _)) => Ok(Box::new(Binary::new(socket))),
        Err(Error::Http(response)) => Err(answered(url, response.status().as_u16())),
        Err(error) => Err(format!("the server at {url} does not speak WebSocket: {error}")),
    }
}

fn answered(url: &url::Url, status: u16) -> String {
    let why = match status {
        404 => "a proxy in front, or another path than `/peer`, or no `peers:` in its config",
        426 | 400 => "a proxy in front that does not pass `Upgrade`",
        401 | 403 => "a proxy in front that wants people to sign in; let `/peer` through",
        502..=504 => "a proxy in front that does not reach vigilmon",
        _ => "a proxy in front, or something else than vigilmon",
    };
    format!("the server at {url} answered {status}: {why}")
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => look_up(host).await?,
    };
    let mut last = format!("`{host}` has no address");
    for address in addresses.into_iter().take(4) {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = format!("cannot connect to {address} port {port}: {}", plain(&error)),
            Err(_) => last = format!("{address} port {port} does not answer"),
        }
    }
    Err(last)
}

/// By hickory: a static binary must not call the system's resolver library.
async fn look_up(host: &str) -> Result<Vec<IpAddr>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the name `{host}` could not be looked up: {error}");
    let mut builder = TokioResolver::builder_tokio().map_err(|error| failed(&error))?;
    let options = builder.options_mut();
    options.timeout = LOOKUP_TIMEOUT;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = builder.build().map_err(|error| failed(&error))?;
    let answer = resolver.lookup_ip(host).await.map_err(|error| failed(&error))?;
    Ok(answer.iter().collect())
}

/// The bytes of binary messages.
struct Binary<S> {
    socket: WebSocketStream<S>,
    rest: Bytes,
}

impl<S> Binary<S> {
    fn new(socket: WebSocketStream<S>) -> Binary<S> {
        Binary { socket, rest: Bytes::new() }
    }
}

fn broken(error: tokio_tungstenite::tungstenite::Error) -> io::Error {
    use tokio_tungstenite::tungstenite::Error;
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    // How a process that is killed, a proxy that restarts and a line that breaks look alike.
    if matches!(error, Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) {
        return io::Error::new(io::ErrorKind::ConnectionReset, "the other side is gone");
    }
    if let Error::Io(error) = error { error } else { io::Error::other(error) }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Binary<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.rest.is_empty() {
                let n = self.rest.len().min(buf.remaining());
                buf.put_slice(&self.rest.split_to(n));
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => return Poll::Ready(Err(io::Error::other("a text message came"))),
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Binary<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(broken)?;
        let n = buf.len().min(MESSAGE_BYTES_MAX);
        Pin::new(&mut self.socket).start_send(Message::Binary(Bytes::copy_from_slice(&buf[..n]))).map_err(broken)?;
        // TLS says why it ends a handshake in a last message, and nobody flushes after that.
        let _ = Pin::new(&mut self.socket).poll_flush(cx);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(broken)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(broken)
    }
}
