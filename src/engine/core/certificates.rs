//! A certificate that goes on towards its end while its incident is open: one more message at each limit.
//!
//! The key of such a message is made of incident, limit and channel, so that all nodes that see it owe the same one. Whoever was told of the
//! incident is told, also when somebody has acknowledged it: that less time is left is news. What is held back is told when it no longer is.

use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::core::adopt::NEWS_FOR;
use crate::engine::core::machine::Machine;
use crate::model::change::StateChange;
use crate::model::change::Warned;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
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
        if self.cluster.is_none() || at.since(since) <= NEWS_FOR {
            let n_before = change.notifications.len();
            if !self.tell_more(&incident, (EventKind::Certificate, &limit.as_millis().to_string()), now, change) {
                return;
            }
            for notification in change.notifications.iter_mut().skip(n_before) {
                if let Subject::Incident(facts) = &mut notification.subject {
                    facts.cause.push_str(&format!("; this is the warning at {}", spoken(limit)));
                }
            }
        }
        if let Some(machine) = self.machines.get_mut(id) {
            machine.state.warned = Some(Warned { epoch: incident.epoch, limit });
        }
        self.keep_changed(id, change);
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
