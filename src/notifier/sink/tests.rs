//! Real requests to a server in this process that answers by script, rudely where the script says so.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::model::channel::ChannelSpec;
use crate::model::channel::WebhookSpec;
use crate::model::channel::spec::GitlabSpec;
use crate::model::channel::spec::SlackSpec;
use crate::model::channel::spec::TelegramSpec;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::model::time::Now;
use crate::notifier::payload::json;
use crate::notifier::samples;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What the server does once it has read a request.
#[derive(Clone, Copy)]
enum Play {
    Answer(&'static str),
    AnswerAndClose(&'static str),
    Hang,
    CloseUnread,
}

/// Serves one connection; returns its address, and what it read.
fn server(play: Play) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let (heard, hearing) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        if matches!(play, Play::CloseUnread) {
            return;
        }
        let _ = heard.send(read_request(&mut stream));
        match play {
            Play::Answer(text) => {
                stream.write_all(text.as_bytes()).expect("the client reads");
                until_closed(&mut stream);
            }
            Play::AnswerAndClose(text) => stream.write_all(text.as_bytes()).expect("the client reads"),
            Play::Hang => until_closed(&mut stream),
            Play::CloseUnread => {}
        }
    });
    (address, hearing)
}

fn until_closed(stream: &mut TcpStream) {
    while stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).expect("the client writes");
        text.push_str(std::str::from_utf8(&buffer[..n]).expect("requests are text"));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if n == 0 || body.len() >= length.map_or(0, |n| n.parse().expect("a number")) {
            return text;
        }
    }
}

fn sink() -> ChannelSink {
    ChannelSink::new(Clock::manual(Now { wall: samples::TEN_TWENTY_THREE, mono: Mono(0) })).expect("set up")
}

/// Long enough for a machine that is busy with other tests; only tests of silence wait so long, and they say how long.
const PATIENCE: Duration = Duration::from_secs(30);

async fn send_to(spec: ChannelSpec) -> Result<(), SendError> {
    send_within(PATIENCE, spec).await
}

async fn send_within(patience: Duration, spec: ChannelSpec) -> Result<(), SendError> {
    sent_and_heard(patience, spec).await.0
}

async fn sent_and_heard(patience: Duration, spec: ChannelSpec) -> (Result<(), SendError>, Heard) {
    let channel = samples::channel("ops-webhook", spec);
    let notification = samples::notification(samples::facts());
    let links = Links::new(&samples::server());
    let (sink, heard) = (sink(), Heard::default());
    let told = [&notification];
    let attempt =
        sink.send(Envelope { channel: &channel, notification: &notification, told: &told, links: &links, first: None, only: &[] }, &heard);
    let outcome = tokio::time::timeout(patience, attempt).await;
    (outcome.unwrap_or_else(|_| Err(SendError::Transient("no answer in time".to_owned()))), heard)
}

fn webhook_at(address: &str) -> WebhookSpec {
    samples::webhook(&format!("http://{address}/hook?token=canary"))
}

#[tokio::test]
async fn a_webhook_request_reads_exactly_so() {
    let (address, hearing) = server(Play::Answer(OK));
    let mut spec = webhook_at(&address);
    spec.headers = vec![("X-Team".to_owned(), Secret::new("platform"))];
    spec.secret = Some(Secret::new("key"));
    assert_eq!(send_to(ChannelSpec::Webhook(spec)).await, Ok(()));
    let request = hearing.recv().expect("a request");
    let body = json(&samples::notification(samples::facts()), &Links::new(&samples::server()));
    let (head, sent) = request.split_once("\r\n\r\n").expect("a head");
    let signature = head.lines().find(|line| line.starts_with("x-vigilmon-signature: sha256=")).expect("signed");
    let expected = format!(
        "POST /hook?token=canary HTTP/1.1\nidempotency-key: k3v9q2m7x4t1a:down:ops-webhook\ncontent-type: application/json\n{signature}\n\
         x-vigilmon-timestamp: 1782814980\nx-team: platform\naccept: */*\nuser-agent: {SENT_BY}\nhost: {address}\ncontent-length: {}",
        body.len()
    );
    assert_eq!(head.lines().collect::<Vec<_>>().join("\n"), expected);
    assert_eq!(sent, body);
}

#[tokio::test]
async fn a_slack_request_is_accepted_and_carries_the_sentence() {
    let (address, hearing) = server(Play::Answer(OK));
    let spec = SlackSpec::Webhook { url: Secret::new(format!("http://{address}/services/T/B/canary")) };
    assert_eq!(send_to(ChannelSpec::Slack(spec)).await, Ok(()));
    let request = hearing.recv().expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("POST /services/T/B/canary HTTP/1.1\r\ncontent-type: application/json\r\n"), "{head}");
    let message: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert!(message["text"].as_str().is_some_and(|text| text.starts_with("[prod-us] api /health is DOWN since 10:23 UTC: ")), "{body}");
}

