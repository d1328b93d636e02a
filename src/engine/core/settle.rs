//! From a result to what follows from it: opinion, verdict, incidents, notifications.

use std::time::Duration;

use crate::consensus::decide;
use crate::consensus::decide::Decision;
use crate::consensus::decide::Rule;
use crate::consensus::decide::Vote;
use crate::consensus::identity;
use crate::engine::core::Core;
use crate::engine::core::machine::Machine;
use crate::engine::core::push_commit;
use crate::engine::event::Command;
use crate::engine::snapshot::Recent;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::VerdictChange;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::OwnTrouble;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::spoken;
use crate::model::verdict::Confidence;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::rules::incident;
use crate::rules::incident::Move;
use crate::rules::incident::Occasion;
use crate::rules::opinion;
use crate::rules::opinion::Evidence;

/// A verdict dated further ahead than this was dated by a wrong clock.
const FUTURE_MAX: Duration = Duration::from_secs(3600);

/// Lines of the confirming check that an incident keeps: enough for one hop with all its phases and headers.
const EVIDENCE_LINES_MAX: usize = 40;

impl Core {
    /// Takes in a result that is final: it was made by the check under way, and trouble of our own is already told apart.
    pub(super) fn settle(&mut self, began: Mono, result: CheckResult, now: Now, commands: &mut Vec<Command>) {
        let id = result.monitor.clone();
        let Some(machine) = self.machines.get_mut(&id) else { return };
        machine.await_nothing();
        machine.view = None;
        self.is_dirty = true;
        let before = machine.state.clone();
        let seen = Evidence { outcome: result.outcome, failure: result.failure.as_ref(), at: result.at };
        let (opinion, streak) = opinion::observe(&machine.state.opinion, &machine.state.streak, seen, machine.monitor.confirm);
        machine.state.opinion = opinion;
        machine.state.streak = streak;
        machine.state.remote = result.remote.or(machine.state.remote);
        machine.remember(Recent { at: result.at, outcome: result.outcome, took: result.timings.total });
        if matches!(result.outcome, Outcome::Down | Outcome::Degraded) {
            machine.unseen_since = None;
        }
        machine.last = Some(std::sync::Arc::new(result.clone()));
        // Without a grid the checks were spread anew while this one was under way: what is due then stays due.
        let next = machine.grid.or(machine.due).map(|regular| {
            let is_unsettled = opinion::is_unsettled(&machine.state.opinion, &machine.state.streak);
            if is_unsettled { regular.min((began + machine.monitor.confirm.recheck).max(now.mono)) } else { regular }
        });
        commands.push(Command::Record(result));
        let mut change = StateChange::default();
        self.decide(&id, now, &mut change);
        self.keep_state(&id, &before, &mut change);
        push_commit(commands, change, None);
        self.reschedule(&id, next.filter(|_| self.machines.get(&id).is_some_and(Machine::is_active)));
    }

    /// Adds the monitor's state to the change if a restart must find it: always with anything else that changes, and while a
    /// change of opinion is under way, so that counters survive. A monitor that merely stays as it is costs no write.
    fn keep_state(&self, id: &MonitorId, before: &MonitorState, change: &mut StateChange) {
        let Some(machine) = self.machines.get(id) else { return };
        let state = &machine.state;
        let is_under_way = |s: &MonitorState| opinion::is_unsettled(&s.opinion, &s.streak);
        let has_moved = (state.opinion.state, state.opinion.since) != (before.opinion.state, before.opinion.since)
            || (state.streak != before.streak && (is_under_way(state) || is_under_way(before)));
        if (has_moved || !change.is_empty()) && !change.states.iter().any(|kept| kept.monitor == *id) {
            change.states.push(state.clone());
        }
    }

