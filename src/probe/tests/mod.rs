//! Probes against real listeners on this machine, the rude ones included. No test sleeps or leaves the machine.

mod auth;
mod dial;
mod dns;
mod http;
mod http2;
mod proxy;
mod tcp;
mod tls;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::expect::Expectation;
use crate::model::id::MonitorId;
use crate::model::monitor::Confirm;
use crate::model::monitor::HttpAuth;
use crate::model::monitor::HttpSpec;
use crate::model::monitor::HttpVersion;
use crate::model::monitor::IpChoice;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::Quorum;
use crate::model::monitor::Regions;
use crate::model::monitor::TlsSpec;
use crate::model::monitor::TlsVersion;
use crate::model::result::HttpSeen;
use crate::model::result::Observation;
use crate::model::result::Seen;
use crate::probe::Prober;
use crate::supervise::Jobs;

/// Enough for anything on one machine; checks that are expected to end by themselves get this.
const PATIENT: Duration = Duration::from_secs(10);

/// For checks that are expected to run out of time.
const SHORT: Duration = Duration::from_millis(300);

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-two: words here\r\n\r\nhello";

fn prober() -> Prober {
    Prober::new("vigilmon-test".to_owned(), Clock::system())
}

fn http(url: &str) -> HttpSpec {
    HttpSpec {
        url: url::Url::parse(url).expect("url"),
        method: "GET".to_owned(),
        headers: Vec::new(),
        auth: HttpAuth::None,
        body: String::new(),
        follow_redirects: 5,
        ip: IpChoice::Any,
        resolver: Vec::new(),
        connect_to: None,
        proxy: None,
        tls: TlsSpec { verify: true, ca_pem: None, server_name: None, min_version: TlsVersion::V12, client: None },
        http_version: HttpVersion::Auto,
        body_bytes_max: 1024 * 1024,
        allow_metadata: false,
        allow_private: false,
    }
}

fn at(address: SocketAddr) -> HttpSpec {
    http(&format!("http://{address}/path?q=1"))
}

fn monitor(probe: ProbeSpec) -> Monitor {
    Monitor {
        id: MonitorId::parse("m").expect("id"),
        name: "m".to_owned(),
        group: None,
        labels: BTreeMap::new(),
        probe,
        expect: Expectation::default(),
        interval: Duration::from_secs(60),
        timeout: PATIENT,
        confirm: Confirm { failures: 2, successes: 1, recheck: Duration::from_secs(10) },
        regions: Regions::All,
        quorum: Quorum::Majority,
        n_regions_min: None,
        partial_after: Duration::from_secs(300),
        internal: None,
        channels: Vec::new(),
        remind: crate::model::monitor::Reminders::ByPolicy,
        depends_on: Vec::new(),
        runbook: None,
        slo: None,
        enabled: true,
        origin: Origin { file: Arc::new("test.yaml".into()), line: 1 },
        written: Arc::default(),
    }
}

async fn observe(spec: HttpSpec) -> Observation {
    observe_within(spec, PATIENT).await
}

async fn observe_within(spec: HttpSpec, timeout: Duration) -> Observation {
    prober().run(&monitor(ProbeSpec::Http(Box::new(spec))), timeout).await
}

#[track_caller]
fn seen(observation: &Observation) -> &HttpSeen {
    match &observation.seen {
        Ok(Seen::Http(seen)) => seen,
        other => panic!("{other:?}\n{}", observation.transcript.lines.join("\n")),
    }
}

#[track_caller]
fn code(observation: &Observation) -> &'static str {
    match &observation.seen {
        Err(failure) => failure.code(),
        Ok(seen) => panic!("{seen:?}\n{}", observation.transcript.lines.join("\n")),
    }
}

#[track_caller]
fn told(observation: &Observation) -> String {
    match &observation.seen {
        Err(failure) => failure.to_string(),
        Ok(seen) => panic!("{seen:?}"),
    }
}

/// Runs something beside the test until the test ends.
fn beside(job: impl Future<Output = ()> + Send + 'static) {
    Jobs::new(CancellationToken::new()).start(job);
}

/// A listener that gives each connection, with its number from 0, to `serve`.
async fn listener<F>(serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    beside(async move {
        let mut n = 0;
        while let Ok((tcp, _)) = listener.accept().await {
            beside(serve(tcp, n));
            n += 1;
        }
    });
    address
}

/// Reads a request up to the end of its head.
async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// What a server was asked, in order.
type Asked = Arc<Mutex<Vec<String>>>;

/// A server that answers connection n with answer n, the last one for all later ones, and notes what it was asked.
async fn server(answers: Vec<Vec<u8>>) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let note = Arc::clone(&asked);
    let address = listener(move |mut tcp, n| {
        let answer = answers[n.min(answers.len() - 1)].clone();
        let note = Arc::clone(&note);
        async move {
            let head = read_head(&mut tcp).await;
            note.lock().expect("lock").push(head);
            let _ = tcp.write_all(&answer).await;
            // Until the other side has read everything: closing earlier may turn into a reset.
            let _ = tcp.shutdown().await;
            let _ = tcp.read(&mut [0; 1024]).await;
        }
    })
    .await;
    (address, asked)
}

fn asked(asked: &Asked) -> Vec<String> {
    asked.lock().expect("lock").clone()
}

fn redirect_to(location: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}
