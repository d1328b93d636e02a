//! What the other side says during an attempt, kept beside its outcome: so that people can read it, and also when the attempt ends by
//! running out of time. Errors and the log never repeat it.

use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::model::channel::ChannelSpec;
use crate::model::notification::ServiceId;
use crate::notifier::mask::Mask;
use crate::store::Answered;
use crate::store::AnsweredBy;

/// Takes down answers; of several the last one counts.
#[derive(Debug, Default)]
pub struct Heard {
    last: Mutex<Option<Raw>>,
    /// Set when the message has arrived: what the service calls it.
    arrival: OnceLock<Option<ServiceId>>,
    /// The message is on its way, and nothing has been said to it yet.
    is_on_its_way: AtomicBool,
    /// Who of several recipients was left out when it was accepted.
    left_out: OnceLock<LeftOut>,
}

/// Recipients for whom a message was not accepted, though it was for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Those for whom that may change.
    pub remaining: Vec<String>,
    /// Who they all are, and why, in one sentence.
    pub said: String,
}

#[derive(Debug)]
struct Raw {
    by: AnsweredBy,
    code: i32,
    said: Vec<u8>,
}

impl Heard {
    /// Takes down an answer, as it came.
    pub fn note(&self, by: AnsweredBy, code: impl Into<i32>, said: &[u8]) {
        let raw = Raw { by, code: code.into(), said: said.to_vec() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(raw);
    }

    /// Takes down that the message is about to leave: from here on it may arrive without anything saying so.
    pub fn note_departure(&self) {
        self.is_on_its_way.store(true, Ordering::Relaxed);
    }

    /// Takes down that the message was answered, in whatever way, or never left.
    pub fn note_answered(&self) {
        self.is_on_its_way.store(false, Ordering::Relaxed);
    }

    /// Whether the message may have arrived although nothing says so.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.is_on_its_way.load(Ordering::Relaxed) && !self.has_arrived()
    }

    /// Takes down for whom of several recipients it was not accepted. The first word counts.
    pub fn note_left_out(&self, left_out: LeftOut) {
        self.left_out.get_or_init(|| left_out);
    }

    /// For whom it was not accepted, though it was for others.
    #[must_use]
    pub fn left_out(&self) -> Option<&LeftOut> {
        self.left_out.get()
    }

    /// Takes down that the message has arrived, whatever becomes of the rest of the conversation, and what the service calls it. The first
    /// word counts.
    pub fn note_arrival(&self, called: Option<ServiceId>) {
        self.arrival.get_or_init(|| called);
    }

    /// Whether the message has arrived for certain.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        self.arrival.get().is_some()
    }

    /// What the service calls the message.
    #[must_use]
    pub fn called(&self) -> Option<ServiceId> {
        self.arrival.get().cloned().flatten()
    }

    /// The last answer, with nothing in it that is a secret of the channel.
    #[must_use]
    pub fn last(&self, spec: &ChannelSpec) -> Option<Answered> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|raw| Answered { by: raw.by, code: raw.code, said: Mask::of(spec).excerpt(&raw.said) })
    }
}
