//! From an address to who is meant and what is said. Pure.
//!
//! An address may end with one slash. Everything below `/heartbeat` and `/ping` is the receiver's, also what means nothing: it is answered
//! like a token that does not exist.

use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::is_slug;
use crate::model::heartbeat::is_uuid;
use crate::rules::heartbeat::Said;

/// Longest part of an address that is looked at; none of ours is longer.
const PART_CHARS_MAX: usize = 128;

/// What an address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingPath {
    /// Whom it means.
    pub who: Who,
    /// What it says; `None`: an exit status that none can be.
    pub said: Option<Said>,
    /// In whose way it is asked, and so answered.
    pub form: Form,
}

/// Whom an address means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The heartbeat with this token.
    Token(String),
    /// The one with this UUID, in lower case.
    Uuid(String),
    /// The one with this slug below this ping key.
    Slug {
        /// The ping key.
        key: String,
        /// The slug.
        slug: String,
    },
    /// The one whose token is in the `Authorization` header.
    Bearer,
    /// Nobody.
    Nobody,
    /// Nobody can be called that.
    Malformed,
}

/// In whose way a ping is sent and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As in healthchecks, and our own.
    Plain,
    /// `/api/push/<token>` of Uptime Kuma.
    Kuma,
    /// `/api/v1/endpoints/<key>/external` of Gatus.
    Gatus,
}

const SUCCESS: Said = Said::Kind(PingKind::Success);

/// Reads an address, cut at its slashes; `None`: it is not the receiver's.
#[must_use]
pub fn parse(segments: &[&str]) -> Option<PingPath> {
    let path = |who, said, form| Some(PingPath { who, said, form });
    // One slash at the end is forgiven.
    let segments = match segments {
        [rest @ .., ""] if !rest.is_empty() && rest.last() != Some(&"") => rest,
        all => all,
    };
    let nobody = || path(Who::Nobody, Some(SUCCESS), Form::Plain);
    match segments {
        ["heartbeat", token] if is_part(token) => path(Who::Token((*token).to_owned()), Some(SUCCESS), Form::Plain),
        ["heartbeat", token, word] | ["api", "v1", "heartbeat", token, word] if is_part(token) => match suffix(word) {
            Some(said) => path(Who::Token((*token).to_owned()), said, Form::Plain),
            None => nobody(),
        },
        ["ping", uuid] if is_uuid(uuid) => path(Who::Uuid(uuid.to_ascii_lowercase()), Some(SUCCESS), Form::Plain),
        ["ping", uuid, word] if is_uuid(uuid) => match suffix(word) {
            Some(said) => path(Who::Uuid(uuid.to_ascii_lowercase()), said, Form::Plain),
            None => nobody(),
        },
        ["ping", key, slug] if is_part(key) => path(below(key, slug), Some(SUCCESS), Form::Plain),
        ["ping", key, slug, word] if is_part(key) && !is_uuid(key) => match suffix(word) {
            Some(said) => path(below(key, slug), said, Form::Plain),
            None => nobody(),
        },
        ["heartbeat" | "ping", ..] | ["api", "v1", "heartbeat", _, ..] | ["api", "push", _, _, ..] if segments.len() > 1 => {
            match segments {
                ["api", "v1", "heartbeat", token] if is_part(token) => path(Who::Token((*token).to_owned()), Some(SUCCESS), Form::Plain),
                _ => nobody(),
            }
        }
        ["api", "push", token] if is_part(token) => path(Who::Token((*token).to_owned()), Some(SUCCESS), Form::Kuma),
        ["api", "push", _] => path(Who::Nobody, Some(SUCCESS), Form::Kuma),
        ["api", "v1", "endpoints", _, "external"] => path(Who::Bearer, Some(SUCCESS), Form::Gatus),
        _ => None,
    }
}

