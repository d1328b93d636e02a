//! Hot reload: read everything, parse, validate, prepare, compare, swap. What is not valid changes nothing and is seen everywhere.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::files;
use crate::app::last_good;
use crate::app::start::pin;
use crate::app::surroundings::Stamps;
use crate::app::surroundings::System;
use crate::app::watch::Watch;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::Problem;
use crate::config::SourceText;
use crate::config::diff::Change;
use crate::engine::event::Event;
use crate::engine::event::Notice;
use crate::engine::snapshot::ReloadView;
use crate::engine::snapshot::Reloaded;
use crate::http::ReloadAnswer;
use crate::http::tls::TlsFiles;
use crate::model::time::Mono;
use crate::probe::Prober;
use crate::rules::selfcheck::Topic;
use crate::rules::selfcheck::Trouble;

/// The files are looked at this often, whatever the watch says.
const POLL_EVERY: Duration = Duration::from_secs(15);

/// Two looks this far apart must see the same before a change is believed: a file that is being written is not a config.
const SETTLE: Duration = Duration::from_millis(500);

/// Looks until a change that does not settle is left to the next poll.
const SETTLE_LOOKS_MAX: u32 = 20;

/// Pause after a reload, so that a storm of commits is a few reloads.
const PAUSE: Duration = Duration::from_secs(2);

/// How long git may hold its lock before we stop waiting for it.
const GIT_LOCK_MAX: Duration = Duration::from_secs(30);

/// A change that removes more than this share of the monitors may be a truncated file, which is often valid YAML: it is held.
const REMOVAL_SHARE_MAX: f64 = 0.3;

/// Fewer removals than this are never held: with three monitors, one is a third.
const REMOVAL_MIN: usize = 3;

/// How long it is held.
const REMOVAL_HOLD: Duration = Duration::from_secs(60);

/// Changes of the files that are remembered until the program ends: what one wants to know is what the last ones did.
const RELOADS_KEPT: usize = 20;

/// Things of one change that are named; a change of all monitors is said by its summary.
const LINES_KEPT: usize = 30;

/// Longest such line: a text that was replaced may be a page long.
const LINE_CHARS_MAX: usize = 300;

/// Texts and the config they make.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The texts.
    pub sources: Vec<SourceText>,
    /// SHA-256 of the texts, in hex.
    pub hash: String,
    /// What they mean.
    pub config: Arc<Config>,
    /// Files that the texts refer to, such as secrets, as they were.
    pub referred: Stamps,
}

/// Reads and validates the config at `path`. Blocks.
///
/// # Errors
/// Every problem of the config.
pub fn load(path: &Path, prober: &Prober) -> Result<Loaded, Vec<Problem>> {
    validate(files::read(path)?, path, prober)
}

/// What is perhaps not meant in the config at `path`, also when it is not valid. Blocks.
#[must_use]
pub fn doubts(path: &Path) -> Vec<Problem> {
    files::read(path).map(|sources| crate::config::doubts(&sources, &System::of_config(path))).unwrap_or_default()
}

/// Validates texts that were read before. Blocks: secrets and certificates are files.
///
/// # Errors
/// Every problem of the config.
pub fn validate(sources: Vec<SourceText>, path: &Path, prober: &Prober) -> Result<Loaded, Vec<Problem>> {
    let around = System::of_config(path);
    let config = crate::config::load(&sources, &around)?;
    let mut problems: Vec<Problem> = config
        .monitors
        .iter()
        .filter_map(|monitor| {
            let message = prober.prepare(&monitor.probe).err()?;
            let (file, line) = ((*monitor.origin.file).clone(), monitor.origin.line);
            let path = format!("monitors (`{}`)", monitor.name);
            Some(Problem { file, line, column: 0, path, message, hint: String::new() })
        })
        .collect();
    if let Some(files) = &config.server.tls
        && let Err(error) = TlsFiles::load(files.clone())
    {
        let file = sources.first().map(|source| source.file.clone()).unwrap_or_default();
        let message = error.to_string();
        problems.push(Problem { file, line: 0, column: 0, path: "server.tls".to_owned(), message, hint: String::new() });
    }
    if problems.is_empty() {
        Ok(Loaded { hash: crate::config::digest(&sources), config: Arc::new(config), sources, referred: around.stamps() })
    } else {
        Err(problems)
    }
}

/// Somebody asks for a reload and waits for the answer.
pub type Asked = oneshot::Sender<ReloadAnswer>;

