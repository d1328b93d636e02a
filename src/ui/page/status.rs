//! The status page that visitors see.
//!
//! Its view holds only what visitors may know; nothing in it can be turned off afterwards. Complete without a script: browsers
//! that run none are told to fetch it again after a minute.

use std::time::Duration;

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::model::incident::Lane;
use crate::model::page::DarkMode;
use crate::model::page::Link;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::badge;
use crate::ui::component::badge::badge_saying;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::component::bar;
use crate::ui::component::bar::DayBar;
use crate::ui::component::bar::Uptime;
use crate::ui::component::incident::state_of;
use crate::ui::component::maintenance;
use crate::ui::component::maintenance::WindowView;
use crate::ui::component::notice;
use crate::ui::component::notice::AnnouncementView;
use crate::ui::component::updates;
use crate::ui::component::updates::AnnouncedView;
use crate::ui::component::updates::UpdateView;
use crate::ui::layout;
use crate::ui::links::Links;
use crate::ui::text;

/// Everything on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusView {
    /// Addresses.
    pub links: Links,
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
    /// Its groups, in order.
    pub groups: Vec<GroupView>,
    /// Regions with trouble although the verdicts are up; empty when there are none, or when the page does not show regions.
    pub troubled: Vec<String>,
    /// Open incidents, newest first.
    pub open: Vec<PublicIncident>,
    /// Past ones by day, newest first.
    pub past: Vec<PastDay>,
    /// Maintenance windows, open ones first.
    pub maintenance: Vec<WindowView>,
    /// Messages of the operators, newest first.
    pub announcements: Vec<AnnouncementView>,
    /// What was announced at run time, newest first.
    pub announced: Vec<AnnouncedView>,
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
}

/// One service, as visitors know it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceView {
    /// What it is called.
    pub name: String,
    /// How it is.
    pub state: Verdict,
    /// The same in a word that says more, such as "Late", with its look.
    pub said: Option<(Verdict, &'static str)>,
    /// Availability over the days shown.
    pub uptime: Uptime,
    /// Oldest first.
    pub days: Vec<DayBar>,
    /// Of the newest check; `None` when the page does not show it.
    pub response_time: Option<Duration>,
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
    pub diagnosis: Option<&'static str>,
    /// From where it failed; empty when the page does not show it, or there was only one place to look from.
    pub regions: Vec<String>,
    /// What people say of it, newest first.
    pub updates: Vec<UpdateView>,
    /// What was learnt from it.
    pub postmortem: Option<String>,
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

    /// The sentence.
    #[must_use]
    pub fn sentence(self) -> String {
        let is = |n: usize| if n == 1 { "is" } else { "are" };
        let Headline::Counted { n_down, n_degraded, n_unknown, n, n_maintenance, n_regional: _ } = self else {
            return if self == Headline::Stale { "No current data" } else { "Nothing is listed here yet" }.to_owned();
        };
        let services = text::count(n, "service");
        let sentence = match (n_down, n_degraded, n_unknown) {
            (0, 0, 0) if n == 0 => "Monitoring is paused".to_owned(),
            (0, 0, 0) if n_maintenance == n => return format!("{services} {} in maintenance", is(n)),
            (0, 0, 0) if 0 < n_maintenance => {
                return format!("Operational, {n_maintenance} of {services} {} in maintenance", is(n_maintenance));
            }
            (0, 0, 0) => "All systems operational".to_owned(),
            (0, 0, unknown) => format!("The state of {unknown} of {services} is not known"),
            (0, degraded, _) => format!("{degraded} of {services} {} degraded", is(degraded)),
            (down, 0, _) => format!("{down} of {services} {} down", is(down)),
            (down, degraded, _) => format!("{down} of {services} {} down, {degraded} {} degraded", is(down), is(degraded)),
        };
        if 0 < n_maintenance { format!("{sentence}, {n_maintenance} {} in maintenance", is(n_maintenance)) } else { sentence }
    }
}

impl StatusView {
    /// The sentence on top, trouble of a few regions included.
    #[must_use]
    pub fn summary(&self) -> String {
        let sentence = self.headline.sentence();
        let Headline::Counted { n_down, n_degraded, n_unknown, n_regional: n_regional @ 1.., n_maintenance, n } = self.headline else {
            return sentence;
        };
        let place = if self.troubled.is_empty() { "some regions".to_owned() } else { self.troubled.join(", ") };
        let trouble = format!("{} trouble from {place}", if n_regional == 1 { "has" } else { "have" });
        if (n_down, n_degraded, n_unknown, n_maintenance) == (0, 0, 0, 0) {
            format!("Operational, but {n_regional} of {} {trouble}", text::count(n, "service"))
        } else {
            format!("{sentence}, {n_regional} {trouble}")
        }
    }
}

/// The whole page.
#[must_use]
pub fn page(view: &StatusView, now: UnixMillis) -> Markup {
    let theme = match view.dark {
        DarkMode::Auto => None,
        DarkMode::Always => Some("dark"),
        DarkMode::Never => Some("light"),
    };
    let stale = view.headline == Headline::Stale;
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme] {
            (layout::head(&view.links, &view.title, !view.indexed, &own_head(view)))
            body.public.stale[stale] {
                main.status data-refresh="30" {
                    header {
                        @if let Some(src) = &view.logo { img.logo src=(src) alt=""; }
                        h1 { (view.title) }
                    }
                    (headline(view, now))
                    @for item in &view.announced { (updates::announcement(item, now)) }
                    @for item in &view.announcements { (notice::announcement(item)) }
                    @if !view.open.is_empty() {
                        section { h2 { "Open incidents" } @for incident in &view.open { (incident_line(incident, now)) } }
                    }
                    (maintenance::list(&view.maintenance, now))
                    @for item in &view.groups { (group(item)) }
                    (matrix(&view.groups))
                    (past(&view.past, now))
                    (footer(view))
                }
            }
        }
    }
}

