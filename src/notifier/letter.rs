//! Letters to subscribers of status pages: one mailbox each, so that none learns of another, as plain text, which every program shows and in
//! which nothing has a meaning but its words.
//!
//! A letter says how it ends the subscription: a line for people, and the header fields of RFC 2369 and RFC 8058, by which mail programs
//! show a button that does it with one request. Its `Message-ID` is made of what is told to whom, so that a repeat can be recognised.

use data_encoding::HEXLOWER;
use lettre::Address;
use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::SinglePart;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;
use ring::digest;

use crate::model::channel::spec::EmailSpec;
use crate::model::time::UnixMillis;
use crate::notifier::email::ID_BYTES;
use crate::notifier::email::Mail;
use crate::notifier::email::NO_ANSWERS;
use crate::notifier::email::date;
use crate::notifier::email::letter_box;
use crate::notifier::error::SendError;
use crate::notifier::escape;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::fit;
use crate::notifier::shorten::within;

/// Room for the subject, as for that of alerts.
const SUBJECT: Limit = Limit::chars(150);

/// The same in bytes, when each letter has four.
const SUBJECT_BYTES_MAX: usize = 600;

/// Room for the text: twenty pieces of news with an update each, as people write them.
const TEXT: Limit = Limit::chars(40_000);

/// Longest local part of an address (RFC 5321).
const LOCAL_CHARS_MAX: usize = 64;

/// A letter to one mailbox.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The mailbox.
    pub to: &'a str,
    /// In one line.
    pub subject: &'a str,
    /// What it says.
    pub text: &'a str,
    /// The address that ends the subscription by one request; `None`: there is none to end yet.
    pub unsubscribe: Option<&'a str>,
    /// The same at every attempt, and in no other letter.
    pub key: &'a str,
    /// When it was written.
    pub at: UnixMillis,
}

impl Letter<'_> {
    /// As it is handed over.
    ///
    /// # Errors
    /// [`SendError::Permanent`] when an address is none.
    pub fn mail(&self, spec: &EmailSpec) -> Result<Mail, SendError> {
        let failed = |error: &dyn std::fmt::Display| SendError::Permanent(format!("this letter cannot be written: {error}"));
        let to: Address = self.to.parse().map_err(|error: lettre::address::AddressError| failed(&error))?;
        let mut builder = Message::builder()
            .from(letter_box(&spec.from).map_err(|error| failed(&error))?)
            .to(Mailbox::new(None, to))
            .subject(within(&fit(self.subject, SUBJECT_BYTES_MAX), SUBJECT, escape::plain))
            .date(date(self.at))
            .message_id(Some(self.id(spec)));
        let one_click =
            self.unsubscribe.map(|url| [("List-Unsubscribe", format!("<{url}>")), ("List-Unsubscribe-Post", ONE_CLICK.to_owned())]);
        let fixed = NO_ANSWERS.map(|(name, value)| (name, value.to_owned()));
        for (name, value) in fixed.into_iter().chain(one_click.into_iter().flatten()) {
            builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
        }
        let text = within(self.text, TEXT, escape::plain);
        let letter = builder.singlepart(SinglePart::plain(text)).map_err(|error| failed(&error))?;
        let text = String::from_utf8(letter.formatted()).map_err(|error| failed(&error))?;
        Ok(Mail { from: spec.from.address.clone(), to: vec![self.to.to_owned()], text })
    }

    fn id(&self, spec: &EmailSpec) -> String {
        let domain = spec.from.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let sum = digest::digest(&digest::SHA256, format!("letter {}", self.key).as_bytes());
        format!("<{}@{domain}>", HEXLOWER.encode(&sum.as_ref()[..ID_BYTES]))
    }
}

