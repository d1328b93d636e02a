//! The `slack` channel: an incoming webhook of Slack's, or of a server that speaks its language.
//!
//! The sentence is the message's `text`: it is what notifications on a phone show, and what look-alikes that know nothing of blocks
//! show. The attachment below it has the colour bar and the details. Names and causes come from configs and from strangers, so
//! they are escaped, and with that `<!channel>` and `<@U…>` are plain text.

use serde_json::Value;
use serde_json::json;

use crate::model::channel::SlackSpec;
use crate::model::notification::EventKind;
use crate::model::notification::Notification;
use crate::model::notification::Subject;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::model::verdict::Verdict;
use crate::notifier::backoff::retry_after;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::error::not_now;
use crate::notifier::payload::Links;
use crate::notifier::payload::Payload;
use crate::notifier::payload::SENT_BY;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::MARKER;

/// Slack refuses a section whose text is longer.
const SECTION_CHARS_MAX: usize = 3000;

/// Share of a section that one value may take.
const VALUE_CHARS_MAX: usize = 900;

/// Room for one text before escaping.
const TEXT_BYTES_MAX: usize = 8192;

/// The request for a notification.
#[must_use]
pub fn request(spec: &SlackSpec, notification: &Notification, links: &Links) -> Request {
    Request {
        method: "POST".to_owned(),
        url: spec.url.clone(),
        headers: vec![
            ("content-type".to_owned(), Secret::new("application/json")),
            // Slack ignores it; servers that speak its language may not.
            ("idempotency-key".to_owned(), Secret::new(notification.key.clone())),
        ],
        body: message(notification, links).to_string(),
    }
}

fn message(notification: &Notification, links: &Links) -> Value {
    let payload = Payload::new(notification, links, TEXT_BYTES_MAX);
    let mut blocks: Vec<Value> = [details(&payload, notification), pointers(&payload)]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}))
        .collect();
    let incident = payload.incident_id.as_deref().map(|id| format!(" · incident {id}")).unwrap_or_default();
    let footer = escaped(&format!("{SENT_BY} · {}{incident}", payload.event), VALUE_CHARS_MAX);
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": footer, "verbatim": true}]}));
    json!({
        "text": escaped(&payload.text, SECTION_CHARS_MAX),
        // Otherwise a name such as `*_db_*` would be shown as formatting.
        "mrkdwn": false,
        "attachments": [{"color": colour(notification), "blocks": blocks}],
    })
}

fn details(payload: &Payload, notification: &Notification) -> String {
    let mut lines = Vec::new();
    let mut line = |what: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("*{what}:* {}", escaped(value, VALUE_CHARS_MAX)));
        }
    };
    if let Subject::Incident(_) = notification.subject {
        line("Target", &payload.url);
        line("Failing from", &payload.regions_failing.join(", "));
        line("Fine from", &payload.regions_fine.join(", "));
        line("No word from", &payload.regions_unknown.join(", "));
        // With one voter there is nothing to agree about.
        if let Some(quorum) = payload.quorum.filter(|quorum| 1 < quorum.voters) {
            line("Votes", &format!("{} of {} count", quorum.counted, quorum.voters));
        }
        line("Diagnosis", payload.diagnosis_text.unwrap_or_default());
    }
    if !payload.evidence.is_empty() {
        // Inside a code span only the back quote is special.
        lines.push(format!("`{}`", escaped(&payload.evidence.replace('`', "'"), VALUE_CHARS_MAX)));
    }
    lines.join("\n")
}

fn pointers(payload: &Payload) -> String {
    let links = [
        ("Incident", payload.links.incident.as_deref()),
        ("Monitor", payload.links.monitor.as_deref()),
        ("Runbook", payload.runbook.as_deref()),
    ];
    links.into_iter().filter_map(|(label, url)| link(label, url?)).collect::<Vec<_>>().join(" · ")
}

/// A link, or nothing when the address is not one that a browser should open or would be cut in half.
fn link(label: &str, url: &str) -> Option<String> {
    let safe = url.replace('&', "&amp;").replace('<', "%3C").replace('>', "%3E").replace('|', "%7C").replace(' ', "%20");
    let web = url.starts_with("https://") || url.starts_with("http://");
    (web && safe.chars().count() <= VALUE_CHARS_MAX).then(|| format!("<{safe}|{label}>"))
}

