//! What counts of what is said, and what follows from it.

use serde_json::json;

use super::*;
use crate::config::Roles;
use crate::http::oidc::tests::oidc;

const NOW_S: i64 = 1_700_000_000;

fn good() -> Value {
    json!({
        "iss": "https://login.example.com", "aud": "vigilmon", "sub": "42", "nonce": "n",
        "exp": NOW_S + 300, "iat": NOW_S, "preferred_username": "ada",
    })
}

fn checked(claims: &Value) -> Result<(), BadClaims> {
    let expected = Expected { issuer: "https://login.example.com", client_id: "vigilmon", nonce: "n", now: UnixMillis(NOW_S * 1000) };
    check(claims, &expected)
}

#[test]
fn what_was_said_by_others_to_others_or_at_another_time_does_not_count() {
    assert_eq!(checked(&good()), Ok(()));
    for (name, value, expected) in [
        ("iss", json!("https://login.example.com/"), Err(BadClaims::Issuer)),
        ("iss", json!("https://evil.example"), Err(BadClaims::Issuer)),
        ("iss", json!(null), Err(BadClaims::Issuer)),
        ("aud", json!("other"), Err(BadClaims::Audience)),
        ("aud", json!(["vigilmon"]), Ok(())),
        ("aud", json!(["vigilmon", "other"]), Err(BadClaims::Audience)),
        ("aud", json!([]), Err(BadClaims::Audience)),
        ("aud", json!({ "vigilmon": true }), Err(BadClaims::Audience)),
        ("aud", json!(null), Err(BadClaims::Audience)),
        ("azp", json!("vigilmon"), Ok(())),
        ("azp", json!("other"), Err(BadClaims::Audience)),
        ("azp", json!(null), Err(BadClaims::Audience)),
        ("exp", json!(NOW_S - 59), Ok(())),
        ("exp", json!(NOW_S - 60), Err(BadClaims::Expired)),
        ("exp", json!(0), Err(BadClaims::Expired)),
        ("exp", json!(i64::MIN), Err(BadClaims::Expired)),
        ("exp", json!("never"), Err(BadClaims::Expired)),
        ("exp", json!(null), Err(BadClaims::Expired)),
        ("iat", json!(NOW_S + 60), Ok(())),
        ("iat", json!(NOW_S + 61), Err(BadClaims::Early)),
        ("iat", json!(1e300), Err(BadClaims::Early)),
        ("iat", json!(null), Err(BadClaims::Early)),
        ("nbf", json!(NOW_S + 60), Ok(())),
        ("nbf", json!(NOW_S + 3600), Err(BadClaims::Early)),
        ("nonce", json!("other"), Err(BadClaims::Nonce)),
        ("nonce", json!(""), Err(BadClaims::Nonce)),
        ("nonce", json!(null), Err(BadClaims::Nonce)),
        ("sub", json!(""), Err(BadClaims::Subject)),
        ("sub", json!("x".repeat(257)), Err(BadClaims::Subject)),
        ("sub", json!(42), Err(BadClaims::Subject)),
    ] {
        let mut claims = good();
        claims[name] = value.clone();
        assert_eq!(checked(&claims), expected, "{name}: {value}");
    }
    let mut several = good();
    (several["aud"], several["azp"]) = (json!(["other", "vigilmon"]), json!("vigilmon"));
    assert_eq!(checked(&several), Ok(()));
    for missing in ["iss", "aud", "exp", "iat", "nonce", "sub"] {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(missing);
        assert!(checked(&claims).is_err(), "{missing}");
    }
    assert!(checked(&json!([])).is_err() && checked(&json!(null)).is_err());
}

#[test]
fn people_are_called_what_can_be_shown_and_never_like_somebody_of_ours() {
    let name = |claims: Value| person(&claims, &oidc(), |name| name == "ops").map(|person| person.name);
    for (claims, expected) in [
        (json!({ "sub": "42", "preferred_username": "ada", "email": "a@b.c" }), "ada"),
        (json!({ "sub": "42", "preferred_username": "a\u{202e}da", "email": "a@b.c" }), "a@b.c"),
        (json!({ "sub": "42", "preferred_username": "x".repeat(5000) }), "42"),
        (json!({ "sub": "42", "preferred_username": 7, "name": "Ada L." }), "Ada L."),
        (json!({ "sub": "42", "preferred_username": "ops" }), "ops (Acme)"),
        (json!({ "sub": "owner" }), "owner (Acme)"),
        (json!({ "sub": "\u{7}" }), "somebody"),
    ] {
        assert_eq!(name(claims.clone()).as_deref(), Some(expected), "{claims}");
    }
    assert_eq!(name(json!({ "preferred_username": "ada" })), None);
}

