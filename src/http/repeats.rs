//! What people just wrote. A form that is sent twice, by a second press or by a browser that loads its answer again, is done once.
//!
//! Only the newest text on a thing counts, so that who says something, then something else, then the first again is taken at their word. It is
//! remembered in memory and by this node: after a restart, or by way of another node, a text may stand twice, and can be taken back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::sync::oneshot;

use crate::http::api::writings::Written;
use crate::http::random::digest;
use crate::model::time::Mono;
use crate::supervise::Jobs;

/// How long the same text is taken for a second press. Nobody waits longer for an answer before they press again.
const REPEAT_WITHIN: Duration = Duration::from_secs(60);

/// Things whose newest text is remembered. People write about a few at a time; beyond it the oldest is forgotten.
const REMEMBERED_MAX: usize = 64;

/// The newest text on each of a few things. Whoever writes holds it until the text is on disk, so that of two that come at once the second is
/// seen to be one.
#[derive(Debug, Default)]
pub struct Repeats {
    newest: Arc<tokio::sync::Mutex<Newest>>,
    jobs: Jobs,
}

/// Newest last.
#[derive(Debug, Default)]
pub(super) struct Newest(VecDeque<One>);

#[derive(Debug)]
struct One {
    about: String,
    text: [u8; 32],
    at: Mono,
    written: Written,
}

impl Repeats {
    /// Waits for those who write at the moment.
    pub(super) async fn lock(&self) -> OwnedMutexGuard<Newest> {
        Arc::clone(&self.newest).lock_owned().await
    }

    /// Writes to the end, whoever still waits for it: a second press cancels the first one in the browser, whose text is on its way to the
    /// disk by then. `None`: the work panicked, or the program stops.
    pub(super) async fn to_the_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, ended) = oneshot::channel();
        self.jobs.start(async move {
            // Whoever asked may have gone.
            let _ = done.send(work.await);
        });
        ended.await.ok()
    }
}

impl Newest {
    /// What came of it, if the newest text about this is the same, and from just now.
    pub(super) fn find(&self, about: &str, text: &str, now: Mono) -> Option<Written> {
        let newest = self.0.iter().rfind(|one| one.about == about)?;
        let is_same = newest.text == digest(&[text.as_bytes()]) && now.since(newest.at) < REPEAT_WITHIN;
        is_same.then(|| newest.written.clone())
    }

    /// This is the newest now.
    pub(super) fn note(&mut self, about: &str, text: &str, now: Mono, written: Written) {
        self.forget(about);
        while REMEMBERED_MAX <= self.0.len() {
            self.0.pop_front();
        }
        self.0.push_back(One { about: about.to_owned(), text: digest(&[text.as_bytes()]), at: now, written });
    }

    /// Something was said on what this text began, or that was taken back: to begin the same anew is meant.
    pub(super) fn forget_beginning(&mut self, id: &str) {
        self.0.retain(|one| one.written.id != id);
    }

    /// Something about it was taken back, and may be meant anew.
    pub(super) fn forget(&mut self, about: &str) {
        self.0.retain(|one| one.about != about);
    }
}
