//! What survives a crash: the store of one node, in memory, with the same rules as the real one. A change is applied whole or not at
//! all; a crash before that loses it, and whoever waited for it was never answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use vigilmon::consensus::codec;
use vigilmon::engine::committer::Durable;
use vigilmon::engine::ping::PingLog;
use vigilmon::engine::shell::Diary;
use vigilmon::model::change::MonitorState;
use vigilmon::model::change::StateChange;
use vigilmon::model::change::StoredFact;
use vigilmon::model::id::ChannelName;
use vigilmon::model::id::MonitorId;
use vigilmon::model::incident::Incident;
use vigilmon::model::notification::Notification;
use vigilmon::model::notification::Subject;
use vigilmon::model::peer::Record;
use vigilmon::model::ping::BeatState;
use vigilmon::model::ping::PingEntry;
use vigilmon::model::result::CheckResult;
use vigilmon::model::time::UnixMillis;
use vigilmon::notifier::outbox::LEASE;
use vigilmon::notifier::outbox::Mark;
use vigilmon::notifier::outbox::Outbox;
use vigilmon::store::Attempt;
use vigilmon::store::CommitError;
use vigilmon::store::OutboxRow;
use vigilmon::store::ReadError;

use crate::world::World;

/// A row of the outbox.
#[derive(Debug, Clone)]
pub struct Row {
    pub notification: Notification,
    pub due_at: UnixMillis,
    pub is_leased: bool,
    pub n_attempts: u32,
    pub ended: Option<&'static str>,
}

/// Everything on the disk.
#[derive(Debug, Default)]
pub struct Kept {
    pub states: BTreeMap<MonitorId, MonitorState>,
    pub incidents: BTreeMap<String, Incident>,
    pub facts: BTreeMap<String, StoredFact>,
    pub outbox: Vec<Row>,
    pub beats: BTreeMap<MonitorId, BeatState>,
    /// Pings that this node received.
    pub pings: Vec<PingEntry>,
    pub generation: u64,
    pub last_alive: Option<UnixMillis>,
    /// Counts how often the disk was emptied.
    pub n_wiped: u32,
}

/// The disk of one node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Disk {
    pub node: usize,
    pub world: Arc<World>,
    kept: Arc<Mutex<Kept>>,
}

impl Disk {
    pub fn new(node: usize, world: Arc<World>) -> Disk {
        Disk { node, world, kept: Arc::default() }
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The disk is lost and replaced by an empty one.
    pub fn wipe(&self) {
        self.with(|kept| *kept = Kept { n_wiped: kept.n_wiped + 1, ..Kept::default() });
    }

    /// What was shared with peers, decoded.
    pub fn records(&self) -> Vec<Record> {
        self.with(|kept| kept.facts.values().flat_map(|fact| codec::decode(&fact.key, &fact.value).unwrap_or_default()).collect())
    }

    async fn fsync(&self) {
        let wait = self.world.dice(|dice| dice.millis(1, 12));
        tokio::time::sleep(wait).await;
    }
}

fn put(kept: &mut Kept, change: StateChange) {
    for state in change.states {
        kept.states.insert(state.monitor.clone(), state);
    }
    for incident in change.opened {
        kept.incidents.entry(incident.id.to_string()).or_insert(incident);
    }
    for (id, closed) in change.closed {
        if let Some(incident) = kept.incidents.get_mut(id.as_str()) {
            incident.closed = Some(incident.closed.map_or(closed, |before| if before.at < closed.at { closed } else { before }));
        }
    }
    for amended in change.amended {
        if let Some(known) = kept.incidents.get_mut(amended.id.as_str()) {
            known.opened_at = known.opened_at.min(amended.opened_at);
            known.closed = match (known.closed, amended.closed) {
                (Some(one), Some(other)) => Some(if one.at < other.at { other } else { one }),
                (one, other) => one.or(other),
            };
        }
    }
    for fact in change.facts {
        kept.facts.insert(fact.key.clone(), fact);
    }
    kept.beats.extend(change.beats.into_iter().map(|beat| (beat.heartbeat.clone(), beat)));
    for notification in change.notifications {
        if !kept.outbox.iter().any(|row| row.notification.key == notification.key) {
            let due_at = notification.at;
            kept.outbox.push(Row { notification, due_at, is_leased: false, n_attempts: 0, ended: None });
        }
    }
}

impl Durable for Disk {
    async fn commit(&self, change: StateChange) -> Result<(), CommitError> {
        self.fsync().await;
        self.world.note_change(self.node, &change, self);
        self.with(|kept| put(kept, change));
        Ok(())
    }
}

impl PingLog for Disk {
    async fn keep(&self, entries: Arc<[vigilmon::engine::ping::Kept]>) -> Result<Vec<bool>, CommitError> {
        self.fsync().await;
        self.with(|kept| kept.pings.extend(entries.iter().map(|(entry, _)| entry.clone())));
        Ok(vec![true; entries.len()])
    }
}

impl Kept {
    /// Pings of the log that no state knows.
    pub fn unfed(&self) -> Vec<PingEntry> {
        let fed = |entry: &&PingEntry| self.beats.get(&entry.heartbeat).is_none_or(|beat| beat.fed_until < entry.stamp.sequence);
        self.pings.iter().filter(fed).cloned().collect()
    }
}

impl Diary for Disk {
    fn record(&self, _result: CheckResult) {}

