//! `vigilmon incident` and `announce`: what people write about trouble, told to the running instance.

use std::io::Read;

use serde_json::Value;

use crate::cli::Exit;
use crate::cli::acts::given;
use crate::cli::acts::list;
use crate::cli::acts::text;
use crate::cli::acts::told;
use crate::cli::args::AnnounceAction;
use crate::cli::args::AnnounceOptions;
use crate::cli::args::Common;
use crate::cli::args::IncidentAction;
use crate::cli::args::IncidentOptions;
use crate::cli::control;
use crate::cli::control::Answered;
use crate::cli::output;
use crate::consensus::identity::is_incident_id;
use crate::model::update::AnnouncementId;
use crate::model::update::UpdateId;

/// Bytes of a file that are read for a postmortem; the longest one has fewer, and what is longer is refused with its reason.
const FILE_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn incident(common: &Common, options: &IncidentOptions) -> Exit {
    match &options.action {
        IncidentAction::List { open, json } => told(control::try_ask(common, "GET", "/local/incidents"), |found| {
            if *json {
                return format!("{found:#}\n");
            }
            incidents(list(&found["incidents"]), *open)
        }),
        IncidentAction::Show { what, json } => match resolved(common, what) {
            Ok(id) => told(control::try_ask(common, "GET", &format!("/local/incidents/{id}")), |found| {
                if *json { format!("{found:#}\n") } else { shown(found) }
            }),
            Err(exit) => exit,
        },
        IncidentAction::Update { what, state, template, text, public, by } => {
            let public = public.then(|| "yes".to_owned());
            let fields = [("state", state), ("template", template), ("text", text), ("public", &public), ("by", by)];
            write(common, (what, "updates"), &fields, "update")
        }
        IncidentAction::Note { what, text, by } => write(common, (what, "notes"), &[("text", &Some(text.clone())), ("by", by)], "note"),
        IncidentAction::Remove { what, update, by } => match resolved(common, what) {
            Ok(id) => take_back(common, ("incidents", &id), update, by),
            Err(exit) => exit,
        },
        IncidentAction::Postmortem { what, text, file, public, by } => {
            let text = match (text, file) {
                (Some(text), _) => text.clone(),
                (None, file) => match content(file.as_deref().unwrap_or("-")) {
                    Ok(text) => text,
                    Err(why) => {
                        output::say(&why);
                        return Exit::Failed;
                    }
                },
            };
            let public = public.then(|| "yes".to_owned());
            write(common, (what, "postmortem"), &[("text", &Some(text)), ("public", &public), ("by", by)], "postmortem")
        }
    }
}

pub(super) fn announce(common: &Common, options: &AnnounceOptions) -> Exit {
    match &options.action {
        AnnounceAction::Add { title, text: words, state, template, monitors, groups, labels, pages, from, until, lasts, by } => {
            let patterns = [("monitors", monitors), ("groups", groups), ("labels", labels), ("pages", pages)];
            let mut fields: Vec<(&str, &str)> =
                patterns.into_iter().flat_map(|(name, all)| all.iter().map(move |pattern| (name, pattern.as_str()))).collect();
            fields.push(("title", title));
            let rest =
                [("text", words), ("state", state), ("template", template), ("from", from), ("until", until), ("for", lasts), ("by", by)];
            fields.extend(rest.into_iter().filter_map(given));
            told(control::send(common, "/local/announcements", &fields), |made| format!("{}: {}\n", text(&made["id"]), on_pages(made)))
        }
        AnnounceAction::List { json } => told(control::try_ask(common, "GET", "/local/announcements"), |found| {
            if *json {
                return format!("{found:#}\n");
            }
            announcements(list(&found["announcements"]))
        }),
        AnnounceAction::Update { id, state, template, text, by } => {
            say_more(common, id, &[("state", state), ("template", template), ("text", text), ("by", by)], "update")
        }
        AnnounceAction::Remove { id, update, by } => match announcement(id) {
            Ok(id) => take_back(common, ("announcements", id.as_str()), update, by),
            Err(exit) => exit,
        },
        AnnounceAction::End { id, text, by } => {
            let state = Some("resolved".to_owned());
            say_more(common, id, &[("state", &state), ("text", text), ("by", by)], "end")
        }
    }
}

fn say_more(common: &Common, id: &str, fields: &[(&str, &Option<String>)], what: &str) -> Exit {
    let id = match announcement(id) {
        Ok(id) => id,
        Err(exit) => return exit,
    };
    let fields: Vec<(&str, &str)> = fields.iter().copied().filter_map(given).collect();
    told(control::send(common, &format!("/local/announcements/{id}/updates"), &fields), |made| {
        format!("{what} {} of `{id}`: {}\n", text(&made["id"]), on_pages(made))
    })
}

fn announcement(id: &str) -> Result<AnnouncementId, Exit> {
    AnnouncementId::parse(id).map_err(|error| {
        output::say(&error);
        Exit::Usage
    })
}

/// An update of an incident or announcement was not meant.
fn take_back(common: &Common, (place, id): (&str, &str), update: &str, by: &Option<String>) -> Exit {
    let update = match UpdateId::parse(update) {
        Ok(update) => update,
        Err(error) => {
            output::say(&error);
            return Exit::Usage;
        }
    };
    let fields: Vec<(&str, &str)> = given(("by", by)).into_iter().collect();
    told(control::send(common, &format!("/local/{place}/{id}/updates/{update}/remove"), &fields), |_| {
        format!("{update} of `{id}` is taken back\n")
    })
}

