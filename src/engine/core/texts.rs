//! What people write about trouble: updates, notes, postmortems, announcements. Kept as facts and known on every node, for as long as the
//! history of what they are about is kept.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::consensus::codec;
use crate::engine::core::Core;
use crate::engine::core::absence;
use crate::engine::core::alerts::acts;
use crate::engine::core::create;
use crate::engine::event::Command;
use crate::engine::handle::Refused;
use crate::model::change::StateChange;
use crate::model::change::StoredFact;
use crate::model::id::IncidentId;
use crate::model::peer::OperatorAct;
use crate::model::peer::OperatorFact;
use crate::model::peer::Record;
use crate::model::peer::Said;
use crate::model::peer::Stamp;
use crate::model::time::Now;
use crate::model::time::UnixMillis;
use crate::model::update::ANNOUNCEMENT_PATTERNS_MAX;
use crate::model::update::ANNOUNCEMENTS_MAX;
use crate::model::update::About;
use crate::model::update::Announced;
use crate::model::update::AnnouncementId;
use crate::model::update::AnnouncementTexts;
use crate::model::update::POSTMORTEM_CHARS_MAX;
use crate::model::update::POSTMORTEM_PARTS_MAX;
use crate::model::update::Posted;
use crate::model::update::Postmortem;
use crate::model::update::PostmortemPart;
use crate::model::update::TEXTS_MAX;
use crate::model::update::TITLE_CHARS_MAX;
use crate::model::update::UPDATE_CHARS_MAX;
use crate::model::update::UPDATES_MAX;
use crate::model::update::Update;
use crate::model::update::UpdateId;
use crate::model::update::UpdateKind;

/// What may be forgotten is looked for this often: it was kept for months.
const BURY_EVERY: Duration = Duration::from_secs(3600);

/// A piece of a postmortem, as JSON has it. With names and times it stays below [`codec::VALUE_BYTES_MAX`].
const PART_BYTES_MAX: usize = 3000;

/// All texts.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Those that hold.
    facts: BTreeMap<OperatorAct, OperatorFact>,
    /// When incidents ended that did while this program ran.
    ended: BTreeMap<IncidentId, UnixMillis>,
    /// For pictures; `None`: it is to be drawn again.
    shown: Option<Arc<crate::model::update::Texts>>,
    buried_at: Option<UnixMillis>,
}

/// What an act is about; `None`: it is no text.
fn about(act: &OperatorAct) -> Option<About> {
    match act {
        OperatorAct::Update(about, _) => Some(about.clone()),
        OperatorAct::Postmortem(incident, _) => Some(About::Incident(incident.clone())),
        OperatorAct::Announce(id) => Some(About::Announcement(id.clone())),
        OperatorAct::Pause(_) | OperatorAct::Create(_) | OperatorAct::Acknowledge(_) | OperatorAct::Silence(_) => None,
    }
}

impl Texts {
    /// Takes in what earlier runs left.
    pub(super) fn remember(&mut self, facts: &[Record]) {
        for record in facts {
            if let Record::Operator(fact) = record
                && fact.holds
                && about(&fact.act).is_some()
            {
                self.facts.insert(fact.act.clone(), fact.clone());
            }
        }
    }

    /// Whether it is kept.
    pub(super) fn holds(&self, act: &OperatorAct) -> bool {
        self.facts.contains_key(act)
    }

    /// An incident is over.
    pub(super) fn ended(&mut self, id: &IncidentId, at: UnixMillis) {
        self.ended.insert(id.clone(), at);
    }

    /// All texts, as they are kept.
    pub(super) fn kept(&self) -> Vec<StoredFact> {
        self.facts.values().filter_map(|fact| codec::stored(&Record::Operator(fact.clone()), None)).collect()
    }

    /// All texts, for pictures.
    pub(super) fn shown(&mut self) -> Arc<crate::model::update::Texts> {
        let shown = self.shown.take().unwrap_or_else(|| Arc::new(draw(&self.facts)));
        self.shown = Some(Arc::clone(&shown));
        shown
    }

    /// Facts about the same thing, and when the last of them was said.
    fn last_words(&self) -> BTreeMap<About, UnixMillis> {
        let mut last: BTreeMap<About, UnixMillis> = BTreeMap::new();
        for fact in self.facts.values() {
            let Some(about) = about(&fact.act) else { continue };
            let ended = match &about {
                About::Incident(id) => self.ended.get(id).copied(),
                About::Announcement(_) => None,
            };
            let at = ended.unwrap_or(fact.stamp.wall).max(fact.stamp.wall);
            let known = last.entry(about).or_insert(at);
            *known = at.max(*known);
        }
        last
    }

