//! What can be said on the command line.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Parser;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use clap_complete::Shell;

use crate::config::parse_size;
use crate::config::size_text;
use crate::model::notification::EventKind;
use crate::model::secret::Secret;
use crate::model::time::parse_duration;

/// Largest tail of an output: it is held in memory beside the job, and no receiver keeps more.
const TAIL_BYTES_MAX: u64 = 10 << 20;

/// Longest wait for one answer to a ping. A job that has ended waits for it.
const PING_TIMEOUT_MAX: Duration = Duration::from_secs(300);

const EXIT_CODES: &str = "Exit codes:
  0  fine
  1  the answer is \"no\" (a probe failed, a monitor is down)
  2  wrong usage or configuration
  3  could not start, or died
`plan` speaks like terraform: 0 nothing changes, 1 the config is not valid, 2 something changes.
`exec` ends as its command does: its exit code, 128+n after signal n, 127 not found, 126 not executable";

/// Self-hosted uptime monitoring, seen from outside.
#[derive(Debug, Parser)]
#[command(name = "vigilmon", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) subcommand: Option<Subcommand>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// Config file, or a directory whose *.yaml and *.yml files are joined
    /// [default: ./config.yaml, /etc/vigilmon, ./config.example.yaml, or the built-in example]
    #[arg(long, short, global = true, env = "VIGILMON_CONFIG", value_name = "PATH")]
    pub(super) config: Option<PathBuf>,
    /// State directory, instead of `instance.state_dir`
    #[arg(long, global = true, env = "VIGILMON_STATE_DIR", value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    /// Which node of `peers.nodes` this instance is
    #[arg(long, global = true, env = "VIGILMON_NODE", value_name = "NAME")]
    pub(super) node: Option<String>,
    /// How much to log: error, warn, info, debug, or a filter such as `info,vigilmon::notifier=debug`
    #[arg(long, global = true, env = "VIGILMON_LOG", default_value = "info", value_name = "FILTER")]
    pub(super) log: String,
    /// How to write the log
    #[arg(long, global = true, env = "VIGILMON_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people; without times and colours under systemd, which adds them itself
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Subcommand {
    /// Run the monitor (the default)
    Run,
    /// Show three instances at work on this machine, in about a minute; needs no network and keeps nothing
    Demo(DemoOptions),
    /// Check a config and print every problem with file, line and hint
    Validate(ValidateOptions),
    /// Show what a reload would change; exit code 2 when something does
    Plan(PlanOptions),
    /// Write a small config to begin with
    Init(InitOptions),
    /// Print the JSON Schema of the config, for editors
    Schema(SchemaOptions),
    /// Make one check now and show each phase; stores nothing
    Probe(ProbeOptions),
    /// Look after channels: how they are, what became of messages, tests, what they would send
    Channel(ChannelOptions),
    /// Run a command and report its start, its end and the end of its output to a heartbeat
    Exec(ExecOptions),
    /// Show the monitors of the running instance; exit code 1 when one is down
    Status(StatusOptions),
    /// Look at the nodes of the cluster and steer them
    Peer(PeerOptions),
    /// Print by what a heartbeat is pinged
    Heartbeat(HeartbeatOptions),
    /// Look at planned maintenance
    Maintenance(MaintenanceOptions),
    /// Say that you are at work on an incident: nobody is reminded of it any more
    Ack(AckOptions),
    /// Say that nobody is, after all
    Unack(UnackOptions),
    /// Keep people from being told of some monitors for a while
    Silence(SilenceOptions),
    /// List incidents, and write updates, notes and postmortems
    Incident(IncidentOptions),
    /// Tell visitors of status pages something that no check says
    Announce(AnnounceOptions),
    /// Look at who subscribed to status pages, and forget them
    Subscribers(SubscribersOptions),
    /// Make the running instance read its config again, now
    Reload,
    /// Print a new one-time sign-in link of the running instance
    SignInLink,
    /// Read a password from the terminal or standard input and print its hash for `auth.users`
    HashPassword,
    /// Read a token from the terminal or standard input, or make one, and print its hash for `auth.tokens`
    HashToken(HashTokenOptions),
    /// Install, remove or show the systemd service
    Service(ServiceOptions),
    /// Print version, commit and target
    Version,
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct HashTokenOptions {
    /// Make a new token, and print it before its hash
    #[arg(long)]
    pub(super) new: bool,
}

#[derive(Debug, Args)]
pub(super) struct DemoOptions {
    /// End after the story; exit code 1 when something did not go as it should
    #[arg(long)]
    pub(super) once: bool,
    /// First of the three ports the instances listen on, instead of free ones
    #[arg(long, value_name = "BASE", value_parser = clap::value_parser!(u16).range(1..=65533))]
    pub(super) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct ValidateOptions {
    /// Print the problems as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanOptions {
    /// Print the change as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct InitOptions {
    /// Where to write it
    #[arg(default_value = "config.yaml")]
    pub(super) path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct SchemaOptions {
    /// Print the reference of all keys as Markdown instead
    #[arg(long)]
    pub(super) markdown: bool,
}

#[derive(Debug, Args)]
pub(super) struct ProbeOptions {
    /// Id or name of a monitor in the config, or a URL (https://…, http://…, tcp://host:port)
    pub(super) target: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

const EXEC_HELP: &str = "Whatever is wrong with the monitor or its address, the command runs, and exec ends with its exit code; then one line \
on standard error says what could not be reported. Signals (TERM, INT, HUP, QUIT, USR1, USR2) are passed on to the command.";

#[derive(Debug, Args)]
#[command(after_help = EXEC_HELP)]
pub(super) struct ExecOptions {
    /// Where the heartbeat takes pings: https://…/heartbeat/<token>, …/ping/<uuid> or …/ping/<key>/<slug>; or its id or name, where its
    /// config is at hand. Other users of the machine see the command line; the variable keeps the address from them, and is taken out of
    /// the command's environment
    #[arg(long, env = "VIGILMON_PING_URL", hide_env_values = true, value_name = "URL or HEARTBEAT", value_parser = secret, required_unless_present = "copy_to")]
    pub(super) ping: Option<Secret>,
    /// What tells this run from others, for all its pings: this UUID, or a new random one, which is the default. The command finds it in
    /// VIGILMON_RUN_ID
    #[arg(long, value_name = "UUID", num_args = 0..=1, require_equals = true, value_parser = uuid)]
    pub(super) rid: Option<Option<String>>,
    /// Send no run id
    #[arg(long, conflicts_with = "rid")]
    pub(super) no_rid: bool,
    /// How much of the end of the output is sent with the end of the run, at most 10MiB and what the monitor says that it keeps. 0B sends
    /// nothing and leaves the output alone
    #[arg(long, value_name = "SIZE", default_value = "10KiB", value_parser = tail)]
    pub(super) tail: usize,
    /// How often a ping is tried again after a time-out, without a connection, or when the answer is 408, 429, 500, 502, 503 or 504
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub(super) retries: u32,
    /// How long one try may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = ping_timeout)]
    pub(super) timeout: Duration,
    /// Copy this program there and do nothing else: puts it into images that have no shell and no curl
    #[arg(long, value_name = "PATH", conflicts_with = "command")]
    pub(super) copy_to: Option<PathBuf>,
    /// The command with its arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, required_unless_present = "copy_to")]
    pub(super) command: Vec<OsString>,
}

/// Taken as it is: a wrong one must not keep the command from running.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn uuid(text: &str) -> Result<String, String> {
    let fits = |(i, byte): (usize, u8)| if matches!(i, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    let is_uuid = text.len() == 36 && text.bytes().enumerate().all(fits);
    if is_uuid { Ok(text.to_ascii_lowercase()) } else { Err("it is not a UUID of the form 8-4-4-4-12".to_owned()) }
}

fn tail(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text).or_else(|| (text == "0").then_some(0)).ok_or("write a size with its unit, such as `10KiB`")?;
    let fits = usize::try_from(bytes).ok().filter(|_| bytes <= TAIL_BYTES_MAX);
    fits.ok_or_else(|| format!("it is more than {}", size_text(TAIL_BYTES_MAX)))
}

fn ping_timeout(text: &str) -> Result<Duration, String> {
    let found = parse_duration(text).map_err(|_| "write a duration with its unit, such as `10s`")?;
    let fits = !found.is_zero() && found <= PING_TIMEOUT_MAX;
    if fits { Ok(found) } else { Err("it must be more than 0s and at most 5m".to_owned()) }
}

#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    /// Print the status as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show only monitors that are not up
    #[arg(long)]
    pub(super) failing: bool,
}

#[derive(Debug, Args)]
pub(super) struct ChannelOptions {
    #[command(subcommand)]
    pub(super) action: ChannelAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum ChannelAction {
    /// Send a test message, once; exit code 1 when it was not accepted
    Test {
        /// The channel's name
        #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
        name: Option<String>,
        /// All channels, one after the other
        #[arg(long)]
        all: bool,
    },
    /// Show how the channels of the running instance are; exit code 1 when messages did not arrive
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what became of the messages to a channel, with every attempt and its answer
    Log {
        /// The channel's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Only what was given up
        #[arg(long)]
        given_up: bool,
        /// Only messages before this one, for the next page
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Try messages again that were given up, under their keys
    Retry {
        /// The channel's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The message, by its number in the log; what was given up after it about the same monitor comes along
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        id: Option<i64>,
        /// All that are not outdated by something newer that arrived
        #[arg(long)]
        all: bool,
    },
    /// Print the requests that a message takes, without sending them; secrets are hidden
    Preview {
        /// The channel's name
        #[arg(value_name = "NAME")]
        name: String,
        /// What has happened
        #[arg(long, value_name = "EVENT", default_value = "down", value_parser = events())]
        event: EventKind,
    },
}

/// Every kind of event by its word; the help lists them.
fn events() -> impl TypedValueParser<Value = EventKind> {
    let find = |word: String| EventKind::ALL.into_iter().find(|kind| kind.word() == word).ok_or("there is no such event");
    PossibleValuesParser::new(EventKind::ALL.map(EventKind::word)).try_map(find)
}

#[derive(Debug, Args)]
pub(super) struct PeerOptions {
    #[command(subcommand)]
    pub(super) action: PeerAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum PeerAction {
    /// Print who a node is, with its public key, as an entry of `peers.nodes`
    Id {
        /// Which node; this one when none is named
        #[arg(value_name = "NODE")]
        name: Option<String>,
        /// Make a new pair of keys instead, for a node that shall have one of its own
        #[arg(long, conflicts_with = "name")]
        new: bool,
    },
    /// Ask the other nodes over their links whether they are there; exit code 1 when one does not answer
    Ping {
        /// Which nodes; all others when none is named
        #[arg(value_name = "NODE")]
        names: Vec<String>,
        /// How often
        #[arg(long, short = 'n', default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
        count: u32,
    },
    /// Show the nodes as the running instance sees them; exit code 1 when one is not counted
    Status {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that a silent node is gone for good, on all nodes. Its name never comes back
    Forget {
        /// Which node
        #[arg(value_name = "NODE")]
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct HeartbeatOptions {
    #[command(subcommand)]
    pub(super) action: HeartbeatAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum HeartbeatAction {
    /// Print all addresses of a heartbeat, and ready lines for cron, systemd, Kubernetes and others
    Url {
        /// Its id or name
        #[arg(value_name = "MONITOR")]
        monitor: String,
        /// Print the addresses as JSON
        #[arg(long)]
        json: bool,
        /// What they begin with, instead of `server.public_url`
        #[arg(long, value_name = "URL")]
        base: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct MaintenanceOptions {
    #[command(subcommand)]
    pub(super) action: MaintenanceAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum MaintenanceAction {
    /// List the windows of the config, what they cover, and when they are now or next
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct IncidentOptions {
    #[command(subcommand)]
    pub(super) action: IncidentAction,
}

/// States of updates, for the command line.
const STATES: [&str; 4] = ["investigating", "identified", "monitoring", "resolved"];

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum IncidentAction {
    /// Print the newest incidents
    List {
        /// Only those that are open
        #[arg(long)]
        open: bool,
        /// As JSON, with all that was written about them
        #[arg(long)]
        json: bool,
    },
    /// Print one incident, with all that was written about it
    Show {
        /// Id of an incident, or id or name of a monitor that has one open
        #[arg(value_name = "INCIDENT or MONITOR")]
        what: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say how far you have got
    Update {
        /// Id of an incident, or id or name of a monitor that has one open
        #[arg(value_name = "INCIDENT or MONITOR")]
        what: String,
        /// How far
        #[arg(long, value_parser = STATES, required_unless_present = "template")]
        state: Option<String>,
        /// A text of `incident_templates` in the config, which says what is not said here
        #[arg(long, value_name = "NAME")]
        template: Option<String>,
        /// What you say, in a small Markdown
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Show it on the status pages that list the monitor
        #[arg(long)]
        public: bool,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Write something down for everybody who is signed in
    Note {
        /// Id of an incident, or id or name of a monitor that has one open
        #[arg(value_name = "INCIDENT or MONITOR")]
        what: String,
        /// What, in a small Markdown
        #[arg(long, value_name = "TEXT")]
        text: String,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Take an update or note back that was not meant
    Remove {
        /// Id of an incident, or id or name of a monitor that has one open
        #[arg(value_name = "INCIDENT or MONITOR")]
        what: String,
        /// Which, as `show` prints it
        update: String,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Write what was learnt, in place of what was written before; an empty text takes it back
    Postmortem {
        /// Id of an incident, or id or name of a monitor that has one open
        #[arg(value_name = "INCIDENT or MONITOR")]
        what: String,
        /// What, in a small Markdown
        #[arg(long, value_name = "TEXT", conflicts_with = "file")]
        text: Option<String>,
        /// A file that says it; `-`, which is also meant when neither is given, reads standard input
        #[arg(long, value_name = "FILE")]
        file: Option<String>,
        /// Show it on the status pages that list the monitor
        #[arg(long)]
        public: bool,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct SubscribersOptions {
    #[command(subcommand)]
    pub(super) action: SubscribersAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum SubscribersAction {
    /// Print who signed up at this node
    List {
        /// Only those of this status page
        #[arg(long, value_name = "SLUG")]
        page: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget an address: it is told nothing any more, not even that
    Remove {
        /// As `list` prints it
        #[arg(value_name = "ADDRESS")]
        address: String,
        /// Only at this status page
        #[arg(long, value_name = "SLUG")]
        page: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct AnnounceOptions {
    #[command(subcommand)]
    pub(super) action: AnnounceAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum AnnounceAction {
    /// Announce something on the pages that are named, and on those that list one of the monitors
    #[command(group = clap::ArgGroup::new("for_whom").required(true).multiple(true))]
    Add {
        /// In a line
        #[arg(long, value_name = "TEXT")]
        title: String,
        /// What you say, in a small Markdown
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// How far you have got; `investigating` when nothing is said
        #[arg(long, value_parser = STATES)]
        state: Option<String>,
        /// A text of `incident_templates` in the config, which says what is not said here
        #[arg(long, value_name = "NAME")]
        template: Option<String>,
        /// Monitors by their names; `*` stands for any text, `?` for one character
        #[arg(long, value_name = "PATTERN", num_args = 1.., group = "for_whom")]
        monitors: Vec<String>,
        /// Monitors by their groups
        #[arg(long, value_name = "PATTERN", num_args = 1.., group = "for_whom")]
        groups: Vec<String>,
        /// Monitors that have all of these labels
        #[arg(long, value_name = "KEY=VALUE", num_args = 1.., group = "for_whom")]
        labels: Vec<String>,
        /// Status pages by their slugs
        #[arg(long, value_name = "PATTERN", num_args = 1.., group = "for_whom")]
        pages: Vec<String>,
        /// From when, such as `2026-07-01T09:00:00Z`; otherwise from now
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when; otherwise until it is ended
        #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
        until: Option<String>,
        /// For how long, such as `2h`
        #[arg(long = "for", value_name = "DURATION")]
        lasts: Option<String>,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Print all announcements that were made at run time
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say more
    Update {
        /// Of which, as `add` and `list` print it
        id: String,
        /// How far you have got
        #[arg(long, value_parser = STATES, required_unless_present = "template")]
        state: Option<String>,
        /// A text of `incident_templates` in the config, which says what is not said here
        #[arg(long, value_name = "NAME")]
        template: Option<String>,
        /// What you say, in a small Markdown
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Take an update back that was not meant
    Remove {
        /// Of which, as `add` and `list` print it
        id: String,
        /// The update, as `update` and `end` print it, and `list --json`
        update: String,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Say that it is resolved
    End {
        /// Which, as `add` and `list` print it
        id: String,
        /// What you say, in a small Markdown
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Who you are, for everybody who is signed in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct AckOptions {
    /// Id of an incident, or id or name of a monitor, which means all of its open incidents
    #[arg(value_name = "INCIDENT or MONITOR")]
    pub(super) what: String,
    /// Be reminded again after this time, such as `2h`, instead of not at all
    #[arg(long = "for", value_name = "DURATION")]
    pub(super) lasts: Option<String>,
    /// What the others should know
    #[arg(long, value_name = "TEXT")]
    pub(super) note: Option<String>,
    /// Who you are, for the others
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UnackOptions {
    /// Id of an incident, or id or name of a monitor, which means all of its open incidents
    #[arg(value_name = "INCIDENT or MONITOR")]
    pub(super) what: String,
}

#[derive(Debug, Args)]
pub(super) struct SilenceOptions {
    #[command(subcommand)]
    pub(super) action: SilenceAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum SilenceAction {
    /// Nobody is told of new trouble of these monitors for a while; what is still wrong at the end is told then
    #[command(group = clap::ArgGroup::new("wanted").required(true).multiple(true), group = clap::ArgGroup::new("end").required(true))]
    Add {
        /// Monitors by their names; `*` stands for any text, `?` for one character
        #[arg(long, value_name = "PATTERN", num_args = 1.., group = "wanted")]
        monitors: Vec<String>,
        /// Monitors by their groups
        #[arg(long, value_name = "PATTERN", num_args = 1.., group = "wanted")]
        groups: Vec<String>,
        /// Monitors that have all of these labels
        #[arg(long, value_name = "KEY=VALUE", num_args = 1.., group = "wanted")]
        labels: Vec<String>,
        /// For how long, such as `2h`
        #[arg(long = "for", value_name = "DURATION", group = "end")]
        lasts: Option<String>,
        /// Until when, such as `2026-07-01T09:00:00Z`
        #[arg(long, value_name = "TIME", group = "end")]
        until: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Who you are, for the others
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// List the silences that hold
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// End a silence now
    End {
        /// As `silence list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ServiceOptions {
    #[command(subcommand)]
    pub(super) action: ServiceAction,
}

#[derive(Debug, Clone, clap::Subcommand)]
pub(super) enum ServiceAction {
    /// Copy this program to /usr/bin, write the unit and a first config, enable and start it
    Install {
        /// Install below this directory and start nothing (for packages and tests)
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// Stop and remove the unit; config and state stay
    Uninstall {
        /// Remove below this directory
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// Show whether it is installed and running
    Status {
        /// Look below this directory
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_help_of_a_preview_lists_every_event() {
        let mut all = Arguments::command();
        let channel = all.find_subcommand_mut("channel").expect("there is one");
        let preview = channel.find_subcommand_mut("preview").expect("there is one");
        let help = preview.render_long_help().to_string();
        for event in EventKind::ALL {
            assert!(help.contains(event.word()), "{} in {help}", event.word());
        }
    }
}
