//! Tables: an expectation, an answer, and what must be said of it.

use super::*;
use crate::model::expect::CertificateDays;
use crate::model::expect::Comparison;
use crate::model::expect::JsonExpect;
use crate::model::expect::JsonPath;
use crate::model::expect::JsonTest;
use crate::model::expect::Pattern;
use crate::model::expect::ResponseTime;
use crate::model::result::Certificate;
use crate::model::result::DnsFailure;
use crate::model::result::Timings;
use crate::model::result::Transcript;

const DAY_MS: i64 = 86_400_000;

fn monitor(expect: Expectation) -> Monitor {
    // The kind does not matter to the judge, except that TCP has no certificate of its own to care about.
    Monitor { expect, ..crate::model::testing::monitor("m") }
}

fn http(status: u16, body: &str) -> Observation {
    let seen = HttpSeen {
        status,
        version: "HTTP/1.1",
        headers: vec![("content-type".to_owned(), b"application/JSON".to_vec()), ("x-a".to_owned(), b"1".to_vec())],
        body: body.as_bytes().to_vec(),
        body_truncated: false,
        n_redirects: 0,
    };
    observation(Ok(Seen::Http(seen)))
}

fn observation(seen: Result<Seen, Failure>) -> Observation {
    Observation {
        timings: Timings { total: Duration::from_millis(120), ..Timings::default() },
        remote: None,
        seen,
        certificate: None,
        failed_addresses: Vec::new(),
        transcript: Transcript::default(),
    }
}

/// Compares `outcome: sentence`.
#[track_caller]
fn assert_judged(expect: Expectation, observation: Observation, expected: &str) {
    let result = judge(&monitor(expect), observation, UnixMillis(0));
    let sentence = result.failure.map_or_else(String::new, |failure| format!(": {failure}"));
    assert_eq!(format!("{}{sentence}", result.outcome.word()), expected);
}

fn json(path: &str, is: JsonTest) -> Expectation {
    let compiled = serde_json_path::JsonPath::parse(path).expect("a path");
    Expectation { json: vec![JsonExpect { path: JsonPath { text: path.to_owned(), path: compiled }, is }], ..Expectation::default() }
}

fn pattern(text: &str) -> Pattern {
    Pattern(regex::bytes::Regex::new(text).expect("a pattern"))
}

#[test]
fn status_is_2xx_unless_written() {
    assert_judged(Expectation::default(), http(204, ""), "up");
    assert_judged(Expectation::default(), http(500, "oops"), "down: status 500 instead of 2xx");
    let written = Expectation { status: vec![StatusRange(200..=200), StatusRange(300..=399)], ..Expectation::default() };
    assert_judged(written.clone(), http(301, ""), "up");
    assert_judged(written, http(404, ""), "down: status 404 instead of 200, 3xx");
}

#[test]
fn trouble_on_the_way_is_down_and_our_own_is_unknown() {
    let dns = Failure::Dns { name: "a.example".to_owned(), kind: DnsFailure::NoSuchName };
    assert_judged(Expectation::default(), observation(Err(dns)), "down: the name `a.example` does not exist (NXDOMAIN)");
    let own = Failure::Own(OwnTrouble::NoDescriptors);
    let said = "unknown: not checked: vigilmon has no file descriptor left (raise LimitNOFILE)";
    assert_judged(Expectation::default(), observation(Err(own)), said);
}

#[test]
fn bodies_are_searched() {
    let contains = |text: &str| Expectation { body_contains: vec![text.to_owned()], ..Expectation::default() };
    assert_judged(contains("\"status\":\"ok\""), http(200, "{\"status\":\"ok\"}"), "up");
    let said = "down: the body does not contain `ok`; it begins with `<html> no </html>`";
    assert_judged(contains("ok"), http(200, "<html>\n no </html>"), said);
    assert_judged(contains("ok"), http(200, ""), "down: the body does not contain `ok`; the body is empty");
    let excludes = Expectation { body_excludes: vec!["error".to_owned()], ..Expectation::default() };
    assert_judged(excludes, http(200, "an error"), "down: the body contains `error`, which it should not");
    let matches = Expectation { body_matches: vec![pattern("v[0-9]+")], ..Expectation::default() };
    assert_judged(matches.clone(), http(200, "v12"), "up");
    assert_judged(matches, http(200, "w"), "down: the body does not match `v[0-9]+`; it begins with `w`");
}

#[test]
fn headers_are_compared() {
    let header = |name: &str, is| Expectation { headers: vec![HeaderExpect { name: name.to_owned(), is }], ..Expectation::default() };
    assert_judged(header("content-type", HeaderTest::Contains("json".to_owned())), http(200, ""), "up");
    assert_judged(header("x-b", HeaderTest::Exists(false)), http(200, ""), "up");
    assert_judged(header("x-b", HeaderTest::Exists(true)), http(200, ""), "down: the header `x-b` is missing");
    assert_judged(header("x-a", HeaderTest::Equals("2".to_owned())), http(200, ""), "down: the header `x-a` is `1` and should equal `2`");
}

