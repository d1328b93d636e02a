//! The seam between channels and the rest: a kind says what to send and what an answer means, and nothing else.
//!
//! Everything here is pure. Sending, waiting, giving up and remembering are the same for all kinds and live elsewhere; a kind that
//! needs several requests is told what was answered so far and says what comes next. Two kinds do not speak HTTP, and have a way of
//! their own: mail, and programs.

use std::time::Duration;

use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::CommandSpec;
use crate::model::channel::spec::EmailSpec;
use crate::model::notification::ServiceId;
use crate::model::time::UnixMillis;
use crate::notifier::command;
use crate::notifier::compose::Message;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::former;
use crate::notifier::outbox::LEASE;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;

/// How long requests may take, from the look-up of the name to the end of the last answer. Chat servers answer in well under a second.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a mail may take. Servers greet late to annoy senders of spam, and read a mail before they accept it; who hung up then would
/// send it twice. Must end before [`crate::notifier::outbox::LEASE`].
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(25);

/// An attempt must have ended, and be written down, before its message counts as forgotten.
const _: () = assert!(MAIL_TIMEOUT.as_secs() < LEASE.as_secs() && SEND_TIMEOUT.as_secs() < MAIL_TIMEOUT.as_secs());

/// How long messages are gathered that come after one was sent. Long enough for what falls together, and for people to read what came;
/// short enough for a second outage not to be kept from anybody.
pub const GATHER: Duration = Duration::from_secs(10);

/// How a channel wants messages of which several wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// For people: what waits is said once, and together.
    Together,
    /// For systems that open something for a message and end it with a later one: each by itself, all of them, in order, as fast as they
    /// are taken.
    Apart,
}

/// How one kind of channel is spoken to over HTTP.
pub trait Kind: Sync {
    /// The first request.
    fn request(&self, message: &Message<'_>) -> Request;

    /// How it wants messages of which several wait.
    fn manner(&self) -> Manner {
        Manner::Together
    }

    /// An answer that accepts everything and finds nothing, for a preview of what would be sent.
    fn blank_answer(&self) -> Answer {
        Answer { status: 200, retry_after: None, body: b"{}".to_vec() }
    }

    /// What the answer to a request means.
    ///
    /// # Errors
    /// [`SendError`] when the message was not accepted.
    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        judge_status(answer.status, answer.retry_after.as_deref(), now)
    }

    /// Whether the message itself has arrived, given the answers so far; what is sent after that only tidies up, and neither its failure
    /// nor its silence is worth a repeat of the message. A kind that says nothing of it wants every request answered.
    fn has_arrived(&self, _: &Message<'_>, _: &[Answer]) -> bool {
        false
    }

    /// What the service calls the message, when it has arrived and later ones can refer to it.
    fn called(&self, _: &Message<'_>, _: &[Answer]) -> Option<ServiceId> {
        None
    }

    /// What to send next, given the answers so far, the oldest first; `None` when all is said.
    ///
    /// # Errors
    /// [`SendError`] when the message was not accepted.
    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        match answers.last() {
            None => Ok(Some(self.request(message))),
            Some(answer) => self.judge(answer, message.now).map(|()| None),
        }
    }
}

/// How a channel is reached.
pub enum Way<'a> {
    /// By requests.
    Http(&'a dyn Kind),
    /// By a mail.
    Mail(&'a EmailSpec),
    /// By running a program.
    Program(&'a CommandSpec),
}

/// The way to a channel.
#[must_use]
pub fn way(spec: &ChannelSpec) -> Way<'_> {
    Way::Http(match spec {
        ChannelSpec::Webhook(spec) => spec,
        ChannelSpec::Slack(spec) => spec,
        ChannelSpec::Discord(spec) => spec,
        ChannelSpec::Teams(spec) => spec,
        ChannelSpec::Mattermost(spec) => spec,
        ChannelSpec::RocketChat(spec) => spec,
        ChannelSpec::GoogleChat(spec) => spec,
        ChannelSpec::Telegram(spec) => spec,
        ChannelSpec::Matrix(spec) => spec,
        ChannelSpec::Zulip(spec) => spec,
        ChannelSpec::Ntfy(spec) => spec,
        ChannelSpec::Gotify(spec) => spec,
        ChannelSpec::Pushover(spec) => spec,
        ChannelSpec::Pushbullet(spec) => spec,
        ChannelSpec::Signal(spec) => spec,
        ChannelSpec::Twilio(spec) => spec,
        ChannelSpec::HomeAssistant(spec) => spec,
        ChannelSpec::PagerDuty(spec) => spec,
        ChannelSpec::Opsgenie(spec) => spec,
        ChannelSpec::IncidentIo(spec) => spec,
        ChannelSpec::GrafanaOncall(spec) => spec,
        ChannelSpec::Alertmanager(spec) => spec,
        ChannelSpec::Github(spec) => spec,
        ChannelSpec::Gitlab(spec) => spec,
        ChannelSpec::Apprise(spec) => spec,
        ChannelSpec::Email(spec) => return Way::Mail(spec),
        ChannelSpec::Command(spec) => return Way::Program(spec),
    })
}

/// How a channel wants messages of which several wait.
#[must_use]
pub fn manner(spec: &ChannelSpec) -> Manner {
    match way(spec) {
        Way::Http(kind) => kind.manner(),
        Way::Mail(_) | Way::Program(_) => Manner::Together,
    }
}

/// Whether it opens something at a service that stays open until a later message ends it.
#[must_use]
pub fn keeps_open(spec: &ChannelSpec) -> bool {
    former::place(spec).is_some() || matches!(spec, ChannelSpec::Github(_) | ChannelSpec::Gitlab(_))
}

/// How long other nodes are held back by a claim: as long as what is tried in one go may take. What follows an alarm whose key was changed
/// meanwhile is tried at two places.
#[must_use]
pub fn patience_of_all(spec: &ChannelSpec) -> Duration {
    let n_places = if former::place(spec).is_some() { 2 } else { 1 };
    patience(spec) * n_places
}

/// How long one attempt may take in all. Whoever takes longer is treated like one that is down, and gets the message again under the
/// same key.
#[must_use]
pub fn patience(spec: &ChannelSpec) -> Duration {
    match way(spec) {
        Way::Http(_) => SEND_TIMEOUT,
        Way::Mail(_) => MAIL_TIMEOUT,
        Way::Program(spec) => command::patience(spec),
    }
}
