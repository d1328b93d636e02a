//! The status page that visitors see, in the language they are spoken to in.
//!
//! Its view holds only what visitors may know; nothing in it can be turned off afterwards. Complete without a script: browsers
//! that run none are told to fetch it again after a minute. It has a style sheet and a script of its own, `ui/status.css` and
//! `ui/status.js`, so that a crowd on phones is not sent what only operators need.

pub mod calendar;
mod days;
mod events;
pub mod feed;
mod regions;
mod services;
pub mod widget;

use std::time::Duration;

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::model::incident::Lane;
use crate::model::page::DarkMode;
use crate::model::page::Link;
use crate::model::time::UnixMillis;
use crate::model::verdict::Diagnosis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::bar::DayBar;
use crate::ui::component::bar::Uptime;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::notice::AnnouncementView;
use crate::ui::component::updates::AnnouncedView;
use crate::ui::component::updates::UpdateView;
use crate::ui::language::Counts;
use crate::ui::language::Detail;
use crate::ui::language::Phrases;
use crate::ui::language::subscribing::subscribing;
use crate::ui::links::Links;
use crate::ui::text;

/// Seconds after which the script fetches the page again: half of the usual interval, so that a change is seen within it.
const REFRESH_S: u32 = 30;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusView {
    /// Addresses.
    pub links: Links,
    /// Where the page is.
    pub address: String,
    /// Where its feed of incidents is.
    pub feed: String,
    /// Where its calendar of maintenance is.
    pub calendar: String,
    /// Where one subscribes to it; `None`: nowhere.
    pub subscribe: Option<String>,
    /// Heading.
    pub title: String,
    /// Search engines may list it.
    pub indexed: bool,
    /// Light, dark, or what the visitor's system says.
    pub dark: DarkMode,
    /// Address of the page's own style sheet.
    pub stylesheet: Option<String>,
    /// Address of its picture.
    pub logo: Option<String>,
    /// How things stand.
    pub headline: Headline,
    /// When this was true; `None` before the first check.
    pub as_of: Option<UnixMillis>,
    /// When that will be too long ago, unless newer data comes; `None` before the first check.
    pub old_at: Option<UnixMillis>,
    /// Its groups, in order.
    pub groups: Vec<GroupView>,
    /// Regions with trouble although the verdicts are up; empty when there are none, or when the page does not show regions.
    pub troubled: Vec<String>,
    /// Open incidents, newest first.
    pub open: Vec<PublicIncident>,
    /// Past ones by day, newest first.
    pub past: Vec<PastDay>,
    /// Maintenance windows of the next days, open ones first.
    pub maintenance: Vec<WindowView>,
    /// Messages of the operators, newest first.
    pub announcements: Vec<AnnouncementView>,
    /// What was announced at run time, newest first.
    pub announced: Vec<AnnouncedView>,
    /// What was, and ended lately, newest first.
    pub past_announced: Vec<AnnouncedView>,
    /// Links in the footer.
    pub footer: Vec<Link>,
}

/// How things stand, from which the sentence on top is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headline {
    /// The page lists nothing.
    Empty,
    /// The newest data is too old to say anything.
    Stale,
    /// So many of all are in trouble.
    Counted {
        /// Down.
        n_down: usize,
        /// Degraded.
        n_degraded: usize,
        /// Unknown.
        n_unknown: usize,
        /// Up, and failing from some regions.
        n_regional: usize,
        /// In maintenance.
        n_maintenance: usize,
        /// All that are not paused.
        n: usize,
    },
}

/// A group of services.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// Heading.
    pub name: String,
    /// In order.
    pub services: Vec<ServiceView>,
    /// Shown unfolded, or folded; `None`: as it needs to be.
    pub is_open: Option<bool>,
}

/// One service, as visitors know it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// What it is called.
    pub name: String,
    /// How it is.
    pub state: Verdict,
    /// It is up, and failing from some regions.
    pub is_regional: bool,
    /// What its state does not say, and how that looks.
    pub detail: Option<(Verdict, Detail)>,
    /// Availability over the days shown.
    pub uptime: Uptime,
    /// Oldest first.
    pub days: Vec<DayBar>,
    /// Of the newest check; `None` when the page does not show it.
    pub response_time: Option<Duration>,
    /// Of the last checks, oldest first, `None` for those without an answer; empty when the page does not show them.
    pub response_times: Vec<Option<Duration>>,
    /// From where that was measured; `None` when the page does not show it, or there is only one region.
    pub response_from: Option<String>,
    /// `None` when the page does not show it.
    pub target: Option<String>,
    /// Why it is not up; `None` when the page does not show it.
    pub error: Option<String>,
    /// From where it fails; empty when the page does not show it.
    pub regions_failing: Vec<String>,
    /// What each region says, in the order of the config; empty when the page does not show it, or there is only one.
    pub regions: Vec<RegionCell>,
}

