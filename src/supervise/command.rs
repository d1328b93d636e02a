//! A command of somebody else's: started, its output passed on as if nobody stood between, waited for.
//!
//! Made of threads that block: one waits for the end, and one for each output copies it. What the command says is written to our own
//! output before more is read, so that a slow reader slows the command down as it would without us, and memory stays bounded.
//!
//! As the first process of a container this program also inherits the orphans of others and has to bury them. It does so until the
//! command has ended; then it ends as well, and the system with it takes everything that is left.

use std::fs::File;
use std::io;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc as blocking;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::WaitOptions;
use rustix::process::WaitStatus;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::supervise::tail::Tail;

/// What is read of an output at once: what a pipe holds by default.
const CHUNK_BYTES: usize = 64 << 10;

/// How long an output must be silent after the end of the command before it counts as over although somebody in the background still
/// holds it open. Whoever speaks within this time is still listened to.
const SILENCE: Duration = Duration::from_millis(500);

/// Pause when our own output takes nothing at the moment, because somebody made it non-blocking.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Exit codes from here on mean a signal, by the custom of shells.
const SIGNALS_FROM: u8 = 128;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(u8),
    /// By a signal of this number.
    Signal(u8),
}

impl Ended {
    /// The exit code as a shell reports it: 128 and the number for a signal.
    #[must_use]
    pub fn shell_code(self) -> u8 {
        match self {
            Ended::Code(code) => code,
            Ended::Signal(number) => SIGNALS_FROM.saturating_add(number),
        }
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    /// Names the process for good, where its number may be somebody else's after its end. `None` on kernels without it.
    fd: Option<OwnedFd>,
    end: oneshot::Receiver<Ended>,
    output: Output,
}

/// The output of a command, on its way to ours.
#[derive(Debug)]
pub struct Output {
    copies: Vec<Copying>,
    tail: Arc<Mutex<Tail>>,
    /// Closed when the last of the copies has ended.
    over: mpsc::Receiver<()>,
}

/// One output that is being copied.
#[derive(Debug)]
struct Copying {
    /// Gone when the copy has ended.
    pipe: Weak<PipeReader>,
    /// Grows with each read and each write: even while it waits for the command to say something, odd while it passes that on.
    n_steps: Arc<AtomicU64>,
}

impl Running {
    /// Starts a command. Its input is ours; with a tail of 0 bytes its output is ours as well, otherwise it is copied there and its end
    /// is kept. Must not be called twice in one program, because as the first process of a container it waits for whoever ends.
    ///
    /// # Errors
    /// Why it cannot be executed: not found, not permitted, not a program, or nothing left to run it with.
    pub fn start(mut command: Command, tail_bytes: usize) -> io::Result<Running> {
        let tail = Arc::new(Mutex::new(Tail::new(tail_bytes)));
        let (copies, is_over) = mpsc::channel(1);
        let mut output = Output { copies: Vec::new(), tail, over: is_over };
        if 0 < tail_bytes {
            output.connect(&mut command, &copies)?;
        }
        drop(copies);
        // Before there is a process: without a thread to wait for it nobody would ever learn of its end.
        let (told, pid_of_it) = blocking::channel();
        let (sender, end) = oneshot::channel();
        thread("wait", move || {
            let Ok(pid) = pid_of_it.recv() else { return };
            // The other end is gone only when nobody wants to know any more.
            let _ = sender.send(wait(pid));
        })?;
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
        // It waits for nothing else.
        let _ = told.send(pid);
        Ok(Running { pid, fd, end, output })
    }

    /// Sends it a signal. One that has ended meanwhile does not mind.
    pub fn signal(&self, signal: Signal) {
        let sent = match &self.fd {
            Some(fd) => rustix::process::pidfd_send_signal(fd, signal),
            None => rustix::process::kill_process(self.pid, signal),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the command could not be signalled: {error}");
        }
    }

    /// Waits for its end. May be dropped and called again until it has returned once.
    pub async fn ended(&mut self) -> Ended {
        // The thread sends before it ends; if it died of a bug, the honest answer is that the command's end is not known to be good.
        (&mut self.end).await.unwrap_or(Ended::Code(u8::MAX))
    }

