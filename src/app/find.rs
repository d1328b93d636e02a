//! Which config and which state directory are meant.

use std::path::Path;
use std::path::PathBuf;

use crate::app::files;
use crate::app::reload;
use crate::app::reload::Loaded;
use crate::clock::Clock;
use crate::config::Problem;
use crate::config::SourceText;
use crate::probe::Prober;

/// The config that the product shows itself with: it watches itself and needs nothing from outside.
pub(super) const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// Where a config is looked for when none is named.
const PLACES: [&str; 3] = ["config.yaml", "/etc/vigilmon", "config.example.yaml"];

/// The config that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file or directory, which may not exist.
    Path(PathBuf),
    /// None was named or found: the built-in example.
    Example,
}

/// The named config, or the first that exists of `config.yaml`, `/etc/vigilmon` and `config.example.yaml`, or the built-in example.
#[must_use]
pub fn find_config(named: Option<&Path>) -> Found {
    if let Some(named) = named {
        return Found::Path(named.to_owned());
    }
    PLACES.iter().map(PathBuf::from).find(|place| place.exists()).map_or(Found::Example, Found::Path)
}

impl Found {
    /// For people.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Found::Path(path) => path.display().to_string(),
            Found::Example => "the built-in example".to_owned(),
        }
    }

    /// The path, or where it would be.
    #[must_use]
    pub fn path_or_default(&self) -> PathBuf {
        match self {
            Found::Path(path) => path.clone(),
            Found::Example => PathBuf::from("config.example.yaml"),
        }
    }

    /// Reads and validates it. Blocks.
    ///
    /// # Errors
    /// Every problem of the config.
    pub fn load(&self, prober: &Prober) -> Result<Loaded, Vec<Problem>> {
        match self {
            Found::Path(path) => reload::load(path, prober),
            Found::Example => {
                let file = self.path_or_default();
                reload::validate(vec![SourceText { file: file.clone(), text: EXAMPLE.to_owned() }], &file, prober)
            }
        }
    }

    /// What is perhaps not meant in it, also when it is not valid. Blocks.
    #[must_use]
    pub fn doubts(&self) -> Vec<Problem> {
        match self {
            Found::Path(path) => reload::doubts(path),
            Found::Example => Vec::new(),
        }
    }
}

/// The state directory of a config, even of one that is not valid: then a plain `state_dir: …` line is believed, so that the
/// last good copy in it can be found.
#[must_use]
pub fn state_dir_of(found: &Found) -> PathBuf {
    if let Ok(loaded) = found.load(&Prober::new(crate::app::user_agent("state-dir"), Clock::system())) {
        return loaded.config.instance.state_dir.clone();
    }
    let sources = match found {
        Found::Path(path) => files::read(path).unwrap_or_default(),
        Found::Example => Vec::new(),
    };
    let written = sources.iter().flat_map(|source| source.text.lines()).find_map(|line| {
        let (before, value) = line.split_once("state_dir:")?;
        let value = value.split(" #").next()?.split([',', '}']).next()?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!before.contains('#') && !value.is_empty() && !value.contains('$')).then(|| PathBuf::from(value))
    });
    written.or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_directory_of_a_broken_config_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.yaml");
        for text in [
            "instance:\n  state_dir: \"/var/x\" # here\nmonitors: [\n",
            "# state_dir: no\ninstance: { state_dir: /var/x, region: eu }\nmonitors: [\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(state_dir_of(&Found::Path(path.clone())), PathBuf::from("/var/x"));
        }
    }
}
