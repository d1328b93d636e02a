//! Outbox and channels in memory, days in virtual time, faults by plan.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;

use tokio::sync::Notify;

use super::*;
use crate::engine::announce::Announce;
use crate::model::change::StoredFact;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::AlertmanagerSpec;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::notification::EventKind;
use crate::model::notification::Opening;
use crate::model::notification::Subject;
use crate::model::peer::Record;
use crate::model::peer::Roster;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::notifier::LAST_ATTEMPTS;
use crate::notifier::Notifier;
use crate::notifier::heard::Heard;
use crate::notifier::heard::LeftOut;
use crate::notifier::kind::MAIL_TIMEOUT;
use crate::notifier::outbox::LEASE;
use crate::notifier::samples;
use crate::notifier::samples::channel_name;
use crate::store::ReadError;

mod crossing;
mod keys;
mod once;
mod quiet;
mod rest;
mod storm;
mod threads;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, PartialEq, Debug)]
enum State {
    Waiting { due: UnixMillis, leased_until: Option<UnixMillis> },
    Sent,
    Dead(String),
}

struct Row {
    notification: Notification,
    n_attempts: u32,
    state: State,
    called: Option<ServiceId>,
    remaining: Vec<String>,
    /// Of a leased row the one whose key is used.
    told: Option<usize>,
}

/// What goes wrong the next so many times.
#[derive(Default)]
struct Faults {
    marks_fail: u32,
    /// The outcome of an attempt is never written: the process dies at this point.
    marks_hang: u32,
    claims_fail: u32,
}

#[derive(Default)]
struct Memory {
    rows: Vec<Row>,
    faults: Faults,
    n_claims: u32,
    n_facts: usize,
    /// What was noted of messages that were accepted.
    said: Vec<String>,
}

#[derive(Clone, Default)]
struct FakeOutbox(Arc<Mutex<Memory>>);

impl FakeOutbox {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().expect("no test panics while holding it")
    }

    fn state(&self, key: &str) -> State {
        self.lock().rows.iter().find(|row| row.notification.key == key).expect("such a row").state.clone()
    }

    fn n_waiting(&self) -> usize {
        self.lock().rows.iter().filter(|row| matches!(row.state, State::Waiting { .. })).count()
    }
}

/// Channels of which those called `chat…` are for people; the others take every message by itself.
fn config(channels: &[&str]) -> Arc<Config> {
    let mut config = Config::clone(&samples::config(channels));
    for (name, channel) in &mut config.channels {
        if !name.as_str().starts_with("chat") {
            let url = "http://192.0.2.1:9093".to_owned();
            let spec = ChannelSpec::Alertmanager(AlertmanagerSpec { url, credentials: None, labels: Vec::new() });
            *channel = Arc::new(samples::channel(name.as_str(), spec));
        }
    }
    Arc::new(config)
}

fn failing(count: &mut u32) -> bool {
    let fails = *count > 0;
    *count = count.saturating_sub(1);
    fails
}

fn monitor_of(row: &Row) -> Option<MonitorId> {
    monitor_of_message(&row.notification)
}

fn monitor_of_message(notification: &Notification) -> Option<MonitorId> {
    match &notification.subject {
        Subject::Incident(facts) | Subject::Passed(facts) => Some(facts.monitor.clone()),
        Subject::SelfNotice { .. } | Subject::Bundle(_) => None,
    }
}

fn outbox_row(id: i64, row: &Row) -> OutboxRow {
    let notification = row.notification.clone();
    OutboxRow {
        id,
        n_attempts: row.n_attempts,
        owed_since: notification.at,
        notification,
        remaining: row.remaining.clone(),
        is_overtaken: false,
        is_opening_lost: false,
        opening: None,
        behind: Vec::new(),
    }
}

fn opening(rows: &[Row], notification: &Notification) -> Option<Opening> {
    let Subject::Incident(facts) = &notification.subject else { return None };
    let is_it = |row: &&Row| monitor_of(row).as_ref() == Some(&facts.monitor) && row.notification.event.opens() && row.state == State::Sent;
    if notification.event.opens() {
        return None;
    }
    let row = rows.iter().find(is_it)?;
    Some(Opening { key: row.notification.key.clone(), called: row.called.clone() })
}

/// What leased rows were about to say may have arrived.
fn doubt_leased(rows: &mut [Row], which: impl Fn(&Row, UnixMillis) -> bool) {
    let is_leased = |row: &Row| matches!(row.state, State::Waiting { leased_until: Some(until), .. } if which(row, until));
    let told: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| is_leased(row)).map(|(i, row)| row.told.unwrap_or(i)).collect();
    told.into_iter().for_each(|i| rows[i].notification.may_be_repeat = true);
}

/// What did not reach everybody, when something newer about the same is there.
fn overtaken(rows: &[Row], index: usize, mark: Mark) -> Mark {
    let Mark::Partly { at, next_at, error, remaining } = mark else { return mark };
    let this = &rows[index];
    let newer = || {
        rows[index + 1..].iter().filter(|row| row.notification.channel == this.notification.channel && monitor_of(row) == monitor_of(this))
    };
    if newer().any(|row| row.state == State::Sent) {
        return Mark::Enough { at, error };
    }
    let next_at = if newer().any(|row| matches!(row.state, State::Waiting { .. })) { at } else { next_at };
    Mark::Partly { at, next_at, error, remaining }
}

