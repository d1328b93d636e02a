//! The command line: one file per subcommand.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 fine; 1 the answer is "no"; 2 wrong usage or
//! configuration; 3 could not start, or died. `plan` differs as `terraform plan -detailed-exitcode` does: 2 says that something changes,
//! and `exec` says what the command said that it ran.

mod acts;
mod args;
mod channel;
mod control;
mod deliveries;
mod demo;
mod exec;
mod hash_password;
mod hash_token;
mod heartbeat;
mod init;
mod maintenance;
mod output;
mod peer;
mod plan;
mod probe;
mod reload;
mod run;
mod schema;
mod service;
mod sign_in;
mod status;
mod subscribers;
mod validate;
mod version;
mod writings;

use std::process::ExitCode;

use clap::CommandFactory;
use clap::Parser;

use crate::cli::args::Arguments;
use crate::cli::args::Subcommand;

/// What a command says to the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Fine,
    /// 1: the answer is "no".
    No,
    /// 2: wrong usage or configuration.
    Usage,
    /// 3: could not start, or died.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
        })
    }
}

/// Reads the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Clap prints help to standard output and usage errors to standard error by itself.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let common = arguments.common;
    if let Some(node) = common.node.clone() {
        crate::app::surroundings::name_node(node);
    }
    let subcommand = arguments.subcommand.unwrap_or(Subcommand::Run);
    if !matches!(subcommand, Subcommand::Run) {
        crate::app::surroundings::only_look();
    }
    let exit = match subcommand {
        Subcommand::Run => run::run(&common),
        Subcommand::Demo(options) => demo::run(&options),
        Subcommand::Validate(options) => validate::run(&common, &options),
        Subcommand::Plan(options) => plan::run(&common, &options),
        Subcommand::Init(options) => init::run(&options),
        Subcommand::Schema(options) => schema::run(&options),
        Subcommand::Probe(options) => probe::run(&common, &options),
        Subcommand::Channel(options) => channel::run(&common, &options),
        // The exit code is the command's, so none of ours fits.
        Subcommand::Exec(options) => return exec::run(&common, &options),
        Subcommand::Status(options) => status::run(&common, &options),
        Subcommand::Peer(options) => peer::run(&common, &options),
        Subcommand::Heartbeat(options) => heartbeat::run(&common, &options),
        Subcommand::Maintenance(options) => maintenance::run(&common, &options),
        Subcommand::Ack(options) => acts::acknowledge(&common, &options),
        Subcommand::Unack(options) => acts::withdraw(&common, &options),
        Subcommand::Silence(options) => acts::silence(&common, &options),
        Subcommand::Incident(options) => writings::incident(&common, &options),
        Subcommand::Announce(options) => writings::announce(&common, &options),
        Subcommand::Subscribers(options) => subscribers::run(&common, &options),
        Subcommand::Reload => reload::run(&common),
        Subcommand::SignInLink => sign_in::run(&common),
        Subcommand::HashPassword => hash_password::run(),
        Subcommand::HashToken(options) => hash_token::run(&options),
        Subcommand::Service(options) => service::run(&options),
        Subcommand::Version => version::run(),
        Subcommand::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "vigilmon", &mut std::io::stdout());
            Exit::Fine
        }
    };
    exit.into()
}
