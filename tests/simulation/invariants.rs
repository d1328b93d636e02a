//! What must hold whatever happens. The names are those of the design: S for what must never happen, L for what must.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use vigilmon::consensus::delivery;
use vigilmon::consensus::heartbeat::Missed;
use vigilmon::consensus::heartbeat::Missing;
use vigilmon::consensus::heartbeat::missed;
use vigilmon::consensus::identity;
use vigilmon::model::id::ChannelName;
use vigilmon::model::id::IncidentId;
use vigilmon::model::id::NodeName;
use vigilmon::model::incident::CloseReason;
use vigilmon::model::incident::Lane;
use vigilmon::model::notification::EventKind;
use vigilmon::model::peer::OperatorAct;
use vigilmon::model::peer::Record;
use vigilmon::model::ping::PingEntry;
use vigilmon::model::time::Mono;
use vigilmon::model::time::UnixMillis;
use vigilmon::model::verdict::Confidence;
use vigilmon::notifier::kind::GATHER;
use vigilmon::rules::flap;

use crate::disk::Disk;
use crate::disk::FSYNC_MAX;
use crate::node::AGAIN_AFTER;
use crate::node::Plan;
use crate::node::START_MS;
use crate::script::JOB_GRACE;
use crate::script::JOB_INTERVAL;
use crate::script::Mode;
use crate::world::Closing;
use crate::world::Delivery;
use crate::world::Fault;
use crate::world::FaultKind;
use crate::world::JOB;
use crate::world::Opening;
use crate::world::Seen;
use crate::world::World;
use crate::world::monitor_name;
use crate::world::node_name;

/// How long ago a region may have seen what it still holds: an interval, the checks that confirm, and the way to whoever decides; during
/// which a node may have waited for others that were slow.
const STALE: Duration = Duration::from_secs(45);

/// An attempt, from its claim to the moment at which everybody has heard of its end, takes no longer.
const SEND_WINDOW: Duration = Duration::from_secs(14);

/// A node that has just started takes part after so long at the latest.
const SETTLED_WITHIN: Duration = Duration::from_secs(45);

/// Whoever waits for a turn looks this often whether it has come.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// Nodes that did not see each other see each other again after so long: the longest pause before a link is dialed again, and a few rounds
/// of gossip.
const TOGETHER_AGAIN: Duration = Duration::from_secs(40);

/// After the end of all trouble every node has the same epochs, and those are true.
pub const CONVERGED_AFTER: Duration = Duration::from_secs(60);

/// Whoever waits longest for a turn has had it by then: the longest pause between attempts and every takeover of five nodes.
pub const DELIVERED_AFTER: Duration = Duration::from_secs(190);

/// What a node did is known to others after so long, when nothing is cut.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// The way of a ping, and clocks that are not the same to the second.
const JOB_LEAVE: Duration = Duration::from_secs(6);

/// All nodes have been asked for newer pings after so long, and one has acted.
const JOB_NOTICED_WITHIN: Duration = Duration::from_secs(20);

/// What one opening must satisfy.
fn check_opening(world: &World, opening: &Opening) -> Option<String> {
    let since = opening.at.saturating_sub(STALE);
    let lied = |region: &&usize| world.lied(**region, since);
    let failed = |region: &&usize| world.was(opening.monitor, **region, true, since);
    let n_true = opening.failing.iter().filter(|region| failed(region) || lied(region)).count();
    let said = format!("{} on {} at {:?}", monitor_name(opening.monitor), node_name(opening.node), opening.at);
    if n_true < opening.failing.len() {
        return Some(format!("S3: {said} names failing regions that did not fail: {:?}", opening.failing));
    }
    if opening.failing.is_empty() {
        return Some(format!("S6: {said} opened although nobody says that it fails"));
    }
    let n_counted = opening.failing.len() + opening.n_fine;
    if opening.lane == Lane::Outage && opening.confidence == Confidence::Full {
        // A vote that is a lie counts like any other until enough lies give it away; but it never decides alone.
        let n_liars = usize::from(opening.failing.iter().any(|region| lied(&region)));
        let n_failed = opening.failing.iter().filter(failed).count();
        if n_failed + n_liars < n_counted / 2 + 1 || n_failed == 0 || n_counted < 2 {
            return Some(format!("S3: {said} opened with {n_failed} of {n_counted} regions"));
        }
    }
    None
}

