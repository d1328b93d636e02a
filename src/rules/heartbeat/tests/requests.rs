//! What requests mean.

use super::*;
use crate::model::heartbeat::Keywords;
use crate::model::heartbeat::Otherwise;
use crate::model::ping::Ignored;
use crate::model::ping::Meaning;

fn words(failure: &[&str], success: &[&str], start: &[&str], otherwise: Otherwise) -> Heartbeat {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Heartbeat { keywords: Some(Keywords { failure: owned(failure), success: owned(success), start: owned(start), otherwise }), ..base() }
}

#[track_caller]
fn assert_means(beat: &Heartbeat, rows: &[(&[u8], Meaning)]) {
    for (body, expected) in rows {
        let request = Received { method: Method::Post, said: Said::Kind(Success), body, is_held: false };
        assert_eq!(classify(beat, request), *expected, "{:?}", String::from_utf8_lossy(body));
    }
}

const NONE: Meaning = Meaning::Ignored(Ignored::NoKeyword);

#[test]
fn f02_to_f06_keywords_decide_in_their_order() {
    assert_means(
        &words(&[], &["SUCCESS"], &[], Otherwise::Ignore),
        &[(b"SUCCESS!", Meaning::Ping(Success)), (b"hello", NONE), (b"success", NONE)],
    );
    assert_means(
        &words(&["ERR"], &["OK"], &["GO"], Otherwise::Ignore),
        &[(b"GO OK but ERR", Meaning::Ping(Fail)), (b"GO OK", Meaning::Ping(Success)), (b"GO", Meaning::Ping(Start))],
    );
    assert_means(&words(&[], &["SUCCESS"], &[], Otherwise::Fail), &[(b"no keywords", Meaning::Ping(Fail)), (b"", Meaning::Ping(Fail))]);
    let accented = words(&[], &["\u{e9}t\u{e9}"], &[], Otherwise::Ignore);
    assert_means(&accented, &[(&[0xe9], NONE), (b"\xc3\xa9t\xc3", NONE), (b"\xff\xc3\xa9t\xc3\xa9\xc3", Meaning::Ping(Success))]);
}

#[test]
fn f01_and_f08_methods_and_pauses_come_before_all() {
    let post = Heartbeat { methods: Methods::Post, ..words(&["ERR"], &[], &[], Otherwise::Fail) };
    let request = Received { method: Method::Other, said: Said::Exit(7), body: b"ERR", is_held: false };
    assert_eq!(classify(&post, request), Meaning::Ignored(Ignored::Method));
    assert_eq!(classify(&post, Received { is_held: true, ..request }), Meaning::Ignored(Ignored::Held));
    assert_eq!(classify(&base(), request), Meaning::Ping(Fail));
    assert_eq!(classify(&base(), Received { said: Said::Exit(0), ..request }), Meaning::Ping(Success));
    assert_eq!(classify(&base(), Received { said: Said::Kind(Log), ..request }), Meaning::Ping(Log));
}

#[test]
fn keywords_without_words_are_a_problem() {
    for bad in [words(&[], &[], &[], Otherwise::Fail), words(&["ERR", ""], &[], &[], Otherwise::Ignore)] {
        assert_eq!(bad.problems().first().map(|(key, _)| *key), Some("keywords"));
    }
}
