//! All texts to one [`Config`], or to all that is wrong with them.

use std::fmt::Write;
use std::sync::Arc;

use crate::config::Config;
use crate::config::Problem;
use crate::config::SourceText;
use crate::config::Surroundings;
use crate::config::cross;
use crate::config::decode;
use crate::config::expand;
use crate::config::fields::Ctx;
use crate::config::join::join;
use crate::config::node::Files;
use crate::config::node::Node;
use crate::config::node::Pos;
use crate::config::node::Value;
use crate::config::report::Report;
use crate::config::yaml;

/// What to write into an empty file.
const SMALLEST: &str = "the smallest config is:\nmonitors:\n  - http: https://example.com";

/// Reads, checks and decodes a whole config. Included files must already be among the sources; [`crate::config::gather()`]
/// finds them.
///
/// # Errors
/// Everything that is wrong, in the order of the files; never empty.
pub fn load(sources: &[SourceText], around: &dyn Surroundings) -> Result<Config, Vec<Problem>> {
    let report = Report::new(Files(sources.iter().map(|source| Arc::new(source.file.clone())).collect()));
    let config = read(sources, around, &report);
    match config {
        Some(mut config) if report.is_empty() => {
            config.doubts = report.take_doubts();
            let problems = cross::problems(&config);
            if problems.is_empty() { Ok(config) } else { Err(problems) }
        }
        Some(_) | None => Err(report.into_problems()),
    }
}

/// What is perhaps not meant in a config, also in one that is not valid, as far as that can be said of it.
#[must_use]
pub fn doubts(sources: &[SourceText], around: &dyn Surroundings) -> Vec<Problem> {
    let report = Report::new(Files(sources.iter().map(|source| Arc::new(source.file.clone())).collect()));
    let _ = read(sources, around, &report);
    report.take_doubts()
}

fn read(sources: &[SourceText], around: &dyn Surroundings, report: &Report) -> Option<Config> {
    let mut root = Node { pos: Pos { file: 0, line: 1, column: 1 }, value: Value::Null };
    let mut all_parsed = true;
    for (file, source) in sources.iter().enumerate() {
        let Some(node) = yaml::parse(file, &source.text, report) else {
            all_parsed = false;
            continue;
        };
        if !matches!(node.value, Value::Null | Value::Map(_)) {
            let hint = "begin with keys such as `monitors:`";
            report.add(node.pos, "", format!("expected a map at the top level, found {}", node.described()), hint);
            all_parsed = false;
            continue;
        }
        root = join(root, node, "", report);
    }
    // A file that could not be read would make everything that refers to it look wrong.
    if !all_parsed {
        return None;
    }
    let nothing = root.is_null();
    let watches_nothing = root.get("monitors").is_none_or(|node| node.is_null() || node.items().is_some_and(<[_]>::is_empty));
    if watches_nothing {
        let pos = root.get("monitors").map_or(Pos { file: 0, line: 0, column: 0 }, |node| node.pos);
        let message = if nothing { "the config is empty" } else { "there are no monitors" };
        report.add(pos, "", message, SMALLEST);
        if nothing {
            return None;
        }
    }
    let root = expand::fill_document(root, around, report);
    let expanded = expand::expand(&root, around, report);
    decode::document(&Ctx { report, around }, &root, &expanded)
}

/// Names the content of a config: the same files with the same texts have the same digest, 64 hexadecimal digits.
#[must_use]
pub fn digest(sources: &[SourceText]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for source in sources {
        let name = source.file.to_string_lossy();
        // Lengths first, so that no two lists of files run together into the same bytes.
        for part in [name.as_bytes(), source.text.as_bytes()] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a text cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
