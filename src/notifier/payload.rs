//! Facts to the JSON that webhooks receive. Pure.
//!
//! The first six fields, their names and their order are a promise to receivers; what follows was added later and may grow. Every
//! field is always there: what is not known is `null` or an empty list, so that a receiver in a typed language needs one type.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::config::Server;
use crate::model::id::ChannelName;
use crate::model::id::Region;
use crate::model::incident::Lane;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::notifier::bundle;
use crate::notifier::shorten::fit;
use crate::notifier::signed::LinkKeys;
use crate::notifier::text::brief;
use crate::notifier::text::sentence;

/// Who says it, with the version.
pub const SENT_BY: &str = concat!("vigilmon/", env!("CARGO_PKG_VERSION"));

/// Largest body that is sent. Receivers differ in what they take; this much, all that are known do.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Largest body about many monitors at once. The smallest default limit of the usual frameworks is 100 kB; with less, a storm of 500
/// would take more than three messages.
pub const BUNDLE_BYTES_MAX: usize = 96 * 1024;

/// Room for one text, tried from above until the whole body fits.
pub const TEXT_BYTES: [usize; 4] = [8192, 2048, 512, 128];

/// Room for one text in a bundle, when more is too much; below that the last ones are left out, and counted.
const PART_TEXT_BYTES: [usize; 3] = [1024, 128, 24];

/// Regions that are listed; nobody has that many, and a body must not grow without limit.
const REGIONS_MAX: usize = 64;

/// Builds addresses of our own pages.
#[derive(Debug, Clone)]
pub struct Links {
    base: Option<String>,
    keys: Option<LinkKeys>,
}

impl Links {
    /// Links below `server.public_url`; without one there are none, because a guess would lead nowhere.
    #[must_use]
    pub fn new(server: &Server) -> Links {
        let base = server.public_url.as_ref().map(|url| {
            let url = url.trim_end_matches('/');
            // Some write the base path into the public URL as well.
            if url.ends_with(&server.base_path) { url.to_owned() } else { format!("{url}{}", server.base_path) }
        });
        Links { base, keys: None }
    }

    /// The same with links by which readers of a message can act; without keys there are none.
    #[must_use]
    pub fn signed(self, keys: LinkKeys) -> Links {
        Links { keys: Some(keys), ..self }
    }

    /// The same without links by which readers of a message can act.
    #[must_use]
    pub fn unsigned(self) -> Links {
        Links { keys: None, ..self }
    }

    /// What proves that a message about something that is still open was read on its channel; what is over needs nobody.
    #[must_use]
    pub fn act_token(&self, notification: &Notification, facts: &IncidentFacts) -> Option<String> {
        let is_open = notification.event != EventKind::Recovered && facts.closed.is_none();
        self.keys.as_ref().filter(|_| is_open)?.token(&facts.incident, &notification.channel)
    }

    /// Where whoever reads of something that is still open can acknowledge it.
    fn act(&self, notification: &Notification, facts: &IncidentFacts) -> Option<String> {
        self.to(&format!("act/{}", self.act_token(notification, facts)?))
    }

    fn to(&self, path: &str) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/{path}"))
    }
}

