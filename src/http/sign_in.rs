//! Signing in and out.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use hyper::StatusCode;
use hyper::header;

use crate::config::Auth as AuthConfig;
use crate::config::Config;
use crate::config::OWNER;
use crate::http::answer;
use crate::http::answer::Answer;
use crate::http::archive::Archive;
use crate::http::auth::Auth;
use crate::http::auth::cookie_name;
use crate::http::auth::credential_of;
use crate::http::error::Refusal;
use crate::http::error::whole_seconds;
use crate::http::limits::PAGE_PASS_AGE;
use crate::http::limits::SESSION_AGE;
use crate::http::limits::SESSION_WRITE_TIMEOUT;
use crate::http::limits::SIGN_IN_WRITE_TIMEOUT;
use crate::http::next::own_page;
use crate::http::oidc;
use crate::http::oidc::Oidc;
use crate::http::oidc::Stop;
use crate::http::one_time::OneTimeLinks;
use crate::http::pages::Pages;
use crate::http::password::Passwords;
use crate::http::sessions::Kept;
use crate::http::sessions::SessionKey;
use crate::http::sessions::Who;
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
    oidc: Oidc,
}

impl SignIn {
    /// Nobody has tried yet.
    #[must_use]
    pub fn new(auth: Auth, oidc: Oidc) -> SignIn {
        SignIn { auth, links: OneTimeLinks::default(), throttle: Throttle::default(), passwords: Passwords::default(), oidc }
    }

    /// The sign-in page.
    #[must_use]
    pub fn page(&self, visit: &Visit, config: &AuthConfig, pages: &Pages, complaint: Option<(StatusCode, &str)>) -> Answer {
        let ways = match (config.users.is_empty(), &config.proxy, &config.oidc) {
            (false, _, _) => Ways::Password,
            (true, Some(_), _) => Ways::Proxy,
            (true, None, Some(_)) => Ways::Provider,
            (true, None, None) => Ways::LinkOnly,
        };
        let next = next_page(visit);
        let provider = config.oidc.as_ref().map(|oidc| (oidc.name.clone(), visit.links.sign_in_at_provider(next.as_deref())));
        let listed = pages.listed().into_iter().map(|(title, slug)| (title, visit.links.status(&slug))).collect();
        let status = complaint.map_or(StatusCode::OK, |(status, _)| status);
        let complaint = complaint.map(|(_, text)| text.to_owned());
        answer::page(status, sign_in::page(&visit.links, &SignInView { ways, provider, complaint, next, pages: listed }))
    }

