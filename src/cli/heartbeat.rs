//! `vigilmon heartbeat url`: by what a heartbeat is pinged, and ready lines for whoever pings it.
//!
//! The running instance is asked, because it may have made its secret itself. Where none runs, a secret of the config is enough.

use crate::app::find_config;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::args::HeartbeatAction;
use crate::cli::args::HeartbeatOptions;
use crate::cli::control;
use crate::cli::control::Answered;
use crate::cli::output;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::heartbeat::identity::roots;
use crate::http::heartbeat::snippets::Addresses;
use crate::http::heartbeat::snippets::Plan;
use crate::model::id::MonitorId;
use crate::model::monitor::Monitor;
use crate::model::secret::Secret;
use crate::probe::Prober;

pub(super) fn run(common: &Common, options: &HeartbeatOptions) -> Exit {
    let HeartbeatAction::Url { monitor, json, base } = &options.action;
    match url(common, monitor, base.as_deref()) {
        Ok((addresses, _)) if *json => {
            output::json(&serde_json::to_value(&addresses).unwrap_or_default());
            Exit::Fine
        }
        Ok((addresses, plan)) => {
            output::data(&page(&addresses, &plan));
            Exit::Fine
        }
        Err(exit) => exit,
    }
}

/// Addresses of a heartbeat, and when its job runs.
fn url(common: &Common, wanted: &str, base: Option<&str>) -> Result<(Addresses, Plan), Exit> {
    let found = find_config(common.config.as_deref());
    let loaded = found.load(&Prober::new(crate::app::user_agent("heartbeat"), Clock::system()));
    let config = loaded.map(|loaded| loaded.config).map_err(|problems| {
        output::problems(&problems);
        Exit::Usage
    });
    let known = config.as_ref().ok().and_then(|config| by_id_or_name(config, wanted));
    let offline = config.as_ref().ok().and_then(|config| derived(config, known?, base));
    if let Some(addresses) = offline {
        return Ok((addresses, known.map_or_else(Plan::nightly, plan)));
    }
    let id = known.map_or_else(|| wanted.to_owned(), |monitor| monitor.id.to_string());
    if MonitorId::parse(&id).is_err() {
        output::say(&format!("there is no heartbeat `{wanted}` in {}", found.shown()));
        return Err(Exit::Usage);
    }
    match control::try_ask(common, "GET", &format!("/local/heartbeats/{id}"))? {
        Answered::Done(answer) => {
            let addresses = of_json(&answer, base).ok_or(Exit::Failed)?;
            Ok((addresses, known.map_or_else(Plan::nightly, plan)))
        }
        Answered::Refused(_) => {
            output::say(&format!("there is no heartbeat `{wanted}`"));
            Err(Exit::Usage)
        }
    }
}

/// Where a heartbeat of the config here takes pings, for `vigilmon exec`. Blocks while the config is read, and while a running instance
/// is asked where that is not enough.
///
/// # Errors
/// Why it is not known, in one sentence without what was looked for: it may be a token.
pub(super) fn address_of(common: &Common, wanted: &str) -> Result<Secret, String> {
    let found = find_config(common.config.as_deref());
    let loaded = found.load(&Prober::new(crate::app::user_agent("heartbeat"), Clock::system()));
    let config = loaded.map(|loaded| loaded.config).map_err(|_| {
        let place = found.shown();
        format!("`--ping` is no URL, and {place} is not there or not valid: `vigilmon validate` says more, and a whole URL always works")
    })?;
    let monitor = by_id_or_name(&config, wanted).ok_or_else(|| {
        let place = found.shown();
        format!("`--ping` names no heartbeat in {place}; it takes an id, a name or a whole URL")
    })?;
    if let Some(addresses) = derived(&config, monitor, None) {
        return Ok(Secret::new(addresses.token));
    }
    let unknown = || {
        "its address is not known here: set `instance.secret` and `server.public_url`, or give the whole URL, which `vigilmon heartbeat url` \
         prints"
            .to_owned()
    };
    match control::try_ask(common, "GET", &format!("/local/heartbeats/{}", monitor.id)) {
        Ok(Answered::Done(answer)) => of_json(&answer, None).map(|addresses| Secret::new(addresses.token)).ok_or_else(unknown),
        Ok(Answered::Refused(_)) | Err(_) => Err(unknown()),
    }
}

fn by_id_or_name<'a>(config: &'a Config, wanted: &str) -> Option<&'a Monitor> {
    let found = config.monitors.iter().find(|monitor| monitor.id.as_str() == wanted || monitor.name == wanted)?;
    found.heartbeat().is_some().then_some(&**found)
}

/// Without the running instance: only where the config has the secret.
fn derived(config: &Config, monitor: &Monitor, base: Option<&str>) -> Option<Addresses> {
    let shared = config.peers.as_ref().and_then(|peers| peers.secrets.first());
    let secret: &Secret = shared.or(config.instance.secret.as_ref())?;
    let names = roots(config, secret).first()?.names(&monitor.id, monitor.heartbeat()?, config.heartbeats.ping_key.as_ref());
    let base = base.map(ToOwned::to_owned).or_else(|| crate::http::local::public_base(&config.server, None))?;
    Some(Addresses::new(base.trim_end_matches('/'), monitor.id.as_str(), &names))
}

/// What the running instance answered, with another beginning if one is wanted.
fn of_json(answer: &serde_json::Value, base: Option<&str>) -> Option<Addresses> {
    let own = answer["healthchecks_base"].as_str()?.strip_suffix("/ping")?;
    let text = |key: &str| {
        let text = answer[key].as_str()?;
        Some(match base {
            Some(base) => format!("{}{}", base.trim_end_matches('/'), text.strip_prefix(own)?),
            None => text.to_owned(),
        })
    };
    Some(Addresses {
        id: answer["id"].as_str()?.to_owned(),
        token: text("token")?,
        uuid: text("uuid")?,
        slug: text("slug")?,
        healthchecks_base: text("healthchecks_base")?,
        kuma: text("kuma")?,
        gatus: text("gatus")?,
        better_stack: text("better_stack")?,
    })
}

fn plan(monitor: &Monitor) -> Plan {
    monitor.heartbeat().map_or_else(Plan::nightly, |spec| Plan::of(&spec.beat.schedule))
}

fn page(addresses: &Addresses, plan: &Plan) -> String {
    let forms = addresses.forms();
    let width = forms.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0);
    let mut out: String = forms.iter().map(|(heading, url)| format!("{heading:<width$}  {url}\n")).collect();
    out.push_str("\nAdd /start, /fail, /log or an exit status; `?rid=<uuid>` or `?run=<text>` tells runs apart.\n");
    out.push_str(&format!("Clients of healthchecks take the base {}\n", addresses.healthchecks_base));
    for (heading, text) in addresses.snippets(plan) {
        out.push_str(&format!("\n# {heading}\n{text}"));
    }
    out
}
