//! Who is asking, and the proofs that handlers take. A proof can be made in this file only, so a handler that wants one cannot be
//! called without the check having been made.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use ring::hmac;
use subtle::ConstantTimeEq;

use crate::config::ApiToken;
use crate::config::Auth as AuthConfig;
use crate::config::Config;
use crate::config::OWNER;
use crate::config::OidcAuth;
use crate::config::ProxyAuth;
use crate::config::Role;
use crate::config::Roles;
use crate::config::User;
use crate::http::error::Refusal;
use crate::http::oidc::claims;
use crate::http::random::digest;
use crate::http::random::key;
use crate::http::random::sha256;
use crate::http::sessions::Found;
use crate::http::sessions::Sessions;
use crate::http::sessions::Who;
use crate::http::visit::Peer;
use crate::http::visit::Visit;
use crate::http::visit::is_listed;
use crate::model::id::check_name;
use crate::store::SessionRow;

/// Bytes of what a form proves, and of what it is hidden by.
const TAG_BYTES: usize = 32;

/// Header that carries the form token where there is no form.
const FORM_HEADER: &str = "x-vigilmon-form";

/// Someone who may look.
#[derive(Debug)]
pub struct Viewer {
    name: String,
    /// By which way they come, and who they are there.
    subject: String,
    role: Role,
    means: Means,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Means {
    /// By a cookie, or by a proxy: the browser sends it along whoever makes it do so, hence the form token.
    Browser {
        /// What a form has to prove that it knows.
        tag: [u8; TAG_BYTES],
        /// The same as forms carry it.
        form_token: String,
    },
    /// By an API token, which no browser sends by itself.
    Token,
}

/// Someone who may change run-time state, and meant to.
#[derive(Debug)]
pub struct Operator(Viewer);

/// Someone who may do everything, and meant to.
#[derive(Debug)]
pub struct Admin(Viewer);

/// Someone at the control socket.
#[derive(Debug)]
pub struct Local(());

impl Viewer {
    /// User name, or name of the token.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who it is among all who come by any way: a token, a user and somebody whom a provider knows may have the same name.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether buttons that change something are worth showing.
    #[must_use]
    pub fn may_operate(&self) -> bool {
        self.role >= Role::Operator
    }

    /// Whether those are that only an admin may use.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        self.role >= Role::Admin
    }

    /// What forms carry; empty for tokens, which see no forms.
    #[must_use]
    pub fn form_token(&self) -> &str {
        match &self.means {
            Means::Browser { form_token, .. } => form_token,
            Means::Token => "",
        }
    }
}

impl Operator {
    /// Who it is.
    #[must_use]
    pub fn viewer(&self) -> &Viewer {
        &self.0
    }
}

impl Admin {
    /// Who it is.
    #[must_use]
    pub fn viewer(&self) -> &Viewer {
        &self.0
    }
}

/// Makes proofs.
#[derive(Debug)]
pub struct Auth {
    /// Who is signed in.
    pub sessions: Sessions,
    form_key: hmac::Key,
    /// Counts how often one was written.
    n_forms: AtomicU64,
}

/// What to note in the store about the session that was used.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Store this.
    pub save: Option<SessionRow>,
    /// Delete this.
    pub ended: Option<[u8; 32]>,
}