/// What one region says of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionCell {
    /// Where.
    pub region: String,
    /// What; `None` when it is not checked from there.
    pub state: Option<Verdict>,
}

/// An incident, as visitors know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIncident {
    /// Tells it apart from others of the page, for ever; says nothing else.
    pub key: String,
    /// Name of the service.
    pub service: String,
    /// What kind.
    pub lane: Lane,
    /// Since when.
    pub opened_at: UnixMillis,
    /// Until when.
    pub closed_at: Option<UnixMillis>,
    /// Why; `None` when the page does not show it.
    pub cause: Option<String>,
    /// Where the trouble is; `None` when the page does not show it.
    pub diagnosis: Option<Diagnosis>,
    /// From where it failed; empty when the page does not show it, or there was only one place to look from.
    pub regions: Vec<String>,
    /// What people say of it, newest first.
    pub updates: Vec<UpdateView>,
    /// What was learnt from it.
    pub postmortem: Option<LearntText>,
}

/// What was learnt from an incident, as visitors may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearntText {
    /// In the small Markdown.
    pub text: String,
    /// When it was written last.
    pub at: UnixMillis,
}

/// Where on the page an incident or an announcement made at run time is, by its key.
fn anchor(key: &str) -> String {
    // Names of elements begin with a letter, so that style sheets can speak of them.
    format!("e-{key}")
}

/// Incidents that began on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDay {
    /// `2026-06-30`, in UTC.
    pub date: String,
    /// Newest first.
    pub incidents: Vec<PublicIncident>,
}

impl Headline {
    /// The state it stands for.
    #[must_use]
    pub fn state(self) -> Verdict {
        match self {
            Headline::Empty | Headline::Stale => Verdict::Unknown,
            Headline::Counted { n_down: 1.., .. } => Verdict::Down,
            Headline::Counted { n_degraded: 1.., .. } | Headline::Counted { n_unknown: 0, n_regional: 1.., .. } => Verdict::Degraded,
            Headline::Counted { n_unknown: 1.., .. } => Verdict::Unknown,
            Headline::Counted { n: 0, .. } => Verdict::Paused,
            Headline::Counted { n_maintenance: 1.., .. } => Verdict::Maintenance,
            Headline::Counted { .. } => Verdict::Up,
        }
    }

    /// The sentence, without trouble of a few regions.
    #[must_use]
    pub fn sentence(self, p: &Phrases) -> String {
        match self {
            Headline::Empty => p.nothing_listed.to_owned(),
            Headline::Stale => p.no_current_data.to_owned(),
            Headline::Counted { n: 0, .. } => p.all_paused.to_owned(),
            Headline::Counted { n_down: 0, n_degraded: 0, n_unknown: 0, n_maintenance: 0, .. } => p.all_operational.to_owned(),
            Headline::Counted { n_down, n_degraded, n_unknown, n_maintenance, n, n_regional: _ } => {
                (p.counted)(Counts { n_down, n_degraded, n_unknown, n_maintenance, n })
            }
        }
    }
}

impl ServiceView {
    /// How it looks beside the others: trouble of a few regions is trouble.
    #[must_use]
    pub fn look(&self) -> Verdict {
        if self.is_regional { Verdict::Degraded } else { self.detail.map_or(self.state, |(look, _)| look) }
    }
}

impl StatusView {
    /// The sentence on top, trouble of a few regions included.
    #[must_use]
    pub fn summary(&self, p: &Phrases) -> String {
        let sentence = self.headline.sentence(p);
        let Headline::Counted { n_down, n_degraded, n_unknown, n_regional: n_regional @ 1.., n_maintenance, n } = self.headline else {
            return sentence;
        };
        let place = if self.troubled.is_empty() { p.some_regions.to_owned() } else { self.troubled.join(p.comma) };
        if (n_down, n_degraded, n_unknown, n_maintenance) == (0, 0, 0, 0) {
            (p.operational_but)(n_regional, n, &place)
        } else {
            format!("{sentence}{}", (p.and_regional)(n_regional, &place))
        }
    }
}

/// How bad a state is beside others: the first is told first.
#[must_use]
pub fn severity(state: Verdict) -> u8 {
    match state {
        Verdict::Down => 0,
        Verdict::Degraded => 1,
        Verdict::Unknown => 2,
        Verdict::Maintenance => 3,
        Verdict::Up => 4,
        Verdict::Paused => 5,
    }
}

