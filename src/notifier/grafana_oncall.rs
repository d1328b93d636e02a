//! The `grafana_oncall` channel: a formatted webhook of Grafana OnCall or Grafana IRM, all of a monitor's alerts in one group.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::GrafanaOncallSpec;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::compose::Phase;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::within;

/// Lists do not show more.
const TITLE: Limit = Limit::chars(250);
const TEXT: Limit = Limit::chars(4000);

impl Kind for GrafanaOncallSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        Request::json("POST", self.url.reveal_for_use(), &body(message))
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }
}

fn body(message: &Message<'_>) -> Value {
    let state = match message.phase() {
        Phase::Over => "ok",
        Phase::Firing | Phase::Notice => "alerting",
    };
    let mut body = json!({
        "alert_uid": message.alarm(),
        "title": within(&message.title(), TITLE, escape::plain),
        "state": state,
        "message": message.text(&PLAIN, TEXT),
    });
    if let Some(url) = message.click() {
        body["link_to_upstream_details"] = url.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> GrafanaOncallSpec {
        GrafanaOncallSpec { url: Secret::new("https://oncall.example/integrations/v1/formatted_webhook/canary/") }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::GrafanaOncall(spec()));
    }

    #[test]
    fn texts_fit() {
        let body = samples::hostile_body(&spec());
        assert!(body["message"].as_str().is_some_and(|text| (1..=4000).contains(&text.chars().count())), "{body}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (200, "Ok.", None, "accepted"),
                (403, "canary", None, "permanent: answered 403"),
                (404, "", None, "permanent: answered 404"),
                (429, "", Some("20"), "later 20"),
            ],
        );
    }
}
