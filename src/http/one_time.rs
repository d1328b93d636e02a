//! One-time sign-in links: whoever may open the control socket may sign in. Kept in memory, so a restart voids them.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::http::limits::LINK_AGE;
use crate::http::limits::LINKS_MAX;
use crate::http::random::sha256;
use crate::http::random::token;
use crate::model::time::Mono;

/// Links that were made and not used yet, oldest first.
#[derive(Debug, Default)]
pub struct OneTimeLinks {
    live: Mutex<Vec<Live>>,
}

#[derive(Debug)]
struct Live {
    hash: [u8; 32],
    ends_at: Mono,
}

impl OneTimeLinks {
    /// Makes one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn make(&self, now: Mono) -> Result<String, getrandom::Error> {
        let token = token()?;
        let mut live = self.lock(now);
        if live.len() >= LINKS_MAX {
            live.remove(0);
        }
        live.push(Live { hash: sha256(token.as_bytes()), ends_at: now + LINK_AGE });
        Ok(token)
    }

    /// Whether it would still work. Looking does not use it up.
    #[must_use]
    pub fn is_live(&self, token: &str, now: Mono) -> bool {
        let hash = sha256(token.as_bytes());
        self.lock(now).iter().any(|link| link.hash == hash)
    }

    /// Uses it up; `false` when it does not work (any more).
    #[must_use]
    pub fn take(&self, token: &str, now: Mono) -> bool {
        let hash = sha256(token.as_bytes());
        let mut live = self.lock(now);
        // Only digests are compared, so the time it takes says nothing about a token.
        let found = live.iter().position(|link| link.hash == hash);
        found.map(|i| live.remove(i)).is_some()
    }

    fn lock(&self, now: Mono) -> MutexGuard<'_, Vec<Live>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|link| now < link.ends_at);
        live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_once_and_not_for_ever() {
        let links = OneTimeLinks::default();
        let token = links.make(Mono(0)).unwrap();
        assert!(links.is_live(&token, Mono(1)) && links.is_live(&token, Mono(2)), "looking does not use it up");
        assert!(links.take(&token, Mono(3)));
        assert!(!links.take(&token, Mono(4)));
        let token = links.make(Mono(0)).unwrap();
        assert!(!links.take(&token, Mono(0) + LINK_AGE));
    }

    #[test]
    fn there_are_never_many() {
        let links = OneTimeLinks::default();
        let first = links.make(Mono(0)).unwrap();
        for _ in 0..LINKS_MAX {
            let _ = links.make(Mono(0)).unwrap();
        }
        assert!(!links.is_live(&first, Mono(0)));
    }
}
