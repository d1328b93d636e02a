//! The `opsgenie` channel: an alert under the monitor's alias, acknowledged when somebody is at work on it, closed when it is over.
//! A snooze is one there too, and when nobody is at work on it any more the alert is not acknowledged any more either.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::OpsgenieSpec;
use crate::model::notification::EventKind;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::compose::Phase;
use crate::notifier::compose::Tone;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// What Opsgenie takes, in characters.
const TITLE: Limit = Limit::chars(130);
const TEXT: Limit = Limit::chars(15_000);
const ALIAS: Limit = Limit::chars(512);
const TAG: Limit = Limit::chars(50);
const N_TAGS_MAX: usize = 20;
const VALUE: Limit = Limit::chars(500);
const USER: Limit = Limit::chars(100);

const SOURCE: &str = "vigilmon";

impl Kind for OpsgenieSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let alias = within(&message.alarm(), ALIAS, escape::plain);
        let (path, body) = match message.phase() {
            Phase::Over => {
                let note = within(&message.payload().text, TEXT, escape::plain);
                (format!("alerts/{}/close?identifierType=alias", encoded(&alias)), json!({"source": SOURCE, "note": note}))
            }
            Phase::Firing if message.notification.event == EventKind::Acknowledged => {
                let (action, body) = acknowledgement(message);
                (format!("alerts/{}/{action}?identifierType=alias", encoded(&alias)), body)
            }
            Phase::Firing | Phase::Notice => ("alerts".to_owned(), self.alert(message, &alias)),
        };
        self.post(&path, &body)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        match answers {
            // While an alert is acknowledged Opsgenie counts what comes to it, and calls nobody.
            [] if message.calls_again() => {
                let alias = within(&message.alarm(), ALIAS, escape::plain);
                let body = json!({"source": SOURCE, "note": within(&message.payload().text, TEXT, escape::plain)});
                Ok(Some(self.post(&format!("alerts/{}/unacknowledge?identifierType=alias", encoded(&alias)), &body)))
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
        let word = body["message"].as_str().unwrap_or_default();
        // Somebody has deleted the alert that was to be closed or acknowledged; then there is nothing left of it.
        if answer.status == 404 && word.to_ascii_lowercase().contains("alert") {
            return Ok(());
        }
        judge_said(answer, &Said { service: "Opsgenie", wait: None, word, known: KNOWN }, now)
    }
}

impl OpsgenieSpec {
    fn post(&self, path: &str, body: &Value) -> Request {
        let authorization = format!("GenieKey {}", self.api_key.reveal_for_use());
        Request::json("POST", format!("{}/v2/{path}", self.api_url), body).with("authorization", authorization)
    }

    fn alert(&self, message: &Message<'_>, alias: &str) -> Value {
        let payload = message.payload();
        let priority = match message.tone() {
            Tone::Bad => self.priority,
            Tone::Warning => "P3",
            Tone::Good | Tone::Neutral => "P5",
        };
        let details: serde_json::Map<String, Value> =
            message.details().into_iter().map(|(label, value)| (label.to_owned(), within(&value, VALUE, escape::plain).into())).collect();
        json!({
            "message": within(&message.title(), TITLE, escape::plain),
            "alias": alias,
            "description": message.text(&PLAIN, TEXT),
            "entity": within(&payload.monitor_name, VALUE, escape::plain),
            "source": SOURCE,
            "priority": priority,
            "tags": self.tags.iter().take(N_TAGS_MAX).map(|tag| within(tag, TAG, escape::plain)).collect::<Vec<_>>(),
            "details": details,
        })
    }
}

/// Who is at work on it, so that Opsgenie calls nobody else; or until when nobody wants to hear of it, after which Opsgenie calls again.
fn acknowledgement(message: &Message<'_>) -> (&'static str, Value) {
    let mut body = json!({"source": SOURCE, "note": within(&message.payload().text, TEXT, escape::plain)});
    let Some(known) = message.facts().and_then(|facts| facts.alert.acknowledged.as_ref()) else { return ("acknowledge", body) };
    body["user"] = within(&known.by, USER, escape::plain).into();
    let Some(until) = known.until else { return ("acknowledge", body) };
    body["endTime"] = until.rfc3339().into();
    ("snooze", body)
}

