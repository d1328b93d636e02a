//! Who is told of open incidents when: policies, acknowledgements, silences and everything else that holds messages back, at work.
//!
//! When an incident opens, a [`Progress`] is made for it, which is part of the monitor's durable state. A *look* at a monitor asks
//! `crate::rules::policy` what is due by now and writes those messages; the change that says it is done is the same transaction. Looks are
//! due when time is all that is waited for, and out of turn when something else changed: an acknowledgement, a silence, a parent, a window, the
//! config. Every node of a cluster looks for itself, and messages have the same keys everywhere.
//!
//! Ends are told to those who were told of a beginning, whatever holds beginnings back now; only one that belongs to a monitor that
//! goes up and down waits until it has calmed down.

pub(super) mod acts;
mod parents;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::Config;
use crate::consensus::identity;
use crate::engine::core::Core;
use crate::engine::core::absence;
use crate::engine::core::machine::Machine;
use crate::engine::core::settle;
use crate::engine::event::Command;
use crate::engine::snapshot::AlertView;
use crate::engine::snapshot::Held;
use crate::model::change::StateChange;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::monitor::Reminders;
use crate::model::notification::Again;
use crate::model::notification::AlertFacts;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::peer::Cause;
use crate::model::peer::OperatorFact;
use crate::model::peer::Said;
use crate::model::policy::Acknowledgement;
use crate::model::policy::OwedEnd;
use crate::model::policy::Progress;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::policy::Step;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::rules::flap::Flaps;
use crate::rules::incident;
use crate::rules::incident::Move;
use crate::rules::incident::Occasion;
use crate::rules::policy;
use crate::rules::policy::Case;
use crate::rules::policy::Due;
use crate::rules::policy::Plan;
use crate::rules::policy::Repeat;

/// Where no policy says anything: the channels of the monitor, at once.
const AT_ONCE: [Step; 1] = [Step { after: Duration::ZERO, channels: None, unless_acknowledged: false }];

/// After a start nobody is told of what the last run left before it was looked at once, but not for longer than this.
const WAKING: Duration = Duration::from_secs(60);

/// What is known of all alerts together.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    acknowledged: BTreeMap<IncidentId, OperatorFact>,
    silences: BTreeMap<SilenceId, OperatorFact>,
    /// Until when openings are gathered, by policy.
    gathering: BTreeMap<String, UnixMillis>,
    /// When monitors are looked at, by the common clock; mirrored in [`Telling::look`].
    looks: BTreeSet<(UnixMillis, MonitorId)>,
    /// Monitors that depend on another one, by that.
    children: BTreeMap<MonitorId, Vec<MonitorId>>,
}

/// What holds the messages of one monitor back. None of it outlives the program: it is found anew.
#[derive(Debug, Default)]
pub(super) struct Telling {
    flaps: Flaps,
    /// Openings are gathered until then.
    gather_until: Option<UnixMillis>,
    /// A parent hides it.
    is_hidden: bool,
    /// Parents are fine again, and until then it may recover as well.
    settles_until: Option<UnixMillis>,
    /// The next look.
    look: Option<UnixMillis>,
    /// For pictures.
    pub(super) shown: Vec<AlertView>,
}

/// What holds messages about an incident back.
#[derive(Debug, Clone, PartialEq)]
struct Hold {
    why: Held,
    /// Whoever was told is not told again either.
    is_for_all: bool,
    /// When that may have changed, if time alone can change it.
    look_at: Option<UnixMillis>,
}

impl Core {
    /// The time of the cluster.
    pub(super) fn common(&self, now: Now) -> UnixMillis {
        self.cluster.as_ref().map_or(now.wall, |cluster| cluster.common(now.wall))
    }

    /// When the next look is due.
    pub(super) fn alerts_deadline(&self) -> Option<Mono> {
        let now = self.last;
        let (look, _) = self.alerts.looks.first().filter(|_| !absence::is_implausible(now.wall))?;
        Some(now.mono + look.since(self.common(now)))
    }

    /// Lets time pass for alerts.
    pub(super) fn pass_alerts(&mut self, now: Now, commands: &mut Vec<Command>) {
        if absence::is_implausible(now.wall) {
            return;
        }
        let at = self.common(now);
        let mut change = StateChange::default();
        self.bury_silences(now, &mut change);
        while let Some((look, id)) = self.alerts.looks.first().cloned()
            && look <= at
        {
            self.set_alert_look(&id, None);
            self.look_at_alerts(&id, None, now, &mut change);
        }
        self.commit(commands, change, None);
    }

