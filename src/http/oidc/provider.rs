//! Talks to the provider of identities: what it says of itself (OpenID Connect Discovery 1.0), its keys, and the exchange of a code for
//! a token. Nothing is asked of any address but the issuer's own and those that the issuer names, over TLS, and no redirect is followed.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use url::Host;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::clock::Clock;
use crate::config::OidcAuth;
use crate::http::oidc::jws::Keys;
use crate::model::time::Mono;
use crate::notifier::dns::Lookup;
use crate::notifier::dns::may_use;
use crate::notifier::sink;

/// For one answer, from the look-up of the name to the last byte; somebody sits before a white page meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer that is read; lists of keys with certificates in them have some ten kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long what a provider says of itself is believed.
const KNOWN_FOR: Duration = Duration::from_secs(3600);

/// After it could not be reached, so long nobody asks again: a provider that is down is not beset by everybody who wants in.
const REST: Duration = Duration::from_secs(5);

/// People who are on their way through here at the same time. Beyond it the answer is 503.
const AT_ONCE: usize = 16;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Why a provider is of no help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// It answers something that cannot be used.
    #[error("{0}")]
    Confused(String),
    /// It does not take the code that the browser brought.
    #[error("the provider does not take the code")]
    BadCode,
    /// Too many are on their way.
    #[error("too many are signing in")]
    Busy,
}

impl Trouble {
    /// Writes to the log what is behind it. Once, where it happens: what is merely remembered of it would let strangers fill the log.
    #[must_use]
    pub fn logged(self) -> Trouble {
        match &self {
            Trouble::Unreachable(why) => tracing::warn!(error = %why, "the identity provider does not answer: {why}"),
            Trouble::Confused(why) => tracing::warn!(error = %why, "the identity provider cannot be used: {why}"),
            Trouble::BadCode | Trouble::Busy => {}
        }
        self
    }
}

/// What a provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Where people are sent.
    pub authorize: Url,
    /// Where they are sent to sign out there too.
    pub end_session: Option<Url>,
    /// Answers in the address say who made them (RFC 9207).
    pub names_itself: bool,
    token: Url,
    keys: Url,
    userinfo: Option<Url>,
    client_auth: ClientAuth,
}

/// How we say who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    Basic,
    Post,
}

/// What a provider says of itself, and its keys.
pub type Facts = (Arc<Discovery>, Arc<Keys>);

/// What was asked of the provider before.
#[derive(Debug, Clone)]
struct Known {
    issuer: String,
    read_at: Mono,
    discovery: Arc<Discovery>,
    keys: Arc<Keys>,
}

/// What is known of the provider now.
#[derive(Debug, Clone, Default)]
struct Memory {
    known: Option<Known>,
    /// Which issuer could not be asked, until when nobody tries again, and why.
    failed: Option<(String, Mono, Trouble)>,
}

/// What a code was exchanged for.
#[derive(Debug)]
pub struct Tokens {
    /// Says who it is.
    pub id: String,
    /// Opens the user info, if there is such a thing.
    access: Option<String>,
}

/// The provider, whichever the config names at the time.
#[derive(Debug)]
pub struct Provider {
    client: OnceCell<reqwest::Client>,
    clock: Clock,
    /// Held for no longer than it takes to look or to note: whoever signs out waits for nobody's network.
    memory: RwLock<Memory>,
    /// Held while the provider is asked, by one at a time: whoever comes meanwhile waits for the same answer.
    asking: Mutex<()>,
    places: Semaphore,
}

impl Provider {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(clock: Clock) -> Provider {
        let (memory, asking) = (RwLock::default(), Mutex::default());
        Provider { client: OnceCell::new(), clock, memory, asking, places: Semaphore::new(AT_ONCE) }
    }