/// What one closing must satisfy.
fn check_closing(world: &World, closing: &Closing, n_nodes: usize) -> Option<String> {
    if closing.how != CloseReason::Recovered || closing.lane != Lane::Outage {
        return None;
    }
    let since = closing.at.saturating_sub(STALE);
    let someone = (0..n_nodes).any(|region| world.was(closing.monitor, region, false, since));
    (!someone).then(|| format!("S6: {} closed on {} although it was down everywhere", closing.incident, node_name(closing.node)))
}

/// Looks at what is new; called after every step.
#[derive(Debug, Default)]
pub struct Watcher {
    n_openings: usize,
    n_closings: usize,
    n_deliveries: usize,
    /// Incidents whose beginning was delivered.
    begun: BTreeSet<String>,
    /// Incidents that somebody opened, and that somebody closed: who writes the same later only follows.
    opened: BTreeSet<String>,
    closed: BTreeSet<String>,
}

impl Watcher {
    pub fn look(&mut self, world: &World, n_nodes: usize) {
        let new = world.seen(|seen| {
            let new = (
                seen.openings[self.n_openings..].to_vec(),
                seen.closings[self.n_closings..].to_vec(),
                seen.deliveries[self.n_deliveries..].to_vec(),
            );
            (self.n_openings, self.n_closings, self.n_deliveries) = (seen.openings.len(), seen.closings.len(), seen.deliveries.len());
            new
        });
        let (openings, closings, deliveries) = new;
        let mut broken = Vec::new();
        for opening in openings {
            if self.opened.insert(opening.incident.to_string()) {
                let check = if opening.monitor == JOB { check_job_opening } else { check_opening };
                broken.extend(check(world, &opening));
            }
        }
        for closing in closings {
            if self.closed.insert(closing.incident.to_string()) {
                broken.extend(check_closing(world, &closing, n_nodes));
            }
        }
        for delivery in deliveries {
            match delivery.event {
                EventKind::Recovered if !self.begun.contains(delivery.incident.as_str()) => {
                    broken.push(format!("S5: the end of {} was delivered before its beginning", delivery.incident));
                }
                EventKind::Recovered => {}
                EventKind::Down
                | EventKind::Degraded
                | EventKind::Regional
                | EventKind::Reminder
                | EventKind::Acknowledged
                | EventKind::Certificate
                | EventKind::SelfNotice => {
                    self.begun.insert(delivery.incident.to_string());
                }
            }
        }
        world.seen(|seen| seen.broken.extend(broken));
    }
}

