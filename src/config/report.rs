//! Collects problems, so that one run tells all of them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use crate::config::Problem;
use crate::config::node::Files;
use crate::config::node::Pos;

/// Most problems that are told at once; nobody reads further, and a generated file could have a hundred thousand.
const PROBLEMS_MAX: usize = 1000;

/// The problems found so far.
#[derive(Debug)]
pub(super) struct Report {
    /// The names of the sources.
    pub(super) files: Files,
    found: RefCell<Vec<(Pos, Problem)>>,
    settled: RefCell<HashSet<Pos>>,
    doubts: RefCell<Vec<(Pos, Problem)>>,
}

impl Report {
    /// Nothing found yet.
    pub(super) fn new(files: Files) -> Report {
        Report { files, found: RefCell::new(Vec::new()), settled: RefCell::new(HashSet::new()), doubts: RefCell::new(Vec::new()) }
    }

    /// Notes one.
    pub(super) fn add(&self, pos: Pos, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        if self.settled.borrow().contains(&pos) {
            return;
        }
        let problem = self.problem(pos, path, message.into(), hint.into());
        self.found.borrow_mut().push((pos, problem));
    }

    /// Notes something that is valid and perhaps not meant.
    pub(super) fn doubt(&self, pos: Pos, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let problem = self.problem(pos, path, message.into(), hint.into());
        self.doubts.borrow_mut().push((pos, problem));
    }

    fn problem(&self, pos: Pos, path: &str, message: String, hint: String) -> Problem {
        let file = self.files.of(pos).as_path().to_path_buf();
        Problem { file, line: pos.line, column: pos.column, path: path.to_owned(), message, hint }
    }

    /// Notes one after which nothing more can be said about this place: the value is not known, so it cannot be judged.
    pub(super) fn settle(&self, pos: Pos, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.add(pos, path, message, hint);
        self.settled.borrow_mut().insert(pos);
    }

    /// Whether there is nothing to complain about.
    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// All of them in the order of the files. What is wrong in a template is wrong in every monitor that uses it, and is told
    /// once.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        in_order(self.found.into_inner())
    }

    /// What is perhaps not meant, in the same way.
    pub(super) fn take_doubts(&self) -> Vec<Problem> {
        in_order(self.doubts.take())
    }
}

fn in_order(mut found: Vec<(Pos, Problem)>) -> Vec<Problem> {
    found.sort_by_key(|(pos, _)| *pos);
    let mut told = HashSet::new();
    found.retain(|(pos, problem)| pos.line == 0 || told.insert((*pos, problem.message.clone())));
    found.truncate(PROBLEMS_MAX);
    found.into_iter().map(|(_, problem)| problem).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
        }
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
            if self.column > 0 {
                write!(f, "{}:", self.column)?;
            }
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        let gap = if self.file.as_os_str().is_empty() && self.path.is_empty() { "" } else { " " };
        write!(f, "{gap}{}", self.message)?;
        if !self.hint.is_empty() {
            // A hint may be a small example of several lines.
            write!(f, "\n  hint: {}", self.hint.replace('\n', "\n        "))?;
        }
        Ok(())
    }
}
