//! Looks at every channel now and then: marks those that do not deliver, has others told, and shows pages how things are.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::notifier::health;
use crate::notifier::health::Speaker;
use crate::notifier::health::Step;
use crate::store::ChannelFacts;
use crate::store::ChannelMark;
use crate::store::Store;

/// How often is looked. A mark may be this much late, out of ten minutes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is known of all channels, for those who must not wait for the database.
pub type Shown = watch::Receiver<Arc<Vec<ChannelFacts>>>;

/// Everything the lookout needs.
#[derive(Debug)]
pub struct Lookout {
    /// Where messages and marks are.
    pub store: Store,
    /// For times on the wall.
    pub clock: Clock,
    /// The active config.
    pub config: watch::Receiver<Arc<Config>>,
    /// Notified when messages were added to the outbox.
    pub owed: Arc<Notify>,
    /// Where it shows what it saw.
    pub shown: watch::Sender<Arc<Vec<ChannelFacts>>>,
}

impl Lookout {
    /// Looks until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut is_first = true;
        loop {
            match self.store.channels().await {
                Ok(mut all) => {
                    health::leave_quiet(&mut all, &self.config.borrow(), self.clock.now().wall);
                    if std::mem::take(&mut is_first) {
                        self.warn_if_unproven(&all);
                    }
                    self.act(&all).await;
                    self.shown.send_replace(Arc::new(all));
                }
                Err(error) => tracing::warn!(%error, "cannot see how the channels are: {error}"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Said once at the start: who never tried cannot know.
    fn warn_if_unproven(&self, all: &[ChannelFacts]) {
        if health::is_unproven(&self.config.borrow(), all, self.clock.now().wall) {
            tracing::warn!("no channel took a message in the last 30 days; `vigilmon channel test --all` tries them");
        }
    }

    async fn act(&self, all: &[ChannelFacts]) {
        let config = Arc::clone(&self.config.borrow());
        let speaker = Speaker { config: &config, now: self.clock.now().wall };
        for facts in all.iter().filter(|facts| config.channels.contains_key(&facts.name)) {
            let Some(Step { mark, tell }) = health::step(facts, speaker) else { continue };
            let (name, n_told) = (&facts.name, tell.len());
            match self.store.channel_mark(name, mark, tell).await {
                // Something has happened meanwhile; the next look sees it.
                Ok(false) => {}
                Ok(true) => {
                    log(facts, mark, n_told);
                    if n_told > 0 {
                        self.owed.notify_one();
                    }
                }
                Err(error) => tracing::error!(channel = %name, %error, "cannot note how channel `{name}` is: {error}"),
            }
        }
    }
}

fn log(facts: &ChannelFacts, mark: ChannelMark, n_told: usize) {
    let channel = &facts.name;
    match mark {
        ChannelMark::Broken { since, told_at: _ } => {
            let (since, n_waiting) = (since.rfc3339(), facts.n_waiting);
            tracing::error!(%channel, n_waiting, n_told, "the channel `{channel}` does not deliver since {since}; channels that are told of it: {n_told}");
        }
        ChannelMark::Told(_) => {
            tracing::error!(%channel, n_told, "a message to the channel `{channel}` was given up; channels that are told of it: {n_told}")
        }
        ChannelMark::Mended(_) => tracing::info!(%channel, n_told, "the channel `{channel}` delivers again"),
    }
}
