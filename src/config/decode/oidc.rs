//! Decodes `auth.oidc`: a provider of identities at which people sign in.

use url::Host;
use url::Url;

use crate::config::Allowed;
use crate::config::OidcAuth;
use crate::config::Role;
use crate::config::Roles;
use crate::config::decode::auth::ROLES_OR_NONE;
use crate::config::decode::auth::group_roles;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;

/// What is asked for when nothing is said: who it is, what they are called, and their address.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// The claim that has the groups when nothing is said; what Keycloak, Authentik, Authelia, Dex, Okta and Entra call it.
const GROUPS_CLAIM: &str = "groups";

/// `auth.oidc:`
pub(super) fn oidc(ctx: &Ctx<'_>, at: &At<'_>) -> Option<OidcAuth> {
    let mut fields = Fields::open(ctx, at, "auth.oidc")?;
    let issuer = fields.must("issuer", issuer);
    let name = fields.read("name", readers::name);
    let client_id = fields.must("client_id", readers::full_text);
    let client_secret = fields.read("client_secret", readers::secret);
    let scopes = fields.read("scopes", scopes);
    let groups_claim = fields.read("groups_claim", readers::full_text);
    let allowed = fields.must("allowed", allowed);
    let of_groups = fields.read("roles", |ctx, at| Some(group_roles(ctx, at)));
    let of_others = fields.read("role", |ctx, at| readers::choice(ctx, at, &ROLES_OR_NONE));
    fields.finish();
    let (issuer, host) = issuer?;
    Some(OidcAuth {
        issuer,
        name: name.unwrap_or(host),
        client_id: client_id?,
        client_secret,
        scopes: scopes.unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec()),
        groups_claim: groups_claim.unwrap_or_else(|| GROUPS_CLAIM.to_owned()),
        allowed: allowed?,
        // Whom somebody else vouches for only looks, as long as nobody here says more.
        roles: Roles { of_groups: of_groups.unwrap_or_default(), of_others: of_others.unwrap_or(Some(Role::Viewer)) },
    })
}

/// The issuer exactly as it is written, because the provider's own writing is compared with it, and its host.
fn issuer(ctx: &Ctx<'_>, at: &At<'_>) -> Option<(String, String)> {
    let url = readers::web_url(ctx, at)?;
    let text = readers::text(ctx, at)?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        ctx.bad(at, "an issuer has no `?`, no `#` and no user", "write it as the provider does: `https://login.example.com/realms/acme`");
        return None;
    }
    if text.ends_with("/.well-known/openid-configuration") {
        ctx.bad(at, "this is the address of the discovery", "write what comes before `/.well-known/`");
        return None;
    }
    if url.scheme() != "https" && !is_here(&url) {
        ctx.bad(at, "whoever is in between could sign anybody in", "use `https://`; `http://` works for a provider on this machine only");
        return None;
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    Some((text, host))
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Scopes, `openid` among them in any case: without it nothing is said of anybody.
fn scopes(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<String>> {
    let mut found = vec![SCOPES[0].to_owned()];
    for item in at.one_or_many() {
        let Some(scope) = readers::full_text(ctx, &item) else { continue };
        if !scope.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')) {
            ctx.bad(&item, format!("`{scope}` is not a scope"), "write one scope per item, without spaces and quotes");
            continue;
        }
        if !found.contains(&scope) {
            found.push(scope);
        }
    }
    Some(found)
}

fn allowed(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Allowed> {
    if let Some(scalar) = at.node.scalar() {
        if scalar.text == "everyone" {
            return Some(Allowed::Everyone);
        }
        let hint = "write `everyone`, or who may: `allowed: { groups: [staff], domains: [example.com] }`";
        ctx.bad(at, format!("`{}` does not say who may sign in", scalar.shown()), hint);
        return None;
    }
    let mut fields = Fields::open(ctx, at, "auth.oidc.allowed")?;
    let groups = fields.read("groups", readers::names).unwrap_or_default();
    let domains = fields.take("domains").map(|at| at.one_or_many()).unwrap_or_default();
    fields.finish();
    if groups.is_empty() && domains.is_empty() {
        ctx.bad(at, "nobody may sign in", "list `groups` or `domains`, or write `everyone`");
    }
    Some(Allowed::Listed { groups, domains: domains.iter().filter_map(|at| domain(ctx, at)).collect() })
}

/// A domain of addresses, in lower case.
fn domain(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::text(ctx, at)?;
    let fits =
        text.contains('.') && text.split('.').all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'));
    if !fits {
        ctx.bad(at, format!("`{text}` is not the domain of an address"), "write what comes after the `@`: `example.com`");
        return None;
    }
    Some(text.to_lowercase())
}
