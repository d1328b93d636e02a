//! Decodes `auth`: who may look, who may change things, and how they say who they are.

use std::collections::BTreeMap;

use crate::config::ApiToken;
use crate::config::Auth;
use crate::config::OWNER;
use crate::config::ProxyAuth;
use crate::config::Role;
use crate::config::Roles;
use crate::config::Scope;
use crate::config::Server;
use crate::config::User;
use crate::config::decode::oidc;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::phc::PasswordHash;
use crate::config::readers;
use crate::model::secret::Secret;

const ROLES: [(&str, Role); 3] = [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)];

/// The same for those to whom no group gives a role.
pub(super) const ROLES_OR_NONE: [(&str, Option<Role>); 4] =
    [("viewer", Some(Role::Viewer)), ("operator", Some(Role::Operator)), ("admin", Some(Role::Admin)), ("none", None)];

const SCOPES: [(&str, Scope); 3] = [("read", Scope::Read), ("write", Scope::Write), ("admin", Scope::Admin)];

/// `auth:`
pub(super) fn auth(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Auth> {
    let mut fields = Fields::open(ctx, at, "auth")?;
    let users = fields.take("users");
    let proxy = fields.read("proxy", proxy_auth);
    let oidc = fields.read("oidc", oidc::oidc);
    let tokens = fields.take("tokens");
    fields.finish();
    let mut seen = BTreeMap::new();
    let users: Vec<User> = users.iter().flat_map(|at| at.list(ctx)).filter_map(|at| user(ctx, &at, &mut seen)).collect();
    seen.clear();
    let tokens: Vec<ApiToken> = tokens.iter().flat_map(|at| at.list(ctx)).filter_map(|at| token(ctx, &at, &mut seen)).collect();
    Some(Auth { users, proxy, oidc, tokens })
}

/// Whether the provider of identities knows where to send people back to.
pub(super) fn reachable(ctx: &Ctx<'_>, auth_at: Option<&At<'_>>, server: Option<&Server>) {
    let Some(at) = auth_at.and_then(|at| at.child("oidc")) else { return };
    if server.is_some_and(|server| server.public_url.is_none()) {
        let hint = "add `server: { public_url: https://status.example.com }`";
        ctx.bad(&at, "the provider sends people back to `server.public_url`, which is not set", hint);
    }
}

fn unique_name(ctx: &Ctx<'_>, at: &At<'_>, seen: &mut BTreeMap<String, u32>) -> Option<String> {
    let name = readers::name(ctx, at)?;
    if let Some(line) = seen.insert(name.clone(), at.node.pos.line) {
        ctx.bad(at, format!("the name `{name}` is already used in line {line}"), "give one of them another name");
    }
    Some(name)
}

/// Whoever comes by a one-time link is called `owner`; a user of that name would be taken for them in the log and beside what was done.
fn is_free(ctx: &Ctx<'_>, at: &At<'_>, name: &str) -> bool {
    if name == OWNER {
        ctx.bad(at, format!("`{OWNER}` is what whoever comes by a one-time link is called"), "give this user another name");
    }
    name != OWNER
}

fn user(ctx: &Ctx<'_>, at: &At<'_>, seen: &mut BTreeMap<String, u32>) -> Option<User> {
    let mut fields = Fields::open(ctx, at, "auth.users[]")?;
    let name = fields.must("name", |ctx, at| unique_name(ctx, at, seen).filter(|name| is_free(ctx, at, name)));
    let hash = fields.must("password_hash", password_hash);
    let role = fields.read("role", |ctx, at| readers::choice(ctx, at, &ROLES));
    fields.finish();
    // Whoever is listed by name is meant, and somebody has to be able to do everything.
    Some(User { name: name?, password_hash: hash?, role: role.unwrap_or(Role::Admin) })
}

/// A secret that is an argon2id hash.
pub(super) fn password_hash(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let hash = readers::secret(ctx, at)?;
    if let Err(error) = PasswordHash::parse(hash.reveal_for_use()) {
        ctx.bad(at, error.to_string(), "make one with `vigilmon hash-password`; it begins with `$argon2id$`");
        return None;
    }
    Some(hash)
}

fn proxy_auth(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ProxyAuth> {
    let mut fields = Fields::open(ctx, at, "auth.proxy")?;
    let header = fields.must("header", header_name);
    let from = fields.require("from");
    let groups_header = fields.read("groups_header", header_name);
    let (roles_at, of_others) = (fields.take("roles"), fields.read("role", |ctx, at| readers::choice(ctx, at, &ROLES_OR_NONE)));
    fields.finish();
    let of_groups = roles_at.as_ref().map(|at| group_roles(ctx, at)).unwrap_or_default();
    match (&roles_at, &groups_header) {
        (Some(at), None) => {
            ctx.bad(at, "no header says in which groups people are", "add `groups_header: Remote-Groups`, or whatever the proxy calls it");
        }
        (None, Some(_)) => ctx.bad(at, "`groups_header` is there, and no group gives a role", "add `roles: { sre: admin }`"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    // Who lists groups means them; everybody else then only looks.
    let of_others = of_others.unwrap_or(Some(if roles_at.is_some() { Role::Viewer } else { Role::Operator }));
    let from_at = from?;
    let from = readers::networks(ctx, &from_at)?;
    if from.is_empty() {
        ctx.bad(&from_at, "nobody is believed", "list the proxy's addresses: `from: [127.0.0.1/32]`");
    }
    Some(ProxyAuth { header: header?, groups_header, roles: Roles { of_groups, of_others }, from })
}

/// Roles by group.
pub(super) fn group_roles(ctx: &Ctx<'_>, at: &At<'_>) -> BTreeMap<String, Role> {
    let entries = at.free_map(ctx);
    if entries.is_empty() {
        ctx.bad(at, "no group is listed", "write `roles: { sre: admin }`, or remove the key");
    }
    entries.into_iter().filter_map(|(entry, at)| Some((entry.key.clone(), readers::choice(ctx, &at, &ROLES)?))).collect()
}

/// The name of a header, in lower case.
pub(super) fn header_name(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let text = readers::text(ctx, at)?;
    match ::http::HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Some(name.as_str().to_owned()),
        Err(_) => {
            ctx.bad(at, format!("`{text}` is not the name of a header"), "use letters, digits and `-`");
            None
        }
    }
}

fn token(ctx: &Ctx<'_>, at: &At<'_>, seen: &mut BTreeMap<String, u32>) -> Option<ApiToken> {
    let mut fields = Fields::open(ctx, at, "auth.tokens[]")?;
    let name = fields.must("name", |ctx, at| unique_name(ctx, at, seen));
    let hash = fields.must("hash", |ctx, at| {
        let hash = readers::secret(ctx, at)?;
        let text = hash.reveal_for_use();
        if text.len() != 64 || !text.chars().all(|c| c.is_ascii_hexdigit()) {
            let hint = "make one with `vigilmon hash-token --new`; it has 64 hexadecimal digits";
            ctx.bad(at, "this is not the SHA-256 of a token", hint);
            return None;
        }
        Some(Secret::new(text.to_ascii_lowercase()))
    });
    let scope = fields.read("scope", |ctx, at| readers::choice(ctx, at, &SCOPES));
    fields.finish();
    Some(ApiToken { name: name?, hash: hash?, scope: scope.unwrap_or(Scope::Read) })
}