/// The task that keeps the active config in step with the files.
#[derive(Debug)]
pub struct Reloader {
    /// The file or directory; `None` when the embedded example runs, which never changes.
    pub path: Option<PathBuf>,
    /// Where the last good copy is kept.
    pub state_dir: PathBuf,
    /// The state directory of the command line, which wins over the config's.
    pub pinned_state_dir: Option<PathBuf>,
    /// Checks what can fail about probes.
    pub prober: Prober,
    /// The one reader of time.
    pub clock: Clock,
    /// The config the program started with: what only a restart changes is compared with it.
    pub started_with: Arc<Config>,
    /// The engine's events.
    pub events: mpsc::Sender<Event>,
    /// Everybody else's config.
    pub configs: watch::Sender<Arc<Config>>,
    /// How things stand.
    pub view: ReloadView,
    /// Requests of operators.
    pub asked: mpsc::Receiver<Asked>,
    /// Texts that are held back because they remove much, and since when; `None` at first.
    pub hold: Option<(String, Mono)>,
    /// Files that the active config refers to, as they were when it was loaded.
    pub referred: Stamps,
}

/// Says what in a config is valid and perhaps not meant.
pub(super) fn say_doubts(config: &Config) {
    for doubt in &config.doubts {
        tracing::warn!("{doubt}");
    }
}

/// Why the files are looked at.
#[derive(Debug)]
enum Reason {
    /// By the clock or the watch: changes must settle.
    Look,
    /// By an operator: at once, and secrets are read again even if no text changed.
    Asked(Option<Asked>),
}

impl Reloader {
    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
            .inspect_err(|error| tracing::warn!(%error, "cannot hear SIGHUP: {error}"))
            .ok();
        let mut watch = Watch::new();
        let changed = Arc::clone(&watch.changed);
        // What was last judged, right or wrong; the same text is not judged twice.
        let mut judged = if self.view.problems.is_empty() { self.view.active_hash.clone() } else { String::new() };
        self.follow(&mut watch).await;
        loop {
            let hung_up = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            let reason = tokio::select! {
                () = stop.cancelled() => return,
                Some(asked) = self.asked.recv() => Reason::Asked(Some(asked)),
                Some(()) = hung_up => Reason::Asked(None),
                () = changed.notified() => Reason::Look,
                () = tokio::time::sleep(POLL_EVERY) => Reason::Look,
            };
            let has_looked = tokio::select! {
                () = stop.cancelled() => return,
                has_changed = self.look(reason, &mut judged) => has_changed,
            };
            if has_looked {
                self.follow(&mut watch).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn follow(&self, watch: &mut Watch) {
        if let Some(path) = &self.path {
            let sources = read(path).await.0.unwrap_or_default();
            let files: Vec<PathBuf> = sources.into_iter().map(|source| source.file).collect();
            let files = if files.is_empty() { vec![path.clone()] } else { files };
            watch.follow(path, &files);
        }
    }

    /// Looks at the files and does what follows; says whether anything was judged.
    async fn look(&mut self, reason: Reason, judged: &mut String) -> bool {
        let Some(path) = self.path.clone() else {
            answer(reason, "the embedded example is running; there is no file to reload".to_owned(), Vec::new());
            return false;
        };
        let is_asked = matches!(reason, Reason::Asked(_));
        let Some((sources, hash)) = self.settled(&path, is_asked, judged).await else {
            return false;
        };
        *judged = hash;
        let outcome = match sources {
            Ok(sources) => self.prepare(sources, &path).await,
            Err(problems) => Err(problems),
        };
        match outcome {
            Err(problems) => {
                self.refuse(problems.clone()).await;
                answer(reason, String::new(), problems);
            }
            Ok(mut loaded) => {
                pin(&mut loaded, self.pinned_state_dir.as_deref());
                let active = Arc::clone(&self.configs.borrow());
                let change = Change::between(Some(&active), &loaded.config);
                if !is_asked && self.is_held(&active, &change, &loaded.hash).await {
                    // Looked at again with the next poll.
                    judged.clear();
                    return false;
                }
                self.hold = None;
                let summary = summary(&change);
                self.swap(loaded, &summary, &change).await;
                answer(reason, summary, Vec::new());
            }
        }
        true
    }

    /// The texts once they stand still, with their digest; `None` when nothing changed since they were last judged.
    async fn settled(&self, path: &Path, is_asked: bool, judged: &str) -> Option<(Result<Vec<SourceText>, Vec<Problem>>, String)> {
        let mut last = read(path).await;
        // A secret that was rotated changes no text. While something is wrong, the reason may lie there too, so it is judged each time.
        let stamps = self.referred.clone();
        let is_other = tokio::task::spawn_blocking(move || stamps.have_changed()).await.unwrap_or(false);
        if is_asked || last.1 == judged && (is_other || !self.view.problems.is_empty()) {
            return Some(last);
        }
        if last.1 == judged {
            return None;
        }
        wait_for_git(path).await;
        for _ in 0..SETTLE_LOOKS_MAX {
            tokio::time::sleep(SETTLE).await;
            let next = read(path).await;
            if next.1 == last.1 {
                return (next.1 != judged).then_some(next);
            }
            last = next;
        }
        None
    }

    async fn prepare(&self, sources: Vec<SourceText>, path: &Path) -> Result<Loaded, Vec<Problem>> {
        let (prober, path) = (self.prober.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || validate(sources, &path, &prober)).await.unwrap_or_else(|_| {
            let message = "reading it crashed, which is a bug in vigilmon".to_owned();
            Err(vec![Problem { file: PathBuf::new(), line: 0, column: 0, path: String::new(), message, hint: String::new() }])
        })
    }

    /// Whether a change removes so much that it is not believed yet. The first look says so, to the log and to people; later looks at
    /// the same texts say nothing until the time is over.
    async fn is_held(&mut self, active: &Config, change: &Change, hash: &str) -> bool {
        let n_removed = change.monitors.removed.len();
        if n_removed < REMOVAL_MIN || (n_removed as f64) <= REMOVAL_SHARE_MAX * active.monitors.len() as f64 {
            return false;
        }
        let now = self.clock.now().mono;
        if let Some((held, since)) = &self.hold
            && held == hash
        {
            return now.since(*since) < REMOVAL_HOLD;
        }
        self.hold = Some((hash.to_owned(), now));
        let (n, wait) = (active.monitors.len(), REMOVAL_HOLD.as_secs());
        let text = format!(
            "The new config would remove {n_removed} of {n} monitors. In case the file is incomplete, it is taken in {wait} s; `vigilmon reload` takes it at once."
        );
        tracing::warn!("{text}");
        let title = "a change that removes many monitors is held back".to_owned();
        self.publish(Event::Notice(Notice { about: "removal-held".into(), title, text })).await;
        true
    }

    async fn refuse(&mut self, problems: Vec<Problem>) {
        self.view.checked_at = self.clock.now().wall;
        if self.view.problems == problems {
            return;
        }
        let lines = problems.iter().map(ToString::to_string).collect();
        let summary = if problems.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.len()) };
        remember(&mut self.view.recent, Reloaded { at: self.view.checked_at, hash: None, summary, lines, n_more: 0 });
        self.view.problems = problems;
        self.publish(Event::ReloadJudged(Arc::new(self.view.clone()))).await;
        tracing::error!("the config on disk is not valid and changes nothing; {} problem(s):", self.view.problems.len());
        for problem in &self.view.problems {
            tracing::error!("{problem}");
        }
        self.publish(bad_config(&self.view.problems)).await;
    }

