//! What people wrote about trouble: for programs. A promise like the rest of the API.

use serde::Serialize;

use crate::engine::snapshot::Snapshot;
use crate::model::incident::Incident;
use crate::model::time::UnixMillis;
use crate::model::update::AnnouncementId;
use crate::model::update::AnnouncementTexts;
use crate::model::update::IncidentTexts;
use crate::model::update::Posted;
use crate::model::update::UpdateState;

/// Answer to something that was written.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    /// Always true; failures have another body and status.
    pub done: bool,
    /// By which it is named.
    pub id: String,
    /// Slugs of the status pages that show it now.
    pub pages: Vec<String>,
}

/// Incidents, newest first.
#[derive(Debug, Serialize)]
pub struct Incidents {
    incidents: Vec<IncidentBody>,
}

/// An incident, with what people wrote about it.
#[derive(Debug, Serialize)]
pub struct IncidentBody {
    id: String,
    /// Id of its monitor.
    monitor: String,
    monitor_name: String,
    kind: &'static str,
    opened_at: String,
    closed_at: Option<String>,
    cause: String,
    cause_code: &'static str,
    regions_failing: Vec<String>,
    /// What the newest update says that has a state.
    state: Option<&'static str>,
    updates: Vec<UpdateBody>,
    postmortem: Option<PostmortemBody>,
}

/// Updates and notes of an incident.
#[derive(Debug, Serialize)]
pub struct Updates {
    updates: Vec<UpdateBody>,
    postmortem: Option<PostmortemBody>,
}

#[derive(Debug, Serialize)]
struct UpdateBody {
    id: String,
    /// `update` or `note`.
    kind: &'static str,
    state: Option<&'static str>,
    public: bool,
    /// In the small Markdown.
    text: String,
    by: String,
    at: String,
}

#[derive(Debug, Serialize)]
struct PostmortemBody {
    text: String,
    public: bool,
    by: String,
    at: String,
}

/// Announcements made at run time.
#[derive(Debug, Serialize)]
pub struct Announcements {
    announcements: Vec<AnnouncementBody>,
}

#[derive(Debug, Serialize)]
struct AnnouncementBody {
    id: String,
    title: String,
    state: &'static str,
    /// It is not over, and its time has come.
    open: bool,
    monitors: Vec<String>,
    groups: Vec<String>,
    labels: std::collections::BTreeMap<String, String>,
    pages: Vec<String>,
    from: String,
    until: Option<String>,
    by: String,
    updates: Vec<UpdateBody>,
}

fn update(posted: &Posted) -> UpdateBody {
    let state = posted.update.state();
    UpdateBody {
        id: posted.id.to_string(),
        kind: if state.is_some() { "update" } else { "note" },
        state: state.map(UpdateState::word),
        public: posted.update.is_public(),
        text: posted.update.text.clone(),
        by: posted.update.by.clone(),
        at: posted.update.at.rfc3339(),
    }
}

/// What was written about one incident.
#[must_use]
pub fn updates(texts: Option<&IncidentTexts>) -> Updates {
    let postmortem = texts.and_then(|texts| texts.postmortem.as_ref()).map(|postmortem| PostmortemBody {
        text: postmortem.text.clone(),
        public: postmortem.is_public,
        by: postmortem.by.clone(),
        at: postmortem.at.rfc3339(),
    });
    Updates { updates: texts.map(|texts| texts.updates.iter().map(update).collect()).unwrap_or_default(), postmortem }
}

/// One incident.
#[must_use]
pub fn incident(incident: &Incident, snapshot: &Snapshot) -> IncidentBody {
    let texts = snapshot.texts.incidents.get(&incident.id);
    let newest = texts.and_then(|texts| texts.updates.iter().rev().find_map(|posted| posted.update.state()));
    let Updates { updates, postmortem } = updates(texts);
    IncidentBody {
        id: incident.id.to_string(),
        monitor: incident.monitor.to_string(),
        monitor_name: incident.monitor_name.clone(),
        kind: incident.lane.word(),
        opened_at: incident.opened_at.rfc3339(),
        closed_at: incident.closed.map(|closed| closed.at.rfc3339()),
        cause: incident.cause.to_string(),
        cause_code: incident.cause.code(),
        regions_failing: incident.regions.failing.iter().map(ToString::to_string).collect(),
        state: newest.map(UpdateState::word),
        updates,
        postmortem,
    }
}

/// Several.
#[must_use]
pub fn incidents(all: &[Incident], snapshot: &Snapshot) -> Incidents {
    Incidents { incidents: all.iter().map(|one| incident(one, snapshot)).collect() }
}

/// All announcements, newest first.
#[must_use]
pub fn announcements(snapshot: &Snapshot, now: UnixMillis) -> Announcements {
    let mut all: Vec<(&AnnouncementId, &AnnouncementTexts)> = snapshot.texts.announcements.iter().collect();
    all.sort_by_key(|(id, texts)| (std::cmp::Reverse(texts.announced.from), *id));
    Announcements { announcements: all.into_iter().map(|(id, texts)| announcement(id, texts, now)).collect() }
}

fn announcement(id: &AnnouncementId, texts: &AnnouncementTexts, now: UnixMillis) -> AnnouncementBody {
    let announced = &texts.announced;
    AnnouncementBody {
        id: id.to_string(),
        title: announced.title.clone(),
        state: texts.state().word(),
        open: announced.from <= now && !texts.is_over(now),
        monitors: announced.wanted.names.clone(),
        groups: announced.wanted.groups.clone(),
        labels: announced.wanted.labels.clone(),
        pages: announced.pages.clone(),
        from: announced.from.rfc3339(),
        until: announced.until.map(UnixMillis::rfc3339),
        by: announced.by.clone(),
        updates: texts.updates.iter().map(update).collect(),
    }
}
