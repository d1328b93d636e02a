//! Through a proxy to the target: `CONNECT` (RFC 9110) and SOCKS 5 (RFC 1928). What the proxy itself does wrong is told apart
//! from what the target does.

use std::future::Ready;
use std::future::ready;
use std::io;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::Request;
use hyper::Uri;
use hyper::client::conn::http1;
use hyper::header;
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::model::monitor::IpChoice;
use crate::model::monitor::ProxyKind;
use crate::model::monitor::ProxySpec;
use crate::model::net::HostPort;
use crate::model::result::Failure;
use crate::model::result::Phase;
use crate::model::time::spoken;
use crate::probe::Shared;
use crate::probe::dial;
use crate::probe::http::exchange::Connection;
use crate::probe::http::failure::HEAD_BYTES_MAX;
use crate::probe::http::failure::HEADERS_MAX;
use crate::probe::http::request::basic;
use crate::probe::policy::Policy;
use crate::probe::resolve::Question;
use crate::probe::stream::Stream;
use crate::probe::trace::Trace;

/// Connects to the proxy and, if `tunnel`, through it to `target`; otherwise the proxy expects requests in absolute form.
pub(crate) async fn connect(
    shared: &Shared,
    proxy: &ProxySpec,
    target: &HostPort,
    tunnel: bool,
    trace: &mut Trace,
) -> Result<TcpStream, Failure> {
    let host = &proxy.address.host;
    let refused = |detail: String| Failure::Proxy { detail };
    let question = Question { host, ip: IpChoice::Any, servers: &[] };
    // The proxy is named in the config, so it is trusted wherever it is.
    let policy = Policy { allow_metadata: true, allow_private: true, first: None };
    let reached = match shared.resolvers.addresses(question, trace).await {
        Ok(addresses) => dial::connect(&addresses, proxy.address.port, policy, trace).await,
        Err(failure) => Err(failure),
    };
    let tcp = reached.map_err(|failure| {
        if matches!(failure, Failure::Own(_)) { failure } else { refused(format!("cannot reach {}: {failure}", proxy.address)) }
    })?;
    if !tunnel {
        return Ok(tcp);
    }
    let before = trace.timings.connect.unwrap_or_default();
    trace.enter(Phase::Connect);
    let through = match proxy.kind {
        ProxyKind::Http => http_connect(Stream::plain(tcp, &shared.clock), proxy, target).await,
        ProxyKind::Socks5 => socks(tcp, proxy, target).await,
    };
    let took = trace.leave();
    trace.timings.connect = Some(before + took);
    match &through {
        Ok(_) => trace.say(&format!("proxy {} → {target} ({})", proxy.address, spoken(took))),
        Err(detail) => trace.say(&format!("proxy {}: {detail}", proxy.address)),
    }
    through.map_err(refused)
}

async fn http_connect(stream: Stream, proxy: &ProxySpec, target: &HostPort) -> Result<TcpStream, String> {
    let text = |error: hyper::Error| error.to_string();
    let mut request = Request::new(Full::<Bytes>::default());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target.to_string().parse::<Uri>().map_err(|error| format!("cannot ask for `{target}`: {error}"))?;
    let host = target.to_string().parse().map_err(|_| format!("cannot ask for `{target}`"))?;
    request.headers_mut().insert(header::HOST, host);
    if let Some((user, password)) = &proxy.credentials {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, basic(user, password.reveal_for_use())?);
    }
    let mut builder = http1::Builder::new();
    builder.max_headers(HEADERS_MAX).max_header_size(HEAD_BYTES_MAX);
    stream.meter().expect_head();
    let (mut sender, driving) = builder.handshake(TokioIo::new(stream)).await.map_err(text)?;
    let mut connection = Connection::new(driving.with_upgrades());
    let response = connection.beside(sender.send_request(request)).await.map_err(text)?;
    if !response.status().is_success() {
        return Err(response.status().to_string());
    }
    let upgraded = connection.beside(hyper::upgrade::on(response)).await.map_err(text)?;
    let parts = upgraded.downcast::<TokioIo<Stream>>().map_err(|_| "the tunnel was not handed over".to_owned())?;
    if !parts.read_buf.is_empty() {
        return Err("it sent something of its own into the tunnel".to_owned());
    }
    parts.io.into_inner().into_plain().ok_or_else(|| "the tunnel was not handed over".to_owned())
}

async fn socks(tcp: TcpStream, proxy: &ProxySpec, target: &HostPort) -> Result<TcpStream, String> {
    // The library wants addresses as URIs; only the authority matters.
    let uri = |at: &HostPort| format!("socks5://{at}").parse::<Uri>().map_err(|error| format!("cannot ask for `{at}`: {error}"));
    let mut socks = SocksV5::new(uri(&proxy.address)?, Given(Some(tcp)));
    if let Some((user, password)) = &proxy.credentials {
        socks = socks.with_auth(user.clone(), password.reveal_for_use().to_owned());
    }
    let io = socks.call(uri(target)?).await.map_err(|error| format!("{error}"))?;
    Ok(io.into_inner())
}

/// Hands out the one connection that was made already.
#[derive(Debug)]
struct Given(Option<TcpStream>);

impl Service<Uri> for Given {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _to: Uri) -> Self::Future {
        ready(self.0.take().map(TokioIo::new).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    }
}
