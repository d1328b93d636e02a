//! Signing in at a provider of identities: OpenID Connect, the authorization code flow with PKCE (RFC 7636).
//!
//! What the browser brings back is believed in nothing: `state` ties it to the browser that began, the verifier ties the code to us, the
//! nonce ties the token to this beginning, and the token is signed by the provider. What the provider says in words is never shown.

pub mod claims;
pub mod jws;
pub mod provider;
pub mod ticket;

use hyper::StatusCode;
use hyper::header;
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::OidcAuth;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::local::public_base;
use crate::http::oidc::claims::Expected;
use crate::http::oidc::claims::Person;
use crate::http::oidc::jws::BadToken;
use crate::http::oidc::jws::Keys;
use crate::http::oidc::provider::Discovery;
use crate::http::oidc::provider::Provider;
use crate::http::oidc::provider::Tokens;
use crate::http::oidc::provider::Trouble;
use crate::http::oidc::provider::plain_code;
use crate::http::oidc::ticket::TICKET_AGE;
use crate::http::oidc::ticket::Ticket;
use crate::http::oidc::ticket::Tickets;
use crate::http::visit::Visit;
use crate::http::visit::host_name;
use crate::ui::links::query_path;

/// Why somebody does not get in this way. Each is one sentence on the sign-in page; what is behind it is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Began in another browser, too long ago, or before a restart; or the address was made up.
    Stale,
    /// They said no over there, or somebody did for them.
    Denied,
    /// The provider does not answer.
    Unreachable,
    /// The provider answers something that cannot be used, or that somebody else made.
    Confused,
    /// The provider knows them, and the config does not let them in.
    NotAllowed,
    /// Too many at once.
    Busy,
    /// Our own trouble.
    Internal,
}

impl Stop {
    /// What the sign-in page says, of a provider that is called so.
    #[must_use]
    pub fn text(self, name: &str) -> String {
        match self {
            Stop::Stale => "This sign-in took too long, or began in another window. Begin again.".to_owned(),
            Stop::Denied => format!("{name} did not sign you in. Begin again, or ask whoever looks after {name}."),
            Stop::Unreachable => {
                format!(
                    "{name} does not answer right now. Try again in a minute. Passwords, and `vigilmon sign-in-link` on the machine, work meanwhile."
                )
            }
            Stop::Confused => format!("{name} answered something that vigilmon cannot accept. The log of vigilmon says what."),
            Stop::NotAllowed => format!("{name} knows you, but you may not use vigilmon. Who may is said below `auth.oidc` in the config."),
            Stop::Busy => "Too many people are signing in. Try again in a few seconds.".to_owned(),
            Stop::Internal => "Something went wrong in vigilmon. Its log says what.".to_owned(),
        }
    }

    /// The status of that page.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Stop::Stale => StatusCode::BAD_REQUEST,
            Stop::Denied | Stop::NotAllowed => StatusCode::FORBIDDEN,
            Stop::Unreachable | Stop::Confused => StatusCode::BAD_GATEWAY,
            Stop::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Stop::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether whoever came can do nothing about it: an attempt that ends so is none.
    #[must_use]
    pub fn is_no_attempt(self) -> bool {
        match self {
            Stop::Unreachable | Stop::Busy | Stop::Internal => true,
            Stop::Stale | Stop::Denied | Stop::Confused | Stop::NotAllowed => false,
        }
    }
}

/// Says nothing in the log: that was done where the trouble was, and a provider that rests is no new one.
impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        match trouble {
            Trouble::Busy => Stop::Busy,
            Trouble::BadCode => Stop::Stale,
            Trouble::Unreachable(_) => Stop::Unreachable,
            Trouble::Confused(_) => Stop::Confused,
        }
    }
}

/// Signing in at a provider.
#[derive(Debug)]
pub struct Oidc {
    tickets: Tickets,
    provider: Provider,
}

/// What the browser brought back, each at most once.
#[derive(Debug, Default)]
struct Returned {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    issuer: Option<String>,
}

