//! Subscribing to a status page, and leaving. What is told is in [`news`], how it reads in [`messages`], and who sends it in [`herald`]. With
//! peers all of it can be done at any node: [`exchange`] lets every node know all subscribers.
//!
//! Nobody learns here whether an address is known: the answer is the same, and what follows from it is sent to the address and nowhere else.
//! Nor does anybody learn what answers at an address: it is asked later, and what it says is shown to nobody.

pub mod exchange;
pub mod herald;
pub mod messages;
pub mod news;

#[cfg(test)]
mod nodes_tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::net::Ipv6Addr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header;
use maud::Markup;
use serde::Serialize;
use url::Host;
use url::Url;

use crate::engine::snapshot::Snapshot;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::heartbeat::misses::Misses;
use crate::http::limits::BUCKETS_MAX;
use crate::http::pages::language_of;
use crate::http::public;
use crate::http::random;
use crate::http::random::digest;
use crate::http::visit::Visit;
use crate::model::id::PageSlug;
use crate::model::page::DarkMode;
use crate::model::page::Language;
use crate::model::page::StatusPage;
use crate::model::secret::Secret;
use crate::model::subscription::ADDRESS_CHARS_MAX;
use crate::model::subscription::Subscriber;
use crate::model::subscription::SubscriberWay;
use crate::model::subscription::Subscriptions;
use crate::model::time::Mono;
use crate::model::time::UnixMillis;
use crate::notifier::dns::may_be_told;
use crate::notifier::letter::mailbox;
use crate::notifier::signed::SubscriptionKeys;
use crate::store::SignUp;
use crate::store::SignUpLimits;
use crate::store::SignedUp;
use crate::store::Store;
use crate::ui::language::subscribing::subscribing;
use crate::ui::language::wished;
use crate::ui::page::subscribe;
use crate::ui::page::subscribe::Around;
use crate::ui::page::subscribe::Look;
use crate::ui::page::subscribe::SignUpView;

/// Sign-ups from one address within [`WINDOW`]: a family behind one connection, and too few to annoy a list of people with letters.
const SIGN_UPS_OF_ONE: u32 = 10;

/// Sign-ups of all within [`WINDOW`]. Each may send a letter in the name of the operators, to an address that a stranger typed; a mail server
/// that sends more of them an hour gets a bad name.
const SIGN_UPS_OF_ALL: u32 = 200;

const WINDOW: Duration = Duration::from_secs(3600);

/// Subscribers of a page who have not confirmed, at most: they are forgotten after a day.
const UNCONFIRMED_MAX: u32 = 500;

/// Letters that ask the same address whether it was meant.
const ASKED_MAX: u32 = 3;

/// Between two of them, at one page: whoever waits for a slow mail server and presses the button again gets one letter.
const LETTER_AGAIN_AFTER: Duration = Duration::from_secs(2 * 3600);

/// Between two requests that ask a program: whoever writes it tries until it answers as it should.
const REQUEST_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Sign-ups of one mailbox within [`MAILBOX_WINDOW`], at all pages together and however it is spelled: nobody's mail can be filled with our
/// questions by typing their address again and again.
const SIGN_UPS_OF_MAILBOX: u32 = 6;

const MAILBOX_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Ports from here on are for programs of anybody; of those below, strangers may name 80 and 443.
const PORTS_FROM: u16 = 1024;

/// How long an address waits that came with many links that are none.
const MISSES_WAIT: Duration = Duration::from_secs(60);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The forms to sign up at a page.
    Forms(PageSlug),
    /// Signing up.
    SignUp(PageSlug),
    /// The button of a link in a message.
    Open(String),
    /// Using that link.
    Use(String),
}

/// A subscriber, for operators. Wire type of the control socket.
#[derive(Debug, Serialize)]
struct SubscriberBody {
    page: String,
    by: &'static str,
    address: String,
    language: &'static str,
    signed_up_at: String,
    confirmed_at: Option<String>,
    /// The node at which it signed up; left out when there were no peers then.
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<String>,
}

