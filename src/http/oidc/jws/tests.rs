//! Which tokens are taken and which are not.

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::EcdsaKeyPair;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;
use serde_json::json;

use super::*;

/// A public key of 2048 bits whose private half is lost.
const RSA_N: &str = concat!(
    "ohQuPBKvC49q3eVdsnrOIZ9VNMsAknGRQjjp19llzm0ZVueI0i_-POgiZJzNxqHpkjufT50mCOatQqyMSfg2zx1d4_Te56hAnK5SC5dVZzAHh_",
    "saeR_QIZtCZhVrorn5dEafRTq7WHg50qgEp82BfW3RSCg9nkeNKu0lODTxzzXtDGdg1ro6yW20Bs4IolJOtNqEgtRIhs15DFIdQDK7Gax29WaR",
    "G5xQZXrBnnHc6vz2SKdRRFGSEEbO3QCMWZN4tutdINi5pwJGTyv3I5eMjV6shyJsVWmZZgZsuw3hliCNO7jqqWSgfb5YdSzl4t44afP8UGbztc",
    "yPdGYqVZNjtw",
);

/// `{"alg":"RS256","kid":"rsa"}` and `{"sub":"ada"}`, signed by it.
const RSA_TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJzdWIiOiJhZGEifQ.jnJgrN3Hw6E00sXrrEh6vGNqfUOl-",
    "mFNJKMcP_0df3DTp7-NQzry5wvT2RAD91gRt5Hz-aabv1WC06s-",
    "v7IUoATcNypQbBrL0tTLNsB02t_xjQFDXCMs_GsX4A2brwRgRCUIJRRvykM9k_l5LAMXhwFXk80kYy7bfEYXGmz6AUrGGfuxn567n0a-",
    "fTwHgsftf3MXSOcBsX78U_u5KCweSKFR5-0dA72Sm9J06_jmMdHoX-",
    "RfNU0fza88VKpGdtSbZhlcQHKR4d733H05YxwJtN_nSP-m8iSxqv2Bf1nxzn1AuOOGsnLQTOMnQ314uPEJEoO2_Ul6sUaZk7OYmG_MLw",
);

