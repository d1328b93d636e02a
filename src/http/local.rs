//! The control socket: what `vigilmon status`, `reload` and `sign-in-link` ask for. Whoever may open the socket is the user that
//! vigilmon runs as, so nothing more is asked of them.

use hyper::StatusCode;

use crate::config::Server;
use crate::engine::handle::EngineHandle;
use crate::http::Reloads;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::auth::Local;
use crate::http::error::Refusal;
use crate::http::limits::LINK_AGE;
use crate::http::limits::RELOAD_TIMEOUT;
use crate::http::one_time::OneTimeLinks;
use crate::http::route::LocalRoute;
use crate::http::visit::Visit;
use crate::model::time::Mono;
use crate::ui::links::Links;

/// What the control socket works with.
#[derive(Debug)]
pub struct Control<'a> {
    /// For the status.
    pub engine: &'a EngineHandle,
    /// For reloads.
    pub reloads: &'a Reloads,
    /// For sign-in links.
    pub links: &'a OneTimeLinks,
    /// An address of this instance, for when no public one is configured.
    pub own_url: &'a str,
}

/// Answers someone at the control socket.
///
/// # Errors
/// [`Refusal`].
pub async fn answer(control: &Control<'_>, route: LocalRoute, visit: &Visit, _proof: &Local) -> Result<Answer, Refusal> {
    match route {
        LocalRoute::Status => Ok(answer::json(StatusCode::OK, &api::status(&control.engine.snapshot()))),
        LocalRoute::Reload => {
            let asked = tokio::time::timeout(RELOAD_TIMEOUT, control.reloads.ask()).await;
            let reloaded = asked.map_err(|_| Refusal::Busy)?.ok_or(Refusal::Busy)?;
            Ok(answer::json(StatusCode::OK, &api::reloaded(&reloaded)))
        }
        LocalRoute::SignInLink => {
            let server = &control.engine.snapshot().config.server;
            let url = sign_in_url(control.links, server, control.own_url, visit.now.mono);
            let url = url.map_err(|error| Refusal::Internal(format!("no randomness for a sign-in link: {error}")))?;
            Ok(answer::json(StatusCode::OK, &api::SignInLink { url, valid_minutes: LINK_AGE.as_secs() / 60 }))
        }
    }
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
fn absolute(public_url: &str, base_path: &str, path: &str) -> String {
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
