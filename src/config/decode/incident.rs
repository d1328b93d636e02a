//! Decodes `incident_templates`: texts that people can begin an update with.

use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::readers;
use crate::model::update::TEMPLATES_MAX;
use crate::model::update::UPDATE_CHARS_MAX;
use crate::model::update::UpdateState;
use crate::model::update::UpdateTemplate;

/// All of them, in order.
pub(super) fn templates(ctx: &Ctx<'_>, at: Option<&At<'_>>) -> Vec<UpdateTemplate> {
    let mut templates: Vec<UpdateTemplate> = Vec::new();
    for at in at.map(|at| at.list(ctx)).unwrap_or_default() {
        let Some(template) = template(ctx, &at) else { continue };
        let name_at = at.child("name").unwrap_or_else(|| at.clone());
        if templates.iter().any(|known| known.name == template.name) {
            ctx.bad(&name_at, format!("there is already a template `{}`", template.name), "give one of them another `name`");
        }
        if templates.len() == TEMPLATES_MAX {
            ctx.bad(&at, format!("there are more than {TEMPLATES_MAX} templates"), "keep those that are found at a glance");
        }
        templates.push(template);
    }
    templates
}

fn template(ctx: &Ctx<'_>, at: &At<'_>) -> Option<UpdateTemplate> {
    let mut fields = Fields::open(ctx, at, "incident_templates[]")?;
    let name = fields.must("name", readers::name);
    let words = UpdateState::ALL.map(|state| (state.word(), state));
    let state = fields.must("state", |ctx, at| readers::choice(ctx, at, &words));
    let text = fields.must("text", |ctx, at| {
        let text = readers::full_text(ctx, at)?;
        let n_chars = text.chars().count();
        if UPDATE_CHARS_MAX < n_chars {
            ctx.bad(at, format!("this text has {n_chars} characters"), format!("an update has at most {UPDATE_CHARS_MAX}"));
            return None;
        }
        Some(text)
    });
    fields.finish();
    Some(UpdateTemplate { name: name?, state: state?, text: text? })
}
