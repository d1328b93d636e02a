//! What follows the beginning of an incident, at services where a message can refer to an earlier one: it answers that message, and when
//! the incident is over that one says so. Pure.
//!
//! What the service calls the first message is remembered with the note that it was sent, see [`crate::store::Attempt::called`]. Where it
//! is not known, or the message was deleted there, what follows stands by itself. The message goes first and the edit after it: an edit
//! that fails costs a word in an old message, and never a repeat.

use crate::model::notification::EventKind;
use crate::model::notification::ServiceId;
use crate::notifier::compose::Message;
use crate::notifier::compose::Phase;
use crate::notifier::error::SendError;
use crate::notifier::kind::Kind;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;

/// Whether an earlier message began what this one is about.
#[must_use]
pub fn follows(message: &Message<'_>) -> bool {
    message.facts().is_some() && matches!(message.notification.event, EventKind::Recovered | EventKind::Reminder | EventKind::Acknowledged)
}

/// Whether later messages may refer to this one: it begins an incident, and tells of nothing else.
#[must_use]
pub fn begins(message: &Message<'_>) -> bool {
    message.facts().is_some() && message.notification.event.opens()
}

/// A kind whose messages can refer to an earlier one. `first` is always what [`Threaded::first`] made of the id.
pub trait Threaded: Kind {
    /// The first message as this kind's requests name it; `None` when the id is none of this service or of another place there.
    fn first<'a>(&self, id: &'a ServiceId) -> Option<&'a str>;

    /// What follows, as an answer to the first message.
    fn answering(&self, message: &Message<'_>, first: &str) -> Request;

    /// Whether the service says that there is no message any more which could be answered.
    fn is_gone(&self, answer: &Answer) -> bool;

    /// What follows, when the first message turned out to be gone.
    fn alone(&self, message: &Message<'_>) -> Request {
        self.request(message)
    }

    /// Has the first message say that it is over.
    fn mark_over(&self, message: &Message<'_>, first: &str) -> Request;
}

fn first<'a>(kind: &impl Threaded, message: &Message<'a>) -> Option<&'a str> {
    message.first.filter(|_| follows(message)).and_then(|id| kind.first(id))
}

/// [`Kind::next`] of such a kind.
///
/// # Errors
/// [`SendError`] when the message was not accepted.
pub fn next(kind: &impl Threaded, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
    let Some(first) = first(kind, message) else {
        return match answers {
            [] => Ok(Some(kind.request(message))),
            [posted, ..] => kind.judge(posted, message.now).map(|()| None),
        };
    };
    match answers {
        [] => Ok(Some(kind.answering(message, first))),
        [refused] if kind.is_gone(refused) => Ok(Some(kind.alone(message))),
        [refused, posted, ..] if kind.is_gone(refused) => kind.judge(posted, message.now).map(|()| None),
        [posted] => {
            kind.judge(posted, message.now)?;
            Ok((message.phase() == Phase::Over).then(|| kind.mark_over(message, first)))
        }
        [_, _, ..] => Ok(None),
    }
}

