//! The JSON of records: short names, because they travel; plain words, because people look at them when something is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::consensus::codec::VALUE_BYTES_MAX;
use crate::consensus::codec::json;
use crate::consensus::merge;
use crate::model::heartbeat::Ping;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::RunId;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::maintenance::Selection;
use crate::model::notification::ServiceId;
use crate::model::peer::CAUSE_CHARS_MAX;
use crate::model::peer::Cause;
use crate::model::peer::DeliveryFact;
use crate::model::peer::DeliveryStep;
use crate::model::peer::EpochFact;
use crate::model::peer::Meta;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::PingFact;
use crate::model::peer::Readiness;
use crate::model::peer::Said;
use crate::model::peer::Stage;
use crate::model::peer::Stamp;
use crate::model::peer::Vantage;
use crate::model::peer::Watermark;
use crate::model::policy::Acknowledgement;
use crate::model::policy::BY_CHARS_MAX;
use crate::model::policy::NOTE_CHARS_MAX;
use crate::model::policy::Silence;
use crate::model::time::UnixMillis;
use crate::model::update::Announced;
use crate::model::update::POSTMORTEM_CHARS_MAX;
use crate::model::update::POSTMORTEM_PARTS_MAX;
use crate::model::update::Postmortem;
use crate::model::update::PostmortemPart;
use crate::model::update::TITLE_CHARS_MAX;
use crate::model::update::UPDATE_CHARS_MAX;
use crate::model::update::Update;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;
use crate::model::verdict::Confidence;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::RegionView;

/// Twice what an id has.
const INCIDENT_CHARS_MAX: usize = 26;

/// Regions of each kind that a fact names; more would not fit, and no sentence could hold them.
const REGIONS_MAX: usize = 40;

/// Longest text of any other kind.
const TEXT_CHARS_MAX: usize = 200;

#[derive(Serialize, Deserialize)]
pub(super) struct MetaRow {
    region: String,
    vantage: String,
    version: String,
    config: String,
    ready: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(default)]
    clock_off: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<i64>,
    started: i64,
}

pub(super) fn meta(meta: &Meta) -> MetaRow {
    let (ready, why) = match &meta.readiness {
        Readiness::Settling => ("settling", None),
        Readiness::Ok => ("ok", None),
        Readiness::Abstaining(why) => ("abstain", Some(cut(why, TEXT_CHARS_MAX))),
        Readiness::Draining => ("draining", None),
    };
    MetaRow {
        region: meta.region.to_string(),
        vantage: meta.vantage.word().to_owned(),
        version: cut(&meta.version, TEXT_CHARS_MAX),
        config: cut(&meta.config_digest, TEXT_CHARS_MAX),
        ready: ready.to_owned(),
        why,
        clock_off: meta.is_clock_off,
        clock: meta.clock_offset_ms,
        started: meta.started_at.0,
    }
}

pub(super) fn meta_of(row: MetaRow) -> Result<Meta, String> {
    Ok(Meta {
        region: Region::parse(&row.region).map_err(|error| error.to_string())?,
        vantage: [Vantage::External, Vantage::Internal]
            .into_iter()
            .find(|vantage| vantage.word() == row.vantage)
            .ok_or_else(|| format!("`{}` is not a vantage", row.vantage))?,
        version: cut(&row.version, TEXT_CHARS_MAX),
        config_digest: cut(&row.config, TEXT_CHARS_MAX),
        readiness: match row.ready.as_str() {
            "ok" => Readiness::Ok,
            "abstain" => Readiness::Abstaining(cut(&row.why.unwrap_or_default(), TEXT_CHARS_MAX)),
            "draining" => Readiness::Draining,
            // A word of a newer version: whatever it means, it is not a plain "ok".
            _ => Readiness::Settling,
        },
        is_clock_off: row.clock_off,
        clock_offset_ms: row.clock,
        started_at: UnixMillis(row.started),
    })
}

#[derive(Serialize, Deserialize)]
pub(super) struct WatermarkRow {
    overdue_ms: u64,
    #[serde(default)]
    n: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    asks: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<String, u64>,
}