/// S1 and S2: how often a message may have been delivered.
pub fn check_copies(mode: Mode, plan: &Plan, seen: &Seen) -> Vec<String> {
    let mut by_key: BTreeMap<&str, Vec<&Delivery>> = BTreeMap::new();
    for delivery in &seen.deliveries {
        by_key.entry(&delivery.key).or_default().push(delivery);
    }
    let mut broken = Vec::new();
    for (key, copies) in by_key.into_iter().filter(|(_, copies)| 1 < copies.len()) {
        let (first, last) = (copies[0].at, copies[copies.len() - 1].at);
        // A sender that died around one of the sends may have taken the news of it along.
        let killed = copies.iter().filter(|copy| {
            let near = (copy.at.saturating_sub(SEND_WINDOW), copy.at + SEND_WINDOW);
            seen.faults.iter().any(|fault| fault.what == FaultKind::Down(copy.node) && near.0 <= fault.from && fault.from <= near.1)
        });
        let n_killed = killed.count();
        // Each time the cluster falls apart, each side may send its own copy; and the parts need a while to find each other again.
        // Who hears the others and is not heard makes a side of its own for each of the two.
        let parted = |kind: &FaultKind| match kind {
            FaultKind::Cut | FaultKind::CutOneWay | FaultKind::Uplink(_) => true,
            FaultKind::Down(_) => false,
        };
        let touches = |fault: &&Fault| parted(&fault.what) && fault.touches(first.saturating_sub(TOGETHER_AGAIN), last);
        let episodes: BTreeMap<Duration, usize> =
            seen.faults.iter().filter(touches).map(|fault| (fault.from, fault.n_sides() - 1)).collect();
        // Nodes that can only dial see each other through those that they dial; when all of these are away, each of them is alone.
        let window = first.saturating_sub(TOGETHER_AGAIN);
        let was_away = |node: usize| seen.faults.iter().any(|fault| fault.what == FaultKind::Down(node) && fault.touches(window, last));
        let is_parted = plan.dialed().all(was_away);
        // So it is when the only one that can be dialed is cut off from them.
        let is_cut_off = plan.dialed().count() == 1 && !episodes.is_empty();
        let n_alone = if is_parted || is_cut_off { plan.dial_only.len().saturating_sub(1) } else { 0 };
        let n_parted = episodes.values().sum::<usize>() + n_alone;
        // Who was away when it was sent, and met nobody since who knew of that, cannot know it.
        let was_away_then = |node: usize| {
            let then = (first.saturating_sub(LOOKED_AT_EVERY), first + LOOKED_AT_EVERY);
            seen.faults.iter().any(|fault| fault.what == FaultKind::Down(node) && fault.touches(then.0, then.1))
        };
        let met = |node: usize, other: usize, until: Duration| node == other || were_together(seen, (node, other), (first, until));
        let is_uninformed =
            |node: usize, at: Duration| was_away_then(node) && !(0..plan.n_nodes).any(|other| other != node && met(node, other, at));
        let n_uninformed = copies.iter().skip(1).filter(|copy| is_uninformed(copy.node, copy.at)).count();
        if 1 + n_killed + n_parted + n_uninformed < copies.len() {
            let rule = if mode.parts() { "S2" } else { "S1" };
            broken.push(format!("{rule}: {key} was delivered {} times, first at {first:?}, last at {last:?}", copies.len()));
        }
    }
    broken
}

/// Whether two nodes ran at the same time for long enough to tell each other what they know.
fn were_together(seen: &Seen, (one, other): (usize, usize), (from, until): (Duration, Duration)) -> bool {
    let is_away =
        |fault: &&Fault| matches!(fault.what, FaultKind::Down(node) if node == one || node == other) && fault.touches(from, until);
    let mut away: Vec<(Duration, Duration)> =
        seen.faults.iter().filter(is_away).map(|fault| (fault.from, fault.until.unwrap_or(until))).collect();
    away.sort();
    away.push((until, until));
    let mut since = from;
    for (begins, ends) in away {
        if since + HEARD_WITHIN <= begins {
            return true;
        }
        since = since.max(ends);
    }
    false
}

