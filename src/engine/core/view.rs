//! Pictures of the live state. Only what changed since the last picture is drawn again.

use std::sync::Arc;
use std::time::Duration;

use crate::consensus::decide;
use crate::consensus::decide::Vote;
use crate::engine::core::Core;
use crate::engine::core::machine::Machine;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::UplinkView;
use crate::model::time::Now;
use crate::model::time::UnixMillis;

impl Core {
    /// Whether a new picture would differ from the last one.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.is_dirty
    }

    /// A picture of everything.
    pub fn snapshot(&mut self, now: Now) -> Snapshot {
        self.revision += u64::from(std::mem::take(&mut self.is_dirty));
        let region = &self.config.instance.region;
        let monitors = self.machines.iter_mut().map(|(id, machine)| {
            let view = machine.view.take().unwrap_or_else(|| Arc::new(draw(machine, region, now)));
            machine.view = Some(Arc::clone(&view));
            (id.clone(), view)
        });
        let monitors = monitors.collect();
        let uplink = match (self.config.uplink.is_empty(), self.guard.uplink.lost_since()) {
            (true, _) => UplinkView::NotGuarded,
            (false, None) => UplinkView::Fine,
            (false, Some(since)) => UplinkView::Lost(since),
        };
        Snapshot {
            at: now.wall,
            started_at: self.started_at,
            revision: self.revision,
            config: Arc::clone(&self.config),
            monitors,
            uplink,
            reload: Arc::clone(&self.reload),
        }
    }
}

fn draw(machine: &Machine, region: &crate::model::id::Region, now: Now) -> MonitorView {
    let votes = [Vote { region: region.clone(), state: machine.is_here.then_some(machine.state.opinion.state) }];
    let due_in = machine.due.map(|due| if due > now.mono { due.since(now.mono) } else { Duration::ZERO });
    let mut incidents = machine.incidents.clone();
    incidents.sort_by_key(|incident| incident.lane);
    MonitorView {
        monitor: Arc::clone(&machine.monitor),
        verdict: machine.state.verdict,
        since: machine.state.verdict_since,
        opinion: machine.state.opinion.clone(),
        regions: decide::regions(&votes),
        last: machine.last.clone(),
        recent: machine.recent.iter().copied().collect(),
        incidents,
        next_check_at: due_in.map(|wait| UnixMillis(now.wall.0) + wait),
        paused_by_operator: machine.state.paused_at.is_some(),
    }
}
