//! What becomes of a subscriber of whom another node tells. Pure: nodes that have heard the same keep the same, in whatever order and however
//! often they heard it.
//!
//! Of all that is known of an address at a page the greatest stays, by one order for two states of one subscriber and for two subscribers who
//! signed up with it at different nodes. So it does not matter what was left out before. Who has confirmed comes before who has not, and of
//! those the first: its links are in the most letters. Names that are gone are a set that only grows, and come before everything.

use std::cmp::Reverse;

use crate::model::subscription::SharedSubscriber;

/// What is to be done with what another node told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: what is here stays.
    Keep,
    /// Nobody is here with this address at this page.
    Insert,
    /// The same one has come further.
    Update,
    /// It takes the place of another one with the same address.
    Replace,
}

/// What follows from `theirs`. `mine` is who has this name here, or else who has this address at this page.
pub(super) fn step(theirs: &SharedSubscriber, mine: Option<&SharedSubscriber>, is_gone: bool) -> Step {
    let Some(mine) = mine else { return if is_gone { Step::Keep } else { Step::Insert } };
    let is_about_the_same = (&mine.page, mine.way, &mine.address) == (&theirs.page, theirs.way, &theirs.address);
    // A name is drawn once and for one address.
    if is_gone || !is_about_the_same || rank(theirs) <= rank(mine) {
        return Step::Keep;
    }
    if mine.name == theirs.name { Step::Update } else { Step::Replace }
}