    fn alive(&self, at: UnixMillis) {
        self.with(|kept| kept.last_alive = Some(at));
    }
}

/// Whose messages wait for each other.
fn queue(notification: &Notification) -> String {
    match &notification.subject {
        Subject::Incident(facts) | Subject::Passed(facts) => facts.monitor.to_string(),
        Subject::SelfNotice { .. } | Subject::Bundle(_) => String::new(),
    }
}

fn claimed_row(at: usize, row: &Row) -> OutboxRow {
    let id = i64::try_from(at).unwrap_or(i64::MAX);
    let (n_attempts, notification) = (row.n_attempts, row.notification.clone());
    OutboxRow {
        id,
        n_attempts,
        owed_since: notification.at,
        notification,
        remaining: Vec::new(),
        is_overtaken: false,
        is_opening_lost: false,
        opening: None,
        behind: Vec::new(),
    }
}

impl Kept {
    /// Places of the rows that may be sent: of every queue of a channel the oldest unsent one.
    fn heads(&self, channel: &ChannelName) -> Vec<usize> {
        let mut heads: BTreeMap<String, usize> = BTreeMap::new();
        for (at, row) in self.outbox.iter().enumerate() {
            if row.ended.is_none() && row.notification.channel == *channel {
                heads.entry(queue(&row.notification)).or_insert(at);
            }
        }
        let mut heads: Vec<usize> = heads.into_values().collect();
        heads.sort_unstable();
        heads
    }
}

impl Outbox for Disk {
    async fn reset_leases(&self) -> Result<(), CommitError> {
        self.with(|kept| {
            for row in kept.outbox.iter_mut().filter(|row| row.is_leased) {
                (row.is_leased, row.due_at) = (false, row.notification.at);
            }
        });
        Ok(())
    }

    async fn hold_leases(&self, until: UnixMillis) -> Result<(), CommitError> {
        self.with(|kept| {
            for row in kept.outbox.iter_mut().filter(|row| row.is_leased) {
                (row.is_leased, row.due_at) = (false, row.notification.at.max(until));
            }
        });
        Ok(())
    }

    async fn sent_elsewhere(&self, sent: Vec<(String, UnixMillis, Option<StoredFact>)>) -> Result<(), CommitError> {
        self.fsync().await;
        self.with(|kept| {
            for (key, _, fact) in sent {
                if let Some(row) = kept.outbox.iter_mut().find(|row| row.notification.key == key && row.ended.is_none() && !row.is_leased) {
                    row.ended = Some("elsewhere");
                }
                kept.facts.extend(fact.map(|fact| (fact.key.clone(), fact)));
            }
        });
        Ok(())
    }

