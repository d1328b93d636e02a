//! The `slack` channel: an incoming webhook of Slack's, or of a server that speaks its language.
//!
//! The sentence is the message's `text`: it is what notifications on a phone show, and what look-alikes that know nothing of blocks
//! show. The attachment below it has the colour bar and the details. Names and causes come from configs and from strangers, so
//! they are escaped, and with that `<!channel>` and `<@U…>` are plain text.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::SlackSpec;
use crate::model::time::UnixMillis;
use crate::notifier::backoff::retry_after;
use crate::notifier::compose::Message;
use crate::notifier::compose::SLACK;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::error::not_now;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::Lines;
use crate::notifier::shorten::within;

/// Slack refuses a section whose text is longer.
const SECTION: Limit = Limit::chars(3000);

impl Kind for SlackSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        // Slack ignores the key; servers that speak its language may not.
        Request::json("POST", self.url.reveal_for_use(), &body(message)).with("idempotency-key", &message.notification.key)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        judge(answer, now)
    }
}

fn body(message: &Message<'_>) -> Value {
    json!({
        "text": within(&message.payload().text, SECTION, escape::slack),
        // Otherwise a name such as `*_db_*` would be shown as formatting.
        "mrkdwn": false,
        "attachments": [{"color": message.tone().colour(), "blocks": blocks(message)}],
    })
}

fn blocks(message: &Message<'_>) -> Vec<Value> {
    let mut details = Lines::new(SECTION, SLACK.line_break);
    for line in message.detail_lines(&SLACK, SECTION) {
        details.push(&line);
    }
    let mut blocks: Vec<Value> = [details.done(), message.link_line(&SLACK, SECTION)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}))
        .collect();
    let footer = within(&message.footer(), SECTION, escape::slack);
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": footer, "verbatim": true}]}));
    blocks
}

/// What an answer of Slack's means.
fn judge(answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
    let said = std::str::from_utf8(&answer.body).unwrap_or_default().trim();
    if said == "rollup_error" || said == "rate_limited" {
        let wait = answer.retry_after.as_deref().and_then(|header| retry_after(header, now));
        return Err(not_now(wait, format!("Slack answered {}: {said}", answer.status)));
    }
    judge_status(answer.status, answer.retry_after.as_deref(), now).map_err(|error| match (error, known(said)) {
        (SendError::Permanent(_), Some((word, meaning))) => {
            SendError::Permanent(format!("Slack answered {} {word}: {meaning}", answer.status))
        }
        (error, _) => error,
    })
}