/// By this the greatest stays. All that a step takes over is part of it, so that two are equal only when it makes no difference which stays.
fn rank(one: &SharedSubscriber) -> impl Ord + '_ {
    let confirmed = one.confirmed_at.map(Reverse);
    (confirmed, one.asked_at, one.is_asked, one.n_asked, &one.name, one.language.code(), &one.home)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::id::NodeName;
    use crate::model::id::PageSlug;
    use crate::model::page::Language;
    use crate::model::subscription::SubscriberWay;
    use crate::model::time::UnixMillis;

    fn one(name: &str, asked: i64, confirmed: Option<i64>) -> SharedSubscriber {
        SharedSubscriber {
            name: name.to_owned(),
            home: NodeName::parse("a").expect("a name"),
            page: PageSlug::parse("main").expect("a slug"),
            way: SubscriberWay::Mail,
            address: "jo@example.org".to_owned(),
            language: Language::English,
            asked_at: UnixMillis(asked),
            is_asked: confirmed.is_some(),
            n_asked: 0,
            confirmed_at: confirmed.map(UnixMillis),
        }
    }

    /// What a node hears.
    #[derive(Debug, Clone)]
    enum Heard {
        Of(SharedSubscriber),
        Gone(&'static str),
    }

    /// What a node knows, by address.
    #[derive(Debug, Default, PartialEq)]
    struct Book {
        rows: BTreeMap<String, SharedSubscriber>,
        gone: BTreeSet<String>,
    }

    impl Book {
        fn hear(&mut self, heard: &Heard) {
            match heard {
                Heard::Gone(name) => {
                    self.gone.insert((*name).to_owned());
                    self.rows.retain(|_, row| row.name != *name);
                }
                Heard::Of(theirs) => {
                    let by_name = self.rows.values().find(|row| row.name == theirs.name);
                    let mine = by_name.or_else(|| self.rows.get(&theirs.address));
                    match step(theirs, mine, self.gone.contains(&theirs.name)) {
                        Step::Keep => {}
                        Step::Insert | Step::Update | Step::Replace => {
                            self.rows.insert(theirs.address.clone(), theirs.clone());
                        }
                    }
                }
            }
        }
    }

    fn orders(all: &[Heard]) -> Vec<Vec<Heard>> {
        let Some((first, rest)) = all.split_first() else { return vec![Vec::new()] };
        let mut found = Vec::new();
        for order in orders(rest) {
            for place in 0..=order.len() {
                let mut with = order.clone();
                with.insert(place, first.clone());
                found.push(with);
            }
        }
        found
    }

    fn book(heard: &[Heard]) -> Book {
        let mut book = Book::default();
        heard.iter().for_each(|one| book.hear(one));
        book
    }

    /// In every order, with everything heard twice, and by two nodes that each heard a part and tell each other what they keep.
    #[track_caller]
    fn assert_same(all: &[Heard]) -> Book {
        let expected = book(all);
        for order in orders(all) {
            assert_eq!(book(&order), expected, "{order:?}");
            let twice: Vec<Heard> = order.iter().chain(&order).cloned().collect();
            assert_eq!(book(&twice), expected, "twice: {order:?}");
            for cut in 0..=order.len() {
                let (left, right) = order.split_at(cut);
                let (mut left, right) = (book(left), book(right));
                right.gone.iter().for_each(|name| {
                    left.gone.insert(name.clone());
                    left.rows.retain(|_, row| row.name != *name);
                });
                right.rows.values().for_each(|row| left.hear(&Heard::Of(row.clone())));
                assert_eq!(left, expected, "in two parts at {cut}: {order:?}");
            }
        }
        expected
    }

    #[test]
    fn whoever_heard_the_same_keeps_the_same() {
        let times = [1, 2];
        let confirmed = [None, Some(3), Some(4)];
        let product = || times.into_iter().flat_map(|asked| confirmed.into_iter().map(move |at| (asked, at)));
        let mut n = 0;
        for x in product() {
            for later_x in product() {
                for y in product() {
                    for later_y in product() {
                        let all = [one("x", x.0, x.1), one("x", later_x.0, later_x.1), one("y", y.0, y.1), one("y", later_y.0, later_y.1)];
                        assert_same(&all.map(Heard::Of));
                        n += 1;
                    }
                }
            }
        }
        assert_eq!(n, 1296);
    }

    #[test]
    fn who_is_gone_stays_gone_in_every_order() {
        let elsewhere = SharedSubscriber { address: "eve@example.org".to_owned(), ..one("z", 1, Some(2)) };
        let all = [Heard::Of(one("x", 1, None)), Heard::Gone("x"), Heard::Of(one("x", 1, Some(2))), Heard::Of(elsewhere.clone())];
        let left = assert_same(&all);
        assert_eq!(left.rows.values().collect::<Vec<_>>(), [&elsewhere]);
        // Who signs up again has another name.
        let again = assert_same(&[Heard::Gone("x"), Heard::Of(one("new", 5, None)), Heard::Of(one("new", 5, Some(6)))]);
        assert_eq!(again.rows.values().next(), Some(&one("new", 5, Some(6))));
    }

    #[test]
    fn who_has_confirmed_stays_and_of_those_the_first() {
        for (name, mine, theirs, expected) in [
            ("confirmed meanwhile", one("x", 1, None), one("x", 1, Some(2)), Step::Update),
            ("known already", one("x", 1, Some(2)), one("x", 1, Some(2)), Step::Keep),
            ("confirmed earlier elsewhere", one("x", 1, Some(3)), one("x", 1, Some(2)), Step::Update),
            ("signed up again meanwhile", one("x", 1, None), one("x", 5, None), Step::Update),
            ("signed up again by a stranger", one("x", 1, Some(2)), one("x", 5, None), Step::Keep),
            ("a stranger elsewhere", one("x", 1, Some(2)), one("y", 5, None), Step::Keep),
            ("proved elsewhere", one("x", 5, None), one("y", 1, Some(2)), Step::Replace),
            ("both proved", one("x", 1, Some(3)), one("y", 1, Some(2)), Step::Replace),
            ("both proved, the other way round", one("y", 1, Some(2)), one("x", 1, Some(3)), Step::Keep),
            ("neither proved", one("x", 1, None), one("y", 2, None), Step::Replace),
        ] {
            assert_eq!(step(&theirs, Some(&mine), false), expected, "{name}");
            assert_eq!(step(&theirs, Some(&mine), true), Step::Keep, "{name}, and gone");
        }
        let moved = SharedSubscriber { address: "eve@example.org".to_owned(), ..one("x", 1, Some(2)) };
        assert_eq!(step(&moved, Some(&one("x", 1, None)), false), Step::Keep, "a name has one address");
        assert_eq!((step(&moved, None, false), step(&moved, None, true)), (Step::Insert, Step::Keep));
    }
}
