//! Status pages as bytes: made and compressed at most once per change and language, and served from memory. A crowd that arrives during
//! an outage costs one rendering a second and otherwise copies of a pointer: of those who find a page outdated one makes it anew, and
//! the others get what there is, or wait for it where there is nothing yet. Making happens on threads for such work: those of the
//! runtime also write down results and send messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use ring::hmac;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::clock::Clock;
use crate::config::Server;
use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::Snapshot;
use crate::http::badge;
use crate::http::badge::Face;
use crate::http::badge::Figure;
use crate::http::badge::Source;
use crate::http::badge::Subject;
use crate::http::error::Refusal;
use crate::http::history::Book;
use crate::http::limits::FRESH_FOR;
use crate::http::limits::PAGE_PASS_AGE;
use crate::http::local::absolute;
use crate::http::packed::Packed;
use crate::http::planned;
use crate::http::planned::Covering;
use crate::http::public;
use crate::http::public::StatusJson;
use crate::http::random::digest;
use crate::model::id::MonitorId;
use crate::model::id::PageSlug;
use crate::model::page::Language;
use crate::model::page::Logo;
use crate::model::page::PageLanguage;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::ui::language::Phrases;
use crate::ui::language::phrases;
use crate::ui::language::wished;
use crate::ui::links::Links;
use crate::ui::page::status;
use crate::ui::page::status::StatusView;
use crate::ui::page::status::calendar;
use crate::ui::page::status::calendar::Calendar;
use crate::ui::page::status::feed;
use crate::ui::page::status::widget;

/// A page is made anew after so long even when nothing changed, because it says how long ago things were.
const REMAKE_EVERY_MS: i64 = 60_000;

/// A page is not made anew sooner than that because of another check: with a thousand monitors there is one every few milliseconds.
const REMAKE_REST: Duration = Duration::from_secs(1);

/// All status pages. What public handlers have instead of the engine and the store.
#[derive(Debug)]
pub struct Pages {
    engine: EngineHandle,
    book: watch::Receiver<Arc<Book>>,
    made: Mutex<HashMap<(PageSlug, Language), Arc<Slot>>>,
    pass_key: hmac::Key,
}

/// A page in one language, ready to be sent. What is asked for less often than the page itself is made when it is first asked for.
#[derive(Debug)]
pub struct Made {
    key: Key,
    page: Arc<StatusPage>,
    view: StatusView,
    /// What stands before our paths in links that are read elsewhere; empty where no public address is configured.
    origin: String,
    /// For the calendar, which looks further ahead than the page, and for which few ask.
    covering: Vec<Covering>,
    at: UnixMillis,
    html: OnceLock<Packed>,
    json: OnceLock<Packed>,
    feed: OnceLock<Packed>,
    /// Shared with the pages before that have the same windows, within the same minute.
    calendar: Arc<OnceLock<Packed>>,
    widget: OnceLock<Packed>,
    theme: OnceLock<Option<Packed>>,
    logo: OnceLock<Option<(&'static str, Packed)>>,
    /// Where its picture comes from when that is elsewhere.
    pub logo_origin: Option<String>,
    /// Nothing between us and the browser may keep it.
    pub is_restricted: bool,
    /// Search engines may list it.
    pub is_indexed: bool,
    /// In another language it would be other bytes.
    pub is_by_wish: bool,
}

/// When any of this changes, a page has to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    language: Language,
    revision: u64,
    generation: u64,
    minute: i64,
    is_stale: bool,
    links: Links,
}

/// Where a page of one language is kept.
#[derive(Debug, Default)]
struct Slot {
    made: Mutex<Option<Arc<Made>>>,
    /// Held by whoever makes it anew. One waits for it without a thread.
    making: Arc<tokio::sync::Mutex<()>>,
}

/// Which part of a status page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The page.
    Page,
    /// The same as data.
    Json,
    /// Its feed of incidents.
    Feed,
    /// Its calendar of maintenance.
    Calendar,
    /// The same in one line.
    Widget,
    /// Its own style sheet.
    Theme,
    /// Its picture.
    Logo,
}

