//! The `teams` channel: an adaptive card to a workflow of Microsoft Teams that waits for webhooks.
//!
//! Values stand in `TextRun`s, which are never read as Markdown; so nothing needs to be escaped.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::TeamsSpec;
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
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Teams refuses a message of more than about 28 KiB, counted in UTF-16. All texts together stay well below.
const SENTENCE: Limit = Limit::utf16(1500);
const VALUE: Limit = Limit::utf16(500);

/// Room for the lines of many messages in one; what a card needs around each line is more than twice as much.
const BUNDLE: Limit = Limit::utf16(8000);

impl Kind for TeamsSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        Request::json("POST", self.url.reveal_for_use(), &body(message))
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        judge_status(answer.status, answer.retry_after.as_deref(), now)?;
        // The webhooks of before the workflows say "fine" and mean this.
        let said = std::str::from_utf8(&answer.body).unwrap_or_default();
        if said.contains("Webhook message delivery failed") || said.contains("returned HTTP error 429") {
            return Err(SendError::Transient("Teams answered 200, and that the message was not delivered".to_owned()));
        }
        Ok(())
    }
}

fn body(message: &Message<'_>) -> Value {
    let tone = message.tone();
    let colour = match tone {
        Tone::Bad => "Attention",
        Tone::Warning => "Warning",
        Tone::Good => "Good",
        Tone::Neutral => "Default",
    };
    let title = within(&format!("{} {}", tone.sign(), message.title()), VALUE, escape::plain);
    let payload = message.payload();
    let mut blocks = vec![
        rich(&[json!({"type": "TextRun", "text": title, "weight": "Bolder", "size": "Medium", "color": colour})]),
        rich(&[run(&within(&message.sentence(), SENTENCE, escape::plain))]),
    ];
    for (label, value) in message.details() {
        let label = json!({"type": "TextRun", "text": format!("{label}: "), "weight": "Bolder"});
        blocks.push(rich(&[label, run(&within(&value, VALUE, escape::plain))]));
    }
    if !message.parts().is_empty() {
        blocks.extend(message.detail_lines(&PLAIN, BUNDLE).iter().map(|line| rich(&[run(line)])));
    }
    if !payload.evidence.is_empty() {
        let evidence = within(&payload.evidence, VALUE, escape::plain);
        blocks.push(rich(&[json!({"type": "TextRun", "text": evidence, "fontType": "Monospace"})]));
    }
    blocks.push(rich(&[json!({"type": "TextRun", "text": within(&message.footer(), VALUE, escape::plain), "isSubtle": true})]));
    let links = message.pointers().into_iter().filter(|(_, url)| VALUE.unit.of(url) <= VALUE.max);
    let actions: Vec<Value> = links.map(|(label, url)| json!({"type": "Action.OpenUrl", "title": label, "url": url})).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "fallbackText": title,
                "body": blocks,
                "actions": actions,
            },
        }],
    })
}

fn rich(runs: &[Value]) -> Value {
    json!({"type": "RichTextBlock", "inlines": runs})
}

fn run(text: &str) -> Value {
    json!({"type": "TextRun", "text": text})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> TeamsSpec {
        TeamsSpec { url: Secret::new("https://prod.logic.example/workflows/canary?sig=canary") }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Teams(spec()));
    }

    #[test]
    fn a_card_fits_and_no_value_stands_where_markdown_is_read() {
        let body = samples::hostile_body(&spec());
        assert!(body.to_string().encode_utf16().count() * 2 <= 28 * 1024, "{}", body.to_string().encode_utf16().count());
        let blocks = body["attachments"][0]["content"]["body"].as_array().expect("blocks").clone();
        assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"), "{blocks:?}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (202, "", None, "accepted"),
                (200, "1", None, "accepted"),
                (200, "Webhook message delivery failed with error: canary returned HTTP error 429", None, "transient: Teams answered 200"),
                (429, "", Some("17"), "later 17"),
                (401, "canary", None, "permanent: answered 401"),
                (413, "", None, "permanent: answered 413"),
            ],
        );
    }
}
