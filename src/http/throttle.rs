//! Slows down guessing. Every attempt counts as a failure until it turns out to be none, so that a thousand attempts at the same
//! moment do not all slip through before the first has failed.
//!
//! Two buckets per attempt: the address, which may be shut out for long, and the account, which is only slowed down, because
//! otherwise anybody could lock its owner out. Sessions that exist and one-time links do not pass here.
//!
//! When there are more buckets than fit, those with the fewest failures are forgotten, the oldest first: a flood from ever new
//! addresses then pushes out its own single attempts, never the record of somebody who keeps failing, and whoever has not failed
//! waits for nobody else's failures.

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::http::limits::BUCKETS_MAX;
use crate::http::random::sha256;
use crate::model::time::Mono;

/// Attempts that cost nothing: people mistype.
const N_FREE: u32 = 4;

/// Longest wait of an address.
const ADDRESS_WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// Longest wait of an account.
const ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(10);

/// After so long without an attempt a bucket is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Buckets that make room together, so that a flood does not cause a search through all of them with every attempt.
const EVICTED_AT_ONCE: usize = BUCKETS_MAX / 16;

/// What is counted. Names are kept as digests: they have a fixed size, and a mistyped password in the wrong field is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Account([u8; 32]),
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    n_failed: u32,
    last_at: Mono,
    free_at: Mono,
}

