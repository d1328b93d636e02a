//! What a request to a heartbeat means: by its address, its method and its body.
//!
//! The order is that of healthchecks: paused by hand, wrong method, keywords, address. Keywords are looked for in what is kept of
//! the body. That need not be text: a keyword is, so it can only be found where the body is, too, because no part of a character looks
//! like the beginning of another in UTF-8.

use memchr::memmem::find;

use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::Keywords;
use crate::model::heartbeat::Methods;
use crate::model::heartbeat::Otherwise;
use crate::model::heartbeat::PingKind;
use crate::model::ping::Ignored;
use crate::model::ping::Meaning;

/// A request, as far as its meaning goes.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// How it came.
    pub method: Method,
    /// What its address says.
    pub said: Said,
    /// What is kept of its body.
    pub body: &'a [u8],
    /// The heartbeat is paused, and only people resume it.
    pub is_held: bool,
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// POST.
    Post,
    /// Another one that counts: GET, HEAD, PUT.
    Other,
}

/// What an address says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// One of the words, or nothing, which means success.
    Kind(PingKind),
    /// An exit status.
    Exit(u8),
}

/// Tells what it means.
#[must_use]
pub fn classify(beat: &Heartbeat, request: Received<'_>) -> Meaning {
    if request.is_held {
        return Meaning::Ignored(Ignored::Held);
    }
    if beat.methods == Methods::Post && request.method == Method::Other {
        return Meaning::Ignored(Ignored::Method);
    }
    match (&beat.keywords, request.said) {
        (Some(words), _) => by_words(words, request.body),
        (None, Said::Kind(kind)) => Meaning::Ping(kind),
        (None, Said::Exit(0)) => Meaning::Ping(PingKind::Success),
        (None, Said::Exit(1..)) => Meaning::Ping(PingKind::Fail),
    }
}

fn by_words(words: &Keywords, body: &[u8]) -> Meaning {
    let has_any = |words: &[String]| words.iter().any(|word| find(body, word.as_bytes()).is_some());
    if has_any(&words.failure) {
        Meaning::Ping(PingKind::Fail)
    } else if has_any(&words.success) {
        Meaning::Ping(PingKind::Success)
    } else if has_any(&words.start) {
        Meaning::Ping(PingKind::Start)
    } else {
        match words.otherwise {
            Otherwise::Ignore => Meaning::Ignored(Ignored::NoKeyword),
            Otherwise::Fail => Meaning::Ping(PingKind::Fail),
        }
    }
}