/// Slack's own words for refusals. Only words of this list are ever repeated.
fn known(said: &str) -> Option<(&'static str, &'static str)> {
    [
        ("no_service", "the webhook was removed or its app uninstalled; create a new one"),
        ("no_service_id", "the webhook's address is not complete"),
        ("no_team", "the workspace does not exist (any more)"),
        ("team_disabled", "the workspace is disabled"),
        ("no_active_hooks", "the webhook is disabled"),
        ("invalid_token", "the webhook's address is not right"),
        ("invalid_payload", "it did not understand the message"),
        ("no_text", "it found no text in the message"),
        ("too_many_attachments", "it found too many attachments"),
        ("user_not_found", "the user does not exist"),
        ("channel_not_found", "the Slack channel does not exist"),
        ("channel_is_archived", "the Slack channel is archived"),
        ("action_prohibited", "an administrator of the workspace forbids it"),
        ("posting_to_general_channel_denied", "only administrators may post to this Slack channel"),
    ]
    .into_iter()
    .find(|(word, _)| *word == said)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::notification::Notification;
    use crate::notifier::payload::SENT_BY;
    use crate::notifier::samples;
    use crate::notifier::shorten::MARKER;

    fn message(notification: &Notification) -> Value {
        body(&samples::World::new(notification.clone()).message())
    }

    #[test]
    fn an_outage_reads_exactly_so() {
        let message = message(&samples::notification(samples::facts()));
        let golden = json!({
            "text": "[prod-us] api /health is DOWN since 10:23 UTC: the connection was accepted, no answer came within 10 s (failing from us-east, eu-west; 2 of 2 regions agree)",
            "mrkdwn": false,
            "attachments": [{
                "color": "#c62828",
                "blocks": [
                    {"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text":
                        "*Target:* https://api.us.example.com/health\n*Failing from:* us-east, eu-west\n*Votes:* 2 of 2 count\n`connected to 203.0.113.7:443 in 12 ms`"}},
                    {"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text":
                        "<https://status.example.com/incidents/k3v9q2m7x4t1a|Incident> · <https://status.example.com/monitors/prod-us-api-health|Monitor> · <https://wiki.example.com/runbooks/api|Runbook>"}},
                    {"type": "context", "elements": [{"type": "mrkdwn", "verbatim": true, "text": format!("{SENT_BY} · down · incident k3v9q2m7x4t1a")}]},
                ],
            }],
        });
        assert_eq!(message, golden);
    }

    #[test]
    fn details_say_who_sees_it_and_where_the_trouble_is() {
        let mut facts = samples::facts();
        facts.regions_fine = vec![facts.regions_failing.remove(1)];
        facts.regions_unknown = facts.regions_fine.clone();
        (facts.n_voters, facts.diagnosis) = ((2, 3), Some(crate::model::verdict::Diagnosis::Service));
        let text = message(&samples::notification(facts.clone())).to_string();
        for shown in [
            "*Failing from:* us-east\\n*Fine from:* eu-west\\n*No word from:* eu-west\\n*Votes:* 2 of 3 count",
            "*Diagnosis:* it does not work from inside either: look at the service itself",
        ] {
            assert!(text.contains(shown), "{shown} in {text}");
        }
        facts.n_voters = (1, 1);
        assert!(!message(&samples::notification(facts)).to_string().contains("*Votes:*"));
    }

    #[test]
    fn nobody_is_called_and_nothing_is_formatted_by_a_name() {
        let mut facts = samples::facts();
        facts.monitor_name = "<!channel> & <@U1>".to_owned();
        facts.evidence = "`<!here>`".to_owned();
        facts.runbook = Some("https://x.example/?a=1&b=<|!channel>".to_owned());
        let text = message(&samples::notification(facts)).to_string();
        for call in ["<!channel", "<!here", "<@U1", "|!channel"] {
            assert!(!text.contains(call), "{text}");
        }
        assert!(text.contains("&lt;!channel&gt; &amp; &lt;@U1&gt; is DOWN"), "{text}");
        assert!(text.contains("<https://x.example/?a=1&amp;b=%3C%7C!channel%3E|Runbook>"), "{text}");
    }

    #[test]
    fn no_text_is_longer_than_slack_takes() {
        let mut facts = samples::facts();
        for text in [&mut facts.cause, &mut facts.evidence, &mut facts.target] {
            *text = "<é&>".repeat(20_000);
        }
        let message = message(&samples::notification(facts));
        let blocks = message["attachments"][0]["blocks"].as_array().expect("blocks");
        let texts = blocks.iter().filter_map(|block| block["text"]["text"].as_str()).chain(message["text"].as_str());
        for text in texts {
            assert!(text.chars().count() <= SECTION.max, "{}", text.chars().count());
            assert!(!text.contains("&am…") && !text.ends_with('&'), "{text}");
        }
        assert!(message["text"].as_str().is_some_and(|text| text.ends_with(MARKER)));
    }

    #[test]
    fn answers_are_told_apart() {
        let judged = |status, body: &str, retry_after: Option<&str>| {
            let answer = Answer { status, retry_after: retry_after.map(str::to_owned), body: body.as_bytes().to_vec() };
            judge(&answer, samples::TEN_TWENTY_THREE)
        };
        assert_eq!(judged(200, "ok", None), Ok(()));
        let gone = "Slack answered 404 no_service: the webhook was removed or its app uninstalled; create a new one";
        assert_eq!(judged(404, "no_service\n", None), Err(SendError::Permanent(gone.to_owned())));
        assert!(matches!(judged(410, "channel_is_archived", None), Err(SendError::Permanent(_))));
        assert!(matches!(judged(403, "<b>secret page</b>", None), Err(SendError::Permanent(text)) if !text.contains("secret")));
        assert!(matches!(judged(500, "rollup_error", None), Err(SendError::Transient(_))));
        let wait = Duration::from_secs(30);
        assert_eq!(judged(429, "rate_limited", Some("30")), Err(SendError::Later(wait, "Slack answered 429: rate_limited".to_owned())));
        assert!(matches!(judged(429, "", Some("30")), Err(SendError::Later(_, _))));
    }
}
