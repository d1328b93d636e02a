//! Reads single values: texts, numbers, durations, sizes, choices, URLs, secrets.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Scalar;
use crate::config::node::ScalarKind;
use crate::config::reference;
use crate::model::id::check_name;
use crate::model::secret::Secret;
use crate::model::time::parse_duration;

/// A text. A plain number is taken as it is written; a plain boolean is refused, because it is one letter away from a mistake.
pub(super) fn text(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    text_ref(ctx, at).map(|scalar| scalar.text.clone())
}

fn text_ref<'a>(ctx: &Ctx<'_>, at: &At<'a>) -> Option<&'a Scalar> {
    let Some(scalar) = at.node.scalar() else {
        let like_secret = at.node.get("env").is_some() || at.node.get("file").is_some();
        let hint = if like_secret { "only secrets can come from elsewhere like this; write `${NAME}` for a variable" } else { "" };
        ctx.bad(at, format!("expected a text, found {}", at.node.described()), hint);
        return None;
    };
    if scalar.kind() == ScalarKind::Boolean {
        let hint = format!("put it in quotes: `\"{}\"`", scalar.shown());
        ctx.bad(at, format!("expected a text, found {}", at.node.described()), hint);
        return None;
    }
    Some(scalar)
}

/// A text that is not empty.
pub(super) fn full_text(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let found = text(ctx, at)?;
    if found.trim().is_empty() {
        ctx.bad(at, "this text is empty", "write something, or remove the key");
        return None;
    }
    Some(found)
}

/// A name that people read: one line, nothing invisible.
pub(super) fn name(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let found = text(ctx, at)?;
    if let Err(error) = check_name(&found) {
        ctx.bad(at, error.to_string(), "");
        return None;
    }
    Some(found)
}

/// A text that `parse` understands; its error says everything.
pub(super) fn parsed<T, E: std::fmt::Display>(ctx: &Ctx<'_>, at: &At<'_>, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
    let found = text(ctx, at)?;
    match parse(&found) {
        Ok(value) => Some(value),
        Err(error) => {
            // Our own errors are written "what is wrong; what to do".
            let said = error.to_string();
            let (message, hint) = said.split_once("; ").unwrap_or((&said, ""));
            ctx.bad(at, message, hint);
            None
        }
    }
}

/// `true` or `false`.
pub(super) fn boolean(ctx: &Ctx<'_>, at: &At<'_>) -> Option<bool> {
    match at.node.scalar().map(|scalar| scalar.text.as_str()) {
        Some("true" | "True" | "TRUE") => Some(true),
        Some("false" | "False" | "FALSE") => Some(false),
        Some(_) | None => {
            let hint = match at.node.scalar().map(|scalar| scalar.text.to_ascii_lowercase()).as_deref() {
                Some("yes" | "on" | "1") => "write `true`",
                Some("no" | "off" | "0") => "write `false`",
                Some(_) | None => "",
            };
            ctx.bad(at, format!("expected `true` or `false`, found {}", at.node.described()), hint);
            None
        }
    }
}

/// A whole number from `min` to `max`, in decimal digits: no sign, point, exponent, underscore or leading zero.
pub(super) fn whole(ctx: &Ctx<'_>, at: &At<'_>, min: u64, max: u64) -> Option<u64> {
    let range = format!("a whole number from {min} to {max}");
    let Some(scalar) = at.node.scalar() else {
        ctx.wrong_type(at, &range);
        return None;
    };
    let digits = scalar.text.as_str();
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    if plain && digits.len() > 1 && digits.starts_with('0') {
        ctx.bad(at, format!("`{}` begins with a zero", scalar.shown()), "write the number in decimal digits without leading zeros");
        return None;
    }
    let value = digits.parse::<u64>().ok().filter(|value| plain && (min..=max).contains(value));
    if value.is_none() {
        let hint = if min == 0 && digits == "false" { "write `0` to switch it off" } else { "" };
        ctx.bad(at, format!("expected {range}, found `{}`", scalar.shown()), hint);
    }
    value
}

/// [`whole`] for 32 bits.
pub(super) fn whole_u32(ctx: &Ctx<'_>, at: &At<'_>, min: u32, max: u32) -> Option<u32> {
    whole(ctx, at, min.into(), max.into()).and_then(|value| u32::try_from(value).ok())
}

/// A duration with its unit.
pub(super) fn duration(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Duration> {
    let scalar = text_ref(ctx, at)?;
    match parse_duration(&scalar.text) {
        Ok(found) => Some(found),
        Err(_) => {
            let number = scalar.text.trim();
            let hint = if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) {
                format!("add the unit: `{number}s`, `{number}m` or `{number}ms`")
            } else {
                "write a number with a unit, such as `500ms`, `30s`, `1h30m` or `7d`".to_owned()
            };
            ctx.bad(at, format!("`{}` is not a duration", scalar.shown()), hint);
            None
        }
    }
}

