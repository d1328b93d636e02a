//! Who is signed in. All sessions are in memory; the store keeps them over a restart.
//!
//! What is kept of a token is a digest in two halves: one finds the row, the other binds it to the credential that was used (the
//! password hash in the config, or the provider of identities). When that credential changes or its user leaves the config, no token fits any more, also after
//! a restart, without anybody having to remember which sessions to end.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use subtle::ConstantTimeEq;

use crate::http::limits::SESSION_AGE;
use crate::http::limits::SESSION_IDLE;
use crate::http::limits::SESSION_SEEN_EVERY;
use crate::http::limits::SESSIONS_MAX;
use crate::http::limits::SESSIONS_SAID_BYTES_MAX;
use crate::http::oidc::claims::Said;
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
    rows: Mutex<Rows>,
    /// Ended, but not gone from the store yet: they would come back to life with a restart.
    undeleted: Mutex<Vec<SessionKey>>,
}

#[derive(Debug, Default)]
struct Rows {
    held: HashMap<Half, Held>,
    /// What was said of all of them.
    n_said_bytes: usize,
}

#[derive(Debug, Clone)]
struct Held {
    row: SessionRow,
    who: Arc<Who>,
    saved_at: UnixMillis,
}

/// Whom a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// What they are called.
    pub user: String,
    /// What a provider of identities said of them; `None` for who signed in here.
    pub said: Option<Kept>,
}

/// What a provider said, as it is asked for with every request, and as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    said: Said,
    json: String,
}

impl Kept {
    /// Keeps it.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn new(said: Said) -> Result<Kept, serde_json::Error> {
        serde_json::to_string(&said).map(|json| Kept { said, json })
    }

    fn read(json: String) -> Option<Kept> {
        serde_json::from_str(&json).ok().map(|said| Kept { said, json })
    }

    /// What was said.
    #[must_use]
    pub fn said(&self) -> &Said {
        &self.said
    }
}

impl Rows {
    fn insert(&mut self, held: Held) {
        self.n_said_bytes += n_said_bytes(&held.row);
        if let Some(before) = self.held.insert(first_half(&held.row.token_hash), held) {
            self.n_said_bytes -= n_said_bytes(&before.row);
        }
    }

    fn remove(&mut self, half: &Half) -> Option<Held> {
        let held = self.held.remove(half)?;
        self.n_said_bytes -= n_said_bytes(&held.row);
        Some(held)
    }

    /// Ends those that were unused for longest until there is room for one more, of which so much was said; gives back which.
    fn make_room(&mut self, n_more_bytes: usize) -> Vec<SessionKey> {
        let mut evicted = Vec::new();
        loop {
            let is_wordy = SESSIONS_SAID_BYTES_MAX < self.n_said_bytes + n_more_bytes;
            if !is_wordy && self.held.len() < SESSIONS_MAX {
                return evicted;
            }
            let candidates = self.held.iter().filter(|(_, held)| !is_wordy || held.row.said.is_some());
            let Some(half) = candidates.min_by_key(|(_, held)| held.row.seen_at).map(|(half, _)| *half) else { return evicted };
            evicted.extend(self.remove(&half).map(|held| held.row.token_hash));
        }
    }
}

fn n_said_bytes(row: &SessionRow) -> usize {
    row.said.as_ref().map_or(0, String::len)
}

/// A session that has just begun.
#[derive(Debug)]
pub struct Begun {
    /// For the cookie; kept nowhere.
    pub token: String,
    /// To be stored.
    pub row: SessionRow,
    /// Ended to make room; to be deleted from the store.
    pub evicted: Vec<SessionKey>,
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
        who: Arc<Who>,
        /// To be stored, because the time of last use has moved far enough.
        save: Option<SessionRow>,
    },
}

impl Sessions {
    /// Takes over what the store kept. What cannot be read of it lets nobody in, and is given back by the next [`Sessions::sweep`].
    #[must_use]
    pub fn load(mut stored: Vec<SessionRow>) -> Sessions {
        let (mut rows, mut undeleted) = (Rows::default(), Vec::new());
        // The newest last: they push the others out.
        stored.sort_by_key(|row| row.seen_at);
        for row in stored {
            let said = row.said.clone().map(Kept::read);
            if said == Some(None) {
                undeleted.push(row.token_hash);
                continue;
            }
            undeleted.extend(rows.make_room(n_said_bytes(&row)));
            let who = Arc::new(Who { user: row.user.clone(), said: said.flatten() });
            rows.insert(Held { saved_at: row.seen_at, who, row });
        }
        Sessions { rows: Mutex::new(rows), undeleted: Mutex::new(undeleted) }
    }

