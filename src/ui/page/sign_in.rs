//! Signing in: by password, by a one-time link, or to a single status page.

use maud::Markup;
use maud::html;

use crate::ui::language::Phrases;
use crate::ui::layout;
use crate::ui::links::Links;

/// Everything on the sign-in page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInView {
    /// How one can sign in.
    pub ways: Ways,
    /// A provider of identities: its name, and the way there.
    pub provider: Option<(String, String)>,
    /// Why the attempt before did not work.
    pub complaint: Option<String>,
    /// Where to go afterwards; an own address, worked out again from a closed list of routes.
    pub next: Option<String>,
    /// Public status pages: title and address.
    pub pages: Vec<(String, String)>,
}

/// How one can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// Local users are configured.
    Password,
    /// A proxy signs people in.
    Proxy,
    /// A provider of identities does, and nobody else.
    Provider,
    /// Nobody is configured: only a one-time link helps.
    LinkOnly,
}

/// Signing in.
#[must_use]
pub fn page(links: &Links, view: &SignInView) -> Markup {
    let content = html! {
        h1 { "vigilmon" }
        @if !view.pages.is_empty() {
            section { h2 { "Status pages" } ul.plain { @for (title, href) in &view.pages { li { a href=(href) { (title) } } } } }
        }
        section {
            h2 { "Sign in" }
            @if let Some(complaint) = &view.complaint { p.cause role="alert" { (complaint) } }
            @if let Some((name, href)) = &view.provider { p { a.provider href=(href) { "Sign in with " (name) } } }
            @match view.ways {
                Ways::Password if view.provider.is_some() => { p.quiet { "Or with a password:" } (password_form(links, view.next.as_deref())) },
                Ways::Password => (password_form(links, view.next.as_deref())),
                Ways::Proxy => p { "Sign-in is done by the proxy in front of vigilmon. This request came without its header; open vigilmon by its public address." },
                Ways::Provider => {},
                Ways::LinkOnly => p { "No users are configured yet. On the machine where vigilmon runs, " code { "vigilmon sign-in-link" } " prints a link that works once." },
            }
        }
    };
    layout::plain(links, "Sign in", &content)
}

fn password_form(links: &Links, next: Option<&str>) -> Markup {
    html! {
        form.stacked method="post" action=(links.sign_in()) {
            @if let Some(next) = next { input type="hidden" name="next" value=(next); }
            label { "Name" input name="name" autocomplete="username" required autofocus; }
            label { "Password" input name="password" type="password" autocomplete="current-password" required; }
            button type="submit" { "Sign in" }
        }
    }
}

/// What opening a one-time link shows: a button, because link previews fetch and must not use the link up.
#[must_use]
pub fn link(links: &Links, token: &str) -> Markup {
    let content = html! {
        h1 { "Sign in to vigilmon" }
        p { "This link works once." }
        form method="post" action=(links.sign_in_link(token)) { button type="submit" { "Sign in" } }
    };
    layout::plain(links, "Sign in", &content)
}

/// After signing out, of who is still signed in at the provider of identities.
#[must_use]
pub fn signed_out(links: &Links, name: &str, href: &str) -> Markup {
    let content = html! {
        h1 { "You are signed out" }
        p { "vigilmon does not know you any more. " (name) " still does, and would let you in again without asking." }
        p { a.provider href=(href) { "Sign out of " (name) " too" } }
        p { a href=(links.sign_in()) { "Sign in again" } }
    };
    layout::plain(links, "Signed out", &content)
}

/// A link that does not work any more.
#[must_use]
pub fn link_gone(links: &Links) -> Markup {
    let content = html! {
        h1 { "This link does not work any more" }
        p { "It was used, or is older than 30 minutes. " code { "vigilmon sign-in-link" } " on the machine where vigilmon runs prints a new one." }
    };
    layout::plain(links, "Sign in", &content)
}

/// Asks for the password of one status page.
#[must_use]
pub fn page_password(links: &Links, action: &str, p: &Phrases, was_wrong: bool) -> Markup {
    let content = html! {
        h1 { (p.password_needed) }
        @if was_wrong { p.cause role="alert" { (p.wrong_password) } }
        form.stacked method="post" action=(action) {
            label { (p.password) input name="password" type="password" autocomplete="current-password" required autofocus; }
            button type="submit" { (p.show_page) }
        }
    };
    layout::plain_in(p.language, links, p.password_needed, &content)
}