/// All of them. Wire type of the control socket.
#[derive(Debug, Serialize)]
pub struct SubscribersBody {
    subscribers: Vec<SubscriberBody>,
}

/// How often an address was there that is now forgotten. Wire type of the control socket.
#[derive(Debug, Serialize)]
pub struct ForgottenBody {
    removed: usize,
}

/// What subscriptions work with.
#[derive(Debug)]
pub struct Subscribing {
    store: Store,
    /// The instance's, which addresses of subscriptions follow from.
    secret: Secret,
    gate: Gate,
    mailboxes: Mailboxes,
    misses: Misses,
}

impl Subscribing {
    /// On this store; `secret` is the instance's.
    #[must_use]
    pub fn new(store: Store, secret: Secret) -> Subscribing {
        Subscribing { store, secret, gate: Gate::default(), mailboxes: Mailboxes::default(), misses: Misses::default() }
    }

    /// Answers a visitor.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for pages that do not exist and pages that offer nothing alike; that there was too much of it, that the request
    /// asks for nothing that can be done, or that the database does not answer.
    pub async fn answer(&self, asked: &Asked, snapshot: &Snapshot, visit: &Visit) -> Result<Answer, Refusal> {
        match asked {
            Asked::Forms(slug) => Subscribing::forms(snapshot, visit, slug),
            Asked::SignUp(slug) => self.sign_up(snapshot, visit, slug).await,
            Asked::Open(token) => self.open(snapshot, visit, token).await,
            Asked::Use(token) => self.act(snapshot, visit, token).await,
        }
    }

