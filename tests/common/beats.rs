//! Heartbeats of a real instance: their addresses, and what they were told.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Instance;
use super::request;
use super::stderr;

/// The API token `test`.
pub const API: &str =
    "auth: { tokens: [{ name: t, hash: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, scope: write }] }\n";

/// Kills of the program: few by default; `VIGILMON_KILLS=200` is the whole of it.
pub fn n_kills() -> usize {
    std::env::var("VIGILMON_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

/// By what a heartbeat is pinged, as `vigilmon heartbeat url --json` says it.
#[track_caller]
pub fn urls(instance: &Instance, id: &str) -> BTreeMap<String, String> {
    let output = instance.run(&["heartbeat", "url", id, "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{id}: {}", stderr(&output)))
}

pub fn json(instance: &Instance, path: &str) -> Value {
    let (status, _, body) = request(&instance.address, "GET", path, &[("authorization", "Bearer test")], "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The newest pings of a heartbeat, oldest first.
pub fn pings(instance: &Instance, id: &str) -> Vec<Value> {
    let mut pings = json(instance, &format!("/api/v1/monitors/{id}/pings"))["pings"].as_array().unwrap().clone();
    pings.reverse();
    pings
}

/// The same in words: method, kind, exit status, body.
pub fn words(instance: &Instance, id: &str) -> Vec<String> {
    let one = |ping: &Value| {
        let mut words = format!("{} {}", ping["method"].as_str().unwrap(), ping["kind"].as_str().unwrap());
        if let Some(status) = ping["exit_status"].as_u64() {
            words.push_str(&format!(" {status}"));
        }
        if let Some(body) = ping["body"].as_str() {
            words.push_str(&format!(": {}", body.trim_end()));
        }
        words
    };
    pings(instance, id).iter().map(one).collect()
}
