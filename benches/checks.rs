//! What checks cost, beside a bare hyper client in the same run: `cargo bench --bench checks`.
//!
//! The target is a process of its own, so that its work is in nobody's bill. vigilmon is the release binary with a durable history,
//! measured from outside: CPU time and memory by the kernel's accounting, punctuality by the arrival times at the target. Prints; asserts
//! nothing, because machines differ: compare the ratios.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::too_many_lines,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

const BARE_HTTP: usize = 8000;
const BARE_HTTPS: usize = 2000;
/// A client that works without a pause finds every cache warm; one that makes a request now and then does not. The fair neighbour of
/// a monitor is the second: these are as many a second as vigilmon makes.
const HTTP_PACE: Duration = Duration::from_micros(1000);
const HTTPS_PACE: Duration = Duration::from_micros(3333);
const WATCHED: Duration = Duration::from_secs(25);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("target") {
        return runtime().block_on(target(Path::new(&arguments[2])));
    }
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(dir.path().join("cert.pem"), certificate.pem()).unwrap();
    fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
    let target = Target::start(dir.path());

    println!("CPU per check, fresh connection each (the bare client keeps nothing; vigilmon judges and keeps a durable history)\n");
    let ca = dir.path().join("cert.pem");
    let (bare_http, bare_https) = (bare(&target, None, BARE_HTTP, None), bare(&target, Some(&ca), BARE_HTTPS, None));
    let (paced_http, paced_https) =
        (bare(&target, None, BARE_HTTP, Some(HTTP_PACE)), bare(&target, Some(&ca), BARE_HTTPS, Some(HTTPS_PACE)));
    let http = watch(&target, dir.path(), 1000, Kind::Http);
    let https = watch(&target, dir.path(), 300, Kind::Https);
    row("", &["bare, flat out", "bare, same pace", "vigilmon", "ratio, same pace", "aim"]);
    row("HTTP, ms", &[&ms(bare_http), &ms(paced_http), &ms(http.cpu_per_check), &ratio(http.cpu_per_check, paced_http), "0.10, 1.8"]);
    row("HTTPS, ms", &[&ms(bare_https), &ms(paced_https), &ms(https.cpu_per_check), &ratio(https.cpu_per_check, paced_https), "0.45, 1.3"]);

    println!("\nPunctuality, seen by the target\n");
    row("", &["made", "p50 gap error", "p99 gap error", "max", "share of a core"]);
    for (name, seen) in [("1000 HTTP monitors at 1 s", &http), ("300 HTTPS monitors at 1 s", &https)] {
        let cells = [
            format!("{:.2} %", seen.made * 100.0),
            seen.gap("p50"),
            seen.gap("p99"),
            seen.gap("max"),
            format!("{:.1} %", seen.core * 100.0),
        ];
        row(name, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    println!(
        "aim: 99.9 %, p99 at most 20 ms, under 25 % of a core; all of 1000 checked once within {:.1} s of the start (aim 10 s)",
        http.all_seen.as_secs_f64()
    );
    println!("busiest 100 ms of the first 10 s: {} checks (an even spread is 10)", http.burst);

    println!("\nMemory (RSS) and start\n");
    let small = watch(&target, dir.path(), 10, Kind::Http);
    row("", &["RSS, MiB", "aim"]);
    row("10 monitors", &[&format!("{:.1}", small.rss_mib), "20"]);
    row("1000 monitors at 1 s", &[&format!("{:.1}", http.rss_mib), "40"]);
    let mut starts: Vec<Duration> = (0..7).map(|_| start_time(&target, dir.path())).collect();
    starts.sort();
    println!("\nstart to first answer: median {:.1} ms of 7 (aim 50)", starts[3].as_secs_f64() * 1000.0);
    println!("binary: {:.1} MB", fs::metadata(env!("CARGO_BIN_EXE_vigilmon")).unwrap().len() as f64 / 1e6);
}

fn row(name: &str, cells: &[&str]) {
    println!("{name:<28}{}", cells.iter().map(|cell| format!("{cell:>18}")).collect::<String>());
}

fn ms(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1000.0)
}

