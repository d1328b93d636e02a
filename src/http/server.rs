//! Listens, and serves each connection under limits. HTTP/1.1 only, over TCP, TLS, and the control socket.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::UnixListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::limits::ACCEPT_REST;
use crate::http::limits::CONNECTIONS_MAX;
use crate::http::limits::CONNECTIONS_PER_ADDRESS_MAX;
use crate::http::limits::CONNECTIONS_RESERVED;
use crate::http::limits::DRAIN_TIMEOUT;
use crate::http::limits::HEAD_BYTES_MAX;
use crate::http::limits::HEAD_TIMEOUT;
use crate::http::limits::HEADERS_MAX;
use crate::http::limits::TLS_TIMEOUT;
use crate::http::limits::WRITE_TIMEOUT;
use crate::http::paced::Paced;
use crate::http::places::Place;
use crate::http::places::Places;
use crate::http::site::Site;
use crate::http::tls::TlsError;
use crate::http::tls::TlsFiles;
use crate::http::visit::Peer;
use crate::http::visit::is_listed;
use crate::supervise::Jobs;
use crate::supervise::Supervisor;

/// File name of the control socket in the state directory.
pub const CONTROL_SOCKET: &str = "control.sock";

/// Why the server cannot start. Each is one clear sentence; the program exits with code 3.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Someone else listens there.
    #[error("cannot listen on {0}: the address is already in use; stop the other program or change `server.listen`")]
    InUse(SocketAddr),
    /// This machine does not have the address.
    #[error("cannot listen on {0}: this machine does not have the address; change `server.listen`")]
    NotHere(SocketAddr),
    /// Low ports need a right.
    #[error("cannot listen on {0}: not allowed; take a port above 1023 or give vigilmon CAP_NET_BIND_SERVICE")]
    NotAllowed(SocketAddr),
    /// Something else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot make the control socket `{path}`: {source}; check `instance.state_dir`")]
    Control {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Listens on everything the config asks for.
#[derive(Debug)]
pub struct Server;

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<(TcpListener, SocketAddr)>,
    control: (UnixListener, PathBuf),
    tls: Option<Arc<TlsFiles>>,
}

impl Server {
    /// Listens on all addresses of `server.listen`, and on the control socket in the state directory, which must exist. A socket
    /// file that was left over is replaced: the store's lock says that nobody else uses this directory.
    ///
    /// # Errors
    /// [`BindError`]; nothing listens then.
    pub async fn bind(config: &Config, _clock: Clock) -> Result<Bound, BindError> {
        let tls = match &config.server.tls {
            Some(files) => Some(Arc::new(TlsFiles::load(files.clone())?)),
            None => None,
        };
        let mut listeners = Vec::new();
        for address in &config.server.listen {
            let listener = TcpListener::bind(address).await.map_err(|source| bind_error(*address, source))?;
            let bound = listener.local_addr().map_err(|source| bind_error(*address, source))?;
            listeners.push((listener, bound));
        }
        let control = bind_control(&config.instance.state_dir.join(CONTROL_SOCKET))?;
        Ok(Bound { listeners, control, tls })
    }
}

fn bind_error(address: SocketAddr, source: io::Error) -> BindError {
    // The list of kinds is the standard library's and grows; what is not named here is said as the system says it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is open")]
    match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        io::ErrorKind::AddrNotAvailable => BindError::NotHere(address),
        io::ErrorKind::PermissionDenied => BindError::NotAllowed(address),
        _ => BindError::Other { address, source },
    }
}

fn bind_control(path: &Path) -> Result<(UnixListener, PathBuf), BindError> {
    let failed = |source| BindError::Control { path: path.display().to_string(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // The directory is 0700, so nobody gets in between the two lines.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok((listener, path.to_owned()))
}

impl Bound {
    /// The addresses that are listened on, with the ports that were given for port 0.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(_, address)| *address).collect()
    }

    /// A URL that works on this machine.
    #[must_use]
    pub fn own_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let address = self.listeners.first().map(|(_, address)| *address);
        match address {
            Some(address) if !address.ip().is_unspecified() => format!("{scheme}://{address}"),
            Some(address) => format!("{scheme}://localhost:{}", address.port()),
            None => format!("{scheme}://localhost"),
        }
    }

    /// Starts one task per listener.
    pub(crate) fn start(self, site: Arc<Site>, supervisor: &mut Supervisor) {
        if let Some(tls) = &self.tls {
            supervisor.task("certificate", Arc::clone(tls).keep_current(supervisor.stopping()));
        }
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX - CONNECTIONS_RESERVED));
        let by_address = Arc::new(Places::default());
        for (listener, _) in self.listeners {
            let door = Door { site: Arc::clone(&site), places: Arc::clone(&places), stop: supervisor.stopping(), ..Door::new(&site) };
            let door = Door { tls: self.tls.clone(), by_address: Arc::clone(&by_address), ..door };
            supervisor.task("http", async move { door.keep_open(Listener::Tcp(listener)).await });
        }
        let (listener, path) = self.control;
        let places = Arc::new(Semaphore::new(CONNECTIONS_RESERVED));
        let door = Door { places, stop: supervisor.stopping(), ..Door::new(&site) };
        supervisor.task("control socket", async move {
            door.keep_open(Listener::Control(listener)).await;
            // Left over it would do no harm; gone it tells `vigilmon status` at once that nobody is there.
            let _ = std::fs::remove_file(path);
        });
    }
}

enum Listener {
    Tcp(TcpListener),
    Control(UnixListener),
}

