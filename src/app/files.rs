//! Which files make up the config, and what they say. The only place that reads them.
//!
//! A directory means all `*.yaml` and `*.yml` below it in name order. Names that begin with a dot are left out: editors keep
//! their drafts there, git its index, and Kubernetes the versions (`..data`) of a ConfigMap whose files are links into them.

use std::fs;
use std::io::Read;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use crate::config::Problem;
use crate::config::SourceText;
use crate::config::gather;
use crate::config::glob_match;

/// Largest config in all, in bytes; `reliability` part 5.
const CONFIG_BYTES_MAX: u64 = 8 << 20;

/// Most files; a directory with more is surely not the one that was meant.
const FILES_MAX: usize = 1000;

/// Deepest directory below the config's.
const DEPTH_MAX: usize = 16;

/// Reads the config at `path`, a file or a directory, and everything it includes. Blocks.
///
/// # Errors
/// What kept it from being read, as problems of the config: whoever reads them can do something about it.
pub fn read(path: &Path) -> Result<Vec<SourceText>, Vec<Problem>> {
    let mut reader = Reader { n_bytes: 0 };
    let kind = fs::metadata(path).map_err(|error| vec![unreadable(path, &error)])?;
    let mut files = Vec::new();
    if kind.is_dir() {
        list(path, DEPTH_MAX, &mut files).map_err(|problem| vec![problem])?;
        if files.is_empty() {
            let hint = "put a file such as `config.yaml` into it, or name another directory with `--config`";
            return Err(vec![whole_file(path, "there is no `*.yaml` or `*.yml` file in this directory", hint)]);
        }
    } else {
        files.push(path.to_owned());
    }
    let first: Result<Vec<SourceText>, Problem> = files.iter().map(|file| reader.text_of(file)).collect();
    let first = first.map_err(|problem| vec![problem])?;
    gather(first, &mut |dir, pattern| included(&mut reader, dir, pattern))
}

/// The files that an include means. A path without `*` and `?` must exist.
fn included(reader: &mut Reader, dir: &Path, pattern: &str) -> Result<Vec<SourceText>, String> {
    let found = expand(dir, pattern);
    if found.is_empty() && !pattern.contains(['*', '?']) {
        return Err("there is no such file".to_owned());
    }
    found.iter().map(|file| reader.text_of(file).map_err(|problem| problem.message)).collect()
}

struct Reader {
    n_bytes: u64,
}

impl Reader {
    /// Reads one file: a regular one, UTF-8, at most `bytes_max`.
    fn text_of(&mut self, path: &Path) -> Result<SourceText, Problem> {
        let bytes_max = CONFIG_BYTES_MAX - self.n_bytes;
        let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !kind.is_file() {
            return Err(whole_file(path, "this is not a regular file", "name a YAML file or a directory of them with `--config`"));
        }
        let too_large = || {
            let limit = CONFIG_BYTES_MAX >> 20;
            whole_file(
                path,
                &format!("the config is larger than {limit} MiB"),
                "this is probably not the file you meant; a thousand monitors take less than 1 MiB",
            )
        };
        if kind.len() > bytes_max {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        // One byte more than allowed: the file may grow between the two looks.
        let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
        file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        if bytes.len() as u64 > bytes_max {
            return Err(too_large());
        }
        self.n_bytes += bytes.len() as u64;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            Problem { line, ..whole_file(path, "this is not UTF-8 text", "save the file as UTF-8") }
        })?;
        Ok(SourceText { file: normal(path), text })
    }
}

/// `conf.d/../main.yaml` and `main.yaml` are one file, and must be seen to be.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            Component::CurDir => {}
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => out.push(part),
        }
    }
    out
}

