//! Password hashes as text: argon2id in the PHC format.
//!
//! Only reads the text; nothing is hashed here. The costs are limited, because whoever may sign in makes the server pay them.

use std::fmt;

use data_encoding::BASE64_NOPAD;

/// An argon2id hash, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub n_passes: u32,
    /// Lanes.
    pub n_lanes: u32,
    /// 8 to 64 bytes.
    pub salt: Vec<u8>,
    /// 16 to 64 bytes.
    pub hash: Vec<u8>,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([secret])")
    }
}

/// Why a text is not such a hash. Never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHash {
    /// Another algorithm, or no hash at all.
    #[error("this is not an argon2id hash")]
    NotArgon2id,
    /// Its parts are damaged.
    #[error("this argon2id hash is damaged; it has the form `$argon2id$v=19$m=…,t=…,p=…$salt$hash`")]
    Damaged,
    /// It would take too much memory or time to check.
    #[error("this argon2id hash is too costly to check: at most 256 MiB, 16 passes and 16 lanes")]
    TooCostly,
}

const MEMORY_KIB_MAX: u32 = 256 << 10;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 16;

impl PasswordHash {
    /// Reads `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
    ///
    /// # Errors
    /// [`BadHash`].
    pub fn parse(text: &str) -> Result<PasswordHash, BadHash> {
        let rest = text.strip_prefix("$argon2id$").ok_or(BadHash::NotArgon2id)?;
        let parts: Vec<&str> = rest.split('$').collect();
        let ["v=19", costs, salt, hash] = parts.as_slice() else { return Err(BadHash::Damaged) };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, passes, lanes] = costs.as_slice() else { return Err(BadHash::Damaged) };
        let number = |text: &str, prefix: &str| text.strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok()).ok_or(BadHash::Damaged);
        let (memory_kib, n_passes, n_lanes) = (number(memory, "m=")?, number(passes, "t=")?, number(lanes, "p=")?);
        let bytes = |text: &str| BASE64_NOPAD.decode(text.as_bytes()).map_err(|_| BadHash::Damaged);
        let (salt, hash) = (bytes(salt)?, bytes(hash)?);
        if n_passes == 0 || n_lanes == 0 || memory_kib < 8 * n_lanes.min(LANES_MAX) {
            return Err(BadHash::Damaged);
        }
        if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&hash.len()) {
            return Err(BadHash::Damaged);
        }
        if memory_kib > MEMORY_KIB_MAX || n_passes > PASSES_MAX || n_lanes > LANES_MAX {
            return Err(BadHash::TooCostly);
        }
        Ok(PasswordHash { memory_kib, n_passes, n_lanes, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_taken_apart_and_bad_ones_refused() {
        let good = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZg";
        let hash = PasswordHash::parse(good).expect("a hash");
        assert_eq!((hash.memory_kib, hash.n_passes, hash.n_lanes), (19456, 2, 1));
        assert_eq!(hash.salt, b"saltsaltsalt");
        for (text, error) in [
            ("$2y$10$abc", BadHash::NotArgon2id),
            ("hunter2", BadHash::NotArgon2id),
            ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0", BadHash::Damaged),
            ("$argon2id$v=16$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZg", BadHash::Damaged),
            ("$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0$MDEyMzQ1Njc4OWFiY2RlZg", BadHash::TooCostly),
        ] {
            assert_eq!(PasswordHash::parse(text), Err(error), "{text}");
        }
    }
}
