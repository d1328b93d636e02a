//! Configured ways to reach people.

use std::collections::BTreeSet;

use crate::model::channel::spec::AlertmanagerSpec;
use crate::model::channel::spec::AppriseSpec;
use crate::model::channel::spec::AppriseTo;
use crate::model::channel::spec::CommandSpec;
use crate::model::channel::spec::DiscordSpec;
use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::GithubSpec;
use crate::model::channel::spec::GitlabSpec;
use crate::model::channel::spec::GoogleChatSpec;
use crate::model::channel::spec::GotifySpec;
use crate::model::channel::spec::GrafanaOncallSpec;
use crate::model::channel::spec::HomeAssistantSpec;
use crate::model::channel::spec::IncidentIoSpec;
use crate::model::channel::spec::MatrixSpec;
use crate::model::channel::spec::MattermostSpec;
use crate::model::channel::spec::NtfyCredentials;
use crate::model::channel::spec::NtfySpec;
use crate::model::channel::spec::OpsgenieSpec;
use crate::model::channel::spec::PagerDutySpec;
use crate::model::channel::spec::PushbulletSpec;
use crate::model::channel::spec::PushoverSpec;
use crate::model::channel::spec::RocketChatSpec;
use crate::model::channel::spec::SignalSpec;
use crate::model::channel::spec::SlackSpec;
use crate::model::channel::spec::TeamsSpec;
use crate::model::channel::spec::TelegramSpec;
use crate::model::channel::spec::TwilioSpec;
use crate::model::channel::spec::Word;
use crate::model::channel::spec::ZulipSpec;
use crate::model::id::ChannelName;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::policy::QuietHours;
use crate::model::secret::Secret;

pub mod spec;

/// One channel, complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Unique.
    pub name: ChannelName,
    /// How it is spoken to.
    pub spec: ChannelSpec,
    /// What it wants to hear.
    pub on: BTreeSet<EventKind>,
    /// When it keeps still.
    pub quiet_hours: Option<QuietHours>,
    /// Where it is written.
    pub origin: Origin,
}

/// How a channel is spoken to; one variant per kind, one file per kind under `crate::notifier`.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelSpec {
    /// A request with a JSON body to an address of the user's.
    Webhook(WebhookSpec),
    /// Slack.
    Slack(SlackSpec),
    /// Discord.
    Discord(DiscordSpec),
    /// Microsoft Teams.
    Teams(TeamsSpec),
    /// Mattermost.
    Mattermost(MattermostSpec),
    /// Rocket.Chat.
    RocketChat(RocketChatSpec),
    /// Google Chat.
    GoogleChat(GoogleChatSpec),
    /// Telegram.
    Telegram(TelegramSpec),
    /// Matrix.
    Matrix(MatrixSpec),
    /// Zulip.
    Zulip(ZulipSpec),
    /// ntfy.
    Ntfy(NtfySpec),
    /// Gotify.
    Gotify(GotifySpec),
    /// Pushover.
    Pushover(PushoverSpec),
    /// Pushbullet.
    Pushbullet(PushbulletSpec),
    /// Signal, by a bridge.
    Signal(SignalSpec),
    /// Text messages by Twilio.
    Twilio(TwilioSpec),
    /// Home Assistant.
    HomeAssistant(HomeAssistantSpec),
    /// PagerDuty.
    PagerDuty(PagerDutySpec),
    /// Opsgenie.
    Opsgenie(OpsgenieSpec),
    /// incident.io.
    IncidentIo(IncidentIoSpec),
    /// Grafana `OnCall`.
    GrafanaOncall(GrafanaOncallSpec),
    /// Alertmanager.
    Alertmanager(AlertmanagerSpec),
    /// Issues on GitHub.
    Github(GithubSpec),
    /// Issues on GitLab.
    Gitlab(GitlabSpec),
    /// An Apprise API server.
    Apprise(AppriseSpec),
    /// Mail.
    Email(EmailSpec),
    /// A program of the operator's.
    Command(CommandSpec),
}

