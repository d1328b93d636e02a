//! JSON Schema of the config, for completion and checks in editors.
//!
//! It is a little wider than the decoder: rules between keys, and what variables become, are only known when a config is loaded.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::config::reference::Key;
use crate::config::reference::Kind;
use crate::config::reference::Section;
use crate::config::reference::sections;

/// The schema, draft 2020-12.
#[must_use]
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let mut root = Map::new();
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("vigilmon configuration"));
    for section in sections() {
        let object = object(section);
        if section.path.is_empty() {
            root.extend(object);
            root.insert("patternProperties".to_owned(), json!({ "^x-": true }));
        } else {
            definitions.insert(definition(section.path), Value::Object(object));
        }
    }
    root.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(root)
}

fn definition(path: &str) -> String {
    path.replace("[]", "").replace(".*", "").replace('.', "_")
}

fn object(section: &Section) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("description".to_owned(), json!(section.doc));
    object.insert("type".to_owned(), json!(["object", "null"]));
    object.insert("additionalProperties".to_owned(), json!(false));
    let properties: Map<String, Value> = section.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    object.insert("properties".to_owned(), Value::Object(properties));
    // A monitor may get what is required from a template, so the pieces of monitors require nothing here.
    let required: Vec<&str> = section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let may_inherit = matches!(section.path, "monitors[].http" | "monitors[].tcp" | "monitors[].slo");
    if !required.is_empty() && !may_inherit {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

fn property(key: &Key) -> Value {
    let mut schema = match kind(&key.kind) {
        Value::Object(schema) => schema,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    let default = if key.default.is_empty() { String::new() } else { format!(" Default: {}.", key.default) };
    schema.insert("description".to_owned(), json!(format!("{}{default}", key.doc)));
    Value::Object(schema)
}

fn kind(kind: &Kind) -> Value {
    let variable = || json!({ "type": "string", "pattern": "\\$\\{" });
    let shaped = |pattern: &str| json!({ "type": "string", "pattern": format!("\\$\\{{|{pattern}") });
    match kind {
        Kind::Text | Kind::Shape(_) => json!({ "type": ["string", "number", "null"] }),
        Kind::File => json!({ "type": ["string", "null"] }),
        Kind::Bool => json!({ "anyOf": [{ "type": ["boolean", "null"] }, variable()] }),
        Kind::Whole(min, max) => {
            json!({ "anyOf": [{ "type": "integer", "minimum": min, "maximum": max }, { "type": "null" }, variable()] })
        }
        Kind::Duration => shaped("^\\s*([0-9]+(ms|s|m|h|d|w|y))+\\s*$"),
        Kind::Size => shaped("^\\s*[0-9]+ *(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)\\s*$"),
        Kind::Percent => shaped("^\\s*[0-9]{1,3}(\\.[0-9]{1,3})? *%\\s*$"),
        Kind::Url => shaped("^https?://"),
        Kind::Secret => json!({ "anyOf": [{ "type": ["string", "number", "null"] }, reference("secret")] }),
        // A word like `2` or `1.1` may be written without quotes and is a number then.
        Kind::Word(words) => {
            let numbers: Vec<f64> = words.iter().filter_map(|word| word.parse().ok()).collect();
            let mut all: Vec<Value> = words.iter().map(|word| json!(word)).collect();
            all.extend(numbers.iter().map(|number| if number.fract() == 0.0 { json!(number.trunc() as i64) } else { json!(number) }));
            json!({ "anyOf": [{ "enum": all }, { "type": "null" }, variable()] })
        }
        Kind::Json => json!({}),
        Kind::Map(path) => reference(path),
        Kind::Free(value) => json!({ "type": ["object", "null"], "additionalProperties": self::kind(value) }),
        Kind::List(item) => json!({ "type": ["array", "null"], "items": self::kind(item) }),
        Kind::OneOrMany(item) => json!({ "anyOf": [self::kind(item), { "type": "array", "items": self::kind(item) }] }),
        Kind::Either(one, other) => json!({ "anyOf": [self::kind(one), self::kind(other)] }),
    }
}

fn reference(path: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{}", definition(path)) })
}
