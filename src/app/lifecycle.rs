//! Beginning and end: signals, what systemd is told, and the watchdog.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use sd_notify::NotifyState;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// With this in the environment the program also ends when its standard input does: the one that started it holds the other end of the
/// pipe, and the system closes it for whoever cannot do so any more. For `vigilmon demo` and for tests, which leave nothing behind.
pub const END_WITH_STDIN: &str = "VIGILMON_END_WITH_STDIN";

/// Waits for SIGTERM or SIGINT, or for the end of standard input if that was asked for.
pub async fn asked_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("cannot hear signals; only SIGKILL will stop this program");
        return std::future::pending().await;
    };
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = stdin_ends() => "the one that started it has ended",
    };
    tracing::info!("stopping: {name}");
    tell(&[NotifyState::Stopping]);
}

/// Returns when standard input ends and the program is to end with it; otherwise never.
async fn stdin_ends() {
    if std::env::var_os(END_WITH_STDIN).is_none() {
        return std::future::pending().await;
    }
    let input = std::io::stdin().as_fd().try_clone_to_owned().and_then(pipe::Receiver::from_owned_fd);
    let mut input = match input {
        Ok(input) => input,
        Err(error) => {
            tracing::warn!(%error, "`{END_WITH_STDIN}` is set, and standard input is no pipe: {error}");
            return std::future::pending().await;
        }
    };
    let mut nothing = [0; 64];
    // What is written there means nothing; only its end does. An error ends it too.
    while matches!(input.read(&mut nothing).await, Ok(1..)) {}
}

/// Tells systemd that everything runs.
pub fn ready(text: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(text)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot tell systemd: {error}");
    }
}

/// Feeds systemd's watchdog while the check loop turns and the database takes writes; when one of them stands still, the program
/// is killed and started again, which a stuck one cannot do for itself. Ends with `stop`; without a watchdog it only waits for it.
pub async fn watchdog(pulse: Arc<AtomicU64>, store: Store, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return stop.cancelled().await;
    };
    let mut last = pulse.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(limit / 4) => {}
        }
        let turned = pulse.load(Ordering::Relaxed);
        // Any answer is progress, "the disk is full" too: killing a monitor that still checks and alerts would help nobody. Half of the
        // limit is what a slow commit may take; with the pause before it there is room to spare.
        let is_answered = tokio::time::timeout(limit / 2, store.flush()).await.is_ok();
        if turned != last && is_answered {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(loop_turns = turned != last, database_answers = is_answered, "no progress: the watchdog is not fed");
        }
        last = turned;
    }
}
