//! Asks the other nodes whom they know, so that every node knows all subscribers and any of them may die.
//!
//! What comes back is held to what visitors are held to: only what a page offers here is taken in, and only addresses that a visitor could have
//! typed. Once all have been asked after a start, [`Exchange::is_caught_up`] says so: before that this node tells nobody anything, because
//! others may have told it while it was away.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::ClusterView;
use crate::engine::snapshot::Snapshot;
use crate::http::colleagues::Colleagues;
use crate::http::subscriptions::address_of;
use crate::http::subscriptions::offering;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::peer::Roster;
use crate::model::subscription::SharedRow;
use crate::model::subscription::Subscriptions;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::peer::port::AskError;
use crate::peer::subscribers;
use crate::peer::subscribers::Subscribers;
use crate::store::Store;

/// How often the others are asked: who signed up at one node presses the button at another a few seconds later.
const EVERY: Duration = Duration::from_secs(2);

/// Answers of one node that are asked for in a row; the rest comes in the next round. A node that is new has all of the largest page after
/// four of them.
const ANSWERS_AT_ONCE: usize = 50;

/// How long an answer is waited for: a node that hangs must not keep the others from being asked.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long a node that has started waits until all others were asked. Who has not answered by then is in trouble, and subscribers do not wait
/// for it.
const CATCH_UP_MAX: Duration = Duration::from_secs(30);

/// How far ahead of ours times may be that others tell: as far as clocks may be set wrong by a zone. What is said to come later would never grow
/// old.
const AHEAD_MAX: Duration = Duration::from_secs(86_400);

/// What a node knows of its cluster, for whoever shares the work of telling subscribers.
#[derive(Debug, Clone)]
pub struct Company {
    /// Who lives.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// What the others have told.
    pub heard: watch::Receiver<Heard>,
}

/// How far the others were asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// All of them since the start.
    pub is_caught_up: bool,
    /// When the last round of questions that has ended began.
    pub round: Option<Mono>,
}

impl Heard {
    /// Whether those who could be asked have been since `then`, or long enough was waited for it.
    #[must_use]
    pub fn is_since(&self, then: Mono, now: Mono) -> bool {
        self.round.is_some_and(|began| then < began) || CATCH_UP_MAX <= now.since(then)
    }
}

/// Asks the others.
pub struct Exchange {
    /// What pages offer, and who the others are.
    pub engine: EngineHandle,
    /// Where it is kept.
    pub store: Store,
    /// When.
    pub clock: Clock,
    /// Who can be asked.
    pub colleagues: Arc<dyn Colleagues>,
    /// Who lives.
    pub roster: watch::Receiver<Arc<Roster>>,
    /// Told how far the others were asked.
    pub heard: watch::Sender<Heard>,
}

/// How far a node was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cursor {
    run: String,
    after: i64,
}

/// What one round of questions to one node brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Everything that it knows is known here.
    All,
    /// There is more, or it could not answer now.
    NotAll,
    /// There is no link to it.
    NotLinked,
}

/// What is remembered from one round to the next. Lost with the program: then everything is asked for again.
#[derive(Debug, Default)]
pub(super) struct Progress {
    is_adopted: bool,
    cursors: BTreeMap<NodeName, Cursor>,
    /// Nodes of which everything was known at some time.
    all_known: BTreeSet<NodeName>,
    /// What pages offered when that began, and when.
    offered: Vec<(PageSlug, Subscriptions)>,
    since: Option<Mono>,
}

