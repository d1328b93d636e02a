//! OAuth 2.0 tokens by client credentials (RFC 6749, section 4.4), kept until shortly before they expire. A token that cannot be
//! had is trouble of our own: the target was not asked.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use url::Url;
use url::form_urlencoded;

use crate::model::monitor::HttpAuth;
use crate::model::monitor::HttpSpec;
use crate::model::monitor::HttpVersion;
use crate::model::monitor::IpChoice;
use crate::model::monitor::TlsSpec;
use crate::model::result::Failure;
use crate::model::result::HttpSeen;
use crate::model::result::OwnTrouble;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::probe::Shared;
use crate::probe::http;
use crate::probe::trace::Trace;

/// How long a token is kept when the server does not say how long it lives.
const LIFE_DEFAULT: Duration = Duration::from_secs(60);

/// A token is not used any more this long before its end, or a tenth of its life if that is less.
const MARGIN_MAX: Duration = Duration::from_secs(30);

/// Longest answer of a token server that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Tokens kept at once; reloads leave old ones behind, which go when there are this many.
const TOKENS_MAX: usize = 1024;

/// Who asks, where, and what for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    url: Url,
    client_id: String,
    client_secret: Secret,
    scopes: Vec<String>,
}

/// Tokens that are still good.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<Claim, (Secret, Mono)>>);

impl Claim {
    /// The claim of a monitor that authenticates in this way.
    pub(crate) fn of(spec: &HttpSpec) -> Option<Claim> {
        match &spec.auth {
            HttpAuth::OAuth2ClientCredentials { token_url, client_id, client_secret, scopes } => Some(Claim {
                url: token_url.clone(),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
                scopes: scopes.clone(),
            }),
            HttpAuth::None | HttpAuth::Basic { .. } | HttpAuth::Bearer(_) => None,
        }
    }
}

impl Tokens {
    /// The token for a claim, fetched if there is none. `refused` is one that the target did not accept.
    pub(crate) async fn get(
        shared: &Shared,
        spec: &HttpSpec,
        claim: &Claim,
        refused: Option<&Secret>,
        trace: &mut Trace,
    ) -> Result<Secret, Failure> {
        let now = shared.clock.now().mono;
        let known = shared.tokens.held().get(claim).filter(|(token, until)| now < *until && Some(token) != refused).cloned();
        if let Some((token, _)) = known {
            return Ok(token);
        }
        let whence = claim.url.host_str().unwrap_or_default();
        trace.errand = Some(format!("cannot get a token from {whence}"));
        let mut own_trace = Trace::new(&shared.clock);
        let request = request(spec, claim);
        // The token request is made by the same code, which has no token to fetch for it.
        let fetched =
            Box::pin(http::check(shared, &request, None, &mut own_trace)).await.map_err(|failure| failure.to_string()).and_then(read);
        trace.append(&format!("— token from {whence} —"), &own_trace.into_transcript());
        trace.errand = None;
        let (token, life) = fetched.map_err(|why| Failure::Own(OwnTrouble::Setup(format!("cannot get a token from {whence}: {why}"))))?;
        let mut held = shared.tokens.held();
        if held.len() >= TOKENS_MAX {
            held.clear();
        }
        held.insert(claim.clone(), (token.clone(), now + (life - MARGIN_MAX.min(life / 10))));
        Ok(token)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Claim, (Secret, Mono)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request(spec: &HttpSpec, claim: &Claim) -> HttpSpec {
    let escaped = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !claim.scopes.is_empty() {
        form.append_pair("scope", &claim.scopes.join(" "));
    }
    HttpSpec {
        url: claim.url.clone(),
        method: "POST".to_owned(),
        headers: vec![
            ("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded")),
            ("accept".to_owned(), Secret::new("application/json")),
        ],
        // Section 2.3.1 wants both escaped before they are joined.
        auth: HttpAuth::Basic { user: escaped(&claim.client_id), password: Secret::new(escaped(claim.client_secret.reveal_for_use())) },
        body: form.finish(),
        follow_redirects: 0,
        ip: IpChoice::Any,
        resolver: spec.resolver.clone(),
        connect_to: None,
        proxy: spec.proxy.clone(),
        tls: TlsSpec { server_name: None, ..spec.tls.clone() },
        http_version: HttpVersion::Auto,
        body_bytes_max: ANSWER_BYTES_MAX,
        allow_metadata: spec.allow_metadata,
        allow_private: spec.allow_private,
    }
}

/// The token in an answer, and how long it lives.
fn read(seen: HttpSeen) -> Result<(Secret, Duration), String> {
    let answer: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str);
    if seen.status != 200 {
        let code: String = text("error").unwrap_or_default().chars().take(60).collect();
        return Err(format!("status {} {code}", seen.status).trim_end().to_owned());
    }
    let token = text("access_token").ok_or("its answer has no `access_token`")?;
    let seconds = answer.get("expires_in").and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok()));
    // A century is more than any clock here can be asked to add.
    let life = seconds.map_or(LIFE_DEFAULT, |seconds| Duration::from_secs(seconds.min(3_155_760_000)));
    Ok((Secret::new(token), life))
}
