//! One check under its deadline, towards one address or several at once (`ip: both`, `ip: each`). Speaks no protocol itself.

use std::future::Future;
use std::future::poll_fn;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::monitor::HttpSpec;
use crate::model::monitor::IpChoice;
use crate::model::monitor::TcpSpec;
use crate::model::result::DnsFailure;
use crate::model::result::Failure;
use crate::model::result::Observation;
use crate::model::result::OwnTrouble;
use crate::model::result::Seen;
use crate::probe::Shared;
use crate::probe::http;
use crate::probe::resolve::Question;
use crate::probe::tcp;
use crate::probe::trace::Trace;

/// A failure noticed this much after the deadline is our own stall, not the target's: the answer may have lain there unread.
const STALL: Duration = Duration::from_millis(500);

/// What one check does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task<'a> {
    /// `http:`
    Http(&'a HttpSpec),
    /// `tcp:`
    Tcp(&'a TcpSpec),
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl<'a> Task<'a> {
    /// What to look up before going to several addresses; `None` when there are no several addresses to go to.
    fn question(self) -> Option<Question<'a>> {
        let question = match self {
            // Behind a proxy it is the proxy that connects.
            Task::Http(spec) if spec.proxy.is_some() => return None,
            Task::Http(spec) => Question { host: http::dialled_host(spec), ip: spec.ip, servers: &spec.resolver },
            Task::Tcp(spec) => Question { host: &spec.address.host, ip: spec.ip, servers: &spec.resolver },
        };
        match question.ip {
            IpChoice::Both | IpChoice::Each => Some(question),
            IpChoice::Any | IpChoice::V4 | IpChoice::V6 => None,
        }
    }

    async fn once(self, shared: &Shared, pinned: Option<IpAddr>, trace: &mut Trace) -> Result<Seen, Failure> {
        match self {
            // Boxed, because it is large: otherwise every check of every kind would be as large, at every floor above.
            Task::Http(spec) => Box::pin(http::check(shared, spec, pinned, trace)).await.map(Seen::Http),
            Task::Tcp(spec) => tcp::check(shared, spec, pinned, trace).await.map(Seen::Tcp),
        }
    }

    /// What it means that time ran out.
    fn out_of_time(self, trace: &mut Trace, timeout: Duration) -> Failure {
        if let Some(errand) = trace.errand.take() {
            return Failure::Own(OwnTrouble::Setup(format!("{errand}: no answer in time")));
        }
        match self {
            Task::Tcp(spec) if !trace.received.is_empty() => tcp::not_expected(spec, &trace.received, "and then nothing more in time"),
            Task::Tcp(_) | Task::Http(_) => Failure::TimedOut { phase: trace.phase(), after: timeout },
        }
    }
}

/// Makes one check.
pub(crate) async fn check(shared: &Shared, task: Task<'_>, timeout: Duration) -> Observation {
    let mut trace = Trace::new(&shared.clock);
    let deadline = Deadline { at: Instant::now() + timeout, timeout };
    let Some(question) = task.question() else {
        return one(shared, task, None, (trace, deadline)).await;
    };
    let looked_up = tokio::time::timeout_at(deadline.at, shared.resolvers.addresses(question, &mut trace)).await;
    let addresses = match looked_up {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(failure)) => return conclude(trace, Err(failure), timeout),
        Err(_) => {
            let failure = task.out_of_time(&mut trace, timeout);
            return conclude(trace, Err(failure), timeout);
        }
    };
    let (chosen, mut missing) = choose(question, &addresses);
    let runs = chosen.iter().map(|address| {
        let run: Running<'_> = Box::pin(one(shared, task, Some(*address), (trace.fork(), deadline)));
        run
    });
    let mut observed: Vec<(IpAddr, Observation)> = chosen.iter().copied().zip(all(runs.collect()).await).collect();
    for (address, observation) in &observed {
        trace.append(&format!("— {address} —"), &observation.transcript);
    }
    let best = observed.iter().position(|(_, observation)| observation.seen.is_ok());
    // When none works, trouble of our own does not hide that of the target.
    let speaks = best.or_else(|| observed.iter().position(|(_, observation)| !matches!(observation.seen, Err(Failure::Own(_)))));
    let (_, mut main) = observed.remove(speaks.unwrap_or(0));
    if best.is_some() {
        missing.extend(observed.into_iter().filter_map(|(address, observation)| Some((address, observation.seen.err()?))));
        // Trouble of our own must not be held against the target, whose other address works. The transcript tells of it.
        missing.retain(|(_, failure)| !matches!(failure, Failure::Own(_)));
        main.failed_addresses = missing;
    }
    main.transcript = trace.into_transcript();
    main
}