impl Outbox for FakeOutbox {
    async fn reset_leases(&self) -> Result<(), CommitError> {
        let rows = &mut self.lock().rows;
        doubt_leased(rows, |_, _| true);
        for row in rows {
            if let State::Waiting { leased_until, .. } = &mut row.state {
                *leased_until = None;
            }
        }
        Ok(())
    }

    async fn hold_leases(&self, until: UnixMillis) -> Result<(), CommitError> {
        let rows = &mut self.lock().rows;
        doubt_leased(rows, |_, _| true);
        for row in rows {
            if let State::Waiting { due, leased_until } = &mut row.state
                && leased_until.take().is_some()
            {
                *due = (*due).max(until);
            }
        }
        Ok(())
    }

    async fn sent_elsewhere(&self, sent: Vec<(String, UnixMillis, Option<StoredFact>)>) -> Result<(), CommitError> {
        let mut memory = self.lock();
        for (key, _, fact) in sent {
            assert!(fact.is_some(), "what is kept says what was sent");
            for row in memory.rows.iter_mut().filter(|row| row.notification.key == key && matches!(row.state, State::Waiting { .. })) {
                row.state = State::Sent;
            }
        }
        Ok(())
    }

    async fn keep(&self, facts: Vec<StoredFact>) -> Result<(), CommitError> {
        self.lock().n_facts += facts.len();
        Ok(())
    }

    async fn claim(&self, channel: &ChannelName, now: UnixMillis, limit: usize) -> Result<Vec<OutboxRow>, CommitError> {
        let mut memory = self.lock();
        memory.n_claims += 1;
        if failing(&mut memory.faults.claims_fail) {
            return Err(CommitError::Failed("disk full".to_owned()));
        }
        doubt_leased(&mut memory.rows, |row, until| row.notification.channel == *channel && until <= now);
        let mut seen = BTreeSet::new();
        let mut claimed = Vec::new();
        for (i, row) in memory.rows.iter_mut().enumerate() {
            let monitor = monitor_of(row);
            let State::Waiting { due, leased_until } = &mut row.state else { continue };
            let first = row.notification.channel == *channel && monitor.is_none_or(|monitor| seen.insert(monitor));
            if first && *due <= now && leased_until.is_none_or(|until| until <= now) && claimed.len() < limit {
                *leased_until = Some(now + LEASE);
                row.told = None;
                let id = i64::try_from(i).expect("small");
                claimed.push(outbox_row(id, row));
            }
        }
        for claimed in &mut claimed {
            claimed.opening = opening(&memory.rows, &claimed.notification);
            let from = usize::try_from(claimed.id).expect("small") + 1;
            let Subject::Incident(facts) = &claimed.notification.subject else { continue };
            let behind = memory.rows.iter().enumerate().skip(from).filter(|(_, row)| {
                let same = matches!(&row.notification.subject, Subject::Incident(other) if other.monitor == facts.monitor);
                same && row.notification.channel == *channel && matches!(row.state, State::Waiting { .. })
            });
            let is_rest = !claimed.remaining.is_empty();
            claimed.is_overtaken = is_rest && behind.clone().next().is_some();
            claimed.behind = behind.map(|(i, row)| outbox_row(i64::try_from(i).expect("small"), row)).collect();
        }
        Ok(claimed)
    }

    async fn next_due(&self, channel: &ChannelName) -> Result<Option<UnixMillis>, ReadError> {
        let memory = self.lock();
        let due = memory.rows.iter().filter(|row| row.notification.channel == *channel).filter_map(|row| match row.state {
            State::Waiting { due, leased_until } => Some(leased_until.unwrap_or(due).max(due)),
            State::Sent | State::Dead(_) => None,
        });
        Ok(due.min())
    }

    async fn tells(&self, pairs: Vec<(i64, i64)>) -> Result<(), CommitError> {
        for pair in pairs {
            let [claimed, told] = [pair.0, pair.1].map(|id| usize::try_from(id).expect("an index"));
            self.lock().rows[claimed].told = Some(told);
        }
        Ok(())
    }

