//! `vigilmon demo`: three real instances on this machine, a shop they watch, and somebody who is told. The product in one minute.
//!
//! The instances are processes of this same program with a config and state directories of their own, below one temporary directory.
//! The shop and the receiver of alerts are this process. What happens is said as [`Told`]; how that looks is `crate::cli`'s business.

mod cast;
mod input;
mod nodes;
mod play;
mod stage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::app::demo::cast::Ports;
use crate::app::demo::input::Input;
use crate::app::demo::nodes::Nodes;
use crate::app::demo::play::Play;
use crate::app::demo::stage::Stage;
use crate::app::lifecycle;
use crate::supervise::Jobs;

/// The story is told again by itself after this long.
const AGAIN_AFTER: Duration = Duration::from_secs(300);

/// How to show it.
#[derive(Debug, Clone)]
pub struct Options {
    /// First of the three ports; `None` takes free ones.
    pub port: Option<u16>,
    /// Ends after the story.
    pub once: bool,
    /// Is told what happens, in order.
    pub tell: fn(&Told),
}

/// One of the three, as the audience sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// Name and region.
    pub name: &'static str,
    /// Where it stands.
    pub place: &'static str,
    /// Its status page.
    pub page: String,
}

/// What the audience is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Who takes part, and a way into the first one's dashboard.
    Players(Vec<Player>, String),
    /// A scene begins: its number, of how many, what it is called, what happens, and what there will be to see.
    Scene(usize, usize, &'static str, String),
    /// What the instances show, when that changes.
    Shown(Duration, Vec<(&'static str, String)>),
    /// A message arrived.
    Message(Duration, Message),
    /// Something happened as it should, or was done by us.
    Fine(Duration, String),
    /// Something did not.
    Wrong(Duration, String),
    /// The story is over: whether all went as it should, and what was sent.
    End(bool, String),
    /// The pages stay; whether Enter begins again.
    Waiting(bool),
}

/// A message as the receiver got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which of the two receivers.
    pub to: &'static str,
    /// Which node sent it.
    pub from: String,
    /// Why: the word of `on:`.
    pub event: String,
    /// The sentence for people.
    pub text: String,
    /// Where it fails.
    pub regions_failing: Vec<String>,
    /// What receivers drop repeats by.
    pub key: String,
    /// Which incident.
    pub incident: String,
}

/// Why the demo cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The temporary directory, this program's own file, or a process.
    #[error("cannot {0}: {1}")]
    System(&'static str, std::io::Error),
    /// A port is taken.
    #[error("cannot listen on {0}: {1}; choose other ports with `--port`, or leave it out")]
    Port(SocketAddr, std::io::Error),
    /// An instance ended instead of starting.
    #[error("the instance `{0}` did not start:\n{1}")]
    Instance(&'static str, String),
}

/// Shows it until it is over, or until SIGINT or SIGTERM. Says whether the last telling of the story went as it should.
///
/// # Errors
/// [`DemoError`]. Whatever was started has ended by then, and the temporary directory is gone.
pub async fn run(options: Options) -> Result<bool, DemoError> {
    let jobs = Jobs::default();
    let stage = Stage::open(&jobs).await?;
    let ports = Ports::find(options.port, stage.address())?;
    let mut nodes = Nodes::prepare(ports)?;
    let shown = tokio::select! {
        shown = show(&options, &stage, &mut nodes) => shown,
        () = lifecycle::asked_to_stop() => Ok(true),
    };
    nodes.end().await;
    shown
}

async fn show(options: &Options, stage: &Stage, nodes: &mut Nodes) -> Result<bool, DemoError> {
    nodes.start_all().await?;
    let mut input = Input::open();
    loop {
        let went_well = Play::new(options.tell, stage, nodes).run().await?;
        if options.once {
            return Ok(went_well);
        }
        (options.tell)(&Told::Waiting(input.is_there()));
        tokio::select! {
            () = input.enter() => {}
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

/// Where everything is kept while it lasts.
#[derive(Debug)]
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // Nobody can do anything about it, and the system cleans temporary directories by itself.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
