//! The `slack` channel: an incoming webhook of Slack's, or of a server that speaks its language; or a bot.
//!
//! A bot answers in the thread of the message that began an incident, and marks that message when the incident is over. When Slack can prove
//! to us what was pressed, its messages have buttons instead of the links by which anybody could act; what comes back is read in
//! `crate::http::hooks`.
//!
//! The sentence is the message's `text`: it is what notifications on a phone show, and what look-alikes that know nothing of blocks
//! show. The attachment below it has the colour bar and the details. Names and causes come from configs and from strangers, so
//! they are escaped, and with that `<!channel>` and `<@U…>` are plain text.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::model::channel::spec::SlackSpec;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::backoff::retry_after;
use crate::notifier::compose::Message;
use crate::notifier::compose::Phase;
use crate::notifier::compose::SLACK;
use crate::notifier::compose::Tone;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_status;
use crate::notifier::error::not_now;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::Lines;
use crate::notifier::shorten::within;
use crate::notifier::thread::follows;

/// Slack refuses a section whose text is longer.
const SECTION: Limit = Limit::chars(3000);

/// Sections that many messages in one may take; Slack takes fifty blocks.
const N_SECTIONS_MAX: usize = 12;

/// Room for them. No section is filled to its end, because no line is cut.
const BUNDLE: Limit = Limit::chars(N_SECTIONS_MAX * 2000);

/// How long after its beginning an outage is looked for: until then it was told, unless Slack itself was away.
const TOLD_WITHIN: Duration = Duration::from_secs(3600);

/// Messages that are looked through for the one that began it.
const N_LOOKED_AT: usize = 100;

/// What our messages are called in Slack's metadata.
const EVENT_TYPE: &str = "vigilmon_incident";

impl Kind for SlackSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        match self {
            // Slack ignores the key; servers that speak its language may not.
            SlackSpec::Webhook { url } => {
                Request::json("POST", url.reveal_for_use(), &body(message, false)).with("idempotency-key", &message.notification.key)
            }
            SlackSpec::Bot { token, channel, api_url, signing_secret } => {
                let bot = Bot { token, channel, api_url, has_buttons: signing_secret.is_some() };
                if follows(message) { bot.look_for(message) } else { bot.post(message, None) }
            }
        }
    }

    fn blank_answer(&self) -> Answer {
        Answer { status: 200, retry_after: None, body: br#"{"ok":true,"ts":"1.0"}"#.to_vec() }
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        judge(answer, now)
    }

    fn has_arrived(&self, message: &Message<'_>, answers: &[Answer]) -> bool {
        let looks_first = matches!(self, SlackSpec::Bot { .. }) && follows(message);
        answers.get(usize::from(looks_first)).is_some_and(|posted| judge(posted, message.now).is_ok())
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        let SlackSpec::Bot { token, channel, api_url, signing_secret } = self else {
            return match answers {
                [] => Ok(Some(self.request(message))),
                [answer, ..] => judge(answer, message.now).map(|()| None),
            };
        };
        let bot = Bot { token, channel, api_url, has_buttons: signing_secret.is_some() };
        match (follows(message), answers) {
            (_, []) => Ok(Some(self.request(message))),
            (false, [posted, ..]) => judge(posted, message.now).map(|()| None),
            // When the beginning cannot be found, or may not be looked for, the message stands by itself.
            (true, [found]) => Ok(Some(bot.post(message, beginning(message, found).as_ref()))),
            (true, [found, posted]) => {
                judge(posted, message.now)?;
                let is_over = message.phase() == Phase::Over;
                Ok(beginning(message, found).filter(|_| is_over).map(|first| bot.mark_over(&first)))
            }
            // The message itself has arrived; that the first one does not say so is not worth a repeat.
            (true, [_, _, _, ..]) => Ok(None),
        }
    }
}

/// A bot, as its methods need it.
struct Bot<'a> {
    token: &'a Secret,
    channel: &'a str,
    api_url: &'a str,
    has_buttons: bool,
}

