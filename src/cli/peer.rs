//! `vigilmon peer id|ping|status|forget`: the nodes of the cluster.

use std::time::Duration;

use serde_json::Value;

use crate::app::find_config;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::PeerAction;
use crate::cli::args::PeerOptions;
use crate::cli::control;
use crate::cli::control::Answered;
use crate::cli::output;
use crate::cli::output::Colour;
use crate::cli::output::coloured;
use crate::clock::Clock;
use crate::config::Peers;
use crate::model::id::NodeName;
use crate::model::peer::Node;
use crate::model::time::UnixMillis;
use crate::model::time::spoken;
use crate::peer::link::keys;
use crate::peer::link::keys::Seed;
use crate::probe::Prober;

/// Pause between rounds of `ping`, as `ping` has it.
const ROUND_EVERY: Duration = Duration::from_secs(1);

const STATUS_HEADINGS: [&str; 10] = ["NAME", "REGION", "VANTAGE", "STATE", "ROUND TRIP", "CLOCK", "CONFIG", "VERSION", "DECIDES", "LINK"];

const PING_HEADINGS: [&str; 6] = ["NAME", "ANSWERED", "MIN / MEAN / MAX", "CLOCK", "VERSION", "LINK"];

pub(super) fn run(common: &Common, options: &PeerOptions) -> Exit {
    let done = match &options.action {
        PeerAction::Id { new: true, .. } => new_keys(),
        PeerAction::Id { name, new: false } => id(common, name.as_deref()),
        PeerAction::Ping { names, count } => ping(common, names, *count),
        PeerAction::Status { json } => status(common, *json),
        PeerAction::Forget { name } => forget(common, name),
    };
    done.unwrap_or_else(|exit| exit)
}

fn usage(text: &str) -> Exit {
    output::say(text);
    Exit::Usage
}

/// A pair of keys, like `wg genkey` and `wg pubkey` in one.
fn new_keys() -> Result<Exit, Exit> {
    let made = Seed::generate().map_err(|error| error.to_string());
    let made = made.and_then(|(seed, text)| seed.public().map(|key| (text, key)).ok_or_else(|| "the key is not one".to_owned()));
    let (private, public) = made.map_err(|error| {
        output::say(&format!("cannot make a key: {error}"));
        Exit::Failed
    })?;
    output::data(&format!("private_key: {private}\nkey: {}\n", keys::key_text(public)));
    output::say(
        "`private_key` goes into `peers` on that node alone, best as `private_key: { file: … }`; `key` goes into its entry of \
         `peers.nodes` on every node",
    );
    Ok(Exit::Fine)
}

fn id(common: &Common, name: Option<&str>) -> Result<Exit, Exit> {
    let loaded = find_config(common.config.as_deref()).load(&Prober::new(crate::app::user_agent("peer"), Clock::system()));
    let config = loaded.map_err(|problems| {
        output::problems(&problems);
        Exit::Usage
    })?;
    let Some(peers) = &config.config.peers else {
        return Err(usage("this config has no `peers`: the instance watches alone"));
    };
    let names = peers.nodes.iter().map(|node| node.name.to_string()).collect::<Vec<_>>().join(", ");
    // A config that is only looked at may be any node's: which one is meant must have been said.
    let Some(name) = name.or(common.node.as_deref()) else {
        return Err(usage(&format!("nothing says which node is meant: name one, or set VIGILMON_NODE; the nodes are {names}")));
    };
    let Some(node) = peers.nodes.iter().find(|node| node.name.as_str() == name) else {
        return Err(usage(&format!("there is no node `{name}`; the nodes are {names}")));
    };
    let Some(key) = keys::public_key(peers, node) else {
        return Err(usage(&format!("the node `{name}` has no key: `peers` has no `secret`, and the node has no `key`")));
    };
    output::data(&entry(node, &keys::key_text(key)));
    explain(peers, node)
}

/// A node as it may stand in `peers.nodes`.
fn entry(node: &Node, key: &str) -> String {
    let url = node.url.as_ref().map_or_else(String::new, |url| format!("url: {url}\n"));
    format!("name: {}\nregion: {}\nvantage: {}\n{url}key: {key}\n", node.name, node.region, node.vantage.word())
}

