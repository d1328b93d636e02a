//! The `rocketchat` channel: an attachment by an incoming integration.
//!
//! Rocket.Chat's Markdown knows few escapes, so signs that would mean something are followed by a character without width.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::RocketChatSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::GAPPED;
use crate::notifier::compose::Message;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Rocket.Chat takes 5000 characters as it is installed.
const TITLE: Limit = Limit::chars(300);
const TEXT: Limit = Limit::chars(4000);

impl Kind for RocketChatSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut body = body(message);
        if let Some(channel) = &self.channel {
            body["channel"] = channel.as_str().into();
        }
        Request::json("POST", self.url.reveal_for_use(), &body)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        if answer.status == 200 && body["success"] == false {
            return Err(SendError::Permanent("Rocket.Chat answered 200, and that it did not take the message".to_owned()));
        }
        let word = body["error"].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "Rocket.Chat", wait: None, word, known: KNOWN }, now)
    }
}

/// Rocket.Chat's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("invalid-channel", "the channel does not exist"),
    ("invalid integration", "the integration was deleted or its address is not right"),
    ("not-allowed", "the integration's user may not post there"),
    ("message-length", "the message is too long"),
];

fn body(message: &Message<'_>) -> Value {
    let tone = message.tone();
    let title = format!("{} {}", tone.sign(), message.title());
    let mut attachment = json!({
        "fallback": within(&title, TITLE, escape::gapped),
        "color": tone.colour(),
        "title": within(&title, TITLE, escape::gapped),
        "text": message.text(&GAPPED, TEXT),
        "footer": within(&message.footer(), TITLE, escape::gapped),
    });
    if let Some(url) = message.click() {
        attachment["title_link"] = url.into();
    }
    json!({"attachments": [attachment]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> RocketChatSpec {
        RocketChatSpec { url: Secret::new("https://chat.example/hooks/canary"), channel: Some("ops".to_owned()) }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::RocketChat(spec()));
    }

    #[test]
    fn texts_fit_and_call_nobody() {
        let body = samples::hostile_body(&spec());
        let attachment = &body["attachments"][0];
        for (field, limit) in [(&attachment["title"], TITLE), (&attachment["text"], TEXT)] {
            assert!(limit.unit.of(field.as_str().expect("a text")) <= limit.max, "{field}");
        }
        let text = body.to_string();
        assert!(!text.contains("@all") && !text.contains("@everyone"), "{text}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, r#"{"success":true}"#, None, "accepted"),
                (200, r#"{"success":false,"error":"canary"}"#, None, "permanent: Rocket.Chat answered 200, and"),
                (
                    400,
                    r#"{"success":false,"error":"invalid-channel"}"#,
                    None,
                    "permanent: Rocket.Chat answered 400 (invalid-channel): the channel",
                ),
                (429, "", None, "transient"),
                (503, "", Some("9"), "later 9"),
            ],
        );
    }
}
