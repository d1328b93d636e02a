//! A request to a channel and its answer as values, so that what is sent can be decided and tested without sending it.

use data_encoding::BASE64;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

use crate::model::secret::Secret;

/// Everything but what RFC 3986 lets stand in any part of an address.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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

impl Request {
    /// Sends a JSON body.
    #[must_use]
    pub fn json(method: &str, url: impl Into<String>, body: &Value) -> Request {
        let headers = vec![("content-type".to_owned(), Secret::new("application/json"))];
        Request { method: method.to_owned(), url: Secret::new(url), headers, body: body.to_string() }
    }

    /// Sends a form.
    #[must_use]
    pub fn form(url: impl Into<String>, fields: &[(&str, &str)]) -> Request {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let headers = vec![("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded"))];
        Request { method: "POST".to_owned(), url: Secret::new(url), headers, body: pairs.join("&") }
    }

    /// Asks for something.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Request {
        Request { method: "GET".to_owned(), url: Secret::new(url), headers: Vec::new(), body: String::new() }
    }

    /// With one more header; the name is in lower case.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_owned(), Secret::new(value)));
        self
    }

    /// With a token as RFC 6750 has it.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Request {
        self.with("authorization", format!("Bearer {}", token.reveal_for_use()))
    }

    /// With a user and a password as RFC 7617 has them.
    #[must_use]
    pub fn basic(self, user: &str, password: &Secret) -> Request {
        let pair = BASE64.encode(format!("{user}:{}", password.reveal_for_use()).as_bytes());
        self.with("authorization", format!("Basic {pair}"))
    }
}

/// A text as one segment of a path, or as one value of a query: nothing in it has a meaning there.
#[must_use]
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
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

impl Answer {
    /// The body as JSON; `null` when it is not JSON, or was cut off.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_has_a_meaning_in_an_address_or_a_form() {
        assert_eq!(encoded("a/b?c=d&e #%é"), "a%2Fb%3Fc%3Dd%26e%20%23%25%C3%A9");
        let request = Request::form("https://a.example", &[("To", "+371 2"), ("Body", "x&To=evil\r\n")]);
        assert_eq!(request.body, "To=%2B371%202&Body=x%26To%3Devil%0D%0A");
    }

    #[test]
    fn credentials_are_written_as_the_standards_say_and_not_printed() {
        let request = Request::get("https://a.example").basic("Aladdin", &Secret::new("open sesame"));
        assert_eq!(request.headers[0].1.reveal_for_use(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{request:?}").contains("QWxh"), "{request:?}");
        let request = Request::get("https://a.example").bearer(&Secret::new("t"));
        assert_eq!(request.headers[0].1.reveal_for_use(), "Bearer t");
    }
}
