//! When a missed heartbeat may be believed: only the nodes that could have received the ping know that it did not come.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::id::NodeName;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;

/// A heartbeat whose ping has not been seen.
#[derive(Debug, Clone, Copy)]
pub struct Missing<'a> {
    /// When the newest ping came that any visible node received and that counts for it; `None`: none is known.
    pub newest: Option<UnixMillis>,
    /// The ping had to come after this to count.
    pub not_before: UnixMillis,
    /// Nodes that could have received it: all that are configured and not forgotten.
    pub receivers: &'a [NodeName],
    /// Those of which everything is known that they received before the deadline, this one included. That a node seems to live is not
    /// enough: news may come late, or in one direction only.
    pub heard: &'a BTreeSet<NodeName>,
    /// Since when the deadline is over.
    pub since: Mono,
    /// How long a part of the nodes waits for the others; `None`: for ever.
    pub solo_after: Option<Duration>,
}

/// What is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// It came after all.
    No,
    /// It did not come, this sure; these nodes could have received it and were not heard of.
    Yes(Confidence, Vec<NodeName>),
    /// Nobody can tell yet; look again then.
    Unknown(Option<Mono>),
}

/// Decides.
#[must_use]
pub fn missed(missing: Missing<'_>, now: Mono) -> Missed {
    if missing.newest.is_some_and(|at| missing.not_before <= at) {
        return Missed::No;
    }
    let unheard: Vec<NodeName> = missing.receivers.iter().filter(|node| !missing.heard.contains(*node)).cloned().collect();
    if unheard.is_empty() {
        return Missed::Yes(Confidence::Full, unheard);
    }
    let Some(solo_after) = missing.solo_after else { return Missed::Unknown(None) };
    let at = missing.since + solo_after;
    if at <= now { Missed::Yes(Confidence::Degraded, unheard) } else { Missed::Unknown(Some(at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<NodeName> {
        text.split_whitespace().map(|name| NodeName::parse(name).expect("a name")).collect()
    }

    /// The deadline was over at second 100, and nodes `a`, `b` and `c` could have received the ping.
    #[track_caller]
    fn assert_missed(heard: &str, solo_after: Option<u64>, at: u64, expected: &str) {
        let receivers = names("a b c");
        let heard = names(heard).into_iter().collect();
        let missing = Missing {
            newest: None,
            not_before: UnixMillis(0),
            receivers: &receivers,
            heard: &heard,
            since: Mono(100_000_000),
            solo_after: solo_after.map(Duration::from_secs),
        };
        let said = match missed(missing, Mono(at * 1_000_000)) {
            Missed::No => "no".to_owned(),
            Missed::Yes(Confidence::Full, _) => "yes".to_owned(),
            Missed::Yes(Confidence::Degraded, unheard) => {
                format!("perhaps, without {}", unheard.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            Missed::Unknown(Some(at)) => format!("at {}", at.0 / 1_000_000),
            Missed::Unknown(None) => "nobody knows".to_owned(),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn only_whoever_could_have_received_it_knows_that_it_did_not_come() {
        assert_missed("a b c", Some(60), 100, "yes");
        assert_missed("a b", Some(60), 103, "at 160");
        assert_missed("a b", Some(60), 160, "perhaps, without c");
        assert_missed("a", None, 10_000, "nobody knows");
    }

    #[test]
    fn a_ping_that_came_anywhere_is_enough() {
        let (receivers, heard) = (names("a b"), names("a").into_iter().collect());
        let missing = |newest| Missing {
            newest,
            not_before: UnixMillis(50),
            receivers: &receivers,
            heard: &heard,
            since: Mono(0),
            solo_after: Some(Duration::from_secs(60)),
        };
        assert_eq!(missed(missing(Some(UnixMillis(50))), Mono(u64::MAX / 2)), Missed::No);
        assert_ne!(missed(missing(Some(UnixMillis(49))), Mono(u64::MAX / 2)), Missed::No);
    }
}