    /// Works out the verdict and, if it changed, everything that follows.
    pub(super) fn decide(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        let votes = [Vote { region: self.config.instance.region.clone(), state: machine.is_here.then_some(machine.state.opinion.state) }];
        let rule = Rule::new(machine.monitor.quorum, votes.len());
        let verdict = if machine.state.opinion.state == OpinionState::Paused {
            Verdict::Paused
        } else {
            match decide::decide(&votes, rule, machine.open_lane()) {
                Decision::Hold(verdict) => verdict,
                // A minority that disagrees is shown beside a verdict that is up.
                Decision::Regional => Verdict::Up,
                Decision::Contested => machine.state.verdict,
                Decision::Insufficient => Verdict::Unknown,
            }
        };
        if verdict != machine.state.verdict {
            // A clock that was set back must not make a verdict older than the one before it, unless that one was dated by a
            // clock that was plainly wrong: waiting for such a time to come could take years.
            let before = machine.state.verdict_since;
            let before = if before > now.wall + FUTURE_MAX { now.wall } else { before };
            let since = machine.state.opinion.since.min(now.wall).max(before);
            machine.state.verdict = verdict;
            machine.state.verdict_since = since;
            change.verdicts.push(VerdictChange { monitor: id.clone(), at: since, verdict });
        }
        machine.view = None;
        let moves = incident::moves(verdict, machine.epochs());
        let from_outage = moves.contains(&Move::Close(Lane::Outage, CloseReason::Recovered));
        for what in moves {
            self.carry_out(id, Step { what, from_outage }, now, change);
        }
        if !change.is_empty()
            && let Some(machine) = self.machines.get(id)
        {
            change.states.retain(|kept| kept.monitor != *id);
            change.states.push(machine.state.clone());
        }
    }

    /// Opens or closes one incident and writes the messages that are owed for it.
    pub(super) fn carry_out(&mut self, id: &MonitorId, step: Step, now: Now, change: &mut StateChange) {
        let incident = match step.what {
            Move::Open(lane) => self.open(id, lane, now),
            Move::Close(lane, reason) => self.close(id, lane, reason, now),
        };
        let (Some(incident), Some(machine)) = (incident, self.machines.get_mut(id)) else { return };
        match incident.closed {
            None => change.opened.push(incident.clone()),
            Some(closed) => change.closed.push((incident.id.clone(), closed)),
        }
        let Some(event) = incident::event(step.what, &incident.cause) else { return };
        let occasion = Occasion { event, is_still_bad: machine.state.verdict == Verdict::Degraded, from_outage: step.from_outage };
        let epoch = machine.epochs().of(incident.lane);
        let facts = facts(machine, &incident);
        // An opening is for the channels of the monitor; a recovery for those that heard of an opening, wherever they are now.
        let is_end = event == EventKind::Recovered;
        let names: Vec<ChannelName> = if is_end { machine.state.told.iter().cloned().collect() } else { machine.monitor.channels.clone() };
        for name in names {
            let Some(channel) = self.config.channels.get(&name) else {
                machine.state.told.remove(&name);
                continue;
            };
            let was_told = machine.state.told.contains(&name);
            if incident::hears(&channel.on, occasion, was_told) {
                change.notifications.push(Notification {
                    key: identity::notification_key(&incident.id, event, epoch, &name),
                    channel: name.clone(),
                    event,
                    at: now.wall,
                    subject: Subject::Incident(Box::new(facts.clone())),
                });
                if !is_end {
                    machine.state.told.insert(name.clone());
                }
            }
            if is_end && !incident::stays_told(&channel.on, occasion) {
                machine.state.told.remove(&name);
            }
        }
    }

    fn open(&mut self, id: &MonitorId, lane: Lane, now: Now) -> Option<Incident> {
        let region = self.config.instance.region.clone();
        let machine = self.machines.get_mut(id)?;
        let epoch = advance(machine, lane);
        let mut evidence = machine.last.as_ref().map(|last| last.transcript.lines.clone()).unwrap_or_default();
        evidence.truncate(EVIDENCE_LINES_MAX);
        let incident = Incident {
            id: identity::incident_id(&self.cluster, id, lane, epoch),
            monitor: id.clone(),
            monitor_name: machine.monitor.name.clone(),
            lane,
            epoch,
            opened_at: machine.state.opinion.since,
            confirmed_at: now.wall,
            closed: None,
            cause: cause(machine),
            regions: decide::regions(&[Vote { region, state: machine.is_here.then_some(machine.state.opinion.state) }]),
            confidence: Confidence::Full,
            evidence,
        };
        machine.incidents.push(incident.clone());
        Some(incident)
    }

    fn close(&mut self, id: &MonitorId, lane: Lane, reason: CloseReason, now: Now) -> Option<Incident> {
        let machine = self.machines.get_mut(id)?;
        let open = identity::incident_id(&self.cluster, id, lane, machine.epochs().of(lane));
        advance(machine, lane);
        let at = machine.incidents.iter().position(|incident| incident.id == open)?;
        let mut incident = machine.incidents.remove(at);
        incident.closed = Some(closing(machine, &incident, reason, now));
        Some(incident)
    }
}

