//! From addresses to a TCP connection: several addresses race, staggered as in RFC 8305. Looks up no names and knows no TLS.

use std::future::Future;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::Phase;
use crate::model::time::spoken;
use crate::probe::own;
use crate::probe::policy::Policy;
use crate::probe::trace::Trace;

/// How long one address gets before the next is tried beside it; RFC 8305 section 8 recommends this value.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to one of `addresses`, which must not be empty, in their order.
///
/// # Errors
/// The failure of the first address that failed by the target's doing; our own trouble only when there is nothing else.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16, policy: Policy, trace: &mut Trace) -> Result<TcpStream, Failure> {
    let mut allowed = Vec::with_capacity(addresses.len());
    let mut forbidden = None;
    for address in addresses {
        match policy.permit(*address) {
            Ok(()) => allowed.push(SocketAddr::new(*address, port)),
            Err(why) => {
                trace.say(&format!("not connecting: {why}"));
                forbidden = Some((*address, why));
            }
        }
    }
    if let (true, Some((address, detail))) = (allowed.is_empty(), forbidden) {
        trace.remote = Some(address);
        return Err(Failure::Forbidden { detail });
    }
    trace.enter(Phase::Connect);
    let connected = Race::new(&allowed).run(trace).await;
    let took = trace.leave();
    match connected {
        Ok((at, tcp)) => {
            trace.remote = Some(at.ip());
            trace.say(&format!("connect {at} ({})", spoken(took)));
            // Small writes must not wait for acknowledgements; a socket that refuses the option works all the same.
            let _ = tcp.set_nodelay(true);
            Ok(tcp)
        }
        Err(errors) => Err(worst(&errors, took)),
    }
}

/// Which failure speaks for all addresses.
fn worst(errors: &[(SocketAddr, io::Error)], took: Duration) -> Failure {
    let mut own = None;
    for (at, error) in errors {
        if error.kind() == io::ErrorKind::TimedOut {
            // The kernel gave up before we did.
            return Failure::TimedOut { phase: Phase::Connect, after: took };
        }
        let failure = own::connect_failure(error, *at, own::has_family);
        if !matches!(failure, Failure::Own(_)) {
            return failure;
        }
        // A missing family explains less than anything else that may be wrong here.
        if own.is_none() || failure != Failure::Own(OwnTrouble::NoFamily) {
            own = Some(failure);
        }
    }
    own.unwrap_or(Failure::Own(OwnTrouble::Setup("there was no address to connect to".to_owned())))
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Attempts that run beside each other.
struct Race<'a> {
    waiting: std::slice::Iter<'a, SocketAddr>,
    running: Vec<(SocketAddr, Connecting)>,
    next: Option<Pin<Box<Sleep>>>,
    failed: Vec<(SocketAddr, io::Error)>,
}

impl<'a> Race<'a> {
    fn new(addresses: &'a [SocketAddr]) -> Race<'a> {
        Race { waiting: addresses.iter(), running: Vec::new(), next: None, failed: Vec::new() }
    }

    async fn run(mut self, trace: &mut Trace) -> Result<(SocketAddr, TcpStream), Vec<(SocketAddr, io::Error)>> {
        self.start_next(trace);
        let won = poll_fn(|cx| self.poll(cx, trace)).await;
        won.ok_or(self.failed)
    }

    /// Starts the next attempt, if there is one, and the time after which another joins it.
    fn start_next(&mut self, trace: &mut Trace) {
        let Some(at) = self.waiting.next().copied() else {
            self.next = None;
            return;
        };
        trace.remote = Some(at.ip());
        self.running.push((at, Box::pin(TcpStream::connect(at))));
        self.next = (self.waiting.len() > 0).then(|| Box::pin(tokio::time::sleep(STAGGER)));
    }

    fn poll(&mut self, cx: &mut Context<'_>, trace: &mut Trace) -> Poll<Option<(SocketAddr, TcpStream)>> {
        loop {
            let mut n = 0;
            let n_failed = self.failed.len();
            while n < self.running.len() {
                let (at, connecting) = &mut self.running[n];
                let at = *at;
                match connecting.as_mut().poll(cx) {
                    Poll::Ready(Ok(tcp)) => return Poll::Ready(Some((at, tcp))),
                    Poll::Ready(Err(error)) => {
                        trace.say(&format!("connect {at}: {error}"));
                        self.failed.push((at, error));
                        drop(self.running.remove(n));
                    }
                    Poll::Pending => n += 1,
                }
            }
            let due = self.next.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
            let n_running = self.running.len();
            if due || self.failed.len() > n_failed {
                self.start_next(trace);
            }
            if self.running.len() == n_running {
                return if self.running.is_empty() { Poll::Ready(None) } else { Poll::Pending };
            }
        }
    }
}
