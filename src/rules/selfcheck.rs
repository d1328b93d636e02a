//! What people are told about vigilmon itself: each trouble once when it begins and once when it is over, and no trouble more often than
//! its pause allows, however it flickers. Whether it is there is seen elsewhere; here is decided what is said of it, and when.
//!
//! What was told is kept, so that a restart neither repeats a beginning nor forgets an end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::id::NodeName;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;

/// A peer, or all of them, is lost when nothing was heard for so long. A restart, an upgrade or a short cut of the line is no news.
const PEER_PATIENCE: Duration = Duration::from_secs(300);

/// A clock must be wrong for so long; after a start the time often comes over the network a moment later.
const CLOCK_PATIENCE: Duration = Duration::from_secs(120);

/// The database must refuse for so long: another program that holds it, such as a backup, lets go sooner.
const DATABASE_PATIENCE: Duration = Duration::from_secs(60);

/// What was told must be gone for so long before its end is told.
const CALM: Duration = Duration::from_secs(30);

/// Between two beginnings of the same trouble: one that flickers is one story.
const PAUSE: Duration = Duration::from_secs(1800);

/// The same for a config: people mend it and break it again within minutes, and want to hear how it stands.
const CONFIG_PAUSE: Duration = Duration::from_secs(60);

/// The same for the uplink: a flapping line is one story, and a line that is cut again later is another one.
const UPLINK_PAUSE: Duration = Duration::from_secs(300);

/// What happens in a moment and has no end is told again only after this.
pub const NEWS_PAUSE: Duration = Duration::from_secs(600);

/// A clock that is set by less than this is being corrected, not wrong.
pub const CLOCK_SET_MIN: Duration = Duration::from_secs(60);

/// A disk with less than this part of it free is nearly full …
const FREE_SHARE: u64 = 20;

/// … but not while there is so much: a twentieth of a large disk lasts for years …
const FREE_BYTES_ENOUGH: u64 = 1 << 30;

/// … and in any case with less than this: the log of the database and the reserve need some of it, and it goes fast when others write …
const FREE_BYTES_MIN: u64 = 256 << 20;

/// … unless the whole disk is so small that this is most of it.
const FREE_SHARE_OF_SMALL: u64 = 4;

/// What can be wrong with an instance for a while.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The config on disk is not valid.
    Config,
    /// The disk is nearly full.
    DiskLow,
    /// The disk is full: the database lives on its reserve.
    DiskFull,
    /// The database takes no writes.
    Database,
    /// The clock is wrong.
    Clock,
    /// The uplink is lost.
    Uplink,
    /// This vantage contradicts all others.
    Outlier,
    /// No peer is heard.
    Alone,
    /// This peer is not heard, and others are.
    Peer(NodeName),
}

impl Topic {
    /// The word under which it is kept.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Topic::Config => "config".to_owned(),
            Topic::DiskLow => "disk-low".to_owned(),
            Topic::DiskFull => "disk-full".to_owned(),
            Topic::Database => "database".to_owned(),
            Topic::Clock => "clock".to_owned(),
            Topic::Uplink => "uplink".to_owned(),
            Topic::Outlier => "outlier".to_owned(),
            Topic::Alone => "alone".to_owned(),
            Topic::Peer(node) => format!("peer/{node}"),
        }
    }

    /// The topic of its word; `None` for words of another build.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Topic> {
        let plain =
            [Topic::Config, Topic::DiskLow, Topic::DiskFull, Topic::Database, Topic::Clock, Topic::Uplink, Topic::Outlier, Topic::Alone];
        let peer = || Some(Topic::Peer(NodeName::parse(word.strip_prefix("peer/")?).ok()?));
        plain.into_iter().find(|topic| topic.word() == word).or_else(peer)
    }

    /// How long it must last before it is told.
    fn patience(&self) -> Duration {
        match self {
            Topic::Config | Topic::DiskLow | Topic::DiskFull | Topic::Uplink | Topic::Outlier => Duration::ZERO,
            Topic::Database => DATABASE_PATIENCE,
            Topic::Clock => CLOCK_PATIENCE,
            Topic::Alone | Topic::Peer(_) => PEER_PATIENCE,
        }
    }

    /// How long it must be gone before that is told.
    fn calm(&self) -> Duration {
        match self {
            // Both are believed only when they are proved.
            Topic::Config | Topic::Uplink => Duration::ZERO,
            Topic::DiskLow | Topic::DiskFull | Topic::Database | Topic::Clock | Topic::Outlier | Topic::Alone | Topic::Peer(_) => CALM,
        }
    }

    /// How long after its last beginning it is told again.
    fn pause(&self) -> Duration {
        match self {
            Topic::Config => CONFIG_PAUSE,
            Topic::Uplink => UPLINK_PAUSE,
            Topic::DiskLow | Topic::DiskFull | Topic::Database | Topic::Clock | Topic::Outlier | Topic::Alone | Topic::Peer(_) => PAUSE,
        }
    }

    /// One node of a cluster speaks for all that see it.
    fn is_shared(&self) -> bool {
        matches!(self, Topic::Peer(_))
    }

    /// What is said when it is over.
    fn over(&self, place: &str, lasted: Duration) -> (String, String) {
        let lasted = spoken(lasted);
        let (title, text) = match self {
            Topic::Config => ("the config on disk is valid again", format!("It was not for {lasted}. What it says holds now.")),
            Topic::DiskLow => ("the disk has room again", format!("It was nearly full for {lasted}.")),
            Topic::DiskFull => ("the disk is no longer full", format!("It was for {lasted}. Everything is written again.")),
            Topic::Database => ("the database takes writes again", format!("It took none for {lasted}.")),
            Topic::Clock => ("the clock is right again", format!("It was wrong for {lasted}.")),
            Topic::Uplink => {
                let text = format!("The uplink was lost for {lasted}. Nothing beyond it was judged meanwhile.");
                return (format!("the vantage {place} has its uplink again"), text);
            }
            Topic::Outlier => ("this vantage agrees with the others again", format!("Its votes did not count for {lasted}.")),
            Topic::Alone => ("this node hears its peers again", format!("It heard none of them for {lasted}.")),
            Topic::Peer(node) => return (format!("the peer {node} is back"), format!("It was not heard for {lasted}.")),
        };
        (format!("{title} ({place})"), text)
    }
}

