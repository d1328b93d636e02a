//! Decodes `expect`: what must be seen for a check to be good.

use std::time::Duration;

use crate::config::decode::auth::header_name;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Node;
use crate::config::node::Scalar;
use crate::config::node::ScalarKind;
use crate::config::node::Value;
use crate::config::readers;
use crate::model::expect::CertificateDays;
use crate::model::expect::Comparison;
use crate::model::expect::Expectation;
use crate::model::expect::HeaderExpect;
use crate::model::expect::HeaderTest;
use crate::model::expect::JsonExpect;
use crate::model::expect::JsonPath;
use crate::model::expect::JsonTest;
use crate::model::expect::Pattern;
use crate::model::expect::ResponseTime;
use crate::model::expect::StatusRange;

/// Largest compiled pattern: far beyond what anybody writes by hand, and small enough for thousands of monitors.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The number comparisons and their keys.
const COMPARISONS: [(&str, Comparison); 4] =
    [("gt", Comparison::Greater), ("ge", Comparison::GreaterOrEqual), ("lt", Comparison::Less), ("le", Comparison::LessOrEqual)];

/// `expect:`. A tcp monitor is only judged by its response time; everything else would be ignored, and is therefore refused.
pub(super) fn expect(ctx: &Ctx<'_>, at: &At<'_>, is_http: bool, timeout: Duration) -> Option<Expectation> {
    let mut fields = Fields::open(ctx, at, "monitors[].expect")?;
    let common = common(&mut fields);
    let response_time = fields.read("response_time", |ctx, at| response_time(ctx, at, timeout));
    let certificate = fields.read("certificate", certificate);
    let any = fields.read("any", any);
    fields.finish();
    if !is_http {
        for entry in at.node.entries().unwrap_or_default().iter().filter(|entry| entry.key != "response_time") {
            let key = &entry.key;
            let hint = "remove it; what a tcp target must answer stands in `tcp: { send: …, expect: … }`";
            ctx.report.add(entry.pos, &format!("{}.{key}", at.path), format!("`{key}` does not apply to tcp monitors"), hint);
        }
    }
    Some(Expectation { response_time: response_time.unwrap_or_default(), certificate, any: any.unwrap_or_default(), ..common })
}

fn common(fields: &mut Fields<'_>) -> Expectation {
    Expectation {
        status: fields.read("status", status).unwrap_or_default(),
        body_contains: fields.read("body_contains", texts).unwrap_or_default(),
        body_excludes: fields.read("body_excludes", texts).unwrap_or_default(),
        body_matches: fields.read("body_matches", patterns).unwrap_or_default(),
        json: fields.read("json", json).unwrap_or_default(),
        headers: fields.read("headers", header_list).unwrap_or_default(),
        ..Expectation::default()
    }
}

