//! Where alarms were opened, when that is not where the channel goes now: its key was changed while something was open.
//!
//! What follows an opening belongs where the opening went, or it stays open there for ever. The opening is noted with a mark of its place, see
//! [`PlaceKeys`]; the places themselves, and the secrets in them, are kept in memory only. After a restart a former one is not known any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::config::Config;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::id::ChannelName;
use crate::model::notification::ServiceId;
use crate::model::secret::Secret;
use crate::notifier::signed::PlaceKeys;

/// Places of one channel that are remembered, the present one among them. Keys are changed every few months, not every few hours.
const PLACES_MAX: usize = 4;

/// Where the alarms of a channel are opened, if it has any: what has to be the same for their end to be theirs.
#[must_use]
pub fn place(spec: &ChannelSpec) -> Option<Secret> {
    let parts: Vec<&str> = match spec {
        ChannelSpec::PagerDuty(spec) => vec![&spec.api_url, spec.routing_key.reveal_for_use()],
        ChannelSpec::Opsgenie(spec) => vec![&spec.api_url, spec.api_key.reveal_for_use()],
        ChannelSpec::IncidentIo(spec) => vec![&spec.url, spec.token.reveal_for_use()],
        ChannelSpec::GrafanaOncall(spec) => vec![spec.url.reveal_for_use()],
        // Other labels are other alerts.
        ChannelSpec::Alertmanager(spec) => {
            let labels = spec.labels.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
            std::iter::once(spec.url.as_str()).chain(labels).collect()
        }
        // Issues are found by their labels, and what has no end has no place.
        ChannelSpec::Github(_)
        | ChannelSpec::Gitlab(_)
        | ChannelSpec::Webhook(_)
        | ChannelSpec::Slack(_)
        | ChannelSpec::Discord(_)
        | ChannelSpec::Teams(_)
        | ChannelSpec::Mattermost(_)
        | ChannelSpec::RocketChat(_)
        | ChannelSpec::GoogleChat(_)
        | ChannelSpec::Telegram(_)
        | ChannelSpec::Matrix(_)
        | ChannelSpec::Zulip(_)
        | ChannelSpec::Ntfy(_)
        | ChannelSpec::Gotify(_)
        | ChannelSpec::Pushover(_)
        | ChannelSpec::Pushbullet(_)
        | ChannelSpec::Signal(_)
        | ChannelSpec::Twilio(_)
        | ChannelSpec::HomeAssistant(_)
        | ChannelSpec::Apprise(_)
        | ChannelSpec::Email(_)
        | ChannelSpec::Command(_) => return None,
    };
    Some(Secret::new(parts.join("\0")))
}

/// Where what follows an opening goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Goes {
    /// Where the channel goes now.
    Here,
    /// Where the opening went.
    There(Box<Channel>),
    /// The opening went to a place that is not known any more.
    Lost,
}

/// The places of all channels since the start. Cheap to clone: all clones share them.
#[derive(Debug, Clone, Default)]
pub struct Former(Arc<Mutex<BTreeMap<ChannelName, Vec<ChannelSpec>>>>);

impl Former {
    /// Takes in how channels are set now, and forgets those that are gone.
    pub fn note(&self, config: &Config) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|name, _| config.channels.contains_key(name));
        for channel in config.channels.values() {
            let Some(now) = place(&channel.spec) else { continue };
            let known = all.entry(channel.name.clone()).or_default();
            // The newest last, with whatever else was changed about it.
            known.retain(|spec| place(spec).is_none_or(|before| before.reveal_for_use() != now.reveal_for_use()));
            known.push(channel.spec.clone());
            let excess = known.len().saturating_sub(PLACES_MAX);
            known.drain(..excess);
        }
    }

    /// Where a message goes that follows an opening with this mark.
    #[must_use]
    pub fn goes(&self, channel: &Channel, first: Option<&ServiceId>, keys: &PlaceKeys) -> Goes {
        let Some(mark) = first.filter(|id| PlaceKeys::is_mark(id)) else { return Goes::Here };
        // A channel of another kind now: it follows nothing.
        let Some(here) = place(&channel.spec) else { return Goes::Here };
        if keys.fits(mark, &here) {
            return Goes::Here;
        }
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |spec: &&ChannelSpec| place(spec).is_some_and(|place| keys.fits(mark, &place));
        match all.get(&channel.name).into_iter().flatten().find(fits) {
            Some(spec) => Goes::There(Box::new(Channel { spec: spec.clone(), ..channel.clone() })),
            None => Goes::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::spec::PagerDutySpec;
    use crate::notifier::samples;

    fn channel(key: &str) -> Channel {
        let api_url = "https://events.pagerduty.example".to_owned();
        let spec = PagerDutySpec { routing_key: Secret::new(key), api_url, webhook_secrets: Vec::new() };
        samples::channel("ops", ChannelSpec::PagerDuty(spec))
    }

    fn config(channel: &Channel) -> Config {
        let mut config = Config::clone(&samples::config(&[]));
        config.channels.insert(channel.name.clone(), Arc::new(channel.clone()));
        config
    }

    #[test]
    fn what_follows_goes_where_the_opening_went_for_as_long_as_that_is_known() {
        let keys = PlaceKeys::new(&samples::config(&[]), &Secret::new("secret"));
        let (former, opened) = (Former::default(), channel("key-0"));
        former.note(&config(&opened));
        let mark = keys.mark(&place(&opened.spec).expect("a place")).expect("a key");
        assert_eq!(former.goes(&opened, Some(&mark), &keys), Goes::Here);
        for n in 1..PLACES_MAX {
            let now = channel(&format!("key-{n}"));
            former.note(&config(&now));
            former.note(&config(&now));
            assert_eq!(former.goes(&now, Some(&mark), &keys), Goes::There(Box::new(opened.clone())));
            assert_eq!(former.goes(&now, None, &keys), Goes::Here);
        }
        let now = channel("one more");
        former.note(&config(&now));
        assert_eq!(former.goes(&now, Some(&mark), &keys), Goes::Lost);
        assert_eq!(Former::default().goes(&now, Some(&mark), &keys), Goes::Lost, "after a restart");
    }
}
