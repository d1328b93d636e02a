//! The last config that was active, kept in the state directory: after a restart with a broken file it runs on, with a loud banner.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::config::SourceText;

const FILE: &str = "last-good-config.json";

#[derive(Serialize, Deserialize)]
struct Copy {
    files: Vec<CopiedFile>,
}

#[derive(Serialize, Deserialize)]
struct CopiedFile {
    file: PathBuf,
    text: String,
}

/// Keeps the texts. They hold references to secrets and perhaps secrets themselves, so nobody else may read the copy. Blocks.
///
/// # Errors
/// The state directory does not take it; the old copy is still whole then.
pub fn keep(state_dir: &Path, sources: &[SourceText]) -> std::io::Result<()> {
    let files = sources.iter().map(|source| CopiedFile { file: source.file.clone(), text: source.text.clone() }).collect();
    let json = serde_json::to_vec(&Copy { files })?;
    let draft = state_dir.join(format!(".{FILE}.draft"));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&json)?;
    file.sync_all()?;
    fs::rename(draft, state_dir.join(FILE))?;
    // Without this a power cut may undo the renaming.
    fs::File::open(state_dir)?.sync_all()
}

/// The texts that were kept; `None` when there are none or they cannot be read. Blocks.
#[must_use]
pub fn find(state_dir: &Path) -> Option<Vec<SourceText>> {
    let bytes = fs::read(state_dir.join(FILE)).ok()?;
    let copy: Copy = serde_json::from_slice(&bytes).ok()?;
    Some(copy.files.into_iter().map(|copied| SourceText { file: copied.file, text: copied.text }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find(dir.path()), None);
        let sources = vec![SourceText { file: PathBuf::from("a.yaml"), text: "monitors: []\n".to_owned() }];
        keep(dir.path(), &sources).unwrap();
        assert_eq!(find(dir.path()), Some(sources));
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(find(dir.path()), None);
    }
}
