//! Channels: reading how they are, and what operators can do about them.

use std::sync::Arc;

use hyper::StatusCode;

use crate::config::Config;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::archive::Archive;
use crate::http::archive::within;
use crate::http::channel_views;
use crate::http::channel_views::Known;
use crate::http::courier::Courier;
use crate::http::error::Refusal;
use crate::http::limits::DELIVERIES_SHOWN;
use crate::http::visit::Visit;
use crate::model::channel::Channel;
use crate::model::id::ChannelName;
use crate::model::notification::EventKind;
use crate::model::time::UnixMillis;
use crate::notifier::health;
use crate::notifier::lookout::Shown;
use crate::notifier::preview::preview_of;
use crate::store::Attempt;
use crate::store::AttemptOutcome;
use crate::store::ChannelFacts;
use crate::store::CommitError;
use crate::store::Delivery;
use crate::store::DeliveryFilter;
use crate::store::ReadError;
use crate::store::Revived;
use crate::ui::layout::Frame;
use crate::ui::page::channels;
use crate::ui::page::channels::ChannelView;
use crate::ui::page::channels::ChannelsView;
use crate::ui::page::channels::PreviewView;

/// What is needed of channels.
#[derive(Debug)]
pub struct ChannelDesk {
    /// How they are, without waiting for the database.
    pub shown: Shown,
    /// Sends test messages.
    pub courier: Courier,
}

/// Everything at hand for a question about channels.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// Which there are.
    pub config: &'a Config,
    /// Their past.
    pub archive: &'a dyn Archive,
    /// The rest.
    pub desk: &'a ChannelDesk,
    /// When it is asked.
    pub now: UnixMillis,
}

/// A page of a log.
struct Page {
    rows: Vec<Delivery>,
    next_before: Option<i64>,
    dead_only: bool,
}

fn unreadable(error: &ReadError) -> Refusal {
    Refusal::Internal(format!("cannot read the delivery log: {error}"))
}

fn not_written(error: &CommitError) -> Refusal {
    Refusal::Internal(format!("cannot write the outbox: {error}"))
}

