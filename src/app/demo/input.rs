//! Enter, pressed by whoever watches.

use std::io::BufRead;
use std::io::IsTerminal;

use tokio::sync::mpsc;

/// Presses that may wait; more of them say no more.
const PRESSES_MAX: usize = 1;

/// Lines from standard input, when that is a terminal.
#[derive(Debug)]
pub(super) struct Input(Option<mpsc::Receiver<()>>);

impl Input {
    /// Begins to read. The thread that does it ends with the program or the terminal, and waits for nobody.
    pub(super) fn open() -> Input {
        if !std::io::stdin().is_terminal() {
            return Input(None);
        }
        let (pressed, presses) = mpsc::channel(PRESSES_MAX);
        tokio::task::spawn_blocking(move || {
            for line in std::io::stdin().lock().lines() {
                if line.is_err() || pressed.is_closed() {
                    return;
                }
                let _ = pressed.try_send(());
            }
        });
        Input(Some(presses))
    }

    /// Whether somebody could press it.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for it; for ever, when nobody can.
    pub(super) async fn enter(&mut self) {
        if let Some(presses) = &mut self.0 {
            // What was pressed during the story was not meant for what comes after it.
            while presses.try_recv().is_ok() {}
            if presses.recv().await.is_some() {
                return;
            }
            self.0 = None;
        }
        std::future::pending().await
    }
}
