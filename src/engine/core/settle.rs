//! From a result to what follows from it: opinion, verdict, incidents, notifications.

use std::time::Duration;

use crate::consensus::decide;
use crate::consensus::decide::Decision;
use crate::consensus::decide::Rule;
use crate::consensus::decide::Vote;
use crate::consensus::identity;
use crate::engine::core::Core;
use crate::engine::core::machine::Machine;
use crate::engine::core::maintenance;
use crate::engine::event::Command;
use crate::engine::snapshot::Recent;
use crate::model::change::MonitorState;
use crate::model::change::StateChange;
use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Incident;
use crate::model::incident::Lane;
use crate::model::notification::AlertFacts;
use crate::model::notification::IncidentFacts;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::OwnTrouble;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::rules::certificate;
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
        let is_first = !std::mem::replace(&mut machine.is_probed, true);
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
        self.say_opinion(&id);
        self.decide(&id, now, &mut change);
        self.tell_children(&id, now);
        if is_first {
            self.look_soon(&id, now);
        }
        self.warn_of_certificate(&id, now, &mut change);
        self.keep_state(&id, &before, &mut change);
        self.commit(commands, change, None);
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
        if self.cluster.is_some() {
            self.decide_together(id, now, change);
        } else {
            self.decide_alone(id, now, change);
        }
        self.keep_changed(id, change);
    }

    /// Whatever else a change says of a monitor, its newest state goes with it.
    pub(super) fn keep_changed(&self, id: &MonitorId, change: &mut StateChange) {
        if !change.is_empty()
            && let Some(machine) = self.machines.get(id)
        {
            change.states.retain(|kept| kept.monitor != *id);
            change.states.push(machine.state.clone());
        }
    }

    fn decide_alone(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        let votes = [Vote { region: self.config.instance.region.clone(), state: machine.is_here.then_some(machine.state.opinion.state) }];
        let rule = Rule::new(machine.monitor.quorum, machine.monitor.n_regions_min, votes.len());
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
        let since = machine.state.opinion.since;
        self.hold(id, (verdict, since), now, change);
        self.move_lanes(id, verdict, now, change);
    }

    /// Holds this verdict since then.
    pub(super) fn hold(&mut self, id: &MonitorId, (verdict, since): (Verdict, UnixMillis), now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get_mut(id) else { return };
        machine.view = None;
        let (verdict, since) = maintenance::held(machine, (verdict, since));
        if verdict == machine.state.verdict {
            return;
        }
        // A clock that was set back must not make a verdict older than the one before it, unless that one was dated by a
        // clock that was plainly wrong: waiting for such a time to come could take years.
        let before = machine.state.verdict_since;
        let before = if before > now.wall + FUTURE_MAX { now.wall } else { before };
        let since = since.min(now.wall).max(before);
        machine.state.verdict = verdict;
        machine.state.verdict_since = since;
        change.verdicts.push(VerdictChange { monitor: id.clone(), at: since, verdict });
        self.tell_children(id, now);
    }

    /// Opens and closes what this verdict means, as this vantage saw it.
    fn move_lanes(&mut self, id: &MonitorId, verdict: Verdict, now: Now, change: &mut StateChange) {
        let Some(machine) = self.machines.get(id) else { return };
        let moves = maintenance::permitted(machine, incident::moves(verdict, machine.epochs()));
        let from_outage = moves.contains(&Move::Close(Lane::Outage, CloseReason::Recovered));
        for what in moves {
            let detail = self.detail(id, what, now);
            self.carry_out(id, Step { what, from_outage, detail, is_told: true }, now, change);
        }
    }

    /// What this vantage alone knows of a move.
    pub(super) fn detail(&self, id: &MonitorId, what: Move, now: Now) -> Detail {
        match (what, self.machines.get(id)) {
            (Move::Open(_), Some(machine)) => Detail::Opening(Box::new(self.own_opening(machine, now))),
            (Move::Close(lane, reason), Some(machine)) => Detail::Closing(closing(machine, lane, reason, now)),
            (Move::Open(_) | Move::Close(..), None) => Detail::Closing(Closed { at: now.wall, how: CloseReason::Removed }),
        }
    }

    fn own_opening(&self, machine: &Machine, now: Now) -> Opening {
        let region = self.config.instance.region.clone();
        Opening {
            monitor_name: machine.monitor.name.clone(),
            opened_at: machine.state.opinion.since,
            confirmed_at: now.wall,
            cause: cause(machine),
            regions: decide::regions(&[Vote { region, state: machine.is_here.then_some(machine.state.opinion.state) }]),
            confidence: Confidence::Full,
            diagnosis: None,
            evidence: own_evidence(machine),
        }
    }

    /// Opens or closes one incident and writes the messages that are owed for it.
    pub(super) fn carry_out(&mut self, id: &MonitorId, step: Step, now: Now, change: &mut StateChange) {
        let incident = match (step.what, step.detail) {
            (Move::Open(lane), Detail::Opening(opening)) => self.open(id, lane, *opening),
            (Move::Close(lane, _), Detail::Closing(closed)) => self.close(id, lane, closed),
            (Move::Open(_), Detail::Closing(_)) | (Move::Close(..), Detail::Opening(_)) => None,
        };
        let Some(incident) = incident else { return };
        match incident.closed {
            None => change.opened.push(incident.clone()),
            Some(closed) => {
                change.closed.push((incident.id.clone(), closed));
                self.texts.ended(&incident.id, closed.at);
                self.bury_acknowledgement(&incident.id, now, change);
            }
        }
        let (Some(event), Some(machine)) = (incident::event(step.what, &incident.cause), self.machines.get(id)) else { return };
        let is_still_bad = machine.state.verdict == Verdict::Degraded;
        let occasion = Occasion { event, is_still_bad, from_outage: step.from_outage };
        self.tell_channels(&incident, (occasion, step.is_told), now, change);
    }

    /// Writes the messages that a move owes, or plans them. When it happened too long ago to be news, nothing is written, and only noted who
    /// would have been told: they are told of its end.
    pub(super) fn tell_channels(&mut self, incident: &Incident, what: (Occasion, bool), now: Now, change: &mut StateChange) {
        if incident.closed.is_some() {
            self.tell_end(incident, what, now, change);
        } else {
            self.tell_beginning(incident, what, now, change);
        }
    }

    fn open(&mut self, id: &MonitorId, lane: Lane, opening: Opening) -> Option<Incident> {
        let machine = self.machines.get_mut(id)?;
        let epoch = advance(machine, lane);
        let incident = incident_of(&self.cluster_name, (id, lane, epoch), opening);
        machine.incidents.push(incident.clone());
        Some(incident)
    }

    fn close(&mut self, id: &MonitorId, lane: Lane, closed: Closed) -> Option<Incident> {
        let machine = self.machines.get_mut(id)?;
        advance(machine, lane);
        let at = machine.incidents.iter().position(|incident| incident.lane == lane)?;
        let mut incident = machine.incidents.remove(at);
        incident.closed = Some(Closed { at: closed.at.max(incident.opened_at), how: closed.how });
        Some(incident)
    }
}

