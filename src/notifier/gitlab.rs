//! The `gitlab` channel: an issue while something is wrong, comments as it goes on, closed when it is over.
//!
//! As on GitHub, the issue of a monitor is found again by a label that is only its own.

use serde_json::json;

use crate::model::channel::spec::GitlabSpec;
use crate::model::time::UnixMillis;
use crate::notifier::compose::Message;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::escape;
use crate::notifier::issue;
use crate::notifier::issue::Step;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::within;

impl Kind for GitlabSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let label = encoded(&message.alarm_short());
        self.signed(Request::get(self.to(&format!("issues?state=opened&per_page=1&labels={label}"))))
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }

    fn blank_answer(&self) -> Answer {
        Answer { status: 200, retry_after: None, body: b"[]".to_vec() }
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["message"].as_str().or(body["error"].as_str()).unwrap_or_default();
        judge_said(answer, &Said { service: "GitLab", wait: None, word, known: KNOWN }, now)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        let Some((found, rest)) = answers.split_first() else { return Ok(Some(self.request(message))) };
        self.judge(found, message.now)?;
        for answer in rest {
            self.judge(answer, message.now)?;
        }
        let step = issue::step(message, found.json()[0]["iid"].as_u64(), rest.len());
        Ok(step.map(|step| match step {
            Step::Open => self.open(message),
            Step::Comment(number) => self.comment(message, number),
            Step::Close(number) => self.close(number),
        }))
    }
}

impl GitlabSpec {
    fn to(&self, path: &str) -> String {
        format!("{}/api/v4/projects/{}/{path}", self.url, encoded(&self.project))
    }

    fn signed(&self, request: Request) -> Request {
        request.with("private-token", self.token.reveal_for_use())
    }

    fn open(&self, message: &Message<'_>) -> Request {
        let mut labels = self.labels.clone();
        labels.push(message.alarm_short());
        let title = within(&message.title(), issue::TITLE, escape::plain);
        let body = json!({"title": title, "description": issue::text(message), "labels": labels.join(",")});
        self.signed(Request::json("POST", self.to("issues"), &body))
    }

    fn comment(&self, message: &Message<'_>, number: u64) -> Request {
        self.signed(Request::json("POST", self.to(&format!("issues/{number}/notes")), &json!({"body": issue::text(message)})))
    }

    fn close(&self, number: u64) -> Request {
        self.signed(Request::json("PUT", self.to(&format!("issues/{number}")), &json!({"state_event": "close"})))
    }
}

/// GitLab's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("401 unauthorized", "the token is not valid (any more)"),
    ("invalid_token", "the token is not valid (any more)"),
    ("insufficient_scope", "the token needs the scope `api`"),
    ("403 forbidden", "the token may not write issues of this project"),
    ("404 project not found", "the project does not exist, or the token may not see it"),
];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> GitlabSpec {
        GitlabSpec {
            url: "https://gitlab.com".to_owned(),
            project: "acme/status".to_owned(),
            token: Secret::new("canary"),
            labels: vec!["incident".to_owned()],
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Gitlab(spec()));
    }

    #[test]
    fn what_goes_on_is_a_comment_and_what_is_over_is_closed() {
        let found = samples::answer(200, r#"[{"iid":17}]"#, None);
        let taken = samples::answer(201, "{}", None);
        let world = samples::World::recovered(crate::model::verdict::Verdict::Up);
        samples::assert_conversation("gitlab-close", &ChannelSpec::Gitlab(spec()), &world, &[found, taken.clone(), taken]);
    }

    #[test]
    fn nothing_is_closed_that_is_not_open_and_a_failed_step_is_a_failure() {
        let (spec, world) = (spec(), samples::World::recovered(crate::model::verdict::Verdict::Up));
        assert_eq!(spec.next(&world.message(), &[samples::answer(200, "[]", None)]), Ok(None));
        let found = samples::answer(200, r#"[{"iid":17}]"#, None);
        let broken = samples::answer(502, "", None);
        assert!(matches!(spec.next(&world.message(), &[found, broken]), Err(SendError::Transient(_))));
    }

    #[test]
    fn texts_fit_and_call_nobody() {
        let world = samples::World::hostile();
        let request = spec().next(&world.message(), &[samples::answer(200, "[]", None)]).expect("goes on").expect("a request");
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        assert!(body["title"].as_str().is_some_and(|text| (1..=256).contains(&text.chars().count())), "{body}");
        let text = samples::without_code(body["description"].as_str().expect("a text"));
        assert!(!text.contains("@everyone") && !text.contains(" #1 ") && !text.contains("</b>"), "{text}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (201, "{}", None, "accepted"),
                (401, r#"{"message":"401 Unauthorized"}"#, None, "permanent: GitLab answered 401 (401 unauthorized)"),
                (
                    403,
                    r#"{"error":"insufficient_scope","error_description":"canary"}"#,
                    None,
                    "permanent: GitLab answered 403 (insufficient_scope)",
                ),
                (404, r#"{"message":"404 Project Not Found"}"#, None, "permanent: GitLab answered 404"),
                (429, "Retry later", Some("30"), "later 30"),
            ],
        );
    }
}
