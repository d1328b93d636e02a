//! What chitchat heard and nobody has looked at yet. It is filled under chitchat's lock, so it never waits; of one key the newest value
//! replaces the one before, so it is no larger than what the cluster says.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::Notify;

/// Values that wait.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<BTreeMap<(String, u64, String), String>>,
    filled: Notify,
}

/// A value that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub(super) node: String,
    pub(super) generation: u64,
    pub(super) key: String,
    pub(super) value: String,
}

impl Inbox {
    pub(super) fn put(&self, node: &str, generation: u64, key: &str, value: &str) {
        let key = (node.to_owned(), generation, key.to_owned());
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value.to_owned());
        self.filled.notify_one();
    }

    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Everything that waits, by node and run; older runs first.
    pub(super) fn drain(&self) -> Vec<News> {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().map(|((node, generation, key), value)| News { node, generation, key, value }).collect()
    }
}
