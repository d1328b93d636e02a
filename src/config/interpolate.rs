//! Variables in texts: `${NAME}`, `${NAME:-default}`, `${matrix.key}`, and `$$` for a dollar sign.
//!
//! Works on single texts after the YAML was parsed, so that a value can never add a key or a line. What was put in is not
//! looked at again.

use crate::config::Surroundings;

/// A text, cut into what is copied and what is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Copied.
    Text(&'a str),
    /// The inside of `${…}`.
    Variable {
        /// Up to `:-`.
        name: &'a str,
        /// After `:-`.
        default: Option<&'a str>,
    },
    /// `${` without `}`.
    Unclosed,
}

/// Cuts a text. `$` not followed by `{` or `$` is an ordinary character: password hashes are full of them.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        if let Some(after) = from.strip_prefix("$$") {
            parts.push(Part::Text(&rest[..=at]));
            rest = after;
        } else if let Some(after) = from.strip_prefix("${") {
            parts.push(Part::Text(before));
            let Some(end) = after.find('}') else {
                parts.push(Part::Unclosed);
                return parts;
            };
            let inside = &after[..end];
            let (name, default) = inside.split_once(":-").map_or((inside, None), |(name, default)| (name, Some(default)));
            parts.push(Part::Variable { name, default });
            rest = &after[end + 1..];
        } else {
            parts.push(Part::Text(&rest[..=at]));
            rest = &from[1..];
        }
    }
    parts.push(Part::Text(rest));
    parts.retain(|part| *part != Part::Text(""));
    parts
}

/// Whether an environment variable could have this name.
pub(super) fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What stands for `${matrix.key}`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Matrix<'a> {
    /// There is none here.
    None,
    /// These keys with the values of this combination.
    Values(&'a [(String, String)]),
}

/// What is wrong with a text, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
}

/// Fills in the variables of one text.
pub(super) fn fill(text: &str, around: &dyn Surroundings, matrix: Matrix<'_>) -> Result<String, Trouble> {
    let mut out = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Variable { name, default } => out.push_str(&value(name, default, around, matrix)?),
            Part::Unclosed => return Err(unclosed()),
        }
    }
    Ok(out)
}

/// `${` without `}`.
pub(super) fn unclosed() -> Trouble {
    Trouble { message: "`${` is not closed".to_owned(), hint: "write `${NAME}`, or `$${` for the two characters themselves".to_owned() }
}

/// The value of one variable.
pub(super) fn value(name: &str, default: Option<&str>, around: &dyn Surroundings, matrix: Matrix<'_>) -> Result<String, Trouble> {
    if let Some(key) = name.strip_prefix("matrix.") {
        return of_matrix(key, matrix);
    }
    if !is_env_name(name) {
        return Err(Trouble {
            message: format!("`${{{name}}}` is not the name of a variable"),
            hint: "use letters, digits and `_`, or write `$$` for a dollar sign".to_owned(),
        });
    }
    // As in a shell, `:-` also replaces a variable that is set but empty.
    match (around.env(name), default) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(_)) if !found.is_empty() => Ok(found),
        (Some(_) | None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Trouble {
            message: format!("the environment variable `{name}` is not set"),
            hint: format!("set it, or give a default: `${{{name}:-value}}`"),
        }),
    }
}

fn of_matrix(key: &str, matrix: Matrix<'_>) -> Result<String, Trouble> {
    let Matrix::Values(values) = matrix else {
        return Err(Trouble {
            message: format!("`${{matrix.{key}}}` stands where there is no matrix"),
            hint: "it works inside of monitors that have a `matrix`, and in the templates they use".to_owned(),
        });
    };
    values.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).ok_or_else(|| {
        let known: Vec<String> = values.iter().map(|(name, _)| format!("`{name}`")).collect();
        Trouble { message: format!("the matrix has no key `{key}`"), hint: format!("it has {}", known.join(", ")) }
    })
}
