//! Counts pings to nobody by address. They are answered like all others, but whoever sends many has to make a new connection for each:
//! somebody who searches pays more than we do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::http::limits::BUCKETS_MAX;
use crate::model::time::Mono;

/// Misses of one address that cost it nothing, in [`WINDOW`]: a client whose address is out of date tries two dozen times.
const N_FREE: u32 = 60;

const WINDOW: Duration = Duration::from_secs(60);

/// Misses by address, of IPv6 by the network that one customer gets.
#[derive(Debug, Default)]
pub struct Misses(Mutex<HashMap<IpAddr, (Mono, u32)>>);

impl Misses {
    /// Counts one; says whether the address is beyond its budget.
    pub fn count(&self, address: Option<IpAddr>, now: Mono) -> bool {
        let Some(address) = address.map(network) else { return false };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= BUCKETS_MAX && !known.contains_key(&address) {
            known.retain(|_, (since, _)| now.since(*since) < WINDOW);
            // A flood from ever new addresses: none of them is known well enough to matter.
            if known.len() >= BUCKETS_MAX {
                known.clear();
            }
        }
        let (since, n) = known.entry(address).or_insert((now, 0));
        if WINDOW <= now.since(*since) {
            (*since, *n) = (now, 0);
        }
        *n = n.saturating_add(1);
        N_FREE < *n
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_beyond_its_budget_for_a_minute_and_others_are_not() {
        let misses = Misses::default();
        let (one, other) = (Some(IpAddr::from([203, 0, 113, 9])), Some(IpAddr::from([203, 0, 113, 10])));
        let n = (0..100).filter(|_| misses.count(one, Mono(0))).count();
        assert_eq!(n, 40);
        assert!(!misses.count(other, Mono(0)));
        assert!(!misses.count(one, Mono(60_000_000)));
        for n in 0..20_000_u32 {
            misses.count(Some(IpAddr::from(n.to_be_bytes())), Mono(60_000_000));
        }
        assert!(misses.0.lock().expect("fine").len() <= BUCKETS_MAX);
    }
}