/// How a visitor wants it.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// Addresses.
    pub links: &'a Links,
    /// `Accept-Language`.
    pub languages: &'a str,
}

/// What a visitor brings.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// Signed in.
    pub is_viewer: bool,
    /// The page's cookie.
    pub cookie: Option<&'a str>,
}

/// What a visitor gets.
#[derive(Debug)]
pub enum Entry {
    /// The page.
    Shown(Arc<Made>),
    /// A question for its password.
    AskPassword,
    /// Nothing: there is no such page, or none for this visitor. A private page is the same as none to strangers.
    Absent,
}

impl Pages {
    /// Pages of what the engine shows. `pass_key` makes the cookies of pages with a password.
    #[must_use]
    pub fn new(engine: EngineHandle, book: watch::Receiver<Arc<Book>>, pass_key: &[u8]) -> Pages {
        Pages { engine, book, made: Mutex::default(), pass_key: hmac::Key::new(hmac::HMAC_SHA256, pass_key) }
    }

    /// Whether the engine has shown itself lately.
    #[must_use]
    pub fn is_fresh(&self, now: UnixMillis) -> bool {
        now.since(self.engine.snapshot().at) < FRESH_FOR
    }

    /// Titles and slugs of the pages that are listed for everybody.
    #[must_use]
    pub fn listed(&self) -> Vec<(String, PageSlug)> {
        let config = Arc::clone(&self.engine.snapshot().config);
        let public = config.pages.iter().filter(|page| page.visibility == Visibility::Public);
        public.map(|page| (page.title.clone(), page.slug.clone())).collect()
    }

    /// The page that is served at `/` under this host name.
    #[must_use]
    pub fn of_domain(&self, host: &str) -> Option<PageSlug> {
        let config = Arc::clone(&self.engine.snapshot().config);
        config.pages.iter().find(|page| page.domains.iter().any(|domain| domain == host)).map(|page| page.slug.clone())
    }