/// The body of a webhook, in the order in which it is written.
#[derive(Debug, Clone, Serialize)]
pub struct Payload {
    /// What people call the monitor; `vigilmon` when the message is about itself.
    pub monitor_name: String,
    /// `down`, `degraded`, `up` …, `regional` or `self`.
    pub status: &'static str,
    /// The target.
    pub url: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// How long it has lasted, or lasted in all.
    pub duration_seconds: u64,
    /// Regions that hold it down or degraded.
    pub regions_failing: Vec<String>,
    /// The sentence for people; the field that chat servers show.
    pub text: String,
    /// Why the message is sent: a word of the channel's `on:`.
    pub event: &'static str,
    /// Key of the monitor's history.
    pub monitor_id: Option<String>,
    /// Same in all messages about one incident.
    pub incident_id: Option<String>,
    /// Why, as a sentence.
    pub cause: String,
    /// Why, as a stable word.
    pub cause_code: String,
    /// Regions that hold it up.
    pub regions_fine: Vec<String>,
    /// Regions that said nothing that counts.
    pub regions_unknown: Vec<String>,
    /// `full` or `degraded`.
    pub confidence: &'static str,
    /// One line of what was seen.
    pub evidence: String,
    /// The monitor's group.
    pub group: Option<String>,
    /// What to do.
    pub runbook: Option<String>,
    /// Where to read on.
    pub links: PayloadLinks,
    /// Same at every attempt and from every node; what receivers drop repeats by.
    pub key: String,
    /// Program and version.
    pub sent_by: &'static str,
    /// Where the trouble is, as a stable word; `null` when nobody looks from inside, or it does not say.
    pub diagnosis: Option<&'static str>,
    /// The same as a sentence.
    pub diagnosis_text: Option<&'static str>,
    /// How many of those who were to vote did; `null` for messages about vigilmon itself.
    pub quorum: Option<PayloadQuorum>,
    /// Whether it may have been sent before: the node that did so has not said what became of it. The `key` is the same.
    pub possible_repeat: bool,
    /// Whether a `recovered` tells of the beginning as well, which could not be told before.
    pub tells_opening: bool,
    /// When many messages are told in one: each of them. Otherwise empty.
    pub incidents: Vec<PayloadPart>,
    /// How many are not in that list, because the body would have been too long.
    pub incidents_omitted: usize,
}

/// One of many messages that are told in one. The fields mean what they mean in the body itself.
#[derive(Debug, Clone, Serialize)]
pub struct PayloadPart {
    /// What people call the monitor.
    pub monitor_name: String,
    /// Key of the monitor's history.
    pub monitor_id: Option<String>,
    /// The monitor's group.
    pub group: Option<String>,
    /// A word of the channel's `on:`.
    pub event: &'static str,
    /// `down`, `degraded`, `up` …
    pub status: &'static str,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// How long it has lasted, or lasted in all.
    pub duration_seconds: u64,
    /// Why, as a sentence.
    pub cause: String,
    /// Why, as a stable word.
    pub cause_code: String,
    /// Same in all messages about one incident.
    pub incident_id: Option<String>,
    /// Whether a `recovered` tells of the beginning as well.
    pub tells_opening: bool,
    /// The key that it would have had by itself.
    pub key: String,
}

/// How many voted.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PayloadQuorum {
    /// Votes that counted.
    pub counted: usize,
    /// Nodes that are configured to vote.
    pub voters: usize,
}

/// Where to read on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PayloadLinks {
    /// The incident's page.
    pub incident: Option<String>,
    /// The monitor's page.
    pub monitor: Option<String>,
    /// Where one can say that one is at work on it, without signing in; only while it is open.
    pub acknowledge: Option<String>,
    /// Where one can silence the monitor, without signing in; only while it is open.
    pub silence: Option<String>,
}

impl Payload {
    /// The fields for a notification, each text at most `text_bytes_max` long.
    #[must_use]
    pub fn new(notification: &Notification, links: &Links, text_bytes_max: usize) -> Payload {
        match &notification.subject {
            Subject::Incident(facts) | Subject::Passed(facts) => about_incident(notification, facts, links, text_bytes_max),
            Subject::Bundle(parts) => about_many(notification, parts, links, text_bytes_max),
            Subject::SelfNotice { title, text } => {
                let fit = |text: &str| fit(text, text_bytes_max);
                let text_in_full = fit(&sentence(notification));
                Payload { cause: fit(title), evidence: fit(text), ..about_no_incident(notification, text_in_full, links) }
            }
        }
    }
}

