//! What people say about alerts, as they write it: from the fields of a form or a JSON body to what the engine is asked. Pure; the engine
//! has the last word on what holds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::http::error::Refusal;
use crate::http::route::Wire;
use crate::http::visit::Visit;
use crate::model::id::NAME_CHARS_MAX;
use crate::model::id::is_deceptive;
use crate::model::maintenance::Selection;
use crate::model::monitor::Monitor;
use crate::model::policy::Acknowledgement;
use crate::model::policy::BY_CHARS_MAX;
use crate::model::policy::Silence;
use crate::model::time::UnixMillis;
use crate::model::time::parse_duration;

/// When "tomorrow" begins to be told of again: nine o'clock, by UTC, because a server knows no other clock that is everybody's.
const MORNING: Duration = Duration::from_secs(9 * 3600);

/// Said where a time is needed and there is none.
const NO_TIME: &str = "Say for how long, such as `2h`, or until when.";

const DAY_MS: i64 = 86_400_000;

/// What somebody wants, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// A duration, or `tomorrow`.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// A point in time.
    until: Option<String>,
    note: Option<String>,
    /// Patterns.
    monitors: Vec<String>,
    groups: Vec<String>,
    labels: BTreeMap<String, String>,
}

impl Wish {
    /// As it was sent.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is not JSON of this shape, or a label has no value.
    pub fn of(visit: &Visit, wire: Wire) -> Result<Wish, Refusal> {
        match wire {
            Wire::Page => Wish::of_form(visit),
            Wire::Json if visit.body.iter().all(u8::is_ascii_whitespace) => Ok(Wish::default()),
            // A list would be read as the fields in their order.
            Wire::Json if !visit.body.trim_ascii_start().starts_with(b"{") => {
                Err(Refusal::Malformed("The body has to be a JSON object.".to_owned()))
            }
            Wire::Json => serde_json::from_slice(&visit.body)
                .map_err(|error| Refusal::Malformed(format!("The body is not as it should be: {error}."))),
        }
    }

    /// From the fields of a form. In those with several patterns each stands on a line of its own.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when a label has no value.
    pub fn of_form(visit: &Visit) -> Result<Wish, Refusal> {
        let text = |name: &str| visit.field(name).map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        // The button that was pressed says for how long; without one, or with the one that says so, what was typed does.
        let asked = text("for");
        let is_own = asked.as_deref() == Some("own");
        let lasts = asked.filter(|lasts| lasts != "own").or_else(|| text("own"));
        // Without a time it would hold until the end, and whoever wanted to hear of it again would not.
        if is_own && lasts.is_none() && text("until").is_none() {
            return Err(Refusal::Malformed(NO_TIME.to_owned()));
        }
        Ok(Wish {
            lasts,
            until: text("until"),
            note: text("note"),
            monitors: lines(visit, "monitors"),
            groups: lines(visit, "groups"),
            labels: lines(visit, "labels").iter().map(|line| label(line)).collect::<Result<_, _>>()?,
        })
    }

    /// Somebody is at work on an incident, or wants to hear of it later.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when a time is not one, or what is for silences was sent.
    pub fn acknowledgement(&self, by: &str, now: UnixMillis) -> Result<Acknowledgement, Refusal> {
        if !(self.monitors.is_empty() && self.groups.is_empty() && self.labels.is_empty()) {
            return Err(Refusal::Malformed(
                "An acknowledgement is of one incident; `monitors`, `groups` and `labels` are for silences.".to_owned(),
            ));
        }
        Ok(Acknowledgement { by: person(by), at: now, until: self.end(now)?, note: self.note(), by_channel: None })
    }

    /// Nobody is told of new trouble of some monitors for a while.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when a time is not one or there is none, or a pattern is too long.
    pub fn silence(&self, by: &str, now: UnixMillis) -> Result<Silence, Refusal> {
        let until = self.end(now)?.ok_or_else(|| Refusal::Malformed(NO_TIME.to_owned()))?;
        let wanted = Selection { names: self.monitors.clone(), groups: self.groups.clone(), labels: self.labels.clone() };
        let texts = wanted.names.iter().chain(&wanted.groups).chain(wanted.labels.keys()).chain(wanted.labels.values());
        if texts.clone().any(|text| NAME_CHARS_MAX < text.chars().count() || text.chars().any(is_deceptive) || text.trim().is_empty()) {
            let why = format!("Patterns and labels have 1 to {NAME_CHARS_MAX} characters, all of them visible.");
            return Err(Refusal::Malformed(why));
        }
        Ok(Silence { wanted, from: now, until, by: person(by), note: self.note() })
    }

    /// The same, of one monitor.
    ///
    /// # Errors
    /// As for [`Wish::silence`].
    pub fn silence_of(self, monitor: &Monitor, by: &str, now: UnixMillis) -> Result<Silence, Refusal> {
        Wish { monitors: vec![monitor.name.clone()], groups: Vec::new(), labels: BTreeMap::new(), ..self }.silence(by, now)
    }

