//! Takes in what a peer kept while this node was away, or before its disk was lost.
//!
//! Where this node knew something itself, its own rows stay. Doing it twice does the same as doing it once.

use std::collections::BTreeMap;

use crate::model::change::VerdictChange;
use crate::model::id::MonitorId;
use crate::model::incident::CloseReason;
use crate::model::incident::Incident;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::store::change;
use crate::store::desk::Desk;

/// What a peer kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// From when on.
    pub from: UnixMillis,
    /// Until when.
    pub to: UnixMillis,
    /// Incidents that are over.
    pub incidents: Vec<Incident>,
    /// Verdicts, those that held at the beginning included.
    pub verdicts: Vec<VerdictChange>,
}

/// Writes it.
pub(super) fn merge(desk: &mut Desk, history: &History) -> rusqlite::Result<()> {
    for incident in history.incidents.iter().filter(|incident| incident.closed.is_some()) {
        change::open(desk, incident)?;
        if let Some(closed) = incident.closed.filter(|closed| closed.how != CloseReason::Superseded) {
            // Here it was only seen that it was over when the next one began.
            desk.conn
                .prepare_cached(
                    "UPDATE incidents SET closed_at = ?2, close_reason = ?3 WHERE id = ?1 AND close_reason = ?4 AND ?2 < closed_at",
                )?
                .execute((incident.id.as_str(), closed.at.0, closed.how.word(), CloseReason::Superseded.word()))?;
        }
    }
    let mut theirs: BTreeMap<&MonitorId, Vec<&VerdictChange>> = BTreeMap::new();
    for verdict in &history.verdicts {
        theirs.entry(&verdict.monitor).or_default().push(verdict);
    }
    for (monitor, mut theirs) in theirs {
        theirs.sort_by_key(|verdict| verdict.at);
        let ours = change::verdicts(&desk.conn, std::slice::from_ref(monitor), history.from, history.to)?;
        let key = desk.key(monitor)?;
        for (at, verdict) in gaps_filled(history, &ours, &theirs) {
            desk.conn.prepare_cached("INSERT OR REPLACE INTO verdicts (monitor, at, verdict) VALUES (?1, ?2, ?3)")?.execute((
                key,
                at.0,
                verdict.word(),
            ))?;
        }
    }
    Ok(())
}

/// What is to be written so that theirs holds wherever we knew nothing.
fn gaps_filled(history: &History, ours: &[VerdictChange], theirs: &[&VerdictChange]) -> Vec<(UnixMillis, Verdict)> {
    let mut gaps = Vec::new();
    let first = ours.first().map_or(history.to, |verdict| verdict.at);
    if history.from < first {
        gaps.push((history.from, first));
    }
    for (i, verdict) in ours.iter().enumerate().filter(|(_, verdict)| verdict.verdict == Verdict::Unknown) {
        let end = ours.get(i + 1).map_or(history.to, |next| next.at);
        gaps.push((verdict.at.max(history.from), end));
    }
    let mut filled = Vec::new();
    for (from, to) in gaps {
        let holds = theirs.iter().rev().find(|verdict| verdict.at <= from).map(|verdict| (from, verdict.verdict));
        let inside = theirs.iter().filter(|verdict| from < verdict.at && verdict.at < to).map(|verdict| (verdict.at, verdict.verdict));
        filled.extend(holds.into_iter().chain(inside).filter(|(_, verdict)| *verdict != Verdict::Unknown));
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(text: &str) -> Vec<VerdictChange> {
        let of = |part: &str| {
            let (at, word) = part.split_at(part.len() - 1);
            let verdict = match word {
                "u" => Verdict::Up,
                "d" => Verdict::Down,
                _ => Verdict::Unknown,
            };
            VerdictChange { monitor: MonitorId::parse("m").expect("an id"), at: UnixMillis(at.parse().expect("a time")), verdict }
        };
        text.split_whitespace().map(of).collect()
    }

    #[track_caller]
    fn assert_filled(ours: &str, theirs: &str, expected: &str) {
        let history = History { from: UnixMillis(0), to: UnixMillis(100), ..History::default() };
        let (ours, theirs, expected) = (changes(ours), changes(theirs), changes(expected));
        let filled = gaps_filled(&history, &ours, &theirs.iter().collect::<Vec<_>>());
        assert_eq!(filled, expected.into_iter().map(|verdict| (verdict.at, verdict.verdict)).collect::<Vec<_>>());
    }

    #[test]
    fn theirs_holds_only_where_we_knew_nothing() {
        assert_filled("", "0u 20d 30u", "0u 20d 30u");
        assert_filled("0u 10? 50u", "0u 5d 6u 20d 30u 60d", "10u 20d 30u");
        assert_filled("40u", "0u 20d 30u 60d", "0u 20d 30u");
        assert_filled("0u", "0u 20d", "");
        assert_filled("0? 50u", "0? 20u", "20u");
        assert_filled("0u 90?", "0u 95d", "90u 95d");
    }
}
