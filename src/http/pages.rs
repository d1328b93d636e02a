//! Status pages as bytes: made at most once per change and served from memory. A crowd that arrives during an outage costs one
//! rendering a second and otherwise copies of a pointer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use ring::hmac;
use tokio::sync::watch;

use crate::engine::handle::EngineHandle;
use crate::engine::snapshot::Snapshot;
use crate::http::badge;
use crate::http::badge::Face;
use crate::http::badge::Figure;
use crate::http::badge::Source;
use crate::http::badge::Subject;
use crate::http::history::Book;
use crate::http::limits::FRESH_FOR;
use crate::http::limits::PAGE_PASS_AGE;
use crate::http::public;
use crate::http::public::StatusJson;
use crate::http::random::digest;
use crate::http::random::sha256;
use crate::model::id::MonitorId;
use crate::model::id::PageSlug;
use crate::model::page::Logo;
use crate::model::page::StatusPage;
use crate::model::page::Visibility;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::ui::links::Links;
use crate::ui::page::status;

/// A page is made anew after so long even when nothing changed, because it says how long ago things were.
const REMAKE_EVERY_MS: i64 = 60_000;

/// All status pages. What public handlers have instead of the engine and the store.
#[derive(Debug)]
pub struct Pages {
    engine: EngineHandle,
    book: watch::Receiver<Arc<Book>>,
    made: Mutex<HashMap<PageSlug, Arc<Made>>>,
    pass_key: hmac::Key,
}

/// A page, ready to be sent.
#[derive(Debug)]
pub struct Made {
    key: Key,
    /// The page.
    pub html: Body,
    /// The same as data.
    pub json: Body,
    /// Its own style sheet.
    pub theme: Option<Body>,
    /// Its picture with its media type.
    pub logo: Option<(&'static str, Body)>,
    /// Where its picture comes from when that is elsewhere.
    pub logo_origin: Option<String>,
    /// Nothing between us and the browser may keep it.
    pub is_restricted: bool,
    /// Search engines may list it.
    pub is_indexed: bool,
}

/// Bytes with their entity tag.
#[derive(Debug, Clone)]
pub struct Body {
    /// Content.
    pub bytes: Bytes,
    /// Quoted.
    pub tag: String,
}

/// When any of this changes, a page has to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    revision: u64,
    generation: u64,
    minute: i64,
    is_stale: bool,
    links: Links,
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
    #[must_use]
    pub fn open(&self, slug: &PageSlug, pass: Pass<'_>, links: &Links, now: UnixMillis) -> Entry {
        let snapshot = self.engine.snapshot();
        let Some(page) = snapshot.config.pages.iter().find(|page| page.slug == *slug) else { return Entry::Absent };
        let is_let_in = match &page.visibility {
            Visibility::Public | Visibility::Unlisted => true,
            Visibility::Private if pass.is_viewer => true,
            Visibility::Private => return Entry::Absent,
            Visibility::Password(hash) => pass.is_viewer || pass.cookie.is_some_and(|cookie| self.is_pass(slug, hash, cookie, now)),
        };
        if is_let_in { Entry::Shown(self.made(page, &snapshot, links, now)) } else { Entry::AskPassword }
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

    fn made(&self, page: &StatusPage, snapshot: &Snapshot, links: &Links, now: UnixMillis) -> Arc<Made> {
        let book = Arc::clone(&self.book.borrow());
        let (_, is_stale) = public::freshness(page, snapshot, now);
        let minute = now.0.div_euclid(REMAKE_EVERY_MS);
        let key = Key { revision: snapshot.revision, generation: book.generation, minute, is_stale, links: links.clone() };
        // Held while rendering, on purpose: of a crowd that finds the page outdated one makes it, and the others wait the millisecond.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = made.get(&page.slug).filter(|found| found.key == key) {
            return Arc::clone(found);
        }
        made.retain(|slug, _| snapshot.config.pages.iter().any(|page| page.slug == *slug));
        let fresh = Arc::new(make(page, snapshot, &book, key, now));
        made.insert(page.slug.clone(), Arc::clone(&fresh));
        fresh
    }
}

fn pass_text(slug: &PageSlug, hash: &Secret, until: i64) -> [u8; 32] {
    digest(&[b"page pass", slug.as_str().as_bytes(), hash.reveal_for_use().as_bytes(), &until.to_be_bytes()])
}

fn make(page: &StatusPage, snapshot: &Snapshot, book: &Book, key: Key, now: UnixMillis) -> Made {
    let view = public::project(page, snapshot, book.pages.get(&page.slug), &key.links, now);
    let json = serde_json::to_vec(&StatusJson::from(&view)).unwrap_or_default();
    Made {
        html: body(status::page(&view, now).into_string()),
        json: body(json),
        theme: public::theme_css(page).map(body),
        logo: page.theme.logo.as_ref().and_then(|logo| match logo {
            Logo::File { media_type, bytes } => Some((*media_type, body(bytes.clone()))),
            Logo::Url(_) => None,
        }),
        logo_origin: public::logo_origin(page),
        is_restricted: matches!(page.visibility, Visibility::Private | Visibility::Password(_)),
        is_indexed: view.indexed,
        key,
    }
}

fn body(bytes: impl Into<Bytes>) -> Body {
    let bytes = bytes.into();
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&sha256(&bytes)[..12]));
    Body { bytes, tag }
}
