//! The `apprise` channel: an Apprise API server, which passes the message on to any of the services it knows.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::AppriseSpec;
use crate::model::channel::spec::AppriseTo;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::compose::Tone;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Apprise shortens further what the service behind it cannot take.
const TITLE: Limit = Limit::chars(250);
const TEXT: Limit = Limit::chars(16_000);

impl Kind for AppriseSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut body = body(message);
        let url = match &self.to {
            AppriseTo::Stored { key, tag } => {
                if let Some(tag) = tag {
                    body["tag"] = tag.as_str().into();
                }
                format!("{}/notify/{}", self.url, encoded(key.reveal_for_use()))
            }
            AppriseTo::Urls(urls) => {
                body["urls"] = urls.iter().map(|url| url.reveal_for_use().to_owned()).collect::<Vec<_>>().into();
                format!("{}/notify", self.url)
            }
        };
        Request::json("POST", url, &body).with("accept", "application/json")
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        match answer.status {
            204 => Err(SendError::Permanent("Apprise answered 204: nothing is configured under this key and tag".to_owned())),
            // It goes on to the others and says it at the end. A repeat reaches those again: a few times that is better than a message that
            // did not arrive, a whole day of it is not.
            424 => Err(SendError::Permanent("Apprise answered 424: not every service behind it took the message".to_owned())),
            status => judge_status(status, answer.retry_after.as_deref(), now),
        }
    }
}

fn body(message: &Message<'_>) -> Value {
    let kind = match message.tone() {
        Tone::Bad => "failure",
        Tone::Warning => "warning",
        Tone::Good => "success",
        Tone::Neutral => "info",
    };
    json!({
        "title": within(&message.title(), TITLE, escape::plain),
        "body": message.text(&PLAIN, TEXT),
        "type": kind,
        "format": "text",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> AppriseSpec {
        let to = AppriseTo::Stored { key: Secret::new("canary"), tag: Some("ops".to_owned()) };
        AppriseSpec { url: "http://apprise.example:8000".to_owned(), to }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Apprise(spec()));
    }

    #[test]
    fn urls_go_into_the_body_and_are_hidden_in_a_preview() {
        let to = AppriseTo::Urls(vec![Secret::new("tgram://1:canary/2"), Secret::new("json://canary")]);
        let spec = AppriseSpec { to, ..spec() };
        let world = samples::World::down();
        let request = spec.request(&world.message());
        assert_eq!(request.url.reveal_for_use(), "http://apprise.example:8000/notify");
        assert!(request.body.contains(r#""urls":["tgram://1:canary/2","json://canary"]"#), "{}", request.body);
        let masked = crate::notifier::preview::masked(&ChannelSpec::Apprise(spec));
        let shown = crate::notifier::preview::preview(&samples::channel("ops-webhook", masked), &world.message()).expect("a preview");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["body"].as_str().is_some_and(|text| (1..=16_000).contains(&text.chars().count())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "{}", None, "accepted"),
                (204, "", None, "permanent: Apprise answered 204: nothing is configured"),
                (424, "canary", None, "permanent: Apprise answered 424"),
                (400, "", None, "permanent: answered 400"),
                (500, "", None, "transient"),
            ],
        );
    }
}
