//! Buttons that were pressed in Slack. What a button carries is a token of ours, so that a report can name nothing but what was sent to that
//! channel.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use hyper::StatusCode;
use serde_json::Value;

use crate::config::Config;
use crate::engine::handle::Operation;
use crate::engine::snapshot::MonitorView;
use crate::engine::snapshot::Snapshot;
use crate::http::act_link::open_incident;
use crate::http::alert_views;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::hooks::AGE_MAX;
use crate::http::hooks::Hooks;
use crate::http::hooks::is_signed;
use crate::http::hooks::person_in;
use crate::http::hooks::spec_of;
use crate::http::limits::HOOK_TIMEOUT;
use crate::http::limits::WHISPER_TIMEOUT;
use crate::http::operator;
use crate::http::random::digest;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::http::visit::parse_form;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::SlackSpec;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::maintenance::Selection;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::model::time::UnixMillis;
use crate::notifier::kind::Kind;
use crate::notifier::signed::LinkKeys;
use crate::notifier::slack::Button;
use crate::notifier::slack::Reader;
use crate::notifier::slack::whisper;

/// How long a snooze and a silence last, as the buttons say.
const QUIET_FOR: Duration = Duration::from_secs(3600);

/// Longest id of a person or a message that is looked at; Slack's have about a dozen characters.
const ID_CHARS_MAX: usize = 40;

/// Bytes of a digest that make the id of a silence.
const SILENCE_ID_BYTES: usize = 5;

/// A button that was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Press {
    button: Button,
    /// What the button carries.
    token: String,
    /// Who, as it is told.
    by: String,
    /// Slack's id of the person; `None` when it is not one that words could be said to.
    reader: Option<Reader>,
    /// When.
    at: UnixMillis,
    /// The same as Slack wrote it, which no other press has.
    stamp: String,
}

/// The settings of a channel, when the visit was signed by its secret just now.
pub(super) fn proved<'a>(config: &'a Config, name: &ChannelName, visit: &Visit) -> Option<&'a SlackSpec> {
    let ChannelSpec::Slack(spec) = spec_of(config, name)? else { return None };
    let SlackSpec::Bot { signing_secret: Some(secret), .. } = spec else { return None };
    let stamp = visit.header("x-slack-request-timestamp")?;
    if !is_near(seconds(stamp)?, visit.now.wall) {
        return None;
    }
    let signature = visit.header("x-slack-signature")?.strip_prefix("v0=")?;
    is_signed(secret, &[b"v0:", stamp.as_bytes(), b":", &visit.body], signature).then_some(spec)
}