    /// Opens a page to a visitor.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when making it failed.
    pub async fn open(&self, slug: &PageSlug, pass: Pass<'_>, wishes: &Wishes<'_>, now: UnixMillis) -> Result<Entry, Refusal> {
        let snapshot = self.engine.snapshot();
        let Some(page) = snapshot.config.pages.iter().find(|page| page.slug == *slug) else { return Ok(Entry::Absent) };
        let is_let_in = match &page.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            Visibility::Private if pass.is_viewer => true,
            Visibility::Private => return Ok(Entry::Absent),
            Visibility::Password(hash) => pass.is_viewer || pass.cookie.is_some_and(|cookie| self.is_pass(slug, hash, cookie, now)),
        };
        Ok(if is_let_in { Entry::Shown(self.made(page, &snapshot, wishes, now).await?) } else { Entry::AskPassword })
    }

    /// What a badge says; `None`: there is none, or none for everybody.
    #[must_use]
    pub fn badge(&self, of: &Subject, figure: Figure, now: UnixMillis) -> Option<Face> {
        let snapshot = self.engine.snapshot();
        let book = Arc::clone(&self.book.borrow());
        let look = |page: &StatusPage, monitor: Option<&MonitorId>| {
            let (_, is_stale) = public::freshness(page, &snapshot, now);
            badge::face(&Source { page, snapshot: &snapshot, past: book.pages.get(&page.slug), is_stale }, monitor, figure)
        };
        let mut open = snapshot.config.pages.iter().filter(|page| badge::is_open(page));
        match of {
            Subject::Page(slug) => look(open.find(|page| page.slug == *slug)?, None),
            Subject::Monitor(slug, id) => look(open.find(|page| page.slug == *slug)?, Some(id)),
            Subject::Key(key) => {
                // Who asks by it need not know any page, so that only what is listed for everybody counts.
                let listed = open.filter(|page| page.visibility == Visibility::Public);
                let mut of_page = listed.flat_map(|page| page.groups.iter().flat_map(|group| &group.monitors).map(move |id| (page, id)));
                let is_it = |id: &MonitorId| {
                    let view = snapshot.monitors.get(id);
                    view.is_some_and(|view| badge::gatus_key(view.monitor.group.as_deref(), &view.monitor.name) == *key)
                };
                let (page, id) = of_page.find(|(_, id)| is_it(id))?;
                look(page, Some(id))
            }
        }
    }

    /// In which language a page speaks to whoever asks for these.
    #[must_use]
    pub fn language(&self, slug: &PageSlug, languages: &str) -> Language {
        let config = Arc::clone(&self.engine.snapshot().config);
        config.pages.iter().find(|page| page.slug == *slug).map_or_else(|| wished(languages), |page| language_of(page, languages))
    }

    /// The hash of a page's password, if that is what it asks for.
    #[must_use]
    pub fn password_of(&self, slug: &PageSlug) -> Option<Secret> {
        let config = Arc::clone(&self.engine.snapshot().config);
        match &config.pages.iter().find(|page| page.slug == *slug)?.visibility {
            Visibility::Password(hash) => Some(hash.clone()),
            Visibility::Public | Visibility::Unlisted | Visibility::Private => None,
        }
    }

    /// A cookie for whoever knew the password: good for a while, and only as long as the password stays.
    #[must_use]
    pub fn pass(&self, slug: &PageSlug, hash: &Secret, now: UnixMillis) -> String {
        let until = (now + PAGE_PASS_AGE).0;
        let tag = hmac::sign(&self.pass_key, &pass_text(slug, hash, until));
        format!("{until}.{}", data_encoding::BASE64URL_NOPAD.encode(tag.as_ref()))
    }

    fn is_pass(&self, slug: &PageSlug, hash: &Secret, cookie: &str, now: UnixMillis) -> bool {
        let Some((until, tag)) = cookie.split_once('.') else { return false };
        let (Ok(until), Ok(tag)) = (until.parse::<i64>(), data_encoding::BASE64URL_NOPAD.decode(tag.as_bytes())) else { return false };
        now.0 < until && hmac::verify(&self.pass_key, &pass_text(slug, hash, until), &tag).is_ok()
    }

    /// Makes every page once in the language of those who wish none, as soon as the past is known: what is done for the first time takes
    /// several times as long, and the first visitor after a start need not wait for it.
    pub async fn make_first(&self, clock: &Clock) {
        if self.book.clone().wait_for(|book| 0 < book.generation).await.is_err() {
            return;
        }
        let snapshot = self.engine.snapshot();
        let wishes = Wishes { links: &Links::new(&snapshot.config.server.base_path), languages: "" };
        for page in &snapshot.config.pages {
            // As of a moment ago, so that the first result makes it anew at once.
            let at = clock.now().wall.minus(REMAKE_REST);
            if let Err(Refusal::Internal(error)) = self.made(page, &snapshot, &wishes, at).await {
                tracing::warn!("{error}");
            }
        }
    }

    async fn made(
        &self,
        page: &Arc<StatusPage>,
        snapshot: &Arc<Snapshot>,
        wishes: &Wishes<'_>,
        now: UnixMillis,
    ) -> Result<Arc<Made>, Refusal> {
        let book = Arc::clone(&self.book.borrow());
        let (_, is_stale) = public::freshness(page, snapshot, now);
        let language = language_of(page, wishes.languages);
        let minute = now.0.div_euclid(REMAKE_EVERY_MS);
        let (revision, generation, links) = (snapshot.revision, book.generation, wishes.links.clone());
        let key = Key { language, revision, generation, minute, is_stale, links };
        let slot = self.slot(page, language, snapshot);
        if let Some(made) = slot.made().filter(|made| made.is_good(page, &key, now)) {
            return Ok(made);
        }
        let making = match Arc::clone(&slot.making).try_lock_owned() {
            Ok(making) => making,
            Err(_) => match slot.made().filter(|made| Arc::ptr_eq(&made.page, page)) {
                // It is a moment old, and the next one who asks gets the new one.
                Some(made) => return Ok(made),
                None => Arc::clone(&slot.making).lock_owned().await,
            },
        };
        // Somebody may have made it while this one waited.
        if let Some(made) = slot.made().filter(|made| made.is_good(page, &key, now)) {
            return Ok(made);
        }
        let (page, snapshot) = (Arc::clone(page), Arc::clone(snapshot));
        in_background(move || {
            // It travels with the work: when the one who asked goes away, nobody else begins the same anew.
            let _making = making;
            let fresh = Arc::new(make(&page, (&snapshot, &book), key, slot.made().as_deref(), now));
            // Before anybody can ask for it, so that nobody waits for it.
            fresh.html();
            *slot.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&fresh));
            fresh
        })
        .await
    }

    fn slot(&self, page: &StatusPage, language: Language, snapshot: &Snapshot) -> Arc<Slot> {
        let mut slots = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (page.slug.clone(), language);
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        slots.retain(|(slug, _), _| snapshot.config.pages.iter().any(|page| page.slug == *slug));
        Arc::clone(slots.entry(key).or_default())
    }
}