impl Exchange {
    /// Asks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut progress = Progress::default();
        loop {
            let snapshot = self.engine.snapshot();
            if let Some(cluster) = &snapshot.cluster {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.round(&snapshot, cluster, &mut progress) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Asks every other node once.
    pub(super) async fn round(&self, snapshot: &Snapshot, cluster: &ClusterView, progress: &mut Progress) {
        let now = self.clock.now();
        if !progress.is_adopted {
            match self.store.subscribers_adopt(&cluster.me).await {
                Ok(n) => {
                    progress.is_adopted = true;
                    if 0 < n {
                        tracing::info!("{n} subscribers of this node are known to its peers from now on");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot note where subscribers signed up: {error}");
                    return;
                }
            }
        }
        let pages = snapshot.config.pages.iter();
        let offered: Vec<(PageSlug, Subscriptions)> =
            pages.filter_map(|page| Some((page.slug.clone(), page.subscriptions.clone()?))).collect();
        if offered != progress.offered || progress.since.is_none() {
            // What was left out because no page offered it may be wanted now.
            *progress = Progress { is_adopted: true, offered, since: Some(now.mono), ..Progress::default() };
            self.heard.send_modify(|heard| heard.is_caught_up = false);
        }
        if progress.offered.is_empty() {
            return;
        }
        let others: Vec<NodeName> =
            cluster.members().filter(|node| !node.is_me && node.is_configured).map(|node| node.name.clone()).collect();
        progress.cursors.retain(|node, _| others.contains(node));
        let ask = |node: NodeName| {
            let mut cursor = progress.cursors.get(&node).cloned().unwrap_or_default();
            async move {
                let asked = self.ask(snapshot, &node, &mut cursor, now).await;
                (node, cursor, asked)
            }
        };
        let mut not_linked = BTreeSet::new();
        for (node, cursor, asked) in join_all(others.iter().cloned().map(ask)).await {
            match asked {
                Asked::All => drop(progress.all_known.insert(node.clone())),
                Asked::NotAll => {}
                Asked::NotLinked => drop(not_linked.insert(node.clone())),
            }
            progress.cursors.insert(node, cursor);
        }
        let roster = Arc::clone(&self.roster.borrow());
        let is_in_the_way = |node: &&NodeName| {
            // Until this node has settled it does not know who lives.
            let may_answer = !roster.is_ready || (roster.live.contains(*node) && !not_linked.contains(*node));
            !progress.all_known.contains(*node) && may_answer
        };
        let has_waited = progress.since.is_some_and(|since| CATCH_UP_MAX <= now.mono.since(since));
        let is_all = has_waited || !others.iter().any(|node| is_in_the_way(&node));
        self.heard.send_modify(|heard| *heard = Heard { is_caught_up: heard.is_caught_up || is_all, round: Some(now.mono) });
    }

    /// Asks one node for all that is new.
    async fn ask(&self, snapshot: &Snapshot, node: &NodeName, cursor: &mut Cursor, now: Now) -> Asked {
        for _ in 0..ANSWERS_AT_ONCE {
            let answer = match tokio::time::timeout(ANSWER_MAX, self.colleagues.ask(node, subscribers::ask(cursor.after))).await {
                Ok(Ok(bytes)) => subscribers::decode(&bytes),
                Ok(Err(AskError::NotLinked(_))) => return Asked::NotLinked,
                // Also a version that does not know the question: it knows nobody that could be told of here.
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("it did not answer in time".to_owned()),
            };
            let heard = match answer.and_then(|heard| follows(cursor, heard)) {
                Ok(Some(heard)) => heard,
                Ok(None) => continue,
                Err(why) => {
                    tracing::debug!(peer = %node, "`{node}` could not tell who subscribed: {why}");
                    return Asked::NotAll;
                }
            };
            let n_read = heard.part.rows.len();
            let rows: Vec<SharedRow> = heard.part.rows.into_iter().filter(|row| is_wanted(snapshot, row, now.wall)).collect();
            let n_left_out = n_read - rows.len() + heard.n_bad;
            if 0 < n_left_out {
                tracing::debug!(peer = %node, n_left_out, "{n_left_out} subscribers that `{node}` knows are not for this node");
            }
            if (!rows.is_empty() || !heard.part.gone.is_empty())
                && let Err(error) = self.store.subscribers_merge(rows, heard.part.gone, now.wall).await
            {
                tracing::warn!(%error, peer = %node, "cannot take in who subscribed at `{node}`: {error}");
                return Asked::NotAll;
            }
            *cursor = Cursor { run: heard.run, after: heard.part.to };
            if !heard.part.has_more {
                return Asked::All;
            }
        }
        Asked::NotAll
    }
}

/// The answer, if it goes on where the last one ended; `None`: it is of another run, and has to be asked from the beginning.
fn follows(cursor: &mut Cursor, heard: Subscribers) -> Result<Option<Subscribers>, String> {
    if cursor.run != heard.run && cursor.after != 0 {
        *cursor = Cursor { run: heard.run, after: 0 };
        return Ok(None);
    }
    if heard.part.has_more && heard.part.to <= cursor.after {
        return Err("its answer does not go on".to_owned());
    }
    Ok(Some(heard))
}

/// Whether a subscriber of another node is one that could have signed up here.
fn is_wanted(snapshot: &Snapshot, row: &SharedRow, now: UnixMillis) -> bool {
    let one = &row.subscriber;
    let offer = offering(snapshot, &one.page).map(|(_, offer)| offer).filter(|offer| offer.offers(one.way));
    let is_told = offer.is_some_and(|offer| address_of(one.way, &one.address, offer).as_ref() == Some(&one.address));
    let times = [Some(one.asked_at), one.confirmed_at].into_iter().flatten().chain(row.told.iter().map(|(_, at)| *at));
    is_told && times.into_iter().all(|at| UnixMillis::default() <= at && at <= now + AHEAD_MAX)
}
