//! The `telegram` channel: a message of a bot, marked up with HTML.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::TelegramSpec;
use crate::model::notification::ServiceId;
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
use crate::notifier::thread;
use crate::notifier::thread::Threaded;
use crate::notifier::thread::begins;

/// Telegram takes 4096 after the tags are taken out; counted with them there is always room. It counts in UTF-16.
const TEXT: Limit = Limit::utf16(4000);

impl Kind for TelegramSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        send(self, body(message))
    }

    fn called(&self, message: &Message<'_>, answers: &[Answer]) -> Option<ServiceId> {
        let answer = answers.first().filter(|_| begins(message))?.json();
        let number = answer["result"]["message_id"].as_i64().filter(|number| 0 < *number)?;
        // Messages are numbered in each chat anew: in another one the same number is somebody else's.
        ServiceId::parse(&format!("{}:{number}", self.chat))
    }

    fn has_arrived(&self, message: &Message<'_>, answers: &[Answer]) -> bool {
        thread::has_arrived(self, message, answers)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        thread::next(self, message, answers)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["description"].as_str().unwrap_or_default();
        let wait = body["parameters"]["retry_after"].as_f64();
        judge_said(answer, &Said { service: "Telegram", wait, word, known: KNOWN }, now)
    }
}

impl Threaded for TelegramSpec {
    fn first<'a>(&self, id: &'a ServiceId) -> Option<&'a str> {
        let number = id.as_str().strip_prefix(self.chat.as_str())?.strip_prefix(':')?;
        number_of(number).map(|_| number)
    }

    fn answering(&self, message: &Message<'_>, first: &str) -> Request {
        let mut body = body(message);
        if let Some(number) = number_of(first) {
            body["reply_parameters"] = json!({"message_id": number, "allow_sending_without_reply": true});
        }
        send(self, body)
    }

    /// Servers of one's own may be old, and know nothing of `allow_sending_without_reply`.
    fn is_gone(&self, answer: &Answer) -> bool {
        let said = answer.json()["description"].as_str().unwrap_or_default().to_ascii_lowercase();
        answer.status == 400 && GONE.iter().any(|word| said.contains(word))
    }

    /// Telegram replaces a text as a whole, so it says once more what it was.
    fn mark_over(&self, message: &Message<'_>, first: &str) -> Request {
        let mut edited = body(message);
        edited["text"] = format!("{} <b>Over</b>: {}", message.tone().sign(), message.text_over(&TELEGRAM, TEXT)).into();
        edited["chat_id"] = self.chat.as_str().into();
        edited["message_id"] = number_of(first).into();
        Request::json("POST", method(self, "editMessageText"), &edited)
    }
}

/// The address of a method.
fn method(spec: &TelegramSpec, name: &str) -> String {
    format!("{}/bot{}/{name}", spec.api_url, spec.token.reveal_for_use())
}

fn send(spec: &TelegramSpec, mut body: Value) -> Request {
    body["chat_id"] = spec.chat.as_str().into();
    if let Some(topic) = spec.topic {
        body["message_thread_id"] = topic.into();
    }
    Request::json("POST", method(spec, "sendMessage"), &body)
}

fn number_of(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| 0 < *number)
}

/// Telegram's words for a message that was deleted.
const GONE: &[&str] = &["message to be replied not found", "message to reply not found", "reply message not found"];

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
    use crate::model::verdict::Verdict;
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
    fn what_follows_answers_the_first_message_which_then_says_that_it_is_over() {
        let world = samples::World::recovered(Verdict::Up).after("-1001:42");
        let posted = samples::answer(200, r#"{"ok":true}"#, None);
        samples::assert_conversation("telegram-thread", &ChannelSpec::Telegram(spec()), &world, &[posted]);
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