/// The value of a watermark. With so many long names that they do not fit, the last ones are left out: they are answered by others.
pub(super) fn watermark_text(watermark: &Watermark) -> String {
    let mut n_seen = watermark.seen.len();
    loop {
        let seen = watermark.seen.iter().take(n_seen).map(|(node, number)| (node.to_string(), *number)).collect();
        let row = WatermarkRow { overdue_ms: millis(watermark.overdue), n: watermark.number, asks: watermark.asks, seen };
        let text = json(&row);
        if text.len() <= VALUE_BYTES_MAX || n_seen == 0 {
            return text;
        }
        n_seen -= 1;
    }
}

pub(super) fn watermark_of(row: WatermarkRow) -> Watermark {
    let seen = row.seen.into_iter().filter_map(|(node, number)| Some((NodeName::parse(&node).ok()?, number))).collect();
    Watermark { overdue: Duration::from_millis(row.overdue_ms), number: row.n, asks: row.asks, seen }
}

#[derive(Serialize, Deserialize)]
pub(super) struct EpochRow {
    epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
    name: String,
    opened: i64,
    confirmed: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<(i64, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<(i64, String)>,
    code: String,
    text: String,
    stage: String,
    failing: Vec<String>,
    fine: Vec<String>,
    unknown: Vec<String>,
    #[serde(default)]
    degraded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    diagnosis: Option<String>,
    by: String,
    at: i64,
}

/// The value of an epoch; what makes it too long is shortened.
pub(super) fn epoch_text(fact: &EpochFact) -> String {
    let full = json(&epoch(fact, REGIONS_MAX, CAUSE_CHARS_MAX));
    if full.len() <= VALUE_BYTES_MAX {
        return full;
    }
    // Regions of 200 letters, or a cause in a script of four bytes a letter: names are worth more than sentences.
    let shorter = json(&epoch(fact, 5, 60));
    if shorter.len() <= VALUE_BYTES_MAX { shorter } else { json(&epoch(fact, 2, 20)) }
}

/// For tests that bend it.
#[cfg(test)]
pub(super) fn epoch_json(fact: &EpochFact) -> EpochRow {
    epoch(fact, REGIONS_MAX, CAUSE_CHARS_MAX)
}

fn epoch(fact: &EpochFact, n_regions: usize, n_chars: usize) -> EpochRow {
    let names = |regions: &[Region]| regions.iter().take(n_regions).map(ToString::to_string).collect::<Vec<_>>();
    EpochRow {
        epoch: fact.epoch.0,
        incident: fact.incident.as_ref().map(ToString::to_string),
        name: cut(&fact.monitor_name, TEXT_CHARS_MAX.min(n_chars.max(60))),
        opened: fact.opened_at.0,
        confirmed: fact.confirmed_at.0,
        closed: fact.closed.map(end),
        before: fact.before.map(end),
        code: fact.cause.code.clone(),
        text: cut(&fact.cause.text, n_chars),
        stage: fact.cause.stage.word().to_owned(),
        failing: names(&fact.regions.failing),
        fine: names(&fact.regions.fine),
        unknown: names(&fact.regions.unknown),
        degraded: fact.confidence == Confidence::Degraded,
        diagnosis: fact.diagnosis.map(|diagnosis| diagnosis.word().to_owned()),
        by: fact.by.to_string(),
        at: fact.at.0,
    }
}

/// Ids are derived, so another node's has the same form.
fn incident(text: &str) -> Result<IncidentId, String> {
    let is_one = (1..=INCIDENT_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if is_one { Ok(IncidentId::from_derived(text)) } else { Err("the id of its incident is none".to_owned()) }
}

pub(super) fn epoch_of(monitor: MonitorId, lane: Lane, row: EpochRow) -> Result<EpochFact, String> {
    let regions =
        |names: &[String]| names.iter().map(|name| Region::parse(name).map_err(|error| error.to_string())).collect::<Result<Vec<_>, _>>();
    let epoch = Epoch(row.epoch);
    let end = |(at, how): (i64, String)| Closed { at: UnixMillis(at), how: close_reason(&how) };
    let (closed, before) = (row.closed.map(end), row.before.map(end));
    // Beyond 2^53 nothing ever counts; it would be a way to win every merge for good.
    if row.epoch == 0 || (1 << 53) < row.epoch || epoch.is_open() == closed.is_some() {
        return Err(format!("epoch {} does not go with its end", row.epoch));
    }
    Ok(EpochFact {
        monitor,
        incident: row.incident.map(|text| incident(&text)).transpose()?,
        lane,
        epoch,
        monitor_name: cut(&row.name, TEXT_CHARS_MAX),
        opened_at: UnixMillis(row.opened),
        confirmed_at: UnixMillis(row.confirmed),
        closed,
        before,
        cause: cause(row.code, &row.text, &row.stage),
        regions: RegionView { failing: regions(&row.failing)?, fine: regions(&row.fine)?, unknown: regions(&row.unknown)? },
        confidence: if row.degraded { Confidence::Degraded } else { Confidence::Full },
        diagnosis: row.diagnosis.and_then(|word| Diagnosis::ALL.into_iter().find(|known| known.word() == word)),
        by: node(&row.by)?,
        at: UnixMillis(row.at),
    })
}

/// A cause of its parts. Control characters of a peer must not reach a terminal.
pub(super) fn cause(code: String, text: &str, stage: &str) -> Cause {
    let stage = Stage::ALL.into_iter().find(|known| known.word() == stage).unwrap_or(Stage::Other);
    Cause { code: cut(&code, 40), text: cut(text, CAUSE_CHARS_MAX), stage }
}

fn end(closed: Closed) -> (i64, String) {
    (closed.at.0, closed.how.word().to_owned())
}

fn close_reason(word: &str) -> CloseReason {
    let all = [CloseReason::Recovered, CloseReason::RecoveredUnseen, CloseReason::Superseded, CloseReason::Removed, CloseReason::Paused];
    all.into_iter().find(|how| how.word() == word).unwrap_or(CloseReason::Recovered)
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeliveryRow {
    step: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    called: Option<String>,
    /// Of an attempt that failed: it was not answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unanswered: bool,
}

pub(super) fn delivery(fact: &DeliveryFact) -> DeliveryRow {
    let (step, attempt, at, unanswered) = match fact.step {
        DeliveryStep::Claimed { attempt } => ("claim", Some(attempt), None, false),
        DeliveryStep::Failed { attempt, is_unanswered } => ("failed", Some(attempt), None, is_unanswered),
        DeliveryStep::Sent { at } => ("sent", None, Some(at.0), false),
    };
    let called = fact.called.as_ref().map(|id| id.as_str().to_owned());
    DeliveryRow { step: step.to_owned(), attempt, at, called, unanswered }
}

pub(super) fn delivery_of(key: &str, row: &DeliveryRow) -> Result<DeliveryFact, String> {
    let step = match (row.step.as_str(), row.attempt, row.at) {
        ("claim", Some(attempt), _) => DeliveryStep::Claimed { attempt },
        ("failed", Some(attempt), _) => DeliveryStep::Failed { attempt, is_unanswered: row.unanswered },
        ("sent", _, Some(at)) => DeliveryStep::Sent { at: UnixMillis(at) },
        (other, ..) => return Err(format!("`{other}` is not a step of a delivery")),
    };
    // That it was sent holds, whatever its name.
    let called = row.called.as_deref().and_then(ServiceId::parse).filter(|_| matches!(step, DeliveryStep::Sent { .. }));
    Ok(DeliveryFact { key: key.to_owned(), step, called })
}

/// A ping: time, sequence, kind, run. The node is in the key.
type PingRow = (i64, u64, String, Option<String>);

/// Pings in order.
fn pings(fact: &PingFact) -> Vec<PingRow> {
    let row = |ping: &Ping| {
        let run = ping.run.as_ref().map(ToString::to_string);
        (ping.stamp.at.0, ping.stamp.sequence, ping.kind.word().to_owned(), run)
    };
    fact.pings.iter().map(row).collect()
}

/// Pings as text. Of those with very long runs only the newest fit.
pub(super) fn pings_text(fact: &PingFact) -> String {
    let mut rows = pings(fact);
    loop {
        let text = json(&rows);
        if text.len() <= VALUE_BYTES_MAX || rows.is_empty() {
            return text;
        }
        rows.remove(0);
    }
}

/// The fact of rows; what cannot be read comes from a newer version and is left out.
pub(super) fn pings_of(heartbeat: MonitorId, node: NodeName, rows: Vec<PingRow>) -> PingFact {
    let ping = |(at, sequence, kind, run): PingRow| {
        let kinds = [PingKind::Start, PingKind::Success, PingKind::Fail, PingKind::Log];
        let kind = kinds.into_iter().find(|known| known.word() == kind)?;
        let run = run.map(|run| RunId::text(&run)).transpose().ok()?;
        Some(Ping { stamp: PingStamp { at: UnixMillis(at), sequence, node: node.clone() }, kind, run })
    };
    let pings = rows.into_iter().filter_map(ping).collect();
    let fact = PingFact { heartbeat, pings, node };
    // In order and within limits, whatever came.
    merge::ping(&fact, &fact)
}

#[derive(Serialize, Deserialize)]
pub(super) struct OperatorRow {
    wall: i64,
    n: u32,
    by: String,
    holds: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<AckRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silence: Option<SilenceRow>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update: Option<UpdateRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<PartRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    announced: Option<AnnouncedRow>,
}

#[derive(Serialize, Deserialize)]
struct AckRow {
    by: String,
    at: i64,
    until: Option<i64>,
    note: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_channel: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SilenceRow {
    names: Vec<String>,
    groups: Vec<String>,
    labels: BTreeMap<String, String>,
    from: i64,
    until: i64,
    by: String,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct UpdateRow {
    /// None: it is a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    text: String,
    by: String,
    at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    public: bool,
}

#[derive(Serialize, Deserialize)]
struct PartRow {
    of: u8,
    text: String,
    by: String,
    at: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    public: bool,
}

#[derive(Serialize, Deserialize)]
struct AnnouncedRow {
    title: String,
    names: Vec<String>,
    groups: Vec<String>,
    labels: BTreeMap<String, String>,
    pages: Vec<String>,
    from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    by: String,
    at: i64,
}

/// The value of an act.
pub(super) fn operator_text(fact: &OperatorFact) -> String {
    let Stamp { wall, counter, by } = &fact.stamp;
    let (wall, n, by, holds) = (wall.0, *counter, by.to_string(), fact.holds);
    let mut row = OperatorRow { wall, n, by, holds, ack: None, silence: None, over: false, update: None, part: None, announced: None };
    match &fact.said {
        Said::Nothing => {}
        Said::Over => row.over = true,
        Said::Acknowledgement(ack) => {
            let Acknowledgement { by, at, until, note, by_channel } = ack;
            let by_channel = by_channel.as_ref().map(ToString::to_string);
            row.ack = Some(AckRow { by: by.clone(), at: at.0, until: until.map(|until| until.0), note: note.clone(), by_channel });
        }
        Said::Silence(silence) => {
            let Silence { wanted: Selection { names, groups, labels }, from, until, by, note } = silence;
            let (names, groups, labels) = (names.clone(), groups.clone(), labels.clone());
            row.silence = Some(SilenceRow { names, groups, labels, from: from.0, until: until.0, by: by.clone(), note: note.clone() });
        }
        Said::Update(update) => {
            let Update { kind: _, text, by, at } = update;
            let state = update.state().map(|state| state.word().to_owned());
            row.update = Some(UpdateRow { state, text: text.clone(), by: by.clone(), at: at.0, public: update.is_public() });
        }
        Said::Postmortem(part) => {
            let Postmortem { text, by, at, is_public } = &part.whole;
            row.part = Some(PartRow { of: part.n_parts, text: text.clone(), by: by.clone(), at: at.0, public: *is_public });
        }
        Said::Announcement(announced) => row.announced = Some(announced_row(announced)),
    }
    super::json(&row)
}

fn announced_row(announced: &Announced) -> AnnouncedRow {
    let Announced { title, wanted: Selection { names, groups, labels }, pages, from, until, by, at } = announced;
    AnnouncedRow {
        title: title.clone(),
        names: names.clone(),
        groups: groups.clone(),
        labels: labels.clone(),
        pages: pages.clone(),
        from: from.0,
        until: until.map(|until| until.0),
        by: by.clone(),
        at: at.0,
    }
}

/// The act of a value. What people wrote is cut to what may be written: others may have other limits, or none.
pub(super) fn operator_of(act: OperatorAct, row: OperatorRow) -> Result<OperatorFact, String> {
    let stamp = Stamp { wall: UnixMillis(row.wall), counter: row.n, by: node(&row.by)? };
    let (holds, over) = (row.holds, row.over);
    let said = match &act {
        OperatorAct::Pause(_) | OperatorAct::Create(_) => Some(Said::Nothing),
        OperatorAct::Acknowledge(_) => row.ack.map(said_of_ack),
        OperatorAct::Silence(_) => row.silence.map(said_of_silence),
        OperatorAct::Update(..) => row.update.map(said_of_update).transpose()?,
        OperatorAct::Postmortem(_, number) => row.part.map(|part| said_of_part(*number, part)).transpose()?,
        OperatorAct::Announce(_) => row.announced.map(said_of_announced),
    };
    match said {
        Some(said) => Ok(OperatorFact { act, stamp, holds, said }),
        None if holds => Err("it does not say what holds".to_owned()),
        None => Ok(OperatorFact { act, stamp, holds, said: if over { Said::Over } else { Said::Nothing } }),
    }
}

fn said_of_ack(ack: AckRow) -> Said {
    Said::Acknowledgement(Acknowledgement {
        by: cut(&ack.by, BY_CHARS_MAX),
        at: UnixMillis(ack.at),
        until: ack.until.map(UnixMillis),
        note: cut(&ack.note, NOTE_CHARS_MAX),
        by_channel: ack.by_channel.and_then(|name| ChannelName::parse(&name).ok()),
    })
}

fn said_of_silence(silence: SilenceRow) -> Said {
    Said::Silence(Silence {
        wanted: Selection { names: silence.names, groups: silence.groups, labels: silence.labels },
        from: UnixMillis(silence.from),
        until: UnixMillis(silence.until),
        by: cut(&silence.by, BY_CHARS_MAX),
        note: cut(&silence.note, NOTE_CHARS_MAX),
    })
}

fn said_of_update(row: UpdateRow) -> Result<Said, String> {
    let kind = match row.state {
        None => UpdateKind::Note,
        Some(word) => {
            let state = UpdateState::of_word(&word).ok_or_else(|| "its state is none".to_owned())?;
            UpdateKind::State { state, is_public: row.public }
        }
    };
    let (text, by) = (cut_lines(&row.text, UPDATE_CHARS_MAX), cut(&row.by, BY_CHARS_MAX));
    Ok(Said::Update(Update { kind, text, by, at: UnixMillis(row.at) }))
}

fn said_of_part(number: u8, row: PartRow) -> Result<Said, String> {
    if row.of <= number || POSTMORTEM_PARTS_MAX < row.of {
        return Err(format!("it cannot be part {number} of {}", row.of));
    }
    let (text, by) = (cut_lines(&row.text, POSTMORTEM_CHARS_MAX), cut(&row.by, BY_CHARS_MAX));
    let whole = Postmortem { text, by, at: UnixMillis(row.at), is_public: row.public };
    Ok(Said::Postmortem(PostmortemPart { n_parts: row.of, whole }))
}

fn said_of_announced(row: AnnouncedRow) -> Said {
    Said::Announcement(Announced {
        title: cut(&row.title, TITLE_CHARS_MAX),
        wanted: Selection { names: row.names, groups: row.groups, labels: row.labels },
        pages: row.pages,
        from: UnixMillis(row.from),
        until: row.until.map(UnixMillis),
        by: cut(&row.by, BY_CHARS_MAX),
        at: UnixMillis(row.at),
    })
}

fn node(text: &str) -> Result<NodeName, String> {
    NodeName::parse(text).map_err(|error| error.to_string())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// At most so many characters, none of them invisible.
pub(super) fn cut(text: &str, n_chars: usize) -> String {
    text.chars().filter(|c| !crate::model::id::is_deceptive(*c)).take(n_chars).collect()
}

/// The same of a text that has lines.
fn cut_lines(text: &str, n_chars: usize) -> String {
    text.chars().filter(|c| *c == '\n' || !crate::model::id::is_deceptive(*c)).take(n_chars).collect()
}
