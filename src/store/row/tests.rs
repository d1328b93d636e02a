use std::time::Duration;

use crate::model::change::MonitorState;
use crate::model::change::Streak;
use crate::model::change::Warned;
use crate::model::id::ChannelName;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::Region;
use crate::model::incident::CloseReason;
use crate::model::incident::Closed;
use crate::model::incident::Epoch;
use crate::model::incident::Lane;
use crate::model::notification::Again;
use crate::model::notification::AlertFacts;
use crate::model::notification::EventKind;
use crate::model::notification::IncidentFacts;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::peer::Cause;
use crate::model::peer::Stage;
use crate::model::policy::Acknowledgement;
use crate::model::policy::OwedEnd;
use crate::model::policy::Progress;
use crate::model::result::DnsFailure;
use crate::model::result::Failure;
use crate::model::result::OwnTrouble;
use crate::model::result::Phase;
use crate::model::result::TlsDefect;
use crate::model::time::UnixMillis;
use crate::model::verdict::Confidence;
use crate::model::verdict::Opinion;
use crate::model::verdict::OpinionState;
use crate::model::verdict::RegionView;
use crate::model::verdict::Verdict;
use crate::store::row;

fn text() -> String {
    "line \"one\"\nline `two` ü".to_owned()
}

/// One of every kind. The forms themselves are complete because they are made by matches without wildcards.
pub(in crate::store) fn every_failure() -> Vec<Failure> {
    let detail = text;
    let ms = Duration::from_nanos(1_500_000_001);
    let at = UnixMillis(1_700_000_000_123);
    let mut all: Vec<Failure> = [DnsFailure::NoSuchName, DnsFailure::NoAddress, DnsFailure::ServerFailed, DnsFailure::TimedOut]
        .map(|kind| Failure::Dns { name: "a.example".to_owned(), kind })
        .to_vec();
    for phase in [Phase::Dns, Phase::Connect, Phase::Tls, Phase::FirstByte, Phase::Transfer] {
        all.push(Failure::Closed { phase, reset: phase == Phase::Tls });
        all.push(Failure::TimedOut { phase, after: ms });
    }
    all.extend(
        [
            TlsDefect::Expired { not_after: at },
            TlsDefect::NotYetValid { not_before: at },
            TlsDefect::WrongName { wanted: text(), names: vec!["a".to_owned(), "b".to_owned()] },
            TlsDefect::SelfSigned,
            TlsDefect::UnknownIssuer { issuer: text() },
            TlsDefect::Revoked,
            TlsDefect::BadSignature,
            TlsDefect::BadCertificate { detail: text() },
            TlsDefect::NothingInCommon,
            TlsDefect::Alert { name: text() },
            TlsDefect::NotTls,
            TlsDefect::Other { detail: text() },
        ]
        .map(Failure::Tls),
    );
    all.extend(
        [
            OwnTrouble::NoDescriptors,
            OwnTrouble::NoPorts,
            OwnTrouble::Stalled(ms),
            OwnTrouble::Uplink,
            OwnTrouble::Clock,
            OwnTrouble::NoFamily,
            OwnTrouble::Setup(text()),
            OwnTrouble::Panic,
            OwnTrouble::Interrupted,
        ]
        .map(Failure::Own),
    );
    all.extend([
        Failure::Refused { at: text() },
        Failure::Unreachable { at: text() },
        Failure::Proxy { detail: detail() },
        Failure::Protocol { detail: detail() },
        Failure::Redirect { detail: detail() },
        Failure::Forbidden { detail: detail() },
        Failure::Status { got: 503, expected: "2xx".to_owned() },
        Failure::Body { detail: detail() },
        Failure::Header { detail: detail() },
        Failure::Json { detail: detail() },
        Failure::Banner { detail: detail() },
        Failure::Slow { took: ms, limit: Duration::from_secs(1) },
        Failure::CertificateEnds { days_left: -3, not_after: at, names: text() },
        Failure::Partly { detail: detail() },
        Failure::Heartbeat { code: "never-started", text: detail() },
    ]);
    all
}

#[test]
fn every_failure_comes_back_as_it_was() {
    for failure in every_failure() {
        assert_eq!(row::failure::from_json(&row::failure::to_json(&failure)), failure);
    }
}