fn any(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<Expectation>> {
    let items = at.list(ctx);
    let mut found = Vec::with_capacity(items.len());
    for item in &items {
        let Some(mut fields) = Fields::open(ctx, item, "monitors[].expect.any[]") else { continue };
        found.push(common(&mut fields));
        fields.finish();
        if item.node.entries().is_none_or(<[_]>::is_empty) {
            ctx.bad(item, "this alternative expects nothing, so it always holds", "say what is expected, or remove it");
        }
    }
    Some(found)
}

fn status(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<StatusRange>> {
    let read = |item: &At<'_>| {
        let text = readers::text(ctx, item)?;
        let found = StatusRange::parse(&text.to_ascii_lowercase());
        if found.is_none() {
            ctx.bad(
                item,
                format!("`{text}` is not a status code or a range of them"),
                "write `200`, `2xx` or `200-299`, within 100 and 599",
            );
        }
        found
    };
    Some(at.one_or_many().iter().filter_map(read).collect())
}

fn texts(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<String>> {
    let read = |item: &At<'_>| {
        let found = readers::text(ctx, item)?;
        if found.is_empty() {
            ctx.bad(item, "every body contains the empty text", "write what to look for, or remove it");
        }
        Some(found)
    };
    Some(at.one_or_many().iter().filter_map(read).collect())
}

fn patterns(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<Pattern>> {
    Some(at.one_or_many().iter().filter_map(|item| pattern(ctx, item)).collect())
}

fn pattern(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Pattern> {
    let text = readers::full_text(ctx, at)?;
    match regex::bytes::RegexBuilder::new(&text).size_limit(PATTERN_BYTES_MAX).build() {
        Ok(regex) => Some(Pattern(regex)),
        Err(error) => {
            // The library draws the pattern with a marker under it; its last line says what is wrong.
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
            let hint =
                if said.contains("size limit") { "make it simpler" } else { "write `\\` before a character that is meant literally" };
            ctx.bad(at, format!("`{shown}` is not a regular expression: {last}"), hint);
            None
        }
    }
}

fn json(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<JsonExpect>> {
    Some(at.list(ctx).iter().flat_map(|item| json_item(ctx, item)).collect())
}

fn json_item(ctx: &Ctx<'_>, at: &At<'_>) -> Vec<JsonExpect> {
    let Some(mut fields) = Fields::open(ctx, at, "monitors[].expect.json[]") else { return Vec::new() };
    let path = fields.must("path", json_path);
    let mut tests: Vec<Option<JsonTest>> = Vec::new();
    let mut asked = 0;
    let mut test = |found: Option<At<'_>>, read: &dyn Fn(&At<'_>) -> Vec<Option<JsonTest>>| {
        if let Some(at) = found {
            asked += 1;
            tests.extend(read(&at));
        }
    };
    test(present(&mut fields, at, "equals"), &|at| vec![Some(JsonTest::Equals(json_value(at.node)))]);
    test(present(&mut fields, at, "not_equals"), &|at| vec![Some(JsonTest::NotEquals(json_value(at.node)))]);
    test(fields.take("contains"), &|at| vec![readers::text(ctx, at).map(JsonTest::Contains)]);
    test(fields.take("matches"), &|at| vec![pattern(ctx, at).map(JsonTest::Matches)]);
    test(fields.take("exists"), &|at| vec![readers::boolean(ctx, at).map(JsonTest::Exists)]);
    for (key, comparison) in COMPARISONS {
        test(fields.take(key), &|at| vec![number(ctx, at).map(|n| JsonTest::Number(comparison, n))]);
    }
    test(fields.take("length"), &|at| length(ctx, at));
    fields.finish();
    if asked == 0 {
        ctx.bad(at, "this demand tests nothing", "add `equals`, `contains`, `matches`, `exists`, `gt`, `ge`, `lt`, `le` or `length`");
    }
    let Some(path) = path else { return Vec::new() };
    tests.into_iter().flatten().map(|is| JsonExpect { path: path.clone(), is }).collect()
}

/// Like [`Fields::take`], but a null counts: `equals: null` is a demand.
fn present<'a>(fields: &mut Fields<'a>, at: &At<'a>, key: &'static str) -> Option<At<'a>> {
    let _ = fields.take(key);
    at.node.get(key).map(|node| At { node, path: fields.path(key) })
}

fn json_path(ctx: &Ctx<'_>, at: &At<'_>) -> Option<JsonPath> {
    let text = readers::full_text(ctx, at)?;
    match serde_json_path::JsonPath::parse(&text) {
        Ok(path) => Some(JsonPath { text, path }),
        Err(error) => {
            let hint = if text.starts_with('$') {
                "RFC 9535 describes the syntax: `$.items[0].name`".to_owned()
            } else {
                format!("begin it with `$.`: `$.{text}`")
            };
            let character = error.position() + 1;
            ctx.bad(at, format!("`{text}` is not a JSON path, from its character {character} on"), hint);
            None
        }
    }
}

/// YAML as JSON: quoted is text, plain words and numbers are what they look like.
fn json_value(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Seq(items) => items.iter().map(json_value).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json_value(&entry.value))).collect(),
        Value::Scalar(scalar) => json_scalar(scalar),
    }
}

fn json_scalar(scalar: &Scalar) -> serde_json::Value {
    let as_text = || serde_json::Value::String(scalar.text.clone());
    match scalar.kind() {
        ScalarKind::Text => as_text(),
        ScalarKind::Boolean => serde_json::Value::Bool(scalar.text.eq_ignore_ascii_case("true")),
        ScalarKind::Number => match serde_json::from_str::<serde_json::Number>(&scalar.text) {
            Ok(number) => serde_json::Value::Number(number),
            // `0123` and `+5` are no JSON numbers; as texts they are at least what was written.
            Err(_) => as_text(),
        },
    }
}

fn number(ctx: &Ctx<'_>, at: &At<'_>) -> Option<f64> {
    let found = at.node.scalar().and_then(|scalar| scalar.text.parse::<f64>().ok()).filter(|n| n.is_finite());
    if found.is_none() {
        ctx.wrong_type(at, "a number");
    }
    found
}

fn length(ctx: &Ctx<'_>, at: &At<'_>) -> Vec<Option<JsonTest>> {
    let count = |at: &At<'_>, comparison| readers::whole(ctx, at, 0, u32::MAX.into()).map(|n| JsonTest::Length(comparison, n));
    if at.node.scalar().is_some() {
        return vec![count(at, Comparison::Equal)];
    }
    let Some(mut fields) = Fields::open(ctx, at, "monitors[].expect.json[].length") else { return Vec::new() };
    let mut tests = Vec::new();
    for (key, comparison) in std::iter::once(("equals", Comparison::Equal)).chain(COMPARISONS) {
        if let Some(at) = fields.take(key) {
            tests.push(count(&at, comparison));
        }
    }
    fields.finish();
    if tests.is_empty() {
        ctx.bad(at, "this length is compared with nothing", "add `equals`, `gt`, `ge`, `lt` or `le`");
    }
    tests
}