/// The whole page.
#[must_use]
pub fn page(view: &StatusView, p: &Phrases, now: UnixMillis) -> Markup {
    let stale = view.headline == Headline::Stale;
    // As long as it is renewed, the server says whether it is old. A renewal may be late, and one may fail.
    let patience = view.old_at.map(|at| at.since(now).as_secs().max(2 * u64::from(REFRESH_S)));
    html! {
        (DOCTYPE)
        html lang=(p.language.code()) data-theme=[theme(view.dark)] {
            (head(view, p))
            body.public.stale[stale] {
                @if !view.groups.is_empty() { a.skip href={ "#" (services::PLACE) } { (p.skip) } }
                main.status data-refresh=(REFRESH_S) data-fresh=[patience] data-days=(days::words(p)) {
                    header {
                        @if let Some(src) = &view.logo { img.logo src=(src) alt=""; }
                        h1 { (view.title) }
                        @if let Some(href) = &view.subscribe { a.subscribe href=(href) { (subscribing(p.language).subscribe) } }
                    }
                    (headline(view, p, now))
                    p.not-renewed hidden { (p.not_renewed) }
                    (events::announced(&view.announced, p))
                    (events::announcements(&view.announcements, p))
                    (events::open(&view.open, p, now))
                    (events::under_way(&view.maintenance, p, now))
                    (services::groups(&view.groups, p))
                    (regions::matrix(&view.groups, p))
                    (events::planned(&view.maintenance, p, now))
                    (events::past_announced(&view.past_announced, p))
                    (events::past(&view.past, p, now))
                    (footer(view, p))
                }
                // Read out when the sentence on top changes, and only then.
                p.sr-only role="status" {}
            }
        }
    }
}

/// Light or dark, when it is not the visitor's to say.
#[must_use]
pub fn theme(dark: DarkMode) -> Option<&'static str> {
    match dark {
        DarkMode::Auto => None,
        DarkMode::Always => Some("dark"),
        DarkMode::Never => Some("light"),
    }
}

/// The head: what the page is made of, its own style sheet last, so that it wins, and a way to stay current without a script.
fn head(view: &StatusView, p: &Phrases) -> Markup {
    let links = &view.links;
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if !view.indexed { meta name="robots" content="noindex"; }
            title { (view.title) }
            link rel="icon" type="image/svg+xml" href=(links.favicon());
            link rel="stylesheet" href=(links.asset("status.css"));
            @if let Some(href) = &view.stylesheet { link rel="stylesheet" href=(href); }
            script type="module" src=(links.asset("status.js")) {}
            link rel="alternate" type="application/atom+xml" title=(p.feed) href=(view.feed);
            link rel="alternate" type="text/calendar" title=(p.calendar) href=(view.calendar);
            noscript { meta http-equiv="refresh" content="60"; }
        }
    }
}

fn headline(view: &StatusView, p: &Phrases, now: UnixMillis) -> Markup {
    let state = view.headline.state();
    let (before, after) = if view.headline == Headline::Stale { p.old_as_of } else { p.as_of };
    html! {
        div.headline.(class(state)) {
            (shape(state))
            div {
                p.verdict { (view.summary(p)) }
                p.as-of {
                    @match view.as_of {
                        Some(at) => { (before) (time(at)) (after) @if view.headline != Headline::Stale { " (" (distance(at, p, now)) ")" } },
                        None => { (p.nothing_checked) },
                    }
                }
            }
        }
    }
}

/// A point in time; the script shows it in the reader's zone, and keeps what stands here in the tooltip.
fn time(at: UnixMillis) -> Markup {
    html! { time datetime=(at.rfc3339()) { (minute(at)) } }
}

/// A point in time as text.
fn minute(at: UnixMillis) -> String {
    let utc = text::utc(at);
    let to_minute = utc.rsplit_once(':').map_or(utc.as_str(), |(to_minute, _)| to_minute);
    format!("{to_minute} UTC")
}

/// How far away a point in time is; the script keeps it current.
fn distance(at: UnixMillis, p: &Phrases, now: UnixMillis) -> Markup {
    html! { time data-ago datetime=(at.rfc3339()) { (p.distance(at, now)) } }
}

