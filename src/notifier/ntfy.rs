//! The `ntfy` channel: a message to a topic, published as JSON.
//!
//! All messages about a monitor have the same sequence id, so that newer servers and apps replace the notification instead of adding one.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::NtfyCredentials;
use crate::model::channel::spec::NtfySpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::compose::Tone;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// ntfy turns a message of more than 4096 bytes into a file.
const TEXT: Limit = Limit::bytes(3900);
const TITLE: Limit = Limit::bytes(250);

/// ntfy shows three buttons, and an address has to fit into its limit for the whole.
const N_ACTIONS_MAX: usize = 3;
const ADDRESS: usize = 500;

/// What everything but an outage has, unless outages have less.
const PRIORITY_NORMAL: u64 = 3;

impl Kind for NtfySpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut body = body(message);
        body["topic"] = self.topic.reveal_for_use().into();
        body["priority"] = if message.tone() == Tone::Bad { self.priority } else { PRIORITY_NORMAL.min(self.priority) }.into();
        let request = Request::json("POST", format!("{}/", self.url), &body);
        match &self.credentials {
            None => request,
            Some(NtfyCredentials::Token(token)) => request.bearer(token),
            Some(NtfyCredentials::Password { user, password }) => request.basic(user, password),
        }
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let code = answer.json()["code"].as_u64().unwrap_or_default().to_string();
        judge_said(answer, &Said { service: "ntfy", wait: None, word: &code, known: KNOWN }, now)
    }
}

/// ntfy's numbers for refusals.
/// Of the links those that become buttons first, because there are few: touching the message itself opens the incident.
const BUTTONS: [&str; 5] = ["Acknowledge", "Silence", "Runbook", "Incident", "Monitor"];

const KNOWN: &[(&str, &str)] = &[
    ("40009", "the topic's name is not one"),
    ("40024", "it did not understand the message"),
    ("40101", "the token, or the user and password, are not right"),
    ("40301", "the topic is protected, and these credentials may not write to it"),
];

fn body(message: &Message<'_>) -> Value {
    let tag = match message.tone() {
        Tone::Bad => "rotating_light",
        Tone::Warning => "warning",
        Tone::Good => "white_check_mark",
        Tone::Neutral => "information_source",
    };
    let mut links: Vec<(&str, String)> = message.pointers().into_iter().filter(|(_, url)| url.len() <= ADDRESS).collect();
    links.sort_by_key(|(label, _)| BUTTONS.iter().position(|known| known == label));
    let actions: Vec<Value> =
        links.iter().take(N_ACTIONS_MAX).map(|(label, url)| json!({"action": "view", "label": label, "url": url})).collect();
    let mut body = json!({
        "title": within(&message.title(), TITLE, escape::plain),
        "message": message.text(&PLAIN, TEXT),
        "tags": [tag],
        "actions": actions,
        "sequence_id": message.alarm_short(),
    });
    if let Some(url) = message.click().filter(|url| url.len() <= ADDRESS) {
        body["click"] = url.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> NtfySpec {
        NtfySpec {
            url: "https://ntfy.sh".to_owned(),
            topic: Secret::new("canary-topic"),
            credentials: Some(NtfyCredentials::Password { user: "ops".to_owned(), password: Secret::new("canary") }),
            priority: 5,
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Ntfy(spec()));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["message"].as_str().is_some_and(|text| (1..=4096).contains(&text.len())), "{body}");
        assert!(body["title"].as_str().is_some_and(|text| text.len() <= 250), "{body}");
    }

    #[test]
    fn nothing_is_louder_than_an_outage() {
        let spec = NtfySpec { priority: 2, ..spec() };
        for world in [samples::World::down(), samples::World::recovered(crate::model::verdict::Verdict::Up)] {
            assert!(spec.request(&world.message()).body.contains("\"priority\":2"));
        }
    }

    #[test]
    fn a_token_goes_into_the_header_and_nowhere_else() {
        let spec = NtfySpec { credentials: Some(NtfyCredentials::Token(Secret::new("tk_1"))), ..spec() };
        let request = spec.request(&samples::World::down().message());
        assert!(request.headers.contains(&("authorization".to_owned(), Secret::new("Bearer tk_1"))));
        assert!(!request.body.contains("tk_1"));
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "{}", None, "accepted"),
                (403, r#"{"code":40301,"error":"canary"}"#, None, "permanent: ntfy answered 403 (40301): the topic is protected"),
                (401, r#"{"code":40101}"#, None, "permanent: ntfy answered 401"),
                (429, r#"{"code":42908}"#, None, "transient"),
                (507, "", None, "transient"),
            ],
        );
    }
}
