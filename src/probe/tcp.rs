//! The TCP probe: connect, perhaps say something, perhaps wait until something expected has come back.

use std::net::IpAddr;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::model::monitor::TcpSpec;
use crate::model::result::Failure;
use crate::model::result::Phase;
use crate::model::time::spoken;
use crate::probe::Shared;
use crate::probe::dial;
use crate::probe::own::is_reset;
use crate::probe::own::own_trouble;
use crate::probe::policy::Policy;
use crate::probe::resolve::Question;
use crate::probe::trace::Trace;

/// Most that is read while waiting for what is expected.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Most of an unexpected answer that is quoted, in bytes.
const EXCERPT_BYTES_MAX: usize = 80;

/// Makes one check; returns what came back.
pub(crate) async fn check(shared: &Shared, spec: &TcpSpec, pinned: Option<IpAddr>, trace: &mut Trace) -> Result<Vec<u8>, Failure> {
    let addresses = match pinned {
        Some(address) => vec![address],
        None => {
            let question = Question { host: &spec.address.host, ip: spec.ip, servers: &spec.resolver };
            shared.resolvers.addresses(question, trace).await?
        }
    };
    // There are no redirects here, and the config's own words are trusted but for metadata services, which speak HTTP only.
    let policy = Policy { allow_metadata: false, allow_private: true, first: None };
    let mut tcp = dial::connect(&addresses, spec.address.port, policy, trace).await?;
    if !spec.send.is_empty() {
        trace.enter(Phase::FirstByte);
        trace.say(&format!("> {}", excerpt(&spec.send)));
        if let Err(error) = tcp.write_all(&spec.send).await {
            return Err(broken(&error, spec, trace));
        }
    }
    if spec.expect.is_empty() {
        trace.leave();
        return Ok(Vec::new());
    }
    listen(&mut tcp, spec, trace).await
}

/// Reads until the expected bytes have come.
async fn listen(tcp: &mut TcpStream, spec: &TcpSpec, trace: &mut Trace) -> Result<Vec<u8>, Failure> {
    if spec.send.is_empty() {
        trace.enter(Phase::FirstByte);
    }
    let mut block = [0; 4096];
    loop {
        let n = match tcp.read(&mut block).await {
            Ok(0) if trace.received.is_empty() => return Err(trace.closed(false)),
            Ok(0) => return Err(not_expected(spec, &trace.received, "and then the connection was closed")),
            Ok(n) => n,
            Err(error) => return Err(broken(&error, spec, trace)),
        };
        if trace.received.is_empty() {
            trace.leave();
            trace.enter(Phase::Transfer);
        }
        let room = ANSWER_BYTES_MAX - trace.received.len();
        // What is expected may straddle two reads.
        let from = trace.received.len().saturating_sub(spec.expect.len());
        trace.received.extend_from_slice(&block[..n.min(room)]);
        if find(&trace.received[from..], &spec.expect) {
            let took = trace.leave();
            trace.say(&format!("< {} ({})", excerpt(&trace.received), spoken(took)));
            return Ok(std::mem::take(&mut trace.received));
        }
        if trace.received.len() >= ANSWER_BYTES_MAX {
            return Err(not_expected(spec, &trace.received, "and so on for 64 KiB"));
        }
    }
}

fn broken(error: &std::io::Error, spec: &TcpSpec, trace: &mut Trace) -> Failure {
    if let Some(own) = own_trouble(error) {
        Failure::Own(own)
    } else if trace.received.is_empty() {
        trace.closed(is_reset(error))
    } else {
        not_expected(spec, &trace.received, "and then the connection was reset")
    }
}

/// The failure of an answer without what was expected in it.
pub(crate) fn not_expected(spec: &TcpSpec, received: &[u8], then: &str) -> Failure {
    Failure::Banner { detail: format!("expected `{}`, got `{}` {then}", excerpt(&spec.expect), excerpt(received)) }
}

fn find(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The beginning of some bytes, printable whatever they are.
fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX)];
    let mut text = shown.escape_ascii().to_string();
    if bytes.len() > shown.len() {
        text.push('…');
    }
    text
}