/// L1: who is to be told is told in time, as long as somebody was there all the while who could.
pub fn check_in_time(mode: Mode, plan: &Plan, seen: &Seen) -> Vec<String> {
    // Where nodes lose each other or the receiver is away, it takes as long as that lasts.
    let is_excused = mode.parts() || mode == Mode::Receiver || plan.n_nodes - plan.dial_only.len() == 1;
    let mut broken = Vec::new();
    let mut known = BTreeSet::new();
    for opening in seen.openings.iter().filter(|opening| opening.lane == Lane::Outage && !is_excused) {
        if !known.insert(opening.incident.to_string()) || may_be_held(seen, opening) {
            continue;
        }
        let down = |delivery: &&Delivery| delivery.incident == opening.incident && delivery.event == EventKind::Down;
        let Some(at) = seen.deliveries.iter().find(down).map(|delivery| delivery.at) else { continue };
        // Who opened it and was stopped before it could say so leaves nobody who knows; who opens it next tells of it.
        let is_heard = |o: &&Opening| {
            let stops = |fault: &&Fault| fault.what == FaultKind::Down(o.node) && fault.touches(o.at, o.at + HEARD_WITHIN);
            o.incident == opening.incident && !seen.faults.iter().any(|fault| stops(&fault))
        };
        let Some(known_at) = seen.openings.iter().find(is_heard).map(|o| o.at) else { continue };
        let was_down = |node: usize| {
            let from = opening.at.saturating_sub(SETTLED_WITHIN);
            seen.faults.iter().any(|fault| fault.what == FaultKind::Down(node) && fault.touches(from, at))
        };
        let n_down = (0..plan.n_nodes).filter(|node| was_down(*node)).count();
        let takeovers = delivery::TAKEOVER_AFTER.saturating_mul(u32::try_from(n_down).unwrap_or(0));
        let patience = SEND_WINDOW + takeovers + LOOKED_AT_EVERY + GATHER;
        if n_down < plan.n_nodes && known_at + patience < at {
            broken.push(format!("L1: {} opened at {known_at:?} and was told at {at:?}, with {n_down} nodes away", opening.incident));
        }
    }
    broken
}

/// Whether nobody need be told of an incident: its monitor went up and down too often by then, or is silenced.
fn may_be_held(seen: &Seen, opening: &Opening) -> bool {
    let from = opening.at.saturating_sub(flap::WITHIN);
    let lately = |monitor: usize, at: Duration| monitor == opening.monitor && from <= at && at <= opening.at;
    let opened = seen.openings.iter().filter(|o| o.lane != Lane::Regional && lately(o.monitor, o.at)).map(|o| (o.incident.as_str(), true));
    let closed = seen.closings.iter().filter(|c| c.lane != Lane::Regional && lately(c.monitor, c.at)).map(|c| (c.incident.as_str(), false));
    let n_changes = opened.chain(closed).collect::<BTreeSet<_>>().len();
    let is_silenced = |(at, until, monitor): &(Duration, Duration, usize)| {
        *monitor == opening.monitor && at.saturating_sub(HEARD_WITHIN) <= opening.at && opening.at <= *until
    };
    flap::CHANGES_MAX < n_changes || seen.silenced.iter().any(is_silenced)
}

/// What people said holds everywhere: A1, nodes know the same acts; A2, what is acknowledged is not told again; A3, what is silenced is not told.
pub fn check_alerts(seen: &Seen, disks: &[Disk]) -> Vec<String> {
    let mut broken = Vec::new();
    let is_calm = |from: Duration, until: Duration| !seen.faults.iter().any(|fault| fault.touches(from, until));
    for delivery in seen.deliveries.iter().filter(|delivery| delivery.event == EventKind::Reminder) {
        let Some(opening) = seen.openings.iter().find(|opening| opening.incident == delivery.incident) else { continue };
        let due = opening.at + AGAIN_AFTER;
        let is_told = |(at, incident): &(Duration, IncidentId)| {
            *incident == delivery.incident && *at + HEARD_WITHIN <= due && is_calm(at.saturating_sub(SETTLED_WITHIN), due)
        };
        if let Some((at, _)) = seen.acknowledged.iter().find(|ack| is_told(ack)) {
            broken.push(format!("A2: {} was told again at {:?}, acknowledged at {at:?}", delivery.incident, delivery.at));
        }
    }
    for delivery in seen.deliveries.iter().filter(|delivery| delivery.event == EventKind::Down) {
        let Some(opening) = seen.openings.iter().find(|opening| opening.incident == delivery.incident) else { continue };
        let hides = |(at, until, monitor): &(Duration, Duration, usize)| {
            *monitor == opening.monitor
                && *at + HEARD_WITHIN <= opening.at
                && delivery.at + Duration::from_secs(2) <= *until
                && is_calm(at.saturating_sub(SETTLED_WITHIN), delivery.at)
        };
        if seen.silenced.iter().any(hides) {
            broken.push(format!("A3: {} was told at {:?} although it is silenced", delivery.incident, delivery.at));
        }
    }
    let acts = |disk: &Disk| -> BTreeSet<String> {
        let acts = disk.records().into_iter().filter_map(|record| if let Record::Operator(fact) = record { Some(fact) } else { None });
        let alerts = acts.filter(|fact| matches!(fact.act, OperatorAct::Acknowledge(_) | OperatorAct::Silence(_)));
        alerts.map(|fact| format!("{:?} {} {:?}", fact.act, fact.holds, fact.said)).collect()
    };
    let all: Vec<BTreeSet<String>> = disks.iter().map(acts).collect();
    if all.iter().any(|one| *one != all[0]) {
        broken.push(format!("A1: nodes know different acts: {all:?}"));
    }
    broken
}

