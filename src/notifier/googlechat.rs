//! The `googlechat` channel: a text by a webhook of a space, all of an incident in one thread.
//!
//! Google Chat has no escapes. What would be a mention gets other brackets, and what would be formatting a character without width.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::GoogleChatSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::GOOGLE_CHAT;
use crate::notifier::compose::Message;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;

/// Google Chat takes 32 000 bytes, and shows a text of this length without a fold.
const TEXT: Limit = Limit::bytes(4000);

impl Kind for GoogleChatSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let url = self.url.reveal_for_use();
        let separator = if url.contains('?') { '&' } else { '?' };
        Request::json("POST", format!("{url}{separator}messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"), &body(message))
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["error"]["status"].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "Google Chat", wait: None, word, known: KNOWN }, now)
    }
}

/// Google's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("not_found", "the space or its webhook does not exist (any more)"),
    ("permission_denied", "the space does not take messages of this webhook"),
    ("unauthenticated", "the webhook's key or token is not right"),
    ("invalid_argument", "it did not understand the message"),
];

fn body(message: &Message<'_>) -> Value {
    let payload = message.payload();
    let thread = payload.incident_id.unwrap_or(payload.key);
    let text = format!("{} {}", message.tone().sign(), message.text(&GOOGLE_CHAT, TEXT));
    json!({"text": text, "thread": {"threadKey": thread}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> GoogleChatSpec {
        GoogleChatSpec { url: Secret::new("https://chat.googleapis.example/v1/spaces/A/messages?key=canary&token=canary") }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::GoogleChat(spec()));
    }

    #[test]
    fn the_url_keeps_its_query() {
        let request = spec().request(&samples::World::down().message());
        assert!(request.url.reveal_for_use().ends_with("?key=canary&token=canary&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"));
    }

    #[test]
    fn texts_fit_and_call_nobody() {
        let body = samples::hostile_body(&spec());
        let text = body["text"].as_str().expect("a text");
        assert!(text.len() <= TEXT.max + 8, "{}", text.len());
        assert!(!text.contains("<users/all>") && text.contains("‹users/all›"), "{text}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "{}", None, "accepted"),
                (429, r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#, None, "transient"),
                (
                    404,
                    r#"{"error":{"status":"NOT_FOUND","message":"canary"}}"#,
                    None,
                    "permanent: Google Chat answered 404 (not_found): the space",
                ),
                (400, r#"{"error":{"status":"INVALID_ARGUMENT"}}"#, None, "permanent: Google Chat answered 400"),
            ],
        );
    }
}