/// Does what a button says that was pressed, and says so to whoever pressed it.
pub(super) async fn take(hooks: &Hooks, desk: &Desk, visit: &Visit, (name, spec): (&ChannelName, &SlackSpec)) -> Result<Answer, Refusal> {
    // Slack reports more than buttons, and other apps' buttons may be in the same message.
    let Some(press) = press(visit) else { return Ok(taken()) };
    let done = tokio::time::timeout(HOOK_TIMEOUT, act(hooks, desk, visit, (name, &press))).await.unwrap_or(Err(Refusal::Busy));
    if done.is_err() {
        hooks.done.undo(&fingerprint(name, &press));
    }
    let request = done?.zip(press.reader).and_then(|(said, reader)| whisper(spec, &reader, &said));
    if let Some(request) = request {
        let handed = tokio::time::timeout(WHISPER_TIMEOUT, desk.channels.courier.hand(request)).await;
        let error = match handed {
            Ok(Ok(answer)) => Kind::judge(spec, &answer, visit.now.wall).err().map(|error| error.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("it did not answer at once".to_owned()),
        };
        if let Some(error) = error {
            tracing::warn!(channel = %name, %error, "cannot tell in Slack what a button on `{name}` did: {error}");
        }
    }
    Ok(taken())
}

/// Nothing to read: what Slack shows comes by its API.
fn taken() -> Answer {
    answer::bytes(StatusCode::OK, "text/plain; charset=utf-8", "")
}

/// What is said about it to whoever pressed the button; `None` when it was said before.
async fn act(hooks: &Hooks, desk: &Desk, visit: &Visit, (name, press): (&ChannelName, &Press)) -> Result<Option<String>, Refusal> {
    let snapshot = desk.engine.snapshot();
    let named = LinkKeys::new(&snapshot.config, &desk.secret).open(&press.token);
    let Some((incident, _)) = named.filter(|(_, channel)| channel == name) else {
        return Ok(Some("This button is good no more. Use the page of the incident instead.".to_owned()));
    };
    let Some((view, _)) = open_incident(&snapshot, &incident) else {
        return Ok(Some("This is over. There is nothing left to do.".to_owned()));
    };
    let report = fingerprint(name, press);
    if !hooks.done.begin(report, visit.now.mono) {
        return Ok(None);
    }
    let done = match hooks.uses.count(&incident, visit.now.mono) {
        Ok(()) => operate(desk, (&*snapshot, view), &incident, press, report).await,
        Err(_) => return Ok(Some("Not done: too much was pressed about this incident. Try again in ten minutes.".to_owned())),
    };
    match done {
        Ok(done) => Ok(Some(done)),
        Err(Refusal::Conflict(why)) => Ok(Some(format!("Not done: {why}."))),
        Err(refusal) => Err(refusal),
    }
}

async fn operate(
    desk: &Desk,
    (snapshot, view): (&Snapshot, &MonitorView),
    incident: &IncidentId,
    press: &Press,
    report: [u8; 32],
) -> Result<String, Refusal> {
    let end = press.at + QUIET_FOR;
    let until = match press.button {
        Button::Acknowledge => None,
        Button::Snooze => Some(end),
        Button::Silence => return silence(desk, snapshot, silence_of(view, press, end), report).await,
    };
    let ack = Acknowledgement { by: press.by.clone(), at: press.at, until, note: String::new(), by_channel: None };
    let holds = view.alerts.iter().find(|alert| alert.incident == *incident).and_then(|alert| alert.acknowledged.as_ref());
    // Another node, or the run before, may have taken the same report.
    if holds.is_none_or(|known| known.by != ack.by || known.until != ack.until) {
        operator::acknowledge(&desk.engine, incident, ack.clone()).await?;
    }
    Ok(alert_views::noted(&ack))
}

fn silence_of(view: &MonitorView, press: &Press, until: UnixMillis) -> Silence {
    let wanted = Selection { names: vec![view.monitor.name.clone()], ..Selection::default() };
    Silence { wanted, from: press.at, until, by: press.by.clone(), note: String::new() }
}

/// The id comes of the report, so that the same report makes the same silence on every node.
async fn silence(desk: &Desk, snapshot: &Snapshot, silence: Silence, report: [u8; 32]) -> Result<String, Refusal> {
    let text = BASE32_NOPAD.encode(&report[..SILENCE_ID_BYTES]).to_ascii_lowercase();
    let id = SilenceId::parse(&text).map_err(Refusal::Internal)?;
    let said = alert_views::silenced(&silence);
    if !snapshot.silences.iter().any(|(known, _)| *known == id) {
        let who = silence.by.clone();
        desk.engine.ask(Operation::Silence(id.clone(), silence)).await.map_err(operator::refusal)?;
        tracing::info!(silence = %id, user = who, "`{who}` made silence `{id}` by a button");
    }
    Ok(said)
}

fn fingerprint(name: &ChannelName, press: &Press) -> [u8; 32] {
    let button = format!("{:?}", press.button);
    digest(&[name.as_str().as_bytes(), press.stamp.as_bytes(), press.by.as_bytes(), button.as_bytes(), press.token.as_bytes()])
}

/// What was pressed, if it was one of our buttons. Slack has signed it, but names in it are of people's own making.
fn press(visit: &Visit) -> Option<Press> {
    let (_, payload) = parse_form(&visit.body).into_iter().find(|(name, _)| name == "payload")?;
    let payload: Value = serde_json::from_str(&payload).ok()?;
    if payload["type"] != "block_actions" {
        return None;
    }
    let ours = |action: &Value| Button::of_action(action["action_id"].as_str()?).map(|button| (button, action.clone()));
    let (button, action) = payload["actions"].as_array()?.iter().find_map(ours)?;
    let stamp = action["action_ts"].as_str().unwrap_or_default().to_owned();
    let user = &payload["user"];
    let name = ["username", "name"].into_iter().filter_map(|key| user[key].as_str()).find(|name| !name.trim().is_empty());
    let id = |value: &Value| value.as_str().filter(|id| is_id(id)).map(ToOwned::to_owned);
    Some(Press {
        button,
        token: action["value"].as_str()?.to_owned(),
        by: person_in(name.unwrap_or_default(), "Slack"),
        reader: id(&user["id"]).map(|user| Reader { user, thread: id(&payload["container"]["thread_ts"]) }),
        at: seconds(&stamp).filter(|at| is_near(*at, visit.now.wall)).unwrap_or(visit.now.wall),
        stamp,
    })
}

fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

/// Seconds since 1970, perhaps with a fraction.
fn seconds(text: &str) -> Option<UnixMillis> {
    let whole = text.split('.').next()?;
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    whole.parse::<i64>().ok()?.checked_mul(1000).map(UnixMillis)
}

fn is_near(at: UnixMillis, now: UnixMillis) -> bool {
    u128::from(at.0.abs_diff(now.0)) <= AGE_MAX.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_and_may_be_five_minutes_away() {
        assert_eq!(seconds("1548261231.785234"), Some(UnixMillis(1_548_261_231_000)));
        assert_eq!(seconds("1548261231"), Some(UnixMillis(1_548_261_231_000)));
        for wrong in ["", ".", "-5", "+5", "1e3", " 5", "99999999999999999999", "9223372036854775807"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        let now = UnixMillis(1_548_261_231_000);
        for (off, near) in [(0, true), (300_000, true), (-300_000, true), (300_001, false), (-300_001, false)] {
            assert_eq!(is_near(UnixMillis(now.0 + off), now), near, "{off}");
        }
        assert!(!is_near(UnixMillis(i64::MAX), UnixMillis(i64::MIN)));
    }

    #[test]
    fn ids_are_what_slack_writes() {
        assert!(is_id("U0123ABC") && is_id("1548261231.785234"));
        assert!(!is_id("") && !is_id("U1>") && !is_id(&"U".repeat(41)));
    }
}
