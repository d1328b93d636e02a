//! The shop and the receiver of messages: a small server on this machine. Who cannot reach the shop is set by the play; regions are told
//! apart by what checks say of themselves in `User-Agent`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::app::demo::DemoError;
use crate::app::demo::Message;
use crate::app::demo::cast;
use crate::app::user_agent;
use crate::supervise::Jobs;

/// Largest message: vigilmon sends none that is larger.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Three instances have one connection or two each; what is beyond is somebody else's curiosity.
const CONNECTIONS_MAX: usize = 64;

/// How long a request may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Messages that are kept; a story has three.
const MESSAGES_MAX: usize = 1000;

/// The shop and the receiver.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Regions that do not reach the shop.
    cut_off: Mutex<BTreeSet<&'static str>>,
    messages: Mutex<Vec<Message>>,
    arrived: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    /// Listens on a free port of this machine; connections are jobs of `jobs`.
    pub(super) async fn open(jobs: &Jobs) -> Result<Stage, DemoError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(wanted).await.map_err(|error| DemoError::Port(wanted, error))?;
        let address = listener.local_addr().map_err(|error| DemoError::Port(wanted, error))?;
        let stage = Stage { address, inner: Arc::default() };
        let (inner, served) = (Arc::clone(&stage.inner), jobs.clone());
        jobs.start(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) if served.n_running() < CONNECTIONS_MAX => served.start(serve(Arc::clone(&inner), stream)),
                    Ok(_) => {}
                    // Out of descriptors, most likely; a pause gives others time to close some.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
        Ok(stage)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the shop is out of reach for these regions.
    pub(super) fn cut_off(&self, regions: &[&'static str]) {
        *locked(&self.inner.cut_off) = regions.iter().copied().collect();
    }

    /// Messages after the first `n`.
    pub(super) fn messages_after(&self, n: usize) -> Vec<Message> {
        locked(&self.inner.messages).iter().skip(n).cloned().collect()
    }

    /// Forgets what arrived.
    pub(super) fn clear(&self) {
        locked(&self.inner.messages).clear();
    }

    /// Waits until a message arrives.
    pub(super) async fn arrived(&self) {
        self.inner.arrived.notified().await;
    }
}

async fn serve(inner: Arc<Inner>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let inner = Arc::clone(&inner);
        async move { Ok::<_, std::convert::Infallible>(inner.answer(request).await) }
    });
    let served =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).serve_connection(TokioIo::new(stream), service);
    // A client that goes away is what clients do: an instance that is killed, for one.
    let _ = served.await;
}

impl Inner {
    async fn answer(&self, request: http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (agent, from) = (header("user-agent"), header("x-demo-node"));
        let path = request.uri().path().to_owned();
        match path.as_str() {
            // Nobody stands between the shop and those who are beside it.
            cast::INSIDE => reply(200, "the shop is open"),
            cast::OUTSIDE if self.is_cut_off(&agent) => reply(503, "no healthy upstream"),
            cast::OUTSIDE => reply(200, "the shop is open"),
            _ => {
                let receiver = [cast::CHAT, cast::ON_CALL].into_iter().find(|name| path.strip_prefix('/') == Some(name));
                let body = Limited::new(request.into_body(), MESSAGE_BYTES_MAX).collect().await;
                let message = receiver.zip(body.ok()).and_then(|(to, body)| message(to, from, &body.to_bytes()));
                match message {
                    Some(message) => {
                        self.keep(message);
                        reply(200, "ok")
                    }
                    None => reply(404, "there is nothing here"),
                }
            }
        }
    }

    fn is_cut_off(&self, agent: &str) -> bool {
        locked(&self.cut_off).iter().any(|region| agent == user_agent(region))
    }

    fn keep(&self, message: Message) {
        let mut messages = locked(&self.messages);
        if messages.len() < MESSAGES_MAX {
            messages.push(message);
        }
        drop(messages);
        self.arrived.notify_one();
    }
}

fn reply(status: u16, text: &'static str) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// What a webhook's body says; `None` when it is no message of vigilmon's.
fn message(to: &'static str, from: String, body: &[u8]) -> Option<Message> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    Some(Message {
        to,
        from,
        event: text("event")?,
        text: text("text")?,
        regions_failing: body["regions_failing"].as_array()?.iter().filter_map(|region| region.as_str().map(str::to_owned)).collect(),
        key: text("key")?,
        incident: text("incident_id").unwrap_or_default(),
    })
}
