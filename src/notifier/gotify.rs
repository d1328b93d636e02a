//! The `gotify` channel: a message of an application, marked up with Markdown.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::GotifySpec;
use crate::notifier::compose::MARKDOWN;
use crate::notifier::compose::Message;
use crate::notifier::compose::Tone;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Gotify itself has no limit; phones do not show more.
const TEXT: Limit = Limit::chars(4000);
const TITLE: Limit = Limit::chars(250);

/// Shown with a sound.
const PRIORITY_WARNING: u64 = 5;

/// Shown without one.
const PRIORITY_QUIET: u64 = 3;

impl Kind for GotifySpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut body = body(message);
        body["priority"] = match message.tone() {
            Tone::Bad => self.priority,
            Tone::Warning | Tone::Good => PRIORITY_WARNING.min(self.priority),
            Tone::Neutral => PRIORITY_QUIET.min(self.priority),
        }
        .into();
        Request::json("POST", format!("{}/message", self.url), &body).with("x-gotify-key", self.token.reveal_for_use())
    }
}

fn body(message: &Message<'_>) -> Value {
    let mut extras = json!({"client::display": {"contentType": "text/markdown"}});
    if let Some(url) = message.click() {
        extras["client::notification"] = json!({"click": {"url": url}});
    }
    json!({
        "title": within(&format!("{} {}", message.tone().sign(), message.title()), TITLE, escape::plain),
        "message": message.text(&MARKDOWN, TEXT),
        "extras": extras,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> GotifySpec {
        GotifySpec { url: "https://gotify.example/sub".to_owned(), token: Secret::new("canary"), priority: 8 }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Gotify(spec()));
    }

    #[test]
    fn texts_fit_and_nothing_is_formatted_by_a_name() {
        let body = samples::hostile_body(&spec());
        let text = body["message"].as_str().expect("a text");
        assert!(text.chars().count() <= TEXT.max && !samples::without_code(text).contains(" **b** "), "{text}");
    }

    #[test]
    fn nothing_is_louder_than_an_outage() {
        let spec = GotifySpec { priority: 2, ..spec() };
        for world in [samples::World::down(), samples::World::recovered(crate::model::verdict::Verdict::Up)] {
            assert!(spec.request(&world.message()).body.contains("\"priority\":2"));
        }
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "{}", None, "accepted"),
                (
                    401,
                    r#"{"error":"Unauthorized","errorDescription":"canary"}"#,
                    None,
                    "permanent: answered 401: it does not accept the credentials",
                ),
                (400, "", None, "permanent"),
                (503, "", None, "transient"),
            ],
        );
    }
}