/// A duration of at least `min`, which is spelled `min_text`.
pub(super) fn duration_from(ctx: &Ctx<'_>, at: &At<'_>, min: Duration, min_text: &str) -> Option<Duration> {
    let found = duration(ctx, at)?;
    if found < min {
        let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
        ctx.bad(at, format!("`{shown}` is shorter than the least, `{min_text}`"), format!("write `{min_text}` or more"));
        return None;
    }
    Some(found)
}

const SIZE_UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// A size with its unit, in bytes; `None` when it is not one.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    SIZE_UNITS.iter().find_map(|(unit, factor)| {
        let digits = text.strip_suffix(unit)?.trim_end();
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
        if plain { digits.parse::<u64>().ok()?.checked_mul(*factor) } else { None }
    })
}

/// A size with its unit, in bytes, within `min` and `max`.
pub(super) fn size(ctx: &Ctx<'_>, at: &At<'_>, min: u64, max: u64) -> Option<u64> {
    let scalar = text_ref(ctx, at)?;
    let bytes = parse_size(&scalar.text);
    let Some(bytes) = bytes else {
        ctx.bad(at, format!("`{}` is not a size", scalar.shown()), "write a whole number with a unit, such as `10KiB`, `1MiB` or `2GiB`");
        return None;
    };
    if !(min..=max).contains(&bytes) {
        let (min, max) = (size_text(min), size_text(max));
        ctx.bad(at, format!("`{}` is not between {min} and {max}", scalar.shown()), "");
        return None;
    }
    Some(bytes)
}