fn is_part(text: &str) -> bool {
    (1..=PART_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn below(key: &str, slug: &str) -> Who {
    match (is_slug(slug), is_part(slug)) {
        (true, _) => Who::Slug { key: key.to_owned(), slug: slug.to_owned() },
        // Upper case, above all: a mistake of whoever wrote the address, and worth a word.
        (false, true) => Who::Malformed,
        (false, false) => Who::Nobody,
    }
}

/// What stands behind a heartbeat's name; the outer `None`: nothing that means anything, the inner one: an exit status above 255.
fn suffix(word: &str) -> Option<Option<Said>> {
    match word {
        "start" => Some(Some(Said::Kind(PingKind::Start))),
        "fail" => Some(Some(Said::Kind(PingKind::Fail))),
        "log" => Some(Some(Said::Kind(PingKind::Log))),
        digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let status = digits.trim_start_matches('0');
            Some(if status.is_empty() { Some(Said::Exit(0)) } else { status.parse().ok().map(Said::Exit) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6f0c1e9a-0000-4000-8000-00000000000a";

    fn read(path: &str) -> String {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parse(&segments) {
            None => "not ours".to_owned(),
            Some(PingPath { who, said, form }) => {
                let who = match who {
                    Who::Token(token) => format!("token {token}"),
                    Who::Uuid(_) => "uuid".to_owned(),
                    Who::Slug { key, slug } => format!("{key}: {slug}"),
                    Who::Bearer => "bearer".to_owned(),
                    Who::Nobody => return "nobody".to_owned(),
                    Who::Malformed => return "malformed".to_owned(),
                };
                let said = match said {
                    None => "too much".to_owned(),
                    Some(Said::Exit(status)) => format!("exit {status}"),
                    Some(Said::Kind(kind)) => kind.word().to_owned(),
                };
                let form = if form == Form::Plain { String::new() } else { format!(" {form:?}") };
                format!("{who}, {said}{form}")
            }
        }
    }

    #[test]
    fn addresses_say_who_is_meant_and_what_is_said() {
        for (path, expected) in [
            ("/heartbeat/abc", "token abc, success"),
            ("/heartbeat/abc/", "token abc, success"),
            ("/heartbeat/abc/start/", "token abc, start"),
            ("/heartbeat/abc//start", "nobody"),
            ("/heartbeat/abc//", "nobody"),
            ("/heartbeat/abc/bogus", "nobody"),
            ("/heartbeat/abc/log/x", "nobody"),
            ("/heartbeat", "not ours"),
            ("/heartbeat/a%2fb", "nobody"),
            ("/ping/not-a-uuid", "nobody"),
            ("/ping/6f0c1e9a00004000800000000000000a", "nobody"),
            ("/ping/key/slug", "key: slug, success"),
            ("/ping/key/slug/", "key: slug, success"),
            ("/ping/key/slug/007", "key: slug, exit 7"),
            ("/ping/key/slug/256", "key: slug, too much"),
            ("/ping/key/slug/99999999999999999999", "key: slug, too much"),
            ("/ping/key/slug/000", "key: slug, exit 0"),
            ("/ping/key/slug/-1", "nobody"),
            ("/ping/key/Slug", "malformed"),
            ("/ping/key/sl.ug", "nobody"),
            ("/api/push/abc", "token abc, success Kuma"),
            ("/api/push/abc/", "token abc, success Kuma"),
            ("/api/v1/endpoints/core_job/external", "bearer, success Gatus"),
            ("/api/v1/heartbeat/abc", "token abc, success"),
            ("/api/v1/heartbeat/abc/fail", "token abc, fail"),
            ("/api/v1/heartbeat/abc/3", "token abc, exit 3"),
            ("/api/v1/status", "not ours"),
            ("/ping", "not ours"),
            ("/", "not ours"),
        ] {
            assert_eq!(read(path), expected, "{path}");
        }
        for (path, expected) in [
            (format!("/ping/{UUID}"), "uuid, success"),
            (format!("/ping/{}/", UUID.to_uppercase()), "uuid, success"),
            (format!("/ping/{UUID}/255"), "uuid, exit 255"),
            (format!("/ping/{UUID}/256"), "uuid, too much"),
            (format!("/ping/{UUID}/success"), "nobody"),
            (format!("/ping/{UUID}/slug/start"), "nobody"),
        ] {
            assert_eq!(read(&path), expected, "{path}");
        }
    }
}