/// A move, and whether an outage ended in the same moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) what: Move,
    pub(super) from_outage: bool,
}

/// Moves a lane to its next epoch.
pub(super) fn advance(machine: &mut Machine, lane: Lane) -> Epoch {
    let epoch = match lane {
        Lane::Outage => &mut machine.state.outage,
        Lane::Degradation => &mut machine.state.degradation,
    };
    *epoch = epoch.next();
    *epoch
}

fn cause(machine: &Machine) -> Failure {
    let unexplained = || Failure::Own(OwnTrouble::Setup("the reason was not kept".to_owned()));
    machine.state.opinion.failure.clone().unwrap_or_else(unexplained)
}

/// When and how an incident ended. If nothing bad was seen since we came back, it ended at an unknown time while we were away.
fn closing(machine: &Machine, incident: &Incident, reason: CloseReason, now: Now) -> Closed {
    match reason {
        CloseReason::Recovered | CloseReason::RecoveredUnseen | CloseReason::Superseded => {
            let is_unseen = machine.unseen_since.is_some() && reason == CloseReason::Recovered;
            let how = if is_unseen { CloseReason::RecoveredUnseen } else { reason };
            Closed { at: machine.state.opinion.since.max(incident.opened_at), how }
        }
        CloseReason::Removed | CloseReason::Paused => Closed { at: now.wall.max(incident.opened_at), how: reason },
    }
}

fn facts(machine: &Machine, incident: &Incident) -> IncidentFacts {
    let (monitor, closed) = (&machine.monitor, incident.closed);
    let regions = match closed {
        None => incident.regions.clone(),
        // Once it is over, nobody says it fails; who did is in the incident.
        Some(_) => RegionView {
            failing: Vec::new(),
            fine: incident.regions.failing.iter().chain(&incident.regions.fine).cloned().collect(),
            unknown: incident.regions.unknown.clone(),
        },
    };
    IncidentFacts {
        incident: incident.id.clone(),
        monitor: monitor.id.clone(),
        monitor_name: monitor.name.clone(),
        group: monitor.group.clone(),
        target: monitor.target(),
        status: match closed.map(|closed| closed.how) {
            Some(CloseReason::Removed) => Verdict::Unknown,
            Some(CloseReason::Recovered | CloseReason::RecoveredUnseen | CloseReason::Superseded | CloseReason::Paused) | None => {
                machine.state.verdict
            }
        },
        started_at: incident.opened_at,
        duration: closed.map_or(Duration::ZERO, |closed| closed.at.since(incident.opened_at)),
        cause: incident.cause.to_string(),
        cause_code: incident.cause.code().to_owned(),
        lane: incident.lane,
        closed: closed.map(|closed| closed.how),
        regions_failing: regions.failing,
        regions_fine: regions.fine,
        regions_unknown: regions.unknown,
        confidence: incident.confidence,
        evidence: machine.last.as_ref().map_or_else(String::new, |last| evidence(last)),
        runbook: monitor.runbook.clone(),
    }
}

/// The facts of an incident whose monitor is not configured any more: what the incident itself has kept.
pub(super) fn facts_of_removed(incident: &Incident) -> IncidentFacts {
    IncidentFacts {
        incident: incident.id.clone(),
        monitor: incident.monitor.clone(),
        monitor_name: incident.monitor_name.clone(),
        group: None,
        target: String::new(),
        status: Verdict::Unknown,
        started_at: incident.opened_at,
        duration: incident.closed.map_or(Duration::ZERO, |closed| closed.at.since(incident.opened_at)),
        cause: incident.cause.to_string(),
        cause_code: incident.cause.code().to_owned(),
        lane: incident.lane,
        closed: incident.closed.map(|closed| closed.how),
        regions_failing: Vec::new(),
        regions_fine: Vec::new(),
        regions_unknown: incident.regions.failing.clone(),
        confidence: incident.confidence,
        evidence: String::new(),
        runbook: None,
    }
}

/// One line of what the newest check saw.
fn evidence(result: &CheckResult) -> String {
    let mut parts = Vec::new();
    if let Some(remote) = result.remote {
        parts.push(format!("from {remote}"));
    }
    if let Some(status) = result.status {
        parts.push(format!("status {status}"));
    }
    for (phase, took) in result.timings.phases() {
        if let Some(took) = took {
            parts.push(format!("{} {}", phase.word(), spoken(took)));
        }
    }
    parts.push(format!("total {}", spoken(result.timings.total)));
    parts.join(", ")
}
