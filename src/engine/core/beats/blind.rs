//! Time in which this node could not receive anything: what was due then is not held against anybody, unless a peer listened.

use std::collections::BTreeSet;

use crate::engine::core::Core;
use crate::model::change::StateChange;
use crate::model::heartbeat::WindowKind;
use crate::model::id::MonitorId;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::rules::heartbeat::Effect;
use crate::rules::heartbeat::Input;
use crate::rules::heartbeat::Moment;

/// A time in which this node could not receive anything.
#[derive(Debug, Clone)]
pub(in crate::engine::core) struct Blind {
    from: UnixMillis,
    to: UnixMillis,
    /// Heartbeats whose deadlines it moved.
    moved: BTreeSet<MonitorId>,
}

impl Core {
    /// Nothing could be received from then until now.
    pub(in crate::engine::core) fn blinded(&mut self, from: UnixMillis, now: Now, change: &mut StateChange) {
        let to = self.beat_now(now);
        if to <= from {
            return;
        }
        let window = crate::model::heartbeat::Window { from, to, kind: WindowKind::Blind };
        let ids: Vec<MonitorId> = self.machines.iter().filter(|(_, machine)| machine.beat.is_some()).map(|(id, _)| id.clone()).collect();
        let mut moved = BTreeSet::new();
        for id in ids {
            let moment = Moment { at: to, belief: self.belief(&id) };
            let Some(beat) = self.machines.get_mut(&id).and_then(|machine| machine.beat.as_mut()) else { continue };
            let effects = beat.feed(Input::Window(window), moment);
            if effects.iter().any(|effect| matches!(effect, Effect::Moved { .. })) {
                moved.insert(id.clone());
            }
            self.follow(&id, effects, now, change);
        }
        let blind = Blind { from, to, moved };
        match &self.cluster {
            None => self.tell_blind(&blind, now, change),
            Some(cluster) => {
                let is_ready = cluster.is_ready();
                self.beats.blind = Some(blind);
                // Before that, whether a peer listened meanwhile is not known.
                if is_ready {
                    self.lift_blindness(now, change);
                }
            }
        }
    }

    /// The peers are heard: one that listened all the time received what this node could not.
    pub(in crate::engine::core) fn lift_blindness(&mut self, now: Now, change: &mut StateChange) {
        let Some(blind) = self.beats.blind.take() else { return };
        let Some(cluster) = &self.cluster else { return };
        let live = cluster.members.values().filter(|member| member.is_live);
        let has_listened = live.filter_map(|member| member.meta.as_ref()).any(|meta| meta.started_at <= blind.from);
        if !has_listened {
            return self.tell_blind(&blind, now, change);
        }
        let ids: Vec<MonitorId> = self.machines.iter().filter(|(_, machine)| machine.beat.is_some()).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(beat) = self.machines.get_mut(&id).and_then(|machine| machine.beat.as_mut()) {
                beat.state.windows.retain(|window| window.kind != WindowKind::Blind || window.to != blind.to);
            }
            self.look_at(&id, now, change);
        }
    }

    /// One message about a time in which pings could not come in, with those that it may have kept from us.
    fn tell_blind(&mut self, blind: &Blind, now: Now, change: &mut StateChange) {
        if blind.moved.is_empty() {
            return;
        }
        let names = blind.moved.iter().filter_map(|id| self.machines.get(id)).map(|machine| machine.monitor.name.as_str());
        let notice = crate::engine::core::beat::blind_notice((blind.from, blind.to), names.collect());
        change.notifications.extend(self.notifications_of(&notice, now));
        self.notes.push(notice.text);
    }
}
