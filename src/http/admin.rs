//! What only admins may do. The handler takes the proof, so it cannot be called for anybody else.

use hyper::StatusCode;

use crate::engine::handle::EngineHandle;
use crate::engine::handle::Operation;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::api;
use crate::http::auth::Admin;
use crate::http::drafts;
use crate::http::error::Refusal;
use crate::http::operator::refusal;
use crate::http::route::AdminDeed;
use crate::http::route::AdminRoute;
use crate::http::route::Wire;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::model::id::NodeName;

/// Does it, and answers when it is durable.
///
/// # Errors
/// [`Refusal`], as the engine refused it.
pub async fn act(desk: &Desk, route: &AdminRoute, visit: &Visit, admin: &Admin) -> Result<Answer, Refusal> {
    let who = admin.viewer().name();
    let back = match &route.deed {
        AdminDeed::ForgetNode(node) => {
            forget_node(&desk.engine, node, who).await?;
            visit.links.peers()
        }
        AdminDeed::AddMonitor => return drafts::add(desk, visit, admin).await,
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
