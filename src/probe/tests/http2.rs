//! HTTP/2: by ALPN, by prior knowledge, and servers that send clients away.

use std::convert::Infallible;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsAcceptor;

use super::tls::Authority;
use super::*;

async fn serve(io: impl AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static, body: &'static [u8]) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| async move {
        let answer = Response::builder().header("x-host", request.uri().host().unwrap_or_default());
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(body))).expect("response"))
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service).await;
}

#[tokio::test]
async fn http_2_is_negotiated_over_tls() {
    static BODY: [u8; 300_000] = [b'x'; 300_000];
    let authority = Authority::new();
    let mut config = authority.issue(|_| {}).server();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let address = listener(move |tcp, _| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(tls) = acceptor.accept(tcp).await {
                serve(tls, &BODY).await;
            }
        }
    })
    .await;
    let mut spec = http(&format!("https://localhost:{}/a?b=c", address.port()));
    spec.tls.ca_pem = Some(authority.pem.clone());
    let observation = observe(spec).await;
    let answer = seen(&observation);
    assert_eq!((answer.status, answer.version, answer.body.len(), answer.body_truncated), (200, "HTTP/2", 300_000, false));
    assert!(answer.headers.contains(&("x-host".to_owned(), b"localhost".to_vec())));
    assert!(observation.timings.first_byte.is_some() && observation.timings.transfer.is_some());
}

#[tokio::test]
async fn http_2_without_tls_needs_prior_knowledge() {
    let address = listener(|tcp, _| serve(tcp, b"hello")).await;
    let mut spec = at(address);
    spec.http_version = HttpVersion::V2;
    assert_eq!(seen(&observe(spec).await).version, "HTTP/2");
    assert!(observe(at(address)).await.seen.is_err(), "1.1 is not understood there");
}

#[tokio::test]
async fn http_2_demanded_and_not_offered_is_a_protocol_failure() {
    let (address, _) = server(vec![OK.to_vec()]).await;
    let mut spec = at(address);
    spec.http_version = HttpVersion::V2;
    assert_eq!(code(&observe(spec).await), "protocol");
}

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// RST_STREAM on stream 1 with REFUSED_STREAM.
const REFUSED: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
/// RST_STREAM on stream 1 with INTERNAL_ERROR.
const BROKEN: &[u8] = &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];
/// GOAWAY: nothing was processed.
const GO_AWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Sends each client away with `frame`, except those after the first `n_refused`.
async fn refusing(frame: &'static [u8], n_refused: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let n_seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&n_seen);
    let address = listener(move |mut tcp, n| {
        count.fetch_add(1, Ordering::Relaxed);
        async move {
            if n >= n_refused {
                return serve(tcp, b"hello").await;
            }
            let mut got = Vec::new();
            // The preface, settings, and the header frame, which ends the stream.
            while !got.windows(4).any(|frame| frame == [1, 5, 0, 0] || frame == [1, 4, 0, 0]) {
                if tcp.read_buf(&mut got).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let _ = tcp.write_all(SETTINGS).await;
            let _ = tcp.write_all(frame).await;
            while tcp.read_buf(&mut got).await.unwrap_or(0) > 0 {}
        }
    })
    .await;
    (address, n_seen)
}

#[tokio::test]
async fn a_request_that_was_not_processed_is_made_once_more() {
    for frame in [REFUSED, GO_AWAY] {
        for (method, n_refused, n_expected, good) in [("GET", 1, 2, true), ("GET", 9, 2, false), ("POST", 1, 1, false)] {
            let (address, n_seen) = refusing(frame, n_refused).await;
            let mut spec = at(address);
            spec.http_version = HttpVersion::V2;
            spec.method = method.to_owned();
            let observation = observe(spec).await;
            assert_eq!(
                (observation.seen.is_ok(), n_seen.load(Ordering::Relaxed)),
                (good, n_expected),
                "{method} {frame:?} {observation:?}"
            );
        }
    }
    let (address, n_seen) = refusing(BROKEN, 1).await;
    let mut spec = at(address);
    spec.http_version = HttpVersion::V2;
    assert_eq!((code(&observe(spec).await), n_seen.load(Ordering::Relaxed)), ("protocol", 1));
}