fn list(dir: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| unreadable(dir, &error))?;
    entries.sort();
    for entry in entries {
        if is_hidden(&entry) {
            continue;
        }
        if entry.is_dir() {
            if depth > 0 {
                list(&entry, depth - 1, into)?;
            }
        } else if entry.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            into.push(entry);
        }
        if into.len() > FILES_MAX {
            return Err(whole_file(dir, &format!("the config has more than {FILES_MAX} files"), "name a smaller directory"));
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Files that an include means, in name order. `*` and `?` may stand in any part of the path.
fn expand(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let start = if pattern.starts_with('/') { PathBuf::from("/") } else { base.to_owned() };
    let mut found = vec![start];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part.contains(['*', '?']) {
            found = found.iter().flat_map(|dir| matching(dir, part)).collect();
        } else {
            found = found.into_iter().map(|dir| dir.join(part)).filter(|path| path.exists()).collect();
        }
    }
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn matching(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.path());
    names.filter(|path| !is_hidden(path) && path.file_name().is_some_and(|name| glob_match(pattern, &name.to_string_lossy()))).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    #[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is the standard library's and open")]
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "name an existing file or directory with `--config`, or run `vigilmon init` to create one",
        std::io::ErrorKind::PermissionDenied => "let the user that runs vigilmon read it",
        _ => "",
    };
    whole_file(path, &format!("cannot read it: {}", crate::app::surroundings::plain(error)), hint)
}

fn whole_file(path: &Path, message: &str, hint: &str) -> Problem {
    Problem { file: path.to_owned(), line: 0, column: 0, path: String::new(), message: message.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_problem(path: &Path, expected: &str) {
        let problems = read(path).expect_err("a problem");
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, [expected]);
    }

    #[test]
    fn a_directory_is_read_in_name_order_without_hidden_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b")).unwrap();
        fs::create_dir_all(dir.path().join("..2026_01_01")).unwrap();
        for name in ["b/x.yml", "a.yaml", "c.yaml", ".d.yaml", "e.txt", "..2026_01_01/a.yaml"] {
            fs::write(dir.path().join(name), "x-a: 1\n").unwrap();
        }
        let names: Vec<String> =
            read(dir.path()).unwrap().iter().map(|s| s.file.strip_prefix(dir.path()).unwrap().display().to_string()).collect();
        assert_eq!(names, ["a.yaml", "b/x.yml", "c.yaml"]);
    }

    #[test]
    fn includes_are_followed_once_each() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("conf.d")).unwrap();
        fs::write(dir.path().join("main.yaml"), "include: [conf.d/*.yaml]\n").unwrap();
        fs::write(dir.path().join("conf.d/a.yaml"), "x-a: 1\n").unwrap();
        fs::write(dir.path().join("conf.d/b.yaml"), "x-b: 1\n").unwrap();
        assert_eq!(read(&dir.path().join("main.yaml")).unwrap().len(), 3);
        assert_eq!(read(dir.path()).unwrap().len(), 3, "found in the directory and included is one file");
        fs::write(dir.path().join("conf.d/a.yaml"), "include: [../main.yaml]\n").unwrap();
        assert!(read(&dir.path().join("main.yaml")).is_err(), "a circle");
    }

    #[test]
    fn what_is_not_a_config_gets_one_clear_message() {
        let dir = tempfile::tempdir().unwrap();
        assert_problem(dir.path(), "there is no `*.yaml` or `*.yml` file in this directory");
        assert_problem(&dir.path().join("gone.yaml"), "cannot read it: no such file or directory");
        assert_problem(Path::new("/dev/zero"), "this is not a regular file");
        let large = dir.path().join("large.yaml");
        fs::File::create(&large).unwrap().set_len(100 << 20).unwrap();
        assert_problem(&large, "the config is larger than 8 MiB");
        let binary = dir.path().join("binary.yaml");
        fs::write(&binary, b"a: 1\n\xff\n").unwrap();
        assert_problem(&binary, "this is not UTF-8 text");
        assert_eq!(read(&binary).expect_err("a problem")[0].line, 2);
        fs::write(dir.path().join("i.yaml"), "include: [gone.yaml]\n").unwrap();
        assert_problem(&dir.path().join("i.yaml"), "cannot include `gone.yaml`: there is no such file");
    }
}
