//! What is true, what was received, and what was seen to happen: the part of the world that no node owns.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use vigilmon::model::change::StateChange;
use vigilmon::model::id::IncidentId;
use vigilmon::model::incident::CloseReason;
use vigilmon::model::incident::Epoch;
use vigilmon::model::incident::Lane;
use vigilmon::model::notification::EventKind;
use vigilmon::model::verdict::Confidence;

use crate::dice::Dice;
use crate::disk::Disk;

/// A message that the receiver took.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub at: Duration,
    pub node: usize,
    pub key: String,
    pub event: EventKind,
    pub incident: IncidentId,
}

/// An incident that a node wrote as open.
#[derive(Debug, Clone)]
pub struct Opening {
    pub at: Duration,
    pub node: usize,
    pub monitor: usize,
    pub lane: Lane,
    pub incident: IncidentId,
    pub confidence: Confidence,
    pub failing: Vec<usize>,
    pub n_fine: usize,
}

/// An incident that a node wrote as over.
#[derive(Debug, Clone)]
pub struct Closing {
    pub at: Duration,
    pub node: usize,
    pub monitor: usize,
    pub lane: Lane,
    pub incident: IncidentId,
    pub how: CloseReason,
}

/// Something that was done to the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub from: Duration,
    pub until: Option<Duration>,
    pub what: FaultKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// A node did not run.
    Down(usize),
    /// Links were cut.
    Cut,
    /// Links were cut in one direction.
    CutOneWay,
    /// A node's line to the world was cut.
    Uplink(usize),
}

#[derive(Debug)]
struct Inner {
    dice: Dice,
    /// Whether a monitor is down, by monitor and region.
    truth: BTreeMap<(usize, usize), bool>,
    /// When which truth changed to what.
    changes: Vec<(Duration, usize, usize, bool)>,
    uplink_lost: BTreeMap<usize, bool>,
    liar: Option<usize>,
    /// Who lied, and until when.
    lied: Vec<(usize, Duration)>,
    receiver_works: bool,
    /// Nodes that are to be killed then.
    killings: Vec<(Duration, usize)>,
    kills_senders: bool,
    seen: Seen,
}

/// Everything that was seen, for the invariants.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub deliveries: Vec<Delivery>,
    pub openings: Vec<Opening>,
    pub closings: Vec<Closing>,
    pub faults: Vec<Fault>,
    /// Pings by heartbeat: when, and at which node.
    pub pings: Vec<(Duration, usize)>,
    /// Reports of the job that were answered: when it began to send, and which node took it.
    pub reports: Vec<(Duration, usize)>,
    /// Acknowledgements that were taken: when, and of which incident.
    pub acknowledged: Vec<(Duration, IncidentId)>,
    /// Silences that were taken: when, until when, and of which monitor.
    pub silenced: Vec<(Duration, Duration, usize)>,
    /// Broken promises that were noticed on the way.
    pub broken: Vec<String>,
    pub trace: String,
    /// Highest epoch by node, monitor and lane since its disk was last empty.
    epochs: BTreeMap<(usize, u32, String, Lane), Epoch>,
    /// Which incident an epoch is.
    names: BTreeMap<(String, Lane, Epoch), IncidentId>,
}

/// The world. Shared by all nodes; nothing waits under its lock.
#[derive(Debug)]
pub struct World {
    inner: Mutex<Inner>,
}

/// Name of a monitor.
pub fn monitor_name(monitor: usize) -> String {
    format!("m{monitor}")
}

/// What stands for the job among the numbers of monitors.
pub const JOB: usize = usize::MAX;

/// Name of a node, which is also its region.
pub fn node_name(node: usize) -> String {
    format!("n{node}")
}

fn number(name: &str) -> usize {
    name[1..].parse().unwrap_or(JOB)
}

