//! What people write about trouble: from the fields of a form or a JSON body to what the engine is asked, and done. The engine has the last
//! word on what holds.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::Config;
use crate::config::glob_match;
use crate::config::selects;
use crate::engine::handle::Operation;
use crate::engine::snapshot::Snapshot;
use crate::http::acts::clean;
use crate::http::acts::label;
use crate::http::acts::lines;
use crate::http::acts::person;
use crate::http::acts::point;
use crate::http::api::writings::Written;
use crate::http::error::Refusal;
use crate::http::operator::refusal;
use crate::http::random::short_id;
use crate::http::route::Wire;
use crate::http::route::Writing;
use crate::http::viewer::Desk;
use crate::http::visit::Visit;
use crate::model::id::IncidentId;
use crate::model::id::MonitorId;
use crate::model::id::NAME_CHARS_MAX;
use crate::model::id::is_deceptive;
use crate::model::maintenance::Selection;
use crate::model::page::StatusPage;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::time::parse_duration;
use crate::model::update::About;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::Postmortem;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::update::UpdateKind;
use crate::model::update::UpdateState;
use crate::model::update::UpdateTemplate;
use crate::ui::links::Links;

/// What somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    state: Option<String>,
    text: Option<String>,
    /// The name of a template, which says what is not said here.
    template: Option<String>,
    /// Visitors may read it; not without being said.
    public: bool,
    title: Option<String>,
    /// Patterns of monitors.
    monitors: Vec<String>,
    groups: Vec<String>,
    labels: BTreeMap<String, String>,
    /// Patterns of slugs.
    pages: Vec<String>,
    /// A point in time.
    from: Option<String>,
    until: Option<String>,
    /// A duration, instead of `until`.
    #[serde(rename = "for")]
    lasts: Option<String>,
}

impl Draft {
    /// As it was sent.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is not JSON of this shape, or a label has no value.
    pub fn of(visit: &Visit, wire: Wire) -> Result<Draft, Refusal> {
        match wire {
            Wire::Page => Draft::of_form(visit),
            // A list would be read as the fields in their order.
            Wire::Json if !visit.body.trim_ascii_start().starts_with(b"{") => {
                Err(Refusal::Malformed("The body has to be a JSON object.".to_owned()))
            }
            Wire::Json => serde_json::from_slice(&visit.body)
                .map_err(|error| Refusal::Malformed(format!("The body is not as it should be: {error}."))),
        }
    }

    /// From the fields of a form. In those with several patterns each stands on a line of its own.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when a label has no value.
    pub fn of_form(visit: &Visit) -> Result<Draft, Refusal> {
        let text = |name: &str| visit.field(name).map(ToOwned::to_owned).filter(|text| !text.trim().is_empty());
        Ok(Draft {
            state: text("state"),
            text: text("text"),
            template: text("template"),
            public: visit.field("public").is_some_and(|value| value != "no"),
            title: text("title"),
            monitors: lines(visit, "monitors"),
            groups: lines(visit, "groups"),
            labels: lines(visit, "labels").iter().map(|line| label(line)).collect::<Result<_, _>>()?,
            pages: lines(visit, "pages"),
            from: text("from"),
            until: text("until"),
            lasts: text("for"),
        })
    }

    /// With the state and the text of the template that is named, as far as there is nothing else.
    fn begun(self, templates: &[UpdateTemplate]) -> Result<Draft, Refusal> {
        let Some(name) = self.template.as_deref() else { return Ok(self) };
        let Some(found) = templates.iter().find(|template| template.name == name) else {
            let names = templates.iter().map(|template| format!("`{}`", template.name)).collect::<Vec<_>>().join(", ");
            let known =
                if names.is_empty() { "`incident_templates` of the config has none".to_owned() } else { format!("there are {names}") };
            return Err(Refusal::Malformed(format!("There is no template `{}`; {known}.", clean(name))));
        };
        let state = self.state.or_else(|| Some(found.state.word().to_owned()));
        let text = self.text.or_else(|| Some(found.text.clone()));
        Ok(Draft { state, text, template: None, ..self })
    }

    fn words(&self) -> String {
        clean_lines(self.text.as_deref().unwrap_or_default())
    }

