//! Handlers for everybody. They have [`Pages`] and nothing else of what vigilmon knows: neither the engine nor the store nor the
//! config can be reached from here.

use hyper::StatusCode;
use hyper::header;

use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::pages::Body;
use crate::http::pages::Entry;
use crate::http::pages::Made;
use crate::http::pages::Pages;
use crate::http::pages::Pass;
use crate::http::visit::Visit;
use crate::model::id::PageSlug;
use crate::ui::assets;
use crate::ui::page::sign_in;

/// Which part of a status page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The page.
    Page,
    /// The same as data.
    Json,
    /// Its own style sheet.
    Theme,
    /// Its picture.
    Logo,
}

/// Name of the cookie that remembers a page's password.
#[must_use]
pub fn pass_cookie(slug: &PageSlug) -> String {
    // Dots are legal in cookie names, so slugs need no escaping.
    format!("vigilmon-page-{slug}")
}

/// A status page, or a part of it.
///
/// # Errors
/// [`Refusal::NotFound`], the same for pages that do not exist and pages that are not for this visitor.
pub fn status(pages: &Pages, visit: &Visit, slug: &PageSlug, part: Part, is_viewer: bool) -> Result<Answer, Refusal> {
    let pass = Pass { is_viewer, cookie: visit.cookie(&pass_cookie(slug)) };
    let made = match pages.open(slug, pass, &visit.links, visit.now.wall) {
        Entry::Shown(made) => made,
        Entry::AskPassword if part == Part::Page => {
            let form = sign_in::page_password(&visit.links, &visit.links.status(slug), None);
            return Ok(answer::page(StatusCode::UNAUTHORIZED, form));
        }
        Entry::AskPassword | Entry::Absent => return Err(Refusal::NotFound),
    };
    let (media_type, body) = match part {
        Part::Page => ("text/html; charset=utf-8", &made.html),
        Part::Json => ("application/json", &made.json),
        Part::Theme => ("text/css; charset=utf-8", made.theme.as_ref().ok_or(Refusal::NotFound)?),
        Part::Logo => made.logo.as_ref().map(|(media_type, body)| (*media_type, body)).ok_or(Refusal::NotFound)?,
    };
    Ok(cached(visit, &made, media_type, body))
}

fn cached(visit: &Visit, made: &Made, media_type: &'static str, body: &Body) -> Answer {
    let known =
        visit.header("if-none-match").is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == body.tag));
    let full = if known {
        let mut unchanged = answer::bytes(StatusCode::NOT_MODIFIED, media_type, "");
        unchanged.headers_mut().remove(header::CONTENT_TYPE);
        unchanged
    } else {
        answer::bytes(StatusCode::OK, media_type, body.bytes.clone())
    };
    let keep = if made.is_restricted { answer::SHORTLY_PRIVATE } else { answer::SHORTLY };
    let mut full = answer::with(answer::with(full, header::ETAG, &body.tag), header::CACHE_CONTROL, keep);
    if !made.is_indexed {
        full = answer::with(full, header::HeaderName::from_static("x-robots-tag"), "noindex");
    }
    match &made.logo_origin {
        // One picture from one place that the operators chose, on this page only.
        Some(origin) => {
            let policy = answer::CONTENT_SECURITY_POLICY.replace("img-src 'self' data:", &format!("img-src 'self' data: {origin}"));
            answer::with(full, header::CONTENT_SECURITY_POLICY, &policy)
        }
        None => full,
    }
}

/// An embedded file.
///
/// # Errors
/// [`Refusal::NotFound`].
pub fn asset(hashed_name: &str) -> Result<Answer, Refusal> {
    let asset = assets::by_hashed_name(hashed_name).ok_or(Refusal::NotFound)?;
    let full = answer::bytes(StatusCode::OK, asset.media_type, bytes::Bytes::from_static(&asset.bytes));
    Ok(answer::with(full, header::CACHE_CONTROL, answer::FOR_EVER))
}

/// The icon under the address that browsers guess.
///
/// # Errors
/// [`Refusal::NotFound`], if it was not embedded.
pub fn favicon() -> Result<Answer, Refusal> {
    let found = asset(assets::hashed_name("favicon.svg"))?;
    let (mut parts, body) = found.into_parts();
    parts.headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("public, max-age=86400"));
    Ok(Answer::from_parts(parts, body))
}

/// For search engines: only status pages, which say themselves whether they want to be listed.
#[must_use]
pub fn robots(visit: &Visit) -> Answer {
    let text = format!("User-agent: *\nAllow: {}\nAllow: {}$\nDisallow: /\n", visit.links.to("/status/"), visit.links.home());
    answer::with(answer::bytes(StatusCode::OK, "text/plain; charset=utf-8", text), header::CACHE_CONTROL, "public, max-age=3600")
}

/// Whether the engine lives. Says nothing else.
#[must_use]
pub fn health(pages: &Pages, visit: &Visit) -> Answer {
    if pages.is_fresh(visit.now.wall) {
        answer::bytes(StatusCode::OK, "application/json", r#"{"status":"ok"}"#)
    } else {
        answer::bytes(StatusCode::SERVICE_UNAVAILABLE, "application/json", r#"{"status":"stalled"}"#)
    }
}
