//! State by word, shape and colour, in this order of importance.

use maud::Markup;
use maud::html;

use crate::model::result::Outcome;
use crate::model::verdict::Verdict;

/// The class that carries the colour of a state.
#[must_use]
pub fn class(state: Verdict) -> &'static str {
    match state {
        Verdict::Up => "is-up",
        Verdict::Degraded => "is-degraded",
        Verdict::Down => "is-down",
        Verdict::Unknown => "is-unknown",
        Verdict::Paused => "is-paused",
    }
}

/// The word for a state, as pages write it.
#[must_use]
pub fn word(state: Verdict) -> &'static str {
    match state {
        Verdict::Up => "Up",
        Verdict::Degraded => "Degraded",
        Verdict::Down => "Down",
        Verdict::Unknown => "Unknown",
        Verdict::Paused => "Paused",
    }
}

/// A check's outcome in the words of verdicts.
#[must_use]
pub fn of_outcome(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Up => Verdict::Up,
        Outcome::Degraded => Verdict::Degraded,
        Outcome::Down => Verdict::Down,
        Outcome::Unknown => Verdict::Unknown,
    }
}

/// The shape of a state: disc, triangle, square, ring, two bars. Tells them apart without colour.
#[must_use]
pub fn shape(state: Verdict) -> Markup {
    html! {
        svg.shape.(class(state)) viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" {
            @match state {
                Verdict::Up => { circle cx="6" cy="6" r="5" {} },
                Verdict::Degraded => { path d="M6 .8 11.6 11H.4z" {} },
                Verdict::Down => { path d="M1 1h10v10H1z" {} },
                Verdict::Unknown => { circle.hollow cx="6" cy="6" r="4.2" stroke-dasharray="2.2 1.6" {} },
                Verdict::Paused => { path d="M2 1h3v10H2zM7 1h3v10H7z" {} },
            }
        }
    }
}

/// Shape and word.
#[must_use]
pub fn badge(state: Verdict) -> Markup {
    html! { span.badge.(class(state)) { (shape(state)) " " (word(state)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_own_word_and_shape() {
        let all = [Verdict::Up, Verdict::Degraded, Verdict::Down, Verdict::Unknown, Verdict::Paused];
        let mut seen: Vec<String> = all.iter().map(|s| shape(*s).into_string().replace(class(*s), "")).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all.len());
        assert!(badge(Verdict::Down).into_string().contains("Down"));
    }
}
