//! One check from the configured URL through its redirects to the answer that counts: connects, asks, asks again where that is
//! safe, follows.

use std::net::IpAddr;

use hyper::header;
use hyper::header::HeaderValue;

use crate::model::monitor::HttpAuth;
use crate::model::monitor::HttpSpec;
use crate::model::monitor::HttpVersion;
use crate::model::monitor::ProxyKind;
use crate::model::monitor::TlsSpec;
use crate::model::monitor::shown_url;
use crate::model::net::HostPort;
use crate::model::net::Place;
use crate::model::net::place;
use crate::model::result::Failure;
use crate::model::result::HttpSeen;
use crate::model::result::OwnTrouble;
use crate::model::secret::Secret;
use crate::model::time::spoken;
use crate::probe::Shared;
use crate::probe::dial;
use crate::probe::http::cookies::Jar;
use crate::probe::http::exchange;
use crate::probe::http::exchange::Answer;
use crate::probe::http::host_of;
use crate::probe::http::port_of;
use crate::probe::http::proxy;
use crate::probe::http::redirect;
use crate::probe::http::redirect::Step;
use crate::probe::http::request;
use crate::probe::http::request::Draft;
use crate::probe::http::request::Form;
use crate::probe::http::token::Claim;
use crate::probe::http::token::Tokens;
use crate::probe::policy::Policy;
use crate::probe::resolve::Question;
use crate::probe::stream::Stream;
use crate::probe::tls;
use crate::probe::trace::Trace;

/// Methods that may be repeated when the server said that it did not process the request; RFC 9110 section 9.2.2.
const IDEMPOTENT: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

/// What one check remembers from hop to hop.
pub(crate) struct Journey<'a> {
    shared: &'a Shared,
    spec: &'a HttpSpec,
    pinned: Option<IpAddr>,
    /// Where the first hop led.
    first: Option<Place>,
    jar: Jar,
    claim: Option<Claim>,
    token: Option<Secret>,
}

