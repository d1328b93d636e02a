//! The seam between channels and the rest: a kind says what to send and what an answer means, and nothing else.
//!
//! Everything here is pure. Sending, waiting, giving up and remembering are the same for all kinds and live elsewhere; a kind that
//! needs several requests is told what was answered so far and says what comes next.

use crate::model::channel::ChannelSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;

/// How one kind of channel is spoken to over HTTP.
pub trait Kind: Sync {
    /// The first request.
    fn request(&self, message: &Message<'_>) -> Request;

    /// What the answer to a request means.
    ///
    /// # Errors
    /// [`SendError`] when the message was not accepted.
    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        judge_status(answer.status, answer.retry_after.as_deref(), now)
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

/// The kind of a channel.
#[must_use]
pub fn kind(spec: &ChannelSpec) -> &dyn Kind {
    match spec {
        ChannelSpec::Webhook(spec) => spec,
        ChannelSpec::Slack(spec) => spec,
    }
}
