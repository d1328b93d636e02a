//! Names and ids: text that was checked once.

use std::fmt;

/// Longest name or id, in characters; `reliability` part 5 sets 200.
pub const NAME_CHARS_MAX: usize = 200;

/// Why a text is not an id of the given kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a {kind}; use lowercase letters, digits, `-`, `_` and `.`, beginning with a letter or digit, 1 to {NAME_CHARS_MAX} of them"
)]
pub struct BadId {
    /// What it should have been.
    pub kind: &'static str,
    /// What it was.
    pub text: String,
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing but white space.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`NAME_CHARS_MAX`] characters.
    #[error("a name has at most {NAME_CHARS_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// A line break, tab, escape or bidirectional control: it would deceive the reader of a log or an alert.
    #[error("a name must not contain control characters")]
    Control,
}

fn is_slug(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
}

/// Makes an id of a name: lower case, everything but letters and digits becomes a single `-`, `[prod-us] api /health` becomes
/// `prod-us-api-health`. Letters outside ASCII are kept out, so a name without any gives an empty text, which is not an id.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() || c == '_' || c == '.' {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(NAME_CHARS_MAX);
    out.trim_matches(['-', '.', '_']).to_owned()
}

/// Checks a name that people chose: not empty, not long, nothing invisible.
///
/// # Errors
/// [`BadName`] with the rule that is broken.
pub fn check_name(text: &str) -> Result<(), BadName> {
    let count = text.chars().count();
    if text.trim().is_empty() {
        return Err(BadName::Empty);
    }
    if count > NAME_CHARS_MAX {
        return Err(BadName::TooLong(count));
    }
    if text.chars().any(is_deceptive) {
        return Err(BadName::Control);
    }
    Ok(())
}

/// Controls (C0, C1) and the bidirectional marks and overrides.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

macro_rules! slug_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks and takes the text.
            ///
            /// # Errors
            /// [`BadId`] when it has characters or a length that ids do not have.
            pub fn parse(text: &str) -> Result<$name, BadId> {
                if is_slug(text) { Ok($name(text.into())) } else { Err(BadId { kind: $kind, text: text.to_owned() }) }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

slug_id!(
    /// What a monitor keeps when it is renamed; the key of its history.
    MonitorId,
    "monitor id"
);
slug_id!(
    /// The last part of a status page's address.
    PageSlug,
    "page slug"
);
slug_id!(
    /// Name of an instance in its cluster.
    NodeName,
    "node name"
);
slug_id!(
    /// Label of where a vantage is.
    Region,
    "region"
);

/// Name of a channel as written in the config; unique there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(std::sync::Arc<str>);

impl ChannelName {
    /// Takes a name that [`check_name`] accepts.
    ///
    /// # Errors
    /// [`BadName`] otherwise.
    pub fn parse(text: &str) -> Result<ChannelName, BadName> {
        check_name(text)?;
        Ok(ChannelName(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names an incident on every node alike: thirteen base32 characters derived from cluster, monitor, lane and epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(std::sync::Arc<str>);

impl IncidentId {
    /// Takes an id that was derived by `crate::consensus::identity` or read back from the store.
    #[must_use]
    pub fn from_derived(text: &str) -> IncidentId {
        IncidentId(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_made_of_names() {
        for (name, expected) in [
            ("[prod-us] api /health", "prod-us-api-health"),
            ("Nightly  Report", "nightly-report"),
            ("https://example.com", "https-example.com"),
            ("--x--", "x"),
            ("日本", ""),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
    }

    #[test]
    fn ids_and_names_are_checked() {
        assert!(MonitorId::parse("prod-us-api").is_ok());
        for bad in ["", "Prod", "-x", "a b", "a/b"] {
            assert!(MonitorId::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(check_name("a\nb"), Err(BadName::Control));
        assert_eq!(check_name("a\u{202e}b"), Err(BadName::Control));
        assert_eq!(check_name("  "), Err(BadName::Empty));
        assert_eq!(check_name(&"x".repeat(201)), Err(BadName::TooLong(201)));
    }
}
