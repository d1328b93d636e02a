//! What is wrong with this instance itself: what the core sees of it, and the messages that follow. When what is told is up to
//! `crate::rules::selfcheck`; what the disk and the database say comes from outside as an event.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::core::Core;
use crate::engine::core::absence;
use crate::engine::core::cluster::Cluster;
use crate::engine::event::Command;
use crate::engine::event::Notice;
use crate::engine::snapshot::TroubleView;
use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::id::NodeName;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::spoken;
use crate::rules::selfcheck::CLOCK_SET_MIN;
use crate::rules::selfcheck::Company;
use crate::rules::selfcheck::Kept;
use crate::rules::selfcheck::Ledger;
use crate::rules::selfcheck::NEWS_PAUSE;
use crate::rules::selfcheck::Said;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;

/// What was told is kept under this and the word of its topic. No fact of the cluster begins like this.
pub const KEPT_UNDER: &str = "self/";

/// So often is looked: all that is told lasts for minutes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the core holds about itself.
#[derive(Debug, Default)]
pub(super) struct Own {
    ledger: Ledger,
    looked: Option<Mono>,
    /// When what has no end was told last.
    news: BTreeMap<String, Mono>,
}

impl Own {
    pub(super) fn new(kept: Vec<(Topic, Kept)>, now: Now) -> Own {
        let mut own = Own::default();
        kept.into_iter().for_each(|(topic, kept)| own.ledger.remember(topic, kept, now));
        own
    }

    /// What a restart must find.
    pub(super) fn facts(&self) -> impl Iterator<Item = StoredFact> {
        self.ledger.kept().map(|(topic, kept)| fact(topic, kept))
    }

    /// What pages say besides what they say by themselves.
    pub(super) fn troubles(&self) -> Vec<TroubleView> {
        let is_said_here = |topic: &Topic| match topic {
            Topic::DiskLow | Topic::DiskFull | Topic::Database | Topic::Clock | Topic::Peer(_) => true,
            // The pages have banners of their own for these.
            Topic::Config | Topic::Uplink | Topic::Outlier | Topic::Alone => false,
        };
        let open = self.ledger.open().filter(|(topic, ..)| is_said_here(topic));
        open.map(|(_, trouble, since)| TroubleView { title: trouble.title.clone(), text: trouble.text.clone(), since }).collect()
    }
}

fn fact(topic: &Topic, kept: Kept) -> StoredFact {
    StoredFact { key: format!("{KEPT_UNDER}{}", topic.word()), value: kept.text(), until: kept.until() }
}

/// What earlier runs told, from the facts that a start finds. Those whose time is over are left out.
#[must_use]
pub fn kept(facts: &[StoredFact], now: crate::model::time::UnixMillis) -> Vec<(Topic, Kept)> {
    let own = facts.iter().filter(|fact| fact.until.is_none_or(|until| now <= until));
    own.filter_map(|fact| Some((Topic::of_word(fact.key.strip_prefix(KEPT_UNDER)?)?, Kept::of_text(&fact.value)?))).collect()
}

impl Core {
    /// Takes in that a trouble is there, or is not.
    pub(super) fn seen(&mut self, topic: Topic, trouble: Option<Trouble>, now: Now, commands: &mut Vec<Command>) {
        self.own.ledger.see(topic, trouble, now);
        self.tell_of_itself(now, commands);
    }

    /// Looks at what the core sees itself, now and then.
    pub(super) fn look_after_itself(&mut self, now: Now, commands: &mut Vec<Command>) {
        if self.own.looked.is_some_and(|looked| now.mono.since(looked) < LOOK_EVERY) {
            return;
        }
        self.own.looked = Some(now.mono);
        self.see_clock(now);
        self.see_company(now);
        self.tell_of_itself(now, commands);
    }

    fn tell_of_itself(&mut self, now: Now, commands: &mut Vec<Command>) {
        let live = self.cluster.as_ref().map(Cluster::live).unwrap_or_default();
        let speaker = self.cluster.as_ref().and_then(|cluster| speaker(cluster, &live));
        let company = Company { speaker: speaker.as_ref(), live: &live };
        let said = self.own.ledger.pass(self.config.instance.region.as_str(), company, now);
        if said.is_empty() {
            return;
        }
        let mut change = StateChange::default();
        for Said { topic, is_over, title, text, kept } in said {
            let about = format!("{}/{}", topic.word(), if is_over { "over" } else { "open" });
            let notice = Notice { about: about.into(), title, text };
            change.notifications.extend(self.notifications_of(&notice, now));
            change.facts.push(fact(&topic, kept));
            // Of these the log has heard already, in more words.
            if !matches!(topic, Topic::Config | Topic::Uplink) {
                commands.push(Command::Note(format!("{}: {}", notice.title, notice.text)));
            }
        }
        self.is_dirty = true;
        self.commit(commands, change, None);
    }

