//! The `alertmanager` channel: pushes alerts, as Prometheus does.
//!
//! Alertmanager tells alerts apart by their labels, and people route by `severity`; so an outage, a degradation and regional trouble of a
//! monitor are alerts of their own. Every message says of all three whether they are firing, and so ends what it does not mention. An
//! end that nobody has told Alertmanager is one more year away: it must not take a long outage for one that is over.

use serde_json::Value;
use serde_json::json;
use std::time::Duration;

use crate::model::channel::spec::AlertmanagerSpec;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::verdict::Verdict;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::compose::Phase;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// A label that is longer is of no use to anybody.
const LABEL: Limit = Limit::bytes(500);
const TEXT: Limit = Limit::bytes(8000);

/// How long an alert fires unless its end is told.
const FIRES_FOR: Duration = Duration::from_secs(365 * 86_400);

/// How long a notice is shown; nothing will end it.
const NOTICE_FOR: Duration = Duration::from_secs(3600);

/// The alerts of a monitor: name, severity, and the kind of incident each stands for.
const ALERTS: [(&str, &str, Lane); 3] = [
    ("VigilmonDown", "critical", Lane::Outage),
    ("VigilmonDegraded", "warning", Lane::Degradation),
    ("VigilmonRegional", "warning", Lane::Regional),
];

impl Kind for AlertmanagerSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let alerts: Vec<Value> = match message.facts() {
            Some(facts) => ALERTS.iter().map(|alert| self.alert(message, facts, *alert)).collect(),
            None => vec![self.notice(message)],
        };
        let request = Request::json("POST", format!("{}/api/v2/alerts", self.url), &Value::Array(alerts));
        match &self.credentials {
            Some((user, password)) => request.basic(user, password),
            None => request,
        }
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }
}

impl AlertmanagerSpec {
    fn alert(&self, message: &Message<'_>, facts: &IncidentFacts, (name, severity, lane): (&str, &str, Lane)) -> Value {
        let mut labels = self.labels(name, severity);
        // The id and not the name: what is renamed or regrouped, or taken out of the config meanwhile, would be another alert, and
        // the one before would fire on.
        labels["monitor"] = within(facts.monitor.as_str(), LABEL, escape::plain).into();
        let ends =
            if firing(message, facts) == Some(lane) { message.now + FIRES_FOR } else { message.notification.at.max(facts.started_at) };
        self.finished(message, labels, (facts.started_at.rfc3339(), ends.rfc3339()))
    }

    fn notice(&self, message: &Message<'_>) -> Value {
        let mut labels = self.labels("VigilmonNotice", "warning");
        labels["notice"] = within(&message.notification.key, LABEL, escape::plain).into();
        let at = message.notification.at;
        self.finished(message, labels, (at.rfc3339(), (message.now + NOTICE_FOR).rfc3339()))
    }

    fn labels(&self, name: &str, severity: &str) -> Value {
        let mut labels = json!({"alertname": name, "severity": severity});
        for (name, value) in &self.labels {
            labels[name] = value.as_str().into();
        }
        labels
    }

    fn finished(&self, message: &Message<'_>, labels: Value, (starts, ends): (String, String)) -> Value {
        let payload = message.payload();
        let mut annotations = json!({
            "summary": within(&payload.text, TEXT, escape::plain),
            "description": message.text_below(&PLAIN, TEXT),
        });
        let name = message.facts().map(|_| payload.monitor_name);
        for (annotation, value) in [("monitor_name", name), ("group", payload.group), ("runbook_url", payload.runbook)] {
            if let Some(value) = value {
                annotations[annotation] = within(&value, TEXT, escape::plain).into();
            }
        }
        let mut alert = json!({"labels": labels, "annotations": annotations, "startsAt": starts, "endsAt": ends});
        if let Some(url) = payload.links.monitor {
            alert["generatorURL"] = url.into();
        }
        alert
    }
}

/// Which of the alerts is firing after this message.
fn firing(message: &Message<'_>, facts: &IncidentFacts) -> Option<Lane> {
    match (message.phase(), message.notification.event) {
        (Phase::Over | Phase::Notice, _) => None,
        // An outage has become a degradation.
        (Phase::Firing, EventKind::Recovered) if facts.status == Verdict::Degraded => Some(Lane::Degradation),
        (Phase::Firing, _) => Some(facts.lane),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> AlertmanagerSpec {
        AlertmanagerSpec {
            url: "http://alertmanager.example:9093".to_owned(),
            credentials: Some(("ops".to_owned(), Secret::new("canary"))),
            labels: vec![("team".to_owned(), "platform".to_owned())],
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Alertmanager(spec()));
    }

    /// Names of the alerts that fire after a message, by the clock of Alertmanager.
    fn firing_after(world: &samples::World) -> Vec<String> {
        let request = spec().request(&world.message());
        let alerts: Vec<Value> = serde_json::from_str(&request.body).expect("JSON");
        let now = world.notification.at.rfc3339();
        let fires = alerts.iter().filter(|alert| alert["endsAt"].as_str().is_some_and(|ends| now.as_str() < ends));
        fires.map(|alert| alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn at_most_one_alert_of_a_monitor_fires_and_each_message_ends_the_others() {
        assert_eq!(firing_after(&samples::World::down()), ["VigilmonDown"]);
        assert_eq!(firing_after(&samples::World::degraded()), ["VigilmonDegraded"]);
        assert_eq!(firing_after(&samples::World::recovered(Verdict::Degraded)), ["VigilmonDegraded"]);
        assert!(firing_after(&samples::World::recovered(Verdict::Up)).is_empty());
        assert_eq!(firing_after(&samples::World::notice()), ["VigilmonNotice"]);
    }

    #[test]
    fn the_labels_of_an_alert_never_change_whatever_the_monitor_is_called_by_then() {
        let labels = |world: &samples::World| {
            let alerts: Vec<Value> = serde_json::from_str(&spec().request(&world.message()).body).expect("JSON");
            alerts.iter().map(|alert| alert["labels"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(labels(&samples::World::down()), labels(&samples::World::recovered(Verdict::Up)));
        assert_eq!(labels(&samples::World::down()), labels(&samples::World::degraded()));
        let mut facts = samples::facts();
        (facts.monitor_name, facts.group) = ("renamed".to_owned(), None);
        assert_eq!(labels(&samples::World::down()), labels(&samples::World::new(samples::notification(facts))));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body[0]["annotations"]["summary"].as_str().is_some_and(|text| (1..=8000).contains(&text.len())), "{body}");
        assert!(body[0]["annotations"]["monitor_name"].as_str().is_some_and(|text| (1..=8000).contains(&text.len())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "", None, "accepted"),
                (400, "canary", None, "permanent: answered 400: it does not understand the message"),
                (401, "", None, "permanent: answered 401"),
                (503, "", None, "transient"),
            ],
        );
    }
}
