//! By what a heartbeat is pinged: derived from a secret and its id, unless the config gives it.
//!
//! So nothing secret has to be in the config, and all nodes of a cluster derive the same: there the secret is that of the peers, alone it
//! is the instance's. Another `generation` gives other ones.

use data_encoding::BASE32_NOPAD;
use data_encoding::HEXLOWER;
use ring::hmac;

use crate::config::Config;
use crate::model::heartbeat::HeartbeatSpec;
use crate::model::id::MonitorId;
use crate::model::secret::Secret;

/// What the key for heartbeats is derived for; another purpose gets another text, and so another key.
const PURPOSE: &[u8] = b"vigilmon heartbeats";

/// Bytes of a token: 160 bits are 32 characters of base 32.
const TOKEN_BYTES: usize = 20;

/// Characters of a ping key, as many as those of healthchecks have; 110 bits.
const PING_KEY_CHARS: usize = 22;

/// Derives what heartbeats are pinged by.
#[derive(Debug, Clone)]
pub struct Root(hmac::Key);

/// By what one heartbeat is pinged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// In `/heartbeat/<token>`.
    pub token: Secret,
    /// In `/ping/<uuid>`.
    pub uuid: Secret,
    /// In `/ping/<key>/<slug>`.
    pub ping_key: Secret,
    /// In `/ping/<key>/<slug>`.
    pub slug: String,
}

impl Root {
    /// From a secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Root {
        let whole = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal_for_use().as_bytes());
        Root(hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&whole, PURPOSE).as_ref()))
    }

    fn derive(&self, what: &str, generation: u32, id: &str) -> [u8; 32] {
        // Neither words nor ids have such a byte in them.
        let tag = hmac::sign(&self.0, format!("{what}\0{generation}\0{id}").as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&tag.as_ref()[..32]);
        bytes
    }

    /// The names of a heartbeat. `ping_key` is the one that the config gives, if it does.
    #[must_use]
    pub fn names(&self, id: &MonitorId, spec: &HeartbeatSpec, ping_key: Option<&Secret>) -> Names {
        let identity = &spec.identity;
        let generation = identity.generation;
        Names {
            token: identity.token.clone().unwrap_or_else(|| self.token(id, generation)),
            uuid: identity.uuid.clone().unwrap_or_else(|| self.uuid(id, generation)),
            ping_key: ping_key.cloned().unwrap_or_else(|| self.ping_key(generation)),
            slug: identity.slug.clone(),
        }
    }

    fn token(&self, id: &MonitorId, generation: u32) -> Secret {
        Secret::new(lower(&self.derive("token", generation, id.as_str())[..TOKEN_BYTES]))
    }

    /// Shaped as RFC 9562 wants random ones: version 4, variant 10.
    fn uuid(&self, id: &MonitorId, generation: u32) -> Secret {
        let mut bytes = self.derive("uuid", generation, id.as_str());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = HEXLOWER.encode(&bytes[..16]);
        Secret::new(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
    }

    /// The key below which the slugs of heartbeats of this generation are.
    #[must_use]
    pub fn ping_key(&self, generation: u32) -> Secret {
        let mut text = lower(&self.derive("ping key", generation, ""));
        text.truncate(PING_KEY_CHARS);
        Secret::new(text)
    }
}

/// Lower case: mail systems and people change the case of letters.
fn lower(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// The roots that count, the one that is printed first: while the secret of a cluster is changed there are two.
#[must_use]
pub fn roots(config: &Config, instance: &Secret) -> Vec<Root> {
    let shared: Vec<Root> = config.peers.iter().flat_map(|peers| &peers.secrets).map(Root::new).collect();
    if shared.is_empty() { vec![Root::new(instance)] } else { shared }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::heartbeat::Identity;
    use crate::model::heartbeat::is_uuid;

    #[test]
    fn names_are_the_same_everywhere_and_differ_by_secret_id_and_generation() {
        let names = |secret: &str, id: &str, generation: u32| {
            let root = Root::new(&Secret::new(secret));
            let id = MonitorId::parse(id).expect("an id");
            let uuid = root.uuid(&id, generation);
            assert!(is_uuid(uuid.reveal_for_use()) && uuid.reveal_for_use().as_bytes()[14] == b'4');
            let identity = Identity { token: None, uuid: None, slug: "x".to_owned(), generation };
            (root.token(&id, identity.generation), uuid, root.ping_key(generation))
        };
        let base = names("one", "nightly", 1);
        assert_eq!(base, names("one", "nightly", 1));
        assert_eq!((base.0.reveal_for_use().len(), base.2.reveal_for_use().len()), (32, 22));
        for other in [names("two", "nightly", 1), names("one", "nightly", 2)] {
            assert!(base.0 != other.0 && base.1 != other.1 && base.2 != other.2);
        }
        let sibling = names("one", "hourly", 1);
        assert!(base.0 != sibling.0 && base.1 != sibling.1 && base.2 == sibling.2);
    }
}
