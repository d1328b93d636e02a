//! From what the engine and the store know of an incident to its timeline, and from what people wrote to what operators and visitors see. Pure.

use std::time::Duration;

use crate::engine::snapshot::Snapshot;
use crate::http::alert_views;
use crate::http::public;
use crate::http::writings::is_for;
use crate::model::id::IncidentId;
use crate::model::incident::Incident;
use crate::model::page::StatusPage;
use crate::model::time::UnixMillis;
use crate::model::update::AnnouncementId;
use crate::model::update::AnnouncementTexts;
use crate::model::update::Posted;
use crate::model::update::UpdateState;
use crate::ui::component::alert::AckView;
use crate::ui::component::delivery::DeliveryRow;
use crate::ui::component::incident::state_of;
use crate::ui::component::timeline::Happened;
use crate::ui::component::timeline::Moment;
use crate::ui::component::updates::AnnouncedView;
use crate::ui::component::updates::Draft;
use crate::ui::component::updates::LearntView;
use crate::ui::component::updates::UpdateView;
use crate::ui::page::announcements::AnnouncementCard;
use crate::ui::page::announcements::AnnouncementsView;
use crate::ui::page::status::LearntText;

/// The last word of an announcement is for those who read the others: it stays for a long weekend.
const ENDED_SHOWN_FOR: Duration = Duration::from_secs(3 * 86_400);

/// Everything that happened, oldest first. Of what happened at once, what was seen comes before what was said of it.
#[must_use]
pub fn moments(incident: &Incident, deliveries: &[DeliveryRow], ack: Option<&AckView>, snapshot: &Snapshot) -> Vec<Moment> {
    let regions = &incident.regions;
    let names = |regions: &[crate::model::id::Region]| regions.iter().map(ToString::to_string).collect::<Vec<_>>();
    let is_shared = 1 < regions.failing.len() + regions.fine.len() + regions.unknown.len();
    let (failing, fine, unknown) = (names(&regions.failing), names(&regions.fine), names(&regions.unknown));
    let confirmed = Happened::Confirmed { failing: failing.into_iter().filter(|_| is_shared).collect(), fine, unknown };
    let first = Happened::FirstBad { look: state_of(incident.lane), cause: incident.cause.to_string() };
    let mut all = vec![Moment { at: incident.opened_at, what: first }, Moment { at: incident.confirmed_at, what: confirmed }];
    all.extend(incident.closed.map(|closed| Moment { at: closed.at, what: Happened::Over { how: closed.how.word().replace('_', " ") } }));
    all.extend(deliveries.iter().map(|row| Moment {
        at: row.at,
        what: Happened::Told { channel: row.channel.clone(), event: row.event.replace('_', " "), state: row.state },
    }));
    all.extend(ack.map(|ack| Moment { at: ack.at, what: Happened::Acknowledged(ack.clone()) }));
    if let Some(texts) = snapshot.texts.incidents.get(&incident.id) {
        all.extend(texts.updates.iter().map(|posted| Moment { at: posted.update.at, what: Happened::Posted(posted.clone()) }));
        all.extend(texts.postmortem.iter().map(|known| Moment { at: known.at, what: Happened::Learnt { by: known.by.clone() } }));
    }
    all.sort_by_key(|moment| moment.at);
    all
}

/// How far people have got with an incident, by the newest update that says so.
#[must_use]
pub fn state(id: &IncidentId, snapshot: &Snapshot) -> Option<UpdateState> {
    snapshot.texts.incidents.get(id)?.updates.iter().rev().find_map(|posted| posted.update.state())
}

/// What the forms of an incident begin with: a template when its name is asked for, else how far people have got.
#[must_use]
pub fn draft(id: &IncidentId, asked: Option<&str>, snapshot: &Snapshot) -> Draft {
    begun(state(id, snapshot).unwrap_or(UpdateState::Investigating), asked, snapshot)
}

fn begun(state: UpdateState, asked: Option<&str>, snapshot: &Snapshot) -> Draft {
    let all = &snapshot.config.incident_templates;
    let templates = all.iter().map(|template| template.name.clone()).collect();
    match all.iter().find(|template| Some(template.name.as_str()) == asked) {
        Some(template) => Draft { state: template.state, text: template.text.clone(), templates },
        None => Draft { state, text: String::new(), templates },
    }
}

