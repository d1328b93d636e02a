//! What the other nodes measured, asked over the links when somebody looks: all at the same time, and not waited for long. A page is shown
//! without the answers that do not come.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::engine::snapshot::MonitorView;
use crate::http::archive::Later;
use crate::http::limits::COLLEAGUE_TIMEOUT;
use crate::model::id::NodeName;
use crate::model::time::UnixMillis;
use crate::peer::answer;
use crate::peer::link::links::Links;
use crate::peer::port::Ask;
use crate::peer::port::AskError;
use crate::peer::results::Results;
use crate::peer::results::Then;

/// Whoever can be asked; a trait, so that pages can be tested against nodes that are silent or lie.
pub trait Colleagues: Send + Sync {
    /// See [`Links::ask`].
    fn ask<'a>(&'a self, node: &'a NodeName, ask: Ask) -> Later<'a, Result<Bytes, AskError>>;
}

impl Colleagues for Links {
    fn ask<'a>(&'a self, node: &'a NodeName, ask: Ask) -> Later<'a, Result<Bytes, AskError>> {
        Box::pin(Links::ask(self, node, ask))
    }
}

/// What a node told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// What it measured.
    Results(Box<Results>),
    /// Nothing; why, in a few words.
    Nothing(String),
}

/// What came back, by node.
pub type AllTold = BTreeMap<NodeName, Told>;

/// Asks every other voter of this monitor what it measured.
pub async fn ask_all(colleagues: &dyn Colleagues, view: &MonitorView, now: UnixMillis) -> AllTold {
    ask(colleagues, view, (&answer::ask_results(&view.monitor.id), now)).await
}

/// Asks them how the last bad check of an incident looked. Old results are forgotten, so that there may be none.
pub async fn ask_failed(colleagues: &dyn Colleagues, view: &MonitorView, then: Then, now: UnixMillis) -> AllTold {
    ask(colleagues, view, (&answer::ask_failed(&view.monitor.id, then), now)).await
}

async fn ask(colleagues: &dyn Colleagues, view: &MonitorView, (question, now): (&Ask, UnixMillis)) -> AllTold {
    let others = view.votes.iter().filter(|vote| !vote.is_me).filter_map(|vote| vote.node.clone());
    let one = |node: NodeName| {
        let question = question.clone();
        async move {
            let told = match tokio::time::timeout(COLLEAGUE_TIMEOUT, colleagues.ask(&node, question)).await {
                Ok(Ok(bytes)) => match Results::decode(&bytes, now) {
                    Ok(results) => Told::Results(Box::new(results)),
                    Err(why) => Told::Nothing(why),
                },
                Ok(Err(AskError::NotLinked(_))) => Told::Nothing("did not answer: there is no link to it".to_owned()),
                Ok(Err(AskError::NoAnswer(_))) | Err(_) => Told::Nothing("did not answer".to_owned()),
                Ok(Err(AskError::Refused { why, .. })) => Told::Nothing(format!("refused: {why}")),
            };
            (node, told)
        }
    };
    futures_util::future::join_all(others.map(one)).await.into_iter().collect()
}
