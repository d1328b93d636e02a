//! Names that every node derives alike, so that concurrent openers of one incident need no exchange to agree on it.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use data_encoding::HEXLOWER;
use ring::digest::SHA256;
use ring::digest::digest;

use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;

/// 13 characters are 65 bits: enough that a lifetime of incidents does not collide, short enough to read out.
const INCIDENT_CHARS: usize = 13;

/// The incident of a monitor's lane in an odd epoch. `cluster` keeps the incidents of different installations apart.
#[must_use]
pub fn incident_id(cluster: &str, monitor: &MonitorId, lane: Lane, epoch: Epoch) -> IncidentId {
    let hash = hash(&[cluster, monitor.as_str(), lane.word(), &epoch.0.to_string()]);
    let text = BASE32_NOPAD.encode(&hash).to_ascii_lowercase();
    IncidentId::from_derived(&text[..INCIDENT_CHARS])
}

/// Whether a text may be the id of an incident, by its form.
#[must_use]
pub fn is_incident_id(text: &str) -> bool {
    text.len() == INCIDENT_CHARS && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

/// What makes a notification the same message everywhere and at every attempt.
#[must_use]
pub fn notification_key(incident: &IncidentId, event: EventKind, epoch: Epoch, channel: &ChannelName) -> String {
    HEXLOWER.encode(&hash(&[incident.as_str(), event.word(), &epoch.0.to_string(), channel.as_str()])[..16])
}

/// The key of something that is told again about an incident: `what` says which time it is, and is the same on all nodes.
#[must_use]
pub fn repeat_key(incident: &IncidentId, event: EventKind, what: &str, channel: &ChannelName) -> String {
    HEXLOWER.encode(&hash(&[incident.as_str(), event.word(), "again", what, channel.as_str()])[..16])
}

/// The key of a further warning within an incident, at this limit.
#[must_use]
pub fn warning_key(incident: &IncidentId, limit: Duration, channel: &ChannelName) -> String {
    let limit = limit.as_millis().to_string();
    HEXLOWER.encode(&hash(&[incident.as_str(), EventKind::Certificate.word(), "at", &limit, channel.as_str()])[..16])
}

/// The key of a notice about this instance itself: `what` and `at` tell two notices apart. It begins with what comes before the last slash in
/// `what`, so that one sees which notices are about the same, and their order can be kept.
#[must_use]
pub fn self_notice_key(cluster: &str, what: &str, at_ms: i64, channel: &ChannelName) -> String {
    let about = what.rsplit_once('/').map_or(what, |(about, _)| about);
    format!("self:{about}:{}", HEXLOWER.encode(&hash(&[cluster, "self", what, &at_ms.to_string(), channel.as_str()])[..16]))
}

/// Each part is preceded by its length, so that no two lists of parts run together into the same bytes.
fn hash(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    digest(&SHA256, &bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_notices_begin_with_what_they_are_about() {
        let channel = ChannelName::parse("ops").expect("a name");
        let key = |what: &str, at_ms: i64| self_notice_key("acme", what, at_ms, &channel);
        let keys = [key("disk/open", 1), key("disk/over", 1), key("disk/open", 2)];
        let tails = keys.each_ref().map(|key| key.strip_prefix("self:disk:").expect("the same beginning"));
        assert!(tails[0] != tails[1] && tails[0] != tails[2] && tails.iter().all(|tail| !tail.contains(':')), "{keys:?}");
        assert!(key("channel a/b:c/broken", 1).starts_with("self:channel a/b:c:") && key("clock-set", 1).starts_with("self:clock-set:"));
    }

    #[test]
    fn ids_are_stable_and_tell_everything_apart() {
        let id = |cluster: &str, monitor: &str, lane, epoch| {
            incident_id(cluster, &MonitorId::parse(monitor).expect("an id"), lane, Epoch(epoch)).as_str().to_owned()
        };
        let one = id("acme", "api", Lane::Outage, 1);
        assert_eq!(one.len(), 13);
        assert_eq!(one, id("acme", "api", Lane::Outage, 1));
        for other in [
            id("acm", "api", Lane::Outage, 1),
            id("acme", "api2", Lane::Outage, 1),
            id("acme", "api", Lane::Degradation, 1),
            id("acme", "api", Lane::Outage, 3),
        ] {
            assert_ne!(one, other);
        }
        // Parts must not run together.
        assert_ne!(id("ab", "c", Lane::Outage, 1), id("a", "bc", Lane::Outage, 1));
    }
}
