//! The `incident_io` channel: alert events of an HTTP source, all of a monitor's under one key.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::IncidentIoSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::MARKDOWN;
use crate::notifier::compose::Message;
use crate::notifier::compose::Phase;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Lists do not show more of a title.
const TITLE: Limit = Limit::chars(250);
const TEXT: Limit = Limit::chars(10_000);

impl Kind for IncidentIoSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        Request::json("POST", self.url.as_str(), &body(message)).bearer(&self.token)
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["type"].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "incident.io", wait: None, word, known: KNOWN }, now)
    }
}

/// incident.io's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("authentication_error", "the token is not that of this alert source"),
    ("not_found", "the alert source does not exist (any more)"),
    ("validation_error", "it did not understand the message"),
];

fn body(message: &Message<'_>) -> Value {
    let status = match message.phase() {
        Phase::Over => "resolved",
        Phase::Firing | Phase::Notice => "firing",
    };
    let mut body = json!({
        "title": within(&message.title(), TITLE, escape::plain),
        "description": message.text(&MARKDOWN, TEXT),
        "deduplication_key": message.alarm(),
        "status": status,
        "metadata": message.payload(),
    });
    if let Some(url) = message.click() {
        body["source_url"] = url.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> IncidentIoSpec {
        IncidentIoSpec { url: "https://api.incident.io/v2/alert_events/http/01ABC".to_owned(), token: Secret::new("canary") }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::IncidentIo(spec()));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["title"].as_str().is_some_and(|text| (1..=250).contains(&text.chars().count())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (202, r#"{"status":"success"}"#, None, "accepted"),
                (
                    401,
                    r#"{"type":"authentication_error","errors":[{"message":"canary"}]}"#,
                    None,
                    "permanent: incident.io answered 401 (authentication_error)",
                ),
                (404, r#"{"type":"not_found"}"#, None, "permanent: incident.io answered 404"),
                (429, "", None, "transient"),
            ],
        );
    }
}
