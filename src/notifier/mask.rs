//! Hides a channel's secrets in what somebody else wrote: services repeat tokens, addresses and headers when they refuse them.
//!
//! A secret is looked for as it is and in the spellings in which it travels: in addresses, forms, JSON, HTML, and in Base64, in which user
//! and password are sent. Of an address every part that may be a token counts. What cannot be recognised (a hash of a secret, half of it) is
//! no secret any more, or was not sent by us.

use data_encoding::BASE64_NOPAD;
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::percent_decode_str;

use crate::model::channel::ChannelSpec;
use crate::notifier::escape;
use crate::notifier::request::encoded;
use crate::notifier::shorten::MARKER;
use crate::notifier::shorten::fit;

/// Stands where a secret would.
pub const HIDDEN: &str = "***";

/// Parts of an address that are shorter are words such as `v1`; a token is longer.
const PART_BYTES_MIN: usize = 4;

/// What is looked at of an answer: of more than that no excerpt is made.
const LOOKED_AT_BYTES: usize = 16 << 10;

/// What is kept of an answer: services say in the first line what is wrong.
pub const EXCERPT_BYTES_MAX: usize = 400;

/// The secrets of a channel, in every spelling.
pub struct Mask {
    /// In small letters, because names of hosts and headers lose theirs; never empty.
    spellings: Vec<Vec<u8>>,
}

impl Mask {
    /// For everything in `spec` that must not be shown.
    #[must_use]
    pub fn of(spec: &ChannelSpec) -> Mask {
        let mut spec = spec.clone();
        let secrets = spec.secrets_mut();
        let mut all: Vec<String> =
            secrets.into_iter().flat_map(|secret| parts(secret.reveal_for_use())).flat_map(|part| spelt(&part)).collect();
        all.sort();
        all.dedup();
        Mask { spellings: all.into_iter().filter(|text| !text.is_empty()).map(|text| text.to_ascii_lowercase().into_bytes()).collect() }
    }

    /// Length of the longest spelling.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.spellings.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The text with [`HIDDEN`] instead of every secret.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let lower = text.to_ascii_lowercase();
        let mut is_secret = vec![false; text.len()];
        for spelling in &self.spellings {
            for at in memchr::memmem::find_iter(lower.as_bytes(), spelling) {
                is_secret[at..at + spelling.len()].fill(true);
            }
            // Such as `aa` in `aaa`: the iterator steps over what overlaps.
            let mut from = 0;
            while let Some(at) = memchr::memmem::find(&lower.as_bytes()[from..], spelling) {
                is_secret[from + at..from + at + spelling.len()].fill(true);
                from += at + 1;
            }
        }
        let mut out = String::with_capacity(text.len());
        let mut was_secret = false;
        for (at, c) in text.char_indices() {
            match (is_secret[at], was_secret) {
                (false, _) => out.push(c),
                (true, false) => out.push_str(HIDDEN),
                (true, true) => {}
            }
            was_secret = is_secret[at];
        }
        out
    }

    /// The beginning of an answer, on one line, without secrets. Where it is cut off there may be half of one, so the end goes as well.
    #[must_use]
    pub fn excerpt(&self, bytes: &[u8]) -> String {
        let is_cut = LOOKED_AT_BYTES < bytes.len();
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT_BYTES)]);
        let hidden = self.hide(&text);
        let hidden = if is_cut { &hidden[..hidden.floor_char_boundary(hidden.len().saturating_sub(self.longest() + 3))] } else { &hidden };
        let words: Vec<&str> = hidden.split_whitespace().collect();
        let mut line = fit(&words.join(" "), EXCERPT_BYTES_MAX);
        if is_cut && !line.ends_with(MARKER) {
            line.push_str(MARKER);
        }
        line
    }
}

/// A secret and, of an address, what in it may be one by itself. The host of a web address is none: it is what people look for.
fn parts(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    // Not every address of Apprise is one by the standards.
    let Some((scheme, rest)) = secret.split_once("://") else { return all };
    let web = url::Url::parse(secret).ok().filter(|_| matches!(scheme, "http" | "https"));
    let host = web.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let port = web.as_ref().and_then(url::Url::port).map(|port| port.to_string()).unwrap_or_default();
    let found = rest.split(['/', '?', '&', '=', '#', ':', '@', ',', ';']).filter(|part| !host.eq_ignore_ascii_case(part) && port != **part);
    all.extend(found.map(ToOwned::to_owned));
    // Everything behind the host, as it stands in the first line of a request.
    all.extend(web.iter().flat_map(|url| [url.path(), url.query().unwrap_or_default()]).map(ToOwned::to_owned));
    let secret = all.remove(0);
    all.retain(|part| PART_BYTES_MIN <= part.len());
    all.push(secret);
    all
}

