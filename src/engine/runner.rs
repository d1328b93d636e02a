//! Makes checks and rounds of controls, and sends what came of them back to the engine.
//!
//! Results are judged here, in the job of the check, and not in the core: judging is pure, so it may run anywhere, and a search
//! through a megabyte of body should not hold up the one owner of the live state.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::engine::event::Event;
use crate::engine::event::Observed;
use crate::model::monitor::Monitor;
use crate::model::net::HostPort;
use crate::model::result::Observation;
use crate::model::result::OwnTrouble;
use crate::probe::Prober;
use crate::rules::judge::judge;
use crate::rules::uplink::Round;
use crate::supervise::Jobs;
use crate::supervise::caught;

/// Checks under way at once: each needs a few descriptors, and the shipped unit allows 65 536.
pub const CHECKS_MAX: usize = 8192;

/// How long a control may take; longer than any healthy handshake, shorter than people wait for an alert.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(3);

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner {
    prober: Prober,
    clock: Clock,
    jobs: Jobs,
    events: mpsc::Sender<Event>,
    permits: Arc<Semaphore>,
}

impl Runner {
    /// Results go to `events`. At most `n_checks_max` checks run at once ([`CHECKS_MAX`], or less where descriptors are few).
    #[must_use]
    pub fn new(prober: Prober, clock: Clock, jobs: Jobs, events: mpsc::Sender<Event>, n_checks_max: usize) -> Runner {
        Runner { prober, clock, jobs, events, permits: Arc::new(Semaphore::new(n_checks_max.clamp(1, CHECKS_MAX))) }
    }

    /// Starts a check. Its event comes within the monitor's timeout, whatever the target does.
    pub fn check(&self, number: u64, monitor: Arc<Monitor>) {
        let runner = self.clone();
        self.jobs.start(async move {
            let timeout = monitor.timeout;
            let began = runner.clock.now();
            let result = match runner.permits.try_acquire() {
                // Waiting for a permit would make the check late and blame its target; saying so is honest.
                Err(_) => judge(&monitor, Observation::not_made(OwnTrouble::Setup("too many checks at once".to_owned())), began.wall),
                Ok(_permit) => {
                    let work = async { judge(&monitor, runner.prober.run(&monitor, timeout).await, began.wall) };
                    caught(work).await.unwrap_or_else(|panic| {
                        tracing::error!(monitor = %monitor.id, error = %panic, "a check of `{}` panicked: {panic}", monitor.id);
                        judge(&monitor, Observation::not_made(OwnTrouble::Panic), began.wall)
                    })
                }
            };
            // The engine is gone only when the program ends.
            let _ = runner.events.send(Event::Observed(Observed { number, began: began.mono, result })).await;
        });
    }

    /// Asks all controls at once.
    pub fn ask_controls(&self, controls: Vec<HostPort>) {
        let runner = self.clone();
        self.jobs.start(async move {
            let began = runner.clock.now();
            let (answers, mut heard) = mpsc::channel(controls.len().max(1));
            for control in controls.clone() {
                let (prober, answers) = (runner.prober.clone(), answers.clone());
                runner.jobs.start(async move {
                    let is_ok = caught(prober.control(&control, CONTROL_TIMEOUT)).await.unwrap_or(false);
                    let _ = answers.send(is_ok).await;
                });
            }
            drop(answers);
            let mut n_ok = 0;
            while let Some(is_ok) = heard.recv().await {
                n_ok += usize::from(is_ok);
            }
            let round = Round { began: began.mono, began_wall: began.wall, n_ok, n_asked: controls.len() };
            let _ = runner.events.send(Event::ControlsDone(round)).await;
        });
    }
}
