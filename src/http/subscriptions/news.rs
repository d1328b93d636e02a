//! What a status page says for the first time: the news that its subscribers are told. Pure.
//!
//! They are made of what visitors may read of the page and of nothing else, see [`Bulletin`]. Each has a key that never changes; what was
//! said already is known by it, so that it does not matter how often one looks, nor whether the program ran when it happened.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::http::public::Bulletin;
use crate::http::random::digest;
use crate::model::incident::Lane;
use crate::model::page::AnnouncementKind;
use crate::model::time::UnixMillis;
use crate::model::update::UpdateState;
use crate::store::NEWS_GOOD_FOR;
use crate::store::NewsRow;
use crate::ui::component::updates::UpdateView;
use crate::ui::page::status::PublicIncident;

/// One piece of news. Wire type: a promise to the programs that subscribed, and what is kept of it until all were told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Told {
    /// An incident began.
    IncidentBegan {
        /// Tells it apart from others of the page.
        incident: String,
        /// Name of the service.
        service: String,
        /// `outage`, `degradation` or `regional`.
        kind: String,
        /// When.
        began_at: String,
        /// From where it fails; left out when the page does not show it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        regions: Vec<String>,
        /// Why; left out when the page does not show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// It is over.
    IncidentEnded {
        /// As at its beginning.
        incident: String,
        /// Name of the service.
        service: String,
        /// As at its beginning.
        kind: String,
        /// When it began.
        began_at: String,
        /// When it ended.
        ended_at: String,
        /// In seconds.
        lasted_s: u64,
    },
    /// People said something.
    Update {
        /// Of which incident; left out when it is about an announcement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<String>,
        /// Name of the service, or title of the announcement.
        about: String,
        /// `investigating`, `identified`, `monitoring` or `resolved`.
        state: String,
        /// In the small Markdown.
        text: String,
        /// When.
        at: String,
    },
    /// A message of the operators that is in the config.
    Announcement {
        /// `info`, `warning`, `outage` or `operational`.
        kind: String,
        /// What it says.
        text: String,
        /// Since when.
        at: String,
    },
    /// A maintenance window opened.
    MaintenanceBegan {
        /// What it is called.
        name: String,
        /// What the operators say of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// When it began.
        from: String,
        /// When it ends.
        to: String,
        /// What it covers.
        services: Vec<String>,
    },
}

/// The word of a kind of announcement.
#[must_use]
pub fn kind_word(kind: AnnouncementKind) -> &'static str {
    match kind {
        AnnouncementKind::Info => "info",
        AnnouncementKind::Warning => "warning",
        AnnouncementKind::Outage => "outage",
        AnnouncementKind::Operational => "operational",
    }
}

/// The kind of a word.
#[must_use]
pub fn kind_of(word: &str) -> AnnouncementKind {
    let all = [AnnouncementKind::Warning, AnnouncementKind::Outage, AnnouncementKind::Operational];
    all.into_iter().find(|kind| kind_word(*kind) == word).unwrap_or(AnnouncementKind::Info)
}

/// The lane of a word.
#[must_use]
pub fn lane_of(word: &str) -> Lane {
    Lane::ALL.into_iter().find(|lane| lane.word() == word).unwrap_or(Lane::Outage)
}

/// All that a page says and that is not too old to be news, oldest first.
#[must_use]
pub fn of(bulletin: &Bulletin, now: UnixMillis) -> Vec<NewsRow> {
    let mut all: Vec<(String, UnixMillis, Told)> = Vec::new();
    for incident in bulletin.open.iter().chain(&bulletin.closed) {
        all.extend(of_incident(incident));
    }
    for told in &bulletin.announced {
        let what = short(&format!("announced {} {}", told.from.0, told.title));
        // What was written ahead is said when it begins: before that nobody may read it, and by then it may be older than news get.
        let said = |update: &UpdateView| of_update(update, update.at.max(told.from), (&format!(" {what}"), &told.title), None);
        all.extend(told.updates.iter().map(said));
    }
    for told in &bulletin.announcements {
        let key = format!("{ANNOUNCEMENT} {} {}", told.at.0, short(&told.text));
        let said = Told::Announcement { kind: kind_word(told.kind).to_owned(), text: told.text.clone(), at: told.at.rfc3339() };
        all.push((key, told.at, said));
    }
    for window in bulletin.maintenance.iter().filter(|window| window.is_open) {
        let said = Told::MaintenanceBegan {
            name: window.name.clone(),
            message: window.message.clone(),
            from: window.from.rfc3339(),
            to: window.to.rfc3339(),
            services: window.services.clone(),
        };
        all.push((format!("{MAINTENANCE} {} {}", window.from.0, short(&window.name)), window.from, said));
    }
    all.retain(|(_, at, _)| *at <= now && now.since(*at) < NEWS_GOOD_FOR.saturating_sub(MARGIN));
    // Of what happened at once, a beginning comes before an update and that before the end.
    all.sort_by(|(a_key, a_at, a), (b_key, b_at, b)| (a_at, rank(a), a_key).cmp(&(b_at, rank(b), b_key)));
    // Our own types have text keys and finite numbers only, so this cannot fail; news without a body would be left out where they are read.
    all.into_iter().map(|(key, at, told)| NewsRow { key, at, body: serde_json::to_string(&told).unwrap_or_default() }).collect()
}