/// A text in every spelling in which it may come back.
fn spelt(text: &str) -> Vec<String> {
    let json = serde_json::Value::from(text).to_string();
    let html = text.chars().fold(String::new(), |mut out, c| {
        escape::html(c, &mut out);
        out
    });
    let decoded = percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut all =
        vec![text.to_owned(), encoded(text), encoded(text).replace("%20", "+"), json[1..json.len() - 1].to_owned(), html, decoded];
    all.extend((0..3).flat_map(|before| in_base64(text.as_bytes(), before)));
    all
}

/// What is certain to be in a text of Base64 in which this stands with so many bytes before it: the digits at both ends are made of its
/// neighbours as well.
fn in_base64(bytes: &[u8], before: usize) -> [String; 2] {
    let mut all = vec![0; before];
    all.extend_from_slice(bytes);
    let first = [0, 2, 3][before];
    let whole = all.len() / 3 * 4;
    let certain = |text: String| if first < whole { text[first..whole].to_owned() } else { String::new() };
    // Of very short ones so few digits are certain that they would be found everywhere.
    [certain(BASE64_NOPAD.encode(&all)), certain(BASE64URL_NOPAD.encode(&all))]
        .map(|text| if text.len() < PART_BYTES_MIN { String::new() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::spec::AppriseSpec;
    use crate::model::channel::spec::AppriseTo;
    use crate::model::secret::Secret;
    use crate::notifier::request::Request;
    use crate::notifier::samples;

    fn webhook(url: &str, header: &str) -> ChannelSpec {
        let mut spec = samples::webhook(url);
        spec.headers = vec![("Authorization".to_owned(), Secret::new(header))];
        ChannelSpec::Webhook(spec)
    }

    #[test]
    fn every_spelling_of_a_secret_is_hidden() {
        let password = "p4ss \"w/ö<d";
        let mask = Mask::of(&webhook("https://hooks.example:8443/services/T0CANARY/B0?key=qu3ry%2Fvalue", password));
        let basic =
            |user: &str| Request::get("https://a.example").basic(user, &Secret::new(password)).headers[0].1.reveal_for_use().to_owned();
        for (said, expected) in [
            (format!("bad password {password}!"), "bad password ***!"),
            (format!("bad password {}", password.to_uppercase().replace('Ö', "ö")), "bad password ***"),
            (format!("form: a={}&b", encoded(password)), "form: a=***&b"),
            (serde_json::json!({ "got": password }).to_string(), "{\"got\":\"***\"}"),
            ("p4ss &quot;w/ö&lt;d".to_owned(), "***"),
            ("POST /services/T0CANARY/B0?key=qu3ry%2Fvalue HTTP/1.1".to_owned(), "POST ***?*** HTTP/1.1"),
            ("https://hooks.example:8443/services/T0CANARY/B0 is gone".to_owned(), "https://hooks.example:8443*** is gone"),
            ("key `qu3ry/value` is not known, t0canary neither".to_owned(), "key `***` is not known, *** neither"),
            ("nothing of it".to_owned(), "nothing of it"),
        ] {
            assert_eq!(mask.hide(&said), expected, "{said}");
        }
        for user in ["", "a", "al", "ali", "alice"] {
            let hidden = mask.hide(&basic(user));
            assert!(hidden.contains(HIDDEN) && hidden.len() < 24, "{user}: {hidden}");
        }
    }

    #[test]
    fn of_other_addresses_the_host_may_be_the_token() {
        let to = AppriseTo::Urls(vec![Secret::new("tgram://123456:canary-token/-100200300")]);
        let mask = Mask::of(&ChannelSpec::Apprise(AppriseSpec { url: "http://apprise.example".to_owned(), to }));
        assert_eq!(mask.hide("token canary-token of bot 123456 at apprise.example"), "token *** of bot *** at apprise.example");
    }

    #[test]
    fn repetitions_are_hidden_whole() {
        assert_eq!(Mask::of(&webhook("https://a.example", "abab")).hide("xababab ab"), "x*** ab");
        assert_eq!(Mask::of(&webhook("https://a.example", "ö")).hide("öö ä"), "*** ä");
    }

    #[test]
    fn an_excerpt_is_short_and_one_line_and_never_ends_in_half_a_secret() {
        let secret = "0123456789abcdef".repeat(8);
        let mask = Mask::of(&webhook("https://a.example", &secret));
        assert_eq!(mask.excerpt(b"<h1>401</h1>\r\n\t<p>no\x1b[31m\xff"), "<h1>401</h1> <p>no [31m\u{fffd}");
        assert_eq!(mask.excerpt(b""), "");
        let long = mask.excerpt("word ".repeat(1000).as_bytes());
        assert!(long.len() <= EXCERPT_BYTES_MAX && long.ends_with(MARKER), "{long}");
        for filler in 0..secret.len() {
            let body = format!("{}{}", " ".repeat(LOOKED_AT_BYTES - filler), secret);
            let excerpt = mask.excerpt(body.as_bytes());
            assert!(!excerpt.contains("0123"), "{filler}: {excerpt}");
        }
    }
}
