//! What people just wrote. A form that is sent twice, by a second press or by a browser that loads its answer again, is done once.
//!
//! Only the newest text on a thing counts, so that who says something, then something else, then the first again is taken at their word. It is
//! remembered in memory and by this node: after a restart, or by way of another node, a text may stand twice, and can be taken back.

use std::collections::VecDeque;
use std::time::Duration;

use crate::http::api::writings::Written;
use crate::http::random::digest;
use crate::model::time::Mono;

/// How long the same text is taken for a second press. Nobody waits longer for an answer before they press again.
const REPEAT_WITHIN: Duration = Duration::from_secs(60);

/// Things whose newest text is remembered. People write about a few at a time; beyond it the oldest is forgotten.
const REMEMBERED_MAX: usize = 64;

/// The newest text on each of a few things. Whoever writes holds it until the text is on disk, so that of two that come at once the second is
/// seen to be one.
#[derive(Debug, Default)]
pub struct Repeats(tokio::sync::Mutex<Newest>);

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
    pub(super) async fn lock(&self) -> tokio::sync::MutexGuard<'_, Newest> {
        self.0.lock().await
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

    /// Something about it was taken back, and may be meant anew.
    pub(super) fn forget(&mut self, about: &str) {
        self.0.retain(|one| one.about != about);
    }
}
