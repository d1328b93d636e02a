//! What a running check leaves behind: the phase it is in, times, transcript. It lives outside of the check's future, so that
//! a check that is cut off at its deadline can still say how far it came. Decides nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::result::Certificate;
use crate::model::result::Failure;
use crate::model::result::Observation;
use crate::model::result::Phase;
use crate::model::result::Seen;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::time::Mono;
use crate::model::time::spoken;
use crate::probe::stream::Meter;

/// The record of one check, or of one address of it.
#[derive(Debug)]
pub(crate) struct Trace {
    /// Where its times come from.
    pub(crate) clock: Clock,
    begun: Mono,
    running: Option<(Phase, Mono)>,
    last: Phase,
    /// Times of the phases that ended.
    pub(crate) timings: Timings,
    /// The address that is talked to, or tried last.
    pub(crate) remote: Option<IpAddr>,
    /// The certificate that was shown last.
    pub(crate) certificate: Option<Certificate>,
    /// What came back of a TCP check so far; kept here so that it can be shown when time runs out.
    pub(crate) received: Vec<u8>,
    /// Set while something is done for ourselves, such as fetching a token: failing then is our own trouble.
    pub(crate) errand: Option<String>,
    transcript: Transcript,
    meter: Option<Arc<Meter>>,
}

impl Trace {
    /// A check begins now.
    pub(crate) fn new(clock: &Clock) -> Trace {
        Trace {
            clock: clock.clone(),
            begun: clock.now().mono,
            running: None,
            last: Phase::Dns,
            timings: Timings::default(),
            remote: None,
            certificate: None,
            received: Vec::new(),
            errand: None,
            transcript: Transcript::default(),
            meter: None,
        }
    }

    /// The record of one of several addresses: same beginning and look-up time, its own lines.
    pub(crate) fn fork(&self) -> Trace {
        Trace { begun: self.begun, timings: self.timings, ..Trace::new(&self.clock) }
    }

    /// A phase begins; the one before it must have ended.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.last = phase;
        self.running = Some((phase, self.clock.now().mono));
    }

    /// The running phase ends; returns how long it took.
    pub(crate) fn leave(&mut self) -> Duration {
        let took = self.running.map_or(Duration::ZERO, |(_, begun)| self.clock.now().mono.since(begun));
        self.leave_after(took);
        took
    }

    /// The running phase ended `took` after it began, which may be a while ago.
    fn leave_after(&mut self, took: Duration) {
        let Some((phase, _)) = self.running.take() else { return };
        let slot = match phase {
            Phase::Dns => &mut self.timings.dns,
            Phase::Connect => &mut self.timings.connect,
            Phase::Tls => &mut self.timings.tls,
            Phase::FirstByte => &mut self.timings.first_byte,
            Phase::Transfer => &mut self.timings.transfer,
        };
        *slot = Some(took);
    }

    /// From now on the first byte that `meter` sees ends the wait for the answer.
    pub(crate) fn await_answer(&mut self, meter: Arc<Meter>) {
        meter.expect_head();
        self.meter = Some(meter);
        self.enter(Phase::FirstByte);
    }

    /// The phase that is running, or that ran last. An answer of which a part has come is being transferred.
    pub(crate) fn phase(&mut self) -> Phase {
        if let (Some((Phase::FirstByte, begun)), Some(meter)) = (self.running, &self.meter)
            && let Some(first) = meter.first_byte()
        {
            self.leave_after(first.since(begun));
            self.last = Phase::Transfer;
            self.running = Some((Phase::Transfer, first));
        }
        self.last
    }

    /// The head of the answer is complete; what follows is its body.
    pub(crate) fn head_complete(&mut self) {
        if self.phase() == Phase::FirstByte {
            self.leave();
            self.enter(Phase::Transfer);
        }
        self.meter = None;
    }

    /// Another hop begins: the phases are those of the last hop, the total is of all.
    pub(crate) fn next_hop(&mut self) {
        self.leave();
        self.timings = Timings::default();
        self.meter = None;
    }

    /// Time since the check began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.now().mono.since(self.begun)
    }

    /// Adds a line to the transcript.
    pub(crate) fn say(&mut self, line: &str) {
        self.transcript.say(line);
    }

    /// Takes over the lines of another record, under a heading.
    pub(crate) fn append(&mut self, heading: &str, other: &Transcript) {
        self.say(heading);
        for line in &other.lines {
            self.say(line);
        }
        self.transcript.n_dropped = self.transcript.n_dropped.saturating_add(other.n_dropped);
    }

    /// The other side hung up in the phase that is running.
    pub(crate) fn closed(&mut self, reset: bool) -> Failure {
        Failure::Closed { phase: self.phase(), reset }
    }

    /// Its lines alone, when what was seen has been told elsewhere.
    pub(crate) fn into_transcript(self) -> Transcript {
        self.transcript
    }

    /// The check is over.
    pub(crate) fn finish(mut self, seen: Result<Seen, Failure>) -> Observation {
        self.phase();
        self.leave();
        self.timings.total = self.elapsed();
        if let Err(failure) = &seen {
            let line = format!("failed after {}: {failure}", spoken(self.timings.total));
            self.say(&line);
        }
        Observation {
            timings: self.timings,
            remote: self.remote,
            seen,
            certificate: self.certificate,
            failed_addresses: Vec::new(),
            transcript: self.transcript,
        }
    }
}
