//! Things the reader has to be told: banners, config problems, announcements.

use maud::Markup;
use maud::html;

use crate::model::page::AnnouncementKind;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;

/// A banner above the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// How bad.
    pub state: Verdict,
    /// One sentence.
    pub text: String,
    /// Where more is said: address and words.
    pub link: Option<(String, String)>,
}

/// One banner.
#[must_use]
pub fn banner(banner: &Banner) -> Markup {
    html! {
        div.banner.(class(banner.state)) role="status" {
            (shape(banner.state)) " " span { (banner.text) }
            @if let Some((href, words)) = &banner.link { " " a href=(href) { (words) } }
        }
    }
}

/// Something wrong with the config, in the words of `vigilmon validate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemView {
    /// `config.yaml:14:3`; without line and column when the whole file is meant, and empty when it is in no file.
    pub place: String,
    /// `monitors[2].timeout`; empty for the document itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
}

/// All of them.
#[must_use]
pub fn problems(problems: &[ProblemView]) -> Markup {
    html! {
        ul.problems {
            @for problem in problems {
                li {
                    @if !problem.place.is_empty() { code { (problem.place) @if !problem.path.is_empty() { ": " (problem.path) } } }
                    p { (problem.message) }
                    @if !problem.hint.is_empty() { p.quiet { "Hint: " (problem.hint) } }
                }
            }
        }
    }
}

/// A message of the operators to visitors. Plain text: line breaks stay, nothing else is interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncementView {
    /// Since when.
    pub at: UnixMillis,
    /// What kind.
    pub kind: AnnouncementKind,
    /// What it says.
    pub text: String,
}