impl Bot<'_> {
    /// Asks for the messages around the beginning of the incident. Slack remembers them for us: so every node of a cluster finds the
    /// thread, and so does one that was installed anew.
    fn look_for(&self, message: &Message<'_>) -> Request {
        let began = message.facts().map_or(message.notification.at, |facts| facts.started_at);
        let seconds = |at: UnixMillis| at.0.div_euclid(1000);
        let (oldest, latest) = (seconds(began), seconds(began + TOLD_WITHIN));
        let channel = encoded(self.channel);
        let query = format!("channel={channel}&oldest={oldest}&latest={latest}&limit={N_LOOKED_AT}&include_all_metadata=true");
        Request::get(format!("{}/conversations.history?{query}", self.api_url)).bearer(self.token)
    }

    fn post(&self, message: &Message<'_>, first: Option<&Value>) -> Request {
        let mut body = body(message, self.has_buttons);
        body["channel"] = self.channel.into();
        body["unfurl_links"] = false.into();
        if let Some(id) = message.payload().incident_id {
            body["metadata"] = json!({"event_type": EVENT_TYPE, "event_payload": {"incident": id}});
        }
        if let Some(first) = first {
            body["thread_ts"] = first["ts"].clone();
            body["reply_broadcast"] = (message.phase() == Phase::Over).into();
        }
        Request::json("POST", format!("{}/chat.postMessage", self.api_url), &body).bearer(self.token)
    }

    /// The first message as it was, with another colour and a word before it.
    fn mark_over(&self, first: &Value) -> Request {
        let text = format!("Over: {}", first["text"].as_str().unwrap_or_default());
        // What is over needs nobody, so there is nothing left to press.
        let blocks = first["attachments"][0]["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let blocks: Vec<&Value> = blocks.iter().filter(|block| block["type"] != "actions").collect();
        let body = json!({
            "channel": self.channel,
            "ts": first["ts"],
            "text": text,
            "attachments": [{"color": Tone::Good.colour(), "blocks": blocks}],
            "metadata": first["metadata"],
        });
        Request::json("POST", format!("{}/chat.update", self.api_url), &body).bearer(self.token)
    }
}

/// The message that told of the incident first.
fn beginning(message: &Message<'_>, found: &Answer) -> Option<Value> {
    let id = message.payload().incident_id?;
    let answer = found.json();
    // The newest come first.
    let messages = answer["messages"].as_array()?.iter().rev();
    let mut ours = messages.filter(|each| each["metadata"]["event_type"] == EVENT_TYPE);
    ours.find(|each| each["metadata"]["event_payload"]["incident"] == id.as_str() && each["ts"].is_string()).cloned()
}

/// What can be pressed under a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Somebody is at work on it.
    Acknowledge,
    /// To be reminded in an hour.
    Snooze,
    /// Nothing more of this monitor for an hour.
    Silence,
}

impl Button {
    /// In the order in which they stand.
    const ALL: [Button; 3] = [Button::Acknowledge, Button::Snooze, Button::Silence];

    /// What Slack knows it by.
    const fn action(self) -> &'static str {
        match self {
            Button::Acknowledge => "vigilmon_acknowledge",
            Button::Snooze => "vigilmon_snooze",
            Button::Silence => "vigilmon_silence",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Button::Acknowledge => "Acknowledge",
            Button::Snooze => "Snooze 1 h",
            Button::Silence => "Silence 1 h",
        }
    }

    /// The button that Slack knows by this word.
    #[must_use]
    pub fn of_action(word: &str) -> Option<Button> {
        Button::ALL.into_iter().find(|button| button.action() == word)
    }
}

/// Whom a few words are for that nobody else sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Slack's id of the person.
    pub user: String,
    /// The thread in which the button was pressed.
    pub thread: Option<String>,
}