/// What a mail program sends to the address of `List-Unsubscribe` (RFC 8058).
pub const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// A mailbox as it is kept: one address without a name, its domain in lower case, as domains are the same in either. `None`: it is no
/// address that a mail server would take, or one in the numbers of a host, where nobody has a mailbox by accident.
#[must_use]
pub fn mailbox(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    // Quoted local parts are allowed by the standard, used by nobody, and a way to hide a second address.
    let is_plain = local.len() <= LOCAL_CHARS_MAX && !local.contains(['"', '(', ')', ',', ':', ';', '<', '>', '[', ']', '\\', ' ']);
    let is_named = domain.contains('.') && !domain.starts_with('[') && text.is_ascii();
    let address = format!("{local}@{}", domain.to_ascii_lowercase());
    (is_plain && is_named && address.parse::<Address>().is_ok()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::spec::MailTls;
    use crate::model::channel::spec::Mailbox as Sender;
    use crate::model::net::HostPort;

    fn spec() -> EmailSpec {
        let mailbox = |address: &str| Sender { name: Some("Status".to_owned()), address: address.to_owned() };
        EmailSpec {
            server: HostPort { host: "127.0.0.1".to_owned(), port: 25 },
            tls: MailTls::None,
            ca: None,
            credentials: None,
            from: mailbox("status@example.com"),
            to: vec![mailbox("ops@example.com")],
        }
    }

    fn letter<'a>(subject: &'a str, text: &'a str) -> Letter<'a> {
        let unsubscribe = Some("https://status.example.com/subscription/abc");
        Letter { to: "jo@example.org", subject, text, unsubscribe, key: "7/12", at: UnixMillis(1_782_820_800_000) }
    }

    fn fields(mail: &str) -> Vec<&str> {
        mail.split("\r\n").take_while(|line| !line.is_empty()).filter(|line| !line.starts_with(' ')).collect()
    }

    #[test]
    fn a_letter_names_one_recipient_and_the_way_out() {
        let mail = letter("Outage: shop", "The shop is down.").mail(&spec()).expect("a letter");
        assert_eq!(mail.to, ["jo@example.org"]);
        let found = fields(&mail.text);
        for expected in [
            "To: jo@example.org",
            "Subject: Outage: shop",
            "List-Unsubscribe: <https://status.example.com/subscription/abc>",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(found.contains(&expected), "{expected} in {}", mail.text);
        }
        assert!(!mail.text.contains("ops@example.com"), "{}", mail.text);
        assert_eq!(mail, letter("Outage: shop", "The shop is down.").mail(&spec()).expect("a letter"), "a repeat is the same to the byte");
        let other = Letter { key: "7/13", ..letter("Outage: shop", "The shop is down.") }.mail(&spec()).expect("a letter");
        assert_ne!(mail.text, other.text, "another letter has another id");
        let question = Letter { unsubscribe: None, ..letter("Is it you?", "Yes?") }.mail(&spec()).expect("a letter");
        assert!(!question.text.contains("List-Unsubscribe"), "{}", question.text);
    }

    #[test]
    fn the_way_out_stands_on_one_line_however_long_it_is() {
        let long = format!("https://status.example.com/{}/subscription/{}", "b".repeat(200), "t".repeat(44));
        let mail = Letter { unsubscribe: Some(&long), ..letter("x", "y") }.mail(&spec()).expect("a letter");
        assert!(fields(&mail.text).contains(&format!("List-Unsubscribe: <{long}>").as_str()), "{}", mail.text);
        assert!(mail.text.split("\r\n").all(|line| line.len() <= 998), "{}", mail.text);
    }

    #[test]
    fn nothing_in_a_subject_or_text_becomes_a_field() {
        for evil in ["shop\r\nBcc: evil@example.com", "shop\nX-Evil: 1", "\u{2028}Bcc: a@b.c", ".\r\n.\r\nMAIL FROM:<x@y.z>"] {
            let mail = letter(evil, evil).mail(&spec()).expect("a letter");
            let found = fields(&mail.text);
            assert!(
                !found.iter().any(|line| line.starts_with("Bcc") || line.starts_with("X-Evil") || line.starts_with("MAIL")),
                "{}",
                mail.text
            );
            assert_eq!(mail.to, ["jo@example.org"]);
        }
    }

    #[test]
    fn mailboxes_are_single_plain_addresses() {
        assert_eq!(mailbox(" Jo.Doe+status@Example.ORG ").as_deref(), Some("Jo.Doe+status@example.org"));
        for none in [
            "",
            "jo",
            "jo@",
            "@example.org",
            "jo@localhost",
            "jo@[127.0.0.1]",
            "jo@example.org, evil@example.com",
            "Jo <jo@example.org>",
            "jo@example.org\r\nBcc: evil@example.com",
            "\"jo@evil.example\"@example.org",
            "jo doe@example.org",
            "jö@example.org",
            "jo@exämple.org",
            "jo@exa mple.org",
            &format!("{}@example.org", "a".repeat(65)),
        ] {
            assert_eq!(mailbox(none), None, "{none:?}");
        }
    }
}
