//! A small mail server for tests.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use super::wait_for;

/// A mail server that hangs up without a word after each mail it took.
pub struct Mailer {
    pub port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl Mailer {
    /// It puts the first sender off, as greylisting does.
    pub fn rude() -> Mailer {
        Mailer::start(true)
    }

    pub fn polite() -> Mailer {
        Mailer::start(false)
    }

    fn start(is_rude: bool) -> Mailer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mailer = Mailer { port: listener.local_addr().unwrap().port(), mails: Arc::default() };
        let mails = Arc::clone(&mailer.mails);
        thread::spawn(move || {
            for (n, stream) in listener.incoming().flatten().enumerate() {
                if let Some(mail) = serve(stream, is_rude && n == 0) {
                    mails.lock().unwrap().push(mail);
                }
            }
        });
        mailer
    }

    /// What it has taken.
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    #[track_caller]
    pub fn wait_for(&self, n: usize) -> Vec<String> {
        wait_for(&format!("mail {n}"), || Some(self.mails.lock().unwrap().clone()).filter(|mails| n <= mails.len()))
    }
}

fn serve(mut stream: TcpStream, is_put_off: bool) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    stream.write_all(b"220 mail.test ESMTP\r\n").ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let answer = match line.split([' ', '\r']).next()? {
            "EHLO" => "250-mail.test\r\n250 8BITMIME\r\n",
            "RCPT" if is_put_off => "450 4.2.0 come back later\r\n",
            "DATA" => "354 go ahead\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).ok()?;
        if answer.starts_with("354") {
            break;
        }
    }
    let mut mail = String::new();
    while !mail.ends_with("\r\n.\r\n") {
        if reader.read_line(&mut mail).ok()? == 0 {
            return None;
        }
    }
    stream.write_all(b"250 queued\r\n").ok()?;
    Some(mail)
}

/// A field of a mail's header, when it is on one line.
pub fn field<'a>(mail: &'a str, name: &str) -> Option<&'a str> {
    mail.lines().take_while(|line| !line.is_empty()).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The path of the link to a subscription in a mail, whatever lines it was broken into.
pub fn link(mail: &str) -> String {
    let whole = mail.replace("=\r\n", "");
    let (_, rest) = whole.split_once("https://status.test/subscription/").unwrap_or_else(|| panic!("no link in {mail}"));
    let token: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    format!("/subscription/{token}")
}
