//! The pieces of the way to a provider and back that need no provider; the whole way is in `tests/sign_in.rs`.

use std::collections::BTreeMap;

use super::*;
use crate::config::Allowed;
use crate::config::Role;
use crate::config::Roles;

/// A provider as the config has it: groups say who may do what, nobody else is let in.
#[must_use]
pub fn oidc() -> OidcAuth {
    let of_groups = BTreeMap::from([("sre".to_owned(), Role::Admin), ("dev".to_owned(), Role::Operator)]);
    OidcAuth {
        issuer: "https://login.example.com".to_owned(),
        name: "Acme".to_owned(),
        client_id: "vigilmon".to_owned(),
        client_secret: None,
        scopes: vec!["openid".to_owned()],
        groups_claim: "groups".to_owned(),
        allowed: Allowed::Everyone,
        roles: Roles { of_groups, of_others: None },
    }
}

#[test]
fn what_comes_twice_in_the_address_is_believed_in_neither_form() {
    let returned = Returned::read("state=a&code=b%20c&session_state=x&iss=https%3A%2F%2Flogin.example.com").unwrap();
    assert_eq!((returned.state.as_deref(), returned.code.as_deref()), (Some("a"), Some("b c")));
    assert_eq!((returned.error, returned.issuer.as_deref()), (None, Some("https://login.example.com")));
    for twice in ["state=a&state=a", "code=a&state=x&code=b", "error=a&error=b", "iss=a&iss=a"] {
        assert!(Returned::read(twice).is_none(), "{twice}");
    }
}

#[test]
fn every_stop_is_said_in_words_of_our_own() {
    for stop in [Stop::Stale, Stop::Denied, Stop::Unreachable, Stop::Confused, Stop::NotAllowed, Stop::Busy, Stop::Internal] {
        assert!(stop.status().is_client_error() || stop.status().is_server_error(), "{stop:?}");
        assert!(stop.text("Acme").ends_with('.'), "{stop:?}");
        // What only we or a provider that is away can be blamed for is nobody's attempt; what the provider said is one.
        assert_eq!(stop.is_no_attempt(), stop.status().is_server_error() && stop != Stop::Confused, "{stop:?}");
    }
}