#[test]
fn groups_are_found_by_name_or_by_path() {
    let read = |claims: Value, claim: &str| {
        let oidc = OidcAuth { groups_claim: claim.to_owned(), ..oidc() };
        person(&claims, &oidc, |_| false).unwrap().said.groups.join(" ")
    };
    assert_eq!(read(json!({ "sub": "1", "groups": ["a", 1, "", "b"] }), "groups"), "a b");
    assert_eq!(read(json!({ "sub": "1", "groups": "a" }), "groups"), "a");
    assert_eq!(read(json!({ "sub": "1", "realm_access": { "roles": ["a"] } }), "realm_access.roles"), "a");
    assert_eq!(read(json!({ "sub": "1", "https://x.example/groups": ["a"] }), "https://x.example/groups"), "a");
    assert_eq!(read(json!({ "sub": "1", "groups": { "a": true } }), "groups"), "");
    assert_eq!(read(json!({ "sub": "1" }), "groups"), "");
    let many: Vec<String> = (0..1000).map(|n| format!("g{n}")).collect();
    assert_eq!(read(json!({ "sub": "1", "groups": many }), "groups").split(' ').count(), GROUPS_MAX);
}

#[test]
fn the_user_info_is_asked_for_what_the_config_looks_at_only() {
    let of_groups = oidc().roles;
    let no_groups = Roles { of_groups: std::collections::BTreeMap::new(), of_others: Some(Role::Viewer) };
    let listed = |groups: &[&str], domains: &[&str]| Allowed::Listed {
        groups: groups.iter().map(ToString::to_string).collect(),
        domains: domains.iter().map(ToString::to_string).collect(),
    };
    let (named, anonymous) = (json!({ "sub": "1", "preferred_username": "ada" }), json!({ "sub": "1" }));
    for (claims, allowed, roles, expected) in [
        (&named, Allowed::Everyone, &no_groups, true),
        (&named, Allowed::Everyone, &of_groups, false),
        (&named, listed(&["staff"], &[]), &no_groups, false),
        (&named, listed(&[], &["example.com"]), &no_groups, false),
        (&anonymous, Allowed::Everyone, &no_groups, false),
        (&json!({ "sub": "1", "name": "Ada", "groups": [] }), listed(&["staff"], &[]), &of_groups, true),
        (&json!({ "sub": "1", "email": "ada@example.com" }), listed(&[], &["example.com"]), &no_groups, true),
    ] {
        let oidc = OidcAuth { allowed: allowed.clone(), roles: roles.clone(), ..oidc() };
        assert_eq!(suffice(claims, &oidc), expected, "{claims}, {allowed:?}, {roles:?}");
    }
}

#[test]
fn who_may_come_in_is_said_by_groups_or_by_a_verified_address() {
    let listed = || Allowed::Listed { groups: vec!["staff".to_owned()], domains: vec!["example.com".to_owned()] };
    let everybody = Roles { of_others: Some(Role::Viewer), ..oidc().roles };
    for (claims, expected) in [
        (json!({ "groups": ["staff"] }), Some(Role::Viewer)),
        (json!({ "groups": ["staff", "sre"] }), Some(Role::Admin)),
        (json!({ "groups": ["sre"] }), None),
        (json!({ "email": "ada@Example.COM", "email_verified": true }), Some(Role::Viewer)),
        (json!({ "email": "ada@example.com", "email_verified": "true" }), Some(Role::Viewer)),
        (json!({ "email": "ada@example.com", "email_verified": false }), None),
        (json!({ "email": "ada@example.com" }), None),
        (json!({ "email": "ada@example.com@evil.example", "email_verified": true }), None),
        (json!({ "email": "ada@sub.example.com", "email_verified": true }), None),
        (json!({ "email": "example.com", "email_verified": true }), None),
        (json!({}), None),
    ] {
        let mut claims = claims.clone();
        claims["sub"] = json!("42");
        let said = person(&claims, &oidc(), |_| false).unwrap().said;
        let with = |allowed| role(&said, &OidcAuth { allowed, roles: everybody.clone(), ..oidc() });
        assert_eq!(with(listed()), expected, "{claims}");
        assert!(with(Allowed::Everyone).is_some(), "{claims}");
        let kept: Said = serde_json::from_str(&serde_json::to_string(&said).unwrap()).unwrap();
        assert_eq!(kept, said, "a session keeps it as it was");
    }
}