#[test]
fn json_values_are_compared() {
    let body = r#"{"status":"ok","n":2.0,"list":["a","b"],"deep":{"x":[1,2,3]}}"#;
    let up = [
        ("$.status", JsonTest::Equals("ok".into())),
        ("$.n", JsonTest::Equals(2.into())),
        ("$.n", JsonTest::Number(Comparison::GreaterOrEqual, 2.0)),
        ("$.list", JsonTest::Length(Comparison::Equal, 2)),
        ("$.list", JsonTest::Contains("b".to_owned())),
        ("$.deep.x[*]", JsonTest::Number(Comparison::Less, 4.0)),
        ("$.deep.x[*]", JsonTest::Length(Comparison::Equal, 3)),
        ("$.gone", JsonTest::Exists(false)),
        ("$.status", JsonTest::Matches(pattern("^o"))),
        ("$.status", JsonTest::NotEquals("bad".into())),
    ];
    for (path, test) in up {
        assert_judged(json(path, test), http(200, body), "up");
    }
    assert_judged(json("$.status", JsonTest::Equals("up".into())), http(200, body), "down: `$.status` is `\"ok\"` and should be `\"up\"`");
    assert_judged(json("$.gone", JsonTest::Equals(1.into())), http(200, body), "down: `$.gone` is missing");
    assert_judged(
        json("$.deep.x[*]", JsonTest::Number(Comparison::Less, 3.0)),
        http(200, body),
        "down: `$.deep.x[*]` is `3` and should be < 3",
    );
    let not_json = judge(&monitor(json("$.a", JsonTest::Exists(true))), http(200, "<html>"), UnixMillis(0));
    assert!(not_json.failure.expect("not json").to_string().starts_with("the body is not JSON: "));
}

#[test]
fn one_alternative_is_enough() {
    let any = Expectation {
        status: vec![StatusRange(200..=299), StatusRange(503..=503)],
        any: vec![
            Expectation { status: vec![StatusRange(204..=204)], ..Expectation::default() },
            Expectation { body_contains: vec!["maintenance".to_owned()], ..Expectation::default() },
        ],
        ..Expectation::default()
    };
    assert_judged(any.clone(), http(204, ""), "up");
    assert_judged(any.clone(), http(503, "in maintenance"), "up");
    let said =
        "down: none of the alternatives holds: status 200 instead of 204; the body does not contain `maintenance`; it begins with `hi`";
    assert_judged(any, http(200, "hi"), said);
}

#[test]
fn alternatives_about_the_status_take_the_place_of_the_default() {
    let any =
        Expectation { any: vec![Expectation { status: vec![StatusRange(503..=503)], ..Expectation::default() }], ..Expectation::default() };
    assert_judged(any.clone(), http(503, ""), "up");
    assert_judged(any, http(200, ""), "down: none of the alternatives holds: status 200 instead of 503");
}

#[test]
fn slow_is_degraded_and_very_slow_is_down() {
    let limits = |degraded, down| Expectation {
        response_time: ResponseTime { degraded: Some(Duration::from_millis(degraded)), down: Some(Duration::from_millis(down)) },
        ..Expectation::default()
    };
    assert_judged(limits(200, 300), http(200, ""), "up");
    assert_judged(limits(100, 300), http(200, ""), "degraded: answered after 120 ms, slower than 100 ms");
    assert_judged(limits(50, 110), http(200, ""), "down: answered after 120 ms, slower than 110 ms");
    assert_judged(limits(50, 110), http(404, ""), "down: status 404 instead of 2xx");
}

#[test]
fn certificates_that_end_soon_are_told() {
    let with = |days: i64| {
        let mut seen = http(200, "");
        seen.certificate = Some(Certificate {
            subject: "a".to_owned(),
            issuer: "b".to_owned(),
            not_before: UnixMillis(0),
            not_after: UnixMillis(days * DAY_MS + 1),
            names: Vec::new(),
        });
        seen
    };
    let day = Duration::from_secs(86_400);
    let expect = Expectation {
        certificate: Some(CertificateDays { degraded: Some(day * 21), down: Some(day * 3), warn: Vec::new() }),
        ..Expectation::default()
    };
    assert_judged(expect.clone(), with(30), "up");
    assert_judged(expect.clone(), with(20), "degraded: the certificate for a ends in 20 days (1970-01-21T00:00:00Z)");
    assert_judged(expect, with(2), "down: the certificate for a ends in 2 days (1970-01-03T00:00:00Z)");
    assert_judged(Expectation::default(), with(2), "up");
}

#[test]
fn a_failing_address_among_good_ones_is_degraded() {
    let mut seen = http(200, "");
    seen.failed_addresses = vec![("::1".parse().expect("an address"), Failure::Refused { at: "[::1]:80".to_owned() })];
    let said = "degraded: some addresses fail: ::1: connection refused by [::1]:80: nothing listens on this port";
    assert_judged(Expectation::default(), seen, said);
}