/// Opsgenie's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("key format is not valid", "`api_key` is not the key of an API integration"),
    ("api key", "`api_key` is not (any more) the key of an API integration, or of another region"),
    ("could not authenticate", "`api_key` is not (any more) the key of an API integration, or of another region"),
    ("not allowed", "the integration may not create alerts"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::notification::Again;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> OpsgenieSpec {
        OpsgenieSpec {
            api_key: Secret::new("canary"),
            priority: "P1",
            tags: vec!["vigilmon".to_owned()],
            api_url: "https://api.opsgenie.com".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Opsgenie(spec()));
    }

    #[test]
    fn an_acknowledgement_reaches_the_alert_and_opens_no_other() {
        let world = samples::World::acknowledged();
        samples::assert_conversation("opsgenie-acknowledge", &ChannelSpec::Opsgenie(spec()), &world, &[]);
        let request = spec().request(&world.message());
        assert!(request.url.reveal_for_use().ends_with("/v2/alerts/vigilmon%3Aprod-us-api-health/acknowledge?identifierType=alias"));
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        assert_eq!((&body["user"], &body["source"]), (&"ada".into(), &"vigilmon".into()));
    }

    #[test]
    fn a_snooze_has_an_end_and_an_acknowledgement_that_is_over_is_taken_back() {
        for (name, world, actions) in [
            ("opsgenie-snooze", samples::World::snoozed(), &["snooze"][..]),
            ("opsgenie-snooze-over", samples::World::again(Again::SnoozeOver), &["unacknowledge", "alerts"]),
            ("opsgenie-withdrawn", samples::World::again(Again::Withdrawn), &["unacknowledge", "alerts"]),
            ("opsgenie-again", samples::World::again(Again::Escalation), &["alerts"]),
        ] {
            let answers = vec![samples::answer(202, "{}", None); actions.len()];
            for (n, action) in actions.iter().enumerate() {
                let request = spec().next(&world.message(), &answers[..n]).expect("accepted").expect("a request");
                let path = request.url.reveal_for_use().split('?').next().unwrap_or_default().to_owned();
                assert!(path.ends_with(action), "{name}: {path}");
            }
            assert_eq!(spec().next(&world.message(), &answers), Ok(None), "{name}");
            samples::assert_conversation(name, &ChannelSpec::Opsgenie(spec()), &world, &answers);
        }
        // Opsgenie has forgotten it, so that it is a new one.
        let world = samples::World::again(Again::Withdrawn);
        let gone = samples::answer(404, r#"{"message":"Alert does not exist"}"#, None);
        assert!(spec().next(&world.message(), &[gone]).expect("no failure").is_some());
        let busy = samples::answer(503, "", None);
        assert!(spec().next(&world.message(), &[busy]).is_err());
    }

    #[test]
    fn texts_fit() {
        let tags = (0..30).map(|n| format!("{n} {}", "t".repeat(80))).collect();
        let body = samples::hostile_body(&OpsgenieSpec { tags, ..spec() });
        let tags = body["tags"].as_array().expect("a list");
        assert!(tags.len() == 20 && tags.iter().all(|tag| tag.as_str().is_some_and(|tag| tag.chars().count() <= 50)), "{tags:?}");
        for (field, max) in [("message", 130), ("description", 15_000), ("alias", 512), ("entity", 512)] {
            assert!(body[field].as_str().is_some_and(|text| (1..=max).contains(&text.chars().count())), "{field}");
        }
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (202, r#"{"result":"Request will be processed"}"#, None, "accepted"),
                (
                    422,
                    r#"{"message":"Key format is not valid! canary"}"#,
                    None,
                    "permanent: Opsgenie answered 422 (key format is not valid)",
                ),
                (403, r#"{"message":"You are not allowed"}"#, None, "permanent: Opsgenie answered 403"),
                (404, r#"{"message":"Alert does not exist"}"#, None, "accepted"),
                (404, "", None, "permanent: answered 404"),
                (429, r#"{"message":"You are making too many requests!"}"#, Some("3"), "later 3"),
                (503, "", None, "transient"),
            ],
        );
    }
}
