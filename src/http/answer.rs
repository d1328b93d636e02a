//! Answers, and the headers that every one of them carries.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::Full;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use hyper::header;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use maud::Markup;
use serde::Serialize;

/// What goes back.
pub type Answer = Response<Content>;

/// Words that come one after the other.
pub type Flow = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The body of an answer. Nearly always it is in memory before it is sent.
pub enum Content {
    /// All of it, with its length.
    Whole(Full<Bytes>),
    /// As it comes, made when the connection can take it.
    Flow(Flow),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Content::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Content::Flow(flow) => flow.as_mut().poll_next(cx).map(|next| next.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Content::Whole(whole) => whole.is_end_stream(),
            Content::Flow(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Whole(whole) => whole.size_hint(),
            Content::Flow(_) => SizeHint::default(),
        }
    }
}

/// No script and no style that is not ours, no frame around us, no form to elsewhere. Names and response texts of watched systems
/// are printed on our pages; this is the second wall behind escaping.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Of the one page that other sites may frame: it shows nothing but what anybody may read, and there is nothing on it to be tricked into.
pub const FRAMED_SECURITY_POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *";

const ALWAYS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // One-time tokens are in paths, so other sites learn nothing. Our own pages must be named: without TLS browsers say by nothing else where a
    // form or a stream comes from, and with `no-referrer` they send forms with `Origin: null` (Fetch, "append a request `Origin` header").
    (header::REFERRER_POLICY, "same-origin"),
];

/// For what depends on who is asking; also what an answer gets that says nothing about caching.
pub const NO_STORE: &str = "no-store";

/// For files whose name changes with their content.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// For status pages: as long as a change may go unseen by a visitor.
pub const SHORTLY: &str = "public, max-age=10";

/// For status pages that not everybody may see: the browser may keep them, nothing in between may.
pub const SHORTLY_PRIVATE: &str = "private, max-age=10";

/// An answer with a body.
#[must_use]
pub fn bytes(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Content::Whole(Full::new(body.into())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// An answer whose body comes as it happens.
#[must_use]
pub fn stream(status: StatusCode, media_type: &'static str, flow: Flow) -> Answer {
    let mut answer = Response::new(Content::Flow(flow));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// The media type of pages.
pub const HTML: &str = "text/html; charset=utf-8";

/// A page.
#[must_use]
pub fn page(status: StatusCode, markup: Markup) -> Answer {
    bytes(status, HTML, markup.into_string())
}

/// JSON.
#[must_use]
pub fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // Our wire types have text keys and finite numbers only, so this cannot fail; an empty object is the honest fallback.
    bytes(status, "application/json", serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec()))
}

/// Sends the browser on with GET. `location` comes from `Links`, never from a request.
#[must_use]
pub fn see_other(location: &str) -> Answer {
    with(bytes(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", ""), header::LOCATION, location)
}

/// The answer with one more header; a value that no header can have leaves it out.
#[must_use]
pub fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().append(name, value);
    }
    answer
}

/// Goes over to a WebSocket; `accept` answers the key that was asked with.
#[must_use]
pub fn switching(accept: &str) -> Answer {
    let mut answer = Response::new(Content::Whole(Full::default()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = with(answer, header::CONNECTION, "upgrade");
    let answer = with(answer, header::UPGRADE, "websocket");
    with(answer, header::SEC_WEBSOCKET_ACCEPT, accept)
}

/// Adds what every answer carries.
#[must_use]
pub fn finish(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    // What may be framed says so in its policy, and would be forbidden by the older header.
    let may_be_framed = headers.get(header::CONTENT_SECURITY_POLICY).is_some_and(|policy| policy == FRAMED_SECURITY_POLICY);
    for (name, value) in ALWAYS.into_iter().filter(|(name, _)| *name != header::X_FRAME_OPTIONS || !may_be_framed) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(NO_STORE));
    answer
}