impl Oidc {
    /// With a new key; the provider is asked when somebody comes.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(clock: Clock) -> Result<Oidc, getrandom::Error> {
        Ok(Oidc { tickets: Tickets::new()?, provider: Provider::new(clock) })
    }

    /// Sends the browser to the provider. `next` is where to go afterwards.
    ///
    /// # Errors
    /// [`Stop`].
    pub async fn begin(&self, visit: &Visit, config: &Config, oidc: &OidcAuth, next: Option<String>) -> Result<Answer, Stop> {
        let base = public_base(&config.server, None).ok_or(Stop::Internal)?;
        // The provider sends people back to the public address, so the cookie has to be one of that. A proxy may call us by another name all
        // the time: whoever was sent on once is there.
        let public_host = url::Url::parse(&base).ok().and_then(|url| url.host_str().map(host_name));
        let is_moved = visit.query.split('&').any(|pair| pair == MOVED);
        if public_host.as_deref() != Some(&visit.host) && !is_moved {
            let next = next.map(|path| format!("&next={}", query_path(&path))).unwrap_or_default();
            return Ok(answer::see_other(&format!("{base}{BEGIN}?{MOVED}{next}")));
        }
        let _place = self.provider.place()?;
        let (discovery, _) = self.provider.known(oidc).await?;
        let (ticket, cookie) = self.tickets.issue(oidc, next, visit.now.wall).map_err(|error| {
            tracing::error!(%error, "no randomness for signing in: {error}");
            Stop::Internal
        })?;
        let mut there = discovery.authorize.clone();
        let scopes = oidc.scopes.join(" ");
        let (callback, challenge) = (format!("{base}{BACK}"), ticket.challenge());
        there.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &oidc.client_id),
            ("redirect_uri", &callback),
            ("scope", &scopes),
            ("state", &ticket.state),
            ("nonce", &ticket.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let cookie = format!("{}={cookie}; {}; Max-Age={}", cookie_name(visit), visit.cookie_attributes(), TICKET_AGE.as_secs());
        Ok(answer::with(answer::see_other(there.as_str()), header::SET_COOKIE, &cookie))
    }

    /// The ticket that this browser began with, if what came back in the address belongs to it. Asks nobody.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn ticket(&self, visit: &Visit, oidc: &OidcAuth) -> Result<Ticket, Stop> {
        let state = Returned::read(&visit.query).and_then(|returned| returned.state).ok_or(Stop::Stale)?;
        let cookie = visit.cookie(cookie_name(visit)).ok_or(Stop::Stale)?;
        let ticket = self.tickets.read(oidc, cookie, visit.now.wall).ok_or(Stop::Stale)?;
        let fits: bool = ticket.state.as_bytes().ct_eq(state.as_bytes()).into();
        if fits { Ok(ticket) } else { Err(Stop::Stale) }
    }

    /// Who came back from the provider.
    ///
    /// # Errors
    /// [`Stop`].
    pub async fn person(&self, visit: &Visit, config: &Config, oidc: &OidcAuth, ticket: &Ticket) -> Result<Person, Stop> {
        let returned = Returned::read(&visit.query).ok_or(Stop::Stale)?;
        let _place = self.provider.place()?;
        let (discovery, keys) = self.provider.known(oidc).await?;
        let is_named = returned.issuer.is_some() || discovery.names_itself;
        if is_named && returned.issuer.as_deref() != Some(&oidc.issuer) {
            return Err(Trouble::Confused("the answer is of another issuer".to_owned()).logged().into());
        }
        if let Some(code) = &returned.error {
            tracing::info!("the identity provider did not sign somebody in: {}", plain_code(code));
            return Err(if code == "access_denied" { Stop::Denied } else { Stop::Confused });
        }
        let code = returned.code.ok_or(Stop::Stale)?;
        if let Some(trouble) = self.provider.resting(oidc) {
            return Err(trouble.into());
        }
        let callback = format!("{}{BACK}", public_base(&config.server, None).ok_or(Stop::Internal)?);
        let form =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &callback), ("code_verifier", &ticket.verifier)];
        let tokens = self.provider.noted(oidc, self.provider.exchange(oidc, &discovery, &form).await)?;
        let expected = Expected { issuer: &oidc.issuer, client_id: &oidc.client_id, nonce: &ticket.nonce, now: visit.now.wall };
        let claims = self.claims(oidc, (&discovery, &keys), &tokens.id, &expected).await?;
        let claims = self.completed(claims, oidc, &discovery, &tokens).await?;
        let is_user = |name: &str| config.auth.users.iter().any(|user| user.name == name);
        let person = claims::person(&claims, oidc, is_user).ok_or(Stop::Confused)?;
        if claims::role(&person.said, oidc).is_none() {
            tracing::info!(user = person.name, "`{}` is known to the identity provider, and not let in", person.name);
            return Err(Stop::NotAllowed);
        }
        Ok(person)
    }

    /// What a token says, if it counts. A key that is not known may be a new one: then the keys are read once more.
    async fn claims(
        &self,
        oidc: &OidcAuth,
        (discovery, keys): (&Discovery, &Keys),
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Value, Stop> {
        let refused = |why: &dyn std::fmt::Display| Stop::from(Trouble::Confused(format!("a token is refused: {why}")).logged());
        let verified = match jws::verified(token, keys) {
            Err(BadToken::UnknownKey | BadToken::Signature) => {
                let fresh = self.provider.noted(oidc, self.provider.fresh_keys(oidc, discovery).await)?;
                jws::verified(token, &fresh)
            }
            Ok(claims) => Ok(claims),
            Err(error @ (BadToken::Malformed | BadToken::Algorithm)) => Err(error),
        };
        let claims = verified.map_err(|error| refused(&error))?;
        claims::check(&claims, expected).map_err(|error| refused(&error))?;
        Ok(claims)
    }

    /// The claims, with what only the user info says: some providers keep groups and addresses out of the token. Nobody is asked for what
    /// the config does not look at. What the token says goes first.
    async fn completed(&self, claims: Value, oidc: &OidcAuth, discovery: &Discovery, tokens: &Tokens) -> Result<Value, Stop> {
        if claims::suffice(&claims, oidc) {
            return Ok(claims);
        }
        let more = self.provider.noted(oidc, self.provider.userinfo(discovery, tokens).await)?;
        let Some(more) = more else { return Ok(claims) };
        // Otherwise it could be the answer to somebody else's token (OpenID Connect Core 1.0, 5.3.2).
        if claims::subject(&more) != claims::subject(&claims) {
            return Err(Trouble::Confused("the userinfo endpoint speaks of somebody else".to_owned()).logged().into());
        }
        let (Value::Object(mut all), Value::Object(said)) = (more, claims) else { return Err(Stop::Confused) };
        // An address and whether it is verified belong together.
        if said.contains_key("email") || said.contains_key("email_verified") {
            all.remove("email");
            all.remove("email_verified");
        }
        all.extend(said);
        Ok(Value::Object(all))
    }

    /// Where somebody can sign out at the provider too, as far as it is known.
    #[must_use]
    pub fn way_out(&self, oidc: &OidcAuth) -> Option<String> {
        let mut there = self.provider.remembered(oidc)?.end_session.clone()?;
        there.query_pairs_mut().append_pair("client_id", &oidc.client_id);
        Some(there.to_string())
    }
}

