//! Which addresses may be connected to. Targets in the config are trusted wherever they are; what a target sends us to is not.
//! Pure: decides about addresses that are about to be used, so that a name that resolves differently the next moment gains nothing.

use std::net::IpAddr;

use crate::model::net::Place;
use crate::model::net::place;

/// What the config allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Cloud metadata services may be targets.
    pub(crate) allow_metadata: bool,
    /// A redirect may lead from a public place to a private one.
    pub(crate) allow_private: bool,
    /// Where the first hop led; `None` while on the first hop.
    pub(crate) first: Option<Place>,
}

impl Policy {
    /// Says why `address` must not be connected to.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub(crate) fn permit(self, address: IpAddr) -> Result<(), String> {
        let there = place(address);
        if there == Place::Metadata && !self.allow_metadata {
            return Err(format!("{address} belongs to a cloud metadata service; `allow_metadata: true` permits it"));
        }
        let Some(first) = self.first else { return Ok(()) };
        if there == Place::Nowhere && !self.allow_private {
            return Err(format!("{address}, where the redirect leads, is not a place to connect to"));
        }
        if closeness(there) > closeness(first) && !self.allow_private {
            let (from, to) = (word(first), word(there));
            return Err(format!("the redirect leads from a {from} address to {address}, a {to} one; `allow_private: true` permits it"));
        }
        Ok(())
    }
}

/// How near to ourselves a place is. A redirect may lead outwards or stay, never inwards.
fn closeness(place: Place) -> u8 {
    match place {
        Place::Public => 0,
        Place::Private | Place::Metadata => 1,
        Place::Loopback | Place::Nowhere => 2,
    }
}

fn word(place: Place) -> &'static str {
    match place {
        Place::Public => "public",
        Place::Private => "private",
        Place::Metadata => "metadata",
        Place::Loopback => "loopback",
        Place::Nowhere => "reserved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "93.184.216.34";

    #[track_caller]
    fn permitted(first: Option<&str>, then: &str) -> bool {
        let first = first.map(|text| place(text.parse().expect(text)));
        Policy { allow_metadata: false, allow_private: false, first }.permit(then.parse().expect(then)).is_ok()
    }

    #[test]
    fn the_config_may_name_any_place_but_metadata() {
        for trusted in ["10.0.0.1", "127.0.0.1", "::1", "0.0.0.0", "192.168.1.1", PUBLIC] {
            assert!(permitted(None, trusted), "{trusted}");
        }
        for metadata in
            ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "64:ff9b::a9fe:a9fe"]
        {
            assert!(!permitted(None, metadata), "{metadata}");
            assert!(!permitted(Some("10.0.0.1"), metadata), "{metadata}");
        }
    }

    #[test]
    fn redirects_lead_outwards_never_inwards() {
        for inside in
            ["10.0.0.1", "127.0.0.1", "::1", "0.0.0.0", "::", "fd00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "100.64.0.1", "224.0.0.1"]
        {
            assert!(!permitted(Some(PUBLIC), inside), "{inside}");
        }
        assert!(permitted(Some(PUBLIC), "1.1.1.1"));
        assert!(permitted(Some("10.0.0.1"), "192.168.0.1"));
        assert!(permitted(Some("10.0.0.1"), PUBLIC));
        assert!(!permitted(Some("10.0.0.1"), "127.0.0.1"));
        assert!(permitted(Some("127.0.0.1"), "10.0.0.1"));
    }

    #[test]
    fn switches_permit_what_they_name() {
        let both = Policy { allow_metadata: true, allow_private: true, first: Some(Place::Public) };
        for address in ["169.254.169.254", "10.0.0.1", "127.0.0.1"] {
            assert_eq!(both.permit(address.parse().expect(address)), Ok(()));
        }
        let private = Policy { allow_metadata: false, ..both };
        assert!(private.permit("169.254.169.254".parse().expect("address")).is_err());
    }
}
