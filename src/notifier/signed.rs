//! Signed links: whoever got a message can acknowledge its incident and silence its monitor without signing in. Pure.
//!
//! A token names the incident and the channel by which it went out, and carries a tag that only who knows the secret can make. Nothing has to
//! be kept for it, all nodes of a cluster take it, and it is worth nothing once the incident is over. It is not secret in the way a password
//! is, because everybody who reads the channel has it; still it is never logged.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::config::Config;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::notification::ServiceId;
use crate::model::secret::Secret;

/// What the key for links in messages is derived for; another purpose gets another text, and so another key.
const PURPOSE: &[u8] = b"vigilmon links in messages";

/// The same for subscriptions to status pages.
const SUBSCRIPTIONS: &[u8] = b"vigilmon subscriptions to pages";

/// The same for marks of places where alarms were opened.
const PLACES: &[u8] = b"vigilmon places of alarms";

/// What marks of places begin with.
const PLACE: &str = "at:";

/// Bytes of a tag: 128 bits cannot be guessed, and short addresses fit into text messages.
const TAG_BYTES: usize = 16;

/// Characters of a tag that stands alone.
const TAG_CHARS: usize = 22;

/// Longest token that is looked at: an incident and the longest name of a channel, in letters of four bytes each.
pub const TOKEN_CHARS_MAX: usize = 1200;

/// Signs links and recognises its own.
#[derive(Debug, Clone)]
pub struct LinkKeys(Vec<hmac::Key>);

impl LinkKeys {
    /// Those of an instance, or of its cluster, where all nodes have to recognise the same: the first signs, and while the secret of a cluster
    /// is changed there are two. `instance` is the instance's secret.
    #[must_use]
    pub fn new(config: &Config, instance: &Secret) -> LinkKeys {
        LinkKeys(keys(config, instance, PURPOSE))
    }

    /// What an address says of an incident that is told on a channel.
    #[must_use]
    pub fn token(&self, incident: &IncidentId, channel: &ChannelName) -> Option<String> {
        // Neither ids nor names have such a byte in them.
        let said = format!("{incident}\0{channel}");
        let tag = hmac::sign(self.0.first()?, said.as_bytes());
        let bytes: Vec<u8> = tag.as_ref().iter().take(TAG_BYTES).copied().chain(said.into_bytes()).collect();
        Some(BASE64URL_NOPAD.encode(&bytes))
    }

    /// What a token names, if it was made here.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<(IncidentId, ChannelName)> {
        if TOKEN_CHARS_MAX < token.len() {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (tag, said) = bytes.split_at_checked(TAG_BYTES)?;
        let fits = |key: &hmac::Key| bool::from(hmac::sign(key, said).as_ref()[..TAG_BYTES].ct_eq(tag));
        if !self.0.iter().any(fits) {
            return None;
        }
        let (incident, channel) = std::str::from_utf8(said).ok()?.split_once('\0')?;
        Some((IncidentId::from_derived(incident), ChannelName::parse(channel).ok()?))
    }
}

/// Makes and recognises what the address of a subscription ends with: its name, which is random and kept with it, and a tag, which is never
/// kept. So whoever gets hold of the database, but not of the secret, can neither confirm nor end a subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionKeys(Vec<hmac::Key>);

impl SubscriptionKeys {
    /// As for [`LinkKeys`].
    #[must_use]
    pub fn new(config: &Config, instance: &Secret) -> SubscriptionKeys {
        SubscriptionKeys(keys(config, instance, SUBSCRIPTIONS))
    }

    /// What the address of the subscription with this name ends with.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<String> {
        let tag = hmac::sign(self.0.first()?, name.as_bytes());
        Some(format!("{name}{}", BASE64URL_NOPAD.encode(&tag.as_ref()[..TAG_BYTES])))
    }

    /// The name in it, if it was made here.
    #[must_use]
    pub fn open<'a>(&self, token: &'a str) -> Option<&'a str> {
        let (name, tag) = token.split_at_checked(token.len().checked_sub(TAG_CHARS)?)?;
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        let fits = |key: &hmac::Key| bool::from(hmac::sign(key, name.as_bytes()).as_ref()[..TAG_BYTES].ct_eq(&tag));
        self.0.iter().any(fits).then_some(name)
    }
}

/// Marks where an alarm was opened, by the address and the key for it, so that its end finds the place again. Nobody can read the key out of
/// a mark, or try keys on it, without the secret.
#[derive(Debug, Clone)]
pub struct PlaceKeys(Vec<hmac::Key>);

impl PlaceKeys {
    /// As for [`LinkKeys`].
    #[must_use]
    pub fn new(config: &Config, instance: &Secret) -> PlaceKeys {
        PlaceKeys(keys(config, instance, PLACES))
    }

    /// The mark of a place.
    #[must_use]
    pub fn mark(&self, place: &Secret) -> Option<ServiceId> {
        ServiceId::parse(&with(self.0.first()?, place))
    }

    /// Whether this is a mark, of whatever place.
    #[must_use]
    pub fn is_mark(id: &ServiceId) -> bool {
        id.as_str().starts_with(PLACE)
    }

