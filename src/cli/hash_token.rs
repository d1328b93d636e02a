//! `vigilmon hash-token`: a token for the API in, or a new one made, and its hash out.

use crate::cli::Exit;
use crate::cli::args::HashTokenOptions;
use crate::cli::hash_password;
use crate::cli::output;
use crate::http::random::sha256;
use crate::http::random::token;

/// Shortest token that is taken: as many characters as 128 random bits have in base64. The hash of a token is a quick one, because every
/// request is compared with it, so that only chance protects it.
const TOKEN_CHARS_MIN: usize = 22;

/// Longest; it has to fit into a header.
const TOKEN_BYTES_MAX: usize = 1024;

pub(super) fn run(options: &HashTokenOptions) -> Exit {
    let made = if options.new { token().map_err(|error| error.to_string()) } else { given() };
    let token = match made {
        Ok(token) => token,
        Err(error) => {
            output::say(&format!("there is no token: {error}"));
            return Exit::Failed;
        }
    };
    if !(TOKEN_CHARS_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) || !token.chars().all(|c| c.is_ascii_graphic()) {
        output::say(&format!(
            "a token has {TOKEN_CHARS_MIN} to {TOKEN_BYTES_MAX} letters, digits and signs, and no spaces; `--new` makes one that nobody can guess"
        ));
        return Exit::Usage;
    }
    let hash = data_encoding::HEXLOWER.encode(&sha256(token.as_bytes()));
    if options.new {
        output::data(&format!("{token}\n"));
        output::say("that is the token, for `Authorization: Bearer …`; it is kept nowhere. Its hash:");
    }
    output::data(&format!("{hash}\n"));
    output::say("put the hash into the config: auth: { tokens: [{ name: ci, hash: …, scope: read }] }");
    Exit::Fine
}

fn given() -> Result<String, String> {
    hash_password::read("Token").map_err(|error| error.to_string())
}
