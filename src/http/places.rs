//! Places for connections: so many in all, and of these so many for one address, so that one address with slow connections leaves
//! room for everybody else. Whom to count is the server's business.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::OwnedSemaphorePermit;

use crate::http::limits::CONNECTIONS_PER_ADDRESS_MAX;

/// How many connections each address has.
#[derive(Debug, Default)]
pub struct Places {
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub struct Place {
    counted: Option<(Arc<Places>, IpAddr)>,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    /// A place for a connection from this address; `None` when the address has as many as it may.
    #[must_use]
    pub fn take(self: &Arc<Places>, from: IpAddr, of_all: OwnedSemaphorePermit) -> Option<Place> {
        let site = site_of(from);
        let mut taken = self.lock();
        let n = taken.entry(site).or_default();
        if *n >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *n += 1;
        Some(Place { counted: Some((Arc::clone(self), site)), _of_all: of_all })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A place that counts for no address.
    #[must_use]
    pub fn uncounted(of_all: OwnedSemaphorePermit) -> Place {
        Place { counted: None, _of_all: of_all }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, site)) = &self.counted else { return };
        let mut taken = places.lock();
        if let Some(n) = taken.get_mut(site) {
            *n -= 1;
            if *n == 0 {
                taken.remove(site);
            }
        }
    }
}

/// One IPv4 address, or the IPv6 network that one site gets.
fn site_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::limits::CONNECTIONS_MAX;
    use tokio::sync::Semaphore;

    #[test]
    fn one_address_takes_its_share_and_others_still_get_in() {
        let (all, places) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Arc::new(Places::default()));
        let take = |ip: String| places.take(ip.parse().expect("an address"), Arc::clone(&all).try_acquire_owned().expect("room"));
        let held: Vec<Place> = (0..1000).filter_map(|i| take(format!("2001:db8:1:{i:x}::1"))).collect();
        assert_eq!(held.len(), CONNECTIONS_PER_ADDRESS_MAX);
        assert_eq!(all.available_permits(), CONNECTIONS_MAX - held.len(), "who was refused holds nothing");
        assert!(take("2001:db8:2::1".to_owned()).is_some() && take("203.0.113.9".to_owned()).is_some());
        drop(held);
        assert!(places.lock().is_empty());
        assert!(take("2001:db8:1::1".to_owned()).is_some());
    }
}
