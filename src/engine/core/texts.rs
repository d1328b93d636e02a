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
use crate::model::update::TAKEN_BACK_MAX;
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
    /// Those that somebody took back: remembered as long as what they are about, so that no node that was away brings them back.
    taken_back: BTreeMap<OperatorAct, OperatorFact>,
    /// What texts were about that seemed forgotten long ago; a newer word about it may show that it is not.
    refused: BTreeSet<About>,
    /// It did: what peers said is to be heard again.
    wants_replay: bool,
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
                && about(&fact.act).is_some()
            {
                self.take_in(fact);
            }
        }
    }

    fn take_in(&mut self, fact: &OperatorFact) {
        if fact.holds {
            self.facts.insert(fact.act.clone(), fact.clone());
        } else {
            self.facts.remove(&fact.act);
        }
        if is_taken_back(fact) {
            self.taken_back.insert(fact.act.clone(), fact.clone());
        } else {
            self.taken_back.remove(&fact.act);
        }
    }

    /// Whether what peers said is to be heard again; asked once.
    pub(super) fn take_replay(&mut self) -> bool {
        std::mem::take(&mut self.wants_replay)
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
        self.all().filter_map(|fact| codec::stored(&Record::Operator(fact.clone()), None)).collect()
    }

    /// Those that hold, and those that were taken back.
    fn all(&self) -> impl Iterator<Item = &OperatorFact> {
        self.facts.values().chain(self.taken_back.values())
    }

    /// All texts, for pictures.
    pub(super) fn shown(&mut self) -> Arc<crate::model::update::Texts> {
        let shown = self.shown.take().unwrap_or_else(|| Arc::new(draw(&self.facts)));
        self.shown = Some(Arc::clone(&shown));
        shown
    }

    /// What texts are about, and when the last thing happened to it that is known here.
    fn last_words(&self) -> BTreeMap<About, UnixMillis> {
        let mut last: BTreeMap<About, UnixMillis> = BTreeMap::new();
        for fact in self.all() {
            let Some(about) = about(&fact.act) else { continue };
            let at = self.ended_at(&about).unwrap_or(fact.stamp.wall).max(fact.stamp.wall);
            let known = last.entry(about).or_insert(at);
            *known = at.max(*known);
        }
        last
    }

    /// The last word about one thing; `None`: nothing is known of it.
    fn last_word(&self, wanted: &About) -> Option<UnixMillis> {
        let said = self.all().filter(|fact| about(&fact.act).as_ref() == Some(wanted)).map(|fact| fact.stamp.wall);
        said.chain(self.ended_at(wanted)).max()
    }

    fn ended_at(&self, about: &About) -> Option<UnixMillis> {
        match about {
            About::Incident(id) => self.ended.get(id).copied(),
            About::Announcement(_) => None,
        }
    }

    fn n_updates(&self, wanted: &About) -> usize {
        self.facts.keys().filter(|act| matches!(act, OperatorAct::Update(about, _) if about == wanted)).count()
    }
}

/// Whether somebody took a text back, rather than that it went with what it was about.
fn is_taken_back(fact: &OperatorFact) -> bool {
    !fact.holds && fact.said == Said::Nothing && about(&fact.act).is_some()
}