/// The path, below the base, at which a way to the provider begins.
pub const BEGIN: &str = "/sign-in/oidc";

/// The path, below the base, to which the provider sends people back.
pub const BACK: &str = "/sign-in/oidc/callback";

/// Says in the query that the browser was sent to the public address already.
const MOVED: &str = "moved=1";

/// Takes the ticket out of the browser: it is used.
#[must_use]
pub fn used(visit: &Visit, answer: Answer) -> Answer {
    answer::with(answer, header::SET_COOKIE, &format!("{}=; {}; Max-Age=0", cookie_name(visit), visit.cookie_attributes()))
}

/// As for sessions, the prefixes make browsers refuse it from anywhere but us.
fn cookie_name(visit: &Visit) -> &'static str {
    match (visit.secure, visit.links.cookie_path()) {
        (true, "/") => "__Host-vigilmon-oidc",
        (true, _) => "__Secure-vigilmon-oidc",
        (false, _) => "vigilmon-oidc",
    }
}

impl Returned {
    /// Reads the query; `None` when something comes twice, because then two readers could take different ones.
    fn read(query: &str) -> Option<Returned> {
        let mut returned = Returned::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "state" => &mut returned.state,
                "code" => &mut returned.code,
                "error" => &mut returned.error,
                "iss" => &mut returned.issuer,
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        Some(returned)
    }
}

#[cfg(test)]
pub mod tests;