/// A trouble in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Short, like a subject line.
    pub title: String,
    /// One or more sentences, with the way out.
    pub text: String,
}

/// Who else could say it.
#[derive(Debug, Clone, Copy)]
pub struct Company<'a> {
    /// The node that speaks for all; `None`: this one.
    pub speaker: Option<&'a NodeName>,
    /// Nodes that are heard.
    pub live: &'a BTreeSet<NodeName>,
}

/// What is to be said, and what is to be kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it is about.
    pub topic: Topic,
    /// Whether it begins or is over.
    pub is_over: bool,
    /// Short, like a subject line.
    pub title: String,
    /// One or more sentences.
    pub text: String,
    /// What a restart must find.
    pub kept: Kept,
}

/// What a restart must find of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Since when it lasts, or lasted.
    pub since: UnixMillis,
    /// When its beginning was told.
    pub told: UnixMillis,
    /// Its end was told as well.
    pub is_over: bool,
}

impl Kept {
    /// As a text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {} {}", self.since.0, self.told.0, if self.is_over { "over" } else { "open" })
    }

    /// The value of a text; `None` when it is none of ours.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Kept> {
        let mut parts = text.split(' ');
        let (since, told) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let is_over = match parts.next()? {
            "over" => true,
            "open" => false,
            _ => return None,
        };
        Some(Kept { since: UnixMillis(since), told: UnixMillis(told), is_over })
    }

    /// How long it matters: until the topic may be told again. `None` while it is open.
    #[must_use]
    pub fn until(&self) -> Option<UnixMillis> {
        self.is_over.then(|| self.told + PAUSE)
    }
}

/// Who told the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Teller {
    Me,
    Other(NodeName),
}

#[derive(Debug, Clone, Default)]
struct Entry {
    /// As it was last seen.
    trouble: Option<Trouble>,
    /// Since when it lasts.
    began: Option<Now>,
    /// Since when it is gone, although people know of it.
    gone_since: Option<Mono>,
    /// Its beginning was told, and its end is owed.
    told: Option<Teller>,
    /// When this node last told of a beginning.
    told_at: Option<Now>,
}

/// Everything that is wrong with this instance, and what people know of it.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Topic, Entry>,
}

impl Ledger {
    /// Goes on where the last run stopped.
    pub fn remember(&mut self, topic: Topic, kept: Kept, now: Now) {
        let moment = |at: UnixMillis| {
            let ago = u64::try_from(now.wall.since(at).as_micros()).unwrap_or(u64::MAX);
            Now { wall: at, mono: Mono(now.mono.0.saturating_sub(ago)) }
        };
        let entry = Entry {
            began: (!kept.is_over).then(|| moment(kept.since)),
            told: (!kept.is_over).then_some(Teller::Me),
            told_at: Some(moment(kept.told)),
            ..Entry::default()
        };
        self.entries.insert(topic, entry);
    }

