//! What operators say about alerts: acknowledgements, snoozes, silences. Kept as facts and known on every node.

use std::time::Duration;

use crate::consensus::codec;
use crate::engine::core::Core;
use crate::engine::core::alerts::Message;
use crate::engine::core::alerts::silence_of;
use crate::engine::core::create;
use crate::engine::handle::Refused;
use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::notification::Again;
use crate::model::notification::EventKind;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::peer::Stamp;
use crate::model::policy::Acknowledgement;
use crate::model::policy::BY_CHARS_MAX;
use crate::model::policy::NOTE_CHARS_MAX;
use crate::model::policy::QUIET_MAX;
use crate::model::policy::SILENCE_PATTERNS_MAX;
use crate::model::policy::SILENCES_MAX;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::update::About;

/// What is over is kept this long. Every node finds that by itself, also one that was away for longer.
pub(in crate::engine::core) const TOMBSTONES_FOR: Duration = Duration::from_secs(7 * 86_400);

/// What an operator ended before its time no other node finds by itself: it is kept until it would be over anyhow.
const ENDED_FOR: Duration = QUIET_MAX.saturating_add(TOMBSTONES_FOR);

/// Shortest silence and snooze: what is over before one has read it helps nobody.
const QUIET_MIN: Duration = Duration::from_secs(60);

impl Core {
    /// Somebody is at work on an incident, or wants to hear of it later.
    pub(in crate::engine::core) fn acknowledge(
        &mut self,
        incident: &IncidentId,
        ack: &Acknowledgement,
        now: Now,
    ) -> Result<StateChange, Refused> {
        self.open_incident(incident)?;
        check_words(&ack.by, &ack.note)?;
        if let Some(until) = ack.until {
            check_end(until, self.common(now))?;
        }
        let ack = Acknowledgement { at: self.common(now), ..ack.clone() };
        self.do_act(OperatorAct::Acknowledge(incident.clone()), Said::Acknowledgement(ack), true, now)
    }

    /// Nobody is at work on it after all.
    pub(in crate::engine::core) fn withdraw(&mut self, incident: &IncidentId, now: Now) -> Result<StateChange, Refused> {
        self.open_incident(incident)?;
        if !self.alerts.acknowledged.contains_key(incident) {
            return Err(Refused::NotNow(format!("nobody has acknowledged `{incident}`")));
        }
        self.do_act(OperatorAct::Acknowledge(incident.clone()), Said::Nothing, false, now)
    }

    /// Nobody is told of new trouble of some monitors for a while.
    pub(in crate::engine::core) fn silence(&mut self, id: &SilenceId, silence: &Silence, now: Now) -> Result<StateChange, Refused> {
        let at = self.common(now);
        check_words(&silence.by, &silence.note)?;
        check_end(silence.until, at.max(silence.from))?;
        let wanted = &silence.wanted;
        let n_parts = wanted.names.len() + wanted.groups.len() + wanted.labels.len();
        if n_parts == 0 {
            return Err(Refused::NotNow("a silence must say which monitors it is for: names, groups or labels".to_owned()));
        }
        if SILENCE_PATTERNS_MAX < n_parts {
            return Err(Refused::NotNow(format!("a silence names at most {SILENCE_PATTERNS_MAX} patterns and labels")));
        }
        if SILENCES_MAX <= self.alerts.silences.len() && !self.alerts.silences.contains_key(id) {
            return Err(Refused::NotNow(format!("there are {SILENCES_MAX} silences already; end some of them first")));
        }
        let silence = Silence { from: silence.from.max(at), ..silence.clone() };
        self.do_act(OperatorAct::Silence(id.clone()), Said::Silence(silence), true, now)
    }

    /// A silence is over now.
    pub(in crate::engine::core) fn end_silence(&mut self, id: &SilenceId, now: Now) -> Result<StateChange, Refused> {
        if !self.alerts.silences.contains_key(id) {
            return Err(Refused::NotNow(format!("there is no silence `{id}`")));
        }
        self.do_act(OperatorAct::Silence(id.clone()), Said::Nothing, false, now)
    }