    /// Who subscribed, for operators.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list(&self) -> Result<SubscribersBody, Refusal> {
        let all = self.store.subscribers().await.map_err(|error| Refusal::Internal(format!("cannot read subscribers: {error}")))?;
        let body = |one: Subscriber| SubscriberBody {
            page: one.page.to_string(),
            by: one.way.word(),
            address: one.address,
            language: one.language.code(),
            signed_up_at: one.asked_at.rfc3339(),
            confirmed_at: one.confirmed_at.map(UnixMillis::rfc3339),
            home: one.home.map(|home| home.to_string()),
        };
        Ok(SubscribersBody { subscribers: all.into_iter().map(body).collect() })
    }

    /// Forgets an address for operators, as `address` and `page` of the form say.
    ///
    /// # Errors
    /// There is no such page name, or the database does not answer.
    pub async fn forget(&self, visit: &Visit) -> Result<ForgottenBody, Refusal> {
        let address = visit.field("address").ok_or(Refusal::Bad("The form names no address."))?;
        let page = visit.field("page").map(PageSlug::parse).transpose().map_err(|bad| Refusal::Malformed(bad.to_string()))?;
        let removed = self.store.subscriber_forget(&as_kept(address), page.as_ref(), visit.now.wall).await.map_err(|_| Refusal::Busy)?;
        Ok(ForgottenBody { removed })
    }

    /// The forms to sign up at a page.
    fn forms(snapshot: &Snapshot, visit: &Visit, slug: &PageSlug) -> Result<Answer, Refusal> {
        let (page, offer) = offering(snapshot, slug).ok_or(Refusal::NotFound)?;
        let place = Place::new(page, visit);
        Ok(place.answer(StatusCode::OK, place.around(visit).sign_up(&place.view(offer, visit, None))))
    }

    async fn sign_up(&self, snapshot: &Snapshot, visit: &Visit, slug: &PageSlug) -> Result<Answer, Refusal> {
        let (page, offer) = offering(snapshot, slug).ok_or(Refusal::NotFound)?;
        let place = Place::new(page, visit);
        let words = subscribing(place.language);
        let complain = |status, text| place.answer(status, place.around(visit).sign_up(&place.view(offer, visit, Some(text))));
        if let Err(wait) = self.gate.enter(visit.client, visit.now.mono) {
            let refused = complain(StatusCode::TOO_MANY_REQUESTS, words.too_many);
            return Ok(answer::with(refused, header::RETRY_AFTER, &wait.as_secs().max(1).to_string()));
        }
        let asked = SubscriberWay::ALL.into_iter().filter(|way| offer.offers(*way)).find_map(|way| Some((way, visit.field(way.word())?)));
        let Some((way, address)) = asked.and_then(|(way, text)| Some((way, address_of(way, text, offer)?))) else {
            return Ok(complain(StatusCode::BAD_REQUEST, words.bad_address));
        };
        let (said, ask_again_after) = match way {
            SubscriberWay::Mail => (words.mail_comes, LETTER_AGAIN_AFTER),
            SubscriberWay::Hook => (words.hook_is_asked, REQUEST_AGAIN_AFTER),
        };
        // Whoever types an address learns nothing about it, not even that others have typed it: one that was typed too often takes the same
        // way, and is not asked.
        let is_to_be_asked = way != SubscriberWay::Mail || self.mailboxes.enter(&address, visit.now.mono);
        let n_asked_max = if is_to_be_asked { ASKED_MAX } else { 0 };
        let name = random::name().map_err(|error| Refusal::Internal(format!("no randomness for a subscription: {error}")))?;
        let limits = SignUpLimits { n_max: offer.n_max, n_unconfirmed_max: UNCONFIRMED_MAX, n_asked_max, ask_again_after };
        let (page, language, at) = (page.slug.clone(), place.language, visit.now.wall);
        let home = snapshot.cluster.as_ref().map(|cluster| cluster.me.clone());
        let new = SignUp { name, page, way, address, language, at, home, limits };
        match self.store.subscriber_sign_up(new).await.map_err(|_| Refusal::Busy)? {
            SignedUp::Full => Ok(complain(StatusCode::CONFLICT, words.full)),
            SignedUp::Taken => Ok(place.answer(StatusCode::OK, place.around(visit).said(words.subscribe, said))),
        }
    }

    /// Opening the link of a message: shows what it is about, and a button.
    async fn open(&self, snapshot: &Snapshot, visit: &Visit, token: &str) -> Result<Answer, Refusal> {
        let Some(subscriber) = self.find(snapshot, visit, token).await? else { return Ok(gone(visit)) };
        let place = Place::of(snapshot, &subscriber, visit);
        let (words, action) = (subscribing(place.language), visit.links.subscription(token));
        let around = place.around(visit);
        let page = match subscriber.confirmed_at {
            None => around.question(&(words.is_it_you)(&place.title), &action, (words.confirm, CONFIRM)),
            Some(_) => around.question(&(words.leave_question)(&place.title), &action, (words.unsubscribe, LEAVE)),
        };
        Ok(place.answer(StatusCode::OK, page))
    }

    async fn act(&self, snapshot: &Snapshot, visit: &Visit, token: &str) -> Result<Answer, Refusal> {
        let wish = wish(visit).ok_or(Refusal::Bad("The form does not say what it wants."))?;
        let Some(subscriber) = self.find(snapshot, visit, token).await? else { return Ok(gone(visit)) };
        let place = Place::of(snapshot, &subscriber, visit);
        let words = subscribing(place.language);
        let (is_there, heading, text) = match wish {
            Wish::Confirm => {
                let is_there = self.store.subscriber_confirm(&subscriber.name, visit.now.wall).await.map_err(|_| Refusal::Busy)?;
                (is_there, words.subscribe, (words.confirmed)(&place.title))
            }
            Wish::Leave => {
                let is_there = self.store.subscriber_remove(&subscriber.name, visit.now.wall).await.map_err(|_| Refusal::Busy)?;
                (is_there, words.unsubscribe, words.left.to_owned())
            }
        };
        // Somebody else may have ended it in between.
        if !is_there {
            return Ok(gone(visit));
        }
        Ok(place.answer(StatusCode::OK, place.around(visit).said(heading, &text)))
    }

    async fn find(&self, snapshot: &Snapshot, visit: &Visit, token: &str) -> Result<Option<Subscriber>, Refusal> {
        let found = match SubscriptionKeys::new(&snapshot.config, &self.secret).open(token) {
            Some(name) => self.store.subscriber(name).await.map_err(|_| Refusal::Busy)?,
            None => None,
        };
        if found.is_none() && self.misses.count(visit.client, visit.now.mono) {
            return Err(Refusal::TooMany(MISSES_WAIT));
        }
        Ok(found)
    }
}