    async fn mark(&self, marks: Vec<(i64, Mark)>, record: Option<&Attempt>) -> Result<(), CommitError> {
        let (hang, fail) = {
            let faults = &mut self.lock().faults;
            (failing(&mut faults.marks_hang), failing(&mut faults.marks_fail))
        };
        if hang {
            std::future::pending::<()>().await;
        }
        if fail {
            return Err(CommitError::Failed("disk full".to_owned()));
        }
        if let Some(reason) = record.filter(|_| marks.iter().any(|(_, mark)| matches!(mark, Mark::Sent { .. }))) {
            self.lock().said.extend(reason.reason.clone());
        }
        for (id, mark) in marks {
            let index = usize::try_from(id).expect("an index");
            let mut memory = self.lock();
            let mark = overtaken(&memory.rows, index, mark);
            let row = &mut memory.rows[index];
            if let Mark::Retry { may_have_arrived, .. } | Mark::Dead { may_have_arrived, .. } = mark {
                row.notification.may_be_repeat |= may_have_arrived;
            }
            row.n_attempts += u32::from(!matches!(mark, Mark::Waits { .. } | Mark::Elsewhere { .. }));
            if matches!(mark, Mark::Sent { .. }) {
                row.called = record.and_then(|record| record.called.clone());
            }
            if let Mark::Partly { remaining, .. } = &mark {
                row.remaining.clone_from(remaining);
            }
            row.state = match mark {
                Mark::Partly { next_at, .. } => State::Waiting { due: next_at, leased_until: None },
                Mark::Sent { .. } | Mark::Together { .. } | Mark::Elsewhere { .. } | Mark::Enough { .. } => State::Sent,
                Mark::Waits { next_at } => State::Waiting { due: next_at, leased_until: None },
                Mark::Retry { next_at, .. } => State::Waiting { due: next_at, leased_until: None },
                Mark::Dead { error, .. } => State::Dead(error),
            };
        }
        Ok(())
    }

    async fn backlog(&self) -> Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError> {
        let mut backlog: BTreeMap<ChannelName, (u64, UnixMillis)> = BTreeMap::new();
        for row in self.lock().rows.iter().filter(|row| matches!(row.state, State::Waiting { .. })) {
            let at = row.notification.at;
            let entry = backlog.entry(row.notification.channel.clone()).or_insert((0, at));
            *entry = (entry.0 + 1, entry.1.min(at));
        }
        Ok(backlog.into_iter().map(|(channel, (n, oldest))| (channel, n, oldest)).collect())
    }
}

impl FakeOutbox {
    fn owe(&self, notifications: Vec<Notification>) {
        let mut memory = self.lock();
        for notification in notifications {
            if memory.rows.iter().all(|row| row.notification.key != notification.key) {
                let state = State::Waiting { due: notification.at, leased_until: None };
                let monitor = monitor_of_message(&notification);
                for row in memory.rows.iter_mut().filter(|row| monitor_of(row) == monitor && !row.remaining.is_empty()) {
                    if let State::Waiting { due, leased_until: None } = &mut row.state {
                        *due = notification.at.min(*due);
                    }
                }
                memory.rows.push(Row { notification, n_attempts: 0, state, called: None, remaining: Vec::new(), told: None });
            }
        }
    }
}

/// What a channel does with a message.
enum Reply {
    Accept,
    /// The message is accepted, and then the channel says nothing more.
    AcceptAndHang,
    /// The message is accepted, but not for these recipients yet.
    AcceptBut(&'static [&'static str]),
    Fail(SendError),
    Hang,
    Panic,
}

type Script = Box<dyn Fn(&Notification, UnixMillis) -> Reply + Send + Sync>;

#[derive(Clone)]
struct FakeSink {
    clock: Clock,
    script: Arc<Mutex<Script>>,
    /// Attempts that reached the channel: second since the start, key, accepted.
    log: Arc<Mutex<Vec<(u64, String, bool)>>>,
    /// The same, with what was said and the keys of all that it tells.
    told: Arc<Mutex<Vec<Told>>>,
}

#[derive(Debug, Clone)]
struct Told {
    second: u64,
    notification: Notification,
    keys: Vec<String>,
    is_accepted: bool,
    /// What it was said to follow.
    first: Option<String>,
    /// How the channel was spoken to.
    spec: ChannelSpec,
    /// Whom alone it was for.
    only: Vec<String>,
}

impl Sink for FakeSink {
    async fn send(&self, envelope: Envelope<'_>, heard: &Heard) -> Result<(), SendError> {
        let now = self.clock.now().wall;
        let reply = (self.script.lock().expect("script"))(envelope.notification, now);
        let second = now.since(samples::TEN_TWENTY_THREE).as_secs();
        let is_accepted = matches!(reply, Reply::Accept | Reply::AcceptAndHang | Reply::AcceptBut(_));
        self.log.lock().expect("log").push((second, envelope.notification.key.clone(), is_accepted));
        if is_accepted && envelope.notification.event.opens() && envelope.told.len() == 1 {
            // Of the same message each arrival is another one to the service.
            let n = self.log.lock().expect("log").len();
            heard.note_arrival(ServiceId::parse(&format!("{n}-{}", envelope.notification.key)));
        } else if is_accepted {
            heard.note_arrival(None);
        }
        if matches!(reply, Reply::Hang) {
            heard.note_departure();
        }
        let keys = envelope.told.iter().map(|told| told.key.clone()).collect();
        let first = envelope.first.map(|first| first.as_str().to_owned());
        let (notification, spec) = (envelope.notification.clone(), envelope.channel.spec.clone());
        let only = envelope.only.to_vec();
        self.told.lock().expect("told").push(Told { second, notification, keys, is_accepted, first, spec, only });
        match reply {
            Reply::Accept => Ok(()),
            Reply::AcceptBut(who) => {
                let remaining = who.iter().map(|who| (*who).to_owned()).collect();
                heard.note_left_out(LeftOut { remaining, said: "taken for 1 of 2".to_owned() });
                Ok(())
            }
            Reply::Fail(error) => Err(error),
            Reply::AcceptAndHang | Reply::Hang => std::future::pending().await,
            Reply::Panic => panic!("a bug"),
        }
    }
}