/// Says something to one person in the bot's Slack channel. `None` for a webhook, which cannot.
#[must_use]
pub fn whisper(spec: &SlackSpec, reader: &Reader, text: &str) -> Option<Request> {
    let SlackSpec::Bot { token, channel, api_url, .. } = spec else { return None };
    let mut body = json!({"channel": channel, "user": reader.user, "text": within(text, SECTION, escape::slack)});
    if let Some(thread) = &reader.thread {
        body["thread_ts"] = thread.as_str().into();
    }
    Some(Request::json("POST", format!("{api_url}/chat.postEphemeral"), &body).bearer(token))
}

fn buttons(token: &str) -> Value {
    let elements: Vec<Value> = Button::ALL
        .into_iter()
        .map(|button| {
            let text = json!({"type": "plain_text", "text": button.label()});
            json!({"type": "button", "action_id": button.action(), "text": text, "value": token})
        })
        .collect();
    json!({"type": "actions", "elements": elements})
}

fn body(message: &Message<'_>, has_buttons: bool) -> Value {
    json!({
        "text": within(&message.sentence(), SECTION, escape::slack),
        // Otherwise a name such as `*_db_*` would be shown as formatting.
        "mrkdwn": false,
        "attachments": [{"color": message.tone().colour(), "blocks": blocks(message, has_buttons)}],
    })
}

fn blocks(message: &Message<'_>, has_buttons: bool) -> Vec<Value> {
    let token = if has_buttons { message.act_token() } else { None };
    // A link says "somebody", a button says who; both would be one too many.
    let unsigned = message.links.clone().unsigned();
    let with_buttons = Message { links: &unsigned, ..*message };
    let message = if token.is_some() { &with_buttons } else { message };
    let (room, n_sections) = if message.parts().is_empty() { (SECTION, 1) } else { (BUNDLE, N_SECTIONS_MAX) };
    let mut texts = vec![Lines::new(SECTION, SLACK.line_break)];
    for line in message.detail_lines(&SLACK, room) {
        let is_full = texts.last_mut().is_some_and(|text| !text.push(&line));
        if is_full && texts.len() < n_sections {
            texts.push(Lines::new(SECTION, SLACK.line_break));
            texts.last_mut().map(|text| text.push(&line));
        }
    }
    let texts = texts.into_iter().map(Lines::done).chain([message.link_line(&SLACK, SECTION)]);
    let mut blocks: Vec<Value> = texts
        .filter(|text| !text.is_empty())
        .map(|text| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}))
        .collect();
    blocks.extend(token.as_deref().map(buttons));
    let footer = within(&message.footer(), SECTION, escape::slack);
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": footer, "verbatim": true}]}));
    blocks
}