/// What was learnt from an incident.
#[must_use]
pub fn learnt(id: &IncidentId, snapshot: &Snapshot) -> Option<LearntView> {
    let known = snapshot.texts.incidents.get(id)?.postmortem.as_ref()?;
    Some(LearntView { text: known.text.clone(), by: known.by.clone(), at: known.at, is_public: known.is_public })
}

/// What visitors may read of updates, newest first. Who wrote them stays here.
fn public_updates(updates: &[Posted]) -> Vec<UpdateView> {
    let public = updates.iter().rev().filter(|posted| posted.update.is_public());
    public
        .filter_map(|posted| Some(UpdateView { state: posted.update.state()?, text: posted.update.text.clone(), at: posted.update.at }))
        .collect()
}

/// What visitors may read of an incident.
#[must_use]
pub fn public_of(id: &IncidentId, snapshot: &Snapshot) -> (Vec<UpdateView>, Option<LearntText>) {
    let Some(texts) = snapshot.texts.incidents.get(id) else { return (Vec::new(), None) };
    let learnt = texts.postmortem.as_ref().filter(|postmortem| postmortem.is_public);
    let learnt = learnt.map(|postmortem| LearntText { text: postmortem.text.clone(), at: postmortem.at });
    (public_updates(&texts.updates), learnt)
}

/// What a page announces, newest first: what holds, and what ended lately.
#[must_use]
pub fn announced(page: &StatusPage, snapshot: &Snapshot, now: UnixMillis) -> (Vec<AnnouncedView>, Vec<AnnouncedView>) {
    type Named<'a> = (&'a AnnouncementId, &'a AnnouncementTexts);
    let has_begun = |(_, texts): &Named<'_>| texts.announced.from <= now && is_for(&texts.announced, page, snapshot);
    let mut all: Vec<Named<'_>> = snapshot.texts.announcements.iter().filter(has_begun).collect();
    all.sort_by_key(|(_, texts)| std::cmp::Reverse(texts.announced.from));
    let (over, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, texts)| texts.is_over(now));
    let is_recent = |(_, texts): &Named<'_>| texts.ends().is_some_and(|end| now.since(end) < ENDED_SHOWN_FOR);
    let view = |(id, texts): Named<'_>, until| AnnouncedView {
        key: public::key("public announcement", id.as_str()),
        title: texts.announced.title.clone(),
        state: texts.state(),
        from: texts.announced.from,
        until,
        updates: public_updates(&texts.updates),
    };
    let over = over.into_iter().filter(is_recent).map(|named| view(named, named.1.ends()));
    (open.into_iter().map(|named| view(named, named.1.announced.until)).collect(), over.collect())
}

/// The page of announcements. A template may be asked for: for the update of one, or for the next one.
#[must_use]
pub fn announcements(snapshot: &Snapshot, (template, about): (Option<&str>, Option<&str>), now: UnixMillis) -> AnnouncementsView {
    let mut all: Vec<(bool, AnnouncementCard)> = Vec::new();
    for (id, texts) in &snapshot.texts.announcements {
        let announced = &texts.announced;
        let pages = snapshot.config.pages.iter().filter(|page| is_for(announced, page, snapshot));
        let named = announced.pages.iter().map(|pattern| ("page", pattern.clone()));
        let card = AnnouncementCard {
            id: id.clone(),
            title: announced.title.clone(),
            state: texts.state(),
            from: announced.from,
            until: texts.ends(),
            wanted: alert_views::wanted_words(&announced.wanted).into_iter().chain(named).collect(),
            pages: pages.map(|page| page.slug.to_string()).collect(),
            updates: texts.updates.iter().rev().cloned().collect(),
            is_being_written: template.is_some() && about == Some(id.as_str()),
            draft: begun(texts.state(), template.filter(|_| about == Some(id.as_str())), snapshot),
        };
        all.push((texts.is_over(now), card));
    }
    all.sort_by_key(|(_, card)| std::cmp::Reverse(card.from));
    let (over, open): (Vec<_>, Vec<_>) = all.into_iter().partition(|(is_over, _)| *is_over);
    let cards = |some: Vec<(bool, AnnouncementCard)>| some.into_iter().map(|(_, card)| card).collect();
    AnnouncementsView {
        open: cards(open),
        over: cards(over),
        slugs: snapshot.config.pages.iter().map(|page| page.slug.to_string()).collect(),
        draft: begun(UpdateState::Investigating, template.filter(|_| about.is_none()), snapshot),
    }
}
