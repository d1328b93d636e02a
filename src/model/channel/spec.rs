//! The settings of each kind of channel. Addresses without a secret in them have no slash at their end.

use std::time::Duration;

use crate::model::net::HostPort;
use crate::model::secret::Secret;

/// How Slack is called.
#[derive(Debug, Clone, PartialEq)]
pub enum SlackSpec {
    /// By an incoming webhook.
    Webhook {
        /// Its URL.
        url: Secret,
    },
    /// As a bot, which can answer in threads and change what it said.
    Bot {
        /// `xoxb-…`.
        token: Secret,
        /// The id of the Slack channel.
        channel: String,
        /// Where the API is.
        api_url: String,
        /// Proves that a pressed button was reported by Slack; without it messages have no buttons.
        signing_secret: Option<Secret>,
    },
}

/// How Discord is called.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscordSpec {
    /// The webhook's URL.
    pub url: Secret,
    /// The thread to post into instead of the channel.
    pub thread: Option<String>,
}

/// How Microsoft Teams is called.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamsSpec {
    /// The URL of a workflow that waits for webhooks.
    pub url: Secret,
}

/// How Mattermost is called.
#[derive(Debug, Clone, PartialEq)]
pub struct MattermostSpec {
    /// The incoming webhook's URL.
    pub url: Secret,
    /// Another channel than the webhook's own.
    pub channel: Option<String>,
}

/// How Rocket.Chat is called.
#[derive(Debug, Clone, PartialEq)]
pub struct RocketChatSpec {
    /// The incoming integration's URL.
    pub url: Secret,
    /// Another channel than the integration's own.
    pub channel: Option<String>,
}

/// How Google Chat is called.
#[derive(Debug, Clone, PartialEq)]
pub struct GoogleChatSpec {
    /// The webhook's URL, with `key` and `token`.
    pub url: Secret,
}

/// How Telegram is called.
#[derive(Debug, Clone, PartialEq)]
pub struct TelegramSpec {
    /// The bot's token.
    pub token: Secret,
    /// Id of the chat, or `@name` of a public channel.
    pub chat: String,
    /// The topic of a forum.
    pub topic: Option<u64>,
    /// Where the bot API is.
    pub api_url: String,
}

/// How Matrix is called.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSpec {
    /// The homeserver.
    pub url: String,
    /// Access token of the account that speaks.
    pub token: Secret,
    /// Id of the room, `!…`.
    pub room: String,
}

/// How Zulip is called.
#[derive(Debug, Clone, PartialEq)]
pub struct ZulipSpec {
    /// The organisation's address.
    pub url: String,
    /// The bot's email address.
    pub email: String,
    /// The bot's API key.
    pub api_key: Secret,
    /// The Zulip channel.
    pub channel: String,
    /// One topic for everything; each monitor has its own without it.
    pub topic: Option<String>,
}

/// How ntfy is called.
#[derive(Debug, Clone, PartialEq)]
pub struct NtfySpec {
    /// The server.
    pub url: String,
    /// Whoever knows it reads along, so it is a secret.
    pub topic: Secret,
    /// Who publishes.
    pub credentials: Option<NtfyCredentials>,
    /// Of outages, 1 to 5.
    pub priority: u64,
}

/// How ntfy knows who publishes.
#[derive(Debug, Clone, PartialEq)]
pub enum NtfyCredentials {
    /// An access token.
    Token(Secret),
    /// An account.
    Password {
        /// Its name.
        user: String,
        /// Its password.
        password: Secret,
    },
}

/// How Gotify is called.
#[derive(Debug, Clone, PartialEq)]
pub struct GotifySpec {
    /// The server.
    pub url: String,
    /// Token of an application.
    pub token: Secret,
    /// Of outages, 0 to 10.
    pub priority: u64,
}

/// How Pushover is called.
#[derive(Debug, Clone, PartialEq)]
pub struct PushoverSpec {
    /// Token of an application.
    pub token: Secret,
    /// Key of a user or group.
    pub user: Secret,
    /// Only this device.
    pub device: Option<String>,
    /// Another sound than the user's.
    pub sound: Option<String>,
    /// Whether outages ring until somebody acknowledges them.
    pub emergency: bool,
    /// Where the API is.
    pub api_url: String,
}

/// How Pushbullet is called.
#[derive(Debug, Clone, PartialEq)]
pub struct PushbulletSpec {
    /// Access token of the account.
    pub token: Secret,
    /// Only this device.
    pub device: Option<String>,
    /// Subscribers of this channel instead of one's own devices.
    pub channel: Option<String>,
    /// Where the API is.
    pub api_url: String,
}

/// How a Signal bridge (signal-cli-rest-api) is called.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalSpec {
    /// The bridge.
    pub url: String,
    /// The number that sends.
    pub number: String,
    /// Numbers, user names or `group.…` ids.
    pub recipients: Vec<String>,
}

