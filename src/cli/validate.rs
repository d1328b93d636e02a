//! `vigilmon validate`: every problem of a config, or what it holds.

use crate::app::find_config;
use crate::app::reload;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::ValidateOptions;
use crate::cli::output;
use crate::clock::Clock;
use crate::probe::Prober;

pub(super) fn run(common: &Common, options: &ValidateOptions) -> Exit {
    let found = find_config(common.config.as_deref());
    let outcome = found.load(&Prober::new(crate::app::user_agent("validate"), Clock::system()));
    match outcome {
        Ok(loaded) if options.json => {
            let doubts = output::problems_json(&loaded.config.doubts);
            output::json(&serde_json::json!({ "valid": true, "problems": [], "doubts": doubts, "monitors": loaded.config.monitors.len() }));
            Exit::Fine
        }
        Ok(loaded) => {
            for doubt in &loaded.config.doubts {
                output::say(&format!("{doubt}"));
            }
            output::data(&summary(&found.shown(), &loaded));
            Exit::Fine
        }
        Err(problems) if options.json => {
            let doubts = output::problems_json(&found.doubts());
            output::json(&serde_json::json!({ "valid": false, "problems": output::problems_json(&problems), "doubts": doubts }));
            Exit::Usage
        }
        Err(problems) => {
            // All at once: nobody wants to hear of a typing error only when everything else is mended.
            for doubt in found.doubts() {
                output::say(&format!("{doubt}"));
            }
            output::problems(&problems);
            Exit::Usage
        }
    }
}

fn summary(shown: &str, loaded: &reload::Loaded) -> String {
    let config = &loaded.config;
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let parts =
        [count(config.monitors.len(), "monitor"), count(config.channels.len(), "channel"), count(config.pages.len(), "status page")];
    format!("{shown} is valid: {} in {}\n", parts.join(", "), count(loaded.sources.len(), "file"))
}