/// [`Kind::has_arrived`] of such a kind.
#[must_use]
pub fn has_arrived(kind: &impl Threaded, message: &Message<'_>, answers: &[Answer]) -> bool {
    let posted = match answers {
        [refused, rest @ ..] if first(kind, message).is_some() && kind.is_gone(refused) => rest.first(),
        _ => answers.first(),
    };
    posted.is_some_and(|posted| kind.judge(posted, message.now).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::spec::DiscordSpec;
    use crate::model::channel::spec::MatrixSpec;
    use crate::model::channel::spec::TelegramSpec;
    use crate::model::secret::Secret;
    use crate::model::verdict::Verdict;
    use crate::notifier::samples;
    use crate::notifier::samples::World;

    fn discord() -> DiscordSpec {
        DiscordSpec { url: Secret::new("https://discord.example/api/webhooks/1/canary?x=y"), thread: None }
    }

    fn telegram() -> TelegramSpec {
        let api_url = "https://telegram.example".to_owned();
        TelegramSpec { token: Secret::new("1:canary"), chat: "-1001".to_owned(), topic: None, api_url }
    }

    fn matrix() -> MatrixSpec {
        MatrixSpec { url: "https://matrix.example".to_owned(), token: Secret::new("canary"), room: "!abc:matrix.example".to_owned() }
    }

    /// What is sent after these answers: the method, and the end of the address.
    fn told(kind: &dyn Kind, world: &World, answers: &[Answer]) -> Option<(String, String)> {
        let request = kind.next(&world.message(), answers).expect("no refusal")?;
        let url = request.url.reveal_for_use().rsplit('/').next().unwrap_or_default().to_owned();
        Some((request.method, url))
    }

    fn is(request: Option<(String, String)>, method: &str, url: &str) -> bool {
        request.is_some_and(|(is_method, is_url)| is_method == method && is_url.starts_with(url))
    }

    #[test]
    fn the_end_is_told_and_then_marked_and_no_answer_to_the_mark_changes_anything() {
        let kinds: [(&dyn Kind, &str, &str, &str); 3] = [
            (&discord(), "42", r#"{"id":"43"}"#, "42?"),
            (&telegram(), "-1001:42", r#"{"ok":true,"result":{"message_id":43}}"#, "editMessageText"),
            (&matrix(), "!abc:matrix.example/$42", r#"{"event_id":"$43"}"#, "k%3Arecovered%3Aops-webhook-over"),
        ];
        for (kind, first, posted, edit) in kinds {
            let world = World::recovered(Verdict::Up).after(first);
            let posted = samples::answer(200, posted, None);
            assert!(!kind.has_arrived(&world.message(), &[]));
            assert!(kind.has_arrived(&world.message(), std::slice::from_ref(&posted)));
            let marks = told(kind, &world, std::slice::from_ref(&posted));
            assert!(marks.as_ref().is_some_and(|(_, url)| url.starts_with(edit)), "{marks:?}");
            for status in [200, 400, 403, 404, 429, 500] {
                let answers = [posted.clone(), samples::answer(status, "{}", None)];
                assert_eq!(told(kind, &world, &answers), None, "{status}");
                assert!(kind.has_arrived(&world.message(), &answers), "{status}");
            }
            let reminder = World::reminder().after(first);
            assert_eq!(told(kind, &reminder, std::slice::from_ref(&posted)), None, "what lasts is not over");
            assert_eq!(kind.called(&reminder.message(), std::slice::from_ref(&posted)), None, "only a beginning is answered");
        }
    }

    #[test]
    fn a_message_that_was_deleted_there_is_not_waited_for() {
        let kinds: [(&dyn Kind, &str, u16, &str); 2] = [
            (&telegram(), "-1001:4242424242", 400, r#"{"ok":false,"description":"Bad Request: message to be replied not found"}"#),
            (&matrix(), "!abc:matrix.example/$4242424242", 404, r#"{"errcode":"M_NOT_FOUND"}"#),
        ];
        for (kind, first, status, gone) in kinds {
            let world = World::recovered(Verdict::Up).after(first);
            let gone = samples::answer(status, gone, None);
            assert!(!kind.has_arrived(&world.message(), std::slice::from_ref(&gone)));
            let alone = kind.next(&world.message(), std::slice::from_ref(&gone)).expect("no refusal").expect("another request");
            assert!(!alone.body.contains("4242424242"), "{}", alone.body);
            let fine = samples::answer(200, "{}", None);
            assert_eq!(told(kind, &world, &[gone.clone(), fine]), None, "there is nothing to mark");
            let refused = samples::answer(403, "{}", None);
            assert!(kind.next(&world.message(), &[gone.clone(), refused.clone()]).is_err());
            assert!(!kind.has_arrived(&world.message(), &[gone, refused]));
        }
    }

    #[test]
    fn an_id_of_another_place_or_of_nowhere_is_not_used() {
        let kinds: [(&dyn Kind, &[&str], &str, &str); 3] = [
            (&discord(), &["..", "4/2", "@original", "123456789012345678901"], "POST", "canary"),
            (&telegram(), &["42", "-1002:42", "-1001:x", "-1001:-4", "-1001:"], "POST", "sendMessage"),
            (&matrix(), &["$42", "!other:matrix.example/$42", "!abc:matrix.example/42"], "PUT", "k%3Arecovered%3Aops-webhook"),
        ];
        for (kind, ids, method, url) in kinds {
            for id in ids {
                let world = World::recovered(Verdict::Up).after(id);
                let request = kind.next(&world.message(), &[]).expect("no refusal").expect("a request");
                assert_eq!(request, kind.request(&world.message()), "{id}");
                assert!(is(told(kind, &world, &[]), method, url), "{id}");
                assert_eq!(told(kind, &world, &[samples::answer(200, "{}", None)]), None, "{id}");
            }
        }
    }

    #[test]
    fn what_a_service_calls_a_message_is_remembered_only_when_it_makes_sense() {
        let long = format!(r#"{{"event_id":"${}"}}"#, "x".repeat(600));
        let rows: [(&dyn Kind, &str, Option<&str>); 10] = [
            (&discord(), r#"{"id":"1100000000000000000"}"#, Some("1100000000000000000")),
            (&discord(), r#"{"id":"../1"}"#, None),
            (&discord(), "", None),
            (&telegram(), r#"{"ok":true,"result":{"message_id":42}}"#, Some("-1001:42")),
            (&telegram(), r#"{"ok":true,"result":{"message_id":"42"}}"#, None),
            (&telegram(), r#"{"ok":true,"result":{"message_id":-4}}"#, None),
            (&matrix(), r#"{"event_id":"$x"}"#, Some("!abc:matrix.example/$x")),
            (&matrix(), r#"{"event_id":"x"}"#, None),
            (&matrix(), r#"{"event_id":"$x y"}"#, None),
            (&matrix(), &long, None),
        ];
        for (kind, body, expected) in rows {
            let called = kind.called(&World::down().message(), &[samples::answer(200, body, None)]);
            assert_eq!(called.as_ref().map(ServiceId::as_str), expected, "{body}");
            let bundle = kind.called(&World::bundle().message(), &[samples::answer(200, body, None)]);
            assert_eq!(bundle, None, "what tells of many is the beginning of none");
        }
    }
}
