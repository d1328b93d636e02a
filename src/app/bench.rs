//! Drafts of monitors, looked at as if they were in the config already: beside the files as they lie on disk, with the same defaults,
//! the same mistakes found, and checked by the same prober. Writes nothing itself: what an admin adds
//! is written by [`crate::app::edit`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::app::edit;
use crate::app::edit::Place;
use crate::app::files;
use crate::app::find::EXAMPLE;
use crate::app::find::Found;
use crate::app::reload;
use crate::clock::Clock;
use crate::config::Problem;
use crate::config::SourceText;
use crate::http::Reloads;
use crate::http::archive::Later;
use crate::http::drafts::Addition;
use crate::http::drafts::NotAdded;
use crate::http::drafts::Turn;
use crate::http::drafts::Workbench;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::result::CheckResult;
use crate::probe::Prober;
use crate::rules::judge::judge;

/// Stands for the file that a draft would be in.
const DRAFT: &str = crate::config::draft::PLACE;

/// Looks at drafts beside the config.
#[derive(Debug)]
pub struct Bench {
    /// Where the config is.
    pub found: Found,
    /// Checks what is tried.
    pub prober: Prober,
    /// When.
    pub clock: Clock,
    /// Held by whoever writes.
    pub writing: Arc<Mutex<()>>,
    /// Takes up what was written.
    pub reloads: Reloads,
}

impl Workbench for Bench {
    fn fit<'a>(&'a self, item: String, turn: Turn) -> Later<'a, Result<Arc<Monitor>, Vec<Problem>>> {
        let (found, prober) = (self.found.clone(), self.prober.clone());
        Box::pin(async move {
            let fitted = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                fit(&found, &prober, &item)
            });
            let fitted = fitted.await;
            fitted.unwrap_or_else(|_| Err(vec![whole("looking at it crashed, which is a bug in vigilmon", "")]))
        })
    }

    fn check<'a>(&'a self, monitor: Arc<Monitor>, within: Duration) -> Later<'a, CheckResult> {
        Box::pin(async move {
            let at = self.clock.now().wall;
            judge(&monitor, self.prober.run(&monitor, within).await, at)
        })
    }

    fn look<'a>(&'a self, file: PathBuf, turn: Turn) -> Later<'a, Result<String, String>> {
        let found = self.found.clone();
        Box::pin(async move {
            let looked = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                Place::find(&found, &file).map(|place| place.digest())
            });
            looked.await.unwrap_or_else(|_| Err("Looking at the file crashed, which is a bug in vigilmon.".to_owned()))
        })
    }

    fn add<'a>(&'a self, wanted: Addition, meant: Arc<Monitor>, turn: Turn) -> Later<'a, Result<MonitorId, NotAdded>> {
        let (found, prober, writing) = (self.found.clone(), self.prober.clone(), Arc::clone(&self.writing));
        let reloads = self.reloads.clone();
        Box::pin(async move {
            // Goes on when nobody waits for it any more: what follows from a file that was replaced is done here.
            let added = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
                let added = edit::add(&found, &prober, &wanted, &meant);
                if let Ok(id) = &added {
                    let (who, shown) = (wanted.by.as_str(), wanted.file.display());
                    tracing::info!(user = who, monitor = %id, "`{who}` added `{id}` to `{shown}`");
                    reloads.request();
                }
                added
            });
            added.await.unwrap_or_else(|_| Err(NotAdded::Refused("Adding it crashed, which is a bug in vigilmon.".to_owned())))
        })
    }
}

/// Reads the config, adds the item to it, and finds the monitor that it makes. Blocks.
pub(super) fn fit(found: &Found, prober: &Prober, item: &str) -> Result<Arc<Monitor>, Vec<Problem>> {
    let path = found.path_or_default();
    let mut sources = match found {
        Found::Path(path) => files::read(path)?,
        Found::Example => vec![SourceText { file: path.clone(), text: EXAMPLE.to_owned() }],
    };
    sources.push(SourceText { file: PathBuf::from(DRAFT), text: format!("monitors:\n{item}") });
    let loaded = reload::validate(sources, &path, prober)?;
    let mine = loaded.config.monitors.iter().find(|monitor| monitor.origin.file.as_os_str() == DRAFT);
    mine.cloned().ok_or_else(|| vec![whole("it makes no monitor", "fill in what is to be watched")])
}

fn whole(message: &str, hint: &str) -> Problem {
    Problem { file: PathBuf::from(DRAFT), line: 0, column: 0, path: String::new(), message: message.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::draft::Draft;

    fn problems(config: &str, draft: &Draft) -> Result<Arc<Monitor>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.yaml");
        fs::write(&file, config).unwrap();
        let prober = Prober::new("test".to_owned(), Clock::system());
        let before = fs::read_to_string(&file).unwrap();
        let fitted = fit(&Found::Path(file.clone()), &prober, &draft.yaml());
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "nothing is written");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fitted.map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
    }

    fn draft(name: &str, target: &str) -> Draft {
        Draft { name: name.to_owned(), target: target.to_owned(), ..Draft::default() }
    }

    const CONFIG: &str = "defaults: { interval: 20s, timeout: 3s }\nmonitors: [{ name: Shop, tcp: \"a:1\" }]\n";

    #[test]
    fn a_draft_inherits_what_the_config_says() {
        let monitor = problems(CONFIG, &draft("Mail", "https://mail.example.com")).unwrap();
        assert_eq!((monitor.name.as_str(), monitor.interval.as_secs(), monitor.timeout.as_secs()), ("Mail", 20, 3));
    }

    #[test]
    fn what_the_config_would_refuse_is_said_with_its_place() {
        for (config, draft, said) in [
            (CONFIG, draft("Shop", "https://shop.example.com"), "Shop"),
            (CONFIG, draft("x", "file:///etc/passwd"), "new monitor:3"),
            (CONFIG, Draft { channels: vec!["nobody".to_owned()], ..draft("x", "https://x.example.com") }, "nobody"),
            ("monitors: [", draft("x", "https://x.example.com"), "c.yaml:1"),
        ] {
            let found = problems(config, &draft).unwrap_err();
            assert!(found.contains(said), "{said}: {found}");
        }
    }
}