    /// The output, when it has ended.
    #[must_use]
    pub fn into_output(self) -> Output {
        self.output
    }
}

impl Output {
    /// Gives the command pipes to write to, and starts to copy what comes out of them. One pipe for both when both lead to the same
    /// place anyway: then the order between them stays what it was.
    fn connect(&mut self, command: &mut Command, is_running: &mpsc::Sender<()>) -> io::Result<()> {
        let (out, err) = (io::stdout(), io::stderr());
        let (reader, writer) = io::pipe()?;
        if is_same_place(&out, &err) {
            command.stderr(Stdio::from(writer.try_clone()?));
        } else {
            let (reader, writer) = io::pipe()?;
            command.stderr(writer);
            self.copy("stderr", reader, err.as_fd().try_clone_to_owned()?, is_running)?;
        }
        self.copy("stdout", reader, out.as_fd().try_clone_to_owned()?, is_running)?;
        command.stdout::<PipeWriter>(writer);
        Ok(())
    }

    fn copy(&mut self, name: &str, pipe: PipeReader, to: OwnedFd, is_running: &mpsc::Sender<()>) -> io::Result<()> {
        let (pipe, n_steps) = (Arc::new(pipe), Arc::new(AtomicU64::new(0)));
        self.copies.push(Copying { pipe: Arc::downgrade(&pipe), n_steps: Arc::clone(&n_steps) });
        let (tail, is_running) = (Arc::clone(&self.tail), is_running.clone());
        thread(name, move || {
            // Its end closes the pipe too: a command that goes on writing then learns what it would have learned from our reader.
            copy(&pipe, &mut File::from(to), &tail, &n_steps);
            drop(is_running);
        })
    }

    /// Waits until everything that the command said has been passed on. To be called after its end; somebody whom it left in the
    /// background with its output open is waited for only while he speaks.
    pub async fn passed_on(&mut self) {
        let mut before = None;
        loop {
            let seen: Vec<Option<u64>> = self.copies.iter().map(Copying::waits_for_more).collect();
            let is_silent = seen.iter().all(Option::is_some);
            if is_silent && before.as_ref() == Some(&seen) {
                return;
            }
            before = Some(seen);
            // Nobody sends, so this returns when the last sender is gone.
            if tokio::time::timeout(SILENCE, self.over.recv()).await.is_ok() {
                return;
            }
        }
    }

    /// The last bytes of it, at most `bytes_max`.
    #[must_use]
    pub fn tail(&self, bytes_max: usize) -> Vec<u8> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).last(bytes_max)
    }
}

impl Copying {
    /// How far it is, when it has nothing to do; `None` while there is something to pass on.
    fn waits_for_more(&self) -> Option<u64> {
        let n_steps = self.n_steps.load(Ordering::Acquire);
        let Some(pipe) = self.pipe.upgrade() else { return Some(n_steps) };
        let is_empty = rustix::io::ioctl_fionread(&*pipe).is_ok_and(|n_bytes| n_bytes == 0);
        (is_empty && n_steps.is_multiple_of(2)).then_some(n_steps)
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Copies until the end, or until nobody reads.
fn copy(mut from: &PipeReader, to: &mut File, tail: &Mutex<Tail>, n_steps: &AtomicU64) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let n = match from.read(&mut chunk) {
            Ok(0) => return,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        n_steps.fetch_add(1, Ordering::Release);
        tail.lock().unwrap_or_else(PoisonError::into_inner).push(&chunk[..n]);
        if pass_on(to, &chunk[..n]).is_err() {
            return;
        }
        n_steps.fetch_add(1, Ordering::Release);
    }
}

fn pass_on(to: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(FULL_PAUSE),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether both lead to the same terminal, file, pipe or socket.
fn is_same_place(one: impl AsFd, other: impl AsFd) -> bool {
    let place = |fd: &dyn AsFd| rustix::fs::fstat(fd.as_fd()).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    place(&one).is_some_and(|found| Some(found) == place(&other))
}

/// Waits for the end of a process of ours, and takes note of it.
fn wait(pid: Pid) -> Ended {
    let is_first = rustix::process::getpid().is_init();
    loop {
        let waited =
            if is_first { rustix::process::wait(WaitOptions::empty()) } else { rustix::process::waitpid(Some(pid), WaitOptions::empty()) };
        match waited {
            Ok(Some((who, status))) if who == pid => {
                if let Some(ended) = how(status) {
                    return ended;
                }
            }
            // An orphan is buried, or somebody was stopped.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // Somebody else took note of it. That cannot be in this program, but a wait without end would be worse than a wrong code.
            Err(_) => return Ended::Code(u8::MAX),
        }
    }
}

fn how(status: WaitStatus) -> Option<Ended> {
    // Both are below 256 by the way the system packs them.
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    let by_itself = status.exit_status().map(|code| Ended::Code(byte(code)));
    by_itself.or_else(|| status.terminating_signal().map(|number| Ended::Signal(byte(number))))
}
