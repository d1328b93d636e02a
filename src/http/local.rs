//! The control socket: what `vigilmon status`, `channel`, `peer`, `ack`, `silence`, `subscribers`, `reload` and `sign-in-link` ask for. Whoever may open the
//! socket is the user that vigilmon runs as, so nothing more is asked of them.

use hyper::StatusCode;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::Server;
use crate::engine::handle::EngineHandle;
use crate::http::PeerParts;
use crate::http::Reloads;
use crate::http::acts::Wish;
use crate::http::admin;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::api::acts::Acted;
use crate::http::api::acts::ActedOn;
use crate::http::auth::Local;
use crate::http::channels;
use crate::http::error::Refusal;
use crate::http::heartbeat::identity::roots;
use crate::http::heartbeat::snippets::Addresses;
use crate::http::limits::LINK_AGE;
use crate::http::limits::RELOAD_TIMEOUT;
use crate::http::one_time::OneTimeLinks;
use crate::http::operator;
use crate::http::peer_views::LinkReport;
use crate::http::route::LocalRoute;
use crate::http::subscriptions::Subscribing;
use crate::http::viewer::Desk;
use crate::http::views;
use crate::http::visit::Visit;
use crate::http::writings;
use crate::http::writings::Draft;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::incident::Incident;
use crate::model::secret::Secret;
use crate::model::time::Mono;
use crate::ui::links::Links;

/// What the control socket works with.
pub struct Control<'a> {
    /// For the status and the channels.
    pub desk: &'a Desk,
    /// For reloads.
    pub reloads: &'a Reloads,
    /// For sign-in links.
    pub links: &'a OneTimeLinks,
    /// For nodes of the cluster; `None` when watching alone.
    pub peers: Option<&'a PeerParts>,
    /// For subscribers of status pages; `None` where nobody is told of anything.
    pub subscribing: Option<&'a Subscribing>,
    /// Tells how long an answer of a node took.
    pub clock: &'a Clock,
    /// From which names of heartbeats are derived.
    pub secret: &'a Secret,
    /// An address of this instance, for when no public one is configured.
    pub own_url: &'a str,
}

/// Answers someone at the control socket.
///
/// # Errors
/// [`Refusal`].
pub async fn answer(control: &Control<'_>, route: LocalRoute, visit: &Visit, _proof: &Local) -> Result<Answer, Refusal> {
    let (snapshot, who) = (control.desk.engine.snapshot(), "the command line");
    let office = control.desk.office(&snapshot, visit.now.wall);
    match route {
        LocalRoute::Channels => office.list_json().await,
        LocalRoute::Deliveries(name) => office.log_json(&name, &visit.query, true).await,
        LocalRoute::RetryMessage(name, id) => office.retry(&name, id, who).await.map(channels::retried),
        LocalRoute::RetryChannel(name) => office.retry_all(&name, who).await.map(channels::retried),
        LocalRoute::Status => Ok(answer::json(StatusCode::OK, &api::status(&control.desk.engine.snapshot()))),
        LocalRoute::Reload => {
            let asked = tokio::time::timeout(RELOAD_TIMEOUT, control.reloads.ask()).await;
            let reloaded = asked.map_err(|_| Refusal::Busy)?.ok_or(Refusal::Busy)?;
            Ok(answer::json(StatusCode::OK, &api::reloaded(&reloaded)))
        }
        LocalRoute::SignInLink => {
            let server = &control.desk.engine.snapshot().config.server;
            let url = sign_in_url(control.links, server, control.own_url, visit.now.mono);
            let url = url.map_err(|error| Refusal::Internal(format!("no randomness for a sign-in link: {error}")))?;
            Ok(answer::json(StatusCode::OK, &api::SignInLink { url, valid_minutes: LINK_AGE.as_secs() / 60 }))
        }
        LocalRoute::Peers => {
            let report = LinkReport::of(control.peers);
            Ok(answer::json(StatusCode::OK, &api::peers::peers(&control.desk.engine.snapshot(), &report)))
        }
        LocalRoute::Heartbeat(id) => Ok(answer::json(StatusCode::OK, &addresses(control, &id).ok_or(Refusal::NotFound)?)),
        LocalRoute::PingPeer(node) => Ok(answer::json(StatusCode::OK, &ping(control, &node).await?)),
        LocalRoute::ForgetPeer(node) => {
            admin::forget_node(&control.desk.engine, &node, who).await?;
            Ok(answer::json(StatusCode::OK, &api::Done { done: true }))
        }
        LocalRoute::Acknowledge | LocalRoute::Withdraw => {
            let is_withdrawn = route == LocalRoute::Withdraw;
            Ok(answer::json(StatusCode::OK, &acknowledge(&control.desk.engine, visit, is_withdrawn).await?))
        }
        LocalRoute::Incidents => {
            let all = control.desk.newest_incidents(&snapshot).await;
            Ok(answer::json(StatusCode::OK, &api::writings::incidents(&all, &snapshot)))
        }
        LocalRoute::Incident(id) => {
            let incident = control.desk.known_incident(&snapshot, id).await?;
            Ok(answer::json(StatusCode::OK, &api::writings::incident(&incident, &snapshot)))
        }
        LocalRoute::Announcements => Ok(answer::json(StatusCode::OK, &api::writings::announcements(&snapshot, visit.now.wall))),
        LocalRoute::Write(writing) => {
            let written = writings::write(control.desk, &writing, Draft::of_form(visit), by(visit), visit.now).await?;
            Ok(answer::json(StatusCode::OK, &written))
        }
        LocalRoute::Subscribers => Ok(answer::json(StatusCode::OK, &control.subscribing.ok_or(Refusal::NotFound)?.list().await?)),
        LocalRoute::ForgetSubscriber => {
            Ok(answer::json(StatusCode::OK, &control.subscribing.ok_or(Refusal::NotFound)?.forget(visit).await?))
        }
        LocalRoute::Silences => Ok(answer::json(StatusCode::OK, &api::acts::silences(&control.desk.engine.snapshot()))),
        LocalRoute::Silence => {
            let silence = Wish::of_form(visit)?.silence(by(visit), visit.now.wall)?;
            Ok(answer::json(StatusCode::OK, &operator::silence(&control.desk.engine, silence).await?))
        }
        LocalRoute::EndSilence(id) => {
            operator::end_silence(&control.desk.engine, &id, COMMAND_LINE).await?;
            Ok(answer::json(StatusCode::OK, &api::Done { done: true }))
        }
    }
}