    fn note(&self) -> String {
        clean(self.note.as_deref().unwrap_or_default())
    }

    fn end(&self, now: UnixMillis) -> Result<Option<UnixMillis>, Refusal> {
        match (self.lasts.as_deref(), self.until.as_deref()) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(Refusal::Malformed("Say either for how long or until when, not both.".to_owned())),
            (Some("tomorrow"), None) => Ok(Some(next_morning(now))),
            (Some(lasts), None) => {
                let lasts = parse_duration(lasts);
                lasts.map(|lasts| Some(now + lasts)).map_err(|error| Refusal::Malformed(format!("It is not clear for how long: {error}.")))
            }
            (None, Some(until)) => point(until)
                .map(Some)
                .ok_or_else(|| Refusal::Malformed(format!("`{}` is no point in time; write it as `2026-07-01T09:00:00Z`.", clean(until)))),
        }
    }
}

/// Nine o'clock of the next day.
#[must_use]
pub fn next_morning(now: UnixMillis) -> UnixMillis {
    UnixMillis((now.0.div_euclid(DAY_MS) + 1) * DAY_MS) + MORNING
}

/// RFC 3339, or what browsers make of a field for date and time, by UTC.
pub(super) fn point(text: &str) -> Option<UnixMillis> {
    let zoned = text.parse::<jiff::Timestamp>();
    let stamp = zoned.or_else(|_| format!("{text}Z").parse()).or_else(|_| format!("{text}:00Z").parse());
    stamp.ok().map(|stamp| UnixMillis(stamp.as_millisecond()))
}

pub(super) fn lines(visit: &Visit, name: &str) -> Vec<String> {
    let all = visit.form.iter().filter(|(known, _)| known == name).flat_map(|(_, text)| text.lines());
    all.map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

pub(super) fn label(line: &str) -> Result<(String, String), Refusal> {
    let parts = line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    parts.ok_or_else(|| Refusal::Malformed(format!("`{}` is no label; write it as `key=value`.", clean(line))))
}

/// A name as it fits.
pub(super) fn person(by: &str) -> String {
    clean(by).chars().take(BY_CHARS_MAX).collect()
}

/// It is printed in messages and logs: nothing invisible, no line breaks.
pub(super) fn clean(text: &str) -> String {
    let shown: String = text.chars().map(|c| if is_deceptive(c) { ' ' } else { c }).collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

    fn json(text: &str) -> Result<Wish, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn ends_are_durations_points_in_time_or_the_next_morning() {
        let end = |text: &str| json(text).expect(text).acknowledgement("ada", NOON).map(|ack| ack.until.map(UnixMillis::rfc3339));
        for (text, expected) in [
            ("{}", None),
            (r#"{"for":"2h"}"#, Some("2026-06-30T14:00:00Z")),
            (r#"{"for":"tomorrow"}"#, Some("2026-07-01T09:00:00Z")),
            (r#"{"until":"2026-06-30T15:30:00+02:00"}"#, Some("2026-06-30T13:30:00Z")),
            (r#"{"until":"2026-07-01T09:00"}"#, Some("2026-07-01T09:00:00Z")),
        ] {
            assert_eq!(end(text), Ok(expected.map(ToOwned::to_owned)), "{text}");
        }
        for wrong in [
            r#"{"for":"2"}"#,
            r#"{"for":"soon"}"#,
            r#"{"until":"tomorrow"}"#,
            r#"{"for":"1h","until":"2026-07-01T09:00:00Z"}"#,
            r#"{"monitors":["x"]}"#,
        ] {
            assert!(matches!(end(wrong), Err(Refusal::Malformed(_))), "{wrong}: {:?}", end(wrong));
        }
        assert!(json(r#"{"fro":"2h"}"#).is_err(), "a key that is misspelt must not be overlooked");
    }

    #[test]
    fn silences_say_whom_and_have_an_end() {
        let silence = |text: &str| json(text).expect(text).silence("ada", NOON);
        let found = silence(r#"{"monitors":["api*"],"labels":{"team":"web"},"for":"1h","note":"a\nb\u202e"}"#).expect("a silence");
        assert_eq!((found.wanted.names, found.note.as_str()), (vec!["api*".to_owned()], "a b"));
        for wrong in [r#"{"monitors":["x"]}"#, r#"{"monitors":[" "],"for":"1h"}"#, r#"{"groups":["a\u0000"],"for":"1h"}"#] {
            assert!(matches!(silence(wrong), Err(Refusal::Malformed(_))), "{wrong}");
        }
        assert_eq!(person(&"x".repeat(200)).len(), BY_CHARS_MAX);
    }
}
