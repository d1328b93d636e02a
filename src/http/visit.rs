//! One request, read once: who speaks, to which name, with which cookies. Decides nothing but what is to be believed.

use std::net::IpAddr;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header;
use ipnet::IpNet;

use crate::config::Server;
use crate::http::error::Refusal;
use crate::model::time::Now;
use crate::ui::links::Links;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Someone on the network.
    Tcp(IpAddr),
    /// Someone who may open the control socket.
    Control,
}

/// A request without its route.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it came.
    pub now: Now,
    /// Addresses for the answer.
    pub links: Links,
    /// Connected address.
    pub peer: Peer,
    /// Address of the visitor, for limits: the peer's, or what trusted proxies say.
    pub client: Option<IpAddr>,
    /// Host name it was sent to, lower case, without port.
    pub host: String,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// Part after `?`.
    pub query: String,
    /// Cookies are sent over TLS only.
    pub secure: bool,
    /// Fields of the form, in order.
    pub form: Vec<(String, String)>,
    /// The body of a request that changes something, as it was sent.
    pub body: Bytes,
}

/// Whether this address is one of the listed.
#[must_use]
pub fn is_listed(address: IpAddr, listed: &[IpNet]) -> bool {
    let address = address.to_canonical();
    listed.iter().any(|net| net.contains(&address))
}

/// The visitor's address: from the right, the first that is not a trusted proxy. What stands further left was written by whoever
/// wanted to and is never looked at.
#[must_use]
pub fn client_address(peer: IpAddr, forwarded_for: &[&str], trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_listed(peer, trusted) {
        return peer;
    }
    let mut hops = forwarded_for.iter().flat_map(|line| line.split(',')).collect::<Vec<_>>();
    let mut nearest = peer;
    while let Some(hop) = hops.pop() {
        let Some(address) = parse_hop(hop.trim()) else { return nearest };
        nearest = address;
        if !is_listed(address, trusted) {
            return address;
        }
    }
    nearest
}

/// An address, with or without port and brackets.
pub(crate) fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip()));
    address.or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok()).map(|a: IpAddr| a.to_canonical())
}

/// The host name, lower case, without port; empty when there is none or more than one.
#[must_use]
pub fn host_name(value: &str) -> String {
    let value = value.trim().to_ascii_lowercase();
    match value.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside.to_owned(),
        None => value.split_once(':').map_or(value.clone(), |(host, _)| host.to_owned()),
    }
}

impl Visit {
    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What every cookie that signs somebody in says besides its value.
    #[must_use]
    pub fn cookie_attributes(&self) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("Path={}; HttpOnly; SameSite=Lax{secure}", self.links.cookie_path())
    }

    /// The value of a cookie; the first of that name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value)
    }

    /// The value of a field of the form.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The token of an `Authorization: Bearer` header.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// Refuses what another site made the browser send. Browsers say so themselves; where one does not, the origin must be ours,
    /// and a request that names neither cannot have come from one of our pages.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn require_same_site(&self, public_url: Option<&str>) -> Result<(), Refusal> {
        self.require_from(self.header("origin"), public_url)
    }

    /// The same for what pages only read. Browsers name no origin then and, without TLS, nothing but the page.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`].
    pub fn require_own_page(&self, public_url: Option<&str>) -> Result<(), Refusal> {
        self.require_from(self.header("origin").or_else(|| self.header("referer")), public_url)
    }

    fn require_from(&self, named: Option<&str>, public_url: Option<&str>) -> Result<(), Refusal> {
        const FOREIGN: Refusal = Refusal::Forbidden("This request did not come from one of vigilmon's own pages.");
        match self.header("sec-fetch-site") {
            Some("same-origin" | "none") => return Ok(()),
            Some(_) => return Err(FOREIGN),
            None => {}
        }
        let named = named.ok_or(FOREIGN)?;
        let theirs = url::Url::parse(named).map_err(|_| FOREIGN)?;
        let configured = public_url.and_then(|text| url::Url::parse(text).ok());
        let is_configured = configured.is_some_and(|ours| ours.origin() == theirs.origin());
        let is_this_host = self.header("host").is_some_and(|host| {
            let rest = named.split_once("://").map_or("", |(_, rest)| rest);
            rest.split('/').next().unwrap_or("").eq_ignore_ascii_case(host)
        });
        if is_configured || is_this_host { Ok(()) } else { Err(FOREIGN) }
    }

    /// Refuses names that are not ours, so that a name which someone else pointed at this address gets nothing. Only when
    /// `server.public_url` says which name is ours; addresses and `localhost` always work, and trusted proxies may use any.
    ///
    /// # Errors
    /// [`Refusal::WrongHost`].
    pub fn require_own_host(&self, server: &Server, is_domain: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        let Peer::Tcp(peer) = self.peer else { return Ok(()) };
        let Some(ours) = server.public_url.as_deref().and_then(|text| url::Url::parse(text).ok()) else { return Ok(()) };
        let own = ours.host_str().is_some_and(|host| host_name(host) == self.host);
        let fine = own
            || self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok()
            || is_domain(&self.host)
            || is_listed(peer, &server.trusted_proxies);
        if fine { Ok(()) } else { Err(Refusal::WrongHost) }
    }
}

/// Reads a form. Fields that are not UTF-8 are replaced where they are not.
#[must_use]
pub fn parse_form(body: &Bytes) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed_and_only_from_the_right() {
        let trusted: Vec<IpNet> = ["127.0.0.1/32", "10.0.0.0/8"].iter().map(|net| net.parse().expect("a net")).collect();
        for (peer, lines, expected) in [
            ("198.51.100.7", &["203.0.113.1"][..], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.1"][..], "203.0.113.1"),
            ("127.0.0.1", &["6.6.6.6, 203.0.113.1, 10.1.1.1"][..], "203.0.113.1"),
            ("127.0.0.1", &["6.6.6.6", "203.0.113.1:4711"][..], "203.0.113.1"),
            ("::ffff:127.0.0.1", &["[2001:db8::1]"][..], "2001:db8::1"),
            ("127.0.0.1", &["6.6.6.6, nonsense"][..], "127.0.0.1"),
            ("127.0.0.1", &[][..], "127.0.0.1"),
        ] {
            let found = client_address(peer.parse().expect(peer), lines, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn host_names_lose_port_and_case() {
        for (value, expected) in [("Status.Example.com:8443", "status.example.com"), ("[::1]:80", "::1"), ("x", "x"), ("", "")] {
            assert_eq!(host_name(value), expected);
        }
    }
}