/// A key to sign with, as it would be at a provider.
pub enum Signer {
    /// For ES256.
    P256(EcdsaKeyPair),
    /// For EdDSA.
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// A new key.
    #[must_use]
    pub fn p256() -> Signer {
        let (kind, random) = (&ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let written = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Signer::P256(EcdsaKeyPair::from_pkcs8(kind, written.as_ref(), &random).unwrap())
    }

    /// A new key.
    #[must_use]
    pub fn ed25519() -> Signer {
        let written = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer::Ed25519(Ed25519KeyPair::from_pkcs8(written.as_ref()).unwrap())
    }

    fn jwk(&self, id: &str) -> Value {
        match self {
            Signer::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256", "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Signer::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(pair.public_key().as_ref()) }),
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        let signed = match self {
            Signer::P256(pair) => pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
            Signer::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", text(&signed))
    }
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn keys(listed: &[Value]) -> Keys {
    Keys::read(&json!({ "keys": listed }))
}

fn rsa_jwk() -> Value {
    json!({ "kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": RSA_N, "e": "AQAB" })
}

#[test]
fn each_of_the_three_algorithms_is_checked() {
    let (p256, ed25519) = (Signer::p256(), Signer::ed25519());
    let keys = keys(&[rsa_jwk(), p256.jwk("p"), ed25519.jwk("e")]);
    let claims = json!({ "sub": "ada" });
    assert_eq!(verified(RSA_TOKEN, &keys), Ok(claims.clone()));
    for (signer, alg, kid) in [(&p256, "ES256", Some("p")), (&ed25519, "EdDSA", Some("e")), (&p256, "ES256", None)] {
        let token = signer.sign(&json!({ "alg": alg, "kid": kid }), &claims);
        assert_eq!(verified(&token, &keys), Ok(claims.clone()), "{alg} {kid:?}");
    }
}

#[test]
fn a_token_without_a_signature_or_signed_by_a_public_key_is_refused() {
    let signer = Signer::p256();
    let (p, rsa) = (signer.jwk("p"), rsa_jwk());
    let keys = keys(&[p.clone(), rsa.clone()]);
    let part = |value: &Value| text(value.to_string().as_bytes());
    let claims = json!({ "sub": "root" });
    for alg in ["none", "None", "NONE", ""] {
        let message = format!("{}.{}", part(&json!({ "alg": alg })), part(&claims));
        for signed in ["", "AA"] {
            assert_eq!(verified(&format!("{message}.{signed}"), &keys), Err(BadToken::Algorithm), "{alg}");
        }
    }
    // What is public as the shared secret, in every way in which it is written.
    let secrets = [p.to_string(), rsa.to_string(), RSA_N.to_owned(), p["x"].as_str().unwrap().to_owned()];
    for (alg, kid) in [("HS256", "p"), ("HS256", "rsa"), ("HS512", "rsa"), ("PS256", "rsa"), ("ES384", "p")] {
        for secret in &secrets {
            let message = format!("{}.{}", part(&json!({ "alg": alg, "kid": kid })), part(&claims));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
            assert_eq!(verified(&format!("{message}.{}", text(tag.as_ref())), &keys), Err(BadToken::Algorithm), "{alg}");
        }
    }
}

#[test]
fn a_key_is_for_its_own_algorithm_and_for_signing_only() {
    let signer = Signer::p256();
    let token = signer.sign(&json!({ "alg": "ES256", "kid": "p" }), &json!({}));
    let with = |key: &str, value: &str| {
        let mut jwk = signer.jwk("p");
        jwk[key] = json!(value);
        keys(&[jwk])
    };
    assert_eq!(verified(&token, &with("use", "sig")), Ok(json!({})));
    for (key, value) in [("use", "enc"), ("alg", "ES384"), ("crv", "P-384"), ("kty", "RSA"), ("kid", "q"), ("x", "AAAA")] {
        assert_eq!(verified(&token, &with(key, value)), Err(BadToken::UnknownKey), "{key} {value}");
    }
    let pretends = signer.sign(&json!({ "alg": "RS256", "kid": "p" }), &json!({}));
    assert_eq!(verified(&pretends, &keys(&[signer.jwk("p")])), Err(BadToken::UnknownKey));
}

#[test]
fn a_key_that_is_not_listed_yet_is_told_apart_from_a_forgery() {
    let (old, new) = (Signer::ed25519(), Signer::ed25519());
    let token = new.sign(&json!({ "alg": "EdDSA", "kid": "new" }), &json!({ "sub": "ada" }));
    assert_eq!(verified(&token, &keys(&[old.jwk("old")])), Err(BadToken::UnknownKey));
    assert_eq!(verified(&token, &keys(&[old.jwk("new")])), Err(BadToken::Signature));
    assert_eq!(verified(&token, &keys(&[old.jwk("old"), new.jwk("new")])), Ok(json!({ "sub": "ada" })));
    assert_eq!(verified(&token, &Keys::default()), Err(BadToken::UnknownKey));
}

#[test]
fn what_was_changed_or_is_no_token_is_refused() {
    let signer = Signer::p256();
    let keys = keys(&[signer.jwk("p")]);
    let good = signer.sign(&json!({ "alg": "ES256", "kid": "p" }), &json!({ "sub": "ada" }));
    let parts: Vec<&str> = good.split('.').collect();
    let other = text(json!({ "sub": "root" }).to_string().as_bytes());
    assert_eq!(verified(&format!("{}.{other}.{}", parts[0], parts[2]), &keys), Err(BadToken::Signature));
    assert_eq!(verified(&format!("{}.{}.", parts[0], parts[1]), &keys), Err(BadToken::Signature));
    let critical = signer.sign(&json!({ "alg": "ES256", "kid": "p", "crit": ["b64"], "b64": false }), &json!({}));
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    for bad in ["", ".", "..", "a.b.c", "e30.e30.", &format!("{good}.{good}"), &format!("{good}="), &critical, &long] {
        assert_eq!(verified(bad, &keys), Err(BadToken::Malformed), "{bad}");
    }
}

#[test]
fn lists_of_keys_that_are_nonsense_have_none() {
    for nonsense in
        [json!(null), json!([]), json!({ "keys": {} }), json!({ "keys": [1, {}, { "kty": "RSA" }, { "kty": "oct", "k": "AAAA" }] })]
    {
        assert!(Keys::read(&nonsense).is_empty(), "{nonsense}");
    }
    let many: Vec<Value> = (0..200).map(|_| rsa_jwk()).collect();
    assert_eq!(keys(&many).0.len(), KEYS_MAX);
}
