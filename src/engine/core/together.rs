//! From what all nodes hold of a monitor to what follows: the verdict that is shown, and who records it when.
//!
//! What is recorded are epochs. When the votes say something else than the epochs, the node whose turn it is moves them and tells the
//! others; everybody else follows in `adopt`. So the pages of all nodes show the same, and one node's timing is everybody's.

use std::time::Duration;

use crate::consensus::decide;
use crate::consensus::decide::Decision;
use crate::consensus::diagnosis::Side;
use crate::consensus::diagnosis::diagnose;
use crate::consensus::turn;
use crate::consensus::turn::Disagreement;
use crate::consensus::turn::Turn;
use crate::engine::core::Core;
use crate::engine::core::machine::Joint;
use crate::engine::core::machine::Machine;
use crate::engine::core::maintenance;
use crate::engine::core::settle;
use crate::engine::core::settle::Detail;
use crate::engine::core::settle::Opening;
use crate::engine::core::settle::Step;
use crate::engine::core::votes::Ballot;
use crate::engine::core::votes::Count;
use crate::engine::core::votes::side;
use crate::engine::snapshot::Agreement;
use crate::model::change::StateChange;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Lane;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::rules::incident;
use crate::rules::incident::Move;

/// Too few votes for less than this are not shown: a node that restarts must not make pages say "unknown".
const SHOWN_AFTER: Duration = Duration::from_secs(60);

/// What the votes ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    /// `None`: what holds goes on.
    verdict: Option<Verdict>,
    /// Whether regional trouble ought to be recorded; `None`: as it is.
    regional: Option<bool>,
    /// Enough nodes are seen and enough votes count.
    is_full: bool,
}

impl Core {
    /// As `decide_alone`, with the votes of all.
    pub(super) fn decide_together(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let (Some(cluster), Some(machine)) = (&self.cluster, self.machines.get(id)) else { return };
        if machine.state.opinion.state == OpinionState::Paused {
            self.set_look(id, None);
            self.hold(id, (Verdict::Paused, now.wall), now, change);
            for what in self.moves(id, Verdict::Paused) {
                let detail = self.detail(id, what, now);
                self.carry_out(id, Step { what, from_outage: false, detail, is_told: true }, now, change);
            }
            return;
        }
        let ballot = cluster.ballot(machine, now.mono);
        let (monitor, open) = (&machine.monitor, machine.open_lane());
        let count = ballot.count(monitor.quorum, monitor.n_regions_min, open);
        let is_primary = cluster.is_primary();
        let wish = wish(count, is_primary);
        let partial_after = monitor.partial_after;
        let Some(machine) = self.machines.get_mut(id) else { return };
        note(machine, &ballot, count, now.mono);
        let regional = wish.regional.filter(|wanted| {
            let since = machine.joint.regional_since;
            !wanted || since.is_some_and(|since| partial_after <= now.mono.since(since))
        });
        let moves = wish.verdict.map(|verdict| incident::moves(verdict, machine.epochs())).unwrap_or_default();
        let moves = maintenance::permitted(machine, moves);
        let regional = maintenance::permitted_regional(machine, wish.verdict, regional);
        let regional = regional.filter(|wanted| *wanted != machine.state.regional.is_open());
        remember(&mut machine.joint, wish.verdict.filter(|_| !moves.is_empty()), regional, now.mono);
        // Whoever waits for `partial.after` looks again then.
        let ripens = machine.joint.regional_since.filter(|_| !machine.state.regional.is_open()).map(|since| since + partial_after);
        let mut look = ripens.filter(|at| *at > now.mono);
        if let (Some(verdict), Some((_, since))) = (wish.verdict.filter(|_| !moves.is_empty()), self.joint(id).and_then(|j| j.wanted)) {
            match self.turn(id, since, wish.is_full, now.mono) {
                Turn::Now(confidence) => self.act(id, (verdict, &moves, &ballot, confidence), now, change),
                Turn::At(at) => look = Some(look.map_or(at, |before| before.min(at))),
                Turn::Never => {}
            }
        }
        let still_wanted =
            |machine: &&Machine| machine.joint.regional.is_some_and(|(wanted, _)| wanted != machine.state.regional.is_open());
        if let Some((wanted, since)) = self.machines.get(id).filter(still_wanted).and_then(|machine| machine.joint.regional) {
            match self.turn(id, since, wish.is_full, now.mono) {
                Turn::Now(confidence) => self.act_regional(id, (wanted, &ballot, confidence), now, change),
                Turn::At(at) => look = Some(look.map_or(at, |before| before.min(at))),
                Turn::Never => {}
            }
        }
        self.set_look(id, look);
        self.show(id, count, now, change);
    }