/// What the buttons say.
const CONFIRM: &str = "confirm";
const LEAVE: &str = "leave";

/// What somebody wants who uses a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Confirm,
    Leave,
}

/// Mail programs send the one field of RFC 8058, as a form or in parts.
fn wish(visit: &Visit) -> Option<Wish> {
    match visit.field("do") {
        Some(CONFIRM) => return Some(Wish::Confirm),
        Some(LEAVE) => return Some(Wish::Leave),
        Some(_) => return None,
        None => {}
    }
    let body = String::from_utf8_lossy(&visit.body);
    let in_parts = visit.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data"))
        && body.contains("name=\"List-Unsubscribe\"")
        && body.contains("One-Click");
    (visit.field("List-Unsubscribe") == Some("One-Click") || in_parts).then_some(Wish::Leave)
}

fn gone(visit: &Visit) -> Answer {
    let language = wished(visit.header("accept-language").unwrap_or_default());
    answer::page(StatusCode::GONE, subscribe::gone(&visit.links, language))
}

/// A page and what it offers.
fn offering<'a>(snapshot: &'a Snapshot, slug: &PageSlug) -> Option<(&'a StatusPage, &'a Subscriptions)> {
    let page = snapshot.config.pages.iter().find(|page| page.slug == *slug)?;
    Some((page, page.subscriptions.as_ref()?))
}

/// An address as it is kept, if it is one that can be told in this way.
fn address_of(way: SubscriberWay, text: &str, offer: &Subscriptions) -> Option<String> {
    if ADDRESS_CHARS_MAX < text.len() {
        return None;
    }
    match way {
        SubscriberWay::Mail => mailbox(text),
        SubscriberWay::Hook => web_address(text, offer.allow_private),
    }
}

/// An address as it would be kept, whatever way it is typed and whatever a page takes now.
fn as_kept(text: &str) -> String {
    mailbox(text).or_else(|| web_address(text, true)).unwrap_or_else(|| text.trim().to_owned())
}

/// A web address without a name, a password and a fragment, which would only make more than one of the same. Whether a name leads to where
/// we may go is found out when it is looked up, and told nobody.
fn web_address(text: &str, allow_private: bool) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    // Below are mail servers and the like, which nobody may make us talk to.
    let is_web = is_web && (allow_private || url.port().is_none_or(|port| matches!(port, 80 | 443) || PORTS_FROM <= port));
    let is_outside = match url.host()? {
        Host::Ipv4(address) => may_be_told(address.into()),
        Host::Ipv6(address) => may_be_told(address.into()),
        Host::Domain(_) => true,
    };
    let fits = is_web && url.fragment().is_none() && (is_outside || allow_private) && url.as_str().len() <= ADDRESS_CHARS_MAX;
    fits.then(|| url.into())
}

/// What the pages around a subscription name, and how they look.
struct Place {
    language: Language,
    title: String,
    slug: PageSlug,
    page: String,
    dark: DarkMode,
    stylesheet: Option<String>,
    logo: Option<String>,
    logo_origin: Option<String>,
}

impl Place {
    fn new(page: &StatusPage, visit: &Visit) -> Place {
        Place {
            language: language_of(page, visit.header("accept-language").unwrap_or_default()),
            title: page.title.clone(),
            slug: page.slug.clone(),
            page: visit.links.status(&page.slug),
            dark: page.theme.dark,
            stylesheet: public::stylesheet(page, &visit.links),
            logo: public::logo(page, &visit.links),
            logo_origin: public::logo_origin(page),
        }
    }