/// Writes something about the incident that is meant.
fn write(common: &Common, (what, place): (&str, &str), fields: &[(&str, &Option<String>)], word: &str) -> Exit {
    let id = match resolved(common, what) {
        Ok(id) => id,
        Err(exit) => return exit,
    };
    let fields: Vec<(&str, &str)> = fields.iter().copied().filter_map(given).collect();
    told(control::send(common, &format!("/local/incidents/{id}/{place}"), &fields), |made| {
        format!("{word} {} of `{id}`: {}\n", text(&made["id"]), on_pages(made))
    })
}

/// The id of the incident that is meant: by its id, or by its monitor: its open incident, else its newest.
fn resolved(common: &Common, what: &str) -> Result<String, Exit> {
    let found = match control::try_ask(common, "GET", "/local/incidents")? {
        Answered::Done(found) => found,
        Answered::Refused(why) => {
            output::say(&why);
            return Err(Exit::No);
        }
    };
    let all = list(&found["incidents"]);
    if all.iter().any(|incident| text(&incident["id"]) == what) {
        return Ok(what.to_owned());
    }
    let of_monitor: Vec<&Value> =
        all.iter().filter(|incident| text(&incident["monitor"]) == what || text(&incident["monitor_name"]) == what).collect();
    let open: Vec<&str> =
        of_monitor.iter().filter(|incident| incident["closed_at"].is_null()).map(|incident| text(&incident["id"])).collect();
    match (open.as_slice(), of_monitor.first()) {
        ([one], _) => Ok((*one).to_owned()),
        // What was learnt is written down afterwards.
        ([], Some(newest)) => Ok(text(&newest["id"]).to_owned()),
        // It may be older than those that are listed.
        ([], None) if is_incident_id(what) => Ok(what.to_owned()),
        ([], None) => {
            output::say(&format!("there is no incident `{what}`, and none of a monitor of this name"));
            Err(Exit::No)
        }
        (several, _) => {
            output::say(&format!("`{what}` has several open incidents; say which: {}", several.join(", ")));
            Err(Exit::No)
        }
    }
}

fn content(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = if path == "-" {
        std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| format!("cannot read {path}: {error}"))?;
    Ok(text)
}

fn on_pages(made: &Value) -> String {
    let pages = list(&made["pages"]).iter().map(text).collect::<Vec<_>>().join(", ");
    if pages.is_empty() { "on no status page".to_owned() } else { format!("on {pages}") }
}

fn incidents(all: &[Value], only_open: bool) -> String {
    let rows: Vec<Vec<String>> = all
        .iter()
        .filter(|incident| !only_open || incident["closed_at"].is_null())
        .map(|incident| {
            let cell = |name: &str| text(&incident[name]).to_owned();
            let ended = incident["closed_at"].as_str().unwrap_or("open").to_owned();
            vec![cell("id"), cell("monitor_name"), cell("kind"), cell("opened_at"), ended, cell("state"), cell("cause")]
        })
        .collect();
    if rows.is_empty() {
        return "there is no incident\n".to_owned();
    }
    let rows = output::table(&["ID", "MONITOR", "KIND", "BEGAN", "ENDED", "STATE", "CAUSE"], &rows);
    rows.iter().map(|row| format!("{}\n", row.join("  ").trim_end())).collect()
}

fn shown(incident: &Value) -> String {
    let ended = incident["closed_at"].as_str().map_or_else(|| "open".to_owned(), |at| format!("ended {at}"));
    let mut lines = vec![
        format!("{} of {}, {}", text(&incident["id"]), text(&incident["monitor_name"]), text(&incident["kind"])),
        format!("began {}, {ended}", text(&incident["opened_at"])),
        text(&incident["cause"]).to_owned(),
    ];
    for update in list(&incident["updates"]) {
        let word = update["state"].as_str().unwrap_or("note");
        let public = if update["public"] == true { ", public" } else { "" };
        lines.push(String::new());
        lines.push(format!("{}  {word} by {}{public}  {}", text(&update["at"]), text(&update["by"]), text(&update["id"])));
        lines.extend(text(&update["text"]).lines().map(|line| format!("  {line}")));
    }
    if let Some(postmortem) = incident["postmortem"].as_object() {
        let public = if postmortem["public"] == true { ", public" } else { "" };
        lines.push(String::new());
        lines.push(format!("{}  postmortem by {}{public}", text(&postmortem["at"]), text(&postmortem["by"])));
        lines.extend(text(&postmortem["text"]).lines().map(|line| format!("  {line}")));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn announcements(all: &[Value]) -> String {
    if all.is_empty() {
        return "nothing is announced\n".to_owned();
    }
    let row = |announcement: &Value| {
        let patterns = ["monitors", "groups", "pages"].into_iter().flat_map(|name| list(&announcement[name])).map(text);
        let labels = announcement["labels"].as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", text(value)));
        vec![
            text(&announcement["id"]).to_owned(),
            text(&announcement["title"]).to_owned(),
            text(&announcement["state"]).to_owned(),
            if announcement["open"] == true { "yes" } else { "no" }.to_owned(),
            text(&announcement["from"]).to_owned(),
            patterns.map(ToOwned::to_owned).chain(labels).collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let rows = output::table(&["ID", "TITLE", "STATE", "SHOWN", "FROM", "FOR"], &rows);
    rows.iter().map(|row| format!("{}\n", row.join("  ").trim_end())).collect()
}