    fn joint(&self, id: &MonitorId) -> Option<&Joint> {
        self.machines.get(id).map(|machine| &machine.joint)
    }

    fn moves(&self, id: &MonitorId, verdict: Verdict) -> Vec<Move> {
        self.machines.get(id).map(|machine| incident::moves(verdict, machine.epochs())).unwrap_or_default()
    }

    fn turn(&self, id: &MonitorId, since: Mono, is_full: bool, now: Mono) -> Turn {
        let Some(cluster) = &self.cluster else { return Turn::Never };
        // Whoever cannot trust his own line does not act, whatever the votes of others say.
        let rank = cluster.rank(id.as_str()).filter(|_| self.guard.uplink.lost_since().is_none());
        let solo_after = cluster.peers.solo_after;
        turn::turn(Disagreement { since, rank, is_full, solo_after }, now)
    }

    /// Records a verdict: this node's turn has come.
    fn act(
        &mut self,
        id: &MonitorId,
        (verdict, moves, ballot, confidence): (Verdict, &[Move], &Ballot, Confidence),
        now: Now,
        change: &mut StateChange,
    ) {
        let from_outage = moves.contains(&Move::Close(Lane::Outage, CloseReason::Recovered));
        for what in moves {
            let Some(detail) = self.joint_detail(id, *what, (ballot, confidence), now) else { continue };
            let at = match &detail {
                Detail::Opening(opening) => opening.opened_at,
                Detail::Closing(closed) => closed.at,
            };
            self.hold(id, (verdict, at), now, change);
            self.carry_out(id, Step { what: *what, from_outage, detail, is_told: true }, now, change);
            let (Move::Open(lane) | Move::Close(lane, _)) = *what;
            self.say_epoch(id, lane, now, change);
        }
        // Trouble of a few regions is over when it is trouble of all.
        if verdict == Verdict::Down && self.machines.get(id).is_some_and(|machine| machine.state.regional.is_open()) {
            self.close_regional(id, CloseReason::Superseded, now, change);
        }
        if let Some(machine) = self.machines.get_mut(id) {
            machine.joint.wanted = None;
        }
    }

    fn act_regional(
        &mut self,
        id: &MonitorId,
        (wanted, ballot, confidence): (bool, &Ballot, Confidence),
        now: Now,
        change: &mut StateChange,
    ) {
        if wanted {
            let what = Move::Open(Lane::Regional);
            if let Some(detail) = self.joint_detail(id, what, (ballot, confidence), now) {
                self.carry_out(id, Step { what, from_outage: false, detail, is_told: true }, now, change);
                self.say_epoch(id, Lane::Regional, now, change);
            }
        } else {
            // It has not recovered where more than a few regions see trouble by now; who is told of that is not told that this is over.
            let is_worse = self.machines.get(id).is_some_and(|machine| machine.open_lane().is_some());
            let how = if is_worse { CloseReason::Superseded } else { CloseReason::Recovered };
            self.close_regional(id, how, now, change);
        }
        if let Some(machine) = self.machines.get_mut(id) {
            machine.joint.regional = None;
        }
    }

    fn close_regional(&mut self, id: &MonitorId, how: CloseReason, now: Now, change: &mut StateChange) {
        let at = self.cluster.as_ref().map_or(now.wall, |cluster| cluster.common(now.wall));
        let detail = Detail::Closing(Closed { at, how });
        let what = Move::Close(Lane::Regional, how);
        self.carry_out(id, Step { what, from_outage: false, detail, is_told: true }, now, change);
        self.say_epoch(id, Lane::Regional, now, change);
    }

