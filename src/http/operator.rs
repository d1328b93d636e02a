//! Changes to run-time state. The handler takes the proof, so it cannot be called for anybody else.

use hyper::StatusCode;

use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::engine::handle::Refused;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::auth::Operator;
use crate::http::error::Refusal;
use crate::http::route::OperatorRoute;
use crate::http::route::Wire;
use crate::http::visit::Visit;
use crate::ui::links::Act;

/// Does it, and answers when it is durable.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn act(engine: &EngineHandle, route: &OperatorRoute, visit: &Visit, operator: &Operator) -> Result<Answer, Refusal> {
    let monitor = route.monitor.clone();
    let operation = match route.act {
        Act::Pause => Operation::Pause(monitor),
        Act::Resume => Operation::Resume(monitor),
        Act::Check => Operation::CheckNow(monitor),
    };
    let (word, who) = (route.act.word(), operator.viewer().name());
    engine.ask(operation).await.map_err(refusal)?;
    tracing::info!(monitor = %route.monitor, user = who, "`{who}` asked to {word} `{}`", route.monitor);
    Ok(match route.wire {
        Wire::Page => answer::see_other(&visit.links.monitor(&route.monitor)),
        Wire::Json => answer::json(StatusCode::OK, &api::Done { done: true }),
    })
}

fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::NoSuchMonitor(_) => Refusal::NotFound,
        Refused::NotNow(why) => Refusal::Conflict(why),
        Refused::NotStored(why) => Refusal::Internal(why),
        Refused::Stopping => Refusal::Busy,
    }
}
