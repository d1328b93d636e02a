//! The tree to [`Config`]: one file per area. Everything that can be wrong is found here, and all of it in one run.

mod auth;
mod channel;
mod depends;
mod expect;
mod heartbeat;
mod http;
mod incident;
mod instance;
mod maintenance;
mod monitor;
mod oidc;
mod page;
mod peers;
mod policy;
mod selection;
mod template;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Auth;
use crate::config::Config;
use crate::config::Retention;
use crate::config::expand::Expanded;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Node;
use crate::config::node::Pos;
use crate::config::readers;
use crate::config::select::selects;
use crate::model::channel::Channel;
use crate::model::id::ChannelName;
use crate::model::monitor::Monitor;
use crate::model::page::StatusPage;
use crate::model::policy::Policy;

/// The end of the path of the one field in which variables are left alone until it is decoded: a webhook's own body.
pub(super) const TEMPLATE_PATH_END: &str = ".webhook.body";

/// Decodes the whole document. `None` only if it could not even be begun; whether the result may be used is for the report to say.
pub(super) fn document(ctx: &Ctx<'_>, root: &Node, expanded: &Expanded) -> Option<Config> {
    let at = At { node: root, path: String::new() };
    let mut fields = Fields::open(ctx, &at, "")?;
    let instance_at = fields.take("instance");
    let server_at = fields.take("server");
    let auth_at = fields.take("auth");
    let auth = auth_at.as_ref().and_then(|at| auth::auth(ctx, at));
    let defaults = fields.take("defaults");
    let channels_at = fields.take("channels");
    let pages_at = fields.take("status_pages");
    let policies_at = fields.take("policies");
    let templates_at = fields.take("incident_templates");
    let maintenance_at = fields.take("maintenance");
    let uplink = fields.read("uplink", instance::uplink);
    let peers = fields.read("peers", peers::peers);
    let heartbeats_at = fields.take("heartbeats");
    let self_at = fields.take("self");
    let retention = fields.read("retention", instance::retention);
    // The files were followed before, by `crate::config::gather`; here is only said what is wrong with the list.
    let _ = fields.read("include", readers::names);
    // Both are already expanded.
    let _ = (fields.take("templates"), fields.take("monitors"));
    fields.finish();

    let mut instance = instance::instance(ctx, instance_at.as_ref());
    if let (Some(instance), Some(peers)) = (&mut instance, &peers) {
        peers::place(ctx, instance_at.as_ref(), instance, peers);
    }
    let server = instance::server(ctx, server_at.as_ref());
    auth::reachable(ctx, auth_at.as_ref(), server.as_ref());
    let names = channel_names(channels_at.as_ref());
    let channels = channels(ctx, channels_at.as_ref(), instance.as_ref().is_none_or(|instance| instance.allow_commands));
    if let Some(at) = defaults {
        monitor::defaults(ctx, &at, &names);
    }
    for template in &expanded.templates {
        let _ = monitor::monitor(ctx, &At { node: &template.node, path: template.path.clone() }, &names);
    }
    let heartbeats = heartbeats_at.and_then(|at| heartbeat::heartbeats(ctx, &at, (expanded.created.as_ref(), &names)));
    let (monitors, all_read) = monitors(ctx, expanded, &names);
    let pages = pages(ctx, pages_at.as_ref(), (&monitors, all_read), &names);
    let policies = policy::policies(ctx, policies_at.as_ref(), (&monitors, all_read), &names);
    if all_read {
        doubt_what_nobody_hears(ctx, expanded, (&monitors, &policies), !channels.is_empty());
    }
    let maintenance = maintenance::windows(ctx, maintenance_at.as_ref(), &monitors, all_read);
    let (self_items, self_heartbeat) = self_at.map(|at| instance::itself(ctx, &at)).unwrap_or_default();
    Some(Config {
        instance: instance?,
        server: server?,
        auth: auth.unwrap_or_else(Auth::default),
        monitors,
        channels,
        pages,
        policies,
        incident_templates: incident::templates(ctx, templates_at.as_ref()),
        maintenance,
        uplink: uplink.unwrap_or_default(),
        self_channels: channel::references(ctx, &self_items, &names),
        self_heartbeat,
        retention: retention.unwrap_or_else(Retention::default),
        heartbeats: heartbeats.unwrap_or_default(),
        peers,
        doubts: Vec::new(),
    })
}