    fn open_incident(&self, id: &IncidentId) -> Result<(), Refused> {
        if self.find_open(id).is_some() { Ok(()) } else { Err(Refused::NotNow(format!("there is no open incident `{id}`"))) }
    }

    fn find_open(&self, id: &IncidentId) -> Option<Incident> {
        self.machines.values().flat_map(|machine| &machine.incidents).find(|incident| incident.id == *id).cloned()
    }

    pub(in crate::engine::core) fn do_act(&mut self, act: OperatorAct, said: Said, holds: bool, now: Now) -> Result<StateChange, Refused> {
        check_fits(&act, &said, now)?;
        if self.cluster.is_some() {
            return Ok(self.act_for_all(act, said, holds, now));
        }
        let stamp = create::stamp_alone(now.wall).ok_or(Refused::Stopping)?;
        let fact = OperatorFact { act, stamp, holds, said };
        let mut change = StateChange::default();
        change.facts.extend(kept(&fact, now));
        self.obey(&fact, now, &mut change);
        Ok(change)
    }

    /// Acts of earlier runs, before anything else is known.
    pub(in crate::engine::core) fn remember_acts(&mut self, facts: &[Record]) {
        for record in facts {
            let Record::Operator(fact) = record else { continue };
            match &fact.act {
                OperatorAct::Acknowledge(incident) if fact.holds => {
                    self.alerts.acknowledged.insert(incident.clone(), fact.clone());
                }
                OperatorAct::Silence(id) if fact.holds => {
                    self.alerts.silences.insert(id.clone(), fact.clone());
                }
                OperatorAct::Acknowledge(_)
                | OperatorAct::Silence(_)
                | OperatorAct::Pause(_)
                | OperatorAct::Create(_)
                | OperatorAct::Update(..)
                | OperatorAct::Postmortem(..)
                | OperatorAct::Announce(_) => {}
            }
        }
    }

    /// Does what an acknowledgement says, here: those who were told of the incident are told, and repeats stop.
    pub(in crate::engine::core) fn obey_acknowledgement(
        &mut self,
        id: &IncidentId,
        fact: &OperatorFact,
        now: Now,
        change: &mut StateChange,
    ) {
        let is_known = self.alerts.acknowledged.get(id).is_some_and(|known| fact.holds && known.said == fact.said);
        let was_there =
            if fact.holds { self.alerts.acknowledged.insert(id.clone(), fact.clone()) } else { self.alerts.acknowledged.remove(id) };
        if is_known || (!fact.holds && was_there.is_none()) {
            return;
        }
        self.is_dirty = true;
        let Some(incident) = self.find_open(id) else {
            // Its incident may be heard of later, or be over; who restarts asks again.
            return;
        };
        let machine = self.machines.get(&incident.monitor);
        let progress = machine.and_then(|machine| machine.state.alerts.iter().find(|progress| progress.lane == incident.lane));
        let told: Vec<ChannelName> = progress.map(|known| known.told.iter().cloned().collect()).unwrap_or_default();
        let what = format!("{} {} {}", fact.stamp.wall.0, fact.stamp.counter, fact.stamp.by);
        // A service that said so itself would say it once more when it is told, and so on for ever; and it says itself that it was taken back.
        let said_before = was_there.map(|before| before.said).filter(|_| !fact.holds);
        let by_channel = match said_before.as_ref().unwrap_or(&fact.said) {
            Said::Acknowledgement(acknowledgement) => acknowledgement.by_channel.clone(),
            Said::Nothing | Said::Silence(_) | Said::Update(_) | Said::Postmortem(_) | Said::Announcement(_) | Said::Over => None,
        };
        let told: Vec<ChannelName> = told.into_iter().filter(|name| by_channel.as_ref() != Some(name)).collect();
        match &fact.said {
            Said::Acknowledgement(acknowledgement) => {
                let message = Message { incident: &incident, acknowledged: Some(acknowledgement.clone()), n_flaps: None, now };
                self.owe_again(&message, (&told, EventKind::Acknowledged, &what), None, change);
            }
            // Whoever relied on somebody must know that nobody is at it now.
            Said::Nothing if self.hold_of(&incident.monitor, &incident, false, now).is_none_or(|hold| !hold.is_for_all) => {
                let message = Message { incident: &incident, acknowledged: None, n_flaps: None, now };
                self.owe_again(&message, (&told, EventKind::Reminder, &what), Some(Again::Withdrawn), change);
            }
            Said::Nothing | Said::Silence(_) | Said::Update(_) | Said::Postmortem(_) | Said::Announcement(_) | Said::Over => {}
        }
        self.look_at_alerts(&incident.monitor, None, now, change);
    }

