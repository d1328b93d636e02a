//! Text to [`Config`]: everything a user can write, checked once and turned into types that cannot be wrong.
//!
//! Pure: environment, files and secrets are read through [`Surroundings`], which `crate::app` implements. Which files there are
//! and when they changed is `crate::app`'s business too.
//!
//! The way of a text: [`gather()`] finds the files, `yaml` makes a tree of each, `join` makes one of all, `expand` fills in
//! variables, templates and matrix, `decode` makes the types and finds every mistake. `reference` lists all keys once, for hints,
//! schema and manual. [`diff`] tells two configs apart.

pub mod append;
mod auth;
mod cross;
mod decode;
pub mod diff;
pub mod draft;
mod expand;
mod fields;
mod gather;
mod glob;
mod interpolate;
mod join;
mod load;
mod node;
pub mod phc;
mod probe_hash;
mod readers;
mod reference;
mod report;
mod select;
mod starter;
mod written;
mod yaml;
mod yaml_words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

pub use crate::config::auth::Allowed;
pub use crate::config::auth::ApiToken;
pub use crate::config::auth::Auth;
pub use crate::config::auth::OWNER;
pub use crate::config::auth::OidcAuth;
pub use crate::config::auth::ProxyAuth;
pub use crate::config::auth::Role;
pub use crate::config::auth::Roles;
pub use crate::config::auth::Scope;
pub use crate::config::auth::User;
pub use crate::config::diff::Change;
pub use crate::config::gather::Finder;
pub use crate::config::gather::Include;
pub use crate::config::gather::gather;
pub use crate::config::gather::includes;
pub use crate::config::glob::glob_match;
pub use crate::config::load::digest;
pub use crate::config::load::doubts;
pub use crate::config::load::load;
pub use crate::config::probe_hash::probe_hash;
pub(crate) use crate::config::readers::parse_size;
pub(crate) use crate::config::readers::size_text;
pub use crate::config::reference::key_paths;
pub use crate::config::reference::manual::reference_markdown;
pub use crate::config::reference::schema::json_schema;
pub use crate::config::select::selects;
pub use crate::config::starter::starter_config;

use crate::model::channel::Channel;
use crate::model::id::ChannelName;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::maintenance::Window;
use crate::model::monitor::Monitor;
use crate::model::net::HostPort;
use crate::model::page::StatusPage;
use crate::model::peer::Node;
use crate::model::peer::Vantage;
use crate::model::policy::Policy;
use crate::model::secret::Secret;
use crate::model::update::UpdateTemplate;

/// A whole valid configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// About this instance.
    pub instance: Instance,
    /// How it is reached.
    pub server: Server,
    /// Who may see the dashboard.
    pub auth: Auth,
    /// In the order of the files.
    pub monitors: Vec<Arc<Monitor>>,
    /// By name.
    pub channels: BTreeMap<ChannelName, Arc<Channel>>,
    /// In the order of the files.
    pub pages: Vec<Arc<StatusPage>>,
    /// Who is told when, in the order of the files; of those that select a monitor the first counts.
    pub policies: Vec<Arc<Policy>>,
    /// Texts that people can begin an update with.
    pub incident_templates: Vec<UpdateTemplate>,
    /// Maintenance windows, in the order of the files.
    pub maintenance: Vec<Arc<Window>>,
    /// Controls that tell a lost uplink from a lost target; empty means no guard.
    pub uplink: Vec<HostPort>,
    /// Who is told about vigilmon itself.
    pub self_channels: Vec<ChannelName>,
    /// What is called as long as vigilmon itself works; `None`: nothing.
    pub self_heartbeat: Option<Secret>,
    /// What is kept how long.
    pub retention: Retention,
    /// What concerns all heartbeats.
    pub heartbeats: Heartbeats,
    /// The cluster this instance belongs to; `None`: it watches alone.
    pub peers: Option<Peers>,
    /// What is valid and perhaps not meant.
    pub doubts: Vec<Problem>,
}

/// What concerns all heartbeats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heartbeats {
    /// A ping key of one's own, such as that of an account with healthchecks; `None`: a derived one.
    pub ping_key: Option<Secret>,
    /// What `?create=1` may do; `None`: nothing.
    pub auto_create: Option<AutoCreate>,
}