impl<'a> Journey<'a> {
    /// A check of `spec`, towards `pinned` if its host has several addresses and this one is meant.
    pub(crate) fn new(shared: &'a Shared, spec: &'a HttpSpec, pinned: Option<IpAddr>) -> Journey<'a> {
        Journey { shared, spec, pinned, first: None, jar: Jar::default(), claim: Claim::of(spec), token: None }
    }

    /// Asks and follows until there is an answer that is not followed.
    pub(crate) async fn travel(&mut self, trace: &mut Trace) -> Result<HttpSeen, Failure> {
        let mut url = self.spec.url.clone();
        // Both setters work on every URL with a host; without one there is nothing to hide.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let mut step = Step { url, method: self.spec.method.clone(), with_body: true, at_home: true };
        let mut n_redirects = 0;
        loop {
            let answer = self.hop(&step, n_redirects, trace).await?;
            let location = answer.head.headers().get(header::LOCATION).map(HeaderValue::as_bytes);
            let next = match self.spec.follow_redirects {
                0 => None,
                _ => redirect::next(answer.head.status().as_u16(), location, &step).map_err(|detail| Failure::Redirect { detail })?,
            };
            let Some(next) = next else { return self.arrive(answer, n_redirects, trace).await };
            if n_redirects >= self.spec.follow_redirects {
                let detail = format!("there are more than {n_redirects} of them; the next one leads to {}", next.url);
                return Err(Failure::Redirect { detail });
            }
            n_redirects += 1;
            let set = answer.head.headers().get_all(header::SET_COOKIE).into_iter().map(HeaderValue::as_bytes);
            self.jar.keep(&step.url, set);
            trace.next_hop();
            trace.say(&format!("redirect {n_redirects} → {}", shown_url(&next.url)));
            step = next;
        }
    }

    /// Reads the body of the answer that counts.
    async fn arrive(&self, answer: Answer, n_redirects: u8, trace: &mut Trace) -> Result<HttpSeen, Failure> {
        let head = &answer.head;
        let status = head.status().as_u16();
        let version = version_word(head.version());
        let headers = head.headers().iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        let (body, body_truncated) = answer.read(self.spec.body_bytes_max, trace).await?;
        let more = if body_truncated { ", and there is more" } else { "" };
        trace.say(&format!("< {} bytes of body{more}", body.len()));
        Ok(HttpSeen { status, version, headers, body, body_truncated, n_redirects })
    }

    /// One request and the head of its answer. Asks a second time when the first was not processed, or its token not accepted.
    async fn hop(&mut self, step: &Step, n_redirects: u8, trace: &mut Trace) -> Result<Answer, Failure> {
        let mut may_repeat = IDEMPOTENT.contains(&step.method.as_str());
        let mut may_refresh = self.claim.is_some() && step.at_home;
        loop {
            let authorization = self.authorization(step, trace).await?;
            let (stream, form) = self.connect(step, trace).await?;
            let request = request::build(Draft {
                spec: self.spec,
                step,
                user_agent: &self.shared.user_agent,
                form,
                authorization,
                proxy_authorization: self.proxy_authorization(form)?,
                cookie: self.jar.header(&step.url),
            })
            .map_err(|detail| if n_redirects == 0 { setup(detail) } else { Failure::Redirect { detail } })?;
            request::tell(&request, form, trace);
            match exchange::send(stream, form == Form::Http2, request, trace).await {
                Ok(answer) if may_refresh && answer.head.status() == hyper::StatusCode::UNAUTHORIZED => {
                    may_refresh = false;
                    trace.next_hop();
                    trace.say("the token was not accepted; fetching another");
                    if let Some(claim) = &self.claim {
                        self.token = Some(Tokens::get(self.shared, self.spec, claim, self.token.as_ref(), trace).await?);
                    }
                }
                Ok(answer) => {
                    tell(&answer, trace);
                    return Ok(answer);
                }
                Err(broken) if broken.unprocessed && may_repeat => {
                    may_repeat = false;
                    trace.next_hop();
                    trace.say("the server did not process the request; asking once more");
                }
                Err(broken) => return Err(broken.failure),
            }
        }
    }

    async fn authorization(&mut self, step: &Step, trace: &mut Trace) -> Result<Option<HeaderValue>, Failure> {
        if !step.at_home {
            return Ok(None);
        }
        let value = match &self.spec.auth {
            HttpAuth::None if self.spec.url.username().is_empty() => return Ok(None),
            HttpAuth::None => {
                let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
                request::basic(&plain(self.spec.url.username()), &plain(self.spec.url.password().unwrap_or_default()))
            }
            HttpAuth::Basic { user, password } => request::basic(user, password.reveal_for_use()),
            HttpAuth::Bearer(token) => request::bearer(token.reveal_for_use()),
            HttpAuth::OAuth2ClientCredentials { .. } => {
                let Some(claim) = &self.claim else { return Ok(None) };
                let token = match self.token.take() {
                    Some(token) => token,
                    None => Tokens::get(self.shared, self.spec, claim, None, trace).await?,
                };
                let value = request::bearer(token.reveal_for_use());
                self.token = Some(token);
                value
            }
        };
        value.map(Some).map_err(setup)
    }

    fn proxy_authorization(&self, form: Form) -> Result<Option<HeaderValue>, Failure> {
        match self.spec.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref()) {
            Some((user, password)) if form == Form::Absolute => request::basic(user, password.reveal_for_use()).map(Some).map_err(setup),
            Some(_) | None => Ok(None),
        }
    }

    /// A connection of this hop's own, and the form that requests on it have.
    async fn connect(&mut self, step: &Step, trace: &mut Trace) -> Result<(Stream, Form), Failure> {
        let target = HostPort { host: host_of(&step.url).to_owned(), port: port_of(&step.url) };
        let is_https = step.url.scheme() == "https";
        let is_same_place = target.host == host_of(&self.spec.url) && target.port == port_of(&self.spec.url);
        let policy = Policy { allow_metadata: self.spec.allow_metadata, allow_private: self.spec.allow_private, first: self.first };
        let mut form = Form::Origin;
        let tcp = match &self.spec.proxy {
            Some(spec) => {
                let to = self.spec.connect_to.as_ref().filter(|_| is_same_place).unwrap_or(&target);
                let tunnel = is_https || spec.kind == ProxyKind::Socks5;
                form = if tunnel { Form::Origin } else { Form::Absolute };
                let there = literal(&to.host);
                if let Some(address) = there {
                    policy.permit(address).map_err(|detail| Failure::Forbidden { detail })?;
                }
                // Only the proxy knows where names lead.
                self.first = self.first.or(Some(there.map_or(Place::Public, place)));
                proxy::connect(self.shared, spec, to, tunnel, trace).await?
            }
            None => {
                let to = self.spec.connect_to.as_ref().filter(|_| is_same_place).unwrap_or(&target);
                // From http to https is still the same host, so a check of one address of many stays with it.
                let is_pinned = is_same_place || (self.spec.connect_to.is_none() && target.host == host_of(&self.spec.url));
                let addresses = match self.pinned.filter(|_| is_pinned) {
                    Some(address) => vec![address],
                    None => {
                        let question = Question { host: &to.host, ip: self.spec.ip, servers: &self.spec.resolver };
                        self.shared.resolvers.addresses(question, trace).await?
                    }
                };
                let tcp = dial::connect(&addresses, to.port, policy, trace).await?;
                self.first = self.first.or(trace.remote.map(place));
                tcp
            }
        };
        if !is_https {
            let prior_knowledge = self.spec.http_version == HttpVersion::V2 && form == Form::Origin;
            return Ok((Stream::plain(tcp, &self.shared.clock), if prior_knowledge { Form::Http2 } else { form }));
        }
        self.secure(step, tcp, trace).await
    }

    async fn secure(&self, step: &Step, tcp: tokio::net::TcpStream, trace: &mut Trace) -> Result<(Stream, Form), Failure> {
        let host = host_of(&step.url);
        let stripped;
        // Elsewhere the configured name means nothing, and the client certificate is nobody's business.
        let spec = if step.at_home || self.spec.tls.client.is_none() {
            &self.spec.tls
        } else {
            stripped = TlsSpec { client: None, ..self.spec.tls.clone() };
            &stripped
        };
        let name = spec.server_name.as_deref().filter(|_| host == host_of(&self.spec.url)).unwrap_or(host);
        let ready = self.shared.tls.ready(spec).map_err(setup)?;
        let stream = tls::handshake(&ready, name, self.spec.http_version, tcp, trace).await?;
        let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if self.spec.http_version == HttpVersion::V2 && !is_h2 {
            return Err(Failure::Protocol { detail: "the server does not offer HTTP/2".to_owned() });
        }
        Ok((Stream::tls(stream, &self.shared.clock), if is_h2 { Form::Http2 } else { Form::Origin }))
    }
}