/// A field of the query.
fn field(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

impl Office<'_> {
    async fn known(&self) -> Result<Vec<Known>, ReadError> {
        Ok(channel_views::known(self.config, within(self.archive.channels()).await?))
    }

    /// The page of all channels.
    pub async fn list(&self, frame: &Frame) -> maud::Markup {
        let (facts, log) =
            tokio::join!(within(self.archive.channels()), within(self.archive.deliveries(&DeliveryFilter::All, DELIVERIES_SHOWN)));
        let is_readable = facts.is_ok();
        let facts: Vec<ChannelFacts> = facts.unwrap_or_default();
        let is_unproven = is_readable && health::is_unproven(self.config, &facts, self.now);
        let known = channel_views::known(self.config, facts);
        let view = ChannelsView {
            channels: known.iter().map(|known| channel_views::row(known, self.config, is_readable.then_some(self.now))).collect(),
            is_unproven,
            unreadable: log.is_err(),
            deliveries: log.iter().flatten().map(|delivery| channel_views::delivery_row(delivery, frame.may_operate)).collect(),
        };
        channels::page(frame, &view)
    }

    /// The page of one channel.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub async fn one(&self, frame: &Frame, name: &ChannelName, query: &str) -> Result<maud::Markup, Refusal> {
        let known = self.known().await;
        let is_readable = known.is_ok();
        let known = known.unwrap_or_else(|_| channel_views::known(self.config, Vec::new()));
        let known = known.into_iter().find(|known| known.facts.name == *name).ok_or(Refusal::NotFound)?;
        let log = self.page(name, query).await;
        let here = frame.links.channel(name.as_str());
        let (rows, older, dead_only) = match &log {
            Ok(page) => {
                let more = if page.dead_only { "&state=given_up" } else { "" };
                (page.rows.as_slice(), page.next_before.map(|before| format!("{here}?before={before}{more}")), page.dead_only)
            }
            Err(_) => (&[][..], None, false),
        };
        let asked = field(query, "preview").and_then(|word| EventKind::ALL.into_iter().find(|event| event.word() == word));
        let preview = self.config.channels.get(name).filter(|_| frame.may_operate).map(|channel| PreviewView {
            events: EventKind::ALL.into_iter().filter(|event| channel.on.contains(event)).map(|event| event.word()).collect(),
            shown: asked.map(|event| (event.word(), preview_of(self.config, channel, event, self.now))),
        });
        let view = ChannelView {
            preview,
            row: channel_views::row(&known, self.config, is_readable.then_some(self.now)),
            test: self.desk.courier.last(name).map(|attempt| channel_views::attempt_row(1, &attempt, frame.may_operate)),
            deliveries: rows.iter().map(|delivery| channel_views::delivery_row(delivery, frame.may_operate)).collect(),
            older,
            dead_only,
            unreadable: log.is_err(),
        };
        Ok(channels::one(frame, &view))
    }

    /// The same as data.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn list_json(&self) -> Result<Answer, Refusal> {
        let known = self.known().await.map_err(|error| unreadable(&error))?;
        Ok(answer::json(StatusCode::OK, &api::channels::channels(&known, self.now)))
    }

    /// The log of one channel as data.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn log_json(&self, name: &ChannelName, query: &str, may_operate: bool) -> Result<Answer, Refusal> {
        let page = self.page(name, query).await.map_err(|error| unreadable(&error))?;
        if page.rows.is_empty() && !self.config.channels.contains_key(name) {
            let known = self.known().await.map_err(|error| unreadable(&error))?;
            known.iter().find(|known| known.facts.name == *name).ok_or(Refusal::NotFound)?;
        }
        Ok(answer::json(StatusCode::OK, &api::channels::deliveries(name.as_str(), &page.rows, page.next_before, may_operate)))
    }

    async fn page(&self, name: &ChannelName, query: &str) -> Result<Page, ReadError> {
        let before = field(query, "before").and_then(|text| text.parse().ok());
        let dead_only = field(query, "state").as_deref() == Some("given_up");
        let filter = DeliveryFilter::Channel { name: name.clone(), before, dead: dead_only };
        // One more than is shown says whether there are more.
        let mut rows = within(self.archive.deliveries(&filter, DELIVERIES_SHOWN + 1)).await?;
        let has_more = DELIVERIES_SHOWN < rows.len();
        rows.truncate(DELIVERIES_SHOWN);
        Ok(Page { next_before: rows.last().map(|last| last.id).filter(|_| has_more), rows, dead_only })
    }

    /// Sends a test message; one that is accepted proves the channel.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], or [`Refusal::Conflict`] while too many are under way.
    pub async fn test(&self, name: &ChannelName, who: &str) -> Result<Attempt, Refusal> {
        let channel: &Arc<Channel> = self.config.channels.get(name).ok_or(Refusal::NotFound)?;
        let attempt = self.desk.courier.test(channel, &self.config.server).await?;
        let outcome = attempt.outcome;
        tracing::info!(channel = %name, user = who, "`{who}` sent a test message to channel `{name}`: {}", outcome.word());
        if outcome == AttemptOutcome::Accepted
            && let Err(error) = self.archive.channel_accepted(name, attempt.at + attempt.took).await
        {
            // The answer matters more than the note of it.
            tracing::warn!(channel = %name, %error, "cannot note that channel `{name}` took a test message: {error}");
        }
        Ok(attempt)
    }

    /// Lets a message that was given up wait again; says how many do.
    ///
    /// # Errors
    /// [`Refusal`] when it is not there, was not given up, or would be wrong by now.
    pub async fn retry(&self, name: &ChannelName, id: i64, who: &str) -> Result<usize, Refusal> {
        match self.archive.revive(name, id, self.now).await.map_err(|error| not_written(&error))? {
            Revived::Waiting(n) => {
                self.say_retried(name, n, who);
                Ok(n)
            }
            Revived::Outdated => {
                let why = "Something newer about the same monitor has arrived; to say this now would be wrong. It stays in the log.";
                Err(Refusal::Conflict(why.to_owned()))
            }
            Revived::NotDead => Err(Refusal::Conflict("This message was not given up, or is not in the log any more.".to_owned())),
        }
    }

    /// The same with all of a channel that are not outdated.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn retry_all(&self, name: &ChannelName, who: &str) -> Result<usize, Refusal> {
        let n = self.archive.revive_all(name, self.now).await.map_err(|error| not_written(&error))?;
        self.say_retried(name, n, who);
        Ok(n)
    }

    fn say_retried(&self, name: &ChannelName, n: usize, who: &str) {
        tracing::info!(channel = %name, user = who, "`{who}` asked to try {n} messages to channel `{name}` again");
        self.desk.courier.wake();
    }
}

/// The answer to a program whose messages are tried again.
#[must_use]
pub fn retried(waiting: usize) -> Answer {
    answer::json(StatusCode::OK, &api::channels::Retried { waiting })
}

/// The answer to a program that asked for a test message.
#[must_use]
pub fn tested(attempt: &Attempt) -> Answer {
    answer::json(StatusCode::OK, &api::channels::tested(attempt))
}

/// Where people are sent back to.
#[must_use]
pub fn page_of(visit: &Visit, name: &ChannelName) -> String {
    visit.links.channel(name.as_str())
}
