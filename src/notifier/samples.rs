//! Facts, channels and a config for the tests of this module.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::config::Auth;
use crate::config::Config;
use crate::config::Instance;
use crate::config::Retention;
use crate::config::Server;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::WebhookSpec;
use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::MailTls;
use crate::model::channel::spec::Mailbox;
use crate::model::channel::spec::NtfySpec;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Lane;
use crate::model::monitor::Origin;
use crate::model::net::HostPort;
use crate::model::notification::Again;
use crate::model::notification::AlertFacts;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::ServiceId;
use crate::model::notification::Subject;
use crate::model::peer::Vantage;
use crate::model::policy::Acknowledgement;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Verdict;
use crate::notifier::bundle;
use crate::notifier::compose::Message;
use crate::notifier::error::SendError;
use crate::notifier::kind;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::kind::Way;
use crate::notifier::kind::way;
use crate::notifier::merge::Row;
use crate::notifier::merge::Telling;
use crate::notifier::payload::BODY_BYTES_MAX;
use crate::notifier::payload::Links;
use crate::notifier::payload::SENT_BY;
use crate::notifier::preview;
use crate::notifier::request::Answer;
use crate::notifier::signed::LinkKeys;

/// 2026-06-30T10:23:00Z.
pub(super) const TEN_TWENTY_THREE: UnixMillis = UnixMillis(1_782_814_980_000);

pub(super) fn facts() -> IncidentFacts {
    let region = |name| Region::parse(name).expect("region");
    IncidentFacts {
        incident: IncidentId::from_derived("k3v9q2m7x4t1a"),
        monitor: MonitorId::parse("prod-us-api-health").expect("id"),
        monitor_name: "[prod-us] api /health".to_owned(),
        group: Some("prod-us".to_owned()),
        target: "https://api.us.example.com/health".to_owned(),
        status: Verdict::Down,
        started_at: TEN_TWENTY_THREE,
        duration: Duration::ZERO,
        cause: "the connection was accepted, no answer came within 10 s".to_owned(),
        cause_code: "timeout_first_byte".to_owned(),
        lane: Lane::Outage,
        closed: None,
        regions_failing: vec![region("us-east"), region("eu-west")],
        regions_failed: vec![region("us-east"), region("eu-west")],
        regions_fine: Vec::new(),
        regions_unknown: Vec::new(),
        confidence: Confidence::Full,
        n_voters: (2, 2),
        diagnosis: None,
        evidence: "connected to 203.0.113.7:443 in 12 ms".to_owned(),
        runbook: Some("https://wiki.example.com/runbooks/api".to_owned()),
        alert: AlertFacts::default(),
    }
}

pub(super) fn notification(facts: IncidentFacts) -> Notification {
    Notification {
        key: "k3v9q2m7x4t1a:down:ops-webhook".to_owned(),
        channel: channel_name("ops-webhook"),
        event: EventKind::Down,
        at: TEN_TWENTY_THREE,
        subject: Subject::Incident(Box::new(facts)),
        may_be_repeat: false,
    }
}

pub(super) fn self_notice() -> Notification {
    Notification {
        key: "self:config:1".to_owned(),
        channel: channel_name("ops-webhook"),
        event: EventKind::SelfNotice,
        at: TEN_TWENTY_THREE,
        subject: Subject::SelfNotice {
            title: "the new config is not valid".to_owned(),
            text: "config.yaml:14:3: the old one runs on".to_owned(),
        },
        may_be_repeat: false,
    }
}

/// Links as a running instance makes them.
pub(super) fn links() -> Links {
    Links::new(&server()).signed(LinkKeys::new(&config(&[]), &Secret::new("secret")))
}

/// A message with everything it borrows.
pub(super) struct World {
    pub(super) notification: Notification,
    pub(super) on: BTreeSet<EventKind>,
    pub(super) links: Links,
    pub(super) first: Option<ServiceId>,
}

impl World {
    pub(super) fn new(notification: Notification) -> World {
        World { notification, on: BTreeSet::from(EventKind::ALL), links: links(), first: None }
    }

    pub(super) fn down() -> World {
        World::new(notification(facts()))
    }

    pub(super) fn degraded() -> World {
        let facts = IncidentFacts {
            status: Verdict::Degraded,
            lane: Lane::Degradation,
            cause: "slow".to_owned(),
            cause_code: "slow".to_owned(),
            ..facts()
        };
        World::new(Notification { key: "k:degraded:ops-webhook".to_owned(), event: EventKind::Degraded, ..notification(facts) })
    }

    /// Three minutes later it is that.
    pub(super) fn recovered(status: Verdict) -> World {
        let facts = IncidentFacts {
            status,
            duration: Duration::from_secs(183),
            closed: Some(CloseReason::Recovered),
            regions_failing: Vec::new(),
            regions_fine: facts().regions_failing,
            ..facts()
        };
        let at = TEN_TWENTY_THREE + Duration::from_secs(183);
        World::new(Notification { key: "k:recovered:ops-webhook".to_owned(), event: EventKind::Recovered, at, ..notification(facts) })
    }