    /// The same for somebody who came by a link: in the language that they signed up in. A page that has left the config has no title and no
    /// look any more, and can be left all the same.
    fn of(snapshot: &Snapshot, subscriber: &Subscriber, visit: &Visit) -> Place {
        match snapshot.config.pages.iter().find(|page| page.slug == subscriber.page) {
            Some(page) => Place { language: subscriber.language, ..Place::new(page, visit) },
            None => Place {
                language: subscriber.language,
                title: subscriber.page.to_string(),
                slug: subscriber.page.clone(),
                page: visit.links.status(&subscriber.page),
                dark: DarkMode::default(),
                stylesheet: None,
                logo: None,
                logo_origin: None,
            },
        }
    }

    fn around<'a>(&'a self, visit: &'a Visit) -> Around<'a> {
        let look = Look { dark: self.dark, stylesheet: self.stylesheet.as_deref(), logo: self.logo.as_deref() };
        Around { links: &visit.links, language: self.language, title: &self.title, page: &self.page, look }
    }

    /// The answer with one of these pages.
    fn answer(&self, status: StatusCode, page: Markup) -> Answer {
        answer::with_picture_of(self.logo_origin.as_deref(), answer::page(status, page))
    }

    fn view(&self, offer: &Subscriptions, visit: &Visit, complaint: Option<&'static str>) -> SignUpView {
        SignUpView {
            action: visit.links.status_subscribe(&self.slug),
            mail: offer.offers(SubscriberWay::Mail),
            hook: offer.offers(SubscriberWay::Hook),
            complaint,
            typed: visit.field(SubscriberWay::Mail.word()).unwrap_or_default().chars().take(ADDRESS_CHARS_MAX).collect(),
        }
    }
}

/// Counts sign-ups, of each address (of IPv6 of the network that one customer gets) and of all.
#[derive(Debug, Default)]
struct Gate(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: (Mono, u32),
    by_address: HashMap<IpAddr, (Mono, u32)>,
}

impl Gate {
    /// Lets one sign-up in, or says how long to wait.
    fn enter(&self, address: Option<IpAddr>, now: Mono) -> Result<(), Duration> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut *counts;
        if BUCKETS_MAX <= counts.by_address.len() {
            counts.by_address.retain(|_, (since, _)| now.since(*since) < WINDOW);
        }
        // More addresses than fit are held back by the number of all.
        if BUCKETS_MAX <= counts.by_address.len() {
            counts.by_address.clear();
        }
        let of_one = counts.by_address.entry(network(address)).or_insert((now, 0));
        let buckets = [(of_one, SIGN_UPS_OF_ONE), (&mut counts.all, SIGN_UPS_OF_ALL)];
        for (bucket, max) in buckets {
            if WINDOW <= now.since(bucket.0) || bucket.1 == 0 {
                *bucket = (now, 0);
            }
            if max <= bucket.1 {
                return Err((bucket.0 + WINDOW).since(now));
            }
            bucket.1 += 1;
        }
        Ok(())
    }
}

/// Counts sign-ups of each mailbox. There are never more of them than sign-ups of a day.
#[derive(Debug, Default)]
struct Mailboxes(Mutex<HashMap<[u8; 32], (Mono, u32)>>);

impl Mailboxes {
    /// Whether one more sign-up of this mailbox is taken.
    fn enter(&self, address: &str, now: Mono) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|_, (since, _)| now.since(*since) < MAILBOX_WINDOW);
        let (_, n) = counts.entry(digest(&[b"mailbox", same_mailbox(address).as_bytes()])).or_insert((now, 0));
        *n = n.saturating_add(1);
        *n <= SIGN_UPS_OF_MAILBOX
    }
}

/// An address without what many servers do not look at: upper case, dots, and what follows a plus sign. Two people whose addresses differ in
/// nothing else share their sign-ups of a day, and nothing more.
fn same_mailbox(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let local = local.split('+').next().unwrap_or_default().replace('.', "");
    format!("{local}@{domain}").to_ascii_lowercase()
}