/// One listener's way in.
struct Door {
    site: Arc<Site>,
    places: Arc<Semaphore>,
    by_address: Arc<Places>,
    tls: Option<Arc<TlsFiles>>,
    stop: CancellationToken,
    /// Connections; dropped only after they had their time to end.
    jobs: Jobs,
    cut: CancellationToken,
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Door {
    fn new(site: &Arc<Site>) -> Door {
        let cut = CancellationToken::new();
        Door {
            site: Arc::clone(site),
            places: Arc::new(Semaphore::new(0)),
            by_address: Arc::default(),
            tls: None,
            stop: CancellationToken::new(),
            jobs: Jobs::new(cut.clone()),
            cut,
        }
    }

    async fn keep_open(&self, listener: Listener) {
        loop {
            let place = tokio::select! {
                () = self.stop.cancelled() => break,
                place = Arc::clone(&self.places).acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.accept(&listener, place) => {}
            }
        }
        drop(listener);
        if tokio::time::timeout(DRAIN_TIMEOUT, self.jobs.drained()).await.is_err() {
            self.cut.cancel();
        }
    }

    async fn accept(&self, listener: &Listener, place: OwnedSemaphorePermit) {
        let accepted = match listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, from)| {
                // Answers are written whole; waiting for more would only delay them.
                let _ = stream.set_nodelay(true);
                if let Some(place) = self.admit(from.ip(), place) {
                    self.greet(stream, from.ip(), place);
                }
            }),
            Listener::Control(listener) => {
                listener.accept().await.map(|(stream, _)| self.serve(stream, Peer::Control, Place::uncounted(place)))
            }
        };
        if let Err(error) = accepted {
            tracing::debug!(%error, "a connection was not accepted: {error}");
            tokio::time::sleep(ACCEPT_REST).await;
        }
    }

    /// A place for a connection from this address, unless it has as many as it may; then the connection is closed. Proxies speak
    /// for many, and who is on this machine has other ways to do harm.
    fn admit(&self, from: IpAddr, place: OwnedSemaphorePermit) -> Option<Place> {
        let from = from.to_canonical();
        let config = Arc::clone(&self.site.desk.engine.snapshot().config);
        let is_sign_in_proxy = config.auth.proxy.as_ref().is_some_and(|proxy| is_listed(from, &proxy.from));
        if from.is_loopback() || is_sign_in_proxy || is_listed(from, &config.server.trusted_proxies) {
            return Some(Place::uncounted(place));
        }
        let place = self.by_address.take(from, place);
        if place.is_none() {
            tracing::debug!("a connection from {from} was closed: it has {CONNECTIONS_PER_ADDRESS_MAX} already");
        }
        place
    }

    fn greet(&self, stream: tokio::net::TcpStream, from: IpAddr, place: Place) {
        let peer = Peer::Tcp(from.to_canonical());
        let Some(tls) = &self.tls else { return self.serve(stream, peer, place) };
        let acceptor = tokio_rustls::TlsAcceptor::from(tls.current());
        let (site, stop) = (Arc::clone(&self.site), self.stop.clone());
        self.jobs.start(async move {
            // Handshakes fail all the time, by scanners above all; that is no news.
            if let Ok(Ok(stream)) = tokio::time::timeout(TLS_TIMEOUT, acceptor.accept(stream)).await {
                connection(site, stream, peer, stop).await;
            }
            drop(place);
        });
    }

    fn serve(&self, stream: impl Stream + 'static, peer: Peer, place: Place) {
        let (site, stop) = (Arc::clone(&self.site), self.stop.clone());
        self.jobs.start(async move {
            connection(site, stream, peer, stop).await;
            drop(place);
        });
    }
}

/// Serves one connection until it ends, or until `stop` and the request under way is answered.
pub(crate) async fn connection(
    site: Arc<Site>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: Peer,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let site = Arc::clone(&site);
        async move { Ok::<_, std::convert::Infallible>(site.answer(request, peer).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(HEADERS_MAX).max_buf_size(HEAD_BYTES_MAX);
    let stream = TokioIo::new(Paced::new(stream, WRITE_TIMEOUT));
    let mut serving = std::pin::pin!(builder.serve_connection(stream, service).with_upgrades());
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::world::World;
    use crate::http::tests::world::usual;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn a_fresh_visitor_gets_in_while_one_address_holds_slow_connections() {
        let world = World::new(usual()).await;
        world.show(|snapshot| {
            let mut config = snapshot.config.as_ref().clone();
            config.server.trusted_proxies = vec!["192.0.2.0/24".parse().unwrap()];
            snapshot.config = Arc::new(config);
        });
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX - CONNECTIONS_RESERVED));
        let door = Door { places: Arc::clone(&places), ..Door::new(&world.site) };
        let enter = |from: &str| {
            let from: IpAddr = from.parse().unwrap();
            let place = door.admit(from, Arc::clone(&places).try_acquire_owned().expect("a place is free"))?;
            let (near, far) = tokio::io::duplex(4096);
            door.serve(far, Peer::Tcp(from), place);
            Some(near)
        };
        let slow: Vec<_> = (0..5000).filter_map(|_| enter("203.0.113.9")).collect();
        assert_eq!(slow.len(), CONNECTIONS_PER_ADDRESS_MAX);
        for many in ["127.0.0.1", "192.0.2.7"] {
            let held: Vec<_> = (0..1000).filter_map(|_| enter(many)).collect();
            assert_eq!(held.len(), 1000, "{many} is not counted");
        }
        let mut visitor = enter("198.51.100.1").expect("others get in");
        visitor.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        visitor.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
