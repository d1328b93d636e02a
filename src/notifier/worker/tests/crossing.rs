//! Every answer that a channel can give, crossed with every point at which the program can be killed: real requests, a real database,
//! and exactly the requests that are expected.
//!
//! Seconds are short here: waits are counted by a clock that is driven, only patience with a channel is real.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::model::change::StateChange;
use crate::notifier::sink::ChannelSink;
use crate::store::OpenOptions;
use crate::store::Store;

/// Where the program is killed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Crash {
    /// The message is leased; nothing was sent.
    Claimed,
    /// The request is out; there is no answer.
    Sending,
    /// The answer is there, and not noted.
    Answered,
    /// It is noted.
    Noted,
}

/// What the first request is answered with; all later ones are accepted.
#[derive(Debug, Clone, Copy)]
enum First {
    Says(&'static str),
    SaysHalf(&'static str),
    Hangs,
    ClosesUnread,
}

/// Real time that stands for a second of the clock.
const TICK: Duration = Duration::from_millis(10);

/// Real time after which a story that has not ended never will.
const STORY_MAX: Duration = Duration::from_secs(60);

const ACCEPTS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// A request as it was made.
#[derive(Debug, Clone)]
struct Made {
    second: u64,
    key: String,
    /// Whether it says that the message may have been sent before; `None`: nobody read it.
    is_doubtful: Option<bool>,
}

type Requests = Arc<Mutex<Vec<Made>>>;

/// Answers the first request when told to, and all later ones at once.
fn receiver(first: First, clock: Clock, go: mpsc::Receiver<()>, called: Arc<Notify>) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let requests = Requests::default();
    let log = Arc::clone(&requests);
    thread::spawn(move || {
        let mut held = Vec::new();
        for (n, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let second = clock.now().wall.since(samples::TEN_TWENTY_THREE).as_secs();
            let closes = n == 0 && matches!(first, First::ClosesUnread);
            let (key, is_doubtful) = if closes { ("unread".to_owned(), None) } else { read(&mut stream) };
            log.lock().expect("log").push(Made { second, key, is_doubtful });
            if n > 0 {
                let _ = stream.write_all(ACCEPTS.as_bytes());
                continue;
            }
            called.notify_one();
            let _ = go.recv();
            match first {
                First::Says(text) | First::SaysHalf(text) => _ = stream.write_all(text.as_bytes()),
                First::Hangs => held.push(stream),
                First::ClosesUnread => {}
            }
        }
    });
    (address, requests)
}

/// The key of a request, and whether it says that it may be a repeat.
fn read(stream: &mut TcpStream) -> (String, Option<bool>) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned)).unwrap_or_default();
        if header("content-length: ").parse().is_ok_and(|length: usize| length <= body.len()) {
            let said: serde_json::Value = serde_json::from_str(body).expect("JSON");
            return (header("idempotency-key: "), said["possible_repeat"].as_bool());
        }
    }
    ("broken off".to_owned(), None)
}

/// The store, which stops where the program is killed.
#[derive(Clone)]
struct Stopping {
    store: Arc<Store>,
    crash: Option<Crash>,
    reached: Arc<Notify>,
}