/// The names alone, so that a channel with another mistake is not also called missing.
fn channel_names(at: Option<&At<'_>>) -> BTreeSet<String> {
    let items = at.and_then(|at| at.node.items()).unwrap_or_default();
    items.iter().filter_map(|item| Some(item.get("name")?.scalar()?.text.clone())).collect()
}

fn channels(ctx: &Ctx<'_>, at: Option<&At<'_>>, may_run_programs: bool) -> BTreeMap<ChannelName, Arc<Channel>> {
    let mut channels = BTreeMap::new();
    let mut seen: HashMap<ChannelName, Pos> = HashMap::new();
    for at in at.map(|at| at.list(ctx)).unwrap_or_default() {
        if let Some(command) = at.child("command").filter(|_| !may_run_programs) {
            let hint = "write `instance: { allow_commands: true }` when everybody who may change the config may also run programs";
            ctx.bad(&command, "running programs is not allowed on this instance", hint);
        }
        let Some(channel) = channel::channel(ctx, &at) else { continue };
        let pos = at.child("name").map_or(at.node.pos, |name| name.node.pos);
        if let Some(first) = seen.get(&channel.name) {
            let message = format!("there is already a channel `{}` in {}", channel.name, ctx.report.files.beside(*first, pos));
            ctx.report.add(pos, &format!("{}.name", at.path), message, "give one of them another name");
            continue;
        }
        seen.insert(channel.name.clone(), pos);
        let (name, channel) = channel::shared(channel);
        channels.insert(name, channel);
    }
    channels
}

/// The monitors, and whether all of them could be read.
fn monitors(ctx: &Ctx<'_>, expanded: &Expanded, channels: &BTreeSet<String>) -> (Vec<Arc<Monitor>>, bool) {
    let mut monitors: Vec<Arc<Monitor>> = Vec::with_capacity(expanded.monitors.len());
    let mut places: Vec<Option<At<'_>>> = Vec::with_capacity(expanded.monitors.len());
    let mut names: HashMap<String, Pos> = HashMap::new();
    let mut ids: HashMap<String, (Pos, String)> = HashMap::new();
    let mut openers: HashMap<String, String> = HashMap::new();
    let mut all_read = expanded.complete;
    for expanded in &expanded.monitors {
        let at = At { node: &expanded.node, path: expanded.path.clone() };
        let Some(monitor) = monitor::monitor(ctx, &at, channels) else {
            all_read = false;
            continue;
        };
        let name_at = at.child("name").unwrap_or_else(|| at.clone());
        let pos = name_at.node.pos;
        if let Some(first) = names.get(&monitor.name) {
            let message = format!("there is already a monitor `{}` in {}", monitor.name, ctx.report.files.beside(*first, pos));
            let hint = if at.child("matrix").is_some() {
                "every combination of a `matrix` needs a name of its own: put `${matrix.key}` into `name`"
            } else {
                "give one of them another `name`"
            };
            ctx.report.add(pos, &name_at.path, message, hint);
        } else if let Some((first, other)) = ids.get(monitor.id.as_str()) {
            let first = ctx.report.files.beside(*first, pos);
            let message = format!("the id `{}` is already used by the monitor `{other}` in {first}", monitor.id);
            let (pos, path) = at.child("id").map_or((pos, name_at.path), |id| (id.node.pos, id.path));
            ctx.report.add(pos, &path, message, "give one of them an `id` of its own");
        }
        one_of_each(ctx, &at, &monitor, &mut openers);
        names.entry(monitor.name.clone()).or_insert(pos);
        ids.entry(monitor.id.to_string()).or_insert_with(|| (pos, monitor.name.clone()));
        monitors.push(Arc::new(Monitor { written: Arc::clone(&expanded.written), ..monitor }));
        places.push(at.child("depends_on"));
    }
    depends::resolve(ctx, &places, &mut monitors, all_read);
    (monitors, all_read)
}

