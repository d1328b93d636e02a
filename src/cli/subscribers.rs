//! `vigilmon subscribers`: who asked to be told what status pages of the running instance say, and forgetting them.

use serde_json::Value;

use crate::cli::Exit;
use crate::cli::acts::given;
use crate::cli::acts::list;
use crate::cli::acts::text;
use crate::cli::acts::told;
use crate::cli::args::Common;
use crate::cli::args::SubscribersAction;
use crate::cli::args::SubscribersOptions;
use crate::cli::control;
use crate::cli::control::Answered;
use crate::cli::output;

pub(super) fn run(common: &Common, options: &SubscribersOptions) -> Exit {
    match &options.action {
        SubscribersAction::List { page, json } => told(control::try_ask(common, "GET", "/local/subscribers"), |found| {
            let all = list(&found["subscribers"]).iter().filter(|one| page.as_deref().is_none_or(|page| one["page"] == page));
            if *json {
                let wanted: Vec<&Value> = all.collect();
                return format!("{:#}\n", serde_json::json!({ "subscribers": wanted }));
            }
            table(&all.collect::<Vec<_>>())
        }),
        SubscribersAction::Remove { address, page } => {
            let mut fields = vec![("address", address.as_str())];
            fields.extend(given(("page", page)));
            match control::send(common, "/local/subscribers/remove", &fields) {
                Ok(Answered::Done(answer)) if answer["removed"] == 0 => {
                    output::say(&format!("`{address}` is no subscriber here"));
                    Exit::No
                }
                answer => told(answer, |answer| match answer["removed"].as_u64() {
                    Some(1) => "removed\n".to_owned(),
                    n => format!("removed from {} pages\n", n.unwrap_or_default()),
                }),
            }
        }
    }
}

fn table(all: &[&Value]) -> String {
    // Without peers there is nothing to tell apart.
    let has_homes = all.iter().any(|one| one["home"].is_string());
    let row = |one: &&Value| {
        let cell = |name: &str| text(&one[name]).to_owned();
        let confirmed = one["confirmed_at"].as_str().unwrap_or("not yet").to_owned();
        let mut cells = vec![cell("page"), cell("by"), cell("address"), cell("language"), cell("signed_up_at"), confirmed];
        if has_homes {
            cells.push(one["home"].as_str().unwrap_or("–").to_owned());
        }
        cells
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    if rows.is_empty() {
        return "there are no subscribers\n".to_owned();
    }
    let columns = ["PAGE", "BY", "ADDRESS", "LANGUAGE", "SIGNED UP", "CONFIRMED", "AT NODE"];
    let rows = output::table(&columns[..columns.len() - usize::from(!has_homes)], &rows);
    rows.iter().map(|row| format!("{}\n", row.join("  ").trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribers_are_listed_one_a_line() {
        assert_eq!(table(&[]), "there are no subscribers\n");
        let one = serde_json::json!({
            "page": "main", "by": "email", "address": "jo@example.org", "language": "de", "signed_up_at": "2026-06-30T10:00:00Z",
            "confirmed_at": null,
        });
        let shown = table(&[&one]);
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.ends_with("main  email  jo@example.org  de        2026-06-30T10:00:00Z  not yet\n"), "{shown}");
        let mut other = one.clone();
        other["home"] = "eu".into();
        let shown = table(&[&one, &other]);
        assert!(shown.lines().all(|line| line.ends_with("AT NODE") || line.ends_with("  –") || line.ends_with("  eu")), "{shown}");
    }
}