/// Failures by address and account. In memory: a restart forgives.
#[derive(Debug, Default)]
pub struct Throttle {
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl Throttle {
    /// Counts an attempt, if one is allowed now.
    ///
    /// # Errors
    /// How long to wait; the attempt was not counted then.
    pub fn attempt(&self, address: IpAddr, account: &str, now: Mono) -> Result<(), Duration> {
        let mut buckets = self.lock();
        let keys = [(address_key(address), ADDRESS_WAIT_MAX), (account_key(account), ACCOUNT_WAIT_MAX)];
        let waits = keys.iter().filter_map(|(key, _)| buckets.get(key)).map(|bucket| bucket.free_at.since(now));
        let wait = waits.max().unwrap_or(Duration::ZERO);
        if !wait.is_zero() {
            return Err(wait);
        }
        if buckets.len() + keys.len() > BUCKETS_MAX {
            make_room(&mut buckets, now);
        }
        for (key, longest) in keys {
            let bucket = buckets.entry(key).or_default();
            if now.since(bucket.last_at) >= FORGET_AFTER {
                bucket.n_failed = 0;
            }
            bucket.n_failed = bucket.n_failed.saturating_add(1);
            bucket.last_at = now;
            bucket.free_at = now + delay(bucket.n_failed, longest);
        }
        Ok(())
    }

    /// Forgives: the attempt was right.
    pub fn succeeded(&self, address: IpAddr, account: &str) {
        let mut buckets = self.lock();
        buckets.remove(&address_key(address));
        buckets.remove(&account_key(account));
    }

    /// Takes an attempt back that could not even be judged. What was counted before stays, and so does the wait for it.
    pub fn take_back(&self, address: IpAddr, account: &str) {
        let mut buckets = self.lock();
        for (key, longest) in [(address_key(address), ADDRESS_WAIT_MAX), (account_key(account), ACCOUNT_WAIT_MAX)] {
            let Some(bucket) = buckets.get_mut(&key) else { continue };
            bucket.n_failed = bucket.n_failed.saturating_sub(1);
            bucket.free_at = bucket.last_at + delay(bucket.n_failed, longest);
            if bucket.n_failed == 0 {
                buckets.remove(&key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what is over, and if that is not enough, the buckets with the fewest failures, the oldest first.
fn make_room(buckets: &mut HashMap<Key, Bucket>, now: Mono) {
    buckets.retain(|_, bucket| now.since(bucket.last_at) < FORGET_AFTER);
    let keep = BUCKETS_MAX - EVICTED_AT_ONCE;
    if buckets.len() <= keep {
        return;
    }
    let mut ranked: Vec<((u32, Mono), Key)> = buckets.iter().map(|(key, bucket)| ((bucket.n_failed, bucket.last_at), *key)).collect();
    let n = buckets.len() - keep;
    ranked.select_nth_unstable_by_key(n, |(rank, _)| *rank);
    for (_, key) in &ranked[..n] {
        buckets.remove(key);
    }
}

/// Nothing for the first few, then one second, two, four, up to `longest`.
fn delay(n_failed: u32, longest: Duration) -> Duration {
    match n_failed.checked_sub(N_FREE) {
        None | Some(0) => Duration::ZERO,
        Some(n) => Duration::from_secs(1 << (n - 1).min(20)).min(longest),
    }
}

/// One IPv4 address, or one IPv6 network of the size that a single customer gets.
fn address_key(address: IpAddr) -> Key {
    Key::Address(match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    })
}

fn account_key(account: &str) -> Key {
    Key::Account(sha256(account.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    /// How many of `n` attempts are let through within one hour, one per second.
    fn let_through(n: u64, address: impl Fn(u64) -> IpAddr, account: impl Fn(u64) -> String) -> usize {
        let throttle = Throttle::default();
        (0..n).filter(|i| throttle.attempt(address(*i), &account(*i), Mono(i * SECOND)).is_ok()).count()
    }

    #[test]
    fn one_address_gets_few_attempts_at_many_accounts() {
        let n = let_through(3600, |_| ip("203.0.113.9"), |i| format!("user{i}"));
        assert!((10..=20).contains(&n), "{n}");
    }

    #[test]
    fn a_network_of_one_customer_counts_as_one_address() {
        let n = let_through(3600, |i| ip(&format!("2001:db8:0:1::{i:x}")), |i| format!("user{i}"));
        assert!(n <= 20, "{n}");
    }

    #[test]
    fn many_addresses_slow_an_account_down_but_do_not_lock_it() {
        let n = let_through(
            3600,
            |i| IpAddr::from([10, 1, u8::try_from(i / 250).unwrap(), u8::try_from(i % 250).unwrap()]),
            |_| "ops".to_owned(),
        );
        assert!((300..=400).contains(&n), "{n}");
    }

    #[test]
    fn attempts_at_one_moment_count_at_once_and_success_forgives() {
        let throttle = Throttle::default();
        let now = Mono(5 * SECOND);
        let n = (0..1000).filter(|_| throttle.attempt(ip("::1"), "ops", now).is_ok()).count();
        assert_eq!(n, 5);
        throttle.succeeded(ip("::1"), "ops");
        assert_eq!(throttle.attempt(ip("::1"), "ops", now), Ok(()));
    }

    #[test]
    fn attempts_that_are_taken_back_lock_nobody_out_and_forgive_nothing() {
        let throttle = Throttle::default();
        let (office, now) = (ip("203.0.113.9"), Mono(5 * SECOND));
        for _ in 0..1000 {
            assert_eq!(throttle.attempt(office, "provider", now), Ok(()));
            throttle.take_back(office, "provider");
        }
        assert!(throttle.lock().is_empty(), "nothing is left of them");
        for _ in 0..5 {
            assert_eq!(throttle.attempt(office, "ops", now), Ok(()));
        }
        let later = now + Duration::from_secs(1);
        assert!(throttle.attempt(office, "ops", now).is_err());
        assert_eq!(throttle.attempt(office, "provider", later), Ok(()));
        throttle.take_back(office, "provider");
        assert_eq!(throttle.attempt(office, "ops", later), Err(Duration::from_secs(1)), "five have failed, as before");
    }

    #[test]
    fn a_flood_of_addresses_neither_fills_memory_nor_holds_up_others_nor_forgives() {
        let throttle = Throttle::default();
        let persistent = ip("203.0.113.9");
        for i in 0..9 {
            let _ = throttle.attempt(persistent, &format!("victim{i}"), Mono(SECOND));
        }
        for i in 0..40_000_u128 {
            let network = IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | i << 64));
            let _ = throttle.attempt(network, &format!("user{i}"), Mono(2 * SECOND));
            assert!(throttle.lock().len() <= BUCKETS_MAX);
        }
        assert!(throttle.attempt(persistent, "victim", Mono(SECOND)).is_err(), "who keeps failing is not forgotten");
        for i in 0..100 {
            let newcomer = IpAddr::from([198, 51, 100, i]);
            assert_eq!(throttle.attempt(newcomer, &format!("new{i}"), Mono(2 * SECOND)), Ok(()), "nobody waits for others");
        }
    }
}
