//! What all pages have around their content.

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::model::page::Language;
use crate::model::time::UnixMillis;
use crate::ui::component::notice::Banner;
use crate::ui::component::notice::banner;
use crate::ui::links::Links;

/// Seconds after which a page fetches itself again: half of the usual interval, so that a change is seen within it.
const REFRESH_S: u32 = 30;

/// What pages of operators have beside `app.js`: they keep themselves current, the overview takes keys, and charts
/// say what is below the pointer.
const SCRIPTS: [&str; 3] = ["live.js", "overview.js", "chart.js"];

/// Where in the operator's part a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Dashboard and monitors.
    Monitors,
    /// Heartbeats.
    Heartbeats,
    /// Incidents.
    Incidents,
    /// What nobody is told of for a while.
    Silences,
    /// When failing is expected.
    Maintenance,
    /// Channels and their deliveries.
    Channels,
    /// The config.
    Config,
    /// The nodes of the cluster.
    Peers,
}

impl Section {
    const ALL: [Section; 8] = [
        Section::Monitors,
        Section::Heartbeats,
        Section::Incidents,
        Section::Silences,
        Section::Maintenance,
        Section::Channels,
        Section::Peers,
        Section::Config,
    ];

    fn word(self) -> &'static str {
        match self {
            Section::Monitors => "Monitors",
            Section::Heartbeats => "Heartbeats",
            Section::Incidents => "Incidents",
            Section::Silences => "Silences",
            Section::Maintenance => "Maintenance",
            Section::Channels => "Channels",
            Section::Config => "Config",
            Section::Peers => "Peers",
        }
    }

    fn address(self, links: &Links) -> String {
        match self {
            Section::Monitors => links.dashboard(),
            Section::Heartbeats => links.heartbeats(),
            Section::Incidents => links.incidents(),
            Section::Silences => links.silences(),
            Section::Maintenance => links.maintenance(),
            Section::Channels => links.channels(),
            Section::Config => links.config(),
            Section::Peers => links.peers(),
        }
    }
}

/// What every operator page needs besides its own view.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Addresses.
    pub links: Links,
    /// When the page was made.
    pub now: UnixMillis,
    /// Who is signed in.
    pub user: String,
    /// May change run-time state.
    pub may_operate: bool,
    /// May also do what cannot be taken back.
    pub may_administer: bool,
    /// Proves that a form came from one of our pages.
    pub form_token: String,
    /// Which picture of the engine the page was made of.
    pub revision: String,
    /// There is a cluster, and so a page about it.
    pub has_peers: bool,
    /// There are heartbeats to look at.
    pub has_heartbeats: bool,
    /// What the reader has to be told wherever they are.
    pub banners: Vec<Banner>,
}

impl Frame {
    /// Whether there is anything on that page.
    fn has(&self, section: Section) -> bool {
        match section {
            Section::Heartbeats => self.has_heartbeats,
            Section::Peers => self.has_peers,
            Section::Monitors | Section::Incidents | Section::Silences | Section::Maintenance | Section::Channels | Section::Config => true,
        }
    }
}

/// A page for those who are signed in.
#[must_use]
pub fn operator(frame: &Frame, section: Section, title: &str, content: &Markup) -> Markup {
    around(
        frame,
        section,
        title,
        &html! {
            // Outside of what is renewed and grows grey; the script says here why there is no news.
            p.no-news role="status" {}
            main #content data-refresh=(REFRESH_S) data-live=(frame.revision) data-events=(frame.links.events()) data-sign-in=(frame.links.sign_in()) {
                (banners(frame)) (content)
            }
        },
    )
}

/// A page that is filled in, and stays as it is until it is sent.
#[must_use]
pub fn form(frame: &Frame, section: Section, title: &str, content: &Markup) -> Markup {
    around(frame, section, title, &html! { main #content { (banners(frame)) (content) } })
}

fn banners(frame: &Frame) -> Markup {
    html! { @for item in &frame.banners { (banner(item)) } }
}

fn around(frame: &Frame, section: Section, title: &str, main: &Markup) -> Markup {
    let links = &frame.links;
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(links, title, true, &html! { @for name in SCRIPTS { script type="module" src=(links.asset(name)) {} } }))
            body {
                a.skip href="#content" { "To the content" }
                header.top {
                    a.brand href=(links.dashboard()) { "vigilmon" }
                    nav aria-label="Sections" {
                        @for item in Section::ALL.into_iter().filter(|item| frame.has(*item) || *item == section) {
                            a href=(item.address(links)) aria-current=[(item == section).then_some("page")] { (item.word()) }
                        }
                    }
                    form.sign-out method="post" action=(links.sign_out()) {
                        (form_token(frame)) span.quiet { (frame.user) } " " button.plain type="submit" { "Sign out" }
                    }
                }
                (main)
            }
        }
    }
}

/// A page with little on it: signing in, errors. The same for everybody, so that it says nothing about who is asking.
#[must_use]
pub fn plain(links: &Links, title: &str, content: &Markup) -> Markup {
    plain_in(Language::English, links, title, content)
}

/// The same in another language.
#[must_use]
pub fn plain_in(language: Language, links: &Links, title: &str, content: &Markup) -> Markup {
    plain_like(language, links, title, (None, &html! {}), content)
}

/// The same in the look of a status page: light or dark when that is not the reader's to say, and what comes last in the head.
#[must_use]
pub fn plain_like(language: Language, links: &Links, title: &str, (theme, more): (Option<&str>, &Markup), content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.code()) data-theme=[theme] {
            (head(links, title, true, more))
            body { main.narrow { (content) } }
        }
    }
}

/// The head of a page; `more` comes last, so that a page's own style sheet wins.
#[must_use]
pub fn head(links: &Links, title: &str, hidden_from_search: bool, more: &Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if hidden_from_search { meta name="robots" content="noindex"; }
            title { (title) }
            link rel="icon" type="image/svg+xml" href=(links.favicon());
            link rel="stylesheet" href=(links.asset("style.css"));
            script type="module" src=(links.asset("app.js")) {}
            (more)
        }
    }
}

/// The hidden field that every form of a signed-in page carries.
#[must_use]
pub fn form_token(frame: &Frame) -> Markup {
    html! { input type="hidden" name="form" value=(frame.form_token); }
}
