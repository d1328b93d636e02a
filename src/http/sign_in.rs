//! Signing in and out.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use hyper::StatusCode;
use hyper::header;

use crate::config::Auth as AuthConfig;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::archive::Archive;
use crate::http::auth::Auth;
use crate::http::auth::OWNER;
use crate::http::auth::cookie_name;
use crate::http::auth::credential_of;
use crate::http::error::Refusal;
use crate::http::limits::PAGE_PASS_AGE;
use crate::http::limits::SESSION_AGE;
use crate::http::limits::SESSION_WRITE_TIMEOUT;
use crate::http::limits::SIGN_IN_WRITE_TIMEOUT;
use crate::http::one_time::OneTimeLinks;
use crate::http::pages::Pages;
use crate::http::password::Passwords;
use crate::http::route::Route;
use crate::http::route::route;
use crate::http::sessions::SessionKey;
use crate::http::throttle::Throttle;
use crate::http::visit::Visit;
use crate::http::visitor::pass_cookie;
use crate::model::id::PageSlug;
use crate::store::SessionRow;
use crate::ui::language::phrases;
use crate::ui::page::sign_in;
use crate::ui::page::sign_in::SignInView;
use crate::ui::page::sign_in::Ways;

/// Said of a wrong name and of a wrong password alike.
const WRONG: &str = "The name or the password is not right.";

/// Everything that signing in needs.
#[derive(Debug)]
pub struct SignIn {
    /// Sessions and proofs.
    pub auth: Auth,
    /// Links of the control socket.
    pub links: OneTimeLinks,
    throttle: Throttle,
    passwords: Passwords,
}

impl SignIn {
    /// Nobody has tried yet.
    #[must_use]
    pub fn new(auth: Auth) -> SignIn {
        SignIn { auth, links: OneTimeLinks::default(), throttle: Throttle::default(), passwords: Passwords::default() }
    }

    /// The sign-in page.
    #[must_use]
    pub fn page(&self, visit: &Visit, config: &AuthConfig, pages: &Pages, complaint: Option<(StatusCode, &str)>) -> Answer {
        let ways = match (config.users.is_empty(), &config.proxy) {
            (false, _) => Ways::Password,
            (true, Some(_)) => Ways::Proxy,
            (true, None) => Ways::LinkOnly,
        };
        let query =
            url::form_urlencoded::parse(visit.query.as_bytes()).find(|(name, _)| name == "next").map(|(_, value)| value.into_owned());
        let next = query.as_deref().or_else(|| visit.field("next")).and_then(own_page);
        let listed = pages.listed().into_iter().map(|(title, slug)| (title, visit.links.status(&slug))).collect();
        let status = complaint.map_or(StatusCode::OK, |(status, _)| status);
        let complaint = complaint.map(|(_, text)| text.to_owned());
        answer::page(status, sign_in::page(&visit.links, &SignInView { ways, complaint, next, pages: listed }))
    }

    /// A name and a password.
    ///
    /// # Errors
    /// [`Refusal`] when there were too many attempts or there is too much to do.
    pub async fn by_password(&self, visit: &Visit, config: &AuthConfig, pages: &Pages, archive: &dyn Archive) -> Result<Answer, Refusal> {
        let name = visit.field("name").unwrap_or_default();
        let password = visit.field("password").unwrap_or_default();
        let address = limit_address(visit);
        self.throttle.attempt(address, name, visit.now.mono).map_err(Refusal::TooMany)?;
        let user = config.users.iter().find(|user| user.name == name);
        // A name that nobody has is checked against somebody's hash all the same, so that it takes as long.
        let stand_in = user.or(config.users.first()).map(|user| &user.password_hash);
        let fits = self.passwords.verify(password, stand_in).await.map_err(|_| Refusal::Busy)?;
        match user.filter(|_| fits) {
            Some(user) => {
                self.throttle.succeeded(address, name);
                self.begin(visit, &user.name, config, archive).await
            }
            None => Ok(self.page(visit, config, pages, Some((StatusCode::UNAUTHORIZED, WRONG)))),
        }
    }

    /// Opening a one-time link: shows a button and uses nothing up.
    #[must_use]
    pub fn link(&self, visit: &Visit, token: &str) -> Answer {
        if self.links.is_live(token, visit.now.mono) {
            answer::page(StatusCode::OK, sign_in::link(&visit.links, token))
        } else {
            answer::page(StatusCode::GONE, sign_in::link_gone(&visit.links))
        }
    }

    /// Using a one-time link.
    ///
    /// # Errors
    /// [`Refusal::Internal`].
    pub async fn use_link(&self, visit: &Visit, token: &str, config: &AuthConfig, archive: &dyn Archive) -> Result<Answer, Refusal> {
        if self.links.take(token, visit.now.mono) {
            self.begin(visit, OWNER, config, archive).await
        } else {
            Ok(answer::page(StatusCode::GONE, sign_in::link_gone(&visit.links)))
        }
    }

    /// Ends the session of this browser.
    pub async fn out(&self, visit: &Visit, archive: &dyn Archive) -> Answer {
        if let Some(key) = visit.cookie(cookie_name(visit)).and_then(|token| self.auth.sessions.end(token)) {
            self.forget(archive, vec![key]).await;
        }
        let gone = format!("{}=; {}; Max-Age=0", cookie_name(visit), attributes(visit));
        answer::with(answer::see_other(&visit.links.sign_in()), header::SET_COOKIE, &gone)
    }

