//! The `alertmanager` channel: pushes alerts, as Prometheus does.
//!
//! Alertmanager tells alerts apart by their labels, and people route by `severity`; so an outage, a degradation and regional trouble of a
//! monitor are alerts of their own. A message says of its own whether it fires, and ends what cannot be true beside it, such as the
//! degradation that became an outage; but only what is there, because Alertmanager tells of the end also of what never was. So it is asked
//! before. An end that nobody has told Alertmanager is one more year away: it must not take a long outage for one that is over.
//!
//! Alertmanager keeps alerts in memory only. What fires is therefore pushed again and again, see `crate::notifier::again`.

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
use crate::notifier::error::SendError;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// A label that is longer is of no use to anybody.
const LABEL: Limit = Limit::bytes(500);
const TEXT: Limit = Limit::bytes(8000);

/// How long an alert fires unless its end is told.
const FIRES_FOR: Duration = Duration::from_secs(365 * 86_400);

/// And when it is pushed again: long enough for a vigilmon that is away for a while, and it shortens no end that was told before; short
/// enough for a push that met its own end on the way, and could not be taken back.
const FIRES_AGAIN_FOR: Duration = Duration::from_secs(3600);

/// How long a notice is shown; nothing will end it.
const NOTICE_FOR: Duration = Duration::from_secs(3600);

impl Kind for AlertmanagerSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        self.push(message, &[])
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }

    fn blank_answer(&self) -> Answer {
        Answer { status: 200, retry_after: None, body: b"[]".to_vec() }
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        let Some(facts) = message.facts() else {
            return answers.last().map_or_else(|| Ok(Some(self.request(message))), |answer| self.judge(answer, message.now).map(|()| None));
        };
        match answers {
            [] => Ok(Some(self.question(facts))),
            [found] => Ok(Some(self.push(message, &self.beside(message, facts, found)?))),
            [_, posted, ..] => self.judge(posted, message.now).map(|()| None),
        }
    }
}

/// Another alert of the monitor that a message ends, and since when it fires.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    lane: Lane,
    since: String,
}

impl AlertmanagerSpec {
    /// Pushes again what these messages said to be going on, without a word about anything else; `None` when it is nothing.
    #[must_use]
    pub fn again(&self, messages: &[Message<'_>]) -> Option<Request> {
        let own = |message: &Message<'_>| {
            let facts = message.facts()?;
            let mut alert = self.own(message, facts, firing(message, facts)?);
            alert["endsAt"] = (message.now + FIRES_AGAIN_FOR).rfc3339().into();
            Some(alert)
        };
        let alerts: Vec<Value> = messages.iter().filter_map(own).collect();
        (!alerts.is_empty()).then(|| self.signed(Request::json("POST", self.to("alerts"), &Value::Array(alerts))))
    }

    /// Ends what is over by now, whoever said so: a push that was under way when the end was told has made it fire again.
    #[must_use]
    pub fn take_back(&self, messages: &[Message<'_>]) -> Option<Request> {
        let ended = |message: &Message<'_>| {
            let facts = message.facts()?;
            let ended = Ended { lane: firing(message, facts)?, since: facts.started_at.rfc3339() };
            Some(self.other(message, facts, &ended, None))
        };
        let alerts: Vec<Value> = messages.iter().filter_map(ended).collect();
        (!alerts.is_empty()).then(|| self.signed(Request::json("POST", self.to("alerts"), &Value::Array(alerts))))
    }

    fn push(&self, message: &Message<'_>, ended: &[Ended]) -> Request {
        let alerts: Vec<Value> = match message.facts() {
            Some(facts) => {
                let own = firing(message, facts).map(|lane| self.own(message, facts, lane));
                let over = (firing(message, facts) != Some(facts.lane) && ends_itself(message)).then(|| self.over(message, facts));
                own.into_iter()
                    .chain(over)
                    .chain(ended.iter().map(|ended| self.other(message, facts, ended, firing(message, facts))))
                    .collect()
            }
            None => vec![self.notice(message)],
        };
        self.signed(Request::json("POST", self.to("alerts"), &Value::Array(alerts)))
    }