    /// A place among those who are on their way.
    ///
    /// # Errors
    /// [`Trouble::Busy`].
    pub fn place(&self) -> Result<SemaphorePermit<'_>, Trouble> {
        self.places.try_acquire().map_err(|_| Trouble::Busy)
    }

    /// What the provider says of itself, and its keys.
    ///
    /// # Errors
    /// [`Trouble`], the same for some seconds when it could not be reached.
    pub async fn known(&self, oidc: &OidcAuth) -> Result<Facts, Trouble> {
        if let Some(known) = self.in_memory(oidc) {
            return known;
        }
        let _turn = self.asking.lock().await;
        // Whoever had the turn before may have asked the same.
        if let Some(known) = self.in_memory(oidc) {
            return known;
        }
        let asked = self.ask(oidc).await.map_err(Trouble::logged);
        // Only now: what took until its time was up would be forgotten already if it counted from the beginning.
        let now = self.clock.now().mono;
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok((discovery, keys)) => {
                let (discovery, keys) = (Arc::new(discovery), Arc::new(keys));
                let (for_memory, listed) = (Arc::clone(&discovery), Arc::clone(&keys));
                memory.known = Some(Known { issuer: oidc.issuer.clone(), read_at: now, discovery: for_memory, keys: listed });
                memory.failed = None;
                Ok((discovery, keys))
            }
            Err(trouble) => {
                memory.failed = Some((oidc.issuer.clone(), now + REST, trouble.clone()));
                Err(trouble)
            }
        }
    }

    /// What is known without asking anybody, or why it is not and nobody is asked yet; `None` when it is time to ask.
    fn in_memory(&self, oidc: &OidcAuth) -> Option<Result<Facts, Trouble>> {
        let now = self.clock.now().mono;
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_fresh = |known: &Known| known.issuer == oidc.issuer && now.since(known.read_at) < KNOWN_FOR;
        match memory.known.filter(is_fresh) {
            Some(known) => Some(Ok((known.discovery, known.keys))),
            None => self.resting(oidc).map(Err),
        }
    }

    /// What came of asking: trouble is logged, and when nobody answered it is remembered, so that no more is asked for a while.
    ///
    /// # Errors
    /// The same [`Trouble`].
    pub fn noted<T>(&self, oidc: &OidcAuth, asked: Result<T, Trouble>) -> Result<T, Trouble> {
        asked.map_err(|trouble| {
            let trouble = trouble.logged();
            if matches!(trouble, Trouble::Unreachable(_)) {
                let until = self.clock.now().mono + REST;
                let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
                memory.failed = Some((oidc.issuer.clone(), until, trouble.clone()));
            }
            trouble
        })
    }

    /// Why nobody is asked for a while, if that is so.
    #[must_use]
    pub fn resting(&self, oidc: &OidcAuth) -> Option<Trouble> {
        let now = self.clock.now().mono;
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let (issuer, until, trouble) = memory.failed.as_ref()?;
        (*issuer == oidc.issuer && now < *until).then(|| trouble.clone())
    }

    /// What is known without asking anybody.
    #[must_use]
    pub fn remembered(&self, oidc: &OidcAuth) -> Option<Arc<Discovery>> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        memory.known.as_ref().filter(|known| known.issuer == oidc.issuer).map(|known| Arc::clone(&known.discovery))
    }

    /// The keys, read anew: the provider may have begun to sign with another one.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn fresh_keys(&self, oidc: &OidcAuth, discovery: &Discovery) -> Result<Arc<Keys>, Trouble> {
        let _turn = self.asking.lock().await;
        let keys = Arc::new(self.keys(discovery).await?);
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory.known.as_mut().filter(|known| known.issuer == oidc.issuer) {
            known.keys = Arc::clone(&keys);
        }
        Ok(keys)
    }

    /// Exchanges a code.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn exchange(&self, oidc: &OidcAuth, discovery: &Discovery, form: &[(&str, &str)]) -> Result<Tokens, Trouble> {
        let mut form: Vec<(&str, &str)> = form.to_vec();
        let mut request = self.client().await?.post(discovery.token.clone());
        match (&oidc.client_secret, discovery.client_auth) {
            (Some(secret), ClientAuth::Basic) => request = request.header("authorization", basic(&oidc.client_id, secret.reveal_for_use())),
            (Some(secret), ClientAuth::Post) => {
                form.extend([("client_id", oidc.client_id.as_str()), ("client_secret", secret.reveal_for_use())])
            }
            (None, _) => form.push(("client_id", &oidc.client_id)),
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let (status, answer) = answered(request, "token endpoint").await?;
        match (status, answer.get("error").and_then(Value::as_str)) {
            (200, None) => {}
            (_, Some("invalid_grant")) => return Err(Trouble::BadCode),
            (status, code) => {
                let code = code.map(plain_code).unwrap_or_default();
                return Err(Trouble::Confused(format!("the token endpoint answered {status} {code}")));
            }
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
        let id = text("id_token").ok_or_else(|| Trouble::Confused("the token endpoint gave no `id_token`".to_owned()))?;
        Ok(Tokens { id, access: text("access_token") })
    }

    /// What the provider says of somebody besides what is in the token; nothing when it has no such address, or does not let us see it.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn userinfo(&self, discovery: &Discovery, tokens: &Tokens) -> Result<Option<Value>, Trouble> {
        let (Some(url), Some(access)) = (&discovery.userinfo, &tokens.access) else { return Ok(None) };
        let Ok(mut bearer) = ::http::HeaderValue::from_str(&format!("Bearer {access}")) else {
            return Err(Trouble::Confused("the access token has characters that no header can have".to_owned()));
        };
        bearer.set_sensitive(true);
        let request = self.client().await?.get(url.clone()).header("authorization", bearer);
        match answered(request, "userinfo endpoint").await? {
            (200, answer) => Ok(Some(answer)),
            // The token that we were given does not open it. What the signed token says counts without it.
            (status @ (401 | 403), _) => {
                tracing::info!("the userinfo endpoint answered {status}; what the token says is all that is known of somebody");
                Ok(None)
            }
            (status, _) => Err(Trouble::Confused(format!("the userinfo endpoint answered {status}"))),
        }
    }

    async fn ask(&self, oidc: &OidcAuth) -> Result<(Discovery, Keys), Trouble> {
        let address = format!("{}/.well-known/openid-configuration", oidc.issuer.trim_end_matches('/'));
        let url = Url::parse(&address).map_err(|_| Trouble::Confused("the issuer is not a URL".to_owned()))?;
        let discovery = match answered(self.client().await?.get(usable(url)?), "discovery").await? {
            (200, answer) => Discovery::read(&answer, &oidc.issuer)?,
            (status, _) => return Err(Trouble::Confused(format!("the discovery answered {status}"))),
        };
        let keys = self.keys(&discovery).await?;
        Ok((discovery, keys))
    }

    async fn keys(&self, discovery: &Discovery) -> Result<Keys, Trouble> {
        let keys = match answered(self.client().await?.get(discovery.keys.clone()), "list of keys").await? {
            (200, answer) => Keys::read(&answer),
            (status, _) => return Err(Trouble::Confused(format!("the list of keys answered {status}"))),
        };
        if keys.is_empty() {
            return Err(Trouble::Confused("the list of keys has none for RS256, ES256 or EdDSA".to_owned()));
        }
        Ok(keys)
    }

    /// Made when it is needed for the first time: it reads the system's root certificates, which blocks for some milliseconds.
    async fn client(&self) -> Result<&reqwest::Client, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::Unreachable(format!("cannot set up the HTTP client: {error}"));
        self.client
            .get_or_try_init(|| async {
                let tls = tokio::task::spawn_blocking(sink::tls).await.map_err(|error| failed(&error))?;
                let builder = reqwest::Client::builder().tls_backend_preconfigured(tls.map_err(|error| failed(&error))?);
                let builder = builder.redirect(Policy::none()).dns_resolver(Lookup).no_proxy().referer(false).pool_idle_timeout(IDLE);
                builder.user_agent(concat!("vigilmon/", env!("CARGO_PKG_VERSION"))).build().map_err(|error| failed(&error))
            })
            .await
    }
}