fn about_incident(notification: &Notification, facts: &IncidentFacts, links: &Links, text_bytes_max: usize) -> Payload {
    let act = links.act(notification, facts);
    let fit = |text: &str| fit(text, text_bytes_max);
    Payload {
        monitor_name: fit(&facts.monitor_name),
        status: status(facts),
        url: fit(&facts.target),
        started_at: facts.started_at.rfc3339(),
        duration_seconds: facts.duration.as_secs(),
        regions_failing: names(&facts.regions_failing),
        text: fit(&sentence(notification)),
        event: notification.event.word(),
        monitor_id: Some(facts.monitor.as_str().to_owned()),
        incident_id: Some(facts.incident.as_str().to_owned()),
        cause: fit(&facts.cause),
        cause_code: fit(&facts.cause_code),
        regions_fine: names(&facts.regions_fine),
        regions_unknown: names(&facts.regions_unknown),
        confidence: match facts.confidence {
            Confidence::Full => "full",
            Confidence::Degraded => "degraded",
        },
        evidence: fit(&facts.evidence),
        group: facts.group.as_deref().map(fit),
        runbook: facts.runbook.as_deref().map(fit),
        links: PayloadLinks {
            incident: links.to(&format!("incidents/{}", facts.incident)),
            monitor: links.to(&format!("monitors/{}", facts.monitor)),
            silence: act.as_ref().map(|url| format!("{url}#silence")),
            acknowledge: act,
        },
        key: notification.key.clone(),
        sent_by: SENT_BY,
        diagnosis: facts.diagnosis.map(Diagnosis::word),
        diagnosis_text: facts.diagnosis.map(Diagnosis::sentence),
        quorum: Some(PayloadQuorum { counted: facts.n_voters.0, voters: facts.n_voters.1 }),
        possible_repeat: notification.may_be_repeat,
        tells_opening: tells_opening(notification),
        incidents: Vec::new(),
        incidents_omitted: 0,
    }
}

/// What is not about one incident: news of vigilmon itself, and the ground of what tells of many.
fn about_no_incident(notification: &Notification, text: String, links: &Links) -> Payload {
    Payload {
        monitor_name: "vigilmon".to_owned(),
        status: "self",
        url: links.base.clone().unwrap_or_default(),
        started_at: notification.at.rfc3339(),
        duration_seconds: 0,
        regions_failing: Vec::new(),
        text,
        event: notification.event.word(),
        monitor_id: None,
        incident_id: None,
        cause: String::new(),
        cause_code: "self".to_owned(),
        regions_fine: Vec::new(),
        regions_unknown: Vec::new(),
        confidence: "full",
        evidence: String::new(),
        group: None,
        runbook: None,
        links: PayloadLinks::default(),
        key: notification.key.clone(),
        sent_by: SENT_BY,
        diagnosis: None,
        diagnosis_text: None,
        quorum: None,
        possible_repeat: notification.may_be_repeat,
        tells_opening: false,
        incidents: Vec::new(),
        incidents_omitted: 0,
    }
}

fn tells_opening(notification: &Notification) -> bool {
    matches!(notification.subject, Subject::Passed(_))
}

/// What all parts share is said in the fields of old; what they do not share is `null` or empty there.
fn about_many(notification: &Notification, parts: &[Notification], links: &Links, text_bytes_max: usize) -> Payload {
    let worst = parts.iter().find(|part| part.event == notification.event).and_then(facts_of);
    let regions: BTreeSet<&Region> = parts.iter().filter_map(facts_of).flat_map(|facts| &facts.regions_failing).collect();
    let started_at = parts.iter().map(|part| facts_of(part).map_or(part.at, |facts| facts.started_at)).min();
    let lasted = parts.iter().filter_map(facts_of).map(|facts| facts.duration).max().unwrap_or_default();
    let is_sure = parts.iter().filter_map(facts_of).all(|facts| facts.confidence == Confidence::Full);
    Payload {
        monitor_name: bundle::number(parts),
        status: worst.map_or("self", status),
        started_at: started_at.unwrap_or(notification.at).rfc3339(),
        duration_seconds: lasted.as_secs(),
        regions_failing: regions.into_iter().take(REGIONS_MAX).map(|region| region.as_str().to_owned()).collect(),
        cause: fit(&bundle::headline(parts), text_bytes_max),
        cause_code: "several".to_owned(),
        confidence: if is_sure { "full" } else { "degraded" },
        group: bundle::group(parts).map(|group| fit(group, text_bytes_max)),
        links: PayloadLinks { incident: links.to("incidents"), ..PayloadLinks::default() },
        incidents: parts.iter().map(|part| payload_part(part, text_bytes_max)).collect(),
        ..about_no_incident(notification, fit(&sentence(notification), text_bytes_max), links)
    }
}