/// What `?create=1` may do.
#[derive(Debug, Clone, PartialEq)]
pub struct AutoCreate {
    /// What is created; id, name and slug are those that were asked for.
    pub prototype: Arc<Monitor>,
    /// So many at most, in all.
    pub n_max: usize,
}

/// A cluster of instances that watch together.
#[derive(Debug, Clone, PartialEq)]
pub struct Peers {
    /// Name of the cluster; part of every incident id.
    pub cluster: String,
    /// This instance's name; one of `nodes`.
    pub me: NodeName,
    /// Keys are derived from the first; all of them are accepted, so that a secret can be changed without a gap.
    pub secrets: Vec<Secret>,
    /// This node's own private key (the seed of RFC 8032, 32 bytes in base64), when its public one is pinned by `key`.
    pub private_key: Option<Secret>,
    /// All of them, this one included, in the order of the file.
    pub nodes: Vec<Node>,
    /// How long a minority waits before it acts alone; `None`: it never does.
    pub solo_after: Option<Duration>,
}

impl Peers {
    /// The node with this name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == *name)
    }
}

impl Config {
    /// The monitor with this id.
    #[must_use]
    pub fn monitor(&self, id: &MonitorId) -> Option<&Arc<Monitor>> {
        self.monitors.iter().find(|monitor| monitor.id == *id)
    }

    /// The policy by which people are told of a monitor; `None`: its channels, at once.
    #[must_use]
    pub fn policy(&self, monitor: &Monitor) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|policy| selects(&policy.wanted, monitor))
    }
}

/// About this instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Label of this vantage; `local` by default.
    pub region: Region,
    /// Whether it looks from outside or from inside.
    pub vantage: Vantage,
    /// Database, keys, last good config.
    pub state_dir: PathBuf,
    /// Derives tokens and keys; `None` means one is generated and kept in the state directory.
    pub secret: Option<Secret>,
    /// Whether the config may name programs that are run.
    pub allow_commands: bool,
    /// The file below the config's directory to which pages may add monitors; `None`: they only show the YAML.
    pub edit: Option<PathBuf>,
}

/// How the instance is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Addresses to listen on, at least one.
    pub listen: Vec<SocketAddr>,
    /// How people reach it, for links; without a trailing slash.
    pub public_url: Option<String>,
    /// Path prefix; empty, or `/x` without a trailing slash.
    pub base_path: String,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Certificate and key files; re-read when they change.
    pub tls: Option<ServerTls>,
}

/// Certificate and key files of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// What is kept how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Single results; 7 days by default.
    pub results: Duration,
    /// 5-minute roll-ups; 90 days by default.
    pub rollup_5m: Duration,
    /// 1-hour roll-ups, incidents and verdicts; 2 years by default.
    pub rollup_1h: Duration,
    /// Cap of the database file in bytes; 2 GiB by default. Beyond it the oldest single results go first.
    pub db_bytes_max: u64,
    /// Pings of each heartbeat; 1000 by default.
    pub n_pings: u32,
}

impl Default for Retention {
    fn default() -> Retention {
        let day = Duration::from_secs(86_400);
        Retention { results: day * 7, rollup_5m: day * 90, rollup_1h: day * 730, db_bytes_max: 2 << 30, n_pings: 1000 }
    }
}

/// What a config may refer to outside of itself.
pub trait Surroundings {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// A whole file, at most 1 MiB. Relative paths are relative to the config's directory.
    ///
    /// # Errors
    /// One sentence that names the reason but not the path.
    fn file(&self, path: &std::path::Path) -> Result<Vec<u8>, String>;

    /// Whether the config is only looked at, so that any node of a cluster will do when none is named.
    fn any_node_will_do(&self) -> bool {
        false
    }
}

/// One text of the config with the name it is known by in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// File name, as the user gave it or as found in the directory.
    pub file: PathBuf,
    /// Content.
    pub text: String,
}

/// Something wrong with the config, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which file.
    pub file: PathBuf,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Column in characters, from 1; 0 when the whole line is meant.
    pub column: u32,
    /// Where in the document, such as `monitors[2].timeout`; empty for the document itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do; empty when the message says it.
    pub hint: String,
}