    /// Refuses what does not belong to anything but an announcement.
    fn only_words(&self) -> Result<(), Refusal> {
        let lists_are_empty = self.monitors.is_empty() && self.groups.is_empty() && self.labels.is_empty() && self.pages.is_empty();
        if lists_are_empty && self.title.is_none() && self.from.is_none() && self.until.is_none() && self.lasts.is_none() {
            return Ok(());
        }
        Err(Refusal::Malformed("A title, times, and what it is for belong to an announcement.".to_owned()))
    }

    fn state(&self) -> Result<UpdateState, Refusal> {
        let word = self.state.as_deref().unwrap_or_default().trim();
        UpdateState::of_word(word).ok_or_else(|| {
            let words = UpdateState::ALL.map(|state| format!("`{}`", state.word())).join(", ");
            Refusal::Malformed(format!("Say how far you have got, by `state`: one of {words}."))
        })
    }

    fn update(&self, is_public: bool, by: &str, now: UnixMillis) -> Result<Update, Refusal> {
        Ok(Update { kind: UpdateKind::State { state: self.state()?, is_public }, text: self.words(), by: person(by), at: now })
    }

    fn note(&self, by: &str, now: UnixMillis) -> Result<Update, Refusal> {
        self.only_words()?;
        if self.public || self.state.is_some() {
            return Err(Refusal::Malformed(
                "A note is for those who are signed in, and has no state; write an update for visitors.".to_owned(),
            ));
        }
        Ok(Update { kind: UpdateKind::Note, text: self.words(), by: person(by), at: now })
    }

    fn postmortem(&self, by: &str, now: UnixMillis) -> Result<Postmortem, Refusal> {
        self.only_words()?;
        if self.state.is_some() {
            return Err(Refusal::Malformed("A postmortem has no state.".to_owned()));
        }
        Ok(Postmortem { text: self.words(), by: person(by), at: now, is_public: self.public })
    }

    fn announced(&self, by: &str, now: UnixMillis, config: &Config) -> Result<Announced, Refusal> {
        let wanted = Selection { names: self.monitors.clone(), groups: self.groups.clone(), labels: self.labels.clone() };
        let texts = wanted.names.iter().chain(&wanted.groups).chain(wanted.labels.keys()).chain(wanted.labels.values());
        if texts.chain(&self.pages).any(|text| !(1..=NAME_CHARS_MAX).contains(&text.chars().count()) || text.chars().any(is_deceptive)) {
            let why = format!("Patterns and labels have 1 to {NAME_CHARS_MAX} characters, all of them visible.");
            return Err(Refusal::Malformed(why));
        }
        if let Some(pattern) = self.pages.iter().find(|pattern| !config.pages.iter().any(|page| glob_match(pattern, page.slug.as_str()))) {
            let slugs = config.pages.iter().map(|page| format!("`{}`", page.slug)).collect::<Vec<_>>().join(", ");
            return Err(Refusal::Malformed(format!("There is no status page `{}`; there are {slugs}.", clean(pattern))));
        }
        let moment = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => point(text.trim())
                .map(Some)
                .ok_or_else(|| Refusal::Malformed(format!("`{}` is no point in time; write it as `2026-07-01T09:00:00Z`.", clean(text)))),
        };
        let from = moment(&self.from)?.unwrap_or(now);
        let until = match (moment(&self.until)?, &self.lasts) {
            (Some(_), Some(_)) => return Err(Refusal::Malformed("Say either for how long or until when, not both.".to_owned())),
            (until, None) => until,
            (None, Some(lasts)) => {
                let lasts = parse_duration(lasts.trim());
                Some(from.max(now) + lasts.map_err(|error| Refusal::Malformed(format!("It is not clear for how long: {error}.")))?)
            }
        };
        let title = clean(self.title.as_deref().unwrap_or_default());
        Ok(Announced { title, wanted, pages: self.pages.clone(), from, until, by: person(by), at: now })
    }
}

/// What people wrote in lines: line breaks stay, nothing else that is invisible does.
fn clean_lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\t', "    ");
    text.chars().filter(|c| *c == '\n' || !is_deceptive(*c)).collect::<String>().trim_end().to_owned()
}

fn new_id<T>(parse: fn(&str) -> Result<T, String>) -> Result<T, Refusal> {
    let text = short_id().map_err(|error| Refusal::Internal(format!("no randomness for an id: {error}")))?;
    parse(&text).map_err(Refusal::Internal)
}