    /// Does what a silence says, here.
    pub(in crate::engine::core) fn obey_silence(&mut self, id: &SilenceId, fact: &OperatorFact, now: Now, change: &mut StateChange) {
        let at = self.common(now);
        let is_on = fact.holds && silence_of(fact).is_some_and(|silence| at < silence.until);
        let before = if is_on { self.alerts.silences.insert(id.clone(), fact.clone()) } else { self.alerts.silences.remove(id) };
        if before.as_ref() == Some(fact).filter(|_| is_on) {
            return;
        }
        self.is_dirty = true;
        self.look_at_all_alerts(now, change);
    }

    /// Whether somebody found an acknowledgement, or a text, to be over that holds here, for an incident that is open. The news of its end is on
    /// its way as well, and this node will find the same then; until then it must not have people reminded of what somebody was at work on to
    /// the end. What was said at the end of an announcement may be gone with the rest of it.
    pub(in crate::engine::core) fn is_ahead(&self, fact: &OperatorFact) -> bool {
        let (incident, is_here) = match &fact.act {
            OperatorAct::Acknowledge(incident) => (incident, self.alerts.acknowledged.contains_key(incident)),
            OperatorAct::Update(About::Incident(incident), _) | OperatorAct::Postmortem(incident, _) => {
                (incident, self.texts.holds(&fact.act))
            }
            OperatorAct::Update(About::Announcement(_), _)
            | OperatorAct::Announce(_)
            | OperatorAct::Silence(_)
            | OperatorAct::Pause(_)
            | OperatorAct::Create(_) => return false,
        };
        fact.said == Said::Over && is_here && self.find_open(incident).is_some()
    }

    /// The incident is over, and what was said of it need not be kept for ever.
    pub(in crate::engine::core) fn bury_acknowledgement(&mut self, id: &IncidentId, now: Now, change: &mut StateChange) {
        if let Some(fact) = self.alerts.acknowledged.remove(id) {
            self.take_back(fact, now, change);
        }
    }

    /// Lets silences go whose time is over.
    pub(in crate::engine::core) fn bury_silences(&mut self, now: Now, change: &mut StateChange) {
        let at = self.common(now);
        let over = self.alerts.silences.extract_if(.., |_, fact| silence_of(fact).is_none_or(|silence| silence.until <= at));
        let over: Vec<OperatorFact> = over.map(|(_, fact)| fact).collect();
        self.is_dirty |= !over.is_empty();
        for fact in over {
            self.take_back(fact, now, change);
        }
    }

    /// What was said is over. Every node finds that by itself and takes it back in the same words, so that nothing need be agreed on; and what is
    /// taken back goes by itself after a while, here and from the news of the nodes.
    pub(in crate::engine::core) fn take_back(&mut self, fact: OperatorFact, now: Now, change: &mut StateChange) {
        let stamp = Stamp { counter: fact.stamp.counter.saturating_add(1), ..fact.stamp };
        let over = OperatorFact { act: fact.act, stamp, holds: false, said: Said::Over };
        change.facts.extend(kept(&over, now));
        let Some(cluster) = &mut self.cluster else { return };
        let is_old = |fact: &OperatorFact| !fact.holds && tombstone_for(fact).is_some_and(|long| long <= now.wall.since(fact.stamp.wall));
        cluster.acts.retain(|_, fact| !is_old(fact));
        cluster.acts.insert(over.act.clone(), over.clone());
        self.after_commit.push(Record::Operator(over));
    }

