//! The embedded files of the folder `ui/`, each under a name that carries a hash of its content, so that browsers may keep them
//! for ever. The one file of `ui` that is not a pure function of its arguments: it reads what was compiled in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Hex digits of the content hash in a name; 48 bits tell versions of one file apart.
const HASH_DIGITS: usize = 12;

#[derive(rust_embed::Embed)]
#[folder = "ui/"]
struct Files;

/// One embedded file.
#[derive(Debug, Clone)]
pub struct Asset {
    /// What browsers are told it is.
    pub media_type: &'static str,
    /// Content.
    pub bytes: Cow<'static, [u8]>,
}

struct Catalogue {
    hashed_names: BTreeMap<String, String>,
    by_hashed_name: BTreeMap<String, Asset>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let mut catalogue = Catalogue { hashed_names: BTreeMap::new(), by_hashed_name: BTreeMap::new() };
    for name in Files::iter() {
        let Some(file) = Files::get(&name) else { continue };
        let hash = data_encoding::HEXLOWER.encode(&file.metadata.sha256_hash());
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, "bin"));
        let hashed = format!("{stem}.{}.{extension}", &hash[..HASH_DIGITS]);
        catalogue.by_hashed_name.insert(hashed.clone(), Asset { media_type: media_type(extension), bytes: file.data });
        catalogue.hashed_names.insert(name.into_owned(), hashed);
    }
    catalogue
});

fn media_type(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// The file with this hashed name, `style.0a1b2c3d4e5f.css`.
#[must_use]
pub fn by_hashed_name(hashed: &str) -> Option<&'static Asset> {
    CATALOGUE.by_hashed_name.get(hashed)
}

/// All files by their hashed names.
pub fn all() -> impl Iterator<Item = (&'static str, &'static Asset)> {
    CATALOGUE.by_hashed_name.iter().map(|(name, asset)| (name.as_str(), asset))
}

/// The hashed name of a file; the plain name when there is none, which then answers 404 and is seen in a test.
#[must_use]
pub fn hashed_name(name: &str) -> &str {
    CATALOGUE.hashed_names.get(name).map_or(name, String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a sheet that give states their colours.
    fn colours(sheet: &str) -> Vec<String> {
        let sheet = by_hashed_name(hashed_name(sheet)).expect("a sheet");
        let text = String::from_utf8_lossy(&sheet.bytes);
        text.lines()
            .map(str::trim)
            .filter(|line| line.starts_with("--up:") || line.starts_with("--ground:"))
            .map(ToOwned::to_owned)
            .collect()
    }

    #[test]
    fn both_sheets_have_the_same_colours() {
        let ours = colours("style.css");
        assert!(ours.len() == 6 && ours == colours("status.css"), "{ours:?}");
    }

    #[test]
    fn what_pages_refer_to_is_embedded() {
        for name in ["style.css", "app.js", "live.js", "overview.js", "chart.js", "status.css", "status.js", "widget.js", "favicon.svg"] {
            assert!(by_hashed_name(hashed_name(name)).is_some(), "{name}");
            assert!(by_hashed_name(name).is_none(), "{name} must be asked for by its hash");
        }
    }
}
