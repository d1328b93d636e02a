//! Results that may be our own fault: a lost uplink, a stalled program. What cannot be judged yet is held until a round of
//! controls has answered, which takes as long as the slowest control and never longer than its timeout.

use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::event::Command;
use crate::engine::event::Observed;
use crate::model::change::StateChange;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::net::Place;
use crate::model::net::place;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::OwnTrouble;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;
use crate::rules::uplink::Round;
use crate::rules::uplink::Suspicion;
use crate::rules::uplink::Turn;
use crate::rules::uplink::Uplink;

/// Controls are asked this often while nothing is wrong: it shows which of them are merely blocked before it matters.
const ROUND_WHILE_FINE: Duration = Duration::from_secs(60);

/// While the uplink is lost, controls are asked this often.
const ROUND_WHILE_LOST: Duration = Duration::from_secs(5);

/// What the core holds about its own network.
#[derive(Debug, Default)]
pub(super) struct Guard {
    pub(super) uplink: Uplink,
    /// Results that wait for evidence; at most one of each monitor.
    held: Vec<Observed>,
    is_asking: bool,
    next_round: Option<Mono>,
}

impl Guard {
    pub(super) fn next_round(&self) -> Option<Mono> {
        self.next_round.filter(|_| !self.is_asking)
    }
}

impl Core {
    /// Takes in the end of a check. Results of checks that nobody waits for any more are dropped.
    pub(super) fn observed(&mut self, mut observed: Observed, now: Now, commands: &mut Vec<Command>) {
        let Some(machine) = self.machines.get(&observed.result.monitor) else { return };
        if !machine.awaits(observed.number) {
            return;
        }
        let stalled = self.stalls.since(observed.began);
        if blames_time(observed.result.failure.as_ref()) && stalled > machine.monitor.timeout / 5 {
            excuse(&mut observed.result, OwnTrouble::Stalled(stalled));
        }
        if self.config.uplink.is_empty() {
            return self.settle(observed.began, observed.result, now, commands);
        }
        let is_beyond = is_beyond_uplink(&machine.probed, &observed.result, machine.state.remote);
        if is_beyond && matches!(observed.result.outcome, Outcome::Up | Outcome::Degraded) {
            let turn = self.guard.uplink.answered(observed.began);
            self.uplink_turned(turn, now, commands);
        }
        if is_beyond && observed.result.failure.as_ref().is_some_and(may_be_the_uplink) && observed.result.outcome == Outcome::Down {
            if self.guard.uplink.was_lost(observed.began) {
                excuse(&mut observed.result, OwnTrouble::Uplink);
            } else if !self.guard.uplink.has_evidence_since(observed.began) {
                self.guard.next_round = Some(now.mono);
                self.guard.held.push(observed);
                return;
            }
        }
        self.settle(observed.began, observed.result, now, commands);
    }

    /// Takes in a round of controls and judges what waited for it.
    pub(super) fn controls_done(&mut self, round: Round, now: Now, commands: &mut Vec<Command>) {
        self.guard.is_asking = false;
        let suspicion = if self.guard.held.is_empty() { Suspicion::Nothing } else { Suspicion::Waiting };
        let turn = self.guard.uplink.round(round, suspicion);
        self.uplink_turned(turn, now, commands);
        if round.n_asked <= round.n_ok * 2 {
            self.uplink_is_fine(now, commands);
        }
        let is_lost = self.guard.uplink.lost_since().is_some();
        let (ready, waiting) =
            std::mem::take(&mut self.guard.held).into_iter().partition(|held: &Observed| is_lost || held.began <= round.began);
        self.guard.held = waiting;
        for mut held in ready {
            if !self.machines.get(&held.result.monitor).is_some_and(|machine| machine.awaits(held.number)) {
                continue;
            }
            if self.guard.uplink.was_lost(held.began) {
                excuse(&mut held.result, OwnTrouble::Uplink);
            }
            self.settle(held.began, held.result, now, commands);
        }
        self.guard.next_round = Some(match (is_lost, self.guard.held.is_empty()) {
            (true, _) => round.began + ROUND_WHILE_LOST,
            (false, true) => round.began + ROUND_WHILE_FINE,
            (false, false) => now.mono,
        });
    }

    pub(super) fn ask_controls_if_due(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.config.uplink.is_empty() {
            self.guard.next_round = None;
            return;
        }
        let due = *self.guard.next_round.get_or_insert(now.mono);
        if due <= now.mono && !self.guard.is_asking {
            self.guard.is_asking = true;
            commands.push(Command::AskControls(self.config.uplink.clone()));
        }
    }

