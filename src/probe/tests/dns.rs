//! Names, against a scripted name server.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use tokio::net::UdpSocket;

use super::*;
use crate::model::net::NameServer;
use crate::model::net::NameServerTransport;
use crate::model::result::DnsFailure;
use crate::model::result::Failure;
use crate::probe::resolve::Question;
use crate::probe::resolve::Resolvers;
use crate::probe::trace::Trace;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What the server does with a question of some type.
#[derive(Clone)]
enum Reply {
    Silence,
    Code(u8),
    Records(Vec<IpAddr>),
    /// The name leads to `real.test`, which has these.
    Alias(Vec<IpAddr>),
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(kind.to_be_bytes());
    out.extend([0, 1, 0, 0, 0, 60]);
    out.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
    out.extend(data);
    out
}

fn address_record(owner: &[u8], address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => record(owner, A, &v4.octets()),
        IpAddr::V6(v6) => record(owner, AAAA, &v6.octets()),
    }
}

fn packet(question: &[u8], reply: &Reply) -> Option<Vec<u8>> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0)? + 5;
    let (code, records) = match reply {
        Reply::Silence => return None,
        Reply::Code(code) => (*code, Vec::new()),
        Reply::Records(list) => (0, list.iter().map(|address| address_record(&[0xc0, 12], *address)).collect()),
        Reply::Alias(list) => {
            let real = b"\x04real\x04test\x00";
            let mut records = vec![record(&[0xc0, 12], CNAME, real)];
            records.extend(list.iter().map(|address| address_record(real, *address)));
            (0, records)
        }
    };
    let mut out = question[..2].to_vec();
    out.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).ok()?, 0, 0, 0, 0]);
    out.extend(&question[12..end]);
    out.extend(records.concat());
    Some(out)
}

fn kind_of(question: &[u8]) -> u16 {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).expect("a name") + 1;
    u16::from_be_bytes([question[end], question[end + 1]])
}

/// A name server that answers questions for A with `v4` and for AAAA with `v6`.
async fn name_server(v4: Reply, v6: Reply) -> Vec<NameServer> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("address");
    beside(async move {
        let mut buffer = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
            let reply = if kind_of(&buffer[..n]) == AAAA { &v6 } else { &v4 };
            if let Some(packet) = packet(&buffer[..n], reply) {
                let _ = socket.send_to(&packet, from).await;
            }
        }
    });
    vec![NameServer { transport: NameServerTransport::Udp, address, tls_name: None }]
}

async fn resolve(ip: IpChoice, v4: Reply, v6: Reply) -> Result<Vec<IpAddr>, Failure> {
    let servers = name_server(v4, v6).await;
    let question = Question { host: "www.test", ip, servers: &servers };
    Resolvers::new().addresses(question, &mut Trace::new(&Clock::system())).await
}

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn v6(last: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into()
}

fn none() -> Reply {
    Reply::Records(Vec::new())
}

fn failed(kind: DnsFailure) -> Result<Vec<IpAddr>, Failure> {
    Err(Failure::Dns { name: "www.test".to_owned(), kind })
}

#[tokio::test]
async fn families_alternate_and_choices_are_kept() {
    let both = || (Reply::Records(vec![v4(1), v4(2)]), Reply::Records(vec![v6(1)]));
    for (ip, expected) in [
        (IpChoice::Any, vec![v6(1), v4(1), v4(2)]),
        (IpChoice::Each, vec![v6(1), v4(1), v4(2)]),
        (IpChoice::V4, vec![v4(1), v4(2)]),
        (IpChoice::V6, vec![v6(1)]),
    ] {
        let (four, six) = both();
        assert_eq!(resolve(ip, four, six).await, Ok(expected), "{ip:?}");
    }
    assert_eq!(resolve(IpChoice::Any, Reply::Alias(vec![v4(7)]), none()).await, Ok(vec![v4(7)]));
    assert_eq!(resolve(IpChoice::V6, Reply::Records(vec![v4(1)]), none()).await, failed(DnsFailure::NoAddress));
}

#[tokio::test]
async fn failures_are_told_apart() {
    for (four, six, kind) in [
        (Reply::Code(3), Reply::Code(3), DnsFailure::NoSuchName),
        (none(), none(), DnsFailure::NoAddress),
        (Reply::Alias(Vec::new()), none(), DnsFailure::NoAddress),
        (Reply::Code(2), Reply::Code(2), DnsFailure::ServerFailed),
        (Reply::Code(5), Reply::Code(5), DnsFailure::ServerFailed),
        (Reply::Code(2), none(), DnsFailure::ServerFailed),
    ] {
        assert_eq!(resolve(IpChoice::Any, four, six).await, failed(kind));
    }
}

#[tokio::test]
async fn a_family_that_is_not_answered_for_does_not_hold_up_the_other() {
    let clock = Clock::system();
    let begun = clock.now().mono;
    assert_eq!(resolve(IpChoice::Any, Reply::Records(vec![v4(1)]), Reply::Silence).await, Ok(vec![v4(1)]));
    assert_eq!(resolve(IpChoice::Any, Reply::Records(vec![v4(1)]), Reply::Code(2)).await, Ok(vec![v4(1)]));
    assert!(clock.now().mono.since(begun) < Duration::from_millis(1500));
}