    /// Begins a session with a new token.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn begin(&self, who: Who, credential: &str, now: UnixMillis) -> Result<Begun, getrandom::Error> {
        let token = token()?;
        let said = who.said.as_ref().map(|kept| kept.json.clone());
        let row = SessionRow { token_hash: key_of(&token, credential), user: who.user.clone(), said, created_at: now, seen_at: now };
        let mut rows = self.lock();
        let evicted = rows.make_room(n_said_bytes(&row));
        rows.insert(Held { row: row.clone(), who: Arc::new(who), saved_at: now });
        Ok(Begun { token, row, evicted })
    }

    /// Looks a token up. `credential_of` says what whoever it is signs in with now; `None` when they may not come in any more. Nobody else
    /// waits while it thinks.
    pub fn find(&self, token: &str, credential_of: impl Fn(&Who) -> Option<String>, now: UnixMillis) -> Found {
        let half = first_half(&key_of(token, ""));
        let Some((who, key)) = self.whose(&half) else { return Found::Nothing };
        let is_theirs = fits(&who, &key, token, credential_of);
        let mut rows = self.lock();
        let Some(held) = rows.held.get_mut(&half).filter(|held| held.row.token_hash == key) else { return Found::Nothing };
        if !is_theirs || is_over(&held.row, now) {
            rows.remove(&half);
            return Found::Ended(key);
        }
        held.row.seen_at = held.row.seen_at.max(now);
        let save = (held.row.seen_at.since(held.saved_at) >= SESSION_SEEN_EVERY).then(|| {
            held.saved_at = held.row.seen_at;
            held.row.clone()
        });
        Found::Live { who, save }
    }

    /// Whether a token is still good, without counting as its use: whoever merely waits is idle.
    pub fn is_live(&self, token: &str, credential_of: impl Fn(&Who) -> Option<String>, now: UnixMillis) -> bool {
        let half = first_half(&key_of(token, ""));
        let Some((who, key)) = self.whose(&half) else { return false };
        fits(&who, &key, token, credential_of) && self.lock().held.get(&half).is_some_and(|held| !is_over(&held.row, now))
    }

    fn whose(&self, half: &Half) -> Option<(Arc<Who>, SessionKey)> {
        self.lock().held.get(half).map(|held| (Arc::clone(&held.who), held.row.token_hash))
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
        let all: Vec<(Half, Arc<Who>)> = self.lock().held.iter().map(|(half, held)| (*half, Arc::clone(&held.who))).collect();
        let gone: HashSet<Half> = all.into_iter().filter(|(_, who)| !may_come(who)).map(|(half, _)| half).collect();
        let mut rows = self.lock();
        let over = rows.held.iter().filter(|(half, held)| gone.contains(*half) || is_over(&held.row, now));
        let over: Vec<Half> = over.map(|(half, _)| *half).collect();
        ended.extend(over.iter().filter_map(|half| rows.remove(half)).map(|held| held.row.token_hash));
        ended
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a token belongs to a session whose user signs in with the same credential now.
fn fits(who: &Who, key: &SessionKey, token: &str, credential_of: impl Fn(&Who) -> Option<String>) -> bool {
    credential_of(who).is_some_and(|credential| {
        let expected = key_of(token, &credential);
        expected[..].ct_eq(&key[..]).into()
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
        assert_eq!(sessions.find(&begun.token, hash, T0 + Duration::from_secs(59)), Found::Live { who: Arc::new(ops()), save: None });
        assert!(matches!(sessions.find(&begun.token, hash, T0 + Duration::from_secs(60)), Found::Live { save: Some(_), .. }));
        assert!(sessions.end(&begun.token).is_some());
        assert_eq!(sessions.find("nonsense", hash, T0), Found::Nothing);
    }

    fn said(n_bytes: usize) -> Who {
        let said = Said { subject: "42".to_owned(), groups: vec!["g".repeat(n_bytes)], email_domain: None };
        Who { user: "ada".to_owned(), said: Some(Kept::new(said).unwrap()) }
    }

    #[test]
    fn what_was_said_of_people_is_bounded_in_all_and_comes_back_after_a_restart() {
        let sessions = Sessions::default();
        let quiet = sessions.begin(ops(), "hash", T0).unwrap();
        let wordy = SESSIONS_SAID_BYTES_MAX / 4;
        let begin = |n: u32| sessions.begin(said(wordy), "hash", T0 + Duration::from_secs(1) * n).unwrap();
        let begun: Vec<Begun> = (0..3).map(begin).collect();
        assert!(begun.iter().all(|begun| begun.evicted.is_empty()));
        // The first one was used meanwhile, so the second one has to go.
        let later = T0 + Duration::from_secs(10);
        assert!(live(&sessions, &begun[0].token, later));
        assert_eq!(begin(20).evicted, [begun[1].row.token_hash]);
        assert!(live(&sessions, &quiet.token, later), "whoever nothing was said of makes no room");
        assert!(live(&sessions, &begun[0].token, later) && !live(&sessions, &begun[1].token, later));
        sessions.end(&begun[0].token);
        assert!(begin(21).evicted.is_empty(), "who signs out makes room");

        let row = |n| SessionRow { seen_at: T0 + Duration::from_secs(n), ..begin(0).row };
        let rows: Vec<SessionRow> = (30..40).map(row).collect();
        let restarted = Sessions::load(rows.clone());
        assert_eq!(restarted.lock().held.len(), 3);
        let unread = SessionRow { said: Some("not JSON".to_owned()), ..rows[9].clone() };
        assert_eq!(Sessions::load(vec![unread]).sweep(|_| true, T0), [rows[9].token_hash]);
        let gone = restarted.sweep(|who| who.said.as_ref().is_some_and(|kept| kept.said().subject == "42"), T0);
        assert_eq!(gone.len(), 7, "what found no room is deleted from the store");
        assert_eq!(restarted.sweep(|_| false, T0).len(), 3);
    }

    #[test]
    fn nobody_waits_while_it_is_judged_who_may_come_in() {
        let sessions = Sessions::default();
        let (one, other) = (sessions.begin(ops(), "hash", T0).unwrap().token, sessions.begin(ops(), "hash", T0).unwrap().token);
        // Judging one asks for another: with the lock held this would never end.
        let judged = |who: &Who| live(&sessions, &other, T0).then(|| hash(who)).flatten();
        assert!(matches!(sessions.find(&one, judged, T0), Found::Live { .. }));
        assert!(sessions.is_live(&one, judged, T0));
        assert!(sessions.sweep(|who| judged(who).is_some(), T0).is_empty());
    }
}