    /// Looks at a monitor then, or before.
    fn set_alert_look(&mut self, id: &MonitorId, look: Option<UnixMillis>) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.telling.look == look {
            return;
        }
        if let Some(before) = machine.telling.look {
            self.alerts.looks.remove(&(before, id.clone()));
        }
        machine.telling.look = look;
        self.alerts.looks.extend(look.map(|look| (look, id.clone())));
    }

    /// Looks at a monitor as soon as possible, if there is anything to be told of it.
    pub(super) fn look_soon(&mut self, id: &MonitorId, now: Now) {
        let at = self.common(now);
        let has_any = |machine: &Machine| !machine.state.alerts.is_empty() || machine.state.owed_end.is_some();
        if self.machines.get(id).is_some_and(has_any) {
            self.set_alert_look(id, Some(at));
        }
    }

    /// Looks at all monitors anew: something changed that concerns all of them.
    pub(super) fn look_at_all_alerts(&mut self, now: Now, change: &mut StateChange) {
        let ids: Vec<MonitorId> = self.machines.keys().cloned().collect();
        for id in ids {
            self.look_at_alerts(&id, None, now, change);
        }
    }

    /// What earlier runs left: acts of operators, and incidents of builds that kept no progress.
    pub(super) fn remember_alerts(&mut self, now: Now, change: &mut StateChange) {
        let at = self.common(now);
        let config = std::sync::Arc::clone(&self.config);
        for machine in self.machines.values_mut() {
            for incident in &machine.incidents {
                let is_known = machine.state.alerts.iter().any(|known| known.lane == incident.lane && known.epoch == incident.epoch);
                let Some(event) = incident::event(Move::Open(incident.lane), &incident.cause).filter(|_| !is_known) else { continue };
                let mut progress = Progress::new(incident.lane, incident.epoch, incident.confirmed_at, event);
                let plan = plan(&config, machine);
                policy::advance(&plan, Case::default(), &mut progress, at);
                progress.told.retain(|channel| machine.state.told.contains(channel));
                machine.state.alerts.push(progress);
            }
        }
        self.bury_acknowledgements(now, change);
    }

    /// A monitor began to fail, or is degraded: makes a plan, and tells whoever is told at once. When it happened too long ago to be news it is
    /// only noted who would have been told: they are told of its end.
    pub(super) fn tell_beginning(
        &mut self,
        incident: &Incident,
        (occasion, is_told): (Occasion, bool),
        now: Now,
        change: &mut StateChange,
    ) {
        let at = self.common(now);
        let id = &incident.monitor;
        let config = std::sync::Arc::clone(&self.config);
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.beat.as_ref().is_some_and(|beat| beat.is_hushed) {
            return;
        }
        // Whoever decided may have a clock that is ahead of ours; what is due at once is due now.
        let base = incident.confirmed_at.min(at);
        let mut progress = Progress::new(incident.lane, incident.epoch, base, occasion.event);
        progress.from_outage = occasion.from_outage;
        machine.state.alerts.retain(|known| known.lane != incident.lane);
        if !is_told {
            let plan = plan(&config, machine);
            policy::advance(&plan, Case::default(), &mut progress, at);
            let hears = |name: &ChannelName| config.channels.get(name).is_some_and(|channel| incident::hears(&channel.on, occasion, false));
            progress.told.retain(hears);
            machine.state.told.extend(progress.told.iter().cloned());
            machine.state.alerts.push(progress);
            return self.look_soon(id, now);
        }
        let policy = config.policy(&machine.monitor).filter(|policy| !policy.bundle.is_zero());
        machine.telling.gather_until = policy.map(|policy| {
            let until = self.alerts.gathering.entry(policy.name.clone()).or_insert(at);
            if *until <= at {
                *until = at + policy.bundle;
            }
            *until
        });
        machine.state.alerts.push(progress);
        let n_flaps = self.note_flap(incident.lane, id, at);
        self.look_at_alerts(id, n_flaps, now, change);
    }

    /// It is over: whoever was told of it, or of what was before it, is told so.
    pub(super) fn tell_end(&mut self, incident: &Incident, (occasion, is_told): (Occasion, bool), now: Now, change: &mut StateChange) {
        let at = self.common(now);
        let id = &incident.monitor;
        let n_flaps = if is_told { self.note_flap(incident.lane, id, at) } else { None };
        if is_told {
            self.tell_what_was_gathered(incident, now, change);
        }
        let Some(machine) = self.machines.get_mut(id) else { return };
        machine.state.alerts.retain(|known| known.lane != incident.lane);
        machine.state.owed_end = None;
        let calm_at = machine.telling.flaps.calm_at(at).filter(|_| n_flaps.is_none() && incident.lane != Lane::Regional);
        if let (Some(closed), Some(_)) = (incident.closed.filter(|closed| closed.how == CloseReason::Recovered), calm_at) {
            let cause = Cause::of(&incident.cause);
            let (lane, epoch, opened_at) = (incident.lane, incident.epoch, incident.opened_at);
            machine.state.owed_end = Some(OwedEnd { incident: incident.id.clone(), lane, epoch, opened_at, closed, cause });
            return self.set_alert_look(id, calm_at);
        }
        self.say_end(incident, (occasion, is_told, n_flaps), now, change);
        self.look_soon(id, now);
    }

    /// Of trouble that ends while openings are gathered both are told: gathering is to make few messages of many, and hides nothing.
    fn tell_what_was_gathered(&mut self, incident: &Incident, now: Now, change: &mut StateChange) {
        let is_over = incident.closed.is_some_and(|closed| matches!(closed.how, CloseReason::Recovered | CloseReason::RecoveredUnseen));
        let open = Incident { closed: None, ..incident.clone() };
        let hold = self.hold_of(&incident.monitor, &open, false, now);
        if !is_over || hold.is_some_and(|hold| !matches!(hold.why, Held::Gathering(_))) {
            return;
        }
        let Some(machine) = self.machines.get_mut(&incident.monitor) else { return };
        let is_it = |known: &Progress| known.lane == incident.lane && known.epoch == incident.epoch;
        let Some(mut progress) = machine.state.alerts.iter().find(|known| is_it(known)).cloned() else { return };
        let message = Message { incident: &open, acknowledged: None, n_flaps: None, now };
        for channel in std::mem::take(&mut progress.waiting) {
            self.owe_opening(&message, (&channel, None), &mut progress, change);
        }
    }

    fn say_end(
        &mut self,
        incident: &Incident,
        (occasion, is_told, n_flaps): (Occasion, bool, Option<u32>),
        now: Now,
        change: &mut StateChange,
    ) {
        let n_voters = self.n_voters(&incident.monitor);
        let config = std::sync::Arc::clone(&self.config);
        let Some(machine) = self.machines.get_mut(&incident.monitor) else { return };
        let alert = AlertFacts { n_flaps, ..AlertFacts::default() };
        let facts = IncidentFacts { alert, ..settle::facts(machine, incident, n_voters) };
        for name in machine.state.told.clone() {
            let on = config.channels.get(&name).map(|channel| &channel.on);
            // A channel that is not in the config may come back within the day for which its messages wait: a renaming that was a slip
            // must not leave it with a beginning and no end.
            if is_told && on.is_none_or(|on| incident::hears(on, occasion, true)) {
                let key = identity::notification_key(&incident.id, occasion.event, incident.epoch.next(), &name);
                change.notifications.push(notification(key, &name, occasion.event, facts.clone(), now));
            }
            if !on.is_some_and(|on| incident::stays_told(on, occasion)) {
                machine.state.told.remove(&name);
            }
        }
    }

    /// The monitor leaves the config: what was to be told later is told now.
    pub(super) fn forget_alerts(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        self.tell_owed_end(id, now, change);
        self.set_alert_look(id, None);
    }

    /// Takes in that a lane has changed; returns how often there were changes lately when that begins to be too often.
    fn note_flap(&mut self, lane: Lane, id: &MonitorId, at: UnixMillis) -> Option<u32> {
        let machine = self.machines.get_mut(id).filter(|_| lane != Lane::Regional)?;
        machine.telling.flaps.note(at)
    }

    /// Tells the end that waited for the monitor to calm down.
    pub(super) fn tell_owed_end(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        let Some(owed) = machine.state.owed_end.take() else { return };
        let incident = Incident {
            id: owed.incident,
            monitor: id.clone(),
            monitor_name: machine.monitor.name.clone(),
            lane: owed.lane,
            epoch: owed.epoch,
            opened_at: owed.opened_at,
            confirmed_at: owed.opened_at,
            closed: Some(owed.closed),
            cause: owed.cause.into_failure(),
            regions: crate::model::verdict::RegionView::default(),
            confidence: crate::model::verdict::Confidence::Full,
            diagnosis: None,
            evidence: Vec::new(),
        };
        let is_still_bad = machine.state.verdict == Verdict::Degraded;
        let from_outage = owed.lane == Lane::Outage;
        self.say_end(&incident, (Occasion { event: EventKind::Recovered, is_still_bad, from_outage }, true, None), now, change);
    }

    /// Asks what is due of a monitor's open incidents, and writes it. `n_flaps`: the change that is looked at is the one too many.
    pub(super) fn look_at_alerts(&mut self, id: &MonitorId, n_flaps: Option<u32>, now: Now, change: &mut StateChange) {
        let at = self.common(now);
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.state.alerts.is_empty() && machine.state.owed_end.is_none() && machine.telling.shown.is_empty() {
            return self.set_alert_look(id, None);
        }
        let awake_at = self.started_at + WAKING;
        let is_from_before = machine.state.alerts.iter().all(|progress| progress.base < self.started_at);
        if is_from_before && !machine.is_probed && machine.is_active() && now.wall < awake_at && self.started_at <= now.wall {
            return self.set_alert_look(id, Some(at + awake_at.since(now.wall)));
        }
        let is_calm = machine.telling.flaps.calm_down(at) || machine.telling.flaps.calm_at(at).is_none();
        let before = (machine.state.alerts.clone(), machine.state.owed_end.clone(), machine.state.told.clone());
        if is_calm && machine.state.owed_end.is_some() {
            if machine.state.outage.is_open() {
                // It is down again, and that is told instead.
                machine.state.owed_end = None;
            } else {
                self.tell_owed_end(id, now, change);
            }
        }
        let mut look = self.machines.get(id).filter(|machine| machine.state.owed_end.is_some()).and_then(|m| m.telling.flaps.calm_at(at));
        let mut shown = Vec::new();
        for lane in Lane::ALL {
            let Some((next, view)) = self.look_at_lane((id, lane), n_flaps, now, change) else { continue };
            look = [look, next].into_iter().flatten().min();
            shown.push(view);
        }
        self.set_alert_look(id, look);
        let Some(machine) = self.machines.get_mut(id) else { return };
        if machine.telling.shown != shown {
            machine.telling.shown = shown;
            machine.view = None;
            self.is_dirty = true;
        }
        if before != (machine.state.alerts.clone(), machine.state.owed_end.clone(), machine.state.told.clone()) {
            change.states.retain(|kept| kept.monitor != *id);
            change.states.push(machine.state.clone());
        }
    }

    fn look_at_lane(
        &mut self,
        (id, lane): (&MonitorId, Lane),
        n_flaps: Option<u32>,
        now: Now,
        change: &mut StateChange,
    ) -> Option<(Option<UnixMillis>, AlertView)> {
        let at = self.common(now);
        let machine = self.machines.get_mut(id)?;
        let place = machine.state.alerts.iter().position(|progress| progress.lane == lane)?;
        let mut progress = machine.state.alerts.remove(place);
        let incident = machine.incidents.iter().find(|open| open.lane == lane && open.epoch == progress.epoch)?.clone();
        let hold = self.hold_of(id, &incident, n_flaps.is_some(), now);
        let acknowledged = self.acknowledgement(&incident.id).cloned();
        let config = std::sync::Arc::clone(&self.config);
        let machine = self.machines.get(id)?;
        let plan = plan(&config, machine);
        let case = Case {
            acknowledged: acknowledged.as_ref(),
            holds_openings: hold.is_some(),
            holds_repeats: hold.as_ref().is_some_and(|hold| hold.is_for_all),
        };
        let due = policy::advance(&plan, case, &mut progress, at);
        let next = policy::next_look(&plan, case, &progress, at);
        let message = Message { incident: &incident, acknowledged, n_flaps, now };
        let late: BTreeSet<ChannelName> = plan.late_channels().cloned().collect();
        for due in due {
            match due {
                Due::Opening(channel) => {
                    let again = late.contains(&channel).then_some(Again::Escalation);
                    self.owe_opening(&message, (&channel, again), &mut progress, change);
                }
                Due::Repeat(channels, why) => self.owe_repeat(&message, (&channels, why), change),
            }
        }
        // Nothing is waited for as long as nobody is held back.
        let released = hold.as_ref().and_then(|hold| hold.look_at);
        let view = AlertView {
            incident: incident.id.clone(),
            acknowledged: message.acknowledged,
            told: progress.told.iter().cloned().collect(),
            waiting: progress.waiting.iter().cloned().collect(),
            held: hold.map(|hold| hold.why),
            next_at: next,
        };
        let machine = self.machines.get_mut(id)?;
        machine.state.alerts.insert(place.min(machine.state.alerts.len()), progress);
        Some(([next, released].into_iter().flatten().min(), view))
    }

    fn owe_opening(
        &mut self,
        message: &Message<'_>,
        (name, again): (&ChannelName, Option<Again>),
        progress: &mut Progress,
        change: &mut StateChange,
    ) {
        let incident = message.incident;
        let n_dependents = if progress.event == EventKind::Down { self.n_dependents(&incident.monitor) } else { 0 };
        let n_voters = self.n_voters(&incident.monitor);
        let config = std::sync::Arc::clone(&self.config);
        let Some(machine) = self.machines.get_mut(&incident.monitor) else { return };
        let occasion = Occasion { event: progress.event, is_still_bad: false, from_outage: progress.from_outage };
        let was_told = machine.state.told.contains(name);
        let channel = config.channels.get(name).filter(|channel| incident::hears(&channel.on, occasion, was_told));
        if channel.is_none() {
            progress.told.remove(name);
            return;
        }
        machine.state.told.insert(name.clone());
        let alert = AlertFacts { acknowledged: message.acknowledged.clone(), again, n_dependents, n_flaps: message.n_flaps };
        let facts = IncidentFacts { alert, ..open_facts(machine, incident, n_voters) };
        let key = identity::notification_key(&incident.id, progress.event, incident.epoch, name);
        change.notifications.push(notification(key, name, progress.event, facts, message.now));
    }

    fn owe_repeat(&self, message: &Message<'_>, (channels, why): (&[ChannelName], Repeat), change: &mut StateChange) {
        let again = match why {
            Repeat::Step(_) => Again::Escalation,
            Repeat::Reminder(n) => Again::Reminder(n),
            Repeat::SnoozeOver(_) => Again::SnoozeOver,
        };
        self.owe_again(message, (channels, EventKind::Reminder, &why.to_string()), Some(again), change);
    }

    /// Tells those who were told of an incident something more about it.
    fn owe_again(
        &self,
        message: &Message<'_>,
        (channels, event, what): (&[ChannelName], EventKind, &str),
        again: Option<Again>,
        change: &mut StateChange,
    ) {
        let (incident, now) = (message.incident, message.now);
        let Some(machine) = self.machines.get(&incident.monitor) else { return };
        let alert = AlertFacts { acknowledged: message.acknowledged.clone(), again, ..AlertFacts::default() };
        let duration = self.common(now).since(incident.opened_at);
        let facts = IncidentFacts { alert, duration, ..open_facts(machine, incident, self.n_voters(&incident.monitor)) };
        for name in channels {
            let hears = self.config.channels.get(name).is_some_and(|channel| channel.on.contains(&event));
            if hears && machine.state.told.contains(name) {
                let key = identity::repeat_key(&incident.id, event, what, name);
                change.notifications.push(notification(key, name, event, facts.clone(), now));
            }
        }
    }

    /// The channels that the plan for an open incident has reached by now, whether they were told or wanted to hear nothing of its beginning;
    /// `None` when nobody is told of anything at the moment.
    pub(super) fn channels_reached(&mut self, incident: &Incident, now: Now) -> Option<Vec<ChannelName>> {
        if self.hold_of(&incident.monitor, incident, false, now).is_some_and(|hold| hold.is_for_all) {
            return None;
        }
        let machine = self.machines.get(&incident.monitor)?;
        let progress = machine.state.alerts.iter().find(|known| known.lane == incident.lane && known.epoch == incident.epoch)?;
        let plan = plan(&self.config, machine);
        let taken = (0u8..).zip(plan.steps).filter(|(place, _)| progress.taken.contains(place));
        let named: BTreeSet<&ChannelName> = taken.flat_map(|(_, step)| step.channels.as_deref().unwrap_or(plan.channels)).collect();
        Some(named.into_iter().filter(|name| !progress.waiting.contains(*name)).cloned().collect())
    }

    /// What holds messages about this incident back. `is_one_too_many`: it has to be told that it goes up and down, now.
    fn hold_of(&mut self, id: &MonitorId, incident: &Incident, is_one_too_many: bool, now: Now) -> Option<Hold> {
        let at = self.common(now);
        let machine = self.machines.get(id)?;
        // What opened in a window was opened by another node, which has none; it is told, lest that node dies.
        if let Some(open) = machine.upkeep.as_ref().filter(|open| incident.confirmed_at < open.since) {
            // The window itself looks again when it closes.
            return Some(Hold { why: Held::Maintenance(open.span.to), is_for_all: true, look_at: None });
        }
        if let Some((silence, until)) = self.silence_of(machine, at) {
            return Some(Hold { why: Held::Silence(silence, until), is_for_all: true, look_at: Some(until) });
        }
        let calm_at = machine.telling.flaps.calm_at(at).filter(|_| !is_one_too_many && incident.lane != Lane::Regional);
        if let Some(calm_at) = calm_at {
            return Some(Hold { why: Held::Flapping(calm_at), is_for_all: true, look_at: Some(calm_at) });
        }
        if let Some(hold) = self.hold_of_parents(id, incident, now) {
            return Some(hold);
        }
        let gather_until = self.machines.get(id)?.telling.gather_until.filter(|until| at < *until)?;
        Some(Hold { why: Held::Gathering(gather_until), is_for_all: false, look_at: Some(gather_until) })
    }

    /// The silence that lasts longest.
    fn silence_of(&self, machine: &Machine, at: UnixMillis) -> Option<(SilenceId, UnixMillis)> {
        let silences = self.alerts.silences.iter().filter_map(|(id, fact)| Some((id, silence_of(fact)?)));
        let holding = silences.filter(|(_, silence)| silence.holds(at) && crate::config::selects(&silence.wanted, &machine.monitor));
        holding.map(|(id, silence)| (id.clone(), silence.until)).max_by_key(|(_, until)| *until)
    }

    fn acknowledgement(&self, incident: &IncidentId) -> Option<&Acknowledgement> {
        match &self.alerts.acknowledged.get(incident)?.said {
            Said::Acknowledgement(acknowledgement) => Some(acknowledgement),
            Said::Nothing | Said::Silence(_) | Said::Update(_) | Said::Postmortem(_) | Said::Announcement(_) | Said::Over => None,
        }
    }

    /// The silences that hold, or will, for pictures.
    pub(super) fn silences(&self) -> Vec<(SilenceId, Silence)> {
        let all = self.alerts.silences.iter().filter_map(|(id, fact)| Some((id.clone(), silence_of(fact)?.clone())));
        all.collect()
    }
}