    fn n_updates(&self, wanted: &About) -> usize {
        self.facts.keys().filter(|act| matches!(act, OperatorAct::Update(about, _) if about == wanted)).count()
    }
}

/// The texts of facts. Of updates that came without their announcement nothing is shown yet; of a postmortem nothing before all of it is here.
fn draw(facts: &BTreeMap<OperatorAct, OperatorFact>) -> crate::model::update::Texts {
    let mut texts = crate::model::update::Texts::default();
    for (act, fact) in facts {
        if let (OperatorAct::Announce(id), Said::Announcement(announced)) = (act, &fact.said) {
            let whole = AnnouncementTexts { announced: announced.clone(), updates: Vec::new() };
            texts.announcements.insert(id.clone(), whole);
        }
        if let (OperatorAct::Postmortem(id, 0), Said::Postmortem(first)) = (act, &fact.said)
            && let Some(whole) = joined(id, (fact, first), facts)
        {
            texts.incidents.entry(id.clone()).or_default().postmortem = Some(whole);
        }
    }
    for (act, fact) in facts {
        let (OperatorAct::Update(about, id), Said::Update(update)) = (act, &fact.said) else { continue };
        let posted = Posted { id: id.clone(), update: update.clone() };
        match about {
            About::Incident(incident) => texts.incidents.entry(incident.clone()).or_default().updates.push(posted),
            About::Announcement(id) => texts.announcements.get_mut(id).into_iter().for_each(|known| known.updates.push(posted.clone())),
        }
    }
    let all = texts.incidents.values_mut().map(|words| &mut words.updates);
    for updates in all.chain(texts.announcements.values_mut().map(|words| &mut words.updates)) {
        updates.sort_by(|a, b| (a.update.at, &a.id).cmp(&(b.update.at, &b.id)));
    }
    texts
}

/// A postmortem of its pieces: those of one writing have the same stamp.
fn joined(
    id: &IncidentId,
    (fact, first): (&OperatorFact, &PostmortemPart),
    facts: &BTreeMap<OperatorAct, OperatorFact>,
) -> Option<Postmortem> {
    let mut text = first.whole.text.clone();
    for number in 1..first.n_parts {
        let next = facts.get(&OperatorAct::Postmortem(id.clone(), number)).filter(|next| next.stamp == fact.stamp)?;
        let Said::Postmortem(part) = &next.said else { return None };
        text.push_str(&part.whole.text);
    }
    Some(Postmortem { text, ..first.whole.clone() })
}

/// A text in pieces that fit, cut between letters.
fn pieces(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut n_bytes = 0;
    for c in text.chars() {
        let escaped = if matches!(c, '\n' | '"' | '\\') { 2 } else { c.len_utf8() };
        if PART_BYTES_MAX < n_bytes + escaped {
            all.push(String::new());
            n_bytes = 0;
        }
        n_bytes += escaped;
        if let Some(last) = all.last_mut() {
            last.push(c);
        }
    }
    all
}

fn refused<T>(why: String) -> Result<T, Refused> {
    Err(Refused::NotNow(why))
}

impl Core {
    /// Somebody wrote an update or note.
    pub(super) fn post(&mut self, about: &About, id: &UpdateId, update: &Update, now: Now) -> Result<StateChange, Refused> {
        self.check_update(about, update)?;
        if let About::Announcement(announcement) = about
            && !self.texts.facts.contains_key(&OperatorAct::Announce(announcement.clone()))
        {
            return refused(format!("there is no announcement `{announcement}`"));
        }
        let update = Update { at: self.common(now), ..update.clone() };
        self.do_act(OperatorAct::Update(about.clone(), id.clone()), Said::Update(update), true, now)
    }

    fn check_update(&self, about: &About, update: &Update) -> Result<(), Refused> {
        acts::check_words(&update.by, "")?;
        if UPDATE_CHARS_MAX < update.text.chars().count() {
            return refused(format!("an update or note has at most {UPDATE_CHARS_MAX} characters"));
        }
        if update.kind == UpdateKind::Note && update.text.trim().is_empty() {
            return refused("a note says something".to_owned());
        }
        if UPDATES_MAX <= self.texts.n_updates(about) {
            return refused(format!("there are {UPDATES_MAX} updates and notes of it already; take some back, or write a postmortem"));
        }
        self.check_room()
    }