/// What an answer of Slack's means. Webhooks answer with a word, the API with JSON that has it in `error`, and mostly with 200.
fn judge(answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
    let json = answer.json();
    let said = match json["error"].as_str() {
        Some(word) => word,
        None => std::str::from_utf8(&answer.body).unwrap_or_default().trim(),
    };
    if matches!(
        said,
        "rollup_error" | "rate_limited" | "ratelimited" | "service_unavailable" | "internal_error" | "fatal_error" | "request_timeout"
    ) {
        let wait = answer.retry_after.as_deref().and_then(|header| retry_after(header, now));
        return Err(not_now(wait, format!("Slack answered {}: {said}", answer.status)));
    }
    if answer.status == 200 && json["ok"] == false {
        let what = known(said).map_or_else(String::new, |(word, meaning)| format!(" {word}: {meaning}"));
        return Err(SendError::Permanent(format!("Slack refused the message{what}")));
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
        ("invalid_auth", "the token is not right"),
        ("not_authed", "the token did not arrive"),
        ("token_revoked", "the token was revoked; install the app again"),
        ("token_expired", "the token has expired; install the app again"),
        ("account_inactive", "the app was uninstalled"),
        ("missing_scope", "the app needs the scope `chat:write`"),
        ("not_in_channel", "the app is not in the Slack channel; invite it"),
        ("is_archived", "the Slack channel is archived"),
        ("restricted_action", "an administrator of the workspace forbids it"),
        ("msg_too_long", "the message is too long"),
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
    use crate::model::channel::ChannelSpec;
    use crate::model::notification::Notification;
    use crate::model::verdict::Verdict;
    use crate::notifier::payload::SENT_BY;
    use crate::notifier::samples;
    use crate::notifier::shorten::MARKER;

    fn message(notification: &Notification) -> Value {
        body(&samples::World::new(notification.clone()).message(), false)
    }

    fn bot() -> SlackSpec {
        SlackSpec::Bot {
            token: Secret::new("xoxb-canary"),
            channel: "C1".to_owned(),
            api_url: "https://slack.com/api".to_owned(),
            signing_secret: None,
        }
    }

    fn with_buttons() -> SlackSpec {
        SlackSpec::Bot {
            token: Secret::new("xoxb-canary"),
            channel: "C1".to_owned(),
            api_url: "https://slack.com/api".to_owned(),
            signing_secret: Some(Secret::new("canary")),
        }
    }

    #[test]
    fn messages_of_a_bot_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Slack(bot()));
    }

    #[test]
    fn a_message_with_buttons_reads_exactly_so() {
        samples::assert_conversation("slack-buttons", &ChannelSpec::Slack(with_buttons()), &samples::World::down(), &[]);
    }

    #[test]
    fn only_what_is_open_and_is_one_incident_has_buttons() {
        for (world, expected) in [
            (samples::World::down(), true),
            (samples::World::degraded(), true),
            (samples::World::recovered(Verdict::Up), false),
            (samples::World::passed(), false),
            (samples::World::bundle(), false),
            (samples::World::notice(), false),
        ] {
            let text = body(&world.message(), true).to_string();
            assert_eq!(text.contains("\"actions\""), expected, "{text}");
            assert!(!(expected && text.contains("/act/")), "whoever presses is known by name, so nothing anonymous is offered: {text}");
        }
        for button in Button::ALL {
            assert_eq!(Button::of_action(button.action()), Some(button));
        }
        assert_eq!(Button::of_action("approve"), None);
    }

    #[test]
    fn what_is_over_has_nothing_left_to_press() {
        let mut first = body(&samples::World::down().message(), true);
        first["ts"] = "1782814981.0001".into();
        first["metadata"] = json!({"event_type": EVENT_TYPE, "event_payload": {"incident": "k3v9q2m7x4t1a"}});
        let history = json!({"ok": true, "messages": [first]}).to_string();
        let answers = [samples::answer(200, &history, None), bot().blank_answer()];
        let world = samples::World::recovered(Verdict::Up);
        let request = with_buttons().next(&world.message(), &answers).expect("goes on").expect("marks the first");
        assert!(request.url.reveal_for_use().ends_with("/chat.update"));
        assert!(!request.body.contains("\"actions\"") && request.body.contains("\"context\""), "{}", request.body);
    }

    #[test]
    fn words_for_one_person_are_said_where_the_button_was() {
        let reader = Reader { user: "U1".to_owned(), thread: Some("1.5".to_owned()) };
        let request = whisper(&bot(), &reader, "<!channel> done").expect("a bot can");
        assert_eq!(request.url.reveal_for_use(), "https://slack.com/api/chat.postEphemeral");
        let expected = json!({"channel": "C1", "user": "U1", "thread_ts": "1.5", "text": "&lt;!channel&gt; done"});
        assert_eq!(serde_json::from_str::<Value>(&request.body).expect("JSON"), expected);
        assert!(whisper(&SlackSpec::Webhook { url: Secret::new("https://a.example") }, &reader, "x").is_none());
    }

    #[test]
    fn a_recovery_by_a_webhook_reads_exactly_so() {
        let spec = SlackSpec::Webhook { url: Secret::new("https://hooks.slack.example/services/canary") };
        let (blank, world) = (spec.blank_answer(), samples::World::recovered(Verdict::Up));
        samples::assert_conversation("slack-webhook", &ChannelSpec::Slack(spec), &world, &[blank]);
    }

    #[test]
    fn a_recovery_stands_in_the_thread_of_its_outage_and_marks_it() {
        let first = json!({"ts": "1782814981.0001", "text": "x is DOWN", "attachments": [{"id": 1, "color": "c62828", "blocks": [{"type": "divider"}]}],
            "metadata": {"event_type": EVENT_TYPE, "event_payload": {"incident": "k3v9q2m7x4t1a"}}});
        let other =
            json!({"ts": "1782814980.0001", "text": "y", "metadata": {"event_type": EVENT_TYPE, "event_payload": {"incident": "another"}}});
        let history = json!({"ok": true, "messages": [{"ts": "1782814999.1", "text": "chat"}, first, other]}).to_string();
        let answers = [samples::answer(200, &history, None), bot().blank_answer(), bot().blank_answer()];
        let world = samples::World::recovered(Verdict::Up);
        samples::assert_conversation("slack-thread", &ChannelSpec::Slack(bot()), &world, &answers);
    }

    #[test]
    fn a_recovery_is_told_also_when_its_outage_cannot_be_looked_for() {
        let world = samples::World::recovered(Verdict::Up);
        for found in [samples::answer(200, r#"{"ok":false,"error":"missing_scope"}"#, None), samples::answer(429, "", Some("30"))] {
            let request = bot().next(&world.message(), &[found]).expect("goes on").expect("a request");
            assert!(request.url.reveal_for_use().ends_with("/chat.postMessage") && !request.body.contains("thread_ts"), "{}", request.body);
        }
    }

    #[test]
    fn a_recovery_has_arrived_when_it_was_posted_whatever_becomes_of_the_mark() {
        let world = samples::World::recovered(Verdict::Up);
        let (found, posted) = (samples::answer(200, r#"{"ok":true,"messages":[]}"#, None), bot().blank_answer());
        let refused = samples::answer(200, r#"{"ok":false,"error":"invalid_auth"}"#, None);
        let has_arrived = |answers: &[Answer]| bot().has_arrived(&world.message(), answers);
        assert!(!has_arrived(&[]) && !has_arrived(std::slice::from_ref(&found)), "what was found is not what was posted");
        assert!(has_arrived(&[found.clone(), posted.clone()]) && !has_arrived(&[found, refused]));
        assert!(bot().has_arrived(&samples::World::down().message(), &[posted]), "a beginning looks for nothing");
    }

    #[test]
    fn answers_of_the_api_are_told_apart() {
        samples::assert_judged(
            &bot(),
            &[
                (200, r#"{"ok":true,"ts":"1.0"}"#, None, "accepted"),
                (200, r#"{"ok":false,"error":"not_in_channel"}"#, None, "permanent: Slack refused the message not_in_channel: the app"),
                (200, r#"{"ok":false,"error":"canary"}"#, None, "permanent: Slack refused the message"),
                (200, r#"{"ok":false,"error":"ratelimited"}"#, Some("3"), "later 3"),
                (429, r#"{"ok":false,"error":"ratelimited"}"#, Some("30"), "later 30"),
                (200, r#"{"ok":false,"error":"internal_error"}"#, None, "transient"),
                (503, "", None, "transient"),
            ],
        );
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
                        "<https://status.example.com/incidents/k3v9q2m7x4t1a|Incident> · <https://status.example.com/monitors/prod-us-api-health|Monitor> · <https://wiki.example.com/runbooks/api|Runbook> · <https://status.example.com/act/YRftQjZ0F2O4iC-yEaQJ-mszdjlxMm03eDR0MWEAb3BzLXdlYmhvb2s|Acknowledge> · <https://status.example.com/act/YRftQjZ0F2O4iC-yEaQJ-mszdjlxMm03eDR0MWEAb3BzLXdlYmhvb2s#silence|Silence>"}},
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
        assert!(text.contains("&lt;!channel&gt; &amp; &lt;@\u{200b}U1&gt; is DOWN"), "{text}");
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