impl Discovery {
    /// Reads what a provider says of itself.
    ///
    /// # Errors
    /// [`Trouble::Confused`], with what is missing or wrong.
    pub fn read(said: &Value, issuer: &str) -> Result<Discovery, Trouble> {
        let confused = |text: String| Trouble::Confused(text);
        // Whoever could speak for another issuer could sign anybody in.
        if said.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(confused(
                "the discovery is of another `issuer`; write it in the config as the provider does, to the last `/`".to_owned(),
            ));
        }
        let endpoint = |name: &str| match said.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(found) => {
                let url = found.as_str().and_then(|text| Url::parse(text).ok());
                let url = url.filter(|url| is_safe(url) && url.username().is_empty() && url.password().is_none());
                let url = url.ok_or_else(|| confused(format!("`{name}` of the discovery is not an address over https")))?;
                usable(url).map(Some)
            }
        };
        let needed = |name: &str| endpoint(name)?.ok_or_else(|| confused(format!("the discovery has no `{name}`")));
        let listed = |name: &str| said.get(name).and_then(Value::as_array);
        let takes =
            |word: &str| listed("token_endpoint_auth_methods_supported").is_none_or(|all| all.iter().any(|one| one.as_str() == Some(word)));
        Ok(Discovery {
            authorize: needed("authorization_endpoint")?,
            end_session: endpoint("end_session_endpoint")?,
            names_itself: said.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
            token: needed("token_endpoint")?,
            keys: needed("jwks_uri")?,
            userinfo: endpoint("userinfo_endpoint")?,
            client_auth: if !takes("client_secret_basic") && takes("client_secret_post") { ClientAuth::Post } else { ClientAuth::Basic },
        })
    }
}