fn payload_part(part: &Notification, text_bytes_max: usize) -> PayloadPart {
    let (name, what) = brief(part);
    let facts = facts_of(part);
    PayloadPart {
        monitor_name: fit(&name, text_bytes_max),
        monitor_id: facts.map(|facts| facts.monitor.as_str().to_owned()),
        group: facts.and_then(|facts| facts.group.as_deref()).map(|group| fit(group, text_bytes_max)),
        event: part.event.word(),
        status: facts.map_or("self", status),
        started_at: facts.map_or(part.at, |facts| facts.started_at).rfc3339(),
        duration_seconds: facts.map_or(0, |facts| facts.duration.as_secs()),
        cause: fit(facts.map_or(&what, |facts| &facts.cause), text_bytes_max),
        cause_code: facts.map_or("self", |facts| &facts.cause_code).to_owned(),
        incident_id: facts.map(|facts| facts.incident.as_str().to_owned()),
        tells_opening: tells_opening(part),
        key: part.key.clone(),
    }
}

fn facts_of(part: &Notification) -> Option<&IncidentFacts> {
    match &part.subject {
        Subject::Incident(facts) | Subject::Passed(facts) => Some(facts),
        Subject::SelfNotice { .. } | Subject::Bundle(_) => None,
    }
}

/// What the first six fields say of the state. Regional trouble leaves the verdict up; a receiver that knows only `up` and the rest must not
/// take its beginning for an end.
fn status(facts: &IncidentFacts) -> &'static str {
    if facts.lane == Lane::Regional && facts.closed.is_none() { "regional" } else { facts.status.word() }
}

fn names(regions: &[Region]) -> Vec<String> {
    regions.iter().take(REGIONS_MAX).map(|region| region.as_str().to_owned()).collect()
}

/// Writes a body with as much room for its texts as [`BODY_BYTES_MAX`] leaves. When even the smallest room is too much (an own
/// template can be that long), the smallest body is sent as it is: a refused message can be seen, one never sent cannot.
#[must_use]
pub fn fitted(mut write: impl FnMut(usize) -> String) -> String {
    let mut body = String::new();
    for text_bytes_max in TEXT_BYTES {
        body = write(text_bytes_max);
        if body.len() <= BODY_BYTES_MAX {
            break;
        }
    }
    body
}

/// The whole body.
#[must_use]
pub fn json(notification: &Notification, links: &Links) -> String {
    let written = |payload: &Payload| serde_json::to_string(payload).expect("texts and numbers always serialise");
    let Subject::Bundle(parts) = &notification.subject else {
        return fitted(|room| written(&Payload::new(notification, links, room)));
    };
    let mut payload = Payload::new(notification, links, TEXT_BYTES[0]);
    for room in PART_TEXT_BYTES {
        payload.incidents = parts.iter().map(|part| payload_part(part, room)).collect();
        let body = written(&payload);
        if body.len() <= BUNDLE_BYTES_MAX {
            return body;
        }
    }
    loop {
        let n_kept = payload.incidents.len() * 3 / 4;
        payload.incidents.truncate(n_kept);
        payload.incidents_omitted = parts.len() - n_kept;
        let body = written(&payload);
        if body.len() <= BUNDLE_BYTES_MAX || n_kept == 0 {
            return body;
        }
    }
}

/// A made-up message for trying a channel; belongs to no incident and is kept nowhere.
#[must_use]
pub fn test_notice(channel: ChannelName, at: UnixMillis) -> Notification {
    Notification {
        key: format!("test:{channel}:{}", at.0),
        channel,
        event: EventKind::SelfNotice,
        at,
        subject: Subject::SelfNotice {
            title: "test message".to_owned(),
            text: "this channel works; nothing is wrong and nothing needs to be done".to_owned(),
        },
        may_be_repeat: false,
    }
}