impl Auth {
    /// With these sessions and a new key for form tokens.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(sessions: Sessions) -> Result<Auth, getrandom::Error> {
        Ok(Auth { sessions, form_key: hmac::Key::new(hmac::HMAC_SHA256, &key()?), n_forms: AtomicU64::new(0) })
    }

    /// Who is asking; `None` for strangers.
    #[must_use]
    pub fn identify(&self, visit: &Visit, config: &Config) -> (Option<Viewer>, Upkeep) {
        if let Some(token) = visit.bearer() {
            return (by_token(token, &config.auth), Upkeep::default());
        }
        if let Some((name, role)) = by_proxy(visit, &config.auth) {
            let means = self.by_browser("proxy", &name);
            let subject = format!("proxy {name}");
            return (Some(Viewer { name, subject, role, means }), Upkeep::default());
        }
        let Some(token) = visit.cookie(cookie_name(visit)) else { return (None, Upkeep::default()) };
        match self.sessions.find(token, |who| credential_of(who, &config.auth), visit.now.wall) {
            Found::Nothing => (None, Upkeep::default()),
            Found::Ended(key) => (None, Upkeep { ended: Some(key), save: None }),
            Found::Live { who, save } => {
                let means = self.by_browser("session", token);
                // Asked with every request: a role that changes in the config changes for whoever is signed in.
                let role = role_of(&who, &config.auth);
                let Some(role) = role else { return (None, Upkeep::default()) };
                let (name, subject) = (who.user.clone(), subject_of(&who));
                (Some(Viewer { name, subject, role, means }), Upkeep { save, ended: None })
            }
        }
    }

    /// Whether whoever sent this request may still look. Asking does not count as use of a session.
    #[must_use]
    pub fn may_still_look(&self, visit: &Visit, config: &Config) -> bool {
        if let Some(token) = visit.bearer() {
            return by_token(token, &config.auth).is_some();
        }
        by_proxy(visit, &config.auth).is_some()
            || visit
                .cookie(cookie_name(visit))
                .is_some_and(|token| self.sessions.is_live(token, |who| credential_of(who, &config.auth), visit.now.wall))
    }

    /// Who holds the API token that was sent, as `X-Api-Key` or as a bearer; cookies do not count, so that pages of others, which this is
    /// for, cannot use them.
    #[must_use]
    pub fn holder(&self, visit: &Visit, config: &Config) -> Option<Viewer> {
        by_token(visit.header("x-api-key").or_else(|| visit.bearer())?, &config.auth)
    }

    /// The proof for changing something: the viewer may, and one of our own pages or an API token asked for it.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn operator(&self, viewer: Viewer, visit: &Visit) -> Result<Operator, Refusal> {
        let too_low = (
            "This token may only read; give it `scope: write`.",
            "Your role is viewer: you may look here, and change nothing. Who may do what is said below `auth` in the config.",
        );
        meant(viewer, visit, Role::Operator, too_low).map(Operator)
    }

    /// The proof for what only admins may do.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn admin(&self, viewer: Viewer, visit: &Visit) -> Result<Admin, Refusal> {
        let too_low = (
            "This token may not do this; it needs `scope: admin`.",
            "Only an admin may do this. Who is one is said below `auth` in the config.",
        );
        meant(viewer, visit, Role::Admin, too_low).map(Admin)
    }

    /// What forms prove is bound to the session and to this run: nobody can make it up, and it does not last when it leaks. It is written in
    /// another way each time, because pages are compressed: what never stands twice in the same letters cannot be guessed by how much shorter a
    /// page becomes that repeats a part of it (BREACH).
    fn by_browser(&self, kind: &str, of: &str) -> Means {
        let tag = self.derived(&[kind.as_bytes(), of.as_bytes()]);
        let n = self.n_forms.fetch_add(1, Ordering::Relaxed);
        let pad = self.derived(&[b"pad", &n.to_be_bytes()]);
        let hidden = xor(&tag, &pad);
        Means::Browser { tag, form_token: data_encoding::BASE64URL_NOPAD.encode(&[pad, hidden].concat()) }
    }

    fn derived(&self, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        let mut out = [0; TAG_BYTES];
        out.copy_from_slice(hmac::sign(&self.form_key, &digest(parts)).as_ref());
        out
    }
}

fn xor(a: &[u8; TAG_BYTES], b: &[u8; TAG_BYTES]) -> [u8; TAG_BYTES] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// What a form proves, from how it is written there; zeros, which nothing is, for what is not written so.
fn unhidden(sent: &str) -> [u8; TAG_BYTES] {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(sent.as_bytes()).unwrap_or_default();
    match bytes.split_first_chunk() {
        Some((pad, hidden)) => <[u8; TAG_BYTES]>::try_from(hidden).map_or([0; TAG_BYTES], |hidden| xor(pad, &hidden)),
        None => [0; TAG_BYTES],
    }
}

/// The viewer, if they may do what needs this role and it was one of our own pages or an API token that asked for it. `too_low` is what
/// is said to tokens and to people who may not.
fn meant(viewer: Viewer, visit: &Visit, needed: Role, too_low: (&'static str, &'static str)) -> Result<Viewer, Refusal> {
    match &viewer.means {
        Means::Token if viewer.role < needed => Err(Refusal::Forbidden(too_low.0)),
        Means::Browser { .. } if viewer.role < needed => Err(Refusal::Forbidden(too_low.1)),
        Means::Token => Ok(viewer),
        Means::Browser { tag, .. } => {
            let sent = visit.field("form").or_else(|| visit.header(FORM_HEADER)).unwrap_or_default();
            let fits: bool = unhidden(sent).ct_eq(tag).into();
            let stale = Refusal::Forbidden("This page is out of date. Go back, reload it and try again.");
            if fits { Ok(viewer) } else { Err(stale) }
        }
    }
}

/// The proof of the control socket; strangers on the network learn nothing, not even that the path exists there.
///
/// # Errors
/// [`Refusal::NotFound`].
pub fn local(visit: &Visit) -> Result<Local, Refusal> {
    match visit.peer {
        Peer::Control => Ok(Local(())),
        Peer::Tcp(_) => Err(Refusal::NotFound),
    }
}

/// What somebody signs in with; sessions are bound to it. Who came from a provider of identities is bound to that provider, as long as it
/// would still be let in. The owner, who has no password, is bound to the whole `auth` section: once users are configured, or anything else
/// of who may come in changes, a session from a one-time link ends.
#[must_use]
pub fn credential_of(who: &Who, auth: &AuthConfig) -> Option<String> {
    let Who { user, said } = who;
    if said.is_some() {
        role_of(who, auth)?;
        return auth.oidc.as_ref().map(of_provider);
    }
    let configured = auth.users.iter().find(|u| u.name == *user).map(|u| u.password_hash.reveal_for_use().to_owned());
    configured.or_else(|| (user == OWNER).then(|| fingerprint(auth)))
}

