//! Errors of the HTTP library, sorted. Knows the library's errors so that nothing else has to.

use std::error::Error;
use std::io;

use crate::model::result::Failure;
use crate::probe::own::is_reset;
use crate::probe::own::own_trouble;
use crate::probe::stream::EndlessHead;
use crate::probe::tls;
use crate::probe::tls::defect::Circumstances;
use crate::probe::trace::Trace;

/// Largest response head, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Most headers of a response.
pub(crate) const HEADERS_MAX: usize = 128;

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) struct Broken {
    /// For the observation.
    pub(crate) failure: Failure,
    /// The server said that it did not process the request, so that asking again is safe.
    pub(crate) unprocessed: bool,
}

/// The head was over a limit.
pub(crate) fn head_too_large() -> Failure {
    Failure::Protocol {
        detail: format!("the response head is larger than {} KiB or has more than {HEADERS_MAX} headers", HEAD_BYTES_MAX / 1024),
    }
}

/// Sorts an error of the HTTP library.
pub(crate) fn sort(error: &hyper::Error, trace: &mut Trace) -> Broken {
    let mut unprocessed = false;
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Broken { failure: of_io(io, trace), unprocessed };
        }
        if let Some(h2) = inner.downcast_ref::<h2::Error>() {
            unprocessed = h2.is_go_away() || h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            if let Some(io) = h2.get_io() {
                return Broken { failure: of_io(io, trace), unprocessed };
            }
            let failure = Failure::Protocol { detail: format!("HTTP/2: {h2}") };
            return Broken { failure, unprocessed };
        }
        cause = inner.source();
    }
    let failure = if error.is_parse_too_large() {
        head_too_large()
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        trace.closed(false)
    } else {
        Failure::Protocol { detail: chain(error) }
    };
    Broken { failure, unprocessed }
}

fn of_io(error: &io::Error, trace: &mut Trace) -> Failure {
    if let Some(own) = own_trouble(error) {
        return Failure::Own(own);
    }
    if let Some(inner) = tls::library_error(error) {
        // In TLS 1.3 a server refuses a client certificate only after the handshake has ended for us.
        return tls::defect::failure(inner, Circumstances { wanted: "", shown: None, now: trace.clock.now().wall });
    }
    if error.get_ref().is_some_and(|inner| inner.is::<EndlessHead>()) {
        return head_too_large();
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        trace.closed(false)
    } else if is_reset(error) {
        trace.closed(true)
    } else {
        Failure::Protocol { detail: error.to_string() }
    }
}

fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
