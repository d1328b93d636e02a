//! `vigilmon ack`, `unack` and `silence`: what people say about alerts, told to the running instance.

use serde_json::Value;

use crate::cli::Exit;
use crate::cli::args::AckOptions;
use crate::cli::args::Common;
use crate::cli::args::SilenceAction;
use crate::cli::args::SilenceOptions;
use crate::cli::args::UnackOptions;
use crate::cli::control;
use crate::cli::control::Answered;
use crate::cli::output;
use crate::model::policy::SilenceId;

/// Monitors that are named in a row; of more only the number is said. `--json` names all.
const MONITORS_NAMED: usize = 3;

pub(super) fn acknowledge(common: &Common, options: &AckOptions) -> Exit {
    let mut fields = vec![("what", options.what.as_str())];
    fields.extend([("for", &options.lasts), ("note", &options.note), ("by", &options.by)].into_iter().filter_map(given));
    said_of(control::send(common, "/local/acknowledge", &fields), "acknowledged")
}

pub(super) fn withdraw(common: &Common, options: &UnackOptions) -> Exit {
    said_of(control::send(common, "/local/withdraw", &[("what", &options.what)]), "no longer acknowledged")
}

pub(super) fn silence(common: &Common, options: &SilenceOptions) -> Exit {
    match &options.action {
        SilenceAction::Add { monitors, groups, labels, lasts, until, note, by } => {
            let patterns = [("monitors", monitors), ("groups", groups), ("labels", labels)];
            let mut fields: Vec<(&str, &str)> =
                patterns.into_iter().flat_map(|(name, all)| all.iter().map(move |pattern| (name, pattern.as_str()))).collect();
            fields.extend([("for", lasts), ("until", until), ("note", note), ("by", by)].into_iter().filter_map(given));
            told(control::send(common, "/local/silences", &fields), |made| {
                let selects = list(&made["selects"]);
                let until = text(&made["until"]);
                if selects.is_empty() {
                    output::say("no monitor is selected now; those that come later and fit will be");
                }
                format!("{}: {} until {until}\n", text(&made["id"]), named(selects))
            })
        }
        SilenceAction::List { json } => told(control::try_ask(common, "GET", "/local/silences"), |found| {
            if *json {
                return format!("{found:#}\n");
            }
            table(list(&found["silences"]))
        }),
        SilenceAction::End { id } => match SilenceId::parse(id) {
            Ok(id) => told(control::send(common, &format!("/local/silences/{id}/end"), &[]), |_| format!("`{id}` has ended\n")),
            Err(error) => {
                output::say(&error);
                Exit::Usage
            }
        },
    }
}

pub(super) fn given<'a>((name, value): (&'a str, &'a Option<String>)) -> Option<(&'a str, &'a str)> {
    Some((name, value.as_deref()?))
}

pub(super) fn told(answer: Result<Answered, Exit>, words: impl FnOnce(&Value) -> String) -> Exit {
    match answer {
        Ok(Answered::Done(answer)) => {
            output::data(&words(&answer));
            Exit::Fine
        }
        Ok(Answered::Refused(why)) => {
            output::say(&why);
            Exit::No
        }
        Err(exit) => exit,
    }
}

fn said_of(answer: Result<Answered, Exit>, word: &str) -> Exit {
    told(answer, |done| {
        let line = |incident: &Value| format!("{} of {} is {word}\n", text(&incident["id"]), text(&incident["monitor"]));
        list(&done["incidents"]).iter().map(line).collect()
    })
}

fn table(silences: &[Value]) -> String {
    if silences.is_empty() {
        return "nothing is silenced\n".to_owned();
    }
    let rows: Vec<Vec<String>> = silences.iter().map(row).collect();
    let rows = output::table(&["ID", "SILENCED", "MONITORS NOW", "UNTIL", "BY", "NOTE"], &rows);
    rows.iter().map(|row| format!("{}\n", row.join("  ").trim_end())).collect()
}

fn row(silence: &Value) -> Vec<String> {
    let patterns = list(&silence["monitors"]).iter().chain(list(&silence["groups"])).map(text).map(ToOwned::to_owned);
    let labels = silence["labels"].as_object().into_iter().flatten().map(|(key, value)| format!("{key}={}", text(value)));
    vec![
        text(&silence["id"]).to_owned(),
        patterns.chain(labels).collect::<Vec<_>>().join(", "),
        named(list(&silence["selects"])),
        text(&silence["until"]).to_owned(),
        text(&silence["by"]).to_owned(),
        text(&silence["note"]).to_owned(),
    ]
}

fn named(monitors: &[Value]) -> String {
    let n_more = monitors.len().saturating_sub(MONITORS_NAMED);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    let shown = monitors.iter().take(MONITORS_NAMED).map(text).collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "no monitor".to_owned() } else { format!("{shown}{more}") }
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