/// Of what a page said, what it does not say any more: people have taken it back, or it is over and would be read as if it were not. That an
/// incident began and ended stays true, whatever becomes of it.
///
/// What is said of an incident counts only while the incident itself is found. Between its end and the moment at which it is read from disk it
/// is neither here nor there.
#[must_use]
pub fn withdrawn(said: &BTreeSet<String>, bulletin: &Bulletin, keys: &BTreeSet<String>) -> Vec<String> {
    let is_found = |incident: &str| bulletin.open.iter().chain(&bulletin.closed).any(|known| known.key == incident);
    let is_withdrawn = |key: &&String| match key.split_once(' ') {
        Some((UPDATE, rest)) => rest.split_once(INCIDENT).is_none_or(|(_, incident)| is_found(incident)),
        Some((ANNOUNCEMENT | MAINTENANCE, _)) => true,
        Some(_) | None => false,
    };
    said.difference(keys).filter(is_withdrawn).cloned().collect()
}

/// How keys begin.
const UPDATE: &str = "update";
const ANNOUNCEMENT: &str = "announcement";
const MAINTENANCE: &str = "maintenance";

/// Stands before the incident in the key of an update.
const INCIDENT: &str = " incident ";

/// What was just noted has at least so long to be sent.
const MARGIN: Duration = Duration::from_secs(3600);

fn rank(told: &Told) -> u8 {
    match told {
        Told::MaintenanceBegan { .. } | Told::Announcement { .. } => 0,
        Told::IncidentBegan { .. } => 1,
        Told::Update { .. } => 2,
        Told::IncidentEnded { .. } => 3,
    }
}

fn of_incident(incident: &PublicIncident) -> Vec<(String, UnixMillis, Told)> {
    let (key, service, kind) = (incident.key.clone(), incident.service.clone(), incident.lane.word().to_owned());
    let began_at = incident.opened_at.rfc3339();
    let begun = Told::IncidentBegan {
        incident: key.clone(),
        service: service.clone(),
        kind: kind.clone(),
        began_at: began_at.clone(),
        regions: incident.regions.clone(),
        cause: incident.cause.clone(),
    };
    let mut all = vec![(format!("began {key}"), incident.opened_at, begun)];
    let what = format!("{INCIDENT}{key}");
    all.extend(incident.updates.iter().map(|update| of_update(update, update.at, (&what, &service), Some(&key))));
    if let Some(at) = incident.closed_at {
        let lasted_s = at.since(incident.opened_at).as_secs();
        let over = Told::IncidentEnded { incident: key.clone(), service, kind, began_at, ended_at: at.rfc3339(), lasted_s };
        all.push((format!("ended {key}"), at, over));
    }
    all
}

/// `at` is when people could read it first. The key has the time of writing, which tells updates apart.
fn of_update(update: &UpdateView, at: UnixMillis, (what, about): (&str, &str), incident: Option<&str>) -> (String, UnixMillis, Told) {
    let told = Told::Update {
        incident: incident.map(ToOwned::to_owned),
        about: about.to_owned(),
        state: update.state.word().to_owned(),
        text: update.text.clone(),
        at: at.rfc3339(),
    };
    (format!("{UPDATE} {}{what}", update.at.0), at, told)
}