/// Over TLS, or to this machine.
fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

/// The address, unless it is one that nothing of ours may ask. Names are checked when they are looked up.
fn usable(url: Url) -> Result<Url, Trouble> {
    let address: Option<IpAddr> = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(_)) | None => None,
    };
    if address.is_some_and(|address| !may_use(address)) {
        return Err(Trouble::Confused("an address of the provider is one of cloud metadata, or of no host".to_owned()));
    }
    Ok(url)
}

/// RFC 6749, 2.3.1: both are written as in a form first, a space as `+` and `-`, `.`, `_` and `*` as they are. Servers that compare what they
/// were sent without decoding it then still know the usual ids and secrets.
fn basic(id: &str, secret: &str) -> ::http::HeaderValue {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = BASE64.encode(format!("{}:{}", encoded(id), encoded(secret)).as_bytes());
    // Base64 can stand in any header.
    let mut value = ::http::HeaderValue::from_str(&format!("Basic {pair}")).unwrap_or(::http::HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// A word of the provider's, if it is one of those that the RFCs know; theirs is no text to repeat.
#[must_use]
pub fn plain_code(code: &str) -> &'static str {
    const KNOWN: [&str; 14] = [
        "invalid_request",
        "invalid_client",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
        "invalid_scope",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
        "interaction_required",
        "login_required",
        "account_selection_required",
        "consent_required",
        "invalid_grant",
    ];
    KNOWN.into_iter().find(|known| *known == code).unwrap_or("(an error that the RFCs do not know)")
}

/// Status and JSON of an answer.
async fn answered(request: reqwest::RequestBuilder, what: &str) -> Result<(u16, Value), Trouble> {
    let late = |_| Trouble::Unreachable(format!("the {what} did not answer within {} s", ANSWER_TIMEOUT.as_secs()));
    let (status, body) = tokio::time::timeout(ANSWER_TIMEOUT, read(request, what)).await.map_err(late)??;
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok((status, answer)),
        // Servers that are overloaded or not there answer in HTML, by a proxy.
        Err(_) if 500 <= status => Err(Trouble::Unreachable(format!("the {what} answered {status}"))),
        Err(_) if status == 200 => Err(Trouble::Confused(format!("the {what} answered something that is not JSON"))),
        Err(_) => Ok((status, Value::Null)),
    }
}

