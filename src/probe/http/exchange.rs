//! One request and its answer over one connection. The connection is driven by the check's own future and by nothing else, so
//! that it ends with it.

use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;

use crate::model::result::Failure;
use crate::model::result::Phase;
use crate::probe::http::failure;
use crate::probe::http::failure::Broken;
use crate::probe::http::failure::HEAD_BYTES_MAX;
use crate::probe::http::failure::HEADERS_MAX;
use crate::probe::stream::Stream;
use crate::probe::trace::Trace;

type Driving = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;
type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes what the HTTP/2 library wants to run in the background, to be run in the foreground.
#[derive(Clone, Default)]
struct Local(Arc<Mutex<Vec<Errand>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, errand: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(errand));
    }
}

/// A connection that moves only while [`Connection::beside`] is awaited.
pub(crate) struct Connection {
    driving: Option<Driving>,
    local: Local,
    errands: Vec<Errand>,
    error: Option<hyper::Error>,
}

impl Connection {
    /// For a connection of the library that needs no background.
    pub(crate) fn new(driving: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Connection {
        Connection { driving: Some(Box::pin(driving)), local: Local::default(), errands: Vec::new(), error: None }
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        if let Some(driving) = &mut self.driving
            && let Poll::Ready(ended) = driving.as_mut().poll(cx)
        {
            self.driving = None;
            self.error = ended.err();
        }
        loop {
            let new = std::mem::take(&mut *self.local.0.lock().unwrap_or_else(PoisonError::into_inner));
            if new.is_empty() && self.errands.is_empty() {
                return;
            }
            let n_new = new.len();
            self.errands.extend(new);
            self.errands.retain_mut(|errand| errand.as_mut().poll(cx).is_pending());
            if n_new == 0 {
                return;
            }
        }
    }

    /// Awaits something that this connection brings about.
    pub(crate) async fn beside<T>(&mut self, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        poll_fn(|cx| {
            self.turn(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    /// What went wrong: the connection knows better than the request, which may only know that it was abandoned.
    fn sort(&mut self, error: hyper::Error, trace: &mut Trace) -> Broken {
        let vague = error.is_canceled() || error.is_closed();
        match self.error.take() {
            Some(better) if vague => failure::sort(&better, trace),
            Some(_) | None => failure::sort(&error, trace),
        }
    }
}

/// An answer whose head has come.
pub(crate) struct Answer {
    connection: Connection,
    /// Status, version and headers.
    pub(crate) head: Response<()>,
    body: Incoming,
    /// Without it an HTTP/2 connection would begin to close before the body is read.
    _keeper: Option<http2::SendRequest<Full<Bytes>>>,
}

/// Sends a request and awaits the head of the answer.
pub(crate) async fn send(stream: Stream, is_h2: bool, request: Request<Full<Bytes>>, trace: &mut Trace) -> Result<Answer, Broken> {
    let meter = stream.meter();
    if is_h2 {
        // The first bytes are settings, so that the wait ends with the head, which in HTTP/2 is one piece.
        trace.enter(Phase::FirstByte);
    } else {
        trace.await_answer(Arc::clone(&meter));
    }
    let io = TokioIo::new(stream);
    let (mut connection, answered, keeper) = if is_h2 {
        let local = Local::default();
        let mut builder = http2::Builder::new(local.clone());
        builder.max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX)).initial_max_send_streams(1).adaptive_window(false);
        let (mut sender, driving) = builder.handshake(io).await.map_err(|error| failure::sort(&error, trace))?;
        let mut connection = Connection { local, ..Connection::new(driving) };
        let answered = connection.beside(sender.send_request(request)).await;
        (connection, answered, Some(sender))
    } else {
        let mut builder = http1::Builder::new();
        builder.max_headers(HEADERS_MAX).max_header_size(HEAD_BYTES_MAX);
        let (mut sender, driving) = builder.handshake(io).await.map_err(|error| failure::sort(&error, trace))?;
        let mut connection = Connection::new(driving);
        let answered = connection.beside(sender.send_request(request)).await;
        (connection, answered, None)
    };
    meter.head_complete();
    let response = answered.map_err(|error| connection.sort(error, trace))?;
    trace.head_complete();
    if response.headers().len() > HEADERS_MAX {
        return Err(Broken { failure: failure::head_too_large(), unprocessed: false });
    }
    let (head, body) = response.into_parts();
    Ok(Answer { connection, head: Response::from_parts(head, ()), body, _keeper: keeper })
}

impl Answer {
    /// Reads the body, at most `bytes_max`; also tells whether there was more.
    pub(crate) async fn read(mut self, bytes_max: usize, trace: &mut Trace) -> Result<(Vec<u8>, bool), Failure> {
        let mut body = Vec::new();
        let mut truncated = false;
        while let Some(frame) = self.connection.beside(self.body.frame()).await {
            let frame = frame.map_err(|error| self.connection.sort(error, trace).failure)?;
            let Ok(data) = frame.into_data() else { continue };
            let room = bytes_max - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                truncated = true;
                break;
            }
        }
        trace.leave();
        Ok((body, truncated))
    }
}
