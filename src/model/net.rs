//! Addresses as people write them, and which of them lie beyond one's own network.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

/// A host, by name or address, and a port: `db.internal:5432`, `[::1]:80`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A DNS name or an address without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

/// Why a text is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `host:port`; write `db.internal:5432`, or `[2001:db8::1]:5432` for an IPv6 address")]
pub struct BadHostPort(pub String);

impl HostPort {
    /// Reads `host:port`; IPv6 addresses stand in brackets.
    ///
    /// # Errors
    /// [`BadHostPort`] when either part is missing, the port is 0 or not a number, or the host has characters no host has.
    pub fn parse(text: &str) -> Result<HostPort, BadHostPort> {
        let bad = || BadHostPort(text.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inside, after) = rest.split_once(']').ok_or_else(bad)?;
                inside.parse::<Ipv6Addr>().map_err(|_| bad())?;
                (inside, after.strip_prefix(':').ok_or_else(bad)?)
            }
            None => text.rsplit_once(':').ok_or_else(bad)?,
        };
        let port: u16 = port.parse().map_err(|_| bad())?;
        let named = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if port == 0 || host.is_empty() || host.len() > 253 || !(named || host.parse::<Ipv6Addr>().is_ok() && text.starts_with('[')) {
            return Err(bad());
        }
        Ok(HostPort { host: host.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// A name server to ask instead of the system's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameServer {
    /// How it is spoken to.
    pub transport: NameServerTransport,
    /// Where it is.
    pub address: SocketAddr,
    /// For TLS: the name its certificate must carry; `None` means the address itself.
    pub tls_name: Option<String>,
}

/// How a name server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameServerTransport {
    /// UDP, and TCP when the answer does not fit.
    Udp,
    /// TCP only.
    Tcp,
    /// DNS over TLS, RFC 7858.
    Tls,
}

/// What kind of place an address is in; decides target policy and whether a lost uplink excuses a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// This machine.
    Loopback,
    /// Reached without the uplink: RFC 1918, unique local, link local, carrier-grade NAT.
    Private,
    /// Cloud metadata services, which hand out credentials: never a target unless asked for.
    Metadata,
    /// Not a place to connect to: unspecified, multicast, broadcast, documentation, reserved.
    Nowhere,
    /// Everything else.
    Public,
}

/// Sorts an address; IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged as the IPv4 address it leads to.
#[must_use]
pub fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => embedded_v4(v6).map_or_else(|| place_v6(v6), place_v4),
    }
}

fn place_v4(a: Ipv4Addr) -> Place {
    let [first, second, third, _] = a.octets();
    if a == Ipv4Addr::new(100, 100, 100, 200) || a == Ipv4Addr::new(168, 63, 129, 16) || a.is_link_local() {
        Place::Metadata
    } else if a.is_loopback() {
        Place::Loopback
    } else if a.is_private() || (first == 100 && (64..128).contains(&second)) {
        Place::Private
    } else if a.is_multicast() || a.is_broadcast() || first == 0 || first >= 240 || (first == 192 && second == 0 && third == 0) {
        Place::Nowhere
    } else {
        Place::Public
    }
}

fn place_v6(a: Ipv6Addr) -> Place {
    let head = a.segments()[0];
    if a == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
        Place::Metadata
    } else if a.is_loopback() {
        Place::Loopback
    } else if head & 0xfe00 == 0xfc00 || head & 0xffc0 == 0xfe80 {
        Place::Private
    } else if a.is_unspecified() || a.is_multicast() {
        Place::Nowhere
    } else {
        Place::Public
    }
}

/// The IPv4 address inside a mapped (`::ffff:0:0/96`), compatible (`::/96`), NAT64 (`64:ff9b::/96`) or 6to4 (`2002::/16`) one.
fn embedded_v4(a: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = a.segments();
    let low = || Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    match s {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low()),
        [0, 0, 0, 0, 0, 0, high, last] if high != 0 || last > 1 => Some(low()),
        [0x2002, high, rest, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(rest))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_in_every_spelling() {
        for (address, expected) in [
            ("127.0.0.1", Place::Loopback),
            ("::1", Place::Loopback),
            ("::ffff:127.0.0.1", Place::Loopback),
            ("10.1.2.3", Place::Private),
            ("fd00::1", Place::Private),
            ("64:ff9b::a00:1", Place::Private),
            ("2002:c0a8:0101::1", Place::Private),
            ("169.254.169.254", Place::Metadata),
            ("::ffff:169.254.169.254", Place::Metadata),
            ("fd00:ec2::254", Place::Metadata),
            ("0.0.0.0", Place::Nowhere),
            ("::", Place::Nowhere),
            ("224.0.0.1", Place::Nowhere),
            ("93.184.216.34", Place::Public),
            ("2606:4700::1111", Place::Public),
        ] {
            assert_eq!(place(address.parse().expect(address)), expected, "{address}");
        }
    }

    #[test]
    fn hosts_with_ports_are_read() {
        assert_eq!(HostPort::parse("db.internal:5432").map(|h| h.to_string()), Ok("db.internal:5432".to_owned()));
        assert_eq!(HostPort::parse("[::1]:80").map(|h| h.to_string()), Ok("[::1]:80".to_owned()));
        for bad in ["db", "db:", ":80", "db:0", "db:70000", "::1:80", "a b:80", "[x]:80", "http://x:80"] {
            assert!(HostPort::parse(bad).is_err(), "{bad}");
        }
    }
}