/// The texts of facts, by their stamps: those are in the order in which people wrote, whatever the clocks of their nodes said. Of updates that came without their announcement nothing is shown yet; of a postmortem nothing before all of it is here.
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
    let mut updates: Vec<(&OperatorAct, &OperatorFact)> = facts.iter().collect();
    updates.sort_by_key(|(act, fact)| (&fact.stamp, *act));
    for (act, fact) in updates {
        let (OperatorAct::Update(about, id), Said::Update(update)) = (act, &fact.said) else { continue };
        let posted = Posted { id: id.clone(), update: update.clone() };
        match about {
            About::Incident(incident) => texts.incidents.entry(incident.clone()).or_default().updates.push(posted),
            About::Announcement(id) => texts.announcements.get_mut(id).into_iter().for_each(|known| known.updates.push(posted.clone())),
        }
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
        if TAKEN_BACK_MAX <= self.texts.taken_back.len() {
            return refused(format!(
                "{TAKEN_BACK_MAX} texts about incidents were taken back, which is remembered; a shorter `retention.rollup_1h` lets old ones go"
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
        let (act, said) = (OperatorAct::Announce(id.clone()), Said::Announcement(announced));
        let (first_act, first_said) = (OperatorAct::Update(about, first.clone()), Said::Update(update));
        // Both or none: an announcement that says nothing must not stay behind.
        acts::check_fits(&act, &said, now)?;
        acts::check_fits(&first_act, &first_said, now)?;
        let mut change = self.do_act(act, said, true, now)?;
        change.append(self.do_act(first_act, first_said, true, now)?);
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
        let is_taken_back = postmortem.text.trim().is_empty();
        if !is_taken_back {
            self.check_room()?;
        }
        let whole = Postmortem { at: self.common(now), ..postmortem.clone() };
        let stamp = match &mut self.cluster {
            Some(cluster) => cluster.hybrid.next(cluster.common(now.wall)),
            None => create::stamp_alone(now.wall).ok_or(Refused::Stopping)?,
        };
        let texts = if is_taken_back { Vec::new() } else { pieces(&whole.text) };
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
        self.texts.take_in(fact);
        self.texts.wants_replay |= fact.holds && about(&fact.act).is_some_and(|about| self.texts.refused.remove(&about));
        self.texts.shown = None;
        self.is_dirty = true;
    }

    /// Whether what a text is about was forgotten long ago, and somebody who was away tells it again. As with letting go, the last word counts:
    /// an old text of something that is still talked about is kept by all, or by none.
    pub(super) fn is_forgotten_text(&mut self, fact: &OperatorFact, now: Now) -> bool {
        let Some(about) = about(&fact.act).filter(|_| fact.holds) else { return false };
        let (at, kept_for) = (self.common(now), self.config.retention.rollup_1h);
        if at <= fact.stamp.wall + kept_for || self.texts.facts.contains_key(&fact.act) || self.is_open(&about) {
            return false;
        }
        let last = self.texts.last_word(&about).map_or(fact.stamp.wall, |known| known.max(fact.stamp.wall));
        let is_forgotten = self.is_past(&about, last, at);
        if is_forgotten && self.texts.refused.len() < TEXTS_MAX {
            self.texts.refused.insert(about);
        }
        is_forgotten
    }

    /// Whether something of which `last` is the last word need not be talked about any more.
    fn is_past(&mut self, about: &About, last: UnixMillis, at: UnixMillis) -> bool {
        let shown = self.texts.shown();
        let last = match about {
            About::Incident(_) => Some(last),
            About::Announcement(id) => match shown.announcements.get(id) {
                Some(known) => known.ends().filter(|end| *end <= at).map(|end| end.max(last)),
                None => Some(last),
            },
        };
        !self.is_open(about) && last.is_some_and(|last| last + self.config.retention.rollup_1h < at)
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
        let last_words = self.texts.last_words();
        let over: BTreeSet<About> =
            last_words.into_iter().filter(|(about, last)| self.is_past(about, *last, at)).map(|(about, _)| about).collect();
        self.texts.ended.retain(|_, ended| at <= *ended + kept_for);
        let mut change = StateChange::default();
        let is_over = |act: &OperatorAct| about(act).is_some_and(|about| over.contains(&about));
        let gone: Vec<OperatorFact> = self.texts.facts.extract_if(.., |act, _| is_over(act)).map(|(_, fact)| fact).collect();
        let taken_back: Vec<OperatorFact> = self.texts.taken_back.extract_if(.., |act, _| is_over(act)).map(|(_, fact)| fact).collect();
        if !gone.is_empty() {
            self.texts.shown = None;
            self.is_dirty = true;
        }
        for fact in gone.into_iter().chain(taken_back) {
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
