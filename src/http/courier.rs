//! Test messages that operators ask for, and what became of the last one to each channel; and the few words that are said back to somebody
//! who pressed a button.
//!
//! A test is one try, is not stored, and belongs to no incident. That it was accepted proves that the channel delivers, and is noted.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Notify;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::Server;
use crate::http::archive::Later;
use crate::http::error::Refusal;
use crate::http::limits::TESTS_AT_ONCE;
use crate::model::channel::Channel;
use crate::model::id::ChannelName;
use crate::notifier;
use crate::notifier::attempt::Tried;
use crate::notifier::error::SendError;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::sink::ChannelSink;
use crate::store::Attempt;

/// Who takes a test message to a channel.
pub trait Post: Debug + Send + Sync {
    /// Tries it once.
    fn test<'a>(&'a self, channel: &'a Channel, server: &'a Server) -> Later<'a, Tried>;

    /// Makes one request to a service, which is no message to a channel.
    fn hand(&self, request: Request) -> Later<'_, Result<Answer, SendError>>;
}

/// The post as it is.
#[derive(Debug)]
pub struct Mail {
    /// Takes messages to channels.
    pub sink: ChannelSink,
    /// Times attempts.
    pub clock: Clock,
}

impl Post for Mail {
    fn test<'a>(&'a self, channel: &'a Channel, server: &'a Server) -> Later<'a, Tried> {
        Box::pin(notifier::send_test(&self.sink, channel, server, &self.clock))
    }

    fn hand(&self, request: Request) -> Later<'_, Result<Answer, SendError>> {
        Box::pin(self.sink.hand(request))
    }
}

/// Sends test messages, and remembers the last one to each channel until the program ends.
#[derive(Debug)]
pub struct Courier {
    post: Arc<dyn Post>,
    /// Wakes whoever sends what is owed.
    owed: Arc<Notify>,
    permits: Semaphore,
    last: Mutex<BTreeMap<ChannelName, Attempt>>,
}

impl Courier {
    /// With this post. `owed` is notified when messages wait again.
    #[must_use]
    pub fn new(post: Arc<dyn Post>, owed: Arc<Notify>) -> Courier {
        Courier { post, owed, permits: Semaphore::new(TESTS_AT_ONCE), last: Mutex::default() }
    }

    /// Sends a test message and says what became of it.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] while too many others are under way.
    pub async fn test(&self, channel: &Channel, server: &Server) -> Result<Attempt, Refusal> {
        let busy = |_| Refusal::Conflict("Other test messages are being sent at the moment. Try again in a few seconds.".to_owned());
        let _permit = self.permits.try_acquire().map_err(busy)?;
        let Tried { record, outcome: _, remaining: _ } = self.post.test(channel, server).await;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(channel.name.clone(), record.clone());
        Ok(record)
    }

    /// Makes one request to a service, which is no message to a channel. The caller limits its time.
    ///
    /// # Errors
    /// [`SendError`] when no answer came.
    pub async fn hand(&self, request: Request) -> Result<Answer, SendError> {
        self.post.hand(request).await
    }

    /// What became of the last test message to a channel.
    #[must_use]
    pub fn last(&self, name: &ChannelName) -> Option<Attempt> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// There are messages that wait again.
    pub fn wake(&self) {
        self.owed.notify_one();
    }
}
