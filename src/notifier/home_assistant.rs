//! The `home_assistant` channel: calls a service of Home Assistant, to a phone or into its own list of notifications.
//!
//! All messages about a monitor have one tag, so that the newest replaces the others. Home Assistant has templates; a character without
//! width takes the meaning from their brackets.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::HomeAssistantSpec;
use crate::notifier::compose::HOME_ASSISTANT;
use crate::notifier::compose::Message;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Phones do not show more.
const TEXT: Limit = Limit::chars(2000);
const TITLE: Limit = Limit::chars(200);

/// Home Assistant's own list.
const LIST: &str = "persistent_notification.create";

impl Kind for HomeAssistantSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let service = self.service.replacen('.', "/", 1);
        Request::json("POST", format!("{}/api/services/{service}", self.url), &body(&self.service, message)).bearer(&self.token)
    }
}

fn body(service: &str, message: &Message<'_>) -> Value {
    let mut body = json!({
        "title": within(&format!("{} {}", message.tone().sign(), message.title()), TITLE, escape::home_assistant),
        "message": message.text(&HOME_ASSISTANT, TEXT),
    });
    if service == LIST {
        body["notification_id"] = message.alarm_short().into();
    } else {
        let mut data = json!({"tag": message.alarm_short()});
        if let Some(url) = message.click() {
            // What Android and iOS call it.
            data["clickAction"] = url.as_str().into();
            data["url"] = url.into();
        }
        body["data"] = data;
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> HomeAssistantSpec {
        HomeAssistantSpec {
            url: "http://homeassistant.example:8123".to_owned(),
            token: Secret::new("canary"),
            service: "notify.mobile_app_phone".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::HomeAssistant(spec()));
    }

    #[test]
    fn the_list_has_one_entry_for_each_monitor() {
        let spec = HomeAssistantSpec { service: LIST.to_owned(), ..spec() };
        let world = samples::World::down();
        let request = spec.request(&world.message());
        assert!(request.url.reveal_for_use().ends_with("/api/services/persistent_notification/create"));
        assert!(request.body.contains(&format!("\"notification_id\":\"{}\"", world.message().alarm_short())));
    }

    #[test]
    fn texts_fit_and_no_template_is_run() {
        let mut facts = samples::facts();
        facts.monitor_name = "{{ states('x') }}{% if 1 %}".to_owned();
        let world = samples::World::new(samples::notification(facts));
        let body = spec().request(&world.message()).body;
        assert!(!body.contains("{{ states") && !body.contains("{%"), "{body}");
        let body = samples::hostile_body(&spec());
        assert!(body["message"].as_str().is_some_and(|text| (1..=TEXT.max).contains(&text.chars().count())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "[]", None, "accepted"),
                (401, "401: canary", None, "permanent: answered 401"),
                (400, "", None, "permanent: answered 400"),
                (502, "", None, "transient"),
            ],
        );
    }
}
