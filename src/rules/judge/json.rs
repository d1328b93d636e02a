//! Values in a JSON body, found by RFC 9535 paths.

use serde_json::Value;

use crate::model::expect::Comparison;
use crate::model::expect::JsonExpect;
use crate::model::expect::JsonTest;
use crate::model::result::Failure;
use crate::model::result::HttpSeen;

/// Judges every demand; the body is parsed once, and only if there is one.
pub(super) fn judge(expects: &[JsonExpect], seen: &HttpSeen) -> Result<(), Failure> {
    if expects.is_empty() {
        return Ok(());
    }
    let fail = |detail: String| Err(Failure::Json { detail });
    // A byte order mark is not JSON, and many servers send one.
    let body = seen.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&seen.body);
    let document: Value = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(_) if seen.body_truncated => {
            return fail(format!(
                "the body is longer than the {} bytes that were read (`max_body`), so its JSON is incomplete",
                seen.body.len()
            ));
        }
        Err(error) => return fail(format!("the body is not JSON: {error}; it begins with `{}`", super::body::excerpt(body))),
    };
    for expect in expects {
        if let Some(detail) = wrong(expect, &document) {
            return fail(detail);
        }
    }
    Ok(())
}

fn wrong(expect: &JsonExpect, document: &Value) -> Option<String> {
    let path = &expect.path.text;
    let nodes = expect.path.path.query(document).all();
    let each = |test: &JsonTest| {
        let missing = nodes.is_empty().then(|| format!("`{path}` is missing"));
        let wrong = |node: &&Value| wrong_value(test, node).map(|wanted| format!("`{path}` is {} and should {wanted}", shown(node)));
        missing.or_else(|| nodes.iter().find_map(wrong))
    };
    match &expect.is {
        JsonTest::Exists(true) => nodes.is_empty().then(|| format!("`{path}` is missing")),
        JsonTest::Exists(false) => nodes.first().map(|found| format!("`{path}` is {} and should not be there", shown(found))),
        JsonTest::Length(comparison, wanted) => {
            let length = length(&nodes);
            (!holds(*comparison, length as f64, *wanted as f64))
                .then(|| format!("the length of `{path}` is {length} and should be {} {wanted}", comparison.sign()))
        }
        JsonTest::Equals(_) | JsonTest::NotEquals(_) | JsonTest::Contains(_) | JsonTest::Matches(_) | JsonTest::Number(..) => {
            each(&expect.is)
        }
    }
}

/// What the value should do and does not; `None` when it does.
fn wrong_value(test: &JsonTest, value: &Value) -> Option<String> {
    let (fits, wanted) = match test {
        JsonTest::Equals(wanted) => (same(value, wanted), format!("be {}", shown(wanted))),
        JsonTest::NotEquals(unwanted) => (!same(value, unwanted), format!("not be {}", shown(unwanted))),
        JsonTest::Contains(part) => (contains(value, part), format!("contain `{part}`")),
        JsonTest::Matches(pattern) => (pattern.0.is_match(text_of(value).as_bytes()), format!("match `{}`", pattern.0)),
        JsonTest::Number(comparison, wanted) => {
            (value.as_f64().is_some_and(|number| holds(*comparison, number, *wanted)), format!("be {} {wanted}", comparison.sign()))
        }
        // Both speak of the whole selection and were judged before.
        JsonTest::Exists(_) | JsonTest::Length(..) => return None,
    };
    (!fits).then_some(wanted)
}

/// Equal; numbers by value, so that `1` and `1.0` are the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) => a == b || x.total_cmp(&y).is_eq(),
        _ => a == b,
    }
}

fn contains(value: &Value, part: &str) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| text_of(element) == part),
        Value::String(text) => text.contains(part),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => text_of(value).contains(part),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn length(nodes: &[&Value]) -> usize {
    match nodes {
        [one] => match one {
            Value::String(text) => text.chars().count(),
            Value::Array(elements) => elements.len(),
            Value::Object(members) => members.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        },
        several => several.len(),
    }
}

fn holds(comparison: Comparison, number: f64, wanted: f64) -> bool {
    match comparison {
        Comparison::Equal => number.total_cmp(&wanted).is_eq(),
        Comparison::Greater => number > wanted,
        Comparison::GreaterOrEqual => number >= wanted,
        Comparison::Less => number < wanted,
        Comparison::LessOrEqual => number <= wanted,
    }
}

fn shown(value: &Value) -> String {
    format!("`{}`", super::body::excerpt(value.to_string().as_bytes()))
}
