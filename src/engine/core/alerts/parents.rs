//! What depends on something that is down says nothing new: people are told of the parent, with how many monitors it hides.
//!
//! Children are checked and shown as ever, and their incidents open; only the *telling* of an opening waits while a parent is suspected, down
//! or unknown. A child is often confirmed before its parent was even looked at, so the parent is asked first. When the parent is fine again
//! the child is checked at once and has the time of its own confirmation to follow; what is still down then is told.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::core::alerts::Hold;
use crate::engine::core::machine::Machine;
use crate::engine::core::maintenance;
use crate::engine::snapshot::Held;
use crate::model::id::MonitorId;
use crate::model::incident::Incident;
use crate::model::monitor::Monitor;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::Verdict;

/// A parent of which nothing is known hides its children for so long. Whatever takes longer is no reason to hide an outage.
const UNKNOWN_HIDES_FOR: Duration = Duration::from_secs(600);

/// Beyond a parent's own timeout, for the result of the check that was asked for.
const ASKING_TAKES: Duration = Duration::from_secs(5);

/// News of what other nodes suspect is on its way for so long.
const NEWS_TAKE: Duration = Duration::from_secs(5);

/// While a parent hides something it is looked at so often, besides whenever something is heard of it here.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Bounds of the time that a child has to recover after its parent.
const SETTLE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));

/// How a parent is.
enum Parent {
    Fine,
    /// It hides its children.
    Bad,
    /// It is being asked, until then at the latest.
    Asked(UnixMillis),
}

impl Core {
    /// Works out who depends on whom, for this config.
    pub(in crate::engine::core) fn relate(&mut self) {
        self.alerts.children.clear();
        for machine in self.machines.values() {
            for parent in &machine.monitor.depends_on {
                self.alerts.children.entry(parent.clone()).or_default().push(machine.monitor.id.clone());
            }
        }
    }

    /// Something was learnt about a monitor: looks at those who depend on it.
    pub(in crate::engine::core) fn tell_children(&mut self, id: &MonitorId, now: Now) {
        if self.alerts.children.contains_key(id) {
            for child in self.descendants(id) {
                self.look_soon(&child, now);
            }
        }
    }

    /// How many monitors depend on this one, directly or by others, and are watched.
    pub(super) fn n_dependents(&self, id: &MonitorId) -> usize {
        if !self.alerts.children.contains_key(id) {
            return 0;
        }
        let is_watched = |id: &&MonitorId| self.machines.get(*id).is_some_and(|m| m.monitor.enabled && m.state.paused_at.is_none());
        self.descendants(id).iter().filter(is_watched).count()
    }

    fn descendants(&self, id: &MonitorId) -> BTreeSet<MonitorId> {
        let mut found = BTreeSet::new();
        let mut open = vec![id];
        while let Some(parent) = open.pop() {
            for child in self.alerts.children.get(parent).into_iter().flatten() {
                if found.insert(child.clone()) {
                    open.push(child);
                }
            }
        }
        found
    }

    fn ancestors(&self, monitor: &Monitor) -> BTreeSet<MonitorId> {
        let mut found: BTreeSet<MonitorId> = monitor.depends_on.iter().cloned().collect();
        let mut open: Vec<MonitorId> = monitor.depends_on.clone();
        while let Some(id) = open.pop() {
            let Some(machine) = self.machines.get(&id) else { continue };
            open.extend(machine.monitor.depends_on.iter().filter(|id| found.insert((*id).clone())).cloned());
        }
        found
    }

    /// What parents hold back of a monitor.
    pub(super) fn hold_of_parents(&mut self, id: &MonitorId, incident: &Incident, now: Now) -> Option<Hold> {
        let at = self.common(now);
        let machine = self.machines.get(id).filter(|machine| !machine.monitor.depends_on.is_empty())?;
        let mut asked: Option<(MonitorId, UnixMillis)> = None;
        let mut bad = None;
        for parent in self.ancestors(&machine.monitor) {
            match self.parent(&parent, incident, now) {
                Parent::Fine => {}
                Parent::Bad => bad = bad.or(Some(parent)),
                Parent::Asked(until) => {
                    self.ask(&parent, now);
                    asked = asked.filter(|(_, before)| until <= *before).or(Some((parent, until)));
                }
            }
        }
        let machine = self.machines.get_mut(id)?;
        if let Some(parent) = bad {
            machine.telling.is_hidden = true;
            machine.telling.settles_until = None;
            return Some(Hold { why: Held::Parent(parent), is_for_all: false, look_at: Some(at + LOOK_AGAIN) });
        }
        if let Some((parent, until)) = asked {
            return Some(Hold { why: Held::Asking(parent), is_for_all: false, look_at: Some(until) });
        }
        if std::mem::take(&mut machine.telling.is_hidden) {
            machine.telling.settles_until = Some(at + settling(&machine.monitor));
            if machine.is_active() && machine.due.is_some() {
                self.reschedule(id, Some(now.mono));
            }
        }
        let until = self.machines.get(id)?.telling.settles_until.filter(|until| at < *until)?;
        Some(Hold { why: Held::Settling(until), is_for_all: false, look_at: Some(until) })
    }

    /// Has a parent checked now, unless it is being.
    fn ask(&mut self, id: &MonitorId, now: Now) {
        let Some(machine) = self.machines.get(id) else { return };
        if machine.due.is_some_and(|due| now.mono < due) && !machine.is_being_checked() {
            self.reschedule(id, Some(now.mono));
        }
    }

    fn parent(&self, id: &MonitorId, child: &Incident, now: Now) -> Parent {
        let at = self.common(now);
        let Some(machine) = self.machines.get(id) else { return Parent::Fine };
        if !machine.monitor.enabled || machine.state.paused_at.is_some() {
            return Parent::Fine;
        }
        let beneath = maintenance::beneath(machine);
        let is_unknown = beneath == Verdict::Unknown && at.since(machine.state.verdict_since) < UNKNOWN_HIDES_FOR;
        if machine.state.outage.is_open() || beneath == Verdict::Down || is_unknown || self.is_suspected(machine, now) {
            return Parent::Bad;
        }
        // By then it was looked at after the child had begun to fail, or cannot be looked at.
        let by = child.confirmed_at + machine.monitor.timeout + ASKING_TAKES;
        let was_seen = !machine.is_active() || machine.last.as_ref().is_some_and(|last| child.opened_at <= last.at);
        if !was_seen && at < by {
            return Parent::Asked(by);
        }
        let travelled = child.confirmed_at + NEWS_TAKE;
        if self.cluster.is_some() && at < travelled { Parent::Asked(travelled) } else { Parent::Fine }
    }

    /// Whether anybody has seen it fail and is looking again.
    fn is_suspected(&self, machine: &Machine, now: Now) -> bool {
        let is_bad = |state: OpinionState| matches!(state, OpinionState::Down | OpinionState::Suspect);
        if is_bad(machine.state.opinion.state) || machine.state.streak.n_down > 0 {
            return true;
        }
        let Some(cluster) = &self.cluster else { return false };
        cluster.ballot(machine, now.mono).external.iter().any(|voice| voice.counts() && is_bad(voice.state))
    }
}

/// How long a child may take to be found well after its parent.
fn settling(monitor: &Monitor) -> Duration {
    let confirm = monitor.confirm;
    ((confirm.recheck + monitor.timeout) * confirm.successes.max(confirm.failures)).clamp(SETTLE.0, SETTLE.1)
}