/// A notifier whose world is in memory.
struct World {
    outbox: FakeOutbox,
    sink: FakeSink,
    clock: Clock,
    config: watch::Sender<Arc<Config>>,
    owed: Arc<Notify>,
    shared: Option<Shared>,
}

impl World {
    fn new(channels: &[&str], script: impl Fn(&Notification, UnixMillis) -> Reply + Send + Sync + 'static) -> World {
        let clock = Clock::manual(Now { wall: samples::TEN_TWENTY_THREE, mono: Mono(0) });
        let script: Script = Box::new(script);
        World {
            outbox: FakeOutbox::default(),
            sink: FakeSink { clock: clock.clone(), script: Arc::new(Mutex::new(script)), log: Arc::default(), told: Arc::default() },
            clock,
            config: watch::Sender::new(config(channels)),
            owed: Arc::new(Notify::new()),
            shared: None,
        }
    }

    fn replay(&self, script: impl Fn(&Notification, UnixMillis) -> Reply + Send + Sync + 'static) {
        *self.sink.script.lock().expect("script") = Box::new(script);
    }

    /// Owes a message about a monitor to a channel, and says so.
    async fn owe(&self, channel: &str, monitor: &str, key: &str) {
        self.owe_event(channel, monitor, EventKind::Down, key).await;
    }

    async fn owe_event(&self, channel: &str, monitor: &str, event: EventKind, key: &str) {
        let mut facts = samples::facts();
        facts.monitor = MonitorId::parse(monitor).expect("id");
        facts.monitor_name = monitor.to_owned();
        let at = self.clock.now().wall;
        if event == EventKind::Recovered {
            (facts.status, facts.duration) = (crate::model::verdict::Verdict::Up, at.since(facts.started_at));
        }
        let notification = Notification { key: key.to_owned(), channel: channel_name(channel), event, at, ..samples::notification(facts) };
        self.outbox.owe(vec![notification]);
        self.owed.notify_one();
    }

    /// A run of the program for so long; it ends as if it had been killed.
    async fn live(&self, how_long: Duration) {
        self.live_until(how_long, CancellationToken::new()).await;
    }

    async fn live_until(&self, how_long: Duration, stop: CancellationToken) {
        let notifier = Notifier {
            outbox: self.outbox.clone(),
            sink: self.sink.clone(),
            clock: self.clock.clone(),
            config: self.config.subscribe(),
            owed: Arc::clone(&self.owed),
            secret: crate::model::secret::Secret::new("secret"),
            shared: self.shared.clone(),
            former: Former::default(),
            chance: || 1.0,
        };
        let time = async {
            for _ in 0..how_long.as_secs() {
                tokio::time::sleep(SECOND).await;
                self.clock.advance(SECOND);
            }
        };
        tokio::select! {
            () = notifier.run(stop) => {}
            () = time => {}
        }
    }

    fn log(&self) -> Vec<(u64, String, bool)> {
        self.sink.log.lock().expect("log").clone()
    }

    fn accepted(&self) -> Vec<String> {
        self.log().into_iter().filter(|(_, _, accepted)| *accepted).map(|(_, key, _)| key).collect()
    }

    fn seconds(&self) -> Vec<u64> {
        self.log().into_iter().map(|(second, _, _)| second).collect()
    }
}

/// Messages that were taken: at which second, and what a person reads first.
fn said(world: &World) -> Vec<(u64, String)> {
    let told = world.sink.told.lock().expect("told").clone();
    let taken = told.into_iter().filter(|told| told.is_accepted);
    taken.map(|told| (told.second, crate::notifier::text::sentence(&told.notification))).collect()
}