    /// Asks what of the monitor fires.
    fn question(&self, facts: &IncidentFacts) -> Request {
        let filter = encoded(&format!("monitor=\"{}\"", within(facts.monitor.as_str(), LABEL, escape::plain)));
        self.signed(Request::get(self.to(&format!("alerts?filter={filter}"))))
    }

    /// What is there and cannot be true beside the message. Who may not ask ends all that may be there: an alert that nobody ends is worse
    /// than the end of one that never was.
    fn beside(&self, message: &Message<'_>, facts: &IncidentFacts, found: &Answer) -> Result<Vec<Ended>, SendError> {
        let rivals = rivals(message, facts);
        let found = match self.judge(found, message.now) {
            Ok(()) => found.json(),
            Err(SendError::Permanent(_)) => Value::Null,
            Err(error @ (SendError::Transient(_) | SendError::Later(..))) => return Err(error),
        };
        let Some(found) = found.as_array() else {
            let since = facts.started_at.rfc3339();
            return Ok(rivals.iter().map(|lane| Ended { lane: *lane, since: since.clone() }).collect());
        };
        let since = |lane: &Lane| {
            let labels = self.labels_of(facts, *lane);
            let alert = found.iter().find(|alert| alert["labels"] == labels)?;
            Some(Ended { lane: *lane, since: alert["startsAt"].as_str()?.to_owned() })
        };
        Ok(rivals.iter().filter_map(since).collect())
    }

    fn to(&self, path: &str) -> String {
        format!("{}/api/v2/{path}", self.url)
    }

    fn signed(&self, request: Request) -> Request {
        match &self.credentials {
            Some((user, password)) => request.basic(user, password),
            None => request,
        }
    }

    /// What the message says to be going on.
    fn own(&self, message: &Message<'_>, facts: &IncidentFacts, lane: Lane) -> Value {
        let times = (facts.started_at.rfc3339(), (message.now + FIRES_FOR).rfc3339());
        self.finished(message, self.labels_of(facts, lane), times)
    }

    /// What the message says to be over.
    fn over(&self, message: &Message<'_>, facts: &IncidentFacts) -> Value {
        let times = (facts.started_at.rfc3339(), message.notification.at.max(facts.started_at).rfc3339());
        self.finished(message, self.labels_of(facts, facts.lane), times)
    }

    /// What is over because something else is going on, or nothing.
    fn other(&self, message: &Message<'_>, facts: &IncidentFacts, ended: &Ended, instead: Option<Lane>) -> Value {
        // The clock that wrote when it began may be ahead; what ends before its beginning is refused.
        let now = message.now.rfc3339();
        let ends = if now < ended.since { ended.since.clone() } else { now };
        let mut alert = self.finished(message, self.labels_of(facts, ended.lane), (ended.since.clone(), ends));
        let but = match instead {
            Some(Lane::Outage) => ", but DOWN",
            Some(Lane::Degradation) => ", but degraded",
            Some(Lane::Regional) | None => "",
        };
        let summary = format!("{} is no longer {}{but}", message.payload().monitor_name, word(ended.lane));
        alert["annotations"]["summary"] = within(&summary, TEXT, escape::plain).into();
        alert["annotations"]["description"] = message.link_line(&PLAIN, TEXT).into();
        alert
    }

    fn labels_of(&self, facts: &IncidentFacts, lane: Lane) -> Value {
        let (name, severity) = match lane {
            Lane::Outage => ("VigilmonDown", "critical"),
            Lane::Degradation => ("VigilmonDegraded", "warning"),
            Lane::Regional => ("VigilmonRegional", "warning"),
        };
        let mut labels = self.labels(name, severity);
        // The id and not the name: what is renamed or regrouped, or taken out of the config meanwhile, would be another alert, and
        // the one before would fire on.
        labels["monitor"] = within(facts.monitor.as_str(), LABEL, escape::plain).into();
        labels
    }

