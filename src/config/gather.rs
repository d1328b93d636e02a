//! Follows `include`: which files belong to a config. Reading them is left to the caller.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Problem;
use crate::config::SourceText;
use crate::config::node::Files;
use crate::config::node::Pos;
use crate::config::report::Report;
use crate::config::yaml;

/// Deepest chain of includes; more is a mistake or an attack.
const DEPTH_MAX: usize = 8;

/// Most files of one config.
const FILES_MAX: usize = 2000;

/// An `include` as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// A path relative to the file it stands in; may have `*` and `?` in its last part.
    pub pattern: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// What a file includes.
///
/// # Errors
/// The syntax of the file, when it is wrong, or `include` being something else than texts.
pub fn includes(source: &SourceText) -> Result<Vec<Include>, Vec<Problem>> {
    let mut found = Vec::new();
    // A key can only be hidden from this look by an escape. Files are read every few seconds, and most include nothing.
    if !source.text.contains("include") && !source.text.contains('\\') {
        return Ok(found);
    }
    let report = Report::new(Files(vec![Arc::new(source.file.clone())]));
    if let Some(root) = yaml::parse(0, &source.text, &report)
        && let Some(node) = root.get("include").filter(|node| !node.is_null())
    {
        for (i, item) in node.items().unwrap_or(std::slice::from_ref(node)).iter().enumerate() {
            match item.scalar().filter(|scalar| !scalar.text.trim().is_empty()) {
                Some(scalar) => found.push(Include { pattern: scalar.text.clone(), line: item.pos.line, column: item.pos.column }),
                None => report.add(item.pos, &format!("include[{i}]"), format!("expected a path, found {}", item.described()), ""),
            }
        }
    }
    if report.is_empty() { Ok(found) } else { Err(report.into_problems()) }
}

/// Finds the files of an include: `(directory of the including file, pattern)` to the files in name order, or one sentence that
/// names the reason. A pattern that matches nothing gives an empty list; a plain path that does not exist is an error.
pub type Finder<'a> = dyn FnMut(&Path, &str) -> Result<Vec<SourceText>, String> + 'a;

/// Adds to the given files everything they include, each file once and right after the one that includes it.
///
/// # Errors
/// Includes that lead nowhere, in a circle, or too deep, and files whose syntax is wrong.
pub fn gather(first: Vec<SourceText>, find: &mut Finder<'_>) -> Result<Vec<SourceText>, Vec<Problem>> {
    let mut gathering = Gathering { found: Vec::new(), problems: Vec::new(), find };
    for source in first {
        gathering.add(source, &mut Vec::new());
    }
    if gathering.problems.is_empty() { Ok(gathering.found) } else { Err(gathering.problems) }
}

struct Gathering<'a, 'f> {
    found: Vec<SourceText>,
    problems: Vec<Problem>,
    find: &'a mut Finder<'f>,
}

impl Gathering<'_, '_> {
    fn add(&mut self, source: SourceText, above: &mut Vec<PathBuf>) {
        // A directory may hold both a file and the one that includes it; twice would be duplicate names everywhere.
        if self.found.iter().any(|known| known.file == source.file) {
            return;
        }
        let file = source.file.clone();
        // A file with mistakes is kept: `load` finds the same ones, together with those of the other files.
        let included = includes(&source).unwrap_or_default();
        self.found.push(source);
        above.push(file.clone());
        for include in included {
            self.follow(&file, &include, above);
        }
        above.pop();
    }

    fn follow(&mut self, file: &Path, include: &Include, above: &mut Vec<PathBuf>) {
        if above.len() > DEPTH_MAX {
            let hint = "include the files from the main file instead";
            self.problem(file, include, format!("more than {DEPTH_MAX} files include each other"), hint);
            return;
        }
        if include.pattern.contains("${") {
            let hint = "write the path itself; a pattern such as `conf.d/*.yaml` may match nothing";
            self.problem(file, include, "variables do not work in `include`".to_owned(), hint);
            return;
        }
        let directory = file.parent().unwrap_or(Path::new(""));
        match (self.find)(directory, &include.pattern) {
            Err(reason) => {
                let hint = "the path is relative to the file it stands in";
                self.problem(file, include, format!("cannot include `{}`: {reason}", include.pattern), hint);
            }
            Ok(sources) => {
                for source in sources {
                    if above.contains(&source.file) {
                        let message = format!("`{}` includes itself", source.file.display());
                        self.problem(file, include, message, "let includes lead in one direction only");
                    } else if self.found.len() >= FILES_MAX {
                        self.problem(file, include, format!("the config has more than {FILES_MAX} files"), "put more into each of them");
                        return;
                    } else {
                        self.add(source, above);
                    }
                }
            }
        }
    }

    fn problem(&mut self, file: &Path, include: &Include, message: String, hint: &str) {
        let report = Report::new(Files(vec![Arc::new(file.to_path_buf())]));
        report.add(Pos { file: 0, line: include.line, column: include.column }, "include", message, hint);
        self.problems.extend(report.into_problems());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: &str, text: &str) -> SourceText {
        SourceText { file: PathBuf::from(file), text: text.to_owned() }
    }

    fn gathered(files: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
        let find = &mut |directory: &Path, pattern: &str| {
            let found: Vec<SourceText> = files
                .iter()
                .filter(|(name, _)| crate::config::glob_match(&directory.join(pattern).to_string_lossy(), name))
                .map(|(name, text)| source(name, text))
                .collect();
            if found.is_empty() && !pattern.contains('*') { Err("there is no such file".to_owned()) } else { Ok(found) }
        };
        let names = |sources: Vec<SourceText>| sources.iter().map(|s| s.file.display().to_string()).collect();
        gather(vec![source(files[0].0, files[0].1)], find).map(names).map_err(|all| all.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn includes_are_followed_relative_to_their_file_and_each_file_comes_once() {
        let files = [
            ("etc/main.yaml", "include: [conf.d/*.yaml, none/*.yaml]"),
            ("etc/conf.d/a.yaml", "include: b.yaml"),
            ("etc/conf.d/b.yaml", "monitors: []"),
        ];
        assert_eq!(gathered(&files), Ok(vec!["etc/main.yaml".into(), "etc/conf.d/a.yaml".into(), "etc/conf.d/b.yaml".into()]));
    }

    #[test]
    fn circles_and_missing_files_are_problems_with_a_line() {
        let circle = [("a.yaml", "x-1: 0\ninclude: b.yaml"), ("b.yaml", "include:\n  - a.yaml")];
        let said = "b.yaml:2:5: include: `a.yaml` includes itself\n  hint: let includes lead in one direction only";
        assert_eq!(gathered(&circle), Err(vec![said.to_owned()]));
        let missing = [("a.yaml", "include: b.yaml")];
        let said =
            "a.yaml:1:10: include: cannot include `b.yaml`: there is no such file\n  hint: the path is relative to the file it stands in";
        assert_eq!(gathered(&missing), Err(vec![said.to_owned()]));
    }
}