fn ratio(a: Duration, b: Duration) -> String {
    format!("{:.2}", a.as_secs_f64() / b.as_secs_f64())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// CPU time per request of a client that does nothing else.
fn bare(target: &Target, ca: Option<&Path>, n: usize, pace: Option<Duration>) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connector = ca.map(|ca| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        tokio_rustls::TlsConnector::from(Arc::new(config))
    });
    let cpu = || {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::new(u64::try_from(used.tv_sec).unwrap(), u32::try_from(used.tv_nsec).unwrap())
    };
    runtime.block_on(async {
        let before = cpu();
        let mut ticks = tokio::time::interval(pace.unwrap_or(Duration::from_secs(1)));
        for _ in 0..n {
            if pace.is_some() {
                ticks.tick().await;
            }
            match &connector {
                None => {
                    let stream = TcpStream::connect(target.http).await.unwrap();
                    get(stream).await;
                }
                Some(connector) => {
                    let stream = TcpStream::connect(target.https).await.unwrap();
                    get(connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()).await;
                }
            }
        }
        (cpu() - before) / u32::try_from(n).unwrap()
    })
}

async fn get(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let request = Request::get("/bare").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    let exchange = async {
        let response = sender.send_request(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        drop(sender);
    };
    let ((), _) = tokio::join!(exchange, connection);
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Http,
    Https,
}

struct Seen {
    cpu_per_check: Duration,
    core: f64,
    made: f64,
    rss_mib: f64,
    all_seen: Duration,
    burst: u64,
    gaps: HashMap<String, f64>,
}

impl Seen {
    fn gap(&self, which: &str) -> String {
        format!("{:.2} ms", self.gaps[which])
    }
}

/// Lets vigilmon watch `n` monitors at 1 s and looks at it from outside.
fn watch(target: &Target, dir: &Path, n: usize, kind: Kind) -> Seen {
    let state = tempfile::tempdir_in(dir).unwrap();
    let config = config(target, state.path(), n, kind, dir);
    target.ask("/reset");
    let begun = Instant::now();
    let vigilmon = Vigilmon::start(&config);
    // The first ten seconds are the start and measured by the target.
    std::thread::sleep(Duration::from_secs(12).saturating_sub(begun.elapsed()));
    target.ask("/mark");
    let (cpu, from) = (vigilmon.cpu(), Instant::now());
    std::thread::sleep(WATCHED);
    let (used, took) = (vigilmon.cpu() - cpu, from.elapsed());
    let rss_mib = vigilmon.rss_mib();
    let text = target.ask(&format!("/stats/{n}/{}", took.as_micros()));
    let gaps: HashMap<String, f64> =
        text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.parse().unwrap())).collect();
    let n_checks = gaps["n"];
    Seen {
        cpu_per_check: used.div_f64(n_checks),
        core: used.as_secs_f64() / took.as_secs_f64(),
        made: n_checks / (n as f64 * took.as_secs_f64()),
        rss_mib,
        all_seen: Duration::from_secs_f64(gaps["all_seen_s"]),
        burst: gaps["burst"] as u64,
        gaps,
    }
}

fn config(target: &Target, state: &Path, n: usize, kind: Kind, dir: &Path) -> PathBuf {
    let mut text = format!(
        "server: {{ listen: 127.0.0.1:0 }}\ninstance: {{ state_dir: {} }}\ndefaults: {{ interval: 1s, timeout: 1s }}\nmonitors:\n",
        state.display()
    );
    for i in 0..n {
        text.push_str(&match kind {
            Kind::Http => format!("  - {{ name: m{i}, http: \"http://{}/m/{i}\" }}\n", target.http),
            Kind::Https => format!(
                "  - {{ name: m{i}, http: {{ url: \"https://localhost:{}/m/{i}\", ip: v4, tls: {{ ca: \"{}\" }} }} }}\n",
                target.https.port(),
                dir.join("cert.pem").display()
            ),
        });
    }
    let path = state.join("config.yaml");
    fs::write(&path, text).unwrap();
    path
}

/// From the start of the process to the first answer of its server.
fn start_time(target: &Target, dir: &Path) -> Duration {
    let state = tempfile::tempdir_in(dir).unwrap();
    let path = config(target, state.path(), 10, Kind::Http, dir);
    // The second start is the usual one: the database is there.
    drop(Vigilmon::start(&path));
    let begun = Instant::now();
    let vigilmon = Vigilmon::start(&path);
    let answer = plain_get(&vigilmon.address, "/healthz");
    assert!(answer.contains("ok"), "{answer}");
    begun.elapsed()
}