    fn check_room(&self) -> Result<(), Refused> {
        if TEXTS_MAX <= self.texts.facts.len() {
            return refused(format!(
                "{TEXTS_MAX} texts about incidents are kept already; a shorter `retention.rollup_1h` lets old ones go"
            ));
        }
        Ok(())
    }

    /// An update or note was not meant.
    pub(super) fn unpost(&mut self, about: &About, id: &UpdateId, now: Now) -> Result<StateChange, Refused> {
        let act = OperatorAct::Update(about.clone(), id.clone());
        if !self.texts.facts.contains_key(&act) {
            return refused(format!("there is no update or note `{id}` of it"));
        }
        self.do_act(act, Said::Nothing, false, now)
    }

    /// Somebody announced something.
    pub(super) fn announce(
        &mut self,
        id: &AnnouncementId,
        announced: &Announced,
        (first, update): (&UpdateId, &Update),
        now: Now,
    ) -> Result<StateChange, Refused> {
        let at = self.common(now);
        let about = About::Announcement(id.clone());
        self.check_update(&about, update)?;
        check_announced(announced, at)?;
        let shown = self.texts.shown();
        let n_open = shown.announcements.values().filter(|known| !known.is_over(at)).count();
        if ANNOUNCEMENTS_MAX <= n_open {
            return refused(format!("{ANNOUNCEMENTS_MAX} announcements hold already; end some of them first"));
        }
        let announced = Announced { at, from: announced.from.max(at), ..announced.clone() };
        let update = Update { at, ..update.clone() };
        let mut change = self.do_act(OperatorAct::Announce(id.clone()), Said::Announcement(announced), true, now)?;
        change.append(self.do_act(OperatorAct::Update(about, first.clone()), Said::Update(update), true, now)?);
        Ok(change)
    }

    /// Somebody wrote a postmortem, in place of the one before.
    pub(super) fn write_postmortem(&mut self, id: &IncidentId, postmortem: &Postmortem, now: Now) -> Result<StateChange, Refused> {
        acts::check_words(&postmortem.by, "")?;
        if POSTMORTEM_CHARS_MAX < postmortem.text.chars().count() {
            return refused(format!(
                "a postmortem has at most {POSTMORTEM_CHARS_MAX} characters; publish the rest elsewhere and link to it"
            ));
        }
        self.check_room()?;
        let whole = Postmortem { at: self.common(now), ..postmortem.clone() };
        let stamp = match &mut self.cluster {
            Some(cluster) => cluster.hybrid.next(cluster.common(now.wall)),
            None => create::stamp_alone(now.wall).ok_or(Refused::Stopping)?,
        };
        let texts = if whole.text.trim().is_empty() { Vec::new() } else { pieces(&whole.text) };
        let n_parts = u8::try_from(texts.len()).unwrap_or(u8::MAX).min(POSTMORTEM_PARTS_MAX);
        let mut change = StateChange::default();
        for (number, text) in (0..n_parts).zip(texts) {
            let part = PostmortemPart { n_parts, whole: Postmortem { text, ..whole.clone() } };
            self.write_part((id, number), Some(part), (&stamp, now), &mut change);
        }
        for number in n_parts..POSTMORTEM_PARTS_MAX {
            if self.texts.facts.contains_key(&OperatorAct::Postmortem(id.clone(), number)) {
                self.write_part((id, number), None, (&stamp, now), &mut change);
            }
        }
        Ok(change)
    }

    fn write_part(
        &mut self,
        (id, number): (&IncidentId, u8),
        part: Option<PostmortemPart>,
        (stamp, now): (&Stamp, Now),
        change: &mut StateChange,
    ) {
        let holds = part.is_some();
        let said = part.map_or(Said::Nothing, Said::Postmortem);
        let fact = OperatorFact { act: OperatorAct::Postmortem(id.clone(), number), stamp: stamp.clone(), holds, said };
        if self.cluster.is_some() {
            self.adopt_act(&fact, now, change);
        } else {
            change.facts.extend(acts::kept(&fact, now));
            self.obey_text(&fact);
        }
    }

