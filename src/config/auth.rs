//! Who may see the dashboard and change run-time state, as the config says it.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::model::secret::Secret;

/// Who may see the dashboard and change run-time state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Local users.
    pub users: Vec<User>,
    /// A proxy that has already signed people in.
    pub proxy: Option<ProxyAuth>,
    /// A provider of identities at which people sign in.
    pub oidc: Option<OidcAuth>,
    /// For the API.
    pub tokens: Vec<ApiToken>,
}

/// What somebody may do. Each may do what those before it may, so they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Change run-time state.
    Operator,
    /// Also what cannot be taken back, and the config.
    Admin,
}

/// Which role follows from the groups that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// By group.
    pub of_groups: BTreeMap<String, Role>,
    /// Of whom no group gives one; `None`: they are not let in.
    pub of_others: Option<Role>,
}

impl Roles {
    /// The highest that one of the groups gives.
    #[must_use]
    pub fn of<'a>(&self, groups: impl IntoIterator<Item = &'a str>) -> Option<Role> {
        groups.into_iter().filter_map(|group| self.of_groups.get(group).copied()).max().or(self.of_others)
    }
}

/// What whoever signs in by a one-time link is called; no user can be.
pub const OWNER: &str = "owner";

/// A local user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name to sign in with.
    pub name: String,
    /// argon2id, PHC format.
    pub password_hash: Secret,
    /// What they may do.
    pub role: Role,
}

/// A proxy that has already signed people in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyAuth {
    /// Header with the user's name, lower case.
    pub header: String,
    /// Header with the user's groups, lower case; `None`: everybody is one of the others.
    pub groups_header: Option<String>,
    /// What they may do.
    pub roles: Roles,
    /// Addresses from which it is believed.
    pub from: Vec<IpNet>,
}

/// A provider of identities at which people sign in, by OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcAuth {
    /// Who speaks, exactly as the provider writes it.
    pub issuer: String,
    /// What people call it.
    pub name: String,
    /// What it calls us.
    pub client_id: String,
    /// By which it knows us; `None` for a public client.
    pub client_secret: Option<Secret>,
    /// What is asked for; `openid` is among it.
    pub scopes: Vec<String>,
    /// Claim with the groups, or a path to it with dots.
    pub groups_claim: String,
    /// Who may sign in.
    pub allowed: Allowed,
    /// What they may do.
    pub roles: Roles,
}

/// Whom of those that a provider knows may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// All of them.
    Everyone,
    /// Whoever is in one of the groups, or has a verified address in one of the domains, which are in lower case.
    Listed {
        /// As the provider writes them.
        groups: Vec<String>,
        /// What comes after the `@`.
        domains: Vec<String>,
    },
}

/// A token for the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token, 64 hex digits.
    pub hash: Secret,
    /// What it may do.
    pub scope: Scope,
}

/// What an API token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What viewers may.
    Read,
    /// What operators may.
    Write,
    /// What admins may.
    Admin,
}

impl Scope {
    /// The role that stands for it.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Scope::Read => Role::Viewer,
            Scope::Write => Role::Operator,
            Scope::Admin => Role::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_of_all_groups_counts() {
        let of_groups =
            BTreeMap::from([("sre".to_owned(), Role::Admin), ("dev".to_owned(), Role::Operator), ("all".to_owned(), Role::Viewer)]);
        let roles = |of_others| Roles { of_groups: of_groups.clone(), of_others };
        for (groups, of_others, expected) in [
            (&["all", "sre", "dev"][..], None, Some(Role::Admin)),
            (&["dev", "all"], Some(Role::Viewer), Some(Role::Operator)),
            (&["all"], Some(Role::Admin), Some(Role::Viewer)),
            (&["SRE", "sre "], Some(Role::Viewer), Some(Role::Viewer)),
            (&["other"], None, None),
            (&[], None, None),
        ] {
            assert_eq!(roles(of_others).of(groups.iter().copied()), expected, "{groups:?}");
        }
    }
}
