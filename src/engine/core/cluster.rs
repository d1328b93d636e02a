//! What this node knows of its cluster: who lives, who takes part, what everybody holds, and what must never be forgotten.
//!
//! Hears news and keeps it; says who votes and who goes first. What follows for monitors is in `together`, what follows from facts
//! of others in `adopt`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::Peers;
use crate::consensus::component;
use crate::consensus::outlier::Outliers;
use crate::consensus::stamp::Hybrid;
use crate::engine::snapshot::Ignored;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::incident::Lane;
use crate::model::peer::CLOCK_OFF_MS;
use crate::model::peer::EpochFact;
use crate::model::peer::Meta;
use crate::model::peer::MonitorKey;
use crate::model::peer::Node;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::PeerOpinion;
use crate::model::peer::PingFact;
use crate::model::peer::Readiness;
use crate::model::peer::Roster;
use crate::model::peer::Watermark;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;

/// A node takes part when it has seen all others for this long.
const SEEN_FOR: Duration = Duration::from_secs(3);

/// Or when it has waited this long for those it does not see.
const SETTLE_MAX: Duration = Duration::from_secs(30);

/// And has checked everything once, unless that takes longer than this: one check that hangs must not keep a node out.
const PROBED_MAX: Duration = Duration::from_secs(90);

/// A watermark is told this often.
const WATERMARK_EVERY: Duration = Duration::from_secs(15);

/// Whoever is asked by several at once answers all of them together, this long after the last answer.
const ANSWER_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Who was asked and has not answered is asked again after so long: its answer may have been on its way when it was asked, and two nodes
/// that are not linked hear each other over a third.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// One's own watermarks that are remembered: older ones are not answered any more.
const MARKS_KEPT: usize = 64;

/// A scheduler of which nothing was heard for three watermarks does not turn.
const WATERMARK_STALE: Duration = Duration::from_secs(45);

/// A scheduler whose most overdue check is this late does not turn either.
const OVERDUE_MAX: Duration = Duration::from_secs(30);

/// A node that fell silent keeps its rank this long: a false suspicion does not make two nodes the first.
const KEEPS_RANK: Duration = Duration::from_secs(15);

/// Outliers are looked for this often.
const ROUND_EVERY: Duration = Duration::from_secs(5);

/// So many clocks must be compared to find out which one is wrong.
const CLOCKS_MIN: usize = 3;

/// Offsets are told in steps of this many milliseconds; what matters is a minute.
const CLOCK_ROUND: i64 = 10_000;

/// Opinions of one peer that are kept at most; more than any config has monitors.
const OPINIONS_MAX: usize = 200_000;

/// Looks at other people's suspicions that may be made at once, and how many are granted per second: an outage of everything must not
/// double the load of all checks.
const LOOKS_BURST: f64 = 200.0;
const LOOKS_PER_SECOND: f64 = 50.0;

/// The cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) peers: Peers,
    pub(super) members: BTreeMap<NodeName, Member>,
    /// Ids of the configured monitors by what they are called in opinions.
    pub(super) by_key: BTreeMap<MonitorKey, MonitorId>,
    pub(super) hybrid: Hybrid,
    pub(super) readiness: Readiness,
    pub(super) is_draining: bool,
    pub(super) began: Now,
    all_seen_since: Option<Mono>,
    next_watermark: Mono,
    n_watermarks: u64,
    /// One's own newest watermarks: number, and when it was made.
    own_marks: VecDeque<(u64, Mono)>,
    /// The next watermark asks the others to answer.
    asks: bool,
    asked_at: Option<Mono>,
    next_round: Mono,
    pub(super) outliers: Outliers,
    pub(super) out: BTreeSet<NodeName>,
    pub(super) forgotten: BTreeSet<NodeName>,
    pub(super) acts: BTreeMap<OperatorAct, OperatorFact>,
    /// By heartbeat and by the node that received them.
    pub(super) pings: BTreeMap<(MonitorId, NodeName), PingFact>,
    pub(super) epochs: BTreeMap<(MonitorId, Lane), EpochFact>,
    pub(super) said: BTreeMap<MonitorKey, PeerOpinion>,
    offsets: BTreeMap<NodeName, i64>,
    pub(super) roster: Arc<Roster>,
    pub(super) said_meta: Option<Meta>,
    /// When to look at which monitor's disagreement; mirrors `Joint::look`.
    pub(super) looks: BTreeSet<(Mono, MonitorId)>,
    budget: (f64, Mono),
    /// No other node has been seen since then.
    pub(super) lonely_since: Option<UnixMillis>,
    /// History is asked for from then on as soon as somebody is there.
    pub(super) refill_since: Option<UnixMillis>,
    pub(super) version: String,
    pub(super) config_digest: String,
}