impl Stopping {
    async fn stop_at(&self, crash: Crash) {
        if self.crash == Some(crash) {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Outbox for Stopping {
    async fn reset_leases(&self) -> Result<(), CommitError> {
        Outbox::reset_leases(&*self.store).await
    }

    async fn hold_leases(&self, until: UnixMillis) -> Result<(), CommitError> {
        Outbox::hold_leases(&*self.store, until).await
    }

    async fn sent_elsewhere(&self, sent: Vec<(String, UnixMillis, Option<StoredFact>)>) -> Result<(), CommitError> {
        Outbox::sent_elsewhere(&*self.store, sent).await
    }

    async fn keep(&self, facts: Vec<StoredFact>) -> Result<(), CommitError> {
        Outbox::keep(&*self.store, facts).await
    }

    async fn claim(&self, channel: &ChannelName, now: UnixMillis, limit: usize) -> Result<Vec<OutboxRow>, CommitError> {
        let rows = Outbox::claim(&*self.store, channel, now, limit).await?;
        self.stop_at(Crash::Claimed).await;
        Ok(rows)
    }

    async fn next_due(&self, channel: &ChannelName) -> Result<Option<UnixMillis>, ReadError> {
        Outbox::next_due(&*self.store, channel).await
    }

    async fn tells(&self, pairs: Vec<(i64, i64)>) -> Result<(), CommitError> {
        Outbox::tells(&*self.store, pairs).await
    }

    async fn mark(&self, marks: Vec<(i64, Mark)>, record: Option<&Attempt>) -> Result<(), CommitError> {
        self.stop_at(Crash::Answered).await;
        Outbox::mark(&*self.store, marks, record).await?;
        self.stop_at(Crash::Noted).await;
        Ok(())
    }

    async fn backlog(&self) -> Result<Vec<(ChannelName, u64, UnixMillis)>, ReadError> {
        Outbox::backlog(&*self.store).await
    }
}

/// One message, two lives; returns the requests that were made.
async fn story(first: First, crash: Crash) -> Vec<Made> {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Clock::manual(Now { wall: samples::TEN_TWENTY_THREE, mono: Mono(0) });
    let open = OpenOptions { allow_network_fs: true };
    let store = Arc::new(Store::open_with(dir.path(), clock.clone(), open).expect("opens").0);
    let (go, going) = mpsc::channel();
    let called = Arc::new(Notify::new());
    let (address, requests) = receiver(first, clock.clone(), going, Arc::clone(&called));
    let mut config = Config::clone(&samples::config(&["ops-webhook"]));
    let spec = ChannelSpec::Webhook(samples::webhook(&format!("http://{address}/")));
    config.channels.insert(channel_name("ops-webhook"), Arc::new(samples::channel("ops-webhook", spec)));
    let config = watch::Sender::new(Arc::new(config));
    let notifications = vec![samples::notification(samples::facts())];
    store.commit(StateChange { notifications, ..StateChange::default() }).await.expect("commits");

    let owed = Arc::new(Notify::new());
    let life = |outbox: Stopping| {
        let notifier = Notifier {
            outbox,
            sink: ChannelSink::new(clock.clone()).expect("set up"),
            clock: clock.clone(),
            config: config.subscribe(),
            owed: Arc::clone(&owed),
            secret: crate::model::secret::Secret::new("secret"),
            shared: None,
            former: Former::default(),
            chance: || 0.0,
        };
        notifier.run(CancellationToken::new())
    };
    let time = async {
        loop {
            tokio::time::sleep(TICK).await;
            clock.advance(SECOND);
            owed.notify_one();
        }
    };
    let reached = Arc::new(Notify::new());
    let killed = async {
        if crash == Crash::Sending {
            called.notified().await;
        } else {
            reached.notified().await;
        }
    };
    let first_life = life(Stopping { store: Arc::clone(&store), crash: Some(crash), reached: Arc::clone(&reached) });
    if crash != Crash::Sending {
        go.send(()).expect("it waits");
    }
    tokio::select! {
        () = first_life => panic!("nobody stops it"),
        () = time => {}
        () = killed => {}
    }
    // To nobody, when the request was under way.
    let _ = go.send(());
    let second_life = life(Stopping { store: Arc::clone(&store), crash: None, reached });
    let settled = async {
        while !store.outbox_backlog().await.expect("reads").is_empty() {
            tokio::time::sleep(TICK).await;
            clock.advance(SECOND);
            owed.notify_one();
        }
    };
    tokio::select! {
        () = second_life => panic!("nobody stops it"),
        () = settled => {}
    }
    let made = requests.lock().expect("log").clone();
    store.close().await;
    made
}

#[tokio::test]
async fn every_answer_crossed_with_every_crash_makes_exactly_the_requests_that_are_expected() {
    use Crash::Answered;
    use Crash::Claimed;
    use Crash::Noted;
    use Crash::Sending;
    let later = "HTTP/1.1 429 Too Many\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";
    // How many requests, killed at each of the four points; how long the second one waits for, when the first was noted; and whether it
    // has to say then that the first may have arrived. Whoever was killed before it was noted does not know, so the second always says it.
    let table = [
        (First::Says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), [1, 2, 2, 1], 0, false),
        (First::Says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), [2, 2, 2, 2], 60, false),
        (First::Says(later), [2, 2, 2, 2], 30, false),
        (First::Says("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n"), [2, 2, 2, 2], 1, false),
        (First::Says("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), [2, 2, 2, 2], 1, false),
        (First::SaysHalf("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal"), [2, 2, 2, 2], 1, true),
        (First::SaysHalf("HTTP/1.1 20"), [2, 2, 2, 2], 1, true),
        (First::Hangs, [2, 2, 2, 2], 1, true),
        (First::ClosesUnread, [2, 2, 2, 2], 1, true),
    ];
    let cells = table.iter().flat_map(|(first, counts, wait, is_unanswered)| {
        [Claimed, Sending, Answered, Noted].into_iter().zip(counts).map(move |(crash, n)| async move {
            let made = tokio::time::timeout(STORY_MAX, story(*first, crash)).await.unwrap_or_else(|_| panic!("{first:?} {crash:?}"));
            assert_eq!(made.len(), *n, "{first:?} {crash:?}: {made:?}");
            let is_ours = |made: &Made| made.key == "k3v9q2m7x4t1a:down:ops-webhook" || made.key == "unread";
            assert!(made.iter().all(is_ours), "the same key each time: {made:?}");
            if *n == 2 && matches!(crash, Claimed | Noted) {
                assert!(*wait <= made[1].second - made[0].second, "{first:?} {crash:?}: {made:?}");
            }
            // Killed before anything was sent, the second life sends it for the first time, and cannot know that.
            for (made, expected) in made.iter().zip([crash == Claimed, crash != Noted || *is_unanswered]) {
                assert!(made.is_doubtful.is_none_or(|is_doubtful| is_doubtful == expected), "{first:?} {crash:?}: {made:?}");
            }
        })
    });
    futures_util::future::join_all(cells).await;
}
