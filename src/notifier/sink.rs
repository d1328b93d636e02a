//! Where notifications go: over the network or to a program, and into a list in tests.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Host;
use url::Url;

use crate::clock::Clock;
use crate::model::channel::Channel;
use crate::model::channel::spec::EmailSpec;
use crate::model::notification::Notification;
use crate::model::notification::ServiceId;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::command;
use crate::notifier::compose::Message;
use crate::notifier::dns::Lookup;
use crate::notifier::dns::LookupError;
use crate::notifier::dns::LookupOutside;
use crate::notifier::dns::may_be_told;
use crate::notifier::dns::may_use;
use crate::notifier::email;
use crate::notifier::error::SendError;
use crate::notifier::heard::Heard;
use crate::notifier::kind::Kind;
use crate::notifier::kind::MAIL_TIMEOUT;
use crate::notifier::kind::SEND_TIMEOUT;
use crate::notifier::kind::Way;
use crate::notifier::kind::way;
use crate::notifier::letter::Letter;
use crate::notifier::payload::Links;
use crate::notifier::payload::SENT_BY;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::fit;
use crate::notifier::smtp;
use crate::store::AnsweredBy;

/// What is read of an answer. Of most only the first words are of interest; the longest is a list of messages or issues.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Requests that one message may take; the longest conversation of a kind has three.
const N_REQUESTS_MAX: usize = 4;

/// How long a request may take that only tidies up after a message has arrived, such as the edit of an earlier one.
const EXTRA_TIMEOUT: Duration = Duration::from_secs(3);

/// Length of a reason that comes from below, as it is stored and shown.
const REASON_BYTES_MAX: usize = 300;

/// Idle connections are closed after this long: alerts come in bursts, and between bursts there is nothing to keep open.
const IDLE: Duration = Duration::from_secs(30);

/// One message on its way to one channel.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Where to.
    pub channel: &'a Channel,
    /// What.
    pub notification: &'a Notification,
    /// All messages that are told with it, as they were decided; itself, when it is told alone.
    pub told: &'a [&'a Notification],
    /// For addresses of our own pages.
    pub links: &'a Links,
    /// What the service calls the message that this one follows, as far as it is known.
    pub first: Option<&'a ServiceId>,
    /// Of several recipients those that are still to be told; all of them, when none is named.
    pub only: &'a [String],
}

impl<'a> Envelope<'a> {
    /// What is to be said, at the time of the attempt.
    #[must_use]
    pub fn message(&self, now: UnixMillis) -> Message<'a> {
        Message { notification: self.notification, on: &self.channel.on, links: self.links, now, first: self.first, unnamed: None }
    }
}

