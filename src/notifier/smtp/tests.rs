//! Mail to a server in this process that answers by script, also in TLS.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream as Socket;
use std::sync::mpsc;
use std::thread;

use rcgen::CertifiedKey;
use rcgen::generate_simple_self_signed;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::model::net::HostPort;
use crate::model::secret::Secret;
use crate::notifier::samples;

/// What the server does next.
#[derive(Clone, Copy)]
enum Step {
    /// Says this.
    Say(&'static str),
    /// Waits for a line that begins so, and says this.
    On(&'static str, &'static str),
    /// Reads a mail to its end, and says this.
    Mail(&'static str),
    /// Goes on in TLS.
    Tls,
}

use Step::Mail as Data;
use Step::On;
use Step::Say;

/// A whole conversation in the clear up to the mail.
const GREETING: Step = Say("220 mail.example ESMTP\r\n");
const HELLO: Step = On("EHLO [127.0.0.1]", "250-mail.example\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n");
const HELLO_TLS: Step = On("EHLO [127.0.0.1]", "250-mail.example\r\n250-starttls\r\n250 SIZE\r\n");
const FROM: Step = On("MAIL FROM:<alerts@example.com>", "250 2.1.0 Ok\r\n");
const TO: Step = On("RCPT TO:<ops@example.com>", "250 2.1.5 Ok\r\n");
const BOSS: Step = On("RCPT TO:<boss@example.com>", "250 2.1.5 Ok\r\n");
const DATA: Step = On("DATA", "354 go ahead\r\n");
const DONE: Step = Data("250 2.0.0 queued\r\n");

trait Both: Read + Write {}
impl<T: Read + Write> Both for T {}

struct Authority {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn authority(name: &str) -> Authority {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let der: CertificateDer<'static> = cert.der().clone();
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().expect("versions");
    let server = server.with_no_client_auth().with_single_cert(vec![der.clone()], key).expect("fits");
    let mut roots = RootCertStore::empty();
    roots.add(der).expect("a root");
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Authority { server: Arc::new(server), client: Arc::new(client.with_root_certificates(roots).with_no_client_auth()) }
}

/// Plays the script once; returns its port and, in the end, all lines it heard. A line that the script does not expect ends it.
fn server(script: Vec<Step>, tls: Arc<ServerConfig>) -> (u16, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (heard, hearing) = mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut lines = Vec::new();
        play(stream, &script, &tls, &mut lines);
        let _ = heard.send(lines);
    });
    (port, hearing)
}

fn play(socket: Socket, script: &[Step], tls: &Arc<ServerConfig>, lines: &mut Vec<String>) {
    let mut stream: BufReader<Box<dyn Both>> = BufReader::new(Box::new(socket.try_clone().expect("a copy")));
    for step in script {
        let answer = match step {
            Say(answer) => answer,
            On(expected, answer) => {
                let line = read_line(&mut stream);
                lines.push(line.clone());
                if !line.starts_with(expected) {
                    return;
                }
                answer
            }
            Data(answer) => {
                loop {
                    let line = read_line(&mut stream);
                    lines.push(line);
                    if lines.last().is_some_and(|line| line == ".") {
                        break;
                    }
                    assert!(lines.len() < 1000, "the mail has no end");
                }
                answer
            }
            Step::Tls => {
                let connection = ServerConnection::new(Arc::clone(tls)).expect("a server");
                stream = BufReader::new(Box::new(StreamOwned::new(connection, socket.try_clone().expect("a copy"))));
                continue;
            }
        };
        if stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
    // A server that ends in the middle of its answer has hung up.
    if matches!(script.last(), Some(Data(answer)) if !answer.ends_with('\n')) {
        return;
    }
    // What comes after the script is heard, too.
    let rest = read_line(&mut stream);
    if !rest.is_empty() {
        lines.push(rest);
    }
}

fn read_line(stream: &mut BufReader<Box<dyn Both>>) -> String {
    let mut line = String::new();
    let _ = stream.read_line(&mut line);
    line.trim_end_matches(['\r', '\n']).to_owned()
}

fn spec(tls: MailTls, port: u16) -> EmailSpec {
    EmailSpec { server: HostPort { host: "127.0.0.1".to_owned(), port }, tls, ..samples::mail_to("") }
}

fn mail() -> Mail {
    Mail {
        from: "alerts@example.com".to_owned(),
        to: vec!["ops@example.com".to_owned()],
        text: "Subject: x\r\n\r\n.hidden\r\n..\r\n.\r\nlast\r\n".to_owned(),
    }
}

/// Sends the mail of the tests to a server that plays this script; what became of it, and what the server heard.
async fn sent(tls: MailTls, script: Vec<Step>) -> (Result<(), SendError>, Vec<String>) {
    let (outcome, lines, _) = sent_and_noted(tls, script).await;
    (outcome, lines)
}

/// The same, with what was noted of it.
async fn sent_and_noted(tls: MailTls, script: Vec<Step>) -> (Result<(), SendError>, Vec<String>, Heard) {
    let keys = authority("127.0.0.1");
    let (port, hearing) = server(script, keys.server);
    let heard = Heard::default();
    let outcome = send(&spec(tls, port), keys.client, &mail(), &heard).await;
    (outcome, hearing.recv().expect("it was played"), heard)
}

async fn sent_in_the_clear(script: Vec<Step>) -> String {
    let (outcome, _, heard) = sent_and_noted(MailTls::None, script).await;
    // Before the mail is out, nothing has been told.
    let is_cut_off = matches!(&outcome, Err(SendError::Transient(text)) if text.ends_with("instead of an answer to the mail"));
    assert_eq!(heard.is_unanswered(), is_cut_off, "{outcome:?}");
    match outcome {
        Ok(()) => "accepted".to_owned(),
        Err(SendError::Permanent(text)) => format!("permanent: {text}"),
        Err(SendError::Transient(text)) => format!("transient: {text}"),
        Err(SendError::Later(wait, text)) => format!("later {}: {text}", wait.as_secs()),
    }
}

#[tokio::test]
async fn a_mail_is_handed_over_line_by_line() {
    let (outcome, heard) = sent(MailTls::None, vec![GREETING, HELLO, FROM, TO, DATA, DONE]).await;
    assert_eq!(outcome, Ok(()));
    let expected = [
        "EHLO [127.0.0.1]",
        "MAIL FROM:<alerts@example.com>",
        "RCPT TO:<ops@example.com>",
        "DATA",
        "Subject: x",
        "",
        "..hidden",
        "...",
        "..",
        "last",
        ".",
        "QUIT",
    ];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn each_refusal_has_its_class() {
    for (script, expected) in [
        (vec![Say("554 5.7.1 go away canary\r\n")], "permanent: the mail server answered 554 5.7.1 to the greeting"),
        (vec![Say("421 too busy\r\n")], "transient: the mail server answered 421 to the greeting"),
        (vec![Say("HTTP/1.1 400 canary\r\n")], "transient: what answered to the greeting does not speak SMTP"),
        (vec![GREETING], "transient: the mail server closed the connection instead of an answer to EHLO"),
        (vec![GREETING, HELLO, On("MAIL", "451 4.3.0 later\r\n")], "transient: the mail server answered 451 4.3.0 to MAIL FROM"),
        (
            vec![GREETING, HELLO, On("MAIL", "530 5.7.0 x\r\n")],
            "permanent: the mail server answered 530 5.7.0 to MAIL FROM: it wants `user`",
        ),
        // Greylisting: the first try of an unknown sender is put off.
        (
            vec![GREETING, HELLO, FROM, On("RCPT", "450 4.2.0 greylisted canary\r\n")],
            "transient: the mail server answered 450 4.2.0 to RCPT TO",
        ),
        (
            vec![GREETING, HELLO, FROM, On("RCPT", "550 5.1.1 canary\r\n")],
            "permanent: the mail server answered 550 5.1.1 to RCPT TO: it does not",
        ),
        (vec![GREETING, HELLO, FROM, TO, On("DATA", "452 4.3.1 full\r\n")], "transient: the mail server answered 452 4.3.1 to DATA"),
        (vec![GREETING, HELLO, FROM, TO, DATA, Data("554 5.6.0 canary\r\n")], "permanent: the mail server answered 554 5.6.0 to the mail"),
        (vec![GREETING, HELLO, FROM, TO, DATA, Data("451 4.7.1 canary\r\n")], "transient: the mail server answered 451 4.7.1 to the mail"),
        // Not accepted before it says so.
        (
            vec![GREETING, HELLO, FROM, TO, DATA, Data("")],
            "transient: the mail server closed the connection instead of an answer to the mail",
        ),
        (vec![GREETING, HELLO, FROM, TO, DATA, Data("250")], "transient: the mail server closed"),
        (vec![GREETING, HELLO, FROM, TO, DATA, Data("250-\r\n250 ok\r\n")], "accepted"),
        (vec![GREETING, HELLO, FROM, TO, DATA, Data("250 ok\r\n421 and now go\r\n")], "accepted"),
    ] {
        let got = sent_in_the_clear(script).await;
        assert!(got.starts_with(expected) && !got.contains("canary"), "{expected}\n{got}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_no_answer() {
    let flood: &'static str = Box::leak("250-x".repeat(20_000).into_boxed_str());
    assert_eq!(sent_in_the_clear(vec![GREETING, On("EHLO", flood)]).await, "transient: what answered to EHLO does not speak SMTP");
    let lines: &'static str = Box::leak("250-x\r\n".repeat(20_000).into_boxed_str());
    assert_eq!(sent_in_the_clear(vec![GREETING, On("EHLO", lines)]).await, "transient: what answered to EHLO does not speak SMTP");
}

#[tokio::test]
async fn encryption_comes_before_anything_worth_reading() {
    let (outcome, heard) =
        sent(MailTls::StartTls, vec![GREETING, HELLO_TLS, On("STARTTLS", "220 go\r\n"), Step::Tls, HELLO, FROM, TO, DATA, DONE]).await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(heard[..4], ["EHLO [127.0.0.1]", "STARTTLS", "EHLO [127.0.0.1]", "MAIL FROM:<alerts@example.com>"]);
    let (outcome, heard) = sent(MailTls::Tls, vec![Step::Tls, GREETING, HELLO, FROM, TO, DATA, DONE]).await;
    assert_eq!((outcome, heard.len()), (Ok(()), 12));
}

#[tokio::test]
async fn who_takes_starttls_out_gets_no_mail() {
    let (outcome, heard) = sent(MailTls::StartTls, vec![GREETING, HELLO]).await;
    assert!(matches!(&outcome, Err(SendError::Transient(text)) if text.contains("does not offer STARTTLS")), "{outcome:?}");
    assert_eq!(heard, ["EHLO [127.0.0.1]"]);
    let (outcome, heard) = sent(MailTls::StartTls, vec![GREETING, HELLO_TLS, On("STARTTLS", "454 4.7.0 not now\r\n")]).await;
    assert_eq!(outcome, Err(SendError::Transient("the mail server answered 454 4.7.0 to STARTTLS".to_owned())));
    assert_eq!(heard, ["EHLO [127.0.0.1]", "STARTTLS"]);
}

#[tokio::test]
async fn what_is_said_before_the_encryption_is_not_believed_after_it() {
    let injected = "220 go\r\n250-mail.example\r\n250 AUTH PLAIN\r\n";
    let (outcome, _) = sent(MailTls::StartTls, vec![GREETING, HELLO_TLS, On("STARTTLS", injected), Step::Tls]).await;
    assert!(matches!(&outcome, Err(SendError::Transient(text)) if text.starts_with("somebody spoke between")), "{outcome:?}");
}

#[tokio::test]
async fn a_certificate_of_another_or_of_nobody_is_not_accepted() {
    for (served, trusted) in [("mail.example", true), ("127.0.0.1", false)] {
        let (ours, others) = (authority(served), authority(served));
        let (port, hearing) = server(vec![Step::Tls, GREETING], ours.server);
        let client = if trusted { ours.client } else { others.client };
        let outcome = send(&spec(MailTls::Tls, port), client, &mail(), &Heard::default()).await;
        assert!(matches!(&outcome, Err(SendError::Transient(text)) if text.starts_with("no encrypted connection: ")), "{outcome:?}");
        assert!(hearing.recv().expect("played").is_empty());
    }
}

#[tokio::test]
async fn one_signs_in_as_the_server_wants() {
    const LOGIN_ONLY: Step = On("EHLO", "250-mail.example\r\n250 AUTH=LOGIN\r\n");
    const NOTHING: Step = On("EHLO", "250-mail.example\r\n250 AUTH CRAM-MD5\r\n");
    // printf '\0alerts\0open sesame' | base64
    const PLAIN: &str = "AUTH PLAIN AGFsZXJ0cwBvcGVuIHNlc2FtZQ==";
    for (script, expected) in [
        (vec![GREETING, HELLO, On(PLAIN, "235 2.7.0 in\r\n"), FROM, TO, DATA, DONE], "accepted"),
        (
            vec![
                GREETING,
                LOGIN_ONLY,
                On("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
                On("YWxlcnRz", "334 UGFzc3dvcmQ6\r\n"),
                On("b3BlbiBzZXNhbWU=", "235 in\r\n"),
                FROM,
                TO,
                DATA,
                DONE,
            ],
            "accepted",
        ),
        (
            vec![GREETING, HELLO, On(PLAIN, "535 5.7.8 open sesame\r\n")],
            "the mail server answered 535 5.7.8 to AUTH: it does not accept `user` and `password`",
        ),
        (vec![GREETING, HELLO, On(PLAIN, "454 4.7.0 later\r\n")], "the mail server answered 454 4.7.0 to AUTH"),
        (vec![GREETING, NOTHING], "the mail server offers no way to sign in that is known (PLAIN, LOGIN)"),
    ] {
        let keys = authority("127.0.0.1");
        let (port, _hearing) = server(script, keys.server);
        let spec = EmailSpec { credentials: Some(("alerts".to_owned(), Secret::new("open sesame"))), ..spec(MailTls::None, port) };
        let got =
            send(&spec, keys.client, &mail(), &Heard::default()).await.map_or_else(|error| error.to_string(), |()| "accepted".to_owned());
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn who_is_put_off_while_others_are_taken_is_remembered() {
    let mail = Mail { to: vec!["boss@example.com".to_owned(), "ops@example.com".to_owned()], ..mail() };
    for (answer, remaining, said) in [
        (
            "450 4.2.0 greylisted canary\r\n",
            vec!["boss@example.com".to_owned()],
            "taken for 1 of 2; `boss@example.com` is tried again, the mail server answered 450 4.2.0 to RCPT TO",
        ),
        (
            "550 5.1.1 gone canary\r\n",
            Vec::new(),
            "taken for 1 of 2; `boss@example.com` is not told, the mail server answered 550 5.1.1 to RCPT TO: it does not take mail from or to \
             this address",
        ),
    ] {
        let keys = authority("127.0.0.1");
        let script = vec![GREETING, HELLO, FROM, On("RCPT TO:<boss@example.com>", answer), TO, DATA, DONE];
        let (port, _hearing) = server(script, keys.server);
        let heard = Heard::default();
        assert_eq!(send(&spec(MailTls::None, port), keys.client, &mail, &heard).await, Ok(()));
        assert_eq!(heard.left_out(), Some(&LeftOut { remaining, said: said.to_owned() }));
    }
    assert_eq!(mail.clone().only_to(&["ops@example.com".to_owned(), "gone@example.com".to_owned()]).to, ["ops@example.com"]);
    assert_eq!(mail.clone().only_to(&[]).to, mail.to);
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_others() {
    let mail = Mail { to: vec!["boss@example.com".to_owned(), "ops@example.com".to_owned()], ..mail() };
    let gone = On("RCPT TO:<boss@example.com>", "550 5.1.1 gone\r\n");
    for (script, expected) in [
        (vec![GREETING, HELLO, FROM, BOSS, TO, DATA, DONE], Ok(())),
        (vec![GREETING, HELLO, FROM, gone, TO, DATA, DONE], Ok(())),
        // One of them may still be told later.
        (
            vec![GREETING, HELLO, FROM, gone, On("RCPT TO:<ops", "450 4.2.0 later\r\n")],
            Err(SendError::Transient("the mail server answered 450 4.2.0 to RCPT TO".to_owned())),
        ),
    ] {
        let keys = authority("127.0.0.1");
        let (port, _hearing) = server(script, keys.server);
        assert_eq!(send(&spec(MailTls::None, port), keys.client, &mail, &Heard::default()).await, expected);
    }
}

#[tokio::test]
async fn a_server_may_not_be_where_credentials_are_handed_out() {
    let keys = authority("127.0.0.1");
    let mut spec = spec(MailTls::None, 25);
    spec.server.host = "169.254.169.254".to_owned();
    assert!(matches!(send(&spec, keys.client, &mail(), &Heard::default()).await, Err(SendError::Permanent(_))));
}

#[test]
fn no_line_of_a_mail_can_end_it() {
    assert_eq!(stuffed("a\r\n.\r\nb\n.c\rd\r\n\r\n"), b"a\r\n..\r\nb\r\n..cd\r\n.\r\n");
}
