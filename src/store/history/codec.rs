//! Results as bytes: small, because a year of them is kept on a small disk.
//!
//! A record is two bytes of flags, then variable-length integers. Times are differences to the record before, and an address, a
//! certificate's end, a status or a reason that equals the one before costs no byte. A single record in the hot table is written
//! with an empty past; a block carries its past from record to record.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::time::Duration;

use crate::model::id::MonitorId;
use crate::model::result::CheckResult;
use crate::model::result::Failure;
use crate::model::result::Outcome;
use crate::model::result::Timings;
use crate::model::result::Transcript;
use crate::model::time::UnixMillis;
use crate::store::row::failure;

/// Bytes that are not records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored results cannot be read")]
pub(in crate::store) struct BadBytes;

/// A result as it is stored: its transcript is elsewhere, or was not kept.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Stored {
    /// With an empty transcript.
    pub result: CheckResult,
    /// There is a transcript for it.
    pub has_transcript: bool,
}

const SAME: u8 = 1;
const NEW: u8 = 2;
const NEW_V6: u8 = 3;

/// What the record before said.
#[derive(Debug, Clone)]
struct Past {
    at: i64,
    step: i64,
    remote: Option<IpAddr>,
    certificate: Option<i64>,
    status: Option<u16>,
    failure: Option<Failure>,
}

impl Past {
    fn new(at: i64) -> Past {
        Past { at, step: 0, remote: None, certificate: None, status: None, failure: None }
    }
}

/// Writes records one after the other.
#[derive(Debug)]
pub(in crate::store) struct Encoder {
    bytes: Vec<u8>,
    past: Past,
}

impl Encoder {
    /// Begins at a time that the reader knows, too.
    pub(in crate::store) fn new(start: UnixMillis) -> Encoder {
        Encoder { bytes: Vec::with_capacity(32), past: Past::new(start.0) }
    }

    /// Begins anew, keeping the room.
    pub(in crate::store) fn reset(&mut self, start: UnixMillis) {
        self.bytes.clear();
        self.past = Past::new(start.0);
    }

    /// What was written.
    pub(in crate::store) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes one more. Durations are kept in whole microseconds.
    pub(in crate::store) fn push(&mut self, result: &CheckResult, has_transcript: bool) {
        let CheckResult { monitor: _, at, outcome, failure, timings, status, remote, certificate_not_after, transcript: _ } = result;
        let certificate = certificate_not_after.map(|end| end.0);
        let remote_kind = match remote {
            None => 0,
            Some(_) if *remote == self.past.remote => SAME,
            Some(IpAddr::V4(_)) => NEW,
            Some(IpAddr::V6(_)) => NEW_V6,
        };
        let certificate_kind = kind_of(certificate, self.past.certificate);
        let status_kind = kind_of(*status, self.past.status);
        let phases = timings.phases();
        let present = phases.iter().enumerate().fold(0_u8, |bits, (i, (_, took))| bits | u8::from(took.is_some()) << i);
        self.bytes.push(outcome_bits(*outcome) | remote_kind << 2 | certificate_kind << 4 | status_kind << 6);
        self.bytes.push(present | u8::from(has_transcript) << 5);
        let step = at.0.wrapping_sub(self.past.at);
        self.signed(step.wrapping_sub(self.past.step));
        let mut sum = 0_i64;
        for (_, took) in phases {
            if let Some(took) = took {
                let us = micros(took);
                sum = sum.wrapping_add(us);
                self.signed(us);
            }
        }
        self.signed(micros(timings.total).wrapping_sub(sum));
        match (remote, remote_kind) {
            (Some(IpAddr::V4(address)), NEW) => self.bytes.extend_from_slice(&address.octets()),
            (Some(IpAddr::V6(address)), NEW_V6) => self.bytes.extend_from_slice(&address.octets()),
            _ => {}
        }
        if let (Some(end), NEW) = (certificate, certificate_kind) {
            self.signed(end);
        }
        if let (Some(status), NEW) = (status, status_kind) {
            self.unsigned(u64::from(*status));
        }
        if *outcome != Outcome::Up {
            self.failure(failure.as_ref());
        }
        self.past.at = at.0;
        self.past.step = step;
        self.past.remote = remote.or(self.past.remote);
        self.past.certificate = certificate.or(self.past.certificate);
        self.past.status = status.or(self.past.status);
    }

    /// 0: none; 1: the one before; otherwise the length of its JSON and 2.
    fn failure(&mut self, failure: Option<&Failure>) {
        match failure {
            None => self.unsigned(0),
            Some(failure) if self.past.failure.as_ref() == Some(failure) => self.unsigned(1),
            Some(failure) => {
                let json = failure::to_json(failure);
                self.unsigned(json.len() as u64 + 2);
                self.bytes.extend_from_slice(json.as_bytes());
                self.past.failure = Some(failure.clone());
            }
        }
    }

