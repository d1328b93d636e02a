//! Whose token, UUID or slug this is. Made anew with every config.
//!
//! What is looked for is hashed with a key that nobody knows before it is compared, so that how long a look takes says nothing about how
//! near a guess was.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use ring::hmac;

use crate::config::Config;
use crate::http::heartbeat::identity::Names;
use crate::http::heartbeat::identity::roots;
use crate::http::heartbeat::path::Who;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::secret::Secret;

type Digest = [u8; 32];

/// All heartbeats of a config by what they are called.
#[derive(Debug)]
pub struct Directory {
    key: hmac::Key,
    known: HashMap<Digest, Arc<Monitor>>,
    /// Keys below which slugs may be.
    ping_keys: HashSet<Digest>,
}

impl Directory {
    /// Of this config. `key` is random, and never leaves the process.
    #[must_use]
    pub fn new(config: &Config, instance: &Secret, key: hmac::Key) -> Directory {
        let mut directory = Directory { key, known: HashMap::new(), ping_keys: HashSet::new() };
        let given = config.heartbeats.ping_key.as_ref();
        for root in roots(config, instance) {
            let first = given.cloned().unwrap_or_else(|| root.ping_key(1));
            directory.ping_keys.insert(digest(&directory.key, "key", first.reveal_for_use()));
            for monitor in &config.monitors {
                let Some(spec) = monitor.heartbeat() else { continue };
                let Names { token, uuid, ping_key, slug } = root.names(&monitor.id, spec, given);
                directory.ping_keys.insert(digest(&directory.key, "key", ping_key.reveal_for_use()));
                let slug = format!("{} {slug}", ping_key.reveal_for_use());
                for (kind, text) in [("token", token.reveal_for_use()), ("uuid", uuid.reveal_for_use()), ("slug", slug.as_str())] {
                    let name = digest(&directory.key, kind, text);
                    directory.known.entry(name).or_insert_with(|| Arc::clone(monitor));
                }
            }
        }
        directory
    }

    /// The heartbeat that is meant. `bearer` is the token of the `Authorization` header.
    #[must_use]
    pub fn find(&self, who: &Who, bearer: Option<&str>) -> Option<&Arc<Monitor>> {
        let (kind, text) = match who {
            Who::Token(token) => ("token", token.clone()),
            Who::Uuid(uuid) => ("uuid", uuid.clone()),
            Who::Slug { key, slug } => ("slug", format!("{key} {slug}")),
            Who::Bearer => ("token", bearer.unwrap_or_default().to_owned()),
            Who::Nobody | Who::Malformed => return None,
        };
        self.known.get(&digest(&self.key, kind, &text))
    }

    /// What could be created at this address: a slug that nobody has, below a ping key that counts.
    #[must_use]
    pub fn vacant(&self, who: &Who) -> Option<MonitorId> {
        match who {
            Who::Slug { key, slug } if self.ping_keys.contains(&digest(&self.key, "key", key)) => MonitorId::parse(slug).ok(),
            Who::Slug { .. } | Who::Token(_) | Who::Uuid(_) | Who::Bearer | Who::Nobody | Who::Malformed => None,
        }
    }
}

fn digest(key: &hmac::Key, kind: &str, text: &str) -> Digest {
    let tag = hmac::sign(key, format!("{kind} {text}").as_bytes());
    let mut digest = [0; 32];
    digest.copy_from_slice(&tag.as_ref()[..32]);
    digest
}
