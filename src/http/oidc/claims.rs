//! What a provider of identities says about somebody, and whether it was said to us, now, and in answer to our own question.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::config::Allowed;
use crate::config::OWNER;
use crate::config::OidcAuth;
use crate::config::Role;
use crate::model::id::check_name;
use crate::model::time::UnixMillis;

/// How far the provider's clock may be off.
const SKEW_S: i64 = 60;

/// Groups of one person that are looked at; whoever is in more is in those that matter for this by a smaller claim.
const GROUPS_MAX: usize = 256;

/// Longest name of a group, longest subject; RFC and providers stay below it.
const TEXT_BYTES_MAX: usize = 256;

/// What a token has to say to be an answer to us.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who must have said it.
    pub issuer: &'a str,
    /// To whom.
    pub client_id: &'a str,
    /// In answer to which question.
    pub nonce: &'a str,
    /// When it is heard.
    pub now: UnixMillis,
}

/// Why what was said does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadClaims {
    /// Somebody else said it.
    #[error("`iss` is not the issuer in the config")]
    Issuer,
    /// It was said to somebody else.
    #[error("`aud` or `azp` is not the `client_id` in the config")]
    Audience,
    /// It held until some time ago.
    #[error("`exp` is over, or missing; compare the clocks of the two machines")]
    Expired,
    /// It was said in the future.
    #[error("`iat` or `nbf` is in the future, or `iat` is missing; compare the clocks of the two machines")]
    Early,
    /// It answers another question.
    #[error("`nonce` is not the one that was sent")]
    Nonce,
    /// It does not say of whom.
    #[error("`sub` is missing, empty or too long")]
    Subject,
}

/// What is kept of what was said, for as long as the session lasts: enough to find the role by whatever the config then says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who it is, to the provider.
    pub subject: String,
    /// In which groups they are.
    pub groups: Vec<String>,
    /// Of an address that the provider has verified.
    pub email_domain: Option<String>,
}

/// Somebody whom a provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What they are called here.
    pub name: String,
    /// What is kept.
    pub said: Said,
}

/// Whether what a token says counts (OpenID Connect Core 1.0, 3.1.3.7).
///
/// # Errors
/// [`BadClaims`].
pub fn check(claims: &Value, expected: &Expected<'_>) -> Result<(), BadClaims> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).map(seconds);
    if text("iss") != Some(expected.issuer) {
        return Err(BadClaims::Issuer);
    }
    let audience: Vec<Option<&str>> = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().map(Value::as_str).collect(),
        one => vec![one.and_then(Value::as_str)],
    };
    let is_party = match claims.get("azp") {
        Some(party) => party.as_str() == Some(expected.client_id),
        None => audience.len() == 1,
    };
    if !audience.contains(&Some(expected.client_id)) || !is_party {
        return Err(BadClaims::Audience);
    }
    let now_s = expected.now.0.div_euclid(1000);
    let is_over = |until: i64| until.saturating_add(SKEW_S) <= now_s;
    let is_ahead = |at: i64| now_s < at.saturating_sub(SKEW_S);
    if time("exp").flatten().is_none_or(is_over) {
        return Err(BadClaims::Expired);
    }
    if time("iat").flatten().is_none_or(is_ahead) || time("nbf").is_some_and(|at| at.is_none_or(is_ahead)) {
        return Err(BadClaims::Early);
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(BadClaims::Nonce);
    }
    subject(claims).map(|_| ()).ok_or(BadClaims::Subject)
}

/// Seconds since 1970; fractions are legal and say nothing here.
fn seconds(value: &Value) -> Option<i64> {
    // A cast from a float saturates, and what is far off is refused in any case.
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// Who it is, to the provider.
#[must_use]
pub fn subject(claims: &Value) -> Option<&str> {
    claims.get("sub").and_then(Value::as_str).filter(|subject| (1..=TEXT_BYTES_MAX).contains(&subject.len()))
}

/// Reads who somebody is; `None` without a subject.
#[must_use]
pub fn person(claims: &Value, oidc: &OidcAuth, is_taken: impl Fn(&str) -> bool) -> Option<Person> {
    let subject = subject(claims)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let names = [text("preferred_username"), text("email"), text("name"), Some(subject)];
    let name = names.into_iter().flatten().find(|name| check_name(name).is_ok()).unwrap_or("somebody");
    // People can often choose what they are called over there; nobody becomes somebody whom the config knows.
    let is_ours = name == OWNER || is_taken(name);
    let name = if is_ours { format!("{name} ({})", oidc.name) } else { name.to_owned() };
    let is_verified = claims.get("email_verified").is_some_and(|value| *value == Value::Bool(true) || value.as_str() == Some("true"));
    let domain = text("email").filter(|_| is_verified).and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
    let said =
        Said { subject: subject.to_owned(), groups: groups(claims, &oidc.groups_claim), email_domain: domain.map(str::to_ascii_lowercase) };
    Some(Person { name, said })
}

/// What somebody may do by what the config says now; `None`: they are not let in.
#[must_use]
pub fn role(said: &Said, oidc: &OidcAuth) -> Option<Role> {
    let is_allowed = match &oidc.allowed {
        Allowed::Everyone => true,
        Allowed::Listed { groups, domains } => {
            let is_in_group = said.groups.iter().any(|group| groups.contains(group));
            is_in_group || said.email_domain.as_ref().is_some_and(|domain| domains.contains(domain))
        }
    };
    if is_allowed { oidc.roles.of(said.groups.iter().map(String::as_str)) } else { None }
}

/// Whether there is all that the config looks at: groups where a group lets in or gives a role, an address where its domain lets in, and
/// something to call somebody by.
#[must_use]
pub fn suffice(claims: &Value, oidc: &OidcAuth) -> bool {
    let (asks_groups, asks_domains) = match &oidc.allowed {
        Allowed::Everyone => (false, false),
        Allowed::Listed { groups, domains } => (!groups.is_empty(), !domains.is_empty()),
    };
    let has = |claim: &str| found(claims, claim).is_some();
    let has_groups = has(&oidc.groups_claim) || (!asks_groups && oidc.roles.of_groups.is_empty());
    let has_address = has("email") || !asks_domains;
    has_groups && has_address && ["preferred_username", "email", "name"].into_iter().any(has)
}

/// The claim of this name; for Keycloak's `realm_access.roles` and the like also what is found step by step.
fn found<'a>(claims: &'a Value, claim: &str) -> Option<&'a Value> {
    claims.get(claim).or_else(|| claim.split('.').try_fold(claims, |inside, step| inside.get(step)))
}

fn groups(claims: &Value, claim: &str) -> Vec<String> {
    let all = match found(claims, claim) {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let texts = all.iter().filter_map(Value::as_str).filter(|group| (1..=TEXT_BYTES_MAX).contains(&group.len()));
    texts.take(GROUPS_MAX).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests;