/// An incident as it opens.
pub(super) fn incident_of(cluster: &str, (id, lane, epoch): (&MonitorId, Lane, Epoch), opening: Opening) -> Incident {
    Incident {
        id: identity::incident_id(cluster, id, lane, epoch),
        monitor: id.clone(),
        monitor_name: opening.monitor_name,
        lane,
        epoch,
        opened_at: opening.opened_at,
        confirmed_at: opening.confirmed_at,
        closed: None,
        cause: opening.cause,
        regions: opening.regions,
        confidence: opening.confidence,
        diagnosis: opening.diagnosis,
        evidence: opening.evidence,
    }
}

/// A move with everything that is known of it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) what: Move,
    /// An outage ended in the same moment.
    pub(super) from_outage: bool,
    /// Of the same kind as the move.
    pub(super) detail: Detail,
    /// It is news: messages are owed for it.
    pub(super) is_told: bool,
}

/// What is known of a move.
#[derive(Debug, Clone)]
pub(super) enum Detail {
    Opening(Box<Opening>),
    Closing(Closed),
}

/// What is known of an incident when it opens.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    pub(super) monitor_name: String,
    pub(super) opened_at: UnixMillis,
    pub(super) confirmed_at: UnixMillis,
    pub(super) cause: Failure,
    pub(super) regions: RegionView,
    pub(super) confidence: Confidence,
    pub(super) diagnosis: Option<Diagnosis>,
    pub(super) evidence: Vec<String>,
}

