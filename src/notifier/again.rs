//! Tells Alertmanager again what goes on: it keeps alerts in memory only, and after a restart knows of none.
//!
//! What is pushed is what the channel was told, by the outbox, and is not over; nothing else. It is no message: it is in no log of
//! deliveries, and whether it arrives says nothing about the health of the channel, because the next one is only a minute away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::AlertmanagerSpec;
use crate::model::id::IncidentId;
use crate::model::notification::Notification;
use crate::model::notification::Opening;
use crate::model::secret::Secret;
use crate::notifier::alertmanager::going_on;
use crate::notifier::compose::Message;
use crate::notifier::error::SendError;
use crate::notifier::former::Former;
use crate::notifier::former::Goes;
use crate::notifier::kind::SEND_TIMEOUT;
use crate::notifier::payload::Links;
use crate::notifier::request::Request;
use crate::notifier::shared::Shared;
use crate::notifier::signed::LinkKeys;
use crate::notifier::signed::PlaceKeys;
use crate::notifier::sink::ChannelSink;
use crate::store::Ongoing;
use crate::store::Store;

/// How often. Prometheus does so about as often, and what Alertmanager forgot is missed for no longer.
const EVERY: Duration = Duration::from_secs(60);

/// Alerts of one request; the texts of one have a few kilobytes.
const ALERTS_AT_ONCE: usize = 50;

/// Everything that is needed to tell it again.
#[derive(Debug)]
pub struct Again {
    /// Where it stands what was told.
    pub store: Store,
    /// How it gets there.
    pub sink: ChannelSink,
    /// For times on the wall.
    pub clock: Clock,
    /// The active config.
    pub config: watch::Receiver<Arc<Config>>,
    /// The instance's secret: keys of links in messages are derived from it.
    pub secret: Secret,
    /// What the notifiers of a cluster share; `None` when watching alone.
    pub shared: Option<Shared>,
    /// Where alarms were opened.
    pub former: Former,
}

/// An open incident of which a channel was told.
struct GoingOn {
    incident: IncidentId,
    told: Notification,
    /// Where it was opened.
    spec: AlertmanagerSpec,
}

/// What goes into one request each.
fn portions(all: &[GoingOn]) -> Vec<(&AlertmanagerSpec, Vec<&GoingOn>)> {
    let mut found: Vec<(&AlertmanagerSpec, Vec<&GoingOn>)> = Vec::new();
    for going_on in all {
        let has_room = |(spec, some): &&mut (&AlertmanagerSpec, Vec<&GoingOn>)| **spec == going_on.spec && some.len() < ALERTS_AT_ONCE;
        match found.iter_mut().find(has_room) {
            Some((_, some)) => some.push(going_on),
            None => found.push((&going_on.spec, vec![going_on])),
        }
    }
    found
}

impl Again {
    /// Tells it until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.round() => {}
            }
        }
    }

    /// Tells every channel once, one after the other.
    async fn round(&self) {
        let config = Arc::clone(&self.config.borrow());
        for channel in config.channels.values() {
            let is_one = matches!(channel.spec, ChannelSpec::Alertmanager(_));
            if is_one && self.shared.as_ref().is_none_or(|shared| shared.goes_first(&channel.name)) {
                self.tell(channel, &config).await;
            }
        }
    }

    async fn tell(&self, channel: &Channel, config: &Config) {
        let links = Links::new(&config.server).signed(LinkKeys::new(config, &self.secret));
        let places = PlaceKeys::new(config, &self.secret);
        let Some(said) = self.going_on(channel, &links, &places).await else { return };
        for (spec, some) in portions(&said) {
            // What one request does not reach the others would not either, and other channels wait.
            if !self.push(channel, spec.again(&self.messages(channel, &links, &some))).await {
                break;
            }
        }
        if said.is_empty() {
            return;
        }
        // What ended meanwhile was perhaps said to be over before this arrived.
        let Some(still) = self.going_on(channel, &links, &places).await else { return };
        let still: BTreeSet<IncidentId> = still.into_iter().map(|going_on| going_on.incident).collect();
        let over: Vec<GoingOn> = said.into_iter().filter(|going_on| !still.contains(&going_on.incident)).collect();
        for (spec, some) in portions(&over) {
            if !self.push(channel, spec.take_back(&self.messages(channel, &links, &some))).await {
                break;
            }
        }
    }

    /// Open incidents and the message that says so, of each the newest; `None` when that cannot be seen.
    async fn going_on(&self, channel: &Channel, links: &Links, places: &PlaceKeys) -> Option<Vec<GoingOn>> {
        let all = match self.store.ongoing(&channel.name).await {
            Ok(all) => all,
            Err(error) => {
                tracing::debug!(channel = %channel.name, %error, "cannot see what `{}` was told of open incidents: {error}", channel.name);
                return None;
            }
        };
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for Ongoing { incident, lane, told, opening } in all {
            let is_it = going_on(&self.message(channel, links, &told)) == Some(lane);
            if is_it
                && seen.insert(incident.clone())
                && let Some(spec) = self.place(channel, opening, places)
            {
                found.push(GoingOn { incident, told, spec });
            }
        }
        Some(found)
    }

    /// Where it was opened, which is where it will be ended: elsewhere it would fire on.
    fn place(&self, channel: &Channel, opening: Option<Opening>, places: &PlaceKeys) -> Option<AlertmanagerSpec> {
        let heard = |opening: Opening| opening.called.or_else(|| self.shared.as_ref().and_then(|shared| shared.called(&opening.key)));
        let spec = match self.former.goes(channel, opening.and_then(heard).as_ref(), places) {
            Goes::Here => channel.spec.clone(),
            Goes::There(before) => before.spec,
            Goes::Lost => return None,
        };
        if let ChannelSpec::Alertmanager(spec) = spec { Some(spec) } else { None }
    }

    fn messages<'a>(&self, channel: &'a Channel, links: &'a Links, said: &[&'a GoingOn]) -> Vec<Message<'a>> {
        said.iter().map(|going_on| self.message(channel, links, &going_on.told)).collect()
    }

    fn message<'a>(&self, channel: &'a Channel, links: &'a Links, notification: &'a Notification) -> Message<'a> {
        Message { notification, on: &channel.on, links, now: self.clock.now().wall, first: None, unnamed: None }
    }

    /// Says whether it was taken, or there was nothing to say.
    async fn push(&self, channel: &Channel, request: Option<Request>) -> bool {
        let Some(request) = request else { return true };
        let name = &channel.name;
        let pushed = tokio::time::timeout(SEND_TIMEOUT, self.sink.hand(request)).await;
        let trouble = match pushed {
            Ok(Ok(answer)) if answer.status < 300 => return true,
            Ok(Ok(answer)) => format!("it answered {}", answer.status),
            Ok(Err(SendError::Permanent(why) | SendError::Transient(why) | SendError::Later(_, why))) => why,
            Err(_) => "no answer".to_owned(),
        };
        tracing::debug!(channel = %name, "what goes on could not be told to `{name}` again: {trouble}");
        false
    }
}

#[cfg(test)]
mod tests;