    /// What the votes know of a move.
    fn joint_detail(&self, id: &MonitorId, what: Move, (ballot, confidence): (&Ballot, Confidence), now: Now) -> Option<Detail> {
        let machine = self.machines.get(id)?;
        let common_now = self.cluster.as_ref()?.common(now.wall);
        Some(match what {
            Move::Open(lane) => Detail::Opening(Box::new(opening(machine, ballot, (lane, confidence), common_now))),
            Move::Close(lane, reason) => {
                let opened_at = machine.incidents.iter().find(|incident| incident.lane == lane).map(|incident| incident.opened_at);
                let fine = ballot.external.iter().filter(|voice| voice.counts() && !ballot.failing(lane).any(|bad| bad.node == voice.node));
                // The last of those that are fine: before that, not enough of them were.
                let at = fine.filter_map(|voice| voice.since).max().filter(|at| opened_at.is_none_or(|opened| opened <= *at));
                Detail::Closing(Closed { at: at.unwrap_or(common_now).min(common_now), how: reason })
            }
        })
    }

    /// The verdict that pages show: what is recorded, and beside it whether anything is known at all.
    pub(super) fn show(&mut self, id: &MonitorId, count: Count, now: Now, change: &mut StateChange) {
        let Some(cluster) = &self.cluster else { return };
        let (is_ready, solo_after) = (cluster.is_ready(), cluster.peers.solo_after);
        let Some(machine) = self.machines.get(id) else { return };
        let state = &machine.state;
        let started = |lane| machine.incidents.iter().find(|incident| incident.lane == lane).map(|incident| incident.opened_at);
        let blind_for = machine.joint.insufficient_since.map(|since| now.mono.since(since));
        let (verdict, at) = if state.outage.is_open() {
            (Verdict::Down, started(Lane::Outage))
        } else if state.degradation.is_open() {
            (Verdict::Degraded, started(Lane::Degradation))
        } else {
            let may_be_alone = solo_after.is_some_and(|after| blind_for.is_some_and(|blind| after <= blind));
            let known = if count.decision == Decision::Insufficient && may_be_alone { count.solo } else { count.decision };
            let shown = match (known, blind_for) {
                (_, Some(blind)) if blind < SHOWN_AFTER => state.verdict,
                (Decision::Insufficient, _) => Verdict::Unknown,
                (Decision::Hold(Verdict::Up) | Decision::Regional, _) => Verdict::Up,
                // A window has closed, and what is still wrong is recorded in a moment.
                (Decision::Hold(_) | Decision::Contested, _) if state.verdict == Verdict::Maintenance => Verdict::Unknown,
                // Said by the votes and not recorded yet, or as many say one thing as the other.
                (Decision::Hold(_) | Decision::Contested, _) => state.verdict,
            };
            // A verdict of a lane that is closed by now, or of a pause that is over.
            let is_left_over = matches!(shown, Verdict::Down | Verdict::Degraded | Verdict::Paused | Verdict::Maintenance);
            (if is_left_over { if count.solo == Decision::Insufficient { Verdict::Unknown } else { Verdict::Up } } else { shown }, None)
        };
        let has_ended = matches!(state.verdict, Verdict::Paused | Verdict::Maintenance);
        if !is_ready && matches!(verdict, Verdict::Unknown | Verdict::Up) && !has_ended && machine.upkeep.is_none() {
            // One that has just started knows less than it knew before.
            return;
        }
        let at = at.unwrap_or_else(|| now.wall.minus(blind_for.unwrap_or_default()));
        self.hold(id, (verdict, at), now, change);
    }

    /// Looks at this monitor again then.
    pub(super) fn set_look(&mut self, id: &MonitorId, look: Option<Mono>) {
        let (Some(cluster), Some(machine)) = (&mut self.cluster, self.machines.get_mut(id)) else { return };
        if let Some(before) = machine.joint.look {
            cluster.looks.remove(&(before, id.clone()));
        }
        machine.joint.look = look;
        cluster.looks.extend(look.map(|look| (look, id.clone())));
    }

