//! Rules between a monitor and the instances that load it: what nobody would ever check or decide is a mistake, not a setting.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::Peers;
use crate::config::Problem;
use crate::config::reference;
use crate::model::channel::ChannelSpec;
use crate::model::id::Region;
use crate::model::monitor::Monitor;
use crate::model::monitor::Quorum;
use crate::model::monitor::Regions;
use crate::model::page::StatusPage;
use crate::model::peer::Node;
use crate::model::peer::Vantage;

/// What is wrong; empty for a config that works on this instance.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut found = Vec::new();
    for monitor in &config.monitors {
        match &config.peers {
            None => alone(config, monitor, &mut found),
            Some(peers) => together(peers, monitor, &mut found),
        }
    }
    for page in &config.pages {
        subscribed(config, page, &mut found);
    }
    found
}

/// Subscribers are sent addresses of ours, by the server of a channel.
fn subscribed(config: &Config, page: &StatusPage, found: &mut Vec<Problem>) {
    let Some(subscriptions) = &page.subscriptions else { return };
    let mut add = |key: &str, message: String, hint: &str| {
        found.push(Problem {
            file: (*page.origin.file).clone(),
            line: page.origin.line,
            column: 0,
            path: format!("status page `{}`: subscriptions{key}", page.slug),
            message,
            hint: hint.to_owned(),
        });
    };
    if config.server.public_url.is_none() {
        let message = "subscribers could not be sent an address at which they confirm".to_owned();
        add("", message, "write `server: { public_url: https://status.example.com }` with the address that visitors use");
    }
    // That there is such a channel was checked where it is read; one with another mistake is not called missing as well.
    if let Some(channel) = subscriptions.email.as_ref().and_then(|name| config.channels.get(name))
        && !matches!(channel.spec, ChannelSpec::Email(_))
    {
        let message = format!("the channel `{}` does not send mail", channel.name);
        add(".email", message, "name a channel with `email:`; only its server and sender are used");
    }
}

fn alone(config: &Config, monitor: &Monitor, found: &mut Vec<Problem>) {
    let region = &config.instance.region;
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
    if monitor.n_regions_min.is_some_and(|wanted| wanted > 1) {
        let message = "votes of several regions can never count: there is only this one".to_owned();
        found.push(problem(monitor, "min_regions", message, "leave `min_regions` out, or add `peers`".to_owned()));
    }
    if monitor.internal.is_some() {
        let message = "there are no vantages inside: this instance watches alone".to_owned();
        found.push(problem(
            monitor,
            "internal",
            message,
            "leave `internal` out, or add `peers` with a node of `vantage: internal`".to_owned(),
        ));
    }
}

fn together(peers: &Peers, monitor: &Monitor, found: &mut Vec<Problem>) {
    let known: BTreeSet<&Region> = peers.nodes.iter().map(|node| &node.region).collect();
    if let Regions::Only(regions) = &monitor.regions {
        for region in regions.iter().filter(|region| !known.contains(region)) {
            let names = known.iter().map(|region| format!("`{region}`")).collect::<Vec<_>>().join(", ");
            let near = reference::nearest(region.as_str(), known.iter().map(|region| region.as_str()));
            let hint = near.map_or_else(|| format!("the regions are {names}"), |near| format!("is it `{near}`? the regions are {names}"));
            found.push(problem(monitor, "regions", format!("no node is in the region `{region}`"), hint));
        }
    }
    let here: Vec<&Node> = peers.nodes.iter().filter(|node| monitor.regions.include(&node.region)).collect();
    let outside: Vec<&Node> = here.iter().copied().filter(|node| node.vantage == Vantage::External).collect();
    let voters = if outside.is_empty() { &here } else { &outside };
    let regions: BTreeSet<&Region> = voters.iter().map(|node| &node.region).collect();
    if let Quorum::Count(wanted) = monitor.quorum
        && usize::try_from(wanted).is_ok_and(|wanted| wanted > voters.len())
    {
        let message = format!("`{wanted}` nodes can never agree: only {} vote", voters.len());
        found.push(problem(monitor, "quorum", message, "write `majority`, or a smaller number".to_owned()));
    }
    if let Some(wanted) = monitor.n_regions_min.filter(|wanted| *wanted > regions.len()) {
        let message = format!("votes of `{wanted}` regions can never count: those who vote are in {}", regions.len());
        found.push(problem(monitor, "min_regions", message, "write a smaller number, or leave it out".to_owned()));
    }
    if monitor.internal.is_some() && !here.iter().any(|node| node.vantage == Vantage::Internal) {
        let message = "no node that checks this monitor looks from inside".to_owned();
        found.push(problem(monitor, "internal", message, "leave `internal` out, or give a node `vantage: internal`".to_owned()));
    }
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
