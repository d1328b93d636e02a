//! `vigilmon hash-password`: a password in, its argon2id hash out.

use std::io::BufRead;
use std::io::IsTerminal;

use argon2::Argon2;
use argon2::PasswordHasher;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::tcgetattr;
use rustix::termios::tcsetattr;

use crate::cli::Exit;
use crate::cli::output;

/// Shortest password that is taken: length is the only rule that makes guessing harder.
const PASSWORD_CHARS_MIN: usize = 8;

/// Longest, so that hashing it stays quick.
const PASSWORD_BYTES_MAX: usize = 1024;

pub(super) fn run() -> Exit {
    let password = match read("Password") {
        Ok(password) => password,
        Err(error) => {
            output::say(&format!("cannot read the password: {error}"));
            return Exit::Failed;
        }
    };
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        output::say(&format!("a password has {PASSWORD_CHARS_MIN} to {PASSWORD_BYTES_MAX} characters; longer is better than stranger"));
        return Exit::Usage;
    }
    match Argon2::default().hash_password(password.as_bytes()) {
        Ok(hash) => {
            output::data(&format!("{hash}\n"));
            output::say(
                "put it into the config: auth: { users: [{ name: you, password_hash: '…' }] }, or into a file and write { file: … }",
            );
            Exit::Fine
        }
        Err(error) => {
            output::say(&format!("cannot hash the password: {error}"));
            Exit::Failed
        }
    }
}

/// One line from standard input, without echo when somebody types it; `what` is asked for then.
pub(super) fn read(what: &str) -> std::io::Result<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return line();
    }
    output::say(&format!("{what} (not shown): "));
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let line = line();
    // Whatever happened, the terminal must echo again.
    tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
    line
}

fn line() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
