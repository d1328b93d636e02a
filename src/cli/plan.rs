//! `vigilmon plan`: what a reload would change. The active config is the copy that the running (or last) instance keeps.

use crate::app::find_config;
use crate::app::last_good;
use crate::app::reload;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::PlanOptions;
use crate::cli::output;
use crate::config::diff;
use crate::probe::Prober;

pub(super) fn run(common: &Common, options: &PlanOptions) -> Exit {
    let prober = Prober::new(crate::app::user_agent("plan"));
    let found = find_config(common.config.as_deref());
    let new = match found.load(&prober) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            output::problems(&problems);
            // 2 means "something changes" here, so that scripts written for terraform work.
            return Exit::No;
        }
    };
    let state_dir = common.state_dir.clone().unwrap_or_else(|| new.instance.state_dir.clone());
    let old = last_good::find(&state_dir).map(|sources| reload::validate(sources, &found.path_or_default(), &prober));
    let change = match old {
        Some(Ok(old)) => diff::diff(&old.config, &new),
        Some(Err(_)) => {
            output::say("the active config refers to something that is no longer there (a file or variable); comparing with nothing");
            diff::from_nothing(&new)
        }
        None => {
            output::say(&format!("no instance has run with the state directory {} yet; comparing with nothing", state_dir.display()));
            diff::from_nothing(&new)
        }
    };
    if options.json {
        output::json(&change.json());
    } else {
        output::data(&change.to_string());
    }
    if change.is_empty() { Exit::Fine } else { Exit::Usage }
}
