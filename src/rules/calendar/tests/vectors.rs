//! The schedule vectors of the contract: moments after a moment, by the rules of Debian's cron and of Kubernetes.

use Kubernetes::Other;
use Kubernetes::Rejected;
use Kubernetes::Same;

/// One of them.
pub(super) struct Vector {
    pub(super) id: &'static str,
    pub(super) cron: &'static str,
    pub(super) zone: &'static str,
    pub(super) after: &'static str,
    pub(super) vixie: [&'static str; 3],
    pub(super) kubernetes: Kubernetes,
}

/// What the rules of Kubernetes make of it.
pub(super) enum Kubernetes {
    Same,
    Other([&'static str; 3]),
    Rejected,
}

const fn vector([id, cron, zone, after]: [&'static str; 4], vixie: [&'static str; 3], kubernetes: Kubernetes) -> Vector {
    Vector { id, cron, zone, after, vixie, kubernetes }
}

pub(super) const VECTORS: [Vector; 15] = [
    vector(
        ["V01", "30 2 * * *", "Europe/Berlin", "2027-03-27T12:00Z"],
        ["2027-03-28T01:00Z", "2027-03-29T00:30Z", "2027-03-30T00:30Z"],
        Other(["2027-03-29T00:30Z", "2027-03-30T00:30Z", "2027-03-31T00:30Z"]),
    ),
    vector(
        ["V02", "30 2 * * *", "Europe/Berlin", "2027-10-30T12:00Z"],
        ["2027-10-31T00:30Z", "2027-11-01T01:30Z", "2027-11-02T01:30Z"],
        Other(["2027-10-31T00:30Z", "2027-10-31T01:30Z", "2027-11-01T01:30Z"]),
    ),
    vector(
        ["V04", "15,45 2 * * *", "Europe/Berlin", "2027-03-27T12:00Z"],
        ["2027-03-28T01:00Z", "2027-03-29T00:15Z", "2027-03-29T00:45Z"],
        Other(["2027-03-29T00:15Z", "2027-03-29T00:45Z", "2027-03-30T00:15Z"]),
    ),
    vector(
        ["V07", "*/15 2 * * *", "Europe/Berlin", "2027-03-27T12:00Z"],
        ["2027-03-29T00:00Z", "2027-03-29T00:15Z", "2027-03-29T00:30Z"],
        Same,
    ),
    vector(
        ["V10", "0 * * * *", "Europe/Berlin", "2027-10-30T23:30Z"],
        ["2027-10-31T00:00Z", "2027-10-31T01:00Z", "2027-10-31T02:00Z"],
        Same,
    ),
    vector(
        ["V11", "0 */2 * * *", "Europe/Berlin", "2027-03-27T22:30Z"],
        ["2027-03-27T23:00Z", "2027-03-28T02:00Z", "2027-03-28T04:00Z"],
        Same,
    ),
    vector(
        ["V13", "30 2 * * *", "America/New_York", "2027-03-13T12:00Z"],
        ["2027-03-14T07:00Z", "2027-03-15T06:30Z", "2027-03-16T06:30Z"],
        Other(["2027-03-15T06:30Z", "2027-03-16T06:30Z", "2027-03-17T06:30Z"]),
    ),
    vector(
        ["V15", "0 1 * * *", "Europe/London", "2027-03-27T12:00Z"],
        ["2027-03-28T01:00Z", "2027-03-29T00:00Z", "2027-03-30T00:00Z"],
        Other(["2027-03-29T00:00Z", "2027-03-30T00:00Z", "2027-03-31T00:00Z"]),
    ),
    vector(
        ["V16", "15 2 * * *", "Australia/Lord_Howe", "2027-10-02T12:00Z"],
        ["2027-10-02T15:30Z", "2027-10-03T15:15Z", "2027-10-04T15:15Z"],
        Other(["2027-10-03T15:15Z", "2027-10-04T15:15Z", "2027-10-05T15:15Z"]),
    ),
    vector(
        ["V19", "0 0 * * *", "America/Havana", "2027-03-13T12:00Z"],
        ["2027-03-14T05:00Z", "2027-03-15T04:00Z", "2027-03-16T04:00Z"],
        Other(["2027-03-15T04:00Z", "2027-03-16T04:00Z", "2027-03-17T04:00Z"]),
    ),
    vector(
        ["V23", "0 0 * * *", "Asia/Kathmandu", "2027-01-01T12:00Z"],
        ["2027-01-01T18:15Z", "2027-01-02T18:15Z", "2027-01-03T18:15Z"],
        Same,
    ),
    vector(
        ["V24", "0 0 */2 * 1", "UTC", "2027-01-01T00:00Z"],
        ["2027-01-11T00:00Z", "2027-01-25T00:00Z", "2027-02-01T00:00Z"],
        Other(["2027-01-03T00:00Z", "2027-01-04T00:00Z", "2027-01-05T00:00Z"]),
    ),
    vector(["V25", "0 0 13 * 5", "UTC", "2027-01-01T00:00Z"], ["2027-01-08T00:00Z", "2027-01-13T00:00Z", "2027-01-15T00:00Z"], Same),
    vector(["V27", "0 0 31 * *", "UTC", "2027-01-31T00:00Z"], ["2027-03-31T00:00Z", "2027-05-31T00:00Z", "2027-07-31T00:00Z"], Same),
    vector(["V28", "0 0 * * 7", "UTC", "2027-01-01T00:00Z"], ["2027-01-03T00:00Z", "2027-01-10T00:00Z", "2027-01-17T00:00Z"], Rejected),
];
