//! Signed tokens (RFC 7515) and the keys that they are signed with (RFC 7517).
//!
//! Which algorithm a token is checked by is said by the key and never by the token alone: a token that names another one than the
//! key is for has no key here. Of the algorithms there are three, and all are of the kind where who checks cannot sign; `none` and
//! those with a shared key do not exist.

use data_encoding::BASE64URL_NOPAD;
use ring::signature;
use ring::signature::RsaPublicKeyComponents;
use ring::signature::UnparsedPublicKey;
use serde::Deserialize;
use serde_json::Value;

/// Longest token that is looked at; with hundreds of groups they have some kilobytes.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Keys of one provider; they have two or three. Of more the first are taken.
const KEYS_MAX: usize = 64;

/// Bytes of a coordinate on P-256, and of a public key on Ed25519.
const CURVE_BYTES: usize = 32;

/// Why a token says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It does not have the form of one.
    #[error("it is not a signed token")]
    Malformed,
    /// It is signed in a way that is not accepted.
    #[error("it is signed by an algorithm other than RS256, ES256 and EdDSA")]
    Algorithm,
    /// The provider has no such key, or none any more or yet.
    #[error("it is signed by a key that the provider does not list")]
    UnknownKey,
    /// Somebody else signed it, or changed it afterwards.
    #[error("its signature does not fit")]
    Signature,
}

/// Keys that a provider signs with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    /// For RS256.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// For ES256: an uncompressed point.
    P256(Vec<u8>),
    /// For EdDSA.
    Ed25519(Vec<u8>),
}

/// A key as it is written.
#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Keys {
    /// Reads what a provider lists. Keys of other kinds and for other purposes are left out.
    #[must_use]
    pub fn read(listed: &Value) -> Keys {
        let listed = listed.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Keys(listed.iter().filter_map(|jwk| Jwk::deserialize(jwk).ok()?.key()).take(KEYS_MAX).collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Jwk {
    fn key(self) -> Option<Key> {
        let bytes = |text: &Option<String>| BASE64URL_NOPAD.decode(text.as_deref()?.as_bytes()).ok();
        let on_curve = |text: &Option<String>| bytes(text).filter(|bytes| bytes.len() == CURVE_BYTES);
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => Material::Rsa { n: without_zeros(bytes(&self.n)?), e: without_zeros(bytes(&self.e)?) },
            ("EC", Some("P-256")) => Material::P256([vec![4], on_curve(&self.x)?, on_curve(&self.y)?].concat()),
            ("OKP", Some("Ed25519")) => Material::Ed25519(on_curve(&self.x)?),
            _ => return None,
        };
        let is_for_signing = self.used_for.is_none_or(|used_for| used_for == "sig");
        let is_for_this = self.alg.is_none_or(|alg| alg == material.algorithm());
        (is_for_signing && is_for_this).then_some(Key { id: self.kid, material })
    }
}

impl Material {
    fn algorithm(&self) -> &'static str {
        match self {
            Material::Rsa { .. } => "RS256",
            Material::P256(_) => "ES256",
            Material::Ed25519(_) => "EdDSA",
        }
    }

    fn has_signed(&self, message: &[u8], signed: &[u8]) -> bool {
        match self {
            // Keys below 2048 bits are refused in there.
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signed).is_ok()
            }
            Material::P256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signed).is_ok(),
            Material::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signed).is_ok(),
        }
    }
}

/// What a token says, if one of these keys has signed it. Whether it was said to us and now is for `claims` to find out.
///
/// # Errors
/// [`BadToken`].
pub fn verified(token: &str, keys: &Keys) -> Result<Value, BadToken> {
    if TOKEN_BYTES_MAX < token.len() {
        return Err(BadToken::Malformed);
    }
    let (message, signed) = token.rsplit_once('.').ok_or(BadToken::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(BadToken::Malformed)?;
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| BadToken::Malformed);
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| BadToken::Malformed)?;
    // Whatever it is that has to be understood, it is not.
    if header.crit.is_some() {
        return Err(BadToken::Malformed);
    }
    if !matches!(header.alg.as_str(), "RS256" | "ES256" | "EdDSA") {
        return Err(BadToken::Algorithm);
    }
    let (payload, signed) = (bytes(payload)?, bytes(signed)?);
    let fits = |key: &&Key| key.material.algorithm() == header.alg && (header.kid.is_none() || key.id == header.kid);
    let mut candidates = keys.0.iter().filter(fits).peekable();
    if candidates.peek().is_none() {
        return Err(BadToken::UnknownKey);
    }
    if !candidates.any(|key| key.material.has_signed(message.as_bytes(), &signed)) {
        return Err(BadToken::Signature);
    }
    serde_json::from_slice(&payload).map_err(|_| BadToken::Malformed)
}

/// Numbers may be written with zeros in front, which the arithmetic does not take.
fn without_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let n_zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..n_zeros);
    number
}

#[cfg(test)]
pub mod tests;
