//! Durable form of what is remembered of a heartbeat.

use serde::Deserialize;
use serde::Serialize;

use crate::model::heartbeat::DownReason;
use crate::model::heartbeat::HeartbeatState;
use crate::model::heartbeat::Open;
use crate::model::heartbeat::Pause;
use crate::model::heartbeat::PingKind;
use crate::model::heartbeat::PingStamp;
use crate::model::heartbeat::Pings;
use crate::model::heartbeat::Resume;
use crate::model::heartbeat::Run;
use crate::model::heartbeat::RunEvent;
use crate::model::heartbeat::RunId;
use crate::model::heartbeat::Runs;
use crate::model::heartbeat::Window;
use crate::model::heartbeat::WindowKind;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::ping::BeatState;
use crate::model::time::UnixMillis;

/// A stamp: time, sequence, node.
type StampRow = (i64, u64, String);

/// A ping of a run: time, sequence, node, kind.
type EventRow = (i64, u64, String, String);

#[derive(Serialize, Deserialize)]
struct BeatRow {
    fed_until: u64,
    loaded_at: i64,
    seen_until: i64,
    runs: Vec<RunRow>,
    old_success: Option<StampRow>,
    old_closing: Option<StampRow>,
    pause: Option<PauseRow>,
    windows: Vec<WindowRow>,
    open: Option<OpenRow>,
    too_fast: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct RunRow {
    run: Option<String>,
    events: Vec<EventRow>,
    lives_at: Option<StampRow>,
}

#[derive(Serialize, Deserialize)]
struct PauseRow {
    at: i64,
    by_hand_only: bool,
    resumed_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct WindowRow {
    from: i64,
    to: i64,
    is_maintenance: bool,
}

#[derive(Serialize, Deserialize)]
struct OpenRow {
    since: i64,
    after: Option<i64>,
    reason: String,
    run: Option<String>,
    started: Option<i64>,
}

/// JSON text of a state, without the monitor: that is the key of the row.
pub(in crate::store) fn to_json(beat: &BeatState) -> String {
    let BeatState { heartbeat: _, state, fed_until } = beat;
    let HeartbeatState { loaded_at, pings, pause, windows, open, too_fast, seen_until } = state;
    let Pings { runs, old_success, old_closing } = pings;
    let runs = runs.iter().map(|(run, Run { events, lives_at })| RunRow {
        run: run.as_ref().map(ToString::to_string),
        events: events.iter().map(event_row).collect(),
        lives_at: lives_at.as_ref().map(stamp_row),
    });
    super::json(&BeatRow {
        fed_until: *fed_until,
        loaded_at: loaded_at.0,
        seen_until: seen_until.0,
        runs: runs.collect(),
        old_success: old_success.as_ref().map(stamp_row),
        old_closing: old_closing.as_ref().map(stamp_row),
        pause: pause.map(|Pause { at, resume, resumed_at }| PauseRow {
            at: at.0,
            by_hand_only: resume == Resume::Manual,
            resumed_at: resumed_at.map(|at| at.0),
        }),
        windows: windows.iter().map(window_row).collect(),
        open: open.as_ref().map(open_row),
        too_fast: too_fast.map(|at| at.0),
    })
}

fn stamp_row(stamp: &PingStamp) -> StampRow {
    (stamp.at.0, stamp.sequence, stamp.node.to_string())
}

fn event_row(event: &RunEvent) -> EventRow {
    let (at, sequence, node) = stamp_row(&event.stamp);
    (at, sequence, node, event.kind.word().to_owned())
}

fn window_row(window: &Window) -> WindowRow {
    WindowRow { from: window.from.0, to: window.to.0, is_maintenance: window.kind == WindowKind::Maintenance }
}

fn open_row(open: &Open) -> OpenRow {
    let (run, started) = match &open.reason {
        DownReason::Overran { run, started } => (run.as_ref().map(ToString::to_string), Some(started.0)),
        DownReason::Missed | DownReason::NeverSeen | DownReason::NotStarted | DownReason::Failed => (None, None),
    };
    OpenRow { since: open.since.0, after: open.after.map(|at| at.0), reason: open.reason.code().to_owned(), run, started }
}

/// The state of a JSON text.
pub(in crate::store) fn from_json(heartbeat: MonitorId, text: &str) -> Result<BeatState, String> {
    let row: BeatRow = super::parsed(text)?;
    let mut runs = Runs::default();
    for RunRow { run, events, lives_at } in row.runs {
        let events = events.into_iter().map(event_of).collect::<Result<Vec<RunEvent>, String>>()?;
        *runs.of(&run_of(run)?) = Run { events, lives_at: lives_at.map(stamp_of).transpose()? };
    }
    let state = HeartbeatState {
        loaded_at: UnixMillis(row.loaded_at),
        pings: Pings {
            runs,
            old_success: row.old_success.map(stamp_of).transpose()?,
            old_closing: row.old_closing.map(stamp_of).transpose()?,
        },
        pause: row.pause.map(|pause| Pause {
            at: UnixMillis(pause.at),
            resume: if pause.by_hand_only { Resume::Manual } else { Resume::Auto },
            resumed_at: pause.resumed_at.map(UnixMillis),
        }),
        windows: row.windows.into_iter().map(window_of).collect(),
        open: row.open.map(open_of).transpose()?,
        too_fast: row.too_fast.map(UnixMillis),
        seen_until: UnixMillis(row.seen_until),
    };
    Ok(BeatState { heartbeat, state, fed_until: row.fed_until })
}

fn stamp_of((at, sequence, node): StampRow) -> Result<PingStamp, String> {
    Ok(PingStamp { at: UnixMillis(at), sequence, node: NodeName::parse(&node).map_err(|error| error.to_string())? })
}

fn event_of((at, sequence, node, kind): EventRow) -> Result<RunEvent, String> {
    Ok(RunEvent { stamp: stamp_of((at, sequence, node))?, kind: kind_of(&kind)? })
}

fn kind_of(word: &str) -> Result<PingKind, String> {
    let kinds = [PingKind::Start, PingKind::Success, PingKind::Fail, PingKind::Log];
    kinds.into_iter().find(|kind| kind.word() == word).ok_or_else(|| format!("`{word}` is not a kind of ping"))
}

pub(in crate::store) fn run_of(text: Option<String>) -> Result<Option<RunId>, String> {
    text.map(|text| RunId::text(&text).map_err(|error| error.to_string())).transpose()
}

fn window_of(row: WindowRow) -> Window {
    let kind = if row.is_maintenance { WindowKind::Maintenance } else { WindowKind::Blind };
    Window { from: UnixMillis(row.from), to: UnixMillis(row.to), kind }
}

fn open_of(row: OpenRow) -> Result<Open, String> {
    let overran = DownReason::Overran { run: run_of(row.run)?, started: UnixMillis(row.started.unwrap_or(row.since)) };
    let known = [DownReason::Missed, DownReason::NeverSeen, DownReason::NotStarted, DownReason::Failed, overran];
    let reason = known.into_iter().find(|reason| reason.code() == row.reason);
    let reason = reason.ok_or_else(|| format!("`{}` is not a reason", row.reason))?;
    Ok(Open { since: UnixMillis(row.since), reason, after: row.after.map(UnixMillis) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was() {
        let stamp = |at, sequence| PingStamp { at: UnixMillis(at), sequence, node: NodeName::parse("eu-west").expect("a name") };
        let run = RunId::text("nightly 7").expect("a run");
        let events = vec![RunEvent { stamp: stamp(5, 1), kind: PingKind::Start }, RunEvent { stamp: stamp(9, 2), kind: PingKind::Fail }];
        let pings = Pings {
            runs: Runs::from_iter([
                (None, Run { events: events.clone(), lives_at: None }),
                (Some(run.clone()), Run { events, lives_at: Some(stamp(7, 3)) }),
            ]),
            old_success: Some(stamp(3, 0)),
            old_closing: None,
        };
        let state = HeartbeatState {
            loaded_at: UnixMillis(1),
            pings,
            pause: Some(Pause { at: UnixMillis(2), resume: Resume::Manual, resumed_at: Some(UnixMillis(4)) }),
            windows: vec![
                Window { from: UnixMillis(1), to: UnixMillis(2), kind: WindowKind::Blind },
                Window { from: UnixMillis(3), to: UnixMillis(4), kind: WindowKind::Maintenance },
            ],
            open: Some(Open {
                since: UnixMillis(8),
                reason: DownReason::Overran { run: Some(run), started: UnixMillis(5) },
                after: Some(UnixMillis(3)),
            }),
            too_fast: Some(UnixMillis(6)),
            seen_until: UnixMillis(10),
        };
        let heartbeat = MonitorId::parse("nightly").expect("an id");
        let beat = BeatState { heartbeat: heartbeat.clone(), state, fed_until: 17 };
        assert_eq!(from_json(heartbeat, &to_json(&beat)), Ok(beat));
    }
}