#[tokio::test]
async fn many_addresses_are_cut_off() {
    let list: Vec<IpAddr> = (0..60).map(v4).collect();
    assert_eq!(resolve(IpChoice::V4, Reply::Records(list), none()).await.map(|found| found.len()), Ok(32));
}

#[tokio::test]
async fn every_check_asks_again() {
    let resolvers = Resolvers::new();
    let mut trace = Trace::new(&Clock::system());
    let question = |servers| Question { host: "www.test", ip: IpChoice::V4, servers };
    let (first, second) = (Arc::new(Mutex::new(0_u8)), Reply::Code(3));
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let changing = vec![NameServer { transport: NameServerTransport::Udp, address: socket.local_addr().expect("address"), tls_name: None }];
    beside(async move {
        let mut buffer = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
            let is_first = {
                let mut n_asked = first.lock().expect("lock");
                *n_asked += 1;
                *n_asked == 1
            };
            let reply = if is_first { Reply::Records(vec![v4(1)]) } else { second.clone() };
            if let Some(packet) = packet(&buffer[..n], &reply) {
                let _ = socket.send_to(&packet, from).await;
            }
        }
    });
    assert_eq!(resolvers.addresses(question(&changing), &mut trace).await, Ok(vec![v4(1)]));
    assert_eq!(resolvers.addresses(question(&changing), &mut trace).await, failed(DnsFailure::NoSuchName));
}

#[tokio::test]
async fn a_silent_server_is_named_by_the_deadline_or_by_giving_up() {
    let mut spec = http("http://www.test/");
    spec.resolver = name_server(Reply::Silence, Reply::Silence).await;
    let observation = observe_within(spec.clone(), SHORT).await;
    assert_eq!(code(&observation), "timeout_dns");
    let observation = observe(spec).await;
    assert_eq!(code(&observation), "dns_timeout");
    assert!(observation.timings.total < Duration::from_secs(6), "{:?}", observation.timings);
}

#[tokio::test]
async fn the_name_that_was_looked_up_is_connected_to_and_timed() {
    let (address, _) = server(vec![OK.to_vec()]).await;
    let mut spec = http(&format!("http://www.test:{}/", address.port()));
    spec.resolver = name_server(Reply::Records(vec![Ipv4Addr::LOCALHOST.into()]), none()).await;
    let observation = observe(spec.clone()).await;
    assert_eq!(seen(&observation).status, 200);
    assert!(observation.timings.dns.is_some());
    assert!(observation.transcript.lines[0].starts_with("dns www.test → 127.0.0.1 ("), "{:?}", observation.transcript);

    spec.ip = IpChoice::Both;
    let observation = observe(spec).await;
    assert_eq!(seen(&observation).status, 200);
    assert_eq!(
        observation.failed_addresses.iter().map(|(at, failure)| (*at, failure.code())).collect::<Vec<_>>(),
        [(Ipv6Addr::UNSPECIFIED.into(), "dns_no_address")]
    );
}

#[tokio::test]
async fn each_address_is_a_check_of_its_own() {
    let (address, _) = server(vec![OK.to_vec()]).await;
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let mut spec = http(&format!("http://www.test:{}/", address.port()));
    spec.resolver = name_server(Reply::Records(vec![other.into(), Ipv4Addr::LOCALHOST.into()]), none()).await;
    assert_eq!(seen(&observe(spec.clone()).await).status, 200, "the second address is tried when the first refuses");
    spec.ip = IpChoice::Each;
    let observation = observe(spec).await;
    assert_eq!((seen(&observation).status, observation.remote), (200, Some(Ipv4Addr::LOCALHOST.into())));
    assert_eq!(
        observation.failed_addresses.iter().map(|(at, failure)| (*at, failure.code())).collect::<Vec<_>>(),
        [(other.into(), "refused")]
    );
}

/// A name server that says over UDP that the answer does not fit, and gives it over TCP.
async fn tcp_name_server() -> SocketAddr {
    let address = listener(|mut tcp, _| async move {
        while let Ok(length) = tcp.read_u16().await {
            let mut question = vec![0; usize::from(length)];
            if tcp.read_exact(&mut question).await.is_err() {
                return;
            }
            let reply = if kind_of(&question) == A { Reply::Records(vec![v4(9)]) } else { none() };
            let answer = packet(&question, &reply).expect("an answer");
            let _ = tcp.write_u16(u16::try_from(answer.len()).expect("short")).await;
            let _ = tcp.write_all(&answer).await;
        }
    })
    .await;
    let socket = UdpSocket::bind(address).await.expect("the same port");
    beside(async move {
        let mut buffer = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
            let mut answer = packet(&buffer[..n], &none()).expect("an answer");
            answer[2] |= 2;
            let _ = socket.send_to(&answer, from).await;
        }
    });
    address
}

#[tokio::test]
async fn answers_that_do_not_fit_come_over_tcp() {
    let address = tcp_name_server().await;
    for transport in [NameServerTransport::Udp, NameServerTransport::Tcp] {
        let servers = [NameServer { transport, address, tls_name: None }];
        let question = Question { host: "www.test", ip: IpChoice::V4, servers: &servers };
        let found = Resolvers::new().addresses(question, &mut Trace::new(&Clock::system())).await;
        assert_eq!(found, Ok(vec![v4(9)]), "{transport:?}");
    }
}