    /// Whether the mark is that of this place.
    #[must_use]
    pub fn fits(&self, mark: &ServiceId, place: &Secret) -> bool {
        self.0.iter().any(|key| bool::from(with(key, place).as_bytes().ct_eq(mark.as_str().as_bytes())))
    }
}

fn with(key: &hmac::Key, place: &Secret) -> String {
    let tag = hmac::sign(key, place.reveal_for_use().as_bytes());
    format!("{PLACE}{}", BASE64URL_NOPAD.encode(&tag.as_ref()[..TAG_BYTES]))
}

fn keys(config: &Config, instance: &Secret, purpose: &[u8]) -> Vec<hmac::Key> {
    let shared: Vec<hmac::Key> = config.peers.iter().flat_map(|peers| &peers.secrets).map(|secret| key(secret, purpose)).collect();
    if shared.is_empty() { vec![key(instance, purpose)] } else { shared }
}

fn key(secret: &Secret, purpose: &[u8]) -> hmac::Key {
    let whole = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal_for_use().as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&whole, purpose).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> LinkKeys {
        LinkKeys(secrets.iter().map(|secret| key(&Secret::new(*secret), PURPOSE)).collect())
    }

    fn sample() -> (IncidentId, ChannelName) {
        (IncidentId::from_derived("k3v9q2m7x4t1a"), ChannelName::parse("Ops – chat").expect("a name"))
    }

    #[test]
    fn a_token_names_what_it_was_made_for_and_needs_no_escaping() {
        let (incident, channel) = sample();
        let token = keys(&["one"]).token(&incident, &channel).expect("a key");
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{token}");
        assert_eq!(keys(&["one"]).open(&token), Some((incident.clone(), channel.clone())));
        assert_eq!(keys(&["new", "one"]).open(&token), Some((incident.clone(), channel)), "while the secret is changed");
        let longest = ChannelName::parse(&"🚨".repeat(crate::model::id::NAME_CHARS_MAX)).expect("a name");
        let token = keys(&["one"]).token(&incident, &longest).expect("a key");
        assert!(token.len() <= TOKEN_CHARS_MAX && keys(&["one"]).open(&token).is_some(), "{}", token.len());
    }

    #[test]
    fn a_subscription_is_found_by_what_was_made_for_it_and_by_nothing_else() {
        let keys = |secrets: &[&str], purpose| SubscriptionKeys(secrets.iter().map(|secret| key(&Secret::new(*secret), purpose)).collect());
        let token = keys(&["one"], SUBSCRIPTIONS).token("x4Gf_-93kd").expect("a key");
        assert_eq!(token.len(), "x4Gf_-93kd".len() + TAG_CHARS);
        assert_eq!(keys(&["new", "one"], SUBSCRIPTIONS).open(&token), Some("x4Gf_-93kd"), "while the secret is changed");
        assert_eq!(keys(&["two"], SUBSCRIPTIONS).open(&token), None);
        assert_eq!(keys(&["one"], PURPOSE).open(&token), None);
        for place in 0..token.len() {
            for other in ["A", "B", "_"] {
                let mut changed = token.clone();
                changed.replace_range(place..=place, other);
                assert!(changed == token || keys(&["one"], SUBSCRIPTIONS).open(&changed).is_none(), "{place} {other}");
            }
        }
        for none in ["", "AAAA", "x4Gf_-93kd", &"A".repeat(TAG_CHARS), &"é".repeat(30)] {
            assert_eq!(keys(&["one"], SUBSCRIPTIONS).open(none), None, "{none}");
        }
    }

    #[test]
    fn whatever_is_changed_in_a_token_makes_it_worthless() {
        let (incident, channel) = sample();
        let token = keys(&["one"]).token(&incident, &channel).expect("a key");
        assert_eq!(keys(&["two"]).open(&token), None);
        for place in 0..token.len() {
            for other in ["A", "B", "_"] {
                let mut changed = token.clone();
                changed.replace_range(place..=place, other);
                assert!(changed == token || keys(&["one"]).open(&changed).is_none(), "{place} {other}");
            }
        }
        for none in ["", "AAAA", "%", &"A".repeat(TOKEN_CHARS_MAX + 4)] {
            assert_eq!(keys(&["one"]).open(none), None, "{none}");
        }
    }

    #[test]
    fn a_mark_fits_its_place_and_says_nothing_of_it() {
        let keys = |secrets: &[&str]| PlaceKeys(secrets.iter().map(|secret| key(&Secret::new(*secret), PLACES)).collect());
        let (here, there) = (Secret::new("canary-key"), Secret::new("other"));
        let mark = keys(&["one"]).mark(&here).expect("a key");
        assert!(PlaceKeys::is_mark(&mark) && !mark.as_str().contains("canary"), "{mark:?}");
        assert!(keys(&["one"]).fits(&mark, &here) && !keys(&["one"]).fits(&mark, &there));
        assert!(keys(&["new", "one"]).fits(&mark, &here), "while the secret is changed");
        assert!(!keys(&["two"]).fits(&mark, &here));
        assert!(!PlaceKeys::is_mark(&ServiceId::parse("-1001:42").expect("an id")));
    }
}
