//! Notes what pages say for the first time, and tells their subscribers.
//!
//! Nothing of it is part of a state change: what is news follows from what is on disk already, and is noted afterwards, once for each page.
//! So neither the number of subscribers nor a mail server that does not answer can hold up an alert, and a crash in between loses nothing,
//! because the same look is taken again. Each page has a line of its own for mail and one for requests to programs, so that none waits for
//! another. With peers each node notes for itself what pages say, and tells those for whom it acts (`crate::consensus::takeover`): who signed up
//! at it, and at nodes that are gone. It begins when [`super::exchange`] has asked the others whom they have told meanwhile.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::consensus::takeover::Lives;
use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::Snapshot;
use crate::http::local::public_base;
use crate::http::public;
use crate::http::subscriptions::exchange::Company;
use crate::http::subscriptions::messages;
use crate::http::subscriptions::messages::Addresses;
use crate::http::subscriptions::news;
use crate::model::channel::ChannelSpec;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::incident::Incident;
use crate::model::page::StatusPage;
use crate::model::secret::Secret;
use crate::model::subscription::SubscriberWay;
use crate::model::subscription::Subscriptions;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::letter::Letter;
use crate::notifier::signed::SubscriptionKeys;
use crate::notifier::sink::ChannelSink;
use crate::store::Errand;
use crate::store::ErrandMark;
use crate::store::First;
use crate::store::Homes;
use crate::store::IncidentFilter;
use crate::store::NEWS_GOOD_FOR;
use crate::store::ReadError;
use crate::store::Store;
use crate::supervise::Jobs;

/// How often pages are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// A page is looked at after so long even when nothing changed: windows open and announcements begin by the clock alone.
const LOOK_AT_LEAST: Duration = Duration::from_secs(10);

/// Incidents that ended lately are read after so long even when none was seen to end.
const READ_AT_LEAST: Duration = Duration::from_secs(60);

/// When one was seen to end, they are read at every look for so long: what is shown may be ahead of what is on disk.
const READ_AFTER_END: Duration = Duration::from_secs(5);

/// Incidents that ended lately, of one page, at most.
const ENDED_MAX: usize = 200;

/// How often those are forgotten who did not confirm or whose page is gone.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// Between two letters to the same mailbox: a service that comes and goes every few seconds is one letter a minute.
const LETTERS_EVERY: Duration = Duration::from_secs(60);

/// Between two requests to the same program: what comes at once is told in one.
const REQUESTS_EVERY: Duration = Duration::from_secs(2);

/// Letters of a page under way at the same time: a mail server that takes mail at all takes two connections.
const LETTERS_AT_ONCE: usize = 2;

/// Requests of a page under way at the same time, so that one program that does not answer delays few others.
const REQUESTS_AT_ONCE: usize = 8;

/// First wait after a failure; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_secs(30);

/// Waits grow to this.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Waits of a subscriber that refuses, by how often it has.
const WAITS_WHEN_REFUSED: [Duration; 4] =
    [Duration::from_secs(600), Duration::from_secs(3600), Duration::from_secs(6 * 3600), Duration::from_secs(12 * 3600)];

/// A subscriber that has refused so often in a row, which takes a day, is forgotten: the mailbox or the program is gone.
const REFUSALS_MAX: u32 = 5;

/// Tries to ask a program whether it was meant; after that whoever runs it has to sign it up again.
const CHALLENGES_MAX: u32 = 3;

/// After so many failures in a row the mail server is taken to be the trouble, and the line of the page rests.
const FAILURES_UNTIL_REST: u32 = 3;

/// Longest rest of a line.
const REST_MAX: Duration = Duration::from_secs(15 * 60);

/// Mailboxes are forgotten for refusing only while the server took a letter to somebody else within this time: else it is the server that
/// refuses, or the channel's password is wrong.
const SERVER_IS_FINE_FOR: Duration = Duration::from_secs(2 * 86_400);

/// Notes news and tells them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Herald {
    /// What pages show.
    pub engine: EngineHandle,
    /// What was told.
    pub store: Store,
    /// When.
    pub clock: Clock,
    /// Takes letters and requests on their way.
    pub sink: ChannelSink,
    /// The instance's, which addresses of subscriptions follow from.
    pub secret: Secret,
    /// The other nodes; `None` when watching alone.
    pub company: Option<Company>,
}