type Running<'a> = Pin<Box<dyn Future<Output = Observation> + Send + 'a>>;

/// Runs all beside each other to their ends.
async fn all(mut running: Vec<Running<'_>>) -> Vec<Observation> {
    let mut done: Vec<Option<Observation>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (slot, run) in done.iter_mut().zip(&mut running) {
            if slot.is_none()
                && let Poll::Ready(observation) = run.as_mut().poll(cx)
            {
                *slot = Some(observation);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn one(shared: &Shared, task: Task<'_>, pinned: Option<IpAddr>, (mut trace, deadline): (Trace, Deadline)) -> Observation {
    match tokio::time::timeout_at(deadline.at, task.once(shared, pinned, &mut trace)).await {
        Ok(seen) => conclude(trace, seen, deadline.timeout),
        Err(_) => {
            let failure = task.out_of_time(&mut trace, deadline.timeout);
            conclude(trace, Err(failure), deadline.timeout)
        }
    }
}

/// Ends a check; one that failed after this machine slept or starved says nothing about the target.
fn conclude(trace: Trace, seen: Result<Seen, Failure>, timeout: Duration) -> Observation {
    let late = trace.elapsed().saturating_sub(timeout);
    match seen {
        Err(_) if late > STALL => trace.finish(Err(Failure::Own(OwnTrouble::Stalled(late)))),
        seen => trace.finish(seen),
    }
}

/// The addresses to check, and families that `both` wants and the name does not have, under the unspecified address.
fn choose(question: Question<'_>, addresses: &[IpAddr]) -> (Vec<IpAddr>, Vec<(IpAddr, Failure)>) {
    if question.ip != IpChoice::Both {
        return (addresses.to_vec(), Vec::new());
    }
    let v6 = addresses.iter().find(|address| address.is_ipv6());
    let v4 = addresses.iter().find(|address| address.is_ipv4());
    let mut missing = Vec::new();
    // An address written as such has one family and cannot be blamed for it.
    if question.host.parse::<IpAddr>().is_err() {
        let lacks = |family: IpAddr| (family, Failure::Dns { name: question.host.to_owned(), kind: DnsFailure::NoAddress });
        missing.extend(v6.is_none().then(|| lacks(Ipv6Addr::UNSPECIFIED.into())));
        missing.extend(v4.is_none().then(|| lacks(Ipv4Addr::UNSPECIFIED.into())));
    }
    (v6.into_iter().chain(v4).copied().collect(), missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_takes_one_address_of_each_family_and_misses_a_family_that_is_not_there() {
        let four: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let other: IpAddr = Ipv4Addr::new(192, 0, 2, 2).into();
        let six: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into();
        let ask = |ip| Question { host: "www.example.com", ip, servers: &[] };
        assert_eq!(choose(ask(IpChoice::Both), &[six, four, other]), (vec![six, four], Vec::new()));
        assert_eq!(choose(ask(IpChoice::Each), &[four, other]), (vec![four, other], Vec::new()));
        let (chosen, missing) = choose(ask(IpChoice::Both), &[four, other]);
        assert_eq!(chosen, [four]);
        assert_eq!(
            missing.first().map(|(family, failure)| (*family, failure.code())),
            Some((Ipv6Addr::UNSPECIFIED.into(), "dns_no_address"))
        );
    }
}
