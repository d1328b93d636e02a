//! What a config may refer to outside of itself: the environment and files.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use crate::config::Surroundings;

/// Largest file a config may refer to, in bytes: a certificate bundle is half of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The real environment, with relative paths below the config's directory.
#[derive(Debug, Clone)]
pub struct System {
    base: PathBuf,
}

impl System {
    /// For the config at `path`, a file or a directory.
    #[must_use]
    pub fn of_config(path: &Path) -> System {
        let base = if path.is_dir() { Some(path) } else { path.parent() };
        System { base: base.map_or_else(PathBuf::new, Path::to_owned) }
    }
}

impl Surroundings for System {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        let path = self.base.join(path);
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
