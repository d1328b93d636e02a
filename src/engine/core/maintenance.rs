//! Maintenance windows at work: while one is open for a monitor, checks and pings go on and are kept, but no incident begins and the verdict
//! that is shown is "maintenance".
//!
//! The one gate is [`permitted`], asked where moves are worked out, alone and with peers alike. With peers every node goes by its own config;
//! what another node opened is adopted whatever windows say here. When a window closes, a timer has everything that was in it decided anew: what is still
//! down opens then, dated as ever at its own first bad check.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::core::absence;
use crate::engine::core::machine::Machine;
use crate::engine::event::Command;
use crate::model::change::StateChange;
use crate::model::heartbeat::WindowKind;
use crate::model::id::MonitorId;
use crate::model::maintenance::Span;
use crate::model::maintenance::Window;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::rules::heartbeat::Input;
use crate::rules::incident;
use crate::rules::incident::Move;
use crate::rules::maintenance;

/// A clock that went back by more than this since windows were looked at was set, and windows may be open again. Less than that is how
/// clocks are corrected, and must not open one again that has just closed.
const SET_BACK_MIN: Duration = Duration::from_secs(2);

/// A window that is open for a monitor.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) window: Arc<Window>,
    pub(super) span: Span,
    /// Since when it counts: its beginning, or when it was first heard of. What was before that was not planned.
    pub(super) since: UnixMillis,
}

impl Open {
    fn is_same(&self, other: &Open) -> bool {
        self.window == other.window && self.span == other.span
    }
}

/// Why windows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// Time has passed, here or while this program did not run.
    OfTime,
    /// There is another config.
    OfConfig,
}

/// All windows together.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// By this node's clock, when they were looked at last.
    looked_at: UnixMillis,
    /// What happens next.
    next: Option<Edge>,
    /// Monitors for which windows have opened or closed, until that is followed.
    changed: BTreeSet<MonitorId>,
}

/// Where a window opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Opens(UnixMillis),
    Closes(UnixMillis),
}

/// How far the clocks of a cluster are ahead of this node's, in milliseconds: the one that is furthest behind, and the one that is
/// furthest ahead. A window lasts from when the first of them says so until the last one does, so that no node opens an incident while
/// it is still maintenance by the clock of another.
#[derive(Debug, Clone, Copy, Default)]
struct Clocks {
    slowest: i64,
    fastest: i64,
}

impl Clocks {
    /// When an edge is reached, by this node's clock.
    fn reach(self, edge: Edge) -> UnixMillis {
        match edge {
            Edge::Opens(at) => UnixMillis(at.0.saturating_sub(self.fastest)),
            Edge::Closes(at) => UnixMillis(at.0.saturating_sub(self.slowest)),
        }
    }
}

impl Core {
    fn clocks(&self) -> Clocks {
        self.cluster
            .as_ref()
            .map(|cluster| cluster.clock_range())
            .map_or_else(Clocks::default, |(slowest, fastest)| Clocks { slowest, fastest })
    }

    /// When the next window opens or closes.
    pub(super) fn windows_deadline(&self) -> Option<Mono> {
        let now = self.last;
        let edge = self.upkeep.next.filter(|_| !absence::is_implausible(now.wall))?;
        Some(now.mono + self.clocks().reach(edge).since(now.wall))
    }

    /// Lets time pass for windows.
    pub(super) fn pass_windows(&mut self, now: Now, commands: &mut Vec<Command>) {
        if absence::is_implausible(now.wall) {
            return;
        }
        let is_due = self.upkeep.next.is_some_and(|edge| self.clocks().reach(edge) <= now.wall);
        if !is_due && self.upkeep.looked_at <= now.wall + SET_BACK_MIN {
            return;
        }
        self.look_at_windows(now, Because::OfTime);
        let mut change = StateChange::default();
        self.follow_windows(now, &mut change);
        self.commit(commands, change, None);
    }