impl Slot {
    fn made(&self) -> Option<Arc<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Made {
    /// Whether it can still be shown: nothing changed, or nothing but a check that is too young to hurry for.
    fn is_good(&self, page: &Arc<StatusPage>, key: &Key, now: UnixMillis) -> bool {
        let is_young = self.at <= now && now.since(self.at) < REMAKE_REST;
        let wanted = Key { revision: if is_young { self.key.revision } else { key.revision }, ..key.clone() };
        Arc::ptr_eq(&self.page, page) && self.key == wanted
    }

    fn phrases(&self) -> &'static Phrases {
        phrases(self.key.language)
    }

    /// An id of something on this page: the same for ever, and saying nothing else.
    fn id(&self, of: &str) -> String {
        let hash = digest(&[b"feed of a page", self.page.slug.as_str().as_bytes(), of.as_bytes()]);
        let hex = data_encoding::HEXLOWER.encode(&hash[..16]);
        // Version 8: made as whoever makes it likes.
        format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// A part with its media type; `None`: the page has none. What was not asked for before is made in the background.
    ///
    /// # Errors
    /// [`Refusal::Internal`] when making it failed.
    pub async fn part(self: &Arc<Made>, part: Part) -> Result<Option<(&'static str, Packed)>, Refusal> {
        if self.has(part) {
            return Ok(self.take(part));
        }
        let made = Arc::clone(self);
        in_background(move || made.take(part)).await
    }

    /// Whether a part was made already.
    #[must_use]
    pub fn has(&self, part: Part) -> bool {
        match part {
            Part::Page => self.html.get().is_some(),
            Part::Json => self.json.get().is_some(),
            Part::Feed => self.feed.get().is_some(),
            Part::Calendar => self.calendar.get().is_some(),
            Part::Widget => self.widget.get().is_some(),
            Part::Theme => self.theme.get().is_some(),
            Part::Logo => self.logo.get().is_some(),
        }
    }

    fn take(&self, part: Part) -> Option<(&'static str, Packed)> {
        let (media_type, packed) = match part {
            Part::Page => ("text/html; charset=utf-8", self.html()),
            Part::Json => ("application/json", self.json()),
            Part::Feed => ("application/atom+xml; charset=utf-8", self.feed()),
            Part::Calendar => ("text/calendar; charset=utf-8", self.calendar()),
            Part::Widget => ("text/html; charset=utf-8", self.widget()?),
            Part::Theme => ("text/css; charset=utf-8", self.theme()?),
            Part::Logo => self.logo()?,
        };
        Some((media_type, packed.clone()))
    }

    /// The page.
    fn html(&self) -> &Packed {
        self.html.get_or_init(|| Packed::new(status::page(&self.view, self.phrases(), self.at).into_string()))
    }

    /// The same as data.
    fn json(&self) -> &Packed {
        self.json.get_or_init(|| Packed::new(serde_json::to_vec(&StatusJson::from(&self.view)).unwrap_or_default()))
    }

    /// Its feed of incidents.
    fn feed(&self) -> &Packed {
        let id = |of: &str| format!("urn:uuid:{}", self.id(of));
        self.feed.get_or_init(|| Packed::new(feed::feed(&self.view, self.phrases(), &id, &self.origin).into_string()))
    }

    /// Its calendar of maintenance.
    fn calendar(&self) -> &Packed {
        self.calendar.get_or_init(|| {
            let windows = planned::for_calendar(&self.covering, self.at);
            let of = Calendar { title: &self.view.title, windows: &windows, now: self.at };
            Packed::new(calendar::calendar(of, self.phrases(), &|of| self.id(of)))
        })
    }

    /// The same in one line for other sites; `None` when it is not for everybody.
    fn widget(&self) -> Option<&Packed> {
        let widget = || Packed::new(widget::widget(&self.view, self.phrases(), self.at).into_string());
        (!self.is_restricted).then(|| self.widget.get_or_init(widget))
    }

    /// Its own style sheet.
    fn theme(&self) -> Option<&Packed> {
        self.theme.get_or_init(|| public::theme_css(&self.page).map(Packed::new)).as_ref()
    }

    /// Its picture with its media type.
    fn logo(&self) -> Option<(&'static str, &Packed)> {
        let logo = || match self.page.theme.logo.as_ref()? {
            Logo::File { media_type, bytes } => Some((*media_type, Packed::new(bytes.clone()))),
            Logo::Url(_) => None,
        };
        self.logo.get_or_init(logo).as_ref().map(|(media_type, packed)| (*media_type, packed))
    }
}

/// In which language a page speaks to whoever asks for these.
pub(crate) fn language_of(page: &StatusPage, languages: &str) -> Language {
    match page.language {
        PageLanguage::Auto => wished(languages),
        PageLanguage::Always(language) => language,
    }
}

fn pass_text(slug: &PageSlug, hash: &Secret, until: i64) -> [u8; 32] {
    digest(&[b"page pass", slug.as_str().as_bytes(), hash.reveal_for_use().as_bytes(), &until.to_be_bytes()])
}

/// Does what takes its time where it is nobody else's, to its end, whoever still waits for it.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    spawn_blocking(work).await.map_err(|error| Refusal::Internal(format!("cannot make a status page: {error}")))
}

