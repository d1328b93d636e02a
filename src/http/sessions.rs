//! Who is signed in. All sessions are in memory; the store keeps them over a restart.
//!
//! What is kept of a token is a digest in two halves: one finds the row, the other binds it to the credential that was used (the
//! password hash in the config, or the provider of identities). When that credential changes or its user leaves the config, no token fits any more, also after
//! a restart, without anybody having to remember which sessions to end.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use subtle::ConstantTimeEq;

use crate::http::limits::SESSION_AGE;
use crate::http::limits::SESSION_IDLE;
use crate::http::limits::SESSION_SEEN_EVERY;
use crate::http::limits::SESSIONS_MAX;
use crate::http::random::digest;
use crate::http::random::token;
use crate::model::time::UnixMillis;
use crate::store::SessionRow;

/// First half of the digest: finds the row.
type Half = [u8; 16];

/// Key of a session in the store.
pub type SessionKey = [u8; 32];

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    rows: Mutex<HashMap<Half, Held>>,
    /// Ended, but not gone from the store yet: they would come back to life with a restart.
    undeleted: Mutex<Vec<SessionKey>>,
}

#[derive(Debug, Clone)]
struct Held {
    row: SessionRow,
    saved_at: UnixMillis,
}

/// Whom a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// What they are called.
    pub user: String,
    /// What a provider of identities said of them, as JSON; `None` for who signed in here.
    pub said: Option<String>,
}

