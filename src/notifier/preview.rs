//! What would be sent, as a text for people, with everything secret hidden. Pure.
//!
//! The secrets are taken out of the settings before the request is made of them, and not out of the request afterwards: so none can
//! stay in it in some spelling.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::Value;

use crate::config::Config;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::spec::CommandSpec;
use crate::model::channel::spec::EmailSpec;
use crate::model::channel::spec::MailTls;
use crate::model::monitor::Monitor;
use crate::model::notification::EventKind;
use crate::model::secret::Secret;
use crate::model::time::UnixMillis;
use crate::notifier::command;
use crate::notifier::compose::Message;
use crate::notifier::email;
use crate::notifier::email::Mail;
use crate::notifier::error::SendError;
use crate::notifier::kind::Kind;
use crate::notifier::kind::Way;
use crate::notifier::kind::way;
use crate::notifier::mask::HIDDEN;
use crate::notifier::payload::Links;
use crate::notifier::payload::json;
use crate::notifier::request::Answer;
use crate::notifier::request::Request;
use crate::notifier::sample::sample;
use crate::notifier::signed::LinkKeys;

/// Requests that are shown; no kind has more.
const N_REQUESTS_MAX: usize = 4;

/// The settings with every secret replaced. Of an address the host stays, because it is what people look for.
#[must_use]
pub fn masked(spec: &ChannelSpec) -> ChannelSpec {
    let mut spec = spec.clone();
    for secret in spec.secrets_mut() {
        *secret = Secret::new(hidden(secret.reveal_for_use()));
    }
    spec
}

fn hidden(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => format!("{}/{HIDDEN}", url.origin().ascii_serialization()),
        Ok(_) | Err(_) => HIDDEN.to_owned(),
    }
}

/// What a message takes, every request of it, when the service accepts all of them and knows of nothing yet.
///
/// # Errors
/// [`SendError`] when the channel would give up before anything is sent.
pub fn preview(channel: &Channel, message: &Message<'_>) -> Result<String, SendError> {
    let spec = masked(&channel.spec);
    match way(&spec) {
        Way::Http(kind) => preview_with(kind, message, &vec![kind.blank_answer(); N_REQUESTS_MAX]),
        Way::Mail(spec) => Ok(conversation(spec, &email::mail(spec, message)?)),
        Way::Program(spec) => Ok(errand(spec, message)),
    }
}

/// What a channel would send of such an event: about an incident made up for a monitor that uses the channel, so that what is shown may
/// really come.
///
/// # Errors
/// Why there is nothing to show, in one sentence.
pub fn preview_of(config: &Config, channel: &Channel, event: EventKind, now: UnixMillis) -> Result<String, String> {
    let uses = |monitor: &&Arc<Monitor>| monitor.channels.contains(&channel.name);
    let about = config.monitors.iter().find(uses).or_else(|| config.monitors.first());
    let monitor = about.ok_or("there is no monitor in the config that a message could be about")?;
    let notification = sample(channel.name.clone(), event, monitor, now);
    // An incident that does not exist is acknowledged by nobody, whatever signed its links.
    let links = Links::new(&config.server).signed(LinkKeys::new(config, &Secret::new("preview")));
    let message = Message { notification: &notification, on: &channel.on, links: &links, now, first: None, unnamed: None };
    preview(channel, &message).map_err(|error| error.to_string())
}

/// What a mail server would be told.
fn conversation(spec: &EmailSpec, mail: &Mail) -> String {
    let tls = match spec.tls {
        MailTls::StartTls => "STARTTLS\n",
        MailTls::Tls | MailTls::None => "",
    };
    let scheme = if spec.tls == MailTls::Tls { "smtps" } else { "smtp" };
    let sign_in =
        spec.credentials.as_ref().map(|(user, password)| format!("AUTH {user} {}\n", password.reveal_for_use())).unwrap_or_default();
    let to: Vec<String> = mail.to.iter().map(|to| format!("RCPT TO:<{to}>\n")).collect();
    let text = mail.text.replace("\r\n", "\n");
    format!("{scheme}://{}\n{tls}{sign_in}MAIL FROM:<{}>\n{}DATA\n\n{text}", spec.server, mail.from, to.concat())
}

/// What a program would get.
fn errand(spec: &CommandSpec, message: &Message<'_>) -> String {
    let run: Vec<String> = spec.run.iter().map(|word| format!("{:?}", word.reveal_for_use())).collect();
    let variables = command::variables(spec, message);
    let variables: Vec<String> = variables.into_iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    format!("run: [{}]\n{}\n{}\n", run.join(", "), variables.concat(), laid_out(&json(message.notification, message.links)))
}

/// The requests of a message for certain answers of the service.
///
/// # Errors
/// [`SendError`] when one of the answers is a refusal.
pub fn preview_with(kind: &dyn Kind, message: &Message<'_>, answers: &[Answer]) -> Result<String, SendError> {
    let mut out = String::new();
    for n in 0..=answers.len() {
        let Some(request) = kind.next(message, &answers[..n])? else { break };
        if n > 0 {
            out.push('\n');
        }
        out.push_str(&shown(&request));
    }
    Ok(out)
}

/// A request as it stands in RFC 9110, its body on lines of its own when it is JSON.
fn shown(request: &Request) -> String {
    let mut out = format!("{} {}\n", request.method, request.url.reveal_for_use());
    for (name, value) in &request.headers {
        // Made with the hidden secret, and therefore not what would be sent.
        let value = if name == "x-vigilmon-signature" { "sha256=***" } else { value.reveal_for_use() };
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{name}: {value}");
    }
    if !request.body.is_empty() {
        let _ = write!(out, "\n{}\n", laid_out(&request.body));
    }
    out
}

/// JSON on lines of its own; anything else as it is.
fn laid_out(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => format!("{value:#}"),
        Err(_) => body.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::channel::Escaping;
    use crate::model::channel::Template;
    use crate::model::channel::TemplatePart;
    use crate::model::channel::WebhookSpec;
    use crate::model::channel::spec::Word;
    use crate::notifier::samples;

    #[test]
    fn what_the_environment_filled_in_is_hidden_too() {
        let url = Secret::new("https://hooks.example/x");
        let filled = || Secret::new("canary");
        let parts =
            vec![TemplatePart::Text("{\"token\":\"".to_owned()), TemplatePart::Filled(filled()), TemplatePart::Text("\"}".to_owned())];
        let body = Some(Template { parts, escaping: Escaping::Json });
        let webhook = WebhookSpec { url, method: "POST".to_owned(), headers: Vec::new(), secret: None, body };
        let run = vec![Word::Plain("/usr/bin/page".to_owned()), Word::Filled(filled())];
        let command = CommandSpec { run, env: Vec::new(), timeout: Duration::from_secs(1) };
        for spec in [ChannelSpec::Webhook(webhook), ChannelSpec::Command(command)] {
            let shown = preview(&samples::channel("ops", spec), &samples::World::down().message()).expect("something is sent");
            assert!(shown.contains(HIDDEN) && !shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn of_an_address_only_the_host_is_shown() {
        assert_eq!(hidden("https://user:canary@hooks.example:8443/services/canary?x=canary"), "https://hooks.example:8443/***");
        assert_eq!(hidden("canary"), "***");
        assert_eq!(hidden("tgram://canary"), "***");
    }
}
