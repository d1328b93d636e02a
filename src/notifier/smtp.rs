//! Mail to a server, as RFC 5321 has it: one connection, one mail, every answer judged.
//!
//! TLS comes before anything worth reading: with [`MailTls::StartTls`] nothing but the greetings is said in the clear, a server that does not
//! offer it gets no mail, and one that said more than it was asked before the encryption began is not believed. Of what a server says errors
//! repeat only the numbers; its words are taken down for the delivery log. A mail counts as accepted at the 250 after its end, whatever happens afterwards.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::MailTls;
use crate::notifier::dns::LookupError;
use crate::notifier::dns::addresses;
use crate::notifier::email::Mail;
use crate::notifier::error::SendError;
use crate::notifier::heard::Heard;
use crate::notifier::heard::LeftOut;
use crate::notifier::shorten::fit;
use crate::store::AnsweredBy;

/// How long one address may take to answer before the next one is tried.
const ONE_CONNECT: Duration = Duration::from_secs(5);

/// Bytes of one answer with all its lines. RFC 5321 gives a line 512; a server that lists all it can do needs a few dozen.
const ANSWER_BYTES_MAX: usize = 32 << 10;

/// Length of a reason that comes from below, as it is stored and shown.
const REASON_BYTES_MAX: usize = 300;

/// Length of what is said of recipients that were refused: a few addresses, each with the reason.
const LEFT_OUT_BYTES_MAX: usize = 1000;

/// Carries bytes, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Takes one mail to the server.
///
/// # Errors
/// [`SendError`] when nobody of the recipients will get it.
pub async fn send(spec: &EmailSpec, tls: Arc<ClientConfig>, mail: &Mail, heard: &Heard) -> Result<(), SendError> {
    let stream = connect(spec).await?;
    let me = stream.local_addr().map_err(|error| broken(&error))?.ip();
    let mut talk = match spec.tls {
        MailTls::Tls => Talk::new(encrypted(spec, tls, Box::new(stream)).await?, heard),
        MailTls::StartTls => start_tls(spec, tls, Talk::new(Box::new(stream), heard), me).await?,
        MailTls::None => Talk::new(Box::new(stream), heard),
    };
    if spec.tls != MailTls::StartTls {
        talk.expect("the greeting").await?;
    }
    let offers = talk.hello(me).await?;
    if let Some((user, password)) = &spec.credentials {
        talk.sign_in(&offers, user, password.reveal_for_use()).await?;
    }
    talk.hand_over(mail).await
}

async fn connect(spec: &EmailSpec) -> Result<TcpStream, SendError> {
    let found = addresses(&spec.server.host).await.map_err(|error| match error {
        LookupError::Forbidden | LookupError::Inside => SendError::Permanent(error.to_string()),
        LookupError::NotFound => SendError::Transient(error.to_string()),
    })?;
    let mut last = SendError::Transient(LookupError::NotFound.to_string());
    for address in found {
        match tokio::time::timeout(ONE_CONNECT, TcpStream::connect(SocketAddr::new(address, spec.server.port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = SendError::Transient(fit(&format!("no connection: {error}"), REASON_BYTES_MAX)),
            Err(_) => last = SendError::Transient("no connection: no answer in time".to_owned()),
        }
    }
    Err(last)
}

async fn encrypted(spec: &EmailSpec, tls: Arc<ClientConfig>, stream: Box<dyn Wire>) -> Result<Box<dyn Wire>, SendError> {
    let name = ServerName::try_from(spec.server.host.clone())
        .map_err(|_| SendError::Permanent("the name of the mail server cannot be in a certificate".to_owned()))?;
    match TlsConnector::from(tls).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(SendError::Transient(fit(&format!("no encrypted connection: {error}"), REASON_BYTES_MAX))),
    }
}

/// From the greeting to the encryption. That a server does not offer it may be the doing of somebody on the way, who must not be able to
/// have messages given up after a few tries: so it is tried again for a day like everything that may pass.
async fn start_tls<'a>(spec: &EmailSpec, tls: Arc<ClientConfig>, mut talk: Talk<'a>, me: IpAddr) -> Result<Talk<'a>, SendError> {
    talk.expect("the greeting").await?;
    if !talk.hello(me).await?.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
        let text =
            "the server does not offer STARTTLS, and nothing is sent in the clear; is there something between, or does `tls: always` fit?";
        return Err(SendError::Transient(text.to_owned()));
    }
    talk.say("STARTTLS", "STARTTLS").await?;
    if !talk.heard.is_empty() {
        return Err(SendError::Transient("somebody spoke between STARTTLS and the encryption; nothing was sent".to_owned()));
    }
    Ok(Talk::new(encrypted(spec, tls, talk.wire).await?, talk.notes))
}

