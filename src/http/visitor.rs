//! Handlers for everybody. They have [`Pages`] and nothing else of what vigilmon knows: neither the engine nor the store nor the
//! config can be reached from here.

use hyper::StatusCode;
use hyper::header;

use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::error::Refusal;
use crate::http::packed;
use crate::http::pages::Entry;
use crate::http::pages::Made;
use crate::http::pages::Pages;
use crate::http::pages::Part;
use crate::http::pages::Pass;
use crate::http::pages::Wishes;
use crate::http::visit::Visit;
use crate::model::id::PageSlug;
use crate::ui::assets;
use crate::ui::language::phrases;
use crate::ui::page::sign_in;

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
/// [`Refusal::Internal`] when making the page failed.
pub async fn status(pages: &Pages, visit: &Visit, slug: &PageSlug, part: Part, is_viewer: bool) -> Result<Answer, Refusal> {
    let pass = Pass { is_viewer, cookie: visit.cookie(&pass_cookie(slug)) };
    let wishes = Wishes { links: &visit.links, languages: visit.header("accept-language").unwrap_or_default() };
    let made = match pages.open(slug, pass, &wishes, visit.now.wall).await? {
        Entry::Shown(made) => made,
        Entry::AskPassword if part == Part::Page => {
            let language = pages.language(slug, wishes.languages);
            let form = sign_in::page_password(&visit.links, &visit.links.status(slug), phrases(language), false);
            return Ok(answer::page(StatusCode::UNAUTHORIZED, form));
        }
        Entry::AskPassword | Entry::Absent => return Err(Refusal::NotFound),
    };
    let (media_type, body) = made.part(part).await?.ok_or(Refusal::NotFound)?;
    let answer = cached(&made, body.answer(visit, media_type));
    Ok(match part {
        // Pages of other sites may read what everybody may read. Of what is not for everybody they learn nothing, whoever the browser is of.
        Part::Json if !made.is_restricted => answer::with(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        Part::Widget => answer::with(answer, header::CONTENT_SECURITY_POLICY, answer::FRAMED_SECURITY_POLICY),
        Part::Page | Part::Json | Part::Feed | Part::Calendar | Part::Theme | Part::Logo => {
            answer::with_picture_of(made.logo_origin.as_deref(), answer)
        }
    })
}

fn cached(made: &Made, answer: Answer) -> Answer {
    let keep = if made.is_restricted { answer::SHORTLY_PRIVATE } else { answer::SHORTLY };
    let mut answer = answer::with(answer, header::CACHE_CONTROL, keep);
    if made.is_by_wish {
        answer = answer::with(answer, header::VARY, "accept-language");
    }
    if !made.is_indexed {
        answer = answer::with(answer, header::HeaderName::from_static("x-robots-tag"), "noindex");
    }
    answer
}

/// An embedded file.
///
/// # Errors
/// [`Refusal::NotFound`].
pub async fn asset(visit: &Visit, hashed_name: &str) -> Result<Answer, Refusal> {
    let (asset, packed) = packed::asset(hashed_name).await.ok_or(Refusal::NotFound)?;
    Ok(answer::with(packed.answer(visit, asset.media_type), header::CACHE_CONTROL, answer::FOR_EVER))
}

/// The icon under the address that browsers guess.
///
/// # Errors
/// [`Refusal::NotFound`], if it was not embedded.
pub async fn favicon(visit: &Visit) -> Result<Answer, Refusal> {
    let found = asset(visit, assets::hashed_name("favicon.svg")).await?;
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