/// Does it; answers when it is durable.
///
/// # Errors
/// [`Refusal`].
pub async fn write(desk: &Desk, writing: &Writing, draft: Result<Draft, Refusal>, who: &str, at: Now) -> Result<Written, Refusal> {
    let (snapshot, now) = (desk.engine.snapshot(), at.wall);
    let known = |id: &IncidentId| desk.known_incident(&snapshot, id.clone());
    let update_of = |about: About, update: Update| -> Result<(String, Operation), Refusal> {
        let id = new_id(UpdateId::parse)?;
        Ok((id.to_string(), Operation::Post(about, id, update)))
    };
    let draft = draft.and_then(|draft| draft.begun(&snapshot.config.incident_templates));
    let mut newest = desk.repeats.lock().await;
    let (about, text) = (subject(writing, who), format!("{who:?} {writing:?} {draft:?}"));
    if let Some(written) = about.as_ref().and_then(|about| newest.find(about, &text, at.mono)) {
        tracing::info!(user = who, id = written.id, "`{who}` sent the same twice; it is written once");
        return Ok(written);
    }
    let mut monitor = None;
    let (id, operation) = match writing {
        Writing::Update(incident) => {
            monitor = Some(known(incident).await?.monitor);
            let draft = draft?;
            draft.only_words()?;
            update_of(About::Incident(incident.clone()), draft.update(draft.public, who, now)?)?
        }
        Writing::Note(incident) => {
            known(incident).await?;
            update_of(About::Incident(incident.clone()), draft?.note(who, now)?)?
        }
        Writing::TakeBack(about, id) => (id.to_string(), Operation::Unpost(about.clone(), id.clone())),
        Writing::Postmortem(incident) => {
            monitor = Some(known(incident).await?.monitor);
            (incident.to_string(), Operation::WritePostmortem(incident.clone(), draft?.postmortem(who, now)?))
        }
        Writing::Announcement => {
            let draft = draft?;
            let id = new_id(AnnouncementId::parse)?;
            let announced = draft.announced(who, now, &snapshot.config)?;
            let first =
                Draft { state: draft.state.clone().or_else(|| Some(UpdateState::Investigating.word().to_owned())), ..draft.clone() };
            let update = first.update(true, who, now)?;
            (id.to_string(), Operation::Announce(id, Box::new(announced), new_id(UpdateId::parse)?, update))
        }
        Writing::AnnouncementUpdate(announcement) => {
            let draft = draft?;
            draft.only_words()?;
            update_of(About::Announcement(announcement.clone()), draft.update(true, who, now)?)?
        }
    };
    let pages = pages_of(&operation, monitor.as_ref(), &snapshot);
    let (engine, who, writing) = (desk.engine.clone(), who.to_owned(), writing.clone());
    let work = async move {
        engine.ask(operation).await.map_err(refusal)?;
        let said = words(&writing);
        tracing::info!(user = who, id, "`{who}` {said}");
        let written = Written { done: true, id, pages };
        if let Writing::AnnouncementUpdate(of) | Writing::TakeBack(About::Announcement(of), _) = &writing {
            newest.forget_beginning(of.as_str());
        }
        match (about, writing) {
            (Some(about), Writing::TakeBack(..)) => newest.forget(&about),
            (Some(about), _) => newest.note(&about, &text, at.mono, written.clone()),
            (None, _) => {}
        }
        Ok(written)
    };
    let ended = desk.repeats.to_the_end(work).await;
    ended.unwrap_or_else(|| Err(Refusal::Internal("what was written was not brought to its end".to_owned())))
}

/// On what a text is; `None` for what replaces the text before and so is never there twice.
fn subject(writing: &Writing, who: &str) -> Option<String> {
    match writing {
        Writing::Update(incident) | Writing::Note(incident) | Writing::TakeBack(About::Incident(incident), _) => {
            Some(format!("incident {incident}"))
        }
        Writing::AnnouncementUpdate(announcement) | Writing::TakeBack(About::Announcement(announcement), _) => {
            Some(format!("announcement {announcement}"))
        }
        Writing::Announcement => Some(format!("a new announcement of {who}")),
        Writing::Postmortem(_) => None,
    }
}

fn words(writing: &Writing) -> String {
    match writing {
        Writing::Update(incident) => format!("wrote an update of incident `{incident}`"),
        Writing::Note(incident) => format!("wrote a note on incident `{incident}`"),
        Writing::TakeBack(About::Incident(incident), id) => format!("took `{id}` of incident `{incident}` back"),
        Writing::TakeBack(About::Announcement(announcement), id) => format!("took `{id}` of announcement `{announcement}` back"),
        Writing::Postmortem(incident) => format!("wrote the postmortem of incident `{incident}`"),
        Writing::Announcement => "announced something".to_owned(),
        Writing::AnnouncementUpdate(announcement) => format!("wrote an update of announcement `{announcement}`"),
    }
}