fn network(address: Option<IpAddr>) -> IpAddr {
    match address.map(|address| address.to_canonical()) {
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        Some(IpAddr::V4(v4)) => IpAddr::V4(v4),
        Some(IpAddr::V6(v6)) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(allow_private: bool) -> Subscriptions {
        Subscriptions { email: None, webhook: true, allow_private, n_max: 10 }
    }

    #[test]
    fn web_addresses_lead_outside_and_carry_no_secrets_of_others() {
        let kept = |text: &str, allow_private| address_of(SubscriberWay::Hook, text, &offer(allow_private));
        assert_eq!(kept(" https://Hooks.example.com/x?y=1 ", false).as_deref(), Some("https://hooks.example.com/x?y=1"));
        assert_eq!(kept("http://127.0.0.1:9/x", true).as_deref(), Some("http://127.0.0.1:9/x"));
        for none in [
            "",
            "hooks.example.com",
            "ftp://example.com/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user:secret@example.com/",
            "https://example.com/#x",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://192.168.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://example.com:25/",
            "https://example.com:22/",
            &format!("https://example.com/{}", "a".repeat(ADDRESS_CHARS_MAX)),
        ] {
            assert_eq!(kept(none, false), None, "{none}");
        }
    }

    #[test]
    fn an_address_is_found_however_it_is_typed() {
        for (typed, kept) in [
            ("Jo@Example.org ", "Jo@example.org"),
            ("https://Hooks.example.com", "https://hooks.example.com/"),
            (" HTTP://127.0.0.1:80/x ", "http://127.0.0.1/x"),
            (" what is neither ", "what is neither"),
        ] {
            assert_eq!(as_kept(typed), kept);
        }
    }

    #[test]
    fn a_mailbox_is_asked_a_few_times_a_day_however_it_is_spelled() {
        let mailboxes = Mailboxes::default();
        let spellings = ["jo.doe@example.org", "Jo.Doe+1@example.org", "jodoe+2@example.org", "j.o.d.o.e@example.org"];
        let n = spellings.iter().cycle().take(40).filter(|address| mailboxes.enter(address, Mono(0))).count();
        assert_eq!(n, usize::try_from(SIGN_UPS_OF_MAILBOX).expect("few"));
        assert!(mailboxes.enter("jodoe@example.com", Mono(0)) && mailboxes.enter("jodo@example.org", Mono(0)), "others are others");
        assert!(!mailboxes.enter("jodoe@example.org", Mono(0) + Duration::from_secs(23 * 3600)));
        assert!(mailboxes.enter("jodoe@example.org", Mono(0) + MAILBOX_WINDOW));
        assert_eq!(mailboxes.0.lock().expect("no panic").len(), 1, "nobody is remembered longer");
    }

    #[test]
    fn sign_ups_are_limited_for_each_address_and_for_all() {
        let gate = Gate::default();
        let one: IpAddr = "2001:db8::1".parse().expect("an address");
        let neighbour: IpAddr = "2001:db8::2".parse().expect("an address");
        let n = (0..30).filter(|n| gate.enter(Some(if n % 2 == 0 { one } else { neighbour }), Mono(0)).is_ok()).count();
        assert_eq!(n, usize::try_from(SIGN_UPS_OF_ONE).expect("few"), "one customer is one");
        assert_eq!(gate.enter(Some(one), Mono(60_000_000)), Err(WINDOW - Duration::from_secs(60)));
        let others = (0..1000_u32).filter(|n| gate.enter(Some(IpAddr::V4((0xc633_6400 + n).into())), Mono(0)).is_ok()).count();
        assert_eq!(others, usize::try_from(SIGN_UPS_OF_ALL - SIGN_UPS_OF_ONE).expect("few"));
        assert!(gate.enter(Some(one), Mono(0) + WINDOW).is_ok());
    }
}