    fn notice(&self, message: &Message<'_>) -> Value {
        let mut labels = self.labels("VigilmonNotice", "warning");
        labels["notice"] = within(&message.notification.key, LABEL, escape::plain).into();
        let at = message.notification.at;
        let ends = if message.phase() == Phase::Over { message.now.max(at) } else { message.now + NOTICE_FOR };
        self.finished(message, labels, (at.rfc3339(), ends.rfc3339()))
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

/// What goes on by the word of this message.
#[must_use]
pub fn going_on(message: &Message<'_>) -> Option<Lane> {
    firing(message, message.facts()?)
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

/// Whether the message tells of the end of its incident.
fn ends_itself(message: &Message<'_>) -> bool {
    message.notification.event == EventKind::Recovered
}

/// What cannot be true of the monitor when the message is, besides what it tells of itself. Regional trouble and a degradation may be at
/// the same time, and where the one is over the other may go on.
fn rivals(message: &Message<'_>, facts: &IncidentFacts) -> Vec<Lane> {
    let fires = firing(message, facts);
    let all: &[Lane] = match (fires, facts.lane) {
        (Some(Lane::Outage), _) | (None, Lane::Outage) => &[Lane::Outage, Lane::Degradation, Lane::Regional],
        // It is down now, and that has an alert of its own.
        (None, Lane::Degradation) if facts.status == Verdict::Down => &[],
        (Some(Lane::Degradation | Lane::Regional), _) | (None, Lane::Degradation) => &[Lane::Outage],
        (None, Lane::Regional) => &[],
    };
    let is_told = |lane: Lane| fires == Some(lane) || ends_itself(message) && facts.lane == lane;
    all.iter().copied().filter(|lane| !is_told(*lane)).collect()
}

fn word(lane: Lane) -> &'static str {
    match lane {
        Lane::Outage => "DOWN",
        Lane::Degradation => "degraded",
        Lane::Regional => "DOWN from some regions only",
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

    /// What a message pushes when these alerts fire: the name of each, whether it fires, by the clock of Alertmanager, and what it says.
    fn pushed(world: &samples::World, found: &[&str]) -> Vec<(String, bool, String)> {
        let known: Vec<Value> = found
            .iter()
            .map(|name| {
                let severity = if *name == "VigilmonDown" { "critical" } else { "warning" };
                let labels = json!({"alertname": name, "severity": severity, "team": "platform", "monitor": "prod-us-api-health"});
                json!({"labels": labels, "startsAt": "2026-06-30T10:20:00.000Z"})
            })
            .collect();
        let found = samples::answer(200, &Value::Array(known).to_string(), None);
        let request = spec().next(&world.message(), &[found]).expect("goes on").expect("a request");
        let alerts: Vec<Value> = serde_json::from_str(&request.body).expect("JSON");
        let now = world.notification.at.rfc3339();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |alert: &Value| {
            let fires = now < text(&alert["endsAt"]);
            (text(&alert["labels"]["alertname"]), fires, text(&alert["annotations"]["summary"]))
        };
        alerts.iter().map(told).collect()
    }

    #[test]
    fn nothing_ends_that_never_was() {
        for (world, name, fires) in [
            (samples::World::down(), "VigilmonDown", true),
            (samples::World::degraded(), "VigilmonDegraded", true),
            (samples::World::recovered(Verdict::Up), "VigilmonDown", false),
            (samples::World::reminder(), "VigilmonDown", true),
        ] {
            let pushed = pushed(&world, &[]);
            assert!(pushed.len() == 1 && pushed[0].0 == name && pushed[0].1 == fires, "{pushed:?}");
        }
    }

    #[test]
    fn what_cannot_be_true_beside_the_message_ends_with_words_of_its_own() {
        let ended = |name: &str, text: &str| (name.to_owned(), false, format!("[prod-us] api /health {text}"));
        let pushed_down = pushed(&samples::World::down(), &["VigilmonDegraded", "VigilmonRegional", "VigilmonDown"]);
        let others = [
            ended("VigilmonDegraded", "is no longer degraded, but DOWN"),
            ended("VigilmonRegional", "is no longer DOWN from some regions only, but DOWN"),
        ];
        assert_eq!(pushed_down[1..], others);
        assert!(pushed_down[0].1, "{pushed_down:?}");
        let pushed_up = pushed(&samples::World::recovered(Verdict::Up), &["VigilmonDegraded"]);
        assert_eq!(pushed_up[1..], [ended("VigilmonDegraded", "is no longer degraded")]);
        // What is there of another monitor of ours, or of another instance, is not ours to end.
        let theirs = pushed(&samples::World::down(), &["VigilmonOther"]);
        assert_eq!(theirs.len(), 1, "{theirs:?}");
    }

    #[test]
    fn an_outage_that_became_a_degradation_goes_on_as_that() {
        let pushed = pushed(&samples::World::recovered(Verdict::Degraded), &["VigilmonDown"]);
        let names: Vec<(&str, bool)> = pushed.iter().map(|(name, fires, _)| (name.as_str(), *fires)).collect();
        assert_eq!(names, [("VigilmonDegraded", true), ("VigilmonDown", false)]);
    }

    #[test]
    fn regional_trouble_and_a_degradation_do_not_end_each_other() {
        let both = ["VigilmonDegraded", "VigilmonRegional"];
        let mut facts = samples::facts();
        (facts.lane, facts.status) = (Lane::Regional, Verdict::Up);
        let mut regional = samples::World::new(samples::notification(facts));
        regional.notification.event = EventKind::Regional;
        assert_eq!(pushed(&regional, &both).len(), 1);
        regional.notification.event = EventKind::Recovered;
        assert_eq!(pushed(&regional, &both).len(), 1);
        assert_eq!(pushed(&samples::World::degraded(), &both).len(), 1);
    }

    #[test]
    fn who_may_not_ask_ends_what_may_be_there_and_who_gets_no_answer_waits() {
        let world = samples::World::down();
        let refused = samples::answer(403, "", None);
        let request = spec().next(&world.message(), std::slice::from_ref(&refused)).expect("goes on").expect("a request");
        let alerts: Vec<Value> = serde_json::from_str(&request.body).expect("JSON");
        assert_eq!(alerts.len(), 3);
        assert!(spec().next(&world.message(), &[samples::answer(503, "", None)]).is_err());
        assert!(spec().next(&world.message(), &[samples::answer(200, "[]", None), refused]).is_err());
    }

    #[test]
    fn what_is_pushed_again_is_what_fires_and_nothing_else() {
        let (down, up, notice) = (samples::World::down(), samples::World::recovered(Verdict::Up), samples::World::notice());
        let request = spec().again(&[down.message(), up.message(), notice.message()]).expect("something fires");
        let alerts: Vec<Value> = serde_json::from_str(&request.body).expect("JSON");
        let mut first: Vec<Value> = serde_json::from_str(&spec().request(&down.message()).body).expect("JSON");
        first[0]["endsAt"] = "2026-06-30T11:23:00Z".into();
        assert_eq!(alerts, first);
        assert_eq!(spec().again(&[up.message()]), None);
    }

    #[test]
    fn the_labels_of_an_alert_never_change_whatever_the_monitor_is_called_by_then() {
        let labels = |world: &samples::World| {
            let alerts: Vec<Value> = serde_json::from_str(&spec().request(&world.message()).body).expect("JSON");
            alerts.iter().map(|alert| alert["labels"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(labels(&samples::World::down()), labels(&samples::World::recovered(Verdict::Up)));
        let mut facts = samples::facts();
        (facts.monitor_name, facts.group) = ("renamed".to_owned(), None);
        assert_eq!(labels(&samples::World::down()), labels(&samples::World::new(samples::notification(facts))));
    }

    #[test]
    fn the_end_of_a_test_ends_the_same_alert() {
        let test = crate::notifier::payload::test_notice(samples::channel_name("am"), samples::TEN_TWENTY_THREE);
        let end = crate::notifier::payload::test_end(&test);
        let [test, end] = [test, end].map(|notification| {
            let body = spec().request(&samples::World::new(notification).message()).body;
            serde_json::from_str::<Value>(&body).expect("JSON")[0].clone()
        });
        assert_eq!(test["labels"], end["labels"]);
        assert_eq!((&test["endsAt"], &end["endsAt"]), (&"2026-06-30T11:23:00Z".into(), &"2026-06-30T10:23:00Z".into()));
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
