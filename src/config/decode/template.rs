//! Decodes a webhook's own body: a text with slots, checked now so that it cannot fail when it matters.

use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::interpolate;
use crate::config::interpolate::Matrix;
use crate::config::interpolate::Part;
use crate::config::readers;
use crate::config::reference;
use crate::model::channel::Escaping;
use crate::model::channel::Slot;
use crate::model::channel::Template;
use crate::model::channel::TemplatePart;
use crate::model::secret::Secret;

/// `body:`; slots stay, other variables are filled in.
pub(super) fn body(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Template> {
    let text = readers::full_text(ctx, at)?;
    let mut parts: Vec<TemplatePart> = Vec::new();
    let mut fine = true;
    for part in interpolate::parts(&text) {
        match resolve(ctx, &part) {
            Ok(TemplatePart::Text(more)) => match parts.last_mut() {
                Some(TemplatePart::Text(before)) => before.push_str(&more),
                Some(TemplatePart::Slot(_) | TemplatePart::Filled(_)) | None => parts.push(TemplatePart::Text(more)),
            },
            Ok(other @ (TemplatePart::Slot(_) | TemplatePart::Filled(_))) => parts.push(other),
            Err((message, hint)) => {
                ctx.bad(at, message, hint);
                fine = false;
            }
        }
    }
    let json = text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("${");
    let template = Template { parts, escaping: if json { Escaping::Json } else { Escaping::Text } };
    if json && fine && !is_json_when_filled(&template) {
        let hint = "put slots inside of quotes: `{ \"text\": \"${text}\" }`; a body that is not JSON must not begin with `{` or `[`";
        ctx.bad(at, "this body begins like JSON but is not valid JSON once its slots are filled", hint);
        return None;
    }
    fine.then_some(template)
}

fn resolve(ctx: &Ctx<'_>, part: &Part<'_>) -> Result<TemplatePart, (String, String)> {
    match part {
        Part::Text(text) => Ok(TemplatePart::Text((*text).to_owned())),
        Part::Unclosed => {
            let trouble = interpolate::unclosed();
            Err((trouble.message, trouble.hint))
        }
        Part::Variable { name, default } => {
            if let Some((_, slot)) = Slot::ALL.iter().find(|(known, _)| known == name) {
                return Ok(TemplatePart::Slot(*slot));
            }
            // Lower case and dots are how slots look; everything else is a variable of the environment.
            let is_variable = interpolate::is_env_name(name) && !name.chars().any(|c| c.is_ascii_lowercase());
            if is_variable || (interpolate::is_env_name(name) && ctx.around.env(name).is_some()) {
                let value = interpolate::value(name, *default, ctx.around, Matrix::None);
                return value.map(|text| TemplatePart::Filled(Secret::new(text))).map_err(|trouble| (trouble.message, trouble.hint));
            }
            let hint = match reference::nearest(name, Slot::ALL.iter().map(|(known, _)| *known)) {
                Some(near) => format!("did you mean `${{{near}}}`?"),
                None => {
                    let all: Vec<String> = Slot::ALL.iter().map(|(known, _)| format!("`{known}`")).collect();
                    format!("the slots are {}", all.join(", "))
                }
            };
            Err((format!("there is no slot `${{{name}}}`"), hint))
        }
    }
}

/// Numbers are tried as digits and texts as letters, so that a slot may also stand where JSON wants a number.
fn is_json_when_filled(template: &Template) -> bool {
    let filled: String = template
        .parts
        .iter()
        .map(|part| match part {
            TemplatePart::Text(text) => text.as_str(),
            TemplatePart::Filled(text) => text.reveal_for_use(),
            TemplatePart::Slot(Slot::DurationSeconds) => "0",
            TemplatePart::Slot(_) => "x",
        })
        .collect();
    serde_json::from_str::<serde_json::Value>(&filled).is_ok()
}
