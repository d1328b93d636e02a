//! Checks passwords without letting that become a way to exhaust the machine: each check takes 19 MiB and tens of milliseconds on
//! purpose, so only two run at once, a few may wait, and the rest is told to come back.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use tokio::sync::Semaphore;

use crate::http::limits::HASHES_AT_ONCE;
use crate::http::limits::HASHES_WAITING_MAX;
use crate::http::limits::PASSWORD_BYTES_MAX;
use crate::model::secret::Secret;

/// Hash of a password that nobody knows, with the recommended cost (19 MiB, two passes). Checked when no user has the name that
/// was given, so that the answer takes as long as if one had.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWlzLWhlcmU$2RTeHVn08z5i/AkppVt7mT0bJ8tFgbWMsWiEG9mk3j4";

/// There is no room to check another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct Busy;

/// The place where passwords are checked.
#[derive(Debug, Clone)]
pub struct Passwords {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords {
            running: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
            admitted: Arc::new(Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING_MAX)),
        }
    }
}

impl Passwords {
    /// Whether `password` has this hash; `None` checks against nobody's and is never right.
    ///
    /// # Errors
    /// [`Busy`] at the limit; nothing was checked.
    pub async fn verify(&self, password: &str, hash: Option<&Secret>) -> Result<bool, Busy> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Busy)?;
        let password = password.to_owned();
        let hash = hash.cloned();
        // The permits travel with the work: a caller that goes away does not make room while the processor is still busy.
        let checked = tokio::task::spawn_blocking(move || {
            let _permits = (admitted, running);
            let right = matches(&password, hash.as_ref().map_or(NOBODY, |hash| hash.reveal_for_use()));
            right && hash.is_some()
        });
        Ok(checked.await.unwrap_or(false))
    }
}

fn matches(password: &str, phc: &str) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
/// Also the cheap hashes of other tests.
pub mod tests {
    use super::*;
    use argon2::Params;
    use argon2::password_hash::PasswordHasher;

    /// A cheap hash for tests.
    #[must_use]
    pub fn cheap_hash(password: &str) -> Secret {
        hash_of(password, 64)
    }

    /// A hash for which so many KiB are needed.
    #[must_use]
    pub fn hash_of(password: &str, n_kib: u32) -> Secret {
        let params = Params::new(n_kib, 1, 1, None).unwrap();
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        Secret::new(argon2.hash_password_with_salt(password.as_bytes(), b"saltsaltsaltsalt").unwrap().to_string())
    }

    #[tokio::test]
    async fn right_and_wrong_passwords_are_told_apart_and_nobody_is_never_right() {
        let passwords = Passwords::default();
        let hash = cheap_hash("secret");
        assert_eq!(passwords.verify("secret", Some(&hash)).await, Ok(true));
        assert_eq!(passwords.verify("Secret", Some(&hash)).await, Ok(false));
        assert_eq!(passwords.verify("", None).await, Ok(false));
        assert!(PasswordHash::new(NOBODY).is_ok(), "the stand-in must cost as much as a real one");
    }

    #[tokio::test]
    async fn beyond_the_queue_callers_are_sent_away() {
        let passwords = Passwords::default();
        let hash = cheap_hash("secret");
        let held = passwords.admitted.clone().acquire_many_owned(18).await.unwrap();
        assert_eq!(passwords.verify("secret", Some(&hash)).await, Err(Busy));
        drop(held);
        assert_eq!(passwords.verify("secret", Some(&hash)).await, Ok(true));
    }
}
