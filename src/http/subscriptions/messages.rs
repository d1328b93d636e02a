//! How news read: as a letter to people in the language they signed up in, and as JSON to programs. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::http::random::digest;
use crate::http::subscriptions::news::Told;
use crate::http::subscriptions::news::kind_of;
use crate::http::subscriptions::news::lane_of;
use crate::http::subscriptions::news::state_of;
use crate::model::id::PageSlug;
use crate::model::page::StatusPage;
use crate::model::subscription::Subscriber;
use crate::notifier::request::Request;
use crate::notifier::shorten::fit;
use crate::store::Errand;
use crate::ui::language::Phrases;
use crate::ui::language::phrases;
use crate::ui::language::subscribing::subscribing;

/// Bytes of one line of a letter: an update is a thousand characters at most, some of them of four bytes.
const LINE_BYTES_MAX: usize = 4_000;

/// Services that are named of a maintenance window; the page lists all of them.
const SERVICES_MAX: usize = 10;

/// Addresses in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Of the status page.
    pub page: String,
    /// Where the subscription is confirmed and ended.
    pub subscription: String,
}

impl Addresses {
    /// Of a page and a subscription to it. `base` is what addresses of this instance begin with, as others reach it.
    #[must_use]
    pub fn new(base: &str, page: &PageSlug, token: &str) -> Addresses {
        Addresses { page: format!("{base}/status/{page}"), subscription: format!("{base}/subscription/{token}") }
    }
}

/// A letter without its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// In one line.
    pub subject: String,
    /// What it says.
    pub text: String,
}

/// The letter that asks whether it was meant.
#[must_use]
pub fn question(page: &StatusPage, to: &Subscriber, addresses: &Addresses) -> Written {
    let (s, name) = (subscribing(to.language), fit(&page.title, LINE_BYTES_MAX));
    let text = format!("{}\n\n{}\n\n{}\n", (s.asked_before)(&name), addresses.subscription, s.asked_after);
    Written { subject: (s.asked_subject)(&name), text }
}

/// The letter that tells news.
#[must_use]
pub fn letter(page: &StatusPage, errand: &Errand, addresses: &Addresses) -> Written {
    let (p, s) = (phrases(errand.to.language), subscribing(errand.to.language));
    let (told, name) = (told(errand), fit(&page.title, LINE_BYTES_MAX));
    let subject = match &told[..] {
        [one] => format!("[{name}] {}", title(one, p)),
        all => (s.n_news)(&name, all.len()),
    };
    let mut text = String::new();
    for item in &told {
        text.push_str(&format!("{}\n", fit(&title(item, p), LINE_BYTES_MAX)));
        for line in lines(item, p) {
            text.push_str(&format!("{}\n", fit(&line, LINE_BYTES_MAX)));
        }
        text.push('\n');
    }
    text.push_str(&format!("{}\n\n-- \n{}\n{}\n", addresses.page, (s.why_you)(&name), addresses.subscription));
    Written { subject, text }
}

/// News that can be read. What another version wrote differently is left out rather than holding up what comes after it.
fn told(errand: &Errand) -> Vec<Told> {
    errand.news.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect()
}

fn title(told: &Told, p: &Phrases) -> String {
    match told {
        Told::IncidentBegan { service, kind, .. } => format!("{}{}{service}", (p.lane)(lane_of(kind)), p.colon),
        Told::IncidentEnded { service, kind, .. } => format!("{}{}{service} – {}", (p.lane)(lane_of(kind)), p.colon, p.over),
        Told::Update { about, state, .. } => format!("{}{}{about}", (p.update_state)(state_of(state)), p.colon),
        Told::Announcement { kind, .. } => (p.announcement)(kind_of(kind)).to_owned(),
        Told::MaintenanceBegan { name, .. } => format!("{}{}{name}", p.maintenance, p.colon),
    }
}

fn lines(told: &Told, p: &Phrases) -> Vec<String> {
    match told {
        Told::IncidentBegan { began_at, regions, cause, .. } => {
            let from = (!regions.is_empty()).then(|| (p.failing_from)(&regions.join(p.comma)));
            [utc(began_at)].into_iter().chain(from).chain(cause.clone()).collect()
        }
        Told::IncidentEnded { ended_at, lasted_s, .. } => vec![utc(ended_at), (p.lasted)(&p.span(Duration::from_secs(*lasted_s)))],
        Told::Update { text, at, .. } | Told::Announcement { text, at, .. } => {
            [utc(at)].into_iter().chain(text.lines().map(ToOwned::to_owned)).collect()
        }
        Told::MaintenanceBegan { message, from, to, services, .. } => {
            let named: Vec<&str> = services.iter().take(SERVICES_MAX).map(String::as_str).collect();
            let affects = (p.affects)(&named.join(p.comma), services.len().saturating_sub(SERVICES_MAX));
            let when = format!("{}{}{}", utc(from), p.until, utc(to));
            let message = message.iter().flat_map(|text| text.lines()).map(ToOwned::to_owned);
            [when, affects].into_iter().chain(message).collect()
        }
    }
}

