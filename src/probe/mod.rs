//! Observing targets. One file per kind; see `CONTRIBUTING.md` for how to add one.
//!
//! Nothing here spawns: a check is one future, and when its deadline drops it, its sockets go with it. What was seen is not
//! judged here; `rules` does that with the observation.

mod dial;
mod fan;
mod http;
mod own;
mod policy;
mod resolve;
mod stream;
mod tcp;
mod tls;
mod trace;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::model::monitor::IpChoice;
use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::net::HostPort;
use crate::model::result::Observation;
use crate::model::result::OwnTrouble;
use crate::probe::fan::Task;
use crate::probe::http::token::Tokens;
use crate::probe::policy::Policy;
use crate::probe::resolve::Question;
use crate::probe::resolve::Resolvers;
use crate::probe::tls::TlsSettings;
use crate::probe::trace::Trace;

/// Runs checks. Cheap to clone; holds what checks share (trust anchors, resolvers, OAuth tokens), never a connection.
#[derive(Clone)]
pub struct Prober(Arc<Shared>);

impl fmt::Debug for Prober {
    // What it holds is settings with keys in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

/// What checks share.
pub(crate) struct Shared {
    pub(crate) user_agent: String,
    pub(crate) clock: Clock,
    pub(crate) resolvers: Resolvers,
    pub(crate) tls: TlsSettings,
    pub(crate) tokens: Tokens,
}

impl Prober {
    /// `user_agent` is sent with every HTTP request.
    #[must_use]
    pub fn new(user_agent: String, clock: Clock) -> Prober {
        Prober(Arc::new(Shared { user_agent, clock, resolvers: Resolvers::new(), tls: TlsSettings::default(), tokens: Tokens::default() }))
    }

    /// Builds what can fail about a probe (certificates, keys), so that a reload can refuse it.
    ///
    /// # Errors
    /// One sentence for the config's author.
    pub fn prepare(&self, spec: &ProbeSpec) -> Result<(), String> {
        match spec {
            ProbeSpec::Http(spec) => http::prepare(&self.0, spec),
            ProbeSpec::Tcp(_) | ProbeSpec::Heartbeat(_) => Ok(()),
        }
    }

    /// Makes one check of `monitor` within `timeout`, which is absolute: the observation is there at the deadline whatever the
    /// target does. Never fails: trouble of the target and our own are both observations.
    pub async fn run(&self, monitor: &Monitor, timeout: Duration) -> Observation {
        let task = match &monitor.probe {
            ProbeSpec::Http(spec) => Task::Http(spec),
            ProbeSpec::Tcp(spec) => Task::Tcp(spec),
            // There is nothing to look at; the engine does not ask for it.
            ProbeSpec::Heartbeat(_) => {
                let trouble = OwnTrouble::Setup("a heartbeat is not looked at, it reports by itself".to_owned());
                return Observation::not_made(trouble);
            }
        };
        fan::check(&self.0, task, timeout).await
    }

    /// Whether a TCP connection to an uplink control succeeds within `timeout`.
    pub async fn control(&self, address: &HostPort, timeout: Duration) -> bool {
        let mut trace = Trace::new(&self.0.clock);
        let policy = Policy { allow_metadata: false, allow_private: false, first: None };
        let connected = tokio::time::timeout_at(Instant::now() + timeout, async {
            let question = Question { host: &address.host, ip: IpChoice::Any, servers: &[] };
            let addresses = self.0.resolvers.addresses(question, &mut trace).await?;
            dial::connect(&addresses, address.port, policy, &mut trace).await
        });
        matches!(connected.await, Ok(Ok(_)))
    }
}