    /// A password for a status page.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when the page does not ask for one, and those of too many attempts.
    pub async fn to_page(&self, visit: &Visit, slug: &PageSlug, pages: &Pages) -> Result<Answer, Refusal> {
        let hash = pages.password_of(slug).ok_or(Refusal::NotFound)?;
        let account = format!("page {slug}");
        let address = limit_address(visit);
        self.throttle.attempt(address, &account, visit.now.mono).map_err(Refusal::TooMany)?;
        let password = visit.field("password").unwrap_or_default();
        if !self.passwords.verify(password, Some(&hash)).await.map_err(|_| Refusal::Busy)? {
            let language = pages.language(slug, visit.header("accept-language").unwrap_or_default());
            let form = sign_in::page_password(&visit.links, &visit.links.status(slug), phrases(language), true);
            return Ok(answer::page(StatusCode::UNAUTHORIZED, form));
        }
        self.throttle.succeeded(address, &account);
        let pass = pages.pass(slug, &hash, visit.now.wall);
        let cookie = format!("{}={pass}; {}; Max-Age={}", pass_cookie(slug), attributes(visit), PAGE_PASS_AGE.as_secs());
        Ok(answer::with(answer::see_other(&visit.links.status(slug)), header::SET_COOKIE, &cookie))
    }

    /// Notes the last use of a session in the store. In memory it is noted already, so nobody waits for a store that stalls.
    pub async fn save(&self, archive: &dyn Archive, row: SessionRow) {
        match tokio::time::timeout(SESSION_WRITE_TIMEOUT, archive.session_put(row)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last use of a session is not on disk: {error}"),
            Err(_) => tracing::warn!("the last use of a session is not on disk: no answer within {SESSION_WRITE_TIMEOUT:?}"),
        }
    }

    /// Deletes sessions from the store; what fails or takes too long is tried again by the next sweep. In memory they are gone
    /// already.
    pub async fn forget(&self, archive: &dyn Archive, keys: Vec<SessionKey>) {
        if keys.is_empty() {
            return;
        }
        match tokio::time::timeout(SESSION_WRITE_TIMEOUT, archive.sessions_delete(keys.clone())).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(%error, "ended sessions are still in the database: {error}"),
            Err(_) => tracing::warn!("ended sessions are still in the database: no answer within {SESSION_WRITE_TIMEOUT:?}"),
        }
        self.auth.sessions.delete_later(keys);
    }

    async fn begin(&self, visit: &Visit, user: &str, config: &AuthConfig, archive: &dyn Archive) -> Result<Answer, Refusal> {
        let credential = credential_of(user, config).unwrap_or_default();
        let begun = self.auth.sessions.begin(user, &credential, visit.now.wall);
        let begun = begun.map_err(|error| Refusal::Internal(format!("no randomness for a session: {error}")))?;
        // The token is always a new one: whatever was in the cookie before ends here.
        let before = visit.cookie(cookie_name(visit)).and_then(|token| self.auth.sessions.end(token));
        let gone = before.into_iter().chain(begun.evicted).collect();
        // Signing in must work when the disk is full or stalls: that is when it is needed most.
        match tokio::time::timeout(SIGN_IN_WRITE_TIMEOUT, archive.session_put(begun.row)).await {
            Ok(Ok(())) => self.forget(archive, gone).await,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a session is kept in memory only: {error}");
                self.auth.sessions.delete_later(gone);
            }
            Err(_) => {
                tracing::warn!("a session is kept in memory only: the database did not answer within {SIGN_IN_WRITE_TIMEOUT:?}");
                self.auth.sessions.delete_later(gone);
            }
        }
        tracing::info!(user, "`{user}` signed in");
        let cookie = format!("{}={}; {}; Max-Age={}", cookie_name(visit), begun.token, attributes(visit), SESSION_AGE.as_secs());
        let next = visit.field("next").and_then(own_page).map_or_else(|| visit.links.dashboard(), |path| visit.links.to(&path));
        Ok(answer::with(answer::see_other(&next), header::SET_COOKIE, &cookie))
    }
}

/// The path of one of our own pages, worked out again from the closed list of routes, so that nothing that was sent can lead
/// anywhere else.
fn own_page(path: &str) -> Option<String> {
    match route("GET", path) {
        Ok(Route::Viewer(found)) => found.page_path(),
        Ok(Route::Public(_) | Route::Ping(_) | Route::Healthchecks(_) | Route::Operator(_) | Route::Admin(_) | Route::Local(_))
        | Err(_) => None,
    }
}

fn attributes(visit: &Visit) -> String {
    let secure = if visit.secure { "; Secure" } else { "" };
    format!("Path={}; HttpOnly; SameSite=Lax{secure}", visit.links.cookie_path())
}

/// The control socket has no address; it shares one bucket, and needs no password anyway.
fn limit_address(visit: &Visit) -> IpAddr {
    visit.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_to_come_back_to_is_always_one_of_ours() {
        assert_eq!(own_page("/incidents/abc").as_deref(), Some("/incidents/abc"));
        for evil in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/%09/evil.example",
            "javascript:alert(1)",
            "/sign-out",
            "/api/v1/status",
            "",
        ] {
            assert_eq!(own_page(evil), None, "{evil}");
        }
    }
}
