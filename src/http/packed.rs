//! Bytes that are compressed once and then sent many times, each form with an entity tag of its own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use http_body_util::Collected;
use hyper::StatusCode;
use hyper::header;
use tokio::task::spawn_blocking;

use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::answer::Content;
use crate::http::random::sha256;
use crate::http::ranges::Range;
use crate::http::visit::Visit;
use crate::model::verdict::Verdict;
use crate::ui::assets;
use crate::ui::assets::Asset;

/// Shorter ones are not worth it: they fit into the first packet anyway.
const WORTH_PACKING: usize = 512;

/// How hard to try. More costs three times the time for one hundredth of the size, and a page is packed whenever it changes.
const LEVEL: u32 = 6;

/// Bytes, as they are and compressed.
#[derive(Debug, Clone)]
pub struct Packed {
    plain: Form,
    gzip: Option<Form>,
}

/// Bytes with their entity tag.
#[derive(Debug, Clone)]
struct Form {
    bytes: Bytes,
    /// Quoted.
    tag: String,
}

impl Packed {
    /// Compresses what gets smaller by it.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Packed {
        let bytes = bytes.into();
        let hash = data_encoding::HEXLOWER.encode(&sha256(&bytes)[..12]);
        let packed = if bytes.len() < WORTH_PACKING { None } else { gzip(&bytes).filter(|packed| packed.len() < bytes.len()) };
        // A tag names bytes, not what they mean; the other form is told apart, so that a cache does not mix them up.
        let gzip = packed.map(|packed| Form { bytes: packed.into(), tag: format!("\"{hash}-gz\"") });
        Packed { plain: Form { bytes, tag: format!("\"{hash}\"") }, gzip }
    }

    /// An answer in the form that the visitor can read, or the news that they have it already.
    #[must_use]
    pub fn answer(&self, visit: &Visit, media_type: &'static str) -> Answer {
        let form = self.gzip.as_ref().filter(|_| accepts_gzip(visit.header("accept-encoding").unwrap_or_default()));
        let is_packed = form.is_some();
        let form = form.unwrap_or(&self.plain);
        let is_known =
            visit.header("if-none-match").is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == form.tag));
        let mut full = if is_known {
            let mut unchanged = answer::bytes(StatusCode::NOT_MODIFIED, media_type, "");
            unchanged.headers_mut().remove(header::CONTENT_TYPE);
            unchanged
        } else {
            answer::bytes(StatusCode::OK, media_type, form.bytes.clone())
        };
        if is_packed && !is_known {
            full = answer::with(full, header::CONTENT_ENCODING, "gzip");
        }
        answer::with(answer::with(full, header::ETAG, &form.tag), header::VARY, "accept-encoding")
    }
}

/// A page of operators, compressed for those who can read it, if it repeats nothing that stands in its address.
///
/// Pages of operators hold what is not for everybody, and how long a compressed page is tells whoever listens and can choose a part of it
/// about the rest (BREACH). So a page that repeats what was asked for, such as a search, stays as it is; it is short anyway. The proof that
/// forms carry is written anew each time, see [`crate::http::auth`].
pub async fn once(page: Answer, visit: &Visit) -> Answer {
    let is_page = page.status() == StatusCode::OK && page.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == answer::HTML);
    if !is_page {
        return page;
    }
    let page = answer::with(page, header::VARY, "accept-encoding");
    if !accepts_gzip(visit.header("accept-encoding").unwrap_or_default()) || !is_closed(&visit.query) {
        return page;
    }
    let (mut parts, body) = page.into_parts();
    let Ok(plain) = body.collect().await.map(Collected::to_bytes);
    let given = plain.clone();
    // It takes a few milliseconds, which others should not wait for.
    let packed = spawn_blocking(move || if given.len() < WORTH_PACKING { None } else { gzip(&given) }).await.ok().flatten();
    let Some(packed) = packed.filter(|packed| packed.len() < plain.len()) else {
        return Answer::from_parts(parts, Content::Whole(plain.into()));
    };
    parts.headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    Answer::from_parts(parts, Content::Whole(Bytes::from(packed).into()))
}

/// Whether a query consists of words that the pages know, so that nothing can be put onto a page by it.
fn is_closed(query: &str) -> bool {
    let is_known = |name: &str, value: &str| match name {
        "show" => value == "all",
        "state" => Verdict::ALL.into_iter().any(|state| state.word() == value),
        "by" => ["group", "state", "none"].contains(&value),
        "range" => Range::ALL.into_iter().any(|range| range.word() == value),
        _ => false,
    };
    url::form_urlencoded::parse(query.as_bytes()).all(|(name, value)| value.is_empty() || is_known(&name, &value))
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(LEVEL));
    // Into memory this does not fail; if it did, the plain form would do.
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Whether this `Accept-Encoding` takes gzip, by name or by `*`.
fn accepts_gzip(accept: &str) -> bool {
    let mut any = false;
    for item in accept.split(',') {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameters.trim().strip_prefix("q=").and_then(|q| q.trim().parse::<f64>().ok());
        let is_wanted = weight.is_none_or(|weight| weight > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return is_wanted,
            "*" => any = is_wanted,
            _ => {}
        }
    }
    any
}

/// The embedded files, each compressed.
type Assets = HashMap<&'static str, (&'static Asset, Packed)>;

static ASSETS: OnceLock<Assets> = OnceLock::new();

/// Compresses the embedded files, if nobody has done it yet. Takes its time, so that it is begun when the server begins.
pub fn pack_assets() -> &'static Assets {
    ASSETS.get_or_init(|| {
        let packed = |asset: &'static Asset| match &asset.bytes {
            Cow::Borrowed(bytes) => Packed::new(Bytes::from_static(bytes)),
            Cow::Owned(bytes) => Packed::new(bytes.clone()),
        };
        assets::all().map(|(name, asset)| (name, (asset, packed(asset)))).collect()
    })
}

/// An embedded file by its hashed name. Who comes before they are compressed waits, and holds up nobody else.
pub async fn asset(hashed_name: &str) -> Option<(&'static Asset, &'static Packed)> {
    let all = match ASSETS.get() {
        Some(all) => all,
        None => spawn_blocking(pack_assets).await.ok()?,
    };
    all.get(hashed_name).map(|(asset, packed)| (*asset, packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_gzip_gets_it() {
        for (accept, takes) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("br", false),
            ("", false),
            ("gzipped", false),
        ] {
            assert_eq!(accepts_gzip(accept), takes, "{accept}");
        }
    }

    #[test]
    fn only_words_that_pages_know_are_compressed_with_them() {
        for (query, is) in [
            ("", true),
            ("show=all", true),
            ("q=&state=down&group=&by=group", true),
            ("range=7d", true),
            ("q=x", false),
            ("group=x", false),
            ("label=team%3Dweb", false),
            ("by=label:team", false),
            ("state=nonsense", false),
            ("show=al", false),
            ("unknown=x", false),
            ("template=x", false),
        ] {
            assert_eq!(is_closed(query), is, "{query}");
        }
    }

    #[test]
    fn short_and_dense_bytes_stay_as_they_are() {
        assert!(Packed::new("x".repeat(WORTH_PACKING - 1)).gzip.is_none());
        let packed = Packed::new("x".repeat(WORTH_PACKING));
        assert!(packed.gzip.is_some_and(|gzip| gzip.tag != packed.plain.tag && gzip.bytes.starts_with(&[0x1f, 0x8b])));
        let dense: Vec<u8> = (0..40_u8).flat_map(|i| sha256(&[i])).collect();
        assert!(Packed::new(dense).gzip.is_none());
    }
}
