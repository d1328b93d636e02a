//! The `telegram` channel: a message of a bot, marked up with HTML.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::TelegramSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::TELEGRAM;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;

/// Telegram takes 4096 after the tags are taken out; counted with them there is always room. It counts in UTF-16.
const TEXT: Limit = Limit::utf16(4000);

impl Kind for TelegramSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let url = format!("{}/bot{}/sendMessage", self.api_url, self.token.reveal_for_use());
        let mut body = body(message);
        body["chat_id"] = self.chat.as_str().into();
        if let Some(topic) = self.topic {
            body["message_thread_id"] = topic.into();
        }
        Request::json("POST", url, &body)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["description"].as_str().unwrap_or_default();
        let wait = body["parameters"]["retry_after"].as_f64();
        judge_said(answer, &Said { service: "Telegram", wait, word, known: KNOWN }, now)
    }
}

/// Telegram's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("chat not found", "the bot does not know this chat; write to it first, or add it to the group"),
    ("bot was blocked", "the person has blocked the bot"),
    ("bot was kicked", "the bot was taken out of the group; add it again"),
    ("message thread not found", "there is no topic with this number"),
    ("upgraded to a supergroup", "the group has a new id; write that into `chat`"),
    ("not enough rights", "the bot may not write there"),
    ("have no rights", "the bot may not write there"),
    ("unauthorized", "the token is not (any more) that of a bot"),
    ("not found", "the token is not that of a bot"),
];

fn body(message: &Message<'_>) -> Value {
    let text = format!("{} {}", message.tone().sign(), message.text(&TELEGRAM, TEXT));
    json!({"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": true}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> TelegramSpec {
        TelegramSpec {
            token: Secret::new("1:canary"),
            chat: "-1001".to_owned(),
            topic: Some(7),
            api_url: "https://api.telegram.org".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Telegram(spec()));
    }

    #[test]
    fn texts_fit_and_every_tag_is_ours_and_closed() {
        let body = samples::hostile_body(&spec());
        let text = body["text"].as_str().expect("a text");
        assert!(text.encode_utf16().count() <= 4096, "{}", text.encode_utf16().count());
        let outside_of_code = text.split("<code>").next().unwrap_or_default();
        assert!(!outside_of_code.contains("@everyone") && outside_of_code.contains("@\u{200b}everyone"), "{text}");
        for tag in ["b", "code", "a"] {
            let opened = text.matches(&format!("<{tag}>")).count() + text.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag} in {text}");
        }
        assert!(text.contains("&lt;@\u{200b}U1&gt;") && !text.contains("<@U1>"), "{text}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, r#"{"ok":true}"#, None, "accepted"),
                (429, r#"{"ok":false,"error_code":429,"parameters":{"retry_after":35}}"#, None, "later 35: answered 429"),
                (
                    400,
                    r#"{"ok":false,"description":"Bad Request: chat not found"}"#,
                    None,
                    "permanent: Telegram answered 400 (chat not found): the bot",
                ),
                (
                    403,
                    r#"{"description":"Forbidden: bot was blocked by the user canary"}"#,
                    None,
                    "permanent: Telegram answered 403 (bot was blocked)",
                ),
                (401, r#"{"description":"Unauthorized"}"#, None, "permanent: Telegram answered 401 (unauthorized)"),
                (502, "", None, "transient"),
            ],
        );
    }
}