    async fn swap(&mut self, loaded: Loaded, summary: &str, change: &Change) {
        say_doubts(&loaded.config);
        let now = self.clock.now().wall;
        let had_problems = !self.view.problems.is_empty() || self.view.is_last_good_copy;
        let state_dir = self.state_dir.clone();
        self.referred = loaded.referred;
        let sources = loaded.sources;
        let kept = tokio::task::spawn_blocking(move || last_good::keep(&state_dir, &sources)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "cannot keep a copy of the config: {error}");
        }
        let said = std::mem::take(&mut self.view.needs_restart);
        let needs_restart = Change::between(Some(&self.started_with), &loaded.config).needs_restart;
        let is_same = **self.configs.borrow() == *loaded.config;
        let mut recent = std::mem::take(&mut self.view.recent);
        if !is_same {
            let (hash, lines) = (Some(loaded.hash.clone()), change.lines());
            remember(&mut recent, Reloaded { at: now, hash, summary: summary.to_owned(), lines, n_more: 0 });
        }
        self.view = ReloadView {
            active_hash: loaded.hash,
            active_since: if is_same { self.view.active_since } else { now },
            is_last_good_copy: false,
            problems: Vec::new(),
            checked_at: now,
            needs_restart: needs_restart.clone(),
            recent,
        };
        let reload = Arc::new(self.view.clone());
        if is_same {
            self.publish(Event::ReloadJudged(reload)).await;
        } else {
            self.configs.send_replace(Arc::clone(&loaded.config));
            self.publish(Event::ConfigChanged { config: loaded.config, reload }).await;
            tracing::info!("config reloaded: {summary}");
        }
        if had_problems {
            tracing::info!("the config on disk is valid again");
        }
        self.publish(bad_config(&[])).await;
        if !needs_restart.is_empty() && needs_restart != said {
            tracing::warn!("restart vigilmon to change {}", needs_restart.join(", "));
        }
    }

    async fn publish(&self, event: Event) {
        // The engine is gone only when the program ends.
        let _ = self.events.send(event).await;
    }
}

