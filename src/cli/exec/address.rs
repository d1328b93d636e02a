//! Where a heartbeat takes pings, and how an address says what a ping means. The address is a secret: whoever has it can say that the
//! job is fine.

use std::fmt;

use url::Url;

/// The query parameter that names the run.
const RUN: &str = "rid";

/// What an address looks like, for messages.
const EXAMPLE: &str = "https://…/heartbeat/<token>";

/// An address that takes pings, without a word about what they say.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address(Url);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Address {
    /// Reads a URL of any form; what it means is the receiver's business.
    ///
    /// # Errors
    /// What is wrong, without the text itself.
    pub(super) fn parse(text: &str) -> Result<Address, String> {
        let mut url = Url::parse(text.trim())
            .map_err(|error| format!("the ping address is not a URL ({error}); take the whole one, such as {EXAMPLE}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the ping address is neither http nor https".to_owned());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.is_empty() {
            return Err(format!("the ping address has no path; take the whole one, such as {EXAMPLE}"));
        }
        url.set_path(&path);
        url.set_fragment(None);
        Ok(Address(url))
    }

    /// The run that the address names itself.
    pub(super) fn run(&self) -> Option<String> {
        self.0.query_pairs().find(|(name, _)| name == RUN).map(|(_, value)| value.into_owned())
    }

    /// The address of a ping that says `word`, of the run.
    pub(super) fn saying(&self, word: &str, run: Option<&str>) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{word}", self.0.path()));
        if let Some(run) = run.filter(|_| self.run().is_none()) {
            url.query_pairs_mut().append_pair(RUN, run);
        }
        url
    }

    /// As much of it as may be seen: who is asked, not for what.
    pub(super) fn shown(&self) -> String {
        shown(&self.0)
    }
}

/// Scheme, host and port of a URL; everything else of it may be secret.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}/…", url.scheme(), url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_said(address: &str, expected: &str) {
        let address = Address::parse(address).expect("an address");
        assert_eq!(address.saying("start", Some("r")).as_str(), expected);
    }

    #[test]
    fn every_form_takes_the_word_behind_its_path() {
        let uuid = "http://h/ping/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278";
        assert_said(uuid, &format!("{uuid}/start?rid=r"));
        assert_said(&format!("{uuid}/"), &format!("{uuid}/start?rid=r"));
        assert_said("https://h:8443/heartbeat/abc", "https://h:8443/heartbeat/abc/start?rid=r");
        assert_said("http://h/base/ping/key/slug?create=1", "http://h/base/ping/key/slug/start?create=1&rid=r");
        assert_said("http://h/ping/key/slug/?create=1#x", "http://h/ping/key/slug/start?create=1&rid=r");
        assert_said("http://h/heartbeat/abc?", "http://h/heartbeat/abc/start?rid=r");
        assert_said(" http://h/heartbeat/abc\n", "http://h/heartbeat/abc/start?rid=r");
        assert_said("http://h/heartbeat/abc?rid=mine", "http://h/heartbeat/abc/start?rid=mine");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for wrong in ["h/ping/sesame", "ftp://h/ping/sesame", "http://sesame@/x", "http://h:99999/sesame", "https://sesame.example/", ""] {
            let why = Address::parse(wrong).expect_err(wrong);
            assert!(!why.contains("sesame"), "{why}");
        }
        let address = Address::parse("https://user:sesame@h.example:8443/heartbeat/sesame?x=sesame").expect("an address");
        assert_eq!(format!("{} {address:?}", address.shown()), "https://h.example:8443/… https://h.example:8443/…");
    }
}