    /// Takes in that a trouble is there, or is not.
    pub fn see(&mut self, topic: Topic, trouble: Option<Trouble>, now: Now) {
        if trouble.is_none() && !self.entries.contains_key(&topic) {
            return;
        }
        let entry = self.entries.entry(topic).or_default();
        match &trouble {
            Some(_) => {
                entry.began.get_or_insert(now);
                entry.gone_since = None;
            }
            None if entry.told.is_some() => {
                entry.gone_since.get_or_insert(now.mono);
            }
            None => entry.began = None,
        }
        entry.trouble = trouble;
    }

    /// Nothing can be said of a topic for now. What was told stays told; what was not begins anew.
    pub fn suspend(&mut self, topic: &Topic) {
        if let Some(entry) = self.entries.get_mut(topic) {
            entry.gone_since = None;
            if entry.told.is_none() {
                (entry.trouble, entry.began) = (None, None);
            }
        }
    }

    /// Peers that are not expected any more are not missed.
    pub fn keep_peers(&mut self, expected: &BTreeSet<NodeName>) {
        self.entries.retain(|topic, _| match topic {
            Topic::Peer(node) => expected.contains(node),
            Topic::Config
            | Topic::DiskLow
            | Topic::DiskFull
            | Topic::Database
            | Topic::Clock
            | Topic::Uplink
            | Topic::Outlier
            | Topic::Alone => true,
        });
    }

    /// What is to be told now. `place` says which instance it is about.
    pub fn pass(&mut self, place: &str, company: Company<'_>, now: Now) -> Vec<Said> {
        self.entries.iter_mut().filter_map(|(topic, entry)| entry.pass((topic, place), company, now)).collect()
    }

    /// What a restart must find of what this node told.
    pub fn kept(&self) -> impl Iterator<Item = (&Topic, Kept)> {
        self.entries.iter().filter_map(|(topic, entry)| {
            let (told, began) = (entry.told_at?, entry.began.filter(|_| entry.told == Some(Teller::Me)));
            let since = began.map_or(told.wall, |began| began.wall);
            Some((topic, Kept { since, told: told.wall, is_over: began.is_none() }))
        })
    }

    /// What is wrong right now and known to people, with since when.
    pub fn open(&self) -> impl Iterator<Item = (&Topic, &Trouble, UnixMillis)> {
        self.entries.iter().filter_map(|(topic, entry)| {
            entry.told.as_ref()?;
            Some((topic, entry.trouble.as_ref()?, entry.began?.wall))
        })
    }
}