fn of_provider(oidc: &OidcAuth) -> String {
    data_encoding::HEXLOWER.encode(&digest(&[b"oidc", oidc.issuer.as_bytes(), oidc.client_id.as_bytes()]))
}

/// Digest of the `auth` section. Every list is preceded by its length, so that no two sections have the same parts.
fn fingerprint(auth: &AuthConfig) -> String {
    let AuthConfig { users, proxy, oidc, tokens } = auth;
    let mut parts: Vec<String> = vec![users.len().to_string()];
    for User { name, password_hash, role } in users {
        parts.extend([name.clone(), password_hash.reveal_for_use().to_owned(), format!("{role:?}")]);
    }
    if let Some(ProxyAuth { header, groups_header, roles, from }) = proxy {
        parts.extend(["proxy".to_owned(), header.clone(), format!("{groups_header:?}"), from.len().to_string()]);
        parts.extend(from.iter().map(ToString::to_string));
        parts.extend(parts_of(roles));
    }
    if let Some(OidcAuth { issuer, name: _, client_id, client_secret: _, scopes, groups_claim, allowed, roles }) = oidc {
        parts.extend(["oidc".to_owned(), issuer.clone(), client_id.clone(), groups_claim.clone()]);
        parts.extend([format!("{scopes:?}"), format!("{allowed:?}")]);
        parts.extend(parts_of(roles));
    }
    parts.push(tokens.len().to_string());
    for ApiToken { name, hash, scope } in tokens {
        parts.extend([name.clone(), hash.reveal_for_use().to_owned(), format!("{scope:?}")]);
    }
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    data_encoding::HEXLOWER.encode(&digest(&parts))
}

fn parts_of(roles: &Roles) -> Vec<String> {
    let Roles { of_groups, of_others } = roles;
    let mut parts = vec![of_groups.len().to_string()];
    for (group, role) in of_groups {
        parts.extend([group.clone(), format!("{role:?}")]);
    }
    parts.push(format!("{of_others:?}"));
    parts
}

/// What somebody with a session may do now; `None`: not even come in. Who came by a one-time link may open the control socket, and so do
/// everything anyway.
fn role_of(who: &Who, auth: &AuthConfig) -> Option<Role> {
    match &who.said {
        Some(kept) => claims::role(kept.said(), auth.oidc.as_ref()?),
        None => Some(auth.users.iter().find(|u| u.name == who.user).map_or(Role::Admin, |u| u.role)),
    }
}

/// Whose session it is. The owner's one-time links are a way of their own: nobody in the config can be called so.
fn subject_of(who: &Who) -> String {
    match &who.said {
        Some(kept) => format!("provider {}", kept.said().subject),
        None => format!("user {}", who.user),
    }
}

/// Name of the session cookie. The prefixes make browsers refuse it from anywhere but us, over TLS; `__Host-` also demands the
/// path `/`, so below a base path it is the weaker one.
#[must_use]
pub fn cookie_name(visit: &Visit) -> &'static str {
    match (visit.secure, visit.links.cookie_path()) {
        (true, "/") => "__Host-vigilmon",
        (true, _) => "__Secure-vigilmon",
        (false, _) => "vigilmon",
    }
}

fn by_token(token: &str, auth: &AuthConfig) -> Option<Viewer> {
    let hash = sha256(token.as_bytes());
    let mut found = None;
    // Every token is compared, so that the time it takes does not say which one it was.
    for candidate in &auth.tokens {
        let expected = data_encoding::HEXLOWER_PERMISSIVE.decode(candidate.hash.reveal_for_use().as_bytes()).unwrap_or_default();
        let same: bool = expected.as_slice().ct_eq(&hash[..]).into();
        if same {
            let (name, subject) = (candidate.name.clone(), format!("token {}", candidate.name));
            found = Some(Viewer { name, subject, role: candidate.scope.role(), means: Means::Token });
        }
    }
    found
}

fn by_proxy(visit: &Visit, auth: &AuthConfig) -> Option<(String, Role)> {
    let proxy = auth.proxy.as_ref()?;
    let Peer::Tcp(peer) = visit.peer else { return None };
    // The connected address decides, never a header: whoever can reach us directly could write any header.
    if !is_listed(peer, &proxy.from) {
        return None;
    }
    let name = only(visit, &proxy.header).ok()??.trim();
    check_name(name).ok()?;
    let groups = match &proxy.groups_header {
        Some(header) => only(visit, header).ok()?.unwrap_or_default(),
        None => "",
    };
    let role = proxy.roles.of(groups.split([',', '|']).map(str::trim))?;
    Some((name.to_owned(), role))
}

/// The value of a header that a proxy wrote; of two, one would be the visitor's own.
///
/// # Errors
/// There are several, or it is not text.
fn only<'a>(visit: &'a Visit, header: &str) -> Result<Option<&'a str>, ()> {
    let mut values = visit.headers.get_all(header).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}
