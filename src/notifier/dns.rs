//! Names to addresses for requests to channels.
//!
//! Looked up by hickory and not by the system's resolver library, which a static binary must not call. Addresses that no channel
//! may be at are taken out of the answer here, after the look-up, so that a name cannot lead where an address may not.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use reqwest::dns::Addrs;
use reqwest::dns::Name;
use reqwest::dns::Resolve;
use reqwest::dns::Resolving;

use crate::model::net::Place;
use crate::model::net::place;

/// How long one name server may take for one try; with two tries, two servers fit into the time that a send has.
const ONE_TRY: Duration = Duration::from_secs(2);

/// Tries per name server.
const N_TRIES: usize = 2;

/// Addresses that are tried, in the order of the answer.
const ADDRESSES_MAX: usize = 32;

/// Why a name gives no address to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// It does not exist, has no address, or no name server answered.
    #[error("the host name could not be looked up")]
    NotFound,
    /// Every address of it is one that is refused.
    #[error("the host name leads to an address that no channel may use (cloud metadata or not an address of a host)")]
    Forbidden,
    /// Every address of it is on this machine or in a network around it, and a stranger named it.
    #[error("the host name leads to an address inside, and only public ones may subscribe")]
    Inside,
}

/// Whether a channel may be at this address. One's own network and machine are fine, the URL comes from the operator's own
/// config; metadata services are not, because they hand out credentials to whoever asks from this machine.
#[must_use]
pub fn may_use(address: IpAddr) -> bool {
    match place(address) {
        Place::Loopback | Place::Private | Place::Public => true,
        Place::Metadata | Place::Nowhere => false,
    }
}

/// Whether an address may be told of news that a stranger named: only one that the whole world may reach. Nobody may have our requests sent
/// to this machine or into the networks around it by typing an address into a form.
#[must_use]
pub fn may_be_told(address: IpAddr) -> bool {
    match place(address) {
        Place::Public => true,
        Place::Loopback | Place::Private | Place::Metadata | Place::Nowhere => false,
    }
}

/// Looks names up for reqwest, for addresses that strangers named.
#[derive(Debug, Clone, Copy)]
pub struct LookupOutside;

impl Resolve for LookupOutside {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<IpAddr> = addresses(name.as_str()).await?.into_iter().filter(|address| may_be_told(*address)).collect();
            if found.is_empty() {
                return Err(LookupError::Inside.into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// Looks names up for reqwest.
#[derive(Debug, Clone, Copy)]
pub struct Lookup;

impl Resolve for Lookup {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Addrs = Box::new(addresses(name.as_str()).await?.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// The addresses of a host that a channel may be at, itself when it is one.
///
/// # Errors
/// [`LookupError`] when there is none.
pub async fn addresses(host: &str) -> Result<Vec<IpAddr>, LookupError> {
    match host.parse() {
        Ok(address) => allowed(vec![address]),
        Err(_) => allowed(look_up(host).await?),
    }
}

/// The resolver is made anew each time: alerts are rare, and the system's name servers may have changed since the last one.
async fn look_up(name: &str) -> Result<Vec<IpAddr>, LookupError> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::debug!(%error, "cannot look up a channel's host name: {error}");
        LookupError::NotFound
    };
    let mut builder = TokioResolver::builder_tokio().map_err(|error| failed(&error))?;
    let options = builder.options_mut();
    options.timeout = ONE_TRY;
    options.attempts = N_TRIES;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = builder.build().map_err(|error| failed(&error))?;
    // The resolver's error repeats the name, which may be that of a subscriber and belongs into no log.
    let answer = resolver.lookup_ip(name).await.map_err(|_| failed(&"no name server knows it"))?;
    Ok(answer.iter().take(ADDRESSES_MAX).collect())
}

fn allowed(addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, LookupError> {
    if addresses.is_empty() {
        return Err(LookupError::NotFound);
    }
    let kept: Vec<IpAddr> = addresses.into_iter().filter(|address| may_use(*address)).collect();
    if kept.is_empty() { Err(LookupError::Forbidden) } else { Ok(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("address")).collect()
    }

    #[test]
    fn forbidden_addresses_are_taken_out_and_a_name_with_nothing_else_is_refused() {
        assert_eq!(allowed(addresses(&["169.254.169.254", "203.0.113.7"])), Ok(addresses(&["203.0.113.7"])));
        assert_eq!(allowed(addresses(&["::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0"])), Err(LookupError::Forbidden));
        assert_eq!(allowed(addresses(&["10.0.0.1", "::1", "fd00::1"])), Ok(addresses(&["10.0.0.1", "::1", "fd00::1"])));
        assert_eq!(allowed(Vec::new()), Err(LookupError::NotFound));
    }
}
