//! The `discord` channel: an embed by a webhook.
//!
//! Mentions are switched off for the whole message (`allowed_mentions`), so that even one that got through the escaping calls nobody.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::DiscordSpec;
use crate::model::notification::ServiceId;
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
use crate::notifier::request::encoded;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;
use crate::notifier::text;
use crate::notifier::thread;
use crate::notifier::thread::Threaded;
use crate::notifier::thread::begins;

/// What Discord takes; it counts as JavaScript does. The title, the text and the footer stay below the 6000 of all together.
const TITLE: Limit = Limit::utf16(256);
const TEXT: Limit = Limit::utf16(4096);
const FOOTER: Limit = Limit::utf16(1024);
const CONTENT: Limit = Limit::utf16(2000);

impl Kind for DiscordSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let url = self.url.reveal_for_use();
        let separator = if url.contains('?') { '&' } else { '?' };
        let thread = self.thread.as_deref().map(|id| format!("&thread_id={}", encoded(id))).unwrap_or_default();
        // Without `wait` Discord says that all is well before it has looked.
        Request::json("POST", format!("{url}{separator}wait=true{thread}"), &body(message))
    }

    fn called(&self, message: &Message<'_>, answers: &[Answer]) -> Option<ServiceId> {
        let answer = answers.first().filter(|_| begins(message))?.json();
        answer["id"].as_str().filter(|id| is_snowflake(id)).and_then(ServiceId::parse)
    }

    fn has_arrived(&self, message: &Message<'_>, answers: &[Answer]) -> bool {
        thread::has_arrived(self, message, answers)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        thread::next(self, message, answers)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let code = body["code"].as_u64().unwrap_or_default().to_string();
        judge_said(answer, &Said { service: "Discord", wait: body["retry_after"].as_f64(), word: &code, known: KNOWN }, now)
    }
}

/// Webhooks can neither answer a message nor open a thread beneath one, but they can edit their own.
impl Threaded for DiscordSpec {
    fn first<'a>(&self, id: &'a ServiceId) -> Option<&'a str> {
        Some(id.as_str()).filter(|id| is_snowflake(id))
    }

    fn answering(&self, message: &Message<'_>, _: &str) -> Request {
        self.request(message)
    }

    fn is_gone(&self, _: &Answer) -> bool {
        false
    }

    /// What the message said stays; a line above it says how it ended.
    fn mark_over(&self, message: &Message<'_>, first: &str) -> Request {
        let url = self.url.reveal_for_use();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let thread = self.thread.as_deref().map(|id| format!("thread_id={}", encoded(id)));
        let query: Vec<String> = thread.into_iter().chain((!query.is_empty()).then(|| query.to_owned())).collect();
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("{}/messages/{}{separator}{}", path.trim_end_matches('/'), encoded(first), query.join("&"));
        let text = within(&format!("{} Over: {}", message.tone().sign(), text::over(message.notification)), CONTENT, escape::markdown);
        Request::json("PATCH", url, &json!({"content": text, "allowed_mentions": {"parse": []}}))
    }
}

/// Whether this may be an id of Discord's: a number of 64 bits.
fn is_snowflake(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Discord's numbers for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("10003", "the thread or channel does not exist (any more)"),
    ("10015", "the webhook was deleted; create a new one"),
    ("50027", "the webhook's address is not right"),
    ("50035", "it did not understand the message"),
    ("160005", "the thread is locked"),
    ("220001", "the webhook belongs to a forum; set `thread`"),
];

fn body(message: &Message<'_>) -> Value {
    let tone = message.tone();
    let mut embed = json!({
        "title": within(&format!("{} {}", tone.sign(), message.title()), TITLE, escape::markdown),
        "description": message.text(&MARKDOWN, TEXT),
        "color": tone.colour_number(),
        "timestamp": message.notification.at.rfc3339(),
        "footer": {"text": within(&message.footer(), FOOTER, escape::plain)},
    });
    if let Some(url) = message.click().filter(|url| has_public_host(url)) {
        embed["url"] = url.into();
    }
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}})
}

/// Discord refuses a whole message for the address of a host without a dot, such as one of a home network. The text has the link anyway.
fn has_public_host(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(|host| host.contains('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::notification::EventKind;
    use crate::model::secret::Secret;
    use crate::model::verdict::Verdict;
    use crate::notifier::samples;

    fn spec() -> DiscordSpec {
        DiscordSpec { url: Secret::new("https://discord.example/api/webhooks/1/canary"), thread: Some("42".to_owned()) }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Discord(spec()));
    }

    #[test]
    fn the_first_message_says_that_it_is_over() {
        let world = samples::World::recovered(Verdict::Up).after("42");
        let posted = samples::answer(200, "{\"id\":\"43\"}", None);
        samples::assert_conversation("discord-thread", &ChannelSpec::Discord(spec()), &world, &[posted]);
        let mut world = samples::World::hostile().after("42");
        world.notification.event = EventKind::Recovered;
        let request = spec().mark_over(&world.message(), "42");
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        let text = body["content"].as_str().expect("a text");
        assert!(CONTENT.unit.of(text) <= CONTENT.max && !text.contains("@everyone"), "{text}");
    }

    #[test]
    fn texts_fit_and_call_nobody() {
        let body = samples::hostile_body(&spec());
        let embed = &body["embeds"][0];
        for (field, limit) in [(&embed["title"], TITLE), (&embed["description"], TEXT), (&embed["footer"]["text"], FOOTER)] {
            assert!(limit.unit.of(field.as_str().expect("a text")) <= limit.max, "{field}");
        }
        let text = body.to_string();
        assert!(!text.contains("@everyone") && !text.contains("\\n**b**"), "{text}");
        assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    }

    #[test]
    fn addresses_that_discord_would_refuse_stand_only_in_the_text() {
        for (url, expected) in [("http://nas:8080", None), ("http://192.0.2.1:8080", Some("http://192.0.2.1:8080/incidents/k3v9q2m7x4t1a"))]
        {
            let mut world = samples::World::down();
            world.links =
                crate::notifier::payload::Links::new(&crate::config::Server { public_url: Some(url.to_owned()), ..samples::server() });
            let body = body(&world.message());
            assert_eq!(body["embeds"][0]["url"].as_str(), expected);
            assert!(
                body["embeds"][0]["description"].as_str().is_some_and(|text| text.contains(&format!("[Incident]({url}/incidents/"))),
                "{body}"
            );
        }
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "{\"id\":\"1\"}", None, "accepted"),
                (204, "", None, "accepted"),
                (429, "{\"message\":\"canary\",\"retry_after\":64.57,\"global\":false}", None, "later 64: answered 429"),
                (429, "{\"retry_after\":0.2}", Some("7"), "later 7"),
                (404, "{\"code\":10015}", None, "permanent: Discord answered 404 (10015): the webhook was deleted"),
                (401, "{\"message\":\"canary\"}", None, "permanent: answered 401"),
                (502, "<html>canary", None, "transient"),
            ],
        );
    }
}