    async fn keep(&self, facts: Vec<StoredFact>) -> Result<(), CommitError> {
        self.commit(StateChange { facts, ..StateChange::default() }).await
    }

    async fn claim(&self, channel: &ChannelName, now: UnixMillis, limit: usize) -> Result<Vec<OutboxRow>, CommitError> {
        self.fsync().await;
        Ok(self.with(|kept| {
            let mut claimed = Vec::new();
            for at in kept.heads(channel) {
                let row = &mut kept.outbox[at];
                if row.due_at <= now && claimed.len() < limit {
                    (row.is_leased, row.due_at) = (true, now + LEASE);
                    claimed.push(claimed_row(at, row));
                }
            }
            for claimed in &mut claimed {
                let waits = |row: &(usize, &Row)| row.1.ended.is_none() && row.1.notification.channel == *channel;
                let from = usize::try_from(claimed.id).unwrap_or(usize::MAX).saturating_add(1);
                let line = queue(&claimed.notification);
                let behind = kept.outbox.iter().enumerate().skip(from).filter(waits).filter(|row| queue(&row.1.notification) == line);
                claimed.behind = behind.map(|(at, row)| claimed_row(at, row)).collect();
            }
            claimed
        }))
    }

    async fn next_due(&self, channel: &ChannelName) -> Result<Option<UnixMillis>, ReadError> {
        Ok(self.with(|kept| kept.heads(channel).into_iter().map(|at| kept.outbox[at].due_at).min()))
    }

    async fn tells(&self, _pairs: Vec<(i64, i64)>) -> Result<(), CommitError> {
        // After a crash the peers say what may have arrived.
        self.fsync().await;
        Ok(())
    }

    async fn mark(&self, marks: Vec<(i64, Mark)>, _record: Option<&Attempt>) -> Result<(), CommitError> {
        self.fsync().await;
        self.with(|kept| {
            for (id, mark) in marks {
                let at = usize::try_from(id).unwrap_or(usize::MAX);
                let Some(row) = kept.outbox.get_mut(at).filter(|row| row.ended.is_none()) else { continue };
                row.is_leased = false;
                match mark {
                    // Channels here have one recipient each.
                    Mark::Sent { .. } | Mark::Together { .. } | Mark::Enough { .. } => {
                        (row.ended, row.n_attempts) = (Some("sent"), row.n_attempts + 1)
                    }
                    Mark::Elsewhere { .. } => row.ended = Some("elsewhere"),
                    Mark::Dead { .. } => (row.ended, row.n_attempts) = (Some("dead"), row.n_attempts + 1),
                    Mark::Partly { next_at, .. } => (row.due_at, row.n_attempts) = (next_at, row.n_attempts + 1),
                    Mark::Retry { next_at, may_have_arrived, .. } => {
                        (row.due_at, row.n_attempts) = (next_at, row.n_attempts + 1);
                        row.notification.may_be_repeat |= may_have_arrived;
                    }
                    Mark::Waits { next_at } => row.due_at = next_at,
                }
            }
        });
        Ok(())
    }

    async fn backlog(&self) -> Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError> {
        Ok(self.with(|kept| {
            let mut owed: BTreeMap<ChannelName, (u64, UnixMillis)> = BTreeMap::new();
            for row in kept.outbox.iter().filter(|row| row.ended.is_none()) {
                let at = row.notification.at;
                let entry = owed.entry(row.notification.channel.clone()).or_insert((0, at));
                *entry = (entry.0 + 1, entry.1.min(at));
            }
            owed.into_iter().map(|(channel, (n, oldest))| (channel, n, oldest)).collect()
        }))
    }
}

/// Longest time a change takes to reach the disk; a crash within it may lose the change.
pub const FSYNC_MAX: Duration = Duration::from_millis(20);
