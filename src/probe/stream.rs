//! The byte stream below a protocol, plain or TLS, and the meter that notes when the first byte of an answer came. Knows no
//! protocol and opens no connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::clock::Clock;
use crate::model::time::Mono;

/// Bytes that may come before the head of a response is complete. The head itself is limited by the parser; this bounds what
/// precedes it, such as an endless row of interim responses.
const HEAD_BYTES_READ_MAX: usize = 128 * 1024;

/// More than [`HEAD_BYTES_READ_MAX`] came and the head is still not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response head does not end")]
pub(crate) struct EndlessHead;

/// Notes when an answer began to arrive. Shared between a stream, which writes, and a [`crate::probe::trace::Trace`], which reads.
#[derive(Debug)]
pub(crate) struct Meter {
    clock: Clock,
    /// `NOT_YET` until a byte of the awaited answer came, then its time.
    first: AtomicU64,
    /// Bytes read since the answer is awaited; `usize::MAX` when none is.
    n_read: AtomicUsize,
}

const NOT_YET: u64 = u64::MAX;

impl Meter {
    fn new(clock: Clock) -> Meter {
        Meter { clock, first: AtomicU64::new(NOT_YET), n_read: AtomicUsize::new(usize::MAX) }
    }

    /// An answer is awaited from now on.
    pub(crate) fn expect_head(&self) {
        self.first.store(NOT_YET, Ordering::Relaxed);
        self.n_read.store(0, Ordering::Relaxed);
    }

    /// The head is complete; what comes now is not counted any more.
    pub(crate) fn head_complete(&self) {
        self.n_read.store(usize::MAX, Ordering::Relaxed);
    }

    /// When the first byte came.
    pub(crate) fn first_byte(&self) -> Option<Mono> {
        Some(self.first.load(Ordering::Relaxed)).filter(|at| *at != NOT_YET).map(Mono)
    }

    fn may_read(&self) -> io::Result<()> {
        let n = self.n_read.load(Ordering::Relaxed);
        if n != usize::MAX && n > HEAD_BYTES_READ_MAX { Err(io::Error::other(EndlessHead)) } else { Ok(()) }
    }

    fn note(&self, n: usize) {
        let so_far = self.n_read.load(Ordering::Relaxed);
        if n == 0 || so_far == usize::MAX {
            return;
        }
        if so_far == 0 {
            self.first.store(self.clock.now().mono.0, Ordering::Relaxed);
        }
        self.n_read.store(so_far.saturating_add(n).min(usize::MAX - 1), Ordering::Relaxed);
    }
}

/// A connection to a target.
#[derive(Debug)]
pub(crate) struct Stream {
    inner: Inner,
    meter: Arc<Meter>,
}

#[derive(Debug)]
enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Without TLS.
    pub(crate) fn plain(tcp: TcpStream, clock: &Clock) -> Stream {
        Stream { inner: Inner::Plain(tcp), meter: Arc::new(Meter::new(clock.clone())) }
    }

    /// With TLS.
    pub(crate) fn tls(tls: TlsStream<TcpStream>, clock: &Clock) -> Stream {
        Stream { inner: Inner::Tls(Box::new(tls)), meter: Arc::new(Meter::new(clock.clone())) }
    }

    /// What it is measured with.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// The socket, when there is no TLS on it.
    pub(crate) fn into_plain(self) -> Option<TcpStream> {
        match self.inner {
            Inner::Plain(tcp) => Some(tcp),
            Inner::Tls(_) => None,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.meter.may_read()?;
        let before = buf.filled().len();
        let read = match &mut self.inner {
            Inner::Plain(tcp) => ready!(Pin::new(tcp).poll_read(cx, buf)),
            // Many servers hang up without saying so in TLS. Whether the message was complete is the protocol's to judge.
            Inner::Tls(tls) => match ready!(Pin::new(tls).poll_read(cx, buf)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                other => other,
            },
        };
        self.meter.note(buf.filled().len() - before);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Inner::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Inner::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.inner {
            Inner::Plain(tcp) => tcp.is_write_vectored(),
            Inner::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Inner::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
