//! Records as keys and values: the form in which they travel and are kept. One table of keys, one place:
//!
//! | key | record |
//! |---|---|
//! | `meta`, `wm` | the writer about itself |
//! | `o/<shard>.<part>` | opinions, packed |
//! | `v/…`, `d/…`, `p/<monitor>` | epochs: outage, degradation, regional |
//! | `n/<key>` | delivery of a message |
//! | `h/<monitor>/<node>` | newest pings of a heartbeat that a node received |
//! | `s/pause/<monitor>`, `s/create/<monitor>`, `s/silence/<id>`, `a/<incident>` | what operators did, and those who may create heartbeats |
//! | `u/i/<incident>/<id>`, `u/a/<announcement>/<id>`, `m/<incident>/<part>`, `s/announce/<id>` | what people wrote: updates and notes, postmortems, announcements |
//! | `x/<node>` | a node that is gone for good |
//!
//! Values are JSON and at most [`VALUE_BYTES_MAX`] long: a value that does not fit into one message of the gossip would hold up
//! everything that its node says after it. Unknown keys, unknown fields and values that cannot be read are left out, one by one: they
//! come from a newer version.

mod row;
mod shards;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::consensus::codec::shards::Shards;
use crate::model::change::StoredFact;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::incident::Lane;
use crate::model::peer::OperatorAct;
use crate::model::peer::Record;
use crate::model::policy::SilenceId;
use crate::model::time::UnixMillis;
use crate::model::update::About;
use crate::model::update::AnnouncementId;
use crate::model::update::POSTMORTEM_PARTS_MAX;
use crate::model::update::UpdateId;

/// Longest value.
pub const VALUE_BYTES_MAX: usize = 4096;

/// Why a pair is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {why}")]
pub struct BadRecord {
    /// Its key.
    pub key: String,
    /// Why.
    pub why: String,
}

/// Key and value of a record; `None` for an opinion: those are packed, see [`Shards`].
#[must_use]
pub fn encode(record: &Record) -> Option<(String, String)> {
    Some(match record {
        Record::Opinion(_) => return None,
        Record::Meta(meta) => ("meta".to_owned(), json(&row::meta(meta))),
        Record::Watermark(watermark) => ("wm".to_owned(), row::watermark_text(watermark)),
        Record::Epoch(fact) => (format!("{}/{}", lane_letter(fact.lane), fact.monitor), row::epoch_text(fact)),
        Record::Delivery(fact) => (format!("n/{}", fact.key), json(&row::delivery(fact))),
        Record::Ping(fact) => (format!("h/{}/{}", fact.heartbeat, fact.node), row::pings_text(fact)),
        Record::Operator(fact) => {
            let key = match &fact.act {
                OperatorAct::Pause(monitor) => format!("s/pause/{monitor}"),
                OperatorAct::Create(monitor) => format!("s/create/{monitor}"),
                OperatorAct::Silence(id) => format!("s/silence/{id}"),
                OperatorAct::Acknowledge(incident) => format!("a/{incident}"),
                OperatorAct::Update(About::Incident(incident), id) => format!("u/i/{incident}/{id}"),
                OperatorAct::Update(About::Announcement(announcement), id) => format!("u/a/{announcement}/{id}"),
                OperatorAct::Postmortem(incident, part) => format!("m/{incident}/{part}"),
                OperatorAct::Announce(id) => format!("s/announce/{id}"),
            };
            (key, row::operator_text(fact))
        }
        Record::Forgotten(node) => (format!("x/{node}"), "true".to_owned()),
    })
}

