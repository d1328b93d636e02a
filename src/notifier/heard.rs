//! What the other side says during an attempt, kept beside its outcome: so that people can read it, and also when the attempt ends by
//! running out of time. Errors and the log never repeat it.

use std::sync::Mutex;
use std::sync::PoisonError;

use crate::model::channel::ChannelSpec;
use crate::notifier::mask::Mask;
use crate::store::Answered;
use crate::store::AnsweredBy;

/// Takes down answers; of several the last one counts.
#[derive(Debug, Default)]
pub struct Heard {
    last: Mutex<Option<Raw>>,
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

    /// The last answer, with nothing in it that is a secret of the channel.
    #[must_use]
    pub fn last(&self, spec: &ChannelSpec) -> Option<Answered> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|raw| Answered { by: raw.by, code: raw.code, said: Mask::of(spec).excerpt(&raw.said) })
    }
}
