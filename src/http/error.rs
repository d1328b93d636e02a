//! Why a request is refused: what the caller may know goes out, everything else goes into the log, once, under the same request id.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header;
use maud::Markup;
use serde::Serialize;

use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::route::NoRoute;
use crate::http::route::Wire;
use crate::ui::links::Links;
use crate::ui::page::error;
use crate::ui::page::error::ErrorView;

/// A refusal; each variant is something the caller can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing here, or nothing for this caller: the answer is the same byte for byte.
    NotFound,
    /// The path exists for other methods.
    MethodNotAllowed(&'static str),
    /// Sign in first; a page is answered with the way there. The path to come back to, if it is one.
    SignInNeeded(Option<String>),
    /// Signed in and not allowed, or not sent by one of our pages.
    Forbidden(&'static str),
    /// Whoever wants to change something by a page is not signed in, or not any more.
    SignedOut {
        /// What they sent was too long to be read.
        is_unread: bool,
    },
    /// The request cannot be understood.
    Bad(&'static str),
    /// The same, with what exactly is wrong.
    Malformed(String),
    /// The body has no length in advance.
    LengthRequired,
    /// The body is too long.
    TooLong,
    /// The body did not come in time.
    TooSlow,
    /// The name this server was called by is not one of its own.
    WrongHost,
    /// Too many attempts; try again after this.
    TooMany(Duration),
    /// Too much to do.
    Busy,
    /// No place is free, as this sentence says; ask again after this.
    Full(&'static str, Duration),
    /// The state does not allow it.
    Conflict(String),
    /// Our own trouble; the text is for the log.
    Internal(String),
}

impl From<NoRoute> for Refusal {
    fn from(none: NoRoute) -> Refusal {
        match none {
            NoRoute::NotFound => Refusal::NotFound,
            NoRoute::MethodNotAllowed(allow) => Refusal::MethodNotAllowed(allow),
        }
    }
}

/// What a refusal says to the outside.
struct Outside {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
}

impl Refusal {
    /// Writes the answer, and the log entry if there is something to say.
    #[must_use]
    pub fn answer(self, links: &Links, wire: Wire, request_id: &str) -> Answer {
        if wire == Wire::Page {
            return self.page(links, request_id, |view| error::page(links, &view));
        }
        let (outside, named) = (self.outside(), self.noted(request_id));
        let detail = Detail { code: outside.code, message: &outside.text, request: named.as_deref() };
        self.with_headers(answer::json(outside.status, &Body { error: detail }))
    }

    /// The same as a page that is drawn by `draw`.
    #[must_use]
    pub fn page(self, links: &Links, request_id: &str, draw: impl FnOnce(ErrorView) -> Markup) -> Answer {
        if let Refusal::SignInNeeded(next) = &self {
            return answer::see_other(&links.sign_in_for(next.as_deref()));
        }
        let outside = self.outside();
        let view = ErrorView { title: outside.title.to_owned(), text: outside.text, request_id: self.noted(request_id) };
        self.with_headers(answer::page(outside.status, draw(view)))
    }

    /// Writes what is for the log, and says under which name.
    fn noted(&self, request_id: &str) -> Option<String> {
        let Refusal::Internal(inside) = self else { return None };
        tracing::error!(request = request_id, error = %inside, "a request failed: {inside}");
        Some(request_id.to_owned())
    }

    fn with_headers(&self, body: Answer) -> Answer {
        match self {
            Refusal::MethodNotAllowed(allow) => answer::with(body, header::ALLOW, allow),
            Refusal::SignInNeeded(_) => answer::with(body, header::WWW_AUTHENTICATE, "Bearer"),
            Refusal::TooMany(wait) | Refusal::Full(_, wait) => answer::with(body, header::RETRY_AFTER, &whole_seconds(*wait).to_string()),
            Refusal::Busy => answer::with(body, header::RETRY_AFTER, "2"),
            // What follows on this connection cannot be told from the rest of the body.
            Refusal::LengthRequired | Refusal::TooLong | Refusal::TooSlow => answer::with(body, header::CONNECTION, "close"),
            Refusal::NotFound
            | Refusal::Forbidden(_)
            | Refusal::SignedOut { .. }
            | Refusal::Bad(_)
            | Refusal::Malformed(_)
            | Refusal::WrongHost
            | Refusal::Conflict(_)
            | Refusal::Internal(_) => body,
        }
    }

    fn outside(&self) -> Outside {
        let say = |status, code, title, text: &str| Outside { status, code, title, text: text.to_owned() };
        match self {
            Refusal::NotFound => say(StatusCode::NOT_FOUND, "not_found", "Not found", "There is nothing at this address."),
            Refusal::MethodNotAllowed(_) => {
                say(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Not allowed", "This address does not take this method.")
            }
            Refusal::SignInNeeded(_) => {
                say(StatusCode::UNAUTHORIZED, "sign_in_needed", "Sign in first", "Send an API token as `Authorization: Bearer …`.")
            }
            Refusal::Forbidden(why) => say(StatusCode::FORBIDDEN, "forbidden", "Not allowed", why),
            Refusal::SignedOut { .. } => {
                say(StatusCode::FORBIDDEN, "forbidden", "You are not signed in", "Sign in first. Nothing was changed.")
            }
            Refusal::Bad(why) => say(StatusCode::BAD_REQUEST, "bad_request", "Not understood", why),
            Refusal::Malformed(why) => say(StatusCode::BAD_REQUEST, "bad_request", "Not understood", why),
            Refusal::LengthRequired => {
                say(StatusCode::LENGTH_REQUIRED, "length_required", "Length needed", "Send the body with a Content-Length.")
            }
            Refusal::TooLong => say(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too long", "The body is longer than this address takes."),
            Refusal::TooSlow => say(StatusCode::REQUEST_TIMEOUT, "too_slow", "Too slow", "The body did not arrive in time."),
            Refusal::WrongHost => say(
                StatusCode::MISDIRECTED_REQUEST,
                "wrong_host",
                "Not served under this name",
                "Use the address in `server.public_url`; behind a proxy, pass the Host header on or list the proxy in `server.trusted_proxies`.",
            ),
            Refusal::TooMany(wait) => {
                let text = format!("Too many attempts. Try again in {} s.", whole_seconds(*wait));
                say(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts", &text)
            }
            Refusal::Busy => say(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", "Too much is going on. Try again in a few seconds."),
            Refusal::Full(why, _) => say(StatusCode::SERVICE_UNAVAILABLE, "full", "No place is free", why),
            Refusal::Conflict(why) => say(StatusCode::CONFLICT, "not_now", "Not done", why),
            Refusal::Internal(_) => say(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong",
                "This is a fault of vigilmon's, not of the request.",
            ),
        }
    }
}

/// Rounded up, as a header wants it.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