/// The epoch of a lane.
pub(super) fn epoch_of(machine: &mut Machine, lane: Lane) -> &mut Epoch {
    match lane {
        Lane::Outage => &mut machine.state.outage,
        Lane::Degradation => &mut machine.state.degradation,
        Lane::Regional => &mut machine.state.regional,
    }
}

/// Moves a lane to its next epoch.
pub(super) fn advance(machine: &mut Machine, lane: Lane) -> Epoch {
    let epoch = epoch_of(machine, lane);
    *epoch = epoch.next();
    *epoch
}

/// Lines of the newest check, as evidence.
pub(super) fn own_evidence(machine: &Machine) -> Vec<String> {
    let mut evidence = match &machine.beat {
        Some(beat) => beat.last_fail.lines.clone(),
        None => machine.last.as_ref().map(|last| last.transcript.lines.clone()).unwrap_or_default(),
    };
    evidence.truncate(EVIDENCE_LINES_MAX);
    evidence
}

pub(super) fn cause(machine: &Machine) -> Failure {
    let unexplained = || Failure::Own(OwnTrouble::Setup("the reason was not kept".to_owned()));
    machine.state.opinion.failure.clone().unwrap_or_else(unexplained)
}

/// When and how an incident ended. If nothing bad was seen since we came back, it ended at an unknown time while we were away.
fn closing(machine: &Machine, lane: Lane, reason: CloseReason, now: Now) -> Closed {
    let opened_at = machine.incidents.iter().find(|incident| incident.lane == lane).map_or(now.wall, |incident| incident.opened_at);
    match reason {
        CloseReason::Recovered | CloseReason::RecoveredUnseen | CloseReason::Superseded => {
            let is_unseen = machine.unseen_since.is_some() && reason == CloseReason::Recovered;
            let how = if is_unseen { CloseReason::RecoveredUnseen } else { reason };
            Closed { at: machine.state.opinion.since.max(opened_at), how }
        }
        CloseReason::Removed => Closed { at: now.wall.max(opened_at), how: reason },
        // An operator's pause begins when it was asked for, also for a node that hears of it later.
        CloseReason::Paused => Closed { at: machine.state.paused_at.unwrap_or(now.wall).max(opened_at), how: reason },
    }
}

pub(super) fn facts(machine: &Machine, incident: &Incident, n_voters: (usize, usize)) -> IncidentFacts {
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
    // A vantage that sees nothing wrong has no evidence of what others see.
    let is_witness = closed.is_some() || matches!(machine.state.opinion.state, OpinionState::Down | OpinionState::Degraded);
    IncidentFacts {
        incident: incident.id.clone(),
        monitor: monitor.id.clone(),
        monitor_name: monitor.name.clone(),
        group: monitor.group.clone(),
        target: monitor.target(),
        status: match closed.map(|closed| closed.how) {
            Some(CloseReason::Removed) => Verdict::Unknown,
            Some(CloseReason::Recovered | CloseReason::RecoveredUnseen | CloseReason::Superseded | CloseReason::Paused) | None => {
                maintenance::beneath(machine)
            }
        },
        started_at: incident.opened_at,
        duration: closed.map_or(Duration::ZERO, |closed| closed.at.since(incident.opened_at)),
        cause: if closed.is_some() && incident.cause.code() == certificate::CODE {
            certificate::renewed(&incident.cause, machine.last.as_ref().and_then(|last| last.certificate_not_after))
        } else {
            incident.cause.to_string()
        },
        cause_code: incident.cause.code().to_owned(),
        lane: incident.lane,
        closed: closed.map(|closed| closed.how),
        regions_failing: regions.failing,
        regions_failed: incident.regions.failing.clone(),
        regions_fine: regions.fine,
        regions_unknown: regions.unknown,
        confidence: incident.confidence,
        n_voters,
        diagnosis: incident.diagnosis,
        evidence: match &machine.beat {
            Some(beat) => beat.evidence(closed.is_some()),
            None => machine.last.as_ref().filter(|_| is_witness).map_or_else(String::new, |last| evidence(last)),
        },
        runbook: monitor.runbook.clone(),
        alert: AlertFacts::default(),
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
        regions_failed: incident.regions.failing.clone(),
        regions_fine: Vec::new(),
        regions_unknown: incident.regions.failing.clone(),
        confidence: incident.confidence,
        n_voters: (1, 1),
        diagnosis: incident.diagnosis,
        evidence: String::new(),
        runbook: None,
        alert: AlertFacts::default(),
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