    /// Votes that counted, and voters, of a monitor.
    pub(super) fn n_voters(&self, id: &MonitorId) -> (usize, usize) {
        let joint = self.cluster.as_ref().and_then(|_| self.joint(id));
        joint.map_or((1, 1), |joint| joint.n_voters)
    }
}

fn wish(count: Count, is_primary: bool) -> Wish {
    let is_full = is_primary && count.decision != Decision::Insufficient;
    let decision = if count.decision == Decision::Insufficient { count.solo } else { count.decision };
    let inside_only = count.internal == Side::Down;
    let (verdict, regional) = match decision {
        Decision::Hold(Verdict::Up) => (Some(Verdict::Up), Some(inside_only)),
        Decision::Hold(verdict) => (Some(verdict), Some(false)),
        Decision::Regional => (Some(Verdict::Up), Some(true)),
        Decision::Contested | Decision::Insufficient => (None, None),
    };
    Wish { verdict, regional, is_full }
}

/// Keeps what the votes say for pages and messages.
fn note(machine: &mut Machine, ballot: &Ballot, count: Count, now: Mono) {
    machine.view = None;
    let joint = &mut machine.joint;
    joint.n_voters = count.n_voters;
    joint.agreement = match count.decision {
        Decision::Hold(_) => Agreement::Agreed,
        Decision::Regional => Agreement::Regional,
        Decision::Contested => Agreement::Contested,
        Decision::Insufficient => Agreement::Insufficient,
    };
    joint.insufficient_since = if count.decision == Decision::Insufficient { joint.insufficient_since.or(Some(now)) } else { None };
    let is_regional = count.decision == Decision::Regional || (side(count.decision) == Side::Up && count.internal == Side::Down);
    joint.regional_since = if is_regional { joint.regional_since.or(Some(now)) } else { None };
    // A minority that acts alone says where the trouble is by the votes it has.
    let external = if count.decision == Decision::Insufficient { count.solo } else { count.decision };
    joint.diagnosis = diagnose(side(external), count.internal, &ballot.stages());
}

/// Since when the votes ask for the same; asking for nothing, or for something else, begins anew.
fn remember(joint: &mut Joint, verdict: Option<Verdict>, regional: Option<bool>, now: Mono) {
    joint.wanted = match (verdict, joint.wanted) {
        (None, _) => None,
        (Some(verdict), Some((before, since))) if verdict == before => Some((verdict, since)),
        (Some(verdict), _) => Some((verdict, now)),
    };
    joint.regional = match (regional, joint.regional) {
        (None, _) => None,
        (Some(wanted), Some((before, since))) if wanted == before => Some((wanted, since)),
        (Some(wanted), _) => Some((wanted, now)),
    };
}

fn opening(machine: &Machine, ballot: &Ballot, (lane, confidence): (Lane, Confidence), now: UnixMillis) -> Opening {
    let failing: Vec<_> = ballot.failing(lane).collect();
    let is_mine = failing.iter().any(|voice| voice.is_me);
    let told = failing.iter().find_map(|voice| voice.cause.clone()).map(crate::model::peer::Cause::into_failure);
    let cause = if is_mine { Some(settle::cause(machine)) } else { told };
    // However many received nothing: a node that could not be asked may have.
    let is_perhaps_well = machine.beat.as_ref().is_some_and(|beat| beat.is_perhaps_well());
    let confidence = if is_perhaps_well { Confidence::Degraded } else { confidence };
    let mut regions = decide::regions(&ballot.votes());
    if lane == Lane::Regional && regions.failing.is_empty() {
        regions = RegionView { failing: failing.iter().map(|voice| voice.region.clone()).collect(), ..regions };
    }
    Opening {
        monitor_name: machine.monitor.name.clone(),
        opened_at: failing.iter().filter_map(|voice| voice.since).min().unwrap_or(now).min(now),
        confirmed_at: now,
        cause: cause.unwrap_or_else(|| Failure::Own(OwnTrouble::Setup("the reason was not told".to_owned()))),
        regions,
        confidence,
        diagnosis: machine.joint.diagnosis,
        evidence: if is_mine { settle::own_evidence(machine) } else { Vec::new() },
    }
}
