//! The `email` channel: what a mail says and how it is written. `crate::notifier::smtp` takes it to the server.
//!
//! Its `Message-ID` is made of the message's key, so that a repeat can be recognised. The one that opens an incident has one that is made of
//! the incident instead, and all later ones refer to it: so mail programs show an incident as one thread. Header fields are written by
//! lettre, which encodes what is not plain; a line break in a name is taken out before, and could begin no field anyway.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use data_encoding::HEXLOWER;
use lettre::Address;
use lettre::Message as Letter;
use lettre::message::Mailbox as LetterBox;
use lettre::message::MultiPart;
use lettre::message::SinglePart;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;
use ring::digest;

use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::Mailbox;
use crate::model::time::UnixMillis;
use crate::notifier::compose::HTML;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::error::SendError;
use crate::notifier::escape;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Room for the subject. There is no limit but that of a list in which people look for it.
const SUBJECT: Limit = Limit::chars(150);

/// Room for each of the two forms of the text. Servers take megabytes; nobody reads more than this.
const TEXT: Limit = Limit::chars(20_000);

/// Bytes of a digest that make an id: enough that no two mails of the world share it by chance.
pub(super) const ID_BYTES: usize = 16;

/// Told to machines that answer mail by themselves (RFC 3834 and Exchange): nobody is here to read it.
pub(super) const NO_ANSWERS: [(&str, &str); 2] = [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")];

/// A mail, ready to be handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The address that answers and failures go to.
    pub from: String,
    /// The addresses it goes to.
    pub to: Vec<String>,
    /// Header and body; ASCII, lines end in CRLF and have 998 characters at most.
    pub text: String,
}

impl Mail {
    /// The same mail for these recipients only, as far as they are still among its own; for all, when none is named.
    #[must_use]
    pub fn only_to(mut self, these: &[String]) -> Mail {
        self.to.retain(|to| these.is_empty() || these.contains(to));
        self
    }
}

/// The mail for a message.
///
/// # Errors
/// [`SendError::Permanent`] when an address is none, which the config does not let through.
pub fn mail(spec: &EmailSpec, message: &Message<'_>) -> Result<Mail, SendError> {
    let failed = |error: &dyn std::fmt::Display| SendError::Permanent(format!("this mail cannot be written: {error}"));
    let ids = Ids::new(spec, message);
    let mut builder = Letter::builder()
        .from(letter_box(&spec.from).map_err(|error| failed(&error))?)
        .subject(within(&format!("{} {}", message.tone().sign(), message.title()), SUBJECT, escape::plain))
        .date(date(message.notification.at))
        .message_id(Some(ids.own));
    for to in &spec.to {
        builder = builder.to(letter_box(to).map_err(|error| failed(&error))?);
    }
    if let Some(opening) = ids.opening {
        builder = builder.in_reply_to(opening.clone()).references(opening);
    }
    for (name, value) in NO_ANSWERS {
        builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()));
    }
    let parts = MultiPart::alternative()
        .boundary(ids.boundary)
        .singlepart(SinglePart::plain(plain(message)))
        .singlepart(SinglePart::html(html(message)));
    let letter = builder.multipart(parts).map_err(|error| failed(&error))?;
    let text = String::from_utf8(letter.formatted()).map_err(|error| failed(&error))?;
    Ok(Mail { from: spec.from.address.clone(), to: spec.to.iter().map(|to| to.address.clone()).collect(), text })
}

pub(super) fn letter_box(mailbox: &Mailbox) -> Result<LetterBox, lettre::address::AddressError> {
    Ok(LetterBox::new(mailbox.name.clone(), mailbox.address.parse::<Address>()?))
}

pub(super) fn date(at: UnixMillis) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(at.0.div_euclid(1000)).unwrap_or(0))
}

/// How mails know each other.
struct Ids {
    own: String,
    /// Of the mail that this one follows.
    opening: Option<String>,
    /// Between the parts; the same at every attempt, so that repeats are the same mail to the byte.
    boundary: String,
}

impl Ids {
    fn new(spec: &EmailSpec, message: &Message<'_>) -> Ids {
        let notification = message.notification;
        let domain = spec.from.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
        let id = |what: &str| {
            let sum = digest::digest(&digest::SHA256, what.as_bytes());
            format!("<{}@{domain}>", HEXLOWER.encode(&sum.as_ref()[..ID_BYTES]))
        };
        let opening = message.facts().map(|facts| id(&format!("incident {} {}", facts.incident, notification.channel)));
        let (own, opening) = if notification.event.opens() && opening.is_some() {
            (opening.unwrap_or_default(), None)
        } else {
            (id(&format!("message {}", notification.key)), opening)
        };
        let sum = digest::digest(&digest::SHA256, format!("boundary {}", notification.key).as_bytes());
        // `=_` can stand neither in base64 nor in quoted-printable.
        Ids { own, opening, boundary: format!("=_{}", HEXLOWER.encode(&sum.as_ref()[..ID_BYTES])) }
    }
}

fn plain(message: &Message<'_>) -> String {
    format!("{}\n\n-- \n{}\n", message.text(&PLAIN, TEXT), message.footer())
}

/// Without style sheets, pictures and scripts: what mail programs drop or warn about.
fn html(message: &Message<'_>) -> String {
    let title = within(&message.title(), SUBJECT, escape::html);
    let footer = within(&message.footer(), SUBJECT, escape::html);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"font-family: sans-serif\">\n<p style=\"border-left: 4px solid {}; padding-left: 8px; font-size: 120%\"><b>{title}</b></p>\n\
         <p>{}</p>\n<p style=\"color: #546e7a; font-size: 80%\">{footer}</p>\n</body>\n</html>\n",
        message.tone().colour(),
        message.text(&HTML, TEXT)
    )
}

#[cfg(test)]
mod tests;
