//! What a config may refer to outside of itself: the environment and files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::SystemTime;

use crate::config::Surroundings;

/// Largest file a config may refer to, in bytes: a certificate bundle is half of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Says which node of a cluster this instance is.
const NODE_VARIABLE: &str = "VIGILMON_NODE";

/// What `--node` said. Like the environment it is one for the whole program, and never changes.
static NODE: OnceLock<String> = OnceLock::new();

/// Stands in for `VIGILMON_NODE`; to be called before any config is read. The first call counts.
pub fn name_node(name: String) {
    let _ = NODE.set(name);
}

/// Whether the config is only looked at.
static ONLY_LOOKS: OnceLock<()> = OnceLock::new();

/// The config will only be looked at: unless a node is named, any node of a cluster will do.
pub fn only_look() {
    let _ = ONLY_LOOKS.set(());
}

/// The real environment, with relative paths below the config's directory.
#[derive(Debug)]
pub struct System {
    base: PathBuf,
    read: Mutex<BTreeMap<PathBuf, Stamp>>,
}

/// What tells one state of a file from another without reading it; `None` when it is not there.
type Stamp = Option<(SystemTime, u64, u64)>;

/// Files that were read, each as it was then.
#[derive(Debug, Clone, Default)]
pub struct Stamps(BTreeMap<PathBuf, Stamp>);

impl Stamps {
    /// Whether any of them is different now. Blocks.
    #[must_use]
    pub fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, stamp)| stamp_of(path) != *stamp)
    }
}

fn stamp_of(path: &Path) -> Stamp {
    let kind = fs::metadata(path).ok()?;
    Some((kind.modified().ok()?, kind.len(), kind.ino()))
}

impl System {
    /// For the config at `path`, a file or a directory.
    #[must_use]
    pub fn of_config(path: &Path) -> System {
        let base = if path.is_dir() { Some(path) } else { path.parent() };
        System { base: base.map_or_else(PathBuf::new, Path::to_owned), read: Mutex::default() }
    }
}

impl System {
    /// The files that were read, as they were.
    #[must_use]
    pub fn stamps(&self) -> Stamps {
        Stamps(self.read.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Surroundings for System {
    fn env(&self, name: &str) -> Option<String> {
        let named = NODE.get().filter(|_| name == NODE_VARIABLE).cloned();
        named.or_else(|| std::env::var(name).ok())
    }

    fn any_node_will_do(&self) -> bool {
        ONLY_LOOKS.get().is_some()
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let path = self.base.join(path);
        // Taken before reading: a change in between is then noticed, one after it is too.
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), stamp_of(&path));
        let kind = fs::metadata(&path).map_err(|error| plain(&error))?;
        if !kind.is_file() {
            return Err("it is not a regular file".to_owned());
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(|error| plain(&error))?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err("it is larger than 1 MiB".to_owned());
        }
        Ok(bytes)
    }
}

/// An I/O error in a few lower-case words, without the number of the operating system.
#[must_use]
pub fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
