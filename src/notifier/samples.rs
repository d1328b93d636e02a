//! Facts, channels and a config for the tests of this module.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Auth;
use crate::config::Config;
use crate::config::Instance;
use crate::config::Retention;
use crate::config::Server;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::WebhookSpec;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::incident::Lane;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::peer::Vantage;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Verdict;

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

pub(super) fn channel_name(text: &str) -> ChannelName {
    ChannelName::parse(text).expect("channel name")
}

pub(super) fn channel(name: &str, spec: ChannelSpec) -> Channel {
    let origin = Origin { file: Arc::new(PathBuf::from("config.yaml")), line: 1 };
    Channel { name: channel_name(name), spec, on: BTreeSet::from(EventKind::ALL), origin }
}

pub(super) fn webhook(url: &str) -> WebhookSpec {
    WebhookSpec { url: Secret::new(url), method: "POST".to_owned(), headers: Vec::new(), secret: None, body: None }
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
        },
        server: server(),
        auth: Auth::default(),
        monitors: Vec::new(),
        channels: channels.iter().map(named).collect::<BTreeMap<_, _>>(),
        pages: Vec::new(),
        maintenance: Vec::new(),
        uplink: Vec::new(),
        self_channels: Vec::new(),
        retention: Retention::default(),
        heartbeats: crate::config::Heartbeats::default(),
        doubts: Vec::new(),
        peers: None,
    })
}