/// The state of a word.
#[must_use]
pub fn state_of(word: &str) -> UpdateState {
    UpdateState::of_word(word).unwrap_or(UpdateState::Investigating)
}

/// A text of any length as part of a key.
fn short(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&digest(&[b"news of a page", text.as_bytes()])[..12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::component::maintenance::WindowView;
    use crate::ui::component::notice::AnnouncementView;
    use crate::ui::component::updates::AnnouncedView;
    use crate::ui::page::status::LearntText;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

    fn incident(lasting: Option<u64>) -> PublicIncident {
        PublicIncident {
            key: "k1".to_owned(),
            service: "Shop".to_owned(),
            lane: Lane::Outage,
            opened_at: NOON,
            closed_at: lasting.map(|seconds| NOON + Duration::from_secs(seconds)),
            cause: None,
            diagnosis: None,
            regions: Vec::new(),
            updates: Vec::new(),
            postmortem: Some(LearntText { text: "Not for subscribers by itself.".to_owned(), at: NOON }),
        }
    }

    fn keys(bulletin: &Bulletin, after: u64) -> Vec<String> {
        of(bulletin, NOON + Duration::from_secs(after)).into_iter().map(|row| row.key).collect()
    }

    #[test]
    fn an_incident_is_told_from_its_beginning_to_its_end_and_the_keys_stay() {
        let mut open = incident(None);
        let mut bulletin = Bulletin { open: vec![open.clone()], ..Bulletin::default() };
        assert_eq!(keys(&bulletin, 5), ["began k1"]);
        let at = NOON + Duration::from_secs(60);
        open.updates = vec![UpdateView { state: UpdateState::Identified, text: "A *cable*.".to_owned(), at }];
        bulletin.open = vec![open.clone()];
        assert_eq!(keys(&bulletin, 65), ["began k1", &format!("update {} incident k1", at.0)]);
        open.closed_at = Some(at);
        let closed = Bulletin { closed: vec![open], ..Bulletin::default() };
        assert_eq!(
            keys(&closed, 65),
            ["began k1", &format!("update {} incident k1", at.0), "ended k1"],
            "of what is at once the end is last"
        );
    }

    #[test]
    fn what_is_old_or_to_come_is_no_news() {
        let bulletin = Bulletin { closed: vec![incident(Some(60))], ..Bulletin::default() };
        assert_eq!(keys(&bulletin, 30), ["began k1"], "the end has not come by this clock");
        assert_eq!(keys(&bulletin, 22 * 3600).len(), 2);
        assert_eq!(keys(&bulletin, 24 * 3600), Vec::<String>::new());
        let window = |is_open| WindowView {
            name: "Upgrade".to_owned(),
            message: None,
            from: NOON,
            to: NOON + Duration::from_secs(600),
            is_open,
            services: vec!["Shop".to_owned()],
        };
        let planned = Bulletin { maintenance: vec![window(false)], ..Bulletin::default() };
        assert_eq!(keys(&planned, 1), Vec::<String>::new());
        let open = Bulletin { maintenance: vec![window(true)], ..Bulletin::default() };
        assert_eq!(keys(&open, 1).len(), 1);
    }

    #[test]
    fn announcements_of_both_kinds_are_told_once_each() {
        let update = |text: &str, at| UpdateView { state: UpdateState::Resolved, text: text.to_owned(), at };
        let bulletin = Bulletin {
            announcements: vec![AnnouncementView { at: NOON, kind: AnnouncementKind::Warning, text: "We move.".repeat(1000) }],
            announced: vec![AnnouncedView {
                key: "a".to_owned(),
                title: "Payments".to_owned(),
                state: UpdateState::Resolved,
                from: NOON,
                until: None,
                updates: vec![update("Done.", NOON + Duration::from_secs(9)), update("Soon.", NOON)],
            }],
            ..Bulletin::default()
        };
        let found = keys(&bulletin, 10);
        assert_eq!((found.len(), found.iter().all(|key| key.len() < 100)), (3, true), "{found:?}");
        assert_eq!(found, keys(&bulletin, 20));
    }

    #[test]
    fn what_was_announced_days_ahead_is_told_when_it_begins() {
        let update = |text: &str, at| UpdateView { state: UpdateState::Identified, text: text.to_owned(), at };
        let written_at = NOON.minus(Duration::from_secs(3 * 86_400));
        let announced = AnnouncedView {
            key: "a".to_owned(),
            title: "Move".to_owned(),
            state: UpdateState::Identified,
            from: NOON,
            until: None,
            updates: vec![
                update("It goes well.", NOON + Duration::from_secs(60)),
                update("Later than we said.", written_at + Duration::from_secs(9)),
                update("We move.", written_at),
            ],
        };
        let bulletin = Bulletin { announced: vec![announced], ..Bulletin::default() };
        let rows = of(&bulletin, NOON + Duration::from_secs(60));
        let told: Vec<(UnixMillis, String, String)> = rows
            .iter()
            .map(|row| match serde_json::from_str(&row.body) {
                Ok(Told::Update { text, at, .. }) => (row.at, text, at),
                other => panic!("{other:?}"),
            })
            .collect();
        let said = |at: UnixMillis, text: &str| (at, text.to_owned(), at.rfc3339());
        let later = NOON + Duration::from_secs(60);
        assert_eq!(told, [said(NOON, "We move."), said(NOON, "Later than we said."), said(later, "It goes well.")]);
        assert!(rows[0].key.starts_with(&format!("update {} ", written_at.0)), "{rows:?}");
        assert_eq!(keys(&bulletin, 24 * 3600), Vec::<String>::new(), "no longer than other news");
    }

    #[test]
    fn what_people_take_back_is_not_said_any_more_and_what_happened_is() {
        let at = NOON + Duration::from_secs(5);
        let update = |text: &str, at| UpdateView { state: UpdateState::Identified, text: text.to_owned(), at };
        let open = PublicIncident { updates: vec![update("slip", at), update("fine", at + Duration::from_secs(1))], ..incident(None) };
        let notice = AnnouncementView { at: NOON, kind: AnnouncementKind::Info, text: "We move.".to_owned() };
        let announced = AnnouncedView {
            key: "a".to_owned(),
            title: "Move".to_owned(),
            state: UpdateState::Identified,
            from: NOON,
            until: None,
            updates: vec![update("soon", at)],
        };
        let before = Bulletin { open: vec![open.clone()], announcements: vec![notice], announced: vec![announced], ..Bulletin::default() };
        let keys_of = |bulletin: &Bulletin| -> BTreeSet<String> { keys(bulletin, 60).into_iter().collect() };
        let said = keys_of(&before);
        let gone = |now: &Bulletin| withdrawn(&said, now, &keys_of(now));
        assert_eq!(gone(&before), Vec::<String>::new());
        let slip = format!("update {} incident k1", at.0);
        let taken_back = PublicIncident { updates: open.updates[1..].to_vec(), ..open };
        assert_eq!(gone(&Bulletin { open: vec![taken_back.clone()], ..before.clone() }), vec![slip.clone()]);
        let closed = PublicIncident { closed_at: Some(at), ..taken_back };
        assert_eq!(gone(&Bulletin { open: Vec::new(), closed: vec![closed], ..before.clone() }), [slip]);
        assert_eq!(gone(&Bulletin { open: Vec::new(), ..before.clone() }), Vec::<String>::new(), "it has ended and is not read yet");
        let silent = Bulletin { announcements: Vec::new(), announced: Vec::new(), ..before };
        assert_eq!(gone(&silent).len(), 2, "{:?}", gone(&silent));
    }

    #[test]
    fn what_is_kept_is_read_again_as_it_was() {
        let rows = of(&Bulletin { closed: vec![incident(Some(60))], ..Bulletin::default() }, NOON + Duration::from_secs(60));
        let told: Vec<Told> = rows.iter().map(|row| serde_json::from_str(&row.body).expect("news")).collect();
        assert!(matches!(&told[..], [Told::IncidentBegan { cause: None, .. }, Told::IncidentEnded { lasted_s: 60, .. }]), "{told:?}");
        assert!(rows.iter().all(|row| !row.body.contains("Not for subscribers")), "{rows:?}");
        for kind in [AnnouncementKind::Info, AnnouncementKind::Warning, AnnouncementKind::Outage, AnnouncementKind::Operational] {
            assert_eq!(kind_of(kind_word(kind)), kind);
        }
        assert!(Lane::ALL.into_iter().all(|lane| lane_of(lane.word()) == lane));
        assert!(UpdateState::ALL.into_iter().all(|state| state_of(state.word()) == state));
    }
}