    /// A name and a password.
    ///
    /// # Errors
    /// [`Refusal`] when there is too much to do.
    pub async fn by_password(&self, visit: &Visit, config: &AuthConfig, pages: &Pages, archive: &dyn Archive) -> Result<Answer, Refusal> {
        let name = visit.field("name").unwrap_or_default();
        let password = visit.field("password").unwrap_or_default();
        let address = limit_address(visit);
        if let Err(wait) = self.throttle.attempt(address, name, visit.now.mono) {
            let (wait, status) = (whole_seconds(wait), StatusCode::TOO_MANY_REQUESTS);
            let again = self.page(visit, config, pages, Some((status, &format!("Too many attempts. Try again in {wait} s."))));
            return Ok(answer::with(again, header::RETRY_AFTER, &wait.to_string()));
        }
        let user = config.users.iter().find(|user| user.name == name);
        // A name that nobody has is checked against somebody's hash all the same, so that it takes as long.
        let stand_in = user.or(config.users.first()).map(|user| &user.password_hash);
        let fits = self.passwords.verify(password, stand_in).await.map_err(|_| Refusal::Busy)?;
        match user.filter(|_| fits) {
            Some(user) => {
                self.throttle.succeeded(address, name);
                let who = Who { user: user.name.clone(), said: None };
                self.begin(visit, (who, Way::Password, next_page(visit)), config, archive).await
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
            let who = Who { user: OWNER.to_owned(), said: None };
            self.begin(visit, (who, Way::Link, next_page(visit)), config, archive).await
        } else {
            Ok(answer::page(StatusCode::GONE, sign_in::link_gone(&visit.links)))
        }
    }

    /// Begins to sign in at the provider of identities, if there is one.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] when there is none.
    pub async fn to_provider(&self, visit: &Visit, config: &Config, pages: &Pages) -> Result<Answer, Refusal> {
        let oidc = config.auth.oidc.as_ref().ok_or(Refusal::NotFound)?;
        let begun = self.oidc.begin(visit, config, oidc, next_page(visit)).await;
        Ok(begun.unwrap_or_else(|stop| self.stopped(visit, &config.auth, pages, stop)))
    }

    /// Somebody comes back from the provider of identities.
    ///
    /// # Errors
    /// [`Refusal`] when there is no provider, or there were too many attempts.
    pub async fn from_provider(&self, visit: &Visit, config: &Config, pages: &Pages, archive: &dyn Archive) -> Result<Answer, Refusal> {
        let oidc = config.auth.oidc.as_ref().ok_or(Refusal::NotFound)?;
        let ticket = match self.oidc.ticket(visit, oidc) {
            Ok(ticket) => ticket,
            Err(stop) => return Ok(self.stopped(visit, &config.auth, pages, stop)),
        };
        // Every attempt from here on is a request to the provider.
        let address = limit_address(visit);
        let account = format!("provider, from {address}");
        self.throttle.attempt(address, &account, visit.now.mono).map_err(Refusal::TooMany)?;
        let answer = match self.oidc.person(visit, config, oidc, &ticket).await {
            Ok(person) => {
                self.throttle.succeeded(address, &account);
                let said = Kept::new(person.said).map_err(|error| Refusal::Internal(error.to_string()))?;
                let who = Who { user: person.name, said: Some(said) };
                self.begin(visit, (who, Way::Provider, ticket.next.as_deref().and_then(own_page)), &config.auth, archive).await?
            }
            Err(stop) => {
                if stop.is_no_attempt() {
                    self.throttle.take_back(address, &account);
                }
                self.stopped(visit, &config.auth, pages, stop)
            }
        };
        Ok(oidc::used(visit, answer))
    }

    fn stopped(&self, visit: &Visit, config: &AuthConfig, pages: &Pages, stop: Stop) -> Answer {
        let name = config.oidc.as_ref().map(|oidc| oidc.name.as_str()).unwrap_or_default();
        self.page(visit, config, pages, Some((stop.status(), &stop.text(name))))
    }

    /// Ends the session of this browser.
    pub async fn out(&self, visit: &Visit, config: &AuthConfig, archive: &dyn Archive) -> Answer {
        let ended = visit.cookie(cookie_name(visit)).and_then(|token| self.auth.sessions.end(token));
        if let Some(row) = &ended {
            self.forget(archive, vec![row.token_hash]).await;
        }
        let gone = format!("{}=; {}; Max-Age=0", cookie_name(visit), visit.cookie_attributes());
        // The provider would let them in again without a question, so they are shown the way out of there too. A form of ours may not lead to it.
        let way_out = match (&config.oidc, ended.is_some_and(|row| row.said.is_some())) {
            (Some(oidc), true) => self.oidc.way_out(oidc).map(|href| (oidc, href)),
            (Some(_) | None, _) => None,
        };
        let answer = match way_out {
            Some((oidc, href)) => answer::page(StatusCode::OK, sign_in::signed_out(&visit.links, &oidc.name, &href)),
            None => answer::see_other(&visit.links.sign_in()),
        };
        answer::with(answer, header::SET_COOKIE, &gone)
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
        let cookie = format!("{}={pass}; {}; Max-Age={}", pass_cookie(slug), visit.cookie_attributes(), PAGE_PASS_AGE.as_secs());
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

    /// Begins a session, and sends the browser on to `next`, which is a page of ours, or to the dashboard.
    async fn begin(
        &self,
        visit: &Visit,
        (who, way, next): (Who, Way, Option<String>),
        config: &AuthConfig,
        archive: &dyn Archive,
    ) -> Result<Answer, Refusal> {
        let said = way.said(&who);
        let credential = credential_of(&who, config).unwrap_or_default();
        let begun = self.auth.sessions.begin(who, &credential, visit.now.wall);
        let begun = begun.map_err(|error| Refusal::Internal(format!("no randomness for a session: {error}")))?;
        // The token is always a new one: whatever was in the cookie before ends here.
        let before = visit.cookie(cookie_name(visit)).and_then(|token| self.auth.sessions.end(token)).map(|row| row.token_hash);
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
        tracing::info!(way = way.word(), "{said}");
        let cookie = format!("{}={}; {}; Max-Age={}", cookie_name(visit), begun.token, visit.cookie_attributes(), SESSION_AGE.as_secs());
        let next = next.map_or_else(|| visit.links.dashboard(), |path| visit.links.to(&path));
        Ok(answer::with(answer::see_other(&next), header::SET_COOKIE, &cookie))
    }
}

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Password,
    Link,
    Provider,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Way::Password => "password",
            Way::Link => "link",
            Way::Provider => "provider",
        }
    }

    /// What the log says. Several people may be called the same at the provider, so it also says as whom it knows them; that is a text of
    /// the provider's, and written so that it cannot look like anything else.
    fn said(self, who: &Who) -> String {
        let user = &who.user;
        match &who.said {
            Some(kept) => format!("`{user}` signed in by the {}, which knows them as {:?}", self.word(), kept.said().subject),
            None => format!("`{user}` signed in by a {}", self.word()),
        }
    }
}

/// Where somebody wants to go afterwards, by the address or by a field of the form.
fn next_page(visit: &Visit) -> Option<String> {
    let query = url::form_urlencoded::parse(visit.query.as_bytes()).find(|(name, _)| name == "next").map(|(_, value)| value.into_owned());
    query.as_deref().or_else(|| visit.field("next")).and_then(own_page)
}

/// The control socket has no address; it shares one bucket, and needs no password anyway.
fn limit_address(visit: &Visit) -> IpAddr {
    visit.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::oidc::claims::Said;

    #[test]
    fn the_log_says_by_which_way_and_as_whom() {
        let said = Said { subject: "4\n2".to_owned(), groups: vec!["staff".to_owned()], email_domain: None };
        let of_provider = Who { user: "ada".to_owned(), said: Some(Kept::new(said).unwrap()) };
        let own = Who { user: "ops".to_owned(), said: None };
        assert_eq!(Way::Provider.said(&of_provider), r#"`ada` signed in by the provider, which knows them as "4\n2""#);
        assert_eq!(Way::Password.said(&own), "`ops` signed in by a password");
        assert_eq!(Way::Link.said(&own), "`ops` signed in by a link");
    }
}