/// How Twilio is called.
#[derive(Debug, Clone, PartialEq)]
pub struct TwilioSpec {
    /// `AC…`.
    pub account_sid: String,
    /// The account's token.
    pub auth_token: Secret,
    /// The number that sends, or a messaging service, `MG…`.
    pub from: String,
    /// The number that receives.
    pub to: String,
    /// Where the API is.
    pub api_url: String,
}

/// How Home Assistant is called.
#[derive(Debug, Clone, PartialEq)]
pub struct HomeAssistantSpec {
    /// Its address.
    pub url: String,
    /// A long-lived access token.
    pub token: Secret,
    /// `notify.…`, or `persistent_notification.create`.
    pub service: String,
}

/// How PagerDuty is called.
#[derive(Debug, Clone, PartialEq)]
pub struct PagerDutySpec {
    /// Integration key of a service, Events API v2.
    pub routing_key: Secret,
    /// Where the events API is.
    pub api_url: String,
    /// Any of them proves that an event was reported by PagerDuty; without one nothing is believed.
    pub webhook_secrets: Vec<Secret>,
}

/// How Opsgenie is called.
#[derive(Debug, Clone, PartialEq)]
pub struct OpsgenieSpec {
    /// Key of an API integration.
    pub api_key: Secret,
    /// Of outages, `P1` to `P5`.
    pub priority: &'static str,
    /// On every alert.
    pub tags: Vec<String>,
    /// Where the API is.
    pub api_url: String,
}

/// How incident.io is called.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentIoSpec {
    /// The URL of an HTTP alert source.
    pub url: String,
    /// The alert source's token.
    pub token: Secret,
}

/// How Grafana `OnCall` (and Grafana IRM) is called.
#[derive(Debug, Clone, PartialEq)]
pub struct GrafanaOncallSpec {
    /// The URL of a formatted webhook.
    pub url: Secret,
}

/// How Alertmanager is called.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerSpec {
    /// Its address.
    pub url: String,
    /// Basic auth.
    pub credentials: Option<(String, Secret)>,
    /// On every alert.
    pub labels: Vec<(String, String)>,
}

/// How GitHub is called.
#[derive(Debug, Clone, PartialEq)]
pub struct GithubSpec {
    /// `owner/name`.
    pub repository: String,
    /// May write issues.
    pub token: Secret,
    /// On every issue.
    pub labels: Vec<String>,
    /// Where the API is.
    pub api_url: String,
}

/// How GitLab is called.
#[derive(Debug, Clone, PartialEq)]
pub struct GitlabSpec {
    /// Its address.
    pub url: String,
    /// `group/name`, or the number.
    pub project: String,
    /// May write issues.
    pub token: Secret,
    /// On every issue.
    pub labels: Vec<String>,
}

/// How an Apprise API server is called.
#[derive(Debug, Clone, PartialEq)]
pub struct AppriseSpec {
    /// Its address.
    pub url: String,
    /// Whom it is to tell.
    pub to: AppriseTo,
}

/// Whom Apprise is to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum AppriseTo {
    /// What is configured on the server.
    Stored {
        /// Under this key.
        key: Secret,
        /// Only what has these tags; a list in Apprise's own language.
        tag: Option<String>,
    },
    /// These Apprise URLs.
    Urls(Vec<Secret>),
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct EmailSpec {
    /// The server that takes it.
    pub server: HostPort,
    /// How the way there is protected.
    pub tls: MailTls,
    /// A certificate authority in PEM, trusted besides the system's.
    pub ca: Option<Vec<u8>>,
    /// User and password.
    pub credentials: Option<(String, Secret)>,
    /// Who writes.
    pub from: Mailbox,
    /// Who is written to; at least one.
    pub to: Vec<Mailbox>,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// Asked for before anything else is said, and insisted on.
    StartTls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

/// An address of a mailbox, perhaps with a name. Both are one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name that is shown.
    pub name: Option<String>,
    /// `local@domain`, ASCII only.
    pub address: String,
}

/// A word of a command line.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// As it stands in the config.
    Plain(String),
    /// With something of the environment in it, which may be a secret.
    Filled(Secret),
}

impl Word {
    /// As the program gets it.
    #[must_use]
    pub fn reveal_for_use(&self) -> &str {
        match self {
            Word::Plain(text) => text,
            Word::Filled(secret) => secret.reveal_for_use(),
        }
    }
}

/// How a program is run.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandSpec {
    /// The program and its arguments; no shell is between.
    pub run: Vec<Word>,
    /// Given to it besides the message.
    pub env: Vec<(String, Secret)>,
    /// How long it may run.
    pub timeout: Duration,
}
