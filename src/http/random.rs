//! Tokens and digests.

use data_encoding::BASE64URL_NOPAD;
use ring::digest;
use ring::digest::SHA256;

/// Bytes of a token: 256 bit cannot be guessed.
const TOKEN_BYTES: usize = 32;

/// A new token, 43 characters that need no escaping anywhere.
///
/// # Errors
/// The system has no randomness to give; nothing secret may be made then.
pub fn token() -> Result<String, getrandom::Error> {
    Ok(BASE64URL_NOPAD.encode(&key()?))
}

/// A new name that nobody guesses and that nothing follows from, 22 characters that need no escaping anywhere.
///
/// # Errors
/// As for [`token`].
pub fn name() -> Result<String, getrandom::Error> {
    Ok(BASE64URL_NOPAD.encode(&key()?[..16]))
}

/// A new key.
///
/// # Errors
/// As for [`token`].
pub fn key() -> Result<[u8; TOKEN_BYTES], getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A new id that people type: eight letters and digits. It is no secret.
///
/// # Errors
/// As for [`token`].
pub fn short_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 5];
    getrandom::fill(&mut bytes)?;
    Ok(data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
}

/// SHA-256 of the parts, each preceded by its length, so that no two lists of parts are the same text.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Plain SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&SHA256, bytes).as_ref());
    out
}
