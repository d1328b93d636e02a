//! One link from its first frame to its last.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::id::NodeName;
use crate::peer::link::frame;
use crate::peer::link::frame::Frame;
use crate::peer::link::frame::HEAD_BYTES;
use crate::peer::link::frame::Rest;
use crate::peer::port::ANSWER_BYTES_MAX;
use crate::peer::port::Answers;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::supervise::Jobs;

/// A ping is sent this often.
pub(super) const PING_EVERY: Duration = Duration::from_secs(5);

/// A link on which nothing came for three pings is dead, whatever the system says.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(16);

/// Frames that may wait to be written: gossip repeats itself, so beyond it they are dropped.
const URGENT_MAX: usize = 256;

/// Pieces of answers that may wait; whoever makes them waits too.
const BULK_MAX: usize = 4;

/// Length of a piece, so that gossip never waits long behind one.
const PIECE_BYTES: usize = 32 * 1024;

/// Questions of the other side that are answered at once; more are refused.
const ASKED_MAX: usize = 4;

/// How long a question waits for its answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that are read per second at most, and in a burst: a hundred times what a cluster of ten thousand monitors says.
const READ_PER_SECOND: f64 = 8.0 * 1024.0 * 1024.0;

/// Shorter rests than this are put together: a timer is no finer.
const REST_MIN: Duration = Duration::from_millis(5);

/// How many pings the clock's offset is taken from: the one with the shortest round trip knows best.
const PINGS_KEPT: usize = 8;

/// The near end of a link.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) node: NodeName,
    urgent: mpsc::Sender<Frame>,
    bulk: mpsc::Sender<Frame>,
    pub(super) end: CancellationToken,
    asked: Mutex<BTreeMap<u32, Pending>>,
    next_ask: Mutex<u32>,
    /// Round trips in milliseconds with the offsets they gave.
    pings: Mutex<VecDeque<(u64, i64)>>,
    pub(super) n_read: AtomicU64,
    pub(super) n_written: AtomicU64,
}

#[derive(Debug)]
struct Pending {
    so_far: BytesMut,
    reply: oneshot::Sender<Result<Bytes, String>>,
}

/// What a session gives its frames to.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) jobs: Jobs,
    pub(super) answers: Option<Arc<dyn Answers>>,
    /// Takes a datagram.
    pub(super) datagram: Box<dyn Fn(Bytes) + Send + Sync>,
    /// Something to look at has changed.
    pub(super) measured: Box<dyn Fn() + Send + Sync>,
}

/// What is waiting to be written.
pub(super) struct Outgoing {
    urgent: mpsc::Receiver<Frame>,
    bulk: mpsc::Receiver<Frame>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question that is waited for; forgotten when it is dropped.
struct Asked<'a> {
    session: &'a Session,
    id: u32,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        locked(&self.session.asked).remove(&self.id);
    }
}

impl Session {
    pub(super) fn new(node: NodeName) -> (Arc<Session>, Outgoing) {
        let (urgent, urgent_out) = mpsc::channel(URGENT_MAX);
        let (bulk, bulk_out) = mpsc::channel(BULK_MAX);
        let session = Session {
            node,
            urgent,
            bulk,
            end: CancellationToken::new(),
            asked: Mutex::default(),
            next_ask: Mutex::new(0),
            pings: Mutex::default(),
            n_read: AtomicU64::new(0),
            n_written: AtomicU64::new(0),
        };
        (Arc::new(session), Outgoing { urgent: urgent_out, bulk: bulk_out })
    }

    /// Sends a datagram, or drops it.
    pub(super) fn send(&self, datagram: Bytes) {
        let _ = self.urgent.try_send(Frame::Datagram(datagram));
    }

    /// Says why, and ends.
    pub(super) fn close(&self, why: &str) {
        let _ = self.urgent.try_send(Frame::Close(why.to_owned()));
        self.end.cancel();
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        locked(&self.pings).back().map(|(took, _)| Duration::from_millis(*took))
    }

    pub(super) fn clock_offset(&self) -> Option<i64> {
        locked(&self.pings).iter().min_by_key(|(took, _)| *took).map(|(_, offset)| *offset)
    }