/// What is known of a page from the last look.
#[derive(Debug, Default)]
struct Seen {
    /// Of the snapshot, and when.
    last: Option<(u64, UnixMillis)>,
    open: BTreeSet<IncidentId>,
    ended: Vec<Incident>,
    read_at: UnixMillis,
    read_until: UnixMillis,
    /// Keys of what is on the page and has been noted.
    noted: BTreeSet<String>,
}

/// The way of a page to its subscribers.
#[derive(Debug)]
struct Line {
    /// Which hands are at work.
    hands: Vec<AtomicBool>,
    health: Mutex<Health>,
}

/// How a line does.
#[derive(Debug, Clone, Copy, Default)]
struct Health {
    n_failed: u32,
    /// Questions that failed, since one thing was accepted.
    n_unasked: u32,
    rests_until: UnixMillis,
    accepted_at: UnixMillis,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It rests for so long.
    Rests(Duration),
    /// Several people in a row could not be asked whether it was meant.
    Unasked,
}

/// One that works for a line; is free again when this ends, also by a panic.
struct Hand {
    line: Arc<Line>,
    n: usize,
}

impl Hand {
    /// Half of them ask before they tell: who signs up in an outage gets the question, and strangers who are hard to ask hold up no news.
    fn first(&self) -> First {
        if self.n.is_multiple_of(2) { First::News } else { First::Question }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if let Some(is_at_work) = self.line.hands.get(self.n) {
            is_at_work.store(false, Ordering::Release);
        }
    }
}

impl Line {
    fn new(way: SubscriberWay) -> Line {
        let n_at_once = match way {
            SubscriberWay::Mail => LETTERS_AT_ONCE,
            SubscriberWay::Hook => REQUESTS_AT_ONCE,
        };
        Line { hands: (0..n_at_once).map(|_| AtomicBool::new(false)).collect(), health: Mutex::default() }
    }

    /// All hands that are free, unless the line rests. Each is taken for itself, so that one that waits for a slow answer keeps no other
    /// from beginning.
    fn take(self: &Arc<Line>, now: UnixMillis) -> Vec<Hand> {
        if now < self.health().rests_until {
            return Vec::new();
        }
        let free = self.hands.iter().enumerate().filter(|(_, is_at_work)| !is_at_work.swap(true, Ordering::AcqRel));
        free.map(|(n, _)| Hand { line: Arc::clone(self), n }).collect()
    }

    fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how an attempt ended. Says what follows for the line, when it is worth a word.
    fn note(&self, is_accepted: bool, errand: &Errand, now: UnixMillis) -> Option<Trouble> {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if is_accepted {
            *health = Health { accepted_at: now, ..Health::default() };
            return None;
        }
        // Programs have nothing in common that could be down, and a mailbox that has failed before says nothing about the server: a few
        // that are gone must not keep the others from being told.
        if errand.to.way == SubscriberWay::Hook || 0 < errand.n_failed {
            return None;
        }
        // Strangers choose whom we ask: with addresses that no server takes they must not keep others from being told.
        if errand.news.is_empty() {
            health.n_unasked = health.n_unasked.saturating_add(1);
            return (health.n_unasked == FAILURES_UNTIL_REST).then_some(Trouble::Unasked);
        }
        health.n_failed = health.n_failed.saturating_add(1);
        if health.n_failed < FAILURES_UNTIL_REST {
            return None;
        }
        let rest = doubled(WAIT_FIRST, health.n_failed - FAILURES_UNTIL_REST, REST_MAX);
        health.rests_until = now + rest;
        Some(Trouble::Rests(rest))
    }
}

/// How long people are told between two pauses: in a storm there is something new every second, and nobody would hear of any of it.
const TELLS_FOR: Duration = Duration::from_secs(5);

/// A pause after news, in which the others are asked what they have told.
#[derive(Debug, Default)]
struct Pause {
    /// When the news came that it is for.
    since: Option<Mono>,
    /// When the one before ended.
    ended: Option<Mono>,
}

