//! The `twilio` channel: a text message to one number.
//!
//! One channel has one number, so that each has its own attempts: a list would repeat the message to the first whenever the second fails.
//! A text message costs money by its length, so it has the sentence and one link.

use crate::model::channel::spec::TwilioSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::compose::PLAIN;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::shorten::Limit;
use crate::notifier::shorten::Lines;
use crate::notifier::shorten::within;

/// Three parts of a text message in a wide alphabet; Twilio takes 1600 characters.
const TEXT: Limit = Limit::utf16(201);

impl Kind for TwilioSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let mut lines = Lines::new(TEXT, "\n");
        let click = message.click().filter(|url| TEXT.unit.of(url) < TEXT.max / 2);
        let room = TEXT.at_most(TEXT.max - click.as_ref().map_or(0, |url| TEXT.unit.of(url) + 1));
        if message.parts().is_empty() {
            lines.push(&within(&message.payload().text, room, escape::plain));
        } else {
            let headline = message.sentence();
            lines.push(&headline);
            let left = room.at_most(room.max.saturating_sub(room.unit.of(&headline) + 1));
            message.detail_lines(&PLAIN, left).iter().for_each(|line| _ = lines.push(line));
        }
        lines.push(&click.unwrap_or_default());
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let text = lines.done();
        let fields = [("To", self.to.as_str()), (sender, self.from.as_str()), ("Body", text.as_str())];
        let url = format!("{}/2010-04-01/Accounts/{}/Messages.json", self.api_url, self.account_sid);
        Request::form(url, &fields).basic(&self.account_sid, &self.auth_token)
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let code = answer.json()["code"].as_u64().unwrap_or_default().to_string();
        judge_said(answer, &Said { service: "Twilio", wait: None, word: &code, known: KNOWN }, now)
    }
}

/// Twilio's numbers for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("20003", "the account or its token is not right"),
    ("20404", "there is no such account"),
    ("21211", "`to` is not a number that can be called"),
    ("21408", "the account may not send to this country"),
    ("21606", "`from` is not a number of this account that can send texts"),
    ("21608", "a trial account sends only to verified numbers"),
    ("21610", "the receiver has unsubscribed by answering STOP"),
    ("21614", "`to` is not a mobile number"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> TwilioSpec {
        TwilioSpec {
            account_sid: "AC00000000000000000000000000000000".to_owned(),
            auth_token: Secret::new("canary"),
            from: "+15005550006".to_owned(),
            to: "+37120000001".to_owned(),
            api_url: "https://api.twilio.com".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Twilio(spec()));
    }

    #[test]
    fn a_text_is_short_and_no_value_adds_a_field() {
        let request = spec().request(&samples::World::hostile().message());
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        assert_eq!(fields.len(), 3);
        let text = &fields[2].1;
        assert!(text.encode_utf16().count() <= TEXT.max && text.ends_with("/incidents/k3v9q2m7x4t1a"), "{text}");
    }

    #[test]
    fn a_messaging_service_sends_instead_of_a_number() {
        let spec = TwilioSpec { from: "MG1".to_owned(), ..spec() };
        assert!(spec.request(&samples::World::down().message()).body.contains("&MessagingServiceSid=MG1&"));
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (201, "{}", None, "accepted"),
                (401, r#"{"code":20003,"message":"canary"}"#, None, "permanent: Twilio answered 401 (20003)"),
                (400, r#"{"code":21610}"#, None, "permanent: Twilio answered 400 (21610): the receiver"),
                (429, r#"{"code":20429}"#, None, "transient"),
            ],
        );
    }
}
