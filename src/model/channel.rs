//! Configured ways to reach people.

use std::collections::BTreeSet;

use crate::model::id::ChannelName;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::secret::Secret;

/// One channel, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Unique.
    pub name: ChannelName,
    /// How it is spoken to.
    pub spec: ChannelSpec,
    /// What it wants to hear.
    pub on: BTreeSet<EventKind>,
    /// Where it is written.
    pub origin: Origin,
}

/// How a channel is spoken to; one variant per kind, one file per kind under `crate::notifier`.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelSpec {
    /// A request with a JSON body to an address of the user's.
    Webhook(WebhookSpec),
    /// A Slack incoming webhook.
    Slack(SlackSpec),
}

impl ChannelSpec {
    /// The word for the kind, as in the YAML.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            ChannelSpec::Webhook(_) => "webhook",
            ChannelSpec::Slack(_) => "slack",
        }
    }
}

/// How a webhook is called.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookSpec {
    /// Whole URL, `http` or `https`; secret because webhook URLs usually carry their token.
    pub url: Secret,
    /// `POST`, `PUT`, `PATCH` or `GET`.
    pub method: String,
    /// Sent besides our own.
    pub headers: Vec<(String, Secret)>,
    /// Signs the body: `X-Vigilmon-Signature: sha256=<hex HMAC>`.
    pub secret: Option<Secret>,
    /// Own body instead of ours.
    pub body: Option<Template>,
}

/// How Slack is called.
#[derive(Debug, Clone, PartialEq)]
pub struct SlackSpec {
    /// The incoming webhook's URL.
    pub url: Secret,
}

/// A body of the user's with slots; parsed when the config is loaded, so that it cannot fail when it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Literal texts and slots in order.
    pub parts: Vec<TemplatePart>,
    /// How values are escaped.
    pub escaping: Escaping,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Copied.
    Text(String),
    /// Replaced by a value.
    Slot(Slot),
}

/// How the values of slots are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// The template begins with `{` or `[`: values are escaped for the inside of a JSON text.
    Json,
    /// Anything else: control characters become spaces.
    Text,
}

/// What a slot stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// `${monitor.name}`
    MonitorName,
    /// `${monitor.id}`
    MonitorId,
    /// `${monitor.group}`
    MonitorGroup,
    /// `${monitor.url}`
    MonitorUrl,
    /// `${event}`
    Event,
    /// `${status}`
    Status,
    /// `${text}`
    Text,
    /// `${cause}`
    Cause,
    /// `${incident.id}`
    IncidentId,
    /// `${incident.started_at}`
    StartedAt,
    /// `${incident.duration_seconds}`
    DurationSeconds,
    /// `${regions_failing}`: names, comma-separated
    RegionsFailing,
    /// `${runbook}`
    Runbook,
    /// `${link}`: the incident's page
    Link,
}

impl Slot {
    /// Every slot with its name between `${` and `}`.
    pub const ALL: [(&'static str, Slot); 14] = [
        ("monitor.name", Slot::MonitorName),
        ("monitor.id", Slot::MonitorId),
        ("monitor.group", Slot::MonitorGroup),
        ("monitor.url", Slot::MonitorUrl),
        ("event", Slot::Event),
        ("status", Slot::Status),
        ("text", Slot::Text),
        ("cause", Slot::Cause),
        ("incident.id", Slot::IncidentId),
        ("incident.started_at", Slot::StartedAt),
        ("incident.duration_seconds", Slot::DurationSeconds),
        ("regions_failing", Slot::RegionsFailing),
        ("runbook", Slot::Runbook),
        ("link", Slot::Link),
    ];
}