    /// Tells what happens in a moment and has no end, unless the same was told a moment ago.
    pub(super) fn tell_news(&mut self, notice: &Notice, now: Now, commands: &mut Vec<Command>) {
        if self.own.news.get(&*notice.about).is_some_and(|told| now.mono.since(*told) < NEWS_PAUSE) {
            return;
        }
        self.own.news.insert(notice.about.to_string(), now.mono);
        let change = StateChange { notifications: self.notifications_of(notice, now), ..StateChange::default() };
        self.commit(commands, change, None);
    }

    /// The clock was set while the program ran. A machine that has just learned the time is not worth a message.
    pub(super) fn tell_clock_set(&mut self, step_ms: i64, (before, now): (Now, Now), commands: &mut Vec<Command>) {
        let by = Duration::from_millis(step_ms.unsigned_abs());
        if by < CLOCK_SET_MIN || absence::is_implausible(before.wall) {
            return;
        }
        let direction = if step_ms > 0 { "forward" } else { "back" };
        let (region, by) = (&self.config.instance.region, spoken(by));
        let notice = Notice {
            about: "clock-set".into(),
            title: format!("the clock of this machine was set {direction} by {by} ({region})"),
            text: "Intervals are not affected, and nobody is blamed for it. Times of events before it are those of the old clock. Look \
                   at what sets the clock of this machine."
                .to_owned(),
        };
        self.tell_news(&notice, now, commands);
    }

    fn see_clock(&mut self, now: Now) {
        let region = &self.config.instance.region;
        let title = format!("the clock of this machine is wrong ({region})");
        let text = if absence::is_implausible(now.wall) {
            Some("It says a year that cannot be right. Nothing is checked until it is set; look at its time service (NTP).".to_owned())
        } else {
            let off = self.cluster.as_ref().filter(|cluster| cluster.is_clock_off()).and_then(Cluster::clock_offset);
            off.map(|ms| {
                let by = spoken(Duration::from_millis(ms.unsigned_abs()));
                let side = if ms > 0 { "behind" } else { "ahead of" };
                format!("It is {by} {side} the clocks of its peers. Times that are shown are corrected meanwhile; look at its time service (NTP).")
            })
        };
        self.own.ledger.see(Topic::Clock, text.map(|text| Trouble { title, text }), now);
    }

    /// Peers that are not heard. When it is probably this node that is cut off, that is said instead, or nothing.
    fn see_company(&mut self, now: Now) {
        let Some(cluster) = &self.cluster else { return };
        let ledger = &mut self.own.ledger;
        let region = self.config.instance.region.as_str();
        let is_out = cluster.out.contains(cluster.me());
        ledger.see(Topic::Outlier, is_out.then(|| contradicts(region)), now);
        let others: Vec<&NodeName> = cluster.nodes().map(|node| &node.name).filter(|name| *name != cluster.me()).collect();
        ledger.keep_peers(&others.iter().map(|name| (*name).clone()).collect());
        let live = cluster.live();
        let is_alone = !others.is_empty() && others.iter().all(|name| !live.contains(*name));
        let is_cut_off = self.guard.uplink.lost_since().is_some();
        if is_cut_off {
            ledger.suspend(&Topic::Alone);
        } else {
            ledger.see(Topic::Alone, is_alone.then(|| alone(region, &others)), now);
        }
        for name in &others {
            if is_cut_off || is_alone {
                ledger.suspend(&Topic::Peer((*name).clone()));
                continue;
            }
            let is_lost = !live.contains(*name);
            let n_left = live.len();
            ledger.see(Topic::Peer((*name).clone()), is_lost.then(|| lost(name, cluster, n_left)), now);
        }
    }
}

/// The first that lives, in the order of the config; `None`: it is this node.
fn speaker(cluster: &Cluster, live: &BTreeSet<NodeName>) -> Option<NodeName> {
    let first = cluster.nodes().map(|node| &node.name).find(|name| live.contains(*name))?;
    (first != cluster.me()).then(|| first.clone())
}

fn contradicts(region: &str) -> Trouble {
    Trouble {
        title: format!("the vantage {region} contradicts all others"),
        text: format!(
            "`{region}` finds most monitors down that all other vantages find up. Its votes do not count until it agrees again; look at \
             its network."
        ),
    }
}

fn alone(region: &str, others: &[&NodeName]) -> Trouble {
    let names = others.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let none = if others.len() == 1 { format!("{names} is not heard") } else { format!("none of {names} is heard") };
    Trouble {
        title: format!("this node hears no peer ({region})"),
        text: format!("For some minutes {none}. Look at the network of this node first, then at whether the others run."),
    }
}

fn lost(name: &NodeName, cluster: &Cluster, n_left: usize) -> Trouble {
    let (n_all, me) = (cluster.names().len(), cluster.me());
    Trouble {
        title: format!("the peer {name} is lost"),
        text: format!(
            "It has not been heard for some minutes; {n_left} of {n_all} nodes are left. Look at whether it runs and reaches the others; \
             if it is gone for good, `vigilmon peer forget {name}`. Told by {me}."
        ),
    }
}
