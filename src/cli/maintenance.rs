//! `vigilmon maintenance list`: the windows of the config, what they cover, and when they are.
//!
//! It works from the config as `vigilmon validate` does; no instance has to run.

use crate::app::find_config;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::MaintenanceAction;
use crate::cli::args::MaintenanceOptions;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::maintenance::Span;
use crate::model::maintenance::Window;
use crate::model::schedule::Zone;
use crate::model::time::UnixMillis;
use crate::probe::Prober;
use crate::rules::maintenance;

/// Monitors that are named in a row; of more only the number is said. `--json` names all.
const MONITORS_NAMED: usize = 3;

pub(super) fn run(common: &Common, options: &MaintenanceOptions) -> Exit {
    let MaintenanceAction::List { json } = options.action;
    let clock = Clock::system();
    let now = clock.now().wall;
    let found = find_config(common.config.as_deref());
    match found.load(&Prober::new(crate::app::user_agent("maintenance"), clock)) {
        Ok(loaded) if json => {
            output::json(&listed(&loaded.config, now));
            Exit::Fine
        }
        Ok(loaded) => {
            output::data(&table(&loaded.config, now));
            Exit::Fine
        }
        Err(problems) => {
            output::problems(&problems);
            Exit::Usage
        }
    }
}

fn table(config: &Config, now: UnixMillis) -> String {
    if config.maintenance.is_empty() {
        return "no maintenance windows are configured\n".to_owned();
    }
    let rows: Vec<Vec<String>> = config.maintenance.iter().map(|window| row(config, window, now)).collect();
    let rows = output::table(&["NAME", "STATE", "FROM", "TO", "TIMEZONE", "MONITORS"], &rows);
    rows.iter().map(|row| format!("{}\n", row.join("  ").trim_end())).collect()
}

fn row(config: &Config, window: &Window, now: UnixMillis) -> Vec<String> {
    let zone = window.when.zone();
    let (state, from, to) = match maintenance::span(&window.when, now) {
        Some(span) => (state(span, now), local(zone, span.from), local(zone, span.to)),
        None => ("over", "–".to_owned(), "–".to_owned()),
    };
    let names = names(config, window);
    let n_more = names.len().saturating_sub(MONITORS_NAMED);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    let shown =
        if names.is_empty() { "none".to_owned() } else { names.iter().take(MONITORS_NAMED).copied().collect::<Vec<_>>().join(", ") };
    vec![window.name.clone(), state.to_owned(), from, to, zone.to_string(), format!("{shown}{more}")]
}

fn state(span: Span, now: UnixMillis) -> &'static str {
    if span.holds(now) { "open" } else { "planned" }
}

/// What the clock in the window's zone shows.
fn local(zone: &Zone, at: UnixMillis) -> String {
    zone.shown(at).map_or_else(|| at.rfc3339(), |shown| shown.strftime("%Y-%m-%d %H:%M").to_string())
}

/// The monitors that it covers, in the order of the config.
fn names<'a>(config: &'a Config, window: &Window) -> Vec<&'a str> {
    config.monitors.iter().filter(|monitor| window.monitors.contains(&monitor.id)).map(|monitor| monitor.name.as_str()).collect()
}

fn listed(config: &Config, now: UnixMillis) -> serde_json::Value {
    let window = |window: &std::sync::Arc<Window>| {
        let span = maintenance::span(&window.when, now);
        serde_json::json!({
            "name": window.name,
            "message": window.message,
            "state": span.map_or("over", |span| state(span, now)),
            "from": span.map(|span| span.from.rfc3339()),
            "to": span.map(|span| span.to.rfc3339()),
            "timezone": window.when.zone().to_string(),
            "schedule": window.when.to_string(),
            "monitors": names(config, window),
        })
    };
    config.maintenance.iter().map(window).collect()
}