/// Time since the beginning.
pub fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            inner: Mutex::new(Inner {
                dice: Dice::new(seed ^ 0xA5A5),
                truth: BTreeMap::new(),
                changes: Vec::new(),
                uplink_lost: BTreeMap::new(),
                liar: None,
                lied: Vec::new(),
                receiver_works: true,
                killings: Vec::new(),
                kills_senders: false,
                seen: Seen::default(),
            }),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn dice<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        self.with(|inner| draw(&mut inner.dice))
    }

    pub fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        self.with(|inner| look(&mut inner.seen))
    }

    pub fn note(&self, at: Duration, line: &str) {
        self.seen(|seen| seen.note(at, line));
    }

    pub fn set_truth(&self, at: Duration, monitor: usize, region: usize, is_down: bool) {
        self.with(|inner| {
            if inner.truth.insert((monitor, region), is_down) != Some(is_down) {
                inner.changes.push((at, monitor, region, is_down));
            }
        });
    }

    /// Whether a region truly found the monitor in this state at some moment from `since` on.
    pub fn was(&self, monitor: usize, region: usize, is_down: bool, since: Duration) -> bool {
        self.with(|inner| {
            let now = inner.truth.get(&(monitor, region)).copied().unwrap_or(false);
            let changed_since = |(at, m, r, _): &(Duration, usize, usize, bool)| since <= *at && (*m, *r) == (monitor, region);
            now == is_down || inner.changes.iter().any(changed_since)
        })
    }

    /// What is true now.
    pub fn is_down(&self, monitor: usize, region: usize) -> bool {
        self.with(|inner| inner.truth.get(&(monitor, region)).copied().unwrap_or(false))
    }

    /// What a check from this node sees: the truth, unless its line is cut or it lies.
    pub fn looks_down(&self, monitor: usize, node: usize) -> bool {
        self.with(|inner| {
            let truth = inner.truth.get(&(monitor, node)).copied().unwrap_or(false);
            let lies = inner.liar == Some(node);
            truth || lies || inner.uplink_lost.get(&node).copied().unwrap_or(false)
        })
    }

    pub fn set_liar(&self, at: Duration, node: Option<usize>) {
        self.with(|inner| {
            inner.lied.extend(inner.liar.map(|liar| (liar, at)));
            inner.liar = node;
        });
    }

    /// Whether a node lied at some moment from `since` on.
    pub fn lied(&self, node: usize, since: Duration) -> bool {
        self.with(|inner| inner.liar == Some(node) || inner.lied.iter().any(|(liar, until)| *liar == node && since <= *until))
    }

    pub fn set_uplink_lost(&self, node: usize, is_lost: bool) {
        self.with(|inner| inner.uplink_lost.insert(node, is_lost));
    }

    pub fn has_uplink(&self, node: usize) -> bool {
        self.with(|inner| !inner.uplink_lost.get(&node).copied().unwrap_or(false))
    }

    pub fn set_receiver(&self, works: bool) {
        self.with(|inner| inner.receiver_works = works);
    }

    pub fn kill_senders(&self, kills: bool) {
        self.with(|inner| inner.kills_senders = kills);
    }

    /// A node is about to send; whoever kills senders may have decided to kill it in a moment.
    pub fn is_sending(&self, node: usize) {
        let at = elapsed();
        self.with(|inner| {
            if inner.kills_senders && inner.dice.percent(60) {
                let after = inner.dice.millis(0, 600);
                inner.killings.push((at + after, node));
            }
        });
    }

    /// Nodes whose time has come.
    pub fn killed(&self, now: Duration) -> Vec<usize> {
        self.with(|inner| {
            let (due, later): (Vec<_>, Vec<_>) = inner.killings.drain(..).partition(|(at, _)| *at <= now);
            inner.killings = later;
            due.into_iter().map(|(_, node)| node).collect()
        })
    }

    /// The receiver is called. Whether it takes the message.
    pub fn receive(&self, delivery: Delivery) -> bool {
        self.with(|inner| {
            let line = format!("{} {} {} by {}", delivery.event.word(), delivery.incident, &delivery.key[..8], node_name(delivery.node));
            if !inner.receiver_works {
                inner.seen.note(delivery.at, &format!("refused {line}"));
                return false;
            }
            inner.seen.note(delivery.at, &format!("delivered {line}"));
            inner.seen.deliveries.push(delivery);
            true
        })
    }

    /// A node has made a change durable, or is about to in this very moment.
    pub fn note_change(&self, node: usize, change: &StateChange, disk: &Disk) {
        let at = elapsed();
        let n_wiped = disk.with(|kept| kept.n_wiped);
        let monitor_of =
            |id: &IncidentId| disk.with(|kept| kept.incidents.get(id.as_str()).map(|known| (known.monitor.clone(), known.lane)));
        self.seen(|seen| {
            for incident in &change.opened {
                let (monitor, lane, epoch) = (number(incident.monitor.as_str()), incident.lane, incident.epoch);
                seen.note(
                    at,
                    &format!(
                        "{} opens {} {} {} {} {:?}",
                        node_name(node),
                        incident.monitor,
                        lane.word(),
                        epoch.0,
                        incident.id,
                        incident.confidence
                    ),
                );
                let name = (incident.monitor.to_string(), lane, epoch);
                let known = seen.names.entry(name).or_insert_with(|| incident.id.clone());
                if *known != incident.id {
                    seen.broken.push(format!("S4: one epoch, two incidents: {known} and {}", incident.id));
                }
                seen.openings.push(Opening {
                    at,
                    node,
                    monitor,
                    lane,
                    incident: incident.id.clone(),
                    confidence: incident.confidence,
                    failing: incident.regions.failing.iter().map(|region| number(region.as_str())).collect(),
                    n_fine: incident.regions.fine.len(),
                });
            }
            for (id, closed) in &change.closed {
                let opened =
                    change.opened.iter().find(|incident| incident.id == *id).map(|incident| (incident.monitor.clone(), incident.lane));
                let Some((monitor, lane)) = opened.or_else(|| monitor_of(id)) else { continue };
                seen.note(at, &format!("{} closes {monitor} {} {id} {}", node_name(node), lane.word(), closed.how.word()));
                seen.closings.push(Closing { at, node, monitor: number(monitor.as_str()), lane, incident: id.clone(), how: closed.how });
            }
            for state in &change.states {
                let epochs = [(Lane::Outage, state.outage), (Lane::Degradation, state.degradation), (Lane::Regional, state.regional)];
                for (lane, epoch) in epochs {
                    let highest = seen.epochs.entry((node, n_wiped, state.monitor.to_string(), lane)).or_insert(epoch);
                    if epoch < *highest {
                        let fell = format!("S4: {} of {} fell from {} to {}", lane.word(), state.monitor, highest.0, epoch.0);
                        seen.broken.push(format!("{fell} on {} at {at:?}", node_name(node)));
                    }
                    *highest = (*highest).max(epoch);
                }
            }
        });
    }
}

impl Seen {
    fn note(&mut self, at: Duration, line: &str) {
        let _ = writeln!(self.trace, "{:>9.3} {line}", at.as_secs_f64());
    }

    /// A fault begins.
    pub fn begin(&mut self, at: Duration, what: FaultKind) {
        self.faults.push(Fault { from: at, until: None, what });
    }

    /// It is over.
    pub fn end(&mut self, at: Duration, what: &FaultKind) {
        for fault in self.faults.iter_mut().filter(|fault| fault.what == *what && fault.until.is_none()) {
            fault.until = Some(at);
        }
    }
}

impl Fault {
    /// Into how many parts with views of their own the cluster falls.
    pub fn n_sides(&self) -> usize {
        match self.what {
            FaultKind::Down(_) | FaultKind::Cut | FaultKind::Uplink(_) => 2,
            FaultKind::CutOneWay => 3,
        }
    }

    /// Whether it was there at some moment from `from` to `until`.
    pub fn touches(&self, from: Duration, until: Duration) -> bool {
        self.from <= until && self.until.is_none_or(|end| from <= end)
    }
}