/// L3: everybody agrees, and with the truth.
pub fn check_converged(world: &World, disks: &[Disk], n_monitors: usize) -> Vec<String> {
    let mut broken = Vec::new();
    for monitor in 0..n_monitors {
        let name = monitor_name(monitor);
        let epochs: Vec<u64> = disks
            .iter()
            .map(|disk| disk.with(|kept| kept.states.iter().find(|(id, _)| id.as_str() == name).map_or(0, |(_, s)| s.outage.0)))
            .collect();
        let is_paused =
            disks.iter().any(|disk| disk.with(|kept| kept.states.values().any(|s| s.monitor.as_str() == name && s.paused_at.is_some())));
        if epochs.iter().any(|epoch| *epoch != epochs[0]) {
            broken.push(format!("L3: nodes have different epochs of {name}: {epochs:?}"));
        } else if !is_paused && (epochs[0] % 2 == 1) != world.is_down(monitor, 0) {
            broken.push(format!("L3: {name} is at epoch {}, but is {}", epochs[0], if world.is_down(monitor, 0) { "down" } else { "up" }));
        }
    }
    let is_open = |disk: &Disk| disk.with(|kept| kept.states.iter().any(|(id, state)| id.as_str() == "job" && state.outage.is_open()));
    let missing: Vec<bool> = disks.iter().map(is_open).collect();
    if missing.contains(&true) {
        broken.push(format!("L3: the job reports, and is still called missing: {missing:?}"));
    }
    let paused: Vec<Vec<String>> = disks
        .iter()
        .map(|disk| disk.with(|kept| kept.states.values().filter(|s| s.paused_at.is_some()).map(|s| s.monitor.to_string()).collect()))
        .collect();
    if paused.iter().any(|one| *one != paused[0]) {
        broken.push(format!("L3: nodes disagree about what is paused: {paused:?}"));
    }
    broken
}

/// Who tells which beginning and end of an incident.
type Tellers = BTreeMap<(i64, Option<i64>), Vec<String>>;

/// All nodes tell the same history: whoever knows an incident knows the same times of it.
pub fn check_histories(mode: Mode, plan: &Plan, disks: &[Disk]) -> Vec<String> {
    let mut times: BTreeMap<String, Tellers> = BTreeMap::new();
    // Who was away for more than one incident asks the others for their history, which is no part of these worlds.
    let is_known = |how: Option<CloseReason>| how != Some(CloseReason::Superseded);
    for disk in disks {
        disk.with(|kept| {
            for incident in kept.incidents.values().filter(|incident| is_known(incident.closed.map(|closed| closed.how))) {
                // Parts of a cluster that opened it each for itself and met only after the next one keep the beginning that they saw.
                let opened_at = if mode.parts() { 0 } else { incident.opened_at.0 };
                let known = (opened_at, incident.closed.map(|closed| closed.at.0));
                let of = times.entry(format!("{} of {}", incident.id, incident.monitor)).or_default();
                of.entry(known).or_default().push(node_name(disk.node));
            }
        });
    }
    // What was seen with a wrong clock before it was compared with others stays as it was seen.
    if plan.skew_ms.iter().any(|skew| *skew != 0) {
        return Vec::new();
    }
    let differ = times.into_iter().filter(|(_, known)| 1 < known.len());
    differ.map(|(incident, known)| format!("L3: nodes tell different times of {incident}: {known:?}")).collect()
}