    /// That, or a reminder of it, after a message that the service calls so.
    pub(super) fn after(self, first: &str) -> World {
        World { first: Some(ServiceId::parse(first).expect("an id")), ..self }
    }

    /// Ten minutes later it still is.
    pub(super) fn reminder() -> World {
        let at = TEN_TWENTY_THREE + Duration::from_secs(600);
        let facts = IncidentFacts { duration: Duration::from_secs(600), ..facts() };
        World::new(Notification { key: "k:reminder:ops-webhook".to_owned(), event: EventKind::Reminder, at, ..notification(facts) })
    }

    /// Ten minutes later somebody is at work on it.
    pub(super) fn acknowledged() -> World {
        let mut world = World::reminder();
        let at = world.notification.at;
        (world.notification.key, world.notification.event) = ("k:acknowledged:ops-webhook".to_owned(), EventKind::Acknowledged);
        if let Subject::Incident(facts) = &mut world.notification.subject {
            let note = "the database has no room left".to_owned();
            facts.alert.acknowledged = Some(Acknowledgement { by: "ada".to_owned(), at, until: None, note, by_channel: None });
        }
        world
    }

    /// Somebody wants to be reminded of it in an hour.
    pub(super) fn snoozed() -> World {
        let mut world = World::acknowledged();
        if let Subject::Incident(facts) = &mut world.notification.subject
            && let Some(acknowledged) = &mut facts.alert.acknowledged
        {
            acknowledged.until = Some(world.notification.at + Duration::from_secs(3600));
        }
        world
    }

    /// It is told again for this reason.
    pub(super) fn again(why: Again) -> World {
        let mut world = World::reminder();
        if let Subject::Incident(facts) = &mut world.notification.subject {
            facts.alert.again = Some(why);
        }
        world
    }

    /// An outage that was over before anybody was told.
    pub(super) fn passed() -> World {
        let mut world = World::recovered(Verdict::Up);
        if let Subject::Incident(facts) = &world.notification.subject {
            world.notification.subject = Subject::Passed(facts.clone());
        }
        world
    }

    /// Three in one: one is down, one is up again, and one was down for a while.
    pub(super) fn bundle() -> World {
        let parts = [("shop", World::down()), ("mail", World::recovered(Verdict::Up)), ("<b>*wiki*", World::passed())];
        let tellings = parts.map(|(name, world)| {
            let mut notification = world.notification;
            notification.key = format!("key-of-{name}");
            if let Subject::Incident(facts) | Subject::Passed(facts) = &mut notification.subject {
                facts.monitor_name = name.to_owned();
            }
            Telling {
                rows: vec![Row { id: 1, n_attempts: 0, owed_since: notification.at, notification: notification.clone() }],
                notification,
                told: 0,
                opening: None,
                remaining: Vec::new(),
                is_overtaken: false,
            }
        });
        World::new(bundle::of(&tellings))
    }

    pub(super) fn notice() -> World {
        World::new(self_notice())
    }

    /// Every text is long, and full of what services take for markup and mentions.
    pub(super) fn hostile() -> World {
        let mut facts = facts();
        for text in [&mut facts.monitor_name, &mut facts.cause, &mut facts.evidence, &mut facts.target] {
            *text = "<@U1> @everyone @all <!channel> <users/all> **b** _i_ `c` [l](javascript:1) #1 \"},{ </b> 🚨é\r\n".repeat(800);
        }
        facts.runbook = Some(format!("https://x.example/{}", "r".repeat(3000)));
        World::new(notification(facts))
    }

    /// At the time it was decided.
    pub(super) fn message(&self) -> Message<'_> {
        let now = self.notification.at;
        Message { notification: &self.notification, on: &self.on, links: &self.links, now, first: self.first.as_ref(), unnamed: None }
    }
}

pub(super) fn channel_name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("channel name")
}

pub(super) fn channel(name: &str, spec: ChannelSpec) -> Channel {
    let origin = Origin { file: Arc::new(PathBuf::from("config.yaml")), line: 1 };
    Channel { name: channel_name(name), spec, on: BTreeSet::from(EventKind::ALL), quiet_hours: None, origin }
}

pub(super) fn webhook(url: &str) -> WebhookSpec {
    WebhookSpec { url: Secret::new(url), method: "POST".to_owned(), headers: Vec::new(), secret: None, body: None }
}

pub(super) fn ntfy() -> NtfySpec {
    NtfySpec { url: "https://ntfy.sh".to_owned(), topic: Secret::new("topic"), credentials: None, priority: 5 }
}

pub(super) fn mail_to(host: &str) -> EmailSpec {
    let mailbox = |address: &str| Mailbox { name: None, address: address.to_owned() };
    EmailSpec {
        server: HostPort { host: host.to_owned(), port: 587 },
        tls: MailTls::StartTls,
        ca: None,
        credentials: None,
        from: mailbox("alerts@example.com"),
        to: vec![mailbox("ops@example.com")],
    }
}

