//! Decodes a webhook's own body: a text with slots, checked now so that it cannot fail when it matters.

use crate::config::decode::structure;
use crate::config::decode::structure::Trouble;
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

/// `body:` of a request with that content type, if one is set; slots stay, other variables are filled in.
pub(super) fn body(ctx: &Ctx<'_>, at: &At<'_>, content_type: Option<&str>) -> Option<Template> {
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
    let has_slots = parts.iter().any(|part| matches!(part, TemplatePart::Slot(_)));
    let begins = text.trim_start();
    let looks_like_json = begins.starts_with(['{', '[']) && !begins.starts_with("${");
    let escaping = match content_type.map(escaping_for) {
        // What reads like JSON is often read as JSON, whatever it is called.
        None | Some(Some(Escaping::Text)) if looks_like_json => Escaping::Json,
        None if begins.starts_with('<') => Escaping::Xml,
        None => Escaping::Text,
        Some(Some(escaping)) => escaping,
        // Without a slot nothing is put in.
        Some(None) if !has_slots => Escaping::Text,
        Some(None) => {
            let hint = "with slots it can be JSON, XML, HTML, `application/x-www-form-urlencoded` or `text/plain`";
            ctx.bad(at, "vigilmon does not know how to write values into a body of this `Content-Type`", hint);
            return None;
        }
    };
    let template = Template { parts, escaping };
    if !fine {
        return None;
    }
    let trouble = match escaping {
        Escaping::Json if looks_like_json || has_slots => json_trouble(&template, looks_like_json),
        Escaping::Form => structure::form(&template.parts),
        Escaping::Xml => structure::xml(&template.parts),
        Escaping::Json | Escaping::Text => None,
    };
    if let Some((message, hint)) = trouble {
        ctx.bad(at, message, hint);
        return None;
    }
    Some(template)
}

/// How values are written into a body of this content type; `None` when that is not known.
fn escaping_for(content_type: &str) -> Option<Escaping> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" | "text/json" => Some(Escaping::Json),
        "application/x-www-form-urlencoded" => Some(Escaping::Form),
        "application/xml" | "text/xml" | "text/html" => Some(Escaping::Xml),
        "text/plain" => Some(Escaping::Text),
        kind if kind.ends_with("+json") => Some(Escaping::Json),
        kind if kind.ends_with("+xml") => Some(Escaping::Xml),
        _ => None,
    }
}

fn json_trouble(template: &Template, looks_like_json: bool) -> Option<Trouble> {
    if is_json_when_filled(template) {
        return None;
    }
    let hint = "put slots inside of quotes: `{ \"text\": \"${text}\" }`; a body that is not JSON must not begin with `{` or `[`";
    let message = if looks_like_json {
        "this body begins like JSON but is not valid JSON once its slots are filled"
    } else {
        "the `Content-Type` says that this body is JSON, but it is not valid JSON once its slots are filled"
    };
    Some((message, hint))
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