/// Who says so, as far as is known.
const COMMAND_LINE: &str = "the command line";

fn by(visit: &Visit) -> &str {
    visit.field("by").filter(|by| !by.trim().is_empty()).unwrap_or(COMMAND_LINE)
}

/// Acknowledges what the field `what` names, or withdraws that: an open incident, or all of a monitor.
async fn acknowledge(engine: &EngineHandle, visit: &Visit, is_withdrawn: bool) -> Result<Acted, Refusal> {
    let what = visit.field("what").unwrap_or_default();
    let snapshot = engine.snapshot();
    let is_meant = |incident: &Incident| incident.id.as_str() == what || incident.monitor.as_str() == what || incident.monitor_name == what;
    let found: Vec<Incident> = views::open_incidents(&snapshot).into_iter().filter(is_meant).collect();
    if found.is_empty() {
        let is_known = snapshot.config.monitors.iter().any(|monitor| monitor.id.as_str() == what || monitor.name == what);
        let why =
            if is_known { format!("`{what}` has no open incident") } else { format!("there is no open incident and no monitor `{what}`") };
        return Err(Refusal::Conflict(why));
    }
    let mut incidents = Vec::new();
    for incident in found {
        if is_withdrawn {
            operator::withdraw(engine, &incident.id, by(visit)).await?;
        } else {
            let acknowledgement = Wish::of_form(visit)?.acknowledgement(by(visit), visit.now.wall)?;
            operator::acknowledge(engine, &incident.id, acknowledgement).await?;
        }
        incidents.push(ActedOn { id: incident.id.to_string(), monitor: incident.monitor_name });
    }
    Ok(Acted { incidents })
}

fn addresses(control: &Control<'_>, id: &MonitorId) -> Option<Addresses> {
    addresses_of(&control.desk.engine.snapshot().config, (control.secret, control.own_url), id)
}

/// By what a heartbeat is pinged; `None`: there is no such heartbeat. `secret` and `own_url` are the instance's.
#[must_use]
pub fn addresses_of(config: &Config, (secret, own_url): (&Secret, &str), id: &MonitorId) -> Option<Addresses> {
    let spec = config.monitor(id)?.heartbeat()?;
    let names = roots(config, secret).first()?.names(id, spec, config.heartbeats.ping_key.as_ref());
    Some(Addresses::new(&public_base(&config.server, Some(own_url))?, id.as_str(), &names))
}

/// What addresses of this instance begin with, as others reach it.
#[must_use]
pub fn public_base(server: &Server, own_url: Option<&str>) -> Option<String> {
    let url = server.public_url.as_deref().or(own_url)?;
    Some(absolute(url, &server.base_path, &server.base_path))
}

async fn ping(control: &Control<'_>, node: &NodeName) -> Result<api::peers::Pong, Refusal> {
    let Some(peers) = control.peers else {
        return Err(Refusal::Conflict("this instance watches alone; there is nobody to ask".to_owned()));
    };
    let began = control.clock.now().mono;
    let answer = crate::peer::answer::ping(&peers.links, node).await;
    let took = answer.map(|()| control.clock.now().mono.since(began)).map_err(|error| error.to_string());
    Ok(api::peers::pong(node, took))
}

/// The whole address of a new one-time sign-in link.
///
/// # Errors
/// The system has no randomness to give.
pub fn sign_in_url(links: &OneTimeLinks, server: &Server, own_url: &str, now: Mono) -> Result<String, getrandom::Error> {
    let path = Links::new(&server.base_path).sign_in_link(&links.make(now)?);
    Ok(absolute(server.public_url.as_deref().unwrap_or(own_url), &server.base_path, &path))
}

/// The whole address of `path`, which begins with the base path; a public URL may end with the base path too.
pub(crate) fn absolute(public_url: &str, base_path: &str, path: &str) -> String {
    let origin = if base_path.is_empty() { public_url } else { public_url.strip_suffix(base_path).unwrap_or(public_url) };
    format!("{}{path}", origin.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_addresses_have_the_base_path_once() {
        for (public_url, base) in [("https://x.example", "/watch"), ("https://x.example/watch", "/watch")] {
            assert_eq!(absolute(public_url, base, "/watch/sign-in/link/t"), "https://x.example/watch/sign-in/link/t");
        }
        assert_eq!(absolute("http://127.0.0.1:8080", "", "/sign-in/link/t"), "http://127.0.0.1:8080/sign-in/link/t");
    }
}
