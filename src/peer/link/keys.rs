//! Whose key is whose: derived from the cluster's secret and the node's name, or given.
//!
//! With derived keys nothing has to be distributed and both sides still prove who they are; one stolen node can then speak for
//! all. A `key` of its own for each node removes that.

use data_encoding::BASE64;
use data_encoding::BASE64_NOPAD;
use ring::hkdf;
use ring::signature::Ed25519KeyPair;
use ring::signature::KeyPair;

use crate::config::Peers;
use crate::model::id::NodeName;
use crate::model::peer::Node;
use crate::model::peer::PublicKey;
use crate::model::secret::Secret;

/// SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// PKCS #8 of an Ed25519 seed up to the seed itself (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A private key: the seed of RFC 8032. Never printed.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The seed of a node under a cluster's secret.
    #[must_use]
    pub fn derived(secret: &Secret, node: &NodeName) -> Seed {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"vigilmon peer");
        let info = format!("node:{node}");
        let mut bytes = [0; 32];
        let root = salt.extract(secret.reveal_for_use().as_bytes());
        // 32 bytes are what this hash gives in one go; more than 255 times that would be an error.
        if root.expand(&[info.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut bytes)).is_err() {
            bytes = [0; 32];
        }
        Seed(bytes)
    }

    /// The seed in base64, as `peers.private_key` has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Seed> {
        decode(text.trim()).map(Seed)
    }

    /// A new one, and its text.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<(Seed, String), getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok((Seed(bytes), BASE64.encode(&bytes)))
    }

    /// Its public key; `None` cannot happen with 32 bytes.
    #[must_use]
    pub fn public(&self) -> Option<PublicKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.0).ok()?;
        pair.public_key().as_ref().try_into().ok().map(PublicKey)
    }

    /// In the form TLS wants.
    pub(super) fn pkcs8(&self) -> Vec<u8> {
        PKCS8_PREFIX.iter().chain(&self.0).copied().collect()
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()?.try_into().ok()
}

/// The text of a public key, as in `key:`.
#[must_use]
pub fn key_text(key: PublicKey) -> String {
    format!("ed25519:{}", BASE64.encode(&key.0))
}

/// A public key of its text.
///
/// # Errors
/// One sentence.
pub fn parse_key(text: &str) -> Result<PublicKey, String> {
    let wrong = || format!("`{text}` is not a public key; it is `ed25519:` and 44 characters of base64, as `vigilmon peer id` prints it");
    text.strip_prefix("ed25519:").and_then(decode).map(PublicKey).ok_or_else(wrong)
}

/// The key as it stands in a handshake (RFC 7250).
pub(super) fn spki(key: PublicKey) -> Vec<u8> {
    SPKI_PREFIX.iter().chain(&key.0).copied().collect()
}

/// This node's private key.
#[must_use]
pub fn own_seed(peers: &Peers) -> Option<Seed> {
    let has_own = peers.node(&peers.me).is_some_and(|node| node.key.is_some());
    if has_own {
        return peers.private_key.as_ref().and_then(|text| Seed::parse(text.reveal_for_use()));
    }
    peers.secrets.first().map(|secret| Seed::derived(secret, &peers.me))
}

/// The public key under which a node is known: its own, or the one derived from the first secret.
#[must_use]
pub fn public_key(peers: &Peers, node: &Node) -> Option<PublicKey> {
    accepted(peers, node).into_iter().next()
}

/// All public keys that a node may present: its own, or one of every secret, so that secrets can be changed one node at a time.
#[must_use]
pub fn accepted(peers: &Peers, node: &Node) -> Vec<PublicKey> {
    match node.key {
        Some(key) => vec![key],
        None => peers.secrets.iter().filter_map(|secret| Seed::derived(secret, &node.name).public()).collect(),
    }
}
