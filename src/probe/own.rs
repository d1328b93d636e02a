//! Errors of sockets, sorted by whose trouble they are: the target's, or our own. Pure but for asking the kernel whether this
//! host has a route for an address family, which sends nothing.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;

use rustix::io::Errno;

use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::Phase;

/// Trouble of our own behind an error, if it is that. Such an error says nothing about the target.
pub(crate) fn own_trouble(error: &io::Error) -> Option<OwnTrouble> {
    let errno = Errno::from_io_error(error)?;
    if errno == Errno::MFILE || errno == Errno::NFILE {
        Some(OwnTrouble::NoDescriptors)
    } else if errno == Errno::ADDRNOTAVAIL {
        Some(OwnTrouble::NoPorts)
    } else if errno == Errno::NOBUFS || errno == Errno::NOMEM {
        Some(OwnTrouble::Setup("this machine has no memory left for a socket".to_owned()))
    } else if errno == Errno::PERM || errno == Errno::ACCESS {
        Some(OwnTrouble::Setup("this machine does not permit the connection (firewall or sandbox)".to_owned()))
    } else {
        None
    }
}

/// Sorts an error of `connect`. `here` tells whether this host has a route for a family.
pub(crate) fn connect_failure(error: &io::Error, at: SocketAddr, here: impl Fn(IpAddr) -> bool) -> Failure {
    let errno = Errno::from_io_error(error);
    // With IPv6 switched off, even `::1` gives "address not available", which otherwise means that the ports are used up.
    if matches!(errno, Some(Errno::NETUNREACH | Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)) && !here(at.ip()) {
        return Failure::Own(OwnTrouble::NoFamily);
    }
    if let Some(own) = own_trouble(error) {
        return Failure::Own(own);
    }
    match errno {
        Some(Errno::CONNREFUSED) => Failure::Refused { at: at.to_string() },
        Some(Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE) => Failure::Closed { phase: Phase::Connect, reset: true },
        // No route, router's refusal, or whatever else keeps a connection from coming about.
        _ => Failure::Unreachable { at: at.to_string() },
    }
}

/// Whether an error while talking means that the other side reset the connection.
pub(crate) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe)
}

/// Whether this host can reach anything at all of the family of `address`. Connecting a UDP socket only looks up the route.
pub(crate) fn has_family(address: IpAddr) -> bool {
    let (from, far): (SocketAddr, SocketAddr) = match address {
        IpAddr::V4(v4) if v4.is_loopback() => ((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::LOCALHOST, 9).into()),
        IpAddr::V6(v6) if v6.is_loopback() => ((Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::LOCALHOST, 9).into()),
        // Any address beyond the default route will do; these are root name servers.
        IpAddr::V4(_) => ((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(198, 41, 0, 4), 9).into()),
        IpAddr::V6(_) => ((Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 0x2, 0x30), 9).into()),
    };
    match UdpSocket::bind(from).and_then(|socket| socket.connect(far)) {
        Ok(()) => true,
        Err(error) => !matches!(Errno::from_io_error(&error), Some(Errno::NETUNREACH | Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_code(errno: Errno, family_here: bool, code: &str) {
        let at = SocketAddr::from(([93, 184, 216, 34], 443));
        let error = io::Error::from_raw_os_error(errno.raw_os_error());
        assert_eq!(connect_failure(&error, at, |_| family_here).code(), code, "{errno:?}");
    }

    #[test]
    fn errors_of_connect_are_sorted_by_whose_trouble_they_are() {
        assert_code(Errno::CONNREFUSED, true, "refused");
        assert_code(Errno::HOSTUNREACH, true, "unreachable");
        assert_code(Errno::HOSTUNREACH, false, "unreachable");
        assert_code(Errno::NETUNREACH, true, "unreachable");
        assert_code(Errno::CONNRESET, true, "closed");
        for own in [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::PERM] {
            assert_code(own, true, "own_trouble");
        }
        assert_code(Errno::NETUNREACH, false, "own_trouble");
    }

    #[test]
    fn loopback_is_always_here() {
        assert!(has_family(Ipv4Addr::LOCALHOST.into()));
    }
}