/// What the head of a status page has besides: its own style sheet, and a way to stay current without a script.
fn own_head(view: &StatusView) -> Markup {
    html! {
        @if let Some(href) = &view.stylesheet { link rel="stylesheet" href=(href); }
        noscript { meta http-equiv="refresh" content="60"; }
    }
}

fn headline(view: &StatusView, now: UnixMillis) -> Markup {
    let state = view.headline.state();
    html! {
        div.headline.(class(state)) role="status" {
            (shape(state))
            div {
                p.verdict { (view.summary()) }
                p.as-of {
                    @match view.as_of {
                        Some(at) if view.headline == Headline::Stale => { "The newest data is of " (text::time(at)) ", what is shown below may be over." },
                        Some(at) => { "As of " (text::time(at)) " (" (text::ago(at, now)) ")" },
                        None => { "Nothing was checked yet" },
                    }
                }
            }
        }
    }
}

fn group(group: &GroupView) -> Markup {
    html! {
        section.group {
            h2 { (group.name) }
            ul.services { @for item in &group.services { li { (service(item)) } } }
        }
    }
}

fn service(service: &ServiceView) -> Markup {
    html! {
        div.service-head {
            span.name { (service.name) }
            @if let Some(took) = service.response_time { span.quiet { (text::latency(took)) @if let Some(region) = &service.response_from { " from " (region) } } }
            @match service.said { Some((look, word)) => (badge_saying(look, word)), None => (badge(service.state)) }
        }
        @if let Some(target) = &service.target { p.quiet.target { (target) } }
        @if let Some(error) = &service.error { p.cause { (error) } }
        @if !service.regions_failing.is_empty() { p.quiet { "Failing from " (service.regions_failing.join(", ")) } }
        @if !service.days.is_empty() {
            (bar::days(&service.days))
            div.days-legend { span { (text::count(service.days.len(), "day")) } (bar::uptime(service.uptime)) span { "today" } }
        }
    }
}

/// What each region says of each service. Nothing without regions; on a narrow screen it is scrolled.
fn matrix(groups: &[GroupView]) -> Markup {
    let services = || groups.iter().flat_map(|group| &group.services).filter(|service| !service.regions.is_empty());
    let Some(first) = services().next() else { return html! {} };
    html! {
        section {
            h2 { "Regions" }
            div.scroll tabindex="0" { table.matrix {
                thead { tr { th { span.sr-only { "Service" } } @for cell in &first.regions { th scope="col" { (cell.region) } } } }
                tbody {
                    @for service in services() {
                        tr {
                            th scope="row" { (service.name) }
                            @for cell in &service.regions { td { @match cell.state { Some(state) => (badge(state)), None => span.quiet title="Not checked from here" { "–" span.sr-only { " not checked from here" } } } } }
                        }
                    }
                }
            } }
        }
    }
}

fn incident_line(incident: &PublicIncident, now: UnixMillis) -> Markup {
    let kind = match incident.lane {
        Lane::Outage => "Outage",
        Lane::Degradation => "Degraded",
        Lane::Regional => "Regional trouble",
    };
    let end = incident.closed_at.unwrap_or(now);
    html! {
        article.incident.(class(if incident.closed_at.is_some() { Verdict::Unknown } else { state_of(incident.lane) })) {
            h3 { (incident.service) span.quiet { " " (kind) } }
            p {
                (text::time(incident.opened_at)) ", "
                @if incident.closed_at.is_some() { "lasted " } @else { "for " }
                (text::coarse(end.since(incident.opened_at)))
            }
            @if !incident.regions.is_empty() { p { "Failing from " (incident.regions.join(", ")) } }
            @if let Some(cause) = &incident.cause { p.cause { (cause) } }
            @if let Some(diagnosis) = incident.diagnosis { p.quiet { "Diagnosis: " (diagnosis) "." } }
            (updates::list(&incident.updates, now))
            (updates::postmortem(incident.postmortem.as_deref()))
        }
    }
}

fn past(days: &[PastDay], now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "Past incidents" }
            @if days.is_empty() { p.quiet { "None in the time shown." } }
            @for day in days { div.past-day { h3.date { (day.date) } @for incident in &day.incidents { (incident_line(incident, now)) } } }
        }
    }
}

fn footer(view: &StatusView) -> Markup {
    html! {
        footer.quiet {
            @for link in &view.footer { a href=(link.url) rel="noopener" { (link.title) } " " }
            span { "Monitored by vigilmon" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(headline.sentence(), sentence);
        }
    }

    #[test]
    fn maintenance_is_said_and_is_no_trouble() {
        let counted = |n_down, n_degraded, n_unknown, n_maintenance| {
            let headline = Headline::Counted { n_down, n_degraded, n_unknown, n_regional: 0, n_maintenance, n: 12 };
            (headline.sentence(), headline.state())
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
            (StatusView { headline, troubled, ..empty() }.summary(), headline.state())
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

    fn empty() -> StatusView {
        StatusView {
            links: Links::new(""),
            title: String::new(),
            indexed: false,
            dark: DarkMode::Auto,
            stylesheet: None,
            logo: None,
            headline: Headline::Empty,
            as_of: None,
            groups: Vec::new(),
            troubled: Vec::new(),
            open: Vec::new(),
            past: Vec::new(),
            maintenance: Vec::new(),
            announcements: Vec::new(),
            announced: Vec::new(),
            footer: Vec::new(),
        }
    }

    #[test]
    fn stale_data_is_never_called_operational() {
        assert_eq!(Headline::Stale.state(), Verdict::Unknown);
    }
}