impl Who {
    fn of(row: &SessionRow) -> Who {
        Who { user: row.user.clone(), said: row.said.clone() }
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub struct Begun {
    /// For the cookie; kept nowhere.
    pub token: String,
    /// To be stored.
    pub row: SessionRow,
    /// Ended to make room; to be deleted from the store.
    pub evicted: Option<SessionKey>,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing is known of it.
    Nothing,
    /// It has ended just now; to be deleted from the store.
    Ended(SessionKey),
    /// It is good.
    Live {
        /// Whose it is.
        who: Who,
        /// To be stored, because the time of last use has moved far enough.
        save: Option<SessionRow>,
    },
}

impl Sessions {
    /// Takes over what the store kept.
    #[must_use]
    pub fn load(rows: Vec<SessionRow>) -> Sessions {
        let held = rows.into_iter().map(|row| (first_half(&row.token_hash), Held { saved_at: row.seen_at, row }));
        Sessions { rows: Mutex::new(held.collect()), undeleted: Mutex::default() }
    }

    /// Begins a session with a new token.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn begin(&self, who: Who, credential: &str, now: UnixMillis) -> Result<Begun, getrandom::Error> {
        let token = token()?;
        let Who { user, said } = who;
        let row = SessionRow { token_hash: key_of(&token, credential), user, said, created_at: now, seen_at: now };
        let mut rows = self.lock();
        let mut evicted = None;
        if rows.len() >= SESSIONS_MAX {
            let longest_unused = rows.iter().min_by_key(|(_, held)| held.row.seen_at).map(|(half, _)| *half);
            evicted = longest_unused.and_then(|half| rows.remove(&half)).map(|held| held.row.token_hash);
        }
        rows.insert(first_half(&row.token_hash), Held { row: row.clone(), saved_at: now });
        Ok(Begun { token, row, evicted })
    }

    /// Looks a token up. `credential_of` says what whoever it is signs in with now; `None` when they may not come in any more.
    pub fn find(&self, token: &str, credential_of: impl Fn(&Who) -> Option<String>, now: UnixMillis) -> Found {
        let half = first_half(&key_of(token, ""));
        let mut rows = self.lock();
        let Some(held) = rows.get_mut(&half) else { return Found::Nothing };
        if !fits(&held.row, token, &credential_of) || is_over(&held.row, now) {
            let key = held.row.token_hash;
            rows.remove(&half);
            return Found::Ended(key);
        }
        held.row.seen_at = held.row.seen_at.max(now);
        let save = (held.row.seen_at.since(held.saved_at) >= SESSION_SEEN_EVERY).then(|| {
            held.saved_at = held.row.seen_at;
            held.row.clone()
        });
        Found::Live { who: Who::of(&held.row), save }
    }

    /// Whether a token is still good, without counting as its use: whoever merely waits is idle.
    pub fn is_live(&self, token: &str, credential_of: impl Fn(&Who) -> Option<String>, now: UnixMillis) -> bool {
        let rows = self.lock();
        rows.get(&first_half(&key_of(token, ""))).is_some_and(|held| fits(&held.row, token, &credential_of) && !is_over(&held.row, now))
    }

    /// Ends one; gives back what it was, which is to be deleted from the store.
    pub fn end(&self, token: &str) -> Option<SessionRow> {
        self.lock().remove(&first_half(&key_of(token, ""))).map(|held| held.row)
    }

    /// Notes that these could not be deleted from the store; the next [`Sessions::sweep`] gives them back. There cannot be more
    /// than fit in memory: what finds no room ends by age.
    pub fn delete_later(&self, keys: Vec<SessionKey>) {
        let mut undeleted = self.undeleted.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SESSIONS_MAX.saturating_sub(undeleted.len());
        undeleted.extend(keys.into_iter().take(room));
    }

    /// Ends those that are over and those of people who may not come in any more; gives back what is to be deleted from the store.
    pub fn sweep(&self, may_come: impl Fn(&Who) -> bool, now: UnixMillis) -> Vec<SessionKey> {
        let mut ended = std::mem::take(&mut *self.undeleted.lock().unwrap_or_else(PoisonError::into_inner));
        self.lock().retain(|_, held| {
            let stays = may_come(&Who::of(&held.row)) && !is_over(&held.row, now);
            if !stays {
                ended.push(held.row.token_hash);
            }
            stays
        });
        ended
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Half, Held>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a token belongs to a session whose user signs in with the same credential now.
fn fits(row: &SessionRow, token: &str, credential_of: impl Fn(&Who) -> Option<String>) -> bool {
    credential_of(&Who::of(row)).is_some_and(|credential| {
        let expected = key_of(token, &credential);
        expected[..].ct_eq(&row.token_hash[..]).into()
    })
}

fn is_over(row: &SessionRow, now: UnixMillis) -> bool {
    now.since(row.seen_at) >= SESSION_IDLE || now.since(row.created_at) >= SESSION_AGE
}

fn key_of(token: &str, credential: &str) -> SessionKey {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&digest(&[b"session", token.as_bytes()])[..16]);
    key[16..].copy_from_slice(&digest(&[b"session bound to", token.as_bytes(), credential.as_bytes()])[..16]);
    key
}

fn first_half(key: &SessionKey) -> Half {
    let mut half = [0; 16];
    half.copy_from_slice(&key[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const T0: UnixMillis = UnixMillis(1_000_000);

    fn ops() -> Who {
        Who { user: "ops".to_owned(), said: None }
    }

    fn hash(_: &Who) -> Option<String> {
        Some("hash".to_owned())
    }

    fn live(sessions: &Sessions, token: &str, now: UnixMillis) -> bool {
        matches!(sessions.find(token, hash, now), Found::Live { .. })
    }

    #[test]
    fn sessions_end_when_idle_and_when_old() {
        let sessions = Sessions::default();
        let token = sessions.begin(ops(), "hash", T0).unwrap().token;
        assert!(live(&sessions, &token, (T0 + SESSION_IDLE).minus(Duration::from_millis(1))));
        let idle = sessions.begin(ops(), "hash", T0).unwrap().token;
        assert!(!live(&sessions, &idle, T0 + SESSION_IDLE));
        // Used every twelve hours, it still ends after thirty days.
        let n_lived = (1..100_u32).filter(|i| live(&sessions, &token, T0 + Duration::from_secs(12 * 3600) * *i)).count();
        assert_eq!(n_lived, 59);
    }

    #[test]
    fn a_changed_password_or_a_removed_user_ends_sessions_also_after_a_restart() {
        let sessions = Sessions::default();
        let begun = sessions.begin(ops(), "hash", T0).unwrap();
        let restarted = Sessions::load(vec![begun.row.clone()]);
        assert!(live(&restarted, &begun.token, T0));
        assert_eq!(restarted.find(&begun.token, |_| Some("new".to_owned()), T0), Found::Ended(begun.row.token_hash));
        assert_eq!(restarted.find(&begun.token, hash, T0), Found::Nothing);
        assert_eq!(sessions.sweep(|who| who.user != "ops", T0), [begun.row.token_hash]);
    }

    #[test]
    fn the_token_itself_is_never_kept_and_the_last_use_is_saved_by_the_minute() {
        let sessions = Sessions::default();
        let begun = sessions.begin(ops(), "hash", T0).unwrap();
        assert!(!format!("{sessions:?}").contains(&begun.token));
        assert_eq!(sessions.find(&begun.token, hash, T0 + Duration::from_secs(59)), Found::Live { who: ops(), save: None });
        assert!(matches!(sessions.find(&begun.token, hash, T0 + Duration::from_secs(60)), Found::Live { save: Some(_), .. }));
        assert!(sessions.end(&begun.token).is_some());
        assert_eq!(sessions.find("nonsense", hash, T0), Found::Nothing);
    }
}
