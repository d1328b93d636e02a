//! A certificate that goes on towards its end while its incident is open: one more message at each limit.
//!
//! The key of such a message is made of incident, limit and channel, so that all nodes that see it owe the same one.

use std::time::Duration;

use crate::consensus::identity;
use crate::engine::core::Core;
use crate::engine::core::adopt::NEWS_FOR;
use crate::engine::core::machine::Machine;
use crate::engine::core::settle;
use crate::model::change::StateChange;
use crate::model::change::Warned;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::result::Failure;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Verdict;
use crate::rules::certificate;

/// A warning that is due.
struct Warning {
    /// The incident, with what is to be said now as its cause.
    incident: Incident,
    limit: Duration,
    /// When the limit was crossed.
    since: UnixMillis,
}

impl Core {
    /// Says that the certificate of a monitor has come below the next limit, if its newest check saw that.
    pub(super) fn warn_of_certificate(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let at = self.cluster.as_ref().map_or(now.wall, |cluster| cluster.common(now.wall));
        let Some(Warning { incident, limit, since }) = self.machines.get(id).and_then(|machine| due(machine, at)) else { return };
        // In a cluster others were there when this node was not; what they told need not be told again.
        let is_news = self.cluster.is_none() || at.since(since) <= NEWS_FOR;
        let reached = if is_news { self.channels_reached(&incident, now) } else { Some(Vec::new()) };
        let Some(reached) = reached else { return };
        let n_voters = self.n_voters(id);
        let config = std::sync::Arc::clone(&self.config);
        let Some(machine) = self.machines.get_mut(id) else { return };
        machine.state.warned = Some(Warned { epoch: incident.epoch, limit });
        let mut facts = settle::facts(machine, &incident, n_voters);
        facts.cause.push_str(&format!("; this is the warning at {}", spoken(limit)));
        for name in reached {
            if config.channels.get(&name).is_some_and(|channel| channel.on.contains(&EventKind::Certificate)) {
                change.notifications.push(Notification {
                    key: identity::warning_key(&incident.id, limit, &name),
                    channel: name.clone(),
                    event: EventKind::Certificate,
                    at: now.wall,
                    subject: Subject::Incident(Box::new(facts.clone())),
                    may_be_repeat: false,
                });
                machine.state.told.insert(name);
            }
        }
        change.states.retain(|kept| kept.monitor != *id);
        change.states.push(machine.state.clone());
    }
}

/// The limit that was crossed and not told yet. In maintenance nothing is told; what is still true afterwards is told then.
fn due(machine: &Machine, at: UnixMillis) -> Option<Warning> {
    if machine.state.verdict != Verdict::Degraded || machine.upkeep.is_some() || !certificate::dates_matter(&machine.monitor) {
        return None;
    }
    let open = machine.incidents.iter().find(|incident| incident.lane == Lane::Degradation)?;
    let last = machine.last.as_ref()?;
    let not_after = last.certificate_not_after?;
    let days = certificate::days(&machine.monitor);
    let limit = certificate::below(&days, not_after, at)?;
    // What the opening said of it, it said at the limit that held then.
    let is_about_it = open.cause.code() == certificate::CODE;
    let opening = || certificate::below(&days, not_after, open.confirmed_at).filter(|_| is_about_it);
    let told = machine.state.warned.filter(|warned| warned.epoch == open.epoch).map(|warned| warned.limit).or_else(opening);
    if told.is_some_and(|told| told <= limit) {
        return None;
    }
    let seen = last.failure.clone().filter(|failure| matches!(failure, Failure::CertificateEnds { .. }));
    let cause = seen.unwrap_or_else(|| certificate::ends(not_after, String::new(), at));
    Some(Warning { incident: Incident { cause, ..open.clone() }, limit, since: not_after.minus(limit) })
}