/// Takes messages to channels.
pub trait Sink: Send + Sync + 'static {
    /// Makes one attempt, and takes down what is answered. The caller limits its time and drops it when that is over.
    fn send(&self, envelope: Envelope<'_>, heard: &Heard) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// How long a connection may take, TLS included: less than the attempt, so that one that cannot be made is known to be that, and nobody is
/// told that the message may have arrived. Three packets may get lost on the way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

const _: () = assert!(CONNECT_TIMEOUT.as_secs() < SEND_TIMEOUT.as_secs());

/// Why the HTTP client cannot be set up; a bug or a broken installation.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client for channels")]
pub struct SetupError(#[source] Box<dyn Error + Send + Sync>);

/// Takes messages to channels. Cheap to clone: all clones share one HTTP client and its connections.
#[derive(Debug, Clone)]
pub struct ChannelSink {
    client: reqwest::Client,
    /// Reaches only what the whole world may reach, for addresses that strangers named.
    outside: reqwest::Client,
    /// Whom mail servers are believed, and what that makes of TLS.
    roots: Arc<RootCertStore>,
    tls: Arc<ClientConfig>,
    clock: Clock,
}

impl ChannelSink {
    /// Reads the system's root certificates and sets the client up. Blocks for some milliseconds.
    ///
    /// Proxies of the environment are not used: what a proxy would connect to cannot be checked here.
    ///
    /// # Errors
    /// [`SetupError`] when the client cannot be built.
    pub fn new(clock: Clock) -> Result<ChannelSink, SetupError> {
        let roots = Arc::new(roots());
        let tls = tls_with(RootCertStore::clone(&roots)).map_err(|error| SetupError(error.into()))?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .pool_idle_timeout(IDLE)
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(SENT_BY)
        };
        let failed = |error: reqwest::Error| SetupError(error.into());
        let client = builder().dns_resolver(Lookup).build().map_err(failed)?;
        let outside = builder().dns_resolver(LookupOutside).build().map_err(failed)?;
        Ok(ChannelSink { client, outside, roots, tls: Arc::new(tls), clock })
    }

    /// Sends a letter to one mailbox by the server of an `email` channel.
    ///
    /// # Errors
    /// [`SendError`] when it was not accepted within [`MAIL_TIMEOUT`].
    pub async fn letter(&self, spec: &EmailSpec, letter: &Letter<'_>) -> Result<(), SendError> {
        let (mail, heard) = (letter.mail(spec)?, Heard::default());
        let sending = smtp::send(spec, self.tls_for(spec)?, &mail, &heard);
        tokio::time::timeout(MAIL_TIMEOUT, sending).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// Sends a request to an address that a stranger named. Without `may_be_inside` only to what the whole world may reach.
    ///
    /// # Errors
    /// [`SendError`] when no whole answer came within [`SEND_TIMEOUT`].
    pub async fn post_to_stranger(&self, request: Request, may_be_inside: bool) -> Result<Answer, SendError> {
        let heard = Heard::default();
        let client = if may_be_inside { &self.client } else { &self.outside };
        if !may_be_inside && !is_outside(&request) {
            return Err(SendError::Permanent(LookupError::Inside.to_string()));
        }
        tokio::time::timeout(SEND_TIMEOUT, exchange(client, request, &heard)).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// Calls an address that wants nothing but to be called, such as a dead man's switch. The caller limits its time.
    ///
    /// # Errors
    /// [`SendError`], without the address, when the call did not arrive or was not accepted.
    pub async fn call(&self, url: &Secret) -> Result<(), SendError> {
        let answer = exchange(&self.client, Request::get(url.reveal_for_use()), &Heard::default()).await?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(SendError::Transient(format!("it answered {}", answer.status)))
    }

    /// Makes one request that is no message, and says what was answered. The caller limits its time.
    ///
    /// # Errors
    /// [`SendError`], without the address, when no answer came.
    pub async fn hand(&self, request: Request) -> Result<Answer, SendError> {
        exchange(&self.client, request, &Heard::default()).await
    }
}

impl Sink for ChannelSink {
    async fn send(&self, envelope: Envelope<'_>, heard: &Heard) -> Result<(), SendError> {
        let message = envelope.message(self.clock.now().wall);
        match way(&envelope.channel.spec) {
            Way::Http(kind) => self.converse(kind, &message, heard).await,
            Way::Mail(spec) => {
                let mail = email::mail(spec, &message)?.only_to(envelope.only);
                // Whoever it is for is not in the config any more.
                if mail.to.is_empty() { Ok(()) } else { smtp::send(spec, self.tls_for(spec)?, &mail, heard).await }
            }
            Way::Program(spec) => command::send(spec, &message, heard).await,
        }
    }
}

impl ChannelSink {
    /// Trusts an authority of the operator's as well, if there is one.
    fn tls_for(&self, spec: &EmailSpec) -> Result<Arc<ClientConfig>, SendError> {
        let Some(pem) = &spec.ca else { return Ok(Arc::clone(&self.tls)) };
        let mut roots = RootCertStore::clone(&self.roots);
        let (n_added, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
        if n_added == 0 {
            return Err(SendError::Permanent("the channel's `ca` holds no certificate that can be read".to_owned()));
        }
        let config = tls_with(roots).map_err(|error| SendError::Transient(error.to_string()))?;
        Ok(Arc::new(config))
    }

    async fn converse(&self, kind: &dyn Kind, message: &Message<'_>, heard: &Heard) -> Result<(), SendError> {
        let mut answers = Vec::new();
        loop {
            let message = Message { now: self.clock.now().wall, ..*message };
            let request = kind.next(&message, &answers)?;
            let has_arrived = request.is_none() || kind.has_arrived(&message, &answers);
            if has_arrived {
                heard.note_arrival(kind.called(&message, &answers));
            }
            let Some(request) = request else { return Ok(()) };
            if N_REQUESTS_MAX <= answers.len() {
                return Err(SendError::Permanent("the service asks for more requests than one message may take".to_owned()));
            }
            if !has_arrived {
                answers.push(exchange(&self.client, request, heard).await?);
                continue;
            }
            // Its answer is not that to the message, which is what the delivery log shows.
            match tokio::time::timeout(EXTRA_TIMEOUT, exchange(&self.client, request, &Heard::default())).await {
                Ok(Ok(answer)) => answers.push(answer),
                Ok(Err(_)) | Err(_) => return Ok(()),
            }
        }
    }
}

async fn exchange(client: &reqwest::Client, request: Request, heard: &Heard) -> Result<Answer, SendError> {
    let url = checked(&request)?;
    let method = reqwest::Method::from_bytes(request.method.as_bytes())
        .map_err(|_| SendError::Permanent("the channel's `method` is not an HTTP method".to_owned()))?;
    let mut builder = client.request(method, url);
    for (name, value) in &request.headers {
        let mut value = http::HeaderValue::from_bytes(value.reveal_for_use().as_bytes())
            .map_err(|_| SendError::Permanent(format!("the value of the header `{name}` has characters that headers must not have")))?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body);
    }
    // Who is only asked for something has not been told anything.
    if request.method != "GET" {
        heard.note_departure();
    }
    let mut response = match builder.send().await {
        Ok(response) => response,
        Err(error) => {
            if error.is_connect() {
                heard.note_answered();
            }
            return Err(reason(error));
        }
    };
    let status = response.status().as_u16();
    let header = response.headers().get(http::header::RETRY_AFTER);
    let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    // For an answer that never ends.
    heard.note(AnsweredBy::Http, status, &body);
    // An answer that breaks off counts by its status only when that is a refusal: an acceptance that did not arrive whole is
    // none, and the repeat has the same key.
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => body.extend_from_slice(&chunk),
            Ok(_) => break,
            Err(_) if status >= 300 => break,
            Err(_) => {
                heard.note(AnsweredBy::Http, status, &body);
                return Err(SendError::Transient(format!("answered {status}, and the connection broke before the end")));
            }
        }
    }
    heard.note(AnsweredBy::Http, status, &body);
    heard.note_answered();
    Ok(Answer { status, retry_after, body })
}

/// TLS as a client, with the system's root certificates, or Mozilla's where there are none. Blocks for some milliseconds.
///
/// # Errors
/// The TLS library has no safe protocol version; a bug.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    tls_with(roots())
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    // Empty containers have no certificates of their own.
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn tls_with(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

fn too_slow() -> SendError {
    SendError::Transient("no answer in time".to_owned())
}

/// Whether the address, where it is one in numbers, is one that the whole world may reach. Names are judged when they are looked up.
fn is_outside(request: &Request) -> bool {
    match Url::parse(request.url.reveal_for_use()).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => may_be_told(address.into()),
        Some(Host::Ipv6(address)) => may_be_told(address.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    }
}

/// The address as a URL, if it is one that a channel may be at. Names are checked again when they are looked up.
fn checked(request: &Request) -> Result<Url, SendError> {
    let url = Url::parse(request.url.reveal_for_use()).map_err(|_| SendError::Permanent("the channel's `url` is not a URL".to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SendError::Permanent("the channel's `url` is neither http nor https".to_owned()));
    }
    let fine = match url.host() {
        Some(Host::Ipv4(address)) => may_use(address.into()),
        Some(Host::Ipv6(address)) => may_use(address.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    };
    if fine { Ok(url) } else { Err(SendError::Permanent(LookupError::Forbidden.to_string())) }
}

/// Why no answer came, without the address: the innermost cause is what helps, the layers around it say only that there is one.
fn reason(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
        match innermost.downcast_ref::<LookupError>() {
            Some(error @ (LookupError::Forbidden | LookupError::Inside)) => return SendError::Permanent(error.to_string()),
            Some(LookupError::NotFound) => return SendError::Transient(LookupError::NotFound.to_string()),
            None => {}
        }
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    SendError::Transient(fit(&format!("{what}: {innermost}"), REASON_BYTES_MAX))
}

#[cfg(test)]
mod tests;
