//! The `matrix` channel: an event in a room, in plain text and in HTML.
//!
//! The transaction id is the message's key, so that a repeat is recognised by the homeserver. An empty `m.mentions` says that nobody is
//! called, whatever the text looks like.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::MatrixSpec;
use crate::model::notification::ServiceId;
use crate::model::time::UnixMillis;
use crate::notifier::compose::HTML;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::Limit;
use crate::notifier::thread;
use crate::notifier::thread::Threaded;
use crate::notifier::thread::begins;

/// An event has at most 64 KiB with everything; in JSON a text may become twice as long.
const PLAIN_TEXT: Limit = Limit::bytes(8000);
const HTML_TEXT: Limit = Limit::bytes(20_000);

impl Kind for MatrixSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        event(self, &message.notification.key, &body(message))
    }

    fn called(&self, message: &Message<'_>, answers: &[Answer]) -> Option<ServiceId> {
        let answer = answers.first().filter(|_| begins(message))?.json();
        let event = answer["event_id"].as_str().filter(|event| event.starts_with('$'))?;
        // A reference into another room would hide what follows from everybody.
        ServiceId::parse(&format!("{}/{event}", self.room))
    }

    fn has_arrived(&self, message: &Message<'_>, answers: &[Answer]) -> bool {
        thread::has_arrived(self, message, answers)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        thread::next(self, message, answers)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["errcode"].as_str().unwrap_or_default();
        let wait = body["retry_after_ms"].as_f64().map(|ms| ms / 1000.0);
        judge_said(answer, &Said { service: "Matrix", wait, word, known: KNOWN }, now)
    }
}

impl Threaded for MatrixSpec {
    fn first<'a>(&self, id: &'a ServiceId) -> Option<&'a str> {
        id.as_str().strip_prefix(self.room.as_str())?.strip_prefix('/').filter(|event| event.starts_with('$'))
    }

    /// In the thread of the first message; a client that knows no threads shows a reply.
    fn answering(&self, message: &Message<'_>, first: &str) -> Request {
        let mut body = body(message);
        body["m.relates_to"] = json!({
            "rel_type": "m.thread",
            "event_id": first,
            "is_falling_back": true,
            "m.in_reply_to": {"event_id": first},
        });
        event(self, &message.notification.key, &body)
    }

    /// A server refuses in one of these words to relate to an event that it does not have. One that was deleted stays in the room, empty.
    fn is_gone(&self, answer: &Answer) -> bool {
        let word = answer.json()["errcode"].as_str().unwrap_or_default().to_owned();
        matches!((answer.status, word.as_str()), (404, "M_NOT_FOUND") | (400, "M_UNKNOWN" | "M_INVALID_PARAM" | "M_BAD_JSON"))
    }

    /// In a transaction of its own: it is not the request that was refused.
    fn alone(&self, message: &Message<'_>) -> Request {
        event(self, &format!("{}-alone", message.notification.key), &body(message))
    }

    /// An edit replaces the content as a whole, so it says once more what it was.
    fn mark_over(&self, message: &Message<'_>, first: &str) -> Request {
        let sign = message.tone().sign();
        let (plain, html) = (message.text_over(&PLAIN, PLAIN_TEXT), message.text_over(&HTML, HTML_TEXT));
        let content = content(&format!("{sign} Over: {plain}"), &format!("{sign} Over: {html}"));
        let edit = json!({
            "msgtype": "m.text",
            // For clients that know no edits.
            "body": format!("* {sign} Over"),
            "m.mentions": {},
            "m.new_content": content,
            "m.relates_to": {"rel_type": "m.replace", "event_id": first},
        });
        event(self, &format!("{}-over", message.notification.key), &edit)
    }
}

/// An event in the room.
fn event(spec: &MatrixSpec, transaction: &str, content: &Value) -> Request {
    let (room, transaction) = (encoded(&spec.room), encoded(transaction));
    let url = format!("{}/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}", spec.url);
    Request::json("PUT", url, content).bearer(&spec.token)
}

/// Matrix's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("m_unknown_token", "the access token is not valid (any more)"),
    ("m_missing_token", "the access token did not arrive"),
    ("m_forbidden", "the account is not in the room, or may not write there"),
    ("m_not_found", "there is no such room"),
    ("m_user_deactivated", "the account is deactivated"),
    ("m_too_large", "the message is too long"),
];

fn body(message: &Message<'_>) -> Value {
    let sign = message.tone().sign();
    content(&format!("{sign} {}", message.text(&PLAIN, PLAIN_TEXT)), &format!("{sign} {}", message.text(&HTML, HTML_TEXT)))
}

fn content(plain: &str, html: &str) -> Value {
    json!({
        "msgtype": "m.text",
        "body": plain,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::model::verdict::Verdict;
    use crate::notifier::samples;

    fn spec() -> MatrixSpec {
        MatrixSpec { url: "https://matrix.example".to_owned(), token: Secret::new("canary"), room: "!abc:matrix.example".to_owned() }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Matrix(spec()));
    }

    #[test]
    fn what_follows_stands_in_the_thread_of_the_first_message_which_then_says_that_it_is_over() {
        let world = samples::World::recovered(Verdict::Up).after("!abc:matrix.example/$first");
        let posted = samples::answer(200, r#"{"event_id":"$x"}"#, None);
        samples::assert_conversation("matrix-thread", &ChannelSpec::Matrix(spec()), &world, &[posted]);
    }

    #[test]
    fn an_event_fits_and_its_html_is_ours() {
        let body = samples::hostile_body(&spec());
        assert!(body.to_string().len() < 60_000, "{}", body.to_string().len());
        let html = body["formatted_body"].as_str().expect("a text");
        assert!(html.contains("&lt;/b&gt;") && !html.contains("<@U1>"), "{html}");
        assert_eq!(body["m.mentions"], json!({}));
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, r#"{"event_id":"$x"}"#, None, "accepted"),
                (429, r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}"#, None, "later 2: answered 429"),
                (401, r#"{"errcode":"M_UNKNOWN_TOKEN","error":"canary"}"#, None, "permanent: Matrix answered 401 (m_unknown_token)"),
                (403, r#"{"errcode":"M_FORBIDDEN"}"#, None, "permanent: Matrix answered 403 (m_forbidden): the account"),
                (504, "", None, "transient"),
            ],
        );
    }
}
