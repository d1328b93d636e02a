//! The `github` channel: an issue while something is wrong, comments as it goes on, closed when it is over.
//!
//! The issue of a monitor is found again by a label that is only its own; so nothing has to be remembered here, and every node of a
//! cluster finds it.

use serde_json::json;

use crate::model::channel::spec::GithubSpec;
use crate::model::time::UnixMillis;
use crate::notifier::backoff::retry_after;
use crate::notifier::compose::Message;
use crate::notifier::error::Said;
use crate::notifier::error::SendError;
use crate::notifier::error::judge_said;
use crate::notifier::error::not_now;
use crate::notifier::escape;
use crate::notifier::issue;
use crate::notifier::issue::Step;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Manner;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::request::encoded;
use crate::notifier::shorten::within;

impl Kind for GithubSpec {
    fn request(&self, message: &Message<'_>) -> Request {
        let label = encoded(&message.alarm_short());
        self.signed(Request::get(self.to(&format!("issues?state=open&per_page=1&labels={label}"))))
    }

    fn manner(&self) -> Manner {
        Manner::Apart
    }

    fn blank_answer(&self) -> Answer {
        Answer { status: 200, retry_after: None, body: b"[]".to_vec() }
    }

    fn judge(&self, answer: &Answer, now: UnixMillis) -> Result<(), SendError> {
        let body = answer.json();
        let word = body["message"].as_str().unwrap_or_default();
        // GitHub says "too many" with the status of "forbidden".
        if answer.status == 403 && (answer.retry_after.is_some() || word.contains("rate limit")) {
            let wait = answer.retry_after.as_deref().and_then(|header| retry_after(header, now));
            return Err(not_now(wait, "GitHub answered 403: too many requests".to_owned()));
        }
        judge_said(answer, &Said { service: "GitHub", wait: None, word, known: KNOWN }, now)
    }

    fn next(&self, message: &Message<'_>, answers: &[Answer]) -> Result<Option<Request>, SendError> {
        let Some((found, rest)) = answers.split_first() else { return Ok(Some(self.request(message))) };
        self.judge(found, message.now)?;
        for answer in rest {
            self.judge(answer, message.now)?;
        }
        let step = issue::step(message, found.json()[0]["number"].as_u64(), rest.len());
        Ok(step.map(|step| match step {
            Step::Open => self.open(message),
            Step::Comment(number) => self.comment(message, number),
            Step::Close(number) => self.close(number),
        }))
    }
}

impl GithubSpec {
    fn to(&self, path: &str) -> String {
        format!("{}/repos/{}/{path}", self.api_url, self.repository)
    }

    fn signed(&self, request: Request) -> Request {
        request.with("accept", "application/vnd.github+json").with("x-github-api-version", "2022-11-28").bearer(&self.token)
    }

    fn open(&self, message: &Message<'_>) -> Request {
        let mut labels = self.labels.clone();
        labels.push(message.alarm_short());
        let title = within(&message.title(), issue::TITLE, escape::plain);
        self.signed(Request::json("POST", self.to("issues"), &json!({"title": title, "body": issue::text(message), "labels": labels})))
    }

    fn comment(&self, message: &Message<'_>, number: u64) -> Request {
        self.signed(Request::json("POST", self.to(&format!("issues/{number}/comments")), &json!({"body": issue::text(message)})))
    }

    fn close(&self, number: u64) -> Request {
        let body = json!({"state": "closed", "state_reason": "completed"});
        self.signed(Request::json("PATCH", self.to(&format!("issues/{number}")), &body))
    }
}

/// GitHub's words for refusals.
const KNOWN: &[(&str, &str)] = &[
    ("bad credentials", "the token is not valid (any more)"),
    ("resource not accessible", "the token may not write issues of this repository"),
    ("issues has been disabled", "the repository has no issues"),
    ("issues are disabled", "the repository has no issues"),
    ("not found", "the repository does not exist, or the token may not see it"),
    ("archived", "the repository is archived"),
];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::channel::ChannelSpec;
    use crate::model::secret::Secret;
    use crate::notifier::samples;

    fn spec() -> GithubSpec {
        GithubSpec {
            repository: "acme/status".to_owned(),
            token: Secret::new("canary"),
            labels: vec!["incident".to_owned()],
            api_url: "https://api.github.com".to_owned(),
        }
    }

    #[test]
    fn messages_read_exactly_so() {
        samples::assert_golden(&ChannelSpec::Github(spec()));
    }

    #[test]
    fn what_goes_on_is_a_comment_and_what_is_over_is_closed() {
        let found = samples::answer(200, r#"[{"number":17}]"#, None);
        let taken = samples::answer(201, "{}", None);
        let world = samples::World::recovered(crate::model::verdict::Verdict::Up);
        samples::assert_conversation("github-close", &ChannelSpec::Github(spec()), &world, &[found, taken.clone(), taken]);
    }

    #[test]
    fn nothing_is_closed_that_is_not_open_and_a_failed_step_is_a_failure() {
        let (spec, world) = (spec(), samples::World::recovered(crate::model::verdict::Verdict::Up));
        assert_eq!(spec.next(&world.message(), &[samples::answer(200, "[]", None)]), Ok(None));
        let found = samples::answer(200, r#"[{"number":17}]"#, None);
        let broken = samples::answer(502, "", None);
        assert!(matches!(spec.next(&world.message(), &[found, broken]), Err(SendError::Transient(_))));
    }

    #[test]
    fn texts_fit_and_call_nobody() {
        let world = samples::World::hostile();
        let request = spec().next(&world.message(), &[samples::answer(200, "[]", None)]).expect("goes on").expect("a request");
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        assert!(body["title"].as_str().is_some_and(|text| (1..=256).contains(&text.chars().count())), "{body}");
        let text = samples::without_code(body["body"].as_str().expect("a text"));
        assert!(!text.contains("@everyone") && !text.contains(" #1 ") && !text.contains("</b>"), "{text}");
    }

    #[test]
    fn answers_are_told_apart() {
        samples::assert_judged(
            &spec(),
            &[
                (201, "{}", None, "accepted"),
                (401, r#"{"message":"Bad credentials"}"#, None, "permanent: GitHub answered 401 (bad credentials)"),
                (403, r#"{"message":"You have exceeded a secondary rate limit canary"}"#, None, "transient: GitHub answered 403: too many"),
                (403, "{}", Some("61"), "later 61: GitHub answered 403: too many"),
                (
                    403,
                    r#"{"message":"Resource not accessible by personal access token"}"#,
                    None,
                    "permanent: GitHub answered 403 (resource",
                ),
                (404, r#"{"message":"Not Found"}"#, None, "permanent: GitHub answered 404"),
                (410, r#"{"message":"Issues has been disabled in this repository."}"#, None, "permanent: GitHub answered 410"),
            ],
        );
    }
}
