//! An issue for each monitor that is not well: opened, commented on as it goes on, closed when it is over. How that goes is the same on
//! every forge; what requests look like is not.

use crate::notifier::compose::MARKDOWN;
use crate::notifier::compose::Message;
use crate::notifier::compose::Phase;
use crate::notifier::escape;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// What forges take; titles are not read as Markdown.
pub(super) const TITLE: Limit = Limit::chars(250);

const TEXT: Limit = Limit::chars(30_000);

/// What comes next, once it is known which issue is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is none: a new one.
    Open,
    /// A comment on the one of this number.
    Comment(u64),
    /// That one is closed.
    Close(u64),
}

/// The step after `n_done` others, `found` being the number of the issue that was open before; `None` when all is said.
#[must_use]
pub(super) fn step(message: &Message<'_>, found: Option<u64>, n_done: usize) -> Option<Step> {
    let is_over = message.phase() == Phase::Over;
    match (found, n_done) {
        // Somebody has closed it already, or never heard of it.
        (None, 0) if is_over => None,
        (None, 0) => Some(Step::Open),
        (Some(number), 0) => Some(Step::Comment(number)),
        (Some(number), 1) if is_over => Some(Step::Close(number)),
        (None | Some(_), _) => None,
    }
}

/// What an issue or a comment says. It begins with a sign, so that no value stands where a line begins.
#[must_use]
pub(super) fn text(message: &Message<'_>) -> String {
    // Issues may be read by everybody, and by these links whoever reads them could act.
    let links = message.links.clone().unsigned();
    let message = &Message { links: &links, ..*message };
    let footer = within(&message.footer(), TITLE, escape::markdown);
    format!("{} {}\n\n<sub>{footer}</sub>", message.tone().sign(), message.text(&MARKDOWN, TEXT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::verdict::Verdict;
    use crate::notifier::samples::World;

    #[test]
    fn what_goes_on_is_commented_on_and_what_is_over_is_closed() {
        let (down, over) = (World::down(), World::recovered(Verdict::Up));
        let steps = |world: &World, found| (0..3).map_while(|n| step(&world.message(), found, n)).collect::<Vec<_>>();
        assert_eq!(steps(&down, None), [Step::Open]);
        assert_eq!(steps(&down, Some(17)), [Step::Comment(17)]);
        assert_eq!(steps(&over, Some(17)), [Step::Comment(17), Step::Close(17)]);
        assert_eq!(steps(&over, None), []);
    }
}