/// The text with Slack's three special characters escaped, at most `chars_max` long after that; never cut inside an escape.
fn escaped(text: &str, chars_max: usize) -> String {
    let room = chars_max - MARKER.chars().count();
    let mut out = String::new();
    let (mut n_chars, mut within) = (0, 0);
    for c in text.chars() {
        let start = out.len();
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        n_chars += out[start..].chars().count();
        if n_chars <= room {
            within = out.len();
        }
        if n_chars > chars_max {
            out.truncate(within);
            out.push_str(MARKER);
            break;
        }
    }
    out
}

/// The bar beside the message; the words say the same, so nothing hangs on the colour.
fn colour(notification: &Notification) -> &'static str {
    const RED: &str = "#c62828";
    const AMBER: &str = "#f9a825";
    const GREEN: &str = "#2e7d32";
    const GREY: &str = "#546e7a";
    let status = match &notification.subject {
        Subject::Incident(facts) => facts.status,
        Subject::SelfNotice { .. } => return AMBER,
    };
    match notification.event {
        EventKind::Down => RED,
        EventKind::Degraded | EventKind::Regional | EventKind::Certificate | EventKind::SelfNotice => AMBER,
        EventKind::Recovered | EventKind::Reminder => match status {
            Verdict::Up => GREEN,
            Verdict::Degraded => AMBER,
            Verdict::Down => RED,
            Verdict::Unknown | Verdict::Paused | Verdict::Maintenance => GREY,
        },
    }
}

/// What an answer of Slack's means.
///
/// # Errors
/// [`SendError`] when the message was not accepted.
pub fn judge(answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
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
    use crate::notifier::samples;

    fn links() -> Links {
        Links::new(&samples::server())
    }

    #[test]
    fn an_outage_reads_exactly_so() {
        let message = message(&samples::notification(samples::facts()), &links());
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
        let text = message(&samples::notification(facts.clone()), &links()).to_string();
        for shown in [
            "*Failing from:* us-east\\n*Fine from:* eu-west\\n*No word from:* eu-west\\n*Votes:* 2 of 3 count",
            "*Diagnosis:* it does not work from inside either: look at the service itself",
        ] {
            assert!(text.contains(shown), "{shown} in {text}");
        }
        facts.n_voters = (1, 1);
        assert!(!message(&samples::notification(facts), &links()).to_string().contains("*Votes:*"));
    }

    #[test]
    fn nobody_is_called_and_nothing_is_formatted_by_a_name() {
        let mut facts = samples::facts();
        facts.monitor_name = "<!channel> & <@U1>".to_owned();
        facts.evidence = "`<!here>`".to_owned();
        facts.runbook = Some("https://x.example/?a=1&b=<|!channel>".to_owned());
        let text = message(&samples::notification(facts), &links()).to_string();
        for call in ["<!channel", "<!here", "<@U1", "|!channel"] {
            assert!(!text.contains(call), "{text}");
        }
        assert!(text.contains("&lt;!channel&gt; &amp; &lt;@U1&gt; is DOWN"), "{text}");
        assert!(text.contains("<https://x.example/?a=1&amp;b=%3C%7C!channel%3E|Runbook>"), "{text}");
        assert_eq!(link("Runbook", "javascript:alert(1)"), None);
    }

    #[test]
    fn no_text_is_longer_than_slack_takes() {
        let mut facts = samples::facts();
        for text in [&mut facts.cause, &mut facts.evidence, &mut facts.target] {
            *text = "<é&>".repeat(20_000);
        }
        let message = message(&samples::notification(facts), &links());
        let blocks = message["attachments"][0]["blocks"].as_array().expect("blocks");
        let texts = blocks.iter().filter_map(|block| block["text"]["text"].as_str()).chain(message["text"].as_str());
        for text in texts {
            assert!(text.chars().count() <= SECTION_CHARS_MAX, "{}", text.chars().count());
            assert!(!text.contains("&am…") && !text.ends_with('&'), "{text}");
        }
        assert!(message["text"].as_str().is_some_and(|text| text.ends_with(MARKER)));
        assert_eq!(escaped("ab", 20), "ab");
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