/// `2026-06-30 10:23:00 UTC`: nobody knows the zone of who reads a letter.
fn utc(at: &str) -> String {
    at.replace('T', " ").replace('Z', " UTC")
}

#[derive(Debug, Serialize)]
struct PageBody<'a> {
    slug: &'a str,
    title: &'a str,
    url: &'a str,
}

/// What a program gets. Wire type: a promise to those who read it.
#[derive(Debug, Serialize)]
struct NewsBody<'a> {
    event: &'static str,
    page: PageBody<'a>,
    news: Vec<Told>,
    /// The form `do=leave`, sent there by POST, ends the subscription.
    unsubscribe: &'a str,
}

#[derive(Debug, Serialize)]
struct ChallengeBody<'a> {
    event: &'static str,
    page: PageBody<'a>,
    /// To be sent back.
    challenge: &'a str,
    /// Where the subscription can be ended later.
    unsubscribe: &'a str,
}

fn request(to: &Subscriber, body: &impl Serialize, key: String) -> Request {
    Request::json("POST", to.address.as_str(), &serde_json::to_value(body).unwrap_or_default()).with("idempotency-key", key)
}

fn page_body<'a>(page: &'a StatusPage, addresses: &'a Addresses) -> PageBody<'a> {
    PageBody { slug: page.slug.as_str(), title: &page.title, url: &addresses.page }
}

/// What a program has to send back. Follows from its name, and does not give it away.
fn challenge_of(to: &Subscriber) -> String {
    data_encoding::HEXLOWER.encode(&digest(&[b"challenge to a subscriber", to.name.as_bytes()])[..20])
}

/// The request that asks a program whether it was meant.
#[must_use]
pub fn challenge(page: &StatusPage, to: &Subscriber, addresses: &Addresses) -> Request {
    let challenge = challenge_of(to);
    let unsubscribe = &addresses.subscription;
    let body = ChallengeBody { event: "challenge", page: page_body(page, addresses), challenge: &challenge, unsubscribe };
    request(to, &body, challenge.clone())
}

/// Whether the answer to it is the one that only who read it can give: the challenge alone, or in JSON under its name.
#[must_use]
pub fn is_echo(to: &Subscriber, body: &[u8]) -> bool {
    let expected = challenge_of(to);
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let text = text.trim();
    // Whoever sends everything back that comes has understood nothing, and did not ask for anything.
    let is_answer = |json: serde_json::Value| json["challenge"] == expected.as_str() && json.as_object().is_some_and(|all| all.len() == 1);
    text == expected || serde_json::from_str(text).is_ok_and(is_answer)
}

/// The request that tells a program news.
#[must_use]
pub fn news(page: &StatusPage, errand: &Errand, addresses: &Addresses) -> Request {
    let body = NewsBody { event: "news", page: page_body(page, addresses), news: told(errand), unsubscribe: &addresses.subscription };
    request(&errand.to, &body, key(errand))
}

