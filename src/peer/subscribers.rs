//! What a node knows of subscribers of status pages, in the form in which it answers the question `subscribers`. Pure.
//!
//! They are asked for over the links and not told by gossip: they are addresses of people, many, and change with every message that is sent.
//! What comes back was written by another machine: here everything is checked that can be without the config, and what is not in order is left
//! out, one by one.

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;

use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::subscription::ADDRESS_CHARS_MAX;
use crate::model::subscription::SharedRow;
use crate::model::subscription::SharedSubscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::time::UnixMillis;
use crate::peer::port::Ask;
use crate::store::SHARED_ROWS_MAX;
use crate::store::SHARED_TOLD_MAX;
use crate::store::SharedPart;

/// The word of the question.
pub const ABOUT: &str = "subscribers";

/// Longest name that is believed: ours have 22 characters.
const NAME_CHARS_MAX: usize = 64;

/// Longest key of a piece of news: ours have less than 100 characters.
const KEY_CHARS_MAX: usize = 200;

/// Longest name of a run.
const RUN_CHARS_MAX: usize = 100;

/// What a node answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribers {
    /// In which run its changes are counted; in another one they are counted anew.
    pub run: String,
    /// The rest of it.
    pub part: SharedPart,
    /// So much of it was not in order and is left out.
    pub n_bad: usize,
}

#[derive(Serialize, Deserialize)]
struct Question {
    after: i64,
}

#[derive(Serialize)]
struct AnswerBody<'a> {
    run: &'a str,
    to: i64,
    more: bool,
    rows: Vec<RowBody>,
    gone: Vec<(&'a str, i64)>,
}