/// The address a host is, when it is one or is the local machine's name.
fn literal(host: &str) -> Option<IpAddr> {
    let is_localhost = host.trim_end_matches('.').eq_ignore_ascii_case("localhost");
    if is_localhost { Some(std::net::Ipv4Addr::LOCALHOST.into()) } else { host.parse().ok() }
}

fn setup(why: String) -> Failure {
    Failure::Own(OwnTrouble::Setup(why))
}

fn version_word(version: hyper::Version) -> &'static str {
    match version {
        hyper::Version::HTTP_2 => "HTTP/2",
        hyper::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// Writes the head of an answer into the transcript, without what might let somebody in.
fn tell(answer: &Answer, trace: &mut Trace) {
    let head = &answer.head;
    let took = trace.timings.first_byte.map(spoken).unwrap_or_default();
    trace.say(&format!("< {} {} ({took})", version_word(head.version()), head.status()));
    for (name, value) in head.headers() {
        let shown = match *name {
            header::SET_COOKIE | header::AUTHORIZATION | header::PROXY_AUTHORIZATION => "[hidden]".into(),
            header::LOCATION => redirect::without_user_info(&String::from_utf8_lossy(value.as_bytes())).into(),
            _ => String::from_utf8_lossy(value.as_bytes()),
        };
        trace.say(&format!("< {name}: {shown}"));
    }
}