fn broken(error: &dyn std::fmt::Display) -> SendError {
    SendError::Transient(fit(&format!("the connection broke: {error}"), REASON_BYTES_MAX))
}

/// A conversation with a server.
struct Talk<'a> {
    wire: Box<dyn Wire>,
    /// Takes down what is said.
    notes: &'a Heard,
    /// Read and not yet understood.
    heard: Vec<u8>,
}

/// What a server says to a command.
struct Answer {
    code: u16,
    /// After the code, of each line.
    lines: Vec<String>,
}

impl Answer {
    /// The code, with the finer one of RFC 3463 when there is one.
    fn numbers(&self) -> String {
        let finer = self.lines.first().and_then(|line| line.split(' ').next()).filter(|word| {
            let parts: Vec<&str> = word.split('.').collect();
            parts.len() == 3 && parts.iter().all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
        });
        match finer {
            Some(finer) => format!("{} {finer}", self.code),
            None => self.code.to_string(),
        }
    }

    /// Sorted by its first digit: 2 and 3 go on, 4 may pass, 5 will not.
    fn judged(self, to: &str) -> Result<Answer, SendError> {
        match self.code {
            200..=399 => Ok(self),
            500..=599 => Err(SendError::Permanent(format!("the mail server answered {} to {to}{}", self.numbers(), meaning(self.code)))),
            _ => Err(SendError::Transient(format!("the mail server answered {} to {to}", self.numbers()))),
        }
    }
}

fn meaning(code: u16) -> &'static str {
    match code {
        530 => ": it wants `user` and `password`, or TLS",
        534 | 535 => ": it does not accept `user` and `password`",
        552 => ": the mail is too large, or the mailbox is full",
        550 | 551 | 553 => ": it does not take mail from or to this address",
        _ => "",
    }
}

/// Who of so many recipients was refused. What may pass is tried again, for them alone.
fn left_out(n: usize, refusals: &[(&String, SendError)]) -> LeftOut {
    let is_lasting = |error: &SendError| matches!(error, SendError::Permanent(_));
    let words = refusals.iter().map(|(to, error)| {
        let what = if is_lasting(error) { "is not told" } else { "is tried again" };
        format!("`{to}` {what}, {error}")
    });
    LeftOut {
        remaining: refusals.iter().filter(|(_, error)| !is_lasting(error)).map(|(to, _)| (*to).clone()).collect(),
        said: fit(&format!("taken for {} of {n}; {}", n - refusals.len(), words.collect::<Vec<_>>().join("; ")), LEFT_OUT_BYTES_MAX),
    }
}