fn footer(view: &StatusView, p: &Phrases) -> Markup {
    html! {
        footer.quiet {
            @for link in &view.footer { a href=(link.url) rel="noopener" { (link.title) } " " }
            a href=(view.feed) { (p.feed) } " "
            a href=(view.calendar) { (p.calendar) } " "
            span { (p.days_in_utc) } " "
            span { (p.monitored_by) }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::page::Language;
    use crate::ui::language::phrases;

    fn english() -> &'static Phrases {
        phrases(Language::English)
    }

    #[test]
    fn the_sentence_on_top_says_how_things_stand() {
        let counted =
            |n_down, n_degraded, n_unknown, n| Headline::Counted { n_down, n_degraded, n_unknown, n_regional: 0, n_maintenance: 0, n };
        for (headline, sentence) in [
            (counted(0, 0, 0, 12), "All systems operational"),
            (counted(1, 0, 0, 12), "1 of 12 services is down"),
            (counted(3, 2, 1, 12), "3 of 12 services are down, 2 are degraded"),
            (counted(0, 1, 0, 12), "1 of 12 services is degraded"),
            (counted(0, 0, 2, 12), "The state of 2 of 12 services is not known"),
            (counted(1, 0, 0, 1), "1 of 1 service is down"),
            (counted(0, 0, 0, 0), "Monitoring is paused"),
            (Headline::Stale, "No current data"),
            (Headline::Empty, "Nothing is listed here yet"),
        ] {
            assert_eq!(headline.sentence(english()), sentence);
        }
    }

    #[test]
    fn maintenance_is_said_and_is_no_trouble() {
        let counted = |n_down, n_degraded, n_unknown, n_maintenance| {
            let headline = Headline::Counted { n_down, n_degraded, n_unknown, n_regional: 0, n_maintenance, n: 12 };
            (headline.sentence(english()), headline.state())
        };
        for (said, sentence, state) in [
            (counted(0, 0, 0, 1), "Operational, 1 of 12 services is in maintenance", Verdict::Maintenance),
            (counted(0, 0, 0, 12), "12 services are in maintenance", Verdict::Maintenance),
            (counted(1, 0, 0, 2), "1 of 12 services is down, 2 are in maintenance", Verdict::Down),
            (counted(0, 0, 1, 1), "The state of 1 of 12 services is not known, 1 is in maintenance", Verdict::Unknown),
        ] {
            assert_eq!(said, (sentence.to_owned(), state));
        }
    }

    #[test]
    fn trouble_of_a_few_regions_is_said_on_top() {
        let view = |counts: [usize; 5], troubled: &[&str]| {
            let [n_down, n_degraded, n_unknown, n_regional, n] = counts;
            let headline = Headline::Counted { n_down, n_degraded, n_unknown, n_regional, n_maintenance: 0, n };
            let troubled = troubled.iter().map(|name| (*name).to_owned()).collect();
            (StatusView { headline, troubled, ..empty() }.summary(english()), headline.state())
        };
        for (counts, troubled, sentence, state) in [
            ([0, 0, 0, 1, 12], &["us-east"][..], "Operational, but 1 of 12 services has trouble from us-east", Verdict::Degraded),
            ([0, 0, 0, 2, 12], &["us-east", "ap"], "Operational, but 2 of 12 services have trouble from us-east, ap", Verdict::Degraded),
            ([0, 0, 0, 1, 1], &[], "Operational, but 1 of 1 service has trouble from some regions", Verdict::Degraded),
            ([1, 0, 0, 1, 12], &["ap"], "1 of 12 services is down, 1 has trouble from ap", Verdict::Down),
            ([0, 0, 2, 1, 12], &["ap"], "The state of 2 of 12 services is not known, 1 has trouble from ap", Verdict::Unknown),
            ([0, 0, 0, 0, 12], &[], "All systems operational", Verdict::Up),
        ] {
            assert_eq!(view(counts, troubled), (sentence.to_owned(), state));
        }
    }

    /// A page without anything on it.
    pub(crate) fn empty() -> StatusView {
        StatusView {
            links: Links::new(""),
            address: String::new(),
            feed: String::new(),
            calendar: String::new(),
            subscribe: None,
            title: String::new(),
            indexed: false,
            dark: DarkMode::Auto,
            stylesheet: None,
            logo: None,
            headline: Headline::Empty,
            as_of: None,
            old_at: None,
            groups: Vec::new(),
            troubled: Vec::new(),
            open: Vec::new(),
            past: Vec::new(),
            maintenance: Vec::new(),
            announcements: Vec::new(),
            announced: Vec::new(),
            past_announced: Vec::new(),
            footer: Vec::new(),
        }
    }

    #[test]
    fn stale_data_is_never_called_operational() {
        assert_eq!(Headline::Stale.state(), Verdict::Unknown);
    }
}
