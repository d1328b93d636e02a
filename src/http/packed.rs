//! Bytes that are compressed once and then sent many times, each form with an entity tag of its own; and pages that are sent once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header;
use maud::Markup;

use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::random::sha256;
use crate::http::visit::Visit;
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

/// A page for one reader, compressed if it may be, which gives something of it away, and the visitor takes that.
pub async fn page_once(visit: &Visit, markup: Markup, may_be_packed: bool) -> Answer {
    let bytes = Bytes::from(markup.into_string());
    let plain = answer::page_of(StatusCode::OK, bytes.clone());
    if !may_be_packed || bytes.len() < WORTH_PACKING || !accepts_gzip(visit.header("accept-encoding").unwrap_or_default()) {
        return plain;
    }
    // A long one takes milliseconds, which are not taken from the threads that send messages.
    match tokio::task::spawn_blocking(move || gzip(&bytes)).await {
        Ok(Some(packed)) => {
            let answer = answer::with(answer::page_of(StatusCode::OK, packed), header::CONTENT_ENCODING, "gzip");
            answer::with(answer, header::VARY, "accept-encoding")
        }
        Ok(None) | Err(_) => plain,
    }
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
        None => tokio::task::spawn_blocking(pack_assets).await.ok()?,
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
    fn short_and_dense_bytes_stay_as_they_are() {
        assert!(Packed::new("x".repeat(WORTH_PACKING - 1)).gzip.is_none());
        let packed = Packed::new("x".repeat(WORTH_PACKING));
        assert!(packed.gzip.is_some_and(|gzip| gzip.tag != packed.plain.tag && gzip.bytes.starts_with(&[0x1f, 0x8b])));
        let dense: Vec<u8> = (0..40_u8).flat_map(|i| sha256(&[i])).collect();
        assert!(Packed::new(dense).gzip.is_none());
    }
}