/// Where the key comes from, and whether it is the one that this node can prove.
fn explain(peers: &Peers, node: &Node) -> Result<Exit, Exit> {
    let Some(given) = node.key else {
        let more = if peers.secrets.len() > 1 { "the first `secret`; those of the others are accepted as well" } else { "`peers.secret`" };
        output::say(&format!("the key is derived from the name and {more}"));
        return Ok(Exit::Fine);
    };
    let proved = keys::own_seed(peers).and_then(|seed| seed.public()).filter(|_| node.name == peers.me && peers.private_key.is_some());
    match proved {
        Some(proved) if proved != given => Err(usage(&format!(
            "`private_key` belongs to another key, so this node will be refused: its `key` has to be {}",
            keys::key_text(proved)
        ))),
        Some(_) => {
            output::say("the key is this node's own, and `private_key` belongs to it");
            Ok(Exit::Fine)
        }
        None => {
            output::say("the key is the node's own");
            Ok(Exit::Fine)
        }
    }
}

/// The nodes as the running instance sees them; nothing to ask about when it watches alone.
fn nodes(common: &Common) -> Result<Value, Exit> {
    let peers = control::ask(common, "GET", "/local/peers")?;
    if peers["cluster"].is_null() {
        output::say("this instance watches alone: its config had no `peers` when it started");
        return Err(Exit::Fine);
    }
    Ok(peers)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What came back of one node.
struct Tally<'a> {
    node: &'a Value,
    times: Vec<f64>,
    error: Option<String>,
}

fn ping(common: &Common, names: &[String], count: u32) -> Result<Exit, Exit> {
    let peers = nodes(common)?;
    let others: Vec<&Value> = list(&peers["nodes"]).iter().filter(|node| node["is_self"] != true).collect();
    let known = |name: &String| others.iter().any(|node| node["name"] == name.as_str());
    if let Some(stranger) = names.iter().find(|name| !known(name)) {
        let all = others.iter().map(|node| text(&node["name"])).collect::<Vec<_>>().join(", ");
        return Err(usage(&format!("there is no other node `{stranger}`; they are {all}")));
    }
    let asked = others.into_iter().filter(|node| names.is_empty() || names.iter().any(|name| node["name"] == name.as_str()));
    let mut tallies: Vec<Tally<'_>> = asked.map(|node| Tally { node, times: Vec::new(), error: None }).collect();
    for round in 0..count {
        if 0 < round {
            std::thread::sleep(ROUND_EVERY);
        }
        for tally in &mut tallies {
            let name = text(&tally.node["name"]);
            let answer = control::ask(common, "POST", &format!("/local/peers/{name}/ping"))?;
            match answer["round_trip_ms"].as_f64() {
                Some(ms) => {
                    output::data(&format!("{name}: {ms:.1} ms\n"));
                    tally.times.push(ms);
                }
                None => {
                    output::data(&format!("{name}: {}\n", text(&answer["error"])));
                    tally.error = Some(text(&answer["error"]).to_owned());
                }
            }
        }
    }
    // Clocks and links as they are now, and not as they were before all this.
    let after = nodes(common)?;
    output::data(&ping_table(&after, &tallies, count));
    Ok(if tallies.iter().all(|tally| tally.error.is_none()) { Exit::Fine } else { Exit::No })
}

fn ping_table(peers: &Value, tallies: &[Tally<'_>], count: u32) -> String {
    let current = |tally: &Tally<'_>| {
        let found = list(&peers["nodes"]).iter().find(|node| node["name"] == tally.node["name"]);
        found.unwrap_or(tally.node).clone()
    };
    let row = |tally: &Tally<'_>| {
        let now = current(tally);
        let (n, sum) = (tally.times.len(), tally.times.iter().sum::<f64>());
        let least = tally.times.iter().copied().reduce(f64::min);
        let most = tally.times.iter().copied().reduce(f64::max);
        let times = match (least, most) {
            (Some(least), Some(most)) => format!("{least:.1} / {:.1} / {most:.1} ms", sum / n as f64),
            (None, _) | (_, None) => "–".to_owned(),
        };
        vec![text(&now["name"]).to_owned(), format!("{n} of {count}"), times, clock(&now), version(&now), link(&now, &peers["at"])]
    };
    let rows: Vec<Vec<String>> = tallies.iter().map(row).collect();
    let mut out = String::from("\n");
    for cells in output::table(&PING_HEADINGS, &rows) {
        out.push_str(&format!("{}\n", cells.join("  ").trim_end()));
    }
    for tally in tallies.iter().filter(|tally| tally.error.is_some()) {
        let now = current(tally);
        if let Some(why) = now["link"]["error"].as_str() {
            out.push_str(&format!("{}: {why}\n", text(&now["name"])));
        }
    }
    out
}

fn status(common: &Common, json: bool) -> Result<Exit, Exit> {
    if json {
        let peers = control::ask(common, "GET", "/local/peers")?;
        output::json(&peers);
        return Ok(verdict(&peers));
    }
    let peers = nodes(common)?;
    output::data(&status_text(&peers, output::has_colour()));
    Ok(verdict(&peers))
}