    /// Asks the other side, and waits for the whole answer.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Bytes, AskError> {
        let (reply, answer) = oneshot::channel();
        let id = {
            let mut next = locked(&self.next_ask);
            *next = next.wrapping_add(1);
            *next
        };
        locked(&self.asked).insert(id, Pending { so_far: BytesMut::new(), reply });
        let no_answer = || AskError::NoAnswer(self.node.clone());
        let outcome = async {
            self.urgent.send(Frame::Ask { id, ask }).await.map_err(|_| no_answer())?;
            tokio::select! {
                () = self.end.cancelled() => Err(no_answer()),
                answer = tokio::time::timeout(ASK_TIMEOUT, answer) => match answer {
                    Ok(Ok(Ok(bytes))) => Ok(bytes),
                    Ok(Ok(Err(why))) => Err(AskError::Refused { node: self.node.clone(), why }),
                    Ok(Err(_)) | Err(_) => Err(no_answer()),
                },
            }
        };
        // Also when whoever asked stops waiting: a node that never answers must not make the list grow.
        let _asked = Asked { session: self, id };
        outcome.await
    }

    /// Carries frames until the link ends; says why it did.
    pub(super) async fn run<S>(self: Arc<Session>, stream: S, outgoing: Outgoing, desk: Desk) -> String
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (reader, writer) = tokio::io::split(stream);
        let why = tokio::select! {
            why = self.read(reader, &desk) => why,
            why = self.write(writer, outgoing) => why,
            why = self.ping(&desk.clock) => why,
        };
        self.end.cancel();
        locked(&self.asked).clear();
        why
    }

    async fn ping(&self, clock: &Clock) -> String {
        loop {
            // A queue that is full says that nothing moves; the reader's silence will end it.
            let _ = self.urgent.try_send(Frame::Ping { sent: clock.now().wall.0 });
            tokio::time::sleep(PING_EVERY).await;
        }
    }

    async fn write(&self, mut writer: impl AsyncWrite + Unpin, mut outgoing: Outgoing) -> String {
        loop {
            let frame = tokio::select! {
                biased;
                Some(frame) = outgoing.urgent.recv() => frame,
                () = self.end.cancelled() => return "it was closed here".to_owned(),
                Some(frame) = outgoing.bulk.recv() => frame,
            };
            let bytes = frame::encode(&frame);
            let written = async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            };
            match tokio::time::timeout(SILENCE_MAX, written).await {
                Ok(Ok(())) => self.n_written.fetch_add(bytes.len() as u64, Ordering::Relaxed),
                Ok(Err(error)) => return format!("the connection broke: {}", plain(&error)),
                Err(_) => return "the other side reads nothing any more".to_owned(),
            };
            if let Frame::Close(why) = frame {
                return why;
            }
        }
    }

    async fn read(self: &Arc<Session>, mut reader: impl AsyncRead + Unpin, desk: &Desk) -> String {
        let places = Arc::new(Semaphore::new(ASKED_MAX));
        let mut debt = Duration::ZERO;
        loop {
            let frame = match tokio::time::timeout(SILENCE_MAX, read_frame(&mut reader)).await {
                Ok(Ok((frame, n_bytes))) => {
                    self.n_read.fetch_add(n_bytes as u64, Ordering::Relaxed);
                    // Slower than this nobody needs to be, and faster nobody may: one node must not drown the others.
                    debt += Duration::from_secs_f64(n_bytes as f64 / READ_PER_SECOND);
                    if REST_MIN <= debt {
                        tokio::time::sleep(std::mem::take(&mut debt)).await;
                    }
                    frame
                }
                Ok(Err(why)) => return why,
                Err(_) => return "the other side has been silent for three pings".to_owned(),
            };
            match frame {
                None | Some(Frame::Hello(_)) => {}
                Some(Frame::Datagram(bytes)) => (desk.datagram)(bytes),
                Some(Frame::Ping { sent }) => {
                    let _ = self.urgent.try_send(Frame::Pong { sent, here: desk.clock.now().wall.0 });
                }
                Some(Frame::Pong { sent, here }) => self.measure(sent, here, desk),
                Some(Frame::Ask { id, ask }) => self.asked(id, ask, &places, desk),
                Some(Frame::Answer { id, rest, piece }) => self.answered(id, rest, &piece),
                Some(Frame::Close(why)) => return format!("`{}` closed it: {}", self.node, printable(&why)),
            }
        }
    }

    /// The middle of the round trip is taken as the moment at which the other clock was read (RFC 5905, section 8).
    fn measure(&self, sent: i64, here: i64, desk: &Desk) {
        let now = desk.clock.now().wall.0;
        let Ok(took) = u64::try_from(now - sent) else { return };
        let offset = here.saturating_sub(sent.saturating_add(now) / 2);
        let mut pings = locked(&self.pings);
        if pings.len() == PINGS_KEPT {
            pings.pop_front();
        }
        pings.push_back((took, offset));
        drop(pings);
        (desk.measured)();
    }

    fn asked(self: &Arc<Session>, id: u32, ask: Ask, places: &Arc<Semaphore>, desk: &Desk) {
        let refuse = |why: &str| Frame::Answer { id, rest: Rest::Refused, piece: Bytes::from(why.to_owned()) };
        let (Some(answers), Ok(place)) = (desk.answers.clone(), Arc::clone(places).try_acquire_owned()) else {
            let _ = self.urgent.try_send(refuse("too many questions at once"));
            return;
        };
        let session = Arc::clone(self);
        desk.jobs.start(async move {
            let answer = tokio::time::timeout(ASK_TIMEOUT, answers.answer(&session.node, ask)).await;
            let answer = answer.unwrap_or_else(|_| Err("it took too long".to_owned()));
            let answer =
                answer.and_then(|bytes| if bytes.len() <= ANSWER_BYTES_MAX { Ok(bytes) } else { Err("the answer is too long".to_owned()) });
            match answer {
                Err(why) => drop(session.bulk.send(Frame::Answer { id, rest: Rest::Refused, piece: Bytes::from(why) }).await),
                Ok(mut bytes) => loop {
                    let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
                    let rest = if bytes.is_empty() { Rest::Last } else { Rest::More };
                    let sent = tokio::select! {
                        () = session.end.cancelled() => break,
                        sent = session.bulk.send(Frame::Answer { id, rest, piece }) => sent,
                    };
                    if sent.is_err() || rest == Rest::Last {
                        break;
                    }
                },
            }
            drop(place);
        });
    }

    fn answered(&self, id: u32, rest: Rest, piece: &[u8]) {
        let mut asked = locked(&self.asked);
        // Nobody waits for it any more.
        let Some(mut pending) = asked.remove(&id) else { return };
        if ANSWER_BYTES_MAX < pending.so_far.len() + piece.len() {
            let _ = pending.reply.send(Err("the answer is too long".to_owned()));
            return;
        }
        pending.so_far.extend_from_slice(piece);
        let _ = match rest {
            Rest::More => {
                asked.insert(id, pending);
                return;
            }
            Rest::Last => pending.reply.send(Ok(pending.so_far.freeze())),
            Rest::Refused => pending.reply.send(Err(printable(&String::from_utf8_lossy(&pending.so_far)))),
        };
    }
}

/// What another node wrote, fit for a log.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !crate::model::id::is_deceptive(*c)).take(200).collect()
}

/// An error of the system in words, without its number.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Reads one frame; `None` for a kind that this version does not know.
pub(super) async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> Result<(Option<Frame>, usize), String> {
    let broken = |error: std::io::Error| format!("the connection broke: {}", plain(&error));
    let mut head = [0; HEAD_BYTES];
    reader.read_exact(&mut head).await.map_err(broken)?;
    let (kind, n_bytes) = frame::head(head).map_err(|error| error.to_string())?;
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body).await.map_err(broken)?;
    let frame = frame::decode(kind, &Bytes::from(body)).map_err(|error| error.to_string())?;
    Ok((frame, HEAD_BYTES + n_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_question_that_nobody_waits_for_any_more_is_forgotten() {
        let (session, _outgoing) = Session::new(NodeName::parse("a").expect("a name"));
        let ask = Ask { about: "results".to_owned(), body: Bytes::new() };
        assert!(tokio::time::timeout(Duration::from_secs(2), session.ask(ask)).await.is_err(), "nobody answers");
        assert!(locked(&session.asked).is_empty());
    }
}