/// Serves so many requests, each with its own answer and on whatever connection; returns its address, and what it read.
fn script(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let (heard, hearing) = mpsc::channel();
    thread::spawn(move || {
        for body in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = heard.send(read_request(&mut stream));
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            stream.write_all(text.as_bytes()).expect("the client reads");
        }
    });
    (address, hearing)
}

#[tokio::test]
async fn a_conversation_goes_on_until_all_is_said() {
    let (address, hearing) = script(vec![r#"[{"iid":17}]"#.to_owned(), "{}".to_owned(), "{}".to_owned()]);
    let spec = GitlabSpec {
        url: format!("http://{address}"),
        project: "acme/status".to_owned(),
        token: Secret::new("canary"),
        labels: Vec::new(),
    };
    let channel = samples::channel("ops-webhook", ChannelSpec::Gitlab(spec));
    let world = samples::World::recovered(crate::model::verdict::Verdict::Up);
    let links = Links::new(&samples::server());
    let told = [&world.notification];
    let envelope = Envelope { channel: &channel, notification: &world.notification, told: &told, links: &links, first: None, only: &[] };
    let outcome = sink().send(envelope, &Heard::default()).await;
    assert_eq!(outcome, Ok(()));
    let firsts: Vec<String> = hearing.iter().map(|text| text.lines().next().unwrap_or_default().to_owned()).collect();
    let label = world.message().alarm_short();
    assert_eq!(
        firsts,
        [
            format!("GET /api/v4/projects/acme%2Fstatus/issues?state=opened&per_page=1&labels={label} HTTP/1.1"),
            "POST /api/v4/projects/acme%2Fstatus/issues/17/notes HTTP/1.1".to_owned(),
            "PUT /api/v4/projects/acme%2Fstatus/issues/17 HTTP/1.1".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_conversation_that_never_ends_is_ended() {
    let (address, _hearing) = script(vec!["{}".to_owned(); N_REQUESTS_MAX + 1]);
    struct Endless(String);
    impl crate::notifier::kind::Kind for Endless {
        fn request(&self, _: &Message<'_>) -> Request {
            Request::get(format!("http://{}/", self.0))
        }
        fn next(&self, message: &Message<'_>, _: &[Answer]) -> Result<Option<Request>, SendError> {
            Ok(Some(self.request(message)))
        }
    }
    let world = samples::World::down();
    let outcome = sink().converse(&Endless(address), &world.message(), &Heard::default()).await;
    assert!(matches!(outcome, Err(SendError::Permanent(text)) if text.contains("more requests")));
}

#[tokio::test]
async fn every_way_to_answer_has_its_class() {
    use Play::Answer;
    use Play::AnswerAndClose;
    for (play, expected) in [
        (Answer(OK), "accepted"),
        (Answer("HTTP/1.1 204 No Content\r\n\r\n"), "accepted"),
        (Answer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), "permanent: answered 302, a redirect"),
        (
            Answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\ncanary"),
            "permanent: answered 401: it does not accept the credentials",
        ),
        (Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "permanent: answered 404"),
        (AnswerAndClose("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhal"), "permanent: answered 403"),
        (Answer("HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n"), "transient: answered 429"),
        (Answer("HTTP/1.1 429 Too Many\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"), "later 30: answered 429"),
        (Answer("HTTP/1.1 503 Busy\r\nRetry-After: Tue, 30 Jun 2026 10:24:00 GMT\r\nContent-Length: 0\r\n\r\n"), "later 60: answered 503"),
        (Answer("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "transient: answered 500"),
        (AnswerAndClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal"), "transient: answered 200, and the connection broke"),
        (AnswerAndClose("HTTP/1.1 20"), "transient: no answer: "),
        (AnswerAndClose("SSH-2.0-OpenSSH_9.2\r\n"), "transient: no answer: "),
        (AnswerAndClose(""), "transient: no answer: "),
        (Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal"), "transient: no answer in time"),
        (Play::Hang, "transient: no answer in time"),
        (Play::CloseUnread, "transient: no answer: "),
    ] {
        let (address, _hearing) = server(play);
        let patience = if expected.ends_with("in time") { Duration::from_millis(300) } else { PATIENCE };
        let (outcome, heard) = sent_and_heard(patience, ChannelSpec::Webhook(webhook_at(&address))).await;
        // An acceptance that breaks off is none, and yet the message was read.
        let is_unanswered = expected.contains("no answer") || expected.contains("the connection broke");
        assert_eq!(heard.is_unanswered(), is_unanswered, "{expected}");
        let got = match outcome {
            Ok(()) => "accepted".to_owned(),
            Err(SendError::Permanent(text)) => format!("permanent: {text}"),
            Err(SendError::Transient(text)) => format!("transient: {text}"),
            Err(SendError::Later(wait, text)) => format!("later {}: {text}", wait.as_secs()),
        };
        assert!(got.starts_with(expected), "{expected}\n{got}");
        assert!(!got.contains("canary") && !got.contains("127.0.0.1"), "{got}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_eq!(send_to(ChannelSpec::Webhook(webhook_at(&address))).await, Ok(()));
}

#[tokio::test]
async fn a_closed_port_and_a_stranger_behind_tls_say_why_without_the_address() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").to_string();
    let (refused, heard) = sent_and_heard(PATIENCE, ChannelSpec::Webhook(webhook_at(&closed))).await;
    assert!(!heard.is_unanswered(), "nothing was sent");
    assert_eq!(refused, Err(SendError::Transient("no connection: Connection refused (os error 111)".to_owned())));

    let stranger = tls_server();
    let spec = samples::webhook(&format!("https://{stranger}/canary"));
    let (outcome, heard) = sent_and_heard(PATIENCE, ChannelSpec::Webhook(spec)).await;
    let Err(SendError::Transient(text)) = outcome else { panic!("must not be accepted") };
    assert!(!heard.is_unanswered(), "nothing was sent");
    assert!(text.contains("UnknownIssuer") && !text.contains("canary"), "{text}");
}

/// A server with a certificate that nobody knows.
fn tls_server() -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a usable certificate");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let connection = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let _ = rustls::StreamOwned::new(connection, stream).read(&mut [0; 64]);
    });
    address
}

#[tokio::test]
async fn metadata_addresses_are_refused_in_every_spelling() {
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.254.169.254.",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "user:password@169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "[::]",
        "１６９.254.169.254",
    ] {
        let outcome = send_to(ChannelSpec::Webhook(samples::webhook(&format!("http://{host}/latest/meta-data")))).await;
        assert_eq!(outcome, Err(SendError::Permanent(LookupError::Forbidden.to_string())), "{host}");
    }
    for url in ["file:///etc/passwd", "gopher://127.0.0.1/", "not a url"] {
        assert!(matches!(send_to(ChannelSpec::Webhook(samples::webhook(url))).await, Err(SendError::Permanent(_))), "{url}");
    }
}

#[tokio::test]
async fn a_header_cannot_carry_a_second_one() {
    let (address, _hearing) = server(Play::Answer(OK));
    let mut spec = webhook_at(&address);
    spec.headers = vec![("x-team".to_owned(), Secret::new("a\r\nx-admin: canary"))];
    let Err(SendError::Permanent(text)) = send_to(ChannelSpec::Webhook(spec)).await else { panic!("must be refused") };
    assert!(text.contains("x-team") && !text.contains("canary"), "{text}");
}

#[tokio::test]
async fn names_are_looked_up_without_the_systems_library() {
    let (address, _hearing) = server(Play::Answer(OK));
    let (_, port) = address.split_once(':').expect("a port");
    assert_eq!(send_to(ChannelSpec::Webhook(webhook_at(&format!("localhost:{port}")))).await, Ok(()));
    let unknown = send_to(ChannelSpec::Webhook(webhook_at("nothing.invalid"))).await;
    assert_eq!(unknown, Err(SendError::Transient(LookupError::NotFound.to_string())));
}

/// An end for a channel of Telegram that the server plays; the first message is called 42.
async fn end_on_telegram(address: &str) -> (Result<(), SendError>, Heard) {
    let spec = TelegramSpec { token: Secret::new("1:canary"), chat: "-1001".to_owned(), topic: None, api_url: format!("http://{address}") };
    let channel = samples::channel("ops-webhook", ChannelSpec::Telegram(spec));
    let world = samples::World::recovered(crate::model::verdict::Verdict::Up).after("-1001:42");
    let (links, heard) = (Links::new(&samples::server()), Heard::default());
    let told = [&world.notification];
    let first = world.first.as_ref();
    let envelope = Envelope { channel: &channel, notification: &world.notification, told: &told, links: &links, first, only: &[] };
    let outcome = sink().send(envelope, &heard).await;
    (outcome, heard)
}

#[tokio::test]
async fn what_follows_is_sent_and_then_the_first_message_is_edited() {
    let posted = r#"{"ok":true,"result":{"message_id":43}}"#;
    let (address, hearing) = script(vec![posted.to_owned(), r#"{"ok":false}"#.to_owned()]);
    let (outcome, heard) = end_on_telegram(&address).await;
    assert_eq!(outcome, Ok(()));
    let requests: Vec<String> = hearing.iter().collect();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].contains("/sendMessage ") && requests[0].contains("reply_parameters"), "{}", requests[0]);
    assert!(requests[1].contains("/editMessageText ") && requests[1].contains("\"message_id\":42"), "{}", requests[1]);
    assert!(heard.has_arrived() && heard.called().is_none());
}

#[tokio::test]
async fn a_service_that_goes_away_before_the_edit_has_the_message_all_the_same() {
    let posted = r#"{"ok":true,"result":{"message_id":43}}"#;
    let (address, hearing) = script(vec![posted.to_owned()]);
    let (outcome, heard) = end_on_telegram(&address).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(hearing.iter().count(), 1);
    assert!(heard.has_arrived());
}

#[tokio::test]
async fn what_was_never_accepted_has_not_arrived() {
    let (address, _hearing) = server(Play::Answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}"));
    let (outcome, heard) = end_on_telegram(&address).await;
    assert!(matches!(outcome, Err(SendError::Permanent(_))), "{outcome:?}");
    assert!(!heard.has_arrived());
}
