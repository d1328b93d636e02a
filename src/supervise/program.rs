//! A program that is run for one errand: it is given something to read, its output is kept as far as it matters, and it has so much time.
//!
//! It gets an environment of its own and a process group of its own. When its time is over, or nobody waits for it any more, the whole
//! group is killed: what it started must not outlive it by accident. What it left in the background on purpose, by ending before its time,
//! is left alone.

use std::io;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::process::Command;

use crate::supervise::command::Ended;
use crate::supervise::tail::Tail;

/// What is read of its output at once.
const CHUNK_BYTES: usize = 8 << 10;

/// How long is listened after its end, because what it said last may still be on its way. Somebody in the background may hold its output
/// open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// An errand.
#[derive(Debug)]
pub struct Program {
    /// The program and its arguments; nothing in them has a meaning for anybody but the program.
    pub run: Vec<String>,
    /// All of its environment.
    pub env: Vec<(String, String)>,
    /// What it can read.
    pub input: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
    /// How much of the end of its output is kept.
    pub tail_bytes: usize,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    /// It ended by itself or by somebody else's signal.
    Ended(Ended, Vec<u8>),
    /// Its time was over and it was killed.
    TooLong(Vec<u8>),
}

impl Program {
    /// Runs it to its end.
    ///
    /// # Errors
    /// It could not be started.
    pub async fn finished(self) -> io::Result<Outcome> {
        let mut tail = Tail::new(self.tail_bytes);
        let (reader, writer) = io::pipe()?;
        let Some((program, arguments)) = self.run.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.env).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        // It has copies of the writing end, without which the output would never end.
        drop(command);
        let mut group = Group::of(child);
        let mut output = Receiver::from_owned_fd(reader.into())?;
        let ended = tokio::time::timeout(self.timeout, group.ended(&self.input, &mut output, &mut tail)).await;
        match ended {
            Ok(status) => {
                // It fails only in that there is more to be heard.
                let _ = tokio::time::timeout(LAST_WORDS, heard(&mut output, &mut tail)).await;
                Ok(Outcome::Ended(ended_how(status?), tail.last(self.tail_bytes)))
            }
            Err(_) => {
                group.kill();
                Ok(Outcome::TooLong(tail.last(self.tail_bytes)))
            }
        }
    }
}

/// A child and all that belongs to it; killed when dropped before its end.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Group {
        let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Group { child, leader }
    }

    async fn ended(&mut self, input: &[u8], output: &mut Receiver, tail: &mut Tail) -> io::Result<ExitStatus> {
        let stdin = self.child.stdin.take();
        let feeding = async {
            if let Some(mut stdin) = stdin {
                // Whoever does not read what he is given may still do what he is to do.
                let _ = stdin.write_all(input).await;
            }
            std::future::pending::<()>().await;
        };
        let listening = async {
            heard(output, tail).await;
            std::future::pending::<()>().await;
        };
        let status = tokio::select! {
            status = self.child.wait() => status,
            () = feeding => Err(io::ErrorKind::Other.into()),
            () = listening => Err(io::ErrorKind::Other.into()),
        };
        // From now on its number may be somebody else's.
        self.leader = None;
        status
    }

    fn kill(&mut self) {
        if let Some(leader) = self.leader.take()
            && let Err(error) = rustix::process::kill_process_group(leader, Signal::KILL)
        {
            tracing::debug!(%error, "a program that took too long could not be killed: {error}");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads until nobody can write any more.
async fn heard(output: &mut Receiver, tail: &mut Tail) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(n @ 1..) = output.read(&mut chunk).await {
        tail.push(&chunk[..n]);
    }
}

fn ended_how(status: ExitStatus) -> Ended {
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    match (status.code(), signal) {
        (Some(code), _) => Ended::Code(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => Ended::Signal(signal.and_then(|number| u8::try_from(number).ok()).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program {
            run: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![("WORD".to_owned(), "a b; $(x)".to_owned()), ("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            input: b"given".to_vec(),
            timeout: Duration::from_secs(20),
            tail_bytes: 64,
        }
    }

    async fn ended(script: &str) -> (Ended, String) {
        match shell(script).finished().await.expect("it starts") {
            Outcome::Ended(how, tail) => (how, String::from_utf8(tail).expect("text")),
            Outcome::TooLong(tail) => panic!("too long: {}", String::from_utf8_lossy(&tail)),
        }
    }

    #[tokio::test]
    async fn it_gets_its_input_and_its_environment_and_nothing_else() {
        assert_eq!(ended("cat; echo; echo \"$WORD\" >&2; env | wc -l").await.1.trim_end(), "given\na b; $(x)\n3", "PWD is the shell's own");
    }

    #[tokio::test]
    async fn its_end_is_told() {
        assert_eq!(ended("exit 75").await.0, Ended::Code(75));
        assert_eq!(ended("kill -9 $$").await.0, Ended::Signal(9));
    }

    #[tokio::test]
    async fn of_a_long_output_the_end_is_kept() {
        let (how, tail) = ended("i=0; while [ $i -lt 30000 ]; do echo 0123456789; i=$((i+1)); done; echo last").await;
        assert_eq!(how, Ended::Code(0));
        assert!(tail.len() <= 64 && tail.ends_with("0123456789\nlast\n"), "{tail}");
    }

    #[tokio::test]
    async fn whoever_stays_in_the_background_does_not_hold_it_up() {
        let (how, tail) = ended("sleep 20 & echo started $!").await;
        assert_eq!(how, Ended::Code(0));
        let pid: i32 = tail.trim().strip_prefix("started ").expect("its number").parse().expect("a number");
        let pid = Pid::from_raw(pid).expect("a process");
        assert!(rustix::process::kill_process(pid, Signal::KILL).is_ok(), "it was left alone");
    }

    #[tokio::test]
    async fn when_its_time_is_over_all_that_it_started_is_killed() {
        let mut program = shell("sleep 1000 & echo $!; wait");
        program.timeout = Duration::from_secs(1);
        let Outcome::TooLong(tail) = program.finished().await.expect("it starts") else { panic!("it ended") };
        let pid: i32 = String::from_utf8(tail).expect("text").trim().parse().expect("its number");
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        for _ in 0..500 {
            // Gone, or waiting for the first process to bury it.
            if state().is_empty() || state().contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it lives: {}", state());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let program = Program { run: vec!["/nowhere/at-all".to_owned()], ..shell("") };
        assert_eq!(program.finished().await.expect_err("no such program").kind(), io::ErrorKind::NotFound);
    }
}
