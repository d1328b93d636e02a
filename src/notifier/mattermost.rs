//! The `mattermost` channel: an attachment by an incoming webhook.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::MattermostSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::MARKDOWN;
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

/// Mattermost takes 16 383 characters in all; these leave room for the frame.
const TITLE: Limit = Limit::chars(400);
const TEXT: Limit = Limit::chars(12_000);

impl Kind for MattermostSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut body = body(message);
        if let Some(channel) = &self.channel {
            body["channel"] = channel.as_str().into();
        }
        Request::json("POST", self.url.reveal_for_use(), &body)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["id"].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "Mattermost", wait: None, word, known: KNOWN }, now)
    }
}

/// Mattermost's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("channel.app_error", "the channel does not exist, or the webhook may not post there"),
    ("channel_locked", "the webhook is locked to its own channel; remove `channel`"),
    ("disabled.app_error", "incoming webhooks are switched off on this server"),
    ("invalid.app_error", "the webhook was deleted; create a new one"),
    ("permissions.app_error", "the webhook's owner may not post there"),
    ("text.length", "the message is too long"),
];

fn body(message: &Message<'_>) -> Value {
    let tone = message.tone();
    let title = format!("{} {}", tone.sign(), message.title());
    let mut attachment = json!({
        "fallback": within(&title, TITLE, escape::markdown),
        "color": tone.colour(),
        "title": within(&title, TITLE, escape::markdown),
        "text": message.text(&MARKDOWN, TEXT),
        "footer": within(&message.footer(), TITLE, escape::markdown),
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

    fn spec() -> MattermostSpec {
        MattermostSpec { url: Secret::new("https://chat.example/hooks/canary"), channel: Some("ops".to_owned()) }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Mattermost(spec()));
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
                (200, "ok", None, "accepted"),
                (
                    400,
                    r#"{"id":"web.incoming_webhook.invalid.app_error","message":"canary"}"#,
                    None,
                    "permanent: Mattermost answered 400 (invalid.app_error)",
                ),
                (
                    403,
                    r#"{"id":"web.incoming_webhook.channel_locked.app_error"}"#,
                    None,
                    "permanent: Mattermost answered 403 (channel_locked)",
                ),
                (429, "limit exceeded", Some("1"), "later 1"),
                (500, "", None, "transient"),
            ],
        );
    }
}