/// The same at every attempt to tell the same to the same subscriber, from whichever node, and in no other message.
#[must_use]
pub fn key(errand: &Errand) -> String {
    let (name, asked_at) = (errand.to.name.as_bytes(), errand.to.asked_at.0.to_be_bytes());
    let mut parts: Vec<&[u8]> = if errand.news.is_empty() { vec![b"question", name, &asked_at] } else { vec![b"news", name] };
    if !errand.news.is_empty() {
        parts.extend(errand.keys.iter().map(String::as_bytes));
    }
    data_encoding::HEXLOWER.encode(&digest(&parts)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::public::Bulletin;
    use crate::http::subscriptions::news;
    use crate::http::tests::world;
    use crate::model::incident::Lane;
    use crate::model::page::Language;
    use crate::model::page::Visibility;
    use crate::model::subscription::SubscriberWay;
    use crate::model::time::UnixMillis;
    use crate::model::update::UpdateState;
    use crate::ui::component::updates::UpdateView;
    use crate::ui::page::status::PublicIncident;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

    fn subscriber(way: SubscriberWay, language: Language) -> Subscriber {
        Subscriber {
            id: 1,
            name: "secret-name".to_owned(),
            page: PageSlug::parse("main").expect("a slug"),
            way,
            address: "https://hooks.example.com/x".to_owned(),
            language,
            asked_at: NOON,
            confirmed_at: Some(NOON),
            home: None,
        }
    }

    fn errand(name: &str, text: &str, language: Language) -> Errand {
        let incident = PublicIncident {
            key: "k1".to_owned(),
            service: name.to_owned(),
            lane: Lane::Outage,
            opened_at: NOON,
            closed_at: Some(NOON + Duration::from_secs(90)),
            cause: None,
            diagnosis: None,
            regions: vec!["eu-west".to_owned()],
            updates: vec![UpdateView { state: UpdateState::Identified, text: text.to_owned(), at: NOON + Duration::from_secs(30) }],
            postmortem: None,
        };
        let bulletin = Bulletin { closed: vec![incident], ..Bulletin::default() };
        let rows = news::of(&bulletin, NOON + Duration::from_secs(90));
        let keys = rows.iter().map(|row| row.key.clone()).collect();
        Errand { to: subscriber(SubscriberWay::Mail, language), news: rows, keys, n_failed: 0, n_refused: 0 }
    }

    fn addresses() -> Addresses {
        Addresses::new("https://status.example.com/base", &PageSlug::parse("main").expect("a slug"), "secret-token")
    }

    #[test]
    fn a_letter_tells_what_happened_in_order_and_how_to_end_it() {
        let page = world::page("main", Visibility::Public, &[]);
        let written = letter(&page, &errand("Shop", "A *cable*.\nWe are on it.", Language::English), &addresses());
        assert_eq!(written.subject, "Status of main: 3 updates");
        assert_eq!(
            written.text,
            "Outage: Shop\n2026-06-30 12:00:00 UTC\nFailing from eu-west\n\nIdentified: Shop\n2026-06-30 12:00:30 UTC\nA *cable*.\nWe are on it.\n\n\
             Outage: Shop – over\n2026-06-30 12:01:30 UTC\nlasted 1 min\n\nhttps://status.example.com/base/status/main\n\n-- \n\
             You get this because you subscribed to “Status of main”. To end that:\nhttps://status.example.com/base/subscription/secret-token\n"
        );
        let mut one = errand("Shop", "", Language::German);
        one.news.truncate(1);
        assert_eq!(letter(&page, &one, &addresses()).subject, "[Status of main] Ausfall: Shop");
    }

    #[test]
    fn hostile_names_and_texts_forge_no_line_and_turn_nothing_around() {
        let page = world::page("main", Visibility::Public, &[]);
        let evil = "x\u{202e}\r\n-- \nhttps://evil.example/\u{0007}";
        for language in Language::ALL {
            let written = letter(&page, &errand(evil, "fine", language), &addresses());
            assert!(written.text.lines().all(|line| line != "https://evil.example/"), "{}", written.text);
            assert!(!written.text.chars().any(|c| c != '\n' && crate::model::id::is_deceptive(c)), "{}", written.text);
        }
        let request = news(&page, &errand(evil, evil, Language::English), &addresses());
        let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        assert_eq!(body["news"][0]["service"], evil, "data is data");
    }

    #[test]
    fn a_program_proves_itself_by_the_challenge_alone() {
        let page = world::page("main", Visibility::Public, &[]);
        let to = subscriber(SubscriberWay::Hook, Language::English);
        let request = challenge(&page, &to, &addresses());
        let asked: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        let value = asked["challenge"].as_str().expect("a challenge");
        assert!(!value.contains("secret-") && asked["event"] == "challenge");
        assert!(is_echo(&to, format!(" {value}\n").as_bytes()));
        assert!(is_echo(&to, serde_json::json!({ "challenge": value }).to_string().as_bytes()));
        for none in ["", "ok", "{}", "\u{0}", &request.body, &format!("{value}{value}"), "[1]"] {
            assert!(!is_echo(&to, none.as_bytes()), "{none}");
        }
        assert!(!is_echo(&to, &[0xff, 0xfe]));
        let other = Subscriber { name: "another".to_owned(), ..to };
        assert!(!is_echo(&other, value.as_bytes()));
    }

    #[test]
    fn keys_are_of_what_is_told_to_whom() {
        let one = errand("Shop", "", Language::English);
        let mut next = one.clone();
        next.keys.remove(0);
        let mut other = one.clone();
        other.to.name = "another".to_owned();
        let question = Errand { news: Vec::new(), ..one.clone() };
        let keys: std::collections::BTreeSet<String> = [&one, &next, &other, &question].into_iter().map(key).collect();
        assert_eq!((keys.len(), key(&one)), (4, key(&one.clone())));
        // What is left of it after a part was taken back, and what another node kept under other numbers.
        let mut rest = one.clone();
        rest.news.pop();
        rest.to.id = 99;
        assert_eq!(key(&rest), key(&one));
    }
}
