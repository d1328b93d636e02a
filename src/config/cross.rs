//! Rules between a monitor and the instance that loads it: what nobody would ever check or decide is a mistake, not a setting.

use crate::config::Config;
use crate::config::Problem;
use crate::model::monitor::Monitor;
use crate::model::monitor::Quorum;

/// What is wrong; empty for a config that works on this instance.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let region = &config.instance.region;
    let mut found = Vec::new();
    for monitor in &config.monitors {
        if !monitor.regions.include(region) {
            let message = format!("no instance checks this monitor: there is only this one, in the region `{region}`");
            let hint = format!("add `{region}` to `regions`, or leave `regions` out");
            found.push(problem(monitor, "regions", message, hint));
        }
        if let Quorum::Count(wanted) = monitor.quorum
            && wanted > 1
        {
            let message = format!("`{wanted}` regions can never agree: there is only this one");
            found.push(problem(monitor, "quorum", message, "write `majority`, or leave `quorum` out".to_owned()));
        }
    }
    found
}

fn problem(monitor: &Monitor, key: &str, message: String, hint: String) -> Problem {
    Problem {
        file: (*monitor.origin.file).clone(),
        line: monitor.origin.line,
        column: 0,
        path: format!("monitor `{}`: {key}", monitor.name),
        message,
        hint,
    }
}
