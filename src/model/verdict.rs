//! What one vantage holds of a monitor, and what all together hold.

use crate::model::id::Region;
use crate::model::result::Failure;
use crate::model::time::UnixMillis;

/// What one vantage currently holds of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// The state held.
    pub state: OpinionState,
    /// Since when: for bad states the time of the first bad check, not of the one that confirmed it.
    pub since: UnixMillis,
    /// Why, when the state is not up.
    pub failure: Option<Failure>,
}

/// The states an opinion can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpinionState {
    /// Confirmed up.
    Up,
    /// Confirmed degraded.
    Degraded,
    /// Confirmed down.
    Down,
    /// Was up, and the newest checks were not; not confirmed yet, so it still counts as up.
    Suspect,
    /// Nothing is known (yet, or because of trouble of our own). Never a vote.
    Unknown,
    /// An operator or the config switched it off. Never a vote.
    Paused,
}

/// What the vantages together hold; alone, one's own opinion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Up.
    Up,
    /// Works, but not as well as expected.
    Degraded,
    /// Down.
    Down,
    /// Nobody knows.
    Unknown,
    /// Switched off.
    Paused,
    /// In a maintenance window: whatever checks say, it is expected and not counted.
    Maintenance,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 6] = [Verdict::Up, Verdict::Degraded, Verdict::Down, Verdict::Unknown, Verdict::Paused, Verdict::Maintenance];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Up => "up",
            Verdict::Degraded => "degraded",
            Verdict::Down => "down",
            Verdict::Unknown => "unknown",
            Verdict::Paused => "paused",
            Verdict::Maintenance => "maintenance",
        }
    }
}

/// How sure a decision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Enough vantages were seen.
    Full,
    /// Decided with fewer vantages than wanted, after waiting for them.
    Degraded,
}

/// Which regions say what, at the time of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegionView {
    /// Regions that hold it down or degraded, in name order.
    pub failing: Vec<Region>,
    /// Regions that hold it up.
    pub fine: Vec<Region>,
    /// Regions that said nothing that counts.
    pub unknown: Vec<Region>,
}

/// Where the trouble is: what vantages outside and inside together say about a failure that users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnosis {
    /// Works inside, names are not found outside.
    PathDns,
    /// Works inside, cannot be connected to from outside.
    PathConnect,
    /// Works inside, TLS fails outside.
    PathTls,
    /// Works inside; what stands in front of it says that it does not.
    PathGateway,
    /// Works inside and not outside, and the failure does not say where.
    PathOther,
    /// Down inside as well.
    Service,
    /// Works outside, not inside.
    Inside,
    /// Works inside and from some regions.
    Transit,
}

impl Diagnosis {
    /// Every diagnosis.
    pub const ALL: [Diagnosis; 8] = [
        Diagnosis::PathDns,
        Diagnosis::PathConnect,
        Diagnosis::PathTls,
        Diagnosis::PathGateway,
        Diagnosis::PathOther,
        Diagnosis::Service,
        Diagnosis::Inside,
        Diagnosis::Transit,
    ];

    /// Stable word for the API and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Diagnosis::PathDns => "path_dns",
            Diagnosis::PathConnect => "path_connect",
            Diagnosis::PathTls => "path_tls",
            Diagnosis::PathGateway => "path_gateway",
            Diagnosis::PathOther => "path",
            Diagnosis::Service => "service",
            Diagnosis::Inside => "inside",
            Diagnosis::Transit => "transit",
        }
    }

    /// What it means and where to look, in one sentence without a full stop.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Diagnosis::PathDns => "it works from inside, and its name is not found outside: look at the DNS records and the resolver",
            Diagnosis::PathConnect => {
                "it works from inside and cannot be connected to from outside: look at the load balancer, the firewall and the line"
            }
            Diagnosis::PathTls => "it works from inside, and TLS fails outside: look at the certificate at the ingress",
            Diagnosis::PathGateway => {
                "it works from inside, and the ingress has no healthy upstream: look at its health check and its endpoints"
            }
            Diagnosis::PathOther => "it works from inside and not from outside: look at what lies between",
            Diagnosis::Service => "it does not work from inside either: look at the service itself",
            Diagnosis::Inside => {
                "it works from outside and not from inside: look at the internal DNS, network policies, hairpin NAT or the internal probe"
            }
            Diagnosis::Transit => {
                "it works from inside and from other regions: look at transit, CDN or geographic DNS for the failing ones"
            }
        }
    }
}