/// L2: whatever is known to be owed was delivered, and everybody knows.
pub fn check_nothing_lost(seen: &Seen, disks: &[Disk]) -> Vec<String> {
    let delivered: BTreeSet<&str> = seen.deliveries.iter().map(|delivery| delivery.key.as_str()).collect();
    let channel = ChannelName::parse("ops").expect("a name");
    let mut broken = BTreeSet::new();
    for disk in disks {
        disk.with(|kept| {
            for row in &kept.outbox {
                let key = &row.notification.key;
                if !delivered.contains(key.as_str()) {
                    broken.insert(format!("L2: {} {key} was never delivered ({:?})", row.notification.event.word(), row.ended));
                } else if row.ended.is_none() {
                    broken.insert(format!("L2: {} does not know that {key} was sent", node_name(disk.node)));
                }
            }
            let is_free = |incident: &IncidentId| {
                let opening = seen.openings.iter().find(|opening| opening.incident == *incident);
                opening.is_none_or(|opening| !may_be_held(seen, opening))
            };
            let outages = kept.incidents.values().filter(|incident| incident.lane == Lane::Outage);
            for incident in outages.filter(|incident| is_free(&incident.id)) {
                let key = identity::notification_key(&incident.id, EventKind::Down, incident.epoch, &channel);
                if !delivered.contains(key.as_str()) {
                    broken.insert(format!("L2: nobody was told of {} of {}", incident.id, incident.monitor));
                }
            }
        });
    }
    broken.into_iter().collect()
}

/// The heartbeat that is pinged now and then.
pub const NIGHTLY: &str = "nightly";

/// When it was pinged, by what this node tells others and was told.
fn told_of_nightly(disk: &Disk) -> Vec<UnixMillis> {
    let of_nightly = |record| {
        let Record::Ping(told) = record else { return None };
        (told.heartbeat.as_str() == NIGHTLY).then_some(told.pings)
    };
    disk.records().into_iter().filter_map(of_nightly).flatten().map(|ping| ping.stamp.at).collect()
}

/// L4: the newest ping is known everywhere. A ping that came to a node just before it was lost may be lost with it: it was not answered.
pub fn check_pings(seen: &Seen, disks: &[Disk], n_wiped: u32) -> Vec<String> {
    let newest = |disk: &Disk| told_of_nightly(disk).into_iter().map(|at| at.0).max();
    let all: Vec<Option<i64>> = disks.iter().map(newest).collect();
    let mut broken = Vec::new();
    if all.iter().any(|one| *one != all[0]) {
        broken.push(format!("L4: nodes know different pings: {all:?}"));
    }
    let safe = |(at, node): &&(Duration, usize)| {
        let lost = |fault: &&Fault| fault.what == FaultKind::Down(*node) && fault.touches(*at, *at + FSYNC_MAX * 3);
        !seen.faults.iter().any(|fault| lost(&fault))
    };
    if all[0].is_none() && n_wiped == 0 && seen.pings.iter().any(|ping| safe(&ping)) {
        broken.push("L4: a ping was lost".to_owned());
    }
    // Whatever became of nodes, lines and clocks: it was never late.
    if disks.iter().any(|disk| disk.with(|kept| kept.incidents.values().any(|incident| incident.monitor.as_str() == NIGHTLY))) {
        broken.push("L4: a heartbeat was missed that was never late".to_owned());
    }
    broken
}

/// A job that reports is not called missing, by anybody who is sure of it.
fn check_job_opening(world: &World, opening: &Opening) -> Option<String> {
    if opening.confidence != Confidence::Full || opening.lane != Lane::Outage {
        return None;
    }
    let (reports, faults) = world.seen(|seen| (seen.reports.clone(), seen.faults.clone()));
    // What a node took and nobody could hear of yet may be gone with it.
    let lost = |at: Duration, node: usize| faults.iter().any(|f| f.what == FaultKind::Down(node) && f.touches(at, at + HEARD_WITHIN));
    // One that comes in this very moment, after a silence, is not known to whoever decides.
    let is_known = |at: Duration| at + JOB_LEAVE <= opening.at;
    let newest = reports.iter().filter(|(at, node)| is_known(*at) && !lost(*at, *node)).map(|(at, _)| *at).max()?;
    let is_early = opening.at + JOB_LEAVE < newest + JOB_INTERVAL + JOB_GRACE;
    is_early.then(|| format!("J1: {} calls the job missing at {:?}; it reported at {newest:?}", node_name(opening.node), opening.at))
}

