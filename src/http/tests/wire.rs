//! Over real sockets: limits, TLS, and the control socket.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::ServerTls;
use crate::http::limits::BODY_TIMEOUT;
use crate::http::limits::FORM_BYTES_MAX;
use crate::http::limits::HEAD_BYTES_MAX;
use crate::http::limits::HEAD_TIMEOUT;
use crate::http::limits::HEADERS_MAX;
use crate::http::limits::WRITE_TIMEOUT;
use crate::http::server::BindError;
use crate::http::server::CONTROL_SOCKET;
use crate::http::server::Server;
use crate::http::server::connection;
use crate::http::tests::world::STRANGER;
use crate::http::tests::world::World;
use crate::http::tests::world::config;
use crate::http::tests::world::usual;
use crate::supervise::Supervisor;

async fn say(stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin), text: &str) -> String {
    // The server may answer and close before it has read everything; the answer counts.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
}

#[tokio::test]
async fn the_server_listens_answers_under_limits_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.instance.state_dir = dir.path().to_owned();
    let bound = Server::bind(&config, Clock::system()).await.unwrap();
    let address = bound.addresses()[0];
    assert_ne!(address.port(), 0);
    let mut taken = config.clone();
    taken.server.listen = vec![address];
    let refused = Server::bind(&taken, Clock::system()).await.unwrap_err();
    assert!(matches!(refused, BindError::InUse(_)));
    assert_eq!(
        refused.to_string(),
        format!("cannot listen on {address}: the address is already in use; stop the other program or change `server.listen`")
    );
    let world = World::new(usual()).await;
    let mut supervisor = Supervisor::new();
    bound.start(Arc::clone(&world.site), &mut supervisor);
    let ask = async |text: String| say(&mut TcpStream::connect(address).await.unwrap(), &text).await;

    let healthy = ask(get("/healthz", "")).await;
    assert!(healthy.starts_with("HTTP/1.1 200") && healthy.ends_with("{\"status\":\"ok\"}"), "{healthy}");
    let head = ask("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned()).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    let icon = ask(get("/favicon.ico", "")).await;
    assert!(icon.starts_with("HTTP/1.1 200") && icon.contains("image/svg+xml") && icon.contains("<svg"), "{icon}");
    let head = ask("HEAD /status/prod HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned()).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(status(&ask(get("/healthz", &format!("X-Long: {}\r\n", "x".repeat(HEAD_BYTES_MAX)))).await), "431");
    assert_eq!(status(&ask(get("/healthz", &format!("X-Long: {}\r\n", "x".repeat(HEAD_BYTES_MAX * 100)))).await), "431");
    assert_eq!(status(&ask(get("/healthz", &"X-Many: x\r\n".repeat(HEADERS_MAX - 2))).await), "200");
    assert_eq!(status(&ask(get("/healthz", &"X-Many: x\r\n".repeat(HEADERS_MAX + 1))).await), "431");
    let post = |more: &str, body: &str| {
        format!(
            "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n{more}\r\n{body}"
        )
    };
    let chunked = ask(post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")).await;
    assert_eq!(status(&chunked), "411");
    let both = ask(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")).await;
    assert!(matches!(status(&both), "400" | "411"), "{both}");
    let long = "x".repeat(FORM_BYTES_MAX + 1);
    assert_eq!(status(&ask(post(&format!("Content-Length: {}\r\n", long.len()), &long)).await), "413");
    assert_eq!(status(&ask(post("Content-Length: 0\r\n", "")).await), "401");

    let mut control = UnixStream::connect(dir.path().join(CONTROL_SOCKET)).await.unwrap();
    let local = say(&mut control, &get("/local/status", "")).await;
    assert_eq!(status(&local), StatusCode::OK.as_str());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(dir.path().join(CONTROL_SOCKET)).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(supervisor.run(async {}, Duration::from_secs(10)).await, Ok(()));
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert!(!dir.path().join(CONTROL_SOCKET).exists());
}

#[tokio::test]
async fn tls_is_spoken_where_it_is_configured_and_only_http_1() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = ServerTls { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut config = config();
    config.instance.state_dir = dir.path().to_owned();
    config.server.tls = Some(files);
    let bound = Server::bind(&config, Clock::system()).await.unwrap();
    let address = bound.addresses()[0];
    assert!(bound.own_url().starts_with("https://127.0.0.1:"));
    let world = World::new(usual()).await;
    let mut supervisor = Supervisor::new();
    bound.start(Arc::clone(&world.site), &mut supervisor);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(status(&say(&mut stream, &get("/healthz", "")).await), "200");
    let plain = say(&mut TcpStream::connect(address).await.unwrap(), &get("/healthz", "")).await;
    assert!(!plain.contains("200"), "plain text gets no answer: {plain}");
    assert_eq!(supervisor.run(async {}, Duration::from_secs(10)).await, Ok(()));
}

/// Says `text` over a connection in memory, reads nothing before `patience` is over, and gives back what came and after how long
/// the connection was closed. Time is stepped, not waited for.
async fn drip(text: &str, patience: Duration) -> (String, Duration) {
    let world = World::new(usual()).await;
    let (mut near, far) = tokio::io::duplex(512);
    let serving = connection(Arc::clone(&world.site), far, STRANGER, CancellationToken::new());
    let begin = tokio::time::Instant::now();
    let client = async {
        near.write_all(text.as_bytes()).await.unwrap();
        tokio::time::sleep(patience).await;
        let mut answer = Vec::new();
        let _ = near.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let ((), answer) = tokio::join!(serving, client);
    (answer, begin.elapsed())
}

#[tokio::test(start_paused = true)]
async fn slow_connections_hold_their_place_only_for_so_long() {
    let post = "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n\r\nname=";
    let idle = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (text, expected, longest) in
        [("", "none", HEAD_TIMEOUT), ("GET / HT", "none", HEAD_TIMEOUT), (idle, "200", HEAD_TIMEOUT), (post, "408", BODY_TIMEOUT)]
    {
        let (answer, took) = drip(text, Duration::ZERO).await;
        assert_eq!(status(&answer), expected, "{text}: {answer}");
        assert!(took <= longest + Duration::from_secs(1), "{text}: {took:?}");
    }
    let (answer, _) = drip("GET /status/prod HTTP/1.1\r\nHost: localhost\r\n\r\n", WRITE_TIMEOUT * 2).await;
    assert!(!answer.ends_with("</html>"), "who does not read is given up");
}
