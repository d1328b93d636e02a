//! `vigilmon probe`: one check now, shown the way curl would if curl were nice. Stores nothing and tells nobody.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::find_config;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::ProbeOptions;
use crate::cli::output;
use crate::cli::output::Colour;
use crate::cli::output::coloured;
use crate::clock::Clock;
use crate::config::SourceText;
use crate::model::monitor::Monitor;
use crate::model::result::CheckResult;
use crate::model::result::Outcome;
use crate::model::time::spoken;
use crate::probe::Prober;
use crate::rules::judge::judge;

/// Columns of the waterfall.
const BAR_WIDTH: usize = 40;

pub(super) fn run(common: &Common, options: &ProbeOptions) -> Exit {
    let prober = Prober::new(crate::app::user_agent("probe"), Clock::system());
    let monitor = match find_monitor(common, options, &prober) {
        Ok(monitor) => monitor,
        Err(exit) => return exit,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    let at = Clock::system().now().wall;
    let observation = runtime.block_on(prober.run(&monitor, monitor.timeout));
    let result = judge(&monitor, observation, at);
    if options.json {
        output::json(&json(&monitor, &result));
    } else {
        output::data(&text(&monitor, &result, output::has_colour()));
    }
    match result.outcome {
        Outcome::Up | Outcome::Degraded => Exit::Fine,
        Outcome::Down | Outcome::Unknown => Exit::No,
    }
}

/// The monitor of the config with this id or name, or a plain one for a URL.
fn find_monitor(common: &Common, options: &ProbeOptions, prober: &Prober) -> Result<Arc<Monitor>, Exit> {
    let target = &options.target;
    let loaded = if target.contains("://") { plain_monitor(target, prober) } else { find_config(common.config.as_deref()).load(prober) };
    let loaded = loaded.map_err(|problems| {
        output::problems(&problems);
        Exit::Usage
    })?;
    let mut monitors = loaded.config.monitors.iter();
    let found = if target.contains("://") { monitors.next() } else { monitors.find(|m| m.id.as_str() == target || m.name == *target) };
    found.cloned().ok_or_else(|| {
        output::say(&format!(
            "there is no monitor with the id or name `{target}` in the config; for an address write `http://…`, `https://…` or `tcp://host:port`"
        ));
        Exit::Usage
    })
}

/// A config with nothing but this target, so that the defaults and the messages are those of the config.
fn plain_monitor(target: &str, prober: &Prober) -> Result<crate::app::reload::Loaded, Vec<crate::config::Problem>> {
    let (kind, address) = match target.strip_prefix("tcp://") {
        Some(address) => ("tcp", address),
        None => ("http", target),
    };
    // JSON is YAML, and its quoting is safe for whatever was typed. A dollar would be read as a variable.
    let address = serde_json::Value::String(address.replace('$', "$$"));
    let text = format!("monitors: [{{ id: target, name: target, {kind}: {address} }}]\n");
    let file = PathBuf::from("(command line)");
    crate::app::reload::validate(vec![SourceText { file: file.clone(), text }], &file, prober)
}

fn text(monitor: &Monitor, result: &CheckResult, has_colour: bool) -> String {
    let mut out = format!("{}\n\n", monitor.target());
    for line in &result.transcript.lines {
        out.push_str(&format!("  {line}\n"));
    }
    out.push('\n');
    out.push_str(&waterfall(result));
    let word = coloured(&result.outcome.word().to_uppercase(), colour(result.outcome), has_colour);
    let why = result.failure.as_ref().map_or_else(String::new, |failure| format!(": {failure}"));
    out.push_str(&format!("\n{word}{why}\n"));
    out
}

fn waterfall(result: &CheckResult) -> String {
    let total = result.timings.total.max(Duration::from_micros(1));
    let columns = |part: Duration| (part.as_secs_f64() / total.as_secs_f64() * BAR_WIDTH as f64).round() as usize;
    let mut out = String::new();
    let mut before = Duration::ZERO;
    for (phase, took) in result.timings.phases() {
        let Some(took) = took else { continue };
        let from = columns(before).min(BAR_WIDTH - 1);
        let length = columns(took).clamp(1, BAR_WIDTH - from);
        out.push_str(&format!(
            "  {:<11} {}{}{}  {}\n",
            phase.word(),
            " ".repeat(from),
            "█".repeat(length),
            " ".repeat(BAR_WIDTH - from - length),
            spoken_fine(took)
        ));
        before += took;
    }
    out.push_str(&format!("  {:<11} {}  {}\n", "total", " ".repeat(BAR_WIDTH), spoken_fine(result.timings.total)));
    out
}

/// Like `spoken`, with microseconds for what is over before a millisecond is.
fn spoken_fine(duration: Duration) -> String {
    if duration < Duration::from_millis(10) { format!("{:.2} ms", duration.as_secs_f64() * 1000.0) } else { spoken(duration) }
}

fn colour(outcome: Outcome) -> Colour {
    match outcome {
        Outcome::Up => Colour::Green,
        Outcome::Degraded => Colour::Yellow,
        Outcome::Down => Colour::Red,
        Outcome::Unknown => Colour::Grey,
    }
}

fn json(monitor: &Monitor, result: &CheckResult) -> serde_json::Value {
    let phases: serde_json::Map<String, serde_json::Value> = result
        .timings
        .phases()
        .into_iter()
        .filter_map(|(phase, took)| Some((phase.word().replace(' ', "_"), (took?.as_secs_f64() * 1000.0).into())))
        .collect();
    serde_json::json!({
        "target": monitor.target(),
        "outcome": result.outcome.word(),
        "cause": result.failure.as_ref().map(ToString::to_string),
        "cause_code": result.failure.as_ref().map(crate::model::result::Failure::code),
        "status": result.status,
        "remote": result.remote.map(|remote| remote.to_string()),
        "certificate_not_after": result.certificate_not_after.map(crate::model::time::UnixMillis::rfc3339),
        "total_ms": result.timings.total.as_secs_f64() * 1000.0,
        "phases_ms": phases,
        "transcript": result.transcript.lines,
    })
}
