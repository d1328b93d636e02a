//! Changes to run-time state. The handler takes the proof, so it cannot be called for anybody else.

use hyper::StatusCode;

use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::http::acts::Wish;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::api::acts::Silenced;
use crate::http::auth::Operator;
use crate::http::channels;
use crate::http::drafts;
use crate::http::error::Refusal;
use crate::http::random::short_id;
use crate::http::route::Deed;
use crate::http::route::OperatorRoute;
use crate::http::route::Wire;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::http::writings;
use crate::http::writings::Draft;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::policy::Acknowledgement;
use crate::model::policy::Silence;
use crate::model::policy::SilenceId;
use crate::ui::links::Act;

async fn operate(engine: &EngineHandle, (act, monitor): (Act, &MonitorId), who: &str) -> Result<(), Refusal> {
    let operation = match act {
        Act::Pause => Operation::Pause(monitor.clone()),
        Act::Resume => Operation::Resume(monitor.clone()),
        Act::Check => Operation::CheckNow(monitor.clone()),
    };
    engine.ask(operation).await.map_err(refusal)?;
    tracing::info!(%monitor, user = who, "`{who}` asked to {} `{monitor}`", act.word());
    Ok(())
}

/// Does it, and answers when it is durable.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn act(desk: &Desk, route: &OperatorRoute, visit: &Visit, operator: &Operator) -> Result<Answer, Refusal> {
    let who = operator.viewer().name();
    let (engine, snapshot) = (&desk.engine, desk.engine.snapshot());
    let office = desk.office(&snapshot, visit.now.wall);
    let is_json = route.wire == Wire::Json;
    let back = match &route.deed {
        Deed::Monitor(act, monitor) => {
            operate(engine, (*act, monitor), who).await?;
            visit.links.monitor(monitor)
        }
        Deed::Draft => return drafts::answer(desk, visit, operator).await,
        Deed::Acknowledge(incident) => {
            let acknowledgement = Wish::of(visit, route.wire)?.acknowledgement(who, visit.now.wall)?;
            acknowledge(engine, incident, acknowledgement).await?;
            visit.links.incident(incident)
        }
        Deed::Withdraw(incident) => {
            withdraw(engine, incident, who).await?;
            visit.links.incident(incident)
        }
        Deed::SilenceMonitor(id) => {
            let monitor = snapshot.config.monitor(id).ok_or(Refusal::NotFound)?;
            silence(engine, Wish::of(visit, route.wire)?.silence_of(monitor, who, visit.now.wall)?).await?;
            visit.links.monitor(id)
        }
        Deed::Silence => {
            let made = silence(engine, Wish::of(visit, route.wire)?.silence(who, visit.now.wall)?).await?;
            if is_json {
                return Ok(answer::json(StatusCode::OK, &made));
            }
            visit.links.silences()
        }
        Deed::EndSilence(id) => {
            end_silence(engine, id, who).await?;
            visit.links.silences()
        }
        Deed::Write(writing) => match writings::write(desk, writing, Draft::of(visit, route.wire), who, visit.now).await? {
            written if is_json => return Ok(answer::json(StatusCode::OK, &written)),
            _ => writings::back(writing, &visit.links),
        },
        Deed::TestChannel(name) => {
            let attempt = office.test(name, who).await?;
            if is_json {
                return Ok(channels::tested(&attempt));
            }
            channels::page_of(visit, name)
        }
        Deed::RetryMessage(name, id) => {
            let waiting = office.retry(name, *id, who).await?;
            if is_json {
                return Ok(channels::retried(waiting));
            }
            channels::page_of(visit, name)
        }
        Deed::RetryChannel(name) => match office.retry_all(name, who).await? {
            waiting if is_json => return Ok(channels::retried(waiting)),
            _ => channels::page_of(visit, name),
        },
    };
    Ok(match route.wire {
        Wire::Page => answer::see_other(&back),
        Wire::Json => answer::json(StatusCode::OK, &api::Done { done: true }),
    })
}

/// Somebody is at work on an incident, or wants to hear of it later.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn acknowledge(engine: &EngineHandle, incident: &IncidentId, acknowledgement: Acknowledgement) -> Result<(), Refusal> {
    let who = acknowledgement.by.clone();
    engine.ask(Operation::Acknowledge(incident.clone(), acknowledgement)).await.map_err(refusal)?;
    tracing::info!(%incident, user = who, "`{who}` acknowledged incident `{incident}`");
    Ok(())
}

/// Nobody is at work on an incident after all.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn withdraw(engine: &EngineHandle, incident: &IncidentId, who: &str) -> Result<(), Refusal> {
    engine.ask(Operation::Withdraw(incident.clone())).await.map_err(refusal)?;
    tracing::info!(%incident, user = who, "`{who}` withdrew the acknowledgement of incident `{incident}`");
    Ok(())
}

/// Nobody is told of new trouble of some monitors for a while.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn silence(engine: &EngineHandle, silence: Silence) -> Result<Silenced, Refusal> {
    let (id, operation) = new_silence(silence.clone())?;
    engine.ask(operation).await.map_err(refusal)?;
    let (who, until) = (&silence.by, silence.until.rfc3339());
    tracing::info!(silence = %id, user = who, "`{who}` made silence `{id}`, which ends at {until}");
    Ok(api::acts::silenced(&id, &silence, &engine.snapshot()))
}

/// What the engine is asked for a silence, and the new silence's id.
///
/// # Errors
/// [`Refusal::Internal`] when the system has no randomness to give.
pub fn new_silence(silence: Silence) -> Result<(SilenceId, Operation), Refusal> {
    let text = short_id().map_err(|error| Refusal::Internal(format!("no randomness for the id of a silence: {error}")))?;
    let id = SilenceId::parse(&text).map_err(Refusal::Internal)?;
    Ok((id.clone(), Operation::Silence(id, silence)))
}

/// A silence is over now.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn end_silence(engine: &EngineHandle, id: &SilenceId, who: &str) -> Result<(), Refusal> {
    engine.ask(Operation::EndSilence(id.clone())).await.map_err(refusal)?;
    tracing::info!(silence = %id, user = who, "`{who}` ended silence `{id}`");
    Ok(())
}

/// What a refusal of the engine is for whoever asked.
#[must_use]
pub fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::NoSuchMonitor(_) => Refusal::NotFound,
        Refused::NotNow(why) => Refusal::Conflict(why),
        Refused::NotStored(why) => Refusal::Internal(why),
        Refused::Stopping => Refusal::Busy,
    }
}