/// Another node.
#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) is_live: bool,
    pub(super) silent_since: Option<Mono>,
    pub(super) meta: Option<Meta>,
    watermark: Option<(Watermark, Mono)>,
    /// All that it did before is known here.
    known_until: Option<Mono>,
    pub(super) opinions: BTreeMap<MonitorKey, PeerOpinion>,
}

impl Member {
    /// Its newest run began; what the one before observed counts no more.
    pub(super) fn begin_anew(&mut self) {
        self.meta = None;
        self.watermark = None;
        self.known_until = None;
        self.opinions.clear();
    }

    pub(super) fn note_opinion(&mut self, opinion: PeerOpinion) {
        if self.opinions.len() < OPINIONS_MAX || self.opinions.contains_key(&opinion.monitor) {
            self.opinions.insert(opinion.monitor, opinion);
        }
    }

    /// How long ago that was until which all that it did is known here.
    pub(super) fn known_ago(&self, now: Mono) -> Option<Duration> {
        self.known_until.map(|until| now.since(until))
    }

    fn turns(&self, now: Mono) -> bool {
        self.watermark.as_ref().is_some_and(|(mark, heard)| now.since(*heard) < WATERMARK_STALE && mark.overdue < OVERDUE_MAX)
    }
}

impl Cluster {
    pub(super) fn new(peers: Peers, config: &Config, version: String, now: Now) -> Cluster {
        let roster = Roster {
            me: peers.me.clone(),
            eligible: Vec::new(),
            eligible_since: now.mono,
            live: BTreeSet::from([peers.me.clone()]),
            is_ready: false,
        };
        let mut cluster = Cluster {
            members: BTreeMap::new(),
            by_key: BTreeMap::new(),
            hybrid: Hybrid::new(peers.me.clone()),
            readiness: Readiness::Settling,
            is_draining: false,
            began: now,
            all_seen_since: None,
            next_watermark: now.mono,
            // Numbers of another run of this node must not be taken for those of this one.
            n_watermarks: u64::try_from(now.wall.0).unwrap_or(0),
            own_marks: VecDeque::with_capacity(MARKS_KEPT),
            asks: false,
            asked_at: None,
            next_round: now.mono + ROUND_EVERY,
            outliers: Outliers::default(),
            out: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            acts: BTreeMap::new(),
            pings: BTreeMap::new(),
            epochs: BTreeMap::new(),
            said: BTreeMap::new(),
            offsets: BTreeMap::new(),
            roster: Arc::new(roster),
            said_meta: None,
            looks: BTreeSet::new(),
            budget: (LOOKS_BURST, now.mono),
            lonely_since: None,
            refill_since: None,
            version,
            config_digest: String::new(),
            peers,
        };
        cluster.configure(config);
        cluster
    }

    /// Takes over what a config may change while the program runs. Nodes and names change only with a restart.
    pub(super) fn configure(&mut self, config: &Config) {
        if let Some(peers) = &config.peers {
            self.peers.solo_after = peers.solo_after;
        }
        self.by_key = config.monitors.iter().map(|monitor| (MonitorKey::of(&monitor.id), monitor.id.clone())).collect();
        for node in &self.peers.nodes {
            if node.name != self.peers.me {
                self.members.entry(node.name.clone()).or_default();
            }
        }
    }

    pub(super) fn me(&self) -> &NodeName {
        &self.peers.me
    }

