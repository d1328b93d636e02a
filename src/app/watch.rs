//! Says when the config may have changed. A hint only: the files are also looked at every few seconds, because editors, NFS,
//! ConfigMaps and bind mounts all have their ways of changing a file without anybody hearing of it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use tokio::sync::Notify;

/// Holds the watches; dropping it ends them.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: Vec<PathBuf>,
    /// Notified when something happened in a watched directory.
    pub changed: Arc<Notify>,
}

impl Watch {
    /// Watches nothing yet. Where the system cannot watch, polling alone goes on.
    #[must_use]
    pub fn new() -> Watch {
        let changed = Arc::new(Notify::new());
        let wake = Arc::clone(&changed);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; waking up for it would make us wake ourselves.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                wake.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| tracing::info!(%error, "cannot watch files, looking at them every 15 s: {error}")).ok();
        Watch { watcher, watched: Vec::new(), changed }
    }

    /// Watches the directories of `files` (a file itself is replaced by editors, its directory stays) and `config`, if it is one.
    pub fn follow(&mut self, config: &Path, files: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut wanted: Vec<PathBuf> = files.iter().filter_map(|file| file.parent()).map(directory).collect();
        if config.is_dir() {
            wanted.push(config.to_owned());
        }
        wanted.sort();
        wanted.dedup();
        if wanted == self.watched {
            return;
        }
        for old in self.watched.drain(..) {
            // Gone directories cannot be unwatched; that is fine.
            let _ = watcher.unwatch(&old);
        }
        for dir in &wanted {
            if let Err(error) = watcher.watch(dir, RecursiveMode::NonRecursive) {
                tracing::info!(%error, "cannot watch {}, looking at it every 15 s: {error}", dir.display());
            }
        }
        self.watched = wanted;
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch::new()
    }
}

fn directory(parent: &Path) -> PathBuf {
    if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
}
