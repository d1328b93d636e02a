//! The `pagerduty` channel: events of the Events API v2, all of a monitor's under one key, so that PagerDuty keeps one incident of it and
//! resolves that by itself.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::PagerDutySpec;
use crate::model::notification::EventKind;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::Phase;
use crate::notifier::compose::Tone;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::payload::SENT_BY;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// What PagerDuty takes, in characters.
const SUMMARY: Limit = Limit::chars(1024);
const KEY: Limit = Limit::chars(255);

impl Kind for PagerDutySpec {
    fn request(&self, message: &Message<'_>) -> Request {
        self.event(body(message))
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        match answers {
            // Events can acknowledge an incident, but not take that back, and what is acknowledged calls nobody. A new one does.
            [] if message.calls_again() => {
                let key = within(&message.alarm(), KEY, escape::plain);
                Ok(Some(self.event(json!({"event_action": "resolve", "dedup_key": key}))))
            }
            [] => Ok(Some(self.request(message))),
            [first] if message.calls_again() => self.judge(first, message.now).map(|()| Some(self.request(message))),
            [.., last] => self.judge(last, message.now).map(|()| None),
        }
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["errors"][0].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "PagerDuty", wait: None, word, known: KNOWN }, now)
    }
}

impl PagerDutySpec {
    fn event(&self, mut body: Value) -> Request {
        body["routing_key"] = self.routing_key.reveal_for_use().into();
        Request::json("POST", format!("{}/v2/enqueue", self.api_url), &body)
    }
}

/// PagerDuty's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("invalid routing key", "`routing_key` is not the key of an Events API v2 integration"),
    // Before the next, which is a part of it.
    ("length of 'routing_key'", "`routing_key` is not whole"),
    ("'routing_key'", "`routing_key` is not the key of an Events API v2 integration"),
];

fn body(message: &Message<'_>) -> Value {
    let payload = message.payload();
    let key = within(&message.alarm(), KEY, escape::plain);
    if message.phase() == Phase::Over {
        return json!({"event_action": "resolve", "dedup_key": key});
    }
    if message.notification.event == EventKind::Acknowledged {
        return json!({"event_action": "acknowledge", "dedup_key": key});
    }
    let severity = match message.tone() {
        Tone::Bad => "critical",
        Tone::Warning => "warning",
        Tone::Good | Tone::Neutral => "info",
    };
    let links: Vec<Value> = message.pointers().into_iter().map(|(label, url)| json!({"href": url, "text": label})).collect();
    let source = if payload.url.is_empty() { &payload.monitor_name } else { &payload.url };
    let mut body = json!({
        "event_action": "trigger",
        "dedup_key": key,
        "client": SENT_BY,
        "links": links,
        "payload": {
            "summary": within(&payload.text, SUMMARY, escape::plain),
            "source": within(source, SUMMARY, escape::plain),
            "severity": severity,
            "timestamp": payload.started_at,
            "component": within(&payload.monitor_name, SUMMARY, escape::plain),
            "group": payload.group,
            "class": payload.cause_code,
            "custom_details": payload,
        },
    });
    if let Some(url) = message.click() {
        body["client_url"] = url.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::notification::Again;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> PagerDutySpec {
        PagerDutySpec {
            routing_key: Secret::new("canary"),
            api_url: "https://events.pagerduty.com".to_owned(),
            webhook_secrets: Vec::new(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::PagerDuty(spec()));
    }

    #[test]
    fn who_is_not_at_work_on_it_any_more_is_called_by_a_new_incident() {
        let accepted = samples::answer(202, r#"{"status":"success"}"#, None);
        for (world, expected) in [
            (samples::World::acknowledged(), &["acknowledge"][..]),
            (samples::World::again(Again::Reminder(2)), &["trigger"]),
            (samples::World::again(Again::SnoozeOver), &["resolve", "trigger"]),
            (samples::World::again(Again::Withdrawn), &["resolve", "trigger"]),
        ] {
            let mut answers = Vec::new();
            while let Some(request) = spec().next(&world.message(), &answers).expect("accepted") {
                let body: Value = serde_json::from_str(&request.body).expect("JSON");
                assert_eq!((&body["event_action"], &body["routing_key"]), (&expected[answers.len()].into(), &"canary".into()));
                assert_eq!(body["dedup_key"], "vigilmon:prod-us-api-health");
                answers.push(accepted.clone());
            }
            assert_eq!(answers.len(), expected.len());
        }
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        for field in ["summary", "source", "component"] {
            assert!(body["payload"][field].as_str().is_some_and(|text| (1..=1024).contains(&text.chars().count())), "{field}");
        }
    }

    #[test]
    fn what_degraded_and_then_went_down_and_recovered_is_one_incident() {
        let worlds = [samples::World::degraded(), samples::World::down(), samples::World::recovered(crate::model::verdict::Verdict::Up)];
        let said: Vec<String> = worlds
            .iter()
            .map(|world| body(&world.message()))
            .map(|body| format!("{} {}", body["event_action"], body["dedup_key"]))
            .collect();
        let key = "\"vigilmon:prod-us-api-health\"";
        assert_eq!(said, [format!("\"trigger\" {key}"), format!("\"trigger\" {key}"), format!("\"resolve\" {key}")]);
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (202, r#"{"status":"success"}"#, None, "accepted"),
                (
                    400,
                    r#"{"status":"invalid event","errors":["Invalid routing key canary"]}"#,
                    None,
                    "permanent: PagerDuty answered 400 (invalid routing key)",
                ),
                (
                    400,
                    r#"{"errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}"#,
                    None,
                    "permanent: PagerDuty answered 400 (length of 'routing_key'): `routing_key` is not whole",
                ),
                (400, r#"{"errors":["canary"]}"#, None, "permanent: answered 400"),
                (429, "", Some("60"), "later 60"),
                (500, "", None, "transient"),
            ],
        );
    }
}
