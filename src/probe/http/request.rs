//! The request as it goes out. Pure: settings and a step become a message. Credentials go in only while at home.

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::Method;
use hyper::Request;
use hyper::Uri;
use hyper::header;
use hyper::header::HeaderMap;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use url::Position;
use url::Url;

use crate::model::monitor::HttpSpec;
use crate::model::monitor::shown_query;
use crate::probe::http::redirect::Step;
use crate::probe::http::redirect::speakable;
use crate::probe::trace::Trace;

/// Configured headers that carry no credentials and go along to other origins. Every other one might be a key.
const HARMLESS: [HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::PRAGMA,
    header::USER_AGENT,
];

/// How the request line names the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Path and query.
    Origin,
    /// The whole URL, for a proxy.
    Absolute,
    /// HTTP/2's pseudo headers.
    Http2,
}

/// What a request is made of.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) spec: &'a HttpSpec,
    pub(crate) step: &'a Step,
    pub(crate) user_agent: &'a str,
    pub(crate) form: Form,
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) proxy_authorization: Option<HeaderValue>,
    pub(crate) cookie: Option<String>,
}

/// Checks what can be wrong about the settings.
///
/// # Errors
/// One sentence for the config's author.
pub(crate) fn prepare(spec: &HttpSpec) -> Result<(), String> {
    speakable(&spec.url)?;
    let step = Step { url: spec.url.clone(), method: spec.method.clone(), with_body: true, at_home: true };
    let plain = |form| Draft { spec, step: &step, user_agent: "x", form, authorization: None, proxy_authorization: None, cookie: None };
    build(plain(Form::Origin)).and_then(|_| build(plain(Form::Http2))).map(|_| ())
}

/// Makes the request.
///
/// # Errors
/// Which part of the settings cannot be sent, for people.
pub(crate) fn build(draft: Draft<'_>) -> Result<Request<Full<Bytes>>, String> {
    let Draft { spec, step, form, .. } = draft;
    let method = Method::from_bytes(step.method.as_bytes()).map_err(|_| format!("`{}` is not a method", step.method))?;
    let body = if step.with_body { Bytes::copy_from_slice(spec.body.as_bytes()) } else { Bytes::new() };
    let mut headers = HeaderMap::with_capacity(spec.headers.len() + 6);
    let authority = &step.url[Position::BeforeHost..Position::AfterPort];
    headers.insert(header::HOST, value("host", authority.as_bytes())?);
    for (name, secret) in &spec.headers {
        add_configured(&mut headers, (name, secret.reveal_for_use()), step)?;
    }
    if !headers.contains_key(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, value("user-agent", draft.user_agent.as_bytes())?);
    }
    if !headers.contains_key(header::ACCEPT) {
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    }
    if let Some(authorization) = draft.authorization {
        headers.insert(header::AUTHORIZATION, authorization);
    }
    if let Some(authorization) = draft.proxy_authorization {
        headers.insert(header::PROXY_AUTHORIZATION, authorization);
    }
    if let Some(cookie) = draft.cookie {
        let cookie = match headers.get(header::COOKIE).and_then(|own| own.to_str().ok()) {
            Some(own) => format!("{own}; {cookie}"),
            None => cookie,
        };
        headers.insert(header::COOKIE, secret("cookie", cookie.as_bytes())?);
    }
    // Some servers insist on a length with these, even when it is nought.
    if body.is_empty() && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let uri = target(&step.url, form, &headers)?;
    if form == Form::Http2 {
        headers.remove(header::HOST);
    } else {
        // Every check has its own connection, and the protocol wants that said.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn add_configured(headers: &mut HeaderMap, (name, text): (&str, &str), step: &Step) -> Result<(), String> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header name"))?;
    if !step.at_home && !HARMLESS.contains(&parsed) {
        return Ok(());
    }
    // These are about the connection, which is ours to manage; a wrong length would make a broken message.
    if matches!(parsed, header::CONNECTION | header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::UPGRADE) {
        return Ok(());
    }
    if !step.with_body && matches!(parsed, header::CONTENT_TYPE | header::CONTENT_LANGUAGE) {
        return Ok(());
    }
    let value = secret(name, text.as_bytes())?;
    if parsed == header::HOST {
        headers.insert(parsed, value);
    } else {
        headers.append(parsed, value);
    }
    Ok(())
}

fn target(url: &Url, form: Form, headers: &HeaderMap) -> Result<Uri, String> {
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let text = match form {
        Form::Origin => path.to_owned(),
        Form::Absolute => url[..Position::AfterQuery].replacen(&url[Position::BeforeUsername..Position::BeforeHost], "", 1),
        Form::Http2 => {
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            format!("{}://{host}{path}", url.scheme())
        }
    };
    text.parse().map_err(|error| format!("cannot ask for `{path}`: {error}"))
}

fn value(name: &str, text: &[u8]) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text).map_err(|_| format!("the value of the header `{name}` has characters that headers cannot have"))
}

fn secret(name: &str, text: &[u8]) -> Result<HeaderValue, String> {
    let mut value = value(name, text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Basic …`
///
/// # Errors
/// Never in fact: the text is ASCII.
pub(crate) fn basic(user: &str, password: &str) -> Result<HeaderValue, String> {
    secret("authorization", format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes())).as_bytes())
}

/// `Bearer …`
///
/// # Errors
/// The token has characters that headers cannot have.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, String> {
    secret("authorization", format!("Bearer {token}").as_bytes())
}

/// Writes the request into the transcript; of values that may be secret only the names.
pub(crate) fn tell(request: &Request<Full<Bytes>>, form: Form, trace: &mut Trace) {
    let version = if form == Form::Http2 { "HTTP/2" } else { "HTTP/1.1" };
    let uri = request.uri().to_string();
    let uri = uri.split_once('?').map_or_else(|| uri.clone(), |(path, query)| format!("{path}?{}", shown_query(query)));
    trace.say(&format!("> {} {uri} {version}", request.method()));
    for (name, value) in request.headers() {
        let shown = if value.is_sensitive() { "[secret]".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        trace.say(&format!("> {name}: {shown}"));
    }
}
