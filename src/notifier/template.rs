//! Own bodies: slots are filled with values that are escaped for where they stand. Pure.
//!
//! A value is never looked at again for slots, so a monitor named `${link}` stays named so.

use crate::model::channel::Escaping;
use crate::model::channel::Slot;
use crate::model::channel::Template;
use crate::model::channel::TemplatePart;
use crate::model::notification::Notification;
use crate::notifier::escape;
use crate::notifier::payload::Links;
use crate::notifier::payload::Payload;
use crate::notifier::payload::fitted;
use crate::notifier::request::encoded;

/// The body that a template makes of a notification.
#[must_use]
pub fn fill(template: &Template, notification: &Notification, links: &Links) -> String {
    fitted(|room| {
        let payload = Payload::new(notification, links, room);
        let mut out = String::new();
        for part in &template.parts {
            match part {
                TemplatePart::Text(text) => out.push_str(text),
                TemplatePart::Filled(text) => out.push_str(text.reveal_for_use()),
                TemplatePart::Slot(slot) => push_escaped(&mut out, &value(*slot, &payload), template.escaping),
            }
        }
        out
    })
}

fn value(slot: Slot, payload: &Payload) -> String {
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    match slot {
        Slot::MonitorName => payload.monitor_name.clone(),
        Slot::MonitorId => or_empty(&payload.monitor_id),
        Slot::MonitorGroup => or_empty(&payload.group),
        Slot::MonitorUrl => payload.url.clone(),
        Slot::Event => payload.event.to_owned(),
        Slot::Status => payload.status.to_owned(),
        Slot::Text => payload.text.clone(),
        Slot::Cause => payload.cause.clone(),
        Slot::IncidentId => or_empty(&payload.incident_id),
        Slot::StartedAt => payload.started_at.clone(),
        Slot::DurationSeconds => payload.duration_seconds.to_string(),
        Slot::RegionsFailing => payload.regions_failing.join(","),
        Slot::Runbook => or_empty(&payload.runbook),
        Slot::Link => or_empty(&payload.links.incident),
        Slot::LinkAcknowledge => or_empty(&payload.links.acknowledge),
        Slot::LinkSilence => or_empty(&payload.links.silence),
    }
}

fn push_escaped(out: &mut String, value: &str, escaping: Escaping) {
    match escaping {
        Escaping::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            // The template has the quotes already, or wants a bare number.
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
        Escaping::Form => out.push_str(&encoded(value)),
        // XML has no way to write most of what is left out here, and one such character makes the whole of it unreadable.
        Escaping::Xml => value.chars().map(visible).for_each(|c| escape::html(c, out)),
        Escaping::Text => out.extend(value.chars().map(visible)),
    }
}

fn visible(c: char) -> char {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}') { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::payload::BODY_BYTES_MAX;
    use crate::notifier::samples;

    fn json_with_every_slot() -> Template {
        let mut parts = vec![TemplatePart::Text("{".to_owned())];
        for (name, slot) in Slot::ALL {
            let comma = if parts.len() == 1 { "" } else { "," };
            parts.push(TemplatePart::Text(format!("{comma}\"{name}\":\"")));
            parts.push(TemplatePart::Slot(slot));
            parts.push(TemplatePart::Text("\"".to_owned()));
        }
        parts.push(TemplatePart::Text("}".to_owned()));
        Template { parts, escaping: Escaping::Json }
    }

    #[test]
    fn hostile_values_keep_the_json_valid_and_come_out_as_they_went_in() {
        for hostile in
            [r#"a "quoted" \ name"#, "${link} ${monitor.name}", r#"","status":"up"#, "</script>{{7*7}}%s", "日本 é 🚨", "\\u0000"]
        {
            let mut facts = samples::facts();
            facts.monitor_name = hostile.to_owned();
            facts.cause = hostile.to_owned();
            facts.group = Some(hostile.to_owned());
            facts.runbook = Some(hostile.to_owned());
            let body = fill(&json_with_every_slot(), &samples::notification(facts), &Links::new(&samples::server()));
            let parsed: serde_json::Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
            for slot in ["monitor.name", "cause", "monitor.group", "runbook"] {
                assert_eq!(parsed[slot], hostile, "{slot}");
            }
            assert_eq!(parsed.as_object().map(serde_json::Map::len), Some(Slot::ALL.len()), "{body}");
        }
    }

    #[test]
    fn line_breaks_become_spaces() {
        let template = Template {
            parts: vec![
                TemplatePart::Text("cause: ".to_owned()),
                TemplatePart::Slot(Slot::Cause),
                TemplatePart::Text("\nend ".to_owned()),
                TemplatePart::Slot(Slot::DurationSeconds),
            ],
            escaping: Escaping::Text,
        };
        let mut facts = samples::facts();
        facts.cause = "a\r\nBcc: b\u{1b}[2J".to_owned();
        let body = fill(&template, &samples::notification(facts), &Links::new(&samples::server()));
        assert_eq!(body, "cause: a  Bcc: b [2J\nend 0");
    }

    /// What a watched target that means ill may answer, in a template of one slot between two words.
    fn between(escaping: Escaping, before: &str, cause: &str, after: &str) -> String {
        let parts = vec![TemplatePart::Text(before.to_owned()), TemplatePart::Slot(Slot::Cause), TemplatePart::Text(after.to_owned())];
        let facts = crate::model::notification::IncidentFacts { cause: cause.to_owned(), ..samples::facts() };
        fill(&Template { parts, escaping }, &samples::notification(facts), &Links::new(&samples::server()))
    }

    #[test]
    fn a_value_adds_no_field_to_a_form() {
        let hostile = "down: &to=+1900666&msg=call us; 100% é";
        let body = between(Escaping::Form, "to=%2B3712000&msg=", hostile, "&end=1");
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let expected = [("to", "+3712000"), ("msg", hostile), ("end", "1")];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())), "{body}");
    }

    #[test]
    fn a_value_adds_no_element_and_no_attribute_to_xml() {
        let hostile = "</m><to>+1900666</to> \" onload=' & ]]>\u{0}\u{1b}\n\u{ffff}";
        let body = between(Escaping::Xml, "<m a=\"1\">", hostile, "</m>");
        assert_eq!(body, "<m a=\"1\">&lt;/m&gt;&lt;to&gt;+1900666&lt;/to&gt; &quot; onload=&#39; &amp; ]]&gt;    </m>");
    }

    #[test]
    fn long_values_are_shortened_before_the_template_is_filled() {
        let mut facts = samples::facts();
        facts.cause = "\"".repeat(100_000);
        let template = Template { parts: std::iter::repeat_n(TemplatePart::Slot(Slot::Cause), 10).collect(), escaping: Escaping::Json };
        let body = fill(&template, &samples::notification(facts), &Links::new(&samples::server()));
        assert!(body.len() <= BODY_BYTES_MAX && body.len() > 20_000, "{}", body.len());
    }

    #[test]
    fn slots_without_a_value_are_empty() {
        let body = fill(&json_with_every_slot(), &samples::self_notice(), &Links::new(&samples::server()));
        let parsed: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((&parsed["monitor.id"], &parsed["link"], &parsed["status"]), (&"".into(), &"".into(), &"self".into()));
    }
}