/// A job that falls silent is told of in time, where nodes are there and see each other.
pub fn check_job(mode: Mode, (from, until): (Duration, Duration), seen: &Seen) -> Vec<String> {
    if !matches!(mode, Mode::Clean | Mode::Latency | Mode::Receiver | Mode::Clock | Mode::Config | Mode::Liar) {
        return Vec::new();
    }
    // The last one may begin a step of time later than it was planned.
    let last = seen.reports.iter().map(|(at, _)| *at).filter(|at| *at < from + Duration::from_secs(1)).max();
    let deadline = last.unwrap_or(from) + JOB_INTERVAL + JOB_GRACE;
    let opened: Vec<Duration> = seen.openings.iter().filter(|opening| opening.monitor == JOB).map(|opening| opening.at).collect();
    let is_told = opened.iter().any(|at| deadline.saturating_sub(JOB_LEAVE) <= *at && *at <= deadline + JOB_NOTICED_WITHIN);
    if is_told || until < deadline + JOB_NOTICED_WITHIN {
        return Vec::new();
    }
    vec![format!("J2: the job was silent from {last:?} on, and nobody said so by {:?}: {opened:?}", deadline + JOB_NOTICED_WITHIN)]
}

/// Asks on every node, every second, whether a heartbeat was missed that was pinged.
#[derive(Debug, Default)]
pub struct Listener {
    next: Duration,
}

/// A running node: its disk, all nodes, and until when it knows all that each of them did.
pub type Hearing<'a> = (&'a Disk, Vec<NodeName>, BTreeMap<NodeName, Duration>);

impl Listener {
    pub fn look(&mut self, now: Duration, world: &World, hearing: Vec<Hearing<'_>>) {
        if now < self.next {
            return;
        }
        self.next = now + Duration::from_secs(1);
        let (pings, faults) = world.seen(|seen| (seen.pings.clone(), seen.faults.clone()));
        // A ping is in safety when the node that took it ran long enough to write it down.
        let lost = |at: Duration, node: usize| faults.iter().any(|f| f.what == FaultKind::Down(node) && f.touches(at, at + FSYNC_MAX * 3));
        let newest = pings.iter().rev().find(|(at, node)| *at + FSYNC_MAX * 3 <= now && !lost(*at, *node)).copied();
        let Some((at, _)) = newest else { return };
        let deadline = at + FSYNC_MAX * 3;
        for (disk, receivers, last_heard) in hearing {
            let is_nightly = |entry: &&PingEntry| entry.heartbeat.as_str() == NIGHTLY;
            let logged = disk.with(|kept| kept.pings.iter().filter(is_nightly).map(|entry| entry.stamp.at).max());
            let known = told_of_nightly(disk).into_iter().chain(logged).max();
            let heard = last_heard.into_iter().filter(|(_, when)| deadline <= *when).map(|(node, _)| node).collect();
            let missing = Missing {
                newest: known,
                // A second's leave for the way of the ping itself, and for clocks.
                not_before: UnixMillis(START_MS) + at.saturating_sub(Duration::from_secs(1)),
                receivers: &receivers,
                heard: &heard,
                since: Mono(0) + deadline,
                solo_after: Some(Duration::from_secs(60)),
            };
            if let Missed::Yes(Confidence::Full, _) = missed(missing, Mono(0) + now) {
                let broken = format!("L4: {} is sure that the ping of {at:?} did not come", node_name(disk.node));
                world.seen(|seen| seen.broken.push(broken));
            }
        }
    }
}