/// Puts the newest in front; what is too much is counted and left out.
fn remember(recent: &mut Vec<Reloaded>, mut newest: Reloaded) {
    newest.n_more = newest.lines.len().saturating_sub(LINES_KEPT);
    newest.lines.truncate(LINES_KEPT);
    for line in &mut newest.lines {
        if let Some((end, _)) = line.char_indices().nth(LINE_CHARS_MAX) {
            line.replace_range(end.., "…");
        }
    }
    recent.insert(0, newest);
    recent.truncate(RELOADS_KEPT);
}

/// What there is to say of the config on disk: what is wrong with it, or that nothing is.
#[must_use]
pub fn bad_config(problems: &[Problem]) -> Event {
    let trouble = problems.first().map(|first| Trouble {
        title: "the config on disk is not valid".to_owned(),
        text: format!("The last good config runs on. {} problem(s); the first: {first}", problems.len()),
    });
    Event::Seen { topic: Topic::Config, trouble }
}

/// One line for the log and the command line.
fn summary(change: &Change) -> String {
    if change.is_empty() {
        return "nothing changed".to_owned();
    }
    let count = |word: &str, n: usize| (n > 0).then(|| format!("{n} {word}"));
    let group = |name: &str, group: &crate::config::diff::Group| {
        let parts: Vec<String> =
            [count("added", group.added.len()), count("altered", group.altered.len()), count("removed", group.removed.len())]
                .into_iter()
                .flatten()
                .collect();
        (!parts.is_empty()).then(|| format!("{name}: {}", parts.join(", ")))
    };
    let settings = (!change.settings.is_empty()).then(|| format!("settings: {}", change.settings.join(", ")));
    let parts = [
        group("monitors", &change.monitors),
        group("channels", &change.channels),
        group("status pages", &change.pages),
        group("policies", &change.policies),
        group("maintenance windows", &change.maintenance),
        settings,
    ];
    let text: Vec<String> = parts.into_iter().flatten().collect();
    if text.is_empty() { "only what needs a restart".to_owned() } else { text.join("; ") }
}

fn answer(reason: Reason, changed: String, problems: Vec<Problem>) {
    if let Reason::Asked(Some(reply)) = reason {
        let _ = reply.send(ReloadAnswer { changed, problems });
    }
}

/// Reads off the async threads. The digest of unreadable texts is that of their problems, so that the same trouble is news once.
async fn read(path: &Path) -> (Result<Vec<SourceText>, Vec<Problem>>, String) {
    let path = path.to_owned();
    let outcome = tokio::task::spawn_blocking(move || files::read(&path)).await.unwrap_or_else(|_| Err(Vec::new()));
    let hash = match &outcome {
        Ok(sources) => crate::config::digest(sources),
        Err(problems) => format!("unreadable: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    (outcome, hash)
}

/// While git writes the work tree, it holds `.git/index.lock`; what lies there then is neither the old nor the new version.
async fn wait_for_git(path: &Path) {
    let step = Duration::from_millis(250);
    let mut waited = Duration::ZERO;
    while waited < GIT_LOCK_MAX {
        let path = path.to_owned();
        if !tokio::task::spawn_blocking(move || is_git_busy(&path)).await.unwrap_or(false) {
            return;
        }
        tokio::time::sleep(step).await;
        waited += step;
    }
}

fn is_git_busy(path: &Path) -> bool {
    let start = if path.is_dir() { Some(path) } else { path.parent() };
    let Some(start) = start.and_then(|dir| std::fs::canonicalize(dir).ok()) else { return false };
    start.ancestors().map(|dir| dir.join(".git")).find(|git| git.is_dir()).is_some_and(|git| git.join("index.lock").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_changes_is_bounded_in_every_direction() {
        let mut recent = Vec::new();
        for i in 0..100_usize {
            let lines = vec!["é".repeat(1000); 3 * i];
            remember(&mut recent, Reloaded { at: crate::model::time::UnixMillis(0), hash: None, summary: i.to_string(), lines, n_more: 0 });
        }
        assert_eq!(recent.len(), RELOADS_KEPT);
        let newest = &recent[0];
        assert_eq!((newest.summary.as_str(), newest.lines.len(), newest.n_more), ("99", LINES_KEPT, 297 - LINES_KEPT));
        assert_eq!(newest.lines[0].chars().count(), LINE_CHARS_MAX + 1, "with an ellipsis");
    }
}