impl Pause {
    /// News came. Says whether that begins a pause: not in one, and not just after the last.
    fn begins(&mut self, now: Mono) -> bool {
        let begins = self.since.is_none() && self.ended.is_none_or(|ended| TELLS_FOR <= now.since(ended));
        if begins {
            self.since = Some(now);
        }
        begins
    }
}

impl Herald {
    /// Works until `stop`. What is under way then is done again after the next start, under the same key.
    pub async fn run(self, stop: CancellationToken) {
        let jobs = Jobs::new(stop.clone());
        let mut seen: HashMap<PageSlug, Seen> = HashMap::new();
        let mut lines: HashMap<(PageSlug, SubscriberWay), Arc<Line>> = HashMap::new();
        let mut tidied_at = UnixMillis::default();
        let mut lives = Lives::new(self.clock.now().mono);
        let mut pause = Pause::default();
        // Those who tell look here again before each message.
        let (acting, homes) = watch::channel(Homes::Of(Vec::new()));
        loop {
            let (snapshot, now) = (self.engine.snapshot(), self.clock.now());
            match self.homes(&snapshot, &mut lives, (self.waits_since(&mut pause, now.mono), now.mono)).await {
                Ok(homes) => drop(acting.send_replace(homes)),
                // Looked at again in a second.
                Err(error) => tracing::debug!(%error, "cannot read where subscribers signed up: {error}"),
            }
            let (now, mono) = (now.wall, now.mono);
            let pages: Vec<&Arc<StatusPage>> = snapshot.config.pages.iter().filter(|page| page.subscriptions.is_some()).collect();
            seen.retain(|slug, _| pages.iter().any(|page| page.slug == *slug));
            for page in &pages {
                let on_news = || {
                    if self.company.is_some() && pause.begins(mono) {
                        acting.send_replace(Homes::Of(Vec::new()));
                    }
                };
                self.look(page, &snapshot, seen.entry(page.slug.clone()).or_default(), (now, on_news)).await;
                let for_whom = homes.borrow().clone();
                for way in offered(page) {
                    let line = lines.entry((page.slug.clone(), way)).or_insert_with(|| Arc::new(Line::new(way)));
                    if !self.store.subscriber_is_due(&page.slug, way, &for_whom, now).await.unwrap_or(false) {
                        continue;
                    }
                    for hand in line.take(now) {
                        jobs.start(self.clone().work((page.slug.clone(), way), hand, homes.clone()));
                    }
                }
            }
            if TIDY_EVERY <= now.since(tidied_at) || now < tidied_at {
                tidied_at = now;
                self.tidy(pages.iter().flat_map(|page| offered(page).map(|way| (page.slug.clone(), way))).collect(), now).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// Since when nobody is told, because the others were not asked since.
    fn waits_since(&self, pause: &mut Pause, now: Mono) -> Option<Mono> {
        let company = self.company.as_ref()?;
        if pause.since.is_some_and(|then| company.heard.borrow().is_since(then, now)) {
            *pause = Pause { since: None, ended: Some(now) };
        }
        pause.since
    }

    /// For whom this node acts. `news_at` is when it noted the newest piece of news.
    pub(super) async fn homes(
        &self,
        snapshot: &Snapshot,
        lives: &mut Lives,
        (news_at, now): (Option<Mono>, Mono),
    ) -> Result<Homes, ReadError> {
        let (Some(company), Some(cluster)) = (&self.company, &snapshot.cluster) else { return Ok(Homes::All) };
        let roster = Arc::clone(&company.roster.borrow());
        lives.note(&roster, now);
        // What others told while this node was away, stopped or cut off, is not known yet. News comes with the first word after a cut; so the
        // others are asked after it, before anybody is told.
        let heard = *company.heard.borrow();
        if !heard.is_caught_up || news_at.is_some_and(|then| !heard.is_since(then, now)) {
            return Ok(Homes::Of(Vec::new()));
        }
        let members: Vec<NodeName> = cluster.members().filter(|node| node.is_configured).map(|node| node.name.clone()).collect();
        let acts = |home: &String| NodeName::parse(home).is_ok_and(|home| lives.acts_for(&home, &members, &roster, now));
        let mut homes = self.store.subscriber_homes().await?;
        homes.retain(acts);
        Ok(Homes::Of(homes))
    }

    async fn tidy(&self, offering: Vec<(PageSlug, SubscriberWay)>, now: UnixMillis) {
        match self.store.subscribers_tidy(offering, now).await {
            Ok(0) => {}
            Ok(n) => tracing::info!("{n} subscribers were forgotten who had not confirmed, or whose page does not offer this any more"),
            Err(error) => tracing::warn!(%error, "cannot tidy subscribers: {error}"),
        }
    }

    /// Notes what a page says for the first time.
    async fn look(&self, page: &StatusPage, snapshot: &Snapshot, seen: &mut Seen, (now, on_news): (UnixMillis, impl FnOnce())) {
        let is_waiting = seen.read_until > now;
        let is_known = |(revision, at): (u64, UnixMillis)| revision == snapshot.revision && at <= now && now.since(at) < LOOK_AT_LEAST;
        if seen.last.is_some_and(is_known) && !is_waiting {
            return;
        }
        // What was taken back or ended while nobody looked is not to be sent either.
        if seen.last.is_none() {
            match self.store.page_news_standing(&page.slug, now).await {
                Ok(keys) => seen.noted = keys.into_iter().collect(),
                // Looked at again in a second.
                Err(error) => {
                    tracing::debug!(%error, "cannot read what the page `{}` has said: {error}", page.slug);
                    return;
                }
            }
        }
        let monitors: BTreeSet<&MonitorId> = page.groups.iter().flat_map(|group| &group.monitors).collect();
        let views = monitors.iter().filter_map(|id| snapshot.monitors.get(*id));
        let open: BTreeSet<IncidentId> = views.flat_map(|view| &view.incidents).map(|incident| incident.id.clone()).collect();
        if !seen.open.is_subset(&open) {
            seen.read_until = now + READ_AFTER_END;
        }
        if seen.read_until > now || seen.last.is_none() || READ_AT_LEAST <= now.since(seen.read_at) {
            let monitors = Some(monitors.into_iter().cloned().collect());
            let filter = IncidentFilter { monitors, since: Some(now.minus(NEWS_GOOD_FOR)), limit: ENDED_MAX, ..IncidentFilter::default() };
            match self.store.incidents(&filter).await {
                Ok(found) => {
                    seen.ended = found.into_iter().filter(|incident| incident.closed.is_some()).collect();
                    seen.read_at = now;
                }
                // Looked at again in a second.
                Err(error) => {
                    tracing::debug!(%error, "cannot read what ended lately: {error}");
                    return;
                }
            }
        }
        let bulletin = public::bulletin(page, snapshot, &seen.ended, now);
        let all = news::of(&bulletin, now);
        let keys: BTreeSet<String> = all.iter().map(|row| row.key.clone()).collect();
        let fresh: Vec<_> = all.into_iter().filter(|row| !seen.noted.contains(&row.key)).collect();
        if !fresh.is_empty() {
            // Before it can be claimed.
            on_news();
        }
        if !fresh.is_empty()
            && let Err(error) = self.store.page_news_add(&page.slug, fresh, now).await
        {
            tracing::warn!(%error, page = %page.slug, "cannot note what the page `{}` says: {error}", page.slug);
            return;
        }
        let gone = news::withdrawn(&seen.noted, &bulletin, &keys);
        if !gone.is_empty()
            && let Err(error) = self.store.page_news_withdraw(&page.slug, gone).await
        {
            tracing::warn!(%error, page = %page.slug, "cannot note what the page `{}` does not say any more: {error}", page.slug);
            return;
        }
        seen.noted = keys;
        seen.open = open;
        seen.last = Some((snapshot.revision, now));
    }

    /// Does what is due in a line, one after the other.
    async fn work(self, (slug, way): (PageSlug, SubscriberWay), hand: Hand, homes: watch::Receiver<Homes>) {
        let line = &hand.line;
        loop {
            // The config may have changed since the last one.
            let (snapshot, now) = (self.engine.snapshot(), self.clock.now().wall);
            let page = snapshot.config.pages.iter().find(|page| page.slug == slug);
            let offer = page.and_then(|page| Some((page, page.subscriptions.as_ref().filter(|offer| offer.offers(way))?)));
            let Some((page, offer)) = offer else { return };
            if now < line.health().rests_until {
                return;
            }
            let acting = homes.borrow().clone();
            let errand = match self.store.subscriber_claim((&slug, way), &acting, hand.first(), now).await {
                Ok(Some(errand)) => errand,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot claim what subscribers are owed: {error}");
                    return;
                }
            };
            let outcome = self.tell(&snapshot, (page, offer), &errand).await;
            let now = self.clock.now().wall;
            if let Some(trouble) = line.note(outcome.is_ok(), &errand, now) {
                warn(&slug, trouble, &outcome);
            }
            let mark = mark(&errand, outcome, line.health(), now);
            if matches!(mark, ErrandMark::Gone { .. }) {
                tracing::info!(page = %slug, "a subscriber of the page `{slug}` was forgotten, because its {} is gone", way.word());
            }
            if let Err(error) = self.store.subscriber_finish(&errand.to.name, mark).await {
                tracing::warn!(%error, "cannot note what became of what subscribers are owed: {error}");
                return;
            }
        }
    }

    /// Makes one attempt.
    async fn tell(&self, snapshot: &Snapshot, (page, offer): (&StatusPage, &Subscriptions), errand: &Errand) -> Result<Heard, SendError> {
        // The config is refused without a public address.
        let base = public_base(&snapshot.config.server, None)
            .ok_or_else(|| SendError::Transient("`server.public_url` is missing, so there is no address to send".to_owned()))?;
        let token = SubscriptionKeys::new(&snapshot.config, &self.secret)
            .token(&errand.to.name)
            .ok_or_else(|| SendError::Transient("there is no secret to make an address of".to_owned()))?;
        let addresses = Addresses::new(&base, &errand.to.page, &token);
        match errand.to.way {
            SubscriberWay::Mail => {
                let channel = offer.email.as_ref().and_then(|name| snapshot.config.channels.get(name));
                let Some(ChannelSpec::Email(spec)) = channel.map(|channel| &channel.spec) else {
                    return Err(SendError::Transient("the channel for letters is missing".to_owned()));
                };
                let is_question = errand.news.is_empty();
                let written =
                    if is_question { messages::question(page, &errand.to, &addresses) } else { messages::letter(page, errand, &addresses) };
                let letter = Letter {
                    to: &errand.to.address,
                    subject: &written.subject,
                    text: &written.text,
                    unsubscribe: (!is_question).then_some(addresses.subscription.as_str()),
                    key: &messages::key(errand),
                    at: errand.news.last().map_or(errand.to.asked_at, |row| row.at),
                };
                self.sink.letter(spec, &letter).await.map(|()| Heard::Taken)
            }
            SubscriberWay::Hook => {
                let is_question = errand.news.is_empty();
                let request =
                    if is_question { messages::challenge(page, &errand.to, &addresses) } else { messages::news(page, errand, &addresses) };
                let answer = self.sink.post_to_stranger(request, offer.allow_private).await?;
                if !is_question && answer.status == GONE {
                    return Ok(Heard::Gone);
                }
                judge_status(answer.status, answer.retry_after.as_deref(), self.clock.now().wall)?;
                match is_question {
                    true if messages::is_echo(&errand.to, &answer.body) => Ok(Heard::Echo),
                    true => Err(SendError::Permanent("it did not send the challenge back".to_owned())),
                    false => Ok(Heard::Taken),
                }
            }
        }
    }
}

/// How people may be told of a page.
fn offered(page: &StatusPage) -> impl Iterator<Item = SubscriberWay> + '_ {
    SubscriberWay::ALL.into_iter().filter(|way| page.subscriptions.as_ref().is_some_and(|offer| offer.offers(*way)))
}

/// A program that answers so wants nothing any more.
const GONE: u16 = 410;

/// What an attempt that worked heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It was taken.
    Taken,
    /// A program sent back what it was asked.
    Echo,
    /// A program wants nothing any more.
    Gone,
}