pub(super) fn server() -> Server {
    Server {
        listen: Vec::new(),
        public_url: Some("https://status.example.com".to_owned()),
        base_path: String::new(),
        trusted_proxies: Vec::new(),
        tls: None,
    }
}

pub(super) fn config(channels: &[&str]) -> Arc<Config> {
    let named = |name: &&str| {
        let channel = channel(name, ChannelSpec::Webhook(webhook("http://192.0.2.1/")));
        (channel.name.clone(), Arc::new(channel))
    };
    Arc::new(Config {
        instance: Instance {
            region: Region::parse("local").expect("region"),
            vantage: Vantage::External,
            state_dir: PathBuf::from("data"),
            secret: None,
            allow_commands: false,
            edit: None,
        },
        server: server(),
        auth: Auth::default(),
        monitors: Vec::new(),
        channels: channels.iter().map(named).collect::<BTreeMap<_, _>>(),
        pages: Vec::new(),
        policies: Vec::new(),
        incident_templates: Vec::new(),
        maintenance: Vec::new(),
        uplink: Vec::new(),
        self_channels: Vec::new(),
        self_heartbeat: None,
        retention: Retention::default(),
        heartbeats: crate::config::Heartbeats::default(),
        doubts: Vec::new(),
        peers: None,
    })
}

/// Every request of a channel for an outage, a degradation, a recovery and a notice, as a file of `golden`; `BLESS=1` writes it anew.
/// The settings have `canary` in every secret, and none of them may be seen.
#[track_caller]
pub(super) fn assert_golden(spec: &ChannelSpec) {
    let mut out = String::new();
    for (what, world) in
        [("down", World::down()), ("degraded", World::degraded()), ("recovered", World::recovered(Verdict::Up)), ("self", World::notice())]
    {
        let channel = channel("ops-webhook", spec.clone());
        let text = preview::preview(&channel, &world.message()).expect("a blank answer accepts");
        out.push_str(&format!("== {what}\n{text}\n"));
    }
    assert_golden_file(spec.kind(), &out);
    if kind::manner(spec) == Manner::Together {
        assert_together(spec);
    }
}

/// The same for what is told in one.
#[track_caller]
fn assert_together(spec: &ChannelSpec) {
    let mut out = String::new();
    for (what, world) in [("passed", World::passed()), ("bundle", World::bundle())] {
        let channel = channel("ops-webhook", spec.clone());
        let text = preview::preview(&channel, &world.message()).expect("a blank answer accepts");
        out.push_str(&format!("== {what}\n{text}\n"));
    }
    assert_golden_file(&format!("{}-together", spec.kind()), &out);
}

/// The same for a conversation of several requests.
#[track_caller]
pub(super) fn assert_conversation(name: &str, spec: &ChannelSpec, world: &World, answers: &[Answer]) {
    let text = {
        let masked = preview::masked(spec);
        let Way::Http(kind) = way(&masked) else { panic!("not by requests") };
        preview::preview_with(kind, &world.message(), answers).expect("no refusal")
    };
    assert_golden_file(name, &text);
}

#[track_caller]
fn assert_golden_file(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/notifier/golden/{name}.txt"));
    let text = text.replace(SENT_BY, "vigilmon/VERSION");
    assert!(!text.contains("canary"), "a secret is shown:\n{text}");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("the file can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} differs; BLESS=1 writes it anew", path.display());
}

/// What a channel sends for a message whose every text is long and hostile: its body, which must be JSON and not too long.
#[track_caller]
pub(super) fn hostile_body(kind: &dyn Kind) -> Value {
    let world = World::hostile();
    let request = kind.request(&world.message());
    assert!(request.body.len() <= BODY_BYTES_MAX, "{} bytes", request.body.len());
    serde_json::from_str(&request.body).unwrap_or_else(|error| panic!("{error}: {}", request.body))
}

/// The text without its code spans, in which a service looks for nothing.
pub(super) fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect()
}

pub(super) fn answer(status: u16, body: &str, retry_after: Option<&str>) -> Answer {
    Answer { status, retry_after: retry_after.map(str::to_owned), body: body.as_bytes().to_vec() }
}

/// Status, body, `Retry-After`, and how what is made of it begins. Nothing of the body but known words may be repeated.
#[track_caller]
pub(super) fn assert_judged(kind: &dyn Kind, rows: &[(u16, &str, Option<&str>, &str)]) {
    for (status, body, header, expected) in rows {
        let got = match kind.judge(&answer(*status, body, *header), TEN_TWENTY_THREE) {
            Ok(()) => "accepted".to_owned(),
            Err(SendError::Permanent(text)) => format!("permanent: {text}"),
            Err(SendError::Transient(text)) => format!("transient: {text}"),
            Err(SendError::Later(wait, text)) => format!("later {}: {text}", wait.as_secs()),
        };
        assert!(got.starts_with(expected), "{status} {body}\n{expected}\n{got}");
        assert!(!got.contains("canary"), "{got}");
    }
}