/// The facts of an incident that is open, whatever is known of its monitor at this very moment.
fn open_facts(machine: &Machine, incident: &Incident, n_voters: (usize, usize)) -> IncidentFacts {
    let status = match incident.lane {
        Lane::Outage => Verdict::Down,
        Lane::Degradation => Verdict::Degraded,
        Lane::Regional => Verdict::Up,
    };
    IncidentFacts { status, ..settle::facts(machine, incident, n_voters) }
}

/// What a message is made of.
struct Message<'a> {
    incident: &'a Incident,
    acknowledged: Option<Acknowledgement>,
    n_flaps: Option<u32>,
    now: Now,
}

fn silence_of(fact: &OperatorFact) -> Option<&Silence> {
    match &fact.said {
        Said::Silence(silence) => Some(silence),
        Said::Nothing | Said::Acknowledgement(_) | Said::Update(_) | Said::Postmortem(_) | Said::Announcement(_) | Said::Over => None,
    }
}

/// The plan for a monitor's incidents.
fn plan<'a>(config: &'a Config, machine: &'a Machine) -> Plan<'a> {
    let policy = config.policy(&machine.monitor);
    Plan {
        steps: policy.map_or(&AT_ONCE, |policy| policy.steps.as_slice()),
        channels: &machine.monitor.channels,
        remind: match machine.monitor.remind {
            Reminders::ByPolicy => policy.and_then(|policy| policy.remind),
            Reminders::Never => None,
            Reminders::These(remind) => Some(remind),
        },
    }
}

fn notification(key: String, channel: &ChannelName, event: EventKind, facts: IncidentFacts, now: Now) -> Notification {
    let subject = Subject::Incident(Box::new(facts));
    Notification { key, channel: channel.clone(), event, at: now.wall, subject, may_be_repeat: false }
}