    /// Works out which windows are open, and for which monitors that is new.
    pub(super) fn look_at_windows(&mut self, now: Now, because: Because) {
        let clocks = self.clocks();
        let (slow, fast) = (shifted(now.wall, clocks.slowest), shifted(now.wall, clocks.fastest));
        let mut open: BTreeMap<MonitorId, Open> = BTreeMap::new();
        let mut next: Option<Edge> = None;
        for window in &self.config.maintenance {
            let Some(span) = maintenance::span(&window.when, slow) else { continue };
            let is_open = span.from <= fast;
            let edge = if is_open { Edge::Closes(span.to) } else { Edge::Opens(span.from) };
            next = Some(next.filter(|next| clocks.reach(*next) <= clocks.reach(edge)).unwrap_or(edge));
            for id in window.monitors.iter().filter(|_| is_open) {
                // Of several the one that lasts longest says until when.
                if open.get(id).is_none_or(|known| known.span.to < span.to) {
                    let since = if because == Because::OfConfig { slow.max(span.from) } else { span.from };
                    open.insert(id.clone(), Open { window: Arc::clone(window), span, since });
                }
            }
        }
        self.upkeep.looked_at = now.wall;
        self.upkeep.next = next;
        for (id, machine) in &mut self.machines {
            let mut open = open.remove(id);
            let is_same = match (&mut open, &machine.upkeep) {
                (None, None) => machine.state.verdict != Verdict::Maintenance || machine.upkept_until.is_some(),
                (Some(open), Some(before)) => {
                    // One that follows on another, or was changed, began for this monitor when that one did.
                    open.since = if open.span.from == before.span.from { before.since } else { open.since };
                    open.is_same(before)
                }
                (Some(_), None) | (None, Some(_)) => false,
            };
            if is_same {
                continue;
            }
            machine.upkept_until = match (&open, &machine.upkeep) {
                (Some(_), _) => None,
                (None, Some(before)) => Some(before.span.to.min(slow)),
                // It closed while this program did not run.
                (None, None) => Some(closed_at(&self.config.maintenance, id, machine.state.verdict_since).unwrap_or(slow).min(slow)),
            };
            machine.upkeep = open;
            machine.view = None;
            self.upkeep.changed.insert(id.clone());
        }
        self.is_dirty |= !self.upkeep.changed.is_empty();
    }

    /// Does what follows from windows that have opened or closed.
    pub(super) fn follow_windows(&mut self, now: Now, change: &mut StateChange) {
        for id in std::mem::take(&mut self.upkeep.changed) {
            self.follow_window_of_beat(&id, now, change);
            self.decide(&id, now, change);
            self.look_at_alerts(&id, None, now, change);
        }
    }

    /// Tells a heartbeat in which time neither silence nor failures count.
    fn follow_window_of_beat(&mut self, id: &MonitorId, now: Now, change: &mut StateChange) {
        let at = self.beat_now(now);
        let Some(machine) = self.machines.get(id) else { return };
        let Some(beat) = &machine.beat else { return };
        let wanted = machine.upkeep.as_ref().map(|open| Span { from: open.since, to: open.span.to });
        let is_over = |span: Span| wanted.is_none_or(|wanted| wanted.from != span.from);
        let known = beat.state.windows.iter().filter(|window| window.kind == WindowKind::Maintenance);
        let known: Vec<Span> = known.map(|window| Span { from: window.from, to: window.to }).collect();
        // What was announced and is taken back ends now.
        let cut_short = known.iter().filter(|span| at < span.to && is_over(**span)).map(|span| Span { to: at.max(span.from), ..*span });
        let new = wanted.filter(|wanted| !known.contains(wanted));
        for Span { from, to } in cut_short.chain(new).collect::<Vec<_>>() {
            let window = crate::model::heartbeat::Window { from, to, kind: WindowKind::Maintenance };
            self.feed(id, Input::Window(window), now, change);
        }
    }
}

/// Which of these moves may be made now.
pub(super) fn permitted(machine: &Machine, moves: Vec<Move>) -> Vec<Move> {
    if machine.upkeep.is_some() { incident::in_maintenance(moves) } else { moves }
}

/// Whether regional trouble may be recorded as open or closed now. It is not over because the trouble is that of all by now: that is
/// not recorded either.
pub(super) fn permitted_regional(machine: &Machine, verdict: Option<Verdict>, wanted: Option<bool>) -> Option<bool> {
    let may_end = matches!(verdict, Some(Verdict::Up));
    wanted.filter(|wanted| machine.upkeep.is_none() || (!wanted && may_end))
}

/// The verdict that is held when this is what is known, and since when. What begins as a window closes has not been before it.
pub(super) fn held(machine: &mut Machine, (verdict, since): (Verdict, UnixMillis)) -> (Verdict, UnixMillis) {
    machine.beneath = verdict;
    match &machine.upkeep {
        _ if verdict == Verdict::Paused => (verdict, since),
        Some(open) => (Verdict::Maintenance, since.max(open.since)),
        None if machine.state.verdict == Verdict::Maintenance => (verdict, machine.upkept_until.map_or(since, |closed| since.max(closed))),
        None => (verdict, since),
    }
}

/// What would be shown without any window.
pub(super) fn beneath(machine: &Machine) -> Verdict {
    if machine.state.verdict == Verdict::Maintenance { machine.beneath } else { machine.state.verdict }
}

/// The end of the window that was open for this monitor then.
fn closed_at(windows: &[Arc<Window>], id: &MonitorId, then: UnixMillis) -> Option<UnixMillis> {
    let covering = windows.iter().filter(|window| window.monitors.contains(id));
    covering.filter_map(|window| maintenance::span(&window.when, then)).filter(|span| span.holds(then)).map(|span| span.to).max()
}

fn shifted(at: UnixMillis, by_ms: i64) -> UnixMillis {
    UnixMillis(at.0.saturating_add(by_ms))
}
