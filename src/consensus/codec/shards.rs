//! Opinions, packed: thousands of keys of a few bytes would cost more in digests than they say.
//!
//! A fixed number of shards, each a JSON array of small arrays. A shard that grows beyond one value goes on in further parts; when it
//! shrinks, the parts it no longer needs say nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::consensus::codec::VALUE_BYTES_MAX;
use crate::consensus::codec::json;
use crate::consensus::codec::parsed;
use crate::consensus::codec::row;
use crate::model::peer::MonitorKey;
use crate::model::peer::PeerOpinion;
use crate::model::time::UnixMillis;
use crate::model::verdict::OpinionState;

/// With 10 000 monitors about 32 in each: a change then sends a kilobyte or two again, and a digest has a few hundred keys.
const N_SHARDS: u64 = 320;

/// One's own opinions, packed.
#[derive(Debug, Default)]
pub struct Shards {
    shards: BTreeMap<u64, BTreeMap<MonitorKey, PeerOpinion>>,
    /// How many parts each shard has had at most.
    n_parts: BTreeMap<u64, usize>,
}

/// `[key, state, since, probe hash]`, and for bad ones `[…, code, stage, text]`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OpinionRow {
    Bad(String, char, i64, u32, String, String, String),
    Plain(String, char, i64, u32),
}

const STATES: [(char, OpinionState); 6] = [
    ('u', OpinionState::Up),
    ('g', OpinionState::Degraded),
    ('d', OpinionState::Down),
    ('s', OpinionState::Suspect),
    ('?', OpinionState::Unknown),
    ('p', OpinionState::Paused),
];

impl Shards {
    /// Takes opinions; returns the pairs that changed.
    pub fn put(&mut self, opinions: Vec<PeerOpinion>) -> Vec<(String, String)> {
        let mut changed = BTreeSet::new();
        for opinion in opinions {
            let shard = opinion.monitor.0 % N_SHARDS;
            let held = self.shards.entry(shard).or_default();
            if held.get(&opinion.monitor) != Some(&opinion) {
                held.insert(opinion.monitor, opinion);
                changed.insert(shard);
            }
        }
        changed.into_iter().flat_map(|shard| self.pack(shard)).collect()
    }

    fn pack(&mut self, shard: u64) -> Vec<(String, String)> {
        let mut parts = vec![String::from("[")];
        for opinion in self.shards.get(&shard).into_iter().flat_map(BTreeMap::values) {
            let row = fitting(opinion);
            let is_full = parts.last().is_some_and(|part| VALUE_BYTES_MAX < part.len() + row.len() + 2);
            if is_full {
                parts.push(String::from("["));
            }
            if let Some(part) = parts.last_mut() {
                if part.len() > 1 {
                    part.push(',');
                }
                part.push_str(&row);
            }
        }
        let most = self.n_parts.entry(shard).or_default();
        *most = (*most).max(parts.len());
        parts.resize(*most, String::from("["));
        parts.into_iter().enumerate().map(|(i, part)| (format!("o/{shard}.{i}"), part + "]")).collect()
    }
}

/// The row of an opinion, its sentence shortened until it fits beside others.
fn fitting(opinion: &PeerOpinion) -> String {
    let key = format!("{:016x}", opinion.monitor.0);
    let state = STATES.into_iter().find(|(_, state)| *state == opinion.state).map_or('?', |(letter, _)| letter);
    let (since, hash) = (opinion.since.0, opinion.probe_hash);
    let Some(cause) = &opinion.cause else { return json(&OpinionRow::Plain(key, state, since, hash)) };
    let long = |n_chars: usize| {
        let (code, stage) = (row::cut(&cause.code, 40), cause.stage.word().to_owned());
        json(&OpinionRow::Bad(key.clone(), state, since, hash, code, stage, row::cut(&cause.text, n_chars)))
    };
    let full = long(crate::model::peer::CAUSE_CHARS_MAX);
    if full.len() <= VALUE_BYTES_MAX - 2 { full } else { long(100) }
}

/// The opinions of one part. One that cannot be read costs the part: they were written together.
pub(super) fn opinions(value: &str) -> Result<Vec<PeerOpinion>, String> {
    parsed::<Vec<OpinionRow>>(value)?.into_iter().map(opinion).collect()
}

fn opinion(row: OpinionRow) -> Result<PeerOpinion, String> {
    let (key, state, since, probe_hash, cause) = match row {
        OpinionRow::Plain(key, state, since, hash) => (key, state, since, hash, None),
        OpinionRow::Bad(key, state, since, hash, code, stage, text) => (key, state, since, hash, Some(row::cause(code, &text, &stage))),
    };
    Ok(PeerOpinion {
        monitor: MonitorKey(u64::from_str_radix(&key, 16).map_err(|_| format!("`{key}` is not a monitor"))?),
        state: STATES.into_iter().find(|(letter, _)| *letter == state).map_or(OpinionState::Unknown, |(_, state)| state),
        since: UnixMillis(since),
        probe_hash,
        cause,
    })
}