/// The records of a pair; opinions come several at a time. A key that this version does not know gives none.
///
/// # Errors
/// [`BadRecord`].
pub fn decode(key: &str, value: &str) -> Result<Vec<Record>, BadRecord> {
    let bad = |why: String| BadRecord { key: key.to_owned(), why };
    if VALUE_BYTES_MAX < value.len() {
        return Err(bad(format!("{} bytes are too many", value.len())));
    }
    let record = match key.split_once('/') {
        None if key == "meta" => Record::Meta(row::meta_of(parsed(value).map_err(bad)?).map_err(bad)?),
        None if key == "wm" => Record::Watermark(row::watermark_of(parsed(value).map_err(bad)?)),
        Some(("o", _)) => return shards::opinions(value).map_err(bad).map(|all| all.into_iter().map(Record::Opinion).collect()),
        Some((letter @ ("v" | "d" | "p"), id)) => {
            let lane = Lane::ALL.into_iter().find(|lane| lane_letter(*lane) == letter).unwrap_or(Lane::Outage);
            let fact = row::epoch_of(monitor(id).map_err(bad)?, lane, parsed(value).map_err(bad)?).map_err(bad)?;
            Record::Epoch(Box::new(fact))
        }
        Some(("n", id)) => Record::Delivery(row::delivery_of(id, &parsed(value).map_err(bad)?).map_err(bad)?),
        Some(("h", id)) => {
            let Some((heartbeat, node)) = id.split_once('/') else { return Ok(Vec::new()) };
            let node = NodeName::parse(node).map_err(|error| bad(error.to_string()))?;
            Record::Ping(row::pings_of(monitor(heartbeat).map_err(bad)?, node, parsed(value).map_err(bad)?))
        }
        Some(("s", act)) => match act.split_once('/') {
            Some((word @ ("pause" | "create" | "silence" | "announce"), id)) => {
                let act = match word {
                    "pause" => OperatorAct::Pause(monitor(id).map_err(bad)?),
                    "create" => OperatorAct::Create(monitor(id).map_err(bad)?),
                    "announce" => OperatorAct::Announce(AnnouncementId::parse(id).map_err(bad)?),
                    _ => OperatorAct::Silence(SilenceId::parse(id).map_err(bad)?),
                };
                Record::Operator(row::operator_of(act, parsed(value).map_err(bad)?).map_err(bad)?)
            }
            Some(_) | None => return Ok(Vec::new()),
        },
        Some(("a", id)) => {
            let incident = incident(id).map_err(bad)?;
            Record::Operator(row::operator_of(OperatorAct::Acknowledge(incident), parsed(value).map_err(bad)?).map_err(bad)?)
        }
        Some(("u" | "m", _)) => match text_act(key).map_err(bad)? {
            Some(act) => Record::Operator(row::operator_of(act, parsed(value).map_err(bad)?).map_err(bad)?),
            None => return Ok(Vec::new()),
        },
        Some(("x", node)) => Record::Forgotten(NodeName::parse(node).map_err(|error| bad(error.to_string()))?),
        Some(_) | None => return Ok(Vec::new()),
    };
    Ok(vec![record])
}

/// Whether what stands under this key stays true whoever said it and when.
#[must_use]
pub fn is_fact(key: &str) -> bool {
    matches!(key.split_once('/'), Some(("v" | "d" | "p" | "n" | "h" | "s" | "a" | "u" | "m" | "x", _)))
}

/// The record as it is kept on disk; `None` for observations, which are not.
#[must_use]
pub fn stored(record: &Record, until: Option<UnixMillis>) -> Option<StoredFact> {
    let (key, value) = encode(record)?;
    is_fact(&key).then_some(StoredFact { key, value, until })
}

fn lane_letter(lane: Lane) -> &'static str {
    match lane {
        Lane::Outage => "v",
        Lane::Degradation => "d",
        Lane::Regional => "p",
    }
}

/// What somebody wrote, by its key; `None`: about something that this version does not know.
fn text_act(key: &str) -> Result<Option<OperatorAct>, String> {
    let parts: Vec<&str> = key.split('/').collect();
    Ok(match parts.as_slice() {
        ["u", "i", about, id] => Some(OperatorAct::Update(About::Incident(incident(about)?), UpdateId::parse(id)?)),
        ["u", "a", about, id] => Some(OperatorAct::Update(About::Announcement(AnnouncementId::parse(about)?), UpdateId::parse(id)?)),
        ["m", about, part] => {
            let number: u8 = part.parse().map_err(|_| format!("`{part}` is not the number of a part"))?;
            if POSTMORTEM_PARTS_MAX <= number || number.to_string() != *part {
                return Err(format!("there is no part {part}"));
            }
            Some(OperatorAct::Postmortem(incident(about)?, number))
        }
        _ => None,
    })
}

/// Ids of incidents are ours, and yet what others say under them may be anything.
fn incident(text: &str) -> Result<IncidentId, String> {
    let is_fine = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_fine { Ok(IncidentId::from_derived(text)) } else { Err("this is not the id of an incident".to_owned()) }
}

fn monitor(text: &str) -> Result<MonitorId, String> {
    MonitorId::parse(text).map_err(|error| error.to_string())
}

fn json(row: &impl Serialize) -> String {
    // Rows are made of texts and numbers, which JSON always takes.
    serde_json::to_string(row).unwrap_or_default()
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
