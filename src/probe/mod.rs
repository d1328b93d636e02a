//! Observing targets. One file per kind; see `CONTRIBUTING.md` for how to add one.

use std::time::Duration;

use crate::model::monitor::Monitor;
use crate::model::monitor::ProbeSpec;
use crate::model::net::HostPort;
use crate::model::result::Observation;

/// Runs checks. Cheap to clone; holds what checks share (trust anchors, resolvers, OAuth tokens), never a connection.
#[derive(Debug, Clone)]
pub struct Prober;

impl Prober {
    /// `user_agent` is sent with every HTTP request.
    #[must_use]
    pub fn new(_user_agent: String) -> Prober {
        Prober
    }

    /// Builds what can fail about a probe (certificates, keys), so that a reload can refuse it.
    ///
    /// # Errors
    /// One sentence for the config's author.
    pub fn prepare(&self, _spec: &ProbeSpec) -> Result<(), String> {
        Ok(())
    }

    /// Makes one check of `monitor` within `timeout`, which is absolute: the observation is there at the deadline whatever the
    /// target does. Never fails: trouble of the target and our own are both observations.
    pub async fn run(&self, _monitor: &Monitor, _timeout: Duration) -> Observation {
        unimplemented!()
    }

    /// Whether a TCP connection to an uplink control succeeds within `timeout`.
    pub async fn control(&self, _address: &HostPort, _timeout: Duration) -> bool {
        unimplemented!()
    }
}
