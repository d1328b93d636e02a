//! Things for tests: the plainest monitor, channel and result there can be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::SlackSpec;
use crate::model::expect::Expectation;
use crate::model::heartbeat::BodyRule;
use crate::model::heartbeat::FirstPing;
use crate::model::heartbeat::Heartbeat;
use crate::model::heartbeat::HeartbeatSpec;
use crate::model::heartbeat::Identity;
use crate::model::heartbeat::Keep;
use crate::model::heartbeat::Methods;
use crate::model::heartbeat::Resume;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::monitor::Confirm;
use crate::model::monitor::IpChoice;
use crate::model::monitor::Monitor;
use crate::model::monitor::Origin;
use crate::model::monitor::ProbeSpec;
use crate::model::monitor::Quorum;
use crate::model::monitor::Regions;
use crate::model::monitor::Reminders;
use crate::model::monitor::TcpSpec;
use crate::model::net::HostPort;
use crate::model::notification::EventKind;
use crate::model::schedule::Schedule;
use crate::model::secret::Secret;

/// Checks `h.example:1` by TCP every 60 s, two failures to confirm, rechecks after 10 s, tells nobody.
pub(crate) fn monitor(id: &str) -> Monitor {
    Monitor {
        id: MonitorId::parse(id).expect("an id"),
        name: id.to_owned(),
        group: None,
        labels: BTreeMap::new(),
        probe: ProbeSpec::Tcp(TcpSpec {
            address: HostPort::parse("h.example:1").expect("an address"),
            send: Vec::new(),
            expect: Vec::new(),
            ip: IpChoice::Any,
            resolver: Vec::new(),
        }),
        expect: Expectation::default(),
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(10),
        confirm: Confirm { failures: 2, successes: 1, recheck: Duration::from_secs(10) },
        regions: Regions::All,
        quorum: Quorum::Majority,
        n_regions_min: None,
        partial_after: Duration::from_secs(300),
        internal: None,
        channels: Vec::new(),
        remind: Reminders::ByPolicy,
        depends_on: Vec::new(),
        runbook: None,
        slo: None,
        enabled: true,
        origin: origin(),
        written: Arc::default(),
    }
}

/// The rules of a heartbeat that is expected so often and may be so late.
pub(crate) fn heartbeat(interval: Duration, grace: Duration) -> Heartbeat {
    Heartbeat {
        schedule: Schedule::interval(interval).expect("an interval"),
        grace,
        start_grace: None,
        max_runtime: None,
        min_runtime: None,
        failures: 1,
        first_ping: FirstPing::Required,
        methods: Methods::Any,
        body: BodyRule { bytes_max: 10_240, keep: Keep::Head },
        keywords: None,
        early: None,
        resume: Resume::Auto,
        keep_alive: false,
    }
}

/// A monitor that reports by itself, by these rules.
pub(crate) fn reporting(id: &str, rules: Heartbeat) -> Monitor {
    let identity = Identity { token: None, uuid: None, slug: id.to_owned(), generation: 1 };
    Monitor { probe: ProbeSpec::Heartbeat(Box::new(HeartbeatSpec { beat: Arc::new(rules), identity })), ..monitor(id) }
}

/// Chance that is small, fast and the same everywhere: xorshift64 of Marsaglia.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From 0 up to `n`, without it.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A Slack channel that hears everything.
pub(crate) fn channel(name: &str) -> Channel {
    Channel {
        name: ChannelName::parse(name).expect("a name"),
        spec: ChannelSpec::Slack(SlackSpec::Webhook { url: Secret::new("https://hooks.example/x") }),
        on: EventKind::ALL.into_iter().collect(),
        quiet_hours: None,
        origin: origin(),
    }
}

fn origin() -> Origin {
    Origin { file: Arc::new(PathBuf::from("x.yaml")), line: 1 }
}
