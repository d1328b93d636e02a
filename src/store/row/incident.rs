//! Durable forms of the parts of an incident that are not columns of their own.

use serde::Deserialize;
use serde::Serialize;

use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Lane;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::RegionView;

#[derive(Serialize, Deserialize)]
struct RegionsRow {
    failing: Vec<String>,
    fine: Vec<String>,
    unknown: Vec<String>,
}

/// JSON text of a view.
pub(in crate::store) fn regions_to_json(view: &RegionView) -> String {
    let RegionView { failing, fine, unknown } = view;
    super::json(&RegionsRow { failing: region_words(failing), fine: region_words(fine), unknown: region_words(unknown) })
}

/// The view of a JSON text.
pub(in crate::store) fn regions_from_json(text: &str) -> Result<RegionView, String> {
    let row: RegionsRow = super::parsed(text)?;
    Ok(RegionView { failing: regions_of(&row.failing)?, fine: regions_of(&row.fine)?, unknown: regions_of(&row.unknown)? })
}

/// Names of regions as text.
pub(super) fn region_words(regions: &[Region]) -> Vec<String> {
    regions.iter().map(|region| region.as_str().to_owned()).collect()
}

/// Regions of their names.
pub(super) fn regions_of(words: &[String]) -> Result<Vec<Region>, String> {
    words.iter().map(|word| Region::parse(word).map_err(|error| error.to_string())).collect()
}

/// JSON text of the lines of evidence.
pub(in crate::store) fn lines_to_json(lines: &[String]) -> String {
    super::json(&lines)
}

/// The lines of a JSON text.
pub(in crate::store) fn lines_from_json(text: &str) -> Result<Vec<String>, String> {
    super::parsed(text)
}

/// The word of a confidence.
pub(in crate::store) fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Full => "full",
        Confidence::Degraded => "degraded",
    }
}

/// The confidence of its word.
pub(in crate::store) fn confidence_of(word: &str) -> Result<Confidence, String> {
    Ok(match word {
        "full" => Confidence::Full,
        "degraded" => Confidence::Degraded,
        other => return Err(format!("`{other}` is not a confidence")),
    })
}

/// The lane of its word.
pub(in crate::store) fn lane_of(word: &str) -> Result<Lane, String> {
    Lane::ALL.into_iter().find(|lane| lane.word() == word).ok_or_else(|| format!("`{word}` is not a lane"))
}

/// The reason of its word.
pub(in crate::store) fn close_reason_of(word: &str) -> Result<CloseReason, String> {
    Ok(match word {
        "recovered" => CloseReason::Recovered,
        "recovered_unseen" => CloseReason::RecoveredUnseen,
        "superseded" => CloseReason::Superseded,
        "removed" => CloseReason::Removed,
        "paused" => CloseReason::Paused,
        other => return Err(format!("`{other}` is not a way for an incident to end")),
    })
}

/// The word of a diagnosis.
pub(in crate::store) fn diagnosis_word(diagnosis: Diagnosis) -> &'static str {
    diagnosis.word()
}

/// The diagnosis of its word; one that a newer build made is none.
pub(in crate::store) fn diagnosis_of(word: &str) -> Option<Diagnosis> {
    Diagnosis::ALL.into_iter().find(|known| known.word() == word)
}