fn verdict(peers: &Value) -> Exit {
    if list(&peers["nodes"]).iter().all(|node| node["is_counted"] == true) { Exit::Fine } else { Exit::No }
}

fn status_text(peers: &Value, has_colour: bool) -> String {
    let nodes = list(&peers["nodes"]);
    let row = |node: &Value| {
        let me = if node["is_self"] == true { " (this node)" } else { "" };
        vec![
            format!("{}{me}", text(&node["name"])),
            text(&node["region"]).to_owned(),
            text(&node["vantage"]).to_owned(),
            text(&node["state"]).to_owned(),
            node["link"]["round_trip_ms"].as_u64().map_or_else(|| "–".to_owned(), round_trip),
            clock(node),
            config(node),
            version(node),
            node["decides"].to_string(),
            link(node, &peers["at"]),
        ]
    };
    let rows: Vec<Vec<String>> = nodes.iter().map(row).collect();
    let mut out = String::new();
    for (i, mut cells) in output::table(&STATUS_HEADINGS, &rows).into_iter().enumerate() {
        let place = if i == 0 { 0..cells.len() } else { 3..4 };
        let colour = if i == 0 { Colour::Grey } else { colour(text(&nodes[i - 1]["state"])) };
        for cell in &mut cells[place] {
            *cell = coloured(cell, colour, has_colour);
        }
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out.push('\n');
    for node in nodes {
        for why in [&node["reason"], &node["link"]["error"]].into_iter().filter_map(Value::as_str) {
            out.push_str(&format!("{}: {why}\n", text(&node["name"])));
        }
    }
    let is_known = |refused: &&Value| nodes.iter().any(|node| node["name"] == refused["node"]);
    for refused in list(&peers["refused"]).iter().filter(|refused| !is_known(refused)) {
        out.push_str(&format!("refused, from {}: {}\n", text(&refused["from"]), text(&refused["why"])));
    }
    let forgotten = list(&peers["forgotten"]).iter().map(text).collect::<Vec<_>>();
    if !forgotten.is_empty() {
        out.push_str(&format!("forgotten: {}\n", forgotten.join(", ")));
    }
    let part = if peers["cluster"]["is_primary"] == true { "primary part" } else { "NOT the primary part" };
    out.push_str(&format!("cluster {}, {part}: {}\n", text(&peers["cluster"]["name"]), text(&peers["summary"])));
    out
}

fn round_trip(ms: u64) -> String {
    if ms == 0 { "< 1 ms".to_owned() } else { format!("{ms} ms") }
}

fn clock(node: &Value) -> String {
    let Some(offset_ms) = node["clock_offset_ms"].as_i64() else { return "–".to_owned() };
    let sign = if offset_ms < 0 { '-' } else { '+' };
    format!("{sign}{}", spoken(Duration::from_millis(offset_ms.unsigned_abs())))
}

fn config(node: &Value) -> String {
    match node["has_same_config"].as_bool() {
        Some(true) => "same",
        Some(false) => "DIFFERS",
        None => "–",
    }
    .to_owned()
}

/// The release alone: what it was built from is on the page.
fn version(node: &Value) -> String {
    node["version"].as_str().and_then(|version| version.split_whitespace().next()).unwrap_or("–").to_owned()
}

fn link(node: &Value, at: &Value) -> String {
    let link = &node["link"];
    let time = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok().map(|stamp| UnixMillis(stamp.as_millisecond()));
    let since = time(&link["since"]).zip(time(at)).map(|(since, at)| spoken(at.since(since))).unwrap_or_default();
    match (link["is_up"].as_bool(), link["is_dialed"].as_bool()) {
        (Some(true), Some(true)) => format!("up for {since}, dialed"),
        (Some(true), _) => format!("up for {since}, accepted"),
        (Some(false), _) => format!("down for {since}"),
        (None, _) => "–".to_owned(),
    }
}

fn colour(state: &str) -> Colour {
    match state {
        "live" => Colour::Green,
        "silent" => Colour::Red,
        "forgotten" => Colour::Grey,
        _ => Colour::Yellow,
    }
}

fn forget(common: &Common, name: &str) -> Result<Exit, Exit> {
    let node = NodeName::parse(name).map_err(|error| usage(&error.to_string()))?;
    match control::try_ask(common, "POST", &format!("/local/peers/{node}/forget"))? {
        Answered::Done(_) => {
            output::data(&format!("`{node}` is forgotten\n"));
            output::say(
                "take it out of `peers.nodes` when convenient; its name never comes back, so a machine that returns takes another one",
            );
            Ok(Exit::Fine)
        }
        Answered::Refused(why) => {
            output::say(&why);
            Ok(Exit::No)
        }
    }
}
