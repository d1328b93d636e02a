//! What the browser carries from us to the provider and back: a cookie that only we can have made, and that holds nothing secret.
//!
//! `state`, `nonce` and the verifier of RFC 7636 are worked out of a random id with a key of this run, so nothing has to be
//! remembered here, and no flood of beginnings fills any memory. A restart in between means signing in again.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::config::OidcAuth;
use crate::http::random::digest;
use crate::http::random::key;
use crate::http::random::sha256;
use crate::http::random::token;
use crate::model::time::UnixMillis;

/// How long somebody may take at the provider, which includes looking for the second factor.
pub const TICKET_AGE: Duration = Duration::from_secs(10 * 60);

/// Makes tickets and knows them again.
#[derive(Debug)]
pub struct Tickets {
    key: hmac::Key,
}

/// One way to the provider and back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Comes back in the address.
    pub state: String,
    /// Comes back in the token.
    pub nonce: String,
    /// Shows the provider that who asked is who brings the code.
    pub verifier: String,
    /// Where to go afterwards, as it was asked for.
    pub next: Option<String>,
}

impl Ticket {
    /// What the provider is told of the verifier beforehand.
    #[must_use]
    pub fn challenge(&self) -> String {
        BASE64URL_NOPAD.encode(&sha256(self.verifier.as_bytes()))
    }
}

impl Tickets {
    /// With a new key.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> Result<Tickets, getrandom::Error> {
        Ok(Tickets { key: hmac::Key::new(hmac::HMAC_SHA256, &key()?) })
    }

    /// A new one, and the cookie that stands for it.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn issue(&self, oidc: &OidcAuth, next: Option<String>, now: UnixMillis) -> Result<(Ticket, String), getrandom::Error> {
        let id = token()?;
        let body = format!("{id}.{}.{}", now.0, BASE64URL_NOPAD.encode(next.as_deref().unwrap_or_default().as_bytes()));
        let cookie = format!("{body}.{}", self.derived("ticket", &[&oidc.issuer, &oidc.client_id, &body]));
        Ok((self.ticket(&id, next), cookie))
    }

    /// The ticket that a cookie stands for, if it is one of ours for this provider and not too old.
    #[must_use]
    pub fn read(&self, oidc: &OidcAuth, cookie: &str, now: UnixMillis) -> Option<Ticket> {
        let (body, tag) = cookie.rsplit_once('.')?;
        let expected = self.derived("ticket", &[&oidc.issuer, &oidc.client_id, body]);
        let is_ours: bool = expected.as_bytes().ct_eq(tag.as_bytes()).into();
        if !is_ours {
            return None;
        }
        let mut parts = body.split('.');
        let (id, at, next) = (parts.next()?, parts.next()?, parts.next()?);
        let issued_at = UnixMillis(at.parse().ok()?);
        if TICKET_AGE <= now.since(issued_at) {
            return None;
        }
        let next = String::from_utf8(BASE64URL_NOPAD.decode(next.as_bytes()).ok()?).ok()?;
        Some(self.ticket(id, Some(next).filter(|next| !next.is_empty())))
    }

    fn ticket(&self, id: &str, next: Option<String>) -> Ticket {
        Ticket { state: self.derived("state", &[id]), nonce: self.derived("nonce", &[id]), verifier: self.derived("verifier", &[id]), next }
    }

    fn derived(&self, purpose: &str, of: &[&str]) -> String {
        let parts: Vec<&[u8]> = [purpose].iter().chain(of).map(|part| part.as_bytes()).collect();
        BASE64URL_NOPAD.encode(hmac::sign(&self.key, &digest(&parts)).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::oidc::tests::oidc;

    const T0: UnixMillis = UnixMillis(1_700_000_000_000);

    #[test]
    fn a_ticket_comes_back_as_it_went_and_not_for_ever() {
        let tickets = Tickets::new().unwrap();
        let (ticket, cookie) = tickets.issue(&oidc(), Some("/incidents".to_owned()), T0).unwrap();
        assert_eq!(tickets.read(&oidc(), &cookie, T0 + Duration::from_secs(599)), Some(ticket.clone()));
        assert_eq!(tickets.read(&oidc(), &cookie, T0 + TICKET_AGE), None);
        assert!(!cookie.contains(&ticket.verifier) && !cookie.contains(&ticket.state) && !cookie.contains(&ticket.nonce));
        assert!((43..=128).contains(&ticket.verifier.len()), "as RFC 7636 wants it");
        let (other, _) = tickets.issue(&oidc(), None, T0).unwrap();
        assert_ne!((&other.state, &other.nonce, &other.verifier), (&ticket.state, &ticket.nonce, &ticket.verifier));
    }

    #[test]
    fn a_cookie_that_was_made_up_changed_or_is_for_another_provider_is_none() {
        let tickets = Tickets::new().unwrap();
        let (_, cookie) = tickets.issue(&oidc(), None, T0).unwrap();
        let other = OidcAuth { issuer: "https://other.example.com".to_owned(), ..oidc() };
        assert_eq!(tickets.read(&other, &cookie, T0), None);
        assert_eq!(Tickets::new().unwrap().read(&oidc(), &cookie, T0), None, "of another run");
        let (body, tag) = cookie.rsplit_once('.').unwrap();
        for changed in [format!("{body}.{tag}x"), format!("x{cookie}"), body.to_owned(), cookie.replace('.', ""), String::new()] {
            assert_eq!(tickets.read(&oidc(), &changed, T0), None, "{changed}");
        }
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let ticket = Ticket { state: String::new(), nonce: String::new(), verifier, next: None };
        assert_eq!(ticket.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
