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

/// What a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classified {
    /// A ping; it is fed.
    Ping(PingKind),
    /// It is noted and changes nothing.
    Ignored(Ignored),
}

/// Why a request changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Paused, and only people resume it.
    Held,
    /// Only POST counts.
    Method,
    /// No keyword was found.
    NoKeyword,
}

/// Tells what it means.
#[must_use]
pub fn classify(beat: &Heartbeat, request: Received<'_>) -> Classified {
    if request.is_held {
        return Classified::Ignored(Ignored::Held);
    }
    if beat.methods == Methods::Post && request.method == Method::Other {
        return Classified::Ignored(Ignored::Method);
    }
    match (&beat.keywords, request.said) {
        (Some(words), _) => by_words(words, request.body),
        (None, Said::Kind(kind)) => Classified::Ping(kind),
        (None, Said::Exit(0)) => Classified::Ping(PingKind::Success),
        (None, Said::Exit(1..)) => Classified::Ping(PingKind::Fail),
    }
}

fn by_words(words: &Keywords, body: &[u8]) -> Classified {
    let has_any = |words: &[String]| words.iter().any(|word| find(body, word.as_bytes()).is_some());
    if has_any(&words.failure) {
        Classified::Ping(PingKind::Fail)
    } else if has_any(&words.success) {
        Classified::Ping(PingKind::Success)
    } else if has_any(&words.start) {
        Classified::Ping(PingKind::Start)
    } else {
        match words.otherwise {
            Otherwise::Ignore => Classified::Ignored(Ignored::NoKeyword),
            Otherwise::Fail => Classified::Ping(PingKind::Fail),
        }
    }
}
