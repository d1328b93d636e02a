//! Talks to the running instance over its control socket.

use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::app::find_config;
use crate::app::state_dir_of;
use crate::cli::Exit;
use crate::cli::args::Common;
use crate::cli::output;
use crate::supervise::Jobs;

/// Largest answer: the status of ten thousand monitors is a few of these megabytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How long an answer may take: a forced reload reads every secret again.
const ANSWER_WITHIN: std::time::Duration = std::time::Duration::from_secs(90);

/// What the running instance answers.
pub(super) enum Answered {
    /// What was asked for.
    Done(serde_json::Value),
    /// No, and why.
    Refused(String),
}

/// Sends a request to the running instance; prints why when that does not work, or is refused.
///
/// # Errors
/// The exit code for it.
pub(super) fn ask(common: &Common, method: &str, path: &str) -> Result<serde_json::Value, Exit> {
    match try_ask(common, method, path)? {
        Answered::Done(answer) => Ok(answer),
        Answered::Refused(why) => {
            output::say(&format!("the running vigilmon refuses: {why}"));
            Err(Exit::Failed)
        }
    }
}

/// Sends a request to the running instance, which may refuse it; prints why when it cannot be asked.
///
/// # Errors
/// The exit code for it.
pub(super) fn try_ask(common: &Common, method: &str, path: &str) -> Result<Answered, Exit> {
    talk(common, (method, path), &[])
}

/// Sends the fields of a form to the running instance, which may refuse what they ask for; prints why when it cannot be asked.
///
/// # Errors
/// The exit code for it.
pub(super) fn send(common: &Common, path: &str, fields: &[(&str, &str)]) -> Result<Answered, Exit> {
    talk(common, ("POST", path), fields)
}

fn talk(common: &Common, (method, path): (&str, &str), fields: &[(&str, &str)]) -> Result<Answered, Exit> {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let found = find_config(common.config.as_deref());
    let state_dir = common.state_dir.clone().unwrap_or_else(|| state_dir_of(&found));
    let socket = state_dir.join("control.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        output::say(&format!("cannot start: {error}"));
        Exit::Failed
    })?;
    let outcome = runtime.block_on(async {
        tokio::time::timeout(ANSWER_WITHIN, exchange(socket.clone(), (method, path), form))
            .await
            .unwrap_or_else(|_| Err("it does not answer".to_owned()))
    });
    outcome.map_err(|error| {
        output::say(&format!(
            "cannot talk to a running vigilmon over {}: {error}; is it running, with this state directory (`--state-dir`), and may you read it?",
            socket.display()
        ));
        Exit::Failed
    })
}

async fn exchange(socket: PathBuf, (method, path): (&str, &str), form: String) -> Result<Answered, String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| crate::app::surroundings::plain(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let jobs = Jobs::default();
    jobs.start(async move {
        // What matters of an error here reaches the request too.
        let _ = connection.await;
    });
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "vigilmon")
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(form)))
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&body).map_err(|error| format!("its answer is not JSON: {error}"))?;
    if status.is_success() {
        return Ok(Answered::Done(answer));
    }
    let why = answer["error"]["message"].as_str().map_or_else(|| format!("it answers {status}"), ToOwned::to_owned);
    Ok(Answered::Refused(why))
}