fn header_list(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<HeaderExpect>> {
    Some(at.list(ctx).iter().flat_map(|item| header_item(ctx, item)).collect())
}

fn header_item(ctx: &Ctx<'_>, at: &At<'_>) -> Vec<HeaderExpect> {
    let Some(mut fields) = Fields::open(ctx, at, "monitors[].expect.headers[]") else { return Vec::new() };
    let name = fields.must("name", header_name);
    let equals = fields.take("equals");
    let contains = fields.take("contains");
    let matches = fields.take("matches");
    let exists = fields.take("exists");
    fields.finish();
    if equals.is_none() && contains.is_none() && matches.is_none() && exists.is_none() {
        ctx.bad(at, "this demand tests nothing", "add `equals`, `contains`, `matches` or `exists`");
    }
    let tests = [
        equals.and_then(|at| readers::text(ctx, &at)).map(HeaderTest::Equals),
        contains.and_then(|at| readers::full_text(ctx, &at)).map(HeaderTest::Contains),
        matches.and_then(|at| pattern(ctx, &at)).map(HeaderTest::Matches),
        exists.and_then(|at| readers::boolean(ctx, &at)).map(HeaderTest::Exists),
    ];
    let Some(name) = name else { return Vec::new() };
    tests.into_iter().flatten().map(|is| HeaderExpect { name: name.clone(), is }).collect()
}

fn response_time(ctx: &Ctx<'_>, at: &At<'_>, timeout: Duration) -> Option<ResponseTime> {
    let within = |ctx: &Ctx<'_>, at: &At<'_>| {
        let found = readers::duration_from(ctx, at, Duration::from_millis(1), "1ms")?;
        if found >= timeout {
            let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
            let message = format!("`{shown}` is never reached, because a check ends after `{}`", crate::model::time::DurationText(timeout));
            ctx.bad(at, message, "make it shorter than `timeout`");
        }
        Some(found)
    };
    if at.node.scalar().is_some() {
        return Some(ResponseTime { degraded: within(ctx, at), down: None });
    }
    let mut fields = Fields::open(ctx, at, "monitors[].expect.response_time")?;
    let degraded = fields.read("degraded", within);
    let down = fields.read("down", within);
    fields.finish();
    if let (Some(degraded), Some(down)) = (degraded, down)
        && degraded >= down
    {
        ctx.bad(at, "`degraded` is never seen, because `down` comes first", "make `degraded` shorter than `down`");
    }
    Some(ResponseTime { degraded, down })
}

/// More warnings than that about one certificate are noise.
const WARNINGS_MAX: usize = 10;

fn certificate(ctx: &Ctx<'_>, at: &At<'_>) -> Option<CertificateDays> {
    let mut fields = Fields::open(ctx, at, "monitors[].expect.certificate")?;
    let degraded = fields.read("degraded", readers::duration);
    let down = fields.read("down", readers::duration);
    let warn_at = fields.take("warn");
    fields.finish();
    if let (Some(degraded), Some(down)) = (degraded, down)
        && !degraded.is_zero()
        && degraded <= down
    {
        ctx.bad(at, "`degraded` is never seen, because `down` comes first", "make `degraded` longer than `down`");
    }
    let switched_on = |limit: &Duration| !limit.is_zero();
    let default = CertificateDays::default();
    let written: Vec<(At<'_>, Duration)> = warn_at.map(|at| warnings(ctx, &at)).unwrap_or_default();
    let is_written = at.node.get("warn").is_some();
    // Whoever asks for an earlier warning and says nothing else wants it to be the first one.
    let longest = written.iter().map(|(_, limit)| *limit).max();
    let degraded = degraded.or(default.degraded.max(longest)).filter(switched_on);
    let down = down.filter(switched_on);
    for (at, limit) in &written {
        if degraded.is_none_or(|degraded| degraded < *limit) {
            ctx.bad(at, "this warning is never sent, because it is not degraded then", "make `degraded` longer, or remove this one");
        } else if down.is_some_and(|down| *limit <= down) {
            ctx.bad(at, "this warning is never sent, because it is down by then", "make it longer than `down`, or remove it");
        }
    }
    let mut warn = if is_written { written.into_iter().map(|(_, limit)| limit).collect() } else { default.warn };
    warn.retain(|limit| degraded.is_some_and(|degraded| *limit < degraded) && down.is_none_or(|down| down < *limit));
    warn.sort_unstable_by(|a, b| b.cmp(a));
    warn.dedup();
    Some(CertificateDays { degraded, down, warn })
}

fn warnings<'a>(ctx: &'a Ctx<'a>, at: &At<'a>) -> Vec<(At<'a>, Duration)> {
    let items = at.one_or_many();
    if WARNINGS_MAX < items.len() {
        ctx.bad(at, format!("these are {} warnings about one certificate", items.len()), format!("keep at most {WARNINGS_MAX}"));
    }
    let least = Duration::from_secs(3600);
    items.into_iter().filter_map(|at| readers::duration_from(ctx, &at, least, "1h").map(|limit| (at, limit))).collect()
}