/// Neither says who it was: what servers answer is told by its numbers alone.
fn warn(slug: &PageSlug, trouble: Trouble, outcome: &Result<Heard, SendError>) {
    let why = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
    match trouble {
        Trouble::Rests(rest) => {
            tracing::warn!(page = %slug, error = why, "letters to subscribers of the page `{slug}` are not accepted: {why}; the next try is in {rest:?}");
        }
        Trouble::Unasked => {
            tracing::warn!(page = %slug, error = why, "letters that ask who signed up at the page `{slug}` are not accepted: {why}; they are tried again");
        }
    }
}

/// What follows from an attempt.
fn mark(errand: &Errand, outcome: Result<Heard, SendError>, line: Health, now: UnixMillis) -> ErrandMark {
    let (way, is_question) = (errand.to.way, errand.news.is_empty());
    let pause = match way {
        SubscriberWay::Mail => LETTERS_EVERY,
        SubscriberWay::Hook => REQUESTS_EVERY,
    };
    let error = match outcome {
        Ok(Heard::Gone) => return ErrandMark::Gone { at: now },
        Ok(Heard::Echo) => return ErrandMark::Confirmed { at: now },
        Ok(Heard::Taken) if is_question => return ErrandMark::Asked { at: now },
        Ok(Heard::Taken) => return ErrandMark::Told { next_at: now + pause },
        Err(error) => error,
    };
    if is_question && way == SubscriberWay::Hook && CHALLENGES_MAX <= errand.n_failed + 1 {
        // It stays known for as long as others that did not confirm, so that signing it up again and again asks it no oftener.
        return ErrandMark::Asked { at: now };
    }
    let wait = doubled(WAIT_FIRST, errand.n_failed, WAIT_MAX);
    match error {
        SendError::Permanent(_) => {
            let is_its_own = way == SubscriberWay::Hook || now.since(line.accepted_at) < SERVER_IS_FINE_FOR;
            if is_its_own && REFUSALS_MAX <= errand.n_refused + 1 {
                return ErrandMark::Gone { at: now };
            }
            let n = usize::try_from(errand.n_refused).unwrap_or(usize::MAX);
            let longest = WAITS_WHEN_REFUSED[WAITS_WHEN_REFUSED.len() - 1];
            // Who waits for a question is not made to wait for hours.
            let wait = if is_question { wait } else { WAITS_WHEN_REFUSED.get(n).copied().unwrap_or(longest) };
            ErrandMark::Failed { next_at: now + wait, is_refused: true }
        }
        SendError::Transient(_) => ErrandMark::Failed { next_at: now + wait, is_refused: false },
        SendError::Later(asked, _) => ErrandMark::Failed { next_at: now + asked.clamp(WAIT_FIRST, WAIT_MAX), is_refused: false },
    }
}