/// A size as people write it.
pub(crate) fn size_text(bytes: u64) -> String {
    let unit = SIZE_UNITS[..4].iter().rev().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{bytes}B"), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// A percentage in thousandths of a percent: `99.9%` is 99 900.
pub(super) fn milli_percent(ctx: &Ctx<'_>, at: &At<'_>) -> Option<u32> {
    let scalar = text_ref(ctx, at)?;
    let parse = |text: &str| {
        let number = text.trim().strip_suffix('%')?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |t: &str| t.chars().all(|c| c.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || part.len() > 3 || !digits(whole) || !digits(part) {
            return None;
        }
        let milli = whole.parse::<u32>().ok()? * 1000 + format!("{part:0<3}").parse::<u32>().ok()?;
        (milli > 0 && milli <= 100_000).then_some(milli)
    };
    let found = parse(&scalar.text);
    if found.is_none() {
        let hint = "write more than 0% and at most 100%, with at most three decimals, such as `99.9%`";
        ctx.bad(at, format!("`{}` is not a percentage", scalar.shown()), hint);
    }
    found
}

/// One of several words.
pub(super) fn choice<T: Copy>(ctx: &Ctx<'_>, at: &At<'_>, choices: &[(&str, T)]) -> Option<T> {
    let Some(scalar) = at.node.scalar() else {
        ctx.wrong_type(at, "a text");
        return None;
    };
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == scalar.text) {
        return Some(*value);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let listed: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let hint = match reference::nearest(&scalar.text, words.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? It can be {}", listed.join(", ")),
        None => format!("it can be {}", listed.join(", ")),
    };
    ctx.bad(at, format!("`{}` is not one of the words that can stand here", scalar.shown()), hint);
    None
}

/// Why a text is not a URL that can be called.
pub(super) fn parse_web_url(text: &str) -> Result<url::Url, (String, String)> {
    let example = "write `https://host/path`".to_owned();
    let text = text.trim();
    if text.is_empty() {
        return Err(("is no URL".to_owned(), example));
    }
    let url = match url::Url::parse(text) {
        // What stands before a port is a host.
        Ok(url) if !is_host_and_port(text, &url) => url,
        Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => {
            let rest = text.trim_start_matches('/');
            // With a port it is most often a service at home, which has no certificate.
            let begin = if has_other_port(rest) { "http" } else { "https" };
            return Err(("is not a URL".to_owned(), format!("begin it with `{begin}://`: `{begin}://{rest}`")));
        }
        Err(error) => return Err((format!("is not a URL: {error}"), example)),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err((format!("has the scheme `{}`", url.scheme()), "only `http` and `https` work here".to_owned()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(("has no host".to_owned(), example));
    }
    Ok(url)
}

/// Whether `localhost:8080/x`, in which the host looks like a scheme, was meant.
fn is_host_and_port(text: &str, url: &url::Url) -> bool {
    let rest = text.get(url.scheme().len() + 1..).unwrap_or_default();
    let port = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !matches!(url.scheme(), "http" | "https") && port.parse::<u16>().is_ok()
}

/// Whether an address without a scheme names a port that is not the one of https.
fn has_other_port(text: &str) -> bool {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port != 443))
}

/// A URL with `http` or `https` and a host.
pub(super) fn web_url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<url::Url> {
    let scalar = text_ref(ctx, at)?;
    if scalar.text.trim().is_empty() {
        ctx.bad(at, "there is no address", "write `https://host/path`");
        return None;
    }
    match parse_web_url(&scalar.text) {
        Ok(url) => Some(url),
        Err((message, hint)) => {
            ctx.bad(at, format!("`{}` {message}", scalar.shown()), hint);
            None
        }
    }
}

/// Networks: `10.0.0.0/8`, or a single address.
pub(super) fn networks(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<IpNet>> {
    Some(at.one_or_many().iter().filter_map(|item| network(ctx, item)).collect())
}

fn network(ctx: &Ctx<'_>, at: &At<'_>) -> Option<IpNet> {
    let scalar = text_ref(ctx, at)?;
    let found = scalar.text.parse::<IpNet>().ok().or_else(|| scalar.text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    if found.is_none() {
        ctx.bad(at, format!("`{}` is not a network", scalar.shown()), "write `10.0.0.0/8`, `127.0.0.1/32` or `fd00::/8`");
    }
    found.map(|net| net.trunc())
}

/// A list of names, or one.
pub(super) fn names(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<String>> {
    Some(at.one_or_many().iter().filter_map(|item| full_text(ctx, item)).collect())
}

/// The content of a file as text.
pub(super) fn file_text(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let bytes = file_bytes(ctx, at)?;
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(_) => {
            ctx.bad(at, "the file is not UTF-8 text", "");
            None
        }
    }
}

/// The content of a file.
pub(super) fn file_bytes(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<u8>> {
    let path = full_text(ctx, at)?;
    match ctx.around.file(&PathBuf::from(&path)) {
        Ok(bytes) => Some(bytes),
        Err(reason) => {
            ctx.bad(at, format!("cannot read the file `{path}`: {reason}"), "check the path and who may read it");
            None
        }
    }
}

/// A secret: a text, or `{ file: … }`, `{ env: … }`, `{ credential: … }`. Messages about it never show its value.
pub(super) fn secret(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    if at.node.entries().is_none() {
        let Some(scalar) = at.node.scalar() else {
            ctx.bad(at, "expected a secret, found a list", "write a text, or `{ file: path }`, `{ env: NAME }`, `{ credential: name }`");
            return None;
        };
        if scalar.kind() == ScalarKind::Boolean || scalar.text.is_empty() {
            ctx.bad(at, "this secret is empty or not a text", "put it in quotes, or use `{ file: path }` or `{ env: NAME }`");
            return None;
        }
        return Some(Secret::new(scalar.text.clone()));
    }
    let found = secret_elsewhere(ctx, at)?;
    let found = found.strip_suffix('\n').map_or(found.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if found.is_empty() {
        ctx.bad(at, "this secret is empty", "");
        return None;
    }
    Some(Secret::new(found))
}

fn secret_elsewhere(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let mut fields = Fields::open(ctx, at, "secret")?;
    let (file, env, credential) = (fields.take("file"), fields.take("env"), fields.take("credential"));
    fields.finish();
    match (file, env, credential) {
        (Some(file), None, None) => file_text(ctx, &file),
        (None, Some(env), None) => {
            let name = full_text(ctx, &env)?;
            let found = ctx.around.env(&name);
            if found.is_none() {
                ctx.bad(&env, format!("the environment variable `{name}` is not set"), "set it where vigilmon is started");
            }
            found
        }
        (None, None, Some(credential)) => systemd_credential(ctx, &credential),
        _ => {
            ctx.bad(at, "a secret has exactly one source", "keep one of `file`, `env` and `credential`");
            None
        }
    }
}

fn systemd_credential(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let name = full_text(ctx, at)?;
    if name.contains('/') || name.starts_with('.') {
        ctx.bad(at, format!("`{name}` is not the name of a credential"), "write the name alone, without a path");
        return None;
    }
    let Some(directory) = ctx.around.env("CREDENTIALS_DIRECTORY") else {
        let hint = format!("add `LoadCredential={name}:/path` to the unit, or use `{{ file: /path }}`");
        ctx.bad(at, "there are no credentials: vigilmon was not started by systemd with any", hint);
        return None;
    };
    let path = PathBuf::from(directory).join(&name);
    let found = ctx.around.file(&path).and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned()));
    found.map_err(|reason| ctx.bad(at, format!("cannot read the credential `{name}`: {reason}"), "")).ok()
}
