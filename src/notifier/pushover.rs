//! The `pushover` channel: a message to a user or a group.
//!
//! With `emergency` an outage rings until somebody acknowledges it: in the app, or anywhere else. The message that says so, and the recovery, stop
//! the ringing first, by the tag that all messages about a monitor share.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::PushoverSpec;
use crate::model::notification::EventKind;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::compose::Tone;
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

/// What Pushover takes, in characters.
const TEXT: Limit = Limit::chars(1024);
const TITLE: Limit = Limit::chars(250);
const ADDRESS: Limit = Limit::chars(512);

/// How often an emergency rings again, and for how long at most; Pushover takes 30 s to 3 h.
const RING_EVERY_SECS: u64 = 60;
const RING_FOR_SECS: u64 = 3 * 3600;

const PRIORITY_QUIET: i64 = -1;
const PRIORITY_NORMAL: i64 = 0;
const PRIORITY_HIGH: i64 = 1;
const PRIORITY_EMERGENCY: i64 = 2;

impl Kind for PushoverSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        Request::json("POST", format!("{}/1/messages.json", self.api_url), &self.body(message))
    }

    fn manner(&self) -> Manner {
        // What rings until somebody answers is silenced by the end of the same monitor's trouble.
        if self.emergency { Manner::Apart } else { Manner::Together }
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["errors"][0].as_str().unwrap_or_default();
        judge_said(answer, &Said { service: "Pushover", wait: None, word, known: KNOWN }, now)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        // Also when it is merely slow from now on: what rang was the outage.
        let is_better = message.notification.event == EventKind::Recovered && message.tone() != Tone::Bad;
        let stops_ringing = self.emergency && (is_better || message.notification.event == EventKind::Acknowledged);
        match (stops_ringing, answers) {
            (true, []) => Ok(Some(self.stop_ringing(message))),
            // What became of that is not important: a phone that goes on ringing is better than nobody hearing of the end.
            (true, [_]) | (false, []) => Ok(Some(self.request(message))),
            (true, [_, answer, ..]) | (false, [answer, ..]) => self.judge(answer, message.now).map(|()| None),
        }
    }
}

impl PushoverSpec {
    fn stop_ringing(&self, message: &Message<'_>) -> Request {
        let url = format!("{}/1/receipts/cancel_by_tag/{}.json", self.api_url, message.alarm_short());
        Request::json("POST", url, &json!({"token": self.token.reveal_for_use()}))
    }

    fn body(&self, message: &Message<'_>) -> Value {
        let mut body = json!({
            "token": self.token.reveal_for_use(),
            "user": self.user.reveal_for_use(),
            "title": within(&format!("{} {}", message.tone().sign(), message.title()), TITLE, escape::plain),
            "message": message.text(&PLAIN, TEXT),
            "timestamp": message.notification.at.0.div_euclid(1000),
            "tags": message.alarm_short(),
        });
        let priority = match message.tone() {
            Tone::Bad if self.emergency => PRIORITY_EMERGENCY,
            Tone::Bad => PRIORITY_HIGH,
            Tone::Warning | Tone::Good => PRIORITY_NORMAL,
            Tone::Neutral => PRIORITY_QUIET,
        };
        body["priority"] = priority.into();
        if priority == PRIORITY_EMERGENCY {
            body["retry"] = RING_EVERY_SECS.into();
            body["expire"] = RING_FOR_SECS.into();
        }
        let click = message.click().filter(|url| ADDRESS.unit.of(url) <= ADDRESS.max);
        for (name, value) in [("device", &self.device), ("sound", &self.sound), ("url", &click)] {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        body
    }
}

/// Pushover's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("application token is invalid", "the application's token is not right"),
    ("user identifier is not", "the user's key is not right, or the user has no active device"),
    ("user key is invalid", "the user's key is not right"),
    ("device name is not valid", "the user has no such device"),
    ("message limit", "the application has used up its messages of this month"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> PushoverSpec {
        PushoverSpec {
            token: Secret::new("canary-token"),
            user: Secret::new("canary-user"),
            device: Some("phone".to_owned()),
            sound: None,
            emergency: true,
            api_url: "https://api.pushover.net".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Pushover(spec()));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["message"].as_str().is_some_and(|text| (1..=1024).contains(&text.chars().count())), "{body}");
        assert!(body["title"].as_str().is_some_and(|text| text.chars().count() <= 250), "{body}");
    }

    #[test]
    fn a_ringing_that_cannot_be_stopped_keeps_no_recovery_from_being_told() {
        let (spec, world) = (spec(), samples::World::recovered(crate::model::verdict::Verdict::Up));
        let refused = samples::answer(500, "", None);
        let next = spec.next(&world.message(), std::slice::from_ref(&refused)).expect("goes on").expect("a request");
        assert!(next.url.reveal_for_use().ends_with("/1/messages.json"));
        assert!(spec.next(&world.message(), &[refused.clone(), refused]).is_err());
    }

    #[test]
    fn the_ringing_stops_when_somebody_is_at_work_on_it_and_the_message_is_told_all_the_same() {
        let world = samples::World::acknowledged();
        let stopped = samples::answer(200, r#"{"status":1}"#, None);
        let first = spec().next(&world.message(), &[]).expect("begins").expect("a request");
        assert!(first.url.reveal_for_use().contains("/receipts/cancel_by_tag/"));
        let second = spec().next(&world.message(), &[stopped]).expect("goes on").expect("a request");
        assert!(second.url.reveal_for_use().ends_with("/1/messages.json"));
        let body: Value = serde_json::from_str(&second.body).expect("JSON");
        assert_eq!(body["priority"], PRIORITY_QUIET, "it does not ring again");
        let quiet = PushoverSpec { emergency: false, ..spec() };
        let first = quiet.next(&world.message(), &[]).expect("begins").expect("a request");
        assert!(first.url.reveal_for_use().ends_with("/1/messages.json"));
    }

    #[test]
    fn the_ringing_stops_also_when_the_outage_became_a_degradation() {
        let world = samples::World::recovered(crate::model::verdict::Verdict::Degraded);
        let first = spec().next(&world.message(), &[]).expect("begins").expect("a request");
        assert!(first.url.reveal_for_use().contains("/receipts/cancel_by_tag/"));
        let first = spec().next(&samples::World::down().message(), &[]).expect("begins").expect("a request");
        assert!(first.url.reveal_for_use().ends_with("/1/messages.json"));
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, r#"{"status":1}"#, None, "accepted"),
                (
                    400,
                    r#"{"status":0,"errors":["application token is invalid, see canary"]}"#,
                    None,
                    "permanent: Pushover answered 400 (application token",
                ),
                (
                    400,
                    r#"{"user":"invalid","errors":["user identifier is not a valid user, group, or subscribed user key"]}"#,
                    None,
                    "permanent: Pushover answered 400 (user identifier",
                ),
                (429, "", None, "transient"),
                (500, "", None, "transient"),
            ],
        );
    }
}