/// `first`, doubled so often, at most `longest`.
fn doubled(first: Duration, n: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(n)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_storm_people_are_told_between_pauses() {
        let at = |second| Mono(0) + Duration::from_secs(second);
        let mut pause = Pause::default();
        assert!(pause.begins(at(1)));
        assert!(!pause.begins(at(2)) && pause.since == Some(at(1)), "more news does not prolong it");
        pause = Pause { since: None, ended: Some(at(3)) };
        assert!((3..8).all(|second| !pause.begins(at(second))) && pause.begins(at(8)));
    }
    use crate::model::page::Language;
    use crate::model::subscription::Subscriber;
    use crate::store::NewsRow;

    use crate::http::tests::world;
    use crate::model::page::Announcement;
    use crate::model::page::AnnouncementKind;
    use crate::model::page::Visibility;
    use crate::model::time::Mono;
    use crate::model::time::Now;
    use crate::store::SignUp;
    use crate::store::SignUpLimits;
    use tokio::sync::mpsc;
    use tokio::sync::watch;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

    fn errand(way: SubscriberWay, is_question: bool, n_failed: u32) -> Errand {
        let to = Subscriber {
            id: 7,
            name: "name".to_owned(),
            page: PageSlug::parse("main").expect("a slug"),
            way,
            address: "jo@example.org".to_owned(),
            language: Language::English,
            asked_at: NOON,
            confirmed_at: (!is_question).then_some(NOON),
            home: None,
        };
        let row = NewsRow { key: "k".to_owned(), at: NOON, body: String::new() };
        Errand { to, news: if is_question { Vec::new() } else { vec![row] }, keys: vec!["k".to_owned()], n_failed, n_refused: n_failed }
    }

    fn of(errand: &Errand, outcome: Result<Heard, SendError>, accepted_at: UnixMillis) -> ErrandMark {
        mark(errand, outcome, Health { accepted_at, ..Health::default() }, NOON)
    }

    fn permanent() -> Result<Heard, SendError> {
        Err(SendError::Permanent("no".to_owned()))
    }

    fn herald(store: &Store, clock: Clock, snapshot: Snapshot) -> Herald {
        let engine =
            EngineHandle { snapshots: watch::channel(Arc::new(snapshot)).1, requests: mpsc::channel(1).0, pings: mpsc::channel(1).0 };
        let sink = ChannelSink::new(clock.clone()).expect("a sink");
        Herald { engine, store: store.clone(), clock, sink, secret: Secret::new("secret"), company: None }
    }

    async fn confirmed(store: &Store, page: &PageSlug) {
        let limits = SignUpLimits { n_max: 9, n_unconfirmed_max: 9, n_asked_max: 9, ask_again_after: Duration::ZERO };
        let new = SignUp {
            name: "name".to_owned(),
            page: page.clone(),
            way: SubscriberWay::Mail,
            address: "jo@example.org".to_owned(),
            language: Language::English,
            at: NOON,
            home: None,
            limits,
        };
        store.subscriber_sign_up(new).await.expect("a place");
        assert!(store.subscriber_confirm("name", NOON).await.expect("an answer"));
    }

    #[tokio::test]
    async fn what_is_taken_back_while_the_program_does_not_run_is_not_sent() {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(Now { wall: NOON, mono: Mono(0) });
        let (store, snapshot) = (Store::open(dir.path(), clock.clone()).expect("a store").0, world::usual());
        let herald = herald(&store, clock, snapshot.clone());
        let says = |text: &str| Announcement { at: NOON, kind: AnnouncementKind::Info, text: text.to_owned() };
        let mut page = world::page("main", Visibility::Public, &[]);
        confirmed(&store, &page.slug).await;
        page.announcements = vec![says("A slip."), says("It stays.")];
        herald.look(&page, &snapshot, &mut Seen::default(), (NOON, || {})).await;
        page.announcements.remove(0);
        // As after a start. The first clock is not set yet, and then nothing is known to be gone.
        herald.look(&page, &snapshot, &mut Seen::default(), (UnixMillis::default(), || {})).await;
        let later = NOON + Duration::from_secs(60);
        herald.look(&page, &snapshot, &mut Seen::default(), (later, || {})).await;
        let owed = store
            .subscriber_claim((&page.slug, SubscriberWay::Mail), &Homes::All, First::News, later)
            .await
            .expect("an answer")
            .expect("news");
        assert!(matches!(&owed.news[..], [row] if row.body.contains("It stays.")), "{owed:?}");
        store.close().await;
    }

    #[test]
    fn what_follows_from_an_attempt() {
        use SubscriberWay::Hook;
        use SubscriberWay::Mail;
        let after = |seconds| NOON + Duration::from_secs(seconds);
        let failed = |seconds, is_refused| ErrandMark::Failed { next_at: after(seconds), is_refused };
        let transient = || Err(SendError::Transient("no answer".to_owned()));
        for (name, errand, outcome, expected) in [
            ("a letter", errand(Mail, false, 2), Ok(Heard::Taken), ErrandMark::Told { next_at: after(60) }),
            ("a request", errand(Hook, false, 0), Ok(Heard::Taken), ErrandMark::Told { next_at: after(2) }),
            ("the question by mail", errand(Mail, true, 0), Ok(Heard::Taken), ErrandMark::Asked { at: NOON }),
            ("a program that echoes", errand(Hook, true, 0), Ok(Heard::Echo), ErrandMark::Confirmed { at: NOON }),
            ("a program that has enough", errand(Hook, false, 0), Ok(Heard::Gone), ErrandMark::Gone { at: NOON }),
            ("no answer", errand(Mail, false, 0), transient(), failed(30, false)),
            ("no answer for long", errand(Mail, false, 40), transient(), failed(3600, false)),
            ("a refusal", errand(Mail, false, 0), permanent(), failed(600, true)),
            ("another one", errand(Hook, false, 3), permanent(), failed(12 * 3600, true)),
            ("the fifth one", errand(Hook, false, 4), permanent(), ErrandMark::Gone { at: NOON }),
            ("a program that never echoes", errand(Hook, true, 2), permanent(), ErrandMark::Asked { at: NOON }),
            ("asked to wait", errand(Mail, false, 0), Err(SendError::Later(Duration::from_secs(90), String::new())), failed(90, false)),
        ] {
            assert_eq!(of(&errand, outcome, NOON), expected, "{name}");
        }
    }

    #[test]
    fn mailboxes_are_not_forgotten_for_a_server_that_refuses_everybody() {
        let errand = errand(SubscriberWay::Mail, false, 30);
        assert_eq!(of(&errand, permanent(), NOON), ErrandMark::Gone { at: NOON });
        let kept = ErrandMark::Failed { next_at: NOON + Duration::from_secs(12 * 3600), is_refused: true };
        assert_eq!(of(&errand, permanent(), UnixMillis::default()), kept);
    }

    #[test]
    fn a_line_rests_when_nobody_gets_a_letter_and_a_success_ends_that() {
        let line = Arc::new(Line::new(SubscriberWay::Mail));
        let note = |is_accepted, way, n_failed| match line.note(is_accepted, &errand(way, false, n_failed), NOON) {
            Some(Trouble::Rests(rest)) => Some(rest),
            Some(Trouble::Unasked) | None => None,
        };
        assert!((1..10).all(|n| note(false, SubscriberWay::Mail, n).is_none()), "one mailbox that is gone is not all of them");
        assert!(!line.take(NOON).is_empty());
        let rests: Vec<Option<Duration>> = (0..10).map(|_| note(false, SubscriberWay::Mail, 0)).collect();
        let seconds: Vec<u64> = rests.iter().flatten().map(Duration::as_secs).collect();
        assert_eq!((rests[..2].to_vec(), seconds), (vec![None, None], vec![30, 60, 120, 240, 480, 900, 900, 900]));
        assert!(line.take(NOON).is_empty() && !line.take(NOON + REST_MAX).is_empty());
        assert_eq!(note(true, SubscriberWay::Mail, 0), None);
        let busy = line.take(NOON);
        assert!(!busy.is_empty(), "it rests no more");
        assert!(line.take(NOON).is_empty(), "no more than these work at a time");
        drop(busy);
        assert!(!line.take(NOON).is_empty());
        assert!((0..10).all(|_| note(false, SubscriberWay::Hook, 0).is_none()), "programs have nothing in common");
    }

    #[test]
    fn one_slow_answer_keeps_no_other_hand_from_beginning() {
        for (way, n_at_once) in [(SubscriberWay::Mail, LETTERS_AT_ONCE), (SubscriberWay::Hook, REQUESTS_AT_ONCE)] {
            let line = Arc::new(Line::new(way));
            let mut hands = line.take(NOON);
            let n_asking = hands.iter().filter(|hand| hand.first() == First::Question).count();
            assert_eq!((hands.len(), n_asking), (n_at_once, n_at_once / 2));
            let slow = hands.remove(1);
            drop(hands);
            let others = line.take(NOON);
            assert_eq!(others.len(), n_at_once - 1, "the others begin while it waits");
            assert!(others.iter().all(|hand| hand.n != slow.n));
            drop(slow);
            assert_eq!(line.take(NOON).iter().map(|hand| hand.n).collect::<Vec<_>>(), [1]);
        }
    }

    #[test]
    fn strangers_who_cannot_be_asked_keep_nobody_from_being_told() {
        let line = Arc::new(Line::new(SubscriberWay::Mail));
        let (question, letter) = (errand(SubscriberWay::Mail, true, 0), errand(SubscriberWay::Mail, false, 0));
        let said: Vec<Trouble> = (0..10).filter_map(|_| line.note(false, &question, NOON)).collect();
        assert_eq!(said, [Trouble::Unasked], "said once");
        assert!(!line.take(NOON).is_empty());
        assert_eq!(line.note(false, &letter, NOON), None, "and what fails then counts from one");
        assert_eq!(line.note(true, &question, NOON), None);
        assert_eq!((0..3).filter_map(|_| line.note(false, &question, NOON)).count(), 1, "after a success it is news again");
    }
}