    /// The same for all incidents that are over; for who watches alone. What others said of an incident may be known before the incident is.
    pub(in crate::engine::core) fn bury_acknowledgements(&mut self, now: Now, change: &mut StateChange) {
        if self.cluster.is_some() {
            return;
        }
        let open: std::collections::BTreeSet<IncidentId> =
            self.machines.values().flat_map(|machine| &machine.incidents).map(|incident| incident.id.clone()).collect();
        let over: Vec<IncidentId> = self.alerts.acknowledged.keys().filter(|id| !open.contains(*id)).cloned().collect();
        for id in over {
            self.bury_acknowledgement(&id, now, change);
        }
    }

    /// All acts about alerts, as they are kept.
    pub(in crate::engine::core) fn acts_kept(&self) -> Vec<StoredFact> {
        let all = self.alerts.acknowledged.values().chain(self.alerts.silences.values());
        all.filter_map(|fact| codec::stored(&Record::Operator(fact.clone()), None)).collect()
    }
}

/// The writer's name in a stamp may be longer than the one that stands in for it.
pub(in crate::engine::core) const ROOM_FOR_NAME: usize = 200;

/// The fact as it is kept, as long as it is needed.
pub(in crate::engine::core) fn kept(fact: &OperatorFact, now: Now) -> Option<StoredFact> {
    let until = match silence_of(fact) {
        _ if !fact.holds => tombstone_for(fact).map(|long| now.wall + long),
        Some(silence) => Some(silence.until.max(now.wall) + TOMBSTONES_FOR),
        None => None,
    };
    codec::stored(&Record::Operator(fact.clone()), until)
}

/// How long it is remembered that something does not hold any more; `None`: until something else is said of it, or what it is about goes.
fn tombstone_for(fact: &OperatorFact) -> Option<Duration> {
    match &fact.act {
        _ if fact.said == Said::Over => Some(TOMBSTONES_FOR),
        OperatorAct::Acknowledge(_) | OperatorAct::Silence(_) => Some(ENDED_FOR),
        OperatorAct::Pause(_) | OperatorAct::Create(_) => None,
        OperatorAct::Update(..) | OperatorAct::Postmortem(..) | OperatorAct::Announce(_) => None,
    }
}

/// Refuses what the records of the gossip cannot carry.
pub(in crate::engine::core) fn check_fits(act: &OperatorAct, said: &Said, now: Now) -> Result<(), Refused> {
    let stamp = create::stamp_alone(now.wall).ok_or(Refused::Stopping)?;
    let fact = OperatorFact { act: act.clone(), stamp, holds: true, said: said.clone() };
    let is_too_long = |(_, value): (String, String)| codec::VALUE_BYTES_MAX - ROOM_FOR_NAME < value.len();
    if codec::encode(&Record::Operator(fact)).is_some_and(is_too_long) {
        return Err(Refused::NotNow("this is too long to be told to all nodes; shorten it, or use fewer patterns".to_owned()));
    }
    Ok(())
}

pub(in crate::engine::core) fn check_words(by: &str, note: &str) -> Result<(), Refused> {
    if by.trim().is_empty() || BY_CHARS_MAX < by.chars().count() {
        return Err(Refused::NotNow(format!("say who you are in 1 to {BY_CHARS_MAX} characters")));
    }
    if NOTE_CHARS_MAX < note.chars().count() {
        return Err(Refused::NotNow(format!("a note has at most {NOTE_CHARS_MAX} characters")));
    }
    Ok(())
}

fn check_end(until: UnixMillis, from: UnixMillis) -> Result<(), Refused> {
    let lasts = until.since(from);
    if lasts < QUIET_MIN {
        return Err(Refused::NotNow(format!("the end must be at least {} ahead", spoken(QUIET_MIN))));
    }
    if QUIET_MAX < lasts {
        return Err(Refused::NotNow(format!("{} is the longest; switch off what is not to be watched for longer", spoken(QUIET_MAX))));
    }
    Ok(())
}