    /// Nodes that are configured and not forgotten, in the order of the config. A node that was forgotten itself still counts
    /// itself: what it knows of the others stays true, and it abstains.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.peers.nodes.iter().filter(|node| node.name == self.peers.me || !self.forgotten.contains(&node.name))
    }

    /// The others have been told that this node is gone for good.
    pub(super) fn am_forgotten(&self) -> bool {
        self.forgotten.contains(self.me())
    }

    pub(super) fn names(&self) -> Vec<NodeName> {
        self.nodes().map(|node| node.name.clone()).collect()
    }

    /// Nodes that are heard, this one included.
    pub(super) fn live(&self) -> BTreeSet<NodeName> {
        let heard = self.members.iter().filter(|(name, member)| member.is_live && !self.forgotten.contains(*name));
        heard.map(|(name, _)| name.clone()).chain([self.me().clone()]).collect()
    }

    pub(super) fn is_primary(&self) -> bool {
        component::is_primary(&self.names(), &self.live())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.readiness == Readiness::Ok && !self.is_draining
    }

    /// Takes in who lives; returns whether that is news.
    pub(super) fn note_live(&mut self, live: &BTreeSet<NodeName>, now: Now) -> bool {
        let mut changed = false;
        for (name, member) in &mut self.members {
            let is_live = live.contains(name);
            changed |= member.is_live != is_live;
            if member.is_live && !is_live {
                member.silent_since = Some(now.mono);
            }
            member.is_live = is_live;
        }
        let is_lonely = self.members.values().all(|member| !member.is_live);
        match (is_lonely, self.lonely_since) {
            (true, None) => self.lonely_since = Some(now.wall),
            (false, Some(since)) => {
                self.lonely_since = None;
                self.refill_since = Some(self.refill_since.map_or(since, |before| before.min(since)));
            }
            (true, Some(_)) | (false, None) => {}
        }
        changed
    }

    /// Why a node's votes do not count, whatever they say; `None`: they may.
    pub(super) fn ignored(&self, name: &NodeName, now: Mono) -> Option<Ignored> {
        if self.forgotten.contains(name) {
            return Some(Ignored::Forgotten);
        }
        if self.out.contains(name) {
            return Some(Ignored::Outlier);
        }
        let readiness = if name == self.me() {
            if self.is_draining { &Readiness::Draining } else { &self.readiness }
        } else {
            let member = self.members.get(name).filter(|member| member.is_live);
            let Some(member) = member else { return Some(Ignored::Silent) };
            let Some(meta) = &member.meta else { return Some(Ignored::Settling) };
            if meta.readiness == Readiness::Ok && !member.turns(now) {
                return Some(Ignored::Wedged);
            }
            &meta.readiness
        };
        match readiness {
            Readiness::Ok => None,
            Readiness::Settling => Some(Ignored::Settling),
            Readiness::Abstaining(_) => Some(Ignored::Abstains),
            Readiness::Draining => Some(Ignored::Draining),
        }
    }

    /// Whether enough was seen and heard since the start to take part.
    pub(super) fn has_settled(&mut self, all_probed: bool, now: Mono) -> bool {
        let sees_all = self.nodes().all(|node| node.name == self.peers.me || self.members.get(&node.name).is_some_and(|m| m.is_live));
        self.all_seen_since = if sees_all { self.all_seen_since.or(Some(now)) } else { None };
        let waited = now.since(self.began.mono);
        let has_heard = self.all_seen_since.is_some_and(|since| SEEN_FOR <= now.since(since)) || SETTLE_MAX <= waited;
        has_heard && (all_probed || PROBED_MAX <= waited)
    }

    /// Takes in how far the clocks of others are ahead.
    pub(super) fn note_offsets(&mut self, offsets: BTreeMap<NodeName, i64>) {
        self.offsets = offsets;
    }

    /// How far the common clock is ahead of this node's, in milliseconds; `None` while nobody is linked. The middle of all clocks that
    /// this node can compare, its own included. One that can compare no more than two asks those who can: of two, nobody can say
    /// which one is wrong, and without better advice each keeps its own.
    pub(super) fn clock_offset(&self) -> Option<i64> {
        if self.offsets.is_empty() {
            return None;
        }
        if CLOCKS_MIN <= self.offsets.len() + 1 {
            return middle(self.offsets.values().copied().chain([0]));
        }
        let advice = |(node, ahead): (&NodeName, &i64)| Some(ahead.saturating_add(self.members.get(node)?.meta.as_ref()?.clock_offset_ms?));
        let advised = middle(self.offsets.iter().filter_map(advice));
        advised.or_else(|| middle(self.offsets.values().copied().chain([0])))
    }

    /// The same for peers, from a node that has compared enough clocks. Rounded, because every change is told to everybody.
    pub(super) fn known_clock_offset(&self) -> Option<i64> {
        let has_compared = CLOCKS_MIN <= self.offsets.len() + 1;
        self.clock_offset().filter(|_| has_compared).map(|offset| offset / CLOCK_ROUND * CLOCK_ROUND)
    }

    pub(super) fn is_clock_off(&self) -> bool {
        self.clock_offset().is_some_and(|offset| CLOCK_OFF_MS < offset.abs())
    }

    /// How far the clocks that are about right are ahead of this node's, in milliseconds: the furthest behind and the furthest ahead, its
    /// own included unless it is the one that is wrong.
    pub(super) fn clock_range(&self) -> (i64, i64) {
        let common = self.clock_offset().unwrap_or(0);
        let about_right = |offset: &i64| offset.abs_diff(common) <= CLOCK_OFF_MS.unsigned_abs();
        let all = || self.offsets.values().copied().chain([0]).filter(about_right);
        (all().min().unwrap_or(common), all().max().unwrap_or(common))
    }

    /// A time of this node's clock by the common one. Small differences are left alone: they would only make times differ.
    pub(super) fn common(&self, at: UnixMillis) -> UnixMillis {
        let offset = self.clock_offset().filter(|offset| CLOCK_OFF_MS < offset.abs()).unwrap_or(0);
        UnixMillis(at.0.saturating_add(offset))
    }

    /// Who shares work now.
    pub(super) fn work_out_roster(&self, now: Mono) -> Roster {
        let live = self.live();
        let group = self.plurality(&live);
        let takes_part = |name: &NodeName| {
            if name == self.me() {
                return self.is_ready() && !self.out.contains(name) && !self.is_clock_off();
            }
            let Some(member) = self.members.get(name) else { return false };
            let is_here = member.is_live || member.silent_since.is_some_and(|since| now.since(since) < KEEPS_RANK);
            is_here
                && !self.out.contains(name)
                && member.meta.as_ref().is_some_and(|meta| meta.readiness == Readiness::Ok && !meta.is_clock_off)
        };
        let mut eligible: Vec<NodeName> = self.names().into_iter().filter(takes_part).collect();
        eligible.sort();
        let (same, others): (Vec<_>, Vec<_>) = eligible.into_iter().partition(|name| self.digest_of(name) == group.as_deref());
        let eligible = if same.is_empty() { others } else { same };
        let eligible_since = if eligible == self.roster.eligible { self.roster.eligible_since } else { now };
        Roster { me: self.me().clone(), eligible, eligible_since, live, is_ready: self.is_ready() }
    }

    fn digest_of(&self, name: &NodeName) -> Option<&str> {
        if name == self.me() {
            return Some(&self.config_digest);
        }
        self.members.get(name)?.meta.as_ref().map(|meta| meta.config_digest.as_str())
    }

    /// The config that most live nodes have; of equals the one of the node whose name is first.
    fn plurality(&self, live: &BTreeSet<NodeName>) -> Option<String> {
        let mut groups: BTreeMap<&str, (usize, &NodeName)> = BTreeMap::new();
        for name in live {
            if let Some(digest) = self.digest_of(name) {
                groups.entry(digest).or_insert((0, name)).0 += 1;
            }
        }
        let largest = groups.into_iter().max_by_key(|(_, (n, first))| (*n, std::cmp::Reverse(*first)));
        largest.map(|(digest, _)| digest.to_owned())
    }

    /// This node's place for a subject: first those who share the work, then those who live and take part besides, such as nodes
    /// with an older config. `None`: it does not act.
    pub(super) fn rank(&self, subject: &str) -> Option<usize> {
        if !self.is_ready() || self.out.contains(self.me()) {
            return None;
        }
        let roster = &self.roster;
        let place = crate::consensus::rank::rank_of(subject, &roster.eligible, self.me());
        place.or_else(|| {
            let others: Vec<NodeName> = roster.live.iter().filter(|name| !roster.eligible.contains(name)).cloned().collect();
            Some(roster.eligible.len() + crate::consensus::rank::rank_of(subject, &others, self.me())?)
        })
    }

    /// The next watermark, when it is time for one.
    pub(super) fn watermark_if_due(&mut self, overdue: Duration, now: Mono) -> Option<Watermark> {
        if now < self.next_watermark {
            return None;
        }
        self.next_watermark = now + WATERMARK_EVERY;
        self.n_watermarks += 1;
        if self.own_marks.len() == MARKS_KEPT {
            self.own_marks.pop_front();
        }
        self.own_marks.push_back((self.n_watermarks, now));
        let newest = |(name, member): (&NodeName, &Member)| Some((name.clone(), member.watermark.as_ref()?.0.number));
        let seen = self.members.iter().filter_map(newest).collect();
        Some(Watermark { overdue, number: self.n_watermarks, asks: std::mem::take(&mut self.asks), seen })
    }

    /// Takes in a peer's watermark. Whoever asks is answered soon.
    pub(super) fn note_watermark(&mut self, from: &NodeName, watermark: Watermark, now: Mono) {
        let seen = watermark.seen.get(&self.peers.me).copied();
        // It had heard my mark when it said this; so all that it did before I made the mark is known here.
        let known_until = self.own_marks.iter().find(|(number, _)| Some(*number) == seen).map(|(_, at)| *at);
        if watermark.asks {
            let soonest = self.own_marks.back().map_or(now, |(_, at)| *at + ANSWER_AGAIN_AFTER);
            self.next_watermark = self.next_watermark.min(soonest.max(now));
        }
        if let Some(member) = self.members.get_mut(from) {
            member.known_until = member.known_until.max(known_until);
            member.watermark = Some((watermark, now));
        }
    }

    /// Has all peers say soon what they know, unless they were asked for it after `since`, a moment ago.
    pub(super) fn ask_around(&mut self, since: Mono, now: Mono) {
        let has_asked = self.asked_at.is_some_and(|asked| since <= asked && now.since(asked) < ASK_AGAIN_AFTER);
        if !has_asked {
            self.asked_at = Some(now);
            self.asks = true;
            self.next_watermark = self.next_watermark.min(now);
        }
    }

    /// Nodes of which all is known that they did before `since`, this one included.
    pub(super) fn known_until(&self, since: Mono) -> BTreeSet<NodeName> {
        let known = self.members.iter().filter(|(_, member)| member.known_until.is_some_and(|until| since <= until));
        known.map(|(name, _)| name.clone()).chain([self.me().clone()]).collect()
    }

    pub(super) fn round_is_due(&mut self, now: Mono) -> bool {
        let is_due = self.next_round <= now;
        if is_due {
            self.next_round = now + ROUND_EVERY;
        }
        is_due
    }

    /// The next moment at which something is to be done without anything happening.
    pub(super) fn deadline(&self) -> Mono {
        let regular = self.next_watermark.min(self.next_round);
        self.looks.first().map_or(regular, |(look, _)| regular.min(*look))
    }

    /// Whether one more check out of turn may be made.
    pub(super) fn may_look(&mut self, now: Mono) -> bool {
        let (left, at) = self.budget;
        let left = (left + now.since(at).as_secs_f64() * LOOKS_PER_SECOND).min(LOOKS_BURST);
        self.budget = if left < 1.0 { (left, now) } else { (left - 1.0, now) };
        1.0 <= left
    }
}

/// The middle one, and of two the one nearer to none at all.
fn middle(offsets: impl Iterator<Item = i64>) -> Option<i64> {
    let mut all: Vec<i64> = offsets.collect();
    all.sort_unstable();
    let (low, high) = (*all.get(all.len().checked_sub(1)? / 2)?, *all.get(all.len() / 2)?);
    Some(if low.unsigned_abs() <= high.unsigned_abs() { low } else { high })
}
