//! The `signal` channel: a message by a bridge (signal-cli-rest-api) that is registered with a number of its own.

use serde_json::json;

use crate::model::channel::spec::SignalSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;

/// Signal sends what is longer as a file.
const TEXT: Limit = Limit::bytes(1900);

impl Kind for SignalSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let text = format!("{} {}", message.tone().sign(), message.text(&PLAIN, TEXT));
        let body = json!({"message": text, "number": self.number, "recipients": self.recipients, "text_mode": "normal"});
        Request::json("POST", format!("{}/v2/send", self.url), &body)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["error"].as_str().unwrap_or_default();
        // The bridge reports everything as a bad request, also what passes by itself.
        let passes = ["rate limit", "timeout", "timed out", "connection"].iter().any(|sign| word.to_ascii_lowercase().contains(sign));
        if answer.status == 400 && passes {
            return Err(SendError::Transient("the Signal bridge answered 400: it cannot reach Signal, or was too fast for it".to_owned()));
        }
        judge_said(answer, &Said { service: "the Signal bridge", wait: None, word, known: KNOWN }, now)
    }
}

/// The bridge's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("unregistered user", "a recipient has no Signal account"),
    ("not registered", "the number is not registered with the bridge"),
    ("specified account does not exist", "the number is not registered with the bridge"),
    ("invalid recipient", "a recipient is neither a number nor a group"),
    ("captcha", "Signal wants a captcha to be solved; see the manual of the bridge"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::notifier::samples;

    fn spec() -> SignalSpec {
        SignalSpec {
            url: "http://signal.example:8080".to_owned(),
            number: "+37120000000".to_owned(),
            recipients: vec!["+37120000001".to_owned(), "group.abc=".to_owned()],
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Signal(spec()));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["message"].as_str().is_some_and(|text| (1..=2000).contains(&text.len())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (201, r#"{"timestamp":"1"}"#, None, "accepted"),
                (
                    400,
                    r#"{"error":"Failed to send message: Unregistered user canary"}"#,
                    None,
                    "permanent: the Signal bridge answered 400 (unregistered user)",
                ),
                (400, r#"{"error":"Rate limit exceeded: canary"}"#, None, "transient"),
                (400, r#"{"error":"canary"}"#, None, "permanent: answered 400"),
                (502, "", None, "transient"),
            ],
        );
    }
}
