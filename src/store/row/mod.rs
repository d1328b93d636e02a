//! Durable forms of the nouns: what is written as JSON has its own types here, so that a change of the model cannot silently
//! change what is on disk. Nothing here touches the database.
//!
//! Each form is built by a `match` or a destructuring without wildcards: a new variant or field does not compile until somebody
//! has decided how it is kept. Fields that are added later need `#[serde(default)]`, because older rows do not have them.

pub(super) mod failure;
pub(super) mod heartbeat;
pub(super) mod incident;
pub(super) mod message;
pub(super) mod state;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// JSON text of a row. The forms have text keys and no floating point, so that this cannot fail.
fn json(row: &impl Serialize) -> String {
    serde_json::to_string(row).expect("rows are plain data")
}

/// A row from JSON text; the error says where it stopped making sense.
fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
pub(super) mod tests;