    /// Results that wait for controls that are no longer configured are judged as they are.
    pub(super) fn release_held(&mut self, now: Now, commands: &mut Vec<Command>) {
        if !self.config.uplink.is_empty() {
            return;
        }
        if let Some(since) = self.guard.uplink.lost_since() {
            self.uplink_turned(Some(Turn::Back(since)), now, commands);
        }
        self.guard.uplink = Uplink::default();
        self.uplink_is_fine(now, commands);
        for held in std::mem::take(&mut self.guard.held) {
            if self.machines.get(&held.result.monitor).is_some_and(|machine| machine.awaits(held.number)) {
                self.settle(held.began, held.result, now, commands);
            }
        }
    }

    fn uplink_turned(&mut self, turn: Option<Turn>, now: Now, commands: &mut Vec<Command>) {
        let Some(turn) = turn else { return };
        self.is_dirty = true;
        match turn {
            Turn::Lost => {
                commands.push(Command::Note("the uplink is lost: targets beyond it are not judged until it is back".to_owned()));
                let trouble = lost(self.config.instance.region.as_str(), self.guard.uplink.lost_since().unwrap_or(now.wall));
                self.seen(Topic::Uplink, Some(trouble), now, commands);
            }
            Turn::Back(since) => {
                let after = spoken(now.wall.since(since));
                let mut change = StateChange::default();
                if self.cluster.is_none() {
                    self.blinded(since, now, &mut change);
                }
                self.commit(commands, change, None);
                commands.push(Command::Note(format!("the uplink is back after {after}")));
                self.seen(Topic::Uplink, None, now, commands);
            }
        }
    }

    /// People may have been told in an earlier run that the uplink is lost.
    fn uplink_is_fine(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.guard.uplink.lost_since().is_none() {
            self.seen(Topic::Uplink, None, now, commands);
        }
    }
}

fn lost(region: &str, at: UnixMillis) -> Trouble {
    Trouble {
        title: format!("the vantage {region} lost its uplink"),
        text: format!(
            "Since {} this vantage reaches none of its controls. Targets beyond the uplink are unknown until it is back.",
            at.rfc3339()
        ),
    }
}

fn excuse(result: &mut CheckResult, trouble: OwnTrouble) {
    result.outcome = Outcome::Unknown;
    result.failure = Some(Failure::Own(trouble));
}

fn blames_time(failure: Option<&Failure>) -> bool {
    matches!(failure, Some(Failure::TimedOut { .. } | Failure::Slow { .. } | Failure::Dns { .. }))
}

/// Whether a broken line on our side looks like this. An answer of the target, however wrong, came over a working line.
fn may_be_the_uplink(failure: &Failure) -> bool {
    match failure {
        Failure::Dns { .. }
        | Failure::Refused { .. }
        | Failure::Unreachable { .. }
        | Failure::Closed { .. }
        | Failure::TimedOut { .. }
        | Failure::Tls(_)
        | Failure::Proxy { .. } => true,
        Failure::Protocol { .. }
        | Failure::Redirect { .. }
        | Failure::Forbidden { .. }
        | Failure::Status { .. }
        | Failure::Body { .. }
        | Failure::Header { .. }
        | Failure::Json { .. }
        | Failure::Banner { .. }
        | Failure::Slow { .. }
        | Failure::CertificateEnds { .. }
        | Failure::Partly { .. }
        | Failure::Heartbeat { .. }
        | Failure::Own(_)
        | Failure::Reported { .. } => false,
    }
}

/// Whether the way to the target leads over the uplink. The address that was used says it best; a name that could not be
/// looked up is excused, because looking up needs the uplink too.
fn is_beyond_uplink(monitor: &Monitor, result: &CheckResult, last_remote: Option<std::net::IpAddr>) -> bool {
    if matches!(result.failure, Some(Failure::Dns { .. })) {
        return true;
    }
    let literal = || match &monitor.probe {
        ProbeSpec::Http(http) => http.url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok()),
        ProbeSpec::Tcp(tcp) => tcp.address.host.parse().ok(),
        ProbeSpec::Heartbeat(_) => None,
    };
    match result.remote.or(last_remote).or_else(literal).map(place) {
        Some(Place::Loopback | Place::Private | Place::Metadata) => false,
        Some(Place::Public | Place::Nowhere) | None => true,
    }
}