fn down() -> Reply {
    Reply::Fail(SendError::Transient("answered 503".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_is_sent_at_once_and_once() {
    let world = World::new(&["a", "b"], |_, _| Reply::Accept);
    world.owe("a", "m1", "before").await;
    let later = async {
        tokio::time::sleep(SECOND * 100).await;
        world.owe("b", "m1", "during").await;
    };
    tokio::join!(world.live(SECOND * 200), later);
    world.live(SECOND * 100).await;
    assert_eq!(world.log(), [(0, "before".to_owned(), true), (100, "during".to_owned(), true)]);
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_order_of_a_monitor_is_kept_whatever_fails() {
    let world = World::new(&["a"], |notification, now| {
        let fails = notification.key == "m1 down" && now < samples::TEN_TWENTY_THREE + HOUR;
        if fails { down() } else { Reply::Accept }
    });
    for (monitor, key) in [("m1", "m1 down"), ("m1", "m1 up"), ("m2", "m2 down"), ("m1", "m1 down again"), ("m2", "m2 up")] {
        world.owe("a", monitor, key).await;
    }
    world.live(HOUR * 2).await;
    assert_eq!(world.accepted(), ["m2 down", "m2 up", "m1 down", "m1 up", "m1 down again"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_channel_delays_only_itself() {
    let world = World::new(&["broken", "slow", "fine"], |notification, _| match notification.channel.as_str() {
        "broken" => down(),
        "slow" => Reply::Hang,
        _ => Reply::Accept,
    });
    for n in 0..20 {
        for channel in ["broken", "slow", "fine"] {
            world.owe(channel, &format!("m{n}"), &format!("{channel} {n}")).await;
        }
    }
    world.live(SECOND).await;
    assert_eq!(world.accepted().len(), 20);
    assert_eq!(world.outbox.n_waiting(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_comes_back_gets_everything_within_sixteen_minutes() {
    let back = samples::TEN_TWENTY_THREE + HOUR * 3;
    let world = World::new(&["a"], move |_, now| if now < back { down() } else { Reply::Accept });
    for n in 0..50 {
        world.owe("a", &format!("m{n}"), &format!("{n}")).await;
    }
    world.live(HOUR * 3).await;
    assert_eq!(world.outbox.n_waiting(), 50, "nothing is given up");
    let n_attempts = world.log().len();
    assert!(n_attempts < 300, "{n_attempts} attempts on a channel that is down are a storm");
    world.live(SECOND * 16 * 60).await;
    assert_eq!(world.outbox.n_waiting(), 0);
    assert_eq!(world.accepted().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_kept_trying_for_a_day_and_then_given_up_visibly() {
    let world = World::new(&["a"], |_, _| down());
    world.owe("a", "m1", "x").await;
    world.live(HOUR * 24 - SECOND).await;
    assert_eq!(world.outbox.n_waiting(), 1);
    assert_eq!(world.seconds()[..9], [0, 5, 15, 35, 75, 155, 315, 635, 1275]);
    world.live(HOUR).await;
    assert_eq!(world.outbox.state("x"), State::Dead("answered 503".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_is_tried_three_times() {
    let world = World::new(&["a", "ops"], |notification, _| match notification.channel.as_str() {
        "a" => Reply::Fail(SendError::Permanent("answered 401".to_owned())),
        _ => Reply::Accept,
    });
    world.owe("a", "m1", "x").await;
    world.owe("a", "m2", "y").await;
    world.live(HOUR).await;
    let of = |key: &str| world.log().into_iter().filter(|(_, k, _)| k == key).map(|(second, _, _)| second).collect::<Vec<_>>();
    assert_eq!(of("x"), [0, 60, 660]);
    assert_eq!(of("y"), [0, 60, 660]);
    assert_eq!(world.outbox.state("x"), State::Dead("answered 401".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_asks_for_time_gets_it() {
    let world = World::new(&["a"], |_, now| match now.since(samples::TEN_TWENTY_THREE).as_secs() {
        0..90 => Reply::Fail(SendError::Later(SECOND * 90, "answered 429".to_owned())),
        _ => Reply::Accept,
    });
    for n in 0..10 {
        world.owe("a", &format!("m{n}"), &format!("{n}")).await;
    }
    world.live(SECOND * 95).await;
    assert_eq!(world.seconds()[..3], [0, 90, 90], "one attempt in the time that was asked for");
    assert_eq!(world.accepted().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_sending_and_noting_repeats_with_the_same_key_and_loses_nothing() {
    for n_before_crash in 0..5 {
        let world = World::new(&["a"], |_, _| Reply::Accept);
        for n in 0..n_before_crash {
            world.owe("a", "m", &format!("early {n}")).await;
        }
        world.live(SECOND * 5).await;
        for n in 0..3 {
            world.owe("a", &format!("m{n}"), &format!("{n}")).await;
        }
        world.outbox.lock().faults.marks_hang = 1;
        world.live(SECOND * 5).await;
        world.live(SECOND * 5).await;
        let accepted = world.accepted();
        let distinct: BTreeSet<&String> = accepted.iter().collect();
        assert_eq!(distinct.len(), n_before_crash + 3, "nothing is lost: {accepted:?}");
        assert_eq!(accepted.len(), n_before_crash + 4, "one repeat for one crash: {accepted:?}");
        assert_eq!(world.outbox.n_waiting(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_repeats_nothing_while_the_program_lives() {
    let world = World::new(&["a"], |_, _| Reply::Accept);
    world.owe("a", "m1", "x").await;
    world.owe("a", "m2", "y").await;
    world.outbox.lock().faults = Faults { marks_fail: 100, claims_fail: 3, marks_hang: 0 };
    world.live(HOUR).await;
    assert_eq!(world.accepted(), ["x", "y"]);
    assert_eq!(world.outbox.n_waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_orderly_stop_finishes_the_attempt_and_notes_it() {
    let world = World::new(&["a"], |notification, _| if notification.key == "x" { Reply::Hang } else { Reply::Accept });
    world.owe("a", "m1", "x").await;
    world.owe("a", "m2", "y").await;
    let stop = CancellationToken::new();
    let stopper = async {
        tokio::time::sleep(SECOND).await;
        stop.cancel();
    };
    tokio::join!(world.live_until(HOUR, stop.clone()), stopper);
    assert_eq!(world.clock.now().wall.since(samples::TEN_TWENTY_THREE).as_secs(), 10, "it ends when the attempt does");
    assert_eq!(world.outbox.lock().rows[0].n_attempts, 1);
    assert_eq!(world.log().len(), 1, "nothing new is begun");
}

/// One message is owed to a mail server that says nothing.
async fn mail_that_hangs() -> World {
    let world = World::new(&[], |_, _| Reply::Hang);
    let mail = samples::channel("mail", ChannelSpec::Email(samples::mail_to("smtp.example.com")));
    world.config.send_modify(|config| {
        let mut changed = Config::clone(config);
        changed.channels.insert(mail.name.clone(), Arc::new(mail));
        *config = Arc::new(changed);
    });
    world.owe("mail", "m", "x").await;
    world
}

#[tokio::test(start_paused = true)]
async fn a_mail_may_take_longer_than_a_request() {
    let world = mail_that_hangs().await;
    world.live(MAIL_TIMEOUT - SECOND).await;
    assert_eq!(world.outbox.lock().rows[0].n_attempts, 0, "it may still be accepted");
    world.live(MAIL_TIMEOUT + SECOND * 2).await;
    assert_eq!(world.outbox.lock().rows[0].n_attempts, 1, "it has failed");
}

#[tokio::test(start_paused = true)]
async fn a_mail_does_not_hold_up_the_end_of_the_program() {
    let (world, stop) = (mail_that_hangs().await, CancellationToken::new());
    let stopper = async {
        tokio::time::sleep(SECOND).await;
        stop.cancel();
    };
    tokio::join!(world.live_until(HOUR, stop.clone()), stopper);
    let lasted = world.clock.now().wall.since(samples::TEN_TWENTY_THREE);
    assert!((LAST_ATTEMPTS..=LAST_ATTEMPTS + SECOND).contains(&lasted), "{lasted:?}");
    assert_eq!((world.log().len(), world.outbox.n_waiting()), (1, 1), "it was under way, and is still owed");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_written_stops_no_other() {
    let world = World::new(&["a"], |notification, _| if notification.key == "x" { Reply::Panic } else { Reply::Accept });
    world.owe("a", "m1", "x").await;
    world.owe("a", "m2", "y").await;
    world.live(HOUR).await;
    assert_eq!(world.accepted(), ["y"]);
    assert!(matches!(world.outbox.state("x"), State::Dead(_)));
}

#[tokio::test(start_paused = true)]
async fn messages_for_a_channel_that_left_the_config_wait_a_day_for_it() {
    let world = World::new(&["b"], |_, _| Reply::Accept);
    world.owe("a", "m1", "rescued").await;
    world.owe("gone", "m1", "lost").await;
    world.live(HOUR * 23).await;
    assert_eq!(world.log(), []);
    let n_claims = world.outbox.lock().n_claims;
    assert_eq!(n_claims, 0, "waiting costs nothing");
    world.config.send_replace(config(&["a", "b"]));
    world.owe("gone", "m1", "younger").await;
    world.live(HOUR + SECOND * 60).await;
    assert_eq!(world.accepted(), ["rescued"]);
    assert_eq!(world.outbox.state("lost"), State::Dead("the channel `gone` is not in the config".to_owned()));
    assert!(matches!(world.outbox.state("younger"), State::Waiting { .. }));
    world.live(HOUR * 23).await;
    assert!(matches!(world.outbox.state("younger"), State::Dead(_)));
}

#[tokio::test(start_paused = true)]
async fn an_old_message_behind_a_younger_one_does_not_keep_the_worker_busy() {
    let world = World::new(&["b"], |_, _| Reply::Accept);
    world.owe("gone", "m1", "younger").await;
    world.owe("gone", "m1", "older").await;
    // The clock was ahead by two days when the first one was written.
    world.outbox.lock().rows[1].notification.at = world.clock.now().wall.minus(HOUR * 48);
    world.live(HOUR).await;
    let n_claims = world.outbox.lock().n_claims;
    assert!((1..=130).contains(&n_claims), "{n_claims}");
    world.config.send_replace(config(&["gone"]));
    world.live(SECOND * 5).await;
    assert_eq!(world.accepted(), ["younger", "older"]);
}

#[tokio::test(start_paused = true)]
async fn a_mended_channel_starts_afresh() {
    let world = World::new(&["a"], |_, _| Reply::Fail(SendError::Later(HOUR, "answered 429".to_owned())));
    world.owe("a", "m1", "x").await;
    world.owe("a", "m2", "y").await;
    let mend = async {
        tokio::time::sleep(SECOND * 100).await;
        world.replay(|_, _| Reply::Accept);
        world.config.send_modify(|config| {
            let mut mended = (**config).clone();
            let spec = ChannelSpec::Webhook(samples::webhook("http://192.0.2.2/"));
            mended.channels.insert(channel_name("a"), Arc::new(samples::channel("a", spec)));
            *config = Arc::new(mended);
        });
    };
    tokio::join!(world.live(HOUR * 2), mend);
    assert_eq!(world.log(), [(0, "x".to_owned(), false), (100, "y".to_owned(), true), (3600, "x".to_owned(), true)]);
}

#[tokio::test(start_paused = true)]
async fn no_plan_of_faults_loses_a_message_or_turns_two_around() {
    for seed in 0..100_u64 {
        let world = World::new(&["a", "b"], move |notification, now| {
            let dice = mix(seed ^ mix(now.0.unsigned_abs() ^ notification.key.bytes().fold(7, |sum, b| mix(sum ^ u64::from(b)))));
            match dice % 10 {
                0..3 => Reply::Accept,
                3..6 => down(),
                6 => Reply::Hang,
                7 => Reply::Fail(SendError::Later(SECOND * 20, "answered 429".to_owned())),
                _ => Reply::Accept,
            }
        });
        let (n_lives, n_workers) = (6, 2);
        for n in 0..n_lives {
            for (channel, monitor) in [("a", "m1"), ("a", "m2"), ("b", "m1")] {
                world.owe(channel, monitor, &format!("{channel} {monitor} {n}")).await;
            }
            let dice = mix(seed * 100 + n);
            let marks_fail = u32::try_from(dice / 3 % 3).expect("small");
            world.outbox.lock().faults = Faults { marks_hang: u32::from(dice.is_multiple_of(3)), marks_fail, claims_fail: 0 };
            world.live(Duration::from_secs(1 + dice / 9 % 40)).await;
        }
        world.outbox.lock().faults = Faults::default();
        world.replay(|_, _| Reply::Accept);
        world.live(HOUR).await;
        assert_eq!(world.outbox.n_waiting(), 0, "seed {seed}");
        let accepted = world.accepted();
        let distinct: BTreeSet<&String> = accepted.iter().collect();
        assert_eq!(distinct.len(), 18, "seed {seed}: {accepted:?}");
        let n_repeats = accepted.len() - distinct.len();
        let n_killed = usize::try_from(n_lives * n_workers).expect("small");
        assert!(n_repeats <= n_killed, "at most one for each worker that was killed; seed {seed}: {accepted:?}");
        for of in ["a m1", "a m2", "b m1"] {
            let mut order: Vec<&String> = accepted.iter().filter(|key| key.starts_with(of)).collect();
            order.dedup();
            assert!(order.is_sorted(), "seed {seed}: {order:?}");
        }
    }
}

/// Splitmix: a number that looks random, always the same for the same argument.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Carries what notifiers say to each other, a fifth of a second later.
#[derive(Debug)]
struct Bus {
    me: NodeName,
    others: Arc<Mutex<BTreeMap<NodeName, Shared>>>,
}

impl Announce for Bus {
    fn announce(&self, records: Vec<Record>) {
        let others = self.others.lock().expect("bus").clone();
        for (_, shared) in others.into_iter().filter(|(node, _)| *node != self.me) {
            for record in records.clone() {
                let Record::Delivery(fact) = record else { continue };
                let (shared, me) = (shared.clone(), self.me.clone());
                crate::supervise::Jobs::default().start(async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    shared.heard(&me, &fact);
                });
            }
        }
    }

    fn replay(&self) {}

    fn refill(&self, _since: UnixMillis) {}

    fn share(&self, _roster: Arc<Roster>) {}
}

/// Notifiers of several nodes before one receiver.
struct Nodes {
    worlds: BTreeMap<NodeName, World>,
    rosters: BTreeMap<NodeName, watch::Sender<Arc<Roster>>>,
}

fn node(text: &str) -> NodeName {
    NodeName::parse(text).expect("a name")
}

/// The nodes in the order in which it is their turn for the channel `ops`.
fn order() -> Vec<NodeName> {
    crate::consensus::rank::ranked("ops", &["a", "b", "c"].map(node))
}

impl Nodes {
    fn new(script: impl Fn(&Notification, UnixMillis) -> Reply + Send + Sync + 'static) -> Nodes {
        Nodes::new_for("ops", script)
    }

    fn new_for(channel: &str, script: impl Fn(&Notification, UnixMillis) -> Reply + Send + Sync + 'static) -> Nodes {
        let first = World::new(&[channel], script);
        let others: Arc<Mutex<BTreeMap<NodeName, Shared>>> = Arc::default();
        let mut nodes = Nodes { worlds: BTreeMap::new(), rosters: BTreeMap::new() };
        for me in ["a", "b", "c"].map(node) {
            let all: Vec<NodeName> = ["a", "b", "c"].map(node).into();
            let roster = Roster {
                me: me.clone(),
                eligible: all.clone(),
                eligible_since: crate::model::time::Mono(0),
                live: all.into_iter().collect(),
                is_ready: true,
            };
            let (tell, rosters) = watch::channel(Arc::new(roster));
            let announce = Arc::new(Bus { me: me.clone(), others: Arc::clone(&others) });
            let shared = Shared::new(me.clone(), first.clock.clone(), announce, rosters);
            others.lock().expect("bus").insert(me.clone(), shared.clone());
            let world = World {
                outbox: FakeOutbox::default(),
                sink: first.sink.clone(),
                clock: first.clock.clone(),
                config: watch::Sender::new(config(&[channel])),
                owed: Arc::new(Notify::new()),
                shared: Some(shared),
            };
            nodes.worlds.insert(me.clone(), world);
            nodes.rosters.insert(me, tell);
        }
        nodes
    }

    async fn owe(&self, key: &str) {
        for world in self.worlds.values() {
            world.owe("ops", "m", key).await;
        }
    }

    /// Lets the given nodes run for so long; then they are killed.
    async fn live(&self, running: &[NodeName], seconds: u64) {
        let run = |name: &NodeName| {
            let world = &self.worlds[name];
            let notifier = Notifier {
                outbox: world.outbox.clone(),
                sink: world.sink.clone(),
                clock: world.clock.clone(),
                config: world.config.subscribe(),
                owed: Arc::clone(&world.owed),
                secret: crate::model::secret::Secret::new("secret"),
                shared: world.shared.clone(),
                former: Former::default(),
                chance: || 1.0,
            };
            notifier.run(CancellationToken::new())
        };
        let clock = self.worlds.values().next().expect("some").clock.clone();
        let time = async {
            for _ in 0..seconds * 10 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                clock.advance(Duration::from_millis(100));
            }
        };
        let mut jobs: Vec<std::pin::Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for name in running {
            jobs.push(Box::pin(run(name)));
        }
        let all = futures_util::future::join_all(jobs);
        tokio::select! {
            _ = all => {}
            () = time => {}
        }
    }

    fn log(&self) -> Vec<(u64, String, bool)> {
        self.worlds.values().next().expect("some").log()
    }

    fn n_waiting(&self) -> usize {
        self.worlds.values().map(|world| world.outbox.n_waiting()).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn of_three_nodes_that_owe_the_same_one_sends() {
    let nodes = Nodes::new(|_, _| Reply::Accept);
    nodes.owe("m down").await;
    nodes.owe("m up").await;
    nodes.live(&order(), 60).await;
    let sent: Vec<String> = nodes.log().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!((sent, nodes.n_waiting()), (vec!["m down".to_owned(), "m up".to_owned()], 0));
    // Each keeps that it was sent, so that none sends it after a restart.
    nodes.live(&order(), 60).await;
    assert_eq!(nodes.log().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_first_is_dead_the_next_sends_after_the_takeover() {
    let nodes = Nodes::new(|_, _| Reply::Accept);
    nodes.owe("m down").await;
    nodes.live(&order()[1..], 60).await;
    let log = nodes.log();
    assert_eq!(log.len(), 1);
    assert!((15..20).contains(&log[0].0), "{log:?}");
    // When the first comes back, it has heard.
    nodes.live(&order(), 60).await;
    assert_eq!((nodes.log().len(), nodes.n_waiting()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn while_the_receiver_is_down_one_node_at_a_time_tries_and_one_message_arrives() {
    let nodes = Nodes::new(|_, now| if now < samples::TEN_TWENTY_THREE + SECOND * 300 { down() } else { Reply::Accept });
    nodes.owe("m down").await;
    nodes.live(&order(), 500).await;
    let log = nodes.log();
    assert_eq!(log.iter().filter(|(.., accepted)| *accepted).count(), 1, "{log:?}");
    let first_good = log.iter().position(|(.., accepted)| *accepted).expect("it arrives");
    assert_eq!(first_good, log.len() - 1, "nobody tries again afterwards");
    assert!((6..=20).contains(&log.len()), "back-off, not a hail: {log:?}");
    assert!(log[first_good].0 < 300 + 100, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_dies_before_it_can_say_so_costs_a_repetition_and_no_loss() {
    let nodes = Nodes::new(|_, _| Reply::Accept);
    nodes.worlds[&order()[0]].outbox.lock().faults.marks_hang = 1;
    nodes.owe("m down").await;
    nodes.live(&order()[..1], 5).await;
    assert_eq!(nodes.log().len(), 1);
    // It is dead; the others heard of its claim, and wait until they know that it is.
    nodes.live(&order()[1..], 60).await;
    assert_eq!(nodes.log().len(), 2);
    nodes.live(&order(), 60).await;
    assert_eq!((nodes.log().len(), nodes.n_waiting()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_not_settled_sends_nothing() {
    let nodes = Nodes::new(|_, _| Reply::Accept);
    for tell in nodes.rosters.values() {
        tell.send_modify(|roster| *roster = Arc::new(Roster { is_ready: false, ..(**roster).clone() }));
    }
    nodes.owe("m down").await;
    nodes.live(&order(), 120).await;
    assert_eq!(nodes.log(), []);
    for tell in nodes.rosters.values() {
        tell.send_modify(|roster| *roster = Arc::new(Roster { is_ready: true, ..(**roster).clone() }));
    }
    nodes.live(&order(), 30).await;
    assert_eq!(nodes.log().len(), 1);
}