/// As it is read: what is in a row may be anything.
#[derive(Deserialize)]
struct Heard {
    run: String,
    to: i64,
    more: bool,
    rows: Vec<serde_json::Value>,
    gone: Vec<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct RowBody {
    name: String,
    home: String,
    page: String,
    way: String,
    address: String,
    language: String,
    asked_at: i64,
    is_asked: bool,
    n_asked: u32,
    confirmed_at: Option<i64>,
    told: Vec<(String, i64)>,
}

/// The question for what has changed after this number.
#[must_use]
pub fn ask(after: i64) -> Ask {
    // A number in an object: this cannot fail.
    Ask { about: ABOUT.to_owned(), body: Bytes::from(serde_json::to_vec(&Question { after }).unwrap_or_default()) }
}

/// The number in a question.
///
/// # Errors
/// It is none.
pub fn after(ask: &Ask) -> Result<i64, String> {
    serde_json::from_slice::<Question>(&ask.body).map(|question| question.after).map_err(|error| format!("that is no question: {error}"))
}

/// The answer.
///
/// # Errors
/// It cannot be written.
pub fn encode(run: &str, part: &SharedPart) -> Result<Bytes, String> {
    let row = |row: &SharedRow| {
        let one = &row.subscriber;
        RowBody {
            name: one.name.clone(),
            home: one.home.to_string(),
            page: one.page.to_string(),
            way: one.way.word().to_owned(),
            address: one.address.clone(),
            language: one.language.code().to_owned(),
            asked_at: one.asked_at.0,
            is_asked: one.is_asked,
            n_asked: one.n_asked,
            confirmed_at: one.confirmed_at.map(|at| at.0),
            told: row.told.iter().map(|(key, at)| (key.clone(), at.0)).collect(),
        }
    };
    let body = AnswerBody {
        run,
        to: part.to,
        more: part.has_more,
        rows: part.rows.iter().map(row).collect(),
        gone: part.gone.iter().map(|(name, at)| (name.as_str(), at.0)).collect(),
    };
    serde_json::to_vec(&body).map(Bytes::from).map_err(|error| error.to_string())
}

/// Reads an answer. Whether the addresses are such that may be told is for whoever knows what pages offer.
///
/// # Errors
/// It is none of ours, in one sentence.
pub fn decode(bytes: &[u8]) -> Result<Subscribers, String> {
    let heard: Heard = serde_json::from_slice(bytes).map_err(|error| format!("that is no answer: {error}"))?;
    if RUN_CHARS_MAX < heard.run.len() {
        return Err("that is no answer: its run is too long".to_owned());
    }
    let n = heard.rows.len() + heard.gone.len();
    if SHARED_ROWS_MAX < n {
        return Err(format!("that is no answer: it has {n} rows"));
    }
    let rows: Vec<SharedRow> = heard.rows.into_iter().filter_map(row).collect();
    let gone: Vec<(String, UnixMillis)> = heard.gone.into_iter().filter_map(gone).collect();
    let n_bad = n - rows.len() - gone.len();
    Ok(Subscribers { run: heard.run, part: SharedPart { to: heard.to, has_more: heard.more, rows, gone }, n_bad })
}

fn is_name(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.chars().all(is_fine)
}

fn gone(value: serde_json::Value) -> Option<(String, UnixMillis)> {
    let (name, at): (String, i64) = serde_json::from_value(value).ok()?;
    is_name(&name).then_some((name, UnixMillis(at)))
}

fn row(value: serde_json::Value) -> Option<SharedRow> {
    let body: RowBody = serde_json::from_value(value).ok()?;
    let is_key = |key: &str| !key.is_empty() && key.len() <= KEY_CHARS_MAX && !key.chars().any(char::is_control);
    let told = body.told.into_iter().filter(|(key, _)| is_key(key)).take(SHARED_TOLD_MAX).map(|(key, at)| (key, UnixMillis(at))).collect();
    if !is_name(&body.name) || body.address.is_empty() || ADDRESS_CHARS_MAX < body.address.len() {
        return None;
    }
    let subscriber = SharedSubscriber {
        name: body.name,
        home: NodeName::parse(&body.home).ok()?,
        page: PageSlug::parse(&body.page).ok()?,
        way: SubscriberWay::of_word(&body.way)?,
        address: body.address,
        language: Language::ALL.into_iter().find(|known| known.code() == body.language)?,
        asked_at: UnixMillis(body.asked_at),
        is_asked: body.is_asked,
        n_asked: body.n_asked,
        confirmed_at: body.confirmed_at.map(UnixMillis),
    };
    Some(SharedRow { subscriber, told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part() -> SharedPart {
        let subscriber = SharedSubscriber {
            name: "x4Gf_-93kd".to_owned(),
            home: NodeName::parse("eu").expect("a name"),
            page: PageSlug::parse("main").expect("a slug"),
            way: SubscriberWay::Mail,
            address: "jo@example.org".to_owned(),
            language: Language::German,
            asked_at: UnixMillis(7),
            is_asked: true,
            n_asked: 1,
            confirmed_at: Some(UnixMillis(8)),
        };
        let row = SharedRow { subscriber, told: vec![("began k1".to_owned(), UnixMillis(9))] };
        SharedPart { to: 12, has_more: true, rows: vec![row], gone: vec![("another".to_owned(), UnixMillis(5))] }
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let bytes = encode("1.0", &part()).expect("JSON");
        assert_eq!(decode(&bytes), Ok(Subscribers { run: "1.0".to_owned(), part: part(), n_bad: 0 }));
        assert_eq!((after(&ask(41)), after(&Ask { body: Bytes::from_static(b"{}"), ..ask(1) }).is_err()), (Ok(41), true));
    }

    #[test]
    fn what_is_not_in_order_is_left_out_one_by_one() {
        let good: serde_json::Value = serde_json::from_slice(&encode("1.0", &part()).expect("JSON")).expect("JSON");
        for (field, value) in [
            ("name", json!("")),
            ("name", json!("a/b")),
            ("name", json!("a".repeat(65))),
            ("home", json!("")),
            ("home", json!("Not A Node")),
            ("page", json!("../x")),
            ("way", json!("pigeon")),
            ("address", json!("")),
            ("address", json!("a".repeat(ADDRESS_CHARS_MAX + 1))),
            ("language", json!("tlh")),
            ("asked_at", json!("noon")),
            ("n_asked", json!(-1)),
            ("told", json!([["k"]])),
        ] {
            let mut answer = good.clone();
            let mut bad = answer["rows"][0].clone();
            bad[field] = value.clone();
            answer["rows"].as_array_mut().expect("rows").insert(0, bad);
            let heard = decode(answer.to_string().as_bytes()).expect("an answer");
            assert_eq!((heard.part, heard.n_bad), (part(), 1), "{field}: {value}");
        }
        let mut answer = good.clone();
        answer["gone"] = json!([["a b", 1], ["another", 5], 7, ["", 1]]);
        answer["rows"][0]["told"] = json!([["", 1], ["began k1", 9], ["a\u{0}", 1], ["k".repeat(201), 1]]);
        let heard = decode(answer.to_string().as_bytes()).expect("an answer");
        assert_eq!((heard.part, heard.n_bad), (part(), 3));
        answer["rows"] = json!(vec![7; SHARED_ROWS_MAX]);
        assert!(decode(answer.to_string().as_bytes()).is_err(), "more than anybody answers");
        assert!(decode(b"{}").is_err() && decode(b"\xff").is_err());
    }
}
