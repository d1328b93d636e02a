//! `vigilmon status`: a table of the running instance.

use serde_json::Value;

use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::StatusOptions;
use crate::cli::control;
use crate::cli::output;
use crate::cli::output::Colour;
use crate::cli::output::coloured;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;

const HEADINGS: [&str; 6] = ["STATE", "NAME", "SINCE", "TOOK", "NEXT", "CAUSE"];

pub(super) fn run(common: &Common, options: &StatusOptions) -> Exit {
    let mut status = match control::ask(common, "GET", "/local/status") {
        Ok(status) => status,
        Err(exit) => return exit,
    };
    let is_down = monitors(&status).iter().any(|monitor| word(monitor) == "down");
    if options.failing
        && let Some(monitors) = status["monitors"].as_array_mut()
    {
        monitors.retain(|monitor| word(monitor) != "up");
    }
    if options.json {
        output::json(&status);
    } else {
        output::data(&text(&status, output::has_colour()));
    }
    if is_down { Exit::No } else { Exit::Fine }
}

fn monitors(status: &Value) -> Vec<Value> {
    status["monitors"].as_array().cloned().unwrap_or_default()
}

fn word(monitor: &Value) -> &str {
    monitor["status"].as_str().unwrap_or("unknown")
}

fn text(status: &Value, has_colour: bool) -> String {
    let at = time(&status["at"]).unwrap_or_default();
    let mut monitors = monitors(status);
    // What is wrong comes first; the order of the config decides among equals.
    monitors.sort_by_key(|monitor| rank(word(monitor)));
    let rows: Vec<Vec<String>> = monitors.iter().map(|monitor| row(monitor, at)).collect();
    let mut out = String::new();
    for (i, mut cells) in output::table(&HEADINGS, &rows).into_iter().enumerate() {
        let colour = if i == 0 { Colour::Grey } else { colour(word(&monitors[i - 1])) };
        if let Some(first) = cells.first_mut() {
            *first = coloured(first, colour, has_colour);
        }
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out.push_str(&footer(status, &monitors));
    out
}

fn row(monitor: &Value, at: UnixMillis) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let suspect = if monitor["suspect"] == true { "?" } else { "" };
    let since = time(&monitor["since"]).map(|since| spoken(at.since(since))).unwrap_or_default();
    let took = monitor["last_check"]["total_ms"].as_f64().map_or_else(|| "–".to_owned(), |ms| format!("{ms:.1} ms"));
    let next = time(&monitor["next_check_at"]).map_or_else(|| "–".to_owned(), |next| format!("in {}", spoken(next.since(at))));
    vec![format!("{}{suspect}", word(monitor)), text(&monitor["name"]), since, took, next, text(&monitor["cause"])]
}

fn footer(status: &Value, monitors: &[Value]) -> String {
    let n_up = monitors.iter().filter(|monitor| word(monitor) == "up").count();
    let mut out = format!("\n{n_up} of {} up", monitors.len());
    if let (Some(region), Some(vantage)) = (status["region"].as_str(), status["vantage"].as_str()) {
        out.push_str(&format!(", seen from {region} ({vantage})"));
    }
    if status["uplink"] == "lost" {
        out.push_str("; the uplink is LOST: targets beyond it are not judged");
    }
    out.push('\n');
    if let Some(cluster) = status["cluster"].as_object() {
        out.push_str(&cluster_line(cluster));
    }
    let problems = status["config"]["problems"].as_array().map_or(0, Vec::len);
    if problems > 0 {
        let what = if status["config"]["is_last_good_copy"] == true { "the last good copy runs" } else { "the old one runs on" };
        out.push_str(&format!("the config on disk is NOT VALID ({problems} problem(s)); {what}: see `vigilmon validate`\n"));
    }
    out
}

fn cluster_line(cluster: &serde_json::Map<String, Value>) -> String {
    let word = |key: &str| cluster.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| cluster.get(key).and_then(Value::as_u64).unwrap_or_default();
    let is_primary = cluster.get("is_primary") == Some(&Value::Bool(true));
    let standing = if is_primary { "" } else { "; they are NOT the primary part: see `vigilmon peer status`" };
    let (live, total) = (number("nodes_live"), number("nodes_total"));
    format!("cluster {}, node {}: {live} of {total} nodes{standing}\n", word("name"), word("node"))
}

fn time(value: &Value) -> Option<UnixMillis> {
    let stamp: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(UnixMillis(stamp.as_millisecond()))
}

fn rank(word: &str) -> u8 {
    match word {
        "down" => 0,
        "degraded" => 1,
        "unknown" => 2,
        "up" => 3,
        _ => 4,
    }
}

fn colour(word: &str) -> Colour {
    match word {
        "up" => Colour::Green,
        "degraded" => Colour::Yellow,
        "down" => Colour::Red,
        _ => Colour::Grey,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_first() {
        let status = serde_json::json!({
            "at": "2026-06-30T10:03:00Z", "region": "eu", "vantage": "external", "uplink": "fine", "config": { "problems": [], "is_last_good_copy": false },
            "monitors": [
                { "name": "a", "status": "up", "since": "2026-06-30T10:00:00Z", "suspect": true, "cause": null,
                  "next_check_at": "2026-06-30T10:03:05Z", "last_check": { "total_ms": 12.34 } },
                { "name": "b", "status": "down", "since": "2026-06-30T10:02:00Z", "suspect": false, "cause": "refused",
                  "next_check_at": null, "last_check": null },
            ],
        });
        let expected = "STATE  NAME  SINCE  TOOK     NEXT      CAUSE\n\
                        down   b     1 min  –        –         refused\n\
                        up?    a     3 min  12.3 ms  in 5.0 s\n\
                        \n1 of 2 up, seen from eu (external)\n";
        assert_eq!(text(&status, false), expected);
        let mut with_peers = status;
        with_peers["cluster"] = serde_json::json!({ "name": "acme", "node": "eu", "nodes_live": 2, "nodes_total": 3, "is_primary": true });
        assert_eq!(text(&with_peers, false), format!("{expected}cluster acme, node eu: 2 of 3 nodes\n"));
        with_peers["cluster"]["is_primary"] = false.into();
        assert!(text(&with_peers, false).ends_with("2 of 3 nodes; they are NOT the primary part: see `vigilmon peer status`\n"));
    }
}