/// The end of what a test message opened at a service.
#[must_use]
pub fn test_end(notice: &Notification) -> Notification {
    let text = "the test is over; nothing was wrong and nothing needs to be done".to_owned();
    let subject = Subject::SelfNotice { title: "test message".to_owned(), text };
    Notification { event: EventKind::Recovered, subject, ..notice.clone() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::verdict::Verdict;
    use crate::notifier::samples;
    use crate::notifier::shorten::MARKER;

    fn links() -> Links {
        Links::new(&samples::server())
    }

    fn expected(text: &str) -> String {
        text.lines().map(str::trim).collect::<String>().replace("VERSION", SENT_BY)
    }

    #[test]
    fn an_outage_reads_exactly_so() {
        let golden = r#"{"monitor_name":"[prod-us] api /health",
            "status":"down",
            "url":"https://api.us.example.com/health",
            "started_at":"2026-06-30T10:23:00Z",
            "duration_seconds":0,
            "regions_failing":["us-east","eu-west"],
            "text":"[prod-us] api /health is DOWN since 10:23 UTC: the connection was accepted, no answer came within 10 s (failing from us-east, eu-west; 2 of 2 regions agree)",
            "event":"down",
            "monitor_id":"prod-us-api-health",
            "incident_id":"k3v9q2m7x4t1a",
            "cause":"the connection was accepted, no answer came within 10 s",
            "cause_code":"timeout_first_byte",
            "regions_fine":[],
            "regions_unknown":[],
            "confidence":"full",
            "evidence":"connected to 203.0.113.7:443 in 12 ms",
            "group":"prod-us",
            "runbook":"https://wiki.example.com/runbooks/api",
            "links":{"incident":"https://status.example.com/incidents/k3v9q2m7x4t1a","monitor":"https://status.example.com/monitors/prod-us-api-health",
                "acknowledge":null,"silence":null},
            "key":"k3v9q2m7x4t1a:down:ops-webhook",
            "sent_by":"VERSION",
            "diagnosis":null,
            "diagnosis_text":null,
            "quorum":{"counted":2,"voters":2},
            "possible_repeat":false,
            "tells_opening":false,
            "incidents":[],
            "incidents_omitted":0}"#;
        assert_eq!(json(&samples::notification(samples::facts()), &links()), expected(golden));
    }

    #[test]
    fn readers_can_act_on_what_is_open_and_on_nothing_else() {
        let links = samples::links();
        let of = |notification: &Notification| Payload::new(notification, &links, 100).links;
        let open = of(&samples::notification(samples::facts()));
        let acknowledge = open.acknowledge.expect("it is open");
        assert_eq!(open.silence, Some(format!("{acknowledge}#silence")));
        let token = acknowledge.strip_prefix("https://status.example.com/act/").expect("an address of ours");
        let keys = LinkKeys::new(&samples::config(&[]), &crate::model::secret::Secret::new("secret"));
        assert_eq!(keys.open(token).expect("our own").1, samples::channel_name("ops-webhook"));
        let mut over = samples::notification(samples::facts());
        over.event = EventKind::Recovered;
        assert_eq!(of(&over).acknowledge, None);
        assert_eq!(of(&samples::self_notice()).silence, None);
        let unsigned = Payload::new(&samples::notification(samples::facts()), &links.clone().unsigned(), 100);
        assert_eq!(unsigned.links.acknowledge, None, "not everybody may act who may read");
    }

    #[test]
    fn regional_trouble_is_not_up_and_says_where_it_is() {
        let mut facts = samples::facts();
        (facts.lane, facts.status) = (Lane::Regional, Verdict::Up);
        facts.regions_fine = vec![facts.regions_failing.remove(1)];
        facts.diagnosis = Some(Diagnosis::Transit);
        let notification = Notification { event: EventKind::Regional, ..samples::notification(facts.clone()) };
        let body: serde_json::Value = serde_json::from_str(&json(&notification, &links())).expect("JSON");
        assert_eq!((&body["status"], &body["event"]), (&"regional".into(), &"regional".into()));
        assert_eq!((&body["regions_failing"][0], &body["regions_fine"][0]), (&"us-east".into(), &"eu-west".into()));
        assert_eq!((&body["diagnosis"], &body["diagnosis_text"]), (&"transit".into(), &Diagnosis::Transit.sentence().into()));
        facts.closed = Some(crate::model::incident::CloseReason::Recovered);
        let over = Notification { event: EventKind::Recovered, ..samples::notification(facts) };
        let body: serde_json::Value = serde_json::from_str(&json(&over, &links())).expect("JSON");
        assert_eq!((&body["status"], &body["event"]), (&"up".into(), &"recovered".into()));
    }

    #[test]
    fn a_recovery_says_up_and_the_true_duration() {
        let mut facts = samples::facts();
        facts.status = Verdict::Up;
        facts.duration = Duration::from_millis(183_900);
        facts.group = None;
        let notification = Notification { event: EventKind::Recovered, ..samples::notification(facts) };
        let body = json(&notification, &links());
        assert!(
            body.starts_with(
                r#"{"monitor_name":"[prod-us] api /health","status":"up","url":"https://api.us.example.com/health","started_at":"2026-06-30T10:23:00Z","duration_seconds":183,"#
            ),
            "{body}"
        );
        assert!(body.contains(r#""event":"recovered""#) && body.contains(r#""group":null"#), "{body}");
    }

    #[test]
    fn a_notice_about_itself_has_the_same_shape() {
        let golden = r#"{"monitor_name":"vigilmon","status":"self","url":"https://status.example.com","started_at":"2026-06-30T10:23:00Z",
            "duration_seconds":0,"regions_failing":[],
            "text":"vigilmon: the new config is not valid: config.yaml:14:3: the old one runs on",
            "event":"self","monitor_id":null,"incident_id":null,"cause":"the new config is not valid","cause_code":"self",
            "regions_fine":[],"regions_unknown":[],"confidence":"full","evidence":"config.yaml:14:3: the old one runs on",
            "group":null,"runbook":null,"links":{"incident":null,"monitor":null,"acknowledge":null,"silence":null},"key":"self:config:1","sent_by":"VERSION",
            "diagnosis":null,"diagnosis_text":null,"quorum":null,"possible_repeat":false,"tells_opening":false,"incidents":[],"incidents_omitted":0}"#;
        assert_eq!(json(&samples::self_notice(), &links()), expected(golden));
    }

    #[test]
    fn without_a_public_url_there_are_no_links_and_a_base_path_is_not_doubled() {
        let link = |public_url: Option<&str>, base_path: &str| {
            let server = Server { public_url: public_url.map(str::to_owned), base_path: base_path.to_owned(), ..samples::server() };
            Links::new(&server).to("x")
        };
        assert_eq!(link(None, "/up"), None);
        assert_eq!(link(Some("https://a.example"), ""), Some("https://a.example/x".to_owned()));
        assert_eq!(link(Some("https://a.example"), "/up"), Some("https://a.example/up/x".to_owned()));
        assert_eq!(link(Some("https://a.example/up"), "/up"), Some("https://a.example/up/x".to_owned()));
    }

    #[test]
    fn a_body_never_grows_beyond_its_limit_and_stays_json() {
        let mut facts = samples::facts();
        facts.evidence = "\"ü\\\n".repeat(40_000);
        facts.cause = facts.evidence.clone();
        facts.runbook = Some(facts.evidence.clone());
        facts.regions_failing = (0..1000).map(|n| Region::parse(&format!("{n}{}", "x".repeat(150))).expect("region")).collect();
        facts.regions_fine = facts.regions_failing.clone();
        let body = json(&samples::notification(facts), &links());
        assert!(body.len() <= BODY_BYTES_MAX, "{}", body.len());
        let parsed: serde_json::Value = serde_json::from_str(&body).expect("still JSON");
        assert!(parsed["evidence"].as_str().is_some_and(|text| text.ends_with(MARKER)), "{parsed}");
        assert_eq!(parsed["key"], "k3v9q2m7x4t1a:down:ops-webhook");
    }
}
