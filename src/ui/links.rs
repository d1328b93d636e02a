//! Every address that pages link to, in one place, so that hosting below a sub-path cannot be forgotten anywhere.

use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NodeName;
use crate::model::id::PageSlug;
use crate::model::policy::SilenceId;
use crate::model::time::UnixMillis;
use crate::model::update::AnnouncementId;
use crate::model::update::UpdateId;

/// Makes addresses below the base path. Ids are slugs and need no escaping.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    base: String,
}

/// What an operator can ask of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Stop checking until resumed.
    Pause,
    /// Check again.
    Resume,
    /// Check now, besides the schedule.
    Check,
}

impl Act {
    /// Last part of its address.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Act::Pause => "pause",
            Act::Resume => "resume",
            Act::Check => "check",
        }
    }
}

impl Links {
    /// Addresses below `base_path`: empty, or `/x` without a trailing slash.
    #[must_use]
    pub fn new(base_path: &str) -> Links {
        Links { base: base_path.trim_end_matches('/').to_owned() }
    }

    /// The address of `path`, which begins with `/`.
    #[must_use]
    pub fn to(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The path below which everything lies, for cookies.
    #[must_use]
    pub fn cookie_path(&self) -> &str {
        if self.base.is_empty() { "/" } else { &self.base }
    }

    /// The page that depends on who is asking.
    #[must_use]
    pub fn home(&self) -> String {
        self.to("/")
    }

    /// The dashboard.
    #[must_use]
    pub fn dashboard(&self) -> String {
        self.to("/monitors")
    }

    /// One monitor.
    #[must_use]
    pub fn monitor(&self, id: &MonitorId) -> String {
        self.to(&format!("/monitors/{id}"))
    }

    /// Where a form asks for something to be done to a monitor.
    #[must_use]
    pub fn act(&self, id: &MonitorId, act: Act) -> String {
        self.to(&format!("/monitors/{id}/{}", act.word()))
    }

    /// What a ping brought along, as it was.
    #[must_use]
    pub fn ping_body(&self, id: &MonitorId, number: u64) -> String {
        self.to(&format!("/api/v1/monitors/{id}/pings/{number}/body"))
    }

    /// The form for a new monitor, and where it is sent.
    #[must_use]
    pub fn new_monitor(&self) -> String {
        self.to("/new-monitor")
    }

    /// The same for a heartbeat.
    #[must_use]
    pub fn new_heartbeat(&self) -> String {
        self.to("/new-monitor?kind=heartbeat")
    }

    /// All heartbeats.
    #[must_use]
    pub fn heartbeats(&self) -> String {
        self.to("/heartbeats")
    }

    /// Where a form asks for it to be written into the config.
    #[must_use]
    pub fn add_monitor(&self) -> String {
        self.to("/new-monitor/add")
    }

    /// All incidents.
    #[must_use]
    pub fn incidents(&self) -> String {
        self.to("/incidents")
    }

    /// Incidents that are over and stand below this one.
    #[must_use]
    pub fn incidents_before(&self, began: UnixMillis, id: &IncidentId) -> String {
        format!("{}?before={}-{id}", self.incidents(), began.0)
    }

    /// One incident.
    #[must_use]
    pub fn incident(&self, id: &IncidentId) -> String {
        self.to(&format!("/incidents/{id}"))
    }

    /// Where a form says that somebody is at work on an incident.
    #[must_use]
    pub fn acknowledge(&self, id: &IncidentId) -> String {
        self.to(&format!("/incidents/{id}/acknowledge"))
    }

    /// Where a form says that nobody is, after all.
    #[must_use]
    pub fn withdraw(&self, id: &IncidentId) -> String {
        self.to(&format!("/incidents/{id}/withdraw"))
    }

    /// The way to the provider of identities, and afterwards to one of our own pages.
    #[must_use]
    pub fn sign_in_at_provider(&self, next: Option<&str>) -> String {
        let query = next.map(|path| format!("?next={}", query_path(path))).unwrap_or_default();
        format!("{}{query}", self.to("/sign-in/oidc"))
    }

    /// Where a form writes an update of an incident.
    #[must_use]
    pub fn updates(&self, id: &IncidentId) -> String {
        self.to(&format!("/incidents/{id}/updates"))
    }

    /// The page of an incident, with a template in its form.
    #[must_use]
    pub fn incident_template(&self, id: &IncidentId, name: &str) -> String {
        format!("{}?template={}#write", self.incident(id), path_segment(name))
    }

    /// The page of announcements, with a template in the form of the next one.
    #[must_use]
    pub fn announcement_template(&self, name: &str) -> String {
        format!("{}?template={}#announce", self.announcements(), path_segment(name))
    }

    /// The same with a template in the form of what is said of one more.
    #[must_use]
    pub fn announcement_update_template(&self, id: &AnnouncementId, name: &str) -> String {
        format!("{}?about={id}&template={}#say-{id}", self.announcements(), path_segment(name))
    }

    /// Where a form takes one back.
    #[must_use]
    pub fn remove_update(&self, id: &IncidentId, update: &UpdateId) -> String {
        self.to(&format!("/incidents/{id}/updates/{update}/remove"))
    }

    /// Where a form writes a note.
    #[must_use]
    pub fn notes(&self, id: &IncidentId) -> String {
        self.to(&format!("/incidents/{id}/notes"))
    }

    /// Where a form writes a postmortem.
    #[must_use]
    pub fn postmortem(&self, id: &IncidentId) -> String {
        self.to(&format!("/incidents/{id}/postmortem"))
    }

    /// Announcements, and where a form makes one.
    #[must_use]
    pub fn announcements(&self) -> String {
        self.to("/announcements")
    }

    /// Where a form writes an update of an announcement.
    #[must_use]
    pub fn announcement_updates(&self, id: &AnnouncementId) -> String {
        self.to(&format!("/announcements/{id}/updates"))
    }

    /// Where a form takes one back.
    #[must_use]
    pub fn remove_announcement_update(&self, id: &AnnouncementId, update: &UpdateId) -> String {
        self.to(&format!("/announcements/{id}/updates/{update}/remove"))
    }

    /// Silences, and where a form asks for one.
    #[must_use]
    pub fn silences(&self) -> String {
        self.to("/silences")
    }

    /// Maintenance windows.
    #[must_use]
    pub fn maintenance(&self) -> String {
        self.to("/maintenance")
    }

    /// Where a form silences one monitor.
    #[must_use]
    pub fn silence_monitor(&self, id: &MonitorId) -> String {
        self.to(&format!("/monitors/{id}/silence"))
    }

    /// Where a form ends a silence.
    #[must_use]
    pub fn end_silence(&self, id: &SilenceId) -> String {
        self.to(&format!("/silences/{id}/end"))
    }

    /// Where a link in a message leads.
    #[must_use]
    pub fn act_link(&self, token: &str) -> String {
        self.to(&format!("/act/{token}"))
    }

    /// The config page.
    #[must_use]
    pub fn config(&self) -> String {
        self.to("/config")
    }

    /// The delivery log.
    #[must_use]
    pub fn channels(&self) -> String {
        self.to("/channels")
    }

    /// One channel. Its name may be anything, so it is written as a path wants it.
    #[must_use]
    pub fn channel(&self, name: &str) -> String {
        self.to(&format!("/channels/{}", path_segment(name)))
    }

    /// Where a form asks for a test message.
    #[must_use]
    pub fn test_channel(&self, name: &str) -> String {
        format!("{}/test", self.channel(name))
    }

    /// Where a form asks for everything that was given up to be tried again.
    #[must_use]
    pub fn retry_channel(&self, name: &str) -> String {
        format!("{}/retry", self.channel(name))
    }

    /// Where a form asks for one message to be tried again.
    #[must_use]
    pub fn retry_message(&self, channel: &str, id: i64) -> String {
        format!("{}/deliveries/{id}/retry", self.channel(channel))
    }

    /// The peers page.
    #[must_use]
    pub fn peers(&self) -> String {
        self.to("/peers")
    }

    /// Where a form asks for a node to be forgotten.
    #[must_use]
    pub fn forget_node(&self, node: &NodeName) -> String {
        self.to(&format!("/peers/{node}/forget"))
    }

    /// Signing in.
    #[must_use]
    pub fn sign_in(&self) -> String {
        self.to("/sign-in")
    }

    /// The same, and then to one of our own pages.
    #[must_use]
    pub fn sign_in_for(&self, next: Option<&str>) -> String {
        let query = next.map(|path| format!("?next={}", query_path(path))).unwrap_or_default();
        format!("{}{query}", self.sign_in())
    }

    /// Signing in by a one-time link.
    #[must_use]
    pub fn sign_in_link(&self, token: &str) -> String {
        self.to(&format!("/sign-in/link/{token}"))
    }

    /// Signing out.
    #[must_use]
    pub fn sign_out(&self) -> String {
        self.to("/sign-out")
    }

    /// A status page.
    #[must_use]
    pub fn status(&self, slug: &PageSlug) -> String {
        self.to(&format!("/status/{slug}"))
    }

    /// A status page's feed of incidents.
    #[must_use]
    pub fn status_feed(&self, slug: &PageSlug) -> String {
        self.to(&format!("/status/{slug}.atom"))
    }

    /// A status page's calendar of maintenance.
    #[must_use]
    pub fn status_calendar(&self, slug: &PageSlug) -> String {
        self.to(&format!("/status/{slug}.ics"))
    }

    /// Where one subscribes to a status page.
    #[must_use]
    pub fn status_subscribe(&self, slug: &PageSlug) -> String {
        self.to(&format!("/status/{slug}/subscribe"))
    }

    /// Where a subscription is confirmed and ended.
    #[must_use]
    pub fn subscription(&self, token: &str) -> String {
        self.to(&format!("/subscription/{token}"))
    }

    /// A status page's own style sheet; `version` keeps caches honest.
    #[must_use]
    pub fn status_theme(&self, slug: &PageSlug, version: &str) -> String {
        self.to(&format!("/status/{slug}/theme.css?v={version}"))
    }

    /// A status page's own picture.
    #[must_use]
    pub fn status_logo(&self, slug: &PageSlug, version: &str) -> String {
        self.to(&format!("/status/{slug}/logo?v={version}"))
    }

    /// Where pages hear what changes.
    #[must_use]
    pub fn events(&self) -> String {
        self.to("/api/v1/events")
    }

    /// An embedded file by its plain name.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        self.to(&format!("/assets/{}", crate::ui::assets::hashed_name(name)))
    }

    /// The icon of the tab.
    #[must_use]
    pub fn favicon(&self) -> String {
        self.to("/favicon.svg")
    }
}

/// Everything but what RFC 3986 lets stand in any part of an address.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path, in the one way in which routes know it.
#[must_use]
pub fn path_segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A path as the value of a query: what is encoded in it stays encoded when the query is read.
#[must_use]
pub fn query_path(path: &str) -> String {
    const KEPT: &AsciiSet = &RESERVED.remove(b'/');
    utf8_percent_encode(path, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_below_the_base_path() {
        let id = MonitorId::parse("api").expect("an id");
        assert_eq!(Links::new("/watch").act(&id, Act::Pause), "/watch/monitors/api/pause");
        assert_eq!(Links::new("/").monitor(&id), "/monitors/api");
        assert_eq!(Links::new("/watch").retry_message("ops / é", 7), "/watch/channels/ops%20%2F%20%C3%A9/deliveries/7/retry");
        assert_eq!(Links::new("").cookie_path(), "/");
        assert!(Links::new("/watch").asset("style.css").starts_with("/watch/assets/style."));
    }
}
