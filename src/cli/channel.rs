//! `vigilmon channel`: try a channel, and see what it would send. Neither needs a running instance, and neither keeps anything. What is
//! about messages of the running instance is in `deliveries`.

use std::sync::Arc;

use crate::app::find_config;
use crate::cli::Exit;
use crate::cli::args::ChannelAction;
use crate::cli::args::ChannelOptions;
use crate::cli::args::Common;
use crate::cli::deliveries;
use crate::cli::deliveries::Asked;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::channel::Channel;
use crate::model::notification::EventKind;
use crate::notifier::error::SendError;
use crate::notifier::preview::preview_of;
use crate::notifier::send_test;
use crate::notifier::sink::ChannelSink;
use crate::probe::Prober;

pub(super) fn run(common: &Common, options: &ChannelOptions) -> Exit {
    match &options.action {
        ChannelAction::List { json } => deliveries::list(common, *json),
        ChannelAction::Log { name, given_up, before, json } => {
            let asked = Asked { name, given_up: *given_up, before: *before };
            deliveries::log(common, &asked, *json)
        }
        ChannelAction::Retry { name, id, all: _ } => deliveries::retry(common, name, *id),
        ChannelAction::Test { name, all: _ } => with_config(common, |config| match name {
            Some(name) => find(config, name).map_or_else(|exit| exit, |channel| test(config, &[channel])),
            None => test(config, &config.channels.values().cloned().collect::<Vec<_>>()),
        }),
        ChannelAction::Preview { name, event } => {
            with_config(common, |config| find(config, name).map_or_else(|exit| exit, |channel| show(config, &channel, *event)))
        }
    }
}

fn with_config(common: &Common, run: impl FnOnce(&Config) -> Exit) -> Exit {
    let prober = Prober::new(crate::app::user_agent("channel"), Clock::system());
    match find_config(common.config.as_deref()).load(&prober) {
        Ok(loaded) => run(&loaded.config),
        Err(problems) => {
            output::problems(&problems);
            Exit::Usage
        }
    }
}

fn find(config: &Config, name: &str) -> Result<Arc<Channel>, Exit> {
    let found = config.channels.iter().find(|(known, _)| known.as_str() == name).map(|(_, channel)| Arc::clone(channel));
    found.ok_or_else(|| {
        let known: Vec<String> = config.channels.keys().map(|known| format!("`{known}`")).collect();
        let which =
            if known.is_empty() { "there are none in the config".to_owned() } else { format!("the channels are {}", known.join(", ")) };
        output::say(&format!("there is no channel `{name}`; {which}"));
        Exit::Usage
    })
}

/// Sends a test message to each; the answer is "no" when one of them did not take it.
fn test(config: &Config, channels: &[Arc<Channel>]) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::say(&format!("cannot start: {error}"));
            return Exit::Failed;
        }
    };
    let clock = Clock::system();
    let sink = match ChannelSink::new(clock.clone()) {
        Ok(sink) => sink,
        Err(error) => {
            output::say(&error.to_string());
            return Exit::Failed;
        }
    };
    if channels.is_empty() {
        output::say("there are no channels in the config");
        return Exit::No;
    }
    let mut exit = Exit::Fine;
    for channel in channels {
        let tried = runtime.block_on(send_test(&sink, channel, &config.server, &clock));
        match tried.outcome {
            Ok(()) => {
                let besides = tried.record.reason.map(|reason| format!("; {reason}")).unwrap_or_default();
                output::data(&format!("{}: accepted{besides}\n", channel.name));
            }
            Err(error) => {
                output::data(&format!("{}: {}\n", channel.name, refused(&error)));
                exit = Exit::No;
            }
        }
    }
    exit
}

fn refused(error: &SendError) -> String {
    match error {
        SendError::Permanent(text) => format!("not accepted: {text}"),
        SendError::Transient(text) | SendError::Later(_, text) => format!("not accepted now: {text}"),
    }
}

fn show(config: &Config, channel: &Channel, event: EventKind) -> Exit {
    match preview_of(config, channel, event, Clock::system().now().wall) {
        Ok(text) => {
            output::data(&text);
            Exit::Fine
        }
        Err(why) => {
            output::say(&why);
            if config.monitors.is_empty() { Exit::Usage } else { Exit::No }
        }
    }
}
