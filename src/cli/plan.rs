//! `vigilmon plan`: what a reload would change. The active config is the copy that the running (or last) instance keeps.

use crate::app::find_config;
use crate::app::last_good;
use crate::app::reload;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::PlanOptions;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::diff::Change;
use crate::probe::Prober;

pub(super) fn run(common: &Common, options: &PlanOptions) -> Exit {
    let prober = Prober::new(crate::app::user_agent("plan"), Clock::system());
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
        Some(Ok(old)) => Change::between(Some(&old.config), &new),
        Some(Err(_)) => {
            output::say("the active config refers to something that is no longer there (a file or variable); comparing with nothing");
            Change::between(None, &new)
        }
        None => {
            output::say(&format!("no instance has run with the state directory {} yet; comparing with nothing", state_dir.display()));
            Change::between(None, &new)
        }
    };
    if options.json {
        output::json(&change.to_json());
    } else {
        output::data(&format!("{change}\n"));
    }
    if change.is_empty() { Exit::Fine } else { Exit::Usage }
}