impl ChannelSpec {
    /// The word for the kind, as in the YAML.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            ChannelSpec::Webhook(_) => "webhook",
            ChannelSpec::Slack(_) => "slack",
            ChannelSpec::Discord(_) => "discord",
            ChannelSpec::Teams(_) => "teams",
            ChannelSpec::Mattermost(_) => "mattermost",
            ChannelSpec::RocketChat(_) => "rocketchat",
            ChannelSpec::GoogleChat(_) => "googlechat",
            ChannelSpec::Telegram(_) => "telegram",
            ChannelSpec::Matrix(_) => "matrix",
            ChannelSpec::Zulip(_) => "zulip",
            ChannelSpec::Ntfy(_) => "ntfy",
            ChannelSpec::Gotify(_) => "gotify",
            ChannelSpec::Pushover(_) => "pushover",
            ChannelSpec::Pushbullet(_) => "pushbullet",
            ChannelSpec::Signal(_) => "signal",
            ChannelSpec::Twilio(_) => "twilio",
            ChannelSpec::HomeAssistant(_) => "home_assistant",
            ChannelSpec::PagerDuty(_) => "pagerduty",
            ChannelSpec::Opsgenie(_) => "opsgenie",
            ChannelSpec::IncidentIo(_) => "incident_io",
            ChannelSpec::GrafanaOncall(_) => "grafana_oncall",
            ChannelSpec::Alertmanager(_) => "alertmanager",
            ChannelSpec::Github(_) => "github",
            ChannelSpec::Gitlab(_) => "gitlab",
            ChannelSpec::Apprise(_) => "apprise",
            ChannelSpec::Email(_) => "email",
            ChannelSpec::Command(_) => "command",
        }
    }

    /// Everything in it that must not be shown.
    pub fn secrets_mut(&mut self) -> Vec<&mut Secret> {
        match self {
            ChannelSpec::Webhook(spec) => {
                let headers = spec.headers.iter_mut().map(|(_, value)| value);
                let filled = spec.body.iter_mut().flat_map(|template| &mut template.parts).filter_map(|part| match part {
                    TemplatePart::Filled(secret) => Some(secret),
                    TemplatePart::Text(_) | TemplatePart::Slot(_) => None,
                });
                [&mut spec.url].into_iter().chain(headers).chain(&mut spec.secret).chain(filled).collect()
            }
            ChannelSpec::Slack(SlackSpec::Webhook { url }) => vec![url],
            ChannelSpec::Slack(SlackSpec::Bot { token, signing_secret, .. }) => [token].into_iter().chain(signing_secret).collect(),
            ChannelSpec::Discord(spec) => vec![&mut spec.url],
            ChannelSpec::Teams(spec) => vec![&mut spec.url],
            ChannelSpec::Mattermost(spec) => vec![&mut spec.url],
            ChannelSpec::RocketChat(spec) => vec![&mut spec.url],
            ChannelSpec::GoogleChat(spec) => vec![&mut spec.url],
            ChannelSpec::Telegram(spec) => vec![&mut spec.token],
            ChannelSpec::Matrix(spec) => vec![&mut spec.token],
            ChannelSpec::Zulip(spec) => vec![&mut spec.api_key],
            ChannelSpec::Ntfy(spec) => {
                let credentials = spec.credentials.as_mut().map(|known| match known {
                    NtfyCredentials::Token(token) => token,
                    NtfyCredentials::Password { password, .. } => password,
                });
                [&mut spec.topic].into_iter().chain(credentials).collect()
            }
            ChannelSpec::Gotify(spec) => vec![&mut spec.token],
            ChannelSpec::Pushover(spec) => vec![&mut spec.token, &mut spec.user],
            ChannelSpec::Pushbullet(spec) => vec![&mut spec.token],
            ChannelSpec::Signal(_) => Vec::new(),
            ChannelSpec::Twilio(spec) => vec![&mut spec.auth_token],
            ChannelSpec::HomeAssistant(spec) => vec![&mut spec.token],
            ChannelSpec::PagerDuty(spec) => [&mut spec.routing_key].into_iter().chain(&mut spec.webhook_secrets).collect(),
            ChannelSpec::Opsgenie(spec) => vec![&mut spec.api_key],
            ChannelSpec::IncidentIo(spec) => vec![&mut spec.token],
            ChannelSpec::GrafanaOncall(spec) => vec![&mut spec.url],
            ChannelSpec::Alertmanager(spec) => spec.credentials.as_mut().map(|(_, password)| password).into_iter().collect(),
            ChannelSpec::Github(spec) => vec![&mut spec.token],
            ChannelSpec::Gitlab(spec) => vec![&mut spec.token],
            ChannelSpec::Apprise(AppriseSpec { to: AppriseTo::Stored { key, .. }, .. }) => vec![key],
            ChannelSpec::Apprise(AppriseSpec { to: AppriseTo::Urls(urls), .. }) => urls.iter_mut().collect(),
            ChannelSpec::Email(spec) => spec.credentials.as_mut().map(|(_, password)| password).into_iter().collect(),
            ChannelSpec::Command(spec) => {
                let words = spec.run.iter_mut().filter_map(|word| match word {
                    Word::Filled(secret) => Some(secret),
                    Word::Plain(_) => None,
                });
                spec.env.iter_mut().map(|(_, value)| value).chain(words).collect()
            }
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
    /// Copied as well; it comes from the environment, and may be a secret.
    Filled(Secret),
    /// Replaced by a value.
    Slot(Slot),
}

/// How the values of slots are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// JSON: values are escaped for the inside of a JSON text.
    Json,
    /// A form in the manner of an address: values are percent-encoded.
    Form,
    /// XML or HTML: values are escaped for the text between tags and for quoted attributes.
    Xml,
    /// Plain text: control characters become spaces.
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
    /// `${links.acknowledge}`: where one can say that one is at work on it; empty once it is over
    LinkAcknowledge,
    /// `${links.silence}`: where one can silence the monitor; empty once it is over
    LinkSilence,
}

impl Slot {
    /// Every slot with its name between `${` and `}`.
    pub const ALL: [(&'static str, Slot); 16] = [
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
        ("links.acknowledge", Slot::LinkAcknowledge),
        ("links.silence", Slot::LinkSilence),
    ];
}