    /// Keeps a text, or lets it go, here.
    pub(super) fn obey_text(&mut self, fact: &OperatorFact) {
        if self.texts.facts.get(&fact.act) == Some(fact).filter(|fact| fact.holds) {
            return;
        }
        if fact.holds {
            self.texts.facts.insert(fact.act.clone(), fact.clone());
        } else {
            self.texts.facts.remove(&fact.act);
        }
        self.texts.shown = None;
        self.is_dirty = true;
    }

    /// Whether what a fact says was forgotten long ago, and somebody who was away tells it again.
    pub(super) fn is_forgotten_text(&self, fact: &OperatorFact, now: Now) -> bool {
        let Some(about) = about(&fact.act).filter(|_| fact.holds) else { return false };
        let is_old = self.common(now) > fact.stamp.wall + self.config.retention.rollup_1h;
        is_old && !self.is_open(&about) && !self.texts.facts.contains_key(&fact.act)
    }

    fn is_open(&self, about: &About) -> bool {
        match about {
            About::Incident(id) => self.machines.values().flat_map(|machine| &machine.incidents).any(|incident| incident.id == *id),
            About::Announcement(_) => false,
        }
    }

    /// Lets texts go whose time is over.
    pub(super) fn pass_texts(&mut self, now: Now, commands: &mut Vec<Command>) {
        let at = self.common(now);
        let is_due = self.texts.buried_at.is_none_or(|last| BURY_EVERY <= at.since(last) || at < last);
        if !is_due || absence::is_implausible(now.wall) {
            return;
        }
        self.texts.buried_at = Some(at);
        let kept_for = self.config.retention.rollup_1h;
        let shown = self.texts.shown();
        let last_of = |about: &About, last: UnixMillis| match about {
            About::Incident(_) => Some(last),
            About::Announcement(id) => match shown.announcements.get(id) {
                Some(known) => known.ends().filter(|end| *end <= at).map(|end| end.max(last)),
                None => Some(last),
            },
        };
        let over: BTreeSet<About> = self
            .texts
            .last_words()
            .into_iter()
            .filter(|(about, last)| !self.is_open(about) && last_of(about, *last).is_some_and(|last| last + kept_for < at))
            .map(|(about, _)| about)
            .collect();
        self.texts.ended.retain(|_, ended| at <= *ended + kept_for);
        let mut change = StateChange::default();
        let gone: Vec<OperatorFact> =
            self.texts.facts.extract_if(.., |act, _| about(act).is_some_and(|about| over.contains(&about))).map(|(_, fact)| fact).collect();
        if !gone.is_empty() {
            self.texts.shown = None;
            self.is_dirty = true;
        }
        for fact in gone {
            self.take_back(fact, now, &mut change);
        }
        self.commit(commands, change, None);
    }
}

fn check_announced(announced: &Announced, at: UnixMillis) -> Result<(), Refused> {
    let Announced { title, wanted, pages, from, until, by: _, at: _ } = announced;
    if title.trim().is_empty() || TITLE_CHARS_MAX < title.chars().count() {
        return refused(format!("an announcement has a title of 1 to {TITLE_CHARS_MAX} characters"));
    }
    let n_patterns = wanted.names.len() + wanted.groups.len() + wanted.labels.len() + pages.len();
    if n_patterns == 0 {
        return refused("an announcement says for which monitors, groups or pages it is".to_owned());
    }
    if ANNOUNCEMENT_PATTERNS_MAX < n_patterns {
        return refused(format!("an announcement names at most {ANNOUNCEMENT_PATTERNS_MAX} patterns and labels"));
    }
    if until.is_some_and(|until| until <= at.max(*from)) {
        return refused("the end must lie after the beginning, and ahead".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_into_pieces_that_fit_and_none_is_lost() {
        for (letter, n) in [("a", 8000), ("\"", 8000), ("\u{1F600}", 8000), ("\n", 8000), ("é", 1), ("", 0)] {
            let text = letter.repeat(n);
            let all = pieces(&text);
            assert_eq!(all.concat(), text);
            assert!(all.len() <= usize::from(POSTMORTEM_PARTS_MAX), "{letter:?}: {}", all.len());
            for piece in all {
                assert!(serde_json::to_string(&piece).expect("json").len() <= PART_BYTES_MAX + 2, "{letter:?}");
            }
        }
    }
}