struct Vigilmon {
    child: Child,
    address: String,
}

impl Vigilmon {
    fn start(config: &Path) -> Vigilmon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vigilmon"))
            .args(["run", "--log", "error", "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .env_remove("JOURNAL_STREAM")
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.trim().strip_prefix("open")?.trim().trim_start_matches("http://").to_owned()));
        std::thread::spawn(move || {
            lines.map_while(Result::ok).filter(|line| !line.contains("sign in")).for_each(|line| eprintln!("{line}"))
        });
        Vigilmon { child, address: address.expect("it starts") }
    }

    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn rss_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Vigilmon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plain_get(address: &str, path: &str) -> String {
    use std::io::Read;
    use std::io::Write;
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The target in its own process.
struct Target {
    child: Child,
    http: SocketAddr,
    https: SocketAddr,
}

impl Target {
    fn start(dir: &Path) -> Target {
        let mut child = Command::new(std::env::current_exe().unwrap()).arg("target").arg(dir).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (http, https) = line.trim().split_once(' ').unwrap();
        Target { child, http: http.parse().unwrap(), https: https.parse().unwrap() }
    }

    fn ask(&self, path: &str) -> String {
        plain_get(&self.http.to_string(), path)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Arrivals {
    /// Arrival times of each monitor's checks since the last reset.
    all: HashMap<u32, Vec<Instant>>,
    mark: Option<Instant>,
}

async fn target(dir: &Path) {
    let arrivals = Arc::new(Mutex::new(Arrivals::default()));
    let chain = vec![CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let https = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{} {}", http.local_addr().unwrap(), https.local_addr().unwrap());
    loop {
        let (stream, acceptor) = tokio::select! {
            accepted = http.accept() => (accepted.unwrap().0, None),
            accepted = https.accept() => (accepted.unwrap().0, Some(acceptor.clone())),
        };
        let arrivals = Arc::clone(&arrivals);
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, arrivals).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, arrivals).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static, arrivals: Arc<Mutex<Arrivals>>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let text = arrive(request.uri().path(), &arrivals);
        async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text)))) }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn arrive(path: &str, arrivals: &Mutex<Arrivals>) -> String {
    let now = Instant::now();
    let mut arrivals = arrivals.lock().unwrap();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["m", i] => arrivals.all.entry(i.parse().unwrap()).or_default().push(now),
        ["reset"] => *arrivals = Arrivals { all: HashMap::new(), mark: None },
        ["mark"] => arrivals.mark = Some(now),
        ["stats", n, window_us] => return stats(&arrivals, n.parse().unwrap(), Duration::from_micros(window_us.parse().unwrap())),
        _ => {}
    }
    "{\"status\":\"ok\"}".to_owned()
}

fn stats(arrivals: &Arrivals, n: usize, window: Duration) -> String {
    let mark = arrivals.mark.unwrap();
    let end = mark + window;
    let mut errors: Vec<f64> = Vec::new();
    let mut n_checks = 0;
    for times in arrivals.all.values() {
        let inside: Vec<&Instant> = times.iter().filter(|at| **at >= mark && **at < end).collect();
        n_checks += inside.len();
        errors.extend(inside.windows(2).map(|pair| ((*pair[1] - *pair[0]).as_secs_f64() - 1.0).abs() * 1000.0));
    }
    errors.sort_by(f64::total_cmp);
    let at = |share: f64| errors.get(((errors.len() as f64 * share) as usize).min(errors.len().saturating_sub(1))).copied().unwrap_or(0.0);
    let firsts: Vec<Instant> = arrivals.all.values().filter_map(|times| times.first().copied()).collect();
    let begin = firsts.iter().min().copied().unwrap_or(mark);
    let last_first = firsts.iter().max().copied().unwrap_or(mark);
    let mut buckets: HashMap<u128, u64> = HashMap::new();
    for first in &firsts {
        *buckets.entry((*first - begin).as_millis() / 100).or_default() += 1;
    }
    let burst = buckets.values().max().copied().unwrap_or(0);
    let all_seen = if firsts.len() == n { (last_first - begin).as_secs_f64() } else { f64::INFINITY };
    format!("n={n_checks} p50={} p99={} max={} all_seen_s={all_seen} burst={burst}", at(0.5), at(0.99), at(1.0))
}
