//! The `webhook` channel: our JSON, or the user's own body, to an address of the user's.
//!
//! With a `secret` the request is signed, so that the receiver can tell it from a forged or replayed one:
//!
//! ```text
//! X-Vigilmon-Timestamp: 1782814980
//! X-Vigilmon-Signature: sha256=<lower-case hex of HMAC-SHA256(secret, "1782814980" + "." + body)>
//! ```
//!
//! What is signed is the decimal timestamp, a full stop, and the bytes of the body as they were sent. The timestamp is that of the
//! attempt; a receiver refuses signatures that are older than a few minutes, and repeats by `Idempotency-Key`.

use data_encoding::HEXLOWER;
use ring::hmac;

use crate::model::channel::Escaping;
use crate::model::channel::WebhookSpec;
use crate::model::notification::Notification;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::kind::Kind;
use crate::notifier::payload::Links;
use crate::notifier::payload::json;
use crate::notifier::request::Request;
use crate::notifier::template::fill;

/// Headers a user cannot set, because a wrong one would break the framing of the request.
const NOT_OURS_TO_CHANGE: [&str; 4] = ["content-length", "transfer-encoding", "connection", "host"];

impl Kind for WebhookSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        request(self, message.notification, message.links, message.now)
    }

    // The body of the answer is not looked at, and never shown: it may hold what an address inside the network says to those who
    // can reach it.
}

fn request(spec: &WebhookSpec, notification: &Notification, links: &Links, now: UnixMillis) -> Request {
    let (body, content_type) = match &spec.body {
        // GET has no body; the address is all there is.
        _ if spec.method == "GET" => (String::new(), None),
        None => (json(notification, links), Some("application/json")),
        Some(template) => (
            fill(template, notification, links),
            Some(match template.escaping {
                Escaping::Json => "application/json",
                Escaping::Form => "application/x-www-form-urlencoded",
                Escaping::Xml => "application/xml; charset=utf-8",
                Escaping::Text => "text/plain; charset=utf-8",
            }),
        ),
    };
    let mut headers = vec![("idempotency-key".to_owned(), Secret::new(notification.key.clone()))];
    headers.extend(content_type.map(|kind| ("content-type".to_owned(), Secret::new(kind))));
    if let Some(secret) = &spec.secret {
        let timestamp = now.0.div_euclid(1000).to_string();
        headers.push(("x-vigilmon-signature".to_owned(), Secret::new(signature(secret, &timestamp, &body))));
        headers.push(("x-vigilmon-timestamp".to_owned(), Secret::new(timestamp)));
    }
    for (name, value) in &spec.headers {
        let name = name.to_ascii_lowercase();
        if !NOT_OURS_TO_CHANGE.contains(&name.as_str()) {
            headers.retain(|(ours, _)| *ours != name);
            headers.push((name, value.clone()));
        }
    }
    Request { method: spec.method.clone(), url: spec.url.clone(), headers, body }
}

fn signature(secret: &Secret, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal_for_use().as_bytes());
    let tag = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    format!("sha256={}", HEXLOWER.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::channel::Slot;
    use crate::model::channel::Template;
    use crate::model::channel::TemplatePart;
    use crate::notifier::samples;

    fn made(spec: &WebhookSpec) -> Request {
        request(spec, &samples::notification(samples::facts()), &Links::new(&samples::server()), samples::TEN_TWENTY_THREE)
    }

    fn header<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
        request.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.reveal_for_use()).collect()
    }

    #[test]
    fn messages_read_exactly_so() {
        let mut spec = samples::webhook("https://ops.example.com/canary?key=canary");
        spec.secret = Some(Secret::new("canary"));
        spec.headers = vec![("Authorization".to_owned(), Secret::new("Bearer canary"))];
        samples::assert_golden(&ChannelSpec::Webhook(spec));
    }

    #[test]
    fn the_signature_is_what_the_documentation_says() {
        let mut spec = samples::webhook("https://ops.example.com/hook");
        spec.secret = Some(Secret::new("key"));
        spec.body = Some(Template { parts: vec![TemplatePart::Text("The quick brown fox".to_owned())], escaping: Escaping::Text });
        let request = made(&spec);
        assert_eq!(header(&request, "x-vigilmon-timestamp"), ["1782814980"]);
        // printf %s '1782814980.The quick brown fox' | openssl dgst -sha256 -hmac key
        assert_eq!(header(&request, "x-vigilmon-signature"), [GOLDEN_SIGNATURE]);
    }

    const GOLDEN_SIGNATURE: &str = "sha256=c3ab4f3672c63689ffceb6fd2fb13d42674dea1b06abb5866fef72f3d5bf7681";

    #[test]
    fn users_headers_replace_ours_but_not_the_framing() {
        let mut spec = samples::webhook("https://ops.example.com/hook");
        spec.headers = vec![
            ("Content-Type".to_owned(), Secret::new("application/vnd.x+json")),
            ("Content-Length".to_owned(), Secret::new("0")),
            ("Authorization".to_owned(), Secret::new("Bearer t")),
        ];
        let request = made(&spec);
        assert_eq!(header(&request, "content-type"), ["application/vnd.x+json"]);
        assert_eq!(header(&request, "authorization"), ["Bearer t"]);
        assert!(header(&request, "content-length").is_empty());
        assert_eq!(header(&request, "idempotency-key"), ["k3v9q2m7x4t1a:down:ops-webhook"]);
        assert!(header(&request, "x-vigilmon-signature").is_empty());
    }

    #[test]
    fn an_own_body_has_its_own_type_and_get_has_none() {
        let mut spec = samples::webhook("https://ops.example.com/hook");
        spec.body = Some(Template { parts: vec![TemplatePart::Slot(Slot::Status)], escaping: Escaping::Text });
        let request = made(&spec);
        assert_eq!((request.body.as_str(), header(&request, "content-type")), ("down", vec!["text/plain; charset=utf-8"]));
        spec.method = "GET".to_owned();
        let request = made(&spec);
        assert_eq!((request.body.as_str(), header(&request, "content-type")), ("", vec![]));
    }
}