impl Entry {
    fn pass(&mut self, (topic, place): (&Topic, &str), company: Company<'_>, now: Now) -> Option<Said> {
        let began = self.began?;
        match (&self.trouble, &self.told) {
            (Some(trouble), None) => {
                let is_ripe = topic.patience() <= now.mono.since(began.mono);
                let may_be_told = self.told_at.is_none_or(|told| topic.pause() <= now.mono.since(told.mono));
                if !is_ripe || !may_be_told {
                    return None;
                }
                if let Some(speaker) = company.speaker.filter(|_| topic.is_shared()) {
                    self.told = Some(Teller::Other(speaker.clone()));
                    return None;
                }
                let said = Said {
                    topic: topic.clone(),
                    is_over: false,
                    title: trouble.title.clone(),
                    text: trouble.text.clone(),
                    kept: Kept { since: began.wall, told: now.wall, is_over: false },
                };
                (self.told, self.told_at) = (Some(Teller::Me), Some(now));
                Some(said)
            }
            (None, Some(teller)) => {
                let gone_since = self.gone_since.filter(|since| topic.calm() <= now.mono.since(*since))?;
                let is_mine = match teller {
                    Teller::Me => true,
                    // Whoever told the beginning does not live to tell the end.
                    Teller::Other(node) => !company.live.contains(node) && company.speaker.is_none(),
                };
                let (title, text) = topic.over(place, gone_since.since(began.mono));
                let told = self.told_at.map_or(now.wall, |told| told.wall);
                let kept = Kept { since: began.wall, told, is_over: true };
                (self.told, self.began, self.gone_since) = (None, None, None);
                is_mine.then(|| Said { topic: topic.clone(), is_over: true, title, text, kept })
            }
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// The room on the disk that has the state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that may still be written.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

impl Disk {
    /// With less than this it is nearly full.
    fn limit(self) -> u64 {
        let least = FREE_BYTES_MIN.min(self.total / FREE_SHARE_OF_SMALL);
        (self.total / FREE_SHARE).clamp(least, FREE_BYTES_ENOUGH.max(least))
    }

    /// Whether it is nearly full. One that was is so until a quarter more is free: files that come and go are no news.
    #[must_use]
    pub fn is_low(self, was_low: bool) -> bool {
        let limit = self.limit();
        self.free < if was_low { limit + limit / 4 } else { limit }
    }

    /// The trouble in words.
    #[must_use]
    pub fn trouble(self, place: &str, state_dir: &str) -> Trouble {
        let mib = |bytes: u64| bytes >> 20;
        let per_cent = (self.free.saturating_mul(100)).checked_div(self.total).unwrap_or(0);
        Trouble {
            title: format!("the disk is nearly full ({place})"),
            text: format!(
                "{} MiB of {} MiB are free, {per_cent} %, on the disk with the state directory {state_dir}. When nothing is left, alerts \
                 still go out for a while, and results wait in memory. Free some room, or set `retention.max_db_size`.",
                mib(self.free),
                mib(self.total)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn at(seconds: u64) -> Now {
        let wall = UnixMillis(1_800_000_000_000 + i64::try_from(seconds * 1000).expect("small"));
        Now { wall, mono: Mono(10_000 * SECOND + seconds * SECOND) }
    }

    fn node(name: &str) -> NodeName {
        NodeName::parse(name).expect("a name")
    }

    fn trouble() -> Option<Trouble> {
        Some(Trouble { title: "it began".to_owned(), text: "Mend it.".to_owned() })
    }

    /// Looks once a second at whether the trouble is there, and prints what is told.
    #[track_caller]
    fn assert_story(topic: &Topic, is_there: impl Fn(u64) -> bool, seconds: u64, expected: &[&str]) {
        let mut ledger = Ledger::default();
        assert_eq!(story(&mut ledger, topic, is_there, 0..=seconds), expected);
    }

    fn story(ledger: &mut Ledger, topic: &Topic, is_there: impl Fn(u64) -> bool, seconds: std::ops::RangeInclusive<u64>) -> Vec<String> {
        let company = Company { speaker: None, live: &BTreeSet::new() };
        let mut told = Vec::new();
        for second in seconds {
            ledger.see(topic.clone(), trouble().filter(|_| is_there(second)), at(second));
            told.extend(ledger.pass("eu", company, at(second)).iter().map(|said| format!("{second}: {}: {}", said.title, said.text)));
        }
        told
    }

    #[test]
    fn a_trouble_is_told_once_when_it_begins_and_once_when_it_is_over() {
        assert_story(
            &Topic::Config,
            |second| (10..310).contains(&second),
            2000,
            &["10: it began: Mend it.", "310: the config on disk is valid again (eu): It was not for 5 min. What it says holds now."],
        );
        assert_story(
            &Topic::Peer(node("us")),
            |second| (10..1000).contains(&second),
            3000,
            &["310: it began: Mend it.", "1030: the peer us is back: It was not heard for 16 min 30 s."],
        );
        assert_story(
            &Topic::Clock,
            |second| (0..600).contains(&second),
            3000,
            &["120: it began: Mend it.", "630: the clock is right again (eu): It was wrong for 10 min."],
        );
    }

    #[test]
    fn what_is_over_before_it_matters_is_never_told() {
        assert_story(&Topic::Peer(node("us")), |second| second % 400 < 290, 20_000, &[]);
        assert_story(&Topic::Database, |second| second % 100 < 59, 20_000, &[]);
    }

    #[test]
    fn what_flickers_is_one_story_with_a_pause() {
        // On and off every ten seconds for an hour: gone for less than the calm that ends it.
        assert_story(
            &Topic::DiskLow,
            |second| second / 10 % 2 == 0 && second < 3600,
            10_000,
            &["0: it began: Mend it.", "3620: the disk has room again (eu): It was nearly full for 59 min 50 s."],
        );
        // On for one minute of every two: each end is believed, and the next beginning waits.
        let told = story(&mut Ledger::default(), &Topic::DiskLow, |second| second / 60 % 2 == 0, 0..=7200);
        assert!(told.len() <= 10, "{told:#?}");
        assert!(told.iter().enumerate().all(|(n, line)| line.contains("it began") == (n % 2 == 0)), "{told:#?}");
    }

    #[test]
    fn a_restart_repeats_no_beginning_and_forgets_no_end() {
        let topic = Topic::DiskLow;
        let mut ledger = Ledger::default();
        ledger.see(topic.clone(), trouble(), at(0));
        let company = Company { speaker: None, live: &BTreeSet::new() };
        let said = ledger.pass("eu", company, at(0));
        let kept = Kept::of_text(&said[0].kept.text()).expect("our own");
        assert_eq!((kept, kept.until()), (said[0].kept, None));
        let mut again = Ledger::default();
        again.remember(Topic::of_word(&topic.word()).expect("known"), kept, at(100));
        let told = story(&mut again, &topic, |second| second < 200, 100..=400);
        assert_eq!(told, ["230: the disk has room again (eu): It was nearly full for 3 min 20 s."]);
        // What flickers does so after a restart as well: the pause goes on.
        let mut third = Ledger::default();
        third.remember(topic.clone(), Kept { is_over: true, ..kept }, at(300));
        assert_eq!(story(&mut third, &topic, |_| true, 300..=2000), ["1800: it began: Mend it."]);
    }

    #[test]
    fn one_node_speaks_for_all_and_another_one_takes_over_what_it_left() {
        let topic = Topic::Peer(node("c"));
        let pass = |ledger: &mut Ledger, second, speaker: Option<&NodeName>, live: &[&str]| {
            let live: BTreeSet<NodeName> = live.iter().map(|name| node(name)).collect();
            ledger.pass("b", Company { speaker, live: &live }, at(second)).into_iter().map(|said| said.title).collect::<Vec<_>>()
        };
        let (a, mut left, mut orphaned) = (node("a"), Ledger::default(), Ledger::default());
        for ledger in [&mut left, &mut orphaned] {
            ledger.see(topic.clone(), trouble(), at(0));
            assert!(pass(ledger, 300, Some(&a), &["a", "b"]).is_empty(), "a tells it");
            assert_eq!(ledger.open().count(), 1, "and b knows it as well");
            ledger.see(topic.clone(), None, at(400));
        }
        assert!(pass(&mut left, 430, Some(&a), &["a", "b", "c"]).is_empty(), "a tells that, too");
        assert_eq!(pass(&mut orphaned, 430, None, &["b", "c"]), ["the peer c is back"], "a is gone");
        assert!(pass(&mut orphaned, 600, None, &["b", "c"]).is_empty());
    }

    #[test]
    fn while_nothing_can_be_said_what_was_told_stays_and_what_was_not_begins_anew() {
        let topic = Topic::Peer(node("c"));
        let company = Company { speaker: None, live: &BTreeSet::new() };
        let mut ledger = Ledger::default();
        ledger.see(topic.clone(), trouble(), at(0));
        ledger.suspend(&topic);
        ledger.see(topic.clone(), trouble(), at(290));
        assert!(ledger.pass("a", company, at(310)).is_empty());
        assert_eq!(ledger.pass("a", company, at(590)).len(), 1);
        ledger.suspend(&topic);
        assert!(ledger.pass("a", company, at(2000)).is_empty());
        ledger.keep_peers(&BTreeSet::new());
        ledger.see(topic, None, at(2000));
        assert!(ledger.pass("a", company, at(3000)).is_empty(), "nobody waits for it any more");
    }

    #[test]
    fn words_and_texts_of_other_builds_are_left_out() {
        for topic in [Topic::Config, Topic::DiskFull, Topic::Outlier, Topic::Alone, Topic::Peer(node("us-east"))] {
            assert_eq!(Topic::of_word(&topic.word()), Some(topic));
        }
        assert_eq!((Topic::of_word("moon"), Topic::of_word("peer/"), Kept::of_text("1 2 maybe")), (None, None, None));
    }

    #[test]
    fn nearly_full_is_a_twentieth_within_reason_and_ends_with_a_quarter_more() {
        let (mib, gib) = (1_u64 << 20, 1_u64 << 30);
        for (total, limit) in [(64 * mib, 16 * mib), (gib, 256 * mib), (10 * gib, 512 * mib), (100 * gib, gib), (0, 0)] {
            let low = |free, was_low| Disk { free, total }.is_low(was_low);
            assert_eq!((low(limit, false), limit > 0 && low(limit - 1, false)), (false, limit > 0), "{total}");
            assert_eq!((limit > 0 && low(limit + limit / 4 - 1, true), low(limit + limit / 4, true)), (limit > 0, false), "{total}");
        }
        let said = Disk { free: 300 * mib, total: 10 * gib }.trouble("eu", "/var/lib/vigilmon");
        assert!(
            said.text.starts_with("300 MiB of 10240 MiB are free, 2 %, on the disk with the state directory /var/lib/vigilmon."),
            "{said:?}"
        );
    }
}