/// The page on which one sees what was written.
#[must_use]
pub fn back(writing: &Writing, links: &Links) -> String {
    match writing {
        Writing::Update(incident)
        | Writing::Note(incident)
        | Writing::TakeBack(About::Incident(incident), _)
        | Writing::Postmortem(incident) => links.incident(incident),
        Writing::Announcement | Writing::AnnouncementUpdate(_) | Writing::TakeBack(About::Announcement(_), _) => links.announcements(),
    }
}

/// Slugs of the pages that show what is written of an incident of this monitor, or of an announcement, in the order of the config; none for
/// what is not public.
fn pages_of(operation: &Operation, monitor: Option<&MonitorId>, snapshot: &Snapshot) -> Vec<String> {
    let showing = |shows: &dyn Fn(&StatusPage) -> bool| -> Vec<String> {
        snapshot.config.pages.iter().filter(|page| shows(page)).map(|page| page.slug.to_string()).collect()
    };
    let lists = || {
        let lists = |page: &StatusPage| page.groups.iter().flat_map(|group| &group.monitors).any(|listed| Some(listed) == monitor);
        showing(&lists)
    };
    match operation {
        Operation::Post(About::Incident(_), _, update) if update.is_public() => lists(),
        Operation::WritePostmortem(_, postmortem) if postmortem.is_public => lists(),
        Operation::Announce(_, announced, ..) => showing(&|page| is_for(announced, page, snapshot)),
        Operation::Post(About::Announcement(id), ..) => match snapshot.texts.announcements.get(id) {
            Some(known) => showing(&|page| is_for(&known.announced, page, snapshot)),
            None => Vec::new(),
        },
        Operation::Post(..)
        | Operation::WritePostmortem(..)
        | Operation::Unpost(..)
        | Operation::Pause(_)
        | Operation::Resume(_)
        | Operation::CheckNow(_)
        | Operation::Forget(_)
        | Operation::Create(_)
        | Operation::Acknowledge(..)
        | Operation::Withdraw(_)
        | Operation::Silence(..)
        | Operation::EndSilence(_) => Vec::new(),
    }
}

/// Whether a page shows an announcement: it is named, or it lists a monitor that is.
#[must_use]
pub fn is_for(announced: &Announced, page: &StatusPage, snapshot: &Snapshot) -> bool {
    let listed = || page.groups.iter().flat_map(|group| &group.monitors).filter_map(|id| snapshot.monitors.get(id));
    let is_named = announced.pages.iter().any(|pattern| glob_match(pattern, page.slug.as_str()));
    is_named || listed().any(|view| selects(&announced.wanted, &view.monitor))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_782_820_800_000);

    fn draft(text: &str) -> Draft {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn updates_say_how_far_one_is_and_are_public_only_when_that_is_said() {
        let update = |text: &str| {
            let draft = draft(text);
            draft.only_words()?;
            draft.update(draft.public, "ada", NOON)
        };
        let found = update(r#"{"state":"identified","text":"a\r\nb\u202e\u0007\t*c*  "}"#).expect("an update");
        assert_eq!((found.text.as_str(), found.state(), found.is_public()), ("a\nb    *c*", Some(UpdateState::Identified), false));
        assert!(update(r#"{"state":"resolved","public":true}"#).expect("an update").is_public());
        for wrong in ["{}", r#"{"state":"fine"}"#, r#"{"state":"resolved","title":"x"}"#, r#"{"state":"resolved","pages":["x"]}"#] {
            assert!(matches!(update(wrong), Err(Refusal::Malformed(_))), "{wrong}");
        }
        for wrong in
            [r#"{"text":"x","public":true}"#, r#"{"text":"x","state":"resolved"}"#, r#"{"text":"x","until":"2026-07-01T09:00:00Z"}"#]
        {
            assert!(matches!(draft(wrong).note("ada", NOON), Err(Refusal::Malformed(_))), "{wrong}");
        }
        assert!(serde_json::from_str::<Draft>(r#"{"txt":"x"}"#).is_err(), "a key that is misspelt must not be overlooked");
    }
}
