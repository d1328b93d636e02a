//! What people say of trouble: updates with their states, oldest or newest first, and the forms to write them.

use maud::Markup;
use maud::html;

use crate::model::id::IncidentId;
use crate::model::page::Language;
use crate::model::time::UnixMillis;
use crate::model::update::POSTMORTEM_CHARS_MAX;
use crate::model::update::UPDATE_CHARS_MAX;
use crate::model::update::UpdateState;
use crate::model::verdict::Verdict;
use crate::ui::component::badge::class;
use crate::ui::component::badge::shape;
use crate::ui::language::phrases;
use crate::ui::layout::Frame;
use crate::ui::layout::form_token;
use crate::ui::markdown::markdown;
use crate::ui::text;

/// One update, as visitors may see it: who wrote it is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateView {
    /// How far people have got.
    pub state: UpdateState,
    /// In the small Markdown; may be empty.
    pub text: String,
    /// When.
    pub at: UnixMillis,
}

/// An announcement made at run time, as visitors may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedView {
    /// Tells it apart from others, and stays.
    pub key: String,
    /// In a line.
    pub title: String,
    /// How far people have got.
    pub state: UpdateState,
    /// When it began.
    pub from: UnixMillis,
    /// When it ends; `None`: nobody knows.
    pub until: Option<UnixMillis>,
    /// Newest first.
    pub updates: Vec<UpdateView>,
}

/// The word for operators, who are spoken to in English.
#[must_use]
pub fn state_word(state: UpdateState) -> &'static str {
    (phrases(Language::English).update_state)(state)
}

/// How it looks.
#[must_use]
pub fn look(state: UpdateState) -> Verdict {
    match state {
        UpdateState::Investigating => Verdict::Down,
        UpdateState::Identified => Verdict::Degraded,
        UpdateState::Monitoring => Verdict::Maintenance,
        UpdateState::Resolved => Verdict::Up,
    }
}

/// The word with its shape and colour.
#[must_use]
pub fn state_badge(state: UpdateState) -> Markup {
    html! { span.badge.(class(look(state))) { (shape(look(state))) " " (state_word(state)) } }
}

/// What is already written, for forms that change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearntView {
    /// In the small Markdown.
    pub text: String,
    /// Who wrote it last.
    pub by: String,
    /// When.
    pub at: UnixMillis,
    /// Visitors may read it.
    pub is_public: bool,
}

/// What the forms of an incident or announcement begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// How far people have got.
    pub state: UpdateState,
    /// What a template says; empty without one.
    pub text: String,
    /// Names of the templates.
    pub templates: Vec<String>,
}

/// Templates that a form can begin with; `link` is where one is chosen.
#[must_use]
pub fn templates(draft: &Draft, link: &dyn Fn(&str) -> String) -> Markup {
    html! { @if !draft.templates.is_empty() { p.choices { span.quiet { "Begin with" } @for name in &draft.templates { a href=(link(name)) { (name) } } } } }
}

/// Radio buttons for the state, and the text.
#[must_use]
pub fn state_and_text(draft: &Draft) -> Markup {
    let (chosen, text) = (draft.state, &draft.text);
    html! {
        fieldset.choices { legend { "How far you have got" }
            @for state in UpdateState::ALL { label.inline { input type="radio" name="state" value=(state.word()) checked[state == chosen]; " " (state_word(state)) } }
        }
        label { "What you say" textarea name="text" rows="3" maxlength=(UPDATE_CHARS_MAX) aria-describedby="markdown-help" { @if !text.is_empty() { "\n" (text) } } }
    }
}

/// The forms with which operators write about an incident.
#[must_use]
pub fn forms(frame: &Frame, incident: &IncidentId, draft: &Draft, learnt: Option<&LearntView>) -> Markup {
    html! {
        section.writing #write {
            h2 { "Write" }
            (templates(draft, &|name| frame.links.incident_template(incident, name)))
            p.quiet #markdown-help { "*emphasis*, **strong**, `code`, lists and [links](https://example.com) are understood." }
            form.stacked method="post" action=(frame.links.updates(incident)) {
                (form_token(frame))
                (state_and_text(draft))
                label.inline { input type="checkbox" name="public" value="yes"; " Show it on the status pages that list this monitor" }
                button.main type="submit" { "Post update" }
            }
            details { summary { "Note for everybody who is signed in" }
                form.stacked method="post" action=(frame.links.notes(incident)) {
                    (form_token(frame))
                    label { "What the others should know" textarea name="text" rows="3" maxlength=(UPDATE_CHARS_MAX) aria-describedby="markdown-help" required {} }
                    button type="submit" { "Add note" }
                }
            }
            details { summary { @if learnt.is_some() { "Change the postmortem" } @else { "Write a postmortem" } }
                form.stacked method="post" action=(frame.links.postmortem(incident)) {
                    (form_token(frame))
                    label { "What happened, why, and what will be different" textarea name="text" rows="12" maxlength=(POSTMORTEM_CHARS_MAX) aria-describedby="markdown-help" { @if let Some(learnt) = learnt { "\n" (learnt.text) } } }
                    label.inline { input type="checkbox" name="public" value="yes" checked[learnt.is_some_and(|learnt| learnt.is_public)]; " Show it on the status pages that list this monitor" }
                    button type="submit" { "Save" }
                }
            }
        }
    }
}

/// What was learnt, for those who are signed in.
#[must_use]
pub fn learnt(view: &LearntView, now: UnixMillis) -> Markup {
    html! {
        section {
            h2 { "Postmortem" }
            p.quiet { "by " b { (view.by) } ", " (text::ago(view.at, now)) ", " @if view.is_public { "public" } @else { "for everybody who is signed in" } }
            div.written { (markdown(&view.text)) }
        }
    }
}
