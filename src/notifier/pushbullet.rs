//! The `pushbullet` channel: a push to one's devices, or to the subscribers of a channel.
//!
//! The message's key is the push's `guid`, by which Pushbullet knows a repeat.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::PushbulletSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Phones do not show more.
const TEXT: Limit = Limit::chars(3000);
const TITLE: Limit = Limit::chars(250);

impl Kind for PushbulletSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut body = body(message);
        for (name, value) in [("device_iden", &self.device), ("channel_tag", &self.channel)] {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        Request::json("POST", format!("{}/v2/pushes", self.api_url), &body).with("access-token", self.token.reveal_for_use())
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["error"]["code"].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "Pushbullet", wait: None, word, known: KNOWN }, now)
    }
}

/// Pushbullet's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("invalid_access_token", "the access token is not valid (any more)"),
    ("pushbullet_pro_required", "the account has used up its pushes of this month"),
    ("invalid_request", "it did not understand the message, or the device or channel does not exist"),
];

fn body(message: &Message<'_>) -> Value {
    let mut body = json!({
        "type": "note",
        "title": within(&format!("{} {}", message.tone().sign(), message.title()), TITLE, escape::plain),
        "body": message.text(&PLAIN, TEXT),
        "guid": message.notification.key,
    });
    if let Some(url) = message.click() {
        body["type"] = "link".into();
        body["url"] = url.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> PushbulletSpec {
        PushbulletSpec {
            token: Secret::new("canary"),
            device: Some("ujpah72o0".to_owned()),
            channel: None,
            api_url: "https://api.pushbullet.com".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Pushbullet(spec()));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["body"].as_str().is_some_and(|text| (1..=3000).contains(&text.chars().count())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "{}", None, "accepted"),
                (
                    401,
                    r#"{"error":{"code":"invalid_access_token","message":"canary"}}"#,
                    None,
                    "permanent: Pushbullet answered 401 (invalid_access_token)",
                ),
                (429, "", Some("12"), "later 12"),
                (500, "", None, "transient"),
            ],
        );
    }
}