impl<'a> Talk<'a> {
    fn new(wire: Box<dyn Wire>, notes: &'a Heard) -> Talk<'a> {
        Talk { wire, notes, heard: Vec::new() }
    }

    /// Introduces us by our address, which unlike a name is always true; returns what the server can do.
    async fn hello(&mut self, me: IpAddr) -> Result<Vec<String>, SendError> {
        let me = match me {
            IpAddr::V4(address) => format!("[{address}]"),
            IpAddr::V6(address) => format!("[IPv6:{address}]"),
        };
        Ok(self.say(&format!("EHLO {me}"), "EHLO").await?.lines.split_off(1))
    }

    async fn sign_in(&mut self, offers: &[String], user: &str, password: &str) -> Result<(), SendError> {
        let words: Vec<String> = offers
            .iter()
            .map(|offer| offer.to_ascii_uppercase())
            .filter_map(|offer| offer.strip_prefix("AUTH").map(|rest| rest.replace('=', " ")))
            .flat_map(|rest| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let has = |word: &str| words.iter().any(|each| each == word);
        if has("PLAIN") {
            let both = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
            self.say(&format!("AUTH PLAIN {both}"), "AUTH").await?;
        } else if has("LOGIN") {
            self.say("AUTH LOGIN", "AUTH").await?;
            self.say(&BASE64.encode(user.as_bytes()), "AUTH").await?;
            self.say(&BASE64.encode(password.as_bytes()), "AUTH").await?;
        } else {
            return Err(SendError::Permanent("the mail server offers no way to sign in that is known (PLAIN, LOGIN)".to_owned()));
        }
        Ok(())
    }

    /// Who is refused does not keep the mail from the others; only when all are, it has failed. Who it is kept from is taken down.
    async fn hand_over(&mut self, mail: &Mail) -> Result<(), SendError> {
        self.say(&format!("MAIL FROM:<{}>", mail.from), "MAIL FROM").await?;
        let mut refusals = Vec::new();
        for to in &mail.to {
            if let Err(error) = self.say(&format!("RCPT TO:<{to}>"), "RCPT TO").await {
                refusals.push((to, error));
            }
        }
        if refusals.len() == mail.to.len() {
            // As long as one of them may pass, all are worth a later try.
            let first = refusals.iter().position(|(_, error)| !matches!(error, SendError::Permanent(_))).unwrap_or(0);
            return Err(refusals.swap_remove(first).1);
        }
        self.say("DATA", "DATA").await?;
        self.notes.note_departure();
        self.write(&stuffed(&mail.text)).await?;
        let answer = self.answer("the mail").await?;
        self.notes.note_answered();
        answer.judged("the mail")?;
        if !refusals.is_empty() {
            self.notes.note_left_out(left_out(mail.to.len(), &refusals));
        }
        // It is accepted. Whether the server hears the goodbye changes nothing.
        let _ = self.write(b"QUIT\r\n").await;
        Ok(())
    }

    async fn say(&mut self, line: &str, to: &str) -> Result<Answer, SendError> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.expect(to).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.wire.write_all(bytes).await.map_err(|error| broken(&error))?;
        self.wire.flush().await.map_err(|error| broken(&error))
    }

    async fn expect(&mut self, to: &str) -> Result<Answer, SendError> {
        self.answer(to).await?.judged(to)
    }

    /// Lines until one that has no `-` after its code.
    async fn answer(&mut self, to: &str) -> Result<Answer, SendError> {
        let strange = || SendError::Transient(format!("what answered to {to} does not speak SMTP"));
        let mut lines = Vec::new();
        let mut n_bytes = 0;
        loop {
            let line = self.line(to).await?;
            n_bytes += line.len();
            if ANSWER_BYTES_MAX < n_bytes {
                return Err(strange());
            }
            let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
            let code: u16 = code.and_then(|code| code.parse().ok()).ok_or_else(strange)?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            match line.as_bytes().get(3) {
                None | Some(b' ') => {
                    self.notes.note(AnsweredBy::Smtp, code, lines.join("\n").as_bytes());
                    return Ok(Answer { code, lines });
                }
                Some(b'-') => {}
                Some(_) => return Err(strange()),
            }
        }
    }

    async fn line(&mut self, to: &str) -> Result<String, SendError> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.heard[seen..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=seen + end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            seen = self.heard.len();
            if ANSWER_BYTES_MAX < seen {
                return Err(SendError::Transient(format!("what answered to {to} does not speak SMTP")));
            }
            let mut chunk = [0; 4096];
            match self.wire.read(&mut chunk).await {
                Ok(0) => return Err(SendError::Transient(format!("the mail server closed the connection instead of an answer to {to}"))),
                Ok(n) => self.heard.extend_from_slice(&chunk[..n]),
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

/// The mail as it is sent: no line of it is the full stop that ends it, and no line ends in anything but CRLF.
fn stuffed(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    for line in text.trim_end().split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.starts_with('.') {
            out.push(b'.');
        }
        // A lone carriage return would be a line break for some servers and none for others.
        out.extend(line.bytes().filter(|byte| *byte != b'\r'));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests;
