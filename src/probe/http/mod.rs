//! The HTTP probe: one request, and the redirects it leads to, each over a connection of its own. What the answer is worth is
//! not decided here.

mod cookies;
mod exchange;
mod failure;
mod journey;
mod proxy;
mod redirect;
mod request;
pub(crate) mod token;

use std::net::IpAddr;

use crate::model::monitor::HttpAuth;
use crate::model::monitor::HttpSpec;
use crate::model::result::Failure;
use crate::model::result::HttpSeen;
use crate::probe::Shared;
use crate::probe::http::journey::Journey;
use crate::probe::tls;
use crate::probe::trace::Trace;

/// Makes one check, towards `pinned` if the host has several addresses and this one is meant.
pub(crate) async fn check(shared: &Shared, spec: &HttpSpec, pinned: Option<IpAddr>, trace: &mut Trace) -> Result<HttpSeen, Failure> {
    Journey::new(shared, spec, pinned).travel(trace).await
}

/// Builds what can fail.
///
/// # Errors
/// One sentence for the config's author.
pub(crate) fn prepare(shared: &Shared, spec: &HttpSpec) -> Result<(), String> {
    request::prepare(spec)?;
    if spec.url.scheme() == "https" {
        tls::server_name(spec.tls.server_name.as_deref().unwrap_or(host_of(&spec.url)))?;
    }
    // Redirects may lead to https even from a plain URL.
    shared.tls.ready(&spec.tls)?;
    if let HttpAuth::OAuth2ClientCredentials { token_url, .. } = &spec.auth {
        redirect::speakable(token_url).map_err(|why| format!("`token_url`: {why}"))?;
    }
    Ok(())
}

/// The host that is looked up and connected to.
pub(crate) fn dialled_host(spec: &HttpSpec) -> &str {
    spec.connect_to.as_ref().map_or_else(|| host_of(&spec.url), |to| &to.host)
}

/// The host of a URL without the brackets of an IPv6 address.
fn host_of(url: &url::Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(host)
}

/// The port of a URL, written or implied.
fn port_of(url: &url::Url) -> u16 {
    url.port_or_known_default().unwrap_or(80)
}