/// Monitors that tell nobody, in a config in which somebody could be told. Where it says so itself (`channels: []`) it is meant.
fn doubt_what_nobody_hears(
    ctx: &Ctx<'_>,
    expanded: &Expanded,
    (monitors, policies): (&[Arc<Monitor>], &[Arc<Policy>]),
    has_channels: bool,
) {
    let tells = |monitor: &Monitor| match policies.iter().find(|policy| selects(&policy.wanted, monitor)) {
        Some(policy) => policy.steps.iter().any(|step| !step.channels.as_ref().unwrap_or(&monitor.channels).is_empty()),
        None => !monitor.channels.is_empty(),
    };
    let silent =
        expanded.monitors.iter().zip(monitors).filter(|(written, monitor)| written.node.get("channels").is_none() && !tells(monitor));
    let mut silent = silent.map(|(written, _)| written);
    let Some(first) = silent.next().filter(|_| has_channels) else { return };
    let others = match silent.count() {
        0 => String::new(),
        1 => ", nor of another one".to_owned(),
        n => format!(", nor of {n} others"),
    };
    let hint = "add `channels` to it or to `defaults`, or a policy; `channels: []` says that it is meant";
    ctx.report.doubt(first.node.pos, &first.path, format!("no channel hears of this monitor{others}"), hint);
}

/// Slugs, tokens and UUIDs of heartbeats name exactly one. `seen` has the monitor of each.
fn one_of_each(ctx: &Ctx<'_>, at: &At<'_>, monitor: &Monitor, seen: &mut HashMap<String, String>) {
    let Some(spec) = monitor.heartbeat() else { return };
    let identity = &spec.identity;
    let given = [("token", identity.token.as_ref()), ("uuid", identity.uuid.as_ref())];
    let given = given.into_iter().filter_map(|(key, secret)| Some((key, secret?.reveal_for_use())));
    for (key, text) in given.chain([("slug", identity.slug.as_str())]) {
        if let Some(other) = seen.insert(format!("{key} {text}"), monitor.name.clone()) {
            let beat_at = at.child("heartbeat");
            let place = beat_at.as_ref().and_then(|beat| beat.child(key)).or(beat_at).unwrap_or_else(|| at.clone());
            let shown = if key == "slug" { format!("the slug `{text}`") } else { format!("this {key}") };
            let message = format!("the heartbeat `{other}` has {shown} already, and a ping would not say which is meant");
            ctx.report.add(place.node.pos, &place.path, message, format!("give one of them another `{key}` below `heartbeat`"));
        }
    }
}

fn pages(ctx: &Ctx<'_>, at: Option<&At<'_>>, monitors: (&[Arc<Monitor>], bool), channels: &BTreeSet<String>) -> Vec<Arc<StatusPage>> {
    let mut pages: Vec<Arc<StatusPage>> = Vec::new();
    let mut domains: HashMap<String, String> = HashMap::new();
    for at in at.map(|at| at.list(ctx)).unwrap_or_default() {
        let Some(page) = page::page(ctx, &at, monitors, channels) else { continue };
        if let Some(first) = pages.iter().find(|known| known.slug == page.slug) {
            let slug_at = at.child("slug").unwrap_or_else(|| at.clone());
            let message = format!("there is already a page `{}` in line {}", page.slug, first.origin.line);
            ctx.bad(&slug_at, message, "give one of them another `slug`");
        }
        for domain in &page.domains {
            if let Some(other) = domains.insert(domain.clone(), page.slug.to_string()) {
                let domains_at = at.child("domains").unwrap_or_else(|| at.clone());
                ctx.bad(&domains_at, format!("the page `{other}` already has the domain `{domain}`"), "keep it in one of the two");
            }
        }
        pages.push(Arc::new(page));
    }
    pages
}
