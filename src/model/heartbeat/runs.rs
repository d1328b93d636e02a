//! The pings of a heartbeat by run.

use crate::model::heartbeat::Run;
use crate::model::heartbeat::RunId;

/// Runs by their ids, `None` being that of the pings that name none. In order, in one piece: there are few, most often one, and for ten
/// thousand heartbeats a tree's nodes would be most of the memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runs(Vec<(Option<RunId>, Run)>);

impl Runs {
    fn place(&self, id: &Option<RunId>) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(id))
    }

    /// The run of this id.
    #[must_use]
    pub fn get(&self, id: &Option<RunId>) -> Option<&Run> {
        let place = self.place(id).ok()?;
        self.0.get(place).map(|(_, run)| run)
    }

    /// The run of this id; an empty one when there was none.
    pub fn of(&mut self, id: &Option<RunId>) -> &mut Run {
        let place = self.place(id).unwrap_or_else(|place| {
            self.0.reserve_exact(1);
            self.0.insert(place, (id.clone(), Run::default()));
            place
        });
        &mut self.0[place].1
    }

    /// Lets a run go and returns it.
    pub fn remove(&mut self, id: &Option<RunId>) -> Option<Run> {
        let place = self.place(id).ok()?;
        Some(self.0.remove(place).1)
    }

    /// All in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&Option<RunId>, &Run)> {
        self.0.iter().map(|(id, run)| (id, run))
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &Option<RunId>> {
        self.0.iter().map(|(id, _)| id)
    }

    /// All runs.
    pub fn values(&self) -> impl Iterator<Item = &Run> {
        self.0.iter().map(|(_, run)| run)
    }

    /// All runs, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.0.iter_mut().map(|(_, run)| run)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Option<RunId>, Run)> for Runs {
    fn from_iter<T: IntoIterator<Item = (Option<RunId>, Run)>>(all: T) -> Runs {
        let mut runs = Runs::default();
        for (id, run) in all {
            *runs.of(&id) = run;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_by_their_ids_and_kept_in_order() {
        let id = |text: &str| Some(RunId::text(text).expect("an id"));
        let mut runs = Runs::default();
        for known in [id("b"), None, id("a"), id("b")] {
            runs.of(&known);
        }
        assert_eq!(runs.ids().cloned().collect::<Vec<_>>(), [None, id("a"), id("b")]);
        assert!(runs.get(&id("c")).is_none() && runs.remove(&id("c")).is_none());
        assert!(runs.remove(&None).is_some() && runs.get(&None).is_none());
        assert_eq!((runs.len(), runs.values().count()), (2, 2));
    }
}
