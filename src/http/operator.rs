//! Changes to run-time state. The handler takes the proof, so it cannot be called for anybody else.

use hyper::StatusCode;

use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::auth::Operator;
use crate::http::channels;
use crate::http::error::Refusal;
use crate::http::route::Deed;
use crate::http::route::OperatorRoute;
use crate::http::route::Wire;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::model::id::NodeName;
use crate::ui::links::Act;

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
            let operation = match act {
                Act::Pause => Operation::Pause(monitor.clone()),
                Act::Resume => Operation::Resume(monitor.clone()),
                Act::Check => Operation::CheckNow(monitor.clone()),
            };
            engine.ask(operation).await.map_err(refusal)?;
            tracing::info!(%monitor, user = who, "`{who}` asked to {} `{monitor}`", act.word());
            visit.links.monitor(monitor)
        }
        Deed::ForgetNode(node) => {
            forget_node(engine, node, who).await?;
            visit.links.peers()
        }
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
        Deed::RetryChannel(name) => {
            let waiting = office.retry_all(name, who).await?;
            if is_json {
                return Ok(channels::retried(waiting));
            }
            channels::page_of(visit, name)
        }
    };
    Ok(match route.wire {
        Wire::Page => answer::see_other(&back),
        Wire::Json => answer::json(StatusCode::OK, &api::Done { done: true }),
    })
}

/// Forgets a node of the cluster on the word of `who`.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn forget_node(engine: &EngineHandle, node: &NodeName, who: &str) -> Result<(), Refusal> {
    engine.ask(Operation::Forget(node.clone())).await.map_err(refusal)?;
    tracing::info!(peer = %node, user = who, "`{who}` asked to forget `{node}`");
    Ok(())
}

fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::NoSuchMonitor(_) => Refusal::NotFound,
        Refused::NotNow(why) => Refusal::Conflict(why),
        Refused::NotStored(why) => Refusal::Internal(why),
        Refused::Stopping => Refusal::Busy,
    }
}
