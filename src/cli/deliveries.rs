//! `vigilmon channel list`, `log` and `retry`: what became of the messages of the running instance.

use serde_json::Value;

use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::control;
use crate::cli::control::Answered;
use crate::cli::output;
use crate::cli::output::Colour;
use crate::cli::output::coloured;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::ui::links::path_segment;

/// Which part of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) given_up: bool,
    pub(super) before: Option<i64>,
}

pub(super) fn list(common: &Common, json: bool) -> Exit {
    let answer = match control::ask(common, "GET", "/local/channels") {
        Ok(answer) => answer,
        Err(exit) => return exit,
    };
    if json {
        output::json(&answer);
    } else {
        output::data(&table(&answer, output::has_colour()));
    }
    let is_fine = array(&answer["channels"]).iter().all(|channel| channel["undeliverable"] == false);
    if is_fine { Exit::Fine } else { Exit::No }
}

fn table(answer: &Value, has_colour: bool) -> String {
    let channels = array(&answer["channels"]);
    if channels.is_empty() {
        return "no channels are configured, so nobody is told about outages\n".to_owned();
    }
    let at = time(&answer["at"]).unwrap_or_default();
    let rows: Vec<Vec<String>> = channels.iter().map(|channel| row(channel, at)).collect();
    let mut out = String::new();
    let headings = ["STATE", "CHANNEL", "KIND", "LAST SUCCESS", "WAITING", "GIVEN UP", "LAST TROUBLE"];
    for (i, mut cells) in output::table(&headings, &rows).into_iter().enumerate() {
        let colour = if i == 0 { Colour::Grey } else { colour(text(&channels[i - 1]["state"])) };
        if let Some(first) = cells.first_mut() {
            *first = coloured(first, colour, has_colour);
        }
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn row(channel: &Value, at: UnixMillis) -> Vec<String> {
    let ago = |value: &Value| time(value).map(|then| spoken(at.since(then)));
    let state = match text(&channel["state"]) {
        "failing" => format!("failing for {}", ago(&channel["failing_since"]).unwrap_or_default()),
        "not_delivering" => format!("NOT DELIVERING for {}", ago(&channel["not_delivering_since"]).unwrap_or_default()),
        "resting" => "asked for a rest".to_owned(),
        word => word.replace('_', " "),
    };
    let oldest = ago(&channel["oldest_waiting_since"]).map(|age| format!(" (oldest {age})")).unwrap_or_default();
    vec![
        state,
        text(&channel["name"]).to_owned(),
        channel["kind"].as_str().unwrap_or("not in the config").to_owned(),
        ago(&channel["last_success_at"]).map_or_else(|| "never".to_owned(), |age| format!("{age} ago")),
        format!("{}{oldest}", channel["waiting"]),
        channel["given_up"].to_string(),
        text(&channel["error"]).to_owned(),
    ]
}

pub(super) fn log(common: &Common, asked: &Asked<'_>, json: bool) -> Exit {
    let mut query: Vec<String> = asked.before.map(|before| format!("before={before}")).into_iter().collect();
    query.extend(asked.given_up.then(|| "state=given_up".to_owned()));
    let path = format!("/local/channels/{}/deliveries?{}", path_segment(asked.name), query.join("&"));
    match control::try_ask(common, "GET", &path) {
        Ok(Answered::Done(answer)) if json => {
            output::json(&answer);
            Exit::Fine
        }
        Ok(Answered::Done(answer)) => {
            output::data(&log_text(&answer));
            Exit::Fine
        }
        Ok(Answered::Refused(why)) => no_such(asked.name, &why),
        Err(exit) => exit,
    }
}

fn no_such(name: &str, why: &str) -> Exit {
    output::say(&format!("cannot show the log of `{name}`: {why} `vigilmon channel list` names the channels"));
    Exit::Usage
}

fn log_text(answer: &Value) -> String {
    let deliveries = array(&answer["deliveries"]);
    if deliveries.is_empty() {
        return "no messages\n".to_owned();
    }
    let mut out = String::new();
    for delivery in deliveries {
        let when = match text(&delivery["state"]) {
            "waiting" => {
                let behind = delivery["waits_behind"].as_i64().map(|first| format!(" behind {first}")).unwrap_or_default();
                format!("waiting{behind}, next attempt {}", text(&delivery["next_attempt_at"]))
            }
            "given_up" => format!("GIVEN UP {}", text(&delivery["ended_at"])),
            word => format!("{word} {}", text(&delivery["ended_at"])),
        };
        let (id, event, about) = (&delivery["id"], text(&delivery["event"]), text(&delivery["about"]));
        out.push_str(&format!("{id}  {}  {event}: {about}  {when}\n", text(&delivery["decided_at"])));
        for attempt in array(&delivery["attempts"]) {
            out.push_str(&attempt_text(attempt));
        }
    }
    if let Some(before) = answer["next_before"].as_i64() {
        out.push_str(&format!("older ones: --before {before}\n"));
    }
    out
}

fn attempt_text(attempt: &Value) -> String {
    let answer = &attempt["answer"];
    let code = match text(&answer["by"]) {
        "http" => format!(" HTTP {}", answer["code"]),
        "smtp" => format!(" SMTP {}", answer["code"]),
        "exit" => format!(" exit code {}", answer["code"]),
        _ => String::new(),
    };
    let said = Some(text(&answer["text"])).filter(|said| !said.is_empty()).map(|said| format!("\n        {said}")).unwrap_or_default();
    let error = attempt["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    let took = attempt["took_ms"].as_f64().unwrap_or_default();
    let (number, at, outcome) = (&attempt["number"], text(&attempt["at"]), text(&attempt["outcome"]));
    format!("    {number}. {at}  {outcome}{code} in {took:.0} ms{error}{said}\n")
}

/// Without an id: all.
pub(super) fn retry(common: &Common, name: &str, id: Option<i64>) -> Exit {
    let channel = path_segment(name);
    let path = match id {
        Some(id) => format!("/local/channels/{channel}/deliveries/{id}/retry"),
        None => format!("/local/channels/{channel}/retry"),
    };
    match control::try_ask(common, "POST", &path) {
        Ok(Answered::Done(answer)) => {
            let n = answer["waiting"].as_u64().unwrap_or_default();
            if n == 0 {
                output::say(&format!("nothing of `{name}` can be tried again: nothing was given up, or something newer has arrived"));
                return Exit::No;
            }
            output::data(&format!(
                "{n} {} again; `vigilmon channel log` shows how it goes\n",
                if n == 1 { "message waits" } else { "messages wait" }
            ));
            Exit::Fine
        }
        Ok(Answered::Refused(why)) => {
            output::say(&format!("not tried again: {why}"));
            Exit::No
        }
        Err(exit) => exit,
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn time(value: &Value) -> Option<UnixMillis> {
    let stamp: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(UnixMillis(stamp.as_millisecond()))
}

fn colour(state: &str) -> Colour {
    match state {
        "fine" => Colour::Green,
        "failing" | "resting" => Colour::Yellow,
        "not_delivering" => Colour::Red,
        _ => Colour::Grey,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_how_each_channel_is() {
        let answer = serde_json::json!({ "at": "2026-06-30T13:00:00Z", "channels": [
            { "name": "ops", "kind": "slack", "state": "fine", "last_success_at": "2026-06-30T12:57:00Z", "waiting": 0, "given_up": 0,
              "oldest_waiting_since": null, "error": null },
            { "name": "pager", "kind": "webhook", "state": "not_delivering", "not_delivering_since": "2026-06-30T10:00:00Z",
              "last_success_at": null, "waiting": 12, "oldest_waiting_since": "2026-06-30T10:00:00Z", "given_up": 1, "error": "answered 401" },
            { "name": "old", "kind": null, "state": "never_used", "last_success_at": null, "waiting": 2, "oldest_waiting_since": null,
              "given_up": 0, "error": null },
        ] });
        let expected = "STATE                   CHANNEL  KIND               LAST SUCCESS  WAITING          GIVEN UP  LAST TROUBLE\n\
                        fine                    ops      slack              3 min ago     0                0\n\
                        NOT DELIVERING for 3 h  pager    webhook            never         12 (oldest 3 h)  1         answered 401\n\
                        never used              old      not in the config  never         2                0\n";
        assert_eq!(table(&answer, false), expected);
    }

    #[test]
    fn the_log_has_every_attempt_with_its_answer() {
        let attempt = serde_json::json!({ "number": 3, "at": "2026-06-30T10:11:00Z", "took_ms": 41.2, "outcome": "refused",
            "error": "answered 401", "answer": { "by": "http", "code": 401, "text": "who are you?" } });
        let answer = serde_json::json!({ "deliveries": [{ "id": 7, "event": "down", "about": "shop", "decided_at": "2026-06-30T10:00:00Z",
            "state": "given_up", "ended_at": "2026-06-30T10:11:00Z", "attempts": [attempt] }], "next_before": 7 });
        let expected = "7  2026-06-30T10:00:00Z  down: shop  GIVEN UP 2026-06-30T10:11:00Z\n    \
                        3. 2026-06-30T10:11:00Z  refused HTTP 401 in 41 ms: answered 401\n        who are you?\nolder ones: --before 7\n";
        assert_eq!(log_text(&answer), expected);
    }
}
