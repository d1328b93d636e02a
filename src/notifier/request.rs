//! A request to a channel and its answer as values, so that what is sent can be decided and tested without sending it.

use crate::model::secret::Secret;

/// What is to be sent. Address and headers are secrets: either may carry a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`, `PUT`, `PATCH` or `GET`.
    pub method: String,
    /// Whole URL.
    pub url: Secret,
    /// Names in lower case, each at most once.
    pub headers: Vec<(String, Secret)>,
    /// Empty means none.
    pub body: String,
}

/// As much of an answer as is needed to judge it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The header of that name.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}