/// What stands before our paths in links to a page. Where it has a name of its own the other one may be nothing to its readers.
fn origin(page: &StatusPage, server: &Server) -> String {
    let Some(url) = server.public_url.as_deref() else { return String::new() };
    let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
    match page.domains.first() {
        Some(domain) => format!("{scheme}://{domain}"),
        None => absolute(url, &server.base_path, ""),
    }
}

fn make(page: &Arc<StatusPage>, (snapshot, book): (&Snapshot, &Book), key: Key, before: Option<&Made>, now: UnixMillis) -> Made {
    let view = public::project(page, snapshot, book.pages.get(&page.slug), &key.links, now);
    let server = &snapshot.config.server;
    let covering = planned::covering(page, snapshot);
    let is_same = |before: &&Made| Arc::ptr_eq(&before.page, page) && before.key.minute == key.minute && before.covering == covering;
    Made {
        page: Arc::clone(page),
        calendar: before.filter(is_same).map(|before| Arc::clone(&before.calendar)).unwrap_or_default(),
        covering,
        at: now,
        html: OnceLock::new(),
        json: OnceLock::new(),
        feed: OnceLock::new(),
        widget: OnceLock::new(),
        theme: OnceLock::new(),
        logo: OnceLock::new(),
        logo_origin: public::logo_origin(page),
        is_restricted: matches!(page.visibility, Visibility::Private | Visibility::Password(_)),
        is_indexed: view.indexed,
        is_by_wish: page.language == PageLanguage::Auto,
        origin: origin(page, server),
        view,
        key,
    }
}
