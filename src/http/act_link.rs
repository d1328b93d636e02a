//! Links in messages: whoever got one acknowledges an incident, or silences its monitor, without signing in.
//!
//! The address is the proof, and it is good for one incident. Opening it only shows buttons, because chat and mail servers open links to
//! preview them. Using it may be asked for from anywhere: there is no cookie that somebody else could make a browser send along, and programs
//! that receive webhooks use these links, too.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;

use crate::config::Config;
use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::acts::Wish;
use crate::http::alert_views;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::heartbeat::misses::Misses;
use crate::http::limits::BUCKETS_MAX;
use crate::http::operator::new_silence;
use crate::http::operator::refusal;
use crate::http::visit::Visit;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::notifier::signed::LinkKeys;
use crate::ui::page::act;
use crate::ui::page::act::ActView;

/// Uses of the links, or of the buttons, of one incident in [`WINDOW`]: each tells everybody who was told of it, so a program that goes round in circles must not
/// go on for ever.
const USES_MAX: u32 = 10;

const WINDOW: Duration = Duration::from_secs(600);

/// How long an address waits that came with many proofs that are none.
pub(super) const MISSES_WAIT: Duration = Duration::from_secs(60);

/// What links in messages work with.
#[derive(Debug, Default)]
pub struct ActLinks {
    misses: Misses,
    uses: Uses,
}

/// How often somebody did something by messages about an incident.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<IncidentId, (Mono, u32)>>);

impl Uses {
    /// Counts one.
    ///
    /// # Errors
    /// [`Refusal::TooMany`] beyond [`USES_MAX`].
    pub(super) fn count(&self, incident: &IncidentId, now: Mono) -> Result<(), Refusal> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if BUCKETS_MAX <= uses.len() {
            uses.retain(|_, (since, _)| now.since(*since) < WINDOW);
        }
        let (since, n) = uses.entry(incident.clone()).or_insert((now, 0));
        if WINDOW <= now.since(*since) {
            (*since, *n) = (now, 0);
        }
        if USES_MAX <= *n {
            return Err(Refusal::TooMany((*since + WINDOW).since(now)));
        }
        *n += 1;
        Ok(())
    }
}

/// Where a link leads.
struct Found {
    incident: IncidentId,
    channel: ChannelName,
}

impl ActLinks {
    /// Opening a link: shows what it is about, and buttons.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when it is no link of ours, and that there were too many of those.
    pub fn open(&self, snapshot: &Snapshot, secret: &Secret, visit: &Visit, token: &str) -> Result<Answer, Refusal> {
        let found = self.find(&snapshot.config, secret, visit, token)?;
        Ok(shown(snapshot, visit, token, &found.incident, None))
    }

    /// Using a link.
    ///
    /// # Errors
    /// As for [`ActLinks::open`], and as the engine refuses it.
    pub async fn act(&self, engine: &EngineHandle, secret: &Secret, visit: &Visit, token: &str) -> Result<Answer, Refusal> {
        let snapshot = engine.snapshot();
        let found = self.find(&snapshot.config, secret, visit, token)?;
        let Some((view, incident)) = open_incident(&snapshot, &found.incident) else {
            return Ok(shown(&snapshot, visit, token, &found.incident, None));
        };
        self.uses.count(&found.incident, visit.now.mono)?;
        let by = format!("somebody by a link in {}", found.channel);
        let wish = Wish::of_form(visit)?;
        let (operation, done) = if visit.field("do") == Some("silence") {
            let silence = wish.silence_of(&view.monitor, &by, visit.now.wall)?;
            let done = alert_views::silenced(&silence);
            (new_silence(silence)?.1, done)
        } else {
            let acknowledgement = wish.acknowledgement(&by, visit.now.wall)?;
            let done = alert_views::noted(&acknowledgement);
            (Operation::Acknowledge(incident.id.clone(), acknowledgement), done)
        };
        engine.ask(operation).await.map_err(refusal)?;
        tracing::info!(incident = %found.incident, channel = %found.channel, "a link in a message on `{}` was used: {done}", found.channel);
        Ok(shown(&snapshot, visit, token, &found.incident, Some(done)))
    }

    fn find(&self, config: &Config, secret: &Secret, visit: &Visit, token: &str) -> Result<Found, Refusal> {
        match LinkKeys::new(config, secret).open(token) {
            Some((incident, channel)) => Ok(Found { incident, channel }),
            None if self.misses.count(visit.client, visit.now.mono) => Err(Refusal::TooMany(MISSES_WAIT)),
            None => Err(Refusal::NotFound),
        }
    }
}

/// The monitor and the incident of this id, if it is open.
pub(super) fn open_incident<'a>(snapshot: &'a Snapshot, id: &IncidentId) -> Option<(&'a MonitorView, &'a Incident)> {
    let mut all = snapshot.monitors.values().flat_map(|view| view.incidents.iter().map(move |incident| (&**view, incident)));
    all.find(|(_, incident)| incident.id == *id)
}

fn shown(snapshot: &Snapshot, visit: &Visit, token: &str, id: &IncidentId, done: Option<String>) -> Answer {
    let Some((view, incident)) = open_incident(snapshot, id) else {
        return answer::page(StatusCode::GONE, act::over(&visit.links));
    };
    let view = ActView {
        action: visit.links.act_link(token),
        monitor: view.monitor.name.clone(),
        lane: incident.lane,
        since: incident.opened_at,
        acknowledged: alert_views::acknowledged(view, id, visit.now.wall),
        silenced_until: alert_views::silenced_until(view, snapshot, visit.now.wall),
        done,
        now: visit.now.wall,
    };
    answer::page(StatusCode::OK, act::page(&visit.links, &view))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_of_one_incident_are_used_so_often_and_no_more_for_a_while() {
        let uses = Uses::default();
        let (one, other) = (IncidentId::from_derived("one"), IncidentId::from_derived("other"));
        let n = (0..30).filter(|_| uses.count(&one, Mono(0)).is_ok()).count();
        assert_eq!(n, usize::try_from(USES_MAX).expect("few"));
        assert_eq!(uses.count(&one, Mono(1_000_000)), Err(Refusal::TooMany(WINDOW - Duration::from_secs(1))));
        assert!(uses.count(&other, Mono(0)).is_ok() && uses.count(&one, Mono(0) + WINDOW).is_ok());
    }
}
