//! The `zulip` channel: a message of a bot to a Zulip channel, each monitor in its own topic.
//!
//! Zulip's Markdown has no escapes, so signs that would mean something are followed by a character without width.

use crate::model::channel::spec::ZulipSpec;
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

/// What Zulip takes, in characters.
const TOPIC: Limit = Limit::chars(60);
const TEXT: Limit = Limit::chars(9900);

/// Where messages about many monitors at once stand.
const TOPIC_OF_SEVERAL: &str = "several monitors";

impl Kind for ZulipSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let own = || if message.parts().is_empty() { message.payload().monitor_name } else { TOPIC_OF_SEVERAL.to_owned() };
        let topic = self.topic.clone().unwrap_or_else(own);
        let topic = within(&topic, TOPIC, escape::plain);
        let content = format!("{} {}", message.tone().sign(), message.text(&GAPPED, TEXT));
        let fields = [("type", "stream"), ("to", self.channel.as_str()), ("topic", &topic), ("content", &content)];
        Request::form(format!("{}/api/v1/messages", self.url), &fields).basic(&self.email, &self.api_key)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["code"].as_str().unwrap_or_default();
        let wait = body["retry-after"].as_f64();
        judge_said(answer, &Said { service: "Zulip", wait, word, known: KNOWN }, now)
    }
}

/// Zulip's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("stream_does_not_exist", "the channel does not exist"),
    ("invalid_api_key", "the bot's email address or API key is not right"),
    ("unauthorized", "the bot's email address or API key is not right"),
    ("user_deactivated", "the bot is deactivated"),
    ("realm_deactivated", "the organisation is deactivated"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> ZulipSpec {
        ZulipSpec {
            url: "https://zulip.example".to_owned(),
            email: "vigilmon-bot@zulip.example".to_owned(),
            api_key: Secret::new("canary"),
            channel: "ops & more".to_owned(),
            topic: None,
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Zulip(spec()));
    }

    #[test]
    fn texts_fit_and_call_nobody() {
        let request = spec().request(&samples::World::hostile().message());
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        let [_, (_, to), (_, topic), (_, content)] = fields.as_slice() else { panic!("{fields:?}") };
        assert_eq!(to, "ops & more");
        assert!(topic.chars().count() <= 60 && content.chars().count() <= 10_000, "{topic} {}", content.chars().count());
        assert!(!content.contains("@all") && !samples::without_code(content).contains("**b**"), "{content}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, r#"{"result":"success"}"#, None, "accepted"),
                (429, r#"{"code":"RATE_LIMIT_HIT","retry-after":28.7}"#, None, "later 28"),
                (
                    400,
                    r#"{"code":"STREAM_DOES_NOT_EXIST","msg":"canary"}"#,
                    None,
                    "permanent: Zulip answered 400 (stream_does_not_exist): the channel",
                ),
                (401, r#"{"code":"INVALID_API_KEY"}"#, None, "permanent: Zulip answered 401"),
            ],
        );
    }
}