    fn signed(&mut self, value: i64) {
        put_signed(&mut self.bytes, value);
    }

    fn unsigned(&mut self, value: u64) {
        put_unsigned(&mut self.bytes, value);
    }
}

fn kind_of<T: PartialEq>(value: Option<T>, before: Option<T>) -> u8 {
    match value {
        None => 0,
        Some(_) if value == before => SAME,
        Some(_) => NEW,
    }
}

/// Reads what an [`Encoder`] that began at `start` wrote for `monitor`.
pub(in crate::store) fn decode(monitor: &MonitorId, start: UnixMillis, bytes: &[u8]) -> Result<Vec<Stored>, BadBytes> {
    let mut out = Vec::new();
    decode_into(&mut out, monitor, start, bytes)?;
    Ok(out)
}

/// As [`decode`], added to what is there already; what was read before an error stays.
pub(in crate::store) fn decode_into(out: &mut Vec<Stored>, monitor: &MonitorId, start: UnixMillis, bytes: &[u8]) -> Result<(), BadBytes> {
    let mut reader = Reader(bytes);
    let mut past = Past::new(start.0);
    while !reader.0.is_empty() {
        out.push(record(monitor, &mut reader, &mut past)?);
    }
    Ok(())
}

fn record(monitor: &MonitorId, reader: &mut Reader<'_>, past: &mut Past) -> Result<Stored, BadBytes> {
    let [flags, more] = reader.array()?;
    let outcome = outcome_of(flags & 3);
    past.step = past.step.wrapping_add(reader.signed()?);
    past.at = past.at.wrapping_add(past.step);
    let mut phases = [None; 5];
    let mut sum = 0_i64;
    for (i, phase) in phases.iter_mut().enumerate() {
        if more & 1 << i != 0 {
            let us = reader.signed()?;
            sum = sum.wrapping_add(us);
            *phase = Some(duration(us));
        }
    }
    let total = duration(sum.wrapping_add(reader.signed()?));
    let remote = match flags >> 2 & 3 {
        NEW => Some(IpAddr::V4(Ipv4Addr::from(reader.array::<4>()?))),
        NEW_V6 => Some(IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?))),
        SAME => past.remote,
        _ => None,
    };
    let certificate = match flags >> 4 & 3 {
        NEW => Some(reader.signed()?),
        SAME => past.certificate,
        _ => None,
    };
    let status = match flags >> 6 & 3 {
        NEW => Some(u16::try_from(reader.unsigned()?).map_err(|_| BadBytes)?),
        SAME => past.status,
        _ => None,
    };
    let failure = if outcome == Outcome::Up { None } else { reader.failure(past)? };
    past.remote = remote.or(past.remote);
    past.certificate = certificate.or(past.certificate);
    past.status = status.or(past.status);
    let [dns, connect, tls, first_byte, transfer] = phases;
    let result = CheckResult {
        monitor: monitor.clone(),
        at: UnixMillis(past.at),
        outcome,
        failure,
        timings: Timings { dns, connect, tls, first_byte, transfer, total },
        status,
        remote,
        certificate_not_after: certificate.map(UnixMillis),
        transcript: Transcript::default(),
    };
    Ok(Stored { result, has_transcript: more & 1 << 5 != 0 })
}

fn outcome_bits(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Up => 0,
        Outcome::Degraded => 1,
        Outcome::Down => 2,
        Outcome::Unknown => 3,
    }
}

fn outcome_of(bits: u8) -> Outcome {
    match bits {
        0 => Outcome::Up,
        1 => Outcome::Degraded,
        2 => Outcome::Down,
        _ => Outcome::Unknown,
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn duration(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or(0))
}

/// Seven bits to a byte, the lowest first, the highest bit set while more follow.
pub(in crate::store) fn put_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn put_signed(bytes: &mut Vec<u8>, value: i64) {
    put_unsigned(bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads integers and texts off the front.
pub(in crate::store) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadBytes> {
        let (front, rest) = self.0.split_first_chunk::<N>().ok_or(BadBytes)?;
        self.0 = rest;
        Ok(*front)
    }

    /// The next integer.
    pub(in crate::store) fn unsigned(&mut self) -> Result<u64, BadBytes> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BadBytes)
    }

    fn signed(&mut self) -> Result<i64, BadBytes> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    fn failure(&mut self, past: &mut Past) -> Result<Option<Failure>, BadBytes> {
        match self.unsigned()? {
            0 => Ok(None),
            1 => past.failure.clone().map(Some).ok_or(BadBytes),
            length => {
                let length = usize::try_from(length - 2).map_err(|_| BadBytes)?;
                let (text, rest) = self.0.split_at_checked(length).ok_or(BadBytes)?;
                self.0 = rest;
                past.failure = Some(failure::from_json(&String::from_utf8_lossy(text)));
                Ok(past.failure.clone())
            }
        }
    }
}