#[test]
fn a_failure_of_a_newer_build_becomes_trouble_of_our_own() {
    let found = row::failure::from_json(r#"{"code":"cosmic_ray","bit":7}"#);
    assert!(matches!(&found, Failure::Own(OwnTrouble::Setup(why)) if why.contains("cosmic_ray")), "{found:?}");
}

#[test]
fn the_durable_form_of_a_failure_is_stable() {
    let failure = Failure::Status { got: 503, expected: "2xx".to_owned() };
    assert_eq!(row::failure::to_json(&failure), r#"{"code":"status","got":503,"expected":"2xx"}"#);
    let failure = Failure::Tls(TlsDefect::SelfSigned);
    assert_eq!(row::failure::to_json(&failure), r#"{"code":"tls","defect":"self_signed"}"#);
}

#[test]
fn states_come_back_as_they_were() {
    let monitor = MonitorId::parse("api").expect("an id");
    let opinions =
        [OpinionState::Up, OpinionState::Degraded, OpinionState::Down, OpinionState::Suspect, OpinionState::Unknown, OpinionState::Paused];
    let verdicts = [Verdict::Up, Verdict::Degraded, Verdict::Down, Verdict::Unknown, Verdict::Paused];
    for (i, opinion) in opinions.into_iter().enumerate() {
        let is_even = i % 2 == 0;
        let time = is_even.then_some(UnixMillis(17));
        let state = MonitorState {
            monitor: monitor.clone(),
            probe_hash: u32::MAX,
            opinion: Opinion { state: opinion, since: UnixMillis(-5), failure: is_even.then(|| Failure::Refused { at: "x".to_owned() }) },
            streak: Streak {
                n_down: 1,
                n_bad: 2,
                n_better: 3,
                bad_since: time,
                down_since: time,
                better_since: None,
                n_unknown: 1,
                unknown_since: time,
            },
            verdict: verdicts[i % verdicts.len()],
            verdict_since: UnixMillis(9),
            outage: Epoch(u64::MAX),
            degradation: Epoch(4),
            regional: Epoch(2),
            paused_at: time,
            told: [ChannelName::parse("ops").unwrap()].into(),
            alerts: if is_even { vec![progress()] } else { Vec::new() },
            owed_end: is_even.then(owed_end),
            remote: is_even.then(|| "2001:db8::1".parse().expect("an address")),
            warned: is_even.then_some(Warned { epoch: Epoch(7), limit: Duration::from_secs(86_400) }),
        };
        assert_eq!(row::state::from_json(monitor.clone(), &row::state::to_json(&state)), Ok(state));
    }
    assert!(row::state::from_json(monitor, "{}").is_err());
}

fn progress() -> Progress {
    let channel = |name: &str| ChannelName::parse(name).expect("a name");
    Progress {
        from_outage: true,
        taken: [0, 3].into(),
        waiting: [channel("a")].into(),
        told: [channel("b"), channel("c")].into(),
        n_reminders: 7,
        snoozed_until: Some(UnixMillis(88)),
        ..Progress::new(Lane::Degradation, Epoch(5), UnixMillis(77), EventKind::Certificate)
    }
}

fn owed_end() -> OwedEnd {
    OwedEnd {
        incident: IncidentId::from_derived("abcdefghijklm"),
        lane: Lane::Outage,
        epoch: Epoch(3),
        opened_at: UnixMillis(1),
        closed: Closed { at: UnixMillis(2), how: CloseReason::Recovered },
        cause: Cause { code: "refused".to_owned(), text: text(), stage: Stage::Connect },
    }
}

#[test]
fn words_and_views_come_back_as_they_were() {
    for lane in Lane::ALL {
        assert_eq!(row::incident::lane_of(lane.word()), Ok(lane));
    }
    for how in [CloseReason::Recovered, CloseReason::RecoveredUnseen, CloseReason::Superseded, CloseReason::Removed, CloseReason::Paused] {
        assert_eq!(row::incident::close_reason_of(how.word()), Ok(how));
    }
    for confidence in [Confidence::Full, Confidence::Degraded] {
        assert_eq!(row::incident::confidence_of(row::incident::confidence_word(confidence)), Ok(confidence));
    }
    for event in EventKind::ALL {
        assert_eq!(row::message::event_of(event.word()), Ok(event));
    }
    let region = |name: &str| Region::parse(name).expect("a region");
    let view = RegionView { failing: vec![region("eu")], fine: vec![region("us"), region("ap")], unknown: Vec::new() };
    assert_eq!(row::incident::regions_from_json(&row::incident::regions_to_json(&view)), Ok(view));
}

#[test]
fn subjects_come_back_as_they_were() {
    let region = |name: &str| Region::parse(name).expect("a region");
    let facts = IncidentFacts {
        incident: IncidentId::from_derived("abcdefghijklm"),
        monitor: MonitorId::parse("api").expect("an id"),
        monitor_name: text(),
        group: Some(text()),
        target: "https://a.example".to_owned(),
        status: Verdict::Down,
        started_at: UnixMillis(1),
        duration: Duration::from_millis(61_001),
        cause: text(),
        cause_code: "status".to_owned(),
        lane: Lane::Outage,
        closed: Some(CloseReason::RecoveredUnseen),
        regions_failing: vec![region("eu")],
        regions_failed: vec![region("eu"), region("ap")],
        regions_fine: vec![region("us")],
        regions_unknown: vec![region("ap")],
        confidence: Confidence::Degraded,
        n_voters: (2, 3),
        diagnosis: Some(crate::model::verdict::Diagnosis::PathTls),
        evidence: text(),
        runbook: None,
        alert: AlertFacts {
            acknowledged: Some(Acknowledgement {
                by: text(),
                at: UnixMillis(5),
                until: Some(UnixMillis(6)),
                note: text(),
                by_channel: ChannelName::parse("pager").ok(),
            }),
            again: Some(Again::Reminder(3)),
            n_dependents: 4,
            n_flaps: Some(7),
        },
    };
    let notice = Subject::SelfNotice { title: text(), text: text() };
    let part = Notification {
        key: "k".to_owned(),
        channel: crate::model::id::ChannelName::parse("mail").expect("a name"),
        event: EventKind::Recovered,
        at: UnixMillis(5),
        subject: Subject::Passed(Box::new(facts.clone())),
        may_be_repeat: false,
    };
    let passed = Subject::Passed(Box::new(facts.clone()));
    for subject in [Subject::Incident(Box::new(facts)), notice, passed, Subject::Bundle(vec![part])] {
        assert_eq!(row::message::from_json(&row::message::to_json(&subject)), Ok(subject));
    }
}
