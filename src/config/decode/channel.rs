//! Decodes `channels`. What a service would refuse anyway is refused here, before anybody depends on it.

mod alarm;
mod chat;
mod own;
mod push;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::decode::http::headers;
use crate::config::decode::policy;
use crate::config::decode::template;
use crate::config::fields::At;
use crate::config::fields::Ctx;
use crate::config::fields::Fields;
use crate::config::node::Scalar;
use crate::config::readers;
use crate::config::reference;
use crate::model::channel::Channel;
use crate::model::channel::ChannelSpec;
use crate::model::channel::WebhookSpec;
use crate::model::id::ChannelName;
use crate::model::monitor::Origin;
use crate::model::notification::EventKind;
use crate::model::secret::Secret;

/// One channel.
pub(super) fn channel(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Channel> {
    let mut fields = Fields::open(ctx, at, "channels[]")?;
    let name = fields.must("name", |ctx, at| readers::parsed(ctx, at, ChannelName::parse));
    let kinds: Vec<(At<'_>, &Kind)> = KINDS.iter().filter_map(|kind| Some((fields.take(kind.word)?, kind))).collect();
    let on = fields.read("on", events);
    let quiet_hours = fields.read("quiet_hours", policy::quiet_hours);
    let later = at.node.entries().unwrap_or_default().iter().any(|entry| reference::is_later("channels[]", &entry.key));
    fields.finish();
    let spec = match kinds.as_slice() {
        [(at, kind)] => (kind.decode)(ctx, at),
        [(_, first), (second, _), ..] => {
            ctx.bad(second, format!("a channel has exactly one kind, this one also has `{}`", first.word), "make two channels of it");
            None
        }
        [] if later => None,
        [] => {
            let words: Vec<String> = KINDS.iter().map(|kind| format!("`{}`", kind.word)).collect();
            ctx.bad(at, "this channel has no kind", format!("add one of {}", words.join(", ")));
            None
        }
    };
    let origin = Origin { file: ctx.report.files.of(at.node.pos), line: at.node.pos.line };
    Some(Channel {
        name: name?,
        spec: spec?,
        on: on.unwrap_or_else(|| EventKind::ALL.into_iter().filter(|event| *event != EventKind::Regional).collect()),
        quiet_hours,
        origin,
    })
}

/// A kind of channel: its key, and what reads the settings below it.
struct Kind {
    word: &'static str,
    decode: fn(&Ctx<'_>, &At<'_>) -> Option<ChannelSpec>,
}

/// In the order of the manual.
const KINDS: &[Kind] = &[
    Kind { word: "webhook", decode: webhook_spec },
    Kind { word: "slack", decode: chat::slack },
    Kind { word: "discord", decode: chat::discord },
    Kind { word: "teams", decode: chat::teams },
    Kind { word: "mattermost", decode: chat::mattermost },
    Kind { word: "rocketchat", decode: chat::rocketchat },
    Kind { word: "googlechat", decode: chat::googlechat },
    Kind { word: "telegram", decode: chat::telegram },
    Kind { word: "matrix", decode: chat::matrix },
    Kind { word: "zulip", decode: chat::zulip },
    Kind { word: "ntfy", decode: push::ntfy },
    Kind { word: "gotify", decode: push::gotify },
    Kind { word: "pushover", decode: push::pushover },
    Kind { word: "pushbullet", decode: push::pushbullet },
    Kind { word: "signal", decode: push::signal },
    Kind { word: "twilio", decode: push::twilio },
    Kind { word: "home_assistant", decode: push::home_assistant },
    Kind { word: "pagerduty", decode: alarm::pagerduty },
    Kind { word: "opsgenie", decode: alarm::opsgenie },
    Kind { word: "incident_io", decode: alarm::incident_io },
    Kind { word: "grafana_oncall", decode: alarm::grafana_oncall },
    Kind { word: "alertmanager", decode: alarm::alertmanager },
    Kind { word: "github", decode: alarm::github },
    Kind { word: "gitlab", decode: alarm::gitlab },
    Kind { word: "apprise", decode: push::apprise },
    Kind { word: "email", decode: own::email },
    Kind { word: "command", decode: own::command },
];

/// Kinds of events.
pub(super) fn events(ctx: &Ctx<'_>, at: &At<'_>) -> Option<BTreeSet<EventKind>> {
    let words = EventKind::ALL.map(|kind| (kind.word(), kind));
    let found: BTreeSet<EventKind> = at.one_or_many().iter().filter_map(|item| readers::choice(ctx, item, &words)).collect();
    if at.node.items().is_some_and(<[_]>::is_empty) {
        ctx.bad(at, "no event is listed", "list what it wants to hear, such as `[down, recovered]`");
        return None;
    }
    Some(found)
}

fn webhook_spec(ctx: &Ctx<'_>, at: &At<'_>) -> Option<ChannelSpec> {
    if at.node.scalar().is_some() {
        let url = secret_url(ctx, at)?;
        return Some(ChannelSpec::Webhook(WebhookSpec { url, method: "POST".to_owned(), headers: Vec::new(), secret: None, body: None }));
    }
    let mut fields = Fields::open(ctx, at, "channels[].webhook")?;
    let url = fields.must("url", secret_url);
    let methods = [("POST", "POST"), ("PUT", "PUT"), ("PATCH", "PATCH"), ("GET", "GET")];
    let method = fields.read("method", |ctx, at| readers::choice(ctx, at, &methods));
    let headers = fields.read("headers", headers);
    let secret = fields.read("secret", readers::secret);
    let is_content_type = |name: &str| name.eq_ignore_ascii_case("content-type");
    let content_type = headers.iter().flatten().find(|(name, _)| is_content_type(name)).map(|(_, value)| value.reveal_for_use());
    let body = fields.read("body", |ctx, at| template::body(ctx, at, content_type));
    fields.finish();
    Some(ChannelSpec::Webhook(WebhookSpec {
        url: url?,
        method: method.unwrap_or("POST").to_owned(),
        headers: headers.unwrap_or_default(),
        secret,
        body,
    }))
}

/// A URL that is itself a secret. Messages about it do not show it.
pub(super) fn secret_url(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let secret = readers::secret(ctx, at)?;
    match readers::parse_web_url(secret.reveal_for_use()) {
        Ok(url) => Some(Secret::new(String::from(url))),
        Err((message, _)) => {
            ctx.bad(at, format!("this {message}"), "write `https://host/path`; it is not shown here because it may be secret");
            None
        }
    }
}

/// The settings of a kind that has nothing but a secret URL, or the URL alone.
fn only_url(ctx: &Ctx<'_>, at: &At<'_>, section: &'static str) -> Option<Secret> {
    if at.node.scalar().is_some() {
        return secret_url(ctx, at);
    }
    let mut fields = Fields::open(ctx, at, section)?;
    let url = fields.must("url", secret_url);
    fields.finish();
    url
}

/// The address of a server, without a slash at its end.
fn server(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let url = readers::web_url(ctx, at)?;
    if !url.username().is_empty() || url.password().is_some() {
        ctx.bad(at, "a user or password does not belong into this address", "there are keys for them");
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        ctx.bad(at, "this address must end with its path", "remove everything from `?` or `#` on");
        return None;
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// A token or key. It stands in headers and addresses, where a blank or a line break would make something else of it.
fn token(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Secret> {
    let found = readers::secret(ctx, at)?;
    if !found.reveal_for_use().chars().all(|c| c.is_ascii_graphic()) {
        ctx.bad(at, "this secret has blanks or characters that no token has", "copy it again, without anything before or after it");
        return None;
    }
    Some(found)
}

/// A token of a certain shape. Messages about it do not show it.
fn shaped(ctx: &Ctx<'_>, at: &At<'_>, (what, hint): (&str, &str), fits: impl FnOnce(&str) -> bool) -> Option<Secret> {
    let found = token(ctx, at)?;
    if !fits(found.reveal_for_use()) {
        ctx.bad(at, format!("this is not {what}"), hint);
        return None;
    }
    Some(found)
}

/// A name of the service's: one line, not empty.
fn word(ctx: &Ctx<'_>, at: &At<'_>) -> Option<String> {
    let found = readers::name(ctx, at)?;
    Some(found.trim().to_owned())
}

/// Several of them, or one.
fn words(ctx: &Ctx<'_>, at: &At<'_>) -> Option<Vec<String>> {
    Some(at.one_or_many().iter().filter_map(|item| word(ctx, item)).collect())
}

/// A name that must have a certain shape.
fn shaped_word(ctx: &Ctx<'_>, at: &At<'_>, (what, hint): (&str, &str), fits: impl FnOnce(&str) -> bool) -> Option<String> {
    let found = word(ctx, at)?;
    if !fits(&found) {
        let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
        ctx.bad(at, format!("`{shown}` is not {what}"), hint);
        return None;
    }
    Some(found)
}

/// A telephone number as the world dials it.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| (6..=15).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit()))
}

/// What is said about one that is not.
const NUMBER: (&str, &str) = ("a telephone number", "write it with `+` and the country in quotes, such as `\"+37120000000\"`");

/// Names of channels that must exist.
pub(super) fn references(ctx: &Ctx<'_>, items: &[At<'_>], known: &BTreeSet<String>) -> Vec<ChannelName> {
    let mut found = Vec::new();
    for at in items {
        let Some(text) = readers::text(ctx, at) else { continue };
        let Ok(name) = ChannelName::parse(&text) else {
            ctx.bad(at, "this is not the name of a channel", "");
            continue;
        };
        if !known.contains(&text) {
            let shown = at.node.scalar().map(Scalar::shown).unwrap_or_default();
            ctx.bad(at, format!("there is no channel `{shown}`"), missing_channel_hint(&text, known));
        } else if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn missing_channel_hint(text: &str, known: &BTreeSet<String>) -> String {
    if let Some(near) = reference::nearest(text, known.iter().map(String::as_str)) {
        return format!("did you mean `{near}`?");
    }
    if known.is_empty() {
        return format!("define it: `channels: [{{ name: {text}, slack: https://… }}]`");
    }
    let names: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
    format!("the channels are {}", names.join(", "))
}

/// A channel behind a pointer, as the config keeps it.
pub(super) fn shared(channel: Channel) -> (ChannelName, Arc<Channel>) {
    (channel.name.clone(), Arc::new(channel))
}