async fn read(request: reqwest::RequestBuilder, what: &str) -> Result<(u16, Vec<u8>), Trouble> {
    let unreachable = |error: reqwest::Error| {
        let error = error.without_url();
        let mut innermost: &dyn Error = &error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        Trouble::Unreachable(format!("the {what} cannot be reached: {innermost}"))
    };
    let mut response = request.header("accept", "application/json").send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if ANSWER_BYTES_MAX < body.len() + chunk.len() {
            return Err(Trouble::Confused(format!("the answer of the {what} is longer than {ANSWER_BYTES_MAX} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status().as_u16(), body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::oidc::tests::oidc;
    use crate::model::time::Now;
    use crate::model::time::UnixMillis;
    use serde_json::json;

    const ISSUER: &str = "https://login.example.com/realms/acme";
    const NOW: Now = Now { wall: UnixMillis(1_700_000_000_000), mono: Mono(1_000_000) };

    fn said() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://login.example.com/authorize?tenant=acme",
            "token_endpoint": "https://oauth.example.net/token",
            "jwks_uri": "https://www.example.net/keys",
        })
    }

    #[track_caller]
    fn trouble(change: impl FnOnce(&mut Value)) -> String {
        let mut said = said();
        change(&mut said);
        Discovery::read(&said, ISSUER).unwrap_err().to_string()
    }

    #[test]
    fn a_discovery_is_taken_for_its_own_issuer_and_over_https_only() {
        let read = Discovery::read(&said(), ISSUER).unwrap();
        assert_eq!((read.client_auth, &read.end_session, read.names_itself), (ClientAuth::Basic, &None, false));
        for other in ["https://login.example.com/realms/acme/", "https://login.example.com", "https://evil.example"] {
            assert!(trouble(|said| said["issuer"] = json!(other)).contains("another `issuer`"), "{other}");
        }
        for bad in ["http://login.example.com/x", "javascript:alert(1)", "https://u:p@login.example.com/", "//x", "file:///etc/passwd"] {
            let said = trouble(|said| said["token_endpoint"] = json!(bad));
            assert_eq!(said, "`token_endpoint` of the discovery is not an address over https", "{bad}");
        }
        for bad in ["https://169.254.169.254/latest", "https://[fd00:ec2::254]/", "https://0.0.0.0/"] {
            assert!(trouble(|said| said["jwks_uri"] = json!(bad)).contains("cloud metadata"), "{bad}");
        }
        assert_eq!(trouble(|said| said["jwks_uri"] = Value::Null), "the discovery has no `jwks_uri`");
    }

    #[test]
    fn the_client_says_who_it_is_as_the_provider_wants_it() {
        let with = |methods: Value| {
            let mut said = said();
            said["token_endpoint_auth_methods_supported"] = methods;
            Discovery::read(&said, ISSUER).unwrap().client_auth
        };
        assert_eq!(with(json!(["client_secret_post", "client_secret_basic"])), ClientAuth::Basic);
        assert_eq!(with(json!(["client_secret_post"])), ClientAuth::Post);
        assert_eq!(with(json!(["private_key_jwt"])), ClientAuth::Basic);
        assert_eq!(basic("a b-c_d.e", "c:ü~*").to_str().unwrap(), format!("Basic {}", BASE64.encode(b"a+b-c_d.e:c%3A%C3%BC%7E*")));
    }

    #[tokio::test]
    async fn a_provider_that_failed_rests_from_the_end_of_the_failure_on() {
        let clock = Clock::manual(NOW);
        let provider = Provider::new(clock.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let oidc = OidcAuth { issuer: format!("http://{}", listener.local_addr().unwrap()), ..oidc() };
        // It takes the question, and as long as the rest itself to give none of the answers.
        let silent = async {
            let asked = listener.accept().await.unwrap();
            clock.advance(REST);
            drop(asked);
        };
        let (known, ()) = tokio::join!(provider.known(&oidc), silent);
        let failed = known.unwrap_err();
        assert!(matches!(failed, Trouble::Unreachable(_)), "{failed:?}");
        clock.advance(REST - Duration::from_millis(1));
        assert_eq!(provider.in_memory(&oidc).unwrap().unwrap_err(), failed);
        assert_eq!(provider.known(&oidc).await.unwrap_err(), failed, "nobody is asked");
        clock.advance(Duration::from_millis(1));
        assert!(provider.in_memory(&oidc).is_none(), "now it is time to ask again");
    }

    #[test]
    fn whoever_did_not_answer_at_all_is_left_in_peace_for_a_while() {
        let clock = Clock::manual(NOW);
        let provider = Provider::new(clock.clone());
        for (trouble, rests) in [
            (Trouble::Unreachable("gone".to_owned()), true),
            (Trouble::Confused("odd".to_owned()), false),
            (Trouble::BadCode, false),
            (Trouble::Busy, false),
        ] {
            assert_eq!(provider.noted::<()>(&oidc(), Err(trouble.clone())), Err(trouble.clone()));
            assert_eq!(provider.resting(&oidc()), rests.then_some(trouble));
            clock.advance(REST);
            assert_eq!(provider.resting(&oidc()), None);
        }
    }

    #[tokio::test]
    async fn what_is_known_is_there_while_somebody_asks() {
        let provider = Provider::new(Clock::manual(NOW));
        let discovery = Arc::new(Discovery::read(&said(), ISSUER).unwrap());
        let keys = Arc::new(Keys::read(&json!({ "keys": [] })));
        let known = Known { issuer: ISSUER.to_owned(), read_at: Mono::default(), discovery: Arc::clone(&discovery), keys };
        provider.memory.write().unwrap().known = Some(known);
        let _asking = provider.asking.lock().await;
        let oidc = OidcAuth { issuer: ISSUER.to_owned(), ..oidc() };
        assert_eq!(provider.remembered(&oidc), Some(discovery));
        assert!(provider.known(&oidc).await.is_ok(), "nor does anybody wait who need not ask");
    }

    #[test]
    fn words_of_the_provider_are_not_repeated() {
        assert_eq!(plain_code("invalid_client"), "invalid_client");
        assert_eq!(plain_code("<script>"), "(an error that the RFCs do not know)");
    }
}
